//! Records inside a batch (`DefaultRecord`): a walk that skips keys and values, and one that yields them.
//!
//! ```text
//! size │ attributes │ timestamp delta │ offset delta │ key size, key │ value size, value │ header count, headers
//! varint  1 byte      varlong           varint         varint          varint              varint
//! ```

use std::io::{self, Read};

use bytes::{Buf, Bytes};
use thiserror::Error;

use super::{BatchError, BatchHeader, Codec, HEADER_SIZE, decompressor};

/// Bytes that are no record.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum RecordError {
    #[error("Incorrect declared batch size, premature EOF reached")]
    PrematureEnd,
    #[error("Incorrect declared batch size, records still remaining in file")]
    Remaining,
    #[error(
        "Invalid record size: expected {size} bytes in record payload, but instead the buffer has only {remaining} remaining bytes."
    )]
    Truncated { size: usize, remaining: usize },
    #[error("Invalid record size: expected to read {size} bytes in record payload, but instead read {read}")]
    Size { size: u64, read: u64 },
    #[error("Found invalid record size {0}")]
    NegativeSize(i32),
    #[error("Found invalid number of record headers {0}")]
    HeaderCount(i32),
    #[error("Invalid negative header key size {0}")]
    HeaderKey(i32),
    #[error("The header key is not UTF-8")]
    HeaderKeyText,
    #[error("Varint is too long")]
    Varint,
    #[error("The compressed records cannot be read: {0}")]
    Decompress(String),
    #[error("The records are larger than {limit} bytes once decompressed")]
    Expanded { limit: u64 },
}

/// What the walk learns of a record without looking at its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) timestamp_delta: i64,
    pub(super) offset_delta: i32,
    /// Negative: null.
    pub(super) key_size: i32,
    pub(super) value_size: i32,
}

/// Where the walk takes its bytes from.
pub(super) trait Source {
    fn byte(&mut self) -> Result<u8, RecordError>;
    fn skip(&mut self, count: usize) -> Result<(), RecordError>;
    /// Bytes taken so far.
    fn taken(&self) -> u64;
    /// Fails early if a record of `size` bytes cannot be there.
    fn expect(&self, size: usize) -> Result<(), RecordError>;
    fn is_at_end(&mut self) -> Result<bool, RecordError>;
}

/// Records that lie in memory as they are.
pub(super) struct SliceSource<'a> {
    bytes: &'a [u8],
    length: usize,
}

impl<'a> SliceSource<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, length: bytes.len() }
    }

    /// What was not taken yet.
    pub(super) fn remaining(&self) -> &'a [u8] {
        self.bytes
    }

    /// A size and so many bytes; `None` for a negative size.
    #[inline]
    pub(super) fn field(&mut self) -> Result<Option<&'a [u8]>, RecordError> {
        let Ok(size) = usize::try_from(get_varint(self)?) else { return Ok(None) };
        let (field, rest) = self.bytes.split_at_checked(size).ok_or(RecordError::PrematureEnd)?;
        self.bytes = rest;
        Ok(Some(field))
    }
}

impl Source for SliceSource<'_> {
    #[inline]
    fn byte(&mut self) -> Result<u8, RecordError> {
        let (first, rest) = self.bytes.split_first().ok_or(RecordError::PrematureEnd)?;
        self.bytes = rest;
        Ok(*first)
    }

    #[inline]
    fn skip(&mut self, count: usize) -> Result<(), RecordError> {
        self.bytes = self.bytes.get(count..).ok_or(RecordError::PrematureEnd)?;
        Ok(())
    }

    #[inline]
    fn taken(&self) -> u64 {
        (self.length - self.bytes.len()) as u64
    }

    #[inline]
    fn expect(&self, size: usize) -> Result<(), RecordError> {
        let remaining = self.bytes.len();
        if remaining < size {
            return Err(RecordError::Truncated { size, remaining });
        }
        Ok(())
    }

    fn is_at_end(&mut self) -> Result<bool, RecordError> {
        Ok(self.bytes.is_empty())
    }
}

const STREAM_BUFFER: usize = 16 * 1024;

/// Records that come out of a decoder: a fixed buffer, and a limit on what the decoder may yield.
pub(super) struct StreamSource<'a> {
    decoder: Box<dyn Read + 'a>,
    buffer: Box<[u8]>,
    position: usize,
    filled: usize,
    taken: u64,
    limit: u64,
}

