//! The records of `__remote_log_metadata` as Java prints them (`toString` of `RemoteLogSegmentMetadata` and its like).

use bytes::Bytes;
use protocol::ids::format_uuid;
use protocol::remote_log_record::{
    RemoteLogRecord, RemoteLogSegmentIdEntry, RemoteLogSegmentMetadataRecord, RemoteLogSegmentMetadataUpdateRecord,
    RemoteLogSegmentState, RemotePartitionDeleteMetadataRecord, TopicIdPartitionEntry,
};

/// A record in one line; what is none says why.
pub(super) fn shown(value: Bytes) -> Result<String, String> {
    match RemoteLogRecord::decode(value).map_err(|error| error.to_string())? {
        RemoteLogRecord::Segment(record) => segment(&record),
        RemoteLogRecord::SegmentUpdate(record) => segment_update(&record),
        RemoteLogRecord::PartitionDelete(record) => partition_delete(&record),
    }
}

fn segment(record: &RemoteLogSegmentMetadataRecord) -> Result<String, String> {
    let epochs: Vec<String> =
        record.segment_leader_epochs.iter().map(|entry| format!("{}={}", entry.leader_epoch, entry.offset)).collect();
    Ok(format!(
        "RemoteLogSegmentMetadata{{remoteLogSegmentId={}, startOffset={}, endOffset={}, brokerId={}, maxTimestampMs={}, \
         eventTimestampMs={}, segmentLeaderEpochs={{{}}}, segmentSizeInBytes={}, customMetadata={}, state={}, txnIdxEmpty={}}}",
        segment_id(&record.remote_log_segment_id),
        record.start_offset,
        record.end_offset,
        record.broker_id,
        record.max_timestamp_ms,
        record.event_timestamp_ms,
        epochs.join(", "),
        record.segment_size_in_bytes,
        custom(record.custom_metadata.as_ref()),
        state(record.remote_log_segment_state)?,
        record.txn_index_empty,
    ))
}

fn segment_update(record: &RemoteLogSegmentMetadataUpdateRecord) -> Result<String, String> {
    Ok(format!(
        "RemoteLogSegmentMetadataUpdate{{remoteLogSegmentId={}, customMetadata={}, state={}, eventTimestampMs={}, brokerId={}}}",
        segment_id(&record.remote_log_segment_id),
        custom(record.custom_metadata.as_ref()),
        state(record.remote_log_segment_state)?,
        record.event_timestamp_ms,
        record.broker_id,
    ))
}

fn partition_delete(record: &RemotePartitionDeleteMetadataRecord) -> Result<String, String> {
    let state = match record.remote_partition_delete_state {
        0 => "DELETE_PARTITION_MARKED",
        1 => "DELETE_PARTITION_STARTED",
        2 => "DELETE_PARTITION_FINISHED",
        unknown => return Err(format!("there is no state {unknown}")),
    };
    Ok(format!(
        "RemotePartitionDeleteMetadata{{topicPartition={}, state={state}, eventTimestampMs={}, brokerId={}}}",
        partition(&record.topic_id_partition),
        record.event_timestamp_ms,
        record.broker_id,
    ))
}

fn segment_id(id: &RemoteLogSegmentIdEntry) -> String {
    format!("RemoteLogSegmentId{{topicIdPartition={}, id={}}}", partition(&id.topic_id_partition), format_uuid(id.id))
}

fn partition(entry: &TopicIdPartitionEntry) -> String {
    format!("{}:{}-{}", format_uuid(entry.id), &*entry.name, entry.partition)
}

fn custom(metadata: Option<&Bytes>) -> String {
    metadata.map_or_else(
        || "Optional.empty".to_owned(),
        |bytes| format!("Optional[CustomMetadata{{{} bytes}}]", bytes.len()),
    )
}

fn state(id: i8) -> Result<&'static str, String> {
    Ok(match RemoteLogSegmentState::of(id).ok_or_else(|| format!("there is no state {id}"))? {
        RemoteLogSegmentState::CopySegmentStarted => "COPY_SEGMENT_STARTED",
        RemoteLogSegmentState::CopySegmentFinished => "COPY_SEGMENT_FINISHED",
        RemoteLogSegmentState::DeleteSegmentStarted => "DELETE_SEGMENT_STARTED",
        RemoteLogSegmentState::DeleteSegmentFinished => "DELETE_SEGMENT_FINISHED",
    })
}
