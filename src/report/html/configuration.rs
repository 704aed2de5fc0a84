//! What was run, on what, and which files lie beside the page.

use maud::{Markup, html};

use super::scrolled;
use crate::plan::{PlannedStart, Step};
use crate::report::{Report, format};
use crate::scenario::without_secrets;

/// The files of a run directory that the page points to.
const FILES: [(&str, &str); 13] = [
    ("scenario.toml", "the scenario"),
    ("plan.json", "every step with its time and target"),
    ("environment.json", "versions and sizes"),
    ("verdict.json", "the verdict for machines"),
    ("summary.csv", "one metric a row"),
    ("timeline.csv", "one second a row"),
    ("faults.csv", "one fault a row"),
    ("partitions.csv", "one partition a row"),
    ("anomalies.csv", "the anomalies, at most 100,000 of each check"),
    ("latency.csv", "quantiles by stretch of the run"),
    ("junit.xml", "for CI"),
    ("history/events.jsonl", "the history's events"),
    ("logs/", "the brokers' own logs, where they were kept"),
];

/// Plan, environment, scenario and files.
pub(super) fn configuration(report: &Report) -> Markup {
    html! {
        (plan(report))
        (environment(report))
        // Pages are passed on; whoever gets one is not meant to get passwords with it.
        details { summary { "The scenario, word for word but for secrets" }
            pre tabindex="0" role="group" aria-label="Scenario" { code { (without_secrets(&report.scenario_toml)) } }
        }
        h3 { "Files beside this page" }
        ul class="files" { @for (file, meaning) in FILES { li { a href=(file) { (file) } " " span { (meaning) } } } }
    }
}

fn plan(report: &Report) -> Markup {
    let phases = &report.plan.phases;
    let table = html! {
        table {
            caption { span {
                "Plan, from seed " (report.plan.seed) ": warm-up " (format::duration_ms(phases.warmup_ms)) ", chaos "
                (format::duration_ms(phases.chaos_ms)) ", recovery at most " (format::duration_ms(phases.recovery_limit_ms))
                ", drain at most " (format::duration_ms(phases.drain_limit_ms))
            } }
            thead { tr {
                th scope="col" { "Fault" } th scope="col" { "Kind" } th scope="col" { "Target" } th scope="col" { "Starts" }
                th scope="col" class="number" { "Lasts" }
            } }
            tbody { @for step in &report.plan.steps { tr {
                th scope="row" { span class="name" { (step.fault) } } td { (step.kind.name()) } td { (step.target) }
                td { (start(step)) } td class="number" { (format::duration_ms(step.duration_ms)) }
            } } }
        }
    };
    scrolled("Plan", &table)
}

fn start(step: &Step) -> String {
    match &step.start {
        PlannedStart::AtMs(at_ms) => format!("{} into the chaos", format::duration_ms(*at_ms)),
        PlannedStart::After { fault, delay_ms } => format!("{} after {fault}", format::duration_ms(*delay_ms)),
    }
}

fn environment(report: &Report) -> Markup {
    let environment = &report.environment;
    let rows = [
        ("run", Some(environment.run.clone())),
        ("started", Some(environment.started_utc.clone())),
        ("wiber-chaos", Some(environment.wiber_chaos.clone())),
        ("librdkafka", Some(environment.librdkafka.clone())),
        ("cluster", Some(environment.cluster.clone())),
        ("image", environment.image.clone()),
        ("image digest", environment.image_digest.clone()),
        ("engine", environment.engine.clone()),
        ("host", environment.host.clone()),
        ("processors", environment.cpus.map(format::count)),
        ("memory", environment.memory_bytes.map(|bytes| format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30)))),
        ("brokers", (!environment.brokers.is_empty()).then(|| environment.brokers.join(", "))),
    ];
    let table = html! {
        table {
            caption { span { "Environment" } }
            tbody { @for (name, value) in rows { @if let Some(value) = value {
                tr { th scope="row" { (name) } td class="text" { (value) } }
            } } }
        }
    };
    scrolled("Environment", &table)
}
