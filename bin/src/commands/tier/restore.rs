//! `ottla tier restore`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Context, ensure};
use broker::clock::Clock;
use broker::restore::{self, Plan, RestoredOffset, TopicPlan};
use clap::Args;
use protocol::ids::format_uuid;
use serde_json::{Value, json};

use super::describe::offsets;
use super::store::Store;
use crate::commands::{FormatPlan, key_value};
use crate::output::Output;
use crate::progress::Progress;
use crate::server::configure;

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The configuration of the node: its directories, and the store.
    file: Option<PathBuf>,
    /// Sets one configuration key, over the file and the defaults. May be given many times.
    #[arg(long = "override", value_name = "KEY=VALUE", value_parser = key_value)]
    overrides: Vec<(String, String)>,
    /// Only this topic, by name or id. May be given many times.
    #[arg(long = "topic", value_name = "TOPIC")]
    topics: Vec<String>,
    /// The cluster's id, where several have their segments in the store.
    #[arg(long, value_name = "ID")]
    cluster_id: Option<String>,
    /// Says what would come back, and changes nothing.
    #[arg(long)]
    dry_run: bool,
    /// One JSON object a topic and line, then one that sums up.
    #[arg(long)]
    json: bool,
}

impl Arguments {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let (config, _) = configure(self.file.as_deref(), self.overrides.clone())?;
        let remote = config.remote.as_ref().context("the configuration names no remote storage to restore from")?;
        let store = Store::open(remote, self.cluster_id.clone().or(config.cluster_id.clone()))?;
        let plan = store.block_on(Plan::read(&store.remote, &store.cluster_id, &self.topics))?;
        ensure!(!plan.topics.is_empty(), "cluster {} has no topic in {}", plan.cluster_id, store.remote.name());
        // Whose the directories are, before anything is done.
        FormatPlan::make(&config, Some(&plan.cluster_id))?;
        let mut output = Output::new();
        if self.dry_run {
            plan.topics.iter().try_for_each(|topic| self.print(&mut output, &plan, topic))?;
        } else {
            let progress = Progress::new("restore", plan.topics.iter().map(bytes).sum());
            let done = |topic: &TopicPlan| progress.add(bytes(topic));
            store.block_on(restore::run(config, Clock::default(), &plan, done))?;
            drop(progress);
            plan.topics.iter().try_for_each(|topic| self.print(&mut output, &plan, topic))?;
        }
        self.sum_up(&mut output, &plan)?;
        Ok(output.flush()?)
    }

    fn print(&self, output: &mut Output, plan: &Plan, topic: &TopicPlan) -> anyhow::Result<()> {
        if self.json {
            return Ok(output.json(&document(plan, topic))?);
        }
        let (name, id, count) = (&topic.name, format_uuid(topic.id), topic.partitions.len());
        output.line(format!("{name}  {id}  {count} partitions, {} bytes", bytes(topic)))?;
        if !topic.is_described {
            output.line("  not described in the store: it gets the defaults, and the partitions that have segments")?;
        }
        for (index, partition) in topic.partitions.iter().enumerate() {
            let (start, end) = partition.range();
            output.line(format!("  {index}  {}, goes on at {end}", offsets(&(start..end))))?;
        }
        Ok(())
    }

    fn sum_up(&self, output: &mut Output, plan: &Plan) -> anyhow::Result<()> {
        let groups = plan.offsets.iter().map(|offset| &offset.group).collect::<BTreeSet<_>>().len();
        let beyond: Vec<&RestoredOffset> = plan.offsets.iter().filter(|offset| offset.beyond > 0).collect();
        if self.json {
            output.json(&json!({
                "clusterId": plan.cluster_id,
                "topics": plan.topics.len(),
                "groups": groups,
                "offsets": plan.offsets.len(),
                "setBack": beyond.len(),
                "restored": !self.dry_run,
            }))?;
            return Ok(());
        }
        for offset in &beyond {
            let RestoredOffset { group, topic, partition, offset: to, beyond, .. } = offset;
            output.line(format!(
                "group {group} had read {beyond} records of {topic}-{partition} that are lost: it goes on at {to}"
            ))?;
        }
        let (topics, offsets) = (plan.topics.len(), plan.offsets.len());
        let verb = if self.dry_run { "would be restored" } else { "restored" };
        output.line(format!(
            "cluster {}: {topics} topics, {offsets} offsets of {groups} groups {verb}",
            plan.cluster_id
        ))?;
        Ok(())
    }
}

fn bytes(topic: &TopicPlan) -> u64 {
    topic.partitions.iter().map(|partition| partition.bytes()).sum()
}

fn document(plan: &Plan, topic: &TopicPlan) -> Value {
    let partitions = topic.partitions.iter().enumerate().map(|(index, partition)| {
        let (start, end) = partition.range();
        json!({ "partition": index, "logStartOffset": start, "logEndOffset": end, "bytes": partition.bytes() })
    });
    json!({
        "topic": &*topic.name,
        "topicId": format_uuid(topic.id),
        "described": topic.is_described,
        "configs": topic.configs.iter().map(|(key, value)| (key.to_string(), json!(&**value))).collect::<serde_json::Map<_, _>>(),
        "partitions": partitions.collect::<Vec<_>>(),
        "offsets": plan.offsets.iter().filter(|offset| offset.topic_id == topic.id).map(committed).collect::<Vec<_>>(),
    })
}

/// `beyond`: how many records the group had read that are lost.
fn committed(offset: &RestoredOffset) -> Value {
    let RestoredOffset { group, partition, offset, beyond, .. } = offset;
    json!({ "group": &**group, "partition": partition, "offset": offset, "beyond": beyond })
}
