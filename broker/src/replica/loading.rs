//! One loads a log, the others wait for a moment.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Loading after a clean stop takes less; a recovery may take longer, and a client had better ask again than hang.
const PATIENCE: Duration = Duration::from_millis(200);

/// Whose turn it is to load.
#[derive(Debug, Default)]
pub(super) struct Loading {
    is_taken: Mutex<bool>,
    freed: Condvar,
}

/// The right to load, until dropped.
#[derive(Debug)]
pub(super) struct Turn<'a>(&'a Loading);

impl Loading {
    /// Takes the turn; `None` if somebody had it for longer than [`PATIENCE`]. Blocks.
    pub(super) fn begin(&self) -> Option<Turn<'_>> {
        let waited = self.freed.wait_timeout_while(self.lock(), PATIENCE, |is_taken| *is_taken);
        let (mut is_taken, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if *is_taken {
            return None;
        }
        *is_taken = true;
        Some(Turn(self))
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        self.is_taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.0.lock() = false;
        self.0.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_and_the_next_when_it_is_done() {
        let loading = Loading::default();
        let first = loading.begin().unwrap();
        assert!(loading.begin().is_none());
        std::thread::scope(|scope| {
            let second = scope.spawn(|| loading.begin().is_some());
            drop(first);
            assert!(second.join().unwrap());
        });
    }
}
