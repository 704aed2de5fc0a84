//! What is wrong here, and what to do about it: every check is made, and all are shown at once.
//!
//! Each check comes in two halves. A look asks somebody (the engine, a broker, the file system) and has a limit; a
//! judgement turns what was seen into [`Check`]s and is pure. What depends on something that is missing says so and is
//! not left out. Nothing is changed or removed by looking; containers that are made to ask what the kernel can do are in a ledger
//! first, and gone afterwards.

mod advertised;
mod check;
mod cluster;
mod directories;
mod disk;
mod engine;
mod faults;
mod groups;
mod images;
mod leftovers;
mod memory;
mod ports;
mod standing;
mod topics;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::cluster::standing::DEFAULT_BASE_PORT;
use crate::kafka::{Access, Endpoint};

pub use check::{Check, Level, count};

/// How long everything together may take. What has not answered by then is told as such.
const LIMIT: Duration = Duration::from_secs(14);

/// What is asked of the doctor.
#[derive(Clone, Debug)]
pub struct Wish {
    /// The cluster to look at; without one, what listens at the standing cluster's ports.
    pub bootstrap: Option<Vec<Endpoint>>,
    /// How clients connect to it: librdkafka's properties, with environment variables put in already.
    pub properties: BTreeMap<String, String>,
    /// The topics that must be there.
    pub topics: Vec<String>,
    /// The groups that must be there and are looked at; without any, all are looked at.
    pub groups: Vec<String>,
    /// The first of three ports; without one that of the standing cluster which is there, else Kafka's own.
    pub base_port: Option<u16>,
    /// The standing cluster's name.
    pub name: String,
    /// Where runs keep their reports.
    pub reports: PathBuf,
    /// Where runs keep their ledgers.
    pub state: PathBuf,
}

/// Makes every check, within [`LIMIT`].
pub async fn examine(wish: &Wish) -> Vec<Check> {
    let deadline = Instant::now() + LIMIT;
    let access = |bootstrap: Vec<Endpoint>| Access { bootstrap, properties: wish.properties.clone() };
    // A cluster that was named is looked at meanwhile, so that a slow engine and a slow cluster do not add up.
    let named = async {
        match wish.bootstrap.clone() {
            Some(bootstrap) => Some(cluster::examine(&access(bootstrap), wish, deadline).await),
            None => None,
        }
    };
    let (machine, named) = tokio::join!(examine_machine(wish, deadline), named);
    let of_cluster = match named {
        Some(checks) => checks,
        None if machine.brokers.is_empty() => cluster::absent(wish, machine.base_port),
        None => cluster::examine(&access(machine.brokers), wish, deadline).await,
    };
    [machine.checks, of_cluster, machine.faults].concat()
}

/// What was found on this machine.
struct Machine {
    checks: Vec<Check>,
    base_port: u16,
    /// The addresses among the three ports where brokers are.
    brokers: Vec<Endpoint>,
    faults: Vec<Check>,
}

async fn examine_machine(wish: &Wish, deadline: Instant) -> Machine {
    let (engine, engine_checks) = engine::examine().await;
    let engine = engine.as_ref();
    let standing = standing::look(engine, &wish.name).await;
    let base_port = wish.base_port.or_else(|| standing.base_port()).unwrap_or(DEFAULT_BASE_PORT);
    let (images, premises, ports, leftovers, faults) = tokio::join!(
        timeout_at(deadline, images::examine(engine)),
        engine::premises(engine),
        timeout_at(deadline, ports::look(base_port, engine, &standing, &wish.properties)),
        timeout_at(deadline, leftovers::examine(&wish.state, engine)),
        faults::examine(engine, &wish.state, deadline),
    );
    let ports = ports.ok();
    let checks = [
        engine_checks,
        images.unwrap_or_else(|_| vec![Check::late("kafka-image")]),
        memory::examine(standing.running()),
        disk::examine(wish, premises.as_ref()),
        directories::examine(wish),
        ports.as_deref().map_or_else(|| vec![Check::late("ports")], ports::judge),
        standing.checks(),
        leftovers.unwrap_or_else(|_| vec![Check::late("leftovers")]),
    ];
    Machine {
        checks: checks.concat(),
        base_port,
        brokers: ports.as_deref().map(ports::brokers).unwrap_or_default(),
        faults,
    }
}

/// Several names in a sentence: `a`, `a and b`, `a, b and c`.
fn in_words<T: ToString>(names: impl IntoIterator<Item = T>) -> String {
    let mut names: Vec<String> = names.into_iter().map(|name| name.to_string()).collect();
    match names.pop() {
        None => "none".to_owned(),
        Some(last) if names.is_empty() => last,
        Some(last) => format!("{} and {last}", names.join(", ")),
    }
}

/// How many of a thing there are: `1 group`, `2 groups`.
fn how_many(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_read_as_people_write_them() {
        assert_eq!(in_words(["a", "b", "c"]), "a, b and c");
        assert_eq!(in_words([9092, 9093]), "9092 and 9093");
        assert_eq!((in_words(["a"]), in_words::<&str>([])), ("a".to_owned(), "none".to_owned()));
        assert_eq!((how_many(1, "group"), how_many(0, "group")), ("1 group".to_owned(), "0 groups".to_owned()));
    }
}
