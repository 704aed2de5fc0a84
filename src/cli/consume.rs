//! `wiber-chaos consume`: prints records as they come, and commits each only after it was printed.

use std::io::{BufWriter, stderr, stdout};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::{Args, ValueEnum};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::connect::{Connect, tell};
use super::terminal::complain;
use super::up::duration;
use super::{ExitCode, signals};
use crate::client::follow::{Beginning, End, FollowError, Followed, Following, follow};
use crate::client::preflight;
use crate::client::print::Shape;

/// How long the reading may take to end after a signal. It has a limit of its own for the last commit and the leave; beyond
/// that something else holds it, such as a terminal that takes no more text.
const END_LIMIT: Duration = Duration::from_secs(30);

/// What to read.
#[derive(Debug, Args)]
pub struct ConsumeArgs {
    /// The topics
    #[arg(required = true, value_name = "TOPIC")]
    pub topics: Vec<String>,
    /// The consumer group: its members share the partitions, and it goes on where it was. Without one, everything is
    /// read and nothing is committed
    #[arg(short, long)]
    pub group: Option<String>,
    /// Begin with the first record, where nothing was committed yet; else only what comes from now on is read
    #[arg(long)]
    pub from_beginning: bool,
    /// End after so many records
    #[arg(short = 'n', long, value_parser = clap::value_parser!(u64).range(1..))]
    pub max: Option<u64>,
    /// End when no record came for so long; exit code 1 if `--max` was not reached by then
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub timeout: Option<Duration>,
    /// For people, for programs, or only what was sent
    #[arg(long, value_enum, default_value_t = RecordFormat::Human)]
    pub format: RecordFormat,
    /// Which cluster.
    #[command(flatten)]
    pub connect: Connect,
}

/// How records are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RecordFormat {
    /// Partition, offset, key and text, on one line.
    Human,
    /// One JSON object on one line.
    Json,
    /// What was sent, and a line break.
    Raw,
}

/// Reads until it is told to stop, or has read enough.
pub async fn consume(args: &ConsumeArgs) -> ExitCode {
    let access = match args.connect.access() {
        Ok(access) => access,
        Err(code) => return code,
    };
    let partitions = match preflight::partitions(&access, &args.topics).await {
        Ok(partitions) => partitions,
        Err(error) => return tell(&error),
    };
    let following = Following {
        topics: args.topics.clone(),
        partitions,
        group: args.group.clone(),
        beginning: if args.from_beginning { Beginning::Earliest } else { Beginning::Latest },
        shape: match args.format {
            RecordFormat::Human => Shape::Human,
            RecordFormat::Json => Shape::Json,
            RecordFormat::Raw => Shape::Raw,
        },
        max: args.max,
        quiet: args.timeout,
    };
    let stop = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&stop);
    let mut reading = tokio::task::spawn_blocking(move || {
        follow(&access, &following, Box::new(BufWriter::new(stdout())), Box::new(stderr()), &told)
    });
    tokio::select! {
        read = &mut reading => ended(read.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic())), args),
        code = signals::ended() => {
            stop.store(true, Ordering::Relaxed);
            leave(reading, code).await
        }
    }
}

/// Lets the last commit be made and the group be left; another signal, or the limit, ends that too.
async fn leave(reading: JoinHandle<Result<Followed, FollowError>>, code: ExitCode) -> ExitCode {
    tokio::select! {
        left = timeout(END_LIMIT, reading) => match left {
            Ok(Ok(Ok(_))) => code,
            Ok(Ok(Err(error))) => tell(&error),
            Ok(Err(panic)) => std::panic::resume_unwind(panic.into_panic()),
            Err(_) => {
                complain(&format!("warning: the reading did not end within {} s\n", END_LIMIT.as_secs()));
                code
            }
        },
        code = signals::ended() => code,
    }
}

fn ended(read: Result<Followed, FollowError>, args: &ConsumeArgs) -> ExitCode {
    match read {
        Ok(Followed { printed, end: End::Quiet }) if args.max.is_some_and(|max| printed < max) => {
            let (max, quiet) = (args.max.unwrap_or_default(), args.timeout.unwrap_or_default());
            complain(&format!("error: {printed} of {max} records came, then none for {} s\n", quiet.as_secs_f64()));
            ExitCode::Fail
        }
        Ok(_) => ExitCode::Pass,
        Err(error) => tell(&error),
    }
}
