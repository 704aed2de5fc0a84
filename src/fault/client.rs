//! What can be done to a client of the load, and what is known of one. Data only.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Moment, Target};
use crate::kafka::{ProcessId, TimeNs};

/// Between two looks that tell a speed lies at least this much: members hand their reads in ten times a second, and less
/// than several of those would be chance.
const SHORTEST_SPAN_NS: u64 = 1_000_000_000;

/// Whom a kind of fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strikes {
    /// Brokers.
    Brokers,
    /// Clients of the load, one at a time.
    Clients,
    /// Only producers, by their transactional ids.
    Producers,
    /// Only members of consumer groups.
    Members,
    /// A consumer group as a whole.
    Groups,
}

impl Strikes {
    /// Whether this kind may have such a target. Of `same:` the other fault's target decides, which is not known here.
    pub fn takes(self, target: &Target) -> bool {
        match target {
            Target::Same(_) => true,
            Target::Producer { .. } => matches!(self, Self::Clients | Self::Producers),
            Target::Member { .. } => matches!(self, Self::Clients | Self::Members),
            Target::Group(_) => self == Self::Groups,
            _ => self == Self::Brokers,
        }
    }

    /// Whom, in a sentence.
    pub fn whom(self) -> &'static str {
        match self {
            Self::Brokers => "brokers",
            Self::Clients => "clients of the load",
            Self::Producers => "producers",
            Self::Members => "members of consumer groups",
            Self::Groups => "consumer groups",
        }
    }

    /// The forms that its targets may take.
    pub fn forms(self) -> &'static str {
        match self {
            Self::Brokers => Target::FORMS,
            Self::Clients => Target::CLIENT_FORMS,
            Self::Producers => Target::PRODUCER_FORMS,
            Self::Members => Target::MEMBER_FORMS,
            Self::Groups => "the names of consumer groups",
        }
    }
}

/// One thing done to a client of the load, or to a group. None of them outlives the harness, so that no ledger has to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAction {
    /// Kill its process. Undone by a new one.
    Crash,
    /// Stop its process. Undone by letting it run on.
    Freeze,
    /// Let a member spend this long over each record. Undone by full speed.
    Slow {
        /// How long, in nanoseconds.
        per_record_ns: u64,
    },
    /// Let extra members join and leave a group. Undone by letting them all leave.
    Storm {
        /// How many at most.
        extra: u32,
        /// How long lies between two joins or leaves on average.
        every_ms: u64,
    },
    /// Take its transactional id. Not undone: the client takes it back by itself, as a new producer.
    Fence,
}

impl ClientAction {
    /// Whether the client has to have a process of its own for it.
    pub fn needs_process(self) -> bool {
        matches!(self, Self::Crash | Self::Freeze)
    }
}

/// Where a client runs, which decides what can be done to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClientHome {
    /// In a thread of the harness: it can be slowed down, never crashed or frozen.
    Thread,
    /// In a process of the operating system of its own, which signals reach.
    Process,
}

/// What a client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum ClientState {
    /// Its process is being made; it has not spoken yet.
    Starting,
    /// It runs.
    Running,
    /// It runs, and takes its time over each record.
    Slow {
        /// How long over each, in nanoseconds.
        per_record_ns: u64,
    },
    /// Every thread of its process is stopped, its connections are open.
    Frozen,
    /// Its process is dead and comes back when it is told to.
    Crashed,
    /// It ended, because the load did.
    Ended,
}

impl ClientState {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Slow { .. } => "slow",
            Self::Frozen => "frozen",
            Self::Crashed => "crashed",
            Self::Ended => "ended",
        }
    }
}

impl fmt::Display for ClientState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One look at one client. Counts are of all its lives together; what a killed client had in flight is in `sent` only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientLook {
    /// Its name, such as `chatters/0` or `chat-consumers/1`.
    pub label: String,
    /// Where it runs.
    pub home: ClientHome,
    /// What it does.
    #[serde(flatten)]
    pub state: ClientState,
    /// The operating system's id of its process, if it has one of its own and that is alive.
    pub pid: Option<u32>,
    /// The process id of its latest life, once it has begun one.
    pub process: Option<ProcessId>,
    /// Which life that is, from 0.
    pub incarnation: u32,
    /// Sends invoked.
    pub sent: u64,
    /// Sends acknowledged.
    pub acked: u64,
    /// Records read.
    pub read: u64,
    /// When it last got an acknowledgement or a record; `None` if never.
    pub last_progress: Option<TimeNs>,
}

/// What a rebalance storm did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StormLook {
    /// How often an extra member joined.
    pub joined: u32,
    /// How often one was told to leave.
    pub left: u32,
    /// How many are there now, those that are leaving included.
    pub present: u32,
}

