//! A broker's disk: filled, locked, damaged, emptied, made slow; and how it is again. Plain functions, and what they
//! return is proof.
//!
//! A [`Disk`] works through a tool container of its own, which mounts what the broker mounts. So it serves brokers of a run
//! and attached ones alike, running or not. Each undo (`free`, `unlock`, `unthrottle`) may be called at any time, more
//! than once, by a process that knows nothing of the injection: what it needs is on the disk itself.
//!
//! # A bounded disk
//!
//! `[cluster] disk` gives each broker a tmpfs volume of that size. An engine empties such a volume when its last
//! container ends, so a keeper container holds each for as long as the run lasts: data survive a broker's `SIGKILL` and
//! its restart, not the run. It needs no privilege and no loop device, and the engine's own removal by label cleans it up.
//! A freshly formatted broker takes 48 KiB there: Kafka allocates no log ahead, and its indexes (10 MiB each to look at)
//! are holes. So no property of a broker is set for it.
//!
//! # What Kafka 4.2 does, as measured
//!
//! Three combined brokers, RF 3, two in sync, `acks=all`, 2000 records/s of 200 bytes, a single log directory.
//!
//! **Full.** The broker dies at its next append, 0.1 to 4.5 s after the last block was taken: `IOException: No space left
//! on device`, "Shutdown broker because all log dirs ... have failed", exit code 1. That is a halt: nobody is told, and its
//! partitions have no leader until its session ends (9 s, 12 s seen). Started while the disk is full it dies within 2 s of
//! a `java.lang.InternalError: a fault occurred in a recent unsafe memory access operation`, because its indexes are mapped
//! over holes and the disk has no block for them. Started after [`Disk::free`] it recovers its logs and is in every ISR
//! after 4 s, 22 s on a machine that has other work. So a heal is `free`, then start. A file in the data directory's root
//! does not trouble Kafka: its log manager looks at directories only.
//!
//! **Read-only.** Open files stay writable, so appends go on. The data directory bites after 1 to 5 s, at the
//! next checkpoint of high watermarks (`replica.high.watermark.checkpoint.interval.ms`), which is written beside and renamed:
//! exit code 1. A partition's directory bites at the next roll of its log (`segment.ms`, `segment.bytes`), at the next change
//! of its leader epoch (`leader-epoch-checkpoint`; a killed leader brought it down in the moment of the election), or when
//! the broker starts; until then nothing at all happens. Whichever it is, the whole broker goes, having one log directory.
//!
//! **Damage**, to a follower that was killed (K) or stopped in order (S), then started:
//!
//! | file | what happens |
//! |---|---|
//! | log, newest, bits flipped, K | recovery reads behind the recovery point only; there it finds the CRC, truncates and replicates again |
//! | log, bits flipped, S | nobody looks: no recovery. Found when the batch is read |
//! | log, oldest, bits flipped or cut, K and S | nobody looks: it lies below the recovery point |
//! | log, newest, cut, K | recovery truncates at the last whole batch, and replicates again |
//! | log, newest, cut to the middle, S | can end in "Trying to roll a new log segment ... while it already exists": the partition is marked failed, and the broker stays out of its ISR while it runs |
//! | index, time index | rebuilt, or sane enough to start with; in the ISR again |
//! | leader-epoch-checkpoint, bits flipped | exit code 1 (`NumberFormatException`) until it is wiped; emptied it does no harm |
//! | recovery-point-offset-checkpoint, malformed | recovers everything, then exit code 1, until it is wiped |
//! | replication-offset-checkpoint | another number or an empty file does no harm to a follower |
//! | metadata log, bits flipped or cut, K and S | CRC found at every start, truncated, fetched again from the leader |
//! | quorum-state | exit code 1 until it is wiped |
//!
//! **Wiped.** The image formats an empty directory when it starts, with the cluster id and node id of its environment, and a
//! new directory id. A broker that was killed, wiped and started at once is not registered before its old
//! session ends (`DUPLICATE_BROKER_REGISTRATION`, 9 s), and by then leads nothing: no leader with an empty log was
//! seen in nine wipes, three of them of leaders. 30 and 36 MB were replicated, and every ISR full, within 6 s of the
//! broker's fall from them; of 349 615 acknowledged records none was lost over two rounds of a kill, a full disk, a lock
//! and a wipe. It has forgotten for whom it voted, which a static quorum does not notice: never wipe a majority.
//!
//! **Slow.** Limits on the block device bite what is waited for. On control groups v1 (on v2 the kernel is said to count
//! buffered writes too, which is not measured here) a limit of 256 KiB/s on one leader, at 500 records/s with
//! `flush.messages=1`, raised the producer's mean latency from 0.4 s to 2.5 s, and back to 0.2 s when lifted. Without
//! `flush.messages` Kafka leaves flushing to the kernel, which writes in nobody's name: mean latency stayed at 7 ms. So a
//! scenario with a slow disk has to set `flush.messages`. The engine's own limits can be given when a container is made;
//! in an update it takes them, answers without a warning, and drops them.

