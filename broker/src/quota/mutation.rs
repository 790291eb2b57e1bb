//! The quota of topic changes for one request. Source: `ControllerMutationQuota`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use raft::controller::{MutationQuota, ThrottlingQuotaExceeded};

use super::{Client, Quotas};
use crate::clock::Clock;

/// What one request may still create and delete. Strictly, what is too much is refused; otherwise it is done, and the client
/// waits afterwards.
pub struct Mutations {
    quotas: Arc<Quotas>,
    clock: Clock,
    user: String,
    client_id: String,
    is_strict: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    taken: f64,
    /// How long to wait, and since when, in ms.
    throttle: (i32, i64),
}

impl Mutations {
    /// For a request of `client`.
    pub fn new(quotas: Arc<Quotas>, clock: Clock, client: Client<'_>, is_strict: bool) -> Self {
        let Client { user, client_id } = client;
        let (user, client_id) = (user.to_owned(), client_id.to_owned());
        Self { quotas, clock, user, client_id, is_strict, state: Mutex::default() }
    }

    /// How long the client has to wait now, in ms.
    pub fn throttle_time_ms(&self) -> i32 {
        let (throttle_ms, since_ms) = self.lock().throttle;
        let left = i64::from(throttle_ms) - (self.clock.now_ms() - since_ms).max(0);
        left.clamp(0, i32::MAX.into()) as i32
    }

    fn client(&self) -> Client<'_> {
        Client { user: &self.user, client_id: &self.client_id }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MutationQuota for Mutations {
    fn begin(&self) {
        let mut state = self.lock();
        if state.taken > 0.0 {
            self.quotas.mutation.give_back(self.client(), state.taken, self.clock.now_ms());
        }
        *state = State::default();
    }

    fn record(&self, partitions: usize) -> Result<(), ThrottlingQuotaExceeded> {
        let now_ms = self.clock.now_ms();
        let throttle_ms = self.quotas.mutation.take(self.client(), partitions as f64, self.is_strict, now_ms);
        let mut state = self.lock();
        if throttle_ms > 0 {
            state.throttle = (throttle_ms, now_ms);
        }
        if self.is_strict && throttle_ms > 0 {
            return Err(ThrottlingQuotaExceeded);
        }
        state.taken += partitions as f64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quota::Windows;
    use crate::quota::testing::quotas;

    fn mutations(is_strict: bool) -> Mutations {
        let windows = Windows { samples: 11, sample_ms: 1000 };
        let of_all = Quotas::new(windows, windows);
        of_all.update(&quotas(&[(None, "controller_mutation_rate", 1.0)]));
        let client = Client { user: "u", client_id: "c" };
        Mutations::new(Arc::new(of_all), Clock::fixed(5000), client, is_strict)
    }

    #[test]
    fn a_decision_that_is_made_again_does_not_pay_twice() {
        let strict = mutations(true);
        for _ in 0..3 {
            strict.begin();
            assert_eq!(strict.record(12), Ok(()));
            assert_eq!(strict.record(1), Err(ThrottlingQuotaExceeded));
            assert_eq!(strict.throttle_time_ms(), 1000);
        }
    }

    #[test]
    fn without_strictness_all_is_done_and_paid_for() {
        let permissive = mutations(false);
        permissive.begin();
        assert_eq!((permissive.record(12), permissive.throttle_time_ms()), (Ok(()), 1000));
        assert_eq!((permissive.record(4), permissive.throttle_time_ms()), (Ok(()), 5000));
    }
}
