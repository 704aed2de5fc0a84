//! What is here for faults: asked of the engine, and of throw-away containers, before anything is disturbed.
//!
//! One finding a [`Need`], and one judgement of them ([`Means::judge`]) for the doctor, for `validate` and for a run's start,
//! so that none of them promises what another refuses. What nobody could be asked is taken neither for there nor for missing.
//! Whether each broker by itself bears its faults, [`crate::cluster::Cluster::can`] asks later, of the brokers' own containers.

mod trial;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use crate::cluster::docker::host_name;
use crate::cluster::engine::{Cgroups, Engine, Premises};
use crate::cluster::hand::HandError;
use crate::cluster::ledger::Ledger;
use crate::cluster::maker::Maker;
use crate::cluster::{ClusterError, allowance, disk, images};
use crate::fault::disk::Throttling;
use crate::fault::{FaultId, FaultKind, Need, Strikes};
use crate::scenario::{ClusterKind, Scenario};

/// The kernel's list of version 1 control groups.
const KERNEL_CGROUPS: &str = "/proc/cgroups";

/// What the labels of those begin with who ask and have no run.
pub const ASKERS: &str = "wiber-look-";

/// How long may be taken to remove what was made to ask.
const REMOVAL_LIMIT: Duration = Duration::from_secs(20);

const SET_UP: &str = "run docker/setup.sh, which builds it";

/// Something that a fault needs and that is not here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}\n  help: {help}")]
pub struct Lack {
    /// What is missing.
    pub need: Need,
    /// How that shows, one sentence.
    pub reason: String,
    /// What to do about it.
    pub help: String,
}

/// What was found out about one need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// It was asked, and it is there.
    There {
        /// What was seen of it.
        seen: String,
    },
    /// It was asked, and it is not there.
    Lacking(Lack),
    /// Nobody was asked, or nobody answered.
    Unasked {
        /// Why.
        why: String,
    },
}

/// What was found out about everything that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Means {
    found: BTreeMap<Need, Found>,
    /// Why whatever is not among what was found was not asked.
    otherwise: String,
}

/// Whether a fault can be injected here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// It can; what was seen of each thing that it needs.
    Here(Vec<String>),
    /// It cannot.
    Lacking(Lack),
    /// Nobody knows, for this reason.
    Unasked(String),
}

impl Means {
    /// What was found, and why all else was not asked.
    pub fn new(found: BTreeMap<Need, Found>, otherwise: impl Into<String>) -> Self {
        Self { found, otherwise: otherwise.into() }
    }

    /// Nobody was asked about anything.
    pub fn unasked(why: impl Into<String>) -> Self {
        Self::new(BTreeMap::new(), why)
    }

    /// What was found of one need.
    pub fn of(&self, need: Need) -> Found {
        self.found.get(&need).cloned().unwrap_or_else(|| Found::Unasked { why: self.otherwise.clone() })
    }

    /// Whether a fault with these needs can be injected. What is known to be missing is told before what is not known.
    pub fn judge(&self, needs: &[Need]) -> Judgement {
        let (mut seen, mut unasked) = (Vec::new(), None);
        for need in needs {
            match self.of(*need) {
                Found::There { seen: one } => seen.push(one),
                Found::Lacking(lack) => return Judgement::Lacking(lack),
                Found::Unasked { why } => unasked = unasked.or(Some(why)),
            }
        }
        if let Some(why) = unasked {
            return Judgement::Unasked(why);
        }
        Judgement::Here(seen)
    }

    /// An error for the first fault of a scenario that cannot be injected here.
    pub fn refuse(&self, scenario: &Scenario) -> Result<(), ClusterError> {
        for fault in &scenario.faults {
            if let Judgement::Lacking(lack) = self.judge(&fault.kind.needs()) {
                return Err(ClusterError::Lacks { fault: FaultId::clone(&fault.id), lack });
            }
        }
        Ok(())
    }
}

/// By which means a fault is injected into a cluster of this kind, for people.
pub fn back_end(kind: &FaultKind, cluster: ClusterKind) -> &'static str {
    match (cluster, kind.facts().strikes) {
        (ClusterKind::Mock, Strikes::Brokers) => "mock: a broker of it is taken down",
        _ => kind.facts().means,
    }
}

