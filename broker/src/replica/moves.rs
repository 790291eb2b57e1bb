//! Replicas move from one log directory to another (KIP-113), and the controller is told where they are (KIP-858).
//! Source: `ReplicaManager.alterReplicaLogDirs`, `ReplicaAlterLogDirsThread`, `AssignmentsManager`.
//!
//! A move copies the log while it is used, tells the controller when the copy has everything, and then lets the copy take the log's
//! place. After a crash in the middle of that, a copy that is behind is gone on with, and of two whole logs the one is kept whose
//! directory the controller knows.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::ids::{TopicPartition, Uuid};
use raft::controller::ReplicaDirectory;
use raft::image::{Image, PartitionImage};
use storage::log_dir::future_name;
use storage::{AppendError, Error, Log, LogDir};
use thiserror::Error as ThisError;
use tokio::sync::Notify;

use super::partition::COPIED_AT_ONCE;
use super::{Partition, PartitionError, ReplicaManager};

/// The longest name that a folder may have, in bytes.
const MAX_NAME_SIZE: usize = 255;
/// Directories that are kept in mind for partitions that do not exist yet.
const MOST_PREFERENCES: usize = 10_000;

/// Moves that wait for their turn, and what the controller is to be told.
#[derive(Default)]
pub struct Moves {
    news: Notify,
    waiting: Mutex<VecDeque<Arc<Partition>>>,
    directories: Mutex<Vec<ReplicaDirectory>>,
    /// Where partitions shall be that are not here yet.
    preferred: Mutex<HashMap<TopicPartition, Arc<LogDir>>>,
}

impl Moves {
    /// Waits until there is something to move or to tell. Cancel safe.
    pub async fn news(&self) {
        self.news.notified().await;
    }

    /// The next partition to move.
    pub fn next(&self) -> Option<Arc<Partition>> {
        lock(&self.waiting).pop_front()
    }

    /// Replicas of which the controller does not know the directory.
    pub fn take_directories(&self) -> Vec<ReplicaDirectory> {
        std::mem::take(&mut *lock(&self.directories))
    }

    /// Lets the controller be told later.
    pub fn put_directories(&self, directories: Vec<ReplicaDirectory>) {
        lock(&self.directories).extend(directories);
    }

    fn begin(&self, partition: &Arc<Partition>) {
        lock(&self.waiting).push_back(Arc::clone(partition));
        self.news.notify_one();
    }
}

/// Why a replica is not moved.
#[derive(Debug, ThisError)]
pub enum AlterLogDirError {
    #[error("The topic name is too long.")]
    NameTooLong,
    #[error("Log dir {0} is not found in the config.")]
    UnknownDirectory(String),
    #[error("a log directory is offline")]
    Offline,
    #[error("this broker holds no replica")]
    NoReplica,
    #[error(transparent)]
    Log(#[from] Error),
}

/// How far a move is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MoveStep {
    /// So many bytes were copied, and there is more to copy.
    Behind(usize),
    /// The copy has everything.
    CaughtUp,
    /// Nobody wants the move any more.
    Over,
}

/// One log in a directory, for descriptions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedLog {
    pub name: TopicPartition,
    pub size_bytes: u64,
    /// Records that the log lacks.
    pub offset_lag: i64,
    /// Whether it is a copy that a move makes.
    pub is_future: bool,
}

impl ReplicaManager {
    /// Moves and what belongs to them.
    pub fn moves(&self) -> &Moves {
        &self.moves
    }

