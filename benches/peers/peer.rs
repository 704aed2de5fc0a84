//! Other people's clients: kcat (librdkafka, as this project's) and the tools that come with Kafka.

use std::io::{BufWriter, Write as _};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::lab::{Lab, RECORD_BYTES};
use crate::ours;

/// What a peer is asked to send in its first round, for each second that this project's producer has. From then on it is asked for as
/// much as it did in the round before, so that every contestant works for a similar time, and start-up weighs little.
const FIRST_PER_SECOND: u64 = 50_000;

/// Records a second, from kcat's start to its end, when the last acknowledgement has come.
pub fn kcat_produce(lab: &Lab, seconds: u64) -> Result<f64, String> {
    kcat_produces(lab, seconds, "kcat", &[])
}

/// The same with batches that wait to be filled for as long as ours do, and no more requests in flight.
pub fn kcat_produce_as_we_do(lab: &Lab, seconds: u64) -> Result<f64, String> {
    let properties = ["-X", "linger.ms=50", "-X", "max.in.flight.requests.per.connection=4"];
    kcat_produces(lab, seconds, "kcat, as ours is configured", &properties)
}

fn kcat_produces(lab: &Lab, seconds: u64, peer: &'static str, properties: &[&str]) -> Result<f64, String> {
    let (topic, records) = (lab.new_topic()?, lab.pace(peer, FIRST_PER_SECOND) * seconds);
    let lines = lab.home.path().join("lines");
    write_lines(&lines, records).map_err(|error| format!("cannot write {}: {error}", lines.display()))?;
    let mut kcat = kcat(lab);
    kcat.args(["-P", "-q", "-t", &topic, "-X", "acks=all", "-X", "enable.idempotence=true"]);
    kcat.args(properties).arg("-l").arg(&lines);
    let took = timed(&mut kcat)?;
    Ok(lab.paced(peer, records as f64 / took))
}

/// Records a second, from kcat's start to its end. It assigns itself every partition, and waits at a log's end no longer than this
/// project's consumers do; all else is as it comes.
pub fn kcat_consume(lab: &Lab, seconds: u64) -> Result<f64, String> {
    let (topic, records) = filled(lab, seconds)?;
    let mut kcat = kcat(lab);
    kcat.args([
        "-X",
        "fetch.wait.max.ms=100",
        "-C",
        "-q",
        "-e",
        "-o",
        "beginning",
        "-c",
        &records.to_string(),
        "-t",
        &topic,
    ]);
    let took = timed(&mut kcat)?;
    Ok(records as f64 / took)
}

/// What the tool says of itself.
pub fn perf_test_produce(lab: &Lab, seconds: u64) -> Result<f64, String> {
    let (topic, records) = (lab.new_topic()?, (lab.pace("perf-test", FIRST_PER_SECOND) * seconds).to_string());
    let size = RECORD_BYTES.to_string();
    let (_, bootstrap) = lab.tools();
    let server = format!("bootstrap.servers={bootstrap}");
    let said = tool(
        lab,
        "kafka-producer-perf-test",
        &[
            "--topic",
            &topic,
            "--num-records",
            &records,
            "--record-size",
            &size,
            "--throughput",
            "-1",
            "--producer-props",
            &server,
            "acks=all",
            "enable.idempotence=true",
        ],
    )?;
    // `3000000 records sent, 152811.735941 records/sec (...)`, once every few seconds, and once at the end for all of them.
    let all = said.lines().rfind(|line| line.starts_with(&format!("{records} records sent, ")));
    let rate = all.and_then(|line| line.split(", ").nth(1)?.split(' ').next()?.parse().ok());
    let rate = rate.ok_or_else(|| format!("kafka-producer-perf-test did not say its rate: {}", end(&said)))?;
    Ok(lab.paced("perf-test", rate))
}

