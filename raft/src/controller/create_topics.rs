//! Topics come into being (`ReplicationControlManager.createTopics`, `ControllerApis.createTopics`).

use super::assignment::{check_leadable, check_manual, new_partition, place};
use super::configs::{ConfigOp, change_config};
use super::mutation_quota::MutationQuota;
use super::plan::{MAX_RECORDS_PER_BATCH, Plan, Situation};
use super::topic_name;
use crate::error::{
    ConfigError, ControllerError, InvalidPartitions, InvalidReplicaAssignment, InvalidReplicationFactor,
    InvalidRequest, TopicError,
};
use crate::image::ConfigResource;
use protocol::ids::Uuid;
use protocol::metadata_record::{MetadataRecord, TopicRecord};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The topic that the metadata log itself is, to its readers.
const CLUSTER_METADATA_TOPIC: &str = "__cluster_metadata";

/// A topic to be.
#[derive(Clone, Debug)]
pub struct NewTopic {
    /// Its name.
    pub name: Arc<str>,
    /// How many partitions; -1 for the default, or when `assignments` says it.
    pub partitions: i32,
    /// How many replicas; -1 for the default, or when `assignments` says it.
    pub replication_factor: i16,
    /// Replicas by hand: partition index and broker ids, preferred leader first. Empty: the controller places them.
    pub assignments: Vec<(i32, Vec<i32>)>,
    /// Keys and values.
    pub configs: Vec<(Arc<str>, Option<Arc<str>>)>,
}

impl NewTopic {
    /// A topic with the cluster's defaults.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), partitions: -1, replication_factor: -1, assignments: vec![], configs: vec![] }
    }
}

/// A topic that was created, or would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatedTopic {
    /// Its id.
    pub id: Uuid,
    /// How many partitions it has.
    pub partitions: i32,
    /// How many replicas each has.
    pub replication_factor: i16,
}

/// Each name of a request and what became of it. A name that stands in the request twice has one answer, at the end.
pub type TopicResults<T> = Vec<(Arc<str>, Result<T, TopicError>)>;

/// Creates topics. Each topic fails or succeeds alone; all that succeed are written together.
pub(super) fn create_topics(
    situation: &mut Situation<'_>,
    topics: &[NewTopic],
    validate_only: bool,
    quota: &dyn MutationQuota,
) -> Result<Plan<TopicResults<CreatedTopic>>, ControllerError> {
    quota.begin();
    let duplicates = duplicates(topics.iter().map(|topic| &topic.name));
    let unique = || topics.iter().filter(|topic| !duplicates.contains(&topic.name));
    check_partition_total(situation, unique())?;
    let mut records = Vec::new();
    let mut results = TopicResults::new();
    for topic in unique() {
        let created = create_topic(situation, topic, quota).map(|(topic_records, created)| {
            records.extend(topic_records);
            created
        });
        results.push((topic.name.clone(), created));
    }
    results.extend(duplicates.into_iter().map(|name| (name, Err(InvalidRequest::DuplicateName.into()))));
    Ok(Plan::atomic(records, results)?.validated(validate_only))
}

/// Names that stand in a request more than once, each once.
pub(super) fn duplicates<'a>(names: impl Iterator<Item = &'a Arc<str>>) -> BTreeSet<Arc<str>> {
    let mut seen = BTreeSet::new();
    names.filter(|name| !seen.insert(*name)).cloned().collect()
}

/// Refuses a request whose partitions alone exceed a batch, before any of them is placed.
fn check_partition_total<'a>(
    situation: &Situation<'_>,
    topics: impl Iterator<Item = &'a NewTopic>,
) -> Result<(), ControllerError> {
    let partitions = |topic: &NewTopic| match topic.partitions {
        _ if !topic.assignments.is_empty() => topic.assignments.len() as i64,
        -1 => situation.config.default_partitions.into(),
        partitions => i64::from(partitions.max(0)),
    };
    if topics.map(partitions).sum::<i64>() > MAX_RECORDS_PER_BATCH as i64 {
        return Err(ControllerError::ExcessivePartitions);
    }
    Ok(())
}

