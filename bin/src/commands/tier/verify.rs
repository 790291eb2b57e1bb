//! `ottla tier verify`.

use std::sync::Arc;

use anyhow::{bail, ensure};
use clap::Args;
use protocol::ids::TopicPartition;
use serde_json::json;
use storage::remote_log::{
    CacheLimits, Contents, PartitionKeys, RemoteError, RemoteReader, RemoteSegment, StoredPartition,
};
use tokio::task::JoinSet;

use super::store::{Store, StoreArguments};
use crate::interrupt::Interrupt;
use crate::output::Output;
use crate::progress::Progress;

/// Segments that are read at the same time.
const AT_ONCE: usize = 8;
/// Pieces in which one is.
const CHUNK: u64 = 4 << 20;

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Only this topic.
    topic: Option<String>,
    /// Looks at names and sizes only, and downloads no segment.
    #[arg(long)]
    sizes_only: bool,
    /// One JSON object a finding and line, then one that sums up.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    store: StoreArguments,
}

/// What is wrong, or odd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// An object that a manifest names is not there.
    Missing,
    /// It is shorter or longer than it should be.
    Length,
    /// It has other bytes than were written.
    Damaged,
    /// It could not be read: nothing is known of it.
    Unreadable,
    /// Between two segments offsets are in neither.
    Gap,
    /// No manifest names it: what a failed copy left behind, or a copy under way. No damage.
    Unnamed,
}

#[derive(Debug)]
struct Finding {
    kind: Kind,
    partition: TopicPartition,
    text: String,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Length => "length",
            Self::Damaged => "damaged",
            Self::Unreadable => "unreadable",
            Self::Gap => "gap",
            Self::Unnamed => "unnamed",
        }
    }

    fn of(error: &RemoteError) -> Self {
        match error {
            error if error.is_not_found() => Self::Missing,
            RemoteError::Length { .. } => Self::Length,
            RemoteError::Corrupt { .. } | RemoteError::Manifest { .. } => Self::Damaged,
            _ => Self::Unreadable,
        }
    }
}

/// What was looked at.
#[derive(Default)]
struct Report {
    partitions: usize,
    segments: usize,
    bytes: u64,
    findings: Vec<Finding>,
}

impl Arguments {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let interrupt = Interrupt::listen()?;
        let store = self.store.open()?;
        let report = self.examine(&store, &interrupt)?;
        ensure!(!interrupt.is_asked(), "interrupted before everything was read");
        let mut output = Output::new();
        for Finding { kind, partition, text } in &report.findings {
            if self.json {
                output.json(&json!({ "topic": &*partition.topic, "partition": partition.partition, "kind": kind.name(), "text": text }))?;
            } else {
                output.line(format!("{:10}  {partition}: {text}", kind.name()))?;
            }
        }
        let damages = report.findings.iter().filter(|finding| finding.kind != Kind::Unnamed).count();
        let Report { partitions, segments, bytes, findings } = &report;
        let unnamed = findings.len() - damages;
        if self.json {
            output.json(&json!({
                "partitions": partitions, "segments": segments, "bytes": bytes, "problems": damages, "unnamed": unnamed,
            }))?;
        } else {
            let verdict = if damages == 0 { "no problem" } else { "damaged" };
            output.line(format!("{partitions} partitions, {segments} segments, {bytes} bytes: {verdict}"))?;
            if unnamed > 0 {
                output.line(format!("{unnamed} objects are named by no manifest: ottla tier gc removes old ones"))?;
            }
        }
        output.flush()?;
        if damages > 0 {
            bail!("{damages} problems found in {}", store.remote.name());
        }
        Ok(())
    }

    fn examine(&self, store: &Store, interrupt: &Interrupt) -> anyhow::Result<Report> {
        let mut report = Report::default();
        let mut segments = Vec::new();
        for topic in store.topics(self.topic.as_deref())? {
            for partition in topic.partitions {
                report.partitions += 1;
                match store.block_on(partition.contents(&store.remote)) {
                    Ok(contents) => segments.extend(report.list(&partition, &contents)),
                    Err(error) => report.add(&partition.name, &error),
                }
            }
        }
        report.segments = segments.len();
        report.bytes = segments.iter().map(|(_, _, segment)| segment.size() + segment.indexes_size()).sum();
        if !self.sizes_only {
            // What is missing or short is known without reading it.
            segments.retain(|(partition, keys, segment)| !report.has(partition, keys, segment));
            report.findings.extend(store.block_on(read_all(store, segments, interrupt)));
        }
        Ok(report)
    }
}

