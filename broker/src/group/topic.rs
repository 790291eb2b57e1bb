//! `__consumer_offsets`: which partition a group has, and how the topic comes into being.

use raft::controller::NewTopic;
use raft::image::Image;
use std::sync::Arc;

use crate::config::OffsetsTopicConfig;
use crate::internal_topic::replication_factor;

/// The topic with the groups (`Topic.GROUP_METADATA_TOPIC_NAME`).
pub const OFFSETS_TOPIC: &str = "__consumer_offsets";

/// The partition of a group, of so many.
pub fn partition_for(group: &str, partitions: i32) -> i32 {
    // `Utils.abs`
    let hash = java_hash(group).checked_abs().unwrap_or(0);
    hash % partitions.max(1)
}

/// `String.hashCode`, over UTF-16 units.
fn java_hash(text: &str) -> i32 {
    text.encode_utf16().fold(0, |hash: i32, unit| hash.wrapping_mul(31).wrapping_add(unit.into()))
}

/// The topic as it is to be created: with Kafka's settings, and a replica on each live broker where they are few.
pub fn new_topic(config: &OffsetsTopicConfig, image: &Image) -> NewTopic {
    NewTopic {
        partitions: config.partitions,
        replication_factor: replication_factor(config.replication_factor, image),
        configs: config.topic_configs(),
        ..NewTopic::new(Arc::from(OFFSETS_TOPIC))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_the_partition_that_java_computes() {
        // String.hashCode of Java 17: "my-group", and a text whose hash is Integer.MIN_VALUE.
        assert_eq!(java_hash("group"), 98_629_247);
        assert_eq!(java_hash("\u{1F600}"), 1_772_899);
        assert_eq!(java_hash("polygenelubricants"), i32::MIN);
        assert_eq!(partition_for("polygenelubricants", 50), 0);
        assert_eq!(partition_for("group", 50), 47);
        assert_eq!(partition_for("", 50), 0);
    }
}
