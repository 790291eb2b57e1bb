//! A broker says which of its log directories hold which replicas (KIP-858, `ReplicationControlManager.handleAssignReplicasToDirs`).

use super::partition_change::{Assignment, Election, PartitionChange};
use super::placement::default_directory;
use super::plan::{Plan, Situation};
use super::registration::check_broker_epoch;
use crate::error::{ControllerError, DirectoryError};
use protocol::ids::Uuid;
use protocol::metadata_record::PartitionChangeRecord;

/// A broker's replica and where it is.
#[derive(Clone, Copy, Debug)]
pub struct ReplicaDirectory {
    /// The topic's id.
    pub topic_id: Uuid,
    /// The partition's index.
    pub partition: i32,
    /// The id of the log directory.
    pub directory: Uuid,
}

/// Notes where replicas are. Each is noted or refused alone; the results are in the order of the request.
pub(super) fn assign_directories(
    situation: &Situation<'_>,
    broker_id: i32,
    broker_epoch: i64,
    replicas: &[ReplicaDirectory],
) -> Result<Plan<Vec<Result<(), DirectoryError>>>, ControllerError> {
    check_broker_epoch(situation.image, broker_id, broker_epoch)?;
    let mut records = Vec::new();
    let assign = |replica: &ReplicaDirectory| {
        let record = assign(situation, broker_id, replica)?;
        records.extend(record.map(Into::into));
        Ok(())
    };
    let results = replicas.iter().map(assign).collect();
    Ok(Plan::splittable(records, results))
}

fn assign(
    situation: &Situation<'_>,
    broker_id: i32,
    replica: &ReplicaDirectory,
) -> Result<Option<PartitionChangeRecord>, DirectoryError> {
    let topic = situation.image.topics().by_id(replica.topic_id).ok_or(DirectoryError::UnknownTopicId)?;
    let partition = topic.partition(replica.partition).ok_or(DirectoryError::UnknownPartition)?;
    if !partition.replicas().contains(&broker_id) {
        return Err(DirectoryError::NotReplica);
    }
    let replication_factor = topic.partition(0).map_or(1, |partition| partition.replicas().len());
    let change = PartitionChange {
        partition,
        topic_id: topic.id(),
        index: replica.partition,
        may_lead: &|replica| situation.may_lead(partition, replica),
        target_isr: partition.isr().to_vec(),
        target: Assignment::of(partition),
        new_directory: &|replica| default_directory(situation.image, replica),
        moved: Some((broker_id, replica.directory)),
        unclean_broker: None,
        min_in_sync_replicas: situation.min_in_sync_replicas(topic.name(), replication_factor),
        elr_enabled: situation.elr_enabled(),
        election: Election::Online,
    };
    Ok(change.record())
}
