//! The committed offsets of one group. Source: `OffsetMetadataManager`, `OffsetAndMetadata`.

use protocol::StrBytes;
use protocol::coordinator_record::{CoordinatorRecord, OffsetCommitKey, OffsetCommitValue};
use protocol::ids::Uuid;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::members::Members;

const NEVER: i64 = -1;

/// An offset as it is kept: a million of them are common, so what is rare stands behind a pointer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedOffset {
    /// Of the next record to read.
    pub offset: i64,
    /// Of the last record read; −1 if the client did not say.
    pub leader_epoch: i32,
    /// ms since the epoch.
    pub commit_timestamp_ms: i64,
    /// Of the topic; nil if it is not known.
    topic_id: Uuid,
    rare: Option<Box<Rare>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rare {
    metadata: Box<str>,
    expire_timestamp_ms: i64,
}

impl CommittedOffset {
    pub(super) fn from_record(value: &OffsetCommitValue) -> Self {
        let is_rare = !value.metadata.is_empty() || value.expire_timestamp != NEVER;
        let rare = || Rare { metadata: (*value.metadata).into(), expire_timestamp_ms: value.expire_timestamp };
        Self {
            offset: value.offset,
            leader_epoch: value.leader_epoch,
            commit_timestamp_ms: value.commit_timestamp,
            topic_id: value.topic_id,
            rare: is_rare.then(|| Box::new(rare())),
        }
    }

    /// What the client keeps beside it.
    pub(super) fn metadata(&self) -> &str {
        self.rare.as_ref().map_or("", |rare| &rare.metadata)
    }

    /// Whether it was committed for the topic of that id, and not for an earlier one of the same name; where either id is nil, names
    /// alone say which topic it is (`isMismatchedTopicId`).
    pub(super) fn is_of(&self, topic_id: Uuid) -> bool {
        self.topic_id.is_nil() || topic_id.is_nil() || self.topic_id == topic_id
    }

    /// Whether it has outlived its retention, which begins at `since_ms`; one with a time of its own goes by that.
    fn is_expired(&self, since_ms: i64, retention_ms: i64, now_ms: i64) -> bool {
        match self.rare.as_ref().map(|rare| rare.expire_timestamp_ms).filter(|time| *time != NEVER) {
            Some(expire_ms) => now_ms >= expire_ms,
            None => now_ms.saturating_sub(since_ms) >= retention_ms,
        }
    }
}

/// The offsets of one group, by topic and partition.
#[derive(Clone, Debug, Default)]
pub(super) struct Offsets {
    by_partition: BTreeMap<(Arc<str>, i32), CommittedOffset>,
}

impl Offsets {
    pub(super) fn get(&self, topic: Arc<str>, partition: i32) -> Option<&CommittedOffset> {
        self.by_partition.get(&(topic, partition))
    }

    pub(super) fn insert(&mut self, topic: Arc<str>, partition: i32, offset: CommittedOffset) {
        self.by_partition.insert((topic, partition), offset);
    }

    pub(super) fn remove(&mut self, topic: Arc<str>, partition: i32) -> bool {
        self.by_partition.remove(&(topic, partition)).is_some()
    }

    /// All, in the order of topics and partitions.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, i32, &CommittedOffset)> {
        self.by_partition.iter().map(|((topic, partition), offset)| (topic, *partition, offset))
    }

    /// Those of one topic, in the order of partitions.
    pub(super) fn of_topic(&self, topic: &Arc<str>) -> impl Iterator<Item = (i32, &CommittedOffset)> {
        let range = (Arc::clone(topic), i32::MIN)..=(Arc::clone(topic), i32::MAX);
        self.by_partition.range(range).map(|((_, partition), offset)| (*partition, offset))
    }

    pub(super) fn len(&self) -> usize {
        self.by_partition.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_partition.is_empty()
    }

    /// The offsets that have expired (`OffsetMetadataManager.cleanupExpiredOffsets`): of an empty classic group, so long after its
    /// last member went; of one that nobody ever joined, so long after the commit; of consumers, so long after the commit where
    /// nobody subscribes to the topic any more. Other groups keep theirs.
    pub(super) fn expired(&self, group: &Members, retention_ms: i64, now_ms: i64) -> Vec<(Arc<str>, i32)> {
        let Some(group_ms) = group.offsets_expire_since() else { return Vec::new() };
        let is_expired = |(topic, _, offset): &(&Arc<str>, i32, &CommittedOffset)| {
            let since_ms = group_ms.unwrap_or(offset.commit_timestamp_ms);
            !group.is_subscribed_to(topic) && offset.is_expired(since_ms, retention_ms, now_ms)
        };
        self.iter().filter(is_expired).map(|(topic, partition, _)| (Arc::clone(topic), partition)).collect()
    }
}

/// The record that a group has no offset of that partition any more.
pub(super) fn tombstone(group: &str, topic: &str, partition: i32) -> CoordinatorRecord {
    CoordinatorRecord::OffsetCommit(key(group, topic, partition), None)
}

/// The key of an offset.
pub(super) fn key(group: &str, topic: &str, partition: i32) -> OffsetCommitKey {
    let text = |text: &str| StrBytes::from_string(text.to_owned());
    OffsetCommitKey { group: text(group), topic: text(topic), partition }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::members::Group;

    const RETENTION: i64 = 1_000;

    fn offset(commit_timestamp: i64, expire_timestamp: i64) -> CommittedOffset {
        let value = OffsetCommitValue { commit_timestamp, expire_timestamp, ..OffsetCommitValue::default() };
        CommittedOffset::from_record(&value)
    }

    #[test]
    fn offsets_of_a_group_that_nobody_joined_expire_after_their_commit() {
        let group = Group::new("g".into(), 5_000).members;
        let mut offsets = Offsets::default();
        offsets.insert("t".into(), 0, offset(0, NEVER));
        offsets.insert("t".into(), 1, offset(500, NEVER));
        offsets.insert("t".into(), 2, offset(0, 1_200));
        assert_eq!(offsets.expired(&group, RETENTION, 999), []);
        assert_eq!(offsets.expired(&group, RETENTION, 1_000), [("t".into(), 0)]);
        assert_eq!(offsets.expired(&group, RETENTION, 1_200), [("t".into(), 0), ("t".into(), 2)]);
        assert_eq!(offsets.expired(&group, RETENTION, i64::MAX).len(), 3, "a clock that jumps does not overflow");
    }

    #[test]
    fn an_offset_of_an_earlier_topic_of_that_name_is_none_of_the_present_one() {
        let id = Uuid::from_u128;
        let committed = |topic_id| CommittedOffset::from_record(&OffsetCommitValue { topic_id, ..Default::default() });
        assert!(committed(id(1)).is_of(id(1)));
        assert!(!committed(id(1)).is_of(id(2)));
        assert!(committed(id(1)).is_of(Uuid::nil()), "asked for by name");
        assert!(committed(Uuid::nil()).is_of(id(2)), "committed by name, by a broker that noted no id");
    }

    #[test]
    fn an_offset_is_small() {
        assert!(size_of::<((Arc<str>, i32), CommittedOffset)>() <= 72, "a million of them fit into 200 MiB");
    }
}
