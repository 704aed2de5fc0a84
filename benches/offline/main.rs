//! What needs no cluster, alone: the recorder, and the check of large histories that are made for it: `make bench`.
//!
//! Each history is checked in a process of its own, which says how long it took and how much memory it had at most.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark talks to whoever started it")]

mod generator;
mod measure;
#[path = "../shared/plot.rs"]
mod plot;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::Parser;

use generator::{Made, Planted};

/// Times the recorder and the offline check.
#[derive(Parser)]
#[command(name = "offline")]
struct Arguments {
    /// Sizes of the histories that are checked, in millions of records.
    #[arg(long, value_delimiter = ',', default_value = "1,10")]
    millions: Vec<u64>,
    /// How many anomalies of each kind are planted in the last of them.
    #[arg(long, default_value_t = 20)]
    planted: u64,
    /// How many rounds there are.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Where the histories are made, and removed again.
    #[arg(long, default_value = "target/bench-histories")]
    directory: PathBuf,
    /// Checks this run, says what it took, and ends: for a process of its own.
    #[arg(long, hide = true)]
    check: Option<PathBuf>,
    /// What `cargo bench` gives every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match &arguments.check {
        Some(run) => measure::check(run),
        None => all(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("offline: {message}");
            ExitCode::FAILURE
        }
    }
}

fn all(arguments: &Arguments) -> Result<(), String> {
    let mut lines = vec![["what", "records", "figure", "unit"].map(str::to_owned)];
    for round in 1..=arguments.rounds {
        eprintln!("recorder: round {round} of {}", arguments.rounds);
        let recorded = measure::recorder(&arguments.directory.join("recorder"))?;
        lines.extend(recorded.lines());
    }
    for millions in &arguments.millions {
        let records = millions * 1_000_000;
        lines.extend(of_size(arguments, records, Planted::default())?);
    }
    if let Some(millions) = arguments.millions.last() {
        let planted = Planted { lost: arguments.planted, duplicated: arguments.planted, reordered: arguments.planted };
        lines.extend(of_size(arguments, millions * 1_000_000, planted)?);
    }
    for [what, records, figure, unit] in &lines {
        println!("{what:<34} {records:>12} {figure:>16} {unit}");
    }
    let path = Path::new("benches/results/offline.csv");
    write(path, &lines).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    let path = Path::new("benches/results/growth.svg");
    std::fs::write(path, growth(&lines)).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// How time and memory of the check grow with a history: medians of those without anything planted in them.
fn growth(lines: &[[String; 4]]) -> String {
    let [times, memory] = ["all", "peak memory"].map(|what| medians(lines, &format!("check, 0 planted: {what}")));
    // What the smallest one promises of the others.
    let promise = |points: &[(f64, f64)]| {
        let (first, last) = points.first().zip(points.last())?;
        Some([*first, (last.0, first.1 * last.0 / first.0)])
    };
    let promises = [&times, &memory].map(|points| promise(points).unwrap_or_default());
    let chart = |title, unit, points, promised| plot::Chart { title, unit, against: "records", points, promised };
    plot::page(&[
        chart("Time of the check", "s", &times, &promises[0]),
        chart("Peak memory of the check", "MiB", &memory, &promises[1]),
    ])
}

/// The median of each size.
fn medians(lines: &[[String; 4]], what: &str) -> Vec<(f64, f64)> {
    let mut by_size: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    for [name, records, figure, _] in lines {
        if let (true, Ok(records), Ok(figure)) = (name == what, records.parse(), figure.parse()) {
            by_size.entry(records).or_default().push(figure);
        }
    }
    let median = |mut figures: Vec<f64>| {
        figures.sort_by(f64::total_cmp);
        figures[figures.len() / 2]
    };
    by_size.into_iter().map(|(records, figures)| (records as f64, median(figures))).collect()
}

/// Makes a history, and has it checked in each round.
fn of_size(arguments: &Arguments, records: u64, planted: Planted) -> Result<Vec<[String; 4]>, String> {
    let run = arguments.directory.join(format!("{records}-{}", planted.total()));
    let Made { bytes, rows } = generator::make(&run, records, planted)?;
    eprintln!("check: {records} records, {rows} rows in {bytes} bytes, {} anomalies", planted.total());
    let mut lines = Vec::new();
    for _ in 0..arguments.rounds {
        let this = std::env::current_exe().map_err(|error| error.to_string())?;
        let output = Command::new(this).arg("--check").arg(&run).output().map_err(|error| error.to_string())?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            return Err(format!("the check ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr)));
        }
        eprint!("{said}");
        all_found(&said, planted)?;
        for line in said.lines() {
            let mut words = line.split('\t').map(str::to_owned);
            let mut next = || words.next().unwrap_or_default();
            lines.push([
                format!("check, {} planted: {}", planted.total(), next()),
                records.to_string(),
                next(),
                next(),
            ]);
        }
    }
    std::fs::remove_dir_all(&run).map_err(|error| error.to_string())?;
    Ok(lines)
}

/// Whether the check said that it found what was planted, all of it and nothing else.
fn all_found(said: &str, planted: Planted) -> Result<(), String> {
    let Planted { lost, duplicated, reordered } = planted;
    let kinds = [("lost-write", lost), ("duplicate", duplicated), ("producer-order", reordered), ("others", 0)];
    for (kind, expected) in kinds {
        let line = said.lines().find_map(|line| line.strip_prefix(&format!("{kind} found\t")));
        let found = line.and_then(|line| line.trim().parse::<u64>().ok());
        if found != Some(expected) {
            return Err(format!("{kind}: {expected} were planted, and the check said {line:?}"));
        }
    }
    Ok(())
}

fn write(path: &Path, lines: &[[String; 4]]) -> Result<(), csv::Error> {
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    let mut writer = csv::Writer::from_path(path)?;
    for line in lines {
        writer.write_record(line)?;
    }
    writer.flush()?;
    Ok(())
}
