//! What a topic is, and where groups are in it, as bytes: so that a cluster can be rebuilt from its store alone.
//!
//! ```text
//! <topic>-<topic id>/topic/<version>                         the topic
//! __consumer_offsets-<topic id>/offsets/<n>/<version>        what groups have committed, from that partition of it
//! ```
//! Each is written like the manifest of a partition: under a key of its own, by the leader of the partition that it comes from, and
//! the highest version counts.

use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path;
use protocol::ids::Uuid;
use protocol::message;
use protocol::schema::EncodeError;

use super::description::Description;
use super::envelope::{Magic, ManifestError, open, seal};
use super::{ManifestVersion, PartitionKeys};

const TOPIC: Magic = *b"OTLT";
const OFFSETS: Magic = *b"OTLG";

message! {
    /// What a topic is, beside its records.
    pub struct TopicManifest, key 2, versions "0", flexible "0+" {
        /// Of the leader of partition 0, which wrote it.
        leader_epoch: i32, "0+";
        /// Counts on from leader to leader.
        sequence: i64, "0+";
        /// The topic's name.
        name: Arc<str>, "0+";
        /// Its id.
        id: Uuid, "0+";
        /// How many partitions it has.
        partitions: i32, "0+";
        /// The keys that it has of its own.
        configs: Vec<StoredConfig>, "0+";
    }

    /// A key of a topic.
    pub struct StoredConfig {
        /// The key.
        key: Arc<str>, "0+";
        /// Its value.
        value: Arc<str>, "0+";
    }

    /// What groups have committed: those of one partition of `__consumer_offsets`, in tiered topics only.
    pub struct GroupOffsets, key 3, versions "0", flexible "0+" {
        /// Of the leader that wrote it.
        leader_epoch: i32, "0+";
        /// Counts on from leader to leader.
        sequence: i64, "0+";
        /// By group, topic and partition.
        offsets: Vec<StoredOffset>, "0+";
    }

    /// The offset of a group in a partition.
    pub struct StoredOffset {
        /// The group.
        group: Arc<str>, "0+";
        /// The topic.
        topic_id: Uuid, "0+";
        /// The partition.
        partition: i32, "0+";
        /// Of the next record to read.
        offset: i64, "0+";
        /// Of the last record read; −1 if the client did not say.
        leader_epoch: i32, "0+", default -1;
        /// When it was committed; ms since the epoch.
        committed_ms: i64, "0+";
        /// What the client keeps beside it.
        metadata: Arc<str>, "0+";
    }
}

impl TopicManifest {
    /// Where those of a topic are.
    pub fn folder(cluster_id: &str, topic_id: Uuid, name: &str) -> Path {
        PartitionKeys::topic(cluster_id, topic_id, name).join("topic")
    }
}

impl GroupOffsets {
    /// The folder in that of the topic.
    pub const FOLDER: &str = "offsets";

    /// Where those are that come from a partition of the topic `name`.
    pub fn folder(cluster_id: &str, topic_id: Uuid, name: &str, partition: i32) -> Path {
        PartitionKeys::topic(cluster_id, topic_id, name).join(Self::FOLDER).join(partition.to_string())
    }
}

impl Description for TopicManifest {
    fn version(&self) -> ManifestVersion {
        ManifestVersion { leader_epoch: self.leader_epoch, sequence: self.sequence }
    }

    fn set_version(&mut self, version: ManifestVersion) {
        (self.leader_epoch, self.sequence) = (version.leader_epoch, version.sequence);
    }

    fn encode(&self) -> Result<Bytes, EncodeError> {
        seal(TOPIC, self)
    }

    fn decode(bytes: Bytes) -> Result<Self, ManifestError> {
        let topic: Self = open(TOPIC, bytes)?;
        let is_sound = topic.leader_epoch >= 0 && topic.sequence >= 0 && topic.partitions > 0 && !topic.name.is_empty();
        if is_sound { Ok(topic) } else { Err(ManifestError::Contradiction) }
    }
}

