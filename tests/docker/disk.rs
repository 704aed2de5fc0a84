//! Disks of real containers: what is filled is full, what is locked refuses, what is damaged differs where it says so, and
//! everything is undone by whoever knows nothing of it.

mod bench;
mod brokers;
mod single;
