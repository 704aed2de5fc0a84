//! The two ends of a partition's log, asked of its leader, and records deleted from its start (KIP-107).

use std::time::Duration;

use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::{self, DeleteRecordsRequest, ListOffsetsRequest};

use super::ask::{ATTEMPT_LIMIT_MS, Asking, Said, Whom};
use super::topic_name;
use crate::cluster::ClusterError;
use crate::cluster::peers::Peers;
use crate::kafka::levers::{Before, LogBounds};
use crate::kafka::{Offset, TopicPartition};

/// `ListOffsets` takes these timestamps for the ends of a log.
const EARLIEST: i64 = -2;
const LATEST: i64 = -1;

/// `DeleteRecords` takes this offset for the high watermark.
const HIGH_WATERMARK: i64 = -1;

/// Deletes the records before an offset, and waits until every replica that lives has; tells from where the log is read now.
/// Nothing brings them back. Asked twice, because an answer was lost, the high watermark is the second time's.
pub async fn delete_records(
    peers: &Peers,
    partition: &TopicPartition,
    before: Before,
    limit: Duration,
) -> Result<Offset, ClusterError> {
    let offset = match before {
        Before::Offset(offset) => offset.0,
        Before::HighWatermark => HIGH_WATERMARK,
    };
    let wanted = DeleteRecordsPartition::default().with_partition_index(partition.partition.0).with_offset(offset);
    let topic = DeleteRecordsTopic::default().with_name(topic_name(&partition.topic)).with_partitions(vec![wanted]);
    let request = DeleteRecordsRequest::default().with_topics(vec![topic]).with_timeout_ms(ATTEMPT_LIMIT_MS);
    let action = format!("delete the records of {partition} before {before}");
    let asking = Asking { peers, whom: Whom::Leader(partition), action, limit };
    let answer = asking
        .until(
            2,
            |_| request.clone(),
            |answer| {
                let result = answer.topics.first().and_then(|topic| topic.partitions.first());
                result.map_or_else(Said::nothing, |result| Said::code(result.error_code))
            },
        )
        .await?;
    let result = answer.topics.first().and_then(|topic| topic.partitions.first());
    Ok(Offset(result.expect("an answer without a result was refused above").low_watermark))
}

/// From where to where a partition can be read. The start is asked for first, so that it never lies behind the end.
pub async fn offsets(peers: &Peers, partition: &TopicPartition, limit: Duration) -> Result<LogBounds, ClusterError> {
    let log_start = offset_at(peers, partition, EARLIEST, limit).await?;
    let high_watermark = offset_at(peers, partition, LATEST, limit).await?;
    Ok(LogBounds { log_start, high_watermark })
}

async fn offset_at(
    peers: &Peers,
    partition: &TopicPartition,
    timestamp: i64,
    limit: Duration,
) -> Result<Offset, ClusterError> {
    let wanted = ListOffsetsPartition::default()
        .with_partition_index(partition.partition.0)
        .with_current_leader_epoch(-1)
        .with_timestamp(timestamp);
    let topic = ListOffsetsTopic::default().with_name(topic_name(&partition.topic)).with_partitions(vec![wanted]);
    let request = ListOffsetsRequest::default().with_replica_id(messages::BrokerId(-1)).with_topics(vec![topic]);
    let action = format!("learn how far {partition} reaches");
    let asking = Asking { peers, whom: Whom::Leader(partition), action, limit };
    let answer = asking
        .until(
            7,
            |_| request.clone(),
            |answer| {
                let result = answer.topics.first().and_then(|topic| topic.partitions.first());
                result.map_or_else(Said::nothing, |result| Said::code(result.error_code))
            },
        )
        .await?;
    let result = answer.topics.first().and_then(|topic| topic.partitions.first());
    Ok(Offset(result.expect("an answer without a result was refused above").offset))
}
