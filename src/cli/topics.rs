//! `wiber-chaos topics`: make, list, describe and delete topics.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::json;

use super::connect::{Connect, tell};
use super::terminal::{Style, complain, print};
use super::{ColorChoice, ExitCode, Format};
use crate::client::preflight::{PreflightError, nearest};
use crate::cluster::admin::{self, Deleted, Made, Setting};
use crate::cluster::peers::Peers;
use crate::cluster::reach;
use crate::cluster::view::{self, Topics};
use crate::kafka::{ClusterView, PartitionView};
use crate::scenario::TopicSpec;

const LIMIT: Duration = Duration::from_secs(30);
const LOOK_LIMIT: Duration = Duration::from_secs(5);

/// What to do with topics.
#[derive(Debug, Args)]
pub struct TopicsArgs {
    /// What to do.
    #[command(subcommand)]
    pub what: TopicsCommand,
}

/// What to do with topics.
#[derive(Debug, Subcommand)]
pub enum TopicsCommand {
    /// Make a topic
    Create(CreateArgs),
    /// List the topics
    List(ListArgs),
    /// Show a topic's partitions, leaders, replicas, ISR and settings
    Describe(DescribeArgs),
    /// Delete topics, with all their records
    Delete(DeleteArgs),
}

/// A topic to make.
#[derive(Debug, Args)]
pub struct CreateArgs {
    /// Its name
    pub topic: String,
    /// How many partitions
    #[arg(short, long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub partitions: u32,
    /// How many replicas each
    #[arg(short, long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub replication_factor: u32,
    /// A setting of the topic, such as `--config min.insync.replicas=2`; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = setting)]
    pub config: Vec<(String, String)>,
    /// Be content when the topic is there already
    #[arg(long)]
    pub if_not_exists: bool,
    /// Which cluster.
    #[command(flatten)]
    pub connect: Connect,
}

/// Which topics to list.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Also Kafka's own
    #[arg(long)]
    pub internal: bool,
    /// For people or for programs
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub format: Format,
    /// Which cluster.
    #[command(flatten)]
    pub connect: Connect,
}

/// Which topics to describe.
#[derive(Debug, Args)]
pub struct DescribeArgs {
    /// Their names
    #[arg(required = true)]
    pub topics: Vec<String>,
    /// For people or for programs
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub format: Format,
    /// Which cluster.
    #[command(flatten)]
    pub connect: Connect,
}

/// Which topics to delete.
#[derive(Debug, Args)]
pub struct DeleteArgs {
    /// Their names
    #[arg(required = true)]
    pub topics: Vec<String>,
    /// Which cluster.
    #[command(flatten)]
    pub connect: Connect,
}

/// Does it. 2 when the cluster refuses what was asked for, 5 when it cannot be reached.
pub async fn topics(args: &TopicsArgs, color: ColorChoice) -> ExitCode {
    let done = match &args.what {
        TopicsCommand::Create(args) => create(args).await,
        TopicsCommand::List(args) => list(args).await,
        TopicsCommand::Describe(args) => describe(args, Style::choose(color, &std::io::stdout())).await,
        TopicsCommand::Delete(args) => delete(args).await,
    };
    match done.and_then(|text| print(&text)) {
        Ok(()) => ExitCode::Pass,
        Err(code) => code,
    }
}

async fn reached(connect: &Connect) -> Result<Peers, ExitCode> {
    let access = connect.access()?;
    reach::reach_for_clients(&access).await.map(|reached| reached.peers).map_err(|error| tell(&error))
}

async fn create(args: &CreateArgs) -> Result<String, ExitCode> {
    let peers = reached(&args.connect).await?;
    let topic = TopicSpec {
        name: args.topic.clone(),
        partitions: args.partitions,
        replication_factor: args.replication_factor,
        config: args.config.iter().cloned().collect::<BTreeMap<_, _>>(),
    };
    match admin::create_topic(&peers, &topic, LIMIT).await.map(|creation| creation.made) {
        Ok(Made::New) => Ok(format!("made topic {}\n", args.topic)),
        Ok(Made::There) if args.if_not_exists => Ok(format!("topic {} is there already\n", args.topic)),
        Ok(Made::There) => {
            complain(&format!(
                "error: topic `{}` is there already\n  help: --if-not-exists is content with that; its settings stay as they are\n",
                args.topic
            ));
            Err(ExitCode::Usage)
        }
        Err(error) => Err(tell(&error)),
    }
}

