//! Netlink, the little of it that the hand needs: messages out of attributes, sent to the kernel and acknowledged by it.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use rustix::net::sockopt::set_socket_recv_buffer_size_force;
use socket2::{Domain, Protocol, Socket, Type};

/// The address family of netlink sockets.
const AF_NETLINK: i32 = 16;

/// The kernel's own protocol for network interfaces, queueing disciplines and the like.
pub const ROUTE: i32 = 0;

/// The protocol of netfilter's parts.
pub const NETFILTER: i32 = 12;

/// The message type of an acknowledgement, or of an error.
const NLMSG_ERROR: u16 = 2;

const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;

const HEADER_BYTES: usize = 16;
const ATTRIBUTE_HEADER_BYTES: usize = 4;

/// Two flag bits of an attribute's type that are not part of its number.
const ATTRIBUTE_TYPE_MASK: u16 = 0x3fff;

/// Larger than the largest packet and all that is said about it.
pub const BUFFER_BYTES: usize = 128 * 1024;

/// How long the kernel may take to acknowledge; it does so before the send returns.
const ACK_LIMIT: Duration = Duration::from_secs(2);

/// A netlink socket.
#[derive(Debug)]
pub struct Netlink {
    socket: Socket,
}

impl Netlink {
    /// Opens one for a protocol.
    pub fn open(protocol: i32) -> io::Result<Self> {
        let socket = Socket::new(Domain::from(AF_NETLINK), Type::RAW, Some(Protocol::from(protocol)))?;
        socket.set_read_timeout(Some(ACK_LIMIT))?;
        Ok(Self { socket })
    }

    /// Makes room for what the kernel sends while nobody reads.
    pub fn set_receive_buffer(&self, bytes: usize) -> io::Result<()> {
        Ok(set_socket_recv_buffer_size_force(&self.socket, bytes)?)
    }

    /// Makes reads return at once when there is nothing to read.
    pub fn set_nonblocking(&self) -> io::Result<()> {
        self.socket.set_nonblocking(true)
    }

    /// Sends a message that is only answered if it fails.
    pub fn send(&self, message: Message) -> io::Result<()> {
        (&self.socket).write_all(&message.finish(0))
    }

    /// Sends a message and waits until the kernel has acted on it.
    pub fn ask(&self, message: Message, buffer: &mut [u8]) -> io::Result<()> {
        (&self.socket).write_all(&message.finish(NLM_F_ACK))?;
        loop {
            let length = self.read(buffer)?;
            for (kind, body) in messages(&buffer[..length]) {
                if let Some(result) = outcome(kind, body) {
                    return result;
                }
            }
        }
    }

    /// Reads what the kernel sent.
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        (&self.socket).read(buffer)
    }
}

impl AsFd for Netlink {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// A message in the making.
#[derive(Debug)]
pub struct Message {
    bytes: Vec<u8>,
}

impl Message {
    /// A message of a type, with flags beside those that every request has, and the header of its protocol.
    pub fn new(kind: u16, flags: u16, protocol_header: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(128);
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&kind.to_ne_bytes());
        bytes.extend_from_slice(&(NLM_F_REQUEST | flags).to_ne_bytes());
        bytes.extend_from_slice(&[0; 8]);
        bytes.extend_from_slice(protocol_header);
        Self { bytes }
    }

    /// Adds an attribute.
    #[must_use]
    pub fn with(mut self, kind: u16, value: &[u8]) -> Self {
        let length = u16::try_from(ATTRIBUTE_HEADER_BYTES + value.len()).expect("an attribute is shorter than 64 KiB");
        self.bytes.extend_from_slice(&length.to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(value);
        self.bytes.resize(aligned(self.bytes.len()), 0);
        self
    }

    fn finish(mut self, more_flags: u16) -> Vec<u8> {
        let length = u32::try_from(self.bytes.len()).expect("a message is shorter than 4 GiB");
        self.bytes[..4].copy_from_slice(&length.to_ne_bytes());
        let flags = u16::from_ne_bytes([self.bytes[6], self.bytes[7]]) | more_flags;
        self.bytes[6..8].copy_from_slice(&flags.to_ne_bytes());
        self.bytes
    }
}

/// The messages of one read: the type of each, and its body.
pub fn messages(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    pieces(bytes, HEADER_BYTES, |header| {
        let length = u32::from_ne_bytes(header[..4].try_into().expect("four bytes"));
        (usize::try_from(length).unwrap_or(usize::MAX), u16::from_ne_bytes([header[4], header[5]]))
    })
}

/// The attributes of a body whose protocol header is already taken off: the type of each, and its value.
pub fn attributes(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    pieces(bytes, ATTRIBUTE_HEADER_BYTES, |header| {
        let length = u16::from_ne_bytes([header[0], header[1]]);
        (usize::from(length), u16::from_ne_bytes([header[2], header[3]]) & ATTRIBUTE_TYPE_MASK)
    })
}

/// What the kernel says about a request, if the message is about one.
pub fn outcome(kind: u16, body: &[u8]) -> Option<io::Result<()>> {
    if kind != NLMSG_ERROR {
        return None;
    }
    let code = i32::from_ne_bytes(body.get(..4)?.try_into().ok()?);
    Some(if code == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(-code)) })
}

/// Cuts bytes into pieces that each begin with a header that holds its length and its type.
fn pieces(
    bytes: &[u8],
    header_bytes: usize,
    read_header: impl Fn(&[u8]) -> (usize, u16),
) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (length, kind) = read_header(rest.get(..header_bytes)?);
        let body = rest.get(header_bytes..length)?;
        rest = rest.get(aligned(length)..).unwrap_or_default();
        Some((kind, body))
    })
}

fn aligned(length: usize) -> usize {
    length.next_multiple_of(4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_as_it_was_written() {
        let first = Message::new(0x302, 0x400, &[2, 0, 1, 0]).with(1, b"abcde").with(9, &[]).finish(0);
        let second = Message::new(7, 0, &[]).finish(NLM_F_ACK);
        assert_eq!((first.len() % 4, second.len()), (0, 16));
        let both = [first.clone(), second].concat();
        let read: Vec<(u16, &[u8])> = messages(&both).collect();
        assert_eq!(read, [(0x302, &first[16..]), (7, &[][..])]);
        let attributes: Vec<(u16, &[u8])> = attributes(&read[0].1[4..]).collect();
        assert_eq!(attributes, [(1, &b"abcde"[..]), (9, &[][..])]);
        assert_eq!(u16::from_ne_bytes([both[6], both[7]]), 0x401);
    }

    #[test]
    fn what_is_cut_short_or_lies_about_its_length_ends_the_reading() {
        let whole = Message::new(7, 0, &[]).with(1, b"abcdef").finish(0);
        for length in 0..whole.len() {
            assert_eq!(messages(&whole[..length]).count(), 0, "{length}");
        }
        assert_eq!(attributes(&[3, 0, 1, 0]).count(), 0, "an attribute is not shorter than its header");
        assert_eq!(attributes(&[0; 64]).count(), 0);
    }

    #[test]
    fn an_error_is_told_from_an_acknowledgement() {
        assert!(outcome(3, &[0; 4]).is_none());
        assert!(matches!(outcome(NLMSG_ERROR, &[0; 20]), Some(Ok(()))));
        let refused = outcome(NLMSG_ERROR, &(-1_i32).to_ne_bytes()).unwrap().unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
    }
}
