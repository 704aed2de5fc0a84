//! A history as Jepsen's Kafka workload records its own, in EDN, so that Jepsen's checker can judge it too.
//!
//! One operation a line: `{:index 0, :time 5, :process 3, :type :invoke, :f :send, :value [[:send 0 17]]}`.
//!
//! - **Keys** are the partitions, numbered in the order of topics and partitions. **Values** are integers, unique for each
//!   key: the producer's process times 10^10, plus the record's sequence.
//! - **A send** is two operations, at its invocation and at its completion. A process of Jepsen's does one thing at a time
//!   and a producer has thousands of sends in flight, so each producer has as many processes as it had sends in flight at
//!   once; each of them sends again once its last send has ended, or never if nobody knows how that ended.
//! - **A transaction** is one `:txn` of all that it sent, by one process, from its beginning to its end: ok when its commit was
//!   acknowledged, fail when that was never asked for, info else. What a killed producer had under way is told send by send.
//! - **A reader** is one process. What it read in a row is one poll, until its ownership changes, and at most so many records
//!   or so long.
//! - **Ownership** is told by `:assign`: whenever a member is given partitions or loses some, it assigns itself what it then
//!   owns. Jepsen forgets where a process was in a key that is not assigned any more; so its judgement of polls is one of
//!   ownership intervals, as this project's is. It has to be run for `assign`, not for `subscribe`.
//! - **The last operation** is an empty poll, because Jepsen looks for unseen records at the last poll, and counts what that
//!   one brings as unseen where it knows of nothing that was sent.
//!
//! What has no counterpart there: faults, and so what one of them deleted on purpose, which Jepsen's checker finds unseen; commits; what a witness reads, which waits for no transaction's end; and reads of corrupt, misplaced or foreign records, which name no value.
//! They are left out, and [`Operations::left_out`] counts the reads.

#[cfg(test)]
mod tests;
mod transactions;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::{EventKind, History, PartitionHistory, ProcessRole, SendRow};
use crate::kafka::{Outcome, Partition, ProcessId, ReadStatus, RecordId, TimeNs, TopicIndex, TopicPartition};
use transactions::{Transaction, transactions};

/// At most so many records make one poll.
const POLL_RECORDS: usize = 500;
/// At most so long does one poll take.
const POLL_NS: u64 = 100_000_000;
/// Sequences of one process to one partition stay below this.
const VALUES: u64 = 10_000_000_000;

/// One row: its key, and its place among the partition's rows.
type Row = (u32, u32);

/// What happens at a time.
#[derive(Clone, Copy, Debug)]
enum Step {
    Send(Row),
    Sent(Row),
    /// A transaction, by its number.
    Begin(usize),
    Ended(usize),
    /// A poll, by its number.
    Poll(usize),
    Polled(usize),
    /// An assignment, by its number.
    Assign(usize),
    /// The empty poll of a reader at the very end.
    Last(ProcessId),
}

struct Poll {
    reader: ProcessId,
    rows: Vec<Row>,
}

/// What a reader owns from a time on.
#[derive(Clone)]
struct Ownership {
    reader: ProcessId,
    time: TimeNs,
    keys: Vec<u32>,
}

/// The operations of a history, line by line, in time order.
pub struct Operations<'h> {
    partitions: Vec<&'h PartitionHistory>,
    steps: std::vec::IntoIter<(TimeNs, Step)>,
    transactions: Vec<Transaction>,
    polls: Vec<Poll>,
    ownerships: Vec<Ownership>,
    processes: Processes,
    index: u64,
    left_out: u64,
    /// A second operation of the last step.
    pending: Option<String>,
}

/// Jepsen's processes.
#[derive(Default)]
struct Processes {
    readers: BTreeMap<ProcessId, u64>,
    idle: BTreeMap<ProcessId, Vec<u64>>,
    busy: BTreeMap<Row, u64>,
    /// Those that run a transaction, by its number.
    transacting: BTreeMap<usize, u64>,
    count: u64,
}

