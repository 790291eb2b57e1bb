//! Groups: joining, committing and asking, as a client without a library does.

use std::time::Duration;

use protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use protocol::messages::join_group_request::JoinGroupRequestProtocol;
use protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use protocol::messages::offset_fetch_response::OffsetFetchResponseGroup;
use protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use protocol::messages::{
    ConsumerGroupHeartbeatRequest, FindCoordinatorRequest, GroupId, HeartbeatRequest, JoinGroupRequest,
    JoinGroupResponse, OffsetCommitRequest, OffsetFetchRequest, SyncGroupRequest, SyncGroupResponse, TopicName,
};

use super::{Connection, text};
use crate::wait;

/// Offset, leader epoch and metadata of one partition.
pub type Committed = (i64, i32, String);

const TIMEOUT_MS: i32 = 600_000;
const LOAD_LIMIT: Duration = Duration::from_secs(60);
const COORDINATOR_LOAD_IN_PROGRESS: i16 = 14;
const COORDINATOR_NOT_AVAILABLE: i16 = 15;
const NOT_COORDINATOR: i16 = 16;

/// Whose commit it is.
#[derive(Clone, Debug)]
pub struct Member {
    pub id: String,
    pub generation: i32,
}

impl Member {
    /// Nobody: a commit without membership.
    pub fn none() -> Self {
        Self { id: String::new(), generation: -1 }
    }
}

/// The id of a group in a message body.
pub fn group_id(id: &str) -> GroupId {
    GroupId(text(id))
}

/// A request to join as a consumer whose session does not end during a test, however slow the machine.
pub fn join_request(group: &str, member: &str) -> JoinGroupRequest {
    let protocol = JoinGroupRequestProtocol::default().with_name(text("range")).with_metadata("about".into());
    JoinGroupRequest::default()
        .with_group_id(group_id(group))
        .with_session_timeout_ms(TIMEOUT_MS)
        .with_rebalance_timeout_ms(TIMEOUT_MS)
        .with_member_id(text(member))
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol])
}

impl Connection {
    /// Waits until the coordinator of `group` serves it.
    ///
    /// # Panics
    /// It does not within 60 s.
    #[track_caller]
    pub fn await_coordinator(&mut self, group: &str) {
        wait::until_true("the group's coordinator", LOAD_LIMIT, || {
            let request = FindCoordinatorRequest::default().with_coordinator_keys(vec![text(group)]);
            let found = self.send(&request, 4).coordinators.remove(0).error_code;
            let loaded = self.try_fetch_offsets(group, None).error_code;
            let retriable = [COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR];
            !retriable.contains(&found) && !retriable.contains(&loaded)
        });
    }

    /// Joins; a first join comes again with the id that it is given.
    #[track_caller]
    pub fn join(&mut self, request: &JoinGroupRequest) -> JoinGroupResponse {
        const MEMBER_ID_REQUIRED: i16 = 79;
        let first = self.send(request, 9);
        if first.error_code != MEMBER_ID_REQUIRED {
            return first;
        }
        self.send(&request.clone().with_member_id(first.member_id), 9)
    }

    /// Brings or asks for the assignment.
    #[track_caller]
    pub fn sync(&mut self, group: &str, member: &Member, assignments: &[(&str, &str)]) -> SyncGroupResponse {
        let assignments = assignments.iter().map(|(id, bytes)| {
            SyncGroupRequestAssignment::default().with_member_id(text(id)).with_assignment((*bytes).to_owned().into())
        });
        let request = SyncGroupRequest::default()
            .with_group_id(group_id(group))
            .with_generation_id(member.generation)
            .with_member_id(text(&member.id))
            .with_protocol_type(Some(text("consumer")))
            .with_protocol_name(Some(text("range")))
            .with_assignments(assignments.collect());
        self.send(&request, 5)
    }

    /// The error code of a heartbeat.
    #[track_caller]
    pub fn heartbeat(&mut self, group: &str, member: &Member) -> i16 {
        let request = HeartbeatRequest::default()
            .with_group_id(group_id(group))
            .with_generation_id(member.generation)
            .with_member_id(text(&member.id));
        self.send(&request, 4).error_code
    }

    /// Joins `group` as its only member and brings the assignment.
    ///
    /// # Panics
    /// It is refused.
    #[track_caller]
    pub fn join_alone(&mut self, group: &str, assignment: &str) -> Member {
        let joined = self.join(&join_request(group, ""));
        assert_eq!(joined.error_code, 0, "{joined:?}");
        let member = Member { id: joined.member_id.to_string(), generation: joined.generation_id };
        let synced = self.sync(group, &member, &[(&member.id, assignment)]);
        assert_eq!((synced.error_code, &synced.assignment[..]), (0, assignment.as_bytes()));
        member
    }

