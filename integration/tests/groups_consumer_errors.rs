//! What members of the consumer protocol (KIP-848) are refused, as far as it depends on the broker's settings and on groups of the
//! classic protocol. The rest is compared with Kafka in every version (`differential`).

use integration::broker::Setup;
use integration::wire::{Connection, Member, commit_request, group_id, join_request, text};
use protocol::messages::consumer_group_heartbeat_response::ConsumerGroupHeartbeatResponse;
use protocol::messages::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use protocol::messages::{
    ConsumerGroupDescribeRequest, ConsumerGroupHeartbeatRequest, DeleteGroupsRequest, OffsetDeleteRequest, TopicName,
};

const NONE: i16 = 0;
const NOT_COORDINATOR: i16 = 16;
const INCONSISTENT_GROUP_PROTOCOL: i16 = 23;
const UNSUPPORTED_VERSION: i16 = 35;
const NON_EMPTY_GROUP: i16 = 68;
const GROUP_ID_NOT_FOUND: i16 = 69;
const GROUP_MAX_SIZE_REACHED: i16 = 81;
const GROUP_SUBSCRIBED_TO_TOPIC: i16 = 86;

fn setup() -> Setup {
    Setup::new()
        .set("group.initial.rebalance.delay.ms", 0)
        .set("offsets.topic.num.partitions", 1)
        .set("group.consumer.max.session.timeout.ms", 600_000)
        .set("group.consumer.session.timeout.ms", 600_000)
}

fn heartbeat(group: &str, member: &str) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest::default()
        .with_group_id(group_id(group))
        .with_member_id(text(member))
        .with_rebalance_timeout_ms(600_000)
        .with_subscribed_topic_names(Some(vec![TopicName(text("t"))]))
        .with_topic_partitions(Some(Vec::new()))
}

fn join(connection: &mut Connection, group: &str, member: &str) -> ConsumerGroupHeartbeatResponse {
    connection.send(&heartbeat(group, member), 1)
}

#[track_caller]
fn assert_refused(answer: &ConsumerGroupHeartbeatResponse, code: i16, message: &str) {
    assert_eq!((answer.error_code, answer.error_message.as_deref()), (code, Some(message)));
}

#[test]
fn nobody_coordinates_before_the_topic_of_the_offsets_is_there() {
    let broker = setup().start();
    let mut connection = broker.connect();
    assert_eq!(join(&mut connection, "g", "member").error_code, NOT_COORDINATOR);
    assert_eq!(connection.send(&heartbeat("g", "member").with_member_epoch(-1), 1).error_code, NOT_COORDINATOR);
    let describe = ConsumerGroupDescribeRequest::default().with_group_ids(vec![group_id("g")]);
    assert_eq!(connection.send(&describe, 1).groups[0].error_code, NOT_COORDINATOR);
}

#[test]
fn a_group_takes_no_more_members_than_it_may_have() {
    let broker = setup().set("group.consumer.max.size", 1).start();
    let mut connection = broker.connect();
    connection.create_topic("t", 2, &[]);
    let epoch = connection.join_consumer("g", "first", "t");
    let full = "The consumer group has reached its maximum capacity of 1 members.";
    assert_refused(&join(&mut connection, "g", "second"), GROUP_MAX_SIZE_REACHED, full);
    let required = connection.send(&join_request("g", ""), 9);
    assert_eq!(required.error_code, GROUP_MAX_SIZE_REACHED, "nor does a classic member get in");
    let goes_on = heartbeat("g", "first").with_member_epoch(epoch).with_topic_partitions(None);
    assert_eq!(connection.send(&goes_on, 1).error_code, NONE, "who is in stays");
}

#[test]
fn a_living_group_keeps_its_offsets_and_itself() {
    let broker = setup().start();
    let mut connection = broker.connect();
    connection.create_topic("t", 2, &[]);
    connection.create_topic("u", 1, &[]);
    let epoch = connection.join_consumer("g", "member", "t");
    let member = Member { id: "member".to_owned(), generation: epoch };
    let commit = commit_request("g", &member, ("t", 0), &(1, 0, String::new()));
    let old = connection.send(&commit, 8);
    assert_eq!(old.topics[0].partitions[0].error_code, UNSUPPORTED_VERSION, "of before the consumer protocol");
    assert_eq!(connection.send(&commit, 9).topics[0].partitions[0].error_code, NONE);
    let topic = |name: &str| {
        let partition = OffsetDeleteRequestPartition::default();
        OffsetDeleteRequestTopic::default().with_name(TopicName(text(name))).with_partitions(vec![partition])
    };
    let delete = OffsetDeleteRequest::default().with_group_id(group_id("g")).with_topics(vec![topic("t"), topic("u")]);
    let deleted = connection.send(&delete, 0);
    let codes: Vec<_> = deleted.topics.iter().map(|topic| (&**topic.name, topic.partitions[0].error_code)).collect();
    assert!(codes.contains(&("t", GROUP_SUBSCRIBED_TO_TOPIC)) && codes.contains(&("u", NONE)), "{codes:?}");
    let delete = DeleteGroupsRequest::default().with_groups_names(vec![group_id("g")]);
    assert_eq!(connection.send(&delete, 2).results[0].error_code, NON_EMPTY_GROUP);
}

#[test]
fn a_classic_group_is_taken_over_only_where_that_is_allowed() {
    let broker = setup().set("group.consumer.migration.policy", "disabled").start();
    let mut connection = broker.connect();
    connection.create_topic("t", 2, &[]);
    connection.await_coordinator("old");
    connection.join_alone("old", "all");
    let refused = "Cannot upgrade classic group old to consumer group because online upgrade is disabled.";
    assert_refused(&join(&mut connection, "old", "member"), GROUP_ID_NOT_FOUND, refused);
    let goes_on = heartbeat("old", "member").with_member_epoch(1);
    assert_refused(&connection.send(&goes_on, 1), GROUP_ID_NOT_FOUND, "Group old is not a consumer group.");
    let describe = ConsumerGroupDescribeRequest::default().with_group_ids(vec![group_id("old")]);
    let described = connection.send(&describe, 1).groups.remove(0);
    let message = described.error_message.as_deref();
    assert_eq!((described.error_code, message), (GROUP_ID_NOT_FOUND, Some("Group old is not a consumer group.")));
}

#[test]
fn a_classic_group_of_others_than_consumers_is_not_taken_over() {
    let broker = setup().start();
    let mut connection = broker.connect();
    connection.create_topic("t", 2, &[]);
    connection.await_coordinator("connect");
    let worker = join_request("connect", "").with_protocol_type(text("connect"));
    assert_eq!(connection.join(&worker).error_code, NONE);
    let refused = "Cannot upgrade classic group connect to consumer group because the group does not use the consumer \
                   embedded protocol.";
    assert_refused(&join(&mut connection, "connect", "member"), GROUP_ID_NOT_FOUND, refused);
    connection.join_consumer("g", "member", "t");
    let worker = join_request("g", "").with_protocol_type(text("connect"));
    assert_eq!(connection.send(&worker, 9).error_code, INCONSISTENT_GROUP_PROTOCOL);
}
