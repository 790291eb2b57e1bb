//! Batches and records as text in the words of Kafka's own dump tool, and as JSON. Source: `DumpLogSegments`.

use std::fmt::Write;

use protocol::ids::format_uuid;
use protocol::messages::{LeaderChangeMessage, SnapshotFooterRecord, SnapshotHeaderRecord};
use protocol::metadata_record::MetadataRecord;
use protocol::record_batch::{BatchHeader, Record, TimestampType, check_crc};
use protocol::{Decodable, ids::Uuid};
use serde_json::{Value, json};
use storage::StoredBatch;
use storage::producer_state::EndTransactionMarker;

use crate::commands::json::from_bytes;

/// Control records of KRaft (`ControlRecordType`).
const LEADER_CHANGE: i16 = 2;
const SNAPSHOT_HEADER: i16 = 3;
const SNAPSHOT_FOOTER: i16 = 4;

/// One line about a batch.
pub(super) fn batch_line(batch: &StoredBatch) -> String {
    let StoredBatch { position, header, bytes } = batch;
    let attributes = header.attributes;
    format!(
        "baseOffset: {} lastOffset: {} count: {} baseSequence: {} lastSequence: {} producerId: {} producerEpoch: {} \
         partitionLeaderEpoch: {} isTransactional: {} isControl: {} deleteHorizonMs: {} position: {position} {}: {} size: {} \
         magic: {} compresscodec: {} crc: {} isvalid: {}",
        header.base_offset,
        header.last_offset(),
        header.record_count,
        header.base_sequence,
        header.last_sequence(),
        header.producer_id,
        header.producer_epoch,
        header.partition_leader_epoch,
        attributes.is_transactional(),
        attributes.is_control(),
        delete_horizon(header),
        timestamp_type(header),
        header.max_timestamp,
        header.size(),
        header.magic,
        attributes.codec().map_or("unknown", |codec| codec.name()),
        header.crc,
        check_crc(bytes).is_ok()
    )
}

/// As Java prints an `OptionalLong`.
fn delete_horizon(header: &BatchHeader) -> String {
    optional_long(header.attributes.has_delete_horizon().then_some(header.base_timestamp))
}

pub(super) fn optional_long(value: Option<i64>) -> String {
    value.map_or_else(|| "OptionalLong.empty".to_owned(), |value| format!("OptionalLong[{value}]"))
}

fn timestamp_type(header: &BatchHeader) -> &'static str {
    match header.attributes.timestamp_type() {
        TimestampType::CreateTime => "CreateTime",
        TimestampType::LogAppendTime => "LogAppendTime",
    }
}

/// A batch as JSON.
pub(super) fn batch_json(batch: &StoredBatch) -> Value {
    let StoredBatch { position, header, bytes } = batch;
    json!({
        "baseOffset": header.base_offset,
        "lastOffset": header.last_offset(),
        "count": header.record_count,
        "baseSequence": header.base_sequence,
        "lastSequence": header.last_sequence(),
        "producerId": header.producer_id,
        "producerEpoch": header.producer_epoch,
        "partitionLeaderEpoch": header.partition_leader_epoch,
        "isTransactional": header.attributes.is_transactional(),
        "isControl": header.attributes.is_control(),
        "position": position,
        "timestampType": timestamp_type(header),
        "maxTimestamp": header.max_timestamp,
        "size": header.size(),
        "compresscodec": header.attributes.codec().map_or("unknown", |codec| codec.name()),
        "crc": header.crc,
        "isvalid": check_crc(bytes).is_ok(),
    })
}

/// One line about a record, with its content.
pub(super) fn record_line(header: &BatchHeader, record: &Record, is_metadata: bool) -> String {
    let size =
        |field: &Option<bytes::Bytes>| field.as_ref().and_then(|field| i64::try_from(field.len()).ok()).unwrap_or(-1);
    let keys: Vec<_> = record.headers.iter().map(|header| String::from_utf8_lossy(&header.key)).collect();
    let mut line = format!(
        "| offset: {} {}: {} keySize: {} valueSize: {} sequence: {} headerKeys: [{}]",
        record.offset,
        timestamp_type(header),
        record.timestamp,
        size(&record.key),
        size(&record.value),
        sequence(header, record),
        keys.join(",")
    );
    if header.attributes.is_control() {
        let _ = write!(line, " {}", control(record));
        return line;
    }
    if let Some(key) = &record.key {
        let _ = write!(line, " key: {}", String::from_utf8_lossy(key));
    }
    if let Some(value) = &record.value {
        let payload = if is_metadata { metadata(value) } else { String::from_utf8_lossy(value).into_owned() };
        let _ = write!(line, " payload: {payload}");
    }
    line
}

