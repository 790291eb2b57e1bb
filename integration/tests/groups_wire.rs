//! Groups at the level of requests: every documented error, and what survives a crash.

use std::time::Duration;

use integration::broker::{Broker, Setup};
use integration::wait;
use integration::wire::{Connection, Member, commit_request, fetch_request, group_id, join_request, text};
use protocol::ids::Uuid;
use protocol::messages::describe_configs_request::DescribeConfigsResource;
use protocol::messages::leave_group_request::MemberIdentity;
use protocol::messages::metadata_request::MetadataRequestTopic;
use protocol::messages::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use protocol::messages::{
    DeleteGroupsRequest, DescribeConfigsRequest, DescribeGroupsRequest, FindCoordinatorRequest, LeaveGroupRequest,
    ListGroupsRequest, MetadataRequest, OffsetCommitRequest, OffsetDeleteRequest, SyncGroupRequest, TopicName,
};

const NONE: i16 = 0;
const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
const OFFSET_METADATA_TOO_LARGE: i16 = 12;
const COORDINATOR_NOT_AVAILABLE: i16 = 15;
const ILLEGAL_GENERATION: i16 = 22;
const INCONSISTENT_GROUP_PROTOCOL: i16 = 23;
const INVALID_GROUP_ID: i16 = 24;
const UNKNOWN_MEMBER_ID: i16 = 25;
const INVALID_SESSION_TIMEOUT: i16 = 26;
const REBALANCE_IN_PROGRESS: i16 = 27;
const INVALID_REQUEST: i16 = 42;
const NON_EMPTY_GROUP: i16 = 68;
const GROUP_ID_NOT_FOUND: i16 = 69;
const FENCED_INSTANCE_ID: i16 = 82;
const UNKNOWN_TOPIC_ID: i16 = 100;
const GROUP_MAX_SIZE_REACHED: i16 = 81;

fn broker() -> Broker {
    Setup::new().set("group.initial.rebalance.delay.ms", 0).set("offsets.topic.num.partitions", 5).start()
}

fn committed(offset: i64) -> (i64, i32, String) {
    (offset, 0, String::new())
}

/// A connection to a broker with topic `t` of 4 partitions, that coordinates groups.
fn ready(broker: &Broker) -> Connection {
    let mut connection = broker.connect();
    connection.create_topic("t", 4, &[]);
    for group in 0..40 {
        connection.await_coordinator(&format!("group-{group}"));
    }
    connection
}

#[test]
fn what_was_committed_is_there_after_a_kill_and_nothing_else() {
    let mut broker = broker();
    let mut connection = ready(&broker);
    for round in 0..3 {
        for group in 0..40 {
            for partition in 0..4 {
                let offset = i64::from(round * 1_000 + group * 10 + partition);
                let metadata = format!("as of {offset}");
                let group = format!("group-{group}");
                let code = connection.commit(&group, &Member::none(), ("t", partition), &(offset, round, metadata));
                assert_eq!(code, NONE);
            }
        }
    }
    let member = connection.join_alone("members", "everything");
    assert_eq!(connection.commit("members", &member, ("t", 1), &committed(42)), NONE);

    broker.kill9();
    broker.restart();
    let mut connection = broker.connect();
    for group in 0..40 {
        let id = format!("group-{group}");
        connection.await_coordinator(&id);
        let expected: Vec<_> = (0..4)
            .map(|partition| {
                let offset = i64::from(2_000 + group * 10 + partition);
                ("t".to_owned(), partition, (offset, 2, format!("as of {offset}")))
            })
            .collect();
        assert_eq!(connection.fetch_offsets(&id, None), expected);
    }
    connection.await_coordinator("members");
    assert_eq!(connection.heartbeat("members", &member), NONE, "the member goes on as if nothing had happened");
    let synced = connection.sync("members", &member, &[]);
    assert_eq!((synced.error_code, &synced.assignment[..]), (NONE, &b"everything"[..]));
    assert_eq!(
        connection.fetch_offsets("members", Some(("t", &[0, 1]))),
        [("t".to_owned(), 0, (-1, -1, String::new())), ("t".to_owned(), 1, committed(42)),]
    );
    assert_eq!(connection.commit("members", &member, ("t", 1), &committed(43)), NONE);
}

