//! `wiber-chaos clean`: remove what dead runs left behind. Living runs are never touched.

use clap::Args;

use super::terminal::{Style, complain, print};
use super::{ColorChoice, ExitCode};
use crate::cluster::ledger;
use crate::run::sweep::{Found, Mode, Scope, SweepError, Swept, sweep};

/// What to remove.
#[derive(Debug, Args)]
pub struct CleanArgs {
    /// Only show what would be removed
    #[arg(long)]
    pub dry_run: bool,
    /// Also runs that no ledger here knows: of other hosts or users, dead or alive
    #[arg(long)]
    pub all: bool,
}

/// Removes, and says what it removed. 5 when the engine cannot be asked, 6 when something could not be removed.
pub async fn clean(args: &CleanArgs, color: ColorChoice) -> ExitCode {
    let scope = if args.all { Scope::Everything } else { Scope::Ours };
    let mode = if args.dry_run { Mode::DryRun } else { Mode::Remove };
    match sweep(&ledger::state_dir(), scope, mode).await {
        Ok(swept) => {
            // The engine's silence alone says nothing of what there is to remove.
            let is_silent = swept.dead.is_empty() && !swept.troubles.is_empty();
            let style = Style::choose(color, &std::io::stdout());
            if !is_silent && let Err(code) = print(&tell(&swept, mode, style)) {
                return code;
            }
            complain_of(&swept.troubles)
        }
        Err(error) => complain_of(&[error]),
    }
}

/// Tells what could not be done; the worst exit code.
pub(super) fn complain_of(troubles: &[SweepError]) -> ExitCode {
    for trouble in troubles {
        complain(&format!("error: {trouble}\n"));
    }
    ExitCode::worst_of(troubles.iter().map(exit_code))
}

fn exit_code(error: &SweepError) -> ExitCode {
    match error {
        SweepError::Engine(_) => ExitCode::Environment,
        SweepError::Stuck { .. } | SweepError::Ledger(_) => ExitCode::Unclean,
    }
}

/// What a sweep found, in lines.
pub(super) fn tell(swept: &Swept, mode: Mode, style: Style) -> String {
    let verb = match mode {
        Mode::Remove => "removed",
        Mode::DryRun => "would remove",
    };
    let list = |verb: &str, found: &Found| {
        let names = found.names().into_iter().map(|name| format!("  {name}"));
        let heading = format!("{verb} of run {}:", style.bold(&found.label));
        std::iter::once(heading).chain(names).collect::<Vec<_>>()
    };
    let mut lines: Vec<String> = swept.dead.iter().flat_map(|found| list(verb, found)).collect();
    let foreign = "left alone, because no ledger here knows it (see --all),";
    lines.extend(swept.foreign.iter().flat_map(|found| list(foreign, found)));
    lines.extend(swept.alive.iter().map(|label| format!("left alone, because it lives: run {}", style.bold(label))));
    if swept.dead.is_empty() {
        lines.push("nothing to remove: no dead run has left anything".to_owned());
    }
    lines.join("\n") + "\n"
}
