//! Histories of many operations: what was planted among them is found, as often as it was planted, and nothing else is.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::names;
use crate::jepsen::{ErrorType, Options, SubVia, Validity, Verdict, Witness, judge, read};

/// Completed operations of a history.
const OPERATIONS: usize = 20_000;
const KEYS: usize = 8;
/// Processes 0 to 4 send, and 5 to 9 poll.
const SENDERS: usize = 5;
const PROCESSES: usize = 10;
/// A poll returns no more of one key.
const POLLED_MAX: usize = 6;

/// What is planted, once each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Plant {
    /// A failed send's value lies in the log, and is read.
    AbortedRead,
    /// A consumer leaves out a value between two polls.
    PollSkip,
    /// A consumer goes back by one between two polls.
    NonmonotonicPoll,
    /// A value lies at two offsets.
    Duplicate,
}

/// One key's log, and the next new value.
#[derive(Clone, Debug, Default)]
struct Log {
    values: Vec<u64>,
    sent: u64,
}

/// A cluster that loses nothing, its clients, and what they wrote down.
struct World {
    rng: ChaCha8Rng,
    text: String,
    logs: Vec<Log>,
    /// By process: what it has begun.
    pending: Vec<Option<(usize, u64)>>,
    /// By consumer and key: what it reads next.
    positions: Vec<[usize; KEYS]>,
    /// What is still to be planted, and what was: key and value.
    plants: Vec<Plant>,
    planted: BTreeMap<Plant, Vec<(usize, u64)>>,
}

impl World {
    fn new(plants: &[Plant]) -> Self {
        Self {
            rng: ChaCha8Rng::seed_from_u64(20_000),
            text: String::new(),
            logs: vec![Log::default(); KEYS],
            pending: vec![None; PROCESSES],
            positions: vec![[0; KEYS]; PROCESSES],
            plants: plants.to_vec(),
            planted: BTreeMap::new(),
        }
    }

    fn write(&mut self, process: usize, stage: &str, function: &str, value: &str) {
        writeln!(self.text, "{{:process {process} :type :{stage} :f :{function} :value {value}}}")
            .expect("a String takes all");
    }

    /// The history of so many operations, after which everybody has read everything.
    fn play(mut self, operations: usize) -> (String, BTreeMap<Plant, Vec<(usize, u64)>>) {
        let keys: Vec<String> = (0..KEYS).map(|key| key.to_string()).collect();
        for process in SENDERS..PROCESSES {
            let keys = format!("[{}]", keys.join(" "));
            self.write(process, "invoke", "assign", &keys);
            self.write(process, "ok", "assign", &keys);
        }
        let every = operations / (self.plants.len() + 1);
        let mut completed = PROCESSES - SENDERS;
        while completed < operations {
            let process = self.rng.random_range(0..PROCESSES);
            match self.pending[process].take() {
                None => self.begin(process),
                Some(send) => {
                    completed += 1;
                    // Plants come one after another, each as soon as there is an occasion for it.
                    let due =
                        self.planted.values().map(Vec::len).sum::<usize>() * every < completed - every.min(completed);
                    let plant = self.plants.last().copied().filter(|_| due);
                    if process < SENDERS { self.sent(process, send, plant) } else { self.polled(process, plant) }
                }
            }
        }
        for process in 0..SENDERS {
            if let Some(send) = self.pending[process].take() {
                self.sent(process, send, None);
            }
        }
        for process in SENDERS..PROCESSES {
            if self.pending[process].take().is_some() {
                self.polled(process, None);
            }
            while (0..KEYS).any(|key| self.positions[process][key] < self.logs[key].values.len()) {
                self.begin(process);
                self.pending[process] = None;
                self.polled(process, None);
            }
        }
        assert_eq!(self.plants, [], "everything was planted");
        (self.text, self.planted)
    }

    fn begin(&mut self, process: usize) {
        let key = self.rng.random_range(0..KEYS);
        let value = self.logs[key].sent;
        self.pending[process] = Some((key, value));
        if process < SENDERS {
            self.logs[key].sent += 1;
            self.write(process, "invoke", "send", &format!("[[:send {key} {value}]]"));
        } else {
            self.write(process, "invoke", "poll", "[[:poll]]");
        }
    }

    fn note(&mut self, plant: Plant, key: usize, value: u64) {
        self.plants.pop();
        self.planted.entry(plant).or_default().push((key, value));
    }

    fn sent(&mut self, process: usize, (key, value): (usize, u64), plant: Option<Plant>) {
        let unknown = format!("[[:send {key} {value}]]");
        let offset = self.logs[key].values.len();
        match (self.rng.random_range(0..10), plant) {
            (0, _) => {
                if self.rng.random_bool(0.5) {
                    self.logs[key].values.push(value);
                }
                self.write(process, "info", "send", &unknown);
            }
            (1, Some(Plant::AbortedRead)) => {
                self.logs[key].values.push(value);
                self.write(process, "fail", "send", &unknown);
                self.note(Plant::AbortedRead, key, value);
            }
            (1, _) => self.write(process, "fail", "send", &unknown),
            _ => {
                self.logs[key].values.push(value);
                if plant == Some(Plant::Duplicate) {
                    self.logs[key].values.push(value);
                    self.note(Plant::Duplicate, key, value);
                }
                self.write(process, "ok", "send", &format!("[[:send {key} [{offset} {value}]]]"));
            }
        }
    }

