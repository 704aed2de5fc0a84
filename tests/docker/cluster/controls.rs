//! Controls that must be caught, on real brokers; and the run with a transformer that must not be.

use std::collections::{BTreeMap, BTreeSet};

use wiber_chaos::anomaly::{CheckName, Expectation, Validity};
use wiber_chaos::history::{History, ProcessRole, ReadRow};
use wiber_chaos::kafka::{Offset, Partition, RecordId};
use wiber_chaos::verdict::RunOutcome;

use super::{assert_caught, found, history, run};

/// Runs a control, of which every check that it requires finds something and no other one that is forbidden to does.
fn is_caught(name: &str) {
    let ran = run(name, &format!("scenarios/controls/{name}.toml"));
    let verdict = &ran.verdict;
    assert_eq!((ran.exit_code, verdict.outcome), (Some(0), RunOutcome::Pass), "{:#?}", verdict.reasons);
    let required = verdict.checks.iter().filter(|line| line.expect == Expectation::Required);
    let mut caught = 0;
    for line in required {
        assert!(line.found > 0, "{}: {:?}", line.check, line.notes);
        caught += 1;
    }
    assert!(caught > 0, "{name} requires nothing");
    let forbidden = verdict.checks.iter().filter(|line| line.expect == Expectation::Forbidden);
    for line in forbidden {
        let expected = if line.examined > 0 { Validity::Valid } else { Validity::Skipped };
        assert_eq!((line.verdict, line.found), (expected, 0), "{}: {:?}", line.check, line.examples);
    }
}

#[test]
fn the_last_replica_standing_loses_and_is_caught() {
    is_caught("min-isr-one-loses");
}

#[test]
fn an_unclean_election_loses_and_is_caught() {
    is_caught("unclean-election");
}

#[test]
fn non_idempotent_producers_reorder_and_are_caught() {
    is_caught("non-idempotent-reorders");
}

#[test]
fn a_zombie_repeats_and_is_caught() {
    is_caught("zombie-repeats");
}

#[test]
fn whoever_waits_for_no_commits_reads_what_was_aborted_and_is_caught() {
    is_caught("read-uncommitted-reads-aborted");
}

/// How many records that a drain reader read were made of each offset, counted without the checkers.
fn made_of_each(history: &History) -> BTreeMap<(Partition, Offset), usize> {
    let mut made: BTreeMap<_, BTreeSet<RecordId>> = BTreeMap::new();
    for rows in history.partitions.values() {
        let is_drain = |read: &&ReadRow| matches!(history.processes[&read.reader], ProcessRole::Drain { .. });
        let drained: BTreeSet<RecordId> = rows.reads.iter().filter(is_drain).map(|read| read.record).collect();
        for source in rows.sources.iter().filter(|source| drained.contains(&source.id())) {
            made.entry((source.source_partition, source.source_offset)).or_default().insert(source.id());
        }
    }
    made.into_iter().map(|(source, records)| (source, records.len())).collect()
}

#[test]
fn each_record_is_made_into_exactly_one_while_brokers_die_and_an_instance_is_fenced() {
    let ran = run("exactly-once", "scenarios/exactly-once.toml");
    assert_eq!((ran.exit_code, ran.verdict.verdict), (Some(0), Validity::Valid), "{:#?}", ran.verdict.reasons);
    let history = history(&ran.directory);
    let made = made_of_each(&history);
    let examined =
        ran.verdict.checks.iter().find(|line| line.check == CheckName::ExactlyOnce).map(|line| line.examined);
    assert_eq!(examined, Some(made.len() as u64));
    assert!(made.len() > 50_000 && made.values().all(|count| *count == 1), "{} offsets", made.len());
    assert!(found(&ran.verdict, CheckName::Redelivery) > 0, "what was aborted is read again");
}

#[test]
fn what_is_made_twice_because_offsets_come_afterwards_is_caught() {
    let ran = run("offsets-afterwards-repeat", "scenarios/controls/offsets-afterwards-repeat.toml");
    let made = made_of_each(&history(&ran.directory));
    let repeated = made.values().filter(|count| **count > 1).count();
    assert_caught(&ran, CheckName::ExactlyOnce, repeated);
    let others =
        ran.verdict.checks.iter().filter(|line| !matches!(line.check, CheckName::ExactlyOnce | CheckName::Redelivery));
    assert_eq!(others.map(|line| line.found).sum::<u64>(), 0, "{:#?}", ran.verdict.reasons);
}
