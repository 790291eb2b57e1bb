//! A cleaned segment takes the place of others, so that a crash at any point leaves either. Source: `LocalLog.replaceSegments`,
//! `LogLoader.removeTempFilesAndCollectSwapFiles`.
//!
//! ```text
//! 1  *.cleaned, and their names, are durable             crash: they are removed
//! 2  all become *.swap                            sync   crash: while one is *.cleaned, all are removed
//! 3  the old files become *.deleted               sync   crash: old files in the way are removed, then 4 and 5
//! 4  the log gets its name                        sync   crash: as after 3 while it is *.swap
//! 5  the indexes get theirs                       sync   crash: they get them
//! ```
//! Renames between two syncs reach the disk in any order or not at all, hence a sync after each step.

use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::{Compaction, Log, lock};
use crate::cleaner::{CleanError, CleanedSegment};
use crate::error::Error;
use crate::file_system::{FileSystem, OpenMode, with_suffix};
use crate::producer_state::snapshot_path;
use crate::segment::{
    CLEANED_SUFFIX, DELETED_SUFFIX, Hopper, LOG_SUFFIX, Place, SUFFIXES, SWAP_SUFFIX, Segment, base_offset_of,
};

impl Log {
    /// Puts `cleaned`, which is durable, in the place of the segments `range` of a cleaning. Readers go on all the time, and
    /// appends: only changes of other segments wait.
    pub(crate) fn replace_segments(
        &self,
        compaction: &Compaction,
        range: Range<usize>,
        cleaned: Segment,
        now_ms: i64,
    ) -> Result<(), CleanError> {
        let loaded = self.loaded()?;
        let _structure = lock(&loaded.structure);
        let old = compaction.segments.get(range).unwrap_or_default();
        let place_of_old = loaded.segments().windows(old.len().max(1)).position(|segments| {
            segments.len() == old.len() && segments.iter().zip(old).all(|(there, old)| Arc::ptr_eq(there, old))
        });
        let Some(at) = place_of_old.filter(|_| self.is_unchanged(compaction)) else { return Err(CleanError::Aborted) };
        let failed = |error| self.compaction_failed(compaction, "swapping in a cleaned segment", error);
        let place = self.place(loaded);
        let sync = || place.file_system().sync_dir(place.folder);
        cleaned.rename_indexes(place, SWAP_SUFFIX).map_err(failed)?;
        cleaned.rename_log(place, SWAP_SUFFIX).map_err(failed)?;
        sync().map_err(failed)?;
        let cleaned = Arc::new(cleaned);
        loaded.change_segments(|segments| segments.splice(at..at + old.len(), [Arc::clone(&cleaned)]).for_each(drop));
        // There is no way back from here: whatever fails takes the directory offline, and the next start finishes the swap.
        let swapped = self.retire_replaced(place, old, now_ms).and_then(|()| {
            cleaned.rename_log(place, "")?;
            sync()?;
            cleaned.rename_indexes(place, "")?;
            sync()
        });
        Ok(self.log_dir.check("swapping in a cleaned segment", swapped).map_err(Error::from)?)
    }

