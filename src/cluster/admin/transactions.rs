//! Transactional producers: what their coordinator knows of them (KIP-664), and how to take their right to write away.

use std::time::{Duration, Instant};

use kafka_protocol::messages::{DescribeTransactionsRequest, InitProducerIdRequest, ProducerId, TransactionalId};
use kafka_protocol::protocol::StrBytes;

use super::ask::{Asking, Said, Whom};
use crate::cluster::ClusterError;
use crate::cluster::peers::Peers;
use crate::kafka::TopicPartition;
use crate::kafka::levers::{Fencing, ProducerIdentity, TransactionView};

/// The code of `TRANSACTIONAL_ID_NOT_FOUND`.
const TRANSACTIONAL_ID_NOT_FOUND: i16 = 105;

/// The newest version of `InitProducerId` that is spoken here; the next one is for two-phase commits (KIP-939).
const INIT_NEWEST: i16 = 5;

/// What the coordinator knows of a transactional id; `None` where nobody has used it, or not for so long that it is
/// forgotten (`transactional.id.expiration.ms`).
pub async fn describe_transaction(
    peers: &Peers,
    transactional_id: &str,
    limit: Duration,
) -> Result<Option<TransactionView>, ClusterError> {
    let action = format!("see the transactions of `{transactional_id}`");
    let asking = Asking { peers, whom: Whom::OfTransactions(transactional_id), action, limit };
    let request = DescribeTransactionsRequest::default().with_transactional_ids(vec![id(transactional_id)]);
    let answer = asking.until(
        0,
        |_| request.clone(),
        |answer| answer.transaction_states.first().map_or_else(Said::nothing, |state| Said::code(state.error_code)),
    );
    let answer = match answer.await {
        Ok(answer) => answer,
        Err(ClusterError::Refused { code: TRANSACTIONAL_ID_NOT_FOUND, .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(answer.transaction_states.into_iter().next().map(|state| {
        let mut partitions: Vec<TopicPartition> = state
            .topics
            .into_iter()
            .flat_map(|topic| {
                let name = topic.topic.0.to_string();
                topic.partitions.into_iter().map(move |partition| TopicPartition::new(name.clone(), partition))
            })
            .collect();
        partitions.sort();
        TransactionView {
            transactional_id: state.transactional_id.0.to_string(),
            state: state.transaction_state.to_string(),
            producer: ProducerIdentity { producer_id: state.producer_id.0, epoch: state.producer_epoch },
            timeout_ms: state.transaction_timeout_ms,
            began_ms: Some(state.transaction_start_time_ms).filter(|began| *began >= 0),
            partitions,
        }
    }))
}

/// Fences the producer of a transactional id, as a second producer of the same id would: whatever it has under way is
/// aborted, and it may not write any more. An id that nobody uses is refused, because there is nobody to fence. Asked twice,
/// because an answer was lost, the epoch grows twice.
pub async fn fence(peers: &Peers, transactional_id: &str, limit: Duration) -> Result<Fencing, ClusterError> {
    let began = Instant::now();
    let action = format!("fence the producer of `{transactional_id}`");
    let before = describe_transaction(peers, transactional_id, limit).await?;
    let before = before.ok_or_else(|| ClusterError::Refused {
        action: action.clone(),
        code: TRANSACTIONAL_ID_NOT_FOUND,
        reason:
            "nobody uses this transactional id, so that its producer had not begun a transaction yet, or is long gone"
                .to_owned(),
    })?;
    // The coordinator keeps the time-out of whoever came last, so that the producer's own is said again.
    let request = InitProducerIdRequest::default()
        .with_transactional_id(Some(id(transactional_id)))
        .with_transaction_timeout_ms(before.timeout_ms)
        .with_producer_id(ProducerId(-1))
        .with_producer_epoch(-1);
    let left = limit.saturating_sub(began.elapsed());
    let asking = Asking { peers, whom: Whom::OfTransactions(transactional_id), action, limit: left };
    let answer = asking.until(INIT_NEWEST, |_| request.clone(), |answer| Said::code(answer.error_code)).await?;
    let after = ProducerIdentity { producer_id: answer.producer_id.0, epoch: answer.producer_epoch };
    Ok(Fencing { before, after })
}

fn id(id: &str) -> TransactionalId {
    TransactionalId(StrBytes::from_string(id.to_owned()))
}
