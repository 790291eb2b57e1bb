//! Reads the batches of a file one after the other, through a buffer that the caller keeps.

use std::io;
use std::ops::Range;

use protocol::record_batch::{BatchError, BatchHeader, HEADER_SIZE, check_crc};

use super::Pace;
use crate::file_system::File;

/// Why reading ended early.
#[derive(Debug)]
pub(super) enum ReadError {
    Io(io::Error),
    Corrupt {
        position: u64,
        source: BatchError,
    },
    /// The pace or a visitor said so.
    Stopped,
}

/// Gives every batch of the bytes `range` of `file` to `visit`, whole and with a CRC that is right, and its position. After each
/// buffer `end_of_buffer` may do what has gathered. Reads past the page cache where that is possible.
pub(super) fn read_batches<V: Visitor>(
    file: &dyn File,
    range: Range<u64>,
    buffer: &mut Vec<u8>,
    pace: &dyn Pace,
    visitor: &mut V,
) -> Result<(), V::Error> {
    let (mut position, size) = (range.start, buffer.len());
    while position < range.end {
        let wanted = usize::try_from(range.end - position).unwrap_or(usize::MAX).min(buffer.len());
        let filled = read_uncached(file, &mut buffer[..wanted], position).map_err(ReadError::Io)?;
        let used = visit_buffer(&buffer[..filled], position, visitor)?;
        if used == 0 {
            grow(buffer, filled, range.end - position).map_err(|source| ReadError::Corrupt { position, source })?;
            continue;
        }
        position += used as u64;
        visitor.end_of_buffer()?;
        if !pace.go_on(used) {
            return Err(ReadError::Stopped.into());
        }
    }
    // A batch larger than the buffer is rare: its room is given back.
    buffer.truncate(size);
    buffer.shrink_to(size);
    Ok(())
}

/// What is done with the batches.
pub(super) trait Visitor {
    type Error: From<ReadError>;
    fn visit(&mut self, header: &BatchHeader, batch: &[u8], position: u64) -> Result<(), Self::Error>;
    fn end_of_buffer(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// Visits the whole batches at the front of `bytes`; returns how many bytes they were.
fn visit_buffer<V: Visitor>(bytes: &[u8], position: u64, visitor: &mut V) -> Result<usize, V::Error> {
    let mut used = 0;
    while bytes.len() - used >= HEADER_SIZE {
        let at = position + used as u64;
        let corrupt = |source| ReadError::Corrupt { position: at, source };
        let header = BatchHeader::read(&bytes[used..]).map_err(corrupt)?;
        let Some(batch) = bytes.get(used..used.saturating_add(header.size())) else { break };
        check_crc(batch).map_err(corrupt)?;
        visitor.visit(&header, batch, at)?;
        used += batch.len();
    }
    Ok(used)
}

/// Makes room for the batch at the front, which is larger than the buffer; an error if there cannot be such a batch.
fn grow(buffer: &mut Vec<u8>, filled: usize, left: u64) -> Result<(), BatchError> {
    let header = BatchHeader::read(&buffer[..filled])?;
    if header.size() as u64 > left || header.size() <= buffer.len() {
        return Err(BatchError::Short(filled));
    }
    buffer.resize(header.size(), 0);
    Ok(())
}

fn read_uncached(file: &dyn File, buffer: &mut [u8], position: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_uncached_at(&mut buffer[filled..], position + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
