//! The APIs of classic groups and their offsets: what a coordinator answers without a group, and a group's first
//! steps.

use bytes::Bytes;
use integration::wait;
use integration::wire::text;
use protocol::StrBytes;
use protocol::ids::Uuid;
use protocol::messages::join_group_request::JoinGroupRequestProtocol;
use protocol::messages::leave_group_request::MemberIdentity;
use protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use protocol::messages::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use protocol::messages::{
    DeleteGroupsRequest, DescribeGroupsRequest, FindCoordinatorRequest, GroupId, HeartbeatRequest, JoinGroupRequest,
    LeaveGroupRequest, ListGroupsRequest, OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest,
    SyncGroupRequest,
};

use crate::topics::name;
use crate::world::{Differential, World};

const LIMIT: std::time::Duration = std::time::Duration::from_secs(60);

pub(crate) fn compare(both: &mut Differential) {
    both.both(await_coordinator);
    members(both);
    offsets(both);
    administration(both);
}

fn group(id: &str) -> GroupId {
    GroupId(text(id))
}

/// Both create the offsets' topic for the first who asks, and load its partitions one by one a moment later: a
/// group can be asked for when the partition that holds it is loaded.
fn await_coordinator(world: &mut World) {
    let find = FindCoordinatorRequest::default().with_key(text("group"));
    wait::until_true("a coordinator", LIMIT, || world.connection().send(&find, 0).error_code == 0);
    let groups = ["group", "no-such", "simple"].map(group).to_vec();
    let describe = DescribeGroupsRequest::default().with_groups(groups);
    wait::until_true("the groups of this test", LIMIT, || {
        world.connection().send(&describe, 0).groups.iter().all(|group| group.error_code == 0)
    });
    let list = ListGroupsRequest::default();
    wait::until_true("all groups", LIMIT, || world.connection().send(&list, 0).error_code == 0);
}

fn members(both: &mut Differential) {
    let join = |id: &str, member: &str| {
        let protocol =
            JoinGroupRequestProtocol::default().with_name(text("range")).with_metadata(Bytes::from_static(b"m"));
        JoinGroupRequest::default()
            .with_group_id(group(id))
            .with_member_id(text(member))
            .with_protocol_type(text("consumer"))
            .with_session_timeout_ms(10_000)
            .with_protocols(vec![protocol])
    };
    both.every("no group id", |_, _| join("", ""));
    both.every("short session", |_, _| join("group", "").with_session_timeout_ms(1));
    both.every("unknown member", |_, _| join("group", "nobody"));
    let heartbeat = |id: &str| HeartbeatRequest::default().with_group_id(group(id)).with_member_id(text("nobody"));
    both.every("unknown group", |_, _| heartbeat("no-such"));
    both.every("no group id", |_, _| heartbeat(""));
    both.every("unknown group", |_, version| {
        let leave = LeaveGroupRequest::default().with_group_id(group("no-such"));
        match version {
            ..3 => leave.with_member_id(text("nobody")),
            _ => leave.with_members(vec![MemberIdentity::default().with_member_id(text("nobody"))]),
        }
    });
    let sync = |id: &str| SyncGroupRequest::default().with_group_id(group(id)).with_member_id(text("nobody"));
    both.every("unknown group", |_, _| sync("no-such"));
}

/// A topic by name and by id; one that does not exist has an id of the same kind.
fn named(world: &World, topic: &str) -> (StrBytes, Uuid) {
    let id = if topic == "no-such" { Uuid::from_u128(7) } else { world.topic_id(topic) };
    (text(topic), id)
}

fn commit(world: &World, id: &str, topic: &str, partition_index: i32) -> OffsetCommitRequest {
    let (name, topic_id) = named(world, topic);
    let partition = OffsetCommitRequestPartition { partition_index, committed_offset: 7, ..Default::default() };
    let topic = OffsetCommitRequestTopic { name, topic_id, partitions: vec![partition] };
    OffsetCommitRequest { group_id: text(id), topics: vec![topic], ..Default::default() }
}

