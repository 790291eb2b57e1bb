//! How many connections there may be, in all, on one listener and from one address, and how fast new ones may come.
//! Who is one too many waits to be accepted, where only an address is to blame the connection ends. Source: `ConnectionQuotas`.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::connection_limits::ConnectionLimits;
use crate::clock::Clock;
use crate::quota::{Rate, Throttled, Windows};

/// Meters of addresses are first looked through for idle ones when there are so many.
const FIRST_SWEEP: usize = 1_000;

/// Counts connections and measures how fast they come.
#[derive(Debug)]
pub struct ConnectionQuotas {
    windows: Windows,
    clock: Clock,
    state: Mutex<State>,
    /// A place was given back, or there are other limits.
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    limits: Arc<ConnectionLimits>,
    total: usize,
    by_address: HashMap<IpAddr, usize>,
    by_listener: HashMap<Arc<str>, OfListener>,
    rate: Rate,
    rates_of_addresses: HashMap<IpAddr, Rate>,
    next_sweep: usize,
    throttled: Throttled,
    throttled_addresses: Throttled,
}

#[derive(Debug, Default)]
struct OfListener {
    open: usize,
    rate: Rate,
}

/// What becomes of a connection that has come.
#[derive(Debug)]
pub enum Admission {
    /// It is served.
    Place(Place),
    /// It ends: its address has as many as it may have.
    TooMany,
    /// It ends after this time: from its address they come too fast.
    TooFast(Duration),
}

/// A connection's place, given back when dropped.
#[derive(Debug)]
pub struct Place {
    quotas: Arc<ConnectionQuotas>,
    listener: Arc<str>,
    address: IpAddr,
}

impl ConnectionQuotas {
    /// Nobody has come yet. Rates are measured in `windows`.
    pub fn new(limits: ConnectionLimits, windows: Windows, clock: Clock) -> Arc<Self> {
        let state = State { limits: Arc::new(limits), next_sweep: FIRST_SWEEP, ..State::default() };
        Arc::new(Self { windows, clock, state: Mutex::new(state), changed: Notify::new() })
    }

    /// Other limits count for connections from now on; those that are open stay.
    pub fn change(&self, limits: ConnectionLimits) {
        self.lock().limits = Arc::new(limits);
        self.changed.notify_waiters();
    }

    /// How new connections were kept waiting for the limits of the broker and its listeners, and refused for those of addresses.
    pub fn throttled(&self) -> (Throttled, Throttled) {
        let state = self.lock();
        (state.throttled, state.throttled_addresses)
    }

