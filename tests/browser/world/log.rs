//! One partition's log, and the rows of those who wrote and read it.

use wiber_chaos::history::event::Position;
use wiber_chaos::history::{ReadRow, SendRow};
use wiber_chaos::kafka::{
    BrokerId, LeaderEpoch, Offset, Outcome, Partition, ProcessId, ReadStatus, RecordId, Sequence, TimeNs, TopicIndex,
};

use super::{
    ASSIGNED_MS, ELECTED_MS, Ending, HEIR, PARTITIONS, PREFERRED_MS, PRODUCERS, REVOKED_MS, STRUCK, VICTIM, WARMUP_MS,
    World, named,
};

/// How long before a kill the records are acknowledged that a run which loses any loses.
const LOST_MS: u64 = 400;
/// How long after a kill nobody knows what became of the sends that were under way.
const IN_DOUBT_MS: u64 = 150;

/// A record in the log, as readers are given it.
struct Stored {
    offset: i64,
    record: RecordId,
    epoch: i32,
    acked_ns: u64,
    read_ns: u64,
}

/// One partition.
pub struct Log {
    pub partition: i32,
    pub sends: Vec<SendRow>,
    /// One past its last offset.
    pub end: i64,
    stored: Vec<Stored>,
}

impl Log {
    /// What a run leaves in a partition.
    pub fn of(world: &World, partition: i32) -> Self {
        let mut log = Self { partition, sends: Vec::new(), end: 0, stored: Vec::new() };
        let step_us = 1_000_000 / world.per_second;
        let mut sequences = [0_u64; 2];
        let last_us = (world.drain_ms() - 200) * 1_000;
        for number in 0..(last_us - WARMUP_MS * 1_000) / step_us {
            if number % u64::from(PARTITIONS.unsigned_abs()) != u64::from(partition.unsigned_abs()) {
                continue;
            }
            let producer = usize::from(number / 3 % 2 == 1);
            log.send(world, WARMUP_MS * 1_000 + number * step_us, (PRODUCERS[producer], sequences[producer]));
            sequences[producer] += 1;
        }
        log.read(world);
        log
    }

    fn send(&mut self, world: &World, time_us: u64, (process, sequence): (u32, u64)) {
        let record = RecordId { process: ProcessId(process), sequence: Sequence(sequence) };
        // Not all alike, and the same in every run.
        let spread_us = (sequence.wrapping_mul(0x9E37_79B9) + u64::from(process)) % 2_600;
        let struck = (0..world.strikes).filter(|_| world.bites() && self.partition == STRUCK).find(|strike| {
            let killed_us = world.killed_ms(*strike) * 1_000;
            (killed_us..killed_us + ELECTED_MS * 1_000).contains(&time_us)
        });
        let waited_us = struck.map_or(0, |strike| (world.killed_ms(strike) + ELECTED_MS) * 1_000 - time_us);
        let complete_us = time_us + 1_200 + spread_us + waited_us;
        let in_doubt = struck.is_some_and(|strike| time_us < (world.killed_ms(strike) + IN_DOUBT_MS) * 1_000);
        let (broker, epoch) = self.term(world, complete_us);
        self.forget_what_is_lost(world, time_us);
        self.sends.push(SendRow {
            process: record.process,
            topic: TopicIndex(0),
            partition: Partition(self.partition),
            sequence: record.sequence,
            bytes: 128,
            scheduled_ns: TimeNs(time_us * 1_000),
            invoke_ns: TimeNs((time_us + 20) * 1_000),
            complete_ns: TimeNs(complete_us * 1_000),
            outcome: if in_doubt { Outcome::Info } else { Outcome::Ok },
            error: if in_doubt { -192 } else { 0 },
            offset: (!in_doubt).then_some(Offset(self.end)),
            broker: (!in_doubt).then_some(broker),
        });
        if !in_doubt {
            self.stored.push(Stored { offset: self.end, record, epoch, acked_ns: complete_us * 1_000, read_ns: 0 });
            self.end += 1;
        }
    }

    /// After the last kill of a run that loses records the new leader goes on from where it had got to: what it lacks is overwritten.
    fn forget_what_is_lost(&mut self, world: &World, time_us: u64) {
        let killed_us = world.killed_ms(world.strikes.saturating_sub(1)) * 1_000;
        let lossy = world.ending == Ending::Loses && self.partition == STRUCK && time_us >= killed_us;
        let is_first = self.sends.last().is_some_and(|send| send.scheduled_ns.0 < killed_us * 1_000);
        if lossy && is_first {
            let kept = (killed_us - LOST_MS * 1_000) * 1_000;
            self.stored.retain(|stored| stored.acked_ns < kept);
            self.end = self.stored.last().map_or(0, |stored| stored.offset + 1);
        }
    }

    /// Who led at a time, and in which epoch.
    fn term(&self, world: &World, time_us: u64) -> (BrokerId, i32) {
        if self.partition != STRUCK || !world.bites() {
            return (BrokerId(self.partition + 1), 0);
        }
        let elected = |strike: u64| (world.killed_ms(strike) + ELECTED_MS) * 1_000;
        let returned = |strike: u64| (world.healed_ms(strike) + PREFERRED_MS) * 1_000;
        match (0..world.strikes).rev().find(|strike| time_us >= elected(*strike)) {
            Some(strike) if time_us >= returned(strike) => (VICTIM, World::epoch_before(strike) + 2),
            Some(strike) => (HEIR, World::epoch_before(strike) + 1),
            None => (VICTIM, 0),
        }
    }

    /// A member reads each record three milliseconds after its acknowledgement, or when it has the partition again.
    fn read(&mut self, world: &World) {
        let mut latest_ns = 0;
        for stored in &mut self.stored {
            let wanted_ms = stored.acked_ns / 1_000_000 + 3;
            let away = (0..world.strikes).filter(|_| world.bites()).find(|strike| {
                let killed = world.killed_ms(*strike);
                (killed + REVOKED_MS..killed + ASSIGNED_MS).contains(&wanted_ms)
            });
            let given_ns = away
                .map_or(stored.acked_ns + 3_000_000, |strike| (world.killed_ms(strike) + ASSIGNED_MS + 30) * 1_000_000);
            latest_ns = given_ns.max(latest_ns + 20_000);
            stored.read_ns = latest_ns;
        }
    }

    /// Where its reader stands at a time.
    pub fn position_at(&self, ms: u64) -> Position {
        let read = self.stored.iter().rev().find(|stored| stored.read_ns < ms * 1_000_000);
        Position { partition: named(self.partition), offset: Offset(read.map_or(0, |stored| stored.offset + 1)) }
    }

    /// What a member of the group was given.
    pub fn reads_of(&self, member: u32) -> Vec<ReadRow> {
        self.stored.iter().map(|stored| self.row(stored, member, stored.read_ns)).collect()
    }

    /// What a reader of the drain was given, which began at a time.
    pub fn drained_by(&self, reader: u32, from_ms: u64) -> Vec<ReadRow> {
        let timed = (0..).zip(&self.stored);
        timed.map(|(index, stored)| self.row(stored, reader, from_ms * 1_000_000 + index * 10_000)).collect()
    }

    fn row(&self, stored: &Stored, reader: u32, read_ns: u64) -> ReadRow {
        ReadRow {
            reader: ProcessId(reader),
            topic: TopicIndex(0),
            partition: Partition(self.partition),
            offset: Offset(stored.offset),
            leader_epoch: Some(LeaderEpoch(stored.epoch)),
            read_ns: TimeNs(read_ns),
            status: ReadStatus::Intact,
            record: stored.record,
            bytes: 128,
        }
    }
}
