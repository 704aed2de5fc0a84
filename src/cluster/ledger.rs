//! What a run made and did, on disk before it made and did it; so that whatever a dead run left is found and undone.
//!
//! A ledger is a file of JSON lines in the user's state directory, one a run, held under an exclusive lock for as long
//! as the run lives. The kernel drops the lock when the process dies, however it dies, so *locked* means alive and
//! *unlocked* means dead: no pid to be reused, no heartbeat to be late. A run that ends in order deletes its ledger.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::cluster::undo::Remedy;
use crate::fault::{FaultId, Victim};
use crate::kafka::{BrokerId, Endpoint};

/// The environment variable that moves the state directory; tests use it to keep apart.
pub const STATE_DIR_VARIABLE: &str = "WIBER_CHAOS_STATE_DIR";

/// One line of a ledger: an intent, or that it was undone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "kebab-case", rename_all_fields = "snake_case")]
pub enum Entry {
    /// Always the first line.
    Run {
        /// The label of everything that the run makes.
        label: String,
        /// Its directory.
        directory: PathBuf,
    },
    /// Something is about to be made.
    Make {
        /// What.
        object: Object,
        /// Its name in the engine.
        name: String,
    },
    /// The run uses a cluster that was there before it. What it makes there is deleted, and what it strikes is healed.
    Attach {
        /// Whom to ask first.
        bootstrap: Vec<Endpoint>,
        /// librdkafka properties as written in the scenario, but for paths, which are absolute here: `${NAME}` stands for an
        /// environment variable.
        client: BTreeMap<String, String>,
        /// What tells the cluster from another that gets its addresses later.
        cluster_id: Option<String>,
        /// What tells the containers' engine from another.
        engine: Option<String>,
        /// The containers that may be struck.
        containers: Vec<NamedContainer>,
    },
    /// A topic was made.
    Made {
        /// Its name.
        topic: String,
        /// Its id; `None` where the brokers give none.
        id: Option<Uuid>,
    },
    /// What was made is deleted, or was gone.
    Unmade {
        /// What.
        object: Object,
        /// Its name.
        name: String,
    },
    /// What was about to be made turned out to be somebody else's, and is to be left alone.
    Leave {
        /// What.
        object: Object,
        /// Its name.
        name: String,
    },
    /// A fault is about to be injected.
    Inject {
        /// Which.
        fault: FaultId,
        /// What it does.
        kind: String,
        /// Whom it strikes.
        targets: Vec<Victim>,
        /// What undoes it, to be carried out from the end.
        remedies: Vec<Remedy>,
    },
    /// A broker's process is about to be told to end, as a part of a fault. Whether it was told, and when it will have ended,
    /// nobody knows from then on.
    Ending {
        /// Which fault.
        fault: FaultId,
        /// Whose process.
        broker: BrokerId,
        /// What tells this life of it from the next.
        life: String,
    },
    /// A fault was healed.
    Heal {
        /// Which.
        fault: FaultId,
    },
}

/// A broker's container, as the run found it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedContainer {
    /// The broker.
    pub broker: BrokerId,
    /// The container's name.
    pub name: String,
    /// The container's id: another one may get its name later.
    pub id: String,
}

/// What a run makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Object {
    /// A container.
    Container,
    /// A network.
    Network,
    /// A volume.
    Volume,
    /// A topic on an attached cluster.
    Topic,
    /// A consumer group on an attached cluster.
    Group,
}

impl Object {
    /// Whether it is the engine's.
    fn is_in_engine(self) -> bool {
        matches!(self, Self::Container | Self::Network | Self::Volume)
    }
}

/// The ledger could not be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} the ledger {}: {source}", path.display())]
pub struct LedgerError {
    action: &'static str,
    path: PathBuf,
    source: io::Error,
}

/// The ledger of the run that lives in this process.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    file: Mutex<File>,
    made_something: AtomicBool,
}

