//! Tells the store what the tiered topics are and what groups have committed in them, so that a cluster can be rebuilt from there
//! alone: [`crate::restore`]. The first copy of a topic's segment waits until the store knows the topic, and nothing else waits;
//! what a store does not take now is told in the next round.

mod topics;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use protocol::ids::Uuid;
use raft::image::Image;
use storage::remote_log::object_store::path::Path;
use storage::remote_log::{
    Describer, Description, GroupOffsets, RemoteError, RemoteStore, StoredOffset, TopicManifest, newest_description,
    stored_topics,
};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::group::{OFFSETS_TOPIC, OffsetSnapshot};
use crate::replica::Tier;
use crate::services::Services;
use crate::tasks::stopped;

pub(crate) use topics::TopicDescriptions;

/// Offsets in one object; the last committed, if there are more.
const MOST_OFFSETS: usize = 100_000;

/// Tells until the stop.
pub(crate) async fn run(
    services: Arc<Services>,
    tier: Arc<Tier>,
    topics: Arc<TopicDescriptions>,
    mut stop: watch::Receiver<bool>,
) {
    let mut teller = Teller { services, tier, topics, offsets: HashMap::new(), next_look: Instant::now() };
    loop {
        let image = teller.services.metadata.image();
        let pause = teller.services.settings.remote_settings(image.configs()).describe_interval;
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stopped(&mut stop) => return,
        }
        if teller.tier.trouble().is_some() {
            continue;
        }
        tokio::select! {
            () = teller.round() => {}
            () = stopped(&mut stop) => return,
        }
    }
}

struct Teller {
    services: Arc<Services>,
    tier: Arc<Tier>,
    topics: Arc<TopicDescriptions>,
    /// By the id of `__consumer_offsets` and its partition.
    offsets: HashMap<(Uuid, i32), OffsetsFolder>,
    /// When it is looked next for what earlier runs, and other brokers, have told.
    next_look: Instant,
}

/// What is told in one folder of the store.
struct Folder<D> {
    path: Path,
    describer: Describer<D>,
    /// The last failure, which is logged once.
    failure: String,
}

/// What is told of one partition of `__consumer_offsets`.
struct OffsetsFolder {
    folder: Folder<GroupOffsets>,
    /// In topics that were not known here when it was first looked at, but are in the store: they may be restored later.
    carried: Vec<StoredOffset>,
}

impl<D: Description> Folder<D> {
    fn new(path: Path) -> Self {
        Self { describer: Describer::new(path.clone()), path, failure: String::new() }
    }

    /// Tells it, unless it is told already, or a later leader has told something else.
    ///
    /// # Errors
    /// The store's: it is away, and would not take anything else either.
    async fn tell(&mut self, store: &RemoteStore, leader_epoch: i32, description: &D) -> Result<(), RemoteError> {
        let told = self.describer.tell(store, leader_epoch, description).await;
        let failure = told.as_ref().err().map(ToString::to_string).unwrap_or_default();
        if !failure.is_empty() && self.failure != failure {
            tracing::warn!(folder = %self.path, error = failure, "the store does not describe itself as it should");
        }
        self.failure = failure;
        match told {
            Ok(_) | Err(RemoteError::Fenced { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl Teller {
    async fn round(&mut self) {
        let image = self.services.metadata.image();
        let described = self.topics.all(&image);
        if self.look_around(&image).await && self.take_back().await && self.tell_topics(&described).await {
            self.tell_offsets(&image, &described).await;
        }
    }

    /// What is told of topics of this cluster, whoever told it: some may not be tiered any more.
    async fn look_around(&mut self, image: &Image) -> bool {
        if Instant::now() < self.next_look {
            return true;
        }
        let stored = match stored_topics(self.tier.store(), &self.services.cluster_id).await {
            Ok(stored) => stored,
            Err(error) => {
                tracing::warn!(%error, "it is not known which topics the store describes");
                return false;
            }
        };
        for topic in stored.into_iter().filter_map(|id| image.topics().by_id(id)) {
            self.topics.adopt(topic);
        }
        self.next_look = Instant::now() + self.services.settings.remote_settings(image.configs()).orphan_grace;
        true
    }

    async fn take_back(&self) -> bool {
        let taken_back = self.topics.take_back_all().await;
        if let Err(error) = &taken_back {
            tracing::warn!(%error, "a deleted topic is still described");
        }
        taken_back.is_ok()
    }

    async fn tell_topics(&self, described: &[(i32, TopicManifest)]) -> bool {
        for (leader_epoch, manifest) in described {
            if self.topics.tell(*leader_epoch, manifest).await.is_err() {
                return false;
            }
        }
        true
    }

    async fn tell_offsets(&mut self, image: &Image, described: &[(i32, TopicManifest)]) {
        let Some(topic) = image.topics().by_name(OFFSETS_TOPIC) else { return };
        let topics = described.iter().map(|(_, manifest)| (Arc::clone(&manifest.name), manifest.id)).collect();
        let groups = Arc::clone(&self.services.groups);
        let snapshots = tokio::task::spawn_blocking(move || groups.snapshot_offsets(&topics, MOST_OFFSETS)).await;
        let (store, cluster_id) = (Arc::clone(self.tier.store()), Arc::clone(&self.services.cluster_id));
        for OffsetSnapshot { partition, leader_epoch, offsets } in snapshots.unwrap_or_default() {
            let key = (topic.id(), partition);
            let known = match self.offsets.entry(key) {
                Entry::Occupied(known) => known.into_mut(),
                // Of most partitions there is nothing to tell.
                Entry::Vacant(_) if offsets.is_empty() => continue,
                Entry::Vacant(new) => {
                    let path = GroupOffsets::folder(&cluster_id, topic.id(), OFFSETS_TOPIC, partition);
                    match carried(&store, &cluster_id, image, &path).await {
                        Ok(carried) => new.insert(OffsetsFolder { folder: Folder::new(path), carried }),
                        Err(error) => return tracing::warn!(%error, "it is not known what the store knows of groups"),
                    }
                }
            };
            let OffsetsFolder { folder, carried } = known;
            carried.retain(|offset| image.topics().by_id(offset.topic_id).is_none());
            let offsets = carried.iter().cloned().chain(offsets).collect();
            let description = GroupOffsets { offsets, ..GroupOffsets::default() };
            if folder.tell(&store, leader_epoch, &description).await.is_err() {
                return;
            }
        }
    }
}

/// The offsets in a folder that are in topics which this cluster does not know, but the store does.
async fn carried(
    store: &RemoteStore,
    cluster_id: &str,
    image: &Image,
    folder: &Path,
) -> Result<Vec<StoredOffset>, RemoteError> {
    let told = newest_description::<GroupOffsets>(store, folder).await?.map_or_else(Vec::new, |told| told.offsets);
    let mut foreign = told;
    foreign.retain(|offset| image.topics().by_id(offset.topic_id).is_none());
    if !foreign.is_empty() {
        let stored = stored_topics(store, cluster_id).await?;
        foreign.retain(|offset| stored.contains(&offset.topic_id));
    }
    Ok(foreign)
}
