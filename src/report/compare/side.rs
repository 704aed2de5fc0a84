//! One run as a comparison sees it.

use serde::Serialize;

use super::Named;
use crate::fault::FaultId;
use crate::history::{Environment, Phase};
use crate::report::{Latency, LatencyWindow, Report, Window};
use crate::verdict::Verdict;

/// What is compared of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Side {
    /// How it came to be known.
    pub source: Source,
    /// Its verdict, with all that was measured of faults.
    pub verdict: Verdict,
    /// What it ran on.
    pub environment: Environment,
    /// What was asked of it.
    pub scenario_toml: String,
    /// What is missing from its history.
    pub cut: Option<String>,
    /// Latency of acknowledged sends, by stretches of the run.
    pub latencies: Vec<LatencyWindow>,
}

/// How a run came to be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// Its history was judged anew, by the checkers of this version.
    History,
    /// It has no history any more: this is what its `verdict.json` and `latency.csv` say.
    Files,
}

/// A `latency.csv` is none.
#[derive(Debug, thiserror::Error)]
pub enum NotLatencies {
    /// It is not even a table.
    #[error(transparent)]
    Csv(#[from] csv::Error),
    /// A row is not one that this version writes.
    #[error("row {0} is none that this version knows")]
    Row(usize),
}

impl Side {
    /// A run that was judged anew.
    pub fn of(report: &Report) -> Self {
        Self {
            source: Source::History,
            verdict: report.verdict.clone(),
            environment: report.environment.clone(),
            scenario_toml: report.scenario_toml.clone(),
            cut: report.cut.clone(),
            latencies: report.latencies.clone(),
        }
    }

    /// A run of which only the small files are left.
    pub fn of_files(
        verdict: Verdict,
        environment: Environment,
        scenario_toml: String,
        latency_csv: &str,
    ) -> Result<Self, NotLatencies> {
        let latencies = latencies(latency_csv)?;
        Ok(Self { source: Source::Files, verdict, environment, scenario_toml, cut: None, latencies })
    }

    pub(super) fn named(&self) -> Named {
        let verdict = &self.verdict;
        Named {
            scenario: verdict.scenario.clone(),
            run: verdict.run.clone(),
            seed: verdict.seed,
            outcome: verdict.outcome,
            verdict: verdict.verdict,
            exit_code: verdict.exit_code,
            source: self.source,
        }
    }

    pub(super) fn latency(&self, window: &Window) -> Option<Latency> {
        self.latencies.iter().find(|line| line.window == *window).and_then(|line| line.latency)
    }
}

/// Reads a `latency.csv` back.
fn latencies(text: &str) -> Result<Vec<LatencyWindow>, NotLatencies> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let rows = reader.records().enumerate();
    rows.map(|(at, row)| window(&row?).ok_or(NotLatencies::Row(at + 1))).collect()
}

fn window(row: &csv::StringRecord) -> Option<LatencyWindow> {
    let window = match (row.get(0)?, row.get(1)?) {
        ("run", _) => Window::Run,
        ("phase", name) => Window::Phase(serde_json::from_value::<Phase>(name.into()).ok()?),
        ("fault", name) => Window::Fault(FaultId(name.to_owned())),
        _ => return None,
    };
    let count: u64 = row.get(2)?.parse().ok()?;
    if count == 0 {
        return Some(LatencyWindow { window, latency: None });
    }
    let micros = |column: usize| micros(row.get(column)?);
    let latency = Latency {
        count,
        p50_us: micros(3)?,
        p90_us: micros(4)?,
        p99_us: micros(5)?,
        p999_us: micros(6)?,
        max_us: micros(7)?,
    };
    Some(LatencyWindow { window, latency: Some(latency) })
}

/// `58.642` milliseconds in microseconds, exactly.
fn micros(cell: &str) -> Option<u32> {
    let (whole, fraction) = cell.split_once('.')?;
    let (whole, fraction) = (whole.parse::<u32>().ok()?, fraction.parse::<u32>().ok().filter(|_| fraction.len() == 3)?);
    whole.checked_mul(1000)?.checked_add(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{csv, fixture};

    #[test]
    fn the_small_files_tell_the_same_latencies_as_the_history() {
        for report in [fixture::valid(), fixture::inconclusive(), fixture::empty()] {
            let text = String::from_utf8(csv::latency(&report)).expect("UTF-8");
            let (verdict, environment) = (report.verdict.clone(), report.environment.clone());
            let side = Side::of_files(verdict, environment, String::new(), &text).expect("its own file");
            assert_eq!(side.latencies, report.latencies);
        }
    }

    #[test]
    fn a_damaged_file_is_refused_by_its_row() {
        let table = |row: &str| format!("window,name,count,p50_ms,p90_ms,p99_ms,p999_ms,max_ms\n{row}\n");
        for row in ["week,,1,1.000,1.000,1.000,1.000,1.000", "run,,1,1,1,1,1,1", "phase,lunch,0,,,,,"] {
            assert!(matches!(latencies(&table(row)), Err(NotLatencies::Row(1))), "{row}");
        }
        assert!(matches!(latencies(&table("run,,1")), Err(NotLatencies::Csv(_))));
    }
}
