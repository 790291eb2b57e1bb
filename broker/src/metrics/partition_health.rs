//! What one partition is missing. Source: `Partition.isUnderMinIsr`, `isAtMinIsr`, `isUnderReplicated`.

use std::sync::Arc;

use raft::image::{Image, PartitionImage, TopicImage};

use crate::config::topic::TopicValues;
use crate::replica::Partition;
use crate::services::Services;

/// Of a partition that this broker leads; of any other nothing is known, and nothing is missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Health {
    pub replicas: usize,
    pub under_replicated: bool,
    pub under_min_isr: bool,
    pub at_min_isr: bool,
}

impl Health {
    /// Leaders know who is in sync.
    pub fn of(services: &Services, image: &Image, partition: &Partition) -> Self {
        let topic = image.topics().by_id(partition.log().topic_id());
        let state = topic.and_then(|topic| Some((topic, topic.partition(partition.name().partition)?)));
        let Some((topic, state)) = state.filter(|_| partition.check_leader().is_ok()) else { return Self::default() };
        let needed = min_in_sync_replicas(services, image, topic, state);
        Self::new(state.replicas().len(), state.isr().len(), needed)
    }

    fn new(replicas: usize, in_sync: usize, needed: usize) -> Self {
        Self {
            replicas,
            under_replicated: in_sync < replicas,
            under_min_isr: in_sync < needed,
            at_min_isr: in_sync == needed,
        }
    }
}

/// More than there are replicas are not asked for (`Partition.effectiveMinIsr`).
fn min_in_sync_replicas(services: &Services, image: &Image, topic: &TopicImage, state: &PartitionImage) -> usize {
    let values = TopicValues::new(&services.settings, image, Arc::clone(topic.name()));
    values.min_in_sync_replicas().min(state.replicas().len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_follows_from_three_numbers() {
        let of = |replicas, in_sync, needed| {
            let health = Health::new(replicas, in_sync, needed);
            (health.under_replicated, health.at_min_isr, health.under_min_isr)
        };
        assert_eq!(of(1, 1, 1), (false, true, false));
        assert_eq!(of(3, 3, 2), (false, false, false));
        assert_eq!(of(3, 2, 2), (true, true, false));
        assert_eq!(of(3, 1, 2), (true, false, true));
    }
}
