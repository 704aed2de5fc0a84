//! `[[transformer]]`: what consumes, transforms and produces.

use std::collections::BTreeMap;

use super::faults::Placed;
use super::fence::origin;
use super::load::{MOST_CLIENTS, MOST_IN_FLIGHT, declared_topic};
use super::{client, cluster, count, items, names, require, transactions};
use crate::fault::{Strikes, Target};
use crate::scenario::leaf::Properties;
use crate::scenario::problem::Problems;
use crate::scenario::raw::{RawScenario, RawTransformer};
use crate::scenario::read::At;
use crate::scenario::{CommitMode, GroupSpec, OffsetsCommitted, ProducerSpec, Rate, TransactionSpec, TransformerSpec};

/// What its producers' name is made of: reports tell the two sides of it apart by it.
pub(super) const PRODUCERS_SUFFIX: &str = "-out";

/// Every `[[transformer]]`.
pub(super) fn transformers(raw: &RawScenario, problems: &mut Problems) -> Vec<TransformerSpec> {
    let named = items(&raw.transformers).filter_map(|transformer| transformer.name.get());
    names::unique("transformers named", named, names::OWN_NAME, problems);
    let specs = items(&raw.transformers).map(|transformer| one(raw, transformer, problems)).collect();
    refuse_chains(raw, problems);
    specs
}

fn one(raw: &RawScenario, transformer: &RawTransformer, problems: &mut Problems) -> TransformerSpec {
    let (table, span) = ("[[transformer]]", &transformer.span);
    let name = require(&transformer.name, table, span, "name", "name = \"copiers\"", problems);
    let from = require(&transformer.from, table, span, "from", "from = \"chat\"", problems);
    let to = require(&transformer.to, table, span, "to", "to = \"copies\"", problems);
    let example = "transactions = { records = 100 }";
    let in_transactions = require(&transformer.transactions, table, span, "transactions", example, problems);
    for topic in [from, to].into_iter().flatten() {
        declared_topic(raw, topic, problems);
    }
    if let (Some(from), Some(to)) = (from, to)
        && from.value == to.value
    {
        problems
            .error(&to.span, "a transformer that writes what it reads never comes to an end", "the same topic")
            .and_at(from.span.clone(), "read here")
            .help("declare a second [[topic]], and write to that one");
    }
    if let Some(config) = transformer.config.value() {
        client::check(config, client::Role::Producer, cluster::kind(raw), problems);
    }
    let in_transactions = in_transactions.map(|in_transactions| {
        transactions::read(in_transactions, &transformer.config, MOST_IN_FLIGHT, cluster::kind(raw), problems)
    });
    let name = name.map(|at| names::plain("transformer", at, problems)).unwrap_or_default();
    let count = count(&transformer.count, "count", 1, MOST_CLIENTS, problems);
    let topic = |at: Option<&At<String>>| at.map(|at| at.value.clone()).unwrap_or_default();
    TransformerSpec {
        group: group(&name, topic(from), count),
        producer: ProducerSpec {
            config: transformer.config.value().map(Properties::to_map).unwrap_or_default(),
            ..producer(&name, topic(to), count, in_transactions)
        },
        offsets: transformer.offsets.or(OffsetsCommitted::InTransaction),
    }
}

fn group(name: &str, from: String, members: u32) -> GroupSpec {
    GroupSpec {
        name: name.to_owned(),
        topics: vec![from],
        members,
        commit: CommitMode::AfterProcess,
        config: BTreeMap::new(),
    }
}

/// It sends what there is to be read, as fast as that comes; sizes and keys are those of what was read.
fn producer(name: &str, to: String, count: u32, transactions: Option<TransactionSpec>) -> ProducerSpec {
    ProducerSpec {
        name: format!("{name}{PRODUCERS_SUFFIX}"),
        count,
        topic: to,
        partitions: Vec::new(),
        rate: Rate::Max,
        size_bytes: (0, 0),
        keys: 0,
        headers: 0,
        in_flight: transactions.map_or(1, |transactions| transactions.records),
        transactions,
        config: BTreeMap::new(),
    }
}

/// The names of all transformers' producers, and how many of each there are; a name that could not be read is none.
pub(super) fn producers(raw: &RawScenario) -> Vec<(Option<String>, u32)> {
    let of = |transformer: &RawTransformer| {
        let name = transformer.name.value().map(|name| format!("{name}{PRODUCERS_SUFFIX}"));
        (name, transformer.count.or(1))
    };
    items(&raw.transformers).map(of).collect()
}

/// Refuses faults that need a process of a transformer's producer: both clients of an instance live in the harness.
pub(super) fn check_faults(raw: &RawScenario, placed: &[Placed<'_>], problems: &mut Problems) {
    for fault in placed.iter().filter(|fault| fault.spec.kind.facts().strikes != Strikes::Producers) {
        let Some(Target::Producer { name, .. }) = origin(placed, &fault.spec) else { continue };
        if producers(raw).iter().any(|(out, _)| out.as_ref() == Some(name)) {
            problems
                .error(
                    &fault.target_span(),
                    format!("`{name}` writes for a transformer, and can only be fenced"),
                    "not here",
                )
                .help("write fence = { target = ... }, or strike a [[producer]]");
        }
    }
}

/// A run ends its load from the front: what one transformer writes, another cannot be waiting for.
fn refuse_chains(raw: &RawScenario, problems: &mut Problems) {
    for (reader, from) in (0..).zip(items(&raw.transformers).map(|transformer| &transformer.from)) {
        let Some(from) = from.get() else { continue };
        let others = (0..).zip(items(&raw.transformers)).filter(|(writer, _): &(usize, _)| *writer != reader);
        let mut written = others.filter_map(|(_, transformer)| transformer.to.get());
        if let Some(to) = written.find(|to| to.value == from.value) {
            problems
                .error(&from.span, format!("`{}` is what another transformer writes", from.value), "read here")
                .and_at(to.span.clone(), "written here")
                .help("transformers in a chain are not supported: let each read a topic that producers write");
        }
    }
}