/// What the tool says of itself.
pub fn verifiable_producer(lab: &Lab, seconds: u64) -> Result<f64, String> {
    let (topic, records) = (lab.new_topic()?, (lab.pace("verifiable", FIRST_PER_SECOND) * seconds).to_string());
    let (_, bootstrap) = lab.tools();
    let arguments = ["--bootstrap-server", bootstrap, "--topic", &topic, "--max-messages", &records, "--acks", "-1"];
    let said = tool(lab, "kafka-verifiable-producer", &arguments)?;
    let last = said.lines().rfind(|line| line.contains("\"avg_throughput\""));
    let told: Option<serde_json::Value> = last.and_then(|line| serde_json::from_str(line).ok());
    let rate = told.as_ref().and_then(|told| told["avg_throughput"].as_f64());
    let rate = rate.ok_or_else(|| format!("kafka-verifiable-producer did not say its rate: {}", end(&said)))?;
    Ok(lab.paced("verifiable", rate))
}

/// What the tool says of its fetching, without the time in which it joined its group.
pub fn perf_test_consume(lab: &Lab, seconds: u64) -> Result<f64, String> {
    let (topic, records) = filled(lab, seconds)?;
    let (_, bootstrap) = lab.tools();
    let records = records.to_string();
    let arguments =
        ["--bootstrap-server", bootstrap, "--topic", &topic, "--num-records", &records, "--timeout", "60000"];
    let said = tool(lab, "kafka-consumer-perf-test", &arguments)?;
    // A line of names, and a line of figures.
    let names = said.lines().find(|line| line.starts_with("start.time"));
    let place = names.and_then(|names| names.split(", ").position(|name| name == "fetch.nMsg.sec"));
    let figures = said.lines().skip_while(|line| !line.starts_with("start.time")).nth(1);
    let rate = place.zip(figures).and_then(|(place, figures)| figures.split(", ").nth(place)?.trim().parse().ok());
    rate.ok_or_else(|| format!("kafka-consumer-perf-test did not say its rate: {}", end(&said)))
}

fn filled(lab: &Lab, seconds: u64) -> Result<(String, u64), String> {
    if lab.filled.borrow().is_none() {
        ours::produce(lab, seconds)?;
    }
    lab.filled.borrow().clone().ok_or_else(|| "nothing was produced before".to_owned())
}

fn kcat(lab: &Lab) -> Command {
    let mut kcat = Command::new("kcat");
    kcat.args(["-b", &lab.access().bootstrap_servers()]).stdout(Stdio::null()).stderr(Stdio::piped());
    kcat
}

/// How long a program took, in seconds.
fn timed(command: &mut Command) -> Result<f64, String> {
    let start = Instant::now();
    let output = command.output().map_err(|error| format!("cannot start {command:?}: {error}"))?;
    let took = start.elapsed().as_secs_f64();
    if output.status.success() {
        Ok(took)
    } else {
        Err(format!("{command:?} ended with {}: {}", output.status, end(&String::from_utf8_lossy(&output.stderr))))
    }
}

/// What one of Kafka's tools printed.
fn tool(lab: &Lab, name: &str, arguments: &[&str]) -> Result<String, String> {
    let (container, _) = lab.tools();
    let mut command = Command::new("docker");
    // The brokers' heap and flags are not for a tool.
    command.args(["exec", "-e", "KAFKA_HEAP_OPTS=-Xmx512m", "-e", "KAFKA_JVM_PERFORMANCE_OPTS=", &container]);
    command.arg(format!("/opt/kafka/bin/{name}.sh")).args(arguments);
    let output = command.output().map_err(|error| format!("cannot start {command:?}: {error}"))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        Ok(said)
    } else {
        Err(format!("{name} ended with {}: {}", output.status, end(&String::from_utf8_lossy(&output.stderr))))
    }
}

/// The last of what was printed.
fn end(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(3)..].join(" / ")
}

/// Lines of random letters and digits, each as long as a record; as hard to compress as this project's.
fn write_lines(path: &std::path::Path, lines: u64) -> std::io::Result<()> {
    let mut file = BufWriter::new(std::fs::File::create(path)?);
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut line = vec![b'\n'; RECORD_BYTES as usize + 1];
    for _ in 0..lines {
        for byte in &mut line[..RECORD_BYTES as usize] {
            // xorshift64; a file of noise needs no better.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            *byte = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"[(state >> 58) as usize];
        }
        file.write_all(&line)?;
    }
    file.flush()
}
