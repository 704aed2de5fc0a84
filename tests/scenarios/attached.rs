//! Scenarios for a cluster that is there already: `[cluster]` with `kind = "attach"`.

use std::collections::BTreeMap;

use wiber_chaos::cli::plan::render_timeline;
use wiber_chaos::cli::sheet::{Charset, Sheet};
use wiber_chaos::cli::terminal::Style;
use wiber_chaos::kafka::{BrokerId, Endpoint};
use wiber_chaos::plan::plan;
use wiber_chaos::scenario::{self, AttachSpec, ClusterKind, ClusterSpec};

use super::{FAULT, GROUP, NAME, PRODUCER, TOPIC, refused, warned};

const CONTAINERS: &str = "containers = { 1 = \"kafka-1\", 2 = \"kafka-2\", 3 = \"kafka-3\" }\n";

const SHEET: Sheet = Sheet { width: 100, charset: Charset::Unicode, style: Style::Plain };

/// A scenario on an attached cluster; these lines below `[cluster]`, and this at the end.
fn attached(cluster: &str, more: &str) -> String {
    let bootstrap = if cluster.contains("bootstrap") { "" } else { "bootstrap = [\"localhost:9092\"]\n" };
    format!("{NAME}[cluster]\nkind = \"attach\"\n{bootstrap}{cluster}{TOPIC}{PRODUCER}{GROUP}{more}")
}

/// The same with these properties of every client.
fn with_client(properties: &[&str]) -> String {
    attached(&format!("{CONTAINERS}[cluster.client]\n{}\n", properties.join("\n")), FAULT)
}

fn read(text: &str) -> ClusterSpec {
    scenario::parse("s.toml", text).expect("the scenario is right").scenario.cluster
}

fn spec(text: &str) -> AttachSpec {
    read(text).attach.expect("an attached cluster is attached to something")
}

refused! {
    all_mistakes_of_an_attached_cluster_are_shown_at_once: include_str!("attached-cluster.toml");
    targets_that_no_container_is_named_for: include_str!("attached-targets.toml");
    properties_that_are_not_about_how_every_client_connects: include_str!("attached-client.toml");
    an_attached_cluster_is_somewhere: format!("{NAME}[cluster]\nkind = \"attach\"\nbootstrap-servers = \"localhost:9092\"\n{TOPIC}{PRODUCER}[[consumer-group]]\n");
    an_attached_cluster_without_an_address: format!("{NAME}[cluster]\nkind = \"attach\"\n{TOPIC}{PRODUCER}");
    addresses_that_are_none: attached("bootstrap = [\"SSL://kafka:9093\", \"kafka:0\", \"\", 9092]\n", "");
    an_empty_list_of_addresses: attached("bootstrap = []\n", "");
    containers_that_are_none: attached("containers = { kafka-1 = 1, 01 = \"kafka-1\", -1 = \"kafka-2\", 2 = 3, 4 = \"kafka-4\" }\n", FAULT);
    more_containers_than_brokers: attached(&format!("brokers = 2\n{CONTAINERS}"), FAULT);
    faults_without_any_container: attached("", &format!("{FAULT}[[fault]]\nid = \"g\"\nat = \"5s\"\nrestart = {{ target = \"controller\" }}\n"));
    what_is_only_for_an_attached_cluster: format!("{NAME}[cluster]\nbootstrap = [\"localhost:9092\"]\n{CONTAINERS}client = {{ security.protocol = \"ssl\" }}\n{TOPIC}{PRODUCER}");
    a_mock_is_attached_to_nothing: format!("{NAME}[cluster]\nkind = \"mock\"\nbootstrap = [\"localhost:9092\"]\n{TOPIC}{PRODUCER}");
    a_login_without_a_protocol_for_it: with_client(&["\"sasl.mechanism\" = \"PLAIN\"", "\"sasl.username\" = \"chatter\"", "\"sasl.password\" = \"hunter2\""]);
    encryption_without_a_protocol_for_it: with_client(&["\"security.protocol\" = \"SASL_PLAINTEXT\"", "\"ssl.ca.location\" = \"ca.pem\"", "\"enable.ssl.certificate.verification\" = false"]);
}

