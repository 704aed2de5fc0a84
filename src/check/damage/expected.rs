//! What a damage that takes evidence away leaves unknown.

use crate::anomaly::CheckName::{
    self, AbortedRead, CommitRegression, Corrupt, Coverage, DoubleOwnership, Duplicate, GroupDelivery, GroupSkip,
    HighWatermark, InconsistentOffsets, LeaderEpoch, LostWrite, NonmonotonicPoll, Phantom, PollSkip, PrecommittedRead,
    ProducerOrder, RealtimeOrder, Redelivery, ReplicaDivergence, TornTransaction,
};
use crate::anomaly::Validity::{self, Invalid, Skipped, Unknown};

pub(super) const LOG_UNKNOWN: &[(CheckName, Validity)] = &[
    (LostWrite, Unknown),
    (Duplicate, Unknown),
    (ProducerOrder, Unknown),
    (RealtimeOrder, Unknown),
    (Phantom, Unknown),
    (Corrupt, Unknown),
    (InconsistentOffsets, Unknown),
    (GroupDelivery, Unknown),
    (PollSkip, Unknown),
    (GroupSkip, Unknown),
    (AbortedRead, Unknown),
    (TornTransaction, Unknown),
    (LeaderEpoch, Unknown),
    (Coverage, Unknown),
];

pub(super) const ALL_UNKNOWN: &[(CheckName, Validity)] = &[
    (LostWrite, Unknown),
    (Duplicate, Unknown),
    (ProducerOrder, Unknown),
    (RealtimeOrder, Unknown),
    (Phantom, Unknown),
    (Corrupt, Unknown),
    (InconsistentOffsets, Unknown),
    (GroupDelivery, Unknown),
    (PollSkip, Unknown),
    (NonmonotonicPoll, Unknown),
    (GroupSkip, Unknown),
    (CommitRegression, Unknown),
    (Redelivery, Unknown),
    (DoubleOwnership, Unknown),
    (AbortedRead, Unknown),
    (PrecommittedRead, Unknown),
    (TornTransaction, Unknown),
    (ReplicaDivergence, Unknown),
    (LeaderEpoch, Unknown),
    (HighWatermark, Unknown),
    (Coverage, Unknown),
];

pub(super) const NO_ENDS: &[(CheckName, Validity)] = &[
    (LostWrite, Unknown),
    (Duplicate, Unknown),
    (ProducerOrder, Unknown),
    (RealtimeOrder, Unknown),
    (Phantom, Unknown),
    (Corrupt, Unknown),
    (InconsistentOffsets, Unknown),
    (GroupDelivery, Unknown),
    (PollSkip, Unknown),
    (GroupSkip, Unknown),
    (AbortedRead, Unknown),
    (TornTransaction, Unknown),
    (ReplicaDivergence, Unknown),
    (LeaderEpoch, Unknown),
    (HighWatermark, Unknown),
    (Coverage, Unknown),
];

pub(super) const DIVERGENCE: &[(CheckName, Validity)] = &[(ReplicaDivergence, Invalid)];

pub(super) const REPLICAS_UNKNOWN: &[(CheckName, Validity)] = &[(ReplicaDivergence, Unknown)];

pub(super) const REPLICAS_SKIPPED: &[(CheckName, Validity)] = &[(ReplicaDivergence, Skipped)];

pub(super) const NO_COVERAGE: &[(CheckName, Validity)] = &[(Coverage, Unknown)];
