//! TCP connections from inside the namespace, all at once: what a process there would meet.

use std::io;
use std::net::{SocketAddrV4, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

/// As many threads as are opened at once.
const MOST_TARGETS: usize = 64;

/// Longer than any connect that somebody waits for.
const LONGEST_LIMIT_MS: u64 = 60_000;

/// What became of one connection.
#[derive(Debug, Serialize)]
pub struct Answer {
    /// Where to.
    to: SocketAddrV4,
    result: Outcome,
    /// Until it was known, in microseconds.
    elapsed_us: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Outcome {
    Connected,
    /// The peer, or somebody in its place, said no; a port that ICMP calls unreachable looks the same to a connect.
    Refused,
    /// Nobody said anything within the limit.
    Silent,
    /// The network said that there is no way.
    Unreachable,
}

/// Tries every address, in threads of their own, and answers in the order in which they were asked for.
pub fn probe(to: &[SocketAddrV4], limit_ms: u64) -> Result<Vec<Answer>, String> {
    if to.len() > MOST_TARGETS {
        return Err(format!("a probe of {} addresses; at most {MOST_TARGETS} are tried at once", to.len()));
    }
    if !(1..=LONGEST_LIMIT_MS).contains(&limit_ms) {
        return Err(format!("limit_ms is {limit_ms}; it lies between 1 and {LONGEST_LIMIT_MS}"));
    }
    let limit = Duration::from_millis(limit_ms);
    thread::scope(|scope| {
        let threads: Vec<_> = to.iter().map(|address| scope.spawn(move || connect(*address, limit))).collect();
        threads.into_iter().map(|thread| thread.join().expect("a connect does not panic")).collect()
    })
}

fn connect(to: SocketAddrV4, limit: Duration) -> Result<Answer, String> {
    let began = Instant::now();
    let connected = TcpStream::connect_timeout(&to.into(), limit);
    let elapsed_us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
    let result = match connected.map_err(|error| (error.kind(), error)) {
        Ok(_) => Outcome::Connected,
        Err((io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset, _)) => Outcome::Refused,
        Err((io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock, _)) => Outcome::Silent,
        Err((io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable | io::ErrorKind::NetworkDown, _)) => {
            Outcome::Unreachable
        }
        Err((_, error)) => return Err(format!("could not connect to {to}: {error}")),
    };
    Ok(Answer { to, result, elapsed_us })
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;

    fn local(port: u16) -> SocketAddrV4 {
        SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)
    }

    #[test]
    fn an_open_port_connects_and_a_closed_one_refuses_in_the_order_asked_for() {
        let listener = TcpListener::bind(local(0)).unwrap();
        let open = listener.local_addr().unwrap().port();
        let gone = TcpListener::bind(local(0)).unwrap();
        let closed = gone.local_addr().unwrap().port();
        drop(gone);
        let answers = probe(&[local(closed), local(open), local(closed)], 2000).unwrap();
        let results: Vec<Outcome> = answers.iter().map(|answer| answer.result).collect();
        assert_eq!(results, [Outcome::Refused, Outcome::Connected, Outcome::Refused]);
    }

    #[test]
    fn a_probe_without_a_sane_limit_is_refused() {
        assert!(probe(&[], 0).is_err() && probe(&[], u64::MAX).is_err() && probe(&[local(1); 65], 10).is_err());
    }
}
