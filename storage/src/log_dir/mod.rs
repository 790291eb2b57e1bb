//! One entry of `log.dirs`: whose it is, which logs lie in it, the checkpoints over them, and whether it still works.
//! Source: `LogManager`, `LogDirFailureChannel`.

mod clean_shutdown;
mod deletion;
mod folder;
mod set;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use protocol::ids::{TopicPartition, Uuid};

pub use clean_shutdown::{CLEAN_SHUTDOWN, LastShutdown};
pub use deletion::DeletionStep;
pub use folder::{Folder, deleted_name, future_name, stray_name};
pub use set::LogDirs;

use self::deletion::Deletions;
use crate::checkpoint::{
    HIGH_WATERMARK_CHECKPOINT, LOG_START_OFFSET_CHECKPOINT, PartitionOffsets, RECOVERY_POINT_CHECKPOINT, read_offsets,
    write_offsets,
};
use crate::file_handles::FileHandles;
use crate::file_system::{FileSystem, LockGuard, Space};
use crate::index::mmap::{DEFAULT_MAP_BUDGET, IndexMaps};
use crate::meta_properties::{MetaProperties, MetaPropertiesError};

const LOCK_FILE: &str = ".lock";
/// The topic of cluster metadata, whose log has its own owner.
const METADATA_TOPIC: &str = "__cluster_metadata";

/// What the directories of one process share.
#[derive(Clone, Debug)]
pub struct LogDirOptions {
    /// Open files, and the file system they are in.
    pub handles: Arc<FileHandles>,
    /// Maps of closed indexes.
    pub maps: Arc<IndexMaps>,
}

impl LogDirOptions {
    /// Budgets as the process's limits allow them.
    pub fn new(file_system: Arc<dyn FileSystem>) -> Self {
        let handles = FileHandles::new(file_system, FileHandles::default_budget());
        let maps = IndexMaps::new(Arc::clone(&handles) as Arc<dyn FileSystem>, DEFAULT_MAP_BUDGET);
        Self { handles, maps }
    }
}

/// Why a directory cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum LogDirError {
    /// Somebody else has it.
    #[error(
        "Failed to acquire lock on file .lock in {path}. A Kafka instance in another process or thread is using this \
         directory."
    )]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// Named twice.
    #[error("Duplicate log directory found: {path}")]
    Duplicate {
        /// The directory.
        path: PathBuf,
    },
    /// None of the directories can be used.
    #[error("none of the specified log dirs can be created or validated")]
    NoneLeft,
    /// `meta.properties` is damaged, or says that the directory is not ours.
    #[error(transparent)]
    MetaProperties(#[from] MetaPropertiesError),
    /// The disk.
    #[error("log directory {path}: {action}")]
    Io {
        /// The directory.
        path: PathBuf,
        /// What was being done.
        action: &'static str,
        /// What the file system said.
        source: io::Error,
    },
}

/// A directory that failed: once, and until the process ends.
#[derive(Clone, Debug, thiserror::Error)]
#[error("log directory {} is offline: {reason}", path.display())]
pub struct Offline {
    /// The directory.
    pub path: PathBuf,
    /// What was being done.
    pub reason: String,
    /// What the file system said.
    #[source]
    pub source: Arc<io::Error>,
}

/// The offsets that a directory keeps about a log in its checkpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogCheckpoint {
    /// Everything below is flushed (exclusive).
    pub recovery_point: i64,
    /// First readable offset (inclusive); `None` where it is the base offset of the first segment, which tells it.
    pub log_start_offset: Option<i64>,
}

/// A log, as its directory sees it.
pub trait CheckpointedLog: Send + Sync {
    /// What to write into the checkpoints now. For a log that is not loaded: what it was opened with.
    fn checkpoint(&self) -> LogCheckpoint;
}

/// What the checkpoints said about a log when the directory was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoredOffsets {
    /// See [`LogCheckpoint::recovery_point`]; `None` is 0.
    pub recovery_point: Option<i64>,
    /// See [`LogCheckpoint::log_start_offset`].
    pub log_start_offset: Option<i64>,
}

type OfflineHook = Box<dyn Fn(&Offline) + Send + Sync>;

/// The directory, locked for this process while it lives.
pub struct LogDir {
    path: PathBuf,
    handles: Arc<FileHandles>,
    maps: Arc<IndexMaps>,
    last_shutdown: LastShutdown,
    meta_properties: Mutex<Option<MetaProperties>>,
    logs: Mutex<Logs>,
    /// Serialises writers of one checkpoint file.
    checkpoint_writer: Mutex<()>,
    deletions: Mutex<Deletions>,
    offline: OnceLock<Offline>,
    hooks: Mutex<Vec<OfflineHook>>,
    _lock: LockGuard,
}

