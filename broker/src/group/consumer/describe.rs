//! What a group is told to be. Source: `ConsumerGroup.asDescribedGroup`, `ConsumerGroupMember.asConsumerGroupDescribeMember`.

use protocol::ids::Uuid;
use std::sync::Arc;

use super::assignor::Partitions;
use super::{ConsumerGroup, ConsumerGroupState, ConsumerMember, Topics, member};
use crate::group::classic::Context;

/// A group in full.
#[derive(Clone, Debug)]
pub struct DescribedConsumerGroup {
    pub state: ConsumerGroupState,
    pub epoch: i32,
    pub target_epoch: i32,
    pub assignor: String,
    pub members: Vec<DescribedConsumerMember>,
}

/// A member in full.
#[derive(Clone, Debug)]
pub struct DescribedConsumerMember {
    pub member: ConsumerMember,
    /// What it has, and what it has to give up.
    pub assigned: Vec<DescribedPartitions>,
    pub target: Vec<DescribedPartitions>,
}

/// Partitions of a topic that exists.
#[derive(Clone, Debug)]
pub struct DescribedPartitions {
    pub topic_id: Uuid,
    pub topic: Arc<str>,
    pub partitions: Vec<i32>,
}

impl ConsumerGroup {
    pub(in crate::group) fn describe(&self, context: Context<'_>) -> DescribedConsumerGroup {
        let describe = |member: &ConsumerMember| {
            let mut assigned = member::without_epochs(&member.assigned);
            for (topic, partitions) in member::without_epochs(&member.pending_revocation) {
                assigned.entry(topic).or_default().extend(partitions);
            }
            DescribedConsumerMember {
                assigned: describe(&assigned, context.topics),
                target: describe(&self.target_of(&member.id), context.topics),
                member: member.clone(),
            }
        };
        DescribedConsumerGroup {
            state: self.state(),
            epoch: self.epoch,
            target_epoch: self.target_epoch,
            assignor: self.assignor_name(context),
            members: self.members.values().map(describe).collect(),
        }
    }
}

fn describe(partitions: &Partitions, topics: &Topics) -> Vec<DescribedPartitions> {
    let topic = |(id, partitions): (&Uuid, &std::collections::BTreeSet<i32>)| {
        let topic = Arc::clone(topics.name(*id)?);
        Some(DescribedPartitions { topic_id: *id, topic, partitions: partitions.iter().copied().collect() })
    };
    partitions.iter().filter_map(topic).collect()
}
