//! From forms to operations.
//!
//! What Jepsen's own reader and `jepsen.history` insist on is insisted on here: an operation is a map (a record's tag is
//! passed over); either every operation has an integer `:index` or none has; an operation has a `:process` and a `:type`.
//! Operations whose `:process` is no integer are the nemesis's, and no further look is taken at them. Of the rest the
//! micro-operations have to be of the forms that the workload documents:
//!
//! ```text
//! [:send k v]  [:send k [offset v]]  [:send k [nil v]]  [:poll]  [:poll {k [[offset v] [nil v] ...]}]
//! ```

use std::collections::BTreeMap;
use std::io;

use clojure_reader::edn::Edn;
use thiserror::Error;

use super::edn::{Form, Forms};
use super::op::{Atom, Function, History, Key, Mop, Op, Polled, Stage, Value};

/// Why a history cannot be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// It begins like a gzip file and is none, or is torn.
    #[error("cannot be unpacked: {source}")]
    Gzip {
        /// What the unpacker said.
        source: io::Error,
    },
    /// It holds bytes that are no text.
    #[error("line {line}: not UTF-8")]
    NotUtf8 {
        /// Where.
        line: usize,
    },
    /// It is no EDN.
    #[error("line {line}: {what}")]
    Syntax {
        /// Where.
        line: usize,
        /// What is wrong.
        what: String,
        /// As what it was read.
        help: String,
    },
    /// A form is no operation of this workload.
    #[error("line {line}: {what}")]
    Operation {
        /// Where the operation begins.
        line: usize,
        /// What is wrong.
        what: String,
        /// What would be right.
        help: &'static str,
    },
}

impl ReadError {
    /// What to do about it.
    pub fn help(&self) -> &str {
        match self {
            Self::Gzip { .. } => "copy the file again, or unpack it by hand and check what came out",
            Self::NotUtf8 { .. } => "a history is EDN in UTF-8, plain or packed with gzip",
            Self::Syntax { help, .. } => help,
            Self::Operation { help, .. } => help,
        }
    }
}

const OP: &str =
    "an operation is a map, such as {:index 0 :time 0 :process 0 :type :ok :f :send :value [[:send 0 [0 1]]]}";
const INDEX: &str = "either every operation has an integer :index, or none has and they are counted from 0";
const STAGE: &str = ":type is :invoke, :ok, :fail or :info";
const PROCESS: &str = ":process is a client's integer, or anything else for the nemesis, such as :nemesis";
const FUNCTION: &str = ":f is a keyword, such as :send, :poll, :txn, :assign, :subscribe, :crash";
const MOPS: &str =
    "the :value of a send, poll or txn is a vector of micro-operations, such as [[:send 0 [3 7]] [:poll {0 [[3 7]]}]]";
const SEND: &str = "a send is [:send key value], or [:send key [offset value]] with nil where the offset is not known";
const POLL: &str = "a poll is [:poll], or [:poll {key [[offset value] ...]}] with nil where an offset is not known";
const ATOM: &str = "keys and values are integers or keywords";
const KEYS: &str = "the :value of an assign or a subscribe is a vector of keys";
const REBALANCE: &str = "a :rebalance-log is a vector of maps, such as [{:keys [0 1]}]";

/// Reads a history's text: one operation a line, or one vector of them.
pub fn read(text: &str) -> Result<History, ReadError> {
    let mut reader = Reader::default();
    let mut forms = Forms::new(text);
    while let Some(form) = forms.next_form()? {
        reader.form(&form)?;
    }
    Ok(reader.history)
}

type Map<'a> = BTreeMap<Edn<'a>, Edn<'a>>;

#[derive(Default)]
struct Reader {
    history: History,
    /// How many operations there were, the nemesis's included.
    seen: i64,
    /// Whether the first operation has an index of its own.
    indexed: bool,
}

impl Reader {
    fn form(&mut self, form: &Form<'_>) -> Result<(), ReadError> {
        let map = as_map(&form.edn)
            .ok_or_else(|| wrong(form.line, format!("this is no operation: {}", shown(&form.edn)), OP))?;
        let index = self.index(map, form.line)?;
        let process = match field(map, "process") {
            Some(Edn::Int(process)) => *process,
            Some(_) => return Ok(()),
            None => return Err(wrong(form.line, "this operation has no :process".to_owned(), PROCESS)),
        };
        let op = self.op(map, form.line, index, process)?;
        self.history.ops.push(op);
        Ok(())
    }

