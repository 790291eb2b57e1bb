//! Bytes per second, inside a segment too: Kafka's quota counts whole segments, so that one of 1 GiB still bursts (KIP-956).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// A limit that many share.
#[derive(Debug)]
pub struct RateLimit {
    bytes_per_second: AtomicU64,
    /// When what was let through so far is paid for.
    free_at: Mutex<Option<Instant>>,
}

impl RateLimit {
    pub fn new(bytes_per_second: u64) -> Self {
        Self { bytes_per_second: AtomicU64::new(bytes_per_second), free_at: Mutex::default() }
    }

    /// What is asked for from now on goes by the new limit.
    pub fn set(&self, bytes_per_second: u64) {
        self.bytes_per_second.store(bytes_per_second, Ordering::Relaxed);
    }

    /// Waits until `bytes` may go. A burst is never longer than what one caller asks for at once.
    ///
    /// # Cancel safety
    /// Who is dropped while waiting has used up its turn.
    pub async fn acquire(&self, bytes: u64) {
        if let Some(start) = self.reserve(bytes, Instant::now()) {
            tokio::time::sleep_until(start).await;
        }
    }

    /// When `bytes` may go; `None`: now.
    fn reserve(&self, bytes: u64, now: Instant) -> Option<Instant> {
        let rate = self.bytes_per_second.load(Ordering::Relaxed).max(1);
        let cost = Duration::from_secs_f64((bytes as f64 / rate as f64).min(86_400.0));
        let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
        let start = free_at.map_or(now, |free_at| free_at.max(now));
        *free_at = Some(start + cost);
        (start > now).then_some(start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_is_paid_for_by_who_comes_next() {
        let limit = RateLimit::new(1000);
        let now = Instant::now();
        let second = Duration::from_secs(1);
        assert_eq!(limit.reserve(2000, now), None);
        assert_eq!(limit.reserve(500, now), Some(now + second * 2));
        assert_eq!(limit.reserve(1, now + second), Some(now + second * 5 / 2));
        assert_eq!(limit.reserve(1, now + second * 9), None, "idle time is not saved up");
        limit.set(u64::MAX);
        assert_eq!(limit.reserve(u64::MAX, now + second * 11), None);
    }
}
