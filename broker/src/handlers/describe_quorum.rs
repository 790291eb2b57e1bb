//! DescribeQuorum (key 55), versions 0–2.
//!
//! Behaviour: the state of the quorum of `__cluster_metadata-0`; anything else is an unknown partition.
//! Versions: v1 times of the last fetch and of being caught up (KIP-836) · v2 directory ids, error messages, nodes (KIP-853).
//! Source: DescribeQuorumRequest.json, `KafkaRaftClient.handleDescribeQuorumRequest`.

use protocol::StrBytes;
use protocol::error_code::ErrorCode;
use protocol::messages::describe_quorum_response::{Listener, Node, PartitionData, ReplicaState, TopicData};
use protocol::messages::{DescribeQuorumRequest, DescribeQuorumResponse};
use raft::quorum::{METADATA_TOPIC, MemberDescription};

use super::text::{str_bytes, topic_name};
use super::{Reply, RequestContext};

const FIRST_WITH_MESSAGES: i16 = 2;

pub(super) fn handle(context: RequestContext, request: DescribeQuorumRequest) -> Reply<DescribeQuorumResponse> {
    if !asks_for_metadata(&request) {
        return Reply::Now(unknown_partitions(&request, context.api_version));
    }
    let services = &context.services;
    let quorum = services.quorum.describe();
    let now_ms = services.clock.now_ms();
    let state = |member: &MemberDescription| {
        // Voters that are configured have no directory ids (level 0 of kraft.version). The leader is always caught up with itself; what it knows of others has no times yet.
        let seen_ms = if member.node_id == quorum.leader_id { now_ms } else { -1 };
        ReplicaState::default()
            .with_replica_id(member.node_id.into())
            .with_log_end_offset(member.log_end_offset)
            .with_last_fetch_timestamp(seen_ms)
            .with_last_caught_up_timestamp(seen_ms)
    };
    let partition = PartitionData::default()
        .with_leader_id(quorum.leader_id.into())
        .with_leader_epoch(quorum.leader_epoch)
        .with_high_watermark(quorum.high_watermark)
        .with_current_voters(quorum.voters.iter().map(state).collect())
        .with_observers(quorum.observers.iter().map(state).collect());
    let topic = TopicData::default().with_topic_name(topic_name(METADATA_TOPIC)).with_partitions(vec![partition]);
    let response = DescribeQuorumResponse::default().with_topics(vec![topic]);
    Reply::Now(if context.api_version >= 2 { response.with_nodes(nodes(&context)) } else { response })
}

fn asks_for_metadata(request: &DescribeQuorumRequest) -> bool {
    let [topic] = &request.topics[..] else { return false };
    let [partition] = &topic.partitions[..] else { return false };
    topic.topic_name.as_str() == METADATA_TOPIC && partition.partition_index == 0
}

fn unknown_partitions(request: &DescribeQuorumRequest, version: i16) -> DescribeQuorumResponse {
    let code = ErrorCode::UnknownTopicOrPartition;
    let message = match version {
        FIRST_WITH_MESSAGES.. => Some(StrBytes::from_static_str("This server does not host this topic-partition.")),
        _ => Some(StrBytes::default()),
    };
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            PartitionData::default()
                .with_partition_index(partition.partition_index)
                .with_error_code(code.code())
                .with_error_message(message.clone())
        });
        TopicData::default().with_topic_name(topic.topic_name.clone()).with_partitions(partitions.collect())
    });
    DescribeQuorumResponse::default().with_topics(topics.collect())
}

/// The voters and where their controllers listen.
fn nodes(context: &RequestContext) -> Vec<Node> {
    let listener = |endpoint: &raft::image::Endpoint| {
        Listener::default()
            .with_name(str_bytes(&endpoint.name))
            .with_host(str_bytes(&endpoint.host))
            .with_port(endpoint.port)
    };
    let listeners = context.services.controller_endpoints.iter().map(listener).collect();
    vec![Node::default().with_node_id(context.services.settings.node_id.into()).with_listeners(listeners)]
}
