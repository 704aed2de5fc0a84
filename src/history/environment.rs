//! What a run ran on: `environment.json`, written once when the cluster is ready, read by reports.

use serde::{Deserialize, Serialize};

/// Versions and sizes of everything that could matter to somebody who repeats the run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// The run's id.
    pub run: String,
    /// The wall-clock time of the run's origin, RFC 3339.
    pub started_utc: String,
    /// This tool's version.
    pub wiber_chaos: String,
    /// The client library's version.
    pub librdkafka: String,
    /// `docker`, `attach` or `mock`.
    pub cluster: String,
    /// The image that the brokers ran; `None` for brokers that the run did not start.
    pub image: Option<String>,
    /// Its content digest or id, as the engine tells it.
    pub image_digest: Option<String>,
    /// The engine's version and API version.
    pub engine: Option<String>,
    /// The engine host's operating system and kernel.
    pub host: Option<String>,
    /// How many processors the brokers share.
    pub cpus: Option<u64>,
    /// How much memory the brokers share, in bytes.
    pub memory_bytes: Option<u64>,
    /// The brokers' names and client addresses, such as `broker-1 127.0.0.1:40001`.
    pub brokers: Vec<String>,
}
