//! ListConfigResources (key 74), versions 0–1.
//!
//! Behaviour: names of what can be configured: brokers and topics that there are, groups and subscriptions to clients' metrics that have a
//! configuration. With no type named, of all types. Loggers are named by their brokers.
//! Versions: v0 subscriptions only, as ListClientMetricsResources (KIP-714) · v1 types (KIP-1142).
//! Source: ListConfigResourcesRequest.json, `KafkaApis.handleListConfigResources`.

use protocol::error_code::ErrorCode;
use protocol::messages::list_config_resources_response::ConfigResource;
use protocol::messages::{ListConfigResourcesRequest, ListConfigResourcesResponse};
use raft::image::{ConfigResourceType, Image};

use super::broker_loggers::BROKER_LOGGER;
use super::text::str_bytes;
use super::{Reply, RequestContext};
use crate::metadata_cache::alive_brokers;

const FIRST_VERSION_WITH_TYPES: i16 = 1;

/// In Kafka's order.
const TYPES: [i8; 5] = [
    ConfigResourceType::Group.id(),
    ConfigResourceType::ClientMetrics.id(),
    BROKER_LOGGER,
    ConfigResourceType::Broker.id(),
    ConfigResourceType::Topic.id(),
];

pub(super) fn handle(
    context: RequestContext,
    request: ListConfigResourcesRequest,
) -> Reply<ListConfigResourcesResponse> {
    let image = context.services.metadata.image();
    let asked = if context.api_version < FIRST_VERSION_WITH_TYPES {
        vec![ConfigResourceType::ClientMetrics.id()]
    } else {
        request.resource_types
    };
    if !asked.iter().all(|kind| TYPES.contains(kind)) {
        let code = ErrorCode::UnsupportedVersion.code();
        return Reply::Now(ListConfigResourcesResponse::default().with_error_code(code));
    }
    let is_asked = |kind: &i8| asked.is_empty() || asked.contains(kind);
    let resources = TYPES.into_iter().filter(is_asked).flat_map(|kind| names(&image, &context.listener, kind));
    Reply::Now(ListConfigResourcesResponse::default().with_config_resources(resources.collect()))
}

fn names(image: &Image, listener: &str, kind: i8) -> Vec<ConfigResource> {
    let names: Vec<String> = match ConfigResourceType::from_id(kind) {
        Some(ConfigResourceType::Topic) => image.topics().iter().map(|topic| topic.name().to_string()).collect(),
        // Each has loggers.
        Some(ConfigResourceType::Broker) | None => {
            alive_brokers(image, listener).map(|(broker, _)| broker.id.to_string()).collect()
        }
        Some(kind @ (ConfigResourceType::Group | ConfigResourceType::ClientMetrics)) => {
            let configured = image.configs().iter().filter(|(resource, _)| resource.resource_type == kind);
            configured.map(|(resource, _)| resource.name.to_string()).collect()
        }
    };
    let resource =
        |name: String| ConfigResource::default().with_resource_name(str_bytes(&name)).with_resource_type(kind);
    names.into_iter().map(resource).collect()
}
