//! Closed index files, mapped read-only on first look-up, in a bounded cache. The one `unsafe` of this crate.
//!
//! A map costs the process one of `vm.max_map_count` (65,530) and no descriptor. `MADV_RANDOM` keeps a look-up from
//! pulling megabytes of the file into the page cache. Record data is never mapped.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use memmap2::{Advice, Mmap, MmapOptions};

use crate::file_system::{File, FileSystem, OpenMode, read_full};
use crate::slot_cache::{Evict, Slot, SlotCache};

/// Maps kept by default: an eighth of Linux's default `vm.max_map_count`.
pub const DEFAULT_MAP_BUDGET: usize = 8_192;
/// Files up to this many bytes are read instead: a map would take a page as well.
const READ_INSTEAD: u64 = 4_096;

/// An index's place for its map.
#[derive(Clone, Debug, Default)]
pub struct MapSlot {
    slot: Arc<Slot<IndexBytes>>,
}

impl MapSlot {
    /// Takes the map down; the next look-up sees the file as it is then.
    pub fn close(&self) {
        drop(self.slot.take());
    }

    /// Takes the map down and runs `change`, which may truncate the file: meanwhile nobody reads it.
    pub fn change<R>(&self, change: impl FnOnce() -> R) -> R {
        self.slot.emptied(change)
    }
}

/// The maps of a process's closed indexes.
#[derive(Debug)]
pub struct IndexMaps {
    file_system: Arc<dyn FileSystem>,
    cache: SlotCache<IndexBytes>,
}

impl IndexMaps {
    /// Maps of files in `file_system`, at most `budget` at a time.
    pub fn new(file_system: Arc<dyn FileSystem>, budget: usize) -> Arc<Self> {
        Arc::new(Self { file_system, cache: SlotCache::new(budget) })
    }

    /// Runs `look_up` on the whole content of the file at `path`, as it was when the slot was filled.
    ///
    /// The file must not be truncated but inside [`MapSlot::change`].
    ///
    /// # Errors
    /// What opening, reading or mapping the file says.
    pub fn read<R>(
        &self,
        slot: &MapSlot,
        path: impl FnOnce() -> PathBuf,
        look_up: impl FnOnce(&[u8]) -> R,
    ) -> io::Result<R> {
        let load = || {
            let file = self.file_system.open(&path(), OpenMode::Read)?;
            IndexBytes::load(&*file)
        };
        self.cache.with(&slot.slot, load, |bytes| look_up(bytes.as_slice()))
    }

    /// How many maps there are, about: those closed by their owner count until room is made the next time.
    pub fn map_count(&self) -> usize {
        self.cache.filled()
    }
}

enum IndexBytes {
    Mapped(Mmap),
    Read(Box<[u8]>),
}

impl IndexBytes {
    /// Maps the file, or reads it when it is small, when there is no descriptor (the simulation), or when the system
    /// has no map left.
    fn load(file: &dyn File) -> io::Result<Self> {
        let size = file.size()?;
        if size > READ_INSTEAD
            && let Some(map) = map(file, size)
        {
            return Ok(Self::Mapped(map));
        }
        let mut bytes = vec![0; usize::try_from(size).map_err(io::Error::other)?];
        let read = read_full(file, &mut bytes, 0)?;
        bytes.truncate(read);
        Ok(Self::Read(bytes.into_boxed_slice()))
    }

    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Read(bytes) => bytes,
        }
    }
}

#[expect(unsafe_code, reason = "a map of a file cannot be made without")]
fn map(file: &dyn File, size: u64) -> Option<Mmap> {
    let descriptor = file.as_fd()?;
    let size = usize::try_from(size).ok()?;
    // SAFETY: nobody shrinks the file while it is mapped. Other processes are kept out by the lock of the log directory;
    // in this one, only the segment that owns the slot cuts its file, inside `MapSlot::change`, which waits for readers
    // and keeps new ones out. Bytes that are there are not written again.
    let map = unsafe { MmapOptions::new().len(size).map(&descriptor) }.ok()?;
    map.advise(Advice::Random).ok()?;
    Some(map)
}

impl fmt::Debug for IndexBytes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if matches!(self, Self::Mapped(_)) { "Mapped" } else { "Read" };
        write!(formatter, "IndexBytes::{kind}({} bytes)", self.as_slice().len())
    }
}

impl Evict for IndexBytes {
    fn is_idle(&self) -> bool {
        true
    }

    fn settle(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::file_system::{LosingFileSystem, OsFileSystem};

    fn sum(bytes: &[u8]) -> (usize, u64) {
        (bytes.len(), bytes.iter().map(|byte| u64::from(*byte)).sum())
    }

    fn check(file_system: Arc<dyn FileSystem>, root: &Path) {
        let maps = IndexMaps::new(Arc::clone(&file_system), 2);
        let slots: Vec<MapSlot> = (0..6).map(|_| MapSlot::default()).collect();
        let sizes = [0, 1, 4_096, 4_097, 100_000, 1_000_000];
        let path = |number: usize| root.join(number.to_string());
        for (number, size) in sizes.iter().enumerate() {
            let file = file_system.open(&path(number), OpenMode::Create).unwrap();
            file.write_all_at(&vec![1; *size], 0).unwrap();
        }
        for _ in 0..2 {
            for (number, size) in sizes.iter().enumerate() {
                let found = maps.read(&slots[number], || path(number), sum).unwrap();
                assert_eq!(found, (*size, *size as u64));
                assert!(maps.map_count() <= 2);
            }
        }
        let cut = || file_system.open(&path(5), OpenMode::ReadWrite)?.truncate(5_000);
        slots[5].change(cut).unwrap();
        assert_eq!(maps.read(&slots[5], || path(5), sum).unwrap(), (5_000, 5_000));
        assert!(maps.read(&MapSlot::default(), || path(99), sum).is_err());
    }

    #[test]
    fn files_of_all_sizes_are_read_whole_under_a_small_budget() {
        let folder = tempfile::tempdir().unwrap();
        check(Arc::new(OsFileSystem), folder.path());
        check(Arc::new(LosingFileSystem::new()), Path::new("/"));
    }

    #[test]
    fn a_large_file_is_mapped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("index");
        let file = OsFileSystem.open(&path, OpenMode::Create).unwrap();
        file.write_all_at(&[7; 10_000], 0).unwrap();
        assert!(matches!(IndexBytes::load(&*file).unwrap(), IndexBytes::Mapped(_)));
    }
}
