//! One replica's log: segments in a row, what producers wrote last, which leader epoch began where.
//! Source: `UnifiedLog`, `LocalLog`.
//!
//! Locks, in the order in which they may be taken: `load` → `structure` → `flush` → `writer` → `segments` → `tail`. Readers
//! take the last two for a moment each and never wait for a write.

mod append;
mod compact;
mod export;
mod flush;
mod future;
mod load;
mod lookup;
mod read;
mod retention;
mod swap;
#[cfg(test)]
mod tests;
mod truncate;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, Weak};

use protocol::ids::{TopicPartition, Uuid};

pub use append::Appended;
pub(crate) use compact::Compaction;
pub use export::{RolledSegment, SegmentExport};
pub use lookup::TimestampOffset;
pub use read::{Piece, ReadLimits, Region};

use crate::config::LogConfig;
use crate::error::Error;
use crate::leader_epoch::LeaderEpochs;
use crate::log_dir::{CheckpointedLog, LogCheckpoint, LogDir, StoredOffsets, deleted_name};
use crate::producer_state::{ProducerStateEntry, ProducerStateManager};
use crate::segment::{LOG_SUFFIX, Place, Segment};

/// The log of one partition in one directory. Shared by readers and writers; all methods may be called at any time.
///
/// Opening costs nothing: the disk is first touched when the log is used.
pub struct Log {
    log_dir: Arc<LogDir>,
    partition: TopicPartition,
    topic_id: Uuid,
    config: RwLock<Arc<LogConfig>>,
    stored: StoredOffsets,
    load: Mutex<()>,
    loaded: OnceLock<Box<Loaded>>,
    deleted: AtomicBool,
    /// The folder, where this is a copy that a move makes.
    future: Option<Box<Path>>,
}

/// Offsets of a log at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offsets {
    /// First readable offset (inclusive).
    pub log_start_offset: i64,
    /// Everything below is flushed (exclusive).
    pub recovery_point: i64,
    /// Offset of the next record (exclusive end).
    pub log_end_offset: i64,
}

/// What is in memory of a log that has been used.
struct Loaded {
    folder: PathBuf,
    /// Serialises what takes segments out of the log or changes closed ones. Appends add one at the end without it.
    structure: Mutex<()>,
    /// How often the log was truncated.
    truncations: AtomicU64,
    writer: Mutex<Writer>,
    /// By base offset; the last one is active. Empty until the first append to a new log.
    segments: RwLock<Vec<Arc<Segment>>>,
    tail: Mutex<Tail>,
    log_start_offset: AtomicI64,
    log_end_offset: AtomicI64,
    /// Not raised with the log start offset, which is not on disk at once: flushes and checkpoints go by this one.
    recovery_point: AtomicI64,
    epochs: RwLock<LeaderEpochs>,
    /// The epochs in memory are not those on disk.
    epochs_changed: AtomicBool,
    /// The folder has names that are not synced.
    names_changed: AtomicBool,
    /// Serialises flushes; holds where the last one ended.
    flush: Mutex<()>,
    flushed: Mutex<Tail>,
}

/// What only the one who appends needs.
struct Writer {
    producers: ProducerStateManager,
    /// Bytes appended since the last producer snapshot.
    bytes_since_snapshot: u64,
}

/// Where the log ends: an offset, and the place of that offset in the active segment.
#[derive(Clone, Copy, Debug)]
struct Tail {
    end_offset: i64,
    segment_base_offset: i64,
    position: u64,
}

impl Log {
    /// Opens the log of `partition` in `log_dir`. Nothing is read or created yet, so this cannot fail.
    pub fn open(log_dir: &Arc<LogDir>, partition: TopicPartition, topic_id: Uuid, config: LogConfig) -> Arc<Self> {
        Arc::new_cyclic(|log: &Weak<Self>| {
            let stored = log_dir.register(&partition, Weak::clone(log) as Weak<dyn CheckpointedLog>);
            Self::unopened(Arc::clone(log_dir), partition, topic_id, config, stored, None)
        })
    }