warned! {
    brokers_without_a_container_may_be_met: attached("brokers = 4\ncontainers = { 0 = \"kafka-0\", 2 = \"kafka-2\" }\n", "\
        [[fault]]\nid = \"a\"\nat = \"1s\"\nfor = \"1s\"\nkill = { target = \"leader:chat-0\" }\n\
        [[fault]]\nid = \"b\"\nat = \"4s\"\nfor = \"1s\"\nstop = { target = \"followers:chat-0\" }\n\
        [[fault]]\nid = \"c\"\nat = \"7s\"\nfor = \"1s\"\npause = { target = \"coordinator:g\" }\n\
        [[fault]]\nid = \"d\"\nat = \"10s\"\nrestart = { target = \"controller\" }\n\
        [[fault]]\nid = \"e\"\nat = \"13s\"\nrestart = { target = \"random:2\" }\n\
        [[fault]]\nid = \"f\"\nat = \"16s\"\nrestart = { target = \"broker:0\" }\n");
    secrets_that_are_written_out: with_client(&["\"security.protocol\" = \"SASL_SSL\"", "\"sasl.mechanism\" = \"PLAIN\"", "\"sasl.username\" = \"chatter\"", "\"sasl.password\" = \"hünter2\"", "\"ssl.key.password\" = \"${KEY_PASSWORD}\"", "\"ssl.key.pem\" = '''\n-----BEGIN\nhunter2\n'''"]);
}

#[test]
fn what_a_login_lacks_is_named() {
    for (written, lacks) in [
        (&[][..], "`sasl.mechanism`, `sasl.username`, `sasl.password`"),
        (&["\"sasl.mechanisms\" = \"PLAIN\"", "\"sasl.username\" = \"u\""], "`sasl.password`"),
        (&["\"sasl.mechanism\" = \"PLAIN\"", "\"sasl.password\" = \"${P}\""], "`sasl.username`"),
    ] {
        for protocol in ["SASL_SSL", "sasl_plaintext", "Sasl_Ssl"] {
            let protocol = format!("\"security.protocol\" = \"{protocol}\"");
            let shown = refused(with_client(&[&[protocol.as_str()], written].concat()));
            assert!(shown.contains(&format!("clients need {lacks} too")), "{shown}");
            assert!(shown.contains("s.toml has 1 problem\n"), "{shown}");
        }
    }
}

#[test]
fn what_the_environment_decides_is_left_to_the_run() {
    let decided = [
        "\"security.protocol\" = \"${PROTOCOL}\"",
        "\"sasl.mechanism\" = \"${MECHANISM}\"",
        "\"socket.timeout.ms\" = \"${T}0\"",
    ];
    let client = spec(&with_client(&decided)).client;
    assert_eq!(client["security.protocol"], "${PROTOCOL}", "as it is written, for the run to read");
    assert_eq!(client["socket.timeout.ms"], "${T}0");
}

#[test]
fn a_complete_login_is_right() {
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        let text = with_client(&[
            "security.protocol = \"SASL_SSL\"",
            "ssl.ca.location = \"certs/ca.pem\"",
            &format!("sasl.mechanism = \"{mechanism}\""),
            "sasl.username = \"chatter\"",
            "sasl.password = \"${KAFKA_PASSWORD}\"",
            "client.dns.lookup = \"use_all_dns_ips\"",
        ]);
        assert_eq!(warned(&text), "");
        assert_eq!(spec(&text).client["sasl.mechanism"], mechanism);
    }
}

