//! What Kafka does not promise under the scenario's own settings, although the scenario forbids it: under faults such a
//! finding would be no news.

use super::{client, items};
use crate::anomaly::{CheckName, Expectation};
use crate::scenario::leaf::{Properties, Property};
use crate::scenario::problem::{Problems, Span};
use crate::scenario::raw::RawScenario;
use crate::scenario::{Isolation, Scenario};

const ISOLATION: [&str; 1] = ["isolation.level"];
const UNCLEAN: [&str; 1] = ["unclean.leader.election.enable"];

/// One warning for each setting that gives a promise away.
pub(super) fn warn(raw: &RawScenario, scenario: &Scenario, problems: &mut Problems) {
    // This one shows itself without any fault.
    isolation(raw, scenario, problems);
    if scenario.faults.is_empty() {
        return;
    }
    for config in items(&raw.producers).filter_map(|producer| producer.config.value()) {
        producer(config, scenario, problems);
    }
    let cluster = raw.cluster.value().and_then(|cluster| cluster.config.value());
    let topics = items(&raw.topics).filter_map(|topic| topic.config.value());
    for property in cluster.into_iter().chain(topics).filter_map(|config| config.any_of(&UNCLEAN)) {
        if client::is_true(property) {
            // A log that is cut off below where a group stands makes the group begin at the log's start.
            let given_up = [
                CheckName::LostWrite,
                CheckName::InconsistentOffsets,
                CheckName::NonmonotonicPoll,
                CheckName::CommitRegression,
                CheckName::HighWatermark,
            ];
            cause(&property.span, "lets a replica lead that lacks records", "false", &given_up, scenario, problems);
        }
    }
}

/// Groups that are given what is not committed, where there is such a thing.
fn isolation(raw: &RawScenario, scenario: &Scenario, problems: &mut Problems) {
    if scenario.producers.iter().all(|producer| producer.transactions.is_none()) {
        return;
    }
    for property in items(&raw.groups).filter_map(|group| group.config.value()?.any_of(&ISOLATION)) {
        if property.value.trim() == Isolation::Uncommitted.property() {
            let given_up = [CheckName::AbortedRead, CheckName::PrecommittedRead];
            cause(&property.span, "waits for no commits", "\"read_committed\"", &given_up, scenario, problems);
        }
    }
}

fn producer(config: &Properties, scenario: &Scenario, problems: &mut Problems) {
    let weak = client::acks(config).filter(|acks| !client::waits_for_all(acks));
    // What is sent again may be stored twice, and behind what was sent after it unless nothing was.
    let mut unguarded = Vec::new();
    if !client::is_idempotent(config) {
        unguarded.push(CheckName::Duplicate);
        let one_by_one = |property: &Property| property.value.trim() == "1";
        if !client::in_flight(config).is_some_and(one_by_one) {
            unguarded.push(CheckName::ProducerOrder);
        }
    }
    let switched_off = client::idempotence(config);
    if let Some(acks) = weak {
        let mut given_up = vec![CheckName::LostWrite, CheckName::InconsistentOffsets];
        if switched_off.is_none() {
            given_up.append(&mut unguarded);
        }
        cause(&acks.span, "does not wait for the replicas", "\"all\"", &given_up, scenario, problems);
    }
    if let Some(property) = switched_off {
        cause(&property.span, "sends again without being recognised", "true", &unguarded, scenario, problems);
    }
}

/// Warns of those checks that the scenario forbids.
fn cause(span: &Span, label: &str, safe: &str, given_up: &[CheckName], scenario: &Scenario, problems: &mut Problems) {
    let forbidden: Vec<CheckName> =
        given_up.iter().copied().filter(|check| scenario.expectation(*check) == Expectation::Forbidden).collect();
    let [first @ .., last] = forbidden.as_slice() else { return };
    let quoted: Vec<String> = first.iter().map(|check| format!("`{check}`")).collect();
    let (names, are) = if quoted.is_empty() {
        (format!("`{last}`"), "is")
    } else {
        (format!("{} and `{last}`", quoted.join(", ")), "are")
    };
    let lines: Vec<String> = forbidden.iter().map(|check| format!("{check} = \"allowed\"")).collect();
    problems
        .warn(span, format!("{names} {are} forbidden, but with this setting Kafka promises nothing of it"), label)
        .help(format!("write {safe} here, or (\"required\" instead, for a control):\n[expect]\n{}", lines.join("\n")));
}