impl<'h> Operations<'h> {
    /// Brings a history's rows and ownership into the order of time.
    pub fn new(history: &'h History) -> Self {
        let partitions: Vec<&PartitionHistory> = history.partitions.values().collect();
        let ownerships = ownerships(history);
        let (by_reader, left_out) = by_reader(history, &partitions);
        let transactions = transactions(history, &partitions);
        let inside: BTreeSet<Row> = transactions.iter().flat_map(|transaction| &transaction.rows).copied().collect();
        let mut steps = Vec::new();
        // Invocations come before completions of the same moment, so that Jepsen takes none of them for earlier.
        let alone = || rows(&partitions, |partition| &partition.sends).filter(|(row, _)| !inside.contains(row));
        steps.extend(alone().map(|(row, send)| (send.invoke_ns, Step::Send(row))));
        steps.extend(transactions.iter().enumerate().map(|(at, transaction)| (transaction.began, Step::Begin(at))));
        steps.extend(alone().map(|(row, send)| (send.complete_ns.max(send.invoke_ns), Step::Sent(row))));
        let ended = |transaction: &Transaction| transaction.ended.max(transaction.began);
        steps.extend(transactions.iter().enumerate().map(|(at, transaction)| (ended(transaction), Step::Ended(at))));
        let mut polls = Vec::new();
        let mut changes: BTreeMap<ProcessId, Vec<usize>> = BTreeMap::new();
        for (number, ownership) in ownerships.iter().enumerate() {
            changes.entry(ownership.reader).or_default().push(number);
        }
        for reader in by_reader.keys() {
            changes.entry(*reader).or_default();
        }
        let mut processes = Processes::default();
        for (reader, changes) in &changes {
            processes.readers.insert(*reader, processes.count);
            processes.count += 1;
            let rows = by_reader.get(reader).map_or(&[][..], Vec::as_slice);
            interleave(*reader, rows, changes, &ownerships, &partitions, &mut polls, &mut steps);
        }
        // Stable, so that each reader's own steps stay in order.
        steps.sort_by_key(|(time, _)| *time);
        if let (Some((end, _)), Some(reader)) = (steps.last().copied(), changes.keys().next()) {
            steps.push((end, Step::Last(*reader)));
        }
        let steps = steps.into_iter();
        Self { partitions, steps, transactions, polls, ownerships, processes, index: 0, left_out, pending: None }
    }

    /// How many reads have no value that could be told.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    fn send(&self, (key, row): Row) -> &'h SendRow {
        &self.partitions[key as usize].sends[row as usize]
    }

    fn step(&mut self, time: TimeNs, step: Step) -> String {
        match step {
            Step::Send(row) => {
                let send = self.send(row);
                let process = self.processes.take(send.process, row);
                self.line(time, process, "invoke", "send", &format!("[[:send {} {}]]", row.0, value(send.id())), "")
            }
            Step::Sent(row) => {
                let send = self.send(row);
                let process = self.processes.give_back(send, row);
                let (key, value) = (row.0, value(send.id()));
                let error =
                    if send.error == 0 { String::new() } else { format!(", :error [:librdkafka {}]", send.error) };
                match (send.outcome, send.offset) {
                    (Outcome::Ok, offset) => {
                        let offset = offset.map_or_else(|| "nil".to_owned(), |offset| offset.to_string());
                        let value = format!("[[:send {key} [{offset} {value}]]]");
                        self.line(time, process, "ok", "send", &value, "")
                    }
                    (Outcome::Fail, _) => {
                        self.line(time, process, "fail", "send", &format!("[[:send {key} {value}]]"), &error)
                    }
                    (Outcome::Info, _) => {
                        self.line(time, process, "info", "send", &format!("[[:send {key} {value}]]"), &error)
                    }
                }
            }
            Step::Begin(at) => {
                let process = self.processes.begin(self.transactions[at].process, at);
                let value = self.sent(at, Outcome::Info);
                self.line(time, process, "invoke", "txn", &value, "")
            }
            Step::Ended(at) => {
                let Transaction { process, outcome, .. } = self.transactions[at];
                let process = self.processes.end(process, at, outcome);
                let value = self.sent(at, outcome);
                let kind = match outcome {
                    Outcome::Ok => "ok",
                    Outcome::Fail => "fail",
                    Outcome::Info => "info",
                };
                self.line(time, process, kind, "txn", &value, "")
            }
            Step::Poll(poll) => {
                let process = self.processes.reader(self.polls[poll].reader);
                self.line(time, process, "invoke", "poll", "[[:poll]]", "")
            }
            Step::Polled(poll) => {
                let process = self.processes.reader(self.polls[poll].reader);
                let value = self.polled(poll);
                self.line(time, process, "ok", "poll", &value, "")
            }
            Step::Assign(number) => {
                let Ownership { reader, keys, .. } = self.ownerships[number].clone();
                let process = self.processes.reader(reader);
                let keys: Vec<String> = keys.iter().map(u32::to_string).collect();
                let value = format!("[{}]", keys.join(" "));
                let invoked = self.line(time, process, "invoke", "assign", &value, "");
                self.pending = Some(self.line(time, process, "ok", "assign", &value, ""));
                invoked
            }
            Step::Last(reader) => {
                let process = self.processes.reader(reader);
                let invoked = self.line(time, process, "invoke", "poll", "[[:poll]]", "");
                self.pending = Some(self.line(time, process, "ok", "poll", "[[:poll {}]]", ""));
                invoked
            }
        }
    }

    /// `[[:send 0 17] [:send 1 18]]`, or `[[:send 0 [5 17]] [:send 1 [6 18]]]` of a transaction that was committed.
    fn sent(&self, transaction: usize, outcome: Outcome) -> String {
        let sends = self.transactions[transaction].rows.iter().map(|row| {
            let send = self.send(*row);
            match (outcome, send.offset) {
                (Outcome::Ok, Some(offset)) => format!("[:send {} [{offset} {}]]", row.0, value(send.id())),
                (Outcome::Ok, None) => format!("[:send {} [nil {}]]", row.0, value(send.id())),
                _ => format!("[:send {} {}]", row.0, value(send.id())),
            }
        });
        format!("[{}]", sends.collect::<Vec<_>>().join(" "))
    }

    /// `[[:poll {0 [[5 17] [6 18]]}]]`.
    fn polled(&self, poll: usize) -> String {
        let mut keys: BTreeMap<u32, String> = BTreeMap::new();
        for (key, row) in &self.polls[poll].rows {
            let read = &self.partitions[*key as usize].reads[*row as usize];
            let text = keys.entry(*key).or_default();
            let space = if text.is_empty() { "" } else { " " };
            write!(text, "{space}[{} {}]", read.offset, value(read.record)).expect("a string takes everything");
        }
        let keys: Vec<String> = keys.into_iter().map(|(key, reads)| format!("{key} [{reads}]")).collect();
        format!("[[:poll {{{}}}]]", keys.join(", "))
    }

    fn line(&mut self, time: TimeNs, process: u64, kind: &str, function: &str, value: &str, more: &str) -> String {
        let index = self.index;
        self.index += 1;
        format!(
            "{{:index {index}, :time {}, :process {process}, :type :{kind}, :f :{function}, :value {value}{more}}}",
            time.0
        )
    }
}

