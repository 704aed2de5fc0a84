//! `wiber-chaos completions`: what a shell needs to complete commands, options and their words.

use clap::Args;
use clap_complete::Shell;

use super::ExitCode;
use super::terminal::print;

/// For which shell.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell that reads them
    #[arg(value_enum, value_name = "SHELL")]
    pub shell: Shell,
}

/// Prints the completions.
pub fn completions(args: &CompletionsArgs) -> ExitCode {
    let mut command = super::for_people();
    let name = command.get_name().to_owned();
    let mut bytes = Vec::new();
    clap_complete::generate(args.shell, &mut command, name, &mut bytes);
    match print(&String::from_utf8_lossy(&bytes)) {
        Ok(()) => ExitCode::Pass,
        Err(code) => code,
    }
}
