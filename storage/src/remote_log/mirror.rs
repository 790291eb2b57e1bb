//! What becomes of a compacted log's remote part: the cleaner changes segments that are remote, and joins some. What it made takes
//! their place.

use std::ops::Range;
use std::sync::Arc;

use super::local_log::{checksum, export, store_copy};
use super::{CleanPart, Idle, Mover, RemoteError, RemoteSegment, Step, StepInput};
use crate::log::{Log, SegmentExport};

/// How far the remote part is known to be of the last cleaning.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mirrored {
    /// Where the clean part ended then (exclusive).
    clean_end_offset: i64,
    /// How far (exclusive).
    to: i64,
}

impl Mirrored {
    /// For the policy: after a cleaning nothing is known.
    pub(super) fn of(self, end_offset: i64, is_compacted: bool) -> CleanPart {
        let mirrored_to = if self.clean_end_offset == end_offset { self.to } else { 0 };
        CleanPart { end_offset, mirrored_to, is_compacted }
    }
}

impl Mover {
    /// Lets the clean local segment at `base_offset` take the place of what is remote of its offsets. The manifest that names it comes
    /// before what it replaces goes.
    pub(super) async fn mirror(
        &mut self,
        log: &Arc<Log>,
        input: &StepInput,
        base_offset: i64,
    ) -> Result<Step, RemoteError> {
        let clean_end_offset = log.cleaned_to()?;
        let Some(export) = export(log, base_offset).await? else {
            // It was cleaned again, or went, since it was looked at.
            return Ok(Step::Nothing(Idle::UpToDate));
        };
        let end_offset = export.end_offset;
        let view = self.partition.view();
        let range = overlapping(&view.segments, &export);
        let old = &view.segments[range.clone()];
        if let [only] = old
            && is_same(only, &export).await?
        {
            self.mirrored = Mirrored { clean_end_offset, to: end_offset };
            return Ok(Step::Unchanged { base_offset, end_offset });
        }
        let is_whole = old.first().is_none_or(|first| first.base_offset >= base_offset)
            && old.last().is_none_or(|last| last.end_offset <= end_offset);
        if !is_whole {
            // No cleaning does that: it is another log, and what is remote may be the only copy.
            return Err(RemoteError::Diverged { offset: base_offset });
        }
        let new = self.upload(&export, input.now_ms).await?;
        let size_bytes = new.size();
        let mut segments = view.segments.clone();
        segments.splice(range, [new]);
        self.publish_anew(input.leader_epoch, &segments).await?;
        self.partition.change(|view| view.segments = segments);
        store_copy(&self.partition, log).await?;
        self.mirrored = Mirrored { clean_end_offset, to: end_offset };
        if !old.is_empty() {
            self.check_newest().await?;
            self.delete_objects(old.iter()).await?;
        }
        Ok(Step::Mirrored { base_offset, end_offset, size_bytes, replaced: old.len() })
    }

    /// The manifest of `segments` of which any may have changed: no part of an earlier one is of use.
    async fn publish_anew(&mut self, leader_epoch: i32, segments: &[Arc<RemoteSegment>]) -> Result<(), RemoteError> {
        let outdated = self.published.as_mut().map(|known| std::mem::take(&mut known.parts)).unwrap_or_default();
        self.publish(leader_epoch, segments).await?;
        self.delete_parts(&outdated).await
    }
}

/// Those of the segments that have offsets of `export`.
fn overlapping(segments: &[Arc<RemoteSegment>], export: &SegmentExport) -> Range<usize> {
    let start = segments.partition_point(|segment| segment.end_offset <= export.base_offset);
    start..segments.partition_point(|segment| segment.base_offset < export.end_offset)
}

async fn is_same(remote: &RemoteSegment, export: &SegmentExport) -> Result<bool, RemoteError> {
    let is_alike = (remote.base_offset, remote.end_offset) == (export.base_offset, export.end_offset)
        && remote.size() == export.log.size as u64;
    Ok(is_alike && checksum(&export.log).await? == remote.crc)
}

#[cfg(test)]
mod tests {
    use object_store::ObjectStore;
    use protocol::ids::{TopicPartition, Uuid};
    use protocol::record_batch::{BatchBuilder, Batches, Codec, ValidatedBatch};

    use super::super::testing::{CONSUMER, Fault, FaultyStore, joined};
    use super::super::*;
    use super::*;
    use crate::cleaner::{CleanError, CleanerOptions, FullSpeed, Pace, clean};
    use crate::file_system::{FileSystem, LosingFileSystem};
    use crate::log::RolledSegment;
    use crate::log_dir::{LogDir, LogDirOptions};
    use crate::{LogConfig, ReadLimits};

