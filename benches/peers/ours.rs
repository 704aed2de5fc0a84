//! This project's clients, exactly as a run has them: every record sealed, checked and recorded.

use std::path::Path;
use std::time::{Duration, Instant};

use wiber_chaos::anomaly::Expectation::Forbidden;
use wiber_chaos::anomaly::{CheckName, CheckResult, Validity};
use wiber_chaos::check;
use wiber_chaos::history::recorder::Recorder;
use wiber_chaos::history::{EventKind, FORMAT_VERSION, History, PartitionHistory, reader};
use wiber_chaos::kafka::{Outcome, ReadStatus, TimeNs};
use wiber_chaos::plan;
use wiber_chaos::scenario::Scenario;
use wiber_chaos::workload::{Totals, Workload, drain};

use crate::lab::{self, Lab, PARTITIONS, Topic};

/// How long anything that is waited for may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// The id of every run here, so that each knows the other's records as its own.
const RUN: &str = "peers";

/// Records a second that were acknowledged, from the first send to the last acknowledgement.
pub fn produce(lab: &Lab, seconds: u64) -> Result<f64, String> {
    let topic = lab.new_topic()?;
    let (rate, acked) = produced(lab, &three(&topic), seconds)?;
    lab.filled.replace(Some((topic, acked)));
    Ok(rate)
}

/// The same to a topic of so many partitions.
pub fn produce_to<const PARTITIONS: u32>(lab: &Lab, seconds: u64) -> Result<f64, String> {
    let name = lab.new_topic_of(PARTITIONS)?;
    Ok(produced(lab, &Topic { name: &name, partitions: PARTITIONS }, seconds)?.0)
}

/// The rate, and how many records there were.
fn produced(lab: &Lab, topic: &Topic<'_>, seconds: u64) -> Result<(f64, u64), String> {
    let load = Load::start(lab, topic, &lab::producer(topic.name, "max", 1))?;
    std::thread::sleep(Duration::from_secs(seconds));
    let history = load.end_without_drain()?;
    let (first, last, acked) = acknowledged(&history)?;
    Ok((acked as f64 / last.since(first) as f64 * 1e9, acked))
}

/// Until three brokers can serve a client, in seconds.
pub fn start(lab: &Lab, _seconds: u64) -> Result<f64, String> {
    lab.start_another()
}

/// Records a second that one member of a group read, checked and recorded, from the client's start until it has read them all.
pub fn consume(lab: &Lab, seconds: u64) -> Result<f64, String> {
    if lab.filled.borrow().is_none() {
        produce(lab, seconds)?;
    }
    let (topic, records) = lab.filled.borrow().clone().ok_or("nothing was produced before")?;
    let begun = Instant::now();
    let load = Load::start(lab, &three(&topic), &lab::group(&topic, &lab.new_group(), 1))?;
    load.wait("every record to be read", |totals| totals.read >= records)?;
    let took = begun.elapsed();
    let history = load.end_without_drain()?;
    let intact = |rows: &PartitionHistory| rows.reads.iter().filter(|read| read.status == ReadStatus::Intact).count();
    let read: usize = history.partitions.values().map(intact).sum();
    if (read as u64) < records {
        return Err(format!("{read} of {records} records were read, and intact"));
    }
    Ok(records as f64 / took.as_secs_f64())
}

/// Records a second that were produced, read by a group and by two fresh readers, recorded, and found valid; up to the last read. How
/// long the checks take is the contest `offline`.
pub fn end_to_end(lab: &Lab, seconds: u64) -> Result<f64, String> {
    let topic = lab.new_topic()?;
    let clients = format!("{}{}", lab::producer(&topic, "max", 1), lab::group(&topic, &lab.new_group(), 1));
    let load = Load::start(lab, &three(&topic), &clients)?;
    std::thread::sleep(Duration::from_secs(seconds));
    let (scenario, history) = load.end(lab, &topic)?;
    let judged = check::check_all(&history, &scenario, &plan::plan(&scenario, 1));
    // Without faults and phases there is no coverage to speak of.
    let others = judged.iter().filter(|result| result.check != CheckName::Coverage);
    let forbidden = others.filter(|result| result.check.usual_expectation() == Forbidden);
    if let Some(result) = forbidden.into_iter().find(|it| !matches!(it.validity, Validity::Valid | Validity::Skipped)) {
        let CheckResult { check, validity, found, notes, .. } = result;
        return Err(format!("{check} is {validity}, and found {found} anomalies: {}", notes.join(" ")));
    }
    let (first, _, acked) = acknowledged(&history)?;
    let reads = history.partitions.values().flat_map(|rows| rows.reads.iter().map(|read| read.read_ns));
    let (_, last) = span(reads).ok_or("nothing was read")?;
    Ok(acked as f64 / last.since(first) as f64 * 1e9)
}

