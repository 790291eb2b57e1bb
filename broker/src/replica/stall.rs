//! Appends are done by the task that read the request, since handing one to another thread costs more than the append.
//! While the disk stalls, that would stop every connection of the worker: then, and only then, they make room first.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::{Handle, RuntimeFlavor};

/// An append into the page cache takes microseconds; this long, and the kernel holds writers back.
const SLOW: Duration = Duration::from_millis(10);

/// Whether the last append to a log directory took long.
#[derive(Debug, Default)]
pub struct Stall {
    is_slow: AtomicBool,
}

impl Stall {
    /// Runs an append: at once, or in a blocking section if the one before was slow.
    pub(super) fn run<R>(&self, append: impl FnOnce() -> R) -> R {
        let was_slow = self.is_slow.load(Ordering::Relaxed);
        let begun = Instant::now();
        let result = if was_slow { blocking(append) } else { append() };
        let is_slow = begun.elapsed() > SLOW;
        if is_slow != was_slow {
            self.is_slow.store(is_slow, Ordering::Relaxed);
        }
        result
    }
}

/// Runs what may block for long so that the runtime's other tasks go on.
pub fn blocking<R>(work: impl FnOnce() -> R) -> R {
    match Handle::try_current().map(|handle| handle.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        _ => work(),
    }
}
