//! The cluster's metadata as this broker has taken it over: an image is shown once the replicas that it places here are there.
//! Source: `KRaftMetadataCache`, `BrokerMetadataPublisher`.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use raft::image::{BrokerRegistration, Endpoint, Image, PartitionImage};
use tokio::sync::watch;

/// Topics that belong to Kafka itself (`Topic.isInternal`).
const INTERNAL_TOPICS: [&str; 3] = ["__consumer_offsets", "__transaction_state", "__share_group_state"];

/// The image that requests are answered from.
#[derive(Debug)]
pub struct MetadataCache {
    image: ArcSwap<Image>,
    offset: watch::Sender<i64>,
}

impl MetadataCache {
    /// A cache that shows `image`.
    pub fn new(image: Arc<Image>) -> Self {
        let (offset, _) = watch::channel(image.offset());
        Self { image: ArcSwap::new(image), offset }
    }

    /// The image now. A request takes it once.
    pub fn image(&self) -> Guard<Arc<Image>> {
        self.image.load()
    }

    /// Shows a newer image.
    pub fn publish(&self, image: Arc<Image>) {
        let offset = image.offset();
        self.image.store(image);
        self.offset.send_replace(offset);
    }

    /// Waits until the image shown contains `offset` of the metadata log, inclusive. Cancel safe.
    pub async fn reached(&self, offset: i64) {
        // The sender is this cache itself, so the channel is open.
        let _ = self.offset.subscribe().wait_for(|shown| *shown >= offset).await;
    }
}

/// Whether the topic belongs to Kafka itself.
pub fn is_internal(topic: &str) -> bool {
    INTERNAL_TOPICS.contains(&topic)
}

/// Brokers that are alive and have that listener, with where it is (`getAliveBrokerNodes`).
pub fn alive_brokers<'a>(
    image: &'a Image,
    listener: &'a str,
) -> impl Iterator<Item = (&'a BrokerRegistration, &'a Endpoint)> {
    brokers(image, listener).filter(|(broker, _)| !broker.fenced)
}

/// Registered brokers that have that listener, fenced ones too (`getBrokerNodes`).
pub fn brokers<'a>(
    image: &'a Image,
    listener: &'a str,
) -> impl Iterator<Item = (&'a BrokerRegistration, &'a Endpoint)> {
    image.brokers().values().filter_map(move |broker| Some((&**broker, broker.endpoint(listener)?)))
}

/// The broker that clients send controller requests to: any live one, since every broker passes them on; -1 if none lives.
pub fn controller_id(image: &Image) -> i32 {
    image.brokers().values().find(|broker| !broker.fenced).map_or(-1, |broker| broker.id)
}

/// Whether a client of `listener` reaches the partition's leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leader {
    Reachable(i32),
    /// The leader is registered, but not with that listener.
    WithoutListener,
    /// Nobody leads, or the leader is not registered.
    None,
}

/// The partition's leader, as a client of `listener` sees it.
pub fn leader(image: &Image, partition: &PartitionImage, listener: &str) -> Leader {
    match image.broker(partition.leader()) {
        Some(broker) if broker.endpoint(listener).is_some() => Leader::Reachable(broker.id),
        Some(_) => Leader::WithoutListener,
        None => Leader::None,
    }
}

/// Replicas that a client of `listener` does not reach, or whose directory is offline (`getOfflineReplicas`).
pub fn offline_replicas(image: &Image, partition: &PartitionImage, listener: &str) -> Vec<i32> {
    let is_online = |id: i32| {
        image.broker(id).is_some_and(|broker| {
            let directory = partition.directory(id);
            let has_directory = directory.is_none_or(|directory| broker.has_online_directory(directory));
            !broker.fenced && broker.endpoint(listener).is_some() && has_directory
        })
    };
    partition.replicas().iter().copied().filter(|id| !is_online(*id)).collect()
}
