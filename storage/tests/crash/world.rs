//! A directory with a few logs on a disk that can be cut off, next to the models of them.

use std::path::Path;
use std::sync::Arc;

use protocol::ids::{TopicPartition, Uuid};
use protocol::record_batch::{Batches, check_crc};
use storage::file_system::{FileSystem, LosingFileSystem, Operation, Survival};
use storage::producer_state::ProducerStateError;
use storage::{AppendError, Error, Log, LogConfig, LogDir, LogDirOptions, ReadLimits};

use crate::model::{Batch, Model, Sent, make_batch};
use crate::random::Random;

const NOW_MS: i64 = 1_700_000_000_000;
const BROKER_EPOCH: i64 = 5;

pub(crate) struct World {
    pub(crate) file_system: LosingFileSystem,
    pub(crate) random: Random,
    pub(crate) partitions: Vec<Partition>,
    log_dir: Option<Arc<LogDir>>,
    /// Power was cut or the process killed so often.
    pub(crate) crashes: u64,
}

pub(crate) struct Partition {
    log: Option<Arc<Log>>,
    model: Model,
}

/// The power is off.
#[derive(Debug)]
pub(crate) struct PowerOff;

type Step = Result<(), PowerOff>;

fn config() -> LogConfig {
    LogConfig {
        segment_bytes: 2048,
        index_interval_bytes: 256,
        retention_ms: None,
        retention_bytes: Some(4096),
        file_delete_delay_ms: 0,
        producer_id_expiration_ms: i64::MAX,
        ..LogConfig::default()
    }
}

impl World {
    pub(crate) fn new(seed: u64, partitions: i64) -> Self {
        let mut world = Self {
            file_system: LosingFileSystem::new(),
            random: Random::new(seed),
            partitions: (0..partitions).map(|number| Partition { log: None, model: Model::new(number) }).collect(),
            log_dir: None,
            crashes: 0,
        };
        world.open().expect("the power is on");
        world
    }

    /// Does one thing to one of the logs, or to all.
    pub(crate) fn step(&mut self) -> Step {
        let at = self.random.below(self.partitions.len() as u64) as usize;
        match self.random.below(100) {
            0..62 => self.append(at),
            62..76 => self.flush(at),
            76..82 => self.checkpoint(),
            82..87 => self.truncate(at),
            87..91 => self.delete_records(at),
            91..95 => self.delete_old_segments(at),
            95..97 => self.stop_cleanly(),
            97 => self.begin_leader_epoch(at),
            _ => {
                self.check_all(None);
                Ok(())
            }
        }
    }

    fn append(&mut self, at: usize) -> Step {
        let model = &mut self.partitions[at].model;
        model.timestamp += 1;
        if self.random.one_in(20) {
            model.leader_epoch += 1;
        }
        let count = self.random.between(1, 4);
        let size = self.random.below(400) as usize;
        let timestamp = NOW_MS + model.timestamp;
        // A producer may have five batches under way.
        let chosen = self.random.below(4) as usize;
        let producer = model.producers.get_mut(chosen).filter(|producer| producer.unacknowledged.len() < 5);
        let Some(producer) = producer else {
            return self
                .send(at, Sent { batch: make_batch(None, count, size, timestamp), base_offset: None })
                .map(drop);
        };
        let identity = (producer.id, producer.epoch, producer.next_sequence);
        let sent = Sent { batch: make_batch(Some(identity), count, size, timestamp), base_offset: None };
        producer.next_sequence += count as i32;
        producer.unacknowledged.push(sent.clone());
        let base_offset = self.send(at, sent)?;
        let unacknowledged = &mut self.partitions[at].model.producers[chosen].unacknowledged;
        unacknowledged.last_mut().expect("just pushed").base_offset = base_offset;
        if self.random.one_in(8) {
            self.repeat_last(at, chosen)?;
        }
        Ok(())
    }

