//! Reading a segment through: recovery, and indexes made again from the batches.

use std::io;

use protocol::record_batch::{BatchError, BatchHeader, HEADER_SIZE, check_crc};

use super::{INDEX_SUFFIX, Place, Segment, TIME_INDEX_SUFFIX};
use crate::file_system::{File, OpenMode, read_full, with_suffix};
use crate::index::mmap::MapSlot;
use crate::index::{ActiveIndex, Index, IndexedBatch, OffsetEntry, OffsetIndex, TimeIndex};

/// Bytes that a scan reads at once.
const SCAN_BUFFER: usize = 1 << 20;
/// No batch can be larger than a segment may be.
const MAX_BATCH: usize = i32::MAX as usize;

/// How a scan came to its end.
#[derive(Debug)]
pub(crate) struct ScanEnd {
    /// Where the last good batch ends.
    pub(crate) valid_bytes: u64,
    /// Offset after the last good batch; `None` if there was none.
    pub(crate) next_offset: Option<i64>,
    /// What stands behind it, if that is not the end of the file.
    pub(crate) damage: Option<BatchError>,
}

impl Segment {
    /// Reads the file from `start`, where a batch begins, checks length, order of offsets and CRC of every batch and
    /// gives each good one, whole, to `visit`. Stops at the first bad one; reads 1 MiB at a time.
    pub(crate) fn scan(
        &self,
        place: Place<'_>,
        start: u64,
        mut visit: impl FnMut(u64, &BatchHeader, &[u8]),
    ) -> io::Result<ScanEnd> {
        let file = self.log_file(place)?;
        let file_size = file.size()?;
        let mut end = ScanEnd { valid_bytes: start, next_offset: None, damage: None };
        let mut buffer = vec![0; SCAN_BUFFER];
        while end.valid_bytes < file_size {
            let filled = read_full(&*file, &mut buffer, end.valid_bytes)?;
            let used = self.scan_buffer(&buffer[..filled], &mut end, &mut visit);
            if end.damage.is_some() {
                break;
            }
            if used == 0 && !self.make_room(&mut buffer, filled, end.valid_bytes, file_size) {
                end.damage = Some(BatchError::Short(filled));
                break;
            }
        }
        Ok(end)
    }

    /// Takes the whole batches at the front of `bytes`; returns how many bytes they were.
    fn scan_buffer(&self, bytes: &[u8], end: &mut ScanEnd, visit: &mut impl FnMut(u64, &BatchHeader, &[u8])) -> usize {
        let mut used = 0;
        while bytes.len() - used >= HEADER_SIZE {
            let rest = &bytes[used..];
            let header = match BatchHeader::read(rest) {
                Ok(header) => header,
                Err(damage) => {
                    end.damage = Some(damage);
                    break;
                }
            };
            let Some(batch) = rest.get(..header.size()) else { break };
            if let Err(damage) = self.check_batch(&header, batch, end.next_offset) {
                end.damage = Some(damage);
                break;
            }
            visit(end.valid_bytes, &header, batch);
            used += batch.len();
            end.valid_bytes += batch.len() as u64;
            end.next_offset = Some(header.next_offset());
        }
        used
    }

    /// A batch must carry its CRC, and follow the one before it inside this segment.
    fn check_batch(&self, header: &BatchHeader, batch: &[u8], next_offset: Option<i64>) -> Result<(), BatchError> {
        let floor = next_offset.unwrap_or(self.base_offset());
        let rises = header.base_offset >= floor && header.last_offset_delta >= 0;
        if !rises || self.relative(header.last_offset()).is_none() {
            return Err(BatchError::Length(header.batch_length));
        }
        check_crc(batch)
    }

    /// Grows the buffer for a batch that does not fit; false if the file cannot hold such a batch.
    fn make_room(&self, buffer: &mut Vec<u8>, filled: usize, position: u64, file_size: u64) -> bool {
        let Ok(header) = BatchHeader::read(&buffer[..filled]) else { return false };
        let fits = header.size() <= MAX_BATCH && position + header.size() as u64 <= file_size;
        if !fits || header.size() <= buffer.len() {
            return false;
        }
        buffer.resize(header.size(), 0);
        true
    }