    /// Waits until one more connection of a listener may be served. The caller takes one after the other.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the connection counted in the rates, and nothing else.
    pub async fn admit(self: &Arc<Self>, listener: &Arc<str>, address: IpAddr) -> Admission {
        let throttle = self.record(listener);
        if !throttle.is_zero() {
            tokio::time::sleep_until(Instant::now() + throttle).await;
        }
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            // Whatever changes after the look is heard of.
            changed.as_mut().enable();
            if let Some(admission) = self.try_admit(listener, address) {
                return admission;
            }
            changed.await;
        }
    }

    /// Counts a connection in the rates of the broker and the listener; answers how long it has to wait.
    fn record(&self, listener: &Arc<str>) -> Duration {
        let now_ms = self.clock.now_ms();
        let mut state = self.lock();
        let state = &mut *state;
        let limits = &state.limits;
        let mut wait_ms = 0;
        let mut measure = |rate: &mut Rate, limit| {
            rate.record(self.windows, 1.0, now_ms);
            wait_ms = rate.throttle_ms(self.windows, f64::from(limit), now_ms).min(self.windows.sample_ms).max(wait_ms);
        };
        if let Some(limit) = limits.rate_of_broker(listener) {
            measure(&mut state.rate, limit);
        }
        if let Some(limit) = limits.rate_of_listener(listener) {
            let of_listener = state.by_listener.entry(Arc::clone(listener)).or_default();
            measure(&mut of_listener.rate, limit);
        }
        state.throttled.count(wait_ms);
        Duration::from_millis(wait_ms.cast_unsigned())
    }

    /// `None` if it has to wait for a place.
    fn try_admit(self: &Arc<Self>, listener: &Arc<str>, address: IpAddr) -> Option<Admission> {
        let mut state = self.lock();
        let limits = Arc::clone(&state.limits);
        let on_listener = state.by_listener.get(listener).map_or(0, |of_listener| of_listener.open);
        let is_full = limits.total(listener).is_some_and(|limit| state.total >= limit);
        if is_full || on_listener >= limits.on_listener(listener) {
            return None;
        }
        if let Some(limit) = limits.rate_of_address(address) {
            let wait_ms = state.record_address(self.windows, address, limit, self.clock.now_ms());
            if wait_ms > 0 {
                state.take_back(self.windows, listener, &limits, self.clock.now_ms());
                state.throttled_addresses.count(wait_ms);
                return Some(Admission::TooFast(Duration::from_millis(wait_ms.cast_unsigned())));
            }
        }
        let of_address = state.by_address.get(&address).copied().unwrap_or(0);
        if of_address >= limits.of_address(address) {
            return Some(Admission::TooMany);
        }
        state.total += 1;
        state.by_address.insert(address, of_address + 1);
        state.by_listener.entry(Arc::clone(listener)).or_default().open += 1;
        let place = Place { quotas: Arc::clone(self), listener: Arc::clone(listener), address };
        Some(Admission::Place(place))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Counts a connection in the rate of its address, unless that is too fast; answers how long to wait, in ms.
    fn record_address(&mut self, windows: Windows, address: IpAddr, limit: i32, now_ms: i64) -> i64 {
        if self.rates_of_addresses.len() >= self.next_sweep {
            self.rates_of_addresses.retain(|_, rate| !rate.is_idle(windows, now_ms));
            self.next_sweep = FIRST_SWEEP.max(self.rates_of_addresses.len() * 2);
        }
        let rate = self.rates_of_addresses.entry(address).or_default();
        rate.record(windows, 1.0, now_ms);
        let wait_ms = rate.throttle_ms(windows, f64::from(limit), now_ms).min(windows.sample_ms);
        if wait_ms > 0 {
            rate.record(windows, -1.0, now_ms);
        }
        wait_ms
    }

    /// A connection that is not served does not count for the broker and the listener.
    fn take_back(&mut self, windows: Windows, listener: &Arc<str>, limits: &ConnectionLimits, now_ms: i64) {
        if limits.rate_of_broker(listener).is_some() {
            self.rate.record(windows, -1.0, now_ms);
        }
        if limits.rate_of_listener(listener).is_some()
            && let Some(of_listener) = self.by_listener.get_mut(listener)
        {
            of_listener.rate.record(windows, -1.0, now_ms);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.quotas.lock();
        state.total = state.total.saturating_sub(1);
        if let Some(count) = state.by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                state.by_address.remove(&self.address);
            }
        }
        if let Some(of_listener) = state.by_listener.get_mut(&self.listener) {
            of_listener.open = of_listener.open.saturating_sub(1);
        }
        drop(state);
        self.quotas.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    const WINDOWS: Windows = Windows { samples: 11, sample_ms: 1000 };
    const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 1));
    const B: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 2));

    fn limits() -> ConnectionLimits {
        ConnectionLimits::default()
    }

    fn quotas(limits: ConnectionLimits) -> Arc<ConnectionQuotas> {
        ConnectionQuotas::new(limits, WINDOWS, Clock::fixed(5000))
    }

    /// What becomes of it at once; `None` if it waits.
    fn admit(quotas: &Arc<ConnectionQuotas>, listener: &str, address: IpAddr) -> Option<Admission> {
        quotas.admit(&listener.into(), address).now_or_never()
    }

    fn place(quotas: &Arc<ConnectionQuotas>, listener: &str, address: IpAddr) -> Place {
        match admit(quotas, listener, address) {
            Some(Admission::Place(place)) => place,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn who_is_one_too_many_waits_for_a_place() {
        let quotas = quotas(ConnectionLimits { total: 2, ..limits() });
        let first = place(&quotas, "L", A);
        let _second = place(&quotas, "L", B);
        let listener = "L".into();
        let mut waiting = Box::pin(quotas.admit(&listener, A));
        assert!((&mut waiting).now_or_never().is_none());
        drop(first);
        assert!(matches!(waiting.await, Admission::Place(_)));
    }

    #[tokio::test]
    async fn other_limits_are_heard_of() {
        let quotas = quotas(ConnectionLimits { total: 0, ..limits() });
        let listener = "L".into();
        let mut waiting = Box::pin(quotas.admit(&listener, A));
        assert!((&mut waiting).now_or_never().is_none());
        quotas.change(ConnectionLimits { total: 1, ..limits() });
        assert!(matches!(waiting.await, Admission::Place(_)));
    }

    #[tokio::test]
    async fn each_listener_has_its_own_limit_and_one_is_spared_the_brokers() {
        let quotas = quotas(ConnectionLimits {
            total: 1,
            spared: Some("INSIDE".into()),
            on_listeners: HashMap::from([("INSIDE".into(), 2)]),
            ..limits()
        });
        let _outside = place(&quotas, "OUTSIDE", A);
        assert!(admit(&quotas, "OUTSIDE", A).is_none());
        let (_one, two) = (place(&quotas, "INSIDE", A), place(&quotas, "INSIDE", A));
        assert!(admit(&quotas, "INSIDE", A).is_none());
        drop(two);
        drop(place(&quotas, "INSIDE", A));
    }

    #[tokio::test]
    async fn an_address_with_too_many_is_refused() {
        let quotas = quotas(ConnectionLimits { per_address: 1, by_address: HashMap::from([(B, 2)]), ..limits() });
        let first = place(&quotas, "L", A);
        assert!(matches!(admit(&quotas, "L", A), Some(Admission::TooMany)));
        let _others = [place(&quotas, "L", B), place(&quotas, "L", B)];
        assert!(matches!(admit(&quotas, "L", B), Some(Admission::TooMany)));
        drop(first);
        drop(place(&quotas, "L", A));
    }

    #[tokio::test]
    async fn an_address_that_is_too_fast_is_refused_for_a_while() {
        let rates = HashMap::from([(A, 1)]);
        let quotas = quotas(ConnectionLimits { rate: Some(100), rates_of_addresses: rates, ..limits() });
        let _places: Vec<_> = (0..10).map(|_| place(&quotas, "L", A)).collect();
        for _ in 0..2 {
            let refused = admit(&quotas, "L", A);
            assert!(matches!(refused, Some(Admission::TooFast(wait)) if wait == Duration::from_secs(1)), "{refused:?}");
        }
        drop(place(&quotas, "L", B));
        let (_, of_addresses) = quotas.throttled();
        assert_eq!(of_addresses, Throttled { times: 2, milliseconds: 2000 });
        assert_eq!(quotas.lock().rate.throttle_ms(WINDOWS, 1.1, 5000), 0, "only those that were served count");
    }

    #[tokio::test]
    async fn a_broker_that_is_too_fast_accepts_more_slowly() {
        let quotas = quotas(ConnectionLimits { rate: Some(1), ..limits() });
        let _places: Vec<_> = (0..10).map(|_| place(&quotas, "L", A)).collect();
        assert_eq!(quotas.record(&"L".into()), Duration::from_secs(1), "no longer than a window");
        assert_eq!(quotas.throttled().0, Throttled { times: 1, milliseconds: 1000 });
    }
}
