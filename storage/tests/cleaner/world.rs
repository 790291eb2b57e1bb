//! One compacted log and what was ever appended to it.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use protocol::ids::{TopicPartition, Uuid};
use protocol::record_batch::{
    BatchBuilder, BatchHeader, Batches, Codec, Record, Records, ValidatedBatch, check_crc, expansion_limit,
};
use storage::checkpoint::RECOVERY_POINT_CHECKPOINT;
use storage::cleaner::{CleanError, Cleanable, CleanerOptions, FullSpeed, Pace, clean};
use storage::file_system::{FileSystem, LosingFileSystem, OsFileSystem};
use storage::index::txn_index::{AbortedTxn, TxnIndex};
use storage::{Log, LogConfig, LogDir, LogDirOptions, ReadLimits};

use crate::random::Random;

const START_MS: i64 = 1_700_000_000_000;
const RETENTION_MS: i64 = 1_000;
const PRODUCERS: i64 = 4;
const TRANSACTIONAL: i64 = 100;

/// The time of the record at `offset`.
pub(crate) fn timestamp_of(offset: i64) -> i64 {
    START_MS + offset
}

/// A record as it was sent.
#[derive(Clone, Debug)]
struct Sent {
    key: Option<String>,
    value: Option<String>,
    /// Of its transaction, while that is open and for ever if it was aborted.
    producer_id: Option<i64>,
    aborted: bool,
    /// When a cleaning came by it first.
    cleaned_ms: Option<i64>,
}

pub(crate) struct World {
    pub(crate) file_system: LosingFileSystem,
    pub(crate) random: Random,
    pub(crate) has_transactions: bool,
    pub(crate) keys: u64,
    pub(crate) dedupe_buffer_bytes: u64,
    disk: Arc<dyn FileSystem>,
    path: PathBuf,
    _temporary: Option<tempfile::TempDir>,
    log: Option<Arc<Log>>,
    sent: BTreeMap<i64, Sent>,
    /// First offsets of open transactions by producer.
    open: HashMap<i64, i64>,
    sequences: HashMap<i64, i32>,
    last_batches: HashMap<i64, (ValidatedBatch, i64)>,
    log_start_offset: i64,
    log_end_offset: i64,
    next_dirty_offset: i64,
    /// No cleaning, finished or not, went beyond.
    touched_to: i64,
    now_ms: i64,
    producer_epoch: i16,
    is_deleted: bool,
}

