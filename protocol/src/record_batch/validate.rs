//! Every check of a produced batch that needs no cluster state, in Kafka's order.
//!
//! Sources: `ProduceRequest.validateRecords`, `ByteBufferLogInputStream`,
//! `UnifiedLog.analyzeAndValidateRecords`, `LogValidator`. What is answered matters: clients retry
//! CORRUPT_MESSAGE for ever, so it is kept for damage, never for a batch that can never become valid.

use bytes::Bytes;

use super::rebuild::rebuild;
use super::record::{Shape, SliceSource, Source, StreamSource, walk};
use super::{
    BatchError, BatchHeader, Codec, HEADER_SIZE, LOG_OVERHEAD, MAGIC, NO_TIMESTAMP, RecordError, TimestampType,
    check_crc, compute_crc,
};
use crate::ids::TopicPartition;

/// First Produce version that may carry zstd (KIP-110).
const FIRST_ZSTD_VERSION: i16 = 7;
/// Smallest length field of any format: the overhead of a record of message format 0.
const MIN_RECORD_OVERHEAD: i32 = 14;
/// Length field, epoch and magic: without them the bytes hold no batch.
const HEADER_UP_TO_MAGIC: usize = 17;
const CRC_POSITION: usize = HEADER_UP_TO_MAGIC;
/// As many record errors as Kafka's message lists.
const SHOWN_ERRORS: usize = 3;
/// As many as are kept: a compressed batch may hold millions of bad records.
const KEPT_ERRORS: usize = 1000;
/// Most bytes of records that are held in memory to write a batch anew.
const MAX_REBUILT: usize = 64 << 20;

/// What a topic demands of a batch.
#[derive(Clone, Copy, Debug)]
pub struct ProduceRules {
    /// Version of the Produce request.
    pub api_version: i16,
    /// `max.message.bytes`: largest whole batch, header included.
    pub max_message_bytes: usize,
    /// `segment.bytes`.
    pub segment_bytes: usize,
    /// `message.timestamp.type`.
    pub timestamp_type: TimestampType,
    /// `message.timestamp.before.max.ms`: how far a timestamp may lie in the past.
    pub before_max_ms: i64,
    /// `message.timestamp.after.max.ms`: how far in the future.
    pub after_max_ms: i64,
    /// `cleanup.policy` contains `compact`: every record needs a key.
    pub compacted: bool,
    /// `compression.type`; `None` keeps the producer's.
    pub codec: Option<Codec>,
}

/// Why a batch is refused; each reason is one Kafka error code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidReason {
    /// Damaged on the way: sending it again may help.
    Corrupt,
    /// Can never become valid.
    InvalidRecord,
    InvalidTimestamp,
    MessageTooLarge,
    RecordListTooLarge,
    UnsupportedCompression,
}

/// A refused batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidBatch {
    pub reason: InvalidReason,
    /// Kafka's text.
    pub message: String,
    /// Index of a record in the batch, and what is wrong with it; the first thousand at most. Only if there are any
    /// does Kafka send `message` to the client.
    pub record_errors: Vec<(i32, String)>,
}

impl InvalidBatch {
    fn new(reason: InvalidReason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), record_errors: Vec::new() }
    }
}

impl From<BatchError> for InvalidBatch {
    fn from(error: BatchError) -> Self {
        let reason = match error {
            BatchError::Short(_) | BatchError::Length(_) | BatchError::Magic(_) => InvalidReason::Corrupt,
            BatchError::Crc { .. } => InvalidReason::Corrupt,
            // The producer can split such a batch, as it does when the compressed size is too large.
            BatchError::Record(RecordError::Expanded { .. }) => InvalidReason::MessageTooLarge,
            BatchError::UnknownCodec(_) | BatchError::Record(_) => InvalidReason::InvalidRecord,
        };
        Self::new(reason, error.to_string())
    }
}

impl From<RecordError> for InvalidBatch {
    fn from(error: RecordError) -> Self {
        BatchError::from(error).into()
    }
}

/// A batch that may be appended.
#[derive(Clone, Debug)]
pub struct ValidatedBatch {
    /// The header to write; the log still assigns base offset and leader epoch, both outside the CRC.
    pub header: BatchHeader,
    /// The whole batch as sent or rebuilt; its first 61 bytes may differ from `header` where a
    /// timestamp was set.
    pub bytes: Bytes,
}

impl ValidatedBatch {
    /// Takes a batch of our own making as it is: nothing is checked but the header.
    ///
    /// # Errors
    /// The bytes are not exactly one batch.
    pub fn trusted(bytes: Bytes) -> Result<Self, BatchError> {
        let header = BatchHeader::read(&bytes)?;
        if header.size() != bytes.len() {
            return Err(BatchError::Short(bytes.len()));
        }
        Ok(Self { header, bytes })
    }

