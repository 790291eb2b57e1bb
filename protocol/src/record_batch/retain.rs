//! A batch with some of its records, as compaction leaves it: offsets, producer and sequences are those of the whole batch
//! (`MemoryRecords.filterTo`, `DefaultRecordBatch.writeEmptyHeader`).

use std::io;

use bytes::BufMut;

use super::builder::put_varlong;
use super::{
    BatchHeader, Codec, HEADER_SIZE, LOG_OVERHEAD, NO_TIMESTAMP, RecordView, TimestampType, compress, compute_crc,
};

/// Appends to `out` the batch of `header` with `records` only, of which there is at least one, in the codec of the header.
/// With a delete horizon (ms since the epoch) that is the base timestamp (KIP-534); without, the first record's is.
/// Returns the new header.
///
/// # Errors
/// Those of the codec, a batch that would be 2 GiB or larger.
pub fn retain_records(
    header: &BatchHeader,
    codec: Codec,
    records: &[RecordView<'_>],
    delete_horizon_ms: Option<i64>,
    out: &mut Vec<u8>,
) -> io::Result<BatchHeader> {
    let timestamp_of = |record: &RecordView<'_>| header.record_timestamp(record.timestamp_delta);
    let first_timestamp = records.first().map_or(NO_TIMESTAMP, timestamp_of);
    let base_timestamp = delete_horizon_ms.unwrap_or(first_timestamp);
    let start = out.len();
    out.put_bytes(0, HEADER_SIZE);
    match codec {
        Codec::None => put_records(header, records, base_timestamp, out),
        codec => {
            let mut plain = Vec::new();
            put_records(header, records, base_timestamp, &mut plain);
            out.extend_from_slice(&compress(codec, &plain)?);
        }
    }
    let max_timestamp = match header.attributes.timestamp_type() {
        TimestampType::CreateTime => records.iter().map(timestamp_of).max().unwrap_or(NO_TIMESTAMP),
        TimestampType::LogAppendTime => header.max_timestamp,
    };
    let mut retained = BatchHeader {
        batch_length: i32::try_from(out.len() - start - LOG_OVERHEAD).map_err(io::Error::other)?,
        attributes: header.attributes.without_unused_bits().with_delete_horizon(delete_horizon_ms.is_some()),
        base_timestamp,
        max_timestamp,
        record_count: i32::try_from(records.len()).map_err(io::Error::other)?,
        ..*header
    };
    let (head, tail) = out[start..].split_at_mut(HEADER_SIZE);
    retained.crc = compute_crc(&retained.write(), tail);
    head.copy_from_slice(&retained.write());
    Ok(retained)
}

/// The batch of `header` with none of its records: it tells the offsets that were used up, and the last sequence of its
/// producer.
pub fn retain_nothing(header: &BatchHeader) -> BatchHeader {
    let mut empty = BatchHeader {
        batch_length: (HEADER_SIZE - LOG_OVERHEAD) as i32,
        attributes: header.attributes.without_unused_bits().with_codec(Codec::None).with_delete_horizon(false),
        base_timestamp: NO_TIMESTAMP,
        record_count: 0,
        ..*header
    };
    empty.crc = compute_crc(&empty.write(), &[]);
    empty
}

/// Only the timestamp delta of a record depends on the batch's base timestamp; all the rest is copied.
fn put_records(header: &BatchHeader, records: &[RecordView<'_>], base_timestamp: i64, out: &mut Vec<u8>) {
    let mut delta = Vec::with_capacity(10);
    for record in records {
        let timestamp_delta = header.record_timestamp(record.timestamp_delta).wrapping_sub(base_timestamp);
        if timestamp_delta == record.timestamp_delta {
            out.extend_from_slice(record.bytes);
            continue;
        }
        delta.clear();
        put_varlong(&mut delta, timestamp_delta);
        put_varlong(out, (1 + delta.len() + record.rest.len()) as i64);
        out.push(record.attributes);
        out.extend_from_slice(&delta);
        out.extend_from_slice(record.rest);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::{BatchBuilder, RecordViews, Records, check_crc, plain_records};
    use super::*;

    fn whole(codec: Codec, log_append_time: bool) -> Bytes {
        let mut builder = BatchBuilder::new(50, codec).leader_epoch(2).producer(9, 1, 7).transactional();
        if log_append_time {
            builder = builder.log_append_time(5_000);
        }
        for (timestamp, key) in [(1_000, "a"), (3_000, "b"), (2_000, "c")] {
            builder.append(timestamp, Some(key.as_bytes()), Some(b"value"), &[(b"h", None)]);
        }
        builder.build()
    }

    fn retain(batch: &Bytes, keys: &[&str], horizon: Option<i64>) -> Bytes {
        let header = BatchHeader::read(batch).unwrap();
        let mut scratch = Vec::new();
        let records = plain_records(&header, batch, &mut scratch, 1 << 20).unwrap();
        let wanted = |view: &RecordView<'_>| keys.iter().any(|key| Some(key.as_bytes()) == view.key);
        let views: Vec<_> = RecordViews::new(&header, records).map(Result::unwrap).filter(wanted).collect();
        let mut out = b"before".to_vec();
        let retained = retain_records(&header, header.attributes.codec().unwrap(), &views, horizon, &mut out).unwrap();
        let batch = Bytes::from(out.split_off(6));
        assert_eq!(BatchHeader::read(&batch).unwrap(), retained);
        check_crc(&batch).unwrap();
        batch
    }

    #[test]
    fn what_stays_is_what_it_was() {
        for codec in Codec::ALL {
            for horizon in [None, Some(86_400_000)] {
                for log_append_time in [false, true] {
                    let original = whole(codec, log_append_time);
                    let all: Vec<_> = Records::open(&original, 1 << 20).unwrap().map(Result::unwrap).collect();
                    let retained = retain(&original, &["b", "c"], horizon);
                    let kept: Vec<_> = Records::open(&retained, 1 << 20).unwrap().map(Result::unwrap).collect();
                    assert_eq!(kept, all[1..]);
                    let header = BatchHeader::read(&retained).unwrap();
                    assert_eq!((header.base_offset, header.last_offset(), header.base_sequence), (50, 52, 7));
                    assert_eq!(header.delete_horizon_ms(), horizon);
                    assert_eq!(header.max_timestamp, if log_append_time { 5_000 } else { 3_000 });
                    let first = if log_append_time { 5_000 } else { 3_000 };
                    assert_eq!(header.base_timestamp, horizon.unwrap_or(first));
                }
            }
        }
    }

    #[test]
    fn an_empty_batch_keeps_offsets_producer_and_time() {
        let original = BatchHeader::read(&whole(Codec::Zstd, false)).unwrap();
        let empty = retain_nothing(&original);
        let bytes = empty.write();
        check_crc(&bytes).unwrap();
        assert_eq!(empty.size(), HEADER_SIZE);
        assert_eq!((empty.base_offset, empty.last_offset(), empty.last_sequence()), (50, 52, 9));
        assert_eq!((empty.record_count, empty.base_timestamp, empty.max_timestamp), (0, NO_TIMESTAMP, 3_000));
        assert!(empty.attributes.is_transactional());
        assert_eq!(empty.attributes.codec(), Ok(Codec::None));
        assert_eq!(Records::open(&Bytes::copy_from_slice(&bytes), 0).unwrap().count(), 0);
    }
}
