//! What a log directory promises its logs and its owner.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use super::*;
use crate::checkpoint::{
    CLEANER_OFFSET_CHECKPOINT, HIGH_WATERMARK_CHECKPOINT, LOG_START_OFFSET_CHECKPOINT, PartitionOffsets,
    RECOVERY_POINT_CHECKPOINT,
};
use crate::file_system::{LosingFileSystem, OpenMode, Operation, Survival};
use crate::meta_properties::Expected;

struct Disk {
    file_system: LosingFileSystem,
    options: LogDirOptions,
}

fn disk() -> Disk {
    let file_system = LosingFileSystem::new();
    let options = LogDirOptions::new(Arc::new(file_system.clone()));
    Disk { file_system, options }
}

impl Disk {
    fn open(&self) -> Arc<LogDir> {
        LogDir::open(path(), &self.options).unwrap()
    }

    fn make_folder(&self, name: &str) {
        self.file_system.create_dir_all(&path().join(name)).unwrap();
        self.file_system.sync_dir(path()).unwrap();
    }
}

fn path() -> &'static Path {
    Path::new("/data/logs")
}

struct Log {
    recovery_point: AtomicI64,
    log_start_offset: Option<i64>,
}

impl CheckpointedLog for Log {
    fn checkpoint(&self) -> LogCheckpoint {
        let recovery_point = self.recovery_point.load(Ordering::Relaxed);
        LogCheckpoint { recovery_point, log_start_offset: self.log_start_offset }
    }
}

fn log(recovery_point: i64, log_start_offset: Option<i64>) -> Arc<Log> {
    Arc::new(Log { recovery_point: AtomicI64::new(recovery_point), log_start_offset })
}

fn register(log_dir: &LogDir, partition: &TopicPartition, log: &Arc<Log>) -> StoredOffsets {
    let log: Arc<dyn CheckpointedLog> = Arc::clone(log) as _;
    log_dir.register(partition, Arc::downgrade(&log))
}

fn partition(number: i32) -> TopicPartition {
    TopicPartition::new("topic", number)
}

fn properties() -> MetaProperties {
    MetaProperties {
        cluster_id: Some("cluster".to_owned()),
        node_id: Some(1),
        directory_id: Some(Uuid::from_u128(1000)),
    }
}

#[test]
fn a_new_directory_survives_a_power_cut() {
    let disk = disk();
    let log_dir = disk.open();
    log_dir.format(properties()).unwrap();
    drop(log_dir);
    disk.file_system.power_cut(Survival::Nothing);
    let log_dir = disk.open();
    assert_eq!(log_dir.meta_properties(), Some(properties()));
    assert!(!log_dir.was_clean());
}

#[test]
fn one_owner_at_a_time() {
    let disk = disk();
    let first = disk.open();
    let second = LogDir::open(path(), &disk.options).unwrap_err();
    let text = "Failed to acquire lock on file .lock in /data/logs. A Kafka instance in another process or thread is \
                using this directory.";
    assert_eq!(second.to_string(), text);
    drop(first);
    disk.open();
}

#[test]
fn a_clean_stop_counts_once() {
    let disk = disk();
    disk.open().mark_clean_shutdown(17).unwrap();
    disk.file_system.power_cut(Survival::Nothing);
    assert_eq!(disk.open().last_shutdown(), LastShutdown { clean: true, broker_epoch: Some(17) });
    disk.file_system.power_cut(Survival::Nothing);
    assert!(!disk.open().was_clean(), "the marker came back");
}

#[test]
fn folders_are_told_apart() {
    let disk = disk();
    drop(disk.open());
    let others =
        ["__cluster_metadata-0", "lost+found", "topic-2.00aa-stray", "topic-3.00aa-future", "topic-4.00aa-delete"];
    for name in ["topic-1", "topic-0", "a.b-c-9"].into_iter().chain(others) {
        disk.make_folder(name);
    }
    disk.file_system.open(&path().join("file-7"), OpenMode::Create).unwrap();
    let log_dir = disk.open();
    let names: Vec<String> = log_dir.logs().unwrap().iter().map(TopicPartition::to_string).collect();
    assert_eq!(names, ["a.b-c-9", "topic-0", "topic-1"]);
    assert_eq!(log_dir.delete_step(0).unwrap(), DeletionStep { deleted: 1, next_due_ms: None });
    assert!(!disk.file_system.exists(&path().join("topic-4.00aa-delete")).unwrap());
}