/// What a scenario's faults need here. Those on a mock need nothing.
pub fn needs(scenario: &Scenario) -> BTreeSet<Need> {
    match scenario.cluster.kind {
        ClusterKind::Mock => BTreeSet::new(),
        ClusterKind::Docker | ClusterKind::Attach => {
            scenario.faults.iter().flat_map(|fault| fault.kind.needs()).collect()
        }
    }
}

/// Asks as [`look`] does, for somebody who has no run: what is made for that is in a ledger of its own in `state`, and gone
/// afterwards, also when nobody answered. What would not go is left to the next sweep.
pub async fn ask(engine: &Engine, state: &Path, needs: &BTreeSet<Need>, limit: Duration) -> Means {
    let salt = format!("{}/{}", std::process::id(), jiff::Timestamp::now().as_nanosecond());
    let label = format!("{ASKERS}{:08x}", crc32fast::hash(salt.as_bytes()));
    if !needs.iter().any(|need| is_asked_in_containers(*need)) {
        return look(engine, needs, &Maker::sweep(&label), limit).await;
    }
    let ledger = match Ledger::begin(state, &label, state) {
        Ok(ledger) => Arc::new(ledger),
        Err(error) => return Means::unasked(error.to_string()),
    };
    let means = look(engine, needs, &Maker::run(&label, Arc::clone(&ledger)), limit).await;
    let removed = timeout(REMOVAL_LIMIT, async {
        for left in engine.labelled(Some(&label)).await?.into_values() {
            engine.remove(&left).await?;
        }
        Ok::<(), ClusterError>(())
    });
    if matches!(removed.await, Ok(Ok(()))) {
        // A ledger that cannot be deleted speaks of nothing that is left, and the next sweep finds that.
        drop(ledger.close());
    }
    means
}

/// Asks, and waits no longer than this for any answer. `maker` is for whom throw-away containers are made.
pub async fn look(engine: &Engine, needs: &BTreeSet<Need>, maker: &Maker, limit: Duration) -> Means {
    let mut found = BTreeMap::from([(Need::Engine, Found::There { seen: "an engine answers".to_owned() })]);
    if needs.contains(&Need::Freezer) {
        let asked = timeout(limit, engine.premises()).await;
        found
            .insert(Need::Freezer, asked.map_or_else(|_| late("the engine", limit), |premises| freezer(premises.ok())));
    }
    let inside: BTreeSet<Need> = needs.iter().copied().filter(|need| is_asked_in_containers(*need)).collect();
    if !inside.is_empty() {
        found.extend(Box::pin(look_inside(engine, &inside, maker, limit)).await);
    }
    Means::new(found, "it was not asked for")
}

/// What only a container can tell.
fn is_asked_in_containers(need: Need) -> bool {
    match need {
        Need::Engine | Need::Freezer => false,
        Need::SideCar | Need::Rejection | Need::PacketQueue | Need::Tool | Need::Throttling | Need::ControlGroups => {
            true
        }
    }
}

