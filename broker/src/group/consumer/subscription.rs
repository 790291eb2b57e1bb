//! What members subscribe to, and when that bumps the group's epoch. Source: `GroupMetadataManager.maybeUpdateRegularExpressions`,
//! `updateSubscriptionMetadata`, `ConsumerGroup.subscriptionType`.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::counts::{Counts, SubscribedTopics, update};
use super::{ConsumerGroup, ConsumerMember, ResolvedRegex, Topics, record, regex};
use crate::group::GroupError;
use crate::group::classic::Context;
use crate::group::effects::Effects;

/// Expressions are resolved again at most so often.
const REGEX_REFRESH_MIN_MS: i64 = 10_000;

/// What became of the regular expression of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RegexChange {
    None,
    /// It has changed to one that has yet to be resolved: the group's epoch rises then.
    Changed,
    /// It has changed, and what it matches is known.
    ChangedAndResolved,
}

impl RegexChange {
    pub(super) fn is_change(self) -> bool {
        self != Self::None
    }
}

/// The group's epoch once a member's change is taken over.
#[derive(Clone, Copy, Debug)]
pub(super) struct GroupEpoch {
    pub epoch: i32,
    /// Whether all members subscribe to the same; `None`: as before.
    pub is_homogeneous: Option<bool>,
}

impl ConsumerGroup {
    /// Records a member that has changed; true if the topics that it names have.
    pub(super) fn record_member(
        &self,
        former: &ConsumerMember,
        updated: &ConsumerMember,
        effects: &mut Effects,
    ) -> bool {
        if updated == former {
            return false;
        }
        effects.records.push(record::member(&self.id, updated));
        updated.topics != former.topics
    }

    /// Looks after regular expressions: checks a new one, forgets one that nobody has any more, and lets all be resolved where they
    /// have not been, where there are new topics, or after some time.
    ///
    /// # Errors
    /// [`GroupError::InvalidRegex`].
    pub(super) fn update_regexes(
        &self,
        former: &ConsumerMember,
        updated: &ConsumerMember,
        context: Context<'_>,
        effects: &mut Effects,
    ) -> Result<RegexChange, GroupError> {
        let (old, new) = (former.regex(), updated.regex());
        let mut is_due = false;
        let mut change = RegexChange::None;
        if former.regex != updated.regex {
            change = RegexChange::Changed;
            if let Some(old) = old.filter(|old| self.regexes.get(old) == 1) {
                effects.records.push(record::regex_tombstone(&self.id, old));
            }
            match new {
                Some(new) if self.regexes.get(new) == 0 => {
                    regex::check(new)?;
                    is_due = true;
                }
                Some(new) if self.resolved.contains_key(new) => change = RegexChange::ChangedAndResolved,
                None if old.is_some() => change = RegexChange::ChangedAndResolved,
                Some(_) | None => {}
            }
        }
        if (is_due || !self.regexes.is_empty()) && !self.is_resolving {
            self.resolve_regexes(is_due, &self.regexes_with(former, updated), context, effects);
        }
        Ok(change)
    }

    fn resolve_regexes(&self, is_due: bool, regexes: &Counts, context: Context<'_>, effects: &mut Effects) {
        let (resolved_at_ms, version) =
            self.resolved.values().next().map_or((i64::MIN, 0), |resolved| (resolved.timestamp_ms, resolved.version));
        if context.now_ms <= resolved_at_ms.saturating_add(REGEX_REFRESH_MIN_MS) {
            return;
        }
        let refresh_ms = context.config.consumer.regex_refresh_interval_ms;
        let is_due = is_due
            || regexes.len() != self.resolved.len()
            || version < context.topics.created_at
            || context.now_ms > resolved_at_ms.saturating_add(refresh_ms);
        if is_due && !regexes.is_empty() {
            effects.resolve = Some(regexes.names().cloned().collect());
        }
    }

    /// Notes that expressions are being resolved; false if they already are, or the group is none of theirs any more.
    pub(in crate::group) fn begin_resolving(&mut self) -> bool {
        !std::mem::replace(&mut self.is_resolving, true)
    }

