//! Errors of the group APIs that depend on where the group is: rebalancing, of another protocol, fenced, unstable, elsewhere.

use std::fs;
use std::path::Path;

use integration::broker::{Broker, Setup};
use integration::wait;
use integration::wire::{Connection, Member, commit_request, fetch_request, group_id, join_request, text};
use protocol::messages::join_group_request::JoinGroupRequestProtocol;
use protocol::messages::leave_group_request::MemberIdentity;
use protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use protocol::messages::{
    DeleteGroupsRequest, DescribeGroupsRequest, HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest,
    ListGroupsRequest, OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest, SyncGroupRequest,
};

const NONE: i16 = 0;
const NOT_COORDINATOR: i16 = 16;
const INCONSISTENT_GROUP_PROTOCOL: i16 = 23;
const INVALID_GROUP_ID: i16 = 24;
const INVALID_SESSION_TIMEOUT: i16 = 26;
const REBALANCE_IN_PROGRESS: i16 = 27;
const MEMBER_ID_REQUIRED: i16 = 79;
const FENCED_INSTANCE_ID: i16 = 82;
const UNSTABLE_OFFSET_COMMIT: i16 = 88;

/// What `integration/golden/consumer_offsets.py` left behind in Apache Kafka: the group `transactional` has offsets in a transaction
/// that is not over.
const KAFKAS_OFFSETS: &[u8] = include_bytes!("../../broker/tests/golden/consumer_offsets.log");

fn broker(partitions: i32) -> Broker {
    Setup::new().set("group.initial.rebalance.delay.ms", 0).set("offsets.topic.num.partitions", partitions).start()
}

fn ready(broker: &Broker) -> Connection {
    let mut connection = broker.connect();
    connection.create_topic("t", 1, &[]);
    connection.await_coordinator("g");
    connection
}

fn committed(offset: i64) -> (i64, i32, String) {
    (offset, 0, String::new())
}

fn identity(member: &Member, instance: Option<&str>) -> MemberIdentity {
    MemberIdentity::default().with_member_id(text(&member.id)).with_group_instance_id(instance.map(text))
}

#[test]
fn a_member_is_told_to_join_again_while_the_group_rebalances() {
    let broker = broker(1);
    let mut connection = ready(&broker);
    let first = connection.join_alone("g", "all");
    // A second member waits in its join until the first one joins too.
    let mut other = broker.connect();
    let required = other.send(&join_request("g", ""), 9);
    assert_eq!(required.error_code, MEMBER_ID_REQUIRED);
    other.write(&join_request("g", &required.member_id), 9).expect("it is sent");
    wait::until_true("the rebalance", std::time::Duration::from_secs(60), || {
        connection.heartbeat("g", &first) == REBALANCE_IN_PROGRESS
    });
    assert_eq!(connection.sync("g", &first, &[]).error_code, REBALANCE_IN_PROGRESS);
    assert_eq!(connection.commit("g", &first, ("t", 0), &committed(1)), NONE, "who is asked to join may still commit");
    let joined = connection.join(&join_request("g", &first.id));
    assert_eq!((joined.error_code, joined.generation_id), (NONE, first.generation + 1));
    let (_, second) = other.read::<JoinGroupRequest>(9).expect("it is answered");
    let second = Member { id: second.member_id.to_string(), generation: second.generation_id };
    // The assignment has not come yet.
    let first = Member { generation: joined.generation_id, ..first };
    assert_eq!(connection.commit("g", &first, ("t", 0), &committed(1)), REBALANCE_IN_PROGRESS);
    assert_eq!(connection.heartbeat("g", &first), NONE);
    let leader = if joined.leader == joined.member_id { &first } else { &second };
    assert_eq!(connection.sync("g", leader, &[(&first.id, "one"), (&second.id, "two")]).error_code, NONE);
    assert_eq!(connection.sync("g", &second, &[]).assignment, "two");
}

