//! A bounded set of things that are dear to keep and cheap to make again: open files, maps.
//!
//! The owner keeps a [`Slot`]; the cache fills it when asked and empties it again when there are too many. A use costs
//! the slot's own lock and a flag, no lock shared with others; which slot is emptied is decided by the clock algorithm.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// The owner's place for one thing. An empty slot costs 40 bytes.
#[derive(Debug)]
pub(crate) struct Slot<T> {
    value: Mutex<Option<T>>,
    used: AtomicBool,
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self { value: Mutex::new(None), used: AtomicBool::new(false) }
    }
}

impl<T> Slot<T> {
    fn lock(&self) -> MutexGuard<'_, Option<T>> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the thing out, if there is one.
    pub(crate) fn take(&self) -> Option<T> {
        self.lock().take()
    }

    /// Drops the thing and runs `change` before anybody can make it again.
    pub(crate) fn emptied<R>(&self, change: impl FnOnce() -> R) -> R {
        let mut value = self.lock();
        *value = None;
        change()
    }
}

/// What can be told of a thing when the cache looks for one to drop.
pub(crate) trait Evict {
    /// Whether dropping it loses nothing.
    fn is_idle(&self) -> bool;
    /// Makes it idle at a price; asked only when nothing is idle. False when that failed.
    fn settle(&self) -> bool;
}

/// The cache: a ring of the filled slots and a hand that goes round.
#[derive(Debug)]
pub(crate) struct SlotCache<T> {
    budget: AtomicUsize,
    ring: Mutex<Ring<T>>,
}

#[derive(Debug)]
struct Ring<T> {
    slots: Vec<Weak<Slot<T>>>,
    hand: usize,
}

impl<T: Evict> SlotCache<T> {
    pub(crate) fn new(budget: usize) -> Self {
        Self { budget: AtomicUsize::new(budget.max(1)), ring: Mutex::new(Ring { slots: Vec::new(), hand: 0 }) }
    }

    pub(crate) fn set_budget(&self, budget: usize) {
        self.budget.store(budget.max(1), Ordering::Relaxed);
    }

    /// How many slots are filled, those counted in that their owner emptied or dropped since the hand passed.
    pub(crate) fn filled(&self) -> usize {
        self.lock().slots.len()
    }

    /// Runs `read` on the thing in the slot, which is made by `make` when the slot is empty. The slot's lock is held
    /// meanwhile, so whoever empties the slot afterwards knows that nobody is reading.
    ///
    /// # Errors
    /// What `make` says.
    pub(crate) fn with<R>(
        &self,
        slot: &Arc<Slot<T>>,
        make: impl FnOnce() -> io::Result<T>,
        read: impl FnOnce(&T) -> R,
    ) -> io::Result<R> {
        let mut value = slot.lock();
        if !slot.used.load(Ordering::Relaxed) {
            slot.used.store(true, Ordering::Relaxed);
        }
        if let Some(value) = &*value {
            return Ok(read(value));
        }
        self.make_room();
        let made = value.insert(make()?);
        self.lock().slots.push(Arc::downgrade(slot));
        Ok(read(made))
    }

    /// Empties one slot, whatever the budget says. False when there is none to empty.
    pub(crate) fn evict_one(&self) -> bool {
        let mut ring = self.lock();
        ring.evict(Wanted::Idle) || ring.evict(Wanted::Any)
    }

    /// Brings the number of slots below the budget: idle things go first. What neither is idle nor can be made so may
    /// exceed it.
    fn make_room(&self) {
        let budget = self.budget.load(Ordering::Relaxed);
        let mut ring = self.lock();
        while ring.slots.len() >= budget && (ring.evict(Wanted::Idle) || ring.evict(Wanted::Any)) {}
    }

    fn lock(&self) -> MutexGuard<'_, Ring<T>> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Idle,
    Any,
}

impl<T: Evict> Ring<T> {
    /// Goes round at most twice: the first time over, used slots are spared.
    fn evict(&mut self, wanted: Wanted) -> bool {
        for _ in 0..self.slots.len() * 2 {
            if self.slots.is_empty() {
                return false;
            }
            self.hand %= self.slots.len();
            if Self::empty(&self.slots[self.hand], wanted) {
                self.slots.swap_remove(self.hand);
                return true;
            }
            self.hand += 1;
        }
        false
    }