/// Asks for partitions of a topic, or for all.
fn fetch(world: &World, id: &str, topic: Option<&str>, version: i16) -> OffsetFetchRequest {
    let partition_indexes = vec![0, 1, 99];
    let named = topic.map(|topic| named(world, topic));
    if version < 8 {
        let topics = named.map(|(name, _)| vec![OffsetFetchRequestTopic { name, partition_indexes }]);
        return OffsetFetchRequest { group_id: text(id), topics, ..Default::default() };
    }
    let topics = named.map(|(name, topic_id)| vec![OffsetFetchRequestTopics { name, topic_id, partition_indexes }]);
    let group = OffsetFetchRequestGroup { group_id: text(id), topics, ..Default::default() };
    OffsetFetchRequest { groups: vec![group], ..Default::default() }
}

fn offsets(both: &mut Differential) {
    both.every("by nobody", |world, _| commit(world, "simple", "data", 0));
    both.every("of an unknown topic", |world, _| commit(world, "simple", "no-such", 0));
    both.every("of an unknown partition", |world, _| commit(world, "simple", "data", 99));
    both.every("of a known and an unknown topic", |world, _| {
        let unknown = commit(world, "simple", "no-such", 0).topics;
        let mut request = commit(world, "simple", "data", 0);
        request.topics.extend(unknown);
        request
    });
    both.ask("of a topic without an id", 10..=10, |world, _| {
        let mut request = commit(world, "simple", "data", 0);
        request.topics[0].topic_id = Uuid::nil();
        request
    });
    both.every("too much metadata", |world, _| {
        let mut request = commit(world, "simple", "data", 0);
        request.topics[0].partitions[0].committed_metadata = Some(text(&"x".repeat(4097)));
        request
    });
    both.every("by an unknown member", |world, _| OffsetCommitRequest {
        generation_id_or_member_epoch: 3,
        member_id: text("nobody"),
        ..commit(world, "no-such", "data", 0)
    });
    both.every("of a group", |world, version| fetch(world, "simple", Some("data"), version));
    both.every("of an unknown topic", |world, version| fetch(world, "simple", Some("no-such"), version));
    both.every("of an unknown group", |world, version| fetch(world, "no-such", Some("data"), version));
    both.ask("all of a group", 2..=10, |world, version| fetch(world, "simple", None, version));
    both.ask("of several groups and topics", 8..=10, |world, version| {
        let mut request = fetch(world, "simple", Some("no-such"), version);
        let known = fetch(world, "simple", Some("data"), version).groups.remove(0).topics;
        request.groups[0].topics.as_mut().expect("it names one").extend(known.expect("it names one"));
        request.groups.push(fetch(world, "no-such", None, version).groups.remove(0));
        request
    });
}

fn administration(both: &mut Differential) {
    both.every("unknown", |_, _| DescribeGroupsRequest::default().with_groups(vec![group("no-such")]));
    both.every("without members", |_, _| DescribeGroupsRequest::default().with_groups(vec![group("simple")]));
    both.every("all", |_, _| ListGroupsRequest::default());
    both.ask("by state", 4..=99, |_, _| ListGroupsRequest::default().with_states_filter(vec![text("Stable")]));
    let delete = |topic: &str| {
        let partition = OffsetDeleteRequestPartition::default().with_partition_index(0);
        let topic = OffsetDeleteRequestTopic::default().with_name(name(topic)).with_partitions(vec![partition]);
        OffsetDeleteRequest::default().with_topics(vec![topic])
    };
    both.every("of a group", |_, _| delete("data").with_group_id(group("simple")));
    both.every("of an unknown topic", |_, _| delete("no-such").with_group_id(group("simple")));
    both.every("of an unknown group", |_, _| delete("data").with_group_id(group("no-such")));
    both.every("unknown", |_, _| DeleteGroupsRequest::default().with_groups_names(vec![group("no-such")]));
    both.ask("deleted", 0..=0, |_, _| DeleteGroupsRequest::default().with_groups_names(vec![group("simple")]));
}
