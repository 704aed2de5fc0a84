//! Clients that are crashed, frozen and fenced against three real brokers: what the group makes of a member that is gone
//! without a word, what becomes of a producer's sends, and what a zombie finds when it wakes up.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::groups::GroupInfo;
use rdkafka::producer::{BaseProducer, Producer};

use crate::load::{EARLIEST, PATIENCE, Running, SESSION, group, producer, scenario, wait_for};
use crate::{load, turn};
use wiber_chaos::anomaly::Validity;
use wiber_chaos::cluster::Cluster;
use wiber_chaos::cluster::docker::DockerCluster;
use wiber_chaos::cluster::ledger::Ledger;
use wiber_chaos::fault::client::ClientState;
use wiber_chaos::history::event::RevocationCause;
use wiber_chaos::history::{Event, EventKind, SendRow};
use wiber_chaos::kafka::{Access, Outcome, ProcessId, TimeNs};
use wiber_chaos::scenario::{CommitMode, Rate, Scenario, TransactionSpec};
use wiber_chaos::workload::control::Controls;
use wiber_chaos::workload::transactional_id;

/// What librdkafka says to a producer in whose place another one writes.
const FENCED: [&str; 2] = ["_FENCED", "INVALID_PRODUCER_EPOCH"];

/// A freeze that is short enough for nobody to notice.
const SHORT: Duration = Duration::from_secs(2);

/// When each thing was done.
struct Times {
    killed: TimeNs,
    thawed: TimeNs,
}

#[test]
fn brokers_find_out_what_became_of_clients_that_crash_and_freeze() {
    let mut producers = producer(Rate::PerSecond(3000.0));
    producers.count = 2;
    on_three_brokers(
        "load-clients",
        scenario(vec![producers], vec![group(2, CommitMode::AfterProcess)]),
        |run, access| {
            play(run, access);
        },
    );
}

#[test]
fn a_producer_whose_transactional_id_is_taken_fails_what_it_had_open_and_lives_again() {
    let mut payers = producer(Rate::PerSecond(1000.0));
    // Acknowledgements show when a commit is done; whoever comes then finds the next transaction open, for seconds.
    let (every, timeout) = (Duration::from_secs(3), Duration::from_secs(30));
    payers.transactions = Some(TransactionSpec { records: 10_000, every, abort_millionths: 0, timeout });
    on_three_brokers("load-fenced", scenario(vec![payers], vec![group(1, CommitMode::AfterProcess)]), take_its_id);
}

/// Starts brokers and a load for one test, and removes them whatever its assertions say.
fn on_three_brokers(name: &str, scenario: Scenario, play: impl FnOnce(Running, &Access)) {
    let _turn = turn::cluster();
    let state = tempfile::tempdir().expect("a directory");
    let label = format!("{name}-{}", std::process::id());
    let ledger = Arc::new(Ledger::begin(state.path(), &label, state.path()).expect("a ledger"));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let started =
        runtime.block_on(DockerCluster::start(&scenario.cluster, &label, &scenario.topics, Arc::clone(&ledger)));
    let cluster = started.expect("three brokers");
    runtime.block_on(cluster.create_topics(&scenario.topics)).expect("a topic");
    let access = cluster.access();
    let start = || play(Running::start(scenario, &access), &access);
    let played = std::panic::catch_unwind(std::panic::AssertUnwindSafe(start));
    runtime.block_on(cluster.remove()).expect("nothing is left");
    ledger.close().expect("a ledger that is done with");
    if let Err(panic) = played {
        std::panic::resume_unwind(panic);
    }
}

