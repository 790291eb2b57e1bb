//! The judge of a log: reads it back over the raw client and checks that offsets and bytes are what they must be.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use bytes::Bytes;
use protocol::record_batch::{BatchHeader, Batches, Record, Records, check_crc, expansion_limit};

use crate::records;
use crate::wire::{Connection, FetchQuery};

/// Everything readable in a partition, as the raw client sees it.
pub struct Contents {
    pub headers: Vec<BatchHeader>,
    pub records: Vec<Record>,
}

/// Splits fetched bytes into batches; an unfinished last one is legal and left out.
///
/// # Panics
/// A batch is broken.
#[track_caller]
pub fn batches(records: &Bytes) -> Vec<(BatchHeader, Bytes)> {
    let split = Batches::new(records).map(|batch| {
        let (header, bytes) = batch.expect("a fetched batch is whole");
        check_crc(bytes).expect("a fetched batch has a right CRC");
        (header, records.slice_ref(bytes))
    });
    split.collect()
}

/// Decodes one batch.
#[track_caller]
pub fn decode(batch: &Bytes) -> Vec<Record> {
    let records = Records::open(batch, expansion_limit(batch.len())).expect("a fetched batch can be opened");
    records.map(|record| record.expect("a fetched record is whole")).collect()
}

/// Reads `offsets` by fetches of at most `max_bytes` and checks that every offset comes once and in order.
///
/// # Panics
/// An error, a gap, a repetition, a null where records belong, or no progress.
#[track_caller]
pub fn read(connection: &mut Connection, topic: &str, partition: i32, offsets: Range<i64>, max_bytes: i32) -> Contents {
    let mut contents = Contents { headers: Vec::new(), records: Vec::new() };
    let mut next = offsets.start;
    while next < offsets.end {
        let query = FetchQuery::at(next).max_bytes(max_bytes).wait_ms(5_000);
        let fetched = connection.fetch(topic, partition, query);
        assert_eq!(fetched.error_code, 0, "fetch of {topic}-{partition} at {next}");
        let bytes = fetched.records.expect("records are never null");
        let before = next;
        for (header, batch) in batches(&bytes) {
            contents.headers.push(header);
            for record in decode(&batch) {
                if record.offset < next {
                    assert!(header.base_offset <= before, "{topic}-{partition}: offset {} again", record.offset);
                    continue;
                }
                assert_eq!(record.offset, next, "{topic}-{partition}: an offset is missing");
                next += 1;
                contents.records.push(record);
            }
        }
        assert!(next > before, "{topic}-{partition}: nothing at {next}, high watermark {}", fetched.high_watermark);
    }
    contents.records.retain(|record| offsets.contains(&record.offset));
    contents
}

/// Reads the whole partition.
#[track_caller]
pub fn read_all(connection: &mut Connection, topic: &str, partition: i32) -> Contents {
    let offsets = connection.earliest(topic, partition)..connection.latest(topic, partition);
    read(connection, topic, partition, offsets, 1 << 20)
}

/// Checks that the record at each offset has the bytes that its number demands, number and offset being equal.
#[track_caller]
pub fn assert_stream(contents: &Contents, seed: u64) {
    for record in &contents.records {
        let expected = records::value(seed, record.offset);
        assert_eq!(record.value.as_deref(), Some(&expected[..]), "the bytes at offset {}", record.offset);
    }
}

/// Checks that a fetch at the end answers at once with empty records: Kafka never answers null there, and
/// librdkafka-style parsers do not survive one.
#[track_caller]
pub fn assert_end_is_empty(connection: &mut Connection, topic: &str, partition: i32) {
    let end = connection.latest(topic, partition);
    let fetched = connection.fetch(topic, partition, FetchQuery::at(end));
    assert_eq!((fetched.error_code, fetched.high_watermark), (0, end));
    assert_eq!(fetched.records.as_deref(), Some(&[][..]), "records at the end are empty, not null");
}

/// What one producer knows of its own records: each value is unique.
#[derive(Default)]
pub struct History {
    acknowledged: HashMap<Vec<u8>, i64>,
    unknown: HashSet<Vec<u8>>,
}

impl History {
    /// The broker answered that `values` are at `base_offset` and after.
    pub fn acknowledge(&mut self, values: Vec<Vec<u8>>, base_offset: i64) {
        self.acknowledged.extend(values.into_iter().zip(base_offset..));
    }

    /// Sent, and never answered: may be there or not.
    pub fn lose_sight(&mut self, values: Vec<Vec<u8>>) {
        self.unknown.extend(values);
    }

    pub fn acknowledged(&self) -> usize {
        self.acknowledged.len()
    }

    /// Rules N1 and N2: every acknowledged record is readable at its offset, nothing is there that was not sent,
    /// and with `once` no value is there twice.
    #[track_caller]
    pub fn assert_kept(&self, contents: &Contents, once: bool) {
        let mut places: HashMap<&[u8], Vec<i64>> = HashMap::new();
        for record in &contents.records {
            places.entry(record.value.as_deref().unwrap_or_default()).or_default().push(record.offset);
        }
        for (value, offset) in &self.acknowledged {
            let found = places.get(&value[..]).map(Vec::as_slice).unwrap_or_default();
            let text = String::from_utf8_lossy(value);
            assert!(found.contains(offset), "acknowledged at {offset}, found at {found:?}: {text}");
        }
        let sent = |value: &[u8]| self.acknowledged.contains_key(value) || self.unknown.contains(value);
        for (value, offsets) in places {
            let text = String::from_utf8_lossy(value);
            assert!(sent(value), "nobody sent what is at {offsets:?}: {text}");
            assert!(!once || offsets.len() == 1, "an idempotent producer's record is at {offsets:?}: {text}");
        }
    }
}
