//! Why the controller refused a whole operation, a registration or a configuration.

use super::{InvalidTopic, ReplayError};
use crate::controller::ProposeError;
use protocol::ids::{Uuid, format_uuid};
use std::ops::RangeInclusive;
use std::sync::Arc;

/// Why an operation was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControllerError {
    /// This node does not lead the metadata quorum, lost the lead before the operation was committed, or stops.
    #[error(transparent)]
    Quorum(#[from] ProposeError),
    /// The request asks for more partitions than one request may.
    #[error("Excessively large number of partitions per request.")]
    ExcessivePartitions,
    /// The operation needs more records than one batch may hold.
    #[error("Unable to perform excessively large batch operation.")]
    ExcessiveBatch,
    /// The registration of a broker or controller was refused.
    #[error(transparent)]
    Registration(#[from] RegistrationError),
    /// The request is not of the broker's current registration.
    #[error(transparent)]
    BrokerEpoch(#[from] BrokerEpochError),
    /// Every producer id was given out.
    #[error("Exhausted all producerIds as the next block's end producerId has exceeded the int64 type limit")]
    ProducerIdsExhausted,
    /// The controller made records that do not fit: a defect of this program. Nothing was written.
    #[error("the controller made records that do not fit")]
    Inconsistent(#[from] ReplayError),
}

/// Why a broker may not register (`ClusterControlManager.registerBroker`).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistrationError {
    /// The broker belongs to another cluster.
    #[error("Expected cluster ID {expected}, but got cluster ID {found}")]
    InconsistentClusterId {
        /// This cluster's id.
        expected: Arc<str>,
        /// The broker's.
        found: Arc<str>,
    },
    /// Another process has that broker id, and its session has not ended.
    #[error(
        "Another broker is registered with that broker id. If the broker was recently restarted this should \
         self-resolve once the heartbeat manager expires the broker's session."
    )]
    DuplicateBroker,
    /// The broker names no log directory.
    #[error("No directories specified in request")]
    NoDirectories,
    /// A directory id that has a meaning of its own.
    #[error("Reserved directory ID in request")]
    ReservedDirectory,
    /// A directory id stands in the request twice.
    #[error("Duplicate directory ID in request")]
    DuplicateDirectory,
    /// Another broker has that directory.
    #[error("Broker {broker_id} is already registered with directory {}", format_uuid(*.directory))]
    DirectoryOfOther {
        /// The other broker's id.
        broker_id: i32,
        /// The directory's id.
        directory: Uuid,
    },
    /// The broker does not know the format of the metadata log.
    #[error("Request features do not contain 'metadata.version'")]
    NoMetadataVersion,
    /// The broker does not support a finalized feature level.
    #[error(
        "Unable to register because the broker does not support finalized version {finalized} of {feature}. The \
         broker wants a version between {min} and {max}, inclusive."
    )]
    UnsupportedFeature {
        /// The feature's name.
        feature: Arc<str>,
        /// Its finalized level.
        finalized: i16,
        /// The lowest level that the broker supports.
        min: i16,
        /// The highest.
        max: i16,
    },
}

/// A request of a broker that is not registered, or of a process before its current one (`checkBrokerEpoch`).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BrokerEpochError {
    /// The broker is not registered.
    #[error("No broker registration found for broker id {0}")]
    Unregistered(i32),
    /// The broker has registered again since.
    #[error("Expected broker epoch {expected}, but got broker epoch {found}")]
    Stale {
        /// The epoch of the current registration.
        expected: i64,
        /// The epoch in the request.
        found: i64,
    },
}