    /// Appends and returns the base offset; `None` when the disk was full and nothing happened.
    fn send(&mut self, at: usize, sent: Sent) -> Result<Option<i64>, PowerOff> {
        let Partition { log, model } = &mut self.partitions[at];
        let log = log.as_ref().expect("the log is open");
        let header = sent.batch.header;
        let batch = |base_offset: i64| Batch {
            base_offset,
            last_offset: base_offset + i64::from(header.last_offset_delta),
            leader_epoch: model.leader_epoch,
            timestamp: header.max_timestamp,
            bytes: sent.batch.bytes.clone(),
        };
        match log.append(&sent.batch, model.leader_epoch, NOW_MS) {
            Ok(appended) => {
                assert!(!appended.duplicate, "a new batch taken for a repetition: {appended:?}");
                let batch = batch(appended.base_offset);
                model.appended(batch);
                Ok(Some(appended.base_offset))
            }
            Err(error) => {
                assert!(self.file_system.is_off(), "append failed: {error}");
                let batch = batch(model.log_end_offset);
                model.uncertain.push(batch);
                Err(PowerOff)
            }
        }
    }

    /// A producer that saw no answer sends again.
    fn repeat_last(&mut self, at: usize, producer: usize) -> Step {
        let Partition { log, model } = &mut self.partitions[at];
        let log = log.as_ref().expect("the log is open");
        let Some(last) = model.producers[producer].unacknowledged.last() else { return Ok(()) };
        let repeated = log.append(&last.batch, model.leader_epoch, NOW_MS).expect("a repetition writes nothing");
        assert!(repeated.duplicate);
        assert_eq!(Some(repeated.base_offset), last.base_offset);
        Ok(())
    }

    fn flush(&mut self, at: usize) -> Step {
        let Partition { log, model } = &mut self.partitions[at];
        let flushed = log.as_ref().expect("the log is open").flush();
        let end = or_off(&self.file_system, flushed)?;
        assert_eq!(end, model.log_end_offset, "nothing was appended meanwhile");
        model.flushed(end);
        Ok(())
    }

    fn checkpoint(&mut self) -> Step {
        let written = self.log_dir().write_checkpoints();
        or_off(&self.file_system, written)?;
        for Partition { model, .. } in &mut self.partitions {
            model.durable_start = model.log_start_offset;
        }
        Ok(())
    }

    fn truncate(&mut self, at: usize) -> Step {
        let Partition { log, model } = &mut self.partitions[at];
        let to = self.random.between(model.log_start_offset, model.log_end_offset);
        let expected = model.end_after_truncation(to);
        let truncated = log.as_ref().expect("the log is open").truncate_to(to, NOW_MS);
        match or_off(&self.file_system, truncated) {
            Ok(end) => {
                assert_eq!(end, expected, "truncated to {to}");
                model.truncated(to, end);
                Ok(())
            }
            Err(PowerOff) => {
                model.truncation_was_interrupted(to, expected);
                Err(PowerOff)
            }
        }
    }

    fn delete_records(&mut self, at: usize) -> Step {
        let Partition { log, model } = &mut self.partitions[at];
        let to = self.random.between(model.log_start_offset, model.log_end_offset);
        model.start_limit = model.start_limit.max(to);
        let raised = log.as_ref().expect("the log is open").increment_log_start_offset(to);
        model.log_start_offset = or_off(&self.file_system, raised)?;
        assert_eq!(model.log_start_offset, to);
        Ok(())
    }

    fn delete_old_segments(&mut self, at: usize) -> Step {
        let Partition { log, model } = &mut self.partitions[at];
        let log = log.as_ref().expect("the log is open");
        let high_watermark = model.log_end_offset;
        model.start_limit = model.start_limit.max(high_watermark);
        let deleted = log.delete_old_segments(high_watermark, NOW_MS);
        or_off(&self.file_system, deleted)?;
        let offsets = or_off(&self.file_system, log.offsets())?;
        assert!(offsets.log_start_offset >= model.log_start_offset);
        model.log_start_offset = offsets.log_start_offset;
        model.start_limit = model.log_start_offset.max(model.durable_start);
        if let Some(log_dir) = &self.log_dir {
            or_off(&self.file_system, log_dir.delete_step(NOW_MS))?;
        }
        Ok(())
    }

