//! The rules of a fault, as text for `iptables-restore`. Pure.
//!
//! Each flow has a chain of its own, `WIBER-<hash of the fault's name>-<flow>`, that the kernel's own chain jumps to for
//! everything but loopback. Each rule, jumps included, bears a comment: `wiber-hand:cut:<name>:<print>:<i>/<n>`, the i-th of
//! n rules that say what a certain request asked for (the print is a hash of it). So the kernel's rules alone tell which
//! faults are in force, in full, and in which form, to this hand and to any later one.
//!
//! Cuts stand in the table `filter`, shapes in `mangle`. Inbound, a packet is shaped and then cut; outbound it meets the
//! cuts first (`OUTPUT`) and the shapes last (`POSTROUTING`). A packet that was shaped once has a bit set in its mark, one
//! for each shape, and is not shaped by that one again.

use std::fmt::Write as _;
use std::net::Ipv4Addr;

use crate::protocol::{CutVerdict, Flow, Way};

/// What all our chains begin with.
pub const CHAIN_PREFIX: &str = "WIBER-";

/// What all our comments begin with.
pub const COMMENT_PREFIX: &str = "wiber-hand:";

/// How many ports one rule takes.
const PORTS_PER_RULE: usize = 15;

/// The rules of one fault.
#[derive(Clone, Debug)]
pub struct Ruleset<'a> {
    /// The fault's name.
    pub name: &'a str,
    /// A hash of the request.
    pub print: String,
    /// What is cut or shaped.
    pub flows: &'a [Flow],
    /// Which of the two.
    pub action: Action,
}

/// What a fault's rules do with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// They end its way.
    Cut(CutVerdict),
    /// They hand it over to a queue.
    Shape {
        /// The queue's number.
        queue: u16,
        /// The bit of its mark that says that it was there.
        bit: u32,
    },
}

/// One of the two sorts of faults, each in a table of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// Nothing passes.
    Cut,
    /// It passes badly.
    Shape,
}

impl Sort {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Cut, Self::Shape];

    /// The table in which its rules stand.
    pub fn table(self) -> &'static str {
        match self {
            Self::Cut => "filter",
            Self::Shape => "mangle",
        }
    }

    /// Its word in a comment.
    pub fn word(self) -> &'static str {
        match self {
            Self::Cut => "cut",
            Self::Shape => "shape",
        }
    }
}

impl Action {
    /// The sort of fault that it makes.
    pub fn sort(self) -> Sort {
        match self {
            Self::Cut(_) => Sort::Cut,
            Self::Shape { .. } => Sort::Shape,
        }
    }

    /// The chain of the kernel where packets that go this way are met.
    fn hook(self, way: Way) -> &'static str {
        match (way, self) {
            (Way::In, _) => "INPUT",
            (Way::Out, Self::Cut(_)) => "OUTPUT",
            (Way::Out, Self::Shape { .. }) => "POSTROUTING",
        }
    }
}

/// A rule without its comment.
struct Rule {
    /// `-I CHAIN` or `-A CHAIN`.
    place: String,
    matches: String,
    target: String,
}

