//! OffsetForLeaderEpoch (key 23), versions 2–4.
//!
//! Behaviour: the largest known epoch up to the one asked for, and where it ended; −1 and −1 if it is not known.
//! Versions: v2 current leader epoch · v3 replica id, −2 for a debugging client · v4 flexible.
//! Source: OffsetForLeaderEpochRequest.json, KIP-320, `Partition.lastOffsetForLeaderEpoch`.

use protocol::error_code::ErrorCode;
use protocol::messages::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
use protocol::messages::offset_for_leader_epoch_response::{EpochEndOffset, OffsetForLeaderTopicResult};
use protocol::messages::{OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};

use super::{Reply, RequestContext};
use crate::error_code;
use crate::replica::{Partition, PartitionError};

pub(super) fn handle(
    context: RequestContext,
    request: OffsetForLeaderEpochRequest,
) -> Reply<OffsetForLeaderEpochResponse> {
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|asked| partition(&context, topic, asked));
        OffsetForLeaderTopicResult::default().with_topic(topic.topic.clone()).with_partitions(partitions.collect())
    });
    Reply::Now(OffsetForLeaderEpochResponse::default().with_topics(topics.collect()))
}

fn partition(
    context: &RequestContext,
    topic: &OffsetForLeaderTopic,
    asked: &OffsetForLeaderPartition,
) -> EpochEndOffset {
    let response = EpochEndOffset::default().with_partition(asked.partition).with_leader_epoch(-1).with_end_offset(-1);
    let table = context.services.replicas.table();
    let found = table.by_name(&topic.topic.0).and_then(|topic| topic.partition(asked.partition));
    let Some(found) = found else {
        return response.with_error_code(ErrorCode::UnknownTopicOrPartition.code());
    };
    match look_up(found, asked) {
        Ok(Some((epoch, end_offset))) => response.with_leader_epoch(epoch).with_end_offset(end_offset),
        Ok(None) => response,
        Err(error) => response.with_error_code(error_code::partition(&error).code()),
    }
}

fn look_up(partition: &Partition, asked: &OffsetForLeaderPartition) -> Result<Option<(i32, i64)>, PartitionError> {
    partition.check_leader_epoch(asked.current_leader_epoch)?;
    let log_end_offset = partition.offsets()?.log_end_offset;
    Ok(partition.leader_epochs()?.end_offset_for(asked.leader_epoch, log_end_offset))
}
