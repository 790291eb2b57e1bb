//! `ottla log repair`: what recovery would do, done now, after a look at what it costs.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use protocol::ids::TopicPartition;
use serde_json::json;
use storage::checkpoint::{HIGH_WATERMARK_CHECKPOINT, RECOVERY_POINT_CHECKPOINT, decode_offsets, write_offsets};
use storage::file_system::{FileSystem, LockGuard, OpenMode, OsFileSystem};
use storage::log_dir::CLEAN_SHUTDOWN;

use super::files::{FileKind, files, is_in_use};
use super::partition::{PartitionReport, Remedy};
use super::verify::{DirectoryReport, examine};
use crate::interrupt::Interrupt;
use crate::output::Output;

/// Makes the files of logs whole again, as a broker's recovery does: cuts a log where its damage begins, takes away what a broker
/// makes again by itself, and has the next start recover the rest.
///
/// Without --apply it only says what it would do, and what would be lost. Refuses a directory that a broker uses.
///
/// Examples:
///   ottla log repair data               # what would be done
///   ottla log repair data --apply
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    /// Log directories.
    #[arg(required = true, value_name = "DIRECTORY")]
    directories: Vec<PathBuf>,
    /// Does it.
    #[arg(long)]
    apply: bool,
    /// Looks at every record too.
    #[arg(long)]
    deep: bool,
    /// One JSON object a step and line.
    #[arg(long)]
    json: bool,
}

impl Arguments {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let interrupt = Interrupt::listen()?;
        let mut output = Output::new();
        let (mut steps, mut helpless) = (0, 0);
        for directory in &self.directories {
            let _lock = self.lock(directory)?;
            let report = examine(directory, self.deep, None, &interrupt)?;
            if interrupt.is_asked() {
                bail!("interrupted; nothing was changed in {}", directory.display());
            }
            let plan = Plan::make(&report)?;
            for step in &plan.steps {
                self.tell(&mut output, step)?;
            }
            for problem in report.problems().filter(|problem| problem.remedy == Remedy::None) {
                helpless += 1;
                output.line(format!("cannot repair {}: {}", problem.file.display(), problem.text))?;
            }
            steps += plan.steps.len();
            if self.apply {
                plan.apply().with_context(|| format!("{} is repaired in part only", directory.display()))?;
            }
        }
        let summary = match (steps, self.apply) {
            (0, _) => "nothing to do".to_owned(),
            (steps, true) => format!("{steps} steps done"),
            (steps, false) => format!("{steps} steps to do; --apply does them"),
        };
        if !self.json {
            output.line(summary)?;
        }
        output.flush()?;
        if helpless > 0 {
            bail!("{helpless} problems are beyond repair; restore these files from a copy or a replica");
        }
        Ok(())
    }

    /// Holds the directory while it is changed.
    fn lock(&self, directory: &Path) -> anyhow::Result<Option<LockGuard>> {
        if is_in_use(directory) {
            bail!("a broker uses {}: stop it first", directory.display());
        }
        if !self.apply {
            return Ok(None);
        }
        let lock = OsFileSystem.lock(&directory.join(".lock"));
        Ok(Some(lock.with_context(|| format!("cannot lock {}", directory.display()))?))
    }

    fn tell(&self, output: &mut Output, step: &Step) -> io::Result<()> {
        if self.json {
            return output.json(&json!({ "step": step.to_string(), "applied": self.apply }));
        }
        output.line(step)
    }
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// A segment ends where the damage begins.
    Cut { file: PathBuf, position: u64, dropped_bytes: u64, offset: i64 },
    /// A segment behind the damage goes, with its indexes.
    RemoveSegment { file: PathBuf },
    /// A file that a broker makes again goes.
    Remove { file: PathBuf },
    /// A checkpoint says no more than this offset of a partition.
    Lower { file: PathBuf, partition: TopicPartition, offset: i64 },
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cut { file, position, dropped_bytes, offset } => write!(
                f,
                "cut {} at position {position}: {dropped_bytes} bytes go, offset {offset} and all after it",
                file.display()
            ),
            Self::RemoveSegment { file } => write!(f, "remove {}: it lies behind the damage", file.display()),
            Self::Remove { file } => write!(f, "remove {}: a broker makes it again", file.display()),
            Self::Lower { file, partition, offset } => {
                write!(f, "lower the offset of {partition} in {} to {offset}, if it is higher", file.display())
            }
        }
    }
}

