//! What Kafka itself lets an administrator move: leaders, replicas, settings, the start of a log, a producer's epoch; and
//! what is seen of each before and after, so that a proof can compare and an undo can put it back exactly.

mod configs;
mod listeners;
mod quorum;
mod replicas;
mod transactions;

pub use configs::{ConfigChange, ConfigOwner, ConfigState, OwnValue};
pub use listeners::{Listener, Plane};
pub use quorum::{FailOver, Quorum, QuorumReplica};
pub use replicas::{Before, Elected, Election, LogBounds, Placement, Reassignment, ReplicaLog, ReplicaLook};
pub use transactions::{Fencing, ProducerIdentity, TransactionView};
