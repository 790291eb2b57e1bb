//! The files that Apache Kafka wrote are understood, written back byte for byte, and follow from its log.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use protocol::ids::{TopicPartition, parse_uuid};
use protocol::record_batch::Batches;
use storage::checkpoint::{PartitionOffsets, decode_offsets, encode_offsets};
use storage::file_system::OsFileSystem;
use storage::index::txn_index::{AbortedTxn, ENTRY_SIZE};
use storage::leader_epoch::LeaderEpochs;
use storage::meta_properties::MetaProperties;
use storage::producer_state::{self, ProducerBatch, ProducerStateManager, snapshot_path};
use storage::{Log, LogConfig, LogDir, LogDirOptions, Offsets, ReadLimits, partition_metadata};

const DAY_MS: i64 = 86_400_000;
/// When Kafka started for the second time, about: the markers of its first run have this time.
const SECOND_START_MS: i64 = 1_795_535_287_104;

fn kafka() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/kafka-4.3.1")
}

fn read(name: &str) -> Vec<u8> {
    fs::read(kafka().join(name)).expect("Kafka wrote it")
}

/// Kafka's directory, to be changed.
fn copy() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    copy_all(&kafka(), folder.path()).expect("a copy");
    folder
}

fn copy_all(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() { copy_all(&from, &to)? } else { fs::copy(&from, &to).map(drop)? }
    }
    Ok(())
}

fn orders(partition: i32) -> TopicPartition {
    TopicPartition::new("orders", partition)
}

fn open(folder: &Path) -> Arc<LogDir> {
    LogDir::open(folder, &LogDirOptions::new(Arc::new(OsFileSystem))).expect("the directory opens")
}

#[test]
fn meta_properties_come_back_but_for_the_date() {
    let bytes = read("meta.properties");
    let properties = MetaProperties::decode(&bytes).unwrap();
    assert_eq!(properties.cluster_id.as_deref(), Some("kafka-kit-cluster-000g"));
    assert_eq!(properties.node_id, Some(1));
    assert_eq!(properties.directory_id, parse_uuid("kafka-kit-directory-1g"));
    let text = String::from_utf8(bytes).unwrap();
    let without_date: String =
        text.lines().filter(|line| !line.starts_with("#T")).map(|line| format!("{line}\n")).collect();
    assert_eq!(properties.encode(), without_date);
}

#[test]
fn checkpoints_come_back() {
    let offsets = |name: &str| decode_offsets(&read(name)).unwrap();
    let recovery_points = offsets("recovery-point-offset-checkpoint");
    assert_eq!((recovery_points[&orders(0)], recovery_points[&orders(1)]), (22, 3));
    assert_eq!(recovery_points, offsets("replication-offset-checkpoint"));
    let log_start_offsets = offsets("log-start-offset-checkpoint");
    assert_eq!(log_start_offsets, PartitionOffsets::from([(orders(0), 5)]));
    assert_eq!(encode_offsets(&log_start_offsets).as_bytes(), read("log-start-offset-checkpoint"));
}

#[test]
fn leader_epochs_and_topic_ids_come_back() {
    let text = read("orders-0/leader-epoch-checkpoint");
    let epochs = LeaderEpochs::decode(&text).unwrap();
    assert_eq!((epochs.epoch_for_offset(5), epochs.epoch_for_offset(17)), (Some(0), Some(2)));
    assert_eq!(epochs.encode().as_bytes(), text);
    let text = read("orders-0/partition.metadata");
    let topic_id = partition_metadata::decode(&text).unwrap();
    assert_eq!(partition_metadata::encode(topic_id).as_bytes(), text);
}

#[test]
fn a_clean_stop_is_seen_and_marked_alike() {
    let folder = copy();
    let log_dir = open(folder.path());
    assert_eq!((log_dir.was_clean(), log_dir.last_shutdown().broker_epoch), (true, Some(49)));
    log_dir.mark_clean_shutdown(49).unwrap();
    assert_eq!(fs::read(folder.path().join(".kafka_cleanshutdown")).unwrap(), read(".kafka_cleanshutdown"));
}

/// What the batches of a log file say about producers.
fn producer_batches(name: &str) -> Vec<ProducerBatch> {
    let bytes = read(name);
    let batches = Batches::new(&bytes).map(|batch| batch.expect("whole batches"));
    batches.filter_map(|(header, bytes)| ProducerBatch::read(&header, bytes)).collect()
}

