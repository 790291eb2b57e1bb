//! A static member takes the place of its former self (KIP-345). Source:
//! `GroupMetadataManager.updateStaticMemberThenRebalanceOrCompleteJoin`.

use std::collections::HashMap;
use std::sync::Arc;

use super::join::Join;
use super::member::{Member, Protocol};
use super::{ClassicGroup, Context, GroupState};
use crate::group::GroupError;
use crate::group::effects::{Answer, Effects, JoinAnswer, SyncAnswer, Then, Ticket, Timer};

/// What has to be known when the record of a replacement is committed, or is not.
#[derive(Debug)]
pub struct StaticReplacement {
    former_id: Arc<str>,
    new_id: Arc<str>,
    instance_id: Arc<str>,
    ticket: Ticket,
    /// The leader before, which older clients are told so that they do not take themselves for it.
    former_leader: Option<Arc<str>>,
    former_protocols: Vec<Protocol>,
    former_rebalance_timeout_ms: i32,
    former_session_timeout_ms: i32,
    can_skip_assignment: bool,
}

impl ClassicGroup {
    /// The member with the join's instance id, `former_id` until now, goes on under its new id; requests of the former one
    /// are fenced. A stable group stays stable unless the protocol changes.
    pub(super) fn replace_static_member(
        &mut self,
        join: Join,
        former_id: &str,
        ticket: Ticket,
        context: Context<'_>,
        effects: &mut Effects,
    ) {
        let Some(instance_id) = join.identity.instance_id.clone() else { return };
        let new_id = Arc::clone(&join.new_member_id);
        let former_leader = self.leader.clone();
        let Some(former) = self.rename(former_id, &new_id, effects) else { return };
        let replacement = StaticReplacement {
            former_id: Arc::from(former_id),
            new_id: Arc::clone(&new_id),
            instance_id,
            ticket,
            former_leader,
            former_protocols: former.protocols,
            former_rebalance_timeout_ms: former.rebalance_timeout_ms,
            former_session_timeout_ms: former.session_timeout_ms,
            can_skip_assignment: join.can_skip_assignment,
        };
        effects.schedule(Timer::Session(Arc::clone(&new_id)), former.session_timeout_ms.into());
        self.update_member(&new_id, join, ticket, effects);
        match self.state {
            GroupState::Stable if self.protocol == self.select_protocol() => {
                let assignments: HashMap<&str, _> =
                    self.members.values().map(|member| (&**member.id(), &member.assignment)).collect();
                effects.records.push(self.generation_record(&assignments));
                effects.then = Some(Then::Replaced(Box::new(replacement)));
            }
            GroupState::Stable => self.rebalance_or_complete_join(context, effects),
            // The leader may have assigned to the former id already.
            GroupState::CompletingRebalance => self.prepare_rebalance(context, effects),
            GroupState::PreparingRebalance | GroupState::Empty => self.complete_join_phase(context, effects),
        }
    }

    /// The record of a replacement is committed: the member goes on with the assignment that it had.
    pub(in crate::group) fn replaced(&mut self, replacement: &StaticReplacement) -> Effects {
        let mut effects = Effects::default();
        let new_id = &replacement.new_id;
        if self.members.get(new_id).is_none_or(|member| member.awaiting_join != Some(replacement.ticket)) {
            // It was replaced itself, removed or taken into a rebalance, and has its answer from there.
            return effects;
        }
        let is_leader = self.is_leader(new_id);
        let answer = if replacement.can_skip_assignment {
            let answer = self.generation_answer(Arc::clone(new_id), is_leader);
            JoinAnswer { skip_assignment: is_leader, ..answer }
        } else {
            let leader = replacement.former_leader.clone().unwrap_or_default();
            JoinAnswer { leader, ..self.generation_answer(Arc::clone(new_id), false) }
        };
        effects.answer(self.set_awaiting_join(new_id, None), Answer::Join(answer));
        effects
    }

    /// The record of a replacement is not stored: the former self is back.
    pub(in crate::group) fn replacement_failed(
        &mut self,
        replacement: StaticReplacement,
        error: GroupError,
    ) -> Effects {
        let mut effects = Effects::default();
        let new_id = &replacement.new_id;
        if self.static_members.get(&replacement.instance_id) != Some(new_id) {
            return effects;
        }
        let ticket = self.set_awaiting_join(new_id, None);
        if let Some(member) = self.members.get_mut(new_id) {
            member.rebalance_timeout_ms = replacement.former_rebalance_timeout_ms;
            member.session_timeout_ms = replacement.former_session_timeout_ms;
            let replaced = std::mem::replace(&mut member.protocols, replacement.former_protocols.clone());
            self.count_protocols(&replaced, false);
            self.count_protocols(&replacement.former_protocols, true);
        }
        self.rename(new_id, &replacement.former_id, &mut effects);
        effects
            .schedule(Timer::Session(Arc::clone(&replacement.former_id)), replacement.former_session_timeout_ms.into());
        let refused = JoinAnswer {
            error: Some(error),
            leader: replacement.former_leader.unwrap_or_default(),
            ..self.generation_answer(Arc::default(), false)
        };
        effects.answer(ticket, Answer::Join(refused));
        effects
    }

    /// Gives a static member another id, and fences whoever waits under the former one. Returns the former member.
    fn rename(&mut self, former_id: &str, new_id: &Arc<str>, effects: &mut Effects) -> Option<Member> {
        let fenced = JoinAnswer { error: Some(GroupError::FencedInstance), generation: -1, ..JoinAnswer::default() };
        let fenced = JoinAnswer { member_id: Arc::from(former_id), ..fenced };
        effects.answer(self.set_awaiting_join(former_id, None), Answer::Join(fenced));
        let former = self.members.remove(former_id)?;
        effects.answer(former.awaiting_sync, Answer::Sync(SyncAnswer::refused(GroupError::FencedInstance)));
        effects.cancel(Timer::Session(Arc::from(former_id)));
        let mut renamed = Member { awaiting_join: None, awaiting_sync: None, is_new: false, ..former.clone() };
        renamed.identity.id = Arc::clone(new_id);
        if let Some(instance_id) = &renamed.identity.instance_id {
            self.static_members.insert(Arc::clone(instance_id), Arc::clone(new_id));
        }
        if self.is_leader(former_id) {
            self.leader = Some(Arc::clone(new_id));
        }
        if self.pending_syncs.remove(former_id) {
            self.pending_syncs.insert(Arc::clone(new_id));
        }
        self.members.insert(Arc::clone(new_id), renamed);
        Some(former)
    }
}
