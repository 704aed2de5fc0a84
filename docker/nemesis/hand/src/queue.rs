//! A queue of the kernel (NFQUEUE): packets that wait for our word. `linux/netfilter/nfnetlink_queue.h` names the numbers.
//!
//! It fails open in each way that it can fail: the rules that lead to it bypass it when nobody holds it (a hand that died),
//! and the queue itself lets packets pass that find it full. The kernel is not told that we understand segments to come, so
//! it cuts every packet to what goes on the wire and completes its checksum.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use crate::netlink::{BUFFER_BYTES, Message, NETFILTER, Netlink, attributes, messages, outcome};
use crate::protocol::Way;

/// The number of netfilter's queueing part, in the upper byte of a message's type.
const SUBSYSTEM: u16 = 3 << 8;
const MSG_PACKET: u16 = SUBSYSTEM;
const MSG_VERDICT: u16 = SUBSYSTEM | 1;
const MSG_CONFIG: u16 = SUBSYSTEM | 2;

const CFG_CMD: u16 = 1;
const CFG_PARAMS: u16 = 2;
const CFG_QUEUE_MAXLEN: u16 = 3;
const CFG_MASK: u16 = 4;
const CFG_FLAGS: u16 = 5;
const CMD_BIND: u8 = 1;
const COPY_PACKET: u8 = 2;
const FLAG_FAIL_OPEN: u32 = 1;

const ATTR_PACKET_HEADER: u16 = 1;
const ATTR_VERDICT: u16 = 2;
const ATTR_MARK: u16 = 3;
const ATTR_PAYLOAD: u16 = 10;

const NF_DROP: u32 = 0;
const NF_REPEAT: u32 = 4;

/// The number of the hook at which packets arrive at this host; ours for those that leave is another one.
const LOCAL_IN: u8 = 1;

/// Whole packets, whatever their length.
const COPY_BYTES: u32 = 0xffff;

/// How many packets the kernel keeps for us. A second at 100 MB/s; beyond it they pass untreated.
const QUEUE_PACKETS: u32 = 131_072;

/// What the kernel may have sent us and we have not read. Beyond it packets pass untreated, and we are told.
const RECEIVE_BUFFER_BYTES: usize = 64 * 1024 * 1024;

/// The family, version and queue that open each of our messages.
fn header(number: u16) -> [u8; 4] {
    let [high, low] = number.to_be_bytes();
    [0, 0, high, low]
}

/// A queue that is ours.
#[derive(Debug)]
pub struct Queue {
    netlink: Netlink,
    number: u16,
    buffer: Vec<u8>,
}

/// A packet that waits for a word.
#[derive(Debug, PartialEq, Eq)]
pub struct Packet {
    /// What the kernel calls it.
    pub id: PacketId,
    /// The way that it goes.
    pub way: Way,
    /// The mark that it has so far.
    pub mark: u32,
    /// From the IP header on.
    pub bytes: Vec<u8>,
}

/// The kernel's name for a packet that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketId(u32);

/// What became of a read.
#[derive(Debug, PartialEq, Eq)]
pub enum Received {
    /// Packets, in the order in which the kernel queued them.
    Packets(Vec<Packet>),
    /// There is nothing to read.
    Nothing,
    /// We read too slowly, and some packets passed untreated.
    Overrun,
}

impl Queue {
    /// Takes hold of a queue. Fails with `ResourceBusy` or `PermissionDenied` when another process has it.
    pub fn bind(number: u16) -> io::Result<Self> {
        let netlink = Netlink::open(NETFILTER)?;
        let mut buffer = vec![0; BUFFER_BYTES];
        let config = || Message::new(MSG_CONFIG, 0, &header(number));
        netlink.ask(config().with(CFG_CMD, &[CMD_BIND, 0, 0, 0]), &mut buffer)?;
        let mut params = COPY_BYTES.to_be_bytes().to_vec();
        params.push(COPY_PACKET);
        netlink.ask(config().with(CFG_PARAMS, &params), &mut buffer)?;
        netlink.ask(config().with(CFG_QUEUE_MAXLEN, &QUEUE_PACKETS.to_be_bytes()), &mut buffer)?;
        let flags = FLAG_FAIL_OPEN.to_be_bytes();
        netlink.ask(config().with(CFG_FLAGS, &flags).with(CFG_MASK, &flags), &mut buffer)?;
        netlink.set_receive_buffer(RECEIVE_BUFFER_BYTES)?;
        netlink.set_nonblocking()?;
        Ok(Self { netlink, number, buffer })
    }

