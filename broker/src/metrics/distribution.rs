//! How long things took: counts in buckets, four for each doubling, so that a quantile is off by an eighth at most.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The last bucket takes everything from 2^31 µs on, half an hour.
const BUCKETS: usize = 120;

/// A distribution that is being added to.
#[derive(Debug)]
pub(super) struct Times([AtomicU64; BUCKETS]);

impl Default for Times {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl Times {
    pub(super) fn add(&self, time: Duration) {
        self.0[bucket(time)].fetch_add(1, Ordering::Relaxed);
    }
}

/// A distribution as it was at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Distribution([u64; BUCKETS]);

impl Default for Distribution {
    fn default() -> Self {
        Self([0; BUCKETS])
    }
}

impl Distribution {
    pub(super) fn add(&mut self, times: &Times) {
        for (count, more) in self.0.iter_mut().zip(&times.0) {
            *count += more.load(Ordering::Relaxed);
        }
    }

    /// Both together.
    pub(super) fn with(mut self, other: &Self) -> Self {
        self.0.iter_mut().zip(other.0).for_each(|(count, more)| *count += more);
        self
    }

    /// With `count` more times that were nothing.
    pub(super) fn with_zeros(mut self, count: u64) -> Self {
        self.0[0] += count;
        self
    }

    /// What came after `earlier`, a state of the same distribution.
    pub(super) fn since(mut self, earlier: &Self) -> Self {
        self.0.iter_mut().zip(earlier.0).for_each(|(count, less)| *count = count.saturating_sub(less));
        self
    }

    pub(super) fn count(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The time, in milliseconds, that the share `quantile` of all times, 0 to 1, does not exceed; 0 if there are none.
    pub(super) fn quantile_ms(&self, quantile: f64) -> f64 {
        let wanted = quantile * self.count() as f64;
        let mut seen = 0;
        let place = self.0.iter().position(|count| {
            seen += count;
            seen > 0 && seen as f64 >= wanted
        });
        place.map_or(0.0, |bucket| middle_us(bucket) / 1000.0)
    }
}

fn bucket(time: Duration) -> usize {
    let us = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    let Some(doublings) = us.checked_ilog2().filter(|doublings| *doublings >= 2) else { return us as usize };
    let quarter = (us >> (doublings - 2)) & 3;
    (((doublings as usize - 1) << 2) | quarter as usize).min(BUCKETS - 1)
}

/// The middle of a bucket's times, in microseconds.
fn middle_us(bucket: usize) -> f64 {
    if bucket < 4 {
        return bucket as f64;
    }
    let width = (1_u64 << (bucket / 4 - 1)) as f64;
    (4 + bucket % 4) as f64 * width + width / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(times: impl IntoIterator<Item = u64>) -> Distribution {
        let added = Times::default();
        times.into_iter().for_each(|us| added.add(Duration::from_micros(us)));
        let mut distribution = Distribution::default();
        distribution.add(&added);
        distribution
    }

    #[test]
    fn buckets_follow_each_other_and_hold_their_middle() {
        let mut last = 0;
        for us in 0..100_000 {
            let now = bucket(Duration::from_micros(us));
            assert!(now == last || now == last + 1, "{us}");
            let middle = middle_us(now);
            assert!((middle - us as f64).abs() <= us as f64 / 8.0, "{us} is far from {middle}");
            last = now;
        }
        assert_eq!(bucket(Duration::MAX), BUCKETS - 1);
    }

    #[test]
    fn quantiles_are_those_of_the_times_nearly() {
        let thousand = of(1..=1000);
        for (quantile, ms) in [(0.0, 0.001), (0.5, 0.5), (0.95, 0.95), (0.999, 0.999), (1.0, 1.0)] {
            let found = thousand.quantile_ms(quantile);
            assert!((found - ms).abs() <= ms / 8.0, "{quantile}: {found} is not {ms}");
        }
        assert_eq!(of([]).quantile_ms(0.5), 0.0);
        assert_eq!(of([2_000_000]).with_zeros(9).quantile_ms(0.5), 0.0);
    }

    #[test]
    fn what_came_later_is_the_difference() {
        let early = of([1, 500]);
        let all = early.clone().with(&of([500, 7000]));
        assert_eq!((all.count(), all.since(&early)), (4, of([500, 7000])));
    }
}
