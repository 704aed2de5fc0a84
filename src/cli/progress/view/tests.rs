//! The live view at moments of a run that is told by hand: every line of it on terminals of every size.

use super::super::state::Sample;
use super::*;
use crate::cli::terminal::Style;
use crate::fault::{FaultId, Moment, Observation, Probe, ProcessState, Standing, Victim};
use crate::history::event::FaultStage;
use crate::history::{Event, EventKind};
use crate::kafka::{BrokerId, ClusterView, LeaderEpoch, PartitionView, TopicPartition};
use crate::scenario;
use crate::workload::Totals;

const SCENARIO: &str = r#"
    name = "kill-one"
    [[topic]]
    name = "chat"
    [[producer]]
    name = "chatters"
    topic = "chat"
    [[consumer-group]]
    name = "chat-consumers"
    topics = ["chat"]
    [[fault]]
    id = "kill"
    at = "5s"
    for = "15s"
    kill = { target = "broker:2" }
    [[fault]]
    id = "split"
    at = "6s"
    for = "3s"
    isolate = { target = "broker:3" }
    [[fault]]
    id = "freeze"
    at = "25s"
    for = "3s"
    pause = { target = "broker:1" }
"#;

fn at(second: f64) -> TimeNs {
    TimeNs(u64::try_from(Duration::from_secs_f64(second).as_nanos()).expect("a few seconds"))
}

/// A cluster in which these brokers are there, each partition led by the first of them.
fn view(brokers: &[i32]) -> EventKind {
    let ids: Vec<BrokerId> = brokers.iter().copied().map(BrokerId).collect();
    let partitions = (0..3).map(|partition| PartitionView {
        partition: TopicPartition::new("chat", partition),
        leader: ids.iter().cycle().nth(partition.unsigned_abs() as usize).copied(),
        leader_epoch: Some(LeaderEpoch(1)),
        replicas: vec![BrokerId(1), BrokerId(2), BrokerId(3)],
        isr: ids.clone(),
    });
    let partitions = partitions.collect();
    EventKind::ClusterObserved {
        view: ClusterView { brokers: ids, controller: Some(BrokerId(1)), controller_epoch: None, partitions },
    }
}

fn fault(id: &str) -> FaultId {
    FaultId(id.to_owned())
}

fn inject(id: &str, broker: i32) -> [EventKind; 2] {
    let targets = vec![Victim::Broker(BrokerId(broker))];
    [FaultStage::Invoke { targets }, FaultStage::Ok].map(|stage| EventKind::Inject { fault: fault(id), stage })
}

fn killed(id: &str) -> EventKind {
    let standing = Standing { registered: false, replica_of: 3, in_isr_of: 0, leads: 0 };
    let observation = Observation {
        process: ProcessState::Exited { exit_code: 137 },
        probe: Probe::Refused,
        standing: Some(standing),
        sights: Vec::new(),
    };
    EventKind::Proof { fault: fault(id), moment: Moment::During, target: BrokerId(2), observation }
}

fn started() -> EventKind {
    EventKind::RunStarted {
        format_version: 1,
        run: "20260301T120000Z-42".to_owned(),
        scenario: "kill-one".to_owned(),
        seed: 42,
        started_utc: "2026-03-01T12:00:00Z".to_owned(),
        topics: vec!["chat".to_owned()],
        partitions: vec![3],
        scenario_crc32: 0,
        plan_crc32: 0,
        asked_crc32: None,
    }
}

/// A run that is told event by event; a second's counts come with each whole second.
struct Told(State);

impl Told {
    fn new() -> Self {
        let mut told = Self(State::new(&scenario::parse("s.toml", SCENARIO).expect("it is right").scenario));
        told.event(0.0, started());
        told
    }

    fn event(&mut self, second: f64, kind: EventKind) -> &mut Self {
        self.0.take(&Event { time_ns: at(second), kind });
        self
    }

    fn phase(&mut self, second: f64, phase: Phase) -> &mut Self {
        self.event(second, EventKind::PhaseStarted { phase })
    }

    /// Lets the load run at this rate.
    fn load(&mut self, seconds: std::ops::RangeInclusive<u32>, per_second: u64) -> &mut Self {
        for second in seconds {
            let before = self.0.latest().map(|sample| sample.totals).unwrap_or_default();
            let totals = Totals {
                sent: before.sent + 2_000,
                acked: before.acked + per_second,
                failed: 0,
                indeterminate: 0,
                read: before.read + per_second,
                in_flight: before.in_flight + 2_000 - per_second,
            };
            let unread = vec![("chat-consumers".to_owned(), before.in_flight)];
            let mut latencies = self.0.latest().map(|sample| sample.latencies.clone()).unwrap_or_default();
            for record in 0..per_second {
                latencies.record(if record % 50 == 0 { 34_000 } else { 2_800 });
            }
            let at = at(f64::from(second));
            self.0.pass(at);
            self.0.second(Some(Sample { at, totals, latencies, unread }));
        }
        self
    }

    fn shown(&self, width: usize, rows: usize, charset: Charset, style: Style) -> String {
        let shown = lines(&self.0, &Frame { sheet: Sheet { width, charset, style }, rows });
        shown.into_iter().map(|line| line + "\n").collect()
    }

