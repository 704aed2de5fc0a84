//! `[expect]` with `"required"`: only what can happen in the run may be required of it, because a control that has nothing to
//! examine is never caught, however long it runs.

use crate::anomaly::{CheckName, Expectation};
use crate::scenario::problem::Problems;
use crate::scenario::raw::RawScenario;
use crate::scenario::{ClusterKind, CommitMode, Scenario};

/// Refuses what can never be found.
pub(super) fn check(raw: &RawScenario, scenario: &Scenario, problems: &mut Problems) {
    let Some(expect) = raw.expect.value() else { return };
    for (check, at) in expect.0.iter().filter(|(_, at)| at.value == Expectation::Required) {
        if let Some((why, help)) = impossible(*check, scenario) {
            problems.error(&at.span, format!("`{check}` can never be found here: {why}"), "required").help(help);
        }
    }
}

/// Why a check has nothing to examine in the scenario, and what would give it something.
fn impossible(check: CheckName, scenario: &Scenario) -> Option<(&'static str, &'static str)> {
    let no_groups = scenario.all_groups().next().is_none();
    match check {
        CheckName::GroupDelivery
        | CheckName::GroupSkip
        | CheckName::CommitRegression
        | CheckName::Redelivery
        | CheckName::DoubleOwnership
        | CheckName::HighWatermark => {
            no_groups.then_some(("the scenario has no consumer group", "add a [[consumer-group]] that reads the topic"))
        }
        CheckName::CrashSkip => {
            let hasty = scenario.all_groups().any(|group| group.commit == CommitMode::BeforeProcess);
            (!hasty).then_some((
                "no group commits before it processes",
                "write commit = \"before-process\" in a [[consumer-group]], and crash one of its members",
            ))
        }
        CheckName::AbortedRead | CheckName::PrecommittedRead | CheckName::TornTransaction => {
            let transactional = scenario.producers.iter().any(|producer| producer.transactions.is_some());
            (!transactional && scenario.transformers.is_empty())
                .then_some(("nobody writes in transactions", "give a [[producer]] transactions = { records = 10 }"))
        }
        CheckName::ExactlyOnce => scenario.transformers.is_empty().then_some((
            "the scenario has no transformer",
            "add a [[transformer]] that reads one topic and writes another",
        )),
        CheckName::ReplicaDivergence => (scenario.cluster.kind != ClusterKind::Docker).then_some((
            "the brokers' disks are read only where the run starts them itself",
            "write kind = \"docker\" in [cluster], or leave it out",
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::scenario::parse;

    fn refused(expect: &str, more: &str) -> Option<String> {
        let text = format!(
            "name = \"s\"\n[cluster]\nkind = \"mock\"\n[[topic]]\nname = \"chat\"\n[[producer]]\nname = \"p\"\ntopic = \"chat\"\n{more}\n[expect]\n{expect} = \"required\"\n"
        );
        parse("s.toml", &text).err().map(|error| format!("{:?}", error.problems()))
    }

    #[test]
    fn what_has_nothing_to_examine_cannot_be_required() {
        for check in
            ["group-delivery", "redelivery", "crash-skip", "aborted-read", "exactly-once", "replica-divergence"]
        {
            let told = refused(check, "").unwrap_or_default();
            assert!(told.contains(&format!("`{check}` can never be found here")), "{check}: {told}");
        }
    }

    #[test]
    fn what_may_be_found_can_be_required() {
        let group = "[[consumer-group]]\nname = \"g\"\ntopics = [\"chat\"]\nmembers = 1\n";
        assert_eq!(refused("lost-write", ""), None);
        assert_eq!(refused("redelivery", group), None);
        assert_eq!(refused("crash-skip", &format!("{group}commit = \"before-process\"\n")), None);
    }
}
