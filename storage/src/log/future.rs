//! Moving a log to another directory: a copy grows in a folder of its own, and takes the log's place once it has everything.
//! Source: `ReplicaAlterLogDirsThread`, `LogManager.replaceCurrentWithFutureLog`.
//!
//! ```text
//! a/t-0                              the log
//! b/t-0.5f…-future                   the copy, behind
//! b/t-0.5f…-future                   the copy, with everything and on the disk
//! b/t-0                a/t-0         both are whole; a crash leaves them so, and either will do
//! b/t-0                a/t-0.77…-delete
//! ```

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use protocol::ids::{TopicPartition, Uuid};
use protocol::record_batch::Batches;

use super::{Log, ReadLimits, StoredOffsets, lock};
use crate::config::LogConfig;
use crate::error::{AppendError, Error};
use crate::log_dir::{LogDir, future_name};
use crate::{partition_metadata, remote_log};

impl Log {
    /// Opens a copy of the log of `partition` in `log_dir`: a new one, or the one that is in `folder`. Nothing is read or created
    /// yet. Checkpoints do not know it.
    pub fn open_future(
        log_dir: &Arc<LogDir>,
        partition: TopicPartition,
        topic_id: Uuid,
        config: LogConfig,
        folder: Option<&Path>,
    ) -> Arc<Self> {
        let new = || log_dir.path().join(future_name(&partition, Uuid::new_v4()));
        let folder = folder.map_or_else(new, Path::to_path_buf);
        let log_dir = Arc::clone(log_dir);
        Arc::new(Self::unopened(log_dir, partition, topic_id, config, StoredOffsets::default(), Some(folder.into())))
    }

    /// Makes the folder of a log that has none yet, durably, so that the next run finds it.
    ///
    /// # Errors
    /// [`Error::Offline`] if the directory fails.
    pub fn create_folder(&self) -> Result<(), Error> {
        let (file_system, folder) = (self.log_dir.file_system(), self.folder());
        let created = file_system.create_dir_all(&folder).and_then(|()| {
            partition_metadata::store(file_system, &folder, self.topic_id)?;
            file_system.sync_dir(self.log_dir.path())
        });
        Ok(self.log_dir.check("creating a log", created)?)
    }

    /// Whether this is a copy that a move makes.
    pub fn is_future(&self) -> bool {
        self.future.is_some()
    }

    /// Appends to this copy what `source` has behind its end, at most `max_bytes` or one batch, and lets what lies before the start of
    /// `source` go. Returns how many bytes were appended; 0: this log has everything.
    ///
    /// # Errors
    /// As reading `source` and appending here. [`AppendError::OutOfOrder`] if the two are not alike.
    pub fn copy_from(&self, source: &Self, max_bytes: usize, now_ms: i64) -> Result<usize, AppendError> {
        let wanted = source.offsets()?;
        let mut end_offset = self.offsets()?.log_end_offset;
        let is_behind = end_offset < wanted.log_start_offset;
        let from = end_offset.max(wanted.log_start_offset);
        let limits = ReadLimits { end_offset: wanted.log_end_offset, max_bytes, at_least_one: true };
        let batches = source.read(from, limits)?.read();
        let batches = source.check_read("reading a segment", batches)?;
        if is_behind {
            // The batch with the first readable record may begin before it.
            let first = Batches::new(&batches).next().transpose()?.map(|(header, _)| header.base_offset);
            end_offset = first.unwrap_or(wanted.log_end_offset);
            self.truncate_fully_and_start_at(end_offset, now_ms)?;
        }
        let copied = self.append_copy(&batches, end_offset, now_ms)?;
        if copied == 0 && end_offset < wanted.log_end_offset {
            // The offsets up to the end belonged to records that are gone.
            self.begin_segment_at(wanted.log_end_offset)?;
        }
        let end_offset = self.offsets()?.log_end_offset;
        self.increment_log_start_offset(wanted.log_start_offset.min(end_offset))?;
        if let Some(epoch) = source.latest_leader_epoch()?
            && end_offset == wanted.log_end_offset
        {
            self.begin_leader_epoch(epoch)?;
        }
        Ok(copied)
    }

    fn append_copy(&self, batches: &Bytes, end_offset: i64, now_ms: i64) -> Result<usize, AppendError> {
        if batches.is_empty() {
            return Ok(0);
        }
        let first = Batches::new(batches).next().transpose()?;
        if let Some((header, _)) = first
            && header.base_offset < end_offset
        {
            return Err(AppendError::OutOfOrder { base_offset: header.base_offset, log_end_offset: end_offset });
        }
        self.append_as_is(batches, now_ms)?;
        Ok(batches.len())
    }