mod damage;
mod full;
mod lock;
mod logs;
mod segment;
mod slow;
mod tar;
pub(super) mod tool;
mod wipe;

pub use full::{BALLAST, FILL_BYTES_MAX};
pub use logs::DiskLog;
pub use slow::can_throttle;
pub use tool::can_work;

use crate::cluster::broker::DATA;
use crate::cluster::engine::{ContainerFacts, Engine};
use crate::cluster::maker::Maker;
use crate::cluster::{ClusterError, images};
use crate::fault::ProcessState;

/// Variables in which images are told where a broker's data lie.
const DIRECTORY_VARIABLES: [&str; 3] = ["KAFKA_LOG_DIRS", "KAFKA_LOG_DIR", "KAFKA_CFG_LOG_DIRS"];

/// A broker's data directory, on whatever its container mounts there.
#[derive(Clone, Debug)]
pub struct Disk {
    engine: Engine,
    container: String,
    directory: String,
    tool_image: String,
    maker: Maker,
}

/// What can go wrong with a disk.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// The engine or the ledger.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// There is no such container.
    #[error("there is no container {container}")]
    NoContainer {
        /// Its name.
        container: String,
    },
    /// Nobody can tell where the data are, or they are in no volume.
    #[error("the data of {container} cannot be reached: {reason}\n  help: {help}")]
    NoVolume {
        /// The broker's container.
        container: String,
        /// What is in the way.
        reason: String,
        /// What to do about it.
        help: &'static str,
    },
    /// A step of an errand failed.
    #[error("a step in the tool container ended with exit code {exit_code}: {said}")]
    Errand {
        /// How it ended.
        exit_code: i64,
        /// What it said.
        said: String,
    },
    /// A tool answered something else than it should.
    #[error("expected {expected} from the tool container, and it said: {said}")]
    Unexpected {
        /// What was expected.
        expected: &'static str,
        /// What came.
        said: String,
    },
    /// Something was done and had no effect.
    #[error("{what} had no effect; last seen: {last_seen}")]
    NotBitten {
        /// What was done.
        what: &'static str,
        /// What shows that it had none.
        last_seen: String,
    },
    /// A file system that is too large to be filled.
    #[error(
        "a disk of {} MiB is not filled: more than {} MiB may be more than a test\n  help: give the broker a volume of its own that is smaller; for brokers of a run write disk = \"512MiB\" under [cluster]",
        total_bytes >> 20, FILL_BYTES_MAX >> 20
    )]
    TooLarge {
        /// How large it is.
        total_bytes: u64,
    },
    /// A file system that the host needs itself.
    #[error(
        "the broker's disk is not filled: it is also the root of its host, or where the engine keeps its containers\n  help: give the broker a volume of its own; for brokers of a run write disk = \"512MiB\" under [cluster]"
    )]
    HostsOwn,
    /// Modes do not hold root back.
    #[error("the broker's files belong to root, who may write anywhere: no mode locks him out")]
    Root,
    /// Another lock is in the way.
    #[error("{place} cannot be taken while another lock is in force ({other})")]
    LockedElsewhere {
        /// What was to be locked or wiped.
        place: String,
        /// The other lock's file.
        other: String,
    },
    /// The broker has to be stopped first.
    #[error("{container} runs: its files are its own until it is stopped")]
    Runs {
        /// The broker's container.
        container: String,
    },
    /// There is no such file, or nothing in it.
    #[error("there is nothing to damage in {path}")]
    NothingThere {
        /// The file.
        path: String,
    },
    /// Nobody can see whether the disk was made slow.
    #[error("nobody can see how fast the disk may be used: {reason}")]
    LimitsHidden {
        /// Why.
        reason: String,
    },
    /// The disk cannot be made slow.
    #[error("the disk cannot be made slow: {reason}")]
    CannotThrottle {
        /// Why.
        reason: String,
    },
}

