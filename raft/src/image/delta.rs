//! How two images differ. Only final states are compared, so a topic that was deleted and created again under its name, or a
//! snapshot that skips over many changes, looks the same to a reader as the single steps would (`MetadataDelta`).

use super::{ConfigResource, Image, QuotaEntity, TopicImage};
use imbl::OrdMap;
use imbl::ordmap::DiffItem;
use protocol::ids::Uuid;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What differs between an older and a newer image. Finding it costs what differs: images share what does not.
#[derive(Clone, Debug, Default)]
pub struct Delta {
    /// Topics created or changed, in the order of their ids.
    pub topics: Vec<TopicDelta>,
    /// Topics that are gone, as they were in the older image, in the order of their ids. One of them may exist again under the same
    /// name: then its new id is among the created ones.
    pub deleted_topics: Vec<Arc<TopicImage>>,
    /// Ids of brokers whose registration is new, changed or gone.
    pub brokers: Vec<i32>,
    /// Ids of controllers whose registration is new, changed or gone.
    pub controllers: Vec<i32>,
    /// Configurations in which a key was set, changed or deleted.
    pub configs: Vec<ConfigDelta>,
    /// Entities in which a quota was set, changed or removed.
    pub client_quotas: Vec<QuotaEntity>,
    /// Features whose level changed.
    pub features: Vec<Arc<str>>,
    /// Ids of access control entries that are new, changed or gone.
    pub acls: Vec<Uuid>,
    /// SCRAM credentials, by mechanism and user, that are new, changed or gone.
    pub scram_credentials: Vec<(i8, Arc<str>)>,
    /// Ids of delegation tokens that are new, changed or gone.
    pub delegation_tokens: Vec<Arc<str>>,
    /// Whether blocks of producer ids were given out.
    pub producer_ids: bool,
}

/// A topic created or changed.
#[derive(Clone, Debug)]
pub struct TopicDelta {
    /// The topic in the newer image.
    pub topic: Arc<TopicImage>,
    /// Whether the older image has no topic of this id.
    pub created: bool,
    /// Indexes of new and changed partitions, ascending.
    pub partitions: Vec<i32>,
}

/// A configuration that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigDelta {
    /// Whose configuration.
    pub resource: ConfigResource,
    /// Keys that were set, changed or deleted, ascending.
    pub keys: Vec<Arc<str>>,
}

impl Delta {
    /// What differs between `old` and `new`.
    #[must_use]
    pub fn between(old: &Image, new: &Image) -> Self {
        let (topics, deleted_topics) = topics(old, new);
        Self {
            topics,
            deleted_topics,
            brokers: changed_keys(&old.brokers, &new.brokers),
            controllers: changed_keys(&old.controllers, &new.controllers),
            configs: configs(old, new),
            client_quotas: changed_keys(old.client_quotas.map(), new.client_quotas.map()),
            features: changed_keys(&old.features, &new.features),
            acls: changed_keys(&old.security.acls, &new.security.acls),
            scram_credentials: changed_keys(&old.security.scram, &new.security.scram),
            delegation_tokens: changed_keys(&old.security.tokens, &new.security.tokens),
            producer_ids: old.next_producer_id != new.next_producer_id,
        }
    }
}

fn topics(old: &Image, new: &Image) -> (Vec<TopicDelta>, Vec<Arc<TopicImage>>) {
    let mut changed = Vec::new();
    let mut deleted = Vec::new();
    for item in old.topics.by_id.diff(&new.topics.by_id) {
        match item {
            DiffItem::Add(_, topic) => {
                let partitions = topic.partitions().map(|(index, _)| index).collect();
                changed.push(TopicDelta { topic: topic.clone(), created: true, partitions });
            }
            DiffItem::Update { old: (_, old), new: (_, topic) } => {
                let partitions = topic.changed_partitions(old);
                changed.push(TopicDelta { topic: topic.clone(), created: false, partitions });
            }
            DiffItem::Remove(_, topic) => deleted.push(topic.clone()),
        }
    }
    (changed, deleted)
}

fn configs(old: &Image, new: &Image) -> Vec<ConfigDelta> {
    let none = BTreeMap::new();
    let delta = |resource: &ConfigResource, old: &BTreeMap<_, _>, new: &BTreeMap<_, _>| ConfigDelta {
        resource: resource.clone(),
        keys: changed_values(old, new),
    };
    old.configs
        .map()
        .diff(new.configs.map())
        .map(|item| match item {
            DiffItem::Add(resource, values) => delta(resource, &none, values),
            DiffItem::Update { old: (_, old), new: (resource, new) } => delta(resource, old, new),
            DiffItem::Remove(resource, values) => delta(resource, values, &none),
        })
        .collect()
}

fn changed_values(old: &BTreeMap<Arc<str>, Arc<str>>, new: &BTreeMap<Arc<str>, Arc<str>>) -> Vec<Arc<str>> {
    let set = new.iter().filter(|(key, value)| old.get(*key) != Some(value)).map(|(key, _)| key);
    let deleted = old.keys().filter(|key| !new.contains_key(*key));
    let mut keys: Vec<_> = set.chain(deleted).cloned().collect();
    keys.sort_unstable();
    keys
}

fn changed_keys<K: Ord + Clone, V: PartialEq>(old: &OrdMap<K, V>, new: &OrdMap<K, V>) -> Vec<K> {
    old.diff(new)
        .map(|item| match item {
            DiffItem::Add(key, _) | DiffItem::Update { new: (key, _), .. } | DiffItem::Remove(key, _) => key.clone(),
        })
        .collect()
}
