//! `disk-full`: the brokers that a run starts have a disk of their own only where `[cluster] disk` gives them one.

use super::cluster;
use super::faults::Placed;
use crate::fault::FaultKind;
use crate::scenario::ClusterKind;
use crate::scenario::problem::Problems;
use crate::scenario::raw::RawScenario;

/// Refuses to fill a disk that is also the host's. Of an attached cluster the disk itself tells when it is to be filled.
pub(super) fn check(raw: &RawScenario, placed: &[Placed<'_>], problems: &mut Problems) {
    let is_bounded = raw.cluster.value().is_some_and(|cluster| !cluster.disk.is_missing());
    if is_bounded || cluster::kind(raw) != Some(ClusterKind::Docker) {
        return;
    }
    for fault in placed.iter().filter(|fault| matches!(fault.spec.kind, FaultKind::DiskFull(_))) {
        problems
            .error(&fault.change_span(), "the broker's disk is the host's, which nobody fills", "has no bounds")
            .help("give each broker a disk of its own: write disk = \"512MiB\" under [cluster]");
    }
}
