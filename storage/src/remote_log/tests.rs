//! The whole remote part of a log over stores that work and stores that do not.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use protocol::ids::{TopicPartition, Uuid};
use protocol::record_batch::{BatchBuilder, Codec, ValidatedBatch};

use super::mover::newest;
use super::testing::{CONSUMER, Fault, FaultyStore, joined};
use super::*;
use crate::file_system::{FileSystem, LosingFileSystem, OsFileSystem};
use crate::log_dir::{LogDir, LogDirOptions};
use crate::{Log, LogConfig, Piece, ReadLimits};

const NOW: i64 = 1_700_000_000_000;
const EPOCH: i32 = 3;
pub(super) const KEEP: TierConfig = TierConfig::KEEP;
pub(super) const LAYOUTS: [SegmentLayout; 2] = [SegmentLayout::Joined, SegmentLayout::Separate];
const MANY: CacheLimits = CacheLimits { bytes: 1 << 20, count: 1000 };

pub(super) fn keys() -> PartitionKeys {
    PartitionKeys::new("cluster", Uuid::from_u128(7), &TopicPartition::new("t", 0))
}

/// A log of `batches` batches of three records, a few of them in each segment.
fn log(batches: i64) -> Arc<Log> {
    log_of(batches, 1000)
}

/// The same in segments of that size.
pub(super) fn log_of(batches: i64, segment_bytes: u32) -> Arc<Log> {
    let file_system: Arc<dyn FileSystem> = Arc::new(LosingFileSystem::default());
    let log_dir = LogDir::open(std::path::Path::new("/data"), &LogDirOptions::new(file_system)).unwrap();
    let config = LogConfig { segment_bytes, index_interval_bytes: 200, ..LogConfig::default() };
    let log = Log::open(&log_dir, TopicPartition::new("t", 0), Uuid::from_u128(7), config);
    append(&log, batches);
    log
}

fn append(log: &Log, batches: i64) {
    for _ in 0..batches {
        let first = log.offsets().unwrap().log_end_offset;
        let mut builder = BatchBuilder::new(0, Codec::None);
        for n in first..first + 3 {
            builder.append(NOW + n * 10, None, Some(&vec![n as u8; 40 + n as usize % 30]), &[]);
        }
        log.append(&ValidatedBatch::trusted(builder.build()).unwrap(), EPOCH, NOW).unwrap();
    }
    log.flush().unwrap();
}

fn store(inner: Arc<dyn ObjectStore>) -> Arc<RemoteStore> {
    laid_out(inner, SegmentLayout::Joined)
}

pub(super) fn laid_out(inner: Arc<dyn ObjectStore>, layout: SegmentLayout) -> Arc<RemoteStore> {
    let limits = StoreLimits { part_bytes: 600, ..StoreLimits::default() };
    Arc::new(RemoteStore::new("test".to_owned(), inner, limits).with_layout(layout))
}

/// How many objects of the partition there are.
async fn count(store: &RemoteStore) -> usize {
    let mut count = 0;
    for folder in keys().folders() {
        count += store.list(&folder).await.unwrap().len();
    }
    count
}

pub(super) fn input(config: TierConfig) -> StepInput {
    StepInput { config, leader_epoch: EPOCH, stable_end_offset: i64::MAX, orphan_grace_ms: i64::MAX, now_ms: NOW }
}

fn mover(store: &Arc<RemoteStore>) -> (Mover, Arc<RemotePartition>) {
    let partition = Arc::new(RemotePartition::new(keys()));
    (Mover::new(Arc::clone(store), 1, Arc::clone(&partition)), partition)
}

/// Steps until there is nothing to do.
pub(super) async fn settle(mover: &mut Mover, log: &Arc<Log>, input: StepInput) -> (Vec<Step>, Idle) {
    let mut steps = Vec::new();
    loop {
        match mover.step(log, &input).await.unwrap() {
            Step::Nothing(idle) => return (steps, idle),
            step => steps.push(step),
        }
    }
}

/// Everything below `end` by the local log.
fn local_bytes(log: &Log, mut offset: i64, end: i64) -> Bytes {
    let mut all = BytesMut::new();
    while offset < end {
        let limits = ReadLimits { end_offset: end, max_bytes: 1, at_least_one: true };
        let bytes = log.read(offset, limits).unwrap().read().unwrap();
        offset = protocol::record_batch::BatchHeader::read(&bytes).unwrap().next_offset();
        all.extend_from_slice(&bytes);
    }
    all.freeze()
}

