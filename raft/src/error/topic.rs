//! Why a topic was not created, deleted or grown (`ReplicationControlManager`, `ControllerApis`).

use super::ConfigError;
use crate::controller::ThrottlingQuotaExceeded;
use std::sync::Arc;

/// Why one topic of a request was refused. Each variant is one of Kafka's error codes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TopicError {
    /// The name cannot be a topic's.
    #[error(transparent)]
    InvalidTopic(#[from] InvalidTopic),
    /// The topic exists.
    #[error("Topic '{0}' already exists.")]
    AlreadyExists(Arc<str>),
    /// The request contradicts itself.
    #[error(transparent)]
    InvalidRequest(#[from] InvalidRequest),
    /// There cannot be so many replicas.
    #[error(transparent)]
    InvalidReplicationFactor(#[from] InvalidReplicationFactor),
    /// There cannot be so many partitions.
    #[error(transparent)]
    InvalidPartitions(#[from] InvalidPartitions),
    /// Partitions cannot be where the request wants them.
    #[error(transparent)]
    InvalidReplicaAssignment(#[from] InvalidReplicaAssignment),
    /// The topic's configuration is invalid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// No topic has that name.
    #[error("This server does not host this topic-partition.")]
    UnknownTopic,
    /// No topic has that id.
    #[error("This server does not host this topic ID.")]
    UnknownTopicId,
    /// Whoever asks changes topics too fast.
    #[error(transparent)]
    Throttled(#[from] ThrottlingQuotaExceeded),
}

/// Names that no topic can have (`Topic.validate`), or that look like another in metrics.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTopic {
    /// No name.
    #[error("Topic name is invalid: the empty string is not allowed")]
    Empty,
    /// `.` or `..`, which are no names of folders.
    #[error("Topic name is invalid: '{0}' is not allowed")]
    Dots(&'static str),
    /// Longer than folders' names may be.
    #[error("Topic name is invalid: the length of '{name}' is longer than the max allowed length {limit}")]
    TooLong {
        /// The name.
        name: Arc<str>,
        /// The longest allowed, in characters.
        limit: usize,
    },
    /// Characters that are not allowed.
    #[error(
        "Topic name is invalid: '{0}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
    )]
    Characters(Arc<str>),
    /// Equal to another topic's name but for `.` and `_`, which metrics do not tell apart.
    #[error("Topic '{name}' collides with existing topic: {existing}")]
    Collision {
        /// The name.
        name: Arc<str>,
        /// The topic that it looks like.
        existing: Arc<str>,
    },
}

/// Requests that contradict themselves.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRequest {
    /// A name stands in the request more than once.
    #[error("Duplicate topic name.")]
    DuplicateName,
    /// An id stands in the request more than once.
    #[error("Duplicate topic id.")]
    DuplicateId,
    /// A topic is named twice, by name and by id.
    #[error("The provided topic name maps to an ID that was already supplied.")]
    NameOfSuppliedId,
    /// A topic that only the quorum has.
    #[error("Creation of internal topic {0} is prohibited.")]
    InternalTopic(&'static str),
    /// Replicas were assigned by hand and counted as well.
    #[error("A manual partition assignment was specified, but replication factor was not set to -1.")]
    AssignmentWithReplicationFactor,
    /// Partitions were assigned by hand and counted as well.
    #[error("A manual partition assignment was specified, but numPartitions was not set to -1.")]
    AssignmentWithPartitionCount,
}

/// Replicas that cannot be placed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidReplicationFactor {
    /// Zero or negative.
    #[error("Replication factor must be larger than 0, or -1 to use the default value.")]
    NotPositive,
    /// There is no place for a new topic's replicas.
    #[error("Unable to replicate the partition {wanted} time(s): {reason}")]
    NewTopic {
        /// The replication factor.
        wanted: i16,
        /// Why not.
        reason: PlacementError,
    },
    /// There is no place for the replicas of a topic's further partitions.
    #[error(transparent)]
    NewPartitions(PlacementError),
}

/// Why replicas have no place (`StripedReplicaPlacer`).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlacementError {
    /// No broker could lead.
    #[error("All brokers are currently fenced.")]
    AllFenced,
    /// More replicas than brokers.
    #[error(
        "The target replication factor of {wanted} cannot be reached because only {brokers} broker(s) are registered or \
         some brokers have all their log directories cordoned."
    )]
    TooFewBrokers {
        /// The replication factor.
        wanted: usize,
        /// How many brokers could take a replica.
        brokers: usize,
    },
}

/// Numbers of partitions that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPartitions {
    /// Zero or negative.
    #[error("Number of partitions was set to an invalid non-positive value.")]
    NotPositive,
    /// The topic already has as many.
    #[error("Topic already has {0} partition(s).")]
    Same(usize),
    /// The topic has more.
    #[error("The topic {topic} currently has {current} partition(s); {wanted} would not be an increase.")]
    Decrease {
        /// The topic's name.
        topic: Arc<str>,
        /// How many it has.
        current: usize,
        /// How many it should have.
        wanted: i32,
    },
}

/// Assignments by hand that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidReplicaAssignment {
    /// A partition without replicas.
    #[error("The manual partition assignment includes an empty replica list.")]
    Empty,
    /// A broker that is not there.
    #[error("The manual partition assignment includes broker {0}, but no such broker is registered.")]
    UnknownBroker(i32),
    /// A broker with two replicas of one partition.
    #[error("The manual partition assignment includes the broker {0} more than once.")]
    DuplicateBroker(i32),
    /// Partitions with different numbers of replicas.
    #[error(
        "The manual partition assignment includes a partition with {found} replica(s), but this is not consistent \
         with previous partitions, which have {expected} replica(s)."
    )]
    ReplicaCount {
        /// Replicas of this partition.
        found: usize,
        /// Replicas of the others.
        expected: usize,
    },
    /// No broker of a partition could lead it.
    #[error(
        "All brokers specified in the manual partition assignment for partition {0} are fenced or in controlled \
         shutdown."
    )]
    NoActiveBroker(i32),
    /// A partition that is assigned twice.
    #[error("Found multiple manual partition assignments for partition {0}")]
    DuplicatePartition(i32),
    /// Partitions that are not numbered from 0.
    #[error("partitions should be a consecutive 0-based integer sequence")]
    NotConsecutive,
    /// Assignments for other partitions than the new ones.
    #[error(
        "Attempted to add {additional} additional partition(s), but only {assignments} assignment(s) were specified."
    )]
    Count {
        /// How many partitions are new.
        additional: usize,
        /// How many were assigned.
        assignments: usize,
    },
}
