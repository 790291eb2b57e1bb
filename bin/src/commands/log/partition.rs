//! The files of one partition, read through and compared with each other.

use std::io;
use std::path::{Path, PathBuf};

use protocol::ids::TopicPartition;
use protocol::metadata_record::MetadataRecord;
use protocol::record_batch::{BatchHeader, Records, check_crc, expansion_limit};
use storage::file_system::{FileSystem, OsFileSystem};
use storage::index::txn_index::{self, AbortedTxn};
use storage::index::{Index, OffsetEntry, OffsetIndex, TimeEntry, TimeIndex, rising};
use storage::leader_epoch::{LEADER_EPOCH_CHECKPOINT, LeaderEpochs};
use storage::log_dir::Folder;
use storage::{SegmentFile, StoredBatch, partition_metadata, producer_state};

use super::files::{FileKind, files, is_metadata};
use crate::progress::Progress;

/// What would make good again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Remedy {
    /// The file is cut at `position`, before the record of `offset`; later segments go.
    Cut { position: u64, offset: i64 },
    /// The file goes: a broker makes it again from the log.
    Remove,
    /// The offset that the file has for a partition is lowered to this one, the end of its log.
    Lower { offset: i64 },
    /// Nothing that this program does.
    None,
}

/// Something that is not as it was written.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    pub(super) file: PathBuf,
    /// Whose, where the file is of several partitions.
    pub(super) partition: Option<TopicPartition>,
    pub(super) text: String,
    pub(super) remedy: Remedy,
}

/// What was found in a partition's folder.
#[derive(Debug)]
pub(super) struct PartitionReport {
    pub(super) folder: PathBuf,
    /// `None`: the folder's name is that of no partition.
    pub(super) partition: Option<TopicPartition>,
    pub(super) segments: u64,
    pub(super) batches: u64,
    pub(super) bytes: u64,
    /// Offset after the last good batch.
    pub(super) log_end_offset: i64,
    pub(super) problems: Vec<Problem>,
}

/// Bytes of the logs in a folder: what there is to read.
pub(super) fn bytes(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for path in files(folder)?.iter().filter(|path| matches!(FileKind::of(path), Some(FileKind::Log { .. }))) {
        bytes += OsFileSystem.metadata(path)?.size;
    }
    Ok(bytes)
}

/// One partition to read.
pub(super) struct Task<'a> {
    pub(super) folder: &'a Path,
    pub(super) deep: bool,
    /// A broker may be writing: an unfinished end is no damage.
    pub(super) in_use: bool,
    pub(super) progress: &'a Progress,
}