async fn look_inside(engine: &Engine, needs: &BTreeSet<Need>, maker: &Maker, limit: Duration) -> BTreeMap<Need, Found> {
    let all = |found: &dyn Fn(Need) -> Found| needs.iter().map(|need| (*need, found(*need))).collect();
    let image = match timeout(limit, images::find_side_car(engine)).await {
        Ok(Ok(image)) => format!("{}:{}", image.name, image.tag),
        Ok(Err(ClusterError::NoSideCar { looked_for })) => {
            let reason = format!("there is no image {looked_for}");
            return all(&|need| lacking(need, reason.clone(), SET_UP));
        }
        Ok(Err(error)) => return all(&|_| Found::Unasked { why: first_line(&error) }),
        Err(_) => return all(&|_| late("the engine", limit)),
    };
    let packets = async {
        if ![Need::SideCar, Need::Rejection, Need::PacketQueue].iter().any(|need| needs.contains(need)) {
            return Vec::new();
        }
        trial::packets(engine, &image, maker, limit).await
    };
    let tool = async {
        if !needs.contains(&Need::Tool) {
            return Vec::new();
        }
        let asked = timeout(limit, disk::can_work(engine, &image, maker)).await;
        let said =
            asked.map_or_else(|_| late("a tool container", limit), |said| tool(said.map_err(ClusterError::from)));
        vec![(Need::Tool, said)]
    };
    let throttling = async {
        if !needs.contains(&Need::Throttling) {
            return Vec::new();
        }
        let asked = timeout(limit, disk::can_throttle(engine, &image, maker)).await;
        let told = |said: Result<Throttling, _>| throttling(said.map_err(ClusterError::from));
        vec![(Need::Throttling, asked.map_or_else(|_| late("a tool container", limit), told))]
    };
    let groups = async {
        if !needs.contains(&Need::ControlGroups) {
            return Vec::new();
        }
        let asked = timeout(limit, allowance::can_read(engine, &image, maker)).await;
        let said = asked.map_or_else(|_| late("a tool container", limit), |said| control_groups(said.map(drop)));
        vec![(Need::ControlGroups, said)]
    };
    let (packets, tool, throttling, groups) = tokio::join!(packets, tool, throttling, groups);
    [packets, tool, throttling, groups].into_iter().flatten().collect()
}

fn control_groups(said: Result<(), ClusterError>) -> Found {
    const HELP: &str =
        "use an engine whose host lets a container mount /sys/fs/cgroup, with controllers for processors and memory";
    match said {
        Ok(()) => Found::There { seen: "control groups show what a container may use".to_owned() },
        Err(error) => failed(Need::ControlGroups, "nobody can see what a container may use", &error, HELP),
    }
}

fn tool(said: Result<(), ClusterError>) -> Found {
    match said {
        Ok(()) => Found::There { seen: "a tool container works".to_owned() },
        Err(error) => failed(Need::Tool, "a tool container does not work", &error, SEE_ENGINE),
    }
}

fn throttling(said: Result<Throttling, ClusterError>) -> Found {
    const HELP: &str =
        "use an engine whose host lets a container mount /sys/fs/cgroup, with a controller for block devices";
    match said {
        Ok(Throttling::AllWrites) => Found::There { seen: "control groups v2 slow every write".to_owned() },
        Ok(Throttling::FlushedWrites) => {
            Found::There { seen: "control groups v1 slow writes that are flushed".to_owned() }
        }
        Ok(Throttling::Unavailable { reason }) => {
            lacking(Need::Throttling, format!("no disk can be slowed: {reason}"), HELP)
        }
        Err(error) => failed(Need::Throttling, "no disk can be slowed", &error, HELP),
    }
}

/// Whether the engine can freeze containers. An engine that does not tell is not known to.
fn freezer(premises: Option<Premises>) -> Found {
    const HELP: &str =
        "use an engine with control groups: not rootless without cgroup v2, and with `freezer` in the kernel";
    let lack = || lacking(Need::Freezer, "the engine has no freezer to hold containers with".to_owned(), HELP);
    let there = |seen: &str| Found::There { seen: seen.to_owned() };
    let untold = |why: &str| Found::Unasked { why: why.to_owned() };
    let Some(premises) = premises else { return untold("the engine does not describe its host") };
    match premises.cgroups {
        Cgroups::Absent => lack(),
        Cgroups::V2 => there("control groups v2 freeze containers"),
        Cgroups::Unknown => untold("the engine does not name its control groups"),
        Cgroups::V1 => {
            let is_here = premises.host.as_deref() == Some(host_name().as_str());
            let kernel = std::fs::read_to_string(KERNEL_CGROUPS).ok().filter(|_| is_here);
            match kernel.as_deref().map(is_freezer_enabled) {
                Some(true) => there("control groups v1 have a freezer"),
                Some(false) => lack(),
                None => untold("whether the engine's host has a freezer is not to be read from here"),
            }
        }
    }
}

fn is_freezer_enabled(kernel: &str) -> bool {
    let mut rows = kernel.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.any(|row| row.first() == Some(&"freezer") && row.last() == Some(&"1"))
}

