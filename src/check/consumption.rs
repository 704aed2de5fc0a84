//! How long a consumer group got nothing of a partition although records waited for it, and how long it took a group to catch
//! up after a fault.
//!
//! **Definition.** An acknowledged record waits for a group from its acknowledgement until a member first reads its offset.
//! One that was read before its acknowledgement was heard of never waited. One that the group never read waits to the end of the
//! history, if it lies beyond everything that the group read, and no fault deleted it on purpose; one that it passed by is no
//! matter of time but of `group-delivery` and `crash-skip`. Take the union of these times and cut it at every read of a member's; the longest
//! piece is the group's stall in the partition. Pieces belong to faults as in [`super::availability`].
//!
//! A group has caught up with a heal when it has read everything that had been acknowledged by then: what is acknowledged later
//! is the next moment's load. A group that had nothing left to read at the heal caught up at once; of one that never read some of
//! it nobody knows when it would have.
//!
//! Three sorts a partition and group, O(n log n), 32 bytes a read.

use crate::history::{ReadRow, SendRow};
use crate::kafka::{Offset, Outcome, ProcessId, TimeNs};

use super::availability::{Gaps, between};

/// What one group had to wait for in one partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Consumption {
    /// The stalls.
    pub gaps: Gaps,
    /// By heal, in the order given: how the group caught up with it; `None` where there was no heal.
    pub caught_up: Vec<Option<CaughtUp>>,
}

/// How a group caught up with a heal. The worst of several is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CaughtUp {
    /// So many nanoseconds later it had read all that had been acknowledged by then.
    After(u64),
    /// It never read some of it.
    Never,
}

/// What is known of the partition beside its rows.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// The time of the last thing in the history.
    pub end: TimeNs,
    /// Below which offset a fault deleted records on purpose.
    pub deleted_below: Option<Offset>,
}

/// Looks at what one group, the processes that `is_member` names, read of one partition. `None` when it never read of it.
pub fn of_group(
    (sends, reads): (&[SendRow], &[ReadRow]),
    known: Known,
    is_member: impl Fn(ProcessId) -> bool,
    windows: &[Option<(TimeNs, TimeNs)>],
    heals: &[Option<TimeNs>],
) -> Option<Consumption> {
    let mut first: Vec<(Offset, TimeNs)> =
        reads.iter().filter(|read| is_member(read.reader)).map(|read| (read.offset, read.read_ns)).collect();
    if first.is_empty() {
        return None;
    }
    let mut relieved: Vec<TimeNs> = first.iter().map(|(_, time)| *time).collect();
    relieved.sort_unstable();
    first.sort_unstable();
    first.dedup_by_key(|(offset, _)| *offset);
    let waits = waits(sends, &first, known);
    Some(Consumption {
        gaps: between(
            waits.iter().map(|(acked, read)| (*acked, read.unwrap_or(known.end))),
            relieved.into_iter(),
            windows,
        ),
        caught_up: heals.iter().map(|heal| heal.map(|heal| caught_up(&waits, heal))).collect(),
    })
}

/// When each record that waited was acknowledged and read, if it ever was, by when it was acknowledged.
fn waits(sends: &[SendRow], first: &[(Offset, TimeNs)], known: Known) -> Vec<(TimeNs, Option<TimeNs>)> {
    let read = |offset: Offset| first.binary_search_by_key(&offset, |(offset, _)| *offset).ok().map(|at| first[at].1);
    let beyond = first.last().map_or(Offset(0), |(offset, _)| Offset(offset.0 + 1));
    let owed = beyond.max(known.deleted_below.unwrap_or(Offset(0)));
    let acked = sends.iter().filter(|send| send.outcome == Outcome::Ok);
    let waited = acked.filter_map(|send| {
        let (acked, offset) = (send.complete_ns, send.offset?);
        match read(offset) {
            Some(read) => (acked < read).then_some((acked, Some(read))),
            None => (offset >= owed && acked < known.end).then_some((acked, None)),
        }
    });
    let mut waits: Vec<_> = waited.collect();
    waits.sort_unstable();
    waits
}

