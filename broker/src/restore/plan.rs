//! What a store has of a cluster, as it can come back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use protocol::ids::{Uuid, format_uuid, parse_uuid};
use storage::remote_log::{
    Contents, GroupOffsets, Inventory, ManifestVersion, RemoteStore, StoredOffset, StoredTopic, TopicManifest,
    newest_description,
};

use super::RestoreError;
use crate::group::OFFSETS_TOPIC;

/// Everything that is to come back.
#[derive(Clone, Debug)]
pub struct Plan {
    pub cluster_id: String,
    /// By name.
    pub topics: Vec<TopicPlan>,
    /// In those topics.
    pub offsets: Vec<RestoredOffset>,
    /// The topic that the offsets were in, if the store has those of one only.
    pub(super) offsets_topic: Option<Uuid>,
    /// Above those of all leaders that wrote offsets.
    pub(super) offsets_leader_epoch: i32,
}

/// A topic.
#[derive(Clone, Debug)]
pub struct TopicPlan {
    pub name: Arc<str>,
    pub id: Uuid,
    /// False: the store has its segments only. It gets the configuration of a tiered topic, and as many partitions as have any.
    pub is_described: bool,
    pub configs: Vec<(Arc<str>, Arc<str>)>,
    /// All of them, by index.
    pub partitions: Vec<PartitionPlan>,
}

/// A partition.
#[derive(Clone, Debug, Default)]
pub struct PartitionPlan {
    /// What is remote; `None`: nothing ever was.
    pub contents: Option<Contents>,
    /// The least that its leader has from now on.
    pub leader_epoch: i32,
}

/// A committed offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoredOffset {
    pub group: Arc<str>,
    pub topic: Arc<str>,
    pub topic_id: Uuid,
    pub partition: i32,
    /// Of the next record to read.
    pub offset: i64,
    /// Of the last record read; −1 if it is not known.
    pub leader_epoch: i32,
    pub metadata: Arc<str>,
    /// How many records the group has read that do not come back.
    pub beyond: i64,
}

impl PartitionPlan {
    /// First readable offset and the offset of the next record.
    pub fn range(&self) -> (i64, i64) {
        let Some(contents) = &self.contents else { return (0, 0) };
        let end = contents.view.next_offset();
        (contents.view.start_offset().unwrap_or(end), end)
    }

    /// Bytes of the segments that can be read.
    pub fn bytes(&self) -> u64 {
        self.contents.as_ref().map_or(0, |contents| contents.view.size_bytes())
    }
}

impl Plan {
    /// Reads what the store has of the topics in `wanted`, by name or id, or of all if there are none in it.
    ///
    /// # Errors
    /// The store's; a topic that it does not have, or has several of.
    pub async fn read(store: &RemoteStore, cluster_id: &str, wanted: &[String]) -> Result<Self, RestoreError> {
        let inventory = Inventory::of_cluster(store, cluster_id).await?;
        let (groups, stored): (Vec<_>, Vec<_>) =
            inventory.topics.into_iter().partition(|topic| topic.name == OFFSETS_TOPIC);
        let stored = choose(stored, cluster_id, wanted)?;
        let mut topics = Vec::new();
        for topic in stored {
            topics.extend(TopicPlan::read(store, cluster_id, topic).await?);
        }
        check_names(&topics)?;
        let mut plan = Self {
            cluster_id: cluster_id.to_owned(),
            topics,
            offsets: Vec::new(),
            offsets_topic: None,
            offsets_leader_epoch: 0,
        };
        plan.read_offsets(store, &groups).await?;
        Ok(plan)
    }

    async fn read_offsets(&mut self, store: &RemoteStore, groups: &[StoredTopic]) -> Result<(), RestoreError> {
        if let [only] = groups {
            self.offsets_topic = Some(only.id);
        }
        let mut newest: BTreeMap<(Arc<str>, Uuid, i32), StoredOffset> = BTreeMap::new();
        for topic in groups {
            for partition in partitions_of(topic) {
                let folder = GroupOffsets::folder(&self.cluster_id, topic.id, OFFSETS_TOPIC, partition);
                let Some(found) = newest_description::<GroupOffsets>(store, &folder).await? else { continue };
                self.offsets_leader_epoch = self.offsets_leader_epoch.max(after(found.leader_epoch));
                for offset in found.offsets {
                    let key = (Arc::clone(&offset.group), offset.topic_id, offset.partition);
                    let is_newer = newest.get(&key).is_none_or(|known| known.committed_ms < offset.committed_ms);
                    if is_newer {
                        newest.insert(key, offset);
                    }
                }
            }
        }
        let topics: BTreeMap<Uuid, &TopicPlan> = self.topics.iter().map(|topic| (topic.id, topic)).collect();
        self.offsets =
            newest.into_values().filter_map(|offset| restored(topics.get(&offset.topic_id)?, offset)).collect();
        Ok(())
    }
}

