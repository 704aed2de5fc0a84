//! Faults that somebody pulls the teeth of behind the harness's back, on real brokers: such a run is inconclusive, whatever
//! else is green. A control beside them that nobody touches is proven, so that it is the pulling that tells.

mod brokers;
mod levers;

use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use crate::program::{Place, wait};
use wiber_chaos::verdict::{RunOutcome, Verdict};

const PATIENCE: Duration = Duration::from_secs(60);

/// What the engine prints; an error is no end of the test, for a container may be gone by then.
fn docker(args: &[&str]) -> Vec<String> {
    let output = Command::new("docker").args(args).output().expect("docker runs");
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

/// The containers of this run, by a part of their names.
fn named(label: &str, part: &str) -> Vec<String> {
    let filter = format!("label=wiber-chaos.run={label}");
    let all = docker(&["ps", "-a", "--filter", &filter, "--format", "{{.Names}}"]);
    all.into_iter().filter(|name| name.contains(part)).collect()
}

/// The label of the one run that was begun in this place.
fn label(place: &Place) -> String {
    let ledger = place.ledgers().pop().expect("a ledger");
    ledger.file_stem().expect("a name").to_string_lossy().into_owned()
}

/// Does something again and again until it is done.
fn until(what: &str, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < PATIENCE, "waited {PATIENCE:?} until {what}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Waits until this fault has been injected.
fn in_force(place: &Place, scenario: &str, child: &mut Child, fault: &str) {
    let fault = format!("\"fault\":\"{fault}\"");
    place.wait_for_event(scenario, child, &["\"inject\"", "\"ok\"", &fault]);
}

/// The run ends as inconclusive; each of these faults is unproven for want of this, and all others are proven.
fn assert_toothless(child: &mut Child, directory: &Path, toothless: &[(&str, &str)]) {
    let code = wait(child).code();
    let text = std::fs::read_to_string(directory.join("verdict.json")).expect("the run was judged");
    let verdict: Verdict = serde_json::from_str(&text).expect("verdict.json is a verdict");
    for fault in &verdict.faults {
        let wanted = toothless.iter().find(|(id, _)| *id == fault.id.0);
        assert_eq!(fault.proven, wanted.is_none(), "{}: {}\nof {:#?}", fault.id, fault.proof, verdict.faults);
        let missing = fault.proof.split("; seen").next().unwrap_or_default();
        assert!(wanted.is_none_or(|(_, clause)| missing.contains(clause)), "{}: {missing}", fault.id);
    }
    let controls = verdict.faults.len() - toothless.len();
    assert!(controls > 0, "no control in {:#?}", verdict.faults);
    assert_eq!((code, verdict.outcome), (Some(4), RunOutcome::Inconclusive), "{:#?}", verdict.reasons);
}
