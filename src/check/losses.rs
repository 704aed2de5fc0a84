//! Losses told together. A leader that dies with what nobody else had takes a stretch of the log with it, and what a person
//! wants to know is that stretch: from where to where, acknowledged by whom and when, and what struck the cluster next.

use crate::history::SendRow;
use crate::kafka::{BrokerId, Offset, TimeNs};

use super::evidence::{Evidence, PartitionEvidence};
use super::faults::FaultLife;

/// How many stretches of a partition are told, the longest ones.
const TOLD: usize = 3;

/// A record that is lost, by the offset that was acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Loss {
    offset: Offset,
    acked_ns: TimeNs,
    acked_by: Option<BrokerId>,
}

impl Loss {
    /// What is known of a lost record's acknowledgement.
    pub(super) fn of(send: &SendRow, offset: Offset) -> Self {
        Self { offset, acked_ns: send.complete_ns, acked_by: send.broker }
    }
}

/// A sentence for each of the longest stretches of lost records whose offsets follow one another, and for how many others there
/// are. One lost record alone is no stretch: its witness says it all.
pub(super) fn tell(evidence: &Evidence<'_>, partition: &PartitionEvidence<'_>, mut losses: Vec<Loss>) -> Vec<String> {
    losses.sort_unstable();
    let follow = |one: &Loss, next: &Loss| next.offset.0 - one.offset.0 <= 1;
    let mut stretches: Vec<&[Loss]> = losses.chunk_by(follow).filter(|stretch| stretch.len() > 1).collect();
    stretches.sort_by_key(|stretch| (std::cmp::Reverse(stretch.len()), stretch[0].offset));
    let strikes = strikes(evidence);
    let mut told: Vec<String> =
        stretches.iter().take(TOLD).map(|stretch| sentence(partition, stretch, &strikes)).collect();
    if let Some(others) = stretches.len().checked_sub(TOLD).filter(|others| *others > 0) {
        let records: usize = stretches[TOLD..].iter().map(|stretch| stretch.len()).sum();
        let stretches = if others == 1 { "shorter stretch" } else { "shorter stretches" };
        told.push(format!("{others} {stretches} of {} lost {records} records more.", partition.name()));
    }
    told
}

/// When faults struck, in order, with a clause that names each.
fn strikes(evidence: &Evidence<'_>) -> Vec<(TimeNs, String)> {
    let lives = FaultLife::all(evidence.plan, evidence.history);
    let struck = lives.iter().filter_map(|life| {
        let targets: Vec<String> = life.targets.iter().map(ToString::to_string).collect();
        let clause =
            format!("fault `{}` ({}) struck {}", life.step.fault, life.step.kind.name(), targets.join(" and "));
        life.inject.invoked.or(life.inject.done).map(|time| (time, clause))
    });
    let mut strikes: Vec<_> = struck.collect();
    strikes.sort();
    strikes
}

fn sentence(partition: &PartitionEvidence<'_>, stretch: &[Loss], strikes: &[(TimeNs, String)]) -> String {
    let (first, last) = (stretch[0].offset, stretch[stretch.len() - 1].offset);
    let times = stretch.iter().map(|loss| loss.acked_ns);
    let (from, to) = (times.clone().min().expect("not empty"), times.max().expect("not empty"));
    let mut brokers: Vec<String> =
        stretch.iter().filter_map(|loss| loss.acked_by).map(|broker| broker.to_string()).collect();
    brokers.sort();
    brokers.dedup();
    let by = if brokers.is_empty() { String::new() } else { format!(" by {}", brokers.join(" and ")) };
    let next = strikes.iter().find(|(time, _)| *time >= to);
    let next = next.map_or_else(String::new, |(time, clause)| format!("; {clause} {} later", seconds(time.since(to))));
    format!(
        "{} records of {} in a row, offsets {first} to {last}, acknowledged{by} from {} to {}, are lost{next}.",
        stretch.len(),
        partition.name(),
        seconds(from.0),
        seconds(to.0),
    )
}

/// Seconds and milliseconds.
fn seconds(ns: u64) -> String {
    format!("{}.{:03} s", ns / 1_000_000_000, ns / 1_000_000 % 1000)
}

#[cfg(test)]
mod tests {
    use crate::anomaly::CheckName;
    use crate::check::lost_write::LostWrite;
    use crate::check::testing::{RunBuilder, id};
    use crate::check::{Checker, evidence::Evidence};
    use crate::kafka::BrokerId;

    /// Twenty acknowledged records, one a millisecond, of which those are lost.
    fn notes(lost: &[i64]) -> Vec<String> {
        let mut run = RunBuilder::small();
        run.drain_reader(20);
        for offset in 0..20_i64 {
            let sequence = offset.unsigned_abs();
            let (invoked, acked) = (sequence * 1_000_000, (sequence + 2) * 1_000_000);
            let broker = BrokerId(if offset < 12 { 1 } else { 3 });
            run.send(1, 0, sequence).offset(offset).times(invoked, acked).broker(broker).push();
            if !lost.contains(&offset) {
                run.read(20, 0, offset, id(1, sequence));
            }
        }
        run.end_offsets(&[(0, 0, 20), (1, 0, 0)]);
        run.drained(20, 0, 20);
        run.drained(20, 1, 0);
        let result = LostWrite.check(&Evidence::gather(&run.history, &run.scenario, &run.plan));
        assert_eq!((result.check, result.found), (CheckName::LostWrite, lost.len() as u64), "{result:?}");
        result.notes
    }

    #[test]
    fn lost_records_in_a_row_are_told_as_one_stretch_with_who_acknowledged_it() {
        assert_eq!(
            notes(&[10, 11, 12, 13]),
            [
                "4 records of chat-0 in a row, offsets 10 to 13, acknowledged by broker-1 and broker-3 from 0.012 s to 0.015 s, are \
                 lost."
            ]
        );
    }

    #[test]
    fn one_lost_record_is_no_stretch_and_the_longest_stretches_come_first() {
        let told = notes(&[0, 2, 3, 5, 6, 7, 9, 10, 12, 13, 15]);
        assert_eq!(told.len(), 4, "{told:?}");
        assert!(told[0].starts_with("3 records of chat-0 in a row, offsets 5 to 7,"), "{told:?}");
        assert_eq!(told[3], "1 shorter stretch of chat-0 lost 2 records more.");
    }
}