/// One look at a consumer group during a storm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupLook {
    /// The group.
    pub group: String,
    /// What the storm did so far.
    #[serde(flatten)]
    pub storm: StormLook,
    /// How many of the group's own members run.
    pub running: u32,
    /// How many records those have read.
    pub read: u64,
    /// When one of them last read something; `None` if none ever did.
    pub last_progress: Option<TimeNs>,
}

/// What was seen of a fault's target that is no broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientSeen {
    /// A client.
    Client(ClientLook),
    /// A group.
    Group(GroupLook),
}

impl ClientSeen {
    /// The client's label or the group's name.
    pub fn label(&self) -> &str {
        match self {
            Self::Client(look) => &look.label,
            Self::Group(look) => &look.group,
        }
    }

    /// Which life of a client it was.
    pub fn incarnation(&self) -> Option<u32> {
        match self {
            Self::Client(look) => Some(look.incarnation),
            Self::Group(_) => None,
        }
    }

    /// How many records it has read.
    pub fn read(&self) -> u64 {
        match self {
            Self::Client(look) => look.read,
            Self::Group(look) => look.read,
        }
    }

    /// Whether it is as it was before any fault and made progress since then.
    pub fn is_well_since(&self, since: TimeNs) -> bool {
        let (is_well, last_progress) = match self {
            Self::Client(look) => (look.state == ClientState::Running, look.last_progress),
            Self::Group(look) => (look.storm.present == 0 && look.running > 0, look.last_progress),
        };
        is_well && last_progress.is_some_and(|progress| progress > since)
    }
}

/// One look at a fault's target that is no broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientSight {
    /// When.
    pub time: TimeNs,
    /// At which moment of the fault's life.
    pub moment: Moment,
    /// What was seen.
    pub seen: ClientSeen,
}

/// A count at a time.
pub type Count = (TimeNs, u64);

/// How many a second, from the first count to the last; `None` when too little time lies between them to tell.
pub fn pace(counts: &[Count]) -> Option<f64> {
    let (first, last) = (counts.first()?, counts.last()?);
    let span = last.0.since(first.0);
    let counted = last.1.saturating_sub(first.1) as f64;
    (span >= SHORTEST_SPAN_NS).then(|| counted / TimeNs(span).as_secs_f64())
}

/// The greatest number a second over any stretch that is long enough to tell; `None` when there is none.
pub fn best_pace(counts: &[Count]) -> Option<f64> {
    let stretches = (0..counts.len()).filter_map(|start| {
        let rest = &counts[start..];
        let end = rest.iter().position(|(time, _)| time.since(rest[0].0) >= SHORTEST_SPAN_NS)?;
        pace(&rest[..=end])
    });
    stretches.max_by(f64::total_cmp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_survives_the_way_to_a_history_and_back() {
        let look = ClientLook {
            label: "chat-consumers/1".to_owned(),
            home: ClientHome::Process,
            state: ClientState::Slow { per_record_ns: 5 },
            pid: Some(7),
            process: Some(ProcessId(3)),
            incarnation: 1,
            sent: 0,
            acked: 0,
            read: 9,
            last_progress: Some(TimeNs(11)),
        };
        let text = serde_json::to_string(&look).expect("plain data");
        assert!(text.contains(r#""state":"slow","per_record_ns":5"#), "{text}");
        assert_eq!(serde_json::from_str::<ClientLook>(&text).expect("what was written"), look);
    }

    #[test]
    fn a_pace_needs_a_second_and_the_best_one_is_that_of_the_fastest_stretch() {
        let at = |millis, count| (TimeNs::from_millis(millis), count);
        assert_eq!(pace(&[at(0, 0), at(900, 90)]), None);
        assert_eq!(pace(&[at(0, 0), at(900, 90), at(2000, 400)]), Some(200.0));
        let counts = [at(0, 0), at(1000, 10), at(2000, 510), at(3000, 520)];
        assert_eq!(best_pace(&counts), Some(500.0));
        assert_eq!(best_pace(&counts[..1]), None);
    }

    #[test]
    fn each_kind_takes_targets_of_its_own_sort_only() {
        let takes = |strikes: Strikes| {
            let texts = ["leader:chat-0", "producer:p", "member:g/1", "group:g"];
            texts.map(|text| strikes.takes(&text.parse().expect("a target")))
        };
        assert_eq!(takes(Strikes::Brokers), [true, false, false, false]);
        assert_eq!(takes(Strikes::Clients), [false, true, true, false]);
        assert_eq!(takes(Strikes::Producers), [false, true, false, false]);
        assert_eq!(takes(Strikes::Members), [false, false, true, false]);
        assert_eq!(takes(Strikes::Groups), [false, false, false, true]);
    }
}
