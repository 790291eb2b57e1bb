//! The one door to clock and sleep: deadlines, polls, and time stamps for records.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const STEP: Duration = Duration::from_millis(5);

/// Looks until there is something to see.
///
/// # Panics
/// Nothing within `limit`.
#[track_caller]
pub fn until<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < deadline, "not within {limit:?}: {what}");
        pause(STEP);
    }
}

/// Looks until `look` is true.
///
/// # Panics
/// Never true within `limit`.
#[track_caller]
pub fn until_true(what: &str, limit: Duration, mut look: impl FnMut() -> bool) {
    until(what, limit, || look().then_some(()));
}

/// Lets `duration` pass: for polls, and for loads that are meant to last.
#[expect(clippy::disallowed_methods, reason = "polls of another process need a pause; this is the one place")]
pub fn pause(duration: Duration) {
    std::thread::sleep(duration);
}

/// Milliseconds since the epoch, as record timestamps have them.
#[expect(clippy::disallowed_methods, reason = "records of real clients carry the wall clock; this is the one place")]
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
