//! What `iptables-save -c` says of our rules. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::rules::{CHAIN_PREFIX, COMMENT_PREFIX, Sort};

/// The part of a table that is ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    sort: Sort,
    /// Chains of ours.
    chains: BTreeSet<String>,
    rules: Vec<Rule>,
}

/// A rule that bears a comment of ours, or jumps to a chain of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    chain: String,
    /// As the kernel's tool writes it, behind the chain's name.
    text: String,
    target: String,
    packets: u64,
    bytes: u64,
    label: Option<Label>,
}

/// What a comment says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Label {
    name: String,
    print: String,
    number: usize,
    count: usize,
}

/// A fault that is in force: every rule of it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InForce {
    /// Which request made it.
    pub print: String,
    /// How many packets met a rule of it that acts. A packet that the sender has not cut to the wire's measure yet is one.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Table {
    /// Reads the table of a sort of faults.
    pub fn read(sort: Sort, saved: &str) -> Self {
        let mut table = Self { sort, chains: BTreeSet::new(), rules: Vec::new() };
        for line in saved.lines() {
            if let Some(chain) = line.strip_prefix(':').and_then(|rest| rest.split(' ').next()) {
                if chain.starts_with(CHAIN_PREFIX) {
                    table.chains.insert(chain.to_owned());
                }
            } else if let Some(rule) = rule(sort, line) {
                table.rules.push(rule);
            }
        }
        table
    }

    /// The faults that are in force, by name. One that lacks a rule is not: who took it away, and what is left, is unknown.
    pub fn in_force(&self) -> BTreeMap<String, InForce> {
        let mut found: BTreeMap<String, (BTreeSet<usize>, usize, InForce)> = BTreeMap::new();
        for rule in &self.rules {
            let Some(label) = &rule.label else { continue };
            let (numbers, count, fault) = found.entry(label.name.clone()).or_insert_with(|| {
                let fault = InForce { print: label.print.clone(), packets: 0, bytes: 0 };
                (BTreeSet::new(), label.count, fault)
            });
            if fault.print != label.print || *count != label.count || !numbers.insert(label.number) {
                // Two requests' rules under one name, or one rule twice: not what anybody asked for.
                *count = usize::MAX;
            }
            if ["DROP", "REJECT", "NFQUEUE"].contains(&rule.target.as_str()) {
                fault.packets += rule.packets;
                fault.bytes += rule.bytes;
            }
        }
        found.retain(|_, (numbers, count, _)| numbers.iter().copied().eq(1..=*count));
        found.into_iter().map(|(name, (_, _, fault))| (name, fault)).collect()
    }

    /// The names of all faults of which there is a rule, in force or not.
    pub fn names(&self) -> BTreeSet<String> {
        self.rules.iter().filter_map(|rule| Some(rule.label.as_ref()?.name.clone())).collect()
    }

    /// Whether some rule of ours says this: a queue's number, a mark.
    pub fn mentions(&self, words: &str) -> bool {
        self.rules.iter().any(|rule| format!("{} ", rule.text).contains(&format!(" {words} ")))
    }

    /// The lines that remove one fault; empty when there is nothing of it.
    pub fn removal(&self, name: &str) -> String {
        let is_its_own = |rule: &&Rule| rule.label.as_ref().is_some_and(|label| label.name == name);
        let chains: BTreeSet<&String> = self
            .rules
            .iter()
            .filter(is_its_own)
            .flat_map(|rule| [&rule.chain, &rule.target])
            .filter(|chain| self.chains.contains(*chain))
            .collect();
        self.remove(&chains)
    }

    /// The lines that remove every chain of ours and every rule that leads there; empty when there is none.
    pub fn removal_of_all(&self) -> String {
        self.remove(&self.chains.iter().collect())
    }

    fn remove(&self, chains: &BTreeSet<&String>) -> String {
        let mut lines = String::new();
        for rule in self.rules.iter().filter(|rule| !chains.contains(&rule.chain) && chains.contains(&rule.target)) {
            let _ = writeln!(lines, "-D {} {}", rule.chain, rule.text);
        }
        for command in ["-F", "-X"] {
            for chain in chains {
                let _ = writeln!(lines, "{command} {chain}");
            }
        }
        lines
    }
}

/// Reads `[packets:bytes] -A CHAIN ...`, if it is a rule of ours.
fn rule(sort: Sort, line: &str) -> Option<Rule> {
    let (counters, rest) = line.strip_prefix('[')?.split_once("] -A ")?;
    let (packets, bytes) = counters.split_once(':')?;
    let (chain, text) = rest.split_once(' ')?;
    let target =
        text.rsplit_once("-j ").map(|(_, target)| target.split(' ').next().unwrap_or_default()).unwrap_or_default();
    let label = label(sort, text);
    if label.is_none() && !chain.starts_with(CHAIN_PREFIX) && !target.starts_with(CHAIN_PREFIX) {
        return None;
    }
    Some(Rule {
        chain: chain.to_owned(),
        text: text.to_owned(),
        target: target.to_owned(),
        packets: packets.parse().ok()?,
        bytes: bytes.parse().ok()?,
        label,
    })
}

