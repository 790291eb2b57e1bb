//! One entry of `log.dirs`: whose it is, which logs lie in it, the checkpoints over them, and whether it still works.
//! Source: `LogManager`.

mod checkpoints;
mod clean_shutdown;
mod deletion;
mod folder;
mod offline;
mod set;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::ids::{TopicPartition, Uuid};

pub use checkpoints::{CheckpointedLog, LogCheckpoint, StoredOffsets};
pub use clean_shutdown::{CLEAN_SHUTDOWN, LastShutdown};
pub use deletion::DeletionStep;
pub use folder::{Folder, deleted_name, future_name, stray_name};
pub use offline::Offline;
pub use set::LogDirs;

use self::checkpoints::{CleanerOffsets, Logs, load_cleaner_offsets, load_stored};
use self::deletion::Deletions;
use self::offline::Failure;
use crate::file_handles::FileHandles;
use crate::file_system::{FileSystem, LockGuard, Space};
use crate::index::mmap::{DEFAULT_MAP_BUDGET, IndexMaps};
use crate::meta_properties::{MetaProperties, MetaPropertiesError};

/// Indexes of remote segments lie in this folder of a log directory. Source: `RemoteIndexCache.DIR_NAME`.
pub const REMOTE_INDEX_CACHE: &str = "remote-log-index-cache";

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

/// The directory, locked for this process while it lives.
pub struct LogDir {
    path: PathBuf,
    handles: Arc<FileHandles>,
    maps: Arc<IndexMaps>,
    last_shutdown: LastShutdown,
    meta_properties: Mutex<Option<MetaProperties>>,
    logs: Mutex<Logs>,
    cleaner_offsets: Mutex<CleanerOffsets>,
    /// Serialises writers of one checkpoint file.
    checkpoint_writer: Mutex<()>,
    deletions: Mutex<Deletions>,
    failure: Failure,
    _lock: LockGuard,
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
        let unreadable = "checkpoints cannot be read";
        let stored = load_stored(file_system, path, &folders).map_err(failed(unreadable))?;
        let cleaner_offsets = load_cleaner_offsets(file_system, path, &folders).map_err(failed(unreadable))?;
        let log_dir = Self {
            path: path.to_owned(),
            handles: Arc::clone(&options.handles),
            maps: Arc::clone(&options.maps),
            last_shutdown,
            meta_properties: Mutex::new(meta_properties),
            logs: Mutex::new(Logs { open: HashMap::new(), stored }),
            cleaner_offsets: Mutex::new(cleaner_offsets),
            checkpoint_writer: Mutex::new(()),
            deletions: Mutex::new(Deletions::default()),
            failure: Failure::default(),
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

    /// The copies that moves have begun here, with their folders, sorted.
    ///
    /// # Errors
    /// [`Offline`] when the directory cannot be listed.
    pub fn futures(&self) -> Result<Vec<(TopicPartition, PathBuf)>, Offline> {
        let folders = self.check("listing", list_folders(self.file_system(), &self.path))?;
        let mut futures: Vec<_> = folders
            .into_iter()
            .filter_map(|(name, folder)| match folder {
                Folder::Future(partition) => Some((partition, self.path.join(name))),
                _ => None,
            })
            .collect();
        futures.sort_unstable();
        Ok(futures)
    }

    /// Lets the folder of a copy go that no move goes on with.
    ///
    /// # Errors
    /// [`Offline`] when it cannot be renamed.
    pub fn discard_future(&self, partition: &TopicPartition, folder: &Path) -> Result<(), Offline> {
        let deleted = self.path.join(deleted_name(partition, Uuid::new_v4()));
        self.rename(folder, &deleted)?;
        self.schedule_deletion(deleted, 0);
        Ok(())
    }

    /// The folder of a partition's log.
    pub fn folder(&self, partition: &TopicPartition) -> PathBuf {
        self.path.join(partition.to_string())
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
            .field("failure", &self.failure)
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
            None if entry.name == REMOTE_INDEX_CACHE => {}
            None => tracing::warn!(folder = %entry.name, "ignored: not the name of a partition's folder"),
        }
    }
    Ok(folders)
}
