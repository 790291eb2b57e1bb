//! What logs cost that nobody uses: their memory, and no descriptor.
//!
//! Alone in its process, so that what the process grows by is theirs.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use protocol::ids::{TopicPartition, Uuid};
use protocol::record_batch::{BatchBuilder, Codec, ValidatedBatch};
use storage::file_handles::FileHandles;
use storage::file_system::{FileSystem, OsFileSystem};
use storage::index::mmap::IndexMaps;
use storage::{Log, LogConfig, LogDir, LogDirOptions, ReadLimits};

const NOW_MS: i64 = 1_700_000_000_000;
/// The promise for a log that was not used since the start.
const MOST_BYTES_UNUSED: u64 = 1_024;
/// The promise for a log that was used and is idle.
const MOST_BYTES_USED: u64 = 4_096;

fn resident_bytes() -> u64 {
    let pages = fs::read_to_string("/proc/self/statm").expect("Linux");
    let resident = pages.split(' ').nth(1).and_then(|resident| resident.parse::<u64>().ok());
    resident.expect("the second number of statm") * rustix::param::page_size() as u64
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").expect("Linux").count()
}

fn open(path: &Path) -> Arc<LogDir> {
    let file_system: Arc<dyn FileSystem> = Arc::new(OsFileSystem);
    let handles = FileHandles::new(Arc::clone(&file_system), 50);
    let options = LogDirOptions { handles, maps: IndexMaps::new(file_system, 50) };
    LogDir::open(path, &options).expect("a new directory")
}

fn open_logs(log_dir: &Arc<LogDir>, count: i32) -> Vec<Arc<Log>> {
    let topic: Arc<str> = "a-topic-of-usual-length".into();
    let partition = |partition| TopicPartition { topic: Arc::clone(&topic), partition };
    (0..count).map(|number| Log::open(log_dir, partition(number), Uuid::from_u128(7), LogConfig::default())).collect()
}

#[test]
fn idle_logs_cost_little_memory_and_no_descriptors() {
    // In memory, if that is a place for files: thousands of syncs prove nothing here.
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let log_dir = open(&folder.path().join("used"));
    let mut builder = BatchBuilder::new(0, Codec::None);
    builder.append(NOW_MS, None, Some(b"value"), &[]);
    let batch = ValidatedBatch::trusted(builder.build()).unwrap();
    let before = resident_bytes();
    let used = open_logs(&log_dir, 2_000);
    for log in &used {
        log.append(&batch, 0, NOW_MS).unwrap();
        log.flush().unwrap();
        let limits = ReadLimits { end_offset: 1, max_bytes: 1_000, at_least_one: true };
        assert!(!log.read(0, limits).unwrap().is_empty());
    }
    let bytes = resident_bytes().saturating_sub(before) / used.len() as u64;
    println!("a log that was used and is idle: {bytes} bytes, {} descriptors in all", descriptors());
    assert!(bytes <= MOST_BYTES_USED, "{bytes} bytes for a log that was used");
    assert!(descriptors() < 100, "{} descriptors", descriptors());

    let log_dir = open(&folder.path().join("unused"));
    let before = (resident_bytes(), descriptors());
    let unused = open_logs(&log_dir, 50_000);
    let bytes = (resident_bytes() - before.0) / unused.len() as u64;
    println!("a log that was not used: {bytes} bytes");
    assert!(bytes <= MOST_BYTES_UNUSED, "{bytes} bytes for a log that was not used");
    assert_eq!(descriptors(), before.1);
}
