//! Offsets that were committed in a transaction whose end is not known yet. Ottla coordinates no transactions; a log that Kafka
//! wrote may hold them. Source: `OffsetMetadataManager.pendingTransactionalOffsets`.

use std::collections::HashMap;
use std::sync::Arc;

use super::offsets::CommittedOffset;

/// Whose offset it is: group, topic, partition.
pub(super) type Place = (Arc<str>, Arc<str>, i32);

/// Pending offsets by producer id.
#[derive(Debug, Default)]
pub(super) struct PendingOffsets {
    by_producer: HashMap<i64, HashMap<Place, CommittedOffset>>,
    /// How many producers have a pending offset at each place.
    places: HashMap<Place, usize>,
}

impl PendingOffsets {
    pub(super) fn insert(&mut self, producer_id: i64, place: Place, offset: CommittedOffset) {
        if self.by_producer.entry(producer_id).or_default().insert(place.clone(), offset).is_none() {
            *self.places.entry(place).or_default() += 1;
        }
    }

    /// The transaction is over; gives what it would commit.
    pub(super) fn end(&mut self, producer_id: i64) -> HashMap<Place, CommittedOffset> {
        let ended = self.by_producer.remove(&producer_id).unwrap_or_default();
        for place in ended.keys() {
            self.forget(place);
        }
        ended
    }

    /// The offset was deleted: no transaction brings it back.
    pub(super) fn remove(&mut self, place: &Place) {
        if self.places.remove(place).is_some() {
            for pending in self.by_producer.values_mut() {
                pending.remove(place);
            }
            self.by_producer.retain(|_, pending| !pending.is_empty());
        }
    }

    /// Whether a reader of stable offsets has to wait.
    pub(super) fn contains(&self, place: &Place) -> bool {
        self.places.contains_key(place)
    }

    /// Whether a group has pending offsets.
    pub(super) fn contains_group(&self, id: &str) -> bool {
        self.places.keys().any(|(group, ..)| **group == *id)
    }

    fn forget(&mut self, place: &Place) {
        if let Some(count) = self.places.get_mut(place) {
            *count -= 1;
            if *count == 0 {
                self.places.remove(place);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::coordinator_record::OffsetCommitValue;

    fn offset(offset: i64) -> CommittedOffset {
        CommittedOffset::from_record(&OffsetCommitValue { offset, ..OffsetCommitValue::default() })
    }

    #[test]
    fn a_place_is_unstable_until_its_last_transaction_ends() {
        let place: Place = ("g".into(), "t".into(), 0);
        let mut pending = PendingOffsets::default();
        pending.insert(1, place.clone(), offset(10));
        pending.insert(1, place.clone(), offset(11));
        pending.insert(2, place.clone(), offset(20));
        assert_eq!(pending.end(1).get(&place), Some(&offset(11)));
        assert!(pending.contains(&place));
        pending.remove(&place);
        assert!(!pending.contains(&place) && pending.end(2).is_empty() && !pending.contains_group("g"));
    }
}
