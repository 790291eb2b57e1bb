//! Topics by name and by id, and their partitions.

use super::PartitionImage;
use imbl::OrdMap;
use protocol::ids::Uuid;
use std::sync::Arc;

/// Partitions that one change copies: a change of one partition in a large topic costs this, not the topic.
const CHUNK: usize = 64;

/// Every topic of the cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Topics {
    pub(crate) by_id: OrdMap<Uuid, Arc<TopicImage>>,
    pub(crate) by_name: OrdMap<Arc<str>, Arc<TopicImage>>,
}

impl Topics {
    /// The topic of that name.
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<&Arc<TopicImage>> {
        self.by_name.get(name)
    }

    /// The topic of that id.
    #[must_use]
    pub fn by_id(&self, id: Uuid) -> Option<&Arc<TopicImage>> {
        self.by_id.get(&id)
    }

    /// Every topic, in the order of their names.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Arc<TopicImage>> {
        self.by_name.values()
    }

    /// Topics from `name` on, inclusive, in the order of their names.
    pub fn starting_at(&self, name: &str) -> impl Iterator<Item = &Arc<TopicImage>> {
        self.by_name
            .range::<_, str>((std::ops::Bound::Included(name), std::ops::Bound::Unbounded))
            .map(|(_, topic)| topic)
    }

    /// How many topics there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there is no topic.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    pub(crate) fn insert(&mut self, topic: Arc<TopicImage>) {
        self.by_name.insert(topic.name.clone(), topic.clone());
        self.by_id.insert(topic.id, topic);
    }

    pub(crate) fn remove(&mut self, id: Uuid) -> Option<Arc<TopicImage>> {
        let topic = self.by_id.remove(&id)?;
        self.by_name.remove(&topic.name);
        Some(topic)
    }
}

/// A topic and its partitions, which are numbered from 0 without a gap.
#[derive(Clone, Debug, PartialEq)]
pub struct TopicImage {
    name: Arc<str>,
    id: Uuid,
    /// All full but the last.
    chunks: Vec<Arc<Vec<PartitionImage>>>,
}

impl TopicImage {
    pub(crate) fn new(name: Arc<str>, id: Uuid) -> Self {
        Self { name, id, chunks: Vec::new() }
    }

    /// The topic's name.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The topic's id.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// How many partitions the topic has.
    #[must_use]
    pub fn partition_count(&self) -> usize {
        self.chunks.last().map_or(0, |last| (self.chunks.len() - 1) * CHUNK + last.len())
    }

    /// The partition of that index.
    #[must_use]
    pub fn partition(&self, index: i32) -> Option<&PartitionImage> {
        let index = usize::try_from(index).ok()?;
        self.chunks.get(index / CHUNK)?.get(index % CHUNK)
    }

    /// The partitions with their indexes, ascending.
    pub fn partitions(&self) -> impl Iterator<Item = (i32, &PartitionImage)> {
        (0..).zip(self.chunks.iter().flat_map(|chunk| chunk.iter()))
    }

    /// Sets a partition: an existing one, or the next one. Answers whether the index was one of these.
    pub(crate) fn set_partition(&mut self, index: i32, partition: PartitionImage) -> bool {
        let count = self.partition_count();
        let Some(index) = usize::try_from(index).ok().filter(|index| *index <= count) else {
            return false;
        };
        if index / CHUNK == self.chunks.len() {
            self.chunks.push(Arc::default());
        }
        let chunk = Arc::make_mut(&mut self.chunks[index / CHUNK]);
        match chunk.get_mut(index % CHUNK) {
            Some(place) => *place = partition,
            None => chunk.push(partition),
        }
        true
    }

    /// Gives back memory that growing left over.
    pub(crate) fn shrink(&mut self) {
        if let Some(last) = self.chunks.last_mut().and_then(Arc::get_mut) {
            last.shrink_to_fit();
        }
    }

    /// The indexes of partitions that differ from those of `old`, ascending. Chunks that both share are not looked at.
    pub(crate) fn changed_partitions(&self, old: &Self) -> Vec<i32> {
        let mut changed = Vec::new();
        for (place, chunk) in self.chunks.iter().enumerate() {
            let old_chunk = old.chunks.get(place);
            if old_chunk.is_some_and(|old_chunk| Arc::ptr_eq(chunk, old_chunk)) {
                continue;
            }
            for (inside, partition) in chunk.iter().enumerate() {
                if old_chunk.and_then(|old_chunk| old_chunk.get(inside)) != Some(partition) {
                    changed.push((place * CHUNK + inside) as i32);
                }
            }
        }
        changed
    }
}
