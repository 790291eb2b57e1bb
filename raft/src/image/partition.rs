//! One partition: who holds it, who is in sync, who leads (`PartitionRegistration`). Ten thousand of them are common, so
//! what is short and always there is stored in place, and what is rare behind one pointer.

use crate::error::ReplayError;
use protocol::ids::Uuid;
use protocol::metadata_record::{PartitionChangeRecord, PartitionRecord};
use std::fmt;
use std::ops::Deref;

/// The leader of a partition that nobody leads (`LeaderConstants.NO_LEADER`).
pub const NO_LEADER: i32 = -1;

/// `PartitionChangeRecord.leader` when the leader stays (`LeaderConstants.NO_LEADER_CHANGE`).
pub(crate) const NO_LEADER_CHANGE: i32 = -2;

/// Log directory ids with a meaning of their own (`DirectoryId`).
pub mod directory_id {
    use protocol::ids::Uuid;

    /// Not known yet: the replica was placed before directories were recorded.
    pub const MIGRATING: Uuid = Uuid::from_u128(0);
    /// Not chosen yet: the broker will choose.
    pub const UNASSIGNED: Uuid = Uuid::from_u128(1);
    /// A directory that is offline.
    pub const LOST: Uuid = Uuid::from_u128(2);
}

/// Broker ids; up to five are stored in place.
#[derive(Clone)]
pub struct BrokerIds(Ids);

#[derive(Clone)]
enum Ids {
    Inline { count: u8, ids: [i32; 5] },
    Heap(Box<[i32]>),
}

impl Deref for BrokerIds {
    type Target = [i32];

    fn deref(&self) -> &[i32] {
        match &self.0 {
            Ids::Inline { count, ids } => ids.get(..usize::from(*count)).unwrap_or_default(),
            Ids::Heap(ids) => ids,
        }
    }
}

impl From<&[i32]> for BrokerIds {
    fn from(ids: &[i32]) -> Self {
        let mut inline = [0; 5];
        match inline.get_mut(..ids.len()) {
            Some(place) => {
                place.copy_from_slice(ids);
                Self(Ids::Inline { count: ids.len() as u8, ids: inline })
            }
            None => Self(Ids::Heap(ids.into())),
        }
    }
}

impl PartialEq for BrokerIds {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for BrokerIds {}

impl fmt::Debug for BrokerIds {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(formatter)
    }
}

/// The log directory of each replica, in the order of the replicas; a single one is stored in place.
#[derive(Clone)]
pub struct Directories(DirectoryIds);

#[derive(Clone)]
enum DirectoryIds {
    One(Uuid),
    Many(Box<[Uuid]>),
}

impl Deref for Directories {
    type Target = [Uuid];

    fn deref(&self) -> &[Uuid] {
        match &self.0 {
            DirectoryIds::One(id) => std::slice::from_ref(id),
            DirectoryIds::Many(ids) => ids,
        }
    }
}

impl From<&[Uuid]> for Directories {
    fn from(ids: &[Uuid]) -> Self {
        Self(match ids {
            [id] => DirectoryIds::One(*id),
            ids => DirectoryIds::Many(ids.into()),
        })
    }
}

impl PartialEq for Directories {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Directories {}

impl fmt::Debug for Directories {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(formatter)
    }
}

/// Whether the leader came from an unclean election and is not done repairing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaderRecoveryState {
    /// The election was clean, or the leader is done.
    Recovered,
    /// The election was unclean.
    Recovering,
}

impl LeaderRecoveryState {
    fn from_id(id: i8) -> Option<Self> {
        match id {
            0 => Some(Self::Recovered),
            1 => Some(Self::Recovering),
            _ => None,
        }
    }

    fn id(self) -> i8 {
        match self {
            Self::Recovered => 0,
            Self::Recovering => 1,
        }
    }
}

/// The state of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionImage {
    replicas: BrokerIds,
    isr: BrokerIds,
    directories: Directories,
    rare: Option<Box<Rare>>,
    leader: i32,
    leader_epoch: i32,
    partition_epoch: i32,
    leader_recovery_state: LeaderRecoveryState,
}

/// What a healthy partition at rest does not have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Rare {
    removing_replicas: Vec<i32>,
    adding_replicas: Vec<i32>,
    elr: Vec<i32>,
    last_known_elr: Vec<i32>,
}

impl Rare {
    fn boxed(self) -> Option<Box<Self>> {
        (self != Self::default()).then(|| Box::new(self))
    }
}

impl PartitionImage {
    /// Brokers that hold the partition, preferred leader first.
    #[must_use]
    pub fn replicas(&self) -> &[i32] {
        &self.replicas
    }

    /// Replicas in sync.
    #[must_use]
    pub fn isr(&self) -> &[i32] {
        &self.isr
    }

    /// The log directory of each replica, in the order of the replicas.
    #[must_use]
    pub fn directories(&self) -> &[Uuid] {
        &self.directories
    }

    /// The log directory of one replica.
    #[must_use]
    pub fn directory(&self, replica: i32) -> Option<Uuid> {
        let place = self.replicas.iter().position(|id| *id == replica)?;
        self.directories.get(place).copied()
    }

    /// Replicas that a reassignment takes away.
    #[must_use]
    pub fn removing_replicas(&self) -> &[i32] {
        self.rare.as_ref().map_or(&[], |rare| &rare.removing_replicas)
    }

    /// Replicas that a reassignment brings.
    #[must_use]
    pub fn adding_replicas(&self) -> &[i32] {
        self.rare.as_ref().map_or(&[], |rare| &rare.adding_replicas)
    }

    /// Eligible leader replicas (KIP-966).
    #[must_use]
    pub fn elr(&self) -> &[i32] {
        self.rare.as_ref().map_or(&[], |rare| &rare.elr)
    }