/// Why a configuration was not changed (`ConfigurationControlManager`).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The broker's rules for keys and values refuse it, in their words.
    #[error("{0}")]
    Invalid(String),
    /// As [`ConfigError::Invalid`], where Kafka takes the request itself for the mistake.
    #[error("{0}")]
    InvalidRequest(String),
    /// A resource without a name that stands for no default.
    #[error("{0}")]
    Unnamed(&'static str),
    /// The resource is a topic, and no topic can have its name.
    #[error(transparent)]
    InvalidTopic(#[from] InvalidTopic),
    /// A topic was to be created with keys without values.
    #[error("Null value not supported for topic configs: {}", .0.join(","))]
    NullValues(Vec<Arc<str>>),
    /// A value is longer than a record can hold.
    #[error("The configuration value cannot be added because it exceeds the maximum value size of {} bytes.", i16::MAX)]
    ValueTooLong,
    /// One broker's own minimum would contradict the eligible leader replicas.
    #[error("Broker-level min.insync.replicas cannot be altered while ELR is enabled.")]
    BrokerMinIsr,
    /// The cluster's minimum is needed by the eligible leader replicas.
    #[error("Cluster-level min.insync.replicas cannot be removed while ELR is enabled.")]
    ClusterMinIsr,
    /// The topic does not exist.
    #[error("The topic '{0}' does not exist.")]
    UnknownTopic(Arc<str>),
    /// The resource is a broker, and its name is no number.
    #[error("Invalid broker name {0}")]
    InvalidBrokerName(Arc<str>),
    /// No broker or controller has that id.
    #[error("No node with id {0} found.")]
    UnknownNode(i32),
}

/// Why the quotas of an entity were not changed (`ClientQuotaControlManager`).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuotaError {
    /// It stands in the request twice, or one of its keys does.
    #[error("Ignoring duplicate entity {0}")]
    DuplicateEntity(String),
    /// It has no part.
    #[error("Invalid empty client quota entity")]
    EmptyEntity,
    /// A part is neither a user, a client id nor an address.
    #[error("Unhandled client quota entity type: {0}")]
    UnknownType(Arc<str>),
    /// A part has the empty string as its name.
    #[error("Empty {0} not supported")]
    EmptyName(Arc<str>),
    /// An address with a user or a client id.
    #[error("Invalid quota entity combination, IP entity shouldnot be combined with User or ClientId")]
    CombinedAddress,
    /// The address is none, and no name of one.
    #[error("{0} is not a valid IP or resolvable host.")]
    UnknownAddress(Arc<str>),
    /// No quota of such an entity has that key.
    #[error("Invalid configuration key {0}")]
    UnknownKey(Arc<str>),
    /// Zero or negative.
    #[error("Quota {0} must be greater than 0")]
    NotPositive(Arc<str>),
    /// More than the type of the key can hold.
    #[error("Proposed value for {key} is too large for {kind}.")]
    TooLarge {
        /// The key.
        key: Arc<str>,
        /// Its type.
        kind: &'static str,
    },
    /// A whole number was needed.
    #[error("{0} cannot be a fractional value.")]
    Fractional(Arc<str>),
}

/// Why no feature level was changed (`FeatureControlManager`).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Invalid update version {level} for feature {feature}. {refusal}")]
pub struct FeatureError {
    /// The first feature that was refused.
    pub feature: Arc<str>,
    /// The level that it should have had.
    pub level: i16,
    /// What is wrong with that.
    pub refusal: FeatureRefusal,
}

/// What is wrong with a feature level.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FeatureRefusal {
    /// A code that nobody has defined.
    #[error("The controller does not support the given upgrade type.")]
    UnknownUpgradeType,
    /// No level is negative.
    #[error("A feature version cannot be less than 0.")]
    Negative,
    /// A node of the cluster does not support it.
    #[error("{what} {}", unsupported(.levels))]
    NotSupported {
        /// Which node.
        what: String,
        /// The levels that it supports.
        levels: RangeInclusive<i16>,
    },
    /// An upgrade that is none.
    #[error(
        "Can't downgrade the version of this feature without setting the upgrade type to either safe or unsafe downgrade."
    )]
    Downgrade,
    /// A downgrade that is none.
    #[error("Can't downgrade to a newer version.")]
    DowngradeToNewer,
    /// The quorum's members are configured, and no record may change them.
    #[error("The voters of this quorum are configured and cannot be changed by requests.")]
    StaticQuorum,
}

fn unsupported(levels: &RangeInclusive<i16>) -> String {
    match (levels.start(), levels.end()) {
        (_, 0) => "does not support this feature.".to_owned(),
        (min, max) if min == max => format!("only supports versions {min}"),
        (min, max) => format!("only supports versions {min}-{max}"),
    }
}
