//! Members that speak the classic protocol in a group of the consumer protocol, while it is rolled from the one to the other. Source:
//! `GroupMetadataManager.classicGroupJoinToConsumerGroup`, `classicGroupSyncToConsumerGroup`, `classicGroupHeartbeatToConsumerGroup`.
//!
//! Each is brought to its target as the others are, in steps that a join and a sync make: it is told to join again when it has to
//! give partitions up or may have more. Its generation is its own epoch.

use bytes::Bytes;
use protocol::StrBytes;
use protocol::consumer_protocol::{
    ConsumerPartitions, ConsumerProtocolAssignment, ConsumerProtocolSubscription, read, version, write,
};
use std::collections::BTreeSet;
use std::sync::Arc;

use super::assignor::Partitions;
use super::heartbeat::{Candidate, check_holder};
use super::reconcile::Step;
use super::target::Target;
use super::{ClassicMetadata, ConsumerGroup, ConsumerMember, MemberState, Topics, member};
use crate::config::MigrationPolicy;
use crate::group::GroupError;
use crate::group::classic::{CONSUMER, Caller, Context, Join, Sync};
use crate::group::effects::{Effects, JoinAnswer, SyncAnswer, Timer};

impl ConsumerGroup {
    /// A member joins with the classic protocol. The answer is good when the records are committed.
    ///
    /// # Errors
    /// Whatever is wrong with the member; [`GroupError::InconsistentProtocol`] if it cannot be in this group.
    pub(in crate::group) fn join(
        &mut self,
        join: &Join,
        context: Context<'_>,
    ) -> Result<(JoinAnswer, Effects), GroupError> {
        let mut effects = Effects::default();
        if context.config.consumer.migration_policy == MigrationPolicy::Disabled {
            return Err(GroupError::InconsistentProtocol);
        }
        let is_unknown = join.identity.id.is_empty();
        let id = if is_unknown { &join.new_member_id } else { &join.identity.id };
        self.check_size(id, context)?;
        if !self.supports(join) {
            return Err(GroupError::InconsistentProtocol);
        }
        let instance_id = join.identity.instance_id.as_ref();
        if is_unknown && join.requires_known_member_id && instance_id.is_none() {
            return Ok((JoinAnswer::refused(Arc::clone(id), GroupError::MemberIdRequired), effects));
        }
        let may_join = is_unknown || instance_id.is_none();
        let candidate =
            Candidate { member_id: id, instance_id, epoch: member::NONE, owned: None, may_join, is_classic: true };
        let former = self.candidate(candidate, &mut effects)?;
        let subscription = subscription(join)?;
        let updated = applied(join, &subscription, &former);
        let regex_or_names = {
            let names_changed = self.record_member(&former, &updated, &mut effects);
            names_changed | self.update_regexes(&former, &updated, context, &mut effects)?.is_change()
        };
        let group = self.present_epoch(regex_or_names, &former, &updated, context, &mut effects);
        let replaced = instance_id.and_then(|id| self.static_members.get(id)).cloned();
        let downgrades = replaced.as_ref().is_some_and(|replaced| self.may_downgrade_with(replaced, context));
        let owned = owned_partitions(&subscription, context.topics);
        let has_subscription_changed = regex_or_names;
        let bring = |updated: ConsumerMember, target: &Target<'_>, effects: &mut Effects| {
            let step = Step { target, owned: Some(&owned), has_subscription_changed };
            self.reconcile(updated, &step, context, effects)
        };
        let updated = if let (true, Some(replaced)) = (downgrades, &replaced) {
            let rebalance = self.target_epoch < group.epoch;
            // With a rebalance to come, nobody needs this step.
            let target = self.last_target(&updated);
            let updated = if rebalance { updated } else { bring(updated, &target, &mut effects)? };
            self.downgrade_with(replaced, &updated, rebalance, context, &mut effects)?;
            updated
        } else {
            let target = self.update_target(group, &former, &updated, context, &mut effects);
            bring(updated, &target, &mut effects)?
        };
        effects.cancel(Timer::MemberJoin(Arc::clone(&updated.id)));
        if !downgrades {
            effects.schedule(Timer::Session(Arc::clone(&updated.id)), join.session_timeout_ms.into());
            effects.schedule(Timer::MemberSync(Arc::clone(&updated.id)), join.rebalance_timeout_ms.into());
        }
        let answer = JoinAnswer {
            member_id: Arc::clone(&updated.id),
            generation: updated.epoch,
            protocol_type: Some(Arc::from(CONSUMER)),
            protocol: join.protocols.first().map(|protocol| Arc::clone(&protocol.name)),
            ..JoinAnswer::default()
        };
        Ok((answer, effects))
    }

    /// Whether the member speaks what all classic members speak.
    fn supports(&self, join: &Join) -> bool {
        let is_common = |name: &str| self.classic_protocols.get(name) == self.classic_members;
        *join.protocol_type == *CONSUMER
            && if self.members.is_empty() {
                !join.protocols.is_empty()
            } else {
                join.protocols.iter().any(|protocol| is_common(&protocol.name))
            }
    }

    /// A member that speaks the classic protocol asks for its assignment.
    ///
    /// # Errors
    /// It is no such member, of another generation or protocol; [`GroupError::RebalanceInProgress`] if it has to join again.
    pub(in crate::group) fn sync(
        &self,
        sync: &Sync,
        context: Context<'_>,
        effects: &mut Effects,
    ) -> Result<SyncAnswer, GroupError> {
        let (member, classic) = self.classic_member(Caller {
            member_id: &sync.member_id,
            instance_id: sync.instance_id.as_deref(),
            generation: sync.generation,
        })?;
        let protocol = classic.protocols.first().map(|protocol| &protocol.name);
        let is_other = |said: &Option<Arc<str>>, known: Option<&str>| said.is_some() && said.as_deref() != known;
        if is_other(&sync.protocol_type, Some(CONSUMER)) || is_other(&sync.protocol, protocol.map(|name| &**name)) {
            return Err(GroupError::InconsistentProtocol);
        }
        if self.target_epoch > member.epoch && member.state != MemberState::UnrevokedPartitions {
            schedule_join(member, effects);
            return Err(GroupError::RebalanceInProgress);
        }
        effects.cancel(Timer::MemberSync(Arc::clone(&member.id)));
        effects.schedule(Timer::Session(Arc::clone(&member.id)), classic.session_timeout_ms.into());
        let metadata = classic.protocols.first().map(|protocol| protocol.metadata.clone()).unwrap_or_default();
        let assigned = member::without_epochs(&member.assigned);
        Ok(SyncAnswer {
            error: None,
            protocol_type: sync.protocol_type.clone(),
            protocol: sync.protocol.clone(),
            assignment: assignment(&assigned, &metadata, context.topics)?,
        })
    }

    /// A member that speaks the classic protocol lives; it is told when it has to join again.
    ///
    /// # Errors
    /// It is no such member, or of another generation. In the answer: [`GroupError::RebalanceInProgress`]; the session goes on.
    pub(in crate::group) fn classic_heartbeat(
        &self,
        caller: Caller<'_>,
    ) -> Result<(Result<(), GroupError>, Effects), GroupError> {
        let mut effects = Effects::default();
        let (member, classic) = self.classic_member(caller)?;
        effects.schedule(Timer::Session(Arc::clone(&member.id)), classic.session_timeout_ms.into());
        let must_join = member.epoch < self.target_epoch
            || match member.state {
                MemberState::UnrevokedPartitions => true,
                MemberState::UnreleasedPartitions => !self.waits_for_partitions(member),
                MemberState::Stable | MemberState::Unknown => false,
            };
        if !must_join {
            return Ok((Ok(()), effects));
        }
        schedule_join(member, &mut effects);
        Ok((Err(GroupError::RebalanceInProgress), effects))
    }

    /// Whether others still have what the member shall have (`waitingOnUnreleasedPartition`).
    fn waits_for_partitions(&self, member: &ConsumerMember) -> bool {
        let target = self.target_of(&member.id);
        let mut places = target.iter().flat_map(|(topic, partitions)| partitions.iter().map(|one| (*topic, *one)));
        places.any(|(topic, partition)| {
            let is_assigned = member.assigned.get(&topic).is_some_and(|own| own.contains_key(&partition));
            !is_assigned && self.partition_epoch(topic, partition).is_some()
        })
    }

    fn classic_member(&self, caller: Caller<'_>) -> Result<(&ConsumerMember, &ClassicMetadata), GroupError> {
        let member = match caller.instance_id {
            None => self.member(caller.member_id)?,
            Some(instance_id) => {
                let unknown = || GroupError::UnknownInstance(instance_id.to_owned());
                let holder = self.static_member(instance_id).ok_or_else(unknown)?;
                check_holder(holder, caller.member_id, instance_id)?;
                holder
            }
        };
        let classic = member.classic.as_ref().ok_or(GroupError::UnknownMember)?;
        if member.epoch == caller.generation { Ok((member, classic)) } else { Err(GroupError::IllegalGeneration) }
    }
}

