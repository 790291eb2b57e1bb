//! The one task beside the connections: loads partitions, lets timers run out, sees to what follows when records are committed,
//! and looks for what has expired.

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use protocol::coordinator_record::CoordinatorRecord;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use super::consumer;
use super::effects::{Effects, Then};
use super::loader::{self, LoadError, Loading};
use super::slot::{Phase, Slot};
use super::{GroupCoordinator, GroupError, append_error};

/// Partitions that are loaded at a time: each holds a buffer.
const LOADERS: usize = 2;

/// Something to do that nobody's connection should wait for, or that must happen though the connection may end.
pub(super) enum Work {
    Load(Arc<Slot>),
    /// Wait until the records of an event are committed, then do what follows.
    Commit {
        slot: Arc<Slot>,
        group: Arc<str>,
        end_offset: i64,
        then: Then,
    },
    /// Find what the regular expressions of a group match.
    Resolve {
        slot: Arc<Slot>,
        group: Arc<str>,
        regexes: Vec<Arc<str>>,
    },
}

impl GroupCoordinator {
    /// Works until `stop` is true, and then until everything that was begun is done.
    pub async fn work(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut running: FuturesUnordered<BoxFuture<'static, ()>> = FuturesUnordered::new();
        let loaders = Arc::new(Semaphore::new(LOADERS));
        let interval = self.config.retention_check_interval;
        let mut expiry = tokio::time::interval_at(Instant::now() + interval, interval);
        expiry.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            running.extend(self.take_inbox().into_iter().map(|work| self.begin(work, &loaders)));
            let deadline = self.lock_timers().next_deadline();
            tokio::select! {
                () = until(deadline) => self.run_timers(),
                () = self.wake.notified() => {}
                Some(()) = running.next(), if !running.is_empty() => {}
                _ = expiry.tick() => running.push(self.blocking(|coordinator| coordinator.expire())),
                () = crate::tasks::stopped(&mut stop) => break,
            }
        }
        while running.next().await.is_some() {}
    }

    fn take_inbox(&self) -> Vec<Work> {
        std::mem::take(&mut *self.inbox.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn begin(self: &Arc<Self>, work: Work, loaders: &Arc<Semaphore>) -> BoxFuture<'static, ()> {
        let coordinator = Arc::clone(self);
        match work {
            Work::Load(slot) => {
                let loaders = Arc::clone(loaders);
                Box::pin(async move {
                    // The semaphore is never closed.
                    let _permit = loaders.acquire().await;
                    coordinator.blocking(move |coordinator| coordinator.load(&slot)).await;
                })
            }
            Work::Commit { slot, group, end_offset, then } => Box::pin(async move {
                let result = slot.committed(end_offset, coordinator.config.commit_timeout).await;
                coordinator.committed(&slot, &group, then, result);
            }),
            Work::Resolve { slot, group, regexes } => {
                self.blocking(move |coordinator| coordinator.resolve(&slot, &group, &regexes))
            }
        }
    }

    /// Runs something that takes long off the runtime's workers.
    fn blocking(self: &Arc<Self>, work: impl FnOnce(&Arc<Self>) + Send + 'static) -> BoxFuture<'static, ()> {
        let coordinator = Arc::clone(self);
        Box::pin(async move {
            if let Err(error) = tokio::task::spawn_blocking(move || work(&coordinator)).await {
                tracing::error!(%error, "work on groups failed");
            }
        })
    }

    /// Reads a partition, and serves its groups from then on.
    fn load(self: &Arc<Self>, slot: &Arc<Slot>) {
        let is_over = || !matches!(slot.lock().phase, Phase::Loading) || !self.is_active.load(Ordering::Acquire);
        if is_over() {
            return;
        }
        let started = Instant::now();
        let loading =
            Loading { buffer_bytes: self.config.load_buffer_bytes, now_ms: self.clock.now_ms(), is_over: &is_over };
        let loaded = loader::load(&slot.partition, &loading);
        let mut state = slot.lock();
        if !matches!(state.phase, Phase::Loading) {
            return;
        }
        match loaded {
            Ok((mut shard, end_offset)) => {
                let (offsets, groups) = (shard.offset_count(), shard.groups().count());
                let topics = self.topics();
                let begun = shard.loaded(self.context(&topics));
                state.end_offset = end_offset;
                state.phase = Phase::Active(shard);
                for (group, effects) in begun {
                    self.try_carry_out(slot, &mut state, &group, effects);
                }
                let partition = slot.partition.name();
                if end_offset > 0 {
                    tracing::info!(%partition, groups, offsets, took = ?started.elapsed(), "groups loaded");
                }
            }
            Err(LoadError::GivenUp) => {}
            Err(error) => {
                state.phase = Phase::Failed;
                tracing::error!(partition = %slot.partition.name(), %error, "cannot load the groups");
            }
        }
    }

    /// The records of an event are committed, or are not.
    fn committed(self: &Arc<Self>, slot: &Arc<Slot>, group: &Arc<str>, then: Then, result: Result<(), GroupError>) {
        let mut state = slot.lock();
        // Whoever waits for an unloaded group was told already.
        let Ok(shard) = state.shard() else { return };
        let topics = self.topics();
        let context = self.context(&topics);
        if matches!((&then, &result), (Then::Assigned { .. }, Ok(()))) {
            self.counters.rebalanced();
        }
        let effects = match result {
            Ok(()) => shard.stored(group, then, context),
            Err(error) => shard.not_stored(group, then, &|| append_error(&error), context),
        };
        self.try_carry_out(slot, &mut state, group, effects);
    }

    /// Finds what regular expressions match, and tells their group. Blocks.
    fn resolve(self: &Arc<Self>, slot: &Arc<Slot>, group: &Arc<str>, regexes: &[Arc<str>]) {
        let topics = self.topics.load_full();
        let resolved = consumer::resolve(regexes, &topics, self.clock.now_ms());
        let mut state = slot.lock();
        let Ok(shard) = state.shard() else { return };
        let effects = shard.regexes_resolved(group, resolved, self.context(&topics));
        self.try_carry_out(slot, &mut state, group, effects);
    }

    /// Lets every timer run out whose time has come.
    fn run_timers(self: &Arc<Self>) {
        let now = Instant::now();
        let due = self.lock_timers().due(now);
        for key in due {
            let slot = self.slot(key.partition);
            let mut state = slot.as_ref().map(|slot| slot.lock());
            // Taken under the group's lock: a heartbeat that came first has set it again.
            if !self.lock_timers().take(&key, now) {
                continue;
            }
            if let (Some(slot), Some(state)) = (&slot, &mut state)
                && let Ok(shard) = state.shard()
            {
                let topics = self.topics();
                let effects = shard.timed_out(&key.group, &key.timer, self.context(&topics));
                self.try_carry_out(slot, state, &key.group, effects);
            }
        }
    }

    /// Deletes what has expired. Blocks.
    fn expire(self: &Arc<Self>) {
        self.for_every_group(|coordinator, slot, group| {
            let mut state = slot.lock();
            let Ok(shard) = state.shard() else { return };
            let topics = coordinator.topics();
            let effects = shard.expired(group, coordinator.context(&topics));
            let is_offset = |record: &&CoordinatorRecord| matches!(record, CoordinatorRecord::OffsetCommit(..));
            coordinator.counters.expired(effects.records.iter().filter(is_offset).count());
            coordinator.try_carry_out(slot, &mut state, group, effects);
        });
        for slot in self.all_slots() {
            if let Ok(shard) = slot.lock().shard() {
                shard.forget_unused_topics();
            }
        }
    }

    /// Deletes the offsets of topics that are gone. Blocks.
    pub(super) fn delete_offsets_of(self: &Arc<Self>, topics: &[Arc<str>]) {
        self.for_every_group(|coordinator, slot, group| {
            let mut state = slot.lock();
            let Ok(shard) = state.shard() else { return };
            let effects = shard.topics_deleted(group, topics);
            coordinator.try_carry_out(slot, &mut state, group, effects);
        });
    }

    /// Each group under its partition's lock for itself, so that requests come in between.
    fn for_every_group(self: &Arc<Self>, visit: impl Fn(&Arc<Self>, &Arc<Slot>, &Arc<str>)) {
        for slot in self.all_slots() {
            let groups: Vec<Arc<str>> = match slot.lock().shard() {
                Ok(shard) => shard.groups().map(|(id, _)| Arc::clone(id)).collect(),
                Err(_) => continue,
            };
            for group in groups {
                if !self.is_active.load(Ordering::Acquire) {
                    return;
                }
                visit(self, &slot, &group);
            }
        }
    }

    fn try_carry_out(&self, slot: &Arc<Slot>, state: &mut super::slot::State, group: &Arc<str>, effects: Effects) {
        if let Err(error) = self.carry_out(slot, state, group, effects) {
            tracing::warn!(%group, %error, "the group's records were not stored");
        }
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
