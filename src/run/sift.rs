//! A stored history as the judges need it: counted in full, and kept where something may be the matter (`check::sieve`).

use std::path::Path;
use std::sync::Arc;

use crate::check;
use crate::check::sieve::{ChunkSize, ReadSieve, Run, SendSieve, Sieve, Wanted};
use crate::history::reader::{ReadError, Scanned, Stored, Visitor};
use crate::history::tally::{Place, ReadTally, SendTally, Tally};
use crate::history::{Closure, History, ReadRow, SendRow};
use crate::kafka::{Offset, Outcome};

/// Reads the history in a directory.
pub fn read(dir: &Path, run: Run<'_>) -> Result<History, ReadError> {
    read_by(dir, run, ChunkSize::USUAL)
}

/// The same by chunks of a size.
fn read_by(dir: &Path, run: Run<'_>, size: ChunkSize) -> Result<History, ReadError> {
    let (mut stored, mut history) = Stored::open_bare(dir)?;
    let asked = check::asked(&history, run.plan);
    let Some(sieve) = Sieve::new(&history, run.scenario, size) else {
        return in_full(stored, history, run);
    };
    let places: Vec<Place> = history.partitions.keys().copied().collect();
    let Sieve { sends, reads } = sieve;
    let mut sends = Pass { tally: SendTally::new(&places, &asked), sieve: sends, batches: Batches::default() };
    let reads_tally = ReadTally::new(&places, &history.processes);
    let mut reads = Pass { tally: reads_tally, sieve: reads, batches: Batches::default() };
    let scanned = stored.scan(&mut sends, &mut reads)?;
    history.closure = stored.closure();
    if history.closure != Closure::Whole {
        // Fewer rows than were counted: nobody knows what those that are gone would say of the others.
        return in_full(stored, history, run);
    }
    let tally = Tally { sends: sends.tally, reads: reads.tally };
    let wanted = Sieve { sends: sends.sieve, reads: reads.sieve }.settle(&history, run.scenario, &tally.sends);
    history.tally = Some(Arc::new(tally));
    keep(&stored, &scanned, &mut history, (wanted, run), (&sends.batches, &reads.batches))?;
    Ok(history)
}

fn in_full(mut stored: Stored, mut history: History, run: Run<'_>) -> Result<History, ReadError> {
    stored.load_all(&mut history)?;
    history.tally = Some(Arc::new(Tally::of(&history, &check::asked(&history, run.plan))));
    Ok(history)
}

