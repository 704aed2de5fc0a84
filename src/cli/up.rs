//! `wiber-chaos up`: three brokers that stay, and the topic `chat`.

use std::time::Duration;

use clap::Args;

use super::connect::tell;
use super::terminal::{Style, complain, print};
use super::{ColorChoice, ExitCode, Format};
use crate::cluster::admin::Made;
use crate::cluster::engine::Engine;
use crate::cluster::standing::{Action, BROKERS, DEFAULT_NAME, Standing, Up, Wish};
use crate::scenario::{TopicSpec, units};

/// The highest first port that leaves room for the others.
pub(super) const HIGHEST_BASE_PORT: i64 = 65_535 - BROKERS as i64 + 1;

/// What to start.
#[derive(Debug, Args)]
pub struct UpArgs {
    /// The first broker's port on localhost; the others have the next two [default: 9092, or where it is already]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1024..=HIGHEST_BASE_PORT))]
    pub base_port: Option<u16>,
    /// Which standing cluster.
    #[command(flatten)]
    pub name: Name,
    /// The Kafka image, instead of the official one or the local drop-in; brokers that are there keep theirs
    #[arg(long)]
    pub image: Option<String>,
    /// Each broker's heap [default: 512MiB]; brokers that are there keep theirs
    #[arg(long, value_name = "SIZE", value_parser = heap)]
    pub heap: Option<u64>,
    /// How long it may take until the cluster is whole
    #[arg(long, value_name = "DURATION", default_value = "180s", value_parser = duration)]
    pub limit: Duration,
    /// What to print at the end
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub format: Format,
}

/// Which standing cluster.
#[derive(Clone, Debug, Args)]
pub struct Name {
    /// The cluster's name; with another than the default, its containers are NAME-kafka-1 to NAME-kafka-3
    #[arg(long, value_name = "NAME", default_value = DEFAULT_NAME, value_parser = name)]
    pub name: String,
}

/// Starts what is not there, waits until it is whole, and says how to reach it. 5 when it does not come to that.
pub async fn up(args: &UpArgs, color: ColorChoice) -> ExitCode {
    let engine = match Engine::connect().await {
        Ok(engine) => engine,
        Err(error) => return tell(&error),
    };
    let wish = Wish {
        base_port: args.base_port,
        image: args.image.clone(),
        heap_bytes: args.heap,
        limit: args.limit,
        topic: chat(),
    };
    let standing = Standing::new(engine, &args.name.name);
    match standing.up(&wish, |step| complain(&format!("{step}\n"))).await {
        Ok(up) => match print(&told(&up, args, Style::choose(color, &std::io::stdout()))) {
            Ok(()) => ExitCode::Pass,
            Err(code) => code,
        },
        Err(error) => tell(&error),
    }
}

/// The topic of every Wiber cluster.
fn chat() -> TopicSpec {
    TopicSpec {
        name: "chat".to_owned(),
        partitions: 3,
        replication_factor: 3,
        config: [("min.insync.replicas".to_owned(), "2".to_owned())].into(),
    }
}

/// What stands now, and how to reach it.
pub(super) fn told(up: &Up, args: &UpArgs, style: Style) -> String {
    let servers = up.access.bootstrap_servers();
    if args.format == Format::Json {
        let brokers: Vec<_> = up
            .brokers
            .iter()
            .map(|(name, endpoint, action)| serde_json::json!({ "container": name, "endpoint": endpoint, "was": word(*action) }))
            .collect();
        return format!("{}\n", serde_json::json!({ "bootstrap": servers, "brokers": brokers }));
    }
    let mut lines: Vec<String> = up
        .brokers
        .iter()
        .map(|(name, endpoint, action)| format!("{}  {endpoint}  {}", style.bold(name), style.dim(word(*action))))
        .collect();
    lines.push(match up.topic {
        Made::New => "topic chat: made, 3 partitions, 3 replicas each, 2 in sync at least".to_owned(),
        Made::There => "topic chat: there already".to_owned(),
    });
    lines.push(String::new());
    lines.push("Try, each in a terminal of its own:".to_owned());
    let bootstrap = if servers.starts_with("localhost:9092,") { String::new() } else { format!(" -b {servers}") };
    lines.push(format!("  wiber-chaos consume chat --group chat-consumers{bootstrap}"));
    lines.push(format!("  wiber-chaos produce chat 'Hello World!'{bootstrap}"));
    lines.push(format!("  wiber-chaos status --watch{bootstrap}"));
    lines.join("\n") + "\n"
}

fn word(action: Action) -> &'static str {
    match action {
        Action::Made => "made",
        Action::Started => "started",
        Action::Running => "ran already",
    }
}

fn heap(text: &str) -> Result<u64, String> {
    let bytes = units::size(text).map_err(|error| format!("{}; {}", error.what, error.help))?;
    if bytes < 128 << 20 { Err("a broker does not start with less than 128MiB".to_owned()) } else { Ok(bytes) }
}

/// A duration with its unit, as in scenarios. None at all is refused: nothing comes about within no time.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    match units::duration(text) {
        Ok(Duration::ZERO) => Err("write more than 0".to_owned()),
        Ok(duration) => Ok(duration),
        Err(error) => Err(format!("{}; {}", error.what, error.help)),
    }
}

/// A name that containers, networks and volumes may begin with.
fn name(text: &str) -> Result<String, String> {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if text.is_empty() || text.len() > 30 || !text.chars().all(legal) || text.starts_with('-') {
        return Err("use up to 30 small letters, digits and dashes, beginning with a letter or digit".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_of_nothing_is_refused() {
        for text in ["0s", "0ms", "0s 0ms"] {
            assert!(duration(text).is_err_and(|told| !told.is_empty()), "{text}");
        }
        assert_eq!(duration("0s"), Err("write more than 0".to_owned()));
        assert_eq!(duration("1ms"), Ok(Duration::from_millis(1)));
    }
}