/// The member has to join again in time, counted from when it was first told so.
fn schedule_join(member: &ConsumerMember, effects: &mut Effects) {
    let timer = Timer::MemberJoin(Arc::clone(&member.id));
    effects.schedule_if_absent(timer, member.rebalance_timeout_ms.into());
}

/// What a consumer says of itself in the protocol that it prefers.
fn subscription(join: &Join) -> Result<ConsumerProtocolSubscription, GroupError> {
    let metadata = join.protocols.first().map(|protocol| protocol.metadata.clone()).unwrap_or_default();
    read(metadata).map_err(|_| GroupError::MalformedSubscription)
}

/// The member with what the request says. Classic members subscribe by name only: their clients resolve expressions.
fn applied(join: &Join, subscription: &ConsumerProtocolSubscription, former: &ConsumerMember) -> ConsumerMember {
    let topics: BTreeSet<Arc<str>> = subscription.topics.iter().map(|topic| Arc::from(&**topic)).collect();
    let rack_id = subscription.rack_id.as_deref().filter(|rack| !rack.is_empty()).map(Arc::from);
    ConsumerMember {
        instance_id: join.identity.instance_id.clone().or_else(|| former.instance_id.clone()),
        rack_id: rack_id.or_else(|| former.rack_id.clone()),
        rebalance_timeout_ms: join.rebalance_timeout_ms,
        topics,
        regex: Some(Arc::default()),
        client_id: Arc::clone(&join.identity.client_id),
        client_host: Arc::clone(&join.identity.client_host),
        classic: Some(ClassicMetadata {
            session_timeout_ms: join.session_timeout_ms,
            protocols: join.protocols.clone(),
        }),
        ..former.clone()
    }
}

