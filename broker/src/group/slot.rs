//! One partition of `__consumer_offsets` that this broker leads: its groups under one lock, and the log that they are kept in.

use bytes::Bytes;
use protocol::coordinator_record::CoordinatorRecord;
use protocol::record_batch::{BatchBuilder, Codec};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::GroupError;
use super::shard::Shard;
use crate::replica::{Partition, Watch};

/// Records of one event are split into batches of about this many bytes, well below the largest that a topic takes.
const BATCH_BYTES: usize = 512 << 10;
/// The version of Produce that knows every codec.
const PRODUCE_VERSION: i16 = 13;

/// How far a partition is.
#[derive(Debug)]
pub(super) enum Phase {
    Loading,
    Active(Shard),
    /// Its records cannot be read.
    Failed,
    /// Another broker leads it, or this one stops.
    Unloaded,
}

/// The groups of a partition, and up to where the log has made them.
#[derive(Debug)]
pub(super) struct State {
    pub phase: Phase,
    /// What is replayed lies below this offset (exclusive).
    pub end_offset: i64,
}

impl State {
    /// The groups.
    ///
    /// # Errors
    /// [`GroupError::Loading`]; [`GroupError::NotCoordinator`].
    pub(super) fn shard(&mut self) -> Result<&mut Shard, GroupError> {
        match &mut self.phase {
            Phase::Active(shard) => Ok(shard),
            Phase::Loading => Err(GroupError::Loading),
            Phase::Failed | Phase::Unloaded => Err(GroupError::NotCoordinator),
        }
    }
}

/// One partition.
#[derive(Debug)]
pub(super) struct Slot {
    pub index: i32,
    pub partition: Arc<Partition>,
    /// Under which this broker leads it.
    pub leader_epoch: i32,
    state: Mutex<State>,
}

impl Slot {
    /// A partition that has to be read yet.
    pub(super) fn new(index: i32, partition: Arc<Partition>, leader_epoch: i32) -> Self {
        let state = Mutex::new(State { phase: Phase::Loading, end_offset: 0 });
        Self { index, partition, leader_epoch, state }
    }

    /// The groups. Held for one event, and never while anything is awaited.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends records and returns the offset after them. They are committed when [`Slot::committed`] says so.
    ///
    /// # Errors
    /// Some may have been appended, and will be replayed by whoever loads the partition next.
    pub(super) fn append(&self, records: &[CoordinatorRecord], codec: Codec, now_ms: i64) -> Result<i64, GroupError> {
        let mut end_offset = 0;
        let mut builder = BatchBuilder::new(0, codec);
        for record in records {
            let (key, value) = record.encode()?;
            builder.append(now_ms, Some(&key), value.as_deref(), &[]);
            if builder.size() >= BATCH_BYTES {
                let full = std::mem::replace(&mut builder, BatchBuilder::new(0, codec));
                end_offset = self.append_batch(full.build(), now_ms)?;
            }
        }
        if builder.record_count() > 0 {
            end_offset = self.append_batch(builder.build(), now_ms)?;
        }
        Ok(end_offset)
    }

    fn append_batch(&self, batch: Bytes, now_ms: i64) -> Result<i64, GroupError> {
        if self.partition.leader_epoch() != self.leader_epoch {
            return Err(GroupError::NotCoordinator);
        }
        Ok(self.partition.append(batch, PRODUCE_VERSION, now_ms)?.last_offset + 1)
    }

    /// Waits until everything below `end_offset` is committed.
    ///
    /// # Errors
    /// [`GroupError::NotCoordinator`] if the leadership or the log directory is lost, [`GroupError::NotAvailable`] after
    /// `timeout`.
    ///
    /// # Cancel safety
    /// Safe.
    pub(super) async fn committed(&self, end_offset: i64, timeout: Duration) -> Result<(), GroupError> {
        if self.is_committed(end_offset) {
            return Ok(());
        }
        tokio::time::timeout(timeout, self.watch(end_offset)).await.unwrap_or(Err(GroupError::NotAvailable))
    }

    async fn watch(&self, end_offset: i64) -> Result<(), GroupError> {
        let mut watch = Watch::default();
        watch.add(&self.partition, end_offset, 0);
        loop {
            if self.is_committed(end_offset) {
                return Ok(());
            }
            let leads = self.partition.check_leader().is_ok() && self.partition.leader_epoch() == self.leader_epoch;
            if !leads || self.partition.log().log_dir().is_offline() {
                return Err(GroupError::NotCoordinator);
            }
            watch.ready().await;
            watch.renew(&self.partition, end_offset, 0);
        }
    }

    fn is_committed(&self, end_offset: i64) -> bool {
        self.partition.known_high_watermark() >= Some(end_offset)
    }
}
