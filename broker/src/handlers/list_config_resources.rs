//! ListConfigResources (key 74), versions 0–1.
//!
//! Behaviour: names of what can be configured: brokers and topics that there are, groups and subscriptions to clients' metrics that have a
//! configuration. With no type named, of all types. Loggers of brokers are not served, so none is named.
//! Versions: v0 subscriptions only, as ListClientMetricsResources (KIP-714) · v1 types (KIP-1142).
//! Source: ListConfigResourcesRequest.json, `KafkaApis.handleListConfigResources`.

use protocol::error_code::ErrorCode;
use protocol::messages::list_config_resources_response::ConfigResource;
use protocol::messages::{ListConfigResourcesRequest, ListConfigResourcesResponse};
use raft::image::{ConfigResourceType, Image};

use super::text::str_bytes;
use super::{Reply, RequestContext};
use crate::metadata_cache::alive_brokers;

const FIRST_VERSION_WITH_TYPES: i16 = 1;

/// In Kafka's order.
const TYPES: [ConfigResourceType; 4] = [
    ConfigResourceType::Group,
    ConfigResourceType::ClientMetrics,
    ConfigResourceType::Broker,
    ConfigResourceType::Topic,
];

pub(super) fn handle(
    context: RequestContext,
    request: ListConfigResourcesRequest,
) -> Reply<ListConfigResourcesResponse> {
    let image = context.services.metadata.image();
    let asked: Option<Vec<_>> = if context.api_version < FIRST_VERSION_WITH_TYPES {
        Some(vec![ConfigResourceType::ClientMetrics])
    } else {
        request.resource_types.iter().map(|id| ConfigResourceType::from_id(*id)).collect()
    };
    let Some(asked) = asked else {
        let code = ErrorCode::UnsupportedVersion.code();
        return Reply::Now(ListConfigResourcesResponse::default().with_error_code(code));
    };
    let is_asked = |kind: &ConfigResourceType| asked.is_empty() || asked.contains(kind);
    let resources = TYPES.into_iter().filter(is_asked).flat_map(|kind| names(&image, &context.listener, kind));
    Reply::Now(ListConfigResourcesResponse::default().with_config_resources(resources.collect()))
}

fn names(image: &Image, listener: &str, kind: ConfigResourceType) -> Vec<ConfigResource> {
    let names: Vec<String> = match kind {
        ConfigResourceType::Topic => image.topics().iter().map(|topic| topic.name().to_string()).collect(),
        ConfigResourceType::Broker => alive_brokers(image, listener).map(|(broker, _)| broker.id.to_string()).collect(),
        ConfigResourceType::Group | ConfigResourceType::ClientMetrics => {
            let configured = image.configs().iter().filter(|(resource, _)| resource.resource_type == kind);
            configured.map(|(resource, _)| resource.name.to_string()).collect()
        }
    };
    let resource =
        |name: String| ConfigResource::default().with_resource_name(str_bytes(&name)).with_resource_type(kind.id());
    names.into_iter().map(resource).collect()
}
