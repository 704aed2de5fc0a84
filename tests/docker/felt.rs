//! What a run's network faults are to somebody who stands outside: round trips to a broker's published port and datagrams
//! between two brokers' networks, before the faults, while they are in force, after a broker's restart in their middle, and
//! after the heal. The run's own looks are not asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use wiber_chaos::anomaly::Validity;
use wiber_chaos::verdict::{RunOutcome, Verdict};

use crate::hand::lab::{TOOLS, at_best, wait_for_ready};
use crate::outside::{client_port, events};
use crate::program::{Place, start, wait};
use crate::turn;

/// First a late broker and a mute one; then a broker that is cut, slow and restarted, all at once.
const SCENARIO: &str = r#"
name = "felt"
seed = 42
[[topic]]
name = "chat"
partitions = 3
replication-factor = 3
[[producer]]
name = "chatters"
topic = "chat"
rate = "300/s"
[phases]
warmup = "5s"
chaos = "150s"
recovery = "90s"
drain = "60s"
[[fault]]
id = "late"
at = "25s"
for = "30s"
degrade = { target = "broker:1", to = "clients", plane = "client", latency = "50ms", jitter = "10ms" }
[[fault]]
id = "mute"
at = "25s"
for = "30s"
partition = { target = "broker:2", to = "broker:3", direction = "out" }
[[fault]]
id = "cut"
after = "mute"
for = "70s"
partition = { target = "broker:2", to = "broker:3", plane = "replication" }
[[fault]]
id = "slow"
after = "mute"
for = "70s"
degrade = { target = "broker:2", to = "clients", latency = "40ms" }
[[fault]]
id = "restart"
after = "mute"
delay = "10s"
restart = { target = "broker:2" }
[evidence]
sends-per-fault = 1
"#;

const PATIENCE: Duration = Duration::from_secs(30);

/// `ApiVersions`, version 0, of a client that is called `out`; its correlation id comes back first.
const QUESTION: [u8; 17] = *b"\0\0\0\x0d\0\x12\0\0\0\0\0\x07\0\x03out";
const CORRELATION: [u8; 4] = *b"\0\0\0\x07";

/// So many questions are asked on one connection.
const QUESTIONS: usize = 21;

/// So many datagrams are sent one way.
const DATAGRAMS: usize = 100;

/// How long a broker that hangs up, as one that is restarted does, is left alone before it is asked again.
const BETWEEN_ATTEMPTS: Duration = Duration::from_secs(1);

/// How long each question to a broker took until its answer was there, sorted, in milliseconds; none when it hung up.
fn round_trips_ms(port: u16) -> Vec<f64> {
    let mut times = ask(port).unwrap_or_else(|_| {
        std::thread::sleep(BETWEEN_ATTEMPTS);
        Vec::new()
    });
    times.sort_by(f64::total_cmp);
    times
}

fn ask(port: u16) -> std::io::Result<Vec<f64>> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    (0..QUESTIONS).map(|_| round_trip_ms(&mut stream)).collect()
}

fn round_trip_ms(stream: &mut TcpStream) -> std::io::Result<f64> {
    let asked = Instant::now();
    stream.write_all(&QUESTION)?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut answer = vec![0; usize::try_from(u32::from_be_bytes(length)).expect("a length")];
    stream.read_exact(&mut answer)?;
    let took = asked.elapsed();
    assert_eq!(answer[..4], CORRELATION);
    Ok(took.as_secs_f64() * 1000.0)
}

/// Nothing holds the quickest. A busy machine makes many of them late, and a fault every one.
fn is_quick(times: &[f64]) -> bool {
    times.first().is_some_and(|quickest| *quickest < 20.0)
}

/// Every one is held by so much, and the third by no more than that: the others have a busy machine to wait for.
fn is_held(times: &[f64], least_ms: f64, most_ms: f64) -> bool {
    // A clock's tick is forgiven.
    times.len() == QUESTIONS && times[0] >= least_ms - 0.5 && times[2] < most_ms + 8.0
}

/// How long a datagram may be on its way.
const FLIGHT: Duration = Duration::from_secs(1);

/// A tool in the network of a broker, which does its work whenever it is told, and says what came of it.
struct Tool(Child);

impl Tool {
    fn new(label: &str, broker: u32, args: &[&str]) -> Self {
        let network = format!("container:{label}-kafka-{broker}");
        let mut child = Command::new("docker")
            .args([
                "run",
                "-i",
                "--rm",
                "--network",
                &network,
                "wiber/nemesis:1",
                "timeout",
                "300",
                "perl",
                "-e",
                TOOLS,
            ])
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("docker runs");
        wait_for_ready(&mut child);
        Self(child)
    }

    /// Tells it, and waits for the line that it answers with; `timeout` in its container is the limit.
    fn tell(&mut self) -> String {
        self.0.stdin.as_mut().expect("it was asked for").write_all(b"now\n").expect("it listens");
        let mut line = String::new();
        let stdout = self.0.stdout.as_mut().expect("it was asked for");
        BufReader::with_capacity(1, stdout).read_line(&mut line).expect("a line");
        line.trim().to_owned()
    }
}

