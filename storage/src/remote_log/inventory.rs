//! What a store holds, found by looking there: for tools that have nothing but the store.

use std::collections::{BTreeMap, HashSet};

use object_store::ObjectMeta;
use object_store::path::Path;
use protocol::ids::{TopicPartition, Uuid, parse_uuid};

use super::mover::newest;
use super::remote_partition::Newest;
use super::sweep::orphans;
use super::{ManifestVersion, PartitionKeys, RemoteError, RemoteStore, RemoteView};

/// A topic's id in the name of its folder, behind the dash.
const ID_LENGTH: usize = 22;

/// Everything in one cluster's folder, as one listing found it.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    /// By name, then by id.
    pub topics: Vec<StoredTopic>,
}

/// The objects of one topic.
#[derive(Clone, Debug)]
pub struct StoredTopic {
    pub name: String,
    pub id: Uuid,
    /// By index; without those that have no object.
    pub partitions: Vec<StoredPartition>,
    /// Objects that are no partition's.
    pub others: Vec<ObjectMeta>,
}

/// The objects of one partition.
#[derive(Clone, Debug)]
pub struct StoredPartition {
    pub name: TopicPartition,
    pub keys: PartitionKeys,
    pub objects: Vec<ObjectMeta>,
}

/// What the newest manifest of a partition names.
#[derive(Clone, Debug)]
pub struct Contents {
    /// The segments, and where the log begins.
    pub view: RemoteView,
    newest: Newest,
}

/// The ids of all clusters that have a folder in the store.
///
/// # Errors
/// The store's.
pub async fn clusters(store: &RemoteStore) -> Result<Vec<String>, RemoteError> {
    let mut names = store.folders(&Path::default()).await?;
    names.retain(|name| *name != PartitionKeys::all_separate().as_ref());
    names.sort_unstable();
    Ok(names)
}

/// The ids of all topics that have a folder in that of the cluster.
///
/// # Errors
/// The store's.
pub async fn stored_topics(store: &RemoteStore, cluster_id: &str) -> Result<Vec<Uuid>, RemoteError> {
    let folders = store.folders(&Path::from(cluster_id)).await?;
    Ok(folders.iter().filter_map(|folder| topic_of(folder)).map(|(_, id)| id).collect())
}

impl Inventory {
    /// Lists everything of the cluster with that id.
    ///
    /// # Errors
    /// The store's.
    pub async fn of_cluster(store: &RemoteStore, cluster_id: &str) -> Result<Self, RemoteError> {
        let mut inventory = Self::sort(cluster_id, store.list(&Path::from(cluster_id)).await?);
        inventory.add_separate(cluster_id, store.list(&PartitionKeys::all_separate()).await?);
        Ok(inventory)
    }

    /// Separate files are in one folder for all clusters: what belongs to no topic of this one may be another's.
    fn add_separate(&mut self, cluster_id: &str, objects: Vec<ObjectMeta>) {
        for object in objects {
            let folder = object.location.parts().nth(1);
            let Some((name, id)) = folder.and_then(|folder| PartitionKeys::parse_separate(folder.as_ref())) else {
                continue;
            };
            if let Some(topic) = self.topics.iter_mut().find(|topic| (topic.id, &*topic.name) == (id, &*name.topic)) {
                topic.partition(cluster_id, name.partition).objects.push(object);
            }
        }
        self.topics.iter_mut().for_each(|topic| topic.partitions.sort_by_key(|partition| partition.name.partition));
    }

    fn sort(cluster_id: &str, objects: Vec<ObjectMeta>) -> Self {
        let mut topics: BTreeMap<(String, Uuid), StoredTopic> = BTreeMap::new();
        for object in objects {
            let mut parts = object.location.parts().skip(1);
            let Some((name, id)) = parts.next().and_then(|folder| topic_of(folder.as_ref())) else { continue };
            let index = parts.next().and_then(|part| part.as_ref().parse::<i32>().ok()).filter(|index| *index >= 0);
            let topic = topics.entry((name.clone(), id)).or_insert_with(|| StoredTopic::new(name, id));
            match index {
                Some(index) => topic.partition(cluster_id, index).objects.push(object),
                None => topic.others.push(object),
            }
        }
        Self { topics: topics.into_values().collect() }
    }
}

/// Name and id in the name of a topic's folder.
fn topic_of(folder: &str) -> Option<(String, Uuid)> {
    let (rest, id) = folder.split_at_checked(folder.len().checked_sub(ID_LENGTH)?)?;
    Some((rest.strip_suffix('-')?.to_owned(), parse_uuid(id)?))
}

