//! A producer that runs transactions, before the others begin: committed, aborted, and of unknown outcome, whole and not there
//! at all. Each has records in every partition, and is followed by a control record, which takes an offset that nobody reads.
//!
//! What was aborted is in the logs and read by the witness only: to everybody else it is but a hole there.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::history::event::{Span, TransactionEnding, TransactionStage};
use crate::history::{EventKind, ProcessRole};
use crate::kafka::{Outcome, ProcessId, Sequence, TimeNs, TopicPartition, TransactionNumber};

use super::{Appended, Drawn, PAYER, STEP};
use crate::check::testing::id;

/// How a transaction ends, as the coordinator knows it and as its producer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Committed,
    Aborted,
    /// Its commit was asked for and never answered, and took place.
    CommittedUnheard,
    /// Its commit was asked for and never answered, and never took place.
    LostUnheard,
    /// Its producer was fenced before it asked for the commit.
    Fenced,
}

/// Nanoseconds between two moments: all of it is over before the other producers begin.
const TICK: u64 = STEP / 10_000;
/// Every run has one of each.
const ALWAYS: [End; 5] = [End::Committed, End::Aborted, End::CommittedUnheard, End::LostUnheard, End::Fenced];

/// Runs one transaction after the other.
pub(super) fn transact(drawn: &mut Drawn, rng: &mut ChaCha8Rng) {
    let role = ProcessRole::Producer { name: "payers".to_owned(), index: 0, incarnation: 0 };
    drawn.run.history.processes.insert(ProcessId(PAYER), role.clone());
    drawn.run.event(0, EventKind::ProcessStarted { process: ProcessId(PAYER), role });
    let more = rng.random_range(0..4);
    let mut ends: Vec<End> = ALWAYS.to_vec();
    ends.extend((0..more).map(|_| ALWAYS[rng.random_range(0..ALWAYS.len())]));
    let mut time = TICK;
    let mut next = vec![0; drawn.logs.len()];
    for (number, end) in (0..).zip(ends) {
        transact_one(drawn, rng, (TransactionNumber(number), end), &mut next, &mut time);
    }
    assert!(time < STEP, "all of it is over before the other producers begin");
}

fn transact_one(
    drawn: &mut Drawn,
    rng: &mut ChaCha8Rng,
    (number, end): (TransactionNumber, End),
    next: &mut [u64],
    time: &mut u64,
) {
    let began = *time;
    let (outcome, is_visible) = match end {
        End::Committed => (Outcome::Ok, true),
        End::Aborted | End::Fenced => (Outcome::Fail, false),
        End::CommittedUnheard => (Outcome::Info, true),
        End::LostUnheard => (Outcome::Info, false),
    };
    let mut records = Vec::new();
    let mut sent = Vec::new();
    for (partition, next) in next.iter_mut().enumerate() {
        let place = i32::try_from(partition).expect("few partitions");
        let count = rng.random_range(2..5);
        records.push(Span { partition: TopicPartition::new("chat", place), first: Sequence(*next), count });
        for _ in 0..count {
            *time += TICK;
            let (record, offset) = (id(PAYER, *next), drawn.ends[partition]);
            *next += 1;
            drawn.ends[partition] += 1;
            if is_visible {
                drawn.logs[partition].push(Appended { record, offset, time: *time, outcome });
            } else {
                drawn.hidden.push((place, record, offset));
            }
            sent.push((place, record, offset, *time));
        }
        drawn.ends[partition] += 1;
    }
    *time += TICK;
    let (ending, stage) = match end {
        End::Committed => (TransactionEnding::Commit, TransactionStage::Ok),
        End::Aborted => (TransactionEnding::Abort, TransactionStage::Ok),
        End::Fenced => (TransactionEnding::Abandon, TransactionStage::Fail { reason: "fenced".to_owned() }),
        End::CommittedUnheard | End::LostUnheard => {
            (TransactionEnding::Commit, TransactionStage::Info { reason: "timed out".to_owned() })
        }
    };
    let process = ProcessId(PAYER);
    let tell = |stage| EventKind::Transaction { process, number, stage };
    drawn.run.event(*time, tell(TransactionStage::Invoke { ending, began_ns: TimeNs(began), records }));
    *time += TICK;
    drawn.run.event(*time, tell(stage));
    for (partition, record, offset, appended) in sent {
        let mut row = drawn.run.send(PAYER, partition, record.sequence.0);
        if outcome == Outcome::Ok {
            row = row.offset(offset);
        }
        row.outcome(outcome).times(appended - TICK, *time).push();
    }
    *time += TICK;
}
