//! A member on the way to what it shall have: it gives up first, and gets what nobody has any more. Source:
//! `CurrentAssignmentBuilder`, `GroupMetadataManager.maybeReconcile`.
//!
//! ```text
//!              has to give up                     gave up; others still have some
//!   Stable ───────────────► UnrevokedPartitions ───────────────► UnreleasedPartitions
//!     ▲ └──────── nothing to give up, others still have some ───────────►  │
//!     └──────────────────────── everything is free ────────────────────────┘
//! ```

use protocol::ids::Uuid;
use std::collections::BTreeSet;

use super::assignor::Partitions;
use super::member::{ConsumerMember, MemberState, Owned};
use super::target::Target;
use super::{ConsumerGroup, record};
use crate::group::GroupError;
use crate::group::classic::Context;
use crate::group::effects::{Effects, Timer};

/// A step of a member.
pub(super) struct Step<'a> {
    pub target: &'a Target<'a>,
    /// What the client says that it has; `None` if it does not say.
    pub owned: Option<&'a Partitions>,
    pub has_subscription_changed: bool,
}

impl ConsumerGroup {
    /// Brings a member as far as it can go, and records that.
    ///
    /// # Errors
    /// [`GroupError::UnknownMemberState`] if it has to join anew.
    pub(super) fn reconcile(
        &self,
        member: ConsumerMember,
        step: &Step<'_>,
        context: Context<'_>,
        effects: &mut Effects,
    ) -> Result<ConsumerMember, GroupError> {
        if !step.has_subscription_changed && member.is_reconciled_to(step.target.epoch) {
            return Ok(member);
        }
        let next = self.next(&member, step, context)?;
        if next == member {
            return Ok(member);
        }
        effects.records.push(record::current(&self.id, &next));
        tracing::debug!(group = %self.id, member = %next.id, epoch = next.epoch, state = ?next.state, "reconciled");
        if !next.uses_classic_protocol() {
            let timer = Timer::Rebalance(next.id.clone());
            match next.state {
                MemberState::UnrevokedPartitions => effects.schedule(timer, next.rebalance_timeout_ms.into()),
                _ => effects.cancel(timer),
            }
        }
        Ok(next)
    }

    fn next(
        &self,
        member: &ConsumerMember,
        step: &Step<'_>,
        context: Context<'_>,
    ) -> Result<ConsumerMember, GroupError> {
        let subscribed: BTreeSet<Uuid> = self.topics_of(member).filter_map(|topic| context.topics.id(topic)).collect();
        let shrink = || shrunk(member, step.owned, &subscribed);
        Ok(match member.state {
            MemberState::Stable if member.epoch != step.target.epoch => self.advanced(member, step, &subscribed),
            MemberState::Stable if step.has_subscription_changed => shrink(),
            MemberState::Stable => member.clone(),
            MemberState::UnrevokedPartitions if still_owns(step.owned, &member.pending_revocation) => {
                if step.has_subscription_changed { shrink() } else { member.clone() }
            }
            MemberState::UnrevokedPartitions | MemberState::UnreleasedPartitions => {
                self.advanced(member, step, &subscribed)
            }
            // A state of a later Kafka: the member begins without partitions, or is made to.
            MemberState::Unknown if step.owned.is_none_or(|owned| !owned.is_empty()) => {
                return Err(GroupError::UnknownMemberState);
            }
            MemberState::Unknown => {
                self.advanced(&ConsumerMember { epoch: step.target.epoch, ..member.clone() }, step, &subscribed)
            }
        })
    }

    /// The next step towards the target (`computeNextAssignment`).
    fn advanced(&self, member: &ConsumerMember, step: &Step<'_>, subscribed: &BTreeSet<Uuid>) -> ConsumerMember {
        let (mut keeps, mut revokes) = (Owned::new(), Owned::new());
        let none = BTreeSet::new();
        let target = |topic: &Uuid| {
            let partitions = step.target.partitions.get(topic);
            partitions.filter(|_| subscribed.contains(topic)).unwrap_or(&none)
        };
        for (topic, partitions) in &member.assigned {
            for (partition, epoch) in partitions {
                let part = if target(topic).contains(partition) { &mut keeps } else { &mut revokes };
                part.entry(*topic).or_default().insert(*partition, *epoch);
            }
        }
        if still_owns(step.owned, &revokes) {
            let mut next = ConsumerMember {
                state: MemberState::UnrevokedPartitions,
                assigned: keeps,
                pending_revocation: revokes,
                ..member.clone()
            };
            next.move_to(member.epoch);
            return next;
        }
        let mut has_unreleased = false;
        let mut assigned = keeps.clone();
        for topic in step.target.partitions.keys() {
            let kept = keeps.get(topic);
            for partition in target(topic).iter().filter(|one| kept.is_none_or(|kept| !kept.contains_key(one))) {
                // What it has given up itself is free.
                let is_own = member.pending_revocation.get(topic).is_some_and(|own| own.contains_key(partition));
                if self.partition_epoch(*topic, *partition).is_some() && !is_own {
                    has_unreleased = true;
                } else {
                    assigned.entry(*topic).or_default().insert(*partition, step.target.epoch);
                }
            }
        }
        let state = if has_unreleased { MemberState::UnreleasedPartitions } else { MemberState::Stable };
        let mut next = ConsumerMember { state, assigned, pending_revocation: Owned::new(), ..member.clone() };
        next.move_to(step.target.epoch);
        next
    }
}

/// Takes away the topics that the member does not subscribe to any more (`updateCurrentAssignment`).
fn shrunk(member: &ConsumerMember, owned: Option<&Partitions>, subscribed: &BTreeSet<Uuid>) -> ConsumerMember {
    let (assigned, dropped): (Owned, Owned) =
        member.assigned.clone().into_iter().partition(|(topic, _)| subscribed.contains(topic));
    if dropped.is_empty() {
        return member.clone();
    }
    let mut pending_revocation = member.pending_revocation.clone();
    for (topic, partitions) in dropped {
        pending_revocation.entry(topic).or_default().extend(partitions);
    }
    let mut next = ConsumerMember { assigned, ..member.clone() };
    // What the client has given up already needs no revocation.
    if still_owns(owned, &pending_revocation) {
        next.state = MemberState::UnrevokedPartitions;
        next.pending_revocation = pending_revocation;
    }
    next.move_to(member.epoch);
    next
}

/// Whether the client may have one of those partitions still. Of none, it has none.
fn still_owns(owned: Option<&Partitions>, partitions: &Owned) -> bool {
    let is_owned = |topic: &Uuid, partition: &i32| {
        owned.is_none_or(|owned| owned.get(topic).is_some_and(|owned| owned.contains(partition)))
    };
    partitions.iter().any(|(topic, partitions)| partitions.keys().any(|partition| is_owned(topic, partition)))
}
