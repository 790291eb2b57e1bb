//! ListPartitionReassignments (key 46), version 0.
//!
//! Behaviour: partitions whose replicas are being reassigned, all or those asked for; what is unknown or at rest is not named.
//! Source: ListPartitionReassignmentsRequest.json, `ReplicationControlManager.listPartitionReassignments`, KIP-455.

use protocol::messages::list_partition_reassignments_response::{
    OngoingPartitionReassignment, OngoingTopicReassignment,
};
use protocol::messages::{ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse};
use raft::controller::{OngoingReassignment, ongoing_reassignments};

use super::text::{broker_ids, topic_name};
use super::{Reply, RequestContext};

pub(super) fn handle(
    context: RequestContext,
    request: ListPartitionReassignmentsRequest,
) -> Reply<ListPartitionReassignmentsResponse> {
    let image = context.services.metadata.image();
    let ongoing = |name: &str, partitions: Option<&[i32]>| {
        let ongoing = ongoing_reassignments(&image, name, partitions);
        let partitions: Vec<_> = ongoing.iter().map(partition).collect();
        (!partitions.is_empty())
            .then(|| OngoingTopicReassignment::default().with_name(topic_name(name)).with_partitions(partitions))
    };
    let topics = match &request.topics {
        Some(topics) => {
            topics.iter().filter_map(|topic| ongoing(&topic.name, Some(&topic.partition_indexes))).collect()
        }
        None => image.topics().iter().filter_map(|topic| ongoing(topic.name(), None)).collect(),
    };
    Reply::Now(ListPartitionReassignmentsResponse::default().with_error_message(None).with_topics(topics))
}

fn partition(ongoing: &OngoingReassignment) -> OngoingPartitionReassignment {
    OngoingPartitionReassignment::default()
        .with_partition_index(ongoing.partition)
        .with_replicas(broker_ids(&ongoing.replicas))
        .with_adding_replicas(broker_ids(&ongoing.adding))
        .with_removing_replicas(broker_ids(&ongoing.removing))
}
