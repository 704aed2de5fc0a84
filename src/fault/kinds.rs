//! Every fault, one a file. [`Fault`] is what each of them says of itself; [`FaultKind`] is the closed set.

pub mod all_apart;
pub mod alter_config;
pub mod bridge;
pub mod crash_client;
pub mod crash_loop;
mod cutting;
pub mod damage;
pub mod degrade;
pub mod delete_records;
pub mod disconnect;
pub mod disk_full;
pub mod disk_read_only;
pub mod disk_slow;
pub mod elect;
pub mod fail_over;
pub mod fence;
pub mod freeze_client;
pub mod isolate;
pub mod kill;
pub mod limit;
pub mod partition;
pub mod pause;
pub mod reassign;
pub mod rebalance_storm;
pub mod restart;
pub mod rolling;
pub mod slow_consumer;
pub mod stop;
pub mod transfer_leader;
pub mod wipe;

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::lever::Moved;
use super::{
    Action, Case, ClientAction, Course, Deed, Keys, Need, Noted, Question, Scene, State, Strikes, Stroke, Target,
};
use crate::kafka::BrokerId;

/// What a fault says of itself. The methods are pure: whoever calls them does the asking and the doing.
pub trait Fault: Serialize + DeserializeOwned {
    /// The word for it in scenarios, CSV files and reports.
    const NAME: &'static str;
    /// The keys of its table.
    const KEYS: &'static [&'static str];
    /// By which means it is injected, for people.
    const MEANS: &'static str;
    /// What it cannot do without.
    const NEEDS: &'static [Need];

    /// Whether the scenario says how long it lasts (`for`). One that does not ends by itself.
    const HAS_LENGTH: bool = true;

    /// Whom it strikes.
    const STRIKES: Strikes = Strikes::Brokers;

    /// What it cannot do without, with these parameters: no less than [`Self::NEEDS`].
    fn needs(&self) -> Vec<Need> {
        Self::NEEDS.to_vec()
    }

    /// Reads its table: its parameters, and whom it strikes.
    fn read<K: Keys>(keys: &mut K) -> Result<(Self, Target), Noted>;

    /// Its parameters in a few words that follow its target, such as `with SIGKILL`; empty when there are none to tell.
    fn detail(&self) -> String {
        String::new()
    }

    /// The other end, for faults that have two.
    fn to(&self) -> Option<&Target> {
        None
    }

    /// How it goes about its targets.
    fn course(&self) -> Course {
        Course::Hold
    }

    /// What its targets are while it is in force.
    fn state(&self) -> State;

    /// The brokers that are away while it is in force: its targets, if it keeps any.
    fn away(&self, scene: &Scene) -> Vec<BrokerId> {
        if self.state().is_away() { scene.brokers().collect() } else { Vec::new() }
    }

    /// What is done to which brokers; nothing, if it strikes none.
    fn strokes(&self, scene: &Scene) -> Vec<Stroke>;

    /// What is done to each of its targets, if they are no brokers.
    fn client_action(&self) -> Option<ClientAction> {
        None
    }

    /// What has to be looked at beside process, answer and standing; at each target before, during and after it.
    fn questions(&self, _scene: &Scene) -> Vec<(BrokerId, Question)> {
        Vec::new()
    }

    /// Judges what was seen of one target: what proves that it was struck and that it recovered, and what is missing.
    fn prove(&self, case: &mut Case<'_>);
}

