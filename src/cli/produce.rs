//! `wiber-chaos produce`: messages from the arguments or from stdin, and a receipt for each.

mod source;

use std::time::Duration;

use clap::Args;
use serde_json::json;
use tokio::time::{Instant, sleep_until};

use super::connect::{Connect, tell};
use super::terminal::{complain, print};
use super::up::duration;
use super::{ExitCode, Format, signals};
use crate::client::preflight::{self, PreflightError};
use crate::client::send::{Fate, Receipt, Sender, Sending};
use crate::kafka::{Access, Outcome};
use crate::scenario::{Rate, units};
use source::Source;

/// What to send.
#[derive(Debug, Args)]
pub struct ProduceArgs {
    /// The topic
    pub topic: String,
    /// The message; several words make one message. Without it, each line of stdin is one
    #[arg(value_name = "MESSAGE")]
    pub message: Vec<String>,
    /// Each message's key: the same key goes to the same partition
    #[arg(short, long)]
    pub key: Option<String>,
    /// A header of each message; may be repeated
    #[arg(short = 'H', long = "header", value_name = "NAME=VALUE", value_parser = header)]
    pub headers: Vec<(String, String)>,
    /// Only to this partition
    #[arg(short, long, value_parser = clap::value_parser!(i32).range(0..))]
    pub partition: Option<i32>,
    /// Who must have a message before it counts as delivered
    #[arg(long, default_value = "all", value_parser = ["all", "-1", "1", "0"])]
    pub acks: String,
    /// At most so many messages a second, such as `10/s`
    #[arg(long, default_value = "max", value_parser = rate)]
    pub rate: Rate,
    /// Send the message so many times; of stdin, only so many lines
    #[arg(short = 'n', long, value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    /// After how long a message that nobody acknowledged is given up
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration)]
    pub timeout: Duration,
    /// Receipts for people or for programs
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub format: Format,
    /// Which cluster.
    #[command(flatten)]
    pub connect: Connect,
}

/// Sends, and prints a receipt for each message. 1 when one was not delivered: each of those is named on stderr.
pub async fn produce(args: &ProduceArgs) -> ExitCode {
    let access = match args.connect.access() {
        Ok(access) => access,
        Err(code) => return code,
    };
    if let Err(code) = look_ahead(args, &access).await {
        return code;
    }
    let sending = Sending {
        topic: args.topic.clone(),
        partition: args.partition,
        key: args.key.clone().map(String::into_bytes),
        headers: args.headers.iter().map(|(name, value)| (name.clone(), value.clone().into_bytes())).collect(),
        acks: args.acks.clone(),
        timeout: args.timeout,
    };
    match Sender::new(&access, sending) {
        Ok(sender) => Desk { args, sender, told: 0, undelivered: 0 }.work(Source::of(args)).await,
        Err(error) => {
            complain(&format!("error: cannot make the producer: {error}\n"));
            ExitCode::Usage
        }
    }
}

/// What cannot work is told at once; brokers that may come back are waited for.
async fn look_ahead(args: &ProduceArgs, access: &Access) -> Result<(), ExitCode> {
    let found = preflight::partitions(access, std::slice::from_ref(&args.topic)).await;
    match (found, args.partition) {
        (Ok(counts), Some(partition)) if usize::try_from(partition).is_ok_and(|number| number >= counts[0]) => {
            let topic = args.topic.clone();
            Err(tell(&PreflightError::NoPartition { topic, partition, count: counts[0] }))
        }
        (Ok(_), _) => Ok(()),
        (Err(PreflightError::Reach(error)), _) if error.may_pass() => {
            let why = error.to_string();
            let why = why.lines().next().unwrap_or_default();
            complain(&format!("warning: {why}; trying for up to {} s\n", args.timeout.as_secs_f64()));
            Ok(())
        }
        (Err(PreflightError::Cluster(error)), _) => {
            complain(&format!("warning: {error}; trying for up to {} s\n", args.timeout.as_secs_f64()));
            Ok(())
        }
        (Err(error), _) => Err(tell(&error)),
    }
}

/// Sends messages and hands out receipts.
struct Desk<'a> {
    args: &'a ProduceArgs,
    sender: Sender,
    told: u64,
    undelivered: u64,
}

