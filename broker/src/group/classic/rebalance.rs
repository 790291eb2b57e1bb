//! From one generation to the next. Source: `GroupMetadataManager.prepareRebalance`, `completeClassicGroupJoin`.

use std::collections::HashMap;
use std::sync::Arc;

use super::{ClassicGroup, Context, GroupState, InitialDelay, Protocol};
use crate::group::GroupError;
use crate::group::effects::{Answer, Effects, Then, Timer};

impl ClassicGroup {
    /// Begins a rebalance, or goes on with the one that is under way.
    pub(super) fn rebalance_or_complete_join(&mut self, context: Context<'_>, effects: &mut Effects) {
        match self.state {
            GroupState::PreparingRebalance => self.complete_join_phase(context, effects),
            GroupState::Empty | GroupState::CompletingRebalance | GroupState::Stable => {
                self.prepare_rebalance(context, effects);
            }
        }
    }

    /// Ends the phase of joining if nobody is missing. The first rebalance of a group waits for its delay in any case.
    pub(super) fn complete_join_phase(&mut self, context: Context<'_>, effects: &mut Effects) {
        let is_preparing = self.state == GroupState::PreparingRebalance;
        if is_preparing && self.previous_state != GroupState::Empty && self.has_all_members_joined() {
            self.complete_join(context, effects);
        }
    }

    /// Asks all members to join again.
    pub(super) fn prepare_rebalance(&mut self, context: Context<'_>, effects: &mut Effects) {
        if self.state == GroupState::CompletingRebalance {
            self.reset_assignments(|| GroupError::RebalanceInProgress, effects);
        }
        self.pending_syncs.clear();
        effects.cancel(Timer::Sync);
        let is_initial = self.state == GroupState::Empty;
        self.transition_to(GroupState::PreparingRebalance, context.now_ms);
        tracing::info!(group = %self.id, generation = self.generation, "preparing to rebalance");
        if is_initial {
            let delay_ms = i64::from(context.config.initial_rebalance_delay_ms);
            let remaining_ms = (self.rebalance_timeout_ms() - delay_ms).max(0);
            self.initial_delay = Some(InitialDelay { delay_ms, remaining_ms });
            effects.schedule(Timer::Join, delay_ms);
        } else if self.has_all_members_joined() {
            self.complete_join(context, effects);
        } else {
            effects.schedule(Timer::Join, self.rebalance_timeout_ms());
        }
    }

    /// The time for joining is over.
    pub fn join_timed_out(&mut self, context: Context<'_>) -> Effects {
        let mut effects = Effects::default();
        if self.state != GroupState::PreparingRebalance {
            return effects;
        }
        match self.initial_delay {
            Some(InitialDelay { delay_ms, remaining_ms }) if self.new_member_added && remaining_ms > 0 => {
                self.new_member_added = false;
                let next_ms = remaining_ms.min(context.config.initial_rebalance_delay_ms.into());
                let remaining_ms = (remaining_ms - delay_ms).max(0);
                self.initial_delay = Some(InitialDelay { delay_ms: next_ms, remaining_ms });
                effects.schedule(Timer::Join, next_ms);
            }
            _ => self.complete_join(context, &mut effects),
        }
        effects
    }

    /// Begins the next generation with those that have joined; static members may be missing.
    pub(super) fn complete_join(&mut self, context: Context<'_>, effects: &mut Effects) {
        effects.cancel(Timer::Join);
        self.initial_delay = None;
        self.new_member_added = false;
        self.remove_missing(effects);
        if !self.elect_joined_leader() && !self.members.is_empty() {
            // Only static members, and none of them is here: their sessions decide.
            effects.schedule(Timer::Join, self.rebalance_timeout_ms());
            return;
        }
        self.begin_generation(context);
        if self.state == GroupState::Empty {
            effects.records.push(self.generation_record(&HashMap::new()));
            effects.then = Some(Then::Noted);
            return;
        }
        let leader_members = self.joined_members();
        for member_id in self.members.keys().cloned().collect::<Vec<_>>() {
            let mut answer = self.generation_answer(Arc::clone(&member_id), false);
            if self.is_leader(&member_id) {
                answer.members.clone_from(&leader_members);
            }
            effects.answer(self.set_awaiting_join(&member_id, None), Answer::Join(answer));
            if let Some(member) = self.members.get_mut(&member_id) {
                member.is_new = false;
                effects.schedule(Timer::Session(Arc::clone(&member_id)), member.session_timeout_ms.into());
            }
            self.pending_syncs.insert(member_id);
        }
        effects.schedule(Timer::Sync, self.rebalance_timeout_ms());
    }

    /// Removes dynamic members that have not joined again.
    fn remove_missing(&mut self, effects: &mut Effects) {
        let missing = self.members.values().filter(|member| member.awaiting_join.is_none() && !member.is_static());
        for member_id in missing.map(|member| Arc::clone(member.id())).collect::<Vec<_>>() {
            tracing::info!(group = %self.id, member = %member_id, "member did not join the rebalance in time");
            self.remove(&member_id);
            effects.cancel(Timer::Session(member_id));
        }
    }

    /// Sees to it that the leader is a member that has joined; false if none has.
    fn elect_joined_leader(&mut self) -> bool {
        let has_joined = |member: &super::Member| member.awaiting_join.is_some();
        let Some(leader) = &self.leader else { return false };
        if self.members.get(leader).is_some_and(has_joined) {
            return true;
        }
        let Some(joined) = self.members.values().find(|member| has_joined(member)) else { return false };
        self.leader = Some(Arc::clone(joined.id()));
        true
    }

    fn begin_generation(&mut self, context: Context<'_>) {
        self.generation = self.generation.wrapping_add(1).max(0);
        self.protocol = self.select_protocol();
        self.subscribed_topics = self.compute_subscribed_topics();
        self.pending_syncs.clear();
        let next = if self.members.is_empty() { GroupState::Empty } else { GroupState::CompletingRebalance };
        self.transition_to(next, context.now_ms);
        tracing::info!(
            group = %self.id, generation = self.generation, members = self.members.len(), state = next.name(),
            "new generation"
        );
    }

    /// The protocol that most members prefer of those that all speak; `None` without members.
    pub(super) fn select_protocol(&self) -> Option<Arc<str>> {
        let is_common = |protocol: &&Protocol| {
            self.supported_protocols.get(&protocol.name).copied().unwrap_or(0) == self.members.len()
        };
        let mut votes: HashMap<&Arc<str>, usize> = HashMap::new();
        for vote in self.members.values().filter_map(|member| member.protocols.iter().find(is_common)) {
            *votes.entry(&vote.name).or_default() += 1;
        }
        // Among equals the one whose name comes first, so that the choice does not depend on a hash.
        votes.into_iter().max_by(|a, b| a.1.cmp(&b.1).then(b.0.cmp(a.0))).map(|(name, _)| Arc::clone(name))
    }
}
