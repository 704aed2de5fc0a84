//! The whole way from a scenario to a verdict on librdkafka's mock cluster, as a user's own `cargo test` would go it:
//! through the library, in seconds, without Docker.
//!
//! One run is played and kept in memory; most tests damage or re-judge a copy of it.

#[path = "support/files.rs"]
mod files;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, OnceLock, mpsc};
use std::time::{Duration, Instant};

use files::Files;
use tempfile::TempDir;
use wiber_chaos::anomaly::{CheckName, Validity};
use wiber_chaos::fault::FaultId;
use wiber_chaos::history::event::FaultStage;
use wiber_chaos::history::{Closure, Event, EventKind, History, Phase, ProcessRole, SendRow, reader};
use wiber_chaos::kafka::{Outcome, ProcessId, RecordId};
use wiber_chaos::run::directory::RunDirectory;
use wiber_chaos::run::interrupt::Signal;
use wiber_chaos::run::judge::judge;
use wiber_chaos::run::{Interrupt, Judged, Live, Options, Source, run};
use wiber_chaos::verdict::{CheckLine, RunOutcome, Verdict};

const SCENARIO: &str = "scenarios/mock.toml";

/// How long a test waits for a run to come to a certain point.
const PATIENCE: Duration = Duration::from_secs(60);

/// A run that ended in order.
struct Played {
    verdict: Verdict,
    files: Files,
}

/// The run that the tests share.
static PLAYED: LazyLock<Played> = LazyLock::new(|| {
    let home = Home::new();
    let source = Source::load(SCENARIO.as_ref()).expect("the scenario is right");
    let judged = play(&source, &home.options());
    assert_eq!(judged.unclean, None);
    Played { verdict: judged.verdict, files: files::read_all(judged.directory.path()) }
});

/// Where a test's runs and ledgers lie.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }

    fn options(&self) -> Options {
        Options { reports: self.0.path().join("reports"), state: self.0.path().join("state"), ..Options::default() }
    }

    /// A copy of the shared run under another name, to be moved about and damaged.
    fn copy(&self) -> RunDirectory {
        let path = self.0.path().join("somewhere/else");
        files::write_all(&PLAYED.files, &path);
        RunDirectory::open(&path).expect("a copy is a run")
    }
}

fn play(source: &Source, options: &Options) -> Judged {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(run(source, options)).expect("the run gives a verdict")
}

fn history(directory: &RunDirectory) -> History {
    reader::read(&directory.history()).expect("the history can be read")
}

fn edit(path: &Path, change: impl FnOnce(String) -> String) {
    let text = fs::read_to_string(path).expect("the file can be read");
    fs::write(path, change(text)).expect("the file can be written");
}

/// Judges a copy of the shared run with more at the end of its scenario.
fn judged_with(more: &str) -> Verdict {
    let home = Home::new();
    let copy = home.copy();
    edit(&copy.path().join("scenario.toml"), |text| {
        let before_expect = text.split("[expect]").next().expect("a split has a first part");
        format!("{before_expect}{more}")
    });
    judge(&copy).expect("the run can be judged").verdict
}

fn line(verdict: &Verdict, name: CheckName) -> &CheckLine {
    verdict.checks.iter().find(|line| line.check == name).expect("every check has its line")
}

/// The verdict on the history but for what the mock scenario allows: a record whose answer died with its connection is
/// sent again, and the mock does not recognise it.
fn but_duplicates(verdict: &Verdict) -> Validity {
    let checks = verdict.checks.iter().filter(|line| line.check != CheckName::Duplicate);
    checks.map(|line| line.verdict).max().expect("every check has its line")
}

fn assert_unknown(verdict: &Verdict, because: &str) {
    assert_ne!(verdict.verdict, Validity::Valid, "{:#?}", verdict.reasons);
    assert_ne!(but_duplicates(verdict), Validity::Invalid, "{:#?}", verdict.reasons);
    assert_eq!((verdict.outcome, verdict.exit_code), (RunOutcome::Inconclusive, 4), "{:#?}", verdict.reasons);
    assert!(verdict.reasons.iter().any(|reason| reason.contains(because)), "{because:?} in {:#?}", verdict.reasons);
}