    const NOW: i64 = 1_700_000_000_000;
    const LAYOUTS: [SegmentLayout; 2] = [SegmentLayout::Joined, SegmentLayout::Separate];
    const INPUT: StepInput = StepInput {
        config: TierConfig::KEEP,
        leader_epoch: 3,
        stable_end_offset: i64::MAX,
        orphan_grace_ms: i64::MAX,
        now_ms: NOW,
    };

    fn keys() -> PartitionKeys {
        PartitionKeys::new("cluster", Uuid::from_u128(7), &TopicPartition::new("t", 0))
    }

    fn log(segment_bytes: u32) -> Arc<Log> {
        let file_system: Arc<dyn FileSystem> = Arc::new(LosingFileSystem::default());
        let log_dir = LogDir::open(std::path::Path::new("/data"), &LogDirOptions::new(file_system)).unwrap();
        let config = LogConfig { segment_bytes, compact: true, min_cleanable_dirty_ratio: 0.0, ..LogConfig::default() };
        Log::open(&log_dir, TopicPartition::new("t", 0), Uuid::from_u128(7), config)
    }

    /// One batch of one record a key; a key that can be divided by seven is deleted.
    fn append(log: &Log, keys: impl IntoIterator<Item = u32>) {
        for key in keys {
            let mut builder = BatchBuilder::new(0, Codec::None);
            let value = [key as u8; 60];
            builder.append(NOW, Some(&key.to_be_bytes()), (!key.is_multiple_of(7)).then_some(&value[..]), &[]);
            log.append(&ValidatedBatch::trusted(builder.build()).unwrap(), 3, NOW).unwrap();
        }
        log.flush().unwrap();
    }

    fn clean_all(log: &Log, now_ms: i64) {
        let cleanable = log.cleanable(i64::MAX, now_ms).unwrap().expect("something is dirty");
        clean(log, &cleanable, &CleanerOptions::default(), now_ms, &FullSpeed).unwrap();
    }

    fn laid_out(inner: &Arc<FaultyStore>, layout: SegmentLayout) -> Arc<RemoteStore> {
        let inner = Arc::clone(inner) as Arc<dyn ObjectStore>;
        Arc::new(RemoteStore::new("test".to_owned(), inner, StoreLimits::default()).with_layout(layout))
    }

    fn mover(store: &Arc<RemoteStore>, log: &Log) -> (Mover, Arc<RemotePartition>) {
        let partition = Arc::new(RemotePartition::load(keys(), log).unwrap());
        (Mover::new(Arc::clone(store), 1, Arc::clone(&partition)), partition)
    }

    async fn settle(mover: &mut Mover, log: &Arc<Log>) -> (Vec<Step>, Idle) {
        let mut steps = Vec::new();
        loop {
            match mover.step(log, &INPUT).await.unwrap() {
                Step::Nothing(idle) => return (steps, idle),
                step => steps.push(step),
            }
        }
    }

    /// What is remote is the clean part of the local log, byte for byte, and there is nothing else in the store.
    async fn check(log: &Log, store: &Arc<RemoteStore>, inner: &FaultyStore, view: &RemoteView) {
        let clean_end = log.cleaned_to().unwrap();
        let local: Vec<_> = log.rolled_segments().unwrap().into_iter().filter(|s| s.end_offset <= clean_end).collect();
        let ranges = |segment: &Arc<RemoteSegment>| (segment.base_offset, segment.end_offset);
        let expected: Vec<_> = local.iter().map(|segment| (segment.base_offset, segment.end_offset)).collect();
        assert_eq!(view.segments.iter().map(ranges).collect::<Vec<_>>(), expected);
        for segment in &view.segments {
            let export = log.export_segment(segment.base_offset).unwrap().unwrap();
            let remote = store.get(&keys().log(segment)).await.unwrap();
            assert!(remote == export.log.read().unwrap(), "{}", segment.base_offset);
        }
        let (objects, parts) = (inner.keys().await, |key: &&String| key.contains("/part-"));
        let parts = objects.iter().filter(parts).count();
        let named: usize = view.segments.iter().map(|segment| keys().objects(segment).len()).sum();
        assert_eq!(objects.len(), named + parts + 1, "{objects:?}");
    }

