//! Wiber by hand, on real brokers and with real processes: the drill that people did, chat in groups, runs on a cluster that
//! is there already, secured clusters, and what is said when something goes wrong.

mod attached;
pub mod brokers;
mod drill;
mod groups;
mod secured;
mod secured_brokers;
mod slips;
mod standing;
mod struck;