impl Ruleset<'_> {
    /// The chain of the flow at this place.
    fn chain(&self, flow: usize) -> String {
        format!("{CHAIN_PREFIX}{:016x}-{flow}", hash(self.name.as_bytes()))
    }

    /// The lines that put the rules in place, without the table's name and the commit around them.
    pub fn lines(&self) -> String {
        let mut lines = String::new();
        for flow in 0..self.flows.len() {
            let _ = writeln!(lines, ":{} - [0:0]", self.chain(flow));
        }
        let rules = self.rules();
        let (sort, count) = (self.action.sort().word(), rules.len());
        for (rule, number) in rules.into_iter().zip(1..) {
            let Rule { place, matches, target } = rule;
            let comment = format!("{COMMENT_PREFIX}{sort}:{}:{}:{number}/{count}", self.name, self.print);
            let _ = writeln!(lines, "{place}{matches} -m comment --comment \"{comment}\" -j {target}");
        }
        lines
    }

    fn rules(&self) -> Vec<Rule> {
        let mut rules = Vec::new();
        for (number, flow) in self.flows.iter().enumerate() {
            let chain = self.chain(number);
            let loopback = match flow.way {
                Way::In => " ! -i lo",
                Way::Out => " ! -o lo",
            };
            let hook = self.action.hook(flow.way);
            // At the top, so that no rule of somebody else lets a packet pass before it comes to ours.
            rules.push(Rule { place: format!("-I {hook}"), matches: loopback.to_owned(), target: chain.clone() });
            let mut add = |matches: String, target: &str| {
                rules.push(Rule { place: format!("-A {chain}"), matches, target: target.to_owned() });
            };
            for peer in &flow.except {
                add(peer_match(flow.way, *peer), "RETURN");
            }
            // What REJECT itself sends out to refuse a packet that came in must not be cut on its way.
            if let (Way::Out, Some(refusal)) = (flow.way, self.refusal()) {
                add(refusal.to_owned(), "RETURN");
            }
            for selector in selectors(flow) {
                for (narrower, target) in self.targets(flow) {
                    add(format!("{selector}{narrower}"), &target);
                }
            }
        }
        rules
    }

    /// What matches the packets that refuse others.
    fn refusal(&self) -> Option<&'static str> {
        match self.action {
            Action::Cut(CutVerdict::Reset) => Some(" -p tcp --tcp-flags RST RST"),
            Action::Cut(CutVerdict::Unreachable) => Some(" -p icmp --icmp-type destination-unreachable"),
            Action::Cut(CutVerdict::Drop) | Action::Shape { .. } => None,
        }
    }

    /// Where the packets of a flow go, each with what narrows them further.
    fn targets(&self, flow: &Flow) -> Vec<(String, String)> {
        let all = |target: &str| (String::new(), target.to_owned());
        match self.action {
            Action::Cut(CutVerdict::Drop) => vec![all("DROP")],
            Action::Cut(CutVerdict::Unreachable) => vec![all("REJECT --reject-with icmp-port-unreachable")],
            Action::Cut(CutVerdict::Reset) => {
                let reset = "REJECT --reject-with tcp-reset";
                // A flow of ports is one of TCP already.
                if flow.ports.is_empty() {
                    vec![(" -p tcp".to_owned(), reset.to_owned()), all("DROP")]
                } else {
                    vec![all(reset)]
                }
            }
            Action::Shape { queue, bit } => vec![(
                format!(" -m mark ! --mark {bit:#x}/{bit:#x}"),
                format!("NFQUEUE --queue-num {queue} --queue-bypass"),
            )],
        }
    }
}

/// What matches the packets of a flow, one match for each peer and each handful of ports.
fn selectors(flow: &Flow) -> Vec<String> {
    let mut peers: Vec<String> = flow.peers.iter().map(|peer| peer_match(flow.way, *peer)).collect();
    if peers.is_empty() {
        peers.push(String::new());
    }
    let mut ports: Vec<String> = flow
        .ports
        .chunks(PORTS_PER_RULE)
        .map(|some| {
            let some: Vec<String> = some.iter().map(u16::to_string).collect();
            format!(" -p tcp -m multiport --ports {}", some.join(","))
        })
        .collect();
    if ports.is_empty() {
        ports.push(String::new());
    }
    peers.iter().flat_map(|peer| ports.iter().map(move |ports| format!("{peer}{ports}"))).collect()
}

fn peer_match(way: Way, peer: Ipv4Addr) -> String {
    match way {
        Way::In => format!(" -s {peer}"),
        Way::Out => format!(" -d {peer}"),
    }
}