#[test]
fn a_stray_is_set_aside_for_good() {
    let disk = disk();
    let log_dir = disk.open();
    disk.make_folder("topic-0");
    let stray = log_dir.set_stray(&partition(0), Uuid::from_u128(5)).unwrap();
    drop(log_dir);
    disk.file_system.power_cut(Survival::Nothing);
    assert!(disk.open().logs().unwrap().is_empty());
    assert!(disk.file_system.exists(&stray).unwrap());
}

#[test]
fn checkpoints_keep_what_logs_not_opened_yet_had() {
    let disk = disk();
    let log_dir = disk.open();
    let logs: Vec<_> = (0..3).map(|number| log(i64::from(number) * 10, None)).collect();
    for (number, log) in (0..3).zip(&logs) {
        disk.make_folder(&partition(number).to_string());
        assert_eq!(register(&log_dir, &partition(number), log), StoredOffsets::default());
    }
    let moved = log(7, Some(3));
    register(&log_dir, &partition(9), &moved);
    log_dir.write_checkpoints().unwrap();
    drop(log_dir);

    let log_dir = disk.open();
    let reopened = log(25, Some(21));
    let stored = register(&log_dir, &partition(2), &reopened);
    assert_eq!(stored, StoredOffsets { recovery_point: Some(20), log_start_offset: None });
    log_dir.unregister(&partition(1));
    log_dir.write_checkpoints().unwrap();
    let read = |name| disk.file_system.read(&path().join(name)).unwrap();
    let recovery_points = "0\n2\ntopic 0 0\ntopic 2 25\n";
    assert_eq!(read(RECOVERY_POINT_CHECKPOINT), recovery_points.as_bytes(), "9 has no folder, 1 was deleted");
    assert_eq!(read(LOG_START_OFFSET_CHECKPOINT), b"0\n1\ntopic 2 21\n");
}

#[test]
fn how_far_logs_were_cleaned_survives_and_goes_with_them() {
    let disk = disk();
    let log_dir = disk.open();
    let logs: Vec<_> = (0..3).map(|_| log(0, None)).collect();
    for (number, log) in (0..3).zip(&logs) {
        disk.make_folder(&partition(number).to_string());
        register(&log_dir, &partition(number), log);
        log_dir.set_cleaner_offset(&partition(number), 10 + i64::from(number)).unwrap();
    }
    let read = || disk.file_system.read(&path().join(CLEANER_OFFSET_CHECKPOINT)).unwrap();
    assert_eq!(read(), b"0\n3\ntopic 0 10\ntopic 1 11\ntopic 2 12\n");
    log_dir.lower_cleaner_offset(&partition(0), 50).unwrap();
    log_dir.lower_cleaner_offset(&partition(1), 5).unwrap();
    drop(log_dir);
    disk.file_system.power_cut(Survival::Nothing);

    let log_dir = disk.open();
    let offsets = |log_dir: &LogDir| [0, 1, 2].map(|number| log_dir.cleaner_offset(&partition(number)));
    assert_eq!(offsets(&log_dir), [Some(10), Some(5), Some(12)]);
    register(&log_dir, &partition(1), &logs[1]);
    log_dir.unregister(&partition(1));
    log_dir.set_cleaner_offset(&partition(1), 99).unwrap();
    assert_eq!(offsets(&log_dir), [Some(10), None, Some(12)], "a log that is gone is not noted again");
    disk.file_system.remove_dir_all(&path().join("topic-2")).unwrap();
    log_dir.write_checkpoints().unwrap();
    assert_eq!(read(), b"0\n2\ntopic 0 10\ntopic 2 12\n");
    drop(log_dir);
    let log_dir = disk.open();
    assert_eq!(offsets(&log_dir), [Some(10), None, None], "it has no folder");
    log_dir.write_checkpoints().unwrap();
    assert_eq!(read(), b"0\n1\ntopic 0 10\n");
}

