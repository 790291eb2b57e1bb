//! Replicas move from broker to broker by hand (`ReplicationControlManager.alterPartitionReassignments`,
//! `PartitionReassignmentReplicas`, `PartitionReassignmentRevert`).
//!
//! A reassignment first adds the new replicas to the old ones, and notes which come and which go. Once those that stay are in
//! sync, the change that brought them there also ends it, see [`complete`].

use super::assignment::check_manual;
use super::partition_change::{Assignment, Election, PartitionChange};
use super::placement::default_directory;
use super::plan::{Plan, Situation};
use crate::error::{ControllerError, ReassignmentError};
use crate::image::{Image, PartitionImage, TopicImage};
use protocol::metadata_record::{MetadataRecord, PartitionChangeRecord};
use std::sync::Arc;

/// A partition that is to have other replicas.
#[derive(Clone, Debug)]
pub struct Reassignment {
    /// The topic's name.
    pub topic: Arc<str>,
    /// The partition's index.
    pub partition: i32,
    /// The replicas, preferred leader first; `None` takes back the reassignment that is under way.
    pub replicas: Option<Vec<i32>>,
}

/// Reassigns partitions. Each fails or succeeds alone; all that succeed are written together. The results are in the order of
/// the request.
pub(super) fn alter_reassignments(
    situation: &Situation<'_>,
    reassignments: &[Reassignment],
    allow_replication_factor_change: bool,
) -> Result<Plan<Vec<Result<(), ReassignmentError>>>, ControllerError> {
    let mut records: Vec<MetadataRecord> = Vec::new();
    let alter = |reassignment: &Reassignment| {
        let record = alter_one(situation, reassignment, allow_replication_factor_change)?;
        records.extend(record.map(MetadataRecord::from));
        Ok(())
    };
    let results = reassignments.iter().map(alter).collect();
    Plan::atomic(records, results)
}

fn alter_one(
    situation: &Situation<'_>,
    reassignment: &Reassignment,
    allow_replication_factor_change: bool,
) -> Result<Option<PartitionChangeRecord>, ReassignmentError> {
    let name = &reassignment.topic;
    let unknown = || ReassignmentError::UnknownTopic(name.clone());
    let topic = situation.image.topics().by_name(name).ok_or_else(unknown)?;
    let index = reassignment.partition;
    let unknown = || ReassignmentError::UnknownPartition { topic: name.clone(), partition: index };
    let partition = topic.partition(index).ok_or_else(unknown)?;
    let unclean_election = situation.unclean_leader_election(name);
    let (target, isr, election) = match &reassignment.replicas {
        None => {
            let (target, isr) = revert(partition, name, index, unclean_election)?;
            (target, isr, if unclean_election { Election::Unclean } else { Election::Online })
        }
        Some(replicas) => {
            check_manual(situation.image, replicas, None)?;
            if !allow_replication_factor_change {
                check_replication_factor(partition, replicas.len())?;
            }
            (begin(partition, replicas), partition.isr().to_vec(), Election::Online)
        }
    };
    Ok(change(situation, topic, index, partition, target, isr, election))
}

fn change(
    situation: &Situation<'_>,
    topic: &TopicImage,
    index: i32,
    partition: &PartitionImage,
    target: Assignment,
    target_isr: Vec<i32>,
    election: Election,
) -> Option<PartitionChangeRecord> {
    let replication_factor = topic.partition(0).map_or(1, |partition| partition.replicas().len());
    let change = PartitionChange {
        partition,
        topic_id: topic.id(),
        index,
        may_lead: &|replica| situation.may_lead(partition, replica),
        target_isr,
        target,
        new_directory: &|replica| default_directory(situation.image, replica),
        moved: None,
        unclean_broker: None,
        min_in_sync_replicas: situation.min_in_sync_replicas(topic.name(), replication_factor),
        elr_enabled: situation.elr_enabled(),
        election,
    };
    change.record()
}

