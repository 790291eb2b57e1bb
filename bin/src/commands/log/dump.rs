//! `ottla log dump`: what stands in the files of a log, in the words of Kafka's own dump tool.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use protocol::ids::format_uuid;
use protocol::record_batch::{Records, expansion_limit};
use serde_json::{Value, json};
use storage::file_system::{FileSystem, OsFileSystem};
use storage::index::txn_index::{self, AbortedTxn};
use storage::index::{Index, OffsetIndex, TimeIndex};
use storage::leader_epoch::LeaderEpochs;
use storage::meta_properties::MetaProperties;
use storage::producer_state::{self, ProducerStateEntry};
use storage::{SegmentFile, StoredBatch, checkpoint, partition_metadata};

use super::decoder::Decoder;
use super::files::{FileKind, files, partition_folders};
use super::records::{Detail, batch_json, batch_line, optional_long, record_json, record_line};
use crate::output::Output;

/// Prints the files of logs: segments, indexes, producer snapshots, checkpoints, the metadata log and its snapshots.
///
/// Lines are those of Kafka's kafka-dump-log. Needs no broker, and changes nothing.
///
/// Examples:
///   ottla log dump data/orders-0/00000000000000000000.log
///   ottla log dump data/orders-0 --records                     # every file of a partition
///   ottla log dump data/__cluster_metadata-0 --records         # topics, partitions, configurations as they were written
///   ottla log dump data/__consumer_offsets-7 --records         # groups, and what they have committed
///   ottla log dump data --json | jq -c 'select(.baseOffset)'
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    /// Files, folders of partitions, or log directories.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The records too, with their content.
    #[arg(short, long)]
    records: bool,
    /// One JSON object a batch, record or entry and line.
    #[arg(long)]
    json: bool,
}

impl Arguments {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let records = self.records.then_some(Detail { metadata: true, content: true });
        let mut dump = Dump { records, json: self.json, ..Dump::new() };
        for path in &self.paths {
            if path.is_dir() {
                dump.folder(path)?;
            } else {
                dump.file(path)?;
            }
        }
        Ok(dump.output.flush()?)
    }
}

/// How files are shown, and where.
pub(crate) struct Dump {
    pub(crate) output: Output,
    /// `None`: batches only.
    pub(crate) records: Option<Detail>,
    pub(crate) json: bool,
    /// `None`: by the folder that a file lies in.
    pub(crate) decoder: Option<Decoder>,
    /// Of each log, whole batches.
    pub(crate) max_bytes: u64,
}

impl Dump {
    /// Batches only, on standard output.
    pub(crate) fn new() -> Self {
        Self { output: Output::new(), records: None, json: false, decoder: None, max_bytes: u64::MAX }
    }

    fn folder(&mut self, folder: &Path) -> anyhow::Result<()> {
        let listing = || format!("cannot list {}", folder.display());
        for path in files(folder).with_context(listing)? {
            self.file(&path)?;
        }
        for partition in partition_folders(folder).with_context(listing)?.iter().filter(|path| *path != folder) {
            self.folder(partition)?;
        }
        Ok(())
    }

    fn file(&mut self, path: &Path) -> anyhow::Result<()> {
        let Some(kind) = FileKind::of(path) else {
            bail!(
                "{} is no file of a log: it must be .log, .index, .timeindex, .txnindex, .snapshot, .checkpoint, or one of the \
                   checkpoint and property files",
                path.display()
            );
        };
        if !self.json {
            self.output.line(format!("Dumping {}", path.display()))?;
        }
        self.content(kind, path).with_context(|| format!("cannot dump {}", path.display()))
    }

