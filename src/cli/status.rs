//! `wiber-chaos status`: brokers, controller, leaders, ISR, groups and their lag; once, again and again, or until whole.

mod table;

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use clap::Args;

use super::connect::{Connect, tell};
use super::terminal::{Style, complain, print};
use super::up::duration;
use super::{ColorChoice, ExitCode, Format, signals};
use crate::cluster::status::{Status, StatusError, look};
use crate::kafka::Access;

pub(super) use table::partitions_table;
#[cfg(test)]
pub(super) use table::tests::sample;

/// How often it is looked at while waiting.
const WAIT_INTERVAL: Duration = Duration::from_millis(250);

/// Home, and everything below gone: the screen is drawn anew without flicker.
const REDRAW: &str = "\u{1b}[H\u{1b}[J";

/// What to look at.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Look again and again, until Ctrl-C; where stdout is no terminal, print only what is new
    #[arg(long, conflicts_with = "wait")]
    pub watch: bool,
    /// How often to look with --watch
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = duration, requires = "watch")]
    pub every: Duration,
    /// Wait until the cluster is whole, at most this long; exit code 5 when it is not by then
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub wait: Option<Duration>,
    /// For people or for programs
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub format: Format,
    /// Which cluster.
    #[command(flatten)]
    pub connect: Connect,
}

/// Looks, and shows. 5 when the cluster cannot be reached, or is not whole in time.
pub async fn status(args: &StatusArgs, color: ColorChoice) -> ExitCode {
    let access = match args.connect.access() {
        Ok(access) => access,
        Err(code) => return code,
    };
    let style = Style::choose(color, &std::io::stdout());
    if args.watch {
        return tokio::select! {
            code = watch(&access, args, style) => code,
            code = signals::ended() => code,
        };
    }
    if let Some(limit) = args.wait {
        return wait(&access, args, limit, style).await;
    }
    match look(&access).await {
        Ok(status) => show(&render(&status, args.format, style)),
        Err(error) => tell(&error),
    }
}

async fn wait(access: &Access, args: &StatusArgs, limit: Duration, style: Style) -> ExitCode {
    let began = Instant::now();
    let mut told = String::new();
    loop {
        let seen = look(access).await;
        let missing = match &seen {
            Ok(Status { missing: None, .. }) => None,
            Ok(Status { missing: Some(missing), .. }) => Some(missing.clone()),
            Err(StatusError::Reach(error)) if !error.may_pass() => return tell(error),
            Err(error) => Some(error.to_string().lines().next().unwrap_or_default().to_owned()),
        };
        match (missing, seen) {
            (None, Ok(status)) => return show(&render(&status, args.format, style)),
            (missing, _) => {
                let missing = missing.unwrap_or_default();
                if began.elapsed() >= limit {
                    let waited = format!("waited {} s for the cluster to be whole", limit.as_secs_f64());
                    complain(&format!("error: {waited}; last seen: {missing}\n"));
                    return ExitCode::Environment;
                }
                if missing != told {
                    complain(&format!("waiting: {missing}\n"));
                    told = missing;
                }
            }
        }
        tokio::time::sleep(WAIT_INTERVAL).await;
    }
}

async fn watch(access: &Access, args: &StatusArgs, style: Style) -> ExitCode {
    let on_screen = std::io::stdout().is_terminal() && args.format == Format::Human;
    let mut last = String::new();
    loop {
        let text = match look(access).await {
            Ok(status) => render(&status, args.format, style),
            // What keeps it from being seen is news too; a cluster that is being disturbed comes and goes.
            Err(StatusError::Reach(error)) if !error.may_pass() => return tell(&error),
            Err(error) => render_error(&error, args.format),
        };
        if on_screen || text != last {
            let now = jiff::Timestamp::now().strftime("%H:%M:%S UTC").to_string();
            let text = match (on_screen, args.format) {
                (true, _) => format!("{REDRAW}{now}, every {}\n\n{text}", humantime::format_duration(args.every)),
                (false, Format::Human) => format!("at {now}\n{text}\n"),
                (false, Format::Json) => text.clone(),
            };
            if let Err(code) = print(&text) {
                return code;
            }
        }
        last = text;
        tokio::time::sleep(args.every).await;
    }
}

/// What was seen, for whoever it is for.
pub(super) fn render(status: &Status, format: Format, style: Style) -> String {
    match format {
        Format::Human => table::human(status, style),
        Format::Json => format!("{}\n", serde_json::to_string(status).expect("a status is plain data")),
    }
}

/// What keeps the cluster from being seen, as a line of what is watched: a program that reads it gets JSON and nothing else.
fn render_error(error: &StatusError, format: Format) -> String {
    match format {
        Format::Human => format!("{error}\n"),
        Format::Json => format!("{}\n", serde_json::json!({ "error": error.to_string() })),
    }
}

fn show(text: &str) -> ExitCode {
    match print(text) {
        Ok(()) => ExitCode::Pass,
        Err(code) => code,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::ClusterError;

    #[test]
    fn programs_that_watch_get_errors_as_json_too() {
        let error = StatusError::Cluster(ClusterError::NoAnswer {
            question: "\"what\" there is".to_owned(),
            last_seen: "no answer\n  help: wait".to_owned(),
        });
        let line = render_error(&error, Format::Json);
        assert_eq!(line.lines().count(), 1, "{line}");
        let read: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(read["error"], error.to_string());
    }
}