#[test]
fn a_recovery_point_is_made_known_where_the_file_is_behind() {
    let disk = disk();
    let log_dir = disk.open();
    disk.make_folder("topic-0");
    let log = log(40, None);
    register(&log_dir, &partition(0), &log);
    log_dir.raise_recovery_point(&partition(0), 30).unwrap();
    let read = || disk.file_system.read(&path().join(RECOVERY_POINT_CHECKPOINT)).unwrap();
    assert_eq!(read(), b"0\n1\ntopic 0 40\n");
    let writes = disk.file_system.counts().writes;
    log_dir.raise_recovery_point(&partition(0), 40).unwrap();
    assert_eq!(disk.file_system.counts().writes, writes, "it is known already");
}

#[test]
fn damaged_checkpoints_are_absent() {
    let disk = disk();
    drop(disk.open());
    disk.make_folder("topic-0");
    for name in [RECOVERY_POINT_CHECKPOINT, LOG_START_OFFSET_CHECKPOINT, HIGH_WATERMARK_CHECKPOINT] {
        disk.file_system.write_atomic(&path().join(name), b"0\n5\ntopic 0").unwrap();
    }
    let log_dir = disk.open();
    assert_eq!(register(&log_dir, &partition(0), &log(0, None)), StoredOffsets::default());
    assert_eq!(log_dir.read_high_watermarks().unwrap(), PartitionOffsets::new());
    let high_watermarks = PartitionOffsets::from([(partition(0), 5)]);
    log_dir.write_high_watermarks(&high_watermarks).unwrap();
    assert_eq!(log_dir.read_high_watermarks().unwrap(), high_watermarks);
}

#[test]
fn the_first_failure_is_for_ever_and_told() {
    let disk = disk();
    let log_dir = disk.open();
    let told = Arc::new(AtomicUsize::new(0));
    let count = |told: &Arc<AtomicUsize>| {
        let told = Arc::clone(told);
        move |_: &Offline| {
            told.fetch_add(1, Ordering::Relaxed);
        }
    };
    log_dir.on_offline(count(&told));
    disk.file_system.fail(Operation::Sync, RECOVERY_POINT_CHECKPOINT, 0, libc::EIO);
    let failure = log_dir.write_checkpoints().unwrap_err();
    assert_eq!(failure.reason, RECOVERY_POINT_CHECKPOINT);
    assert_eq!(failure.source.raw_os_error(), Some(libc::EIO));
    log_dir.fail("later", io::ErrorKind::Other.into());
    log_dir.on_offline(count(&told));
    assert_eq!(told.load(Ordering::Relaxed), 2, "one before, one after the failure");

    assert!(log_dir.is_offline());
    let writes = disk.file_system.counts().writes;
    assert!(log_dir.write_checkpoints().is_err());
    assert!(log_dir.write_high_watermarks(&PartitionOffsets::new()).is_err());
    assert!(log_dir.mark_clean_shutdown(1).is_err());
    assert_eq!(log_dir.check_online().unwrap_err().reason, RECOVERY_POINT_CHECKPOINT);
    assert_eq!(disk.file_system.counts().writes, writes, "an offline directory is left alone");
}

#[test]
fn deletions_wait_for_their_time() {
    let disk = disk();
    let log_dir = disk.open();
    let (file, folder) = (path().join("a.log.deleted"), path().join("topic-0.aa-delete"));
    disk.file_system.open(&file, OpenMode::Create).unwrap();
    disk.make_folder("topic-0.aa-delete");
    log_dir.schedule_deletion(file.clone(), 200);
    log_dir.schedule_deletion(folder.clone(), 100);
    log_dir.schedule_deletion(path().join("gone already"), 100);
    assert_eq!(log_dir.delete_step(99).unwrap(), DeletionStep { deleted: 0, next_due_ms: Some(100) });
    assert_eq!(log_dir.delete_step(100).unwrap(), DeletionStep { deleted: 2, next_due_ms: Some(200) });
    assert!(disk.file_system.exists(&file).unwrap() && !disk.file_system.exists(&folder).unwrap());
    assert_eq!(log_dir.delete_step(1000).unwrap(), DeletionStep { deleted: 1, next_due_ms: None });
}

fn open_all(disk: &Disk, paths: &[&str], expected: Expected<'_>) -> Result<LogDirs, LogDirError> {
    let paths: Vec<PathBuf> = paths.iter().map(PathBuf::from).collect();
    LogDirs::open(&paths, expected, &disk.options)
}