#[test]
fn every_error_of_a_commit() {
    let broker = broker();
    let mut connection = ready(&broker);
    let stranger = Member { id: "stranger".to_owned(), generation: 1 };
    let commit = |connection: &mut Connection, group: &str, member: &Member, place| {
        connection.commit(group, member, place, &committed(1))
    };
    assert_eq!(commit(&mut connection, "new", &stranger, ("t", 0)), GROUP_ID_NOT_FOUND);
    let old = connection.send(&commit_request("new", &stranger, ("t", 0), &committed(1)), 8);
    assert_eq!(old.topics[0].partitions[0].error_code, ILLEGAL_GENERATION);
    assert_eq!(commit(&mut connection, "new", &Member::none(), ("u", 0)), UNKNOWN_TOPIC_OR_PARTITION);
    assert_eq!(commit(&mut connection, "new", &Member::none(), ("t", 4)), UNKNOWN_TOPIC_OR_PARTITION);
    let long = (1, 0, "x".repeat(4097));
    assert_eq!(connection.commit("new", &Member::none(), ("t", 0), &long), OFFSET_METADATA_TOO_LARGE);
    let longest = (1, 0, "ü".repeat(4096));
    assert_eq!(connection.commit("new", &Member::none(), ("t", 0), &longest), NONE, "Java counts no bytes");

    let by_id = |topic_id| {
        let mut request = commit_request("new", &Member::none(), ("", 0), &committed(7));
        request.topics[0].topic_id = topic_id;
        request
    };
    let id = connection.describe_topic("t").topic_id;
    let answer = connection.send(&by_id(id), 10).topics.remove(0);
    assert_eq!((answer.topic_id, answer.partitions[0].error_code), (id, NONE));
    assert_eq!(connection.fetch_offsets("new", Some(("t", &[0]))), [("t".to_owned(), 0, committed(7))]);
    for unknown in [Uuid::from_u128(7), Uuid::nil()] {
        let answer = connection.send(&by_id(unknown), 10).topics.remove(0);
        assert_eq!((answer.topic_id, answer.partitions[0].error_code), (unknown, UNKNOWN_TOPIC_ID));
    }

    let member = connection.join_alone("joined", "all");
    assert_eq!(commit(&mut connection, "joined", &Member::none(), ("t", 0)), UNKNOWN_MEMBER_ID);
    assert_eq!(commit(&mut connection, "joined", &stranger, ("t", 0)), UNKNOWN_MEMBER_ID);
    let late = Member { generation: member.generation - 1, ..member.clone() };
    assert_eq!(commit(&mut connection, "joined", &late, ("t", 0)), ILLEGAL_GENERATION);
    assert_eq!(commit(&mut connection, "joined", &member, ("t", 0)), NONE);
    // Joined again, but not assigned yet.
    let joined = connection.join(&join_request("joined", &member.id));
    let present = Member { generation: joined.generation_id, ..member };
    assert_eq!(commit(&mut connection, "joined", &present, ("t", 0)), REBALANCE_IN_PROGRESS);
}

#[test]
fn every_error_of_membership() {
    let broker = Setup::new()
        .set("group.initial.rebalance.delay.ms", 0)
        .set("offsets.topic.num.partitions", 2)
        .set("group.max.size", 1)
        .start();
    let mut connection = ready(&broker);
    let code = |connection: &mut Connection, request| connection.join(&request).error_code;
    assert_eq!(code(&mut connection, join_request("", "")), INVALID_GROUP_ID);
    let short = join_request("g", "").with_session_timeout_ms(5_999);
    assert_eq!(code(&mut connection, short), INVALID_SESSION_TIMEOUT);
    assert_eq!(code(&mut connection, join_request("g", "unknown")), UNKNOWN_MEMBER_ID);
    assert_eq!(code(&mut connection, join_request("g", "").with_protocols(vec![])), INCONSISTENT_GROUP_PROTOCOL);

    let member = connection.join_alone("g", "all");
    assert_eq!(code(&mut connection, join_request("g", "")), GROUP_MAX_SIZE_REACHED);
    let stranger = Member { id: "stranger".to_owned(), ..member.clone() };
    let late = Member { generation: 0, ..member.clone() };
    assert_eq!(connection.heartbeat("", &member), INVALID_GROUP_ID);
    assert_eq!(connection.heartbeat("h", &member), UNKNOWN_MEMBER_ID);
    assert_eq!(connection.heartbeat("g", &stranger), UNKNOWN_MEMBER_ID);
    assert_eq!(connection.heartbeat("g", &late), ILLEGAL_GENERATION);
    assert_eq!(connection.heartbeat("g", &member), NONE);
    assert_eq!(connection.sync("", &member, &[]).error_code, INVALID_GROUP_ID);
    assert_eq!(connection.sync("h", &member, &[]).error_code, UNKNOWN_MEMBER_ID);
    assert_eq!(connection.sync("g", &late, &[]).error_code, ILLEGAL_GENERATION);
    let without_protocol = SyncGroupRequest::default()
        .with_group_id(group_id("g"))
        .with_generation_id(member.generation)
        .with_member_id(text(&member.id));
    assert_eq!(connection.send(&without_protocol, 5).error_code, INCONSISTENT_GROUP_PROTOCOL);
    assert_eq!(connection.send(&without_protocol, 4).error_code, NONE);

    let leave = |members: &[(&str, Option<&str>)]| {
        let members = members.iter().map(|(id, instance)| {
            MemberIdentity::default().with_member_id(text(id)).with_group_instance_id(instance.map(text))
        });
        LeaveGroupRequest::default().with_members(members.collect())
    };
    let left = connection.send(&leave(&[("x", None)]).with_group_id(group_id("h")), 5);
    assert_eq!((left.error_code, left.members[0].error_code), (NONE, UNKNOWN_MEMBER_ID));
    assert_eq!(connection.send(&leave(&[]), 5).error_code, INVALID_GROUP_ID);
    let left = connection.send(&leave(&[("x", None), (&member.id, None)]).with_group_id(group_id("g")), 5);
    let codes: Vec<_> = left.members.iter().map(|member| member.error_code).collect();
    assert_eq!(codes, [UNKNOWN_MEMBER_ID, NONE]);
    let alone = LeaveGroupRequest::default().with_group_id(group_id("g")).with_member_id(text(&member.id));
    assert_eq!(connection.send(&alone, 2).error_code, UNKNOWN_MEMBER_ID, "it has left already");
}

