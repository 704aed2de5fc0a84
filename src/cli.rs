//! The command line, one file a command.
//!
//! Data goes to stdout, progress and logs and errors to stderr. Colour, progress and format never change what is said,
//! only how.

pub mod check;
pub mod clean;
pub mod client_process;
pub mod compare;
pub mod completions;
pub mod connect;
pub mod consume;
pub mod doctor;
#[cfg(test)]
mod documented;
pub mod down;
mod exit;
mod github;
pub mod history;
pub mod init;
pub mod list;
pub mod man;
pub mod outcome;
pub mod plan;
mod priority;
pub mod produce;
pub mod progress;
pub mod report;
pub mod run;
pub mod schema;
mod screen;
pub mod sheet;
mod signals;
pub mod status;
pub mod terminal;
pub mod topics;
pub mod up;
pub mod validate;

use clap::{CommandFactory, Parser, Subcommand, ValueEnum};

pub use exit::ExitCode;

/// A chaos lab for Kafka: real brokers, real faults, proven; and a verdict that can be trusted.
#[derive(Debug, Parser)]
#[command(name = "wiber-chaos", version, about, after_help = AFTER_HELP, disable_help_subcommand = true)]
pub struct Cli {
    /// When to colour the output; `auto` honours `NO_COLOR`
    #[arg(long, global = true, value_enum, default_value_t = ColorChoice::Auto, value_name = "WHEN")]
    pub color: ColorChoice,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const AFTER_HELP: &str = "\
Exit codes:
  0  pass: every expectation was met
  1  fail: an invariant was violated, or an anomaly that the scenario requires was not seen;
     by hand: a message was not delivered, or too few came
  2  usage, or a bad scenario file; by hand: no such topic, or refused by the cluster
  3  a threshold was breached, no invariant violated
  4  inconclusive: a fault did not bite, too little evidence, drain incomplete
  5  environment: no Docker, no image, cluster did not start or cannot be reached
  6  something could not be healed or cleaned up
  130, 143  interrupted, after healing

Start with:
  wiber-chaos list                               what there is
  wiber-chaos plan scenarios/kill-one.toml       what would happen, without starting anything
  wiber-chaos run scenarios/kill-one.toml        do it";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run scenarios: start a cluster, drive load, inject faults, check, report
    Run(run::RunArgs),
    /// Check stored runs again, without any cluster
    Check(check::CheckArgs),
    /// Say what differs between two stored runs, beyond noise
    Compare(compare::CompareArgs),
    /// Write one page over all stored runs
    Report(report::ReportArgs),
    /// Write a stored run's history in another format
    History(history::HistoryArgs),
    /// Check scenario files: all that is wrong with them at once, and whether their faults can be injected here
    Validate(validate::ValidateArgs),
    /// Show what a run would do, without starting anything
    Plan(plan::PlanArgs),
    /// List the scenarios of a directory
    List(list::ListArgs),
    /// Write a scenario to begin with
    Init(init::InitArgs),
    /// Print the JSON Schema of scenario files, for editors
    Schema,
    /// Say what is wrong with this machine and its cluster, and what to do about it
    Doctor(doctor::DoctorArgs),
    /// Remove what interrupted runs left behind
    Clean(clean::CleanArgs),
    /// Start three brokers that stay, with the topic `chat`; or start again what is stopped of them
    Up(up::UpArgs),
    /// Remove the brokers of `up`, and keep their data
    Down(down::DownArgs),
    /// Show brokers, controller, leaders, ISR, and groups with their lag
    Status(status::StatusArgs),
    /// Send messages, and get a receipt for each
    Produce(produce::ProduceArgs),
    /// Print records as they come
    Consume(consume::ConsumeArgs),
    /// Make, list, describe and delete topics
    Topics(topics::TopicsArgs),
    /// Print what a shell needs to complete commands
    Completions(completions::CompletionsArgs),
    /// Print the manual, or write a page for each command
    Man(man::ManArgs),
    /// One client of a running load, in a process of its own; runs start it by themselves
    #[command(hide = true)]
    ClientProcess,
}

