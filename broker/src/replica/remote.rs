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
        let has_some = |remote: &Arc<RemotePartition>| !remote.view().segments.is_empty() || remote.is_leaving();
        let has_objects = || self.tiered().remote().is_some_and(has_some);
        self.check_leader().is_ok() && (self.settings().tier.is_tiered || has_objects())
    }

    /// How long its records may be here only, in milliseconds; `None`: until their segment is full.
    pub(crate) fn max_unsaved_ms(&self) -> Option<i64> {
        self.settings().tier.config.max_unsaved_ms
    }

    /// Whether its topic is not tiered any more and everything remote is to go (`remote.log.delete.on.disable`).
    pub(crate) fn is_abandoned(&self) -> bool {
        let tier = self.settings().tier;
        !tier.is_tiered && tier.deletes_on_disable
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

    /// Where local segments may go up to (exclusive), at most `high_watermark`: of a tiered topic only what is remote, or before the
    /// start. From a compacted log, and where nothing is copied any more, they go for good: then the log as a whole begins behind them
    /// first (`UnifiedLog.deletableSegments`, `incrementStartOffset`).
    pub(super) fn deletable_up_to(&self, high_watermark: i64, now_ms: i64) -> Result<i64, PartitionError> {
        let settings = self.settings();
        if settings.tier.config.copies && !settings.rules.compacted && self.is_tiered() {
            Ok(high_watermark.min(self.copied_up_to(settings.log.retention_ms, now_ms)?))
        } else {
            self.give_up_remote(high_watermark, now_ms)
        }
    }

    /// A segment that is not written to any more and is too old is closed, so that it can be copied. What the cleaner was once over
    /// stays until it is not read any more: the remote part may be of an older cleaning, with values whose tombstones are gone here.
    fn copied_up_to(&self, age_ms: Option<i64>, now_ms: i64) -> Result<i64, PartitionError> {
        let log = self.log();
        if let Some(age_ms) = age_ms {
            log.roll_if_older(age_ms, now_ms)?;
        }
        let start = log.offsets()?.log_start_offset;
        let is_cleaned = log.cleaned_to()? > start;
        Ok(if is_cleaned { start } else { self.tiered().copied_to().max(start) })
    }

    /// Nobody reads the remote copies of what retention takes, before it does: they may be of an older cleaning than what stays here,
    /// and bring back what is deleted.
    fn give_up_remote(&self, high_watermark: i64, now_ms: i64) -> Result<i64, PartitionError> {
        let Some(remote) = self.tiered().remote() else { return Ok(high_watermark) };
        let log = self.log();
        let Some(start) = log.start_after_retention(high_watermark, now_ms)? else {
            return Ok(log.offsets()?.log_start_offset);
        };
        if start > remote.view().log_start_offset {
            remote.raise_log_start(start);
            remote.store(&log)?;
        }
        Ok(start)
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::net::{IpAddr, Ipv4Addr, SocketAddr};
    use std::path::Path;
    use std::sync::Weak;

    use bytes::{Bytes, BytesMut};
    use protocol::ids::{TopicPartition, Uuid};
    use protocol::record_batch::{BatchBuilder, Batches, Codec, Records};
    use storage::cleaner::{CleanerOptions, FullSpeed, clean};
    use storage::file_system::LosingFileSystem;
    use storage::remote_log::object_store::memory::InMemory;
    use storage::remote_log::{CacheLimits, Mover, RemoteReader, RemoteStore, Step, StoreLimits};
    use storage::{LogConfig, LogDir, LogDirOptions, Piece};

    use super::*;
    use crate::replica::testing::{LEADER_EPOCH, NOW, settings};
    use crate::replica::{Durability, FetchLimits, Stall, Tier, TopicSettings, TopicTier};

    const RETENTION_MS: i64 = 50_000;
    const CONSUMER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1);

    /// A topic of which old segments may go, locally or as a whole.
    fn topic(compact: bool, local_retention_ms: Option<i64>) -> Arc<TopicSettings> {
        let mut topic = TopicSettings::clone(&settings(Durability::Replicated));
        topic.log = LogConfig {
            segment_bytes: 1000,
            compact,
            min_cleanable_dirty_ratio: 0.0,
            delete_retention_ms: 10,
            retention_ms: local_retention_ms,
            ..LogConfig::default()
        };
        topic.rules.compacted = compact;
        topic.tier = TopicTier { is_tiered: true, ..TopicTier::default() };
        Arc::new(topic)
    }

    struct Fixture {
        partition: Arc<Partition>,
        mover: Mover,
    }

    impl Fixture {
        fn new() -> Self {
            let none = CacheLimits { bytes: 0, count: 0 };
            let store = RemoteStore::new("memory".to_owned(), Arc::new(InMemory::new()), StoreLimits::default());
            let store = Arc::new(store);
            let reader = RemoteReader::new(Arc::clone(&store), 512, none, none);
            let tier = Arc::new(Tier::new("cluster".into(), 1, store, reader, None));
            let options = LogDirOptions::new(Arc::new(LosingFileSystem::default()));
            let log_dir = LogDir::open(Path::new("/data"), &options).unwrap();
            let topic = topic(true, None);
            let log = Log::open(&log_dir, TopicPartition::new("t", 0), Uuid::from_u128(7), topic.log.clone());
            let partition = Partition::new(log, &topic, true, Weak::new(), Arc::<Stall>::default());
            let partition = partition.with_tier(Some(Arc::clone(&tier)));
            partition.set_role(true, LEADER_EPOCH);
            partition.load().unwrap();
            let mover = tier.mover(partition.tiered().remote().unwrap());
            Self { partition: Arc::new(partition), mover }
        }

        fn append(&self, key: &str, value: Option<&str>, timestamp: i64) {
            let mut batch = BatchBuilder::new(0, Codec::None);
            batch.append(timestamp, Some(key.as_bytes()), value.map(str::as_bytes), &[]);
            self.partition.append(batch.build(), 9, NOW).unwrap();
        }

        /// Other keys, more than a segment of them.
        fn fill(&self, name: &str, timestamp: i64) {
            (0..12).for_each(|n| self.append(&format!("{name}{n}"), Some(&"x".repeat(60)), timestamp));
        }

        fn clean(&self, now_ms: i64) {
            let log = self.partition.log().clone();
            let cleanable = log.cleanable(self.partition.last_stable_offset().unwrap(), now_ms).unwrap().unwrap();
            let remote_start_offset = self.partition.tiered().start_offset();
            let options = CleanerOptions { remote_start_offset, ..CleanerOptions::default() };
            clean(&log, &cleanable, &options, now_ms, &FullSpeed).unwrap();
        }

        async fn move_all(&mut self) {
            let log = self.partition.log().clone();
            log.flush().unwrap();
            let input = self.partition.step_input(i64::MAX, NOW).unwrap();
            while !matches!(self.mover.step(&log, &input).await.unwrap(), Step::Nothing(_)) {}
        }

        /// What a consumer knows of each key that has read everything.
        async fn values(&self) -> BTreeMap<Bytes, Option<Bytes>> {
            let (mut values, mut offset) = (BTreeMap::new(), self.partition.log_start_offset().unwrap());
            let end = self.partition.high_watermark().unwrap();
            while offset < end {
                let (max_bytes, current_leader_epoch) = (1, -1);
                let limits =
                    FetchLimits { offset, max_bytes, at_least_one: true, current_leader_epoch, read_committed: false };
                let read = self.partition.read(limits).unwrap();
                let pieces = match &read.remote {
                    Some(remote) => remote.pieces(CONSUMER).await.unwrap(),
                    None => vec![Piece::Region(read.region)],
                };
                let bytes = joined(&pieces);
                let Some(found) = Batches::new(&bytes).next() else { break };
                let (header, _) = found.unwrap();
                let records = Records::open(&bytes.slice(..header.size()), 1 << 20).unwrap().map(Result::unwrap);
                values.extend(records.map(|record| (record.key.unwrap(), record.value)));
                offset = header.next_offset();
            }
            values
        }

        fn local_start(&self) -> i64 {
            self.partition.offsets().unwrap().log_start_offset
        }

        /// A key whose value is remote, and gone from the local log; then its tombstone is gone from there too, by cleanings that the
        /// mover has not followed.
        async fn with_a_key_deleted() -> Self {
            let mut fixture = Self::new();
            let old = NOW - 2 * RETENTION_MS;
            fixture.append("key", Some("value"), old);
            fixture.fill("old", old);
            fixture.fill("a", NOW);
            fixture.clean(NOW);
            fixture.move_all().await;
            assert_eq!(fixture.partition.tiered().view().unwrap().start_offset(), Some(0));
            fixture.append("key", None, NOW);
            fixture.fill("b", NOW);
            fixture.clean(NOW + 1);
            assert_eq!(fixture.values().await.get(&b"key"[..]), Some(&None), "the tombstone outlives the value");
            fixture.fill("c", NOW);
            fixture.clean(NOW + 100);
            assert_eq!(fixture.values().await.get(&b"key"[..]), None, "it is not there any more");
            fixture
        }
    }

    fn joined(pieces: &[Piece]) -> Bytes {
        let mut joined = BytesMut::new();
        for piece in pieces {
            match piece {
                Piece::Bytes(bytes) => joined.extend_from_slice(bytes),
                Piece::Region(region) => joined.extend_from_slice(&region.read().unwrap()),
            }
        }
        joined.freeze()
    }

    /// The remote copy of what retention takes has the value still.
    #[tokio::test]
    async fn retention_of_a_compacted_log_brings_no_deleted_key_back() {
        let mut fixture = Fixture::with_a_key_deleted().await;
        fixture.partition.set_settings(&topic(true, Some(RETENTION_MS)));
        assert!(fixture.partition.delete_old_segments(NOW).unwrap() > 0);
        let start = fixture.local_start();
        assert!(start > 0);
        assert_eq!(fixture.values().await.get(&b"key"[..]), None);
        // A crash right then changes nothing.
        let again = RemotePartition::load(
            fixture.partition.tiered().remote().unwrap().keys().clone(),
            &fixture.partition.log(),
        );
        assert_eq!(again.unwrap().view().log_start_offset, start);
        fixture.move_all().await;
        let values = fixture.values().await;
        assert_eq!((fixture.partition.log_start_offset().unwrap(), values.get(&b"key"[..])), (start, None));
        assert!(values.contains_key(&b"c0"[..]));
    }

    /// The local log of a topic that is not compacted any more does not get shorter than what is read of it, until that is given up.
    #[tokio::test]
    async fn the_end_of_compaction_brings_no_deleted_key_back() {
        let mut fixture = Fixture::with_a_key_deleted().await;
        fixture.partition.set_settings(&topic(false, Some(RETENTION_MS)));
        for _ in 0..2 {
            assert_eq!(fixture.partition.delete_old_segments(NOW).unwrap(), 0);
            assert_eq!(fixture.values().await.get(&b"key"[..]), None);
            fixture.move_all().await;
        }
        let remote = fixture.partition.tiered().view().unwrap();
        let closed = fixture.partition.log().rolled_segments().unwrap();
        assert_eq!(remote.end_offset(), closed.last().map(|last| last.end_offset), "it is copied as it is now");
        fixture.partition.delete_records(closed[0].end_offset).unwrap();
        assert_eq!(fixture.partition.delete_old_segments(NOW).unwrap(), 1);
        assert_eq!(fixture.values().await.get(&b"key"[..]), None);
    }
}
