//! Idempotence and transactions of one partition: what each producer wrote last, so that a repetition is recognised
//! and a gap refused, and which transactions are open. Kept in memory, in snapshots beside the segments, and rebuilt
//! from the batches behind the last snapshot. Source: `ProducerStateManager`.

mod batch;
mod check;
mod entry;
mod snapshot;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::path::Path;

pub use batch::{AppendOrigin, BatchContent, CompletedTxn, EndTransactionMarker, ProducerBatch, ProducerStateError};
pub use entry::{BATCHES_TO_RETAIN, BatchMetadata, ProducerStateEntry};
pub use snapshot::{Producers, SnapshotError, decode, encode, snapshot_offset, snapshot_path};

use self::check::{check_coordinator, check_epoch, check_sequence, check_transaction};
use crate::file_system::FileSystem;

/// Changes that were checked and not applied yet: those of the batches that one write puts into the log. Dropping it
/// undoes them.
#[derive(Debug, Default)]
pub struct ProducerUpdates {
    entries: Vec<(i64, ProducerStateEntry)>,
    /// First offset and producer of transactions that begin.
    started: Vec<(i64, i64)>,
    completed: Vec<CompletedTxn>,
}

/// The state. An empty one holds no heap memory.
#[derive(Debug, Default)]
pub struct ProducerStateManager {
    producers: Producers,
    /// Open transactions: first offset to producer id.
    ongoing: BTreeMap<i64, i64>,
    /// Ended transactions whose marker is not below the high watermark: first offset to the marker's offset.
    unreplicated: BTreeMap<i64, i64>,
    snapshots: BTreeSet<i64>,
    end_offset: i64,
    last_snapshot_offset: i64,
    expiration_ms: i64,
}

impl ProducerStateManager {
    /// The state of an empty log. Producers without an open transaction are forgotten after `expiration_ms`.
    pub fn new(expiration_ms: i64) -> Self {
        Self { expiration_ms, ..Self::default() }
    }

    /// Changes how long idle producers are remembered, in ms.
    pub fn set_expiration_ms(&mut self, expiration_ms: i64) {
        self.expiration_ms = expiration_ms;
    }

    /// The producers by id, for descriptions.
    pub fn producers(&self) -> &Producers {
        &self.producers
    }

    /// Takes over what another log of the same records knows of its producers.
    pub fn set_producers(&mut self, producers: Producers) {
        self.producers = producers;
    }

    /// The state covers the log up to here (exclusive).
    pub fn end_offset(&self) -> i64 {
        self.end_offset
    }

    /// Notes that the state covers the log up to `end_offset` (exclusive).
    pub fn set_end_offset(&mut self, end_offset: i64) {
        self.end_offset = end_offset;
    }

    /// Whether nothing is known: then replaying a log in which there were no producers can be skipped.
    pub fn is_empty(&self) -> bool {
        self.producers.is_empty() && self.unreplicated.is_empty()
    }

    /// The earlier batch that `batch` repeats, one of the producer's last five. To be asked before
    /// [`ProducerStateManager::check`].
    pub fn find_duplicate(&self, updates: &ProducerUpdates, batch: &ProducerBatch) -> Option<BatchMetadata> {
        let BatchContent::Data { first_sequence, last_sequence, .. } = batch.content else { return None };
        let entry = self.current(updates, batch.producer_id)?;
        entry.find_batch(batch.producer_epoch, first_sequence, last_sequence)
    }

