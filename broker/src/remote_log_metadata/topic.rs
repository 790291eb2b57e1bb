//! `__remote_log_metadata`: which of its partitions tells of a partition, and how the topic comes into being.

use std::sync::Arc;

use protocol::ids::Uuid;
use raft::controller::NewTopic;
use raft::image::Image;

use crate::config::RemoteLogMetadataConfig;
use crate::internal_topic::replication_factor;

/// `TopicBasedRemoteLogMetadataManagerConfig.REMOTE_LOG_METADATA_TOPIC_NAME`.
pub(crate) const REMOTE_LOG_METADATA_TOPIC: &str = "__remote_log_metadata";

/// Where it is told of a partition, of so many (`RemoteLogMetadataTopicPartitioner`).
pub(super) fn partition_for(topic_id: Uuid, partition: i32, partitions: i32) -> i32 {
    let (most, least) = topic_id.as_u64_pair();
    // `Objects.hash` of two longs and an int.
    let of_long = |bits: u64| (bits ^ (bits >> 32)) as u32;
    let hash = [of_long(least), of_long(most), partition.cast_unsigned()]
        .into_iter()
        .fold(1_u32, |hash, item| hash.wrapping_mul(31).wrapping_add(item));
    let positive = murmur2(hash.to_be_bytes()) & 0x7fff_ffff;
    (positive % partitions.max(1).cast_unsigned()).cast_signed()
}

/// `Utils.murmur2` of four bytes.
fn murmur2(bytes: [u8; 4]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    let k = u32::from_le_bytes(bytes).wrapping_mul(M);
    let k = (k ^ (k >> 24)).wrapping_mul(M);
    let hash = (SEED ^ 4).wrapping_mul(M) ^ k;
    let hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    hash ^ (hash >> 15)
}

/// The topic as it is to be created, with a replica on each live broker where they are few.
pub(super) fn new_topic(config: &RemoteLogMetadataConfig, image: &Image) -> NewTopic {
    let replication_factor = replication_factor(config.replication_factor, image);
    NewTopic {
        partitions: config.partitions,
        replication_factor,
        configs: config.topic_configs(replication_factor),
        ..NewTopic::new(Arc::from(REMOTE_LOG_METADATA_TOPIC))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::ids::parse_uuid;

    /// What Kafka's own class says.
    const GOLDEN: &str = include_str!("../../../protocol/tests/golden/remote_log.txt");

    #[test]
    fn a_partition_is_told_of_where_kafka_tells_of_it() {
        let mut count = 0;
        for line in GOLDEN.lines().filter_map(|line| line.strip_prefix("partition ")) {
            let [topic_id, partition, of_50, of_7] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
            let (topic_id, partition) = (parse_uuid(topic_id).unwrap(), partition.parse().unwrap());
            let found = [50, 7].map(|partitions| partition_for(topic_id, partition, partitions).to_string());
            assert_eq!(found, [of_50, of_7], "{line}");
            count += 1;
        }
        assert_eq!(count, 12);
    }
}
