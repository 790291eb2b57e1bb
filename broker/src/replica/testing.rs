//! Partitions on a file system, for the tests of this crate.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use protocol::ids::{TopicPartition, Uuid};
use protocol::record_batch::{BatchBuilder, Codec, ProduceRules, TimestampType};
use storage::file_system::FileSystem;
use storage::{Log, LogConfig, LogDir, LogDirOptions};

use super::{Durability, Flusher, Partition, Stall, TopicSettings, TopicTier};

pub(crate) const NOW: i64 = 1_700_000_000_000;
pub(crate) const LEADER_EPOCH: i32 = 3;

pub(crate) fn settings(durability: Durability) -> Arc<TopicSettings> {
    Arc::new(TopicSettings {
        log: LogConfig::default(),
        rules: ProduceRules {
            api_version: 0,
            max_message_bytes: 8 << 20,
            segment_bytes: 1 << 30,
            timestamp_type: TimestampType::CreateTime,
            before_max_ms: i64::MAX,
            after_max_ms: i64::MAX,
            compacted: false,
            codec: None,
        },
        durability,
        deletes: true,
        flush_messages: i64::MAX,
        flush_ms: i64::MAX,
        tier: TopicTier::default(),
    })
}

/// Partition `t-0` in a directory of its own, led by this broker.
pub(crate) fn partition(
    file_system: Arc<dyn FileSystem>,
    path: &Path,
    flusher: &Arc<Flusher>,
    durability: Durability,
) -> Arc<Partition> {
    let log_dir = LogDir::open(path, &LogDirOptions::new(file_system)).unwrap();
    let settings = settings(durability);
    let log = Log::open(&log_dir, TopicPartition::new("t", 0), Uuid::from_u128(7), settings.log.clone());
    let partition = Partition::new(log, &settings, true, Arc::downgrade(flusher), Arc::<Stall>::default());
    partition.set_role(true, LEADER_EPOCH);
    Arc::new(partition)
}

/// A batch as a producer sends it, one record for each value.
pub(crate) fn batch(values: &[&[u8]]) -> Bytes {
    let mut builder = BatchBuilder::new(0, Codec::None);
    for value in values {
        builder.append(NOW, None, Some(value), &[]);
    }
    builder.build()
}