    #[tokio::test]
    async fn what_is_clean_is_remote_as_the_last_cleaning_left_it() {
        for layout in LAYOUTS {
            cleanings_are_followed(layout).await;
        }
    }

    async fn cleanings_are_followed(layout: SegmentLayout) {
        let inner = FaultyStore::new();
        let (log, store) = (log(1000), laid_out(&inner, layout));
        let (mut mover, partition) = mover(&store, &log);
        append(&log, (0..60).map(|n| n % 20));
        assert_eq!(settle(&mut mover, &log).await, (vec![], Idle::NotClean { base_offset: 0 }));
        let mut now_ms = NOW;
        for round in 0..5 {
            clean_all(&log, now_ms);
            let (steps, _) = settle(&mut mover, &log).await;
            let replaced = steps.iter().any(|step| matches!(step, Step::Mirrored { replaced: 1.., .. }));
            assert_eq!(replaced, round > 0, "{steps:?}");
            check(&log, &store, &inner, &partition.view()).await;
            assert_eq!(settle(&mut mover, &log).await.0, [], "once");
            append(&log, (0..40).map(|n| (n + round * 5) % 30));
            // In the third round tombstones are due.
            now_ms += 40_000_000;
        }
    }

    #[tokio::test]
    async fn a_start_uploads_nothing_that_is_there() {
        for layout in LAYOUTS {
            let inner = FaultyStore::new();
            let (log, store) = (log(1000), laid_out(&inner, layout));
            append(&log, 0..60);
            clean_all(&log, NOW);
            settle(&mut mover(&store, &log).0, &log).await;
            assert_eq!(settle(&mut mover(&store, &log).0, &log).await.0, []);
            append(&log, 100..160);
            clean_all(&log, NOW);
            let (mut mover, partition) = mover(&store, &log);
            let (steps, _) = settle(&mut mover, &log).await;
            let unchanged = steps.iter().filter(|step| matches!(step, Step::Unchanged { .. })).count();
            assert!(unchanged >= 4, "no key came twice: {steps:?}");
            check(&log, &store, &inner, &partition.view()).await;
        }
    }

    #[tokio::test]
    async fn parts_of_a_large_manifest_are_written_anew() {
        for layout in LAYOUTS {
            let inner = FaultyStore::new();
            let (log, store) = (log(150), laid_out(&inner, layout));
            append(&log, 0..600);
            clean_all(&log, NOW);
            let (mut mover, partition) = mover(&store, &log);
            settle(&mut mover, &log).await;
            assert!(inner.keys().await.iter().any(|key| key.contains("/part-")));
            check(&log, &store, &inner, &partition.view()).await;
            append(&log, [3, 4, 5, 9999]);
            clean_all(&log, NOW);
            settle(&mut mover, &log).await;
            check(&log, &store, &inner, &partition.view()).await;
            let found = super::super::mover::newest(&store, &keys()).await.unwrap();
            assert_eq!(found.segments, partition.view().segments);
        }
    }

    /// The broker dies after each request in turn. What the newest manifest names is whole then, and the next one goes on.
    #[tokio::test]
    async fn dying_at_any_request_loses_nothing() {
        let cases = [Fault::Unavailable, Fault::LostAnswer].map(|fault| LAYOUTS.map(|layout| (fault, layout)));
        for (fault, layout) in cases.into_iter().flatten() {
            for last in 0.. {
                let inner = FaultyStore::new();
                let (log, store) = (log(1000), laid_out(&inner, layout));
                append(&log, (0..40).map(|n| n % 15));
                clean_all(&log, NOW);
                settle(&mut mover(&store, &log).0, &log).await;
                append(&log, (0..40).map(|n| n % 25));
                clean_all(&log, NOW);
                inner.fail(move |number| {
                    (number > last).then_some(Fault::Unavailable).or((number == last).then_some(fault))
                });
                let (mut first, _) = mover(&store, &log);
                let died = loop {
                    match first.step(&log, &INPUT).await {
                        Ok(Step::Nothing(_)) => break false,
                        Ok(_) => {}
                        Err(_) => break true,
                    }
                };
                inner.heal();
                let found = super::super::mover::newest(&store, &keys()).await.unwrap();
                let limits = CacheLimits { bytes: 0, count: 0 };
                let reader = RemoteReader::new(Arc::clone(&store), 512, limits, limits);
                for segment in &found.segments {
                    reader.verify(&keys(), segment).await.unwrap();
                }
                let (mut second, partition) = mover(&store, &log);
                settle(&mut second, &log).await;
                let sweeps = StepInput { orphan_grace_ms: -1, now_ms: i64::MAX / 2, ..INPUT };
                while !matches!(second.step(&log, &sweeps).await.unwrap(), Step::Nothing(_)) {}
                check(&log, &store, &inner, &partition.view()).await;
                if !died {
                    break;
                }
            }
        }
    }

