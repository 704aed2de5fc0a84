//! Scenario files, from text to plan: every mistake is told, all at once, in words that say what to do; every scenario
//! that ships is right.

use std::path::Path;

use wiber_chaos::anomaly::{CheckName, Expectation};
use wiber_chaos::cli::list::scenario_files;
use wiber_chaos::cli::plan::render_timeline;
use wiber_chaos::cli::sheet::{Charset, Sheet};
use wiber_chaos::cli::terminal::{Style, render_error, render_problems};
use wiber_chaos::plan::{plan, to_json};
use wiber_chaos::scenario::{self, Rate, ScenarioError};

const NAME: &str = "name = \"s\"\n";
const TOPIC: &str = "[[topic]]\nname = \"chat\"\n";
const PRODUCER: &str = "[[producer]]\nname = \"p\"\ntopic = \"chat\"\n";
const GROUP: &str = "[[consumer-group]]\nname = \"g\"\ntopics = [\"chat\"]\n";
const TOPIC_COPIES: &str = "[[topic]]\nname = \"copies\"\n";
const FAULT: &str = "[[fault]]\nid = \"f\"\nat = \"1s\"\nfor = \"1s\"\nkill = { target = \"broker:1\" }\n";

/// The smallest legal scenario with a group, and this below it.
fn with(more: &str) -> String {
    format!("{NAME}{TOPIC}{PRODUCER}{GROUP}{more}")
}

/// What a person sees of a scenario that is refused.
fn refused(text: impl AsRef<str>) -> String {
    let error = scenario::parse("s.toml", text.as_ref()).expect_err("the scenario is wrong");
    render_error(&error, Style::Plain)
}

/// What a person sees of a scenario that runs, but perhaps not as meant.
fn warned(text: impl AsRef<str>) -> String {
    let parsed = scenario::parse("s.toml", text.as_ref()).expect("the scenario is right");
    render_problems(&parsed.warnings, Style::Plain)
}

macro_rules! refused {
    ($($name:ident: $text:expr;)+) => {
        $(#[test]
        fn $name() {
            insta::assert_snapshot!(refused($text));
        })+
    };
}

macro_rules! warned {
    ($($name:ident: $text:expr;)+) => {
        $(#[test]
        fn $name() {
            insta::assert_snapshot!(warned($text));
        })+
    };
}

// Below the macros, which it uses.
#[path = "scenarios/attached.rs"]
mod attached;

fn faults(lines: &[&str]) -> String {
    let tables: Vec<String> = lines.iter().map(|fault| format!("[[fault]]\n{}\n", fault.replace("; ", "\n"))).collect();
    with(&tables.concat())
}

