//! SyncGroup (key 14), versions 0–5.
//!
//! Behaviour: the leader brings everybody's assignment; each member gets its own when that is stored.
//! Versions: v3 static members (KIP-345) · v4 flexible · v5 protocol type and name, which have to be the group's (KIP-559).
//! Source: SyncGroupRequest.json, `KafkaApis.handleSyncGroupRequest`, `GroupCoordinatorService.syncGroup`.

use protocol::error_code::{ErrorCode, NONE};
use protocol::messages::{SyncGroupRequest, SyncGroupResponse};

use super::text::{shared, shared_option, str_bytes};
use super::{Reply, RequestContext};
use crate::error_code;
use crate::group::SyncAnswer;
use crate::group::classic::Sync;

const FIRST_WITH_PROTOCOL: i16 = 5;

pub(super) fn handle(context: RequestContext, request: SyncGroupRequest) -> Reply<SyncGroupResponse> {
    let says_protocol = request.protocol_type.is_some() && request.protocol_name.is_some();
    if context.api_version >= FIRST_WITH_PROTOCOL && !says_protocol {
        let code = ErrorCode::InconsistentGroupProtocol.code();
        return Reply::Now(SyncGroupResponse::default().with_error_code(code));
    }
    Reply::Later(Box::pin(async move {
        let version = context.api_version;
        let sync = Sync {
            member_id: shared(&request.member_id),
            instance_id: shared_option(request.group_instance_id.as_ref()),
            generation: request.generation_id,
            protocol_type: shared_option(request.protocol_type.as_ref()),
            protocol: shared_option(request.protocol_name.as_ref()),
            assignments: request
                .assignments
                .iter()
                .map(|assignment| (shared(&assignment.member_id), assignment.assignment.clone()))
                .collect(),
        };
        respond(context.services.groups.sync(&request.group_id, sync).await, version)
    }))
}

fn respond(answer: SyncAnswer, version: i16) -> SyncGroupResponse {
    let code = answer.error.as_ref().map_or(NONE, |error| error_code::group(error).code());
    let response = SyncGroupResponse::default().with_error_code(code).with_assignment(answer.assignment);
    if version < FIRST_WITH_PROTOCOL {
        return response;
    }
    response
        .with_protocol_type(answer.protocol_type.as_deref().map(str_bytes))
        .with_protocol_name(answer.protocol.as_deref().map(str_bytes))
}
