//! ListGroups (key 16), versions 0–5.
//!
//! Behaviour: the groups that this broker coordinates, of all states and types or only of those asked for, whatever their case.
//! Versions: v3 flexible · v4 states, and a filter of them (KIP-518) · v5 types, and a filter of them (KIP-848).
//! Source: ListGroupsRequest.json, `GroupCoordinatorService.listGroups`.

use protocol::messages::list_groups_response::ListedGroup;
use protocol::messages::{GroupId, ListGroupsRequest, ListGroupsResponse};

use super::text::str_bytes;
use super::{Reply, RequestContext};
use crate::error_code;
use crate::group::GroupFilter;

const FIRST_WITH_STATES: i16 = 4;
const FIRST_WITH_TYPES: i16 = 5;

pub(super) fn handle(context: RequestContext, request: ListGroupsRequest) -> Reply<ListGroupsResponse> {
    Reply::Later(Box::pin(async move {
        let filter = GroupFilter { states: request.states_filter, types: request.types_filter };
        match context.services.groups.list(&filter).await {
            Ok(groups) => {
                let listed = groups.iter().map(|group| listed(group, context.api_version));
                ListGroupsResponse::default().with_groups(listed.collect())
            }
            Err(error) => ListGroupsResponse::default().with_error_code(error_code::group(&error).code()),
        }
    }))
}

fn listed(group: &crate::group::ListedGroup, version: i16) -> ListedGroup {
    let mut listed = ListedGroup::default()
        .with_group_id(GroupId(str_bytes(&group.id)))
        .with_protocol_type(str_bytes(&group.protocol_type));
    if version >= FIRST_WITH_STATES {
        listed.group_state = str_bytes(group.state);
    }
    if version >= FIRST_WITH_TYPES {
        listed.group_type = str_bytes(group.kind);
    }
    listed
}
