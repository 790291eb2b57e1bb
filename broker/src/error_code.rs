//! Our errors as Kafka's error codes. The only such place; no wildcard, so that a new error does not compile until
//! somebody decides what a client should do.

use protocol::error_code::ErrorCode;
use protocol::record_batch::{InvalidBatch, InvalidReason};
use raft::controller::ProposeError;
use raft::error::{
    ConfigError, ControllerError, ElectionError, FeatureRefusal, InvalidRequest, QuotaError, ReassignmentError,
    RegistrationError, TopicError,
};
use storage::producer_state::ProducerStateError;
use storage::{AppendError, Error};

use crate::group::GroupError;
use crate::loggers::LoggerError;
use crate::replica::{AlterLogDirError, PartitionError};

/// What a change of a logger's level answers.
pub fn logger(error: &LoggerError) -> ErrorCode {
    match error {
        LoggerError::Unknown(_) | LoggerError::UnknownLevel { .. } => ErrorCode::InvalidConfig,
        LoggerError::Root => ErrorCode::InvalidRequest,
    }
}

/// What a partition answers.
pub fn partition(error: &PartitionError) -> ErrorCode {
    match error {
        // Clients ask for the leader again and come back.
        PartitionError::NotLeader | PartitionError::Loading => ErrorCode::NotLeaderOrFollower,
        PartitionError::FencedLeaderEpoch { .. } => ErrorCode::FencedLeaderEpoch,
        PartitionError::UnknownLeaderEpoch { .. } => ErrorCode::UnknownLeaderEpoch,
        PartitionError::Invalid(invalid) => invalid_batch(invalid),
        PartitionError::Append(error) => append(error),
        PartitionError::Log(error) => log(error),
    }
}

/// A refused batch.
pub fn invalid_batch(invalid: &InvalidBatch) -> ErrorCode {
    match invalid.reason {
        InvalidReason::Corrupt => ErrorCode::CorruptMessage,
        InvalidReason::InvalidRecord => ErrorCode::InvalidRecord,
        InvalidReason::InvalidTimestamp => ErrorCode::InvalidTimestamp,
        InvalidReason::MessageTooLarge => ErrorCode::MessageTooLarge,
        InvalidReason::RecordListTooLarge => ErrorCode::RecordListTooLarge,
        InvalidReason::UnsupportedCompression => ErrorCode::UnsupportedCompressionType,
    }
}

/// A batch that was not appended.
pub fn append(error: &AppendError) -> ErrorCode {
    match error {
        AppendError::Producer(error) => producer(error),
        AppendError::Log(error) => log(error),
        // Batches that come with offsets come from ourselves, never from a client.
        AppendError::OutOfOrder { .. } => ErrorCode::UnknownServerError,
        AppendError::Batch(_) => ErrorCode::CorruptMessage,
    }
}

fn producer(error: &ProducerStateError) -> ErrorCode {
    match error {
        ProducerStateError::OutOfOrderSequence { .. } | ProducerStateError::NewEpochOutOfOrder { .. } => {
            ErrorCode::OutOfOrderSequenceNumber
        }
        ProducerStateError::InvalidProducerEpoch { .. } => ErrorCode::InvalidProducerEpoch,
        ProducerStateError::InvalidTxnState { .. } => ErrorCode::InvalidTxnState,
        ProducerStateError::TransactionCoordinatorFenced { .. } => ErrorCode::TransactionCoordinatorFenced,
    }
}

/// What a log answers.
pub fn log(error: &Error) -> ErrorCode {
    match error {
        Error::OffsetOutOfRange { .. } => ErrorCode::OffsetOutOfRange,
        // Full or failed: the client may try again, and metadata may name another leader by then.
        Error::Offline(_) | Error::NoSpace(_) => ErrorCode::KafkaStorageError,
        Error::Corrupt { .. } => ErrorCode::KafkaStorageError,
        Error::InconsistentTopicId { .. } => ErrorCode::InconsistentTopicId,
        Error::Deleted => ErrorCode::NotLeaderOrFollower,
    }
}