impl Iterator for Operations<'_> {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        if let Some(pending) = self.pending.take() {
            return Some(pending);
        }
        let (time, step) = self.steps.next()?;
        Some(self.step(time, step))
    }
}

impl Processes {
    fn reader(&self, reader: ProcessId) -> u64 {
        self.readers[&reader]
    }

    /// A process of this producer that has nothing to do.
    fn take(&mut self, producer: ProcessId, row: Row) -> u64 {
        let process = self.idle(producer);
        self.busy.insert(row, process);
        process
    }

    /// The process of a send that has ended.
    fn give_back(&mut self, send: &SendRow, row: Row) -> u64 {
        let process = self.busy.remove(&row).expect("a send is invoked before it completes");
        self.release(send.process, process, send.outcome);
        process
    }

    /// A process of this producer that begins a transaction.
    fn begin(&mut self, producer: ProcessId, transaction: usize) -> u64 {
        let process = self.idle(producer);
        self.transacting.insert(transaction, process);
        process
    }

    /// The process of a transaction that has ended.
    fn end(&mut self, producer: ProcessId, transaction: usize, outcome: Outcome) -> u64 {
        let process = self.transacting.remove(&transaction).expect("a transaction begins before it ends");
        self.release(producer, process, outcome);
        process
    }

    fn idle(&mut self, producer: ProcessId) -> u64 {
        self.idle.entry(producer).or_default().pop().unwrap_or_else(|| {
            self.count += 1;
            self.count - 1
        })
    }

    /// A process whose operation has an end that nobody knows has no next one.
    fn release(&mut self, producer: ProcessId, process: u64, outcome: Outcome) {
        if outcome != Outcome::Info {
            self.idle.entry(producer).or_default().push(process);
        }
    }
}

fn value(record: RecordId) -> u64 {
    u64::from(record.process.0) * VALUES + record.sequence.0
}

fn number(at: usize) -> u32 {
    u32::try_from(at).expect("a run has fewer than 2^32 rows a partition")
}