/// The logs here: those that were opened, and what was stored about the others.
#[derive(Default)]
struct Logs {
    open: HashMap<TopicPartition, OpenLog>,
    stored: HashMap<TopicPartition, StoredOffsets>,
}

struct OpenLog {
    log: Weak<dyn CheckpointedLog>,
    /// The recovery point in the file, or what may be in it when a write was interrupted.
    written_recovery_point: i64,
}

impl LogDir {
    /// Opens a directory, created when absent: locks it, takes its clean-shutdown marker away and reads its
    /// checkpoints. Reads no log.
    ///
    /// # Errors
    /// [`LogDirError`], all but `Duplicate` and `NoneLeft`.
    pub fn open(path: &Path, options: &LogDirOptions) -> Result<Arc<Self>, LogDirError> {
        let file_system: &dyn FileSystem = &*options.handles;
        let failed = |action| move |source| LogDirError::Io { path: path.to_owned(), action, source };
        create_durably(file_system, path).map_err(failed("cannot be created"))?;
        let lock = file_system.lock(&path.join(LOCK_FILE)).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => LogDirError::Locked { path: path.to_owned() },
            _ => failed("disk error while locking")(error),
        })?;
        let meta_properties = MetaProperties::load(file_system, path)?;
        let last_shutdown = clean_shutdown::take(file_system, path).map_err(failed("clean-shutdown marker"))?;
        let folders = list_folders(file_system, path).map_err(failed("cannot be listed"))?;
        let stored = load_stored(file_system, path, &folders).map_err(failed("checkpoints cannot be read"))?;
        let log_dir = Self {
            path: path.to_owned(),
            handles: Arc::clone(&options.handles),
            maps: Arc::clone(&options.maps),
            last_shutdown,
            meta_properties: Mutex::new(meta_properties),
            logs: Mutex::new(Logs { open: HashMap::new(), stored }),
            checkpoint_writer: Mutex::new(()),
            deletions: Mutex::new(Deletions::default()),
            offline: OnceLock::new(),
            hooks: Mutex::new(Vec::new()),
            _lock: lock,
        };
        for (name, folder) in folders {
            if matches!(folder, Folder::Deleted(_)) {
                log_dir.schedule_deletion(path.join(name), 0);
            }
        }
        Ok(Arc::new(log_dir))
    }

    /// The directory's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file system it is in.
    pub fn file_system(&self) -> &dyn FileSystem {
        &*self.handles
    }

    /// The open files of this process.
    pub fn handles(&self) -> &Arc<FileHandles> {
        &self.handles
    }

    /// The maps of this process.
    pub fn maps(&self) -> &Arc<IndexMaps> {
        &self.maps
    }

    /// Whose the directory is; `None` until [`LogDir::format`] when it was new.
    pub fn meta_properties(&self) -> Option<MetaProperties> {
        self.meta_properties.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The directory's own id.
    pub fn directory_id(&self) -> Option<Uuid> {
        self.meta_properties()?.directory_id
    }

    /// Writes `meta.properties` unless the directory has one with a directory id. One of an older Kafka without the
    /// id is completed by the given one.
    ///
    /// # Errors
    /// [`Offline`] when that fails, or the directory was offline before.
    pub fn format(&self, properties: MetaProperties) -> Result<(), Offline> {
        self.check_online()?;
        let mut current = self.meta_properties.lock().unwrap_or_else(PoisonError::into_inner);
        let merged = match &*current {
            Some(existing) if existing.directory_id.is_some() => return Ok(()),
            Some(existing) => MetaProperties { directory_id: properties.directory_id, ..existing.clone() },
            None => properties,
        };
        self.check("writing meta.properties", merged.store(self.file_system(), &self.path))?;
        *current = Some(merged);
        Ok(())
    }

    /// How the last run ended.
    pub fn last_shutdown(&self) -> LastShutdown {
        self.last_shutdown
    }

    /// Whether the last run ended cleanly: the logs are whole and need no look.
    pub fn was_clean(&self) -> bool {
        self.last_shutdown.clean
    }

    /// The partitions that have a folder here, sorted; those of the cluster metadata, of moves under way, strays and
    /// deleted ones left out. What is no partition's folder is ignored with a warning.
    ///
    /// # Errors
    /// [`Offline`] when the directory cannot be listed.
    pub fn logs(&self) -> Result<Vec<TopicPartition>, Offline> {
        let folders = self.check("listing", list_folders(self.file_system(), &self.path))?;
        let mut partitions: Vec<_> = folders
            .into_iter()
            .filter_map(|(_, folder)| match folder {
                Folder::Partition(partition) if &*partition.topic != METADATA_TOPIC => Some(partition),
                _ => None,
            })
            .collect();
        partitions.sort_unstable();
        Ok(partitions)
    }

    /// The folder of a partition's log.
    pub fn folder(&self, partition: &TopicPartition) -> PathBuf {
        self.path.join(partition.to_string())
    }

    /// Notes that a log is open, so that checkpoints ask it, and returns what was stored about it.
    pub fn register(&self, partition: &TopicPartition, log: Weak<dyn CheckpointedLog>) -> StoredOffsets {
        let mut logs = self.lock_logs();
        let stored = logs.stored.remove(partition).unwrap_or_default();
        let written_recovery_point = stored.recovery_point.unwrap_or(0);
        logs.open.insert(partition.clone(), OpenLog { log, written_recovery_point });
        stored
    }

    /// Notes that a log is gone from here: deleted or moved. The next checkpoints do not name it.
    pub fn unregister(&self, partition: &TopicPartition) {
        let mut logs = self.lock_logs();
        logs.open.remove(partition);
        logs.stored.remove(partition);
    }

    /// How many logs are open here: new ones go where they are fewest.
    pub fn log_count(&self) -> usize {
        self.lock_logs().open.len()
    }

    /// Renames a folder or file within the directory, durably.
    ///
    /// # Errors
    /// [`Offline`] when that fails, or the directory was offline before.
    pub fn rename(&self, from: &Path, to: &Path) -> Result<(), Offline> {
        self.check_online()?;
        let renamed = self.file_system().rename(from, to).and_then(|()| match from.parent() {
            Some(parent) => self.file_system().sync_dir(parent),
            None => Ok(()),
        });
        self.check("renaming", renamed)
    }

    /// Sets a partition's folder aside as one that the cluster does not know, and returns its new path.
    ///
    /// # Errors
    /// [`Offline`] when that fails, or the directory was offline before.
    pub fn set_stray(&self, partition: &TopicPartition, unique: Uuid) -> Result<PathBuf, Offline> {
        let stray = self.path.join(stray_name(partition, unique));
        self.rename(&self.folder(partition), &stray)?;
        self.unregister(partition);
        tracing::warn!(%partition, folder = %stray.display(), "log marked stray");
        Ok(stray)
    }

    /// Writes the recovery points and log start offsets of all logs here (`recovery-point-offset-checkpoint`,
    /// `log-start-offset-checkpoint`). Logs that were not opened yet keep what was stored about them.
    ///
    /// # Errors
    /// [`Offline`] when that fails, or the directory was offline before.
    pub fn write_checkpoints(&self) -> Result<(), Offline> {
        self.check_online()?;
        let _writer = self.checkpoint_writer.lock().unwrap_or_else(PoisonError::into_inner);
        self.replace_checkpoints()
    }

    /// Makes sure that the recovery point in the file is not above `recovery_point`, to which the log was truncated: what
    /// is appended there next must not be taken for flushed after a crash. Costs a write only where the file is ahead.
    ///
    /// # Errors
    /// [`Offline`] when that fails, or the directory was offline before.
    pub fn lower_recovery_point(&self, partition: &TopicPartition, recovery_point: i64) -> Result<(), Offline> {
        self.check_online()?;
        let _writer = self.checkpoint_writer.lock().unwrap_or_else(PoisonError::into_inner);
        let written = self.lock_logs().open.get(partition).map(|open| open.written_recovery_point);
        if written > Some(recovery_point) { self.replace_checkpoints() } else { Ok(()) }
    }

    /// Writes the high watermarks (`replication-offset-checkpoint`): of all replicas here, since it replaces the file.
    ///
    /// # Errors
    /// [`Offline`] when that fails, or the directory was offline before.
    pub fn write_high_watermarks(&self, high_watermarks: &PartitionOffsets) -> Result<(), Offline> {
        self.check_online()?;
        let _writer = self.checkpoint_writer.lock().unwrap_or_else(PoisonError::into_inner);
        self.write_checkpoint(HIGH_WATERMARK_CHECKPOINT, high_watermarks)
    }

    /// Reads the high watermarks; empty when the file is absent or damaged.
    ///
    /// # Errors
    /// [`Offline`] when that fails.
    pub fn read_high_watermarks(&self) -> Result<PartitionOffsets, Offline> {
        let path = self.path.join(HIGH_WATERMARK_CHECKPOINT);
        let read = read_offsets(self.file_system(), &path);
        self.check("reading high watermarks", read).map(Option::unwrap_or_default)
    }

    /// Writes the clean-shutdown marker. To be the last call, after every log was closed and the checkpoints were
    /// written.
    ///
    /// # Errors
    /// [`Offline`] when that fails, or the directory was offline before.
    pub fn mark_clean_shutdown(&self, broker_epoch: i64) -> Result<(), Offline> {
        self.check_online()?;
        let written = clean_shutdown::put(self.file_system(), &self.path, broker_epoch);
        self.check("writing the clean-shutdown marker", written)
    }

    /// Lets [`LogDir::delete_step`] remove a file or folder once `due_ms` (ms since the epoch) is reached. It must have
    /// been renamed to its name for deletion before.
    pub fn schedule_deletion(&self, path: PathBuf, due_ms: i64) {
        self.lock_deletions().add(path, due_ms);
    }

    /// Removes what is due at `now_ms`. May take milliseconds a file: not for a thread that serves clients.
    ///
    /// # Errors
    /// [`Offline`] when that fails, or the directory was offline before.
    pub fn delete_step(&self, now_ms: i64) -> Result<DeletionStep, Offline> {
        let mut deleted = 0;
        loop {
            self.check_online()?;
            let Some(path) = self.lock_deletions().take_due(now_ms) else { break };
            self.check("deleting", self.delete(&path))?;
            deleted += 1;
        }
        Ok(DeletionStep { deleted, next_due_ms: self.lock_deletions().next_due_ms() })
    }

    /// Bytes of the device.
    ///
    /// # Errors
    /// [`Offline`] when it cannot be asked.
    pub fn space(&self) -> Result<Space, Offline> {
        self.check("asking for space", self.file_system().space(&self.path))
    }

    /// Whether the directory failed.
    pub fn is_offline(&self) -> bool {
        self.offline.get().is_some()
    }

    /// How the directory failed.
    pub fn offline(&self) -> Option<&Offline> {
        self.offline.get()
    }

    /// Goes on only while the directory works.
    ///
    /// # Errors
    /// [`Offline`].
    pub fn check_online(&self) -> Result<(), Offline> {
        self.offline.get().map_or(Ok(()), |offline| Err(offline.clone()))
    }

    /// Takes the directory offline for good: nothing in it is written or acknowledged any more. The first failure is
    /// the one that is remembered and told to the hooks.
    pub fn fail(&self, reason: &str, source: io::Error) -> Offline {
        let failure = Offline { path: self.path.clone(), reason: reason.to_owned(), source: Arc::new(source) };
        if self.offline.set(failure.clone()).is_ok() {
            tracing::error!(path = %self.path.display(), reason, error = %failure.source, "log directory failed");
            for hook in self.hooks.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                hook(&failure);
            }
        }
        failure
    }

    /// Passes a result of the file system on; a failure takes the directory offline.
    ///
    /// # Errors
    /// [`Offline`] for every error.
    pub fn check<T>(&self, action: &str, result: io::Result<T>) -> Result<T, Offline> {
        result.map_err(|error| self.fail(action, error))
    }

    /// Lets `hook` know when the directory fails; at once when it has. The hook runs in the thread that saw the failure,
    /// maybe with a log's lock held: it must only pass the news on.
    pub fn on_offline(&self, hook: impl Fn(&Offline) + Send + Sync + 'static) {
        let mut hooks = self.hooks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(offline) = self.offline.get() {
            hook(offline);
        }
        hooks.push(Box::new(hook));
    }

    /// To be called with the writer's lock held, so that later values are not replaced by earlier ones.
    fn replace_checkpoints(&self) -> Result<(), Offline> {
        let (recovery_points, log_start_offsets) = self.collect_checkpoints();
        let note = |keep: fn(i64, i64) -> i64| {
            for (partition, open) in &mut self.lock_logs().open {
                let written = recovery_points.get(partition).copied().unwrap_or(0);
                open.written_recovery_point = keep(open.written_recovery_point, written);
            }
        };
        note(i64::max);
        self.write_checkpoint(RECOVERY_POINT_CHECKPOINT, &recovery_points)?;
        note(|_, written| written);
        self.write_checkpoint(LOG_START_OFFSET_CHECKPOINT, &log_start_offsets)
    }

    fn collect_checkpoints(&self) -> (PartitionOffsets, PartitionOffsets) {
        let (open, stored) = {
            let logs = self.lock_logs();
            let open: Vec<_> =
                logs.open.iter().map(|(partition, open)| (partition.clone(), open.log.clone())).collect();
            (open, logs.stored.clone())
        };
        let (mut recovery_points, mut log_start_offsets) = (PartitionOffsets::new(), PartitionOffsets::new());
        let mut put = |partition: TopicPartition, offsets: StoredOffsets| {
            if let Some(offset) = offsets.log_start_offset {
                log_start_offsets.insert(partition.clone(), offset);
            }
            if let Some(offset) = offsets.recovery_point {
                recovery_points.insert(partition, offset);
            }
        };
        for (partition, offsets) in stored {
            put(partition, offsets);
        }
        for (partition, log) in open {
            if let Some(log) = log.upgrade() {
                let LogCheckpoint { recovery_point, log_start_offset } = log.checkpoint();
                put(partition, StoredOffsets { recovery_point: Some(recovery_point), log_start_offset });
            }
        }
        (recovery_points, log_start_offsets)
    }

    fn write_checkpoint(&self, name: &'static str, offsets: &PartitionOffsets) -> Result<(), Offline> {
        let written = write_offsets(self.file_system(), &self.path.join(name), offsets);
        self.check(name, written)
    }

    /// Removes a file, or a folder with all in it. What is not there was removed before.
    fn delete(&self, path: &Path) -> io::Result<()> {
        let file_system = self.file_system();
        let removed = file_system.metadata(path).and_then(|metadata| {
            if metadata.is_dir { file_system.remove_dir_all(path) } else { file_system.remove_file(path) }
        });
        match removed {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }

    fn lock_logs(&self) -> MutexGuard<'_, Logs> {
        self.logs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_deletions(&self) -> MutexGuard<'_, Deletions> {
        self.deletions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for LogDir {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("LogDir")
            .field("path", &self.path)
            .field("offline", &self.offline)
            .finish_non_exhaustive()
    }
}