    /// Prints what is in a file.
    ///
    /// # Errors
    /// It cannot be read, or is not what its name says.
    pub(crate) fn content(&mut self, kind: FileKind, path: &Path) -> anyhow::Result<()> {
        let bytes = || OsFileSystem.read(path);
        match kind {
            FileKind::Log { base_offset } => {
                self.say(|| format!("Log starting offset: {base_offset}"))?;
                self.batches(path)
            }
            FileKind::MetadataSnapshot => {
                self.say(|| snapshot_title(path))?;
                self.batches(path)
            }
            FileKind::OffsetIndex { base_offset } => self.offset_index(path, &bytes()?, base_offset),
            FileKind::TimeIndex { base_offset } => self.time_index(path, &bytes()?, base_offset),
            FileKind::TxnIndex { .. } => self.txn_index(path, &bytes()?),
            FileKind::ProducerSnapshot => self.producers(path, &bytes()?),
            FileKind::LeaderEpochs => {
                for entry in LeaderEpochs::decode(&bytes()?)?.entries() {
                    self.entry(
                        path,
                        || json!({ "epoch": entry.epoch, "startOffset": entry.start_offset }),
                        || format!("epoch: {} startOffset: {}", entry.epoch, entry.start_offset),
                    )?;
                }
                Ok(())
            }
            FileKind::PartitionMetadata => {
                let id = format_uuid(partition_metadata::decode(&bytes()?)?);
                self.entry(path, || json!({ "topicId": id }), || format!("topicId: {id}"))
            }
            FileKind::Offsets => {
                let mut offsets: Vec<_> = checkpoint::decode_offsets(&bytes()?)?.into_iter().collect();
                offsets.sort();
                for (partition, offset) in offsets {
                    self.entry(
                        path,
                        || json!({ "topic": &*partition.topic, "partition": partition.partition, "offset": offset }),
                        || format!("partition: {partition} offset: {offset}"),
                    )?;
                }
                Ok(())
            }
            FileKind::MetaProperties => {
                let properties = MetaProperties::decode(&bytes()?)?;
                let directory_id = properties.directory_id.map(format_uuid);
                self.entry(
                    path,
                    || {
                        json!({
                            "clusterId": properties.cluster_id, "nodeId": properties.node_id, "directoryId": directory_id,
                        })
                    },
                    || {
                        format!(
                            "clusterId: {} nodeId: {} directoryId: {}",
                            properties.cluster_id.as_deref().unwrap_or("none"),
                            properties.node_id.map_or_else(|| "none".to_owned(), |id| id.to_string()),
                            directory_id.as_deref().unwrap_or("none")
                        )
                    },
                )
            }
        }
    }

    fn batches(&mut self, path: &Path) -> anyhow::Result<()> {
        let mut file = SegmentFile::open(&OsFileSystem, path)?;
        while let Some(batch) = file.next_batch()? {
            let batch = match batch {
                Ok(batch) => batch,
                Err(error) => {
                    self.say(|| format!("no batch at position {}: {error}", file.position()))?;
                    break;
                }
            };
            if file.position() > self.max_bytes {
                return Ok(());
            }
            self.entry(path, || batch_json(&batch), || batch_line(&batch))?;
            if let Some(detail) = self.records {
                self.records_of(path, &batch, detail)?;
            }
        }
        let left = file.size() - file.position();
        if left > 0 && self.max_bytes == u64::MAX {
            let name = path.file_name().unwrap_or_default().display().to_string();
            self.say(|| format!("Found {left} invalid bytes at the end of {name}"))?;
        }
        Ok(())
    }

    fn records_of(&mut self, path: &Path, batch: &StoredBatch, detail: Detail) -> anyhow::Result<()> {
        let decoder = self.decoder.unwrap_or_else(|| Decoder::of(path));
        let records = match Records::open(&batch.bytes, expansion_limit(batch.bytes.len())) {
            Err(error) => return self.say(|| format!("the records cannot be read: {error}")),
            Ok(records) => records,
        };
        for record in records {
            match record {
                Err(error) => self.say(|| format!("a record cannot be read: {error}"))?,
                Ok(record) => self.entry(
                    path,
                    || record_json(&batch.header, &record, decoder),
                    || record_line(&batch.header, &record, detail, decoder),
                )?,
            }
        }
        Ok(())
    }

    fn offset_index(&mut self, path: &Path, bytes: &[u8], base_offset: i64) -> anyhow::Result<()> {
        if bytes.len() < OffsetIndex::ENTRY_SIZE {
            return self.say(|| format!("{} is empty.", path.display()));
        }
        for (at, entry) in bytes.chunks_exact(OffsetIndex::ENTRY_SIZE).map(OffsetIndex::decode).enumerate() {
            // Zeros at the end: the file was made larger than needed.
            if at > 0 && entry.relative_offset == 0 {
                break;
            }
            let offset = base_offset.saturating_add(i64::from(entry.relative_offset));
            self.entry(
                path,
                || json!({ "offset": offset, "position": entry.position }),
                || format!("offset: {offset} position: {}", entry.position),
            )?;
        }
        Ok(())
    }