refused! {
    a_disk_without_bounds_that_is_to_be_filled: faults(&["id = \"full\"; at = \"1s\"; for = \"5s\"; disk-full = { target = \"broker:1\" }"]);
    faults_that_come_faster_than_anybody_looks: faults(&["id = \"fast\"; every = \"50ms\"; for = \"10ms\"; pause = { target = \"broker:1\" }"]);
    all_mistakes_are_shown_at_once: include_str!("scenarios/every-mistake.toml");
    what_is_not_toml_is_shown_where_it_ends: with("[phases]\nchaos = 30s\nwarmup = \"5s\n");
    an_empty_file_says_what_is_missing: "";
    a_top_level_key_below_a_header_is_sent_to_the_top: format!("{NAME}{TOPIC}{PRODUCER}seed = 1\n[phases]\ndescripton = \"a slip\"\n");
    a_key_that_is_there_twice: format!("{TOPIC}{PRODUCER}name = \"s\"\nkeys = 1\nkeys = 2\n");
    a_single_bracket_where_there_may_be_several: format!("{NAME}[topic]\nname = \"chat\"\n{PRODUCER}");
    a_misspelt_table_is_told_once: format!("{NAME}{TOPIC}[[producers]]\nname = \"p\"\ntopic = \"chat\"\n");
    names_that_no_file_could_bear: "name = \"a/b\"\n[[topic]]\nname = \"__chat\"\n[[producer]]\nname = \"\"\ntopic = \"__chat\"\n[[consumer-group]]\nname = \"-g\"\ntopics = [\"__chat\"]\n";
    a_transformer_that_could_not_work: with(&format!(
        "{TOPIC_COPIES}[[transformer]]\nname = \"g\"\nfrom = \"chat\"\nto = \"chat\"\n[[transformer]]\nname = \"x\"\nfrom = \"copies\"\nto = \"nowhere\"\ntransactions = {{ records = 5 }}\n[[transformer]]\nname = \"y\"\nto = \"copies\"\nfrom = \"chat\"\ntransactions = {{ records = 5 }}\noffsets = \"later\"\n"
    ));
    a_transformer_that_is_struck_as_it_cannot_be: with(&format!(
        "{TOPIC_COPIES}[[transformer]]\nname = \"t\"\nfrom = \"chat\"\nto = \"copies\"\ntransactions = {{ records = 5 }}\n[[fault]]\nid = \"a\"\nat = \"1s\"\nfor = \"1s\"\ncrash-client = {{ target = \"producer:t-out\" }}\n[[fault]]\nid = \"b\"\nat = \"1s\"\nfor = \"1s\"\ncrash-client = {{ target = \"member:t\" }}\n[[fault]]\nid = \"c\"\nat = \"5s\"\nfence = {{ target = \"producer:t-out/1\" }}\n"
    ));
    names_that_are_there_twice: with(&format!("{TOPIC}[[producer]]\nname = \"g\"\ntopic = \"chat\"\n"));
    bare_numbers_where_a_unit_belongs: format!("{NAME}[cluster]\nheap = 512\n{TOPIC}{PRODUCER}rate = 2000\nsize = 128\n[phases]\nwarmup = 5\nchaos = \"30\"\ndrain = 1.5\n");
    quantities_that_are_none: format!("{NAME}{TOPIC}{PRODUCER}rate = \"2000/min\"\nsize = \"1KiB..128B\"\n[phases]\nwarmup = \"soon\"\nchaos = \"0s\"\ndrain = \"2weeks\"\n");
    a_topic_that_nobody_declared: format!("{NAME}{TOPIC}[[producer]]\nname = \"p\"\ntopic = \"chats\"\npartitions = [0]\n[[consumer-group]]\nname = \"g\"\ntopics = [\"chat\", \"zebra\", \"chat\"]\n");
    partitions_that_do_not_exist: format!("{NAME}{TOPIC}partitions = 2\n{PRODUCER}partitions = [0, 2, 0]\n[[fault]]\nid = \"f\"\nat = \"1s\"\nfor = \"1s\"\nkill = {{ target = \"leader:chat-2\" }}\n");
    replicas_that_do_not_fit: format!("{NAME}[cluster]\nbrokers = 2\n{TOPIC}replication-factor = 3\n{PRODUCER}");
    headers_and_codecs_that_nobody_knows: format!("{NAME}{TOPIC}{PRODUCER}headers = 17\nconfig = {{ \"compression.type\" = \"brotli\" }}\n");
    a_payload_that_headers_make_too_large: format!("{NAME}{TOPIC}{PRODUCER}headers = 16\nsize = \"999000B\"\n");
    a_topic_that_could_never_be_written: format!("{NAME}{TOPIC}replication-factor = 2\nconfig = {{ min.insync.replicas = 3 }}\n{PRODUCER}");
    properties_that_belong_to_the_harness: format!("{NAME}[cluster.config]\nlisteners = \"PLAINTEXT://:9092\"\n{TOPIC}{PRODUCER}config = {{ \"bootstrap.servers\" = \"kafka:9092\", partitioner = \"random\" }}\n{GROUP}config = {{ \"enable.auto.commit\" = true }}\n");
    properties_that_librdkafka_does_not_know: format!("{NAME}{TOPIC}{PRODUCER}config = {{ \"lingr.ms\" = 5, \"compression.type\" = \"best\", \"no.such.thing\" = 1 }}\n");
    an_idempotent_producer_that_librdkafka_would_refuse: format!("{NAME}{TOPIC}{PRODUCER}config = {{ acks = 1, \"enable.idempotence\" = true, \"max.in.flight\" = 6 }}\n[[producer]]\nname = \"q\"\ntopic = \"chat\"\nconfig = {{ retries = 0 }}\n");
    a_compacted_log_is_refused: format!("{NAME}[cluster.config]\nlog.cleanup.policy = \"compact\"\n{TOPIC}config = {{ cleanup.policy = \"delete,compact\" }}\n{PRODUCER}");
    idempotence_is_understood_in_each_spelling: format!("{NAME}{TOPIC}{PRODUCER}config = {{ acks = 1, \"enable.idempotence\" = \"T\" }}\n[[producer]]\nname = \"q\"\ntopic = \"chat\"\nconfig = {{ acks = 1, \"enable.idempotence\" = 1 }}\n");
    transactions_that_cannot_be: format!("{NAME}{TOPIC}{PRODUCER}in-flight = 50\ntransactions = {{ records = 100, every = \"40s\", abort = \"100%\", timeout = \"0ms\" }}\n[[producer]]\nname = \"q\"\ntopic = \"chat\"\ntransactions = {{ evry = \"1s\" }}\nconfig = {{ acks = 1, \"enable.idempotence\" = false, \"message.timeout.ms\" = 60000, \"transactional.id\" = \"t\" }}\n");
    transactions_of_a_mock: format!("{NAME}[cluster]\nkind = \"mock\"\n{TOPIC}{PRODUCER}transactions = {{ records = 100 }}\n");
    producers_that_nobody_can_fence: faults(&[
        "id = \"a\"; at = \"1s\"; fence = { target = \"producer:p\" }",
        "id = \"b\"; at = \"3s\"; fence = { target = \"member:g/0\" }",
        "id = \"c\"; at = \"5s\"; fence = { target = \"same:a\" }",
        "id = \"d\"; at = \"7s\"; for = \"1s\"; fence = {}",
    ]);
    payloads_too_small_to_check_or_too_large_to_send: format!("{NAME}{TOPIC}{PRODUCER}size = \"16B..2MiB\"\n");
    a_mock_has_no_image: format!("{NAME}[cluster]\nkind = \"mock\"\nimage = \"apache/kafka:4.2.0\"\nheap = \"1GiB\"\ndisk = \"1GiB\"\n[cluster.config]\n\"log.segment.bytes\" = 1\n{TOPIC}{PRODUCER}");
    a_disk_that_is_too_small: format!("{NAME}[cluster]\ndisk = \"1MiB\"\n{TOPIC}{PRODUCER}");
    a_fault_that_says_too_little: faults(&["id = \"f\"", "id = \"g\"; at = \"1s\"; kill = {}"]);
    a_fault_that_says_too_much: faults(&["id = \"f\"; at = \"1s\"; after = \"g\"; for = \"1s\"; kill = { target = \"all\" }; pause = { target = \"all\" }", "id = \"g\"; at = \"1s\"; delay = \"1s\"; for = \"5s\"; restart = { target = \"random\" }"]);
    targets_that_do_not_exist: faults(&[
        "id = \"a\"; at = \"1s\"; for = \"1s\"; kill = { target = \"broker:4\" }",
        "id = \"b\"; at = \"3s\"; for = \"1s\"; kill = { target = \"coordinator:h\" }",
        "id = \"c\"; at = \"5s\"; for = \"1s\"; kill = { target = \"random:4\", signal = \"SIGKIL\" }",
        "id = \"d\"; at = \"7s\"; for = \"1s\"; kill = { target = \"leeder:chat-0\" }",
        "id = \"e\"; at = \"9s\"; for = \"1s\"; kill = { target = \"leader:chat\" }",
    ]);
    clients_that_do_not_exist: faults(&[
        "id = \"a\"; at = \"1s\"; for = \"1s\"; crash-client = { target = \"producer:q\" }",
        "id = \"b\"; at = \"1s\"; for = \"1s\"; freeze-client = { target = \"producer:p/1\" }",
        "id = \"c\"; at = \"1s\"; for = \"1s\"; crash-client = { target = \"membr:g\" }",
        "id = \"d\"; at = \"1s\"; for = \"1s\"; slow-consumer = { target = \"member:h/0\", rate = \"100/s\" }",
        "id = \"e\"; at = \"1s\"; for = \"1s\"; rebalance-storm = { group = \"h\" }",
    ]);
    targets_of_the_wrong_sort: faults(&[
        "id = \"a\"; at = \"1s\"; for = \"1s\"; kill = { target = \"producer:p\" }",
        "id = \"b\"; at = \"3s\"; for = \"1s\"; crash-client = { target = \"leader:chat-0\" }",
        "id = \"c\"; at = \"5s\"; for = \"1s\"; slow-consumer = { target = \"producer:p\", per-record = \"1ms\" }",
        "id = \"d\"; at = \"7s\"; for = \"1s\"; partition = { target = \"broker:1\", to = \"producer:p\" }",
        "id = \"e\"; at = \"9s\"; for = \"1s\"; kill = { target = \"broker:1\" }",
        "id = \"f\"; at = \"11s\"; for = \"1s\"; crash-client = { target = \"same:e\" }",
    ]);
    faults_of_clients_that_say_too_little_or_nothing_possible: faults(&[
        "id = \"a\"; at = \"1s\"; for = \"1s\"; crash-client = {}",
        "id = \"b\"; at = \"3s\"; for = \"1s\"; slow-consumer = { target = \"same:a\" }",
        "id = \"c\"; at = \"5s\"; for = \"1s\"; slow-consumer = { target = \"same:a\", rate = \"max\" }",
        "id = \"d\"; at = \"7s\"; for = \"1s\"; slow-consumer = { target = \"same:a\", rate = \"1/s\", per-record = \"1s\" }",
        "id = \"e\"; at = \"9s\"; for = \"1s\"; rebalance-storm = { extra = 0, every = \"0s\" }",
    ]);
    faults_that_strike_one_client_at_once: faults(&[
        "id = \"a\"; at = \"1s\"; for = \"5s\"; crash-client = { target = \"producer:p/0\" }",
        "id = \"b\"; at = \"3s\"; for = \"1s\"; freeze-client = { target = \"producer:p/0\" }",
    ]);
    faults_that_wait_for_nobody_or_in_a_circle: faults(&[
        "id = \"a\"; after = \"b\"; for = \"1s\"; kill = { target = \"random\" }",
        "id = \"b\"; after = \"a\"; for = \"1s\"; kill = { target = \"random\" }",
        "id = \"kill\"; after = \"kil\"; for = \"1s\"; kill = { target = \"random\" }",
        "id = \"own\"; after = \"own\"; for = \"1s\"; kill = { target = \"random\" }",
    ]);
    faults_that_look_ahead: faults(&[
        "id = \"a\"; at = \"1s\"; for = \"1s\"; pause = { target = \"same:b\" }",
        "id = \"b\"; at = \"5s\"; for = \"1s\"; pause = { target = \"random\" }",
    ]);
    faults_that_outlast_the_chaos_phase: format!("{}[phases]\nchaos = \"20s\"\n", faults(&[
        "id = \"a\"; at = \"10s\"; for = \"15s\"; kill = { target = \"random\" }",
        "id = \"b\"; after = \"a\"; restart = { target = \"random\" }",
    ]));
    faults_that_strike_one_broker_at_once: faults(&[
        "id = \"a\"; at = \"1s\"; for = \"5s\"; pause = { target = \"broker:1\" }",
        "id = \"b\"; at = \"3s\"; for = \"1s\"; kill = { target = \"broker:1\" }",
        "id = \"c\"; at = \"5s\"; for = \"1s\"; kill = { target = \"same:a\" }",
    ]);
    a_slow_disk_beside_what_would_end_it: faults(&[
        "id = \"a\"; at = \"1s\"; for = \"5s\"; disk-slow = { target = \"broker:1\", bandwidth = \"256KiB/s\" }",
        "id = \"b\"; at = \"3s\"; for = \"1s\"; kill = { target = \"broker:1\" }",
        "id = \"c\"; at = \"5s\"; for = \"5s\"; disk-slow = { target = \"same:a\", bandwidth = \"1MiB/s\" }",
        "id = \"d\"; at = \"7s\"; for = \"1s\"; pause = { target = \"broker:1\" }",
    ]);
    faults_that_put_back_what_the_other_had_made: faults(&[
        "id = \"a\"; at = \"1s\"; for = \"9s\"; alter-config = { topic = \"chat\", set = { \"min.insync.replicas\" = 1, \"retention.ms\" = 60000 } }",
        "id = \"b\"; at = \"3s\"; for = \"1s\"; alter-config = { topic = \"chat\", set = { \"min.insync.replicas\" = 3 } }",
        "id = \"c\"; at = \"1s\"; for = \"9s\"; reassign = { partition = \"chat-0\", how = \"rotate\" }",
        "id = \"d\"; at = \"2s\"; for = \"9s\"; transfer-leader = { partition = \"chat-0\" }",
        "id = \"e\"; at = \"1s\"; for = \"9s\"; limit = { target = \"broker:1\", cpu = \"50%\" }",
        "id = \"f\"; at = \"2s\"; for = \"9s\"; limit = { target = \"same:e\", memory = \"1GiB\" }",
        "id = \"g\"; at = \"1s\"; for = \"9s\"; alter-config = { target = \"all\", set = { \"background.threads\" = 2 } }",
        "id = \"h\"; at = \"2s\"; for = \"9s\"; alter-config = { target = \"broker:2\", set = { \"background.threads\" = 4 } }",
    ]);
    a_disk_that_would_be_too_slow: faults(&["id = \"a\"; at = \"1s\"; for = \"5s\"; disk-slow = { target = \"broker:1\", bandwidth = \"63KiB/s\" }"]);
    faults_that_cannot_strike_again_as_written: faults(&[
        "id = \"a\"; every = \"4s..9s\"; after = \"b\"; delay = \"1s\"; for = \"1s\"; pause = { target = \"broker:1\" }",
        "id = \"b\"; at = \"1s\"; until = \"9s\"; for = \"1s\"; pause = { target = \"broker:2\" }",
        "id = \"c\"; every = \"2s..9s\"; for = \"1s..3s\"; pause = { target = \"broker:3\" }",
        "id = \"d\"; every = \"0s\"; for = \"9s..3s\"; pause = { target = \"random\" }",
        "id = \"e\"; at = \"1s\"; repeat = 0; for = 3; pause = { target = \"random\" }",
    ]);
    faults_that_strike_too_often_or_never: faults(&[
        "id = \"often\"; at = \"1s\"; repeat = 1100; for = \"20ms\"; degrade = { target = \"broker:1\", latency = \"1ms\" }",
        "id = \"often-7\"; at = \"1s\"; for = \"1s\"; degrade = { target = \"broker:2\", latency = \"1ms\" }",
        "id = \"never\"; every = \"20s..29s\"; for = \"2s\"; degrade = { target = \"broker:2\", latency = \"1ms\" }",
        "id = \"late\"; at = \"9s\"; every = \"5s\"; until = \"8s\"; for = \"1s\"; degrade = { target = \"broker:2\", latency = \"1ms\" }",
        "id = \"long\"; at = \"9s\"; repeat = 5; delay = \"2s\"; for = \"3s\"; kill = { target = \"broker:3\" }",
        "id = \"early\"; at = \"12s\"; for = \"3s\"; degrade = { target = \"same:late\", latency = \"1ms\" }",
    ]);
    sets_of_targets_with_wrong_members: faults(&[
        "id = \"a\"; at = \"1s\"; for = \"1s\"; kill = { target = [\"broker:1\", \"broker:9\", \"leader:chats-0\"] }",
        "id = \"b\"; at = \"3s\"; for = \"1s\"; kill = { target = [] }",
        "id = \"c\"; at = \"5s\"; for = \"1s\"; kill = { target = [\"broker:1\", 2] }",
        "id = \"d\"; at = \"7s\"; for = \"1s\"; wipe = { target = [\"broker:1\", \"all\"] }",
        "id = \"e\"; at = \"9s\"; for = \"1s\"; kill = { target = [\"broker:1\", \"leeder:chat-0\"] }",
    ]);
    wipes_that_may_take_a_majority: faults(&[
        "id = \"a\"; at = \"1s\"; for = \"1s\"; wipe = { target = \"random:2\" }",
        "id = \"b\"; at = \"3s\"; for = \"1s\"; wipe = { target = \"followers:chat-0\" }",
        "id = \"c\"; at = \"5s\"; for = \"3s\"; wipe = { target = \"broker:1\" }",
        "id = \"d\"; at = \"7s\"; for = \"3s\"; wipe = { target = \"broker:2\" }",
        "id = \"fine\"; after = \"d\"; for = \"3s\"; wipe = { target = \"broker:3\" }",
    ]);
    a_plane_that_is_not_shared_and_graces_that_the_engine_cannot_count: faults(&[
        "id = \"a\"; at = \"1s\"; for = \"1s\"; partition = { target = \"broker:1\", to = \"all\", plane = \"replication\" }",
        "id = \"b\"; at = \"3s\"; for = \"1s\"; stop = { target = \"broker:1\", grace = \"500ms\" }",
        "id = \"c\"; at = \"5s\"; rolling = { target = \"all\", grace = \"0s\" }",
        "id = \"d\"; at = \"9s\"; for = \"1s\"; partition = { target = \"leader:chat-0\", to = \"leader:chat-0\" }",
    ]);
    safety_that_cannot_be: format!("{}[phases]\nchaos = \"20s\"\n[safety]\nmax-unavailable = 0\nallow-quorum-loss = \"yes\"\ndeadline = \"25s\"\nempty-target = \"skp\"\nmax-away = 1\n", with(FAULT));
    faults_that_safety_would_never_let_strike: format!("{}[safety]\nmax-unavailable = 1\n", faults(&[
        "id = \"a\"; at = \"1s\"; for = \"1s\"; kill = { target = [\"broker:1\", \"broker:2\"] }",
        "id = \"b\"; at = \"5s\"; for = \"1s\"; pause = { target = \"majority\" }",
        "id = \"c\"; at = \"9s\"; for = \"1s\"; pause = { target = [\"broker:1\", \"leader:chat-0\"] }",
        "id = \"d\"; at = \"13s\"; for = \"1s\"; degrade = { target = \"all\", latency = \"1ms\" }",
    ]));
    a_bridge_that_safety_would_never_let_strike: format!("{}[safety]\nmax-unavailable = 1\n", faults(&[
        "id = \"a\"; at = \"1s\"; for = \"1s\"; bridge = { target = \"broker:1\" }",
    ]));
    expectations_of_checks_that_do_not_exist: with("[expect]\nduplicates = \"allowed\"\nlost-write = \"alowed\"\ncoverage = \"allowed\"\nzebra = \"allowed\"\nseed = 1\n");
    thresholds_that_measure_nothing: with("[[threshold]]\nmetric = \"unavailable\"\nmax = \"20s\"\n[[threshold]]\nmetric = \"recovery\"\n[[threshold]]\nmetric = \"recovery\"\nmax = \"0s\"\n");
    counts_of_none_and_of_too_many: format!("{NAME}[cluster]\nbrokers = 0\n{TOPIC}partitions = -1\n{PRODUCER}count = 5000\nkeys = 2000000\nin-flight = 1.5\n");
}