async fn remote_bytes(reader: &RemoteReader, view: &RemoteView, mut offset: i64, max_bytes: usize) -> Bytes {
    let mut all = BytesMut::new();
    while let Some(segment) = view.segment_of(offset) {
        let following = view.segment_of(segment.end_offset).map(|segment| &**segment);
        let limits = ReadLimits { end_offset: i64::MAX, max_bytes, at_least_one: true };
        let bytes = joined(reader.read(CONSUMER, &keys(), (segment, following), offset, limits).await.unwrap());
        let last = protocol::record_batch::Batches::new(&bytes).last().unwrap().unwrap().0;
        assert!(bytes.len() <= max_bytes || bytes.len() == last.size(), "within the limit, or one batch");
        offset = last.next_offset();
        all.extend_from_slice(&bytes);
    }
    all.freeze()
}

pub(super) async fn check_everything(log: &Log, store: &Arc<RemoteStore>, view: &RemoteView) {
    let (start, end) = (view.start_offset().unwrap(), view.end_offset().unwrap());
    let expected = local_bytes(log, start, end);
    for (chunk_bytes, max_bytes) in [(100, 700), (4 << 20, 1), (333, 1 << 20)] {
        let reader =
            || RemoteReader::new(Arc::clone(store), chunk_bytes, MANY, MANY).reading_ahead(max_bytes as u64 * 2);
        for reader in [reader(), reader().lending_files()] {
            assert!(remote_bytes(&reader, view, start, max_bytes).await == expected, "{chunk_bytes} {max_bytes}");
        }
        let reader = reader();
        for segment in view.live() {
            reader.verify(&keys(), segment).await.unwrap();
        }
    }
}

#[tokio::test]
async fn every_closed_segment_is_copied_and_reads_back() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let local = |at: usize| Arc::new(LocalFileSystem::new_with_prefix(folders[at].path()).unwrap().with_fsync(true));
    let [joined, separate] = LAYOUTS;
    let cases: [(Arc<dyn ObjectStore>, _, _); 4] = [
        (FaultyStore::new(), joined, 2),
        (FaultyStore::new(), separate, 5),
        (local(0), joined, 2),
        (local(1), separate, 5),
    ];
    for (inner, layout, objects) in cases {
        let (log, store) = (log(40), laid_out(inner, layout));
        let (mut mover, partition) = mover(&store);
        let (steps, idle) = settle(&mut mover, &log, input(KEEP)).await;
        let rolled = log.rolled_segments().unwrap();
        assert_eq!((steps.len(), idle), (rolled.len(), Idle::UpToDate));
        assert!(rolled.len() > 5);
        let view = partition.view();
        assert_eq!(view.end_offset(), Some(rolled.last().unwrap().end_offset));
        assert_eq!(view.size_bytes(), rolled.iter().map(|segment| segment.size_bytes).sum::<u64>());
        check_everything(&log, &store, &view).await;
        let epochs = view.epochs_with(&crate::leader_epoch::LeaderEpochs::default());
        assert_eq!(epochs.entries(), [crate::leader_epoch::EpochEntry { epoch: EPOCH, start_offset: 0 }]);
        // One manifest is left, and the objects of each segment: there are no transactions.
        assert_eq!(count(&store).await, objects * rolled.len() + 1);
        let topic = PartitionKeys::topic("cluster", Uuid::from_u128(7), "t");
        store.delete_topic(Uuid::from_u128(7), &topic).await.unwrap();
        assert_eq!(count(&store).await, 0);
    }
}

/// A log whose segments are files of a directory, where that is, and what is known of them.
async fn in_directory() -> (tempfile::TempDir, Arc<Log>, Arc<RemoteStore>, Arc<RemoteView>) {
    let folder = tempfile::tempdir().unwrap();
    let (log, store) = (log(40), store(Arc::new(LocalFileSystem::new_with_prefix(folder.path()).unwrap())));
    let (mut mover, partition) = mover(&store);
    settle(&mut mover, &log, input(KEEP)).await;
    (folder, log, store, partition.view())
}

/// Where the file system can say what is in memory, and it is.
fn is_lendable(folder: &std::path::Path, key: &Path) -> bool {
    let file = OsFileSystem::adopt(std::fs::File::open(folder.join(key.as_ref())).unwrap());
    file.read_resident_at(&mut [0], 0).is_ok()
}