#[test]
fn a_mock_run_passes_and_every_check_had_something_to_examine() {
    let verdict = &PLAYED.verdict;
    assert_eq!((verdict.outcome, verdict.exit_code), (RunOutcome::Pass, 0), "{:#?}", verdict.reasons);
    let names: Vec<CheckName> = verdict.checks.iter().map(|line| line.check).collect();
    assert_eq!(names, CheckName::ALL);
    for line in &verdict.checks {
        if line.check == CheckName::ReplicaDivergence {
            assert_eq!(line.verdict, Validity::Skipped, "a mock has no replicas: {:?}", line.notes);
            continue;
        }
        // No group of this scenario commits before it processes, no producer runs transactions, and nothing is transformed.
        let idle = [
            CheckName::CrashSkip,
            CheckName::AbortedRead,
            CheckName::PrecommittedRead,
            CheckName::TornTransaction,
            CheckName::ExactlyOnce,
        ];
        assert_eq!(line.examined > 0, !idle.contains(&line.check), "{} examined {}", line.check, line.examined);
        if line.check == CheckName::Duplicate {
            continue;
        }
        let found = if line.check == CheckName::Redelivery { 0 } else { line.found };
        let expected = if line.examined > 0 { Validity::Valid } else { Validity::Skipped };
        assert_eq!((line.verdict, found), (expected, 0), "{}: {:?}", line.check, line.examples);
    }
}

#[test]
fn every_record_of_a_mock_run_is_accounted_for() {
    let counts = PLAYED.verdict.counts;
    assert!(counts.acked >= 1000, "{counts:?}");
    assert_eq!(counts.sent, counts.acked + counts.failed + counts.indeterminate);
    assert_eq!(counts.read_distinct, counts.acked, "a mock forgets nothing: {counts:?}");

    let home = Home::new();
    let history = history(&home.copy());
    assert_eq!(history.closure, Closure::Whole);
    let rows = history.partitions.values().map(|partition| partition.sends.len() as u64).sum::<u64>();
    assert_eq!(rows, counts.sent, "each send has one row");
    for ((topic, partition), rows) in &history.partitions {
        let place = format!("{}-{partition}", history.topic_name(*topic));
        let mut sequences: BTreeMap<ProcessId, BTreeSet<u64>> = BTreeMap::new();
        for send in &rows.sends {
            assert!(sequences.entry(send.process).or_default().insert(send.sequence.0), "{place}: {send:?} twice");
        }
        for (process, sequences) in sequences {
            let last = sequences.last().copied().expect("no set is empty");
            assert_eq!(sequences.len() as u64, last + 1, "{place}: the numbers of {process} have holes");
        }
        let acked: BTreeSet<RecordId> =
            rows.sends.iter().filter(|send| send.outcome == Outcome::Ok).map(SendRow::id).collect();
        let read_by = |wanted: fn(&ProcessRole) -> bool| -> BTreeSet<RecordId> {
            let reads = rows.reads.iter().filter(|read| wanted(&history.processes[&read.reader]));
            reads.map(|read| read.record).collect()
        };
        assert!(acked.is_subset(&read_by(|role| matches!(role, ProcessRole::Drain { .. }))), "{place}: by the drain");
        assert!(
            acked.is_subset(&read_by(|role| matches!(role, ProcessRole::Consumer { .. }))),
            "{place}: by the group"
        );
    }
}

