//! What went to and came from the cold tier, and what waits to go. Source: `BrokerTopicMetrics`, `RemoteStorageMetrics` (KIP-405,
//! KIP-963).

use std::collections::BTreeMap;
use std::ops::AddAssign;
use std::sync::atomic::{AtomicU64, Ordering};

use super::exposition::{Exposition, Kind};
use super::families::Scrape;
use crate::replica::Partition;
use Kind::{Counter, Gauge};

/// Counts since the start, of one partition or of all together.
#[derive(Debug, Default)]
pub struct RemoteTraffic {
    copy_bytes: AtomicU64,
    copy_requests: AtomicU64,
    copy_errors: AtomicU64,
    fetch_bytes: AtomicU64,
    fetch_requests: AtomicU64,
    fetch_errors: AtomicU64,
    delete_requests: AtomicU64,
    delete_errors: AtomicU64,
    fetches_expired: AtomicU64,
    list_offsets_expired: AtomicU64,
}

fn add(number: &AtomicU64, amount: u64) {
    number.fetch_add(amount, Ordering::Relaxed);
}

impl RemoteTraffic {
    /// A segment was copied.
    pub fn copied(&self, bytes: u64) {
        add(&self.copy_requests, 1);
        add(&self.copy_bytes, bytes);
    }

    /// A copy failed.
    pub fn copy_failed(&self) {
        add(&self.copy_requests, 1);
        add(&self.copy_errors, 1);
    }

    /// Something was read; `None`: in vain.
    pub fn fetched(&self, bytes: Option<u64>) {
        add(&self.fetch_requests, 1);
        match bytes {
            Some(bytes) => add(&self.fetch_bytes, bytes),
            None => add(&self.fetch_errors, 1),
        }
    }

    /// A Fetch was answered without what a partition of it has in the store, which did not answer in time.
    pub fn fetch_expired(&self) {
        add(&self.fetches_expired, 1);
    }

    /// A ListOffsets was answered with an error for a partition, since the store did not answer in time.
    pub fn list_offsets_expired(&self) {
        add(&self.list_offsets_expired, 1);
    }

    /// So many segments were deleted.
    pub fn deleted(&self, segments: u64) {
        add(&self.delete_requests, segments);
    }

    /// A deletion failed.
    pub fn delete_failed(&self) {
        add(&self.delete_requests, 1);
        add(&self.delete_errors, 1);
    }
}

/// What one topic, or all of them, has there and has yet to move.
#[derive(Clone, Copy, Debug, Default)]
struct Stock {
    counts: [u64; COUNTERS.len()],
    copy_lag_bytes: u64,
    copy_lag_segments: u64,
    delete_lag_bytes: u64,
    delete_lag_segments: u64,
    segments: u64,
    bytes: u64,
}

type OfTraffic = fn(&RemoteTraffic) -> &AtomicU64;

const COUNTERS: [(&str, &str, OfTraffic); 8] = [
    ("remotecopybytes", "Bytes of segments copied to remote storage.", |traffic| &traffic.copy_bytes),
    ("remotecopyrequests", "Copies of segments to remote storage.", |traffic| &traffic.copy_requests),
    ("remotecopyerrors", "Copies of segments that failed.", |traffic| &traffic.copy_errors),
    ("remotefetchbytes", "Bytes of records read from remote storage.", |traffic| &traffic.fetch_bytes),
    ("remotefetchrequests", "Reads from remote storage.", |traffic| &traffic.fetch_requests),
    ("remotefetcherrors", "Reads from remote storage that failed.", |traffic| &traffic.fetch_errors),
    ("remotedeleterequests", "Segments deleted from remote storage.", |traffic| &traffic.delete_requests),
    ("remotedeleteerrors", "Deletions from remote storage that failed.", |traffic| &traffic.delete_errors),
];

/// Not told of topics, as in Kafka (`DelayedRemoteFetch`, `DelayedRemoteListOffsets`).
const EXPIRED: [(&str, &str, OfTraffic); 2] = [
    (
        "kafka_server_delayedremotefetchmetrics_expires_total",
        "Partitions of fetches for which remote storage did not answer within remote.fetch.max.wait.ms.",
        |traffic| &traffic.fetches_expired,
    ),
    (
        "kafka_server_delayedremotelistoffsetsmetrics_expires_total",
        "Partitions of ListOffsets for which remote storage did not answer in time.",
        |traffic| &traffic.list_offsets_expired,
    ),
];

