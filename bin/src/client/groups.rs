//! Groups: list, describe, delete.

use std::ops::RangeInclusive;
use std::time::Instant;

use bytes::{Buf, Bytes};
use protocol::Decodable;
use protocol::error_code::ErrorCode;
use protocol::messages::describe_groups_response::DescribedGroupMember;
use protocol::messages::{
    ApiKey, ConsumerGroupDescribeRequest, ConsumerProtocolAssignment, DeleteGroupsRequest, DescribeGroupsRequest,
    FindCoordinatorRequest, GroupId, ListGroupsRequest, consumer_group_describe_response as consumer,
};

use super::{Client, ClientError, Connection, LEADER_LIMIT, Refusal, Result, pause, text};

/// Up to version 3 one group is looked up at a time.
const FIND_COORDINATOR_VERSIONS: RangeInclusive<i16> = 0..=3;
const LIST_GROUPS_VERSIONS: RangeInclusive<i16> = 0..=5;
const DESCRIBE_GROUPS_VERSIONS: RangeInclusive<i16> = 0..=6;
const CONSUMER_GROUP_DESCRIBE_VERSIONS: RangeInclusive<i16> = 0..=1;
const DELETE_GROUPS_VERSIONS: RangeInclusive<i16> = 0..=2;
/// The newest version of an assignment that this program reads; newer ones begin with the same fields.
const ASSIGNMENT_VERSION: i16 = 3;
/// What a group's members call their protocol when they are consumers.
pub(crate) const CONSUMER: &str = "consumer";

/// A group of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GroupListing {
    pub(crate) id: String,
    /// `classic`, `consumer` and the like; `None`: the broker does not say.
    pub(crate) kind: Option<String>,
    /// Of its members' protocol; empty for a group that only has offsets.
    pub(crate) protocol_type: String,
    pub(crate) state: Option<String>,
}

/// A group as its coordinator knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GroupDescription {
    pub(crate) id: String,
    /// `classic` or `consumer`.
    pub(crate) kind: &'static str,
    pub(crate) protocol_type: String,
    pub(crate) state: String,
    pub(crate) assignor: String,
    /// The broker that coordinates it.
    pub(crate) coordinator: i32,
    /// Of groups of the consumer protocol: epoch, and that of the assignment.
    pub(crate) epochs: Option<(i32, i32)>,
    pub(crate) members: Vec<GroupMember>,
}

/// A member of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GroupMember {
    pub(crate) id: String,
    pub(crate) instance_id: Option<String>,
    pub(crate) client_id: String,
    pub(crate) host: String,
    /// Topics and partitions; empty where the group's protocol is not that of consumers.
    pub(crate) assignment: Vec<(String, Vec<i32>)>,
    /// What it shall have, and its epoch: of members by the consumer protocol.
    pub(crate) target: Vec<(String, Vec<i32>)>,
    pub(crate) epoch: Option<i32>,
}

impl GroupMember {
    /// How many partitions it has.
    pub(crate) fn partition_count(&self) -> usize {
        self.assignment.iter().map(|(_, partitions)| partitions.len()).sum()
    }
}

impl GroupDescription {
    /// Whether somebody may commit, so that its offsets are not to be changed from outside.
    pub(crate) fn is_active(&self) -> bool {
        !matches!(self.state.as_str(), "Empty" | "Dead")
    }
}

