//! The CSV files, for spreadsheets and scripts. Columns are stable and carry their units; `docs/csv.md` documents each.
//!
//! An empty cell means "not known" or "there is none", never 0. Rows come in the report's order.

use super::{Circumstances, LatencyWindow, Report, Window};
use crate::anomaly::Anomaly;
use crate::history::Phase;
use crate::kafka::{BrokerId, TimeNs};

/// `summary.csv`: one metric a row.
pub fn summary(report: &Report) -> Vec<u8> {
    let verdict = &report.verdict;
    let counts = &verdict.counts;
    let mut table = Table::new(&["metric", "value"]);
    let mut put = |metric: &str, value: String| table.row([metric.to_owned(), value]);
    put("scenario", verdict.scenario.clone());
    put("run", verdict.run.clone());
    put("seed", verdict.seed.to_string());
    put("verdict", verdict.verdict.to_string());
    put("outcome", super::status::outcome_word(verdict.outcome).to_owned());
    put("exit_code", verdict.exit_code.to_string());
    put("history_whole", report.cut.is_none().to_string());
    put("duration_ms", report.end_ns.as_millis().to_string());
    put("sent", counts.sent.to_string());
    put("acked", counts.acked.to_string());
    put("failed", counts.failed.to_string());
    put("indeterminate", counts.indeterminate.to_string());
    put("read", counts.read.to_string());
    put("read_distinct", counts.read_distinct.to_string());
    put("max_in_flight", report.max_in_flight.to_string());
    put("anomalies", report.anomalies_found().to_string());
    put("faults", verdict.faults.len().to_string());
    put("faults_proven", verdict.faults.iter().filter(|fault| fault.proven).count().to_string());
    put("max_unavailability_ms", cell(verdict.availability.max_unavailability_ms));
    put("max_consume_stall_ms", cell(verdict.availability.max_consume_stall_ms));
    let latency = report.latencies.iter().find(|window| window.window == Window::Run).and_then(|w| w.latency);
    put("latency_p50_ms", cell(latency.map(|latency| millis(latency.p50_us))));
    put("latency_p99_ms", cell(latency.map(|latency| millis(latency.p99_us))));
    put("latency_max_ms", cell(latency.map(|latency| millis(latency.max_us))));
    for line in &verdict.rates {
        put(&format!("rate_{}_asked", line.producers), line.asked_per_second.to_string());
        put(&format!("rate_{}_sent", line.producers), line.sent_per_second.to_string());
    }
    for line in &verdict.checks {
        put(&format!("check_{}_found", line.check), line.found.to_string());
    }
    table.bytes()
}

/// `timeline.csv`: one second a row.
pub fn timeline(report: &Report) -> Vec<u8> {
    let mut table = Table::new(&[
        "second",
        "phase",
        "sent",
        "acked",
        "failed",
        "indeterminate",
        "read",
        "latency_p50_ms",
        "latency_p99_ms",
        "latency_max_ms",
        "under_replicated_partitions",
        "faults_in_force",
        "unread",
        "lag_ms",
    ]);
    for second in &report.seconds {
        let faults: Vec<&str> = second.faults.iter().map(|fault| fault.0.as_str()).collect();
        table.row([
            second.second.to_string(),
            cell(second.phase.map(Phase::name)),
            second.sent.to_string(),
            second.acked.to_string(),
            second.failed.to_string(),
            second.indeterminate.to_string(),
            second.read.to_string(),
            cell(second.latency.map(|latency| millis(latency.p50_us))),
            cell(second.latency.map(|latency| millis(latency.p99_us))),
            cell(second.latency.map(|latency| millis(latency.max_us))),
            cell(second.under_replicated),
            faults.join(" "),
            cell(second.unread),
            cell(second.lag_ms),
        ]);
    }
    table.bytes()
}

/// `faults.csv`: one fault a row.
pub fn faults(report: &Report) -> Vec<u8> {
    let mut table = Table::new(&[
        "fault",
        "kind",
        "target",
        "brokers",
        "injected_ms",
        "healed_ms",
        "proven",
        "sends_overlapping",
        "recovery_ms",
        "unavailability_ms",
        "proof",
        "detail",
        "first_failure_ms",
        "acked_again_ms",
        "settled_ms",
        "caught_up_ms",
        "consume_stall_ms",
        "still_behind_ms",
    ]);
    for line in &report.verdict.faults {
        let brokers: Vec<String> = line.targets.iter().map(ToString::to_string).collect();
        table.row([
            line.id.0.clone(),
            line.kind.clone(),
            line.target.clone(),
            brokers.join(" "),
            cell(line.injected_ms),
            cell(line.healed_ms),
            line.proven.to_string(),
            line.sends_overlapping.to_string(),
            cell(line.recovery_ms),
            cell(line.unavailability_ms),
            line.proof.clone(),
            line.detail.clone(),
            cell(line.first_failure_ms),
            cell(line.acked_again_ms),
            cell(line.settled_ms),
            cell(line.caught_up_ms),
            cell(line.consume_stall_ms),
            cell(line.still_behind_ms),
        ]);
    }
    table.bytes()
}

