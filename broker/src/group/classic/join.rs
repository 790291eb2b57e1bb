//! JoinGroup. Source: `GroupMetadataManager.classicGroupJoinToClassicGroup` and what it calls.

use std::sync::Arc;

use super::member::{Identity, Member, Protocol};
use super::{ClassicGroup, Context, GroupState};
use crate::group::GroupError;
use crate::group::effects::{Answer, Effects, JoinAnswer, JoinedMember, Ticket, Timer};

/// How long a member that was never told its id may wait: its client may be gone, and nobody would see it.
const NEW_MEMBER_JOIN_TIMEOUT_MS: i64 = 5 * 60 * 1_000;

/// A request to join.
#[derive(Clone, Debug)]
pub struct Join {
    /// With the id that the member has, empty for a member that has none.
    pub identity: Identity,
    /// The id that a member without one gets.
    pub new_member_id: Arc<str>,
    pub protocol_type: Arc<str>,
    pub protocols: Vec<Protocol>,
    pub rebalance_timeout_ms: i32,
    pub session_timeout_ms: i32,
    /// A dynamic member has to join again with the id that it is given (KIP-394).
    pub requires_known_member_id: bool,
    /// The client knows the field that lets a leader keep the assignment (KIP-814).
    pub can_skip_assignment: bool,
    /// Why, as the client says (KIP-800).
    pub reason: String,
}

impl ClassicGroup {
    /// A member joins, for the first time or again. `ticket` is answered now or when the rebalance is over.
    pub fn join(&mut self, join: Join, ticket: Ticket, context: Context<'_>) -> Effects {
        let mut effects = Effects::default();
        match self.try_join(join, ticket, context, &mut effects) {
            Ok(()) => {}
            Err(answer) => effects.answer(Some(ticket), Answer::Join(*answer)),
        }
        effects
    }

    fn try_join(
        &mut self,
        join: Join,
        ticket: Ticket,
        context: Context<'_>,
        effects: &mut Effects,
    ) -> Result<(), Box<JoinAnswer>> {
        let member_id = &join.identity.id;
        let refuse = |error| Err(Box::new(JoinAnswer::refused(Arc::clone(member_id), error)));
        if !self.accepts(member_id, context.config.max_size) {
            self.pending_joins.remove(member_id);
            self.give_up(member_id, effects);
            return Err(Box::new(JoinAnswer::refused(Arc::default(), GroupError::MaxSizeReached)));
        }
        if !self.supports(&join) {
            return refuse(GroupError::InconsistentProtocol);
        }
        if member_id.is_empty() {
            return self.join_new(join, ticket, context, effects);
        }
        if self.pending_joins.contains(member_id) {
            // The id was given to a dynamic member.
            if join.identity.instance_id.is_some() {
                return refuse(GroupError::UnknownMember);
            }
            let identity = join.identity.clone();
            self.add_and_rebalance(join, identity, ticket, context, effects);
            return Ok(());
        }
        if let Err(error) = self.check_member(member_id, join.identity.instance_id.as_deref()) {
            return refuse(error);
        }
        self.join_again(join, ticket, context, effects)
    }

    /// Whether the group has room for that member. While members join, those that have joined are counted: the size may be
    /// above a limit that was lowered, and so the last ones to come are turned away.
    fn accepts(&self, member_id: &str, max_size: usize) -> bool {
        match self.state {
            GroupState::Empty => true,
            GroupState::PreparingRebalance => {
                self.members.get(member_id).is_some_and(|member| member.awaiting_join.is_some())
                    || self.awaiting_join < max_size
            }
            GroupState::CompletingRebalance | GroupState::Stable => {
                self.members.contains_key(member_id) || self.members.len() < max_size
            }
        }
    }

    /// Removes a member for which there is no room.
    fn give_up(&mut self, member_id: &str, effects: &mut Effects) {
        if let Some(removed) = self.remove(member_id) {
            let refused = JoinAnswer::refused(Arc::default(), GroupError::UnknownMember);
            effects.answer(removed.awaiting_join, Answer::Join(refused));
        }
    }

    fn supports(&self, join: &Join) -> bool {
        if self.state == GroupState::Empty {
            return !join.protocol_type.is_empty() && !join.protocols.is_empty();
        }
        let is_common = |protocol: &Protocol| {
            self.supported_protocols.get(&protocol.name).copied().unwrap_or(0) == self.members.len()
        };
        self.protocol_type.as_ref() == Some(&join.protocol_type) && join.protocols.iter().any(is_common)
    }