fn owned_partitions(subscription: &ConsumerProtocolSubscription, topics: &Topics) -> Partitions {
    by_id(&subscription.owned_partitions, topics)
}

/// Partitions by their topics' ids, as far as these exist.
pub(super) fn by_id(partitions: &[ConsumerPartitions], topics: &Topics) -> Partitions {
    let topic = |owned: &ConsumerPartitions| {
        let partitions: BTreeSet<i32> = owned.partitions.iter().copied().collect();
        Some((topics.id(&owned.topic)?, partitions)).filter(|(_, partitions)| !partitions.is_empty())
    };
    partitions.iter().filter_map(topic).collect()
}

/// An assignment as a classic member reads it, in the version of what it says of itself.
///
/// # Errors
/// [`GroupError::Encode`].
pub(super) fn assignment(partitions: &Partitions, metadata: &Bytes, topics: &Topics) -> Result<Bytes, GroupError> {
    let topic = |(id, partitions): (&protocol::ids::Uuid, &BTreeSet<i32>)| {
        let topic = StrBytes::from_string(topics.name(*id)?.to_string());
        Some(ConsumerPartitions { topic, partitions: partitions.iter().copied().collect() })
    };
    let assigned_partitions = partitions.iter().filter_map(topic).collect();
    let assignment = ConsumerProtocolAssignment { assigned_partitions, user_data: None };
    let version = version(metadata.clone()).unwrap_or_default();
    Ok(write(&assignment, version)?)
}
