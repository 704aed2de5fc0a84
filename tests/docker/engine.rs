//! What the engine can do to a container's network and limits, and the hand beside it, on a real engine. Without one these
//! tests fail; a test that skips itself proves nothing.

mod brokers;
mod containers;
mod hand;
mod limits;
mod network;