fn ids() -> impl FnMut() -> Uuid {
    let mut next = 98;
    move || {
        next += 1;
        Uuid::from_u128(next)
    }
}

#[test]
fn new_directories_get_ids_and_old_ones_keep_theirs() {
    let disk = disk();
    let opened = open_all(&disk, &["/a"], Expected::default()).unwrap();
    assert_eq!((opened.cluster_id(), opened.node_id()), (None, None));
    opened.format("cluster", 4, ids()).unwrap();
    let first = opened.all()[0].directory_id();
    assert_eq!(first, Some(Uuid::from_u128(100)), "99 is reserved");
    drop(opened);

    let old = MetaProperties { directory_id: None, node_id: Some(4), ..properties() };
    disk.file_system.create_dir_all(Path::new("/old")).unwrap();
    old.store(&disk.file_system, Path::new("/old")).unwrap();
    let opened = open_all(&disk, &["/a", "/b", "/old"], Expected::default()).unwrap();
    opened.format("cluster", 4, ids()).unwrap();
    let ids: Vec<_> = opened.all().iter().map(|log_dir| log_dir.directory_id().unwrap().as_u128()).collect();
    assert_eq!(ids, [100, 102, 103], "an id in use is not given twice");
    assert_eq!((opened.cluster_id().as_deref(), opened.node_id()), (Some("cluster"), Some(4)));
    assert_eq!(opened.by_id(Uuid::from_u128(102)).unwrap().path(), Path::new("/b"));
}

#[test]
fn somebody_elses_directory_is_refused() {
    let disk = disk();
    open_all(&disk, &["/a"], Expected::default()).unwrap().format("cluster", 4, ids()).unwrap();
    let other = Expected { cluster_id: Some("other"), node_id: None };
    let refused = open_all(&disk, &["/a"], other).unwrap_err();
    assert_eq!(refused.to_string(), "Invalid cluster.id in: /a/meta.properties. Expected other, but read cluster");
    assert!(matches!(open_all(&disk, &["/b", "/b"], Expected::default()), Err(LogDirError::Duplicate { .. })));
}

#[test]
fn a_broken_disk_leaves_its_directory_out() {
    let disk = disk();
    disk.file_system.fail(Operation::SyncDir, "/", 0, libc::EIO);
    let opened = open_all(&disk, &["/bad", "/good"], Expected::default()).unwrap();
    assert_eq!(opened.all()[0].path(), Path::new("/good"));
    assert_eq!(opened.failed().map(|(path, _)| path).collect::<Vec<_>>(), [Path::new("/bad")]);
    disk.file_system.fail(Operation::List, "/only", 0, libc::EIO);
    assert!(matches!(open_all(&disk, &["/only"], Expected::default()), Err(LogDirError::NoneLeft)));
}

#[test]
fn new_logs_go_where_the_fewest_are() {
    let disk = disk();
    let opened = open_all(&disk, &["/a", "/b"], Expected::default()).unwrap();
    let log = log(0, None);
    let mut chosen = Vec::new();
    for number in 0..4 {
        let log_dir = opened.for_new_log().unwrap();
        register(log_dir, &partition(number), &log);
        chosen.push(log_dir.path().to_str().unwrap().to_owned());
    }
    assert_eq!(chosen, ["/a", "/b", "/a", "/b"]);
    opened.all()[0].fail("test", io::ErrorKind::Other.into());
    opened.all()[0].unregister(&partition(0));
    assert_eq!(opened.for_new_log().unwrap().path(), Path::new("/b"));
}

#[test]
fn the_last_broker_epoch_counts_if_all_agree() {
    let stop_with = |epochs: [Option<i64>; 2]| {
        let disk = disk();
        let opened = open_all(&disk, &["/a", "/b"], Expected::default()).unwrap();
        for (log_dir, epoch) in opened.all().iter().zip(epochs) {
            if let Some(epoch) = epoch {
                log_dir.mark_clean_shutdown(epoch).unwrap();
            }
        }
        drop(opened);
        open_all(&disk, &["/a", "/b"], Expected::default()).unwrap().previous_broker_epoch()
    };
    assert_eq!(stop_with([Some(3), Some(3)]), Some(3));
    assert_eq!(stop_with([Some(3), Some(4)]), None);
    assert_eq!(stop_with([Some(3), None]), None);
    assert_eq!(stop_with([None, None]), None);
}