#[test]
fn a_static_member_fences_its_former_self() {
    let broker = broker();
    let mut connection = ready(&broker);
    let request = join_request("g", "").with_group_instance_id(Some(text("one")));
    let first = connection.join(&request);
    let former = Member { id: first.member_id.to_string(), generation: first.generation_id };
    assert!(former.id.starts_with("one-"), "{}", former.id);
    assert_eq!(connection.sync("g", &former, &[(&former.id, "all")]).error_code, NONE);
    let second = connection.join(&request);
    assert_eq!((second.error_code, second.generation_id, second.skip_assignment), (NONE, first.generation_id, true));
    assert_ne!(second.member_id, first.member_id);
    let again = connection.join(&request.with_member_id(first.member_id));
    assert_eq!(again.error_code, FENCED_INSTANCE_ID);
    let removed = MemberIdentity::default().with_group_instance_id(Some(text("one")));
    let left =
        connection.send(&LeaveGroupRequest::default().with_group_id(group_id("g")).with_members(vec![removed]), 3);
    assert_eq!(left.members[0].error_code, NONE);
}

#[test]
fn groups_are_listed_described_and_deleted() {
    let broker = broker();
    let mut connection = ready(&broker);
    let member = connection.join_alone("busy", "all");
    assert_eq!(connection.commit("idle", &Member::none(), ("t", 0), &committed(1)), NONE);
    let list = |connection: &mut Connection, states: &[&str], types: &[&str]| {
        let texts = |names: &[&str]| names.iter().map(|name| text(name)).collect();
        let request = ListGroupsRequest::default().with_states_filter(texts(states)).with_types_filter(texts(types));
        let mut groups = connection.send(&request, 5).groups;
        groups.sort_by(|a, b| a.group_id.cmp(&b.group_id));
        let shown = |group: &protocol::messages::list_groups_response::ListedGroup| {
            format!("{} {} {} {}", *group.group_id, group.protocol_type, group.group_state, group.group_type)
        };
        groups.iter().map(shown).collect::<Vec<_>>()
    };
    assert_eq!(list(&mut connection, &[], &[]), ["busy consumer Stable classic", "idle  Empty classic"]);
    assert_eq!(list(&mut connection, &["stable"], &["Classic"]), ["busy consumer Stable classic"]);
    assert_eq!(list(&mut connection, &["Dead"], &[]), [""; 0]);
    assert_eq!(list(&mut connection, &[], &["consumer"]), [""; 0]);

    let groups = ["busy", "idle", "none"].iter().map(|group| group_id(group)).collect();
    let request = DescribeGroupsRequest::default().with_groups(groups).with_include_authorized_operations(true);
    let described = connection.send(&request, 6).groups;
    let seen = &described[0].members[0];
    assert_eq!((&*described[0].group_state, &*described[0].protocol_data), ("Stable", "range"));
    assert_eq!((&*seen.member_id, &*seen.client_id, &*seen.client_host), (&*member.id, "ottla-test", "/127.0.0.1"));
    assert_eq!((&seen.member_metadata[..], &seen.member_assignment[..]), (&b"about"[..], &b"all"[..]));
    assert_eq!(described[0].authorized_operations, 3_400, "as Kafka counts them");
    assert_eq!((&*described[1].group_state, described[1].members.len()), ("Empty", 0));
    assert_eq!((&*described[2].group_state, described[2].error_code), ("Dead", GROUP_ID_NOT_FOUND));
    assert_eq!(described[2].error_message.as_deref(), Some("Group none not found."));
    assert_eq!(connection.send(&request, 5).groups[2].error_code, NONE);

    let delete = |topic: &str, partition| {
        let partition = OffsetDeleteRequestPartition::default().with_partition_index(partition);
        let topic =
            OffsetDeleteRequestTopic::default().with_name(TopicName(text(topic))).with_partitions(vec![partition]);
        OffsetDeleteRequest::default().with_topics(vec![topic])
    };
    assert_eq!(connection.send(&delete("t", 0), 0).error_code, INVALID_GROUP_ID);
    assert_eq!(connection.send(&delete("t", 0).with_group_id(group_id("none")), 0).error_code, GROUP_ID_NOT_FOUND);
    // The member's metadata is no subscription, so any topic may be read.
    let busy = connection.send(&delete("t", 0).with_group_id(group_id("busy")), 0);
    assert_eq!((busy.error_code, busy.topics[0].partitions[0].error_code), (NONE, 86));
    let unknown = connection.send(&delete("u", 0).with_group_id(group_id("idle")), 0);
    assert_eq!(unknown.topics[0].partitions[0].error_code, UNKNOWN_TOPIC_OR_PARTITION);
    assert_eq!(connection.send(&delete("t", 0).with_group_id(group_id("idle")), 0).error_code, NONE);
    assert_eq!(connection.fetch_offsets("idle", None), []);

    let names = ["busy", "idle", "none"].iter().map(|group| group_id(group)).collect();
    let deleted = connection.send(&DeleteGroupsRequest::default().with_groups_names(names), 2).results;
    let codes: Vec<_> = deleted.iter().map(|group| group.error_code).collect();
    assert_eq!(codes, [NON_EMPTY_GROUP, NONE, GROUP_ID_NOT_FOUND]);
    assert_eq!(list(&mut connection, &[], &[]), ["busy consumer Stable classic"]);
}