/// What the group coordinator refuses (`CoordinatorOperationExceptionHelper` for records that were not stored).
pub fn group(error: &GroupError) -> ErrorCode {
    match error {
        GroupError::NotAvailable => ErrorCode::CoordinatorNotAvailable,
        GroupError::Loading => ErrorCode::CoordinatorLoadInProgress,
        GroupError::NotCoordinator => ErrorCode::NotCoordinator,
        GroupError::InvalidGroupId => ErrorCode::InvalidGroupId,
        GroupError::InvalidSessionTimeout => ErrorCode::InvalidSessionTimeout,
        GroupError::GroupNotFound(_)
        | GroupError::ConsumerGroupNotFound(_)
        | GroupError::NotConsumerGroup(_)
        | GroupError::NotClassicGroup(_)
        | GroupError::UpgradeRefused { .. } => ErrorCode::GroupIdNotFound,
        GroupError::UnknownMember | GroupError::NoSuchMember { .. } | GroupError::UnknownInstance(_) => {
            ErrorCode::UnknownMemberId
        }
        GroupError::IllegalGeneration => ErrorCode::IllegalGeneration,
        GroupError::FencedInstance | GroupError::FencedInstanceBy { .. } => ErrorCode::FencedInstanceId,
        GroupError::UnreleasedInstance { .. } => ErrorCode::UnreleasedInstanceId,
        GroupError::FencedMemberEpoch { .. } | GroupError::UnknownMemberState => ErrorCode::FencedMemberEpoch,
        GroupError::StaleMemberEpoch => ErrorCode::StaleMemberEpoch,
        GroupError::UnsupportedAssignor { .. } => ErrorCode::UnsupportedAssignor,
        GroupError::InvalidRegex { .. } => ErrorCode::InvalidRegularExpression,
        GroupError::InvalidRequest(_) => ErrorCode::InvalidRequest,
        GroupError::UnsupportedVersion => ErrorCode::UnsupportedVersion,
        // What Kafka makes of a state that should not be.
        GroupError::MalformedSubscription => ErrorCode::UnknownServerError,
        GroupError::InconsistentProtocol => ErrorCode::InconsistentGroupProtocol,
        GroupError::RebalanceInProgress => ErrorCode::RebalanceInProgress,
        GroupError::MemberIdRequired => ErrorCode::MemberIdRequired,
        GroupError::MaxSizeReached | GroupError::ConsumerGroupFull(_) => ErrorCode::GroupMaxSizeReached,
        GroupError::NonEmptyGroup => ErrorCode::NonEmptyGroup,
        GroupError::Append(error) => match partition(error) {
            ErrorCode::NotLeaderOrFollower | ErrorCode::KafkaStorageError => ErrorCode::NotCoordinator,
            ErrorCode::MessageTooLarge | ErrorCode::RecordListTooLarge => ErrorCode::UnknownServerError,
            code => code,
        },
        GroupError::Encode(_) => ErrorCode::InvalidRequest,
    }
}

/// An operation that the controller did not carry out.
pub fn controller(error: &ControllerError) -> ErrorCode {
    match error {
        ControllerError::Quorum(ProposeError::NotLeader { .. } | ProposeError::Stopped) => ErrorCode::NotController,
        ControllerError::Quorum(ProposeError::Unknown) => ErrorCode::NotController,
        ControllerError::ExcessivePartitions | ControllerError::ExcessiveBatch => ErrorCode::PolicyViolation,
        ControllerError::Registration(error) => registration(error),
        ControllerError::BrokerEpoch(_) => ErrorCode::StaleBrokerEpoch,
        ControllerError::ProducerIdsExhausted | ControllerError::Inconsistent(_) => ErrorCode::UnknownServerError,
    }
}

fn registration(error: &RegistrationError) -> ErrorCode {
    match error {
        RegistrationError::InconsistentClusterId { .. } => ErrorCode::InconsistentClusterId,
        RegistrationError::DuplicateBroker => ErrorCode::DuplicateBrokerRegistration,
        RegistrationError::NoDirectories
        | RegistrationError::ReservedDirectory
        | RegistrationError::DuplicateDirectory => ErrorCode::InvalidRequest,
        RegistrationError::DirectoryOfOther { .. } => ErrorCode::DuplicateBrokerRegistration,
        RegistrationError::NoMetadataVersion | RegistrationError::UnsupportedFeature { .. } => {
            ErrorCode::UnsupportedVersion
        }
    }
}

/// A topic that the controller did not create, delete or change.
pub fn topic(error: &TopicError) -> ErrorCode {
    match error {
        TopicError::InvalidTopic(_) => ErrorCode::InvalidTopicException,
        TopicError::AlreadyExists(_) => ErrorCode::TopicAlreadyExists,
        TopicError::InvalidRequest(error) => invalid_request(error),
        TopicError::InvalidReplicationFactor(_) => ErrorCode::InvalidReplicationFactor,
        TopicError::InvalidPartitions(_) => ErrorCode::InvalidPartitions,
        TopicError::InvalidReplicaAssignment(_) => ErrorCode::InvalidReplicaAssignment,
        TopicError::Config(error) => config(error),
        TopicError::UnknownTopic => ErrorCode::UnknownTopicOrPartition,
        TopicError::UnknownTopicId => ErrorCode::UnknownTopicId,
        TopicError::Throttled(_) => ErrorCode::ThrottlingQuotaExceeded,
    }
}

