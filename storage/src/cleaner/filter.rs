//! What stays of a batch. Source: `Cleaner.cleanInto`, `MemoryRecords.filterTo`.

use std::collections::HashMap;
use std::io;

use protocol::record_batch::{
    BatchError, BatchHeader, RecordView, RecordViews, expansion_limit, plain_records, retain_nothing, retain_records,
};

use super::offset_map::OffsetMap;
use super::transactions::CleanedTransactions;

/// What a producer that is not forgotten wrote last. Source: `LastRecord`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LastRecord {
    /// Its last record; `None` if that is a marker.
    pub(crate) last_data_offset: Option<i64>,
    pub(crate) producer_epoch: i16,
}

/// Why a batch cannot be filtered.
#[derive(Debug)]
pub(super) enum FilterError {
    Corrupt(BatchError),
    Rewrite(io::Error),
}

impl<E: Into<BatchError>> From<E> for FilterError {
    fn from(error: E) -> Self {
        Self::Corrupt(error.into())
    }
}

/// How much went through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct FilterStats {
    pub(super) records_read: u64,
    pub(super) records_retained: u64,
    /// Records without a key, which have no place in a compacted log.
    pub(super) records_without_key: u64,
}

/// Decides over batch after batch of a log, from its start on.
pub(super) struct Filter<'a> {
    pub(super) map: &'a OffsetMap,
    pub(super) transactions: CleanedTransactions,
    pub(super) last_records: HashMap<i64, LastRecord>,
    pub(super) now_ms: i64,
    pub(super) delete_retention_ms: i64,
    /// Tombstones and markers from there on (inclusive) stay though their time is over.
    pub(super) tombstones_stay_from: i64,
    /// Where this round ends (exclusive): the batch that ends there stays, so that the log does not seem to end earlier.
    pub(super) end_offset: i64,
    pub(super) stats: FilterStats,
    /// Records decompressed.
    pub(super) plain: Vec<u8>,
}

/// What is decided over a batch before its records are looked at.
#[derive(Clone, Copy, Debug)]
struct Verdict {
    /// None of its records stays.
    discard_records: bool,
    /// It stays even without records.
    retain_empty: bool,
    /// A marker with nothing left of its transaction: from now on it has a delete horizon.
    is_marker_of_nothing: bool,
}

