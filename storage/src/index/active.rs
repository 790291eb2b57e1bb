//! Both indexes of the active segment, in memory.

use super::{Index, OffsetEntry, OffsetIndex, TimeEntry, TimeIndex, encode_all};

/// The entries of a segment that is still written, and how many of them its files have.
///
/// Entries reach the files by plain writes at a flush or a roll, unsynced: they can be made again from the log.
#[derive(Debug)]
pub struct ActiveIndex {
    offsets: Vec<OffsetEntry>,
    times: Vec<TimeEntry>,
    stored_offsets: usize,
    stored_times: usize,
    /// So many of the offsets came from the file.
    loaded_offsets: usize,
    bytes_since_entry: u64,
    max_timestamp: i64,
    offset_of_max_timestamp: u32,
}

/// What a batch adds to the indexes.
#[derive(Clone, Copy, Debug)]
pub struct IndexedBatch {
    /// Relative to the segment's base offset.
    pub relative_last_offset: u32,
    pub position: u32,
    pub size: u32,
    pub max_timestamp: i64,
}

/// An entry to begin a search at.
#[derive(Clone, Copy, Debug)]
pub struct Floor {
    pub entry: OffsetEntry,
    /// It came from the file, so it may be damaged.
    pub is_loaded: bool,
}

/// Bytes for one of the two files, and where they go.
pub struct Unstored {
    pub position: u64,
    pub bytes: Vec<u8>,
}

impl Default for ActiveIndex {
    fn default() -> Self {
        Self::resume(Vec::new(), Vec::new())
    }
}

impl ActiveIndex {
    /// Goes on from entries that the files hold already.
    pub fn resume(offsets: Vec<OffsetEntry>, times: Vec<TimeEntry>) -> Self {
        let last = times.last().copied();
        Self {
            stored_offsets: offsets.len(),
            loaded_offsets: offsets.len(),
            stored_times: times.len(),
            offsets,
            times,
            bytes_since_entry: 0,
            max_timestamp: last.map_or(-1, |entry| entry.timestamp),
            offset_of_max_timestamp: last.map_or(0, |entry| entry.relative_offset),
        }
    }

    /// Notes a batch; an entry is added when more than `interval` bytes went by since the last one
    /// (`LogSegment.append`: the test comes before the batch is counted).
    pub fn append(&mut self, batch: IndexedBatch, interval: u64) {
        if batch.max_timestamp > self.max_timestamp {
            self.max_timestamp = batch.max_timestamp;
            self.offset_of_max_timestamp = batch.relative_last_offset;
        }
        if self.bytes_since_entry > interval {
            let entry = OffsetEntry { relative_offset: batch.relative_last_offset, position: batch.position };
            if self.offsets.last().is_none_or(|last| OffsetIndex::rises(*last, entry)) {
                self.offsets.push(entry);
            }
            self.add_time_entry();
            self.bytes_since_entry = 0;
        }
        self.bytes_since_entry += u64::from(batch.size);
    }

    /// Adds the largest timestamp so far, unless an entry has it: done at a roll, so that a closed segment's last entry
    /// tells its largest timestamp.
    pub fn add_time_entry(&mut self) {
        let entry = TimeEntry { timestamp: self.max_timestamp, relative_offset: self.offset_of_max_timestamp };
        if entry.timestamp >= 0 && self.times.last().is_none_or(|last| TimeIndex::rises(*last, entry)) {
            self.times.push(entry);
        }
    }

    /// Largest timestamp of the segment, −1 without any.
    pub fn max_timestamp(&self) -> i64 {
        self.max_timestamp
    }

    /// Relative offset of the batch with the largest timestamp.
    pub fn offset_of_max_timestamp(&self) -> u32 {
        self.offset_of_max_timestamp
    }

    /// The last indexed batch whose last offset is not above `relative_offset`.
    pub fn floor_offset(&self, relative_offset: u32) -> Option<Floor> {
        self.floor(self.offsets.partition_point(|entry| entry.relative_offset <= relative_offset))
    }

    /// The last indexed batch that begins at or before `position`.
    pub fn floor_position(&self, position: u32) -> Option<Floor> {
        self.floor(self.offsets.partition_point(|entry| entry.position <= position))
    }

    fn floor(&self, end: usize) -> Option<Floor> {
        let at = end.checked_sub(1)?;
        Some(Floor { entry: self.offsets[at], is_loaded: at < self.loaded_offsets })
    }

    /// The entry from which to look for `timestamp`.
    pub fn floor_time(&self, timestamp: i64) -> Option<TimeEntry> {
        let end = self.times.partition_point(|entry| entry.timestamp <= timestamp);
        end.checked_sub(1).map(|at| self.times[at])
    }

    /// Whether an index file of `max_bytes` has no room for another entry (`isFull` of both indexes).
    pub fn is_full(&self, max_bytes: u64) -> bool {
        let room = |size: usize| usize::try_from(max_bytes).unwrap_or(usize::MAX) / size;
        self.offsets.len() >= room(OffsetIndex::ENTRY_SIZE) || self.times.len() + 1 >= room(TimeIndex::ENTRY_SIZE)
    }

    /// What the files lack: for `.index` and for `.timeindex`. Counts it as stored.
    pub fn take_unstored(&mut self) -> (Unstored, Unstored) {
        let offsets = Unstored {
            position: (self.stored_offsets * OffsetIndex::ENTRY_SIZE) as u64,
            bytes: encode_all::<OffsetIndex>(&self.offsets[self.stored_offsets..]),
        };
        let times = Unstored {
            position: (self.stored_times * TimeIndex::ENTRY_SIZE) as u64,
            bytes: encode_all::<TimeIndex>(&self.times[self.stored_times..]),
        };
        self.stored_offsets = self.offsets.len();
        self.stored_times = self.times.len();
        (offsets, times)
    }

    /// Whether the files lack entries.
    pub fn has_unstored(&self) -> bool {
        self.stored_offsets < self.offsets.len() || self.stored_times < self.times.len()
    }
}