#[tokio::test]
async fn what_was_lent_is_read_whatever_becomes_of_the_object() {
    let (folder, log, store, view) = in_directory().await;
    let segment = &view.segments[0];
    let limits = ReadLimits { end_offset: i64::MAX, max_bytes: 700, at_least_one: true };
    let expected = log.read(0, limits).unwrap().read().unwrap();
    let reader = RemoteReader::new(Arc::clone(&store), 4 << 20, MANY, MANY).lending_files();
    let lent = reader.read(CONSUMER, &keys(), (segment, None), 0, limits).await.unwrap();
    let is_lendable = is_lendable(folder.path(), &keys().log(segment));
    assert_eq!(matches!(lent[..], [Piece::Region(_)]), is_lendable, "{lent:?}");
    assert_eq!(reader.held_chunks() == (0, 0), is_lendable, "nothing is copied");
    store.delete(&keys().log(segment)).await.unwrap();
    assert_eq!(joined(lent), expected);
    // Another reader has no file of it, and is told.
    let reader = RemoteReader::new(Arc::clone(&store), 4 << 20, MANY, MANY).lending_files();
    assert!(reader.read(CONSUMER, &keys(), (segment, None), 0, limits).await.unwrap_err().is_not_found());
}

/// While pieces of a segment are in memory, they are what is read: reading ahead goes on there.
#[tokio::test]
async fn what_is_in_memory_is_not_lent() {
    let (_folder, _, store, view) = in_directory().await;
    let segment = &view.segments[0];
    let limits = ReadLimits { end_offset: i64::MAX, max_bytes: 700, at_least_one: true };
    let copying = RemoteReader::new(Arc::clone(&store), 4 << 20, MANY, MANY);
    copying.read(CONSUMER, &keys(), (segment, None), 0, limits).await.unwrap();
    let lending = copying.lending_files();
    let pieces = lending.read(CONSUMER, &keys(), (segment, None), 0, limits).await.unwrap();
    assert!(matches!(pieces[..], [Piece::Bytes(_)]), "{pieces:?}");
}

/// A file that is not as long as it should be is not lent: what is wrong with it is told, as of any store.
#[tokio::test]
async fn a_file_of_another_size_is_not_lent() {
    let (folder, _, store, view) = in_directory().await;
    let segment = &view.segments[0];
    let path = folder.path().join(keys().log(segment).as_ref());
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(segment.size() - 1).unwrap();
    let reader = RemoteReader::new(Arc::clone(&store), 4 << 20, MANY, MANY).lending_files();
    let limits = ReadLimits { end_offset: i64::MAX, max_bytes: 1 << 20, at_least_one: true };
    let read = reader.read(CONSUMER, &keys(), (segment, None), 0, limits).await;
    assert!(matches!(read, Err(RemoteError::Length { .. } | RemoteError::Store { .. })), "{read:?}");
}

#[tokio::test]
async fn times_are_found_as_in_the_local_log() {
    let (log, store) = (log(40), store(FaultyStore::new()));
    let (mut mover, partition) = mover(&store);
    settle(&mut mover, &log, input(KEEP)).await;
    let reader = RemoteReader::new(Arc::clone(&store), 256, MANY, MANY);
    let view = partition.view();
    for timestamp in (NOW - 5..NOW + 10 * view.end_offset().unwrap() - 9).step_by(7) {
        let segment = view.live().iter().find(|segment| segment.max_timestamp >= timestamp).unwrap();
        let found = reader.offset_for_timestamp(&keys(), segment, timestamp, 0).await.unwrap();
        assert_eq!(found, log.offset_for_timestamp(timestamp, i64::MAX).unwrap(), "{timestamp}");
    }
    let first = &view.live()[0];
    let moved = reader.offset_for_timestamp(&keys(), first, NOW, 2).await.unwrap().unwrap();
    assert_eq!((moved.offset, moved.leader_epoch), (2, Some(EPOCH)), "not before the start");
}

