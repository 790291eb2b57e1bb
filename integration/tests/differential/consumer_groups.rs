//! The APIs of groups of the consumer protocol, and what others say of such groups: members that join, go on and leave, and everything
//! that is refused, in Kafka's words.

use integration::wire::text;
use protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use protocol::messages::{
    ConsumerGroupDescribeRequest, ConsumerGroupHeartbeatRequest, DeleteGroupsRequest, DescribeGroupsRequest, GroupId,
    HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest, ListGroupsRequest, OffsetCommitRequest, OffsetFetchRequest,
    SyncGroupRequest,
};

use crate::topics::name;
use crate::world::{Differential, World};

pub(crate) fn compare(both: &mut Differential) {
    requests_that_make_no_sense(both);
    members(both);
    static_members(both);
    offsets(both);
    administration(both);
    both.every("leaves", |_, _| go_on("consumers", "member", -1));
}

fn group(id: &str) -> GroupId {
    GroupId(text(id))
}

fn join(id: &str, member: &str) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest::default()
        .with_group_id(group(id))
        .with_member_id(text(member))
        .with_rebalance_timeout_ms(60_000)
        .with_subscribed_topic_names(Some(vec![name("data")]))
        .with_topic_partitions(Some(Vec::new()))
}

fn go_on(id: &str, member: &str, epoch: i32) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest::default()
        .with_group_id(group(id))
        .with_member_id(text(member))
        .with_member_epoch(epoch)
}

fn owned(world: &World, partitions: Vec<i32>) -> Vec<TopicPartitions> {
    vec![TopicPartitions::default().with_topic_id(world.topic_id("data")).with_partitions(partitions)]
}

fn requests_that_make_no_sense(both: &mut Differential) {
    both.every("no group id", |_, _| join("", "member"));
    both.every("no member id", |_, _| go_on("consumers", "", 1));
    both.every("blank instance", |_, _| join("consumers", "member").with_instance_id(Some(text(" "))));
    both.every("blank rack", |_, _| join("consumers", "member").with_rack_id(Some(text(""))));
    both.every("no rebalance timeout", |_, _| join("consumers", "member").with_rebalance_timeout_ms(-1));
    both.every("no partitions", |_, _| join("consumers", "member").with_topic_partitions(None));
    both.every("joins with partitions", |world, _| {
        join("consumers", "member").with_topic_partitions(Some(owned(world, vec![0])))
    });
    both.every("no subscription", |_, _| join("consumers", "member").with_subscribed_topic_names(None));
    both.every("epoch below all", |_, _| go_on("consumers", "member", -3));
    both.every("away without an instance", |_, _| go_on("consumers", "member", -2));
    both.every("unknown assignor", |_, _| join("consumers", "member").with_server_assignor(Some(text("mine"))));
    both.every("unknown group", |_, _| go_on("no-such", "member", 1));
    both.every("leaves an unknown group", |_, _| go_on("no-such", "member", -1));
    both.ask("bad expression", 1..=1, |_, _| {
        join("consumers", "member").with_subscribed_topic_names(None).with_subscribed_topic_regex(Some(text("(")))
    });
}

fn members(both: &mut Differential) {
    both.every("joins", |_, _| join("consumers", "member"));
    both.every("goes on", |world, _| {
        go_on("consumers", "member", 2).with_topic_partitions(Some(owned(world, vec![0])))
    });
    both.every("says everything", |world, _| {
        join("consumers", "member").with_member_epoch(2).with_topic_partitions(Some(owned(world, vec![0])))
    });
    both.every("epoch above", |_, _| go_on("consumers", "member", 7));
    both.every("epoch below", |_, _| go_on("consumers", "member", 1));
    both.every("unknown member", |_, _| go_on("consumers", "nobody", 2));
    both.every("unknown member leaves", |_, _| go_on("consumers", "nobody", -1));
    both.every("classic heartbeat of a consumer member", |_, _| {
        HeartbeatRequest::default()
            .with_group_id(group("consumers"))
            .with_member_id(text("member"))
            .with_generation_id(2)
    });
    both.every("classic sync of a consumer member", |_, _| {
        SyncGroupRequest::default()
            .with_group_id(group("consumers"))
            .with_member_id(text("member"))
            .with_generation_id(2)
    });
    both.every("an unlike classic member", |_, _| {
        JoinGroupRequest::default()
            .with_group_id(group("consumers"))
            .with_member_id(text("classic"))
            .with_protocol_type(text("connect"))
            .with_session_timeout_ms(10_000)
    });
    both.ask("nobody leaves", 3..=5, |_, _| {
        let nobody = protocol::messages::leave_group_request::MemberIdentity::default().with_member_id(text("nobody"));
        LeaveGroupRequest::default().with_group_id(group("consumers")).with_members(vec![nobody])
    });
}

