//! `[cluster]` with `kind = "attach"`: where the cluster is, and which of its brokers faults may strike.

use super::faults::Placed;
use super::{access, cluster, items, names, require};
use crate::fault::{Need, Target};
use crate::kafka::{BrokerId, Endpoint};
use crate::scenario::address::{Containers, EXAMPLE_CONTAINERS};
use crate::scenario::leaf::Properties;
use crate::scenario::problem::{Problems, Span};
use crate::scenario::raw::{RawCluster, RawScenario};
use crate::scenario::read::{At, Field};
use crate::scenario::suggest::listed;
use crate::scenario::{AttachSpec, ClusterKind, Scenario, units};

/// Where the cluster is, its containers, and how clients connect to it.
pub(super) fn spec(cluster: &RawCluster, problems: &mut Problems) -> AttachSpec {
    check_bootstrap(cluster, problems);
    check_containers(cluster, problems);
    if let Some(client) = cluster.client.value() {
        access::check(client, problems);
    }
    let containers = cluster
        .containers
        .value()
        .map(|Containers(named)| named.iter().map(|(id, container)| (*id, container.value.clone())).collect());
    AttachSpec {
        bootstrap: cluster.bootstrap.value().into_iter().flatten().map(|at| at.value.clone()).collect(),
        containers: containers.unwrap_or_default(),
        client: cluster.client.value().map(Properties::to_map).unwrap_or_default(),
    }
}

fn check_bootstrap(cluster: &RawCluster, problems: &mut Problems) {
    const EXAMPLE: &str = "bootstrap = [\"localhost:9092\"]";
    let table = "[cluster] with kind = \"attach\"";
    let Some(bootstrap) = require(&cluster.bootstrap, table, &cluster.span, "bootstrap", EXAMPLE, problems) else {
        return;
    };
    if bootstrap.value.is_empty() {
        problems
            .error(&bootstrap.span, "a cluster without an address cannot be found", "empty")
            .help(format!("name at least one broker: {EXAMPLE}"));
    }
    let shown = |At { value, span }: &At<Endpoint>| At { value: value.to_string(), span: span.clone() };
    let shown: Vec<At<String>> = bootstrap.value.iter().map(shown).collect();
    names::unique("brokers at", shown.iter(), "name each broker once", problems);
}

fn check_containers(cluster: &RawCluster, problems: &mut Problems) {
    let Some(At { value: Containers(named), span }) = cluster.containers.get() else { return };
    for container in named.values() {
        check_container_name(container, problems);
    }
    names::unique("brokers in container", named.values(), "each broker has a container of its own", problems);
    let Some(brokers) = cluster.brokers.get().filter(|brokers| named.len() > brokers.value as usize) else { return };
    let has = units::plural(brokers.value, "broker");
    problems
        .error(span, format!("{} containers are named for {has}", named.len()), "more than there are brokers")
        .and_at(brokers.span.clone(), "so many brokers")
        .help("write how many brokers the cluster has, or leave `brokers` out: it counts the containers");
}

/// What Docker takes for a name.
fn check_container_name(At { value, span }: &At<String>, problems: &mut Problems) {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let label = if value.is_empty() {
        "empty".to_owned()
    } else if let Some(bad) = value.chars().find(|c| !legal(*c)) {
        format!("holds {bad:?}")
    } else if !value.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        "begins with neither a letter nor a digit".to_owned()
    } else if value.len() < 2 {
        "a single character".to_owned()
    } else {
        return;
    };
    problems
        .error(span, format!("`{value}` cannot name a container"), label)
        .help("write the name that `docker ps` shows, such as \"kafka-1\"");
}

/// A fault that strikes a broker's process reaches it by its container, and only by one that the scenario names. `action`
/// is where the fault's kind stands.
pub(super) fn check_reach(raw: &RawScenario, action: &Span, targets: &[At<Target>], problems: &mut Problems) {
    let Some(cluster) = raw.cluster.value().filter(|_| cluster::kind(raw) == Some(ClusterKind::Attach)) else {
        return;
    };
    let named: Vec<BrokerId> = match &cluster.containers {
        Field::Bad => return,
        Field::Missing => Vec::new(),
        Field::Good(at) => at.value.0.keys().copied().collect(),
    };
    if named.is_empty() {
        problems
            .error(
                targets.first().map_or(action, |target| &target.span),
                "this fault strikes a broker's process, and no broker's container is named",
                "cannot be reached",
            )
            .help(format!(
                "add to [cluster] which broker is in which container: {EXAMPLE_CONTAINERS}; without containers only faults \
                 are possible that strike no broker's process"
            ));
        return;
    }
    for target in targets {
        check_target(raw, &named, target, problems);
    }
}

fn check_target(raw: &RawScenario, named: &[BrokerId], At { value, span }: &At<Target>, problems: &mut Problems) {
    let ids: Vec<String> = named.iter().map(|BrokerId(id)| id.to_string()).collect();
    let ids = listed(ids.iter().map(String::as_str));
    let brokers = cluster::brokers(raw);
    let needed = match value {
        Target::Broker(BrokerId(id)) if !named.contains(&BrokerId(*id)) => {
            problems
                .error(span, format!("no container is named for broker {id}"), "cannot be struck")
                .help(format!("add it to `containers` in [cluster], or strike one that is there: {ids}"));
            None
        }
        Target::Random(count) => u32::try_from(*count).ok(),
        Target::Followers(partition) => items(&raw.topics)
            .find(|topic| topic.name.value() == Some(&partition.topic))
            .and_then(|topic| cluster::replicas(topic, brokers))
            .map(|replicas| replicas.saturating_sub(1)),
        Target::Minority => brokers.map(|brokers| brokers.saturating_sub(1) / 2),
        Target::Majority => brokers.map(|brokers| brokers / 2 + 1),
        Target::All => brokers,
        Target::Broker(_)
        | Target::Leader(_)
        | Target::Follower(_)
        | Target::Controller
        | Target::Coordinator(_)
        | Target::Producer { .. }
        | Target::Member { .. }
        | Target::Group(_)
        | Target::Same(_) => None,
        Target::Set(_) => unreachable!("its members are looked at one by one"),
    };
    if let Some(needed) = needed.filter(|needed| *needed as usize > named.len()) {
        let needed = units::plural(needed, "broker");
        problems
            .error(span, format!("`{value}` strikes {needed}, and {} may be struck", named.len()), "too few containers")
            .help(format!("only brokers with a container may be struck, and [cluster] names containers of {ids}"));
    }
}

/// Points out faults that may meet a broker without a container.
pub(super) fn warn(scenario: &Scenario, placed: &[Placed<'_>], problems: &mut Problems) {
    let Some(attach) = &scenario.cluster.attach else { return };
    let (named, brokers) = (attach.containers.len(), scenario.cluster.brokers);
    if named >= brokers as usize {
        return;
    }
    for fault in placed {
        if !fault.spec.kind.facts().needs.contains(&Need::Engine) {
            continue;
        }
        let target = &fault.spec.target;
        let is_known_at_injection = |target: &Target| {
            matches!(
                target,
                Target::Leader(_)
                    | Target::Follower(_)
                    | Target::Followers(_)
                    | Target::Controller
                    | Target::Coordinator(_)
            )
        };
        if let Some(target) = target.members().iter().find(|member| is_known_at_injection(member)) {
            problems
                .warn(
                    &fault.target_span(),
                    format!("`{target}` may be a broker without a container"),
                    format!("containers are named for {named} of {}", units::plural(brokers, "broker")),
                )
                .help("if it is, the fault is skipped, and the run is inconclusive: name the other containers too");
        }
    }
}
