//! `ottla bench`: load for a cluster, and how much of it was taken.

mod consume;
mod latencies;
mod produce;

use std::time::Duration;

use clap::Subcommand;

/// Puts load on a cluster and says how much of it was taken, as kafka-producer-perf-test and kafka-consumer-perf-test do.
///
/// It shows what one client machine gets: the load generator needs processor time too, which a broker on the same machine lacks.
#[derive(Debug, Subcommand)]
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