/// The offset as far as there are records.
fn restored(topic: &TopicPlan, stored: StoredOffset) -> Option<RestoredOffset> {
    let partition = topic.partitions.get(usize::try_from(stored.partition).ok()?)?;
    let (_, end) = partition.range();
    let beyond = (stored.offset - end).max(0);
    Some(RestoredOffset {
        group: stored.group,
        topic: Arc::clone(&topic.name),
        topic_id: topic.id,
        partition: stored.partition,
        offset: stored.offset.min(end),
        leader_epoch: if beyond > 0 { -1 } else { stored.leader_epoch },
        metadata: stored.metadata,
        beyond,
    })
}

/// The epoch behind one that was seen.
fn after(leader_epoch: i32) -> i32 {
    leader_epoch.saturating_add(1)
}

/// The partitions of `__consumer_offsets` of which the store has something.
fn partitions_of(topic: &StoredTopic) -> BTreeSet<i32> {
    let index = |location: &storage::remote_log::object_store::path::Path| {
        let mut parts = location.parts().skip(2);
        let is_offsets = parts.next().is_some_and(|part| part.as_ref() == GroupOffsets::FOLDER);
        parts.next().filter(|_| is_offsets).and_then(|part| part.as_ref().parse::<i32>().ok())
    };
    topic.others.iter().filter_map(|object| index(&object.location)).filter(|index| *index >= 0).collect()
}

/// The topics that are wanted.
fn choose(stored: Vec<StoredTopic>, cluster_id: &str, wanted: &[String]) -> Result<Vec<StoredTopic>, RestoreError> {
    if wanted.is_empty() {
        return Ok(stored);
    }
    let is_it = |topic: &StoredTopic, wanted: &str| topic.name == wanted || parse_uuid(wanted) == Some(topic.id);
    if let Some(unknown) = wanted.iter().find(|wanted| !stored.iter().any(|topic| is_it(topic, wanted))) {
        return Err(RestoreError::Unknown { topic: unknown.clone(), cluster_id: cluster_id.to_owned() });
    }
    Ok(stored.into_iter().filter(|topic| wanted.iter().any(|wanted| is_it(topic, wanted))).collect())
}

fn check_names(topics: &[TopicPlan]) -> Result<(), RestoreError> {
    for topic in topics {
        let same: Vec<String> =
            topics.iter().filter(|other| other.name == topic.name).map(|other| format_uuid(other.id)).collect();
        if same.len() > 1 {
            return Err(RestoreError::Ambiguous { name: Arc::clone(&topic.name), ids: same.join(", ") });
        }
    }
    Ok(())
}

