//! What leaves a log whole: closed segments with their indexes, for a copy elsewhere. Source: `LogSegmentData`,
//! `RemoteLogManager.copyLogSegment`.

use std::io;
use std::sync::Arc;

use bytes::Bytes;

use super::{Log, Region, lock};
use crate::error::Error;
use crate::leader_epoch::LeaderEpochs;
use crate::producer_state::snapshot_path;
use crate::segment::{Segment, TXN_INDEX_SUFFIX};

/// A closed segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RolledSegment {
    /// First offset (inclusive).
    pub base_offset: i64,
    /// Where the next segment begins (exclusive).
    pub end_offset: i64,
    pub size_bytes: u64,
    /// Of its youngest record, or when its file was last written; ms since the epoch.
    pub max_timestamp: i64,
}

/// A closed segment and everything that goes with it. The log's file stays open, whatever happens to the segment.
#[derive(Clone, Debug)]
pub struct SegmentExport {
    /// First offset (inclusive).
    pub base_offset: i64,
    /// Where the next segment begins (exclusive).
    pub end_offset: i64,
    /// As in [`RolledSegment`].
    pub max_timestamp: i64,
    pub log: Region,
    pub offset_index: Bytes,
    pub time_index: Bytes,
    /// Empty for most segments.
    pub txn_index: Bytes,
    /// The producers as they were at the end offset; empty if nobody wrote them down.
    pub producer_snapshot: Bytes,
    /// From the start of the log to the end offset.
    pub leader_epochs: LeaderEpochs,
}

impl Log {
    /// Every segment but the active one, by offset.
    ///
    /// # Errors
    /// As loading.
    pub fn rolled_segments(&self) -> Result<Vec<RolledSegment>, Error> {
        let loaded = self.loaded()?;
        // A segment that the cleaner replaces while it is looked at has no files any more.
        let _structure = self.lock_structure(loaded)?;
        let mut candidates = self.candidates(loaded)?;
        candidates.pop();
        let rolled = |candidate: &super::retention::Candidate| RolledSegment {
            base_offset: candidate.base_offset,
            end_offset: candidate.end_offset,
            size_bytes: candidate.size_bytes,
            max_timestamp: candidate.max_timestamp,
        };
        Ok(candidates.iter().map(rolled).collect())
    }

    /// The closed segment at `base_offset` with all that belongs to it; `None` if it is not there any more.
    ///
    /// # Errors
    /// As reading.
    pub fn export_segment(&self, base_offset: i64) -> Result<Option<SegmentExport>, Error> {
        let loaded = self.loaded()?;
        let _structure = self.lock_structure(loaded)?;
        self.log_dir.check_online()?;
        let segments = loaded.segments();
        let Some(at) = segments.iter().position(|segment| segment.base_offset() == base_offset) else {
            return Ok(None);
        };
        let (segment, Some(next)) = (&segments[at], segments.get(at + 1)) else { return Ok(None) };
        let (place, end_offset) = (self.place(loaded), next.base_offset());
        let optional = |read: io::Result<Vec<u8>>| match read {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Bytes::new()),
            read => read.map(Bytes::from),
        };
        let export = || -> io::Result<SegmentExport> {
            let (offset_index, time_index) = segment.stored_indexes(place)?;
            let txn_index = place.path(base_offset, TXN_INDEX_SUFFIX);
            let mut leader_epochs = loaded.epochs();
            leader_epochs.truncate_from_end(end_offset);
            Ok(SegmentExport {
                base_offset,
                end_offset,
                max_timestamp: self.age_of(loaded, segment)?,
                log: Region::of_file(segment.log_file(place)?, 0, segment.size()),
                offset_index,
                time_index,
                txn_index: optional(place.file_system().read(&txn_index))?,
                producer_snapshot: optional(place.file_system().read(&snapshot_path(place.folder, end_offset)))?,
                leader_epochs,
            })
        };
        self.check_read("exporting a segment", export()).map(Some)
    }

    /// Closes the active segment if its youngest record is older than `age_ms`, so that it may be copied and go.
    /// Returns whether it was.
    ///
    /// # Errors
    /// A failing disk.
    pub fn roll_if_older(&self, age_ms: i64, now_ms: i64) -> Result<bool, Error> {
        let loaded = self.loaded()?;
        let _structure = self.lock_structure(loaded)?;
        let mut writer = lock(&loaded.writer);
        self.log_dir.check_online()?;
        let Some(active) = loaded.active().filter(|active| active.size() > 0) else { return Ok(false) };
        let youngest = self.log_dir.check("reading a time index", self.age_of(loaded, &active))?;
        if now_ms.saturating_sub(youngest) <= age_ms {
            return Ok(false);
        }
        let end = loaded.tail().end_offset;
        self.roll_to(loaded, &mut writer, end)?;
        Ok(true)
    }

    /// Where the active segment begins (inclusive).
    ///
    /// # Errors
    /// As loading.
    pub fn active_base_offset(&self) -> Result<i64, Error> {
        Ok(self.loaded()?.tail().segment_base_offset)
    }

    /// Closes the active segment if it begins at `base_offset` and has records. Returns whether it was closed.
    ///
    /// # Errors
    /// A failing disk.
    pub fn roll_active(&self, base_offset: i64) -> Result<bool, Error> {
        let loaded = self.loaded()?;
        let _structure = self.lock_structure(loaded)?;
        let mut writer = lock(&loaded.writer);
        self.log_dir.check_online()?;
        let is_wanted = |active: &Arc<Segment>| active.base_offset() == base_offset && active.size() > 0;
        if loaded.active().filter(is_wanted).is_none() {
            return Ok(false);
        }
        let end = loaded.tail().end_offset;
        self.roll_to(loaded, &mut writer, end)?;
        Ok(true)
    }

    /// Reads a file of somebody else's in the log's folder; `None` if there is none.
    ///
    /// # Errors
    /// A failing disk.
    pub fn read_beside(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        match self.log_dir.file_system().read(&self.folder().join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            read => self.check_read("reading a file beside a log", read).map(Some),
        }
    }

    /// Replaces a file of somebody else's in the log's folder, atomically. Nothing is written for a log that has no folder
    /// yet.
    ///
    /// # Errors
    /// A failing disk.
    pub fn write_beside(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let (file_system, folder) = (self.log_dir.file_system(), self.folder());
        let written = file_system
            .exists(&folder)
            .and_then(|exists| if exists { file_system.write_atomic(&folder.join(name), bytes) } else { Ok(()) });
        self.check_read("writing a file beside a log", written)
    }
}
