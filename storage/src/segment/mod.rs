//! One segment: the `.log` file of record batches and its sparse indexes. Source: `LogSegment`.
//!
//! Only whole batches count: [`Segment::size`] is where the last one ends, whatever the file holds behind it.

mod build;
mod names;
mod search;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use bytes::Bytes;
use names::Names;
pub(crate) use names::{CLEANED_SUFFIX, DELETED_SUFFIX, SWAP_SUFFIX};
pub(crate) use search::{Found, Hopper, WalkError};

use crate::file_handles::{FileHandles, FileSlot};
use crate::file_system::{File, FileSystem, OpenMode, with_suffix};
use crate::index::mmap::{IndexMaps, MapSlot};
use crate::index::{ActiveIndex, Index, TimeEntry, TimeIndex, Unstored, entry};
use crate::log_dir::LogDir;

/// Suffixes of a segment's files.
pub(crate) const LOG_SUFFIX: &str = "log";
pub(crate) const INDEX_SUFFIX: &str = "index";
pub(crate) const TIME_INDEX_SUFFIX: &str = "timeindex";
pub(crate) const TXN_INDEX_SUFFIX: &str = "txnindex";
/// All files of a segment, the log first: what is deleted is first of all no log any more.
pub(crate) const SUFFIXES: [&str; 4] = [LOG_SUFFIX, INDEX_SUFFIX, TIME_INDEX_SUFFIX, TXN_INDEX_SUFFIX];

const UNKNOWN: i64 = i64::MIN;

/// Where a segment's files are.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) log_dir: &'a LogDir,
    /// The log's folder.
    pub(crate) folder: &'a Path,
}

impl Place<'_> {
    pub(crate) fn path(&self, base_offset: i64, suffix: &str) -> PathBuf {
        self.folder.join(format!("{base_offset:020}.{suffix}"))
    }

    pub(crate) fn file_system(&self) -> &dyn FileSystem {
        self.log_dir.file_system()
    }

    pub(crate) fn handles(&self) -> &Arc<FileHandles> {
        self.log_dir.handles()
    }

    fn maps(&self) -> &Arc<IndexMaps> {
        self.log_dir.maps()
    }
}