    fn join_new(
        &mut self,
        join: Join,
        ticket: Ticket,
        context: Context<'_>,
        effects: &mut Effects,
    ) -> Result<(), Box<JoinAnswer>> {
        let instance_id = join.identity.instance_id.clone();
        let former = instance_id.as_ref().and_then(|instance_id| self.static_members.get(instance_id)).cloned();
        if let Some(former) = former {
            self.replace_static_member(join, &former, ticket, context, effects);
            return Ok(());
        }
        let member_id = Arc::clone(&join.new_member_id);
        if instance_id.is_none() && join.requires_known_member_id {
            effects.schedule(Timer::Session(Arc::clone(&member_id)), join.session_timeout_ms.into());
            self.pending_joins.insert(Arc::clone(&member_id));
            return Err(Box::new(JoinAnswer::refused(member_id, GroupError::MemberIdRequired)));
        }
        let identity = Identity { id: member_id, ..join.identity.clone() };
        self.add_and_rebalance(join, identity, ticket, context, effects);
        Ok(())
    }

    fn join_again(
        &mut self,
        join: Join,
        ticket: Ticket,
        context: Context<'_>,
        effects: &mut Effects,
    ) -> Result<(), Box<JoinAnswer>> {
        let member_id = Arc::clone(&join.identity.id);
        let is_same = self.members.get(&member_id).is_some_and(|member| member.protocols == join.protocols);
        let must_rebalance = match self.state {
            GroupState::PreparingRebalance => true,
            // It may not have got the answer to its join.
            GroupState::CompletingRebalance => !is_same,
            // A leader that joins again has seen something that changes the assignment.
            GroupState::Stable => !is_same || self.is_leader(&member_id),
            GroupState::Empty => return Err(Box::new(JoinAnswer::refused(member_id, GroupError::UnknownMember))),
        };
        if !must_rebalance {
            let members = self.state == GroupState::CompletingRebalance && self.is_leader(&member_id);
            let answer = self.generation_answer(member_id, members);
            effects.answer(Some(ticket), Answer::Join(answer));
            return Ok(());
        }
        self.update_member(&member_id, join, ticket, effects);
        self.rebalance_or_complete_join(context, effects);
        Ok(())
    }

    fn add_and_rebalance(
        &mut self,
        join: Join,
        identity: Identity,
        ticket: Ticket,
        context: Context<'_>,
        effects: &mut Effects,
    ) {
        if self.state == GroupState::PreparingRebalance && self.previous_state == GroupState::Empty {
            self.new_member_added = true;
        }
        if self.members.is_empty() {
            self.protocol_type = Some(join.protocol_type);
        }
        effects.schedule(Timer::Session(Arc::clone(&identity.id)), NEW_MEMBER_JOIN_TIMEOUT_MS);
        tracing::info!(group = %self.id, member = %identity.id, state = self.state.name(), reason = join.reason, "member joins");
        self.add(Member {
            identity,
            rebalance_timeout_ms: join.rebalance_timeout_ms,
            session_timeout_ms: join.session_timeout_ms,
            protocols: join.protocols,
            assignment: bytes::Bytes::new(),
            awaiting_join: Some(ticket),
            awaiting_sync: None,
            is_new: true,
        });
        self.rebalance_or_complete_join(context, effects);
    }

    /// Takes over what a member says of itself, and lets it wait for the rebalance.
    pub(super) fn update_member(&mut self, member_id: &str, join: Join, ticket: Ticket, effects: &mut Effects) {
        if let Some(member) = self.members.get_mut(member_id) {
            member.rebalance_timeout_ms = join.rebalance_timeout_ms;
            member.session_timeout_ms = join.session_timeout_ms;
            let former = std::mem::replace(&mut member.protocols, join.protocols.clone());
            self.count_protocols(&former, false);
            self.count_protocols(&join.protocols, true);
        }
        // The client has asked again; whoever listens to the first request still shall ask again too.
        let earlier = self.set_awaiting_join(member_id, Some(ticket));
        let again = JoinAnswer::refused(Arc::from(member_id), GroupError::RebalanceInProgress);
        effects.answer(earlier, Answer::Join(again));
    }

    /// The present generation, as the answer to a member's join.
    pub(super) fn generation_answer(&self, member_id: Arc<str>, with_members: bool) -> JoinAnswer {
        JoinAnswer {
            error: None,
            member_id,
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            leader: self.leader.clone().unwrap_or_default(),
            skip_assignment: false,
            members: if with_members { self.joined_members() } else { Vec::new() },
        }
    }

    /// What the leader is told about all.
    pub(super) fn joined_members(&self) -> Vec<JoinedMember> {
        let joined = |member: &Member| JoinedMember {
            id: Arc::clone(member.id()),
            instance_id: member.identity.instance_id.clone(),
            metadata: member.metadata(self.protocol.as_deref()),
        };
        self.members.values().map(joined).collect()
    }
}
