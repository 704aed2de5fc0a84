//! Signals, for commands that go on until somebody ends them.

use tokio::signal::unix::{SignalKind, signal};

use super::ExitCode;
use super::terminal::complain;

/// Waits for Ctrl-C or a request to terminate, and gives the exit code that says so.
pub async fn ended() -> ExitCode {
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        complain("warning: signals cannot be caught here; Ctrl-C ends the command without its last words\n");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => ExitCode::Interrupted,
        _ = terminate.recv() => ExitCode::Terminated,
    }
}
