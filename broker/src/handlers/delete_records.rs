//! DeleteRecords (key 21), versions 0–2.
//!
//! Behaviour: moves the log start offset up, −1 meaning the high watermark; what lies before it is not read again, even
//! inside a batch, and after a crash too: the new start is checkpointed before the answer. Segments go with the next
//! retention run. An offset above the high watermark is refused with OFFSET_OUT_OF_RANGE, a topic that is only compacted with
//! POLICY_VIOLATION.
//! Versions: v2 flexible.
//! Source: DeleteRecordsRequest.json, `ReplicaManager.deleteRecords`.

use protocol::error_code::ErrorCode;
use protocol::messages::delete_records_request::DeleteRecordsTopic;
use protocol::messages::delete_records_response::{DeleteRecordsPartitionResult, DeleteRecordsTopicResult};
use protocol::messages::{DeleteRecordsRequest, DeleteRecordsResponse};

use super::{Reply, RequestContext};
use crate::error_code;
use crate::replica::blocking;

const NO_WATERMARK: i64 = -1;

pub(super) fn handle(context: RequestContext, request: DeleteRecordsRequest) -> Reply<DeleteRecordsResponse> {
    // Checkpoints are small files, but files.
    Reply::Now(blocking(|| {
        let topics: Vec<_> = request.topics.into_iter().map(|asked| topic(&context, asked)).collect();
        context.services.replicas.write_checkpoints();
        DeleteRecordsResponse::default().with_topics(topics)
    }))
}

fn topic(context: &RequestContext, asked: DeleteRecordsTopic) -> DeleteRecordsTopicResult {
    let table = context.services.replicas.table();
    let replicas = table.by_name(&asked.name.0);
    let partitions = asked.partitions.iter().map(|wanted| {
        let result = DeleteRecordsPartitionResult::default()
            .with_partition_index(wanted.partition_index)
            .with_low_watermark(NO_WATERMARK);
        let Some(partition) = replicas.and_then(|topic| topic.partition(wanted.partition_index)) else {
            return result.with_error_code(ErrorCode::UnknownTopicOrPartition.code());
        };
        if partition.is_only_compacted() {
            return result.with_error_code(ErrorCode::PolicyViolation.code());
        }
        match partition.delete_records(wanted.offset) {
            Ok(log_start_offset) => result.with_low_watermark(log_start_offset),
            Err(error) => result.with_error_code(error_code::partition(&error).code()),
        }
    });
    let partitions = partitions.collect();
    DeleteRecordsTopicResult::default().with_name(asked.name).with_partitions(partitions)
}
