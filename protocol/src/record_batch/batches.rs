//! Batch after batch in a run of bytes.

use super::{BatchError, BatchHeader, HEADER_SIZE};

/// Iterates over the whole batches of `bytes`; an unfinished last one ends the iteration.
///
/// After an error the iteration is over: without a length there is no next batch.
pub struct Batches<'a> {
    bytes: &'a [u8],
}

impl<'a> Batches<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// What no whole batch was found in: empty after a clean end.
    pub fn remaining(&self) -> &'a [u8] {
        self.bytes
    }
}

impl<'a> Iterator for Batches<'a> {
    type Item = Result<(BatchHeader, &'a [u8]), BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.bytes.len() < HEADER_SIZE {
            return None;
        }
        let header = match BatchHeader::read(self.bytes) {
            Ok(header) => header,
            Err(error) => {
                self.bytes = &[];
                return Some(Err(error));
            }
        };
        let (batch, rest) = self.bytes.split_at_checked(header.size())?;
        self.bytes = rest;
        Some(Ok((header, batch)))
    }
}
