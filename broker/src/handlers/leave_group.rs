//! LeaveGroup (key 13), versions 0–5.
//!
//! Behaviour: members leave, and the others are asked to join again. A static member may be removed by its instance id alone.
//! Before version 3 there is one member, whose error is the answer's.
//! Versions: v3 several members (KIP-345) · v4 flexible · v5 reason (KIP-800).
//! Source: LeaveGroupRequest.json, `GroupCoordinatorService.leaveGroup`, `LeaveGroupResponse`.

use protocol::error_code::{ErrorCode, NONE};
use protocol::messages::leave_group_request::MemberIdentity;
use protocol::messages::leave_group_response::MemberResponse;
use protocol::messages::{LeaveGroupRequest, LeaveGroupResponse};

use super::text::{shared, shared_option};
use super::{Reply, RequestContext};
use crate::error_code;
use crate::group::classic::Leaving;

const FIRST_WITH_SEVERAL: i16 = 3;

pub(super) fn handle(context: RequestContext, request: LeaveGroupRequest) -> Reply<LeaveGroupResponse> {
    Reply::Later(Box::pin(async move {
        let is_single = context.api_version < FIRST_WITH_SEVERAL;
        let members =
            if is_single { vec![MemberIdentity::default().with_member_id(request.member_id)] } else { request.members };
        let leaving: Vec<Leaving> = members.iter().map(leaving).collect();
        let codes: Vec<i16> = match context.services.groups.leave(&request.group_id, &leaving).await {
            Ok(left) => {
                let code = |left: &Result<(), _>| left.as_ref().map_or_else(|e| error_code::group(e).code(), |()| NONE);
                left.iter().map(code).collect()
            }
            Err(error) => match error_code::group(&error) {
                // There is no such group: nobody of them is in it.
                code @ ErrorCode::UnknownMemberId => members.iter().map(|_| code.code()).collect(),
                code => return LeaveGroupResponse::default().with_error_code(code.code()),
            },
        };
        if is_single {
            return LeaveGroupResponse::default().with_error_code(codes.first().copied().unwrap_or(NONE));
        }
        let members = members.into_iter().zip(codes).map(|(member, code)| {
            MemberResponse::default()
                .with_member_id(member.member_id)
                .with_group_instance_id(member.group_instance_id)
                .with_error_code(code)
        });
        LeaveGroupResponse::default().with_members(members.collect())
    }))
}

fn leaving(member: &MemberIdentity) -> Leaving {
    Leaving {
        member_id: shared(&member.member_id),
        instance_id: shared_option(member.group_instance_id.as_ref()),
        reason: member.reason.as_deref().map(str::to_owned),
    }
}
