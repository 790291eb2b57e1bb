//! Rebuilds a cluster on empty directories from its store alone: topics with their ids and configurations, local logs that go on
//! where the remote part ends, and the offsets that groups had committed. Runs while no broker does; the broker that starts there
//! next finds everything as if it had always been here.
//!
//! ```text
//! store ─► plan ─► folders of partitions, records of groups (unknown to anybody, set aside by a start)
//!                      └─► records in the metadata log, one batch a topic: from here on it is there
//! ```
//!
//! # Invariants
//! - A topic that the target knows is never touched.
//! - What is restored leads with a higher epoch than whoever wrote to the store before, so that an old node that comes back is
//!   not heard there.
//! - A stop at any moment leaves whole topics, or folders that nobody knows: another run goes on.
//!
//! # Deliberately absent
//! Records that were never copied: the log ends where its remote part does, and offsets behind that are set back to there. What
//! producers had written last; producer ids begin where the lost cluster cannot have come to.

mod groups;
mod plan;
mod target;

pub use plan::{PartitionPlan, Plan, RestoredOffset, TopicPlan};

use std::sync::Arc;

use raft::controller::ProposeError;
use raft::quorum::QuorumError;
use storage::AppendError;
use storage::log_dir::{LogDirError, Offline};
use storage::remote_log::RemoteError;

use crate::StartError;
use crate::clock::Clock;
use crate::config::BrokerConfig;
use target::Target;

/// Why nothing, or not everything, comes back.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The store is not reached, or damaged.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// The target's directories or metadata log cannot be used.
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("the metadata log was not written: {0}")]
    Propose(#[from] ProposeError),
    #[error(transparent)]
    Quorum(#[from] QuorumError),
    #[error("a log was not written: {0}")]
    Log(#[from] storage::Error),
    #[error("the offsets of groups were not written: {0}")]
    Append(#[from] AppendError),
    #[error(transparent)]
    Offline(#[from] Offline),
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error("a record of a group cannot be written: {0}")]
    Record(#[from] protocol::schema::EncodeError),
    /// Nothing of that name or id is in the store.
    #[error("cluster {cluster_id} has no topic {topic} in the store")]
    Unknown { topic: String, cluster_id: String },
    /// One was deleted, and another one made with its name.
    #[error("the store has several topics {name}: name one by its id: {ids}")]
    Ambiguous { name: Arc<str>, ids: String },
    /// The target has a topic of that name.
    #[error("the target has a topic {name} with the id {id} already")]
    Exists { name: Arc<str>, id: String },
}

impl From<LogDirError> for RestoreError {
    fn from(error: LogDirError) -> Self {
        Self::Start(error.into())
    }
}

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    pub topics: usize,
    pub partitions: usize,
    /// Committed offsets.
    pub offsets: usize,
}

/// Brings the topics of `plan` back on the node that `settings` describe, and tells `done` of each when it is there.
///
/// # Errors
/// [`RestoreError`]; the topics that `done` was told of are there, and no others.
pub async fn run(
    mut settings: BrokerConfig,
    clock: Clock,
    plan: &Plan,
    mut done: impl FnMut(&TopicPlan),
) -> Result<Restored, RestoreError> {
    settings.cluster_id = Some(plan.cluster_id.clone());
    let target = Target::open(settings, clock).await?;
    let result = fill(&target, plan, &mut done).await;
    let closed = target.close().await;
    let restored = result?;
    closed?;
    Ok(restored)
}

async fn fill(target: &Target, plan: &Plan, done: &mut impl FnMut(&TopicPlan)) -> Result<Restored, RestoreError> {
    plan.topics.iter().try_for_each(|topic| target.check_absent(&topic.name))?;
    // Before the topics: whoever finds a topic finds the offsets in it.
    groups::restore(target, plan).await?;
    target.reserve_producer_ids().await?;
    let mut restored = Restored { offsets: plan.offsets.len(), ..Restored::default() };
    for topic in &plan.topics {
        target.create(topic).await?;
        restored.topics += 1;
        restored.partitions += topic.partitions.len();
        done(topic);
    }
    Ok(restored)
}
