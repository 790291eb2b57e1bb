//! Batches and records as text in the words of Kafka's own dump tool, and as JSON. Source: `DumpLogSegments`.

use std::fmt::Write;

use bytes::Bytes;
use protocol::control_record::{
    KRaftVersionRecord, LeaderChangeMessage, SnapshotFooterRecord, SnapshotHeaderRecord, VotersRecord,
};
use protocol::record_batch::{BatchHeader, Record, TimestampType, check_crc};
use protocol::schema::{DecodeError, Json, Schema};
use serde_json::{Value, json};
use storage::StoredBatch;
use storage::producer_state::EndTransactionMarker;

use super::decoder::Decoder;
use crate::commands::json::from_bytes;

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

/// What is told of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Detail {
    /// Offset, timestamp, sizes; for control records all that they say.
    pub(crate) metadata: bool,
    /// Key and value.
    pub(crate) content: bool,
}

/// One line about a record.
pub(super) fn record_line(header: &BatchHeader, record: &Record, detail: Detail, decoder: Decoder) -> String {
    let is_control = header.attributes.is_control();
    let mut line = String::new();
    if detail.metadata {
        line = metadata_of(header, record);
        if is_control {
            let _ = write!(line, " {}", control(record));
        }
    }
    if detail.content && !is_control {
        let (key, payload) = decoder.shown(record);
        for (name, said) in [("key", key), ("payload", payload)] {
            if let Some(said) = said {
                let _ = write!(line, "{} {name}: {said}", if line.is_empty() { "|" } else { "" });
            }
        }
    }
    line
}

fn metadata_of(header: &BatchHeader, record: &Record) -> String {
    let size = |field: &Option<Bytes>| field.as_ref().and_then(|field| i64::try_from(field.len()).ok()).unwrap_or(-1);
    let keys: Vec<_> = record.headers.iter().map(|header| String::from_utf8_lossy(&header.key)).collect();
    format!(
        "| offset: {} {}: {} keySize: {} valueSize: {} sequence: {} headerKeys: [{}]",
        record.offset,
        timestamp_type(header),
        record.timestamp,
        size(&record.key),
        size(&record.value),
        sequence(header, record),
        keys.join(",")
    )
}

/// A record as JSON.
pub(super) fn record_json(header: &BatchHeader, record: &Record, decoder: Decoder) -> Value {
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
    } else {
        decoder.fill(record, &mut document);
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
    let said = match kind {
        LeaderChangeMessage::KEY => shown::<LeaderChangeMessage>("LeaderChange:", value),
        SnapshotHeaderRecord::KEY => shown::<SnapshotHeaderRecord>("SnapshotHeader", value),
        SnapshotFooterRecord::KEY => shown::<SnapshotFooterRecord>("SnapshotFooter", value),
        KRaftVersionRecord::KEY => shown::<KRaftVersionRecord>("KRaftVersion", value),
        VotersRecord::KEY => shown::<VotersRecord>("KRaftVoters", value),
        other => return format!("controlType: UNKNOWN({other})"),
    };
    said.unwrap_or_else(|error| format!("controlType: {kind}, malformed: {error}"))
}

/// A control record of KRaft, whose value begins with its version.
fn shown<M: Schema + Json>(name: &str, mut value: Bytes) -> Result<String, DecodeError> {
    let version = value.first_chunk().map_or(0, |version| i16::from_be_bytes(*version));
    Ok(format!("{name} {}", M::decode(version, &mut value)?.to_json(version)))
}