    fn begin_leader_epoch(&mut self, at: usize) -> Step {
        let Partition { log, model } = &mut self.partitions[at];
        model.leader_epoch += 1;
        let begun = log.as_ref().expect("the log is open").begin_leader_epoch(model.leader_epoch);
        or_off(&self.file_system, begun)
    }

    /// Stops as a broker does, cuts the power, starts: everything is there.
    fn stop_cleanly(&mut self) -> Step {
        for Partition { log, model } in &mut self.partitions {
            let closed = log.as_ref().expect("the log is open").close();
            or_off(&self.file_system, closed)?;
            model.flushed(model.log_end_offset);
        }
        self.checkpoint()?;
        let marked = self.log_dir().mark_clean_shutdown(BROKER_EPOCH);
        or_off(&self.file_system, marked)?;
        self.close();
        let seed = self.random.next();
        self.file_system.power_cut(Survival::Random { seed });
        self.open()?;
        assert!(self.log_dir().was_clean());
        for Partition { log, model } in &self.partitions {
            let offsets = log.as_ref().expect("the log is open").offsets();
            let offsets = or_off(&self.file_system, offsets)?;
            assert_eq!(offsets.log_end_offset, model.log_end_offset, "a clean stop loses nothing");
            assert_eq!(offsets.log_start_offset, model.log_start_offset, "nor brings anything back");
        }
        Ok(())
    }

    /// Ends the process without a warning; the disk forgets what `survival` says. Starts again, maybe only after more
    /// failures, and checks everything.
    pub(crate) fn crash(&mut self, survival: Survival) {
        self.crashes += 1;
        self.close();
        self.file_system.power_cut(survival);
        while self.recover().is_err() {
            self.close();
            let seed = self.random.next();
            self.file_system.power_cut(Survival::Random { seed });
        }
        self.check_all(Some(survival));
        self.resend();
    }

    /// Opens and loads; the power may fail while that is done.
    fn recover(&mut self) -> Step {
        if self.random.one_in(3) {
            self.file_system.fail_power_after(self.random.below(40));
        }
        self.open()?;
        for Partition { log, .. } in &self.partitions {
            or_off(&self.file_system, log.as_ref().expect("the log is open").offsets())?;
        }
        self.file_system.fail_power_after(u64::MAX);
        Ok(())
    }

    fn close(&mut self) {
        for partition in &mut self.partitions {
            partition.log = None;
        }
        self.log_dir = None;
    }

    fn open(&mut self) -> Step {
        let options = LogDirOptions::new(Arc::new(self.file_system.clone()) as Arc<dyn FileSystem>);
        let opened = LogDir::open(Path::new("/data"), &options);
        let log_dir = or_off(&self.file_system, opened)?;
        for (number, partition) in self.partitions.iter_mut().enumerate() {
            let name = TopicPartition::new("t", number as i32);
            partition.log = Some(Log::open(&log_dir, name, Uuid::from_u128(7), config()));
        }
        self.log_dir = Some(log_dir);
        Ok(())
    }

    fn log_dir(&self) -> &Arc<LogDir> {
        self.log_dir.as_ref().expect("the directory is open")
    }

    /// After a crash, compares each log with what it must and may hold, and takes what it holds as the truth. While the
    /// process lives there is no difference between the two.
    fn check_all(&mut self, crash: Option<Survival>) {
        for (number, partition) in self.partitions.iter_mut().enumerate() {
            let everything_survives = matches!(crash, None | Some(Survival::Everything));
            let is_certain = everything_survives && partition.model.uncertain.is_empty();
            partition.check(number, is_certain && crash.is_none());
        }
    }

    /// Every producer sends again what it had no answer for. Nothing may get into a log twice.
    fn resend(&mut self) {
        for partition in &mut self.partitions {
            partition.resend();
        }
    }

    /// A sync fails once: nothing is written or acknowledged after that, until a restart finds what was durable before.
    pub(crate) fn fail_a_sync(&mut self, path_part: &str) {
        self.file_system.fail(Operation::Sync, path_part, 0, libc::EIO);
        let failed = self.partitions.iter().any(|partition| partition.flush_fails());
        if failed {
            assert!(self.log_dir().is_offline());
            for partition in &self.partitions {
                partition.check_refuses_writes();
            }
            assert!(self.log_dir().write_checkpoints().is_err());
            assert!(self.log_dir().mark_clean_shutdown(BROKER_EPOCH).is_err());
        }
        let seed = self.random.next();
        for partition in &mut self.partitions {
            partition.model.flushed_some();
        }
        self.crash(Survival::Random { seed });
    }

