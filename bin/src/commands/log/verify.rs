//! `ottla log verify`: are the files of logs what was written, and do they agree with each other?

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Context, bail, ensure};
use clap::Args;
use protocol::ids::TopicPartition;
use serde_json::json;
use storage::checkpoint::{
    HIGH_WATERMARK_CHECKPOINT, LOG_START_OFFSET_CHECKPOINT, RECOVERY_POINT_CHECKPOINT, decode_offsets,
};
use storage::file_system::{FileSystem, OsFileSystem};
use storage::meta_properties::MetaProperties;

use super::files::{is_in_use, partition_folders};
use super::partition::{self, PartitionReport, Problem, Remedy};
use crate::interrupt::Interrupt;
use crate::output::Output;
use crate::progress::Progress;

/// Checks the files of logs: every batch's CRC and offsets, the indexes against the log, producer snapshots, leader epochs, checkpoints.
///
/// Needs no broker, and changes nothing. While a broker writes, only what it has not reached yet can be told from damage. Exit code 1
/// if anything is wrong.
///
/// Examples:
///   ottla log verify data
///   ottla log verify data/orders-0 --deep       # every record too
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    /// Log directories, or folders of partitions.
    #[arg(required = true, value_name = "DIRECTORY")]
    directories: Vec<PathBuf>,
    /// Takes every batch apart, decompresses it, and reads every record.
    #[arg(long)]
    deep: bool,
    /// How many partitions are read at once; without it as many as there are processors.
    #[arg(long, value_name = "COUNT")]
    threads: Option<usize>,
    /// One JSON object a problem and line, then one that sums up.
    #[arg(long)]
    json: bool,
}

impl Arguments {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let interrupt = Interrupt::listen()?;
        let mut reports = Vec::new();
        for directory in &self.directories {
            reports.push(examine(directory, self.deep, self.threads, &interrupt)?);
        }
        ensure!(!interrupt.is_asked(), "interrupted before everything was read");
        let mut output = Output::new();
        let problems: Vec<&Problem> = reports.iter().flat_map(DirectoryReport::problems).collect();
        for problem in &problems {
            if self.json {
                output.json(&json!({ "file": problem.file.display().to_string(), "problem": problem.text }))?;
            } else {
                output.line(format!("{}: {}", problem.file.display(), problem.text))?;
            }
        }
        let partitions = || reports.iter().flat_map(|report| &report.partitions);
        let sum = |of: fn(&PartitionReport) -> u64| partitions().map(of).sum::<u64>();
        let (segments, batches) = (sum(|report| report.segments), sum(|report| report.batches));
        let bytes = sum(|report| report.bytes);
        if self.json {
            output.json(&json!({
                "partitions": partitions().count(),
                "segments": segments,
                "batches": batches,
                "bytes": bytes,
                "problems": problems.len(),
            }))?;
        } else {
            output.line(format!(
                "{} partitions, {segments} segments, {batches} batches, {bytes} bytes: {}",
                partitions().count(),
                if problems.is_empty() { "no problem" } else { "damaged" }
            ))?;
        }
        output.flush()?;
        if !problems.is_empty() {
            bail!("{} problems found; what can be done about them tells: ottla log repair DIRECTORY", problems.len());
        }
        Ok(())
    }
}

/// What was found in one log directory, or one partition's folder.
pub(super) struct DirectoryReport {
    pub(super) directory: PathBuf,
    pub(super) partitions: Vec<PartitionReport>,
    /// Of the directory's own files.
    pub(super) own: Vec<Problem>,
}

impl DirectoryReport {
    pub(super) fn problems(&self) -> impl Iterator<Item = &Problem> {
        self.own.iter().chain(self.partitions.iter().flat_map(|partition| &partition.problems))
    }
}

/// Reads everything in a directory, several partitions at once.
///
/// # Errors
/// The directory is none of logs, or cannot be read.
pub(super) fn examine(
    directory: &Path,
    deep: bool,
    threads: Option<usize>,
    interrupt: &Interrupt,
) -> anyhow::Result<DirectoryReport> {
    let reading = || format!("cannot read {}", directory.display());
    let folders = partition_folders(directory).with_context(reading)?;
    let is_log_directory = MetaProperties::load(&OsFileSystem, directory).is_ok_and(|properties| properties.is_some());
    ensure!(
        is_log_directory || !folders.is_empty(),
        "{} holds no logs: name an entry of log.dirs, or the folder of a partition",
        directory.display()
    );
    let in_use = is_in_use(directory);
    let total = folders.iter().map(|folder| partition::bytes(folder)).sum::<io::Result<u64>>().with_context(reading)?;
    let progress = Progress::new("verify", total);
    let next = AtomicUsize::new(0);
    let found = Mutex::new(BTreeMap::new());
    let work = || {
        while let Some(folder) = folders.get(next.fetch_add(1, Ordering::Relaxed)) {
            if interrupt.is_asked() {
                break;
            }
            let task = partition::Task { folder, deep, in_use, progress: &progress };
            let report = task.run();
            found.lock().unwrap_or_else(PoisonError::into_inner).insert(folder.clone(), report);
        }
    };
    let processors = || thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads.unwrap_or_else(processors).clamp(1, folders.len().max(1)) {
            scope.spawn(work);
        }
    });
    drop(progress);
    let mut partitions = Vec::new();
    for (folder, report) in found.into_inner().unwrap_or_else(PoisonError::into_inner) {
        partitions.push(report.with_context(|| format!("cannot read {}", folder.display()))?);
    }
    let own = if is_log_directory { own_files(directory, &partitions, in_use) } else { Vec::new() };
    Ok(DirectoryReport { directory: directory.to_owned(), partitions, own })
}

/// The checkpoints of a log directory against its logs.
fn own_files(directory: &Path, partitions: &[PartitionReport], in_use: bool) -> Vec<Problem> {
    let mut problems = Vec::new();
    let ends: BTreeMap<&TopicPartition, i64> =
        partitions.iter().filter_map(|report| Some((report.partition.as_ref()?, report.log_end_offset))).collect();
    for name in [RECOVERY_POINT_CHECKPOINT, LOG_START_OFFSET_CHECKPOINT, HIGH_WATERMARK_CHECKPOINT] {
        let file = directory.join(name);
        let bytes = match OsFileSystem.read(&file) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => {
                problems.push(Problem { file, partition: None, text: error.to_string(), remedy: Remedy::None });
                continue;
            }
        };
        let offsets = match decode_offsets(&bytes) {
            Ok(offsets) => offsets,
            Err(error) => {
                problems.push(Problem { file, partition: None, text: error.to_string(), remedy: Remedy::Remove });
                continue;
            }
        };
        for (partition, offset) in offsets {
            let end = ends.get(&partition).copied().filter(|end| offset > *end && !in_use);
            if let Some(end) = end {
                let text = format!("{partition} has offset {offset}, but the log ends at {end}");
                let remedy = Remedy::Lower { offset: end };
                problems.push(Problem { file: file.clone(), partition: Some(partition), text, remedy });
            }
        }
    }
    problems.sort_by(|a, b| (&a.file, &a.text).cmp(&(&b.file, &b.text)));
    problems
}