warned! {
    retention_below_the_run_is_pointed_out: format!("{NAME}[cluster.config]\nlog.retention.minutes = 2\nlog.retention.bytes = -1\n{TOPIC}config = {{ retention.ms = 1000, retention.bytes = 1000000 }}\n{PRODUCER}");
    promises_given_away_are_pointed_out: format!("{NAME}[cluster.config]\nunclean.leader.election.enable = true\n{TOPIC}{PRODUCER}config = {{ enable.idempotence = false }}\n[[producer]]\nname = \"q\"\ntopic = \"chat\"\nconfig = {{ acks = 1, enable.idempotence = false, max.in.flight = 1 }}\n{FAULT}[expect]\ninconsistent-offsets = \"allowed\"\n");
    groups_that_wait_for_no_commits_are_pointed_out: format!("{NAME}{TOPIC}{PRODUCER}transactions = {{ records = 100 }}\n[[consumer-group]]\nname = \"g\"\ntopics = [\"chat\"]\nconfig = {{ isolation.level = \"read_uncommitted\" }}\n{FAULT}");
    two_replicas_that_must_both_be_in_sync_are_pointed_out: format!("{NAME}[cluster]\nbrokers = 2\n{TOPIC}{PRODUCER}{FAULT}");
    a_floor_of_no_evidence_is_pointed_out: with(&format!("{FAULT}[evidence]\nacked = 0\nsends-per-fault = 0\n"));
    several_members_on_a_mock_are_pointed_out: with(&format!("members = 2\n{FAULT}[cluster]\nkind = \"mock\"\n"));
    a_baseline_is_named_as_one: with("");
    losing_the_quorum_is_pointed_out: faults(&[
        "id = \"a\"; at = \"1s\"; for = \"5s\"; pause = { target = \"followers:chat-0\" }",
        "id = \"b\"; at = \"10s\"; for = \"5s\"; kill = { target = \"broker:1\" }",
        "id = \"c\"; at = \"12s\"; for = \"5s\"; kill = { target = \"broker:2\" }",
    ]);
    what_strikes_again_may_meet_another_and_that_is_pointed_out: faults(&[
        "id = \"again\"; every = \"6s..9s\"; for = \"1s..2s\"; pause = { target = \"broker:1\" }",
        "id = \"b\"; at = \"10s\"; for = \"5s\"; kill = { target = \"broker:1\" }",
        "id = \"c\"; at = \"17s\"; for = \"5s\"; kill = { target = \"broker:2\" }",
    ]);
    faults_that_may_put_back_what_the_other_had_made_are_pointed_out: faults(&[
        "id = \"a\"; at = \"1s\"; for = \"5s\"; limit = { target = \"leader:chat-0\", cpu = \"50%\" }",
        "id = \"b\"; at = \"3s\"; for = \"1s\"; limit = { target = \"broker:1\", cpu = \"20%\" }",
        "id = \"c\"; at = \"1s\"; for = \"5s\"; reassign = { partition = \"chat-1\", how = \"rotate\" }",
        "id = \"d\"; at = \"6s\"; for = \"5s\"; transfer-leader = { partition = \"chat-1\" }",
    ]);
    draws_that_may_collide_are_pointed_out: faults(&[
        "id = \"a\"; at = \"1s\"; for = \"5s\"; pause = { target = \"random\" }",
        "id = \"b\"; at = \"2s\"; for = \"5s\"; kill = { target = \"controller\" }",
    ]);
    weak_acks_beside_a_forbidden_loss_are_pointed_out: format!("{NAME}[cluster.config]\nmin.insync.replicas = 3\n{TOPIC}{PRODUCER}config = {{ acks = 1 }}\n[[fault]]\nid = \"f\"\nat = \"1s\"\nfor = \"1s\"\nkill = {{ target = \"random\" }}\n");
}

