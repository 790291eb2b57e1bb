//! Open files under a budget: an idle segment has none, a used one keeps its own until others need the room.

use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::file_system::{DirEntry, File, FileSystem, LockGuard, Metadata, OpenMode, Space};
use crate::slot_cache::{Evict, Slot, SlotCache};

/// Descriptors left to connections, maps and everything else when the budget comes from the process's limit.
const RESERVED_DESCRIPTORS: u64 = 2_048;
/// The least budget, however low the limit.
const MIN_BUDGET: usize = 64;

/// A segment's place for one open file.
#[derive(Clone, Debug, Default)]
pub struct FileSlot {
    slot: Arc<Slot<Arc<TrackedFile>>>,
}

impl FileSlot {
    /// Lets go of the file; readers that hold it keep it open. What was written and not synced stays unsynced.
    pub fn close(&self) {
        drop(self.slot.take());
    }
}

/// All open files of a process's log directories.
///
/// A file with unsynced writes is not closed to make room, since the kernel reports a failed write-back to handles
/// that were open then; when every file is such a one, it is synced first.
///
/// It is a file system too, whose calls close such a file and go on where the process has no descriptor left: a shortage
/// of those is no failure of a disk.
#[derive(Debug)]
pub struct FileHandles {
    file_system: Arc<dyn FileSystem>,
    cache: SlotCache<Arc<TrackedFile>>,
}

impl FileHandles {
    /// Handles of `file_system`, at most `budget` of them at a time that could be closed.
    pub fn new(file_system: Arc<dyn FileSystem>, budget: usize) -> Arc<Self> {
        Arc::new(Self { file_system, cache: SlotCache::new(budget) })
    }

    /// The budget that the process's limit of open files (`RLIMIT_NOFILE`, soft) allows: all but 2,048 of them, at
    /// least half of them.
    pub fn default_budget() -> usize {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        budget_under(limit)
    }

    /// Changes the budget; files over it are closed as others are opened.
    pub fn set_budget(&self, budget: usize) {
        self.cache.set_budget(budget);
    }

    /// How many files are open, about: those closed by their owner count until room is made the next time.
    pub fn open_count(&self) -> usize {
        self.cache.filled()
    }

    /// The slot's file, opened by `path` and `mode` when it is not. The file stays usable as long as the caller holds it.
    ///
    /// # Errors
    /// Those of [`FileSystem::open`].
    pub fn get(&self, slot: &FileSlot, path: impl FnOnce() -> PathBuf, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let open = || Ok(Arc::new(TrackedFile::new(self.open(&path(), mode)?)));
        self.cache.with(&slot.slot, open, |file| Arc::clone(file) as Arc<dyn File>)
    }

    /// Repeats `call` as long as descriptors are lacking and a file can be closed.
    fn with_room<T>(&self, call: impl Fn() -> io::Result<T>) -> io::Result<T> {
        loop {
            match call() {
                Err(error) if is_out_of_descriptors(&error) && self.cache.evict_one() => {}
                result => return result,
            }
        }
    }
}

impl FileSystem for FileHandles {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        self.with_room(|| self.file_system.open(path, mode))
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.file_system.create_dir_all(path)
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        self.with_room(|| self.file_system.read_dir(path))
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        self.file_system.metadata(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.file_system.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.file_system.remove_file(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        self.with_room(|| self.file_system.remove_dir_all(path))
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.with_room(|| self.file_system.sync_dir(path))
    }

    fn lock(&self, path: &Path) -> io::Result<LockGuard> {
        self.with_room(|| self.file_system.lock(path))
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        self.file_system.space(path)
    }
}

fn budget_under(limit: Option<u64>) -> usize {
    let limit = limit.unwrap_or(1 << 20);
    let budget = limit.saturating_sub(RESERVED_DESCRIPTORS).max(limit / 2);
    usize::try_from(budget).unwrap_or(usize::MAX).max(MIN_BUDGET)
}

fn is_out_of_descriptors(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}

/// A file that knows whether it has unsynced writes, and that refuses everything after a failed sync.
#[derive(Debug)]
struct TrackedFile {
    file: Arc<dyn File>,
    dirty: AtomicBool,
    sync_failed: AtomicBool,
}

impl TrackedFile {
    fn new(file: Arc<dyn File>) -> Self {
        Self { file, dirty: AtomicBool::new(false), sync_failed: AtomicBool::new(false) }
    }

    fn check(&self) -> io::Result<()> {
        if self.sync_failed.load(Ordering::Acquire) {
            Err(io::Error::other("an earlier sync of this file failed"))
        } else {
            Ok(())
        }
    }

    /// Runs a change. The mark is set before, so that the file is not closed meanwhile, and after, since a sync that
    /// ran meanwhile may have cleared it without covering the change.
    fn change(&self, change: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        self.check()?;
        self.dirty.store(true, Ordering::Release);
        let result = change();
        self.dirty.store(true, Ordering::Release);
        result
    }
}

impl Evict for Arc<TrackedFile> {
    fn is_idle(&self) -> bool {
        !self.dirty.load(Ordering::Acquire)
    }

    fn settle(&self) -> bool {
        self.sync_data().is_ok()
    }
}

impl File for TrackedFile {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        self.file.read_at(buffer, position)
    }