impl Description for GroupOffsets {
    fn version(&self) -> ManifestVersion {
        ManifestVersion { leader_epoch: self.leader_epoch, sequence: self.sequence }
    }

    fn set_version(&mut self, version: ManifestVersion) {
        (self.leader_epoch, self.sequence) = (version.leader_epoch, version.sequence);
    }

    fn encode(&self) -> Result<Bytes, EncodeError> {
        seal(OFFSETS, self)
    }

    fn decode(bytes: Bytes) -> Result<Self, ManifestError> {
        let groups: Self = open(OFFSETS, bytes)?;
        let is_sound = |offset: &StoredOffset| offset.partition >= 0 && offset.offset >= 0;
        let all_are = groups.leader_epoch >= 0 && groups.sequence >= 0 && groups.offsets.iter().all(is_sound);
        if all_are { Ok(groups) } else { Err(ManifestError::Contradiction) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn topic() -> TopicManifest {
        TopicManifest {
            leader_epoch: 3,
            sequence: 17,
            name: "orders".into(),
            id: Uuid::from_u128(7),
            partitions: 5,
            configs: vec![StoredConfig { key: "k".into(), value: "v".into() }],
        }
    }

    fn groups() -> GroupOffsets {
        let offset = StoredOffset {
            group: "g".into(),
            topic_id: Uuid::from_u128(7),
            partition: 4,
            offset: 1000,
            leader_epoch: 2,
            committed_ms: 1_700_000_000_000,
            metadata: "m".into(),
        };
        GroupOffsets { leader_epoch: 3, sequence: 17, offsets: vec![offset] }
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// What earlier versions have written must stay readable: these bytes never change.
    #[test]
    fn the_bytes_are_these() {
        let golden = "00000003000000000000001107\
                      6f726465727300000000000000000000000000000007000000050202\
                      6b02760000";
        let bytes = topic().encode().unwrap();
        assert_eq!((&bytes[..6], hex(&bytes[10..]).as_str()), (&b"OTLT\0\0"[..], golden));
        let golden = "0000000300000000000000110202\
                      670000000000000000000000000000000700000004\
                      00000000000003e800000002\
                      0000018bcfe56800026d0000";
        let bytes = groups().encode().unwrap();
        assert_eq!((&bytes[..6], hex(&bytes[10..]).as_str()), (&b"OTLG\0\0"[..], golden));
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(TopicManifest::decode(topic().encode().unwrap()), Ok(topic()));
        assert_eq!(GroupOffsets::decode(groups().encode().unwrap()), Ok(groups()));
        assert_eq!(GroupOffsets::decode(topic().encode().unwrap()), Err(ManifestError::Magic));
    }

    #[test]
    fn contradictions_are_refused() {
        let spoiled = TopicManifest { partitions: 0, ..topic() };
        assert_eq!(TopicManifest::decode(spoiled.encode().unwrap()), Err(ManifestError::Contradiction));
        let mut spoiled = groups();
        spoiled.offsets[0].offset = -1;
        assert_eq!(GroupOffsets::decode(spoiled.encode().unwrap()), Err(ManifestError::Contradiction));
    }

    #[test]
    fn folders_are_beside_those_of_partitions() {
        let folder = "c/t-AAAAAAAAAAAAAAAAAAAABw";
        assert_eq!(TopicManifest::folder("c", Uuid::from_u128(7), "t").as_ref(), format!("{folder}/topic"));
        assert_eq!(GroupOffsets::folder("c", Uuid::from_u128(7), "t", 9).as_ref(), format!("{folder}/offsets/9"));
    }

    proptest! {
        #[test]
        fn any_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), is_topic in any::<bool>()) {
            let mut sealed = if is_topic { b"OTLT\0\0".to_vec() } else { b"OTLG\0\0".to_vec() };
            sealed.extend(crc32c::crc32c(&bytes).to_be_bytes());
            sealed.extend(bytes);
            let _ = TopicManifest::decode(sealed.clone().into());
            let _ = GroupOffsets::decode(sealed.into());
        }
    }
}