/// Whatever is below the log start offset goes, object by object.
#[tokio::test]
async fn what_expires_is_deleted() {
    let inner = FaultyStore::new();
    let (log, store) = (log(40), store(Arc::clone(&inner) as Arc<dyn ObjectStore>));
    let (mut mover, partition) = mover(&store);
    settle(&mut mover, &log, input(KEEP)).await;
    let copied = partition.view().segments.len();
    let small = TierConfig { retention_bytes: Some(log.size_bytes().unwrap() - 1900), ..KEEP };
    let (steps, _) = settle(&mut mover, &log, input(small)).await;
    assert!(matches!(steps[..], [Step::Expired { .. }, Step::Deleted { count: 2 | 1 }]), "{steps:?}");
    let view = partition.view();
    assert_eq!(view.start_offset(), Some(view.segments[0].base_offset));
    check_everything(&log, &store, &view).await;
    // DeleteRecords into the middle of a segment, then behind all of them.
    let middle = view.segments[1].base_offset + 1;
    partition.raise_log_start(middle);
    assert_eq!((partition.view().start_offset(), partition.view().segment_of(middle - 1)), (Some(middle), None));
    settle(&mut mover, &log, input(KEEP)).await;
    assert!(partition.view().segments.len() < copied - 1);
    partition.raise_log_start(log.offsets().unwrap().log_end_offset);
    settle(&mut mover, &log, input(TierConfig { copies: false, ..KEEP })).await;
    assert_eq!(partition.view().segments, []);
    assert_eq!(inner.keys().await.len(), 1, "only the manifest that says so");
}

/// A segment that is not full is closed for records that waited, and only for them.
#[tokio::test]
async fn records_that_waited_are_copied_before_their_segment_is_full() {
    let inner = FaultyStore::new();
    let (log, store) = (log_of(3, 1 << 20), store(inner.clone()));
    let (mut mover, partition) = mover(&store);
    let config = TierConfig { max_unsaved_ms: Some(1000), ..KEEP };
    let after = |ms| StepInput { now_ms: NOW + ms, ..input(config) };
    let (steps, _) = settle(&mut mover, &log, after(0)).await;
    let at_once = [Step::Rolled { base_offset: 0 }, Step::Copied { base_offset: 0, end_offset: 9, size_bytes: 0 }];
    assert_eq!(without_sizes(steps), at_once, "nobody knows how long they have waited");
    for round in 1..5 {
        assert_eq!(settle(&mut mover, &log, after(round * 5000)).await.0, [], "there is nothing new");
    }
    append(&log, 2);
    let (steps, idle) = settle(&mut mover, &log, after(20_400)).await;
    assert_eq!((steps, idle), (vec![], Idle::Collecting { max_unsaved_ms: 1000, due_ms: 600 }));
    let (steps, _) = settle(&mut mover, &log, after(21_000)).await;
    assert_eq!(
        without_sizes(steps),
        [Step::Rolled { base_offset: 9 }, Step::Copied { base_offset: 9, end_offset: 15, size_bytes: 0 }]
    );
    check_everything(&log, &store, &partition.view()).await;
    // While the store is away one segment waits, and no others are made behind it.
    inner.fail(|_| Some(Fault::Unavailable));
    for round in 0..5 {
        append(&log, 1);
        let step = mover.step(&log, &after(30_000 + round * 5000)).await;
        assert_eq!(step.ok(), (round == 0).then_some(Step::Rolled { base_offset: 15 }), "{round}");
    }
    assert_eq!(log.segment_count().unwrap(), 4);
    inner.heal();
    settle(&mut mover, &log, after(60_000)).await;
    assert_eq!(partition.view().end_offset(), Some(30));
    assert_eq!(log.segment_count().unwrap(), 5);
    check_everything(&log, &store, &partition.view()).await;
}

fn without_sizes(steps: Vec<Step>) -> Vec<Step> {
    let without = |step| match step {
        Step::Copied { base_offset, end_offset, .. } => Step::Copied { base_offset, end_offset, size_bytes: 0 },
        other => other,
    };
    steps.into_iter().map(without).collect()
}

/// The broker dies after each request in turn, before or after the store has done it.
#[tokio::test]
async fn dying_at_any_request_loses_nothing() {
    let cases = [Fault::Unavailable, Fault::LostAnswer].map(|fault| LAYOUTS.map(|layout| (fault, layout)));
    for (fault, layout) in cases.into_iter().flatten() {
        for last in 0.. {
            let inner = FaultyStore::new();
            let (log, store) = (log(24), laid_out(inner.clone(), layout));
            inner.fail(move |number| {
                (number > last).then_some(Fault::Unavailable).or((number == last).then_some(fault))
            });
            let (mut first, partition) = mover(&store);
            let retention = TierConfig { retention_bytes: Some(3000), ..KEEP };
            let mut died = false;
            for config in [KEEP, retention] {
                while !died && !matches!(first.step(&log, &input(config)).await, Ok(Step::Nothing(_))) {
                    died = inner.requests() > last;
                }
            }
            drop((first, partition));
            inner.heal();
            let again = Arc::new(RemotePartition::load(keys(), &log).unwrap());
            let found = newest(&store, &keys()).await.unwrap();
            for segment in &found.segments {
                let dead = segment.end_offset <= found.manifest.log_start_offset;
                let reader = RemoteReader::new(Arc::clone(&store), 512, MANY, MANY);
                assert!(dead || reader.verify(&keys(), segment).await.is_ok(), "{fault:?} at {last}");
            }
            let mut second = Mover::new(Arc::clone(&store), 1, Arc::clone(&again));
            settle(&mut second, &log, input(KEEP)).await;
            check_everything(&log, &store, &again.view()).await;
            if !died {
                break;
            }
        }
    }
}

