//! `wiber-chaos doctor`: what is wrong here, and what to do about it.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::connect::properties;
use super::terminal::{Style, complain, print};
use super::up::{HIGHEST_BASE_PORT, Name};
use super::{ColorChoice, ExitCode, Format};
use crate::cluster::ledger;
use crate::doctor::{self, Check, Level, Wish};
use crate::kafka::Endpoint;

/// What to look at.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// The cluster's brokers; without it, whatever listens at the standing cluster's ports
    #[arg(short = 'b', long, value_name = "HOST:PORT,...", env = "WIBER_BOOTSTRAP")]
    pub bootstrap: Option<String>,
    /// A librdkafka property, such as `-X security.protocol=SASL_SSL`; may be repeated. `${NAME}` in its value stands for
    /// an environment variable, so that a secret need not stand on the command line
    #[arg(short = 'X', long = "property", value_name = "NAME=VALUE")]
    pub property: Vec<String>,
    /// A topic that must be there
    #[arg(long = "topic", value_name = "TOPIC")]
    pub topics: Vec<String>,
    /// A consumer group that must be there and keep up; without any, all are looked at
    #[arg(long = "group", value_name = "GROUP")]
    pub groups: Vec<String>,
    /// The first of three ports [default: that of the standing cluster, else 9092]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..=HIGHEST_BASE_PORT))]
    pub base_port: Option<u16>,
    /// Which standing cluster.
    #[command(flatten)]
    pub name: Name,
    /// Where runs keep their reports
    #[arg(long, value_name = "DIR", default_value = "reports")]
    pub reports: PathBuf,
    /// Print for people or for programs
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub format: Format,
}

/// Makes every check and shows all. 5 when there is a problem; warnings alone are no failure.
pub async fn doctor(args: &DoctorArgs, color: ColorChoice) -> ExitCode {
    let wish = match wish(args) {
        Ok(wish) => wish,
        Err(reason) => {
            complain(&format!("error: {reason}\n"));
            return ExitCode::Usage;
        }
    };
    let checks = Box::pin(doctor::examine(&wish)).await;
    let text = match args.format {
        Format::Human => human(&checks, Style::choose(color, &std::io::stdout())),
        Format::Json => as_json(&checks),
    };
    match print(&text) {
        Err(code) => code,
        Ok(()) if doctor::count(&checks, Level::Problem) > 0 => ExitCode::Environment,
        Ok(()) => ExitCode::Pass,
    }
}

fn wish(args: &DoctorArgs) -> Result<Wish, String> {
    let bootstrap = args.bootstrap.as_deref().map(Endpoint::parse_list).transpose();
    Ok(Wish {
        bootstrap: bootstrap.map_err(|error| error.to_string())?,
        properties: properties(&args.property)?,
        topics: args.topics.clone(),
        groups: args.groups.clone(),
        base_port: args.base_port,
        name: args.name.name.clone(),
        reports: args.reports.clone(),
        state: ledger::state_dir(),
    })
}

/// A line for each finding, its help below it, and a sentence at the end.
fn human(checks: &[Check], style: Style) -> String {
    let width = checks.iter().map(|check| check.name.len()).max().unwrap_or(0);
    let mut lines = Vec::new();
    let mut last_help = None;
    for Check { name, level, found, help } in checks {
        let name = style.bold(&format!("{name:width$}"));
        lines.push(format!("{} {name}  {found}", mark(*level, style)));
        // Where there is no engine, half of the checks have the same to say.
        if let Some(help) = help.as_deref().filter(|help| last_help != Some(*help)) {
            lines.push(style.dim(&format!("{:width$}    help: {help}", "")));
            last_help = Some(help);
        }
    }
    lines.push(String::new());
    lines.push(summary(checks));
    lines.join("\n") + "\n"
}

fn mark(level: Level, style: Style) -> String {
    match level {
        Level::Ok => style.good("✓"),
        Level::Note => style.dim("·"),
        Level::Warning => style.doubtful("!"),
        Level::Problem => style.bad("✗"),
    }
}

fn summary(checks: &[Check]) -> String {
    let many = |level, thing: &str| match doctor::count(checks, level) {
        0 => None,
        1 => Some(format!("1 {thing}")),
        number => Some(format!("{number} {thing}s")),
    };
    let told: Vec<String> =
        [many(Level::Problem, "problem"), many(Level::Warning, "warning")].into_iter().flatten().collect();
    if told.is_empty() { "nothing is wrong".to_owned() } else { told.join(", ") }
}

/// The same for programs.
pub(super) fn as_json(checks: &[Check]) -> String {
    let value = json!({
        "schema_version": 1,
        "checks": checks,
        "problems": doctor::count(checks, Level::Problem),
        "warnings": doctor::count(checks, Level::Warning),
    });
    format!("{value:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: DoctorArgs,
    }

    fn wished(line: &[&str]) -> Result<Wish, String> {
        let line = Line::try_parse_from([&["doctor"], line].concat()).map_err(|error| error.to_string())?;
        wish(&line.args)
    }

    #[test]
    fn every_finding_has_a_mark_and_its_help_stands_below_it() {
        let checks = [
            Check::ok("engine", "it answers"),
            Check::note("standing", "none", "up"),
            Check::warning("disk", "little", "free some"),
            Check::problem("ports", "9092 is taken", "end it"),
        ];
        let expected = "✓ engine    it answers\n\
                        · standing  none\n            help: up\n\
                        ! disk      little\n            help: free some\n\
                        ✗ ports     9092 is taken\n            help: end it\n\
                        \n1 problem, 1 warning\n";
        assert_eq!(human(&checks, Style::Plain), expected);
        assert_eq!(summary(&checks[..2]), "nothing is wrong");
    }

    #[test]
    fn the_command_line_is_read_before_anything_is_looked_at() {
        let wish = wished(&["--bootstrap", "a,b:1", "-X", "sasl.password=a=b", "--topic", "x", "--topic", "y"]);
        let wish = wish.expect("legal arguments");
        assert_eq!(wish.bootstrap, Some(vec![Endpoint::new("a", 9092), Endpoint::new("b", 1)]));
        assert_eq!((wish.properties["sasl.password"].as_str(), wish.topics.len()), ("a=b", 2));
        let wrong = [
            &["--bootstrap", "a:x"][..],
            &["-X", "security.protocol"],
            &["-X", "sasl.password=${NO_SUCH_VARIABLE_IS_SET}"],
            &["--base-port", "65534"],
        ];
        for line in wrong {
            assert!(wished(line).is_err(), "{line:?}");
        }
    }
}
