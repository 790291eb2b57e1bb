//! Cuts an input into the pieces that a target needs.

use protocol::record_batch::{BatchHeader, HEADER_SIZE, compute_crc};

/// What is left of an input.
pub(crate) struct Cut<'a> {
    rest: &'a [u8],
}

impl<'a> Cut<'a> {
    pub(crate) fn new(input: &'a [u8]) -> Self {
        Self { rest: input }
    }

    /// The next byte; 0 at the end.
    pub(crate) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.rest.split_first() else { return 0 };
        self.rest = rest;
        *first
    }

    /// A piece with its size before it in one byte, or what is left of it.
    pub(crate) fn piece(&mut self) -> &'a [u8] {
        let size = usize::from(self.byte()).min(self.rest.len());
        let (piece, rest) = self.rest.split_at(size);
        self.rest = rest;
        piece
    }

    /// Everything else.
    pub(crate) fn rest(self) -> &'a [u8] {
        self.rest
    }
}

/// A piece as [`Cut::piece`] reads it.
pub(crate) fn piece(bytes: &[u8]) -> Vec<u8> {
    let size = u8::try_from(bytes.len()).expect("seeds have short pieces");
    [&[size], bytes].concat()
}

/// Sets the CRC of every whole batch, which no mutation would hit, so that what lies behind the check is reached.
pub(crate) fn repair_crcs(bytes: &mut [u8]) {
    let mut rest = bytes;
    while let Ok(header) = BatchHeader::read(rest)
        && let Some((batch, next)) = rest.split_at_mut_checked(header.size())
    {
        let crc = compute_crc(&header.write(), &batch[HEADER_SIZE..]);
        batch[17..21].copy_from_slice(&crc.to_be_bytes());
        rest = next;
    }
}