    /// The expressions are resolved. The group's epoch rises if that changes what members read.
    pub(in crate::group) fn regexes_resolved(
        &mut self,
        resolved: Vec<(Arc<str>, ResolvedRegex)>,
        context: Context<'_>,
    ) -> Effects {
        self.is_resolving = false;
        let mut effects = Effects::default();
        let mut topics = self.subscribed_topics.clone();
        let mut is_changed = false;
        for (regex, new) in resolved {
            if self.regexes.get(&regex) == 0 {
                continue;
            }
            let nothing = BTreeSet::new();
            let old = self.resolved.get(&regex).map_or(&nothing, |resolved| &resolved.topics);
            if *old != new.topics {
                is_changed = true;
                old.iter().for_each(|topic| update(&mut topics, topic, |count| count.by_regex -= 1));
                new.topics.iter().for_each(|topic| update(&mut topics, topic, |count| count.by_regex += 1));
            }
            effects.records.push(record::regex(&self.id, &regex, &new));
        }
        let hash = context.topics.hash(topics.keys());
        if is_changed || hash != self.metadata_hash {
            let epoch = self.epoch + 1;
            effects.records.push(record::epoch(&self.id, epoch, hash));
            self.refreshed = Some((context.topics.image.offset(), epoch));
        }
        effects
    }

    /// Whether topics may have changed since they were last looked at.
    pub(super) fn must_refresh(&self, topics: &Topics) -> bool {
        // An epoch that was to come and did not: its record was not stored.
        self.refreshed.is_none_or(|(offset, epoch)| offset < topics.changed_at || self.epoch < epoch)
    }

    /// Looks at the topics, and bumps the group's epoch where they have changed or `is_bumped` says that something else has.
    pub(super) fn update_epoch(
        &mut self,
        is_bumped: bool,
        former: &ConsumerMember,
        updated: &ConsumerMember,
        context: Context<'_>,
        effects: &mut Effects,
    ) -> GroupEpoch {
        let topics = self.topics_with(former, updated);
        let hash = context.topics.hash(topics.keys());
        let mut epoch = self.epoch;
        if is_bumped || hash != self.metadata_hash {
            epoch += 1;
            effects.records.push(record::epoch(&self.id, epoch, hash));
        }
        self.refreshed = Some((context.topics.image.offset(), epoch));
        if self.has_subscription_metadata {
            effects.records.push(record::subscription_metadata_tombstone(&self.id));
        }
        let is_known = self.members.contains_key(&updated.id)
            || updated.instance_id.as_ref().is_some_and(|id| self.static_members.contains_key(id));
        let members = self.members.len() + usize::from(!is_known);
        let is_homogeneous = is_homogeneous(&self.regexes_with(former, updated), &topics, members);
        GroupEpoch { epoch, is_homogeneous: Some(is_homogeneous) }
    }

    /// Whether all members subscribe to the same.
    pub(super) fn is_homogeneous(&self) -> bool {
        is_homogeneous(&self.regexes, &self.subscribed_topics, self.members.len())
    }

    /// How members subscribe once one has changed.
    fn topics_with(&self, former: &ConsumerMember, updated: &ConsumerMember) -> SubscribedTopics {
        let mut topics = self.subscribed_topics.clone();
        // A member that is new was not counted, and has named nothing.
        former.topics.iter().for_each(|topic| update(&mut topics, topic, |count| count.by_name -= 1));
        updated.topics.iter().for_each(|topic| update(&mut topics, topic, |count| count.by_name += 1));
        if let Some(old) = former.regex().filter(|old| updated.regex() != Some(old) && self.regexes.get(old) == 1) {
            self.forget_matches(old, &mut topics);
        }
        topics
    }

    fn regexes_with(&self, former: &ConsumerMember, updated: &ConsumerMember) -> Counts {
        let mut regexes = self.regexes.clone();
        former.regex().into_iter().for_each(|regex| regexes.remove(regex));
        updated.regex().into_iter().for_each(|regex| regexes.add(regex));
        regexes
    }

    /// Takes what an expression matches out of the topics.
    pub(super) fn forget_matches(&self, regex: &str, topics: &mut SubscribedTopics) {
        for topic in self.resolved.get(regex).into_iter().flat_map(|resolved| &resolved.topics) {
            update(topics, topic, |count| count.by_regex -= 1);
        }
    }

    /// The topics that a member reads, by name and by expression, whether they exist or not.
    pub(super) fn topics_of<'a>(&'a self, member: &'a ConsumerMember) -> impl Iterator<Item = &'a Arc<str>> {
        let resolved = member.regex().and_then(|regex| self.resolved.get(regex));
        member.topics.iter().chain(resolved.into_iter().flat_map(|resolved| &resolved.topics))
    }
}

fn is_homogeneous(regexes: &Counts, topics: &SubscribedTopics, members: usize) -> bool {
    if regexes.is_empty() {
        return topics.values().all(|count| count.by_name == members);
    }
    // All have the same expression, and nothing else.
    let is_only_one = regexes.of_the_only_one() == Some(members);
    is_only_one && topics.values().all(|count| count.by_regex == 1 && count.by_name == 0)
}
