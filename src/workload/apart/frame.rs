//! What goes over the line between the harness and a client's process.
//!
//! A frame is a length (u32), a kind (u8) and a body; everything is little endian. Rows and announcements, of which there
//! may be hundreds of thousands a second, have fixed widths; everything else is JSON. Both ends are one build of one
//! program, so the format has no version.

use bytes::{Buf, BufMut};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::super::in_flight::Pending;
use super::super::{consumer, producer};
use crate::history::clock::Origin;
use crate::history::event::Position;
use crate::history::recorder::Header;
use crate::history::{Event, ReadRow, SendRow};
use crate::kafka::{
    BrokerId, LeaderEpoch, Offset, Outcome, Partition, ProcessId, ReadStatus, RecordId, Sequence, TimeNs, TopicIndex,
};
use crate::workload::progress::Order;
use crate::workload::reading::Spot;

/// No frame is longer: the largest are batches of a few thousand rows.
const LENGTH_MAX: usize = 64 << 20;
/// The length and the kind.
const HEAD_BYTES: usize = 5;
const NONE_64: i64 = i64::MIN;
const NONE_32: i32 = i32::MIN;

/// What a client's process tells the harness.
#[derive(Debug, PartialEq)]
pub enum Report {
    /// An event.
    Event(Event),
    /// Completed sends.
    Sends(Vec<SendRow>),
    /// Records read.
    Reads(Vec<ReadRow>),
    /// These records are about to be handed to librdkafka.
    Invoking {
        /// The process.
        process: ProcessId,
        /// Where to.
        topic: TopicIndex,
        /// Which.
        sends: Vec<Pending>,
    },
    /// These positions are about to be committed.
    Committing(Vec<Position>),
    /// The member stands at this next offset.
    Stands(Spot, i64),
    /// The client could not be made.
    Unmade(String),
    /// The life ended in order.
    Ended(Ended),
}

/// How a life in another process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ended {
    /// As it was told to.
    Told,
    /// The client is of no use any more; a producer's next life begins with this record.
    Fatal {
        /// Counted from 0.
        first: u64,
    },
}

/// What the harness tells a client's process.
#[derive(Serialize, Deserialize)]
pub enum Instruction {
    /// Always the first: who it is and what to do.
    Begin(Box<Begin>),
    /// Stop scheduling; what is in flight may take this long.
    Stop {
        /// In milliseconds.
        limit_ms: u64,
    },
    /// Read to these offsets.
    Drain {
        /// By partition.
        ends: Vec<(Spot, i64)>,
    },
    /// The group has finished.
    End {
        /// How.
        order: Order,
        /// What was not reached.
        missing: Vec<(Spot, i64, i64)>,
    },
    /// Leave the group without a drain.
    Abort,
    /// Take this long over each record.
    Tempo {
        /// In nanoseconds.
        per_record_ns: u64,
    },
}

/// How a client's process begins.
#[derive(Serialize, Deserialize)]
pub struct Begin {
    /// The history's.
    pub header: Header,
    /// The run's clock (see `Clock::origin`).
    pub origin: Origin,
    /// Its id in the history.
    pub process: ProcessId,
    /// How long it takes over each record, in nanoseconds.
    pub per_record_ns: u64,
    /// What it is.
    pub client: Client,
}

/// What a client's process is to be.
#[derive(Serialize, Deserialize)]
pub enum Client {
    /// A producer.
    Producer(producer::Assignment, producer::Birth),
    /// A group's member.
    Member {
        /// What to do.
        assignment: consumer::Assignment,
        /// Which life it is.
        incarnation: u32,
        /// The partitions that its group reads.
        spots: Vec<Spot>,
    },
}

/// The bytes on the line mean nothing: a bug, for both ends are one build.
#[derive(Debug, thiserror::Error)]
#[error("the line to a client's process holds no frame: {0}")]
pub struct BadFrame(String);

fn bad(what: impl std::fmt::Display) -> BadFrame {
    BadFrame(what.to_string())
}

/// Writes one frame.
fn frame(kind: u8, body: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = vec![0, 0, 0, 0, kind];
    body(&mut bytes);
    let length = u32::try_from(bytes.len() - HEAD_BYTES).expect("no batch comes near four gigabytes");
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    bytes
}

