//! Clients that are crashed, frozen, slowed and multiplied, against librdkafka's mock cluster: whatever is done to them,
//! every send is accounted for and the group finishes. What brokers make of it is for `docker_clients` to show.

#[path = "support/load.rs"]
mod load;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use load::{EARLIEST, PARTITIONS, Running, SESSION, group, producer, scenario, wait_for};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use wiber_chaos::anomaly::Validity;
use wiber_chaos::fault::client::{ClientHome, ClientState};
use wiber_chaos::history::event::RevocationCause;
use wiber_chaos::history::{EventKind, ProcessRole};
use wiber_chaos::kafka::{Access, Endpoint, Outcome};
use wiber_chaos::scenario::{CommitMode, ProducerSpec, Rate};
use wiber_chaos::workload::apart::Clients;
use wiber_chaos::workload::control::{ControlError, Controls, Storm};

type Mock = MockCluster<'static, DefaultProducerContext>;

fn mock() -> (Mock, Access) {
    let mock = Mock::new(3).expect("a mock cluster");
    mock.create_topic("chat", PARTITIONS.cast_signed(), 3).expect("a topic");
    let access = Access::plaintext(Endpoint::parse_list(&mock.bootstrap_servers()).expect("addresses"));
    (mock, access)
}

/// Whether the operating system has this process.
fn lives(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

#[test]
fn a_crashed_producer_leaves_no_send_without_a_row_and_comes_back_as_a_new_process() {
    let (_mock, access) = mock();
    let spec = ProducerSpec { headers: 4, ..producer(Rate::PerSecond(5000.0)) };
    let run = Running::start(scenario(vec![spec], vec![group(1, CommitMode::AfterProcess)]), &access);
    let controls = run.controls();
    run.wait_for_acks(2000);
    let before = controls.look("chatters/0").expect("a client");
    assert_eq!((before.home, before.state, before.incarnation), (ClientHome::Process, ClientState::Running, 0));
    controls.crash("chatters/0").expect("a crash");
    let down = controls.look("chatters/0").expect("a client");
    assert_eq!((down.state, down.pid), (ClientState::Crashed, None));
    assert!(!lives(before.pid.expect("it had a process")));
    controls.crash("chatters/0").expect("it is crashed already");
    let at_rest = run.load.counters().totals();
    assert_eq!(at_rest.in_flight, 0, "what was in flight is resolved");
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(run.load.counters().totals().sent, at_rest.sent, "it stays down");
    let resumed_ns = run.handle.now();
    controls.resume("chatters/0").expect("a resumption");
    controls.resume("chatters/0").expect("it runs already");
    run.wait_for_acks(2000);
    assert_eq!(controls.look("chatters/0").expect("a client").incarnation, 1);

    let ended = run.wind_up();
    ended.assert_accounted_for();
    let (first, second) = (ended.process("chatters/0.0"), ended.process("chatters/0.1"));
    let sends: Vec<_> = ended.history.partitions.values().flat_map(|partition| &partition.sends).collect();
    assert!(sends.iter().any(|row| row.process == first) && sends.iter().any(|row| row.process == second));
    // While it was down nobody asked anything of it.
    let late = sends.iter().filter(|row| row.process == second).map(|row| row.scheduled_ns).min().expect("sends");
    assert!(late >= resumed_ns, "{late} is before {resumed_ns}");
    assert!(ended.history.events.iter().any(|event| matches!(&event.kind,
        EventKind::ProcessEnded { process, reason } if *process == first && reason == "killed by signal 9")));
}

#[test]
fn what_a_crashed_producer_had_in_flight_is_info() {
    let (mock, access) = mock();
    let mut spec = producer(Rate::PerSecond(5000.0));
    spec.in_flight = 500;
    let run = Running::start(scenario(vec![spec], vec![]), &access);
    run.wait_for_acks(1000);
    mock.broker_down(-1).expect("brokers that go");
    // What was acknowledged before the brokers went is told of by the batch, and is in flight until then as far as anybody knows.
    let last = Cell::new((0, Instant::now()));
    run.wait_until("a full in-flight limit that nothing leaves any more", |totals| {
        if last.get().0 != totals.acked {
            last.set((totals.acked, Instant::now()));
        }
        totals.in_flight >= 500 && last.get().1.elapsed() > Duration::from_secs(1)
    });
    run.controls().crash("chatters/0").expect("a crash");
    mock.broker_up(-1).expect("brokers that come back");
    let totals = run.load.counters().totals();
    assert!(totals.indeterminate >= 500 && totals.in_flight == 0, "{totals:?}");
    // It stays down, and the end of the load does not wait for it.
    let ended = run.wind_up();
    ended.assert_accounted_for();
    let rows = ended.history.partitions.values().flat_map(|partition| &partition.sends);
    assert!(rows.filter(|row| row.outcome == Outcome::Info).count() >= 500);
}

#[test]
fn a_crashed_members_partitions_go_to_the_other_one_after_the_session_timeout_and_not_before() {
    let (_mock, access) = mock();
    let run = Running::start(
        scenario(vec![producer(Rate::PerSecond(1000.0))], vec![group(2, CommitMode::AfterProcess)]),
        &access,
    );
    run.wait_until("reads", |totals| totals.read >= 2000);
    both_read(&run);
    let crashed_ns = run.handle.now();
    run.controls().crash("readers/0").expect("a crash");
    std::thread::sleep(SESSION * 2);
    let ended = run.wind_up();
    ended.assert_accounted_for();
    let (dead, heir) = (ended.process("readers/0.0"), ended.process("readers/1.0"));
    let lost = ended.revoked(dead, RevocationCause::Crashed);
    assert!(!lost.is_empty(), "it owned something");
    let inherited = ended.assigned_since(heir, crashed_ns);
    for partition in lost.keys() {
        let waited = Duration::from_nanos(inherited[partition].since(crashed_ns));
        assert!(waited >= EARLIEST, "{partition} moved after {waited:?}");
    }
    // The drain brought it back, unless the other one had nothing left to be helped with.
    let returned = ended.history.processes.values().any(|role| role.label() == "readers/0.1");
    let all = usize::try_from(PARTITIONS).expect("few partitions");
    let finished = |kind: &EventKind| match kind {
        EventKind::Drained { process, positions } => *process == heir && positions.len() == all,
        _ => false,
    };
    assert!(returned || !ended.events(finished).is_empty(), "nobody finished what it left");
    let verdict = ended.group_delivery();
    assert_eq!((verdict.validity, verdict.found), (Validity::Valid, 0), "{verdict:?}");
}

/// Waits until both members of the group have read something lately.
fn both_read(run: &Running) {
    let controls = run.controls();
    wait_for("both members to read", || {
        let looks = ["readers/0", "readers/1"].map(|label| controls.look(label).expect("a client"));
        (looks.iter().all(|look| look.read > 100), format!("{looks:?}"))
    });
}

#[test]
fn a_frozen_member_loses_its_partitions_and_finds_out_when_it_runs_on() {
    let (_mock, access) = mock();
    let run = Running::start(
        scenario(vec![producer(Rate::PerSecond(1000.0))], vec![group(2, CommitMode::AfterProcess)]),
        &access,
    );
    both_read(&run);
    let controls = run.controls();
    controls.freeze("readers/0").expect("a freeze");
    controls.freeze("readers/0").expect("it is frozen already");
    let frozen = controls.look("readers/0").expect("a client");
    assert_eq!(frozen.state, ClientState::Frozen);
    std::thread::sleep(SESSION * 2);
    let still = controls.look("readers/0").expect("a client");
    assert!(still.read <= frozen.read + 2000, "{still:?} read on after {frozen:?}");
    let before = controls.look("readers/0").expect("a client").read;
    controls.resume("readers/0").expect("it runs on");
    wait_for("the zombie to read again", || {
        let look = controls.look("readers/0").expect("a client");
        (look.read > before, format!("{look:?}"))
    });
    assert_eq!(controls.look("readers/0").expect("a client").incarnation, 0, "the same process");
    let ended = run.wind_up();
    ended.assert_accounted_for();
    let zombie = ended.process("readers/0.0");
    let lost = ended.revoked(zombie, RevocationCause::Lost);
    assert!(!lost.is_empty(), "it was told that it had lost its partitions");
    let [frozen_at, thawed_at] = [
        ended.events(|kind| matches!(kind, EventKind::ProcessFrozen { process } if *process == zombie)),
        ended.events(|kind| matches!(kind, EventKind::ProcessThawed { process } if *process == zombie)),
    ]
    .map(|events| events[0].time_ns);
    assert!(lost.values().all(|when| *when > thawed_at), "it found out when it ran on");
    let idle = ended.history.partitions.values().flat_map(|partition| &partition.reads);
    let during = idle.filter(|row| row.reader == zombie && row.read_ns > frozen_at && row.read_ns < thawed_at).count();
    assert_eq!(during, 0, "a frozen process reads nothing");
    let verdict = ended.group_delivery();
    assert_eq!((verdict.validity, verdict.found), (Validity::Valid, 0), "{verdict:?}");
}

#[test]
fn a_frozen_producer_is_late_and_not_lost_and_the_end_of_the_load_thaws_it() {
    let (_mock, access) = mock();
    let run = Running::start(scenario(vec![producer(Rate::PerSecond(1000.0))], vec![]), &access);
    run.wait_for_acks(500);
    let controls = run.controls();
    controls.freeze("chatters/0").expect("a freeze");
    std::thread::sleep(Duration::from_millis(300));
    let acked = run.load.counters().totals().acked;
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(run.load.counters().totals().acked, acked, "a frozen process hears nothing");
    somebody_else_stops_it_and_lets_it_run_on(&controls);
    controls.resume("chatters/0").expect("it runs on");
    run.wait_for_acks(1500);
    controls.freeze("chatters/0").expect("a freeze");
    let ended = run.wind_up();
    ended.assert_accounted_for();
    let rows: Vec<_> = ended.history.partitions.values().flat_map(|partition| &partition.sends).collect();
    let late = rows.iter().map(|row| row.invoke_ns.since(row.scheduled_ns)).max().expect("sends");
    assert!(late > 1_400_000_000, "what fell due in the freeze is late by it: {late} ns");
}

/// What is told of a client is what the kernel says, whoever brought it about. It is frozen when this begins and when it ends.
fn somebody_else_stops_it_and_lets_it_run_on(controls: &Controls) {
    let pid = controls.look("chatters/0").expect("a client").pid.expect("a process").to_string();
    for (signal, state) in [("-CONT", ClientState::Running), ("-STOP", ClientState::Frozen)] {
        assert!(Command::new("kill").args([signal, &pid]).status().expect("kill runs").success());
        wait_for(&format!("it to be {state} after {signal}"), || {
            let look = controls.look("chatters/0").expect("a client");
            (look.state == state, format!("{look:?}"))
        });
    }
}

#[test]
fn a_slow_member_falls_behind_until_it_may_read_at_full_speed() {
    for clients in [Clients::All, Clients::None] {
        // A log of its own: what another run left there would be read, and be no record of this one.
        let (_mock, access) = mock();
        let scenario = scenario(vec![producer(Rate::PerSecond(1000.0))], vec![group(1, CommitMode::AfterProcess)]);
        let run = Running::start_with(scenario, &access, clients);
        run.wait_until("reads", |totals| totals.read >= 1000);
        let controls = run.controls();
        controls.slow("readers/0", Duration::from_millis(10)).expect("slowness");
        // What was read before is handed in within a tenth of a second.
        std::thread::sleep(Duration::from_millis(500));
        let (before, start) = (controls.look("readers/0").expect("a client"), Instant::now());
        assert_eq!(before.state, ClientState::Slow { per_record_ns: 10_000_000 });
        std::thread::sleep(Duration::from_secs(2));
        let read = controls.look("readers/0").expect("a client").read - before.read;
        let per_second = read as f64 / start.elapsed().as_secs_f64();
        assert!((50.0..=115.0).contains(&per_second), "{per_second} records/s");
        controls.full_speed("readers/0").expect("speed");
        let sent = run.load.counters().totals().sent;
        run.wait_until("the lag to be gone", |totals| totals.read >= sent);
        controls.slow("readers/0", Duration::from_secs(1)).expect("slowness");
        let ended = run.wind_up();
        ended.assert_accounted_for();
        assert_eq!(ended.group_delivery().found, 0);
    }
}

#[test]
fn a_storm_of_joins_and_leaves_loses_nothing_and_ends() {
    let (_mock, access) = mock();
    let run = Running::start(
        scenario(vec![producer(Rate::PerSecond(1000.0))], vec![group(1, CommitMode::AfterProcess)]),
        &access,
    );
    run.wait_until("reads", |totals| totals.read >= 500);
    let controls = run.controls();
    let storm = Storm { extra: 2, every: Duration::from_secs(1), seed: 42 };
    controls.storm("readers", storm).expect("a storm");
    controls.storm("readers", storm).expect("it blows already");
    wait_for("joins and leaves", || {
        let look = controls.storm_look("readers");
        (look.joined >= 4 && look.left >= 2, format!("{look:?}"))
    });
    let look = controls.calm("readers").expect("calm");
    assert_eq!((look.present, look.joined), (0, look.left), "{look:?}");
    controls.storm("readers", storm).expect("another one");
    wait_for("another join", || {
        let look = controls.storm_look("readers");
        (look.joined >= 1, format!("{look:?}"))
    });
    let ended = run.wind_up();
    ended.assert_accounted_for();
    let labels: BTreeSet<String> = ended.history.processes.values().map(ProcessRole::label).collect();
    assert!(labels.contains("readers/1.0") || labels.contains("readers/2.0"), "{labels:?}");
    assert_eq!(labels.len(), ended.history.processes.len(), "every life has a label of its own");
    let verdict = ended.group_delivery();
    assert_eq!((verdict.validity, verdict.found), (Validity::Valid, 0), "{verdict:?}");
}

#[test]
fn what_cannot_be_done_is_refused_with_a_reason() {
    let (_mock, access) = mock();
    let scenario = scenario(vec![producer(Rate::PerSecond(1000.0))], vec![group(1, CommitMode::AfterProcess)]);
    let run = Running::start_with(scenario, &access, Clients::Named(BTreeSet::from(["readers/0".to_owned()])));
    let controls = run.controls();
    assert_eq!(controls.labels(), ["chatters/0", "readers/0"]);
    assert!(matches!(controls.crash("chatters/0"), Err(ControlError::NotApart(_))));
    assert!(matches!(controls.freeze("chatters/0"), Err(ControlError::NotApart(_))));
    assert!(matches!(controls.slow("chatters/0", Duration::ZERO), Err(ControlError::NotAMember(_))));
    assert!(matches!(controls.crash("nobody/0"), Err(ControlError::UnknownClient { .. })));
    let storm = Storm { extra: 1, every: Duration::from_secs(1), seed: 1 };
    assert!(matches!(controls.storm("nobody", storm), Err(ControlError::UnknownGroup { .. })));
    controls.crash("readers/0").expect("a crash");
    assert!(matches!(controls.freeze("readers/0"), Err(ControlError::NotUp { .. })));
    controls.resume("readers/0").expect("a resumption");
    run.wait_for_acks(100);
    let ended = run.wind_up();
    ended.assert_accounted_for();
    assert!(matches!(controls.crash("readers/0"), Err(ControlError::NotUp { .. })));
}

#[test]
fn a_load_that_is_given_up_leaves_no_process_behind_not_even_a_frozen_one() {
    let (_mock, access) = mock();
    let run = Running::start(
        scenario(vec![producer(Rate::PerSecond(1000.0))], vec![group(1, CommitMode::AfterProcess)]),
        &access,
    );
    run.wait_for_acks(100);
    let controls = run.controls();
    controls.freeze("readers/0").expect("a freeze");
    let pids = ["chatters/0", "readers/0"].map(|label| controls.look(label).expect("a client").pid.expect("a process"));
    assert!(pids.into_iter().all(lives));
    drop(run);
    wait_for("every process to end", || (!pids.into_iter().any(lives), format!("{:?}", pids.map(lives))));
}

#[test]
fn members_that_commit_before_they_process_may_be_killed_at_any_moment() {
    let (_mock, access) = mock();
    let scenario = scenario(vec![producer(Rate::PerSecond(400.0))], vec![group(2, CommitMode::BeforeProcess)]);
    let run = Running::start(scenario, &access);
    both_read(&run);
    let controls = run.controls();
    for round in 0..4_u64 {
        // At another point of the rhythm of commits each time.
        std::thread::sleep(Duration::from_millis(100 + 23 * round));
        controls.crash("readers/0").expect("a crash");
        controls.resume("readers/0").expect("a resumption");
        let before = controls.look("readers/0").expect("a client").read;
        wait_for("the new member to read", || {
            let look = controls.look("readers/0").expect("a client");
            (look.read > before + 100, format!("{look:?}"))
        });
    }
    let ended = run.wind_up();
    ended.assert_accounted_for();
    let verdict = ended.group_delivery();
    assert_eq!((verdict.validity, verdict.found), (Validity::Valid, 0), "{verdict:?}");
}

/// Not a check: prints what a process of its own costs a producer at the greatest rate, for whoever wonders.
#[test]
#[ignore = "a measurement, of which nothing is asserted; run it alone"]
fn how_fast_a_client_in_a_process_of_its_own_is() {
    let (_mock, access) = mock();
    for clients in [Clients::None, Clients::All] {
        let mut spec = producer(Rate::Max);
        spec.in_flight = 50_000;
        let run = Running::start_with(scenario(vec![spec], vec![]), &access, clients.clone());
        run.wait_for_acks(1000);
        let (before, start) = (run.load.counters().totals().acked, Instant::now());
        std::thread::sleep(Duration::from_secs(5));
        let acked = run.load.counters().totals().acked - before;
        let message = format!("{clients:?}: {:.0} acked/s\n", acked as f64 / start.elapsed().as_secs_f64());
        std::io::Write::write_all(&mut std::io::stderr(), message.as_bytes()).expect("stderr");
    }
}
