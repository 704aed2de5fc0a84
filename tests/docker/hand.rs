//! The side-car's hand on real packets: each fault is looked at from the other end of the wire, by tools and counters of the
//! kernel that know nothing of the hand.
//!
//! Brackets are wide, because they are about what a fault does and not about how fast anything is.

mod cuts;
mod delays;
mod ends;
mod harness;
pub mod lab;
mod ratios;