#[test]
fn members_join_with_an_id_and_with_the_protocol_and_timeouts_of_the_group() {
    let broker = broker(1);
    let mut connection = ready(&broker);
    let first = connection.join_alone("g", "all");
    let code = |connection: &mut Connection, request: &JoinGroupRequest| connection.send(request, 9).error_code;
    let stranger = join_request("g", "");
    assert_eq!(code(&mut connection, &stranger), MEMBER_ID_REQUIRED);
    assert_eq!(
        code(&mut connection, &stranger.clone().with_protocol_type(text("connect"))),
        INCONSISTENT_GROUP_PROTOCOL
    );
    assert_eq!(code(&mut connection, &stranger.clone().with_protocol_type(text(""))), INCONSISTENT_GROUP_PROTOCOL);
    let other = JoinGroupRequestProtocol::default().with_name(text("sticky"));
    assert_eq!(code(&mut connection, &stranger.clone().with_protocols(vec![other])), INCONSISTENT_GROUP_PROTOCOL);
    let long = stranger.clone().with_session_timeout_ms(1_800_001);
    assert_eq!(code(&mut connection, &long), INVALID_SESSION_TIMEOUT);
    // Before version 4 nobody is asked for an id.
    assert_eq!(connection.send(&join_request("old", ""), 3).error_code, NONE);
    let sync = SyncGroupRequest::default()
        .with_group_id(group_id("g"))
        .with_generation_id(first.generation)
        .with_member_id(text(&first.id))
        .with_protocol_type(Some(text("consumer")))
        .with_protocol_name(Some(text("sticky")));
    assert_eq!(connection.send(&sync, 5).error_code, INCONSISTENT_GROUP_PROTOCOL);
}

#[test]
fn every_request_of_a_fenced_static_member_is_refused() {
    let broker = broker(1);
    let mut connection = ready(&broker);
    let request = join_request("g", "").with_group_instance_id(Some(text("one")));
    let joined = connection.join(&request);
    let former = Member { id: joined.member_id.to_string(), generation: joined.generation_id };
    assert_eq!(connection.sync("g", &former, &[(&former.id, "all")]).error_code, NONE);
    let present = connection.join(&request);
    assert_eq!((present.error_code, present.generation_id), (NONE, former.generation));

    let instance = || Some(text("one"));
    let heartbeat = HeartbeatRequest::default()
        .with_group_id(group_id("g"))
        .with_generation_id(former.generation)
        .with_member_id(text(&former.id))
        .with_group_instance_id(instance());
    assert_eq!(connection.send(&heartbeat, 4).error_code, FENCED_INSTANCE_ID);
    assert_eq!(connection.send(&heartbeat.with_member_id(present.member_id.clone()), 4).error_code, NONE);
    let sync = SyncGroupRequest::default()
        .with_group_id(group_id("g"))
        .with_generation_id(former.generation)
        .with_member_id(text(&former.id))
        .with_group_instance_id(instance())
        .with_protocol_type(Some(text("consumer")))
        .with_protocol_name(Some(text("range")));
    assert_eq!(connection.send(&sync, 5).error_code, FENCED_INSTANCE_ID);
    let commit = commit_request("g", &former, ("t", 0), &committed(1));
    let commit = OffsetCommitRequest { group_instance_id: instance(), ..commit };
    assert_eq!(connection.send(&commit, 9).topics[0].partitions[0].error_code, FENCED_INSTANCE_ID);
    let leave =
        LeaveGroupRequest::default().with_group_id(group_id("g")).with_members(vec![identity(&former, Some("one"))]);
    let left = connection.send(&leave, 5);
    assert_eq!((left.error_code, left.members[0].error_code), (NONE, FENCED_INSTANCE_ID));
}

#[test]
fn the_group_without_a_name_has_offsets_and_no_members() {
    let broker = broker(1);
    let mut connection = ready(&broker);
    // Very old consumers that do without a group commit in the one without a name (`GroupCoordinatorService.commitOffsets`).
    assert_eq!(connection.commit("", &Member::none(), ("t", 0), &committed(3)), NONE);
    assert_eq!(connection.fetch_offsets("", None), [("t".to_owned(), 0, committed(3))]);
    let described = connection.send(&DescribeGroupsRequest::default().with_groups(vec![group_id("")]), 5);
    assert_eq!((described.groups[0].error_code, &*described.groups[0].group_state), (NONE, "Empty"));
    let member = Member { id: "m".to_owned(), generation: 1 };
    assert_eq!(connection.send(&join_request("", "m"), 9).error_code, INVALID_GROUP_ID);
    assert_eq!(connection.sync("", &member, &[]).error_code, INVALID_GROUP_ID);
    assert_eq!(connection.heartbeat("", &member), INVALID_GROUP_ID);
    let deleted = connection.send(&DeleteGroupsRequest::default().with_groups_names(vec![group_id("")]), 2);
    assert_eq!(deleted.results[0].error_code, NONE);
    assert_eq!(connection.fetch_offsets("", None), []);
}