impl DiskError {
    fn unexpected(expected: &'static str, said: &str) -> Self {
        Self::Unexpected { expected, said: said.trim().to_owned() }
    }
}

impl Disk {
    /// The disk of the broker in that container: where its environment says that its data lie, which has to be in a volume or
    /// a directory of the host.
    pub async fn of(engine: &Engine, container: &str, maker: &Maker) -> Result<Self, DiskError> {
        let facts = engine.container(container).await?;
        let facts = facts.ok_or_else(|| DiskError::NoContainer { container: container.to_owned() })?;
        let directory = directory(&facts)?;
        let side_car = images::side_car();
        let tool_image = if engine.image(&side_car).await?.is_some() { side_car } else { facts.image };
        Ok(Self {
            engine: engine.clone(),
            container: container.to_owned(),
            directory,
            tool_image,
            maker: maker.clone(),
        })
    }

    /// The data directory, as seen in the broker's container.
    pub fn directory(&self) -> &str {
        &self.directory
    }

    /// A path below the data directory; that directory for none.
    fn below(&self, path: &str) -> String {
        if path.is_empty() { self.directory.clone() } else { format!("{}/{path}", self.directory) }
    }

    async fn refuse_a_running_broker(&self) -> Result<(), DiskError> {
        match self.engine.process_state(&self.container).await? {
            ProcessState::Running { .. } | ProcessState::Paused { .. } => {
                Err(DiskError::Runs { container: self.container.clone() })
            }
            ProcessState::Exited { .. } | ProcessState::Missing | ProcessState::Unwatched => Ok(()),
        }
    }
}

/// Where a broker's data lie, from its container's environment; else where images have them.
fn directory(facts: &ContainerFacts) -> Result<String, DiskError> {
    let no_volume = |reason: String, help| DiskError::NoVolume { container: facts.name.clone(), reason, help };
    let set = |name: &&str| {
        facts.environment.iter().find_map(|line| line.strip_prefix(*name)?.strip_prefix('=').map(str::to_owned))
    };
    let named = DIRECTORY_VARIABLES.iter().find_map(set).unwrap_or_else(|| DATA.to_owned());
    if named.contains(',') {
        let help = "let the broker have one log directory: a fault on one of several is another fault";
        return Err(no_volume(format!("it has several log directories, {named}"), help));
    }
    let directory = named.trim().trim_end_matches('/').to_owned();
    let holds = |mount: &String| {
        let mount = mount.trim_end_matches('/');
        directory == mount || directory.strip_prefix(mount).is_some_and(|rest| rest.starts_with('/'))
    };
    if facts.mounted_at.iter().any(holds) {
        Ok(directory)
    } else {
        let help = "mount a volume there, or set KAFKA_LOG_DIRS to a directory in one";
        Err(no_volume(format!("{directory} is in no volume"), help))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn facts(environment: &[&str], mounted_at: &[&str]) -> ContainerFacts {
        let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        ContainerFacts {
            id: String::new(),
            name: "kafka-1".to_owned(),
            image: String::new(),
            state: ProcessState::Missing,
            ports: Vec::new(),
            labels: BTreeMap::new(),
            environment: owned(environment),
            mounted_at: owned(mounted_at),
        }
    }

    #[test]
    fn the_data_lie_where_the_environment_says_and_nowhere_but_in_a_volume() {
        let of = |environment: &[&str], mounts: &[&str]| directory(&facts(environment, mounts)).ok();
        let found = |path: &str| Some(path.to_owned());
        assert_eq!(of(&["KAFKA_LOG_DIRS=/d/logs/"], &["/d"]), found("/d/logs"));
        assert_eq!(of(&["KAFKA_LOG_DIRS=/d"], &["/etc", "/d/"]), found("/d"));
        assert_eq!(of(&[], &[DATA]), found(DATA), "where images have them");
        assert_eq!(of(&["KAFKA_LOG_DIRS=/data"], &["/d"]), None, "another directory whose name begins alike");
        assert_eq!(of(&["KAFKA_LOG_DIRS=/tmp/logs"], &[DATA]), None, "in the container's own layer");
        assert_eq!(of(&["KAFKA_LOG_DIRS=/d/a,/d/b"], &["/d"]), None, "several");
    }
}
