//! The hand of wiber-chaos in a broker's network namespace: it cuts and shapes packets on orders that it reads from its
//! standard input, and answers on its standard output. Logs go to standard error.
//!
//! It runs as the first process of a side-car container that shares the broker's namespace, with `NET_ADMIN` and `NET_RAW`.
//! It undoes all that it did and ends when its input ends, at SIGTERM or SIGINT, or when no line came for as long as its
//! patience lasts (`--patience-ms`, 10000 unless it is said). So a harness that dies leaves no rule. When the hand itself is
//! killed, the packets that it shaped pass at once; the rules of its cuts stay until a later hand is told to `clear`.
//!
//! How an order goes through it:
//! ```text
//! stdin -> protocol -> hand -> rules -> iptables          (cut, shape, undo, look, clear; tables reads them back)
//!                       |---> shaper: queue -> treatment -> schedule -> queue or resend      (one thread a shape)
//!                       `---> probe
//! ```

mod hand;
mod iptables;
mod kernel;
mod netlink;
mod packet;
mod probe;
mod protocol;
mod queue;
mod resend;
mod rules;
mod schedule;
mod shaper;
mod tables;
mod treatment;

use std::io::{self, BufRead, Write};
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::hand::Hand;
use crate::protocol::{Numbered, Request, Support};

/// As long as a harness waits for a sign of life from a hand: a busy host makes either late. A harness that dies is noticed at
/// once, by the end of the input.
const DEFAULT_PATIENCE: Duration = Duration::from_secs(10);

const USAGE: &str =
    "usage: wiber-hand [--patience-ms MILLISECONDS]; requests on standard input, one JSON object a line";

/// Exit code of wrong arguments.
const WRONG_USAGE: u8 = 2;

/// What may happen to the hand.
enum Event {
    Line(String),
    /// Why it has to end.
    End(String),
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let patience = match patience(&arguments) {
        Ok(patience) => patience,
        Err(sentence) => {
            log(&format!("{sentence}\n{USAGE}"));
            return ExitCode::from(WRONG_USAGE);
        }
    };
    let (sender, events) = mpsc::channel();
    if let Err(error) = watch_signals(sender.clone()) {
        log(&format!("could not watch for signals: {error}"));
        return ExitCode::FAILURE;
    }
    let mut hand = Hand::new(log);
    let hello = protocol::hello(told("netem", kernel::netem()), told("NFQUEUE", queue()));
    thread::spawn(move || read_lines(&sender));
    let why = match say(&hello) {
        Ok(()) => serve(&mut hand, &events, patience),
        Err(error) => format!("nobody takes the answers: {error}"),
    };
    let left = hand.undo_all();
    log(&format!("ended: {why}"));
    for (name, error) in &left {
        log(&format!("could not undo `{name}`: {error}"));
    }
    if left.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Carries out what comes, until it has to end; says why it has to.
fn serve(hand: &mut Hand, events: &Receiver<Event>, patience: Duration) -> String {
    loop {
        let line = match events.recv_timeout(patience) {
            Ok(Event::Line(line)) => line,
            Ok(Event::End(why)) => return why,
            Err(RecvTimeoutError::Timeout) => return format!("no line came for {} ms", patience.as_millis()),
            Err(RecvTimeoutError::Disconnected) => return "nobody is left to listen to".to_owned(),
        };
        let Numbered { id, request } = protocol::read(&line);
        let result = match request {
            // It may take long, and pings have to be answered meanwhile.
            Ok(Request::Probe { to, limit_ms }) => {
                thread::spawn(move || {
                    let results = probe::probe(&to, limit_ms).map(|results| json!({ "results": results }));
                    // A reader that is gone is noticed at the next answer of the main loop, or at the end of the input.
                    let _ = say(&protocol::answer(id, &results));
                });
                continue;
            }
            Ok(request) => carry_out(hand, request),
            Err(sentence) => Err(sentence),
        };
        if let Err(error) = say(&protocol::answer(id, &result)) {
            return format!("nobody takes the answers: {error}");
        }
    }
}

fn carry_out(hand: &mut Hand, request: Request) -> Result<Value, String> {
    match request {
        Request::Ping {} => Ok(json!({})),
        Request::Cut { name, flows, verdict } => hand.cut(&name, &flows, verdict),
        Request::Shape { name, flows, treatment, seed } => hand.shape(&name, &flows, &treatment, seed),
        Request::Undo { name } => hand.undo(&name),
        Request::Look {} => hand.look(),
        Request::Clear {} => hand.clear(),
        Request::Probe { .. } => unreachable!("probes have threads of their own"),
    }
    .map_err(|error| error.to_string())
}

/// Whether the kernel queues packets for us: a rule may lead to a queue, and a queue can be held.
fn queue() -> io::Result<Support> {
    iptables::try_queue_target().map_err(io::Error::other)?;
    // Number 0 is nobody's: this only tries, and lets go of it.
    queue::Queue::bind(0).map(|_| Support::Present)
}

/// What could not be tried is missing, and why is told.
fn told(what: &str, found: io::Result<Support>) -> Support {
    found.unwrap_or_else(|error| {
        log(&format!("no {what}: {error}"));
        Support::Missing
    })
}

fn read_lines(sender: &Sender<Event>) {
    for line in io::stdin().lock().lines() {
        let event = line.map_or_else(|error| Event::End(format!("the input broke: {error}")), Event::Line);
        if sender.send(event).is_err() {
            return;
        }
    }
    // Nobody may be left to be told.
    let _ = sender.send(Event::End("the input ended".to_owned()));
}

fn watch_signals(sender: Sender<Event>) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    thread::spawn(move || {
        for signal in signals.forever() {
            let _ = sender.send(Event::End(format!("signal {signal}")));
        }
    });
    Ok(())
}

fn patience(arguments: &[String]) -> Result<Duration, String> {
    match arguments {
        [] => Ok(DEFAULT_PATIENCE),
        [key, value] if key == "--patience-ms" => match value.parse() {
            Ok(ms) if ms > 0 => Ok(Duration::from_millis(ms)),
            _ => Err(format!("{value} is no number of milliseconds above 0")),
        },
        _ => Err(format!("not understood: {}", arguments.join(" "))),
    }
}

fn say(line: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}

/// One line for a person. Nobody is there to be told that it could not be written.
fn log(sentence: &str) {
    let _ = writeln!(io::stderr(), "hand: {sentence}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_is_ten_seconds_unless_somebody_says_so() {
        let of = |words: &[&str]| patience(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        assert_eq!(of(&[]), Ok(Duration::from_secs(10)));
        assert_eq!(of(&["--patience-ms", "500"]), Ok(Duration::from_millis(500)));
        for wrong in [&["--patience-ms", "0"][..], &["--patience-ms"], &["--patience-ms", "-1"], &["-h"]] {
            assert!(of(wrong).is_err(), "{wrong:?}");
        }
    }
}