    fn time_index(&mut self, path: &Path, bytes: &[u8], base_offset: i64) -> anyhow::Result<()> {
        for (at, entry) in bytes.chunks_exact(TimeIndex::ENTRY_SIZE).map(TimeIndex::decode).enumerate() {
            if at > 0 && entry.relative_offset == 0 {
                break;
            }
            let offset = base_offset.saturating_add(i64::from(entry.relative_offset));
            self.entry(
                path,
                || json!({ "timestamp": entry.timestamp, "offset": offset }),
                || format!("timestamp: {} offset: {offset}", entry.timestamp),
            )?;
        }
        Ok(())
    }

    fn txn_index(&mut self, path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
        for entry in bytes.as_chunks::<{ txn_index::ENTRY_SIZE }>().0 {
            let aborted = AbortedTxn::decode(entry).context("an entry of an unknown version")?;
            self.entry(
                path,
                || {
                    json!({
                        "producerId": aborted.producer_id,
                        "firstOffset": aborted.first_offset,
                        "lastOffset": aborted.last_offset,
                        "lastStableOffset": aborted.last_stable_offset,
                    })
                },
                || {
                    format!(
                        "version: 0 producerId: {} firstOffset: {} lastOffset: {} lastStableOffset: {}",
                        aborted.producer_id, aborted.first_offset, aborted.last_offset, aborted.last_stable_offset
                    )
                },
            )?;
        }
        Ok(())
    }

    fn producers(&mut self, path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
        let mut producers: Vec<_> = producer_state::decode(bytes)?.into_iter().collect();
        producers.sort_unstable_by_key(|(id, _)| *id);
        for (id, entry) in &producers {
            self.entry(path, || producer_json(*id, entry), || producer_line(*id, entry))?;
        }
        Ok(())
    }

    /// A line for people only.
    fn say(&mut self, line: impl FnOnce() -> String) -> anyhow::Result<()> {
        if !self.json {
            self.output.line(line())?;
        }
        Ok(())
    }

    fn entry(
        &mut self,
        path: &Path,
        json: impl FnOnce() -> Value,
        line: impl FnOnce() -> String,
    ) -> anyhow::Result<()> {
        if !self.json {
            return Ok(self.output.line(line())?);
        }
        let mut document = json();
        document["file"] = json!(path.display().to_string());
        Ok(self.output.json(&document)?)
    }
}

/// `END-EPOCH.checkpoint`, or the bootstrap file.
fn snapshot_title(path: &Path) -> String {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    match stem.split_once('-').and_then(|(end, epoch)| Some((end.parse::<i64>().ok()?, epoch.parse::<i32>().ok()?))) {
        Some((end_offset, epoch)) => format!("Snapshot end offset: {end_offset}, epoch: {epoch}"),
        None => "KRaft bootstrap snapshot".to_owned(),
    }
}

fn producer_line(id: i64, entry: &ProducerStateEntry) -> String {
    let mut line = format!(
        "producerId: {id} producerEpoch: {} coordinatorEpoch: {} currentTxnFirstOffset: {} lastTimestamp: {}",
        entry.producer_epoch,
        entry.coordinator_epoch,
        optional_long(entry.current_txn_first_offset),
        entry.last_timestamp
    );
    if let Some(batch) = entry.batches().first() {
        line.push_str(&format!(
            " firstSequence: {} lastSequence: {} lastOffset: {} offsetDelta: {} timestamp: {}",
            batch.first_sequence(),
            batch.last_sequence,
            batch.last_offset,
            batch.offset_delta,
            batch.timestamp
        ));
    }
    line
}

fn producer_json(id: i64, entry: &ProducerStateEntry) -> Value {
    json!({
        "producerId": id,
        "producerEpoch": entry.producer_epoch,
        "coordinatorEpoch": entry.coordinator_epoch,
        "currentTxnFirstOffset": entry.current_txn_first_offset,
        "lastTimestamp": entry.last_timestamp,
        "lastSequence": entry.last_sequence(),
        "lastOffset": entry.last_data_offset(),
    })
}
