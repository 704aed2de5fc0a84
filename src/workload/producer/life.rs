//! One life of a producer: a client, its process id and its sequence numbers, and an account of every record it was given.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::producer::{BaseProducer, Producer as _, PurgeConfig};
use rdkafka::types::RDKafkaErrorCode;

use super::{Assignment, NAP, ROWS_EVERY_NS, ROWS_PER_BATCH};
use crate::history::{EventKind, ProcessRole};
use crate::kafka::{Outcome, ProcessId, RecordId, TimeNs};
use crate::workload::close;
use crate::workload::errors::ClientErrors;
use crate::workload::headers;
use crate::workload::held::{Cause, Held};
use crate::workload::in_flight::{Mode, Pending, SendContext, error_code};
use crate::workload::native::outlet::{HeaderList, Outlet, Parcel};
use crate::workload::outcome::TransactionEnd;
use crate::workload::payload::{self, Place, Stamp};
use crate::workload::serve::rest;
use crate::workload::shared::Shared;
use crate::workload::transaction::{self, Ended, Offered, Told, Transactions};

/// How long purged records may take to be reported.
const PURGE_LIMIT: Duration = Duration::from_secs(5);

/// A record that is in the table of sends in flight and about to be handed over.
#[derive(Clone, Copy)]
pub struct Invoked {
    /// Its place in the table.
    pub slot: usize,
    /// Its partition's place among the producer's.
    pub chosen: usize,
    /// What the table knows of it.
    pub pending: Pending,
}

/// What one attempt to send came to.
pub enum Attempt {
    /// It is librdkafka's now.
    Taken,
    /// There is no room for it yet.
    Full(Cause),
    /// It was refused for good, and is accounted for.
    Refused,
    /// The transaction takes no more.
    Spoilt,
    /// The client is of no use any more.
    Fatal,
}

/// One incarnation: a client, its process id, and its sequence numbers.
pub struct Life {
    /// Its id.
    pub process: ProcessId,
    /// Its name, such as `chatters/0.0`.
    pub label: String,
    /// Its topic, dropped before the last hold on the client is.
    outlet: Outlet<SendContext>,
    /// Its client.
    pub client: Arc<BaseProducer<SendContext>>,
    /// Its transactions, if it runs any.
    pub transactions: Option<Transactions>,
    /// The next record's number, partition by partition.
    pub sequences: Vec<u64>,
    payload: Vec<u8>,
    /// For how long it was held back.
    pub held: Held,
    rows_sent_ns: TimeNs,
}

impl Life {
    /// Makes the client, and tells the history of it; an error here is one of configuration.
    pub fn begin(assignment: &Assignment, shared: &Shared, incarnation: u32) -> KafkaResult<Self> {
        let Shared { recorder, counters, ids, .. } = shared;
        let process = ids.next();
        let errors = ClientErrors::new(process, recorder.clone());
        let mode = if assignment.transactions.is_some() { Mode::InTransactions } else { Mode::Alone };
        let table = (process, assignment.topic_index, assignment.in_flight.max(1) as usize, mode);
        let context = SendContext::new(errors, recorder.clock(), assignment.acks, Arc::clone(counters), table);
        let client = Arc::new(assignment.config.create_with_context(context)?);
        let outlet = Outlet::open(&client, &assignment.topic)
            .ok_or_else(|| KafkaError::ClientCreation(format!("`{}` is no name of a topic", assignment.topic)))?;
        let role = ProcessRole::Producer { name: assignment.name.clone(), index: assignment.index, incarnation };
        shared.gauge.begins(process, incarnation);
        let label = role.label();
        recorder.event(EventKind::ProcessStarted { process, role });
        let Assignment { topic, partitions, seed, .. } = assignment;
        let transactions = assignment.transactions.map(|spec| {
            let told = Told::new(recorder.clone(), process, topic, partitions);
            Transactions::new(spec, *seed, told)
        });
        Ok(Self {
            process,
            label,
            outlet,
            client,
            transactions,
            sequences: vec![0; partitions.len()],
            payload: Vec::new(),
            held: Held::new(process, recorder.now()),
            rows_sent_ns: recorder.now(),
        })
    }