/// Brings what is wanted, until nothing more is.
fn keep(
    stored: &Stored,
    scanned: &Scanned,
    history: &mut History,
    (mut wanted, run): (Wanted, Run<'_>),
    (sends, reads): (&Batches, &Batches),
) -> Result<(), ReadError> {
    loop {
        let which = (sends.with(&wanted), reads.with(&wanted));
        let rows = (|send: &SendRow| wanted.send(send), |read: &ReadRow| wanted.read(read));
        stored.load(scanned, history, (&which.0, &which.1), rows)?;
        for (place, plain) in wanted.plain() {
            history.partitions.get_mut(&place).expect("the run's own partitions").plain = plain;
        }
        if !wanted.widen(history, run) {
            return Ok(());
        }
    }
}

/// One pass over rows of one kind: they are counted and sifted, and where they lie is noted.
struct Pass<T, S> {
    tally: T,
    sieve: S,
    batches: Batches,
}

impl Visitor<SendRow> for Pass<SendTally, SendSieve> {
    fn rows(&mut self, rows: &[SendRow]) {
        for send in rows {
            self.tally.take(send);
            self.sieve.take(send);
            self.batches.take((send.topic, send.partition), send.offset.filter(|_| send.outcome == Outcome::Ok));
        }
    }

    fn batch_ended(&mut self) {
        self.batches.end();
    }
}

impl Visitor<ReadRow> for Pass<ReadTally, ReadSieve> {
    fn rows(&mut self, rows: &[ReadRow]) {
        // A reader is given many records of a partition at once, and what is known of both is looked up once for all of them.
        let whose = |read: &ReadRow| (read.reader, read.topic, read.partition);
        for run in rows.chunk_by(|one, other| whose(one) == whose(other)) {
            self.tally.take_run(run);
            self.sieve.take_run(run);
            self.batches.take_run(run);
        }
    }

    fn batch_ended(&mut self) {
        self.batches.end();
    }
}

/// What each batch of rows holds.
#[derive(Default)]
struct Batches {
    all: Vec<Batch>,
    open: Batch,
}

/// Of one batch: between which offsets its rows lie, by partition, and whether there are rows without one.
#[derive(Clone, Default)]
struct Batch {
    extents: Vec<(Place, Offset, Offset)>,
    has_others: bool,
}

impl Batches {
    fn take(&mut self, place: Place, offset: Option<Offset>) {
        let Some(offset) = offset else {
            self.open.has_others = true;
            return;
        };
        match self.open.extents.iter_mut().find(|(known, ..)| *known == place) {
            Some((_, first, last)) => (*first, *last) = ((*first).min(offset), (*last).max(offset)),
            None => self.open.extents.push((place, offset, offset)),
        }
    }

    /// Takes in reads of one partition.
    fn take_run(&mut self, run: &[ReadRow]) {
        let offsets = || run.iter().map(|read| read.offset);
        let (Some(read), Some(first), Some(last)) = (run.first(), offsets().min(), offsets().max()) else { return };
        self.take((read.topic, read.partition), Some(first));
        self.take((read.topic, read.partition), Some(last));
    }

    fn end(&mut self) {
        self.all.push(std::mem::take(&mut self.open));
    }

    /// The batches with rows that are wanted, or may be.
    fn with(&self, wanted: &Wanted) -> Vec<usize> {
        let has_any = |batch: &Batch| {
            batch.has_others
                || batch.extents.iter().any(|(place, first, last)| wanted.any_between(*place, *first, *last))
        };
        (0..self.all.len()).filter(|batch| has_any(&self.all[*batch])).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::check::check_all;
    use crate::check::sieve::testing::{damage, draw};
    use crate::check::testing::RunBuilder;
    use crate::history::clock::Clock;
    use crate::history::recorder::Recorder;
    use crate::history::{EventKind, FORMAT_VERSION, reader};
    use crate::kafka::TimeNs;

    /// Writes a run as a recorder does, its rows a few at a time.
    fn store(run: &RunBuilder, dir: &Path) {
        let history = &run.history;
        let header = EventKind::RunStarted {
            format_version: FORMAT_VERSION,
            run: "drawn".to_owned(),
            scenario: run.scenario.name.clone(),
            seed: 1,
            started_utc: String::new(),
            topics: history.topics.clone(),
            partitions: vec![u32::try_from(history.partitions.len()).expect("a few")],
            scenario_crc32: 0,
            plan_crc32: 0,
            asked_crc32: None,
        };
        let recorder = Recorder::create(dir, Clock::start(), header, None).expect("an empty directory");
        let handle = recorder.handle();
        for (process, role) in &history.processes {
            let started = EventKind::ProcessStarted { process: *process, role: role.clone() };
            handle.event_at(TimeNs(0), started);
        }
        for event in &history.events {
            handle.event_at(event.time_ns, event.kind.clone());
        }
        for rows in history.partitions.values() {
            rows.sends.chunks(7).for_each(|some| _ = handle.sends(some.to_vec()));
            rows.reads.chunks(11).for_each(|some| _ = handle.reads(some.to_vec()));
            handle.replicas(rows.replicas.clone());
        }
        recorder.finish().expect("a disk with room");
    }

    fn rows(history: &History) -> usize {
        history.partitions.values().map(|rows| rows.sends.len() + rows.reads.len()).sum()
    }

    /// What the checks say of a stored run when it is read whole, and when it is sifted.
    fn both(run: &RunBuilder, size: ChunkSize) -> (History, History) {
        let dir = tempfile::tempdir().expect("a directory");
        store(run, &dir.path().join("history"));
        let whole = reader::read(&dir.path().join("history")).expect("a history");
        let known = Run { scenario: &run.scenario, plan: &run.plan };
        let sifted = read_by(&dir.path().join("history"), known, size).expect("a history");
        (whole, sifted)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

        #[test]
        fn a_stored_history_gets_the_same_answers_whether_it_is_sifted_or_not(
            seed in any::<u64>(), damages in 0_u32..4, bits in 1_u32..5,
        ) {
            let rng = &mut ChaCha8Rng::seed_from_u64(seed);
            let mut run = draw(rng);
            (0..damages).for_each(|_| damage(&mut run, rng));
            let (whole, sifted) = both(&run, ChunkSize::of_bits(bits));
            prop_assert_eq!(&whole.closure, &sifted.closure);
            let answers = [&whole, &sifted].map(|history| check_all(history, &run.scenario, &run.plan));
            for (one, other) in answers[0].iter().zip(&answers[1]) {
                prop_assert_eq!(one, other);
            }
        }
    }

    #[test]
    fn most_of_a_long_stored_history_is_left_where_it_is() {
        let run = draw(&mut ChaCha8Rng::seed_from_u64(1));
        let (whole, sifted) = both(&run, ChunkSize::of_bits(1));
        assert!(rows(&sifted) * 10 < rows(&whole) * 7, "{} of {} rows are left", rows(&sifted), rows(&whole));
    }
}