#[test]
fn only_groups_have_coordinators() {
    let broker = broker();
    let mut connection = broker.connect();
    let keys = || FindCoordinatorRequest::default().with_coordinator_keys(vec![text("a"), text("b")]);
    let groups = connection.send(&keys(), 6).coordinators;
    assert!(groups.iter().all(|found| found.error_code == NONE && found.node_id.0 == 1), "{groups:?}");
    assert_eq!(i32::from(broker.address().port()), groups[0].port);
    let old = connection.send(&FindCoordinatorRequest::default().with_key(text("a")), 0);
    assert_eq!((old.error_code, old.node_id.0), (NONE, 1));
    let code = |connection: &mut Connection, kind, version| {
        connection.send(&keys().with_key_type(kind), version).coordinators[0].error_code
    };
    assert_eq!(code(&mut connection, 1, 6), COORDINATOR_NOT_AVAILABLE);
    assert_eq!(code(&mut connection, 2, 5), INVALID_REQUEST);
    assert_eq!(code(&mut connection, 9, 6), INVALID_REQUEST);
}

#[test]
fn offsets_of_topics_by_id_are_those_of_the_topics_that_are_there() {
    let broker = broker();
    let mut connection = ready(&broker);
    connection.create_topic("u", 1, &[]);
    for (topic, offset) in [("t", 1), ("u", 2)] {
        assert_eq!(connection.commit("g", &Member::none(), (topic, 0), &committed(offset)), NONE);
    }
    let (t, u) = (connection.describe_topic("t").topic_id, connection.describe_topic("u").topic_id);
    let fetch = |connection: &mut Connection, ids: Option<&[Uuid]>| {
        let topic = |topic_id: &Uuid| OffsetFetchRequestTopics {
            topic_id: *topic_id,
            partition_indexes: vec![0],
            ..Default::default()
        };
        let topics = ids.map(|ids| ids.iter().map(topic).collect());
        let group = OffsetFetchRequestGroup { group_id: text("g"), topics, ..Default::default() };
        let answer = connection.send(&fetch_request(group), 10).groups.remove(0);
        assert_eq!(answer.error_code, NONE);
        let shown = |topic: &protocol::messages::offset_fetch_response::OffsetFetchResponseTopics| {
            let partition = &topic.partitions[0];
            (topic.topic_id, partition.error_code, partition.committed_offset)
        };
        let mut topics: Vec<_> = answer.topics.iter().map(shown).collect();
        topics.sort_unstable_by_key(|(_, _, offset)| *offset);
        topics
    };
    let none = Uuid::from_u128(7);
    let asked = fetch(&mut connection, Some(&[none, t, u]));
    assert_eq!(asked, [(none, UNKNOWN_TOPIC_ID, -1), (t, NONE, 1), (u, NONE, 2)]);
    assert_eq!(fetch(&mut connection, None), [(t, NONE, 1), (u, NONE, 2)]);
    assert_eq!(connection.delete_topic("u"), 0);
    wait::until_true("the end of the topic", Duration::from_secs(60), || fetch(&mut connection, None).len() == 1);
    assert_eq!(fetch(&mut connection, Some(&[u])), [(u, UNKNOWN_TOPIC_ID, -1)]);
}

