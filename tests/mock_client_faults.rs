//! Faults of clients on the whole way from a scenario to a verdict, against librdkafka's mock cluster.

use std::path::PathBuf;

use tempfile::TempDir;
use wiber_chaos::anomaly::Validity;
use wiber_chaos::run::judge::Judged;
use wiber_chaos::run::{Options, RunError, Source, run};
use wiber_chaos::verdict::{FaultLine, RunOutcome};

/// A scenario of a few seconds with these faults.
fn scenario(chaos: &str, faults: &str) -> Source {
    let text = std::fs::read_to_string("scenarios/mock.toml").expect("the scenario can be read");
    let head = text.split("[phases]").next().expect("a split has a first part");
    let session = "config = { \"session.timeout.ms\" = 6000, \"heartbeat.interval.ms\" = 500 }";
    // The mock lets a group rebalance for some seconds before a member owns anything.
    let phases = format!("warmup = \"8s\"\nchaos = \"{chaos}\"\nrecovery = \"30s\"\ndrain = \"30s\"");
    let text = format!("{head}{session}\n[phases]\n{phases}\n{faults}\n[expect]\nduplicate = \"allowed\"\n");
    Source::parse("test.toml", &text).expect("the scenario is right")
}

fn options(home: &TempDir, program: Option<&str>) -> Options {
    Options {
        reports: home.path().join("reports"),
        state: home.path().join("state"),
        program: program.map(PathBuf::from),
        ..Options::default()
    }
}

fn play(source: &Source, program: Option<&str>) -> Result<Judged, RunError> {
    let home = tempfile::tempdir().expect("a temporary directory");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(run(source, &options(&home, program)))
}

fn passed(source: &Source) -> Vec<FaultLine> {
    let verdict = play(source, Some(env!("CARGO_BIN_EXE_wiber-chaos"))).expect("the run gives a verdict").verdict;
    assert_eq!((verdict.verdict, verdict.outcome), (Validity::Valid, RunOutcome::Pass), "{:#?}", verdict.reasons);
    assert!(verdict.faults.iter().all(|fault| fault.proven && fault.sends_overlapping > 100), "{:#?}", verdict.faults);
    assert!(verdict.faults.iter().all(|fault| fault.recovery_ms.is_some()), "{:#?}", verdict.faults);
    verdict.faults
}

#[test]
fn a_producer_that_is_killed_twice_and_a_member_that_freezes_are_proven_and_lose_nothing() {
    let faults = passed(&scenario(
        "16s",
        "[[fault]]\nid = \"crash\"\nat = \"500ms\"\nfor = \"2s\"\ncrash-client = { target = \"producer:chatters\" }\n\
         [[fault]]\nid = \"again\"\nafter = \"crash\"\nfor = \"2s\"\ncrash-client = { target = \"same:crash\" }\n\
         [[fault]]\nid = \"zombie\"\nat = \"500ms\"\nfor = \"9s\"\nfreeze-client = { target = \"member:chat-consumers/0\" }\n",
    ));
    let of = |id: &str| faults.iter().find(|fault| fault.id.0 == id).expect("a line");
    assert_eq!(of("crash").targets, of("again").targets);
    assert!(of("crash").targets[0].to_string().starts_with("chatters/"), "{:?}", of("crash").targets);
    assert_eq!(of("zombie").targets[0].to_string(), "chat-consumers/0");
    assert!(of("crash").proof.contains("a new process of it was at work"), "{}", of("crash").proof);
    assert!(of("zombie").proof.contains("the same process was at work"), "{}", of("zombie").proof);
}

#[test]
fn a_slow_member_and_a_storm_are_proven_without_any_process_and_any_program() {
    let source = scenario(
        "26s",
        "[[fault]]\nid = \"slow\"\nat = \"500ms\"\nfor = \"4s\"\n\
         slow-consumer = { target = \"member:chat-consumers\", rate = \"50/s\" }\n\
         [[fault]]\nid = \"storm\"\nafter = \"slow\"\nfor = \"12s\"\n\
         rebalance-storm = { group = \"chat-consumers\", every = \"1s\" }\n",
    );
    let verdict = play(&source, None).expect("the run gives a verdict").verdict;
    assert_eq!((verdict.verdict, verdict.outcome), (Validity::Valid, RunOutcome::Pass), "{:#?}", verdict.reasons);
    assert_eq!(verdict.faults[1].targets[0].to_string(), "chat-consumers");
}

#[test]
fn without_the_program_a_crash_is_refused_before_anything_is_made() {
    let source = scenario(
        "5s",
        "[[fault]]\nid = \"crash\"\nat = \"1s\"\nfor = \"1s\"\ncrash-client = { target = \"member:chat-consumers/0\" }\n",
    );
    for (program, reason) in [(None, "none is named"), (Some("/nowhere/at-all"), "is no file")] {
        let home = tempfile::tempdir().expect("a temporary directory");
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let error = runtime.block_on(run(&source, &options(&home, program))).expect_err("there is no program");
        let told = error.to_string();
        assert!(matches!(error, RunError::NoProgram { .. }), "{told}");
        assert!(
            told.contains("chat-consumers/0") && told.contains(reason) && told.contains("Options::program"),
            "{told}"
        );
        assert!(!home.path().join("reports").exists(), "nothing was made");
    }
}
