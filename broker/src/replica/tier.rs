//! The cold tier of this broker, and the part of a partition that is in it. Source: `RemoteLogManager`.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use protocol::ids::Uuid;
use storage::leader_epoch::LeaderEpochs;
use storage::remote_log::object_store::path::Path;
use storage::remote_log::{
    DeletedTopic, Deletions, Mover, PartitionKeys, RemoteError, RemotePartition, RemoteReader, RemoteSegment,
    RemoteStore, RemoteView, TierConfig,
};
use storage::{Error, Log, Piece, ReadLimits, TimestampOffset};

use crate::metrics::RemoteTraffic;

/// What a topic's configuration says of its remote part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicTier {
    /// `remote.storage.enable`
    pub is_tiered: bool,
    /// `remote.log.delete.on.disable`
    pub deletes_on_disable: bool,
    pub config: TierConfig,
}

impl Default for TopicTier {
    /// Not tiered.
    fn default() -> Self {
        Self { is_tiered: false, deletes_on_disable: false, config: TierConfig::KEEP }
    }
}

/// The store that all partitions of this broker share.
pub struct Tier {
    cluster_id: Arc<str>,
    broker_id: i32,
    store: Arc<RemoteStore>,
    reader: RemoteReader,
    /// Deleted topics whose objects are still there and that nobody has taken.
    deleted: Mutex<Vec<(Uuid, Path)>>,
    /// All of them, for the next run; `None` where no directory has room for that.
    deletions: Option<Deletions>,
    /// Of all partitions, those that are gone too.
    traffic: RemoteTraffic,
    /// Why nothing at all is moved; for people.
    trouble: Mutex<Option<String>>,
}

impl Tier {
    /// What `deletions` has of an earlier run is to be deleted.
    pub fn new(
        cluster_id: Arc<str>,
        broker_id: i32,
        store: Arc<RemoteStore>,
        reader: RemoteReader,
        deletions: Option<Deletions>,
    ) -> Self {
        let noted = deletions.iter().flat_map(Deletions::all);
        let deleted = noted.map(|topic| (topic.id, PartitionKeys::topic(&cluster_id, topic.id, &topic.name))).collect();
        Self {
            cluster_id,
            broker_id,
            store,
            reader,
            deleted: Mutex::new(deleted),
            deletions,
            traffic: RemoteTraffic::default(),
            trouble: Mutex::new(Some("the remote storage was not tried yet".to_owned())),
        }
    }

    pub fn store(&self) -> &Arc<RemoteStore> {
        &self.store
    }

    /// What went there and came back.
    pub fn traffic(&self) -> &RemoteTraffic {
        &self.traffic
    }

    /// How many bytes of segments and of indexes may stay on disk from now on.
    pub fn set_disk_bytes(&self, chunks: u64, indexes: u64) {
        let caches = [(self.reader.chunks_on_disk(), chunks), (self.reader.indexes_on_disk(), indexes)];
        for (cache, bytes) in caches.into_iter().filter_map(|(cache, bytes)| Some((cache?, bytes))) {
            cache.set_bytes(bytes);
        }
    }

    /// Where the objects of this cluster are.
    pub fn folder(&self) -> Path {
        Path::from(&*self.cluster_id)
    }

    /// Why nothing at all is moved, if that is so: the store is not reached, or refused.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_trouble(&self, trouble: Option<String>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    /// A mover of that partition's segments. Only the leader may have one.
    pub fn mover(&self, remote: &Arc<RemotePartition>) -> Mover {
        Mover::new(Arc::clone(&self.store), self.broker_id, Arc::clone(remote))
    }

    fn keys(&self, log: &Log) -> PartitionKeys {
        PartitionKeys::new(&self.cluster_id, log.topic_id(), log.partition())
    }