fn invalid_request(error: &InvalidRequest) -> ErrorCode {
    match error {
        InvalidRequest::DuplicateName
        | InvalidRequest::DuplicateId
        | InvalidRequest::NameOfSuppliedId
        | InvalidRequest::InternalTopic(_)
        | InvalidRequest::AssignmentWithReplicationFactor
        | InvalidRequest::AssignmentWithPartitionCount => ErrorCode::InvalidRequest,
    }
}

/// A configuration that was not changed.
pub fn config(error: &ConfigError) -> ErrorCode {
    match error {
        ConfigError::Invalid(_) | ConfigError::BrokerMinIsr | ConfigError::ClusterMinIsr => ErrorCode::InvalidConfig,
        ConfigError::NullValues(_) => ErrorCode::InvalidConfig,
        ConfigError::ValueTooLong => ErrorCode::InvalidConfig,
        ConfigError::InvalidRequest(_) | ConfigError::Unnamed(_) => ErrorCode::InvalidRequest,
        ConfigError::InvalidTopic(_) => ErrorCode::InvalidTopicException,
        ConfigError::UnknownTopic(_) => ErrorCode::UnknownTopicOrPartition,
        ConfigError::InvalidBrokerName(_) | ConfigError::UnknownNode(_) => ErrorCode::InvalidRequest,
    }
}

/// A quota that was not changed.
pub fn quota(error: &QuotaError) -> ErrorCode {
    match error {
        QuotaError::DuplicateEntity(_)
        | QuotaError::EmptyEntity
        | QuotaError::UnknownType(_)
        | QuotaError::EmptyName(_)
        | QuotaError::CombinedAddress
        | QuotaError::UnknownAddress(_)
        | QuotaError::UnknownKey(_)
        | QuotaError::NotPositive(_)
        | QuotaError::TooLarge { .. }
        | QuotaError::Fractional(_) => ErrorCode::InvalidRequest,
    }
}

/// A leader that was not elected.
pub fn election(error: &ElectionError) -> ErrorCode {
    match error {
        ElectionError::UnknownTopic(_) | ElectionError::UnknownPartition { .. } => ErrorCode::UnknownTopicOrPartition,
        ElectionError::NotNeeded => ErrorCode::ElectionNotNeeded,
        ElectionError::PreferredNotAvailable => ErrorCode::PreferredLeaderNotAvailable,
        ElectionError::EligibleNotAvailable => ErrorCode::EligibleLeadersNotAvailable,
    }
}

/// Replicas that were not reassigned.
pub fn reassignment(error: &ReassignmentError) -> ErrorCode {
    match error {
        ReassignmentError::UnknownTopic(_) | ReassignmentError::UnknownPartition { .. } => {
            ErrorCode::UnknownTopicOrPartition
        }
        ReassignmentError::NotInProgress => ErrorCode::NoReassignmentInProgress,
        ReassignmentError::InvalidReplicaAssignment(_) | ReassignmentError::UncleanRevert { .. } => {
            ErrorCode::InvalidReplicaAssignment
        }
        ReassignmentError::ReplicationFactor { .. } => ErrorCode::InvalidReplicationFactor,
    }
}

/// A feature level that was not changed.
pub fn feature(refusal: &FeatureRefusal) -> ErrorCode {
    match refusal {
        FeatureRefusal::UnknownUpgradeType
        | FeatureRefusal::Negative
        | FeatureRefusal::NotSupported { .. }
        | FeatureRefusal::Downgrade
        | FeatureRefusal::DowngradeToNewer
        | FeatureRefusal::StaticQuorum => ErrorCode::InvalidUpdateVersion,
    }
}

/// A replica that is not moved to another log directory.
pub fn alter_log_dir(error: &AlterLogDirError) -> ErrorCode {
    match error {
        AlterLogDirError::NameTooLong => ErrorCode::InvalidTopicException,
        AlterLogDirError::UnknownDirectory(_) => ErrorCode::LogDirNotFound,
        AlterLogDirError::Offline => ErrorCode::KafkaStorageError,
        AlterLogDirError::NoReplica => ErrorCode::ReplicaNotAvailable,
        AlterLogDirError::Log(error) => log(error),
    }
}
