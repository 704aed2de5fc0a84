//! The clauses about a fault's rules in brokers' networks. Each network answers for itself: what cannot be seen of one hides
//! nothing of another, and only one whose broker does not run need not be seen.

use std::collections::BTreeMap;

use super::Case;
use crate::fault::{Look, Moment, RulesSeen, Sight, Unseen};
use crate::kafka::BrokerId;

impl<'a> Case<'a> {
    /// While the fault was in force its rules were in place wherever they should be, and stopped packets in each of these
    /// networks; afterwards they are gone.
    pub fn rules_stopped_packets(&mut self) {
        // A broker that was started anew has a new network, whose rules count from zero.
        let mut counts: BTreeMap<BrokerId, BTreeMap<u32, u64>> = BTreeMap::new();
        for rules in self.rules_during() {
            let lives = counts.entry(rules.broker).or_default();
            let most = lives.entry(rules.renewed).or_default();
            *most = rules.packets.unwrap_or(0).max(*most);
        }
        if counts.is_empty() {
            return self.misses("a look at its rules");
        }
        self.rules_stayed();
        let stopped = |lives: &BTreeMap<u32, u64>| lives.values().sum::<u64>();
        let idle = counts.iter().filter(|(_, lives)| stopped(lives) == 0).map(|(broker, _)| broker.to_string());
        let idle: Vec<String> = idle.collect();
        if idle.is_empty() {
            let packets: u64 = counts.values().map(stopped).sum();
            self.saw(format!("{packets} packets stopped"));
        } else {
            self.misses(format!("a packet that its rules stopped at {}", idle.join(", ")));
        }
        self.rules_are_gone();
    }

    /// While the fault was in force, every look found its rules in every network that there was.
    pub(super) fn rules_stayed(&mut self) {
        if let Some(reason) = self.looks(Moment::During).iter().copied().find_map(no_rules_seen) {
            self.misses(format!("its rules at every look ({reason})"));
        }
        let lost = self.rules_during().into_iter().filter(|rules| rules.packets.is_none());
        let lost = lost.filter(|rules| rules.unseen != Some(Unseen::NotRunning)).collect::<Vec<_>>();
        let broker = |rules: &RulesSeen| rules.broker;
        if let Some(broker) = lost.iter().find(|rules| rules.unseen.is_none()).map(|rules| broker(rules)) {
            self.misses(format!("its rules in the network of {broker}, which somebody took away"));
        }
        let blind = lost.iter().find_map(|rules| match &rules.unseen {
            Some(Unseen::Failed(reason)) => Some((broker(rules), reason.clone())),
            Some(Unseen::NotRunning) | None => None,
        });
        if let Some((broker, reason)) = blind {
            self.misses(format!("its rules in the network of {broker} at every look ({reason})"));
        }
        if self.rules_during().into_iter().any(|rules| rules.renewed > 0) {
            self.saw("put in place anew when its broker came back with a new network");
        }
    }

    /// After the heal, the last look into each network found no rules there.
    pub(super) fn rules_are_gone(&mut self) {
        let mut are_gone: BTreeMap<BrokerId, Option<bool>> = BTreeMap::new();
        for rules in self.rules_at(Moment::After) {
            let known = are_gone.entry(rules.broker).or_default();
            if rules.packets.is_some() || rules.are_gone() {
                *known = Some(rules.are_gone());
            }
        }
        if are_gone.is_empty() || are_gone.values().any(Option::is_none) {
            self.misses("a look at its rules after the heal");
        } else if are_gone.values().any(|gone| *gone == Some(false)) {
            self.misses("the end of its rules after the heal");
        }
    }

    /// The rules in each network, as every look while the fault was in force found them.
    pub(super) fn rules_during(&self) -> Vec<&'a RulesSeen> {
        self.rules_at(Moment::During)
    }

    fn rules_at(&self, moment: Moment) -> Vec<&'a RulesSeen> {
        self.looks(moment).iter().copied().filter_map(rules).flatten().collect()
    }
}

/// What a look found of the rules.
fn rules(look: &Look) -> Option<&[RulesSeen]> {
    look.seen.sights.iter().find_map(|sight| match sight {
        Sight::Rules { holders } => Some(holders.as_slice()),
        _ => None,
    })
}

/// Why a look found nothing out about the rules, if it did not.
fn no_rules_seen(look: &Look) -> Option<&str> {
    if rules(look).is_some() {
        return None;
    }
    let mut reasons = look.seen.sights.iter().filter_map(|sight| match sight {
        Sight::Blind { reason } => Some(reason.as_str()),
        _ => None,
    });
    Some(reasons.next_back().unwrap_or("nobody looked at them"))
}
