//! What only a real engine can show: real brokers, real faults, real packets. Without a container engine these tests fail;
//! a test that skips itself proves nothing.
//!
//! They are one program, so that they can wait side by side: most of their time is spent on brokers that start and on
//! timeouts that pass. Three at once are what two cores bear: `cargo test --test docker -- --test-threads 3`. All of them at
//! once would ask the engine for dozens of containers in the same second, and every one would wait for minutes. `turn` keeps
//! clusters, and what is there only once, within bounds of their own.

#[path = "../support/doctor.rs"]
mod asked;
mod by_hand;
mod clients;
mod cluster;
mod disk;
mod doctor;
mod engine;
mod felt;
#[path = "../support/files.rs"]
mod files;
mod hand;
mod levers;
#[path = "../support/load.rs"]
mod load;
mod outside;
#[path = "../support/ports.rs"]
mod ports;
#[path = "../support/program.rs"]
mod program;
mod struck;
mod toothless;
mod turn;
