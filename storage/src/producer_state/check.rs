//! The rules by which a producer's batch is refused. Source: `ProducerAppendInfo`.

use super::{AppendOrigin, BatchContent, EndTransactionMarker, ProducerBatch, ProducerStateEntry, ProducerStateError};

/// `ProducerAppendInfo.checkProducerEpoch`.
pub(super) fn check_epoch(
    entry: &ProducerStateEntry,
    batch: &ProducerBatch,
    origin: AppendOrigin,
) -> Result<(), ProducerStateError> {
    let is_marker = matches!(batch.content, BatchContent::Marker(_));
    let accepted = match origin {
        AppendOrigin::Replication => true,
        AppendOrigin::Coordinator { transaction_version: 2.. } if is_marker => {
            batch.producer_epoch > entry.producer_epoch
        }
        AppendOrigin::Client | AppendOrigin::Coordinator { .. } => batch.producer_epoch >= entry.producer_epoch,
    };
    if accepted {
        return Ok(());
    }
    Err(ProducerStateError::InvalidProducerEpoch {
        producer_id: batch.producer_id,
        offset: batch.first_offset,
        producer_epoch: batch.producer_epoch,
        current_epoch: entry.producer_epoch,
    })
}

/// `ProducerAppendInfo.checkSequence`. A producer of which nothing is known, because its records are gone, may begin
/// with any sequence.
pub(super) fn check_sequence(
    entry: &ProducerStateEntry,
    batch: &ProducerBatch,
    first_sequence: i32,
) -> Result<(), ProducerStateError> {
    if !entry.has_epoch() {
        return Ok(());
    }
    let (producer_id, offset) = (batch.producer_id, batch.first_offset);
    if batch.producer_epoch != entry.producer_epoch {
        if first_sequence == 0 {
            return Ok(());
        }
        return Err(ProducerStateError::NewEpochOutOfOrder {
            producer_id,
            offset,
            producer_epoch: batch.producer_epoch,
            first_sequence,
            current_epoch: entry.producer_epoch,
        });
    }
    let last_sequence = entry.last_sequence();
    let follows = i64::from(first_sequence) == i64::from(last_sequence) + 1;
    if follows || (first_sequence == 0 && last_sequence == i32::MAX) {
        return Ok(());
    }
    Err(ProducerStateError::OutOfOrderSequence { producer_id, offset, first_sequence, last_sequence })
}

pub(super) fn check_transaction(
    entry: &ProducerStateEntry,
    batch: &ProducerBatch,
    transactional: bool,
    origin: AppendOrigin,
) -> Result<(), ProducerStateError> {
    if entry.current_txn_first_offset.is_none() || transactional || origin == AppendOrigin::Replication {
        return Ok(());
    }
    Err(ProducerStateError::InvalidTxnState { producer_id: batch.producer_id, offset: batch.first_offset })
}

/// `ProducerAppendInfo.checkCoordinatorEpoch`.
pub(super) fn check_coordinator(
    entry: &ProducerStateEntry,
    batch: &ProducerBatch,
    marker: EndTransactionMarker,
    origin: AppendOrigin,
) -> Result<(), ProducerStateError> {
    if marker.coordinator_epoch >= entry.coordinator_epoch || origin == AppendOrigin::Replication {
        return Ok(());
    }
    Err(ProducerStateError::TransactionCoordinatorFenced {
        producer_id: batch.producer_id,
        offset: batch.first_offset,
        coordinator_epoch: marker.coordinator_epoch,
        current_epoch: entry.coordinator_epoch,
    })
}