/// `partitions.csv`: one partition a row.
pub fn partitions(report: &Report) -> Vec<u8> {
    let mut table = Table::new(&[
        "topic",
        "partition",
        "sent",
        "acked",
        "failed",
        "indeterminate",
        "log_start_offset",
        "log_end_offset",
        "drained_distinct",
        "max_unavailability_ms",
        "unavailable_from_ms",
        "leader_spans",
        "max_consume_stall_ms",
        "consume_stall_from_ms",
        "consume_stall_group",
    ]);
    for line in &report.partitions {
        table.row([
            line.partition.topic.clone(),
            line.partition.partition.to_string(),
            line.sent.to_string(),
            line.acked.to_string(),
            line.failed.to_string(),
            line.indeterminate.to_string(),
            cell(line.range.map(|(start, _)| start)),
            cell(line.range.map(|(_, end)| end)),
            line.drained_distinct.to_string(),
            cell(line.max_unavailability_ms),
            cell(line.unavailable_from_ms),
            line.spans.len().to_string(),
            cell(line.stall.as_ref().map(|stall| stall.longest_ms)),
            cell(line.stall.as_ref().and_then(|stall| stall.from_ms)),
            cell(line.stall.as_ref().and_then(|stall| stall.group.clone())),
        ]);
    }
    table.bytes()
}

/// `anomalies.csv`: the anomalies that checkers kept, one a row.
pub fn anomalies(report: &Report) -> Vec<u8> {
    let mut table = Table::new(&[
        "check",
        "topic",
        "partition",
        "producer",
        "process",
        "sequence",
        "offset",
        "acked_offset",
        "send_ms",
        "ack_ms",
        "group",
        "explanation",
        "phase",
        "leader",
        "leader_epoch",
        "isr",
        "owners",
        "faults_in_force",
        "acked_by",
        "reader",
        "read_ms",
        "read_leader_epoch",
    ]);
    for (anomaly, circumstances) in report.anomalies.iter().zip(&report.circumstances) {
        let then = circumstances_row(circumstances.as_ref());
        table.row(anomaly_row(anomaly).into_iter().chain(then).chain(reading_row(anomaly)));
    }
    table.bytes()
}

fn anomaly_row(anomaly: &Anomaly) -> [String; 12] {
    [
        anomaly.check.to_string(),
        anomaly.topic.to_string(),
        anomaly.partition.to_string(),
        cell(anomaly.producer.as_deref()),
        cell(anomaly.record.map(|record| record.process.0)),
        cell(anomaly.record.map(|record| record.sequence)),
        cell(anomaly.offset),
        cell(anomaly.acked_offset),
        cell(anomaly.send_ns.map(exact_millis)),
        cell(anomaly.ack_ns.map(exact_millis)),
        cell(anomaly.group.as_deref()),
        anomaly.explanation.clone(),
    ]
}

fn reading_row(anomaly: &Anomaly) -> [String; 4] {
    [
        cell(anomaly.acked_by.map(|broker| broker.0)),
        cell(anomaly.reader.as_deref()),
        cell(anomaly.read_ns.map(exact_millis)),
        cell(anomaly.leader_epoch.map(|epoch| epoch.0)),
    ]
}

fn circumstances_row(circumstances: Option<&Circumstances>) -> [String; 6] {
    let standing = circumstances.and_then(|then| then.standing.as_ref());
    let ids = |brokers: &[BrokerId]| spaced(brokers.iter().map(|broker| broker.0.to_string()));
    [
        cell(circumstances.and_then(|then| then.phase).map(Phase::name)),
        cell(standing.and_then(|view| view.leader).map(|leader| leader.0)),
        cell(standing.and_then(|view| view.leader_epoch).map(|epoch| epoch.0)),
        cell(standing.map(|view| ids(&view.isr))),
        cell(circumstances.map(|then| spaced(then.owners.iter().cloned()))),
        cell(circumstances.map(|then| spaced(then.faults.iter().map(ToString::to_string)))),
    ]
}

