//! What is timed, and how.

use std::path::Path;
use std::time::{Duration, Instant};

use wiber_chaos::anomaly::{CheckName, CheckResult};
use wiber_chaos::check::{self, sieve::Run};
use wiber_chaos::history::clock::Clock;
use wiber_chaos::history::recorder::Recorder;
use wiber_chaos::history::{ReadRow, SendRow};
use wiber_chaos::plan::Plan;
use wiber_chaos::run::sift;
use wiber_chaos::{scenario, verdict};

use crate::generator;

/// How many rows the recorder is given, half of them sends and half of them reads, in batches as clients hand them over.
const ROWS: u64 = 20_000_000;
const BATCH: u64 = 4096;

/// What the recorder did.
pub struct Recorded {
    took: Duration,
    /// Of all processors together, the making of the rows included.
    processor: Duration,
    bytes: u64,
}

impl Recorded {
    pub fn lines(&self) -> Vec<[String; 4]> {
        let line = |what: &str, figure: f64, unit: &str| {
            [format!("recorder: {what}"), ROWS.to_string(), format!("{figure:.1}"), unit.to_owned()]
        };
        vec![
            line("rate", ROWS as f64 / self.took.as_secs_f64(), "events/s"),
            line("rate of one core", ROWS as f64 / self.processor.as_secs_f64(), "events/s"),
            line("on disk", self.bytes as f64 / ROWS as f64, "bytes/event"),
        ]
    }
}

/// Hands rows to the recorder as fast as it takes them.
pub fn recorder(directory: &Path) -> Result<Recorded, String> {
    let told = |error: &dyn std::error::Error| error.to_string();
    remove(directory)?;
    let recorder = Recorder::create(directory, Clock::start(), generator::run_started("recorder"), None);
    let recorder = recorder.map_err(|error| told(&error))?;
    let handle = recorder.handle();
    let (start, before) = (Instant::now(), processor_time());
    let mut from = 0;
    while from < ROWS / 2 {
        let to = (from + BATCH).min(ROWS / 2);
        let sends: Vec<SendRow> = (from..to).map(generator::send).collect();
        let reads: Vec<ReadRow> = (from..to).map(|record| generator::read(record, generator::MEMBERS[0])).collect();
        handle.sends(sends);
        handle.reads(reads);
        from = to;
    }
    recorder.finish().map_err(|error| told(&error))?;
    let (took, processor) = (start.elapsed(), processor_time().saturating_sub(before));
    let bytes = generator::bytes_in(directory)?;
    remove(directory)?;
    Ok(Recorded { took, processor, bytes })
}

/// Reads a history and judges it; prints what that took.
pub fn check(run: &Path) -> Result<(), String> {
    let text = |name: &str| std::fs::read_to_string(run.join(name)).map_err(|error| format!("{name}: {error}"));
    let scenario = scenario::parse("scenario.toml", &text("scenario.toml")?).map_err(|error| error.to_string())?;
    let plan: Plan = serde_json::from_str(&text("plan.json")?).map_err(|error| error.to_string())?;
    let start = Instant::now();
    let known = Run { scenario: &scenario.scenario, plan: &plan };
    let history = sift::read(&run.join("history"), known).map_err(|error| error.to_string())?;
    let read = start.elapsed();
    let results = check::check_all(&history, &scenario.scenario, &plan);
    let verdict = verdict::judge(&history, &scenario.scenario, &plan, &results);
    let took = start.elapsed();
    let kept: usize = history.partitions.values().map(|rows| rows.sends.len() + rows.reads.len()).sum();
    println!("counted\t{}\trecords", verdict.counts.sent);
    println!("kept\t{kept}\trows");
    println!("reading\t{:.2}\ts", read.as_secs_f64());
    println!("all\t{:.2}\ts", took.as_secs_f64());
    println!("peak memory\t{:.1}\tMiB", peak_memory_kib() as f64 / 1024.0);
    for name in [CheckName::LostWrite, CheckName::Duplicate, CheckName::ProducerOrder] {
        println!("{name} found\t{}\t", found(&results, name));
    }
    let others: u64 = results.iter().filter(|result| !counted(result.check)).map(|result| result.found).sum();
    println!("others found\t{others}\t");
    Ok(())
}

fn counted(check: CheckName) -> bool {
    matches!(check, CheckName::LostWrite | CheckName::Duplicate | CheckName::ProducerOrder)
}

fn found(results: &[CheckResult], check: CheckName) -> u64 {
    results.iter().find(|result| result.check == check).map_or(0, |result| result.found)
}

fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.cast_unsigned(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// The most memory that this process had at any time.
fn peak_memory_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

fn remove(directory: &Path) -> Result<(), String> {
    match std::fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(format!("{}: {error}", directory.display())),
        _ => Ok(()),
    }
}
