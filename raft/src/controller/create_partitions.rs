//! Topics grow (`ReplicationControlManager.createPartitions`, `ControllerApis.createPartitions`).

use super::assignment::{check_leadable, check_manual, new_partition, place};
use super::create_topics::{TopicResults, duplicates};
use super::mutation_quota::MutationQuota;
use super::plan::{MAX_RECORDS_PER_BATCH, Plan, Situation};
use crate::error::{
    ControllerError, InvalidPartitions, InvalidReplicaAssignment, InvalidReplicationFactor, InvalidRequest, TopicError,
};
use crate::image::TopicImage;
use protocol::metadata_record::MetadataRecord;
use std::sync::Arc;

/// A topic that is to have more partitions.
#[derive(Clone, Debug)]
pub struct NewPartitions {
    /// The topic's name.
    pub name: Arc<str>,
    /// How many partitions it shall have altogether.
    pub count: i32,
    /// The replicas of each new partition by hand, preferred leader first; `None`: the controller places them.
    pub assignments: Option<Vec<Vec<i32>>>,
}

/// Adds partitions to topics. Each topic fails or succeeds alone; all that succeed are written together.
pub(super) fn create_partitions(
    situation: &mut Situation<'_>,
    topics: &[NewPartitions],
    validate_only: bool,
    quota: &dyn MutationQuota,
) -> Result<Plan<TopicResults<()>>, ControllerError> {
    quota.begin();
    let duplicates = duplicates(topics.iter().map(|topic| &topic.name));
    let refused = |name: &Arc<str>| (name.clone(), Err(InvalidRequest::DuplicateName.into()));
    let mut results: TopicResults<()> = duplicates.iter().map(refused).collect();
    let mut records = Vec::new();
    for topic in topics.iter().filter(|topic| !duplicates.contains(&topic.name)) {
        let room = MAX_RECORDS_PER_BATCH - records.len();
        let result = match additional_partitions(situation, topic) {
            // Refused before anything is placed: the count is a stranger's.
            Ok((_, additional)) if additional > room => return Err(ControllerError::ExcessiveBatch),
            Ok((existing, additional)) => {
                let added = quota.record(additional).map_err(TopicError::from);
                let added = added.and_then(|()| add_partitions(situation, topic, &existing, additional));
                added.map(|added| records.extend(added))
            }
            Err(error) => Err(error),
        };
        results.push((topic.name.clone(), result));
    }
    Ok(Plan::atomic(records, results)?.validated(validate_only))
}

/// The topic as it is, and how many partitions it lacks.
fn additional_partitions(
    situation: &Situation<'_>,
    topic: &NewPartitions,
) -> Result<(Arc<TopicImage>, usize), TopicError> {
    let existing = situation.image.topics().by_name(&topic.name).ok_or(TopicError::UnknownTopic)?;
    let current = existing.partition_count();
    let wanted = usize::try_from(topic.count).unwrap_or(0);
    if wanted == current {
        return Err(InvalidPartitions::Same(current).into());
    }
    if wanted < current {
        return Err(InvalidPartitions::Decrease { topic: topic.name.clone(), current, wanted: topic.count }.into());
    }
    let additional = wanted - current;
    match &topic.assignments {
        Some(assignments) if assignments.len() != additional => {
            Err(InvalidReplicaAssignment::Count { additional, assignments: assignments.len() }.into())
        }
        _ => Ok((existing.clone(), additional)),
    }
}

fn add_partitions(
    situation: &mut Situation<'_>,
    topic: &NewPartitions,
    existing: &TopicImage,
    additional: usize,
) -> Result<Vec<MetadataRecord>, TopicError> {
    let first = existing.partition_count() as i32;
    let replication_factor = existing.partition(0).map_or(0, |partition| partition.replicas().len());
    let replicas = match &topic.assignments {
        Some(assignments) => {
            for (index, replicas) in (first..).zip(assignments) {
                check_manual(situation.image, replicas, Some(replication_factor))?;
                check_leadable(situation.image, replicas, index)?;
            }
            assignments.clone()
        }
        None => place(situation, additional, replication_factor).map_err(InvalidReplicationFactor::NewPartitions)?,
    };
    let partition = |(index, replicas)| new_partition(situation.image, existing.id(), index, replicas);
    Ok((first..).zip(replicas).map(partition).collect())
}
