//! Which segments may go, and their going. Source: `UnifiedLog.deleteOldSegments`.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Loaded, Log, Writer, lock};
use crate::config::LogConfig;
use crate::error::Error;
use crate::file_system::with_suffix;
use crate::producer_state::snapshot_path;
use crate::segment::{DELETED_SUFFIX, LOG_SUFFIX, Segment};

/// What is known of a segment when retention looks at it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub base_offset: i64,
    /// Offset after its last record: where the next segment begins, or the log ends.
    pub end_offset: i64,
    pub size_bytes: u64,
    /// Of its youngest record; ms since the epoch.
    pub max_timestamp: i64,
}

/// Why a segment goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// Its youngest record is older than the log keeps records.
    Time { retention_ms: i64 },
    /// Without it the log is still as large as it may be.
    Size { retention_bytes: u64 },
    /// All of it lies before the log start offset.
    LogStartOffset { log_start_offset: i64 },
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time { retention_ms } => {
                write!(
                    formatter,
                    "retention time {retention_ms}ms breach based on the largest record timestamp in the segment"
                )
            }
            Self::Size { retention_bytes } => write!(formatter, "retention size {retention_bytes} breach"),
            Self::LogStartOffset { log_start_offset } => {
                write!(formatter, "log start offset {log_start_offset} breach")
            }
        }
    }
}

/// The reasons for the oldest segments to go, one for each, up to the first that stays. Only what is wholly below
/// `high_watermark` may go.
pub(super) fn decide(
    candidates: &[Candidate],
    config: &LogConfig,
    log_start_offset: i64,
    high_watermark: i64,
    now_ms: i64,
) -> Vec<Reason> {
    let total: u64 = candidates.iter().map(|candidate| candidate.size_bytes).sum();
    let mut excess = config.retention_bytes.map(|most| total.saturating_sub(most));
    let mut reasons = Vec::new();
    for candidate in candidates {
        if candidate.end_offset > high_watermark || candidate.base_offset == candidate.end_offset {
            break;
        }
        let by_size = excess.is_some_and(|excess| excess >= candidate.size_bytes && candidate.size_bytes > 0);
        let age = now_ms.saturating_sub(candidate.max_timestamp);
        let reason = match (config.retention_ms, config.retention_bytes) {
            _ if candidate.end_offset <= log_start_offset => Reason::LogStartOffset { log_start_offset },
            (Some(retention_ms), _) if age > retention_ms => Reason::Time { retention_ms },
            (_, Some(retention_bytes)) if by_size => Reason::Size { retention_bytes },
            _ => break,
        };
        excess = excess.map(|excess| excess.saturating_sub(candidate.size_bytes));
        reasons.push(reason);
    }
    reasons
}

impl Log {
    /// Lets the segments go that are too old, too many, or before the log start offset, and wholly below
    /// `high_watermark` (exclusive). The active one is rolled first if it has to go too. Returns how many went.
    ///
    /// # Errors
    /// A failing disk.
    pub fn delete_old_segments(&self, high_watermark: i64, now_ms: i64) -> Result<usize, Error> {
        let loaded = self.loaded()?;
        let _structure = self.lock_structure(loaded)?;
        let mut writer = lock(&loaded.writer);
        self.log_dir.check_online()?;
        let candidates = self.candidates(loaded)?;
        let log_start_offset = loaded.log_start_offset.load(Ordering::Acquire);
        let reasons = decide(&candidates, &self.config(), log_start_offset, high_watermark, now_ms);
        if reasons.is_empty() {
            return Ok(0);
        }
        if reasons.len() == candidates.len() {
            let end = loaded.tail().end_offset;
            self.roll_to(loaded, &mut writer, end)?;
        }
        for (candidate, reason) in candidates.iter().zip(&reasons) {
            tracing::info!(
                partition = %self.partition, base_offset = candidate.base_offset, size_bytes = candidate.size_bytes,
                "deleting segment due to {reason}"
            );
        }
        self.drop_first(loaded, &mut writer, reasons.len(), now_ms)?;
        Ok(reasons.len())
    }

    /// Where the log would begin (inclusive) after [`Log::delete_old_segments`]; `None` if nothing would go.
    ///
    /// # Errors
    /// A failing disk.
    pub fn start_after_retention(&self, high_watermark: i64, now_ms: i64) -> Result<Option<i64>, Error> {
        let loaded = self.loaded()?;
        let _structure = self.lock_structure(loaded)?;
        self.log_dir.check_online()?;
        let candidates = self.candidates(loaded)?;
        let log_start_offset = loaded.log_start_offset.load(Ordering::Acquire);
        let reasons = decide(&candidates, &self.config(), log_start_offset, high_watermark, now_ms);
        let last = reasons.len().checked_sub(1).and_then(|last| candidates.get(last));
        Ok(last.map(|last| last.end_offset))
    }

    pub(super) fn candidates(&self, loaded: &Loaded) -> Result<Vec<Candidate>, Error> {
        let segments = loaded.segments();
        let ends = segments.iter().skip(1).map(|next| next.base_offset()).chain([loaded.tail().end_offset]);
        let mut candidates = Vec::with_capacity(segments.len());
        for (segment, end_offset) in segments.iter().zip(ends) {
            let max_timestamp = self.age_of(loaded, segment);
            candidates.push(Candidate {
                base_offset: segment.base_offset(),
                end_offset,
                size_bytes: segment.size(),
                max_timestamp: self.log_dir.check("reading a time index", max_timestamp)?,
            });
        }
        Ok(candidates)
    }

