//! Key and value of a record of `__consumer_offsets` (`GroupCoordinatorRecordSerde`).

use super::consumer_records::*;
use super::records::*;
use crate::schema::{DecodeError, EncodeError, Schema};
use bytes::{Buf, BufMut, Bytes, BytesMut};

/// The version of committed offsets that Kafka 4.3 writes.
const OFFSET_COMMIT_VERSION: i16 = 4;
/// The only version that can say when an offset expires.
const OFFSET_COMMIT_VERSION_WITH_EXPIRY: i16 = 1;
/// The version of generations that Kafka 4.3 writes.
const GROUP_METADATA_VERSION: i16 = 3;
/// The version of the consumer protocol's records; there is no other.
const CONSUMER_GROUP_VERSION: i16 = 0;
/// Bytes of the type or version in front.
const PREFIX: usize = 2;

/// A key or value that is no record of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// There is no key, or no type in it.
    #[error("the record has no type")]
    NoType,
    /// A type of which Kafka 4.3 or we know nothing. Kafka passes over it: it may be left from an upgrade that was undone.
    #[error("unknown record type {0}")]
    UnknownType(i16),
    /// The type is known, its bytes are not of that type.
    #[error("record key")]
    Key(#[source] DecodeError),
    /// The value's bytes are not of that type and version.
    #[error("record value")]
    Value(#[source] DecodeError),
    /// The value is too short to have a version.
    #[error("the value has no version")]
    NoVersion,
}

/// A record of `__consumer_offsets`; a value of `None` is a tombstone.
#[derive(Clone, Debug, PartialEq)]
pub enum CoordinatorRecord {
    /// Types 0 and 1.
    OffsetCommit(OffsetCommitKey, Option<OffsetCommitValue>),
    /// Type 2.
    GroupMetadata(GroupMetadataKey, Option<GroupMetadataValue>),
    /// Type 3.
    ConsumerGroupMetadata(ConsumerGroupMetadataKey, Option<ConsumerGroupMetadataValue>),
    /// Type 4.
    ConsumerGroupPartitionMetadata(ConsumerGroupPartitionMetadataKey, Option<ConsumerGroupPartitionMetadataValue>),
    /// Type 5.
    ConsumerGroupMemberMetadata(ConsumerGroupMemberMetadataKey, Option<ConsumerGroupMemberMetadataValue>),
    /// Type 6.
    ConsumerGroupTargetAssignmentMetadata(
        ConsumerGroupTargetAssignmentMetadataKey,
        Option<ConsumerGroupTargetAssignmentMetadataValue>,
    ),
    /// Type 7.
    ConsumerGroupTargetAssignmentMember(
        ConsumerGroupTargetAssignmentMemberKey,
        Option<ConsumerGroupTargetAssignmentMemberValue>,
    ),
    /// Type 8.
    ConsumerGroupCurrentMemberAssignment(
        ConsumerGroupCurrentMemberAssignmentKey,
        Option<ConsumerGroupCurrentMemberAssignmentValue>,
    ),
    /// Type 16.
    ConsumerGroupRegularExpression(ConsumerGroupRegularExpressionKey, Option<ConsumerGroupRegularExpressionValue>),
}

impl CoordinatorRecord {
    /// The record's key, and its value in the version that Kafka 4.3 writes.
    ///
    /// # Errors
    /// If a string or byte string is longer than its length field can say.
    pub fn encode(&self) -> Result<(Bytes, Option<Bytes>), EncodeError> {
        match self {
            Self::OffsetCommit(key, value) => {
                let version = match value {
                    Some(value) if value.expire_timestamp != -1 => OFFSET_COMMIT_VERSION_WITH_EXPIRY,
                    _ => OFFSET_COMMIT_VERSION,
                };
                encode(key, value.as_ref(), version)
            }
            Self::GroupMetadata(key, value) => encode(key, value.as_ref(), GROUP_METADATA_VERSION),
            Self::ConsumerGroupMetadata(key, value) => encode(key, value.as_ref(), CONSUMER_GROUP_VERSION),
            Self::ConsumerGroupPartitionMetadata(key, value) => encode(key, value.as_ref(), CONSUMER_GROUP_VERSION),
            Self::ConsumerGroupMemberMetadata(key, value) => encode(key, value.as_ref(), CONSUMER_GROUP_VERSION),
            Self::ConsumerGroupTargetAssignmentMetadata(key, value) => {
                encode(key, value.as_ref(), CONSUMER_GROUP_VERSION)
            }
            Self::ConsumerGroupTargetAssignmentMember(key, value) => {
                encode(key, value.as_ref(), CONSUMER_GROUP_VERSION)
            }
            Self::ConsumerGroupCurrentMemberAssignment(key, value) => {
                encode(key, value.as_ref(), CONSUMER_GROUP_VERSION)
            }
            Self::ConsumerGroupRegularExpression(key, value) => encode(key, value.as_ref(), CONSUMER_GROUP_VERSION),
        }
    }

    /// The record of a key and a value. Bytes after the fields are ignored, as in Kafka.
    ///
    /// # Errors
    /// If they are not a record of a known type.
    pub fn decode(mut key: Bytes, value: Option<Bytes>) -> Result<Self, ParseError> {
        match key.try_get_i16().map_err(|_| ParseError::NoType)? {
            LegacyOffsetCommitKey::KEY => {
                let LegacyOffsetCommitKey { group, topic, partition } = decode_key(&mut key)?;
                let value: Option<LegacyOffsetCommitValue> = decode_value(value)?;
                let value = value.map(|LegacyOffsetCommitValue { offset, metadata, commit_timestamp }| {
                    OffsetCommitValue { offset, metadata, commit_timestamp, ..OffsetCommitValue::default() }
                });
                Ok(Self::OffsetCommit(OffsetCommitKey { group, topic, partition }, value))
            }
            OffsetCommitKey::KEY => Ok(Self::OffsetCommit(decode_key(&mut key)?, decode_value(value)?)),
            GroupMetadataKey::KEY => Ok(Self::GroupMetadata(decode_key(&mut key)?, decode_value(value)?)),
            kind => Self::decode_consumer(kind, &mut key, value),
        }
    }

    /// A record of the consumer protocol.
    fn decode_consumer(kind: i16, key: &mut Bytes, value: Option<Bytes>) -> Result<Self, ParseError> {
        match kind {
            ConsumerGroupMetadataKey::KEY => Ok(Self::ConsumerGroupMetadata(decode_key(key)?, decode_value(value)?)),
            ConsumerGroupPartitionMetadataKey::KEY => {
                Ok(Self::ConsumerGroupPartitionMetadata(decode_key(key)?, decode_value(value)?))
            }
            ConsumerGroupMemberMetadataKey::KEY => {
                Ok(Self::ConsumerGroupMemberMetadata(decode_key(key)?, decode_value(value)?))
            }
            ConsumerGroupTargetAssignmentMetadataKey::KEY => {
                Ok(Self::ConsumerGroupTargetAssignmentMetadata(decode_key(key)?, decode_value(value)?))
            }
            ConsumerGroupTargetAssignmentMemberKey::KEY => {
                Ok(Self::ConsumerGroupTargetAssignmentMember(decode_key(key)?, decode_value(value)?))
            }
            ConsumerGroupCurrentMemberAssignmentKey::KEY => {
                Ok(Self::ConsumerGroupCurrentMemberAssignment(decode_key(key)?, decode_value(value)?))
            }
            ConsumerGroupRegularExpressionKey::KEY => {
                Ok(Self::ConsumerGroupRegularExpression(decode_key(key)?, decode_value(value)?))
            }
            unknown => Err(ParseError::UnknownType(unknown)),
        }
    }
}

fn encode<K: Schema, V: Schema>(
    key: &K,
    value: Option<&V>,
    version: i16,
) -> Result<(Bytes, Option<Bytes>), EncodeError> {
    let value = value.map(|value| prefixed(value, version, version)).transpose()?;
    Ok((prefixed(key, K::KEY, 0)?, value))
}

fn prefixed<M: Schema>(message: &M, prefix: i16, version: i16) -> Result<Bytes, EncodeError> {
    let mut out = BytesMut::with_capacity(PREFIX + message.encoded_size(version)?);
    out.put_i16(prefix);
    message.encode(version, &mut out)?;
    Ok(out.freeze())
}

fn decode_key<K: Schema>(key: &mut Bytes) -> Result<K, ParseError> {
    K::decode(0, key).map_err(ParseError::Key)
}

fn decode_value<V: Schema>(value: Option<Bytes>) -> Result<Option<V>, ParseError> {
    let Some(mut value) = value else { return Ok(None) };
    let version = value.try_get_i16().map_err(|_| ParseError::NoVersion)?;
    V::decode(version, &mut value).map(Some).map_err(ParseError::Value)
}
