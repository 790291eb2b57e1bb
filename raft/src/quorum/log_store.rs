//! openraft's log over `__cluster_metadata-0`, a log like any other. Raft counts entries, Kafka counts records: an index in
//! memory says at which offset an entry begins.

use std::fmt::Debug;
use std::io;
use std::ops::{Bound, RangeBounds};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use openraft::storage::{LogState, RaftLogReader, RaftLogStorage};
use protocol::record_batch::Batches;
use storage::file_system::FileSystem;
use storage::{Log, ReadLimits};

use super::entry::{damaged, decode, encode, offsets_of};
use super::purge_point::PurgePoint;
use super::quorum_state;
use super::snapshot::{self, SnapshotId};
use super::type_config::{Entry, IOFlushed, LogId, TypeConfig, Vote, log_id, member, node_id, term};
use super::writer::Writer;

/// Bytes read from the log at once.
const READ_BYTES: usize = 1 << 20;

/// The log store; clones share everything.
#[derive(Clone)]
pub(super) struct LogStore {
    shared: Arc<Shared>,
}

struct Shared {
    log: Arc<Log>,
    folder: PathBuf,
    writer: Writer,
    state: Mutex<State>,
    now_ms: super::Now,
}

#[derive(Default)]
struct State {
    vote: Option<Vote>,
    /// The last entry that was dropped.
    purged: Option<PurgePoint>,
    /// Entries from the first one kept.
    entries: Vec<Place>,
    first_index: u64,
}

/// Where an entry is.
#[derive(Clone, Copy)]
struct Place {
    base_offset: i64,
    end_offset: i64,
    term: u64,
    /// Bytes of its batch.
    size: u64,
}

impl State {
    fn end_index(&self) -> u64 {
        self.first_index + self.entries.len() as u64
    }

    fn end_offset(&self) -> i64 {
        self.entries.last().map_or_else(|| self.purged.map_or(0, |point| point.end_offset), |last| last.end_offset)
    }

    fn place(&self, index: u64) -> Option<Place> {
        self.entries.get(usize::try_from(index.checked_sub(self.first_index)?).ok()?).copied()
    }

    fn last_log_id(&self) -> Option<LogId> {
        let last = self.entries.last().map(|place| log_id(place.term, self.end_index() - 1));
        last.or(self.purged.map(|point| point.log_id))
    }
}

impl State {
    /// A vote may be older than the log where Kafka wrote last, or gone: this node has then voted in the epoch of the log's end.
    fn vote_in_epoch_of_log(&mut self, node_id: i32) {
        let Some(log_epoch) = self.last_log_id().map(|last| term(&last)) else { return };
        if self.vote.as_ref().is_none_or(|vote| vote.leader_id.term < log_epoch) {
            self.vote = Some(Vote::new(log_epoch, member(node_id)));
        }
    }
}

impl LogStore {
    /// Opens the store: reads the vote, and walks the log to learn where entries begin. `snapshot` is the newest one, if any.
    pub(super) fn open(
        log: Arc<Log>,
        node_id: i32,
        snapshot: Option<SnapshotId>,
        now_ms: super::Now,
    ) -> io::Result<Self> {
        let folder = log.log_dir().folder(log.partition());
        let file_system = log.log_dir().file_system();
        let vote = quorum_state::load(file_system, &folder)?;
        let purged = PurgePoint::load(file_system, &folder)?;
        // What a crash left unsynced is synced before it is relied upon.
        log.flush().map_err(io::Error::other)?;
        let mut state = State { vote, purged: counted_from(&log, purged, snapshot, now_ms())?, ..State::default() };
        state.first_index = state.purged.map_or(0, |point| point.log_id.index + 1);
        for_each_batch(&log, state.end_offset(), i64::MAX, |batch, base_offset, end_offset, epoch| {
            state.entries.push(Place { base_offset, end_offset, term: epoch, size: batch.len() as u64 });
            Ok(true)
        })?;
        state.vote_in_epoch_of_log(node_id);
        let writer = Writer::start(Arc::clone(&log))?;
        Ok(Self { shared: Arc::new(Shared { log, folder, writer, state: Mutex::new(state), now_ms }) })
    }

    /// The entry before `end_offset`; `None` if that is not where an entry ends.
    pub(super) fn log_id_before(&self, end_offset: i64) -> Option<LogId> {
        let state = self.lock();
        let found = state.entries.binary_search_by_key(&end_offset, |place| place.end_offset).ok();
        let in_log = found.map(|at| log_id(state.entries[at].term, state.first_index + at as u64));
        in_log.or_else(|| state.purged.filter(|point| point.end_offset == end_offset).map(|point| point.log_id))
    }

    /// The offset after the last entry.
    pub(super) fn end_offset(&self) -> i64 {
        self.lock().end_offset()
    }

