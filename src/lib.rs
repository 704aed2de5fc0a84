//! wiber-chaos: a chaos lab for Kafka. Data flows one way:
//!
//! ```text
//! scenario.toml -> raw -> Scenario (+seed) -> Plan -> workload -+
//!                                                  -> nemesis --+-> history/ (append-only)
//! history -> checkers -> anomalies; x expectations -> verdict -> Report (data) -> terminal, json, csv, html, junit
//! ```
//!
//! The checkers, the verdict and the reports never see the cluster, the workload or the nemesis: any stored run can be
//! checked and reported again, with a newer checker, on another machine.

pub mod anomaly;
pub mod check;
pub mod cli;
pub mod client;
pub mod cluster;
pub mod doctor;
pub mod fault;
pub mod history;
pub mod jepsen;
pub mod kafka;
pub mod nemesis;
pub mod plan;
pub mod report;
pub mod run;
pub mod scenario;
pub mod verdict;
pub mod workload;
