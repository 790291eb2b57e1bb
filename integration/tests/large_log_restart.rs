//! A crash over a large log costs no more than one over a small: only what was not yet flushed is looked at.

use std::time::Duration;

use integration::broker::Setup;
use integration::wire::{FetchQuery, PRODUCE_VERSION, produce_request, produced};
use integration::{audit, records, wait};
use protocol::messages::ProduceRequest;
use protocol::record_batch::BatchBuilder;
use protocol::record_batch::Codec;

const PARTITIONS: i32 = 4;
const BATCH_BYTES: usize = 1_000_000;
const GIB: u64 = 1 << 30;
/// What any machine of ours has room and time for; `OTTLA_TEST_LOG_GIB` asks for more.
const DEFAULT_GIB: u64 = 2;
const IN_FLIGHT: i64 = 8;
/// The promise is 1 s, whatever the size; tests share their machine.
const RESTART_LIMIT: Duration = Duration::from_secs(20);

fn large_batch(number: i64) -> bytes::Bytes {
    let mut builder = BatchBuilder::new(0, Codec::None);
    builder.append(wait::now_ms(), None, Some(&records::noise(number.cast_unsigned(), BATCH_BYTES)), &[]);
    builder.build()
}

#[test]
fn a_crash_over_a_large_log_is_over_at_once() {
    let gib = std::env::var("OTTLA_TEST_LOG_GIB").map_or(DEFAULT_GIB, |text| text.parse().expect("a number of GiB"));
    let batches = i64::try_from(gib * GIB / (BATCH_BYTES as u64) / PARTITIONS.unsigned_abs() as u64).expect("a count");
    let mut broker = Setup::new().start();
    let mut connection = broker.connect();
    connection.create_topic("large", PARTITIONS, &[]);
    for partition in 0..PARTITIONS {
        let mut answered = 0;
        for number in 0..batches {
            let request = produce_request("large", partition, large_batch(number), -1);
            connection.write(&request, PRODUCE_VERSION).expect("the broker reads");
            while number + 1 - answered >= IN_FLIGHT || (number + 1 == batches && answered < batches) {
                let (_, response) = connection.read::<ProduceRequest>(PRODUCE_VERSION).expect("an answer");
                let answer = produced(&response).expect("an answer for the partition");
                assert_eq!((answer.error_code, answer.base_offset), (0, answered));
                answered += 1;
            }
        }
    }
    broker.kill9();
    let took = broker.restart();
    let mut connection = broker.connect();
    for partition in 0..PARTITIONS {
        assert_eq!(connection.latest("large", partition), batches, "served at once, and whole");
        for offset in [0, batches / 2, batches - 1] {
            let fetched = connection.fetch("large", partition, FetchQuery::at(offset).max_bytes(1));
            let batches = audit::batches(&fetched.records.expect("records are never null"));
            let found = audit::decode(&batches[0].1);
            assert!(
                found[0].value.as_deref() == Some(&records::noise(offset.cast_unsigned(), BATCH_BYTES)),
                "{offset}"
            );
        }
    }
    eprintln!("{gib} GiB: serving again {took:?} after the crash");
    assert!(broker.is_apache_kafka() || took < RESTART_LIMIT, "{took:?}");
}
