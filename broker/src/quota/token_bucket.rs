//! Tokens that come back at a steady pace: other than a rate it forgets a burst as soon as that is paid for (KIP-599).
//! Source: `TokenBucket`, `ControllerMutationQuotaManager`.

use super::rate::Windows;

/// A bucket; the first look finds it full.
#[derive(Clone, Copy, Debug)]
pub struct TokenBucket {
    /// Negative while more was taken than there was.
    tokens: f64,
    /// When `tokens` was true; `None`: never.
    looked_ms: Option<i64>,
}

impl Default for TokenBucket {
    fn default() -> Self {
        Self { tokens: 0.0, looked_ms: None }
    }
}

impl TokenBucket {
    /// Takes `count` tokens, there or not; a negative count gives back.
    pub fn take(&mut self, windows: Windows, limit: f64, count: f64, now_ms: i64) {
        self.refill(windows, limit, now_ms);
        self.tokens = (self.tokens - count).min(capacity(windows, limit));
    }

    /// How long it takes until there is no debt, in ms; 0 if there is none.
    pub fn throttle_ms(&mut self, windows: Windows, limit: f64, now_ms: i64) -> i64 {
        self.refill(windows, limit, now_ms);
        if self.tokens < 0.0 { (-self.tokens / limit * 1000.0).round() as i64 } else { 0 }
    }

    /// Whether it is full, as a new one is.
    pub fn is_idle(&mut self, windows: Windows, limit: f64, now_ms: i64) -> bool {
        self.refill(windows, limit, now_ms);
        self.tokens >= capacity(windows, limit)
    }

    fn refill(&mut self, windows: Windows, limit: f64, now_ms: i64) {
        let capacity = capacity(windows, limit);
        self.tokens = match self.looked_ms {
            None => capacity,
            Some(looked) => (self.tokens + limit * (now_ms - looked).max(0) as f64 / 1000.0).min(capacity),
        };
        self.looked_ms = Some(now_ms);
    }
}

fn capacity(windows: Windows, limit: f64) -> f64 {
    windows.seconds() * limit
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As the comment of Kafka's class works it out: 560 of 500 tokens, 5 a second, 12 s.
    #[test]
    fn a_debt_is_paid_in_time() {
        let windows = Windows { samples: 100, sample_ms: 1000 };
        let mut bucket = TokenBucket::default();
        bucket.take(windows, 5.0, 560.0, 9000);
        assert_eq!(bucket.throttle_ms(windows, 5.0, 9000), 12_000);
        assert_eq!(bucket.throttle_ms(windows, 5.0, 20_000), 1000);
        assert_eq!(bucket.throttle_ms(windows, 5.0, 21_000), 0);
        assert!(!bucket.is_idle(windows, 5.0, 120_000));
        assert!(bucket.is_idle(windows, 5.0, 121_000));
        bucket.take(windows, 5.0, -7.0, 121_000);
        assert!(bucket.is_idle(windows, 5.0, 121_000), "no more than full");
    }

    proptest! {
        #[test]
        fn what_is_taken_is_what_came_back_and_one_burst(takes in prop::collection::vec((0_i64..3000, 1_u32..50), 1..100), limit in 1_u32..40) {
            let windows = Windows { samples: 11, sample_ms: 1000 };
            let (mut bucket, mut now, limit, mut taken) = (TokenBucket::default(), 0, f64::from(limit), 0.0);
            for (pause, count) in takes {
                now += pause;
                // Strict: nothing is taken while there is a debt.
                if bucket.throttle_ms(windows, limit, now) == 0 {
                    bucket.take(windows, limit, f64::from(count), now);
                    taken += f64::from(count);
                }
                let most = capacity(windows, limit) + limit * now as f64 / 1000.0 + 50.0;
                prop_assert!(taken <= most + 1e-6);
            }
            let wait = bucket.throttle_ms(windows, limit, now);
            prop_assert!(bucket.throttle_ms(windows, limit, now + wait + 1) == 0);
        }
    }
}
