//! Members of the classic protocol, who join, and get their assignment from the first of them.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use bytes::Bytes;
use protocol::StrBytes;
use protocol::messages::join_group_request::JoinGroupRequestProtocol;
use protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use protocol::messages::{GroupId, HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, SyncGroupRequest};

use super::{Members, Shape};
use crate::client::{Client, encode, text};
use crate::request::HEARTBEAT_VERSION;

/// The last in which a new member needs no second request to get its id.
const JOIN_GROUP_VERSION: i16 = 3;
const SYNC_GROUP_VERSION: i16 = 2;
/// Nobody's session ends during a run.
const SESSION_MS: i32 = 1_800_000;

struct Member {
    group: GroupId,
    client: Client,
    id: StrBytes,
    generation: i32,
    /// Who gets an assignment from this one, if it leads.
    led: Vec<StrBytes>,
}

/// All members of all groups.
pub(super) struct ClassicMembers {
    all: Vec<Member>,
    round: u32,
}

impl ClassicMembers {
    pub(super) fn connect(address: SocketAddr, shape: Shape) -> Result<Self> {
        let clients = Client::connect_all(address, shape.groups * shape.members)?;
        let member = |(number, client)| {
            let group = GroupId(text(&format!("group-{}", number / shape.members)));
            Member { group, client, id: text(""), generation: -1, led: Vec::new() }
        };
        Ok(Self { all: clients.into_iter().enumerate().map(member).collect(), round: 0 })
    }
}

impl Members for ClassicMembers {
    /// Everybody joins with a new subscription, and gets an assignment.
    fn rebalance(&mut self) -> Result<Duration> {
        self.round += 1;
        let start = Instant::now();
        for member in &mut self.all {
            member.client.ask(&join(member.group.clone(), member.id.clone(), self.round), JOIN_GROUP_VERSION)?;
        }
        for member in &mut self.all {
            let joined = member.client.answer::<JoinGroupRequest>(JOIN_GROUP_VERSION)?;
            member.joined(&joined)?;
        }
        for member in &mut self.all {
            let sync = member.sync();
            member.client.ask(&sync, SYNC_GROUP_VERSION)?;
        }
        for member in &mut self.all {
            let synced = member.client.answer::<SyncGroupRequest>(SYNC_GROUP_VERSION)?;
            ensure!(synced.error_code == 0, "sync: error {}", synced.error_code);
            ensure!(!synced.assignment.is_empty(), "sync: no assignment");
        }
        Ok(start.elapsed())
    }

    fn heartbeats(&self) -> Result<Vec<Bytes>> {
        let frame = |member: &Member| {
            let request = HeartbeatRequest::default()
                .with_group_id(member.group.clone())
                .with_generation_id(member.generation)
                .with_member_id(member.id.clone());
            encode(&request, HEARTBEAT_VERSION)
        };
        self.all.iter().map(frame).collect()
    }
}

/// What a consumer of two topics sends; the round makes it a new subscription, so that the group has to rebalance.
fn join(group: GroupId, id: StrBytes, round: u32) -> JoinGroupRequest {
    let metadata =
        [&b"\0\x01\0\0\0\x02\0\x06orders\0\x08payments\0\0\0\x04"[..], &round.to_be_bytes(), &[0; 4]].concat();
    let protocol = JoinGroupRequestProtocol::default().with_name(text("range")).with_metadata(metadata.into());
    JoinGroupRequest::default()
        .with_group_id(group)
        .with_session_timeout_ms(SESSION_MS)
        .with_rebalance_timeout_ms(300_000)
        .with_member_id(id)
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol])
}

impl Member {
    fn joined(&mut self, joined: &JoinGroupResponse) -> Result<()> {
        ensure!(joined.error_code == 0, "join: error {}", joined.error_code);
        self.id = joined.member_id.clone();
        self.generation = joined.generation_id;
        self.led = joined.members.iter().map(|member| member.member_id.clone()).collect();
        Ok(())
    }

    fn sync(&self) -> SyncGroupRequest {
        // Two topics of one partition each.
        let assignment = b"\0\x01\0\0\0\x02\0\x06orders\0\0\0\x01\0\0\0\0\0\x08payments\0\0\0\x01\0\0\0\0\0\0\0\0";
        let assign = |id: &StrBytes| {
            SyncGroupRequestAssignment::default()
                .with_member_id(id.clone())
                .with_assignment(Bytes::from_static(assignment))
        };
        SyncGroupRequest::default()
            .with_group_id(self.group.clone())
            .with_generation_id(self.generation)
            .with_member_id(self.id.clone())
            .with_assignments(self.led.iter().map(assign).collect())
    }
}
