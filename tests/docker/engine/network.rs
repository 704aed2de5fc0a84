//! Pulling a container's cable and plugging it in again.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use futures_util::future::join_all;
use wiber_chaos::cluster::engine::{Attachment, Disconnected, Engine, Reconnected};
use wiber_chaos::fault::Signal;

use super::containers::{Made, docker, unique};

/// The only attachment of a container.
async fn only(engine: &Engine, container: &str) -> Attachment {
    let mut places = engine.attachments(container).await.expect("attachments");
    assert_eq!(places.len(), 1, "{places:?}");
    places.remove(0)
}

/// Whether one container reaches another by this name or address.
fn reaches(from: &str, to: &str) -> bool {
    let script = format!("timeout 2 bash -c '</dev/tcp/{to}/7' 2>&1");
    // Nobody listens there: whoever is reached refuses, and whoever is not stays silent or has no name.
    let output = std::process::Command::new("docker").args(["exec", from, "sh", "-c", &script]).output();
    String::from_utf8_lossy(&output.expect("docker runs").stdout).contains("refused")
}

#[tokio::test]
async fn a_disconnected_container_is_gone_and_a_reconnected_one_is_back_at_its_address_and_names() {
    let engine = Engine::connect().await.expect("an engine");
    let mut made = Made::default();
    // A range of our own choice and one of the engine's: only in the first may an address be chosen.
    let chosen = made.network("chosen", &["--subnet", "10.213.77.0/24"]);
    let given = made.network("given", &[]);
    for network in [&chosen, &given] {
        let kind = if network == &chosen { "a" } else { "b" };
        let args = ["--network", network, "--network-alias", "kafka"];
        let container = made.container(&format!("plugged-{kind}"), &args);
        let other = made.container(&format!("witness-{kind}"), &["--network", network]);
        let place = only(&engine, &container).await;
        assert_eq!((&place.network, &place.aliases[..]), (network, &["kafka".to_owned()][..]));
        let [address] = &engine.addresses(&container).await.expect("addresses")[..] else { panic!("one address") };
        assert_eq!(address.address, place.address);
        let first: Ipv4Addr = address.gateway.expect("a gateway");
        assert_eq!(first.octets()[..3], place.address.octets()[..3], "the gateway is in the same range");
        assert!(reaches(&other, "kafka") && reaches(&container, &other));

        assert_eq!(engine.disconnect(&container, &place).await.expect("disconnected"), Disconnected::Now);
        assert_eq!(engine.disconnect(&container, &place).await.expect("no error"), Disconnected::Before);
        assert_eq!(engine.attachments(&container).await.expect("attachments"), []);
        let address = place.address.to_string();
        assert!(!reaches(&other, &address) && !reaches(&other, "kafka") && !reaches(&container, &other));

        assert_eq!(engine.reconnect(&container, &place).await.expect("reconnected"), Reconnected::Now);
        assert_eq!(engine.reconnect(&container, &place).await.expect("no error"), Reconnected::Before);
        assert_eq!(only(&engine, &container).await, place);
        assert!(reaches(&other, "kafka") && reaches(&other, &container) && reaches(&container, &other));
    }
}

#[tokio::test]
async fn networks_that_are_made_at_once_get_ranges_of_their_own() {
    let engine = Engine::connect().await.expect("an engine");
    let mut made = Made::default();
    let names: Vec<String> = (0..5).map(|number| unique(&format!("range-{number}"))).collect();
    for name in &names {
        made.adopt_network(name);
    }
    let labels = BTreeMap::new();
    let making = names.iter().map(|name| engine.create_network_of_own_range(name, &labels));
    for done in join_all(making).await {
        done.expect("made");
    }
    let mut ranges = BTreeSet::new();
    for name in &names {
        ranges.extend(engine.network_range(name).await.expect("a look"));
    }
    assert_eq!(ranges.len(), names.len(), "{ranges:?}");
}

#[tokio::test]
async fn an_address_that_somebody_took_meanwhile_is_an_error() {
    let engine = Engine::connect().await.expect("an engine");
    let mut made = Made::default();
    for args in [&["--subnet", "10.213.78.0/24"][..], &[]] {
        let network = made.network(&format!("taken-{}", args.len()), args);
        let container = made.container(&format!("ousted-{}", args.len()), &["--network", &network]);
        let place = only(&engine, &container).await;
        engine.disconnect(&container, &place).await.expect("disconnected");
        made.container(&format!("usurper-{}", args.len()), &["--network", &network]);
        let error = engine.reconnect(&container, &place).await.expect_err("its address is taken").to_string();
        assert!(error.contains("already in use") || error.contains(&format!("it was {}", place.address)), "{error}");
    }
}

#[tokio::test]
async fn containers_that_stopped_together_come_back_at_their_own_addresses_in_any_order() {
    let engine = Engine::connect().await.expect("an engine");
    let mut made = Made::default();
    let network = made.network("kept", &["--subnet", "10.213.79.0/24"]);
    let first = made.container("kept-1", &["--network", &network]);
    let second = made.container("kept-2", &["--network", &network]);
    let (first_place, second_place) = (only(&engine, &first).await, only(&engine, &second).await);
    let stop_both = async || {
        for container in [&first, &second] {
            engine.kill(container, Signal::Kill).await.expect("killed");
            docker(&["wait", container]);
        }
    };

    // What is to be prevented: started in the other order, they swap.
    stop_both().await;
    for container in [&second, &first] {
        engine.start(container).await.expect("started");
    }
    let swapped = (only(&engine, &first).await.address, only(&engine, &second).await.address);
    assert_eq!(swapped, (second_place.address, first_place.address), "the engine gives the lowest that is free");

    stop_both().await;
    for (container, place) in [(&second, &second_place), (&first, &first_place)] {
        engine.keep_address(container, place).await.expect("kept");
        engine.keep_address(container, place).await.expect("twice is fine");
        engine.start(container).await.expect("started");
        engine.keep_address(container, place).await.expect("nothing happens to one that runs");
    }
    assert_eq!(only(&engine, &first).await, first_place);
    assert_eq!(only(&engine, &second).await, second_place);
    // From then on the engine itself remembers.
    stop_both().await;
    docker(&["start", &second, &first]);
    assert_eq!(only(&engine, &first).await, first_place);
}
