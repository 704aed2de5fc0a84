//! Workflow commands that annotate a line of a file: `::error file=…,line=…,title=…::message`.
//!
//! GitHub shows ten errors and ten warnings of a step and drops the others, so that what is worst comes first, and one cause is
//! told once.

use std::fmt;

use super::Told;
use crate::anomaly::Validity;
use crate::plan::Step;
use crate::report::status::{check_words, first_reason, measured_words};
use crate::report::{Standing, format};
use crate::scenario::Lines;
use crate::verdict::{CheckLine, FaultLine, RunOutcome, ThresholdLine};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Something is not as it must be.
    Error,
    /// Nobody can tell.
    Warning,
}

/// A message beside a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Annotation {
    /// How bad it is.
    pub level: Level,
    /// The file and its line, counted from 1; `None` for what concerns no file.
    pub place: Option<(String, usize)>,
    /// What it is about, in a few words.
    pub title: String,
    /// What there is to know, in lines.
    pub message: String,
}

impl fmt::Display for Annotation {
    /// The command, without a line break at its end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let command = match self.level {
            Level::Error => "error",
            Level::Warning => "warning",
        };
        let place = self.place.as_ref().map(|(file, line)| format!("file={},line={line},", property(file)));
        write!(f, "::{command} {}title={}::{}", place.unwrap_or_default(), property(&self.title), data(&self.message))
    }
}

/// What is to be said of a run: what is broken, then what is in doubt. Nothing of one that passed.
pub fn of_run(told: Told<'_>) -> Vec<Annotation> {
    let verdict = &told.report.verdict;
    let mut all: Vec<Annotation> = Vec::new();
    all.extend(verdict.checks.iter().filter_map(|line| check(told, line)));
    all.extend(verdict.thresholds.iter().filter_map(|line| threshold(told, line)));
    all.extend(told.report.left_behind.as_ref().map(|what| left_behind(told, what)));
    all.extend(inconclusive(told));
    all.extend(verdict.faults.iter().filter(|line| !line.proven).map(|line| unproven(told, line)));
    // What breaks a run comes before what leaves it in doubt; among like ones the order of the verdict stays.
    all.sort_by_key(|annotation| annotation.level == Level::Warning);
    all
}

/// What is to be said of a run that came to no verdict.
pub fn of_failure(scenario: &str, file: &str, why: &str) -> Annotation {
    Annotation {
        level: Level::Error,
        place: Some((file.to_owned(), Lines::top())),
        title: format!("{scenario}: no verdict"),
        message: why.trim_end().to_owned(),
    }
}

fn at(told: Told<'_>, level: Level, line: usize, title: &str, message: &str) -> Annotation {
    Annotation {
        level,
        place: Some((told.file.to_owned(), line)),
        title: format!("{}: {title}", told.report.verdict.scenario),
        message: format!("{message}\nreport: {}\nrepeat: {}", told.page(), told.repeat()),
    }
}

fn check(told: Told<'_>, line: &CheckLine) -> Option<Annotation> {
    let verdict = &told.report.verdict;
    if Standing::of_check(line, verdict) != Standing::Broken {
        return None;
    }
    let words = check_words(line, verdict);
    let mut message = format!("{} found among {} examined", format::count(line.found), format::count(line.examined));
    if let Some(example) = line.examples.first() {
        message = format!("{message}, such as:\n{}", example.explanation);
    }
    Some(at(told, Level::Error, told.lines.of_check(line.check), &format!("{} {words}", line.check), &message))
}

fn threshold(told: Told<'_>, line: &ThresholdLine) -> Option<Annotation> {
    let (metric, max) = (line.metric.name(), format::duration_ms(line.max_ms));
    let place = told.lines.of_threshold(line.metric);
    let measured = measured_words(line);
    match line.verdict {
        Validity::Invalid => {
            let message = format!("{measured}, at most {max} is fine");
            Some(at(told, Level::Error, place, &format!("{metric} breached"), &message))
        }
        Validity::Unknown => {
            let message = format!("{measured}; at most {max} is fine");
            Some(at(told, Level::Warning, place, &format!("{metric} unknown"), &message))
        }
        Validity::Valid | Validity::Skipped => None,
    }
}

fn left_behind(told: Told<'_>, what: &str) -> Annotation {
    let message = format!("{what}\nwiber-chaos clean removes what is left");
    at(told, Level::Error, Lines::top(), "not clean", &message)
}

