//! What the nemesis does to the load's clients while they run: crash, freeze, slow down, multiply.
//!
//! Clients are named as their properties name them: `chatters/0` is a producer, `chat-consumers/1` a member. To be crashed
//! or frozen a client needs a process of its own ([`super::apart`], which says why, and what that cannot show); slowness and
//! storms work on every client.
//!
//! | command | takes effect | proof that the client itself gives ([`Controls::look`]) |
//! |---|---|---|
//! | crash | SIGKILL: no flush, no leave; returns when the process is dead and accounted for | `crashed`, no pid |
//! | freeze | SIGSTOP; returns when the kernel says that every thread is stopped | `frozen`, no progress |
//! | resume | SIGCONT, or a new process; returns when it runs | `running`; after a crash the next incarnation |
//! | slow | the member spends this long over each record, polling and heartbeating on | `slow` |
//! | storm | extra members join and leave in order, in a rhythm drawn by a seed | [`Controls::storm_look`] |
//!
//! Every command may be given again: a client that is crashed already is crashed. Each has a limit ([`LIMIT`]) and an error
//! that says what it waited for. All of them block; an async caller uses `spawn_blocking`.
//!
//! The end of the load undoes what is still in force: storms end, frozen clients run on, slow members read at full speed,
//! crashed members come back, because a group has to finish. A crashed producer stays down: it has nothing to finish.

mod storm;

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use storm::Running;
pub use storm::Storm;

use super::apart::post::Post;
use super::consumer;
use super::progress::Progress;
use super::shared::Shared;
use crate::fault::client::{ClientLook, StormLook};

/// How long a command may take. A process dies, stops and begins within milliseconds on a machine that is not overloaded.
pub const LIMIT: Duration = Duration::from_secs(20);

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// No client of the load has this label.
    #[error("the load has no client `{label}`; it has {}", known.join(", "))]
    UnknownClient {
        /// What was asked for.
        label: String,
        /// What there is.
        known: Vec<String>,
    },
    /// No group of the load has this name.
    #[error("the load has no group `{group}`; it has {}", known.join(", "))]
    UnknownGroup {
        /// What was asked for.
        group: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The client lives in a thread of the harness, where no signal reaches it alone.
    #[error("{0} lives in a thread of the harness; only a client in a process of its own can be crashed or frozen")]
    NotApart(String),
    /// Only members of groups can be slow: a producer's speed is its rate.
    #[error("{0} is no member of a group, and only members can be slow")]
    NotAMember(String),
    /// The client is in no state in which that can be done.
    #[error("{label} is {state} and cannot be {wanted}")]
    NotUp {
        /// Which.
        label: String,
        /// What it is.
        state: String,
        /// What it was to be.
        wanted: &'static str,
    },
    /// The client's process began, but could not make its client.
    #[error("the process of {label} cannot make its client: {reason}")]
    Unmade {
        /// Which.
        label: String,
        /// Why.
        reason: String,
    },
    /// The kernel refused a signal.
    #[error("cannot send {signal} to the process of {label}")]
    Signal {
        /// Whose.
        label: String,
        /// Which.
        signal: String,
        /// Why.
        source: std::io::Error,
    },
    /// The client's process could not be told.
    #[error("cannot tell the process of {label}")]
    Line {
        /// Whose.
        label: String,
        /// Why.
        source: std::io::Error,
    },
    /// It took too long.
    #[error("waited {} s for {what} ({label}); last seen: {last_seen}", limit.as_secs_f64())]
    TimedOut {
        /// Which client.
        label: String,
        /// What was waited for.
        what: String,
        /// How long.
        limit: Duration,
        /// What was there instead.
        last_seen: String,
    },
    /// A storm's thread could not be started.
    #[error("cannot start the storm's thread for {group}")]
    Thread {
        /// Of which group.
        group: String,
        /// Why.
        source: std::io::Error,
    },
    /// The load is starting, or it has been given up.
    #[error("the load is not there to be disturbed")]
    NoLoad,
}

/// A group, as storms need it.
pub(super) struct GroupControl {
    /// What the first extra member is to do; the next ones differ in their number.
    pub extra: consumer::Assignment,
    /// Where the group stands.
    pub progress: Arc<Progress>,
    /// Whether the run is given up.
    pub abort: Arc<AtomicBool>,
}

/// The handle by which clients are disturbed. For any thread, while the load runs.
pub struct Controls {
    shared: Shared,
    load: OnceLock<Load>,
    storms: Mutex<BTreeMap<String, Running>>,
}

