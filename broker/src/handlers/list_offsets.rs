//! ListOffsets (key 2), versions 1–11.
//!
//! Behaviour: −1 the end of what the isolation level lets be read, −2 the log start, −3 the record with the largest
//! timestamp in the local log, −4 the local log start, −5 the last offset that is in the cold tier, −6 the first that is not,
//! else the first record as young as the timestamp, looked for in the cold tier first.
//! A special below the version that knows it: UNSUPPORTED_VERSION for its partition. No match: offset −1, no error.
//! Versions: v2 isolation level · v4 leader epochs · v6 flexible · v7 −3 (KIP-734) · v8 −4 (KIP-405) · v9 −5 (KIP-1005) ·
//! v10 a time-out, for answers that wait on remote storage (KIP-1075) · v11 −6 (KIP-1023).
//! Source: ListOffsetsRequest.json, `ReplicaManager.fetchOffset`, `UnifiedLog.fetchOffsetByTimestamp`,
//! `UnifiedLog.fetchEarliestPendingUploadOffset`.

use std::sync::Arc;
use std::time::Duration;

use protocol::error_code::{ErrorCode, NONE};
use protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use protocol::messages::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use protocol::messages::{ListOffsetsRequest, ListOffsetsResponse};
use storage::TimestampOffset;

use super::{Reply, RequestContext};
use crate::error_code;
use crate::metrics::RemoteTraffic;
use crate::replica::{Partition, PartitionError, blocking};

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;
const EARLIEST_PENDING_UPLOAD: i64 = -6;
const READ_COMMITTED: i8 = 1;
const CONSUMER: i32 = -1;

pub(super) fn handle(context: RequestContext, request: ListOffsetsRequest) -> Reply<ListOffsetsResponse> {
    let mut asked = request.topics.iter().flat_map(|topic| &topic.partitions);
    let reads_records = asked.clone().any(|partition| looks_into_batches(partition.timestamp));
    if context.services.replicas.tier().is_some() && asked.any(|partition| partition.timestamp >= 0) {
        return Reply::Later(Box::pin(answer_from_both(context, request)));
    }
    let answer = move || answer(&context, &request);
    // Looking for a timestamp reads and decompresses: not on a worker that serves others.
    Reply::Now(if reads_records { blocking(answer) } else { answer() })
}

fn looks_into_batches(timestamp: i64) -> bool {
    timestamp >= 0 || timestamp == MAX_TIMESTAMP
}

/// As [`answer`], and what the cold tier has of the timestamps comes before what the local log has (KIP-1075).
async fn answer_from_both(context: RequestContext, request: ListOffsetsRequest) -> ListOffsetsResponse {
    let mut response = blocking(|| answer(&context, &request));
    let deadline = tokio::time::Instant::now() + timeout(&context, &request);
    for (topic, answered) in request.topics.iter().zip(&mut response.topics) {
        for (asked, answered) in topic.partitions.iter().zip(&mut answered.partitions) {
            let partition =
                find(&context, topic, asked).filter(|_| asked.timestamp >= 0 && answered.error_code == NONE);
            let Some(partition) = partition else { continue };
            let local_start = blocking(|| partition.offsets()).map_or(0, |offsets| offsets.log_start_offset);
            let found = partition.tiered().offset_for_timestamp(asked.timestamp, local_start);
            match tokio::time::timeout_at(deadline, found).await {
                Ok(Ok(Some(place))) => put(answered, place, context.api_version),
                Ok(Ok(None)) => {}
                Ok(Err(error)) => {
                    tracing::warn!(partition = %partition.name(), %error, "no timestamp of the remote log");
                    fail(answered, ErrorCode::KafkaStorageError);
                }
                Err(_) => {
                    partition.tiered().count(RemoteTraffic::list_offsets_expired);
                    fail(answered, ErrorCode::RequestTimedOut);
                }
            }
        }
    }
    response
}

/// What the client allows, or else the broker's own limit.
fn timeout(context: &RequestContext, request: &ListOffsetsRequest) -> Duration {
    match u64::try_from(request.timeout_ms) {
        Ok(timeout_ms) if timeout_ms > 0 => Duration::from_millis(timeout_ms),
        _ => {
            let settings = context.services.settings.remote_settings(context.services.metadata.image().configs());
            settings.list_offsets_timeout
        }
    }
}

