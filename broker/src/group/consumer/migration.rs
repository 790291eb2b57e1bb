//! From one protocol to the other, while members go on. Source: `GroupMetadataManager.convertToConsumerGroup`,
//! `convertToClassicGroup`, `ConsumerGroup.fromClassicGroup`, `ClassicGroup.fromConsumerGroup`.
//!
//! A group of the classic protocol becomes one of the consumer protocol with the first member that speaks it, and is one of the classic
//! protocol again when the last of these has left. Both keep members, assignments and offsets.

use bytes::Bytes;
use protocol::consumer_protocol::{ConsumerProtocolAssignment, ConsumerProtocolSubscription, read};
use std::sync::Arc;

use super::assignor::Partitions;
use super::classic_member::{assignment, by_id};
use super::member::{self, ClassicMetadata, ConsumerMember, MemberState};
use super::{ConsumerGroup, Topics};
use crate::group::GroupError;
use crate::group::classic::{self, ClassicGroup, Context, Identity, Member, MigratedMember};
use crate::group::effects::{Effects, Then, Timer};

impl ConsumerGroup {
    /// The group that a classic one becomes, with the records that say so; whoever waits is told to join again.
    ///
    /// # Errors
    /// [`GroupError::UpgradeRefused`] if that is forbidden, or the members are not consumers that can be taken over.
    pub(in crate::group) fn upgraded(
        id: &Arc<str>,
        classic: &ClassicGroup,
        context: Context<'_>,
        effects: &mut Effects,
    ) -> Result<Self, GroupError> {
        let refuse = |reason| Err(GroupError::UpgradeRefused { group: id.to_string(), reason });
        if !context.config.consumer.migration_policy.allows_upgrade() {
            return refuse("online upgrade is disabled");
        }
        if !classic.uses_consumer_protocol() {
            return refuse("the group does not use the consumer embedded protocol");
        }
        if classic.members().len() > context.config.consumer.max_size {
            return refuse("the group size exceeds the consumer group maximum size");
        }
        let mut group = Self::new(Arc::clone(id));
        group.epoch = classic.generation();
        group.target_epoch = classic.generation();
        for member in classic.members() {
            // In its first rebalance a group has none yet.
            let first = member.protocols.first().map(|protocol| &protocol.name);
            let protocol = classic.protocol().or(first).map(|protocol| &**protocol);
            match upgraded_member(member, protocol, classic.generation(), context.topics) {
                Ok((target, member)) => {
                    group.target.insert(Arc::clone(&member.id), target);
                    let session_timeout_ms = member.classic.as_ref().map_or(0, |classic| classic.session_timeout_ms);
                    effects.schedule(Timer::Session(Arc::clone(&member.id)), session_timeout_ms.into());
                    group.update_member(member);
                }
                Err(reason) => return refuse(reason),
            }
        }
        group.metadata_hash = context.topics.hash(group.subscribed_topics.keys());
        classic.refuse_waiting(effects);
        effects.cancel(Timer::Join);
        effects.cancel(Timer::Sync);
        effects.records.push(classic::tombstone(id));
        effects.records.extend(group.records());
        tracing::info!(group = %id, epoch = group.epoch, members = group.members.len(), "group uses the consumer protocol");
        Ok(group)
    }

    /// Whether those that are left when those members go may go on with the classic protocol.
    pub(super) fn may_downgrade_without(&self, leaving: &[&ConsumerMember], context: Context<'_>) -> bool {
        let left = self.members.len() - leaving.len();
        let classic_leaving = leaving.iter().filter(|member| member.uses_classic_protocol()).count();
        self.classic_members - classic_leaving == left && left > 0 && may_downgrade(left, context)
    }

    /// Whether all may go on with the classic protocol when a member that speaks it takes the place of that one.
    pub(super) fn may_downgrade_with(&self, replaced: &str, context: Context<'_>) -> bool {
        let is_last = self.members.get(replaced).is_some_and(|member| !member.uses_classic_protocol());
        let size = self.members.len();
        is_last && self.classic_members == size - 1 && may_downgrade(size, context)
    }

    /// The group goes back to the classic protocol as those members leave, and rebalances.
    ///
    /// # Errors
    /// [`GroupError::Encode`].
    pub(super) fn downgrade_without(
        &self,
        leaving: &[&ConsumerMember],
        context: Context<'_>,
        effects: &mut Effects,
    ) -> Result<(), GroupError> {
        effects.records.extend(self.tombstones());
        let stays = |member: &&ConsumerMember| leaving.iter().all(|leaving| leaving.id != member.id);
        let members: Result<Vec<_>, _> = self
            .members
            .values()
            .filter(stays)
            .map(|member| self.downgraded_member(member, &member.id, context))
            .collect();
        self.downgrade(members?, true, context, effects);
        Ok(())
    }

