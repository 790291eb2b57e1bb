//! Partitions: what is visible when, and who is told.

use std::sync::Arc;
use std::time::Duration;

use protocol::record_batch::{BatchBuilder, Codec, InvalidReason};
use storage::file_system::{FileSystem, LosingFileSystem, Operation, Survival};
use storage::{AppendError, Error};

use super::testing::{LEADER_EPOCH, NOW, batch, partition};
use super::{Durability, FetchLimits, Flusher, Partition, PartitionError, Watch};

const VERSION: i16 = 9;

struct Fixture {
    file_system: Arc<LosingFileSystem>,
    flusher: Arc<Flusher>,
    partition: Arc<Partition>,
}

impl Fixture {
    fn new(durability: Durability) -> Self {
        let file_system = Arc::new(LosingFileSystem::default());
        let flusher = Flusher::start(2);
        let path = std::path::Path::new("/data");
        let partition = partition(Arc::clone(&file_system) as Arc<dyn FileSystem>, path, &flusher, durability);
        Self { file_system, flusher, partition }
    }

    fn append(&self) -> i64 {
        self.partition.append(batch(&[b"value"]), VERSION, NOW).unwrap().last_offset + 1
    }

    fn read(&self, offset: i64, current_leader_epoch: i32) -> Result<usize, PartitionError> {
        let limits =
            FetchLimits { offset, max_bytes: 1000, at_least_one: true, current_leader_epoch, read_committed: false };
        self.partition.read(limits).map(|read| read.region.size)
    }

    async fn wait_for(&self, offset: i64) {
        let mut watch = Watch::default();
        watch.add(&self.partition, offset, 5);
        while self.partition.known_high_watermark() < Some(offset) {
            let slots = tokio::time::timeout(Duration::from_secs(10), watch.ready()).await.expect("told in time");
            assert_eq!(slots, [5]);
        }
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.flusher.stop();
    }
}

#[tokio::test]
async fn durable_records_are_visible_when_they_are_synced() {
    let fixture = Fixture::new(Durability::Auto);
    let end = fixture.append();
    fixture.wait_for(end).await;
    assert_eq!(fixture.partition.offsets().unwrap().recovery_point, end);
    assert!(fixture.read(0, -1).unwrap() > 0);
    fixture.file_system.power_cut(Survival::Nothing);
    let again = partition(
        Arc::clone(&fixture.file_system) as Arc<dyn FileSystem>,
        std::path::Path::new("/data"),
        &fixture.flusher,
        Durability::Auto,
    );
    assert_eq!(again.high_watermark().unwrap(), end, "what was visible is still there");
}

#[test]
fn replicated_records_are_visible_at_once_and_synced_with_the_round() {
    let fixture = Fixture::new(Durability::Replicated);
    let end = fixture.append();
    fixture.append();
    assert_eq!(fixture.partition.known_high_watermark(), Some(end + 1));
    assert_eq!(fixture.partition.offsets().unwrap().recovery_point, 0);
    assert_eq!(fixture.flusher.begin_round(), 1, "one partition, however many appends");
    assert_eq!(fixture.flusher.begin_round(), 0);
    fixture.flusher.stop();
    assert_eq!(fixture.partition.offsets().unwrap().recovery_point, end + 1);
}

#[tokio::test]
async fn many_appends_share_few_syncs() {
    let fixture = Fixture::new(Durability::Durable);
    let before = fixture.file_system.counts();
    let mut end = 0;
    for _ in 0..500 {
        end = fixture.append();
    }
    fixture.wait_for(end).await;
    let syncs = fixture.file_system.counts().syncs - before.syncs;
    assert!(syncs < 400, "{syncs} syncs for 500 appends");
}

#[tokio::test]
async fn a_failed_sync_is_told_and_never_forgotten() {
    let fixture = Fixture::new(Durability::Durable);
    let end = fixture.append();
    fixture.wait_for(end).await;
    let mut watch = Watch::default();
    watch.add(&fixture.partition, end + 1, 0);
    fixture.file_system.fail(Operation::Sync, ".log", 0, libc::EIO);
    fixture.append();
    tokio::time::timeout(Duration::from_secs(10), watch.ready()).await.expect("told in time");
    assert!(fixture.partition.log().log_dir().is_offline());
    assert_eq!(fixture.partition.known_high_watermark(), Some(end), "what was not synced is not shown");
    let refused = fixture.partition.append(batch(&[b"more"]), VERSION, NOW).unwrap_err();
    assert!(matches!(refused, PartitionError::Append(AppendError::Log(Error::Offline(_)))), "{refused}");
}

