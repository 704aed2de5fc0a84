//! `wiber-chaos`: parse, dispatch, exit code.

use std::process::ExitCode;

use clap::Parser;
use wiber_chaos::cli::{self, Cli, Dispatched, terminal};

fn main() -> ExitCode {
    match cli::dispatch(Cli::parse()) {
        Dispatched::Done(code) => code.into(),
        Dispatched::Run(_) | Dispatched::Check(_) | Dispatched::Clean(_) => {
            terminal::complain("error: this build reads scenarios only: it has no engine to run or clean up with\n");
            cli::ExitCode::Environment.into()
        }
    }
}
