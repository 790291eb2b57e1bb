//! DescribeCluster (key 60), versions 0–2.
//!
//! Behaviour: the brokers that live, where the connection's own listener is; on a controller's listener the controllers.
//! Versions: v1 brokers or controllers may be asked for (KIP-919) · v2 fenced brokers too (KIP-1073).
//! Source: DescribeClusterRequest.json, `AuthHelper.computeDescribeClusterResponse`.

use protocol::StrBytes;
use protocol::error_code::ErrorCode;
use protocol::messages::describe_cluster_response::DescribeClusterBroker;
use protocol::messages::{DescribeClusterRequest, DescribeClusterResponse};

use super::text::str_bytes;
use super::{Reply, RequestContext};
use crate::metadata_cache;

/// What anybody may do with the cluster while nothing is forbidden, a bit for each operation: create, alter, describe, cluster
/// action, describe and alter configs, idempotent write.
pub(super) const CLUSTER_OPERATIONS: i32 = 1 << 5 | 1 << 7 | 1 << 8 | 1 << 9 | 1 << 10 | 1 << 11 | 1 << 12;

const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

pub(super) fn handle(context: RequestContext, request: DescribeClusterRequest) -> Reply<DescribeClusterResponse> {
    let expected = if context.services.is_controller_listener(&context.listener) { CONTROLLERS } else { BROKERS };
    if let Some(refused) = check_type(&request, expected, context.api_version) {
        return Reply::Now(refused);
    }
    let brokers = if expected == BROKERS { brokers(&context, &request) } else { controllers(&context) };
    let image = context.services.metadata.image();
    let controller_id =
        if expected == BROKERS { metadata_cache::controller_id(&image) } else { context.services.settings.node_id };
    let is_listed = brokers.iter().any(|broker| broker.broker_id.0 == controller_id);
    let mut response = DescribeClusterResponse::default()
        .with_endpoint_type(expected)
        .with_cluster_id(str_bytes(&context.services.cluster_id))
        .with_controller_id(if is_listed { controller_id } else { -1 }.into())
        .with_brokers(brokers);
    if request.include_cluster_authorized_operations {
        response.cluster_authorized_operations = CLUSTER_OPERATIONS;
    }
    Reply::Now(response)
}

fn check_type(request: &DescribeClusterRequest, expected: i8, version: i16) -> Option<DescribeClusterResponse> {
    let name = |endpoint_type| if endpoint_type == BROKERS { "BROKER" } else { "CONTROLLER" };
    let wanted = request.endpoint_type;
    let (code, message) = match wanted {
        _ if wanted == expected => return None,
        BROKERS | CONTROLLERS => {
            let (expected, wanted) = (name(expected), name(wanted));
            let message = format!(
                "The request was sent to an endpoint of type {expected}, but we wanted an endpoint of type {wanted}"
            );
            (ErrorCode::MismatchedEndpointType, message)
        }
        other => (ErrorCode::UnsupportedEndpointType, format!("Unsupported endpoint type {other}")),
    };
    let code = if version == 0 { ErrorCode::InvalidRequest } else { code };
    let response = DescribeClusterResponse::default().with_error_code(code.code());
    Some(response.with_error_message(Some(StrBytes::from_string(message))))
}

fn brokers(context: &RequestContext, request: &DescribeClusterRequest) -> Vec<DescribeClusterBroker> {
    let image = context.services.metadata.image();
    let brokers = metadata_cache::brokers(&image, &context.listener)
        .filter(|(broker, _)| !broker.fenced || request.include_fenced_brokers)
        .map(|(broker, endpoint)| {
            DescribeClusterBroker::default()
                .with_broker_id(broker.id.into())
                .with_host(str_bytes(&endpoint.host))
                .with_port(endpoint.port.into())
                .with_rack(broker.rack.as_deref().map(str_bytes))
                .with_is_fenced(broker.fenced)
        });
    brokers.collect()
}

fn controllers(context: &RequestContext) -> Vec<DescribeClusterBroker> {
    let own = context.services.controller_endpoints.iter().find(|endpoint| *endpoint.name == *context.listener);
    let controller = own.map(|endpoint| {
        DescribeClusterBroker::default()
            .with_broker_id(context.services.settings.node_id.into())
            .with_host(str_bytes(&endpoint.host))
            .with_port(endpoint.port.into())
    });
    controller.into_iter().collect()
}
