//! `wiber-chaos plan`: what a run would do, without starting anything.

mod timeline;

use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;

use clap::Args;

use super::terminal::{Style, complain, print, render_error, render_problems};
use super::{ColorChoice, ExitCode, Format};
use crate::plan;
use crate::scenario::{self, Scenario};

pub use timeline::render as render_timeline;

/// Which scenario to plan.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// The scenario file
    #[arg(value_name = "SCENARIO")]
    pub scenario: PathBuf,
    /// The seed, instead of the scenario's own
    #[arg(long)]
    pub seed: Option<u64>,
    /// A timeline for people, or plan.json
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub format: Format,
}

/// Prints the plan; warnings go to stderr, so that plan.json stays clean.
pub fn plan(args: &PlanArgs, color: ColorChoice) -> ExitCode {
    let errors = Style::choose(color, &std::io::stderr());
    let parsed = match scenario::load(&args.scenario) {
        Ok(parsed) => parsed,
        Err(error) => {
            complain(&render_error(&error, errors));
            return ExitCode::Usage;
        }
    };
    let plan = plan::plan(&parsed.scenario, seed_for(&parsed.scenario, args.seed));
    let text = match args.format {
        Format::Human => timeline::render(&parsed.scenario, &plan, Style::choose(color, &std::io::stdout())),
        Format::Json => plan::to_json(&plan),
    };
    if let Err(code) = print(&text) {
        return code;
    }
    complain(&render_problems(&parsed.warnings, errors));
    ExitCode::Pass
}

/// The seed of a run: the one asked for, else the scenario's, else one that is drawn now.
pub fn seed_for(scenario: &Scenario, asked: Option<u64>) -> u64 {
    asked.or(scenario.seed).unwrap_or_else(draw_seed)
}

/// A seed that nobody chose. It has 32 bits, for it to be short enough to type, and exact in every JSON reader.
fn draw_seed() -> u64 {
    // The standard library keys each of its hashers by the operating system's randomness.
    RandomState::new().hash_one("seed") >> 32
}
