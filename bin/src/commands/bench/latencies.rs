//! How long answers took.

use std::time::Duration;

/// The times of many answers.
#[derive(Clone, Debug, Default)]
pub(super) struct Latencies {
    microseconds: Vec<u32>,
}

impl Latencies {
    pub(super) fn note(&mut self, latency: Duration) {
        self.microseconds.push(u32::try_from(latency.as_micros()).unwrap_or(u32::MAX));
    }

    /// Adds those of another connection.
    pub(super) fn merge(&mut self, other: Self) {
        self.microseconds.extend(other.microseconds);
    }

    /// The summary; all zero where there was no answer.
    pub(super) fn summary(mut self) -> Summary {
        self.microseconds.sort_unstable();
        let sorted = &self.microseconds;
        let sum: u64 = sorted.iter().copied().map(u64::from).sum();
        let at = |per_mille: usize| {
            let rank = (sorted.len() * per_mille).div_ceil(1000).saturating_sub(1);
            milliseconds(sorted.get(rank).copied().unwrap_or(0))
        };
        Summary {
            average_ms: sum as f64 / sorted.len().max(1) as f64 / 1000.0,
            max_ms: at(1000),
            p50_ms: at(500),
            p95_ms: at(950),
            p99_ms: at(990),
            p999_ms: at(999),
        }
    }
}

fn milliseconds(microseconds: u32) -> f64 {
    f64::from(microseconds) / 1000.0
}

/// What is told of many times, in ms.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Summary {
    pub(super) average_ms: f64,
    pub(super) max_ms: f64,
    pub(super) p50_ms: f64,
    pub(super) p95_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) p999_ms: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_times_that_were_measured() {
        let mut latencies = Latencies::default();
        (1..=1000).rev().for_each(|ms| latencies.note(Duration::from_millis(ms)));
        let expected =
            Summary { average_ms: 500.5, max_ms: 1000.0, p50_ms: 500.0, p95_ms: 950.0, p99_ms: 990.0, p999_ms: 999.0 };
        assert_eq!(latencies.summary(), expected);
        let mut one = Latencies::default();
        one.note(Duration::from_micros(1500));
        assert_eq!(one.summary().p50_ms, 1.5);
        assert_eq!(Latencies::default().summary().max_ms, 0.0);
    }
}
