//! DeleteTopics (key 20), versions 1–6.
//!
//! Behaviour: each topic goes or is refused alone; with `delete.topic.enable=false` all are refused. The folders are renamed at
//! once and removed after `file.delete.delay.ms`.
//! Versions: v3 TOPIC_DELETION_DISABLED, before it INVALID_REQUEST · v4 flexible · v5 error messages,
//! THROTTLING_QUOTA_EXCEEDED · v6 topic ids.
//! Source: DeleteTopicsRequest.json, `ControllerApis.deleteTopics`.

use std::time::Duration;

use protocol::StrBytes;
use protocol::error_code::ErrorCode;
use protocol::messages::delete_topics_response::DeletableTopicResult;
use protocol::messages::{DeleteTopicsRequest, DeleteTopicsResponse};
use raft::controller::{DeletedTopic, TopicRef};
use raft::error::TopicError;

use super::text::topic_name;
use super::{Reply, RequestContext};
use crate::error_code;

const FIRST_VERSION_WITH_DISABLED: i16 = 3;
/// A topic that the quota does not allow is refused (KIP-599).
const FIRST_STRICT_VERSION: i16 = 5;
const FIRST_VERSION_BY_ID: i16 = 6;

pub(super) fn handle(context: RequestContext, request: DeleteTopicsRequest) -> Reply<DeleteTopicsResponse> {
    let topics = match topic_refs(&request, context.api_version) {
        Ok(topics) => topics,
        Err(message) => return Reply::Now(contradiction(&request, message)),
    };
    if !context.services.settings.delete_topics {
        let has_code = context.api_version >= FIRST_VERSION_WITH_DISABLED;
        let code = if has_code { ErrorCode::TopicDeletionDisabled } else { ErrorCode::InvalidRequest };
        return Reply::Now(all(&topics, code, "Topic deletion is disabled."));
    }
    Reply::Later(Box::pin(async move {
        let quota = context.mutations(FIRST_STRICT_VERSION);
        let deleted = async {
            let results = context.services.controller.delete_topics(topics.clone(), quota.clone()).await;
            context.services.caught_up().await;
            results
        };
        let timeout = Duration::from_millis(u64::try_from(request.timeout_ms).unwrap_or(0));
        let response = match tokio::time::timeout(timeout, deleted).await {
            Ok(Ok(results)) => DeleteTopicsResponse::default().with_responses(results.iter().map(respond).collect()),
            Ok(Err(error)) => all(&topics, error_code::controller(&error), &error.to_string()),
            Err(_) => all(&topics, ErrorCode::RequestTimedOut, "The request timed out."),
        };
        response.with_throttle_time_ms(quota.throttle_time_ms())
    }))
}

fn topic_refs(request: &DeleteTopicsRequest, version: i16) -> Result<Vec<TopicRef>, &'static str> {
    if version < FIRST_VERSION_BY_ID {
        return Ok(request.topic_names.iter().map(|name| TopicRef::Name(name.as_str().into())).collect());
    }
    let topic = |topic: &protocol::messages::delete_topics_request::DeleteTopicState| match &topic.name {
        Some(_) if !topic.topic_id.is_nil() => Err("You may not specify both topic name and topic id."),
        Some(name) => Ok(TopicRef::Name(name.as_str().into())),
        None if topic.topic_id.is_nil() => Err("Neither topic name nor id were specified."),
        None => Ok(TopicRef::Id(topic.topic_id)),
    };
    request.topics.iter().map(topic).collect()
}

/// Refuses a request in which a topic is named twice or not at all: every topic as it was given.
fn contradiction(request: &DeleteTopicsRequest, message: &'static str) -> DeleteTopicsResponse {
    let responses = request.topics.iter().map(|topic| {
        DeletableTopicResult::default()
            .with_name(topic.name.clone())
            .with_topic_id(topic.topic_id)
            .with_error_code(ErrorCode::InvalidRequest.code())
            .with_error_message(Some(StrBytes::from_static_str(message)))
    });
    DeleteTopicsResponse::default().with_responses(responses.collect())
}

fn respond(deleted: &DeletedTopic) -> DeletableTopicResult {
    let result =
        DeletableTopicResult::default().with_name(deleted.name.as_deref().map(topic_name)).with_topic_id(deleted.id);
    match &deleted.result {
        Ok(()) => result,
        // What the code says already, Kafka does not say again (`ApiError.fromThrowable`).
        Err(error @ TopicError::Throttled(_)) => {
            result.with_error_code(error_code::topic(error).code()).with_error_message(None)
        }
        Err(error) => result
            .with_error_code(error_code::topic(error).code())
            .with_error_message(Some(StrBytes::from_string(error.to_string()))),
    }
}

fn all(topics: &[TopicRef], code: ErrorCode, message: &str) -> DeleteTopicsResponse {
    let responses = topics.iter().map(|topic| {
        let result = DeletableTopicResult::default()
            .with_error_code(code.code())
            .with_error_message(Some(StrBytes::from_string(message.to_owned())));
        match topic {
            TopicRef::Name(name) => result.with_name(Some(topic_name(name))),
            TopicRef::Id(id) => result.with_name(None).with_topic_id(*id),
        }
    });
    DeleteTopicsResponse::default().with_responses(responses.collect())
}