    /// As it is on three terminals, one below the other.
    fn on_each(&self) -> String {
        let one = |width| format!("{width} columns\n{}", self.shown(width, 30, Charset::Unicode, Style::Plain));
        [120, 80, 40].map(one).join("\n")
    }
}

/// A broker is dead, another one is cut off.
fn disturbed() -> Told {
    let mut told = Told::new();
    told.phase(0.1, Phase::Start).event(8.0, view(&[1, 2, 3])).phase(9.0, Phase::Warmup).load(10..=13, 2_000);
    told.phase(14.0, Phase::Chaos).load(14..=18, 2_000);
    for kind in inject("kill", 2) {
        told.event(19.0, kind);
    }
    told.event(19.4, killed("kill")).load(19..=19, 900);
    for kind in inject("split", 3) {
        told.event(20.0, kind);
    }
    told.event(20.5, view(&[1, 3])).load(20..=22, 1_500);
    told
}

#[test]
fn before_anything_is_known() {
    let told = Told(State::new(&scenario::parse("s.toml", SCENARIO).expect("it is right").scenario));
    insta::assert_snapshot!(told.on_each());
}

#[test]
fn in_the_warm_up_the_first_fault_is_announced() {
    let mut told = Told::new();
    told.phase(0.1, Phase::Start).event(8.0, view(&[1, 2, 3])).phase(9.0, Phase::Warmup).load(10..=12, 2_000);
    insta::assert_snapshot!(told.on_each());
}

#[test]
fn while_one_broker_is_dead_and_another_is_cut_off() {
    insta::assert_snapshot!(disturbed().on_each());
}

#[test]
fn when_one_fault_is_healed_and_the_run_is_interrupted() {
    let mut told = disturbed();
    told.event(23.0, EventKind::Interrupted { signal: "SIGINT".to_owned() });
    told.event(23.0, EventKind::Heal { fault: fault("kill"), stage: FaultStage::Invoke { targets: Vec::new() } });
    told.event(23.1, EventKind::Heal { fault: fault("split"), stage: FaultStage::Ok });
    told.event(23.5, EventKind::ClusterUnreachable { reason: "no broker answers\n\u{1b}[2J".to_owned() });
    insta::assert_snapshot!(told.on_each());
}

#[test]
fn while_the_cluster_recovers_and_when_only_the_verdict_is_missing() {
    let mut told = disturbed();
    for id in ["kill", "split"] {
        told.event(34.0, EventKind::Heal { fault: fault(id), stage: FaultStage::Ok });
    }
    told.phase(44.0, Phase::Recovery).event(46.0, view(&[1, 2, 3])).load(45..=49, 2_000);
    let recovering = told.on_each();
    told.phase(50.0, Phase::Drain).phase(53.0, Phase::Stop);
    told.event(60.0, EventKind::RunEnded { sends: 0, reads: 0, seal: crate::history::seal::Seal::default() });
    told.0.pass(at(63.0));
    insta::assert_snapshot!(format!("{recovering}\nrecorded\n{}", told.shown(80, 30, Charset::Unicode, Style::Plain)));
}

#[test]
fn while_nothing_is_acknowledged_and_sends_are_lost() {
    let mut told = disturbed();
    told.load(23..=29, 0);
    let mut sample = told.0.latest().expect("counts").clone();
    (sample.at, sample.totals.failed, sample.totals.indeterminate) = (at(30.0), 1_200, 34);
    told.0.pass(sample.at);
    told.0.second(Some(sample));
    insta::assert_snapshot!(told.on_each());
}

#[test]
fn on_a_short_terminal_brokers_share_a_line_and_on_a_tiny_one_the_head_is_left() {
    let told = disturbed();
    let shown = |rows| format!("{rows} lines\n{}", told.shown(80, rows, Charset::Unicode, Style::Plain));
    insta::assert_snapshot!([10, 5, 1].map(shown).join("\n"));
}

#[test]
fn without_unicode_and_colour_the_same_is_said() {
    let told = disturbed();
    let plain = told.shown(80, 30, Charset::Ascii, Style::Plain);
    assert!(plain.is_ascii(), "{plain}");
    let coloured = told.shown(80, 30, Charset::Ascii, Style::Colored);
    let mut without = String::new();
    for (index, piece) in coloured.split("\u{1b}[").enumerate() {
        without.push_str(if index == 0 { piece } else { piece.split_once('m').expect("a whole code").1 });
    }
    let trimmed = |text: &str| text.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>();
    assert_eq!(trimmed(&without), trimmed(&plain));
    insta::assert_snapshot!(plain);
}

#[test]
fn no_line_is_wider_than_the_terminal_whatever_happens() {
    let told = disturbed();
    for width in 30..=120 {
        for charset in [Charset::Unicode, Charset::Ascii] {
            for rows in [3, 8, 30] {
                let text = told.shown(width, rows, charset, Style::Plain);
                assert!(text.lines().all(|line| line.chars().count() <= width), "{width}:\n{text}");
                assert!(text.lines().count() <= rows, "{rows}:\n{text}");
            }
        }
    }
}
