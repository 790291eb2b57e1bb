//! A group of the consumer protocol (KIP-848): a pure state machine over heartbeats, leaves and time.
//!
//! ```text
//! heartbeat ─► member record ─► group epoch ─► target assignment ─► the member's own, step by step
//!                               (bumped by a      (assignor)         (gives up, then gets)
//!                                change)
//! ```
//! Nothing changes but by replay of records; an event reads the group and says which records there shall be. Of soft state there is
//! only what a crash may lose: when the topics were last looked at, and whether expressions are being resolved.
//! Source: `ConsumerGroup`, `GroupMetadataManager`.
//!
//! # Invariants
//! - No two members have a partition; one that is to move is given up first, and its new owner waits.
//! - Epochs of the group, of its assignment and of its members only rise, but for members that leave.
//! - When every member is stable at the assignment's epoch, every partition of every topic subscribed to has an owner.

pub mod assignor;
mod classic_member;
mod commit;
mod counts;
mod describe;
mod heartbeat;
mod leave;
mod member;
mod metadata;
mod migration;
mod re2;
mod reconcile;
mod record;
mod regex;
mod replay;
mod subscription;
mod target;
mod timeout;

#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod tests;

pub use describe::{DescribedConsumerGroup, DescribedConsumerMember, DescribedPartitions};
pub use heartbeat::{Heartbeat, HeartbeatAnswer, OwnedPartitions};
pub use member::{ClassicMetadata, ConsumerMember, LEAVE_EPOCH, LEAVE_STATIC_EPOCH, MemberState, Owned};
pub use metadata::Topics;
pub use regex::{ResolvedRegex, check as check_regex, resolve};

use protocol::ids::Uuid;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::GroupError;
use super::classic::CONSUMER;
use assignor::Partitions;
use counts::{Counts, SubscriptionCount};

/// Epoch of a group and of its assignment before anything happened.
const FIRST_EPOCH: i32 = 1;

/// Where a group is (`ConsumerGroupState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsumerGroupState {
    /// It has no members, and offsets perhaps.
    Empty,
    /// The assignment is older than the last change.
    Assigning,
    /// Members are on their way to their assignment.
    Reconciling,
    /// Everybody has its assignment.
    Stable,
}

impl ConsumerGroupState {
    /// Kafka's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Assigning => "Assigning",
            Self::Reconciling => "Reconciling",
            Self::Stable => "Stable",
        }
    }
}

/// One group.
#[derive(Clone, Debug)]
pub struct ConsumerGroup {
    id: Arc<str>,
    epoch: i32,
    /// Of the topics that members subscribe to, as of the group's epoch.
    metadata_hash: i64,
    members: BTreeMap<Arc<str>, ConsumerMember>,
    /// Static members' ids by instance id.
    static_members: HashMap<Arc<str>, Arc<str>>,
    /// The group epoch that the target assignment was made for.
    target_epoch: i32,
    /// When it was made, in ms since the epoch; 0 if not known.
    target_timestamp_ms: i64,
    target: BTreeMap<Arc<str>, Partitions>,
    /// The epoch of whoever has a partition.
    partition_epochs: HashMap<(Uuid, i32), i32>,
    /// How members subscribe to each topic.
    subscribed_topics: HashMap<Arc<str>, SubscriptionCount>,
    /// How many members subscribe to each regular expression.
    regexes: Counts,
    /// What the expressions match.
    resolved: BTreeMap<Arc<str>, ResolvedRegex>,
    /// How many members prefer each assignor.
    assignors: Counts,
    /// How many members speak the classic protocol, and each protocol inside it.
    classic_members: usize,
    classic_protocols: Counts,
    /// Kafka before 4.1 has left a record that is not needed any more.
    has_subscription_metadata: bool,
    /// When the topics were last compared with the hash: the metadata's offset, and the group's epoch after it.
    refreshed: Option<(i64, i32)>,
    is_resolving: bool,
}

impl ConsumerGroup {
    /// A group without members.
    pub fn new(id: Arc<str>) -> Self {
        Self {
            id,
            epoch: FIRST_EPOCH,
            metadata_hash: 0,
            members: BTreeMap::new(),
            static_members: HashMap::new(),
            target_epoch: FIRST_EPOCH,
            target_timestamp_ms: 0,
            target: BTreeMap::new(),
            partition_epochs: HashMap::new(),
            subscribed_topics: HashMap::new(),
            regexes: Counts::default(),
            resolved: BTreeMap::new(),
            assignors: Counts::default(),
            classic_members: 0,
            classic_protocols: Counts::default(),
            has_subscription_metadata: false,
            refreshed: None,
            is_resolving: false,
        }
    }

    pub fn state(&self) -> ConsumerGroupState {
        if self.members.is_empty() {
            ConsumerGroupState::Empty
        } else if self.epoch > self.target_epoch {
            ConsumerGroupState::Assigning
        } else if self.members.values().all(|member| member.is_reconciled_to(self.target_epoch)) {
            ConsumerGroupState::Stable
        } else {
            ConsumerGroupState::Reconciling
        }
    }

    pub fn epoch(&self) -> i32 {
        self.epoch
    }

    pub fn members(&self) -> impl ExactSizeIterator<Item = &ConsumerMember> {
        self.members.values()
    }

    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The type that clients are told: the same as that of consumers in classic groups.
    pub fn protocol_type(&self) -> &'static str {
        CONSUMER
    }

    /// Whether a member reads that topic.
    pub fn is_subscribed_to(&self, topic: &str) -> bool {
        self.subscribed_topics.contains_key(topic)
    }

    /// A member.
    ///
    /// # Errors
    /// [`GroupError::NoSuchMember`].
    fn member(&self, id: &str) -> Result<&ConsumerMember, GroupError> {
        let unknown = || GroupError::NoSuchMember { member: id.to_owned(), group: self.id.to_string() };
        self.members.get(id).ok_or_else(unknown)
    }

    fn static_member(&self, instance_id: &str) -> Option<&ConsumerMember> {
        self.members.get(self.static_members.get(instance_id)?)
    }

    fn target_of(&self, member_id: &str) -> Partitions {
        self.target.get(member_id).cloned().unwrap_or_default()
    }

    fn partition_epoch(&self, topic: Uuid, partition: i32) -> Option<i32> {
        self.partition_epochs.get(&(topic, partition)).copied()
    }
}
