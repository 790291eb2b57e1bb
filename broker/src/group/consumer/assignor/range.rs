//! The range assignor. Source: `RangeAssignor`.
//!
//! Static members come first, in the order of their instance ids, so that they find the same ranges again; members get a range of
//! each topic in that order, and the first ones one partition more where they do not divide evenly.

use protocol::ids::Uuid;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::{GroupSpec, MemberSpec, Partitions};

/// How far a topic is given out.
struct Topic {
    partition_count: i32,
    /// The partitions that every subscriber gets at least.
    min_quota: i32,
    /// Subscribers that get one more.
    extra: i32,
    /// The first partition that nobody has.
    next: i32,
}

pub(super) fn assign(group: &GroupSpec) -> BTreeMap<Arc<str>, Partitions> {
    let mut members: Vec<(&Arc<str>, &MemberSpec)> = group.members.iter().collect();
    // `None` sorts before `Some`, hence the first key.
    members.sort_by_key(|(id, member)| (member.instance_id.is_none(), member.instance_id.clone(), Arc::clone(id)));
    let mut topics = topics(group);
    let assigned = members.into_iter().map(|(id, member)| {
        let ranges = member.subscribed.iter().filter_map(|topic| Some((*topic, topics.get_mut(topic)?.next_range())));
        (
            Arc::clone(id),
            ranges.filter(|(_, range)| !range.is_empty()).map(|(id, range)| (id, range.collect())).collect(),
        )
    });
    assigned.collect()
}

fn topics(group: &GroupSpec) -> HashMap<Uuid, Topic> {
    let mut subscribers: HashMap<Uuid, i32> = HashMap::new();
    for topic in group.members.values().flat_map(|member| &member.subscribed) {
        *subscribers.entry(*topic).or_default() += 1;
    }
    let topic = |(id, subscribers): (Uuid, i32)| {
        let partition_count = group.partition_count(id);
        let (min_quota, extra) = (partition_count / subscribers, partition_count % subscribers);
        (id, Topic { partition_count, min_quota, extra, next: 0 })
    };
    subscribers.into_iter().map(topic).collect()
}

impl Topic {
    fn next_range(&mut self) -> std::ops::Range<i32> {
        let is_extra = self.extra > 0;
        self.extra -= i32::from(is_extra);
        let start = self.next;
        self.next = (start + self.min_quota + i32::from(is_extra)).min(self.partition_count);
        start..self.next
    }
}
