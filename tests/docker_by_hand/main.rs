//! Wiber by hand, on real brokers and with real processes: the drill that people did, chat in groups, runs on a cluster that
//! is there already, secured clusters, and what is said when something goes wrong. Without a container engine these tests
//! fail; a test that skips itself proves nothing.

mod attached;
mod brokers;
mod drill;
mod groups;
#[path = "../support/program.rs"]
mod program;
mod secured;
mod secured_brokers;
mod slips;
mod standing;
