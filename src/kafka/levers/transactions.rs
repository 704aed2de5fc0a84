//! Transactional producers as their coordinator knows them.

use serde::{Deserialize, Serialize};

use crate::kafka::TopicPartition;

/// Who may write in the name of a transactional id. A producer with an older epoch is fenced (KIP-98).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ProducerIdentity {
    /// The producer id.
    pub producer_id: i64,
    /// Its epoch. When epochs run out, the producer id changes and they begin anew.
    pub epoch: i16,
}

/// What a coordinator knows of a transactional id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransactionView {
    /// The id.
    pub transactional_id: String,
    /// Its state in Kafka's own word: `Empty`, `Ongoing`, `PrepareCommit`, `CompleteAbort`, ...
    pub state: String,
    /// Who may write in its name.
    pub producer: ProducerIdentity,
    /// After how many milliseconds the coordinator aborts a transaction of it.
    pub timeout_ms: i32,
    /// When the transaction under way began, in milliseconds since 1970 by the coordinator's clock.
    pub began_ms: Option<i64>,
    /// The partitions that the transaction under way has written to.
    pub partitions: Vec<TopicPartition>,
}

/// That a producer was fenced: who could write before, and who can now, which is nobody that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fencing {
    /// What the coordinator knew before.
    pub before: TransactionView,
    /// The identity that it gave out now.
    pub after: ProducerIdentity,
}
