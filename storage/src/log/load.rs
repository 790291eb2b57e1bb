//! Bringing a log into memory: after a clean stop the end of its last segment, after a crash everything behind the
//! recovery point. Source: `LogLoader`.

use std::collections::BTreeSet;
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use protocol::record_batch::BatchHeader;

use super::swap::finish_swaps;
use super::{Loaded, Log, Tail, Writer, lock};
use crate::error::Error;
use crate::leader_epoch::LeaderEpochs;
use crate::log_dir::stray_name;
use crate::partition_metadata::{self, PartitionMetadataError};
use crate::producer_state::{ProducerBatch, ProducerStateManager};
use crate::segment::{DELETED_SUFFIX, Found, Hopper, LOG_SUFFIX, Place, SUFFIXES, Segment, WalkError, base_offset_of};

impl Log {
    /// Loads the log unless it is.
    ///
    /// # Errors
    /// The directory is offline or fails now, or the log was deleted.
    pub(super) fn load(&self) -> Result<&Loaded, Error> {
        let _load = lock(&self.load);
        if let Some(loaded) = self.loaded.get() {
            return Ok(loaded);
        }
        self.log_dir.check_online()?;
        let loader = Loader { log: self, folder: self.folder() };
        let loaded = loader.run()?;
        let recovery_point = loaded.recovery_point.load(Ordering::Acquire);
        let loaded = self.loaded.get_or_init(|| Box::new(loaded));
        self.log_dir.lower_recovery_point(&self.partition, recovery_point)?;
        Ok(loaded)
    }
}

struct Loader<'a> {
    log: &'a Log,
    folder: PathBuf,
}

/// What reading the last segments found.
struct Recovered {
    segments: Vec<Arc<Segment>>,
    next_offset: i64,
    /// Epochs of the batches that were read, with the offset of the first of each.
    epochs: Vec<(i32, i64)>,
}

