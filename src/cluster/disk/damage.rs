//! Files of a stopped broker that are not what it wrote.

use std::collections::BTreeSet;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::tool::Tool;
use super::{Disk, DiskError};
use crate::fault::disk::{Cut, Damage, Flip, HowDamaged, Segment, WhichFile, Within};
use crate::kafka::TopicPartition;

/// More would be a file of noise, and a command line too long for some shells.
const BITS_MAX: u32 = 1000;

/// `$1`: a directory, `$2`: an ending. Segments are named after their first offset, in digits of one length, so that
/// their names' order is theirs.
const SEGMENTS: &str = r#"find "$1" -maxdepth 1 -type f -name "*$2" | sort"#;

/// `$1`: a file, then pairs of a byte's offset and its new value in octal.
const WRITE: &str = r#"
file=$1; shift
while test $# -gt 1; do
    printf "\\$2" | dd of="$file" bs=1 seek="$1" count=1 conv=notrunc 2>/dev/null || exit 5
    shift 2
done
"#;

/// `$1`: a file, then offsets. Their bytes.
const READ: &str = r#"
file=$1; shift
for offset in "$@"; do dd if="$file" bs=1 skip="$offset" count=1 2>/dev/null || exit 5; done
"#;

/// What a file is like, by one reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Likeness {
    size_bytes: u64,
    /// Up to its last byte that is not zero.
    used_bytes: u64,
    crc32: u32,
}

/// Makes a likeness from a file's bytes as they come.
#[derive(Default)]
struct Reading {
    size_bytes: u64,
    used_bytes: u64,
    crc32: crc32fast::Hasher,
}

impl Reading {
    fn add(&mut self, chunk: &[u8]) {
        if let Some(last) = chunk.iter().rposition(|&byte| byte != 0) {
            self.used_bytes = self.size_bytes + last as u64 + 1;
        }
        self.size_bytes += chunk.len() as u64;
        self.crc32.update(chunk);
    }

    fn end(self) -> Likeness {
        Likeness { size_bytes: self.size_bytes, used_bytes: self.used_bytes, crc32: self.crc32.finalize() }
    }
}

impl Disk {
    /// Damages a file of a broker that does not run, at places that the seed draws. The same order does the same to the
    /// same file, which for flipped bits is to undo it; a cut cannot be undone.
    pub async fn damage(&self, file: &WhichFile, how: HowDamaged, seed: u64) -> Result<Damage, DiskError> {
        self.refuse_a_running_broker().await?;
        let tool = Tool::beside(self, Vec::new()).await?;
        let damaged = self.damage_by(&tool, file, how, seed).await;
        tool.end(damaged).await
    }