impl StoredTopic {
    fn new(name: String, id: Uuid) -> Self {
        Self { name, id, partitions: Vec::new(), others: Vec::new() }
    }

    fn partition(&mut self, cluster_id: &str, index: i32) -> &mut StoredPartition {
        let place = self.partitions.iter().position(|partition| partition.name.partition == index);
        let place = place.unwrap_or_else(|| {
            let name = TopicPartition::new(self.name.as_str(), index);
            let keys = PartitionKeys::new(cluster_id, self.id, &name);
            self.partitions.push(StoredPartition { name, keys, objects: Vec::new() });
            self.partitions.len() - 1
        });
        &mut self.partitions[place]
    }

    /// Every object of the topic.
    pub fn objects(&self) -> impl Iterator<Item = &ObjectMeta> {
        self.others.iter().chain(self.partitions.iter().flat_map(|partition| &partition.objects))
    }
}

impl StoredPartition {
    /// Reads the newest manifest; nothing is remote where there is none.
    ///
    /// # Errors
    /// The store's; a manifest that is damaged and not the newest of several.
    pub async fn contents(&self, store: &RemoteStore) -> Result<Contents, RemoteError> {
        let newest = newest(store, &self.keys).await?;
        let log_start_offset = newest.manifest.log_start_offset;
        let view = RemoteView { log_start_offset, segments: newest.segments.clone() };
        Ok(Contents { view, newest })
    }

    /// Objects that `contents`, read after these were listed, does not name and that were written before `young_ms` (ms since
    /// the epoch). None where the newest manifest is not whole: what it was to name is not known.
    pub fn unnamed(&self, contents: &Contents, young_ms: i64) -> Vec<&ObjectMeta> {
        let newest = &contents.newest;
        let Some(version) = contents.version().or_else(|| newest.versions.is_empty().then(ManifestVersion::default))
        else {
            return Vec::new();
        };
        let segments = newest.segments.iter().map(|segment| &**segment);
        let found = orphans(&self.keys, &self.objects, segments, &newest.manifest.parts, version, young_ms);
        let old: HashSet<Path> = found.old.into_iter().collect();
        self.objects.iter().filter(|object| old.contains(&object.location)).collect()
    }
}

impl Contents {
    /// Which manifest it is; `None` if there is none, or if the newest is not whole and an earlier one was read.
    pub fn version(&self) -> Option<ManifestVersion> {
        let version = self.newest.manifest.version();
        (self.newest.versions.last() == Some(&version)).then_some(version)
    }

    /// The newest manifest that is there, whole or not.
    pub fn newest_version(&self) -> Option<ManifestVersion> {
        self.newest.versions.last().copied()
    }

    /// Whether the newest manifest is not whole.
    pub fn is_fallback(&self) -> bool {
        !self.newest.versions.is_empty() && self.version().is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(location: &str) -> ObjectMeta {
        let last_modified = std::time::SystemTime::UNIX_EPOCH.into();
        ObjectMeta { location: Path::from(location), last_modified, size: 1, e_tag: None, version: None }
    }

    #[test]
    fn objects_are_sorted_by_topic_and_partition() {
        let folder = "c/or-ders-AAAAAAAAAAAAAAAAAAAAAQ";
        let objects = [
            format!("{folder}/10/manifest/0000000003-00000000000000000017"),
            format!("{folder}/2/00000000000000000042-AAAAAAAAAAAAAAAAAAAAAg.log"),
            format!("{folder}/topic/0000000003-00000000000000000017"),
            "c/probe/AAAAAAAAAAAAAAAAAAAAAg/serial".to_owned(),
            "c/short".to_owned(),
        ];
        let mut found = Inventory::sort("c", objects.iter().map(|location| object(location)).collect());
        let file = "00000000000000000042-AAAAAAAAAAAAAAAAAAAAAg.log";
        let separate = [("or-ders", 2, 'Q'), ("or-ders", 2, 'w'), ("others", 2, 'Q')].map(|(topic, index, last)| {
            object(&format!("kafka-tiered-storage/{topic}-{index}-AAAAAAAAAAAAAAAAAAAAA{last}/{file}"))
        });
        found.add_separate("c", separate.into());
        let [topic] = &found.topics[..] else { panic!("{found:?}") };
        assert_eq!((topic.name.as_str(), topic.id), ("or-ders", Uuid::from_u128(1)));
        let indexes: Vec<i32> = topic.partitions.iter().map(|partition| partition.name.partition).collect();
        assert_eq!((indexes, topic.others.len(), topic.objects().count()), (vec![2, 10], 1, 4));
        assert_eq!(topic.partitions[0].keys.folder().as_ref(), format!("{folder}/2"));
    }
}