/// When the last of those records was read that had been acknowledged by `heal`.
fn caught_up(waits: &[(TimeNs, Option<TimeNs>)], heal: TimeNs) -> CaughtUp {
    let by_then = waits.partition_point(|(acked, _)| *acked <= heal);
    let arrears = waits[..by_then].iter().map(|(_, read)| match read {
        Some(read) => CaughtUp::After(read.0.saturating_sub(heal.0)),
        None => CaughtUp::Never,
    });
    arrears.max().unwrap_or(CaughtUp::After(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::testing::{RunBuilder, id};
    use crate::history::History;

    const GROUP: u32 = 7;
    const END: u64 = 1000;

    /// Records by when they were acknowledged and when the group read them; their offsets count from 0.
    fn history(records: &[(u64, Option<u64>)]) -> History {
        let mut run = RunBuilder::small();
        for (sequence, (acked, read)) in (0u64..).zip(records) {
            let offset = i64::try_from(sequence).expect("a small number");
            run.send(1, 0, sequence).offset(offset).times(acked.saturating_sub(1), *acked).push();
            if let Some(read) = read {
                run.read_at(*read, GROUP, 0, offset, id(1, sequence));
            }
        }
        run.history
    }

    fn consumption(records: &[(u64, Option<u64>)], heal: u64) -> Consumption {
        let history = history(records);
        let rows = &history.partitions[&RunBuilder::chat(0)];
        let window = Some((TimeNs(0), TimeNs(heal)));
        let by_group = |process: ProcessId| process == ProcessId(GROUP);
        let known = Known { end: TimeNs(END), deleted_below: None };
        of_group((&rows.sends, &rows.reads), known, by_group, &[window], &[Some(TimeNs(heal))]).expect("it read")
    }

    fn longest(consumption: &Consumption) -> Option<(u64, u64)> {
        consumption.gaps.longest.map(|gap| (gap.start.0, gap.end.0))
    }

    #[test]
    fn a_stall_runs_from_one_read_to_the_next_while_records_wait() {
        let consumption = consumption(&[(10, Some(12)), (20, Some(90)), (30, Some(91))], 50);
        assert_eq!(longest(&consumption), Some((20, 90)));
        assert_eq!(consumption.caught_up, [Some(CaughtUp::After(41))]);
    }

    #[test]
    fn time_in_which_nothing_waited_is_no_stall_and_a_group_without_arrears_caught_up_at_once() {
        let consumption = consumption(&[(10, Some(12)), (500, Some(503))], 50);
        assert_eq!(longest(&consumption), Some((500, 503)));
        assert_eq!(consumption.caught_up, [Some(CaughtUp::After(0))]);
    }

    #[test]
    fn what_was_read_before_its_acknowledgement_never_waited() {
        assert_eq!(longest(&consumption(&[(10, Some(9)), (20, Some(25))], 50)), Some((20, 25)));
    }

    #[test]
    fn what_a_group_never_got_to_waits_to_the_end_and_nobody_knows_when_it_would_have_caught_up() {
        let consumption = consumption(&[(10, Some(12)), (20, None), (30, None)], 50);
        assert_eq!(longest(&consumption), Some((20, END)));
        assert_eq!(consumption.caught_up, [Some(CaughtUp::Never)]);
    }

    #[test]
    fn what_a_group_passed_by_is_no_matter_of_time() {
        let consumption = consumption(&[(10, None), (20, Some(25)), (26, None), (30, Some(35))], 50);
        assert_eq!(longest(&consumption), Some((20, 25)));
        assert_eq!(consumption.caught_up, [Some(CaughtUp::After(0))]);
    }

    #[test]
    fn what_a_fault_deleted_is_not_waited_for() {
        let history = history(&[(10, Some(12)), (20, None), (30, None)]);
        let rows = &history.partitions[&RunBuilder::chat(0)];
        let known = Known { end: TimeNs(END), deleted_below: Some(Offset(3)) };
        let by_group = |process: ProcessId| process == ProcessId(GROUP);
        let heals = [Some(TimeNs(50)), None];
        let consumption = of_group((&rows.sends, &rows.reads), known, by_group, &[], &heals).expect("it read");
        assert_eq!(longest(&consumption), Some((10, 12)));
        assert_eq!(consumption.caught_up, [Some(CaughtUp::After(0)), None]);
    }
}
