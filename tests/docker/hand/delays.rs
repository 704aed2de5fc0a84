//! Packets that are held: by a delay, and by a link that carries only so much.

use serde_json::json;

use super::harness::{Hand, Harness};
use super::lab::{Lab, at_best, median};

/// Nothing is held, nothing is lost.
pub fn assert_undisturbed(lab: &Lab) {
    let calm = |(count, ms): &(usize, f64)| *count == 100 && *ms < 2.0;
    at_best(|| counted(&lab.round_trips(100, 5)), calm);
}

/// How many came back, and the middle of their round trips.
fn counted(round_trips: &[(u32, f64)]) -> (usize, f64) {
    (round_trips.len(), median(round_trips))
}

#[test]
fn a_delay_holds_round_trips_by_as_much_and_no_longer_than_it_is_in_force() {
    let lab = Lab::new();
    let mut hand = Hand::new(&lab, Harness::Alive);
    assert_undisturbed(&lab);
    for way in ["in", "out"] {
        hand.shape(way, &json!({"delay_us": 50_000, "jitter_us": 10_000}));
        let round_trips = lab.round_trips(200, 10);
        assert_eq!(round_trips.len(), 200, "a delay loses nothing");
        assert!(round_trips.iter().all(|(_, ms)| *ms >= 39.5), "{way}: nothing comes earlier: {round_trips:?}");
        let overtaken = round_trips.windows(2).filter(|two| two[0].0 > two[1].0).count();
        assert!(overtaken > 5, "jitter of 20 ms between packets every 10 ms lets some overtake others: {overtaken}");
        let shape = hand.shaped();
        assert_eq!(
            (&shape["seen"], &shape["delayed"], &shape["lost"]),
            (&json!(200), &json!(200), &json!(0)),
            "{shape}"
        );
        assert_eq!((&shape["rule_packets"], &shape["held_now"]), (&json!(200), &json!(0)), "{shape}");
        let (_, udp) = at_best(|| counted(&lab.round_trips(100, 10)), |(_, ms)| (46.0..58.0).contains(ms));
        let (_, tcp) = at_best(|| counted(&lab.tcp_round_trips(20)), |(_, ms)| (44.0..62.0).contains(ms));
        println!("{way}: median {udp:.1} ms, over TCP {tcp:.1} ms, {overtaken} of 200 overtook another");
        hand.undo();
        assert_undisturbed(&lab);
    }
}

#[test]
fn without_jitter_packets_keep_their_order() {
    let lab = Lab::new();
    let mut hand = Hand::new(&lab, Harness::Alive);
    hand.shape("in", &json!({"delay_us": 30_000}));
    let numbers: Vec<u32> = lab.round_trips(300, 1).into_iter().map(|(number, _)| number).collect();
    assert_eq!(numbers, (0..300).collect::<Vec<u32>>());
}

#[test]
fn a_rate_carries_so_many_bytes_a_second_and_a_delay_alone_carries_many_more() {
    const MIB: f64 = 1_048_576.0;
    let lab = Lab::new();
    let mut hand = Hand::new(&lab, Harness::Alive);
    for (direction, way) in [("download", "out"), ("upload", "in")] {
        let free = lab.bytes_per_s(direction, 64 << 20);
        hand.shape(way, &json!({"rate_bytes_per_s": 1_048_576}));
        let fits = |rate: &f64| (0.8 * MIB..1.15 * MIB).contains(rate);
        let bounded = at_best(|| lab.bytes_per_s(direction, 4 << 20), fits);
        let shape = hand.shaped();
        // Headers take their share, and what is already on its way when the first byte comes gives some back.
        println!("{direction}: free {:.1} MiB/s, bounded {:.3} MiB/s; {shape}", free / MIB, bounded / MIB);
        hand.shape(way, &json!({"rate_bytes_per_s": 1_048_576, "backlog_bytes": 16_384}));
        let scarce = lab.bytes_per_s(direction, 1 << 20);
        let shape = hand.shaped();
        println!("{direction}: with a small backlog {:.3} MiB/s; {shape}", scarce / MIB);
        assert!(scarce < 1.15 * MIB && shape["overflowed"].as_u64() > Some(0), "{direction}: {scarce}; {shape}");
        // What is held must not hold its sender back, or a delay would be a rate in disguise.
        hand.shape(way, &json!({"delay_us": 50_000}));
        let delayed = at_best(|| lab.bytes_per_s(direction, 32 << 20), |rate| *rate > 5.0 * MIB);
        let shape = hand.shaped();
        println!("{direction}: delayed by 50 ms {:.1} MiB/s; {shape}", delayed / MIB);
        assert_eq!((&shape["overruns"], &shape["overflowed"]), (&json!(0), &json!(0)), "{shape}");
        hand.undo();
    }
}