fn three(name: &str) -> Topic<'_> {
    Topic { name, partitions: PARTITIONS }
}

/// When the first send was invoked, when the last acknowledgement came, and how many there were.
fn acknowledged(history: &History) -> Result<(TimeNs, TimeNs, u64), String> {
    let sends = || history.partitions.values().flat_map(|rows| &rows.sends);
    let acked = || sends().filter(|send| send.outcome == Outcome::Ok);
    let count = acked().count() as u64;
    if sends().count() as u64 != count {
        return Err(format!("{count} of {} sends were acknowledged", sends().count()));
    }
    let (first, _) = span(sends().map(|send| send.invoke_ns)).ok_or("nothing was sent")?;
    let (_, last) = span(acked().map(|send| send.complete_ns)).ok_or("nothing was acknowledged")?;
    Ok((first, last, count))
}

fn span(times: impl Iterator<Item = TimeNs>) -> Option<(TimeNs, TimeNs)> {
    times.fold(None, |span, time| match span {
        None => Some((time, time)),
        Some((first, last)) => Some((time.min(first), time.max(last))),
    })
}

/// A load and its recorder.
struct Load {
    scenario: Scenario,
    directory: tempfile::TempDir,
    recorder: Recorder,
    workload: Workload,
}

impl Load {
    fn start(lab: &Lab, topic: &Topic<'_>, clients: &str) -> Result<Self, String> {
        let scenario = lab::scenario(topic, clients);
        let directory = tempfile::tempdir_in(lab.home.path()).map_err(|error| error.to_string())?;
        let clock = lab.clock;
        let header = EventKind::RunStarted {
            format_version: FORMAT_VERSION,
            run: RUN.to_owned(),
            scenario: scenario.name.clone(),
            seed: 1,
            started_utc: clock.started_utc(),
            topics: vec![topic.name.to_owned()],
            partitions: vec![topic.partitions],
            scenario_crc32: 0,
            plan_crc32: 0,
            asked_crc32: None,
        };
        let recorder = Recorder::create(&history_in(directory.path()), clock, header, None);
        let recorder = recorder.map_err(|error| error.to_string())?;
        let plan = plan::plan(&scenario, 1);
        let workload = Workload::start(&scenario, &plan, &lab.access(), &recorder.handle());
        let workload = workload.map_err(|error| error.to_string())?;
        Ok(Self { scenario, directory, recorder, workload })
    }

    fn wait(&self, what: &str, enough: impl Fn(Totals) -> bool) -> Result<(), String> {
        let (counters, deadline) = (self.workload.counters(), Instant::now() + PATIENCE);
        while !enough(counters.totals()) {
            if Instant::now() >= deadline {
                return Err(format!("waited {} s for {what}; last seen {:?}", PATIENCE.as_secs(), counters.totals()));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn end_without_drain(mut self) -> Result<History, String> {
        self.workload.finish_producers(PATIENCE);
        self.workload.drain_groups(&[], Duration::from_secs(30));
        self.close()
    }

    fn end(mut self, lab: &Lab, topic: &str) -> Result<(Scenario, History), String> {
        let (access, handle) = (lab.access(), self.recorder.handle());
        self.workload.finish_producers(PATIENCE);
        let topics = [(topic.to_owned(), PARTITIONS)];
        let ends = self.workload.end_offsets(&access, &topics, PATIENCE).map_err(|error| error.to_string())?;
        handle.event(EventKind::EndOffsets { ranges: ends.ranges.clone() });
        self.workload.drain_groups(&ends.ranges, PATIENCE);
        let (readers, ids) = (drain::ReaderKind::fresh(2), self.workload.ids());
        let drained = drain::drain(&access, &ends.ranges, &readers, &ids, &handle, PATIENCE);
        if !drained.map_err(|error| error.to_string())?.complete() {
            return Err("the drain did not finish".to_owned());
        }
        let scenario = self.scenario.clone();
        Ok((scenario, self.close()?))
    }

    fn close(self) -> Result<History, String> {
        drop(self.workload);
        self.recorder.finish().map_err(|error| error.to_string())?;
        reader::read(&history_in(self.directory.path())).map_err(|error| error.to_string())
    }
}

fn history_in(directory: &Path) -> std::path::PathBuf {
    directory.join("history")
}