type Wanted = (TopicPartition, PartitionKeys, Arc<RemoteSegment>);

impl Report {
    fn add(&mut self, partition: &TopicPartition, error: &RemoteError) {
        self.findings.push(Finding { kind: Kind::of(error), partition: partition.clone(), text: error.to_string() });
    }

    /// Compares what a manifest names with what is there. Returns the segments that are to be read.
    fn list(&mut self, partition: &StoredPartition, contents: &Contents) -> Vec<Wanted> {
        let name = &partition.name;
        let mut find = |kind, text: String| self.findings.push(Finding { kind, partition: name.clone(), text });
        if contents.is_fallback() {
            find(Kind::Damaged, "the newest manifest; the one before it is whole and counts".to_owned());
        }
        let live = contents.view.live();
        for segment in live {
            for (key, expected) in partition.keys.sizes(segment) {
                match partition.objects.iter().find(|object| object.location == key) {
                    None => find(Kind::Missing, key.to_string()),
                    Some(object) if object.size != expected => {
                        find(Kind::Length, format!("{key} has {} bytes, not {expected}", object.size));
                    }
                    Some(_) => {}
                }
            }
        }
        for pair in live.windows(2) {
            if pair[0].end_offset < pair[1].base_offset {
                let last = pair[1].base_offset - 1;
                find(Kind::Gap, format!("no segment has the offsets {} to {last}", pair[0].end_offset));
            }
        }
        for object in partition.unnamed(contents, i64::MAX) {
            find(Kind::Unnamed, object.location.to_string());
        }
        live.iter().map(|segment| (name.clone(), partition.keys.clone(), Arc::clone(segment))).collect()
    }

    fn has(&self, partition: &TopicPartition, keys: &PartitionKeys, segment: &RemoteSegment) -> bool {
        let names = keys.objects(segment);
        let is_of = |finding: &&Finding| {
            finding.partition == *partition && names.iter().any(|name| finding.text.starts_with(name.as_ref()))
        };
        self.findings.iter().any(|finding| is_of(&finding))
    }
}

/// Reads every byte of the segments.
async fn read_all(store: &Store, segments: Vec<Wanted>, interrupt: &Interrupt) -> Vec<Finding> {
    let none = CacheLimits { bytes: 0, count: 0 };
    let reader = Arc::new(RemoteReader::new(Arc::clone(&store.remote), CHUNK, none, none));
    let total = segments.iter().map(|(_, _, segment)| segment.size()).sum();
    let progress = Arc::new(Progress::new("verify", total));
    let (mut waiting, mut running) = (segments.into_iter(), JoinSet::new());
    let mut findings = Vec::new();
    loop {
        while running.len() < AT_ONCE && !interrupt.is_asked() {
            let Some((partition, keys, segment)) = waiting.next() else { break };
            let (reader, progress) = (Arc::clone(&reader), Arc::clone(&progress));
            running.spawn(async move {
                let result = reader.verify(&keys, &segment).await;
                progress.add(segment.size());
                let finding =
                    |error: RemoteError| Finding { kind: Kind::of(&error), partition, text: error.to_string() };
                result.err().map(finding)
            });
        }
        match running.join_next().await {
            Some(done) => findings.extend(done.ok().flatten()),
            None => break,
        }
    }
    findings.sort_by(|a, b| (&a.partition, &a.text).cmp(&(&b.partition, &b.text)));
    findings
}
