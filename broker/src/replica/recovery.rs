//! How far the recovery after a crash has come.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Logs to recover, and those that are.
#[derive(Debug, Default)]
pub struct Recovery {
    total: AtomicUsize,
    done: AtomicUsize,
    is_over: AtomicBool,
}

/// Where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecoveryProgress {
    /// Logs to look at; 0 before the recovery begins, and without one.
    pub total: usize,
    pub done: usize,
    /// All were looked at; those that failed too.
    pub is_over: bool,
}

/// One log being recovered; counts as done when dropped.
pub(super) struct Step<'a>(&'a Recovery);

impl Recovery {
    pub(super) fn begin(&self, total: usize) {
        self.total.store(total, Ordering::Release);
    }

    pub(super) fn step(&self) -> Step<'_> {
        Step(self)
    }

    pub(super) fn end(&self) {
        self.is_over.store(true, Ordering::Release);
    }

    /// Where it stands.
    pub fn progress(&self) -> RecoveryProgress {
        RecoveryProgress {
            total: self.total.load(Ordering::Acquire),
            done: self.done.load(Ordering::Acquire),
            is_over: self.is_over.load(Ordering::Acquire),
        }
    }
}

impl Drop for Step<'_> {
    fn drop(&mut self) {
        self.0.done.fetch_add(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_count_when_they_end() {
        let recovery = Recovery::default();
        recovery.begin(2);
        let step = recovery.step();
        assert_eq!(recovery.progress(), RecoveryProgress { total: 2, done: 0, is_over: false });
        drop(step);
        recovery.end();
        assert_eq!(recovery.progress(), RecoveryProgress { total: 2, done: 1, is_over: true });
    }
}
