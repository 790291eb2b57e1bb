//! `ottla bench`: load for a cluster, and how much of it was taken.

mod consume;
mod latencies;
mod produce;

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::commands::Server;

/// Puts load on a cluster and says how much of it was taken, as kafka-producer-perf-test and kafka-consumer-perf-test do.
///
/// It shows what one client machine gets: the load generator needs processor time too, which a broker on the same machine lacks.
///
/// Examples:
///   ottla bench produce load -n 1000000
///   ottla bench consume load
#[derive(Debug, Subcommand)]
#[command(verbatim_doc_comment)]
pub(crate) enum Command {
    Produce(produce::Arguments),
    Consume(consume::Arguments),
}

impl Command {
    pub(super) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Produce(arguments) => arguments.run(),
            Self::Consume(arguments) => arguments.run(),
        }
    }
}

/// What both are told.
#[derive(Args, Debug)]
struct Target {
    /// Which topic.
    topic: String,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

/// What went through in which time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Volume {
    records: u64,
    /// Of keys and values, before compression.
    bytes: u64,
    elapsed: Duration,
}

impl Volume {
    fn records_per_second(&self) -> f64 {
        self.records as f64 / self.seconds()
    }

    /// In MiB, as Kafka's tools count.
    fn megabytes_per_second(&self) -> f64 {
        self.bytes as f64 / f64::from(1 << 20) / self.seconds()
    }

    /// As a line, with what was done with the records.
    fn line(&self, done: &str) -> String {
        let (rate, megabytes) = (self.records_per_second(), self.megabytes_per_second());
        format!("{} records {done}, {rate:.1} records/sec ({megabytes:.2} MB/sec)", self.records)
    }

    fn json(&self) -> Value {
        json!({
            "records": self.records,
            "bytes": self.bytes,
            "seconds": self.seconds(),
            "records_per_second": self.records_per_second(),
            "mebibytes_per_second": self.megabytes_per_second(),
        })
    }

    /// Never zero, so that a rate is a number.
    fn seconds(&self) -> f64 {
        self.elapsed.as_secs_f64().max(1e-9)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_of_the_whole_time_and_always_numbers() {
        let volume = Volume { records: 500, bytes: 1 << 20, elapsed: Duration::from_millis(250) };
        assert_eq!((volume.records_per_second(), volume.megabytes_per_second()), (2000.0, 4.0));
        assert!(Volume { records: 1, ..Volume::default() }.records_per_second().is_finite());
    }
}
