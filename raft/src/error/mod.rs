//! What can go wrong with cluster truth: records that do not fit it, and requests that the controller refuses. The text of a
//! refused request is Kafka's, because tools and people look for it; the number belongs to the broker.

mod cluster;
mod partition;
mod replay;
mod topic;

pub use cluster::{
    BrokerEpochError, ConfigError, ControllerError, FeatureError, FeatureRefusal, QuotaError, RegistrationError,
};
pub use partition::{DirectoryError, ElectionError, ReassignmentError};
pub use replay::ReplayError;
pub use topic::{
    InvalidPartitions, InvalidReplicaAssignment, InvalidReplicationFactor, InvalidRequest, InvalidTopic,
    PlacementError, TopicError,
};
