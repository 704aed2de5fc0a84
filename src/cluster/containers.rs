//! Brokers as the containers that they run in: how each action is done there, and undone.
//!
//! A run's own brokers and those of a cluster that was there already differ in who made them, not in this.

mod hands;
mod look;
mod parting;
mod wiring;

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use hands::Hands;
pub use wiring::Listeners;

use crate::cluster::disk::{Disk, DiskError};
use crate::cluster::engine::{Attachment, Engine};
use crate::cluster::hand::Hand;
use crate::cluster::maker::Maker;
use crate::cluster::peers::Peers;
use crate::cluster::undo::Undo;
use crate::cluster::{ClusterError, admin, allowance};
use crate::fault::disk::Throttling;
use crate::fault::{Action, Deed, Need, Plane, ProcessState};
use crate::kafka::{BrokerId, Endpoint};

/// How long a broker may take to name its listeners.
const LISTENERS_LIMIT: Duration = Duration::from_secs(10);

/// The containers of a cluster's brokers, the engine that has them, and the side-cars beside them.
pub struct Containers {
    engine: Engine,
    names: BTreeMap<BrokerId, String>,
    /// Where each broker was when it was first started, and must be again whenever it starts.
    homes: BTreeMap<BrokerId, Attachment>,
    listeners: ListenersOf,
    maker: Maker,
    hands: Hands,
    /// The addresses that each broker had last.
    addresses: Mutex<BTreeMap<BrokerId, Vec<Ipv4Addr>>>,
    /// The ports that each broker named last.
    ports: Mutex<BTreeMap<(BrokerId, Plane), u16>>,
    /// The rules that are in force.
    in_force: Mutex<Vec<InForce>>,
    /// The brokers that a fault has told to end, and that nobody has started since.
    down_on_purpose: Mutex<BTreeSet<BrokerId>>,
}

/// How the ports of the brokers' listeners are known.
pub enum ListenersOf {
    /// All brokers have these.
    All(Listeners),
    /// Each broker is asked.
    Asked(Peers),
}

/// Rules in one broker's network.
struct InForce {
    broker: BrokerId,
    action: Action,
    /// The life of the broker's container in whose network they were put in place last.
    life: Option<String>,
    renewed: u32,
}

impl Containers {
    /// These brokers, in these containers.
    pub fn new(engine: Engine, names: BTreeMap<BrokerId, String>, listeners: ListenersOf, maker: Maker) -> Self {
        let hands = Hands::new(engine.clone(), maker.clone());
        Self {
            engine,
            names,
            homes: BTreeMap::new(),
            listeners,
            maker,
            hands,
            addresses: Mutex::default(),
            ports: Mutex::default(),
            in_force: Mutex::default(),
            down_on_purpose: Mutex::default(),
        }
    }

