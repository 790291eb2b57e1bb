//! Reading: which bytes of which file a fetch gets. Source: `LocalLog.read`, `LogSegment.read`.

use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::{Loaded, Log};
use crate::error::Error;
use crate::file_system::{File, read_exact};
use crate::segment::{Segment, WalkError};

/// How far apart the bytes are that tell whether a region is in the page cache.
const SAMPLED: usize = 1 << 20;

/// Bytes on their way to a reader: in memory, or where they lie in a file.
#[derive(Clone, Debug)]
pub enum Piece {
    Bytes(Bytes),
    Region(Region),
}

impl Piece {
    /// Bytes.
    pub fn size(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Region(region) => region.size,
        }
    }
}

/// Whole batches in a file, one behind the other. Holds the file open, whatever happens to the segment meanwhile.
#[derive(Clone)]
pub struct Region {
    file: Option<Arc<dyn File>>,
    /// First byte.
    pub position: u64,
    /// Bytes.
    pub size: usize,
}

impl Region {
    /// Nothing.
    pub fn empty() -> Self {
        Self { file: None, position: 0, size: 0 }
    }

    pub(crate) fn of_file(file: Arc<dyn File>, position: u64, size: u64) -> Self {
        Self { file: Some(file), position, size: usize::try_from(size).unwrap_or(usize::MAX) }
    }

    /// A part of it, counted from its first byte; what lies behind its end is left out.
    pub fn slice(&self, range: Range<u64>) -> Self {
        let size = self.size as u64;
        let (start, end) = (range.start.min(size), range.end.min(size));
        let size = usize::try_from(end.saturating_sub(start)).unwrap_or(0);
        Self { file: self.file.clone(), position: self.position.saturating_add(start), size }
    }

    pub fn is_empty(&self) -> bool {
        self.size == 0
    }

    /// The file; `None` if the region is empty.
    pub fn file(&self) -> Option<&Arc<dyn File>> {
        self.file.as_ref()
    }

    /// Whether samples of the bytes, the first and the last among them, are in the page cache, so that all of them very likely are.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn is_resident(&self) -> io::Result<bool> {
        let Some(file) = &self.file else { return Ok(true) };
        let last = self.position.saturating_add((self.size as u64).saturating_sub(1));
        for at in (self.position..last).step_by(SAMPLED).chain([last]) {
            match file.read_resident_at(&mut [0], at) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Copies the bytes out.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn read(&self) -> io::Result<Bytes> {
        let Some(file) = &self.file else { return Ok(Bytes::new()) };
        let mut bytes = vec![0; self.size];
        read_exact(&**file, &mut bytes, self.position)?;
        Ok(bytes.into())
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Region({} bytes from {})", self.size, self.position)
    }
}

/// What a read may return.
#[derive(Clone, Copy, Debug)]
pub struct ReadLimits {
    /// Batches must end at or before this offset (exclusive): a high watermark, or the log end offset.
    pub end_offset: i64,
    pub max_bytes: usize,
    /// Return the first batch even if it is larger than `max_bytes` (KIP-74).
    pub at_least_one: bool,
}

impl Log {
    /// Finds whole batches from the one that holds `offset` (inclusive) on, within `limits` and inside one segment: a
    /// reader asks again from where these end. Empty at the end of what may be read.
    ///
    /// # Errors
    /// [`Error::OffsetOutOfRange`] below the log start offset or above the log end offset.
    pub fn read(&self, offset: i64, limits: ReadLimits) -> Result<Region, Error> {
        let loaded = self.loaded()?;
        self.log_dir.check_online()?;
        let tail = loaded.tail();
        let out_of_range = || {
            let log_start_offset = loaded.log_start_offset.load(Ordering::Acquire);
            Error::OffsetOutOfRange { offset, log_start_offset, log_end_offset: tail.end_offset }
        };
        if offset < loaded.log_start_offset.load(Ordering::Acquire) || offset > tail.end_offset {
            return Err(out_of_range());
        }
        let mut wanted = offset;
        let limit = limits.end_offset.min(tail.end_offset);
        while wanted < limit {
            // Its segment went since the start was looked at: what follows it is not what was asked for.
            let (segment, next_base_offset) = self.segment_of(loaded, wanted).ok_or_else(out_of_range)?;
            let end = self.limit_position(loaded, &segment, next_base_offset, limit)?;
            if let Some(region) = self.read_segment(loaded, &segment, wanted, end, limits)? {
                return Ok(region);
            }
            // Nothing at or behind `wanted` in this segment: a gap up to the next one.
            match next_base_offset {
                Some(next) => wanted = next,
                None => break,
            }
        }
        Ok(Region::empty())
    }

    /// The segment in which `offset` lies, and the base offset of the one after it; `None` for an offset before the first segment.
    pub(super) fn segment_of(&self, loaded: &Loaded, offset: i64) -> Option<(Arc<Segment>, Option<i64>)> {
        let segments = loaded.segments.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let after = segments.partition_point(|segment| segment.base_offset() <= offset);
        let at = after.checked_sub(1)?;
        let segment = segments.get(at)?;
        Some((Arc::clone(segment), segments.get(at + 1).map(|next| next.base_offset())))
    }

    /// The byte of `segment` at which reading must stop so that nothing at or above offset `limit` is returned.
    pub(super) fn limit_position(
        &self,
        loaded: &Loaded,
        segment: &Segment,
        next_base_offset: Option<i64>,
        limit: i64,
    ) -> Result<u64, Error> {
        if next_base_offset.is_some_and(|next| next <= limit) {
            return Ok(segment.size());
        }
        for known in [loaded.tail(), self.flushed(loaded)] {
            if known.end_offset == limit && known.segment_base_offset == segment.base_offset() {
                return Ok(known.position);
            }
        }
        let size = segment.size();
        let found = segment.find_offset(self.place(loaded), limit, size);
        Ok(self.walked(segment, found)?.map_or(size, |found| found.position))
    }

    fn read_segment(
        &self,
        loaded: &Loaded,
        segment: &Segment,
        offset: i64,
        end: u64,
        limits: ReadLimits,
    ) -> Result<Option<Region>, Error> {
        let place = self.place(loaded);
        let Some(first) = self.walked(segment, segment.find_offset(place, offset, end))? else { return Ok(None) };
        let start = first.position;
        let most = start.saturating_add(limits.max_bytes as u64);
        let stop = if end <= most {
            end
        } else if first.end() > most {
            if limits.at_least_one { first.end() } else { start }
        } else {
            self.walked(segment, segment.last_end_before(place, start, most))?.unwrap_or(first.end())
        };
        let opened = segment.log_file(place);
        let file = self.check_read("opening a segment", opened)?;
        let size = usize::try_from(stop - start).unwrap_or(0);
        Ok(Some(if size == 0 { Region::empty() } else { Region { file: Some(file), position: start, size } }))
    }

    /// Turns what a walk met into the log's own errors: damaged bytes are reported, a failing disk goes offline.
    pub(super) fn walked<T>(&self, segment: &Segment, walked: Result<T, WalkError>) -> Result<T, Error> {
        walked.map_err(|error| match error {
            WalkError::Io(error) => match self.check_read::<()>("reading a segment", Err(error)) {
                Err(error) => error,
                Ok(()) => Error::Deleted,
            },
            WalkError::Corrupt { position, source } => {
                Error::Corrupt { base_offset: segment.base_offset(), position, source }
            }
        })
    }
}
