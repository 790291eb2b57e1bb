//! `kafka-dump-log`: what stands in the files of logs. Source: `DumpLogSegments`.

use std::io::{Write, stderr};
use std::path::Path;

use storage::SegmentFile;
use storage::file_system::{FileSystem, OsFileSystem};
use storage::index::{Index, OffsetIndex, TimeIndex};

use super::options::{Options, Parsed};
use super::{Failure, begin};
use crate::commands::{Decoder, Detail, Dump, FileKind};

const OPTIONS: Options = Options {
    flags: &[
        "print-data-log",
        "deep-iteration",
        "skip-record-metadata",
        "index-sanity-check",
        "verify-index-only",
        CLUSTER_METADATA,
        OFFSETS,
        REMOTE_LOG,
        UNSUPPORTED[0],
        UNSUPPORTED[1],
        "help",
        "version",
    ],
    values: &["files", "max-bytes", "max-message-size"],
    optional: &[CLASSES[0], CLASSES[1]],
};

const CLUSTER_METADATA: &str = "cluster-metadata-decoder";
const OFFSETS: &str = "offsets-decoder";
const REMOTE_LOG: &str = "remote-log-metadata-decoder";
const UNSUPPORTED: [&str; 2] = ["transaction-log-decoder", "share-group-state-decoder"];
const CLASSES: [&str; 2] = ["value-decoder-class", "key-decoder-class"];
/// The decoder of text, which is the default, by either of its names.
const TEXT_DECODERS: [&str; 2] = ["org.apache.kafka.tools.api.StringDecoder", "kafka.serializer.StringDecoder"];
const USAGE: &str = "This tool helps to parse a log file and dump its contents to the console, useful for debugging a seemingly corrupt log segment.
kafka-dump-log --files FILE,FILE,…
  [--print-data-log | --deep-iteration] [--skip-record-metadata] [--max-bytes N]
  [--offsets-decoder | --cluster-metadata-decoder | --remote-log-metadata-decoder]
  [--index-sanity-check | --verify-index-only]
  [--help] [--version]";

pub(super) fn run(arguments: &[String]) -> Result<(), Failure> {
    if arguments.is_empty() {
        return Err(Failure::usage(USAGE.to_owned(), false));
    }
    let parsed = begin(&OPTIONS, arguments, USAGE)?;
    let Some(files) = parsed.value("files") else {
        return Err(Failure::usage(format!("Missing required argument \"[files]\"\n{USAGE}"), false));
    };
    let mut tool = Tool::new(&parsed)?;
    let done = files.split(',').try_for_each(|file| tool.file(file));
    tool.dump.output.flush()?;
    for complaint in &tool.complaints {
        let _ = writeln!(stderr(), "{complaint}");
    }
    done
}

struct Tool {
    dump: Dump,
    sanity_only: bool,
    verify_only: bool,
    /// What indexes say wrongly of their logs.
    complaints: Vec<String>,
}

impl Tool {
    fn new(parsed: &Parsed) -> Result<Self, Failure> {
        let decoder = decoder(parsed)?;
        let content =
            parsed.has("print-data-log") || decoder != Decoder::Text || CLASSES.iter().any(|it| parsed.has(it));
        let is_deep = content || parsed.has("deep-iteration");
        let detail = Detail { metadata: !parsed.has("skip-record-metadata"), content };
        let dump = Dump {
            records: is_deep.then_some(detail),
            decoder: Some(decoder),
            max_bytes: number(parsed, "max-bytes")?.unwrap_or(u64::MAX),
            ..Dump::new()
        };
        number(parsed, "max-message-size")?;
        let (sanity_only, verify_only) = (parsed.has("index-sanity-check"), parsed.has("verify-index-only"));
        Ok(Self { dump, sanity_only, verify_only, complaints: Vec::new() })
    }

