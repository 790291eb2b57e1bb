//! The value of a record in the metadata log: frame version, type and version as varints, then the message
//! (`MetadataRecordSerde`, `AbstractApiMessageSerde`).

use super::records::*;
use crate::schema::{DecodeError, EncodeError, Schema, SizeCounter, read_unsigned_varint, write_unsigned_varint};
use bytes::{Bytes, BytesMut};

/// The only frame that exists; 0 was the preview of Kafka 2.8.
const FRAME_VERSION: u32 = 1;

/// A value of the metadata log that is no record of ours. It is never skipped: a node that does not know a record does
/// not know the state of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The frame in front of the record is cut off.
    #[error("metadata record frame")]
    Frame(#[source] DecodeError),
    /// Another frame version.
    #[error("metadata record has frame version {0}, only {FRAME_VERSION} is known")]
    UnknownFrameVersion(u32),
    /// A record type that this version does not know.
    #[error("metadata record has unknown type {key} (version {version})")]
    UnknownType {
        /// The type.
        key: u32,
        /// Its version.
        version: u32,
    },
    /// The type is known, its bytes are not of that type and version.
    #[error("metadata record")]
    Record(#[from] DecodeError),
    /// Bytes follow the record.
    #[error("{0} bytes follow the metadata record")]
    TrailingBytes(usize),
}

/// Declares the enum of all records from one row each.
macro_rules! records {
    ($($(#[$meta:meta])* $variant:ident($record:ident),)+) => {
        /// Any metadata record.
        #[derive(Clone, Debug, PartialEq)]
        pub enum MetadataRecord {
            $($(#[$meta])* $variant($record),)+
        }

        impl MetadataRecord {
            /// The record's type: `MetadataRecordType`'s id.
            #[must_use]
            pub const fn key(&self) -> i16 {
                match self { $(Self::$variant(_) => $record::KEY,)+ }
            }

            /// The newest version of this record's type.
            #[must_use]
            pub const fn highest_version(&self) -> i16 {
                match self { $(Self::$variant(_) => $record::VERSIONS.last,)+ }
            }

            /// The type's name, for logs.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$variant(_) => $record::NAME,)+ }
            }

            fn fields_to_json(&self, version: i16) -> String {
                match self { $(Self::$variant(record) => record.to_json(version),)+ }
            }

            fn encode_message<S: crate::schema::Sink>(&self, version: i16, out: &mut S) -> Result<(), EncodeError> {
                match self { $(Self::$variant(record) => record.encode(version, out),)+ }
            }

            fn decode_message(key: u32, version: u32, input: &mut Bytes) -> Result<Self, ParseError> {
                let unknown = ParseError::UnknownType { key, version };
                let (Ok(key), Ok(version)) = (i16::try_from(key), i16::try_from(version)) else {
                    return Err(unknown);
                };
                match key {
                    $($record::KEY => Ok(Self::$variant($record::decode(version, input)?)),)+
                    _ => Err(unknown),
                }
            }
        }

        $(impl From<$record> for MetadataRecord {
            fn from(record: $record) -> Self {
                Self::$variant(record)
            }
        })+
    };
}

records! {
    /// Type 0.
    RegisterBroker(RegisterBrokerRecord),
    /// Type 1.
    UnregisterBroker(UnregisterBrokerRecord),
    /// Type 2.
    Topic(TopicRecord),
    /// Type 3.
    Partition(PartitionRecord),
    /// Type 4.
    Config(ConfigRecord),
    /// Type 5.
    PartitionChange(PartitionChangeRecord),
    /// Type 7.
    FenceBroker(FenceBrokerRecord),
    /// Type 8.
    UnfenceBroker(UnfenceBrokerRecord),
    /// Type 9.
    RemoveTopic(RemoveTopicRecord),
    /// Type 10.
    DelegationToken(DelegationTokenRecord),
    /// Type 11.
    UserScramCredential(UserScramCredentialRecord),
    /// Type 12.
    FeatureLevel(FeatureLevelRecord),
    /// Type 14.
    ClientQuota(ClientQuotaRecord),
    /// Type 15.
    ProducerIds(ProducerIdsRecord),
    /// Type 17.
    BrokerRegistrationChange(BrokerRegistrationChangeRecord),
    /// Type 18.
    AccessControlEntry(AccessControlEntryRecord),
    /// Type 19.
    RemoveAccessControlEntry(RemoveAccessControlEntryRecord),
    /// Type 20.
    NoOp(NoOpRecord),
    /// Type 21.
    ZkMigrationState(ZkMigrationStateRecord),
    /// Type 22.
    RemoveUserScramCredential(RemoveUserScramCredentialRecord),
    /// Type 23.
    BeginTransaction(BeginTransactionRecord),
    /// Type 24.
    EndTransaction(EndTransactionRecord),
    /// Type 25.
    AbortTransaction(AbortTransactionRecord),
    /// Type 26.
    RemoveDelegationToken(RemoveDelegationTokenRecord),
    /// Type 27.
    RegisterController(RegisterControllerRecord),
    /// Type 28.
    ClearElr(ClearElrRecord),
}

impl MetadataRecord {
    /// The value of a record of the metadata log, in the newest version of the record's type.
    ///
    /// # Errors
    /// If a string or array is longer than its length field can say.
    pub fn encode_value(&self) -> Result<Bytes, EncodeError> {
        self.encode_value_at(self.highest_version())
    }

    /// As [`MetadataRecord::encode_value`], in a given version of the record's type.
    ///
    /// # Errors
    /// If there is no such version, or it cannot carry a field that is set.
    pub fn encode_value_at(&self, version: i16) -> Result<Bytes, EncodeError> {
        let size = SizeCounter::of(|counter| self.write_value(version, counter))?;
        let mut out = BytesMut::with_capacity(size);
        self.write_value(version, &mut out)?;
        Ok(out.freeze())
    }

    fn write_value<S: crate::schema::Sink>(&self, version: i16, out: &mut S) -> Result<(), EncodeError> {
        write_unsigned_varint(FRAME_VERSION, out);
        write_unsigned_varint(self.key() as u32, out);
        write_unsigned_varint(version as u32, out);
        self.encode_message(version, out)
    }

    /// The record of a value.
    ///
    /// # Errors
    /// If the bytes are not exactly one record of a known type and version.
    pub fn decode_value(value: Bytes) -> Result<Self, ParseError> {
        Self::decode_versioned(value).map(|(record, _)| record)
    }

    /// As [`MetadataRecord::decode_value`], with the version in which the record was written.
    ///
    /// # Errors
    /// As [`MetadataRecord::decode_value`].
    pub fn decode_versioned(mut value: Bytes) -> Result<(Self, i16), ParseError> {
        let mut varint = || read_unsigned_varint(&mut value).map_err(ParseError::Frame);
        let frame_version = varint()?;
        if frame_version != FRAME_VERSION {
            return Err(ParseError::UnknownFrameVersion(frame_version));
        }
        let (key, version) = (varint()?, varint()?);
        let record = Self::decode_message(key, version, &mut value)?;
        if !value.is_empty() {
            return Err(ParseError::TrailingBytes(value.len()));
        }
        // The version is known, so it is a small number.
        Ok((record, i16::try_from(version).unwrap_or(i16::MAX)))
    }

    /// Type, version and fields, as Kafka's dump tool and shell show the record.
    #[must_use]
    pub fn to_json(&self, version: i16) -> String {
        let mut kind = String::new();
        for char in self.name().chars() {
            if char.is_ascii_uppercase() && !kind.is_empty() {
                kind.push('_');
            }
            kind.push(char.to_ascii_uppercase());
        }
        format!("{{\"type\":\"{kind}\",\"version\":{version},\"data\":{}}}", self.fields_to_json(version))
    }
}
