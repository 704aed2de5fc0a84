//! How long a consumer group got nothing of a partition although records waited for it, and how long it took a group to catch
//! up after a fault.
//!
//! **Definition.** An acknowledged record waits for a group from its acknowledgement until a member first reads its offset or a later
//! one; what a group passed by is no matter of time, but of `group-delivery` and `crash-skip`. What lies beyond everything that the
//! group read waits to the end of the history, unless a fault deleted it on purpose. Take the union of these times and cut it at every
//! read of a member's; the longest piece is the group's stall in the partition. Pieces belong to faults as in [`super::availability`].
//!
//! A group has caught up with a heal when it has read everything that had been acknowledged by then, or beyond: what is acknowledged later
//! is the next moment's load. A group that had nothing left to read at the heal caught up at once; of one that never got that far nobody
//! knows when it would have.
//!
//! All of it to the millisecond, or to what a very long run leaves of it, from how far the log had been acknowledged and the group had
//! read in each (`history::tally`): no row is looked at again.

use crate::history::tally::{GroupTally, Highs, Window, Windows};
use crate::kafka::{Offset, TimeNs};

use super::availability::{Ended, Gap, Gaps};

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

/// Looks at what one group read of one partition. `None` when it never read of it.
pub fn of_group(
    acked: &Highs,
    group: &GroupTally,
    known: Known,
    windows: &[Window],
    heals: &[Option<TimeNs>],
) -> Option<Consumption> {
    let step_ms = acked.step_ms().max(group.read_at.step_ms());
    let (acked, read) = (acked.so_far(step_ms), group.read_at.so_far(step_ms));
    let last = *read.last()?;
    let ordered = Windows::new(windows);
    let mut gaps = Gaps::of(windows.len());
    let mut stall = |from_ms: u64, to_ms: u64, ended| {
        if from_ms < to_ms {
            let gap = Gap { start: TimeNs::from_millis(from_ms), end: TimeNs::from_millis(to_ms), ended };
            gaps.take(gap, windows, &ordered);
        }
    };
    // Before the first read nothing was passed yet, so that the first acknowledgement waits for it.
    if let Some((first_acked, _)) = acked.first() {
        stall(*first_acked, read[0].0, Ended::Served);
    }
    for pair in read.windows(2) {
        let ((before, highest), (next, _)) = (pair[0], pair[1]);
        // A gap in which nothing new was acknowledged is nobody's stall.
        if let Some(waits_since) = since(&acked, highest) {
            stall(before.max(waits_since), next, Ended::Served);
        }
    }
    let owed = Offset(last.1.0.max(known.deleted_below.map_or(i64::MIN, |below| below.0 - 1)));
    if let Some(waits_since) = since(&acked, owed) {
        stall(last.0.max(waits_since), known.end.as_millis(), Ended::GivenUp);
    }
    let caught_up = heals.iter().map(|heal| heal.map(|heal| caught_up(&acked, &read, step_ms, known, heal)));
    Some(Consumption { caught_up: caught_up.collect(), gaps })
}

/// Since when something waits that lies beyond an offset, in milliseconds.
fn since(acked: &[(u64, Offset)], beyond: Offset) -> Option<u64> {
    acked.get(acked.partition_point(|(_, highest)| *highest <= beyond)).map(|(ms, _)| *ms)
}

