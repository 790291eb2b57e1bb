//! What a scrape is told of groups: counts of all, and each one where they are not too many. Looked at when somebody asks, one
//! partition's lock at a time; only what happens is counted as it happens. Names: `GroupCoordinatorMetrics`.

use protocol::coordinator_record::CoordinatorRecord;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::GroupCoordinator;
use super::classic::GroupState;
use super::consumer::ConsumerGroupState;
use super::members::Members;
use super::slot::Phase;

/// Every state that a group of the classic protocol may have.
const STATES: [GroupState; 4] =
    [GroupState::PreparingRebalance, GroupState::CompletingRebalance, GroupState::Stable, GroupState::Empty];
/// Every state that a group of the consumer protocol may have.
const CONSUMER_STATES: [ConsumerGroupState; 4] = [
    ConsumerGroupState::Empty,
    ConsumerGroupState::Assigning,
    ConsumerGroupState::Reconciling,
    ConsumerGroupState::Stable,
];

/// What has happened since the start.
#[derive(Debug, Default)]
pub(super) struct GroupCounters {
    offset_commits: AtomicU64,
    offset_deletions: AtomicU64,
    offset_expirations: AtomicU64,
    completed_rebalances: AtomicU64,
    consumer_rebalances: AtomicU64,
}

/// What has happened since the start, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupTotals {
    /// Offsets that were committed.
    pub offset_commits: u64,
    /// Offsets that somebody deleted.
    pub offset_deletions: u64,
    /// Offsets that outlived their retention.
    pub offset_expirations: u64,
    /// Rebalances of classic groups that ended with an assignment.
    pub completed_rebalances: u64,
    /// Rebalances of groups of the consumer protocol that began: their new epochs.
    pub consumer_rebalances: u64,
}

impl GroupCounters {
    pub(super) fn committed(&self, offsets: usize) {
        self.offset_commits.fetch_add(offsets as u64, Ordering::Relaxed);
    }

    pub(super) fn deleted(&self, offsets: usize) {
        self.offset_deletions.fetch_add(offsets as u64, Ordering::Relaxed);
    }

    pub(super) fn expired(&self, offsets: usize) {
        self.offset_expirations.fetch_add(offsets as u64, Ordering::Relaxed);
    }

    pub(super) fn rebalanced(&self) {
        self.completed_rebalances.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn appended(&self, records: &[CoordinatorRecord]) {
        let is_epoch =
            |record: &&CoordinatorRecord| matches!(record, CoordinatorRecord::ConsumerGroupMetadata(_, Some(_)));
        self.consumer_rebalances.fetch_add(records.iter().filter(is_epoch).count() as u64, Ordering::Relaxed);
    }

    fn totals(&self) -> GroupTotals {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        GroupTotals {
            offset_commits: read(&self.offset_commits),
            offset_deletions: read(&self.offset_deletions),
            offset_expirations: read(&self.offset_expirations),
            completed_rebalances: read(&self.completed_rebalances),
            consumer_rebalances: read(&self.consumer_rebalances),
        }
    }
}

/// All groups that this broker coordinates.
#[derive(Debug, Default)]
pub struct Census {
    pub totals: GroupTotals,
    /// Groups of the classic protocol by state: Kafka's name, how many.
    pub by_state: Vec<(&'static str, usize)>,
    /// Groups of the consumer protocol by state: Kafka's name, how many.
    pub by_consumer_state: Vec<(&'static str, usize)>,
    /// Groups by type: Kafka's name, how many.
    pub by_kind: Vec<(&'static str, usize)>,
    /// Committed offsets of all groups.
    pub offset_count: usize,
    /// Partitions of `__consumer_offsets` that are being read, that are served, and that cannot be read.
    pub loading: usize,
    pub active: usize,
    pub failed: usize,
    /// Every group, or none if there are more than were asked for.
    pub groups: Vec<CountedGroup>,
}

/// One group.
#[derive(Clone, Debug)]
pub struct CountedGroup {
    pub id: Arc<str>,
    pub member_count: usize,
    /// Topic, partition and committed offset, in this order; none if all groups together have more than were asked for.
    pub offsets: Vec<(Arc<str>, i32, i64)>,
}

impl Census {
    /// How many groups there are.
    pub fn group_count(&self) -> usize {
        self.by_kind.iter().map(|(_, count)| count).sum()
    }
}

impl GroupCoordinator {
    /// Counts everything, and tells of each group if there are at most `limit`, with its offsets if those are at most `limit` in all.
    /// Takes time with the number of groups, and blocks the groups of one partition while it looks at them.
    pub fn census(&self, limit: usize) -> Census {
        let mut census = Census { totals: self.counters.totals(), ..Census::default() };
        let mut states = STATES.map(|state| (state.name(), 0));
        let mut consumer_states = CONSUMER_STATES.map(|state| (state.name(), 0));
        for slot in self.all_slots() {
            match &slot.lock().phase {
                Phase::Loading => census.loading += 1,
                Phase::Failed => census.failed += 1,
                Phase::Unloaded => {}
                Phase::Active(shard) => {
                    census.active += 1;
                    census.offset_count += shard.offset_count();
                    for (_, group) in shard.groups() {
                        let name = group.members.state_name();
                        let states = match group.members {
                            Members::Classic(_) => &mut states,
                            Members::Consumer(_) => &mut consumer_states,
                        };
                        states.iter_mut().filter(|(state, _)| *state == name).for_each(|(_, count)| *count += 1);
                    }
                }
            }
        }
        let sum = |states: &[(&str, usize)]| states.iter().map(|(_, count)| count).sum();
        census.by_kind = vec![("classic", sum(&states)), ("consumer", sum(&consumer_states))];
        census.by_state = states.into();
        census.by_consumer_state = consumer_states.into();
        if census.group_count() <= limit {
            census.groups = self.counted_groups(census.offset_count <= limit);
        }
        census
    }

    fn counted_groups(&self, with_offsets: bool) -> Vec<CountedGroup> {
        let mut groups = Vec::new();
        for slot in self.all_slots() {
            if let Phase::Active(shard) = &slot.lock().phase {
                groups.extend(shard.groups().map(|(id, group)| {
                    let offsets = group.offsets.iter().filter(|_| with_offsets);
                    CountedGroup {
                        id: Arc::clone(id),
                        member_count: group.members.count(),
                        offsets: offsets
                            .map(|(topic, partition, at)| (Arc::clone(topic), partition, at.offset))
                            .collect(),
                    }
                }));
            }
        }
        groups.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        groups
    }
}
