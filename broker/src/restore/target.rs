//! The node that a cluster is restored on: its directories, locked, and its metadata log.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use protocol::ids::{TopicPartition, Uuid, format_uuid};
use protocol::metadata_record::{ConfigRecord, MetadataRecord, PartitionRecord, ProducerIdsRecord, TopicRecord};
use raft::controller::{MAX_RECORDS_PER_BATCH, Propose};
use raft::image::{ConfigResourceType, Image};
use raft::quorum::Quorum;
use storage::remote_log::begin_behind;
use storage::{Log, LogDir};
use tokio::task::JoinHandle;

use super::{RestoreError, TopicPlan};
use crate::StartError;
use crate::clock::Clock;
use crate::config::BrokerConfig;
use crate::start::{self, Directories};

/// An open node without a broker.
pub(super) struct Target {
    pub(super) settings: Arc<BrokerConfig>,
    pub(super) clock: Clock,
    directories: Directories,
    quorum: Quorum,
    epoch: i32,
    /// Takes what the quorum tells of: it waits for that.
    drain: JoinHandle<()>,
    /// Directories whose logs are whole, so that they are marked so at the end.
    whole: Vec<Arc<LogDir>>,
    /// Logs go into one directory after the other.
    next: AtomicUsize,
}

/// Where a new partition leads, and in which epoch at least.
pub(super) struct Place {
    pub(super) log_dir: Arc<LogDir>,
    record: PartitionRecord,
}

impl Target {
    /// Locks the directories, formats those that are new, and opens the metadata log, or begins it.
    pub(super) async fn open(settings: BrokerConfig, clock: Clock) -> Result<Self, RestoreError> {
        let settings = Arc::new(settings);
        let opened = Arc::clone(&settings);
        let directories = tokio::task::spawn_blocking(move || start::open_directories(&opened));
        let directories = directories.await.map_err(StartError::from)??;
        let all = directories.log_dirs.all().iter().chain([&directories.metadata]);
        let is_whole = |log_dir: &LogDir| log_dir.was_clean() || log_dir.logs().is_ok_and(|logs| logs.is_empty());
        let whole = all.filter(|log_dir| is_whole(log_dir)).map(Arc::clone).collect();
        let bound = start::bind(&settings).await.map_err(StartError::Listener)?;
        let truth = start::start_quorum(&settings, &directories, &bound, clock).await?;
        let mut updates = truth.updates;
        let drain = tokio::spawn(async move { while updates.recv().await.is_some() {} });
        let epoch = truth.quorum.leadership().await?.epoch;
        let next = AtomicUsize::new(0);
        Ok(Self { settings, clock, directories, quorum: truth.quorum, epoch, drain, whole, next })
    }

    pub(super) fn image(&self) -> Arc<Image> {
        self.quorum.image()
    }

    pub(super) fn check_absent(&self, name: &Arc<str>) -> Result<(), RestoreError> {
        match self.image().topics().by_name(name) {
            Some(topic) => Err(RestoreError::Exists { name: Arc::clone(name), id: format_uuid(topic.id()) }),
            None => Ok(()),
        }
    }

    /// Creates a topic: its folders first.
    pub(super) async fn create(&self, topic: &TopicPlan) -> Result<(), RestoreError> {
        let mut places = Vec::new();
        for (index, partition) in (0..).zip(&topic.partitions) {
            let name = TopicPartition::new(Arc::clone(&topic.name), index);
            let place = self.place(&name, topic.id, partition.leader_epoch)?;
            if let Some(contents) = &partition.contents {
                begin_behind(&place.log_dir, &name, topic.id, contents)?;
            }
            places.push(place);
        }
        self.write_topic(&topic.name, topic.id, &topic.configs, places).await
    }

