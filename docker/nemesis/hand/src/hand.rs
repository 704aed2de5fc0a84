//! The hand itself: carries requests out, one after the other, and knows which faults it made.
//!
//! What is in force is never remembered but read from the kernel's tables, because somebody else may have changed them.
//! What is remembered is what lives in this process: the shapes at work, and the names of the faults to undo at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use serde_json::{Value, json};

use crate::iptables::{self, TablesError};
use crate::kernel;
use crate::protocol::{CutVerdict, Flow, RawTreatment};
use crate::queue::Queue;
use crate::rules::{Action, Ruleset, Sort, hash};
use crate::shaper::{Orders, Shaper};
use crate::tables::Table;
use crate::treatment::{Treatment, TreatmentError};

/// The number of the first queue that is tried; nobody else in a broker's namespace has any.
const FIRST_QUEUE: u16 = 27_100;

/// The lowest bit of a mark that is ours, and how many are: one for each shape at a time.
const FIRST_BIT: u16 = 16;
const SLOTS: u16 = 16;

/// A name has to fit into a rule's comment.
const LONGEST_NAME: usize = 160;

const MOST_FLOWS: usize = 1000;

/// Why a request was not carried out. Nothing has changed then, unless it says so.
#[derive(Debug, thiserror::Error)]
pub enum HandError {
    /// The tables could not be read or changed.
    #[error(transparent)]
    Tables(#[from] TablesError),
    /// The treatment makes no sense.
    #[error(transparent)]
    Treatment(#[from] TreatmentError),
    /// A name that no comment could bear.
    #[error("{0:?} cannot name a fault: use up to {LONGEST_NAME} letters, digits and any of - _ . : / + @")]
    Name(String),
    /// Nothing to do, or too much.
    #[error("a fault has between 1 and {MOST_FLOWS} flows, not {0}")]
    Flows(usize),
    /// Port 0.
    #[error("there is no port 0")]
    Port,
    /// IPv6 would go past the fault.
    #[error(
        "this namespace has the IPv6 address {0}, and the rules are for IPv4 only: its traffic would go past the fault"
    )]
    Ipv6(std::net::Ipv6Addr),
    /// The namespace's addresses could not be read.
    #[error("could not read which IPv6 addresses there are: {0}")]
    Addresses(io::Error),
    /// A cut and a shape of one name.
    #[error("`{name}` is a {} already; undo it first", sort.word())]
    Taken {
        /// The name.
        name: String,
        /// What has it.
        sort: Sort,
    },
    /// No queue to be had.
    #[error("no queue is free: {SLOTS} were tried, and the last one said: {0}")]
    Queue(String),
    /// The thread of a shape did not start.
    #[error("could not start a shape: {0}")]
    Start(io::Error),
}

/// Tells a person what no answer can tell.
pub type Complain = fn(&str);

/// A hand in a namespace.
#[derive(Debug)]
pub struct Hand {
    shapes: BTreeMap<String, Shape>,
    made: BTreeSet<String>,
    complain: Complain,
}

#[derive(Debug)]
struct Shape {
    print: String,
    slot: u16,
    shaper: Shaper,
}

impl Hand {
    /// One that has done nothing.
    pub fn new(complain: Complain) -> Self {
        Self { shapes: BTreeMap::new(), made: BTreeSet::new(), complain }
    }

    /// Cuts flows. A cut that is in force in this very form is left alone, counters and all; another one is replaced.
    pub fn cut(&mut self, name: &str, flows: &[Flow], verdict: CutVerdict) -> Result<Value, HandError> {
        check(name, flows)?;
        let print = print(&(flows, verdict));
        self.check_free(name, Sort::Shape)?;
        let table = iptables::read(Sort::Cut)?;
        if table.in_force().get(name).is_none_or(|fault| fault.print != print) {
            let ruleset = Ruleset { name, print, flows, action: Action::Cut(verdict) };
            iptables::change(Sort::Cut, &(table.removal(name) + &ruleset.lines()))?;
        }
        self.made.insert(name.to_owned());
        Ok(json!({}))
    }

    /// Shapes flows. A shape that is at work in this very form is left alone, and goes on with its next packet; another
    /// one is replaced, and what it held is let go.
    pub fn shape(
        &mut self,
        name: &str,
        flows: &[Flow],
        treatment: &RawTreatment,
        seed: u64,
    ) -> Result<Value, HandError> {
        check(name, flows)?;
        let checked = Treatment::new(treatment)?;
        let print = print(&(flows, treatment, seed));
        self.check_free(name, Sort::Cut)?;
        let table = iptables::read(Sort::Shape)?;
        let in_force = table.in_force().get(name).is_some_and(|fault| fault.print == print);
        let at_work = self.shapes.get(name).is_some_and(|shape| shape.print == print && shape.shaper.works());
        if in_force && at_work {
            return Ok(json!({}));
        }
        let (slot, queue) = self.free_queue(&table)?;
        let bit = bit(slot);
        let ruleset = Ruleset { name, print: print.clone(), flows, action: Action::Shape { queue: number(slot), bit } };
        let orders = Orders { treatment: checked, seed, bit };
        // The loop works before the first packet comes.
        let shaper = Shaper::start(queue, orders, self.complain).map_err(HandError::Start)?;
        iptables::change(Sort::Shape, &(table.removal(name) + &ruleset.lines()))?;
        self.shapes.insert(name.to_owned(), Shape { print, slot, shaper });
        self.made.insert(name.to_owned());
        Ok(json!({}))
    }

