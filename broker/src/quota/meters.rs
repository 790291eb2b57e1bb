//! One kind of quota: its limits, and what each client has used. While no limit of the kind is set nothing is measured and
//! nothing is kept.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use raft::image::ClientQuotas;

use super::limits::Limits;
use super::rate::{Rate, Windows};
use super::token_bucket::TokenBucket;

/// Meters are first looked through for idle ones when there are so many.
const FIRST_SWEEP: usize = 1_000;

/// Whose request it is.
#[derive(Clone, Copy, Debug)]
pub struct Client<'a> {
    pub user: &'a str,
    /// Empty if it has none.
    pub client_id: &'a str,
}

/// What measures one client's use.
pub trait Meter: Default {
    /// Whether it says no more than a new one.
    fn is_idle(&mut self, windows: Windows, limit: f64, now_ms: i64) -> bool;
}

impl Meter for Rate {
    fn is_idle(&mut self, windows: Windows, _: f64, now_ms: i64) -> bool {
        Self::is_idle(self, windows, now_ms)
    }
}

impl Meter for TokenBucket {
    fn is_idle(&mut self, windows: Windows, limit: f64, now_ms: i64) -> bool {
        Self::is_idle(self, windows, limit, now_ms)
    }
}

/// How often and how long somebody had to wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Throttled {
    pub times: u64,
    pub milliseconds: u64,
}

impl Throttled {
    /// One more, if it waits at all.
    pub fn count(&mut self, ms: i64) {
        self.times += u64::from(ms > 0);
        self.milliseconds += u64::try_from(ms).unwrap_or(0);
    }
}

/// A kind of quota.
#[derive(Debug)]
pub struct Meters<M> {
    /// The key under which its limits are stored.
    key: &'static str,
    windows: Windows,
    /// No single wait is longer.
    longest_ms: i64,
    is_set: AtomicBool,
    state: Mutex<State<M>>,
    times: AtomicU64,
    milliseconds: AtomicU64,
}

#[derive(Debug, Default)]
struct State<M> {
    limits: Limits,
    /// By user, then client id, as they share a limit.
    meters: HashMap<Arc<str>, HashMap<Arc<str>, M>>,
    count: usize,
    next_sweep: usize,
}

impl<M: Meter> Meters<M> {
    pub(super) fn new(key: &'static str, windows: Windows, longest_ms: i64) -> Self {
        let state = State { limits: Limits::default(), meters: HashMap::new(), count: 0, next_sweep: FIRST_SWEEP };
        Self {
            key,
            windows,
            longest_ms,
            is_set: AtomicBool::new(false),
            state: Mutex::new(state),
            times: AtomicU64::new(0),
            milliseconds: AtomicU64::new(0),
        }
    }

    /// Whether any limit of the kind is set.
    pub fn is_set(&self) -> bool {
        self.is_set.load(Ordering::Relaxed)
    }

    /// How often and how long somebody had to wait.
    pub fn throttled(&self) -> Throttled {
        Throttled { times: self.times.load(Ordering::Relaxed), milliseconds: self.milliseconds.load(Ordering::Relaxed) }
    }

    pub(super) fn update(&self, quotas: &ClientQuotas) {
        let limits = Limits::of(quotas, self.key);
        let mut state = self.lock();
        self.is_set.store(!limits.is_empty(), Ordering::Relaxed);
        if limits.is_empty() {
            state.meters = HashMap::new();
            state.count = 0;
        }
        state.limits = limits;
    }

    fn lock(&self) -> MutexGuard<'_, State<M>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls `work` with the client's meter and limit; `None` if it has no limit.
    fn with<T>(&self, client: Client<'_>, now_ms: i64, work: impl FnOnce(&mut M, f64) -> T) -> Option<T> {
        if !self.is_set() {
            return None;
        }
        let mut state = self.lock();
        let limit = state.limits.find(client.user, client.client_id)?;
        if let Some(meter) = state.meters.get_mut(limit.user).and_then(|clients| clients.get_mut(limit.client_id)) {
            return Some(work(meter, limit.value));
        }
        if state.count >= state.next_sweep {
            state.sweep(self.windows, now_ms);
        }
        state.count += 1;
        let clients = state.meters.entry(limit.user.into()).or_default();
        Some(work(clients.entry(limit.client_id.into()).or_default(), limit.value))
    }

    fn count(&self, throttle_ms: i64) -> i32 {
        let throttle_ms = throttle_ms.min(self.longest_ms).clamp(0, i32::MAX.into());
        if throttle_ms > 0 {
            self.times.fetch_add(1, Ordering::Relaxed);
            self.milliseconds.fetch_add(throttle_ms.cast_unsigned(), Ordering::Relaxed);
        }
        throttle_ms as i32
    }
}