type OfStock = fn(&Stock) -> u64;

const GAUGES: [(&str, &str, OfStock); 6] = [
    ("remotecopylagbytes", "Bytes of closed segments that are not remote yet.", |stock| stock.copy_lag_bytes),
    ("remotecopylagsegments", "Closed segments that are not remote yet.", |stock| stock.copy_lag_segments),
    ("remotedeletelagbytes", "Bytes of expired segments that are still remote.", |stock| stock.delete_lag_bytes),
    ("remotedeletelagsegments", "Expired segments that are still remote.", |stock| stock.delete_lag_segments),
    ("remotelogmetadatacount", "Segments that are known to be remote.", |stock| stock.segments),
    ("remotelogsizebytes", "Bytes of readable remote segments.", |stock| stock.bytes),
];

impl AddAssign for Stock {
    fn add_assign(&mut self, other: Self) {
        self.counts.iter_mut().zip(other.counts).for_each(|(count, more)| *count += more);
        self.copy_lag_bytes += other.copy_lag_bytes;
        self.copy_lag_segments += other.copy_lag_segments;
        self.delete_lag_bytes += other.delete_lag_bytes;
        self.delete_lag_segments += other.delete_lag_segments;
        self.segments += other.segments;
        self.bytes += other.bytes;
    }
}

fn counts(traffic: &RemoteTraffic) -> [u64; COUNTERS.len()] {
    COUNTERS.map(|(_, _, number)| number(traffic).load(Ordering::Relaxed))
}

impl Stock {
    /// `None`: nothing of the partition is or will be remote.
    fn of(partition: &Partition) -> Option<Self> {
        let tiered = partition.tiered();
        let view = tiered.remote()?.view();
        let expired = &view.segments[..view.segments.len() - view.live().len()];
        // A log that nobody has used since the start is not opened for a scrape.
        let lag = partition.copy_lag();
        Some(Self {
            counts: counts(tiered.traffic()),
            delete_lag_bytes: expired.iter().map(|segment| segment.size()).sum(),
            delete_lag_segments: expired.len() as u64,
            segments: view.segments.len() as u64,
            bytes: view.size_bytes(),
            copy_lag_bytes: lag.bytes,
            copy_lag_segments: lag.segments,
        })
    }
}

impl Scrape<'_> {
    /// Nothing where there is no cold tier.
    pub(super) fn remote(&self, out: &mut Exposition) {
        let Some(tier) = self.services.replicas.tier() else { return };
        let mut by_topic: BTreeMap<&str, Stock> = BTreeMap::new();
        for partition in &self.partitions {
            if let Some(stock) = Stock::of(partition) {
                *by_topic.entry(&partition.name().topic).or_default() += stock;
            }
        }
        let mut all = Stock::default();
        by_topic.values().for_each(|stock| all += *stock);
        // With what went to and came from topics that are gone.
        all.counts = counts(tier.traffic());
        for (at, (name, help, _)) in COUNTERS.iter().enumerate() {
            put(out, &by_topic, &format!("{name}_total"), (Counter, *help), &all, |stock| stock.counts[at]);
        }
        for (name, help, number) in &GAUGES {
            put(out, &by_topic, name, (Gauge, *help), &all, number);
        }
        for (name, help, number) in EXPIRED {
            out.family(name, Counter, help).series(&[], number(tier.traffic()).load(Ordering::Relaxed));
        }
    }
}

fn put(
    out: &mut Exposition,
    by_topic: &BTreeMap<&str, Stock>,
    name: &str,
    (kind, help): (Kind, &str),
    all: &Stock,
    number: impl Fn(&Stock) -> u64,
) {
    let name = format!("kafka_server_brokertopicmetrics_{name}");
    let detailed = out.reserve(by_topic.len());
    let mut family = out.family(&name, kind, help);
    family.series(&[], number(all));
    for (topic, stock) in by_topic.iter().filter(|_| detailed) {
        family.series(&[("topic", topic)], number(stock));
    }
}
