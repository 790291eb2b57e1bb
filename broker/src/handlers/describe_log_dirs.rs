//! DescribeLogDirs (key 35), versions 1–4.
//!
//! Behaviour: every entry of `log.dirs` with the room on its device, and in it the logs that were asked for, all where no topic is
//! named: their size, how far they lag, and whether they are copies that a move is making. A directory that failed says only that.
//! Versions: v2 flexible · v3 an error for the whole request · v4 bytes of the device (KIP-827).
//! Source: DescribeLogDirsRequest.json, `ReplicaManager.describeLogDirs`.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use protocol::error_code::ErrorCode;
use protocol::ids::TopicPartition;
use protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use protocol::messages::{DescribeLogDirsRequest, DescribeLogDirsResponse};
use storage::LogDir;

use super::text::{str_bytes, topic_name};
use super::{Reply, RequestContext};
use crate::error_code;
use crate::replica::{DescribedLog, ReplicaManager, blocking};

pub(super) fn handle(context: RequestContext, request: DescribeLogDirsRequest) -> Reply<DescribeLogDirsResponse> {
    let wanted = request.topics.map(|topics| {
        let partitions = topics.into_iter().flat_map(|topic| {
            let name: std::sync::Arc<str> = topic.topic.as_str().into();
            topic.partitions.into_iter().map(move |index| TopicPartition::new(name.clone(), index))
        });
        partitions.collect::<HashSet<_>>()
    });
    // Sizes of logs that nobody has used yet are read from the disk.
    Reply::Now(blocking(|| {
        let replicas = &context.services.replicas;
        let results = context.services.settings.log_dirs.iter().map(|path| directory(replicas, path, wanted.as_ref()));
        DescribeLogDirsResponse::default().with_results(results.collect())
    }))
}

fn directory(
    replicas: &ReplicaManager,
    path: &Path,
    wanted: Option<&HashSet<TopicPartition>>,
) -> DescribeLogDirsResult {
    let shown = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let result = DescribeLogDirsResult::default().with_log_dir(str_bytes(&shown.to_string_lossy()));
    let failed = |code: ErrorCode| result.clone().with_error_code(code.code());
    let found = replicas.log_dirs().all().iter().find(|log_dir| log_dir.path() == path);
    let Some(log_dir) = found.filter(|log_dir| !log_dir.is_offline()) else {
        return failed(ErrorCode::KafkaStorageError);
    };
    match (log_dir.space(), topics(replicas, log_dir, wanted)) {
        (Ok(space), Ok(topics)) => result
            .with_total_bytes(bytes(space.total_bytes))
            .with_usable_bytes(bytes(space.usable_bytes))
            .with_topics(topics),
        (Err(offline), _) => failed(error_code::log(&offline.into())),
        (_, Err(error)) => failed(error_code::log(&error)),
    }
}

fn topics(
    replicas: &ReplicaManager,
    log_dir: &LogDir,
    wanted: Option<&HashSet<TopicPartition>>,
) -> Result<Vec<DescribeLogDirsTopic>, storage::Error> {
    let is_wanted = |name: &TopicPartition| wanted.is_none_or(|wanted| wanted.contains(name));
    let mut topics: BTreeMap<std::sync::Arc<str>, Vec<DescribeLogDirsPartition>> = BTreeMap::new();
    for described in replicas.describe(log_dir, is_wanted)? {
        let DescribedLog { name, size_bytes, offset_lag, is_future } = described;
        let partition = DescribeLogDirsPartition::default()
            .with_partition_index(name.partition)
            .with_partition_size(bytes(size_bytes))
            .with_offset_lag(offset_lag)
            .with_is_future_key(is_future);
        topics.entry(name.topic).or_default().push(partition);
    }
    let topic = |(name, partitions): (std::sync::Arc<str>, _)| {
        DescribeLogDirsTopic::default().with_name(topic_name(&name)).with_partitions(partitions)
    };
    Ok(topics.into_iter().map(topic).collect())
}

/// Devices larger than a number can say are as large as it can say.
fn bytes(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