    /// The group goes back to the classic protocol with `joining` in the place of `replaced`. The records of the replacement come
    /// before these.
    ///
    /// # Errors
    /// [`GroupError::Encode`].
    pub(super) fn downgrade_with(
        &self,
        replaced: &Arc<str>,
        joining: &ConsumerMember,
        rebalance: bool,
        context: Context<'_>,
        effects: &mut Effects,
    ) -> Result<(), GroupError> {
        let joining_id = &*joining.id;
        effects.records.extend(self.tombstones_with(|id| if *id == **replaced { joining_id } else { id }));
        let others = self.members.values().filter(|member| member.id != *replaced && member.id != joining.id);
        let others = others.map(|member| self.downgraded_member(member, &member.id, context));
        let members: Result<Vec<_>, _> = others.chain([self.downgraded_member(joining, replaced, context)]).collect();
        self.downgrade(members?, rebalance, context, effects);
        Ok(())
    }

    fn downgrade(&self, members: Vec<MigratedMember>, rebalance: bool, context: Context<'_>, effects: &mut Effects) {
        let group = ClassicGroup::migrated(Arc::clone(&self.id), self.epoch, members, context.now_ms);
        effects.records.push(group.stable_record());
        effects.then = Some(Then::Downgraded { group: Box::new(group), rebalance });
        tracing::info!(group = %self.id, epoch = self.epoch, "group uses the classic protocol");
    }

    /// A member as the classic group knows it, with what `holder` was to have.
    fn downgraded_member(
        &self,
        member: &ConsumerMember,
        holder: &str,
        context: Context<'_>,
    ) -> Result<MigratedMember, GroupError> {
        let target = self.target_of(holder);
        let classic = member.classic.clone().ok_or(GroupError::UnknownMember)?;
        // Every version of the same assignment is needed until the protocol is chosen, and there is one for each protocol at most.
        let assignments: Result<Vec<Bytes>, GroupError> =
            classic.protocols.iter().map(|protocol| assignment(&target, &protocol.metadata, context.topics)).collect();
        Ok(MigratedMember {
            identity: Identity {
                id: Arc::clone(&member.id),
                instance_id: member.instance_id.clone(),
                client_id: Arc::clone(&member.client_id),
                client_host: Arc::clone(&member.client_host),
            },
            rebalance_timeout_ms: member.rebalance_timeout_ms,
            session_timeout_ms: classic.session_timeout_ms,
            protocols: classic.protocols,
            assignments: assignments?,
        })
    }
}

fn may_downgrade(size: usize, context: Context<'_>) -> bool {
    context.config.consumer.migration_policy.allows_downgrade() && size <= context.config.max_size
}

/// A member as the new group knows it, with what it was assigned.
fn upgraded_member(
    member: &Member,
    protocol: Option<&str>,
    generation: i32,
    topics: &Topics,
) -> Result<(Partitions, ConsumerMember), &'static str> {
    const MALFORMED: &str = "the embedded consumer protocol is malformed";
    const CUSTOM: &str = "an unsupported custom assignor is in use. Please refer to the documentation or switch to a default \
                          assignor before re-attempting the upgrade";
    let mut target = Partitions::new();
    // One that has just joined has nothing yet.
    if !member.assignment.is_empty() {
        let assigned: ConsumerProtocolAssignment = read(member.assignment.clone()).map_err(|_| MALFORMED)?;
        if assigned.user_data.is_some_and(|data| !data.is_empty()) {
            return Err(CUSTOM);
        }
        target = by_id(&assigned.assigned_partitions, topics);
    }
    let subscription: ConsumerProtocolSubscription = read(member.metadata(protocol)).map_err(|_| MALFORMED)?;
    let upgraded = ConsumerMember {
        epoch: generation,
        previous_epoch: generation,
        state: MemberState::Stable,
        instance_id: member.identity.instance_id.clone(),
        rack_id: subscription.rack_id.as_deref().filter(|rack| !rack.is_empty()).map(Arc::from),
        client_id: Arc::clone(&member.identity.client_id),
        client_host: Arc::clone(&member.identity.client_host),
        rebalance_timeout_ms: member.rebalance_timeout_ms,
        topics: subscription.topics.iter().map(|topic| Arc::from(&**topic)).collect(),
        assigned: member::with_epoch(&target, generation),
        classic: Some(ClassicMetadata {
            session_timeout_ms: member.session_timeout_ms,
            protocols: member.protocols.clone(),
        }),
        ..ConsumerMember::new(Arc::clone(member.id()))
    };
    Ok((target, upgraded))
}
