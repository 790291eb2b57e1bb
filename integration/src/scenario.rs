//! What the client programs of `integration/clients` leave behind, checked without them: the raw client reads every topic
//! back, so a client that only believes it reached the broker fails.

use std::time::Duration;

use protocol::record_batch::{Codec, Record};

use crate::audit::{self, Contents};
use crate::clients::Verdict;
use crate::wire::{Connection, EARLIEST};

const COUNT: usize = 100;
const LARGEST_VALUE: usize = 1_048_516;
const ONE_MIB: usize = 1 << 20;
const TIMES: usize = 10;
const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
/// A program without its checks would be no program; the smallest makes more than this.
const FEWEST_CHECKS: u32 = 400;

/// Where clients differ because of themselves, not of the broker.
#[derive(Clone, Copy)]
pub struct Client {
    pub codecs: &'static [Codec],
    /// The client can send neither key nor value.
    pub null_records: bool,
    /// The client can send a header without a value.
    pub null_headers: bool,
}

/// Every codec of Kafka.
pub const ALL_CODECS: &[Codec] = &[Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

/// Reads back everything that a client program sent under `prefix`.
///
/// # Panics
/// Something is missing or different.
#[track_caller]
pub fn assert_left_behind(connection: &mut Connection, prefix: &str, client: Client, verdict: &Verdict) {
    assert!(verdict.checks > FEWEST_CHECKS, "only {} checks", verdict.checks);
    let mut scenario = Scenario { connection, prefix, client };
    scenario.created_topic();
    for codec in client.codecs {
        scenario.codec_topic(*codec);
    }
    scenario.special_records();
    scenario.large_records();
    scenario.timestamps();
    scenario.idempotent_producer();
    scenario.absent_topics();
}

struct Scenario<'a> {
    connection: &'a mut Connection,
    prefix: &'a str,
    client: Client,
}

impl Scenario<'_> {
    fn read(&mut self, topic: &str) -> Contents {
        let topic = format!("{}-{topic}", self.prefix);
        audit::assert_end_is_empty(self.connection, &topic, 0);
        audit::read_all(self.connection, &topic, 0)
    }

    fn created_topic(&mut self) {
        let topic = self.connection.describe_topic(&format!("{}-create", self.prefix));
        assert_eq!((topic.error_code, topic.partitions.len()), (0, 3));
    }

    fn codec_topic(&mut self, codec: Codec) {
        let contents = self.read(codec.name());
        assert_numbered(&contents.records, COUNT);
        for record in &contents.records {
            let headers: Vec<_> = record.headers.iter().map(|h| (&h.key[..], h.value.as_deref())).collect();
            assert_eq!(headers, [(&b"codec"[..], Some(codec.name().as_bytes()))]);
        }
        for header in &contents.headers {
            assert_eq!(header.attributes.codec().ok(), Some(codec), "stored as it was sent");
        }
    }

    fn special_records(&mut self) {
        let records = self.read("special").records;
        let fields: Vec<_> = records.iter().map(|r| (r.key.as_deref(), r.value.as_deref())).collect();
        let third = if self.client.null_records { None } else { Some(&b""[..]) };
        let expected =
            [(None, Some(&b"only-value"[..])), (Some(&b"only-key"[..]), None), (None, third), (Some(b"k"), Some(b"v"))];
        assert_eq!(fields, expected);
        let headers: Vec<_> = records[3].headers.iter().map(|h| (&h.key[..], h.value.as_deref())).collect();
        let null = if self.client.null_headers { None } else { Some(&b""[..]) };
        let expected = [(&b"h"[..], Some(&b"1"[..])), (b"h", Some(b"2")), (b"n", null), (b"e", Some(b""))];
        assert_eq!(headers, expected, "headers keep their order, and keys may repeat");
    }

    fn large_records(&mut self) {
        assert_values(&self.read("large").records, &[large(LARGEST_VALUE)]);
        assert_values(&self.read("mebibyte").records, &[large(ONE_MIB), large(ONE_MIB), large(ONE_MIB)]);
    }

    fn timestamps(&mut self) {
        let records = self.read("time").records;
        assert_eq!(records.len(), TIMES);
        for pair in records.windows(2) {
            assert_eq!(pair[1].timestamp - pair[0].timestamp, 1000);
        }
        let topic = format!("{}-time", self.prefix);
        let found = self.connection.list_offset(&topic, 0, records[4].timestamp + 1);
        assert_eq!((found.error_code, found.offset, found.timestamp), (0, 5, records[5].timestamp));
    }

    fn idempotent_producer(&mut self) {
        let contents = self.read("idempotent");
        assert_numbered(&contents.records, COUNT);
        let mut next_sequence = 0;
        for header in &contents.headers {
            assert!(header.producer_id >= 0, "the producer has an id");
            assert_eq!(header.base_sequence, next_sequence);
            next_sequence += header.record_count;
        }
    }

    fn absent_topics(&mut self) {
        for topic in ["unknown", "deleted"] {
            let topic = format!("{}-{topic}", self.prefix);
            assert_eq!(self.connection.describe_topic(&topic).error_code, UNKNOWN_TOPIC_OR_PARTITION, "{topic}");
            assert_eq!(self.connection.list_offset(&topic, 0, EARLIEST).error_code, UNKNOWN_TOPIC_OR_PARTITION);
        }
    }
}

fn assert_numbered(records: &[Record], count: usize) {
    assert_eq!(records.len(), count);
    for (number, record) in records.iter().enumerate() {
        let value = format!("value-{number}-{}", "x".repeat(number * 7 % 50));
        assert_eq!(record.key.as_deref(), Some(format!("key-{number}").as_bytes()));
        assert_eq!(record.value.as_deref(), Some(value.as_bytes()));
    }
}

fn assert_values(records: &[Record], expected: &[Vec<u8>]) {
    assert_eq!(records.len(), expected.len());
    for (record, expected) in records.iter().zip(expected) {
        assert!(record.value.as_deref() == Some(expected), "{} bytes at {}", expected.len(), record.offset);
    }
}

/// The bytes of a large value, as the programs make them.
fn large(size: usize) -> Vec<u8> {
    (0..size).map(|place| u8::try_from(place % 251 * 31 % 251).unwrap_or(0)).collect()
}

/// Time for a topic that a client makes by asking for it.
pub const AUTO_CREATION_LIMIT: Duration = Duration::from_secs(60);
