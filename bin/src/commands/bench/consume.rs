//! `ottla bench consume`: how fast a topic is read.

use std::time::Instant;

use anyhow::Context;
use clap::Args;

use super::{Target, Volume};
use crate::client::{Consumer, Position};
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
    #[command(flatten)]
    target: Target,
    /// Ends after so many records, or a few more; without it at what is the end when it begins.
    #[arg(short = 'n', long)]
    records: Option<u64>,
    /// Reads only this partition. May be given many times.
    #[arg(short, long = "partition", value_name = "PARTITION")]
    partitions: Vec<i32>,
}

impl Arguments {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let interrupt = Interrupt::listen()?;
        let mut client = self.target.server.connect()?;
        let mut consumer = Consumer::open(&mut client, &self.target.topic, &self.partitions, Position::Beginning)
            .with_context(|| format!("cannot read {}", self.target.topic))?;
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
        if self.target.json {
            output.json(&volume.json())?;
        } else {
            output.line(volume.line("read"))?;
        }
        Ok(output.flush()?)
    }
}
