//! What outlives a client: what was printed, how far, and what is told.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The same trouble is told again after this long only.
const TOLD_AGAIN: Duration = Duration::from_secs(30);

/// Where records are printed and notes are written. Clones share it.
#[derive(Clone)]
pub(super) struct Desk(Arc<Mutex<State>>);

pub(super) struct State {
    pub(super) out: Box<dyn Write + Send>,
    notes: Box<dyn Write + Send>,
    /// The next offset of each partition, flushed or not.
    pub(super) reached: BTreeMap<(String, i32), i64>,
    pub(super) printed: u64,
    told: BTreeMap<String, Instant>,
}

impl Desk {
    pub(super) fn new(out: Box<dyn Write + Send>, notes: Box<dyn Write + Send>) -> Self {
        Self(Arc::new(Mutex::new(State { out, notes, reached: BTreeMap::new(), printed: 0, told: BTreeMap::new() })))
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many records were printed.
    pub(super) fn printed(&self) -> u64 {
        self.state().printed
    }

    /// The next offset of a partition, where anything of it was printed.
    pub(super) fn reached(&self, topic: &str, partition: i32) -> Option<i64> {
        self.state().reached.get(&(topic.to_owned(), partition)).copied()
    }

    /// Notes are for whoever watches; where they cannot be written, nobody does.
    pub(super) fn note(&self, text: &str) {
        let mut state = self.state();
        let _ = writeln!(state.notes, "{text}");
        let _ = state.notes.flush();
    }

    /// A note that need not be repeated while it goes on being true.
    pub(super) fn note_once(&self, text: String) {
        let is_news = self.state().told.get(&text).is_none_or(|told| told.elapsed() >= TOLD_AGAIN);
        if is_news {
            self.note(&text);
            self.state().told.insert(text, Instant::now());
        }
    }
}
