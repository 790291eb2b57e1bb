//! JoinGroup (key 11), versions 0–9.
//!
//! Behaviour: answered when the rebalance is over, which all members have to join. A dynamic member without an id is told to
//! come again with the one it is given (v4, KIP-394); a static one takes the place of its former self (v5, KIP-345). The leader
//! gets what all members said about themselves. What that is, the coordinator does not ask: Connect and Streams use it too.
//! Versions: v1 rebalance timeout, before that the session's · v4 MEMBER_ID_REQUIRED · v5 static members · v6 flexible · v7
//! protocol type (KIP-559) · v8 reason (KIP-800) · v9 the leader may keep the assignment (KIP-814).
//! Source: JoinGroupRequest.json, `GroupCoordinatorService.joinGroup`.

use bytes::Bytes;
use protocol::StrBytes;
use protocol::error_code::NONE;
use protocol::ids::Uuid;
use protocol::messages::join_group_response::JoinGroupResponseMember;
use protocol::messages::{JoinGroupRequest, JoinGroupResponse};

use super::text::{shared, shared_option, str_bytes};
use super::{Reply, RequestContext};
use crate::error_code;
use crate::group::classic::{Identity, Join, Protocol};
use crate::group::{JoinAnswer, JoinedMember};

const FIRST_WITH_REBALANCE_TIMEOUT: i16 = 1;
const FIRST_WITH_MEMBER_ID_REQUIRED: i16 = 4;
const FIRST_WITH_PROTOCOL_TYPE: i16 = 7;
const FIRST_WITH_SKIPPED_ASSIGNMENT: i16 = 9;

pub(super) fn handle(context: RequestContext, request: JoinGroupRequest) -> Reply<JoinGroupResponse> {
    Reply::Later(Box::pin(async move {
        let version = context.api_version;
        let join = join(&context, &request);
        let answer = context.services.groups.join(&request.group_id, join).await;
        respond(answer, version)
    }))
}

fn join(context: &RequestContext, request: &JoinGroupRequest) -> Join {
    let version = context.api_version;
    let client_id = context.client_id.as_deref().unwrap_or_default();
    let instance_id = shared_option(request.group_instance_id.as_ref());
    let prefix = instance_id.as_deref().unwrap_or(client_id);
    let has_timeout = version >= FIRST_WITH_REBALANCE_TIMEOUT;
    let reason = request.reason.as_deref().filter(|reason| !reason.is_empty());
    Join {
        new_member_id: shared(&format!("{prefix}-{}", Uuid::new_v4())),
        identity: Identity {
            id: shared(&request.member_id),
            instance_id,
            client_id: shared(client_id),
            // As Java prints an address.
            client_host: shared(&format!("/{}", context.client_address.ip())),
        },
        protocol_type: shared(&request.protocol_type),
        protocols: request
            .protocols
            .iter()
            // Copied: a slice would keep the whole request in memory.
            .map(|protocol| Protocol {
                name: shared(&protocol.name),
                metadata: Bytes::copy_from_slice(&protocol.metadata),
            })
            .collect(),
        rebalance_timeout_ms: if has_timeout { request.rebalance_timeout_ms } else { request.session_timeout_ms },
        session_timeout_ms: request.session_timeout_ms,
        requires_known_member_id: version >= FIRST_WITH_MEMBER_ID_REQUIRED,
        can_skip_assignment: version >= FIRST_WITH_SKIPPED_ASSIGNMENT,
        reason: reason.unwrap_or("not provided").to_owned(),
    }
}

fn respond(answer: JoinAnswer, version: i16) -> JoinGroupResponse {
    let code = answer.error.as_ref().map_or(NONE, |error| error_code::group(error).code());
    let protocol = answer.protocol.as_deref().map(str_bytes);
    // Before version 7 the name cannot be null.
    let protocol = if version < FIRST_WITH_PROTOCOL_TYPE { Some(protocol.unwrap_or_default()) } else { protocol };
    let mut response = JoinGroupResponse::default()
        .with_error_code(code)
        .with_generation_id(answer.generation)
        .with_protocol_name(protocol)
        .with_leader(str_bytes(&answer.leader))
        .with_member_id(str_bytes(&answer.member_id))
        .with_members(answer.members.iter().map(member).collect());
    if version >= FIRST_WITH_PROTOCOL_TYPE {
        response.protocol_type = answer.protocol_type.as_deref().map(str_bytes);
    }
    if version >= FIRST_WITH_SKIPPED_ASSIGNMENT {
        response.skip_assignment = answer.skip_assignment;
    }
    response
}

fn member(member: &JoinedMember) -> JoinGroupResponseMember {
    JoinGroupResponseMember::default()
        .with_member_id(str_bytes(&member.id))
        .with_group_instance_id(member.instance_id.as_deref().map(|id: &str| -> StrBytes { str_bytes(id) }))
        .with_metadata(member.metadata.clone())
}
