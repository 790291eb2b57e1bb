//! Appending a batch: sequence check, offsets, one `pwritev`, index, publish. Source: `UnifiedLog.append`.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use protocol::record_batch::{BatchHeader, Batches, HEADER_SIZE, TimestampType, ValidatedBatch, check_crc};

use super::{Loaded, Log, Tail, Writer};
use crate::config::LogConfig;
use crate::error::{AppendError, Error};
use crate::producer_state::{AppendOrigin, ProducerBatch, ProducerUpdates};
use crate::segment::Segment;

/// Where a batch went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Offset of the first record.
    pub base_offset: i64,
    /// Offset of the last record (inclusive).
    pub last_offset: i64,
    /// When the log dated the batch, in a log that does; ms since the epoch.
    pub log_append_time: Option<i64>,
    pub log_start_offset: i64,
    /// The batch repeats one that is in the log already, at these offsets; nothing was written.
    pub duplicate: bool,
}

impl Log {
    /// Appends a produced batch under `leader_epoch`: gives it the next offsets, writes it and makes it readable. It is
    /// durable only when a [`Log::flush`] begun later has returned an offset above its last one.
    ///
    /// # Errors
    /// A sequence that does not follow, a disk that is full or fails. No offset is used up then.
    pub fn append(&self, batch: &ValidatedBatch, leader_epoch: i32, now_ms: i64) -> Result<Appended, AppendError> {
        let loaded = self.loaded()?;
        let mut writer = self.lock_writer(loaded)?;
        self.log_dir.check_online()?;
        let header = assign(&batch.header, loaded.tail().end_offset, leader_epoch);
        let mut updates = ProducerUpdates::default();
        if let Some(producer_batch) = ProducerBatch::read(&header, &batch.bytes)
            && let Some(duplicate) = self.check_producer(loaded, &writer, &mut updates, &producer_batch)?
        {
            return Ok(duplicate);
        }
        self.write(loaded, &mut writer, &header, batch.records(), now_ms)?;
        if !updates.is_empty() {
            for completed in writer.producers.update(updates) {
                writer.producers.complete(&completed);
            }
        }
        writer.producers.set_end_offset(header.next_offset());
        let dated = header.attributes.timestamp_type() == TimestampType::LogAppendTime;
        Ok(Appended {
            base_offset: header.base_offset,
            last_offset: header.last_offset(),
            log_append_time: dated.then_some(header.max_timestamp),
            log_start_offset: loaded.log_start_offset.load(Ordering::Relaxed),
            duplicate: false,
        })
    }

    /// Appends batches that have their offsets and leader epochs already: from a leader, or a log of our own making.
    /// Each must begin at or behind the log end offset; producers are noted, not checked. Returns the log end offset.
    ///
    /// # Errors
    /// Damaged bytes, offsets that fall, a disk that is full or fails. Batches before the bad one stay.
    pub fn append_as_is(&self, batches: &Bytes, now_ms: i64) -> Result<i64, AppendError> {
        let loaded = self.loaded()?;
        let mut writer = self.lock_writer(loaded)?;
        self.log_dir.check_online()?;
        for batch in Batches::new(batches) {
            let (header, bytes) = batch?;
            check_crc(bytes)?;
            let log_end_offset = loaded.tail().end_offset;
            if header.base_offset < log_end_offset {
                return Err(AppendError::OutOfOrder { base_offset: header.base_offset, log_end_offset });
            }
            self.write(loaded, &mut writer, &header, bytes.get(HEADER_SIZE..).unwrap_or_default(), now_ms)?;
            if let Some(batch) = ProducerBatch::read(&header, bytes) {
                writer.producers.replay(&batch);
            }
            writer.producers.set_end_offset(header.next_offset());
        }
        Ok(loaded.tail().end_offset)
    }

    /// Returns the answer for a batch that repeats one of the producer's last five.
    fn check_producer(
        &self,
        loaded: &Loaded,
        writer: &Writer,
        updates: &mut ProducerUpdates,
        batch: &ProducerBatch,
    ) -> Result<Option<Appended>, AppendError> {
        if let Some(earlier) = writer.producers.find_duplicate(updates, batch) {
            return Ok(Some(Appended {
                base_offset: earlier.first_offset(),
                last_offset: earlier.last_offset,
                log_append_time: Some(earlier.timestamp),
                log_start_offset: loaded.log_start_offset.load(Ordering::Relaxed),
                duplicate: true,
            }));
        }
        writer.producers.check(updates, batch, AppendOrigin::Client)?;
        Ok(None)
    }