    /// Lets every object of a topic go, soon, or in the next run.
    pub fn delete_topic(&self, topic_id: Uuid, name: &Arc<str>) {
        let topic = DeletedTopic { id: topic_id, name: Arc::clone(name) };
        if let Some(Err(error)) = self.deletions.as_ref().map(|deletions| deletions.add(topic)) {
            tracing::warn!(topic = %name, %error, "a crash would leave remote objects of a deleted topic");
        }
        self.put_deleted((topic_id, PartitionKeys::topic(&self.cluster_id, topic_id, name)));
    }

    /// Nothing of the topic is there any more.
    pub(crate) fn is_deleted(&self, topic_id: Uuid) {
        let forgotten = self.deletions.as_ref().map(|deletions| deletions.retain(|topic| topic.id != topic_id));
        if let Some(Err(error)) = forgotten {
            tracing::warn!(%error, "the next start looks for remote objects that are gone");
        }
    }

    pub(crate) fn put_deleted(&self, topic: (Uuid, Path)) {
        self.deleted.lock().unwrap_or_else(PoisonError::into_inner).push(topic);
    }

    /// The topics that were deleted since the last call, with where their objects are.
    pub fn take_deleted(&self) -> Vec<(Uuid, Path)> {
        std::mem::take(&mut self.deleted.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Tier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Tier({:?})", self.store)
    }
}

/// The remote part of one partition, if it has one.
#[derive(Debug, Default)]
pub struct Tiered {
    tier: Option<Arc<Tier>>,
    remote: OnceLock<Arc<RemotePartition>>,
    traffic: Arc<RemoteTraffic>,
}

impl Tiered {
    pub fn new(tier: Option<Arc<Tier>>) -> Self {
        Self { tier, ..Self::default() }
    }

    pub fn tier(&self) -> Option<&Arc<Tier>> {
        self.tier.as_ref()
    }

    pub fn remote(&self) -> Option<&Arc<RemotePartition>> {
        self.remote.get()
    }

    /// What went there and came back.
    pub fn traffic(&self) -> &RemoteTraffic {
        &self.traffic
    }

    /// Counts for this partition and for the whole tier.
    pub fn count(&self, count: impl Fn(&RemoteTraffic)) {
        count(&self.traffic);
        if let Some(tier) = &self.tier {
            count(&tier.traffic);
        }
    }

    /// Brings what is known of the remote part into memory: of a tiered topic, and of one that was and has objects left.
    ///
    /// # Errors
    /// A failing disk.
    pub fn load(&self, log: &Log, is_tiered: bool) -> Result<(), Error> {
        let Some(tier) = self.tier.as_ref().filter(|_| self.remote.get().is_none()) else { return Ok(()) };
        let found = RemotePartition::load(tier.keys(log), log)?;
        if is_tiered || !found.view().segments.is_empty() || found.is_leaving() {
            self.remote.get_or_init(|| Arc::new(found));
        }
        Ok(())
    }

    /// What is remote; `None` if nothing that can be read is.
    pub fn view(&self) -> Option<Arc<RemoteView>> {
        self.remote.get().map(|remote| remote.view()).filter(|view| !view.live().is_empty())
    }

    /// The first readable offset of a log whose local part begins at `local_start`.
    pub fn log_start_offset(&self, local_start: i64) -> i64 {
        self.view().and_then(|view| view.start_offset()).map_or(local_start, |remote| remote.min(local_start))
    }

    /// Where what is remote begins (inclusive): out of the cleaner's reach as far as it lies before the local log. [`i64::MAX`] if
    /// nothing is remote yet, 0 while nobody knows; `None` if there is no remote part.
    pub fn start_offset(&self) -> Option<i64> {
        let remote = self.remote.get()?;
        let start_offset = remote.view().start_offset();
        Some(if remote.is_known() { start_offset.unwrap_or(i64::MAX) } else { 0 })
    }

    /// Where local segments may go up to (exclusive).
    pub fn copied_to(&self) -> i64 {
        self.remote.get().map_or(0, |remote| remote.copied_to())
    }

