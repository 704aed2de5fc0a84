//! `damage = { target, file, partition, segment, bits, within, cut, exit }`: the broker goes down, a file of its data is
//! damaged, and it comes back.
//!
//! `bits` flips so many bits, at places that the seed draws, anywhere or in the last bytes (`within`); `cut` takes bytes off
//! the end, as a disk does that never wrote what it had promised to. `exit` says whether the broker was killed before, so
//! that it looks through its logs when it starts, or had left in order, so that it trusts them.
//!
//! Kafka finds a damaged tail of a log after an unclean end, cuts it off, and copies it again. It does not look at older
//! segments. Some files it cannot do without: then it does not come back, which is what the run will say.
//!
//! Proof: it ran and answered; then it ended, and the file's CRC-32 or length changed; then a later life of it ran, answered
//! and came back into every ISR.

use serde::{Deserialize, Serialize};

use super::Fault;
use crate::fault::disk::{Cut, HowDamaged, Segment, WhichFile, Within};
use crate::fault::{Action, Case, Deed, Keys, Need, NextLife, Noted, Scene, Signal, State, Stroke, Target};
use crate::kafka::TopicPartition;

const DEFAULT_BITS: u32 = 8;
const MOST_BITS: u32 = 1000;
const GRACE_MS: u64 = 30_000;

/// The parameters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Damage {
    /// Which file.
    pub file: WhichFile,
    /// How.
    pub how: HowDamaged,
    /// How the broker goes down before.
    pub exit: Exit,
}

/// How a broker goes down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exit {
    /// By SIGKILL.
    Kill,
    /// In order.
    Stop,
}

/// A file's word in a scenario, before its partition and segment are known.
#[derive(Clone, Copy)]
enum Word {
    Log,
    Index,
    TimeIndex,
    LeaderEpochCheckpoint,
    RecoveryPointCheckpoint,
    ReplicationOffsetCheckpoint,
    MetadataLog,
    QuorumState,
}

const WORDS: [(&str, Word); 8] = [
    ("log", Word::Log),
    ("index", Word::Index),
    ("time-index", Word::TimeIndex),
    ("leader-epoch-checkpoint", Word::LeaderEpochCheckpoint),
    ("recovery-point-checkpoint", Word::RecoveryPointCheckpoint),
    ("replication-offset-checkpoint", Word::ReplicationOffsetCheckpoint),
    ("metadata-log", Word::MetadataLog),
    ("quorum-state", Word::QuorumState),
];

