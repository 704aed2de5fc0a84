//! Packets to which chance does something: lost, damaged, sent twice, sent ahead.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::harness::{Hand, Harness};
use super::lab::{Lab, at_best, median};

fn count(shape: &Value, key: &str) -> u64 {
    shape[key].as_u64().unwrap_or_else(|| panic!("{key}: {shape}"))
}

#[test]
fn a_loss_takes_its_share_and_the_same_seed_takes_the_same_packets() {
    let lab = Lab::new();
    let mut hand = Hand::new(&lab, Harness::Alive);
    let missing = |lab: &Lab| -> BTreeSet<u32> {
        let came: BTreeSet<u32> = lab.round_trips(1000, 2).into_iter().map(|(number, _)| number).collect();
        (0..1000).filter(|number| !came.contains(number)).collect()
    };
    let mut lost = Vec::new();
    for (way, seed) in [("in", 42), ("out", 42), ("in", 42), ("in", 43)] {
        // Only the peer's packets, so that nobody else's takes a number.
        let flows = json!([{"way": way, "peers": [lab.peer]}]);
        hand.must(&json!({"do": "shape", "name": "f", "flows": flows, "treatment": {"loss": 0.2}, "seed": seed}));
        let missed = missing(&lab);
        let shape = hand.shaped();
        println!("{way}, seed {seed}: {} of 1000 missing", missed.len());
        assert!((140..260).contains(&missed.len()), "{} missing; {shape}", missed.len());
        assert_eq!((count(&shape, "seen"), count(&shape, "lost")), (1000, missed.len() as u64));
        hand.undo();
        lost.push(missed);
    }
    assert_eq!(lost[0], lost[1], "the same seed, the same packets, whichever way they go");
    assert_eq!(lost[0], lost[2], "the same seed, the same packets, each time anew");
    assert_ne!(lost[0], lost[3], "another seed, other packets");
    assert_eq!(missing(&lab), BTreeSet::new(), "nothing is lost any more");
}

#[test]
fn what_is_corrupted_is_caught_by_the_receivers_checksum_and_reaches_nobody() {
    let lab = Lab::new();
    let mut hand = Hand::new(&lab, Harness::Alive);
    for (way, receiver, direction) in [("in", "server", "upload"), ("out", "peer", "download")] {
        hand.shape(way, &json!({"corrupt": 0.05}));
        let (errors, came) = lab.grows(receiver, "Udp.InCsumErrors", || lab.round_trips(1000, 2).len());
        let corrupted = count(&hand.shaped(), "corrupted");
        println!("{way}: {corrupted} datagrams damaged, {errors} caught, {came} of 1000 came");
        assert!((20..90).contains(&corrupted), "{corrupted}");
        assert_eq!((errors, came as u64), (corrupted, 1000 - corrupted), "each one is caught, and nothing else is");
        // Every byte of this is compared.
        let (errors, _) = lab.grows(receiver, "Tcp.InCsumErrors", || lab.bytes_per_s(direction, 1 << 20));
        let total = count(&hand.shaped(), "corrupted");
        println!("{way}: {} segments damaged, {errors} caught", total - corrupted);
        assert!(errors > 0);
        assert_eq!(errors, total - corrupted);
        hand.undo();
    }
}

#[test]
fn what_is_duplicated_comes_twice_whichever_way_it_goes() {
    let lab = Lab::new();
    let mut hand = Hand::new(&lab, Harness::Alive);
    for (way, receiver, sender, direction) in
        [("in", "server", "peer", "upload"), ("out", "peer", "server", "download")]
    {
        for treatment in [json!({"duplicate": 0.3}), json!({"duplicate": 0.3, "delay_us": 5000})] {
            hand.shape(way, &treatment);
            let (errors, round_trips) = lab.grows(receiver, "Udp.InCsumErrors", || lab.round_trips(500, 2));
            let duplicated = count(&hand.shaped(), "duplicated");
            println!("{way} {treatment}: {duplicated} of 500 duplicated, {} came", round_trips.len());
            assert!((100..200).contains(&duplicated), "{duplicated}");
            assert_eq!((round_trips.len() as u64, errors), (500 + duplicated, 0));
            // TCP tells its sender what it had twice (RFC 2883); the one that did so counts it, and the sender too.
            let (told, _) = lab.grows(sender, "TcpExt.TCPDSACKRecv", || lab.bytes_per_s(direction, 4 << 20));
            println!("{way} {treatment}: the sender was told {told} times that something came twice");
            assert!(told > 0);
            hand.undo();
        }
    }
}

#[test]
fn what_is_reordered_comes_ahead_of_what_is_held() {
    let lab = Lab::new();
    let mut hand = Hand::new(&lab, Harness::Alive);
    for (way, receiver, direction) in [("in", "server", "upload"), ("out", "peer", "download")] {
        hand.shape(way, &json!({"delay_us": 20_000, "reorder": 0.1}));
        let round_trips = lab.round_trips(500, 3);
        let reordered = count(&hand.shaped(), "reordered");
        let at_once = round_trips.iter().filter(|(_, ms)| *ms < 10.0).count();
        let overtaken = round_trips.windows(2).filter(|two| two[0].0 > two[1].0).count();
        println!("{way}: {reordered} of 500 reordered, {at_once} came at once, {overtaken} steps back");
        assert_eq!(round_trips.len(), 500);
        assert!((25..90).contains(&reordered), "{reordered}");
        assert!(at_once as u64 >= reordered / 2 && at_once as u64 <= reordered + 5, "{at_once} of {reordered}");
        assert!(overtaken > 15, "{overtaken}");
        let (queued, _) = lab.grows(receiver, "TcpExt.TCPOFOQueue", || lab.bytes_per_s(direction, 2 << 20));
        println!("{way}: {queued} segments came out of order");
        assert!(queued > 0);
        hand.undo();
    }
}

#[test]
fn two_shapes_treat_one_packet_both() {
    let lab = Lab::new();
    let mut hand = Hand::new(&lab, Harness::Alive);
    let flows = json!([{"way": "in", "peers": [lab.peer]}]);
    for (name, treatment) in [("slow", json!({"delay_us": 20_000})), ("slower", json!({"delay_us": 30_000}))] {
        hand.must(&json!({"do": "shape", "name": name, "flows": flows, "treatment": treatment, "seed": 1}));
    }
    let both = at_best(|| median(&lab.round_trips(100, 10)), |ms| (49.5..62.0).contains(ms));
    println!("20 ms and 30 ms: {both:.1} ms");
}
