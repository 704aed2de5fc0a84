//! The logs of a broker that does not run: every batch of some partitions, without its records.
//!
//! The engine packs each partition's directory, from the broker's own container, and what comes is unpacked and parsed as it
//! comes. No tool container is needed, and nothing is executed.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::segment::Segment;
use super::tar::{Piece, Unpacker};
use super::{Disk, DiskError};
use crate::cluster::engine::Archive;
use crate::kafka::replica::{ReplicaLog, StoredBatch};
use crate::kafka::{Offset, TopicPartition};

/// How many bytes of one broker's segments are read at most.
const BYTES_MAX: u64 = 4 << 30;

/// How long one broker's logs may take.
const LIMIT: Duration = Duration::from_secs(120);

/// Archives hold no longer name of a directory in every packer's way.
const NAME_MAX: usize = 150;

/// One partition's log, with its batches in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskLog {
    /// Where it begins and ends, and what is no batch in it.
    pub summary: ReplicaLog,
    /// Its batches.
    pub batches: Vec<StoredBatch>,
}

impl Disk {
    /// Reads the logs of these partitions, as far as the broker has them. It must not run: its files are its own until then.
    pub async fn logs(&self, partitions: &[TopicPartition]) -> Result<Vec<DiskLog>, DiskError> {
        self.refuse_a_running_broker().await?;
        let (began, mut room, mut logs) = (Instant::now(), BYTES_MAX, Vec::new());
        for partition in partitions {
            let name = partition.to_string();
            if name.len() > NAME_MAX {
                return Err(DiskError::unexpected("a partition whose name is shorter", &name));
            }
            let mut reading = Reading::new(partition.clone(), room);
            let directory = self.below(&name);
            let left = LIMIT.saturating_sub(began.elapsed());
            let came = self.engine.archive(&self.container, &directory, left, |chunk| reading.add(chunk)).await?;
            if came == Archive::Came
                && let Some(log) = reading.end()?
            {
                room -= log.summary.bytes;
                logs.push(log);
            }
        }
        Ok(logs)
    }
}

/// Reads one partition's directory.
struct Reading {
    unpacker: Unpacker,
    files: Files,
}

/// The files of a partition's directory, one after another in the order of their names. Those of segments are offsets in digits of
/// one length, so that their order is theirs.
struct Files {
    partition: TopicPartition,
    /// How many bytes of segments may still be read.
    room: u64,
    log: Option<DiskLog>,
    /// The segment that is being read.
    segment: Option<Segment>,
    /// The next batch cannot begin below this offset.
    next: Offset,
}

impl Reading {
    fn new(partition: TopicPartition, room: u64) -> Self {
        let files = Files { partition, room, log: None, segment: None, next: Offset(0) };
        Self { unpacker: Unpacker::new(), files }
    }

    fn add(&mut self, bytes: &[u8]) -> ControlFlow<()> {
        let files = &mut self.files;
        self.unpacker.add(bytes, &mut |piece| files.take(piece))
    }

    /// The log; `None` where the directory has no segment.
    fn end(self) -> Result<Option<DiskLog>, DiskError> {
        let cut = self.files.log.as_ref().is_some_and(|log| log.summary.unread_from.is_some());
        match self.unpacker.end() {
            // There was no room for the rest.
            _ if cut => Ok(self.files.log),
            Ok(()) => Ok(self.files.log),
            Err(why) => Err(DiskError::unexpected("a partition's directory, packed", why)),
        }
    }
}

impl Files {
    fn take(&mut self, piece: Piece<'_>) -> ControlFlow<()> {
        match piece {
            Piece::File(name, bytes) => match base(name) {
                Some(base) => self.open(base, bytes)?,
                None => self.segment = None,
            },
            Piece::Bytes(bytes) => {
                if let (Some(segment), Some(log)) = (&mut self.segment, &mut self.log) {
                    segment.add(bytes, &mut log.batches);
                }
            }
            Piece::Closed => self.close(),
        }
        ControlFlow::Continue(())
    }

