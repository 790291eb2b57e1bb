//! Making a log durable, and closing it. Source: `UnifiedLog.flush`, `UnifiedLog.close`.

use std::io;
use std::sync::atomic::Ordering;

use super::{Loaded, Log, Tail, lock};
use crate::error::Error;
use crate::segment::Place;

/// After so many bytes the producers are written down though no segment was rolled, which bounds what a restart replays.
const SNAPSHOT_INTERVAL_BYTES: u64 = 64 << 20;

impl Log {
    /// Syncs everything that was appended before the call and returns the new recovery point: all below survives a power
    /// cut. Appends go on meanwhile; what they add waits for the next call, so that one sync serves many.
    ///
    /// # Errors
    /// The first failure takes the directory offline: no later call succeeds.
    pub fn flush(&self) -> Result<i64, Error> {
        let loaded = self.loaded()?;
        let _flush = lock(&loaded.flush);
        if self.deleted.load(Ordering::Acquire) {
            return Err(Error::Deleted);
        }
        self.log_dir.check_online()?;
        let tail = loaded.tail();
        if loaded.recovery_point.load(Ordering::Acquire) < tail.end_offset {
            self.log_dir.check("flushing a log", self.sync(loaded))?;
            *lock(&loaded.flushed) = tail;
            loaded.recovery_point.fetch_max(tail.end_offset, Ordering::AcqRel);
            self.snapshot_if_due(loaded)?;
        }
        Ok(tail.end_offset)
    }

    /// Data first, then the names of new files, then what was derived from the data.
    fn sync(&self, loaded: &Loaded) -> io::Result<()> {
        let place = self.place(loaded);
        let names_changed = loaded.names_changed.swap(false, Ordering::AcqRel);
        let recovery_point = loaded.recovery_point.load(Ordering::Acquire);
        let segments = loaded.segments();
        // The one that ends at the recovery point may have been closed since.
        let first = segments.partition_point(|segment| segment.base_offset() < recovery_point).saturating_sub(1);
        for segment in &segments[first..] {
            segment.sync(place)?;
            segment.store_index(place)?;
            segment.sync_index(place)?;
        }
        if names_changed {
            place.file_system().sync_dir(place.folder)?;
        }
        self.store_epochs(loaded, place)
    }

    fn store_epochs(&self, loaded: &Loaded, place: Place<'_>) -> io::Result<()> {
        if loaded.epochs_changed.swap(false, Ordering::AcqRel) {
            loaded.epochs().store(place.file_system(), place.folder)?;
        }
        Ok(())
    }

    fn snapshot_if_due(&self, loaded: &Loaded) -> Result<(), Error> {
        let mut writer = lock(&loaded.writer);
        if writer.bytes_since_snapshot < SNAPSHOT_INTERVAL_BYTES {
            return Ok(());
        }
        writer.bytes_since_snapshot = 0;
        let place = self.place(loaded);
        let taken = writer.producers.take_snapshot(place.file_system(), place.folder, false);
        self.log_dir.check("writing a producer snapshot", taken)?;
        Ok(())
    }

    /// Where byte positions of flushed offsets are known without a look-up.
    pub(super) fn flushed(&self, loaded: &Loaded) -> Tail {
        *lock(&loaded.flushed)
    }

    /// Flushes, and writes down what the next start would otherwise have to find out. The log may be used afterwards,
    /// but should not be: the directory's clean-shutdown marker says that nothing came later.
    ///
    /// # Errors
    /// As [`Log::flush`].
    pub fn close(&self) -> Result<(), Error> {
        let Some(loaded) = self.loaded.get() else { return Ok(()) };
        self.flush()?;
        let mut writer = lock(&loaded.writer);
        let place = self.place(loaded);
        let mut close = || -> io::Result<()> {
            let Some(active) = loaded.active() else { return Ok(()) };
            writer.producers.take_snapshot(place.file_system(), place.folder, true)?;
            active.with_index(crate::index::ActiveIndex::add_time_entry);
            // Also what a flush with nothing to flush leaves: the indexes of a segment that was just closed.
            self.sync(loaded)?;
            place.file_system().sync_dir(place.folder)?;
            active.release();
            Ok(())
        };
        let result = close();
        self.log_dir.check("closing a log", result)?;
        Ok(())
    }
}
