//! `ottla topic`: create, list, describe, alter, delete.

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use protocol::error_code::ErrorCode;
use protocol::ids::format_uuid;
use serde_json::{Value, json};

use super::{Server, key_value};
use crate::client::{
    ConfigChange, ConfigEntry, ConfigResource, NewTopic, PartitionDescription, ResourceKind, TopicDescription,
};
use crate::output::Output;

/// Creates, lists, describes, changes and deletes topics.
///
/// Examples:
///   ottla topic create orders --partitions 6
///   ottla topic describe orders
#[derive(Debug, Subcommand)]
#[command(verbatim_doc_comment)]
pub(crate) enum Command {
    /// Creates topics.
    ///
    /// Examples:
    ///   ottla topic create orders
    ///   ottla topic create orders payments --partitions 6 --config retention.ms=86400000
    #[command(verbatim_doc_comment)]
    Create(Create),
    /// Lists topics.
    ///
    /// Examples:
    ///   ottla topic list
    ///   ottla topic list --json | jq -r .name
    #[command(verbatim_doc_comment)]
    List(List),
    /// Describes topics: partitions, leaders, replicas, and the settings that differ from the defaults.
    ///
    /// Examples:
    ///   ottla topic describe
    ///   ottla topic describe orders --json
    #[command(verbatim_doc_comment)]
    Describe(Describe),
    /// Gives a topic more partitions, or other settings.
    ///
    /// Examples:
    ///   ottla topic alter orders --partitions 12
    ///   ottla topic alter orders --config retention.ms=3600000 --unset segment.bytes
    #[command(verbatim_doc_comment)]
    Alter(Alter),
    /// Deletes topics with all their records.
    ///
    /// Examples:
    ///   ottla topic delete orders payments
    ///   ottla topic delete orders --if-exists
    #[command(verbatim_doc_comment)]
    Delete(Delete),
}

impl Command {
    pub(super) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Create(arguments) => arguments.run(),
            Self::List(arguments) => arguments.run(),
            Self::Describe(arguments) => arguments.run(),
            Self::Alter(arguments) => arguments.run(),
            Self::Delete(arguments) => arguments.run(),
        }
    }
}

#[derive(Args, Debug)]
pub(crate) struct Create {
    /// Names: letters, digits, dot, underscore and dash, 249 at most.
    #[arg(required = true, value_name = "TOPIC")]
    topics: Vec<String>,
    /// How many partitions; without it the broker's num.partitions.
    #[arg(short, long, value_parser = clap::value_parser!(i32).range(1..))]
    partitions: Option<i32>,
    /// How many copies of each partition; without it the broker's default.replication.factor.
    #[arg(short, long, value_name = "COPIES", value_parser = clap::value_parser!(i16).range(1..))]
    replication_factor: Option<i16>,
    /// A setting of the topic. May be given many times.
    #[arg(short, long = "config", value_name = "KEY=VALUE", value_parser = key_value)]
    configs: Vec<(String, String)>,
    /// A topic that exists already is no failure.
    #[arg(long)]
    if_not_exists: bool,
    /// Only asks whether the topics could be created.
    #[arg(long)]
    validate_only: bool,
    #[command(flatten)]
    server: Server,
}

impl Create {
    fn run(self) -> anyhow::Result<()> {
        let mut client = self.server.connect()?;
        let mut output = Output::new();
        for name in self.topics {
            let topic = NewTopic {
                name,
                partitions: self.partitions,
                replication_factor: self.replication_factor,
                assignments: Vec::new(),
                configs: self.configs.clone(),
                validate_only: self.validate_only,
            };
            match client.create_topic(&topic) {
                Ok(()) if self.validate_only => output.line(format!("{} can be created", topic.name))?,
                Ok(()) => {
                    client.await_topic(&topic.name, 1).with_context(|| format!("{} is created", topic.name))?;
                    output.line(format!("created {}", topic.name))?;
                }
                Err(error) if self.if_not_exists && error.code() == Some(ErrorCode::TopicAlreadyExists) => {
                    output.line(format!("{} exists", topic.name))?;
                }
                Err(error) => return Err(error).with_context(|| format!("cannot create {}", topic.name)),
            }
        }
        Ok(output.flush()?)
    }
}

