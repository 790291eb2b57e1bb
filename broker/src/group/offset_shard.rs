//! The committed offsets of the groups of one partition: who may commit and delete them, and their records. Source:
//! `OffsetMetadataManager`.

use protocol::StrBytes;
use protocol::coordinator_record::{CoordinatorRecord, OffsetCommitKey, OffsetCommitValue};
use protocol::ids::Uuid;
use std::collections::HashSet;
use std::sync::Arc;

use super::GroupError;
use super::classic::{Caller, Context};
use super::effects::Effects;
use super::members::{Group, Members};
use super::offsets::{self, CommittedOffset};
use super::shard::Shard;

/// One partition of a commit, its topic and partition being there.
#[derive(Clone, Debug)]
pub struct OffsetCommit {
    pub topic: StrBytes,
    pub topic_id: Uuid,
    pub partition: i32,
    pub offset: i64,
    pub leader_epoch: i32,
    pub metadata: StrBytes,
}

/// A request to commit.
#[derive(Clone, Debug)]
pub struct Commit<'a> {
    pub group: &'a str,
    pub caller: Caller<'a>,
    /// How long the offsets shall be kept, in ms; `None` for the broker's retention.
    pub retention_ms: Option<i64>,
    /// The request is of a version that knows the consumer protocol, and GROUP_ID_NOT_FOUND as an answer.
    pub knows_consumer_protocol: bool,
    pub offsets: &'a [OffsetCommit],
}

impl Shard {
    /// The committed offset of one partition.
    pub(super) fn committed_offset(&self, group: &str, topic: &str, partition: i32) -> Option<&CommittedOffset> {
        let topic = Arc::clone(self.topics.get(topic)?);
        self.groups.get(group)?.offsets.get(topic, partition)
    }

    /// Whether a transaction that is not over has committed an offset of that partition.
    pub(super) fn is_unstable(&self, group: &str, topic: &str, partition: i32) -> bool {
        let names = self.groups.get_key_value(group).zip(self.topics.get(topic));
        names.is_some_and(|((group, _), topic)| {
            self.pending.contains(&(Arc::clone(group), Arc::clone(topic), partition))
        })
    }

    /// Offsets are committed, by a member or by somebody who does without the membership of groups.
    ///
    /// # Errors
    /// The caller may not commit.
    pub(super) fn commit(&self, commit: &Commit<'_>, context: Context<'_>) -> Result<Effects, GroupError> {
        let mut effects = match self.groups.get(commit.group) {
            Some(Group { members: Members::Classic(group), .. }) => {
                group.check_commit(commit.caller)?;
                group.committed(commit.caller.member_id)
            }
            Some(Group { members: Members::Consumer(group), .. }) => {
                let partitions = commit.offsets.iter().map(|offset| (offset.topic_id, offset.partition));
                group.check_commit(commit.caller, commit.knows_consumer_protocol, partitions)?;
                Effects::default()
            }
            None if commit.caller.generation < 0 => Effects::default(),
            None if commit.knows_consumer_protocol => {
                return Err(GroupError::GroupNotFound(commit.group.to_owned()));
            }
            None => return Err(GroupError::IllegalGeneration),
        };
        let expire_timestamp = commit.retention_ms.map_or(-1, |retention| context.now_ms.saturating_add(retention));
        effects.records.extend(commit.offsets.iter().map(|committed| {
            let key = offsets::key(commit.group, &committed.topic, committed.partition);
            let value = OffsetCommitValue {
                offset: committed.offset,
                leader_epoch: committed.leader_epoch,
                metadata: committed.metadata.clone(),
                commit_timestamp: context.now_ms,
                expire_timestamp,
                topic_id: committed.topic_id,
            };
            CoordinatorRecord::OffsetCommit(key, Some(value))
        }));
        Ok(effects)
    }

    /// Deletes the offsets of those partitions, where there are any. The answers say which topics members subscribe to, whose
    /// offsets stay.
    ///
    /// # Errors
    /// [`GroupError::GroupNotFound`]; [`GroupError::NonEmptyGroup`].
    pub(super) fn delete_offsets(
        &self,
        id: &str,
        partitions: &[(StrBytes, i32)],
    ) -> Result<(HashSet<StrBytes>, Effects), GroupError> {
        let group = self.groups.get(id).ok_or_else(|| GroupError::GroupNotFound(id.to_owned()))?;
        group.members.check_offset_delete()?;
        let mut subscribed = HashSet::new();
        let mut effects = Effects::default();
        for (topic, partition) in partitions {
            let is_there =
                || self.committed_offset(id, topic, *partition).is_some() || self.is_unstable(id, topic, *partition);
            if group.members.is_subscribed_to(topic) {
                subscribed.insert(topic.clone());
            } else if is_there() {
                effects.records.push(offsets::tombstone(id, topic, *partition));
            }
        }
        Ok((subscribed, effects))
    }

    /// Deletes one group's offsets of topics that are gone.
    pub(super) fn topics_deleted(&self, id: &str, topics: &[Arc<str>]) -> Effects {
        let mut effects = Effects::default();
        let Some(group) = self.groups.get(id) else { return effects };
        for topic in topics {
            let partitions = group.offsets.of_topic(topic);
            effects.records.extend(partitions.map(|(partition, _)| offsets::tombstone(id, topic, partition)));
        }
        effects
    }

    /// A transaction has ended.
    pub(super) fn replay_end_of_transaction(&mut self, producer_id: i64, is_commit: bool, now_ms: i64) {
        let ended = self.pending.end(producer_id);
        if is_commit {
            for ((id, topic, partition), offset) in ended {
                self.create(&id, now_ms).offsets.insert(topic, partition, offset);
            }
        }
    }

    pub(super) fn replay_offset(
        &mut self,
        key: &OffsetCommitKey,
        value: Option<&OffsetCommitValue>,
        producer_id: Option<i64>,
        now_ms: i64,
    ) {
        let topic = self.intern(&key.topic);
        match (value, producer_id) {
            (Some(value), None) => {
                let offset = CommittedOffset::from_record(value);
                self.create(&key.group, now_ms).offsets.insert(topic, key.partition, offset);
            }
            (Some(value), Some(producer_id)) => {
                self.create(&key.group, now_ms);
                let place = (Arc::from(&*key.group), topic, key.partition);
                self.pending.insert(producer_id, place, CommittedOffset::from_record(value));
            }
            (None, _) => {
                if let Some(group) = self.groups.get_mut(&*key.group) {
                    group.offsets.remove(Arc::clone(&topic), key.partition);
                }
                self.pending.remove(&(Arc::from(&*key.group), topic, key.partition));
            }
        }
    }
}
