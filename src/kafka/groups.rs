//! Consumer groups as an observer sees them: members, what they own, and how far they lag.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{BrokerId, Offset, TopicPartition};

/// What one look at a consumer group showed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupView {
    /// Its id.
    pub group: String,
    /// Its state in Kafka's own word: `Stable`, `Empty`, `PreparingRebalance`, ...
    pub state: String,
    /// Its members.
    pub members: Vec<MemberView>,
    /// What it committed, partition by partition.
    pub offsets: Vec<GroupOffset>,
}

/// One member of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberView {
    /// The id that the coordinator gave it.
    pub member: String,
    /// What its client calls itself.
    pub client: String,
    /// Where it connects from.
    pub host: String,
    /// The partitions that it owns.
    pub owns: Vec<TopicPartition>,
}

/// Something of groups that could not be learnt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupMissing {
    /// What.
    pub what: Missing,
    /// Why.
    pub reason: String,
}

/// Which groups nothing could be learnt of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Missing {
    /// The one of this id.
    Group(String),
    /// Those that this broker coordinates, whichever they are.
    CoordinatedBy(BrokerId),
    /// All.
    All,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Group(group) => write!(f, "group {group}"),
            Self::CoordinatedBy(broker) => write!(f, "the groups that {broker} coordinates"),
            Self::All => f.write_str("all groups"),
        }
    }
}

/// How far a group is in a partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupOffset {
    /// Which partition.
    pub partition: TopicPartition,
    /// The next offset that it will read; `None` where it owns the partition and has committed nothing yet.
    pub committed: Option<Offset>,
    /// The partition's high watermark; `None` where its leader did not answer.
    pub end: Option<Offset>,
}

/// How many records a group has still to read in a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartitionLag {
    /// This many.
    Records(u64),
    /// It committed nothing yet, so that its client's settings decide where it begins.
    Uncommitted,
    /// No leader said how far the partition reaches.
    Unanswered,
    /// It committed an offset this far beyond the end: the log was cut off, and its next read starts somewhere else.
    Beyond(u64),
}

impl GroupOffset {
    /// How many records it has still to read.
    pub fn lag(&self) -> PartitionLag {
        match (self.committed, self.end) {
            (_, None) => PartitionLag::Unanswered,
            // Where nothing was ever written there is nothing to read, wherever one begins.
            (None, Some(Offset(0))) => PartitionLag::Records(0),
            (None, Some(_)) => PartitionLag::Uncommitted,
            (Some(committed), Some(end)) if committed > end => PartitionLag::Beyond(committed.0.abs_diff(end.0)),
            (Some(committed), Some(end)) => PartitionLag::Records(end.0.abs_diff(committed.0)),
        }
    }
}

impl fmt::Display for PartitionLag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Records(records) => write!(f, "lag {records}"),
            Self::Uncommitted => f.write_str("lag unknown: nothing committed yet"),
            Self::Unanswered => f.write_str("lag unknown: no leader tells its end"),
            Self::Beyond(records) => write!(f, "committed {records} beyond the end"),
        }
    }
}

/// How many records a group has still to read in all its partitions, and of how many partitions that is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lag {
    /// The records, in those partitions of which it is known.
    pub records: u64,
    /// In how many partitions nothing was committed yet.
    pub uncommitted: usize,
    /// Of how many partitions no leader said how far they reach.
    pub unanswered: usize,
    /// In how many partitions more is committed than there is.
    pub beyond: usize,
}

impl Lag {
    /// Of how many partitions it is not known.
    pub fn unknown(&self) -> usize {
        self.uncommitted + self.unanswered
    }

    /// Whether all is known, and nothing is left to read.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Lag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let partitions = |count| if count == 1 { "1 partition".to_owned() } else { format!("{count} partitions") };
        match (self.records, self.unknown()) {
            (records, 0) => write!(f, "{records}")?,
            (0, unknown) => write!(f, "unknown in {}", partitions(unknown))?,
            (records, unknown) => write!(f, "at least {records}, {} unknown", partitions(unknown))?,
        }
        match self.beyond {
            0 => Ok(()),
            beyond => write!(f, ", committed beyond the end in {}", partitions(beyond)),
        }
    }
}

impl GroupView {
    /// How many records it has still to read, and where that is not known.
    pub fn lag(&self) -> Lag {
        self.offsets.iter().fold(Lag::default(), |lag, offset| match offset.lag() {
            PartitionLag::Records(records) => Lag { records: lag.records.saturating_add(records), ..lag },
            PartitionLag::Uncommitted => Lag { uncommitted: lag.uncommitted + 1, ..lag },
            PartitionLag::Unanswered => Lag { unanswered: lag.unanswered + 1, ..lag },
            PartitionLag::Beyond(_) => Lag { beyond: lag.beyond + 1, ..lag },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lag(offsets: &[(Option<i64>, Option<i64>)]) -> Lag {
        let offsets = (0..).zip(offsets).map(|(number, (committed, end))| GroupOffset {
            partition: TopicPartition::new("chat", number),
            committed: committed.map(Offset),
            end: end.map(Offset),
        });
        GroupView { group: "g".to_owned(), state: "Stable".to_owned(), members: Vec::new(), offsets: offsets.collect() }
            .lag()
    }

    #[test]
    fn what_is_not_known_of_a_lag_is_told_with_it() {
        for (offsets, told) in [
            (&[(Some(5), Some(7)), (Some(0), Some(0))][..], "2"),
            (&[(Some(5), Some(17)), (Some(5), None), (None, Some(3))], "at least 12, 2 partitions unknown"),
            (&[(Some(5), None)], "unknown in 1 partition"),
            (&[(None, Some(0)), (Some(4), Some(4))], "0"),
            (&[(Some(9), Some(4))], "0, committed beyond the end in 1 partition"),
            (&[], "0"),
        ] {
            assert_eq!(lag(offsets).to_string(), told);
        }
    }

    #[test]
    fn only_a_lag_that_is_known_everywhere_can_be_none() {
        assert!(lag(&[(Some(4), Some(4)), (None, Some(0))]).is_none());
        for doubtful in [(Some(4), None), (None, None), (None, Some(1)), (Some(5), Some(4)), (Some(3), Some(4))] {
            assert!(!lag(&[doubtful]).is_none(), "{doubtful:?}");
        }
    }
}
