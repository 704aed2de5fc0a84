//! The hand: a program in a side-car that shares a broker's network namespace, and cuts, slows and probes there.
//!
//! It is spoken to over its stdin and stdout. A hand belongs to one life of its broker's container: a container that is
//! started again gets a new namespace, without our rules, and the old hand is left in an empty one ([`Hand::life`]).

mod line;
mod protocol;
mod side_car;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::SocketAddrV4;
use std::time::Duration;

use self::line::{Line, Pace};
use self::protocol::{Cleared, Done, Probed, Request, Was};
use crate::cluster::engine::{Engine, Leftovers, NewSideCar};
use crate::cluster::{ClusterError, images};
use crate::fault::ProcessState;
use crate::fault::network::{Flow, LinkProbe, NetworkLook, Treatment, Verdict};

pub use line::{Ending, Transport};
pub use protocol::Hello;

/// How long a hand may take to answer what needs no waiting.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// What can go wrong with a hand.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HandError {
    /// It is dead, and whatever it did to packets by itself has ended. Rules that it set may still be there.
    #[error("the hand {hand} is dead: {reason}")]
    Dead {
        /// Its container.
        hand: String,
        /// How that is known.
        reason: String,
    },
    /// It did not answer in time; what was asked may have been done or not.
    #[error("the hand {hand} did not {action} within {limit_s} s")]
    Late {
        /// Its container.
        hand: String,
        /// What was asked.
        action: String,
        /// The limit.
        limit_s: u64,
    },
    /// It could not do what was asked, and did nothing of it.
    #[error("the hand {hand} could not {action}: {reason}")]
    Refused {
        /// Its container.
        hand: String,
        /// What was asked.
        action: String,
        /// Its own words.
        reason: String,
    },
    /// It answered something else.
    #[error("the hand {hand} was to {action}, and answered {answer}")]
    Garbled {
        /// Its container.
        hand: String,
        /// What was asked.
        action: String,
        /// What it wrote.
        answer: String,
    },
    /// It speaks another version of the protocol than we do.
    #[error(
        "the hand {hand} speaks version {version} of its protocol\n  help: run docker/setup.sh, which builds the image that fits"
    )]
    Version {
        /// Its container.
        hand: String,
        /// What it speaks.
        version: u32,
    },
}

/// Whether there was something to undo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undone {
    /// It was in force, and is not any more.
    Now,
    /// It was not in force.
    Before,
}

/// A hand that runs. Dropping it closes its stdin, and it ends.
pub struct Hand {
    line: Line,
    hello: Hello,
    life: Option<String>,
}

impl Hand {
    /// Starts a hand beside a broker's container, as a container of this name and with these labels.
    ///
    /// The caller's ledger has to have the name first. On an error nothing is left behind.
    pub async fn start(
        engine: &Engine,
        broker_container: &str,
        name: &str,
        labels: &BTreeMap<String, String>,
    ) -> Result<Self, ClusterError> {
        let image = images::find_side_car(engine).await?;
        let new = NewSideCar {
            name: name.to_owned(),
            image: format!("{}:{}", image.name, image.tag),
            command: None,
            beside: broker_container.to_owned(),
            labels: labels.clone(),
        };
        Self::start_as(engine, &new).await
    }

    /// Starts a hand as a side-car of the caller's making: another image, or another command.
    pub async fn start_as(engine: &Engine, new: &NewSideCar) -> Result<Self, ClusterError> {
        let life = match engine.process_state(&new.beside).await? {
            ProcessState::Running { started_at } | ProcessState::Paused { started_at } => Some(started_at),
            ProcessState::Exited { .. } | ProcessState::Missing | ProcessState::Unwatched => None,
        };
        let side_car = engine.start_side_car(new).await?;
        match Self::over(&new.name, side_car::transport(side_car)).await {
            Ok(hand) => Ok(Self { life, ..hand }),
            Err(error) => {
                // What does not greet may not heed the end of its stdin either.
                discard(engine, &new.name).await;
                Err(error.into())
            }
        }
    }

    /// Speaks to a hand over pipes of any kind. `name` is for errors.
    pub async fn over(name: &str, transport: Transport) -> Result<Self, HandError> {
        Self::paced(name, transport, Pace::default()).await
    }

