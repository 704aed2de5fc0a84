//! What differs between two runs: plain data, computed once; [`super::terminal::compare`] and [`super::html::compare`] show it.
//!
//! Two things are told apart. A *finding* is a change of what is true or of what follows: the outcome, a check, a threshold, a
//! fault's proof, a recovery that was seen in one run only. It is never noise. A *measure* is a number, and two runs of the same
//! scenario never have the same ones; [`noise`] says by how much they may differ before it means anything. What was asked of the
//! runs, and what they ran on, is not judged but told ([`caveats`]): it is what a difference may come from.

pub mod caveats;
mod findings;
mod measures;
pub mod noise;
mod side;

#[cfg(test)]
mod tests;

use serde::Serialize;

pub use noise::{Factor, NotAFactor};
pub use side::{NotLatencies, Side, Source};

use crate::anomaly::{CheckName, Validity};
use crate::fault::FaultId;
use crate::report::Standing;
use crate::scenario::Metric;
use crate::verdict::RunOutcome;

/// What differs between two runs, `before` and `after`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// 1.
    pub schema_version: u32,
    /// Whether `after` is the same, better, worse or just different.
    pub conclusion: Trend,
    /// By how much the allowances for noise were multiplied.
    pub noise: Factor,
    /// The first run.
    pub before: Named,
    /// The second run.
    pub after: Named,
    /// Keys of the two `scenario.toml` that differ.
    pub asked: Vec<caveats::Asked>,
    /// What else a reader should know before a difference is believed. Whole sentences.
    pub caveats: Vec<String>,
    /// What is true of one run and not of the other.
    pub findings: Vec<Finding>,
    /// Every number that both have, the runs' own first, then by fault.
    pub measures: Vec<Measure>,
}

/// A run, for whoever reads a comparison.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Named {
    /// Its scenario's name.
    pub scenario: String,
    /// Its id.
    pub run: String,
    /// Its seed.
    pub seed: u64,
    /// What followed for it.
    pub outcome: RunOutcome,
    /// What was true of the cluster.
    pub verdict: Validity,
    /// Its own exit code.
    pub exit_code: u8,
    /// How it came to be known.
    pub source: Source,
}

/// Which way something went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trend {
    /// Nothing differs beyond noise.
    Same,
    /// Something differs, and it is neither better nor worse.
    Different,
    /// It is better.
    Better,
    /// It is worse.
    Worse,
}

/// What a finding is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// What followed for the run.
    Outcome,
    /// What was true of the cluster.
    Verdict,
    /// One check.
    Check(CheckName),
    /// One threshold.
    Threshold(Metric),
    /// One fault's proof, or whether there was such a fault.
    Fault(FaultId),
    /// Whether it was seen that all was well again after a fault.
    Recovery(FaultId),
    /// Whether the partition that a fault made unavailable for longest was seen to acknowledge again.
    AckedAgain(FaultId),
    /// Whether every group was seen to catch up after a fault.
    CaughtUp(FaultId),
}

/// A change that is never noise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is about.
    pub subject: Subject,
    /// How it was, in a few words.
    pub before: String,
    /// How it is.
    pub after: String,
    /// Which way that is.
    pub trend: Trend,
    /// How the expectation behind it stands now.
    #[serde(skip)]
    pub stands: Standing,
}

/// What a measure is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Of {
    /// The whole run.
    Run,
    /// The warm-up, which no fault disturbs.
    Warmup,
    /// What a fault did.
    Fault(FaultId),
    /// What a set of producers did.
    Producers(String),
    /// What a check counted.
    Check(CheckName),
}

/// In what a measure is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Milliseconds.
    Ms,
    /// Microseconds.
    Us,
    /// Records or other things.
    Count,
    /// Records a second.
    PerSecond,
}

/// A number of both runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Measure {
    /// Of what.
    pub of: Of,
    /// Its name, such as `recovery`.
    pub name: &'static str,
    /// In what it is counted.
    pub unit: Unit,
    /// What it was; `None` when there was nothing of the sort.
    pub before: Option<u64>,
    /// What it is.
    pub after: Option<u64>,
    /// What that difference is worth.
    pub trend: Trend,
}

/// Compares two runs. Pure, and fair: what is noise one way round is noise the other way round.
pub fn compare(before: &Side, after: &Side, noise: Factor) -> Comparison {
    let findings = findings::all(before, after);
    let measures = measures::all(before, after, noise);
    let trends = findings.iter().map(|finding| finding.trend).chain(measures.iter().map(|measure| measure.trend));
    Comparison {
        schema_version: 1,
        conclusion: trends.max().unwrap_or(Trend::Same),
        noise,
        before: before.named(),
        after: after.named(),
        asked: caveats::asked(&before.scenario_toml, &after.scenario_toml),
        caveats: caveats::all(before, after),
        findings,
        measures,
    }
}

