//! What is counted while the broker serves, and what a scrape makes of it. Counting is a relaxed addition to a number that
//! other workers rarely touch; everything else is looked up when somebody asks.

mod cleaner;
mod distribution;
mod exposition;
mod families;
mod groups;
mod partition_health;
mod process;
mod quorum;
mod remote;
mod request_families;
mod requests;
mod topic_traffic;
mod traffic;

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::runtime::RuntimeMetrics;
use tokio::time::Instant;

pub use cleaner::CleanerMetrics;
pub use families::scrape;
pub use partition_health::Health;
use quorum::QuorumMetrics;
pub use remote::RemoteTraffic;
pub use requests::RequestMetrics;
pub use traffic::{Totals, Traffic};

/// What a broker counts beside its partitions' own traffic.
#[derive(Debug)]
pub struct Metrics {
    pub requests: RequestMetrics,
    pub cleaner: Arc<CleanerMetrics>,
    quorum: QuorumMetrics,
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
    idle_ns: u64,
}

impl Metrics {
    pub fn new() -> Self {
        Self {
            requests: RequestMetrics::new(),
            cleaner: Arc::default(),
            quorum: QuorumMetrics::default(),
            connections: Mutex::default(),
            started: Instant::now(),
            workers: Mutex::default(),
        }
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

    /// The share of their time, 0 to 1, that the runtime's workers had nothing to do since the last look, or since the start; and
    /// for how many nanoseconds since the start, on the average.
    fn idle(&self, runtime: &RuntimeMetrics) -> (f64, u64) {
        let count = u32::try_from(runtime.num_workers()).unwrap_or(1).max(1);
        let busy = (0..runtime.num_workers()).map(|worker| runtime.worker_total_busy_duration(worker)).sum();
        let mut workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        workers.look(self.started.elapsed(), busy, count)
    }
}

impl Workers {
    /// At `now` since the start, `count` workers have been busy for `busy` together.
    fn look(&mut self, now: Duration, busy: Duration, count: u32) -> (f64, u64) {
        let idle = u64::try_from(now.saturating_sub(busy / count).as_nanos()).unwrap_or(u64::MAX);
        // A worker's time is told when its turn ends, and may come late.
        self.idle_ns = self.idle_ns.max(idle);
        let span = now.saturating_sub(self.looked) * count;
        // Two looks in a row would divide by nearly nothing.
        if span < Duration::from_millis(1)
            && let Some(ratio) = self.idle_ratio
        {
            return (ratio, self.idle_ns);
        }
        let busy_now = busy.saturating_sub(self.busy);
        let ratio = (1.0 - busy_now.as_secs_f64() / span.as_secs_f64().max(f64::MIN_POSITIVE)).clamp(0.0, 1.0);
        *self = Self { looked: now, busy, idle_ratio: Some(ratio), idle_ns: self.idle_ns };
        (ratio, self.idle_ns)
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
    fn idle_time_only_grows() {
        let (mut workers, seconds) = (Workers::default(), Duration::from_secs);
        assert_eq!(workers.look(seconds(10), seconds(5), 2), (0.75, 7_500_000_000));
        assert_eq!(workers.look(seconds(20), seconds(5), 2), (1.0, 17_500_000_000));
        assert_eq!(workers.look(seconds(20), seconds(5), 2), (1.0, 17_500_000_000));
        assert_eq!(workers.look(seconds(21), seconds(15), 2), (0.0, 17_500_000_000), "told late");
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