    /// Lets the replica of a partition move into the log directory `path`; to where it is already, ends a move. A replica that does
    /// not exist yet will be there when it does.
    ///
    /// # Errors
    /// [`AlterLogDirError`].
    pub fn alter_log_dir(&self, name: &TopicPartition, path: &str, now_ms: i64) -> Result<(), AlterLogDirError> {
        if future_name(name, Uuid::nil()).len() > MAX_NAME_SIZE {
            return Err(AlterLogDirError::NameTooLong);
        }
        let is_named = |log_dir: &&Arc<LogDir>| {
            std::path::absolute(log_dir.path()).is_ok_and(|absolute| absolute.as_os_str() == path)
        };
        let log_dir = self.log_dirs.all().iter().find(is_named);
        let log_dir = log_dir.ok_or_else(|| AlterLogDirError::UnknownDirectory(path.to_owned()))?;
        if log_dir.is_offline() {
            return Err(AlterLogDirError::Offline);
        }
        let table = self.table();
        let Some(partition) = table.by_name(&name.topic).and_then(|topic| topic.partition(name.partition)) else {
            self.prefer(name, log_dir);
            return Err(AlterLogDirError::NoReplica);
        };
        self.move_to(partition, log_dir, now_ms)
    }

    fn move_to(&self, partition: &Arc<Partition>, log_dir: &Arc<LogDir>, now_ms: i64) -> Result<(), AlterLogDirError> {
        let mut future = partition.lock_future();
        if future.as_ref().is_some_and(|future| Arc::ptr_eq(future.log_dir(), log_dir)) {
            return Ok(());
        }
        if let Some(elsewhere) = future.take() {
            elsewhere.delete(now_ms)?;
        }
        let log = partition.log();
        if Arc::ptr_eq(log.log_dir(), log_dir) {
            return Ok(());
        }
        let has_offline =
            self.log_dirs.failed().next().is_some() || self.log_dirs.all().iter().any(|dir| dir.is_offline());
        if has_offline {
            // A copy may be there already.
            return Err(AlterLogDirError::Offline);
        }
        let config = storage::LogConfig::clone(&log.config());
        let copy = Log::open_future(log_dir, partition.name().clone(), log.topic_id(), config, None);
        copy.create_folder()?;
        *future = Some(copy);
        self.moves.begin(partition);
        Ok(())
    }

    fn prefer(&self, name: &TopicPartition, log_dir: &Arc<LogDir>) {
        let mut preferred = lock(&self.moves.preferred);
        if preferred.len() < MOST_PREFERENCES || preferred.contains_key(name) {
            preferred.insert(name.clone(), Arc::clone(log_dir));
        }
    }

    /// Where a partition goes that has no folder yet: where somebody wants it, where the controller says that it is, or where there
    /// are fewest.
    pub(super) fn directory_for(&self, name: &TopicPartition, state: &PartitionImage) -> Option<Arc<LogDir>> {
        let is_online = |log_dir: &Arc<LogDir>| !log_dir.is_offline();
        let preferred = || lock(&self.moves.preferred).remove(name).filter(is_online);
        let assigned =
            || state.directory(self.broker_id).and_then(|id| self.log_dirs.by_id(id)).filter(|dir| is_online(dir));
        preferred().or_else(|| assigned().cloned()).or_else(|| self.log_dirs.for_new_log().cloned())
    }

    /// Lets the controller be told where a replica is, if it does not know.
    pub(super) fn note_directory(&self, topic_id: Uuid, index: i32, state: &PartitionImage, log_dir: &LogDir) {
        if self.log_dirs.all().len() == 1 {
            return;
        }
        if let Some(directory) = log_dir.directory_id().filter(|id| state.directory(self.broker_id) != Some(*id)) {
            lock(&self.moves.directories).push(ReplicaDirectory { topic_id, partition: index, directory });
            self.moves.news.notify_one();
        }
    }

    /// Of two folders of one partition, which a crash left at the end of a move, keeps the one that the controller knows of, and
    /// sets the other aside: both are whole.
    pub(super) fn keep_one(&self, image: &Image, name: &TopicPartition, two: [&Arc<LogDir>; 2]) -> Arc<LogDir> {
        let topic = image.topics().by_name(&name.topic);
        let known = topic.and_then(|topic| topic.partition(name.partition)?.directory(self.broker_id));
        let second_is_known = known.is_some() && two[1].directory_id() == known;
        let (kept, other) = if second_is_known { (two[1], two[0]) } else { (two[0], two[1]) };
        // A failure took the directory offline and said so.
        let _ = other.set_stray(name, Uuid::new_v4());
        Arc::clone(kept)
    }

