//! `ottla cluster`: what a cluster says of itself.

use broker::clock::Clock;
use clap::{Args, Subcommand};
use serde_json::json;

use super::Server;
use crate::client::{Node, QuorumReplica};
use crate::output::Output;

/// Shows the cluster: its brokers, its id, the quorum of its metadata.
///
/// Example:
///   ottla cluster describe -b broker-1:9092
#[derive(Debug, Subcommand)]
#[command(verbatim_doc_comment)]
pub(crate) enum Command {
    /// Brokers, controller, and how many topics and partitions there are.
    ///
    /// Examples:
    ///   ottla cluster describe
    ///   ottla cluster describe -b broker-1:9092 --json
    #[command(verbatim_doc_comment)]
    Describe(Shown),
    /// The cluster's id.
    ///
    /// Example:
    ///   ottla cluster id
    #[command(verbatim_doc_comment)]
    Id(Shown),
    /// Who keeps the metadata log, who leads it, and how far each copy is.
    ///
    /// Example:
    ///   ottla cluster quorum
    #[command(verbatim_doc_comment)]
    Quorum(Shown),
}

#[derive(Args, Debug)]
pub(crate) struct Shown {
    /// One JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

impl Command {
    pub(super) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Describe(shown) => describe(&shown),
            Self::Id(shown) => id(&shown),
            Self::Quorum(shown) => quorum(&shown),
        }
    }
}

fn describe(shown: &Shown) -> anyhow::Result<()> {
    let mut client = shown.server.connect()?;
    let cluster = client.cluster()?;
    let topics = client.list_topics()?;
    let partitions: usize = topics.iter().map(|topic| topic.partitions.len()).sum();
    let mut output = Output::new();
    if shown.json {
        let node = |node: &Node| {
            json!({
                "id": node.id, "host": node.host, "port": node.port, "rack": node.rack, "fenced": node.is_fenced,
            })
        };
        output.json(&json!({
            "cluster_id": cluster.id,
            "controller": cluster.controller,
            "brokers": cluster.nodes.iter().map(node).collect::<Vec<_>>(),
            "topics": topics.len(),
            "partitions": partitions,
        }))?;
        return Ok(output.flush()?);
    }
    output.line(format!("cluster     {}", cluster.id))?;
    output.line(format!("controller  {}", cluster.controller))?;
    output.line(format!("topics      {} with {partitions} partitions", topics.len()))?;
    let row = |node: &Node| {
        let state = match node.is_fenced {
            Some(true) => "fenced",
            Some(false) => "active",
            None => "-",
        };
        let rack = node.rack.clone().unwrap_or_else(|| "-".to_owned());
        vec![node.id.to_string(), format!("{}:{}", node.host, node.port), rack, state.to_owned()]
    };
    let rows: Vec<_> = cluster.nodes.iter().map(row).collect();
    output.table(&["BROKER", "ADDRESS", "RACK", "STATE"], &rows)?;
    Ok(output.flush()?)
}

fn id(shown: &Shown) -> anyhow::Result<()> {
    let cluster = shown.server.connect()?.cluster()?;
    let mut output = Output::new();
    if shown.json {
        output.json(&json!({ "cluster_id": cluster.id }))?;
    } else {
        output.line(cluster.id)?;
    }
    Ok(output.flush()?)
}

fn quorum(shown: &Shown) -> anyhow::Result<()> {
    let quorum = shown.server.connect()?.quorum()?;
    let mut output = Output::new();
    if shown.json {
        let replica = |replica: &QuorumReplica| {
            json!({
                "id": replica.id,
                "log_end_offset": replica.log_end_offset,
                "last_caught_up_ms": replica.last_caught_up_ms,
            })
        };
        output.json(&json!({
            "leader": quorum.leader,
            "leader_epoch": quorum.leader_epoch,
            "high_watermark": quorum.high_watermark,
            "voters": quorum.voters.iter().map(replica).collect::<Vec<_>>(),
            "observers": quorum.observers.iter().map(replica).collect::<Vec<_>>(),
        }))?;
        return Ok(output.flush()?);
    }
    output.line(format!("leader          {}", quorum.leader))?;
    output.line(format!("leader epoch    {}", quorum.leader_epoch))?;
    output.line(format!("high watermark  {}", quorum.high_watermark))?;
    let now_ms = Clock::default().now_ms();
    let row = |role: &str, replica: &QuorumReplica| {
        let behind = match replica.last_caught_up_ms {
            known if known > 0 => format!("{} ms ago", now_ms.saturating_sub(known).max(0)),
            _ => "-".to_owned(),
        };
        vec![replica.id.to_string(), role.to_owned(), replica.log_end_offset.to_string(), behind]
    };
    let voters = quorum.voters.iter().map(|replica| row("voter", replica));
    let observers = quorum.observers.iter().map(|replica| row("observer", replica));
    output.table(&["NODE", "ROLE", "LOG END OFFSET", "CAUGHT UP"], &voters.chain(observers).collect::<Vec<_>>())?;
    Ok(output.flush()?)
}
