//! The log against a model: whatever is appended is read back from every offset, whole and in order.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use protocol::ids::{TopicPartition, Uuid};
use protocol::record_batch::{BatchBuilder, Batches, Codec, ValidatedBatch};

use super::{Log, ReadLimits};
use crate::config::LogConfig;
use crate::error::{AppendError, Error};
use crate::file_system::{FileSystem, LosingFileSystem, OpenMode, Operation, OsFileSystem};
use crate::log_dir::{LogDir, LogDirOptions};

const NOW: i64 = 1_700_000_000_000;
const TOPIC_ID: Uuid = Uuid::from_u128(7);

/// A log in a simulated file system, and the batches that it should hold.
struct Fixture {
    file_system: Arc<LosingFileSystem>,
    log_dir: Arc<LogDir>,
    log: Arc<Log>,
    config: LogConfig,
    expected: Vec<(i64, i64, Bytes)>,
}

fn small_segments() -> LogConfig {
    LogConfig { segment_bytes: 2048, index_interval_bytes: 256, file_delete_delay_ms: 0, ..LogConfig::default() }
}

fn open(file_system: &Arc<LosingFileSystem>, config: &LogConfig) -> (Arc<LogDir>, Arc<Log>) {
    let options = LogDirOptions::new(Arc::clone(file_system) as Arc<dyn FileSystem>);
    let log_dir = LogDir::open(Path::new("/data"), &options).unwrap();
    let log = Log::open(&log_dir, TopicPartition::new("t", 0), TOPIC_ID, config.clone());
    (log_dir, log)
}

impl Fixture {
    fn new(config: LogConfig) -> Self {
        let file_system = Arc::new(LosingFileSystem::default());
        let (log_dir, log) = open(&file_system, &config);
        Self { file_system, log_dir, log, config, expected: Vec::new() }
    }

    /// Appends a batch of `records` records of `size` bytes each.
    fn append(&mut self, records: i64, size: usize) {
        let mut builder = BatchBuilder::new(0, Codec::None);
        let value = vec![self.expected.len() as u8; size];
        for n in 0..records {
            builder.append(NOW + self.end_offset() + n, None, Some(&value), &[]);
        }
        let batch = ValidatedBatch::trusted(builder.build()).unwrap();
        let appended = self.log.append(&batch, 3, NOW).unwrap();
        assert_eq!(appended.base_offset, self.end_offset());
        self.expected.push((appended.base_offset, appended.last_offset, batch.bytes));
    }

    fn end_offset(&self) -> i64 {
        self.expected.last().map_or(0, |(_, last, _)| last + 1)
    }

    /// Stops cleanly or not and opens again.
    fn restart(&mut self, clean: bool) {
        if clean {
            self.log.close().unwrap();
            self.log_dir.write_checkpoints().unwrap();
            self.log_dir.mark_clean_shutdown(1).unwrap();
        }
        let placeholder = Arc::new(LosingFileSystem::default());
        let (log_dir, log) = open(&placeholder, &self.config);
        self.log = log;
        self.log_dir = log_dir;
        let (log_dir, log) = open(&self.file_system, &self.config);
        self.log = log;
        self.log_dir = log_dir;
    }

    /// Reads from `offset` to `limit`, `max_bytes` at a time, and compares with what was appended.
    fn check_from(&self, offset: i64, limit: i64, max_bytes: usize) {
        let start = self.expected.iter().position(|(_, last, _)| *last >= offset).unwrap_or(self.expected.len());
        let mut wanted = offset;
        for (base, last, bytes) in self.expected[start..].iter().filter(|(_, last, _)| *last < limit) {
            if wanted <= *last && wanted < *base {
                wanted = *base;
            }
            if wanted > *last {
                continue;
            }
            wanted = self.check_one(wanted, limit, max_bytes, *base, bytes);
        }
        let rest = self.read(wanted.max(offset), limit, max_bytes, true);
        assert!(rest.is_empty(), "nothing behind the limit {limit}, from {offset}");
    }