    /// The operation's own index, or its place.
    fn index(&mut self, map: &Map<'_>, line: usize) -> Result<i64, ReadError> {
        let place = self.seen;
        let own = match field(map, "index") {
            Some(Edn::Int(index)) => Some(*index),
            _ => None,
        };
        if place == 0 {
            self.indexed = own.is_some();
        }
        self.seen += 1;
        match own {
            Some(index) if self.indexed || index == place => Ok(index),
            None if !self.indexed => Ok(place),
            Some(index) => Err(wrong(
                line,
                format!(":index is {index}, though the first operation has none and this one is number {place}"),
                INDEX,
            )),
            None => {
                Err(wrong(line, "this operation has no integer :index, though the first one has".to_owned(), INDEX))
            }
        }
    }

    fn op(&mut self, map: &Map<'_>, line: usize, index: i64, process: i64) -> Result<Op, ReadError> {
        let stage = stage(map, line)?;
        let function = function(map, line)?;
        let value = field(map, "value");
        let mops = if function.is_transactional() { self.mops(value, line)? } else { Vec::new() };
        let keys = if matches!(function, Function::Assign | Function::Subscribe) {
            self.keys(value, line, KEYS)?
        } else {
            Vec::new()
        };
        let rebalanced = self.rebalanced(field(map, "rebalance-log"), line)?;
        let mut op =
            Op { index, line, process, stage, function, mops, keys, rebalanced, reads: Vec::new(), writes: Vec::new() };
        op.sum_up();
        Ok(op)
    }

    fn mops(&mut self, value: Option<&Edn<'_>>, line: usize) -> Result<Vec<Mop>, ReadError> {
        let list = as_list(value).ok_or_else(|| {
            wrong(line, format!("this :value is no list of micro-operations: {}", maybe_shown(value)), MOPS)
        })?;
        list.iter().map(|mop| self.mop(mop, line)).collect()
    }

    fn mop(&mut self, edn: &Edn<'_>, line: usize) -> Result<Mop, ReadError> {
        let parts = as_list(Some(edn)).unwrap_or_default();
        match parts {
            [Edn::Key(name), rest @ ..] if name == "send" => self.send(edn, rest, line),
            [Edn::Key(name), rest @ ..] if name == "poll" => self.poll(edn, rest, line),
            _ => Err(wrong(line, format!("this is no micro-operation: {}", shown(edn)), MOPS)),
        }
    }

    fn send(&mut self, whole: &Edn<'_>, parts: &[Edn<'_>], line: usize) -> Result<Mop, ReadError> {
        match parts {
            [key, Edn::Vector(pair), ..] => match self.pair(pair, line)? {
                Some((offset, value)) => Ok(Mop::Send(self.key(key, line)?, offset, value)),
                None => Err(wrong(line, format!("this is no send: {}", shown(whole)), SEND)),
            },
            [key, value, ..] => Ok(Mop::Send(self.key(key, line)?, None, self.value(value, line)?)),
            _ => Err(wrong(line, format!("this is no send: {}", shown(whole)), SEND)),
        }
    }

    fn poll(&mut self, whole: &Edn<'_>, parts: &[Edn<'_>], line: usize) -> Result<Mop, ReadError> {
        match parts.first() {
            None | Some(Edn::Nil) => Ok(Mop::Poll(Vec::new())),
            Some(Edn::Map(polled)) => {
                let one = |(key, pairs): (&Edn<'_>, &Edn<'_>)| self.polled(whole, key, pairs, line);
                Ok(Mop::Poll(polled.iter().map(one).collect::<Result<_, _>>()?))
            }
            Some(_) => Err(wrong(line, format!("this is no poll: {}", shown(whole)), POLL)),
        }
    }

    fn polled(
        &mut self,
        whole: &Edn<'_>,
        key: &Edn<'_>,
        pairs: &Edn<'_>,
        line: usize,
    ) -> Result<(Key, Vec<Polled>), ReadError> {
        let no_poll = || wrong(line, format!("this is no poll: {}", shown(whole)), POLL);
        let key = self.key(key, line)?;
        let list = as_list(Some(pairs)).ok_or_else(no_poll)?;
        let mut read = Vec::with_capacity(list.len());
        for pair in list {
            let parts = as_list(Some(pair)).ok_or_else(no_poll)?;
            read.push(self.pair(parts, line)?.ok_or_else(no_poll)?);
        }
        Ok((key, read))
    }

    /// A pair of offset and value; none if it is no pair.
    fn pair(&mut self, parts: &[Edn<'_>], line: usize) -> Result<Option<Polled>, ReadError> {
        Ok(match parts {
            [Edn::Int(offset), value, ..] => Some((Some(*offset), self.value(value, line)?)),
            [Edn::Nil, value, ..] => Some((None, self.value(value, line)?)),
            _ => None,
        })
    }

    fn keys(&mut self, value: Option<&Edn<'_>>, line: usize, help: &'static str) -> Result<Vec<Key>, ReadError> {
        let list: Vec<&Edn<'_>> = match value {
            Some(Edn::Set(members)) => members.iter().collect(),
            other => {
                let no_keys = || wrong(line, format!("these are no keys: {}", maybe_shown(value)), help);
                as_list(other).ok_or_else(no_keys)?.iter().collect()
            }
        };
        list.into_iter().map(|key| self.key(key, line)).collect()
    }

    fn rebalanced(&mut self, log: Option<&Edn<'_>>, line: usize) -> Result<Vec<Key>, ReadError> {
        let no_log = || wrong(line, format!("this is no :rebalance-log: {}", maybe_shown(log)), REBALANCE);
        let mut keys = Vec::new();
        for event in as_list(log).ok_or_else(no_log)? {
            let map = as_map(event).ok_or_else(no_log)?;
            keys.extend(self.keys(field(map, "keys"), line, REBALANCE)?);
        }
        Ok(keys)
    }

    fn key(&mut self, edn: &Edn<'_>, line: usize) -> Result<Key, ReadError> {
        self.atom(edn, line).map(Key)
    }

    fn value(&mut self, edn: &Edn<'_>, line: usize) -> Result<Value, ReadError> {
        self.atom(edn, line).map(Value)
    }

    fn atom(&mut self, edn: &Edn<'_>, line: usize) -> Result<u32, ReadError> {
        let atom = match edn {
            Edn::Nil => Atom::Nil,
            Edn::Int(number) => Atom::Int(*number),
            Edn::Key(word) => Atom::Keyword(word.to_string()),
            Edn::Str(text) => Atom::Text(text.to_string()),
            other => return Err(wrong(line, format!("this is neither a key nor a value: {}", shown(other)), ATOM)),
        };
        Ok(self.history.atoms.number(atom))
    }
}

