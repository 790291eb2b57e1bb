//! AlterConfigs (key 33), versions 0–2.
//!
//! Behaviour: the keys of a resource become those that are named, all others are unset; else as IncrementalAlterConfigs, which took its
//! place (KIP-339).
//! Versions: v1 throttling after the answer · v2 flexible.
//! Source: AlterConfigsRequest.json, `KafkaApis.handleAlterConfigsRequest`, `ConfigAdminManager`.

use protocol::StrBytes;
use protocol::error_code::NONE;
use protocol::messages::alter_configs_request::AlterConfigsResource;
use protocol::messages::alter_configs_response::AlterConfigsResourceResponse;
use protocol::messages::{AlterConfigsRequest, AlterConfigsResponse};

use super::config_changes::{Asked, Entry, Operation, Refused, alter};
use super::{Reply, RequestContext};

pub(super) fn handle(context: RequestContext, request: AlterConfigsRequest) -> Reply<AlterConfigsResponse> {
    Reply::Later(Box::pin(async move {
        let asked: Vec<_> = request.resources.iter().map(asked).collect();
        let results = alter(&context, &asked, request.validate_only).await;
        let responses = request.resources.iter().zip(results).map(|(resource, result)| response(resource, result));
        AlterConfigsResponse::default().with_responses(responses.collect())
    }))
}

fn asked(resource: &AlterConfigsResource) -> Asked<'_> {
    let entries = resource.configs.iter().map(|config| Entry {
        key: &config.name,
        operation: Some(Operation::Set),
        value: config.value.as_deref(),
    });
    Asked {
        resource_type: resource.resource_type,
        resource_name: &resource.resource_name,
        entries: entries.collect(),
        replaces: true,
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
