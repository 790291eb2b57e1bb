//! Cutting the end off: what a new leader does not have, or a log that begins anew. Source: `UnifiedLog.truncateTo`.

use std::io;
use std::sync::atomic::Ordering;

use super::{Loaded, Log, Tail, Writer, lock};
use crate::error::Error;
use crate::producer_state::ProducerBatch;
use crate::segment::{Hopper, Segment};

impl Log {
    /// Removes every batch that reaches `offset` or beyond, durably. The log then ends where the last one left ends.
    /// Returns the log end offset.
    ///
    /// # Errors
    /// A failing disk. An offset below the log start offset empties the log at that offset.
    pub fn truncate_to(&self, offset: i64, now_ms: i64) -> Result<i64, Error> {
        let loaded = self.loaded()?;
        let offsets = loaded.offsets();
        if offset >= offsets.log_end_offset {
            return Ok(offsets.log_end_offset);
        }
        if offset <= offsets.log_start_offset {
            self.truncate_fully_and_start_at(offset.max(0), now_ms)?;
            return Ok(offset.max(0));
        }
        let _structure = self.lock_structure(loaded)?;
        loaded.truncations.fetch_add(1, Ordering::AcqRel);
        let _flush = lock(&loaded.flush);
        let mut writer = lock(&loaded.writer);
        self.log_dir.check_online()?;
        tracing::info!(partition = %self.partition, offset, log_end_offset = offsets.log_end_offset, "truncating");
        let recovery_point = loaded.recovery_point.load(Ordering::Acquire);
        let segment_base_offset = self.segment_of(loaded, offset).map_or(offset, |(segment, _)| segment.base_offset());
        self.lower_recovery_point(loaded, segment_base_offset)?;
        let cut = self.cut(loaded, &mut writer, offset, now_ms);
        let end_offset = self.log_dir.check("truncating a log", cut)?;
        loaded.recovery_point.store(recovery_point.min(end_offset), Ordering::Release);
        Ok(end_offset)
    }

    /// On disk too, and before anything is cut: what is half cut, and what is appended there later, must not be taken for
    /// flushed, or for cleaned, after a crash.
    fn lower_recovery_point(&self, loaded: &Loaded, offset: i64) -> Result<(), Error> {
        loaded.recovery_point.fetch_min(offset, Ordering::AcqRel);
        self.log_dir.lower_cleaner_offset(&self.partition, offset)?;
        Ok(self.log_dir.lower_recovery_point(&self.partition, offset)?)
    }

    fn cut(&self, loaded: &Loaded, writer: &mut Writer, offset: i64, now_ms: i64) -> io::Result<i64> {
        let place = self.place(loaded);
        let mut dropped = loaded.change_segments(|segments| {
            let kept = segments.partition_point(|segment| segment.base_offset() < offset).max(1);
            segments.split_off(kept)
        });
        dropped.reverse();
        self.rename_for_deletion(loaded, writer, &dropped, now_ms)?;
        let Some(active) = loaded.active() else { return Ok(offset) };
        let size = active.size();
        let end = active.find_offset(place, offset, size)?.map_or(size, |found| found.position);
        let scan_from = active.reopen(place, offset, end)?;
        let file = active.log_file(place)?;
        file.truncate(end)?;
        file.sync_data()?;
        active.set_size(end);
        active.distrust();
        let interval = u64::from(self.config().index_interval_bytes);
        let scanned = active.scan(place, scan_from, |position, header, _| {
            active.with_index(|index| active.index_batch(index, position, header, interval));
        })?;
        // The log may begin inside the first batch that went.
        let start = loaded.log_start_offset.load(Ordering::Acquire);
        let end_offset = scanned.next_offset.unwrap_or(active.base_offset()).max(start);
        let tail = Tail { end_offset, segment_base_offset: active.base_offset(), position: end };
        loaded.set_tail(tail);
        *lock(&loaded.flushed) = tail;
        loaded.change_epochs(|epochs| epochs.truncate_from_end(end_offset));
        self.reload_producers(loaded, writer, end_offset)?;
        Ok(end_offset)
    }

    fn reload_producers(&self, loaded: &Loaded, writer: &mut Writer, end_offset: i64) -> io::Result<()> {
        let place = self.place(loaded);
        let start = loaded.log_start_offset.load(Ordering::Acquire);
        writer.producers.truncate_and_reload(place.file_system(), place.folder, start, end_offset, 0)?;
        let from = writer.producers.end_offset();
        for segment in loaded.segments() {
            self.replay_segment(loaded, writer, &segment, from)?;
        }
        writer.producers.set_end_offset(end_offset);
        Ok(())
    }

    fn replay_segment(&self, loaded: &Loaded, writer: &mut Writer, segment: &Segment, from: i64) -> io::Result<()> {
        let place = self.place(loaded);
        let size = segment.size();
        let Some(first) = segment.find_offset(place, from, size)? else { return Ok(()) };
        let file = segment.log_file(place)?;
        let mut hopper = Hopper::new(&*file, first.position, size);
        while let Some(found) = hopper.next()? {
            if let Some(batch) = ProducerBatch::read(&found.header, &segment.content(place, &found)?) {
                writer.producers.replay(&batch);
            }
        }
        Ok(())
    }

    /// Drops everything; the next record gets `offset`.
    ///
    /// # Errors
    /// A failing disk.
    pub fn truncate_fully_and_start_at(&self, offset: i64, now_ms: i64) -> Result<(), Error> {
        let loaded = self.loaded()?;
        let _structure = self.lock_structure(loaded)?;
        loaded.truncations.fetch_add(1, Ordering::AcqRel);
        let _flush = lock(&loaded.flush);
        let mut writer = lock(&loaded.writer);
        self.log_dir.check_online()?;
        tracing::info!(partition = %self.partition, offset, "truncating fully");
        let first = loaded.segments().first().map_or(offset, |segment| segment.base_offset());
        self.lower_recovery_point(loaded, first.min(offset))?;
        let mut dropped = loaded.change_segments(std::mem::take);
        dropped.reverse();
        let removed = self.remove_all(loaded, &mut writer, &dropped, offset, now_ms);
        self.log_dir.check("truncating a log", removed)?;
        loaded.log_start_offset.store(offset, Ordering::Release);
        loaded.recovery_point.store(offset, Ordering::Release);
        let tail = Tail { end_offset: offset, segment_base_offset: offset, position: 0 };
        loaded.set_tail(tail);
        *lock(&loaded.flushed) = tail;
        loaded.change_epochs(|epochs| {
            epochs.clear();
            true
        });
        if !dropped.is_empty() {
            self.add_segment(loaded, offset)?;
            // The name of the segment's file is all that tells where the log begins.
            self.log_dir.check("truncating a log", self.log_dir.file_system().sync_dir(&loaded.folder))?;
        }
        Ok(())
    }

    fn remove_all(
        &self,
        loaded: &Loaded,
        writer: &mut Writer,
        dropped: &[std::sync::Arc<Segment>],
        offset: i64,
        now_ms: i64,
    ) -> io::Result<()> {
        if dropped.is_empty() {
            writer.producers.set_end_offset(offset);
            return Ok(());
        }
        self.rename_for_deletion(loaded, writer, dropped, now_ms)?;
        let place = self.place(loaded);
        writer.producers.truncate_fully_and_start_at(place.file_system(), place.folder, offset)
    }
}
