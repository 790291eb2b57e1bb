//! Who cleans which log when: the dirtiest first, none by two threads, none again whose bytes are damaged.
//! Source: `LogCleaner`, `LogCleanerManager`.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use protocol::ids::Uuid;
use storage::Error;
use storage::cleaner::{CleanError, CleanStats, Cleanable, CleanerOptions, Pace, clean};

use super::throttle::Throttle;
use super::{Partition, ReplicaManager};
use crate::clock::Clock;
use crate::config::CleanerSettings;
use crate::metrics::CleanerMetrics;

/// The cleaner of a broker, shared by its threads.
pub struct LogCleaner {
    replicas: Arc<ReplicaManager>,
    clock: Clock,
    metrics: Arc<CleanerMetrics>,
    state: Mutex<State>,
    throttle: Mutex<Throttle>,
}

/// A partition of a topic, which one of the same name made later is not.
type Key = (Uuid, i32);

#[derive(Default)]
struct State {
    in_progress: HashSet<Key>,
    /// Logs that could not be read or rewritten; until the next start.
    uncleanable: HashSet<Key>,
}

/// Waits; false if it is time to stop.
pub(super) type Wait<'a> = &'a dyn Fn(Duration) -> bool;

impl LogCleaner {
    pub fn new(replicas: Arc<ReplicaManager>, clock: Clock, metrics: Arc<CleanerMetrics>) -> Self {
        Self { replicas, clock, metrics, state: Mutex::default(), throttle: Mutex::default() }
    }

    /// Cleans the dirtiest log that is due, then lets old segments of compacted logs go. True if a log was cleaned, so that
    /// another may be due. Blocks for as long as that takes, or until `wait` says that it is time to stop.
    pub fn clean_dirtiest(&self, settings: &CleanerSettings, wait: Wait<'_>) -> bool {
        let cleaned = match self.grab_dirtiest() {
            Some((partition, cleanable)) => {
                let cleaned = self.clean(&partition, &cleanable, settings, wait);
                self.lock().in_progress.remove(&key(&partition));
                cleaned
            }
            None => false,
        };
        self.delete_old_segments();
        cleaned
    }

    /// The partition to clean next, which nobody else gets until it is done.
    fn grab_dirtiest(&self) -> Option<(Arc<Partition>, Cleanable)> {
        let now_ms = self.clock.now_ms();
        let mut dirtiest: Option<(Arc<Partition>, Cleanable)> = None;
        let mut delay_ms = 0;
        for partition in self.compacted() {
            let cleanable = match self.cleanable(&partition, now_ms) {
                Some(cleanable) => cleanable,
                None => continue,
            };
            delay_ms = cleanable.delay_ms.max(delay_ms);
            if dirtiest.as_ref().is_none_or(|(_, other)| other.ratio() < cleanable.ratio()) {
                dirtiest = Some((partition, cleanable));
            }
        }
        let ratio = dirtiest.as_ref().map_or(0.0, |(_, cleanable)| cleanable.ratio());
        self.metrics.looked(ratio, Duration::from_millis(u64::try_from(delay_ms).unwrap_or(0)));
        let is_free = |(partition, _): &(Arc<Partition>, Cleanable)| self.lock().in_progress.insert(key(partition));
        dirtiest.filter(is_free)
    }

    /// Compacted partitions that no thread cleans and that can be cleaned.
    fn compacted(&self) -> Vec<Arc<Partition>> {
        let table = self.replicas.table();
        let mut state = self.lock();
        state.uncleanable.retain(|(topic_id, _)| table.by_id(*topic_id).is_some());
        self.metrics.show_uncleanable(state.uncleanable.iter().copied().collect());
        let is_wanted = |partition: &&Arc<Partition>| {
            let (log, key) = (partition.log(), key(partition));
            log.config().compact
                && !log.log_dir().is_offline()
                && !state.in_progress.contains(&key)
                && !state.uncleanable.contains(&key)
        };
        table.partitions().filter(is_wanted).cloned().collect()
    }

    fn cleanable(&self, partition: &Partition, now_ms: i64) -> Option<Cleanable> {
        // One that is being recovered, or whose directory failed, is not looked at now.
        let last_stable_offset = partition.last_stable_offset().ok()?;
        match partition.log().cleanable(last_stable_offset, now_ms) {
            Ok(cleanable) => cleanable,
            Err(error) => {
                self.failed(partition, &error.into());
                None
            }
        }
    }

    fn clean(&self, partition: &Partition, cleanable: &Cleanable, settings: &CleanerSettings, wait: Wait<'_>) -> bool {
        let pace = Throttled { throttle: &self.throttle, bytes_per_second: settings.bytes_per_second, wait };
        let started = Instant::now();
        let log = partition.log();
        let options = CleanerOptions { remote_start_offset: partition.tiered().start_offset(), ..settings.options };
        match clean(&log, cleanable, &options, self.clock.now_ms(), &pace) {
            Ok(stats) => {
                report(partition, &stats, started.elapsed());
                self.metrics.cleaned(&stats, started.elapsed());
                true
            }
            Err(error) => {
                self.failed(partition, &error);
                false
            }
        }
    }

    /// What is damaged stays damaged: it is not tried again.
    fn failed(&self, partition: &Partition, error: &CleanError) {
        match error {
            CleanError::Aborted | CleanError::Log(Error::Offline(_) | Error::Deleted) => {
                tracing::debug!(partition = %partition.name(), %error, "the log was not cleaned");
            }
            CleanError::NoSpace(_) => tracing::warn!(partition = %partition.name(), %error, "the log was not cleaned"),
            CleanError::Log(_) | CleanError::Rewrite { .. } | CleanError::TooLarge { .. } => {
                tracing::warn!(partition = %partition.name(), %error, "cannot clean the log, marking it as uncleanable");
                self.lock().uncleanable.insert(key(partition));
            }
        }
    }

    /// Retention of compacted logs: those with both policies lose old segments, and all of them what lies before their start.
    fn delete_old_segments(&self) {
        let now_ms = self.clock.now_ms();
        for partition in self.compacted().iter().filter(|partition| partition.is_loaded()) {
            if let Err(error) = partition.delete_old_segments(now_ms) {
                tracing::error!(partition = %partition.name(), %error, "cannot apply retention");
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(partition: &Partition) -> Key {
    (partition.log().topic_id(), partition.name().partition)
}

fn report(partition: &Partition, stats: &CleanStats, elapsed: Duration) {
    tracing::info!(
        partition = %partition.name(), from = stats.first_dirty_offset, to = stats.next_dirty_offset,
        bytes_read = stats.map_bytes_read + stats.bytes_read, bytes_written = stats.bytes_written,
        records_read = stats.records_read, records_retained = stats.records_retained,
        map_utilization = stats.map_utilization, elapsed_ms = elapsed.as_millis(), "log cleaned"
    );
    if stats.records_without_key > 0 {
        let count = stats.records_without_key;
        tracing::warn!(partition = %partition.name(), count, "found records without a key during compaction");
    }
}

/// All threads together read and write so many bytes a second.
struct Throttled<'a> {
    throttle: &'a Mutex<Throttle>,
    bytes_per_second: f64,
    wait: Wait<'a>,
}

impl Pace for Throttled<'_> {
    fn go_on(&self, bytes: usize) -> bool {
        let mut throttle = self.throttle.lock().unwrap_or_else(PoisonError::into_inner);
        let delay = throttle.spend(bytes, self.bytes_per_second, Instant::now());
        drop(throttle);
        (self.wait)(delay)
    }
}
