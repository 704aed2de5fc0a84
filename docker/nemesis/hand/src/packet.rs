//! Just enough of IPv4 to copy a packet and to damage it so that its receiver notices.

use std::net::Ipv4Addr;
use std::ops::Range;

const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMP: u8 = 1;

/// Whom a packet is for; none when it is no whole IPv4 packet.
pub fn destination(packet: &[u8]) -> Option<Ipv4Addr> {
    header_bytes(packet)?;
    let four: [u8; 4] = packet[16..20].try_into().ok()?;
    Some(Ipv4Addr::from(four))
}

/// Whether it is TCP. Such packets fit their link: TCP cuts its data to measure, and so does the kernel for our queue.
pub fn is_tcp(packet: &[u8]) -> bool {
    header_bytes(packet).is_some() && packet[9] == TCP
}

/// Flips one bit that a checksum covers, chosen by a draw. False when there is none: a protocol whose checksum we do not
/// know, or UDP without one.
pub fn flip_bit(packet: &mut [u8], draw: u64) -> bool {
    let Some(range) = covered(packet) else { return false };
    let bits = range.len() as u64 * 8;
    if bits == 0 {
        return false;
    }
    let bit = usize::try_from(draw % bits).expect("a packet has less than 2^19 bits");
    packet[range.start + bit / 8] ^= 1 << (bit % 8);
    true
}

/// The bytes to damage: what a packet carries; where it carries nothing, a field of its header that only its checksum
/// guards, so that no other packet is meant by it before the checksum is looked at.
fn covered(packet: &[u8]) -> Option<Range<usize>> {
    let start = header_bytes(packet)?;
    let end = packet.len();
    let fragment_offset = u16::from_be_bytes([packet[6], packet[7]]) & 0x1fff;
    if fragment_offset != 0 {
        return Some(start..end);
    }
    let (header, spare) = match packet[9] {
        // The checksum itself.
        TCP => (usize::from(packet.get(start + 12)? >> 4) * 4, 16..18),
        // The source port: its checksum must not become 0, which means that there is none.
        UDP if packet.get(start + 6..start + 8)? != [0, 0] => (8, 0..2),
        ICMP => (8, 2..4),
        _ => return None,
    };
    let payload = start + header..end;
    let range = if payload.is_empty() { start + spare.start..start + spare.end } else { payload };
    (range.end <= end).then_some(range)
}

/// The length of the IPv4 header, if there is a whole one.
fn header_bytes(packet: &[u8]) -> Option<usize> {
    let first = *packet.first()?;
    let length = usize::from(first & 0xf) * 4;
    (first >> 4 == 4 && length >= 20 && packet.len() >= length).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A packet from 10.0.0.1 to 10.0.0.2 with this behind its IP header, checksums as a host would set them.
    fn packet(protocol: u8, behind: &[u8]) -> Vec<u8> {
        let mut packet = vec![0; 20];
        packet[0] = 0x45;
        let total = u16::try_from(20 + behind.len()).unwrap();
        packet[2..4].copy_from_slice(&total.to_be_bytes());
        (packet[8], packet[9]) = (64, protocol);
        packet[12..16].copy_from_slice(&[10, 0, 0, 1]);
        packet[16..20].copy_from_slice(&[10, 0, 0, 2]);
        packet.extend_from_slice(behind);
        let checksum_at = match protocol {
            TCP => 36,
            UDP => 26,
            _ => 22,
        };
        packet[checksum_at..checksum_at + 2].fill(0);
        let checksum = !sum(&packet);
        packet[checksum_at..checksum_at + 2].copy_from_slice(&checksum.to_be_bytes());
        packet
    }

    /// The ones' complement sum that the receiver takes; all ones when nothing is wrong.
    fn sum(packet: &[u8]) -> u16 {
        let mut words: Vec<u8> = packet[20..].to_vec();
        if packet[9] != ICMP {
            words.extend_from_slice(&packet[12..20]);
            words.extend_from_slice(&[0, packet[9]]);
            words.extend_from_slice(&u16::try_from(packet.len() - 20).unwrap().to_be_bytes());
        }
        let mut sum: u32 = words.chunks(2).map(|two| u32::from(u16::from_be_bytes([two[0], two[1]]))).sum();
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        u16::try_from(sum).unwrap()
    }

    fn tcp(payload: &[u8]) -> Vec<u8> {
        let mut behind = vec![0; 20];
        behind[12] = 5 << 4;
        behind.extend_from_slice(payload);
        packet(TCP, &behind)
    }

    fn udp(payload: &[u8]) -> Vec<u8> {
        let mut behind = vec![0x12, 0x34, 0, 9, 0, 0, 0, 0];
        behind.extend_from_slice(payload);
        packet(UDP, &behind)
    }

    #[test]
    fn a_flipped_bit_is_one_bit_and_the_checksum_catches_it_wherever_it_is() {
        for whole in [tcp(b"some data!"), tcp(b""), udp(b"some data!"), udp(b""), packet(ICMP, &[8; 24])] {
            assert_eq!(sum(&whole), 0xffff, "the test's own packet is whole");
            for draw in 0..300 {
                let mut damaged = whole.clone();
                assert!(flip_bit(&mut damaged, draw));
                let changed: u32 = whole.iter().zip(&damaged).map(|(a, b)| (a ^ b).count_ones()).sum();
                assert_eq!(changed, 1);
                assert_ne!(sum(&damaged), 0xffff, "draw {draw}");
                assert_eq!(whole[..20], damaged[..20], "the IP header still leads it there");
            }
        }
    }

    #[test]
    fn what_no_checksum_guards_is_left_whole() {
        let mut unguarded = udp(b"data");
        unguarded[26..28].copy_from_slice(&[0, 0]);
        for whole in [unguarded, packet(132, &[0; 16]), tcp(b"")[..24].to_vec(), vec![0x60; 60], Vec::new()] {
            let mut damaged = whole.clone();
            assert!(!flip_bit(&mut damaged, 5));
            assert_eq!(whole, damaged);
        }
    }

    #[test]
    fn a_packet_says_whom_it_is_for() {
        assert_eq!(destination(&tcp(b"")), Some(Ipv4Addr::new(10, 0, 0, 2)));
        assert!(is_tcp(&tcp(b"")) && !is_tcp(&udp(b"")));
        assert_eq!(destination(&tcp(b"")[..19]), None);
        assert_eq!(destination(&[0x60; 40]), None);
    }
}