fn config() -> LogConfig {
    LogConfig {
        segment_bytes: 2048,
        index_interval_bytes: 200,
        retention_ms: None,
        retention_bytes: None,
        file_delete_delay_ms: 0,
        producer_id_expiration_ms: i64::MAX,
        compact: true,
        min_cleanable_dirty_ratio: 0.0,
        delete_retention_ms: RETENTION_MS,
        ..LogConfig::default()
    }
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let file_system = LosingFileSystem::new();
        Self::with(seed, file_system.clone(), Arc::new(file_system), PathBuf::from("/data"), None)
    }

    /// In a folder of the machine, with maps and descriptors.
    pub(crate) fn on_disk(seed: u64) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().to_owned();
        Self::with(seed, LosingFileSystem::new(), Arc::new(OsFileSystem), path, Some(folder))
    }

    fn with(
        seed: u64,
        file_system: LosingFileSystem,
        disk: Arc<dyn FileSystem>,
        path: PathBuf,
        temporary: Option<tempfile::TempDir>,
    ) -> Self {
        let mut world = Self {
            file_system,
            random: Random::new(seed),
            has_transactions: false,
            keys: 12,
            dedupe_buffer_bytes: 1 << 20,
            disk,
            path,
            _temporary: temporary,
            log: None,
            sent: BTreeMap::new(),
            open: HashMap::new(),
            sequences: HashMap::new(),
            last_batches: HashMap::new(),
            log_start_offset: 0,
            log_end_offset: 0,
            next_dirty_offset: 0,
            touched_to: 0,
            now_ms: START_MS,
            producer_epoch: 0,
            is_deleted: false,
        };
        world.open().expect("the power is on");
        world
    }

    pub(crate) fn open(&mut self) -> Result<(), Box<dyn std::error::Error>> {
        let log_dir = LogDir::open(&self.path, &LogDirOptions::new(Arc::clone(&self.disk)))?;
        let log = Log::open(&log_dir, TopicPartition::new("t", 0), Uuid::from_u128(7), config());
        log.offsets()?;
        self.log = Some(log);
        Ok(())
    }

    pub(crate) fn close(&mut self) {
        self.log = None;
    }

    /// Opens after a crash; the power may fail again while that is done.
    pub(crate) fn recover(&mut self, cut: u64) {
        for attempt in 0.. {
            let limit = if attempt < 3 { (cut * 7 + attempt * 3) % 25 } else { u64::MAX };
            self.file_system.fail_power_after(limit);
            let opened = self.open();
            self.file_system.fail_power_after(u64::MAX);
            match opened {
                Ok(()) => return,
                Err(error) if attempt > 3 => panic!("the log does not open: {error}"),
                Err(_) => {
                    self.close();
                    self.file_system.power_cut(storage::file_system::Survival::Random { seed: cut + attempt });
                }
            }
        }
    }

    pub(crate) fn log(&self) -> Arc<Log> {
        Arc::clone(self.log.as_ref().expect("the log is open"))
    }

    pub(crate) fn flush(&self) {
        self.log().flush().expect("the power is on");
    }

    pub(crate) fn pass_time(&mut self) {
        self.now_ms += self.random.between(0, RETENTION_MS);
    }

    pub(crate) fn delete_old_files(&self) {
        self.log().log_dir().delete_step(self.now_ms + 1).expect("the disk works");
    }

    /// Appends a batch of one of several kinds.
    pub(crate) fn append(&mut self) {
        match self.random.below(10) {
            0..3 if self.has_transactions => self.append_in_transaction(),
            3 if self.has_transactions => self.end_transaction(),
            0..5 => self.append_plain(None),
            _ => {
                let producer = self.random.below(PRODUCERS as u64) as i64;
                self.append_plain(Some(producer));
            }
        }
    }

    fn codec(&mut self) -> Codec {
        Codec::ALL[self.random.below(5) as usize]
    }

    fn record(&mut self) -> Sent {
        let key = format!("key-{}", self.random.below(self.keys));
        let value = format!("{}-{}", self.random.next(), "v".repeat(self.random.below(60) as usize));
        let is_tombstone = self.random.one_in(5);
        let key = Some(key).filter(|_| !self.random.one_in(50));
        Sent { key, value: Some(value).filter(|_| !is_tombstone), producer_id: None, aborted: false, cleaned_ms: None }
    }

    fn records(&mut self) -> Vec<Sent> {
        (0..self.random.between(1, 6)).map(|_| self.record()).collect()
    }

    fn fill(&self, builder: &mut BatchBuilder, records: &[Sent]) {
        for (offset, record) in (self.log_end_offset..).zip(records) {
            let (key, value) = (record.key.as_deref(), record.value.as_deref());
            let header: &[(&[u8], Option<&[u8]>)] = &[(b"h", None)];
            builder.append(timestamp_of(offset), key.map(str::as_bytes), value.map(str::as_bytes), header);
        }
    }

    fn append_plain(&mut self, producer: Option<i64>) {
        let records = self.records();
        let mut builder = BatchBuilder::new(0, self.codec());
        if let Some(producer) = producer {
            let sequence = self.sequences.entry(producer).or_default();
            builder = builder.producer(producer, self.producer_epoch, *sequence);
            *sequence += records.len() as i32;
        }
        self.fill(&mut builder, &records);
        let batch = ValidatedBatch::trusted(builder.build()).expect("a batch just built is one");
        let appended = self.log().append(&batch, 0, self.now_ms).expect("the power is on");
        assert_eq!(appended.base_offset, self.log_end_offset);
        if let Some(producer) = producer {
            self.last_batches.insert(producer, (batch, appended.base_offset));
        }
        self.note(records);
    }

    fn note(&mut self, records: Vec<Sent>) {
        for record in records {
            self.sent.insert(self.log_end_offset, record);
            self.log_end_offset += 1;
        }
    }

    fn append_in_transaction(&mut self) {
        let producer_id = TRANSACTIONAL + self.random.below(3) as i64;
        let mut records = self.records();
        records.iter_mut().for_each(|record| record.producer_id = Some(producer_id));
        self.open.entry(producer_id).or_insert(self.log_end_offset);
        let codec = self.codec();
        let sequence = self.sequences.entry(producer_id).or_default();
        let mut builder =
            BatchBuilder::new(self.log_end_offset, codec).producer(producer_id, 0, *sequence).transactional();
        *sequence += records.len() as i32;
        self.fill(&mut builder, &records);
        self.log().append_as_is(&builder.build(), self.now_ms).expect("the power is on");
        self.note(records);
    }

    /// Commits or aborts a transaction; the latter goes into the index of the active segment, as a broker would have it.
    fn end_transaction(&mut self) {
        let Some((producer_id, first_offset)) = self.open.iter().next().map(|(id, first)| (*id, *first)) else {
            return;
        };
        self.open.remove(&producer_id);
        let committed = self.random.one_in(2);
        let offset = self.log_end_offset;
        let mut builder = BatchBuilder::new(offset, Codec::None).producer(producer_id, 0, -1).transactional().control();
        builder.append(timestamp_of(offset), Some(&[0, 0, 0, u8::from(committed)]), Some(&[0; 6]), &[]);
        self.log().append_as_is(&builder.build(), self.now_ms).expect("the power is on");
        self.log_end_offset += 1;
        for (_, record) in self.sent.range_mut(first_offset..) {
            if record.producer_id == Some(producer_id) {
                record.aborted |= !committed;
                record.producer_id = None;
            }
        }
        if !committed {
            let last_stable_offset = self.last_stable_offset();
            self.note_aborted(&AbortedTxn { producer_id, first_offset, last_offset: offset, last_stable_offset });
        }
    }

    fn note_aborted(&self, transaction: &AbortedTxn) {
        let base_offset = self.bases().pop().expect("there is a segment");
        let path = self.folder().join(format!("{base_offset:020}.txnindex"));
        let log = self.log();
        let handles = log.log_dir().handles();
        let opened = TxnIndex::open(handles, path.clone(), base_offset).expect("the index is whole");
        let mut index =
            opened.unwrap_or_else(|| TxnIndex::create(handles, path, base_offset).expect("the power is on"));
        index.append(transaction).expect("the power is on");
    }

    fn last_stable_offset(&self) -> i64 {
        self.open.values().copied().min().unwrap_or(self.log_end_offset)
    }

    fn folder(&self) -> PathBuf {
        self.path.join("t-0")
    }

    fn names(&self) -> Vec<String> {
        let listed = self.disk.read_dir(&self.folder()).unwrap_or_default();
        listed.into_iter().map(|entry| entry.name).collect()
    }

    /// Cleans the log if it is due; false if it is not.
    pub(crate) fn clean(&mut self) -> Result<bool, CleanError> {
        self.try_clean().map(|cleaned| cleaned.is_some())
    }

    pub(crate) fn try_clean(&mut self) -> Result<Option<i64>, CleanError> {
        let Some(cleanable) = self.log().cleanable(self.last_stable_offset(), self.now_ms)? else { return Ok(None) };
        self.touched_to = self.touched_to.max(cleanable.first_uncleanable_offset);
        let stats = self.run(&cleanable, &FullSpeed)?;
        assert!(stats > cleanable.first_dirty_offset, "no progress");
        self.cleaned_to(stats);
        Ok(Some(stats))
    }

    fn run(&self, cleanable: &Cleanable, pace: &dyn Pace) -> Result<i64, CleanError> {
        let options = CleanerOptions {
            dedupe_buffer_bytes: self.dedupe_buffer_bytes,
            io_buffer_bytes: 1000,
            ..CleanerOptions::default()
        };
        clean(&self.log(), cleanable, &options, self.now_ms, pace).map(|stats| stats.next_dirty_offset)
    }

    fn cleaned_to(&mut self, next_dirty_offset: i64) {
        self.next_dirty_offset = next_dirty_offset;
        let now_ms = self.now_ms;
        self.sent.range_mut(..next_dirty_offset).for_each(|(_, record)| {
            record.cleaned_ms.get_or_insert(now_ms);
        });
    }

    /// Cleans, and does something to the log in the middle of it.
    pub(crate) fn clean_with(&mut self, interrupt: impl FnOnce(&mut Self)) {
        struct Interrupting<'a>(std::cell::RefCell<Option<Box<dyn FnOnce() + 'a>>>, std::cell::Cell<u64>);
        impl Pace for Interrupting<'_> {
            fn go_on(&self, _bytes: usize) -> bool {
                self.1.set(self.1.get().saturating_sub(1));
                if self.1.get() == 0
                    && let Some(interrupt) = self.0.borrow_mut().take()
                {
                    interrupt();
                }
                true
            }
        }
        let after = 1 + self.random.below(40);
        let Ok(Some(cleanable)) = self.log().cleanable(self.last_stable_offset(), self.now_ms) else { return };
        self.touched_to = self.touched_to.max(cleanable.first_uncleanable_offset);
        let log = self.log();
        let options = CleanerOptions {
            dedupe_buffer_bytes: self.dedupe_buffer_bytes,
            io_buffer_bytes: 1000,
            ..CleanerOptions::default()
        };
        let now_ms = self.now_ms;
        let cleaned = {
            let world = std::cell::RefCell::new(&mut *self);
            let run = || interrupt(&mut world.borrow_mut());
            let pace = Interrupting(std::cell::RefCell::new(Some(Box::new(run))), std::cell::Cell::new(after));
            clean(&log, &cleanable, &options, now_ms, &pace)
        };
        match cleaned {
            Ok(stats) => self.cleaned_to(stats.next_dirty_offset.min(self.log_end_offset)),
            Err(CleanError::Aborted) => {}
            Err(error) => panic!("{error}"),
        }
    }

    /// Truncates, deletes records and their segments, or deletes the log.
    pub(crate) fn interrupt(&mut self, kind: u64) {
        let log = self.log();
        let some_offset = self.random.between(1, self.log_end_offset - 1);
        match kind {
            0 => {
                let end = log.truncate_to(some_offset, self.now_ms).expect("the power is on");
                self.truncated(end);
            }
            1 => {
                log.truncate_fully_and_start_at(some_offset, self.now_ms).expect("the power is on");
                self.truncated(some_offset);
                self.sent.clear();
                self.log_start_offset = some_offset;
            }
            2 => {
                self.log_start_offset = log.increment_log_start_offset(some_offset).expect("the power is on");
                log.delete_old_segments(self.log_end_offset, self.now_ms).expect("the power is on");
            }
            _ => {
                log.delete(self.now_ms).expect("the power is on");
                self.is_deleted = true;
            }
        }
    }

    fn truncated(&mut self, end: i64) {
        self.log_end_offset = end;
        self.sent.split_off(&end);
        self.touched_to = self.touched_to.min(end);
        self.next_dirty_offset = self.next_dirty_offset.min(end);
        self.sequences.clear();
        self.last_batches.clear();
        self.producer_epoch += 1;
    }

    /// All batches there are, with their records.
    fn read_all(&self) -> Vec<(BatchHeader, Vec<Record>)> {
        let log = self.log();
        let offsets = log.offsets().expect("the log loads");
        assert_eq!((offsets.log_start_offset, offsets.log_end_offset), (self.log_start_offset, self.log_end_offset));
        let mut batches: Vec<(BatchHeader, Vec<Record>)> = Vec::new();
        let mut offset = offsets.log_start_offset;
        loop {
            let limits = ReadLimits { end_offset: offsets.log_end_offset, max_bytes: 700, at_least_one: true };
            let bytes = log.read(offset, limits).expect("the log can be read").read().expect("the region is there");
            if bytes.is_empty() {
                return batches;
            }
            let mut at = 0;
            for batch in Batches::new(&bytes) {
                let (header, batch) = batch.expect("whole batches");
                check_crc(batch).expect("undamaged batches");
                assert!(batches.last().is_none_or(|(last, _)| last.last_offset() < header.base_offset), "in order");
                let bytes = bytes.slice(at..at + batch.len());
                at += batch.len();
                let records = Records::open(&bytes, expansion_limit(batch.len())).expect("records");
                batches.push((header, records.map(|record| record.expect("a record")).collect()));
                offset = header.next_offset();
            }
        }
    }

    fn survivors(&self) -> BTreeMap<i64, Record> {
        let batches = self.read_all().into_iter().filter(|(header, _)| !header.attributes.is_control());
        let records = batches.flat_map(|(_, records)| records);
        let in_log = |record: &Record| record.offset >= self.log_start_offset;
        records.filter(in_log).map(|record| (record.offset, record)).collect()
    }

    /// What is there was sent, and a reader of committed records ends up with the same last values.
    pub(crate) fn check(&self) {
        if self.is_deleted {
            return;
        }
        let survivors = self.survivors();
        for (offset, record) in &survivors {
            let sent = self.sent.get(offset).unwrap_or_else(|| panic!("nobody sent {record:?}"));
            assert_eq!(record.key.as_deref(), sent.key.as_ref().map(String::as_bytes), "{offset}");
            assert_eq!(record.value.as_deref(), sent.value.as_ref().map(String::as_bytes), "{offset}");
            assert_eq!(record.timestamp, timestamp_of(*offset));
            assert_eq!(record.headers.len(), 1);
        }
        let is_there = |offset: &i64| survivors.contains_key(offset);
        assert_eq!(self.last_values(|offset| is_there(&offset)), self.last_values(|_| true));
        for (offset, sent) in self.sent.range(self.touched_to.max(self.log_start_offset)..) {
            assert!(is_there(offset), "{offset} was not cleaned, but is gone: {sent:?}");
        }
        for (offset, sent) in self.sent.range(self.log_start_offset..) {
            assert!(is_there(offset) || !self.must_stay(*offset, sent), "{offset} had to stay: {sent:?}");
        }
    }

    /// The last committed value of each key, of the records for which `is_there` holds.
    fn last_values(&self, is_there: impl Fn(i64) -> bool) -> BTreeMap<&str, (i64, &str)> {
        let mut values = BTreeMap::new();
        for (offset, sent) in self.sent.range(self.log_start_offset..) {
            if sent.aborted || sent.producer_id.is_some() || !is_there(*offset) {
                continue;
            }
            match (&sent.key, &sent.value) {
                (Some(key), Some(value)) => drop(values.insert(key.as_str(), (*offset, value.as_str()))),
                (Some(key), None) => drop(values.remove(key.as_str())),
                (None, _) => {}
            }
        }
        values
    }

    /// The last committed record of its key; a tombstone until it has been clean for the retention.
    fn must_stay(&self, offset: i64, sent: &Sent) -> bool {
        let is_young = sent.cleaned_ms.is_none_or(|cleaned| self.now_ms < cleaned + RETENTION_MS);
        let is_last = sent.key.is_some() && !sent.aborted && !self.is_superseded(offset, sent, i64::MAX);
        is_last && (sent.value.is_some() || is_young)
    }

    /// Whether a committed record of the same key follows below `end`.
    fn is_superseded(&self, offset: i64, sent: &Sent, end: i64) -> bool {
        let later = self.sent.range(offset + 1..end.max(offset + 1));
        later.into_iter().any(|(_, other)| other.key == sent.key && !other.aborted && other.producer_id.is_none())
    }

    /// In the cleaned part every key is there once, and nothing that was aborted or has no key.
    pub(crate) fn check_cleaned(&self) {
        if self.is_deleted {
            return;
        }
        let survivors = self.survivors();
        for offset in survivors.range(..self.next_dirty_offset).map(|(offset, _)| offset) {
            let sent = &self.sent[offset];
            assert!(sent.key.is_some() && !sent.aborted, "{offset} should be gone: {sent:?}");
            let end = self.next_dirty_offset;
            assert!(!self.is_superseded(*offset, sent, end), "{offset} should be gone: {sent:?}");
        }
        self.check_folder();
    }

    /// Nothing of an unfinished swap is left, and segments do not overlap.
    pub(crate) fn check_folder(&self) {
        let left: Vec<String> =
            self.names().into_iter().filter(|name| name.ends_with(".cleaned") || name.ends_with(".swap")).collect();
        assert!(left.is_empty(), "{left:?}");
        let bases: Vec<i64> = self.bases();
        for (at, base_offset) in bases.iter().enumerate() {
            let bytes = self.disk.read(&self.folder().join(format!("{base_offset:020}.log"))).expect("the power is on");
            let mut from = *base_offset;
            for (header, _) in Batches::new(&bytes).map_while(Result::ok) {
                assert!(header.base_offset >= from, "{} in segment {base_offset} of {bases:?}", header.base_offset);
                from = header.next_offset();
            }
            let next = bases.get(at + 1).copied().unwrap_or(i64::MAX);
            assert!(from <= next, "segment {base_offset} reaches into the next one of {bases:?}");
        }
    }

    /// Where segments begin, by the names of their files.
    fn bases(&self) -> Vec<i64> {
        let base_of = |name: &String| name.strip_suffix(".log")?.parse::<i64>().ok();
        let mut bases: Vec<i64> = self.names().iter().filter_map(base_of).collect();
        bases.sort_unstable();
        bases
    }

    pub(crate) fn remove_recovery_points(&self) {
        self.disk.remove_file(&self.path.join(RECOVERY_POINT_CHECKPOINT)).expect("a cleaning has written it");
    }

    pub(crate) fn remove_snapshots(&self) {
        for name in self.names().iter().filter(|name| name.ends_with(".snapshot")) {
            self.disk.remove_file(&self.folder().join(name)).expect("the power is on");
        }
    }

    /// What every producer sent last is recognised, so its sequences go on.
    pub(crate) fn resend_last_batches(&self) {
        assert!(!self.last_batches.is_empty());
        for (producer, (batch, base_offset)) in &self.last_batches {
            let appended = self.log().append(batch, 0, self.now_ms).expect("the power is on");
            assert!(appended.duplicate, "producer {producer} is not known");
            assert_eq!(appended.base_offset, *base_offset);
        }
    }

    pub(crate) fn flip_a_bit_in_the_first_segment(&self) {
        let path = self.folder().join(format!("{:020}.log", 0));
        let path: &Path = &path;
        let mut bytes = self.disk.read(path).expect("the file is there");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        let file = self.disk.open(path, storage::file_system::OpenMode::ReadWrite).expect("the file is there");
        file.write_all_at(&bytes, 0).expect("the power is on");
    }
}