    /// Reads what waits, if anything does.
    pub fn receive(&mut self) -> io::Result<Received> {
        let length = match self.netlink.read(&mut self.buffer) {
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Received::Nothing),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(Received::Packets(Vec::new())),
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NOBUFS.raw_os_error()) => {
                return Ok(Received::Overrun);
            }
            Err(error) => return Err(error),
        };
        let mut packets = Vec::new();
        for (kind, body) in messages(&self.buffer[..length]) {
            if kind == MSG_PACKET {
                packets.extend(packet(body));
            } else if let Some(Err(error)) = outcome(kind, body) {
                // A packet that is gone, because its interface is, needs no word of ours.
                if error.kind() != io::ErrorKind::NotFound {
                    return Err(error);
                }
            }
        }
        Ok(Received::Packets(packets))
    }

    /// Sends a packet on with this mark: past the rules of this very place once more, which is how two shapes treat one
    /// packet. Whoever changed it gives its new bytes.
    pub fn pass(&self, id: PacketId, mark: u32, changed: Option<&[u8]>) -> io::Result<()> {
        let message = self.verdict(id, NF_REPEAT).with(ATTR_MARK, &mark.to_be_bytes());
        self.netlink.send(match changed {
            Some(bytes) => message.with(ATTR_PAYLOAD, bytes),
            None => message,
        })
    }

    /// Drops a packet.
    pub fn drop(&self, id: PacketId) -> io::Result<()> {
        self.netlink.send(self.verdict(id, NF_DROP))
    }

    fn verdict(&self, id: PacketId, verdict: u32) -> Message {
        let value = [verdict.to_be_bytes(), id.0.to_be_bytes()].concat();
        Message::new(MSG_VERDICT, 0, &header(self.number)).with(ATTR_VERDICT, &value)
    }
}

impl AsFd for Queue {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.netlink.as_fd()
    }
}

/// Reads a packet's message, if it holds what each of them does.
fn packet(body: &[u8]) -> Option<Packet> {
    let (mut id, mut way, mut mark, mut bytes) = (None, None, 0, Vec::new());
    let number = |value: &[u8]| Some(u32::from_be_bytes(value.get(..4)?.try_into().ok()?));
    for (kind, value) in attributes(body.get(4..)?) {
        match kind {
            // A number, two bytes of protocol, and the hook.
            ATTR_PACKET_HEADER => {
                id = number(value).map(PacketId);
                way = value.get(6).map(|hook| if *hook == LOCAL_IN { Way::In } else { Way::Out });
            }
            ATTR_MARK => mark = number(value)?,
            ATTR_PAYLOAD => bytes = value.to_vec(),
            _ => {}
        }
    }
    Some(Packet { id: id?, way: way?, mark, bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_read_from_its_attributes() {
        // Family and queue; a header attribute of 7 bytes and its padding; a mark; a payload.
        let mut body = vec![2, 0, 0, 7];
        body.extend([11_u16.to_ne_bytes(), 1_u16.to_ne_bytes()].concat());
        body.extend([0, 0, 1, 2, 8, 0, 1, 0]);
        body.extend([8_u16.to_ne_bytes(), 3_u16.to_ne_bytes()].concat());
        body.extend([0, 1, 0, 0]);
        body.extend([6_u16.to_ne_bytes(), 10_u16.to_ne_bytes()].concat());
        body.extend([0x45, 0x00, 0, 0]);
        assert_eq!(
            packet(&body),
            Some(Packet { id: PacketId(258), way: Way::In, mark: 0x1_0000, bytes: vec![0x45, 0x00] })
        );
    }

    #[test]
    fn a_message_without_a_packets_number_is_none() {
        assert_eq!(packet(&[2, 0, 0, 7]), None);
        assert_eq!(packet(&[2]), None);
    }
}
