//! What happens when a member's time is over, and when a group is read from its records. Source:
//! `GroupMetadataManager.consumerGroupFenceMemberOperation`, `onLoaded`.

use std::sync::Arc;

use super::{ConsumerGroup, MemberState};
use crate::group::GroupError;
use crate::group::classic::Context;
use crate::group::effects::{Effects, Timer};

impl ConsumerGroup {
    /// A timer of a member has run out: it is removed, unless it has done meanwhile what it was waited for.
    pub(in crate::group) fn timed_out(&self, timer: &Timer, context: Context<'_>) -> Effects {
        let mut effects = Effects::default();
        let (id, reason) = match timer {
            Timer::Session(id) => (id, "member's session has ended"),
            Timer::Rebalance(id) if self.is_revoking(id) => (id, "member did not give partitions up in time"),
            Timer::MemberJoin(id) => (id, "classic member did not join again in time"),
            Timer::MemberSync(id) => (id, "classic member did not ask for its assignment in time"),
            // Those of a classic group that was.
            Timer::Rebalance(_) | Timer::Join | Timer::Sync => return effects,
        };
        if !self.members.contains_key(id) {
            return effects;
        }
        tracing::info!(group = %self.id, member = %id, reason, "member is removed");
        match self.remove(&[Arc::clone(id)], context, &mut effects) {
            Ok(()) => effects,
            Err(error) => {
                tracing::warn!(group = %self.id, member = %id, %error, "member cannot be removed");
                Effects::default()
            }
        }
    }

    /// A static member that is away has nothing to give up.
    fn is_revoking(&self, id: &str) -> bool {
        let is_revoking = |state, epoch| state == MemberState::UnrevokedPartitions && epoch >= 0;
        self.members.get(id).is_some_and(|member| is_revoking(member.state, member.epoch))
    }

    /// The group was read from its records: its members' sessions begin anew.
    pub(in crate::group) fn loaded(&self, context: Context<'_>) -> Effects {
        let mut effects = Effects::default();
        let times = context.config.consumer.times(context.topics.image.configs(), &self.id);
        for member in self.members.values() {
            effects.schedule(Timer::Session(Arc::clone(&member.id)), times.session_timeout_ms.into());
            if member.state == MemberState::UnrevokedPartitions {
                effects.schedule(Timer::Rebalance(Arc::clone(&member.id)), member.rebalance_timeout_ms.into());
            }
        }
        effects
    }

    /// Goes on only if the group may be deleted.
    ///
    /// # Errors
    /// [`GroupError::NonEmptyGroup`].
    pub(in crate::group) fn check_empty(&self) -> Result<(), GroupError> {
        if self.members.is_empty() { Ok(()) } else { Err(GroupError::NonEmptyGroup) }
    }
}
