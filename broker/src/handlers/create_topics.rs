//! CreateTopics (key 19), versions 2–7.
//!
//! Behaviour: each topic is created or refused alone; −1 asks for the broker's number of partitions or replicas in every
//! version. The answer comes when this broker serves the topics, or after the request's timeout.
//! Versions: v2 the lowest that Kafka 4 serves · v4 −1 (KIP-464) · v5 configuration in the answer (KIP-525), flexible · v6 THROTTLING_QUOTA_EXCEEDED
//! (KIP-599) · v7 topic id.
//! Source: CreateTopicsRequest.json, `ControllerApis.createTopics`, `ReplicationControlManager.createTopics`.

use std::collections::HashSet;
use std::time::Duration;

use protocol::StrBytes;
use protocol::error_code::ErrorCode;
use protocol::messages::create_topics_request::CreatableTopic;
use protocol::messages::create_topics_response::{CreatableTopicConfigs, CreatableTopicResult};
use protocol::messages::{CreateTopicsRequest, CreateTopicsResponse};
use raft::controller::{CreatedTopic, NewTopic, TopicResults};
use raft::error::{ControllerError, TopicError};

use super::text::topic_name;
use super::{Reply, RequestContext};
use crate::config::Source;
use crate::config::definitions::described_topic_keys;
use crate::config::topic::TopicValues;
use crate::error_code;

const FIRST_VERSION_WITH_CONFIGS: i16 = 5;
/// A topic that the quota does not allow is refused (KIP-599).
const FIRST_STRICT_VERSION: i16 = 6;
const UNKNOWN_COUNT: i32 = -1;

pub(super) fn handle(context: RequestContext, request: CreateTopicsRequest) -> Reply<CreateTopicsResponse> {
    Reply::Later(Box::pin(async move {
        let topics = request.topics.iter().map(new_topic).collect();
        let quota = context.mutations(FIRST_STRICT_VERSION);
        let created = async {
            let results = context.services.controller.create_topics(topics, request.validate_only, quota.clone()).await;
            context.services.caught_up().await;
            results
        };
        let timeout = Duration::from_millis(u64::try_from(request.timeout_ms).unwrap_or(0));
        let response = match tokio::time::timeout(timeout, created).await {
            Ok(Ok(results)) => respond(&context, &request, results),
            Ok(Err(error)) => refuse_all(&request, &error),
            Err(_) => time_out(&request),
        };
        response.with_throttle_time_ms(quota.throttle_time_ms())
    }))
}

fn new_topic(topic: &CreatableTopic) -> NewTopic {
    let assignment = |assignment: &protocol::messages::create_topics_request::CreatableReplicaAssignment| {
        (assignment.partition_index, assignment.broker_ids.iter().map(|id| id.0).collect())
    };
    NewTopic {
        name: topic.name.as_str().into(),
        partitions: topic.num_partitions,
        replication_factor: topic.replication_factor,
        assignments: topic.assignments.iter().map(assignment).collect(),
        configs: topic
            .configs
            .iter()
            .map(|config| (config.name.as_str().into(), config.value.as_deref().map(Into::into)))
            .collect(),
    }
}

fn respond(
    context: &RequestContext,
    request: &CreateTopicsRequest,
    results: TopicResults<CreatedTopic>,
) -> CreateTopicsResponse {
    let topics = results.into_iter().map(|(name, result)| match result {
        Ok(created) => {
            let asked = request.topics.iter().find(|topic| *topic.name.as_str() == *name);
            created_topic(context, &name, &created, asked)
        }
        // What the code says already, Kafka does not say again (`ApiError.fromThrowable`).
        Err(error @ TopicError::Throttled(_)) => {
            refused(&name, error_code::topic(&error), String::new()).with_error_message(None)
        }
        Err(error) => refused(&name, error_code::topic(&error), message(&error)),
    });
    CreateTopicsResponse::default().with_topics(topics.collect())
}

fn created_topic(
    context: &RequestContext,
    name: &str,
    created: &CreatedTopic,
    asked: Option<&CreatableTopic>,
) -> CreatableTopicResult {
    let result =
        CreatableTopicResult::default().with_name(topic_name(name)).with_topic_id(created.id).with_error_message(None);
    if context.api_version < FIRST_VERSION_WITH_CONFIGS {
        return result;
    }
    result
        .with_num_partitions(created.partitions)
        .with_replication_factor(created.replication_factor)
        .with_configs(Some(configs(context, asked)))
}

/// The topic's whole configuration. Taken from the request and not from the metadata: it may only have been validated.
fn configs(context: &RequestContext, asked: Option<&CreatableTopic>) -> Vec<CreatableTopicConfigs> {
    let image = context.services.metadata.image();
    let defaults = TopicValues::new(&context.services.settings, &image, "");
    let config = described_topic_keys().map(|definition| {
        let own = asked.and_then(|topic| topic.configs.iter().find(|config| config.name.as_str() == definition.name));
        let (value, source) = match own.and_then(|config| config.value.clone()) {
            Some(value) => (value, Source::DynamicTopic),
            None => {
                (StrBytes::from_string(defaults.value(definition).to_string()), defaults.default_source(definition))
            }
        };
        CreatableTopicConfigs::default()
            .with_name(StrBytes::from_static_str(definition.name))
            .with_value(Some(value))
            .with_config_source(source.id())
    });
    config.collect()
}

fn message(error: &TopicError) -> String {
    error.to_string()
}

fn refused(name: &str, code: ErrorCode, message: String) -> CreatableTopicResult {
    CreatableTopicResult::default()
        .with_name(topic_name(name))
        .with_error_code(code.code())
        .with_error_message(Some(StrBytes::from_string(message)))
        .with_num_partitions(UNKNOWN_COUNT)
        .with_replication_factor(-1)
        .with_configs(Some(Vec::new()))
}

fn refuse_all(request: &CreateTopicsRequest, error: &ControllerError) -> CreateTopicsResponse {
    all(request, error_code::controller(error), &error.to_string())
}

fn time_out(request: &CreateTopicsRequest) -> CreateTopicsResponse {
    all(request, ErrorCode::RequestTimedOut, "The request timed out.")
}

/// One answer for each name, however often it was asked for.
fn all(request: &CreateTopicsRequest, code: ErrorCode, message: &str) -> CreateTopicsResponse {
    let mut seen = HashSet::new();
    let topics = request.topics.iter().filter(|topic| seen.insert(topic.name.as_str()));
    let topics = topics.map(|topic| refused(&topic.name, code, message.to_owned()));
    CreateTopicsResponse::default().with_topics(topics.collect())
}