fn json(kind: u8, value: &impl Serialize) -> Vec<u8> {
    frame(kind, |bytes| serde_json::to_writer(bytes, value).expect("plain data has a JSON form"))
}

/// Takes the first whole frame out of `buffer`; `None` when there is none yet.
pub fn take(buffer: &mut Vec<u8>) -> Result<Option<(u8, Vec<u8>)>, BadFrame> {
    let Some(head) = buffer.get(..HEAD_BYTES) else { return Ok(None) };
    let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
    let kind = head[4];
    if length > LENGTH_MAX {
        return Err(bad(format!("a length of {length}")));
    }
    if buffer.len() < HEAD_BYTES + length {
        return Ok(None);
    }
    let body = buffer[HEAD_BYTES..HEAD_BYTES + length].to_vec();
    buffer.drain(..HEAD_BYTES + length);
    Ok(Some((kind, body)))
}

impl Instruction {
    /// The frame.
    pub fn encode(&self) -> Vec<u8> {
        json(0, self)
    }

    /// What a frame says.
    pub fn decode((kind, body): (u8, Vec<u8>)) -> Result<Self, BadFrame> {
        if kind == 0 { read_json(&body) } else { Err(bad(format!("an instruction of kind {kind}"))) }
    }
}

fn read_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, BadFrame> {
    serde_json::from_slice(body).map_err(bad)
}

impl Report {
    /// The frame.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Event(event) => json(1, event),
            Self::Sends(rows) => frame(2, |bytes| rows.iter().for_each(|row| put_send(bytes, row))),
            Self::Reads(rows) => frame(3, |bytes| rows.iter().for_each(|row| put_read(bytes, row))),
            Self::Invoking { process, topic, sends } => frame(4, |bytes| {
                bytes.put_u32_le(process.0);
                bytes.put_u16_le(topic.0);
                for send in sends {
                    put_pending(bytes, send);
                }
            }),
            Self::Committing(positions) => json(5, positions),
            Self::Stands(spot, next) => json(6, &(spot, next)),
            Self::Unmade(reason) => json(7, reason),
            Self::Ended(ended) => json(8, ended),
        }
    }

    /// What a frame says.
    pub fn decode((kind, body): (u8, Vec<u8>)) -> Result<Self, BadFrame> {
        let mut rest = body.as_slice();
        Ok(match kind {
            1 => Self::Event(read_json(&body)?),
            2 => Self::Sends(all(rest, get_send)?),
            3 => Self::Reads(all(rest, get_read)?),
            4 => {
                let (process, topic) = (ProcessId(rest.try_get_u32_le().map_err(bad)?), rest.try_get_u16_le());
                let topic = TopicIndex(topic.map_err(bad)?);
                Self::Invoking { process, topic, sends: all(rest, get_pending)? }
            }
            5 => Self::Committing(read_json(&body)?),
            6 => {
                let (spot, next) = read_json(&body)?;
                Self::Stands(spot, next)
            }
            7 => Self::Unmade(read_json(&body)?),
            8 => Self::Ended(read_json(&body)?),
            kind => return Err(bad(format!("a report of kind {kind}"))),
        })
    }
}

fn all<T>(mut rest: &[u8], get: impl Fn(&mut &[u8]) -> Result<T, BadFrame>) -> Result<Vec<T>, BadFrame> {
    let mut rows = Vec::new();
    while rest.has_remaining() {
        rows.push(get(&mut rest)?);
    }
    Ok(rows)
}

fn put_pending(bytes: &mut Vec<u8>, send: &Pending) {
    bytes.put_i32_le(send.partition.0);
    bytes.put_u64_le(send.sequence.0);
    bytes.put_u32_le(send.bytes);
    bytes.put_u64_le(send.scheduled_ns.0);
    bytes.put_u64_le(send.invoke_ns.0);
}

