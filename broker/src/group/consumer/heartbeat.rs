//! ConsumerGroupHeartbeat: a member joins, lives, subscribes and is told what it has. Source:
//! `GroupMetadataManager.consumerGroupHeartbeat`.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::assignor::Partitions;
use super::member::{ConsumerMember, LEAVE_STATIC_EPOCH, Owned};
use super::reconcile::Step;
use super::subscription::{GroupEpoch, RegexChange};
use super::{ConsumerGroup, member, record};
use crate::group::GroupError;
use crate::group::classic::Context;
use crate::group::effects::{Effects, Timer};

/// Partitions that a client says it has; a topic may have none.
pub type OwnedPartitions = Partitions;

/// A request. What did not change since the last one is `None`.
#[derive(Clone, Debug)]
pub struct Heartbeat {
    /// Never empty.
    pub member_id: Arc<str>,
    /// 0 to join.
    pub epoch: i32,
    pub instance_id: Option<Arc<str>>,
    pub rack_id: Option<Arc<str>>,
    pub client_id: Arc<str>,
    pub client_host: Arc<str>,
    pub rebalance_timeout_ms: Option<i32>,
    pub topics: Option<BTreeSet<Arc<str>>>,
    pub regex: Option<Arc<str>>,
    pub assignor: Option<Arc<str>>,
    pub owned: Option<OwnedPartitions>,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeartbeatAnswer {
    pub member_id: Arc<str>,
    pub epoch: i32,
    /// 0 to a member that leaves.
    pub interval_ms: i32,
    /// `None` if the client knows it.
    pub assignment: Option<Partitions>,
}

/// Somebody who joins or goes on, by either protocol.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate<'a> {
    pub member_id: &'a Arc<str>,
    pub instance_id: Option<&'a Arc<str>>,
    pub epoch: i32,
    pub owned: Option<&'a Partitions>,
    /// It may become a member if it is none.
    pub may_join: bool,
    pub is_classic: bool,
}

impl ConsumerGroup {
    /// A member joins or lives. Only soft state changes at once.
    ///
    /// # Errors
    /// Whatever is wrong with the member, its epoch or what it wants; see [`GroupError`].
    pub fn heartbeat(
        &mut self,
        heartbeat: &Heartbeat,
        context: Context<'_>,
        effects: &mut Effects,
    ) -> Result<HeartbeatAnswer, GroupError> {
        self.check_size(&heartbeat.member_id, context)?;
        let candidate = Candidate {
            member_id: &heartbeat.member_id,
            instance_id: heartbeat.instance_id.as_ref(),
            epoch: heartbeat.epoch,
            owned: heartbeat.owned.as_ref(),
            may_join: heartbeat.epoch == 0,
            is_classic: false,
        };
        let former = self.candidate(candidate, effects)?;
        let updated = heartbeat.applied_to(&former);
        let names_changed = self.record_member(&former, &updated, effects);
        let regex = self.update_regexes(&former, &updated, context, effects)?;
        let is_bumped = names_changed || regex == RegexChange::ChangedAndResolved;
        let group = self.present_epoch(is_bumped, &former, &updated, context, effects);
        let target = self.update_target(group, &former, &updated, context, effects);
        let step = Step {
            target: &target,
            owned: heartbeat.owned.as_ref(),
            has_subscription_changed: names_changed || regex.is_change(),
        };
        let updated = self.reconcile(updated, &step, context, effects)?;
        let times = context.config.consumer.times(context.topics.image.configs(), &self.id);
        effects.schedule(Timer::Session(updated.id.clone()), times.session_timeout_ms.into());
        // A member that joins or asks for everything is told what it has, others when that changes.
        let is_told = heartbeat.epoch == 0 || heartbeat.is_full() || former.assigned != updated.assigned;
        Ok(HeartbeatAnswer {
            member_id: updated.id.clone(),
            epoch: updated.epoch,
            interval_ms: times.heartbeat_interval_ms,
            assignment: is_told.then(|| member::without_epochs(&updated.assigned)),
        })
    }

    /// The group's epoch, after a look at the topics where that is due.
    pub(super) fn present_epoch(
        &mut self,
        is_bumped: bool,
        former: &ConsumerMember,
        updated: &ConsumerMember,
        context: Context<'_>,
        effects: &mut Effects,
    ) -> GroupEpoch {
        if is_bumped || self.must_refresh(context.topics) {
            return self.update_epoch(is_bumped, former, updated, context, effects);
        }
        GroupEpoch { epoch: self.epoch, is_homogeneous: None }
    }

    /// Goes on only if there is room.
    ///
    /// # Errors
    /// [`GroupError::ConsumerGroupFull`].
    pub(super) fn check_size(&self, member_id: &str, context: Context<'_>) -> Result<(), GroupError> {
        let max_size = context.config.consumer.max_size;
        let is_full = self.members.len() >= max_size && !self.members.contains_key(member_id);
        if is_full { Err(GroupError::ConsumerGroupFull(max_size)) } else { Ok(()) }
    }

