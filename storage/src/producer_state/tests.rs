//! The rules of idempotence and transactions, one by one.

use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::file_system::{LosingFileSystem, Survival};

const PRODUCER: i64 = 7;
const DAY_MS: i64 = 86_400_000;

fn manager() -> ProducerStateManager {
    ProducerStateManager::new(DAY_MS)
}

fn folder() -> &'static Path {
    Path::new("/")
}

/// One record of [`PRODUCER`].
fn record(epoch: i16, sequence: i32, offset: i64) -> ProducerBatch {
    records(epoch, sequence, offset, 1)
}

fn records(epoch: i16, first_sequence: i32, first_offset: i64, count: i32) -> ProducerBatch {
    let last_sequence = (i64::from(first_sequence) + i64::from(count) - 1) % (1 << 31);
    ProducerBatch {
        producer_id: PRODUCER,
        producer_epoch: epoch,
        first_offset,
        last_offset: first_offset + i64::from(count) - 1,
        timestamp: 1000,
        content: BatchContent::Data { first_sequence, last_sequence: last_sequence as i32, transactional: false },
    }
}

fn transactional(producer_id: i64, epoch: i16, sequence: i32, offset: i64) -> ProducerBatch {
    let content = BatchContent::Data { first_sequence: sequence, last_sequence: sequence, transactional: true };
    ProducerBatch { producer_id, content, ..record(epoch, sequence, offset) }
}

fn marker(producer_id: i64, epoch: i16, offset: i64, committed: bool, coordinator_epoch: i32) -> ProducerBatch {
    let content = BatchContent::Marker(EndTransactionMarker { committed, coordinator_epoch });
    ProducerBatch { producer_id, content, ..record(epoch, 0, offset) }
}

fn append_as(
    manager: &mut ProducerStateManager,
    batch: ProducerBatch,
    origin: AppendOrigin,
) -> Result<Vec<CompletedTxn>, ProducerStateError> {
    let mut updates = ProducerUpdates::default();
    manager.check(&mut updates, &batch, origin)?;
    let completed = manager.update(updates);
    manager.set_end_offset(batch.last_offset + 1);
    Ok(completed)
}

fn append(manager: &mut ProducerStateManager, batch: ProducerBatch) -> Result<Vec<CompletedTxn>, ProducerStateError> {
    let origin = match batch.content {
        BatchContent::Data { .. } => AppendOrigin::Client,
        BatchContent::Marker(_) => AppendOrigin::Coordinator { transaction_version: 0 },
    };
    append_as(manager, batch, origin)
}

fn is_out_of_order(result: Result<Vec<CompletedTxn>, ProducerStateError>) -> bool {
    matches!(result, Err(ProducerStateError::OutOfOrderSequence { .. }))
}

#[test]
fn sequences_follow_each_other() {
    let mut manager = manager();
    append(&mut manager, record(0, 0, 0)).unwrap();
    append(&mut manager, records(0, 1, 1, 4)).unwrap();
    assert!(is_out_of_order(append(&mut manager, record(0, 6, 5))), "a gap");
    assert!(is_out_of_order(append(&mut manager, record(0, 4, 5))), "a step back that is no repetition");
    append(&mut manager, record(0, 5, 5)).unwrap();
}

#[test]
fn an_unknown_producer_begins_anywhere() {
    append(&mut manager(), record(3, 17, 0)).unwrap();
}

#[test]
fn a_new_epoch_begins_at_zero_and_fences_the_old_one() {
    let mut manager = manager();
    append(&mut manager, record(0, 0, 0)).unwrap();
    let skipped = append(&mut manager, record(1, 1, 1));
    assert!(matches!(skipped, Err(ProducerStateError::NewEpochOutOfOrder { current_epoch: 0, .. })));
    append(&mut manager, record(1, 0, 1)).unwrap();
    let fenced = append(&mut manager, record(0, 1, 2));
    assert!(matches!(fenced, Err(ProducerStateError::InvalidProducerEpoch { current_epoch: 1, .. })));
    assert_eq!(manager.producers()[&PRODUCER].batches().len(), 1, "batches of the old epoch are forgotten");
}