/// The base offset in a segment file's name; `None` for any other name.
pub(crate) fn base_offset_of(name: &str, suffix: &str) -> Option<i64> {
    let digits = name.strip_suffix(suffix)?.strip_suffix('.')?;
    if digits.len() != 20 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

/// A segment, active or closed.
pub(crate) struct Segment {
    base_offset: i64,
    size: AtomicU64,
    /// Everything before this byte is on disk.
    synced: AtomicU64,
    /// Maximum timestamp of the first batch, from which the age of an active segment counts.
    first_timestamp: AtomicI64,
    /// Largest timestamp; `UNKNOWN` until a closed segment is asked.
    max_timestamp: AtomicI64,
    log: FileSlot,
    offset_map: MapSlot,
    time_map: MapSlot,
    names: RwLock<Names>,
    /// `Some` while the segment is active.
    index: Mutex<Option<ActiveIndex>>,
    /// The index files of a closed segment hold all entries, on disk.
    index_synced: AtomicBool,
}

impl Segment {
    /// A segment that is on disk and closed, `size` bytes large.
    pub(crate) fn closed(base_offset: i64, size: u64) -> Self {
        Self {
            base_offset,
            size: AtomicU64::new(size),
            synced: AtomicU64::new(size),
            first_timestamp: AtomicI64::new(UNKNOWN),
            max_timestamp: AtomicI64::new(UNKNOWN),
            log: FileSlot::default(),
            offset_map: MapSlot::default(),
            time_map: MapSlot::default(),
            names: RwLock::default(),
            index: Mutex::new(None),
            index_synced: AtomicBool::new(true),
        }
    }

    /// A segment that the cleaner made, on disk under names that say so.
    pub(crate) fn cleaned(base_offset: i64, size: u64, max_timestamp: i64) -> Self {
        let segment = Self::closed(base_offset, size);
        segment.max_timestamp.store(max_timestamp, Ordering::Relaxed);
        Self { names: RwLock::new(Names::all(CLEANED_SUFFIX)), ..segment }
    }

    /// Creates the files of an empty active segment. What a crash left under the names is emptied.
    pub(crate) fn create(place: Place<'_>, base_offset: i64) -> io::Result<Self> {
        let segment = Self::closed(base_offset, 0);
        let path = || place.path(base_offset, LOG_SUFFIX);
        let log = place.handles().get(&segment.log, path, OpenMode::Create)?;
        build::cut(&*log, 0)?;
        for suffix in [INDEX_SUFFIX, TIME_INDEX_SUFFIX] {
            let file = place.file_system().open(&place.path(base_offset, suffix), OpenMode::Create)?;
            build::cut(&*file, 0)?;
        }
        *segment.lock_index() = Some(ActiveIndex::default());
        Ok(segment)
    }

    pub(crate) fn base_offset(&self) -> i64 {
        self.base_offset
    }

    /// Bytes of whole batches.
    pub(crate) fn size(&self) -> u64 {
        self.size.load(Ordering::Acquire)
    }

    pub(crate) fn set_size(&self, size: u64) {
        self.size.store(size, Ordering::Release);
    }

    pub(crate) fn first_timestamp(&self) -> Option<i64> {
        let timestamp = self.first_timestamp.load(Ordering::Relaxed);
        (timestamp != UNKNOWN).then_some(timestamp)
    }

    pub(crate) fn note_first_timestamp(&self, timestamp: i64) {
        self.first_timestamp.store(timestamp, Ordering::Relaxed);
    }

    /// The `.log` file, opened when it is not.
    pub(crate) fn log_file(&self, place: Place<'_>) -> io::Result<Arc<dyn File>> {
        let names = self.names();
        if let Some(file) = names.retired_log() {
            return Ok(Arc::clone(file));
        }
        let path = || with_suffix(&place.path(self.base_offset, LOG_SUFFIX), names.log);
        place.handles().get(&self.log, path, OpenMode::ReadWrite)
    }

    /// The offset relative to the base, as the indexes keep it; `None` beyond four bytes (`canConvertToRelativeOffset`).
    pub(crate) fn relative(&self, offset: i64) -> Option<u32> {
        let relative = offset.checked_sub(self.base_offset)?;
        i32::try_from(relative).ok().and_then(|relative| u32::try_from(relative).ok())
    }

    /// Runs `change` on the index in memory; `None` for a closed segment.
    pub(crate) fn with_index<R>(&self, change: impl FnOnce(&mut ActiveIndex) -> R) -> Option<R> {
        self.lock_index().as_mut().map(change)
    }

    /// Makes the bytes up to the present size durable. What is written meanwhile waits for the next call.
    pub(crate) fn sync(&self, place: Place<'_>) -> io::Result<()> {
        let size = self.size();
        if self.synced.load(Ordering::Acquire) < size {
            self.log_file(place)?.sync_data()?;
            self.synced.fetch_max(size, Ordering::AcqRel);
        }
        Ok(())
    }

    /// Makes the indexes durable once the segment is closed: from then on nobody asks whether the last entry is missing,
    /// which would make the segment look older than it is.
    pub(crate) fn sync_index(&self, place: Place<'_>) -> io::Result<()> {
        if self.lock_index().is_some() || self.index_synced.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let names = self.names();
        if names.retired_log().is_some() {
            return Ok(());
        }
        for suffix in [INDEX_SUFFIX, TIME_INDEX_SUFFIX] {
            let path = with_suffix(&place.path(self.base_offset, suffix), names.indexes);
            place.file_system().open(&path, OpenMode::ReadWrite)?.sync_data()?;
        }
        Ok(())
    }

    /// Forgets what is known to be on disk: after a crash the page cache may be all there is.
    pub(crate) fn distrust(&self) {
        self.synced.store(0, Ordering::Release);
    }

    /// Writes the index entries that the files lack; unsynced, since recovery makes them again.
    pub(crate) fn store_index(&self, place: Place<'_>) -> io::Result<()> {
        let taken = self.with_index(|index| index.has_unstored().then(|| index.take_unstored())).flatten();
        if let Some((offsets, times)) = taken {
            self.write_entries(place, INDEX_SUFFIX, &offsets)?;
            self.write_entries(place, TIME_INDEX_SUFFIX, &times)?;
        }
        Ok(())
    }

    fn write_entries(&self, place: Place<'_>, suffix: &str, unstored: &Unstored) -> io::Result<()> {
        if unstored.bytes.is_empty() {
            return Ok(());
        }
        let file = place.file_system().open(&place.path(self.base_offset, suffix), OpenMode::Create)?;
        file.write_all_at(&unstored.bytes, unstored.position)
    }

    /// Closes the segment: its entries go to the files and out of memory (`LogSegment.onBecomeInactiveSegment`).
    pub(crate) fn close(&self, place: Place<'_>) -> io::Result<()> {
        self.with_index(ActiveIndex::add_time_entry);
        self.store_index(place)?;
        if let Some(index) = self.lock_index().take() {
            self.max_timestamp.store(index.max_timestamp(), Ordering::Relaxed);
            self.index_synced.store(false, Ordering::Release);
        }
        Ok(())
    }

    /// Puts descriptor and maps back: the files are going to be renamed or changed.
    pub(crate) fn release(&self) {
        self.log.close();
        self.offset_map.close();
        self.time_map.close();
    }

    /// The largest timestamp and the offset of the batch that has it, from the last entry of the time index; −1 for a
    /// segment without any (`LogSegment.readMaxTimestampAndOffsetSoFar`).
    pub(crate) fn max_timestamp(&self, place: Place<'_>) -> io::Result<i64> {
        if let Some(timestamp) = self.with_index(|index| index.max_timestamp()) {
            return Ok(timestamp);
        }
        let known = self.max_timestamp.load(Ordering::Relaxed);
        if known != UNKNOWN {
            return Ok(known);
        }
        let entry = self.last_time_entry(place)?;
        let timestamp =
            if self.is_retired() { self.walk_to_max_timestamp(place)? } else { entry.map_or(-1, |e| e.timestamp) };
        self.max_timestamp.store(timestamp, Ordering::Relaxed);
        Ok(timestamp)
    }

    fn last_time_entry(&self, place: Place<'_>) -> io::Result<Option<TimeEntry>> {
        self.checked_time(place, |bytes| {
            let last = (bytes.len() / TimeIndex::ENTRY_SIZE).checked_sub(1)?;
            entry::<TimeIndex>(bytes, last)
        })
    }

    /// Looks into the closed offset index; a missing file is made again from the log.
    fn read_offsets<R>(&self, place: Place<'_>, look_up: impl Fn(&[u8]) -> R) -> io::Result<R> {
        self.read_index(place, &self.offset_map, INDEX_SUFFIX, look_up)
    }

    /// The bytes of the offset index and of the time index of a closed segment.
    pub(crate) fn stored_indexes(&self, place: Place<'_>) -> io::Result<(Bytes, Bytes)> {
        let offsets = self.read_offsets(place, Bytes::copy_from_slice)?;
        Ok((offsets, self.read_times(place, Bytes::copy_from_slice)?))
    }

    fn read_times<R>(&self, place: Place<'_>, look_up: impl Fn(&[u8]) -> R) -> io::Result<R> {
        self.read_index(place, &self.time_map, TIME_INDEX_SUFFIX, look_up)
    }

    fn read_index<R>(
        &self,
        place: Place<'_>,
        slot: &MapSlot,
        suffix: &str,
        look_up: impl Fn(&[u8]) -> R,
    ) -> io::Result<R> {
        let read = |look_up: &dyn Fn(&[u8]) -> R| {
            let names = self.names();
            // The indexes of a retired segment may be gone: nothing in them is the same as no entry.
            if names.retired_log().is_some() {
                return Ok(look_up(&[]));
            }
            let path = || with_suffix(&place.path(self.base_offset, suffix), names.indexes);
            place.maps().read(slot, path, look_up)
        };
        match read(&look_up) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.rebuild_index(place)?;
                read(&look_up)
            }
            result => result,
        }
    }

    fn names(&self) -> RwLockReadGuard<'_, Names> {
        self.names.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_index(&self) -> MutexGuard<'_, Option<ActiveIndex>> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Entries of an index file as far as they rise; empty when there is none.
    fn load_entries<I: Index>(&self, place: Place<'_>, suffix: &str) -> io::Result<Vec<I::Entry>> {
        match place.file_system().read(&place.path(self.base_offset, suffix)) {
            Ok(bytes) => Ok(crate::index::rising::<I>(&bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }
}
