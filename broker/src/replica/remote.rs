//! What a partition does for its part in the cold tier. Source: `UnifiedLog`, `RemoteLogManager`.

use std::sync::Arc;

use storage::Log;
use storage::leader_epoch::LeaderEpochs;
use storage::remote_log::{RemotePartition, StepInput, TierConfig};

use super::{Partition, PartitionError};

/// Closed segments that are not remote yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CopyLag {
    pub segments: u64,
    pub bytes: u64,
    /// Of the youngest record in the oldest of them, ms since the epoch; `None` if there are none.
    pub oldest_ms: Option<i64>,
}

impl Partition {
    /// What waits to be copied; nothing is known of a log that nobody has used since the start.
    pub fn copy_lag(&self) -> CopyLag {
        let copied_to = self.tiered().copied_to();
        let rolled = if self.is_loaded() { self.log().rolled_segments().unwrap_or_default() } else { Vec::new() };
        let mut lag = CopyLag::default();
        for waiting in rolled.iter().filter(|segment| segment.end_offset > copied_to) {
            lag.segments += 1;
            lag.bytes += waiting.size_bytes;
            lag.oldest_ms = lag.oldest_ms.or(Some(waiting.max_timestamp));
        }
        lag
    }

    /// Brings what is known of the remote part into memory.
    ///
    /// # Errors
    /// As [`Partition::load`].
    pub(crate) fn load_remote(&self) -> Result<(), PartitionError> {
        Ok(self.tiered().load(&self.log(), self.settings().tier.is_tiered)?)
    }

    /// Whether its topic is in the cold tier and this broker has one (`UnifiedLog.remoteLogEnabled`).
    pub fn is_tiered(&self) -> bool {
        self.settings().tier.is_tiered && self.tiered().tier().is_some()
    }

    /// Whether the mover has to look at it: it leads, and its topic is tiered or was and has objects left.
    pub(crate) fn moves_segments(&self) -> bool {
        let has_objects = || self.tiered().remote().is_some_and(|remote| !remote.view().segments.is_empty());
        self.check_leader().is_ok() && (self.settings().tier.is_tiered || has_objects())
    }

    /// How long its records may be here only, in milliseconds; `None`: until their segment is full.
    pub(crate) fn max_unsaved_ms(&self) -> Option<i64> {
        self.settings().tier.config.max_unsaved_ms
    }

    /// The remote part, if its topic is not tiered any more and everything there is to go
    /// (`remote.log.delete.on.disable`).
    pub(crate) fn abandoned(&self) -> Option<&Arc<RemotePartition>> {
        let tier = self.settings().tier;
        self.tiered().remote().filter(|_| !tier.is_tiered && tier.deletes_on_disable)
    }

    /// What the mover must know.
    ///
    /// # Errors
    /// As [`Partition::load`]; not the leader.
    pub(crate) fn step_input(&self, orphan_grace_ms: i64, now_ms: i64) -> Result<StepInput, PartitionError> {
        self.check_leader()?;
        let tier = self.settings().tier;
        let stable_end_offset = self.last_stable_offset()?;
        let config = TierConfig { copies: tier.config.copies && tier.is_tiered, ..tier.config };
        Ok(StepInput { config, leader_epoch: self.leader_epoch(), stable_end_offset, orphan_grace_ms, now_ms })
    }

    /// Notes what is remote in the log's folder, if that is not the folder of `log` any more, where it was noted: a move may have
    /// taken an older note with it.
    ///
    /// # Errors
    /// A failing disk.
    pub(crate) fn note_remote(&self, log: &Arc<Log>) -> Result<(), PartitionError> {
        let current = self.log();
        match self.tiered().remote() {
            Some(remote) if !Arc::ptr_eq(&current, log) => Ok(remote.store(&current)?),
            _ => Ok(()),
        }
    }

    /// Lets the local log begin no earlier than the log as a whole: what has expired is not read from here either.
    ///
    /// # Errors
    /// As [`Partition::load`].
    pub(crate) fn follow_log_start(&self) -> Result<(), PartitionError> {
        let Some(remote) = self.tiered().remote() else { return Ok(()) };
        let log = self.log();
        let (offsets, start) = (log.offsets()?, remote.view().log_start_offset);
        if start > offsets.log_start_offset && start <= offsets.log_end_offset {
            log.increment_log_start_offset(start)?;
        }
        Ok(())
    }

    /// Where local segments may go up to: of a tiered topic only what is remote, or before the start. A segment that is not
    /// written to any more and is too old is closed, so that it can be copied (`UnifiedLog.deletableSegments`). What leaves a
    /// compacted log leaves both parts, copied or not.
    pub(super) fn deletable_up_to(&self, high_watermark: i64, now_ms: i64) -> Result<i64, PartitionError> {
        let settings = self.settings();
        if !settings.tier.config.copies || settings.rules.compacted || !self.is_tiered() {
            return Ok(high_watermark);
        }
        let log = self.log();
        if let Some(age_ms) = settings.log.retention_ms {
            log.roll_if_older(age_ms, now_ms)?;
        }
        Ok(high_watermark.min(self.tiered().copied_to().max(log.offsets()?.log_start_offset)))
    }

    /// First readable offset, local or remote (inclusive).
    ///
    /// # Errors
    /// As [`Partition::load`].
    pub fn log_start_offset(&self) -> Result<i64, PartitionError> {
        Ok(self.tiered().log_start_offset(self.offsets()?.log_start_offset))
    }

    /// The leader epochs of both parts.
    ///
    /// # Errors
    /// As [`Partition::load`].
    pub fn leader_epochs(&self) -> Result<LeaderEpochs, PartitionError> {
        self.high_watermark()?;
        Ok(self.tiered().epochs_with(self.log().leader_epochs()?))
    }
}