/// FNV-1a, 64 bits: short, the same everywhere, and good enough to tell a handful of names apart.
pub fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(way: Way, peers: &[&str], except: &[&str], ports: &[u16]) -> Flow {
        let addresses = |list: &[&str]| list.iter().map(|address| address.parse().unwrap()).collect();
        Flow { way, peers: addresses(peers), except: addresses(except), ports: ports.to_vec() }
    }

    fn lines(action: Action, flows: &[Flow]) -> String {
        let text = Ruleset { name: "f1", print: "ab".to_owned(), flows, action }.lines();
        text.replace(&format!("{:016x}", hash(b"f1")), "X")
    }

    #[test]
    fn a_cut_both_ways_is_two_chains_that_loopback_never_enters() {
        let flows = [flow(Way::In, &["10.0.0.2"], &[], &[]), flow(Way::Out, &["10.0.0.2"], &[], &[])];
        assert_eq!(
            lines(Action::Cut(CutVerdict::Drop), &flows),
            ":WIBER-X-0 - [0:0]\n:WIBER-X-1 - [0:0]\n\
             -I INPUT ! -i lo -m comment --comment \"wiber-hand:cut:f1:ab:1/4\" -j WIBER-X-0\n\
             -A WIBER-X-0 -s 10.0.0.2 -m comment --comment \"wiber-hand:cut:f1:ab:2/4\" -j DROP\n\
             -I OUTPUT ! -o lo -m comment --comment \"wiber-hand:cut:f1:ab:3/4\" -j WIBER-X-1\n\
             -A WIBER-X-1 -d 10.0.0.2 -m comment --comment \"wiber-hand:cut:f1:ab:4/4\" -j DROP\n"
        );
    }

    #[test]
    fn a_reset_lets_its_own_resets_out_and_drops_what_is_not_tcp() {
        let out = lines(Action::Cut(CutVerdict::Reset), &[flow(Way::Out, &[], &["10.0.0.9"], &[])]);
        let targets: Vec<&str> = out.lines().filter_map(|line| line.split_once(" -j ")).map(|(_, to)| to).collect();
        assert_eq!(targets, ["WIBER-X-0", "RETURN", "RETURN", "REJECT --reject-with tcp-reset", "DROP"]);
        assert!(out.contains("-A WIBER-X-0 -d 10.0.0.9 "), "{out}");
        assert!(out.contains("-A WIBER-X-0 -p tcp --tcp-flags RST RST "), "{out}");
        let of_ports = lines(Action::Cut(CutVerdict::Reset), &[flow(Way::In, &[], &[], &[29092])]);
        assert!(of_ports.contains(" -p tcp -m multiport --ports 29092 ") && !of_ports.contains("DROP"), "{of_ports}");
    }

    #[test]
    fn a_shape_goes_to_its_queue_once_and_past_it_when_nobody_is_there() {
        let shape = lines(Action::Shape { queue: 27_103, bit: 0x8_0000 }, &[flow(Way::Out, &[], &[], &[])]);
        assert!(shape.contains("-I POSTROUTING ! -o lo "), "{shape}");
        assert!(shape.contains(" -m mark ! --mark 0x80000/0x80000 "), "{shape}");
        assert!(shape.ends_with("-j NFQUEUE --queue-num 27103 --queue-bypass\n"), "{shape}");
    }

    #[test]
    fn each_peer_meets_each_handful_of_ports() {
        let ports: Vec<u16> = (1..=16).collect();
        let cut = lines(Action::Cut(CutVerdict::Drop), &[flow(Way::In, &["10.0.0.2", "10.0.0.3"], &[], &ports)]);
        assert_eq!(cut.lines().filter(|line| line.ends_with("-j DROP")).count(), 4, "{cut}");
        assert!(cut.contains("-s 10.0.0.3 -p tcp -m multiport --ports 16 "), "{cut}");
    }

    #[test]
    fn a_chains_name_fits_whatever_the_faults_name_is() {
        let ruleset =
            Ruleset { name: &"x".repeat(100), print: String::new(), flows: &[], action: Action::Cut(CutVerdict::Drop) };
        assert!(ruleset.chain(999).len() <= 28);
    }
}
