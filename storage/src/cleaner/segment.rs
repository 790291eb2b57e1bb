//! The segment that is to replace others, under names that do not count yet: `*.cleaned`.

use std::io;
use std::sync::Arc;

use protocol::record_batch::BatchHeader;

use crate::file_system::{File, OpenMode, with_suffix};
use crate::index::txn_index::AbortedTxn;
use crate::index::{ActiveIndex, IndexedBatch};
use crate::segment::{
    CLEANED_SUFFIX, INDEX_SUFFIX, LOG_SUFFIX, Place, SUFFIXES, Segment, TIME_INDEX_SUFFIX, TXN_INDEX_SUFFIX,
};

/// A segment being written, batch by batch.
pub(crate) struct CleanedSegment {
    base_offset: i64,
    file: Arc<dyn File>,
    size: u64,
    index: ActiveIndex,
    index_interval: u64,
    aborted: Vec<AbortedTxn>,
}

impl CleanedSegment {
    /// Begins a segment that takes the place of the one at `base_offset` and of some that follow. What an earlier attempt
    /// left is removed.
    pub(crate) fn create(place: Place<'_>, base_offset: i64, index_interval: u64) -> io::Result<Self> {
        Self::remove(place, base_offset)?;
        let path = with_suffix(&place.path(base_offset, LOG_SUFFIX), CLEANED_SUFFIX);
        let file = place.file_system().open(&path, OpenMode::CreateNew)?;
        let index = ActiveIndex::default();
        Ok(Self { base_offset, file, size: 0, index, index_interval, aborted: Vec::new() })
    }

    /// Removes the files of one that is not wanted.
    pub(crate) fn remove(place: Place<'_>, base_offset: i64) -> io::Result<()> {
        for suffix in SUFFIXES {
            let path = with_suffix(&place.path(base_offset, suffix), CLEANED_SUFFIX);
            match place.file_system().remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Bytes written.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Writes `bytes`, the batches of `headers` one behind the other. False, and nothing written, if the segment would be
    /// larger than positions in an index reach.
    pub(crate) fn append(&mut self, bytes: &[u8], headers: &[BatchHeader]) -> io::Result<bool> {
        let end = self.size + bytes.len() as u64;
        if end > i32::MAX as u64 {
            return Ok(false);
        }
        self.file.write_all_at(bytes, self.size)?;
        let mut position = self.size;
        for header in headers {
            let relative = header.last_offset().checked_sub(self.base_offset);
            if let (Some(Ok(relative_last_offset)), Ok(at), Ok(size)) =
                (relative.map(u32::try_from), u32::try_from(position), u32::try_from(header.size()))
            {
                let batch =
                    IndexedBatch { relative_last_offset, position: at, size, max_timestamp: header.max_timestamp };
                self.index.append(batch, self.index_interval);
            }
            position += header.size() as u64;
        }
        self.size = end;
        Ok(true)
    }

    /// Notes aborted transactions that go into the segment's index, in the order of their markers.
    pub(crate) fn note_aborted(&mut self, transactions: Vec<AbortedTxn>) {
        self.aborted.extend(transactions);
    }

    /// Writes the indexes and makes all of it durable, the names too. Returns it as a closed segment that goes by the names
    /// that it has now.
    pub(crate) fn finish(mut self, place: Place<'_>) -> io::Result<Segment> {
        self.file.sync_data()?;
        self.index.add_time_entry();
        let (offsets, times) = self.index.take_unstored();
        let aborted: Vec<u8> = self.aborted.iter().flat_map(AbortedTxn::encode).collect();
        let mut files = vec![(INDEX_SUFFIX, offsets.bytes), (TIME_INDEX_SUFFIX, times.bytes)];
        if !aborted.is_empty() {
            files.push((TXN_INDEX_SUFFIX, aborted));
        }
        for (suffix, bytes) in files {
            let path = with_suffix(&place.path(self.base_offset, suffix), CLEANED_SUFFIX);
            let file = place.file_system().open(&path, OpenMode::CreateNew)?;
            file.write_all_at(&bytes, 0)?;
            file.sync_data()?;
        }
        place.file_system().sync_dir(place.folder)?;
        Ok(Segment::cleaned(self.base_offset, self.size, self.index.max_timestamp()))
    }
}
