//! CreatePartitions (key 37), versions 0–3.
//!
//! Behaviour: each topic grows or is refused alone. The answer comes when this broker serves the partitions, or after the
//! request's timeout.
//! Versions: v2 flexible · v3 THROTTLING_QUOTA_EXCEEDED may be answered (KIP-599).
//! Source: CreatePartitionsRequest.json, `ControllerApis.createPartitions`.

use std::time::Duration;

use protocol::StrBytes;
use protocol::error_code::{ErrorCode, NONE};
use protocol::messages::create_partitions_request::{CreatePartitionsAssignment, CreatePartitionsTopic};
use protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use protocol::messages::{CreatePartitionsRequest, CreatePartitionsResponse};
use raft::controller::NewPartitions;
use raft::error::TopicError;

use super::text::topic_name;
use super::{Reply, RequestContext};
use crate::error_code;

/// A topic that the quota does not allow is refused.
const FIRST_STRICT_VERSION: i16 = 3;

pub(super) fn handle(context: RequestContext, request: CreatePartitionsRequest) -> Reply<CreatePartitionsResponse> {
    Reply::Later(Box::pin(async move {
        let topics = request.topics.iter().map(new_partitions).collect();
        let quota = context.mutations(FIRST_STRICT_VERSION);
        let grown = async {
            let (controller, quota) = (&context.services.controller, quota.clone());
            let results = controller.create_partitions(topics, request.validate_only, quota).await;
            context.services.caught_up().await;
            results
        };
        let timeout = Duration::from_millis(u64::try_from(request.timeout_ms).unwrap_or(0));
        let all = |code: ErrorCode, message: String| {
            request.topics.iter().map(|topic| result(&topic.name, code.code(), Some(message.clone()))).collect()
        };
        let results = match tokio::time::timeout(timeout, grown).await {
            Ok(Ok(results)) => results
                .iter()
                .map(|(name, grown)| match grown {
                    Ok(()) => result(name, NONE, None),
                    // What the code says already, Kafka does not say again (`ApiError.fromThrowable`).
                    Err(error @ (TopicError::UnknownTopic | TopicError::Throttled(_))) => {
                        result(name, error_code::topic(error).code(), None)
                    }
                    Err(error) => result(name, error_code::topic(error).code(), Some(error.to_string())),
                })
                .collect(),
            Ok(Err(error)) => all(error_code::controller(&error), error.to_string()),
            Err(_) => all(ErrorCode::RequestTimedOut, "The request timed out.".to_owned()),
        };
        CreatePartitionsResponse::default().with_results(results).with_throttle_time_ms(quota.throttle_time_ms())
    }))
}

fn new_partitions(topic: &CreatePartitionsTopic) -> NewPartitions {
    let assignment = |assignment: &CreatePartitionsAssignment| assignment.broker_ids.iter().map(|id| id.0).collect();
    NewPartitions {
        name: topic.name.as_str().into(),
        count: topic.count,
        assignments: topic.assignments.as_ref().map(|assignments| assignments.iter().map(assignment).collect()),
    }
}

fn result(name: &str, code: i16, message: Option<String>) -> CreatePartitionsTopicResult {
    CreatePartitionsTopicResult::default()
        .with_name(topic_name(name))
        .with_error_code(code)
        .with_error_message(message.map(StrBytes::from_string))
}
