//! ConsumerGroupHeartbeat (key 68), versions 0–1.
//!
//! Behaviour: a member joins with epoch 0, lives, says what it subscribes to and what it has, and leaves with epoch −1, or −2 for a
//! static member that will be back. It is told its epoch and, when that has changed, what it has (KIP-848). What a request does not
//! say has not changed since the last one.
//! Versions: v1 regular expressions, and members make their own ids (KIP-1082).
//! Source: ConsumerGroupHeartbeatRequest.json, `GroupCoordinatorService.consumerGroupHeartbeat`.

use protocol::StrBytes;
use protocol::ids::{Uuid, format_uuid};
use protocol::messages::consumer_group_heartbeat_response::{Assignment, TopicPartitions};
use protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use std::sync::Arc;

use super::text::{shared, shared_option, str_bytes};
use super::{Reply, RequestContext};
use crate::error_code;
use crate::group::GroupError;
use crate::group::consumer::{Heartbeat, HeartbeatAnswer, LEAVE_EPOCH, LEAVE_STATIC_EPOCH};

const FIRST_WITH_MEMBER_ID: i16 = 1;
const JOIN_EPOCH: i32 = 0;
/// What stands for a timeout that has not changed.
const UNCHANGED: i32 = -1;

pub(super) fn handle(
    context: RequestContext,
    request: ConsumerGroupHeartbeatRequest,
) -> Reply<ConsumerGroupHeartbeatResponse> {
    Reply::Later(Box::pin(async move {
        match heartbeat(&context, &request).await {
            Ok(answer) => respond(answer),
            Err(error) => ConsumerGroupHeartbeatResponse::default()
                .with_error_code(error_code::group(&error).code())
                .with_error_message(Some(StrBytes::from_string(error.to_string()))),
        }
    }))
}

async fn heartbeat(
    context: &RequestContext,
    request: &ConsumerGroupHeartbeatRequest,
) -> Result<HeartbeatAnswer, GroupError> {
    let groups = &context.services.groups;
    if !is_served(context) {
        return Err(GroupError::UnsupportedVersion);
    }
    check(request, context.api_version)?;
    let (group, epoch) = (&*request.group_id.0, request.member_epoch);
    let heartbeat = said(context, request);
    if epoch == LEAVE_EPOCH || epoch == LEAVE_STATIC_EPOCH {
        return groups.consumer_leave(group, &heartbeat.member_id, request.instance_id.as_deref(), epoch).await;
    }
    groups.consumer_heartbeat(group, &heartbeat).await
}

/// Whether the cluster and this broker serve the protocol (`KafkaApis.isConsumerGroupProtocolEnabled`).
pub(super) fn is_served(context: &RequestContext) -> bool {
    let level = context.services.metadata.image().features().get("group.version").copied();
    context.services.groups.config().consumer.is_served && level.is_some_and(|level| level >= 1)
}

/// Refuses what no client may send (`throwIfConsumerGroupHeartbeatRequestIsInvalid`).
fn check(request: &ConsumerGroupHeartbeatRequest, version: i16) -> Result<(), GroupError> {
    let epoch = request.member_epoch;
    let is_blank = |text: Option<&StrBytes>| text.is_some_and(|text| text.trim().is_empty());
    let is_nobody_known = epoch != JOIN_EPOCH && epoch > LEAVE_STATIC_EPOCH;
    let refuse = |is_wrong, reason| if is_wrong { Err(GroupError::InvalidRequest(reason)) } else { Ok(()) };
    let needs_id = version >= FIRST_WITH_MEMBER_ID || is_nobody_known;
    refuse(needs_id && is_blank(Some(&request.member_id)), "MemberId can't be empty.")?;
    refuse(is_blank(Some(&request.group_id.0)), "GroupId can't be empty.")?;
    refuse(is_blank(request.instance_id.as_ref()), "InstanceId can't be empty.")?;
    refuse(is_blank(request.rack_id.as_ref()), "RackId can't be empty.")?;
    refuse(epoch < LEAVE_STATIC_EPOCH, "MemberEpoch is invalid.")?;
    let is_anonymous = epoch == LEAVE_STATIC_EPOCH && request.instance_id.is_none();
    refuse(is_anonymous, "InstanceId can't be null.")?;
    if epoch != JOIN_EPOCH {
        return Ok(());
    }
    let has_timeout = request.rebalance_timeout_ms != UNCHANGED;
    refuse(!has_timeout, "RebalanceTimeoutMs must be provided in first request.")?;
    let has_nothing = request.topic_partitions.as_ref().is_some_and(Vec::is_empty);
    refuse(!has_nothing, "TopicPartitions must be empty when (re-)joining.")?;
    let has_subscription = request.subscribed_topic_names.is_some() || request.subscribed_topic_regex.is_some();
    let reason = "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.";
    refuse(!has_subscription, reason)
}

fn said(context: &RequestContext, request: &ConsumerGroupHeartbeatRequest) -> Heartbeat {
    let topics = request.subscribed_topic_names.as_ref();
    let owned = request.topic_partitions.as_ref();
    let is_nobody = request.member_id.is_empty();
    Heartbeat {
        member_id: if is_nobody { Arc::from(format_uuid(Uuid::new_v4())) } else { shared(&request.member_id) },
        epoch: request.member_epoch,
        instance_id: shared_option(request.instance_id.as_ref()),
        rack_id: shared_option(request.rack_id.as_ref()),
        client_id: shared(context.client_id.as_deref().unwrap_or_default()),
        // As Java prints an address.
        client_host: shared(&format!("/{}", context.client_address.ip())),
        rebalance_timeout_ms: Some(request.rebalance_timeout_ms).filter(|timeout| *timeout != UNCHANGED),
        topics: topics.map(|topics| topics.iter().map(|topic| shared(topic)).collect()),
        regex: shared_option(request.subscribed_topic_regex.as_ref()),
        assignor: shared_option(request.server_assignor.as_ref()),
        owned: owned.map(|owned| {
            owned.iter().map(|topic| (topic.topic_id, topic.partitions.iter().copied().collect())).collect()
        }),
    }
}

fn respond(answer: HeartbeatAnswer) -> ConsumerGroupHeartbeatResponse {
    let topic = |(id, partitions): (Uuid, std::collections::BTreeSet<i32>)| {
        TopicPartitions::default().with_topic_id(id).with_partitions(partitions.into_iter().collect())
    };
    let assignment = answer
        .assignment
        .map(|assigned| Assignment::default().with_topic_partitions(assigned.into_iter().map(topic).collect()));
    ConsumerGroupHeartbeatResponse::default()
        .with_member_id(Some(str_bytes(&answer.member_id)))
        .with_member_epoch(answer.epoch)
        .with_heartbeat_interval_ms(answer.interval_ms)
        .with_assignment(assignment)
}