    /// The read of an offset that lies in the remote part of `log`.
    pub fn read(&self, log: &Arc<Log>, offset: i64, limits: ReadLimits) -> Option<RemoteRead> {
        let (tier, remote) = (self.tier.as_ref()?, self.remote.get()?);
        let view = remote.view();
        view.segment_of(offset)?;
        Some(RemoteRead {
            tier: Arc::clone(tier),
            remote: Arc::clone(remote),
            traffic: Arc::clone(&self.traffic),
            log: Arc::clone(log),
            view,
            offset,
            limits,
        })
    }

    /// The leader epochs of both parts.
    pub fn epochs_with(&self, local: LeaderEpochs) -> LeaderEpochs {
        match self.view() {
            Some(view) => view.epochs_with(&local),
            None => local,
        }
    }

    /// The first record before `local_start` that is as young as `timestamp`.
    ///
    /// # Errors
    /// The store's.
    ///
    /// # Cancel safety
    /// What has come so far stays in the cache.
    pub async fn offset_for_timestamp(
        &self,
        timestamp: i64,
        local_start: i64,
    ) -> Result<Option<TimestampOffset>, RemoteError> {
        let (Some(tier), Some(remote), Some(view)) = (&self.tier, self.remote.get(), self.view()) else {
            return Ok(None);
        };
        let is_wanted = |s: &&Arc<RemoteSegment>| s.base_offset < local_start && s.max_timestamp >= timestamp;
        for segment in view.live().iter().filter(is_wanted) {
            let start = view.log_start_offset;
            let found = tier.reader.offset_for_timestamp(remote.keys(), segment, timestamp, start).await?;
            if let Some(found) = found {
                return Ok((found.offset < local_start).then_some(found));
            }
        }
        Ok(None)
    }
}

/// A read that waits for the store.
#[derive(Clone, Debug)]
pub struct RemoteRead {
    tier: Arc<Tier>,
    remote: Arc<RemotePartition>,
    traffic: Arc<RemoteTraffic>,
    log: Arc<Log>,
    view: Arc<RemoteView>,
    offset: i64,
    limits: ReadLimits,
}

impl RemoteRead {
    /// The most that it brings, but for a first batch that is larger.
    pub fn max_bytes(&self) -> usize {
        self.limits.max_bytes
    }

    /// The same with less.
    pub fn within(mut self, max_bytes: usize, at_least_one: bool) -> Self {
        self.limits = ReadLimits { max_bytes: self.limits.max_bytes.min(max_bytes), at_least_one, ..self.limits };
        self
    }

    /// Whole batches, for the consumer at that address.
    ///
    /// # Errors
    /// The store's.
    ///
    /// # Cancel safety
    /// What has come so far stays in the cache, for the next one who asks.
    pub async fn pieces(&self, consumer: SocketAddr) -> Result<Vec<Piece>, RemoteError> {
        let read = self.read(consumer).await;
        let size = read.as_ref().ok().map(|pieces| pieces.iter().map(|piece| piece.size() as u64).sum());
        self.traffic.fetched(size);
        self.tier.traffic.fetched(size);
        read
    }

    /// A cleaned segment may have nothing at its end, or nothing at all: what is wanted is then in a later one, or local.
    async fn read(&self, consumer: SocketAddr) -> Result<Vec<Piece>, RemoteError> {
        let (reader, keys) = (&self.tier.reader, self.remote.keys());
        let mut offset = self.offset;
        while let Some(segment) = self.view.segment_of(offset) {
            let following = self.view.segment_of(segment.end_offset).map(|following| &**following);
            let pieces = reader.read(consumer, keys, (segment, following), offset, self.limits).await?;
            if !pieces.is_empty() || !self.limits.at_least_one {
                return Ok(pieces);
            }
            offset = segment.end_offset;
        }
        let (log, limits) = (Arc::clone(&self.log), self.limits);
        let read = move || match log.read(offset, limits) {
            Err(Error::OffsetOutOfRange { .. }) => Ok(Vec::new()),
            region => Ok(vec![Piece::Region(region?)]),
        };
        let joined = tokio::task::spawn_blocking(read).await;
        joined.unwrap_or_else(|error| Err(RemoteError::LocalFile(Arc::new(std::io::Error::other(error)))))
    }
}
