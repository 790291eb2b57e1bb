//! Files and folders that were renamed to be deleted, and when their delay is over.

use std::collections::BTreeSet;
use std::path::PathBuf;

/// What one step of deletion did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeletionStep {
    /// How many files and folders were removed.
    pub deleted: usize,
    /// When the next one is due, in ms since the epoch; `None` when nothing is left.
    pub next_due_ms: Option<i64>,
}

/// The queue, ordered by time.
#[derive(Debug, Default)]
pub(super) struct Deletions {
    queue: BTreeSet<(i64, PathBuf)>,
}

impl Deletions {
    pub(super) fn add(&mut self, path: PathBuf, due_ms: i64) {
        self.queue.insert((due_ms, path));
    }

    /// The first path whose time has come, taken out.
    pub(super) fn take_due(&mut self, now_ms: i64) -> Option<PathBuf> {
        if self.next_due_ms()? > now_ms {
            return None;
        }
        self.queue.pop_first().map(|(_, path)| path)
    }

    pub(super) fn next_due_ms(&self) -> Option<i64> {
        self.queue.first().map(|(due_ms, _)| *due_ms)
    }
}