    /// Goes on with moves that the last run did not finish, and lets copies go that belong to none.
    pub(super) fn resume_moves(&self) {
        let table = self.table.load_full();
        for log_dir in self.log_dirs.online() {
            for (name, folder) in log_dir.futures().unwrap_or_default() {
                let topic = table.by_name(&name.topic);
                let partition = topic.and_then(|topic| topic.partition(name.partition));
                let moved = partition.filter(|partition| {
                    !Arc::ptr_eq(partition.log().log_dir(), log_dir) && partition.future_log().is_none()
                });
                let Some(partition) = moved else {
                    // A failure took the directory offline and said so.
                    let _ = log_dir.discard_future(&name, &folder);
                    continue;
                };
                let log = partition.log();
                let config = storage::LogConfig::clone(&log.config());
                *partition.lock_future() = Some(Log::open_future(log_dir, name, log.topic_id(), config, Some(&folder)));
                self.moves.begin(partition);
            }
        }
    }

    /// Copies a little of a log that moves. Blocks for as long as that takes.
    ///
    /// # Errors
    /// A failing disk, or a damaged batch.
    pub fn copy_step(&self, partition: &Partition, now_ms: i64) -> Result<MoveStep, PartitionError> {
        let Some(future) = partition.future_log() else { return Ok(MoveStep::Over) };
        partition.high_watermark()?;
        match future.copy_from(&partition.log(), COPIED_AT_ONCE, now_ms) {
            Ok(0) => Ok(future.flush().map(|_| MoveStep::CaughtUp)?),
            Ok(copied) => Ok(MoveStep::Behind(copied)),
            Err(AppendError::Log(Error::Deleted)) => Ok(MoveStep::Over),
            Err(error) => Err(error.into()),
        }
    }

    /// Lets the copy take the log's place, and returns the log that it replaced; `None` if nobody wants the move any more. Blocks.
    ///
    /// # Errors
    /// A failing disk; the log stays in its place.
    pub fn finish_move(&self, partition: &Partition, now_ms: i64) -> Result<Option<Arc<Log>>, PartitionError> {
        let Some(future) = partition.future_log() else { return Ok(None) };
        partition.replace_log(&future, self.stall_of(future.log_dir()), now_ms)
    }

    /// Ends a move without a result.
    pub fn give_up_move(&self, partition: &Partition, now_ms: i64) {
        if let Some(future) = partition.lock_future().take()
            && let Err(error) = future.delete(now_ms)
        {
            tracing::warn!(partition = %partition.name(), %error, "cannot delete the copy of a log");
        }
    }

    /// The logs in a directory that `is_wanted`, the copies of moves among them.
    ///
    /// # Errors
    /// A failing disk.
    pub fn describe(
        &self,
        log_dir: &LogDir,
        is_wanted: impl Fn(&TopicPartition) -> bool,
    ) -> Result<Vec<DescribedLog>, Error> {
        let mut described = Vec::new();
        let is_here = |log: &Log| std::ptr::eq(Arc::as_ptr(log.log_dir()), log_dir);
        for partition in self.table().partitions().filter(|partition| is_wanted(partition.name())) {
            let log = partition.log();
            if is_here(&log) {
                described.push(DescribedLog {
                    name: partition.name().clone(),
                    size_bytes: log.stored_bytes()?,
                    offset_lag: 0,
                    is_future: false,
                });
            }
            if let Some(future) = partition.future_log().filter(|future| is_here(future)) {
                let lag = log.offsets()?.log_end_offset - future.offsets()?.log_end_offset;
                described.push(DescribedLog {
                    name: partition.name().clone(),
                    size_bytes: future.stored_bytes()?,
                    offset_lag: lag,
                    is_future: true,
                });
            }
        }
        described.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(described)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
