//! Members leave, of themselves or because their time is over. Source: `GroupMetadataManager.consumerGroupLeave`,
//! `consumerGroupFenceMembers`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::counts::update;
use super::heartbeat::{HeartbeatAnswer, check_holder};
use super::member::{ConsumerMember, LEAVE_STATIC_EPOCH, Owned};
use super::{ConsumerGroup, member, record};
use crate::group::GroupError;
use crate::group::classic::{Context, Leaving, Left};
use crate::group::effects::{Effects, Timer};

impl ConsumerGroup {
    /// A member says that it leaves; a static one with [`LEAVE_STATIC_EPOCH`] keeps its place.
    ///
    /// # Errors
    /// It is no member.
    pub fn leave(
        &self,
        member_id: &Arc<str>,
        instance_id: Option<&str>,
        epoch: i32,
        context: Context<'_>,
        effects: &mut Effects,
    ) -> Result<HeartbeatAnswer, GroupError> {
        let leaving = match instance_id {
            None => self.member(member_id)?,
            Some(instance_id) => {
                let unknown = || GroupError::UnknownInstance(instance_id.to_owned());
                let holder = self.static_member(instance_id).ok_or_else(unknown)?;
                check_holder(holder, member_id, instance_id)?;
                holder
            }
        };
        tracing::info!(group = %self.id, member = %leaving.id, epoch, "member leaves");
        if instance_id.is_some() && epoch == LEAVE_STATIC_EPOCH {
            effects.records.push(record::current(&self.id, &away(leaving)));
        } else {
            self.remove(&[Arc::clone(&leaving.id)], context, effects)?;
        }
        Ok(HeartbeatAnswer { member_id: Arc::clone(member_id), epoch, interval_ms: 0, assignment: None })
    }

    /// Members leave by LeaveGroup, whichever protocol they speak (`classicGroupLeaveToConsumerGroup`).
    ///
    /// # Errors
    /// The group cannot go back to the classic protocol.
    pub fn leave_group(&self, leaving: &[Leaving], context: Context<'_>) -> Result<(Left, Effects), GroupError> {
        let found: Vec<_> = leaving.iter().map(|leaving| self.leaving(leaving)).collect();
        let mut effects = Effects::default();
        let ids: BTreeSet<Arc<str>> = found.iter().flatten().cloned().collect();
        let ids: Vec<Arc<str>> = ids.into_iter().collect();
        self.remove(&ids, context, &mut effects)?;
        Ok((found.into_iter().map(|found| found.map(drop)).collect(), effects))
    }

    fn leaving(&self, leaving: &Leaving) -> Result<Arc<str>, GroupError> {
        let Some(instance_id) = leaving.instance_id.as_deref() else {
            return Ok(Arc::clone(&self.member(&leaving.member_id)?.id));
        };
        let unknown = || GroupError::UnknownInstance(instance_id.to_owned());
        let holder = self.static_member(instance_id).ok_or_else(unknown)?;
        // An administrator removes by the instance id alone.
        if !leaving.member_id.is_empty() {
            check_holder(holder, &leaving.member_id, instance_id)?;
        }
        Ok(Arc::clone(&holder.id))
    }

    /// Removes members; those that are left may all speak the classic protocol, and the group then does too.
    ///
    /// # Errors
    /// The group cannot go back to the classic protocol.
    pub(super) fn remove(
        &self,
        ids: &[Arc<str>],
        context: Context<'_>,
        effects: &mut Effects,
    ) -> Result<(), GroupError> {
        let members: Vec<&ConsumerMember> = ids.iter().filter_map(|id| self.members.get(id)).collect();
        if members.is_empty() {
            return Ok(());
        }
        for member in &members {
            cancel_timers(&member.id, effects);
        }
        if self.may_downgrade_without(&members, context) {
            return self.downgrade_without(&members, context, effects);
        }
        let mut topics = self.subscribed_topics.clone();
        let mut regexes: BTreeMap<&Arc<str>, usize> = BTreeMap::new();
        for member in &members {
            effects.records.extend(record::removed_member(&self.id, &member.id));
            member.topics.iter().for_each(|topic| update(&mut topics, topic, |count| count.by_name -= 1));
            member.regex().into_iter().for_each(|regex| *regexes.entry(regex).or_default() += 1);
        }
        for (regex, count) in regexes {
            if self.regexes.get(regex) == count {
                effects.records.push(record::regex_tombstone(&self.id, regex));
                self.forget_matches(regex, &mut topics);
            }
        }
        let hash = context.topics.hash(topics.keys());
        effects.records.push(record::epoch(&self.id, self.epoch + 1, hash));
        Ok(())
    }
}

/// A static member that will be back: it keeps its partitions, as of epoch 0, so that its next self may commit for them.
fn away(member: &ConsumerMember) -> ConsumerMember {
    ConsumerMember {
        epoch: LEAVE_STATIC_EPOCH,
        pending_revocation: Owned::new(),
        assigned: member::with_epoch(&member::without_epochs(&member.assigned), 0),
        ..member.clone()
    }
}

/// Nobody waits for the member any more.
fn cancel_timers(id: &Arc<str>, effects: &mut Effects) {
    let timers: [fn(Arc<str>) -> Timer; 4] = [Timer::Session, Timer::Rebalance, Timer::MemberJoin, Timer::MemberSync];
    timers.into_iter().for_each(|timer| effects.cancel(timer(Arc::clone(id))));
}
