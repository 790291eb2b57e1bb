//! Records that do not fit the state they are applied to.

use protocol::ids::{Uuid, format_uuid};
use std::sync::Arc;

/// A record of the metadata log that does not fit the state before it. The log or this program is wrong; a node that meets one
/// must stop, because it no longer knows the state of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The record names a topic id that does not exist.
    #[error("no topic has id {}", format_uuid(*.0))]
    UnknownTopic(Uuid),
    /// The record names a topic that does not exist.
    #[error("no topic has name {0}")]
    UnknownTopicName(Arc<str>),
    /// The record creates a topic whose name or id is taken.
    #[error("topic {name} with id {} exists", format_uuid(*.id))]
    TopicExists {
        /// The name.
        name: Arc<str>,
        /// The id.
        id: Uuid,
    },
    /// The record changes a partition that does not exist.
    #[error("{topic} has no partition {partition}")]
    UnknownPartition {
        /// The topic's name.
        topic: Arc<str>,
        /// The partition's index.
        partition: i32,
    },
    /// The record creates a partition that is not the next one.
    #[error("partition {partition} of {topic} does not follow its {count} partitions")]
    PartitionGap {
        /// The topic's name.
        topic: Arc<str>,
        /// The partition's index.
        partition: i32,
        /// How many partitions the topic has.
        count: usize,
    },
    /// A partition's directories are not as many as its replicas.
    #[error("{directories} directories for {replicas} replicas")]
    DirectoriesMismatch {
        /// How many replicas.
        replicas: usize,
        /// How many directories.
        directories: usize,
    },
    /// The record names a broker that is not registered.
    #[error("broker {0} is not registered")]
    UnknownBroker(i32),
    /// The record changes another registration of the broker than the current one.
    #[error("broker {id} has epoch {expected}, the record has {found}")]
    BrokerEpoch {
        /// The broker's id.
        id: i32,
        /// The epoch of its registration.
        expected: i64,
        /// The epoch in the record.
        found: i64,
    },
    /// A field has a value that nothing means.
    #[error("{field} cannot be {value}")]
    InvalidValue {
        /// The field.
        field: &'static str,
        /// Its value.
        value: i64,
    },
    /// A metadata transaction was begun inside another, or not ended by its batch.
    #[error("a metadata transaction is open")]
    OpenTransaction,
    /// A metadata transaction ends that was not begun.
    #[error("no metadata transaction is open")]
    NoTransaction,
}