/// Declares the closed set: the enum, and each method of [`Fault`] on it.
macro_rules! fault_kinds {
    ($($(#[doc = $doc:literal])* $kind:ident($params:ty),)+) => {
        /// What is done to the target.
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub enum FaultKind {
            $($(#[doc = $doc])* $kind($params),)+
        }

        impl FaultKind {
            /// The word of each kind, in the order in which people are told of them.
            pub const NAMES: &'static [&'static str] = &[$(<$params as Fault>::NAME),+];

            /// Each kind's word, the keys of its table, its means, and what it cannot do without.
            pub const ALL: &'static [FaultFacts] = &[$(FaultFacts {
                name: <$params as Fault>::NAME,
                about: concat!($($doc),*),
                keys: <$params as Fault>::KEYS,
                means: <$params as Fault>::MEANS,
                needs: <$params as Fault>::NEEDS,
                has_length: <$params as Fault>::HAS_LENGTH,
                strikes: <$params as Fault>::STRIKES,
            }),+];

            /// Reads the table of the kind with this word, which must be one of [`Self::NAMES`].
            pub fn read<K: Keys>(name: &str, keys: &mut K) -> Result<(Self, Target), Noted> {
                match name {
                    $(<$params as Fault>::NAME => {
                        <$params as Fault>::read(keys).map(|(params, target)| (Self::$kind(params), target))
                    })+
                    other => unreachable!("{other} is no kind of fault"),
                }
            }

            /// What is said of this kind.
            pub fn facts(&self) -> &'static FaultFacts {
                FaultFacts::named(self.name()).expect("every kind has its facts")
            }

            /// The word for this kind.
            pub fn name(&self) -> &'static str {
                match self { $(Self::$kind(_) => <$params as Fault>::NAME),+ }
            }

            /// See [`Fault::needs`].
            pub fn needs(&self) -> Vec<Need> {
                match self { $(Self::$kind(params) => params.needs()),+ }
            }

            /// See [`Fault::detail`].
            pub fn detail(&self) -> String {
                match self { $(Self::$kind(params) => params.detail()),+ }
            }

            /// See [`Fault::to`].
            pub fn to(&self) -> Option<&Target> {
                match self { $(Self::$kind(params) => params.to()),+ }
            }

            /// See [`Fault::course`].
            pub fn course(&self) -> Course {
                match self { $(Self::$kind(params) => params.course()),+ }
            }

            /// See [`Fault::state`].
            pub fn state(&self) -> State {
                match self { $(Self::$kind(params) => params.state()),+ }
            }

            /// See [`Fault::away`].
            pub fn away(&self, scene: &Scene) -> Vec<BrokerId> {
                match self { $(Self::$kind(params) => params.away(scene)),+ }
            }

            /// See [`Fault::strokes`].
            pub fn strokes(&self, scene: &Scene) -> Vec<Stroke> {
                match self { $(Self::$kind(params) => params.strokes(scene)),+ }
            }

            /// See [`Fault::client_action`].
            pub fn client_action(&self) -> Option<ClientAction> {
                match self { $(Self::$kind(params) => params.client_action()),+ }
            }

            /// See [`Fault::questions`].
            pub fn questions(&self, scene: &Scene) -> Vec<(BrokerId, Question)> {
                match self { $(Self::$kind(params) => params.questions(scene)),+ }
            }

            /// See [`Fault::prove`].
            pub fn prove(&self, case: &mut Case<'_>) {
                match self { $(Self::$kind(params) => params.prove(case)),+ }
            }

            fn parameters(&self) -> serde_json::Result<Value> {
                match self { $(Self::$kind(params) => serde_json::to_value(params)),+ }
            }

            fn from_parameters(name: &str, parameters: Value) -> Result<Self, String> {
                match name {
                    $(<$params as Fault>::NAME => serde_json::from_value(parameters)
                        .map(Self::$kind)
                        .map_err(|error| format!("{name}: {error}")),)+
                    other => Err(format!("there is no kind of fault `{other}`")),
                }
            }
        }
    };
}