#[test]
fn the_smallest_scenario_gets_the_documented_defaults() {
    let scenario = scenario::parse("s.toml", &format!("{NAME}{TOPIC}{PRODUCER}")).expect("it is legal").scenario;
    let producer = &scenario.producers[0];
    assert_eq!((scenario.cluster.brokers, scenario.cluster.heap_bytes), (3, 512 * 1024 * 1024));
    assert_eq!((scenario.topics[0].partitions, scenario.topics[0].replication_factor), (3, 3));
    assert_eq!((producer.count, producer.rate), (1, Rate::PerSecond(1000.0)));
    assert_eq!((producer.size_bytes, producer.keys, producer.in_flight), ((128, 128), 100, 10_000));
    assert_eq!((scenario.evidence.acked, scenario.evidence.sends_per_fault), (1000, 100));
    let not_forbidden = |check: &CheckName| scenario.expectation(*check) != Expectation::Forbidden;
    let allowed: Vec<CheckName> = CheckName::ALL.into_iter().filter(not_forbidden).collect();
    assert_eq!(allowed, [CheckName::Redelivery, CheckName::CrashSkip]);
    assert!(allowed.into_iter().all(|check| scenario.expectation(check) == Expectation::Allowed));
}

#[test]
fn every_check_is_explained_and_no_other() {
    let page = include_str!("../docs/checks.md");
    let headings = page.lines().filter_map(|line| line.strip_prefix("### "));
    let mut explained: Vec<&str> = headings.flat_map(|heading| heading.split(", ")).collect();
    let mut checks: Vec<&str> = CheckName::ALL.into_iter().map(CheckName::name).collect();
    explained.sort_unstable();
    checks.sort_unstable();
    assert_eq!(explained, checks);
}

