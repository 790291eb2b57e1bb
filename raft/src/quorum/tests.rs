//! Tests of the quorum: openraft's own suite over the store, restarts, snapshots, a power cut at every step.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use openraft::StorageError;
use openraft::testing::log::{StoreBuilder, Suite};
use protocol::ids::{TopicPartition, Uuid};
use protocol::metadata_record::{FeatureLevelRecord, MetadataRecord, TopicRecord};
use storage::file_system::{FileSystem, LosingFileSystem, Survival};
use storage::{Log, LogConfig, LogDir, LogDirOptions};
use tokio::sync::mpsc;

use super::log_store::LogStore;
use super::state_machine::{Restored, StateMachine};
use super::type_config::TypeConfig;
use super::{METADATA_TOPIC, METADATA_TOPIC_ID, Quorum, QuorumConfig, SnapshotPolicy};
use crate::controller::Propose;

fn open_dir(file_system: &Arc<LosingFileSystem>) -> Arc<LogDir> {
    let options = LogDirOptions::new(Arc::clone(file_system) as Arc<dyn FileSystem>);
    LogDir::open(Path::new("/data"), &options).unwrap()
}

fn now() -> super::Now {
    Arc::new(|| 1_700_000_000_000)
}

fn config(file_system: &Arc<LosingFileSystem>) -> QuorumConfig {
    QuorumConfig {
        node_id: 1,
        voters: BTreeMap::from([(1, "127.0.0.1:9093".to_owned())]),
        log_dir: open_dir(file_system),
        listener: "CONTROLLER".into(),
        snapshots: SnapshotPolicy { max_bytes: 1000, max_age: None },
        now_ms: now(),
    }
}

fn bootstrap() -> Vec<MetadataRecord> {
    vec![FeatureLevelRecord { name: "metadata.version".into(), feature_level: 25 }.into()]
}

fn topic(n: u128) -> Vec<MetadataRecord> {
    vec![TopicRecord { name: format!("t{n}").into(), topic_id: Uuid::from_u128(100 + n) }.into()]
}

async fn propose(quorum: &Quorum, n: u128) {
    let leadership = quorum.leadership().await.unwrap();
    quorum.propose(leadership.epoch, topic(n)).await.unwrap();
}

struct Stores;

