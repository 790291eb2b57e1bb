//! What the log cleaner has done lately, and what a scrape says of it: Kafka's beans `kafka.log:type=LogCleaner` and
//! `LogCleanerManager` as Strimzi's rules spell them.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use protocol::ids::Uuid;
use storage::cleaner::CleanStats;
use tokio::time::Instant;

use super::exposition::{Exposition, Kind};
use super::families::Scrape;
use Kind::Gauge;

/// What the cleaner's threads tell.
#[derive(Debug, Default)]
pub struct CleanerMetrics {
    state: Mutex<State>,
}

#[derive(Clone, Debug, Default)]
struct State {
    looked: Option<Instant>,
    dirtiest: f64,
    delay: Duration,
    last: CleanStats,
    last_took: Duration,
    uncleanable: Vec<(Uuid, i32)>,
}

impl CleanerMetrics {
    /// All logs were looked at: the share of dirty bytes of the dirtiest one, 0 to 1, and by how much the one that waits longest has
    /// stayed uncompacted longer than it may.
    pub fn looked(&self, dirtiest: f64, delay: Duration) {
        self.change(|state| *state = State { looked: Some(Instant::now()), dirtiest, delay, ..std::mem::take(state) });
    }

    /// A log was cleaned.
    pub fn cleaned(&self, stats: &CleanStats, took: Duration) {
        self.change(|state| *state = State { last: *stats, last_took: took, ..std::mem::take(state) });
    }

    /// The logs, by topic and partition, that could not be cleaned and are not tried again.
    pub fn show_uncleanable(&self, uncleanable: Vec<(Uuid, i32)>) {
        self.change(|state| state.uncleanable = uncleanable);
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn now(&self) -> State {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Scrape<'_> {
    pub(super) fn cleaner(&self, out: &mut Exposition) {
        let state = self.services.metrics.cleaner.now();
        let read = state.last.bytes_read.max(1) as f64;
        let percent = |share: f64| (100.0 * share) as i64;
        let gauges = [
            (
                "max_buffer_utilization_percent",
                "How full the last map of keys was.",
                percent(state.last.map_utilization),
            ),
            (
                "cleaner_recopy_percent",
                "Bytes that the last cleaning kept.",
                percent(state.last.bytes_written as f64 / read),
            ),
            ("max_clean_time_secs", "Seconds that the last cleaning took.", state.last_took.as_secs() as i64),
            ("max_compaction_delay_secs", "By how much a log waits longer than it may.", state.delay.as_secs() as i64),
        ];
        for (name, help, value) in gauges {
            out.single(&format!("kafka_log_logcleaner_{name}"), Gauge, help, value);
        }
        let manager = |name: &str| format!("kafka_log_logcleanermanager_{name}");
        let help = "Dirty share of the dirtiest log at the last look.";
        out.single(&manager("max_dirty_percent"), Gauge, help, percent(state.dirtiest));
        if let Some(looked) = state.looked {
            let ms = u64::try_from(looked.elapsed().as_millis()).unwrap_or(u64::MAX);
            out.single(
                &manager("time_since_last_run_ms"),
                Gauge,
                "Milliseconds since the cleaner looked at the logs.",
                ms,
            );
        }
        self.uncleanable(&manager("uncleanable_partitions_count"), out, &state.uncleanable);
    }

    fn uncleanable(&self, name: &str, out: &mut Exposition, uncleanable: &[(Uuid, i32)]) {
        let log_dirs = self.services.replicas.log_dirs().all();
        let mut counts: BTreeMap<String, usize> =
            log_dirs.iter().map(|dir| (dir.path().to_string_lossy().into_owned(), 0)).collect();
        let table = self.services.replicas.table();
        for (topic_id, index) in uncleanable {
            let Some(partition) = table.by_id(*topic_id).and_then(|topic| topic.partition(*index)) else { continue };
            *counts.entry(partition.log().log_dir().path().to_string_lossy().into_owned()).or_default() += 1;
        }
        let mut family = out.family(name, Gauge, "Compacted logs that cannot be cleaned, until the next start.");
        counts.iter().for_each(|(dir, count)| family.series(&[("logDirectory", dir)], count));
    }
}