#[test]
fn fewer_brokers_than_three_get_as_many_replicas() {
    let text = format!("{NAME}[cluster]\nbrokers = 1\n{TOPIC}{PRODUCER}");
    let scenario = scenario::parse("s.toml", &text).expect("it is legal").scenario;
    assert_eq!(scenario.topics[0].replication_factor, 1);
}

#[test]
fn faults_that_change_different_things_or_follow_one_another_are_let_be() {
    let settings = |more: &[&str]| {
        let first = "id = \"a\"; at = \"1s\"; for = \"5s\"; alter-config = { topic = \"chat\", set = { \"retention.ms\" = 60000 } }";
        warned(faults(&[&[first], more].concat()))
    };
    for other in [
        "id = \"b\"; at = \"3s\"; for = \"1s\"; alter-config = { topic = \"chat\", set = { \"min.insync.replicas\" = 1 } }",
        "id = \"b\"; at = \"3s\"; for = \"1s\"; alter-config = { target = \"broker:1\", set = { \"retention.ms\" = 1 } }",
        "id = \"b\"; at = \"7s\"; for = \"1s\"; alter-config = { topic = \"chat\", set = { \"retention.ms\" = 1 } }",
        "id = \"b\"; after = \"a\"; for = \"1s\"; alter-config = { topic = \"chat\", set = { \"retention.ms\" = 1 } }",
    ] {
        assert!(!settings(&[other]).contains("at the same time"), "{other}");
    }
    let chain = [
        "id = \"b\"; after = \"a\"; for = \"9s\"; kill = { target = \"broker:1\" }",
        "id = \"c\"; after = \"b\"; for = \"1s\"; alter-config = { topic = \"chat\", set = { \"retention.ms\" = 1 } }",
    ];
    assert!(!settings(&chain).contains("at the same time"));
}