    /// Empties the slot if that may be; true when its place in the ring is free now. A slot whose lock is taken is
    /// being used: waiting for it here could wait for ourselves.
    fn empty(slot: &Weak<Slot<T>>, wanted: Wanted) -> bool {
        let Some(slot) = slot.upgrade() else { return true };
        if slot.used.swap(false, Ordering::Relaxed) {
            return false;
        }
        let Ok(mut value) = slot.value.try_lock() else { return false };
        match &*value {
            None => true,
            Some(thing) if thing.is_idle() || (wanted == Wanted::Any && thing.settle()) => {
                *value = None;
                true
            }
            Some(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Debug)]
    struct Thing {
        number: usize,
        busy: Arc<AtomicBool>,
    }

    impl Evict for Thing {
        fn is_idle(&self) -> bool {
            !self.busy.load(Ordering::Relaxed)
        }

        fn settle(&self) -> bool {
            self.busy.store(false, Ordering::Relaxed);
            true
        }
    }

    fn thing(number: usize) -> Thing {
        Thing { number, busy: Arc::default() }
    }

    fn slots(count: usize) -> Vec<Arc<Slot<Thing>>> {
        (0..count).map(|_| Arc::default()).collect()
    }

    fn get(cache: &SlotCache<Thing>, slot: &Arc<Slot<Thing>>, made: io::Result<Thing>) -> io::Result<Thing> {
        cache.with(slot, || made, Thing::clone)
    }

    fn filled(slots: &[Arc<Slot<Thing>>]) -> Vec<usize> {
        slots.iter().filter_map(|slot| slot.lock().as_ref().map(|thing| thing.number)).collect()
    }

    #[test]
    fn never_more_idle_things_than_the_budget() {
        let cache = SlotCache::new(3);
        let slots = slots(10);
        for (number, slot) in slots.iter().enumerate() {
            assert_eq!(get(&cache, slot, Ok(thing(number))).unwrap().number, number);
            assert!(filled(&slots).len() <= 3);
        }
        assert_eq!(filled(&slots).last(), Some(&9));
    }

    #[test]
    fn a_thing_in_use_outlives_one_that_is_not() {
        let cache = SlotCache::new(3);
        let slots = slots(10);
        for (number, slot) in slots.iter().enumerate() {
            get(&cache, slot, Ok(thing(number))).unwrap();
            get(&cache, &slots[0], Ok(thing(0))).unwrap();
        }
        let made_again = get(&cache, &slots[0], Err(io::ErrorKind::Other.into()));
        assert!(made_again.is_ok(), "the slot used after each step was emptied");
    }

    #[test]
    fn what_is_not_idle_goes_last() {
        let cache = SlotCache::new(3);
        let slots = slots(6);
        for (number, slot) in slots.iter().enumerate() {
            get(&cache, slot, Ok(thing(number))).unwrap().busy.store(number < 2, Ordering::Relaxed);
        }
        assert_eq!(filled(&slots), [0, 1, 5]);
        assert!(cache.evict_one());
        assert_eq!(filled(&slots), [0, 1]);
        assert!(cache.evict_one() && cache.evict_one() && !cache.evict_one());
    }

    #[test]
    fn slots_of_dropped_owners_leave_the_ring_first() {
        let cache = SlotCache::new(4);
        let kept = slots(2);
        for (number, slot) in kept.iter().enumerate() {
            get(&cache, slot, Ok(thing(number))).unwrap();
        }
        for round in 0..100 {
            let dropped = Arc::default();
            get(&cache, &dropped, Ok(thing(round))).unwrap();
        }
        assert!(cache.filled() <= 4);
    }

    #[test]
    fn a_failed_making_leaves_the_slot_empty() {
        let cache = SlotCache::new(2);
        let slot = Arc::<Slot<Thing>>::default();
        assert!(get(&cache, &slot, Err(io::ErrorKind::NotFound.into())).is_err());
        assert_eq!(get(&cache, &slot, Ok(thing(7))).unwrap().number, 7);
        assert_eq!(slot.take().unwrap().number, 7);
    }
}
