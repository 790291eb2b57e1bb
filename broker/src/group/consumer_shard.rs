//! Groups of the consumer protocol among those of one partition: which of them an event concerns, and which becomes one. Source:
//! `GroupMetadataManager.getOrMaybeCreateConsumerGroup`, `getOrMaybeCreatePersistedConsumerGroup`.

use protocol::coordinator_record::CoordinatorRecord;
use std::sync::Arc;

use super::GroupError;
use super::classic::{self, ClassicGroup, Context, Leaving, Left};
use super::consumer::{ConsumerGroup, Heartbeat, HeartbeatAnswer, ResolvedRegex};
use super::effects::Effects;
use super::members::{Group, Members};
use super::shard::Shard;

impl Shard {
    /// A group of the consumer protocol.
    ///
    /// # Errors
    /// [`GroupError::GroupNotFound`]; [`GroupError::NotConsumerGroup`].
    pub(super) fn consumer(&self, id: &str) -> Result<&ConsumerGroup, GroupError> {
        match self.groups.get(id).map(|group| &group.members) {
            Some(Members::Consumer(group)) => Ok(group),
            Some(Members::Classic(_)) => Err(GroupError::NotConsumerGroup(id.to_owned())),
            None => Err(GroupError::GroupNotFound(id.to_owned())),
        }
    }

    /// A member joins, with which a group may come into being or go over to the consumer protocol, or goes on.
    ///
    /// # Errors
    /// There is no such group, or whatever is wrong with the member.
    pub(super) fn consumer_heartbeat(
        &mut self,
        id: &str,
        heartbeat: &Heartbeat,
        context: Context<'_>,
    ) -> Result<(HeartbeatAnswer, Effects), GroupError> {
        let mut effects = Effects::default();
        let joins = heartbeat.epoch == 0;
        let mut group = match self.groups.get_mut(id) {
            Some(Group { members: Members::Consumer(group), .. }) => {
                let answer = group.heartbeat(heartbeat, context, &mut effects)?;
                return Ok((answer, effects));
            }
            Some(group) if joins && group.members.is_empty() => {
                effects.records.push(classic::tombstone(id));
                ConsumerGroup::new(Arc::from(id))
            }
            Some(Group { members: Members::Classic(group), .. }) if joins => {
                ConsumerGroup::upgraded(&Arc::from(id), group, context, &mut effects)?
            }
            Some(_) => return Err(GroupError::NotConsumerGroup(id.to_owned())),
            None if joins => ConsumerGroup::new(Arc::from(id)),
            None => return Err(GroupError::ConsumerGroupNotFound(id.to_owned())),
        };
        // The group is there when its records are replayed.
        let answer = group.heartbeat(heartbeat, context, &mut effects)?;
        Ok((answer, effects))
    }

    /// Members leave by LeaveGroup.
    ///
    /// # Errors
    /// [`GroupError::UnknownMember`] if there is no such group.
    pub(super) fn leave(
        &mut self,
        id: &str,
        leaving: &[Leaving],
        context: Context<'_>,
    ) -> Result<(Left, Effects), GroupError> {
        match self.groups.get_mut(id).map(|group| &mut group.members) {
            Some(Members::Classic(group)) => Ok(group.leave(leaving, context)),
            Some(Members::Consumer(group)) => group.leave_group(leaving, context),
            None => Err(GroupError::UnknownMember),
        }
    }

    /// Whether the regular expressions of a group have to be resolved now: nobody does so yet.
    pub(super) fn begin_resolving(&mut self, id: &str) -> bool {
        match self.groups.get_mut(id).map(|group| &mut group.members) {
            Some(Members::Consumer(group)) => group.begin_resolving(),
            Some(Members::Classic(_)) | None => false,
        }
    }

    /// The regular expressions of a group are resolved.
    pub(super) fn regexes_resolved(
        &mut self,
        id: &str,
        resolved: Vec<(Arc<str>, ResolvedRegex)>,
        context: Context<'_>,
    ) -> Effects {
        match self.groups.get_mut(id).map(|group| &mut group.members) {
            Some(Members::Consumer(group)) => group.regexes_resolved(resolved, context),
            Some(Members::Classic(_)) | None => Effects::default(),
        }
    }

    /// The group goes on with the classic protocol.
    pub(super) fn downgraded(
        &mut self,
        id: &str,
        mut group: ClassicGroup,
        rebalance: bool,
        context: Context<'_>,
    ) -> Effects {
        let effects = group.downgraded(rebalance, context);
        self.create(id, context.now_ms).members = Members::Classic(group);
        effects
    }

    /// Takes a record of the consumer protocol over.
    pub(super) fn replay_consumer(&mut self, record: &CoordinatorRecord, now_ms: i64) {
        use CoordinatorRecord as Record;
        match record {
            Record::ConsumerGroupMetadata(key, None) => {
                if self.consumer(&key.group_id).is_ok() {
                    self.remove_group(&key.group_id, now_ms);
                }
            }
            Record::ConsumerGroupMetadata(key, Some(value)) => {
                self.with_consumer(&key.group_id, true, now_ms, |group| group.replay_epoch(value));
            }
            Record::ConsumerGroupPartitionMetadata(key, value) => {
                let is_there = value.is_some();
                self.with_consumer(&key.group_id, is_there, now_ms, |group| {
                    group.replay_subscription_metadata(is_there)
                });
            }
            Record::ConsumerGroupMemberMetadata(key, value) => {
                let replay = |group: &mut ConsumerGroup| group.replay_member(&key.member_id, value.as_ref());
                self.with_consumer(&key.group_id, value.is_some(), now_ms, replay);
            }
            Record::ConsumerGroupTargetAssignmentMetadata(key, value) => {
                let replay = |group: &mut ConsumerGroup| group.replay_target_epoch(value.as_ref());
                self.with_consumer(&key.group_id, value.is_some(), now_ms, replay);
            }
            Record::ConsumerGroupTargetAssignmentMember(key, value) => {
                let replay = |group: &mut ConsumerGroup| group.replay_target(&key.member_id, value.as_ref());
                self.with_consumer(&key.group_id, value.is_some(), now_ms, replay);
            }
            Record::ConsumerGroupCurrentMemberAssignment(key, value) => {
                let replay = |group: &mut ConsumerGroup| group.replay_current(&key.member_id, value.as_ref());
                self.with_consumer(&key.group_id, value.is_some(), now_ms, replay);
            }
            Record::ConsumerGroupRegularExpression(key, value) => {
                let replay = |group: &mut ConsumerGroup| group.replay_regex(&key.regular_expression, value.as_ref());
                self.with_consumer(&key.group_id, value.is_some(), now_ms, replay);
            }
            Record::OffsetCommit(..) | Record::GroupMetadata(..) => {}
        }
    }

    /// Shows a record to its group, which comes into being with it unless the record is a tombstone. A group that so far has nothing
    /// but offsets is taken for a classic one.
    fn with_consumer(&mut self, id: &str, creates: bool, now_ms: i64, replay: impl FnOnce(&mut ConsumerGroup)) {
        if creates && self.consumer(id).is_err() {
            let group = self.create(id, now_ms);
            group.members = Members::Consumer(ConsumerGroup::new(group.members.id(id)));
        }
        if let Some(Group { members: Members::Consumer(group), .. }) = self.groups.get_mut(id) {
            replay(group);
        }
    }
}
