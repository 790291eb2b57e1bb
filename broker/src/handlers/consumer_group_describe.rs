//! ConsumerGroupDescribe (key 69), versions 0–1.
//!
//! Behaviour: epochs, members, what they have and what they shall have, of groups of the consumer protocol; of others, and of groups
//! that do not exist, GROUP_ID_NOT_FOUND. Topics that are gone are left out.
//! Versions: v1 which protocol a member speaks (KIP-1099).
//! Source: ConsumerGroupDescribeRequest.json, `GroupMetadataManager.consumerGroupDescribe`.

use protocol::StrBytes;
use protocol::messages::consumer_group_describe_response::{Assignment, DescribedGroup, Member, TopicPartitions};
use protocol::messages::{ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, GroupId, TopicName};

use super::consumer_group_heartbeat::is_served;
use super::describe_groups::GROUP_OPERATIONS;
use super::text::str_bytes;
use super::{Reply, RequestContext};
use crate::error_code;
use crate::group::GroupError;
use crate::group::consumer::{DescribedConsumerGroup, DescribedConsumerMember, DescribedPartitions};

const FIRST_WITH_MEMBER_TYPE: i16 = 1;
const CLASSIC_MEMBER: i8 = 0;
const CONSUMER_MEMBER: i8 = 1;

pub(super) fn handle(
    context: RequestContext,
    request: ConsumerGroupDescribeRequest,
) -> Reply<ConsumerGroupDescribeResponse> {
    Reply::Later(Box::pin(async move {
        let mut groups = Vec::with_capacity(request.group_ids.len());
        for id in request.group_ids {
            let mut described = describe(&context, id).await;
            if request.include_authorized_operations && described.error_code == 0 {
                described.authorized_operations = GROUP_OPERATIONS;
            }
            groups.push(described);
        }
        ConsumerGroupDescribeResponse::default().with_groups(groups)
    }))
}

async fn describe(context: &RequestContext, id: GroupId) -> DescribedGroup {
    let described = match (is_served(context), id.is_empty()) {
        (false, _) => Err(GroupError::UnsupportedVersion),
        (true, true) => Err(GroupError::InvalidGroupId),
        (true, false) => context.services.groups.consumer_describe(&id).await,
    };
    let answer = match described {
        Ok(group) => respond(group, context.api_version),
        Err(error) => refuse(&error),
    };
    answer.with_group_id(id)
}

fn refuse(error: &GroupError) -> DescribedGroup {
    let refused = DescribedGroup::default().with_error_code(error_code::group(error).code());
    match error {
        GroupError::GroupNotFound(_) | GroupError::NotConsumerGroup(_) => {
            refused.with_error_message(Some(StrBytes::from_string(error.to_string())))
        }
        _ => refused,
    }
}

fn respond(group: DescribedConsumerGroup, version: i16) -> DescribedGroup {
    DescribedGroup::default()
        .with_group_state(str_bytes(group.state.name()))
        .with_group_epoch(group.epoch)
        .with_assignment_epoch(group.target_epoch)
        .with_assignor_name(str_bytes(&group.assignor))
        .with_members(group.members.into_iter().map(|member| self::member(member, version)).collect())
}

fn member(described: DescribedConsumerMember, version: i16) -> Member {
    let member = described.member;
    let kind = if member.uses_classic_protocol() { CLASSIC_MEMBER } else { CONSUMER_MEMBER };
    let topics = member.topics.iter().map(|topic| TopicName(str_bytes(topic)));
    let answer = Member::default()
        .with_member_id(str_bytes(&member.id))
        .with_instance_id(member.instance_id.as_deref().map(str_bytes))
        .with_rack_id(member.rack_id.as_deref().map(str_bytes))
        .with_member_epoch(member.epoch)
        .with_client_id(str_bytes(&member.client_id))
        .with_client_host(str_bytes(&member.client_host))
        .with_subscribed_topic_names(topics.collect())
        .with_subscribed_topic_regex(member.regex.as_deref().map(str_bytes))
        .with_assignment(assignment(described.assigned))
        .with_target_assignment(assignment(described.target));
    if version >= FIRST_WITH_MEMBER_TYPE { answer.with_member_type(kind) } else { answer }
}

fn assignment(topics: Vec<DescribedPartitions>) -> Assignment {
    let topic = |topic: DescribedPartitions| {
        TopicPartitions::default()
            .with_topic_id(topic.topic_id)
            .with_topic_name(TopicName(str_bytes(&topic.topic)))
            .with_partitions(topic.partitions)
    };
    Assignment::default().with_topic_partitions(topics.into_iter().map(topic).collect())
}
