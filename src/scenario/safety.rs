//! `[safety]`: what a run must not do, whatever its faults say.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What bounds a run's harm. The default bounds nothing, and fails on a target that is nobody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Safety {
    /// At most so many brokers may be kept away by faults at one time.
    pub max_unavailable: Option<u32>,
    /// What is said of faults that take the controllers' quorum away.
    pub quorum_loss: QuorumLoss,
    /// The chaos phase ends when the run has taken this long.
    pub deadline: Option<Duration>,
    /// What a target means that is nobody.
    pub empty_target: EmptyTarget,
}

/// What is said of faults that take the controllers' quorum away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QuorumLoss {
    /// Validation warns of it.
    #[default]
    Warned,
    /// It is meant.
    Allowed,
}

/// What a target means that is nobody at the moment of injection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EmptyTarget {
    /// The fault is not proven, and the run is inconclusive.
    #[default]
    Fail,
    /// The fault is passed over, which the report tells; the run is judged by the others.
    Skip,
}
