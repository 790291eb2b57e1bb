//! The group coordinator: groups of the classic and of the consumer protocol, and offsets. Source: `GroupCoordinatorService`,
//! `CoordinatorRuntime`.
//!
//! ```text
//! handlers ─► requests ─► slot (one lock a partition) ─► shard ─► classic, consumer, offsets      pure
//!                            │   ▲
//!                 records ──►│   │◄── worker: loads, timers, records that are committed
//!                        replica::Partition
//! ```
//!
//! - [`classic`], [`consumer`]: the state machines of one group's members, by the protocol that they speak; `offsets`: what it has
//!   committed; `shard`, `consumer_shard`, `offset_shard`: the groups of one partition of `__consumer_offsets`. Pure: (state, event, now) → effects,
//!   which are records, answers and timers.
//! - `slot`: the partition; appends the records of an event under the same lock, so that their order is that of the events.
//! - `worker`: the one task beside the connections; `loader`: reads a partition when this broker becomes its leader.
//! - `requests`, `consumer_requests`, `offset_requests`: what handlers call.
//!
//! # Invariants
//! - An answer is given when every record that it rests on is committed; so are the reads of offsets and groups.
//! - Offsets change by replay of their records only, in the order of the log.
//! - A heartbeat costs some look-ups and no record, however many groups there are.
//!
//! # Deliberately absent
//! Share and streams groups. Transactions: of those that another broker left in the log, pending
//! offsets are kept apart.

mod census;
pub mod classic;
pub mod consumer;
mod consumer_requests;
mod consumer_shard;
mod effects;
mod error;
mod loader;
mod members;
mod offset_requests;
mod offset_shard;
mod offset_snapshot;
mod offsets;
mod requests;
mod shard;
mod slot;
mod timers;
mod topic;
mod transactions;
mod worker;

#[cfg(test)]
mod loading_tests;

pub use census::{Census, CountedGroup, GroupTotals};
pub use effects::{Answer, JoinAnswer, JoinedMember, SyncAnswer};
pub use error::GroupError;
pub use offset_requests::{FetchedOffset, OffsetPlace, OffsetReader};
pub use offset_shard::{Commit, OffsetCommit};
pub use offset_snapshot::OffsetSnapshot;
pub use offsets::CommittedOffset;
pub use requests::{DescribedGroup, DescribedMember, GroupFilter, ListedGroup};
pub use topic::{OFFSETS_TOPIC, new_topic, partition_for};

use arc_swap::{ArcSwap, Guard};
use raft::image::{Delta, Image, TopicImage};
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use crate::clock::Clock;
use crate::config::GroupConfig;
use crate::replica::ReplicaTable;
use census::GroupCounters;
use classic::Context;
use consumer::Topics;
use effects::{Effects, Then, Ticket};
use slot::{Phase, Slot, State};
use timers::Timers;
use worker::Work;

/// The coordinator of every group whose partition this broker leads.
pub struct GroupCoordinator {
    config: GroupConfig,
    clock: Clock,
    node_id: i32,
    slots: RwLock<HashMap<i32, Arc<Slot>>>,
    /// Partitions of the topic, as configured until it exists.
    partition_count: AtomicI32,
    /// The topic as last seen in the metadata.
    topic: Mutex<Option<Arc<TopicImage>>>,
    /// All topics as last seen in the metadata.
    topics: ArcSwap<Topics>,
    timers: Mutex<Timers>,
    waiting: Mutex<HashMap<Ticket, oneshot::Sender<Answer>>>,
    next_ticket: AtomicU64,
    /// For the worker.
    inbox: Mutex<Vec<Work>>,
    wake: Notify,
    counters: GroupCounters,
    is_active: AtomicBool,
}

impl GroupCoordinator {
    pub fn new(config: GroupConfig, clock: Clock, node_id: i32) -> Self {
        Self {
            partition_count: AtomicI32::new(config.topic.partitions),
            config,
            clock,
            node_id,
            slots: RwLock::default(),
            topic: Mutex::default(),
            topics: ArcSwap::default(),
            timers: Mutex::default(),
            waiting: Mutex::default(),
            next_ticket: AtomicU64::new(0),
            inbox: Mutex::default(),
            wake: Notify::new(),
            counters: GroupCounters::default(),
            is_active: AtomicBool::new(true),
        }
    }

    pub fn config(&self) -> &GroupConfig {
        &self.config
    }

    /// The partition of a group.
    pub fn partition_for(&self, group: &str) -> i32 {
        topic::partition_for(group, self.partition_count.load(Ordering::Acquire))
    }