impl Client {
    /// Every group of the cluster in one of `states` and of one of `kinds`, by id; none named lets all pass.
    ///
    /// # Errors
    /// [`ClientError`].
    pub(crate) fn list_groups(&mut self, states: &[String], kinds: &[String]) -> Result<Vec<GroupListing>> {
        let texts = |words: &[String]| words.iter().map(|word| text(word)).collect();
        let request = ListGroupsRequest::default().with_states_filter(texts(states)).with_types_filter(texts(kinds));
        let least = if kinds.is_empty() { if states.is_empty() { 0 } else { 4 } } else { 5 };
        let nodes: Vec<i32> = self.metadata(Some(&[]), false)?.brokers.iter().map(|broker| broker.node_id.0).collect();
        let mut groups = Vec::new();
        for node in nodes {
            let response = self.broker(node)?.ask(&request, least..=*LIST_GROUPS_VERSIONS.end())?;
            Refusal::check(response.error_code, None)?;
            let said = |word: &protocol::StrBytes| Some(word.to_string()).filter(|word| !word.is_empty());
            groups.extend(response.groups.iter().map(|group| GroupListing {
                id: group.group_id.to_string(),
                kind: said(&group.group_type),
                protocol_type: group.protocol_type.to_string(),
                state: said(&group.group_state),
            }));
        }
        groups.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        Ok(groups)
    }

    /// Describes one group.
    ///
    /// # Errors
    /// [`ErrorCode::GroupIdNotFound`], or [`ClientError`].
    pub(crate) fn describe_group(&mut self, id: &str) -> Result<GroupDescription> {
        self.with_coordinator(id, |coordinator, connection| {
            if connection.serves(ApiKey::ConsumerGroupDescribe, &CONSUMER_GROUP_DESCRIBE_VERSIONS) {
                match describe_consumer_group(connection, coordinator, id) {
                    Err(error) if error.code() == Some(ErrorCode::GroupIdNotFound) => {}
                    other => return other,
                }
            }
            describe_classic_group(connection, coordinator, id)
        })
    }

    /// Deletes one group with its offsets.
    ///
    /// # Errors
    /// [`ErrorCode::NonEmptyGroup`], [`ErrorCode::GroupIdNotFound`], or [`ClientError`].
    pub(crate) fn delete_group(&mut self, id: &str) -> Result<()> {
        let request = DeleteGroupsRequest::default().with_groups_names(vec![group_id(id)]);
        self.with_coordinator(id, |_, connection| {
            let response = connection.ask(&request, DELETE_GROUPS_VERSIONS)?;
            let deleted = response.results.first().ok_or(ClientError::Malformed("no answer for the group"))?;
            Ok(Refusal::check(deleted.error_code, None)?)
        })
    }

    /// Asks the broker that coordinates a group, and asks again for a while as long as it is not ready for it.
    pub(super) fn with_coordinator<T>(
        &mut self,
        group: &str,
        mut ask: impl FnMut(i32, &mut Connection) -> Result<T>,
    ) -> Result<T> {
        let deadline = Instant::now() + LEADER_LIMIT;
        loop {
            let asked = self.coordinator(group).and_then(|id| ask(id, self.broker(id)?));
            match asked {
                Err(ClientError::Refused(refusal)) if refusal.code.is_retriable() && Instant::now() < deadline => {
                    pause();
                }
                other => return other,
            }
        }
    }

    fn coordinator(&mut self, group: &str) -> Result<i32> {
        let request = FindCoordinatorRequest::default().with_key(text(group));
        let response = self.any().ask(&request, FIND_COORDINATOR_VERSIONS)?;
        Refusal::check(response.error_code, response.error_message.as_deref())?;
        let port = u16::try_from(response.port).unwrap_or(0);
        self.note_address(response.node_id.0, (response.host.to_string(), port));
        Ok(response.node_id.0)
    }
}

pub(super) fn group_id(id: &str) -> GroupId {
    GroupId(text(id))
}