#[test]
fn only_the_leader_serves_and_only_in_its_epoch() {
    let fixture = Fixture::new(Durability::Replicated);
    fixture.append();
    assert!(fixture.read(0, LEADER_EPOCH).is_ok());
    assert!(matches!(fixture.read(0, LEADER_EPOCH - 1), Err(PartitionError::FencedLeaderEpoch { .. })));
    assert!(matches!(fixture.read(0, LEADER_EPOCH + 1), Err(PartitionError::UnknownLeaderEpoch { .. })));
    fixture.partition.set_role(false, LEADER_EPOCH + 1);
    assert!(matches!(fixture.read(0, -1), Err(PartitionError::NotLeader)));
    assert!(matches!(fixture.partition.append(batch(&[b"v"]), VERSION, NOW), Err(PartitionError::NotLeader)));
}

#[test]
fn a_refused_batch_uses_up_no_offset() {
    let fixture = Fixture::new(Durability::Replicated);
    let end = fixture.append();
    let mut damaged = batch(&[b"value"]).to_vec();
    *damaged.last_mut().unwrap() ^= 1;
    let refused = fixture.partition.append(damaged.into(), VERSION, NOW).unwrap_err();
    assert!(matches!(refused, PartitionError::Invalid(invalid) if invalid.reason == InvalidReason::Corrupt));
    let mut builder = BatchBuilder::new(0, Codec::None).producer(9, 0, 5);
    builder.append(NOW, None, Some(b"v"), &[]);
    fixture.partition.append(builder.build(), VERSION, NOW).unwrap();
    let mut builder = BatchBuilder::new(0, Codec::None).producer(9, 0, 7);
    builder.append(NOW, None, Some(b"v"), &[]);
    let refused = fixture.partition.append(builder.build(), VERSION, NOW).unwrap_err();
    assert!(matches!(refused, PartitionError::Append(AppendError::Producer(_))), "{refused}");
    assert_eq!(fixture.append(), end + 2);
}

#[test]
fn an_offset_outside_the_log_is_an_error_and_its_end_is_not() {
    let fixture = Fixture::new(Durability::Replicated);
    let end = fixture.append();
    assert_eq!(fixture.read(end, -1).unwrap(), 0);
    for offset in [-1, end + 1, i64::MAX, i64::MIN] {
        let error = fixture.read(offset, -1).unwrap_err();
        assert!(matches!(error, PartitionError::Log(Error::OffsetOutOfRange { .. })), "{offset}: {error}");
    }
}

#[test]
fn records_are_deleted_up_to_the_high_watermark() {
    let fixture = Fixture::new(Durability::Replicated);
    (0..3).for_each(|_| {
        fixture.append();
    });
    assert_eq!(fixture.partition.delete_records(1).unwrap(), 1);
    assert!(fixture.read(0, -1).is_err());
    assert!(matches!(fixture.partition.delete_records(4), Err(PartitionError::Log(Error::OffsetOutOfRange { .. }))));
    assert_eq!(fixture.partition.delete_records(-1).unwrap(), 3);
}

#[test]
fn what_was_answered_before_its_sync_can_be_deleted() {
    let fixture = Fixture::new(Durability::Durable);
    let end = fixture.append();
    assert_eq!(fixture.partition.delete_records(end).unwrap(), end);
    assert_eq!(fixture.partition.high_watermark().unwrap(), end);
}

#[tokio::test]
async fn a_watch_that_is_dropped_leaves_nothing_behind() {
    let fixture = Fixture::new(Durability::Replicated);
    let mut watch = Watch::default();
    watch.add(&fixture.partition, 10, 0);
    watch.add(&fixture.partition, 20, 1);
    assert_eq!(fixture.partition.interest().len(), 2);
    drop(watch);
    assert_eq!(fixture.partition.interest().len(), 0);
}