impl<'a> StreamSource<'a> {
    pub(super) fn new(codec: Codec, bytes: &'a [u8], limit: u64) -> Result<Self, RecordError> {
        Ok(Self {
            decoder: decompressor(codec, bytes).map_err(undecodable)?,
            buffer: vec![0; STREAM_BUFFER].into_boxed_slice(),
            position: 0,
            filled: 0,
            taken: 0,
            limit,
        })
    }

    /// True if there is at least one more byte in the buffer.
    fn fill(&mut self) -> Result<bool, RecordError> {
        if self.position < self.filled {
            return Ok(true);
        }
        if self.taken > self.limit {
            return Err(RecordError::Expanded { limit: self.limit });
        }
        self.position = 0;
        self.filled = loop {
            match self.decoder.read(&mut self.buffer) {
                Ok(count) => break count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(undecodable(error)),
            }
        };
        Ok(self.filled > 0)
    }
}

fn undecodable(error: io::Error) -> RecordError {
    RecordError::Decompress(error.to_string())
}

impl Source for StreamSource<'_> {
    #[inline]
    fn byte(&mut self) -> Result<u8, RecordError> {
        if self.position == self.filled && !self.fill()? {
            return Err(RecordError::PrematureEnd);
        }
        let byte = self.buffer[self.position];
        self.position += 1;
        self.taken += 1;
        Ok(byte)
    }

    fn skip(&mut self, count: usize) -> Result<(), RecordError> {
        let mut left = count;
        while left > 0 {
            if !self.fill()? {
                return Err(RecordError::PrematureEnd);
            }
            let step = left.min(self.filled - self.position);
            self.position += step;
            self.taken += step as u64;
            left -= step;
        }
        Ok(())
    }

    fn taken(&self) -> u64 {
        self.taken
    }

    fn expect(&self, size: usize) -> Result<(), RecordError> {
        let remaining = self.limit.saturating_sub(self.taken);
        if size as u64 > remaining {
            return Err(RecordError::Truncated { size, remaining: usize::try_from(remaining).unwrap_or(usize::MAX) });
        }
        Ok(())
    }

    fn is_at_end(&mut self) -> Result<bool, RecordError> {
        Ok(!self.fill()?)
    }
}

/// Walks over one record. Every length is checked; nothing is copied or allocated.
pub(super) fn walk(source: &mut impl Source) -> Result<Shape, RecordError> {
    let declared = get_varint(source)?;
    let size = usize::try_from(declared).map_err(|_| RecordError::NegativeSize(declared))?;
    source.expect(size)?;
    let start = source.taken();
    source.byte()?; // attributes: unused in this format
    let timestamp_delta = get_varlong(source)?;
    let offset_delta = get_varint(source)?;
    let key_size = get_varint(source)?;
    skip_field(source, key_size)?;
    let value_size = get_varint(source)?;
    skip_field(source, value_size)?;
    skip_headers(source)?;
    let read = source.taken() - start;
    if read != size as u64 {
        return Err(RecordError::Size { size: size as u64, read });
    }
    Ok(Shape { timestamp_delta, offset_delta, key_size, value_size })
}

/// A negative size is null.
#[inline]
fn skip_field(source: &mut impl Source, size: i32) -> Result<(), RecordError> {
    match usize::try_from(size) {
        Ok(size) => source.skip(size),
        Err(_) => Ok(()),
    }
}

fn skip_headers(source: &mut impl Source) -> Result<(), RecordError> {
    let count = get_varint(source)?;
    if count < 0 {
        return Err(RecordError::HeaderCount(count));
    }
    for _ in 0..count {
        let key_size = get_varint(source)?;
        let size = usize::try_from(key_size).map_err(|_| RecordError::HeaderKey(key_size))?;
        source.skip(size)?;
        let value_size = get_varint(source)?;
        skip_field(source, value_size)?;
    }
    Ok(())
}

/// Zigzag, at most five bytes (`ByteUtils.readVarint`).
#[inline]
pub(super) fn get_varint(source: &mut impl Source) -> Result<i32, RecordError> {
    let mut value = 0u32;
    for shift in [0, 7, 14, 21, 28] {
        let byte = source.byte()?;
        value |= u32::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok((value >> 1) as i32 ^ -((value & 1) as i32));
        }
    }
    Err(RecordError::Varint)
}

/// Zigzag, at most ten bytes (`ByteUtils.readVarlong`).
#[inline]
pub(super) fn get_varlong(source: &mut impl Source) -> Result<i64, RecordError> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = source.byte()?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok((value >> 1) as i64 ^ -((value & 1) as i64));
        }
    }
    Err(RecordError::Varint)
}