/// Whoever deletes a topic dies after each request in turn; the next one finds what is left, and nothing stays.
#[tokio::test]
async fn a_deletion_that_dies_at_any_request_is_gone_through_with() {
    let topic = PartitionKeys::topic("cluster", Uuid::from_u128(7), "t");
    let cases = [Fault::Unavailable, Fault::LostAnswer].map(|fault| LAYOUTS.map(|layout| (fault, layout)));
    for (fault, layout) in cases.into_iter().flatten() {
        for last in 0.. {
            let inner = FaultyStore::new();
            let (log, store) = (log(12), laid_out(inner.clone(), layout));
            settle(&mut mover(&store).0, &log, input(KEEP)).await;
            inner.fail(move |number| {
                (number > last).then_some(Fault::Unavailable).or((number == last).then_some(fault))
            });
            let died = store.delete_topic(Uuid::from_u128(7), &topic).await.is_err();
            inner.heal();
            store.delete_topic(Uuid::from_u128(7), &topic).await.unwrap();
            assert_eq!(inner.keys().await, Vec::<String>::new(), "{fault:?} at {last}");
            if !died {
                break;
            }
        }
    }
}

/// A storm of every fault: in the end all is remote, and what the newest manifest names is there.
#[tokio::test]
async fn faults_delay_and_nothing_else() {
    for seed in 0..30_u64 {
        let inner = FaultyStore::new();
        let (log, store) = (log(24), laid_out(inner.clone(), LAYOUTS[seed as usize % 2]));
        let faults = [Fault::Unavailable, Fault::LostAnswer, Fault::Torn];
        inner.fail(move |number| {
            let dice =
                (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ seed.wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let dice = (dice ^ dice >> 29).wrapping_mul(0x94d0_49bb_1331_11eb) >> 33;
            dice.is_multiple_of(5).then(|| faults[dice as usize / 5 % 3])
        });
        let (mut mover, partition) = mover(&store);
        let mut failures = 0;
        loop {
            match mover.step(&log, &input(KEEP)).await {
                Ok(Step::Nothing(_)) => break,
                Ok(_) => {}
                Err(_) => failures += 1,
            }
            assert!(failures < 1000, "it works again when the store does");
            if failures > 300 {
                inner.heal();
            }
        }
        inner.heal();
        assert!(failures > 0);
        check_everything(&log, &store, &partition.view()).await;
    }
}

/// What is gone without our doing is told, and what is local stays, until somebody gives the rest up.
#[tokio::test]
async fn a_store_that_was_emptied_is_told_of() {
    let inner = FaultyStore::new();
    let (log, store) = (log(24), store(inner.clone()));
    let (mut first, partition) = mover(&store);
    settle(&mut first, &log, input(KEEP)).await;
    let before = partition.view();
    store.delete_all(&keys().folder()).await.unwrap();
    append(&log, 24);
    let restarted = Arc::new(RemotePartition::load(keys(), &log).unwrap());
    let second = Mover::new(Arc::clone(&store), 1, Arc::clone(&restarted));
    for (mut mover, partition) in [(first, partition), (second, restarted)] {
        for _ in 0..2 {
            let refused = mover.step(&log, &input(KEEP)).await.unwrap_err();
            assert!(matches!(refused, RemoteError::Emptied { .. }), "{refused}");
        }
        assert_eq!(
            (&partition.view(), inner.keys().await.iter().any(|key| key.contains("/manifest/"))),
            (&before, false)
        );
        partition.raise_log_start(before.end_offset().unwrap());
        settle(&mut mover, &log, input(KEEP)).await;
        assert_eq!(partition.view().start_offset(), before.end_offset());
        check_everything(&log, &store, &partition.view()).await;
        store.delete_all(&keys().folder()).await.unwrap();
    }
}

#[tokio::test]
async fn a_deposed_leader_neither_publishes_nor_deletes() {
    let inner = FaultyStore::new();
    let (log, store) = (log(24), store(Arc::clone(&inner) as Arc<dyn ObjectStore>));
    let (mut old, old_view) = mover(&store);
    old.step(&log, &input(KEEP)).await.unwrap();
    let (mut new, new_view) = mover(&store);
    let newer = StepInput { leader_epoch: EPOCH + 1, ..input(KEEP) };
    settle(&mut new, &log, newer).await;
    old_view.raise_log_start(i64::MAX);
    for _ in 0..3 {
        assert!(matches!(old.step(&log, &input(KEEP)).await, Err(RemoteError::Fenced { .. })));
    }
    assert_eq!(newest(&store, &keys()).await.unwrap().segments, new_view.view().segments);
    check_everything(&log, &store, &new_view.view()).await;
}

/// The disk was replaced, and the log began again at 0: longer than what is remote, and different.
#[tokio::test]
async fn a_log_that_began_anew_is_left_alone() {
    let inner = FaultyStore::new();
    let (log, store) = (log(24), store(Arc::clone(&inner) as Arc<dyn ObjectStore>));
    let (mut first, _) = mover(&store);
    settle(&mut first, &log, input(KEEP)).await;
    let before = inner.keys().await;
    let other = self::log(0);
    for n in 0..60 {
        let mut builder = BatchBuilder::new(0, Codec::None);
        (0..4).for_each(|_| builder.append(NOW, None, Some(&[n; 30]), &[]));
        other.append(&ValidatedBatch::trusted(builder.build()).unwrap(), EPOCH, NOW).unwrap();
    }
    other.flush().unwrap();
    let (mut second, _) = mover(&store);
    for _ in 0..2 {
        assert!(matches!(second.step(&other, &input(KEEP)).await, Err(RemoteError::Diverged { .. })));
    }
    assert_eq!(inner.keys().await, before);
}

#[tokio::test]
async fn a_manifest_of_many_segments_is_split() {
    let inner = FaultyStore::new();
    let (log, store) = (log(4200), store(Arc::clone(&inner) as Arc<dyn ObjectStore>));
    let (mut first, partition) = mover(&store);
    settle(&mut first, &log, input(KEEP)).await;
    let found = newest(&store, &keys()).await.unwrap();
    assert!(found.segments.len() > 600 && found.manifest.segments.len() <= 512, "{}", found.segments.len());
    assert_eq!((&found.segments, found.manifest.parts.len() > 1), (&partition.view().segments, true));
    // All of the first part and a piece of the second expire; another broker goes on from there.
    let start = partition.view().segments[300].base_offset;
    partition.raise_log_start(start);
    first.step(&log, &input(KEEP)).await.unwrap();
    let (mut second, again) = mover(&store);
    settle(&mut second, &log, input(KEEP)).await;
    assert_eq!(again.view().start_offset(), Some(start));
    assert_eq!(again.view().live(), partition.view().live());
    let parts = inner.keys().await.into_iter().filter(|key| key.contains("/part-")).count();
    assert_eq!(parts, found.manifest.parts.len() - 1, "the part that is wholly gone");
}

#[tokio::test]
async fn a_restart_knows_without_the_store() {
    let inner = FaultyStore::new();
    let (log, store) = (log(24), store(Arc::clone(&inner) as Arc<dyn ObjectStore>));
    let (mut mover, partition) = mover(&store);
    settle(&mut mover, &log, input(KEEP)).await;
    partition.raise_log_start(4);
    partition.store(&log).unwrap();
    assert_eq!(*RemotePartition::load(keys(), &log).unwrap().view(), *partition.view());
    log.write_beside("remote-log-manifest", b"damaged").unwrap();
    assert_eq!(*RemotePartition::load(keys(), &log).unwrap().view(), RemoteView::default());
}

#[tokio::test]
async fn a_silent_store_holds_nobody_longer_than_the_deadline() {
    let inner = FaultyStore::new();
    inner.fail(|_| Some(Fault::Silence));
    let limits = StoreLimits { attempt: Duration::from_millis(1), ..StoreLimits::default() };
    let store = Arc::new(RemoteStore::new("test".to_owned(), inner, limits));
    let (mut mover, _) = mover(&store);
    assert!(matches!(mover.step(&log(9), &input(KEEP)).await, Err(RemoteError::Deadline { .. })));
}

#[tokio::test]
async fn a_store_that_overwrites_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let inner = FaultyStore::new();
    let at = Path::from("cluster");
    probe(&store(Arc::clone(&inner) as Arc<dyn ObjectStore>), &at).await.unwrap();
    probe(&store(Arc::new(LocalFileSystem::new_with_prefix(folder.path()).unwrap())), &at).await.unwrap();
    assert_eq!(inner.keys().await, Vec::<String>::new(), "nothing stays");
    inner.overwrites.store(true, std::sync::atomic::Ordering::SeqCst);
    let refused = probe(&store(inner), &at).await;
    assert!(matches!(refused, Err(ProbeError::Overwrites)), "{refused:?}");
}

