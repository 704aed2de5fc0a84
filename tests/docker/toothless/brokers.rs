//! Faults of processes, networks and disks: what was stopped is started, what was cut is joined, what was filled is freed.

use super::{assert_toothless, docker, in_force, label, named, until};
use crate::program::{Place, names, start};
use crate::turn;

/// One fault after another, so that the brokers live through all of them; the last is left alone.
const SCENARIO: &str = r#"
name = "toothless"
seed = 42
[cluster]
disk = "256MiB"
[[topic]]
name = "chat"
partitions = 3
replication-factor = 3
[[producer]]
name = "chatters"
topic = "chat"
rate = "500/s"
[phases]
warmup = "3s"
chaos = "180s"
recovery = "60s"
drain = "60s"
[[fault]]
id = "thawed"
at = "1s"
for = "5s"
pause = { target = "broker:1" }
[[fault]]
id = "started"
after = "thawed"
for = "8s"
kill = { target = "broker:1" }
[[fault]]
id = "unruled"
after = "started"
for = "8s"
partition = { target = "broker:2", to = "broker:3", plane = "replication" }
[[fault]]
id = "opened"
after = "unruled"
for = "8s"
degrade = { target = "broker:3", latency = "20ms" }
[[fault]]
id = "plugged"
after = "opened"
for = "8s"
disconnect = { target = "broker:2" }
[[fault]]
id = "lifted"
after = "plugged"
for = "8s"
limit = { target = "broker:2", cpu = "50%" }
[[fault]]
id = "freed"
after = "lifted"
for = "12s"
disk-full = { target = "broker:3" }
[[fault]]
id = "control"
after = "freed"
for = "3s"
pause = { target = "broker:2" }
[evidence]
sends-per-fault = 1
"#;

/// Takes our rules out of a broker's network, and says whether there were any.
fn unrule(broker: &str) -> bool {
    let network = format!("container:{broker}");
    let script = "iptables-save | grep -c WIBER- ; iptables -F INPUT";
    let entry = ["run", "--rm", "--network", &network, "--cap-add", "NET_ADMIN", "--entrypoint", "sh"];
    let said = docker(&[&entry[..], &["wiber/nemesis:1", "-c", script]].concat());
    said.first().is_some_and(|count| count != "0")
}

#[test]
fn a_fault_without_teeth_makes_the_run_inconclusive() {
    let _turn = turn::cluster();
    let place = Place::new();
    let mut command = place.run();
    command.arg(place.file("s.toml", SCENARIO));
    let mut child = start(command);
    let in_force = |child: &mut std::process::Child, fault: &str| in_force(&place, "toothless", child, fault);
    in_force(&mut child, "thawed");
    let label = label(&place);
    let broker = |id: u32| format!("{label}-kafka-{id}");
    docker(&["unpause", &broker(1)]);

    in_force(&mut child, "started");
    docker(&["start", &broker(1)]);

    in_force(&mut child, "unruled");
    until("its rules were taken away", || unrule(&broker(2)) | unrule(&broker(3)));

    in_force(&mut child, "opened");
    until("its side-car is dead", || {
        for hand in named(&label, "-hand-") {
            docker(&["kill", &hand]);
        }
        true
    });

    in_force(&mut child, "plugged");
    docker(&["network", "connect", &label, &broker(2)]);

    in_force(&mut child, "lifted");
    docker(&["update", "--cpu-quota", "-1", &broker(2)]);

    in_force(&mut child, "freed");
    let volumes = broker(3);
    let remove = "rm -f /var/lib/kafka/data/.wiber-chaos-ballast";
    docker(&["run", "--rm", "--volumes-from", &volumes, "--entrypoint", "sh", "wiber/nemesis:1", "-c", remove]);

    let directory = place.latest("toothless");
    let toothless = [
        ("thawed", "its silence"),
        ("unruled", "which somebody took away"),
        ("opened", "which somebody took away"),
        ("started", "its staying down"),
        ("plugged", "its absence from every network"),
        ("lifted", "its limit"),
        ("freed", "a disk that stayed full"),
    ];
    assert_toothless(&mut child, &directory, &toothless);
    assert_eq!(names(&directory.join("logs")), ["broker-1.log", "broker-2.log", "broker-3.log"]);
    assert_eq!(named(&label, ""), Vec::<String>::new(), "left behind");
}