fault_kinds! {
    /// A signal ends the broker's process.
    Kill(kill::Kill),
    /// The broker leaves in order.
    Stop(stop::Stop),
    /// The broker leaves in order and comes back at once.
    Restart(restart::Restart),
    /// The broker's processes are frozen.
    Pause(pause::Pause),
    /// One broker after another goes down and comes back.
    Rolling(rolling::Rolling),
    /// The broker dies again and again.
    CrashLoop(crash_loop::CrashLoop),
    /// The broker may use less than before.
    Limit(limit::Limit),
    /// Packets between brokers, or between brokers and clients, are stopped.
    Partition(partition::Partition),
    /// Nobody reaches the broker, and it reaches nobody.
    Isolate(isolate::Isolate),
    /// The others reach the broker and not one another.
    Bridge(bridge::Bridge),
    /// No broker reaches any other.
    AllApart(all_apart::AllApart),
    /// The broker is out of its networks.
    Disconnect(disconnect::Disconnect),
    /// Packets come late, or not at all, or wrong.
    Degrade(degrade::Degrade),
    /// The broker's disk is full.
    DiskFull(disk_full::DiskFull),
    /// The broker may not write to its data.
    DiskReadOnly(disk_read_only::DiskReadOnly),
    /// The broker's disk is slow.
    DiskSlow(disk_slow::DiskSlow),
    /// A file of the broker is damaged while it is down.
    Damage(damage::Damage),
    /// The broker comes back with an empty disk.
    Wipe(wipe::Wipe),
    /// A partition's leader is elected.
    Elect(elect::Elect),
    /// Another replica leads.
    TransferLeader(transfer_leader::TransferLeader),
    /// A partition's replicas are changed.
    Reassign(reassign::Reassign),
    /// Settings are changed while brokers run.
    AlterConfig(alter_config::AlterConfig),
    /// Records are deleted from the start of a log.
    DeleteRecords(delete_records::DeleteRecords),
    /// The controllers elect another leader.
    FailOver(fail_over::FailOver),
    /// Another producer takes a client's transactional id.
    Fence(fence::Fence),
    /// A client's process is killed.
    CrashClient(crash_client::CrashClient),
    /// A client's process is stopped, and runs on later.
    FreezeClient(freeze_client::FreezeClient),
    /// A member of a group takes its time.
    SlowConsumer(slow_consumer::SlowConsumer),
    /// Members join and leave a group all the time.
    RebalanceStorm(rebalance_storm::RebalanceStorm),
}

/// What is said of a kind of fault, whatever its parameters are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultFacts {
    /// Its word.
    pub name: &'static str,
    /// What it does, in a sentence.
    pub about: &'static str,
    /// The keys of its table.
    pub keys: &'static [&'static str],
    /// By which means it is injected.
    pub means: &'static str,
    /// What it cannot do without.
    pub needs: &'static [Need],
    /// Whether the scenario says how long it lasts.
    pub has_length: bool,
    /// Whom it strikes.
    pub strikes: Strikes,
}

impl FaultFacts {
    /// The kind with this word.
    pub fn named(name: &str) -> Option<&'static Self> {
        FaultKind::ALL.iter().find(|facts| facts.name == name)
    }
}

/// A plan holds a kind as `{"kill": {"signal": "SIGKILL"}}`, and one without parameters as its word.
impl Serialize for FaultKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let parameters = self.parameters().map_err(serde::ser::Error::custom)?;
        match parameters.as_object() {
            Some(keys) if !keys.is_empty() => BTreeMap::from([(self.name(), parameters)]).serialize(serializer),
            _ => self.name().serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for FaultKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (name, parameters) = match Value::deserialize(deserializer)? {
            Value::String(name) => (name, Value::Object(serde_json::Map::new())),
            Value::Object(table) if table.len() == 1 => table.into_iter().next().expect("it has one key"),
            other => return Err(serde::de::Error::custom(format!("expected one kind of fault, found {other}"))),
        };
        Self::from_parameters(&name, parameters).map_err(serde::de::Error::custom)
    }
}

/// A duration for people: `500ms`, `10s`.
fn shown(millis: u64) -> String {
    if millis.is_multiple_of(1000) { format!("{}s", millis / 1000) } else { format!("{millis}ms") }
}

/// What a fault's own act moved: a leader or replicas.
fn moved(case: &Case<'_>) -> Option<Moved> {
    case.deeds().iter().find_map(|deed| match deed {
        Deed::Moved(moved) => Some(Moved::clone(moved)),
        _ => None,
    })
}

/// The same action on every target.
fn on_each(scene: &Scene, action: &Action) -> Vec<Stroke> {
    Stroke::each(scene, action)
}