    fn unopened(
        log_dir: Arc<LogDir>,
        partition: TopicPartition,
        topic_id: Uuid,
        config: LogConfig,
        stored: StoredOffsets,
        future: Option<Box<Path>>,
    ) -> Self {
        Self {
            log_dir,
            partition,
            topic_id,
            config: RwLock::new(Arc::new(config)),
            stored,
            load: Mutex::new(()),
            loaded: OnceLock::new(),
            deleted: AtomicBool::new(false),
            future,
        }
    }

    fn folder(&self) -> PathBuf {
        self.future.as_deref().map_or_else(|| self.log_dir.folder(&self.partition), Path::to_path_buf)
    }

    /// Whose log it is.
    pub fn partition(&self) -> &TopicPartition {
        &self.partition
    }

    /// The topic's id, which a topic of the same name made later does not share.
    pub fn topic_id(&self) -> Uuid {
        self.topic_id
    }

    /// The directory that holds it.
    pub fn log_dir(&self) -> &Arc<LogDir> {
        &self.log_dir
    }

    /// The settings in force.
    pub fn config(&self) -> Arc<LogConfig> {
        Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the settings; the next append, roll or retention run goes by them.
    pub fn set_config(&self, config: LogConfig) {
        if let Some(loaded) = self.loaded.get() {
            lock(&loaded.writer).producers.set_expiration_ms(config.producer_id_expiration_ms);
        }
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
    }

    /// Whether the log has been used, so that its offsets are known without looking at the disk.
    pub fn is_loaded(&self) -> bool {
        self.loaded.get().is_some()
    }

    /// The offsets now; loads the log.
    ///
    /// # Errors
    /// As loading.
    pub fn offsets(&self) -> Result<Offsets, Error> {
        Ok(self.loaded()?.offsets())
    }

    /// Bytes of all segments.
    ///
    /// # Errors
    /// As loading.
    pub fn size_bytes(&self) -> Result<u64, Error> {
        Ok(self.loaded()?.segments().iter().map(|segment| segment.size()).sum())
    }

    /// Bytes of all segments, counted on the disk if the log has not been used: it is not loaded for that.
    ///
    /// # Errors
    /// A failing disk.
    pub fn stored_bytes(&self) -> Result<u64, Error> {
        if self.is_loaded() {
            return self.size_bytes();
        }
        self.check_read("listing a log", self.bytes_in_folder())
    }

    fn bytes_in_folder(&self) -> io::Result<u64> {
        let (file_system, folder) = (self.log_dir.file_system(), self.folder());
        if !file_system.exists(&folder)? {
            return Ok(0);
        }
        let mut bytes = 0;
        for entry in file_system.read_dir(&folder)?.into_iter().filter(|entry| entry.name.ends_with(LOG_SUFFIX)) {
            bytes += file_system.metadata(&folder.join(entry.name))?.size;
        }
        Ok(bytes)
    }

    /// How many segments there are.
    ///
    /// # Errors
    /// As loading.
    pub fn segment_count(&self) -> Result<usize, Error> {
        Ok(self.loaded()?.segments().len())
    }

    /// The newest leader epoch; `None` in a log without any.
    ///
    /// # Errors
    /// As loading.
    pub fn latest_leader_epoch(&self) -> Result<Option<i32>, Error> {
        Ok(self.loaded()?.epochs().latest_epoch())
    }

    /// The largest known epoch up to `leader_epoch` and where it ended (exclusive); see
    /// [`LeaderEpochs::end_offset_for`].
    ///
    /// # Errors
    /// As loading.
    pub fn end_offset_for_epoch(&self, leader_epoch: i32) -> Result<Option<(i32, i64)>, Error> {
        let loaded = self.loaded()?;
        let end = loaded.log_end_offset.load(Ordering::Acquire);
        Ok(loaded.epochs().end_offset_for(leader_epoch, end))
    }

    /// Which leader epoch began where.
    ///
    /// # Errors
    /// As loading.
    pub fn leader_epochs(&self) -> Result<LeaderEpochs, Error> {
        Ok(self.loaded()?.epochs())
    }

    /// Notes that `leader_epoch` begins at the log end offset, even if no record follows.
    ///
    /// # Errors
    /// As loading.
    pub fn begin_leader_epoch(&self, leader_epoch: i32) -> Result<(), Error> {
        let loaded = self.loaded()?;
        let _writer = lock(&loaded.writer);
        let end = loaded.log_end_offset.load(Ordering::Acquire);
        loaded.assign_epoch(leader_epoch, end);
        Ok(())
    }

    /// First offset of an open transaction; readers of committed records stop there.
    ///
    /// # Errors
    /// As loading.
    pub fn first_unstable_offset(&self) -> Result<Option<i64>, Error> {
        Ok(lock(&self.loaded()?.writer).producers.first_unstable_offset())
    }

    /// The producers that the log remembers, by id.
    ///
    /// # Errors
    /// As loading.
    pub fn producers(&self) -> Result<BTreeMap<i64, ProducerStateEntry>, Error> {
        let writer = lock(&self.loaded()?.writer);
        Ok(writer.producers.producers().iter().map(|(id, state)| (*id, state.clone())).collect())
    }

    /// Forgets producers that were silent too long.
    pub fn expire_producers(&self, now_ms: i64) {
        if let Some(loaded) = self.loaded.get() {
            lock(&loaded.writer).producers.expire(now_ms);
        }
    }

    /// Takes the log out of service: its folder gets a name for deletion, and [`LogDir::delete_step`] removes it once
    /// the delay is over. Readers that hold a [`Region`] may go on.
    ///
    /// # Errors
    /// [`Error::Offline`] when the folder cannot be renamed.
    pub fn delete(&self, now_ms: i64) -> Result<(), Error> {
        let _load = lock(&self.load);
        if self.deleted.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        if self.future.is_none() {
            self.log_dir.unregister(&self.partition);
        }
        let _structure = self.loaded.get().map(|loaded| lock(&loaded.structure));
        let _flush = self.loaded.get().map(|loaded| lock(&loaded.flush));
        let _writer = self.loaded.get().map(|loaded| lock(&loaded.writer));
        if let Some(loaded) = self.loaded.get() {
            loaded.segments().iter().for_each(|segment| segment.release());
        }
        let folder = self.folder();
        let exists = self.log_dir.file_system().exists(&folder);
        if self.log_dir.check("deleting a log", exists)? {
            let deleted = self.log_dir.path().join(deleted_name(&self.partition, Uuid::new_v4()));
            self.log_dir.rename(&folder, &deleted)?;
            self.log_dir.schedule_deletion(deleted, now_ms.saturating_add(self.config().file_delete_delay_ms));
        }
        Ok(())
    }

    /// The part of the log in memory, loaded now if it is not.
    fn loaded(&self) -> Result<&Loaded, Error> {
        if self.deleted.load(Ordering::Acquire) {
            return Err(Error::Deleted);
        }
        match self.loaded.get() {
            Some(loaded) => Ok(loaded),
            None => self.load(),
        }
    }

    /// Keeps the segments as they are but for appends; fails if the log was deleted meanwhile, whose files have other names.
    fn lock_structure<'a>(&self, loaded: &'a Loaded) -> Result<MutexGuard<'a, ()>, Error> {
        let structure = lock(&loaded.structure);
        if self.deleted.load(Ordering::Acquire) { Err(Error::Deleted) } else { Ok(structure) }
    }

    /// Keeps the end of the log as it is; fails if the log was deleted meanwhile.
    fn lock_writer<'a>(&self, loaded: &'a Loaded) -> Result<MutexGuard<'a, Writer>, Error> {
        let writer = lock(&loaded.writer);
        if self.deleted.load(Ordering::Acquire) { Err(Error::Deleted) } else { Ok(writer) }
    }

    /// Passes a result of the file system on for a reader, who holds no lock: a failure takes the directory offline, but not if
    /// the files have other names because the log was deleted.
    fn check_read<T>(&self, action: &str, result: io::Result<T>) -> Result<T, Error> {
        match result {
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.deleted.load(Ordering::Acquire) => {
                Err(Error::Deleted)
            }
            result => Ok(self.log_dir.check(action, result)?),
        }
    }

    fn place<'a>(&'a self, loaded: &'a Loaded) -> Place<'a> {
        Place { log_dir: &self.log_dir, folder: &loaded.folder }
    }
}

