//! What a directory stores about its logs: recovery points, log start offsets, high watermarks.
//! Source: `LogManager.checkpointRecoveryOffsetsInDir`, `checkpointLogStartOffsetsInDir`, `ReplicaManager.checkpointHighWatermarks`.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::Path;
use std::sync::{MutexGuard, PoisonError, Weak};

use protocol::ids::TopicPartition;

use super::{Folder, LogDir, Offline};
use crate::checkpoint::{
    CLEANER_OFFSET_CHECKPOINT, HIGH_WATERMARK_CHECKPOINT, LOG_START_OFFSET_CHECKPOINT, PartitionOffsets,
    RECOVERY_POINT_CHECKPOINT, read_offsets, write_offsets,
};
use crate::file_system::FileSystem;

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

/// The logs here: those that were opened, and what was stored about the others.
#[derive(Default)]
pub(super) struct Logs {
    pub(super) open: HashMap<TopicPartition, OpenLog>,
    pub(super) stored: HashMap<TopicPartition, StoredOffsets>,
}

/// How far the logs here were cleaned.
#[derive(Default)]
pub(super) struct CleanerOffsets {
    offsets: PartitionOffsets,
    /// The file names a log that is gone.
    has_stale: bool,
}

pub(super) struct OpenLog {
    log: Weak<dyn CheckpointedLog>,
    /// The recovery point in the file, or what may be in it when a write was interrupted.
    written_recovery_point: i64,
}

impl LogDir {
    /// Notes that a log is open, so that checkpoints ask it, and returns what was stored about it.
    pub fn register(&self, partition: &TopicPartition, log: Weak<dyn CheckpointedLog>) -> StoredOffsets {
        let mut logs = self.lock_logs();
        let stored = logs.stored.remove(partition).unwrap_or_default();
        let written_recovery_point = stored.recovery_point.unwrap_or(0);
        logs.open.insert(partition.clone(), OpenLog { log, written_recovery_point });
        stored
    }

    /// Notes what is known about a log that is about to appear here, for whoever opens it.
    pub fn adopt(&self, partition: &TopicPartition, stored: StoredOffsets) {
        self.lock_logs().stored.insert(partition.clone(), stored);
    }

    /// Notes that a log is gone from here: deleted or moved. The next checkpoints do not name it.
    pub fn unregister(&self, partition: &TopicPartition) {
        let mut logs = self.lock_logs();
        logs.open.remove(partition);
        logs.stored.remove(partition);
        drop(logs);
        let mut cleaner = self.lock_cleaner_offsets();
        cleaner.has_stale |= cleaner.offsets.remove(partition).is_some();
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

    /// How far that log was cleaned (exclusive); `None` if it never was.
    pub fn cleaner_offset(&self, partition: &TopicPartition) -> Option<i64> {
        self.lock_cleaner_offsets().offsets.get(partition).copied()
    }

    /// Notes how far a log was cleaned (exclusive), durably (`cleaner-offset-checkpoint`).
    ///
    /// # Errors
    /// [`Offline`] when that fails, or the directory was offline before.
    pub fn set_cleaner_offset(&self, partition: &TopicPartition, offset: i64) -> Result<(), Offline> {
        self.check_online()?;
        let _writer = self.checkpoint_writer.lock().unwrap_or_else(PoisonError::into_inner);
        let is_open = self.lock_logs().open.contains_key(partition);
        // A deletion took it out of the file, and must not be undone.
        if is_open {
            self.lock_cleaner_offsets().offsets.insert(partition.clone(), offset);
        }
        self.write_cleaner_offsets()
    }

    /// Makes sure that a log does not count as cleaned above `offset`, to which it is truncated: what is appended there next
    /// is dirty.
    ///
    /// # Errors
    /// [`Offline`] when that fails, or the directory was offline before.
    pub fn lower_cleaner_offset(&self, partition: &TopicPartition, offset: i64) -> Result<(), Offline> {
        if self.cleaner_offset(partition) > Some(offset) { self.set_cleaner_offset(partition, offset) } else { Ok(()) }
    }

    /// Makes sure that the recovery point in the file is at least `recovery_point`, up to which the log was flushed. Costs a
    /// write only where the file is behind.
    ///
    /// # Errors
    /// [`Offline`] when that fails, or the directory was offline before.
    pub fn raise_recovery_point(&self, partition: &TopicPartition, recovery_point: i64) -> Result<(), Offline> {
        self.check_online()?;
        let _writer = self.checkpoint_writer.lock().unwrap_or_else(PoisonError::into_inner);
        let written = self.lock_logs().open.get(partition).map(|open| open.written_recovery_point);
        if written < Some(recovery_point) { self.replace_checkpoints() } else { Ok(()) }
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
        self.write_checkpoint(LOG_START_OFFSET_CHECKPOINT, &log_start_offsets)?;
        let has_stale = self.lock_cleaner_offsets().has_stale;
        if has_stale { self.write_cleaner_offsets() } else { Ok(()) }
    }

    /// To be called with the writer's lock held.
    fn write_cleaner_offsets(&self) -> Result<(), Offline> {
        let offsets = {
            let mut cleaner = self.lock_cleaner_offsets();
            cleaner.has_stale = false;
            cleaner.offsets.clone()
        };
        self.write_checkpoint(CLEANER_OFFSET_CHECKPOINT, &offsets)
    }

    fn lock_cleaner_offsets(&self) -> MutexGuard<'_, CleanerOffsets> {
        self.cleaner_offsets.lock().unwrap_or_else(PoisonError::into_inner)
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
}

/// What the checkpoints say about partitions that have a folder.
pub(super) fn load_stored(
    file_system: &dyn FileSystem,
    path: &Path,
    folders: &[(String, Folder)],
) -> io::Result<HashMap<TopicPartition, StoredOffsets>> {
    let present = partitions_of(folders);
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

/// How far the partitions that have a folder were cleaned.
pub(super) fn load_cleaner_offsets(
    file_system: &dyn FileSystem,
    path: &Path,
    folders: &[(String, Folder)],
) -> io::Result<CleanerOffsets> {
    let present = partitions_of(folders);
    let mut offsets = read_offsets(file_system, &path.join(CLEANER_OFFSET_CHECKPOINT))?.unwrap_or_default();
    let count = offsets.len();
    offsets.retain(|partition, _| present.contains(partition));
    let has_stale = offsets.len() < count;
    Ok(CleanerOffsets { offsets, has_stale })
}

fn partitions_of(folders: &[(String, Folder)]) -> HashSet<TopicPartition> {
    let partition_of = |(_, folder): &(String, Folder)| match folder {
        Folder::Partition(partition) => Some(partition.clone()),
        _ => None,
    };
    folders.iter().filter_map(partition_of).collect()
}
