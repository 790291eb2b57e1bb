//! LeaveGroup. Source: `GroupMetadataManager.classicGroupLeaveToClassicGroup`.

use std::sync::Arc;

use super::{ClassicGroup, Context, GroupState};
use crate::group::GroupError;
use crate::group::effects::{Answer, Effects, JoinAnswer, SyncAnswer, Timer};

/// Who shall leave: a member by its id, or a static one by its instance id alone.
#[derive(Clone, Debug)]
pub struct Leaving {
    pub member_id: Arc<str>,
    pub instance_id: Option<Arc<str>>,
    /// Why, as the client says (KIP-800).
    pub reason: Option<String>,
}

/// What became of each, in the order asked.
pub type Left = Vec<Result<(), GroupError>>;

impl ClassicGroup {
    /// Members leave.
    pub fn leave(&mut self, leaving: &[Leaving], context: Context<'_>) -> (Left, Effects) {
        let mut effects = Effects::default();
        let left: Left = leaving.iter().map(|member| self.leave_one(member, &mut effects)).collect();
        if left.iter().any(Result::is_ok) {
            match self.state {
                GroupState::Stable | GroupState::CompletingRebalance => {
                    self.rebalance_or_complete_join(context, &mut effects);
                }
                GroupState::PreparingRebalance => self.complete_join_phase(context, &mut effects),
                GroupState::Empty => {}
            }
        }
        (left, effects)
    }

    fn leave_one(&mut self, leaving: &Leaving, effects: &mut Effects) -> Result<(), GroupError> {
        let instance_id = leaving.instance_id.as_deref();
        let member_id = if leaving.member_id.is_empty() {
            let by_instance = instance_id.and_then(|instance_id| self.static_members.get(instance_id));
            Arc::clone(by_instance.ok_or(GroupError::UnknownMember)?)
        } else {
            Arc::clone(&leaving.member_id)
        };
        let is_pending = self.pending_joins.contains(&member_id);
        if !is_pending && !leaving.member_id.is_empty() {
            self.check_member(&member_id, instance_id)?;
        }
        tracing::info!(group = %self.id, member = %member_id, reason = leaving.reason, "member leaves");
        effects.cancel(Timer::Session(Arc::clone(&member_id)));
        self.remove_and_refuse(&member_id, effects);
        Ok(())
    }

    /// Removes a member; a client that still waits for it is told that it is unknown, and may join anew.
    pub(super) fn remove_and_refuse(&mut self, member_id: &str, effects: &mut Effects) {
        if let Some(removed) = self.remove(member_id) {
            let refused = JoinAnswer::refused(Arc::default(), GroupError::UnknownMember);
            effects.answer(removed.awaiting_join, Answer::Join(refused));
            effects.answer(removed.awaiting_sync, Answer::Sync(SyncAnswer::refused(GroupError::UnknownMember)));
        }
    }
}
