//! What a producer's batch says about its producer, and what may be wrong with that.
//! Source: `ProducerAppendInfo`, `EndTransactionMarker`.

use bytes::Bytes;
use protocol::record_batch::{BatchHeader, Record, Records};

/// A marker's record is a few bytes; no control record decompresses to more than this.
const MAX_CONTROL_BYTES: usize = 1 << 16;

/// Who appends: how much is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppendOrigin {
    /// A producer: epoch, sequence, transaction.
    Client,
    /// A coordinator on this broker, whose batches have no sequences: epoch and transaction.
    Coordinator {
        /// Version of the transaction protocol: from 2 on, a marker's epoch must be higher than all before (KIP-890).
        transaction_version: i16,
    },
    /// The log itself, or a leader that has checked: nothing.
    Replication,
}

/// How a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndTransactionMarker {
    /// Committed or aborted.
    pub committed: bool,
    /// Epoch of the coordinator that says so.
    pub coordinator_epoch: i32,
}

impl EndTransactionMarker {
    /// Understands key and value of a control record: version i16, type i16 (0 abort, 1 commit); version i16,
    /// coordinator epoch i32. `None` for other control records and for damaged ones.
    pub fn parse(key: &[u8], value: &[u8]) -> Option<Self> {
        let (key_version, kind) = (read_i16(key, 0)?, read_i16(key, 2)?);
        let value_version = read_i16(value, 0)?;
        let coordinator_epoch = i32::from_be_bytes(value.get(2..6)?.try_into().ok()?);
        let committed = match kind {
            0 => false,
            1 => true,
            _ => return None,
        };
        (key_version >= 0 && value_version >= 0).then_some(Self { committed, coordinator_epoch })
    }
}

fn read_i16(bytes: &[u8], at: usize) -> Option<i16> {
    Some(i16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

/// What a batch carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchContent {
    /// Records.
    Data {
        /// Sequence of the first record; −1 from a coordinator.
        first_sequence: i32,
        /// Sequence of the last record.
        last_sequence: i32,
        /// Whether they belong to a transaction.
        transactional: bool,
    },
    /// The end of a transaction.
    Marker(EndTransactionMarker),
}

/// A batch with a producer id, as it is or will be in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerBatch {
    /// The producer, not −1.
    pub producer_id: i64,
    /// Its epoch.
    pub producer_epoch: i16,
    /// Offset of the first record.
    pub first_offset: i64,
    /// Offset of the last record (inclusive).
    pub last_offset: i64,
    /// The batch's max timestamp, a marker's timestamp; in ms since the epoch.
    pub timestamp: i64,
    /// Records or a marker.
    pub content: BatchContent,
}

impl ProducerBatch {
    /// What a batch says; `None` for one without a producer, and for a control batch without a marker, such as one that
    /// compaction has emptied. `header` has the offsets of the log; of `batch`, the bytes, only a marker is looked at.
    pub fn read(header: &BatchHeader, batch: &[u8]) -> Option<Self> {
        if !header.has_producer_id() {
            return None;
        }
        let (content, timestamp) = if header.attributes.is_control() {
            let record = control_record(batch)?;
            let marker = EndTransactionMarker::parse(record.key.as_deref()?, record.value.as_deref()?)?;
            (BatchContent::Marker(marker), record.timestamp)
        } else {
            let content = BatchContent::Data {
                first_sequence: header.base_sequence,
                last_sequence: header.last_sequence(),
                transactional: header.attributes.is_transactional(),
            };
            (content, header.max_timestamp)
        };
        Some(Self {
            producer_id: header.producer_id,
            producer_epoch: header.producer_epoch,
            first_offset: header.base_offset,
            last_offset: header.last_offset(),
            timestamp,
            content,
        })
    }
}

/// The first record of a control batch.
fn control_record(batch: &[u8]) -> Option<Record> {
    let mut records = Records::open(&Bytes::copy_from_slice(batch), MAX_CONTROL_BYTES).ok()?;
    records.next()?.ok()
}

/// A transaction whose marker was appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompletedTxn {
    /// Whose transaction.
    pub producer_id: i64,
    /// Its first record.
    pub first_offset: i64,
    /// The marker.
    pub last_offset: i64,
    /// Aborted or committed.
    pub aborted: bool,
}

/// Why a producer's batch is refused. Nothing of it was appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProducerStateError {
    /// The sequence does not follow the last one.
    #[error(
        "Out of order sequence number for producer {producer_id} at offset {offset}: {first_sequence} (incoming seq. \
         number), {last_sequence} (current end sequence number)"
    )]
    OutOfOrderSequence {
        /// Whose batch.
        producer_id: i64,
        /// Where it would have been.
        offset: i64,
        /// What it begins with.
        first_sequence: i32,
        /// What was appended last; −1: nothing in this epoch.
        last_sequence: i32,
    },
    /// A new epoch does not begin with sequence 0.
    #[error(
        "Invalid sequence number for new epoch of producer {producer_id} at offset {offset}: {producer_epoch} (request \
         epoch), {first_sequence} (seq. number), {current_epoch} (current producer epoch)"
    )]
    NewEpochOutOfOrder {
        /// Whose batch.
        producer_id: i64,
        /// Where it would have been.
        offset: i64,
        /// The new epoch.
        producer_epoch: i16,
        /// What it begins with.
        first_sequence: i32,
        /// The epoch before.
        current_epoch: i16,
    },
    /// The producer was fenced by a later one of the same id.
    #[error(
        "Epoch of producer {producer_id} at offset {offset} is {producer_epoch}, which is smaller than the last seen \
         epoch {current_epoch}"
    )]
    InvalidProducerEpoch {
        /// Whose batch.
        producer_id: i64,
        /// Where it would have been.
        offset: i64,
        /// The batch's epoch.
        producer_epoch: i16,
        /// The later one.
        current_epoch: i16,
    },
    /// A batch outside the transaction that its producer has open.
    #[error("Expected transactional write from producer {producer_id} at offset {offset}")]
    InvalidTxnState {
        /// Whose batch.
        producer_id: i64,
        /// Where it would have been.
        offset: i64,
    },
    /// A marker of a coordinator that was replaced.
    #[error(
        "Invalid coordinator epoch for producerId {producer_id} at offset {offset}: {coordinator_epoch} (zombie), \
         {current_epoch} (current)"
    )]
    TransactionCoordinatorFenced {
        /// Whose transaction.
        producer_id: i64,
        /// Where the marker would have been.
        offset: i64,
        /// The marker's epoch.
        coordinator_epoch: i32,
        /// The later one.
        current_epoch: i32,
    },
}