    /// Ends a fault, and says whether there was any of it.
    pub fn undo(&mut self, name: &str) -> Result<Value, HandError> {
        let mut was = false;
        for sort in Sort::ALL {
            let removal = iptables::read(sort)?.removal(name);
            was |= !removal.is_empty();
            iptables::change(sort, &removal)?;
        }
        // Only now that no more packets come to it, or they would pass it before the last that it holds.
        was |= self.shapes.remove(name).is_some();
        self.made.remove(name);
        Ok(json!({ "was": was }))
    }

    /// What is in force and what it met, from the kernel; and what shapes counted, from those at work.
    pub fn look(&self) -> Result<Value, HandError> {
        let cuts: Vec<Value> = iptables::read(Sort::Cut)?
            .in_force()
            .into_iter()
            .map(|(name, fault)| json!({"name": name, "packets": fault.packets, "bytes": fault.bytes}))
            .collect();
        let in_force = iptables::read(Sort::Shape)?.in_force();
        let shapes: Vec<Value> = in_force
            .into_iter()
            .filter_map(|(name, fault)| {
                // Rules that lead to nobody shape nothing.
                let shape =
                    self.shapes.get(&name).filter(|shape| shape.print == fault.print && shape.shaper.works())?;
                Some(shape_counts(&name, fault.packets, &shape.shaper))
            })
            .collect();
        Ok(json!({ "cuts": cuts, "shapes": shapes }))
    }

    /// Removes every rule of any hand in this namespace, and ends every shape of this one.
    pub fn clear(&mut self) -> Result<Value, HandError> {
        let mut removed = BTreeSet::new();
        for sort in Sort::ALL {
            let table = iptables::read(sort)?;
            iptables::change(sort, &table.removal_of_all())?;
            removed.extend(table.names());
        }
        self.shapes.clear();
        self.made.clear();
        Ok(json!({ "removed": removed }))
    }

    /// Undoes every fault of this hand; gives all that could not be undone.
    pub fn undo_all(&mut self) -> Vec<(String, HandError)> {
        let names = self.made.clone();
        names.into_iter().filter_map(|name| self.undo(&name).err().map(|error| (name, error))).collect()
    }

    /// Refuses a name that a fault of the other sort has.
    fn check_free(&self, name: &str, other: Sort) -> Result<(), HandError> {
        if !self.made.contains(name) {
            return Ok(());
        }
        if iptables::read(other)?.names().contains(name) {
            return Err(HandError::Taken { name: name.to_owned(), sort: other });
        }
        Ok(())
    }

    /// A queue that nobody holds and no rule leads to, not even one that a dead hand left.
    fn free_queue(&self, table: &Table) -> Result<(u16, Queue), HandError> {
        let mut said = "every one of them is in use".to_owned();
        for slot in 0..SLOTS {
            let is_used = self.shapes.values().any(|shape| shape.slot == slot);
            if is_used || table.mentions(&format!("--queue-num {}", number(slot))) {
                continue;
            }
            match Queue::bind(number(slot)) {
                Ok(queue) => return Ok((slot, queue)),
                Err(error) => said = error.to_string(),
            }
        }
        Err(HandError::Queue(said))
    }
}

fn number(slot: u16) -> u16 {
    FIRST_QUEUE + slot
}

fn bit(slot: u16) -> u32 {
    1 << (FIRST_BIT + slot)
}

/// A short hash of what is asked for.
fn print(request: &impl Serialize) -> String {
    let text = serde_json::to_string(request).expect("a request that was read can be written");
    format!("{:016x}", hash(text.as_bytes()))
}

fn check(name: &str, flows: &[Flow]) -> Result<(), HandError> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.:/+@".contains(c);
    if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(is_plain) {
        return Err(HandError::Name(name.to_owned()));
    }
    if !(1..=MOST_FLOWS).contains(&flows.len()) {
        return Err(HandError::Flows(flows.len()));
    }
    if flows.iter().any(|flow| flow.ports.contains(&0)) {
        return Err(HandError::Port);
    }
    match kernel::ipv6_addresses().map_err(HandError::Addresses)?.first() {
        Some(address) => Err(HandError::Ipv6(*address)),
        None => Ok(()),
    }
}

fn shape_counts(name: &str, rule_packets: u64, shaper: &Shaper) -> Value {
    let counts = shaper.counts();
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    json!({
        "name": name,
        "rule_packets": rule_packets,
        "seen": read(&counts.seen),
        "bytes": read(&counts.bytes),
        "delayed": read(&counts.delayed),
        "lost": read(&counts.lost),
        "duplicated": read(&counts.duplicated),
        "reordered": read(&counts.reordered),
        "corrupted": read(&counts.corrupted),
        "overflowed": read(&counts.overflowed),
        "held_now": read(&counts.held_now),
        "overruns": read(&counts.overruns),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Way;

    #[test]
    fn a_name_that_could_leave_its_comment_is_refused() {
        let flow = Flow { way: Way::In, peers: Vec::new(), except: Vec::new(), ports: Vec::new() };
        for name in ["", "a b", "a\"b", "a\nCOMMIT", "a'", &"x".repeat(161)] {
            assert!(matches!(check(name, std::slice::from_ref(&flow)), Err(HandError::Name(_))), "{name:?}");
        }
        assert!(matches!(check("f1", &[]), Err(HandError::Flows(0))));
        assert!(matches!(check("f1", &[Flow { ports: vec![0], ..flow }]), Err(HandError::Port)));
    }

    #[test]
    fn marks_and_queues_of_all_slots_are_distinct_and_fit() {
        let bits = (0..SLOTS).map(bit).fold(0, |all, bit| {
            assert_eq!(all & bit, 0);
            all | bit
        });
        assert_eq!(bits, 0xffff_0000);
    }
}