/// A record as JSON.
pub(super) fn record_json(header: &BatchHeader, record: &Record, is_metadata: bool) -> Value {
    let headers: Vec<Value> = record
        .headers
        .iter()
        .map(|header| json!({ "key": from_bytes(Some(&header.key)), "value": from_bytes(header.value.as_deref()) }))
        .collect();
    let mut document = json!({
        "offset": record.offset,
        "timestamp": record.timestamp,
        "sequence": sequence(header, record),
        "headers": headers,
    });
    if header.attributes.is_control() {
        document["control"] = json!(control(record));
    } else if is_metadata {
        document["record"] = json!(record.value.as_ref().map(metadata));
    } else {
        document["key"] = from_bytes(record.key.as_deref());
        document["value"] = from_bytes(record.value.as_deref());
    }
    document
}

/// A record's own sequence (`DefaultRecordBatch.incrementSequence`).
fn sequence(header: &BatchHeader, record: &Record) -> i64 {
    if header.base_sequence < 0 {
        return -1;
    }
    let sequence = i64::from(header.base_sequence) + record.offset.wrapping_sub(header.base_offset);
    sequence % (i64::from(i32::MAX) + 1)
}

/// What a control record says.
fn control(record: &Record) -> String {
    let (key, value) = (record.key.clone().unwrap_or_default(), record.value.clone().unwrap_or_default());
    if let Some(marker) = EndTransactionMarker::parse(&key, &value) {
        let kind = if marker.committed { "COMMIT" } else { "ABORT" };
        return format!("endTxnMarker: {kind} coordinatorEpoch: {}", marker.coordinator_epoch);
    }
    let kind = key.get(2..4).map_or(-1, |kind| i16::from_be_bytes([kind[0], kind[1]]));
    let mut body = value.clone();
    let said = match kind {
        LEADER_CHANGE => LeaderChangeMessage::decode(&mut body, 0).map(|change| {
            let voters: Vec<i32> = change.voters.iter().map(|voter| voter.voter_id).collect();
            format!("LeaderChange: leaderId: {} voters: {voters:?}", change.leader_id.0)
        }),
        SNAPSHOT_HEADER => SnapshotHeaderRecord::decode(&mut body, 0)
            .map(|header| format!("SnapshotHeader lastContainedLogTimestamp: {}", header.last_contained_log_timestamp)),
        SNAPSHOT_FOOTER => SnapshotFooterRecord::decode(&mut body, 0).map(|_| "SnapshotFooter".to_owned()),
        other => return format!("controlType: UNKNOWN({other})"),
    };
    said.unwrap_or_else(|error| format!("controlType: {kind}, malformed: {error:#}"))
}

/// A metadata record; what is none says why.
fn metadata(value: &bytes::Bytes) -> String {
    match MetadataRecord::decode_value(value.clone()) {
        Ok(record) => shorten_ids(&format!("{record:?}")),
        Err(error) => format!("malformed: {error}"),
    }
}

/// Ids as Kafka prints them, in place of those that Rust prints.
fn shorten_ids(text: &str) -> String {
    const LENGTH: usize = 36;
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(char) = rest.chars().next() {
        match rest.get(..LENGTH).filter(|part| part.as_bytes()[8] == b'-').and_then(|part| Uuid::try_parse(part).ok()) {
            Some(id) => {
                out.push_str(&format_uuid(id));
                rest = &rest[LENGTH..];
            }
            None => {
                out.push(char);
                rest = &rest[char.len_utf8()..];
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_printed_as_kafka_prints_them() {
        let text = r#"Topic(TopicRecord { name: "é", topic_id: 01234567-89ab-cdef-0123-456789abcdef })"#;
        assert_eq!(shorten_ids(text), r#"Topic(TopicRecord { name: "é", topic_id: ASNFZ4mrze8BI0VniavN7w })"#);
        assert_eq!(shorten_ids("01234567-89ab"), "01234567-89ab");
    }
}
