//! What is counted while the broker serves, and what a scrape makes of it. Counting is a relaxed addition to a number that
//! other workers rarely touch; everything else is looked up when somebody asks.

mod counter;
mod exposition;
mod families;
mod groups;
mod process;
mod traffic;

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::runtime::RuntimeMetrics;
use tokio::time::Instant;

pub use counter::Counters;
pub use families::scrape;
pub use traffic::{Totals, Traffic};

/// Counters for API keys up to this one; Kafka's highest is below it.
const API_KEYS: usize = 128;

/// What a broker counts beside its partitions' own traffic.
#[derive(Debug)]
pub struct Metrics {
    requests: Counters<API_KEYS>,
    /// Open connections by listener.
    connections: Mutex<Vec<(Arc<str>, Arc<AtomicUsize>)>>,
    started: Instant,
    workers: Mutex<Workers>,
}

/// How busy the runtime's workers were at the last look.
#[derive(Debug, Default)]
struct Workers {
    looked: Duration,
    busy: Duration,
    idle_ratio: Option<f64>,
}

impl Metrics {
    pub fn new() -> Self {
        Self {
            requests: Counters::default(),
            connections: Mutex::default(),
            started: Instant::now(),
            workers: Mutex::default(),
        }
    }

    /// Counts a request.
    pub fn request(&self, api_key: i16) {
        self.requests.add(usize::try_from(api_key).unwrap_or(API_KEYS), 1);
    }

    /// Requests so far with that API key.
    pub fn requests(&self, api_key: i16) -> u64 {
        self.requests.get(usize::try_from(api_key).unwrap_or(API_KEYS))
    }

    /// Shows `count`, the open connections of a listener; whoever accepts them keeps it up.
    pub fn show_connections(&self, listener: &Arc<str>, count: &Arc<AtomicUsize>) {
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        connections.push((Arc::clone(listener), Arc::clone(count)));
    }

    /// Open connections by listener.
    fn connections(&self) -> Vec<(Arc<str>, usize)> {
        let connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        connections.iter().map(|(name, count)| (Arc::clone(name), count.load(Ordering::Relaxed))).collect()
    }

    /// The share of their time, 0 to 1, that the runtime's workers had nothing to do since the last look, or since the start.
    fn idle_ratio(&self, runtime: &RuntimeMetrics) -> f64 {
        let busy =
            (0..runtime.num_workers()).map(|worker| runtime.worker_total_busy_duration(worker)).sum::<Duration>();
        let mut workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.started.elapsed();
        let span = now.saturating_sub(workers.looked) * u32::try_from(runtime.num_workers()).unwrap_or(1);
        // Two looks in a row would divide by nearly nothing.
        if span < Duration::from_millis(1)
            && let Some(ratio) = workers.idle_ratio
        {
            return ratio;
        }
        let busy_now = busy.saturating_sub(workers.busy);
        let ratio = (1.0 - busy_now.as_secs_f64() / span.as_secs_f64().max(f64::MIN_POSITIVE)).clamp(0.0, 1.0);
        *workers = Workers { looked: now, busy, idle_ratio: Some(ratio) };
        ratio
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_key() {
        let metrics = Metrics::new();
        for key in [0, 0, 18, i16::MAX, -1] {
            metrics.request(key);
        }
        assert_eq!((metrics.requests(0), metrics.requests(18), metrics.requests(1)), (2, 1, 0));
    }

    #[test]
    fn counts_of_connections_are_those_of_now() {
        let metrics = Metrics::new();
        let (name, count) = (Arc::from("INSIDE"), Arc::new(AtomicUsize::new(1)));
        metrics.show_connections(&name, &count);
        count.fetch_add(2, Ordering::Relaxed);
        assert_eq!(metrics.connections(), [(name, 3)]);
    }
}