#[test]
fn the_kill_of_a_mock_broker_is_proven() {
    let [kill] = &PLAYED.verdict.faults[..] else { panic!("one fault: {:?}", PLAYED.verdict.faults) };
    assert!(kill.proven, "{}", kill.proof);
    assert!(kill.proof.contains("exited 137") && kill.proof.contains("port refused"), "{}", kill.proof);
    assert_eq!(kill.targets.len(), 1);
    assert!(kill.sends_overlapping > 0);
    let (injected, healed) = (kill.injected_ms.expect("injected"), kill.healed_ms.expect("healed"));
    assert!(injected < healed, "{injected} before {healed}");
}

#[test]
fn the_phases_of_a_run_are_recorded_in_their_order() {
    let home = Home::new();
    let phases: Vec<Phase> = history(&home.copy())
        .events
        .iter()
        .filter_map(|event| match event.kind {
            EventKind::PhaseStarted { phase } => Some(phase),
            _ => None,
        })
        .collect();
    let expected = [Phase::Start, Phase::Warmup, Phase::Chaos, Phase::Recovery, Phase::Drain, Phase::Stop];
    assert_eq!(phases, expected);
}

#[test]
fn judging_a_run_again_rewrites_the_same_bytes() {
    let home = Home::new();
    let copy = home.copy();
    for _ in 0..2 {
        let judged = judge(&copy).expect("the run can be judged");
        assert_eq!(judged.verdict, PLAYED.verdict);
        files::assert_same(&PLAYED.files, &files::read_all(copy.path()));
    }
}

#[test]
fn reports_that_were_deleted_come_back_the_same() {
    let home = Home::new();
    let copy = home.copy();
    let made_by_judge = ["verdict.json", "summary.csv", "anomalies.csv", "report.html", "junit.xml"];
    for name in made_by_judge {
        fs::remove_file(copy.path().join(name)).expect("the report was there");
    }
    judge(&copy).expect("the run can be judged").write().expect("a directory that can be written");
    files::assert_same(&PLAYED.files, &files::read_all(copy.path()));
}

#[test]
fn sends_cut_in_the_middle_make_the_verdict_unknown() {
    let home = Home::new();
    let copy = home.copy();
    let sends = copy.history().join("sends.arrows");
    let bytes = fs::read(&sends).expect("the sends can be read");
    fs::write(&sends, &bytes[..bytes.len() / 2]).expect("the sends can be cut");
    let verdict = judge(&copy).expect("a cut run can be judged").verdict;
    assert_unknown(&verdict, "sends.arrows");
    assert!(verdict.checks.iter().all(|line| line.found == 0), "damage to the evidence is no anomaly of Kafka");
}

#[test]
fn reads_cut_in_the_middle_make_the_verdict_unknown() {
    let home = Home::new();
    let copy = home.copy();
    let reads = copy.history().join("reads.arrows");
    let bytes = fs::read(&reads).expect("the reads can be read");
    fs::write(&reads, &bytes[..bytes.len() / 2]).expect("the reads can be cut");
    let verdict = judge(&copy).expect("a cut run can be judged").verdict;
    assert_unknown(&verdict, "reads.arrows");
    assert!(verdict.checks.iter().all(|line| line.found == 0), "damage to the evidence is no anomaly of Kafka");
}

#[test]
fn a_history_without_its_last_line_makes_the_verdict_unknown() {
    let home = Home::new();
    let copy = home.copy();
    edit(&copy.history().join("events.jsonl"), |text| {
        let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
        let last = lines.pop().expect("a history has lines");
        assert!(last.contains("run-ended"), "{last}");
        lines.concat()
    });
    let verdict = judge(&copy).expect("a cut run can be judged").verdict;
    assert_unknown(&verdict, "run-ended");
}

/// The same events with a `run-ended` that seals them, as if they had been recorded so.
fn sealed_again(events: &str) -> String {
    let last = events.trim_end().rfind('\n').expect("several lines") + 1;
    let mut end: Event = serde_json::from_str(&events[last..]).expect("the last line is an event");
    let EventKind::RunEnded { seal, .. } = &mut end.kind else { panic!("the last event is run-ended") };
    seal.events.bytes = last as u64;
    seal.events.crc32 = crc32fast::hash(&events.as_bytes()[..last]);
    format!("{}{}\n", &events[..last], serde_json::to_string(&end).expect("plain data"))
}

