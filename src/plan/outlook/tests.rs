//! What is told of plans whose faults are few enough to be counted by hand.

use super::*;
use crate::plan::plan;
use crate::scenario;

const BASE: &str = r#"
    name = "base"
    [[topic]]
    name = "chat"
    [[producer]]
    name = "p"
    topic = "chat"
    [[consumer-group]]
    name = "g"
    topics = ["chat"]
    members = 2
"#;

/// The outlook of a scenario with these faults, each `key = value; key = value`, and this below them.
fn of(faults: &[&str], more: &str) -> Outlook {
    let tables: Vec<String> =
        faults.iter().map(|fault| format!("[[fault]]\n{}\n", fault.replace("; ", "\n"))).collect();
    let text = format!("{BASE}{}{more}", tables.concat());
    let scenario = scenario::parse("test.toml", &text).expect("the test's scenario is right").scenario;
    outlook(&scenario, &plan(&scenario, 42))
}

fn kinds(outlook: &Outlook) -> Vec<WarningKind> {
    outlook.warnings.iter().map(|warning| warning.warning).collect()
}

const KILL_ONE: &str = "id = \"a\"; at = \"5s\"; for = \"10s\"; kill = { target = \"broker:1\" }";
const KILL_TWO: &str = "id = \"b\"; at = \"10s\"; for = \"10s\"; kill = { target = \"broker:2\" }";

#[test]
fn one_broker_of_three_leaves_a_majority_and_two_replicas() {
    let outlook = of(&[KILL_ONE], "");
    assert_eq!(outlook.warnings, []);
    let quorum = outlook.controllers.expect("a run's own brokers are controllers");
    assert_eq!((quorum.left, quorum.majority, quorum.holds), (2, 2, true));
    assert_eq!(
        (outlook.topics[0].left, outlook.topics[0].min_insync, outlook.topics[0].holds),
        (2, Some(2), Some(true))
    );
    let fault = &outlook.faults[0];
    assert_eq!((&fault.brokers, fault.more_brokers, fault.away_at_once), (&BTreeSet::from([1]), 0, 1));
    assert_eq!(fault.partitions[0].extent, Extent::Every);
}

#[test]
fn faults_that_overlap_on_a_majority_are_told_with_the_time_in_which_they_do() {
    let outlook = of(&[KILL_ONE, KILL_TWO], "");
    let at_once: Vec<(u64, u64, u32)> =
        outlook.away.iter().map(|stretch| (stretch.from_ms, stretch.until_ms, stretch.brokers)).collect();
    assert_eq!(at_once, [(5_000, 10_000, 1), (10_000, 15_000, 2), (15_000, 20_000, 1)]);
    assert_eq!(kinds(&outlook), [WarningKind::QuorumLost]);
    assert!(outlook.warnings[0].text.starts_with("10s to 15s (a, b): 2 of 3 controllers away, because faults overlap"));
    let allowed = of(&[KILL_ONE, KILL_TWO], "[safety]\nallow-quorum-loss = true\n");
    assert_eq!(allowed.warnings, [], "that is meant");
    assert_eq!(allowed.controllers.map(|quorum| quorum.holds), Some(false), "and told all the same");
}

#[test]
fn the_same_broker_twice_is_one_broker() {
    let cut = "id = \"b\"; at = \"6s\"; for = \"5s\"; isolate = { target = \"broker:1\" }";
    let outlook = of(&[KILL_ONE, cut], "");
    assert_eq!(outlook.away.iter().map(|stretch| stretch.brokers).max(), Some(1));
}

#[test]
fn whom_the_moment_decides_may_be_another_each_time() {
    let leader = "id = \"b\"; at = \"6s\"; for = \"5s\"; pause = { target = \"leader:chat-0\" }";
    let outlook = of(&[KILL_ONE, leader], "");
    assert_eq!(outlook.away.iter().map(|stretch| stretch.brokers).max(), Some(2));
    assert_eq!(kinds(&outlook), [WarningKind::QuorumLost]);
}

#[test]
fn a_bound_keeps_the_majority_and_tells_what_it_costs() {
    let outlook = of(&[KILL_ONE, KILL_TWO], "[safety]\nmax-unavailable = 1\n");
    assert_eq!(kinds(&outlook), [WarningKind::BeyondBound]);
    assert_eq!(outlook.controllers.map(|quorum| quorum.left), Some(2));
}

#[test]
fn replicas_may_be_too_few_where_a_majority_is_left() {
    let outlook = of(&[KILL_ONE], "[cluster.config]\nmin.insync.replicas = 3\n");
    assert_eq!(kinds(&outlook), [WarningKind::TooFewReplicas]);
    assert!(outlook.warnings[0].text.contains("2 of 3 replicas of chat are left, and `min.insync.replicas` is 3"));
}

