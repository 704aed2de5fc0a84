//! Where messages come from: the arguments, or stdin as its lines come.

use std::io::{BufRead, BufReader, IsTerminal};

use tokio::sync::mpsc;

use super::ProduceArgs;
use crate::cli::terminal::complain;

/// How many lines of stdin may wait to be sent.
const LINES_MAX: usize = 1000;

/// Where messages come from.
pub(super) enum Source {
    /// The same one, so many times more.
    Same(Vec<u8>, u64),
    /// Lines of stdin, at most so many more.
    Lines(mpsc::Receiver<Result<Vec<u8>, String>>, u64),
}

impl Source {
    /// What the arguments say.
    pub(super) fn of(args: &ProduceArgs) -> Self {
        if !args.message.is_empty() {
            return Self::Same(args.message.join(" ").into_bytes(), args.count.unwrap_or(1));
        }
        if std::io::stdin().is_terminal() {
            complain("each line is a message; Ctrl-D ends\n");
        }
        Self::Lines(read_stdin(), args.count.unwrap_or(u64::MAX))
    }

    /// Ends it; how many lines were read from stdin and are not sent any more.
    pub(super) fn close(self) -> usize {
        let Self::Lines(mut lines, _) = self else { return 0 };
        lines.close();
        std::iter::from_fn(|| lines.try_recv().ok()).flatten().count()
    }

    /// The next message; `None` when there is no more.
    pub(super) async fn next(&mut self) -> Option<Result<Vec<u8>, String>> {
        match self {
            Self::Same(_, 0) | Self::Lines(_, 0) => None,
            Self::Same(message, left) => {
                *left -= 1;
                Some(Ok(message.clone()))
            }
            Self::Lines(lines, left) => {
                let line = lines.recv().await?;
                *left -= 1;
                Some(line)
            }
        }
    }
}

/// Reads stdin on a thread of its own: a line that is never finished must not hold anything up.
fn read_stdin() -> mpsc::Receiver<Result<Vec<u8>, String>> {
    let (lines, receiver) = mpsc::channel(LINES_MAX);
    std::thread::spawn(move || {
        let mut stdin = BufReader::new(std::io::stdin());
        loop {
            let mut line = Vec::new();
            let read = stdin.read_until(b'\n', &mut line).map_err(|error| error.to_string());
            let read = match read {
                Ok(0) => return,
                Ok(_) => {
                    if line.pop_if(|byte| *byte == b'\n').is_some() {
                        line.pop_if(|byte| *byte == b'\r');
                    }
                    Ok(line)
                }
                Err(error) => Err(error),
            };
            let ends = read.is_err();
            if lines.blocking_send(read).is_err() || ends {
                return;
            }
        }
    });
    receiver
}