fn stage(map: &Map<'_>, line: usize) -> Result<Stage, ReadError> {
    let name = match field(map, "type") {
        Some(Edn::Key(name)) => name.as_ref(),
        other => return Err(wrong(line, format!(":type is {}", maybe_shown(other)), STAGE)),
    };
    match name {
        "invoke" => Ok(Stage::Invoke),
        "ok" => Ok(Stage::Ok),
        "fail" => Ok(Stage::Fail),
        "info" => Ok(Stage::Info),
        other => Err(wrong(line, format!(":type is :{other}"), STAGE)),
    }
}

fn function(map: &Map<'_>, line: usize) -> Result<Function, ReadError> {
    match field(map, "f") {
        Some(Edn::Key(name)) => Ok(match name.as_ref() {
            "send" => Function::Send,
            "poll" => Function::Poll,
            "txn" => Function::Txn,
            "assign" => Function::Assign,
            "subscribe" => Function::Subscribe,
            _ => Function::Other,
        }),
        other => Err(wrong(line, format!(":f is {}", maybe_shown(other)), FUNCTION)),
    }
}

fn field<'m, 'a>(map: &'m Map<'a>, name: &'a str) -> Option<&'m Edn<'a>> {
    map.get(&Edn::key(name))
}

/// A map, or the map of a record such as `#jepsen.history.Op{...}`.
fn as_map<'m, 'a>(edn: &'m Edn<'a>) -> Option<&'m Map<'a>> {
    match edn {
        Edn::Map(map) => Some(map),
        Edn::Tagged(_, inner) => as_map(inner),
        _ => None,
    }
}

/// The items of a vector or a list; `nil`, or nothing at all, has none.
fn as_list<'m, 'a>(edn: Option<&'m Edn<'a>>) -> Option<&'m [Edn<'a>]> {
    match edn {
        None | Some(Edn::Nil) => Some(&[]),
        Some(Edn::Vector(items) | Edn::List(items)) => Some(items),
        Some(_) => None,
    }
}

fn wrong(line: usize, what: String, help: &'static str) -> ReadError {
    ReadError::Operation { line, what, help }
}

/// How much of a form is shown in a message.
const SHOWN_CHARS: usize = 80;

fn shown(edn: &Edn<'_>) -> String {
    let text = edn.to_string();
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

fn maybe_shown(edn: Option<&Edn<'_>>) -> String {
    edn.map_or_else(|| "missing".to_owned(), shown)
}