impl Ledger {
    /// Begins a ledger for a run that will label everything with `label`.
    pub fn begin(state: &Path, label: &str, directory: &Path) -> Result<Self, LedgerError> {
        let home = ledgers(state);
        let path = home.join(format!("{label}.jsonl"));
        let failed = |action, source| LedgerError { action, path: path.clone(), source };
        fs::create_dir_all(&home).map_err(|error| failed("make room for", error))?;
        // Locked under another name first: a sweep must never meet a ledger that is there and not yet locked.
        let unborn = home.join(format!(".{label}.new"));
        // It may hold what a scenario says of its clients, which is nobody else's to read.
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&unborn)
            .map_err(|error| failed("create", error))?;
        file.lock().map_err(|error| failed("lock", error))?;
        fs::rename(&unborn, &path).map_err(|error| failed("name", error))?;
        let ledger = Self { path, file: Mutex::new(file), made_something: AtomicBool::new(false) };
        ledger.write(&Entry::Run { label: label.to_owned(), directory: directory.to_owned() })?;
        Ok(ledger)
    }

    /// Writes an intent and waits until it is on disk. Nothing may be made or done when this fails.
    pub fn write(&self, entry: &Entry) -> Result<(), LedgerError> {
        if matches!(entry, Entry::Make { object, .. } if object.is_in_engine()) {
            self.made_something.store(true, Ordering::Release);
        }
        write_line(&self.file, &self.path, entry)
    }

    /// The same on a thread of its own, for those that must not be held up: a disk that a fault slows down, or that everybody
    /// waits for, may take seconds, in which side-cars take a harness that does not ping for dead.
    pub async fn note(self: &Arc<Self>, entry: Entry) -> Result<(), LedgerError> {
        let ledger = Arc::clone(self);
        let written = tokio::task::spawn_blocking(move || ledger.write(&entry)).await;
        written.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
    }

    /// Ends the ledger, because nothing of the run is left.
    pub fn close(&self) -> Result<(), LedgerError> {
        fs::remove_file(&self.path).map_err(|source| LedgerError { action: "remove", path: self.path.clone(), source })
    }

    /// Everything that was written so far.
    pub fn entries(&self) -> Result<Vec<Entry>, LedgerError> {
        File::open(&self.path).and_then(|file| entries_in(&file)).map_err(|source| LedgerError {
            action: "read",
            path: self.path.clone(),
            source,
        })
    }

    /// Whether anything was made in the engine, or was about to be.
    pub fn made_something(&self) -> bool {
        self.made_something.load(Ordering::Acquire)
    }
}

/// A ledger whose run is dead. Holding it keeps other sweeps away.
#[derive(Debug)]
pub struct DeadLedger {
    path: PathBuf,
    file: Mutex<File>,
    /// The label of everything that the run made.
    pub label: String,
    /// The run's directory, when the first line survived.
    pub directory: Option<PathBuf>,
    /// Every line that survived.
    pub entries: Vec<Entry>,
}

impl DeadLedger {
    /// Adds what was undone since, so that it is not undone again.
    pub fn write(&self, entry: &Entry) -> Result<(), LedgerError> {
        write_line(&self.file, &self.path, entry)
    }

    /// Whether anything that it speaks of is the engine's.
    pub fn is_in_engine(&self) -> bool {
        self.entries.iter().any(|entry| matches!(entry, Entry::Make { object, .. } if object.is_in_engine()))
    }

    /// Ends the ledger, because nothing of the run is left.
    pub fn close(self) -> Result<(), LedgerError> {
        fs::remove_file(&self.path).map_err(|source| LedgerError { action: "remove", path: self.path.clone(), source })
    }
}

/// Every ledger in a state directory.
#[derive(Debug, Default)]
pub struct Ledgers {
    /// Those whose runs are dead, locked now by us.
    pub dead: Vec<DeadLedger>,
    /// Those whose runs are dead, and that make no sense to this version: what they speak of is left.
    pub unreadable: Vec<LedgerError>,
    /// The labels of the runs that live.
    pub alive: Vec<String>,
}