/// A header of a record. Keys may repeat; order is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    pub key: Bytes,
    pub value: Option<Bytes>,
}

/// One record with its content, as slices of the batch or of its decompressed records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub offset: i64,
    /// Milliseconds since the epoch, or [`super::NO_TIMESTAMP`].
    pub timestamp: i64,
    pub key: Option<Bytes>,
    pub value: Option<Bytes>,
    pub headers: Vec<Header>,
}

/// Iterates over the records of one batch; ends after the first error.
pub struct Records {
    header: BatchHeader,
    payload: Bytes,
    left: i32,
}

impl Records {
    /// Opens `batch`, one whole batch with its header. Compressed records are decoded into memory, at most
    /// `limit` bytes of them.
    ///
    /// # Errors
    /// No such batch, an unknown codec, undecodable records, or more of them than `limit`.
    pub fn open(batch: &Bytes, limit: usize) -> Result<Self, BatchError> {
        let header = BatchHeader::read(batch)?;
        if batch.len() < header.size() {
            return Err(BatchError::Short(batch.len()));
        }
        let stored = batch.slice(HEADER_SIZE..header.size());
        let payload = match header.attributes.codec()? {
            Codec::None => stored,
            codec => decompress(codec, &stored, limit)?,
        };
        Ok(Self { header, payload, left: header.record_count })
    }

    fn next_record(&mut self) -> Result<Record, RecordError> {
        let shape = walk(&mut SliceSource::new(&self.payload))?;
        let bytes = &mut self.payload;
        // The walk has checked every length of this record, so none of these can fail.
        let mut source = BytesSource(bytes);
        get_varint(&mut source)?;
        source.byte()?;
        get_varlong(&mut source)?;
        get_varint(&mut source)?;
        let key = source.field()?;
        let value = source.field()?;
        let count = get_varint(&mut source)?;
        let mut headers = Vec::new();
        for _ in 0..count {
            let key = source.field()?.unwrap_or_default();
            let value = source.field()?;
            headers.push(Header { key, value });
        }
        Ok(Record {
            offset: self.header.base_offset.wrapping_add(i64::from(shape.offset_delta)),
            timestamp: self.header.record_timestamp(shape.timestamp_delta),
            key,
            value,
            headers,
        })
    }
}

impl Iterator for Records {
    type Item = Result<Record, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left <= 0 {
            return None;
        }
        self.left -= 1;
        let record = self.next_record();
        if record.is_err() {
            self.left = 0;
        }
        Some(record)
    }
}

/// A source that can also cut slices out.
struct BytesSource<'a>(&'a mut Bytes);

impl BytesSource<'_> {
    fn field(&mut self) -> Result<Option<Bytes>, RecordError> {
        let Ok(size) = usize::try_from(get_varint(self)?) else {
            return Ok(None);
        };
        if self.0.len() < size {
            return Err(RecordError::PrematureEnd);
        }
        Ok(Some(self.0.split_to(size)))
    }
}

impl Source for BytesSource<'_> {
    fn byte(&mut self) -> Result<u8, RecordError> {
        self.0.try_get_u8().map_err(|_| RecordError::PrematureEnd)
    }

    fn skip(&mut self, count: usize) -> Result<(), RecordError> {
        if self.0.len() < count {
            return Err(RecordError::PrematureEnd);
        }
        self.0.advance(count);
        Ok(())
    }

    fn taken(&self) -> u64 {
        0
    }

    fn expect(&self, _size: usize) -> Result<(), RecordError> {
        Ok(())
    }

    fn is_at_end(&mut self) -> Result<bool, RecordError> {
        Ok(self.0.is_empty())
    }
}

pub(super) fn decompress(codec: Codec, bytes: &[u8], limit: usize) -> Result<Bytes, RecordError> {
    let mut out = Vec::new();
    decompress_into(codec, bytes, limit, &mut out)?;
    Ok(out.into())
}

/// Replaces what is in `out` by the decompressed bytes.
pub(super) fn decompress_into(codec: Codec, bytes: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), RecordError> {
    out.clear();
    decompressor(codec, bytes).map_err(undecodable)?.take(limit as u64 + 1).read_to_end(out).map_err(undecodable)?;
    if out.len() > limit {
        return Err(RecordError::Expanded { limit: limit as u64 });
    }
    Ok(())
}
