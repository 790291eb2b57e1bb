//! Leaders are elected on request (`ReplicationControlManager.electLeaders`).

use super::partition_change::{Assignment, Election, PartitionChange};
use super::placement::default_directory;
use super::plan::{Plan, Situation};
use crate::error::{ControllerError, ElectionError};
use crate::image::{NO_LEADER, PartitionImage, TopicImage};
use protocol::metadata_record::{MetadataRecord, PartitionChangeRecord};
use std::sync::Arc;

/// Which leader is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElectionType {
    /// The first replica.
    Preferred,
    /// Any replica, where nobody leads, even if records are lost.
    Unclean,
}

/// The partitions of one topic and what became of each.
pub type ElectionResults = Vec<(Arc<str>, Vec<(i32, Result<(), ElectionError>)>)>;

/// Elects leaders of `partitions`, or of all where that is `None`: then partitions that need no election are not named. Each fails or
/// succeeds alone.
pub(super) fn elect_leaders(
    situation: &Situation<'_>,
    election: ElectionType,
    partitions: Option<&[(Arc<str>, Vec<i32>)]>,
) -> Result<Plan<ElectionResults>, ControllerError> {
    let mut records: Vec<MetadataRecord> = Vec::new();
    let mut elect = |topic: &Arc<str>, index: i32| {
        let elected = elect_leader(situation, election, topic, index);
        (index, elected.map(|record| records.push(record.into())))
    };
    let results = match partitions {
        Some(partitions) => {
            let of_topic = |(topic, indexes): &(Arc<str>, Vec<i32>)| {
                (topic.clone(), indexes.iter().map(|index| elect(topic, *index)).collect())
            };
            partitions.iter().map(of_topic).collect()
        }
        None => {
            let of_topic = |topic: &Arc<TopicImage>| {
                let results = topic.partitions().map(|(index, _)| elect(topic.name(), index));
                let needed = results.filter(|(_, result)| *result != Err(ElectionError::NotNeeded));
                (topic.name().clone(), needed.collect())
            };
            situation.image.topics().iter().map(of_topic).collect()
        }
    };
    Ok(Plan::splittable(records, results))
}

fn elect_leader(
    situation: &Situation<'_>,
    election: ElectionType,
    name: &Arc<str>,
    index: i32,
) -> Result<PartitionChangeRecord, ElectionError> {
    let unknown = || ElectionError::UnknownTopic(name.clone());
    let topic = situation.image.topics().by_name(name).ok_or_else(unknown)?;
    let unknown = || ElectionError::UnknownPartition { topic: name.clone(), partition: index };
    let partition = topic.partition(index).ok_or_else(unknown)?;
    let (is_needed, rule, unavailable) = match election {
        ElectionType::Preferred => {
            (!has_preferred_leader(partition), Election::Preferred, ElectionError::PreferredNotAvailable)
        }
        ElectionType::Unclean => {
            (partition.leader() == NO_LEADER, Election::Unclean, ElectionError::EligibleNotAvailable)
        }
    };
    if !is_needed {
        return Err(ElectionError::NotNeeded);
    }
    let replication_factor = topic.partition(0).map_or(1, |partition| partition.replicas().len());
    let change = PartitionChange {
        partition,
        topic_id: topic.id(),
        index,
        may_lead: &|replica| situation.may_lead(partition, replica),
        target_isr: partition.isr().to_vec(),
        target: Assignment::of(partition),
        new_directory: &|replica| default_directory(situation.image, replica),
        moved: None,
        unclean_broker: None,
        min_in_sync_replicas: situation.min_in_sync_replicas(name, replication_factor),
        elr_enabled: situation.elr_enabled(),
        election: rule,
    };
    change.record().ok_or(unavailable)
}

fn has_preferred_leader(partition: &PartitionImage) -> bool {
    partition.replicas().first() == Some(&partition.leader())
}
