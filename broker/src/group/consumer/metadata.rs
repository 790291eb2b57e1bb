//! The topics that groups subscribe to, and their hash: when it changes, so must the assignment (KIP-1101).
//! Source: `CoordinatorMetadataImage`, `Utils.computeTopicHash`, `Utils.computeGroupHash`.

use protocol::ids::Uuid;
use raft::image::{Image, TopicImage};
use std::collections::BTreeSet;
use std::sync::Arc;
use twox_hash::XxHash3_64;

/// With which every topic's hash begins: how it is made.
const TOPIC_HASH_MAGIC: u8 = 0;

/// The cluster's topics at one time.
#[derive(Clone, Debug, Default)]
pub struct Topics {
    pub image: Arc<Image>,
    /// Offset of the last metadata in which a topic was created, changed or deleted.
    pub changed_at: i64,
    /// Offset of the last metadata in which a topic was created.
    pub created_at: i64,
}

impl Topics {
    fn by_name(&self, name: &str) -> Option<&Arc<TopicImage>> {
        self.image.topics().by_name(name)
    }

    pub(super) fn id(&self, name: &str) -> Option<Uuid> {
        self.by_name(name).map(|topic| topic.id())
    }

    pub(super) fn name(&self, id: Uuid) -> Option<&Arc<str>> {
        self.image.topics().by_id(id).map(|topic| topic.name())
    }

    pub(super) fn partition_count(&self, id: Uuid) -> i32 {
        let count = self.image.topics().by_id(id).map_or(0, |topic| topic.partition_count());
        i32::try_from(count).unwrap_or(i32::MAX)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.image.topics().iter().map(|topic| topic.name())
    }

    /// The hash of those topics that exist; 0 of none.
    pub(super) fn hash<'a>(&self, names: impl Iterator<Item = &'a Arc<str>>) -> i64 {
        let names: BTreeSet<&Arc<str>> = names.collect();
        let topics: Vec<_> = names.into_iter().filter_map(|name| self.by_name(name)).collect();
        if topics.is_empty() {
            return 0;
        }
        let hashes: Vec<u8> = topics.iter().flat_map(|topic| self.topic_hash(topic).to_le_bytes()).collect();
        XxHash3_64::oneshot(&hashes).cast_signed()
    }

    fn topic_hash(&self, topic: &TopicImage) -> u64 {
        let mut bytes = vec![TOPIC_HASH_MAGIC];
        let (most, least) = topic.id().as_u64_pair();
        bytes.extend(most.to_le_bytes());
        bytes.extend(least.to_le_bytes());
        put_text(&mut bytes, topic.name());
        bytes.extend(i32::try_from(topic.partition_count()).unwrap_or(i32::MAX).to_le_bytes());
        for (index, partition) in topic.partitions() {
            bytes.extend(index.to_le_bytes());
            let racks = partition.replicas().iter().filter_map(|replica| self.image.broker(*replica)?.rack.as_deref());
            let mut racks: Vec<&str> = racks.collect();
            racks.sort_unstable();
            for rack in racks {
                // The length in front keeps racks apart, whatever is in their names.
                bytes.extend(java_length(rack).to_le_bytes());
                put_text(&mut bytes, rack);
            }
        }
        XxHash3_64::oneshot(&bytes)
    }
}

/// `String.length`
fn java_length(text: &str) -> i32 {
    i32::try_from(text.encode_utf16().count()).unwrap_or(i32::MAX)
}

/// `HashStream64.putString`: the UTF-16 units, then how many they are.
fn put_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
    bytes.extend(java_length(text).to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_kafkas() {
        // Hashing.xxh3_64() of hash4j: the magic byte, an id, "topic", 2 partitions, the first in the rack "rack".
        let mut bytes = vec![TOPIC_HASH_MAGIC];
        bytes.extend(0x0102_0304_0506_0708_u64.to_le_bytes());
        bytes.extend(0x090a_0b0c_0d0e_0f10_u64.to_le_bytes());
        put_text(&mut bytes, "topic");
        bytes.extend(2_i32.to_le_bytes());
        bytes.extend(0_i32.to_le_bytes());
        bytes.extend(4_i32.to_le_bytes());
        put_text(&mut bytes, "rack");
        bytes.extend(1_i32.to_le_bytes());
        let topic = XxHash3_64::oneshot(&bytes);
        assert_eq!(topic.cast_signed(), -1_558_077_963_065_062_107);
        let group = [topic.to_le_bytes(), 42_u64.to_le_bytes()].concat();
        assert_eq!(XxHash3_64::oneshot(&group).cast_signed(), -7_860_748_655_256_893_863);
        assert_eq!(Topics::default().hash([Arc::from("absent")].iter()), 0);
    }
}
