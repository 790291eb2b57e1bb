//! `ottla tier gc`.

use std::collections::HashSet;
use std::time::Duration;

use anyhow::{bail, ensure};
use broker::clock::Clock;
use clap::Args;
use protocol::ids::Uuid;
use serde_json::json;
use storage::remote_log::StoredTopic;
use storage::remote_log::object_store::ObjectMeta;

use super::store::{Store, StoreArguments};
use crate::commands::Server;
use crate::moments::format_utc;
use crate::output::Output;

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Only this topic.
    topic: Option<String>,
    /// Deletes what is found. Without it nothing is changed.
    #[arg(long)]
    delete: bool,
    /// Leaves alone what is younger: somebody may be about to name it.
    #[arg(long, value_name = "HOURS", default_value_t = 24)]
    grace_hours: u32,
    /// Also everything of topics that the running cluster does not know, once all of it is older than the grace. Not before a
    /// restore: what is not restored yet is not known either.
    #[arg(long)]
    deleted_topics: bool,
    /// One JSON object an orphan and line, then one that sums up.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    store: StoreArguments,
    #[command(flatten)]
    server: Server,
}

/// An object that nobody needs.
struct Orphan {
    object: ObjectMeta,
    reason: &'static str,
}

impl Arguments {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let store = self.store.open()?;
        let topics = store.topics(self.topic.as_deref())?;
        let known = if self.deleted_topics { Some(self.known_topics(&store, &topics)?) } else { None };
        let grace = Duration::from_secs(u64::from(self.grace_hours) * 3600);
        let young_ms = Clock::default().now_ms().saturating_sub(i64::try_from(grace.as_millis()).unwrap_or(i64::MAX));
        let mut orphans = Vec::new();
        for topic in topics {
            match &known {
                Some(known) if !known.contains(&topic.id) => orphans.extend(whole_topic(topic, young_ms)),
                _ => find(&store, topic, young_ms, &mut orphans)?,
            }
        }
        self.report(&store, &orphans)
    }

    /// The topics of the cluster that the store is of.
    fn known_topics(&self, store: &Store, stored: &[StoredTopic]) -> anyhow::Result<HashSet<Uuid>> {
        let mut client = self.server.connect()?;
        let metadata = client.metadata(None, false)?;
        let cluster_id = metadata.cluster_id.as_deref().unwrap_or_default();
        ensure!(
            cluster_id == store.cluster_id,
            "the cluster that answers is {cluster_id}, and the objects are those of {}",
            store.cluster_id
        );
        let known: HashSet<Uuid> = metadata.topics.iter().map(|topic| topic.topic_id).collect();
        if !stored.is_empty() && !stored.iter().any(|topic| known.contains(&topic.id)) {
            bail!(
                "the cluster knows none of the {} topics in {}: it looks as if nothing was restored yet",
                stored.len(),
                store.remote.name()
            );
        }
        Ok(known)
    }

    fn report(&self, store: &Store, orphans: &[Orphan]) -> anyhow::Result<()> {
        let mut output = Output::new();
        let (mut count, mut bytes) = (0_u64, 0_u64);
        for Orphan { object, reason } in orphans {
            if self.delete {
                store.block_on(store.remote.delete(&object.location))?;
            }
            (count, bytes) = (count + 1, bytes + object.size);
            let (key, written) = (object.location.to_string(), object.last_modified.timestamp_millis());
            if self.json {
                output.json(&json!({ "key": key, "bytes": object.size, "written": written, "reason": reason, "deleted": self.delete }))?;
            } else {
                output.line(format!("{}  {:>12}  {reason:13}  {key}", format_utc(written), object.size))?;
            }
        }
        if self.json {
            output.json(&json!({ "objects": count, "bytes": bytes, "deleted": self.delete }))?;
        } else {
            let what = if self.delete { "deleted" } else { "would be deleted: --delete does it" };
            output.line(format!("{count} objects, {bytes} bytes {what}"))?;
        }
        Ok(output.flush()?)
    }
}

/// Everything of a topic that is gone, unless something of it is young.
fn whole_topic(topic: StoredTopic, young_ms: i64) -> Vec<Orphan> {
    if topic.objects().any(|object| object.last_modified.timestamp_millis() > young_ms) {
        return Vec::new();
    }
    topic.objects().map(|object| Orphan { object: object.clone(), reason: "deleted topic" }).collect()
}

fn find(store: &Store, topic: StoredTopic, young_ms: i64, orphans: &mut Vec<Orphan>) -> anyhow::Result<()> {
    for partition in topic.partitions {
        // Read after the objects were listed: what was named since is not among them.
        let contents = store.block_on(partition.contents(&store.remote))?;
        let unnamed = partition.unnamed(&contents, young_ms);
        orphans.extend(unnamed.into_iter().map(|object| Orphan { object: object.clone(), reason: "unnamed" }));
    }
    Ok(())
}