#[test]
fn a_property_may_be_written_with_quotes_or_with_plain_dots() {
    let plain = format!("{NAME}{TOPIC}{PRODUCER}config = {{ enable.idempotence = true, linger.ms = 5 }}\n");
    let quoted = format!("{NAME}{TOPIC}{PRODUCER}config = {{ \"enable.idempotence\" = true, \"linger.ms\" = 5 }}\n");
    let read = |text: &str| scenario::parse("s.toml", text).expect("it is legal").scenario.producers[0].config.clone();
    assert_eq!(read(&plain), read(&quoted));
    assert_eq!(read(&plain)["linger.ms"], "5");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = scenario::load(Path::new("no/such/scenario.toml")).expect_err("there is none");
    assert!(matches!(error, ScenarioError::Unreadable { .. }));
    assert!(render_error(&error, Style::Plain).contains("no/such/scenario.toml"));
}

#[test]
fn losing_the_quorum_on_purpose_is_no_news() {
    let lost = with("[[fault]]\nid = \"f\"\nat = \"1s\"\nfor = \"1s\"\nkill = { target = \"majority\" }\n");
    assert!(warned(&lost).contains("quorum"));
    assert_eq!(warned(format!("{lost}[safety]\nallow-quorum-loss = true\n")), "");
    assert!(warned(format!("{lost}[safety]\nallow-quorum-loss = false\n")).contains("quorum"));
}

