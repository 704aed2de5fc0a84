//! What of `[safety]` concerns those who carry the plan out.

use serde::{Deserialize, Serialize};

use super::millis;
pub use crate::scenario::EmptyTarget;
use crate::scenario::Safety;

/// What bounds the harm of a plan's steps. The default bounds nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedSafety {
    /// At most so many brokers may be kept away by faults at one time; a fault that would keep away more is not injected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_unavailable: Option<u32>,
    /// The chaos phase ends when the run has taken this long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_ms: Option<u64>,
    /// What a target means that is nobody at the moment of injection.
    #[serde(default)]
    pub empty_target: EmptyTarget,
}

impl PlannedSafety {
    pub(super) fn of(safety: &Safety) -> Self {
        Self {
            max_unavailable: safety.max_unavailable,
            deadline_ms: safety.deadline.map(millis),
            empty_target: safety.empty_target,
        }
    }

    /// Whether it bounds nothing, so that a plan need not speak of it.
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