struct Load {
    posts: BTreeMap<String, Arc<Post>>,
    groups: BTreeMap<String, GroupControl>,
}

impl Controls {
    pub(super) fn new(shared: Shared) -> Self {
        Self { shared, load: OnceLock::new(), storms: Mutex::default() }
    }

    pub(super) fn take_over(&self, posts: BTreeMap<String, Arc<Post>>, groups: BTreeMap<String, GroupControl>) {
        self.load.get_or_init(|| Load { posts, groups });
    }

    /// The labels of all clients of the scenario; a storm's extra members have none of their own here.
    pub fn labels(&self) -> Vec<String> {
        self.load.get().map_or_else(Vec::new, |load| load.posts.keys().cloned().collect())
    }

    /// Kills a client's process with SIGKILL: nothing is flushed, nothing is said to any broker. Returns when it is dead and
    /// every send that it may have invoked has its row. It stays down until it is resumed.
    pub fn crash(&self, label: &str) -> Result<(), ControlError> {
        self.post(label)?.crash(LIMIT)
    }

    /// Stops every thread of a client's process with SIGSTOP: its connections stay open, it hears and says nothing.
    pub fn freeze(&self, label: &str) -> Result<(), ControlError> {
        self.post(label)?.freeze(LIMIT)
    }

    /// Lets a frozen client run on from where it stands, and makes a crashed one anew.
    pub fn resume(&self, label: &str) -> Result<(), ControlError> {
        self.post(label)?.resume(LIMIT)
    }

    /// Makes a member spend this long over each record. More than `max.poll.interval.ms` makes its library leave the group,
    /// as it should. Zero is full speed.
    pub fn slow(&self, label: &str, per_record: Duration) -> Result<(), ControlError> {
        let post = self.post(label)?;
        let (name, _) = label.rsplit_once('/').unwrap_or((label, ""));
        if !self.load()?.groups.contains_key(name) {
            return Err(ControlError::NotAMember(label.to_owned()));
        }
        post.set_tempo(per_record)
    }

    /// Lets a slow member read at full speed again.
    pub fn full_speed(&self, label: &str) -> Result<(), ControlError> {
        self.slow(label, Duration::ZERO)
    }

    /// What a client knows of itself.
    pub fn look(&self, label: &str) -> Result<ClientLook, ControlError> {
        Ok(self.post(label)?.look())
    }

    /// Lets extra members join and leave a group until [`Controls::calm`]. They read and record like the others. One storm
    /// a group: while one is on, another is not begun.
    pub fn storm(&self, group: &str, storm: Storm) -> Result<(), ControlError> {
        let load = self.load()?;
        let control = load.groups.get(group).ok_or_else(|| ControlError::UnknownGroup {
            group: group.to_owned(),
            known: load.groups.keys().cloned().collect(),
        })?;
        let mut storms = self.storms();
        if storms.get(group).is_some_and(Running::is_on) {
            return Ok(());
        }
        let before = storms.remove(group);
        let running = Running::begin(group, storm, control, &self.shared, before.as_ref())?;
        storms.insert(group.to_owned(), running);
        Ok(())
    }

    /// Ends a group's storm. Returns when its extra members have left, or were given up after their limit, which the history
    /// then says.
    pub fn calm(&self, group: &str) -> Result<StormLook, ControlError> {
        let mut storms = self.storms();
        let Some(running) = storms.get_mut(group) else { return Ok(StormLook::default()) };
        running.end(&self.shared.recorder);
        Ok(running.look())
    }

    /// What a group's latest storm did so far; nothing, if there was none.
    pub fn storm_look(&self, group: &str) -> StormLook {
        self.storms().get(group).map_or_else(StormLook::default, Running::look)
    }

    /// Ends all storms, because the load ends.
    pub(super) fn calm_all(&self) {
        for running in self.storms().values_mut() {
            running.end(&self.shared.recorder);
        }
    }

    /// Tells all storms to end and waits for none.
    pub(super) fn give_up(&self) {
        self.storms().values().for_each(Running::give_up);
    }

    fn post(&self, label: &str) -> Result<Arc<Post>, ControlError> {
        let posts = &self.load()?.posts;
        posts.get(label).cloned().ok_or_else(|| ControlError::UnknownClient {
            label: label.to_owned(),
            known: posts.keys().cloned().collect(),
        })
    }

    fn load(&self) -> Result<&Load, ControlError> {
        self.load.get().ok_or(ControlError::NoLoad)
    }

    fn storms(&self) -> MutexGuard<'_, BTreeMap<String, Running>> {
        self.storms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
