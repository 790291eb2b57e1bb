//! Offsets by timestamp. Source: `UnifiedLog.fetchOffsetByTimestamp`.

use std::io;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use protocol::record_batch::{BatchError, Record, Records, expansion_limit};

use super::{Loaded, Log};
use crate::error::Error;
use crate::file_system::read_exact;
use crate::segment::{Found, Segment};

/// A record's place and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimestampOffset {
    /// Milliseconds since the epoch.
    pub timestamp: i64,
    pub offset: i64,
    /// The epoch under which it was written; `None` if it had none.
    pub leader_epoch: Option<i32>,
}

impl Log {
    /// The first record below offset `limit` (exclusive) that is as young as `timestamp`. Decompresses one batch.
    ///
    /// # Errors
    /// As reading.
    pub fn offset_for_timestamp(&self, timestamp: i64, limit: i64) -> Result<Option<TimestampOffset>, Error> {
        self.find_by_time(limit, |log, loaded, segment| {
            let max_timestamp = segment.max_timestamp(log.place(loaded));
            Ok((log.check_read("reading a time index", max_timestamp)? >= timestamp).then_some(timestamp))
        })
    }

    /// The first record below offset `limit` (exclusive) that has the largest timestamp of the log (KIP-734).
    ///
    /// # Errors
    /// As reading.
    pub fn max_timestamp(&self, limit: i64) -> Result<Option<TimestampOffset>, Error> {
        let loaded = self.loaded()?;
        let mut largest = -1;
        for segment in loaded.segments() {
            let max_timestamp = segment.max_timestamp(self.place(loaded));
            largest = largest.max(self.check_read("reading a time index", max_timestamp)?);
        }
        if largest < 0 { Ok(None) } else { self.offset_for_timestamp(largest, limit) }
    }

    /// Asks each segment in turn whether to look into it, and for which timestamp.
    fn find_by_time(
        &self,
        limit: i64,
        wanted: impl Fn(&Self, &Loaded, &Segment) -> Result<Option<i64>, Error>,
    ) -> Result<Option<TimestampOffset>, Error> {
        let loaded = self.loaded()?;
        self.log_dir.check_online()?;
        let log_start_offset = loaded.log_start_offset.load(Ordering::Acquire);
        let segments = loaded.segments();
        for (at, segment) in segments.iter().enumerate() {
            let next = segments.get(at + 1).map(|next| next.base_offset());
            if next.is_some_and(|next| next <= log_start_offset) {
                continue;
            }
            let Some(timestamp) = wanted(self, loaded, segment)? else { continue };
            let end = self.limit_position(loaded, segment, next, limit)?;
            let place = self.place(loaded);
            let mut from = log_start_offset.max(segment.base_offset());
            while let Some(found) = self.walked(segment, segment.find_timestamp(place, timestamp, from, end))? {
                if let Some(record) = self.first_record(loaded, segment, &found, timestamp, log_start_offset)? {
                    return Ok(Some(record));
                }
                from = found.header.next_offset();
            }
        }
        Ok(None)
    }

    /// The first record of a batch that is as young as `timestamp` and not before `start_offset`.
    fn first_record(
        &self,
        loaded: &Loaded,
        segment: &Segment,
        found: &Found,
        timestamp: i64,
        start_offset: i64,
    ) -> Result<Option<TimestampOffset>, Error> {
        let read = self.read_batch(loaded, segment, found);
        let batch = self.check_read("reading a batch", read)?;
        let corrupt = |source: BatchError| Error::Corrupt {
            base_offset: segment.base_offset(),
            position: found.position,
            source,
        };
        let wanted = |record: &Record| record.timestamp >= timestamp && record.offset >= start_offset;
        for record in Records::open(&batch, expansion_limit(batch.len())).map_err(corrupt)? {
            let record = record.map_err(|error| corrupt(error.into()))?;
            if wanted(&record) {
                let epoch = found.header.partition_leader_epoch;
                return Ok(Some(TimestampOffset {
                    timestamp: record.timestamp,
                    offset: record.offset,
                    leader_epoch: (epoch >= 0).then_some(epoch),
                }));
            }
        }
        Ok(None)
    }

    fn read_batch(&self, loaded: &Loaded, segment: &Segment, found: &Found) -> io::Result<Bytes> {
        let mut batch = vec![0; found.header.size()];
        read_exact(&*segment.log_file(self.place(loaded))?, &mut batch, found.position)?;
        Ok(batch.into())
    }

    /// The leader epoch of the record at `offset`.
    ///
    /// # Errors
    /// As loading.
    pub fn leader_epoch_at(&self, offset: i64) -> Result<Option<i32>, Error> {
        Ok(self.loaded()?.epochs().epoch_for_offset(offset))
    }
}