#[test]
fn offsets_expire_and_go_with_their_topic() {
    let broker =
        Setup::new().set("offsets.topic.num.partitions", 2).set("offsets.retention.check.interval.ms", 50).start();
    let mut connection = ready(&broker);
    connection.create_topic("u", 1, &[]);
    assert_eq!(connection.commit("kept", &Member::none(), ("t", 0), &committed(1)), NONE);
    assert_eq!(connection.commit("kept", &Member::none(), ("u", 0), &committed(2)), NONE);
    let short = commit_request("short", &Member::none(), ("t", 0), &committed(1));
    let short = OffsetCommitRequest { retention_time_ms: 1, ..short };
    assert_eq!(connection.send(&short, 4).topics[0].partitions[0].error_code, NONE);
    wait::until_true("the end of the offset and its group", Duration::from_secs(60), || {
        let request = DescribeGroupsRequest::default().with_groups(vec![group_id("short")]);
        connection.send(&request, 5).groups[0].group_state == text("Dead")
    });
    connection.delete_topic("u");
    let kept = [("t".to_owned(), 0, committed(1))];
    wait::until_true("the end of the topic's offsets", Duration::from_secs(60), || {
        connection.fetch_offsets("kept", None) == kept
    });
}

#[test]
fn members_that_wait_are_answered_when_the_broker_stops() {
    let mut broker =
        Setup::new().set("group.initial.rebalance.delay.ms", 60_000).set("offsets.topic.num.partitions", 1).start();
    let mut connection = ready(&broker);
    let required = connection.send(&join_request("g", ""), 9);
    connection.write(&join_request("g", &required.member_id), 9).expect("it is sent");
    // Until it waits: a request that comes after the stop is answered otherwise.
    let describe = DescribeGroupsRequest::default().with_groups(vec![group_id("g")]);
    let mut other = broker.connect();
    wait::until_true("the member", Duration::from_secs(60), || !other.send(&describe, 5).groups[0].members.is_empty());
    broker.stop();
    let (_, answer) = connection.read::<protocol::messages::JoinGroupRequest>(9).expect("it is answered");
    assert_eq!(answer.error_code, 16, "another coordinator, if there is one");
}

#[test]
fn whoever_asks_first_the_topic_is_made_as_kafka_makes_it() {
    let broker = broker();
    let mut connection = broker.connect();
    let name = || Some(TopicName(text("__consumer_offsets")));
    let asked = MetadataRequestTopic::default().with_name(name());
    let request = MetadataRequest::default().with_topics(Some(vec![asked])).with_allow_auto_topic_creation(true);
    let described = connection.send(&request, 9);
    assert_eq!((described.topics[0].partitions.len(), described.topics[0].is_internal), (5, true));
    let resource = DescribeConfigsResource::default()
        .with_resource_type(2)
        .with_resource_name(text("__consumer_offsets"))
        .with_configuration_keys(Some(
            ["cleanup.policy", "compression.type", "segment.bytes"].iter().map(|key| text(key)).collect(),
        ));
    let configs = connection.send(&DescribeConfigsRequest::default().with_resources(vec![resource]), 4);
    let mut values: Vec<_> =
        configs.results[0].configs.iter().map(|config| config.value.as_deref().unwrap_or_default()).collect();
    values.sort_unstable();
    assert_eq!(values, ["104857600", "compact", "producer"]);
}
