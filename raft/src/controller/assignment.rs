//! Which brokers the replicas of new partitions are on: by hand, or by the placer.

use super::placement::{Placer, default_directory};
use super::plan::Situation;
use crate::error::{InvalidReplicaAssignment, PlacementError};
use crate::image::Image;
use protocol::ids::Uuid;
use protocol::metadata_record::{MetadataRecord, PartitionRecord};

/// Checks replicas that were assigned by hand; `replication_factor` is what the topic's other partitions have.
pub(super) fn check_manual(
    image: &Image,
    replicas: &[i32],
    replication_factor: Option<usize>,
) -> Result<(), InvalidReplicaAssignment> {
    use InvalidReplicaAssignment as Invalid;
    if replicas.is_empty() {
        return Err(Invalid::Empty);
    }
    let mut sorted = replicas.to_vec();
    sorted.sort_unstable();
    for (place, broker) in sorted.iter().enumerate() {
        if image.broker(*broker).is_none() {
            return Err(Invalid::UnknownBroker(*broker));
        }
        if place > 0 && sorted[place - 1] == *broker {
            return Err(Invalid::DuplicateBroker(*broker));
        }
    }
    match replication_factor {
        Some(expected) if expected != replicas.len() => Err(Invalid::ReplicaCount { found: replicas.len(), expected }),
        _ => Ok(()),
    }
}

/// Checks that one of the replicas of partition `index` can lead.
pub(super) fn check_leadable(image: &Image, replicas: &[i32], index: i32) -> Result<(), InvalidReplicaAssignment> {
    if replicas.iter().any(|replica| is_active(image, *replica)) {
        return Ok(());
    }
    Err(InvalidReplicaAssignment::NoActiveBroker(index))
}

/// Places `count` partitions of `replication_factor` replicas.
pub(super) fn place(
    situation: &mut Situation<'_>,
    count: usize,
    replication_factor: usize,
) -> Result<Vec<Vec<i32>>, PlacementError> {
    let mut placer = Placer::new(situation.image, situation.random);
    (0..count).map(|_| placer.place(replication_factor)).collect()
}

/// The record of a new partition on `replicas`, one of which is active. The first active one leads; leader and partition
/// epoch are 0.
pub(super) fn new_partition(image: &Image, topic_id: Uuid, index: i32, replicas: Vec<i32>) -> MetadataRecord {
    let isr: Vec<i32> = replicas.iter().copied().filter(|replica| is_active(image, *replica)).collect();
    let record = PartitionRecord {
        partition_id: index,
        topic_id,
        leader: isr.first().copied().unwrap_or(crate::image::NO_LEADER),
        isr,
        leader_epoch: 0,
        partition_epoch: 0,
        directories: replicas.iter().map(|replica| default_directory(image, *replica)).collect(),
        replicas,
        ..PartitionRecord::default()
    };
    record.into()
}

fn is_active(image: &Image, broker: i32) -> bool {
    image.broker(broker).is_some_and(|broker| broker.is_active())
}
