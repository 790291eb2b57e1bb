//! The uniform assignor where members subscribe to different topics. Source: `UniformHeterogeneousAssignmentBuilder`.
//!
//! Everybody keeps what it has and still subscribes to; what nobody has goes to the least loaded subscribers, topic by topic; then
//! partitions move from the most to the least loaded until nothing gets better by it.

use protocol::ids::Uuid;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::balancer::Balancer;
use super::{GroupSpec, Partitions};

/// Rounds over all topics. Each about halves what imbalance is left, and where all subscribers of a topic subscribe to the same,
/// one is enough.
const MAX_ROUNDS: usize = 16;

/// A member by its place among the members.
pub(super) type MemberIndex = usize;

pub(super) fn assign(group: &GroupSpec) -> BTreeMap<Arc<str>, Partitions> {
    let mut builder = Builder::new(group);
    builder.keep();
    builder.assign_remaining();
    builder.balance();
    builder.target()
}

struct Builder<'a> {
    group: &'a GroupSpec,
    topics: Vec<Topic>,
    /// How many partitions each member has.
    sizes: Vec<usize>,
}

struct Topic {
    id: Uuid,
    subscribers: Vec<MemberIndex>,
    /// Who has each partition.
    owners: Vec<Option<MemberIndex>>,
}

impl<'a> Builder<'a> {
    /// Topics with most partitions for each subscriber come first, then those with fewer subscribers: that leaves most freedom for
    /// the rest.
    fn new(group: &'a GroupSpec) -> Self {
        let mut subscribers: BTreeMap<Uuid, Vec<MemberIndex>> = BTreeMap::new();
        for (index, member) in group.members.values().enumerate() {
            member.subscribed.iter().for_each(|topic| subscribers.entry(*topic).or_default().push(index));
        }
        let topic = |(id, subscribers)| {
            let count = usize::try_from(group.partition_count(id)).unwrap_or(0);
            Topic { id, subscribers, owners: vec![None; count] }
        };
        let mut topics: Vec<Topic> = subscribers.into_iter().map(topic).collect();
        topics.sort_by(Topic::order);
        Self { group, topics, sizes: vec![0; group.members.len()] }
    }

    fn keep(&mut self) {
        for (index, member) in self.group.members.values().enumerate() {
            for topic in &mut self.topics {
                if !member.subscribed.contains(&topic.id) {
                    continue;
                }
                for partition in member.assigned.get(&topic.id).into_iter().flatten() {
                    if let Some(owner) = topic.owners.get_mut(usize::try_from(*partition).unwrap_or(usize::MAX)) {
                        *owner = Some(index);
                        self.sizes[index] += 1;
                    }
                }
            }
        }
    }

    fn assign_remaining(&mut self) {
        for topic in &mut self.topics {
            if topic.owners.iter().all(Option::is_some) {
                continue;
            }
            let mut balancer = Balancer::new(&topic.subscribers, &self.sizes);
            for owner in topic.owners.iter_mut().filter(|owner| owner.is_none()) {
                let least = balancer.next_least_loaded(&self.sizes);
                *owner = Some(least);
                self.sizes[least] += 1;
            }
        }
    }

    /// Goes over the topics until a whole round has moved nothing.
    fn balance(&mut self) {
        let movable: Vec<usize> =
            (0..self.topics.len()).filter(|index| self.topics[*index].subscribers.len() >= 2).collect();
        let mut last_moved = None;
        for _ in 0..MAX_ROUNDS {
            for index in &movable {
                if last_moved == Some(*index) {
                    return;
                }
                let moved = self.topics[*index].balance(&mut self.sizes);
                if moved || last_moved.is_none() {
                    last_moved = Some(*index);
                }
            }
        }
    }

    fn target(&self) -> BTreeMap<Arc<str>, Partitions> {
        let ids: Vec<&Arc<str>> = self.group.members.keys().collect();
        let mut target: BTreeMap<Arc<str>, Partitions> =
            ids.iter().map(|id| (Arc::clone(id), Partitions::new())).collect();
        for topic in &self.topics {
            for (partition, owner) in (0_i32..).zip(&topic.owners) {
                if let Some(partitions) = owner.and_then(|owner| target.get_mut(&**ids[owner])) {
                    partitions.entry(topic.id).or_insert_with(BTreeSet::new).insert(partition);
                }
            }
        }
        target
    }
}

impl Topic {
    fn order(&self, other: &Self) -> Ordering {
        // Of a/b and c/d the greater is that of ad and cb.
        let share = |one: &Self, other: &Self| one.owners.len() * other.subscribers.len();
        share(other, self)
            .cmp(&share(self, other))
            .then(self.subscribers.len().cmp(&other.subscribers.len()))
            .then(self.id.cmp(&other.id))
    }

    /// Moves partitions from the most to the least loaded subscribers; true if any was.
    fn balance(&mut self, sizes: &mut [usize]) -> bool {
        let mut balancer = Balancer::new(&self.subscribers, sizes);
        if balancer.imbalance(sizes) <= 1 {
            return false;
        }
        let mut owned: BTreeMap<MemberIndex, Vec<usize>> = BTreeMap::new();
        for (partition, owner) in self.owners.iter().enumerate() {
            owned.entry(owner.unwrap_or_default()).or_default().push(partition);
        }
        let mut has_moved = false;
        while let Some((most, partition)) = next_to_give(&mut balancer, &mut owned, sizes) {
            let least = balancer.next_least_loaded(sizes);
            if balancer.is_balanced() {
                break;
            }
            self.owners[partition] = Some(least);
            sizes[most] -= 1;
            sizes[least] += 1;
            has_moved = true;
        }
        has_moved
    }
}

/// The most loaded member that has a partition of the topic to give up, and the last of these.
fn next_to_give(
    balancer: &mut Balancer,
    owned: &mut BTreeMap<MemberIndex, Vec<usize>>,
    sizes: &[usize],
) -> Option<(MemberIndex, usize)> {
    loop {
        let most = balancer.next_most_loaded(sizes)?;
        match owned.get_mut(&most).and_then(Vec::pop) {
            Some(partition) => return Some((most, partition)),
            None => balancer.exclude_most_loaded(),
        }
    }
}
