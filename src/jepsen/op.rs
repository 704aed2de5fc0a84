//! What a Jepsen history consists of: operations of client processes, their micro-operations, keys and values.
//!
//! Keys and values are integers or keywords and are met again and again, so each is stored once ([`Atoms`]) and known by its
//! number. Operations of others than clients (the nemesis) are no part of the analysis and are not kept.

use std::collections::HashMap;
use std::fmt;

use serde::{Serialize, Serializer};

/// A key or a value as written.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Atom {
    /// `nil`.
    Nil,
    /// An integer.
    Int(i64),
    /// A keyword, without its colon.
    Keyword(String),
    /// A string.
    Text(String),
}

impl fmt::Display for Atom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nil => f.write_str("nil"),
            Self::Int(number) => number.fmt(f),
            Self::Keyword(word) => write!(f, ":{word}"),
            Self::Text(text) => write!(f, "{text:?}"),
        }
    }
}

/// In JSON integers stay numbers, and keywords keep their colon, so that `:x` and `"x"` stay apart.
impl Serialize for Atom {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Nil => serializer.serialize_none(),
            Self::Int(number) => serializer.serialize_i64(*number),
            Self::Keyword(_) => serializer.collect_str(self),
            Self::Text(text) => serializer.serialize_str(text),
        }
    }
}

/// A key: a partition of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(pub u32);

/// A value: a record, unique within its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Value(pub u32);

/// Every atom of a history, once.
#[derive(Debug, Default)]
pub struct Atoms {
    list: Vec<Atom>,
    numbers: HashMap<Atom, u32>,
}

impl Atoms {
    /// The number of an atom, which is kept if it is new.
    pub fn number(&mut self, atom: Atom) -> u32 {
        if let Some(number) = self.numbers.get(&atom) {
            return *number;
        }
        let number =
            u32::try_from(self.list.len()).expect("a history of less than four thousand million keys and values");
        self.list.push(atom.clone());
        self.numbers.insert(atom, number);
        number
    }

    /// A key as written.
    pub fn key(&self, key: Key) -> &Atom {
        &self.list[key.0 as usize]
    }

    /// A value as written.
    pub fn value(&self, value: Value) -> &Atom {
        &self.list[value.0 as usize]
    }
}

/// How far an operation has come: Jepsen's `:type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// It was begun.
    Invoke,
    /// It certainly happened.
    Ok,
    /// It certainly did not.
    Fail,
    /// Nobody knows, and it may still happen.
    Info,
}

/// What an operation does: Jepsen's `:f`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Function {
    /// Sends only.
    Send,
    /// Polls only.
    Poll,
    /// Sends and polls in one transaction.
    Txn,
    /// The consumer takes these keys itself.
    Assign,
    /// The consumer has keys of these topics assigned to it.
    Subscribe,
    /// Whatever the analysis does not look into: `crash`, `debug-topic-partitions`.
    Other,
}

impl Function {
    /// Whether an operation of this kind holds micro-operations.
    pub fn is_transactional(self) -> bool {
        matches!(self, Self::Send | Self::Poll | Self::Txn)
    }
}

/// A micro-operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mop {
    /// One record was sent; the offset where it is known.
    Send(Key, Option<i64>, Value),
    /// What one call of `poll` returned, key by key, in order.
    Poll(Vec<(Key, Vec<Polled>)>),
}

/// A record that was polled: its offset, where that is known, and its value.
pub type Polled = (Option<i64>, Value);

/// The values of each key, in order.
pub type ByKey = Vec<(Key, Vec<Value>)>;

/// One line of a history.
#[derive(Debug)]
pub struct Op {
    /// Its place in Jepsen's history.
    pub index: i64,
    /// The line of the file that it begins in, counted from 1.
    pub line: usize,
    /// Which client.
    pub process: i64,
    /// How far it has come.
    pub stage: Stage,
    /// What it does.
    pub function: Function,
    /// Its micro-operations.
    pub mops: Vec<Mop>,
    /// The keys of an `assign` or a `subscribe`.
    pub keys: Vec<Key>,
    /// The keys in its `:rebalance-log`.
    pub rebalanced: Vec<Key>,
    /// The values that it read, of each key: none unless it is a `poll` or a `txn`.
    pub reads: ByKey,
    /// The values that it sent, to each key: none unless it is a `send` or a `txn`.
    pub writes: ByKey,
}

impl Op {
    /// Sums its micro-operations up in [`Self::reads`] and [`Self::writes`]. A key that a poll names without a record is
    /// read, of nothing: that is one of the quirks.
    pub fn sum_up(&mut self) {
        let reads = matches!(self.function, Function::Poll | Function::Txn);
        let writes = matches!(self.function, Function::Send | Function::Txn);
        for mop in &self.mops {
            match mop {
                Mop::Send(key, _, value) if writes => values_of(&mut self.writes, *key).push(*value),
                Mop::Poll(polled) if reads => {
                    for (key, pairs) in polled {
                        values_of(&mut self.reads, *key).extend(pairs.iter().map(|(_, value)| *value));
                    }
                }
                Mop::Send(..) | Mop::Poll(_) => {}
            }
        }
    }

    /// Whether it ended, however.
    pub fn is_completion(&self) -> bool {
        self.stage != Stage::Invoke
    }
}

fn values_of(by_key: &mut ByKey, key: Key) -> &mut Vec<Value> {
    let at = by_key.iter().position(|(other, _)| *other == key).unwrap_or_else(|| {
        by_key.push((key, Vec::new()));
        by_key.len() - 1
    });
    &mut by_key[at].1
}

/// The pairs of key and value of an operation's reads or writes.
pub fn pairs(by_key: &ByKey) -> impl Iterator<Item = (Key, Value)> + '_ {
    by_key.iter().flat_map(|(key, values)| values.iter().map(|value| (*key, *value)))
}

/// The operations of a history's clients, in order.
#[derive(Debug, Default)]
pub struct History {
    /// Keys and values as written.
    pub atoms: Atoms,
    /// The operations.
    pub ops: Vec<Op>,
}

impl History {
    /// The operations with their places in [`Self::ops`].
    pub fn numbered(&self) -> impl Iterator<Item = (usize, &Op)> {
        self.ops.iter().enumerate()
    }

    /// A key as written.
    pub fn key(&self, key: Key) -> Atom {
        self.atoms.key(key).clone()
    }

    /// A value as written.
    pub fn value(&self, value: Value) -> Atom {
        self.atoms.value(value).clone()
    }
}
