//! Hand-made histories: each anomaly in the forms that its definition describes, each quirk, under all four settings.
//!
//! What is expected of each was worked out from Jepsen's source and written down before it was tried here. A history is
//! written in short, one operation a line:
//!
//! ```text
//! 0 ok send [[:send :x [0 :a]]]         process 0 begins it, and it ends so
//! 0 > txn [[:poll]]                     process 0 begins it
//! 0 < ok txn [[:poll {:x [[0 :a]]}]]    and it ends, after what stands between
//! 1 ok poll [[:poll {}]] | :rebalance-log [{:keys [:x]}]
//! ```

mod cycles;
mod input;
mod large;
mod polls;
mod records;
mod sends;
mod throws;

use std::fmt::Write as _;

use super::{Options, SubVia, Validity, Verdict, judge, read};

/// The four settings: sub-via assign and subscribe, without and with ww-deps.
const SETTINGS: [(SubVia, bool); 4] =
    [(SubVia::Assign, false), (SubVia::Assign, true), (SubVia::Subscribe, false), (SubVia::Subscribe, true)];

fn options((sub_via, ww_deps): (SubVia, bool)) -> Options {
    Options { sub_via: vec![sub_via], ww_deps }
}

/// The EDN of a history written in short.
fn edn(short: &str) -> String {
    let mut edn = String::new();
    for line in short.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (line, more) = line.split_once(" | ").unwrap_or((line, ""));
        let (process, rest) = line.split_once(' ').expect("a process");
        let (mark, rest) = match rest.split_once(' ').expect("a type") {
            (">", rest) => (">", rest),
            ("<", rest) => ("<", rest),
            _ => ("both", rest),
        };
        if mark == ">" {
            let (function, value) = rest.split_once(' ').expect("a value");
            writeln!(edn, "{{:process {process} :type :invoke :f :{function} :value {value}}}")
                .expect("a String takes all");
            continue;
        }
        let (stage, rest) = rest.split_once(' ').expect("an :f");
        let (function, value) = rest.split_once(' ').expect("a value");
        if mark == "both" {
            writeln!(edn, "{{:process {process} :type :invoke :f :{function} :value nil}}")
                .expect("a String takes all");
        }
        writeln!(edn, "{{:process {process} :type :{stage} :f :{function} :value {value} {more}}}")
            .expect("a String takes all");
    }
    edn
}

fn judged(short: &str, setting: (SubVia, bool)) -> Verdict {
    let history = read(&edn(short)).expect("a legal history");
    judge(&history, &options(setting))
}

fn names(errors: impl IntoIterator<Item = super::ErrorType>) -> String {
    errors.into_iter().map(super::ErrorType::name).collect::<Vec<_>>().join(" ")
}

/// What a history is expected to be.
struct Expected {
    /// All error types, without and with ww-deps.
    found: [&'static str; 2],
    /// The bad ones, under the four settings.
    bad: [&'static str; 4],
}

#[track_caller]
fn expect(short: &str, expected: &Expected) {
    for (setting, bad) in SETTINGS.into_iter().zip(expected.bad) {
        let verdict = judged(short, setting);
        assert_eq!(verdict.thrown, [], "{setting:?}");
        assert_eq!(names(verdict.findings.types()), expected.found[usize::from(setting.1)], "{setting:?}");
        assert_eq!(names(verdict.bad.iter().copied()), bad, "{setting:?}");
        let validity = if bad.is_empty() { Validity::Valid } else { Validity::Invalid };
        assert_eq!(verdict.validity, validity, "{setting:?}");
    }
}

/// Nothing is found, whatever the settings.
#[track_caller]
fn clean(short: &str) {
    expect(short, &Expected { found: [""; 2], bad: [""; 4] });
}

/// The same is found and bad whatever the settings.
#[track_caller]
fn always_bad(short: &str, found: &'static str) {
    expect(short, &Expected { found: [found; 2], bad: [found; 4] });
}

/// The same is found whatever the settings, and bad unless consumers subscribe.
#[track_caller]
fn bad_unless_subscribed(short: &str, found: &'static str) {
    expect(short, &Expected { found: [found; 2], bad: [found, found, "", ""] });
}

/// It is found with ww-deps only, and never bad.
#[track_caller]
fn never_bad(short: &str, found_with_ww_deps: &'static str) {
    expect(short, &Expected { found: ["", found_with_ww_deps], bad: [""; 4] });
}
