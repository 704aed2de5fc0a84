//! What faults are made of: things done to one broker, each with its own undoing; and how a fault goes about them.

use serde::{Deserialize, Serialize};

use super::disk::{HowDamaged, LockedPlace, WhichFile};
use super::network::{Treatment, Verdict};
use super::{FaultId, Lever, Link, Signal, Victim, Wire};
use crate::kafka::levers::ConfigOwner;
use crate::kafka::{BrokerId, TopicPartition};

/// One thing done to one broker. What undoes it is found before it is done, and written to the ledger (`cluster::undo`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "snake_case")]
pub enum Action {
    /// Send the broker's process a signal and wait until it ended. Undone by starting it.
    Signal {
        /// Which.
        signal: Signal,
    },
    /// Let the broker leave in order, and end it when the grace is over. Undone by starting it.
    Stop {
        /// How long it may take.
        grace_ms: u64,
    },
    /// Freeze the broker's processes. Undone by thawing them.
    Freeze,
    /// Change what the broker may use. Undone by what it could use before, and by starting it if it died of having less.
    Limit {
        /// Processor time, in thousandths of one; `None` for as it is.
        cpu_millis: Option<u32>,
        /// Memory in bytes; `None` for as it is.
        memory_bytes: Option<u64>,
    },
    /// Fill the broker's disk to the last block. Undone by freeing it.
    Fill,
    /// Make a place on its disk unwritable. Undone by its old modes.
    Lock {
        /// Which.
        place: LockedPlace,
    },
    /// Make its disk slow. Undone by taking the limit away.
    Throttle {
        /// How many bytes may be written in a second, and as many read.
        bytes_per_s: u64,
    },
    /// Damage a file of a broker that does not run. Not undone: to cope with it is Kafka's part.
    Damage {
        /// Which.
        file: WhichFile,
        /// How.
        how: HowDamaged,
        /// What decides where.
        seed: u64,
    },
    /// Remove all data of a broker that does not run. Not undone: the others have them.
    Wipe,
    /// Take the broker out of its networks, as if the cable was pulled. Undone by putting it back where it was.
    Disconnect,
    /// Stop packets in the broker's network. Undone by taking the rules of that name away.
    Cut {
        /// The rules' name, unique among the run's faults.
        name: String,
        /// Which packets.
        wires: Vec<Wire>,
        /// What becomes of them.
        verdict: Verdict,
    },
    /// Delay, lose, copy, reorder, damage or slow packets in the broker's network. Undone as a cut is.
    Shape {
        /// The rules' name.
        name: String,
        /// Which packets.
        wires: Vec<Wire>,
        /// What becomes of them.
        treatment: Treatment,
        /// What decides which of them chance strikes.
        seed: u64,
    },
    /// Do what Kafka lets an administrator do. The broker is the one that it concerns most, and need not be asked for it.
    Lever(Lever),
}

impl Action {
    /// Whether it tells the broker's process to end, which may take its time over that.
    pub fn tells_to_end(&self) -> bool {
        matches!(self, Self::Signal { .. } | Self::Stop { .. })
    }
}

/// An action and whom it is done to. Actions on one broker are done in order and undone in the opposite one; brokers are
/// struck side by side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stroke {
    /// Whom.
    pub broker: BrokerId,
    /// What.
    pub action: Action,
}

impl Stroke {
    /// The same action on each target.
    pub fn each(scene: &Scene, action: &Action) -> Vec<Self> {
        scene.brokers().map(|broker| Self { broker, action: action.clone() }).collect()
    }
}

/// Who is there when a fault strikes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scene {
    /// The fault that strikes.
    pub fault: FaultId,
    /// Whom it strikes.
    pub targets: Vec<Victim>,
    /// The brokers at the other end, for faults that have two (`to`).
    pub to: Vec<BrokerId>,
    /// Every broker of the cluster, the targets included.
    pub all: Vec<BrokerId>,
    /// Those of them that may be struck.
    pub reachable: Vec<BrokerId>,
    /// The plan's draw for this fault: a seed for what it leaves to chance.
    pub seed: u64,
}

impl Scene {
    /// The brokers among the targets.
    pub fn brokers(&self) -> impl Iterator<Item = BrokerId> {
        self.targets.iter().filter_map(Victim::broker)
    }

    /// A scene of which no more is known than a history tells: whom the fault struck, and who there was.
    pub fn told(fault: FaultId, struck: &[BrokerId], all: Vec<BrokerId>) -> Self {
        let targets = struck.iter().map(|broker| Victim::Broker(*broker)).collect();
        Self { fault, targets, to: Vec::new(), reachable: all.clone(), all, seed: 0 }
    }