fn static_members(both: &mut Differential) {
    let fixed = |member: &str| join("static-consumers", member).with_instance_id(Some(text("instance")));
    let away = |member: &str, epoch| go_on("static-consumers", member, epoch).with_instance_id(Some(text("instance")));
    both.ask("a static member joins", 0..=0, |_, _| fixed("first"));
    both.every("the place is taken", |_, _| fixed("second"));
    both.every("fenced", |_, _| away("second", 2));
    both.every("unknown instance", |_, _| go_on("static-consumers", "first", 2).with_instance_id(Some(text("other"))));
    both.every("unknown instance leaves", |_, _| {
        go_on("static-consumers", "first", -2).with_instance_id(Some(text("other")))
    });
    both.ask("goes away", 0..=0, |_, _| away("first", -2));
    both.ask("is back", 1..=1, |_, _| fixed("second"));
    both.ask("leaves for good", 0..=0, |_, _| away("second", -1));
}

fn offsets(both: &mut Differential) {
    let commit = |world: &World, member: &str, epoch| {
        let partition = OffsetCommitRequestPartition { committed_offset: 7, ..Default::default() };
        let (name, topic_id) = (text("data"), world.topic_id("data"));
        OffsetCommitRequest {
            group_id: text("consumers"),
            member_id: text(member),
            generation_id_or_member_epoch: epoch,
            topics: vec![OffsetCommitRequestTopic { name, topic_id, partitions: vec![partition] }],
            ..Default::default()
        }
    };
    both.every("by a member", |world, _| commit(world, "member", 2));
    both.every("of an earlier epoch", |world, _| commit(world, "member", 1));
    both.every("of a later epoch", |world, _| commit(world, "member", 9));
    both.every("by nobody while there are members", |world, _| commit(world, "", -1));
    let fetch = |world: &World, member: Option<&str>, member_epoch| {
        let (name, topic_id) = (text("data"), world.topic_id("data"));
        let topic = OffsetFetchRequestTopics { name, topic_id, partition_indexes: vec![0] };
        let (group_id, member_id) = (text("consumers"), member.map(text));
        let asked = OffsetFetchRequestGroup { group_id, member_id, member_epoch, topics: Some(vec![topic]) };
        OffsetFetchRequest { groups: vec![asked], ..Default::default() }
    };
    both.ask("by nobody", 8..=10, |world, _| fetch(world, None, -1));
    both.ask("by a member", 9..=10, |world, _| fetch(world, Some("member"), 2));
    both.ask("by a member of another epoch", 9..=10, |world, _| fetch(world, Some("member"), 1));
    both.ask("by an unknown member", 9..=10, |world, _| fetch(world, Some("nobody"), 2));
}

fn administration(both: &mut Differential) {
    let describe = |ids: &[&str]| {
        let ids = ids.iter().map(|id| group(id)).collect();
        ConsumerGroupDescribeRequest::default().with_group_ids(ids).with_include_authorized_operations(true)
    };
    both.every("a group", |_, _| describe(&["consumers"]));
    both.every("without members", |_, _| describe(&["static-consumers"]));
    both.every("none of this kind", |_, _| describe(&["no-such", "simple", ""]));
    both.every("of the consumer protocol", |_, _| {
        DescribeGroupsRequest::default().with_groups(vec![group("consumers")])
    });
    both.ask("by type", 5..=5, |_, _| ListGroupsRequest::default().with_types_filter(vec![text("consumer")]));
    both.ask("assigning", 5..=5, |_, _| ListGroupsRequest::default().with_states_filter(vec![text("assigning")]));
    both.every("with members", |_, _| DeleteGroupsRequest::default().with_groups_names(vec![group("consumers")]));
    both.ask("deleted", 0..=0, |_, _| {
        DeleteGroupsRequest::default().with_groups_names(vec![group("static-consumers")])
    });
}