    /// The bytes after the header.
    pub fn records(&self) -> &[u8] {
        self.bytes.get(HEADER_SIZE..).unwrap_or_default()
    }
}

/// The most bytes that the compressed records of a batch may expand to: a thousand times their size, but at least
/// 16 MiB and at most 256 MiB. What lies beyond is an attack on the CPU.
pub fn expansion_limit(compressed: usize) -> usize {
    compressed.saturating_mul(1024).clamp(16 << 20, 256 << 20)
}

/// Checks the records that a Produce request has for one partition, and makes them ready to append.
///
/// The common case, an uncompressed batch whose header tells the truth, allocates nothing and reads the
/// bytes twice: once for the CRC, once to walk the records.
///
/// # Errors
/// The first check that fails, with Kafka's message.
pub fn validate(
    records: Bytes,
    rules: &ProduceRules,
    partition: &TopicPartition,
    now_ms: i64,
) -> Result<ValidatedBatch, InvalidBatch> {
    let batch = single_batch(records, rules.api_version)?;
    let header = check_envelope(&batch, rules, partition)?;
    let source_codec = header.attributes.codec()?;
    check_counts(&header, partition)?;
    let target_codec = rules.codec.unwrap_or(source_codec);
    let inspector = Inspector {
        header: &header,
        rules,
        partition,
        now_ms,
        skips_content: source_codec != Codec::None && source_codec == target_codec,
        errors: Vec::new(),
        error_count: 0,
    };
    let summary = inspector.inspect(&batch, source_codec)?;
    let log_append_time = (rules.timestamp_type == TimestampType::LogAppendTime).then_some(now_ms);
    let in_order = summary.consecutive || source_codec == Codec::None;
    let validated = if target_codec == source_codec && in_order {
        patch_timestamps(batch, header, log_append_time, summary.max_timestamp)
    } else {
        let limit = expansion_limit(batch.len()).min(MAX_REBUILT);
        let rebuilt = rebuild(&batch, target_codec, log_append_time, limit)?;
        check_rebuilt_size(rebuilt.len(), rules, partition)?;
        ValidatedBatch::trusted(rebuilt)?
    };
    if validated.bytes.len() > rules.segment_bytes {
        let message = format!(
            "Message batch size is {} bytes in append to partition {partition}, which exceeds the maximum \
             configured segment size of {}.",
            validated.bytes.len(),
            rules.segment_bytes
        );
        return Err(InvalidBatch::new(InvalidReason::RecordListTooLarge, message));
    }
    Ok(validated)
}

/// Exactly one whole batch of format 2. Unfinished bytes after it are no second batch, and are dropped.
fn single_batch(records: Bytes, api_version: i16) -> Result<Bytes, InvalidBatch> {
    let invalid = |text: &str| {
        let message = format!("Produce requests with version {api_version} {text}");
        InvalidBatch::new(InvalidReason::InvalidRecord, message)
    };
    let Some(size) = batch_size(&records)? else {
        return Err(invalid("must have at least one record batch per partition"));
    };
    let magic = records[HEADER_UP_TO_MAGIC - 1] as i8;
    if magic != MAGIC {
        return Err(invalid("are only allowed to contain record batches with magic version 2"));
    }
    if let Some(attributes) = records.get(21..23)
        && api_version < FIRST_ZSTD_VERSION
        && i16::from(attributes[1]) & 0x07 == Codec::Zstd.id()
    {
        let mut error = invalid("are not allowed to use ZStandard compression");
        error.reason = InvalidReason::UnsupportedCompression;
        return Err(error);
    }
    if batch_size(&records[size..])?.is_some() {
        return Err(invalid("are only allowed to contain exactly one record batch per partition"));
    }
    Ok(records.slice(..size))
}

/// Size of the batch at the front of `bytes`, `None` if it is not whole (`ByteBufferLogInputStream`).
fn batch_size(bytes: &[u8]) -> Result<Option<usize>, InvalidBatch> {
    let Some(length) = bytes.get(8..LOG_OVERHEAD) else {
        return Ok(None);
    };
    let length = i32::from_be_bytes([length[0], length[1], length[2], length[3]]);
    if length < MIN_RECORD_OVERHEAD {
        return Err(BatchError::Length(length).into());
    }
    let Some(magic) = bytes.get(HEADER_UP_TO_MAGIC - 1) else {
        return Ok(None);
    };
    if !(0..=MAGIC).contains(&(*magic as i8)) {
        return Err(BatchError::Magic(*magic as i8).into());
    }
    let size = LOG_OVERHEAD + usize::try_from(length).unwrap_or(0);
    Ok((size <= bytes.len()).then_some(size))
}

