//! Checkers over a recorded history, one anomaly family a file; a checker's module doc is its specification. Pure.
//!
//! The evidence is gathered once ([`evidence::Evidence`]): each partition's sends by record, its log as all readers saw
//! it, the events' digest. Every checker then answers with three values. It is `invalid` only with a witness; `unknown`
//! when anything it needed is missing, also when nothing was there to examine; and `valid` otherwise. A checker that
//! panics has found nothing out: its answer is `unknown` and names it.

pub mod aborted_read;
pub mod availability;
pub mod bits;
pub mod commit_regression;
pub mod commits;
pub mod consumption;
pub mod corrupt;
pub mod coverage;
pub mod crash_skip;
mod crashed;
pub mod double_ownership;
pub mod duplicate;
pub mod evidence;
pub mod exactly_once;
pub mod faults;
pub mod finding;
pub mod group_delivery;
pub mod group_skip;
pub mod handover;
pub mod high_watermark;
pub mod inconsistent_offsets;
pub mod index;
pub mod leader_epoch;
pub mod log;
mod losses;
pub mod lost_write;
pub mod meetings;
pub mod nonmonotonic_poll;
pub mod ownership;
mod parallel;
pub mod phantom;
pub mod poll_skip;
pub mod precommitted_read;
pub mod producer_order;
pub mod proof;
pub mod rates;
pub mod readers;
pub mod readings;
pub mod realtime_order;
pub mod recovery;
pub mod redelivery;
pub mod replica_divergence;
pub mod replicas;
pub mod sieve;
pub mod terms;
pub mod timeline;
pub mod torn_transaction;
pub mod transactions;
pub mod whereabouts;
pub mod witness;

#[cfg(test)]
mod client_proof_tests;
#[cfg(test)]
pub(crate) mod damage;
#[cfg(test)]
mod deleted_tests;
#[cfg(test)]
mod disk_tests;
#[cfg(test)]
mod exactly_once_tests;
#[cfg(test)]
pub(crate) mod generator;
#[cfg(test)]
mod group_damage;
#[cfg(test)]
mod handover_tests;
#[cfg(test)]
mod jepsen_tests;
#[cfg(test)]
mod lever_tests;
#[cfg(test)]
mod limit_tests;
#[cfg(test)]
mod matrix;
#[cfg(test)]
mod metadata_damage;
#[cfg(test)]
mod network_tests;
#[cfg(test)]
mod ownership_tests;
#[cfg(test)]
mod poll_tests;
#[cfg(test)]
mod proof_tests;
#[cfg(test)]
mod replica_damage;
#[cfg(test)]
mod replica_tests;
#[cfg(test)]
mod tail_tests;
#[cfg(test)]
mod term_tests;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod transaction_damage;
#[cfg(test)]
mod transaction_tests;
#[cfg(test)]
mod treatment_tests;
#[cfg(test)]
mod watermark_tests;
#[cfg(test)]
mod whereabouts_tests;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::anomaly::{CheckName, CheckResult, Validity};
use crate::history::History;
use crate::history::tally::{Asked, Tally};
use crate::kafka::TimeNs;
use crate::plan::Plan;
use crate::scenario::Scenario;

use evidence::Evidence;
use faults::FaultLife;

/// What is told apart when a history's rows are counted: phases, and the faults of the plan.
pub fn asked(history: &History, plan: &Plan) -> Asked {
    let end = history.events.iter().map(|event| event.time_ns).max().unwrap_or(TimeNs(0));
    let lives = FaultLife::all(plan, history);
    Asked {
        faults: lives.iter().map(|life| life.window(end)).collect(),
        reaches: lives.iter().map(|life| life.reach(end)).collect(),
        ..Asked::of_phases(history)
    }
}

/// What was counted of a history's rows: as they went by when it was read, else now.
pub fn tally(history: &History, plan: &Plan) -> Arc<Tally> {
    history.tally.clone().unwrap_or_else(|| Arc::new(Tally::of(history, &asked(history, plan))))
}

/// One anomaly family.
pub trait Checker: Sync {
    /// Its stable name.
    fn name(&self) -> CheckName;

