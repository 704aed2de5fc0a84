//! The way from a side-car container's pipes to a [`Transport`].

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use bollard::container::LogOutput;
use futures_util::StreamExt;
use tokio::io::AsyncWriteExt;

use super::line::{Ending, Transport};
use crate::cluster::engine::SideCar;

/// How many bytes of a hand's answers may lie unread.
const PIPE_BYTES: usize = 64 << 10;

/// How much of the end of a hand's stderr is kept.
const STDERR_BYTES_MAX: usize = 2 << 10;

/// The end of a text that comes in pieces.
#[derive(Clone, Default)]
struct Tail(Arc<Mutex<VecDeque<u8>>>);

impl Tail {
    fn add(&self, bytes: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend(bytes);
        let surplus = kept.len().saturating_sub(STDERR_BYTES_MAX);
        kept.drain(..surplus);
    }

    fn text(&self) -> String {
        let kept: Vec<u8> = self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect();
        String::from_utf8_lossy(&kept).into_owned()
    }
}

/// Parts a side-car's output: its stdout is for reading, the end of its stderr for the day it dies.
pub(super) fn transport(side_car: SideCar) -> Transport {
    let SideCar { mut output, input, exit } = side_car;
    let (reader, mut stdout) = tokio::io::duplex(PIPE_BYTES);
    let tail = Tail::default();
    let stderr = tail.clone();
    let parting = tokio::spawn(async move {
        while let Some(Ok(piece)) = output.next().await {
            match piece {
                LogOutput::StdErr { message } => stderr.add(&message),
                LogOutput::StdOut { message } | LogOutput::Console { message } => {
                    // Nobody reads any more: the hand is being left, and its stderr with it.
                    if stdout.write_all(&message).await.is_err() {
                        return;
                    }
                }
                LogOutput::StdIn { .. } => {}
            }
        }
    });
    let ending = async move {
        // Its stderr is complete when both are over.
        drop(parting.await);
        let exit_code = exit.await.ok().flatten();
        Ending { exit_code, stderr: tail.text() }
    };
    Transport { reader: Box::pin(reader), writer: input, ending: Box::pin(ending) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_stderr_the_end_is_kept() {
        let tail = Tail::default();
        tail.add(&vec![b'a'; STDERR_BYTES_MAX]);
        tail.add(b"the end");
        let text = tail.text();
        assert!(text.len() == STDERR_BYTES_MAX && text.ends_with("aathe end"), "{text}");
    }
}
