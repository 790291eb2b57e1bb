//! The door to one replica: append, read, and the offsets that others wait for. Source: `Partition`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, Weak};

use arc_swap::{ArcSwap, Guard};
use bytes::Bytes;
use protocol::ids::TopicPartition;
use protocol::record_batch::{InvalidBatch, InvalidReason, ProduceRules, validate};
use storage::producer_state::ProducerStateEntry;
use storage::{AppendError, Appended, Error, Log, LogConfig, Offsets, ReadLimits, Region, TimestampOffset};
use thiserror::Error as ThisError;

use super::flusher::FlushState;
use super::loading::Loading;
use super::stall::{self, Stall};
use super::tier::{RemoteRead, Tier, Tiered, TopicTier};
use super::{Flusher, Interest};
use crate::metrics::Traffic;

/// When acks=all is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// After the batch is synced on every in-sync replica.
    Durable,
    /// When every in-sync replica has it, in memory: Kafka's own.
    Replicated,
    /// `Durable` for a partition with a single replica, else `Replicated`.
    Auto,
}

/// What a topic's configuration means here.
#[derive(Clone, Debug)]
pub struct TopicSettings {
    pub log: LogConfig,
    /// With the version of the request left open.
    pub rules: ProduceRules,
    pub durability: Durability,
    /// Whether old segments go by time and size (`cleanup.policy`).
    pub deletes: bool,
    /// `flush.messages`: a flush is asked for after so many records.
    pub flush_messages: i64,
    /// `flush.ms`.
    pub flush_ms: i64,
    pub tier: TopicTier,
}

