//! AlterPartitionReassignments (key 45), versions 0–1.
//!
//! Behaviour: each partition gets its new replicas, or gives a reassignment up, or is refused alone. What is in sync already is
//! done when the answer comes; the rest is when the new replicas are in sync.
//! Versions: v1 the number of replicas may be kept from changing (KIP-860).
//! Source: AlterPartitionReassignmentsRequest.json, `ReplicationControlManager.alterPartitionReassignments`, KIP-455.

use std::time::Duration;

use protocol::StrBytes;
use protocol::error_code::{ErrorCode, NONE};
use protocol::messages::alter_partition_reassignments_response::{
    ReassignablePartitionResponse, ReassignableTopicResponse,
};
use protocol::messages::{AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse};
use raft::controller::Reassignment;
use raft::error::ReassignmentError;

use super::{Reply, RequestContext};
use crate::error_code;

pub(super) fn handle(
    context: RequestContext,
    request: AlterPartitionReassignmentsRequest,
) -> Reply<AlterPartitionReassignmentsResponse> {
    Reply::Later(Box::pin(async move {
        let allow = request.allow_replication_factor_change;
        let altered = async {
            let results = context.services.controller.alter_reassignments(reassignments(&request), allow).await;
            context.services.caught_up().await;
            results
        };
        let timeout = Duration::from_millis(u64::try_from(request.timeout_ms).unwrap_or(0));
        match tokio::time::timeout(timeout, altered).await {
            Ok(Ok(results)) => respond(&request, results),
            Ok(Err(error)) => failed(&request, error_code::controller(&error), &error.to_string()),
            Err(_) => failed(&request, ErrorCode::RequestTimedOut, "The request timed out."),
        }
    }))
}

fn reassignments(request: &AlterPartitionReassignmentsRequest) -> Vec<Reassignment> {
    let of_topic = |topic: &protocol::messages::alter_partition_reassignments_request::ReassignableTopic| {
        let partition =
            |partition: &protocol::messages::alter_partition_reassignments_request::ReassignablePartition| {
                Reassignment {
                    topic: topic.name.as_str().into(),
                    partition: partition.partition_index,
                    replicas: partition.replicas.as_ref().map(|ids| ids.iter().map(|id| id.0).collect()),
                }
            };
        topic.partitions.iter().map(partition).collect::<Vec<_>>()
    };
    request.topics.iter().flat_map(of_topic).collect()
}

/// The answer, from results in the order of [`reassignments`].
fn respond(
    request: &AlterPartitionReassignmentsRequest,
    results: Vec<Result<(), ReassignmentError>>,
) -> AlterPartitionReassignmentsResponse {
    let mut results = results.into_iter();
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().zip(&mut results).map(|(partition, result)| {
            let response = ReassignablePartitionResponse::default().with_partition_index(partition.partition_index);
            match result {
                Ok(()) => response.with_error_code(NONE).with_error_message(None),
                // What the code says already, Kafka does not say again (`ApiError.fromThrowable`).
                Err(error @ ReassignmentError::NotInProgress) => {
                    response.with_error_code(error_code::reassignment(&error).code()).with_error_message(None)
                }
                Err(error) => response
                    .with_error_code(error_code::reassignment(&error).code())
                    .with_error_message(Some(StrBytes::from_string(error.to_string()))),
            }
        });
        ReassignableTopicResponse::default().with_name(topic.name.clone()).with_partitions(partitions.collect())
    });
    AlterPartitionReassignmentsResponse::default()
        .with_allow_replication_factor_change(request.allow_replication_factor_change)
        .with_error_message(None)
        .with_responses(topics.collect())
}

fn failed(
    request: &AlterPartitionReassignmentsRequest,
    code: ErrorCode,
    message: &str,
) -> AlterPartitionReassignmentsResponse {
    AlterPartitionReassignmentsResponse::default()
        .with_allow_replication_factor_change(request.allow_replication_factor_change)
        .with_error_code(code.code())
        .with_error_message(Some(StrBytes::from_string(message.to_owned())))
}
