//! A rate that is kept on average. Source: `Throttler`.

use std::time::{Duration, Instant};

/// What was not spent may be made up for so long.
const MEMORY: Duration = Duration::from_millis(300);
/// Waits that are shorter are left for the next time.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);
/// A wait is never longer, so that a rate that was raised counts soon.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// When what was spent so far has its time.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    paid_until: Option<Instant>,
}

impl Throttle {
    /// Notes that `amount` is spent at `now`; returns how long to wait before the next.
    pub(super) fn spend(&mut self, amount: usize, per_second: f64, now: Instant) -> Duration {
        let earliest = now.checked_sub(MEMORY).unwrap_or(now);
        let start = self.paid_until.map_or(now, |paid| paid.max(earliest));
        let seconds = amount as f64 / per_second.max(1.0);
        let paid_until = start + Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT);
        self.paid_until = Some(paid_until);
        let wait = paid_until.saturating_duration_since(now).min(LONGEST_WAIT);
        if wait < SHORTEST_WAIT { Duration::ZERO } else { wait }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_kept_on_average() {
        let start = Instant::now();
        let mut now = start;
        let mut throttle = Throttle::default();
        for _ in 0..1000 {
            now += throttle.spend(1_000, 100_000.0, now);
        }
        assert!((now - start).abs_diff(Duration::from_secs(10)) < Duration::from_millis(20), "{:?}", now - start);
    }

    #[test]
    fn without_a_limit_nobody_waits_and_a_pause_is_not_made_up_for() {
        let mut throttle = Throttle::default();
        let now = Instant::now();
        assert_eq!(throttle.spend(usize::MAX, f64::MAX, now), Duration::ZERO);
        let later = now + Duration::from_secs(3600);
        assert_eq!(throttle.spend(1_000_000, 1_000_000.0, later), Duration::from_millis(700));
    }
}
