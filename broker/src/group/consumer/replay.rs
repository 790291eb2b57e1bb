//! Takes a group's records over: nothing else changes a group. Source: `GroupMetadataManager.replay`, `ConsumerGroup.updateMember`.

use bytes::Bytes;
use protocol::StrBytes;
use protocol::coordinator_record as records;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::assignor::Partitions;
use super::counts::update;
use super::member::{ClassicMetadata, ConsumerMember, LEAVE_EPOCH, MemberState, Owned};
use super::{ConsumerGroup, ResolvedRegex};
use crate::group::classic::Protocol;

/// The epoch of an assignment that is gone.
const NO_EPOCH: i32 = -1;

fn option(value: Option<&StrBytes>) -> Option<Arc<str>> {
    value.map(|value| Arc::from(&**value))
}

impl ConsumerGroup {
    pub(in crate::group) fn replay_epoch(&mut self, value: &records::ConsumerGroupMetadataValue) {
        self.epoch = value.epoch;
        self.metadata_hash = value.metadata_hash;
    }

    pub(in crate::group) fn replay_subscription_metadata(&mut self, is_there: bool) {
        self.has_subscription_metadata = is_there;
    }

    pub(in crate::group) fn replay_member(
        &mut self,
        id: &str,
        value: Option<&records::ConsumerGroupMemberMetadataValue>,
    ) {
        let Some(value) = value else {
            self.remove_member(id);
            return;
        };
        let former = self.members.get(id).cloned().unwrap_or_else(|| ConsumerMember::new(Arc::from(id)));
        self.update_member(ConsumerMember {
            instance_id: option(value.instance_id.as_ref()),
            rack_id: option(value.rack_id.as_ref()),
            client_id: Arc::from(&*value.client_id),
            client_host: Arc::from(&*value.client_host),
            topics: value.subscribed_topic_names.iter().map(|topic| Arc::from(&**topic)).collect(),
            regex: option(value.subscribed_topic_regex.as_ref()),
            rebalance_timeout_ms: value.rebalance_timeout_ms,
            assignor: option(value.server_assignor.as_ref()),
            classic: value.classic_member_metadata.as_ref().map(classic),
            ..former
        });
    }

    pub(in crate::group) fn replay_target_epoch(
        &mut self,
        value: Option<&records::ConsumerGroupTargetAssignmentMetadataValue>,
    ) {
        let (epoch, timestamp_ms) =
            value.map_or((NO_EPOCH, 0), |value| (value.assignment_epoch, value.assignment_timestamp));
        self.target_epoch = epoch;
        self.target_timestamp_ms = timestamp_ms;
    }

    pub(in crate::group) fn replay_target(
        &mut self,
        id: &str,
        value: Option<&records::ConsumerGroupTargetAssignmentMemberValue>,
    ) {
        let Some(value) = value else {
            self.target.remove(id);
            return;
        };
        let topics = value.topic_partitions.iter().filter(|topic| !topic.partitions.is_empty());
        let partitions: Partitions =
            topics.map(|topic| (topic.topic_id, topic.partitions.iter().copied().collect())).collect();
        self.target.insert(Arc::from(id), partitions);
    }

    pub(in crate::group) fn replay_current(
        &mut self,
        id: &str,
        value: Option<&records::ConsumerGroupCurrentMemberAssignmentValue>,
    ) {
        let former = self.members.get(id).cloned();
        let Some(value) = value else {
            // The member's own tombstone comes later; a member that is not there needs neither.
            let Some(former) = former else { return };
            self.update_member(ConsumerMember {
                epoch: LEAVE_EPOCH,
                previous_epoch: LEAVE_EPOCH,
                assigned: Owned::new(),
                pending_revocation: Owned::new(),
                ..former
            });
            return;
        };
        let former = former.unwrap_or_else(|| ConsumerMember::new(Arc::from(id)));
        self.update_member(ConsumerMember {
            epoch: value.member_epoch,
            previous_epoch: value.previous_member_epoch,
            state: MemberState::from_id(value.state),
            assigned: owned(&value.assigned_partitions, value.member_epoch),
            pending_revocation: owned(&value.partitions_pending_revocation, value.member_epoch),
            ..former
        });
    }

