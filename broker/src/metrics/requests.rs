//! How long requests took, and with which errors they were answered, by API. Each thread has rows of its own to add to, which
//! come into being with the first request of their API; reading sums them up. Source: `RequestMetrics`.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use protocol::error_code::NONE;
use tokio::time::Instant;

use super::distribution::{Distribution, Times};

/// Rows for each API. Threads share them where there are more threads.
const SHARDS: usize = 8;
/// API keys up to this one; Kafka's highest is below it.
const API_KEYS: usize = 128;
/// Error codes from `FIRST_ERROR` on; Kafka's highest is among them.
const ERRORS: usize = 160;
const FIRST_ERROR: i16 = -1;
/// Quantiles are about so much time, as far as somebody has looked that often. Kafka's forget as fast.
const WINDOW: Duration = Duration::from_secs(300);
/// States that are kept lie so far apart at least.
const STEP: Duration = Duration::from_secs(60);

/// What is counted of requests.
#[derive(Debug)]
pub struct RequestMetrics {
    shards: [[OnceLock<Box<Row>>; API_KEYS]; SHARDS],
    /// What was read at some times of the last minutes, the earliest first.
    states: Mutex<VecDeque<State>>,
}

/// The APIs that had been asked for at a moment.
#[derive(Debug)]
struct State {
    at: Instant,
    apis: Vec<(i16, Totals)>,
}

/// What one thread has counted of one API.
#[derive(Debug)]
struct Row {
    at_once: Times,
    local: Times,
    remote: Times,
    total: Times,
    errors: [AtomicU64; ERRORS],
}

impl Default for Row {
    fn default() -> Self {
        let errors = std::array::from_fn(|_| AtomicU64::new(0));
        let (at_once, local, remote, total) = Default::default();
        Self { at_once, local, remote, total, errors }
    }
}

/// Times of one API.
#[derive(Clone, Debug, Default)]
pub(super) struct Totals {
    at_once: Distribution,
    local: Distribution,
    remote: Distribution,
    total: Distribution,
}

/// One API at a moment.
#[derive(Clone, Debug)]
pub(super) struct OfApi {
    pub(super) key: i16,
    /// Since the start.
    pub(super) all: Totals,
    /// In the last minutes.
    pub(super) recent: Totals,
    /// Errors that it was answered with, and how often.
    pub(super) errors: Vec<(i16, u64)>,
}

impl RequestMetrics {
    pub(super) fn new() -> Self {
        let row = || std::array::from_fn(|_| OnceLock::new());
        Self { shards: std::array::from_fn(|_| row()), states: Mutex::default() }
    }

    /// A request was answered without waiting for anything.
    pub fn answered(&self, api_key: i16, time: Duration) {
        if let Some(row) = self.row(api_key) {
            row.at_once.add(time);
        }
    }

    /// A request was answered after it had waited for something, `remote` long.
    pub fn waited(&self, api_key: i16, local: Duration, remote: Duration) {
        if let Some(row) = self.row(api_key) {
            row.local.add(local);
            row.remote.add(remote);
            row.total.add(local + remote);
        }
    }