    /// One read; all batches in it are as appended. Returns the next offset.
    fn check_one(&self, offset: i64, limit: i64, max_bytes: usize, base: i64, first: &Bytes) -> i64 {
        let bytes = self.read(offset, limit, max_bytes, true);
        assert!(bytes.len() <= max_bytes.max(first.len()), "at most {max_bytes} bytes but for the first batch");
        let mut batches = Batches::new(&bytes);
        let mut next = base;
        for batch in batches.by_ref() {
            let (header, bytes) = batch.unwrap();
            assert_eq!(header.base_offset, next, "no gap, from {offset}");
            let (_, _, appended) = self.expected.iter().find(|(base, ..)| *base == next).unwrap();
            assert_eq!(&bytes[16..], &appended[16..], "byte-identical behind offset and epoch");
            assert_eq!(header.partition_leader_epoch, 3);
            next = header.next_offset();
            assert!(next <= limit);
        }
        assert!(batches.remaining().is_empty(), "whole batches only");
        assert!(next > offset, "progress from {offset}");
        next
    }

    fn read(&self, offset: i64, end_offset: i64, max_bytes: usize, at_least_one: bool) -> Bytes {
        let limits = ReadLimits { end_offset, max_bytes, at_least_one };
        self.log.read(offset, limits).unwrap().read().unwrap()
    }

    fn check_everything(&self) {
        let end = self.end_offset();
        assert_eq!(self.log.offsets().unwrap().log_end_offset, end);
        for offset in self.log.offsets().unwrap().log_start_offset..=end {
            for (limit, max_bytes) in [(end, 1), (end, 700), (end, 1 << 20), ((offset + 5).min(end), 700)] {
                self.check_from(offset, limit, max_bytes);
            }
        }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.log_dir.folder(self.log.partition()).join(name)
    }
}

fn filled() -> Fixture {
    let mut fixture = Fixture::new(small_segments());
    for n in 0..60 {
        fixture.append(1 + n % 4, 10 + (n as usize * 37) % 300);
    }
    fixture
}

#[test]
fn every_offset_is_read_once_and_in_order() {
    let fixture = filled();
    assert!(fixture.log.segment_count().unwrap() > 5);
    fixture.check_everything();
}

#[test]
fn a_read_looks_at_few_headers_however_much_it_returns() {
    // Every batch has its index entry, and the limit falls into the midst of one.
    let mut fixture = Fixture::new(LogConfig { segment_bytes: 8 << 20, ..small_segments() });
    (0..300).for_each(|_| fixture.append(10, 1_000));
    let before = fixture.file_system.counts().reads;
    let limits = ReadLimits { end_offset: fixture.end_offset(), max_bytes: 1 << 20, at_least_one: true };
    let region = fixture.log.read(100, limits).unwrap();
    assert!(region.size > 1_000_000);
    let reads = fixture.file_system.counts().reads - before;
    assert!(reads <= 4, "{reads} reads");
}

#[test]
fn a_clean_restart_keeps_everything_and_appends_go_on() {
    let mut fixture = filled();
    for _ in 0..3 {
        fixture.restart(true);
        assert!(!fixture.log.is_loaded());
        fixture.check_everything();
        fixture.append(2, 100);
        fixture.append(1, 1000);
    }
    fixture.check_everything();
}

#[test]
fn a_crash_without_power_cut_keeps_everything() {
    let mut fixture = filled();
    fixture.restart(false);
    fixture.check_everything();
    fixture.append(1, 10);
    fixture.log.flush().unwrap();
    fixture.append(1, 10);
    fixture.restart(false);
    fixture.check_everything();
    assert_eq!(fixture.log.latest_leader_epoch().unwrap(), Some(3));
}