    async fn paced(name: &str, transport: Transport, pace: Pace) -> Result<Self, HandError> {
        let (line, hello) = Line::open(name, transport, pace).await?;
        Ok(Self { line, hello, life: None })
    }

    /// What the kernel under it can do.
    pub fn hello(&self) -> Hello {
        self.hello
    }

    /// The life of the broker's container that it belongs to: its start, as [`ProcessState`] has it.
    pub fn life(&self) -> Option<&str> {
        self.life.as_deref()
    }

    /// Why it is dead, if it is. Noticed when its output ends, or when it owes a ping's answer for too long.
    pub fn death(&self) -> Option<&str> {
        self.line.death()
    }

    /// Asks for a sign of life.
    pub async fn ping(&self) -> Result<(), HandError> {
        self.order(Request::Ping).await
    }

    /// Stops packets. All flows or none; a cut of that name that is there is replaced.
    pub async fn cut(&self, name: &str, flows: &[Flow], verdict: Verdict) -> Result<(), HandError> {
        self.order(Request::Cut { name: name.to_owned(), flows: flows.to_vec(), verdict }).await
    }

    /// Treats packets. `seed` decides which ones chance strikes.
    pub async fn shape(&self, name: &str, flows: &[Flow], treatment: &Treatment, seed: u64) -> Result<(), HandError> {
        let (name, flows) = (name.to_owned(), flows.to_vec());
        self.order(Request::Shape { name, flows, treatment: treatment.into(), seed }).await
    }

    /// Undoes the cut or shape of that name.
    pub async fn undo(&self, name: &str) -> Result<Undone, HandError> {
        let Was { was } = self.line.ask(Request::Undo { name: name.to_owned() }, ANSWER_LIMIT).await?;
        Ok(if was { Undone::Now } else { Undone::Before })
    }

    /// What is in force, as the kernel tells it: what somebody else removed is not there.
    pub async fn look(&self) -> Result<NetworkLook, HandError> {
        self.line.ask(Request::Look, ANSWER_LIMIT).await
    }

    /// Connects to each address from where the broker is, all at once, each for this long at most.
    pub async fn probe(&self, to: &[SocketAddrV4], limit: Duration) -> Result<Vec<LinkProbe>, HandError> {
        let limit_ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        let request = Request::Probe { to: to.to_vec(), limit_ms };
        let Probed { results } = self.line.ask(request, limit.saturating_add(ANSWER_LIMIT)).await?;
        Ok(results)
    }

    /// Removes every rule of ours in the broker's network, also those of a hand that died. Their names.
    pub async fn clear(&self) -> Result<Vec<String>, HandError> {
        let Cleared { removed } = self.line.ask(Request::Clear, ANSWER_LIMIT).await?;
        Ok(removed)
    }

    /// Closes its stdin and waits until it has ended.
    pub async fn close(self) -> Result<Ending, HandError> {
        self.line.close().await
    }

    /// Removes what dead hands left in a container's network; the names of what there was. A container that does not run has
    /// no network, and nothing in it.
    pub async fn sweep(
        engine: &Engine,
        container: &str,
        name: &str,
        labels: &BTreeMap<String, String>,
    ) -> Result<Vec<String>, ClusterError> {
        match engine.process_state(container).await? {
            ProcessState::Exited { .. } | ProcessState::Missing | ProcessState::Unwatched => return Ok(Vec::new()),
            ProcessState::Running { .. } | ProcessState::Paused { .. } => {}
        }
        let hand = Self::start(engine, container, name, labels).await?;
        let removed = hand.clear().await;
        let closed = hand.close().await;
        if removed.is_err() || closed.is_err() {
            discard(engine, name).await;
        }
        let removed = removed?;
        closed?;
        Ok(removed)
    }

    async fn order(&self, request: Request) -> Result<(), HandError> {
        let Done {} = self.line.ask(request, ANSWER_LIMIT).await?;
        Ok(())
    }
}

/// Removes the container of a hand that is of no use. The error that made it so is the one to tell, not one of this; what is
/// left is labelled.
async fn discard(engine: &Engine, name: &str) {
    let left = Leftovers { containers: vec![name.to_owned()], ..Leftovers::default() };
    drop(engine.remove(&left).await);
}
