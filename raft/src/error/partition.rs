//! Why a partition got no leader, or no other replicas (`ReplicationControlManager`).

use super::InvalidReplicaAssignment;
use std::sync::Arc;

/// Why a partition's leader was not elected. Each variant is one of Kafka's error codes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ElectionError {
    /// No topic has that name.
    #[error("No such topic as {0}")]
    UnknownTopic(Arc<str>),
    /// The topic has no such partition.
    #[error("No such partition as {topic}-{partition}")]
    UnknownPartition {
        /// The topic's name.
        topic: Arc<str>,
        /// The partition's index.
        partition: i32,
    },
    /// The partition has the leader that is wanted.
    #[error("Leader election not needed for topic partition.")]
    NotNeeded,
    /// The first replica may not lead.
    #[error("The preferred leader was not available.")]
    PreferredNotAvailable,
    /// No replica may lead.
    #[error("Eligible topic partition leaders are not available.")]
    EligibleNotAvailable,
}

/// Why a partition's replicas were not reassigned. Each variant is one of Kafka's error codes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReassignmentError {
    /// No topic has that name.
    #[error("Unable to find a topic named {0}.")]
    UnknownTopic(Arc<str>),
    /// The topic has no such partition.
    #[error("Unable to find partition {topic}:{partition}.")]
    UnknownPartition {
        /// The topic's name.
        topic: Arc<str>,
        /// The partition's index.
        partition: i32,
    },
    /// There is nothing to take back.
    #[error("No partition reassignment is in progress.")]
    NotInProgress,
    /// The replicas cannot be.
    #[error(transparent)]
    InvalidReplicaAssignment(#[from] InvalidReplicaAssignment),
    /// The partition would have another number of replicas, which the request does not allow (KIP-860).
    #[error("The replication factor is changed from {current} to {wanted}")]
    ReplicationFactor {
        /// Replicas that it has, or would have without the reassignment under way.
        current: usize,
        /// Replicas that it should have.
        wanted: usize,
    },
    /// None of the earlier replicas is in sync any more.
    #[error(
        "Unable to revert partition assignment for {topic}:{partition} because it would require an unclean leader \
         election."
    )]
    UncleanRevert {
        /// The topic's name.
        topic: Arc<str>,
        /// The partition's index.
        partition: i32,
    },
}

/// Why the controller did not take over where a replica is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryError {
    /// No topic has that id.
    #[error("This server does not host this topic ID.")]
    UnknownTopicId,
    /// The topic has no such partition.
    #[error("This server does not host this topic-partition.")]
    UnknownPartition,
    /// The broker holds no replica of it.
    #[error("The broker holds no replica of the partition.")]
    NotReplica,
}