#[test]
fn nobody_coordinates_before_the_topic_of_the_offsets_is_there() {
    let broker = broker(1);
    let mut connection = broker.connect();
    connection.create_topic("t", 1, &[]);
    let member = Member { id: "m".to_owned(), generation: 1 };
    assert_eq!(connection.send(&join_request("g", "m"), 9).error_code, NOT_COORDINATOR);
    assert_eq!(connection.sync("g", &member, &[]).error_code, NOT_COORDINATOR);
    assert_eq!(connection.heartbeat("g", &member), NOT_COORDINATOR);
    let leave = LeaveGroupRequest::default().with_group_id(group_id("g")).with_members(vec![identity(&member, None)]);
    assert_eq!(connection.send(&leave, 5).error_code, NOT_COORDINATOR);
    assert_eq!(connection.commit("g", &Member::none(), ("t", 0), &committed(1)), NOT_COORDINATOR);
    assert_eq!(connection.try_fetch_offsets("g", None).error_code, NOT_COORDINATOR);
    let described = connection.send(&DescribeGroupsRequest::default().with_groups(vec![group_id("g")]), 5);
    assert_eq!(described.groups[0].error_code, NOT_COORDINATOR);
    let deleted = connection.send(&DeleteGroupsRequest::default().with_groups_names(vec![group_id("g")]), 2);
    assert_eq!(deleted.results[0].error_code, NOT_COORDINATOR);
    let offsets = connection.send(&OffsetDeleteRequest::default().with_group_id(group_id("g")), 0);
    assert_eq!(offsets.error_code, NOT_COORDINATOR);
    let listed = connection.send(&ListGroupsRequest::default(), 5);
    assert_eq!((listed.error_code, listed.groups.len()), (NONE, 0), "there are none, and that is known");
}

/// Puts Kafka's log in the place of the only partition of `__consumer_offsets`, as one adopts its data directory.
fn adopt(data: &Path) {
    let folder = data.join("__consumer_offsets-0");
    for file in fs::read_dir(&folder).expect("the partition is there") {
        let path = file.expect("the folder can be read").path();
        if path.file_name().is_some_and(|name| name != "partition.metadata") {
            fs::remove_file(path).expect("it can be removed");
        }
    }
    fs::write(folder.join("00000000000000000000.log"), KAFKAS_OFFSETS).expect("it can be written");
}

#[test]
fn an_offset_in_an_open_transaction_is_unstable_for_whoever_asks_for_stable_ones() {
    let mut broker = broker(1);
    let mut connection = ready(&broker);
    // With a first record its files are there.
    assert_eq!(connection.commit("g", &Member::none(), ("t", 0), &committed(1)), NONE);
    broker.kill9();
    adopt(&broker.data());
    broker.restart();
    let mut connection = broker.connect();
    connection.await_coordinator("transactional");
    let fetch = |connection: &mut Connection, stable, named: bool| {
        let topic = OffsetFetchRequestTopics { name: text("t"), partition_indexes: vec![0], ..Default::default() };
        let topics = named.then(|| vec![topic]);
        let group = OffsetFetchRequestGroup { group_id: text("transactional"), topics, ..Default::default() };
        let request = OffsetFetchRequest { require_stable: stable, ..fetch_request(group) };
        let partition = connection.send(&request, 9).groups.remove(0).topics.remove(0).partitions.remove(0);
        (partition.error_code, partition.committed_offset)
    };
    for named in [true, false] {
        assert_eq!(fetch(&mut connection, true, named), (UNSTABLE_OFFSET_COMMIT, -1));
        assert_eq!(fetch(&mut connection, false, named), (NONE, 100), "what was committed before");
    }
}