impl Desk<'_> {
    async fn work(mut self, mut source: Source) -> ExitCode {
        let mut ended = self.send_all(&mut source).await;
        let unsent = source.close();
        if unsent > 0 && matches!(ended, Ended::BySignal(_)) {
            let lines = units::plural(u32::try_from(unsent).unwrap_or(u32::MAX), "line");
            complain(&format!("not sent: {lines} of stdin, read already when it was interrupted\n"));
        }
        if !matches!(ended, Ended::Unwritable(_)) {
            if matches!(ended, Ended::BySignal(_)) && self.sender.open() > 0 {
                let open = self.sender.open();
                complain(&format!("waiting for {open} receipts; once more gives up\n"));
            }
            ended = ended.and(self.drain().await);
        }
        let Self { args, sender, mut told, mut undelivered } = self;
        for receipt in sender.abandon() {
            told += 1;
            match &receipt.fate {
                Fate::Stored { partition, offset } => {
                    // Where stdout takes no more, there is nothing to be done for a receipt.
                    let _ = print(&stored_line(args, receipt.number, *partition, *offset));
                }
                Fate::Undelivered { error, outcome } => {
                    undelivered += 1;
                    complain(&undelivered_line(&receipt, error, *outcome));
                }
            }
        }
        if undelivered > 0 {
            let messages = units::plural(u32::try_from(told).unwrap_or(u32::MAX), "message");
            complain(&format!("error: of {messages} {undelivered} not delivered\n"));
            return ExitCode::Fail;
        }
        match ended {
            Ended::InOrder => ExitCode::Pass,
            Ended::BySignal(code) | Ended::Unwritable(code) | Ended::Unreadable(code) => code,
        }
    }

    /// Sends until the source ends or a signal comes.
    async fn send_all(&mut self, source: &mut Source) -> Ended {
        let mut due = Instant::now();
        let mut signal = std::pin::pin!(signals::ended());
        loop {
            let has_room = self.sender.has_room();
            let next = async {
                sleep_until(due).await;
                source.next().await
            };
            let open = self.sender.open() > 0;
            tokio::select! {
                biased;
                code = &mut signal => return Ended::BySignal(code),
                receipt = self.sender.receipt(), if open => if let Err(code) = self.tell(&receipt) {
                    return Ended::Unwritable(code);
                },
                message = next, if has_room => match message {
                    None => return Ended::InOrder,
                    Some(Ok(message)) => {
                        self.sender.send(&message);
                        if let Rate::PerSecond(rate) = self.args.rate {
                            due = due.max(Instant::now()) + Duration::from_secs_f64(1.0 / rate);
                        }
                    }
                    Some(Err(error)) => {
                        complain(&format!("error: cannot read stdin: {error}\n"));
                        return Ended::Unreadable(ExitCode::Environment);
                    }
                },
            }
        }
    }

    /// Waits for the receipts that are missing; librdkafka gives each within its timeout. A signal ends the waiting.
    async fn drain(&mut self) -> Ended {
        let mut signal = std::pin::pin!(signals::ended());
        while self.sender.open() > 0 {
            tokio::select! {
                biased;
                code = &mut signal => return Ended::BySignal(code),
                receipt = self.sender.receipt() => if let Err(code) = self.tell(&receipt) {
                    return Ended::Unwritable(code);
                },
            }
        }
        Ended::InOrder
    }

    fn tell(&mut self, receipt: &Receipt) -> Result<(), ExitCode> {
        self.told += 1;
        match &receipt.fate {
            Fate::Stored { partition, offset } => print(&stored_line(self.args, receipt.number, *partition, *offset)),
            Fate::Undelivered { error, outcome } => {
                self.undelivered += 1;
                complain(&undelivered_line(receipt, error, *outcome));
                Ok(())
            }
        }
    }
}

/// How the sending, or the waiting for receipts, ended.
#[derive(Clone, Copy)]
enum Ended {
    /// There was no more.
    InOrder,
    /// A signal came.
    BySignal(ExitCode),
    /// Receipts can no longer be printed.
    Unwritable(ExitCode),
    /// Messages can no longer be read.
    Unreadable(ExitCode),
}

impl Ended {
    /// Of two ends, one after another, the one to tell.
    fn and(self, later: Self) -> Self {
        if matches!(self, Self::InOrder) { later } else { self }
    }
}

/// The receipt of a message that is stored.
pub(super) fn stored_line(args: &ProduceArgs, number: u64, partition: i32, offset: Option<i64>) -> String {
    let topic = &args.topic;
    match (args.format, offset) {
        (Format::Json, _) => {
            let line = json!({ "message": number, "topic": topic, "partition": partition, "offset": offset });
            format!("{line}\n")
        }
        (Format::Human, Some(offset)) => format!("{topic}-{partition} @ {offset}\n"),
        (Format::Human, None) => format!("{topic}-{partition} @ ? (acks=0: nobody was asked whether it arrived)\n"),
    }
}

fn undelivered_line(receipt: &Receipt, error: &str, outcome: Outcome) -> String {
    let stored = match outcome {
        Outcome::Fail => "it is not in the log",
        Outcome::Ok | Outcome::Info => "nobody knows whether it is in the log",
    };
    format!("not delivered: message {}, \"{}\": {error}; {stored}\n", receipt.number, receipt.shown)
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write name=value, such as from=alice")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn rate(text: &str) -> Result<Rate, String> {
    units::rate(text).map_err(|error| format!("{}; {}", error.what, error.help))
}
