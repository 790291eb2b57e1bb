//! To the consumer protocol and back. Source: `ClassicGroup.fromConsumerGroup`, `completeAllJoinFutures`.

use bytes::Bytes;
use protocol::coordinator_record::CoordinatorRecord;
use std::collections::HashMap;
use std::sync::Arc;

use super::{CONSUMER, ClassicGroup, Context, GroupState, Identity, Member, Protocol};
use crate::group::GroupError;
use crate::group::effects::{Answer, Effects, JoinAnswer, SyncAnswer, Timer};

/// A member that comes from a group of the consumer protocol.
#[derive(Clone, Debug)]
pub(in crate::group) struct MigratedMember {
    pub identity: Identity,
    pub rebalance_timeout_ms: i32,
    pub session_timeout_ms: i32,
    pub protocols: Vec<Protocol>,
    /// Its assignment as each of the protocols would have it, in their order.
    pub assignments: Vec<Bytes>,
}

impl ClassicGroup {
    /// A stable group of consumers that comes from the consumer protocol.
    pub(in crate::group) fn migrated(id: Arc<str>, generation: i32, members: Vec<MigratedMember>, now_ms: i64) -> Self {
        let mut group = Self::new(id, now_ms);
        group.transition_to(GroupState::Stable, now_ms);
        group.generation = generation;
        group.protocol_type = Some(Arc::from(CONSUMER));
        let mut assignments = HashMap::new();
        for member in members {
            assignments.insert(Arc::clone(&member.identity.id), member.assignments);
            group.add(Member {
                identity: member.identity,
                rebalance_timeout_ms: member.rebalance_timeout_ms,
                session_timeout_ms: member.session_timeout_ms,
                protocols: member.protocols,
                assignment: Bytes::new(),
                awaiting_join: None,
                awaiting_sync: None,
                is_new: false,
            });
        }
        group.protocol = group.select_protocol();
        for member in group.members.values_mut() {
            let place = member.protocols.iter().position(|protocol| Some(&protocol.name) == group.protocol.as_ref());
            let assignment = assignments.get(member.id()).zip(place).and_then(|(all, place)| all.get(place));
            member.assignment = assignment.cloned().unwrap_or_default();
        }
        group.subscribed_topics = group.compute_subscribed_topics();
        group
    }

    /// The record of the group with what its members have.
    pub(in crate::group) fn stable_record(&self) -> CoordinatorRecord {
        let assignments = self.members.values().map(|member| (&**member.id(), &member.assignment)).collect();
        self.generation_record(&assignments)
    }

    /// The group has come from the consumer protocol: sessions are watched, and members join again where that is needed.
    pub(in crate::group) fn downgraded(&mut self, rebalance: bool, context: Context<'_>) -> Effects {
        let mut effects = Effects::default();
        for member in self.members.values() {
            effects.schedule(Timer::Session(Arc::clone(member.id())), member.session_timeout_ms.into());
        }
        if rebalance {
            self.prepare_rebalance(context, &mut effects);
        }
        effects
    }

    /// The group goes on with the consumer protocol: whoever waits has to join again.
    pub(in crate::group) fn refuse_waiting(&self, effects: &mut Effects) {
        for member in self.members.values() {
            let join = JoinAnswer::refused(Arc::clone(member.id()), GroupError::RebalanceInProgress);
            effects.answer(member.awaiting_join, Answer::Join(join));
            let sync = SyncAnswer::refused(GroupError::RebalanceInProgress);
            effects.answer(member.awaiting_sync, Answer::Sync(sync));
        }
    }
}