    fn begin_segment_at(&self, offset: i64) -> Result<(), Error> {
        let loaded = self.loaded()?;
        let mut writer = lock(&loaded.writer);
        self.log_dir.check_online()?;
        match loaded.active() {
            None => self.create_first(loaded, offset)?,
            Some(_) => self.roll_to(loaded, &mut writer, offset)?,
        };
        writer.producers.set_end_offset(offset);
        Ok(())
    }

    /// Makes this copy the log of its partition in its directory: closed, durable, known to the checkpoints, and in the folder of that
    /// name. Returns that log, with what `source` knows of producers; this object is of no use afterwards.
    ///
    /// # Errors
    /// [`Error::Offline`] if the directory fails; [`Error::Deleted`] if this is no copy.
    pub fn promote(&self, source: &Self) -> Result<Arc<Self>, Error> {
        let folder = self.future.as_ref().ok_or(Error::Deleted)?;
        let offsets = self.offsets()?;
        if let Some(manifest) = source.read_beside(remote_log::COPY)? {
            self.write_beside(remote_log::COPY, &manifest)?;
        }
        if self.loaded()?.active().is_none() {
            self.begin_segment_at(offsets.log_end_offset)?;
        }
        self.close()?;
        let loaded = self.loaded()?;
        loaded.segments().iter().for_each(|segment| segment.release());
        self.deleted.store(true, Ordering::Release);
        let stored = StoredOffsets {
            recovery_point: Some(offsets.log_end_offset),
            log_start_offset: Some(offsets.log_start_offset),
        };
        self.log_dir.adopt(&self.partition, stored);
        // Before the folder has its name: what was deleted from the start of the log stays deleted after a crash.
        self.log_dir.write_checkpoints()?;
        self.log_dir.rename(folder, &self.log_dir.folder(&self.partition))?;
        let config = LogConfig::clone(&self.config());
        let log = Self::open(&self.log_dir, self.partition.clone(), self.topic_id, config);
        // Files hold one batch of each producer, and memory five.
        lock(&log.loaded()?.writer).producers.set_producers(source.producers()?.into_iter().collect());
        Ok(log)
    }
}

#[cfg(test)]
mod tests {
    use protocol::record_batch::{BatchBuilder, Codec, ValidatedBatch};

    use super::*;
    use crate::file_system::{FileSystem, LosingFileSystem, Survival};
    use crate::log_dir::LogDirOptions;

    const NOW: i64 = 1_700_000_000_000;
    const TOPIC_ID: Uuid = Uuid::from_u128(7);

    fn name() -> TopicPartition {
        TopicPartition::new("t", 0)
    }

    fn config() -> LogConfig {
        LogConfig { segment_bytes: 2048, index_interval_bytes: 256, file_delete_delay_ms: 0, ..LogConfig::default() }
    }

    fn directories(file_system: &LosingFileSystem) -> Option<[Arc<LogDir>; 2]> {
        let options = LogDirOptions::new(Arc::new(file_system.clone()) as Arc<dyn FileSystem>);
        let open = |path: &str| LogDir::open(Path::new(path), &options).ok();
        Some([open("/a")?, open("/b")?])
    }

    fn open(log_dir: &Arc<LogDir>) -> Arc<Log> {
        Log::open(log_dir, name(), TOPIC_ID, config())
    }

    fn append(log: &Log, count: i64) {
        for n in 0..count {
            let mut builder = BatchBuilder::new(0, Codec::None).producer(5, 0, n as i32);
            builder.append(NOW + n, Some(b"k"), Some(&[n as u8; 100]), &[]);
            log.append(&ValidatedBatch::trusted(builder.build()).unwrap(), 3, NOW).unwrap();
        }
    }

    fn everything(log: &Log) -> Bytes {
        let offsets = log.offsets().unwrap();
        let limits = ReadLimits { end_offset: offsets.log_end_offset, max_bytes: 1 << 20, at_least_one: true };
        let mut bytes = Vec::new();
        let mut from = offsets.log_start_offset;
        while from < offsets.log_end_offset {
            let region = log.read(from, limits).unwrap().read().unwrap();
            let Some(Ok((last, _))) = Batches::new(&region).last() else { break };
            from = last.next_offset();
            bytes.extend_from_slice(&region);
        }
        bytes.into()
    }