/// Many ask for one piece at once: one request. What is held stays within the limits.
#[tokio::test]
async fn one_download_serves_all_and_the_cache_is_bounded() {
    let inner = FaultyStore::new();
    let (log, store) = (log(60), store(Arc::clone(&inner) as Arc<dyn ObjectStore>));
    let (mut mover, partition) = mover(&store);
    settle(&mut mover, &log, input(KEEP)).await;
    let limits = CacheLimits { bytes: 700, count: 5 };
    let reader = RemoteReader::new(Arc::clone(&store), 200, limits, limits);
    let view = partition.view();
    inner.heal();
    let limit = ReadLimits { end_offset: i64::MAX, max_bytes: 1, at_least_one: true };
    let keys = keys();
    let same = (0..20).map(|_| reader.read(CONSUMER, &keys, (&view.segments[0], None), 0, limit));
    futures_util::future::try_join_all(same).await.unwrap();
    assert!(inner.requests() <= 3, "the indexes and the pieces of one batch: {}", inner.requests());
    for offset in 0..view.end_offset().unwrap() {
        reader.read(CONSUMER, &keys, (view.segment_of(offset).unwrap(), None), offset, limit).await.unwrap();
        let (bytes, count) = reader.held_chunks();
        assert!(bytes <= limits.bytes && count <= limits.count, "{bytes} {count}");
    }
}

