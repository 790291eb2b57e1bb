//! The groups of one partition of `__consumer_offsets`: replays records, and decides what is not about members.
//! Source: `GroupCoordinatorShard`, `OffsetMetadataManager`, `GroupMetadataManager`.

use protocol::StrBytes;
use protocol::coordinator_record::{CoordinatorRecord, OffsetCommitKey, OffsetCommitValue};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::GroupError;
use super::classic::{self, Caller, ClassicGroup, Context, GroupState, Join};
use super::effects::{Effects, Then, Ticket, Timer};
use super::offsets::{self, CommittedOffset, Offsets};
use super::transactions::PendingOffsets;

/// A group and its offsets.
#[derive(Debug)]
pub(super) struct Group {
    pub members: ClassicGroup,
    pub offsets: Offsets,
}

/// One partition of a commit, its topic and partition being there.
#[derive(Clone, Debug)]
pub struct OffsetCommit {
    pub topic: StrBytes,
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
    /// The client knows GROUP_ID_NOT_FOUND as an answer to a commit.
    pub knows_group_not_found: bool,
    pub offsets: &'a [OffsetCommit],
}

/// The groups of one partition.
#[derive(Debug, Default)]
pub(super) struct Shard {
    groups: HashMap<Arc<str>, Group>,
    /// Each topic's name once, however many offsets it has.
    topics: HashSet<Arc<str>>,
    pending: PendingOffsets,
}

impl Shard {
    pub(super) fn group(&self, id: &str) -> Option<&Group> {
        self.groups.get(id)
    }

    pub(super) fn groups(&self) -> impl Iterator<Item = (&Arc<str>, &Group)> {
        self.groups.iter()
    }

    /// A group's members.
    ///
    /// # Errors
    /// [`GroupError::GroupNotFound`].
    pub(super) fn members(&mut self, id: &str) -> Result<&mut ClassicGroup, GroupError> {
        let group = self.groups.get_mut(id).ok_or_else(|| GroupError::GroupNotFound(id.to_owned()))?;
        Ok(&mut group.members)
    }

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

    /// A member joins; its group is created where it is new.
    pub(super) fn join(
        &mut self,
        id: &str,
        join: Join,
        ticket: Ticket,
        context: Context<'_>,
    ) -> Result<Effects, GroupError> {
        let is_new = !self.groups.contains_key(id);
        if is_new {
            if !join.identity.id.is_empty() {
                return Err(GroupError::UnknownMember);
            }
            self.create(id, context.now_ms);
        }
        let members = self.members(id)?;
        let mut effects = members.join(join, ticket, context);
        if is_new && effects.records.is_empty() {
            effects.records.push(members.new_record());
            effects.then = Some(Then::Noted);
        }
        Ok(effects)
    }