/// Every row of one sort, with its key and its place.
fn rows<'h, R: 'h>(
    partitions: &[&'h PartitionHistory],
    of: fn(&'h PartitionHistory) -> &'h [R],
) -> impl Iterator<Item = (Row, &'h R)> {
    partitions.iter().enumerate().flat_map(move |(key, partition)| {
        of(partition).iter().enumerate().map(move |(row, value)| ((number(key), number(row)), value))
    })
}

/// The rows of each reader by time, those left out whose record is unknown; and how many those are.
fn by_reader(history: &History, partitions: &[&PartitionHistory]) -> (BTreeMap<ProcessId, Vec<Row>>, u64) {
    let (mut all, mut left_out) = (BTreeMap::<ProcessId, Vec<Row>>::new(), 0);
    for (row, read) in rows(partitions, |partition| &partition.reads) {
        if history.processes.get(&read.reader) == Some(&ProcessRole::Witness) {
            continue;
        }
        if read.status == ReadStatus::Intact {
            all.entry(read.reader).or_default().push(row);
        } else {
            left_out += 1;
        }
    }
    for rows in all.values_mut() {
        // Stable, so that each partition's rows stay in order.
        rows.sort_by_key(|(key, row)| partitions[*key as usize].reads[*row as usize].read_ns);
    }
    (all, left_out)
}

/// What each reader owned, from when on.
fn ownerships(history: &History) -> Vec<Ownership> {
    let keys: BTreeMap<(TopicIndex, Partition), u32> = history.partitions.keys().copied().zip(0..).collect();
    let key = |partition: &TopicPartition| {
        let topic = history.topics.iter().position(|topic| *topic == partition.topic)?;
        keys.get(&(TopicIndex(u16::try_from(topic).ok()?), partition.partition)).copied()
    };
    let mut events: Vec<_> = history.events.iter().collect();
    events.sort_by_key(|event| event.time_ns);
    let mut owned: BTreeMap<ProcessId, Vec<u32>> = BTreeMap::new();
    let mut all = Vec::new();
    for event in events {
        let (reader, gone, come): (_, Vec<u32>, Vec<u32>) = match &event.kind {
            EventKind::ProcessStarted { process, role: ProcessRole::Drain { .. } } => {
                (*process, Vec::new(), keys.values().copied().collect())
            }
            EventKind::Assigned { process, partitions } => {
                let given: Vec<u32> = partitions.iter().filter_map(key).collect();
                // Whoever is given what it has begins anew: Jepsen has to forget where it was.
                let had = owned.get(process).map_or(&[][..], Vec::as_slice);
                let again: Vec<u32> = given.iter().copied().filter(|key| had.contains(key)).collect();
                (*process, again, given)
            }
            EventKind::WentBack { process, positions } => {
                let again: Vec<u32> = positions.iter().filter_map(|position| key(&position.partition)).collect();
                (*process, again.clone(), again)
            }
            EventKind::Revoked { process, partitions, .. } => {
                (*process, partitions.iter().filter_map(key).collect(), Vec::new())
            }
            EventKind::ProcessEnded { process, .. } if owned.contains_key(process) => {
                (*process, owned[process].clone(), Vec::new())
            }
            _ => continue,
        };
        let keys = owned.entry(reader).or_default();
        for (changed, add) in [(gone, false), (come, true)] {
            if changed.is_empty() {
                continue;
            }
            keys.retain(|key| !changed.contains(key));
            if add {
                keys.extend(changed);
            }
            all.push(Ownership { reader, time: event.time_ns, keys: keys.clone() });
        }
    }
    all
}

/// One reader's polls and assignments, in its order.
fn interleave(
    reader: ProcessId,
    rows: &[Row],
    changes: &[usize],
    ownerships: &[Ownership],
    partitions: &[&PartitionHistory],
    polls: &mut Vec<Poll>,
    steps: &mut Vec<(TimeNs, Step)>,
) {
    let time = |(key, row): &Row| partitions[*key as usize].reads[*row as usize].read_ns;
    let mut changes = changes.iter().copied().peekable();
    let mut rest = rows;
    while let Some(first) = rest.first().map(time) {
        while let Some(change) = changes.next_if(|change| ownerships[*change].time < first) {
            steps.push((ownerships[change].time, Step::Assign(change)));
        }
        let next_change = changes.peek().map(|change| ownerships[*change].time);
        let belongs = |row: &&Row| {
            let at = time(row);
            at.since(first) <= POLL_NS && next_change.is_none_or(|change| at <= change)
        };
        let count = rest.iter().take(POLL_RECORDS).take_while(belongs).count();
        let (poll, later) = rest.split_at(count);
        let last = poll.last().map_or(first, time);
        steps.push((first, Step::Poll(polls.len())));
        steps.push((last, Step::Polled(polls.len())));
        polls.push(Poll { reader, rows: poll.to_vec() });
        rest = later;
    }
    for change in changes {
        steps.push((ownerships[change].time, Step::Assign(change)));
    }
}