    /// The brokers that are no targets.
    pub fn rest(&self) -> Vec<BrokerId> {
        self.all.iter().copied().filter(|broker| self.brokers().all(|target| target != *broker)).collect()
    }
}

/// How a fault goes about its targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    /// All at once; held for as long as the scenario says; then healed.
    Hold,
    /// All at once, and healed at once: it lasts until its targets answer again.
    Brief,
    /// One after another, each held for `down_ms`, healed, and awaited until it is whole, before the next is struck.
    Rolling {
        /// How long each is held.
        down_ms: u64,
    },
    /// All at once, again and again for as long as the scenario says: held for `down_ms`, well for `up_ms`.
    Loop {
        /// How long they are held each time.
        down_ms: u64,
        /// How long they are well in between, counted from when they were started.
        up_ms: u64,
    },
}

/// What a target is while the fault is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It does not run, or not for long.
    Down,
    /// It is frozen.
    Frozen,
    /// It runs, and others do not reach it.
    CutOff,
    /// It runs.
    Up,
}

impl State {
    /// Whether the broker's process does not go on meanwhile.
    pub fn ends_process(self) -> bool {
        matches!(self, Self::Down | Self::Frozen)
    }

    /// Whether it is no member of any quorum or ISR while it lasts.
    pub fn is_away(self) -> bool {
        matches!(self, Self::Down | Self::Frozen | Self::CutOff)
    }
}

/// What a fault cannot do without. Looked for before a run starts, and by `doctor`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Need {
    /// The broker's container, and the engine that runs it.
    Engine,
    /// An engine that can freeze containers.
    Freezer,
    /// A side-car that may change the rules in a broker's network.
    SideCar,
    /// A kernel whose rules reset connections, and do not only drop their packets.
    Rejection,
    /// A kernel that hands packets over to programs.
    PacketQueue,
    /// A tool container that has the broker's volumes.
    Tool,
    /// An engine whose control groups limit what a broker writes and reads.
    Throttling,
    /// An engine on whose host can be seen what a container may use.
    ControlGroups,
}

impl Need {
    /// Every need, in the order in which people are told of them.
    pub const ALL: [Self; 8] = [
        Self::Engine,
        Self::Freezer,
        Self::SideCar,
        Self::Rejection,
        Self::PacketQueue,
        Self::Tool,
        Self::Throttling,
        Self::ControlGroups,
    ];

    /// Its word in JSON, and among the doctor's checks.
    pub fn name(self) -> &'static str {
        match self {
            Self::Engine => "engine",
            Self::Freezer => "freezer",
            Self::SideCar => "side-car",
            Self::Rejection => "rejection",
            Self::PacketQueue => "packet-queue",
            Self::Tool => "tool-container",
            Self::Throttling => "throttling",
            Self::ControlGroups => "control-groups",
        }
    }

    /// What it is, to go after "needs".
    pub fn words(self) -> &'static str {
        match self {
            Self::Engine => "an engine",
            Self::Freezer => "a freezer",
            Self::SideCar => "rules in a broker's network",
            Self::Rejection => "rules that reset connections",
            Self::PacketQueue => "a packet queue",
            Self::Tool => "a tool container",
            Self::Throttling => "limits on block devices",
            Self::ControlGroups => "control groups that can be seen",
        }
    }
}

/// What is to be looked at of a target, beyond its process, its answer and its standing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Do these connections come about?
    Links {
        /// From where this broker is.
        from: BrokerId,
        /// Those that must not, while the fault is in force.
        cut: Vec<Link>,
        /// Those that must.
        open: Vec<Link>,
    },
    /// Are the rules of this name in place, and what did they do?
    Rules {
        /// The name.
        name: String,
        /// In whose networks.
        holders: Vec<BrokerId>,
    },
    /// What may it use?
    Limits,
    /// In which networks is it?
    Networks,
    /// How much room is on its disk?
    Room,
    /// How fast may it use its disk?
    DiskLimits,
    /// Who leads a partition, where are its replicas, and which are in sync?
    Partition(TopicPartition),
    /// What are these settings?
    Settings {
        /// Whose.
        owner: ConfigOwner,
        /// Which.
        keys: Vec<String>,
    },
    /// From where can a partition be read?
    LogStart(TopicPartition),
    /// Who leads the controllers?
    Controller,
}
