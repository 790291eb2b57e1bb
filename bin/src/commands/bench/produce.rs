//! `ottla bench produce`: records as fast as they are taken, or at a given rate.

use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use broker::clock::Clock;
use clap::Args;
use serde_json::json;

use super::latencies::{Latencies, Summary};
use super::{Target, Volume};
use crate::client::{Client, OutgoingRecord, Producer};
use crate::commands::produce::{AcksArgument, Compression};
use crate::interrupt::Interrupt;
use crate::output::Output;

/// Sends records of random letters and tells rate and latency.
///
/// Every connection sends one batch after the other and waits for each answer; the latency is that of a batch. Ctrl-C ends it early.
///
/// Examples:
///   ottla bench produce load                                     # a million records of 100 bytes over one connection
///   ottla bench produce load --connections 8 --batch 1           # small requests: latency
///   ottla bench produce load --rate 50000 --acks 1 -z lz4        # 50,000 records a second
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    #[command(flatten)]
    target: Target,
    /// How many records in all.
    #[arg(short = 'n', long, default_value_t = 1_000_000)]
    records: u64,
    /// Bytes of each record's value.
    #[arg(short, long, default_value_t = 100)]
    size: usize,
    /// Records of a batch; a batch of 256 KiB is sent whatever it holds.
    #[arg(long, default_value_t = u64::MAX, hide_default_value = true, value_parser = clap::value_parser!(u64).range(1..))]
    batch: u64,
    /// Connections that send at the same time.
    #[arg(short, long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1000))]
    connections: u64,
    /// Records a second, of all connections together. Without it: as many as are taken.
    #[arg(short, long, value_parser = clap::value_parser!(u64).range(1..))]
    rate: Option<u64>,
    #[arg(short = 'z', long, value_enum, default_value_t = Compression::None)]
    compression: Compression,
    /// When a record counts as sent.
    #[arg(long, value_enum, default_value_t = AcksArgument::All)]
    acks: AcksArgument,
}

impl Arguments {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let interrupt = Interrupt::listen()?;
        let begun = Instant::now();
        let results: Vec<anyhow::Result<(u64, Latencies)>> = std::thread::scope(|scope| {
            let sender = |number| {
                let interrupt = &interrupt;
                let arguments = &self;
                scope.spawn(move || arguments.send(number, begun, interrupt))
            };
            let senders: Vec<_> = (0..self.connections).map(sender).collect();
            let joined =
                senders.into_iter().map(|sender| sender.join().unwrap_or_else(|_| Err(anyhow!("it panicked"))));
            joined.collect()
        });
        let elapsed = begun.elapsed();
        let (mut records, mut latencies) = (0, Latencies::default());
        for result in results {
            let (sent, of_connection) = result.with_context(|| format!("cannot write to {}", self.target.topic))?;
            records += sent;
            latencies.merge(of_connection);
        }
        let bytes = records * self.size as u64;
        self.print(Volume { records, bytes, elapsed }, latencies.summary())
    }

    /// One connection's part: how many of its records were taken, and how long each batch took.
    fn send(&self, number: u64, begun: Instant, interrupt: &Interrupt) -> anyhow::Result<(u64, Latencies)> {
        let mut client: Client = self.target.server.connect()?;
        let mut producer = Producer::open(&mut client, &self.target.topic, self.acks.acks(), self.compression.codec())?;
        let mut latencies = Latencies::default();
        let mut letters = Letters::new(number, self.size);
        let share = share_of(self.records, self.connections, number);
        let (mut sent, mut in_batch) = (0, 0);
        while sent + in_batch < share && !interrupt.is_asked() {
            self.pace((sent + in_batch) * self.connections, begun);
            let value = Some(letters.next_value());
            let record = OutgoingRecord { value, timestamp_ms: Clock::default().now_ms(), ..OutgoingRecord::default() };
            let started = Instant::now();
            let full = producer.append(&record)?.is_some();
            in_batch += 1;
            if !full && in_batch < self.batch && sent + in_batch < share {
                continue;
            }
            producer.flush()?;
            latencies.note(started.elapsed());
            (sent, in_batch) = (sent + in_batch, 0);
        }
        producer.flush()?;
        Ok((sent + in_batch, latencies))
    }

    /// Waits until it is the turn of the record after so many.
    fn pace(&self, records: u64, begun: Instant) {
        let Some(rate) = self.rate else { return };
        let due = begun + Duration::from_secs_f64(records as f64 / rate as f64);
        loop {
            let rest = due.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                return;
            }
            std::thread::park_timeout(rest);
        }
    }

    fn print(&self, volume: Volume, latency: Summary) -> anyhow::Result<()> {
        let mut output = Output::new();
        let Summary { average_ms, max_ms, p50_ms, p95_ms, p99_ms, p999_ms } = latency;
        if self.target.json {
            let mut document = volume.json();
            document["latency_ms"] = json!({
                "average": average_ms, "max": max_ms, "p50": p50_ms, "p95": p95_ms, "p99": p99_ms, "p999": p999_ms,
            });
            output.json(&document)?;
        } else {
            output.line(format_args!(
                "{}, {average_ms:.2} ms avg latency, {max_ms:.2} ms max latency, {p50_ms:.2} ms 50th, {p95_ms:.2} ms 95th, \
                 {p99_ms:.2} ms 99th, {p999_ms:.2} ms 99.9th.",
                volume.line("sent")
            ))?;
        }
        Ok(output.flush()?)
    }
}

/// The part of `total` that falls to one of `parts`.
fn share_of(total: u64, parts: u64, number: u64) -> u64 {
    total / parts + u64::from(number < total % parts)
}

/// Values of random capital letters, as Kafka's tool sends them.
struct Letters {
    state: u64,
    size: usize,
}

impl Letters {
    fn new(seed: u64, size: usize) -> Self {
        Self { state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1, size }
    }

    /// xorshift64: eight letters a step.
    fn next_value(&mut self) -> Vec<u8> {
        let mut value = Vec::with_capacity(self.size + 8);
        while value.len() < self.size {
            self.state ^= self.state << 13;
            self.state ^= self.state >> 7;
            self.state ^= self.state << 17;
            value.extend(self.state.to_le_bytes().map(|byte| b'A' + byte % 26));
        }
        value.truncate(self.size);
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_falls_to_one_connection() {
        for (total, parts) in [(10, 3), (2, 5), (0, 1), (1_000_000, 7)] {
            assert_eq!((0..parts).map(|number| share_of(total, parts, number)).sum::<u64>(), total);
        }
    }

    #[test]
    fn values_are_letters_of_the_given_size_and_differ() {
        let mut letters = Letters::new(0, 13);
        let (first, second) = (letters.next_value(), letters.next_value());
        assert_eq!((first.len(), second.len()), (13, 13));
        assert!(first.iter().all(u8::is_ascii_uppercase) && first != second);
        assert!(Letters::new(1, 0).next_value().is_empty());
    }
}