#[test]
fn promises_given_up_on_purpose_are_no_news() {
    let weak = format!("{NAME}{TOPIC}{PRODUCER}config = {{ acks = 1 }}\n");
    let expect = ["lost-write", "inconsistent-offsets", "duplicate", "producer-order"]
        .map(|check| format!("{check} = \"allowed\"\n"));
    assert_eq!(warned(format!("{weak}{FAULT}[expect]\n{}", expect.concat())), "");
    assert!(!warned(&weak).contains("promises"), "without faults nothing is warned of");
}

#[test]
fn every_codec_that_kafka_knows_can_be_used() {
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let text = format!("{NAME}{TOPIC}{PRODUCER}config = {{ \"compression.type\" = \"{codec}\" }}\n");
        if let Err(error) = scenario::parse("s.toml", &text) {
            panic!("{}", render_error(&error, Style::Plain));
        }
    }
}

#[test]
fn every_shipped_scenario_is_right_and_has_a_plan() {
    let files = scenario_files(Path::new("scenarios")).expect("the directory is there");
    assert!(files.len() >= 10, "{files:?}");
    for file in files {
        let parsed = scenario::load(&file).unwrap_or_else(|error| panic!("{}", render_error(&error, Style::Plain)));
        let stem = file.file_stem().and_then(|stem| stem.to_str());
        assert_eq!(Some(parsed.scenario.name.as_str()), stem, "a scenario bears its file's name");
        let text = std::fs::read_to_string(&file).expect("it was read above");
        for word in ["# What:", "# Why:", "# Expected:"] {
            assert!(text.contains(word), "{} says no `{word}`", file.display());
        }
        let plan = plan(&parsed.scenario, 42);
        for fault in &parsed.scenario.faults {
            assert!(plan.steps.iter().any(|step| *step.origin() == fault.id), "{} is never planned", fault.id);
        }
        assert!(to_json(&plan).ends_with("}\n"));
    }
}

