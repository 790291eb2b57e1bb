//! A member of a group of the classic protocol. Source: `ClassicGroupMember`.

use bytes::Bytes;
use std::sync::Arc;

use crate::group::effects::Ticket;

/// A protocol that a member can speak, and what it says about itself in it. Opaque but for consumers' subscriptions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protocol {
    pub name: Arc<str>,
    pub metadata: Bytes,
}

/// Who a member is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub id: Arc<str>,
    /// The id of a static member (KIP-345).
    pub instance_id: Option<Arc<str>>,
    pub client_id: Arc<str>,
    pub client_host: Arc<str>,
}

/// One member.
#[derive(Clone, Debug)]
pub struct Member {
    pub identity: Identity,
    pub rebalance_timeout_ms: i32,
    pub session_timeout_ms: i32,
    /// In the order of preference.
    pub protocols: Vec<Protocol>,
    pub assignment: Bytes,
    pub(super) awaiting_join: Option<Ticket>,
    pub(super) awaiting_sync: Option<Ticket>,
    /// It has never been told its id, so it cannot send heartbeats.
    pub(super) is_new: bool,
}

impl Member {
    pub fn id(&self) -> &Arc<str> {
        &self.identity.id
    }

    pub fn is_static(&self) -> bool {
        self.identity.instance_id.is_some()
    }

    /// What it says about itself in that protocol; nothing in one that it does not speak.
    pub fn metadata(&self, protocol: Option<&str>) -> Bytes {
        let spoken = self.protocols.iter().find(|spoken| Some(&*spoken.name) == protocol);
        spoken.map(|spoken| spoken.metadata.clone()).unwrap_or_default()
    }

    /// Whether it may be silent now: it waits for an answer of ours.
    pub(super) fn has_satisfied_heartbeat(&self) -> bool {
        // New members expire even while they wait: their client may be gone, and nobody would see it.
        !self.is_new && (self.awaiting_join.is_some() || self.awaiting_sync.is_some())
    }
}
