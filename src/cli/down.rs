//! `wiber-chaos down`: removes the brokers of `up`. Their data stay, unless asked otherwise; runs are never touched.

use clap::Args;

use super::ExitCode;
use super::connect::tell;
use super::terminal::{complain, print};
use super::up::Name;
use crate::cluster::engine::Engine;
use crate::cluster::standing::{Data, Standing};

/// What to remove.
#[derive(Debug, Args)]
pub struct DownArgs {
    /// Which standing cluster.
    #[command(flatten)]
    pub name: Name,
    /// Also remove the data: every topic and every committed offset
    #[arg(long)]
    pub volumes: bool,
}

/// Removes, and says what it removed. 5 when the engine cannot be asked, 6 when something could not be removed.
pub async fn down(args: &DownArgs) -> ExitCode {
    let engine = match Engine::connect().await {
        Ok(engine) => engine,
        Err(error) => return tell(&error),
    };
    let data = if args.volumes { Data::Remove } else { Data::Keep };
    match Standing::new(engine, &args.name.name).down(data).await {
        Ok(removed) if removed.is_empty() => said("nothing to remove: no such cluster is there\n"),
        Ok(removed) => {
            let lines: String = removed.iter().map(|name| format!("removed {name}\n")).collect();
            let kept = if args.volumes { "" } else { "the data are kept; `wiber-chaos up` finds them again\n" };
            said(&(lines + kept))
        }
        Err(error) => {
            complain(&format!("error: {error}\n"));
            ExitCode::Unclean
        }
    }
}

fn said(text: &str) -> ExitCode {
    match print(text) {
        Ok(()) => ExitCode::Pass,
        Err(code) => code,
    }
}
