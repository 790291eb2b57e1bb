//! ElectLeaders (key 43), versions 0–2.
//!
//! Behaviour: the first replica leads, or where nobody does, any; each partition is answered alone. Without partitions all are
//! looked at, and those that need no election are not named.
//! Versions: v0 preferred leaders only · v1 the kind of election, a code for the whole request (KIP-460) · v2 flexible.
//! Source: ElectLeadersRequest.json, `ReplicationControlManager.electLeaders`.

use std::time::Duration;

use protocol::StrBytes;
use protocol::error_code::{ErrorCode, NONE};
use protocol::messages::elect_leaders_response::{PartitionResult, ReplicaElectionResult};
use protocol::messages::{ElectLeadersRequest, ElectLeadersResponse};
use raft::controller::{ElectionResults, ElectionType};

use super::text::topic_name;
use super::{Reply, RequestContext};
use crate::error_code;

const PREFERRED: i8 = 0;
const UNCLEAN: i8 = 1;

pub(super) fn handle(context: RequestContext, request: ElectLeadersRequest) -> Reply<ElectLeadersResponse> {
    let election = match request.election_type {
        PREFERRED => ElectionType::Preferred,
        UNCLEAN => ElectionType::Unclean,
        other => {
            return Reply::Now(failed(&request, ErrorCode::InvalidRequest, &format!("Unknown election type {other}")));
        }
    };
    Reply::Later(Box::pin(async move {
        let partitions = request.topic_partitions.as_ref().map(|topics| {
            let topics = topics.iter().map(|topic| (topic.topic.as_str().into(), topic.partitions.clone()));
            topics.collect::<Vec<_>>()
        });
        let elected = async {
            let results = context.services.controller.elect_leaders(election, partitions).await;
            context.services.caught_up().await;
            results
        };
        let timeout = Duration::from_millis(u64::try_from(request.timeout_ms).unwrap_or(0));
        match tokio::time::timeout(timeout, elected).await {
            Ok(Ok(results)) => respond(results),
            Ok(Err(error)) => failed(&request, error_code::controller(&error), &error.to_string()),
            Err(_) => failed(&request, ErrorCode::RequestTimedOut, "The request timed out."),
        }
    }))
}

fn respond(results: ElectionResults) -> ElectLeadersResponse {
    let topics = results.into_iter().map(|(topic, partitions)| {
        let partitions = partitions.into_iter().map(|(index, result)| match result {
            Ok(()) => partition(index, NONE, None),
            Err(error) => partition(index, error_code::election(&error).code(), Some(error.to_string())),
        });
        ReplicaElectionResult::default().with_topic(topic_name(&topic)).with_partition_result(partitions.collect())
    });
    ElectLeadersResponse::default().with_replica_election_results(topics.collect())
}

/// The same for every partition that was named.
fn failed(request: &ElectLeadersRequest, code: ErrorCode, message: &str) -> ElectLeadersResponse {
    let topics = request.topic_partitions.iter().flatten().map(|topic| {
        let one = |index: &i32| partition(*index, code.code(), Some(message.to_owned()));
        ReplicaElectionResult::default()
            .with_topic(topic.topic.clone())
            .with_partition_result(topic.partitions.iter().map(one).collect())
    });
    ElectLeadersResponse::default().with_error_code(code.code()).with_replica_election_results(topics.collect())
}

fn partition(index: i32, code: i16, message: Option<String>) -> PartitionResult {
    PartitionResult::default()
        .with_partition_id(index)
        .with_error_code(code)
        .with_error_message(message.map(StrBytes::from_string))
}
