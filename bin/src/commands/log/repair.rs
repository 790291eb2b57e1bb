//! `ottla log repair`: what recovery would do, done now, after a look at what it costs.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use protocol::ids::TopicPartition;
use serde_json::json;
use storage::checkpoint::{RECOVERY_POINT_CHECKPOINT, decode_offsets, write_offsets};
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
    /// The next start reads the log through from here.
    Recover { partition: TopicPartition, from: i64 },
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
            Self::Recover { partition, from } => write!(f, "recover {partition} from offset {from} at the next start"),
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
        for problem in report.own.iter().filter(|problem| problem.remedy == Remedy::Remove) {
            steps.push(Step::Remove { file: problem.file.clone() });
        }
        let damaged = report
            .partitions
            .iter()
            .filter(|partition| partition.problems.iter().any(|problem| problem.remedy != Remedy::None));
        for partition in damaged {
            let cut = partition.problems.iter().find_map(|problem| match problem.remedy {
                Remedy::Cut { offset, .. } => Some(offset),
                _ => None,
            });
            if let Some(name) = &partition.partition {
                steps.push(Step::Recover { partition: name.clone(), from: cut.unwrap_or(0) });
            }
        }
        let needs_recovery = report.own.iter().any(|problem| problem.remedy == Remedy::Recover);
        if needs_recovery && steps.is_empty() {
            for partition in report.partitions.iter().filter_map(|partition| partition.partition.clone()) {
                steps.push(Step::Recover { partition, from: 0 });
            }
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
        self.lower_recovery_points()?;
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
                Step::Recover { .. } => {}
            }
        }
        let folders = self.steps.iter().filter_map(|step| match step {
            Step::Cut { file, .. } | Step::RemoveSegment { file } | Step::Remove { file } => file.parent(),
            Step::Recover { .. } => None,
        });
        for folder in folders.collect::<std::collections::BTreeSet<_>>() {
            OsFileSystem.sync_dir(folder)?;
        }
        Ok(())
    }

    fn lower_recovery_points(&self) -> anyhow::Result<()> {
        let path = self.directory.join(RECOVERY_POINT_CHECKPOINT);
        let stored = match OsFileSystem.read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        // A damaged one counts as absent: everything is recovered.
        let mut offsets = decode_offsets(&stored).unwrap_or_default();
        let recovers: BTreeMap<_, _> = self
            .steps
            .iter()
            .filter_map(|step| match step {
                Step::Recover { partition, from } => Some((partition, *from)),
                _ => None,
            })
            .collect();
        for (partition, offset) in &mut offsets {
            if let Some(from) = recovers.get(partition) {
                *offset = (*offset).min(*from);
            }
        }
        Ok(write_offsets(&OsFileSystem, &path, &offsets)?)
    }
}

/// Later segments first, so that an interruption leaves no hole.
fn of_partition(report: &PartitionReport, steps: &mut Vec<Step>) -> io::Result<()> {
    let cut = report.problems.iter().find_map(|problem| match problem.remedy {
        Remedy::Cut { position, offset } => Some((&problem.file, position, offset)),
        _ => None,
    });
    if let Some((file, position, offset)) = cut {
        let mut later: Vec<PathBuf> = files(&report.folder)?;
        later.retain(|path| path > file && matches!(FileKind::of(path), Some(FileKind::Log { .. })));
        steps.extend(later.into_iter().rev().map(|file| Step::RemoveSegment { file }));
        let size = OsFileSystem.metadata(file)?.size;
        let dropped_bytes = size.saturating_sub(position);
        steps.push(Step::Cut { file: file.clone(), position, dropped_bytes, offset });
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
