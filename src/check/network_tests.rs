//! Proofs by hand of faults on networks: what has to be seen of their rules, connections and packets, and what a look that
//! could not see is worth.

use crate::fault::network::LinkResult;
use crate::fault::{
    FaultKind, Link, LinkSeen, Look, Moment, Observation, Plane, Probe, ProcessState, RulesSeen, Sight, Testimony,
    Times, Unseen,
};
use crate::kafka::{BrokerId, TimeNs};

use super::proof::{Proof, prove};

/// A kind as a plan has it.
fn planned(text: &str) -> FaultKind {
    serde_json::from_str(text).expect("a kind")
}

fn kind() -> FaultKind {
    planned(r#"{"partition": {"to": "rest", "direction": "both", "mode": "drop", "plane": null}}"#)
}

fn rules(broker: i32, packets: Option<u64>) -> RulesSeen {
    RulesSeen { broker: BrokerId(broker), packets, unseen: None, shape: None, renewed: 0 }
}

fn unseen(broker: i32, why: Unseen) -> RulesSeen {
    RulesSeen { unseen: Some(why), ..rules(broker, None) }
}

fn down(broker: i32) -> RulesSeen {
    unseen(broker, Unseen::NotRunning)
}

fn failed(broker: i32) -> RulesSeen {
    unseen(broker, Unseen::Failed("its hand is dead".to_owned()))
}

fn holders(holders: &[RulesSeen]) -> Sight {
    Sight::Rules { holders: holders.to_vec() }
}

fn links(result: LinkResult) -> Sight {
    let link = Link { to: BrokerId(3), plane: Plane::Replication };
    Sight::Links { from: BrokerId(2), cut: vec![LinkSeen { link, result, elapsed_us: 5 }], open: Vec::new() }
}

fn blind() -> Sight {
    Sight::Blind { reason: "the engine is gone".to_owned() }
}

type Sights = Vec<Sight>;

/// What a cut of broker 2 from broker 3 has to show, of which a test changes something.
struct Evidence {
    before: Vec<Sights>,
    during: Vec<Sights>,
    after: Vec<Sights>,
}

fn cut(seen: &[RulesSeen]) -> Sights {
    vec![links(LinkResult::Silent), holders(seen)]
}

fn whole(packets: u64) -> Sights {
    cut(&[rules(2, Some(packets)), rules(3, Some(packets))])
}

impl Evidence {
    fn whole() -> Self {
        let open = || vec![links(LinkResult::Connected), holders(&[rules(2, None), rules(3, None)])];
        Self { before: vec![open()], during: vec![whole(1), whole(7)], after: vec![open()] }
    }

    fn proof(self, kind: &FaultKind) -> Proof {
        let moments = [(Moment::Before, self.before), (Moment::During, self.during), (Moment::After, self.after)];
        let looks = moments.into_iter().flat_map(|(moment, all)| {
            all.into_iter().map(move |sights| {
                let process = ProcessState::Running { started_at: "2026-01-01T00:00:00Z".to_owned() };
                let seen = Observation { process, probe: Probe::Answered { elapsed_ms: 1 }, standing: None, sights };
                Look { time: TimeNs(1), moment, target: BrokerId(2).into(), seen }
            })
        });
        let seen = Testimony { looks: looks.collect(), ..Testimony::default() };
        prove(kind, &seen, &[BrokerId(2).into()], Times::default())
    }
}

#[track_caller]
fn assert_unproven(proof: &Proof, missing: &str) {
    assert!(!proof.proven, "{}", proof.sentence);
    assert!(proof.sentence.starts_with("missing: ") && proof.sentence.contains(missing), "{}", proof.sentence);
}

#[track_caller]
fn assert_missing(change: impl FnOnce(&mut Evidence), missing: &str) {
    let mut evidence = Evidence::whole();
    change(&mut evidence);
    assert_unproven(&evidence.proof(&kind()), missing);
}

#[test]
fn a_cut_is_proven_by_rules_at_every_look_and_connections_that_did_not_come_about() {
    let proof = Evidence::whole().proof(&kind());
    assert!(proof.proven, "{}", proof.sentence);
    assert_eq!(proof.sentence, "14 packets stopped; connections silent; then it answered");
}

#[test]
fn a_broker_that_is_down_hides_nothing_that_becomes_of_anothers_rules() {
    assert_missing(
        |cut_apart| cut_apart.during.push(cut(&[rules(2, None), down(3)])),
        "its rules in the network of broker-2, which somebody took away",
    );
    let mut evidence = Evidence::whole();
    evidence.during.push(cut(&[rules(2, Some(9)), down(3)]));
    let proof = evidence.proof(&kind());
    assert!(proof.proven, "that 3 is down is no fault of the rules: {}", proof.sentence);
    assert!(proof.sentence.starts_with("16 packets stopped"), "{}", proof.sentence);
}

#[test]
fn rules_that_nobody_could_see_for_a_while_are_no_proof() {
    assert_missing(
        |cut_apart| cut_apart.during.insert(1, cut(&[rules(2, Some(3)), failed(3)])),
        "its rules in the network of broker-3 at every look (its hand is dead)",
    );
    let of_an_earlier_version = vec![links(LinkResult::Silent), blind()];
    assert_missing(
        |cut_apart| cut_apart.during.push(of_an_earlier_version),
        "its rules at every look (the engine is gone)",
    );
    assert_missing(|cut_apart| cut_apart.during.clear(), "a look at its rules");
}

#[test]
fn rules_of_a_broker_that_was_down_all_the_time_stopped_nothing() {
    assert_missing(
        |cut_apart| cut_apart.during = vec![cut(&[rules(2, Some(9)), down(3)])],
        "a packet that its rules stopped at broker-3",
    );
}

#[test]
fn what_rules_stopped_before_they_were_put_in_place_anew_counts_too() {
    let mut evidence = Evidence::whole();
    let renewed = RulesSeen { renewed: 1, ..rules(3, Some(0)) };
    evidence.during.push(cut(&[rules(2, Some(8)), renewed]));
    let proof = evidence.proof(&kind());
    assert!(proof.proven, "{}", proof.sentence);
    assert!(proof.sentence.starts_with("put in place anew"), "{}", proof.sentence);
    assert!(proof.sentence.contains("15 packets stopped"), "{}", proof.sentence);
}

#[test]
fn the_end_of_rules_has_to_be_seen_in_every_network() {
    let after = |seen: &[RulesSeen]| vec![links(LinkResult::Connected), holders(seen)];
    assert_missing(|healed| healed.after.push(after(&[rules(2, None), rules(3, Some(4))])), "the end of its rules");
    assert_missing(
        |healed| healed.after = vec![after(&[rules(2, None), failed(3)])],
        "a look at its rules after the heal",
    );
    let mut evidence = Evidence::whole();
    evidence.after = vec![after(&[rules(2, None), rules(3, Some(4))]), after(&[failed(2), down(3)])];
    let proof = evidence.proof(&kind());
    assert!(proof.proven, "rules that were gone stay so, and a network that is gone has none: {}", proof.sentence);
}

#[test]
fn connections_that_nobody_could_try_for_a_while_are_no_proof() {
    let rules = || holders(&[rules(2, Some(2)), rules(3, Some(2))]);
    assert_missing(
        |cut_apart| cut_apart.during.push(vec![blind(), rules()]),
        "its connections at every look (the engine is gone)",
    );
    let mut evidence = Evidence::whole();
    evidence.during.push(vec![Sight::NotRunning { broker: BrokerId(2) }, rules()]);
    let proof = evidence.proof(&kind());
    assert!(proof.proven, "a broker that does not run has no connections: {}", proof.sentence);
    assert_missing(
        |cut_apart| cut_apart.during = vec![vec![Sight::NotRunning { broker: BrokerId(2) }, rules()]],
        "a look at its connections while the fault was in force",
    );
}

#[test]
fn a_half_of_a_bridge_that_nobody_could_look_from_is_not_open_again() {
    let bridge = planned(r#"{"bridge": {"mode": "drop"}}"#);
    assert!(Evidence::whole().proof(&bridge).proven);
    let mut evidence = Evidence::whole();
    for sights in &mut evidence.after {
        sights.push(blind());
    }
    assert_unproven(&evidence.proof(&bridge), "a look at its connections after the heal");
}

#[test]
fn a_broker_whose_networks_nobody_could_see_for_a_while_was_not_unplugged() {
    let networks = |addresses: &[&str]| {
        let addresses = addresses.iter().map(|address| address.parse().expect("an address")).collect();
        vec![Sight::Networks { addresses }]
    };
    let evidence = |during| {
        let home = || vec![networks(&["172.18.0.3"])];
        Evidence { before: home(), during, after: home() }
    };
    let sentence = |during| evidence(during).proof(&planned(r#""disconnect""#)).sentence;
    assert!(!sentence(vec![networks(&[])]).contains("its absence from every network"));
    assert!(sentence(vec![networks(&[]), vec![blind()]]).contains("its absence from every network"));
}
