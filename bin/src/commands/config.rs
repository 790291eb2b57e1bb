//! `ottla config`: settings of topics and brokers, over the wire, and the keys that there are.

use anyhow::Context;
use clap::{Args, Subcommand};
use serde_json::json;

use super::{Server, config_list, key_value};
use crate::client::{ConfigChange, ConfigResource, ResourceKind};
use crate::output::Output;

/// Shows and changes the settings of topics and brokers.
///
/// Examples:
///   ottla config describe --topic orders
///   ottla config set --topic orders retention.ms=3600000
#[derive(Debug, Subcommand)]
#[command(verbatim_doc_comment)]
pub(crate) enum Command {
    /// Shows settings: those that differ from the defaults, or all.
    ///
    /// Examples:
    ///   ottla config describe --topic orders
    ///   ottla config describe --broker 1 --all --json
    #[command(verbatim_doc_comment)]
    Describe(Describe),
    /// Sets keys, without a restart.
    ///
    /// Examples:
    ///   ottla config set --topic orders retention.ms=3600000
    ///   ottla config set --cluster message.max.bytes=20000000
    #[command(verbatim_doc_comment)]
    Set(Set),
    /// Sets keys back to what they are without being set here.
    ///
    /// Example:
    ///   ottla config delete --topic orders retention.ms
    #[command(verbatim_doc_comment)]
    Delete(Delete),
    /// Lists every key that is known, with what a node here would make of it. Asks no broker.
    ///
    /// Examples:
    ///   ottla config list server.properties --set
    ///   ottla config list --json
    #[command(verbatim_doc_comment)]
    List(config_list::Arguments),
}

/// Whose settings.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub(crate) struct Resource {
    /// A topic's.
    #[arg(long)]
    topic: Option<String>,
    /// One broker's.
    #[arg(long, value_name = "ID")]
    broker: Option<i32>,
    /// The default of all brokers.
    #[arg(long)]
    cluster: bool,
}

impl Resource {
    fn resource(&self) -> ConfigResource {
        match (&self.topic, self.broker) {
            (Some(topic), _) => ConfigResource { kind: ResourceKind::Topic, name: topic.clone() },
            (None, Some(id)) => ConfigResource { kind: ResourceKind::Broker, name: id.to_string() },
            (None, None) => ConfigResource { kind: ResourceKind::Broker, name: String::new() },
        }
    }
}

#[derive(Args, Debug)]
pub(crate) struct Describe {
    #[command(flatten)]
    resource: Resource,
    /// Those that have their defaults too.
    #[arg(long)]
    all: bool,
    /// One JSON object a key and line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

#[derive(Args, Debug)]
pub(crate) struct Set {
    #[command(flatten)]
    resource: Resource,
    /// A key with its new value. May be given many times.
    #[arg(required = true, value_name = "KEY=VALUE", value_parser = key_value)]
    configs: Vec<(String, String)>,
    #[command(flatten)]
    server: Server,
}

#[derive(Args, Debug)]
pub(crate) struct Delete {
    #[command(flatten)]
    resource: Resource,
    /// May be given many times.
    #[arg(required = true, value_name = "KEY")]
    keys: Vec<String>,
    #[command(flatten)]
    server: Server,
}

impl Command {
    pub(super) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Describe(arguments) => describe(&arguments),
            Self::List(arguments) => arguments.run(),
            Self::Set(Set { resource, configs, server }) => {
                let set = configs.into_iter().map(|(name, value)| ConfigChange::Set { name, value });
                alter(&server, &resource, &set.collect::<Vec<_>>())
            }
            Self::Delete(Delete { resource, keys, server }) => {
                let delete = keys.into_iter().map(|name| ConfigChange::Delete { name });
                alter(&server, &resource, &delete.collect::<Vec<_>>())
            }
        }
    }
}

fn describe(arguments: &Describe) -> anyhow::Result<()> {
    let entries = arguments.server.connect()?.describe_configs(&arguments.resource.resource())?;
    let mut output = Output::new();
    for entry in entries.iter().filter(|entry| arguments.all || !entry.is_default) {
        if arguments.json {
            output.json(&json!({
                "name": entry.name,
                "value": entry.value,
                "source": entry.source,
                "read_only": entry.is_read_only,
                "sensitive": entry.is_sensitive,
            }))?;
        } else {
            let value = match &entry.value {
                Some(value) => value.as_str(),
                None if entry.is_sensitive => "<hidden>",
                None => "",
            };
            output.line(format!("{}={value}  ({})", entry.name, entry.source))?;
        }
    }
    Ok(output.flush()?)
}

fn alter(server: &Server, resource: &Resource, changes: &[ConfigChange]) -> anyhow::Result<()> {
    server.connect()?.alter_configs(&resource.resource(), changes).context("nothing was changed")
}
