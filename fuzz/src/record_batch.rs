//! Record batches: reading, what a Produce may append, decompression under a limit.

use std::io::Read;

use bytes::Bytes;
use protocol::ids::TopicPartition;
use protocol::record_batch::{
    BatchHeader, Batches, Codec, HEADER_SIZE, ProduceRules, Records, TimestampType, check_crc, compress, decompressor,
    expansion_limit, validate,
};

use crate::Target;
use crate::corpus::golden_lines;
use crate::cut::{Cut, repair_crcs};

/// When the golden batches were made.
const NOW_MS: i64 = 1_700_000_000_000;
const LIMIT: usize = 1 << 20;

pub(crate) fn targets() -> Vec<Target> {
    let batches = golden_lines("protocol", "batches.txt");
    let sent = golden_lines("protocol", "produce.txt");
    let with_head = |head: &[u8], inputs: &[Vec<u8>]| -> Vec<Vec<u8>> {
        inputs.iter().map(|input| [head, &input[..]].concat()).collect()
    };
    vec![
        Target::new("record-batch", with_head(&[1], &batches), read),
        Target::new("produced-batch", with_head(&[12, 0, 0], &[batches, sent].concat()), produced),
        Target::new("decompression", packed_seeds(), decompression),
    ]
}

fn packed_seeds() -> Vec<Vec<u8>> {
    let plain: Vec<u8> = (0..600u32).map(|n| (n / 7 % 251) as u8).collect();
    let pack = |codec: Codec, bytes: &[u8]| {
        let packed = compress(codec, bytes).expect("compression into memory");
        [&[codec.id() as u8], &packed[..]].concat()
    };
    Codec::ALL.into_iter().flat_map(|codec| [pack(codec, &plain), pack(codec, &[0; 300]), pack(codec, b"")]).collect()
}

/// Walks over batches and records as a consumer of the log does.
fn read(input: &[u8]) {
    let mut cut = Cut::new(input);
    let repair = cut.byte() & 1 != 0;
    let mut bytes = cut.rest().to_vec();
    if repair {
        repair_crcs(&mut bytes);
    }
    let bytes = Bytes::from(bytes);
    if let Ok(header) = BatchHeader::read(&bytes) {
        assert_eq!(header.write(), bytes[..HEADER_SIZE], "the header comes back");
        assert!(header.next_offset() >= header.last_offset());
    }
    for batch in Batches::new(&bytes) {
        let Ok((header, batch)) = batch else { break };
        assert_eq!(batch.len(), header.size());
        let is_whole = check_crc(batch).is_ok();
        assert!(is_whole || !repair, "the CRC was set");
        let Ok(records) = Records::open(&bytes.slice_ref(batch), LIMIT) else { continue };
        let sizes = records.map_while(Result::ok).map(|record| {
            let headers = record.headers.iter().map(|h| h.key.len() + h.value.as_ref().map_or(0, Bytes::len));
            record.key.map_or(0, |key| key.len()) + record.value.map_or(0, |value| value.len()) + headers.sum::<usize>()
        });
        assert!(sizes.sum::<usize>() <= LIMIT.max(batch.len()), "records are no larger than the limit");
    }
}

/// What a Produce is allowed to append can be read back, and would be accepted again.
fn produced(input: &[u8]) {
    let mut cut = Cut::new(input);
    let (version, flags, codec) = (cut.byte(), cut.byte(), cut.byte());
    let flag = |bit: u8| flags & bit != 0;
    let mut bytes = cut.rest().to_vec();
    if flag(1) {
        repair_crcs(&mut bytes);
    }
    let sent = BatchHeader::read(&bytes).map(|header| header.attributes.timestamp_type());
    let rules = ProduceRules {
        api_version: i16::from(version % 14),
        max_message_bytes: if flag(2) { 200 } else { LIMIT },
        segment_bytes: 1 << 30,
        timestamp_type: if flag(4) { TimestampType::LogAppendTime } else { TimestampType::CreateTime },
        before_max_ms: if flag(8) { 1000 } else { i64::MAX },
        after_max_ms: 3_600_000,
        compacted: flag(16),
        codec: Codec::from_id(i16::from(codec % 8)),
    };
    let partition = TopicPartition::new("t", 0);
    let Ok(valid) = validate(bytes.into(), &rules, &partition, NOW_MS) else { return };
    let batch = Bytes::from([&valid.header.write()[..], valid.records()].concat());
    check_crc(&batch).expect("the header carries the CRC of what is stored");
    let records = Records::open(&batch, expansion_limit(batch.len())).expect("what was accepted can be read");
    let offsets: Vec<i64> = records.map(|record| record.expect("every record can be read").offset).collect();
    assert_eq!(offsets.len() as i64, i64::from(valid.header.record_count), "there are as many records as it says");
    // As in Kafka, the offsets in an uncompressed batch are not looked at: readers count them from the header.
    let is_compressed = valid.header.attributes.codec().is_ok_and(|codec| codec != Codec::None);
    assert!(!is_compressed || offsets.iter().copied().eq(0..offsets.len() as i64), "offsets count up: {offsets:?}");
    let again = ProduceRules { api_version: 13, before_max_ms: i64::MAX, max_message_bytes: usize::MAX, ..rules };
    // A batch that claims the broker's time keeps a maximum that is none of its records', as in Kafka.
    if (rules.timestamp_type, sent) == (TimestampType::CreateTime, Ok(TimestampType::CreateTime)) {
        let repeated = validate(batch.clone(), &again, &partition, NOW_MS).expect("what was accepted is acceptable");
        assert_eq!((repeated.header, repeated.bytes), (valid.header, batch), "and needs no further change");
    }
}

/// No decoder yields more than is asked of it, and what it yields can be packed again.
fn decompression(input: &[u8]) {
    let mut cut = Cut::new(input);
    let Some(codec) = Codec::from_id(i16::from(cut.byte() % 5)) else { return };
    let mut plain = Vec::new();
    let Ok(decoder) = decompressor(codec, cut.rest()) else { return };
    let whole = decoder.take(LIMIT as u64).read_to_end(&mut plain).is_ok();
    assert!(plain.len() <= LIMIT, "the limit is the caller's");
    if whole && plain.len() < 4096 {
        let packed = compress(codec, &plain).expect("compression into memory");
        let mut again = Vec::new();
        let decoder = decompressor(codec, &packed).expect("our own bytes");
        decoder.take(LIMIT as u64).read_to_end(&mut again).expect("our own bytes");
        assert_eq!(again, plain);
    }
}
