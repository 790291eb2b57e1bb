//! What the cleaner sees of a log: the closed segments, and whether they are still those it began with.

use std::collections::HashMap;
use std::io;
use std::ops::{Range, RangeTo};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use protocol::record_batch::BatchError;

use super::{Loaded, Log, lock};
use crate::cleaner::policy::{LogFacts, Timestamps, assess};
use crate::cleaner::{CleanError, Cleanable, GroupCandidate, LastRecord, touching};
use crate::error::Error;
use crate::index::txn_index::{AbortedTxn, TxnIndex, TxnIndexError};
use crate::segment::{INDEX_SUFFIX, Place, Segment, TIME_INDEX_SUFFIX, TXN_INDEX_SUFFIX, WalkError};

/// The segments of a cleaning as they were when it began.
pub(crate) struct Compaction {
    /// Closed and durable, from the first one on.
    pub(crate) segments: Vec<Arc<Segment>>,
    /// First readable offset of the log (inclusive).
    pub(crate) log_start_offset: i64,
    /// How often the log had been truncated.
    truncations: u64,
    /// Elsewhere are copies: if segments leave the log, the copies of them are read beside what stays.
    is_copied: bool,
}

/// Timestamps of the log's segments for the policy.
struct SegmentTimes<'a> {
    log: &'a Log,
    loaded: &'a Loaded,
    segments: &'a [Arc<Segment>],
}

impl Timestamps for SegmentTimes<'_> {
    type Error = Error;

    fn largest(&self, segment: usize) -> Result<i64, Error> {
        let age = self.segments.get(segment).map_or(Ok(-1), |segment| self.log.age_of(self.loaded, segment));
        self.log.check_read("reading a time index", age)
    }

    fn first(&self, segment: usize) -> Result<i64, Error> {
        let Some(segment) = self.segments.get(segment) else { return Ok(-1) };
        if let Some(timestamp) = segment.first_timestamp() {
            return Ok(timestamp);
        }
        let first = self.log.walked(segment, segment.first_batch(self.log.place(self.loaded)))?;
        let timestamp = first.map_or(-1, |first| first.header.max_timestamp);
        segment.note_first_timestamp(timestamp);
        Ok(timestamp)
    }
}

impl Log {
    /// The part of a compacted log that is worth cleaning now, given the last stable offset (exclusive, at most the high
    /// watermark); `None` if it is not compacted or not dirty enough.
    ///
    /// # Errors
    /// As loading, and damaged bytes.
    pub fn cleanable(&self, last_stable_offset: i64, now_ms: i64) -> Result<Option<Cleanable>, Error> {
        let config = self.config();
        if !config.compact {
            return Ok(None);
        }
        let loaded = self.loaded()?;
        self.log_dir.check_online()?;
        let _structure = self.lock_structure(loaded)?;
        let segments = loaded.segments();
        let sizes: Vec<_> = segments.iter().map(|segment| (segment.base_offset(), segment.size())).collect();
        let offsets = loaded.offsets();
        let facts = LogFacts {
            segments: &sizes,
            log_start_offset: offsets.log_start_offset,
            log_end_offset: offsets.log_end_offset,
            last_stable_offset,
            checkpoint: self.log_dir.cleaner_offset(&self.partition),
        };
        let times = SegmentTimes { log: self, loaded, segments: &segments };
        let Some(cleanable) = assess(&facts, &config, &times, now_ms)? else { return Ok(None) };
        if cleanable.is_reset {
            tracing::warn!(
                partition = %self.partition, checkpoint = facts.checkpoint, first_dirty_offset = cleanable.first_dirty_offset,
                "the cleaner's checkpoint is outside the log: cleaning from the log start offset"
            );
            self.log_dir.set_cleaner_offset(&self.partition, cleanable.first_dirty_offset)?;
        }
        Ok(Some(cleanable).filter(|cleanable| cleanable.is_due(&config)))
    }

    /// Up to where (exclusive) the cleaner has ever been over the log, whether or not it is compacted now; 0: nowhere.
    ///
    /// # Errors
    /// As loading.
    pub fn cleaned_to(&self) -> Result<i64, Error> {
        let log_end_offset = self.offsets()?.log_end_offset;
        let cleaned_to = self.log_dir.cleaner_offset(&self.partition).unwrap_or(0);
        Ok(if cleaned_to <= log_end_offset { cleaned_to } else { 0 })
    }

    /// Takes the closed segments below `end_offset` (exclusive), where a segment begins, for a cleaning. Everything in them is on
    /// disk then, and known to be so after a crash: a cleaned segment may end before the next one begins, which a recovery
    /// would take for a lost tail. Where there are copies of the log (`is_copied`), the cleaning is given up when the first segment goes.
    pub(crate) fn begin_compaction(&self, end_offset: i64, is_copied: bool) -> Result<Compaction, CleanError> {
        self.flush()?;
        let loaded = self.loaded()?;
        let _structure = self.lock_structure(loaded)?;
        let mut segments = loaded.segments();
        segments.pop();
        segments.truncate(segments.partition_point(|segment| segment.base_offset() < end_offset));
        let place = self.place(loaded);
        for segment in &segments {
            let synced = segment.sync(place).and_then(|()| segment.sync_index(place));
            self.log_dir.check("flushing a log", synced).map_err(Error::from)?;
        }
        let truncations = loaded.truncations.load(Ordering::Acquire);
        self.log_dir.raise_recovery_point(&self.partition, end_offset).map_err(Error::from)?;
        let log_start_offset = loaded.log_start_offset.load(Ordering::Acquire);
        Ok(Compaction { segments, log_start_offset, truncations, is_copied })
    }