    /// Takes over who leads the topic's partitions: loads what this broker leads from now on, unloads what it does not lead any
    /// more. To be called when the replicas are there and before `image` is shown, with what differs from the one before; the offsets
    /// of topics that are gone go too, and before anybody can commit to a new topic of that name. Blocks if there are any.
    pub fn metadata_changed(self: &Arc<Self>, image: &Arc<Image>, replicas: &ReplicaTable, delta: &Delta) {
        if !self.is_active.load(Ordering::Acquire) {
            return;
        }
        self.see_topics(image, delta);
        let topic = image.topics().by_name(OFFSETS_TOPIC);
        let mut known = self.topic.lock().unwrap_or_else(PoisonError::into_inner);
        let is_same = match (topic, &*known) {
            (Some(topic), Some(known)) => Arc::ptr_eq(topic, known),
            (topic, known) => topic.is_none() && known.is_none(),
        };
        if !is_same {
            self.take_over(topic.map(|topic| &**topic), image, replicas);
            *known = topic.cloned();
        }
        let deleted: Vec<_> = delta.deleted_topics.iter().map(|topic| Arc::clone(topic.name())).collect();
        if !deleted.is_empty() {
            self.delete_offsets_of(&deleted);
        }
    }

    /// Lets groups see the topics as they are now. With the first image all are new.
    fn see_topics(&self, image: &Arc<Image>, delta: &Delta) {
        let (known, offset) = (self.topics.load(), image.offset());
        let is_first = known.image.offset() < 0;
        let is_created = is_first || delta.topics.iter().any(|topic| topic.created);
        let is_changed = is_created || !delta.topics.is_empty() || !delta.deleted_topics.is_empty();
        self.topics.store(Arc::new(Topics {
            image: Arc::clone(image),
            changed_at: if is_changed { offset } else { known.changed_at },
            created_at: if is_created { offset } else { known.created_at },
        }));
    }

    fn take_over(&self, topic: Option<&TopicImage>, image: &Image, replicas: &ReplicaTable) {
        let table = replicas.by_name(OFFSETS_TOPIC);
        let mut led = HashSet::new();
        for (index, state) in topic.into_iter().flat_map(TopicImage::partitions) {
            if state.leader() != self.node_id {
                continue;
            }
            let Some(partition) = table.and_then(|table| table.partition(index)) else { continue };
            led.insert(index);
            if self.slot(index).is_some_and(|slot| slot.leader_epoch == state.leader_epoch()) {
                continue;
            }
            self.unload(index);
            let slot = Arc::new(Slot::new(index, Arc::clone(partition), state.leader_epoch()));
            self.write_slots().insert(index, Arc::clone(&slot));
            self.give_work(Work::Load(slot));
        }
        let lost: Vec<i32> = self.read_slots().keys().copied().filter(|index| !led.contains(index)).collect();
        lost.into_iter().for_each(|index| self.unload(index));
        if let Some(topic) = topic {
            let count = i32::try_from(topic.partition_count()).unwrap_or(i32::MAX);
            self.partition_count.store(count, Ordering::Release);
            tracing::debug!(partitions = count, led = led.len(), offset = image.offset(), "groups taken over");
        }
    }

    /// Refuses everything from now on, and answers whoever waits.
    pub fn shutdown(&self) {
        self.is_active.store(false, Ordering::Release);
        let all: Vec<i32> = self.read_slots().keys().copied().collect();
        all.into_iter().for_each(|index| self.unload(index));
    }

    fn unload(&self, index: i32) {
        let Some(slot) = self.write_slots().remove(&index) else { return };
        let mut state = slot.lock();
        if let Phase::Active(mut shard) = std::mem::replace(&mut state.phase, Phase::Unloaded) {
            for (_, effects) in shard.unloaded(|| GroupError::NotCoordinator) {
                self.give_answers(effects.answers);
            }
            self.lock_timers().cancel_partition(index);
            tracing::info!(partition = %slot.partition.name(), "groups unloaded");
        }
    }