    /// Checks a batch against the state as `updates` would leave it, and adds its own change to them.
    ///
    /// # Errors
    /// [`ProducerStateError`]; `updates` are then as before.
    pub fn check(
        &self,
        updates: &mut ProducerUpdates,
        batch: &ProducerBatch,
        origin: AppendOrigin,
    ) -> Result<(), ProducerStateError> {
        let mut entry = self.current(updates, batch.producer_id).cloned().unwrap_or_default();
        check_epoch(&entry, batch, origin)?;
        match batch.content {
            BatchContent::Data { first_sequence, last_sequence, transactional } => {
                if origin == AppendOrigin::Client {
                    check_sequence(&entry, batch, first_sequence)?;
                }
                check_transaction(&entry, batch, transactional, origin)?;
                entry.add_batch(batch.producer_epoch, batch.metadata(last_sequence));
                if transactional && entry.current_txn_first_offset.is_none() {
                    entry.current_txn_first_offset = Some(batch.first_offset);
                    updates.started.push((batch.first_offset, batch.producer_id));
                }
            }
            BatchContent::Marker(marker) => {
                check_coordinator(&entry, batch, marker, origin)?;
                if let Some(first_offset) = entry.current_txn_first_offset.take() {
                    updates.completed.push(CompletedTxn {
                        producer_id: batch.producer_id,
                        first_offset,
                        last_offset: batch.last_offset,
                        aborted: !marker.committed,
                    });
                }
                entry.set_epoch(batch.producer_epoch);
                entry.coordinator_epoch = marker.coordinator_epoch;
                entry.last_timestamp = batch.timestamp;
            }
        }
        updates.put(batch.producer_id, entry);
        Ok(())
    }

    /// Applies the changes of batches that are in the log now. Returns the transactions that ended in them, each to be
    /// given to [`ProducerStateManager::last_stable_offset`] for the transaction index and then to
    /// [`ProducerStateManager::complete`].
    pub fn update(&mut self, updates: ProducerUpdates) -> Vec<CompletedTxn> {
        self.producers.extend(updates.entries);
        self.ongoing.extend(updates.started);
        updates.completed
    }

    /// Takes a batch that is in the log, unchecked: recovery, and replicas of a leader that has checked. Returns the
    /// transaction that it ended and the last stable offset (exclusive) after it.
    pub fn replay(&mut self, batch: &ProducerBatch) -> Option<(CompletedTxn, i64)> {
        let mut updates = ProducerUpdates::default();
        let checked = self.check(&mut updates, batch, AppendOrigin::Replication);
        debug_assert!(checked.is_ok(), "nothing is refused on replay");
        let completed = self.update(updates).pop()?;
        let last_stable_offset = self.last_stable_offset(&completed);
        self.complete(&completed);
        Some((completed, last_stable_offset))
    }

    /// Where the last stable offset (exclusive) would be with `completed` out of the way and everything replicated: the
    /// first offset of the first transaction of another producer, or what follows the marker.
    pub fn last_stable_offset(&self, completed: &CompletedTxn) -> i64 {
        let mut others = self.ongoing.iter().filter(|(_, producer_id)| **producer_id != completed.producer_id);
        others.next().map_or(completed.last_offset.saturating_add(1), |(first_offset, _)| *first_offset)
    }

    /// Takes an ended transaction off the open ones. It stays unstable until its marker is replicated.
    pub fn complete(&mut self, completed: &CompletedTxn) {
        self.ongoing.remove(&completed.first_offset);
        self.unreplicated.insert(completed.first_offset, completed.last_offset);
    }

    /// The first record whose transaction is open or not replicated to its end: readers of committed records stop
    /// before it. `None`: there is no such.
    pub fn first_unstable_offset(&self) -> Option<i64> {
        let ongoing = self.ongoing.keys().next();
        let unreplicated = self.unreplicated.keys().next();
        ongoing.into_iter().chain(unreplicated).min().copied()
    }

    /// The first record whose transaction is open.
    pub fn first_undecided_offset(&self) -> Option<i64> {
        self.ongoing.keys().next().copied()
    }

    /// Forgets ended transactions whose marker is below the high watermark (exclusive).
    pub fn on_high_watermark_updated(&mut self, high_watermark: i64) {
        if !self.unreplicated.is_empty() {
            self.unreplicated.retain(|_, last_offset| *last_offset >= high_watermark);
        }
    }

