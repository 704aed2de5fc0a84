//! `client-process`: one client of a running load, in a process of its own. A run starts it; nobody else can.

use crate::workload::apart::child;

use super::{ExitCode, terminal};

/// Lives the client's life, as the run at the other end of standard input tells it.
pub fn client_process() -> ExitCode {
    match child::serve() {
        Ok(()) => ExitCode::Pass,
        Err(error) => {
            terminal::complain(&format!("error: {}\n", crate::cluster::chain(&error)));
            ExitCode::Usage
        }
    }
}