    fn file(&mut self, name: &str) -> Result<(), Failure> {
        let path = Path::new(name);
        self.dump.output.line(format!("Dumping {name}"))?;
        let done = match FileKind::of(path) {
            Some(FileKind::OffsetIndex { base_offset }) => self.offset_index(path, base_offset),
            Some(FileKind::TimeIndex { base_offset }) => self.time_index(path, base_offset),
            Some(
                kind @ (FileKind::Log { .. }
                | FileKind::MetadataSnapshot
                | FileKind::ProducerSnapshot
                | FileKind::TxnIndex { .. }),
            ) => self.dump.content(kind, path),
            _ => {
                let _ = writeln!(stderr(), "Ignoring unknown file {name}");
                Ok(())
            }
        };
        done.map_err(|error| match error.downcast::<std::io::Error>() {
            Ok(error) if error.kind() == std::io::ErrorKind::BrokenPipe => error.into(),
            Ok(error) => Failure::error(format!("{name}: {error}")),
            Err(error) => Failure::error(format!("{name}: {error:#}")),
        })
    }

    fn offset_index(&mut self, path: &Path, base_offset: i64) -> anyhow::Result<()> {
        let bytes = OsFileSystem.read(path)?;
        if bytes.len() < OffsetIndex::ENTRY_SIZE {
            return Ok(self.dump.output.line(format!("{} is empty.", path.display()))?);
        }
        if self.sanity_only {
            let is_whole = bytes.len().is_multiple_of(OffsetIndex::ENTRY_SIZE);
            return self.say_sane(path, is_whole);
        }
        let entries: Vec<(i64, u64)> = entries::<OffsetIndex>(&bytes, |entry| entry.relative_offset)
            .map(|entry| (offset(base_offset, entry.relative_offset), u64::from(entry.position)))
            .collect();
        let wrong = wrong_offsets(&path.with_extension("log"), &entries)?;
        self.complain(
            format!("Mismatches in :{}", shown(path)),
            wrong.iter().map(|(index, log)| format!("  Index offset: {index}, log offset: {log}")),
        );
        if self.verify_only {
            return Ok(());
        }
        for (offset, position) in entries {
            self.dump.output.line(format!("offset: {offset} position: {position}"))?;
        }
        Ok(())
    }

    fn time_index(&mut self, path: &Path, base_offset: i64) -> anyhow::Result<()> {
        let bytes = OsFileSystem.read(path)?;
        if self.sanity_only {
            let is_whole = bytes.len().is_multiple_of(TimeIndex::ENTRY_SIZE);
            return self.say_sane(path, is_whole);
        }
        let entries: Vec<(i64, i64)> = entries::<TimeIndex>(&bytes, |entry| entry.relative_offset)
            .map(|entry| (entry.timestamp, offset(base_offset, entry.relative_offset)))
            .collect();
        let wrong = WrongTimes::find(&path.with_extension("log"), &entries)?;
        self.complain(format!("Found timestamp mismatch in :{}", shown(path)), wrong.mismatches.into_iter());
        self.complain(format!("Found out of order timestamp in :{}", shown(path)), wrong.out_of_order.into_iter());
        self.complain("The following indexed offsets are not found in the log.".to_owned(), wrong.missing.into_iter());
        if self.verify_only {
            return Ok(());
        }
        for (timestamp, offset) in entries {
            self.dump.output.line(format!("timestamp: {timestamp} offset: {offset}"))?;
        }
        Ok(())
    }

    /// The check that decides at a start whether an index is made again (`AbstractIndex.sanityCheck`).
    fn say_sane(&mut self, path: &Path, is_sane: bool) -> anyhow::Result<()> {
        anyhow::ensure!(is_sane, "the index is corrupt: its last entry is cut off");
        Ok(self.dump.output.line(format!("{} passed sanity check.", path.display()))?)
    }

    /// Keeps a title with its lines, if there are any.
    fn complain(&mut self, title: String, lines: impl Iterator<Item = String>) {
        let mut lines = lines.peekable();
        if lines.peek().is_some() {
            self.complaints.push(title);
            self.complaints.extend(lines);
        }
    }
}

/// The entries up to zeros at the end, which a file has that was made larger than needed.
fn entries<I: Index>(bytes: &[u8], relative_offset: impl Fn(&I::Entry) -> u32) -> impl Iterator<Item = I::Entry> {
    let all = bytes.chunks_exact(I::ENTRY_SIZE).map(I::decode).enumerate();
    all.take_while(move |(at, entry)| *at == 0 || relative_offset(entry) != 0).map(|(_, entry)| entry)
}