    /// Makes both index files again from the batches.
    pub(super) fn rebuild_index(&self, place: Place<'_>) -> io::Result<()> {
        if self.is_retired() {
            return Ok(());
        }
        let interval = 4096;
        let mut index = ActiveIndex::default();
        let end =
            self.scan(place, 0, |position, header, _| self.index_batch(&mut index, position, header, interval))?;
        if let Some(damage) = end.damage
            && end.valid_bytes < self.size()
        {
            tracing::warn!(base_offset = self.base_offset, position = end.valid_bytes, %damage, "damage in a closed segment");
        }
        index.add_time_entry();
        let (offsets, times) = index.take_unstored();
        let names = self.names();
        if names.retired_log().is_some() {
            return Ok(());
        }
        for (suffix, bytes) in [(INDEX_SUFFIX, offsets.bytes), (TIME_INDEX_SUFFIX, times.bytes)] {
            let path = with_suffix(&place.path(self.base_offset, suffix), names.indexes);
            place.file_system().write_atomic(&path, &bytes)?;
        }
        self.offset_map.close();
        self.time_map.close();
        Ok(())
    }

    /// Notes a batch in an index.
    pub(crate) fn index_batch(&self, index: &mut ActiveIndex, position: u64, header: &BatchHeader, interval: u64) {
        let relative = self.relative(header.last_offset());
        let place = u32::try_from(position);
        if let (Some(relative_last_offset), Ok(position)) = (relative, place) {
            let size = u32::try_from(header.size()).unwrap_or(u32::MAX);
            let batch = IndexedBatch { relative_last_offset, position, size, max_timestamp: header.max_timestamp };
            index.append(batch, interval);
        }
    }

    /// Opens the segment for writing again: takes the index entries of batches wholly below `trusted_offset` that lie
    /// before byte `end`, cuts the files behind them, and returns where the last of these batches begins. The caller
    /// scans from there. Entries that are not true are all dropped, and the scan begins at 0.
    pub(crate) fn reopen(&self, place: Place<'_>, trusted_offset: i64, end: u64) -> io::Result<u64> {
        let mut offsets = self.load_entries::<OffsetIndex>(place, INDEX_SUFFIX)?;
        let trusted = |entry: &OffsetEntry| {
            let last_offset = self.base_offset.saturating_add(i64::from(entry.relative_offset));
            last_offset < trusted_offset && u64::from(entry.position) < end
        };
        offsets.retain(trusted);
        if let Some(last) = offsets.last().copied()
            && !self.entry_names_batch(place, last)?
        {
            offsets.clear();
        }
        let mut times = self.load_entries::<TimeIndex>(place, TIME_INDEX_SUFFIX)?;
        let last_offset = offsets.last().map(|entry| entry.relative_offset);
        times.retain(|entry| Some(entry.relative_offset) <= last_offset);
        if let Some(last) = times.last().copied()
            && !self.time_is_true(place, last)?
        {
            times.clear();
        }
        // Neither file is synced: what the last time entry does not know must be read again, entries or not.
        let known = times.last().map_or(0, |entry| entry.relative_offset);
        offsets.retain(|entry| entry.relative_offset <= known);
        let start = offsets.last().map_or(0, |entry| u64::from(entry.position));
        let sizes = (offsets.len() * OffsetIndex::ENTRY_SIZE, times.len() * TimeIndex::ENTRY_SIZE);
        *self.lock_index() = Some(ActiveIndex::resume(offsets, times));
        self.cut_index(place, &self.offset_map, INDEX_SUFFIX, sizes.0)?;
        self.cut_index(place, &self.time_map, TIME_INDEX_SUFFIX, sizes.1)?;
        Ok(start)
    }

    fn cut_index(&self, place: Place<'_>, map: &MapSlot, suffix: &str, size: usize) -> io::Result<()> {
        let path = place.path(self.base_offset, suffix);
        map.change(|| cut(&*place.file_system().open(&path, OpenMode::Create)?, size as u64))
    }

    fn entry_names_batch(&self, place: Place<'_>, entry: OffsetEntry) -> io::Result<bool> {
        let file = self.log_file(place)?;
        let size = file.size()?;
        self.entry_is_true(place, entry, size)
    }
}

/// Cuts a file for good: were the cut lost in a crash, old bytes could stand behind or between new ones.
pub(super) fn cut(file: &dyn File, size: u64) -> io::Result<()> {
    if file.size()? == size {
        return Ok(());
    }
    file.truncate(size)?;
    file.sync_data()
}
