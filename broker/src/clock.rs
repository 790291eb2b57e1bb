//! The wall clock: the one place that reads it.

use std::time::{SystemTime, UNIX_EPOCH};

/// Tells the time. Tests hold it still.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock {
    fixed_ms: Option<i64>,
}

impl Clock {
    /// A clock that stands at `now_ms`.
    pub fn fixed(now_ms: i64) -> Self {
        Self { fixed_ms: Some(now_ms) }
    }

    /// Milliseconds since the epoch.
    #[expect(clippy::disallowed_methods, reason = "this is the door that the lint leads to")]
    pub fn now_ms(&self) -> i64 {
        self.fixed_ms.unwrap_or_else(|| {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
        })
    }
}
