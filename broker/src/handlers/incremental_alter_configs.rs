//! IncrementalAlterConfigs (key 44), versions 0–1.
//!
//! Behaviour: the keys that are named are set, deleted, appended to or subtracted from (KIP-339); the others stay. Each resource fails or
//! succeeds alone: topics, this broker or all brokers (an empty name), groups, subscriptions to clients' metrics,
//! and the levels of this process' loggers. The answer comes when this broker has taken the change over.
//! Versions: v1 flexible.
//! Source: IncrementalAlterConfigsRequest.json, `KafkaApis.handleIncrementalAlterConfigsRequest`, `ConfigAdminManager`.

use protocol::StrBytes;
use protocol::error_code::NONE;
use protocol::messages::incremental_alter_configs_request::AlterConfigsResource;
use protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse;
use protocol::messages::{IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse};

use super::config_changes::{Asked, Entry, Operation, Refused, alter};
use super::{Reply, RequestContext};

pub(super) fn handle(
    context: RequestContext,
    request: IncrementalAlterConfigsRequest,
) -> Reply<IncrementalAlterConfigsResponse> {
    Reply::Later(Box::pin(async move {
        let asked: Vec<_> = request.resources.iter().map(asked).collect();
        let results = alter(&context, &asked, request.validate_only).await;
        let responses = request.resources.iter().zip(results).map(|(resource, result)| response(resource, result));
        IncrementalAlterConfigsResponse::default().with_responses(responses.collect())
    }))
}

fn asked(resource: &AlterConfigsResource) -> Asked<'_> {
    let entries = resource.configs.iter().map(|config| Entry {
        key: &config.name,
        operation: Operation::from_id(config.config_operation),
        value: config.value.as_deref(),
    });
    Asked {
        resource_type: resource.resource_type,
        resource_name: &resource.resource_name,
        entries: entries.collect(),
        replaces: false,
    }
}

fn response(resource: &AlterConfigsResource, result: Result<(), Refused>) -> AlterConfigsResourceResponse {
    let (code, message) = match result {
        Ok(()) => (NONE, None),
        Err((code, message)) => (code.code(), Some(StrBytes::from_string(message))),
    };
    AlterConfigsResourceResponse::default()
        .with_error_code(code)
        .with_error_message(message)
        .with_resource_type(resource.resource_type)
        .with_resource_name(resource.resource_name.clone())
}
