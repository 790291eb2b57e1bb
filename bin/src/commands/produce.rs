//! `ottla produce`: lines of standard input or a file as records.

use std::fs::File;
use std::io::{BufRead, BufReader, IsTerminal, Read, Write, stderr, stdin};
use std::path::PathBuf;

use anyhow::{Context, ensure};
use broker::clock::Clock;
use clap::{Args, ValueEnum};
use protocol::record_batch;
use serde_json::{Value, json};

use super::{Server, json, key_value};
use crate::client::{Acknowledged, Acks, OutgoingRecord, Producer};
use crate::output::Output;
use crate::progress::Progress;

/// What is read at once: a batch or more.
const INPUT_BUFFER: usize = 512 << 10;

/// Sends records to a topic: one for each line of standard input, or of a file.
///
/// Records with the same key go to the same partition, the one that Java's clients choose. With acks=all (the default) each
/// record is stored once, even if a connection breaks in between.
///
/// Examples:
///   echo 'hello, world' | ottla produce hello
///   ottla produce users --key-separator : < users.txt            # lines like alice:{"age":7}
///   ottla produce orders --file orders.jsonl --json              # lines like {"key":"a","value":"b","headers":{"h":"1"}}
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    /// Where to.
    topic: String,
    /// Reads this file instead of standard input.
    #[arg(short, long)]
    file: Option<PathBuf>,
    /// What stands between key and value in a line; a line without it has no key.
    #[arg(short, long, value_name = "TEXT", conflicts_with = "json")]
    key_separator: Option<String>,
    /// Each line is a JSON object with any of key, value, headers, partition, timestamp (in ms). Bytes that are no text stand as
    /// {"base64": "..."}.
    #[arg(long)]
    json: bool,
    /// A header of every record. May be given many times.
    #[arg(short = 'H', long = "header", value_name = "KEY=VALUE", value_parser = key_value)]
    headers: Vec<(String, String)>,
    /// Sends everything to this partition.
    #[arg(short, long)]
    partition: Option<i32>,
    /// How batches are compressed.
    #[arg(short = 'z', long, value_enum, default_value_t = Compression::None)]
    compression: Compression,
    /// When a record counts as sent.
    #[arg(long, value_enum, default_value_t = AcksArgument::All)]
    acks: AcksArgument,
    /// Prints one JSON object for each batch that was stored: partition, base_offset, records.
    #[arg(long)]
    report: bool,
    #[command(flatten)]
    server: Server,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Compression {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

impl Compression {
    pub(super) fn codec(self) -> record_batch::Codec {
        match self {
            Self::None => record_batch::Codec::None,
            Self::Gzip => record_batch::Codec::Gzip,
            Self::Snappy => record_batch::Codec::Snappy,
            Self::Lz4 => record_batch::Codec::Lz4,
            Self::Zstd => record_batch::Codec::Zstd,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum AcksArgument {
    /// As durably as the topic promises.
    All,
    /// The leader has it.
    #[value(name = "1")]
    Leader,
    /// At once; losses stay unseen.
    #[value(name = "0")]
    None,
}

impl AcksArgument {
    pub(super) fn acks(self) -> Acks {
        match self {
            Self::All => Acks::All,
            Self::Leader => Acks::Leader,
            Self::None => Acks::None,
        }
    }
}

impl Arguments {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let mut client = self.server.connect()?;
        let producer = Producer::open(&mut client, &self.topic, self.acks.acks(), self.compression.codec())
            .with_context(|| format!("cannot write to {} (create it: ottla topic create {0})", self.topic))?;
        match &self.file {
            Some(path) => {
                let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
                let size = file.metadata().map_or(0, |metadata| metadata.len());
                self.send(producer, file, Some(Progress::new("produce", size)))
            }
            None => {
                if stdin().is_terminal() {
                    let _ = writeln!(stderr(), "one record a line; Ctrl-D ends");
                }
                self.send(producer, stdin().lock(), None)
            }
        }
    }

    /// What has been read is sent before more is waited for, so that a line typed is a record sent.
    fn send(&self, mut producer: Producer<'_>, input: impl Read, progress: Option<Progress>) -> anyhow::Result<()> {
        let mut input = BufReader::with_capacity(INPUT_BUFFER, input);
        let mut sent = Sent { output: Output::new(), report: self.report, records: 0 };
        let mut line = Vec::new();
        let mut number = 0u64;
        loop {
            line.clear();
            let size = input.read_until(b'\n', &mut line).context("cannot read the input")?;
            if size == 0 {
                break;
            }
            number += 1;
            if let Some(progress) = &progress {
                progress.add(size as u64);
            }
            let record = self.record(without_line_end(&line)).with_context(|| format!("line {number}"))?;
            sent.note(producer.append(&record).with_context(|| format!("line {number}"))?)?;
            if input.buffer().is_empty() {
                sent.note(producer.flush()?)?;
            }
        }
        sent.note(producer.flush()?)?;
        drop(progress);
        if stderr().is_terminal() {
            let _ = writeln!(stderr(), "{} records sent to {}", sent.records, self.topic);
        }
        Ok(())
    }

    fn record(&self, line: &[u8]) -> anyhow::Result<OutgoingRecord> {
        let mut record = if self.json {
            from_json(line)?
        } else {
            let (key, value) = split(line, self.key_separator.as_deref().unwrap_or_default().as_bytes());
            OutgoingRecord { key: key.map(<[u8]>::to_vec), value: Some(value.to_vec()), ..OutgoingRecord::default() }
        };
        if record.timestamp_ms == 0 {
            record.timestamp_ms = Clock::default().now_ms();
        }
        record.partition = record.partition.or(self.partition);
        let headers = self.headers.iter().map(|(key, value)| (key.clone(), Some(value.clone().into_bytes())));
        record.headers.extend(headers);
        Ok(record)
    }
}

/// What was sent so far, and whom to tell.
struct Sent {
    output: Output,
    report: bool,
    records: u64,
}

impl Sent {
    fn note(&mut self, batches: impl IntoIterator<Item = Acknowledged>) -> anyhow::Result<()> {
        for Acknowledged { partition, base_offset, records } in batches {
            self.records += u64::try_from(records).unwrap_or(0);
            if self.report {
                self.output.json(&json!({ "partition": partition, "base_offset": base_offset, "records": records }))?;
            }
        }
        Ok(self.output.flush()?)
    }
}

fn without_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Key and value at the first separator; an empty separator never separates.
fn split<'a>(line: &'a [u8], separator: &[u8]) -> (Option<&'a [u8]>, &'a [u8]) {
    if separator.is_empty() {
        return (None, line);
    }
    match line.windows(separator.len()).position(|window| window == separator) {
        Some(at) => (Some(&line[..at]), &line[at + separator.len()..]),
        None => (None, line),
    }
}

fn from_json(line: &[u8]) -> anyhow::Result<OutgoingRecord> {
    let value: Value = serde_json::from_slice(line).context("not JSON")?;
    let fields = value.as_object().context("not a JSON object")?;
    let mut record = OutgoingRecord::default();
    for (name, value) in fields {
        match name.as_str() {
            "key" => record.key = json::to_bytes(value)?,
            "value" => record.value = json::to_bytes(value)?,
            "headers" => {
                for (key, value) in value.as_object().context("headers must be an object")? {
                    record.headers.push((key.clone(), json::to_bytes(value)?));
                }
            }
            "partition" => {
                record.partition = Some(i32::try_from(value.as_i64().context("partition must be a number")?)?)
            }
            "timestamp" => record.timestamp_ms = value.as_i64().context("timestamp must be milliseconds")?,
            // What `ottla consume --json` prints can be fed back.
            "topic" | "offset" => {}
            other => ensure!(false, "unknown field {other}: it must be key, value, headers, partition or timestamp"),
        }
    }
    Ok(record)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_taken_apart_at_the_first_separator() {
        assert_eq!(split(b"a::b::c", b"::"), (Some(&b"a"[..]), &b"b::c"[..]));
        assert_eq!(split(b"abc", b":"), (None, &b"abc"[..]));
        assert_eq!(split(b"a:b", b""), (None, &b"a:b"[..]));
        assert_eq!(without_line_end(b"text\r\n"), b"text");
    }

    #[test]
    fn json_lines_say_everything_about_a_record() {
        let line =
            br#"{"key":null,"value":{"base64":"gA=="},"headers":{"a":"1","b":null},"partition":2,"timestamp":5}"#;
        let record = from_json(line).unwrap();
        let headers = vec![("a".to_owned(), Some(b"1".to_vec())), ("b".to_owned(), None)];
        let expected =
            OutgoingRecord { key: None, value: Some(vec![0x80]), headers, partition: Some(2), timestamp_ms: 5 };
        assert_eq!(record, expected);
        assert!(from_json(b"{\"valeu\":1}").unwrap_err().to_string().contains("unknown field valeu"));
        assert!(from_json(b"[]").is_err());
    }
}