impl Filter<'_> {
    /// Appends to `out` what stays of `batch`, and returns the header of that; `None` if nothing does.
    pub(super) fn filter(
        &mut self,
        header: &BatchHeader,
        batch: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Option<BatchHeader>, FilterError> {
        let mut plain = std::mem::take(&mut self.plain);
        let filtered = self.filter_into(header, batch, &mut plain, out);
        self.plain = plain;
        filtered
    }

    fn filter_into(
        &mut self,
        header: &BatchHeader,
        batch: &[u8],
        plain: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) -> Result<Option<BatchHeader>, FilterError> {
        let records = plain_records(header, batch, plain, expansion_limit(batch.len()))?;
        let verdict = self.judge(header, records);
        let retained = if verdict.discard_records {
            self.stats.records_read += u64::try_from(header.record_count).unwrap_or(0);
            Vec::new()
        } else {
            self.retained(header, records)?
        };
        self.stats.records_retained += retained.len() as u64;
        if retained.is_empty() {
            return Ok(verdict.retain_empty.then(|| {
                let empty = retain_nothing(header);
                out.extend_from_slice(&empty.write());
                empty
            }));
        }
        let may_go_later = verdict.is_marker_of_nothing || retained.iter().any(|record| record.value.is_none());
        let needs_horizon = may_go_later && !header.attributes.has_delete_horizon();
        if retained.len() as u64 == u64::try_from(header.record_count).unwrap_or(0) && !needs_horizon {
            out.extend_from_slice(batch);
            return Ok(Some(*header));
        }
        let new_horizon = self.now_ms.saturating_add(self.delete_retention_ms);
        let horizon = if needs_horizon { Some(new_horizon) } else { header.delete_horizon_ms() };
        let rewritten = retain_records(header, header.attributes.codec()?, &retained, horizon, out);
        rewritten.map(Some).map_err(FilterError::Rewrite)
    }

    fn judge(&mut self, header: &BatchHeader, records: &[u8]) -> Verdict {
        let is_control = header.attributes.is_control();
        let can_discard = if is_control {
            self.transactions.on_control_batch(header, records)
        } else {
            self.transactions.on_batch(header)
        };
        Verdict {
            discard_records: can_discard && (!is_control || self.is_over(header)),
            retain_empty: self.is_last_of_producer(header) || header.next_offset() == self.end_offset,
            is_marker_of_nothing: can_discard && is_control,
        }
    }

    /// The last batch of a producer has its last sequence; where that is a marker, it has the epoch that fences others.
    fn is_last_of_producer(&self, header: &BatchHeader) -> bool {
        let last = header.has_producer_id().then(|| self.last_records.get(&header.producer_id)).flatten();
        last.is_some_and(|last| match last.last_data_offset {
            Some(offset) => header.last_offset() == offset,
            None => header.attributes.is_control() && header.producer_epoch == last.producer_epoch,
        })
    }

    fn retained<'r>(&mut self, header: &BatchHeader, records: &'r [u8]) -> Result<Vec<RecordView<'r>>, FilterError> {
        let mut retained = Vec::new();
        for record in RecordViews::new(header, records) {
            let record = record?;
            self.stats.records_read += 1;
            if header.attributes.is_control() || self.retains(header, &record) {
                retained.push(record);
            }
        }
        Ok(retained)
    }

    fn retains(&mut self, header: &BatchHeader, record: &RecordView<'_>) -> bool {
        let offset = header.base_offset.saturating_add(i64::from(record.offset_delta));
        if offset > self.map.latest_offset() {
            return true;
        }
        let Some(key) = record.key else {
            self.stats.records_without_key += 1;
            return false;
        };
        let is_latest = self.map.get(key).is_none_or(|latest| offset >= latest);
        is_latest && (record.value.is_some() || !self.is_over(header))
    }

    /// Whether tombstones, or the marker, of a batch may go.
    fn is_over(&self, header: &BatchHeader) -> bool {
        header.last_offset() < self.tombstones_stay_from
            && header.delete_horizon_ms().is_some_and(|horizon| horizon <= self.now_ms)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use protocol::record_batch::{BatchBuilder, Codec, Records, check_crc};

    use super::*;

    const DAY: i64 = 86_400_000;

    fn batch(offset: i64, codec: Codec, records: &[(&str, Option<&str>)]) -> Bytes {
        let mut builder = BatchBuilder::new(offset, codec).producer(1, 0, 5);
        for (key, value) in records {
            builder.append(1_000, Some(key.as_bytes()), value.map(str::as_bytes), &[]);
        }
        builder.build()
    }

    fn map(entries: &[(&str, i64)]) -> OffsetMap {
        let mut map = OffsetMap::new(1 << 16, 0.9, 1000);
        assert!(entries.iter().all(|(key, offset)| map.put(key.as_bytes(), *offset)));
        map.set_latest_offset(100);
        map
    }

    fn filter(map: &OffsetMap, now_ms: i64) -> Filter<'_> {
        Filter {
            map,
            transactions: CleanedTransactions::default(),
            last_records: HashMap::new(),
            now_ms,
            delete_retention_ms: DAY,
            tombstones_stay_from: i64::MAX,
            end_offset: 101,
            stats: FilterStats::default(),
            plain: Vec::new(),
        }
    }

    fn run(filter: &mut Filter<'_>, batch: &Bytes) -> Option<(BatchHeader, Bytes)> {
        let mut out = Vec::new();
        let header = filter.filter(&BatchHeader::read(batch).unwrap(), batch, &mut out).unwrap();
        assert_eq!(header.is_some(), !out.is_empty());
        header.map(|header| {
            check_crc(&out).unwrap();
            assert_eq!(BatchHeader::read(&out).unwrap(), header);
            (header, out.into())
        })
    }

    fn kept(batch: &Bytes) -> Vec<(i64, Bytes)> {
        Records::open(batch, 1 << 20).unwrap().map(Result::unwrap).map(|r| (r.offset, r.key.unwrap())).collect()
    }

    #[test]
    fn only_the_last_record_of_a_key_stays() {
        for codec in Codec::ALL {
            let map = map(&[("a", 10), ("b", 11), ("c", 50)]);
            let original = batch(10, codec, &[("a", Some("1")), ("b", Some("2")), ("c", Some("3")), ("x", Some("4"))]);
            let (header, bytes) = run(&mut filter(&map, 0), &original).unwrap();
            assert_eq!(kept(&bytes), [(10, "a".into()), (11, "b".into()), (13, "x".into())]);
            assert_eq!((header.last_offset(), header.last_sequence()), (13, 8));
            assert_eq!(header.attributes, BatchHeader::read(&original).unwrap().attributes);
        }
    }

    #[test]
    fn a_batch_that_stays_whole_is_not_touched() {
        for codec in Codec::ALL {
            let original = batch(10, codec, &[("a", Some("1")), ("b", Some("2"))]);
            let (_, bytes) = run(&mut filter(&map(&[("a", 10), ("b", 11)]), 0), &original).unwrap();
            assert_eq!(bytes, original);
            let behind = batch(101, codec, &[("a", Some("1")), ("a", Some("2"))]);
            assert_eq!(run(&mut filter(&map(&[("a", 99)]), 0), &behind).unwrap().1, behind, "not in the map yet");
        }
    }

    #[test]
    fn a_tombstone_goes_when_its_horizon_is_over() {
        let map = map(&[("a", 10), ("b", 11)]);
        let original = batch(10, Codec::Lz4, &[("a", None), ("b", Some("2"))]);
        let (header, first) = run(&mut filter(&map, 5_000), &original).unwrap();
        assert_eq!(header.delete_horizon_ms(), Some(5_000 + DAY));
        assert_eq!(kept(&first).len(), 2);
        let (_, again) = run(&mut filter(&map, 4_999 + DAY), &first).unwrap();
        assert_eq!(again, first, "the horizon does not move");
        let (header, last) = run(&mut filter(&map, 5_000 + DAY), &first).unwrap();
        assert_eq!(kept(&last), [(11, "b".into())]);
        assert_eq!(header.delete_horizon_ms(), Some(5_000 + DAY), "kept, as Kafka keeps it");
        for (tombstones_stay_from, expected) in [(0, &first), (11, &first), (12, &last)] {
            let mut filter = Filter { tombstones_stay_from, ..filter(&map, 5_000 + DAY) };
            let (_, found) = run(&mut filter, &first).unwrap();
            assert_eq!(&found, expected, "{tombstones_stay_from}: older records lie elsewhere");
        }
    }

    #[test]
    fn an_empty_batch_stays_for_its_producer_or_for_the_end_of_the_round() {
        let map = map(&[("a", 50)]);
        let original = batch(10, Codec::None, &[("a", Some("1")), ("a", Some("2"))]);
        assert!(run(&mut filter(&map, 0), &original).is_none());
        let last = |offset| LastRecord { last_data_offset: Some(offset), producer_epoch: 0 };
        for (offset, stays) in [(11, true), (10, false), (12, false)] {
            let mut filter = filter(&map, 0);
            filter.last_records.insert(1, last(offset));
            let kept = run(&mut filter, &original);
            assert_eq!(kept.is_some(), stays);
            if let Some((header, _)) = kept {
                assert_eq!((header.record_count, header.last_offset(), header.last_sequence()), (0, 11, 6));
            }
        }
        let mut ends_here = filter(&map, 0);
        ends_here.end_offset = 12;
        let (empty, bytes) = run(&mut ends_here, &original).unwrap();
        assert_eq!(empty.record_count, 0);
        assert!(run(&mut filter(&map, 0), &bytes).is_none(), "an empty one goes when nobody needs it");
    }

    #[test]
    fn records_without_a_key_go() {
        let map = map(&[("a", 11)]);
        let mut builder = BatchBuilder::new(10, Codec::None);
        builder.append(0, None, Some(b"v"), &[]);
        builder.append(0, Some(b"a"), Some(b"v"), &[]);
        let mut filter = filter(&map, 0);
        let (_, bytes) = run(&mut filter, &builder.build()).unwrap();
        assert_eq!(kept(&bytes), [(11, "a".into())]);
        assert_eq!(filter.stats, FilterStats { records_read: 2, records_retained: 1, records_without_key: 1 });
    }

    #[test]
    fn a_marker_of_nothing_gets_a_horizon_and_goes_after_it() {
        let map = map(&[]);
        let mut builder = BatchBuilder::new(10, Codec::None).producer(1, 0, -1).transactional().control();
        builder.append(1_000, Some(&[0, 0, 0, 1]), Some(&[0; 6]), &[]);
        let (header, first) = run(&mut filter(&map, 5_000), &builder.build()).unwrap();
        assert_eq!((header.delete_horizon_ms(), header.record_count), (Some(5_000 + DAY), 1));
        assert!(run(&mut filter(&map, 4_999 + DAY), &first).is_some());
        assert!(run(&mut filter(&map, 5_000 + DAY), &first).is_none());
        let mut fenced = filter(&map, 5_000 + DAY);
        fenced.last_records.insert(1, LastRecord { last_data_offset: None, producer_epoch: 0 });
        let (header, _) = run(&mut fenced, &first).unwrap();
        assert_eq!(header.record_count, 0, "its epoch is all there is of the producer");
    }

    #[test]
    fn a_damaged_batch_is_an_error() {
        let mut bytes = batch(10, Codec::Zstd, &[("a", Some("1"))]).to_vec();
        let last = bytes.len() - 1;
        bytes.truncate(last);
        let header = BatchHeader::read(&bytes).unwrap();
        let damaged = filter(&map(&[]), 0).filter(&header, &bytes, &mut Vec::new());
        assert!(matches!(damaged, Err(FilterError::Corrupt(BatchError::Short(_)))));
    }
}
