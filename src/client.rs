//! Clients for people: what `produce` and `consume` are made of. Unlike a workload's they record no history; they say what
//! became of each record to whoever sits before them.

pub mod follow;
pub mod preflight;
pub mod print;
pub mod send;

use rdkafka::ClientConfig;

use crate::kafka::Access;

/// What all clients have in common. The defaults differ from librdkafka's where a person would wait for nothing: a broker
/// that comes back is found within a second.
fn config(access: &Access) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("client.id", "wiber-chaos")
        .set("reconnect.backoff.ms", "100")
        .set("reconnect.backoff.max.ms", "1000")
        .set("socket.connection.setup.timeout.ms", "5000")
        .set("log.connection.close", "false");
    for (name, value) in &access.properties {
        config.set(name, value);
    }
    // Last, so that no property sends a client elsewhere than where it was looked for.
    config.set("bootstrap.servers", access.bootstrap_servers());
    config
}
