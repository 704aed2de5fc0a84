//! Who held a partition in which generation, by hand: each sentence of `double-ownership`.

use crate::anomaly::{CheckName, CheckResult, Validity};
use crate::history::Closure;
use crate::history::event::RevocationCause;

use super::check_all;
use super::testing::RunBuilder;

const ONE: u32 = 10;
const TWO: u32 = 11;
const OTHERS: u32 = 20;
const SECOND: u64 = 1_000_000_000;

/// Two partitions, two members of group `cooks`, and one of group `guests`.
fn run() -> RunBuilder {
    let mut run = RunBuilder::small();
    run.member(ONE, "cooks", 0);
    run.member(TWO, "cooks", 1);
    run.member(OTHERS, "guests", 0);
    run
}

/// A member is given a partition at a second, in a generation.
fn give(run: &mut RunBuilder, second: u64, member: u32, generation: i32, partition: i32) {
    run.assigned(second * SECOND, member, partition);
    run.assigned_in(second * SECOND + 1, member, generation, partition);
}

fn answer(run: &RunBuilder) -> CheckResult {
    let answers = check_all(&run.history, &run.scenario, &run.plan);
    answers.into_iter().find(|answer| answer.check == CheckName::DoubleOwnership).expect("every check answers")
}

#[track_caller]
fn assert_valid(run: &RunBuilder, examined: u64) {
    let answer = answer(run);
    assert_eq!((answer.validity, answer.examined, answer.found), (Validity::Valid, examined, 0), "{answer:?}");
}

#[test]
fn two_members_that_hold_a_partition_in_one_generation_are_told_with_their_times() {
    let mut run = run();
    give(&mut run, 1, ONE, 3, 0);
    give(&mut run, 2, TWO, 3, 0);
    run.revoked(4 * SECOND, ONE, 0, RevocationCause::Lost);
    let answer = answer(&run);
    assert_eq!((answer.validity, answer.examined, answer.found), (Validity::Invalid, 2, 1), "{answer:?}");
    let anomaly = &answer.anomalies[0];
    assert_eq!((anomaly.partition.0, anomaly.group.as_deref()), (0, Some("cooks")));
    assert_eq!(
        anomaly.explanation,
        "cooks/0.0 and cooks/1.0 were both given chat-0 in generation 3 of cooks, and held it together from 2.000 s to 4.000 s."
    );
}

#[test]
fn an_overlap_across_generations_convicts_nobody() {
    let mut run = run();
    give(&mut run, 1, ONE, 3, 0);
    give(&mut run, 2, TWO, 4, 0);
    assert_valid(&run, 2);
}

#[test]
fn one_after_the_other_is_no_double_ownership() {
    let mut run = run();
    give(&mut run, 1, ONE, 3, 0);
    run.revoked(2 * SECOND, ONE, 0, RevocationCause::Crashed);
    give(&mut run, 2, TWO, 3, 0);
    assert_valid(&run, 2);
}

#[test]
fn a_member_that_is_given_a_partition_again_holds_it_alone() {
    let mut run = run();
    give(&mut run, 1, ONE, 3, 0);
    give(&mut run, 2, ONE, 3, 0);
    assert_valid(&run, 2);
}

#[test]
fn other_partitions_and_other_groups_are_other_things() {
    let mut run = run();
    give(&mut run, 1, ONE, 3, 0);
    give(&mut run, 1, TWO, 3, 1);
    give(&mut run, 1, OTHERS, 3, 0);
    assert_valid(&run, 3);
}

#[test]
fn groups_whose_numbers_say_nothing_are_left_alone_and_named() {
    for (key, value, why) in [
        ("group.protocol", "consumer", "has the protocol of KIP-848, whose members have epochs of their own"),
        ("group.instance.id", "chef", "has static members, who take each other's place"),
    ] {
        let mut run = run();
        run.scenario.groups[0].config.insert(key.to_owned(), value.to_owned());
        give(&mut run, 1, ONE, 3, 0);
        give(&mut run, 2, TWO, 3, 0);
        give(&mut run, 2, OTHERS, 3, 0);
        assert_valid(&run, 1);
        assert_eq!(answer(&run).notes, [format!("cooks {why}: its generations are not judged.")]);
    }
}

#[test]
fn a_history_that_tells_no_generation_is_skipped() {
    let mut run = run();
    run.assigned(1, ONE, 0);
    assert_eq!(answer(&run).validity, Validity::Skipped);
}

#[test]
fn without_groups_there_is_nothing_to_own() {
    assert_valid(&RunBuilder::small(), 0);
}

#[test]
fn a_cut_history_tells_of_no_more_than_it_has() {
    let mut run = run();
    give(&mut run, 1, ONE, 3, 0);
    run.history.closure = Closure::Cut("it has no run-ended event".to_owned());
    assert_eq!(answer(&run).validity, Validity::Unknown);
    give(&mut run, 2, TWO, 3, 0);
    assert_eq!(answer(&run).validity, Validity::Invalid, "what is there is there");
}
