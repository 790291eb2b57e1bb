//! What the records of Kafka's own topics say, as JSON in the words of Kafka's dump tool. Source: `DumpLogSegments.MessageParser`.

use std::path::Path;

use bytes::{Buf, Bytes};
use protocol::consumer_protocol::{self, ConsumerProtocolAssignment, ConsumerProtocolSubscription};
use protocol::coordinator_record::*;
use protocol::metadata_record::MetadataRecord;
use protocol::record_batch::Record;
use protocol::schema::{DecodeError, Json, Schema};
use serde_json::{Value, json};

use super::files::{is_metadata, partition_of};
use super::remote_log;
use crate::commands::json::{base64, from_bytes};

const OFFSETS_TOPIC: &str = "__consumer_offsets";
const REMOTE_LOG_TOPIC: &str = "__remote_log_metadata";
const CONSUMER: &str = "consumer";

/// What keys and values are taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decoder {
    Text,
    /// The metadata log and its snapshots.
    Metadata,
    /// `__consumer_offsets`.
    Offsets,
    /// `__remote_log_metadata`.
    RemoteLog,
}

impl Decoder {
    /// By the folder that a file lies in.
    pub(super) fn of(path: &Path) -> Self {
        if is_metadata(path) {
            return Self::Metadata;
        }
        match partition_of(path) {
            Some(partition) if &*partition.topic == OFFSETS_TOPIC => Self::Offsets,
            Some(partition) if &*partition.topic == REMOTE_LOG_TOPIC => Self::RemoteLog,
            _ => Self::Text,
        }
    }

    /// Key and payload as Kafka's tool prints them.
    pub(super) fn shown(self, record: &Record) -> (Option<String>, Option<String>) {
        let text = |field: &Option<Bytes>| field.as_ref().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        let offset = record.offset;
        match self {
            Self::Text => (text(&record.key), text(&record.value)),
            Self::Metadata => {
                let shown = record.value.clone().map(metadata);
                let skipped = |error: String| format!("Error at {offset}, skipping. {error}");
                (None, shown.map(|shown| shown.unwrap_or_else(skipped)))
            }
            Self::RemoteLog => {
                let shown = record.value.clone().map(remote_log::shown);
                let skipped = |error: String| format!("Error at offset {offset}, skipping. {error}");
                (None, shown.map(|shown| shown.unwrap_or_else(skipped)))
            }
            Self::Offsets => match offsets(record) {
                Ok((key, value)) => (Some(key), Some(value.unwrap_or_else(|| "<DELETE>".to_owned()))),
                Err(Unread::Unknown(kind)) => {
                    (Some(format!("Unknown record type {kind} at offset {offset}, skipping.")), None)
                }
                Err(Unread::Malformed(error)) => (Some(format!("Error at offset {offset}, skipping. {error}")), None),
            },
        }
    }

    /// Adds to a record's JSON what it says.
    pub(super) fn fill(self, record: &Record, document: &mut Value) {
        let parsed = |text: String| serde_json::from_str(&text).unwrap_or(Value::Null);
        match self {
            Self::Metadata => {
                document["record"] = match record.value.clone().map(metadata) {
                    Some(Ok(shown)) => parsed(shown),
                    Some(Err(error)) => json!(error),
                    None => Value::Null,
                };
            }
            Self::RemoteLog => {
                let shown = record.value.clone().map(remote_log::shown);
                document["record"] = shown.map_or(Value::Null, |shown| json!(shown.unwrap_or_else(|error| error)));
            }
            Self::Text | Self::Offsets => {
                let read = if self == Self::Offsets { offsets(record).ok() } else { None };
                (document["key"], document["value"]) = match read {
                    Some((key, value)) => (parsed(key), value.map_or(Value::Null, parsed)),
                    None => (from_bytes(record.key.as_deref()), from_bytes(record.value.as_deref())),
                };
            }
        }
    }
}

/// A metadata record as JSON; what is none says why.
fn metadata(value: Bytes) -> Result<String, String> {
    match MetadataRecord::decode_versioned(value) {
        Ok((record, version)) => Ok(record.to_json(version)),
        Err(error) => Err(format!("malformed: {error}")),
    }
}

/// Why a record of `__consumer_offsets` is not shown.
enum Unread {
    Unknown(i16),
    Malformed(String),
}

impl From<DecodeError> for Unread {
    fn from(error: DecodeError) -> Self {
        Self::Malformed(error.to_string())
    }
}

