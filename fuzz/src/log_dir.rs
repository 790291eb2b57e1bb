//! A log directory with any content of the files that it keeps beside its logs.

use std::path::Path;
use std::sync::Arc;

use protocol::ids::{TopicPartition, Uuid};
use storage::checkpoint::{HIGH_WATERMARK_CHECKPOINT, LOG_START_OFFSET_CHECKPOINT, RECOVERY_POINT_CHECKPOINT};
use storage::file_system::{FileSystem, LosingFileSystem};
use storage::log_dir::CLEAN_SHUTDOWN;
use storage::meta_properties::META_PROPERTIES;
use storage::{Log, LogConfig, LogDir, LogDirOptions};

use crate::Target;
use crate::corpus::golden;
use crate::cut::{Cut, piece};

const DATA: &str = "/data";
const FILES: [&str; 5] = [
    META_PROPERTIES,
    CLEAN_SHUTDOWN,
    RECOVERY_POINT_CHECKPOINT,
    LOG_START_OFFSET_CHECKPOINT,
    HIGH_WATERMARK_CHECKPOINT,
];

pub(crate) fn targets() -> Vec<Target> {
    vec![Target::new("log-directory", seeds(), directory), Target::new("clean-shutdown", marker_seeds(), marker)]
}

fn seeds() -> Vec<Vec<u8>> {
    let kafka = FILES.map(|file| piece(&golden("storage", &format!("kafka-4.3.1/{file}"))));
    vec![[&kafka.concat()[..], b"orders-0"].concat()]
}

fn open(file_system: &LosingFileSystem) -> Option<Arc<LogDir>> {
    let options = LogDirOptions::new(Arc::new(file_system.clone()) as Arc<dyn FileSystem>);
    LogDir::open(Path::new(DATA), &options).ok()
}

fn put(file_system: &LosingFileSystem, name: &str, bytes: &[u8]) {
    file_system.create_dir_all(Path::new(DATA)).expect("the test file system does not fail");
    file_system.write_atomic(&Path::new(DATA).join(name), bytes).expect("the test file system does not fail");
}

/// Only `meta.properties` may keep a directory from opening. What a stop writes is what the next start reads.
fn directory(input: &[u8]) {
    let mut cut = Cut::new(input);
    let file_system = LosingFileSystem::new();
    for file in FILES {
        let bytes = cut.piece();
        if !bytes.is_empty() {
            put(&file_system, file, bytes);
        }
    }
    if let Ok(name) = std::str::from_utf8(cut.rest())
        && !name.is_empty()
        && !name.contains(['/', '\0'])
        && ![".", ".."].contains(&name)
        && !FILES.contains(&name)
    {
        file_system.create_dir_all(&Path::new(DATA).join(name)).expect("the test file system does not fail");
    }
    let Some(log_dir) = open(&file_system) else { return };
    let partition = TopicPartition::new("orders", 0);
    let log = Log::open(&log_dir, partition, Uuid::from_u128(7), LogConfig::default());
    let offsets = log.offsets().expect("an empty log opens");
    assert!(offsets.log_start_offset <= offsets.log_end_offset, "{offsets:?}");
    let logs = log_dir.logs().expect("the directory works");
    let high_watermarks = log_dir.read_high_watermarks().expect("the directory works");
    log_dir.write_high_watermarks(&high_watermarks).expect("the directory works");
    log_dir.write_checkpoints().expect("the directory works");
    log_dir.mark_clean_shutdown(5).expect("the directory works");
    let properties = log_dir.meta_properties();
    drop((log, log_dir));
    let log_dir = open(&file_system).expect("what opened once opens again");
    assert!(log_dir.was_clean());
    assert_eq!(log_dir.read_high_watermarks().expect("the directory works"), high_watermarks);
    assert_eq!(log_dir.logs().expect("the directory works").len(), logs.len());
    assert_eq!(log_dir.meta_properties(), properties);
}

fn marker_seeds() -> Vec<Vec<u8>> {
    vec![
        golden("storage", &format!("kafka-4.3.1/{CLEAN_SHUTDOWN}")),
        b"{ \"brokerEpoch\" : 5 , \"later\": true }".into(),
    ]
}

/// Whatever the marker says, it counts once.
fn marker(input: &[u8]) {
    let file_system = LosingFileSystem::new();
    put(&file_system, CLEAN_SHUTDOWN, input);
    let log_dir = open(&file_system).expect("a marker does not keep a directory from opening");
    assert!(log_dir.was_clean());
    let broker_epoch = log_dir.last_shutdown().broker_epoch;
    if let Some(broker_epoch) = broker_epoch {
        log_dir.mark_clean_shutdown(broker_epoch).expect("the directory works");
    }
    drop(log_dir);
    let log_dir = open(&file_system).expect("a marker does not keep a directory from opening");
    assert_eq!(log_dir.was_clean(), broker_epoch.is_some());
    assert_eq!(log_dir.last_shutdown().broker_epoch, broker_epoch);
}
