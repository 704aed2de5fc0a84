//! Listeners as brokers of every kind configure them.

use std::time::Duration;

use super::*;
use crate::cluster::broker::{Member, Settings};
use crate::kafka::Endpoint;
use crate::scenario::{ClusterKind, ClusterSpec};

use Plane::{Client, Controller, Replication};

type Told = (String, u16, String, Vec<Plane>);

fn told(properties: &[(&str, &str)]) -> Result<Vec<Told>, ListenersError> {
    let properties = properties.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let listeners = read(&properties)?.into_iter();
    Ok(listeners.map(|one| (one.name, one.port, one.protocol, one.planes.into_iter().collect())).collect())
}

/// The same, of an image's environment variables.
fn told_by_environment<'a>(variables: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<Told> {
    let keys = [LISTENERS, PROTOCOLS, INTER_BROKER_NAME, CONTROLLER_NAMES];
    let named = |variable: &str| {
        keys.into_iter().find(|key| variable == format!("KAFKA_{}", key.replace('.', "_").to_uppercase()))
    };
    let properties: Vec<(&str, &str)> =
        variables.filter_map(|(variable, value)| Some((named(variable)?, value))).collect();
    assert_eq!(properties.len(), keys.len(), "{properties:?}");
    told(&properties).expect("listeners")
}

fn listener(name: &str, port: u16, protocol: &str, planes: &[Plane]) -> Told {
    (name.to_owned(), port, protocol.to_owned(), planes.to_vec())
}

fn three_planes() -> Vec<Told> {
    vec![
        listener("INTERNAL", 29092, "PLAINTEXT", &[Replication]),
        listener("CONTROLLER", 9093, "PLAINTEXT", &[Controller]),
        listener("CLIENT", 9092, "PLAINTEXT", &[Client]),
    ]
}

#[test]
fn a_broker_of_a_run_has_a_port_for_each_plane() {
    let spec = ClusterSpec {
        kind: ClusterKind::Docker,
        brokers: 1,
        image: None,
        heap_bytes: 512 << 20,
        start_limit: Duration::from_secs(1),
        config: BTreeMap::new(),
        disk_bytes: None,
        attach: None,
    };
    let member =
        Member { id: BrokerId(1), name: "run-kafka-1".to_owned(), endpoint: Endpoint::new("127.0.0.1", 20_000) };
    let environment = Settings::new(&spec, std::slice::from_ref(&member), "run").environment(&member);
    let variables = environment.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    assert_eq!(told_by_environment(variables), three_planes());
}

#[test]
fn a_broker_of_the_compose_file_has_a_port_for_each_plane() {
    let file = include_str!("../../../../docker/docker-compose.kafka.yml");
    let variables = file.lines().filter_map(|line| line.trim().split_once(": "));
    assert_eq!(told_by_environment(variables), three_planes());
}

#[test]
fn the_only_listener_serves_clients_and_brokers_alike() {
    let all = [Client, Replication];
    assert_eq!(told(&[]), Ok(vec![listener("PLAINTEXT", 9092, "PLAINTEXT", &all)]), "Kafka's own default");
    let secured = told(&[(LISTENERS, "SASL_SSL://0.0.0.0:9094"), (INTER_BROKER_PROTOCOL, "SASL_SSL")]);
    assert_eq!(secured, Ok(vec![listener("SASL_SSL", 9094, "SASL_SSL", &all)]));
    let combined = [(LISTENERS, "PLAINTEXT://:9092,CONTROLLER://:9093"), (CONTROLLER_NAMES, "CONTROLLER")];
    let with_controller =
        vec![listener("PLAINTEXT", 9092, "PLAINTEXT", &all), listener("CONTROLLER", 9093, "PLAINTEXT", &[Controller])];
    assert_eq!(told(&combined), Ok(with_controller));
}

#[test]
fn a_broker_that_is_no_controller_has_no_controller_port() {
    let separate = told(&[
        (LISTENERS, "internal://[::]:9091, EXTERNAL://kafka:9092"),
        (INTER_BROKER_NAME, "Internal"),
        (CONTROLLER_NAMES, "CONTROLLER"),
        (PROTOCOLS, "INTERNAL:SSL,external:SASL_SSL,CONTROLLER:SSL"),
    ]);
    let expected =
        vec![listener("INTERNAL", 9091, "SSL", &[Replication]), listener("EXTERNAL", 9092, "SASL_SSL", &[Client])];
    assert_eq!(separate, Ok(expected));
}

#[test]
fn what_cannot_be_cut_by_port_is_refused() {
    assert_eq!(told(&[(LISTENERS, "PLAINTEXT://:0")]), Err(ListenersError::AnyPort("PLAINTEXT".to_owned())));
    for wrong in ["9092", "PLAINTEXT://host", "://:9092", "PLAINTEXT://:port"] {
        assert_eq!(told(&[(LISTENERS, wrong)]), Err(ListenersError::NotAListener(wrong.to_owned())));
    }
    assert_eq!(told(&[(LISTENERS, "HOUSE://:1")]), Err(ListenersError::NoProtocol("HOUSE".to_owned())));
}
