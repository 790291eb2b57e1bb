//! FindCoordinator (key 10), versions 0–6.
//!
//! Behaviour: groups and transactions have no coordinator here yet, so every key is answered with COORDINATOR_NOT_AVAILABLE,
//! which is Kafka's own answer while nobody coordinates. It is advertised for librdkafka's sake: it compresses with LZ4
//! only where version 0 of this API is listed, and says nothing when it does not (`rdkafka_feature.c`).
//! Versions: v1 key type and message · v3 flexible · v4 several keys (KIP-699) · v6 share groups (KIP-932).
//! Source: FindCoordinatorRequest.json, `KafkaApis.handleFindCoordinatorRequest`.

use protocol::StrBytes;
use protocol::error_code::ErrorCode;
use protocol::messages::find_coordinator_response::Coordinator;
use protocol::messages::{FindCoordinatorRequest, FindCoordinatorResponse};

use super::{Reply, RequestContext};

const FIRST_WITH_SEVERAL_KEYS: i16 = 4;
const NO_NODE: i32 = -1;

pub(super) fn handle(context: RequestContext, request: FindCoordinatorRequest) -> Reply<FindCoordinatorResponse> {
    let code = ErrorCode::CoordinatorNotAvailable;
    let message = Some(StrBytes::from_string(code.to_string()));
    if context.api_version >= FIRST_WITH_SEVERAL_KEYS {
        let coordinators = request.coordinator_keys.into_iter().map(|key| {
            Coordinator::default()
                .with_key(key)
                .with_node_id(NO_NODE.into())
                .with_port(NO_NODE)
                .with_error_code(code.code())
                .with_error_message(message.clone())
        });
        return Reply::Now(FindCoordinatorResponse::default().with_coordinators(coordinators.collect()));
    }
    let mut response =
        FindCoordinatorResponse::default().with_error_code(code.code()).with_node_id(NO_NODE.into()).with_port(NO_NODE);
    if context.api_version >= 1 {
        response.error_message = message;
    }
    Reply::Now(response)
}