fn offset(base_offset: i64, relative: u32) -> i64 {
    base_offset.saturating_add(i64::from(relative))
}

/// As Java's `File.getAbsolutePath`.
fn shown(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}

fn decoder(parsed: &Parsed) -> Result<Decoder, Failure> {
    if let Some(option) = UNSUPPORTED.iter().find(|option| parsed.has(option)) {
        return Err(Failure::error(format!(
            "--{option} is not supported; use Apache Kafka's own tool for such records"
        )));
    }
    let class = CLASSES.iter().filter_map(|option| parsed.value(option)).find(|class| !TEXT_DECODERS.contains(class));
    if let Some(class) = class {
        return Err(Failure::error(format!(
            "cannot load {class}: decoders are Java classes, and only text is decoded"
        )));
    }
    Ok(if parsed.has(OFFSETS) {
        Decoder::Offsets
    } else if parsed.has(CLUSTER_METADATA) {
        Decoder::Metadata
    } else if parsed.has(REMOTE_LOG) {
        Decoder::RemoteLog
    } else {
        Decoder::Text
    })
}

/// A number, in joptsimple's words if it is none.
fn number(parsed: &Parsed, option: &str) -> Result<Option<u64>, Failure> {
    let Some(text) = parsed.value(option) else { return Ok(None) };
    let number = text.parse::<i32>().ok();
    let number = number.ok_or_else(|| Failure::error(format!("Cannot parse argument '{text}' of option {option}")))?;
    // As Java's slices: with Integer.MAX_VALUE there is no limit.
    Ok(Some(if number == i32::MAX { u64::MAX } else { u64::try_from(number).unwrap_or(0) }))
}

/// Entries of an offset index that are not the last offset of the batch at their position, and what is: -1 for no batch.
fn wrong_offsets(log: &Path, entries: &[(i64, u64)]) -> anyhow::Result<Vec<(i64, i64)>> {
    let mut file = SegmentFile::open(&OsFileSystem, log)?;
    let (mut left, mut wrong) = (entries, Vec::new());
    while let (Some((offset, position)), Some(Ok(batch))) = (left.first().copied(), file.next_batch()?) {
        let before = left.iter().take_while(|(_, position)| *position < batch.position).count();
        wrong.extend(left[..before].iter().map(|(offset, _)| (*offset, -1)));
        left = &left[before..];
        if before == 0 && position == batch.position {
            let last_offset = batch.header.last_offset();
            wrong.extend((last_offset != offset).then_some((offset, last_offset)));
            left = &left[1..];
        }
    }
    wrong.extend(left.iter().map(|(offset, _)| (*offset, -1)));
    Ok(wrong)
}

/// Entries of a time index that are not true, as lines (`TimeIndexDumpErrors`).
#[derive(Debug, Default)]
struct WrongTimes {
    mismatches: Vec<String>,
    out_of_order: Vec<String>,
    missing: Vec<String>,
}

impl WrongTimes {
    fn find(log: &Path, entries: &[(i64, i64)]) -> anyhow::Result<Self> {
        let mut wrong = Self::default();
        let mut file = SegmentFile::open(&OsFileSystem, log)?;
        let mut batch = file.next_batch()?;
        let mut before = -1;
        for (timestamp, offset) in entries.iter().copied() {
            while let Some(Ok(present)) = &batch
                && present.header.last_offset() < offset
            {
                batch = file.next_batch()?;
            }
            let found = batch.as_ref().and_then(|batch| batch.as_ref().ok()).map(|batch| &batch.header);
            match found {
                Some(header) if header.last_offset() == offset => {
                    if header.max_timestamp != timestamp {
                        let log_timestamp = header.max_timestamp;
                        let line = format!("  Index timestamp: {timestamp}, log timestamp: {log_timestamp}");
                        wrong.mismatches.push(line);
                    }
                    if before >= timestamp {
                        let line = format!("  Index timestamp: {timestamp}, Previously indexed timestamp: {before}");
                        wrong.out_of_order.push(line);
                    }
                }
                other => {
                    let found = other.map_or(-1, |header| header.last_offset());
                    wrong.missing.push(format!("Indexed offset: {offset}, found log offset: {found}"));
                }
            }
            before = timestamp;
        }
        Ok(wrong)
    }
}