impl Loaded {
    fn offsets(&self) -> Offsets {
        // Read from the end: each can only grow, so the order of the three holds.
        let log_start_offset = self.log_start_offset.load(Ordering::Acquire);
        let recovery_point = self.recovery_point.load(Ordering::Acquire).max(log_start_offset);
        let log_end_offset = self.log_end_offset.load(Ordering::Acquire);
        Offsets { log_start_offset, recovery_point, log_end_offset }
    }

    fn segments(&self) -> Vec<Arc<Segment>> {
        self.segments.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn active(&self) -> Option<Arc<Segment>> {
        self.segments.read().unwrap_or_else(PoisonError::into_inner).last().cloned()
    }

    fn change_segments<R>(&self, change: impl FnOnce(&mut Vec<Arc<Segment>>) -> R) -> R {
        change(&mut self.segments.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// Where the first segment begins.
    fn first_base_offset(&self) -> Option<i64> {
        let segments = self.segments.read().unwrap_or_else(PoisonError::into_inner);
        segments.first().map(|segment| segment.base_offset())
    }

    fn tail(&self) -> Tail {
        *lock(&self.tail)
    }

    fn set_tail(&self, tail: Tail) {
        *lock(&self.tail) = tail;
        self.log_end_offset.store(tail.end_offset, Ordering::Release);
    }

    fn epochs(&self) -> LeaderEpochs {
        self.epochs.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes where an epoch began, if that is news.
    fn assign_epoch(&self, leader_epoch: i32, offset: i64) {
        if leader_epoch < 0 {
            return;
        }
        let known = self.epochs.read().unwrap_or_else(PoisonError::into_inner).latest_epoch();
        if known < Some(leader_epoch)
            && self.epochs.write().unwrap_or_else(PoisonError::into_inner).assign(leader_epoch, offset)
        {
            self.epochs_changed.store(true, Ordering::Release);
        }
    }

    fn change_epochs(&self, change: impl FnOnce(&mut LeaderEpochs) -> bool) {
        if change(&mut self.epochs.write().unwrap_or_else(PoisonError::into_inner)) {
            self.epochs_changed.store(true, Ordering::Release);
        }
    }
}

impl CheckpointedLog for Log {
    fn checkpoint(&self) -> LogCheckpoint {
        match self.loaded.get() {
            None => LogCheckpoint {
                recovery_point: self.stored.recovery_point.unwrap_or(0),
                log_start_offset: self.stored.log_start_offset,
            },
            Some(loaded) => {
                let offsets = loaded.offsets();
                let first = loaded.segments().first().map_or(0, |segment| segment.base_offset());
                let log_start_offset = (offsets.log_start_offset > first).then_some(offsets.log_start_offset);
                LogCheckpoint { recovery_point: loaded.recovery_point.load(Ordering::Acquire), log_start_offset }
            }
        }
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let folder: &Path = &self.folder();
        formatter.debug_struct("Log").field("folder", &folder).field("topic_id", &self.topic_id).finish_non_exhaustive()
    }
}

/// Locks, and goes on after a panic elsewhere: what is behind the locks is changed in steps that each leave it whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
