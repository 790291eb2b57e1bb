//! AlterReplicaLogDirs (key 34), versions 1–2.
//!
//! Behaviour: lets replicas of this broker move into other log directories, each accepted or refused alone; they move while they are
//! used, and DescribeLogDirs shows how far they are. To the directory where a replica is already, ends its move. A replica that does
//! not exist yet is refused, and will be there when it does.
//! Versions: v2 flexible.
//! Source: AlterReplicaLogDirsRequest.json, `ReplicaManager.alterReplicaLogDirs`, KIP-113.

use std::collections::HashMap;

use protocol::error_code::{ErrorCode, NONE};
use protocol::ids::TopicPartition;
use protocol::messages::alter_replica_log_dirs_response::{
    AlterReplicaLogDirPartitionResult, AlterReplicaLogDirTopicResult,
};
use protocol::messages::{AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse, TopicName};

use super::{Reply, RequestContext};
use crate::error_code;
use crate::replica::{AlterLogDirError, blocking};

pub(super) fn handle(
    context: RequestContext,
    request: AlterReplicaLogDirsRequest,
) -> Reply<AlterReplicaLogDirsResponse> {
    // A copy that is given up is renamed.
    Reply::Now(blocking(|| {
        let results = wanted(&request).into_iter().map(|(name, partitions)| {
            let results = partitions.into_iter().map(|(index, path)| result(&context, &name, index, &path));
            AlterReplicaLogDirTopicResult::default().with_partitions(results.collect()).with_topic_name(name)
        });
        AlterReplicaLogDirsResponse::default().with_results(results.collect())
    }))
}

/// Partitions by topic, each with the last directory that the request names for it.
fn wanted(request: &AlterReplicaLogDirsRequest) -> HashMap<TopicName, Vec<(i32, String)>> {
    let mut wanted: HashMap<TopicName, Vec<(i32, String)>> = HashMap::new();
    for directory in &request.dirs {
        for topic in &directory.topics {
            let partitions = wanted.entry(topic.name.clone()).or_default();
            for index in &topic.partitions {
                partitions.retain(|(other, _)| other != index);
                partitions.push((*index, directory.path.to_string()));
            }
        }
    }
    wanted
}

fn result(context: &RequestContext, topic: &TopicName, index: i32, path: &str) -> AlterReplicaLogDirPartitionResult {
    let name = TopicPartition::new(topic.as_str(), index);
    let services = &context.services;
    let code = match services.replicas.alter_log_dir(&name, path, services.clock.now_ms()) {
        Ok(()) => NONE,
        Err(AlterLogDirError::NoReplica) if !is_known(context, &name) => ErrorCode::UnknownTopicOrPartition.code(),
        Err(error) => {
            tracing::debug!(partition = %name, path, %error, "cannot move the replica");
            error_code::alter_log_dir(&error).code()
        }
    };
    AlterReplicaLogDirPartitionResult::default().with_partition_index(index).with_error_code(code)
}

/// Whether the cluster has the partition, be it elsewhere.
fn is_known(context: &RequestContext, name: &TopicPartition) -> bool {
    let image = context.services.metadata.image();
    image.topics().by_name(&name.topic).is_some_and(|topic| topic.partition(name.partition).is_some())
}
