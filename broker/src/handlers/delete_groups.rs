//! DeleteGroups (key 42), versions 0–2.
//!
//! Behaviour: deletes groups without members, with their offsets. Each is deleted or refused alone.
//! Versions: v2 flexible.
//! Source: DeleteGroupsRequest.json, `GroupCoordinatorService.deleteGroups`.

use protocol::error_code::NONE;
use protocol::messages::delete_groups_response::DeletableGroupResult;
use protocol::messages::{DeleteGroupsRequest, DeleteGroupsResponse};

use super::{Reply, RequestContext};
use crate::error_code;

pub(super) fn handle(context: RequestContext, request: DeleteGroupsRequest) -> Reply<DeleteGroupsResponse> {
    Reply::Later(Box::pin(async move {
        let mut results = Vec::with_capacity(request.groups_names.len());
        for group in request.groups_names {
            let deleted = context.services.groups.delete_group(&group).await;
            let code = deleted.map_or_else(|error| error_code::group(&error).code(), |()| NONE);
            results.push(DeletableGroupResult::default().with_group_id(group).with_error_code(code));
        }
        DeleteGroupsResponse::default().with_results(results)
    }))
}
