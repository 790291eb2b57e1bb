//! What objects are called.

use std::fmt;

use object_store::path::Path;
use protocol::ids::{TopicPartition, Uuid, format_uuid, parse_uuid};

use super::layout::{self, SEPARATE};
use super::{RemoteSegment, SegmentLayout};

/// Where separate files are. Source: `LocalTieredStorage`.
const SEPARATE_FOLDER: &str = "kafka-tiered-storage";
const MANIFESTS: &str = "manifest";
const PART: &str = "part-";
/// Of an id, as it is printed.
const ID_LENGTH: usize = 22;

/// The keys of one partition's objects, relative to the store's root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionKeys {
    folder: String,
    /// Of separate files.
    separate: String,
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
        let separate = format!("{SEPARATE_FOLDER}/{partition}-{}", format_uuid(topic_id));
        Self { folder: format!("{topic}/{}", partition.partition), separate }
    }

    /// What all keys of a topic begin with, but for separate files.
    pub fn topic(cluster_id: &str, topic_id: Uuid, topic: &str) -> Path {
        Path::from(format!("{cluster_id}/{topic}-{}", format_uuid(topic_id)))
    }

    /// What the keys of folders with separate files begin with, of all partitions.
    pub(super) fn all_separate() -> Path {
        Path::from(SEPARATE_FOLDER)
    }

    /// Whose separate files are in a folder of that name.
    pub(super) fn parse_separate(folder: &str) -> Option<(TopicPartition, Uuid)> {
        let (rest, id) = folder.split_at_checked(folder.len().checked_sub(ID_LENGTH)?)?;
        Some((TopicPartition::parse(rest.strip_suffix('-')?)?, parse_uuid(id)?))
    }

    /// What all keys of the partition begin with, but for separate files: those of manifests too.
    pub fn folder(&self) -> Path {
        Path::from(self.folder.as_str())
    }

    /// What all keys of the partition begin with, the folder with the manifests last.
    pub fn folders(&self) -> [Path; 2] {
        [Path::from(self.separate.as_str()), self.folder()]
    }

    /// The segment itself.
    pub fn log(&self, segment: &RemoteSegment) -> Path {
        self.of_segment(segment, "log")
    }

    /// What goes with the segment, in the order in which it is joined.
    pub fn indexes(&self, segment: &RemoteSegment) -> Vec<Path> {
        layout::indexes(segment).into_iter().map(|(suffix, _)| self.of_segment(segment, suffix)).collect()
    }

    /// Every object of the segment, the log first.
    pub fn objects(&self, segment: &RemoteSegment) -> Vec<Path> {
        std::iter::once(self.log(segment)).chain(self.indexes(segment)).collect()
    }

    /// As [`PartitionKeys::objects`], with their sizes in bytes.
    pub fn sizes(&self, segment: &RemoteSegment) -> Vec<(Path, u64)> {
        let indexes = layout::indexes(segment).into_iter().map(|(_, range)| range.len() as u64);
        self.objects(segment).into_iter().zip(std::iter::once(segment.size()).chain(indexes)).collect()
    }

    fn of_segment(&self, segment: &RemoteSegment, suffix: &str) -> Path {
        let folder = match segment.layout() {
            SegmentLayout::Joined => &self.folder,
            SegmentLayout::Separate => &self.separate,
        };
        Path::from(format!("{folder}/{:020}-{}.{suffix}", segment.base_offset, format_uuid(segment.id)))
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

    /// Whether a key is that of a segment's object, or of a part of a manifest. What Kafka has written is not ours.
    pub(super) fn is_of_segment(key: &Path) -> bool {
        let Some(name) = key.filename() else { return false };
        if name.starts_with(PART) {
            return true;
        }
        let Some((start, suffix)) = name.split_once('.') else { return false };
        let Some((base_offset, id)) = start.split_once('-') else { return false };
        let is_offset = base_offset.len() == 20 && base_offset.bytes().all(|byte| byte.is_ascii_digit());
        let is_separate = key.parts().next().is_some_and(|first| first.as_ref() == SEPARATE_FOLDER);
        let (layout, suffixes) = match is_separate {
            false => (SegmentLayout::Joined, &["indexes"][..]),
            true => (SegmentLayout::Separate, &SEPARATE[..]),
        };
        let is_known = suffix == "log" || suffixes.contains(&suffix);
        is_offset && is_known && parse_uuid(id).is_some_and(|id| layout.made(id))
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
        let segment = RemoteSegment { base_offset: 42, id: Uuid::from_u128(2), ..RemoteSegment::default() };
        let expected = format!("{folder}/00000000000000000042-AAAAAAAAAAAAAAAAAAAAAg.log");
        assert_eq!(keys.log(&segment).as_ref(), expected);
        let objects = [Path::from(expected.as_str()), Path::from(expected.replace(".log", ".indexes"))];
        assert_eq!(keys.objects(&segment), objects);
        assert!(objects.iter().all(PartitionKeys::is_of_segment));
        let version = ManifestVersion { leader_epoch: 3, sequence: 17 };
        assert_eq!(keys.manifest(version).as_ref(), format!("{folder}/manifest/0000000003-00000000000000000017"));
    }

    /// The names that `RemoteLogSegmentFileset` of Kafka 4.3.1 gives and takes apart.
    #[test]
    fn separate_files_are_called_as_kafkas_local_storage_calls_them() {
        let keys = PartitionKeys::new("Q2x1c3Rlcg", Uuid::from_u128(1), &TopicPartition::new("a-b", 7));
        let id = SegmentLayout::Separate.new_id();
        let segment =
            RemoteSegment { base_offset: 42, id, layout: SegmentLayout::Separate.number(), ..RemoteSegment::default() };
        let start =
            format!("kafka-tiered-storage/a-b-7-AAAAAAAAAAAAAAAAAAAAAQ/00000000000000000042-{}", format_uuid(id));
        let expected = ["log", "index", "timeindex", "snapshot", "leader_epoch_checkpoint"];
        assert_eq!(keys.objects(&segment), expected.map(|suffix| Path::from(format!("{start}.{suffix}"))));
        assert!(keys.objects(&segment).iter().all(PartitionKeys::is_of_segment));
        let of_kafka = RemoteSegment { id: Uuid::new_v4(), ..segment };
        assert!(!keys.objects(&of_kafka).iter().any(PartitionKeys::is_of_segment));
        let [separate, _] = keys.folders();
        let expected = Some((TopicPartition::new("a-b", 7), Uuid::from_u128(1)));
        assert_eq!(separate.filename().map(PartitionKeys::parse_separate), Some(expected));
        for name in ["", "a-7", "a-7-AAAAAAAAAAAAAAAAAAAAA", "a-AAAAAAAAAAAAAAAAAAAAAQ", "ä7AAAAAAAAAAAAAAAAAAAAAQ"] {
            assert_eq!(PartitionKeys::parse_separate(name), None, "{name}");
        }
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
