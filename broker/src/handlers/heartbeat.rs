//! Heartbeat (key 12), versions 0–4.
//!
//! Behaviour: the member's session goes on; it is told when it has to join again. While the group is being loaded the answer is
//! yes, since nobody can say that the member does not live.
//! Versions: v3 static members (KIP-345) · v4 flexible.
//! Source: HeartbeatRequest.json, `GroupCoordinatorService.heartbeat`.

use protocol::error_code::NONE;
use protocol::messages::{HeartbeatRequest, HeartbeatResponse};

use super::{Reply, RequestContext};
use crate::error_code;
use crate::group::classic::Caller;

pub(super) fn handle(context: RequestContext, request: HeartbeatRequest) -> Reply<HeartbeatResponse> {
    let caller = Caller {
        member_id: &request.member_id,
        instance_id: request.group_instance_id.as_deref(),
        generation: request.generation_id,
    };
    let answer = context.services.groups.heartbeat(&request.group_id, caller);
    let code = answer.map_or_else(|error| error_code::group(&error).code(), |()| NONE);
    Reply::Now(HeartbeatResponse::default().with_error_code(code))
}