/// When to colour the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// For whom the output is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// People.
    Human,
    /// Programs.
    Json,
}

/// How progress is shown, on stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ProgressChoice {
    /// A live view on a terminal, else one line an event.
    Auto,
    /// A live view, if the terminal can show one.
    Bar,
    /// Nothing.
    None,
}

/// Carries a command out.
pub fn dispatch(cli: Cli) -> ExitCode {
    let color = cli.color;
    match cli.command {
        Command::Run(args) => {
            let _lowered = priority::give_way();
            wait_for(run::execute(&args, color))
        }
        Command::Check(args) => check::check(&args, color),
        Command::Compare(args) => compare::compare(&args, color),
        Command::Report(args) => report::report(&args),
        Command::History(args) => history::history(&args),
        Command::Validate(args) => wait_for(validate::validate(&args, color)),
        Command::Plan(args) => plan::plan(&args, color),
        Command::List(args) => list::list(&args, color),
        Command::Init(args) => init::init(&args),
        Command::Schema => schema::schema(),
        Command::Doctor(args) => wait_for(doctor::doctor(&args, color)),
        Command::Clean(args) => wait_for(clean::clean(&args, color)),
        Command::Up(args) => wait_for(up::up(&args, color)),
        Command::Down(args) => wait_for(down::down(&args)),
        Command::Status(args) => wait_for(status::status(&args, color)),
        Command::Produce(args) => wait_for(produce::produce(&args)),
        Command::Consume(args) => wait_for(consume::consume(&args)),
        Command::Topics(args) => wait_for(topics::topics(&args, color)),
        Command::Completions(args) => completions::completions(&args),
        Command::Man(args) => man::man(&args),
        Command::ClientProcess => client_process::client_process(),
    }
}

/// The command line as people see it: without what runs start by themselves, which completions would offer.
fn for_people() -> clap::Command {
    let whole = Cli::command();
    let seen: Vec<clap::Command> = whole.get_subcommands().filter(|command| !command.is_hide_set()).cloned().collect();
    clap::Command::new("wiber-chaos")
        .version(env!("CARGO_PKG_VERSION"))
        .about(whole.get_about().cloned().unwrap_or_default())
        .after_help(AFTER_HELP)
        .disable_help_subcommand(true)
        .args(whole.get_arguments().cloned())
        .subcommands(seen)
}

/// Runs a command that waits for the network. What it left behind on other threads does not keep the process alive:
/// after a second interruption a client may still be waiting for brokers that are gone.
fn wait_for(command: impl Future<Output = ExitCode>) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            terminal::complain(&format!("error: cannot start threads: {error}\n"));
            return ExitCode::Environment;
        }
    };
    let code = runtime.block_on(command);
    runtime.shutdown_background();
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definitions_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn people_are_shown_everything_but_what_runs_start_by_themselves() {
        let names = |command: &clap::Command| {
            command.get_subcommands().map(|command| command.get_name().to_owned()).collect::<Vec<_>>()
        };
        let mut all = names(&Cli::command());
        all.retain(|name| name != "client-process");
        assert_eq!(names(&for_people()), all);
    }

    #[test]
    fn run_takes_several_scenarios_and_a_seed() {
        let cli = Cli::try_parse_from(["wiber-chaos", "run", "a.toml", "b.toml", "--seed", "7", "--color", "never"])
            .expect("legal arguments");
        let Command::Run(args) = cli.command else { panic!("another command: {:?}", cli.command) };
        assert_eq!((args.scenarios.len(), args.seed, cli.color), (2, Some(7), ColorChoice::Never));
        assert_eq!(args.reports, std::path::Path::new("reports"));
    }

    #[test]
    fn a_command_without_its_scenario_is_refused() {
        for args in
            [["wiber-chaos", "run"], ["wiber-chaos", "validate"], ["wiber-chaos", "plan"], ["wiber-chaos", "fly"]]
        {
            assert!(Cli::try_parse_from(args).is_err(), "{args:?}");
        }
    }
}
