//! What the group coordinator is told: the keys `group.*` and `offsets.*`. Source: `GroupCoordinatorConfig`.

use std::sync::Arc;
use std::time::Duration;

use protocol::record_batch::Codec;

use super::consumer_group::ConsumerGroupConfig;
use super::{ConfigError, Keys};

const MS_PER_MINUTE: i64 = 60_000;

/// The keys `group.*` and `offsets.*`, typed.
#[derive(Clone, Debug)]
pub struct GroupConfig {
    /// Shortest session timeout that a member may ask for, in ms.
    pub min_session_timeout_ms: i32,
    /// Longest session timeout that a member may ask for, in ms.
    pub max_session_timeout_ms: i32,
    /// How long a new group waits for more members before its first rebalance, in ms.
    pub initial_rebalance_delay_ms: i32,
    /// Most members of a group.
    pub max_size: usize,
    /// Longest metadata of a committed offset, in UTF-16 units as Java counts.
    pub offset_metadata_max_size: usize,
    /// How long an offset outlives its group's last member, or its commit where nobody joins, in ms.
    pub offsets_retention_ms: i64,
    /// How often expired offsets are looked for.
    pub retention_check_interval: Duration,
    /// Bytes that are read at once while a partition is loaded.
    pub load_buffer_bytes: usize,
    /// How long an answer waits for its records to be stored.
    pub commit_timeout: Duration,
    /// The topic `__consumer_offsets`, where it has to be created.
    pub topic: OffsetsTopicConfig,
    /// Groups of the consumer protocol.
    pub consumer: ConsumerGroupConfig,
}

/// How `__consumer_offsets` is created.
#[derive(Clone, Debug)]
pub struct OffsetsTopicConfig {
    pub partitions: i32,
    /// At most; as many as there are brokers if those are fewer.
    pub replication_factor: i16,
    pub segment_bytes: i32,
    /// The codec of the coordinator's own batches.
    pub codec: Codec,
}

impl GroupConfig {
    pub(super) fn read(keys: &Keys<'_>) -> Result<Self, ConfigError> {
        let codec = keys.int("offsets.topic.compression.codec");
        let config = Self {
            min_session_timeout_ms: keys.int("group.min.session.timeout.ms"),
            max_session_timeout_ms: keys.int("group.max.session.timeout.ms"),
            initial_rebalance_delay_ms: keys.int("group.initial.rebalance.delay.ms"),
            max_size: keys.int("group.max.size"),
            offset_metadata_max_size: keys.int("offset.metadata.max.bytes"),
            offsets_retention_ms: keys.number("offsets.retention.minutes").saturating_mul(MS_PER_MINUTE),
            retention_check_interval: keys.duration("offsets.retention.check.interval.ms").unwrap_or_default(),
            load_buffer_bytes: keys.int("offsets.load.buffer.size"),
            commit_timeout: keys.duration("offsets.commit.timeout.ms").unwrap_or_default(),
            topic: OffsetsTopicConfig {
                partitions: keys.int("offsets.topic.num.partitions"),
                replication_factor: keys.int("offsets.topic.replication.factor"),
                segment_bytes: keys.int("offsets.topic.segment.bytes"),
                codec: Codec::from_id(codec).ok_or_else(|| {
                    ConfigError::invalid("offsets.topic.compression.codec", codec, "Unknown compression type id")
                })?,
            },
            consumer: ConsumerGroupConfig::read(keys)?,
        };
        if config.min_session_timeout_ms > config.max_session_timeout_ms {
            let reason = "group.max.session.timeout.ms must be greater than or equal to group.min.session.timeout.ms";
            return Err(ConfigError::Conflict(reason.to_owned()));
        }
        Ok(config)
    }
}

impl OffsetsTopicConfig {
    /// The topic's own configuration (`GroupCoordinatorService.groupMetadataTopicConfigs`).
    pub fn topic_configs(&self) -> Vec<(Arc<str>, Option<Arc<str>>)> {
        let segment_bytes = self.segment_bytes.to_string();
        let configs = [
            ("cleanup.policy", "compact"),
            ("compression.type", "producer"),
            ("segment.bytes", segment_bytes.as_str()),
        ];
        configs.iter().map(|(key, value)| (Arc::from(*key), Some(Arc::from(*value)))).collect()
    }
}

#[cfg(test)]
impl GroupConfig {
    /// Kafka's defaults.
    pub(crate) fn for_tests() -> Self {
        super::BrokerConfig::new([]).expect("defaults are valid").0.groups
    }
}