    pub(in crate::group) fn replay_regex(
        &mut self,
        regex: &str,
        value: Option<&records::ConsumerGroupRegularExpressionValue>,
    ) {
        if let Some(former) = self.resolved.remove(regex) {
            former
                .topics
                .iter()
                .for_each(|topic| update(&mut self.subscribed_topics, topic, |count| count.by_regex -= 1));
        }
        let Some(value) = value else { return };
        let resolved = ResolvedRegex {
            topics: value.topics.iter().map(|topic| Arc::from(&**topic)).collect(),
            version: value.version,
            timestamp_ms: value.timestamp,
        };
        resolved
            .topics
            .iter()
            .for_each(|topic| update(&mut self.subscribed_topics, topic, |count| count.by_regex += 1));
        self.resolved.insert(Arc::from(regex), resolved);
    }

    /// Adds a member, or takes over what has changed of it.
    pub(super) fn update_member(&mut self, member: ConsumerMember) {
        if let Some(former) = self.members.remove(&member.id) {
            self.forget(&former);
        }
        if let Some(instance_id) = &member.instance_id {
            self.static_members.insert(Arc::clone(instance_id), Arc::clone(&member.id));
        }
        member.topics.iter().for_each(|topic| update(&mut self.subscribed_topics, topic, |count| count.by_name += 1));
        member.regex().into_iter().for_each(|regex| self.regexes.add(regex));
        member.assignor.iter().for_each(|assignor| self.assignors.add(assignor));
        if let Some(classic) = &member.classic {
            self.classic_members += 1;
            classic.protocols.iter().for_each(|protocol| self.classic_protocols.add(&protocol.name));
        }
        self.own(&member);
        self.members.insert(Arc::clone(&member.id), member);
    }

    fn remove_member(&mut self, id: &str) {
        let Some(former) = self.members.remove(id) else { return };
        self.forget(&former);
        if let Some(instance_id) = &former.instance_id
            && self.static_members.get(instance_id).is_some_and(|holder| **holder == *id)
        {
            self.static_members.remove(instance_id);
        }
    }

    /// Takes a member out of all counts.
    fn forget(&mut self, member: &ConsumerMember) {
        member.topics.iter().for_each(|topic| update(&mut self.subscribed_topics, topic, |count| count.by_name -= 1));
        member.regex().into_iter().for_each(|regex| self.regexes.remove(regex));
        member.assignor.iter().for_each(|assignor| self.assignors.remove(assignor));
        if let Some(classic) = &member.classic {
            self.classic_members -= 1;
            classic.protocols.iter().for_each(|protocol| self.classic_protocols.remove(&protocol.name));
        }
        for place in places(&member.assigned).chain(places(&member.pending_revocation)) {
            // Another member's epoch stays: it got the partition by a record that came before this one.
            if self.partition_epochs.get(&place) == Some(&member.epoch) {
                self.partition_epochs.remove(&place);
            }
        }
    }

    fn own(&mut self, member: &ConsumerMember) {
        for place in places(&member.assigned).chain(places(&member.pending_revocation)) {
            let epoch = self.partition_epochs.entry(place).or_insert(member.epoch);
            *epoch = (*epoch).max(member.epoch);
        }
    }
}

fn places(owned: &Owned) -> impl Iterator<Item = (protocol::ids::Uuid, i32)> {
    owned.iter().flat_map(|(topic, partitions)| partitions.keys().map(|partition| (*topic, *partition)))
}

fn owned(topics: &[records::CurrentTopicPartitions], member_epoch: i32) -> Owned {
    let topic = |topic: &records::CurrentTopicPartitions| {
        let known = topic.assignment_epochs.as_ref().filter(|epochs| epochs.len() == topic.partitions.len());
        // A static member that is away has an epoch of -2.
        let epochs = (0..).map(|index: usize| known.map_or(member_epoch.max(0), |epochs| epochs[index]));
        let partitions: BTreeMap<i32, i32> = topic.partitions.iter().copied().zip(epochs).collect();
        (topic.topic_id, partitions)
    };
    topics.iter().filter(|topic| !topic.partitions.is_empty()).map(topic).collect()
}

fn classic(classic: &records::ClassicMemberMetadata) -> ClassicMetadata {
    let protocol = |protocol: &records::ClassicProtocol| Protocol {
        name: Arc::from(&*protocol.name),
        // Copied: a slice would keep the whole batch in memory.
        metadata: Bytes::copy_from_slice(&protocol.metadata),
    };
    ClassicMetadata {
        session_timeout_ms: classic.session_timeout_ms,
        protocols: classic.supported_protocols.iter().map(protocol).collect(),
    }
}
