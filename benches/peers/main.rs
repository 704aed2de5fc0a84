//! This project's clients side by side with other people's, on one cluster, in turns: `make bench`.
//!
//! What is compared is a ratio of medians. Rates of two programs that ran an hour apart, or on another machine, say nothing;
//! in turns, each meets the same disturbances. Every round of a benchmark runs each contestant once.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark talks to whoever started it")]

mod bench;
mod contest;
mod lab;
mod ours;
mod peer;
mod plain;
#[path = "../shared/plot.rs"]
mod plot;
mod table;

use std::process::ExitCode;

use clap::Parser;

use contest::Contest;
use lab::Lab;

/// Times this project's clients and their peers in turns.
#[derive(Parser)]
#[command(name = "peers")]
struct Arguments {
    /// Only benchmarks whose names contain this.
    filter: Option<String>,
    /// Only contestants whose names contain this.
    #[arg(long)]
    only: Option<String>,
    /// How many rounds each benchmark has.
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// For how long each contestant produces, in seconds.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// For how long the brokers are kept busy before anything is timed, in seconds: their code is compiled meanwhile.
    #[arg(long, default_value_t = 60)]
    warm_up: u64,
    /// What `cargo bench` gives every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let Arguments { filter, only, rounds, seconds, warm_up, .. } = Arguments::parse();
    let lab = match Lab::set_up() {
        Ok(lab) => lab,
        Err(message) => {
            eprintln!("peers: {message}");
            return ExitCode::from(5);
        }
    };
    let is_wanted = |name: &str| filter.as_deref().is_none_or(|part| name.contains(part));
    let competes = |name: &str| only.as_deref().is_none_or(|part| name.contains(part));
    let mut contests = Vec::new();
    if let Err(message) = warmed_up(&lab, warm_up) {
        eprintln!("peers: warm-up: {message}");
        return ExitCode::FAILURE;
    }
    for benchmark in bench::ALL.iter().filter(|benchmark| is_wanted(benchmark.name)) {
        let contestants: Vec<_> = (benchmark.contestants)().into_iter().filter(|(name, _)| competes(name)).collect();
        if contestants.is_empty() {
            continue;
        }
        let mut contest = Contest::new(benchmark.name, benchmark.unit, contestants.iter().map(|(name, _)| *name));
        // In round 0 it shows what each can do, so that from then on all are asked for as long: it counts for nothing.
        for round in 0..=rounds {
            eprintln!("{}: round {round} of {rounds}", benchmark.name);
            // Nobody always comes after the same one.
            let (last, first) = contestants.split_at(round as usize % contestants.len());
            for (contestant, run) in first.iter().chain(last) {
                match run(&lab, seconds) {
                    Ok(figure) => {
                        eprintln!("  {contestant:<28} {:>12} {}", table::figure(figure), benchmark.unit);
                        if round > 0 {
                            contest.add(contestant, figure);
                        }
                    }
                    Err(message) => {
                        eprintln!("  {contestant}: {message}");
                        return ExitCode::FAILURE;
                    }
                }
            }
        }
        contests.push(contest);
    }
    drop(lab);
    print!("{}", table::markdown(&contests));
    match write(&contests) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("peers: cannot write to benches/results: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Keeps the brokers busy, in turns with the two clients that ask most of them, until the time is over.
fn warmed_up(lab: &Lab, seconds: u64) -> Result<(), String> {
    const TURN_SECONDS: u64 = 10;
    for turn in 0..seconds.div_ceil(TURN_SECONDS) {
        let (client, run) = if turn % 2 == 0 {
            ("wiber-chaos", ours::produce as bench::Run)
        } else {
            ("kcat", peer::kcat_produce as bench::Run)
        };
        let figure = run(lab, TURN_SECONDS)?;
        eprintln!("warm-up: {client:<19} {:>12} records/s", table::figure(figure));
    }
    Ok(())
}

fn write(contests: &[Contest]) -> Result<(), Box<dyn std::error::Error>> {
    table::write_csv("benches/results/peers.csv", contests)?;
    if let Some(contest) = contests.iter().find(|contest| contest.name == "partitions") {
        let medians = contest.summaries().into_iter();
        let points: Vec<(f64, f64)> =
            medians.filter_map(|one| Some((one.contestant.parse().ok()?, one.median))).collect();
        let (title, unit, against) = ("Produced and recorded", "/s", "partitions");
        let chart = plot::Chart { title, unit, against, points: &points, promised: &[] };
        std::fs::write("benches/results/partitions.svg", plot::page(&[chart]))?;
    }
    Ok(())
}