    /// Puts one batch at the end of the active segment, rolled first if it is due, and publishes the new end.
    fn write(
        &self,
        loaded: &Loaded,
        writer: &mut Writer,
        header: &BatchHeader,
        records: &[u8],
        now_ms: i64,
    ) -> Result<(), Error> {
        let config = self.config();
        let segment = self.segment_for(loaded, writer, header, &config, now_ms)?;
        let position = segment.size();
        self.put(loaded, &segment, position, &header.write(), records)?;
        segment.with_index(|index| {
            segment.index_batch(index, position, header, u64::from(config.index_interval_bytes));
        });
        if position == 0 {
            segment.note_first_timestamp(header.max_timestamp);
        }
        loaded.assign_epoch(header.partition_leader_epoch, header.base_offset);
        let end = position + header.size() as u64;
        segment.set_size(end);
        writer.bytes_since_snapshot += header.size() as u64;
        loaded.set_tail(Tail {
            end_offset: header.next_offset(),
            segment_base_offset: segment.base_offset(),
            position: end,
        });
        Ok(())
    }

    fn put(
        &self,
        loaded: &Loaded,
        segment: &Segment,
        position: u64,
        head: &[u8; HEADER_SIZE],
        records: &[u8],
    ) -> Result<(), Error> {
        let opened = segment.log_file(self.place(loaded));
        let file = self.log_dir.check("opening a segment", opened)?;
        let Err(error) = file.write_all_vectored_at(&mut [IoSlice::new(head), IoSlice::new(records)], position) else {
            return Ok(());
        };
        // A part may be written. A full disk is no damage if that part can be taken back.
        let full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        if full && file.truncate(position).is_ok() {
            return Err(Error::NoSpace(error));
        }
        Err(self.log_dir.fail("appending to a segment", error).into())
    }

    /// The active segment, after a roll if `header` needs a new one.
    fn segment_for(
        &self,
        loaded: &Loaded,
        writer: &mut Writer,
        header: &BatchHeader,
        config: &LogConfig,
        now_ms: i64,
    ) -> Result<Arc<Segment>, Error> {
        match loaded.active() {
            None => self.create_first(loaded, header.base_offset),
            Some(active) if self.must_roll(&active, header, config, now_ms) => {
                self.roll_to(loaded, writer, header.base_offset)
            }
            Some(active) => Ok(active),
        }
    }

    /// `LogSegment.shouldRoll`.
    fn must_roll(&self, active: &Segment, header: &BatchHeader, config: &LogConfig, now_ms: i64) -> bool {
        let size = active.size();
        let full = size + header.size() as u64 > u64::from(config.segment_bytes);
        let index_full = active.with_index(|index| index.is_full(u64::from(config.max_index_bytes))).unwrap_or(true);
        let too_far = active.relative(header.last_offset()).is_none();
        size > 0 && (full || index_full || too_far || self.is_too_old(active, header.max_timestamp, config, now_ms))
    }

    /// Age counts from the first batch's timestamp to this one's, or to now if records have none.
    fn is_too_old(&self, active: &Segment, timestamp: i64, config: &LogConfig, now_ms: i64) -> bool {
        let Some(first) = active.first_timestamp().filter(|first| *first >= 0) else { return false };
        let until = if timestamp >= 0 { timestamp } else { now_ms };
        let jitter = match config.segment_jitter_ms {
            0 => 0,
            most => (self.topic_id.as_u128() as i64 ^ active.base_offset()).rem_euclid(most.saturating_add(1).max(1)),
        };
        until.saturating_sub(first) > config.max_segment_ms().saturating_sub(jitter)
    }

    /// The folder and the first segment of a log that had none.
    pub(super) fn create_first(&self, loaded: &Loaded, base_offset: i64) -> Result<Arc<Segment>, Error> {
        self.create_folder()?;
        self.add_segment(loaded, base_offset)
    }

    /// Closes the active segment and begins one at `base_offset`, with a snapshot of the producers before it.
    pub(super) fn roll_to(
        &self,
        loaded: &Loaded,
        writer: &mut Writer,
        base_offset: i64,
    ) -> Result<Arc<Segment>, Error> {
        let place = self.place(loaded);
        if let Some(active) = loaded.active() {
            self.log_dir.check("closing a segment", active.close(place))?;
        }
        writer.producers.set_end_offset(base_offset);
        let snapshot = writer.producers.take_snapshot(place.file_system(), place.folder, false);
        self.log_dir.check("writing a producer snapshot", snapshot)?;
        writer.bytes_since_snapshot = 0;
        tracing::debug!(partition = %self.partition, base_offset, "rolled new log segment");
        self.add_segment(loaded, base_offset)
    }

    pub(super) fn add_segment(&self, loaded: &Loaded, base_offset: i64) -> Result<Arc<Segment>, Error> {
        let created = Segment::create(self.place(loaded), base_offset);
        let segment = Arc::new(self.log_dir.check("creating a segment", created)?);
        loaded.names_changed.store(true, Ordering::Release);
        loaded.change_segments(|segments| segments.push(Arc::clone(&segment)));
        let end_offset = loaded.tail().end_offset.max(base_offset);
        loaded.set_tail(Tail { end_offset, segment_base_offset: base_offset, position: 0 });
        Ok(segment)
    }
}

/// The header with its place in the log. Base offset and leader epoch lie outside the CRC.
fn assign(header: &BatchHeader, base_offset: i64, leader_epoch: i32) -> BatchHeader {
    BatchHeader { base_offset, partition_leader_epoch: leader_epoch, ..*header }
}
