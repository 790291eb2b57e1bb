//! Frames: a big-endian size of four bytes, then that many bytes.
//!
//! The limit depends on the API, so the key is looked at before the rest is waited for: only Produce carries
//! data, and nothing else needs megabytes.

use bytes::{Buf, Bytes, BytesMut};
use thiserror::Error;

const SIZE_FIELD: usize = 4;
const PRODUCE_KEY: i16 = 0;

/// Largest payloads, in bytes, without the size field.
#[derive(Clone, Copy, Debug)]
pub struct FrameLimits {
    /// For Produce: `socket.request.max.bytes`.
    pub produce: usize,
    /// For every other API.
    pub other: usize,
}

#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum FrameError {
    #[error("Invalid receive (size = {size})")]
    NegativeSize { size: i32 },
    #[error("Invalid receive (size = {size} larger than {limit})")]
    TooLarge { size: usize, limit: usize },
    #[error("Invalid receive (size = {size} holds no request header)")]
    TooSmall { size: usize },
}

/// The payload size that `buffer` begins with, checked against `limits`; `None` until enough of the frame has
/// arrived to tell (the size field and, above the smaller limit, the API key).
///
/// # Errors
/// A size that no request may have: the connection must be closed.
pub fn declared_size(buffer: &[u8], limits: &FrameLimits) -> Result<Option<usize>, FrameError> {
    let Some(field) = buffer.first_chunk::<SIZE_FIELD>() else {
        return Ok(None);
    };
    let declared = i32::from_be_bytes(*field);
    let size = usize::try_from(declared).map_err(|_| FrameError::NegativeSize { size: declared })?;
    if size < 8 {
        return Err(FrameError::TooSmall { size });
    }
    if size <= limits.other.min(limits.produce) {
        return Ok(Some(size));
    }
    if size > limits.other.max(limits.produce) {
        return Err(too_large(size, limits.produce.max(limits.other)));
    }
    let Some(key) = buffer[SIZE_FIELD..].first_chunk::<2>() else {
        return Ok(None);
    };
    let limit = match i16::from_be_bytes(*key) {
        PRODUCE_KEY => limits.produce,
        _ => limits.other,
    };
    if size > limit {
        return Err(too_large(size, limit));
    }
    Ok(Some(size))
}

fn too_large(size: usize, limit: usize) -> FrameError {
    FrameError::TooLarge { size, limit }
}

/// Takes one whole frame's payload from the front of `buffer`; `None` until it has arrived.
///
/// # Errors
/// As [`declared_size`].
pub fn split(buffer: &mut BytesMut, limits: &FrameLimits) -> Result<Option<Bytes>, FrameError> {
    let Some(size) = declared_size(buffer, limits)? else {
        return Ok(None);
    };
    if buffer.len() < SIZE_FIELD + size {
        return Ok(None);
    }
    buffer.advance(SIZE_FIELD);
    Ok(Some(buffer.split_to(size).freeze()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: FrameLimits = FrameLimits { produce: 1000, other: 100 };

    fn frame(size: i32, key: i16, present: usize) -> BytesMut {
        let mut buffer = BytesMut::from(&size.to_be_bytes()[..]);
        buffer.extend_from_slice(&key.to_be_bytes());
        buffer.resize(SIZE_FIELD + present.max(2), 7);
        buffer
    }

    #[test]
    fn frames_leave_one_by_one() {
        let mut buffer = frame(20, 3, 20);
        buffer.extend_from_slice(&frame(30, 3, 10));
        assert_eq!(split(&mut buffer, &LIMITS).unwrap().unwrap().len(), 20);
        assert_eq!(split(&mut buffer, &LIMITS), Ok(None));
        assert_eq!(buffer.len(), 14, "an unfinished frame stays whole");
    }

    #[test]
    fn only_produce_may_be_large() {
        assert_eq!(declared_size(&frame(1000, 0, 2), &LIMITS), Ok(Some(1000)));
        assert_eq!(declared_size(&1000i32.to_be_bytes(), &LIMITS), Ok(None));
        assert_eq!(declared_size(&frame(101, 3, 2), &LIMITS), Err(FrameError::TooLarge { size: 101, limit: 100 }));
        assert_eq!(declared_size(&frame(1001, 0, 2), &LIMITS), Err(FrameError::TooLarge { size: 1001, limit: 1000 }));
    }

    #[test]
    fn sizes_of_strangers_are_refused_at_once() {
        assert!(declared_size(&(-1i32).to_be_bytes(), &LIMITS).is_err());
        assert!(declared_size(&0i32.to_be_bytes(), &LIMITS).is_err());
        assert!(declared_size(b"GET ", &LIMITS).is_err());
        assert!(declared_size(&i32::MAX.to_be_bytes(), &LIMITS).is_err());
    }
}