    async fn damage_by(
        &self,
        tool: &Tool<'_>,
        file: &WhichFile,
        how: HowDamaged,
        seed: u64,
    ) -> Result<Damage, DiskError> {
        let path = self.find(tool, file).await?;
        let before = likeness(tool, &path).await?;
        if before.used_bytes == 0 {
            return Err(DiskError::NothingThere { path });
        }
        let flips = match how {
            HowDamaged::Corrupt { bits, within } => {
                let flips = draw(before.used_bytes, bits, within, seed);
                flip(tool, &path, &flips).await?;
                flips
            }
            HowDamaged::Truncate(cut) => {
                let length = left_by(cut, before.used_bytes);
                tool.sh(r#"truncate -s "$2" "$1""#, &[&path, &length.to_string()]).await?;
                Vec::new()
            }
        };
        let after = likeness(tool, &path).await?;
        if (before.size_bytes, before.crc32) == (after.size_bytes, after.crc32) {
            return Err(DiskError::NotBitten { what: "damaging a file", last_seen: format!("{path} is as it was") });
        }
        Ok(Damage {
            path,
            size_before_bytes: before.size_bytes,
            size_after_bytes: after.size_bytes,
            crc32_before: before.crc32,
            crc32_after: after.crc32,
            flips,
        })
    }

    async fn find(&self, tool: &Tool<'_>, file: &WhichFile) -> Result<String, DiskError> {
        let of = |partition: &TopicPartition, name: &str| self.below(&format!("{partition}/{name}"));
        let metadata = "__cluster_metadata-0";
        let (directory, ending, segment) = match file {
            WhichFile::Log(partition, segment) => (self.below(&partition.to_string()), ".log", *segment),
            WhichFile::Index(partition, segment) => (self.below(&partition.to_string()), ".index", *segment),
            WhichFile::TimeIndex(partition, segment) => (self.below(&partition.to_string()), ".timeindex", *segment),
            WhichFile::MetadataLog => (self.below(metadata), ".log", Segment::Newest),
            WhichFile::LeaderEpochCheckpoint(partition) => return Ok(of(partition, "leader-epoch-checkpoint")),
            WhichFile::RecoveryPointCheckpoint => return Ok(self.below("recovery-point-offset-checkpoint")),
            WhichFile::ReplicationOffsetCheckpoint => return Ok(self.below("replication-offset-checkpoint")),
            WhichFile::QuorumState => return Ok(self.below(&format!("{metadata}/quorum-state"))),
        };
        let found = tool.sh(SEGMENTS, &[&directory, ending]).await?;
        let chosen = match segment {
            Segment::Newest => found.lines().last(),
            Segment::Oldest => found.lines().next(),
        };
        chosen.map(str::to_owned).ok_or_else(|| DiskError::NothingThere { path: format!("{directory}/*{ending}") })
    }
}

async fn likeness(tool: &Tool<'_>, path: &str) -> Result<Likeness, DiskError> {
    let mut reading = Reading::default();
    tool.read(path, |chunk| reading.add(chunk)).await?;
    Ok(reading.end())
}

async fn flip(tool: &Tool<'_>, path: &str, flips: &[Flip]) -> Result<(), DiskError> {
    let offsets: Vec<String> = flips.iter().map(|flip| flip.offset.to_string()).collect();
    let mut arguments = vec![path];
    arguments.extend(offsets.iter().map(String::as_str));
    let bytes = tool.sh_bytes(READ, &arguments).await?;
    if bytes.len() != flips.len() {
        let found = format!("{} bytes for {} offsets", bytes.len(), flips.len());
        return Err(DiskError::unexpected("a byte for each offset", &found));
    }
    let values: Vec<String> =
        flips.iter().zip(bytes).map(|(flip, byte)| format!("{:03o}", byte ^ (1 << flip.bit))).collect();
    let mut arguments = vec![path];
    for (offset, value) in offsets.iter().zip(&values) {
        arguments.extend([offset.as_str(), value.as_str()]);
    }
    tool.sh(WRITE, &arguments).await.map(drop)
}

/// Bits in distinct bytes among the first `used_bytes`, in order; fewer where there are fewer bytes.
fn draw(used_bytes: u64, bits: u32, within: Within, seed: u64) -> Vec<Flip> {
    let start = match within {
        Within::Anywhere => 0,
        Within::LastBytes(bytes) => used_bytes.saturating_sub(bytes.max(1)),
    };
    let room = used_bytes - start;
    let wanted = u64::from(bits.clamp(1, BITS_MAX)).min(room);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut offsets = BTreeSet::new();
    // Distinct by Floyd's algorithm: one draw for each, whatever the room is.
    for last in room - wanted..room {
        let drawn = rng.next_u64() % (last + 1);
        let offset = if offsets.contains(&(start + drawn)) { last } else { drawn };
        offsets.insert(start + offset);
    }
    let bit = |rng: &mut ChaCha8Rng| u8::try_from(rng.next_u32() % 8).expect("less than eight");
    offsets.into_iter().map(|offset| Flip { offset, bit: bit(&mut rng) }).collect()
}

/// How long a file of `used_bytes` is after the cut: shorter than before by one byte at least.
fn left_by(cut: Cut, used_bytes: u64) -> u64 {
    match cut {
        Cut::LastBytes(bytes) => used_bytes.saturating_sub(bytes.max(1)),
        Cut::ToPercent(percent) => used_bytes.saturating_mul(u64::from(percent.min(99))) / 100,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_lies_behind_the_last_byte_that_is_not_zero_is_no_part_of_a_file() {
        let mut reading = Reading::default();
        for chunk in [&b"ab\0"[..], b"", b"\0c\0\0", b"\0\0"] {
            reading.add(chunk);
        }
        let crc32 = crc32fast::hash(b"ab\0\0c\0\0\0\0");
        assert_eq!(reading.end(), Likeness { size_bytes: 9, used_bytes: 5, crc32 });
    }

    #[test]
    fn the_draws_of_a_seed_never_change() {
        let flips = draw(1000, 3, Within::LastBytes(100), 42);
        insta::assert_debug_snapshot!(flips.iter().map(|flip| (flip.offset, flip.bit)).collect::<Vec<_>>());
    }

    #[test]
    fn a_cut_always_cuts() {
        assert_eq!(left_by(Cut::LastBytes(0), 10), 9);
        assert_eq!(left_by(Cut::LastBytes(11), 10), 0);
        assert_eq!(left_by(Cut::ToPercent(50), 10), 5);
        assert_eq!(left_by(Cut::ToPercent(100), 10), 9);
        assert_eq!(left_by(Cut::ToPercent(99), 1), 0);
    }

    proptest! {
        #[test]
        fn flips_are_distinct_and_inside(used in 1_u64..5000, bits in 0_u32..2000, last in 0_u64..6000, seed: u64) {
            let flips = draw(used, bits, Within::LastBytes(last), seed);
            let offsets: BTreeSet<u64> = flips.iter().map(|flip| flip.offset).collect();
            prop_assert_eq!(offsets.len(), flips.len());
            prop_assert_eq!(flips.len() as u64, u64::from(bits.clamp(1, BITS_MAX)).min(last.max(1)).min(used));
            let start = used.saturating_sub(last.max(1));
            prop_assert!(flips.iter().all(|flip| (start..used).contains(&flip.offset) && flip.bit < 8));
        }
    }
}
