//! A whole log on the test file system: whatever lies in its folder after a crash, it opens, can be read from end to end, and
//! takes new batches.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use protocol::ids::{TopicPartition, Uuid};
use protocol::record_batch::{BatchBuilder, Batches, Codec, ValidatedBatch, check_crc};
use storage::checkpoint::{PartitionOffsets, RECOVERY_POINT_CHECKPOINT, encode_offsets};
use storage::file_system::{FileSystem, LosingFileSystem};
use storage::leader_epoch::LEADER_EPOCH_CHECKPOINT;
use storage::log_dir::CLEAN_SHUTDOWN;
use storage::partition_metadata;
use storage::{Log, LogConfig, LogDir, LogDirOptions, ReadLimits};

use crate::Target;
use crate::corpus::{golden, golden_lines};
use crate::cut::{Cut, piece, repair_crcs};

const NOW_MS: i64 = 1_700_000_000_000;
const TOPIC_ID: Uuid = Uuid::from_u128(7);
const DATA: &str = "/data";
/// Base offset of the second segment.
const SECOND: i64 = 11;

/// Set the CRC of each batch.
const REPAIR: u8 = 1;
/// The last stop was clean: nothing is examined.
const CLEAN: u8 = 2;
/// Part of the log counts as flushed.
const FLUSHED: u8 = 4;
/// The first half of the batches is a segment of its own.
const TWO_SEGMENTS: u8 = 8;

pub(crate) fn targets() -> Vec<Target> {
    vec![Target::new("log", seeds(), run)]
}

/// Flags, five small files, and the batches.
fn seeds() -> Vec<Vec<u8>> {
    let kafka = |file: &str| golden("storage", &format!("kafka-4.3.1/orders-0/{file}"));
    let second = |suffix: &str| kafka(&format!("00000000000000000011.{suffix}"));
    let small = ["index", "timeindex", "txnindex", "snapshot"].map(|suffix| piece(&second(suffix))).concat();
    let epochs = piece(&kafka("leader-epoch-checkpoint"));
    let logs = [kafka("00000000000000000000.log"), second("log")];
    let mut seeds: Vec<Vec<u8>> = [REPAIR, CLEAN, REPAIR | FLUSHED, REPAIR | TWO_SEGMENTS]
        .map(|flags| [&[flags], &small[..], &epochs, &logs.concat()].concat())
        .into();
    seeds.extend(logs.iter().map(|log| [&[REPAIR, 0, 0, 0, 0, 0], &log[..]].concat()));
    seeds.extend(
        golden_lines("protocol", "batches.txt").iter().map(|batch| [&[REPAIR, 0, 0, 0, 0, 0], &batch[..]].concat()),
    );
    seeds
}

struct Folder {
    file_system: LosingFileSystem,
}

impl Folder {
    fn create(&self) {
        let (root, data) = (Path::new("/"), Path::new(DATA));
        self.file_system.create_dir_all(&data.join("t-0")).expect("the test file system does not fail");
        for folder in [root, data] {
            self.file_system.sync_dir(folder).expect("the test file system does not fail");
        }
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        let path = Path::new(DATA).join(name);
        self.file_system.write_atomic(&path, bytes).expect("the test file system does not fail");
    }

    fn put_in_log(&self, name: &str, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.put(&format!("t-0/{name}"), bytes);
        }
    }

    fn open(&self) -> (Arc<LogDir>, Arc<Log>) {
        let options = LogDirOptions::new(Arc::new(self.file_system.clone()) as Arc<dyn FileSystem>);
        let log_dir = LogDir::open(Path::new(DATA), &options).expect("nothing here keeps a directory from opening");
        let config = LogConfig {
            segment_bytes: 2048,
            index_interval_bytes: 64,
            file_delete_delay_ms: 0,
            ..LogConfig::default()
        };
        let log = Log::open(&log_dir, TopicPartition::new("t", 0), TOPIC_ID, config);
        (log_dir, log)
    }
}

fn run(input: &[u8]) {
    let mut cut = Cut::new(input);
    let flags = cut.byte();
    let small = [cut.piece(), cut.piece(), cut.piece(), cut.piece()];
    let epochs = cut.piece();
    let mut bytes = cut.rest().to_vec();
    if flags & REPAIR != 0 {
        repair_crcs(&mut bytes);
    }
    let folder = Folder { file_system: LosingFileSystem::new() };
    folder.create();
    lay_out(&folder, flags, small, epochs, &bytes);
    let examined = flags & (CLEAN | FLUSHED) == 0;
    use_log(&folder, examined);
}

