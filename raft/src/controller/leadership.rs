//! What becomes of every partition of a broker that comes, goes, or comes back
//! (`ReplicationControlManager.generateLeaderAndIsrUpdates`).

use super::partition_change::{Assignment, Election, PartitionChange};
use super::placement::default_directory;
use super::plan::Situation;
use crate::image::{Image, NO_LEADER, PartitionImage, TopicImage};
use protocol::ids::Uuid;
use protocol::metadata_record::{MetadataRecord, PartitionChangeRecord};
use std::sync::Arc;

/// What happened to a broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BrokerEvent {
    /// It leaves every ISR, in an orderly way or because it was fenced.
    Leaves(i32),
    /// It came back without its marker of a clean shutdown: it leaves every ELR too.
    LostData(i32),
    /// It may lead from now on.
    Joins(i32),
    /// One of its log directories is offline: it leaves the ISR of every partition there.
    LosesDirectory { broker: i32, directory: Uuid },
}

/// The changes of every partition that the event touches.
pub(super) fn partition_changes(situation: &Situation<'_>, event: BrokerEvent) -> Vec<MetadataRecord> {
    let touched = |topic: &Arc<TopicImage>| changes_of_topic(situation, topic, event);
    situation.image.topics().iter().flat_map(touched).map(MetadataRecord::from).collect()
}

fn changes_of_topic(situation: &Situation<'_>, topic: &TopicImage, event: BrokerEvent) -> Vec<PartitionChangeRecord> {
    let mut touched = topic.partitions().filter(|(_, partition)| event.touches(partition)).peekable();
    if touched.peek().is_none() {
        return Vec::new();
    }
    let replication_factor = topic.partition(0).map_or(1, |partition| partition.replicas().len());
    let min_in_sync_replicas = situation.min_in_sync_replicas(topic.name(), replication_factor);
    let election = if situation.unclean_leader_election(topic.name()) { Election::Unclean } else { Election::Online };
    let elr_enabled = situation.elr_enabled();
    let change = |(index, partition): (i32, &PartitionImage)| {
        let change = PartitionChange {
            partition,
            topic_id: topic.id(),
            index,
            may_lead: &|replica| event.lets_lead(situation.image, partition, replica),
            target_isr: event.isr_after(partition.isr()),
            target: Assignment::of(partition),
            new_directory: &|replica| default_directory(situation.image, replica),
            moved: None,
            unclean_broker: event.unclean_broker(),
            min_in_sync_replicas,
            elr_enabled,
            election,
        };
        change.record()
    };
    touched.filter_map(change).collect()
}

impl BrokerEvent {
    fn touches(self, partition: &PartitionImage) -> bool {
        match self {
            Self::Leaves(broker) => partition.isr().contains(&broker),
            Self::LostData(broker) => partition.isr().contains(&broker) || partition.elr().contains(&broker),
            Self::Joins(_) => partition.leader() == NO_LEADER,
            Self::LosesDirectory { broker, directory } => {
                partition.isr().contains(&broker) && partition.directory(broker) == Some(directory)
            }
        }
    }

    /// The broker that may not be in the ISR after the event.
    fn leaver(self) -> Option<i32> {
        match self {
            Self::Leaves(broker) | Self::LostData(broker) | Self::LosesDirectory { broker, .. } => Some(broker),
            Self::Joins(_) => None,
        }
    }

    fn isr_after(self, isr: &[i32]) -> Vec<i32> {
        isr.iter().copied().filter(|replica| self.leaver() != Some(*replica)).collect()
    }

    fn unclean_broker(self) -> Option<i32> {
        if let Self::LostData(broker) = self { Some(broker) } else { None }
    }

    /// Whether a replica may lead after the event, which the image does not know yet.
    fn lets_lead(self, image: &Image, partition: &PartitionImage, replica: i32) -> bool {
        let Some(broker) = image.broker(replica) else { return false };
        let active = broker.is_active() || self == Self::Joins(replica);
        let stays = self.leaver() != Some(replica);
        active && stays && partition.directory(replica).is_some_and(|directory| broker.has_online_directory(directory))
    }
}

/// Whether the broker leads any partition.
pub(super) fn leads_any(image: &Image, broker: i32) -> bool {
    image.topics().iter().any(|topic| topic.partitions().any(|(_, partition)| partition.leader() == broker))
}
