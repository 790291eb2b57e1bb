//! The value of a record of `__remote_log_metadata`: frame version, type and version as varints, then the message
//! (`RemoteLogMetadataSerde`, `BytesApiMessageSerde`).

use super::records::*;
use crate::schema::{DecodeError, EncodeError, Schema, Sink, SizeCounter, read_unsigned_varint, write_unsigned_varint};
use bytes::{Bytes, BytesMut};

/// The only frame that exists.
const FRAME_VERSION: u32 = 1;
/// The version that Kafka 4.3 writes, of every type.
const VERSION: u32 = 0;

/// A value that is no record of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The frame in front of the record is cut off.
    #[error("remote log record frame")]
    Frame(#[source] DecodeError),
    /// Another frame, type or version.
    #[error("remote log record has frame version {frame}, type {key}, version {version}, which are not known")]
    Unknown {
        /// The frame's version.
        frame: u32,
        /// The type.
        key: u32,
        /// Its version.
        version: u32,
    },
    /// The type is known, its bytes are not of that type.
    #[error("remote log record")]
    Record(#[from] DecodeError),
}

/// A record of `__remote_log_metadata`.
#[derive(Clone, Debug, PartialEq)]
pub enum RemoteLogRecord {
    /// Type 0.
    Segment(RemoteLogSegmentMetadataRecord),
    /// Type 1.
    SegmentUpdate(RemoteLogSegmentMetadataUpdateRecord),
    /// Type 2.
    PartitionDelete(RemotePartitionDeleteMetadataRecord),
}

impl RemoteLogRecord {
    /// The record's value.
    ///
    /// # Errors
    /// If a string or array is longer than its length field can say.
    pub fn encode(&self) -> Result<Bytes, EncodeError> {
        let size = SizeCounter::of(|counter| self.write(counter))?;
        let mut out = BytesMut::with_capacity(size);
        self.write(&mut out)?;
        Ok(out.freeze())
    }

    fn write<S: Sink>(&self, out: &mut S) -> Result<(), EncodeError> {
        match self {
            Self::Segment(record) => write(record, out),
            Self::SegmentUpdate(record) => write(record, out),
            Self::PartitionDelete(record) => write(record, out),
        }
    }

    /// The record of a value. Bytes after the fields are ignored, as in Kafka.
    ///
    /// # Errors
    /// If it is no record of a known type and version.
    pub fn decode(mut value: Bytes) -> Result<Self, ParseError> {
        let mut varint = || read_unsigned_varint(&mut value).map_err(ParseError::Frame);
        let (frame, key, version) = (varint()?, varint()?, varint()?);
        let unknown = ParseError::Unknown { frame, key, version };
        if (frame, version) != (FRAME_VERSION, VERSION) {
            return Err(unknown);
        }
        match i16::try_from(key) {
            Ok(RemoteLogSegmentMetadataRecord::KEY) => Ok(Self::Segment(Schema::decode(0, &mut value)?)),
            Ok(RemoteLogSegmentMetadataUpdateRecord::KEY) => Ok(Self::SegmentUpdate(Schema::decode(0, &mut value)?)),
            Ok(RemotePartitionDeleteMetadataRecord::KEY) => Ok(Self::PartitionDelete(Schema::decode(0, &mut value)?)),
            _ => Err(unknown),
        }
    }
}

fn write<M: Schema, S: Sink>(message: &M, out: &mut S) -> Result<(), EncodeError> {
    write_unsigned_varint(FRAME_VERSION, out);
    write_unsigned_varint(M::KEY.unsigned_abs().into(), out);
    write_unsigned_varint(VERSION, out);
    message.encode(0, out)
}