    /// Carries out what an event asks for. The caller holds the slot.
    ///
    /// # Errors
    /// The records were not appended, and nothing else happened: what has to follow a failure has been done.
    fn carry_out(
        &self,
        slot: &Arc<Slot>,
        state: &mut State,
        group: &Arc<str>,
        effects: Effects,
    ) -> Result<(), GroupError> {
        let Effects { records, then, answers, timers, resolve } = effects;
        let now_ms = self.clock.now_ms();
        if !records.is_empty() {
            match (slot.append(&records, self.config.topic.codec, now_ms), then) {
                (Ok(end_offset), then) => {
                    state.end_offset = end_offset;
                    self.counters.appended(&records);
                    self.appended(slot, state, group, &records, then)?;
                }
                (Err(error), None | Some(Then::Downgraded { .. })) => return Err(error),
                (Err(error), Some(then)) => {
                    tracing::warn!(%group, %error, "the group's records were not stored");
                    let topics = self.topics();
                    let context = self.context(&topics);
                    let failed = state.shard()?.not_stored(group, then, &|| append_error(&error), context);
                    self.carry_out(slot, state, group, failed)?;
                }
            }
        }
        let now = Instant::now();
        let mut comes_nearer = false;
        if !timers.is_empty() {
            let mut all = self.lock_timers();
            for change in timers {
                comes_nearer |= all.change(slot.index, group, change, now);
            }
        }
        if comes_nearer {
            self.wake.notify_one();
        }
        if let Some(regexes) = resolve
            && state.shard()?.begin_resolving(group)
        {
            self.give_work(Work::Resolve { slot: Arc::clone(slot), group: Arc::clone(group), regexes });
        }
        self.give_answers(answers);
        Ok(())
    }

    /// Replays what was appended, or lets the worker see to what follows when it is committed.
    fn appended(
        &self,
        slot: &Arc<Slot>,
        state: &mut State,
        group: &Arc<str>,
        records: &[protocol::coordinator_record::CoordinatorRecord],
        then: Option<Then>,
    ) -> Result<(), GroupError> {
        match then {
            Some(Then::Noted) => {}
            Some(Then::Downgraded { group: classic, rebalance }) => {
                let topics = self.topics();
                let effects = state.shard()?.downgraded(group, *classic, rebalance, self.context(&topics));
                self.carry_out(slot, state, group, effects)?;
            }
            Some(then) => {
                let (slot, group, end_offset) = (Arc::clone(slot), Arc::clone(group), state.end_offset);
                self.give_work(Work::Commit { slot, group, end_offset, then });
            }
            None => {
                let now_ms = self.clock.now_ms();
                let shard = state.shard()?;
                records.iter().for_each(|record| shard.replay(record, None, now_ms));
            }
        }
        Ok(())
    }

    fn give_answers(&self, answers: Vec<(Ticket, Answer)>) {
        if answers.is_empty() {
            return;
        }
        let mut waiting = self.lock_waiting();
        for (ticket, answer) in answers {
            if let Some(sender) = waiting.remove(&ticket) {
                // A client that is gone needs no answer.
                let _ = sender.send(answer);
            }
        }
    }

    /// A new ticket, and where its answer comes.
    fn ticket(&self) -> (Ticket, oneshot::Receiver<Answer>) {
        let ticket = self.next_ticket.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        self.lock_waiting().insert(ticket, sender);
        (ticket, answer)
    }

    fn give_work(&self, work: Work) {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner).push(work);
        self.wake.notify_one();
    }

    /// The topics now. An event takes them once.
    fn topics(&self) -> Guard<Arc<Topics>> {
        self.topics.load()
    }

    fn context<'a>(&'a self, topics: &'a Topics) -> Context<'a> {
        Context { config: &self.config, topics, now_ms: self.clock.now_ms() }
    }

    fn slot(&self, index: i32) -> Option<Arc<Slot>> {
        self.read_slots().get(&index).cloned()
    }

    /// Every partition that this broker leads, in their order.
    fn all_slots(&self) -> Vec<Arc<Slot>> {
        let mut slots: Vec<_> = self.read_slots().values().cloned().collect();
        slots.sort_by_key(|slot| slot.index);
        slots
    }

    fn read_slots(&self) -> std::sync::RwLockReadGuard<'_, HashMap<i32, Arc<Slot>>> {
        self.slots.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_slots(&self) -> std::sync::RwLockWriteGuard<'_, HashMap<i32, Arc<Slot>>> {
        self.slots.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_timers(&self) -> MutexGuard<'_, Timers> {
        self.timers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_waiting(&self) -> MutexGuard<'_, HashMap<Ticket, oneshot::Sender<Answer>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What members are told when a group's records were not stored (`appendGroupMetadataErrorToResponseError`).
fn append_error(error: &GroupError) -> GroupError {
    use crate::replica::PartitionError;
    match error {
        GroupError::Append(PartitionError::NotLeader) | GroupError::NotCoordinator => GroupError::NotCoordinator,
        _ => GroupError::NotAvailable,
    }
}
