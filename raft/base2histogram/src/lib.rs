//! A histogram by powers of two, with the interface that openraft uses of the crate `base2histogram`.
//!
//! openraft counts batch sizes for a statistic that nothing here reads. The published crate computes look-up tables for
//! sixteen precisions when the first histogram is made, 25 MiB of them, more than all of an idle broker. This one has a
//! counter for each power of two. `Cargo.toml` at the root puts it in that crate's place; once the published one makes only
//! the table that it needs, this folder and that line can go.

use std::fmt;
use std::marker::PhantomData;

const BUCKETS: usize = 65;

/// Counts values by the number of their bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram<T = ()> {
    counts: [u64; BUCKETS],
    of: PhantomData<T>,
}

impl<T> Histogram<T> {
    pub fn new() -> Self {
        Self { counts: [0; BUCKETS], of: PhantomData }
    }

    pub fn record(&mut self, value: u64) {
        self.record_n(value, 1);
    }

    /// Records `value` so many times.
    pub fn record_n(&mut self, value: u64, times: u64) {
        let bits = (u64::BITS - value.leading_zeros()) as usize;
        self.counts[bits] += times;
    }

    /// Values recorded.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The least value of the bucket that holds the given share (0 to 1) of the values.
    pub fn percentile(&self, share: f64) -> u64 {
        let wanted = (self.total() as f64 * share).ceil() as u64;
        let mut seen = 0;
        for (bits, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted && seen > 0 {
                return if bits == 0 { 0 } else { 1 << (bits - 1) };
            }
        }
        0
    }

    pub fn percentile_stats(&self) -> PercentileStats {
        PercentileStats {
            samples: self.total(),
            p0_1: self.percentile(0.001),
            p1: self.percentile(0.01),
            p5: self.percentile(0.05),
            p10: self.percentile(0.1),
            p50: self.percentile(0.5),
            p90: self.percentile(0.9),
            p99: self.percentile(0.99),
            p99_9: self.percentile(0.999),
        }
    }
}

impl<T> Default for Histogram<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// Where the shares of the values lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PercentileStats {
    pub samples: u64,
    pub p0_1: u64,
    pub p1: u64,
    pub p5: u64,
    pub p10: u64,
    pub p50: u64,
    pub p90: u64,
    pub p99: u64,
    pub p99_9: u64,
}

impl fmt::Display for PercentileStats {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "samples: {}, p50: {}, p90: {}, p99: {}", self.samples, self.p50, self.p90, self.p99)
    }
}

/// Histograms under their names, a line each.
#[derive(Clone, Debug, Default)]
pub struct AsciiChart {
    lines: Vec<(String, PercentileStats)>,
}

impl AsciiChart {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a line.
    #[must_use]
    pub fn add(mut self, name: impl Into<String>, histogram: Histogram) -> Self {
        self.lines.push((name.into(), histogram.percentile_stats()));
        self
    }
}

impl fmt::Display for AsciiChart {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|(name, stats)| writeln!(formatter, "{name}: {stats}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_their_bits() {
        let mut histogram: Histogram = Histogram::new();
        for value in [0, 1, 2, 3, 1000, u64::MAX] {
            histogram.record(value);
        }
        assert_eq!(histogram.total(), 6);
        assert_eq!(histogram.percentile(0.5), 2);
        assert_eq!(histogram.percentile(1.0), 1 << 63);
        assert_eq!(Histogram::<()>::new().percentile(0.5), 0);
    }
}
