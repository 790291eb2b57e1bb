//! A group's records. Source: `GroupCoordinatorRecordHelpers`.

use protocol::StrBytes;
use protocol::coordinator_record::{self as records, CoordinatorRecord};
use std::sync::Arc;

use super::assignor::Partitions;
use super::member::{ClassicMetadata, ConsumerMember, Owned};
use super::{ConsumerGroup, ResolvedRegex};

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn option(value: Option<&Arc<str>>) -> Option<StrBytes> {
    value.map(|value| text(value))
}

/// The group's epoch, with the hash of the topics at it.
pub(super) fn epoch(group: &str, epoch: i32, metadata_hash: i64) -> CoordinatorRecord {
    let value = records::ConsumerGroupMetadataValue { epoch, metadata_hash };
    CoordinatorRecord::ConsumerGroupMetadata(metadata_key(group), Some(value))
}

fn metadata_key(group: &str) -> records::ConsumerGroupMetadataKey {
    records::ConsumerGroupMetadataKey { group_id: text(group) }
}

/// That a group's topics are not kept as Kafka before 4.1 did.
pub(super) fn subscription_metadata_tombstone(group: &str) -> CoordinatorRecord {
    let key = records::ConsumerGroupPartitionMetadataKey { group_id: text(group) };
    CoordinatorRecord::ConsumerGroupPartitionMetadata(key, None)
}

/// What a member has said of itself.
pub(super) fn member(group: &str, member: &ConsumerMember) -> CoordinatorRecord {
    let value = records::ConsumerGroupMemberMetadataValue {
        instance_id: option(member.instance_id.as_ref()),
        rack_id: option(member.rack_id.as_ref()),
        client_id: text(&member.client_id),
        client_host: text(&member.client_host),
        subscribed_topic_names: member.topics.iter().map(|topic| text(topic)).collect(),
        subscribed_topic_regex: option(member.regex.as_ref()),
        rebalance_timeout_ms: member.rebalance_timeout_ms,
        server_assignor: option(member.assignor.as_ref()),
        classic_member_metadata: member.classic.as_ref().map(classic),
    };
    CoordinatorRecord::ConsumerGroupMemberMetadata(member_key(group, &member.id), Some(value))
}

fn classic(classic: &ClassicMetadata) -> records::ClassicMemberMetadata {
    let protocols = classic.protocols.iter();
    records::ClassicMemberMetadata {
        session_timeout_ms: classic.session_timeout_ms,
        supported_protocols: protocols
            .map(|protocol| records::ClassicProtocol {
                name: text(&protocol.name),
                metadata: protocol.metadata.clone(),
            })
            .collect(),
    }
}

fn member_key(group: &str, member: &str) -> records::ConsumerGroupMemberMetadataKey {
    records::ConsumerGroupMemberMetadataKey { group_id: text(group), member_id: text(member) }
}

pub(super) fn member_tombstone(group: &str, member: &str) -> CoordinatorRecord {
    CoordinatorRecord::ConsumerGroupMemberMetadata(member_key(group, member), None)
}

/// What a member shall have.
pub(super) fn target(group: &str, member: &str, partitions: &Partitions) -> CoordinatorRecord {
    let topic_partitions = partitions.iter().map(|(topic_id, partitions)| records::TargetTopicPartitions {
        topic_id: *topic_id,
        partitions: partitions.iter().copied().collect(),
    });
    let value = records::ConsumerGroupTargetAssignmentMemberValue { topic_partitions: topic_partitions.collect() };
    CoordinatorRecord::ConsumerGroupTargetAssignmentMember(target_key(group, member), Some(value))
}

fn target_key(group: &str, member: &str) -> records::ConsumerGroupTargetAssignmentMemberKey {
    records::ConsumerGroupTargetAssignmentMemberKey { group_id: text(group), member_id: text(member) }
}

pub(super) fn target_tombstone(group: &str, member: &str) -> CoordinatorRecord {
    CoordinatorRecord::ConsumerGroupTargetAssignmentMember(target_key(group, member), None)
}

/// The epoch of what members shall have, and when that was found.
pub(super) fn target_epoch(group: &str, assignment_epoch: i32, assignment_timestamp: i64) -> CoordinatorRecord {
    let value = records::ConsumerGroupTargetAssignmentMetadataValue { assignment_epoch, assignment_timestamp };
    CoordinatorRecord::ConsumerGroupTargetAssignmentMetadata(target_epoch_key(group), Some(value))
}