    /// Hands one record to librdkafka. The caller counts it ([`Shared::count_sent`]).
    pub fn send(&mut self, assignment: &Assignment, shared: &Shared, invoked: &Invoked, key: Option<&[u8]>) -> Attempt {
        let Invoked { slot, chosen, pending } = *invoked;
        let Pending { partition, sequence, bytes, invoke_ns, .. } = pending;
        let record = RecordId { process: self.process, sequence };
        let target = Place { topic: assignment.topic_index, partition };
        let stamp =
            Stamp { run: shared.run, record, place: target, send_ns: invoke_ns, headers: assignment.headers, bytes };
        payload::encode(&mut self.payload, &stamp, key);
        let parcel = Parcel {
            slot,
            partition,
            timestamp_ms: shared.recorder.clock().wall_ms(invoke_ns),
            key,
            payload: &self.payload,
            headers: (assignment.headers > 0).then(|| own_headers(record, assignment.headers)),
        };
        let taken = match self.outlet.send(parcel) {
            Ok(()) => Attempt::Taken,
            Err(RDKafkaErrorCode::QueueFull) => return Attempt::Full(Cause::ClientQueue),
            Err(RDKafkaErrorCode::Fatal) => return Attempt::Fatal,
            Err(RDKafkaErrorCode::State) if self.transactions.is_some() => return Attempt::Spoilt,
            Err(code) => {
                let error = KafkaError::MessageProduction(code);
                let context = self.client.context();
                context.ledger().refuse(slot, error_code(&error), shared.recorder.now());
                context.errors.note(&error, &format!("a record was refused: {error}"));
                shared.counters.add_outcome(Outcome::Fail);
                Attempt::Refused
            }
        };
        self.sequences[chosen] += 1;
        taken
    }

    /// Ends the transaction under way, whose records become rows; `offered` is what it is to hold besides them. `None` where
    /// there are no transactions.
    pub fn end_transaction(
        &mut self,
        shared: &Shared,
        offered: &Offered,
        stop: impl Fn() -> Option<Instant> + Copy,
    ) -> Option<Ended> {
        let transactions = self.transactions.as_mut()?;
        let ended = transactions.end(&self.client, &self.sequences, offered, stop);
        self.settle(shared, ended.end);
        Some(ended)
    }

    fn settle(&self, shared: &Shared, end: TransactionEnd) {
        for outcome in transaction::settle(&self.client, end) {
            shared.counters.add_outcome(outcome);
        }
    }

    /// Tells the history if the client was told that another one writes in its place.
    pub fn tell_if_fenced(&self, shared: &Shared) -> bool {
        let Some((code, message)) = transaction::fenced(&self.client) else { return false };
        shared.recorder.event(EventKind::ClientError { process: self.process, code, message });
        true
    }

    /// Gives the recorder the rows that wait, if they are `enough` or have waited long.
    pub fn hand_over_rows(&mut self, shared: &Shared, enough: usize) {
        let now = shared.recorder.now();
        let rows = {
            let mut ledger = self.client.context().ledger();
            let waiting = ledger.waiting();
            if waiting == 0 || (waiting < enough && now.since(self.rows_sent_ns) < ROWS_EVERY_NS) {
                return;
            }
            ledger.take_rows()
        };
        self.rows_sent_ns = now;
        shared.counters.note_acks(&rows);
        let acked = rows.iter().filter(|row| row.outcome == Outcome::Ok).count();
        shared.gauge.add_acked(acked as u64, now);
        self.held.add(Cause::Recorder, shared.recorder.sends(rows));
    }

    /// Waits for what is in flight until `deadline`, purges the rest, accounts for all of it, and lets the client go.
    pub fn close(mut self, shared: &Shared, deadline: Instant, reason: &str) {
        let is_well = !self.client.context().errors.is_fatal();
        if is_well && self.transactions.as_ref().is_some_and(Transactions::is_open) {
            self.end_transaction(shared, &Offered::Nothing, || Some(deadline));
        }
        self.poll_until_settled(shared, deadline);
        if self.client.context().ledger().in_flight() > 0 {
            self.client.purge(PurgeConfig::default().queue().inflight().non_blocking());
            self.poll_until_settled(shared, Instant::now() + PURGE_LIMIT);
        }
        if let Some(transactions) = &mut self.transactions {
            let end = transactions.give_up(&self.client, &self.sequences);
            self.settle(shared, end);
        }
        let (invoked, resolved, unexpected) = {
            let mut ledger = self.client.context().ledger();
            for _ in 0..ledger.abandon(shared.recorder.now()) {
                shared.counters.add_outcome(Outcome::Info);
            }
            (ledger.invoked, ledger.resolved, ledger.unexpected)
        };
        self.hand_over_rows(shared, 0);
        let Shared { recorder, .. } = shared;
        if invoked != resolved || unexpected > 0 {
            let message = format!(
                "{} invoked {invoked} sends but accounted for {resolved}, with {unexpected} reports of no send",
                self.label
            );
            recorder.event(EventKind::HarnessError { message });
        }
        self.client.context().errors.mute();
        recorder.event(EventKind::ProcessEnded { process: self.process, reason: reason.to_owned() });
        close::destroy((self.outlet, self.client), &self.label, recorder, close::DESTROY_LIMIT);
    }

    fn poll_until_settled(&mut self, shared: &Shared, deadline: Instant) {
        while self.client.context().ledger().in_flight() > 0 && Instant::now() < deadline {
            rest(&self.client, NAP);
            self.hand_over_rows(shared, ROWS_PER_BATCH);
        }
    }
}

/// A record's headers as librdkafka takes them.
fn own_headers(record: RecordId, count: u8) -> HeaderList {
    let drawn: Vec<headers::Header> = headers::drawn(record, count).collect();
    HeaderList::of(drawn.iter().map(|header| (header.key(), header.value())))
}