    /// Takes note of a new log start offset (inclusive). Producers of the records before it are still remembered.
    pub fn on_log_start_offset_incremented(&mut self, log_start_offset: i64) {
        self.on_high_watermark_updated(log_start_offset);
        self.end_offset = self.end_offset.max(log_start_offset);
        self.last_snapshot_offset = self.latest_snapshot().unwrap_or(log_start_offset);
    }

    /// Forgets producers that have been idle for the expiration time at `now_ms` and have no open transaction.
    pub fn expire(&mut self, now_ms: i64) {
        let expiration_ms = self.expiration_ms;
        self.producers.retain(|_, entry| !is_expired(entry, now_ms, expiration_ms));
        if self.producers.is_empty() {
            self.producers = HashMap::new();
        }
    }

    /// Offset of the newest snapshot.
    pub fn latest_snapshot(&self) -> Option<i64> {
        self.snapshots.last().copied()
    }

    /// Offset of the oldest snapshot.
    pub fn oldest_snapshot(&self) -> Option<i64> {
        self.snapshots.first().copied()
    }

    /// Writes a snapshot at the end offset unless there is one, and returns its offset if it did. With `sync` it is
    /// durable; without, a power cut may leave none or a damaged one, which is recognised.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn take_snapshot(
        &mut self,
        file_system: &dyn FileSystem,
        folder: &Path,
        sync: bool,
    ) -> io::Result<Option<i64>> {
        if self.end_offset <= self.last_snapshot_offset {
            return Ok(None);
        }
        let offset = self.end_offset;
        snapshot::write(file_system, &snapshot_path(folder, offset), &self.producers, sync)?;
        self.snapshots.insert(offset);
        self.last_snapshot_offset = offset;
        Ok(Some(offset))
    }

    /// Finds the snapshots in the folder and removes those that no segment begins at, but for the newest when it is
    /// behind the last segment's base: a clean stop wrote it.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn load_snapshots(
        &mut self,
        file_system: &dyn FileSystem,
        folder: &Path,
        segment_base_offsets: &BTreeSet<i64>,
    ) -> io::Result<()> {
        self.snapshots = snapshot::list(file_system, folder)?;
        let newest = self.latest_snapshot().filter(|newest| segment_base_offsets.last() < Some(newest));
        let strays = self.snapshots.difference(segment_base_offsets).filter(|offset| Some(**offset) != newest);
        let strays: Vec<i64> = strays.copied().collect();
        self.remove_snapshots(file_system, folder, strays)
    }

    /// Brings the state to what it was before `log_end_offset` as far as snapshots tell: removes those behind it or at
    /// the log start and loads the newest that is whole. The batches from [`ProducerStateManager::end_offset`] on must
    /// be replayed after.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn truncate_and_reload(
        &mut self,
        file_system: &dyn FileSystem,
        folder: &Path,
        log_start_offset: i64,
        log_end_offset: i64,
        now_ms: i64,
    ) -> io::Result<()> {
        let outside = |offset: &&i64| **offset > log_end_offset || **offset <= log_start_offset;
        let outside: Vec<i64> = self.snapshots.iter().filter(outside).copied().collect();
        self.remove_snapshots(file_system, folder, outside)?;
        if self.end_offset == log_end_offset {
            self.on_log_start_offset_incremented(log_start_offset);
            return Ok(());
        }
        self.clear();
        self.load_newest_snapshot(file_system, folder, log_start_offset, now_ms)
    }

    /// Forgets everything and removes all snapshots: the log begins anew at `offset`.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn truncate_fully_and_start_at(
        &mut self,
        file_system: &dyn FileSystem,
        folder: &Path,
        offset: i64,
    ) -> io::Result<()> {
        self.clear();
        let all: Vec<i64> = self.snapshots.iter().copied().collect();
        self.remove_snapshots(file_system, folder, all)?;
        self.last_snapshot_offset = 0;
        self.end_offset = offset;
        Ok(())
    }

    /// Removes the snapshots before `offset` (exclusive).
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn delete_snapshots_before(
        &mut self,
        file_system: &dyn FileSystem,
        folder: &Path,
        offset: i64,
    ) -> io::Result<()> {
        let before: Vec<i64> = self.snapshots.range(..offset).copied().collect();
        self.remove_snapshots(file_system, folder, before)
    }

    /// Lets the caller have the snapshot at `offset`, to rename and delete it with its segment. False: there is none.
    pub fn forget_snapshot(&mut self, offset: i64) -> bool {
        self.snapshots.remove(&offset)
    }

    fn current<'a>(&'a self, updates: &'a ProducerUpdates, producer_id: i64) -> Option<&'a ProducerStateEntry> {
        updates.get(producer_id).or_else(|| self.producers.get(&producer_id))
    }

    fn clear(&mut self) {
        self.producers = HashMap::new();
        self.ongoing.clear();
        self.unreplicated.clear();
    }

    fn load_newest_snapshot(
        &mut self,
        file_system: &dyn FileSystem,
        folder: &Path,
        log_start_offset: i64,
        now_ms: i64,
    ) -> io::Result<()> {
        while let Some(offset) = self.latest_snapshot() {
            let path = snapshot_path(folder, offset);
            match decode(&file_system.read(&path)?) {
                Ok(producers) => {
                    self.adopt(producers, now_ms);
                    self.last_snapshot_offset = offset;
                    self.end_offset = offset;
                    return Ok(());
                }
                Err(reason) => {
                    tracing::warn!(path = %path.display(), %reason, "damaged producer snapshot removed");
                    self.remove_snapshots(file_system, folder, vec![offset])?;
                }
            }
        }
        self.last_snapshot_offset = log_start_offset;
        self.end_offset = log_start_offset;
        Ok(())
    }

    fn adopt(&mut self, mut producers: Producers, now_ms: i64) {
        producers.retain(|_, entry| !is_expired(entry, now_ms, self.expiration_ms));
        for (producer_id, entry) in &producers {
            if let Some(first_offset) = entry.current_txn_first_offset {
                self.ongoing.insert(first_offset, *producer_id);
            }
        }
        self.producers = producers;
    }

    /// Removes snapshots durably: one of records that were truncated must not come back beside others at its offset.
    fn remove_snapshots(&mut self, file_system: &dyn FileSystem, folder: &Path, offsets: Vec<i64>) -> io::Result<()> {
        for offset in &offsets {
            match file_system.remove_file(&snapshot_path(folder, *offset)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => self.snapshots.remove(offset),
            };
        }
        if offsets.is_empty() { Ok(()) } else { file_system.sync_dir(folder) }
    }
}

impl ProducerUpdates {
    /// Whether there is nothing to apply.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn get(&self, producer_id: i64) -> Option<&ProducerStateEntry> {
        self.entries.iter().find(|(id, _)| *id == producer_id).map(|(_, entry)| entry)
    }

    fn put(&mut self, producer_id: i64, entry: ProducerStateEntry) {
        match self.entries.iter_mut().find(|(id, _)| *id == producer_id) {
            Some((_, present)) => *present = entry,
            None => self.entries.push((producer_id, entry)),
        }
    }
}

impl ProducerBatch {
    fn metadata(&self, last_sequence: i32) -> BatchMetadata {
        BatchMetadata {
            last_sequence,
            last_offset: self.last_offset,
            offset_delta: i32::try_from(self.last_offset.saturating_sub(self.first_offset)).unwrap_or(i32::MAX),
            timestamp: self.timestamp,
        }
    }
}

fn is_expired(entry: &ProducerStateEntry, now_ms: i64, expiration_ms: i64) -> bool {
    entry.current_txn_first_offset.is_none() && now_ms.saturating_sub(entry.last_timestamp) >= expiration_ms
}