    /// A segment whose records have no timestamps is as old as its file (`LogSegment.largestTimestamp`).
    pub(super) fn age_of(&self, loaded: &Loaded, segment: &Segment) -> io::Result<i64> {
        let place = self.place(loaded);
        match segment.max_timestamp(place)? {
            timestamp if timestamp >= 0 => Ok(timestamp),
            _ => Ok(place.file_system().metadata(&place.path(segment.base_offset(), LOG_SUFFIX))?.modified_ms),
        }
    }

    /// Takes the first segments out of the log; their files go later. The start of the log moves first: whoever reads meanwhile is
    /// told that these offsets are gone.
    fn drop_first(&self, loaded: &Loaded, writer: &mut Writer, count: usize, now_ms: i64) -> Result<(), Error> {
        let Some(first) = loaded.segments().get(count).map(|segment| segment.base_offset()) else { return Ok(()) };
        self.raise_log_start(loaded, writer, first);
        let dropped: Vec<Arc<Segment>> = loaded.change_segments(|segments| segments.drain(..count).collect());
        let removed = self.rename_for_deletion(loaded, writer, &dropped, now_ms);
        self.log_dir.check("deleting segments", removed)?;
        Ok(())
    }

    /// Gives the files of segments that are out of the log names for deletion, in the order given: were only the first
    /// of them to get theirs, the others must follow each other.
    pub(super) fn rename_for_deletion(
        &self,
        loaded: &Loaded,
        writer: &mut Writer,
        dropped: &[Arc<Segment>],
        now_ms: i64,
    ) -> io::Result<()> {
        let place = self.place(loaded);
        let due_ms = now_ms.saturating_add(self.config().file_delete_delay_ms);
        for segment in dropped {
            let mut deleted = segment.retire(place)?;
            if writer.producers.forget_snapshot(segment.base_offset()) {
                let path = snapshot_path(place.folder, segment.base_offset());
                let renamed = with_suffix(&path, DELETED_SUFFIX);
                match place.file_system().rename(&path, &renamed) {
                    Ok(()) => deleted.push(renamed),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
            deleted.into_iter().for_each(|path| self.log_dir.schedule_deletion(path, due_ms));
        }
        place.file_system().sync_dir(place.folder)
    }

    /// Moves the log start offset up; whatever was measured from the old one follows.
    pub(super) fn raise_log_start(&self, loaded: &Loaded, writer: &mut Writer, offset: i64) {
        if loaded.log_start_offset.fetch_max(offset, Ordering::AcqRel) < offset {
            loaded.change_epochs(|epochs| epochs.truncate_from_start(offset));
            writer.producers.on_log_start_offset_incremented(offset);
        }
    }

    /// Moves the log start offset up to `offset`, which may lie inside a batch, so that nothing before it is read again
    /// (DeleteRecords). The files go with the next [`Log::delete_old_segments`]. Returns the log start offset.
    ///
    /// # Errors
    /// [`Error::OffsetOutOfRange`] for an offset above the log end offset.
    pub fn increment_log_start_offset(&self, offset: i64) -> Result<i64, Error> {
        let loaded = self.loaded()?;
        let mut writer = lock(&loaded.writer);
        self.log_dir.check_online()?;
        let offsets = loaded.offsets();
        if offset > offsets.log_end_offset {
            let (log_start_offset, log_end_offset) = (offsets.log_start_offset, offsets.log_end_offset);
            return Err(Error::OffsetOutOfRange { offset, log_start_offset, log_end_offset });
        }
        self.raise_log_start(loaded, &mut writer, offset);
        Ok(loaded.log_start_offset.load(Ordering::Acquire))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates() -> Vec<Candidate> {
        (0..4)
            .map(|n| Candidate {
                base_offset: n * 10,
                end_offset: n * 10 + 10,
                size_bytes: 100,
                max_timestamp: n * 1000,
            })
            .collect()
    }

    fn keep() -> LogConfig {
        LogConfig { retention_ms: None, retention_bytes: None, ..LogConfig::default() }
    }

    #[test]
    fn nothing_goes_without_a_reason() {
        assert_eq!(decide(&candidates(), &keep(), 0, 40, i64::MAX), []);
    }

    #[test]
    fn old_segments_go_up_to_the_first_young_one() {
        let config = LogConfig { retention_ms: Some(1000), ..keep() };
        assert_eq!(decide(&candidates(), &config, 0, 40, 2500), [Reason::Time { retention_ms: 1000 }; 2]);
        assert_eq!(decide(&candidates(), &config, 0, 15, 9000), [Reason::Time { retention_ms: 1000 }; 1]);
        assert_eq!(decide(&candidates(), &config, 0, 40, 9000).len(), 4, "the active one too");
    }

    #[test]
    fn size_leaves_at_least_what_is_allowed() {
        for (bytes, gone) in [(400, 0), (301, 0), (300, 1), (250, 1), (100, 3), (0, 4)] {
            let config = LogConfig { retention_bytes: Some(bytes), ..keep() };
            assert_eq!(decide(&candidates(), &config, 0, 40, 0).len(), gone, "{bytes}");
        }
    }

    #[test]
    fn what_lies_before_the_log_start_goes() {
        assert_eq!(decide(&candidates(), &keep(), 25, 40, 0), [Reason::LogStartOffset { log_start_offset: 25 }; 2]);
    }

    #[test]
    fn an_empty_active_segment_stays() {
        let empty = Candidate { base_offset: 0, end_offset: 0, size_bytes: 0, max_timestamp: 0 };
        let config = LogConfig { retention_ms: Some(1), retention_bytes: Some(0), ..keep() };
        assert_eq!(decide(&[empty], &config, 0, 0, i64::MAX), []);
    }
}