/// The first step towards `replicas`.
fn begin(partition: &PartitionImage, replicas: &[i32]) -> Assignment {
    let current = partition.replicas();
    let without = |of: &[i32], others: &[i32]| {
        let mut difference: Vec<i32> = of.iter().copied().filter(|replica| !others.contains(replica)).collect();
        difference.sort_unstable();
        difference
    };
    let (removing, adding) = (without(current, replicas), without(replicas, current));
    let or_as_it_is = |new: Vec<i32>, old: &[i32]| if new.is_empty() { old.to_vec() } else { new };
    Assignment {
        replicas: [replicas, &removing].concat(),
        removing: or_as_it_is(removing, partition.removing_replicas()),
        adding: or_as_it_is(adding, partition.adding_replicas()),
    }
}

/// The replicas and ISR from before the reassignment.
fn revert(
    partition: &PartitionImage,
    topic: &Arc<str>,
    index: i32,
    unclean_election: bool,
) -> Result<(Assignment, Vec<i32>), ReassignmentError> {
    let ongoing = Assignment::of(partition);
    if !ongoing.is_in_progress() {
        return Err(ReassignmentError::NotInProgress);
    }
    let without_added = |ids: &[i32]| ids.iter().copied().filter(|id| !ongoing.adding.contains(id)).collect();
    let replicas: Vec<i32> = without_added(&ongoing.replicas);
    let mut isr: Vec<i32> = without_added(partition.isr());
    if isr.is_empty() {
        if !unclean_election {
            return Err(ReassignmentError::UncleanRevert { topic: topic.clone(), partition: index });
        }
        isr.extend(replicas.first());
    }
    Ok((Assignment { replicas, removing: Vec::new(), adding: Vec::new() }, isr))
}

/// The replicas and the ISR with which a reassignment ends, if `isr` is enough for that: every replica that comes is in sync, and so
/// is one that stays; where there will be fewer replicas, all of those.
pub(super) fn complete(target: &Assignment, isr: &[i32]) -> Option<(Vec<i32>, Vec<i32>)> {
    if !target.is_in_progress() {
        return None;
    }
    let staying = |ids: &[i32]| -> Vec<i32> {
        ids.iter().copied().filter(|replica| !target.removing.contains(replica)).collect()
    };
    let (replicas, isr) = (staying(&target.replicas), staying(isr));
    let in_sync = |ids: &[i32]| ids.iter().all(|replica| isr.contains(replica));
    let is_empty = !target.removing.is_empty() && (isr.is_empty() || replicas.is_empty());
    let shrinks = target.adding.len() < target.removing.len();
    let done = !is_empty && in_sync(&target.adding) && (!shrinks || in_sync(&replicas));
    done.then_some((replicas, isr))
}

fn check_replication_factor(partition: &PartitionImage, wanted: usize) -> Result<(), ReassignmentError> {
    let removing = partition.removing_replicas();
    let current = partition.replicas().iter().filter(|replica| !removing.contains(replica)).count();
    if current == wanted { Ok(()) } else { Err(ReassignmentError::ReplicationFactor { current, wanted }) }
}

/// A partition whose replicas are being reassigned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OngoingReassignment {
    /// The partition's index.
    pub partition: i32,
    /// All replicas, those that come and those that go.
    pub replicas: Vec<i32>,
    /// Those that come.
    pub adding: Vec<i32>,
    /// Those that go.
    pub removing: Vec<i32>,
}

/// The partitions of `topic` that are being reassigned, in the order of `partitions`; `None` asks for all of them.
#[must_use]
pub fn ongoing_reassignments(image: &Image, topic: &str, partitions: Option<&[i32]>) -> Vec<OngoingReassignment> {
    let Some(topic) = image.topics().by_name(topic) else { return Vec::new() };
    let ongoing = |(index, partition): (i32, &PartitionImage)| {
        let Assignment { replicas, removing, adding } = Assignment::of(partition);
        let is_in_progress = !removing.is_empty() || !adding.is_empty();
        is_in_progress.then_some(OngoingReassignment { partition: index, replicas, adding, removing })
    };
    match partitions {
        None => topic.partitions().filter_map(ongoing).collect(),
        Some(indexes) => {
            let found = indexes.iter().filter_map(|index| Some((*index, topic.partition(*index)?)));
            found.filter_map(ongoing).collect()
        }
    }
}