fn lay_out(folder: &Folder, flags: u8, small: [&[u8]; 4], epochs: &[u8], bytes: &[u8]) {
    folder.put_in_log(partition_metadata::PARTITION_METADATA, partition_metadata::encode(TOPIC_ID).as_bytes());
    folder.put_in_log(LEADER_EPOCH_CHECKPOINT, epochs);
    let two = flags & TWO_SEGMENTS != 0;
    let first = if two { first_segment(bytes) } else { bytes.len() };
    folder.put_in_log("00000000000000000000.log", &bytes[..first]);
    folder.put_in_log(&format!("{SECOND:020}.log"), &bytes[first..]);
    let base_offset = if two { SECOND } else { 0 };
    for (suffix, bytes) in ["index", "timeindex", "txnindex", "snapshot"].iter().zip(small) {
        folder.put_in_log(&format!("{base_offset:020}.{suffix}"), bytes);
    }
    if flags & CLEAN != 0 {
        folder.put(CLEAN_SHUTDOWN, b"{\"version\":0,\"brokerEpoch\":3}");
    }
    if flags & FLUSHED != 0 {
        let offsets = PartitionOffsets::from([(TopicPartition::new("t", 0), SECOND)]);
        folder.put(RECOVERY_POINT_CHECKPOINT, encode_offsets(&offsets).as_bytes());
    }
}

/// Bytes of the batches before the second segment.
fn first_segment(bytes: &[u8]) -> usize {
    let batches = Batches::new(bytes).map_while(Result::ok);
    batches.take_while(|(header, _)| header.base_offset < SECOND).map(|(_, batch)| batch.len()).sum()
}

/// `examined`: recovery looked at every byte, so that everything must be in order.
fn use_log(folder: &Folder, examined: bool) {
    let (log_dir, log) = folder.open();
    let Ok(offsets) = log.offsets() else {
        assert!(!examined, "a log that was examined opens: {:?}", log_dir.offline());
        return;
    };
    let before = read_all(&log, offsets.log_start_offset, examined);
    look_up(&log, examined);
    if !examined {
        return;
    }
    let mut builder = BatchBuilder::new(0, Codec::None);
    builder.append(NOW_MS, None, Some(b"new"), &[]);
    let batch = ValidatedBatch::trusted(builder.build()).expect("our own batch");
    // A log that ends where no offset follows takes no more.
    if offsets.log_end_offset < i64::MAX - 1 {
        let appended = log.append(&batch, i32::MAX, NOW_MS).expect("a recovered log takes batches");
        assert_eq!(appended.base_offset, offsets.log_end_offset);
    }
    let after = read_all(&log, offsets.log_start_offset, true);
    assert!(after.starts_with(&before), "an append changes nothing before it");
    log.close().expect("the log closes");
    log_dir.write_checkpoints().expect("checkpoints are written");
    drop((log, log_dir));
    folder.file_system.power_cut(storage::file_system::Survival::Nothing);
    let (_log_dir, log) = folder.open();
    assert_eq!(read_all(&log, offsets.log_start_offset, true), after, "what was closed comes back");
    let middle = offsets.log_start_offset.midpoint(offsets.log_end_offset);
    log.truncate_to(middle, NOW_MS).expect("a log can be cut");
    assert!(log.offsets().expect("it is loaded").log_end_offset <= middle);
    let _ = read_all(&log, offsets.log_start_offset, true);
}

/// The bytes of all batches from `offset` on.
fn read_all(log: &Log, offset: i64, examined: bool) -> Vec<u8> {
    let end_offset = log.offsets().expect("it is loaded").log_end_offset;
    let (mut next, mut all) = (offset, Vec::new());
    while next < end_offset {
        let limits = ReadLimits { end_offset, max_bytes: 300, at_least_one: true };
        let region = match log.read(next, limits) {
            Ok(region) => region,
            Err(error) => {
                assert!(!examined, "a recovered log is read: {error} at {next}");
                return all;
            }
        };
        let bytes = region.read().expect("the test file system does not fail");
        let before = next;
        next = check(&bytes, next, examined);
        all.extend_from_slice(&bytes);
        if next == before {
            assert!(bytes.is_empty() || !examined, "reading goes on");
            break;
        }
    }
    all
}

/// Checks what a read gave and returns the offset to go on from.
fn check(bytes: &Bytes, offset: i64, examined: bool) -> i64 {
    let mut batches = Batches::new(bytes);
    let mut next = offset;
    for batch in batches.by_ref() {
        let Ok((header, batch)) = batch else {
            assert!(!examined, "a read gives whole batches");
            return offset;
        };
        assert!(!examined || check_crc(batch).is_ok(), "a read gives what was written");
        assert!(!examined || header.last_offset() >= next, "offsets rise");
        next = next.max(header.next_offset());
    }
    assert!(!examined || batches.remaining().is_empty(), "a read gives whole batches");
    next
}

/// Questions that a recovered log must answer. Recovery does not look into batches, so that what looks for a record by its
/// timestamp may find one that cannot be read.
fn look_up(log: &Log, examined: bool) {
    let _ = log.offset_for_timestamp(NOW_MS, i64::MAX);
    let _ = log.offset_for_timestamp(i64::MIN, i64::MAX);
    let _ = log.max_timestamp(i64::MAX);
    let answers = [
        log.end_offset_for_epoch(0).map(drop),
        log.leader_epoch_at(SECOND).map(drop),
        log.size_bytes().map(drop),
        log.first_unstable_offset().map(drop),
    ];
    for answer in answers {
        assert!(!examined || answer.is_ok(), "a recovered log answers: {answer:?}");
    }
}