    fn polled(&mut self, process: usize, plant: Option<Plant>) {
        let mut keys = Vec::new();
        let mut plant = plant;
        for key in 0..KEYS {
            let mut from = self.positions[process][key];
            let end = self.logs[key].values.len();
            if from > 0 && from + 1 < end {
                match plant.take() {
                    Some(Plant::PollSkip) => {
                        self.note(Plant::PollSkip, key, self.logs[key].values[from]);
                        from += 1;
                    }
                    Some(Plant::NonmonotonicPoll) => {
                        from -= 1;
                        self.note(Plant::NonmonotonicPoll, key, self.logs[key].values[from]);
                    }
                    other => plant = other,
                }
            }
            let to = end.min(from + POLLED_MAX);
            if from < to {
                let pairs = (from..to).map(|at| format!("[{at} {}]", self.logs[key].values[at]));
                keys.push(format!("{key} [{}]", pairs.collect::<Vec<_>>().join(" ")));
            }
            self.positions[process][key] = from.max(to);
        }
        self.write(process, "ok", "poll", &format!("[[:poll {{{}}}]]", keys.join(", ")));
    }
}

/// Judges as Jepsen does where consumers assign themselves their keys.
fn judged(text: &str) -> Verdict {
    let history = read(text).expect("a legal history");
    assert!(history.ops.len() >= 2 * OPERATIONS, "{} lines", history.ops.len());
    judge(&history, &Options { sub_via: vec![SubVia::Assign], ww_deps: true })
}

#[test]
fn a_long_history_in_which_nothing_went_wrong_is_valid() {
    let (text, planted) = World::new(&[]).play(OPERATIONS);
    assert!(planted.is_empty());
    let verdict = judged(&text);
    assert_eq!(verdict.thrown, []);
    assert_eq!(names(verdict.findings.types()), "");
    assert_eq!(verdict.validity, Validity::Valid);
}

#[test]
fn what_is_planted_in_a_long_history_is_found_as_often_as_it_was_planted() {
    let plants: Vec<Plant> =
        [vec![Plant::AbortedRead; 3], vec![Plant::PollSkip; 7], vec![Plant::NonmonotonicPoll; 5]].concat();
    let (text, planted) = World::new(&plants).play(OPERATIONS);
    let verdict = judged(&text);
    assert_eq!(verdict.thrown, []);
    assert_eq!(names(verdict.findings.types()), "G1a nonmonotonic-poll poll-skip");
    assert_eq!(verdict.validity, Validity::Invalid);
    // Every consumer reads the value that was aborted.
    for (error, plant, each) in [
        (ErrorType::AbortedRead, Plant::AbortedRead, PROCESSES - SENDERS),
        (ErrorType::PollSkip, Plant::PollSkip, 1),
        (ErrorType::NonmonotonicPoll, Plant::NonmonotonicPoll, 1),
    ] {
        assert_eq!(verdict.findings.0[&error].count, planted[&plant].len() * each, "{error:?}");
    }
    let aborted = verdict.findings.0[&ErrorType::AbortedRead].examples.iter();
    let mut aborted: Vec<String> = aborted
        .map(|witness| match witness {
            Witness::AbortedRead { key, value, .. } => format!("{key} {value}"),
            other => panic!("{other:?}"),
        })
        .collect();
    aborted.sort();
    aborted.dedup();
    let mut expected: Vec<String> =
        planted[&Plant::AbortedRead].iter().map(|(key, value)| format!("{key} {value}")).collect();
    expected.sort();
    assert_eq!(aborted, expected);
}

#[test]
fn values_at_two_offsets_in_a_long_history_are_found_each_once() {
    let (text, planted) = World::new(&[Plant::Duplicate; 4]).play(OPERATIONS);
    let verdict = judged(&text);
    assert_eq!(verdict.thrown, []);
    let found = &verdict.findings.0[&ErrorType::Duplicate];
    let mut found: Vec<String> = found
        .examples
        .iter()
        .map(|witness| match witness {
            Witness::Offsets { key, value, offsets } => {
                assert_eq!(offsets.len(), 2);
                format!("{key} {value}")
            }
            other => panic!("{other:?}"),
        })
        .collect();
    found.sort();
    let mut expected: Vec<String> =
        planted[&Plant::Duplicate].iter().map(|(key, value)| format!("{key} {value}")).collect();
    expected.sort();
    assert_eq!(found, expected);
    assert_eq!(verdict.validity, Validity::Invalid);
}
