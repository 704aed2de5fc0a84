//! Sends packets a second time, or in the place of one that the kernel held.
//!
//! A copy goes out by a raw socket with its header as it was, and with a mark that says which shapes have had it, so that
//! none has it twice. The copy of a packet that *arrived* is sent in the same way: it is meant for this very host, so it
//! takes the loopback interface, where no rule of ours looks, and comes in with its peer's address as if from there.

use std::io;
use std::net::SocketAddrV4;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::packet;

/// Raw IP: the header is ours, and nothing is ever received.
const IPPROTO_RAW: i32 = 255;

/// Sends copies.
#[derive(Debug)]
pub struct Resender {
    socket: Socket,
    mark: u32,
}

impl Resender {
    /// Opens the socket.
    pub fn open() -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(IPPROTO_RAW)))?;
        socket.set_header_included_v4(true)?;
        Ok(Self { socket, mark: 0 })
    }

    /// Sends a packet, from its IP header on, with a mark. A packet larger than its link takes is refused by the kernel.
    pub fn send(&mut self, bytes: &[u8], mark: u32) -> io::Result<()> {
        let Some(destination) = packet::destination(bytes) else {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not a whole IPv4 packet"));
        };
        if mark != self.mark {
            self.socket.set_mark(mark)?;
            self.mark = mark;
        }
        self.socket.send_to(bytes, &SockAddr::from(SocketAddrV4::new(destination, 0))).map(drop)
    }
}
