//! openraft's type parameters, named once.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use openraft::impls::{BasicNode, leader_id_std};
use protocol::metadata_record::MetadataRecord;

use crate::controller::Proposed;

openraft::declare_raft_types!(
    /// One leader a term, so that a term is a Kafka leader epoch.
    pub(super) TypeConfig:
        D = Operation,
        R = Option<Proposed>,
        NodeId = u64,
        Node = BasicNode,
        Term = u64,
        LeaderId = leader_id_std::LeaderId<u64, u64>,
);

pub(super) type Entry = openraft::type_config::alias::EntryOf<TypeConfig>;
pub(super) type LogId = openraft::type_config::alias::LogIdOf<TypeConfig>;
pub(super) type Vote = openraft::type_config::alias::VoteOf<TypeConfig>;
pub(super) type Payload = openraft::type_config::alias::PayloadOf<TypeConfig>;
pub(super) type Membership = openraft::Membership<u64, BasicNode>;
pub(super) type StoredMembership = openraft::type_config::alias::StoredMembershipOf<TypeConfig>;
pub(super) type SnapshotMeta = openraft::type_config::alias::SnapshotMetaOf<TypeConfig>;
pub(super) type Snapshot = openraft::type_config::alias::SnapshotOf<TypeConfig, super::snapshot::SnapshotFile>;
pub(super) type IOFlushed = openraft::storage::IOFlushed<TypeConfig>;

/// What is written as one batch of the log, and applied whole or not at all.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Operation {
    /// An operation of the controller.
    Records {
        records: Arc<[MetadataRecord]>,
        /// When it was proposed, in ms since the epoch.
        timestamp_ms: i64,
    },
    /// A batch of KRaft's control records, whatever its base offset and epoch.
    Control(Bytes),
}

impl fmt::Display for Operation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Records { records, .. } => write!(formatter, "{} records", records.len()),
            Self::Control(batch) => write!(formatter, "control records, {} bytes", batch.len()),
        }
    }
}

/// A log id of a term and an index.
pub(super) fn log_id(term: u64, index: u64) -> LogId {
    LogId::new(term.into(), index)
}

/// The term of a log id.
pub(super) fn term(log_id: &LogId) -> u64 {
    log_id.leader_id.term
}

/// A Kafka node id as openraft has it. Node ids are not negative.
pub(super) fn member(node_id: i32) -> u64 {
    u64::try_from(node_id).unwrap_or(u64::MAX)
}

/// A member of the quorum as a Kafka node id; −1 for one that cannot be.
pub(super) fn node_id(member: u64) -> i32 {
    i32::try_from(member).unwrap_or(-1)
}