    /// The same, whose brokers have to be where they were at their first start whenever they start.
    #[must_use]
    pub fn at_home(self, homes: BTreeMap<BrokerId, Attachment>) -> Self {
        Self { homes, ..self }
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The brokers.
    pub fn brokers(&self) -> Vec<BrokerId> {
        self.names.keys().copied().collect()
    }

    /// A broker's container.
    pub fn name(&self, broker: BrokerId) -> Result<&str, ClusterError> {
        self.names.get(&broker).map(String::as_str).ok_or(ClusterError::NotNamed { broker })
    }

    /// The state of a broker's first process.
    pub async fn process_state(&self, broker: BrokerId) -> Result<ProcessState, ClusterError> {
        self.engine.process_state(self.name(broker)?).await
    }

    /// Whether what these faults need is here; else why they cannot be injected. To be asked before anything is disturbed.
    pub async fn can(&self, needs: &BTreeSet<Need>) -> Result<(), ClusterError> {
        for broker in self.brokers() {
            if needs.contains(&Need::Tool) {
                let disk = self.disk(broker).await?;
                if needs.contains(&Need::Throttling)
                    && let Throttling::Unavailable { reason } = disk.can_throttle().await?
                {
                    return Err(ClusterError::Engine { action: format!("slow the disk of {broker}"), reason });
                }
            }
            if needs.contains(&Need::ControlGroups) {
                allowance::read(&self.engine, self.name(broker)?, &self.maker).await?;
            }
            if !needs.contains(&Need::SideCar) && !needs.contains(&Need::PacketQueue) {
                continue;
            }
            let hand = self.hand(broker).await?;
            if needs.contains(&Need::PacketQueue) && !hand.hello().queue {
                return Err(ClusterError::Engine {
                    action: format!("shape packets in the network of {broker}"),
                    reason: "its kernel hands no packets over to programs (NFQUEUE)".to_owned(),
                });
            }
        }
        Ok(())
    }

    /// A broker's disk.
    pub async fn disk(&self, broker: BrokerId) -> Result<Disk, DiskError> {
        Disk::of(&self.engine, self.name(broker)?, &self.maker).await
    }

    /// Ends the side-cars.
    pub async fn close(&self) {
        self.hands.close().await;
    }

    /// What will undo an action, from what is there before it.
    pub async fn prepare(&self, broker: BrokerId, action: &Action) -> Result<Undo, ClusterError> {
        let name = self.name(broker)?;
        Ok(match action {
            Action::Signal { .. } | Action::Stop { .. } => Undo::Start,
            Action::Freeze => Undo::Thaw,
            Action::Limit { .. } => {
                // So that a limit that nobody could see refuses the fault before any of it is done.
                allowance::read(&self.engine, name, &self.maker).await?;
                Undo::Limit { limits: self.engine.limits(name).await? }
            }
            Action::Fill => {
                // So that a disk which may not be filled refuses the fault before any of it is done.
                self.disk(broker).await?.may_fill().await?;
                Undo::Free
            }
            Action::Lock { place } => self.disk(broker).await.map(|_| Undo::Unlock { place: place.clone() })?,
            Action::Throttle { .. } => {
                self.disk(broker).await?.may_throttle().await?;
                Undo::Unthrottle
            }
            Action::Damage { .. } | Action::Wipe => self.disk(broker).await.map(|_| Undo::Nothing)?,
            Action::Disconnect => Undo::Reconnect { places: self.engine.attachments(name).await? },
            Action::Cut { name, wires, .. } | Action::Shape { name, wires, .. } => {
                // So that what cannot be found out refuses the fault before any of it is done.
                self.flows(broker, wires).await?;
                self.hand(broker).await?;
                Undo::Release { name: self.hands.rules(name) }
            }
            Action::Lever(_) => return Err(not_by_container(broker)),
        })
    }

    /// Does it, and returns when it is in force: when the engine or the kernel confirms the new state, not when it has taken
    /// the order. A signal is only sent, and a proof taken before the process is gone would show a broker that still answers.
    pub async fn perform(&self, broker: BrokerId, action: &Action) -> Result<Option<Deed>, ClusterError> {
        let name = self.name(broker)?;
        if action.tells_to_end() {
            self.down_on_purpose.lock().await.insert(broker);
        }
        match action {
            Action::Signal { signal } => {
                self.engine.kill(name, *signal).await?;
                self.wait_for_exit(broker, name).await?;
            }
            Action::Stop { grace_ms } => {
                self.engine.stop(name, Duration::from_millis(*grace_ms)).await?;
                self.wait_for_exit(broker, name).await?;
            }
            Action::Freeze => self.engine.pause(name).await?,
            Action::Limit { cpu_millis, memory_bytes } => {
                let mut limits = self.engine.limits(name).await?;
                limits = cpu_millis.map_or(limits, |millis| limits.with_cpu(millis));
                limits = memory_bytes.map_or(limits, |bytes| limits.with_memory(bytes));
                self.engine.limit(name, &limits).await?;
            }
            Action::Fill => return Ok(Some(Deed::Filled(self.disk(broker).await?.fill().await?))),
            Action::Lock { place } => return Ok(Some(Deed::Locked(self.disk(broker).await?.lock(place).await?))),
            Action::Throttle { bytes_per_s } => {
                return Ok(Some(Deed::Throttled(self.disk(broker).await?.throttle(*bytes_per_s).await?)));
            }
            Action::Damage { file, how, seed } => {
                return Ok(Some(Deed::Damaged(self.disk(broker).await?.damage(file, *how, *seed).await?)));
            }
            Action::Wipe => return Ok(Some(Deed::Wiped(self.disk(broker).await?.wipe().await?))),
            Action::Disconnect => {
                for place in self.engine.attachments(name).await? {
                    self.engine.disconnect(name, &place).await?;
                }
            }
            Action::Cut { .. } | Action::Shape { .. } => {
                let hand = self.hand(broker).await?;
                // Under the lock, so that nobody who looks meanwhile misses them.
                let mut in_force = self.in_force.lock().await;
                self.rule(broker, &hand, action).await?;
                let life = hand.life().map(str::to_owned);
                in_force.push(InForce { broker, action: action.clone(), life, renewed: 0 });
            }
            Action::Lever(_) => return Err(not_by_container(broker)),
        }
        Ok(None)
    }

    /// Undoes it. May be repeated: a broker that is well already stays well.
    pub async fn undo(&self, broker: BrokerId, undo: &Undo) -> Result<(), ClusterError> {
        let name = self.name(broker)?;
        if matches!(undo, Undo::Start | Undo::Revive { .. }) {
            self.down_on_purpose.lock().await.remove(&broker);
        }
        match undo {
            Undo::Start => self.start(broker, name).await,
            Undo::Revive { life } => self.revive(broker, name, life).await,
            Undo::Thaw => self.engine.thaw(name).await,
            Undo::Limit { limits } => {
                self.engine.limit(name, limits).await?;
                // With too little memory the kernel has killed it. What another fault keeps down is that one's to start.
                if self.down_on_purpose.lock().await.contains(&broker) {
                    return Ok(());
                }
                self.start(broker, name).await
            }
            // A broker whose disk failed has ended of that.
            Undo::Free => {
                self.disk(broker).await?.free().await?;
                self.start(broker, name).await
            }
            Undo::Unlock { place } => {
                self.disk(broker).await?.unlock(place).await?;
                self.start(broker, name).await
            }
            Undo::Unthrottle => Ok(self.disk(broker).await?.unthrottle().await?),
            Undo::Nothing => Ok(()),
            Undo::Reconnect { places } => {
                for place in places {
                    self.engine.reconnect(name, place).await?;
                }
                Ok(())
            }
            Undo::Release { name: rules } => {
                self.in_force.lock().await.retain(|one| one.broker != broker || one.rules(&self.hands) != *rules);
                match self.hand_if_any(broker).await? {
                    Some(hand) => hand.undo(rules).await.map(drop).map_err(ClusterError::from),
                    // It does not run, and its network with every rule in it is gone.
                    None => Ok(()),
                }
            }
            Undo::Place(_) | Undo::Configure { .. } => Err(not_by_container(broker)),
        }
    }

    async fn rule(&self, broker: BrokerId, hand: &Hand, action: &Action) -> Result<(), ClusterError> {
        match action {
            Action::Cut { name, wires, verdict } => {
                let flows = self.flows(broker, wires).await?;
                hand.cut(&self.hands.rules(name), &flows, *verdict).await?;
            }
            Action::Shape { name, wires, treatment, seed } => {
                let flows = self.flows(broker, wires).await?;
                hand.shape(&self.hands.rules(name), &flows, treatment, *seed).await?;
            }
            _ => {}
        }
        Ok(())
    }

    /// The side-car beside a broker that runs.
    async fn hand(&self, broker: BrokerId) -> Result<Arc<Hand>, ClusterError> {
        self.hand_if_any(broker).await?.ok_or_else(|| ClusterError::Engine {
            action: format!("enter the network of {broker}"),
            reason: "it does not run, and has none".to_owned(),
        })
    }

    /// The side-car beside a broker; `None` when it does not run. Where the broker got a new network since, what is in force is
    /// put in place there anew: a fault lasts until it is healed, whatever else happens to its target. Until all of it is in
    /// place nobody else gets the side-car, who would look for it in vain; and what could not be put in place is tried again.
    async fn hand_if_any(&self, broker: BrokerId) -> Result<Option<Arc<Hand>>, ClusterError> {
        let mut in_force = self.in_force.lock().await;
        let Some(hand) = self.hands.beside(broker, self.name(broker)?).await? else { return Ok(None) };
        for one in in_force.iter_mut().filter(|one| one.broker == broker && one.life.as_deref() != hand.life()) {
            self.rule(broker, &hand, &one.action).await?;
            one.life = hand.life().map(str::to_owned);
            one.renewed += 1;
        }
        Ok(Some(hand))
    }

    /// The controllers at their own listeners, by their containers' addresses, which the engine's host reaches. Of combined
    /// brokers every one is a controller.
    pub async fn controllers(&self) -> Result<Peers, ClusterError> {
        let mut addresses = Vec::new();
        for broker in self.brokers() {
            let port = self.port(broker, Plane::Controller).await?;
            let places = self.engine.addresses(self.name(broker)?).await?;
            let places = places.into_iter().map(|place| (broker, Endpoint::new(place.address.to_string(), port)));
            addresses.extend(places.take(1));
        }
        Ok(Peers::plaintext(addresses))
    }

    /// The port of a broker's listener, inside its container. One that cannot be asked now has the one that it named last: that
    /// it is dead or cut off must not keep anybody from trying a connection to it.
    async fn port(&self, broker: BrokerId, plane: Plane) -> Result<u16, ClusterError> {
        let none =
            |reason: String| ClusterError::Engine { action: format!("find the {plane} listener of {broker}"), reason };
        match &self.listeners {
            ListenersOf::All(listeners) => listeners.get(&plane).copied().ok_or_else(|| none("it has none".to_owned())),
            ListenersOf::Asked(peers) => {
                let asked = admin::listeners::listeners(peers, broker, LISTENERS_LIMIT).await;
                let mut known = self.ports.lock().await;
                match asked {
                    Ok(found) => {
                        let listener = found.iter().find(|listener| listener.planes.contains(&plane));
                        let none = || none("it has none for that plane".to_owned());
                        let port = listener.map(|listener| listener.port).ok_or_else(none)?;
                        known.insert((broker, plane), port);
                        Ok(port)
                    }
                    Err(error) => known.get(&(broker, plane)).copied().ok_or(error),
                }
            }
        }
    }
}

/// Whoever has the brokers' addresses does what Kafka's protocol does (`cluster::levers`), and asks no container for it.
fn not_by_container(broker: BrokerId) -> ClusterError {
    let action = format!("do that to the container of {broker}");
    ClusterError::Engine { action, reason: "Kafka's protocol does it".to_owned() }
}

impl InForce {
    /// The rules' name as the side-car has it.
    fn rules(&self, hands: &Hands) -> String {
        match &self.action {
            Action::Cut { name, .. } | Action::Shape { name, .. } => hands.rules(name),
            _ => String::new(),
        }
    }
}
