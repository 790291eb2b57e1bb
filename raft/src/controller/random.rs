//! The only randomness of the controller, so that a simulation can replace it.

use protocol::ids::{Uuid, format_uuid};
use rand::{RngExt, SeedableRng, rngs::StdRng};

/// Random choices.
pub trait Randomness: Send + Sync {
    /// A number below `bound`, which is not 0.
    fn below(&mut self, bound: usize) -> usize;

    /// 128 random bits.
    fn bits(&mut self) -> u128;

    /// A random id as Kafka makes them (`Uuid.randomUuid`): version 4, and printed it does not begin with a dash, which tools
    /// would take for an option.
    fn uuid(&mut self) -> Uuid {
        loop {
            let uuid = uuid::Builder::from_random_bytes(self.bits().to_be_bytes()).into_uuid();
            if !format_uuid(uuid).starts_with('-') {
                return uuid;
            }
        }
    }
}

/// Shuffles `items`.
pub(super) fn shuffle<T>(random: &mut dyn Randomness, items: &mut [T]) {
    for last in (1..items.len()).rev() {
        items.swap(last, random.below(last + 1));
    }
}

/// A generator that gives the same choices for the same seed.
#[derive(Debug)]
pub struct Seeded(StdRng);

impl Seeded {
    /// Starts from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    /// Starts from the operating system's entropy.
    #[must_use]
    pub fn from_entropy() -> Self {
        Self(rand::make_rng())
    }
}

impl Randomness for Seeded {
    fn below(&mut self, bound: usize) -> usize {
        self.0.random_range(0..bound)
    }

    fn bits(&mut self) -> u128 {
        self.0.random()
    }
}
