//! The uniform assignor where all members subscribe to the same topics. Source: `UniformHomogeneousAssignmentBuilder`.
//!
//! Everybody keeps what it has up to its quota, and what is then left goes to those that are below theirs.

use protocol::ids::Uuid;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use super::{GroupSpec, Partitions};

pub(super) fn assign(group: &GroupSpec) -> BTreeMap<Arc<str>, Partitions> {
    let subscribed = group.members.values().next().map(|member| &member.subscribed);
    let mut builder = Builder::new(group, subscribed.unwrap_or(&BTreeSet::new()));
    let unfilled = builder.revoke(group);
    builder.assign_remaining(unfilled);
    builder.target
}

struct Builder {
    target: BTreeMap<Arc<str>, Partitions>,
    /// Partitions that nobody has.
    unassigned: Vec<(Uuid, i32)>,
    topics: BTreeSet<Uuid>,
    min_quota: usize,
    /// Members that may have one partition more, as far as they are not determined.
    extra_members: usize,
}

impl Builder {
    fn new(group: &GroupSpec, topics: &BTreeSet<Uuid>) -> Self {
        let members = group.members.values();
        let owned =
            members.flat_map(|member| &member.assigned).flat_map(|(topic, owned)| owned.iter().map(|p| (*topic, *p)));
        let owned: HashSet<(Uuid, i32)> = owned.collect();
        let all =
            || topics.iter().flat_map(|topic| (0..group.partition_count(*topic)).map(|partition| (*topic, partition)));
        let total = all().count();
        Self {
            target: BTreeMap::new(),
            unassigned: all().filter(|partition| !owned.contains(partition)).collect(),
            topics: topics.clone(),
            min_quota: total / group.members.len(),
            extra_members: total % group.members.len(),
        }
    }

    /// Takes from everybody what it does not subscribe to or has above its quota. Returns who is below it, and by how much.
    fn revoke(&mut self, group: &GroupSpec) -> Vec<(Arc<str>, usize)> {
        let mut unfilled = Vec::new();
        for (index, (id, member)) in group.members.iter().enumerate() {
            let mut has_extra = self.extra_members > 0;
            let mut quota = self.min_quota + usize::from(has_extra);
            let mut kept = Partitions::new();
            for (topic, partitions) in member.assigned.iter().filter(|(topic, _)| self.topics.contains(topic)) {
                // Metadata that is older than the assignment may know fewer.
                let count = group.partition_count(*topic);
                let mut partitions = partitions.iter().copied().filter(|partition| *partition < count);
                let keeps: BTreeSet<i32> = partitions.by_ref().take(quota).collect();
                quota -= keeps.len();
                self.unassigned.extend(partitions.map(|partition| (*topic, partition)));
                if !keeps.is_empty() {
                    kept.insert(*topic, keeps);
                }
            }
            // Another member may claim the extra partition, unless so few are left that this one must take it.
            if quota > 0 && has_extra && group.members.len() - index > self.extra_members {
                quota -= 1;
                has_extra = false;
            }
            if quota > 0 {
                unfilled.push((Arc::clone(id), quota));
            }
            self.extra_members -= usize::from(has_extra);
            self.target.insert(Arc::clone(id), kept);
        }
        unfilled
    }

    fn assign_remaining(&mut self, unfilled: Vec<(Arc<str>, usize)>) {
        let mut unassigned = std::mem::take(&mut self.unassigned).into_iter();
        for (id, quota) in unfilled {
            let target = self.target.entry(id).or_default();
            for (topic, partition) in unassigned.by_ref().take(quota) {
                target.entry(topic).or_default().insert(partition);
            }
        }
        debug_assert!(unassigned.next().is_none(), "quotas add up to the number of partitions");
    }
}