    /// The last known leader while nobody may lead (KIP-966).
    #[must_use]
    pub fn last_known_elr(&self) -> &[i32] {
        self.rare.as_ref().map_or(&[], |rare| &rare.last_known_elr)
    }

    /// The leader's broker id, or [`NO_LEADER`].
    #[must_use]
    pub fn leader(&self) -> i32 {
        self.leader
    }

    /// The leader epoch.
    #[must_use]
    pub fn leader_epoch(&self) -> i32 {
        self.leader_epoch
    }

    /// The partition epoch: raised by every change.
    #[must_use]
    pub fn partition_epoch(&self) -> i32 {
        self.partition_epoch
    }

    /// Whether the leader still repairs after an unclean election.
    #[must_use]
    pub fn leader_recovery_state(&self) -> LeaderRecoveryState {
        self.leader_recovery_state
    }

    pub(crate) fn from_record(record: &PartitionRecord) -> Result<Self, ReplayError> {
        let rare = Rare {
            removing_replicas: record.removing_replicas.clone(),
            adding_replicas: record.adding_replicas.clone(),
            elr: record.eligible_leader_replicas.clone().unwrap_or_default(),
            last_known_elr: record.last_known_elr.clone().unwrap_or_default(),
        };
        Ok(Self {
            replicas: record.replicas.as_slice().into(),
            isr: record.isr.as_slice().into(),
            directories: directories(&record.directories, record.replicas.len())?,
            rare: rare.boxed(),
            leader: record.leader,
            leader_epoch: record.leader_epoch,
            partition_epoch: record.partition_epoch,
            leader_recovery_state: recovery_state(record.leader_recovery_state)?,
        })
    }

    pub(crate) fn to_record(&self, topic_id: Uuid, partition_id: i32) -> PartitionRecord {
        let present = |ids: &[i32]| (!ids.is_empty()).then(|| ids.to_vec());
        PartitionRecord {
            partition_id,
            topic_id,
            replicas: self.replicas.to_vec(),
            isr: self.isr.to_vec(),
            removing_replicas: self.removing_replicas().to_vec(),
            adding_replicas: self.adding_replicas().to_vec(),
            leader: self.leader,
            leader_recovery_state: self.leader_recovery_state.id(),
            leader_epoch: self.leader_epoch,
            partition_epoch: self.partition_epoch,
            directories: self.directories.to_vec(),
            eligible_leader_replicas: present(self.elr()),
            last_known_elr: present(self.last_known_elr()),
        }
    }

    /// The partition after `record` (`PartitionRegistration.merge`). A leader in the record raises the leader epoch, even if it is
    /// the same one; every record raises the partition epoch.
    pub(crate) fn merge(&self, record: &PartitionChangeRecord) -> Result<Self, ReplayError> {
        let ids = |new: &Option<Vec<i32>>, old: &BrokerIds| new.as_deref().map_or_else(|| old.clone(), Into::into);
        let list = |new: &Option<Vec<i32>>, old: &[i32]| new.clone().unwrap_or_else(|| old.to_vec());
        let replicas = ids(&record.replicas, &self.replicas);
        let new_directories = record.directories.as_deref().unwrap_or(&self.directories);
        let rare = Rare {
            removing_replicas: list(&record.removing_replicas, self.removing_replicas()),
            adding_replicas: list(&record.adding_replicas, self.adding_replicas()),
            elr: list(&record.eligible_leader_replicas, self.elr()),
            last_known_elr: list(&record.last_known_elr, self.last_known_elr()),
        };
        let elected = record.leader != NO_LEADER_CHANGE;
        Ok(Self {
            directories: directories(new_directories, replicas.len())?,
            isr: ids(&record.isr, &self.isr),
            replicas,
            rare: rare.boxed(),
            leader: if elected { record.leader } else { self.leader },
            leader_epoch: next_epoch(self.leader_epoch, elected)?,
            partition_epoch: next_epoch(self.partition_epoch, true)?,
            leader_recovery_state: match record.leader_recovery_state {
                -1 => self.leader_recovery_state,
                id => recovery_state(id)?,
            },
        })
    }

    /// The partition without eligible leader replicas, or `None` if it has none.
    pub(crate) fn without_elr(&self, topic_id: Uuid, partition_id: i32) -> Result<Option<Self>, ReplayError> {
        if self.elr().is_empty() && self.last_known_elr().is_empty() {
            return Ok(None);
        }
        let record = PartitionChangeRecord {
            partition_id,
            topic_id,
            eligible_leader_replicas: Some(Vec::new()),
            last_known_elr: Some(Vec::new()),
            ..PartitionChangeRecord::default()
        };
        self.merge(&record).map(Some)
    }
}

fn next_epoch(epoch: i32, raise: bool) -> Result<i32, ReplayError> {
    if !raise {
        return Ok(epoch);
    }
    epoch.checked_add(1).ok_or(ReplayError::InvalidValue { field: "epoch", value: epoch.into() })
}

fn recovery_state(id: i8) -> Result<LeaderRecoveryState, ReplayError> {
    LeaderRecoveryState::from_id(id)
        .ok_or(ReplayError::InvalidValue { field: "leader_recovery_state", value: id.into() })
}

/// The directories of `replica_count` replicas. None at all, or only [`directory_id::MIGRATING`], means that they are not known.
fn directories(ids: &[Uuid], replica_count: usize) -> Result<Directories, ReplayError> {
    if ids.iter().all(|id| *id == directory_id::MIGRATING) {
        return Ok(vec![directory_id::MIGRATING; replica_count].as_slice().into());
    }
    if ids.len() != replica_count {
        return Err(ReplayError::DirectoriesMismatch { replicas: replica_count, directories: ids.len() });
    }
    Ok(ids.into())
}
