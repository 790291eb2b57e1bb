//! A group as a record, and back. Source: `GroupCoordinatorRecordHelpers`, `GroupMetadataManager.replay`.

use bytes::Bytes;
use protocol::StrBytes;
use protocol::consumer_protocol::subscribed_topics;
use protocol::coordinator_record::{CoordinatorRecord, GroupMetadataKey, GroupMetadataValue, MemberMetadata};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{ClassicGroup, GroupState, Identity, Member, Protocol};

const NO_TIMESTAMP: i64 = -1;
const NO_TIMEOUT: i32 = -1;

/// A copy that does not keep a request or a batch alive.
fn owned(bytes: &Bytes) -> Bytes {
    Bytes::copy_from_slice(bytes)
}

fn str_bytes(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn key(id: &str) -> GroupMetadataKey {
    GroupMetadataKey { group: str_bytes(id) }
}

/// The record that a group is gone.
pub(in crate::group) fn tombstone(id: &str) -> CoordinatorRecord {
    CoordinatorRecord::GroupMetadata(key(id), None)
}

impl ClassicGroup {
    /// The record of a group that is there, and nothing more.
    pub fn new_record(&self) -> CoordinatorRecord {
        let value = GroupMetadataValue {
            current_state_timestamp: self.state_timestamp_ms.unwrap_or(NO_TIMESTAMP),
            ..GroupMetadataValue::default()
        };
        CoordinatorRecord::GroupMetadata(key(&self.id), Some(value))
    }

    /// The record of the present generation with those assignments; members without one get an empty one.
    pub(super) fn generation_record(&self, assignments: &HashMap<&str, &Bytes>) -> CoordinatorRecord {
        let members = self.members.values().map(|member| MemberMetadata {
            member_id: str_bytes(member.id()),
            group_instance_id: member.identity.instance_id.as_deref().map(str_bytes),
            client_id: str_bytes(&member.identity.client_id),
            client_host: str_bytes(&member.identity.client_host),
            rebalance_timeout: member.rebalance_timeout_ms,
            session_timeout: member.session_timeout_ms,
            subscription: member.metadata(self.protocol.as_deref()),
            assignment: assignments.get(&**member.id()).copied().cloned().unwrap_or_default(),
        });
        let value = GroupMetadataValue {
            protocol_type: str_bytes(self.protocol_type.as_deref().unwrap_or_default()),
            generation: self.generation,
            protocol: self.protocol.as_deref().map(str_bytes),
            leader: self.leader.as_deref().map(str_bytes),
            current_state_timestamp: self.state_timestamp_ms.unwrap_or(NO_TIMESTAMP),
            members: members.collect(),
        };
        CoordinatorRecord::GroupMetadata(key(&self.id), Some(value))
    }

    /// The group that a record describes.
    pub fn from_record(id: Arc<str>, value: &GroupMetadataValue) -> Self {
        let mut group = Self::new(id, value.current_state_timestamp);
        group.state = if value.members.is_empty() { GroupState::Empty } else { GroupState::Stable };
        group.state_timestamp_ms = Some(value.current_state_timestamp).filter(|time| *time != NO_TIMESTAMP);
        group.protocol_type = Some(Arc::from(&*value.protocol_type)).filter(|kind: &Arc<str>| !kind.is_empty());
        group.protocol = value.protocol.as_deref().map(Arc::from);
        group.generation = value.generation;
        group.leader = value.leader.as_deref().map(Arc::from);
        for member in &value.members {
            group.add(loaded_member(member, group.protocol.as_ref()));
        }
        group.subscribed_topics = group.compute_subscribed_topics();
        group
    }

    /// What consumers subscribe to, in the protocol that they agreed on (`ClassicGroup.computeSubscribedTopics`).
    pub(super) fn compute_subscribed_topics(&self) -> Option<HashSet<Arc<str>>> {
        if !self.uses_consumer_protocol() {
            return None;
        }
        if self.members.is_empty() {
            return Some(HashSet::new());
        }
        let protocol = self.protocol.as_deref()?;
        let mut topics = HashSet::new();
        for member in self.members.values() {
            let subscribed = subscribed_topics(member.metadata(Some(protocol)))?;
            topics.extend(subscribed.iter().map(|topic| Arc::from(&**topic)));
        }
        Some(topics)
    }
}

fn loaded_member(member: &MemberMetadata, protocol: Option<&Arc<str>>) -> Member {
    let MemberMetadata { session_timeout, rebalance_timeout, .. } = *member;
    let name = protocol.cloned().unwrap_or_default();
    Member {
        identity: Identity {
            id: Arc::from(&*member.member_id),
            instance_id: member.group_instance_id.as_deref().map(Arc::from),
            client_id: Arc::from(&*member.client_id),
            client_host: Arc::from(&*member.client_host),
        },
        rebalance_timeout_ms: if rebalance_timeout == NO_TIMEOUT { session_timeout } else { rebalance_timeout },
        session_timeout_ms: session_timeout,
        protocols: vec![Protocol { name, metadata: owned(&member.subscription) }],
        assignment: owned(&member.assignment),
        awaiting_join: None,
        awaiting_sync: None,
        is_new: false,
    }
}