impl Task<'_> {
    /// # Errors
    /// A file cannot be read.
    pub(super) fn run(&self) -> io::Result<PartitionReport> {
        let name = self.folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let partition = match Folder::parse(name) {
            Some(Folder::Partition(partition)) => Some(partition),
            _ => None,
        };
        let mut report = PartitionReport {
            folder: self.folder.to_owned(),
            partition,
            segments: 0,
            batches: 0,
            bytes: 0,
            log_end_offset: 0,
            problems: Vec::new(),
        };
        let epochs = self.leader_epochs(&mut report)?;
        let files = files(self.folder)?;
        let segments: Vec<(&PathBuf, i64)> = files
            .iter()
            .filter_map(|path| match FileKind::of(path) {
                Some(FileKind::Log { base_offset }) => Some((path, base_offset)),
                _ => None,
            })
            .collect();
        for (at, (path, base_offset)) in segments.iter().enumerate() {
            let is_last = at + 1 == segments.len();
            self.segment(&mut report, path, *base_offset, epochs.as_ref(), is_last)?;
        }
        for path in &files {
            match FileKind::of(path) {
                Some(FileKind::ProducerSnapshot) => {
                    if let Err(error) = producer_state::decode(&OsFileSystem.read(path)?) {
                        report.note(path, error.to_string(), Remedy::Remove);
                    }
                }
                Some(FileKind::PartitionMetadata) => {
                    if let Err(error) = partition_metadata::decode(&OsFileSystem.read(path)?) {
                        report.note(path, error.to_string(), Remedy::None);
                    }
                }
                Some(FileKind::MetadataSnapshot) => self.metadata_snapshot(&mut report, path)?,
                _ => {}
            }
        }
        Ok(report)
    }

    fn leader_epochs(&self, report: &mut PartitionReport) -> io::Result<Option<LeaderEpochs>> {
        let path = self.folder.join(LEADER_EPOCH_CHECKPOINT);
        if !OsFileSystem.exists(&path)? {
            return Ok(None);
        }
        match LeaderEpochs::decode(&OsFileSystem.read(&path)?) {
            Ok(epochs) => Ok(Some(epochs)),
            Err(error) => {
                report.note(&path, error.to_string(), Remedy::Remove);
                Ok(None)
            }
        }
    }

    fn segment(
        &self,
        report: &mut PartitionReport,
        path: &Path,
        base_offset: i64,
        epochs: Option<&LeaderEpochs>,
        is_last: bool,
    ) -> io::Result<()> {
        report.segments += 1;
        if base_offset < report.log_end_offset {
            let text = format!(
                "begins at {base_offset}, before the end of the segment ahead of it ({})",
                report.log_end_offset
            );
            report.note(path, text, Remedy::None);
        }
        let mut indexes = Indexes::load(path, base_offset, report)?;
        let mut file = SegmentFile::open(&OsFileSystem, path)?;
        let (mut next_offset, mut epoch_told) = (base_offset, false);
        let damage = loop {
            let position = file.position();
            let Some(batch) = file.next_batch()? else {
                break (position < file.size()).then(|| "the last batch is cut off".to_owned());
            };
            let batch = match batch {
                Ok(batch) => batch,
                Err(error) => break Some(error.to_string()),
            };
            if let Err(text) = self.batch(path, &batch, next_offset) {
                break Some(text);
            }
            let wrong =
                epochs.filter(|_| !epoch_told && !self.in_use).and_then(|epochs| wrong_epoch(epochs, &batch.header));
            if let Some(text) = wrong {
                epoch_told = true;
                report.note(&self.folder.join(LEADER_EPOCH_CHECKPOINT), text, Remedy::Remove);
            }
            indexes.compare(&batch);
            next_offset = batch.header.next_offset();
            report.batches += 1;
            self.progress.add(batch.bytes.len() as u64);
        };
        report.bytes += file.size();
        report.log_end_offset = next_offset;
        // What a broker is just writing is not damage.
        if let Some(text) = damage.filter(|_| !(self.in_use && is_last)) {
            let position = indexes.end.unwrap_or(0);
            let text = format!(
                "{text} at position {position} (offset {next_offset}); {} bytes follow",
                file.size() - position
            );
            let remedy = if is_metadata(path) { Remedy::None } else { Remedy::Cut { position, offset: next_offset } };
            report.note(path, text, remedy);
        }
        indexes.finish(report, next_offset, self.in_use && is_last);
        Ok(())
    }

    /// A batch must carry its CRC, and follow the one before it; deep, its records must be there.
    fn batch(&self, path: &Path, batch: &StoredBatch, next_offset: i64) -> Result<(), String> {
        let header = &batch.header;
        if header.base_offset < next_offset || header.last_offset_delta < 0 {
            return Err(format!("a batch of offsets {} to {}", header.base_offset, header.last_offset()));
        }
        check_crc(&batch.bytes).map_err(|error| error.to_string())?;
        if !self.deep {
            return Ok(());
        }
        let opened = Records::open(&batch.bytes, expansion_limit(batch.bytes.len()));
        let mut count = 0;
        for record in opened.map_err(|error| error.to_string())? {
            let record = record.map_err(|error| error.to_string())?;
            if record.offset < header.base_offset || record.offset > header.last_offset() {
                return Err(format!(
                    "a record with offset {} in a batch that ends at {}",
                    record.offset,
                    header.last_offset()
                ));
            }
            if is_metadata(path) && !header.attributes.is_control() {
                let value = record.value.unwrap_or_default();
                MetadataRecord::decode_value(value).map_err(|error| error.to_string())?;
            }
            count += 1;
        }
        if count == header.record_count {
            return Ok(());
        }
        Err(format!("{count} records in a batch of {}", header.record_count))
    }

    fn metadata_snapshot(&self, report: &mut PartitionReport, path: &Path) -> io::Result<()> {
        let mut file = SegmentFile::open(&OsFileSystem, path)?;
        let mut next_offset = 0;
        while let Some(batch) = file.next_batch()? {
            let checked = match batch {
                Ok(batch) => self.batch(path, &batch, next_offset).map(|()| batch.header.next_offset()),
                Err(error) => Err(error.to_string()),
            };
            match checked {
                Ok(next) => next_offset = next,
                Err(text) => {
                    report.note(path, text, Remedy::None);
                    return Ok(());
                }
            }
        }
        if file.position() < file.size() {
            report.note(path, format!("{} bytes at the end are no batch", file.size() - file.position()), Remedy::None);
        }
        Ok(())
    }
}

/// What the file of leader epochs says wrongly about a batch. Of what lies before its first entry, and so before the log start
/// offset, it says nothing.
fn wrong_epoch(epochs: &LeaderEpochs, header: &BatchHeader) -> Option<String> {
    let (offset, written) = (header.base_offset, header.partition_leader_epoch);
    let known = epochs.epoch_for_offset(offset)?;
    (written >= 0 && written != known)
        .then(|| format!("offset {offset} was written in leader epoch {written}, but the file says {known}"))
}

impl PartitionReport {
    /// Where the log is to end: file, position and offset.
    pub(super) fn cut(&self) -> Option<(&Path, u64, i64)> {
        self.problems.iter().find_map(|problem| match problem.remedy {
            Remedy::Cut { position, offset } => Some((problem.file.as_path(), position, offset)),
            _ => None,
        })
    }

    /// Whether anything is wrong that can be made good.
    pub(super) fn needs_repair(&self) -> bool {
        self.problems.iter().any(|problem| problem.remedy != Remedy::None)
    }

    fn note(&mut self, file: &Path, text: String, remedy: Remedy) {
        self.problems.push(Problem { file: file.to_owned(), partition: None, text, remedy });
    }
}

