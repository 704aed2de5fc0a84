//! What the brokers themselves wrote around an anomaly: the lines of their logs that name its partition, and their warnings.
//!
//! A broker's log tells the wall-clock time, in UTC as containers have it; a run tells when on that clock its own time began. Lines that
//! bear no time (a stack trace) belong to the one before them and are left out: the log itself has them.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

use crate::anomaly::Anomaly;
use crate::history::Environment;
use crate::kafka::{BrokerId, TimeNs};
use crate::report::{BrokerLine, Circumstances};

/// How many lines an anomaly is shown with.
const MOST: usize = 12;

/// How long before and after its moment is looked: what undoes a record, such as an election and a cut of a log, comes after it.
const BEFORE_NS: u64 = 2_000_000_000;
const AFTER_NS: u64 = 15_000_000_000;

/// A longer line holds a whole configuration.
const LONGEST: usize = 400;

/// A broker's log as it was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerLog {
    /// Whose.
    pub broker: BrokerId,
    /// All of it.
    pub text: String,
}

/// The brokers' lines that bear a time, in the order of time.
pub(super) struct BrokerLines(Vec<BrokerLine>);

impl BrokerLines {
    /// Reads the logs. None where nobody knows when the run began.
    pub(super) fn of(logs: &[BrokerLog], environment: &Environment) -> Self {
        let Ok(origin) = environment.started_utc.parse::<Timestamp>() else { return Self(Vec::new()) };
        let lines = logs.iter().flat_map(|log| log.text.lines().filter_map(|text| line(log.broker, text, origin)));
        let mut lines: Vec<BrokerLine> = lines.collect();
        lines.sort_by_key(|line| (line.time_ns, line.broker));
        Self(lines)
    }

    /// Those that belong to an anomaly. What names its partition comes before what is only near in time.
    pub(super) fn around(&self, anomaly: &Anomaly, then: Option<&Circumstances>) -> Vec<BrokerLine> {
        let Some(at) = then.map(|then| then.at_ns) else { return Vec::new() };
        let from = self.0.partition_point(|line| line.time_ns.0 < at.0.saturating_sub(BEFORE_NS));
        let to = self.0.partition_point(|line| line.time_ns.0 <= at.0.saturating_add(AFTER_NS));
        let name = format!("{}-{}", anomaly.topic, anomaly.partition);
        let mut chosen: Vec<(bool, u64, &BrokerLine)> = self.0[from..to]
            .iter()
            .map(|line| (!names(&line.text, &name), line.time_ns.0.abs_diff(at.0), line))
            .filter(|(is_of_others, _, line)| !is_of_others || is_warning(&line.text))
            .collect();
        chosen.sort_by_key(|(is_of_others, distance, _)| (*is_of_others, *distance));
        let mut lines: Vec<BrokerLine> = chosen.into_iter().take(MOST).map(|(.., line)| line.clone()).collect();
        lines.sort_by_key(|line| (line.time_ns, line.broker));
        lines
    }
}

/// `[2026-03-01 12:00:31,204] INFO what (who)` as a line at a time of the run; one from before it is none.
fn line(broker: BrokerId, text: &str, origin: Timestamp) -> Option<BrokerLine> {
    let (time, rest) = text.strip_prefix('[')?.split_once("] ")?;
    let time: DateTime = time.replacen(' ', "T", 1).replacen(',', ".", 1).parse().ok()?;
    let since = Offset::UTC.to_timestamp(time).ok()?.as_nanosecond() - origin.as_nanosecond();
    let text: String = rest.chars().take(LONGEST).collect();
    Some(BrokerLine { time_ns: TimeNs(u64::try_from(since).ok()?), broker, text })
}

/// Whether a line names a partition: `chat-1`, and not `chat-10`.
fn names(text: &str, partition: &str) -> bool {
    let mut found = text.match_indices(partition);
    found.any(|(at, _)| {
        let (before, after) = (text[..at].chars().next_back(), text[at + partition.len()..].chars().next());
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

fn is_warning(text: &str) -> bool {
    ["WARN ", "ERROR ", "FATAL "].iter().any(|level| text.starts_with(level))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    const LOG: &str = "\
[2026-03-01 12:00:15,900] INFO [Partition chat-1 broker=3] starts at leader epoch 1 (state.change.logger)
[2026-03-01 12:00:16,000] INFO [Partition chat-10 broker=3] starts at leader epoch 1 (state.change.logger)
[2026-03-01 12:00:16,100] WARN [ReplicaFetcher] connection to node 2 could not be established
java.net.ConnectException: Connection refused
[2026-03-01 12:00:20,500] INFO [UnifiedLog partition=chat-1] Truncating to offset 812 (kafka.log)
[2026-03-01 12:09:00,000] WARN something much later
[2026-03-01 11:00:00,000] WARN something of another run
";

    #[test]
    fn a_lines_time_is_the_runs_time() {
        let log = BrokerLog { broker: BrokerId(3), text: LOG.to_owned() };
        let lines = BrokerLines::of(&[log], &fixture::valid().environment);
        let times: Vec<u64> = lines.0.iter().map(|line| line.time_ns.as_millis()).collect();
        assert_eq!(times, [15_900, 16_000, 16_100, 20_500, 540_000]);
    }

    #[test]
    fn an_anomaly_has_the_lines_that_name_its_partition_and_the_warnings_near_it() {
        let report = fixture::invalid();
        let log = BrokerLog { broker: BrokerId(3), text: LOG.to_owned() };
        let lines = BrokerLines::of(&[log], &report.environment);
        let around = lines.around(&report.anomalies[0], report.circumstances[0].as_ref());
        let told: Vec<&str> = around.iter().map(|line| line.text.split_once(' ').expect("a level").0).collect();
        assert_eq!(told, ["INFO", "WARN", "INFO"], "{around:?}");
        assert!(around[2].text.contains("Truncating to offset 812"));
        assert!(lines.around(&report.anomalies[0], None).is_empty(), "nobody knows when it was");
    }

    #[test]
    fn where_nobody_knows_when_the_run_began_no_line_belongs_to_anything() {
        let log = BrokerLog { broker: BrokerId(3), text: LOG.to_owned() };
        assert!(BrokerLines::of(&[log], &Environment::default()).0.is_empty());
    }
}