impl Step {
    fn file(&self) -> &Path {
        match self {
            Self::Cut { file, .. }
            | Self::RemoveSegment { file }
            | Self::Remove { file }
            | Self::Lower { file, .. } => file,
        }
    }
}

/// Everything to do in one log directory.
struct Plan {
    directory: PathBuf,
    steps: Vec<Step>,
}

impl Plan {
    fn make(report: &DirectoryReport) -> io::Result<Self> {
        let mut steps = Vec::new();
        for partition in &report.partitions {
            of_partition(partition, &mut steps)?;
        }
        for problem in &report.own {
            let file = problem.file.clone();
            match (problem.remedy, &problem.partition) {
                (Remedy::Remove, _) => steps.push(Step::Remove { file }),
                (Remedy::Lower { offset }, Some(partition)) => {
                    steps.push(Step::Lower { file, partition: partition.clone(), offset });
                }
                _ => {}
            }
        }
        for partition in report.partitions.iter().filter(|partition| partition.needs_repair()) {
            let Some(name) = &partition.partition else { continue };
            let cut = partition.cut().map(|(_, _, offset)| offset);
            let lower = |file: &str, offset| {
                let file = report.directory.join(file);
                Step::Lower { file, partition: name.clone(), offset }
            };
            // What stands below the cut was read and is whole; where only an index was wrong, all is read again.
            steps.push(lower(RECOVERY_POINT_CHECKPOINT, cut.unwrap_or(0)));
            steps.extend(cut.map(|offset| lower(HIGH_WATERMARK_CHECKPOINT, offset)));
        }
        Ok(Self { directory: report.directory.clone(), steps })
    }

    /// The promise of a clean stop goes first: whatever happens in between, the next start looks for itself.
    fn apply(&self) -> anyhow::Result<()> {
        if self.steps.is_empty() {
            return Ok(());
        }
        remove(&self.directory.join(CLEAN_SHUTDOWN))?;
        OsFileSystem.sync_dir(&self.directory)?;
        for step in &self.steps {
            match step {
                Step::Cut { file, position, .. } => {
                    let file = OsFileSystem.open(file, OpenMode::ReadWrite)?;
                    file.truncate(*position)?;
                    file.sync_data()?;
                }
                Step::RemoveSegment { file } => {
                    for suffix in ["log", "index", "timeindex", "txnindex"] {
                        remove(&file.with_extension(suffix))?;
                    }
                }
                Step::Remove { file } => remove(file)?,
                Step::Lower { file, partition, offset } => lower(file, partition, *offset)?,
            }
        }
        let folders = self.steps.iter().filter_map(|step| step.file().parent());
        for folder in folders.collect::<BTreeSet<_>>() {
            OsFileSystem.sync_dir(folder)?;
        }
        Ok(())
    }
}

/// Lowers what a checkpoint says of a partition. A file that is absent, damaged or silent about it says less already.
fn lower(file: &Path, partition: &TopicPartition, offset: i64) -> io::Result<()> {
    let bytes = match OsFileSystem.read(file) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let Ok(mut offsets) = decode_offsets(&bytes) else { return Ok(()) };
    match offsets.get_mut(partition) {
        Some(stored) if *stored > offset => *stored = offset,
        _ => return Ok(()),
    }
    write_offsets(&OsFileSystem, file, &offsets)
}

/// Later segments first, so that an interruption leaves no hole.
fn of_partition(report: &PartitionReport, steps: &mut Vec<Step>) -> io::Result<()> {
    if let Some((file, position, offset)) = report.cut() {
        let mut later: Vec<PathBuf> = files(&report.folder)?;
        later.retain(|path| path > file && matches!(FileKind::of(path), Some(FileKind::Log { .. })));
        steps.extend(later.into_iter().rev().map(|file| Step::RemoveSegment { file }));
        let size = OsFileSystem.metadata(file)?.size;
        let dropped_bytes = size.saturating_sub(position);
        steps.push(Step::Cut { file: file.to_owned(), position, dropped_bytes, offset });
    }
    let removed = report.problems.iter().filter(|problem| problem.remedy == Remedy::Remove);
    steps.extend(removed.map(|problem| Step::Remove { file: problem.file.clone() }));
    Ok(())
}

fn remove(path: &Path) -> io::Result<()> {
    match OsFileSystem.remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
