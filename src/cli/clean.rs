//! `wiber-chaos clean`: remove what interrupted runs left behind.

use clap::Args;

/// What to remove.
#[derive(Debug, Args)]
pub struct CleanArgs {
    /// Only show what would be removed
    #[arg(long)]
    pub dry_run: bool,
    /// Also what belongs to runs that are still alive
    #[arg(long)]
    pub all: bool,
}