/// `UnifiedLog.analyzeAndValidateRecords`: base offset, size, CRC.
fn check_envelope(
    batch: &Bytes,
    rules: &ProduceRules,
    partition: &TopicPartition,
) -> Result<BatchHeader, InvalidBatch> {
    let Ok(header) = BatchHeader::read(batch) else {
        // Framed as a batch, too short to be one: Kafka calls it by the CRC that it cannot have.
        let stored = batch
            .get(CRC_POSITION..)
            .and_then(|bytes| bytes.first_chunk())
            .map_or(0, |bytes| u32::from_be_bytes(*bytes));
        return Err(corrupt(stored, partition));
    };
    if header.base_offset != 0 {
        let message = format!(
            "The baseOffset of the record batch in the append to {partition} should be 0, but it is {}",
            header.base_offset
        );
        return Err(InvalidBatch::new(InvalidReason::InvalidRecord, message));
    }
    check_size(batch.len(), rules, partition)?;
    check_crc(batch).map_err(|_| corrupt(header.crc, partition))?;
    Ok(header)
}

fn corrupt(stored_crc: u32, partition: &TopicPartition) -> InvalidBatch {
    let message = format!("Record is corrupt (stored crc = {stored_crc}) in topic partition {partition}.");
    InvalidBatch::new(InvalidReason::Corrupt, message)
}

fn check_size(size: usize, rules: &ProduceRules, partition: &TopicPartition) -> Result<(), InvalidBatch> {
    if size <= rules.max_message_bytes {
        return Ok(());
    }
    let message = format!(
        "The record batch size in the append to {partition} is {size} bytes which exceeds the maximum \
         configured value of {}).",
        rules.max_message_bytes
    );
    Err(InvalidBatch::new(InvalidReason::MessageTooLarge, message))
}

fn check_rebuilt_size(size: usize, rules: &ProduceRules, partition: &TopicPartition) -> Result<(), InvalidBatch> {
    if size <= rules.max_message_bytes {
        return Ok(());
    }
    let message = format!(
        "Message batch size is {size} bytes in append topartition {partition} which exceeds the maximum \
         configured size of {}.",
        rules.max_message_bytes
    );
    Err(InvalidBatch::new(InvalidReason::MessageTooLarge, message))
}

/// `LogValidator.validateBatch`: offsets are derived from these numbers, so they must agree.
fn check_counts(header: &BatchHeader, partition: &TopicPartition) -> Result<(), InvalidBatch> {
    let invalid = |what: String| {
        let message = format!("{what} in topic partition {partition}");
        Err(InvalidBatch::new(InvalidReason::InvalidRecord, message))
    };
    let (base, last) = (header.base_offset, header.last_offset());
    let count = header.record_count;
    if last < base {
        return invalid(format!("Batch has an invalid offset range: [{base}, {last}]"));
    }
    if count <= 0 {
        return invalid(format!("Invalid reported count for record batch: {count}"));
    }
    if last - base + 1 != i64::from(count) {
        return invalid(format!("Inconsistent batch offset range [{base}, {last}] and count of records {count}"));
    }
    if header.attributes.is_control() {
        return invalid("Clients are not allowed to write control records".to_owned());
    }
    if header.has_producer_id() && header.base_sequence < 0 {
        return invalid(format!(
            "Invalid sequence number {} in record batch with producerId {}",
            header.base_sequence, header.producer_id
        ));
    }
    Ok(())
}

/// What the walk over all records found.
struct Summary {
    max_timestamp: i64,
    /// Offset deltas are 0, 1, 2, …
    consecutive: bool,
}

/// Looks at every record (`LogValidator.validateRecord`).
struct Inspector<'a> {
    header: &'a BatchHeader,
    rules: &'a ProduceRules,
    partition: &'a TopicPartition,
    now_ms: i64,
    /// Kafka would read the records without their content, and says so in its messages.
    skips_content: bool,
    /// The first of them.
    errors: Vec<RecordFault>,
    error_count: usize,
}

struct RecordFault {
    index: i32,
    reason: InvalidReason,
    message: String,
}