impl Meters<Rate> {
    /// Records what a client used, and answers how long it has to wait, in ms.
    pub fn record(&self, client: Client<'_>, value: f64, now_ms: i64) -> i32 {
        let windows = self.windows;
        let throttle_ms = self.with(client, now_ms, |rate, limit| {
            rate.record(windows, value, now_ms);
            rate.throttle_ms(windows, limit, now_ms)
        });
        throttle_ms.map_or(0, |throttle_ms| self.count(throttle_ms))
    }

    /// Takes back what was recorded for an answer that is not given.
    pub fn take_back(&self, client: Client<'_>, value: f64, now_ms: i64) {
        let windows = self.windows;
        self.with(client, now_ms, |rate, _| rate.record(windows, -value, now_ms));
    }

    /// The most that can be recorded at once without a wait for certain.
    pub fn most_at_once(&self, client: Client<'_>, now_ms: i64) -> Option<f64> {
        let windows = self.windows;
        self.with(client, now_ms, |_, limit| windows.most_at_once(limit))
    }
}

impl Meters<TokenBucket> {
    /// Takes tokens. Strictly: only if there is no debt. Answers how long the client has to wait, in ms: strictly, before
    /// anything is taken at all.
    pub fn take(&self, client: Client<'_>, count: f64, is_strict: bool, now_ms: i64) -> i32 {
        let windows = self.windows;
        let throttle_ms = self.with(client, now_ms, |bucket, limit| {
            let before = bucket.throttle_ms(windows, limit, now_ms);
            if is_strict && before > 0 {
                return before;
            }
            bucket.take(windows, limit, count, now_ms);
            if is_strict { 0 } else { bucket.throttle_ms(windows, limit, now_ms) }
        });
        throttle_ms.map_or(0, |throttle_ms| self.count(throttle_ms))
    }

    /// Gives tokens back.
    pub fn give_back(&self, client: Client<'_>, count: f64, now_ms: i64) {
        let windows = self.windows;
        self.with(client, now_ms, |bucket, limit| bucket.take(windows, limit, -count, now_ms));
    }
}

impl<M: Meter> State<M> {
    /// Drops meters that say no more than new ones, so that clients with ever new names do not fill the memory.
    fn sweep(&mut self, windows: Windows, now_ms: i64) {
        let limits = &self.limits;
        for (user, clients) in &mut self.meters {
            clients.retain(|client_id, meter| {
                let limit = limits.find(user, client_id).map(|limit| limit.value);
                limit.is_some_and(|limit| !meter.is_idle(windows, limit, now_ms))
            });
        }
        self.meters.retain(|_, clients| !clients.is_empty());
        self.count = self.meters.values().map(HashMap::len).sum();
        self.next_sweep = FIRST_SWEEP.max(self.count * 2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quota::testing::quotas;

    const WINDOWS: Windows = Windows { samples: 11, sample_ms: 1000 };
    const HER: Client<'_> = Client { user: "ANONYMOUS", client_id: "her" };

    #[test]
    fn nothing_is_kept_while_no_limit_is_set() {
        let meters = Meters::<Rate>::new("producer_byte_rate", WINDOWS, i64::MAX);
        assert_eq!(meters.record(HER, 1e12, 0), 0);
        assert_eq!(meters.lock().count, 0);
        meters.update(&quotas(&[(Some("her"), "producer_byte_rate", 100.0)]));
        assert_eq!(meters.record(HER, 2000.0, 0), 10_000);
        assert_eq!(meters.record(Client { client_id: "him", ..HER }, 2000.0, 0), 0);
        assert_eq!(meters.throttled(), Throttled { times: 1, milliseconds: 10_000 });
        meters.take_back(HER, 2000.0, 0);
        assert_eq!(meters.record(HER, 1000.0, 0), 0);
        meters.update(&quotas(&[]));
        assert_eq!((meters.lock().count, meters.is_set()), (0, false));
    }

    #[test]
    fn clients_with_ever_new_names_do_not_fill_the_memory() {
        let meters = Meters::<Rate>::new("producer_byte_rate", WINDOWS, i64::MAX);
        meters.update(&quotas(&[(None, "producer_byte_rate", 100.0)]));
        for n in 0..20_000_i64 {
            let name = n.to_string();
            meters.record(Client { client_id: &name, ..HER }, 1.0, n * 100);
        }
        assert!(meters.lock().count <= FIRST_SWEEP, "{}", meters.lock().count);
    }

    #[test]
    fn a_strict_quota_refuses_and_a_permissive_one_only_slows() {
        let meters = Meters::<TokenBucket>::new("controller_mutation_rate", WINDOWS, i64::MAX);
        meters.update(&quotas(&[(None, "controller_mutation_rate", 1.0)]));
        assert_eq!(meters.take(HER, 15.0, true, 0), 0, "there was no debt");
        assert_eq!(meters.take(HER, 1.0, true, 1000), 3000);
        assert_eq!(meters.take(HER, 1.0, true, 4000), 0, "nothing was taken meanwhile");
        assert_eq!(meters.take(HER, 9.0, false, 4000), 10_000);
        meters.give_back(HER, 10.0, 4000);
        assert_eq!(meters.take(HER, 0.0, false, 4000), 0);
    }
}
