//! SyncGroup: the leader brings the assignment, everybody gets its share. Source:
//! `GroupMetadataManager.classicGroupSyncToClassicGroup`.

use bytes::Bytes;
use std::collections::HashMap;
use std::sync::Arc;

use super::validate::Caller;
use super::{ClassicGroup, Context, GroupState};
use crate::group::GroupError;
use crate::group::effects::{Answer, Effects, SyncAnswer, Then, Ticket, Timer};

/// A request for the assignment.
#[derive(Clone, Debug)]
pub struct Sync {
    pub member_id: Arc<str>,
    pub instance_id: Option<Arc<str>>,
    pub generation: i32,
    /// What the client believes to be in use (KIP-559); `None` if it does not say.
    pub protocol_type: Option<Arc<str>>,
    pub protocol: Option<Arc<str>>,
    /// From the leader.
    pub assignments: Vec<(Arc<str>, Bytes)>,
}

impl ClassicGroup {
    /// A member asks for its assignment. `ticket` is answered now, or when the leader's assignment is stored.
    pub fn sync(&mut self, sync: Sync, ticket: Ticket) -> Effects {
        let mut effects = Effects::default();
        if let Err(error) = self.check_sync(&sync) {
            effects.answer(Some(ticket), Answer::Sync(SyncAnswer::refused(error)));
            return effects;
        }
        match self.state {
            GroupState::Empty => {
                effects.answer(Some(ticket), Answer::Sync(SyncAnswer::refused(GroupError::UnknownMember)));
            }
            GroupState::PreparingRebalance => {
                effects.answer(Some(ticket), Answer::Sync(SyncAnswer::refused(GroupError::RebalanceInProgress)));
            }
            GroupState::CompletingRebalance => self.await_assignment(sync, ticket, &mut effects),
            GroupState::Stable => {
                self.synced(&sync.member_id, &mut effects);
                effects.answer(Some(ticket), Answer::Sync(self.assignment_answer(&sync.member_id)));
            }
        }
        effects
    }

    fn check_sync(&self, sync: &Sync) -> Result<(), GroupError> {
        let Sync { member_id, instance_id, generation, .. } = sync;
        self.check_generation(Caller { member_id, instance_id: instance_id.as_deref(), generation: *generation })?;
        let contradicts =
            |said: &Option<Arc<str>>, known: &Option<Arc<str>>| said.is_some() && known.is_some() && said != known;
        if contradicts(&sync.protocol_type, &self.protocol_type) || contradicts(&sync.protocol, &self.protocol) {
            return Err(GroupError::InconsistentProtocol);
        }
        Ok(())
    }

    fn await_assignment(&mut self, sync: Sync, ticket: Ticket, effects: &mut Effects) {
        let earlier = self.members.get_mut(&sync.member_id).and_then(|member| member.awaiting_sync.replace(ticket));
        effects.answer(earlier, Answer::Sync(SyncAnswer::refused(GroupError::RebalanceInProgress)));
        self.synced(&sync.member_id, effects);
        if !self.is_leader(&sync.member_id) {
            return;
        }
        // Members that the leader has forgotten get nothing; names that are no members are dropped.
        let owned = |bytes: &Bytes| Bytes::copy_from_slice(bytes);
        let assigned: HashMap<&str, &Bytes> = sync.assignments.iter().map(|(id, bytes)| (&**id, bytes)).collect();
        let assignments = self.members.keys().map(|member_id| {
            (Arc::clone(member_id), assigned.get(&**member_id).copied().map(owned).unwrap_or_default())
        });
        let assignments: Vec<_> = assignments.collect();
        let by_id = assignments.iter().map(|(id, bytes)| (&**id, bytes)).collect();
        effects.records.push(self.generation_record(&by_id));
        effects.then = Some(Then::Assigned { generation: self.generation, assignments });
    }

    /// The member has asked; when all have, nobody is waited for.
    fn synced(&mut self, member_id: &str, effects: &mut Effects) {
        self.pending_syncs.remove(member_id);
        if self.pending_syncs.is_empty() {
            effects.cancel(Timer::Sync);
        }
    }

    fn assignment_answer(&self, member_id: &str) -> SyncAnswer {
        SyncAnswer {
            error: None,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            assignment: self.members.get(member_id).map(|member| member.assignment.clone()).unwrap_or_default(),
        }
    }

    /// The assignment of `generation` is committed. If the group has gone on meanwhile, it means nothing any more.
    pub(in crate::group) fn assigned(
        &mut self,
        generation: i32,
        assignments: Vec<(Arc<str>, Bytes)>,
        context: Context<'_>,
    ) -> Effects {
        let mut effects = Effects::default();
        if self.state != GroupState::CompletingRebalance || generation != self.generation {
            return effects;
        }
        let mut assignments: HashMap<Arc<str>, Bytes> = assignments.into_iter().collect();
        for member in self.members.values_mut() {
            member.assignment = assignments.remove(member.id()).unwrap_or_default();
        }
        self.transition_to(GroupState::Stable, context.now_ms);
        for member_id in self.members.keys().cloned().collect::<Vec<_>>() {
            let answer = self.assignment_answer(&member_id);
            if let Some(member) = self.members.get_mut(&member_id)
                && let Some(ticket) = member.awaiting_sync.take()
            {
                effects.answer(Some(ticket), Answer::Sync(answer));
                // A session that ended while its member waited was passed over and not watched again.
                effects.schedule(Timer::Session(member_id), member.session_timeout_ms.into());
            }
        }
        tracing::info!(group = %self.id, generation, members = self.members.len(), "group is stable");
        effects
    }

    /// The assignment of `generation` could not be stored: whoever waits is told, and all join again.
    pub(in crate::group) fn assignment_failed(
        &mut self,
        generation: i32,
        error: impl Fn() -> GroupError,
        context: Context<'_>,
    ) -> Effects {
        let mut effects = Effects::default();
        if self.state == GroupState::CompletingRebalance && generation == self.generation {
            self.reset_assignments(error, &mut effects);
            self.rebalance_or_complete_join(context, &mut effects);
        }
        effects
    }

    /// Takes assignments away and refuses those who wait for one.
    pub(super) fn reset_assignments(&mut self, error: impl Fn() -> GroupError, effects: &mut Effects) {
        for member in self.members.values_mut() {
            member.assignment = Bytes::new();
            if let Some(ticket) = member.awaiting_sync.take() {
                effects.answer(Some(ticket), Answer::Sync(SyncAnswer::refused(error())));
                effects.schedule(Timer::Session(Arc::clone(member.id())), member.session_timeout_ms.into());
            }
        }
    }
}