/// When everything had been read that had been acknowledged by `heal`. The step in which the heal lies is left out where it holds what came
/// later, too; a millisecond is as short as it can be told.
fn caught_up(acked: &[(u64, Offset)], read: &[(u64, Offset)], step_ms: u64, known: Known, heal: TimeNs) -> CaughtUp {
    let by_then = acked.partition_point(|(ms, _)| *ms + (step_ms - 1) <= heal.as_millis());
    let Some((_, owed)) = by_then.checked_sub(1).map(|last| acked[last]) else { return CaughtUp::After(0) };
    match read.get(read.partition_point(|(_, highest)| *highest < owed)) {
        Some((ms, _)) => CaughtUp::After(TimeNs::from_millis(*ms).0.saturating_sub(heal.0)),
        None if known.deleted_below.is_some_and(|below| owed < below) => CaughtUp::After(0),
        None => CaughtUp::Never,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::testing::{RunBuilder, id};
    use crate::history::tally::{Asked, Tally};

    const GROUP: u32 = 7;
    const END: u64 = 1000;

    /// What the group made of records by when they were acknowledged and when it read them, in milliseconds; their offsets count
    /// from 0.
    fn consumption_of(
        records: &[(u64, Option<u64>)],
        deleted_below: Option<Offset>,
        heals: &[Option<u64>],
    ) -> Consumption {
        let mut run = RunBuilder::small();
        run.member(GROUP, "readers", 0);
        let ns = |ms: u64| ms * 1_000_000;
        for (sequence, (acked, read)) in (0u64..).zip(records) {
            let offset = i64::try_from(sequence).expect("a small number");
            run.send(1, 0, sequence).offset(offset).times(ns(acked.saturating_sub(1)), ns(*acked)).push();
            if let Some(read) = read {
                run.read_at(ns(*read), GROUP, 0, offset, id(1, sequence));
            }
        }
        let tally = Tally::of(&run.history, &Asked::default());
        let place = RunBuilder::chat(0);
        let acked = &tally.sends.partitions.get(place).expect("a partition").acked_at;
        let group = tally.reads.group(place, "readers").expect("a group");
        let known = Known { end: TimeNs::from_millis(END), deleted_below };
        let heals: Vec<_> = heals.iter().map(|heal| heal.map(TimeNs::from_millis)).collect();
        of_group(acked, group, known, &[], &heals).expect("it read")
    }

    fn consumption(records: &[(u64, Option<u64>)], heal: u64) -> Consumption {
        consumption_of(records, None, &[Some(heal)])
    }

    fn longest(consumption: &Consumption) -> Option<(u64, u64)> {
        consumption.gaps.longest.map(|gap| (gap.start.as_millis(), gap.end.as_millis()))
    }

    fn after_ms(ms: u64) -> CaughtUp {
        CaughtUp::After(ms * 1_000_000)
    }

    #[test]
    fn a_stall_runs_from_one_read_to_the_next_while_records_wait() {
        let consumption = consumption(&[(10, Some(12)), (20, Some(90)), (30, Some(91))], 50);
        assert_eq!(longest(&consumption), Some((20, 90)));
        assert_eq!(consumption.caught_up, [Some(after_ms(41))]);
    }

    #[test]
    fn time_in_which_nothing_waited_is_no_stall_and_a_group_without_arrears_caught_up_at_once() {
        let consumption = consumption(&[(10, Some(12)), (500, Some(503))], 50);
        assert_eq!(longest(&consumption), Some((500, 503)));
        assert_eq!(consumption.caught_up, [Some(after_ms(0))]);
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
    fn what_a_group_passed_by_waits_until_the_group_was_beyond_it() {
        let consumption = consumption(&[(10, None), (20, Some(25)), (26, None), (30, Some(35))], 50);
        assert_eq!(longest(&consumption), Some((10, 25)));
        assert_eq!(consumption.caught_up, [Some(after_ms(0))]);
    }

    #[test]
    fn of_a_very_long_run_a_group_owes_no_more_than_what_was_acknowledged_by_the_heal() {
        let mut acked = Highs::default();
        // Something in each millisecond of more than a quarter of a million: the steps are of 2 ms.
        let last = 300_000;
        (0..last).for_each(|ms: u64| acked.take(TimeNs::from_millis(ms), Offset(ms.cast_signed())));
        assert_eq!(acked.step_ms(), 2);
        let mut group = GroupTally::default();
        // The group has a step of 1 ms, and stops at what was acknowledged at the heal.
        let heal = 150_001;
        group.read_at.take(TimeNs::from_millis(heal), Offset(heal.cast_signed() - 1));
        let known = Known { end: TimeNs::from_millis(last), deleted_below: None };
        let heals = |ms| [Some(TimeNs::from_millis(ms))];
        let caught_up = |ms| of_group(&acked, &group, known, &[], &heals(ms)).expect("it read").caught_up;
        assert_eq!(caught_up(heal - 1), [Some(after_ms(0))]);
        assert_eq!(caught_up(heal + 2), [Some(CaughtUp::Never)]);
    }

    #[test]
    fn what_a_fault_deleted_is_not_waited_for() {
        let records = [(10, Some(12)), (20, None), (30, None)];
        let consumption = consumption_of(&records, Some(Offset(3)), &[Some(50), None]);
        assert_eq!(longest(&consumption), Some((10, 12)));
        assert_eq!(consumption.caught_up, [Some(after_ms(0)), None]);
    }
}
