//! FindCoordinator (key 10), versions 0–6.
//!
//! Behaviour: the coordinator of a group is the leader of its partition of `__consumer_offsets`, which is created for the first
//! one who asks. Nobody coordinates transactions or share groups here yet, so those are answered with COORDINATOR_NOT_AVAILABLE,
//! which is Kafka's own answer while nobody coordinates.
//! Versions: v1 key type and message · v3 flexible · v4 several keys (KIP-699) · v6 share groups (KIP-932).
//! Source: FindCoordinatorRequest.json, `KafkaApis.handleFindCoordinatorRequest`.

use protocol::StrBytes;
use protocol::error_code::{ErrorCode, NONE};
use protocol::messages::find_coordinator_response::Coordinator;
use protocol::messages::{FindCoordinatorRequest, FindCoordinatorResponse};

use super::text::{INVALID_REQUEST, str_bytes};
use super::{Reply, RequestContext};
use crate::group::{OFFSETS_TOPIC, new_topic};
use crate::internal_topic;
use crate::metadata_cache;

const FIRST_WITH_SEVERAL_KEYS: i16 = 4;
const FIRST_WITH_SHARE_GROUPS: i16 = 6;
const NO_NODE: i32 = -1;
const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
const SHARE: i8 = 2;

pub(super) fn handle(context: RequestContext, request: FindCoordinatorRequest) -> Reply<FindCoordinatorResponse> {
    let is_missing = context.services.metadata.image().topics().by_name(OFFSETS_TOPIC).is_none();
    if request.key_type != GROUP || !is_missing {
        return Reply::Now(answer(&context, request));
    }
    Reply::Later(Box::pin(async move {
        create(&context).await;
        answer(&context, request)
    }))
}

/// Creates the topic of the groups; a client that is told that there is no coordinator asks again.
async fn create(context: &RequestContext) {
    let services = &context.services;
    let topic = new_topic(&services.groups.config().topic, &services.metadata.image());
    match internal_topic::create(&services.controller, topic).await {
        Ok(()) => services.caught_up().await,
        Err(error) => tracing::warn!(topic = OFFSETS_TOPIC, %error, "cannot create the topic"),
    }
}

fn answer(context: &RequestContext, request: FindCoordinatorRequest) -> FindCoordinatorResponse {
    let find = |key: StrBytes| find(context, request.key_type, key);
    if context.api_version >= FIRST_WITH_SEVERAL_KEYS {
        let coordinators = request.coordinator_keys.into_iter().map(find);
        return FindCoordinatorResponse::default().with_coordinators(coordinators.collect());
    }
    let found = find(request.key);
    let message = if context.api_version >= 1 { found.error_message } else { None };
    FindCoordinatorResponse::default()
        .with_error_code(found.error_code)
        .with_error_message(message)
        .with_node_id(found.node_id)
        .with_host(found.host)
        .with_port(found.port)
}

fn find(context: &RequestContext, key_type: i8, key: StrBytes) -> Coordinator {
    let found = match key_type {
        GROUP => coordinator_of(context, &key),
        SHARE if context.api_version < FIRST_WITH_SHARE_GROUPS => Err(ErrorCode::InvalidRequest),
        TRANSACTION | SHARE => Err(ErrorCode::CoordinatorNotAvailable),
        _ => Err(ErrorCode::InvalidRequest),
    };
    match found {
        Ok(coordinator) => coordinator.with_key(key).with_error_code(NONE).with_error_message(message(context, "NONE")),
        Err(code) => Coordinator::default()
            .with_key(key)
            .with_node_id(NO_NODE.into())
            .with_port(NO_NODE)
            .with_error_code(code.code())
            .with_error_message(match code {
                ErrorCode::InvalidRequest => Some(StrBytes::from_static_str(INVALID_REQUEST)),
                _ => message(context, "The coordinator is not available."),
            }),
    }
}

/// What Kafka says beside the code, which since several keys may be asked for is nothing.
fn message(context: &RequestContext, said: &'static str) -> Option<StrBytes> {
    let is_single = context.api_version < FIRST_WITH_SEVERAL_KEYS;
    Some(StrBytes::from_static_str(if is_single { said } else { "" }))
}

/// The live broker that leads the group's partition, where this client reaches it.
fn coordinator_of(context: &RequestContext, group: &str) -> Result<Coordinator, ErrorCode> {
    let image = context.services.metadata.image();
    let topic = image.topics().by_name(OFFSETS_TOPIC);
    let partition = topic.and_then(|topic| topic.partition(context.services.groups.partition_for(group)));
    let leader = partition.map(|partition| partition.leader());
    let mut alive = metadata_cache::alive_brokers(&image, &context.listener);
    let (broker, endpoint) =
        alive.find(|(broker, _)| Some(broker.id) == leader).ok_or(ErrorCode::CoordinatorNotAvailable)?;
    Ok(Coordinator::default()
        .with_node_id(broker.id.into())
        .with_host(str_bytes(&endpoint.host))
        .with_port(i32::from(endpoint.port)))
}
