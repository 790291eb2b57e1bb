//! ListOffsets (key 2), versions 1–10.
//!
//! Behaviour: −1 the end of what the isolation level lets be read, −2 the log start, −3 the record with the largest
//! timestamp, −4 the local log start, −5 the last tiered offset (none), else the first record as young as the timestamp.
//! A special below the version that knows it: UNSUPPORTED_VERSION for its partition. No match: offset −1, no error.
//! Versions: v2 isolation level · v4 leader epochs · v6 flexible · v7 −3 (KIP-734) · v8 −4 (KIP-405) · v9 −5 (KIP-1005) ·
//! v10 a time-out, for answers that wait on remote storage.
//! Source: ListOffsetsRequest.json, `ReplicaManager.fetchOffset`, `UnifiedLog.fetchOffsetByTimestamp`.

use protocol::error_code::ErrorCode;
use protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use protocol::messages::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use protocol::messages::{ListOffsetsRequest, ListOffsetsResponse};
use storage::TimestampOffset;

use super::{Reply, RequestContext};
use crate::error_code;
use crate::replica::{Partition, PartitionError, blocking};

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;
const READ_COMMITTED: i8 = 1;
const CONSUMER: i32 = -1;

pub(super) fn handle(context: RequestContext, request: ListOffsetsRequest) -> Reply<ListOffsetsResponse> {
    let reads_records =
        request.topics.iter().flat_map(|topic| &topic.partitions).any(|p| looks_into_batches(p.timestamp));
    let answer = move || answer(&context, &request);
    // Looking for a timestamp reads and decompresses: not on a worker that serves others.
    Reply::Now(if reads_records { blocking(answer) } else { answer() })
}

fn looks_into_batches(timestamp: i64) -> bool {
    timestamp >= 0 || timestamp == MAX_TIMESTAMP
}

fn answer(context: &RequestContext, request: &ListOffsetsRequest) -> ListOffsetsResponse {
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|asked| partition(context, request, topic, asked));
        ListOffsetsTopicResponse::default().with_name(topic.name.clone()).with_partitions(partitions.collect())
    });
    ListOffsetsResponse::default().with_topics(topics.collect())
}

fn partition(
    context: &RequestContext,
    request: &ListOffsetsRequest,
    topic: &ListOffsetsTopic,
    asked: &ListOffsetsPartition,
) -> ListOffsetsPartitionResponse {
    let response = ListOffsetsPartitionResponse::default().with_partition_index(asked.partition_index);
    let failed = |code: ErrorCode| response.clone().with_error_code(code.code()).with_offset(-1).with_timestamp(-1);
    if is_unsupported(asked.timestamp, context.api_version) {
        return failed(ErrorCode::UnsupportedVersion);
    }
    let table = context.services.replicas.table();
    let found = table.by_name(&topic.name.0).and_then(|topic| topic.partition(asked.partition_index));
    let Some(found) = found else { return failed(ErrorCode::UnknownTopicOrPartition) };
    match look_up(found, request, asked) {
        Ok(Some(place)) => {
            let epoch = if context.api_version >= 4 { place.leader_epoch.unwrap_or(-1) } else { -1 };
            response.with_offset(place.offset).with_timestamp(place.timestamp).with_leader_epoch(epoch)
        }
        Ok(None) => response.with_offset(-1).with_timestamp(-1),
        Err(error) => failed(error_code::partition(&error)),
    }
}

/// `ReplicaManager.isListOffsetsTimestampUnsupported`
fn is_unsupported(timestamp: i64, version: i16) -> bool {
    match timestamp {
        LATEST_TIERED => version < 9,
        EARLIEST_LOCAL => version < 8,
        MAX_TIMESTAMP => version < 7,
        _ => timestamp < LATEST_TIERED,
    }
}

fn look_up(
    partition: &Partition,
    request: &ListOffsetsRequest,
    asked: &ListOffsetsPartition,
) -> Result<Option<TimestampOffset>, PartitionError> {
    partition.check_leader_epoch(asked.current_leader_epoch)?;
    let end = readable_end(partition, request)?;
    let at = |offset: i64, leader_epoch| TimestampOffset { timestamp: -1, offset, leader_epoch };
    Ok(match asked.timestamp {
        LATEST => Some(at(end, Some(partition.leader_epoch()))),
        EARLIEST | EARLIEST_LOCAL => {
            let start = partition.offsets()?.log_start_offset;
            Some(at(start, partition.log().leader_epoch_at(start)?))
        }
        LATEST_TIERED => None,
        MAX_TIMESTAMP => partition.log().max_timestamp(end)?,
        timestamp => partition.offset_for_timestamp(timestamp, end)?,
    })
}

/// What a reader of the request's isolation may read up to.
fn readable_end(partition: &Partition, request: &ListOffsetsRequest) -> Result<i64, PartitionError> {
    Ok(if request.replica_id.0 != CONSUMER {
        partition.offsets()?.log_end_offset
    } else if request.isolation_level == READ_COMMITTED {
        partition.last_stable_offset()?
    } else {
        partition.high_watermark()?
    })
}