#[test]
fn a_torn_tail_is_cut_at_the_last_whole_batch() {
    for garbage in [vec![0; 3], vec![0; 200], vec![0xff; 100], b"not a batch at all".repeat(20)] {
        let mut fixture = filled();
        let name = format!("{:020}.log", last_base(&fixture));
        let file = fixture.file_system.open(&fixture.path(&name), OpenMode::ReadWrite).unwrap();
        file.write_all_at(&garbage, file.size().unwrap()).unwrap();
        drop(file);
        fixture.restart(false);
        fixture.check_everything();
        fixture.append(1, 50);
        fixture.check_everything();
    }
}

fn last_base(fixture: &Fixture) -> i64 {
    fixture.log.loaded().unwrap().segments().last().unwrap().base_offset()
}

#[test]
fn missing_and_garbage_indexes_are_made_again() {
    for clean in [true, false] {
        let mut fixture = filled();
        fixture.log.close().unwrap();
        let folder = fixture.log_dir.folder(fixture.log.partition());
        for (n, entry) in fixture.file_system.read_dir(&folder).unwrap().into_iter().enumerate() {
            if !entry.name.ends_with("index") {
                continue;
            }
            let path = folder.join(&entry.name);
            match n % 3 {
                0 => fixture.file_system.remove_file(&path).unwrap(),
                1 => fixture.file_system.write_atomic(&path, &[0x7f; 64]).unwrap(),
                _ => fixture.file_system.write_atomic(&path, b"garbage").unwrap(),
            }
        }
        fixture.restart(clean);
        fixture.check_everything();
        let found = fixture.log.offset_for_timestamp(NOW + 20, i64::MAX).unwrap().unwrap();
        assert_eq!((found.offset, found.timestamp), (20, NOW + 20));
    }
}

#[test]
fn offsets_outside_are_refused() {
    let mut fixture = filled();
    let end = fixture.end_offset();
    let limits = ReadLimits { end_offset: end, max_bytes: 100, at_least_one: true };
    assert!(matches!(fixture.log.read(end + 1, limits), Err(Error::OffsetOutOfRange { .. })));
    assert_eq!(fixture.log.increment_log_start_offset(17).unwrap(), 17);
    assert!(matches!(fixture.log.read(16, limits), Err(Error::OffsetOutOfRange { log_start_offset: 17, .. })));
    assert!(fixture.log.increment_log_start_offset(end + 1).is_err());
    assert!(fixture.log.delete_old_segments(end, NOW).unwrap() > 0);
    fixture.check_everything();
    fixture.restart(true);
    assert_eq!(fixture.log.offsets().unwrap().log_start_offset, 17);
    fixture.check_everything();
}

#[test]
fn truncation_leaves_whole_batches_and_appends_go_on() {
    for cut in [1, 30, 77, 140] {
        let mut fixture = filled();
        let end = fixture.log.truncate_to(cut, NOW).unwrap();
        fixture.expected.retain(|(_, last, _)| *last < cut);
        assert_eq!(end, fixture.end_offset());
        fixture.check_everything();
        fixture.append(3, 40);
        fixture.restart(false);
        fixture.check_everything();
    }
}

#[test]
fn everything_goes_and_the_next_offset_is_kept() {
    let mut fixture = filled();
    let end = fixture.end_offset();
    fixture.log.set_config(LogConfig { retention_bytes: Some(0), ..small_segments() });
    fixture.log.delete_old_segments(end, NOW).unwrap();
    let offsets = fixture.log.offsets().unwrap();
    assert_eq!((offsets.log_start_offset, offsets.log_end_offset), (end, end));
    fixture.restart(true);
    assert_eq!(fixture.log.offsets().unwrap().log_end_offset, end);
}

#[test]
fn timestamps_lead_to_the_first_record_as_young() {
    let fixture = filled();
    let end = fixture.end_offset();
    for offset in 0..end {
        let found = fixture.log.offset_for_timestamp(NOW + offset, end).unwrap().unwrap();
        assert_eq!((found.offset, found.timestamp, found.leader_epoch), (offset, NOW + offset, Some(3)));
    }
    assert_eq!(fixture.log.offset_for_timestamp(NOW + end, end).unwrap(), None);
    assert_eq!(fixture.log.offset_for_timestamp(0, end).unwrap().unwrap().offset, 0);
    assert_eq!(fixture.log.max_timestamp(end).unwrap().unwrap().offset, end - 1);
}