#[test]
fn sequences_wrap_to_zero() {
    let mut manager = manager();
    append(&mut manager, records(0, i32::MAX - 2, 0, 2)).unwrap();
    let wrapping = records(0, i32::MAX, 2, 3);
    assert_eq!(
        wrapping.content,
        BatchContent::Data { first_sequence: i32::MAX, last_sequence: 1, transactional: false }
    );
    append(&mut manager, wrapping).unwrap();
    assert_eq!(manager.producers()[&PRODUCER].batches()[1].first_sequence(), i32::MAX);
    assert!(manager.find_duplicate(&ProducerUpdates::default(), &wrapping).is_some());
    append(&mut manager, record(0, 2, 5)).unwrap();

    let mut at_the_end = super::tests::manager();
    append(&mut at_the_end, record(0, i32::MAX, 0)).unwrap();
    assert!(is_out_of_order(append(&mut at_the_end, record(0, 1, 1))));
    append(&mut at_the_end, record(0, 0, 1)).unwrap();
}

#[test]
fn the_last_five_batches_are_recognised_exactly() {
    let mut manager = manager();
    for number in 0..7 {
        append(&mut manager, records(0, number * 2, i64::from(number) * 2, 2)).unwrap();
    }
    let updates = ProducerUpdates::default();
    let found = |batch: ProducerBatch| manager.find_duplicate(&updates, &batch).map(|known| known.first_offset());
    for number in 2..7 {
        assert_eq!(found(records(0, number * 2, 100, 2)), Some(i64::from(number) * 2));
    }
    assert_eq!(found(records(0, 2, 100, 2)), None, "the sixth last");
    assert_eq!(found(records(0, 12, 100, 1)), None, "a part of one");
    assert_eq!(found(records(0, 10, 100, 4)), None, "two in one");
    assert_eq!(found(records(1, 12, 100, 2)), None, "another epoch");
    assert_eq!(found(marker(PRODUCER, 0, 100, true, 0)), None);
}

#[test]
fn batches_of_one_write_see_each_other() {
    let manager = manager();
    let mut updates = ProducerUpdates::default();
    manager.check(&mut updates, &record(0, 0, 0), AppendOrigin::Client).unwrap();
    assert!(manager.find_duplicate(&updates, &record(0, 0, 1)).is_some());
    let refused = manager.check(&mut updates, &record(0, 2, 1), AppendOrigin::Client);
    assert!(matches!(refused, Err(ProducerStateError::OutOfOrderSequence { last_sequence: 0, .. })));
    manager.check(&mut updates, &record(0, 1, 1), AppendOrigin::Client).unwrap();
    assert!(manager.is_empty(), "nothing happens before the update");

    let mut manager = manager;
    manager.update(updates);
    assert_eq!(manager.producers()[&PRODUCER].last_sequence(), 1);
}

#[test]
fn a_coordinator_writes_without_sequences() {
    let mut manager = manager();
    let origin = AppendOrigin::Coordinator { transaction_version: 0 };
    append(&mut manager, record(1, 5, 0)).unwrap();
    append_as(&mut manager, record(1, -1, 1), origin).unwrap();
    let fenced = append_as(&mut manager, record(0, -1, 2), origin);
    assert!(matches!(fenced, Err(ProducerStateError::InvalidProducerEpoch { .. })));
}

#[test]
fn transactions_hold_the_unstable_offset_until_replicated() {
    let mut manager = manager();
    append(&mut manager, transactional(1, 0, 0, 10)).unwrap();
    append(&mut manager, transactional(2, 0, 0, 11)).unwrap();
    append(&mut manager, transactional(1, 0, 1, 12)).unwrap();
    assert_eq!(manager.first_unstable_offset(), Some(10));

    let completed = append(&mut manager, marker(1, 0, 13, false, 0)).unwrap();
    let expected = CompletedTxn { producer_id: 1, first_offset: 10, last_offset: 13, aborted: true };
    assert_eq!(completed, [expected]);
    assert_eq!(manager.last_stable_offset(&expected), 11, "the other one is open");
    manager.complete(&expected);
    assert_eq!((manager.first_unstable_offset(), manager.first_undecided_offset()), (Some(10), Some(11)));
    manager.on_high_watermark_updated(13);
    assert_eq!(manager.first_unstable_offset(), Some(10), "the marker is not below the high watermark");
    manager.on_high_watermark_updated(14);
    assert_eq!(manager.first_unstable_offset(), Some(11));

    let completed = append(&mut manager, marker(2, 0, 14, true, 0)).unwrap()[0];
    assert!(!completed.aborted);
    assert_eq!(manager.last_stable_offset(&completed), 15);
    manager.complete(&completed);
    manager.on_high_watermark_updated(15);
    assert_eq!(manager.first_unstable_offset(), None);
}

