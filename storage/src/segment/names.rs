//! The names of a segment's files, which change while it is swapped in and when it is out of the log. Whoever opens a file
//! by its name holds the lock of the names meanwhile, so that no reader gets another segment's file.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};

use super::{LOG_SUFFIX, Place, SUFFIXES, Segment};
use crate::file_system::{File, with_suffix};

/// Behind the names of a segment that is being written or was not wanted in the end.
pub(crate) const CLEANED_SUFFIX: &str = ".cleaned";
/// Behind the names of a segment that is whole and takes the place of others.
pub(crate) const SWAP_SUFFIX: &str = ".swap";
/// Behind the names of files that go after a delay.
pub(crate) const DELETED_SUFFIX: &str = ".deleted";

/// What stands behind the usual names.
#[derive(Default)]
pub(super) struct Names {
    pub(super) log: &'static str,
    pub(super) indexes: &'static str,
    /// The log file of a segment that is out of the log: readers that still have the segment go on with it.
    retired: Option<Arc<dyn File>>,
}

impl Names {
    pub(super) fn all(suffix: &'static str) -> Self {
        Self { log: suffix, indexes: suffix, retired: None }
    }

    pub(super) fn retired_log(&self) -> Option<&Arc<dyn File>> {
        self.retired.as_ref()
    }
}

impl Segment {
    /// Whether the segment is out of the log, and its files may be gone.
    pub(crate) fn is_retired(&self) -> bool {
        self.names().retired_log().is_some()
    }

    /// Gives the `.log` file another suffix. Not synced.
    pub(crate) fn rename_log(&self, place: Place<'_>, suffix: &'static str) -> io::Result<()> {
        self.change_names(|names| {
            self.rename(place, LOG_SUFFIX, names.log, suffix)?;
            names.log = suffix;
            Ok(())
        })
    }

    /// Gives the files of the indexes another suffix. Not synced.
    pub(crate) fn rename_indexes(&self, place: Place<'_>, suffix: &'static str) -> io::Result<()> {
        self.change_names(|names| {
            for kind in &SUFFIXES[1..] {
                self.rename(place, kind, names.indexes, suffix)?;
            }
            names.indexes = suffix;
            Ok(())
        })
    }

    /// Gives all files names for deletion, the log first, and returns those. The segment must be out of the log; readers that
    /// have it go on with the file. Not synced.
    pub(crate) fn retire(&self, place: Place<'_>) -> io::Result<Vec<PathBuf>> {
        let file = match self.log_file(place) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            file => Some(file?),
        };
        self.change_names(|names| {
            names.retired = file;
            let mut renamed = Vec::new();
            for kind in SUFFIXES {
                let from = if kind == LOG_SUFFIX { names.log } else { names.indexes };
                renamed.extend(self.rename(place, kind, from, DELETED_SUFFIX)?);
            }
            (names.log, names.indexes) = (DELETED_SUFFIX, DELETED_SUFFIX);
            Ok(renamed)
        })
    }

    fn change_names<R>(&self, change: impl FnOnce(&mut Names) -> io::Result<R>) -> io::Result<R> {
        let mut names = self.names.write().unwrap_or_else(PoisonError::into_inner);
        self.release();
        change(&mut names)
    }

    /// The new path; `None` if there is no such file.
    fn rename(&self, place: Place<'_>, kind: &str, from: &str, to: &str) -> io::Result<Option<PathBuf>> {
        let path = place.path(self.base_offset, kind);
        let renamed = with_suffix(&path, to);
        match place.file_system().rename(&with_suffix(&path, from), &renamed) {
            Ok(()) => Ok(Some(renamed)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}
