//! The replicas that this broker holds: what the cluster's metadata says they are, and their logs.
//! Source: `ReplicaManager`.

mod cleaner;
mod flusher;
mod loading;
mod moves;
mod partition;
mod recovery;
mod remote;
mod replay;
mod stall;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod throttle;
mod tier;
mod wait;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use imbl::HashMap as SharedMap;
use protocol::ids::{TopicPartition, Uuid};
use raft::image::{ConfigDelta, ConfigResourceType, Image, PartitionImage, TopicImage, Update};
use storage::log_dir::Offline;
use storage::{Log, LogDir, LogDirs, partition_metadata};

use crate::metrics::Totals;

pub use cleaner::LogCleaner;
pub use flusher::{FlushHold, Flusher};
pub use moves::{AlterLogDirError, DescribedLog, MoveStep, Moves};
pub use partition::{Durability, FetchLimits, Partition, PartitionError, PartitionRead, TopicSettings};
pub use recovery::{Recovery, RecoveryProgress};
pub use remote::CopyLag;
pub use replay::replay;
pub use stall::{Stall, blocking};
pub use tier::{RemoteRead, Tier, Tiered, TopicTier};
pub use wait::{Interest, Watch};

/// Syncs that a clean stop has in flight: most of a sync is waiting.
const CLOSING_THREADS: usize = 8;

/// Partitions of one topic; `None` where this broker holds no replica.
#[derive(Clone, Debug)]
pub struct TopicReplicas {
    pub name: Arc<str>,
    pub id: Uuid,
    partitions: Vec<Option<Arc<Partition>>>,
}

impl TopicReplicas {
    /// The replica of partition `index`.
    pub fn partition(&self, index: i32) -> Option<&Arc<Partition>> {
        self.partitions.get(usize::try_from(index).ok()?)?.as_ref()
    }
}

/// All replicas, as one immutable table: a request looks at one state of it.
#[derive(Clone, Debug, Default)]
pub struct ReplicaTable {
    by_name: SharedMap<Arc<str>, Arc<TopicReplicas>>,
    by_id: SharedMap<Uuid, Arc<TopicReplicas>>,
}

impl ReplicaTable {
    pub fn by_name(&self, name: &str) -> Option<&Arc<TopicReplicas>> {
        self.by_name.get(name)
    }

    pub fn by_id(&self, id: Uuid) -> Option<&Arc<TopicReplicas>> {
        self.by_id.get(&id)
    }

    /// Every replica, in no order.
    pub fn partitions(&self) -> impl Iterator<Item = &Arc<Partition>> {
        self.by_id.values().flat_map(|topic| topic.partitions.iter().flatten())
    }

    fn insert(&mut self, topic: TopicReplicas) {
        let topic = Arc::new(topic);
        self.by_name.insert(Arc::clone(&topic.name), Arc::clone(&topic));
        self.by_id.insert(topic.id, topic);
    }

    fn remove(&mut self, id: Uuid) -> Option<Arc<TopicReplicas>> {
        let topic = self.by_id.remove(&id)?;
        // The name may already belong to a topic that was made since.
        if self.by_name.get(&topic.name).is_some_and(|named| named.id == id) {
            self.by_name.remove(&topic.name);
        }
        Some(topic)
    }
}

/// Works out a topic's settings from an image.
pub type SettingsOf = Box<dyn Fn(&Image, &TopicImage) -> TopicSettings + Send + Sync>;

/// Opens, keeps and removes the replicas of this broker as the metadata says.
pub struct ReplicaManager {
    broker_id: i32,
    log_dirs: LogDirs,
    settings_of: SettingsOf,
    moves: Moves,
    /// One for each of `log_dirs`, in their order.
    stalls: Vec<Arc<Stall>>,
    table: ArcSwap<ReplicaTable>,
    /// Every log that a crash left behind is recovered.
    is_recovered: AtomicBool,
    recovery: Recovery,
    /// What went through partitions that were deleted since.
    deleted_traffic: Mutex<Totals>,
    /// Nothing was applied yet. Serialises changes of the table.
    is_first: Mutex<bool>,
    flusher: Arc<Flusher>,
    tier: Option<Arc<Tier>>,
}

