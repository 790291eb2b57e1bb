//! A line on the terminal that tells how far long work is. Nothing is shown where standard error is no terminal.

use std::io::{IsTerminal, Write, stderr};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const STEP: Duration = Duration::from_millis(100);
const WIDTH: u64 = 30;

/// Bytes done out of a total. Several threads may add to it.
pub(crate) struct Progress {
    label: &'static str,
    total: u64,
    done: AtomicU64,
    /// When the line was written last; `None`: nobody looks.
    shown: Option<Mutex<Instant>>,
}

impl Progress {
    pub(crate) fn new(label: &'static str, total: u64) -> Self {
        let shown = stderr().is_terminal().then(|| Mutex::new(Instant::now()));
        Self { label, total, done: AtomicU64::new(0), shown }
    }

    pub(crate) fn add(&self, bytes: u64) {
        let done = self.done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let Some(shown) = &self.shown else { return };
        let mut shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
        if shown.elapsed() >= STEP {
            *shown = Instant::now();
            let _ = write!(stderr(), "\r{}", self.bar(done));
        }
    }

    fn bar(&self, done: u64) -> String {
        let share = |of: u64| done.min(self.total).saturating_mul(of).checked_div(self.total).unwrap_or(of);
        let filled = usize::try_from(share(WIDTH)).unwrap_or(0);
        let empty = usize::try_from(WIDTH).unwrap_or(0).saturating_sub(filled);
        let megabytes = |bytes: u64| bytes / 1_000_000;
        format!(
            "{} [{}{}] {:3} %  {} of {} MB",
            self.label,
            "#".repeat(filled),
            " ".repeat(empty),
            share(100),
            megabytes(done),
            megabytes(self.total)
        )
    }
}

impl Drop for Progress {
    /// Wipes the line, so that what is printed next begins on a clean one.
    fn drop(&mut self) {
        if self.shown.is_some() {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_fills_and_never_overflows() {
        let progress = Progress { label: "verify", total: 2_000_000, done: AtomicU64::new(0), shown: None };
        assert_eq!(progress.bar(1_000_000), format!("verify [{}{}]  50 %  1 of 2 MB", "#".repeat(15), " ".repeat(15)));
        assert!(progress.bar(9_000_000).contains("100 %"));
        let nothing = Progress { label: "verify", total: 0, done: AtomicU64::new(0), shown: None };
        assert!(nothing.bar(0).contains("100 %"));
    }
}
