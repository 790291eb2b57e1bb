//! Where encoders write to: a buffer, or a counter, so that a size is what the encoder itself writes.

use super::EncodeError;
use bytes::BufMut;

/// Takes the bytes of an encoder. Every [`BufMut`] is one.
pub trait Sink {
    /// Appends `bytes`.
    fn put(&mut self, bytes: &[u8]);
}

impl<B: BufMut> Sink for B {
    fn put(&mut self, bytes: &[u8]) {
        self.put_slice(bytes);
    }
}

/// Counts bytes and keeps none of them.
#[derive(Debug, Default)]
pub struct SizeCounter(usize);

impl SizeCounter {
    /// The bytes that `encode` writes.
    ///
    /// # Errors
    /// That of `encode`.
    pub fn of(encode: impl FnOnce(&mut Self) -> Result<(), EncodeError>) -> Result<usize, EncodeError> {
        let mut counter = Self(0);
        encode(&mut counter)?;
        Ok(counter.0)
    }
}

impl Sink for SizeCounter {
    fn put(&mut self, bytes: &[u8]) {
        self.0 += bytes.len();
    }
}
