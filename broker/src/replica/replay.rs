//! Reads everything in a partition of the broker's own, from the log's start to its end.

use std::io;

use bytes::Bytes;
use storage::ReadLimits;

use super::{Partition, PartitionError};

/// Hands the batches of `partition` to `take`, some at a time, as they come from the disk: `take` gets whole batches and the offset
/// that was asked for, and returns the offset after them. Returns the end of the log (exclusive), or `None` when `is_over` said that
/// the result is not wanted any more. Blocks.
///
/// # Errors
/// A log that cannot be read, or those of `take`.
pub fn replay<E: From<PartitionError> + From<io::Error>>(
    partition: &Partition,
    buffer_bytes: usize,
    is_over: &dyn Fn() -> bool,
    mut take: impl FnMut(&Bytes, i64) -> Result<i64, E>,
) -> Result<Option<i64>, E> {
    let end_offset = loop {
        match partition.load() {
            Ok(end_offset) => break end_offset,
            // Whoever recovers the log will be done.
            Err(PartitionError::Loading) if !is_over() => {}
            Err(error) => return Err(error.into()),
        }
    };
    let log = partition.log();
    let mut offset = log.offsets().map_err(PartitionError::from)?.log_start_offset;
    while offset < end_offset {
        if is_over() {
            return Ok(None);
        }
        let limits = ReadLimits { end_offset, max_bytes: buffer_bytes, at_least_one: true };
        let region = log.read(offset, limits).map_err(PartitionError::from)?;
        if region.is_empty() {
            break;
        }
        offset = take(&region.read()?, offset)?;
    }
    Ok(Some(end_offset))
}