/// Creates a directory so that it survives a power cut, and those above it that are missing.
fn create_durably(file_system: &dyn FileSystem, path: &Path) -> io::Result<()> {
    let mut missing = Vec::new();
    let mut above = path;
    while !file_system.exists(above)? {
        missing.push(above);
        match above.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => above = parent,
            _ => break,
        }
    }
    file_system.create_dir_all(path)?;
    for created in missing.iter().rev() {
        match created.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => file_system.sync_dir(parent)?,
            _ => file_system.sync_dir(Path::new("."))?,
        }
    }
    Ok(())
}

/// The folders in a log directory that are partitions' by their name.
fn list_folders(file_system: &dyn FileSystem, path: &Path) -> io::Result<Vec<(String, Folder)>> {
    let mut folders = Vec::new();
    for entry in file_system.read_dir(path)? {
        if !entry.is_dir {
            continue;
        }
        match Folder::parse(&entry.name) {
            Some(folder) => folders.push((entry.name, folder)),
            None => tracing::warn!(folder = %entry.name, "ignored: not the name of a partition's folder"),
        }
    }
    Ok(folders)
}

/// What the checkpoints say about partitions that have a folder.
fn load_stored(
    file_system: &dyn FileSystem,
    path: &Path,
    folders: &[(String, Folder)],
) -> io::Result<HashMap<TopicPartition, StoredOffsets>> {
    let partition_of = |(_, folder): &(String, Folder)| match folder {
        Folder::Partition(partition) => Some(partition.clone()),
        _ => None,
    };
    let present: HashSet<TopicPartition> = folders.iter().filter_map(partition_of).collect();
    let mut stored: HashMap<TopicPartition, StoredOffsets> = HashMap::new();
    for (partition, offset) in read_offsets(file_system, &path.join(RECOVERY_POINT_CHECKPOINT))?.unwrap_or_default() {
        if present.contains(&partition) {
            stored.entry(partition).or_default().recovery_point = Some(offset);
        }
    }
    for (partition, offset) in read_offsets(file_system, &path.join(LOG_START_OFFSET_CHECKPOINT))?.unwrap_or_default() {
        if present.contains(&partition) {
            stored.entry(partition).or_default().log_start_offset = Some(offset);
        }
    }
    Ok(stored)
}
