//! By which means each fault of a scenario is injected, and whether what that needs is here.

use serde::Serialize;

use crate::cluster::means::{self, Judgement, Means};
use crate::cluster::mock::MockCluster;
use crate::fault::Need;
use crate::scenario::{ClusterKind, FaultSpec, Parsed, Place, Problem};

/// A fault's means.
#[derive(Debug, Serialize)]
pub(super) struct BackEnd {
    /// The fault.
    id: String,
    /// Its kind's word.
    kind: &'static str,
    /// The means, for people.
    #[serde(rename = "back_end")]
    means: &'static str,
    /// What it cannot do without.
    needs: Vec<&'static str>,
    /// The same in words.
    #[serde(skip)]
    needed: Vec<&'static str>,
    /// Whether that is here.
    pub(super) here: Here,
    /// What was seen of it.
    seen: Vec<String>,
    /// Why it is not here, or why nobody knows.
    reason: Option<String>,
    /// What has to be known of it, at its place in the file.
    #[serde(skip)]
    pub(super) problem: Option<Problem>,
}

/// Whether something can be injected here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Here {
    Yes,
    No,
    /// Nobody could be asked.
    Unknown,
}

/// Each fault's, in the order of the file.
pub(super) fn of(parsed: &Parsed, means: &Means) -> Vec<BackEnd> {
    let cluster = parsed.scenario.cluster.kind;
    parsed.scenario.faults.iter().zip(&parsed.places).map(|(fault, place)| one(fault, place, cluster, means)).collect()
}

/// Whether all of them can be injected. One that cannot outweighs those of which nobody knows.
pub(super) fn overall(back_ends: &[BackEnd]) -> Here {
    let any = |here| back_ends.iter().any(|one| one.here == here);
    [Here::No, Here::Unknown].into_iter().find(|here| any(*here)).unwrap_or(Here::Yes)
}

/// A line for each, and one on what nobody knows.
pub(super) fn lines(back_ends: &[BackEnd]) -> Vec<String> {
    let line = |one: &BackEnd| {
        let needs = match one.here {
            Here::Unknown => format!("; needs {}", one.needed.join(", ")),
            Here::Yes | Here::No => String::new(),
        };
        format!("fault `{}`: {} by {}{needs}", one.id, one.kind, one.means)
    };
    let unknown = back_ends.iter().filter(|one| one.here == Here::Unknown).find_map(|one| one.reason.as_ref());
    let unknown = unknown.map(|why| format!("whether what they need is here was not found out: {why}"));
    back_ends.iter().map(line).chain(unknown).collect()
}

fn one(fault: &FaultSpec, place: &Place, cluster: ClusterKind, means: &Means) -> BackEnd {
    let needs = if cluster == ClusterKind::Mock { Vec::new() } else { fault.kind.needs() };
    let (here, seen, reason, help) = match means.judge(&needs) {
        Judgement::Here(seen) => (Here::Yes, seen, None, None),
        Judgement::Lacking(lack) => (Here::No, Vec::new(), Some(lack.reason), Some(lack.help)),
        Judgement::Unasked(why) => (Here::Unknown, Vec::new(), Some(why), None),
    };
    let refused = help.zip(reason.clone()).map(|(help, reason)| {
        place.error(format!("fault `{}` cannot be injected here: {reason}", fault.id), "not on this machine", help)
    });
    BackEnd {
        id: fault.id.to_string(),
        kind: fault.kind.name(),
        means: means::back_end(&fault.kind, cluster),
        needs: needs.iter().map(|need| need.name()).collect(),
        needed: needs.iter().copied().map(Need::words).collect(),
        here,
        seen,
        reason,
        problem: refused.or_else(|| beyond_a_mock(fault, place, cluster)),
    }
}

/// A mock refuses when the fault's turn comes. That is no matter of the machine.
fn beyond_a_mock(fault: &FaultSpec, place: &Place, cluster: ClusterKind) -> Option<Problem> {
    if cluster != ClusterKind::Mock || MockCluster::bears(&fault.kind) {
        return None;
    }
    let message =
        format!("a mock cannot do what fault `{}` is made of, so that the run will be inconclusive", fault.id);
    let help = "mock brokers can be killed and stopped, and have neither a process nor a network nor a disk; for all else \
                write kind = \"docker\" under [cluster]";
    Some(place.warning(message, "refused by a mock", help))
}
