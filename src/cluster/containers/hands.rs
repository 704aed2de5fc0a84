//! The side-cars of a cluster's brokers: one beside each broker whose network is changed or looked at, made when it is first
//! needed, and made anew when its broker got a new network.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Mutex;

use crate::cluster::ClusterError;
use crate::cluster::engine::Engine;
use crate::cluster::hand::Hand;
use crate::cluster::maker::Maker;
use crate::fault::ProcessState;
use crate::kafka::BrokerId;

/// The side-cars.
pub struct Hands {
    engine: Engine,
    maker: Maker,
    beside: Mutex<BTreeMap<BrokerId, Arc<Hand>>>,
}

impl Hands {
    /// None yet.
    pub fn new(engine: Engine, maker: Maker) -> Self {
        Self { engine, maker, beside: Mutex::default() }
    }

    /// What the names of rules begin with, so that two runs on one cluster do not take each other's away.
    pub fn rules(&self, name: &str) -> String {
        format!("{}/{name}", self.maker.label())
    }

    /// The side-car beside this broker, in the network that it has now; `None` when it does not run and has none. One of an
    /// earlier life of the broker, or one that is dead, is replaced.
    pub async fn beside(&self, broker: BrokerId, container: &str) -> Result<Option<Arc<Hand>>, ClusterError> {
        let life = match self.engine.process_state(container).await? {
            ProcessState::Running { started_at } | ProcessState::Paused { started_at } => started_at,
            ProcessState::Exited { .. } | ProcessState::Missing | ProcessState::Unwatched => return Ok(None),
        };
        let mut hands = self.beside.lock().await;
        let is_here = |hand: &&Arc<Hand>| hand.life() == Some(life.as_str()) && hand.death().is_none();
        if let Some(hand) = hands.get(&broker).filter(is_here) {
            return Ok(Some(Arc::clone(hand)));
        }
        let name = self.maker.name("hand").await?;
        let hand = Arc::new(Hand::start(&self.engine, container, &name, &self.maker.labels()).await?);
        hands.insert(broker, Arc::clone(&hand));
        Ok(Some(hand))
    }

    /// Ends them all. What they had changed is undone by them, if it still was in force.
    pub async fn close(&self) {
        for (_, hand) in std::mem::take(&mut *self.beside.lock().await) {
            if let Ok(hand) = Arc::try_unwrap(hand) {
                // How it ended is no matter any more; whether it is gone, its maker asks the engine.
                drop(hand.close().await);
            }
        }
    }
}