fn put(answered: &mut ListOffsetsPartitionResponse, place: TimestampOffset, api_version: i16) {
    answered.offset = place.offset;
    answered.timestamp = place.timestamp;
    answered.leader_epoch = if api_version >= 4 { place.leader_epoch.unwrap_or(-1) } else { -1 };
}

fn fail(answered: &mut ListOffsetsPartitionResponse, code: ErrorCode) {
    answered.error_code = code.code();
    (answered.offset, answered.timestamp, answered.leader_epoch) = (-1, -1, -1);
}

fn find(context: &RequestContext, topic: &ListOffsetsTopic, asked: &ListOffsetsPartition) -> Option<Arc<Partition>> {
    let table = context.services.replicas.table();
    table.by_name(&topic.name)?.partition(asked.partition_index).cloned()
}

fn answer(context: &RequestContext, request: &ListOffsetsRequest) -> ListOffsetsResponse {
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|asked| partition(context, request, topic, asked));
        ListOffsetsTopicResponse { name: topic.name.clone(), partitions: partitions.collect() }
    });
    ListOffsetsResponse { topics: topics.collect(), ..ListOffsetsResponse::default() }
}

fn partition(
    context: &RequestContext,
    request: &ListOffsetsRequest,
    topic: &ListOffsetsTopic,
    asked: &ListOffsetsPartition,
) -> ListOffsetsPartitionResponse {
    let mut answered = ListOffsetsPartitionResponse {
        partition_index: asked.partition_index,
        ..ListOffsetsPartitionResponse::default()
    };
    if is_unsupported(asked.timestamp, context.api_version) {
        fail(&mut answered, ErrorCode::UnsupportedVersion);
        return answered;
    }
    match find(context, topic, asked).map(|found| look_up(&found, request, asked)) {
        None => fail(&mut answered, ErrorCode::UnknownTopicOrPartition),
        Some(Ok(None)) => {}
        Some(Ok(Some(place))) => put(&mut answered, place, context.api_version),
        Some(Err(error)) => fail(&mut answered, error_code::partition(&error)),
    }
    answered
}

/// `ReplicaManager.isListOffsetsTimestampUnsupported`
fn is_unsupported(timestamp: i64, version: i16) -> bool {
    match timestamp {
        EARLIEST_PENDING_UPLOAD => version < 11,
        LATEST_TIERED => version < 9,
        EARLIEST_LOCAL => version < 8,
        MAX_TIMESTAMP => version < 7,
        _ => timestamp < EARLIEST_PENDING_UPLOAD,
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
        EARLIEST => {
            let start = partition.log_start_offset()?;
            Some(at(start, partition.leader_epochs()?.epoch_for_offset(start)))
        }
        EARLIEST_LOCAL => {
            let start = partition.offsets()?.log_start_offset;
            Some(at(start, partition.log().leader_epoch_at(start)?))
        }
        LATEST_TIERED => match partition.tiered().copied_to() {
            0 => None,
            end => Some(at(end - 1, partition.leader_epochs()?.epoch_for_offset(end - 1))),
        },
        EARLIEST_PENDING_UPLOAD if !partition.is_tiered() => None,
        EARLIEST_PENDING_UPLOAD => {
            // The log may have been moved up into what is not remote yet; with nothing remote this is its start.
            let pending = partition.tiered().copied_to().max(partition.log_start_offset()?);
            // As with every answer but the ends of the log, only what can be read counts (`ReplicaManager.fetchOffset`).
            let epoch = partition.leader_epochs()?.epoch_for_offset(pending);
            Some(at(pending, epoch)).filter(|place| place.offset < end)
        }
        MAX_TIMESTAMP => partition.log().max_timestamp(end)?,
        timestamp => partition.offset_for_timestamp(timestamp, end)?,
    })
}

/// What a reader of the request's isolation may read up to.
fn readable_end(partition: &Partition, request: &ListOffsetsRequest) -> Result<i64, PartitionError> {
    Ok(if request.replica_id != CONSUMER {
        partition.offsets()?.log_end_offset
    } else if request.isolation_level == READ_COMMITTED {
        partition.last_stable_offset()?
    } else {
        partition.high_watermark()?
    })
}