fn get_pending(rest: &mut &[u8]) -> Result<Pending, BadFrame> {
    Ok(Pending {
        partition: Partition(rest.try_get_i32_le().map_err(bad)?),
        sequence: Sequence(rest.try_get_u64_le().map_err(bad)?),
        bytes: rest.try_get_u32_le().map_err(bad)?,
        scheduled_ns: TimeNs(rest.try_get_u64_le().map_err(bad)?),
        invoke_ns: TimeNs(rest.try_get_u64_le().map_err(bad)?),
    })
}

fn put_send(bytes: &mut Vec<u8>, row: &SendRow) {
    let SendRow { partition, sequence, scheduled_ns, invoke_ns, .. } = *row;
    bytes.put_u32_le(row.process.0);
    bytes.put_u16_le(row.topic.0);
    put_pending(bytes, &Pending { partition, sequence, bytes: row.bytes, scheduled_ns, invoke_ns });
    bytes.put_u64_le(row.complete_ns.0);
    bytes.put_u8(row.outcome as u8);
    bytes.put_i16_le(row.error);
    bytes.put_i64_le(row.offset.map_or(NONE_64, |offset| offset.0));
    bytes.put_i32_le(row.broker.map_or(NONE_32, |broker| broker.0));
}

fn get_send(rest: &mut &[u8]) -> Result<SendRow, BadFrame> {
    let process = ProcessId(rest.try_get_u32_le().map_err(bad)?);
    let topic = TopicIndex(rest.try_get_u16_le().map_err(bad)?);
    let Pending { partition, sequence, bytes, scheduled_ns, invoke_ns } = get_pending(rest)?;
    let complete_ns = TimeNs(rest.try_get_u64_le().map_err(bad)?);
    let outcome = rest.try_get_u8().map_err(bad)?;
    let outcome = Outcome::from_u8(outcome).ok_or_else(|| bad(format!("an outcome {outcome}")))?;
    let error = rest.try_get_i16_le().map_err(bad)?;
    let offset = Some(rest.try_get_i64_le().map_err(bad)?).filter(|offset| *offset != NONE_64).map(Offset);
    let broker = Some(rest.try_get_i32_le().map_err(bad)?).filter(|broker| *broker != NONE_32).map(BrokerId);
    Ok(SendRow {
        process,
        topic,
        partition,
        sequence,
        bytes,
        scheduled_ns,
        invoke_ns,
        complete_ns,
        outcome,
        error,
        offset,
        broker,
    })
}

fn put_read(bytes: &mut Vec<u8>, row: &ReadRow) {
    bytes.put_u32_le(row.reader.0);
    bytes.put_u16_le(row.topic.0);
    bytes.put_i32_le(row.partition.0);
    bytes.put_i64_le(row.offset.0);
    bytes.put_i32_le(row.leader_epoch.map_or(NONE_32, |epoch| epoch.0));
    bytes.put_u64_le(row.read_ns.0);
    bytes.put_u8(row.status as u8);
    bytes.put_u32_le(row.record.process.0);
    bytes.put_u64_le(row.record.sequence.0);
    bytes.put_u32_le(row.bytes);
}

fn get_read(rest: &mut &[u8]) -> Result<ReadRow, BadFrame> {
    let reader = ProcessId(rest.try_get_u32_le().map_err(bad)?);
    let topic = TopicIndex(rest.try_get_u16_le().map_err(bad)?);
    let partition = Partition(rest.try_get_i32_le().map_err(bad)?);
    let offset = Offset(rest.try_get_i64_le().map_err(bad)?);
    let epoch = rest.try_get_i32_le().map_err(bad)?;
    let read_ns = TimeNs(rest.try_get_u64_le().map_err(bad)?);
    let status = rest.try_get_u8().map_err(bad)?;
    let status = ReadStatus::from_u8(status).ok_or_else(|| bad(format!("a status {status}")))?;
    let process = ProcessId(rest.try_get_u32_le().map_err(bad)?);
    let sequence = Sequence(rest.try_get_u64_le().map_err(bad)?);
    Ok(ReadRow {
        reader,
        topic,
        partition,
        offset,
        leader_epoch: (epoch != NONE_32).then_some(LeaderEpoch(epoch)),
        read_ns,
        status,
        record: RecordId { process, sequence },
        bytes: rest.try_get_u32_le().map_err(bad)?,
    })
}

#[cfg(test)]
mod tests;
