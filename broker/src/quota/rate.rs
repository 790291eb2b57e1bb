//! How fast something happens, told by samples of the last seconds. Source: `Rate`, `SampledStat`, `QuotaUtils`.

/// How far a rate looks back: `quota.window.num` samples of `quota.window.size.seconds`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// At least 1.
    pub samples: i64,
    /// At least 1.
    pub sample_ms: i64,
}

impl Windows {
    /// All samples together, in seconds.
    pub(super) fn seconds(&self) -> f64 {
        (self.samples.saturating_mul(self.sample_ms)) as f64 / 1000.0
    }

    /// The most that may come at once without a wait for certain, at `limit` a second.
    pub(super) fn most_at_once(&self, limit: f64) -> f64 {
        limit * ((self.samples - 1) * self.sample_ms) as f64 / 1000.0
    }
}

/// What came in one span of time.
#[derive(Clone, Copy, Debug)]
struct Sample {
    started_ms: i64,
    last_ms: i64,
    value: f64,
}

/// A rate per second.
#[derive(Clone, Debug, Default)]
pub struct Rate {
    /// The oldest first, at most one more than [`Windows::samples`].
    samples: Vec<Sample>,
}

impl Rate {
    /// Adds `value`, which may be negative to take back what was added.
    pub fn record(&mut self, windows: Windows, value: f64, now_ms: i64) {
        self.drop_old(windows, now_ms);
        match self.samples.last_mut() {
            Some(sample) if now_ms - sample.started_ms < windows.sample_ms => {
                sample.value += value;
                sample.last_ms = now_ms;
            }
            _ => self.samples.push(Sample { started_ms: now_ms, last_ms: now_ms, value }),
        }
    }

    /// How long nothing may be recorded until the rate is `limit` again, in ms; 0 if it is not above it.
    pub fn throttle_ms(&mut self, windows: Windows, limit: f64, now_ms: i64) -> i64 {
        self.drop_old(windows, now_ms);
        let span_ms = self.span_ms(windows, now_ms);
        let rate = self.sum() / (span_ms as f64 / 1000.0);
        if rate <= limit { 0 } else { ((rate - limit) / limit * span_ms as f64).round() as i64 }
    }

    /// Whether it is as if nothing had ever been recorded.
    pub fn is_idle(&mut self, windows: Windows, now_ms: i64) -> bool {
        self.drop_old(windows, now_ms);
        self.samples.is_empty()
    }

    fn sum(&self) -> f64 {
        self.samples.iter().map(|sample| sample.value).sum()
    }

    /// The time that the samples stand for: a rate that has just begun is not taken for a fast one.
    fn span_ms(&self, windows: Windows, now_ms: i64) -> i64 {
        let elapsed = self.samples.first().map_or(0, |oldest| now_ms - oldest.started_ms);
        let missing = (windows.samples - 1 - elapsed / windows.sample_ms).max(0);
        elapsed.saturating_add(missing.saturating_mul(windows.sample_ms)).max(1)
    }

    /// A sample counts as long as its last event is within the windows.
    fn drop_old(&mut self, windows: Windows, now_ms: i64) {
        let age = windows.samples.saturating_mul(windows.sample_ms);
        self.samples.retain(|sample| now_ms - sample.last_ms < age);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WINDOWS: Windows = Windows { samples: 11, sample_ms: 1000 };

    /// As the comment of Kafka's `TokenBucket` works it out for a rate: 560 in 100 windows of a second, 5 allowed.
    #[test]
    fn a_burst_is_spread_over_the_windows() {
        let windows = Windows { samples: 101, sample_ms: 1000 };
        let mut rate = Rate::default();
        rate.record(windows, 560.0, 5000);
        assert_eq!(rate.throttle_ms(windows, 5.0, 5000), 12_000);
        assert_eq!(rate.throttle_ms(windows, 5.6, 5000), 0, "what is allowed may be reached");
        rate.record(windows, -560.0, 5000);
        assert_eq!(rate.throttle_ms(windows, 5.0, 5000), 0);
    }

    #[test]
    fn a_rate_without_samples_is_zero_and_a_limit_that_is_no_number_stops_nobody() {
        let mut rate = Rate::default();
        assert!(rate.is_idle(WINDOWS, 7));
        assert_eq!(rate.throttle_ms(WINDOWS, 1e-9, 7), 0);
        rate.record(WINDOWS, 1e9, 7);
        assert_eq!(rate.throttle_ms(WINDOWS, f64::NAN, 7), 0);
        assert!(!rate.is_idle(WINDOWS, 7 + 10_999));
        assert!(rate.is_idle(WINDOWS, 7 + 11_000));
    }

    proptest! {
        /// Against a list of every event: what is younger than the windows counts, what is older by one sample does not.
        #[test]
        fn what_counts_is_what_came_within_the_windows(events in prop::collection::vec((0_i64..4000, 1_u32..1000), 1..60)) {
            let (mut rate, mut now, mut all) = (Rate::default(), 1_000_000, Vec::new());
            for (pause, value) in events {
                now += pause;
                rate.record(WINDOWS, f64::from(value), now);
                all.push((now, f64::from(value)));
                let within = |age: i64| -> f64 { all.iter().filter(|(at, _)| now - at < age).map(|(_, value)| value).sum() };
                rate.drop_old(WINDOWS, now);
                prop_assert!(within(11_000) <= rate.sum() && rate.sum() <= within(12_000));
                let span = rate.span_ms(WINDOWS, now);
                prop_assert!((10_000..=12_000).contains(&span), "{}", span);
                prop_assert!(rate.samples.len() <= 12);
            }
        }

        /// Whoever waits as told gets a burst whenever the windows are over, so twice what is allowed at most, however long it goes on.
        #[test]
        fn who_waits_as_told_stays_within_the_limit(values in prop::collection::vec(1_u32..5000, 50..200), limit in 10_u32..2000) {
            let (mut rate, mut now, mut sum, limit) = (Rate::default(), 0, 0.0, f64::from(limit));
            for value in &values {
                rate.record(WINDOWS, f64::from(*value), now);
                sum += f64::from(*value);
                now += rate.throttle_ms(WINDOWS, limit, now);
            }
            let burst = limit * 12.0 + 5000.0;
            prop_assert!(sum <= limit * (now as f64 / 1000.0) * 2.0 + burst, "{} in {} ms", sum, now);
        }
    }
}