    /// Notes that everything below `end_offset` (exclusive) is clean, unless a truncation means that it will not be.
    pub(crate) fn finish_compaction(&self, compaction: &Compaction, end_offset: i64) -> Result<(), CleanError> {
        let _structure = self.lock_structure(self.loaded()?)?;
        if !self.is_unchanged(compaction) {
            return Err(CleanError::Aborted);
        }
        Ok(self.log_dir.set_cleaner_offset(&self.partition, end_offset).map_err(Error::from)?)
    }

    /// Whether the segments of a cleaning may still be used.
    pub(crate) fn is_unchanged(&self, compaction: &Compaction) -> bool {
        let loaded = self.loaded.get().filter(|_| !self.deleted.load(Ordering::Acquire));
        let first = compaction.segments.first().filter(|_| compaction.is_copied).map(|first| first.base_offset());
        loaded.is_some_and(|loaded| {
            loaded.truncations.load(Ordering::Acquire) == compaction.truncations
                && first.is_none_or(|first| loaded.first_base_offset() == Some(first))
        })
    }

    /// What a failure of the file system means: nothing if the log is not what it was, else that the disk is full or fails.
    pub(crate) fn compaction_failed(&self, compaction: &Compaction, action: &str, error: io::Error) -> CleanError {
        if !self.is_unchanged(compaction) {
            return CleanError::Aborted;
        }
        if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
            return CleanError::NoSpace(error);
        }
        Error::from(self.log_dir.fail(action, error)).into()
    }

    pub(crate) fn compaction_place(&self) -> Result<Place<'_>, CleanError> {
        Ok(self.place(self.loaded()?))
    }

    /// Where to read on in `segment` for offsets from `offset` on.
    pub(crate) fn position_of(
        &self,
        compaction: &Compaction,
        segment: &Segment,
        offset: i64,
    ) -> Result<u64, CleanError> {
        if offset <= segment.base_offset() {
            return Ok(0);
        }
        let size = segment.size();
        match segment.find_offset(self.compaction_place()?, offset, size) {
            Ok(found) => Ok(found.map_or(size, |found| found.position)),
            Err(WalkError::Io(error)) => Err(self.compaction_failed(compaction, "reading a segment", error)),
            Err(WalkError::Corrupt { position, source }) => {
                Err(self.compaction_corrupt(compaction, segment.base_offset(), position, source))
            }
        }
    }

    /// What damaged bytes mean: nothing if they are cut off.
    pub(crate) fn compaction_corrupt(
        &self,
        compaction: &Compaction,
        base_offset: i64,
        position: u64,
        source: BatchError,
    ) -> CleanError {
        let corrupt = Error::Corrupt { base_offset, position, source };
        if self.is_unchanged(compaction) { corrupt.into() } else { CleanError::Aborted }
    }

    /// What counts when the first `range` of the segments are grouped.
    pub(crate) fn group_candidates(
        &self,
        compaction: &Compaction,
        range: RangeTo<usize>,
    ) -> Result<Vec<GroupCandidate>, CleanError> {
        let place = self.compaction_place()?;
        let size_of = |segment: &Segment, suffix| match place
            .file_system()
            .metadata(&place.path(segment.base_offset(), suffix))
        {
            Ok(metadata) => Ok(metadata.size),
            // It is made again when it is asked for.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(self.compaction_failed(compaction, "looking at an index", error)),
        };
        let candidate = |segment: &Arc<Segment>| {
            Ok(GroupCandidate {
                base_offset: segment.base_offset(),
                size_bytes: segment.size(),
                index_bytes: size_of(segment, INDEX_SUFFIX)?,
                time_index_bytes: size_of(segment, TIME_INDEX_SUFFIX)?,
            })
        };
        compaction.segments.get(range).unwrap_or_default().iter().map(candidate).collect()
    }

    /// The transactions with records in `range` that were aborted, by the indexes of all segments from there on: a marker may
    /// come much later.
    pub(crate) fn aborted_transactions(
        &self,
        compaction: &Compaction,
        range: Range<i64>,
    ) -> Result<Vec<AbortedTxn>, CleanError> {
        let place = self.compaction_place()?;
        let failed = |error| self.compaction_failed(compaction, "reading a transaction index", error);
        let mut transactions = Vec::new();
        for segment in self.loaded()?.segments() {
            let path = place.path(segment.base_offset(), TXN_INDEX_SUFFIX);
            let index = TxnIndex::open(place.handles(), path, segment.base_offset());
            match index.and_then(|index| index.map_or(Ok(Vec::new()), |index| index.transactions())) {
                Ok(found) => transactions.extend(found),
                Err(TxnIndexError::Io(error)) => return Err(failed(error)),
                Err(error) => return Err(failed(io::Error::new(io::ErrorKind::InvalidData, error))),
            }
        }
        Ok(touching(transactions, &range))
    }

    /// What every producer that is not forgotten wrote last (`UnifiedLog.lastRecordsOfActiveProducers`).
    pub(crate) fn last_records(&self) -> Result<HashMap<i64, LastRecord>, CleanError> {
        let writer = lock(&self.loaded()?.writer);
        let last = |(producer_id, entry): (&i64, &crate::producer_state::ProducerStateEntry)| {
            let last_data_offset = Some(entry.last_data_offset()).filter(|offset| *offset >= 0);
            (*producer_id, LastRecord { last_data_offset, producer_epoch: entry.producer_epoch })
        };
        Ok(writer.producers.producers().iter().map(last).collect())
    }
}