#[test]
fn either_half_of_a_bridge_has_a_majority_with_it() {
    let bridge = "id = \"a\"; at = \"5s\"; for = \"10s\"; bridge = { target = \"broker:1\" }";
    let outlook = of(&[bridge], "");
    assert_eq!(outlook.faults[0].windows[0].away, Away { brokers: BTreeSet::new(), more: 1 });
    assert_eq!(
        (outlook.faults[0].effect, outlook.controllers.map(|quorum| quorum.left)),
        (Effect::OthersCutOff, Some(2))
    );
    assert_eq!(kinds(&outlook), []);
    let five = of(&[bridge], "[cluster]\nbrokers = 5\n");
    assert_eq!((five.faults[0].away_at_once, five.controllers.map(|quorum| quorum.holds)), (2, Some(true)));
}

#[test]
fn of_a_bridge_the_bound_counts_both_halves() {
    let bridge = "id = \"a\"; at = \"5s\"; for = \"10s\"; bridge = { target = \"broker:1\" }";
    let kill = "id = \"b\"; at = \"6s\"; for = \"5s\"; kill = { target = \"broker:1\" }";
    let outlook = of(&[bridge, kill], "[safety]\nmax-unavailable = 2\n");
    assert_eq!(outlook.warnings.first().map(|warning| warning.warning), Some(WarningKind::BeyondBound));
    assert!(outlook.warnings[0].text.contains("up to 3 brokers"), "{}", outlook.warnings[0].text);
}

#[test]
fn what_waits_may_meet_what_goes_by_the_clock() {
    let waits = "id = \"b\"; after = \"a\"; for = \"5s\"; kill = { target = \"broker:2\" }";
    let clock = "id = \"c\"; at = \"25s\"; for = \"4s\"; kill = { target = \"broker:3\" }";
    let outlook = of(&[KILL_ONE, waits, clock], "");
    assert_eq!(outlook.away.iter().map(|stretch| stretch.brokers).max(), Some(1), "as drawn");
    assert_eq!(kinds(&outlook), [WarningKind::MayMeet]);
    assert_eq!(kinds(&of(&[KILL_ONE, waits], "")), [], "one waits for the other");
}

#[test]
fn a_fault_that_waits_has_to_have_time_to_spare() {
    let waits = "id = \"b\"; after = \"a\"; for = \"10s\"; kill = { target = \"broker:2\" }";
    let outlook = of(&[KILL_ONE, waits], "");
    assert_eq!(kinds(&outlook), [WarningKind::MayOutlastChaos]);
    assert!(outlook.warnings[0].text.starts_with("`b` waits for the cluster and has 5s to spare"));
}

#[test]
fn a_recovery_below_the_session_timeout_is_pointed_out() {
    let short = "[phases]\nrecovery = \"5s\"\n";
    assert_eq!(kinds(&of(&[KILL_ONE], short)), [WarningKind::ShortRecovery]);
    assert_eq!(kinds(&of(&[KILL_ONE], "[phases]\nrecovery = \"9s\"\n")), []);
    let longer = format!("{short}[cluster.config]\nbroker.session.timeout.ms = 5000\n");
    assert_eq!(kinds(&of(&[KILL_ONE], &longer)), []);
    let member = "id = \"a\"; at = \"5s\"; for = \"10s\"; freeze-client = { target = \"member:g/1\" }";
    let outlook = of(&[member], short);
    assert_eq!(kinds(&outlook), [WarningKind::ShortRecovery]);
    assert!(outlook.warnings[0].text.contains("a member of g is given up after 10s"));
    let slow =
        "id = \"a\"; at = \"5s\"; for = \"10s\"; slow-consumer = { target = \"member:g/1\", per-record = \"5ms\" }";
    assert_eq!(kinds(&of(&[slow], short)), []);
}

#[test]
fn a_fault_of_one_partition_says_which() {
    let outlook = of(&["id = \"a\"; at = \"5s\"; elect = { partition = \"chat-1\", election = \"preferred\" }"], "");
    assert_eq!(outlook.faults[0].partitions[0].extent, Extent::One(1));
    assert_eq!((outlook.faults[0].effect, outlook.faults[0].windows[0].until_ms), (Effect::Up, None));
    assert_eq!(outlook.away, []);
}

#[test]
fn a_client_is_no_broker() {
    let outlook = of(&["id = \"a\"; at = \"5s\"; for = \"10s\"; crash-client = { target = \"producer:p\" }"], "");
    let fault = &outlook.faults[0];
    assert_eq!((&fault.clients, fault.effect, fault.partitions.len()), (&vec!["p/0".to_owned()], Effect::Clients, 0));
    assert_eq!(fault.brokers, BTreeSet::new());
}

#[test]
fn of_a_cluster_that_is_there_nobody_knows_the_controllers() {
    let attach = "[cluster]\nkind = \"attach\"\nbootstrap = [\"kafka\"]\nbrokers = 5\n\
        containers = { 1 = \"kafka-1\", 2 = \"kafka-2\" }\n";
    let outlook = of(&[KILL_ONE], attach);
    assert_eq!((outlook.controllers, outlook.topics[0].min_insync, outlook.topics[0].holds), (None, None, None));
    assert_eq!(outlook.faults[0].partitions[0].extent, Extent::Some, "three replicas on five brokers");
}
