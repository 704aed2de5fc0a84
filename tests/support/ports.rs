//! Ports of this host for brokers that want them by number.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the ephemeral range, and each test program begins somewhere else.
const FIRST: u16 = 20_000;
const LAST: u16 = 32_000;

/// The first of three ports in a row where nobody listens. No test of this program is given the same ones.
pub fn free_base_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let is_free = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    let start = u16::try_from(std::process::id() % 10_000).expect("below 10,000");
    for _ in 0..(LAST - FIRST) / 3 {
        let base = FIRST + (start + NEXT.fetch_add(3, Ordering::Relaxed)) % (LAST - FIRST);
        if (base..base + 3).all(is_free) {
            return base;
        }
    }
    panic!("no three free ports in a row between {FIRST} and {LAST}")
}