    /// Offsets are committed, by a member or by somebody who does without the membership of groups.
    ///
    /// # Errors
    /// The caller may not commit.
    pub(super) fn commit(&self, commit: &Commit<'_>, context: Context<'_>) -> Result<Effects, GroupError> {
        let mut effects = match self.groups.get(commit.group) {
            Some(group) => {
                group.members.check_commit(commit.caller)?;
                group.members.committed(commit.caller.member_id)
            }
            None if commit.caller.generation < 0 => Effects::default(),
            None if commit.knows_group_not_found => {
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
                ..OffsetCommitValue::default()
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

    /// Deletes a group with its offsets.
    ///
    /// # Errors
    /// [`GroupError::GroupNotFound`]; [`GroupError::NonEmptyGroup`].
    pub(super) fn delete_group(&self, id: &str) -> Result<Effects, GroupError> {
        let group = self.groups.get(id).ok_or_else(|| GroupError::GroupNotFound(id.to_owned()))?;
        group.members.check_empty()?;
        let mut effects = Effects::default();
        let tombstones = group.offsets.iter().map(|(topic, partition, _)| offsets::tombstone(id, topic, partition));
        effects.records.extend(tombstones);
        effects.records.push(classic::tombstone(id));
        Ok(effects)
    }

    /// What has expired of one group: offsets, and the group itself when it is empty and keeps none.
    pub(super) fn expired(&self, id: &str, context: Context<'_>) -> Effects {
        let mut effects = Effects::default();
        let Some(group) = self.groups.get(id) else { return effects };
        let retention_ms = context.config.offsets_retention_ms;
        let expired = group.offsets.expired(&group.members, retention_ms, context.now_ms);
        let keeps_none = expired.len() == group.offsets.len() && !self.pending.contains_group(id);
        effects.records.extend(expired.iter().map(|(topic, partition)| offsets::tombstone(id, topic, *partition)));
        if keeps_none && group.members.state() == GroupState::Empty {
            effects.records.push(classic::tombstone(id));
        }
        effects
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

    /// A timer of a group has run out.
    pub(super) fn timed_out(&mut self, id: &str, timer: &Timer, context: Context<'_>) -> Effects {
        // A group that was deleted needs none of its timers.
        let Ok(group) = self.members(id) else { return Effects::default() };
        match timer {
            Timer::Session(member_id) => group.session_timed_out(member_id, context),
            Timer::Join => group.join_timed_out(context),
            Timer::Sync => group.sync_timed_out(context),
        }
    }

    /// The records that an event led to are committed.
    pub(super) fn stored(&mut self, id: &str, then: Then, context: Context<'_>) -> Effects {
        let Ok(group) = self.members(id) else { return Effects::default() };
        match then {
            Then::Noted => Effects::default(),
            Then::Assigned { generation, assignments } => group.assigned(generation, assignments, context),
            Then::Replaced(replacement) => group.replaced(&replacement),
        }
    }

    /// The records that an event led to are not committed.
    pub(super) fn not_stored(
        &mut self,
        id: &str,
        then: Then,
        error: &dyn Fn() -> GroupError,
        context: Context<'_>,
    ) -> Effects {
        let Ok(group) = self.members(id) else { return Effects::default() };
        match then {
            // Before the next rebalance, a crash would bring the former generation back, whose members are gone.
            Then::Noted => Effects::default(),
            Then::Assigned { generation, .. } => group.assignment_failed(generation, error, context),
            Then::Replaced(replacement) => group.replacement_failed(*replacement, error()),
        }
    }

    /// Takes a record over. `producer_id` is that of a transaction, if the record belongs to one.
    pub(super) fn replay(&mut self, record: &CoordinatorRecord, producer_id: Option<i64>, now_ms: i64) {
        match record {
            CoordinatorRecord::OffsetCommit(key, value) => {
                self.replay_offset(key, value.as_ref(), producer_id, now_ms);
            }
            CoordinatorRecord::GroupMetadata(key, Some(value)) => {
                let (id, offsets) = match self.groups.remove_entry(&*key.group) {
                    Some((id, group)) => (id, group.offsets),
                    None => (Arc::from(&*key.group), Offsets::default()),
                };
                let members = ClassicGroup::from_record(Arc::clone(&id), value);
                self.groups.insert(id, Group { members, offsets });
            }
            CoordinatorRecord::GroupMetadata(key, None) => self.replay_group_tombstone(&key.group, now_ms),
        }
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

    fn replay_offset(
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

    /// The group is gone; offsets that somebody committed since make a new one, which nobody has joined.
    fn replay_group_tombstone(&mut self, id: &str, now_ms: i64) {
        if let Some((id, group)) = self.groups.remove_entry(id)
            && !group.offsets.is_empty()
        {
            let members = ClassicGroup::new(Arc::clone(&id), now_ms);
            self.groups.insert(id, Group { members, offsets: group.offsets });
        }
    }

    fn create(&mut self, id: &str, now_ms: i64) -> &mut Group {
        // Looked up first, so that a commit to a known group copies no name.
        let id = self.groups.get_key_value(id).map_or_else(|| Arc::from(id), |(id, _)| Arc::clone(id));
        let new = || Group { members: ClassicGroup::new(Arc::clone(&id), now_ms), offsets: Offsets::default() };
        self.groups.entry(Arc::clone(&id)).or_insert_with(new)
    }

    fn intern(&mut self, topic: &str) -> Arc<str> {
        if let Some(known) = self.topics.get(topic) {
            return Arc::clone(known);
        }
        let topic: Arc<str> = Arc::from(topic);
        self.topics.insert(Arc::clone(&topic));
        topic
    }

    /// Forgets names of topics that no offset has any more.
    pub(super) fn forget_unused_topics(&mut self) {
        self.topics.retain(|topic| Arc::strong_count(topic) > 1);
    }

    /// How many offsets there are.
    pub(super) fn offset_count(&self) -> usize {
        self.groups.values().map(|group| group.offsets.len()).sum()
    }

    /// Tells every group that it was read from its records.
    pub(super) fn loaded(&mut self, context: Context<'_>) -> Vec<(Arc<str>, Effects)> {
        self.groups.iter_mut().map(|(id, group)| (Arc::clone(id), group.members.loaded(context))).collect()
    }

    /// Tells every group that another coordinator has it.
    pub(super) fn unloaded(&mut self, error: impl Fn() -> GroupError) -> Vec<(Arc<str>, Effects)> {
        self.groups.iter_mut().map(|(id, group)| (Arc::clone(id), group.members.unloaded(&error))).collect()
    }
}