    /// Its answer. Pure: the same evidence gives the same answer.
    fn check(&self, evidence: &Evidence<'_>) -> CheckResult;
}

/// The checker of a name.
fn checker(name: CheckName) -> &'static dyn Checker {
    match name {
        CheckName::LostWrite => &lost_write::LostWrite,
        CheckName::Duplicate => &duplicate::Duplicate,
        CheckName::ProducerOrder => &producer_order::ProducerOrder,
        CheckName::RealtimeOrder => &realtime_order::RealtimeOrder,
        CheckName::Phantom => &phantom::Phantom,
        CheckName::Corrupt => &corrupt::Corrupt,
        CheckName::InconsistentOffsets => &inconsistent_offsets::InconsistentOffsets,
        CheckName::GroupDelivery => &group_delivery::GroupDelivery,
        CheckName::PollSkip => &poll_skip::PollSkip,
        CheckName::NonmonotonicPoll => &nonmonotonic_poll::NonmonotonicPoll,
        CheckName::GroupSkip => &group_skip::GroupSkip,
        CheckName::CommitRegression => &commit_regression::CommitRegression,
        CheckName::Redelivery => &redelivery::Redelivery,
        CheckName::CrashSkip => &crash_skip::CrashSkip,
        CheckName::DoubleOwnership => &double_ownership::DoubleOwnership,
        CheckName::AbortedRead => &aborted_read::AbortedRead,
        CheckName::PrecommittedRead => &precommitted_read::PrecommittedRead,
        CheckName::TornTransaction => &torn_transaction::TornTransaction,
        CheckName::ExactlyOnce => &exactly_once::ExactlyOnce,
        CheckName::ReplicaDivergence => &replica_divergence::ReplicaDivergence,
        CheckName::LeaderEpoch => &leader_epoch::LeaderEpochs,
        CheckName::HighWatermark => &high_watermark::HighWatermark,
        CheckName::Coverage => &coverage::Coverage,
    }
}

/// Runs every checker, in the order of [`CheckName::ALL`].
pub fn check_all(history: &History, scenario: &Scenario, plan: &Plan) -> Vec<CheckResult> {
    match catch_unwind(AssertUnwindSafe(|| Evidence::gather(history, scenario, plan))) {
        Ok(evidence) => parallel::each(&CheckName::ALL, |name| guarded(checker(*name), &evidence)),
        Err(panic) => {
            let note = format!("The evidence could not be gathered: {}.", message(&*panic));
            CheckName::ALL.into_iter().map(|name| crashed(name, note.clone())).collect()
        }
    }
}

/// Runs one checker; if it panics, nobody can tell.
fn guarded(checker: &dyn Checker, evidence: &Evidence<'_>) -> CheckResult {
    // Evidence is only read, so a panic leaves nothing half-changed behind.
    match catch_unwind(AssertUnwindSafe(|| checker.check(evidence))) {
        Ok(answer) => answer,
        Err(panic) => {
            let name = checker.name();
            crashed(name, format!("The checker {name} crashed: {}.", message(&*panic)))
        }
    }
}

fn crashed(check: CheckName, note: String) -> CheckResult {
    CheckResult { check, validity: Validity::Unknown, examined: 0, found: 0, anomalies: Vec::new(), notes: vec![note] }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("it gave no message")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::testing::RunBuilder;

    struct Panics;

    impl Checker for Panics {
        fn name(&self) -> CheckName {
            CheckName::Duplicate
        }

        fn check(&self, _: &Evidence<'_>) -> CheckResult {
            panic!("the abacus broke at bead {}", 7)
        }
    }

    #[test]
    fn a_panicking_checker_is_unknown_and_names_itself() {
        let run = RunBuilder::small();
        let evidence = Evidence::gather(&run.history, &run.scenario, &run.plan);
        let answer = guarded(&Panics, &evidence);
        assert_eq!(answer.validity, Validity::Unknown);
        assert_eq!(answer.notes, ["The checker duplicate crashed: the abacus broke at bead 7."]);
    }

    #[test]
    fn every_checker_answers_by_its_own_name_in_order() {
        let run = RunBuilder::small();
        let names: Vec<_> =
            check_all(&run.history, &run.scenario, &run.plan).iter().map(|result| result.check).collect();
        assert_eq!(names, CheckName::ALL);
    }
}
