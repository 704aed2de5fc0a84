//! `wiber-chaos`: parse, dispatch, exit code.

use std::process::ExitCode;

use clap::Parser;
use wiber_chaos::cli::{self, Cli};

fn main() -> ExitCode {
    cli::dispatch(Cli::parse()).into()
}
