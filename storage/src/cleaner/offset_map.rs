//! For each key the offset of its last record: hashes only, in a table of fixed size. Source: `SkimpyOffsetMap`.
//!
//! Kafka spends 24 bytes a slot, 16 of them an MD5. Here a slot takes 12: a 64-bit tag and the offset relative to the first
//! one. Where a key's slot lies comes from another 64 bits, and both hashes are keyed anew for each map, so a key that is
//! not in the map is taken for one that is with a probability of 2^-64 for each slot that is looked at: a few, not all.

use std::hash::{BuildHasher, RandomState};

/// What Kafka's map takes for a key, by which its settings count.
const KAFKA_SLOT_BYTES: u64 = 24;
/// Bytes of a slot here.
#[cfg(test)]
const SLOT_BYTES: usize = size_of::<Slot>();
/// Of so many slots...
const SLOTS: usize = 20;
/// ...so many may be used: a full table would never end a search.
const USED_SLOTS: usize = 19;

/// Tag, high and low half, and relative offset. A tag of zero is an empty slot. Three words and no structure, since the
/// allocator gives zeroed arrays of numbers without touching them.
type Slot = [u32; 3];

/// The last offset of each key of a stretch of the log.
pub(super) struct OffsetMap {
    slots: Vec<Slot>,
    home: RandomState,
    tag: RandomState,
    /// Keys that fit.
    capacity: usize,
    len: usize,
    /// Offset to which those in the slots are relative: that of the first record put.
    base_offset: Option<i64>,
    latest_offset: i64,
}

impl OffsetMap {
    /// A map for at most as many keys as Kafka's of `memory` bytes takes at a load of `load_factor`, and for no more than
    /// `most_keys`, so that a short stretch of log costs little.
    pub(super) fn new(memory: u64, load_factor: f64, most_keys: i64) -> Self {
        let kafka_slots = (memory / KAFKA_SLOT_BYTES) as f64;
        let capacity = ((kafka_slots * load_factor) as usize).min(usize::try_from(most_keys).unwrap_or(0)).max(1);
        Self {
            slots: vec![[0; 3]; capacity / USED_SLOTS * SLOTS + SLOTS],
            home: RandomState::new(),
            tag: RandomState::new(),
            capacity,
            len: 0,
            base_offset: None,
            latest_offset: -1,
        }
    }

    /// Notes `offset` as the last one of `key`. False if there is no room, even if the key is known (as Kafka's cleaner
    /// asks before it looks): then nothing is noted.
    #[must_use]
    pub(super) fn put(&mut self, key: &[u8], offset: i64) -> bool {
        let base_offset = *self.base_offset.get_or_insert(offset);
        let Ok(relative) = u32::try_from(offset.saturating_sub(base_offset)) else { return false };
        if self.len >= self.capacity {
            return false;
        }
        let (at, tag) = self.find(key);
        if let Some(slot) = self.slots.get_mut(at) {
            self.len += usize::from(is_empty(slot));
            *slot = [tag[0], tag[1], relative];
        }
        self.latest_offset = offset;
        true
    }

    /// The last offset of `key`; `None` if there was no such key.
    pub(super) fn get(&self, key: &[u8]) -> Option<i64> {
        let base_offset = self.base_offset?;
        let slot = self.slots.get(self.find(key).0).filter(|slot| !is_empty(slot))?;
        Some(base_offset.saturating_add(i64::from(slot[2])))
    }

    /// Everything up to here (inclusive) was put; −1: nothing was.
    pub(super) fn latest_offset(&self) -> i64 {
        self.latest_offset
    }

    /// Notes that everything up to `offset` (inclusive) was put.
    pub(super) fn set_latest_offset(&mut self, offset: i64) {
        self.latest_offset = offset;
    }

    /// How full it is, from 0 to 1.
    pub(super) fn utilization(&self) -> f64 {
        self.len as f64 / self.capacity as f64
    }

    /// Where `key` is, or the empty slot where it belongs; and its tag.
    fn find(&self, key: &[u8]) -> (usize, [u32; 2]) {
        let tag = self.tag.hash_one(key).max(1);
        let tag = [(tag >> 32) as u32, tag as u32];
        let count = self.slots.len();
        let mut at = ((u128::from(self.home.hash_one(key)) * count as u128) >> 64) as usize;
        loop {
            match self.slots.get(at) {
                Some(slot) if !is_empty(slot) && slot[..2] != tag => at += 1,
                Some(_) => return (at, tag),
                None => at = 0,
            }
        }
    }
}

fn is_empty(slot: &Slot) -> bool {
    slot[0] == 0 && slot[1] == 0
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    const DEFAULT_MEMORY: u64 = 128 << 20;

    #[test]
    fn as_many_keys_as_kafka_in_half_the_memory() {
        let map = OffsetMap::new(DEFAULT_MEMORY, 0.9, i64::MAX);
        assert_eq!(map.capacity, 5_033_164);
        let bytes = map.slots.len() * SLOT_BYTES;
        assert!(bytes < 61 << 20, "{bytes}");
        assert!(map.slots.len() > map.capacity, "a search ends");
        let small = OffsetMap::new(DEFAULT_MEMORY, 0.9, 100);
        assert!(small.slots.len() < 200);
    }

    #[test]
    fn a_full_map_takes_nothing_more() {
        let mut map = OffsetMap::new(24 * 100, 0.9, i64::MAX);
        assert_eq!(map.capacity, 90);
        for key in 0..90i64 {
            assert!(map.put(&key.to_be_bytes(), key));
        }
        assert!(!map.put(&90i64.to_be_bytes(), 90));
        assert!(!map.put(&5i64.to_be_bytes(), 91), "known or not");
        assert_eq!((map.get(&5i64.to_be_bytes()), map.latest_offset()), (Some(5), 89));
        assert!(map.utilization() > 0.99);
    }

    #[test]
    fn offsets_too_far_apart_are_left_for_another_round() {
        let mut map = OffsetMap::new(DEFAULT_MEMORY, 0.9, 10);
        let start = 1 << 40;
        assert!(map.put(b"a", start));
        assert!(map.put(b"b", start + i64::from(u32::MAX)));
        assert!(!map.put(b"c", start + i64::from(u32::MAX) + 1));
        assert_eq!(map.get(b"b"), Some(start + i64::from(u32::MAX)));
    }

    proptest! {
        #[test]
        fn it_holds_what_a_hash_map_holds(keys in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..3), 1..500)) {
            let mut map = OffsetMap::new(24 * 1000, 0.9, i64::MAX);
            let mut model = HashMap::new();
            for (offset, key) in (7..).zip(&keys) {
                prop_assert!(map.put(key, offset));
                model.insert(key.clone(), offset);
            }
            for (key, offset) in &model {
                prop_assert_eq!(map.get(key), Some(*offset));
            }
            prop_assert_eq!(map.get(b"four"), None);
        }
    }
}