#[test]
fn a_marker_without_a_transaction_completes_nothing() {
    let mut manager = manager();
    assert_eq!(append(&mut manager, marker(PRODUCER, 2, 0, false, 5)).unwrap(), []);
    let entry = &manager.producers()[&PRODUCER];
    assert_eq!((entry.producer_epoch, entry.coordinator_epoch), (2, 5));
}

#[test]
fn markers_are_checked_by_both_epochs() {
    let mut manager = manager();
    append(&mut manager, transactional(PRODUCER, 3, 0, 0)).unwrap();
    append(&mut manager, marker(PRODUCER, 3, 1, true, 5)).unwrap();
    let zombie = append(&mut manager, marker(PRODUCER, 3, 2, true, 4));
    assert!(matches!(zombie, Err(ProducerStateError::TransactionCoordinatorFenced { current_epoch: 5, .. })));
    let old = append(&mut manager, marker(PRODUCER, 2, 2, true, 5));
    assert!(matches!(old, Err(ProducerStateError::InvalidProducerEpoch { .. })));
    let strict = AppendOrigin::Coordinator { transaction_version: 2 };
    let same = append_as(&mut manager, marker(PRODUCER, 3, 2, true, 5), strict);
    assert!(
        matches!(same, Err(ProducerStateError::InvalidProducerEpoch { .. })),
        "the second version wants a new epoch"
    );
    append_as(&mut manager, marker(PRODUCER, 4, 2, true, 5), strict).unwrap();
}

#[test]
fn after_a_marker_with_a_new_epoch_sequences_begin_anew() {
    let mut manager = manager();
    append(&mut manager, transactional(PRODUCER, 0, 0, 0)).unwrap();
    append(&mut manager, marker(PRODUCER, 1, 1, true, 0)).unwrap();
    assert!(is_out_of_order(append(&mut manager, transactional(PRODUCER, 1, 1, 2))));
    append(&mut manager, transactional(PRODUCER, 1, 0, 2)).unwrap();
}

#[test]
fn a_plain_batch_inside_a_transaction_is_refused() {
    let mut manager = manager();
    append(&mut manager, transactional(PRODUCER, 0, 0, 0)).unwrap();
    let refused = append(&mut manager, record(0, 1, 1));
    assert!(matches!(refused, Err(ProducerStateError::InvalidTxnState { .. })));
}

#[test]
fn replay_takes_everything() {
    let mut manager = manager();
    assert_eq!(manager.replay(&transactional(PRODUCER, 5, 9, 0)), None);
    assert_eq!(manager.replay(&transactional(PRODUCER, 4, 2, 1)), None, "an older epoch");
    assert_eq!(manager.replay(&record(4, 7, 2)), None, "a gap outside the transaction");
    let (completed, last_stable_offset) = manager.replay(&marker(PRODUCER, 4, 3, false, 0)).unwrap();
    assert_eq!((completed.first_offset, last_stable_offset), (0, 4));
    assert_eq!(manager.first_unstable_offset(), Some(0));
}

#[test]
fn idle_producers_expire_unless_their_transaction_is_open() {
    let mut manager = manager();
    append(&mut manager, record(0, 0, 0)).unwrap();
    append(&mut manager, transactional(8, 0, 0, 1)).unwrap();
    manager.expire(1000 + DAY_MS - 1);
    assert_eq!(manager.producers().len(), 2);
    manager.expire(1000 + DAY_MS);
    assert_eq!(manager.producers().keys().collect::<Vec<_>>(), [&8]);
    manager.expire(i64::MAX);
    assert!(!manager.is_empty());
}

