//! The clauses about packets that are treated: that they were handed over, and that to each share of them was done what was
//! asked for.

use std::collections::BTreeMap;

use super::Case;
use crate::fault::network::{PartsPerMillion, ShapeCount, Treatment};

/// Fewer packets than this prove only that something was done to them, not to how many.
const MANY: u64 = 100;

/// Further from what was asked for than this many standard deviations no honest chance strays.
const DEVIATIONS: f64 = 6.0;

/// What a count may be off beside: so many packets, and this share of what is expected. The counters are read one after the
/// other while packets come, and the numbers of a few packets stray further than their deviation tells.
const SLACK: f64 = 10.0;
const SLACK_SHARE: f64 = 0.1;

/// The counts of one shape in one life of its broker's network.
#[derive(Clone, Debug)]
struct Life {
    /// At the last look.
    last: ShapeCount,
    /// How many packets the kernel had handed over by the look before: what of them was to be treated is by the last.
    handed_over: u64,
}

impl Case<'_> {
    /// While the fault was in force its rules were in place, the kernel handed packets over, and each thing that was asked for
    /// happened to some of them, and of many to its share; afterwards the rules are gone.
    pub(in crate::fault) fn was_treated(&mut self, treatment: &Treatment) {
        self.rules_stayed();
        let lives = self.shapes();
        let Some(shape) = total(&lives) else {
            return self.misses("a look at what became of its packets");
        };
        if shape.rule_packets == 0 || shape.seen == 0 {
            self.misses("a packet that was handed over");
        }
        let handed_over: u64 = lives.iter().map(|life| life.handed_over).sum();
        if passed_untreated(&shape, handed_over) {
            self.misses(format!("the treatment of its packets ({} of {handed_over} were taken)", shape.seen));
        }
        if treatment.delay_us > 0 || treatment.rate_bytes_per_s.is_some() {
            match shape.delayed {
                0 => self.misses("a packet that was held"),
                count => self.saw(format!("{count} of {} packets held", shape.seen)),
            }
        }
        for share in shares(treatment, &shape) {
            self.had_its_share(&share, shape.seen);
        }
        if shape.overflowed > 0 {
            self.saw(format!("{} dropped for want of room", shape.overflowed));
        }
        if shape.overruns > 0 {
            self.saw(format!("some passed untreated, {} times", shape.overruns));
        }
        self.rules_are_gone();
    }

    fn had_its_share(&mut self, share: &Share, seen: u64) {
        let Share { wanted, count, what, .. } = share;
        if *count == 0 {
            self.misses(format!("a packet that was {what}"));
        } else if share.is_likely() {
            self.saw(format!("{count} of {seen} packets {what}"));
        } else {
            self.misses(format!("its share of packets that were {what} ({count} of {}, not {wanted})", share.of));
        }
    }

    /// What became of packets, as the last look into each life of the network told it.
    fn shapes(&self) -> Vec<Life> {
        let mut lives: BTreeMap<_, Life> = BTreeMap::new();
        for rules in self.rules_during() {
            let Some(last) = rules.shape.clone() else { continue };
            let handed_over = last.rule_packets;
            let life = lives.entry((rules.broker, rules.renewed));
            life.and_modify(|life| *life = Life { handed_over: life.last.rule_packets, last: last.clone() })
                .or_insert(Life { last, handed_over });
        }
        lives.into_values().collect()
    }
}

/// All of them together.
fn total(lives: &[Life]) -> Option<ShapeCount> {
    let mut lives = lives.iter().map(|life| &life.last);
    let first = lives.next()?.clone();
    Some(lives.fold(first, |total, life| ShapeCount {
        name: total.name,
        rule_packets: total.rule_packets + life.rule_packets,
        seen: total.seen + life.seen,
        bytes: total.bytes + life.bytes,
        delayed: total.delayed + life.delayed,
        lost: total.lost + life.lost,
        duplicated: total.duplicated + life.duplicated,
        reordered: total.reordered + life.reordered,
        corrupted: total.corrupted + life.corrupted,
        overflowed: total.overflowed + life.overflowed,
        held_now: total.held_now + life.held_now,
        overruns: total.overruns + life.overruns,
    }))
}

/// Whether far fewer packets came to be treated than were handed over. More may: the kernel counts as one what goes on the wire
/// as many, and hands over each of these.
fn passed_untreated(shape: &ShapeCount, handed_over: u64) -> bool {
    handed_over >= MANY && shape.seen < handed_over / 2
}

/// How many packets something happened to, of how many it could have, and to how many it should.
struct Share {
    wanted: PartsPerMillion,
    count: u64,
    of: u64,
    what: &'static str,
    fewer: Fewer,
}

/// What it tells that something happened to fewer packets than it should have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fewer {
    /// That the fault was another than was asked for.
    Counts,
    /// Nothing: what stood in the way of the others is not counted.
    TellsNothing,
}

impl Share {
    /// Whether chance could have brought the count about. The draws for packets do not depend on one another.
    fn is_likely(&self) -> bool {
        if self.of < MANY {
            return true;
        }
        let (of, ratio, count) = (self.of as f64, self.wanted.as_ratio(), self.count as f64);
        let expected = of * ratio;
        let stray = DEVIATIONS * (expected * (1.0 - ratio)).sqrt() + SLACK + SLACK_SHARE * expected;
        count <= expected + stray && (self.fewer == Fewer::TellsNothing || count >= expected - stray)
    }
}

/// The shares that were asked for. A lost packet is nothing else, and neither is one for which there was no room.
fn shares(treatment: &Treatment, shape: &ShapeCount) -> Vec<Share> {
    let passed = shape.seen.saturating_sub(shape.lost).saturating_sub(shape.overflowed);
    // A copy leaves after its packet. Where the two are held, or need room, another cut or a full link may take the copy.
    let copies = if treatment.delay_us > 0 || treatment.rate_bytes_per_s.is_some() {
        Fewer::TellsNothing
    } else {
        Fewer::Counts
    };
    let shares = [
        (treatment.loss, shape.lost, shape.seen, "lost", Fewer::Counts),
        (treatment.duplicate, shape.duplicated, passed, "sent twice", copies),
        (treatment.reorder, shape.reordered, passed, "sent ahead", Fewer::Counts),
        (treatment.corrupt, shape.corrupted, passed, "damaged", Fewer::Counts),
    ];
    let wanted = shares.into_iter().filter(|(wanted, ..)| !wanted.is_none());
    wanted.map(|(wanted, count, of, what, fewer)| Share { wanted, count, of, what, fewer }).collect()
}