#[tokio::test]
async fn damaged_objects_are_named_and_never_panic() {
    let inner = FaultyStore::new();
    let (log, store) = (log(12), store(Arc::clone(&inner) as Arc<dyn ObjectStore>));
    let (mut mover, partition) = mover(&store);
    settle(&mut mover, &log, input(KEEP)).await;
    let segment = Arc::clone(&partition.view().segments[0]);
    let (key, size) = (keys().log(&segment), segment.size() as usize);
    let limits = ReadLimits { end_offset: i64::MAX, max_bytes: 1 << 20, at_least_one: true };
    let good = store.get(&key).await.unwrap();
    let damages: BTreeSet<usize> = (0..size).step_by(3).chain([16, 11]).collect();
    for at in damages {
        let mut damaged = good.to_vec();
        damaged[at] ^= 0xff;
        store.inner().put_opts(&key, damaged.into(), object_store::PutMode::Overwrite.into()).await.unwrap();
        let reader = RemoteReader::new(Arc::clone(&store), 128, MANY, MANY);
        let _ = reader.read(CONSUMER, &keys(), (&segment, None), segment.base_offset, limits).await;
        let _ = reader.offset_for_timestamp(&keys(), &segment, NOW + 5, 0).await;
        assert!(matches!(reader.verify(&keys(), &segment).await, Err(RemoteError::Corrupt { .. })));
    }
    store.delete(&key).await.unwrap();
    let reader = RemoteReader::new(Arc::clone(&store), 128, MANY, MANY);
    assert!(
        reader.read(CONSUMER, &keys(), (&segment, None), segment.base_offset, limits).await.unwrap_err().is_not_found()
    );
}

#[tokio::test]
async fn what_no_manifest_names_goes_once_it_is_old() {
    for (layout, left_behind) in LAYOUTS.into_iter().zip([3, 6]) {
        sweeps(layout, left_behind).await;
    }
}

