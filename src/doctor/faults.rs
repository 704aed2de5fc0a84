//! Which faults can be injected from this machine, and by which means.

use super::Check;
use crate::cluster::docker::host_name;
use crate::cluster::engine::{Cgroups, Engine, Premises};
use crate::fault::{FaultKind, Signal};

const NAME: &str = "faults";

/// The kernel's list of version 1 control groups.
const KERNEL_CGROUPS: &str = "/proc/cgroups";

/// How a kind of fault is injected.
struct Way {
    /// The means, and what they do.
    by: &'static str,
    needs: &'static [Need],
}

/// What a fault cannot do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    Engine,
    Freezer,
}

/// Every kind of fault; with which details is of no matter here. A new one has its way in [`way`].
const KINDS: [FaultKind; 4] = [
    FaultKind::Kill { signal: Signal::Kill },
    FaultKind::Stop { grace_ms: 0 },
    FaultKind::Restart { grace_ms: 0 },
    FaultKind::Pause,
];

fn way(kind: &FaultKind) -> Way {
    match kind {
        FaultKind::Kill { .. } => Way { by: "engine: signal", needs: &[Need::Engine] },
        FaultKind::Stop { .. } => Way { by: "engine: stop", needs: &[Need::Engine] },
        FaultKind::Restart { .. } => Way { by: "engine: stop and start", needs: &[Need::Engine] },
        FaultKind::Pause => Way { by: "engine: freezer", needs: &[Need::Engine, Need::Freezer] },
    }
}

/// What this machine has to offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Means {
    engine: Has,
    freezer: Has,
}

/// Whether something is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Has {
    Yes,
    No,
}

impl From<bool> for Has {
    fn from(has: bool) -> Self {
        if has { Self::Yes } else { Self::No }
    }
}

/// One finding for each kind of fault.
pub fn examine(engine: Option<&Engine>, premises: Option<&Premises>) -> Vec<Check> {
    let means = Means { engine: engine.is_some().into(), freezer: has_freezer(premises).into() };
    KINDS.iter().map(|kind| judge(kind, means)).collect()
}

fn judge(kind: &FaultKind, means: Means) -> Check {
    let name = kind.name();
    let Way { by, needs } = way(kind);
    let missing = needs.iter().find(|need| match need {
        Need::Engine => means.engine == Has::No,
        Need::Freezer => means.freezer == Has::No,
    });
    match missing {
        None => Check::ok(NAME, format!("{name} ({by})")),
        Some(Need::Engine) => {
            Check::note(NAME, format!("{name} cannot be injected into containers: no engine"), "see `engine`")
        }
        Some(Need::Freezer) => Check::warning(
            NAME,
            format!("{name} cannot be injected: the engine has no freezer to hold containers with"),
            "use an engine with control groups: not rootless without cgroup v2, and with `freezer` in the kernel",
        ),
    }
}

/// Whether the engine can freeze containers. An engine that does not tell is taken to: a run would say so otherwise.
fn has_freezer(premises: Option<&Premises>) -> bool {
    let Some(premises) = premises else { return true };
    match premises.cgroups {
        Cgroups::Absent => false,
        Cgroups::V2 | Cgroups::Unknown => true,
        Cgroups::V1 => {
            let is_here = premises.host.as_deref() == Some(host_name().as_str());
            let kernel = std::fs::read_to_string(KERNEL_CGROUPS).ok().filter(|_| is_here);
            kernel.is_none_or(|text| is_freezer_enabled(&text))
        }
    }
}

fn is_freezer_enabled(kernel: &str) -> bool {
    let mut rows = kernel.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.any(|row| row.first() == Some(&"freezer") && row.last() == Some(&"1"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Level;

    const ALL: Means = Means { engine: Has::Yes, freezer: Has::Yes };

    fn levels(means: Means) -> Vec<Level> {
        KINDS.iter().map(|kind| judge(kind, means).level).collect()
    }

    #[test]
    fn an_engine_with_a_freezer_has_them_all_and_names_the_means() {
        assert_eq!(levels(ALL), [Level::Ok; 4]);
        assert_eq!(judge(&FaultKind::Pause, ALL).found, "pause (engine: freezer)");
    }

    #[test]
    fn without_a_freezer_only_the_pause_is_missing() {
        assert_eq!(levels(Means { freezer: Has::No, ..ALL }), [Level::Ok, Level::Ok, Level::Ok, Level::Warning]);
    }

    #[test]
    fn without_an_engine_there_are_none_and_the_engine_is_what_to_see_to() {
        assert_eq!(levels(Means { engine: Has::No, freezer: Has::No }), [Level::Note; 4]);
    }

    #[test]
    fn the_kernels_list_tells_whether_there_is_a_freezer() {
        assert!(is_freezer_enabled("#subsys_name\thierarchy\tnum_cgroups\tenabled\nfreezer\t6\t2\t1\npids\t8\t2\t1\n"));
        assert!(!is_freezer_enabled("freezer\t6\t2\t0\n"));
        assert!(!is_freezer_enabled("pids\t8\t2\t1\n"));
    }

    #[test]
    fn every_kind_of_fault_has_one_line() {
        let mut names: Vec<&str> = KINDS.iter().map(FaultKind::name).collect();
        names.dedup();
        assert_eq!(names.len(), KINDS.len());
    }
}