async fn list(args: &ListArgs) -> Result<String, ExitCode> {
    let peers = reached(&args.connect).await?;
    let view = view::ask_all(&peers, Topics::All, LOOK_LIMIT).await.map_err(|error| tell(&error))?;
    let mut topics: BTreeMap<&str, Vec<&PartitionView>> = BTreeMap::new();
    for partition in view.partitions.iter().filter(|it| args.internal || !it.partition.topic.starts_with("__")) {
        topics.entry(&partition.partition.topic).or_default().push(partition);
    }
    if args.format == Format::Json {
        return Ok(list_json(&topics));
    }
    if topics.is_empty() {
        complain("there is no topic yet; `wiber-chaos topics create NAME` makes one\n");
    }
    let wide = topics.keys().map(|topic| topic.len()).max().unwrap_or_default();
    let lines = topics.iter().map(|(topic, partitions)| {
        format!("{topic:wide$}  {} partitions, {} replicas each\n", partitions.len(), replicas(partitions))
    });
    Ok(lines.collect())
}

/// The list for programs.
pub(super) fn list_json(topics: &BTreeMap<&str, Vec<&PartitionView>>) -> String {
    let topics = topics.iter().map(|(topic, partitions)| {
        json!({ "topic": topic, "partitions": partitions.len(), "replication_factor": replicas(partitions) })
    });
    format!("{}\n", json!({ "topics": topics.collect::<Vec<_>>() }))
}

fn replicas(partitions: &[&PartitionView]) -> usize {
    partitions.first().map_or(0, |partition| partition.replicas.len())
}

async fn describe(args: &DescribeArgs, style: Style) -> Result<String, ExitCode> {
    let peers = reached(&args.connect).await?;
    let view = view::ask_all(&peers, Topics::All, LOOK_LIMIT).await.map_err(|error| tell(&error))?;
    let mut described = Vec::new();
    for topic in &args.topics {
        let partitions = of(&view, topic)?;
        let settings = admin::settings(&peers, topic, LIMIT).await.map_err(|error| tell(&error))?;
        described.push((topic.as_str(), partitions, settings));
    }
    if args.format == Format::Json {
        return Ok(describe_json(&described));
    }
    let shown = described.iter().map(|(topic, partitions, settings)| human(topic, partitions, settings, style));
    Ok(shown.collect::<Vec<_>>().join("\n"))
}

/// A topic with its partitions and settings.
type Described<'a> = (&'a str, Vec<&'a PartitionView>, Vec<Setting>);

/// The description for programs.
pub(super) fn describe_json(described: &[Described<'_>]) -> String {
    let topic = |(topic, partitions, settings): &Described<'_>| json!({ "topic": topic, "partitions": partitions, "settings": settings });
    format!("{}\n", json!({ "topics": described.iter().map(topic).collect::<Vec<_>>() }))
}

fn of<'a>(view: &'a ClusterView, topic: &str) -> Result<Vec<&'a PartitionView>, ExitCode> {
    let found: Vec<&PartitionView> = view.partitions.iter().filter(|it| it.partition.topic == topic).collect();
    if found.is_empty() {
        let known = view.partitions.iter().map(|it| it.partition.topic.as_str());
        let meant = nearest(topic, known).map(str::to_owned);
        return Err(tell(&PreflightError::NoTopic { topic: topic.to_owned(), meant }));
    }
    Ok(found)
}

fn human(topic: &str, partitions: &[&PartitionView], settings: &[Setting], style: Style) -> String {
    let mut text = String::new();
    write_human(&mut text, topic, partitions, settings, style).expect("a String takes all that is written to it");
    text
}

fn write_human(
    out: &mut String,
    topic: &str,
    partitions: &[&PartitionView],
    settings: &[Setting],
    style: Style,
) -> std::fmt::Result {
    writeln!(out, "{}  {} partitions", style.bold(topic), partitions.len())?;
    for (name, value) in admin::shown(settings) {
        writeln!(out, "  {name}={value}")?;
    }
    out.push_str(&super::status::partitions_table(partitions, style));
    Ok(())
}

async fn delete(args: &DeleteArgs) -> Result<String, ExitCode> {
    let peers = reached(&args.connect).await?;
    let view = view::ask_all(&peers, Topics::All, LOOK_LIMIT).await.map_err(|error| tell(&error))?;
    // All names are looked at before the first topic goes.
    for topic in &args.topics {
        of(&view, topic)?;
    }
    for topic in &args.topics {
        match admin::delete_topic(&peers, topic, None, LIMIT).await {
            Ok(Deleted::Gone) => print(&format!("deleted topic {topic}\n"))?,
            Ok(Deleted::Absent) => print(&format!("topic {topic} was gone already\n"))?,
            Err(error) => return Err(tell(&error)),
        }
    }
    Ok(String::new())
}

fn setting(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write name=value, such as min.insync.replicas=2")?;
    Ok((name.to_owned(), value.to_owned()))
}
