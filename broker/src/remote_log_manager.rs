//! The task that moves segments between the local logs and the cold tier: so many partitions at a time, the one that waited
//! longest first, and one that fails again and again ever more seldom. Source: `RemoteLogManager`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use protocol::ids::Uuid;
use storage::remote_log::object_store::path::Path;
use storage::remote_log::{
    CopyListener, Idle, Mover, ProbeError, RemoteError, RemotePartition, RemoteSegment, RemoteView, Step, StepInput,
    probe,
};
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;

use crate::config::RemoteSettings;
use crate::remote_description::TopicDescriptions;
use crate::remote_log_metadata::RemoteLogEvents;
use crate::replica::{Partition, PartitionError, Tier};
use crate::services::Services;
use crate::tasks::stopped;

/// After so many steps a partition lets others go first.
const STEPS: usize = 8;
/// How often it is looked for partitions that are due, at least.
const ROUND: Duration = Duration::from_secs(1);
/// How long a stop waits for uploads that are under way.
const FINISH: Duration = Duration::from_secs(5);
/// How soon after a failed start, or a topic's failed deletion, the store is tried again.
const PROBE_AGAIN: Duration = Duration::from_secs(5);

/// A partition of a topic, which one of the same name made later is not.
type Key = (Uuid, i32);

