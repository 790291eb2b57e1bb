//! What can go wrong with a log, by cause.

use std::io;

use protocol::record_batch::BatchError;
use thiserror::Error;

use crate::log_dir::Offline;
use crate::producer_state::ProducerStateError;

/// Why a log cannot do what it was asked.
#[derive(Debug, Error)]
pub enum Error {
    /// Outside of what the log holds. The bounds are inclusive and exclusive.
    #[error(
        "Received request for offset {offset}, but we only have log segments in the range {log_start_offset} to \
         {log_end_offset}"
    )]
    OffsetOutOfRange { offset: i64, log_start_offset: i64, log_end_offset: i64 },
    /// The directory failed, now or before.
    #[error(transparent)]
    Offline(#[from] Offline),
    /// The disk refused this write and nothing of it was kept: it is full.
    #[error("no space left for the log")]
    NoSpace(#[source] io::Error),
    /// Bytes below the recovery point are not what was written.
    #[error("corrupt batch at position {position} of the segment with base offset {base_offset}")]
    Corrupt { base_offset: i64, position: u64, source: BatchError },
    /// The folder belongs to another topic of the same name.
    #[error("the log's folder belongs to topic id {found}, not {expected}")]
    InconsistentTopicId { expected: protocol::ids::Uuid, found: protocol::ids::Uuid },
    /// The log was deleted.
    #[error("the log was deleted")]
    Deleted,
}

/// Why a batch was not appended. Nothing of it is in the log.
#[derive(Debug, Error)]
pub enum AppendError {
    #[error(transparent)]
    Producer(#[from] ProducerStateError),
    #[error(transparent)]
    Log(#[from] Error),
    /// A batch that comes with its offsets does not follow the last one.
    #[error("batch with base offset {base_offset} does not follow log end offset {log_end_offset}")]
    OutOfOrder { base_offset: i64, log_end_offset: i64 },
    #[error(transparent)]
    Batch(#[from] BatchError),
}

impl From<Offline> for AppendError {
    fn from(offline: Offline) -> Self {
        Self::Log(offline.into())
    }
}
