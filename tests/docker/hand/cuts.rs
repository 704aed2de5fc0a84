//! Flows that are cut: whole, one way, with a refusal, and probed from inside.

use serde_json::json;

use super::delays::assert_undisturbed;
use super::harness::{Hand, Harness};
use super::lab::Lab;

#[test]
fn a_cut_of_one_way_leaves_the_other_open() {
    let lab = Lab::new();
    let mut hand = Hand::new(&lab, Harness::Alive);
    let both_ways = |lab: &Lab| (lab.one_way("peer", "server", 100), lab.one_way("server", "peer", 100));
    assert_eq!(both_ways(&lab), (100, 100));
    hand.cut(&json!([{"way": "in", "peers": [lab.peer]}]), "drop");
    assert_eq!(both_ways(&lab), (0, 100));
    assert_eq!(hand.was_cut()["packets"], json!(100));
    hand.cut(&json!([{"way": "out", "peers": [lab.peer]}]), "drop");
    assert_eq!(both_ways(&lab), (100, 0));
    assert_eq!(hand.was_cut()["packets"], json!(100));
    hand.undo();
    assert_eq!(both_ways(&lab), (100, 100));
}

#[test]
fn a_cut_reaches_only_whom_it_names() {
    let lab = Lab::new();
    let mut hand = Hand::new(&lab, Harness::Alive);
    for flow in [
        json!({"way": "in", "peers": ["10.9.8.7"]}),
        json!({"way": "in", "except": [lab.peer]}),
        json!({"way": "out", "ports": [7999]}),
        json!({"way": "in", "peers": [lab.peer, "10.9.8.7"], "except": [lab.peer]}),
    ] {
        hand.cut(&json!([flow]), "drop");
        assert_undisturbed(&lab);
        assert_eq!(lab.connect(1000).0, "connected", "{flow}");
    }
    hand.cut(&json!([{"way": "in", "ports": [7001]}]), "drop");
    assert_eq!(lab.connect(1000).0, "silent");
    assert_undisturbed(&lab);
}

#[test]
fn a_refusal_is_told_at_once_and_a_drop_is_silent() {
    let lab = Lab::new();
    let mut hand = Hand::new(&lab, Harness::Alive);
    // Both ways, so that the refusal itself has to get out through a cut.
    let flows = json!([{"way": "in", "peers": [lab.peer]}, {"way": "out", "peers": [lab.peer]}]);
    for (verdict, expected) in [("drop", "silent"), ("reset", "refused"), ("unreachable", "refused")] {
        hand.cut(&flows, verdict);
        let (result, ms) = lab.connect(1500);
        println!("{verdict}: {result} after {ms:.1} ms");
        assert_eq!(result, expected, "{verdict}");
        assert!(verdict == "drop" || ms < 500.0, "{verdict}: {ms}");
        assert!(hand.was_cut()["packets"].as_u64() > Some(0), "{verdict}");
    }
    hand.undo();
    assert_eq!(lab.connect(1500).0, "connected");
}

#[test]
fn the_same_cut_again_changes_nothing_and_another_one_replaces_it() {
    let lab = Lab::new();
    let mut hand = Hand::new(&lab, Harness::Alive);
    let flows = json!([{"way": "in", "peers": [lab.peer]}]);
    hand.cut(&flows, "drop");
    assert_eq!(lab.one_way("peer", "server", 50), 0);
    let rules = lab.rules();
    hand.cut(&flows, "drop");
    assert_eq!(hand.was_cut()["packets"], json!(50), "its counters go on");
    assert_eq!(lab.rules().len(), rules.len());
    hand.cut(&flows, "reset");
    assert_eq!(hand.was_cut()["packets"], json!(0));
    let refused = hand.ask(json!({"do": "shape", "name": "f", "flows": flows, "treatment": {"loss": 1.0}, "seed": 1}));
    assert!(refused.unwrap_err().contains("is a cut already"));
}

#[test]
fn what_makes_no_sense_is_refused_in_a_sentence_and_changes_nothing() {
    let lab = Lab::new();
    let mut hand = Hand::new(&lab, Harness::Alive);
    for (request, expected) in [
        (json!({"do": "cut", "name": "f", "flows": [{"way": "in", "peers": ["fe80::1"]}], "verdict": "drop"}), "IPv4"),
        (json!({"do": "cut", "name": "a b", "flows": [{"way": "in"}], "verdict": "drop"}), "cannot name a fault"),
        (json!({"do": "cut", "name": "f", "flows": [], "verdict": "drop"}), "between 1 and"),
        (json!({"do": "cut", "name": "f", "flows": [{"way": "in"}], "verdict": "drop", "loud": 1}), "loud"),
        (
            json!({"do": "shape", "name": "f", "flows": [{"way": "in"}], "treatment": {"loss": 20}, "seed": 1}),
            "between 0 and 1",
        ),
        (json!({"do": "dance"}), "dance"),
    ] {
        let error = hand.ask(request).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
    assert_eq!(hand.must(&json!({"do": "undo", "name": "f"})), json!({"was": false}));
    assert_eq!(lab.rules(), Vec::<String>::new());
}

#[test]
fn a_probe_meets_what_a_process_in_the_namespace_would_meet() {
    let lab = Lab::new();
    let mut hand = Hand::new(&lab, Harness::Alive);
    let results = |hand: &mut Hand, to: &[String]| -> Vec<String> {
        let answer = hand.must(&json!({"do": "probe", "to": to, "limit_ms": 800}));
        let results = answer["results"].as_array().expect("results").iter();
        results.map(|result| result["result"].as_str().expect("a word").to_owned()).collect()
    };
    let to = [format!("{}:7001", lab.server), format!("{}:9", lab.peer), format!("{}:7001", lab.peer)];
    assert_eq!(results(&mut hand, &to), ["connected", "refused", "refused"]);
    hand.cut(&json!([{"way": "in", "peers": [lab.peer]}]), "drop");
    assert_eq!(
        results(&mut hand, &to),
        ["connected", "silent", "silent"],
        "its own address is loopback, and never cut"
    );
    hand.cut(&json!([{"way": "out", "peers": [lab.peer]}]), "reset");
    assert_eq!(results(&mut hand, &to), ["connected", "refused", "refused"]);
}