#[test]
fn a_fault_without_its_proof_makes_the_run_inconclusive() {
    for moment in ["before", "during", "after"] {
        let home = Home::new();
        let copy = home.copy();
        edit(&copy.history().join("events.jsonl"), |text| {
            let is_proof = |line: &str| {
                let event: Event = serde_json::from_str(line).expect("a line is an event");
                matches!(event.kind, EventKind::Proof { moment: at, .. } if format!("{at:?}").to_lowercase() == moment)
            };
            let kept: String = text.split_inclusive('\n').filter(|line| !is_proof(line)).collect();
            assert!(kept.len() < text.len(), "there was a proof of the time {moment}");
            kept
        });
        judge(&copy).expect_err("a history from which lines were taken is not judged");
        edit(&copy.history().join("events.jsonl"), |events| sealed_again(&events));
        let verdict = judge(&copy).expect("the run can be judged").verdict;
        assert_unknown(&verdict, "Fault kill is not proven");
        assert!(!verdict.faults[0].proven);
    }
}

#[test]
fn a_run_is_judged_by_its_own_plan_or_not_at_all() {
    let damage = [
        ("plan.json", "\"seed\": 42", "\"seed\": 43", "plan.json was changed"),
        ("scenario.toml", "name = \"", "name = \"another-", "asks for another run"),
        (
            "scenario.toml",
            "[[fault]]",
            "[[fault]]\nid = \"more\"\nat = \"1ms\"\nfor = \"1ms\"\nkill = { target = \"broker:1\" }\n[[fault]]",
            "asks for another run",
        ),
    ];
    for (file, from, to, said) in damage {
        let home = Home::new();
        let copy = home.copy();
        edit(&copy.path().join(file), |text| {
            assert!(text.contains(from), "{file} has {from}");
            text.replacen(from, to, 1)
        });
        let error = judge(&copy).expect_err("another run's file");
        assert!(error.to_string().contains(said), "{error}");
    }
}

#[test]
fn a_verdict_by_expectations_of_afterwards_says_so() {
    let verdict = judged_with("# a remark\n");
    let told = |reason: &String| reason.contains("scenario.toml was changed after the run");
    assert!(verdict.reasons.iter().any(told), "{:?}", verdict.reasons);
}

#[test]
fn too_little_evidence_makes_the_run_inconclusive() {
    let more = "[evidence]\nacked = 1000000000\n[expect]\nduplicate = \"allowed\"\n";
    assert_unknown(&judged_with(more), "the verdict needs 1000000000");
    let more = "[evidence]\nsends-per-fault = 1000000000\n[expect]\nduplicate = \"allowed\"\n";
    assert_unknown(&judged_with(more), "while kill was in force");
}

#[test]
fn a_breached_threshold_fails_the_run_and_violates_nothing() {
    let more = "[[threshold]]\nmetric = \"produce-latency-max\"\nmax = \"1ms\"\n[expect]\nduplicate = \"allowed\"\n";
    let verdict = judged_with(more);
    assert_eq!((but_duplicates(&verdict), verdict.outcome, verdict.exit_code), (Validity::Valid, RunOutcome::Fail, 3));
    assert!(verdict.reasons[0].contains("produce-latency-max"), "{:?}", verdict.reasons);
    assert_eq!(verdict.thresholds[0].verdict, Validity::Invalid);
}

#[test]
fn a_control_that_finds_nothing_fails_the_run() {
    let verdict = judged_with("[expect]\nduplicate = \"allowed\"\nlost-write = \"required\"\n");
    assert_eq!((but_duplicates(&verdict), verdict.outcome, verdict.exit_code), (Validity::Valid, RunOutcome::Fail, 1));
    let reason = &verdict.reasons[0];
    assert!(reason.contains("lost-write found nothing") && reason.contains("requires"), "{reason}");
    assert_eq!(line(&verdict, CheckName::LostWrite).found, 0);
}

