//! The groups of one partition of `__consumer_offsets`: replays records, and decides what is not about members.
//! Source: `GroupCoordinatorShard`, `OffsetMetadataManager`, `GroupMetadataManager`.

use protocol::StrBytes;
use protocol::coordinator_record::{CoordinatorRecord, OffsetCommitKey, OffsetCommitValue};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::GroupError;
use super::classic::{Caller, ClassicGroup, Context, Join, Sync};
use super::effects::{Effects, JoinAnswer, SyncAnswer, Then, Ticket, Timer};
use super::members::{Group, Members};
use super::offsets::{self, CommittedOffset};
use super::transactions::PendingOffsets;
use protocol::ids::Uuid;

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

/// The groups of one partition.
#[derive(Debug, Default)]
pub(super) struct Shard {
    pub(super) groups: HashMap<Arc<str>, Group>,
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

    /// A group's members, if they speak the classic protocol.
    ///
    /// # Errors
    /// [`GroupError::GroupNotFound`]; [`GroupError::NotClassicGroup`].
    pub(super) fn classic(&mut self, id: &str) -> Result<&mut ClassicGroup, GroupError> {
        match self.groups.get_mut(id).map(|group| &mut group.members) {
            Some(Members::Classic(group)) => Ok(group),
            Some(Members::Consumer(_)) => Err(GroupError::NotClassicGroup(id.to_owned())),
            None => Err(GroupError::GroupNotFound(id.to_owned())),
        }
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

    /// A member joins; its group is created where it is new. In a group of the consumer protocol the answer is known at once, and good
    /// when the records are committed; in others `ticket` is answered when the rebalance is over.
    pub(super) fn join(
        &mut self,
        id: &str,
        join: Join,
        ticket: Ticket,
        context: Context<'_>,
    ) -> Result<(Option<JoinAnswer>, Effects), GroupError> {
        if let Some(Members::Consumer(group)) = self.groups.get_mut(id).map(|group| &mut group.members)
            && !group.is_empty()
        {
            // Who is refused here is told no id.
            let refused = |error| (JoinAnswer::refused(Arc::default(), error), Effects::default());
            let (answer, effects) = group.join(&join, context).unwrap_or_else(refused);
            return Ok((Some(answer), effects));
        }
        let former = self.groups.get(id).map(|group| &group.members);
        let mut records = Vec::new();
        if let Some(Members::Consumer(group)) = former {
            records = group.tombstones();
        }
        let is_new = former.is_none_or(|former| matches!(former, Members::Consumer(_)));
        if is_new {
            if !join.identity.id.is_empty() {
                return Err(GroupError::UnknownMember);
            }
            let members = ClassicGroup::new(Arc::from(id), context.now_ms);
            self.create(id, context.now_ms).members = Members::Classic(members);
        }
        let members = self.classic(id)?;
        let mut effects = members.join(join, ticket, context);
        if is_new && effects.records.is_empty() {
            effects.records.push(members.new_record());
            effects.then = Some(Then::Noted);
        }
        // What the former group had comes first; with the records of a classic group, these are not replayed.
        records.append(&mut effects.records);
        effects.records = records;
        Ok((None, effects))
    }

    /// A member asks for its assignment. The answer is given as to a join.
    pub(super) fn sync(
        &mut self,
        id: &str,
        sync: Sync,
        ticket: Ticket,
        context: Context<'_>,
    ) -> Result<(Option<SyncAnswer>, Effects), GroupError> {
        match self.groups.get_mut(id).map(|group| &mut group.members) {
            Some(Members::Classic(group)) => Ok((None, group.sync(sync, ticket))),
            Some(Members::Consumer(group)) if !group.is_empty() => {
                let mut effects = Effects::default();
                let answer = group.sync(&sync, context, &mut effects);
                // Who has to join again does so in time, though it is refused.
                Ok((Some(answer.unwrap_or_else(SyncAnswer::refused)), effects))
            }
            Some(Members::Consumer(_)) | None => Err(GroupError::UnknownMember),
        }
    }

    /// A member that speaks the classic protocol lives.
    ///
    /// # Errors
    /// It is not a member. In the answer: it has to join again, or is of another generation.
    pub(super) fn heartbeat(
        &mut self,
        id: &str,
        caller: Caller<'_>,
    ) -> Result<(Result<(), GroupError>, Effects), GroupError> {
        match self.groups.get(id).map(|group| &group.members) {
            Some(Members::Classic(group)) => Ok(group.heartbeat(caller)),
            Some(Members::Consumer(group)) => group.classic_heartbeat(caller),
            None => Err(GroupError::UnknownMember),
        }
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
        effects.records.extend(group.members.tombstones(id));
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
        if keeps_none && group.members.is_empty() {
            effects.records.extend(group.members.tombstones(id));
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
        match (self.groups.get_mut(id).map(|group| &mut group.members), timer) {
            (Some(Members::Consumer(group)), timer) => group.timed_out(timer, context),
            (Some(Members::Classic(group)), Timer::Session(member_id)) => group.session_timed_out(member_id, context),
            (Some(Members::Classic(group)), Timer::Join) => group.join_timed_out(context),
            (Some(Members::Classic(group)), Timer::Sync) => group.sync_timed_out(context),
            // A group that was deleted needs none of its timers, nor one that spoke the consumer protocol those of that.
            (Some(Members::Classic(_)), Timer::Rebalance(_) | Timer::MemberJoin(_) | Timer::MemberSync(_))
            | (None, _) => Effects::default(),
        }
    }

    /// The records that an event led to are committed.
    pub(super) fn stored(&mut self, id: &str, then: Then, context: Context<'_>) -> Effects {
        let Ok(group) = self.classic(id) else { return Effects::default() };
        match then {
            Then::Noted | Then::Downgraded { .. } => Effects::default(),
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
        let Ok(group) = self.classic(id) else { return Effects::default() };
        match then {
            // Before the next rebalance, a crash would bring the former generation back, whose members are gone.
            Then::Noted | Then::Downgraded { .. } => Effects::default(),
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
                let group = self.create(&key.group, now_ms);
                let id = group.members.id(&key.group);
                group.members = Members::Classic(ClassicGroup::from_record(id, value));
            }
            CoordinatorRecord::GroupMetadata(key, None) => self.remove_group(&key.group, now_ms),
            record => self.replay_consumer(record, now_ms),
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
    pub(super) fn remove_group(&mut self, id: &str, now_ms: i64) {
        if let Some((id, group)) = self.groups.remove_entry(id)
            && !group.offsets.is_empty()
        {
            let members = Members::Classic(ClassicGroup::new(Arc::clone(&id), now_ms));
            self.groups.insert(id, Group { members, offsets: group.offsets });
        }
    }

    /// The group of that id; a new one is a classic one that nobody has joined.
    pub(super) fn create(&mut self, id: &str, now_ms: i64) -> &mut Group {
        // Looked up first, so that a commit to a known group copies no name.
        let id = self.groups.get_key_value(id).map_or_else(|| Arc::from(id), |(id, _)| Arc::clone(id));
        self.groups.entry(Arc::clone(&id)).or_insert_with(|| Group::new(id, now_ms))
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