    /// An answer had that error code; success is not counted.
    pub fn failed(&self, api_key: i16, error_code: i16) {
        let place = usize::try_from(i32::from(error_code) - i32::from(FIRST_ERROR)).ok().filter(|_| error_code != NONE);
        if let Some(number) = place.and_then(|place| self.row(api_key)?.errors.get(place)) {
            number.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// This thread's row of the API; `None` if there cannot be such an API.
    fn row(&self, api_key: i16) -> Option<&Row> {
        let place = self.shards[shard()].get(usize::try_from(api_key).ok()?)?;
        Some(place.get_or_init(Box::default))
    }

    /// Every API that was asked for.
    pub(super) fn read(&self, now: Instant) -> Vec<OfApi> {
        let apis: Vec<OfApi> = (0..API_KEYS).filter_map(|key| self.read_api(key)).collect();
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        // One that is older than the window stays, for want of a better one.
        while states.get(1).is_some_and(|state| now.duration_since(state.at) >= WINDOW) {
            states.pop_front();
        }
        let earlier = states.front().map_or(&[][..], |state| &state.apis);
        let apis = apis.into_iter().map(|api| api.compared(earlier)).collect::<Vec<_>>();
        if states.back().is_none_or(|state| now.duration_since(state.at) >= STEP) {
            let apis = apis.iter().map(|api| (api.key, api.all.clone())).collect();
            states.push_back(State { at: now, apis });
        }
        apis
    }

    fn read_api(&self, key: usize) -> Option<OfApi> {
        let mut all = Totals::default();
        let mut errors = [0; ERRORS];
        let rows: Vec<&Row> = self.shards.iter().filter_map(|shard| shard[key].get().map(|row| &**row)).collect();
        for row in &rows {
            all.at_once.add(&row.at_once);
            all.local.add(&row.local);
            all.remote.add(&row.remote);
            all.total.add(&row.total);
            errors.iter_mut().zip(&row.errors).for_each(|(sum, count)| *sum += count.load(Ordering::Relaxed));
        }
        let errors = (FIRST_ERROR..).zip(errors).filter(|(_, count)| *count > 0).collect();
        let key = i16::try_from(key).ok().filter(|_| !rows.is_empty())?;
        Some(OfApi { key, recent: all.clone(), all, errors })
    }
}

impl OfApi {
    fn compared(mut self, earlier: &[(i16, Totals)]) -> Self {
        if let Some((_, earlier)) = earlier.iter().find(|(key, _)| *key == self.key) {
            self.recent = self.all.clone().since(earlier);
        }
        self
    }
}

impl Totals {
    fn since(self, earlier: &Self) -> Self {
        Self {
            at_once: self.at_once.since(&earlier.at_once),
            local: self.local.since(&earlier.local),
            remote: self.remote.since(&earlier.remote),
            total: self.total.since(&earlier.total),
        }
    }

    /// Requests that were answered.
    pub(super) fn count(&self) -> u64 {
        self.at_once.count() + self.total.count()
    }

    /// From the request's arrival to its answer.
    pub(super) fn total_time(&self) -> Distribution {
        self.at_once.clone().with(&self.total)
    }

    /// What the handler took.
    pub(super) fn local_time(&self) -> Distribution {
        self.at_once.clone().with(&self.local)
    }

    /// The wait for the disk, for other replicas, for records, for other members.
    pub(super) fn remote_time(&self) -> Distribution {
        self.remote.clone().with_zeros(self.at_once.count())
    }
}

/// The row that this thread adds to.
fn shard() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static SHARD: Cell<usize> = Cell::new(NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS);
    }
    SHARD.get()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn nothing_is_lost_between_threads() {
        let metrics = RequestMetrics::new();
        std::thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| (0..1000).for_each(|_| metrics.answered(18, MS)));
            }
        });
        for key in [i16::MAX, -1] {
            metrics.answered(key, MS);
        }
        let apis = metrics.read(Instant::now());
        assert_eq!(apis.iter().map(|api| (api.key, api.all.count())).collect::<Vec<_>>(), [(18, 20_000)]);
    }

    #[test]
    fn times_add_up_and_errors_are_told_apart() {
        let metrics = RequestMetrics::new();
        metrics.answered(0, MS);
        metrics.waited(0, MS, 9 * MS);
        for code in [NONE, 1, 1, -1, i16::MAX, i16::MIN] {
            metrics.failed(0, code);
        }
        let [api] = &metrics.read(Instant::now())[..] else { panic!("one API was asked for") };
        assert_eq!(api.errors, [(-1, 1), (1, 2)]);
        assert_eq!((api.all.count(), api.all.remote_time().count(), api.all.local_time().count()), (2, 2, 2));
        assert_eq!(api.all.remote_time().quantile_ms(0.5), 0.0);
        let total = api.all.total_time().quantile_ms(1.0);
        assert!((9.0..11.5).contains(&total), "{total}");
    }

    #[test]
    fn quantiles_forget_what_is_long_ago() {
        let metrics = RequestMetrics::new();
        let start = Instant::now();
        metrics.answered(0, 1000 * MS);
        let slowest = |minutes: u64| {
            let apis = metrics.read(start + Duration::from_secs(60 * minutes));
            apis[0].recent.total_time().quantile_ms(1.0)
        };
        assert!(slowest(0) > 800.0);
        metrics.answered(0, MS);
        assert!(slowest(1) < 2.0, "since the first look");
        assert!((2..6).map(slowest).all(|ms| ms > 0.5 && ms < 2.0));
        assert_eq!(slowest(6), 0.0, "nothing in the last minutes");
        metrics.answered(0, 10 * MS);
        assert!((9.0..11.5).contains(&slowest(60)), "since the last look, even if that was long ago");
    }
}
