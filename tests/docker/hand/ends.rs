//! However the hand ends, traffic is normal afterwards; and what is in force is what the kernel says.

use std::time::{Duration, Instant, SystemTime};

use serde_json::json;

use super::delays::assert_undisturbed;
use super::harness::{Hand, Harness};
use super::lab::{Lab, at_best, median};

const NO_RULES: Vec<String> = Vec::new();

/// How long after the death of the hand, or of whoever speaks to it, traffic is normal at the latest, before anybody cleans.
const NORMAL_WITHIN: Duration = Duration::from_secs(1);

/// How long a hand waits for a line, unless it is told otherwise (docker/nemesis/hand/src/main.rs).
const PATIENCE: Duration = Duration::from_secs(10);

/// What is sent this long before a death may still be held then; it takes the engine a while, too, to tell of a death.
const LAST_MOMENT: Duration = Duration::from_millis(1500);

/// What is held by a hand takes longer than this, and nothing else does.
const HELD_MS: f64 = 400.0;

/// A hand that shapes one flow and cuts another.
fn busy(lab: &Lab, harness: Harness) -> Hand {
    let mut hand = Hand::new(lab, harness);
    hand.shape("in", &json!({"delay_us": 200_000}));
    let flows = json!([{"way": "in", "peers": ["10.9.8.7"]}, {"way": "out", "peers": ["10.9.8.7"]}]);
    hand.must(&json!({"do": "cut", "name": "c", "flows": flows, "verdict": "drop"}));
    assert!(lab.rules().len() > 4);
    hand
}

/// Of datagrams that were sent all the time those before `death` were held, and from `within` after it on none is held and none
/// is lost, a second long at least.
#[track_caller]
fn assert_normal(seen: &[(SystemTime, Option<f64>)], death: SystemTime, within: Duration) {
    let is_held = |ms: &Option<f64>| ms.is_some_and(|ms| ms > HELD_MS);
    // What the hand held in its last moment is let go with it, or lost.
    let before: Vec<_> = seen.iter().filter(|(sent, _)| *sent + LAST_MOMENT < death).collect();
    assert!(before.len() >= 20 && before.iter().all(|(_, ms)| is_held(ms)), "not held before: {before:?}");
    let normal = death + within;
    let after: Vec<_> = seen.iter().filter(|(sent, _)| *sent >= normal).collect();
    assert!(after.len() >= 100, "too few were sent later: {}", after.len());
    let late: Vec<_> = after.iter().filter(|(_, ms)| ms.is_none() || is_held(ms)).collect();
    assert!(late.is_empty(), "of {} that were sent {within:?} after the death or later: {late:?}", after.len());
}

/// A busy hand whose delay no busy machine comes near.
fn slow(lab: &Lab, harness: Harness) -> Hand {
    let mut hand = busy(lab, harness);
    hand.shape("in", &json!({"delay_us": 500_000}));
    hand
}

#[test]
fn traffic_is_normal_within_a_second_of_the_death_of_the_hand() {
    let lab = Lab::new();
    let hand = slow(&lab, Harness::Alive);
    let watch = lab.watch(750, 10);
    std::thread::sleep(Duration::from_millis(2500));
    let death = hand.kill();
    assert_normal(&watch.seen(), death, NORMAL_WITHIN);
    assert!(lab.rules().iter().any(|rule| rule.contains("NFQUEUE")), "nobody has cleaned");
}

#[test]
fn traffic_is_normal_within_a_second_of_the_death_of_whoever_speaks_to_the_hand() {
    let lab = Lab::new();
    let hand = slow(&lab, Harness::Alive);
    let watch = lab.watch(750, 10);
    std::thread::sleep(Duration::from_millis(2500));
    let death = hand.orphan();
    assert_normal(&watch.seen(), death, NORMAL_WITHIN);
    assert_eq!(lab.rules(), NO_RULES);
}

#[test]
fn traffic_is_normal_within_a_second_of_the_limit_of_a_silence() {
    let lab = Lab::new();
    let mut hand = slow(&lab, Harness::Silent);
    hand.must(&json!({"do": "ping"}));
    let silent = SystemTime::now();
    let watch = lab.watch(1400, 10);
    assert_normal(&watch.seen(), silent + PATIENCE, NORMAL_WITHIN);
    assert_eq!(lab.rules(), NO_RULES);
}