impl Comparison {
    /// The measures that differ beyond noise, the worse ones first.
    pub fn beyond_noise(&self) -> Vec<&Measure> {
        let mut beyond: Vec<&Measure> = self.measures.iter().filter(|measure| measure.trend != Trend::Same).collect();
        beyond.sort_by_key(|measure| std::cmp::Reverse(measure.trend));
        beyond
    }

    /// The measures that do not.
    pub fn within_noise(&self) -> impl Iterator<Item = &Measure> {
        self.measures.iter().filter(|measure| measure.trend == Trend::Same)
    }

    /// The conclusion in a sentence: what weighs most, and how much more there is.
    pub fn sentence(&self) -> String {
        let findings = self.findings.iter().map(|finding| (finding.trend, finding.told()));
        let measures = self.measures.iter().map(|measure| (measure.trend, measure.told()));
        let mut told: Vec<(Trend, String)> =
            findings.chain(measures).filter(|(trend, _)| *trend != Trend::Same).collect();
        told.sort_by_key(|(trend, _)| std::cmp::Reverse(*trend));
        let both = match self.after.outcome {
            RunOutcome::Pass => "",
            RunOutcome::Fail => "; both runs failed",
            RunOutcome::Inconclusive => "; both runs are inconclusive",
        };
        let both = if self.before.outcome == self.after.outcome { both } else { "" };
        match told.as_slice() {
            [] => format!("no difference beyond noise{both}"),
            [(_, first)] => format!("{first}{both}"),
            [(_, first), rest @ ..] => format!("{first}; and {} more{both}", rest.len()),
        }
    }
}

impl Subject {
    /// Its words.
    pub fn words(&self) -> String {
        match self {
            Self::Outcome => "outcome".to_owned(),
            Self::Verdict => "verdict".to_owned(),
            Self::Check(check) => check.to_string(),
            Self::Threshold(metric) => format!("threshold {}", metric.name()),
            Self::Fault(fault) => format!("fault {fault}"),
            Self::Recovery(fault) => format!("{fault}: recovery"),
            Self::AckedAgain(fault) => format!("{fault}: acked again"),
            Self::CaughtUp(fault) => format!("{fault}: caught up"),
        }
    }
}

impl Finding {
    fn told(&self) -> String {
        format!("{} {} → {}", self.subject.words(), self.before, self.after)
    }
}

impl Of {
    /// Its words, in front of a measure's name; empty for the whole run.
    pub fn words(&self) -> String {
        match self {
            Self::Run => String::new(),
            Self::Warmup => "warm-up".to_owned(),
            Self::Fault(fault) => fault.to_string(),
            Self::Producers(name) => name.clone(),
            Self::Check(check) => check.to_string(),
        }
    }
}

impl Measure {
    /// Its full name: `kill: recovery`.
    pub fn title(&self) -> String {
        let of = self.of.words();
        if of.is_empty() { self.name.to_owned() } else { format!("{of}: {}", self.name) }
    }

    /// A value of it, for people.
    pub fn shown(&self, value: Option<u64>) -> String {
        value.map_or_else(|| "–".to_owned(), |value| self.unit.shown(value))
    }

    /// The difference, with its sign.
    pub fn change(&self) -> String {
        let (before, after) = (self.before.unwrap_or(0), self.after.unwrap_or(0));
        let sign = match after.cmp(&before) {
            std::cmp::Ordering::Less => "-",
            std::cmp::Ordering::Equal => "",
            std::cmp::Ordering::Greater => "+",
        };
        format!("{sign}{}", self.unit.shown(after.abs_diff(before)))
    }

    fn told(&self) -> String {
        format!("{} {} → {}", self.title(), self.shown(self.before), self.shown(self.after))
    }
}

impl Unit {
    fn shown(self, value: u64) -> String {
        match self {
            Self::Ms => super::format::duration_ms(value),
            Self::Us => super::format::duration_us(u32::try_from(value).unwrap_or(u32::MAX)),
            Self::Count => super::format::count(value),
            Self::PerSecond => format!("{}/s", super::format::count(value)),
        }
    }
}

impl Trend {
    /// A symbol that tells them apart without colour.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Same => "=",
            Self::Different => "~",
            Self::Better => "✓",
            Self::Worse => "✗",
        }
    }

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Different => "different",
            Self::Better => "better",
            Self::Worse => "worse",
        }
    }

    /// What becomes of it when the runs change places.
    #[must_use]
    pub fn reversed(self) -> Self {
        match self {
            Self::Better => Self::Worse,
            Self::Worse => Self::Better,
            unmoved => unmoved,
        }
    }
}