impl Fault for Damage {
    const NAME: &'static str = "damage";
    const KEYS: &'static [&'static str] = &["target", "file", "partition", "segment", "bits", "within", "cut", "exit"];
    const MEANS: &'static str = "engine: signal or stop; tool container: the file's bytes";
    const NEEDS: &'static [Need] = &[Need::Engine, Need::Tool];

    fn read<K: Keys>(keys: &mut K) -> Result<(Self, Target), Noted> {
        let (target, word, partition) = (keys.whom(), keys.word("file", &WORDS), keys.any_partition("partition"));
        let segment = keys.word("segment", &[("newest", Segment::Newest), ("oldest", Segment::Oldest)]);
        let exit = keys.word("exit", &[("kill", Exit::Kill), ("stop", Exit::Stop)]);
        let (how, target) = (how(keys)?, target?);
        let Some(word) = word? else { return Err(keys.missing("file", "file = \"log\"")) };
        let file = file(word, partition?.or_else(|| named_by(&target)), segment?.unwrap_or(Segment::Newest));
        let Some(file) = file else { return Err(keys.missing("partition", "partition = \"chat-0\"")) };
        Ok((Self { file, how, exit: exit?.unwrap_or(Exit::Kill) }, target))
    }

    fn detail(&self) -> String {
        let after = match self.exit {
            Exit::Kill => "after SIGKILL",
            Exit::Stop => "after an orderly stop",
        };
        let how = match self.how {
            HowDamaged::Corrupt { bits, within: Within::Anywhere } => format!("{bits} bits flipped"),
            HowDamaged::Corrupt { bits, within: Within::LastBytes(bytes) } => {
                format!("{bits} bits flipped in the last {bytes} bytes")
            }
            HowDamaged::Truncate(Cut::LastBytes(bytes)) => format!("the last {bytes} bytes cut off"),
            HowDamaged::Truncate(Cut::ToPercent(percent)) => format!("cut to {percent}%"),
        };
        format!("in {:?} {after}: {how}", self.file)
    }

    fn state(&self) -> State {
        State::Down
    }

    fn strokes(&self, scene: &Scene) -> Vec<Stroke> {
        let down = match self.exit {
            Exit::Kill => Action::Signal { signal: Signal::Kill },
            Exit::Stop => Action::Stop { grace_ms: GRACE_MS },
        };
        let damage = Action::Damage { file: self.file.clone(), how: self.how, seed: scene.seed };
        let actions = |broker| [down.clone(), damage.clone()].map(|action| Stroke { broker, action });
        scene.brokers().flat_map(actions).collect()
    }

    fn prove(&self, case: &mut Case<'_>) {
        let life = case.worked_before();
        match self.exit {
            Exit::Kill => case.ended(&[Signal::Kill.exit_code()], None),
            Exit::Stop => case.ended(&[143, 0], Some(137)),
        }
        let damage = case.deeds().iter().find_map(|deed| match deed {
            Deed::Damaged(damage) => Some(damage),
            _ => None,
        });
        match damage {
            Some(it) if it.crc32_before != it.crc32_after || it.size_before_bytes != it.size_after_bytes => {
                let (before, after) = (it.size_before_bytes, it.size_after_bytes);
                let change = if before == after {
                    format!("{} bits of {before} bytes flipped", it.flips.len())
                } else {
                    format!("cut from {before} to {after} bytes")
                };
                case.saw(format!("{}: {change}", it.path));
            }
            _ => case.misses("a file that is another than before"),
        }
        case.lost_standing();
        case.works_after(life, NextLife::Another);
        case.was_whole();
        case.regained_standing();
    }
}

fn how<K: Keys>(keys: &mut K) -> Result<HowDamaged, Noted> {
    let (bits, within, cut) = (keys.count("bits"), keys.bytes("within"), keys.bytes("cut"));
    let (bits, within, cut) = (bits?, within?, cut?);
    if let Some(cut) = cut {
        if bits.is_some() || within.is_some() {
            let message = "a file is cut or its bits are flipped, not both".to_owned();
            return Err(keys.refuse(Some("cut"), message, "and a cut", "remove `cut`, or `bits` and `within`"));
        }
        return Ok(HowDamaged::Truncate(Cut::LastBytes(cut)));
    }
    let bits = bits.unwrap_or(DEFAULT_BITS);
    if !(1..=MOST_BITS).contains(&bits) {
        let message = format!("{bits} bits cannot be flipped");
        return Err(keys.refuse(Some("bits"), message, "out of range", "write a number from 1 to 1000"));
    }
    Ok(HowDamaged::Corrupt { bits, within: within.map_or(Within::Anywhere, Within::LastBytes) })
}

/// The partition that a target speaks of, which is the one that is meant most often.
fn named_by(target: &Target) -> Option<TopicPartition> {
    match target {
        Target::Leader(partition) | Target::Follower(partition) | Target::Followers(partition) => {
            Some(partition.clone())
        }
        // Two members may speak of two partitions; then nobody knows which is meant.
        Target::Set(members) => {
            let mut named = members.iter().filter_map(named_by);
            named.next().filter(|first| named.all(|other| other == *first))
        }
        _ => None,
    }
}

/// The file; `None` when it is one of a partition, and nobody says of which.
fn file(word: Word, partition: Option<TopicPartition>, segment: Segment) -> Option<WhichFile> {
    Some(match word {
        Word::Log => WhichFile::Log(partition?, segment),
        Word::Index => WhichFile::Index(partition?, segment),
        Word::TimeIndex => WhichFile::TimeIndex(partition?, segment),
        Word::LeaderEpochCheckpoint => WhichFile::LeaderEpochCheckpoint(partition?),
        Word::RecoveryPointCheckpoint => WhichFile::RecoveryPointCheckpoint,
        Word::ReplicationOffsetCheckpoint => WhichFile::ReplicationOffsetCheckpoint,
        Word::MetadataLog => WhichFile::MetadataLog,
        Word::QuorumState => WhichFile::QuorumState,
    })
}