/// Groups of the consumer protocol (KIP-848); of others it says that there is no such group.
fn describe_consumer_group(connection: &mut Connection, coordinator: i32, id: &str) -> Result<GroupDescription> {
    let request = ConsumerGroupDescribeRequest::default().with_group_ids(vec![group_id(id)]);
    let response = connection.ask(&request, CONSUMER_GROUP_DESCRIBE_VERSIONS)?;
    let group = response.groups.first().ok_or(ClientError::Malformed("no answer for the group"))?;
    Refusal::check(group.error_code, group.error_message.as_deref())?;
    let member = |member: &consumer::Member| GroupMember {
        id: member.member_id.to_string(),
        instance_id: member.instance_id.as_ref().map(ToString::to_string),
        client_id: member.client_id.to_string(),
        host: member.client_host.to_string(),
        assignment: topics(&member.assignment),
        target: topics(&member.target_assignment),
        epoch: Some(member.member_epoch),
    };
    Ok(GroupDescription {
        id: id.to_owned(),
        kind: CONSUMER,
        protocol_type: CONSUMER.to_owned(),
        state: group.group_state.to_string(),
        assignor: group.assignor_name.to_string(),
        coordinator,
        epochs: Some((group.group_epoch, group.assignment_epoch)),
        members: group.members.iter().map(member).collect(),
    })
}

fn describe_classic_group(connection: &mut Connection, coordinator: i32, id: &str) -> Result<GroupDescription> {
    let request = DescribeGroupsRequest::default().with_groups(vec![group_id(id)]);
    let response = connection.ask(&request, DESCRIBE_GROUPS_VERSIONS)?;
    let group = response.groups.first().ok_or(ClientError::Malformed("no answer for the group"))?;
    Refusal::check(group.error_code, group.error_message.as_deref())?;
    // Up to version 5 a group that does not exist is dead.
    if &*group.group_state == "Dead" {
        return Err(Refusal::of(ErrorCode::GroupIdNotFound).into());
    }
    let is_consumer = &*group.protocol_type == CONSUMER;
    let member = |member: &DescribedGroupMember| GroupMember {
        id: member.member_id.to_string(),
        instance_id: member.group_instance_id.as_ref().map(ToString::to_string),
        client_id: member.client_id.to_string(),
        host: member.client_host.to_string(),
        assignment: if is_consumer { assigned(member.member_assignment.clone()) } else { Vec::new() },
        target: Vec::new(),
        epoch: None,
    };
    Ok(GroupDescription {
        id: id.to_owned(),
        kind: "classic",
        protocol_type: group.protocol_type.to_string(),
        state: group.group_state.to_string(),
        assignor: group.protocol_data.to_string(),
        coordinator,
        epochs: None,
        members: group.members.iter().map(member).collect(),
    })
}

fn topics(assignment: &consumer::Assignment) -> Vec<(String, Vec<i32>)> {
    sorted(assignment.topic_partitions.iter().map(|topic| (topic.topic_name.to_string(), &topic.partitions)))
}

/// What a consumer's assignment says. It is the clients' own affair, so what cannot be read is none.
fn assigned(mut bytes: Bytes) -> Vec<(String, Vec<i32>)> {
    let Ok(version) = bytes.try_get_i16() else { return Vec::new() };
    let decoded = ConsumerProtocolAssignment::decode(&mut bytes, version.clamp(0, ASSIGNMENT_VERSION));
    decoded.map_or_else(
        |_| Vec::new(),
        |assignment| {
            let topics = assignment.assigned_partitions.iter();
            sorted(topics.map(|topic| (topic.topic.to_string(), &topic.partitions)))
        },
    )
}

fn sorted<'a>(topics: impl Iterator<Item = (String, &'a Vec<i32>)>) -> Vec<(String, Vec<i32>)> {
    let mut topics: Vec<_> = topics
        .map(|(topic, partitions)| {
            let mut partitions = partitions.clone();
            partitions.sort_unstable();
            (topic, partitions)
        })
        .collect();
    topics.sort_unstable();
    topics
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_assignment_is_none() {
        let bytes = b"\0\x01\0\0\0\x01\0\x01t\0\0\0\x02\0\0\0\x01\0\0\0\0\xff\xff\xff\xff";
        assert_eq!(assigned(Bytes::from_static(bytes)), [("t".to_owned(), vec![0, 1])]);
        for broken in [&b""[..], b"\0", b"\0\x01\x7f\xff\xff\xff", b"all"] {
            assert_eq!(assigned(Bytes::from_static(broken)), []);
        }
    }
}
