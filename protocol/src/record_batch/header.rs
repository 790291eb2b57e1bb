//! The 61 bytes that every batch begins with (`DefaultRecordBatch`).

use thiserror::Error;

use super::Codec;

/// Size of the header in bytes.
pub const HEADER_SIZE: usize = 61;
/// Base offset and batch length: the bytes that `batch_length` does not count.
pub const LOG_OVERHEAD: usize = 12;
/// Where the bytes covered by the CRC begin.
pub const CRC_START: usize = 21;
/// The magic of the only format served.
pub const MAGIC: i8 = 2;

/// No producer id: neither idempotent nor transactional.
pub const NO_PRODUCER_ID: i64 = -1;
/// No timestamp.
pub const NO_TIMESTAMP: i64 = -1;

const MAGIC_POSITION: usize = 16;
const CRC_POSITION: usize = 17;

const TIMESTAMP_TYPE_BIT: i16 = 0x08;
const TRANSACTIONAL_BIT: i16 = 0x10;
const CONTROL_BIT: i16 = 0x20;
const DELETE_HORIZON_BIT: i16 = 0x40;
const CODEC_MASK: i16 = 0x07;
const USED_BITS: i16 = 0x7f;

/// Bytes that are no batch.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum BatchError {
    #[error("{0} bytes are fewer than a batch header has")]
    Short(usize),
    #[error("Record size {0} is less than the minimum record overhead (14)")]
    Length(i32),
    #[error("Invalid magic found in record: {0}")]
    Magic(i8),
    #[error("Record is corrupt (stored crc = {stored}, computed crc = {computed})")]
    Crc { stored: u32, computed: u32 },
    #[error("Unknown compression type id: {0}")]
    UnknownCodec(i16),
    #[error("{0}")]
    Record(#[from] super::RecordError),
}

/// Which clock a batch's timestamps come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimestampType {
    #[default]
    CreateTime,
    LogAppendTime,
}

/// The batch attributes: codec in bits 0–2, then one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes(pub i16);

impl Attributes {
    /// # Errors
    /// Codec ids 5 to 7 name nothing.
    pub fn codec(self) -> Result<Codec, BatchError> {
        let id = self.0 & CODEC_MASK;
        Codec::from_id(id).ok_or(BatchError::UnknownCodec(id))
    }

    pub fn timestamp_type(self) -> TimestampType {
        if self.0 & TIMESTAMP_TYPE_BIT == 0 { TimestampType::CreateTime } else { TimestampType::LogAppendTime }
    }

    #[must_use]
    pub fn with_timestamp_type(self, kind: TimestampType) -> Self {
        match kind {
            TimestampType::CreateTime => Self(self.0 & !TIMESTAMP_TYPE_BIT),
            TimestampType::LogAppendTime => Self(self.0 | TIMESTAMP_TYPE_BIT),
        }
    }

    #[must_use]
    pub fn with_codec(self, codec: Codec) -> Self {
        Self(self.0 & !CODEC_MASK | codec.id())
    }

    /// What Kafka keeps when it writes the attributes anew.
    #[must_use]
    pub fn without_unused_bits(self) -> Self {
        Self(self.0 & USED_BITS)
    }

    pub fn is_transactional(self) -> bool {
        self.0 & TRANSACTIONAL_BIT != 0
    }

    pub fn is_control(self) -> bool {
        self.0 & CONTROL_BIT != 0
    }

    /// True if the base timestamp is the time from which tombstones may go (KIP-534).
    pub fn has_delete_horizon(self) -> bool {
        self.0 & DELETE_HORIZON_BIT != 0
    }

    #[must_use]
    pub fn with_delete_horizon(self, is_set: bool) -> Self {
        Self(if is_set { self.0 | DELETE_HORIZON_BIT } else { self.0 & !DELETE_HORIZON_BIT })
    }

    #[must_use]
    pub fn transactional(self) -> Self {
        Self(self.0 | TRANSACTIONAL_BIT)
    }

    #[must_use]
    pub fn control(self) -> Self {
        Self(self.0 | CONTROL_BIT)
    }
}