const SEE_ENGINE: &str = "look at the engine's log, and whether docker/setup.sh has built the image that fits";

fn lacking(need: Need, reason: String, help: &str) -> Found {
    Found::Lacking(Lack { need, reason, help: help.to_owned() })
}

fn late(who: &str, limit: Duration) -> Found {
    Found::Unasked { why: format!("waited {} s for {who} to answer", limit.as_secs()) }
}

/// What an error says of a need: that it is missing, or, where the error is about the asking, nothing.
fn failed(need: Need, what: &str, error: &ClusterError, help: &str) -> Found {
    match error {
        ClusterError::Ledger(_) | ClusterError::NoEngine { .. } | ClusterError::Hand(HandError::Late { .. }) => {
            Found::Unasked { why: first_line(error) }
        }
        // The container's name means nothing to anybody; it is gone.
        ClusterError::Hand(HandError::Dead { reason, .. }) => lacking(need, format!("{what}: {reason}"), help),
        _ => lacking(need, format!("{what}: {}", first_line(error)), help),
    }
}

/// Errors may bring help of their own, below their first line.
fn first_line(error: &ClusterError) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there(need: Need) -> (Need, Found) {
        (need, Found::There { seen: format!("{need:?}") })
    }

    #[test]
    fn what_is_missing_is_told_before_what_is_not_known() {
        let lack = Lack { need: Need::PacketQueue, reason: "none".to_owned(), help: "another".to_owned() };
        let found = [there(Need::Engine), (Need::PacketQueue, Found::Lacking(lack.clone()))];
        let means = Means::new(BTreeMap::from(found), "nobody asked");
        let judged = means.judge(&[Need::Engine, Need::SideCar, Need::PacketQueue]);
        assert_eq!(judged, Judgement::Lacking(lack));
        assert_eq!(means.judge(&[Need::Engine, Need::SideCar]), Judgement::Unasked("nobody asked".to_owned()));
        assert_eq!(means.judge(&[Need::Engine]), Judgement::Here(vec!["Engine".to_owned()]));
    }

    #[test]
    fn a_fault_without_needs_can_be_injected_anywhere() {
        assert_eq!(Means::unasked("no engine").judge(&[]), Judgement::Here(Vec::new()));
    }

    #[test]
    fn an_error_of_the_asking_says_nothing_of_the_need() {
        let late = HandError::Late { hand: "h".to_owned(), action: "say hello".to_owned(), limit_s: 20 };
        assert!(matches!(failed(Need::SideCar, "w", &late.into(), "h"), Found::Unasked { .. }));
        let dead = HandError::Dead { hand: "h".to_owned(), reason: "it ended".to_owned() };
        assert!(matches!(failed(Need::SideCar, "w", &dead.into(), "h"), Found::Lacking(_)));
    }

    #[test]
    fn disks_can_be_slowed_by_control_groups_or_not_at_all() {
        assert!(matches!(throttling(Ok(Throttling::AllWrites)), Found::There { .. }));
        let none = Throttling::Unavailable { reason: "no group".to_owned() };
        assert!(matches!(throttling(Ok(none)), Found::Lacking(lack) if lack.reason.ends_with("no group")));
    }

    #[test]
    fn an_engine_that_does_not_tell_of_a_freezer_is_not_known_to_have_one() {
        let of = |cgroups| freezer(Some(Premises { host: None, root: None, cgroups }));
        assert!(matches!(of(Cgroups::V2), Found::There { .. }));
        assert!(matches!(of(Cgroups::Absent), Found::Lacking(_)));
        assert!(matches!(of(Cgroups::Unknown), Found::Unasked { .. }));
        assert!(matches!(freezer(None), Found::Unasked { .. }));
    }

    #[test]
    fn the_kernels_list_tells_whether_there_is_a_freezer() {
        assert!(is_freezer_enabled("#subsys_name\thierarchy\tnum_cgroups\tenabled\nfreezer\t6\t2\t1\npids\t8\t2\t1\n"));
        assert!(!is_freezer_enabled("freezer\t6\t2\t0\n"));
        assert!(!is_freezer_enabled("pids\t8\t2\t1\n"));
    }
}
