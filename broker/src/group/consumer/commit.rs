//! Who may commit and read offsets. Source: `ConsumerGroup.validateOffsetCommit`, `validateOffsetFetch`.

use protocol::ids::Uuid;

use super::{ConsumerGroup, ConsumerMember};
use crate::group::GroupError;
use crate::group::classic::Caller;

impl ConsumerGroup {
    /// Goes on only if the caller may commit for those partitions: anybody while the group is empty; else a member of the present
    /// epoch, or of an earlier one that is not before it got the partition.
    ///
    /// # Errors
    /// [`GroupError::NoSuchMember`], [`GroupError::StaleMemberEpoch`], and for classic members [`GroupError::IllegalGeneration`];
    /// [`GroupError::UnsupportedVersion`] if the request is older than the consumer protocol, and so is not `is_aware`.
    pub(in crate::group) fn check_commit(
        &self,
        caller: Caller<'_>,
        is_aware: bool,
        partitions: impl Iterator<Item = (Uuid, i32)>,
    ) -> Result<(), GroupError> {
        if caller.generation < 0 && self.members.is_empty() {
            return Ok(());
        }
        let member = self.member(caller.member_id)?;
        if !member.uses_classic_protocol() && !is_aware {
            return Err(GroupError::UnsupportedVersion);
        }
        if caller.generation == member.epoch {
            return Ok(());
        }
        let is_late = |(topic, partition)| {
            member.assignment_epoch(topic, partition).is_none_or(|epoch| caller.generation < epoch)
        };
        let mut partitions = partitions;
        if caller.generation > member.epoch || partitions.any(is_late) {
            return Err(stale(member));
        }
        Ok(())
    }

    /// Goes on only if the caller may read offsets: anybody who does not say who it is, and members of the present epoch.
    ///
    /// # Errors
    /// As [`ConsumerGroup::check_commit`].
    pub(in crate::group) fn check_fetch(&self, member_id: Option<&str>, epoch: i32) -> Result<(), GroupError> {
        let member = match member_id {
            None if epoch < 0 => return Ok(()),
            member_id => self.member(member_id.unwrap_or_default())?,
        };
        if member.epoch == epoch { Ok(()) } else { Err(stale(member)) }
    }
}

fn stale(member: &ConsumerMember) -> GroupError {
    if member.uses_classic_protocol() { GroupError::IllegalGeneration } else { GroupError::StaleMemberEpoch }
}