/// A batch's header, each field as it stands in the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    pub base_offset: i64,
    /// Bytes after this field.
    pub batch_length: i32,
    pub partition_leader_epoch: i32,
    pub magic: i8,
    /// CRC-32C of everything from the attributes on.
    pub crc: u32,
    pub attributes: Attributes,
    pub last_offset_delta: i32,
    pub base_timestamp: i64,
    pub max_timestamp: i64,
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub base_sequence: i32,
    pub record_count: i32,
}

impl BatchHeader {
    /// Reads the header at the front of `bytes`. The CRC is not looked at.
    ///
    /// # Errors
    /// Fewer than 61 bytes, a length that no batch of this format has, or another magic.
    pub fn read(bytes: &[u8]) -> Result<Self, BatchError> {
        let head: &[u8; HEADER_SIZE] = bytes.first_chunk().ok_or(BatchError::Short(bytes.len()))?;
        let header = Self::parse(head);
        if header.magic != MAGIC {
            return Err(BatchError::Magic(header.magic));
        }
        if header.batch_length < (HEADER_SIZE - LOG_OVERHEAD) as i32 {
            return Err(BatchError::Length(header.batch_length));
        }
        Ok(header)
    }

    fn parse(head: &[u8; HEADER_SIZE]) -> Self {
        Self {
            base_offset: i64::from_be_bytes(field(head, 0)),
            batch_length: i32::from_be_bytes(field(head, 8)),
            partition_leader_epoch: i32::from_be_bytes(field(head, 12)),
            magic: i8::from_be_bytes(field(head, MAGIC_POSITION)),
            crc: u32::from_be_bytes(field(head, CRC_POSITION)),
            attributes: Attributes(i16::from_be_bytes(field(head, 21))),
            last_offset_delta: i32::from_be_bytes(field(head, 23)),
            base_timestamp: i64::from_be_bytes(field(head, 27)),
            max_timestamp: i64::from_be_bytes(field(head, 35)),
            producer_id: i64::from_be_bytes(field(head, 43)),
            producer_epoch: i16::from_be_bytes(field(head, 51)),
            base_sequence: i32::from_be_bytes(field(head, 53)),
            record_count: i32::from_be_bytes(field(head, 57)),
        }
    }

    /// The header as bytes.
    pub fn write(&self) -> [u8; HEADER_SIZE] {
        let mut head = [0; HEADER_SIZE];
        head[0..8].copy_from_slice(&self.base_offset.to_be_bytes());
        head[8..12].copy_from_slice(&self.batch_length.to_be_bytes());
        head[12..16].copy_from_slice(&self.partition_leader_epoch.to_be_bytes());
        head[16..17].copy_from_slice(&self.magic.to_be_bytes());
        head[17..21].copy_from_slice(&self.crc.to_be_bytes());
        head[21..23].copy_from_slice(&self.attributes.0.to_be_bytes());
        head[23..27].copy_from_slice(&self.last_offset_delta.to_be_bytes());
        head[27..35].copy_from_slice(&self.base_timestamp.to_be_bytes());
        head[35..43].copy_from_slice(&self.max_timestamp.to_be_bytes());
        head[43..51].copy_from_slice(&self.producer_id.to_be_bytes());
        head[51..53].copy_from_slice(&self.producer_epoch.to_be_bytes());
        head[53..57].copy_from_slice(&self.base_sequence.to_be_bytes());
        head[57..61].copy_from_slice(&self.record_count.to_be_bytes());
        head
    }

    /// Bytes of the whole batch, this header included.
    pub fn size(&self) -> usize {
        LOG_OVERHEAD + usize::try_from(self.batch_length).unwrap_or(0)
    }

    /// Offset of the last record (inclusive). Saturates: a base offset near the maximum is a stranger's.
    pub fn last_offset(&self) -> i64 {
        self.base_offset.saturating_add(i64::from(self.last_offset_delta))
    }

    /// Offset after the last record.
    pub fn next_offset(&self) -> i64 {
        self.last_offset().saturating_add(1)
    }

    /// Sequence of the last record; sequences wrap from 2^31 − 1 to 0 (`DefaultRecordBatch.incrementSequence`).
    pub fn last_sequence(&self) -> i32 {
        if self.base_sequence < 0 {
            return self.base_sequence;
        }
        let last = i64::from(self.base_sequence) + i64::from(self.last_offset_delta);
        i32::try_from(last % (i64::from(i32::MAX) + 1)).unwrap_or(i32::MAX)
    }

