//! Proofs by hand of packets that pass badly: that the program beside the broker took them, and that chance struck so many of
//! them as was asked for.

use crate::fault::network::{LinkResult, ShapeCount};
use crate::fault::{
    FaultKind, Link, LinkSeen, Look, Moment, Observation, Plane, Probe, ProcessState, RulesSeen, Sight, Testimony,
    Times,
};
use crate::kafka::{BrokerId, TimeNs};

use super::proof::{Proof, prove};

fn degrade(treatment: &str) -> FaultKind {
    let text =
        format!(r#"{{"degrade": {{"to": "all", "direction": "out", "plane": null, "treatment": {treatment}}}}}"#);
    serde_json::from_str(&text).expect("a kind")
}

fn loss(parts_per_million: u32) -> FaultKind {
    degrade(&format!(r#"{{"loss": {parts_per_million}}}"#))
}

/// So many packets were handed over and taken, and so many of them lost.
fn counts(packets: u64, lost: u64) -> ShapeCount {
    ShapeCount {
        name: "slow".to_owned(),
        rule_packets: packets,
        seen: packets,
        bytes: 0,
        delayed: 0,
        lost,
        duplicated: 0,
        reordered: 0,
        corrupted: 0,
        overflowed: 0,
        held_now: 0,
        overruns: 0,
    }
}

fn rules(shape: Option<ShapeCount>, renewed: u32) -> Sight {
    let packets = shape.as_ref().map(|shape| shape.rule_packets);
    Sight::Rules { holders: vec![RulesSeen { broker: BrokerId(1), packets, unseen: None, shape, renewed }] }
}

/// The proof by these looks while it was in force: what was counted, and how often the rules had been put in place anew.
fn proof_by(kind: &FaultKind, during: Vec<(ShapeCount, u32)>) -> Proof {
    let link = Link { to: BrokerId(2), plane: Plane::Replication };
    let open = vec![LinkSeen { link, result: LinkResult::Connected, elapsed_us: 5 }];
    let look = |moment, rules| {
        let process = ProcessState::Running { started_at: "2026-01-01T00:00:00Z".to_owned() };
        let sights = vec![Sight::Links { from: BrokerId(1), cut: Vec::new(), open: open.clone() }, rules];
        let seen = Observation { process, probe: Probe::Answered { elapsed_ms: 1 }, standing: None, sights };
        Look { time: TimeNs(1), moment, target: BrokerId(1).into(), seen }
    };
    let during = during.into_iter().map(|(shape, renewed)| look(Moment::During, rules(Some(shape), renewed)));
    let mut looks = vec![look(Moment::Before, rules(None, 0))];
    looks.extend(during);
    looks.push(look(Moment::After, rules(None, 0)));
    prove(kind, &Testimony { looks, ..Testimony::default() }, &[BrokerId(1).into()], Times::default())
}

fn proof(kind: &FaultKind, shape: ShapeCount) -> Proof {
    proof_by(kind, vec![(counts(0, 0), 0), (shape, 0)])
}

#[track_caller]
fn assert_unproven(proof: &Proof, missing: &str) {
    assert!(!proof.proven, "{}", proof.sentence);
    assert!(proof.sentence.starts_with("missing: ") && proof.sentence.contains(missing), "{}", proof.sentence);
}

#[track_caller]
fn assert_proven(proof: &Proof) {
    assert!(proof.proven, "{}", proof.sentence);
}

#[test]
fn a_loss_is_proven_by_so_many_lost_packets_as_chance_allows() {
    let proof = proof(&loss(200_000), counts(10_000, 2_040));
    assert_proven(&proof);
    assert_eq!(proof.sentence, "2040 of 10000 packets lost; then it answered");
}

#[test]
fn one_lost_packet_of_many_is_no_loss_of_a_fifth() {
    let missing = "its share of packets that were lost (1 of 10000, not 20 %)";
    assert_unproven(&proof(&loss(200_000), counts(10_000, 1)), missing);
    assert_unproven(&proof(&loss(10_000), counts(10_000, 3_000)), "its share of packets that were lost");
}

#[test]
fn few_packets_prove_only_that_something_was_done_to_them() {
    assert_proven(&proof(&loss(200_000), counts(60, 1)));
    assert_proven(&proof(&loss(1_000), counts(3_000, 1)));
    assert_unproven(&proof(&loss(200_000), counts(60, 0)), "a packet that was lost");
}

#[test]
fn a_share_of_all_packets_is_all_of_them() {
    assert_proven(&proof(&loss(1_000_000), counts(5_000, 5_000)));
    assert_unproven(&proof(&loss(1_000_000), counts(5_000, 4_000)), "its share of packets that were lost");
}

#[test]
fn of_packets_that_were_lost_or_had_no_room_nothing_else_is_expected() {
    let kind = degrade(r#"{"loss": 500000, "corrupt": 500000}"#);
    let shape = ShapeCount { corrupted: 2_000, overflowed: 1_000, ..counts(10_000, 5_000) };
    assert_proven(&proof(&kind, shape.clone()));
    assert_unproven(&proof(&kind, ShapeCount { corrupted: 200, ..shape }), "its share of packets that were damaged");
}

#[test]
fn copies_that_something_else_may_have_taken_are_not_missed() {
    let shape = ShapeCount { duplicated: 100, delayed: 10_000, ..counts(10_000, 0) };
    let missing = "its share of packets that were sent twice (100 of 10000, not 50 %)";
    assert_unproven(&proof(&degrade(r#"{"duplicate": 500000}"#), shape.clone()), missing);
    let slow = degrade(r#"{"duplicate": 500000, "rate_bytes_per_s": 65536, "backlog_bytes": 65536}"#);
    assert_proven(&proof(&slow, shape));
}

#[test]
fn packets_that_were_handed_over_and_never_taken_passed_untreated() {
    let few = |rule_packets| ShapeCount { rule_packets, overruns: 3, ..counts(1_000, 200) };
    let kind = loss(200_000);
    let looks = |first, last| vec![(few(first), 0), (few(last), 0)];
    let missing = "the treatment of its packets (1000 of 100000 were taken)";
    assert_unproven(&proof_by(&kind, looks(100_000, 101_000)), missing);
    let behind = proof_by(&kind, looks(1_000, 100_000));
    assert_proven(&behind);
    assert!(
        behind.sentence.contains("some passed untreated, 3 times"),
        "what waits still may be taken yet: {}",
        behind.sentence
    );
}

#[test]
fn packets_of_every_life_of_the_broker_count() {
    let lives = vec![(counts(0, 0), 0), (counts(10_000, 2_000), 0), (counts(50, 1), 1)];
    let proof = proof_by(&loss(200_000), lives);
    assert_proven(&proof);
    assert!(proof.sentence.contains("2001 of 10050 packets lost"), "{}", proof.sentence);
}

#[test]
fn a_history_from_before_overruns_were_kept_is_read() {
    let text = serde_json::to_string(&counts(5, 1)).expect("counts can be written");
    assert!(!text.contains("overruns"), "{text}");
    assert_eq!(serde_json::from_str::<ShapeCount>(&text).expect("and read"), counts(5, 1));
    let told = text.replace("\"held_now\":0", "\"held_now\":0,\"overruns\":4");
    assert_eq!(serde_json::from_str::<ShapeCount>(&told).expect("and read").overruns, 4);
}
