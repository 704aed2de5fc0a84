//! `delete-records = { partition, share }`: records are deleted from the start of a partition's log, up to a share of what can
//! be read (`"100%"`: up to the high watermark). It ends by itself, and nothing brings them back.
//!
//! What an operator does to free a disk, or a privacy request asks for; also what retention does, all at once. Consumers that
//! stood below the new start have to begin anew. The checks know from the history that these records were deleted on purpose,
//! and miss none of them.
//!
//! Proof: the leader told where its log began; then it confirmed a later start, which every replica that lives has; and looks
//! after it found the log to begin there, or later.

use serde::{Deserialize, Serialize};

use super::{Fault, on_each};
use crate::fault::{
    Action, Case, Course, Deed, Keys, Lever, Moment, Need, Noted, Question, Scene, State, Stroke, Target,
};
use crate::kafka::{BrokerId, TopicPartition};

/// All of them, in millionths.
const ALL: u32 = 1_000_000;

/// The parameters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DeleteRecords {
    /// Of which partition.
    pub partition: TopicPartition,
    /// How much of what can be read, in millionths.
    pub millionths: u32,
}

impl Fault for DeleteRecords {
    const NAME: &'static str = "delete-records";
    const KEYS: &'static [&'static str] = &["partition", "share"];
    const MEANS: &'static str = "Kafka: DeleteRecords";
    const NEEDS: &'static [Need] = &[];
    const HAS_LENGTH: bool = false;

    fn read<K: Keys>(keys: &mut K) -> Result<(Self, Target), Noted> {
        let (partition, share) = (keys.that_partition(), keys.millionths("share"));
        let (partition, millionths) = (partition?, share?.unwrap_or(ALL));
        if millionths == 0 {
            let help = "write share = \"50%\", or \"100%\" for all that is committed";
            return Err(keys.refuse(Some("share"), "this deletes nothing".to_owned(), "none of them", help));
        }
        Ok((Self { partition: partition.clone(), millionths }, Target::Leader(partition)))
    }

    fn detail(&self) -> String {
        format!("{}% of {}", f64::from(self.millionths) / 10_000.0, self.partition)
    }

    fn course(&self) -> Course {
        Course::Brief
    }

    fn state(&self) -> State {
        State::Up
    }

    fn strokes(&self, scene: &Scene) -> Vec<Stroke> {
        let lever = Lever::DeleteRecords { partition: self.partition.clone(), millionths: self.millionths };
        on_each(scene, &Action::Lever(lever))
    }

    fn questions(&self, scene: &Scene) -> Vec<(BrokerId, Question)> {
        scene.brokers().map(|broker| (broker, Question::LogStart(self.partition.clone()))).collect()
    }

    fn prove(&self, case: &mut Case<'_>) {
        case.answered_before();
        let deed = case.deeds().iter().find_map(|deed| match deed {
            Deed::RecordsDeleted(done) => Some(done),
            _ => None,
        });
        let Some(done) = deed.cloned() else { return case.misses("the deletion") };
        if done.log_start > done.before.log_start {
            let deleted = done.log_start.0 - done.before.log_start.0;
            case.saw(format!("{deleted} offsets deleted, from {} up to {}", done.before.log_start, done.log_start));
        } else {
            case.misses(format!("a later start of the log (it stayed {})", done.before.log_start));
        }
        match case.log_starts(Moment::Before).last() {
            Some(before) if *before < done.log_start => {}
            Some(before) => case.misses(format!("an earlier start of the log before it ({before} was seen)")),
            None => case.misses("a look at the log's start before it"),
        }
        match case.log_starts(Moment::After).last() {
            Some(after) if *after >= done.log_start => {}
            Some(after) => case.misses(format!("a log that still begins there ({after} was seen)")),
            None => case.misses("a look at the log's start after it"),
        }
        case.works_again();
    }
}
