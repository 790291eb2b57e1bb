//! What members shall have. Source: `TargetAssignmentBuilder`, `GroupMetadataManager.maybeUpdateTargetAssignment`.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::assignor::{Assignor, GroupSpec, MemberSpec, Partitions};
use super::subscription::GroupEpoch;
use super::{ConsumerGroup, ConsumerMember, record};
use crate::group::classic::Context;
use crate::group::effects::Effects;

/// What a member shall have, and of which epoch that is.
#[derive(Clone, Debug)]
pub(super) struct Target<'a> {
    pub epoch: i32,
    pub partitions: Cow<'a, Partitions>,
}

impl ConsumerGroup {
    /// Assigns anew if the group has changed since, and some time has passed.
    pub(super) fn update_target(
        &self,
        group: GroupEpoch,
        former: &ConsumerMember,
        updated: &ConsumerMember,
        context: Context<'_>,
        effects: &mut Effects,
    ) -> Target<'_> {
        if self.target_epoch >= group.epoch || !self.may_assign(context) {
            return self.last_target(updated);
        }
        let is_homogeneous = group.is_homogeneous.unwrap_or_else(|| self.is_homogeneous());
        let spec = self.spec(is_homogeneous, updated, context);
        let mut assigned = self.assignor(former, updated, context).assign(&spec);
        let group_id = &*self.id;
        let changed = spec.members.keys().filter_map(|id| {
            let partitions = assigned.get(id).cloned().unwrap_or_default();
            (self.target.get(id) != Some(&partitions)).then(|| record::target(group_id, id, &partitions))
        });
        effects.records.extend(changed);
        effects.records.push(record::target_epoch(group_id, group.epoch, context.now_ms));
        tracing::debug!(group = group_id, epoch = group.epoch, members = spec.members.len(), "assigned");
        let partitions = Cow::Owned(assigned.remove(&updated.id).unwrap_or_default());
        Target { epoch: group.epoch, partitions }
    }

    /// Whether some time has passed since the last assignment; one of which that is not known was long ago.
    fn may_assign(&self, context: Context<'_>) -> bool {
        let interval_ms =
            context.config.consumer.times(context.topics.image.configs(), &self.id).assignment_interval_ms;
        let is_over = || context.now_ms >= self.target_timestamp_ms.saturating_add(interval_ms.into());
        self.target_timestamp_ms == 0 || interval_ms == 0 || is_over()
    }

    /// What a member was to have so far; one that takes the place of a static member, what that one was to have.
    pub(super) fn last_target(&self, member: &ConsumerMember) -> Target<'_> {
        let holder = match &member.instance_id {
            None => Some(&member.id),
            Some(instance_id) => self.static_members.get(instance_id),
        };
        let known = holder.and_then(|holder| self.target.get(holder));
        let partitions = known.map_or_else(|| Cow::Owned(Partitions::new()), Cow::Borrowed);
        Target { epoch: self.target_epoch, partitions }
    }

    fn spec(&self, is_homogeneous: bool, updated: &ConsumerMember, context: Context<'_>) -> GroupSpec {
        // Whom the member takes the place of.
        let replaced = updated.instance_id.as_ref().and_then(|id| self.static_members.get(id));
        let replaced = replaced.filter(|holder| **holder != updated.id);
        let mut spec = GroupSpec { is_homogeneous, ..GroupSpec::default() };
        let others = self.members.values().filter(|member| member.id != updated.id && Some(&member.id) != replaced);
        for member in others.chain([updated]) {
            let ids = self.topics_of(member).filter_map(|topic| context.topics.id(topic));
            let subscribed: BTreeSet<_> = ids.collect();
            for topic in &subscribed {
                spec.partition_counts.entry(*topic).or_insert_with(|| context.topics.partition_count(*topic));
            }
            let holder = if member.id == updated.id { replaced.unwrap_or(&updated.id) } else { &member.id };
            let assigned = self.target_of(holder);
            let member_spec = MemberSpec { instance_id: member.instance_id.clone(), subscribed, assigned };
            spec.members.insert(member.id.clone(), member_spec);
        }
        spec
    }

    /// The assignor that most members prefer.
    fn assignor(&self, former: &ConsumerMember, updated: &ConsumerMember, context: Context<'_>) -> Assignor {
        let mut preferred = self.assignors.clone();
        former.assignor.iter().for_each(|assignor| preferred.remove(assignor));
        updated.assignor.iter().for_each(|assignor| preferred.add(assignor));
        let of_members = preferred.most().and_then(|name| Assignor::from_name(name));
        of_members.unwrap_or_else(|| default_assignor(context))
    }

    /// The name of the assignor that is in use.
    pub(super) fn assignor_name(&self, context: Context<'_>) -> String {
        let default = || default_assignor(context).name().to_owned();
        self.assignors.most().map_or_else(default, |name| name.to_string())
    }
}

/// The first of those that may be asked for.
fn default_assignor(context: Context<'_>) -> Assignor {
    let first = context.config.consumer.assignors.first();
    first.and_then(|name| Assignor::from_name(name)).unwrap_or(Assignor::Uniform)
}