#[test]
fn an_unused_log_leaves_no_trace_on_disk() {
    let fixture = Fixture::new(small_segments());
    assert_eq!(fixture.log.offsets().unwrap().log_end_offset, 0);
    assert!(!fixture.file_system.exists(&fixture.path("")).unwrap());
}

#[test]
fn a_failed_sync_takes_the_directory_offline_for_good() {
    let mut fixture = filled();
    fixture.file_system.fail(Operation::Sync, ".log", 0, libc::EIO);
    assert!(matches!(fixture.log.flush(), Err(Error::Offline(_))));
    assert!(fixture.log.flush().is_err(), "never retried");
    let batch = ValidatedBatch::trusted(fixture.expected[0].2.clone()).unwrap();
    assert!(fixture.log.append(&batch, 3, NOW).is_err());
    fixture.expected.clear();
}

#[test]
fn whoever_uses_a_log_while_it_is_deleted_hears_of_that_and_the_directory_works_on() {
    let folder = tempfile::tempdir().unwrap();
    let options = LogDirOptions::new(Arc::new(OsFileSystem));
    let log_dir = LogDir::open(folder.path(), &options).unwrap();
    for number in 0..30 {
        let log = Log::open(&log_dir, TopicPartition::new("t", number), TOPIC_ID, small_segments());
        let mut builder = BatchBuilder::new(0, Codec::None);
        builder.append(NOW, None, Some(&[7; 300]), &[]);
        let batch = ValidatedBatch::trusted(builder.build()).unwrap();
        let until_deleted = |use_log: &dyn Fn() -> Result<(), Error>| {
            let ended = std::iter::repeat_with(use_log).find_map(Result::err);
            assert!(matches!(ended, Some(Error::Deleted)), "{ended:?}");
        };
        for _ in 0..20 {
            log.append(&batch, 0, NOW).unwrap();
        }
        std::thread::scope(|scope| {
            scope.spawn(|| {
                until_deleted(&|| match log.append(&batch, 0, NOW) {
                    Ok(_) => Ok(()),
                    Err(AppendError::Log(error)) => Err(error),
                    Err(error) => panic!("{error}"),
                });
            });
            scope.spawn(|| until_deleted(&|| log.flush().map(drop)));
            scope.spawn(|| {
                let limits = ReadLimits { end_offset: i64::MAX, max_bytes: 500, at_least_one: true };
                until_deleted(&|| log.read(7, limits).map(drop));
            });
            scope.spawn(|| until_deleted(&|| log.offset_for_timestamp(NOW + 1, i64::MAX).map(drop)));
            log.delete(NOW).unwrap();
        });
        assert!(!log_dir.is_offline(), "{:?}", log_dir.offline());
    }
}

/// Whoever looked at the start of the log just before retention moved it must not be given what follows: of a tiered log, what he
/// asks for is still there, elsewhere.
#[test]
fn a_segment_that_goes_while_it_is_asked_for_is_out_of_range() {
    let mut fixture = Fixture::new(small_segments());
    (0..20).for_each(|_| fixture.append(3, 200));
    let loaded = fixture.log.loaded().unwrap();
    loaded.change_segments(|segments| segments.remove(0));
    let first = loaded.segments()[0].base_offset();
    let limits = ReadLimits { end_offset: i64::MAX, max_bytes: 1 << 20, at_least_one: true };
    for offset in 0..first {
        let read = fixture.log.read(offset, limits);
        assert!(matches!(read, Err(Error::OffsetOutOfRange { .. })), "{offset}: {read:?}");
    }
    assert!(!fixture.log.read(first, limits).unwrap().is_empty());
}