/// Another producer takes the id while a transaction is open.
fn take_its_id(run: Running, access: &Access) {
    run.wait_for_acks(500);
    let intruder: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", access.bootstrap_servers())
        .set("transactional.id", transactional_id(&run.handle.header().run, "chatters/0"))
        .create()
        .expect("a client");
    intruder.init_transactions(PATIENCE).expect("the id");
    // A commit that was under way may be heard of later than the intruder's id, so that acknowledgements alone say nothing yet.
    let controls = run.controls();
    wait_for("another life of chatters/0", || {
        let look = controls.look("chatters/0").expect("a client");
        (look.incarnation >= 1, format!("{look:?}"))
    });
    run.wait_for_acks(1000);
    let ended = run.wind_up();
    ended.assert_accounted_for();
    let first = ended.process("chatters/0.0");

    let told = ended.events(|kind| matches!(kind, EventKind::ClientError { process, .. } if *process == first));
    let is_fenced =
        |event: &&Event| matches!(&event.kind, EventKind::ClientError { code, .. } if FENCED.contains(&&**code));
    assert!(told.iter().any(is_fenced), "{told:?}");
    let is_end = |kind: &EventKind| matches!(kind, EventKind::ProcessEnded { process, reason } if *process == first && reason == "it was fenced");
    assert_eq!(ended.events(is_end).len(), 1);

    // What was open certainly failed, unless its commit was asked for already; what had been committed is there, and so is
    // what the next life committed.
    let outcomes = |process| {
        let sends = ended.history.partitions.values().flat_map(|partition| &partition.sends);
        let of_it = sends.filter(move |row| row.process == process);
        of_it.fold([0_u64; 3], |mut counts, row| {
            counts[row.outcome as usize] += 1;
            counts
        })
    };
    let [ok, fail, info] = outcomes(first);
    assert!(ok >= 500 && fail + info > 0, "{ok} ok, {fail} fail, {info} info");
    // The coordinator fences the first life before it gives its id away, so that the second may claim it before the intruder has
    // it, and be fenced in its turn.
    let later = (1..).map_while(|life| ended.find_process(&format!("chatters/0.{life}")));
    let committed: Vec<u64> = later.map(|process| outcomes(process)[0]).collect();
    assert!(committed.iter().sum::<u64>() >= 1000, "later lives committed {committed:?}");
    for partition in ended.history.partitions.values() {
        let failed: BTreeSet<_> =
            partition.sends.iter().filter(|row| row.outcome == Outcome::Fail).map(SendRow::id).collect();
        assert!(partition.reads.iter().all(|read| !failed.contains(&read.record)), "an aborted record was read");
    }
}

fn play(run: Running, access: &Access) {
    let controls = run.controls();
    run.wait_for_acks(5000);
    wait_for_reads(&controls, "readers/0", 500);
    wait_for_reads(&controls, "readers/1", 500);

    controls.crash("chatters/0").expect("a crash");
    let down = controls.look("chatters/0").expect("a client");
    assert_eq!((down.state, down.pid), (ClientState::Crashed, None));
    run.wait_for_acks(3000);
    controls.resume("chatters/0").expect("a resumption");

    // A pause that is shorter than the session goes unnoticed.
    controls.freeze("readers/1").expect("a freeze");
    std::thread::sleep(SHORT);
    controls.resume("readers/1").expect("it runs on");
    wait_for_reads(&controls, "readers/1", 500);

    let killed = run.handle.now();
    controls.crash("readers/0").expect("a crash");
    wait_for_members(access, 1);
    controls.resume("readers/0").expect("a resumption");
    wait_for_reads(&controls, "readers/0", 500);
    wait_for_reads(&controls, "readers/1", 500);

    // Both are members again before one of them is taken away.
    wait_for_members(access, 2);
    controls.freeze("readers/1").expect("a freeze");
    wait_for_members(access, 1);
    let thawed = run.handle.now();
    controls.resume("readers/1").expect("it runs on");
    wait_for_reads(&controls, "readers/1", 500);
    // A producer that wakes up with batches under way.
    controls.freeze("chatters/1").expect("a freeze");
    std::thread::sleep(SHORT);
    controls.resume("chatters/1").expect("it runs on");
    run.wait_for_acks(3000);
    controls.crash("chatters/1").expect("a crash that lasts");
    let start = Instant::now();
    let ended = run.wind_up();
    let took = start.elapsed();
    tell(&judge(&ended, &Times { killed, thawed }, took));
}