#[test]
fn containers_are_named_in_each_way_of_writing_a_table() {
    let ways = [
        "containers = { 0 = \"kafka-0\", 101 = \"kafka-101\" }\n",
        "containers = { \"0\" = \"kafka-0\", \"101\" = \"kafka-101\" }\n",
        "containers.0 = \"kafka-0\"\ncontainers.101 = \"kafka-101\"\n",
        "[cluster.containers]\n0 = \"kafka-0\"\n101 = \"kafka-101\"\n",
    ];
    let expected = BTreeMap::from([(BrokerId(0), "kafka-0".to_owned()), (BrokerId(101), "kafka-101".to_owned())]);
    for way in ways {
        let cluster = read(&attached(way, ""));
        assert_eq!((cluster.kind, cluster.brokers), (ClusterKind::Attach, 2), "as many as there are containers");
        assert_eq!(cluster.broker_ids(), [0, 101]);
        assert_eq!(cluster.attach.expect("it is attached").containers, expected, "{way}");
    }
}

#[test]
fn an_attached_cluster_has_documented_defaults() {
    let cluster = read(&attached("", ""));
    assert_eq!((cluster.brokers, cluster.start_limit.as_secs()), (3, 180));
    let attach = cluster.attach.expect("it is attached");
    assert_eq!(attach.bootstrap, [Endpoint::new("localhost", 9092)]);
    assert!(attach.containers.is_empty() && attach.client.is_empty());
    assert!(read(&super::with("")).attach.is_none(), "other clusters are attached to nothing");
}

#[test]
fn a_large_cluster_that_is_there_already_is_no_matter() {
    assert_eq!(read(&attached("brokers = 60\n", "")).brokers, 60);
    assert_eq!(read(&attached("brokers = 5\ncontainers = { 4 = \"kafka-4\" }\n", "")).brokers, 5);
}

#[test]
fn nobody_knows_whether_an_attached_broker_is_a_controller_too() {
    let majority = "[[fault]]\nid = \"f\"\nat = \"1s\"\nfor = \"1s\"\nkill = { target = \"majority\" }\n";
    assert_eq!(warned(attached(CONTAINERS, majority)), "");
    assert!(warned(super::with(majority)).contains("quorum"));
}

#[test]
fn no_message_shows_a_secret() {
    for secret in ["hunter2", "hunter2${X}", "hunter2${X", "${hunter2 }", "$${hunter2}"] {
        let password = format!("\"sasl.password\" = \"{secret}\"");
        for more in ["\"security.protocol\" = \"SASL_SSL\"", "\"no.such.thing\" = 1"] {
            let shown = refused(with_client(&[&password, more]));
            assert!(shown.contains("\"sasl.password\" = \"***") && !shown.contains("hunter2"), "{shown}");
        }
    }
    for elsewhere in [include_str!("attached-cluster.toml"), include_str!("attached-client.toml")] {
        assert!(elsewhere.contains("hunter2"));
        assert!(!refused(elsewhere).contains("hunter2"), "{}", refused(elsewhere));
    }
}

#[test]
fn a_plan_without_containers_says_so() {
    let scenario = scenario::parse("s.toml", &attached("", "")).expect("a baseline needs no container").scenario;
    let timeline = render_timeline(&scenario, &plan(&scenario, 1), &SHEET);
    assert!(timeline.contains("containers: none"), "{timeline}");
}

#[test]
fn a_plan_draws_as_many_of_the_named_as_a_run_will_strike() {
    let minority = "[[fault]]\nid = \"f\"\nat = \"1s\"\nfor = \"1s\"\nkill = { target = \"minority\" }\n";
    let text = attached("brokers = 5\ncontainers = { 7 = \"kafka-7\", 9 = \"kafka-9\" }\n", minority);
    let scenario = scenario::parse("s.toml", &text).expect("the minority of five is two").scenario;
    let timeline = render_timeline(&scenario, &plan(&scenario, 1), &SHEET);
    assert!(timeline.contains("(broker-7, broker-9)") || timeline.contains("(broker-9, broker-7)"), "{timeline}");
}
