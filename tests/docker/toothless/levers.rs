//! Faults that Kafka's own protocol brings about, and faults of the load's clients: settings and replicas are put back, processes
//! are thawed and stopped, and some are asked for where there is nothing to be done.

use std::time::Duration;

use wiber_chaos::cluster::admin::{configs, leaders, replicas};
use wiber_chaos::cluster::peers::Peers;
use wiber_chaos::kafka::TopicPartition;
use wiber_chaos::kafka::levers::{ConfigChange, ConfigOwner};

use super::{assert_toothless, in_force, label, named, until};
use crate::outside::{client_processes, is_client, peers, pid_of, signal};
use crate::program::{Place, start};
use crate::turn;

const LIMIT: Duration = Duration::from_secs(60);

/// Nearly all at once, because they are at different partitions and clients.
const SCENARIO: &str = r#"
name = "tame"
seed = 42
[[topic]]
name = "chat"
partitions = 3
replication-factor = 3
[[topic]]
name = "quiet"
partitions = 1
replication-factor = 3
[[producer]]
name = "chatters"
topic = "chat"
rate = "200/s"
[[producer]]
name = "doomed"
topic = "chat"
rate = "100/s"
[[consumer-group]]
name = "readers"
topics = ["chat"]
members = 2
[[consumer-group]]
name = "calm"
topics = ["chat"]
[phases]
warmup = "8s"
chaos = "90s"
recovery = "60s"
drain = "60s"
[[fault]]
id = "restored"
at = "1s"
for = "25s"
alter-config = { topic = "chat", set = { "segment.ms" = 900000 } }
[[fault]]
id = "returned"
at = "1s"
for = "25s"
transfer-leader = { partition = "chat-0" }
[[fault]]
id = "rotated-back"
at = "1s"
for = "25s"
reassign = { partition = "chat-1", how = "rotate" }
[[fault]]
id = "needless"
at = "1s"
elect = { partition = "chat-2" }
[[fault]]
id = "nothing-there"
at = "1s"
delete-records = { partition = "quiet-0" }
[[fault]]
id = "resumed"
at = "4s"
for = "10s"
freeze-client = { target = "member:readers/0" }
[[fault]]
id = "lull"
at = "4s"
for = "8s"
rebalance-storm = { group = "calm", every = "10m" }
[[fault]]
id = "stopped-already"
at = "12s"
for = "2s"
crash-client = { target = "producer:doomed/0" }
[[fault]]
id = "control-leader"
after = "returned"
for = "2s"
transfer-leader = { partition = "chat-0" }
[[fault]]
id = "control-settings"
after = "returned"
for = "2s"
alter-config = { topic = "chat", set = { "segment.ms" = 900000 } }
[[fault]]
id = "control-client"
after = "resumed"
for = "3s"
freeze-client = { target = "member:readers/0" }
[evidence]
sends-per-fault = 1
"#;

/// The settings as they were.
async fn restore_settings(peers: &Peers) {
    let topic = ConfigOwner::Topic("chat".to_owned());
    configs::alter(peers, &topic, &[ConfigChange::delete("segment.ms")], LIMIT).await.expect("settings");
}

/// The old leader again, which a transfer puts next to the new one.
async fn lead_again(peers: &Peers) {
    let led = TopicPartition::new("chat", 0);
    let now = leaders::placement(peers, &led, LIMIT).await.expect("a placement");
    leaders::transfer(peers, &led, now.replicas[1], LIMIT).await.expect("a leader");
}

/// The old order of replicas.
async fn rotate_back(peers: &Peers) {
    let rotated = TopicPartition::new("chat", 1);
    let mut order = leaders::placement(peers, &rotated, LIMIT).await.expect("a placement").replicas;
    order.rotate_right(1);
    replicas::reassign(peers, &rotated, &order, LIMIT).await.expect("an order");
}

#[test]
fn a_fault_of_kafka_or_of_a_client_without_teeth_makes_the_run_inconclusive() {
    let _turn = turn::cluster();
    let place = Place::new();
    let mut command = place.run();
    command.arg(place.file("s.toml", SCENARIO));
    let mut child = start(command);
    let in_force = |child: &mut std::process::Child, fault: &str| in_force(&place, "tame", child, fault);
    in_force(&mut child, "resumed");
    let directory = place.latest("tame");
    let frozen = pid_of(&directory, "readers/0");
    signal(frozen, "-CONT");
    let doomed: Vec<u32> = client_processes(&child).into_iter().filter(|pid| *pid != frozen).collect();
    let [doomed] = doomed[..] else {
        panic!("{doomed:?} beside {frozen}: one client is to be crashed, and one frozen")
    };
    signal(doomed, "-STOP");

    in_force(&mut child, "restored");
    let label = label(&place);
    let peers = peers(&label, &[1, 2, 3]);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(restore_settings(&peers));
    in_force(&mut child, "rotated-back");
    runtime.block_on(rotate_back(&peers));
    in_force(&mut child, "returned");
    runtime.block_on(lead_again(&peers));

    let toothless = [
        ("restored", "the new settings at every look"),
        ("returned", "until the heal (somebody made them"),
        ("rotated-back", "until the heal (somebody made them"),
        ("needless", "an election that was needed"),
        ("nothing-there", "a later start of the log"),
        ("resumed", "its freeze"),
        ("lull", "2 joins and as many leaves"),
        ("stopped-already", "a running client before the fault (it was frozen)"),
    ];
    assert_toothless(&mut child, &directory, &toothless);
    until("no process of a client is left", || ![frozen, doomed].into_iter().any(is_client));
    assert_eq!(named(&label, ""), Vec::<String>::new(), "left behind");
}
