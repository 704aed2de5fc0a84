//! What the kernel under us is able to do, found out without changing anything that lasts.

use std::io;
use std::net::Ipv6Addr;

use crate::netlink::{BUFFER_BYTES, Message, Netlink, ROUTE};
use crate::protocol::Support;

const RTM_NEWQDISC: u16 = 36;
const NLM_F_EXCL: u16 = 0x200;
const NLM_F_CREATE: u16 = 0x400;
const TCA_KIND: u16 = 1;

/// The place of a queueing discipline right below its interface.
const TC_H_ROOT: u32 = 0xffff_ffff;

/// The loopback interface is the first one of every namespace.
const LOOPBACK_INDEX: i32 = 1;

/// The scope of an address that is good beyond its own link.
const GLOBAL_SCOPE: &str = "00";

/// Whether there is `netem`.
///
/// Asks for one on the loopback interface and leaves out what it must be told. A kernel that knows the discipline finds it
/// malformed (EINVAL), one that does not has never heard of it (ENOENT); neither makes anything.
pub fn netem() -> io::Result<Support> {
    qdisc("netem\0")
}

fn qdisc(kind: &str) -> io::Result<Support> {
    let netlink = Netlink::open(ROUTE)?;
    let mut header = vec![0; 4];
    header.extend(LOOPBACK_INDEX.to_ne_bytes());
    header.extend(0_u32.to_ne_bytes());
    header.extend(TC_H_ROOT.to_ne_bytes());
    header.extend(0_u32.to_ne_bytes());
    let message = Message::new(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, &header).with(TCA_KIND, kind.as_bytes());
    match netlink.ask(message, &mut vec![0; BUFFER_BYTES]) {
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(Support::Present),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Support::Missing),
        Err(error) => Err(error),
        Ok(()) => Err(io::Error::other(format!(
            "the kernel made a {} without what it must be told",
            kind.trim_end_matches('\0')
        ))),
    }
}

/// The addresses of IPv6 by which others could reach this namespace, past every rule of ours, which are for IPv4.
pub fn ipv6_addresses() -> io::Result<Vec<Ipv6Addr>> {
    match std::fs::read_to_string("/proc/net/if_inet6") {
        Ok(text) => Ok(global_addresses(&text)),
        // A kernel without IPv6.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn global_addresses(text: &str) -> Vec<Ipv6Addr> {
    let address = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let number = u128::from_str_radix(fields.first()?, 16).ok()?;
        (*fields.get(3)? == GLOBAL_SCOPE).then(|| Ipv6Addr::from(number))
    };
    text.lines().filter_map(address).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_are_good_beyond_their_link_count() {
        let text = "00000000000000000000000000000001 01 80 10 80       lo\n\
                    fe800000000000000042acfffe120002 05 40 20 80     eth0\n\
                    fd000000000000000000000000000003 05 40 00 80     eth0\n";
        assert_eq!(global_addresses(text), ["fd00::3".parse::<Ipv6Addr>().unwrap()]);
    }
}
