//! Which transactions are under way where the cleaner reads, which of them were aborted, and when their markers may go.
//! Source: `CleanedTransactionMetadata`.

use std::collections::{HashMap, HashSet, VecDeque};

use protocol::record_batch::{BatchHeader, RecordViews};

use crate::index::txn_index::AbortedTxn;

/// Types in the key of a control record (`ControlRecordType`).
const ABORT: i16 = 0;
const COMMIT: i16 = 1;

/// The transactions as the cleaner comes by them. It must read every batch from the start on, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct CleanedTransactions {
    /// Aborted ones that begin further on, by first offset.
    to_come: VecDeque<AbortedTxn>,
    /// Producer to its aborted transaction, and whether a batch of it was seen.
    aborted: HashMap<i64, (AbortedTxn, bool)>,
    /// Producers with a transaction that was committed later.
    committed: HashSet<i64>,
    /// Aborted ones whose marker stays: the index of the cleaned segment.
    retained: Vec<AbortedTxn>,
}

impl CleanedTransactions {
    /// Begins before the first of `aborted`, which come from the transaction indexes.
    pub(super) fn new(mut aborted: Vec<AbortedTxn>) -> Self {
        aborted.sort_unstable_by_key(|transaction| transaction.first_offset);
        Self { to_come: aborted.into(), ..Self::default() }
    }

    /// Comes by a batch of data; true if its transaction was aborted.
    pub(super) fn on_batch(&mut self, header: &BatchHeader) -> bool {
        self.begin_up_to(header.last_offset());
        if !header.attributes.is_transactional() {
            return false;
        }
        match self.aborted.get_mut(&header.producer_id) {
            Some((_, is_seen)) => {
                *is_seen = true;
                true
            }
            None => {
                self.committed.insert(header.producer_id);
                false
            }
        }
    }

    /// Comes by a control batch with the plain bytes of its records; true if nothing of its transaction is left, so that it
    /// may go.
    pub(super) fn on_control_batch(&mut self, header: &BatchHeader, records: &[u8]) -> bool {
        self.begin_up_to(header.last_offset());
        // One without its record was cleaned before.
        let Some(Ok(record)) = RecordViews::new(header, records).next() else { return true };
        match record.key.and_then(control_type) {
            Some(ABORT) => match self.aborted.remove(&header.producer_id) {
                Some((transaction, true)) => {
                    self.retained.push(transaction);
                    false
                }
                _ => true,
            },
            Some(COMMIT) => !self.committed.remove(&header.producer_id),
            _ => false,
        }
    }

    /// The aborted transactions whose marker was retained since the last call.
    pub(super) fn take_retained(&mut self) -> Vec<AbortedTxn> {
        std::mem::take(&mut self.retained)
    }

    fn begin_up_to(&mut self, offset: i64) {
        while let Some(transaction) = self.to_come.pop_front_if(|transaction| transaction.first_offset <= offset) {
            self.aborted.entry(transaction.producer_id).or_insert((transaction, false));
        }
    }
}

/// Version, then type, two bytes each.
fn control_type(key: &[u8]) -> Option<i16> {
    Some(i16::from_be_bytes(*key.get(2..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use protocol::record_batch::{BatchBuilder, Codec, HEADER_SIZE};

    use super::*;

    fn data(offset: i64, producer_id: i64) -> BatchHeader {
        let mut builder = BatchBuilder::new(offset, Codec::None).producer(producer_id, 0, 0).transactional();
        builder.append(0, Some(b"k"), Some(b"v"), &[]);
        BatchHeader::read(&builder.build()).unwrap()
    }

    fn marker(offset: i64, producer_id: i64, kind: i16) -> (BatchHeader, Bytes) {
        let mut builder = BatchBuilder::new(offset, Codec::None).producer(producer_id, 0, -1).transactional().control();
        let key = [&[0, 0][..], &kind.to_be_bytes()].concat();
        builder.append(0, Some(&key), Some(&[0; 6]), &[]);
        let batch = builder.build();
        (BatchHeader::read(&batch).unwrap(), batch.slice(HEADER_SIZE..))
    }

    fn aborted(producer_id: i64, first_offset: i64, last_offset: i64) -> AbortedTxn {
        AbortedTxn { producer_id, first_offset, last_offset, last_stable_offset: last_offset + 1 }
    }

    #[test]
    fn a_marker_stays_as_long_as_something_of_its_transaction_is_there() {
        let mut transactions = CleanedTransactions::new(vec![aborted(2, 9, 12), aborted(1, 0, 5), aborted(1, 8, 11)]);
        assert!(transactions.on_batch(&data(0, 1)));
        assert!(!transactions.on_batch(&data(1, 2)), "its aborted one comes later");
        let (header, records) = marker(2, 2, COMMIT);
        assert!(!transactions.on_control_batch(&header, &records));
        let (header, records) = marker(5, 1, ABORT);
        assert!(!transactions.on_control_batch(&header, &records));
        assert_eq!(transactions.take_retained(), [aborted(1, 0, 5)]);
        let (header, records) = marker(6, 2, COMMIT);
        assert!(transactions.on_control_batch(&header, &records), "nothing of this one is left");
        let (header, records) = marker(11, 1, ABORT);
        assert!(transactions.on_control_batch(&header, &records), "nor of this one");
        assert!(transactions.on_batch(&data(11, 2)));
        assert!(transactions.take_retained().is_empty());
    }

    #[test]
    fn an_emptied_marker_may_go_and_an_unknown_one_stays() {
        let mut transactions = CleanedTransactions::default();
        let (header, records) = marker(0, 1, 5);
        assert!(!transactions.on_control_batch(&header, &records));
        let emptied = BatchHeader { record_count: 0, ..header };
        assert!(transactions.on_control_batch(&emptied, &[]));
    }
}