#[derive(Args, Debug)]
pub(crate) struct List {
    /// Internal topics too.
    #[arg(long)]
    internal: bool,
    /// One JSON object a topic and line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

impl List {
    fn run(self) -> anyhow::Result<()> {
        let mut topics = self.server.connect()?.list_topics()?;
        topics.retain(|topic| self.internal || !topic.is_internal);
        let mut output = Output::new();
        for topic in &topics {
            if self.json {
                output.json(&json!({
                    "name": topic.name,
                    "partitions": topic.partitions.len(),
                    "replication_factor": replication_factor(topic),
                    "internal": topic.is_internal,
                }))?;
            } else {
                output.line(&topic.name)?;
            }
        }
        Ok(output.flush()?)
    }
}

#[derive(Args, Debug)]
pub(crate) struct Describe {
    /// Without names: all topics.
    #[arg(value_name = "TOPIC")]
    topics: Vec<String>,
    /// One JSON object a topic and line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

impl Describe {
    fn run(self) -> anyhow::Result<()> {
        let mut client = self.server.connect()?;
        let topics = if self.topics.is_empty() {
            client.list_topics()?
        } else {
            let name = || self.topics.join(", ");
            client.describe_topics(&self.topics).with_context(|| format!("cannot describe {}", name()))?
        };
        let mut output = Output::new();
        for topic in &topics {
            let resource = ConfigResource { kind: ResourceKind::Topic, name: topic.name.clone() };
            let configs = client.describe_configs(&resource)?;
            let configs: Vec<&ConfigEntry> = configs.iter().filter(|config| !config.is_default).collect();
            if self.json {
                output.json(&description(topic, &configs))?;
            } else {
                print(&mut output, topic, &configs)?;
            }
        }
        Ok(output.flush()?)
    }
}

fn replication_factor(topic: &TopicDescription) -> usize {
    topic.partitions.first().map_or(0, |partition| partition.replicas.len())
}

fn description(topic: &TopicDescription, configs: &[&ConfigEntry]) -> Value {
    let partition = |partition: &PartitionDescription| {
        json!({
            "partition": partition.index,
            "leader": partition.leader,
            "leader_epoch": partition.leader_epoch,
            "replicas": partition.replicas,
            "isr": partition.isr,
            "elr": partition.elr,
            "last_known_elr": partition.last_known_elr,
        })
    };
    let configs: serde_json::Map<String, Value> =
        configs.iter().map(|config| (config.name.clone(), json!(config.value))).collect();
    json!({
        "name": topic.name,
        "id": format_uuid(topic.id),
        "internal": topic.is_internal,
        "partitions": topic.partitions.iter().map(partition).collect::<Vec<_>>(),
        "configs": configs,
    })
}

fn print(output: &mut Output, topic: &TopicDescription, configs: &[&ConfigEntry]) -> std::io::Result<()> {
    output.line(format!("{}  (id {}, {} copies)", topic.name, format_uuid(topic.id), replication_factor(topic)))?;
    for config in configs {
        output.line(format!("  {}={}", config.name, config.value.as_deref().unwrap_or("<hidden>")))?;
    }
    let ids = |ids: &[i32]| ids.iter().map(i32::to_string).collect::<Vec<_>>().join(",");
    let rows: Vec<Vec<String>> = topic
        .partitions
        .iter()
        .map(|partition| {
            let leader = partition.leader.map_or_else(|| "none".to_owned(), |id| id.to_string());
            vec![format!("  {}", partition.index), leader, ids(&partition.replicas), ids(&partition.isr)]
        })
        .collect();
    output.table(&["  PARTITION", "LEADER", "REPLICAS", "ISR"], &rows)
}

#[derive(Args, Debug)]
pub(crate) struct Alter {
    /// The topic's name.
    topic: String,
    /// How many partitions in all; never fewer than now. Records keep their partition, so new ones of a key may go elsewhere.
    #[arg(short, long, value_parser = clap::value_parser!(i32).range(1..))]
    partitions: Option<i32>,
    /// Sets a key. May be given many times.
    #[arg(short, long = "config", value_name = "KEY=VALUE", value_parser = key_value)]
    configs: Vec<(String, String)>,
    /// Sets a key back to its default. May be given many times.
    #[arg(long, value_name = "KEY")]
    unset: Vec<String>,
    #[command(flatten)]
    server: Server,
}

impl Alter {
    fn run(self) -> anyhow::Result<()> {
        if self.partitions.is_none() && self.configs.is_empty() && self.unset.is_empty() {
            bail!("nothing to alter: give --partitions, --config or --unset");
        }
        let failed = || format!("cannot alter {}", self.topic);
        let mut client = self.server.connect()?;
        if let Some(count) = self.partitions {
            client.create_partitions(&self.topic, count, &[]).with_context(failed)?;
            client.await_topic(&self.topic, count).with_context(|| format!("{} is altered", self.topic))?;
        }
        let set =
            self.configs.iter().map(|(name, value)| ConfigChange::Set { name: name.clone(), value: value.clone() });
        let unset = self.unset.iter().map(|name| ConfigChange::Delete { name: name.clone() });
        let changes: Vec<ConfigChange> = set.chain(unset).collect();
        if !changes.is_empty() {
            let resource = ConfigResource { kind: ResourceKind::Topic, name: self.topic.clone() };
            client.alter_configs(&resource, &changes).with_context(failed)?;
        }
        let mut output = Output::new();
        output.line(format!("altered {}", self.topic))?;
        Ok(output.flush()?)
    }
}

#[derive(Args, Debug)]
pub(crate) struct Delete {
    /// Names of topics.
    #[arg(required = true, value_name = "TOPIC")]
    topics: Vec<String>,
    /// A topic that does not exist is no failure.
    #[arg(long)]
    if_exists: bool,
    #[command(flatten)]
    server: Server,
}

impl Delete {
    fn run(self) -> anyhow::Result<()> {
        let mut client = self.server.connect()?;
        let mut output = Output::new();
        for name in &self.topics {
            match client.delete_topic(name) {
                Ok(()) => {
                    client.await_deletion(name).with_context(|| format!("{name} is to be deleted"))?;
                    output.line(format!("deleted {name}"))?;
                }
                Err(error) if self.if_exists && error.code() == Some(ErrorCode::UnknownTopicOrPartition) => {
                    output.line(format!("{name} does not exist"))?;
                }
                Err(error) => return Err(error).with_context(|| format!("cannot delete {name}")),
            }
        }
        Ok(output.flush()?)
    }
}
