//! Batches as Apache Kafka's own classes build them: read by `Records`, and built again byte for byte by
//! `BatchBuilder`. The file is made by `integration/golden/RecordBatches.java`, which holds the same records.

mod golden;

use bytes::Bytes;
use golden::{NOW, from_hex, lines, to_hex};
use protocol::record_batch::{BatchBuilder, BatchHeader, Batches, Codec, Records, TimestampType, check_crc};

type Content = (i64, Option<Vec<u8>>, Option<Vec<u8>>, Vec<(Vec<u8>, Option<Vec<u8>>)>);

fn records() -> Vec<Content> {
    let text = |text: &str| Some(text.as_bytes().to_vec());
    let headers = [("h", text("value")), ("h", None), ("", text("")), ("é", text("key"))]
        .map(|(k, v)| (k.as_bytes().to_vec(), v));
    vec![
        (NOW, text("key"), text("value"), vec![]),
        (NOW - 5, None, text(""), headers.to_vec()),
        (NOW + 7, text(""), None, vec![]),
        (NOW, text("key"), text(&"a longer value that repeats, a longer value that repeats".repeat(40)), vec![]),
    ]
}

fn golden_batch(name: &str) -> Bytes {
    let lines = lines("batches.txt");
    let hex = lines.iter().find_map(|line| line.strip_prefix(&format!("{name}\t"))).expect("such a batch");
    from_hex(hex)
}

fn build(mut builder: BatchBuilder) -> Bytes {
    for (timestamp, key, value, headers) in &records() {
        let headers: Vec<_> = headers.iter().map(|(key, value)| (&key[..], value.as_deref())).collect();
        builder.append(*timestamp, key.as_deref(), value.as_deref(), &headers);
    }
    builder.build()
}

fn content(batch: &Bytes) -> Vec<(i64, Content)> {
    let owned = |bytes: &Option<Bytes>| bytes.as_ref().map(|bytes| bytes.to_vec());
    let read = |record: protocol::record_batch::Record| {
        let headers = record.headers.iter().map(|header| (header.key.to_vec(), owned(&header.value))).collect();
        (record.offset, (record.timestamp, owned(&record.key), owned(&record.value), headers))
    };
    Records::open(batch, 1 << 20).expect("it opens").map(|record| read(record.expect("a record"))).collect()
}

/// Codecs are free in how they compress: then header and content must agree, else every byte.
fn compare(name: &str, built: &Bytes) {
    let golden = golden_batch(name);
    check_crc(&golden).expect("Kafka's CRC is ours");
    let header = BatchHeader::read(&golden).expect("a header");
    if header.attributes.codec() == Ok(Codec::None) {
        assert_eq!(to_hex(built), to_hex(&golden), "{name}");
    }
    let ours = BatchHeader::read(built).expect("a header");
    assert_eq!(BatchHeader { crc: header.crc, batch_length: header.batch_length, ..ours }, header, "{name}");
    let offsets = header.base_offset..=header.last_offset();
    let mut expected: Vec<_> = offsets.zip(records()).collect();
    if header.attributes.timestamp_type() == TimestampType::LogAppendTime {
        expected.iter_mut().for_each(|(_, record)| record.0 = header.max_timestamp);
    }
    assert_eq!(content(&golden), expected, "{name}");
    assert_eq!(content(built), expected, "{name}");
}

#[test]
fn batches_of_every_codec_are_kafkas() {
    for codec in Codec::ALL {
        let name = codec.name();
        compare(&format!("plain {name}"), &build(BatchBuilder::new(1_234_567_890_123, codec)));
        let idempotent = BatchBuilder::new(7, codec).leader_epoch(9).producer(4000, 3, i32::MAX - 1);
        compare(&format!("idempotent {name}"), &build(idempotent));
        let transactional = BatchBuilder::new(0, codec).leader_epoch(9).producer(4000, 3, 0).transactional();
        compare(&format!("transactional {name}"), &build(transactional));
    }
    assert_eq!(BatchHeader::read(&golden_batch("idempotent none")).expect("a header").last_sequence(), 1);
}

#[test]
fn append_time_dates_the_batch() {
    // Kafka's builder gives such records no date of their own.
    let golden = golden_batch("log-append-time");
    let header = BatchHeader::read(&golden).expect("a header");
    assert_eq!((header.attributes.timestamp_type(), header.max_timestamp), (TimestampType::LogAppendTime, NOW));
    let times: Vec<i64> = content(&golden).into_iter().map(|(_, record)| record.0).collect();
    assert_eq!(times, [NOW; 4]);
}

#[test]
fn transaction_markers_are_kafkas() {
    for (name, kind) in [("abort", 0), ("commit", 1)] {
        let mut builder =
            BatchBuilder::new(10, Codec::None).leader_epoch(2).producer(4000, 3, -1).transactional().control();
        builder.append(NOW, Some(&[0, 0, 0, kind]), Some(&[0, 0, 0, 0, 0, 6]), &[]);
        assert_eq!(to_hex(&builder.build()), to_hex(&golden_batch(name)), "{name}");
    }
}

#[test]
fn an_emptied_batch_still_covers_its_offsets() {
    let golden = golden_batch("empty");
    let header = BatchHeader::read(&golden).expect("a header");
    assert_eq!((header.base_offset, header.last_offset(), header.record_count), (20, 24, 0));
    assert_eq!((header.producer_id, header.base_sequence, header.last_sequence()), (4000, 17, 21));
    assert_eq!(header.write()[..], golden[..]);
    assert_eq!(content(&golden), []);
}

#[test]
fn batches_follow_one_another() {
    let golden: Vec<Bytes> =
        lines("batches.txt").iter().map(|line| from_hex(line.split('\t').nth(1).unwrap())).collect();
    let mut run = golden.concat();
    run.extend_from_slice(&golden[0][..70]);
    let mut batches = Batches::new(&run);
    let found: Vec<&[u8]> = batches.by_ref().map(|batch| batch.expect("a batch").1).collect();
    assert_eq!(found, golden);
    assert_eq!(batches.remaining(), &golden[0][..70]);
}