impl Drop for Tool {
    fn drop(&mut self) {
        // The end of its input ends it, and its container goes with it.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// Datagrams from one broker's network to another's.
struct Way {
    sender: Tool,
    receiver: Tool,
}

impl Way {
    fn new(label: &str, from: u32, to: u32) -> Self {
        let template = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
        let output = Command::new("docker").args(["inspect", "-f", template, &format!("{label}-kafka-{to}")]).output();
        let address = String::from_utf8(output.expect("docker runs").stdout).expect("an address").trim().to_owned();
        let sender = Tool::new(label, from, &["send_when_told", &address, &DATAGRAMS.to_string()]);
        Self { sender, receiver: Tool::new(label, to, &["receive_until_told"]) }
    }

    /// How many of so many datagrams arrive.
    fn passes(&mut self) -> usize {
        assert_eq!(self.sender.tell(), "sent");
        std::thread::sleep(FLIGHT);
        self.receiver.tell().parse().expect("a count")
    }
}

/// Whether a fault has begun to be healed.
fn is_healing(place: &Place, fault: &str) -> bool {
    events(&place.latest("felt")).iter().any(|event| event["event"] == "heal" && event["fault"] == fault)
}

/// Which faults have rules in a broker's network, as its kernel has them.
fn ruled(label: &str, broker: u32, faults: [&str; 2]) -> Vec<String> {
    let network = format!("container:{label}-kafka-{broker}");
    let save = ["run", "--rm", "--network", &network, "--cap-add", "NET_ADMIN", "wiber/nemesis:1", "iptables-save"];
    let output = Command::new("docker").args(save).output().expect("docker runs");
    let rules = String::from_utf8_lossy(&output.stdout).into_owned();
    let has_rules =
        |fault: &&str| rules.lines().any(|rule| rule.contains("WIBER") && rule.contains(&format!("/{fault}")));
    faults.into_iter().filter(has_rules).map(str::to_owned).collect()
}

#[test]
fn network_faults_are_felt_from_outside_and_outlive_a_restart_of_their_broker() {
    let _turn = turn::cluster();
    let place = Place::new();
    let mut command = place.run();
    command.arg(place.file("s.toml", SCENARIO));
    let mut child = start(command);
    let happens = |child: &mut Child, what: &str, fault: &str| {
        place.wait_for_event("felt", child, &[what, "\"ok\"", &format!("\"fault\":\"{fault}\"")]);
    };
    place.wait_for_event("felt", &mut child, &["phase", "warmup"]);
    let ledger = place.ledgers().pop().expect("a ledger");
    let label = ledger.file_stem().expect("a name").to_string_lossy().into_owned();
    let [one, two] = [1, 2].map(|id| client_port(&format!("{label}-kafka-{id}")));
    let (mut out, mut back) = (Way::new(&label, 2, 3), Way::new(&label, 3, 2));
    let before = at_best(|| round_trips_ms(one), |times| is_quick(times));
    println!("before: {:.1} ms at least", before[0]);
    assert_eq!((out.passes(), back.passes()), (DATAGRAMS, DATAGRAMS), "before");

    happens(&mut child, "\"inject\"", "late");
    happens(&mut child, "\"inject\"", "mute");
    let late = at_best(|| round_trips_ms(one), |times| is_held(times, 40.0, 60.0));
    println!("late: {:.1} ms at least, then {:.1} ms and {:.1} ms", late[0], late[1], late[2]);
    assert!(late[QUESTIONS - 1] - late[0] > 4.0, "a jitter of 10 ms is seen: {late:?}");
    at_best(|| round_trips_ms(two), |times| is_quick(times));
    assert_eq!((out.passes(), back.passes()), (0, DATAGRAMS), "2 hears 3, and 3 hears nothing of 2");
    assert!(!is_healing(&place, "late") && !is_healing(&place, "mute"), "measured too late");

    happens(&mut child, "\"heal\"", "late");
    happens(&mut child, "\"heal\"", "mute");
    at_best(|| round_trips_ms(one), |times| is_quick(times));
    assert_eq!((out.passes(), back.passes()), (DATAGRAMS, DATAGRAMS), "after");
    drop((out, back));

    happens(&mut child, "\"inject\"", "cut");
    happens(&mut child, "\"inject\"", "slow");
    let is_slow = |times: &Vec<f64>| is_held(times, 40.0, 50.0);
    at_best(|| round_trips_ms(two), is_slow);
    happens(&mut child, "\"heal\"", "restart");
    let restarted = Instant::now();
    while ruled(&label, 2, ["cut", "slow"]) != ["cut", "slow"] {
        assert!(
            restarted.elapsed() < PATIENCE,
            "the rules are not there again: {:?}",
            ruled(&label, 2, ["cut", "slow"])
        );
    }
    while round_trips_ms(two).is_empty() {
        assert!(restarted.elapsed() < 3 * PATIENCE, "waited {:?} for the restarted broker to answer", 3 * PATIENCE);
    }
    let slow = at_best(|| round_trips_ms(two), is_slow);
    println!("slow after the restart: {:.1} ms at least, then {:.1} ms and {:.1} ms", slow[0], slow[1], slow[2]);
    assert!(!is_healing(&place, "slow") && !is_healing(&place, "cut"), "measured too late");

    let code = wait(&mut child).code();
    assert_all_proven(&place, code);
}

/// Every fault is proven, and of the two that were in force at the restart it is told.
fn assert_all_proven(place: &Place, code: Option<i32>) {
    let text = std::fs::read_to_string(place.latest("felt").join("verdict.json")).expect("the run was judged");
    let verdict: Verdict = serde_json::from_str(&text).expect("verdict.json is a verdict");
    for fault in &verdict.faults {
        assert!(fault.proven, "{}: {}", fault.id, fault.proof);
        let outlived = ["cut", "slow"].contains(&fault.id.0.as_str());
        assert_eq!(fault.proof.contains("put in place anew"), outlived, "{}: {}", fault.id, fault.proof);
    }
    let told = (code, verdict.verdict, verdict.outcome);
    assert_eq!(told, (Some(0), Validity::Valid, RunOutcome::Pass), "{:#?}", verdict.reasons);
}