impl TopicPlan {
    /// `None`: there is nothing but what failed copies and deletions left behind.
    async fn read(store: &RemoteStore, cluster_id: &str, topic: StoredTopic) -> Result<Option<Self>, RestoreError> {
        let folder = TopicManifest::folder(cluster_id, topic.id, &topic.name);
        let described = newest_description::<TopicManifest>(store, &folder).await?;
        let mut found: BTreeMap<i32, PartitionPlan> = BTreeMap::new();
        for partition in &topic.partitions {
            let contents = partition.contents(store).await?;
            let Some(ManifestVersion { leader_epoch, .. }) = contents.newest_version() else { continue };
            let plan = PartitionPlan { contents: Some(contents), leader_epoch: after(leader_epoch) };
            found.insert(partition.name.partition, plan);
        }
        let with_segments = found.keys().last().map_or(0, |last| last.saturating_add(1));
        let count = described.as_ref().map_or(with_segments, |manifest| manifest.partitions.max(with_segments));
        if count == 0 {
            return Ok(None);
        }
        let told = described.as_ref().map_or(0, |manifest| after(manifest.leader_epoch));
        let mut partitions: Vec<PartitionPlan> =
            (0..count).map(|index| found.remove(&index).unwrap_or_default()).collect();
        if let Some(first) = partitions.first_mut() {
            // Who leads the first one describes the topic.
            first.leader_epoch = first.leader_epoch.max(told);
        }
        let is_described = described.is_some();
        let configs = described.map_or_else(crate::config::tiered_topic, |manifest| {
            manifest.configs.into_iter().map(|config| (config.key, config.value)).collect()
        });
        Ok(Some(Self { name: topic.name.into(), id: topic.id, is_described, configs, partitions }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::ids::TopicPartition;
    use storage::remote_log::object_store::memory::InMemory;
    use storage::remote_log::{Describer, Manifest, PartitionKeys, RemoteSegment, StoreLimits, StoredConfig};

    const ORDERS: Uuid = Uuid::from_u128(7);
    const OFFSETS: Uuid = Uuid::from_u128(9);

    /// A store with a topic of two partitions, one of which has ten records there, and a group that had read fifteen.
    async fn store() -> RemoteStore {
        let store = RemoteStore::new("memory".to_owned(), Arc::new(InMemory::new()), StoreLimits::default());
        let keys = PartitionKeys::new("c", ORDERS, &TopicPartition::new("orders", 1));
        let segment = RemoteSegment { base_offset: 0, end_offset: 10, size_bytes: 100, ..RemoteSegment::default() };
        let manifest = Manifest {
            leader_epoch: 4,
            sequence: 1,
            log_start_offset: 2,
            segments: vec![segment],
            ..Manifest::default()
        };
        store.create(&keys.manifest(manifest.version()), manifest.encode().unwrap()).await.unwrap();
        let configs = vec![StoredConfig { key: "retention.ms".into(), value: "-1".into() }];
        let topic =
            TopicManifest { name: "orders".into(), id: ORDERS, partitions: 2, configs, ..TopicManifest::default() };
        let folder = TopicManifest::folder("c", ORDERS, "orders");
        Describer::new(folder).tell(&store, 2, &topic).await.unwrap();
        let committed = |group: &str, offset| StoredOffset {
            group: group.into(),
            topic_id: ORDERS,
            partition: 1,
            offset,
            leader_epoch: 4,
            ..StoredOffset::default()
        };
        let groups =
            GroupOffsets { offsets: vec![committed("behind", 5), committed("beyond", 15)], ..GroupOffsets::default() };
        Describer::new(GroupOffsets::folder("c", OFFSETS, OFFSETS_TOPIC, 3)).tell(&store, 8, &groups).await.unwrap();
        store
    }

    #[tokio::test]
    async fn a_plan_says_what_comes_back() {
        let store = store().await;
        let plan = Plan::read(&store, "c", &[]).await.unwrap();
        let [topic] = &plan.topics[..] else { panic!("{plan:?}") };
        assert_eq!((&*topic.name, topic.id, topic.is_described), ("orders", ORDERS, true));
        assert_eq!(topic.configs, [("retention.ms".into(), "-1".into())]);
        let epochs: Vec<_> =
            topic.partitions.iter().map(|partition| (partition.range(), partition.leader_epoch)).collect();
        assert_eq!(epochs, [((0, 0), 3), ((2, 10), 5)]);
        let offsets: Vec<_> = plan.offsets.iter().map(|o| (&*o.group, o.offset, o.leader_epoch, o.beyond)).collect();
        assert_eq!(offsets, [("behind", 5, 4, 0), ("beyond", 10, -1, 5)]);
        assert_eq!((plan.offsets_topic, plan.offsets_leader_epoch), (Some(OFFSETS), 9));
    }

    #[tokio::test]
    async fn topics_are_chosen_by_name_or_id() {
        let store = store().await;
        for wanted in ["orders".to_owned(), format_uuid(ORDERS)] {
            assert_eq!(Plan::read(&store, "c", &[wanted]).await.unwrap().topics.len(), 1);
        }
        let unknown = Plan::read(&store, "c", &["order".to_owned()]).await;
        assert!(matches!(unknown, Err(RestoreError::Unknown { .. })), "{unknown:?}");
        // A topic of the same name, made after the first was deleted, of which something is left.
        let other = TopicManifest { name: "orders".into(), partitions: 1, ..TopicManifest::default() };
        let folder = TopicManifest::folder("c", Uuid::from_u128(8), "orders");
        Describer::new(folder).tell(&store, 0, &other).await.unwrap();
        let both = Plan::read(&store, "c", &[]).await;
        assert!(matches!(both, Err(RestoreError::Ambiguous { .. })), "{both:?}");
        assert_eq!(Plan::read(&store, "c", &[format_uuid(ORDERS)]).await.unwrap().topics[0].id, ORDERS);
    }

    #[tokio::test]
    async fn a_topic_that_nobody_described_is_one_of_the_tier() {
        let store = store().await;
        store.delete_all(&TopicManifest::folder("c", ORDERS, "orders")).await.unwrap();
        let plan = Plan::read(&store, "c", &[]).await.unwrap();
        let topic = &plan.topics[0];
        assert_eq!((topic.is_described, topic.partitions.len(), topic.configs.len()), (false, 2, 1));
    }
}