#[test]
fn a_hand_that_is_killed_lets_traffic_pass_at_once_with_its_rules_still_there() {
    let lab = Lab::new();
    let hand = busy(&lab, Harness::Alive);
    assert!(median(&lab.round_trips(10, 10)) > 150.0);
    hand.kill();
    let killed = Instant::now();
    let round_trips = lab.round_trips(50, 5);
    println!("median {:.3} ms after the kill, measured within {:?}", median(&round_trips), killed.elapsed());
    assert!(round_trips.len() == 50 && median(&round_trips) < 100.0, "none of them is held: {round_trips:?}");
    assert_undisturbed(&lab);
    let left = lab.rules();
    assert!(left.iter().any(|rule| rule.contains("NFQUEUE")), "{left:?}");

    // A later hand knows what the dead one left, and removes it.
    let mut next = Hand::new(&lab, Harness::Alive);
    let look = next.must(&json!({"do": "look"}));
    assert_eq!(
        (&look["cuts"][0]["name"], &look["shapes"]),
        (&json!("c"), &json!([])),
        "rules without a hand shape nothing"
    );
    // Its own shape does not run into the dead one's rules.
    let flows = json!([{"way": "in"}]);
    next.must(&json!({"do": "shape", "name": "g", "flows": flows, "treatment": {"delay_us": 30_000}, "seed": 1}));
    at_best(|| median(&lab.round_trips(50, 10)), |ms| (29.5..45.0).contains(ms));
    assert_eq!(next.must(&json!({"do": "clear"})), json!({"removed": ["c", "f", "g"]}));
    assert_eq!(lab.rules(), NO_RULES);
    assert_undisturbed(&lab);
}

#[test]
fn the_end_of_its_input_leaves_no_rule() {
    let lab = Lab::new();
    busy(&lab, Harness::Alive).close();
    assert_eq!(lab.rules(), NO_RULES);
    assert_undisturbed(&lab);
}

#[test]
fn a_signal_to_end_leaves_no_rule() {
    let lab = Lab::new();
    busy(&lab, Harness::Alive).terminate();
    assert_eq!(lab.rules(), NO_RULES);
    assert_undisturbed(&lab);
}

#[test]
fn a_harness_that_falls_silent_leaves_no_rule() {
    let lab = Lab::new();
    let mut hand = busy(&lab, Harness::Silent);
    let silent = Instant::now();
    hand.ended();
    let waited = silent.elapsed();
    println!("ended {waited:?} after the last word");
    assert!((PATIENCE / 2..3 * PATIENCE).contains(&waited), "{waited:?}");
    assert_eq!(lab.rules(), NO_RULES);
    assert_undisturbed(&lab);
}

#[test]
fn what_it_holds_at_the_end_is_let_go_and_not_lost() {
    let lab = Lab::new();
    let mut hand = Hand::new(&lab, Harness::Alive);
    for way in ["in", "out"] {
        hand.shape(way, &json!({"delay_us": 20_000_000}));
        let came = std::thread::scope(|scope| {
            let sender = scope.spawn(|| lab.round_trips(50, 5));
            let until = Instant::now() + Duration::from_secs(10);
            while hand.shaped()["held_now"] != json!(50) {
                assert!(Instant::now() < until, "waited 10 s for 50 held packets; last seen: {}", hand.shaped());
            }
            hand.undo();
            sender.join().expect("the peer does not panic")
        });
        let numbers: Vec<u32> = came.into_iter().map(|(number, _)| number).collect();
        assert_eq!(numbers, (0..50).collect::<Vec<u32>>(), "{way}: all of them, in their order");
    }
}

#[test]
fn a_fault_whose_rules_somebody_removed_is_in_force_no_more() {
    let lab = Lab::new();
    let mut hand = busy(&lab, Harness::Alive);
    let names = |hand: &mut Hand| {
        let look = hand.must(&json!({"do": "look"}));
        (look["cuts"][0]["name"].clone(), look["shapes"][0]["name"].clone())
    };
    assert_eq!(names(&mut hand), (json!("c"), json!("f")));
    lab.in_namespace("iptables -t mangle -D INPUT 1");
    assert_eq!(names(&mut hand), (json!("c"), json!(null)), "the jump alone is enough");
    lab.in_namespace("iptables -F OUTPUT");
    assert_eq!(names(&mut hand), (json!(null), json!(null)), "half of a cut is none");
    // What is left of both can still be undone, and both can be made anew.
    hand.shape("in", &json!({"delay_us": 200_000}));
    assert_eq!(names(&mut hand), (json!(null), json!("f")));
    hand.undo();
    assert_eq!(hand.must(&json!({"do": "undo", "name": "c"})), json!({"was": true}));
    assert_eq!(lab.rules(), NO_RULES);
}
