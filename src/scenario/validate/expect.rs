//! `[expect]` and `[[threshold]]`: what must hold.

use std::collections::BTreeMap;

use super::{items, names, require};
use crate::anomaly::{CheckName, Expectation};
use crate::scenario::problem::Problems;
use crate::scenario::raw::RawScenario;
use crate::scenario::read::At;
use crate::scenario::{Metric, Threshold};

/// `[expect]`.
pub(super) fn expectations(raw: &RawScenario, problems: &mut Problems) -> BTreeMap<CheckName, Expectation> {
    let Some(expect) = raw.expect.value() else { return BTreeMap::new() };
    if let Some(At { span, .. }) =
        expect.0.get(&CheckName::Coverage).filter(|coverage| coverage.value != Expectation::Forbidden)
    {
        problems
            .error(span, "too little evidence can only be forbidden", "cannot be waived")
            .help("remove it; to ask for less evidence, lower the floor in [evidence]");
    }
    expect.0.iter().map(|(check, at)| (*check, at.value)).collect()
}

/// Every `[[threshold]]`.
pub(super) fn thresholds(raw: &RawScenario, problems: &mut Problems) -> Vec<Threshold> {
    let metrics: Vec<At<String>> = items(&raw.thresholds)
        .filter_map(|threshold| threshold.metric.get())
        .map(|at| At { value: at.value.name().to_owned(), span: at.span.clone() })
        .collect();
    names::unique("thresholds for", metrics.iter(), "keep the smaller one", problems);
    let mut thresholds = Vec::new();
    for threshold in items(&raw.thresholds) {
        let table = "[[threshold]]";
        let metric =
            require(&threshold.metric, table, &threshold.span, "metric", "metric = \"unavailability\"", problems);
        let max = require(&threshold.max, table, &threshold.span, "max", "max = \"20s\"", problems);
        if let Some(max) = max.filter(|max| max.value.is_zero()) {
            problems
                .error(&max.span, "nothing takes no time at all", "zero")
                .help("write the greatest value that is fine, such as \"20s\"");
        }
        if let (Some(At { value: metric, .. }), Some(max)) = (metric, max) {
            let metric: Metric = *metric;
            thresholds.push(Threshold { metric, max: max.value });
        }
    }
    thresholds
}
