//! Proofs by hand of a slow disk: what has to be seen of its limit before, while and after it is in force.

use crate::fault::disk::{DiskLimits, Pace, Throttled};
use crate::fault::kinds::disk_slow::DiskSlow;
use crate::fault::{Deed, FaultKind, Look, Moment, Observation, Probe, ProcessState, Sight, Testimony, Times};
use crate::kafka::{BrokerId, TimeNs};

use super::proof::{Proof, prove};

const RATE: u64 = 256 << 10;
const SLOW: FaultKind = FaultKind::DiskSlow(DiskSlow { bytes_per_s: RATE });

fn sight(device: &str, write: Option<u64>, read: Option<u64>) -> Sight {
    let device = device.to_owned();
    Sight::DiskLimits(DiskLimits { device, write_bytes_per_second: write, read_bytes_per_second: read })
}

fn limits(limit: Option<u64>) -> Sight {
    sight("8:0", limit, limit)
}

fn unlimited() -> Sight {
    limits(None)
}

fn limited() -> Sight {
    limits(Some(RATE))
}

fn blind() -> Sight {
    Sight::Blind { reason: "the engine is gone".to_owned() }
}

/// What a limit that bit has to show, of which a test changes something.
struct Evidence {
    deed: Option<Throttled>,
    before: Vec<Sight>,
    during: Vec<Sight>,
    after: Vec<Sight>,
}

impl Evidence {
    fn whole() -> Self {
        let pace = |elapsed_ms| Pace { bytes: 512 << 10, elapsed_ms };
        let (device, before, after) = ("8:0".to_owned(), pace(20), pace(2000));
        let deed = Some(Throttled { device, limit_bytes_per_second: RATE, before, after });
        Self {
            deed,
            before: vec![unlimited()],
            during: vec![limited(), limited()],
            after: vec![limited(), unlimited()],
        }
    }

    fn proof(self) -> Proof {
        let moments = [(Moment::Before, self.before), (Moment::During, self.during), (Moment::After, self.after)];
        let looks = moments.into_iter().flat_map(|(moment, sights)| {
            sights.into_iter().map(move |sight| {
                let process = ProcessState::Running { started_at: "2026-01-01T00:00:00Z".to_owned() };
                let probe = Probe::Answered { elapsed_ms: 1 };
                let seen = Observation { process, probe, standing: None, sights: vec![sight] };
                Look { time: TimeNs(1), moment, target: BrokerId(1).into(), seen }
            })
        });
        let deeds = self.deed.into_iter().map(|deed| (BrokerId(1).into(), Deed::Throttled(deed)));
        let seen = Testimony { looks: looks.collect(), deeds: deeds.collect(), ..Testimony::default() };
        prove(&SLOW, &seen, &[BrokerId(1).into()], Times::default())
    }
}

#[track_caller]
fn assert_missing(change: fn(&mut Evidence), missing: &str) {
    let mut evidence = Evidence::whole();
    change(&mut evidence);
    let proof = evidence.proof();
    assert!(!proof.proven, "{}", proof.sentence);
    assert!(proof.sentence.starts_with("missing: ") && proof.sentence.contains(missing), "{}", proof.sentence);
}

#[test]
fn a_slow_disk_is_proven_by_its_pace_and_by_a_limit_that_came_stayed_and_went() {
    let proof = Evidence::whole().proof();
    assert!(proof.proven, "{}", proof.sentence);
    let seen = "writes flushed at 256.0 KiB/s instead of 25.0 MiB/s; limited at every look; then without a limit; then it \
                answered";
    assert_eq!(proof.sentence, seen);
}

#[test]
fn a_limit_that_somebody_lifted_for_a_while_is_no_proof() {
    let lifted = "its limit at every look (it had no limit)";
    assert_missing(|slow| slow.during = vec![limited(), unlimited()], lifted);
    assert_missing(|slow| slow.during = vec![limited(), unlimited(), limited()], lifted);
    assert_missing(|slow| slow.during = vec![unlimited()], lifted);
}

#[test]
fn a_limit_that_somebody_changed_is_no_proof() {
    let loose = "its limit at every look (it had writes at 1.0 MiB/s and reads at 1.0 MiB/s)";
    assert_missing(|slow| slow.during.push(limits(Some(1 << 20))), loose);
    assert_missing(
        |slow| slow.during.push(sight("8:0", None, Some(RATE))),
        "(it had writes at any rate and reads at 256.0 KiB/s)",
    );
    assert_missing(|slow| slow.during.push(sight("8:16", Some(RATE), Some(RATE))), "its limit at every look");
}

#[test]
fn a_limit_that_nobody_could_see_for_a_while_is_no_proof() {
    assert_missing(|slow| slow.during.push(blind()), "its limit at every look (the engine is gone)");
    assert_missing(|slow| slow.during.clear(), "a look at its limit while the fault was in force");
    assert_missing(|slow| slow.before = vec![blind()], "a disk without a limit before the fault (the engine is gone)");
    assert_missing(|slow| slow.before.clear(), "a disk without a limit before the fault (never looked at)");
    assert_missing(|slow| slow.after = vec![blind()], "the end of its limit after the heal (the engine is gone)");
    assert_missing(|slow| slow.after.clear(), "the end of its limit after the heal (never looked at)");
}

#[test]
fn a_disk_that_was_slow_before_or_stays_so_is_no_proof() {
    assert_missing(|slow| slow.before = vec![limited()], "a disk without a limit before the fault (it had writes at");
    assert_missing(|slow| slow.after = vec![limited()], "the end of its limit after the heal (it had writes at");
}

#[test]
fn a_limit_that_slowed_nothing_is_no_proof() {
    let missing = "a measured slowness of its disk";
    assert_missing(|slow| slow.deed = None, missing);
    let pace = |slow: &mut Evidence, before_ms, after_ms| {
        let deed = slow.deed.as_mut().expect("it has one");
        (deed.before.elapsed_ms, deed.after.elapsed_ms) = (before_ms, after_ms);
    };
    let mut as_fast = Evidence::whole();
    pace(&mut as_fast, 1100, 2000);
    let mut too_fast = Evidence::whole();
    pace(&mut too_fast, 20, 900);
    for evidence in [as_fast, too_fast] {
        let proof = evidence.proof();
        assert!(!proof.proven && proof.sentence.contains(missing), "{}", proof.sentence);
    }
}
