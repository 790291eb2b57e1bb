//! A file of record batches seen from outside of a log: `.log` segments, and the metadata log's `.checkpoint` snapshots. For tools
//! that look at files which nobody writes to; a log's own readers know more and read less.

use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use protocol::record_batch::{BatchError, BatchHeader, HEADER_SIZE};

use crate::file_system::{File, FileSystem, OpenMode, read_full};

/// Bytes that are read at once.
const BUFFER: u64 = 1 << 20;

/// A batch as it stands in the file. Its CRC has not been looked at.
#[derive(Clone, Debug)]
pub struct StoredBatch {
    /// Byte at which it begins.
    pub position: u64,
    pub header: BatchHeader,
    /// The whole batch.
    pub bytes: Bytes,
}

/// Reads a file from batch to batch.
#[derive(Debug)]
pub struct SegmentFile {
    file: Arc<dyn File>,
    size: u64,
    /// Where the next batch begins.
    position: u64,
    buffer: Bytes,
    buffer_start: u64,
    is_damaged: bool,
}

impl SegmentFile {
    /// Opens a file for reading.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn open(file_system: &dyn FileSystem, path: &Path) -> io::Result<Self> {
        let file = file_system.open(path, OpenMode::Read)?;
        let size = file.size()?;
        Ok(Self { file, size, position: 0, buffer: Bytes::new(), buffer_start: 0, is_damaged: false })
    }

    /// Size of the file in bytes, as it was when opened.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Where the last batch that was given ends; behind the last one of a whole file this is [`Self::size`].
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The next batch. `None` at the end of the file or before a batch that is cut off there. Bytes that begin no batch are told once:
    /// without a length there is no next one.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn next_batch(&mut self) -> io::Result<Option<Result<StoredBatch, BatchError>>> {
        if self.is_damaged || self.size - self.position < HEADER_SIZE as u64 {
            return Ok(None);
        }
        let head = self.read(HEADER_SIZE)?;
        let header = match BatchHeader::read(&head) {
            Ok(header) => header,
            Err(error) => {
                self.is_damaged = true;
                return Ok(Some(Err(error)));
            }
        };
        if header.size() as u64 > self.size - self.position {
            return Ok(None);
        }
        let bytes = self.read(header.size())?;
        if bytes.len() < header.size() {
            return Ok(None);
        }
        let position = self.position;
        self.position += header.size() as u64;
        Ok(Some(Ok(StoredBatch { position, header, bytes })))
    }

    /// Up to `count` bytes from the position on; fewer if the file became shorter.
    fn read(&mut self, count: usize) -> io::Result<Bytes> {
        let start = usize::try_from(self.position - self.buffer_start).unwrap_or(usize::MAX);
        let end = start.saturating_add(count);
        if end <= self.buffer.len() {
            return Ok(self.buffer.slice(start..end));
        }
        let wanted = BUFFER.max(count as u64).min(self.size - self.position);
        let mut bytes = vec![0; usize::try_from(wanted).map_err(io::Error::other)?];
        let filled = read_full(&*self.file, &mut bytes, self.position)?;
        bytes.truncate(filled);
        self.buffer = bytes.into();
        self.buffer_start = self.position;
        Ok(self.buffer.slice(..count.min(self.buffer.len())))
    }
}

#[cfg(test)]
mod tests {
    use protocol::record_batch::{BatchBuilder, Codec};

    use super::*;
    use crate::file_system::OsFileSystem;

    fn batch(base_offset: i64, value: &[u8]) -> Bytes {
        let mut builder = BatchBuilder::new(base_offset, Codec::None);
        builder.append(0, None, Some(value), &[]);
        builder.build()
    }

    /// Positions and base offsets of the batches, whether damage was told, and where the last batch ends.
    fn walk(bytes: &[u8]) -> (Vec<(u64, i64)>, bool, u64) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("00000000000000000000.log");
        std::fs::write(&path, bytes).unwrap();
        let mut file = SegmentFile::open(&OsFileSystem, &path).unwrap();
        let (mut found, mut damaged) = (Vec::new(), false);
        while let Some(batch) = file.next_batch().unwrap() {
            match batch {
                Ok(batch) => found.push((batch.position, batch.header.base_offset)),
                Err(_) => damaged = true,
            }
        }
        (found, damaged, file.position())
    }

    #[test]
    fn batches_larger_than_the_buffer_are_whole() {
        let large = vec![7; 3 << 20];
        let (first, second, third) = (batch(0, b"a"), batch(1, &large), batch(2, b"c"));
        let bytes = [&first[..], &second, &third].concat();
        let positions = vec![(0, 0), (first.len() as u64, 1), ((first.len() + second.len()) as u64, 2)];
        assert_eq!(walk(&bytes), (positions, false, bytes.len() as u64));
    }

    #[test]
    fn a_torn_end_is_no_batch_and_no_damage() {
        let (first, second) = (batch(0, b"a"), batch(1, b"b"));
        for cut in 1..second.len() {
            let bytes = [&first[..], &second[..cut]].concat();
            assert_eq!(walk(&bytes), (vec![(0, 0)], false, first.len() as u64), "cut at {cut}");
        }
    }

    #[test]
    fn bytes_that_begin_no_batch_end_the_walk() {
        let first = batch(0, b"a");
        let bytes = [&first[..], &[0xff; 200]].concat();
        assert_eq!(walk(&bytes), (vec![(0, 0)], true, first.len() as u64));
        assert_eq!(walk(&[]), (vec![], false, 0));
    }
}
