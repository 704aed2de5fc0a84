//! "Did you mean": the known word nearest to what was written.

/// What people write who think of another tool, and what it is called here.
const OTHER_WORDS: [(&str, &str); 20] = [
    ("duration", "for"),
    ("length", "for"),
    ("start", "at"),
    ("when", "at"),
    ("replicas", "replication-factor"),
    ("rf", "replication-factor"),
    ("nodes", "brokers"),
    ("broker", "target"),
    ("node", "target"),
    ("consumer", "consumer-group"),
    ("consumers", "consumer-group"),
    ("group", "consumer-group"),
    ("consumers", "members"),
    ("producers", "producer"),
    ("checks", "expect"),
    ("properties", "config"),
    ("type", "kind"),
    ("servers", "bootstrap"),
    ("hosts", "bootstrap"),
    ("security", "client"),
];

/// Below this likeness (Jaro-Winkler, 0 to 1) a suggestion confuses more than it helps.
const ALIKE: f64 = 0.82;

/// The known word that was probably meant.
pub fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let known: Vec<&str> = known.into_iter().collect();
    let plain = written.to_lowercase().replace(['_', ' '], "-");
    if let Some(same) = known.iter().find(|word| word.to_lowercase() == plain) {
        return Some(same);
    }
    let mut other = OTHER_WORDS.iter().filter(|(theirs, _)| *theirs == plain);
    if let Some(same) = other.find_map(|(_, ours)| known.iter().find(|word| *word == ours)) {
        return Some(same);
    }
    let likeness = |word: &str| strsim::jaro_winkler(&plain, &word.to_lowercase());
    let best = known.into_iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(best) >= ALIKE).then_some(best)
}

/// The known words as a list for a help text: `a`, `b`, `c`.
pub fn listed<'a>(known: impl IntoIterator<Item = &'a str>) -> String {
    known.into_iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_word() {
        assert_eq!(nearest("replication_factor", ["name", "replication-factor"]), Some("replication-factor"));
        assert_eq!(nearest("partitons", ["name", "partitions"]), Some("partitions"));
        assert_eq!(nearest("SIGKIL", ["SIGKILL", "SIGTERM"]), Some("SIGKILL"));
        assert_eq!(nearest("duration", ["id", "at", "for"]), Some("for"));
    }

    #[test]
    fn what_resembles_nothing_gets_no_suggestion() {
        assert_eq!(nearest("zebra", ["name", "partitions"]), None);
        assert_eq!(nearest("x", []), None);
    }
}