#[test]
fn snapshots_bring_the_state_back() {
    let file_system = LosingFileSystem::new();
    let mut manager = manager();
    for sequence in 0..6 {
        append(&mut manager, record(0, sequence, sequence.into())).unwrap();
    }
    append(&mut manager, transactional(8, 2, 0, 6)).unwrap();
    assert_eq!(manager.take_snapshot(&file_system, folder(), true).unwrap(), Some(7));
    assert_eq!(manager.take_snapshot(&file_system, folder(), true).unwrap(), None, "there is one");
    file_system.power_cut(Survival::Nothing);

    let mut loaded = super::tests::manager();
    loaded.load_snapshots(&file_system, folder(), &BTreeSet::from([0])).unwrap();
    loaded.truncate_and_reload(&file_system, folder(), 0, 9, 1000).unwrap();
    assert_eq!((loaded.end_offset(), loaded.first_undecided_offset()), (7, Some(6)));
    assert_eq!(loaded.producers()[&PRODUCER].batches(), &manager.producers()[&PRODUCER].batches()[4..], "the last one");
    append(&mut loaded, record(0, 6, 7)).unwrap();
}

#[test]
fn a_damaged_snapshot_gives_way_to_the_one_before() {
    let file_system = LosingFileSystem::new();
    let mut manager = manager();
    append(&mut manager, record(0, 0, 0)).unwrap();
    manager.take_snapshot(&file_system, folder(), true).unwrap();
    append(&mut manager, record(0, 1, 1)).unwrap();
    manager.take_snapshot(&file_system, folder(), true).unwrap();
    let damaged = snapshot_path(folder(), 2);
    let mut bytes = file_system.read(&damaged).unwrap();
    bytes[20] ^= 1;
    file_system.write_atomic(&damaged, &bytes).unwrap();

    let mut loaded = super::tests::manager();
    loaded.load_snapshots(&file_system, folder(), &BTreeSet::from([0, 1])).unwrap();
    loaded.truncate_and_reload(&file_system, folder(), 0, 2, 1000).unwrap();
    assert_eq!((loaded.end_offset(), loaded.producers()[&PRODUCER].last_sequence()), (1, 0));
    assert!(!file_system.exists(&damaged).unwrap());
}

#[test]
fn truncation_removes_later_snapshots_for_good() {
    let file_system = LosingFileSystem::new();
    let mut manager = manager();
    for sequence in 0..4 {
        append(&mut manager, record(0, sequence, sequence.into())).unwrap();
        manager.take_snapshot(&file_system, folder(), true).unwrap();
    }
    manager.truncate_and_reload(&file_system, folder(), 1, 3, 1000).unwrap();
    file_system.power_cut(Survival::Nothing);
    let left: Vec<i64> = snapshot::list(&file_system, folder()).unwrap().into_iter().collect();
    assert_eq!(left, [2, 3], "1 is the log start, 4 is behind the log end");
    assert_eq!(manager.producers()[&PRODUCER].last_sequence(), 2);
    manager.truncate_fully_and_start_at(&file_system, folder(), 100).unwrap();
    assert!(manager.is_empty() && manager.end_offset() == 100);
    assert!(snapshot::list(&file_system, folder()).unwrap().is_empty());
}

#[test]
fn strays_go_but_the_snapshot_of_a_clean_stop_stays() {
    let file_system = LosingFileSystem::new();
    for offset in [5, 10, 15, 20, 25] {
        snapshot::write(&file_system, &snapshot_path(folder(), offset), &Producers::new(), true).unwrap();
    }
    let mut manager = manager();
    manager.load_snapshots(&file_system, folder(), &BTreeSet::from([0, 10, 20])).unwrap();
    assert_eq!(manager.snapshots, BTreeSet::from([10, 20, 25]));
    manager.load_snapshots(&file_system, folder(), &BTreeSet::from([0, 10, 30])).unwrap();
    assert_eq!(manager.snapshots, BTreeSet::from([10]));
    manager.delete_snapshots_before(&file_system, folder(), 10).unwrap();
    assert!(manager.forget_snapshot(10) && !manager.forget_snapshot(10));
}

#[test]
fn names_of_snapshots() {
    assert_eq!(snapshot_path(folder(), 42), Path::new("/00000000000000000042.snapshot"));
    assert_eq!(snapshot_offset("00000000000000000042.snapshot"), Some(42));
    for name in ["00000000000000000042.log", ".snapshot", "-1.snapshot", "x.snapshot", "99999999999999999999.snapshot"]
    {
        assert_eq!(snapshot_offset(name), None, "{name}");
    }
    assert_eq!(snapshot_offset("00000000000000000042.snapshot.deleted"), None);
}

