//! Real brokers: real faults lose nothing that Kafka promises to keep, a control loses for real and is caught, and
//! nothing is left behind. Without a container engine these tests fail; a test that skips itself proves nothing.
//!
//! They take turns, because a cluster of three brokers takes what a small machine has.

mod controls;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use crate::program::{Place, names, start, wait};
use crate::{files, turn};
use assert_cmd::Command as Assert;
use predicates::prelude::*;
use predicates::str::contains;
use wiber_chaos::anomaly::{CheckName, Validity};
use wiber_chaos::history::event::FaultStage;
use wiber_chaos::history::{Closure, EventKind, History, ProcessRole, ReadRow, SendRow, reader};
use wiber_chaos::kafka::replica::Codec;
use wiber_chaos::kafka::{BrokerId, Offset, Outcome, Partition, ReadStatus, RecordId, TimeNs, TopicIndex};
use wiber_chaos::verdict::{RunOutcome, Verdict};

/// Where nothing listens.
const NO_ENGINE: &str = "tcp://127.0.0.1:1";

/// The lines that the engine prints.
fn docker(args: &[&str]) -> Vec<String> {
    let output = Command::new("docker").args(args).output().expect("docker runs");
    assert!(output.status.success(), "docker {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

/// Everything in the engine that carries a run's label.
fn labelled(label: &str) -> Vec<String> {
    let filter = format!("label=wiber-chaos.run={label}");
    let mut found = docker(&["ps", "-a", "--filter", &filter, "--format", "{{.Names}}"]);
    found.extend(docker(&["network", "ls", "--filter", &filter, "--format", "{{.Name}}"]));
    found.extend(docker(&["volume", "ls", "--filter", &filter, "--format", "{{.Name}}"]));
    found
}

/// A run that ended.
struct Ran {
    place: Place,
    directory: PathBuf,
    exit_code: Option<i32>,
    verdict: Verdict,
    _turn: turn::Turn,
}

/// Runs a scenario. Where nothing can be said, because the machine had too much to do for the scenario's times, it is run once more
/// with nothing beside it: what is wrong with the harness is so then, too.
fn run(name: &str, file: &str) -> Ran {
    let ran = run_once(turn::cluster(), name, file);
    if ran.verdict.outcome != RunOutcome::Inconclusive {
        return ran;
    }
    let _ = writeln!(std::io::stderr(), "{name} is repeated: {:?}", ran.verdict.reasons);
    drop(ran);
    run_once(turn::cluster_alone(), name, file)
}

/// Runs a scenario, and makes sure that nothing of it is left in the engine.
fn run_once(turn: turn::Turn, name: &str, file: &str) -> Ran {
    let place = Place::new();
    let mut command = place.run();
    command.arg(file);
    let mut child = start(command);
    let label = label(&place, &mut child);
    let exit_code = wait(&mut child).code();
    assert_eq!(labelled(&label), Vec::<String>::new(), "left behind");
    assert_eq!(place.ledgers(), Vec::<PathBuf>::new(), "left behind");
    let directory = place.latest(name);
    let verdict = verdict(&directory);
    Ran { place, directory, exit_code, verdict, _turn: turn }
}

/// The label of everything that a run makes: its ledger's name.
fn label(place: &Place, child: &mut Child) -> String {
    for _ in 0..600 {
        if let Some(ledger) = place.ledgers().iter().find(|ledger| ledger.extension().is_some_and(|end| end == "jsonl"))
        {
            let name = ledger.file_stem().expect("a name").to_string_lossy().into_owned();
            if !name.starts_with('.') {
                return name;
            }
        }
        assert_eq!(child.try_wait().expect("a child"), None, "it ended before it had a ledger");
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("waited 30 s for a ledger");
}

fn verdict(directory: &Path) -> Verdict {
    let text = fs::read_to_string(directory.join("verdict.json")).expect("the run was judged");
    serde_json::from_str(&text).expect("verdict.json is a verdict")
}

fn history(directory: &Path) -> History {
    reader::read(&directory.join("history")).expect("the history can be read")
}

fn check(place: &Place, directory: &Path) -> Assert {
    let mut command = place.program();
    command.arg("check").arg(directory).env("DOCKER_HOST", NO_ENGINE);
    Assert::from_std(command)
}

/// Whether these scenarios give a check something to examine: no group of theirs commits before it processes, no producer runs
/// transactions, and nothing is transformed.
fn has_subject(check: CheckName) -> bool {
    use CheckName::{AbortedRead, CrashSkip, ExactlyOnce, PrecommittedRead, TornTransaction};
    !matches!(check, CrashSkip | AbortedRead | PrecommittedRead | TornTransaction | ExactlyOnce)
}

/// What holds of every run in which Kafka has to lose nothing.
fn assert_nothing_was_lost(ran: &Ran) {
    let verdict = &ran.verdict;
    assert_eq!(ran.exit_code, Some(0), "{:#?}", verdict.reasons);
    assert_eq!((verdict.verdict, verdict.outcome, verdict.exit_code), (Validity::Valid, RunOutcome::Pass, 0));
    let counts = verdict.counts;
    assert!(counts.acked >= 50_000, "{counts:?}");
    assert_eq!(counts.sent, counts.acked + counts.failed + counts.indeterminate);
    assert!((counts.acked..=counts.acked + counts.indeterminate).contains(&counts.read_distinct), "{counts:?}");
    for line in &verdict.checks {
        assert_eq!(line.examined > 0, has_subject(line.check), "{} examined {}", line.check, line.examined);
        let found = if line.check == CheckName::Redelivery { 0 } else { line.found };
        let expected = if has_subject(line.check) { Validity::Valid } else { Validity::Skipped };
        assert_eq!((line.verdict, found), (expected, 0), "{}: {:?}", line.check, line.notes);
    }
    for fault in &verdict.faults {
        assert!(fault.proven && fault.proof.contains("exited 137"), "{}: {}", fault.id, fault.proof);
        assert!(fault.sends_overlapping > 0, "no send overlaps {}", fault.id);
    }
    let history = history(&ran.directory);
    assert_eq!(history.closure, Closure::Whole);
    assert_eq!(lost(&history), BTreeMap::new(), "counted here, without the checkers");
}

/// The acknowledged records that no drain reader read: what is lost, counted without the checkers.
fn lost(history: &History) -> BTreeMap<(TopicIndex, Partition, RecordId), SendRow> {
    let mut lost = BTreeMap::new();
    for ((topic, partition), rows) in &history.partitions {
        let drained: BTreeSet<RecordId> = rows
            .reads
            .iter()
            .filter(|read| matches!(history.processes[&read.reader], ProcessRole::Drain { .. }))
            .map(|read| read.record)
            .collect();
        let acked = rows.sends.iter().filter(|send| send.outcome == Outcome::Ok);
        lost.extend(
            acked.filter(|send| !drained.contains(&send.id())).map(|send| ((*topic, *partition, send.id()), *send)),
        );
    }
    lost
}

#[test]
fn kill_one_loses_nothing() {
    let ran = run("kill-one", "scenarios/kill-one.toml");
    assert_nothing_was_lost(&ran);
    let logs = names(&ran.directory.join("logs"));
    assert_eq!(logs, ["broker-1.log", "broker-2.log", "broker-3.log"]);

    // The run is self-contained: judged without any engine, it says the same, byte by byte.
    let before = files::read_all(&ran.directory);
    check(&ran.place, &ran.directory).assert().success().stdout(contains("PASS"));
    files::assert_same(&before, &files::read_all(&ran.directory));
    let moved = ran.place.path("moved");
    files::write_all(&before, &moved);
    check(&ran.place, &moved).assert().success();
    files::assert_same(&before, &files::read_all(&moved));
}

#[test]
fn kill_leader_loses_nothing() {
    let ran = run("kill-leader", "scenarios/kill-leader.toml");
    assert_nothing_was_lost(&ran);
    let [first, second] = &ran.verdict.faults[..] else { panic!("two faults: {:?}", ran.verdict.faults) };
    assert_ne!(first.targets, second.targets, "the second kill follows the leadership");
}

#[test]
fn every_codec_brings_back_what_was_sent_and_lies_on_the_disks() {
    let ran = run("codecs", "scenarios/codecs.toml");
    assert_nothing_was_lost(&ran);
    let history = history(&ran.directory);
    let reads = history.partitions.values().flat_map(|partition| &partition.reads);
    assert_eq!(reads.filter(|read| read.status != ReadStatus::Intact).count(), 0);
    let batches = history.partitions.values().flat_map(|partition| &partition.replicas);
    let codecs: BTreeSet<_> = batches.filter_map(|row| row.batch.codec()).collect();
    assert_eq!(codecs, BTreeSet::from(Codec::ALL), "a codec that no disk shows was not put to the test");
}

/// How many violations a check found.
fn found(verdict: &Verdict, check: CheckName) -> u64 {
    verdict.checks.iter().find(|line| line.check == check).expect("every check has its line").found
}

/// What holds of every control that was caught: it passes, and still tells what is true. `counted` is how many violations there
/// are, counted here without the checkers.
fn assert_caught(ran: &Ran, check: CheckName, counted: usize) {
    assert_eq!((ran.exit_code, ran.verdict.outcome), (Some(0), RunOutcome::Pass), "{:#?}", ran.verdict.reasons);
    assert_eq!(ran.verdict.verdict, Validity::Invalid, "{:#?}", ran.verdict.reasons);
    assert!(counted > 0, "{:#?}", ran.verdict.reasons);
    assert_eq!(found(&ran.verdict, check), counted as u64, "{:#?}", ran.verdict.reasons);
}

#[test]
fn non_idempotent_duplicates_are_caught() {
    let ran = run("non-idempotent-duplicates", "scenarios/controls/non-idempotent-duplicates.toml");
    let history = history(&ran.directory);
    let mut offsets: BTreeMap<(Partition, RecordId), BTreeSet<Offset>> = BTreeMap::new();
    for ((_, partition), rows) in &history.partitions {
        for read in &rows.reads {
            offsets.entry((*partition, read.record)).or_default().insert(read.offset);
        }
    }
    let twice = offsets.values().filter(|offsets| offsets.len() > 1).count();
    assert_caught(&ran, CheckName::Duplicate, twice);
    assert_eq!(lost(&history), BTreeMap::new(), "written twice is not lost");
}

#[test]
fn what_a_killed_member_had_committed_and_not_processed_is_caught() {
    let ran = run("commit-before-process-skips", "scenarios/controls/commit-before-process-skips.toml");
    let history = history(&ran.directory);
    let is_member = |read: &&ReadRow| matches!(history.processes[&read.reader], ProcessRole::Consumer { .. });
    let mut skipped = BTreeSet::new();
    for ((_, partition), rows) in &history.partitions {
        skipped.extend(rows.reads.iter().map(|read| (*partition, read.record)));
        for read in rows.reads.iter().filter(is_member) {
            skipped.remove(&(*partition, read.record));
        }
    }
    assert_caught(&ran, CheckName::CrashSkip, skipped.len());
    assert_eq!(found(&ran.verdict, CheckName::GroupDelivery), 0, "nothing but what the dead member had committed");
}

#[test]
fn acks_one_loses_and_is_caught() {
    let ran = run("acks-one-loses", "scenarios/controls/acks-one-loses.toml");
    assert_eq!((ran.exit_code, ran.verdict.outcome), (Some(0), RunOutcome::Pass), "{:#?}", ran.verdict.reasons);
    assert_eq!(ran.verdict.verdict, Validity::Invalid, "a control that passes still tells what is true");
    let history = history(&ran.directory);
    let lost = lost(&history);
    let found = |verdict: &Verdict| found(verdict, CheckName::LostWrite);
    assert_eq!(found(&ran.verdict), lost.len() as u64, "no more and no less than what is not in the log");
    assert_lost_between_freeze_and_death(&history, &lost);

    // The same history, when nobody allows anything.
    let strict = ran.place.path("strict");
    files::write_all(&files::read_all(&ran.directory), &strict);
    let scenario = fs::read_to_string(strict.join("scenario.toml")).expect("the run keeps its scenario");
    let without_expect = scenario.split("[expect]").next().expect("a split has a first part");
    fs::write(strict.join("scenario.toml"), without_expect).expect("the scenario can be changed");
    check(&ran.place, &strict).assert().code(1).stdout(contains("FAIL").and(contains("lost-write")));
    assert_eq!(found(&verdict(&strict)), lost.len() as u64);
    assert_every_lost_record_is_listed(&strict, &history, &lost);
}

#[test]
fn a_damaged_replica_is_caught_though_no_client_sees_it() {
    let ran = run("damaged-replica", "scenarios/controls/damaged-replica.toml");
    assert_eq!((ran.exit_code, ran.verdict.outcome), (Some(0), RunOutcome::Pass), "{:#?}", ran.verdict.reasons);
    for line in &ran.verdict.checks {
        let expected = match line.check {
            CheckName::ReplicaDivergence => Validity::Invalid,
            check if has_subject(check) => Validity::Valid,
            _ => Validity::Skipped,
        };
        assert_eq!(line.verdict, expected, "{}: {:?}", line.check, line.notes);
    }
}

/// The control's story: the leader that was about to die acknowledged alone, and what it acknowledged went with it.
fn assert_lost_between_freeze_and_death(
    history: &History,
    lost: &BTreeMap<(TopicIndex, Partition, RecordId), SendRow>,
) {
    let stages = |wanted: &str| -> Vec<(TimeNs, FaultStage)> {
        let stages = history.events.iter().filter_map(|event| match &event.kind {
            EventKind::Inject { fault, stage } if fault.0 == wanted => Some((event.time_ns, stage.clone())),
            _ => None,
        });
        stages.collect()
    };
    let (freeze, kill) = (stages("freeze-followers"), stages("kill-leader"));
    let (
        [(freezing, _), (frozen, FaultStage::Ok)],
        [(killing, FaultStage::Invoke { targets }), (killed, FaultStage::Ok)],
    ) = (&freeze[..], &kill[..])
    else {
        panic!("both faults were injected: {freeze:?} {kill:?}")
    };
    let [doomed] = &targets[..] else { panic!("one leader: {targets:?}") };
    let doomed = doomed.broker().expect("a broker");

    let alone = |send: &&SendRow| send.invoke_ns > *frozen && send.complete_ns < *killing;
    let sends = history.partitions.values().flat_map(|rows| &rows.sends);
    let acked_alone: Vec<&SendRow> = sends.filter(|send| send.outcome == Outcome::Ok).filter(alone).collect();
    assert!(acked_alone.iter().all(|send| send.broker == Some(doomed)), "nobody else was there to acknowledge");
    let lost_ids: BTreeSet<RecordId> = lost.keys().map(|(_, _, id)| *id).collect();
    let kept = acked_alone.iter().filter(|send| !lost_ids.contains(&send.id())).count();
    assert_eq!(kept, 0, "of {} records that only {doomed} had", acked_alone.len());
    assert!(lost.values().all(|send| send.broker == Some::<BrokerId>(doomed)), "nobody else lost anything");

    // One producer, one partition, a steady timetable: what went is one stretch of it, at 1000 records a second.
    let numbers: BTreeSet<u64> = lost_ids.iter().map(|id| id.sequence.0).collect();
    let (lowest, highest) = (numbers.first().expect("some were lost"), numbers.last().expect("some were lost"));
    assert_eq!(highest - lowest + 1, numbers.len() as u64, "a log's tail is lost in one piece");
    let due: BTreeSet<TimeNs> = lost.values().map(|send| send.scheduled_ns).collect();
    let (from, to) = (due.first().expect("some were lost"), due.last().expect("some were lost"));
    let (count, rate_per_s) = (lost.len() as f64, 1000.0);
    let expected = rate_per_s * TimeNs(to.since(*from)).as_secs_f64();
    let acked_before = lost.values().filter(|send| send.complete_ns < *freezing).count();
    let story = format!(
        "{count} records lost, due from {from} to {to}; {acked_before} of them acknowledged before the freeze, \
         {} while the leader was alone from {frozen} to {killing}; dead at {killed}",
        acked_alone.len()
    );
    assert!((0.98 * expected..=1.02 * expected + 2.0).contains(&count), "{story}");
    assert!(from < killing && to > frozen && to < killed, "{story}");
    assert!(acked_alone.len() >= 1000, "{story}");
}

/// `anomalies.csv` names every lost record, with all that is needed to find it again.
fn assert_every_lost_record_is_listed(
    directory: &Path,
    history: &History,
    lost: &BTreeMap<(TopicIndex, Partition, RecordId), SendRow>,
) {
    let mut table = csv::Reader::from_path(directory.join("anomalies.csv")).expect("anomalies.csv is there");
    let rows: Vec<BTreeMap<String, String>> = table.deserialize().map(|row| row.expect("a row")).collect();
    let columns = ["topic", "partition", "producer", "process", "sequence", "acked_offset"];
    let listed: BTreeSet<[String; 6]> = rows
        .iter()
        .filter(|row| row["check"] == "lost-write")
        .map(|row| {
            let ack_ms: f64 = row["ack_ms"].parse().expect("the time of its acknowledgement");
            assert!(ack_ms > 0.0, "{row:?}");
            columns.map(|column| row[column].clone())
        })
        .collect();
    let expected: BTreeSet<[String; 6]> = lost
        .iter()
        .map(|((topic, partition, id), send)| {
            let offset = send.offset.expect("acks=1 names an offset");
            let producer = history.processes[&id.process].label();
            let [process, sequence] = [id.process.0.to_string(), id.sequence.to_string()];
            [history.topic_name(*topic), partition.to_string(), producer, process, sequence, offset.to_string()]
        })
        .collect();
    assert!(!expected.is_empty());
    assert_eq!(listed.len(), expected.len());
    let missing: Vec<&[String; 6]> = expected.difference(&listed).take(3).collect();
    assert!(missing.is_empty(), "not listed: {missing:?}");
}

/// A small load on real brokers.
fn small(name: &str, chaos: &str, fault: &str) -> String {
    format!(
        "name = \"{name}\"\nseed = 42\n[cluster]\nkind = \"docker\"\nbrokers = 3\n\
         [cluster.config]\n\"min.insync.replicas\" = 2\n\
         [[topic]]\nname = \"chat\"\npartitions = 3\nreplication-factor = 3\n\
         [[producer]]\nname = \"chatters\"\ntopic = \"chat\"\nrate = \"300/s\"\n\
         config = {{ acks = \"all\", \"enable.idempotence\" = true }}\n\
         [[consumer-group]]\nname = \"chat-consumers\"\ntopics = [\"chat\"]\n\
         [phases]\nwarmup = \"2s\"\nchaos = \"{chaos}\"\nrecovery = \"60s\"\ndrain = \"60s\"\n{fault}"
    )
}

#[test]
fn a_killed_harness_leaves_nothing_after_clean() {
    let _turn = turn::cluster();
    let place = Place::new();
    let fault = "[[fault]]\nid = \"kill\"\nat = \"2s\"\nfor = \"25s\"\nkill = { target = \"broker:1\" }\n";
    let mut command = place.run();
    command.arg(place.file("s.toml", &small("killed", "30s", fault)));
    let mut child = start(command);
    place.wait_for_event("killed", &mut child, &["\"inject\"", "\"ok\""]);
    let label = label(&place, &mut child);
    child.kill().expect("the program can be killed");
    wait(&mut child);
    let left = labelled(&label);
    assert!(left.len() >= 4, "three brokers and a network: {left:?}");

    let mut command = place.program();
    command.args(["clean", "--dry-run"]);
    Assert::from_std(command).assert().success().stdout(contains("would remove").and(contains(label.as_str())));
    assert_eq!(labelled(&label), left, "a dry run removes nothing");

    let mut command = place.program();
    command.arg("clean");
    let cleaned = Assert::from_std(command).assert().success().stdout(contains("removed of run"));
    let said = String::from_utf8_lossy(&cleaned.get_output().stdout).into_owned();
    assert!(left.iter().all(|name| said.contains(name.as_str())), "{left:?} in {said}");
    assert_eq!(labelled(&label), Vec::<String>::new(), "left behind");
    assert_eq!(place.ledgers(), Vec::<PathBuf>::new(), "left behind");

    check(&place, &place.latest("killed")).assert().code(4).stdout(contains("INCONCLUSIVE").and(contains("run-ended")));
}

#[test]
fn two_runs_side_by_side_do_not_collide() {
    let _turn = turn::cluster();
    let place = Place::new();
    let scenario = place.file("s.toml", &small("twins", "6s", ""));
    let begin = |reports: &str| {
        let mut command = place.program();
        command.arg("run").arg("--reports").arg(place.path(reports)).arg(&scenario);
        start(command)
    };
    let mut twins = [begin("left"), begin("right")];
    let codes = twins.each_mut().map(|twin| wait(twin).code());
    assert_eq!(codes, [Some(0), Some(0)]);
    for reports in ["left", "right"] {
        let run = verdict(&place.path(reports).join("twins/latest"));
        assert_eq!((run.verdict, run.counts.failed), (Validity::Valid, 0));
        assert_eq!(run.counts.read_distinct, run.counts.acked, "no record of the other run was taken for one of this");
    }
    assert_eq!(place.ledgers(), Vec::<PathBuf>::new(), "left behind");
}

#[test]
fn an_image_that_is_nowhere_is_an_environment_error_that_helps() {
    let _turn = turn::cluster();
    let place = Place::new();
    let mut command = place.run();
    command.arg("scenarios/kill-one.toml").args(["--image", "wiber-chaos-tests/nothing:1"]);
    let ran = Assert::from_std(command).assert().code(5).stdout("");
    ran.stderr(contains("wiber-chaos-tests/nothing:1").and(contains("help:")));
    assert_eq!(place.ledgers(), Vec::<PathBuf>::new(), "nothing was made");
}