impl Loader<'_> {
    fn run(self) -> Result<Loaded, Error> {
        let log = self.log;
        let log_dir = &log.log_dir;
        if !self.is_ours()? {
            return Ok(self.empty(log.stored.log_start_offset.unwrap_or(0)));
        }
        let listed = self.list_segments();
        let mut segments = log_dir.check("listing a log", listed)?;
        let Some(first) = segments.first().map(|segment| segment.base_offset()) else {
            return Ok(self.empty(log.stored.log_start_offset.unwrap_or(0)));
        };
        let log_start_offset = log.stored.log_start_offset.unwrap_or(first).max(first);
        let recovered = self.recover(&mut segments, log_start_offset);
        let recovered = log_dir.check("recovering a log", recovered)?;
        if recovered.next_offset < log_start_offset {
            tracing::warn!(
                partition = %log.partition, log_end_offset = recovered.next_offset, log_start_offset,
                "the log ends before its start offset: starting it anew there"
            );
            log_dir.check("removing segments", self.remove_segments(&recovered.segments))?;
            return Ok(self.empty(log_start_offset));
        }
        let finished = self.finish(log_start_offset, recovered);
        Ok(log_dir.check("loading a log", finished)?)
    }

    fn place(&self) -> Place<'_> {
        Place { log_dir: &self.log.log_dir, folder: &self.folder }
    }

    /// Whether there is a folder of this topic. One of an earlier topic of the same name is set aside.
    fn is_ours(&self) -> Result<bool, Error> {
        let (log, log_dir) = (self.log, &self.log.log_dir);
        let exists = log_dir.file_system().exists(&self.folder);
        if !log_dir.check("looking for a log", exists)? {
            return Ok(false);
        }
        match partition_metadata::load(log_dir.file_system(), &self.folder) {
            Ok(Some(found)) if found != log.topic_id => {
                let stray = log_dir.path().join(stray_name(&log.partition, found));
                tracing::warn!(partition = %log.partition, topic_id = %found, folder = %stray.display(), "log marked stray");
                log_dir.rename(&self.folder, &stray)?;
                Ok(false)
            }
            Ok(_) => Ok(true),
            Err(PartitionMetadataError::Io(error)) => Err(log_dir.fail("reading partition.metadata", error).into()),
            Err(error) => {
                tracing::warn!(partition = %log.partition, %error, "partition.metadata is damaged, writing it anew");
                let stored = partition_metadata::store(log_dir.file_system(), &self.folder, log.topic_id);
                log_dir.check("writing partition.metadata", stored)?;
                Ok(true)
            }
        }
    }

    /// The segments in the folder, all closed, by base offset. Cleans up what an interrupted step left.
    fn list_segments(&self) -> io::Result<Vec<Arc<Segment>>> {
        let file_system = self.log.log_dir.file_system();
        finish_swaps(self.place())?;
        let mut segments = Vec::new();
        let names: Vec<String> = file_system.read_dir(&self.folder)?.into_iter().map(|entry| entry.name).collect();
        for name in &names {
            let path = self.folder.join(name);
            if name.ends_with(DELETED_SUFFIX) {
                self.log.log_dir.schedule_deletion(path, 0);
            } else if name.ends_with(".tmp") {
                file_system.remove_file(&path)?;
            } else if let Some(base_offset) = base_offset_of(name, LOG_SUFFIX) {
                let size = file_system.metadata(&path)?.size;
                segments.push(Arc::new(Segment::closed(base_offset, size)));
            }
        }
        segments.sort_unstable_by_key(|segment| segment.base_offset());
        segments.dedup_by_key(|segment| segment.base_offset());
        self.remove_orphans(&names, &segments)?;
        Ok(segments)
    }

    /// Index files without a log.
    fn remove_orphans(&self, names: &[String], segments: &[Arc<Segment>]) -> io::Result<()> {
        let bases: BTreeSet<i64> = segments.iter().map(|segment| segment.base_offset()).collect();
        for name in names {
            let base_offset = SUFFIXES[1..].iter().find_map(|suffix| base_offset_of(name, suffix));
            if base_offset.is_some_and(|base_offset| !bases.contains(&base_offset)) {
                tracing::warn!(file = %name, "found an index file without a segment, removing it");
                self.log.log_dir.file_system().remove_file(&self.folder.join(name))?;
            }
        }
        Ok(())
    }

    /// Reads every segment that may hold unflushed bytes, and in any case the end of the last one. What is behind the
    /// first damage goes, later segments included. What is before the log start offset is nobody's.
    fn recover(&self, segments: &mut Vec<Arc<Segment>>, log_start_offset: i64) -> io::Result<Recovered> {
        let recovery_point = self.log.stored.recovery_point.unwrap_or(0).max(log_start_offset);
        let trusted = if self.log.log_dir.was_clean() { i64::MAX } else { recovery_point };
        let compacted = self.compacted_to().max(trusted);
        // The segment that ends at the recovery point may lack index entries.
        let first = segments.partition_point(|segment| segment.base_offset() < trusted).saturating_sub(1);
        let mut recovered = Recovered { segments: Vec::new(), next_offset: 0, epochs: Vec::new() };
        for at in first..segments.len() {
            let segment = &segments[at];
            let cut = self.recover_segment(segment, trusted, &mut recovered)?;
            // A tail that never reached the disk leaves no damage, but a hole before the next segment. So does compaction.
            let next = segments.get(at + 1).map(|next| next.base_offset());
            let hole = next.is_some_and(|next| next > compacted && next > recovered.next_offset);
            let damaged = hole || (cut && next.is_none_or(|next| next > log_start_offset));
            let gone = if damaged { segments.split_off(at + 1) } else { Vec::new() };
            let is_last = at + 1 == segments.len();
            if !is_last {
                segments[at].close(self.place())?;
            }
            if damaged {
                self.remove_segments(&gone)?;
                break;
            }
        }
        recovered.segments = std::mem::take(segments);
        Ok(recovered)
    }

    /// Below this offset (exclusive) a segment may end before the next one begins. Cleaned segments of our own lie below the
    /// recovery point; of Kafka's only the cleaner's checkpoint is sure to know, and that comes after the swap.
    fn compacted_to(&self) -> i64 {
        let cleaned = self.log.log_dir.cleaner_offset(&self.log.partition).unwrap_or(0);
        if self.log.config().compact { i64::MAX } else { cleaned }
    }

    /// Returns whether the segment was cut.
    fn recover_segment(&self, segment: &Segment, trusted: i64, recovered: &mut Recovered) -> io::Result<bool> {
        let place = self.place();
        let file_size = segment.size();
        let start = segment.reopen(place, trusted, file_size)?;
        let interval = u64::from(self.log.config().index_interval_bytes);
        let epochs = &mut recovered.epochs;
        let end = segment.scan(place, start, |position, header, _| {
            segment.with_index(|index| segment.index_batch(index, position, header, interval));
            note_epoch(epochs, header);
        })?;
        let damaged = end.valid_bytes < file_size;
        if damaged {
            tracing::warn!(
                partition = %self.log.partition, base_offset = segment.base_offset(), position = end.valid_bytes,
                dropped_bytes = file_size - end.valid_bytes, cause = end.damage.map(tracing::field::display),
                "found a torn or corrupt batch, truncating the segment there"
            );
            let file = segment.log_file(place)?;
            file.truncate(end.valid_bytes)?;
            file.sync_data()?;
        }
        segment.set_size(end.valid_bytes);
        recovered.next_offset = end.next_offset.unwrap_or(segment.base_offset());
        self.note_first_timestamp(segment)?;
        Ok(damaged)
    }

    /// The age of an active segment counts from its first batch, which may be damaged if the log begins behind it.
    fn note_first_timestamp(&self, segment: &Segment) -> io::Result<()> {
        match segment.find_offset(self.place(), segment.base_offset(), segment.size()) {
            Ok(Some(found)) => segment.note_first_timestamp(found.header.max_timestamp),
            Ok(None) | Err(WalkError::Corrupt { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn remove_segments(&self, segments: &[Arc<Segment>]) -> io::Result<()> {
        let file_system = self.log.log_dir.file_system();
        for segment in segments.iter().rev() {
            segment.release();
            for suffix in SUFFIXES {
                match file_system.remove_file(&self.place().path(segment.base_offset(), suffix)) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
        }
        file_system.sync_dir(&self.folder)
    }

    fn finish(&self, log_start_offset: i64, recovered: Recovered) -> io::Result<Loaded> {
        let Recovered { segments, next_offset, epochs: read } = recovered;
        let (epochs, epochs_changed) = self.load_epochs(&segments, &read, log_start_offset, next_offset)?;
        let producers = self.load_producers(&segments, log_start_offset, next_offset)?;
        // What was read here was checked; after a crash it is not known to be on disk.
        let clean = self.log.log_dir.was_clean();
        let stored = self.log.stored.recovery_point.unwrap_or(0);
        let recovery_point = if clean { next_offset } else { stored.min(next_offset) };
        if !clean {
            let nexts = segments.iter().skip(1).map(|next| next.base_offset()).chain([i64::MAX]);
            segments
                .iter()
                .zip(nexts)
                .filter(|(_, next)| *next > recovery_point)
                .for_each(|(segment, _)| segment.distrust());
        }
        Ok(self.assemble(segments, log_start_offset, next_offset, recovery_point, epochs, epochs_changed, producers))
    }

    fn load_epochs(
        &self,
        segments: &[Arc<Segment>],
        read: &[(i32, i64)],
        log_start_offset: i64,
        log_end_offset: i64,
    ) -> io::Result<(LeaderEpochs, bool)> {
        let stored = LeaderEpochs::load(self.log.log_dir.file_system(), &self.folder)?;
        let mut changed = stored.is_none();
        let mut epochs = stored.unwrap_or_default();
        // The file is lost, or it knows of deletions from the start that were lost themselves.
        let known_from = epochs.entries().first().map_or(log_end_offset, |entry| entry.start_offset);
        if known_from > log_start_offset {
            epochs = self.read_epochs(segments, log_start_offset..known_from, &epochs)?;
            changed = true;
        }
        changed |= epochs.truncate_from_end(log_end_offset);
        for (epoch, offset) in read {
            if epochs.latest_epoch() < Some(*epoch) {
                changed |= epochs.assign(*epoch, *offset);
            }
        }
        changed |= epochs.truncate_from_start(log_start_offset);
        Ok((epochs, changed))
    }

    /// The epochs of the batches in `range`, and behind them those that are known.
    fn read_epochs(
        &self,
        segments: &[Arc<Segment>],
        range: Range<i64>,
        known: &LeaderEpochs,
    ) -> io::Result<LeaderEpochs> {
        let mut noted = Vec::new();
        self.hop(segments, range, |_, found| {
            note_epoch(&mut noted, &found.header);
            Ok(())
        })?;
        noted.extend(known.entries().iter().map(|entry| (entry.epoch, entry.start_offset)));
        let mut epochs = LeaderEpochs::default();
        for (epoch, offset) in noted {
            if epochs.latest_epoch() < Some(epoch) {
                epochs.assign(epoch, offset);
            }
        }
        Ok(epochs)
    }

    fn load_producers(
        &self,
        segments: &[Arc<Segment>],
        log_start_offset: i64,
        log_end_offset: i64,
    ) -> io::Result<ProducerStateManager> {
        let file_system = self.log.log_dir.file_system();
        let mut producers = ProducerStateManager::new(self.log.config().producer_id_expiration_ms);
        let bases = segments.iter().map(|segment| segment.base_offset()).collect();
        producers.load_snapshots(file_system, &self.folder, &bases)?;
        // No clock here: whoever has been idle too long is forgotten by the next `expire_producers`.
        producers.truncate_and_reload(file_system, &self.folder, log_start_offset, log_end_offset, 0)?;
        let from = producers.end_offset();
        self.hop(segments, from..i64::MAX, |segment, found| {
            if found.header.has_producer_id()
                && let Some(batch) = ProducerBatch::read(&found.header, &segment.content(self.place(), found)?)
            {
                producers.replay(&batch);
            }
            Ok(())
        })?;
        producers.set_end_offset(log_end_offset);
        Ok(producers)
    }

    /// Goes over the headers of all batches that have offsets in `range`.
    fn hop(
        &self,
        segments: &[Arc<Segment>],
        range: Range<i64>,
        mut visit: impl FnMut(&Segment, &Found) -> io::Result<()>,
    ) -> io::Result<()> {
        let first = segments.partition_point(|segment| segment.base_offset() <= range.start).saturating_sub(1);
        for segment in segments[first..].iter().take_while(|segment| segment.base_offset() < range.end) {
            let place = self.place();
            let size = segment.size();
            let Some(found) = segment.find_offset(place, range.start, size)? else { continue };
            let file = segment.log_file(place)?;
            let mut hopper = Hopper::new(&*file, found.position, size);
            while let Some(found) = hopper.next()?.filter(|found| found.header.base_offset < range.end) {
                visit(segment, &found)?;
            }
        }
        Ok(())
    }

    /// A log without segments, which begins at `offset`.
    fn empty(&self, offset: i64) -> Loaded {
        let mut producers = ProducerStateManager::new(self.log.config().producer_id_expiration_ms);
        producers.set_end_offset(offset);
        self.assemble(Vec::new(), offset, offset, offset, LeaderEpochs::default(), false, producers)
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of the struct, each named at the one place that has them")]
    fn assemble(
        &self,
        segments: Vec<Arc<Segment>>,
        log_start_offset: i64,
        log_end_offset: i64,
        recovery_point: i64,
        epochs: LeaderEpochs,
        epochs_changed: bool,
        producers: ProducerStateManager,
    ) -> Loaded {
        let (segment_base_offset, position) =
            segments.last().map_or((log_end_offset, 0), |active| (active.base_offset(), active.size()));
        let tail = Tail { end_offset: log_end_offset, segment_base_offset, position };
        Loaded {
            folder: self.folder.clone(),
            structure: Mutex::new(()),
            truncations: AtomicU64::new(0),
            writer: Mutex::new(Writer { producers, bytes_since_snapshot: 0 }),
            segments: RwLock::new(segments),
            tail: Mutex::new(tail),
            log_start_offset: AtomicI64::new(log_start_offset),
            log_end_offset: AtomicI64::new(log_end_offset),
            recovery_point: AtomicI64::new(recovery_point),
            epochs: RwLock::new(epochs),
            epochs_changed: AtomicBool::new(epochs_changed),
            names_changed: AtomicBool::new(!self.log.log_dir.was_clean()),
            flush: Mutex::new(()),
            flushed: Mutex::new(tail),
        }
    }
}

fn note_epoch(epochs: &mut Vec<(i32, i64)>, header: &BatchHeader) {
    let epoch = header.partition_leader_epoch;
    if epoch >= 0 && epochs.last().is_none_or(|(last, _)| *last < epoch) {
        epochs.push((epoch, header.base_offset));
    }
}