    /// From when on tombstones and markers in it may go, in ms since the epoch; `None` before a compaction has said so.
    pub fn delete_horizon_ms(&self) -> Option<i64> {
        self.attributes.has_delete_horizon().then_some(self.base_timestamp)
    }

    /// The timestamp of a record of this batch that has `delta`.
    pub fn record_timestamp(&self, delta: i64) -> i64 {
        match self.attributes.timestamp_type() {
            TimestampType::CreateTime => self.base_timestamp.wrapping_add(delta),
            TimestampType::LogAppendTime => self.max_timestamp,
        }
    }

    pub fn has_producer_id(&self) -> bool {
        self.producer_id > NO_PRODUCER_ID
    }
}

/// The bytes of one field. The offsets are constants below 61, so the slice always has `N` bytes.
fn field<const N: usize>(head: &[u8; HEADER_SIZE], position: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&head[position..position + N]);
    bytes
}

/// CRC-32C that a batch with `head` and the bytes `rest` after it must carry.
pub fn compute_crc(head: &[u8; HEADER_SIZE], rest: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&head[CRC_START..]), rest)
}

/// Checks the CRC of one whole batch.
///
/// # Errors
/// Fewer bytes than a header has, or another CRC than the one stored.
pub fn check_crc(batch: &[u8]) -> Result<(), BatchError> {
    let stored =
        batch.get(CRC_POSITION..).and_then(|bytes| bytes.first_chunk::<4>()).map(|bytes| u32::from_be_bytes(*bytes));
    let (Some(stored), Some(covered)) = (stored, batch.get(CRC_START..)) else {
        return Err(BatchError::Short(batch.len()));
    };
    let computed = crc32c::crc32c(covered);
    if stored == computed { Ok(()) } else { Err(BatchError::Crc { stored, computed }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> BatchHeader {
        BatchHeader {
            base_offset: 1,
            batch_length: 49,
            partition_leader_epoch: 2,
            magic: 2,
            crc: 0xdead_beef,
            attributes: Attributes(0x1c),
            last_offset_delta: 3,
            base_timestamp: 4,
            max_timestamp: 5,
            producer_id: 6,
            producer_epoch: 7,
            base_sequence: i32::MAX - 1,
            record_count: 4,
        }
    }

    #[test]
    fn written_header_reads_back() {
        assert_eq!(BatchHeader::read(&header().write()), Ok(header()));
        assert_eq!(header().size(), 61);
        assert_eq!((header().last_offset(), header().next_offset()), (4, 5));
    }

    #[test]
    fn sequence_wraps_to_zero_after_the_maximum() {
        assert_eq!(header().last_sequence(), 1);
        let plain = BatchHeader { base_sequence: -1, ..header() };
        assert_eq!(plain.last_sequence(), -1);
    }

    #[test]
    fn attributes_name_their_bits() {
        let attributes = header().attributes;
        assert_eq!(attributes.codec(), Ok(Codec::Zstd));
        assert_eq!(attributes.timestamp_type(), TimestampType::LogAppendTime);
        assert!(attributes.is_transactional() && !attributes.is_control());
        assert_eq!(Attributes(7).codec(), Err(BatchError::UnknownCodec(7)));
    }

    #[test]
    fn hostile_headers_are_refused() {
        assert_eq!(BatchHeader::read(&[0; 60]), Err(BatchError::Short(60)));
        let short = BatchHeader { batch_length: 48, ..header() };
        assert_eq!(BatchHeader::read(&short.write()), Err(BatchError::Length(48)));
        let negative = BatchHeader { batch_length: -1, ..header() };
        assert!(BatchHeader::read(&negative.write()).is_err());
        let old = BatchHeader { magic: 1, ..header() };
        assert_eq!(BatchHeader::read(&old.write()), Err(BatchError::Magic(1)));
        let far = BatchHeader { base_offset: i64::MAX, ..header() };
        assert_eq!(far.next_offset(), i64::MAX);
    }
}