    /// All of it is local, so that nothing is lost: by what runs, and after a start.
    #[tokio::test]
    async fn a_store_that_was_emptied_is_filled_again() {
        for layout in LAYOUTS {
            let inner = FaultyStore::new();
            let (log, store) = (log(1000), laid_out(&inner, layout));
            append(&log, 0..60);
            clean_all(&log, NOW);
            let (mut running, mut partition) = mover(&store, &log);
            settle(&mut running, &log).await;
            let before = partition.view();
            for is_start in [false, true] {
                store.delete_partition(&keys()).await.unwrap();
                append(&log, 100..160);
                clean_all(&log, NOW);
                if is_start {
                    (running, partition) = mover(&store, &log);
                } else {
                    // It finds out when it publishes, and looks again in the next step.
                    let found = loop {
                        match running.step(&log, &INPUT).await {
                            Ok(Step::Unchanged { .. }) => {}
                            found => break found,
                        }
                    };
                    assert!(matches!(found, Err(RemoteError::Emptied { .. })), "{found:?}");
                }
                let (steps, _) = settle(&mut running, &log).await;
                assert!(steps.iter().all(|step| matches!(step, Step::Mirrored { replaced: 0, .. })), "{steps:?}");
                assert!(partition.view().segments.len() > before.segments.len());
                // What it had uploaded by then.
                let sweeps = StepInput { orphan_grace_ms: -1, now_ms: i64::MAX / 2, ..INPUT };
                while !matches!(running.step(&log, &sweeps).await.unwrap(), Step::Nothing(_)) {}
                check(&log, &store, &inner, &partition.view()).await;
            }
        }
    }

    /// A part of it was copied before the topic was compacted, and is nowhere else.
    #[tokio::test]
    async fn what_only_an_emptied_store_had_is_given_up_by_leaving_the_tier() {
        for layout in LAYOUTS {
            let inner = FaultyStore::new();
            let (log, store) = (log(1000), laid_out(&inner, layout));
            let compacted = LogConfig::clone(&log.config());
            log.set_config(LogConfig { compact: false, retention_bytes: Some(3000), ..compacted.clone() });
            append(&log, 0..60);
            let (mut running, partition) = mover(&store, &log);
            settle(&mut running, &log).await;
            assert!(log.delete_old_segments(partition.copied_to(), NOW).unwrap() > 0);
            log.set_config(compacted);
            append(&log, 0..30);
            clean_all(&log, NOW);
            settle(&mut running, &log).await;
            let start = log.offsets().unwrap().log_start_offset;
            store.delete_partition(&keys()).await.unwrap();
            let (mut running, partition) = mover(&store, &log);
            for _ in 0..2 {
                assert!(matches!(running.step(&log, &INPUT).await, Err(RemoteError::Emptied { .. })));
            }
            running.leave(&log, &INPUT).await.unwrap();
            settle(&mut running, &log).await;
            check(&log, &store, &inner, &partition.view()).await;
            assert_eq!(partition.view().start_offset(), Some(start));
        }
    }

    #[tokio::test]
    async fn another_log_replaces_nothing() {
        for layout in LAYOUTS {
            let inner = FaultyStore::new();
            let (old, store) = (log(1000), laid_out(&inner, layout));
            append(&old, 0..60);
            clean_all(&old, NOW);
            settle(&mut mover(&store, &old).0, &old).await;
            let before = inner.keys().await;
            let new = log(1000);
            new.begin_leader_epoch(4).unwrap();
            for key in 0..90_u32 {
                let mut builder = BatchBuilder::new(0, Codec::None);
                builder.append(NOW, Some(&key.to_be_bytes()), Some(&[1; 60]), &[]);
                new.append(&ValidatedBatch::trusted(builder.build()).unwrap(), 4, NOW).unwrap();
            }
            new.flush().unwrap();
            clean_all(&new, NOW);
            let input = StepInput { leader_epoch: 4, ..INPUT };
            let result = mover(&store, &new).0.step(&new, &input).await;
            assert!(matches!(result, Err(RemoteError::Diverged { .. })), "{result:?}");
            assert_eq!(inner.keys().await, before);
        }
    }

