//! How many members have something in common. Source: `Utils.incValue`, `SubscriptionCount`.

use std::collections::HashMap;
use std::sync::Arc;

/// Members by a name that they share; a name that nobody has is not there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts(HashMap<Arc<str>, usize>);

impl Counts {
    pub(super) fn add(&mut self, name: &Arc<str>) {
        *self.0.entry(Arc::clone(name)).or_default() += 1;
    }

    pub(super) fn remove(&mut self, name: &str) {
        if let Some(count) = self.0.get_mut(name) {
            *count -= 1;
            if *count == 0 {
                self.0.remove(name);
            }
        }
    }

    pub(super) fn get(&self, name: &str) -> usize {
        self.0.get(name).copied().unwrap_or(0)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.0.keys()
    }

    /// The name that most have; among equals the first, so that the choice does not depend on a hash.
    pub(super) fn most(&self) -> Option<&Arc<str>> {
        self.0.iter().max_by(|a, b| a.1.cmp(b.1).then(b.0.cmp(a.0))).map(|(name, _)| name)
    }

    /// How many have the only name that there is; `None` if there are none or several.
    pub(super) fn of_the_only_one(&self) -> Option<usize> {
        self.0.values().next().copied().filter(|_| self.0.len() == 1)
    }
}

/// How a topic is subscribed to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SubscriptionCount {
    /// Members that name it.
    pub by_name: usize,
    /// Regular expressions that match it.
    pub by_regex: usize,
}

/// Topics with how they are subscribed to; one that nobody subscribes to is not there.
pub(super) type SubscribedTopics = HashMap<Arc<str>, SubscriptionCount>;

/// Changes how a topic is subscribed to.
pub(super) fn update(topics: &mut SubscribedTopics, topic: &Arc<str>, change: impl FnOnce(&mut SubscriptionCount)) {
    let count = topics.entry(Arc::clone(topic)).or_default();
    change(count);
    if *count == SubscriptionCount::default() {
        topics.remove(topic);
    }
}
