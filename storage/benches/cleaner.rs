//! How fast one core compacts a log, and in how much memory.
//!
//! ```text
//! cargo bench -p storage --bench cleaner            # both cases
//! cargo bench -p storage --bench cleaner -- records # 1 KB records, half of them superseded
//! cargo bench -p storage --bench cleaner -- keys    # as many keys as the default memory takes
//! ```
//! MB/s are bytes of the log over the CPU time of the whole process, its kernel time included; the log lies in the page cache.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use protocol::ids::{TopicPartition, Uuid};
use protocol::record_batch::{BatchBuilder, Codec, ValidatedBatch};
use rustix::time::{ClockId, clock_gettime};
use storage::cleaner::{CleanerOptions, FullSpeed, clean};
use storage::file_system::OsFileSystem;
use storage::{Log, LogConfig, LogDir, LogDirOptions};

struct Case {
    name: &'static str,
    records: u64,
    keys: u64,
    value_bytes: usize,
    records_a_batch: u64,
}

const CASES: [Case; 2] = [
    Case { name: "records", records: 1 << 20, keys: 1 << 19, value_bytes: 1000, records_a_batch: 16 },
    Case { name: "keys", records: 5_800_000, keys: 5_800_000, value_bytes: 40, records_a_batch: 200 },
];

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    for case in CASES.iter().filter(|case| wanted.is_empty() || wanted.iter().any(|name| name == case.name)) {
        run(case);
    }
}

fn run(case: &Case) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let log_dir = LogDir::open(folder.path(), &LogDirOptions::new(Arc::new(OsFileSystem))).expect("the folder is free");
    let config = LogConfig { segment_bytes: 64 << 20, compact: true, ..LogConfig::default() };
    let log = Log::open(&log_dir, TopicPartition::new("bench", 0), Uuid::from_u128(1), config);
    fill(&log, case);
    log.flush().expect("the disk works");
    let bytes = log.size_bytes().expect("the log works");
    let before = resident_bytes("VmRSS");
    reset_peak();
    let (started, cpu) = (Instant::now(), cpu_time());
    let end_offset = log.offsets().expect("the log works").log_end_offset;
    let cleanable = log.cleanable(end_offset, 0).expect("the log works").expect("all of it is dirty");
    let stats = clean(&log, &cleanable, &CleanerOptions::default(), 0, &FullSpeed).expect("the log can be cleaned");
    let (elapsed, cpu) = (started.elapsed(), cpu_time() - cpu);
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    println!(
        "{}: {:.0} MB of {:.0} MB cleaned, {:.0} MB left, {} of {} records; {:.0} MB/s of a core, {:.0} MB/s by the clock; \
         peak memory {:.1} MiB over {:.1} MiB before; map {:.0} % full",
        case.name,
        megabytes(stats.bytes_read),
        megabytes(bytes),
        megabytes(stats.bytes_written),
        stats.records_retained,
        stats.records_read,
        megabytes(stats.bytes_read) / cpu.as_secs_f64(),
        megabytes(stats.bytes_read) / elapsed.as_secs_f64(),
        (resident_bytes("VmHWM") - before) as f64 / f64::from(1 << 20),
        before as f64 / f64::from(1 << 20),
        stats.map_utilization * 100.0,
    );
}

/// Every key comes as often as every other, in an order that no cache guesses.
fn fill(log: &Log, case: &Case) {
    let mut value = vec![0; case.value_bytes];
    for first in (0..case.records).step_by(case.records_a_batch as usize) {
        let mut batch = BatchBuilder::new(0, Codec::None);
        for number in first..(first + case.records_a_batch).min(case.records) {
            let key = (number % case.keys).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            value[..8].copy_from_slice(&number.to_le_bytes());
            batch.append(0, Some(format!("{key:016x}").as_bytes()), Some(&value), &[]);
        }
        let batch = ValidatedBatch::trusted(batch.build()).expect("a batch just built is one");
        log.append(&batch, 0, 0).expect("the disk works");
    }
}

fn cpu_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap_or_default()
}

/// A field of `/proc/self/status`, in bytes.
fn resident_bytes(field: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':')).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<u64>().map_or(0, |kibibytes| kibibytes * 1024)
}

/// Lets the peak count from now on.
fn reset_peak() {
    fs::write("/proc/self/clear_refs", "5").expect("Linux lets a process reset its own peak");
}
