//! A member of a group of the consumer protocol. Source: `ConsumerGroupMember`, `MemberState`.

use protocol::ids::Uuid;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::assignor::Partitions;
use crate::group::classic::Protocol;

/// Partitions that a member has, by topic, each with the epoch at which the member got it (KIP-1251); no topic has none.
pub type Owned = BTreeMap<Uuid, BTreeMap<i32, i32>>;

/// The epoch of a member that leaves.
pub const LEAVE_EPOCH: i32 = -1;
/// The epoch of a static member that leaves and will be back.
pub const LEAVE_STATIC_EPOCH: i32 = -2;
/// No epoch before, no timeout said.
pub(super) const NONE: i32 = -1;

/// How far a member is on the way to what it shall have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MemberState {
    /// It has what its epoch gives it.
    #[default]
    Stable,
    /// It has to give partitions up.
    UnrevokedPartitions,
    /// It waits for partitions that others have yet to give up.
    UnreleasedPartitions,
    /// A state of a later Kafka.
    Unknown,
}

impl MemberState {
    /// The number in records.
    pub(super) fn id(self) -> i8 {
        match self {
            Self::Stable => 0,
            Self::UnrevokedPartitions => 1,
            Self::UnreleasedPartitions => 2,
            Self::Unknown => 127,
        }
    }

    pub(super) fn from_id(id: i8) -> Self {
        let all = [Self::Stable, Self::UnrevokedPartitions, Self::UnreleasedPartitions];
        all.into_iter().find(|state| state.id() == id).unwrap_or(Self::Unknown)
    }
}

/// What a member that speaks the classic protocol has said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassicMetadata {
    pub session_timeout_ms: i32,
    /// In the order of preference.
    pub protocols: Vec<Protocol>,
}

/// One member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerMember {
    pub id: Arc<str>,
    /// The epoch that its client has to say; negative once it has left.
    pub epoch: i32,
    /// The epoch before, which the client may still say if the answer with the new one was lost.
    pub previous_epoch: i32,
    pub state: MemberState,
    /// The id of a static member.
    pub instance_id: Option<Arc<str>>,
    pub rack_id: Option<Arc<str>>,
    pub client_id: Arc<str>,
    pub client_host: Arc<str>,
    /// How long it may take to give partitions up, in ms.
    pub rebalance_timeout_ms: i32,
    /// The topics that it subscribes to by name.
    pub topics: BTreeSet<Arc<str>>,
    /// The regular expression of topics that it subscribes to; `None` and an empty one are none.
    pub regex: Option<Arc<str>>,
    /// The assignor that it prefers.
    pub assignor: Option<Arc<str>>,
    pub assigned: Owned,
    /// What it has to give up.
    pub pending_revocation: Owned,
    /// `None` for a member that speaks the consumer protocol.
    pub classic: Option<ClassicMetadata>,
}

impl ConsumerMember {
    /// A member that has said nothing yet.
    pub fn new(id: Arc<str>) -> Self {
        Self {
            id,
            epoch: 0,
            previous_epoch: NONE,
            state: MemberState::Stable,
            instance_id: None,
            rack_id: None,
            client_id: Arc::default(),
            client_host: Arc::default(),
            rebalance_timeout_ms: NONE,
            topics: BTreeSet::new(),
            regex: Some(Arc::default()),
            assignor: None,
            assigned: Owned::new(),
            pending_revocation: Owned::new(),
            classic: None,
        }
    }

    pub fn uses_classic_protocol(&self) -> bool {
        self.classic.is_some()
    }

    /// The regular expression, if it subscribes to one.
    pub fn regex(&self) -> Option<&Arc<str>> {
        self.regex.as_ref().filter(|regex| !regex.is_empty())
    }

    /// Whether it has all that the assignment of that epoch gives it.
    pub fn is_reconciled_to(&self, epoch: i32) -> bool {
        self.state == MemberState::Stable && self.epoch == epoch
    }

    /// The epoch at which it got a partition that it has, or has to give up.
    pub(super) fn assignment_epoch(&self, topic: Uuid, partition: i32) -> Option<i32> {
        let of = |owned: &Owned| owned.get(&topic)?.get(&partition).copied();
        of(&self.assigned).or_else(|| of(&self.pending_revocation))
    }

    /// Goes on to another epoch.
    pub(super) fn move_to(&mut self, epoch: i32) {
        self.previous_epoch = std::mem::replace(&mut self.epoch, epoch);
    }
}

/// Those partitions, all given at one epoch.
pub(super) fn with_epoch(partitions: &Partitions, epoch: i32) -> Owned {
    let owned = |partitions: &BTreeSet<i32>| partitions.iter().map(|partition| (*partition, epoch)).collect();
    partitions.iter().map(|(topic, partitions)| (*topic, owned(partitions))).collect()
}

/// Those partitions without their epochs.
pub(super) fn without_epochs(owned: &Owned) -> Partitions {
    owned.iter().map(|(topic, partitions)| (*topic, partitions.keys().copied().collect())).collect()
}