impl ReplicaManager {
    pub fn new(broker_id: i32, log_dirs: LogDirs, settings_of: SettingsOf, flusher: Arc<Flusher>) -> Self {
        Self {
            broker_id,
            moves: Moves::default(),
            stalls: log_dirs.all().iter().map(|_| Arc::default()).collect(),
            log_dirs,
            settings_of,
            table: ArcSwap::default(),
            is_recovered: AtomicBool::new(false),
            recovery: Recovery::default(),
            deleted_traffic: Mutex::default(),
            is_first: Mutex::new(true),
            flusher,
            tier: None,
        }
    }

    /// With a cold tier. To be said before anything is applied.
    pub fn with_tier(self, tier: Option<Arc<Tier>>) -> Self {
        Self { tier, ..self }
    }

    /// The cold tier, if the broker has one.
    pub fn tier(&self) -> Option<&Arc<Tier>> {
        self.tier.as_ref()
    }

    /// The replicas now.
    pub fn table(&self) -> arc_swap::Guard<Arc<ReplicaTable>> {
        self.table.load()
    }

    pub fn log_dirs(&self) -> &LogDirs {
        &self.log_dirs
    }

    pub fn flusher(&self) -> &Arc<Flusher> {
        &self.flusher
    }

    /// How far the recovery after a crash has come.
    pub fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// What went through partitions that were deleted since the start: sums over all partitions never go back.
    pub fn deleted_traffic(&self) -> Totals {
        *self.deleted_traffic.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over a new state of the cluster: what was created is opened, what was deleted goes, settings change.
    /// Costs what changed. The first image must be the whole truth: folders that it does not explain are set aside.
    pub fn apply(&self, update: &Update, now_ms: i64) {
        let mut is_first = self.is_first.lock().unwrap_or_else(PoisonError::into_inner);
        let is_start = std::mem::take(&mut *is_first);
        if is_start {
            self.set_strays_aside(&update.image);
        }
        let mut table = ReplicaTable::clone(&self.table.load());
        for deleted in &update.delta.deleted_topics {
            if let Some(topic) = table.remove(deleted.id()) {
                self.delete(&topic, now_ms);
            }
        }
        let is_new = update.delta.topics.iter().any(|topic| topic.created);
        let found = if is_new { self.find_folders(is_start.then_some(&update.image)) } else { HashMap::new() };
        for changed in &update.delta.topics {
            let known = table.by_id(changed.topic.id()).cloned();
            table.insert(self.replicas_of(&update.image, &changed.topic, known.as_deref(), &found));
        }
        self.change_settings(update, &table);
        self.table.store(Arc::new(table));
        if is_start {
            self.resume_moves();
        }
    }

    /// Settings of topics change with their own keys, and all of them with a broker's.
    fn change_settings(&self, update: &Update, table: &ReplicaTable) {
        let changed = |kind| {
            let of_kind = move |change: &&ConfigDelta| change.resource.resource_type == kind;
            update.delta.configs.iter().filter(of_kind)
        };
        let change = |replicas: &TopicReplicas| {
            if let Some(topic) = update.image.topics().by_name(&replicas.name) {
                let settings = Arc::new((self.settings_of)(&update.image, topic));
                replicas.partitions.iter().flatten().for_each(|partition| partition.set_settings(&settings));
            }
        };
        if changed(ConfigResourceType::Broker).next().is_some() {
            table.by_id.values().for_each(|replicas| change(replicas));
            return;
        }
        for changed in changed(ConfigResourceType::Topic) {
            if let Some(replicas) = table.by_name(&changed.resource.name) {
                change(replicas);
            }
        }
    }

    /// Which directory holds the folder of which partition; asked once for many, so that starting with thousands of
    /// partitions lists each directory once. At the start, with the first image, of two folders of one partition one is set
    /// aside; later, such a pair is the end of a move.
    fn find_folders(&self, first: Option<&Image>) -> HashMap<TopicPartition, Arc<LogDir>> {
        let mut found: HashMap<TopicPartition, Arc<LogDir>> = HashMap::new();
        if self.log_dirs.all().len() == 1 {
            return found;
        }
        for log_dir in self.log_dirs.online() {
            for partition in log_dir.logs().unwrap_or_default() {
                let kept = match (found.get(&partition), first) {
                    (Some(other), Some(image)) => self.keep_one(image, &partition, [other, log_dir]),
                    _ => Arc::clone(log_dir),
                };
                found.insert(partition, kept);
            }
        }
        found
    }

    fn replicas_of(
        &self,
        image: &Image,
        topic: &TopicImage,
        known: Option<&TopicReplicas>,
        found: &HashMap<TopicPartition, Arc<LogDir>>,
    ) -> TopicReplicas {
        let settings = Arc::new((self.settings_of)(image, topic));
        let partitions = topic.partitions().map(|(index, state)| {
            if !state.replicas().contains(&self.broker_id) {
                return None;
            }
            let is_leader = state.leader() == self.broker_id;
            let is_single = state.replicas().len() == 1;
            if let Some(partition) = known.and_then(|known| known.partition(index)) {
                partition.set_role(is_leader, state.leader_epoch());
                return Some(Arc::clone(partition));
            }
            let name = TopicPartition::new(Arc::clone(topic.name()), index);
            let log_dir = found.get(&name).cloned().or_else(|| self.directory_for(&name, state))?;
            self.note_directory(topic.id(), index, state, &log_dir);
            let log_dir = &log_dir;
            let log = Log::open(log_dir, name, topic.id(), settings.log.clone());
            let stall = self.stall_of(log_dir);
            let partition = Partition::new(log, &settings, is_single, Arc::downgrade(&self.flusher), stall)
                .with_tier(self.tier.clone());
            partition.set_role(is_leader, state.leader_epoch());
            Some(Arc::new(partition))
        });
        TopicReplicas { name: Arc::clone(topic.name()), id: topic.id(), partitions: partitions.collect() }
    }

    fn stall_of(&self, log_dir: &Arc<LogDir>) -> Arc<Stall> {
        let place = self.log_dirs.all().iter().position(|other| Arc::ptr_eq(other, log_dir));
        place.and_then(|place| self.stalls.get(place)).cloned().unwrap_or_default()
    }

    fn delete(&self, topic: &TopicReplicas, now_ms: i64) {
        let is_remote = topic.partitions.iter().flatten().any(|partition| partition.moves_segments());
        if let Some(tier) = self.tier.as_ref().filter(|_| is_remote) {
            tier.delete_topic(topic.id, &topic.name);
        }
        for partition in topic.partitions.iter().flatten() {
            partition.set_role(false, partition.leader_epoch());
            *self.deleted_traffic.lock().unwrap_or_else(PoisonError::into_inner) += partition.traffic().totals();
            if let Err(error) = partition.delete(now_ms) {
                tracing::error!(partition = %partition.name(), %error, "cannot delete the log");
            }
        }
    }

    /// Brings every log that has a folder into memory, `threads` at a time: after a crash, so that all are recovered
    /// soon and not only those that somebody asks for.
    pub fn recover_all(&self, threads: usize) {
        let table = self.table.load_full();
        let with_folder: Vec<TopicPartition> =
            self.log_dirs.online().flat_map(|log_dir| log_dir.logs().unwrap_or_default()).collect();
        let failed = AtomicBool::new(false);
        self.recovery.begin(with_folder.len());
        in_parallel(threads, &with_folder, |name| {
            let _step = self.recovery.step();
            let topic = table.by_name(&name.topic);
            let Some(partition) = topic.and_then(|topic| topic.partition(name.partition)) else { return };
            while let Err(error) = partition.load() {
                // Whoever loads it instead does the same.
                if !matches!(error, PartitionError::Loading) {
                    failed.store(true, Ordering::Release);
                    tracing::error!(partition = %name, %error, "cannot recover the log");
                    return;
                }
            }
        });
        self.is_recovered.store(!failed.into_inner(), Ordering::Release);
        self.recovery.end();
    }

    /// Gives folders of partitions that this broker does not hold any more another name, as Kafka does, and keeps them:
    /// what a deletion left behind that was not finished (`LogManager.isStrayKraftReplica`).
    fn set_strays_aside(&self, image: &Image) {
        for log_dir in self.log_dirs.online() {
            for name in log_dir.logs().unwrap_or_default() {
                if !self.is_held(image, log_dir, &name) {
                    // A failure took the directory offline and said so.
                    let _ = log_dir.set_stray(&name, Uuid::new_v4());
                }
            }
        }
    }

    /// Whether the folder of `name` belongs to a partition that this broker holds. Ids of topics are compared after a
    /// crash only: a clean stop finishes deletions first.
    fn is_held(&self, image: &Image, log_dir: &LogDir, name: &TopicPartition) -> bool {
        let Some(topic) = image.topics().by_name(&name.topic) else { return false };
        let is_replica = |state: &PartitionImage| state.replicas().contains(&self.broker_id);
        let stored = || partition_metadata::load(log_dir.file_system(), &log_dir.folder(name));
        topic.partition(name.partition).is_some_and(is_replica)
            && (log_dir.was_clean() || stored().map_or(true, |id| id.is_none_or(|id| id == topic.id())))
    }

    /// Lets old segments go, and forgets idle producers. Blocks for as long as files take.
    pub fn clean_up(&self, now_ms: i64) {
        for partition in self.table.load().partitions() {
            if !partition.is_loaded() {
                continue;
            }
            partition.log().expire_producers(now_ms);
            if let Err(error) = partition.delete_old_segments(now_ms) {
                tracing::error!(partition = %partition.name(), %error, "cannot apply retention");
            }
        }
        for log_dir in self.log_dirs.online() {
            let _: Result<_, Offline> = log_dir.delete_step(now_ms);
        }
    }

    /// Writes recovery points, log start offsets and high watermarks of all directories.
    pub fn write_checkpoints(&self) {
        let mut high_watermarks: HashMap<*const LogDir, HashMap<TopicPartition, i64>> = HashMap::new();
        for partition in self.table.load().partitions() {
            if let Some(high_watermark) = partition.known_high_watermark() {
                let of_dir = high_watermarks.entry(Arc::as_ptr(partition.log().log_dir())).or_default();
                of_dir.insert(partition.name().clone(), high_watermark);
            }
        }
        for log_dir in self.log_dirs.online() {
            let offsets = high_watermarks.remove(&Arc::as_ptr(log_dir)).unwrap_or_default();
            // A failure took the directory offline and said so.
            let _ = log_dir.write_checkpoints().and_then(|()| log_dir.write_high_watermarks(&offsets));
        }
    }

    /// Flushes what was written since the last round and nobody waited for, in the background, and notes how far
    /// everything is flushed, so that a restart after a crash reads only what came later. To be called each second.
    pub fn flush_round(&self) {
        self.flusher.begin_round();
        for log_dir in self.log_dirs.online() {
            // A failure took the directory offline and said so.
            let _ = log_dir.write_checkpoints();
        }
    }

    /// Closes every log and leaves the marker of a clean stop. Nothing may be appended afterwards.
    pub fn close(&self, broker_epoch: i64) {
        let table = self.table.load_full();
        let partitions: Vec<&Arc<Partition>> = table.partitions().collect();
        in_parallel(CLOSING_THREADS, &partitions, |partition| {
            if let Err(error) = partition.close() {
                tracing::error!(partition = %partition.name(), %error, "cannot close the log");
            }
        });
        self.write_checkpoints();
        let is_recovered = self.is_recovered.load(Ordering::Acquire);
        // What a crash left behind and nobody looked at since is no cleaner than it was.
        for log_dir in self.log_dirs.online().filter(|log_dir| log_dir.was_clean() || is_recovered) {
            let _ = log_dir.mark_clean_shutdown(broker_epoch);
        }
    }
}

/// Works on `items` with so many threads, and returns when all are done.
fn in_parallel<T: Sync>(threads: usize, items: &[T], work: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..threads.clamp(1, items.len().max(1)) {
            scope.spawn(|| {
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    work(item);
                }
            });
        }
    });
}