#[test]
fn a_stored_scenario_is_read_back_as_it_was() {
    for file in scenario_files(Path::new("scenarios")).expect("the directory is there") {
        let scenario = scenario::load(&file).expect("every shipped scenario is right").scenario;
        let json = serde_json::to_string(&scenario).expect("a scenario is plain data");
        assert_eq!(serde_json::from_str::<scenario::Scenario>(&json).expect("its own format"), scenario);
    }
}

/// Scenarios of every sort: one fault, several, by the clock, in turn, of clients, of Kafka's own levers, on no cluster of ours.
const DRAWN: [&str; 13] = [
    "kill-one",
    "kill-leader",
    "two-at-once",
    "bridge",
    "rolling",
    "flaky-network",
    "chase-the-leader",
    "crash-consumer",
    "exactly-once",
    "transfer-leader",
    "soak",
    "attach-compose",
    "controls/acks-one-loses",
];

fn drawn(name: &str, width: usize, charset: Charset) -> String {
    let parsed = scenario::load(Path::new(&format!("scenarios/{name}.toml"))).expect("it ships");
    let plan = plan(&parsed.scenario, 42);
    render_timeline(&parsed.scenario, &plan, &Sheet { width, charset, style: Style::Plain })
}

#[test]
fn a_plan_is_drawn_for_people_on_wide_and_on_narrow_sheets() {
    for name in DRAWN {
        for width in [100, 60] {
            let text = drawn(name, width, Charset::Unicode);
            insta::assert_snapshot!(format!("{}-{width}", name.replace('/', "-")), text);
        }
    }
}

#[test]
fn a_plan_needs_no_letter_that_a_terminal_may_lack() {
    for file in scenario_files(Path::new("scenarios")).expect("the directory is there") {
        let scenario = scenario::load(&file).expect("every shipped scenario is right").scenario;
        for (width, charset) in [(100, Charset::Ascii), (60, Charset::Ascii), (80, Charset::Unicode)] {
            let sheet = Sheet { width, charset, style: Style::Plain };
            let text = render_timeline(&scenario, &plan(&scenario, 42), &sheet);
            assert!(charset == Charset::Unicode || text.is_ascii(), "{}:\n{text}", file.display());
            let widest = text.lines().map(|line| line.chars().count()).max().unwrap_or(0);
            assert!(widest <= width, "{} at {width} is {widest} wide:\n{text}", file.display());
        }
    }
    insta::assert_snapshot!(drawn("chase-the-leader", 80, Charset::Ascii));
}

mod robustness {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in ".{0,200}") {
            let _ = scenario::parse("s.toml", &text);
        }

        #[test]
        fn no_damage_to_a_real_scenario_makes_the_reader_panic(at in 0_usize..2000, length in 0_usize..40, patch in "[ -~]{0,8}") {
            // ASCII, so that it may be cut anywhere.
            let text = include_str!("../scenarios/two-groups.toml");
            let (from, to) = (at.min(text.len()), (at + length).min(text.len()));
            let damaged = format!("{}{patch}{}", &text[..from], &text[to..]);
            if let Err(error) = scenario::parse("s.toml", &damaged) {
                prop_assert!(!error.problems().is_empty());
                prop_assert!(!render_error(&error, Style::Plain).is_empty());
            }
        }
    }
}
