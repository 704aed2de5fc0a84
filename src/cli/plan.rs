//! `wiber-chaos plan`: what a run would do, without starting anything.

mod blast;
mod lanes;
mod timeline;

use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::sheet::Sheet;
use super::terminal::{Style, complain, print, render_error, render_problems};
use super::{ColorChoice, ExitCode, Format};
use crate::plan::outlook::{Outlook, outlook};
use crate::plan::{self, Plan};
use crate::scenario::{self, Scenario};

/// Which scenario to plan.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// The scenario file
    #[arg(value_name = "SCENARIO")]
    pub scenario: PathBuf,
    /// The seed, instead of the scenario's own
    #[arg(long)]
    pub seed: Option<u64>,
    /// A timeline for people, or plan.json with what follows from it
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub format: Format,
}

/// What programs are told: plan.json, key by key, and one key more.
#[derive(Serialize)]
struct Foretold<'a> {
    #[serde(flatten)]
    plan: &'a Plan,
    outlook: &'a Outlook,
}

/// Prints the plan; what validation warns of goes to stderr, so that the JSON stays clean.
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
        Format::Human => render_timeline(&parsed.scenario, &plan, &Sheet::of(color, &std::io::stdout())),
        Format::Json => to_json(&parsed.scenario, &plan),
    };
    if let Err(code) = print(&text) {
        return code;
    }
    complain(&render_problems(&parsed.warnings, errors));
    ExitCode::Pass
}

/// The plan and its outlook for people.
pub fn render_timeline(scenario: &Scenario, plan: &Plan, sheet: &Sheet) -> String {
    timeline::render(scenario, plan, &outlook(scenario, plan), sheet)
}

/// The plan as the run's `plan.json` holds it, and behind it the key `outlook`.
pub(super) fn to_json(scenario: &Scenario, plan: &Plan) -> String {
    let outlook = &outlook(scenario, plan);
    let mut json =
        serde_json::to_string_pretty(&Foretold { plan, outlook }).expect("a plan has string keys only, and no floats");
    json.push('\n');
    json
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