    fn copy_all(future: &Log, source: &Log) {
        while future.copy_from(source, 1000, NOW).unwrap() > 0 {}
    }

    #[test]
    fn a_copy_has_the_same_bytes_offsets_and_producers() {
        let [a, b] = directories(&LosingFileSystem::new()).unwrap();
        let log = open(&a);
        append(&log, 60);
        log.increment_log_start_offset(21).unwrap();
        log.delete_old_segments(60, NOW).unwrap();
        let future = Log::open_future(&b, name(), TOPIC_ID, config(), None);
        copy_all(&future, &log);
        log.increment_log_start_offset(30).unwrap();
        append_more(&log);
        copy_all(&future, &log);
        let moved = future.promote(&log).unwrap();
        let (theirs, ours) = (log.offsets().unwrap(), moved.offsets().unwrap());
        assert_eq!(ours.log_start_offset, 30);
        assert_eq!(ours.log_end_offset, theirs.log_end_offset);
        assert_eq!(everything(&moved), everything(&log));
        assert_eq!(moved.producers().unwrap(), log.producers().unwrap());
        assert_eq!(moved.latest_leader_epoch().unwrap(), Some(3));
        assert_eq!(b.futures().unwrap(), [], "the folder has the log's name");
    }

    fn append_more(log: &Log) {
        let mut builder = BatchBuilder::new(0, Codec::None);
        builder.append(NOW, None, Some(b"more"), &[]);
        log.append(&ValidatedBatch::trusted(builder.build()).unwrap(), 3, NOW).unwrap();
    }

    #[test]
    fn a_copy_of_an_empty_log_begins_where_that_ends() {
        let [a, b] = directories(&LosingFileSystem::new()).unwrap();
        let log = open(&a);
        append(&log, 10);
        log.increment_log_start_offset(10).unwrap();
        log.delete_old_segments(10, NOW).unwrap();
        let future = Log::open_future(&b, name(), TOPIC_ID, config(), None);
        copy_all(&future, &log);
        let offsets = future.promote(&log).unwrap().offsets().unwrap();
        assert_eq!((offsets.log_start_offset, offsets.log_end_offset), (10, 10));
    }

    #[test]
    fn a_copy_that_retention_overtakes_begins_anew() {
        let [a, b] = directories(&LosingFileSystem::new()).unwrap();
        let log = open(&a);
        append(&log, 60);
        let future = Log::open_future(&b, name(), TOPIC_ID, config(), None);
        future.copy_from(&log, 500, NOW).unwrap();
        log.increment_log_start_offset(40).unwrap();
        copy_all(&future, &log);
        assert_eq!(future.offsets().unwrap().log_start_offset, 40);
        assert_eq!(everything(&future), everything(&log));
    }

    /// Whatever step the power fails at, one of the two directories has the whole log under its name, and every folder of that name
    /// is whole.
    #[test]
    fn a_power_cut_at_any_step_leaves_a_whole_log() {
        let mut steps = 0;
        for step in 0.. {
            let file_system = LosingFileSystem::new();
            let [a, b] = directories(&file_system).unwrap();
            let log = open(&a);
            append(&log, 30);
            log.increment_log_start_offset(7).unwrap();
            log.flush().unwrap();
            a.write_checkpoints().unwrap();
            let expected = everything(&log);

            file_system.fail_power_after(step);
            let future = Log::open_future(&b, name(), TOPIC_ID, config(), None);
            let copied = || -> Result<(), AppendError> {
                while future.copy_from(&log, 1000, NOW)? > 0 {}
                future.promote(&log)?;
                log.delete(NOW)?;
                Ok(())
            };
            let finished = copied().is_ok();
            drop((log, future, a, b));
            file_system.power_cut(Survival::Nothing);
            let directories = directories(&file_system).unwrap();
            let holding: Vec<_> = directories.iter().filter(|dir| dir.logs().unwrap().contains(&name())).collect();
            assert!(!holding.is_empty(), "step {step}: the log is nowhere");
            for log_dir in holding {
                let log = open(log_dir);
                assert_eq!(log.offsets().unwrap().log_start_offset, 7, "step {step}");
                assert!(everything(&log) == expected, "step {step}: {} is not whole", log_dir.path().display());
            }
            if finished {
                break;
            }
            steps += 1;
        }
        assert!(steps > 20, "{steps} steps");
    }
}
