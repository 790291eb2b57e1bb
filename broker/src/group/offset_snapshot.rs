//! What groups have committed, for a copy elsewhere.

use protocol::ids::Uuid;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;
use storage::remote_log::StoredOffset;

use super::GroupCoordinator;
use super::slot::Slot;

/// The offsets that are in one partition of `__consumer_offsets`.
#[derive(Clone, Debug, PartialEq)]
pub struct OffsetSnapshot {
    pub partition: i32,
    /// Under which this broker leads it.
    pub leader_epoch: i32,
    /// By group, topic and partition.
    pub offsets: Vec<StoredOffset>,
}

impl GroupCoordinator {
    /// The offsets of all groups that this broker coordinates, in those topics, which are given by name and id: of each partition of
    /// `__consumer_offsets` `most`, the last committed. Takes time with the number of offsets, and blocks the groups of one
    /// partition while it looks at them.
    pub fn snapshot_offsets(&self, topics: &HashMap<Arc<str>, Uuid>, most: usize) -> Vec<OffsetSnapshot> {
        self.all_slots().iter().filter_map(|slot| snapshot(slot, topics, most)).collect()
    }
}

/// `None`: the groups are not there now.
fn snapshot(slot: &Slot, topics: &HashMap<Arc<str>, Uuid>, most: usize) -> Option<OffsetSnapshot> {
    let mut offsets = Vec::new();
    for (id, group) in slot.lock().shard().ok()?.groups() {
        for (topic, partition, committed) in group.offsets.iter() {
            let Some(topic_id) = topics.get(topic).filter(|topic_id| committed.is_of(**topic_id)) else { continue };
            offsets.push(StoredOffset {
                group: Arc::clone(id),
                topic_id: *topic_id,
                partition,
                offset: committed.offset,
                leader_epoch: committed.leader_epoch,
                committed_ms: committed.commit_timestamp_ms,
                metadata: committed.metadata().into(),
            });
        }
    }
    if offsets.len() > most {
        let found = offsets.len();
        tracing::warn!(partition = slot.index, found, most, "not all offsets are copied to remote storage");
    }
    keep_last(&mut offsets, most);
    Some(OffsetSnapshot { partition: slot.index, leader_epoch: slot.leader_epoch, offsets })
}

/// Keeps those that were committed last, and brings them into their order.
fn keep_last(offsets: &mut Vec<StoredOffset>, most: usize) {
    if offsets.len() > most {
        offsets.sort_unstable_by_key(|offset| Reverse(offset.committed_ms));
        offsets.truncate(most);
    }
    offsets.sort_unstable_by(|a, b| (&a.group, a.topic_id, a.partition).cmp(&(&b.group, b.topic_id, b.partition)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_too_many_the_last_committed_stay_in_order() {
        let offset = |group: &str, partition, committed_ms| StoredOffset {
            group: group.into(),
            partition,
            committed_ms,
            ..StoredOffset::default()
        };
        let all = [offset("b", 1, 30), offset("b", 0, 10), offset("a", 0, 20)];
        let mut offsets = all.to_vec();
        keep_last(&mut offsets, 3);
        assert_eq!(offsets, [all[2].clone(), all[1].clone(), all[0].clone()]);
        keep_last(&mut offsets, 2);
        assert_eq!(offsets, [all[2].clone(), all[0].clone()]);
    }
}
