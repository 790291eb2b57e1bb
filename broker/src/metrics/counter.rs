//! Numbers that every worker adds to: each thread has a copy of its own to add to, and reading sums them up.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Copies of each number. Threads share one where there are more of them.
const SHARDS: usize = 8;

/// A row of `N` numbers that only grow.
#[derive(Debug)]
pub struct Counters<const N: usize> {
    shards: [Shard<N>; SHARDS],
}

/// Apart from the next one by more than the processor fetches at a time.
#[derive(Debug)]
#[repr(align(128))]
struct Shard<const N: usize>([AtomicU64; N]);

impl<const N: usize> Default for Counters<N> {
    fn default() -> Self {
        Self { shards: std::array::from_fn(|_| Shard(std::array::from_fn(|_| AtomicU64::new(0)))) }
    }
}

impl<const N: usize> Counters<N> {
    /// Adds to number `index`; one that is not in the row is not counted.
    pub fn add(&self, index: usize, amount: u64) {
        if let Some(number) = self.shards[shard()].0.get(index) {
            number.fetch_add(amount, Ordering::Relaxed);
        }
    }

    /// Number `index` now; 0 if it is not in the row.
    pub fn get(&self, index: usize) -> u64 {
        self.shards.iter().filter_map(|shard| shard.0.get(index)).map(|number| number.load(Ordering::Relaxed)).sum()
    }
}

/// The copy that this thread adds to.
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

    #[test]
    fn nothing_is_lost_between_threads() {
        let counters = Counters::<3>::default();
        std::thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| (0..1000).for_each(|_| counters.add(1, 2)));
            }
        });
        assert_eq!([0, 1, 2, 3].map(|index| counters.get(index)), [0, 40_000, 0, 0]);
        counters.add(3, 1);
    }
}