/// One for the whole run: what leaves one check in doubt mostly leaves many, and the reasons say it once.
fn inconclusive(told: Told<'_>) -> Option<Annotation> {
    let verdict = &told.report.verdict;
    if verdict.outcome != RunOutcome::Inconclusive {
        return None;
    }
    let message =
        if verdict.reasons.is_empty() { first_reason(verdict).to_owned() } else { verdict.reasons.join("\n") };
    Some(at(told, Level::Warning, Lines::top(), "inconclusive", &message))
}

fn unproven(told: Told<'_>, line: &FaultLine) -> Annotation {
    // A fault that strikes again is several steps, which stand in the file once.
    let step = told.report.plan.steps.iter().find(|step| step.fault == line.id);
    let place = told.lines.of_fault(step.map_or(&line.id, Step::origin));
    at(told, Level::Warning, place, &format!("fault {} is not proven", line.id), &line.proof)
}

/// A command's message: everything after `::` up to the line's end. Other control characters have been written out.
fn data(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(format::visible).collect();
    lines.join("\n").replace('%', "%25").replace('\n', "%0A")
}

/// A command's property, which a comma or a colon would end.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anomaly::Expectation;
    use crate::report::github::testing::told;
    use crate::report::{Report, fixture};

    fn shown(report: &Report) -> String {
        let lines = Lines::of(&report.scenario_toml);
        let shown: Vec<String> = of_run(told(report, &lines)).iter().map(ToString::to_string).collect();
        shown.join("\n")
    }

    #[test]
    fn a_violated_check_is_an_error_with_its_witness_the_report_and_the_command() {
        insta::assert_snapshot!(shown(&fixture::invalid()));
    }

    #[test]
    fn an_inconclusive_run_is_a_warning_and_so_is_each_fault_that_is_not_proven() {
        insta::assert_snapshot!(shown(&fixture::inconclusive()));
    }

    #[test]
    fn a_run_that_passed_says_nothing() {
        assert_eq!(shown(&fixture::valid()), "");
    }

    #[test]
    fn what_a_scenario_requires_and_was_not_seen_is_told_at_its_expectation() {
        let mut report = fixture::valid();
        let duplicate = report.verdict.checks.iter_mut().find(|line| line.check.name() == "duplicate");
        duplicate.expect("a line for each check").expect = Expectation::Required;
        report.scenario_toml = report.scenario_toml.replace("allowed", "required");
        let line =
            report.scenario_toml.lines().position(|line| line.starts_with("duplicate")).expect("it is named") + 1;
        let shown = shown(&report);
        assert!(shown.starts_with(&format!("::error file=scenarios/kill-one.toml,line={line},title=")), "{shown}");
        assert!(shown.contains("duplicate required%2C not seen::"), "{shown}");
    }

    #[test]
    fn a_breached_threshold_is_told_where_its_limit_stands_and_what_is_left_behind_at_the_top() {
        let mut report = fixture::unclean();
        report.scenario_toml.push_str("\n[[threshold]]\nmetric = \"unavailability\"\nmax = \"5s\"\n");
        report.verdict.thresholds[0].verdict = Validity::Invalid;
        let (line, shown) = (report.scenario_toml.lines().count(), shown(&report));
        let [threshold, left] = &shown.lines().collect::<Vec<_>>()[..] else { panic!("two: {shown}") };
        assert!(
            threshold.contains(&format!(",line={line},title=kill-one%3A unavailability breached::")),
            "{threshold}"
        );
        assert!(left.contains(",line=1,title=kill-one%3A not clean::container wiber-x-kafka-2%0A"), "{left}");
    }

    #[test]
    fn no_text_ends_a_property_or_a_command_before_its_time() {
        let annotation = Annotation {
            level: Level::Error,
            place: Some(("a,b:c.toml".to_owned(), 3)),
            title: "100%: a, b\nc".to_owned(),
            message: "100%\r\n::warning::x\u{1b}[31m, : y".to_owned(),
        };
        let expected = "::error file=a%2Cb%3Ac.toml,line=3,title=100%25%3A a%2C b%0Ac::\
                        100%25%0A::warning::x\\u{1b}[31m, : y";
        assert_eq!(annotation.to_string(), expected);
        let shown = shown(&fixture::hostile());
        assert!(shown.lines().all(|line| line.starts_with("::error ") || line.starts_with("::warning ")), "{shown}");
    }

    #[test]
    fn a_run_without_a_verdict_is_an_error_at_the_top() {
        let told = of_failure("kill-one", "s.toml", "no Docker engine answers\n  help: start one\n").to_string();
        let expected =
            "::error file=s.toml,line=1,title=kill-one%3A no verdict::no Docker engine answers%0A  help: start one";
        assert_eq!(told, expected);
    }
}
