//! The commands beside `server`: one file each. None of them starts a broker.

mod bench;
mod check;
mod cluster;
mod completions;
mod config;
mod config_list;
mod consume;
mod format;
mod group;
mod install_links;
mod json;
mod log;
mod produce;
mod record_format;
mod tier;
mod topic;

use clap::{Args, Subcommand};

use crate::client::Client;

pub(crate) use format::{FormatPlan, new_uuid, node_directories};
pub(crate) use group::TopicChoice;
pub(crate) use log::{Decoder, Detail, Dump, FileKind};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    #[command(subcommand)]
    Topic(topic::Command),
    Produce(produce::Arguments),
    Consume(consume::Arguments),
    #[command(subcommand)]
    Group(group::Command),
    #[command(subcommand)]
    Tier(tier::Command),
    #[command(subcommand)]
    Cluster(cluster::Command),
    #[command(subcommand)]
    Config(config::Command),
    #[command(subcommand)]
    Log(log::Command),
    #[command(subcommand)]
    Bench(bench::Command),
    Format(format::Arguments),
    Check(check::Arguments),
    Completions(completions::Arguments),
    InstallLinks(install_links::Arguments),
}

impl Command {
    /// Runs the command to its end.
    ///
    /// # Errors
    /// What it was asked to do did not happen, or not wholly.
    pub(crate) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Topic(command) => command.run(),
            Self::Produce(arguments) => arguments.run(),
            Self::Consume(arguments) => arguments.run(),
            Self::Group(command) => command.run(),
            Self::Tier(command) => command.run(),
            Self::Cluster(command) => command.run(),
            Self::Config(command) => command.run(),
            Self::Log(command) => command.run(),
            Self::Bench(command) => command.run(),
            Self::Format(arguments) => arguments.run(),
            Self::Check(arguments) => arguments.run(),
            Self::Completions(arguments) => arguments.run(),
            Self::InstallLinks(arguments) => arguments.run(),
        }
    }
}

/// Which cluster to talk to.
#[derive(Args, Debug)]
pub(crate) struct Server {
    /// A broker of the cluster; several with commas between them.
    #[arg(
        short = 'b',
        long,
        env = "OTTLA_BOOTSTRAP_SERVER",
        default_value = "127.0.0.1:9092",
        value_name = "HOST:PORT"
    )]
    bootstrap_server: String,
}

impl Server {
    fn connect(&self) -> anyhow::Result<Client> {
        Ok(Client::connect(&self.bootstrap_server)?)
    }
}

/// KEY=VALUE of a command line.
pub(crate) fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE")?;
    Ok((key.trim().to_owned(), value.to_owned()))
}