    /// Joins `group` of the consumer protocol as its only member, subscribed to `topic`, and goes on until it has its assignment;
    /// returns the member's epoch.
    ///
    /// # Panics
    /// It is refused, or not all is assigned within 60 s.
    #[track_caller]
    pub fn join_consumer(&mut self, group: &str, member: &str, topic: &str) -> i32 {
        let goes_on =
            ConsumerGroupHeartbeatRequest::default().with_group_id(group_id(group)).with_member_id(text(member));
        let join = goes_on
            .clone()
            .with_rebalance_timeout_ms(TIMEOUT_MS)
            .with_subscribed_topic_names(Some(vec![TopicName(text(topic))]))
            .with_topic_partitions(Some(Vec::new()));
        self.await_coordinator(group);
        let mut answer = self.send(&join, 1);
        wait::until_true("an assignment", LOAD_LIMIT, || {
            assert_eq!(answer.error_code, 0, "{answer:?}");
            let has_one = answer.assignment.as_ref().is_some_and(|assigned| !assigned.topic_partitions.is_empty());
            if !has_one {
                answer = self.send(&goes_on.clone().with_member_epoch(answer.member_epoch), 1);
            }
            has_one
        });
        let assigned = answer.assignment.map(|assigned| assigned.topic_partitions).unwrap_or_default();
        let owned = assigned
            .into_iter()
            .map(|topic| TopicPartitions::default().with_topic_id(topic.topic_id).with_partitions(topic.partitions));
        let says = goes_on.with_member_epoch(answer.member_epoch).with_topic_partitions(Some(owned.collect()));
        let answer = self.send(&says, 1);
        assert_eq!(answer.error_code, 0, "{answer:?}");
        answer.member_epoch
    }

    /// Commits one partition; returns its error code.
    #[track_caller]
    pub fn commit(&mut self, group: &str, member: &Member, place: (&str, i32), committed: &Committed) -> i16 {
        let request = commit_request(group, member, place, committed);
        self.send(&request, 9).topics.remove(0).partitions.remove(0).error_code
    }

    /// What is committed of `partitions`, or of all.
    ///
    /// # Panics
    /// It cannot be told.
    #[track_caller]
    pub fn fetch_offsets(&mut self, group: &str, partitions: Option<(&str, &[i32])>) -> Vec<(String, i32, Committed)> {
        let fetched = self.try_fetch_offsets(group, partitions);
        assert_eq!(fetched.error_code, 0);
        let topics = fetched.topics.iter().flat_map(|topic| {
            topic.partitions.iter().map(|partition| {
                assert_eq!(partition.error_code, 0);
                let metadata = partition.metadata.as_deref().unwrap_or_default().to_owned();
                let committed = (partition.committed_offset, partition.committed_leader_epoch, metadata);
                (topic.name.to_string(), partition.partition_index, committed)
            })
        });
        topics.collect()
    }

    /// As [`Self::fetch_offsets`], with errors.
    #[track_caller]
    pub fn try_fetch_offsets(&mut self, group: &str, partitions: Option<(&str, &[i32])>) -> OffsetFetchResponseGroup {
        let topics = partitions.map(|(topic, partitions)| {
            let (name, partition_indexes) = (text(topic), partitions.to_vec());
            vec![OffsetFetchRequestTopics { name, partition_indexes, ..Default::default() }]
        });
        let asked = OffsetFetchRequestGroup { group_id: text(group), topics, ..Default::default() };
        self.send(&fetch_request(asked), 9).groups.remove(0)
    }
}

/// A request for the stable offsets of one group.
pub fn fetch_request(group: OffsetFetchRequestGroup) -> OffsetFetchRequest {
    OffsetFetchRequest { groups: vec![group], require_stable: true, ..Default::default() }
}

/// A request to commit one partition.
pub fn commit_request(
    group: &str,
    member: &Member,
    (topic, partition): (&str, i32),
    (offset, leader_epoch, metadata): &Committed,
) -> OffsetCommitRequest {
    let partition = OffsetCommitRequestPartition {
        partition_index: partition,
        committed_offset: *offset,
        committed_leader_epoch: *leader_epoch,
        committed_metadata: Some(text(metadata)),
    };
    let topic = OffsetCommitRequestTopic { name: text(topic), partitions: vec![partition], ..Default::default() };
    OffsetCommitRequest {
        group_id: text(group),
        generation_id_or_member_epoch: member.generation,
        member_id: text(&member.id),
        topics: vec![topic],
        ..Default::default()
    }
}