impl Inspector<'_> {
    fn inspect(self, batch: &Bytes, codec: Codec) -> Result<Summary, InvalidBatch> {
        let records = &batch[HEADER_SIZE..];
        match codec {
            Codec::None => self.walk_all(&mut SliceSource::new(records)),
            codec => {
                let limit = expansion_limit(records.len()) as u64;
                self.walk_all(&mut StreamSource::new(codec, records, limit)?)
            }
        }
    }

    fn walk_all(mut self, source: &mut impl Source) -> Result<Summary, InvalidBatch> {
        let mut summary = Summary { max_timestamp: NO_TIMESTAMP, consecutive: true };
        for index in 0..self.header.record_count {
            let shape = walk(source)?;
            let timestamp = self.timestamp(&shape);
            self.check(index, &shape, timestamp);
            summary.max_timestamp = summary.max_timestamp.max(timestamp);
            summary.consecutive &= shape.offset_delta == index;
        }
        if !source.is_at_end()? {
            return Err(RecordError::Remaining.into());
        }
        if self.error_count == 0 { Ok(summary) } else { Err(self.refuse()) }
    }

    #[inline]
    fn timestamp(&self, shape: &Shape) -> i64 {
        match self.header.attributes.timestamp_type() {
            TimestampType::CreateTime => self.header.base_timestamp.wrapping_add(shape.timestamp_delta),
            TimestampType::LogAppendTime => self.header.max_timestamp,
        }
    }

    #[inline]
    fn check(&mut self, index: i32, shape: &Shape, timestamp: i64) {
        if self.rules.compacted && shape.key_size < 0 {
            self.fault(index, InvalidReason::InvalidRecord, |inspector| {
                let partition = inspector.partition;
                format!("Compacted topic cannot accept message without key in topic partition {partition}")
            });
        } else if self.rules.timestamp_type == TimestampType::CreateTime && timestamp != NO_TIMESTAMP {
            self.check_range(index, shape, timestamp);
        } else if self.header.attributes.timestamp_type() == TimestampType::LogAppendTime {
            self.fault(index, InvalidReason::InvalidTimestamp, |inspector| {
                format!(
                    "Invalid timestamp type in message {}DefaultRecord(offset={}, timestamp={timestamp}, key={} bytes, \
                     value={} bytes). Producer should not set timestamp type to LogAppendTime.",
                    if inspector.skips_content { "Partial" } else { "" },
                    shape.offset_delta,
                    shape.key_size.max(0),
                    shape.value_size.max(0),
                )
            });
        }
    }

    #[inline]
    fn check_range(&mut self, index: i32, shape: &Shape, timestamp: i64) {
        let rules = self.rules;
        let age = self.now_ms.saturating_sub(timestamp);
        if age <= rules.before_max_ms && age.saturating_neg() <= rules.after_max_ms {
            return;
        }
        self.fault(index, InvalidReason::InvalidTimestamp, |inspector| {
            format!(
                "Timestamp {timestamp} of message with offset {} is out of range. The timestamp should be within \
                 [{}, {}]",
                shape.offset_delta,
                inspector.now_ms.wrapping_sub(rules.before_max_ms),
                inspector.now_ms.wrapping_add(rules.after_max_ms),
            )
        });
    }

    #[cold]
    fn fault(&mut self, index: i32, reason: InvalidReason, message: impl FnOnce(&Self) -> String) {
        self.error_count += 1;
        if self.errors.len() < KEPT_ERRORS {
            let message = message(self);
            self.errors.push(RecordFault { index, reason, message });
        }
    }

    /// `LogValidator.processRecordErrors`: one bad timestamp decides the code of the batch.
    fn refuse(self) -> InvalidBatch {
        let by_time = self.errors.iter().any(|fault| fault.reason == InvalidReason::InvalidTimestamp);
        let (reason, message) = if by_time {
            let text = "One or more records have been rejected due to invalid timestamp";
            (InvalidReason::InvalidTimestamp, text.to_owned())
        } else {
            let show =
                |fault: &RecordFault| format!("RecordError(batchIndex={}, message='{}')", fault.index, fault.message);
            let shown: Vec<String> = self.errors.iter().take(SHOWN_ERRORS).map(show).collect();
            let text = format!(
                "One or more records have been rejected due to {} record errors in total, and only showing the \
                 first three errors at most: [{}]",
                self.error_count,
                shown.join(", ")
            );
            (InvalidReason::InvalidRecord, text)
        };
        let record_errors = self.errors.into_iter().map(|f| (f.index, f.message));
        InvalidBatch { reason, message, record_errors: record_errors.collect() }
    }
}

/// Sets timestamp type and maximum where they differ; only then is the CRC computed again.
fn patch_timestamps(
    bytes: Bytes,
    mut header: BatchHeader,
    log_append_time: Option<i64>,
    max_timestamp: i64,
) -> ValidatedBatch {
    let (kind, max_timestamp) = match log_append_time {
        Some(now_ms) => (TimestampType::LogAppendTime, now_ms),
        None => (TimestampType::CreateTime, max_timestamp),
    };
    let attributes = header.attributes.with_timestamp_type(kind);
    if attributes != header.attributes || max_timestamp != header.max_timestamp {
        header.attributes = attributes.without_unused_bits();
        header.max_timestamp = max_timestamp;
        header.crc = compute_crc(&header.write(), &bytes[HEADER_SIZE..]);
    }
    ValidatedBatch { header, bytes }
}