fn wait_for_reads(controls: &Controls, label: &str, more: u64) {
    let before = controls.look(label).expect("a client").read;
    wait_for(&format!("{label} to read"), || {
        let look = controls.look(label).expect("a client");
        (look.read >= before + more, format!("{look:?}"))
    });
}

/// Waits until the coordinator has so many members in the group and all of them are assigned: how long it takes to give a
/// silent one up is the brokers' business, and longer where they have little of the processors.
fn wait_for_members(access: &Access, wanted: usize) {
    let asker: BaseConsumer =
        ClientConfig::new().set("bootstrap.servers", access.bootstrap_servers()).create().expect("a client");
    wait_for(&format!("{wanted} stable members"), || {
        let told = asker.fetch_group_list(Some("readers"), PATIENCE / 9);
        let seen = told.map(|list| {
            let state = |group: &GroupInfo| (group.state().to_owned(), group.members().len());
            list.groups().iter().map(state).collect::<Vec<_>>()
        });
        (seen.as_ref().is_ok_and(|seen| *seen == [("Stable".to_owned(), wanted)]), format!("{seen:?}"))
    });
}

/// Checks everything, and says what was measured.
fn judge(ended: &load::Ended, times: &Times, took: Duration) -> String {
    ended.assert_accounted_for();
    let (dead, zombie, reborn) = ("readers/0.0", "readers/1.0", "readers/0.1");
    let [dead, zombie, reborn] = [dead, zombie, reborn].map(|label| ended.process(label));

    let given_up = ended.revoked(dead, RevocationCause::Crashed);
    assert!(!given_up.is_empty(), "the member owned nothing when it was killed");
    let inherited = ended.assigned_since(zombie, times.killed);
    let moved = given_up.keys().map(|partition| inherited[partition].since(times.killed)).min().expect("some");
    let taken_over = Duration::from_nanos(moved);
    assert!(taken_over >= EARLIEST, "partitions of a killed member moved after {taken_over:?}");

    let lost = ended.revoked(zombie, RevocationCause::Lost);
    assert!(!lost.is_empty(), "the zombie was not told that it had lost its partitions");
    assert!(
        lost.values().all(|when| *when >= times.thawed),
        "told while it was frozen, or by the short freeze: {lost:?}"
    );
    let found_out = lost.values().max().expect("some").since(times.thawed);
    let heir = ended.assigned_since(reborn, times.killed);
    assert!(lost.keys().any(|partition| heir.contains_key(partition)), "nobody took over from the zombie");

    let sends = ended.history.partitions.values().flat_map(|partition| &partition.sends);
    let killed: Vec<ProcessId> = ["chatters/0.0", "chatters/1.0"].map(|label| ended.process(label)).to_vec();
    let of_killed = sends.filter(|row| killed.contains(&row.process));
    let (mut ok, mut info, mut survived) = (0_u64, 0_u64, 0_u64);
    for row in of_killed {
        match row.outcome {
            Outcome::Ok => ok += 1,
            Outcome::Info => {
                info += 1;
                let rows = &ended.history.partitions[&(row.topic, row.partition)];
                survived += u64::from(rows.reads.iter().any(|read| read.record == row.id()));
            }
            Outcome::Fail => {}
        }
    }
    assert!(ok > 5000, "{ok}");
    let delivery = ended.group_delivery();
    assert_eq!((delivery.validity, delivery.found), (Validity::Valid, 0), "{delivery:?}");
    format!(
        "killed member's partitions moved after {:.2} s (session {} s); zombie found out {:.0} ms after it ran on; killed \
         producers: {ok} ok, {info} info, of which {survived} are in the logs; wound up in {:.1} s; {:?}\n",
        taken_over.as_secs_f64(),
        SESSION.as_secs(),
        Duration::from_nanos(found_out).as_secs_f64() * 1e3,
        took.as_secs_f64(),
        delivery.notes,
    )
}

fn tell(message: &str) {
    std::io::stderr().write_all(message.as_bytes()).expect("stderr");
}