    /// The offset after the entry at `index`.
    pub(super) fn end_offset_of(&self, index: u64) -> Option<i64> {
        let state = self.lock();
        state
            .place(index)
            .map(|place| place.end_offset)
            .or_else(|| state.purged.filter(|point| point.log_id.index == index).map(|point| point.end_offset))
    }

    /// Bytes of the entries behind `index`; of all that are kept without one.
    pub(super) fn bytes_behind(&self, index: Option<u64>) -> u64 {
        let state = self.lock();
        let first = index.map_or(0, |index| (index + 1).saturating_sub(state.first_index));
        let first = usize::try_from(first).unwrap_or(usize::MAX);
        state.entries.iter().skip(first).map(|place| place.size).sum()
    }

    /// Ends the writer when everything is done, and closes the log.
    pub(super) fn close(&self) -> Result<(), storage::Error> {
        self.shared.writer.stop();
        self.shared.log.close()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores something beside the log, in the order of the writer.
    async fn store(
        &self,
        store: impl FnOnce(&dyn FileSystem, &Path) -> io::Result<()> + Send + 'static,
    ) -> io::Result<()> {
        let shared = Arc::clone(&self.shared);
        self.shared
            .writer
            .step(move || {
                let file_system = shared.log.log_dir().file_system();
                file_system.create_dir_all(&shared.folder)?;
                file_system.sync_dir(shared.log.log_dir().path())?;
                store(file_system, &shared.folder)
            })
            .await
    }

    /// Where the snapshot ends that stands for entries beyond the log; without one the log goes on where it ends.
    fn snapshot_end(&self, purged: LogId) -> io::Result<Option<i64>> {
        let newest = snapshot::load(self.shared.log.log_dir().file_system(), &self.shared.folder)?;
        let epoch = i32::try_from(term(&purged)).map_err(io::Error::other)?;
        Ok(newest.filter(|(id, _)| id.epoch == epoch).map(|(id, _)| id.end_offset))
    }

    fn append_one(&self, entry: &Entry) -> io::Result<()> {
        let mut state = self.lock();
        let leader = state.vote.as_ref().filter(|vote| vote.leader_id.term == term(&entry.log_id));
        let leader = leader.map_or(-1, |vote| node_id(vote.leader_id.voted_for));
        let base_offset = state.end_offset();
        let now_ms = (self.shared.now_ms)();
        let batch = encode(entry, base_offset, leader, now_ms)?;
        self.shared.log.append_as_is(&batch, now_ms).map_err(io::Error::other)?;
        if state.entries.is_empty() {
            state.first_index = entry.log_id.index;
        }
        let end_offset = base_offset + offsets_of(entry)?;
        state.entries.push(Place { base_offset, end_offset, term: term(&entry.log_id), size: batch.len() as u64 });
        Ok(())
    }
}

impl RaftLogReader<TypeConfig> for LogStore {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + Send>(
        &mut self,
        range: RB,
    ) -> io::Result<Vec<Entry>> {
        let (start, end, from, to) = {
            let state = self.lock();
            let start = match range.start_bound() {
                Bound::Included(start) => *start,
                Bound::Excluded(start) => start + 1,
                Bound::Unbounded => 0,
            }
            .max(state.first_index);
            let end = match range.end_bound() {
                Bound::Included(end) => end + 1,
                Bound::Excluded(end) => *end,
                Bound::Unbounded => u64::MAX,
            }
            .min(state.end_index());
            let (Some(first), Some(last)) = (state.place(start), end.checked_sub(1).and_then(|last| state.place(last)))
            else {
                return Ok(Vec::new());
            };
            (start, end, first.base_offset, last.end_offset)
        };
        let mut entries = Vec::with_capacity(usize::try_from(end - start).unwrap_or(0));
        for_each_batch(&self.shared.log, from, to, |batch, _, _, _| {
            entries.push(decode(&batch, start + entries.len() as u64)?);
            Ok(entries.len() as u64 + start < end)
        })?;
        Ok(entries)
    }

    async fn read_vote(&mut self) -> io::Result<Option<Vote>> {
        Ok(self.lock().vote)
    }
}

impl RaftLogStorage<TypeConfig> for LogStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> io::Result<LogState<TypeConfig>> {
        let state = self.lock();
        let last_purged_log_id = state.purged.map(|point| point.log_id);
        Ok(LogState { last_purged_log_id, last_log_id: state.last_log_id() })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> io::Result<()> {
        let vote = *vote;
        self.lock().vote = Some(vote);
        let directory_id = self.shared.log.log_dir().directory_id().unwrap_or_default();
        self.store(move |file_system, folder| quorum_state::store(file_system, folder, &vote, directory_id)).await
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed) -> io::Result<()>
    where
        I: IntoIterator<Item = Entry> + Send,
        I::IntoIter: Send,
    {
        for entry in entries {
            self.append_one(&entry)?;
        }
        self.shared.writer.sync(callback);
        Ok(())
    }