    /// The old files get names for deletion, and so do the producer snapshots at offsets where no segment begins any more.
    fn retire_replaced(&self, place: Place<'_>, old: &[Arc<Segment>], now_ms: i64) -> io::Result<()> {
        let due_ms = now_ms.saturating_add(self.config().file_delete_delay_ms);
        for (number, segment) in old.iter().enumerate() {
            for path in segment.retire(place)? {
                self.log_dir.schedule_deletion(path, due_ms);
            }
            if number > 0 && self.forget_snapshot(segment.base_offset()) {
                let path = snapshot_path(place.folder, segment.base_offset());
                let deleted = with_suffix(&path, DELETED_SUFFIX);
                match place.file_system().rename(&path, &deleted) {
                    Ok(()) => self.log_dir.schedule_deletion(deleted, due_ms),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
        }
        place.file_system().sync_dir(place.folder)
    }

    fn forget_snapshot(&self, offset: i64) -> bool {
        self.loaded.get().is_some_and(|loaded| lock(&loaded.writer).producers.forget_snapshot(offset))
    }

    /// Removes what a cleaning that was given up has written. A failure leaves files that the next start removes.
    pub(crate) fn remove_cleaned(&self, base_offset: i64) {
        if let Ok(place) = self.compaction_place()
            && let Err(error) = CleanedSegment::remove(place, base_offset)
        {
            tracing::warn!(partition = %self.partition, base_offset, %error, "cannot remove a cleaned segment");
        }
    }
}

/// Brings a swap that a crash interrupted to its end, or undoes it. To be called before the segments of `folder` are listed.
pub(super) fn finish_swaps(place: Place<'_>) -> io::Result<()> {
    let (file_system, folder) = (place.file_system(), place.folder);
    let names: Vec<String> = file_system.read_dir(folder)?.into_iter().map(|entry| entry.name).collect();
    let with = |suffix: &'static str| names.iter().filter_map(move |name| name.strip_suffix(suffix));
    let first_cleaned = with(CLEANED_SUFFIX).filter_map(offset_of).min().unwrap_or(i64::MAX);
    let is_valid = |name: &&str| offset_of(name).is_some_and(|offset| offset < first_cleaned);
    // Were a `.cleaned` file to go first, the rest would look whole.
    remove_all(file_system, folder, with(SWAP_SUFFIX).filter(|name| !is_valid(name)), SWAP_SUFFIX)?;
    remove_all(file_system, folder, with(CLEANED_SUFFIX), CLEANED_SUFFIX)?;
    let (logs, indexes): (Vec<&str>, Vec<&str>) =
        with(SWAP_SUFFIX).filter(is_valid).partition(|name| base_offset_of(name, LOG_SUFFIX).is_some());
    for name in &logs {
        tracing::info!(file = %name, "finishing a swap that was interrupted");
        let replaced = offsets_of_swap(place, name)?;
        let in_the_way =
            names.iter().map(String::as_str).filter(|name| offset_of(name).is_some_and(|o| replaced.contains(&o)));
        remove_all(file_system, folder, in_the_way, "")?;
    }
    for names in [logs, indexes] {
        for name in &names {
            file_system.rename(&folder.join(format!("{name}{SWAP_SUFFIX}")), &folder.join(name))?;
        }
        if !names.is_empty() {
            file_system.sync_dir(folder)?;
        }
    }
    Ok(())
}

/// The base offset in the name of any of a segment's files.
fn offset_of(name: &str) -> Option<i64> {
    SUFFIXES.iter().find_map(|suffix| base_offset_of(name, suffix))
}

fn remove_all<'a>(
    file_system: &dyn FileSystem,
    folder: &Path,
    names: impl Iterator<Item = &'a str>,
    suffix: &str,
) -> io::Result<()> {
    let mut removed = false;
    for name in names {
        match file_system.remove_file(&folder.join(format!("{name}{suffix}"))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => removed = true,
        }
    }
    if removed { file_system.sync_dir(folder) } else { Ok(()) }
}

/// Where segments begin whose place the one in `name`, which is waiting to be swapped in, has taken: from its own base offset, at
/// least that, to where its last batch ends.
fn offsets_of_swap(place: Place<'_>, name: &str) -> io::Result<Range<i64>> {
    let base_offset = base_offset_of(name, LOG_SUFFIX).unwrap_or(i64::MAX);
    let path = with_suffix(&place.path(base_offset, LOG_SUFFIX), SWAP_SUFFIX);
    let file = place.file_system().open(&path, OpenMode::Read)?;
    let mut hopper = Hopper::new(&*file, 0, file.size()?);
    let mut end = base_offset.saturating_add(1);
    while let Some(found) = hopper.next()? {
        end = end.max(found.header.next_offset());
    }
    Ok(base_offset..end)
}