/// The mock scenario with other phases and faults.
fn mock_with(phases: &str, faults: &str) -> Source {
    let text = fs::read_to_string(SCENARIO).expect("the scenario can be read");
    let head = text.split("[phases]").next().expect("a split has a first part");
    let text = format!("{head}[phases]\n{phases}\n{faults}\n[expect]\nduplicate = \"allowed\"\n");
    Source::parse("test.toml", &text).expect("the scenario is right")
}

#[test]
fn a_fault_that_the_cluster_refuses_makes_the_run_inconclusive() {
    let source = mock_with(
        "warmup = \"500ms\"\nchaos = \"3s\"\nrecovery = \"10s\"\ndrain = \"15s\"",
        "[[fault]]\nid = \"freeze\"\nat = \"500ms\"\nfor = \"500ms\"\npause = { target = \"broker:1\" }",
    );
    let home = Home::new();
    let judged = play(&source, &home.options());
    assert_unknown(&judged.verdict, "Fault freeze is not proven");
    assert_eq!((judged.verdict.faults[0].proven, judged.verdict.faults[0].injected_ms), (false, None));
    assert_eq!(judged.unclean, None);
}

/// Plays a scenario, and interrupts it once such an event is recorded.
fn play_until(source: &Source, home: &Home, wanted: fn(&EventKind) -> bool) -> Judged {
    let (raise, interrupt) = Interrupt::new();
    let (sender, events) = mpsc::channel();
    let live = Live { events: sender, counters: Arc::new(OnceLock::new()), directory: Arc::new(OnceLock::new()) };
    let options = Options { interrupt, live: Some(live), ..home.options() };
    let raiser = std::thread::spawn(move || {
        wait_for(&events, wanted);
        raise.raise(Signal::Interrupt);
    });
    let judged = play(source, &options);
    raiser.join().expect("the event came");
    judged
}

#[test]
fn a_fault_whose_turn_never_came_makes_the_run_inconclusive() {
    let source = mock_with(
        "warmup = \"500ms\"\nchaos = \"60s\"\nrecovery = \"10s\"\ndrain = \"15s\"",
        "[[fault]]\nid = \"kill\"\nat = \"50s\"\nfor = \"5s\"\nkill = { target = \"broker:1\" }",
    );
    let home = Home::new();
    let judged = play_until(&source, &home, |kind| matches!(kind, EventKind::PhaseStarted { phase: Phase::Chaos }));
    assert_unknown(&judged.verdict, "Fault kill is not proven");
    let kill = &judged.verdict.faults[0];
    assert!(!kill.proven && kill.proof.contains("ended before its turn came"), "{}", kill.proof);
    assert_eq!((kill.injected_ms, kill.targets.len()), (None, 0));
}

#[test]
fn an_interrupted_run_heals_drains_and_reports_and_is_not_valid() {
    let source = mock_with(
        "warmup = \"500ms\"\nchaos = \"60s\"\nrecovery = \"10s\"\ndrain = \"15s\"",
        "[[fault]]\nid = \"kill\"\nat = \"500ms\"\nfor = \"55s\"\nkill = { target = \"broker:1\" }",
    );
    let home = Home::new();
    let judged = play_until(&source, &home, |kind| matches!(kind, EventKind::Inject { stage: FaultStage::Ok, .. }));

    assert_unknown(&judged.verdict, "interrupted by SIGINT");
    assert_eq!(judged.unclean, None);
    let kill = &judged.verdict.faults[0];
    assert!(kill.proven, "it bit and healed, early as it was: {}", kill.proof);
    let (injected, healed) = (kill.injected_ms.expect("injected"), kill.healed_ms.expect("healed"));
    assert!(healed - injected < 55_000, "healed before its time: {injected} to {healed}");
    let history = history(&judged.directory);
    assert_eq!(history.closure, Closure::Whole);
    let has = |wanted: fn(&EventKind) -> bool| history.events.iter().any(|event| wanted(&event.kind));
    assert!(has(|kind| matches!(kind, EventKind::Interrupted { .. })));
    assert!(has(|kind| matches!(kind, EventKind::EndOffsets { .. })));
    assert!(has(|kind| matches!(kind, EventKind::Drained { .. })));
    let counts = judged.verdict.counts;
    assert_eq!(counts.read_distinct, counts.acked, "drained all the same: {counts:?}");
    assert!(judged.directory.path().join("report.html").is_file());
    assert_eq!(ledgers(&home), Vec::<PathBuf>::new());
}