    fn open(&mut self, base: Offset, bytes: u64) -> ControlFlow<()> {
        if self.log.is_none() {
            self.next = base;
        }
        let partition = &self.partition;
        let log = self.log.get_or_insert_with(|| DiskLog { summary: empty(partition, base), batches: Vec::new() });
        if bytes > self.room {
            log.summary.unread_from = Some(base);
            return ControlFlow::Break(());
        }
        self.room -= bytes;
        log.summary.bytes += bytes;
        self.segment = Some(Segment::new(base, self.next));
        ControlFlow::Continue(())
    }

    fn close(&mut self) {
        let (Some(segment), Some(log)) = (self.segment.take(), &mut self.log) else { return };
        let (ends, broken) = segment.end();
        log.summary.end = ends.end;
        log.summary.breaks.extend(broken);
        log.summary.batches = log.batches.len() as u64;
        self.next = ends.next;
    }
}

/// The offset at which a segment begins, by its file's name; `None` for any other file.
fn base(name: &str) -> Option<Offset> {
    name.strip_suffix(".log")?.parse().ok().map(Offset)
}

fn empty(partition: &TopicPartition, start: Offset) -> ReplicaLog {
    ReplicaLog {
        partition: partition.clone(),
        start,
        end: start,
        batches: 0,
        bytes: 0,
        breaks: Vec::new(),
        unread_from: None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::segment::tests::batch;
    use super::super::tar::tests::pack;
    use super::*;

    fn read(archive: &[u8], piece: usize, room: u64) -> Result<Option<DiskLog>, DiskError> {
        let mut reading = Reading::new(TopicPartition::new("chat", 0), room);
        for chunk in archive.chunks(piece) {
            if reading.add(chunk).is_break() {
                break;
            }
        }
        reading.end()
    }

    fn segment(base: i64, bytes: &[u8]) -> Vec<u8> {
        pack(&format!("chat-0/{base:020}.log"), b'0', bytes)
    }

    fn directory() -> Vec<u8> {
        [
            pack("chat-0/", b'5', b""),
            pack("chat-0/00000000000000000000.index", b'0', &[0; 5000]),
            segment(0, &batch(0, 4, 0, &[7; 1000])),
            segment(4, &[batch(4, 1, 1, b""), vec![1, 2, 3]].concat()),
            segment(9, b""),
            pack("chat-0/leader-epoch-checkpoint", b'0', b"0\n1\n0 0\n"),
            vec![0; 1024],
        ]
        .concat()
    }

    #[test]
    fn segments_follow_one_another_however_the_bytes_come() {
        let directory = directory();
        for piece in [1, 100, 512, 1000, directory.len()] {
            let log = read(&directory, piece, 1 << 20).expect("a directory").expect("a log");
            let DiskLog { summary, batches } = log;
            assert_eq!((summary.start, summary.end, summary.batches, batches.len()), (Offset(0), Offset(9), 2, 2));
            let breaks: Vec<_> = summary.breaks.iter().map(|it| (it.segment, it.bytes, it.offset)).collect();
            assert_eq!(breaks, [(Offset(4), 3, Offset(5))]);
            assert_eq!(summary.unread_from, None);
        }
    }

    #[test]
    fn what_there_is_no_room_for_is_told() {
        let log = read(&directory(), 50, 1100).expect("a directory").expect("a log");
        assert_eq!((log.summary.end, log.summary.unread_from), (Offset(4), Some(Offset(4))));
    }

    #[test]
    fn a_directory_without_a_segment_is_no_log_and_half_a_directory_is_an_error() {
        let empty = [pack("chat-0/", b'5', b""), vec![0; 1024]].concat();
        assert_eq!(read(&empty, 100, 1000).expect("a directory"), None);
        let directory = directory();
        read(&directory[..directory.len() / 2], 100, 1 << 20).expect_err("half a directory");
    }
}
