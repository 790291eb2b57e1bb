//! DescribeGroups (key 15), versions 0–6.
//!
//! Behaviour: state, protocol and members of each group; what members said about themselves only of a stable group. A group that
//! does not exist, or uses the consumer protocol, is Dead, and from version 6 on an error.
//! Versions: v3 what the client may do with the group (KIP-430) · v4 static members (KIP-345) · v5 flexible · v6 message, and
//! GROUP_ID_NOT_FOUND (KIP-1043).
//! Source: DescribeGroupsRequest.json, `GroupMetadataManager.describeGroups`.

use protocol::StrBytes;
use protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use protocol::messages::{DescribeGroupsRequest, DescribeGroupsResponse, GroupId};

use super::text::str_bytes;
use super::{Reply, RequestContext};
use crate::error_code;
use crate::group::{self, DescribedMember, GroupError};

const FIRST_WITH_NOT_FOUND: i16 = 6;
/// The state of a group that does not exist.
const DEAD: StrBytes = StrBytes::from_static_str("Dead");
/// What anybody may do with a group while nothing is forbidden, a bit for each operation: read, delete, describe, describe and
/// alter configs.
pub(super) const GROUP_OPERATIONS: i32 = 1 << 3 | 1 << 6 | 1 << 8 | 1 << 10 | 1 << 11;

pub(super) fn handle(context: RequestContext, request: DescribeGroupsRequest) -> Reply<DescribeGroupsResponse> {
    Reply::Later(Box::pin(async move {
        let mut groups = Vec::with_capacity(request.groups.len());
        for id in request.groups {
            let mut described = describe(&context, id).await;
            if request.include_authorized_operations && described.error_code == 0 {
                described.authorized_operations = GROUP_OPERATIONS;
            }
            groups.push(described);
        }
        DescribeGroupsResponse::default().with_groups(groups)
    }))
}

async fn describe(context: &RequestContext, id: GroupId) -> DescribedGroup {
    let answer = match context.services.groups.describe(&id).await {
        Ok(group) => described(group),
        Err(error @ (GroupError::GroupNotFound(_) | GroupError::NotClassicGroup(_))) => missing(context, &error),
        Err(error) => DescribedGroup::default().with_error_code(error_code::group(&error).code()),
    };
    answer.with_group_id(id)
}

fn missing(context: &RequestContext, error: &GroupError) -> DescribedGroup {
    let dead = DescribedGroup::default().with_group_state(DEAD);
    if context.api_version < FIRST_WITH_NOT_FOUND {
        return dead;
    }
    let code = error_code::group(error).code();
    dead.with_error_code(code).with_error_message(Some(StrBytes::from_string(error.to_string())))
}

fn described(group: group::DescribedGroup) -> DescribedGroup {
    DescribedGroup::default()
        .with_group_state(str_bytes(group.state.name()))
        .with_protocol_type(str_bytes(&group.protocol_type))
        .with_protocol_data(str_bytes(&group.protocol))
        .with_members(group.members.into_iter().map(member).collect())
}

fn member(member: DescribedMember) -> DescribedGroupMember {
    DescribedGroupMember::default()
        .with_member_id(str_bytes(&member.id))
        .with_group_instance_id(member.instance_id.as_deref().map(str_bytes))
        .with_client_id(str_bytes(&member.client_id))
        .with_client_host(str_bytes(&member.client_host))
        .with_member_metadata(member.metadata)
        .with_member_assignment(member.assignment)
}
