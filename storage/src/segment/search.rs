//! Finding batches: the index gives a place at or before, headers lead on from there.

use std::io;

use protocol::record_batch::{BatchError, BatchHeader, HEADER_SIZE};

use super::{Place, Segment};
use crate::file_system::{File, read_exact, read_full};
use crate::index::{Floor, OffsetEntry, OffsetIndex, TimeEntry, TimeIndex, last_where};

/// Headers are read as many at once as lie in so many bytes: the default distance between two index entries.
const HOP_BUFFER: usize = 4096;

/// A batch and where it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub(crate) position: u64,
    pub(crate) header: BatchHeader,
}

impl Found {
    /// Byte after the batch.
    pub(crate) fn end(&self) -> u64 {
        self.position + self.header.size() as u64
    }
}

/// Why a walk from header to header ended early.
#[derive(Debug)]
pub(crate) enum WalkError {
    Io(io::Error),
    Corrupt { position: u64, source: BatchError },
}

impl From<io::Error> for WalkError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<WalkError> for io::Error {
    fn from(error: WalkError) -> Self {
        match error {
            WalkError::Io(error) => error,
            WalkError::Corrupt { position, source } => {
                Self::new(io::ErrorKind::InvalidData, format!("batch at position {position}: {source}"))
            }
        }
    }
}

/// Goes from header to header through `[position, end)` of a file.
pub(crate) struct Hopper<'a> {
    file: &'a dyn File,
    position: u64,
    end: u64,
    buffer: [u8; HOP_BUFFER],
    buffer_start: u64,
    buffered: usize,
}

impl<'a> Hopper<'a> {
    pub(crate) fn new(file: &'a dyn File, position: u64, end: u64) -> Self {
        Self { file, position, end, buffer: [0; HOP_BUFFER], buffer_start: position, buffered: 0 }
    }

    /// The next whole batch; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Found>, WalkError> {
        if self.end.saturating_sub(self.position) < HEADER_SIZE as u64 {
            return Ok(None);
        }
        let position = self.position;
        let corrupt = |source| WalkError::Corrupt { position, source };
        let header = BatchHeader::read(self.header_bytes()?).map_err(corrupt)?;
        let found = Found { position, header };
        if found.end() > self.end {
            return Ok(None);
        }
        self.position = found.end();
        Ok(Some(found))
    }

    fn header_bytes(&mut self) -> io::Result<&[u8]> {
        let buffer_end = self.buffer_start + self.buffered as u64;
        let buffered = self.position >= self.buffer_start && self.position + HEADER_SIZE as u64 <= buffer_end;
        if !buffered {
            let wanted = usize::try_from(self.end - self.position).unwrap_or(HOP_BUFFER).min(HOP_BUFFER);
            self.buffered = read_full(self.file, &mut self.buffer[..wanted], self.position)?;
            self.buffer_start = self.position;
        }
        let start = usize::try_from(self.position - self.buffer_start).map_err(io::Error::other)?;
        Ok(&self.buffer[start..self.buffered])
    }
}