/// Key and value of a record of `__consumer_offsets`; no value deletes.
fn offsets(record: &Record) -> Result<(String, Option<String>), Unread> {
    let mut key = record.key.clone().unwrap_or_default();
    let kind = key.try_get_i16().map_err(|_| Unread::Malformed("the record has no type".to_owned()))?;
    let value = record.value.clone();
    match kind {
        LegacyOffsetCommitKey::KEY | OffsetCommitKey::KEY => {
            shown::<OffsetCommitKey, OffsetCommitValue>(kind, key, value)
        }
        GroupMetadataKey::KEY => {
            let (key, text) = shown::<GroupMetadataKey, GroupMetadataValue>(kind, key, value.clone())?;
            Ok((key, text.map(|text| with_members(text, value.unwrap_or_default()))))
        }
        ConsumerGroupMetadataKey::KEY => {
            shown::<ConsumerGroupMetadataKey, ConsumerGroupMetadataValue>(kind, key, value)
        }
        ConsumerGroupPartitionMetadataKey::KEY => {
            shown::<ConsumerGroupPartitionMetadataKey, ConsumerGroupPartitionMetadataValue>(kind, key, value)
        }
        ConsumerGroupMemberMetadataKey::KEY => {
            shown::<ConsumerGroupMemberMetadataKey, ConsumerGroupMemberMetadataValue>(kind, key, value)
        }
        ConsumerGroupTargetAssignmentMetadataKey::KEY => shown::<
            ConsumerGroupTargetAssignmentMetadataKey,
            ConsumerGroupTargetAssignmentMetadataValue,
        >(kind, key, value),
        ConsumerGroupTargetAssignmentMemberKey::KEY => {
            shown::<ConsumerGroupTargetAssignmentMemberKey, ConsumerGroupTargetAssignmentMemberValue>(kind, key, value)
        }
        ConsumerGroupCurrentMemberAssignmentKey::KEY => shown::<
            ConsumerGroupCurrentMemberAssignmentKey,
            ConsumerGroupCurrentMemberAssignmentValue,
        >(kind, key, value),
        ConsumerGroupRegularExpressionKey::KEY => {
            shown::<ConsumerGroupRegularExpressionKey, ConsumerGroupRegularExpressionValue>(kind, key, value)
        }
        unknown => Err(Unread::Unknown(unknown)),
    }
}

fn shown<K: Schema + Json, V: Schema + Json>(
    kind: i16,
    mut key: Bytes,
    value: Option<Bytes>,
) -> Result<(String, Option<String>), Unread> {
    let key = format!("{{\"type\":\"{kind}\",\"data\":{}}}", K::decode(0, &mut key)?.to_json(0));
    let Some(mut value) = value else { return Ok((key, None)) };
    let version = value.try_get_i16().map_err(|_| Unread::Malformed("the value has no version".to_owned()))?;
    let data = V::decode(version, &mut value)?.to_json(version);
    Ok((key, Some(format!("{{\"version\":\"{version}\",\"data\":{data}}}"))))
}

/// The JSON of a group's generation with what its members said and were given, where those are consumers.
fn with_members(text: String, mut value: Bytes) -> String {
    let Ok(version) = value.try_get_i16() else { return text };
    let Ok(group) = GroupMetadataValue::decode(version, &mut value) else { return text };
    if &*group.protocol_type != CONSUMER {
        return text;
    }
    group.members.iter().fold(text, |text, member| {
        let text = opened::<ConsumerProtocolSubscription>(&text, "subscription", &member.subscription);
        opened::<ConsumerProtocolAssignment>(&text, "assignment", &member.assignment)
    })
}

/// Puts in place of a field's bytes what they say, if they do.
fn opened<M: Schema + Json>(text: &str, field: &str, bytes: &Bytes) -> String {
    let Some(version) = consumer_protocol::version(bytes.clone()) else { return text.to_owned() };
    let Ok(message) = consumer_protocol::read::<M>(bytes.clone()) else { return text.to_owned() };
    let closed = format!("\"{field}\":\"{}\"", base64(bytes));
    text.replace(&closed, &format!("\"{field}\":{}", message.to_json(version)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::StrBytes;
    use protocol::consumer_protocol::write;

    fn record(key: &[u8], value: Option<Bytes>) -> Record {
        Record { offset: 7, timestamp: 0, key: Some(Bytes::copy_from_slice(key)), value, headers: Vec::new() }
    }

    #[test]
    fn members_of_a_generation_are_opened() {
        let subscription = ConsumerProtocolSubscription { topics: vec!["t".into()], ..Default::default() };
        let member = MemberMetadata {
            member_id: "m".into(),
            subscription: write(&subscription, 0).unwrap(),
            assignment: Bytes::from_static(b"?"),
            ..MemberMetadata::default()
        };
        let value = GroupMetadataValue {
            protocol_type: StrBytes::from_static_str(CONSUMER),
            members: vec![member],
            ..GroupMetadataValue::default()
        };
        let key = GroupMetadataKey { group: "g".into() };
        let (key, value) = CoordinatorRecord::GroupMetadata(key, Some(value)).encode().unwrap();
        let (key, value) = Decoder::Offsets.shown(&record(&key, value));
        assert_eq!(key.unwrap(), r#"{"type":"2","data":{"group":"g"}}"#);
        let value = value.unwrap();
        assert!(value.starts_with(r#"{"version":"3","data":{"protocolType":"consumer","generation":0,"#), "{value}");
        assert!(value.contains(r#""subscription":{"topics":["t"],"userData":null},"assignment":"Pw==""#), "{value}");
    }

    #[test]
    fn what_is_no_record_says_so() {
        let shown = |key: &[u8]| Decoder::Offsets.shown(&record(key, None));
        assert_eq!(shown(b"key0"), (Some("Unknown record type 27493 at offset 7, skipping.".to_owned()), None));
        assert!(shown(&[0, 1, 9]).0.unwrap().starts_with("Error at offset 7, skipping. "));
        let tombstone =
            CoordinatorRecord::GroupMetadata(GroupMetadataKey { group: "g".into() }, None).encode().unwrap();
        assert_eq!(shown(&tombstone.0).1, Some("<DELETE>".to_owned()));
    }
}