    /// A bit flips in a file that can be made again, while nobody uses it: nothing is lost, and nothing wrong is read.
    /// Returns the file's name.
    pub(crate) fn damage_a_cache(&mut self, cleanly: bool) -> Option<String> {
        if cleanly {
            self.stop_cleanly().expect("the power is on");
            self.mark_clean_again();
        }
        let caches = [".index", ".timeindex", ".snapshot"];
        let damaged = self.flip_a_bit(|name| caches.iter().any(|suffix| name.ends_with(suffix)))?;
        self.close();
        self.file_system.power_cut(Survival::Everything);
        self.open().expect("the power is on");
        for (number, partition) in self.partitions.iter_mut().enumerate() {
            partition.check_content(number);
        }
        Some(damaged)
    }

    /// A bit flips in a log: whatever is read afterwards is what was sent, or a batch whose CRC tells, or an error.
    pub(crate) fn damage_a_log(&mut self) -> Option<String> {
        let damaged = self.flip_a_bit(|name| name.ends_with(".log"))?;
        self.close();
        self.file_system.power_cut(Survival::Everything);
        self.open().expect("the power is on");
        for partition in &self.partitions {
            partition.check_damaged();
        }
        Some(damaged)
    }

    /// Stops cleanly once more: opening took the marker away.
    fn mark_clean_again(&mut self) {
        for partition in &self.partitions {
            partition.log().close().expect("the power is on");
        }
        self.log_dir().mark_clean_shutdown(BROKER_EPOCH).expect("the power is on");
    }

    fn flip_a_bit(&mut self, wanted: impl Fn(&str) -> bool) -> Option<String> {
        let at = self.random.below(self.partitions.len() as u64);
        let folder = Path::new("/data").join(format!("t-{at}"));
        let listed = self.file_system.read_dir(&folder).unwrap_or_default();
        let mut names: Vec<String> = listed.into_iter().map(|entry| entry.name).filter(|name| wanted(name)).collect();
        names.retain(|name| self.file_system.metadata(&folder.join(name)).is_ok_and(|metadata| metadata.size > 0));
        let name = names.get(self.random.below(names.len().max(1) as u64) as usize)?.clone();
        let mut bytes = self.file_system.read(&folder.join(&name)).expect("the file is there");
        let place = self.random.below(bytes.len() as u64) as usize;
        bytes[place] ^= 1 << self.random.below(8);
        self.file_system.write_atomic(&folder.join(&name), &bytes).expect("the power is on");
        Some(name)
    }

    /// The disk is full for a while.
    pub(crate) fn fill_the_disk(&mut self) {
        self.file_system.limit_space(Some(self.random.below(3000)));
        let at = self.random.below(self.partitions.len() as u64) as usize;
        for _ in 0..10 {
            if self.partitions[at].append_on_full_disk() {
                break;
            }
        }
        self.file_system.limit_space(None);
        if self.log_dir().is_offline() {
            self.crash(Survival::Everything);
        } else {
            self.check_all(None);
        }
    }
}

impl Partition {
    fn log(&self) -> &Arc<Log> {
        self.log.as_ref().expect("the log is open")
    }