impl Segment {
    /// The first batch before byte `end` whose last offset is not below `offset`.
    pub(crate) fn find_offset(&self, place: Place<'_>, offset: i64, end: u64) -> Result<Option<Found>, WalkError> {
        let start = self.floor_position_of(place, offset, end)?;
        let file = self.log_file(place)?;
        let mut hopper = Hopper::new(&*file, start, end);
        while let Some(found) = hopper.next()? {
            if found.header.last_offset() >= offset {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Where the last batch ends that ends at or before byte `limit`, looking from `start`, where a batch begins; `None`
    /// if the batch at `start` reaches beyond.
    pub(crate) fn last_end_before(&self, place: Place<'_>, start: u64, limit: u64) -> Result<Option<u64>, WalkError> {
        let floor = self.floor_position_before(place, limit)?.max(start);
        let file = self.log_file(place)?;
        let mut hopper = Hopper::new(&*file, floor, limit);
        // The batch that an index entry names may itself reach beyond the limit: then the one before it ends there.
        let mut end = (floor > start).then_some(floor);
        while let Some(found) = hopper.next()? {
            end = Some(found.end());
        }
        Ok(end)
    }

    /// The bytes of a control batch; of any other nothing, since its header says all that a replay needs.
    pub(crate) fn content(&self, place: Place<'_>, found: &Found) -> io::Result<Vec<u8>> {
        if !found.header.attributes.is_control() {
            return Ok(Vec::new());
        }
        let mut bytes = vec![0; found.header.size()];
        read_exact(&*self.log_file(place)?, &mut bytes, found.position)?;
        Ok(bytes)
    }

    /// The largest timestamp by the headers of all batches; −1 without any.
    pub(super) fn walk_to_max_timestamp(&self, place: Place<'_>) -> io::Result<i64> {
        let file = self.log_file(place)?;
        let mut hopper = Hopper::new(&*file, 0, self.size());
        let mut largest = -1;
        while let Some(found) = hopper.next()? {
            largest = largest.max(found.header.max_timestamp);
        }
        Ok(largest)
    }

    /// The first batch; `None` in an empty segment.
    pub(crate) fn first_batch(&self, place: Place<'_>) -> Result<Option<Found>, WalkError> {
        Hopper::new(&*self.log_file(place)?, 0, self.size()).next()
    }

    /// Where to begin to look for `offset`. An entry from a file is checked against the batch it names; if they disagree
    /// a closed index is made again.
    fn floor_position_of(&self, place: Place<'_>, offset: i64, end: u64) -> io::Result<u64> {
        let Some(relative) = self.relative(offset) else { return Ok(0) };
        if let Some(floor) = self.with_index(|index| index.floor_offset(relative)) {
            return self.active_floor(place, floor);
        }
        let floor = |bytes: &[u8]| last_where::<OffsetIndex>(bytes, |entry| entry.relative_offset <= relative);
        self.checked_floor(place, end, floor)
    }

    fn floor_position_before(&self, place: Place<'_>, position: u64) -> io::Result<u64> {
        let position = u32::try_from(position).unwrap_or(u32::MAX);
        if let Some(floor) = self.with_index(|index| index.floor_position(position)) {
            return self.active_floor(place, floor);
        }
        let floor = |bytes: &[u8]| last_where::<OffsetIndex>(bytes, |entry| entry.position <= position);
        self.checked_floor(place, self.size(), floor)
    }

    fn active_floor(&self, place: Place<'_>, floor: Option<Floor>) -> io::Result<u64> {
        let Some(Floor { entry, is_loaded }) = floor else { return Ok(0) };
        let is_true = !is_loaded || self.entry_is_true(place, entry, self.size())?;
        Ok(if is_true { u64::from(entry.position) } else { 0 })
    }

    fn checked_floor(
        &self,
        place: Place<'_>,
        end: u64,
        floor: impl Fn(&[u8]) -> Option<OffsetEntry>,
    ) -> io::Result<u64> {
        for _ in 0..2 {
            let Some(entry) = self.read_offsets(place, &floor)? else { return Ok(0) };
            if self.entry_is_true(place, entry, end)? {
                return Ok(u64::from(entry.position));
            }
            if self.is_retired() {
                break;
            }
            tracing::warn!(
                base_offset = self.base_offset,
                ?entry,
                "offset index disagrees with the log, rebuilding it"
            );
            self.rebuild_index(place)?;
        }
        Ok(0)
    }

    /// Whether the batch at the entry's position has the entry's last offset.
    pub(super) fn entry_is_true(&self, place: Place<'_>, entry: OffsetEntry, end: u64) -> io::Result<bool> {
        let mut head = [0; HEADER_SIZE];
        let position = u64::from(entry.position);
        if position + HEADER_SIZE as u64 > end {
            return Ok(false);
        }
        let read = read_full(&*self.log_file(place)?, &mut head, position)?;
        let header = BatchHeader::read(&head[..read]);
        Ok(header.is_ok_and(|header| self.relative(header.last_offset()) == Some(entry.relative_offset)))
    }

    /// The first batch before byte `end` that has a record as young as `timestamp`, not wholly before `start_offset`
    /// (`LogSegment.findOffsetByTimestamp`).
    pub(crate) fn find_timestamp(
        &self,
        place: Place<'_>,
        timestamp: i64,
        start_offset: i64,
        end: u64,
    ) -> Result<Option<Found>, WalkError> {
        let floor = self.floor_time(place, timestamp)?.map_or(0, |entry| entry.relative_offset);
        // The entry names the batch with the largest timestamp up to there, at most the wanted one: what is wanted
        // is that batch or a later one.
        let from = self.base_offset.saturating_add(i64::from(floor)).max(start_offset);
        let file = self.log_file(place)?;
        let mut hopper = Hopper::new(&*file, self.floor_position_of(place, from, end)?, end);
        while let Some(found) = hopper.next()? {
            if found.header.max_timestamp >= timestamp && found.header.last_offset() >= start_offset {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Where to begin to look for `timestamp`; `None`: at the first batch.
    fn floor_time(&self, place: Place<'_>, timestamp: i64) -> io::Result<Option<TimeEntry>> {
        match self.with_index(|index| index.floor_time(timestamp)) {
            Some(Some(entry)) => Ok(self.time_is_true(place, entry)?.then_some(entry)),
            Some(None) => Ok(None),
            None => {
                self.checked_time(place, |bytes| last_where::<TimeIndex>(bytes, |entry| entry.timestamp <= timestamp))
            }
        }
    }

    /// Looks an entry of the closed time index up and checks it against the batch it names; if they disagree the index is
    /// made again.
    pub(super) fn checked_time(
        &self,
        place: Place<'_>,
        look_up: impl Fn(&[u8]) -> Option<TimeEntry>,
    ) -> io::Result<Option<TimeEntry>> {
        for _ in 0..2 {
            let Some(entry) = self.read_times(place, &look_up)? else { return Ok(None) };
            if self.time_is_true(place, entry)? {
                return Ok(Some(entry));
            }
            if self.is_retired() {
                break;
            }
            tracing::warn!(base_offset = self.base_offset, ?entry, "time index disagrees with the log, rebuilding it");
            self.rebuild_index(place)?;
        }
        Ok(None)
    }

    /// Whether the batch with the entry's offset has the entry's timestamp.
    pub(super) fn time_is_true(&self, place: Place<'_>, entry: TimeEntry) -> io::Result<bool> {
        let offset = self.base_offset.saturating_add(i64::from(entry.relative_offset));
        match self.find_offset(place, offset, self.size()) {
            Ok(found) => Ok(found.is_some_and(|found| {
                found.header.base_offset <= offset && found.header.max_timestamp == entry.timestamp
            })),
            Err(WalkError::Corrupt { .. }) => Ok(false),
            Err(WalkError::Io(error)) => Err(error),
        }
    }
}