/// Looks through a state directory for ledgers, and takes hold of the dead ones.
pub fn survey(state: &Path) -> Result<Ledgers, LedgerError> {
    let home = ledgers(state);
    let failed = |action, source| LedgerError { action, path: home.clone(), source };
    let mut found = Ledgers::default();
    let entries = match fs::read_dir(&home) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        Err(error) => return Err(failed("look for", error)),
    };
    for entry in entries {
        let path = entry.map_err(|error| failed("look for", error))?.path();
        let Some(label) = label_of(&path) else { continue };
        let file = match OpenOptions::new().read(true).append(true).open(&path) {
            Ok(file) => file,
            // Its run ended in order between the listing and now.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(source) => return Err(LedgerError { action: "open", path, source }),
        };
        match file.try_lock() {
            Ok(()) if path.exists() => {
                let entries = entries_in(&file);
                match entries {
                    Ok(entries) => {
                        let directory = directory_in(&entries);
                        found.dead.push(DeadLedger { path, file: Mutex::new(file), label, directory, entries });
                    }
                    Err(source) => found.unreadable.push(LedgerError { action: "understand", path, source }),
                }
            }
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => found.alive.push(label),
            Err(TryLockError::Error(source)) => return Err(LedgerError { action: "lock", path, source }),
        }
    }
    found.dead.sort_by(|a, b| a.label.cmp(&b.label));
    found.alive.sort_unstable();
    Ok(found)
}

/// Where this user's state lies: `$WIBER_CHAOS_STATE_DIR`, else `$XDG_STATE_HOME/wiber-chaos`, else
/// `~/.local/state/wiber-chaos`, else a directory in the system's temporary one.
pub fn state_dir() -> PathBuf {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    variable(STATE_DIR_VARIABLE)
        .or_else(|| variable("XDG_STATE_HOME").map(|home| home.join("wiber-chaos")))
        .or_else(|| variable("HOME").map(|home| home.join(".local/state/wiber-chaos")))
        .unwrap_or_else(|| std::env::temp_dir().join("wiber-chaos-state"))
}

fn ledgers(state: &Path) -> PathBuf {
    state.join("ledger")
}

fn label_of(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    name.strip_suffix(".jsonl").filter(|label| !label.starts_with('.')).map(str::to_owned)
}

/// Writes a line and waits until it is on disk. A line that did not fit is taken back, for what comes after it must not be
/// read as its end.
fn write_line(file: &Mutex<File>, path: &Path, entry: &Entry) -> Result<(), LedgerError> {
    let mut line = serde_json::to_vec(entry).expect("an entry is plain data");
    line.push(b'\n');
    let mut file = file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let failed = |source| LedgerError { action: "write", path: path.to_owned(), source };
    let length = file.metadata().map_err(failed)?.len();
    file.write_all(&line).and_then(|()| file.sync_data()).map_err(|error| {
        // When not even that can be done, the half line is the last one, which a reader forgives.
        drop(file.set_len(length));
        failed(error)
    })
}

/// The last line may be half-written: the process died before it did what the line would have said. Any other line that
/// makes no sense is an error, for what it says would be left behind.
fn entries_in(file: &File) -> io::Result<Vec<Entry>> {
    let lines = BufReader::new(file).lines().collect::<io::Result<Vec<_>>>()?;
    let mut entries = Vec::with_capacity(lines.len());
    for (number, line) in lines.iter().enumerate() {
        match serde_json::from_str(line) {
            Ok(entry) => entries.push(entry),
            Err(_) if number + 1 == lines.len() => {}
            Err(error) => return Err(io::Error::other(format!("line {}: {error}", number + 1))),
        }
    }
    Ok(entries)
}

fn directory_in(entries: &[Entry]) -> Option<PathBuf> {
    match entries.first()? {
        Entry::Run { directory, .. } => Some(directory.clone()),
        _ => None,
    }
}
