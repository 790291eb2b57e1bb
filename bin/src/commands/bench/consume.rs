//! `ottla bench consume`: how fast a topic is read.

use std::time::Instant;

use anyhow::Context;
use clap::Args;
use serde_json::json;

use super::Volume;
use crate::client::{Consumer, Position};
use crate::commands::Server;
use crate::interrupt::Interrupt;
use crate::output::Output;

/// Reads a topic from its beginning to its end and tells the rate.
///
/// Every record is decompressed, checked and counted, and nothing is printed. Ctrl-C ends it early.
///
/// Examples:
///   ottla bench consume load
///   ottla bench consume load -n 100000 --json
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    topic: String,
    /// Ends after so many records, or a few more; without it at what is the end when it begins.
    #[arg(short = 'n', long)]
    records: Option<u64>,
    /// Reads only this partition. May be given many times.
    #[arg(short, long = "partition", value_name = "PARTITION")]
    partitions: Vec<i32>,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

impl Arguments {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let interrupt = Interrupt::listen()?;
        let mut client = self.server.connect()?;
        let mut consumer = Consumer::open(&mut client, &self.topic, &self.partitions, Position::Beginning)
            .with_context(|| format!("cannot read {}", self.topic))?;
        let begun = Instant::now();
        let mut volume = Volume::default();
        while !interrupt.is_asked()
            && !consumer.has_caught_up()
            && self.records.is_none_or(|most| volume.records < most)
        {
            for (_, record) in consumer.poll()? {
                volume.records += 1;
                let size = |part: Option<&bytes::Bytes>| part.map_or(0, bytes::Bytes::len) as u64;
                volume.bytes += size(record.key.as_ref()) + size(record.value.as_ref());
            }
        }
        volume.elapsed = begun.elapsed();
        self.print(volume)
    }

    fn print(&self, volume: Volume) -> anyhow::Result<()> {
        let mut output = Output::new();
        let (records, rate, megabytes) = (volume.records, volume.records_per_second(), volume.megabytes_per_second());
        if self.json {
            output.json(&json!({
                "records": records, "bytes": volume.bytes, "seconds": volume.seconds(), "records_per_second": rate,
                "mebibytes_per_second": megabytes,
            }))?;
        } else {
            output.line(format_args!("{records} records read, {rate:.1} records/sec ({megabytes:.2} MB/sec)"))?;
        }
        Ok(output.flush()?)
    }
}
