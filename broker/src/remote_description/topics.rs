//! What the store is told of topics, by whoever comes first: the round, or the first copy of a segment.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::ids::Uuid;
use raft::image::{ConfigResource, Image, TopicImage};
use storage::remote_log::{RemoteError, StoredConfig, TopicManifest};

use super::Folder;
use crate::replica::Tier;
use crate::services::Services;

/// A topic's folder in the store, one who tells at a time.
type Shared = Arc<tokio::sync::Mutex<Folder<TopicManifest>>>;

/// The descriptions of the tiered topics whose first partition is led here.
pub(crate) struct TopicDescriptions {
    services: Arc<Services>,
    tier: Arc<Tier>,
    folders: Mutex<HashMap<Uuid, Shared>>,
}

impl TopicDescriptions {
    /// Nothing is known yet of what is told.
    pub(crate) fn new(services: Arc<Services>, tier: Arc<Tier>) -> Self {
        Self { services, tier, folders: Mutex::default() }
    }

    /// Tells what a topic is, unless it is told already: what is copied of it can then be restored as what it was. Nothing is told
    /// of a topic that is not tiered, or whose first partition another broker leads.
    ///
    /// # Errors
    /// The store's. That a later leader has told is none.
    ///
    /// # Cancel safety
    /// As an error.
    pub(crate) async fn tell_of(&self, topic_id: Uuid) -> Result<(), RemoteError> {
        let image = self.services.metadata.image();
        let described = image.topics().by_id(topic_id).and_then(|topic| self.describe(&image, topic));
        match described {
            Some((leader_epoch, manifest)) => self.tell(leader_epoch, &manifest).await,
            None => Ok(()),
        }
    }

    /// What there is to tell of all topics, with the epoch of the leader who does.
    pub(super) fn all(&self, image: &Image) -> Vec<(i32, TopicManifest)> {
        image.topics().iter().filter_map(|topic| self.describe(image, topic)).collect()
    }

    fn describe(&self, image: &Image, topic: &TopicImage) -> Option<(i32, TopicManifest)> {
        let table = self.services.replicas.table();
        let first = table.by_id(topic.id())?.partition(0).filter(|partition| partition.moves_segments())?;
        Some((first.leader_epoch(), manifest(image, topic)))
    }

    /// As [`TopicDescriptions::tell_of`].
    pub(super) async fn tell(&self, leader_epoch: i32, manifest: &TopicManifest) -> Result<(), RemoteError> {
        let folder = self.folder(manifest.id, &manifest.name);
        let mut folder = folder.lock().await;
        folder.tell(self.tier.store(), leader_epoch, manifest).await
    }

    /// Looks after what somebody else has told of a topic.
    pub(super) fn adopt(&self, topic: &TopicImage) {
        self.folder(topic.id(), topic.name());
    }

    fn folder(&self, id: Uuid, name: &str) -> Shared {
        let new = || Folder::new(TopicManifest::folder(&self.services.cluster_id, id, name));
        Arc::clone(self.lock().entry(id).or_insert_with(|| Arc::new(tokio::sync::Mutex::new(new()))))
    }

    /// Takes back what was told of all topics that are not tiered any more, and of those that are gone, should it have been told
    /// while their objects were being deleted.
    ///
    /// # Errors
    /// The store's, at the first topic of which something stays.
    pub(super) async fn take_back_all(&self) -> Result<(), RemoteError> {
        let known: Vec<Uuid> = self.lock().keys().copied().collect();
        for id in known {
            self.take_back(id).await?;
        }
        Ok(())
    }

    /// Takes back what was told of a topic, if it is not tiered any more or gone.
    ///
    /// # Errors
    /// The store's: it is tried again in the next round.
    ///
    /// # Cancel safety
    /// As an error.
    pub(crate) async fn take_back(&self, id: Uuid) -> Result<(), RemoteError> {
        let Some(shared) = self.lock().get(&id).filter(|_| self.is_gone(id)).cloned() else { return Ok(()) };
        let mut folder = shared.lock().await;
        self.tier.store().delete_all(&folder.path).await?;
        *folder = Folder::new(folder.path.clone());
        drop(folder);
        let mut folders = self.lock();
        // Whoever waited for his turn tells again: it is taken back in the next round.
        if Arc::strong_count(&shared) == 2 {
            folders.remove(&id);
        }
        Ok(())
    }

    fn is_gone(&self, id: Uuid) -> bool {
        let (table, image) = (Arc::clone(&self.services.replicas.table()), self.services.metadata.image());
        let first = table.by_id(id).and_then(|topic| topic.partition(0));
        let is_left = first.is_some_and(|first| first.check_leader().is_ok() && !first.moves_segments());
        is_left || image.topics().by_id(id).is_none()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Shared>> {
        self.folders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn manifest(image: &Image, topic: &TopicImage) -> TopicManifest {
    let resource = ConfigResource::topic(Arc::clone(topic.name()));
    let configs = image.configs().of(&resource);
    TopicManifest {
        name: Arc::clone(topic.name()),
        id: topic.id(),
        partitions: i32::try_from(topic.partition_count()).unwrap_or(i32::MAX),
        configs: configs.map(|(key, value)| StoredConfig { key: Arc::clone(key), value: Arc::clone(value) }).collect(),
        ..TopicManifest::default()
    }
}
