//! What objects are called.

use std::fmt;

use object_store::path::Path;
use protocol::ids::{TopicPartition, Uuid, format_uuid};

const MANIFESTS: &str = "manifest";
const PART: &str = "part-";

/// The keys of one partition's objects, relative to the store's root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionKeys {
    folder: String,
}

/// Which manifest of a partition it is: the highest one counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ManifestVersion {
    /// Of the leader that wrote it.
    pub leader_epoch: i32,
    /// Counts on from leader to leader.
    pub sequence: i64,
}

impl ManifestVersion {
    /// The version of the manifest that a leader of `leader_epoch` writes after this one.
    pub fn next(self, leader_epoch: i32) -> Self {
        Self { leader_epoch, sequence: self.sequence.saturating_add(1) }
    }
}

impl fmt::Display for ManifestVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:010}-{:020}", self.leader_epoch, self.sequence)
    }
}

impl PartitionKeys {
    /// The keys of `partition` of the topic with that id, in the cluster with that id.
    pub fn new(cluster_id: &str, topic_id: Uuid, partition: &TopicPartition) -> Self {
        let topic = Self::topic(cluster_id, topic_id, &partition.topic);
        Self { folder: format!("{topic}/{}", partition.partition) }
    }

    /// What all keys of a topic begin with.
    pub fn topic(cluster_id: &str, topic_id: Uuid, topic: &str) -> Path {
        Path::from(format!("{cluster_id}/{topic}-{}", format_uuid(topic_id)))
    }

    /// What all keys of the partition begin with.
    pub fn folder(&self) -> Path {
        Path::from(self.folder.as_str())
    }

    /// The segment itself.
    pub fn log(&self, base_offset: i64, id: Uuid) -> Path {
        self.segment(base_offset, id, "log")
    }

    /// What goes with the segment, joined.
    pub fn indexes(&self, base_offset: i64, id: Uuid) -> Path {
        self.segment(base_offset, id, "indexes")
    }

    fn segment(&self, base_offset: i64, id: Uuid, suffix: &str) -> Path {
        Path::from(format!("{}/{base_offset:020}-{}.{suffix}", self.folder, format_uuid(id)))
    }

    /// A part of a manifest of many segments.
    pub fn part(&self, id: Uuid) -> Path {
        Path::from(format!("{}/{PART}{}", self.folder, format_uuid(id)))
    }

    /// What the keys of manifests begin with.
    pub fn manifests(&self) -> Path {
        Path::from(format!("{}/{MANIFESTS}", self.folder))
    }

    /// One manifest.
    pub fn manifest(&self, version: ManifestVersion) -> Path {
        Path::from(format!("{}/{MANIFESTS}/{version}", self.folder))
    }

    /// Whether a key is that of a segment's object, or of a part of a manifest.
    pub(super) fn is_of_segment(key: &Path) -> bool {
        let Some(name) = key.filename() else { return false };
        let has_offset = name
            .get(..21)
            .is_some_and(|start| start.ends_with('-') && start.bytes().take(20).all(|byte| byte.is_ascii_digit()));
        name.starts_with(PART) || has_offset && (name.ends_with(".log") || name.ends_with(".indexes"))
    }

    /// The version in a manifest's key; `None` for any other key.
    pub fn manifest_version(key: &Path) -> Option<ManifestVersion> {
        let name = key.filename()?;
        let (leader_epoch, sequence) = name.split_once('-')?;
        let is_number = |digits: &str, length| digits.len() == length && digits.bytes().all(|b| b.is_ascii_digit());
        if !is_number(leader_epoch, 10) || !is_number(sequence, 20) {
            return None;
        }
        Some(ManifestVersion { leader_epoch: leader_epoch.parse().ok()?, sequence: sequence.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_name_everything_that_tells_two_segments_apart() {
        let keys = PartitionKeys::new("Q2x1c3Rlcg", Uuid::from_u128(1), &TopicPartition::new("orders", 7));
        let folder = "Q2x1c3Rlcg/orders-AAAAAAAAAAAAAAAAAAAAAQ/7";
        let id = Uuid::from_u128(2);
        let expected = format!("{folder}/00000000000000000042-AAAAAAAAAAAAAAAAAAAAAg.log");
        assert_eq!(keys.log(42, id).as_ref(), expected);
        assert_eq!(keys.indexes(42, id).as_ref(), expected.replace(".log", ".indexes"));
        let version = ManifestVersion { leader_epoch: 3, sequence: 17 };
        assert_eq!(keys.manifest(version).as_ref(), format!("{folder}/manifest/0000000003-00000000000000000017"));
    }

    #[test]
    fn manifests_sort_by_leader_epoch_then_sequence() {
        let keys = PartitionKeys::new("c", Uuid::from_u128(1), &TopicPartition::new("t", 0));
        let versions = [(0, 1), (0, 2), (1, 2), (2, 0), (i32::MAX, i64::MAX)]
            .map(|(leader_epoch, sequence)| ManifestVersion { leader_epoch, sequence });
        let names = versions.map(|version| keys.manifest(version));
        assert!(versions.is_sorted() && names.is_sorted());
        assert_eq!(names.map(|name| PartitionKeys::manifest_version(&name)), versions.map(Some));
        for name in ["x/part-1", "x/1-2", "x/0000000003-0000000000000000001a", "x/9999999999-00000000000000000017"] {
            assert_eq!(PartitionKeys::manifest_version(&Path::from(name)), None, "{name}");
        }
    }

    #[test]
    fn a_later_leader_goes_on_from_the_sequence_it_found() {
        let found = ManifestVersion { leader_epoch: 3, sequence: 17 };
        assert_eq!(found.next(5), ManifestVersion { leader_epoch: 5, sequence: 18 });
    }
}