    async fn truncate_after(&mut self, last_log_id: Option<LogId>) -> io::Result<()> {
        let shared = Arc::clone(&self.shared);
        self.shared
            .writer
            .step(move || {
                let mut state = shared.state.lock().unwrap_or_else(PoisonError::into_inner);
                let keep = last_log_id.map_or(0, |last| (last.index + 1).saturating_sub(state.first_index));
                state.entries.truncate(usize::try_from(keep).unwrap_or(usize::MAX));
                let end = state.end_offset();
                shared.log.truncate_to(end, (shared.now_ms)()).map(drop).map_err(io::Error::other)
            })
            .await
    }

    async fn purge(&mut self, purged: LogId) -> io::Result<()> {
        let point = {
            let mut state = self.lock();
            if state.purged.is_some_and(|known| known.log_id.index >= purged.index) {
                return Ok(());
            }
            let end_offset = match state.place(purged.index) {
                Some(place) => place.end_offset,
                None => self.snapshot_end(purged)?.unwrap_or_else(|| state.end_offset()),
            };
            let gone = (purged.index + 1).saturating_sub(state.first_index);
            let gone = usize::try_from(gone).unwrap_or(usize::MAX).min(state.entries.len());
            state.entries.drain(..gone);
            state.first_index = purged.index + 1;
            *state.purged.insert(PurgePoint { log_id: purged, end_offset })
        };
        self.store(move |file_system, folder| point.store(file_system, folder)).await?;
        let end_offset = point.end_offset;
        let shared = Arc::clone(&self.shared);
        self.shared
            .writer
            .step(move || {
                if shared.log.offsets().map_err(io::Error::other)?.log_end_offset < end_offset {
                    let restarted = shared.log.truncate_fully_and_start_at(end_offset, (shared.now_ms)());
                    return restarted.map_err(io::Error::other);
                }
                shared.log.increment_log_start_offset(end_offset).map_err(io::Error::other)?;
                shared.log.delete_old_segments(end_offset, (shared.now_ms)()).map_err(io::Error::other)?;
                Ok(())
            })
            .await
    }
}

/// The entry before the first one of the log. Kafka drops what a snapshot stands for without keeping raft's own counting: then
/// the counting goes on as if there had been one entry an offset. A log that ends before the snapshot is begun anew behind it
/// (`KafkaRaftLog.truncateToLatestSnapshot`).
fn counted_from(
    log: &Log,
    stored: Option<PurgePoint>,
    snapshot: Option<SnapshotId>,
    now_ms: i64,
) -> io::Result<Option<PurgePoint>> {
    let offsets = log.offsets().map_err(io::Error::other)?;
    let stored_end = stored.map_or(0, |point| point.end_offset);
    let snapshot_end = snapshot.map_or(0, |id| id.end_offset);
    let start = if offsets.log_end_offset < snapshot_end.max(stored_end) {
        let start = snapshot_end.max(stored_end);
        log.truncate_fully_and_start_at(start, now_ms).map_err(io::Error::other)?;
        start
    } else {
        offsets.log_start_offset
    };
    if stored_end >= start {
        return Ok(stored);
    }
    let mut epoch = snapshot.map_or(0, |id| id.epoch.unsigned_abs().into());
    for_each_batch(log, start, i64::MAX, |_, _, _, first| {
        epoch = first;
        Ok(false)
    })?;
    let dropped = start.abs_diff(stored_end);
    let index = stored.map_or(dropped - 1, |point| point.log_id.index + dropped);
    Ok(Some(PurgePoint { log_id: log_id(epoch, index), end_offset: start }))
}

/// Gives every batch from offset `start` (inclusive) to `end` (exclusive) to `visit`, with its base offset, the offset
/// after it and its epoch, until `visit` says stop.
fn for_each_batch(
    log: &Log,
    start: i64,
    end: i64,
    mut visit: impl FnMut(Bytes, i64, i64, u64) -> io::Result<bool>,
) -> io::Result<()> {
    let mut offset = start;
    loop {
        let limits = ReadLimits { end_offset: end, max_bytes: READ_BYTES, at_least_one: true };
        let bytes = log.read(offset, limits).map_err(io::Error::other)?.read()?;
        if bytes.is_empty() {
            return Ok(());
        }
        for batch in Batches::new(&bytes) {
            let (header, batch) = batch.map_err(damaged)?;
            let epoch = u64::try_from(header.partition_leader_epoch).map_err(damaged)?;
            offset = header.next_offset();
            if !visit(bytes.slice_ref(batch), header.base_offset, offset, epoch)? {
                return Ok(());
            }
        }
    }
}