/// Works until the stop.
pub(crate) async fn run(
    services: Arc<Services>,
    tier: Arc<Tier>,
    descriptions: Arc<TopicDescriptions>,
    events: Arc<RemoteLogEvents>,
    mut stop: watch::Receiver<bool>,
) {
    tokio::select! {
        is_usable = wait_for_store(&tier) => if !is_usable { return },
        () = stopped(&mut stop) => return,
    }
    let mut manager = RemoteLogManager {
        services,
        tier,
        descriptions,
        events,
        slots: HashMap::new(),
        deleted: Vec::new(),
        running: JoinSet::new(),
        next_sweep: Some(Instant::now()),
        keys: HashMap::new(),
        stop: stop.clone(),
    };
    loop {
        manager.begin_due();
        let round = manager.settings().task_interval.min(ROUND);
        tokio::select! {
            Some(ended) = manager.running.join_next_with_id() => manager.joined(ended),
            () = tokio::time::sleep(round) => {}
            () = stopped(&mut stop) => break,
        }
    }
    // What takes longer is dropped: the next start looks at what became of it.
    let rest = async { while manager.running.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(FINISH, rest).await;
}

/// Tries the store until it answers clearly; false if it does not keep what the tier relies on.
async fn wait_for_store(tier: &Tier) -> bool {
    loop {
        match probe(tier.store(), &tier.folder()).await {
            Ok(()) => {
                tier.set_trouble(None);
                return true;
            }
            Err(error @ (ProbeError::Store(_) | ProbeError::Unclear)) => {
                let store = tier.store().name();
                tracing::warn!(store, %error, "the remote storage is not reached; segments stay local");
                tier.set_trouble(Some(format!("the remote storage is not reached: {error}")));
                tokio::time::sleep(PROBE_AGAIN).await;
            }
            Err(error) => {
                let store = tier.store().name();
                tracing::error!(store, %error, "the remote storage is refused; segments stay local");
                tier.set_trouble(Some(format!("the remote storage is refused: {error}")));
                return false;
            }
        }
    }
}

struct RemoteLogManager {
    services: Arc<Services>,
    tier: Arc<Tier>,
    descriptions: Arc<TopicDescriptions>,
    events: Arc<RemoteLogEvents>,
    slots: HashMap<Key, Slot>,
    /// Topics whose objects are to go.
    deleted: Vec<(Uuid, Path)>,
    running: JoinSet<Outcome>,
    /// When it is looked next for what no partition has; `None` while it is.
    next_sweep: Option<Instant>,
    /// Whose turn a running task is.
    keys: HashMap<Id, Key>,
    stop: watch::Receiver<bool>,
}

/// What is known of one partition between its turns.
struct Slot {
    /// `None` while it has its turn.
    mover: Option<Mover>,
    /// What was remote when it was last told.
    told: Option<Arc<RemoteView>>,
    due: Instant,
    failures: u32,
}

enum Outcome {
    Moved { key: Key, partition: Arc<Partition>, mover: Mover, result: Result<Turn, TurnError> },
    Purged { topic: (Uuid, Path), result: Result<usize, RemoteError> },
    Swept { result: Result<usize, RemoteError> },
}

/// How a turn ended.
enum Turn {
    /// There is more to do.
    More,
    Nothing(Idle),
}

#[derive(Debug, thiserror::Error)]
enum TurnError {
    #[error(transparent)]
    Remote(#[from] RemoteError),
    #[error(transparent)]
    Partition(#[from] PartitionError),
}

impl RemoteLogManager {
    fn settings(&self) -> RemoteSettings {
        self.services.settings.remote_settings(self.services.metadata.image().configs())
    }

    /// Gives turns to those that are due, as far as there is room.
    fn begin_due(&mut self) {
        let settings = self.settings();
        let own = self.services.settings.remote.as_ref().map_or(u64::MAX, |remote| remote.upload_bytes_per_second);
        self.tier.store().uploads().set(settings.copy_bytes_per_second.min(own));
        self.tier.store().downloads().set(settings.fetch_bytes_per_second);
        self.tier.set_disk_bytes(settings.disk_cache_bytes, settings.index_cache_bytes);
        self.forget_deleted();
        self.sweep_leavings(settings.orphan_grace);
        for (due, partition) in self.due() {
            // Whoever sweeps or deletes a topic takes no copier's place.
            if self.keys.len() >= settings.copiers {
                return;
            }
            tracing::trace!(partition = %partition.name(), waited = ?due.elapsed(), "looking at the remote log");
            self.begin(partition);
        }
    }

    /// Partitions whose time has come, the longest overdue first. Of a topic that was not published yet nothing could be told.
    fn due(&mut self) -> Vec<(Instant, Arc<Partition>)> {
        let now = Instant::now();
        let (table, image) = (self.services.replicas.table(), self.services.metadata.image());
        let is_known = |partition: &Partition| image.topics().by_id(partition.log().topic_id()).is_some();
        let moves = |partition: &&Arc<Partition>| partition.moves_segments() && is_known(partition);
        let mut due: Vec<_> = table.partitions().filter(moves).collect();
        due.retain(|partition| match self.slots.get(&key(partition)) {
            Some(slot) => slot.mover.is_some() && slot.due <= now,
            None => true,
        });
        let since = |partition: &Partition| self.slots.get(&key(partition)).map_or(now, |slot| slot.due);
        let mut due: Vec<_> = due.into_iter().map(|partition| (since(partition), Arc::clone(partition))).collect();
        due.sort_by_key(|(since, _)| *since);
        due
    }

    fn mover(&self, partition: &Partition, remote: &Arc<RemotePartition>) -> Mover {
        let (topic, remote_log) = (Arc::clone(&partition.name().topic), Arc::clone(remote));
        let listener = Copies { key: key(partition), topic, remote: remote_log, events: Arc::clone(&self.events) };
        self.tier.mover(remote).with_listener(Arc::new(listener))
    }

    fn begin(&mut self, partition: Arc<Partition>) {
        let key = key(&partition);
        let known = self.slots.get_mut(&key).and_then(|slot| slot.mover.take());
        let mover = known.or_else(|| Some(self.mover(&partition, partition.tiered().remote()?)));
        let Some(mover) = mover else {
            // Its log is not in memory: the next round finds it there.
            load(&partition);
            return;
        };
        self.slots.entry(key).or_insert(Slot { mover: None, told: None, due: Instant::now(), failures: 0 });
        let (clock, stop) = (self.services.clock, self.stop.clone());
        let descriptions = Arc::clone(&self.descriptions);
        let grace_ms = i64::try_from(self.settings().orphan_grace.as_millis()).unwrap_or(i64::MAX);
        let task = self.running.spawn(async move {
            let mut mover = mover;
            let input = || partition.step_input(grace_ms, clock.now_ms());
            let result = if partition.is_abandoned() {
                abandon(&partition, &mut mover, input(), &descriptions).await
            } else if let Err(error) = descriptions.tell_of(key.0).await {
                // A restore must know what the topic is whose segments it finds.
                Err(error.into())
            } else {
                turn(&partition, &mut mover, input, &stop).await
            };
            Outcome::Moved { key, partition, mover, result }
        });
        self.keys.insert(task.id(), key);
    }

    fn joined(&mut self, ended: Result<(Id, Outcome), JoinError>) {
        match ended {
            Ok((id, outcome)) => {
                self.keys.remove(&id);
                self.ended(outcome);
            }
            Err(error) => {
                tracing::error!(%error, "a move of segments failed");
                // It begins anew.
                if let Some(key) = self.keys.remove(&error.id()) {
                    self.slots.remove(&key);
                }
            }
        }
    }

    fn ended(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Moved { key, partition, mover, result } => self.moved(key, &partition, mover, result),
            Outcome::Purged { topic, result: Err(error) } => {
                tracing::warn!(%error, "objects of a deleted topic are still there");
                self.tier.put_deleted(topic);
            }
            Outcome::Purged { topic: (id, folder), result: Ok(objects) } => {
                tracing::info!(%folder, objects, "deleted the remote objects of a topic");
                self.events.deleted(id);
                self.tier.is_deleted(id);
            }
            Outcome::Swept { result } => {
                match result {
                    Ok(0) => {}
                    Ok(count) => tracing::info!(count, "removed what killed brokers left in remote storage"),
                    Err(error) => {
                        tracing::warn!(%error, "what killed brokers left in remote storage may still be there")
                    }
                }
                self.next_sweep = Some(Instant::now() + self.settings().orphan_grace);
            }
        }
    }

    fn moved(&mut self, key: Key, partition: &Partition, mover: Mover, result: Result<Turn, TurnError>) {
        let settings = self.settings();
        let Some(slot) = self.slots.get_mut(&key) else { return };
        slot.mover = Some(mover);
        let now = Instant::now();
        let (pause, status) = match &result {
            Ok(Turn::More) => (Duration::ZERO, String::new()),
            Ok(Turn::Nothing(idle)) => (pause(partition, idle, settings.task_interval), idle.to_string()),
            Err(error) => (settings.backoff(slot.failures, rand::random()), error.to_string()),
        };
        slot.due = now + pause;
        slot.failures = if result.is_err() { slot.failures.saturating_add(1) } else { 0 };
        if let Err(TurnError::Remote(error)) = &result {
            let is_deletion = error.is_of_deletion();
            partition
                .tiered()
                .count(|traffic| if is_deletion { traffic.delete_failed() } else { traffic.copy_failed() });
        }
        let Some(remote) = partition.tiered().remote() else { return };
        let view = remote.view();
        let is_told = slot.told.as_ref().is_some_and(|told| Arc::ptr_eq(told, &view));
        if result.is_err() {
            // What is known may be less than there is, if the store was not reached since the start: the next success tells.
            slot.told = None;
        } else if !is_told {
            // Held, so that a change makes another one.
            slot.told = Some(Arc::clone(&view));
            self.events.changed(key, &partition.name().topic, view, None);
        }
        if remote.status() != status {
            match &result {
                Err(error) => tracing::warn!(partition = %partition.name(), %error, "segments are not moved"),
                Ok(Turn::Nothing(idle @ Idle::LocalIsBehind { .. })) => {
                    tracing::error!(partition = %partition.name(), "segments are not moved: {idle}");
                }
                Ok(_) => tracing::debug!(partition = %partition.name(), status, "remote log"),
            }
            remote.set_status(status);
        }
    }

    /// Looks for what no partition has, as often as something may have become old enough.
    fn sweep_leavings(&mut self, grace: Duration) {
        if self.next_sweep.take_if(|due| *due <= Instant::now()).is_none() {
            return;
        }
        let tier = Arc::clone(&self.tier);
        let grace_ms = i64::try_from(grace.as_millis()).unwrap_or(i64::MAX);
        let young_ms = self.services.clock.now_ms().saturating_sub(grace_ms);
        self.running.spawn(async move {
            Outcome::Swept { result: tier.store().sweep_leavings(&tier.folder(), young_ms).await }
        });
    }

    /// Forgets partitions that are not here any more, and lets the objects of deleted topics go once nobody writes there.
    fn forget_deleted(&mut self) {
        let table = self.services.replicas.table();
        self.slots.retain(|(topic_id, index), slot| {
            slot.mover.is_none() || table.by_id(*topic_id).is_some_and(|topic| topic.partition(*index).is_some())
        });
        self.deleted.extend(self.tier.take_deleted());
        let is_busy = |id: Uuid| self.slots.keys().any(|(topic_id, _)| *topic_id == id);
        let (waiting, free) = std::mem::take(&mut self.deleted).into_iter().partition(|(id, _)| is_busy(*id));
        self.deleted = waiting;
        for topic in free {
            let (tier, mut stop) = (Arc::clone(&self.tier), self.stop.clone());
            self.running.spawn(async move {
                let result = tier.store().delete_topic(topic.0, &topic.1).await;
                if result.is_err() {
                    let _ = tokio::time::timeout(PROBE_AGAIN, stopped(&mut stop)).await;
                }
                Outcome::Purged { topic, result }
            });
        }
    }
}

/// Tells of the copies of one partition.
#[derive(Debug)]
struct Copies {
    key: Key,
    topic: Arc<str>,
    remote: Arc<RemotePartition>,
    events: Arc<RemoteLogEvents>,
}

impl CopyListener for Copies {
    fn copy_begins(&self, segment: &Arc<RemoteSegment>) {
        self.events.changed(self.key, &self.topic, self.remote.view(), Some(Arc::clone(segment)));
    }
}

/// How long a partition is left alone that has nothing to move. Where records must not wait for their segment to be full, it is looked
/// at when they are due.
fn pause(partition: &Partition, idle: &Idle, task_interval: Duration) -> Duration {
    let due_ms = match idle {
        Idle::Collecting { due_ms, .. } => Some(*due_ms),
        _ => partition.max_unsaved_ms(),
    };
    let due = due_ms.and_then(|due_ms| u64::try_from(due_ms).ok()).map(Duration::from_millis);
    due.map_or(task_interval, |due| due.min(task_interval))
}

fn key(partition: &Partition) -> Key {
    (partition.log().topic_id(), partition.name().partition)
}

fn load(partition: &Arc<Partition>) {
    let partition = Arc::clone(partition);
    tokio::task::spawn_blocking(move || {
        if let Err(error) = partition.load_remote() {
            tracing::debug!(partition = %partition.name(), %error, "the log is not loaded yet");
        }
    });
}

/// Lets everything remote go, and what was told of the topic.
async fn abandon(
    partition: &Partition,
    mover: &mut Mover,
    input: Result<StepInput, PartitionError>,
    descriptions: &TopicDescriptions,
) -> Result<Turn, TurnError> {
    let log = partition.log().clone();
    let objects = mover.leave(&log, &input?).await?;
    partition.note_remote(&log)?;
    tracing::info!(partition = %partition.name(), objects, "deleted the remote log: the topic is not tiered any more");
    if let Err(error) = descriptions.take_back(log.topic_id()).await {
        tracing::warn!(partition = %partition.name(), %error, "a topic that is not tiered any more is still described");
    }
    Ok(Turn::Nothing(Idle::UpToDate))
}

/// Some steps of one partition.
async fn turn(
    partition: &Arc<Partition>,
    mover: &mut Mover,
    input: impl Fn() -> Result<StepInput, PartitionError>,
    stop: &watch::Receiver<bool>,
) -> Result<Turn, TurnError> {
    for _ in 0..STEPS {
        if *stop.borrow() {
            break;
        }
        let input = input()?;
        let log = partition.log().clone();
        let step = mover.step(&log, &input).await?;
        report(partition, &step);
        partition.note_remote(&log)?;
        if let Step::Nothing(idle) = step {
            return Ok(Turn::Nothing(idle));
        }
        partition.follow_log_start()?;
    }
    Ok(Turn::More)
}

fn report(partition: &Partition, step: &Step) {
    let tiered = partition.tiered();
    let partition = partition.name();
    match step {
        Step::Copied { base_offset, end_offset, size_bytes } => {
            tiered.count(|traffic| traffic.copied(*size_bytes));
            tracing::info!(%partition, base_offset, end_offset, size_bytes, "copied segment to remote storage");
        }
        Step::Rolled { base_offset } => tracing::debug!(%partition, base_offset, "closed segment whose records waited"),
        Step::Mirrored { base_offset, end_offset, size_bytes, replaced } => {
            tiered.count(|traffic| {
                traffic.copied(*size_bytes);
                traffic.deleted(*replaced as u64);
            });
            tracing::info!(%partition, base_offset, end_offset, size_bytes, replaced, "copied cleaned segment to remote storage");
        }
        Step::Unchanged { base_offset, end_offset } => {
            tracing::debug!(%partition, base_offset, end_offset, "the cleaned segment is remote already");
        }
        Step::Expired { log_start_offset, reason } => {
            tracing::info!(%partition, log_start_offset, ?reason, "remote segments have expired");
        }
        Step::Deleted { count } => {
            tiered.count(|traffic| traffic.deleted(*count as u64));
            tracing::info!(%partition, count, "deleted remote segments");
        }
        Step::Swept { count } => tracing::info!(%partition, count, "removed remote objects that nothing names"),
        Step::Left { count } => {
            tracing::info!(%partition, count, "deleted the remote log: the topic had left the tier")
        }
        Step::Nothing(_) => {}
    }
}
