//! `__remote_log_metadata`: a view, in Kafka's records, of what the cold tier holds. Kafka's brokers learn from this topic what is
//! remote; here the manifests beside the segments say it, and the topic is written after them for whoever reads it: Kafka's formatter,
//! dashboards, a migration. Nothing here waits for it. What a crash left out is told when the partition is next looked at.
//! Source: `TopicBasedRemoteLogMetadataManager`.

mod states;
mod topic;
mod writer;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use protocol::ids::Uuid;
use storage::remote_log::{RemoteSegment, RemoteView};
use tokio::sync::{Notify, watch};

use crate::internal_topic;
use crate::services::Services;
use crate::tasks::stopped;
pub(crate) use topic::REMOTE_LOG_METADATA_TOPIC;
use writer::Writer;

/// How soon after a failure it is tried again.
const AGAIN: Duration = Duration::from_secs(5);

/// A partition of a topic, which one of the same name made later is not.
type Key = (Uuid, i32);

/// What is remote of one partition, and what is about to be.
#[derive(Clone, Debug)]
struct News {
    topic: Arc<str>,
    view: Arc<RemoteView>,
    copied: Option<Arc<RemoteSegment>>,
}

/// What is to be written. Later news of a partition take the place of earlier ones, so that it never grows beyond the partitions.
#[derive(Debug, Default)]
struct Inbox {
    partitions: HashMap<Key, News>,
    /// Deleted topics whose objects are gone.
    deleted: Vec<Uuid>,
}

/// Where the movers say what they do.
#[derive(Debug, Default)]
pub(crate) struct RemoteLogEvents {
    inbox: Mutex<Inbox>,
    wake: Notify,
}

impl RemoteLogEvents {
    /// Notes what is remote of a partition now, and which segment is being copied.
    pub(crate) fn changed(
        &self,
        key: Key,
        topic: &Arc<str>,
        view: Arc<RemoteView>,
        copied: Option<Arc<RemoteSegment>>,
    ) {
        let news = News { topic: Arc::clone(topic), view, copied };
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner).partitions.insert(key, news);
        self.wake.notify_one();
    }

    /// Notes that a deleted topic's objects are gone.
    pub(crate) fn deleted(&self, topic_id: Uuid) {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner).deleted.push(topic_id);
        self.wake.notify_one();
    }

    fn take(&self) -> Inbox {
        std::mem::take(&mut self.inbox.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts back what could not be written, but for what there are later news of.
    fn put_back(&self, inbox: Inbox) {
        let mut now = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, news) in inbox.partitions {
            now.partitions.entry(key).or_insert(news);
        }
        now.deleted.extend(inbox.deleted);
    }
}

/// Writes until the stop.
pub(crate) async fn run(services: Arc<Services>, events: Arc<RemoteLogEvents>, mut stop: watch::Receiver<bool>) {
    tokio::select! {
        () = create_topic(&services) => {}
        () = stopped(&mut stop) => return,
    }
    let mut writer = Writer::new(services);
    loop {
        tokio::select! {
            () = events.wake.notified() => {}
            () = stopped(&mut stop) => return,
        }
        let inbox = events.take();
        let work = tokio::task::spawn_blocking(move || {
            let mut writer = writer;
            let result = writer.write(&inbox);
            (writer, inbox, result)
        });
        let (back, inbox, result) = match work.await {
            Ok(done) => done,
            Err(error) => {
                tracing::error!(topic = topic::REMOTE_LOG_METADATA_TOPIC, %error, "nothing more is told until the next start");
                return;
            }
        };
        writer = back;
        if let Err(error) = result {
            tracing::warn!(topic = topic::REMOTE_LOG_METADATA_TOPIC, %error, "what is remote could not be told");
            events.put_back(inbox);
            tokio::select! {
                () = tokio::time::sleep(AGAIN) => events.wake.notify_one(),
                () = stopped(&mut stop) => return,
            }
        }
    }
}

/// As Kafka does at the start of a broker with remote storage.
async fn create_topic(services: &Services) {
    loop {
        let topic = topic::new_topic(&services.settings.remote_log_metadata, &services.metadata.image());
        match internal_topic::create(&services.controller, topic).await {
            Ok(()) => return services.caught_up().await,
            Err(error) => {
                tracing::warn!(topic = topic::REMOTE_LOG_METADATA_TOPIC, %error, "cannot create the topic");
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}
