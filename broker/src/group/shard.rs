//! The groups of one partition of `__consumer_offsets`: replays records, and decides what is not about members.
//! Source: `GroupCoordinatorShard`, `OffsetMetadataManager`, `GroupMetadataManager`.

use protocol::coordinator_record::CoordinatorRecord;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::GroupError;
use super::classic::{Caller, ClassicGroup, Context, Join, Sync};
use super::effects::{Effects, JoinAnswer, SyncAnswer, Then, Ticket, Timer};
use super::members::{Group, Members};
use super::offsets;
use super::transactions::PendingOffsets;

/// The groups of one partition.
#[derive(Debug, Default)]
pub(super) struct Shard {
    pub(super) groups: HashMap<Arc<str>, Group>,
    /// Each topic's name once, however many offsets it has.
    pub(super) topics: HashSet<Arc<str>>,
    pub(super) pending: PendingOffsets,
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

    pub(super) fn intern(&mut self, topic: &str) -> Arc<str> {
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