    /// Offsets that the cleaner took away at the end of a segment do not keep a reader there.
    #[tokio::test]
    async fn a_segment_may_end_before_its_last_offset() {
        for layout in LAYOUTS {
            let inner = FaultyStore::new();
            let (log, store) = (log(1000), laid_out(&inner, layout));
            append(&log, (1..20).chain([1; 40]));
            clean_all(&log, NOW);
            let (mut mover, partition) = mover(&store, &log);
            settle(&mut mover, &log).await;
            let (view, limits) = (partition.view(), CacheLimits { bytes: 0, count: 0 });
            let reader = RemoteReader::new(Arc::clone(&store), 512, limits, limits);
            let limit = ReadLimits { end_offset: i64::MAX, max_bytes: 1, at_least_one: true };
            for offset in view.start_offset().unwrap()..view.end_offset().unwrap() {
                let segment = view.segment_of(offset).unwrap();
                let bytes = joined(reader.read(CONSUMER, &keys(), (segment, None), offset, limit).await.unwrap());
                let local =
                    log.read(offset, ReadLimits { end_offset: segment.end_offset, ..limit }).unwrap().read().unwrap();
                assert!(bytes == local, "{offset}");
            }
        }
    }

    /// Goes on for as long as that says so.
    struct While<F>(F);

    impl<F: Fn() -> bool> Pace for While<F> {
        fn go_on(&self, _bytes: usize) -> bool {
            self.0()
        }
    }

    /// The copy of what goes is read from then on, and has what the tombstones behind it are about.
    #[tokio::test]
    async fn a_cleaning_ends_when_a_log_that_is_copied_loses_segments() {
        let log = log(1000);
        append(&log, 1..60);
        append(&log, 1..8);
        append(&log, 100..120);
        let cleanable = log.cleanable(i64::MAX, NOW).unwrap().unwrap();
        let options = CleanerOptions { remote_start_offset: Some(0), ..CleanerOptions::default() };
        let before = log.rolled_segments().unwrap();
        let cut = || {
            let segments = log.rolled_segments().unwrap();
            // The cleaner has changed the first one, and goes on.
            if segments[0].base_offset == 0 && segments[0].size_bytes < before[0].size_bytes {
                log.increment_log_start_offset(segments[0].end_offset).unwrap();
                log.delete_old_segments(i64::MAX, NOW).unwrap();
            }
            true
        };
        let result = clean(&log, &cleanable, &options, NOW, &While(cut));
        assert!(matches!(result, Err(CleanError::Aborted)), "{result:?}");
        assert_eq!(log.rolled_segments().unwrap(), before[1..], "nothing else was changed");
    }

    /// A cleaning that was given up began the time of tombstones that no finished one has been over: of what they are about, a copy may
    /// be of the cleaning before.
    #[tokio::test]
    async fn tombstones_outlive_a_cleaning_that_was_given_up() {
        let log = log(1000);
        append(&log, 1..30);
        let clean_until = |now_ms: i64, go_on: &dyn Fn() -> bool| {
            let options = CleanerOptions { remote_start_offset: Some(0), ..CleanerOptions::default() };
            clean(&log, &log.cleanable(i64::MAX, now_ms).unwrap().unwrap(), &options, now_ms, &While(go_on))
        };
        // The record at 29 deletes the key 7.
        let tombstone = || {
            let segments = log.rolled_segments().unwrap();
            let export = |segment: &RolledSegment| log.export_segment(segment.base_offset).unwrap().unwrap();
            let logs: Vec<_> = segments.iter().map(|segment| export(segment).log.read().unwrap()).collect();
            let batches = logs.iter().flat_map(|log| Batches::new(log)).map(|batch| batch.unwrap().0);
            batches.into_iter().find(|header| header.base_offset == 29)
        };
        clean_until(NOW, &|| true).unwrap();
        append(&log, (7..8).chain(200..240));
        let has_begun = || tombstone().is_some_and(|header| header.delete_horizon_ms().is_some());
        let result = clean_until(NOW, &|| !has_begun());
        assert!(matches!(result, Err(CleanError::Aborted)), "{result:?}");
        let over = NOW + 2 * LogConfig::default().delete_retention_ms;
        clean_until(over, &|| true).unwrap();
        assert!(tombstone().is_some(), "no finished cleaning had been over it");
        append(&log, 300..320);
        clean_until(over, &|| true).unwrap();
        assert!(tombstone().is_none());
    }
}