    fn read_resident_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        self.file.read_resident_at(buffer, position)
    }

    fn read_uncached_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        self.file.read_uncached_at(buffer, position)
    }

    fn write_all_vectored_at(&self, buffers: &mut [IoSlice<'_>], position: u64) -> io::Result<()> {
        self.change(|| self.file.write_all_vectored_at(buffers, position))
    }

    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        self.change(|| self.file.truncate(size))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.check()?;
        self.dirty.store(false, Ordering::Release);
        self.file.sync_data().inspect_err(|_| {
            self.sync_failed.store(true, Ordering::Release);
            self.dirty.store(true, Ordering::Release);
        })
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.file.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::file_system::{LosingFileSystem, Operation};

    fn path(number: usize) -> PathBuf {
        Path::new("/").join(number.to_string())
    }

    fn get(handles: &FileHandles, slot: &FileSlot, number: usize) -> Arc<dyn File> {
        handles.get(slot, || path(number), OpenMode::Create).unwrap()
    }

    #[test]
    fn any_number_of_files_under_a_small_budget() {
        let file_system = LosingFileSystem::new();
        let handles = FileHandles::new(Arc::new(file_system.clone()), 4);
        let slots: Vec<FileSlot> = (0..50).map(|_| FileSlot::default()).collect();
        for round in 0..3u8 {
            for (number, slot) in slots.iter().enumerate() {
                let file = get(&handles, slot, number);
                file.write_all_at(&[round], 0).unwrap();
                file.sync_data().unwrap();
                assert!(handles.open_count() <= 4);
            }
        }
        assert_eq!(file_system.counts().opens, 150);
        for _ in 0..10 {
            get(&handles, &slots[49], 49);
        }
        assert_eq!(file_system.counts().opens, 150, "a file in its slot is not opened again");
    }

    #[test]
    fn a_reader_keeps_its_file_over_eviction_and_removal() {
        let file_system = LosingFileSystem::new();
        let handles = FileHandles::new(Arc::new(file_system.clone()), 1);
        let (kept, other) = (FileSlot::default(), FileSlot::default());
        let file = get(&handles, &kept, 0);
        file.write_all_at(b"x", 0).unwrap();
        file.sync_data().unwrap();
        get(&handles, &other, 1);
        file_system.remove_file(&path(0)).unwrap();
        kept.close();
        let mut buffer = [0];
        assert_eq!(file.read_at(&mut buffer, 0).unwrap(), 1);
        assert_eq!(&buffer, b"x");
    }

    #[test]
    fn synced_files_make_room_before_unsynced_ones() {
        let file_system = LosingFileSystem::new();
        let handles = FileHandles::new(Arc::new(file_system.clone()), 3);
        let (unsynced, synced) = (FileSlot::default(), FileSlot::default());
        get(&handles, &unsynced, 0).write_all_at(b"x", 0).unwrap();
        get(&handles, &synced, 1);
        for number in 2..10 {
            get(&handles, &FileSlot::default(), number);
        }
        assert_eq!(file_system.counts().syncs, 0);
        let opens = file_system.counts().opens;
        get(&handles, &unsynced, 0);
        assert_eq!(file_system.counts().opens, opens);
    }

    #[test]
    fn an_unsynced_file_is_synced_before_it_makes_room() {
        let file_system = LosingFileSystem::new();
        let handles = FileHandles::new(Arc::new(file_system.clone()), 2);
        let slots: Vec<FileSlot> = (0..6).map(|_| FileSlot::default()).collect();
        for (number, slot) in slots.iter().enumerate() {
            get(&handles, slot, number).write_all_at(b"x", 0).unwrap();
            assert!(handles.open_count() <= 2);
        }
        assert_eq!(file_system.counts().syncs, 4);
    }

    #[test]
    fn out_of_descriptors_a_file_is_closed_and_the_call_repeated() {
        let file_system = LosingFileSystem::new();
        let handles = FileHandles::new(Arc::new(file_system.clone()), 10);
        let (first, second) = (FileSlot::default(), FileSlot::default());
        get(&handles, &first, 0).write_all_at(b"x", 0).unwrap();
        file_system.fail(Operation::Open, "/1", 0, libc::EMFILE);
        get(&handles, &second, 1);
        assert_eq!((file_system.counts().syncs, handles.open_count()), (1, 1));
        file_system.fail(Operation::List, "/", 0, libc::ENFILE);
        assert_eq!(handles.read_dir(Path::new("/")).unwrap().len(), 2);
        file_system.fail(Operation::List, "/", 0, libc::EMFILE);
        assert!(handles.read_dir(Path::new("/")).is_err(), "nothing is left to close");
    }

    #[test]
    fn after_a_failed_sync_nothing_is_written_or_synced() {
        let file_system = LosingFileSystem::new();
        let handles = FileHandles::new(Arc::new(file_system.clone()), 1);
        let slot = FileSlot::default();
        let file = get(&handles, &slot, 0);
        file.write_all_at(b"x", 0).unwrap();
        file_system.fail(Operation::Sync, "/0", 0, libc::EIO);
        assert_eq!(file.sync_data().unwrap_err().raw_os_error(), Some(libc::EIO));
        let counts = file_system.counts();
        assert!(file.sync_data().is_err() && file.write_all_at(b"y", 0).is_err() && file.truncate(0).is_err());
        assert_eq!(file_system.counts(), counts);
        get(&handles, &FileSlot::default(), 1);
        assert!(get(&handles, &slot, 0).sync_data().is_err(), "it is not closed and forgotten either");
    }

    #[test]
    fn budgets_follow_the_limit_of_open_files() {
        assert_eq!(budget_under(Some(20_000)), 17_952);
        assert_eq!(budget_under(Some(1_024)), 512);
        assert_eq!(budget_under(Some(10)), 64);
        assert_eq!(budget_under(None), (1 << 20) - 2_048);
    }
}