#[test]
fn a_marker_is_two_versions_a_type_and_an_epoch() {
    let (abort, commit) = ([0, 0, 0, 0], [0, 0, 0, 1]);
    let value = [0, 0, 0, 0, 0, 9];
    let parsed = |committed| Some(EndTransactionMarker { committed, coordinator_epoch: 9 });
    assert_eq!(EndTransactionMarker::parse(&abort, &value), parsed(false));
    assert_eq!(EndTransactionMarker::parse(&commit, &value), parsed(true));
    assert_eq!(EndTransactionMarker::parse(&[0, 0, 0, 2], &value), None, "a leader change");
    assert_eq!(EndTransactionMarker::parse(&commit[..3], &value), None);
    assert_eq!(EndTransactionMarker::parse(&commit, &value[..5]), None);
    assert_eq!(EndTransactionMarker::parse(&[255, 255, 0, 1], &value), None);
}

/// A few producers doing anything at all.
fn any_batch() -> impl Strategy<Value = (i64, i16, i32, u8)> {
    (1i64..4, 0i16..3, 0i32..4, 0u8..4)
}

proptest! {
    #[test]
    fn any_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(&bytes);
    }

    /// With a checksum that is right, so that the entries are looked at.
    #[test]
    fn any_entries_never_panic(mut bytes in proptest::collection::vec(any::<u8>(), 10..200), count in -1i32..5) {
        bytes[..2].copy_from_slice(&1i16.to_be_bytes());
        bytes[6..10].copy_from_slice(&count.to_be_bytes());
        let checksum = crc32c::crc32c(&bytes[6..]);
        bytes[2..6].copy_from_slice(&checksum.to_be_bytes());
        if let Ok(producers) = decode(&bytes) {
            for entry in producers.values() {
                let _ = entry.find_batch(entry.producer_epoch, 0, 0);
                let _ = entry.batches().iter().map(BatchMetadata::first_offset).collect::<Vec<_>>();
            }
            let mut manager = manager();
            manager.adopt(producers, 0);
            manager.replay(&marker(1, 0, 5, false, 0));
        }
    }

    /// Whatever producers do, a snapshot and a replay of the rest lead to the state that led there.
    #[test]
    fn snapshot_and_replay_equal_the_live_state(
        steps in proptest::collection::vec(any_batch(), 1..60),
        cut in 0usize..60,
    ) {
        let file_system = LosingFileSystem::new();
        let mut live = manager();
        let mut log = Vec::new();
        for (index, (producer_id, epoch, sequence, kind)) in steps.into_iter().enumerate() {
            if index == cut {
                live.take_snapshot(&file_system, folder(), false).unwrap();
            }
            let offset = live.end_offset();
            let batch = match kind {
                0 => marker(producer_id, epoch, offset, sequence % 2 == 0, sequence),
                1 => ProducerBatch { producer_id, ..record(epoch, sequence, offset) },
                _ => transactional(producer_id, epoch, sequence, offset),
            };
            if let Ok(completed) = append(&mut live, batch) {
                completed.iter().for_each(|completed| live.complete(completed));
                log.push(batch);
            }
        }
        let mut loaded = manager();
        loaded.load_snapshots(&file_system, folder(), &BTreeSet::new()).unwrap();
        loaded.truncate_and_reload(&file_system, folder(), 0, live.end_offset(), 0).unwrap();
        let from = loaded.end_offset();
        for batch in log.iter().filter(|batch| batch.first_offset >= from) {
            loaded.replay(batch);
        }
        prop_assert_eq!(loaded.producers().len(), live.producers().len());
        for (producer_id, entry) in live.producers() {
            let other = &loaded.producers()[producer_id];
            let facts = |entry: &ProducerStateEntry| {
                let numbers = (entry.producer_epoch, entry.coordinator_epoch, entry.last_timestamp);
                (numbers, entry.current_txn_first_offset, entry.batches().last().copied())
            };
            prop_assert_eq!(facts(other), facts(entry));
        }
        prop_assert_eq!(&loaded.ongoing, &live.ongoing);
    }
}