impl StoreBuilder<TypeConfig, LogStore, StateMachine, mpsc::Receiver<crate::image::Update>> for Stores {
    async fn build(
        &self,
    ) -> Result<(mpsc::Receiver<crate::image::Update>, LogStore, StateMachine), StorageError<TypeConfig>> {
        let log_dir = open_dir(&Arc::new(LosingFileSystem::new()));
        let partition = TopicPartition::new(METADATA_TOPIC, 0);
        let folder = log_dir.folder(&partition);
        let log = Log::open(&log_dir, partition, METADATA_TOPIC_ID, LogConfig::default());
        let (updates, receiver) = mpsc::channel(super::UPDATES);
        let state_machine = StateMachine::new(log_dir, folder, Restored::default(), Arc::default(), updates);
        Ok((receiver, LogStore::open(log, 1, None, now()).unwrap(), state_machine))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn openrafts_log_store_suite_passes() {
    Suite::test_all(Stores).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quorum_of_one_forms_itself_and_comes_back() {
    let file_system = Arc::new(LosingFileSystem::new());
    let (quorum, _updates) = Quorum::start(config(&file_system), bootstrap()).await.unwrap();
    for n in 0..5 {
        propose(&quorum, n).await;
        assert!(quorum.image().topics().by_name(&format!("t{n}")).is_some(), "read your writes");
    }
    let before = quorum.image();
    let described = quorum.describe();
    assert_eq!((described.leader_id, described.voters.len()), (1, 1));
    assert_eq!(described.voters[0].log_end_offset, described.high_watermark);
    quorum.shutdown().await.unwrap();
    drop((quorum, _updates));
    let (quorum, _updates) = Quorum::start(config(&file_system), bootstrap()).await.unwrap();
    assert_eq!(quorum.image().topics(), before.topics());
    assert_eq!(quorum.image().features(), before.features());
    propose(&quorum, 77).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_stands_for_the_log_before_it() {
    let file_system = Arc::new(LosingFileSystem::new());
    let (quorum, mut updates) = Quorum::start(config(&file_system), bootstrap()).await.unwrap();
    quorum.snapshot_if_due().await.unwrap();
    assert_eq!(quorum.shared.last_snapshot_ms.load(Ordering::Relaxed), now()(), "fewer than 1000 bytes are none");
    for n in 0..50 {
        propose(&quorum, n).await;
        while updates.try_recv().is_ok() {}
    }
    quorum.snapshot_if_due().await.unwrap();
    let wait = quorum.shared.raft.wait(None);
    wait.metrics(|metrics| metrics.snapshot.is_some(), "a snapshot").await.unwrap();
    propose(&quorum, 50).await;
    let before = quorum.image();
    quorum.shutdown().await.unwrap();
    drop((quorum, updates));
    let (quorum, _updates) = Quorum::start(config(&file_system), bootstrap()).await.unwrap();
    assert_eq!(quorum.image().topics(), before.topics());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_takes_nothing_that_was_answered() {
    for seed in 0..20u32 {
        let file_system = Arc::new(LosingFileSystem::new());
        let (quorum, updates) = Quorum::start(config(&file_system), bootstrap()).await.unwrap();
        for n in 0..seed % 7 + 1 {
            propose(&quorum, n.into()).await;
        }
        let answered = quorum.image();
        file_system.power_cut(Survival::Random { seed: seed.into() });
        drop((quorum, updates));
        let (quorum, _updates) = Quorum::start(config(&file_system), bootstrap()).await.unwrap();
        assert_eq!(quorum.image().topics(), answered.topics(), "seed {seed}");
        assert!(quorum.describe().leader_epoch > answered.epoch(), "a vote was lost, seed {seed}");
    }
}

/// As Kafka leaves a log whose beginning it dropped: the snapshot says what was there, nothing says how many entries that were.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_goes_on_without_what_only_raft_counts() {
    let file_system = Arc::new(LosingFileSystem::new());
    let (quorum, mut updates) = Quorum::start(config(&file_system), bootstrap()).await.unwrap();
    for n in 0..u128::from(super::KEPT_ENTRIES) + 50 {
        propose(&quorum, n).await;
        while updates.try_recv().is_ok() {}
    }
    quorum.snapshot_if_due().await.unwrap();
    let wait = quorum.shared.raft.wait(None);
    wait.metrics(|metrics| metrics.purged.is_some(), "a log that was dropped from the start").await.unwrap();
    propose(&quorum, 5000).await;
    let before = quorum.image();
    quorum.shutdown().await.unwrap();
    drop((quorum, updates));
    let folder = Path::new("/data/__cluster_metadata-0");
    for name in ["ottla-purge-point", "quorum-state"] {
        file_system.remove_file(&folder.join(name)).unwrap();
    }
    let (quorum, _updates) = Quorum::start(config(&file_system), bootstrap()).await.unwrap();
    assert_eq!(quorum.image().topics(), before.topics());
    assert!(quorum.describe().leader_epoch > before.epoch());
    propose(&quorum, 5001).await;
}

/// `kafka-storage format --release-version` decides the features; they are not chosen anew.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_cluster_has_the_features_it_was_formatted_with() {
    use protocol::record_batch::{BatchBuilder, Codec};
    let file_system = Arc::new(LosingFileSystem::new());
    let feature: MetadataRecord = FeatureLevelRecord { name: "metadata.version".into(), feature_level: 21 }.into();
    let mut batch = BatchBuilder::new(0, Codec::None).leader_epoch(0);
    batch.append(0, None, Some(&feature.encode_value().unwrap()), &[]);
    let config = config(&file_system);
    file_system.write_atomic(Path::new("/data/bootstrap.checkpoint"), &batch.build()).unwrap();
    let (quorum, _updates) = Quorum::start(config, bootstrap()).await.unwrap();
    assert_eq!(quorum.image().features().get("metadata.version"), Some(&21));
}