async fn sweeps(layout: SegmentLayout, left_behind: usize) {
    let inner = FaultyStore::new();
    let (log, store) = (log(40), laid_out(inner.clone(), layout));
    let (mut mover, partition) = mover(&store);
    settle(&mut mover, &log, input(KEEP)).await;
    let named: BTreeSet<String> = inner.keys().await.into_iter().collect();
    let orphan = RemoteSegment { base_offset: 3, id: layout.new_id(), layout: layout.number(), ..Default::default() };
    for key in keys().objects(&orphan).iter().chain([&keys().part(orphan.id)]) {
        store.create(key, Bytes::from_static(b"left behind")).await.unwrap();
    }
    // Not ours, and what Apache Kafka has written there.
    let of_kafka = RemoteSegment { layout: 1, id: Uuid::new_v4(), ..orphan };
    let mut strange = keys().objects(&of_kafka);
    strange.push(keys().folder().join("notes.txt"));
    for key in &strange {
        store.create(key, Bytes::from_static(b"mine")).await.unwrap();
    }
    // The store's clock is that of this machine.
    let later = i64::MAX / 2;
    let at = |now_ms, orphan_grace_ms| StepInput { now_ms, orphan_grace_ms, ..input(KEEP) };
    assert_eq!(mover.step(&log, &at(NOW + 1001, 1000)).await.unwrap(), Step::Nothing(Idle::UpToDate), "all are young");
    assert_eq!(mover.step(&log, &at(later, 1000)).await.unwrap(), Step::Swept { count: left_behind });
    assert_eq!(mover.step(&log, &at(later, 1000)).await.unwrap(), Step::Nothing(Idle::UpToDate));
    let left: BTreeSet<String> = inner.keys().await.into_iter().collect();
    let strange: BTreeSet<String> = strange.iter().map(Path::to_string).collect();
    assert_eq!(left.difference(&named).cloned().collect::<BTreeSet<_>>(), strange);
    check_everything(&log, &store, &partition.view()).await;
    // Nobody looks again before something has failed.
    let requests = inner.requests();
    assert_eq!(mover.step(&log, &at(later + 5000, 1000)).await.unwrap(), Step::Nothing(Idle::UpToDate));
    assert_eq!(inner.requests(), requests);
}

/// Every request of a copy fails once, in a way that may leave something behind; in the end nothing is.
#[tokio::test]
async fn no_failed_copy_leaves_anything_for_ever() {
    let faults = [Fault::Unavailable, Fault::LostAnswer, Fault::Torn];
    for (fault, layout) in faults.map(|fault| LAYOUTS.map(|layout| (fault, layout))).into_iter().flatten() {
        let inner = FaultyStore::new();
        let (log, store) = (log(40), laid_out(inner.clone(), layout));
        let (mut mover, partition) = mover(&store);
        for failing in 0..40 {
            inner.fail(move |request| (request % 40 == failing).then_some(fault));
            let _ = mover.step(&log, &input(KEEP)).await;
        }
        inner.heal();
        let late = StepInput { now_ms: i64::MAX / 2, orphan_grace_ms: 1000, ..input(KEEP) };
        settle(&mut mover, &log, late).await;
        settle(&mut mover, &log, StepInput { now_ms: i64::MAX / 2 + 2000, ..late }).await;
        let view = partition.view();
        let objects = view.segments.iter().flat_map(|segment| keys().objects(segment));
        let named: BTreeSet<String> = objects.map(|key| key.to_string()).collect();
        let mut left: BTreeSet<String> = inner.keys().await.into_iter().collect();
        left.retain(|key| !key.contains("/manifest/"));
        assert_eq!(left, named, "{fault:?}");
        assert_eq!(inner.keys().await.iter().filter(|key| key.contains("/manifest/")).count(), 1, "{fault:?}");
    }
}

#[tokio::test]
async fn what_comes_next_is_there_before_it_is_asked_for() {
    let inner = FaultyStore::new();
    let (log, store) = (log(40), store(inner.clone()));
    let (mut mover, partition) = mover(&store);
    settle(&mut mover, &log, input(KEEP)).await;
    let view = partition.view();
    let reader = RemoteReader::new(Arc::clone(&store), 100, MANY, MANY).reading_ahead(1 << 20);
    let (first, second) = (&view.segments[0], &view.segments[1]);
    let limits = ReadLimits { end_offset: i64::MAX, max_bytes: 1, at_least_one: true };
    reader.read(CONSUMER, &keys(), (first, Some(second)), first.base_offset, limits).await.unwrap();
    // The store is in memory: every turn of the runtime brings what is under way to its end.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    inner.fail(|_| Some(Fault::Unavailable));
    let mut offset = first.base_offset;
    for segment in [first, second] {
        while offset < segment.end_offset {
            let bytes = joined(reader.read(CONSUMER, &keys(), (segment, None), offset, limits).await.unwrap());
            offset = protocol::record_batch::Batches::new(&bytes).last().unwrap().unwrap().0.next_offset();
        }
    }
    assert_eq!(inner.requests(), 0);
}