    /// The member as it was; a new one has said nothing. A static member that takes the place of another is recorded in its place
    /// (`getOrMaybeSubscribeStaticConsumerGroupMember`).
    pub(super) fn candidate(
        &self,
        candidate: Candidate<'_>,
        effects: &mut Effects,
    ) -> Result<ConsumerMember, GroupError> {
        let new = || ConsumerMember::new(Arc::clone(candidate.member_id));
        let Some(instance_id) = candidate.instance_id else {
            let member = match self.members.get(candidate.member_id) {
                None if candidate.may_join => new(),
                _ => self.member(candidate.member_id)?.clone(),
            };
            check_epoch(&member, candidate)?;
            return Ok(member);
        };
        let holder = self.static_member(instance_id);
        match holder {
            None if candidate.may_join => Ok(self.members.get(candidate.member_id).cloned().unwrap_or_else(new)),
            None => Err(GroupError::UnknownInstance(instance_id.to_string())),
            Some(holder) if candidate.may_join => self.replacement(holder, candidate, effects),
            Some(holder) => {
                check_holder(holder, candidate.member_id, instance_id)?;
                check_epoch(holder, candidate)?;
                Ok(holder.clone())
            }
        }
    }

    /// A member takes the place of a static one, which must have left if both speak the consumer protocol.
    fn replacement(
        &self,
        holder: &ConsumerMember,
        candidate: Candidate<'_>,
        effects: &mut Effects,
    ) -> Result<ConsumerMember, GroupError> {
        let must_have_left = !candidate.is_classic && !holder.uses_classic_protocol();
        if must_have_left && holder.epoch != LEAVE_STATIC_EPOCH {
            return Err(GroupError::UnreleasedInstance {
                member: candidate.member_id.to_string(),
                instance: candidate.instance_id.map(ToString::to_string).unwrap_or_default(),
                owner: holder.id.to_string(),
            });
        }
        let member =
            ConsumerMember { id: Arc::clone(candidate.member_id), epoch: 0, previous_epoch: 0, ..holder.clone() };
        // The former member's timers run on: if nothing of this is stored, it needs them.
        effects.records.extend(record::removed_member(&self.id, &holder.id));
        effects.records.push(record::member(&self.id, &member));
        effects.records.push(record::target(&self.id, &member.id, &self.target_of(&holder.id)));
        effects.records.push(record::current(&self.id, &member));
        Ok(member)
    }
}

impl Heartbeat {
    /// The member with what the request says.
    fn applied_to(&self, former: &ConsumerMember) -> ConsumerMember {
        let said = |new: &Option<Arc<str>>, old: &Option<Arc<str>>| new.clone().or_else(|| old.clone());
        ConsumerMember {
            instance_id: said(&self.instance_id, &former.instance_id),
            rack_id: said(&self.rack_id, &former.rack_id),
            rebalance_timeout_ms: self.rebalance_timeout_ms.unwrap_or(former.rebalance_timeout_ms),
            assignor: said(&self.assignor, &former.assignor),
            topics: self.topics.clone().unwrap_or_else(|| former.topics.clone()),
            regex: said(&self.regex, &former.regex),
            client_id: Arc::clone(&self.client_id),
            client_host: Arc::clone(&self.client_host),
            classic: None,
            ..former.clone()
        }
    }

    /// Everything that a client says when it joins, or is not sure of what it was told.
    fn is_full(&self) -> bool {
        let has_subscription = self.topics.is_some() || self.regex.is_some();
        self.rebalance_timeout_ms.is_some() && has_subscription && self.owned.is_some()
    }
}

/// Goes on only if the static member is who it says.
///
/// # Errors
/// [`GroupError::FencedInstanceBy`].
pub(super) fn check_holder(holder: &ConsumerMember, member_id: &str, instance_id: &str) -> Result<(), GroupError> {
    if *holder.id == *member_id {
        return Ok(());
    }
    Err(GroupError::FencedInstanceBy {
        member: member_id.to_owned(),
        instance: instance_id.to_owned(),
        owner: holder.id.to_string(),
    })
}

/// Goes on only if the epoch is the member's, or the one before and the member has nothing that it must not have: then the answer
/// with the new one was lost. 0 begins anew.
fn check_epoch(member: &ConsumerMember, candidate: Candidate<'_>) -> Result<(), GroupError> {
    let Candidate { epoch: received, owned, is_classic, .. } = candidate;
    let has_missed_one = || received == member.previous_epoch && is_subset(owned, &member.assigned);
    if is_classic || received == 0 || received == member.epoch || (received < member.epoch && has_missed_one()) {
        return Ok(());
    }
    Err(GroupError::FencedMemberEpoch {
        relation: if received > member.epoch { "greater" } else { "smaller" },
        received,
        known: member.epoch,
    })
}

fn is_subset(owned: Option<&Partitions>, assigned: &Owned) -> bool {
    let has = |topic, partitions: &BTreeSet<i32>| {
        assigned.get(topic).is_some_and(|assigned| partitions.iter().all(|partition| assigned.contains_key(partition)))
    };
    owned.is_some_and(|owned| owned.iter().all(|(topic, partitions)| has(topic, partitions)))
}