const SHORT_PHASES: &str = "warmup = \"2s\"\nchaos = \"6s\"\nrecovery = \"10s\"\ndrain = \"15s\"";

#[test]
fn a_fault_that_strikes_in_turn_is_proven_each_time() {
    let source = mock_with(
        SHORT_PHASES,
        "[[fault]]\nid = \"chase\"\nat = \"200ms\"\nfor = \"500ms\"\nrepeat = 3\nkill = { target = \"leader:chat-0\" }",
    );
    let judged = play(&source, &Home::new().options());
    let verdict = judged.verdict;
    assert_eq!((verdict.outcome, verdict.exit_code), (RunOutcome::Pass, 0), "{:#?}", verdict.reasons);
    let ids: Vec<&str> = verdict.faults.iter().map(|fault| fault.id.0.as_str()).collect();
    assert_eq!(ids, ["chase-1", "chase-2", "chase-3"]);
    assert!(verdict.faults.iter().all(|fault| fault.proven), "{:#?}", verdict.faults);
    let times = verdict.faults.iter().flat_map(|fault| [fault.injected_ms, fault.healed_ms]);
    let times: Vec<u64> = times.map(|time| time.expect("injected and healed")).collect();
    assert!(times.is_sorted(), "one after another: {times:?}");
}

#[test]
fn more_brokers_than_may_be_away_are_not_struck() {
    let kill = |id: &str, at: &str, broker: u32| {
        format!("[[fault]]\nid = \"{id}\"\nat = \"{at}\"\nfor = \"2s\"\nkill = {{ target = \"broker:{broker}\" }}\n")
    };
    let faults = kill("first", "200ms", 1) + &kill("second", "1s", 2);
    let source = mock_with(SHORT_PHASES, &format!("{faults}[safety]\nmax-unavailable = 1"));
    let judged = play(&source, &Home::new().options());
    assert_unknown(&judged.verdict, "Fault second is not proven");
    let [first, second] = &judged.verdict.faults[..] else { panic!("two faults: {:?}", judged.verdict.faults) };
    assert!(first.proven, "{}", first.proof);
    assert!(second.proof.contains("2 brokers would be away, beside `first`"), "{}", second.proof);
    assert_eq!((second.injected_ms, second.targets.len()), (None, 0));
    assert_eq!(judged.unclean, None);
}

/// While two of three brokers are down, the partition has no follower in sync.
fn with_a_target_that_is_nobody(safety: &str) -> Verdict {
    let faults = "[[fault]]\nid = \"both\"\nat = \"200ms\"\nfor = \"3s\"\nkill = { target = [\"broker:2\", \"broker:3\"] }\n\
        [[fault]]\nid = \"nobody\"\nat = \"2s\"\nfor = \"500ms\"\nstop = { target = \"follower:chat-0\" }\n";
    play(&mock_with(SHORT_PHASES, &format!("{faults}{safety}")), &Home::new().options()).verdict
}