    fn check(&mut self, number: usize, is_alive: bool) {
        let log = Arc::clone(self.log());
        let model = &mut self.model;
        let offsets = log.offsets().expect("the log loads");
        let (start, end) = (offsets.log_start_offset, offsets.log_end_offset);
        let context = format!("partition {number}, {offsets:?}, must reach {}", model.required_end());
        assert!(start >= model.durable_start, "records came back before {}: {context}", model.durable_start);
        assert!(end >= model.required_end(), "durable records are gone: {context}");
        assert!(start <= offsets.recovery_point && offsets.recovery_point <= end, "{context}");
        let start_limit = model.start_limit.max(model.log_start_offset);
        assert!(start <= start_limit, "records are gone that nobody deleted below {start_limit}: {context}");
        if is_alive {
            assert_eq!((start, end), (model.log_start_offset, model.log_end_offset), "{context}");
        }
        let survivors = read_all(&log, model, start, end, &context);
        check_lookups(&log, &survivors, start, end, &context);
        if is_alive {
            return;
        }
        let highest_epoch = survivors.iter().map(|batch| batch.leader_epoch).max().unwrap_or(0);
        model.leader_epoch = model.leader_epoch.max(highest_epoch) + 1;
        model.batches = survivors;
        model.uncertain.clear();
        model.log_start_offset = start;
        model.log_end_offset = end;
        model.start_limit = start;
        model.durable_end = model.durable_end.min(end);
        model.durable_start = model.durable_start.min(start);
    }

    /// What is read is what was sent, from start to end.
    fn check_content(&mut self, number: usize) {
        let offsets = self.log().offsets().expect("the log loads");
        let model = &self.model;
        let context = format!("partition {number}, {offsets:?}");
        assert_eq!(offsets.log_end_offset, model.log_end_offset, "{context}");
        read_all(self.log(), model, offsets.log_start_offset, offsets.log_end_offset, &context);
    }

    /// Reads everything there is; nothing may panic, and what is no batch that was sent has a wrong CRC.
    fn check_damaged(&self) {
        let Ok(offsets) = self.log().offsets() else { return };
        for offset in offsets.log_start_offset..offsets.log_end_offset {
            let limits = ReadLimits { end_offset: offsets.log_end_offset, max_bytes: 700, at_least_one: true };
            let Ok(region) = self.log().read(offset, limits) else { continue };
            let bytes = region.read().expect("the region is there");
            for (header, bytes) in Batches::new(&bytes).map_while(Result::ok) {
                let header_is_outside_the_crc =
                    || self.model.batches.iter().any(|batch| batch.bytes[17..] == bytes[17..]);
                let known = self.model.find(&header, bytes).is_some() || header_is_outside_the_crc();
                assert!(known || check_crc(bytes).is_err(), "nobody sent {header:?}");
            }
            let _ = self.log().offset_for_timestamp(NOW_MS + offset, offsets.log_end_offset);
        }
    }

    fn resend(&mut self) {
        let log = Arc::clone(self.log());
        let model = &mut self.model;
        for at in 0..model.producers.len() {
            for sent in std::mem::take(&mut model.producers[at].unacknowledged) {
                let content = &sent.batch.bytes[16..];
                let survivor = model.batches.iter().find(|batch| &batch.bytes[16..] == content).cloned();
                match (log.append(&sent.batch, model.leader_epoch, NOW_MS), survivor) {
                    (Ok(appended), Some(survivor)) => {
                        assert!(appended.duplicate, "a record twice: {appended:?} and {survivor:?}");
                        assert_eq!(appended.base_offset, survivor.base_offset);
                    }
                    // It was deleted before its producer heard of it.
                    (Ok(appended), None) if appended.last_offset < model.log_start_offset => {}
                    (Ok(appended), None) => {
                        assert!(!appended.duplicate, "taken for a repetition of what is gone: {appended:?}");
                        model.appended(Batch {
                            base_offset: appended.base_offset,
                            last_offset: appended.last_offset,
                            leader_epoch: model.leader_epoch,
                            timestamp: sent.batch.header.max_timestamp,
                            bytes: sent.batch.bytes.clone(),
                        });
                        let base_offset = Some(appended.base_offset);
                        model.producers[at].unacknowledged.push(Sent { base_offset, ..sent });
                    }
                    // A snapshot keeps the last batch of a producer alone, as in Kafka: an earlier one is refused.
                    (Err(AppendError::Producer(ProducerStateError::OutOfOrderSequence { .. })), Some(_)) => {}
                    (Err(AppendError::Producer(ProducerStateError::OutOfOrderSequence { .. })), None)
                        if sent.base_offset.is_some_and(|base| base < model.log_start_offset) => {}
                    (Err(error), survivor) => panic!("resending failed: {error}; survivor {survivor:?}"),
                }
            }
        }
    }