#[test]
fn producer_snapshots_come_back() {
    for name in ["orders-0/00000000000000000011", "orders-0/00000000000000000017", "orders-0/00000000000000000022"] {
        let bytes = read(&format!("{name}.snapshot"));
        let producers = producer_state::decode(&bytes).unwrap();
        assert_eq!(producer_state::encode(&producers), bytes, "{name}");
    }
}

#[test]
fn replaying_kafkas_log_leads_to_its_snapshots_and_transaction_index() {
    let snapshot = |offset: i64| fs::read(snapshot_path(&kafka().join("orders-0"), offset)).unwrap();
    let mut manager = ProducerStateManager::new(DAY_MS);
    for batch in producer_batches("orders-0/00000000000000000000.log") {
        manager.replay(&batch);
    }
    assert_eq!(producer_state::encode(manager.producers()), snapshot(11));
    assert_eq!(manager.first_unstable_offset(), Some(8));

    let mut aborted = Vec::new();
    let rest = producer_batches("orders-0/00000000000000000011.log");
    let (first_run, _) = rest.split_at(rest.partition_point(|batch| batch.first_offset < 17));
    for batch in first_run {
        if let Some((completed, last_stable_offset)) = manager.replay(batch)
            && completed.aborted
        {
            let (producer_id, first_offset, last_offset) =
                (completed.producer_id, completed.first_offset, completed.last_offset);
            aborted.push(AbortedTxn { producer_id, first_offset, last_offset, last_stable_offset });
        }
    }
    assert_eq!(producer_state::encode(manager.producers()), snapshot(17));
    let index: Vec<u8> = aborted.iter().flat_map(AbortedTxn::encode).collect();
    assert_eq!(index, read("orders-0/00000000000000000011.txnindex"));
    let decoded: Vec<_> = index.as_chunks::<ENTRY_SIZE>().0.iter().map(AbortedTxn::decode).collect();
    assert_eq!(decoded, aborted.into_iter().map(Some).collect::<Vec<_>>());
}

#[test]
fn loading_forgets_whom_kafka_forgot() {
    let folder = copy();
    let orders = folder.path().join("orders-0");
    fs::remove_file(snapshot_path(&orders, 22)).unwrap();
    let mut manager = ProducerStateManager::new(DAY_MS);
    manager.load_snapshots(&OsFileSystem, &orders, &BTreeSet::from([0, 11])).unwrap();
    manager.truncate_and_reload(&OsFileSystem, &orders, 0, 22, SECOND_START_MS).unwrap();
    assert_eq!(manager.end_offset(), 17);
    for batch in producer_batches("orders-0/00000000000000000011.log") {
        if batch.first_offset >= 17 {
            manager.replay(&batch);
        }
    }
    let expected = fs::read(snapshot_path(&kafka().join("orders-0"), 22)).unwrap();
    assert_eq!(producer_state::encode(manager.producers()), expected);
    assert_eq!(manager.first_undecided_offset(), Some(20));
}

#[test]
fn kafkas_logs_open_after_a_clean_and_after_an_unclean_stop() {
    for clean in [true, false] {
        let folder = copy();
        if !clean {
            fs::remove_file(folder.path().join(".kafka_cleanshutdown")).unwrap();
        }
        let log_dir = open(folder.path());
        assert_eq!(log_dir.logs().unwrap(), [orders(0), orders(1)]);
        let topic_id = partition_metadata::decode(&read("orders-0/partition.metadata")).unwrap();
        let log = Log::open(&log_dir, orders(0), topic_id, LogConfig::default());
        let expected = Offsets { log_start_offset: 5, recovery_point: 22, log_end_offset: 22 };
        assert_eq!(log.offsets().unwrap(), expected);
        assert_eq!(log.latest_leader_epoch().unwrap(), Some(2));
        assert_eq!(log.first_unstable_offset().unwrap(), Some(20), "a transaction is open");
        let limits = ReadLimits { end_offset: 22, max_bytes: 1 << 20, at_least_one: true };
        let kafkas = read("orders-0/00000000000000000011.log");
        assert_eq!(log.read(11, limits).unwrap().read().unwrap(), kafkas);
    }
}
