//! Our errors as Kafka's error codes. The only such place; no wildcard, so that a new error does not compile until
//! somebody decides what a client should do.

use protocol::error_code::ErrorCode;
use protocol::record_batch::{InvalidBatch, InvalidReason};
use storage::producer_state::ProducerStateError;
use storage::{AppendError, Error};

use crate::replica::PartitionError;

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
