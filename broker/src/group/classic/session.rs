//! Heartbeats and what happens without them; loading and unloading. Source: `GroupMetadataManager`.

use std::sync::Arc;

use super::validate::Caller;
use super::{ClassicGroup, Context, GroupState};
use crate::group::GroupError;
use crate::group::effects::{Answer, Effects, JoinAnswer, SyncAnswer, Timer};

impl ClassicGroup {
    /// A member lives. It is told when it has to join again.
    ///
    /// # Errors
    /// The caller is no member of this generation, or a rebalance is under way; the session goes on in the latter case.
    pub fn heartbeat(&self, caller: Caller<'_>) -> (Result<(), GroupError>, Effects) {
        let mut effects = Effects::default();
        if let Err(error) = self.check_generation(caller) {
            return (Err(error), effects);
        }
        self.extend_session(caller.member_id, &mut effects);
        let answer = match self.state {
            GroupState::Empty => Err(GroupError::UnknownMember),
            GroupState::PreparingRebalance => Err(GroupError::RebalanceInProgress),
            GroupState::CompletingRebalance | GroupState::Stable => Ok(()),
        };
        (answer, effects)
    }

    /// A member has committed offsets, which shows that it lives while no assignment is on its way.
    pub fn committed(&self, member_id: &str) -> Effects {
        let mut effects = Effects::default();
        if matches!(self.state, GroupState::Stable | GroupState::PreparingRebalance) {
            self.extend_session(member_id, &mut effects);
        }
        effects
    }

    fn extend_session(&self, member_id: &str, effects: &mut Effects) {
        if let Some(member) = self.members.get(member_id) {
            effects.schedule(Timer::Session(Arc::clone(member.id())), member.session_timeout_ms.into());
        }
    }

    /// A member, or one that was given an id and has not joined with it, has been silent for too long.
    pub fn session_timed_out(&mut self, member_id: &str, context: Context<'_>) -> Effects {
        let mut effects = Effects::default();
        let is_excused = self.members.get(member_id).is_some_and(|member| member.has_satisfied_heartbeat());
        let is_known = self.members.contains_key(member_id) || self.pending_joins.contains(member_id);
        if is_excused || !is_known {
            return effects;
        }
        tracing::info!(group = %self.id, member = member_id, "member's session has ended");
        let was_member = self.members.contains_key(member_id);
        self.remove_and_refuse(member_id, &mut effects);
        match self.state {
            GroupState::Stable | GroupState::CompletingRebalance if was_member => {
                self.rebalance_or_complete_join(context, &mut effects);
            }
            GroupState::PreparingRebalance if self.has_all_members_joined() => {
                self.complete_join(context, &mut effects);
            }
            GroupState::Empty
            | GroupState::Stable
            | GroupState::CompletingRebalance
            | GroupState::PreparingRebalance => {}
        }
        effects
    }

    /// Members that have not asked for their assignment in time are removed.
    pub fn sync_timed_out(&mut self, context: Context<'_>) -> Effects {
        let mut effects = Effects::default();
        let is_assigning = matches!(self.state, GroupState::CompletingRebalance | GroupState::Stable);
        if !is_assigning || self.pending_syncs.is_empty() {
            return effects;
        }
        for member_id in std::mem::take(&mut self.pending_syncs) {
            tracing::info!(group = %self.id, member = %member_id, "member did not ask for its assignment in time");
            self.remove_and_refuse(&member_id, &mut effects);
            effects.cancel(Timer::Session(member_id));
        }
        self.prepare_rebalance(context, &mut effects);
        effects
    }

    /// The group was read from its records: its members' sessions begin anew, and a group that is larger than it may be now
    /// rebalances, so that its members can commit before some are turned away.
    pub fn loaded(&mut self, context: Context<'_>) -> Effects {
        let mut effects = Effects::default();
        for member in self.members.values() {
            effects.schedule(Timer::Session(Arc::clone(member.id())), member.session_timeout_ms.into());
        }
        if self.members.len() > context.config.max_size {
            self.prepare_rebalance(context, &mut effects);
        }
        effects
    }

    /// The group goes to another coordinator: whoever waits is told to look for it.
    pub fn unloaded(&mut self, error: impl Fn() -> GroupError) -> Effects {
        let mut effects = Effects::default();
        for member_id in self.members.keys().cloned().collect::<Vec<_>>() {
            let ticket = self.set_awaiting_join(&member_id, None);
            effects.answer(ticket, Answer::Join(JoinAnswer::refused(Arc::clone(&member_id), error())));
            let waiting = self.members.get_mut(&member_id).and_then(|member| member.awaiting_sync.take());
            effects.answer(waiting, Answer::Sync(SyncAnswer::refused(error())));
        }
        effects
    }
}