    /// A place for a new partition; a folder of its name that nobody knows is set aside.
    pub(super) fn place(
        &self,
        name: &TopicPartition,
        topic_id: Uuid,
        leader_epoch: i32,
    ) -> Result<Place, RestoreError> {
        let log_dirs: Vec<&Arc<LogDir>> = self.directories.log_dirs.online().collect();
        for log_dir in &log_dirs {
            if log_dir.file_system().exists(&log_dir.folder(name))? {
                log_dir.set_stray(name, Uuid::new_v4())?;
            }
        }
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let log_dir = turn.checked_rem(log_dirs.len()).and_then(|turn| log_dirs.get(turn));
        let log_dir = Arc::clone(log_dir.ok_or(storage::log_dir::LogDirError::NoneLeft)?);
        let node_id = self.settings.node_id;
        let record = PartitionRecord {
            partition_id: name.partition,
            topic_id,
            replicas: vec![node_id],
            isr: vec![node_id],
            leader: node_id,
            leader_epoch,
            partition_epoch: 0,
            directories: vec![log_dir.directory_id().unwrap_or_default()],
            ..PartitionRecord::default()
        };
        Ok(Place { log_dir, record })
    }

    /// The log of a partition that the metadata knows, where it is.
    pub(super) fn existing_log(&self, name: &TopicPartition, topic_id: Uuid) -> Result<Arc<Log>, RestoreError> {
        let log_dirs = &self.directories.log_dirs;
        let image = self.image();
        let state = image.topics().by_id(topic_id).and_then(|topic| topic.partition(name.partition));
        let noted = state.and_then(|state| state.directory(self.settings.node_id)).and_then(|id| log_dirs.by_id(id));
        let held =
            log_dirs.online().find(|log_dir| log_dir.file_system().exists(&log_dir.folder(name)).unwrap_or(false));
        let log_dir = held.or(noted).or_else(|| log_dirs.for_new_log());
        let log_dir = log_dir.ok_or(storage::log_dir::LogDirError::NoneLeft)?;
        Ok(Log::open(log_dir, name.clone(), topic_id, storage::LogConfig::default()))
    }

    /// Lets the cluster know a topic whose folders are there.
    pub(super) async fn write_topic(
        &self,
        name: &Arc<str>,
        id: Uuid,
        configs: &[(Arc<str>, Arc<str>)],
        places: Vec<Place>,
    ) -> Result<(), RestoreError> {
        let config = |(key, value): &(Arc<str>, Arc<str>)| ConfigRecord {
            resource_type: ConfigResourceType::Topic.id(),
            resource_name: Arc::clone(name),
            name: Arc::clone(key),
            value: Some(Arc::clone(value)),
        };
        let mut records: Vec<MetadataRecord> = vec![TopicRecord { name: Arc::clone(name), topic_id: id }.into()];
        records.extend(configs.iter().map(|pair| MetadataRecord::from(config(pair))));
        records.extend(places.into_iter().map(|place| MetadataRecord::from(place.record)));
        self.write(records).await
    }

    /// New producers get ids that those of the lost cluster cannot have: they count from 0, these from the time in milliseconds.
    pub(super) async fn reserve_producer_ids(&self) -> Result<(), RestoreError> {
        let next_producer_id = self.clock.now_ms();
        if self.image().next_producer_id().is_some_and(|next| next >= next_producer_id) {
            return Ok(());
        }
        let record = ProducerIdsRecord { broker_id: self.settings.node_id, broker_epoch: -1, next_producer_id };
        self.write(vec![record.into()]).await
    }

    async fn write(&self, records: Vec<MetadataRecord>) -> Result<(), RestoreError> {
        for batch in records.chunks(MAX_RECORDS_PER_BATCH) {
            self.quorum.propose(self.epoch, batch.to_vec()).await?;
        }
        Ok(())
    }

    /// Closes everything, as a broker does that stops in order.
    pub(super) async fn close(self) -> Result<(), RestoreError> {
        self.quorum.shutdown().await?;
        self.drain.abort();
        for log_dir in &self.whole {
            let broker_epoch = log_dir.last_shutdown().broker_epoch.unwrap_or(-1);
            log_dir.write_checkpoints()?;
            log_dir.mark_clean_shutdown(broker_epoch)?;
        }
        Ok(())
    }
}