fn target_epoch_key(group: &str) -> records::ConsumerGroupTargetAssignmentMetadataKey {
    records::ConsumerGroupTargetAssignmentMetadataKey { group_id: text(group) }
}

/// What a member has.
pub(super) fn current(group: &str, member: &ConsumerMember) -> CoordinatorRecord {
    let value = records::ConsumerGroupCurrentMemberAssignmentValue {
        member_epoch: member.epoch,
        previous_member_epoch: member.previous_epoch,
        state: member.state.id(),
        assigned_partitions: owned(&member.assigned),
        partitions_pending_revocation: owned(&member.pending_revocation),
    };
    CoordinatorRecord::ConsumerGroupCurrentMemberAssignment(current_key(group, &member.id), Some(value))
}

fn owned(owned: &Owned) -> Vec<records::CurrentTopicPartitions> {
    let topic = |(topic_id, partitions): (&protocol::ids::Uuid, &std::collections::BTreeMap<i32, i32>)| {
        records::CurrentTopicPartitions {
            topic_id: *topic_id,
            partitions: partitions.keys().copied().collect(),
            assignment_epochs: Some(partitions.values().copied().collect()),
        }
    };
    owned.iter().map(topic).collect()
}

fn current_key(group: &str, member: &str) -> records::ConsumerGroupCurrentMemberAssignmentKey {
    records::ConsumerGroupCurrentMemberAssignmentKey { group_id: text(group), member_id: text(member) }
}

pub(super) fn current_tombstone(group: &str, member: &str) -> CoordinatorRecord {
    CoordinatorRecord::ConsumerGroupCurrentMemberAssignment(current_key(group, member), None)
}

/// What a regular expression matches.
pub(super) fn regex(group: &str, regex: &str, resolved: &ResolvedRegex) -> CoordinatorRecord {
    let value = records::ConsumerGroupRegularExpressionValue {
        topics: resolved.topics.iter().map(|topic| text(topic)).collect(),
        version: resolved.version,
        timestamp: resolved.timestamp_ms,
    };
    CoordinatorRecord::ConsumerGroupRegularExpression(regex_key(group, regex), Some(value))
}

fn regex_key(group: &str, regex: &str) -> records::ConsumerGroupRegularExpressionKey {
    records::ConsumerGroupRegularExpressionKey { group_id: text(group), regular_expression: text(regex) }
}

pub(super) fn regex_tombstone(group: &str, regex: &str) -> CoordinatorRecord {
    CoordinatorRecord::ConsumerGroupRegularExpression(regex_key(group, regex), None)
}

/// That a member is gone, in the order in which its parts have to go.
pub(super) fn removed_member(group: &str, member: &str) -> [CoordinatorRecord; 3] {
    [current_tombstone(group, member), target_tombstone(group, member), member_tombstone(group, member)]
}

impl ConsumerGroup {
    /// That the group is gone, with its members.
    pub(in crate::group) fn tombstones(&self) -> Vec<CoordinatorRecord> {
        self.tombstones_with(|id| id)
    }

    /// The same where members may have been replaced by records that come before: `present` gives the id now.
    pub(super) fn tombstones_with<'a>(&'a self, present: impl Fn(&'a str) -> &'a str) -> Vec<CoordinatorRecord> {
        let group = &*self.id;
        let ids = || self.members.keys().map(|id| present(id));
        let mut records: Vec<_> = ids().map(|id| current_tombstone(group, id)).collect();
        records.extend(ids().map(|id| target_tombstone(group, id)));
        records.push(CoordinatorRecord::ConsumerGroupTargetAssignmentMetadata(target_epoch_key(group), None));
        records.extend(ids().map(|id| member_tombstone(group, id)));
        records.extend(self.resolved.keys().map(|regex| regex_tombstone(group, regex)));
        records.push(subscription_metadata_tombstone(group));
        records.push(CoordinatorRecord::ConsumerGroupMetadata(metadata_key(group), None));
        records
    }

    /// The whole group.
    pub(super) fn records(&self) -> Vec<CoordinatorRecord> {
        let group = &*self.id;
        let mut records: Vec<_> = self.members.values().map(|member| self::member(group, member)).collect();
        records.push(epoch(group, self.epoch, self.metadata_hash));
        records.extend(self.members.keys().map(|id| target(group, id, &self.target_of(id))));
        records.push(target_epoch(group, self.target_epoch, self.target_timestamp_ms));
        records.extend(self.members.values().map(|member| current(group, member)));
        records
    }
}
