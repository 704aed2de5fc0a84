//! Host ports that stay a broker's own for a whole run, across kills and restarts.
//!
//! They are taken from below the kernel's ephemeral range: a client that reconnects over loopback all the time draws
//! its own source ports from that range, and could sit on a dead broker's port, or even connect to itself, and the
//! broker could then not come back where the clients expect it.

use std::net::{Ipv4Addr, TcpListener};

use crate::cluster::ClusterError;

/// Below this live well-known services, and Kafka's own 9092.
const LOWEST: u16 = 20_000;

/// Where Linux begins its ephemeral range unless told otherwise.
const EPHEMERAL_USUAL: u16 = 32_768;

/// How many ports are tried for each one wanted.
const TRIES_PER_PORT: u32 = 200;

/// `count` ports of loopback that nobody listens on. `salt` tells runs that start at the same moment apart.
///
/// The ports are only tried, not kept: the engine binds them a moment later, and a caller that finds one taken then
/// asks again with another salt.
pub fn free_ports(count: usize, salt: u64) -> Result<Vec<u16>, ClusterError> {
    let range = u64::from(ephemeral_start().max(LOWEST + 1000) - LOWEST);
    let mut found = Vec::with_capacity(count);
    let mut state = salt;
    for _ in 0..TRIES_PER_PORT * u32::try_from(count).unwrap_or(u32::MAX).max(1) {
        if found.len() == count {
            break;
        }
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let port = LOWEST + u16::try_from((state >> 33) % range).expect("the range ends below 65,536");
        if !found.contains(&port) && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            found.push(port);
        }
    }
    if found.len() == count {
        Ok(found)
    } else {
        let last = u64::from(LOWEST) + range - 1;
        Err(ClusterError::NoPort {
            reason: format!("{} of {count} found free between {LOWEST} and {last} on 127.0.0.1", found.len()),
        })
    }
}

fn ephemeral_start() -> u16 {
    std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")
        .ok()
        .and_then(|text| text.split_whitespace().next()?.parse().ok())
        .unwrap_or(EPHEMERAL_USUAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_distinct_free_and_below_the_ephemeral_range() {
        let mut ports = free_ports(5, 7).expect("five free ports");
        for port in &ports {
            assert!(*port >= LOWEST && *port < ephemeral_start().max(LOWEST + 1000));
            TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).expect("the port is free");
        }
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 5);
    }

    #[test]
    fn a_port_in_use_is_not_given_out() {
        let taken = free_ports(1, 99).expect("a free port")[0];
        let _listener = TcpListener::bind((Ipv4Addr::LOCALHOST, taken)).expect("the port is free");
        assert_ne!(free_ports(1, 99).expect("another port")[0], taken);
    }
}