/// The indexes of one segment, held against its batches as they are read.
struct Indexes {
    base_offset: i64,
    offsets_path: PathBuf,
    offsets: Vec<OffsetEntry>,
    times_path: PathBuf,
    times: Vec<TimeEntry>,
    txn_path: PathBuf,
    aborted: Vec<AbortedTxn>,
    /// How many entries of either have been found true.
    offsets_seen: usize,
    times_seen: usize,
    wrong_offset: Option<String>,
    wrong_time: Option<String>,
    /// Where the last batch that was compared ends.
    end: Option<u64>,
}

impl Indexes {
    fn load(log: &Path, base_offset: i64, report: &mut PartitionReport) -> io::Result<Self> {
        let path = |suffix: &str| log.with_extension(suffix);
        let (offsets_path, times_path, txn_path) = (path("index"), path("timeindex"), path("txnindex"));
        let offsets = entries::<OffsetIndex>(&offsets_path, report)?;
        let times = entries::<TimeIndex>(&times_path, report)?;
        let mut aborted = Vec::new();
        for entry in read(&txn_path)?.as_chunks::<{ txn_index::ENTRY_SIZE }>().0 {
            match AbortedTxn::decode(entry) {
                Some(transaction) => aborted.push(transaction),
                None => report.note(&txn_path, "an entry of an unknown version".to_owned(), Remedy::None),
            }
        }
        let (offsets_seen, times_seen) = (0, 0);
        let (wrong_offset, wrong_time, end) = (None, None, None);
        Ok(Self {
            base_offset,
            offsets_path,
            offsets,
            times_path,
            times,
            txn_path,
            aborted,
            offsets_seen,
            times_seen,
            wrong_offset,
            wrong_time,
            end,
        })
    }

    fn compare(&mut self, batch: &StoredBatch) {
        let last_offset = batch.header.last_offset();
        self.end = Some(batch.position + batch.header.size() as u64);
        while let Some(entry) = self.offsets.get(self.offsets_seen).copied() {
            let position = u64::from(entry.position);
            if position > batch.position {
                break;
            }
            self.offsets_seen += 1;
            let offset = self.base_offset.saturating_add(i64::from(entry.relative_offset));
            if position < batch.position || offset != last_offset {
                let text = format!(
                    "says that the batch at position {position} ends with offset {offset}; that at {} ends with {last_offset}",
                    batch.position
                );
                self.wrong_offset.get_or_insert(text);
            }
        }
        while let Some(entry) = self.times.get(self.times_seen).copied() {
            let offset = self.base_offset.saturating_add(i64::from(entry.relative_offset));
            if offset > last_offset {
                break;
            }
            self.times_seen += 1;
            if entry.timestamp != batch.header.max_timestamp {
                let text = format!(
                    "says that offset {offset} has timestamp {}; its batch has {}",
                    entry.timestamp, batch.header.max_timestamp
                );
                self.wrong_time.get_or_insert(text);
            }
        }
    }

    /// What the batches did not bear out.
    fn finish(self, report: &mut PartitionReport, next_offset: i64, may_grow: bool) {
        let beyond = "has entries for batches that are not there".to_owned();
        let is_beyond = |seen: usize, entries: usize| seen < entries && !may_grow;
        let offsets_beyond = is_beyond(self.offsets_seen, self.offsets.len()).then(|| beyond.clone());
        if let Some(text) = self.wrong_offset.or(offsets_beyond) {
            report.note(&self.offsets_path, text, Remedy::Remove);
        }
        let times_beyond = is_beyond(self.times_seen, self.times.len()).then_some(beyond);
        if let Some(text) = self.wrong_time.or(times_beyond) {
            report.note(&self.times_path, text, Remedy::Remove);
        }
        let is_outside = |transaction: &&AbortedTxn| {
            transaction.last_offset < self.base_offset || transaction.last_offset >= next_offset && !may_grow
        };
        if let Some(transaction) = self.aborted.iter().find(is_outside) {
            let text = format!(
                "has a transaction that ends at offset {}, outside of the segment (to {next_offset})",
                transaction.last_offset
            );
            report.note(&self.txn_path, text, Remedy::None);
        }
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    match OsFileSystem.read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        other => other,
    }
}

/// The entries of an index. Zeros at the end are none: Kafka makes files larger than needed while it writes.
fn entries<I: Index>(path: &Path, report: &mut PartitionReport) -> io::Result<Vec<I::Entry>> {
    let bytes = read(path)?;
    let entries = rising::<I>(&bytes);
    let rest = bytes.get(entries.len() * I::ENTRY_SIZE..).unwrap_or_default();
    if rest.iter().any(|byte| *byte != 0) {
        report.note(path, format!("entries do not rise after the first {}", entries.len()), Remedy::Remove);
    }
    // A file of zeros begins with an entry of zeros.
    let is_zero = bytes.get(..I::ENTRY_SIZE).is_some_and(|first| first.iter().all(|byte| *byte == 0));
    Ok(if is_zero && entries.len() == 1 && !rest.is_empty() { Vec::new() } else { entries })
}