fn create_topic(
    situation: &mut Situation<'_>,
    topic: &NewTopic,
    quota: &dyn MutationQuota,
) -> Result<(Vec<MetadataRecord>, CreatedTopic), TopicError> {
    let name = &topic.name;
    if &**name == CLUSTER_METADATA_TOPIC {
        return Err(InvalidRequest::InternalTopic(CLUSTER_METADATA_TOPIC).into());
    }
    let topics = situation.image.topics();
    if topics.by_name(name).is_some() {
        return Err(TopicError::AlreadyExists(name.clone()));
    }
    topic_name::check_new(name, topics)?;
    let config_records = config_records(situation, topic)?;
    let replicas = if topic.assignments.is_empty() {
        placed_replicas(situation, topic)?
    } else {
        manual_replicas(situation, topic)?
    };
    quota.record(replicas.len())?;
    let id = situation.random.uuid();
    let created = CreatedTopic {
        id,
        partitions: replicas.len() as i32,
        replication_factor: replicas.first().map_or(0, |replicas| replicas.len() as i16),
    };
    let mut records = vec![TopicRecord { name: name.clone(), topic_id: id }.into()];
    records.extend(config_records);
    let partition = |(index, replicas)| new_partition(situation.image, id, index, replicas);
    records.extend((0..).zip(replicas).map(partition));
    Ok((records, created))
}

fn config_records(situation: &Situation<'_>, topic: &NewTopic) -> Result<Vec<MetadataRecord>, ConfigError> {
    let without_value = topic.configs.iter().filter(|(_, value)| value.is_none());
    let nulls: Vec<Arc<str>> = without_value.map(|(key, _)| key.clone()).collect();
    if !nulls.is_empty() {
        return Err(ConfigError::NullValues(nulls));
    }
    // A key that is given twice has its last value.
    let set = |(key, value): &(Arc<str>, Option<Arc<str>>)| Some((key.clone(), ConfigOp::Set(value.clone()?)));
    let ops: BTreeMap<Arc<str>, ConfigOp> = topic.configs.iter().filter_map(set).collect();
    change_config(situation, &ConfigResource::topic(topic.name.clone()), &ops)
}

fn placed_replicas(situation: &mut Situation<'_>, topic: &NewTopic) -> Result<Vec<Vec<i32>>, TopicError> {
    if topic.replication_factor < -1 || topic.replication_factor == 0 {
        return Err(InvalidReplicationFactor::NotPositive.into());
    }
    if topic.partitions < -1 || topic.partitions == 0 {
        return Err(InvalidPartitions::NotPositive.into());
    }
    let or_default = |value, default| if value == -1 { default } else { value };
    let partitions = or_default(topic.partitions, situation.config.default_partitions);
    let wanted = or_default(topic.replication_factor.into(), situation.config.default_replication_factor.into());
    let count = usize::try_from(partitions).unwrap_or(0);
    let factor = usize::try_from(wanted).unwrap_or(0);
    place(situation, count, factor)
        .map_err(|reason| InvalidReplicationFactor::NewTopic { wanted: wanted as i16, reason }.into())
}

fn manual_replicas(situation: &Situation<'_>, topic: &NewTopic) -> Result<Vec<Vec<i32>>, TopicError> {
    if topic.replication_factor != -1 {
        return Err(InvalidRequest::AssignmentWithReplicationFactor.into());
    }
    if topic.partitions != -1 {
        return Err(InvalidRequest::AssignmentWithPartitionCount.into());
    }
    let mut by_index = BTreeMap::new();
    let mut replication_factor = None;
    for (index, replicas) in &topic.assignments {
        if by_index.contains_key(index) {
            return Err(InvalidReplicaAssignment::DuplicatePartition(*index).into());
        }
        check_manual(situation.image, replicas, replication_factor)?;
        replication_factor = Some(replicas.len());
        check_leadable(situation.image, replicas, *index)?;
        by_index.insert(*index, replicas.clone());
    }
    if !by_index.keys().copied().eq(0..by_index.len() as i32) {
        return Err(InvalidReplicaAssignment::NotConsecutive.into());
    }
    Ok(by_index.into_values().collect())
}
