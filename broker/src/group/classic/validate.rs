//! Who may do what in which state. Source: `ClassicGroup.validateMember`, `validateOffsetCommit`.

use super::{ClassicGroup, GroupState};
use crate::group::GroupError;

/// Who a request says that it comes from.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// Empty for nobody.
    pub member_id: &'a str,
    pub instance_id: Option<&'a str>,
    /// −1 for none.
    pub generation: i32,
}

impl ClassicGroup {
    /// Goes on only if the caller is a member.
    ///
    /// # Errors
    /// [`GroupError::UnknownMember`], or [`GroupError::FencedInstance`] if another member has its instance id.
    pub fn check_member(&self, member_id: &str, instance_id: Option<&str>) -> Result<(), GroupError> {
        if let Some(instance_id) = instance_id {
            match self.static_members.get(instance_id) {
                None => return Err(GroupError::UnknownMember),
                Some(holder) if **holder != *member_id => return Err(GroupError::FencedInstance),
                Some(_) => {}
            }
        }
        if self.members.contains_key(member_id) { Ok(()) } else { Err(GroupError::UnknownMember) }
    }

    /// Goes on only if the caller is a member of the present generation.
    ///
    /// # Errors
    /// As [`ClassicGroup::check_member`]; [`GroupError::IllegalGeneration`].
    pub(super) fn check_generation(&self, caller: Caller<'_>) -> Result<(), GroupError> {
        self.check_member(caller.member_id, caller.instance_id)?;
        if caller.generation == self.generation { Ok(()) } else { Err(GroupError::IllegalGeneration) }
    }

    /// Goes on only if the caller may commit offsets: a member of this generation, also while a rebalance is being prepared,
    /// so that clients can commit what they are about to give up; anybody while the group is empty.
    ///
    /// # Errors
    /// As [`ClassicGroup::check_member`]; [`GroupError::IllegalGeneration`]; [`GroupError::RebalanceInProgress`].
    pub fn check_commit(&self, caller: Caller<'_>) -> Result<(), GroupError> {
        if caller.generation < 0 && self.state == GroupState::Empty {
            return Ok(());
        }
        if caller.generation >= 0 || !caller.member_id.is_empty() || caller.instance_id.is_some() {
            self.check_generation(caller)?;
        } else if self.state != GroupState::Empty {
            return Err(GroupError::UnknownMember);
        }
        if self.state == GroupState::CompletingRebalance { Err(GroupError::RebalanceInProgress) } else { Ok(()) }
    }

    /// Goes on only if offsets may be deleted: other than consumer groups must be empty, since nobody knows what they read.
    ///
    /// # Errors
    /// [`GroupError::NonEmptyGroup`].
    pub fn check_offset_delete(&self) -> Result<(), GroupError> {
        if self.uses_consumer_protocol() { Ok(()) } else { self.check_empty() }
    }

    /// Goes on only if the group may be deleted.
    ///
    /// # Errors
    /// [`GroupError::NonEmptyGroup`].
    pub fn check_empty(&self) -> Result<(), GroupError> {
        if self.state == GroupState::Empty { Ok(()) } else { Err(GroupError::NonEmptyGroup) }
    }
}
