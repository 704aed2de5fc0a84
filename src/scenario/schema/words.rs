//! What each key of a fault's table means, in a sentence for whoever writes one: the hovers and completions of editors.
//!
//! Whether a key is required its reader says ([`super::keys`]), and it is not said again here.

/// What this key of this kind means; empty for one that nobody has described, which a test finds.
pub(super) fn of(kind: &str, key: &str) -> &'static str {
    of_this_kind(kind, key).or_else(|| of_any_kind(key)).unwrap_or_default()
}

/// Keys that mean something else, or default to something else, in one kind than in another.
fn of_this_kind(kind: &str, key: &str) -> Option<&'static str> {
    Some(match (kind, key) {
        ("rolling" | "all-apart", "target") => "Whom, resolved at the moment of injection. Without it: `all`.",
        ("alter-config", "target") => "The brokers whose settings are changed; either this or `topic`.",
        ("crash-client" | "freeze-client" | "fence" | "slow-consumer", "target") => {
            "Which client: one that is named, or one of several that the seed draws."
        }
        ("rolling", "signal") => "The signal that ends each broker, where it is not stopped in order.",
        ("rolling", "grace") => "How long each broker may take to leave in order, in whole seconds. Without it: `30s`.",
        ("rolling", "down") => "How long each broker stays down. Without it: `1s`.",
        ("degrade", "to") => {
            "The other end: `rest` (every other broker), `clients`, `all` of them, or a target. Without it: `all`."
        }
        ("degrade", "direction") => "Which packets, as the target sees it. Without it: `out`.",
        ("degrade", "bandwidth") => "How fast packets pass at most, in bytes or bits a second.",
        ("transfer-leader", "to") => "Who may lead instead. Without it: a follower of the partition.",
        ("reassign", "to") => "To which brokers the replica may move, if they have none. Without it: `all`.",
        ("reassign", "from") => "Whose replica moves. Without it: `follower`.",
        ("disk-read-only", "partition") => "Only this partition's directory. Without it: the whole data directory.",
        ("damage", "partition") => "Of which partition the file is. Without it: the one that the target names.",
        ("rebalance-storm", "every") => "How long from one step to the next, on average. Without it: `2s`.",
        _ => return None,
    })
}

fn of_any_kind(key: &str) -> Option<&'static str> {
    of_process_and_network(key).or_else(|| of_disk_and_kafka(key))
}

fn of_process_and_network(key: &str) -> Option<&'static str> {
    Some(match key {
        "target" => "Whom, resolved at the moment of injection.",
        "signal" => "The signal that ends the broker's process. Without it: `SIGKILL`.",
        "grace" => "How long the broker may take to leave in order, in whole seconds. Without it: `30s`.",
        "down" => "How long it is down each time. Without it: `1s`.",
        "up" => "How long it runs in between, counted from its start. Without it: `4s`.",
        "to" => {
            "The other end: `rest` (every other broker), `clients`, `all` of them, or a target. Without it: `rest`."
        }
        "direction" => "Which packets, as the target sees it. Without it: `both`.",
        "mode" => "What becomes of packets: they vanish, or they are answered with a reset. Without it: `drop`.",
        "plane" => {
            "Only the listener for replication, for the controllers, or for clients. Without it: every listener."
        }
        "latency" => "How late packets come; together with `jitter` 900ms at most.",
        "jitter" => "By how much `latency` varies.",
        "distribution" => "How `jitter` is spread. Without it: `uniform`.",
        "loss" => "The share of packets that never come.",
        "duplicate" => "The share of packets that come twice; on the way out only.",
        "reorder" => "The share of packets that overtake those held back by `latency`.",
        "corrupt" => "The share of packets with a wrong bit.",
        "cpu" => "Of one processor, so much at most. This, or `memory`, or both.",
        "memory" => "So much memory at most. This, or `cpu`, or both.",
        _ => return None,
    })
}

fn of_disk_and_kafka(key: &str) -> Option<&'static str> {
    Some(match key {
        "bandwidth" => "How fast the disk writes and reads at most, from 64KiB/s.",
        "file" => "Which file of the broker's data is damaged.",
        "segment" => "Which segment of the partition. Without it: `newest`.",
        "bits" => "How many bits are flipped. Without it: 8.",
        "within" => "In how many of the file's last bytes bits are flipped. Without it: anywhere.",
        "cut" => "How many bytes are cut off the file's end, instead of flipped bits.",
        "exit" => "How the broker goes down before. Without it: `kill`.",
        "partition" => "Which partition.",
        "election" => "Its first replica, or, where nobody leads, whoever lives. Without it: `preferred`.",
        "how" => "Whether a replica moves to another broker, or the first one becomes the last. Without it: `move`.",
        "topic" => "The topic whose settings are changed; either this or `target`.",
        "set" => "The settings, with their values.",
        "share" => "How much of what can be read is deleted, from the log's start. Without it: `100%`.",
        "per-record" => "How long the member takes over each record. This, or `rate`.",
        "rate" => "How many records a second the member reads at most. This, or `per-record`.",
        "group" => "Which consumer group.",
        "extra" => "How many members more there are at most. Without it: 2.",
        _ => return None,
    })
}