    fn flush_fails(&self) -> bool {
        match self.log().flush() {
            Ok(_) => false,
            Err(error) => {
                assert!(matches!(error, Error::Offline(_)), "{error}");
                true
            }
        }
    }

    fn check_refuses_writes(&self) {
        let batch = make_batch(None, 1, 10, NOW_MS);
        let refused = log_error(self.log().append(&batch, self.model.leader_epoch, NOW_MS));
        assert!(matches!(refused, Error::Offline(_)), "{refused}");
        assert!(self.log().flush().is_err(), "a failed sync is never retried");
        assert!(self.log().close().is_err());
    }

    /// Returns true when the directory went offline, as it does when a new segment finds no room.
    fn append_on_full_disk(&mut self) -> bool {
        let model = &mut self.model;
        let batch = make_batch(None, 2, 200, NOW_MS + model.timestamp);
        match self.log.as_ref().expect("the log is open").append(&batch, model.leader_epoch, NOW_MS) {
            Ok(appended) => model.appended(Batch {
                base_offset: appended.base_offset,
                last_offset: appended.last_offset,
                leader_epoch: model.leader_epoch,
                timestamp: batch.header.max_timestamp,
                bytes: batch.bytes,
            }),
            Err(AppendError::Log(Error::NoSpace(_))) => {}
            Err(AppendError::Log(Error::Offline(_))) => return true,
            Err(error) => panic!("{error}"),
        }
        false
    }
}

impl Model {
    /// A flush failed somewhere: what it covered before that is as durable as it was, so nothing changes.
    fn flushed_some(&mut self) {
        self.uncertain.clear();
    }
}

/// Reads the log from its start, piece by piece; each batch is one that was sent, and they follow each other.
fn read_all(log: &Log, model: &Model, start: i64, end: i64, context: &str) -> Vec<Batch> {
    let mut found: Vec<Batch> = Vec::new();
    let mut offset = start;
    while offset < end {
        let limits = ReadLimits { end_offset: end, max_bytes: 700, at_least_one: true };
        let region = log.read(offset, limits).unwrap_or_else(|error| panic!("{error} at {offset}: {context}"));
        let bytes = region.read().expect("the region is there");
        assert!(!bytes.is_empty(), "nothing at {offset}: {context}");
        for batch in Batches::new(&bytes) {
            let (header, bytes) = batch.expect("whole batches only");
            let known = model.find(&header, bytes);
            let known = known.unwrap_or_else(|| panic!("nobody sent {header:?}: {context}"));
            let follows =
                found.last().map_or(header.base_offset <= start, |last| last.last_offset + 1 == header.base_offset);
            assert!(follows, "a gap before {}: {context}", header.base_offset);
            offset = header.next_offset();
            found.push(known);
        }
    }
    assert_eq!(offset, end.max(start), "{context}");
    found
}

/// Leader epochs and timestamps lead to the batches.
fn check_lookups(log: &Log, batches: &[Batch], start: i64, end: i64, context: &str) {
    for batch in batches.iter().filter(|batch| batch.base_offset >= start) {
        let epoch = log.leader_epoch_at(batch.base_offset).expect("the log is loaded");
        assert_eq!(epoch, Some(batch.leader_epoch), "leader epoch of {}: {context}", batch.base_offset);
        let found = log.offset_for_timestamp(batch.timestamp, end).expect("the log is readable");
        let first = batches.iter().find(|other| other.timestamp >= batch.timestamp);
        let first = first.map(|other| other.base_offset.max(start));
        assert_eq!(found.map(|found| found.offset), first, "timestamp {}: {context}", batch.timestamp);
    }
}

/// The power being off is the only error there may be.
fn or_off<T, E: std::fmt::Debug>(file_system: &LosingFileSystem, result: Result<T, E>) -> Result<T, PowerOff> {
    result.map_err(|error| {
        assert!(file_system.is_off(), "{error:?}");
        PowerOff
    })
}

fn log_error(result: Result<storage::Appended, AppendError>) -> Error {
    match result {
        Err(AppendError::Log(error)) => error,
        other => panic!("{other:?}"),
    }
}