#[test]
fn a_target_that_is_nobody_makes_the_run_inconclusive_unless_the_scenario_says_otherwise() {
    // Of the load on a mock whose brokers are gone for seconds nothing is said here: it may or may not get to its end.
    let speaks_of_it = |verdict: &Verdict| verdict.reasons.iter().any(|reason| reason.contains("Fault nobody"));
    let failed = with_a_target_that_is_nobody("");
    assert_unknown(&failed, "no follower in sync");
    assert!(speaks_of_it(&failed), "{:#?}", failed.reasons);
    let skipped = with_a_target_that_is_nobody("[safety]\nempty-target = \"skip\"");
    assert!(!speaks_of_it(&skipped), "{:#?}", skipped.reasons);
    let [both, nobody] = &skipped.faults[..] else { panic!("two faults: {:?}", skipped.faults) };
    assert!(both.proven && both.targets.len() == 2, "{}", both.proof);
    assert!(!nobody.proven, "nothing was done, so that nothing is proven");
    assert!(nobody.proof.contains("passed over") && nobody.proof.contains("no follower in sync"), "{}", nobody.proof);
}

#[test]
fn a_run_whose_deadline_passes_heals_drains_and_reports_and_is_not_valid() {
    let mut source = mock_with(
        "warmup = \"500ms\"\nchaos = \"60s\"\nrecovery = \"10s\"\ndrain = \"15s\"",
        "[[fault]]\nid = \"kill\"\nat = \"500ms\"\nfor = \"55s\"\nkill = { target = \"broker:1\" }",
    );
    // A scenario's own text may not have so early a deadline: the run could never be conclusive.
    source.scenario.safety.deadline = Some(Duration::from_secs(4));
    let home = Home::new();
    let judged = play(&source, &home.options());
    assert_unknown(&judged.verdict, "The deadline of 4 s passed");
    assert_eq!(judged.unclean, None);
    let kill = &judged.verdict.faults[0];
    assert!(kill.proven, "it bit and healed, early as it was: {}", kill.proof);
    let history = history(&judged.directory);
    assert_eq!(history.closure, Closure::Whole);
    let has = |wanted: fn(&EventKind) -> bool| history.events.iter().any(|event| wanted(&event.kind));
    assert!(has(|kind| matches!(kind, EventKind::DeadlinePassed { deadline_ms: 4000 })));
    assert!(has(|kind| matches!(kind, EventKind::Drained { .. })));
    assert!(!has(|kind| matches!(kind, EventKind::Interrupted { .. })));
    let counts = judged.verdict.counts;
    assert_eq!(counts.read_distinct, counts.acked, "drained all the same: {counts:?}");
    assert_eq!(ledgers(&home), Vec::<PathBuf>::new());
}

fn wait_for(events: &mpsc::Receiver<Event>, wanted: impl Fn(&EventKind) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    let mut last = None;
    loop {
        match events.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(event) if wanted(&event.kind) => return,
            Ok(event) => last = Some(event),
            Err(error) => panic!("waited for an event, {error}; the last one was {last:?}"),
        }
    }
}

fn ledgers(home: &Home) -> Vec<PathBuf> {
    files::read_all(&home.0.path().join("state")).into_keys().collect()
}

#[test]
fn the_seed_of_the_options_wins_and_is_recorded() {
    let source = mock_with("warmup = \"200ms\"\nchaos = \"1s\"\nrecovery = \"10s\"\ndrain = \"15s\"", "");
    let home = Home::new();
    let judged = play(&source, &Options { seed: Some(7), ..home.options() });
    assert_eq!(judged.verdict.seed, 7);
    assert!(judged.directory.run_id().ends_with("-7"), "{}", judged.directory.run_id());
    let latest = RunDirectory::open(&home.0.path().join("reports/mock/latest")).expect("the latest run is there");
    assert_eq!(latest.run_id(), judged.directory.run_id());
    let again = judge(&latest).expect("the run can be judged").verdict;
    assert_eq!(again, judged.verdict);
    assert_eq!(again.faults.iter().map(|fault| &fault.id).collect::<Vec<&FaultId>>(), Vec::<&FaultId>::new());
}