/// Reads `wiber-hand:<sort>:<name>:<print>:<i>/<n>`. A name may hold colons of its own.
fn label(sort: Sort, text: &str) -> Option<Label> {
    let (_, comment) = text.split_once("--comment ")?;
    let comment = comment.split(' ').next()?.trim_matches('"');
    let rest = comment.strip_prefix(COMMENT_PREFIX)?.strip_prefix(sort.word())?.strip_prefix(':')?;
    let (rest, numbers) = rest.rsplit_once(':')?;
    let (name, print) = rest.rsplit_once(':')?;
    let (number, count) = numbers.split_once('/')?;
    Some(Label {
        name: name.to_owned(),
        print: print.to_owned(),
        number: number.parse().ok()?,
        count: count.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAVED: &str = r#"# Generated by iptables-save v1.8.9 (nf_tables)
*filter
:INPUT ACCEPT [90:900]
:OUTPUT ACCEPT [90:900]
:WIBER-aa-0 - [0:0]
:WIBER-bb-0 - [0:0]
[14:900] -A INPUT ! -i lo -m comment --comment "wiber-hand:cut:f:1:p1:1/3" -j WIBER-aa-0
[14:900] -A INPUT -s 10.9.9.9/32 -m comment --comment "somebody's own" -j DROP
[2:100] -A OUTPUT ! -o lo -m comment --comment "wiber-hand:cut:g:p2:1/2" -j WIBER-bb-0
[2:200] -A WIBER-aa-0 -s 10.0.0.9/32 -m comment --comment "wiber-hand:cut:f:1:p1:2/3" -j RETURN
[12:700] -A WIBER-aa-0 -s 10.0.0.2/32 -p tcp -m comment --comment "wiber-hand:cut:f:1:p1:3/3" -j REJECT --reject-with tcp-reset
[2:100] -A WIBER-bb-0 -m comment --comment "wiber-hand:cut:g:p2:2/2" -j DROP
COMMIT
"#;

    fn without(part: &str) -> Table {
        let lines: Vec<&str> = SAVED.lines().filter(|line| !line.contains(part)).collect();
        assert_ne!(lines.len(), SAVED.lines().count(), "there is no {part}");
        Table::read(Sort::Cut, &lines.join("\n"))
    }

    #[test]
    fn a_fault_in_force_counts_what_its_verdicts_met() {
        let found = Table::read(Sort::Cut, SAVED).in_force();
        let fault = |print: &str, packets, bytes| InForce { print: print.to_owned(), packets, bytes };
        let expected = [("f:1".to_owned(), fault("p1", 12, 700)), ("g".to_owned(), fault("p2", 2, 100))];
        assert_eq!(found, BTreeMap::from(expected));
    }

    #[test]
    fn a_fault_that_lacks_any_rule_is_not_in_force_but_still_has_a_name() {
        for part in ["p1:1/3", "p1:2/3", "p1:3/3"] {
            let table = without(part);
            assert_eq!(table.in_force().into_keys().collect::<Vec<_>>(), ["g"], "without {part}");
            assert_eq!(table.names().into_iter().collect::<Vec<_>>(), ["f:1", "g"]);
        }
    }

    #[test]
    fn rules_of_two_requests_under_one_name_are_no_fault_in_force() {
        let twice = SAVED.replace("wiber-hand:cut:g:p2:2/2", "wiber-hand:cut:g:p3:2/2");
        assert_eq!(Table::read(Sort::Cut, &twice).in_force().into_keys().collect::<Vec<_>>(), ["f:1"]);
    }

    #[test]
    fn a_removal_takes_one_faults_rules_and_leaves_all_others() {
        let table = Table::read(Sort::Cut, SAVED);
        assert_eq!(
            table.removal("f:1"),
            "-D INPUT ! -i lo -m comment --comment \"wiber-hand:cut:f:1:p1:1/3\" -j WIBER-aa-0\n\
             -F WIBER-aa-0\n-X WIBER-aa-0\n"
        );
        assert_eq!(table.removal("h"), "");
        let all = table.removal_of_all();
        assert!(all.contains("-X WIBER-aa-0") && all.contains("-X WIBER-bb-0") && !all.contains("10.9.9.9"), "{all}");
    }

    #[test]
    fn a_chain_whose_jump_is_gone_is_removed_all_the_same() {
        let table = without("p1:1/3");
        assert_eq!(table.removal("f:1"), "-F WIBER-aa-0\n-X WIBER-aa-0\n");
    }

    #[test]
    fn what_a_rule_mentions_is_found_in_whole_words() {
        let table = Table::read(Sort::Cut, SAVED);
        assert!(table.mentions("--reject-with tcp-reset") && !table.mentions("--reject-with tcp"));
    }
}
