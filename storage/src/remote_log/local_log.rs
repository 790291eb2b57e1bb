//! What the mover wants of the local log. The disk is not read by a worker of the runtime.

use std::sync::Arc;

use protocol::record_batch::BatchHeader;

use super::{RemoteError, RemotePartition, RemoteView};
use crate::log::{Log, ReadLimits, Region, RolledSegment, SegmentExport};

/// Bytes that are read at once.
const CHECKED_AT_ONCE: u64 = 1 << 20;

/// The local log at one moment.
pub(super) struct Local {
    pub(super) segments: Vec<RolledSegment>,
    pub(super) bytes: u64,
    pub(super) log_end_offset: i64,
    pub(super) recovery_point: i64,
    /// Where the active segment begins.
    pub(super) active_base_offset: i64,
    /// As in [`Log::cleaned_to`].
    pub(super) cleaned_to: i64,
    pub(super) is_compacted: bool,
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, crate::Error> + Send + 'static,
) -> Result<T, RemoteError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(RemoteError::from),
        Err(error) => Err(RemoteError::LocalFile(Arc::new(std::io::Error::other(error)))),
    }
}

/// The header of the local batch that holds `offset`; `None` if the local log does not have it.
pub(super) async fn local_batch(log: &Arc<Log>, offset: i64) -> Result<Option<BatchHeader>, RemoteError> {
    let log = Arc::clone(log);
    let limits = ReadLimits { end_offset: i64::MAX, max_bytes: 1, at_least_one: true };
    let read = blocking(move || match log.read(offset, limits) {
        Err(crate::Error::OffsetOutOfRange { .. }) => Ok(Region::empty()),
        read => read,
    });
    let bytes = read.await?.read().map_err(|error| RemoteError::LocalFile(Arc::new(error)))?;
    Ok(BatchHeader::read(&bytes).ok())
}

pub(super) async fn look(log: &Arc<Log>) -> Result<Local, RemoteError> {
    let log = Arc::clone(log);
    blocking(move || {
        // First: what is cleaned meanwhile is looked at again.
        let cleaned_to = log.cleaned_to()?;
        let segments = log.rolled_segments()?;
        let active_base_offset = log.active_base_offset()?;
        let offsets = log.offsets()?;
        Ok(Local {
            segments,
            bytes: log.size_bytes()?,
            log_end_offset: offsets.log_end_offset,
            recovery_point: offsets.recovery_point,
            active_base_offset,
            cleaned_to,
            is_compacted: log.config().compact,
        })
    })
    .await
}

/// Whether everything that was remote of a compacted log is local too, as it is unless it was no compacted one before.
pub(super) async fn is_whole(log: &Arc<Log>, known: &Arc<RemoteView>) -> Result<bool, RemoteError> {
    let (log, known) = (Arc::clone(log), Arc::clone(known));
    blocking(move || {
        let local_start = log.offsets()?.log_start_offset;
        Ok(log.config().compact && known.start_offset().is_none_or(|start| local_start <= start))
    })
    .await
}

/// Closes the active segment if it begins at `base_offset`, and syncs it: what is not on disk is not copied.
pub(super) async fn roll(log: &Arc<Log>, base_offset: i64) -> Result<(), RemoteError> {
    let log = Arc::clone(log);
    blocking(move || if log.roll_active(base_offset)? { log.flush().map(|_| ()) } else { Ok(()) }).await
}

pub(super) async fn export(log: &Arc<Log>, base_offset: i64) -> Result<Option<SegmentExport>, RemoteError> {
    let log = Arc::clone(log);
    blocking(move || log.export_segment(base_offset)).await
}

pub(super) async fn store_copy(partition: &Arc<RemotePartition>, log: &Arc<Log>) -> Result<(), RemoteError> {
    let (partition, log) = (Arc::clone(partition), Arc::clone(log));
    blocking(move || partition.store(&log)).await
}

pub(super) async fn forget_all(partition: &Arc<RemotePartition>, log: &Arc<Log>) -> Result<(), RemoteError> {
    let (partition, log) = (Arc::clone(partition), Arc::clone(log));
    blocking(move || partition.forget(&log)).await
}

/// Where the local log begins (inclusive).
pub(super) async fn log_start_offset(log: &Arc<Log>) -> Result<i64, RemoteError> {
    let log = Arc::clone(log);
    blocking(move || Ok(log.offsets()?.log_start_offset)).await
}

/// CRC-32C of all bytes of `region`.
pub(super) async fn checksum(region: &Region) -> Result<u32, RemoteError> {
    let region = region.clone();
    let check = move || {
        let (mut crc, mut position) = (0, 0);
        while position < region.size as u64 {
            let end = (position + CHECKED_AT_ONCE).min(region.size as u64);
            crc = crc32c::crc32c_append(crc, &region.slice(position..end).read()?);
            position = end;
        }
        Ok(crc)
    };
    let joined = tokio::task::spawn_blocking(check).await.unwrap_or_else(|error| Err(std::io::Error::other(error)));
    joined.map_err(|error| RemoteError::LocalFile(Arc::new(error)))
}

/// The leader epoch of the record at `offset`, or that would have been there; `None` if the local log does not know.
pub(super) async fn leader_epoch_at(log: &Arc<Log>, offset: i64) -> Result<Option<i32>, RemoteError> {
    let log = Arc::clone(log);
    blocking(move || log.leader_epoch_at(offset)).await
}