fn spaced(words: impl Iterator<Item = String>) -> String {
    words.collect::<Vec<_>>().join(" ")
}

/// `latency.csv`: one stretch of the run a row.
pub fn latency(report: &Report) -> Vec<u8> {
    let mut table = Table::new(&["window", "name", "count", "p50_ms", "p90_ms", "p99_ms", "p999_ms", "max_ms"]);
    for LatencyWindow { window, latency } in &report.latencies {
        let (kind, name) = match window {
            Window::Run => ("run", ""),
            Window::Phase(phase) => ("phase", phase.name()),
            Window::Fault(fault) => ("fault", fault.0.as_str()),
        };
        table.row([
            kind.to_owned(),
            name.to_owned(),
            latency.map_or(0, |latency| latency.count).to_string(),
            cell(latency.map(|latency| millis(latency.p50_us))),
            cell(latency.map(|latency| millis(latency.p90_us))),
            cell(latency.map(|latency| millis(latency.p99_us))),
            cell(latency.map(|latency| millis(latency.p999_us))),
            cell(latency.map(|latency| millis(latency.max_us))),
        ]);
    }
    table.bytes()
}

/// A table of as many columns as its header.
struct Table {
    writer: ::csv::Writer<Vec<u8>>,
}

impl Table {
    fn new(header: &[&str]) -> Self {
        let mut table = Self { writer: ::csv::Writer::from_writer(Vec::new()) };
        table.row(header.iter().map(|name| (*name).to_owned()));
        table
    }

    fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        // Memory takes every byte, and each row above is as long as its header.
        self.writer.write_record(cells).expect("a row of the header's length, into memory");
    }

    fn bytes(self) -> Vec<u8> {
        self.writer.into_inner().expect("memory takes every byte")
    }
}

fn cell(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// Microseconds as milliseconds with all their digits.
fn millis(us: u32) -> String {
    format!("{}.{:03}", us / 1_000, us % 1_000)
}

/// A time as milliseconds since the run's origin, to the nanosecond.
fn exact_millis(time: TimeNs) -> String {
    format!("{}.{:06}", time.0 / 1_000_000, time.0 % 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).expect("UTF-8")
    }

    #[test]
    fn the_files_of_a_valid_run() {
        let report = fixture::valid();
        insta::assert_snapshot!("summary", text(summary(&report)));
        insta::assert_snapshot!("timeline", text(timeline(&report)));
        insta::assert_snapshot!("faults", text(faults(&report)));
        insta::assert_snapshot!("partitions", text(partitions(&report)));
        insta::assert_snapshot!("latency", text(latency(&report)));
    }

    #[test]
    fn every_anomaly_is_a_row() {
        let all = text(anomalies(&fixture::invalid()));
        assert_eq!(all.lines().count(), 1 + 1000 + 2);
        let ends: Vec<&str> = all.lines().take(3).chain(all.lines().skip(1001)).collect();
        insta::assert_snapshot!("anomalies", ends.join("\n"));
    }

    #[test]
    fn hostile_text_stays_in_its_cell() {
        let report = fixture::hostile();
        let bytes = anomalies(&report);
        let rows: Vec<::csv::StringRecord> =
            ::csv::Reader::from_reader(bytes.as_slice()).records().collect::<Result<_, _>>().expect("well-formed");
        assert_eq!(rows.len(), report.anomalies.len());
        assert_eq!(rows[0].get(11), Some(report.anomalies[0].explanation.as_str()));
    }

    #[test]
    fn an_empty_run_gives_headers_only() {
        let report = fixture::empty();
        assert_eq!(text(timeline(&report)).lines().count(), 1);
        assert_eq!(text(anomalies(&report)).lines().count(), 1);
    }

    #[test]
    fn every_column_is_documented() {
        let documentation = include_str!("../../docs/csv.md");
        let report = fixture::valid();
        for bytes in [timeline(&report), faults(&report), partitions(&report), anomalies(&report), latency(&report)] {
            for column in text(bytes).lines().next().expect("a header").split(',') {
                assert!(documentation.contains(&format!("| `{column}` |")), "{column} is not in docs/csv.md");
            }
        }
        for line in text(summary(&report)).lines().skip(1).filter(|line| !line.starts_with("check_")) {
            let metric = line.split(',').next().expect("a metric").replace("chatters", "<producers>");
            assert!(documentation.contains(&format!("| `{metric}` |")), "{metric} is not in docs/csv.md");
        }
    }
}
