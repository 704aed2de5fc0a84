//! `wiber-chaos man`: manual pages, made of the very definition of the command line.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, Command};
use clap_mangen::Man;

use super::ExitCode;
use super::terminal::{complain, print};

/// Where the pages go.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// Write a page for the program and one for each command into this directory, instead of the program's to stdout
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// Prints the program's page, or writes all of them and prints their paths.
pub fn man(args: &ManArgs) -> ExitCode {
    let command = super::for_people();
    let text = match &args.out {
        None => page(&Man::new(command)),
        Some(dir) => match write_all(command, dir) {
            Ok(paths) => {
                let lines: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
                lines.join("\n") + "\n"
            }
            Err(error) => {
                complain(&format!("error: cannot write into {}: {error}\n", dir.display()));
                return ExitCode::Usage;
            }
        },
    };
    match print(&text) {
        Ok(()) => ExitCode::Pass,
        Err(code) => code,
    }
}

fn page(man: &Man) -> String {
    let mut bytes = Vec::new();
    man.render(&mut bytes).expect("memory takes every byte");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The program's page and one for each command and each command of a command, as `man wiber-chaos-run` finds them.
fn write_all(mut command: Command, dir: &Path) -> io::Result<Vec<PathBuf>> {
    fs::create_dir_all(dir)?;
    command.build();
    let mut paths = Vec::new();
    for command in all_of(&command) {
        let man = Man::new(command);
        let path = dir.join(man.get_filename());
        fs::write(&path, page(&man))?;
        paths.push(path);
    }
    Ok(paths)
}

fn all_of(command: &Command) -> Vec<Command> {
    // `help` of a command that has commands says what their own pages say.
    let below = command.get_subcommands().filter(|command| command.get_name() != "help").flat_map(all_of);
    std::iter::once(command.clone()).chain(below).collect()
}