/// Why a partition does not serve a request.
#[derive(Debug, ThisError)]
pub enum PartitionError {
    #[error("this broker is not the leader")]
    NotLeader,
    #[error("leader epoch {requested} is older than {current}")]
    FencedLeaderEpoch { requested: i32, current: i32 },
    #[error("leader epoch {requested} is newer than {current}")]
    UnknownLeaderEpoch { requested: i32, current: i32 },
    /// Its log is being recovered; it leads in a moment.
    #[error("the log is being loaded")]
    Loading,
    #[error("{}", .0.message)]
    Invalid(InvalidBatch),
    #[error(transparent)]
    Append(#[from] AppendError),
    #[error(transparent)]
    Log(#[from] Error),
}

impl PartitionError {
    /// Whether the cause is none that clients are expected to run into and to find their way out of
    /// (`ReplicaManager.appendRecordsToLeader`, `readFromLog`).
    pub fn is_unexpected(&self) -> bool {
        match self {
            Self::NotLeader | Self::FencedLeaderEpoch { .. } | Self::UnknownLeaderEpoch { .. } | Self::Loading => false,
            Self::Invalid(invalid) => match invalid.reason {
                InvalidReason::Corrupt | InvalidReason::MessageTooLarge | InvalidReason::RecordListTooLarge => false,
                InvalidReason::InvalidRecord
                | InvalidReason::InvalidTimestamp
                | InvalidReason::UnsupportedCompression => true,
            },
            Self::Append(AppendError::Log(error)) | Self::Log(error) => {
                !matches!(error, Error::OffsetOutOfRange { .. } | Error::Offline(_) | Error::Deleted)
            }
            Self::Append(_) => true,
        }
    }
}

/// What a fetch asks of a partition.
#[derive(Clone, Copy, Debug)]
pub struct FetchLimits {
    pub offset: i64,
    pub max_bytes: usize,
    pub at_least_one: bool,
    /// −1: the client does not know one.
    pub current_leader_epoch: i32,
    /// Stop at the last stable offset.
    pub read_committed: bool,
}

/// What a fetch gets.
#[derive(Debug)]
pub struct PartitionRead {
    pub region: Region,
    /// What is asked for lies in the cold tier: `region` is empty, and these bytes come later.
    pub remote: Option<RemoteRead>,
    pub high_watermark: i64,
    pub last_stable_offset: i64,
    pub log_start_offset: i64,
}

const NOT_LOADED: i64 = -1;

/// Bytes that a move reads and writes in one step.
pub(super) const COPIED_AT_ONCE: usize = 1 << 20;

/// One replica of a partition on this broker.
#[derive(Debug)]
pub struct Partition {
    name: TopicPartition,
    log: ArcSwap<Log>,
    /// The copy of the log that a move makes in another directory.
    future: Mutex<Option<Arc<Log>>>,
    /// Held shared by whoever changes the log, and alone while the copy takes its place.
    gate: RwLock<()>,
    settings: ArcSwap<TopicSettings>,
    is_leader: AtomicBool,
    leader_epoch: AtomicI32,
    is_single: bool,
    high_watermark: AtomicI64,
    interest: Interest,
    flush_state: FlushState,
    /// The flusher has this partition for its next round.
    is_dirty: AtomicBool,
    flusher: Weak<Flusher>,
    loading: Loading,
    stall: ArcSwap<Stall>,
    traffic: Traffic,
    tiered: Tiered,
}

impl Partition {
    /// `is_single`: the partition has no other replica. `stall` is the one of the log's directory.
    pub fn new(
        log: Arc<Log>,
        settings: &Arc<TopicSettings>,
        is_single: bool,
        flusher: Weak<Flusher>,
        stall: Arc<Stall>,
    ) -> Self {
        Self {
            name: log.partition().clone(),
            log: ArcSwap::new(log),
            future: Mutex::default(),
            gate: RwLock::default(),
            settings: ArcSwap::new(Arc::clone(settings)),
            is_leader: AtomicBool::new(false),
            leader_epoch: AtomicI32::new(-1),
            is_single,
            high_watermark: AtomicI64::new(NOT_LOADED),
            interest: Interest::default(),
            flush_state: FlushState::default(),
            is_dirty: AtomicBool::new(false),
            flusher,
            loading: Loading::default(),
            stall: ArcSwap::new(stall),
            traffic: Traffic::default(),
            tiered: Tiered::default(),
        }
    }

    /// With a cold tier, which it uses if its topic wants that.
    pub fn with_tier(self, tier: Option<Arc<Tier>>) -> Self {
        Self { tiered: Tiered::new(tier), ..self }
    }

    /// The part of it that is in the cold tier.
    pub fn tiered(&self) -> &Tiered {
        &self.tiered
    }

    pub(super) fn settings(&self) -> Guard<Arc<TopicSettings>> {
        self.settings.load()
    }

    pub fn name(&self) -> &TopicPartition {
        &self.name
    }

    /// The log. Another one takes its place when the replica moves to another directory: not to be kept.
    pub fn log(&self) -> Guard<Arc<Log>> {
        self.log.load()
    }

    /// The copy that a move makes of the log.
    pub fn future_log(&self) -> Option<Arc<Log>> {
        self.lock_future().clone()
    }

    pub(super) fn lock_future(&self) -> MutexGuard<'_, Option<Arc<Log>>> {
        self.future.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// To be held while the log is changed.
    fn enter(&self) -> RwLockReadGuard<'_, ()> {
        let entered = || self.gate.read().unwrap_or_else(PoisonError::into_inner);
        self.gate.try_read().unwrap_or_else(|_| stall::blocking(entered))
    }

    pub fn leader_epoch(&self) -> i32 {
        self.leader_epoch.load(Ordering::Acquire)
    }

    /// What went through.
    pub fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// Who waits for the high watermark.
    pub fn interest(&self) -> &Interest {
        &self.interest
    }

    pub(super) fn flush_state(&self) -> &FlushState {
        &self.flush_state
    }

    /// Takes over who leads; those who wait look again.
    pub fn set_role(&self, is_leader: bool, leader_epoch: i32) {
        self.leader_epoch.store(leader_epoch, Ordering::Release);
        if self.is_leader.swap(is_leader, Ordering::AcqRel) != is_leader {
            self.interest.changed();
        }
        // A log that is not loaded learns it then. Loaded is what cannot fail here.
        if is_leader && self.is_loaded() {
            let _ = self.log().begin_leader_epoch(leader_epoch);
        }
    }

    /// Takes over the topic's settings.
    pub fn set_settings(&self, settings: &Arc<TopicSettings>) {
        self.log().set_config(settings.log.clone());
        if let Some(future) = self.future_log() {
            future.set_config(settings.log.clone());
        }
        self.settings.store(Arc::clone(settings));
    }

    pub fn is_loaded(&self) -> bool {
        self.high_watermark.load(Ordering::Acquire) != NOT_LOADED
    }

    /// The high watermark of a log that has been used.
    pub fn known_high_watermark(&self) -> Option<i64> {
        Some(self.high_watermark.load(Ordering::Acquire)).filter(|offset| *offset != NOT_LOADED)
    }

    /// Brings the log into memory, recovered if it must be, and everything in it onto the disk: a single replica's high
    /// watermark may never be lower than it was before a crash, and before a crash it was at most what is here.
    ///
    /// Whoever comes while another loads waits for a moment.
    ///
    /// # Errors
    /// A failing disk; [`PartitionError::Loading`] after that moment.
    pub fn load(&self) -> Result<i64, PartitionError> {
        let Some(_turn) = self.loading.begin() else { return Err(PartitionError::Loading) };
        if let Some(offset) = self.known_high_watermark() {
            return Ok(offset);
        }
        let log = self.log();
        let offsets = log.offsets()?;
        if offsets.recovery_point < offsets.log_end_offset {
            log.flush()?;
        }
        if self.is_leader.load(Ordering::Acquire) {
            log.begin_leader_epoch(self.leader_epoch())?;
        }
        self.load_remote()?;
        self.high_watermark.fetch_max(offsets.log_end_offset, Ordering::AcqRel);
        Ok(self.high_watermark.load(Ordering::Acquire))
    }

    /// The high watermark (exclusive). The first call after a start loads the log, off the runtime's workers.
    ///
    /// # Errors
    /// As [`Partition::load`].
    pub fn high_watermark(&self) -> Result<i64, PartitionError> {
        match self.known_high_watermark() {
            Some(offset) => Ok(offset),
            None => stall::blocking(|| self.load()),
        }
    }

    /// The offset before which readers of committed records stop (exclusive).
    ///
    /// # Errors
    /// As [`Partition::load`].
    pub fn last_stable_offset(&self) -> Result<i64, PartitionError> {
        let high_watermark = self.high_watermark()?;
        let unstable = self.log().first_unstable_offset()?;
        Ok(unstable.map_or(high_watermark, |unstable| unstable.min(high_watermark)))
    }

    /// Offsets of the log.
    ///
    /// # Errors
    /// As [`Partition::load`].
    pub fn offsets(&self) -> Result<Offsets, PartitionError> {
        self.high_watermark()?;
        Ok(self.log().offsets()?)
    }

    /// The producers that the log remembers, by id.
    ///
    /// # Errors
    /// As [`Partition::load`].
    pub fn producers(&self) -> Result<BTreeMap<i64, ProducerStateEntry>, PartitionError> {
        self.high_watermark()?;
        Ok(self.log().producers()?)
    }

    /// Goes on only if this broker leads the partition.
    ///
    /// # Errors
    /// [`PartitionError::NotLeader`].
    pub fn check_leader(&self) -> Result<(), PartitionError> {
        if self.is_leader.load(Ordering::Acquire) { Ok(()) } else { Err(PartitionError::NotLeader) }
    }

    /// Goes on only if the client's leader epoch is this one, or −1 (KIP-320).
    ///
    /// # Errors
    /// Not the leader, or another epoch.
    pub fn check_leader_epoch(&self, requested: i32) -> Result<(), PartitionError> {
        self.check_leader()?;
        let current = self.leader_epoch();
        if requested < 0 || requested == current {
            Ok(())
        } else if requested < current {
            Err(PartitionError::FencedLeaderEpoch { requested, current })
        } else {
            Err(PartitionError::UnknownLeaderEpoch { requested, current })
        }
    }

    /// Checks and appends what a Produce of `api_version` has for this partition. The batch is in the log and has its
    /// offsets; for acks=all the caller waits until the high watermark is above the last one.
    ///
    /// # Errors
    /// Nothing was appended.
    pub fn append(self: &Arc<Self>, records: Bytes, api_version: i16, now_ms: i64) -> Result<Appended, PartitionError> {
        let bytes = records.len() as u64;
        let result = self.validate_and_append(records, api_version, now_ms);
        match &result {
            Ok(appended) if appended.duplicate => self.traffic.produced(0, 0),
            Ok(appended) => {
                let messages = appended.last_offset - appended.base_offset + 1;
                self.traffic.produced(messages.unsigned_abs(), bytes);
            }
            Err(error) => self.traffic.refused(error.is_unexpected()),
        }
        result
    }

    fn validate_and_append(
        self: &Arc<Self>,
        records: Bytes,
        api_version: i16,
        now_ms: i64,
    ) -> Result<Appended, PartitionError> {
        self.check_leader()?;
        self.high_watermark()?;
        let settings = self.settings.load();
        let rules = ProduceRules { api_version, ..settings.rules };
        let batch = validate(records, &rules, self.name(), now_ms).map_err(PartitionError::Invalid)?;
        let appended = self.stall.load().run(|| {
            let _gate = self.enter();
            self.log().append(&batch, self.leader_epoch(), now_ms)
        })?;
        if !appended.duplicate {
            self.appended(&settings, appended.last_offset + 1);
        }
        let log_start_offset = self.tiered.log_start_offset(appended.log_start_offset);
        Ok(Appended { log_start_offset, ..appended })
    }

    /// Makes what was appended visible: at once, or after a flush.
    fn appended(self: &Arc<Self>, settings: &TopicSettings, end_offset: i64) {
        let durable = self.is_durable(settings);
        if !durable {
            self.raise_high_watermark(end_offset);
        }
        let unflushed = || self.log().offsets().map_or(0, |offsets| end_offset - offsets.recovery_point);
        let due = durable || (settings.flush_messages < i64::MAX && unflushed() >= settings.flush_messages);
        if !due && self.is_dirty.swap(true, Ordering::AcqRel) {
            return;
        }
        match self.flusher.upgrade() {
            Some(flusher) if due => flusher.flush(self),
            Some(flusher) => flusher.flush_later(self),
            None => {}
        }
    }

    /// What is appended from now on is for the round after the one that begins.
    pub(super) fn set_clean(&self) {
        self.is_dirty.store(false, Ordering::Release);
    }

    fn is_durable(&self, settings: &TopicSettings) -> bool {
        match settings.durability {
            _ if settings.flush_messages == 1 => true,
            Durability::Durable => true,
            Durability::Replicated => false,
            Durability::Auto => self.is_single,
        }
    }

    fn raise_high_watermark(&self, offset: i64) {
        if self.high_watermark.fetch_max(offset, Ordering::AcqRel) < offset {
            self.interest.reached(offset);
        }
    }

    /// Syncs the log. Everything that was appended before is durable and visible afterwards.
    ///
    /// # Errors
    /// The directory is offline from now on; those who wait are told.
    pub fn flush(&self) -> Result<(), Error> {
        match self.log().flush() {
            Ok(durable) => {
                self.raise_high_watermark(durable);
                Ok(())
            }
            Err(error) => {
                self.interest.changed();
                Err(error)
            }
        }
    }

    /// Reads for a consumer.
    ///
    /// # Errors
    /// Not the leader, another epoch, an offset outside the log, a failing disk.
    pub fn read(&self, limits: FetchLimits) -> Result<PartitionRead, PartitionError> {
        let result = self.find_records(limits);
        self.traffic.read(result.as_ref().is_err_and(PartitionError::is_unexpected));
        result
    }

    fn find_records(&self, limits: FetchLimits) -> Result<PartitionRead, PartitionError> {
        self.check_leader_epoch(limits.current_leader_epoch)?;
        let high_watermark = self.high_watermark()?;
        let last_stable_offset = self.last_stable_offset()?;
        let end_offset = if limits.read_committed { last_stable_offset } else { high_watermark };
        let read = ReadLimits { end_offset, max_bytes: limits.max_bytes, at_least_one: limits.at_least_one };
        let log = self.log();
        let (region, remote) = match log.read(limits.offset, read) {
            Err(error @ Error::OffsetOutOfRange { .. }) => match self.tiered.read(&log, limits.offset, read) {
                Some(remote) => (Region::empty(), Some(remote)),
                None => return Err(error.into()),
            },
            read => (read?, None),
        };
        let log_start_offset = self.tiered.log_start_offset(log.offsets()?.log_start_offset);
        Ok(PartitionRead { region, remote, high_watermark, last_stable_offset, log_start_offset })
    }

    /// Whether the topic's records go by compaction alone.
    pub fn is_only_compacted(&self) -> bool {
        let settings = self.settings.load();
        settings.rules.compacted && !settings.deletes
    }

    /// Moves the log start offset up to `offset`, −1 meaning the high watermark (DeleteRecords). Returns the new log
    /// start offset. What a durable partition holds is synced first: a producer that does not wait for the disk may delete
    /// what it was told is there.
    ///
    /// # Errors
    /// Not the leader, an offset above the high watermark, a failing disk.
    pub fn delete_records(&self, offset: i64) -> Result<i64, PartitionError> {
        self.check_leader()?;
        if self.is_durable(&self.settings.load()) && self.high_watermark()? < self.log().offsets()?.log_end_offset {
            self.flush()?;
        }
        let high_watermark = self.high_watermark()?;
        let offset = if offset == -1 { high_watermark } else { offset };
        if offset < 0 || offset > high_watermark {
            let Offsets { log_start_offset, .. } = self.log().offsets()?;
            return Err(Error::OffsetOutOfRange { offset, log_start_offset, log_end_offset: high_watermark }.into());
        }
        let _gate = self.enter();
        if let Some(remote) = self.tiered.remote() {
            remote.raise_log_start(offset);
            remote.store(&self.log())?;
        }
        Ok(self.tiered.log_start_offset(self.log().increment_log_start_offset(offset)?))
    }

    /// The first record that is as young as `timestamp`, below what the isolation level lets be read.
    ///
    /// # Errors
    /// As [`Partition::load`], and a failing disk.
    pub fn offset_for_timestamp(&self, timestamp: i64, limit: i64) -> Result<Option<TimestampOffset>, PartitionError> {
        self.high_watermark()?;
        Ok(self.log().offset_for_timestamp(timestamp, limit)?)
    }

    /// Lets old segments go.
    ///
    /// # Errors
    /// As [`Partition::load`], and a failing disk.
    pub fn delete_old_segments(&self, now_ms: i64) -> Result<usize, PartitionError> {
        let high_watermark = self.high_watermark()?;
        let _gate = self.enter();
        let limit = self.deletable_up_to(high_watermark, now_ms)?;
        Ok(self.log().delete_old_segments(limit, now_ms)?)
    }

    /// Lets the copy take the log's place, with whatever came since it was last looked at: nothing is appended meanwhile. Returns
    /// the log that was replaced; `None` if the copy is not that of a move any more.
    ///
    /// # Errors
    /// A failing disk; the log stays in its place.
    pub(super) fn replace_log(
        &self,
        future: &Arc<Log>,
        stall: Arc<Stall>,
        now_ms: i64,
    ) -> Result<Option<Arc<Log>>, PartitionError> {
        self.high_watermark()?;
        let gate = self.gate.write().unwrap_or_else(PoisonError::into_inner);
        let mut current = self.lock_future();
        if !current.as_ref().is_some_and(|current| Arc::ptr_eq(current, future)) {
            return Ok(None);
        }
        let log = self.log.load_full();
        while future.copy_from(&log, COPIED_AT_ONCE, now_ms)? > 0 {}
        let new = future.promote(&log)?;
        let end_offset = new.offsets()?.log_end_offset;
        self.log.store(new);
        self.stall.store(stall);
        *current = None;
        drop((current, gate));
        // All of it was synced before it got its place.
        self.raise_high_watermark(end_offset);
        self.note_remote(&log)?;
        Ok(Some(log))
    }

    /// Lets the log and its copy go.
    ///
    /// # Errors
    /// A failing disk.
    pub(super) fn delete(&self, now_ms: i64) -> Result<(), Error> {
        let _gate = self.gate.write().unwrap_or_else(PoisonError::into_inner);
        let future = self.lock_future().take();
        future.map_or(Ok(()), |future| future.delete(now_ms))?;
        self.log().delete(now_ms)
    }

    /// Closes the log and its copy.
    ///
    /// # Errors
    /// A failing disk.
    pub(super) fn close(&self) -> Result<(), Error> {
        self.future_log().map_or(Ok(()), |future| future.close())?;
        self.log().close()
    }
}
