//! Builds a batch record by record, as a producer does (`MemoryRecordsBuilder`).

use bytes::{BufMut, Bytes, BytesMut};

use super::{
    Attributes, BatchHeader, Codec, HEADER_SIZE, LOG_OVERHEAD, MAGIC, NO_PRODUCER_ID, NO_TIMESTAMP, TimestampType,
    compress, compute_crc,
};

/// Collects records and builds one batch of them. Offsets count up from the base offset.
#[derive(Clone, Debug)]
pub struct BatchBuilder {
    header: BatchHeader,
    codec: Codec,
    records: BytesMut,
    scratch: BytesMut,
}

impl BatchBuilder {
    pub fn new(base_offset: i64, codec: Codec) -> Self {
        Self {
            header: BatchHeader {
                base_offset,
                batch_length: 0,
                partition_leader_epoch: -1,
                magic: MAGIC,
                crc: 0,
                attributes: Attributes::default().with_codec(codec),
                last_offset_delta: -1,
                base_timestamp: NO_TIMESTAMP,
                max_timestamp: NO_TIMESTAMP,
                producer_id: NO_PRODUCER_ID,
                producer_epoch: -1,
                base_sequence: -1,
                record_count: 0,
            },
            codec,
            records: BytesMut::new(),
            scratch: BytesMut::new(),
        }
    }

    #[must_use]
    pub fn leader_epoch(mut self, leader_epoch: i32) -> Self {
        self.header.partition_leader_epoch = leader_epoch;
        self
    }

    /// Names the idempotent producer and the sequence of the first record.
    #[must_use]
    pub fn producer(mut self, id: i64, epoch: i16, base_sequence: i32) -> Self {
        self.header.producer_id = id;
        self.header.producer_epoch = epoch;
        self.header.base_sequence = base_sequence;
        self
    }

    #[must_use]
    pub fn transactional(mut self) -> Self {
        self.header.attributes = self.header.attributes.transactional();
        self
    }

    #[must_use]
    pub fn control(mut self) -> Self {
        self.header.attributes = self.header.attributes.control();
        self
    }

    /// Dates the whole batch `now_ms` instead of record by record.
    #[must_use]
    pub fn log_append_time(mut self, now_ms: i64) -> Self {
        let kind = TimestampType::LogAppendTime;
        self.header.attributes = self.header.attributes.with_timestamp_type(kind);
        self.header.max_timestamp = now_ms;
        self
    }

    /// Appends a record; `timestamp` in milliseconds since the epoch, headers as (key, value) in order.
    pub fn append(
        &mut self,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[(&[u8], Option<&[u8]>)],
    ) {
        let header = &mut self.header;
        if header.record_count == 0 {
            header.base_timestamp = timestamp;
        }
        header.record_count += 1;
        header.last_offset_delta += 1;
        if header.attributes.timestamp_type() == TimestampType::CreateTime {
            header.max_timestamp = header.max_timestamp.max(timestamp);
        }
        let scratch = &mut self.scratch;
        scratch.clear();
        scratch.put_u8(0);
        put_varlong(scratch, timestamp.wrapping_sub(header.base_timestamp));
        put_varint(scratch, header.last_offset_delta);
        put_field(scratch, key);
        put_field(scratch, value);
        put_varint(scratch, headers.len() as i32);
        for (key, value) in headers {
            put_field(scratch, Some(key));
            put_field(scratch, *value);
        }
        put_varint(&mut self.records, self.scratch.len() as i32);
        self.records.extend_from_slice(&self.scratch);
    }

    /// Records so far.
    pub fn record_count(&self) -> i32 {
        self.header.record_count
    }

    /// Bytes of the batch so far, before compression.
    pub fn size(&self) -> usize {
        HEADER_SIZE + self.records.len()
    }

    /// The batch. With no record appended it is an empty batch, as compaction leaves them.
    pub fn build(mut self) -> Bytes {
        let records = match self.codec {
            Codec::None => self.records.freeze(),
            codec => compress(codec, &self.records).expect("compression into memory cannot fail").into(),
        };
        self.header.batch_length = (HEADER_SIZE - LOG_OVERHEAD + records.len()) as i32;
        self.header.crc = compute_crc(&self.header.write(), &records);
        let mut batch = BytesMut::with_capacity(HEADER_SIZE + records.len());
        batch.extend_from_slice(&self.header.write());
        batch.extend_from_slice(&records);
        batch.freeze()
    }
}

fn put_field(out: &mut BytesMut, field: Option<&[u8]>) {
    match field {
        None => put_varint(out, -1),
        Some(bytes) => {
            put_varint(out, bytes.len() as i32);
            out.extend_from_slice(bytes);
        }
    }
}

fn put_varint(out: &mut BytesMut, value: i32) {
    put_varlong(out, i64::from(value));
}

/// Zigzag; of a 32-bit value it gives the bytes of `writeVarint` too.
pub(super) fn put_varlong(out: &mut impl BufMut, value: i64) {
    let mut rest = (value << 1 ^ value >> 63) as u64;
    while rest >= 0x80 {
        out.put_u8(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.put_u8(rest as u8);
}

#[cfg(test)]
mod tests {
    use super::super::{Records, check_crc};
    use super::*;

    #[test]
    fn what_was_appended_is_read_back_in_every_codec() {
        for codec in Codec::ALL {
            let mut builder = BatchBuilder::new(100, codec).leader_epoch(3).producer(7, 1, 0);
            let value = vec![b'v'; 5000];
            builder.append(1_000, None, None, &[]);
            let headers: &[(&[u8], Option<&[u8]>)] = &[(b"h", None), (b"h", Some(b"twice"))];
            builder.append(900, Some(b""), Some(&value), headers);
            let batch = builder.build();
            check_crc(&batch).unwrap();
            let header = BatchHeader::read(&batch).unwrap();
            assert_eq!((header.max_timestamp, header.last_offset()), (1_000, 101));
            let records: Vec<_> = Records::open(&batch, 1 << 20).unwrap().map(Result::unwrap).collect();
            assert_eq!((records[0].offset, records[0].timestamp), (100, 1_000));
            assert_eq!((&records[0].key, &records[0].value), (&None, &None));
            assert_eq!((records[1].offset, records[1].timestamp), (101, 900));
            assert_eq!(records[1].value.as_deref(), Some(&value[..]));
            let keys: Vec<_> = records[1].headers.iter().map(|h| h.value.as_deref()).collect();
            assert_eq!(keys, [None, Some(&b"twice"[..])]);
        }
    }
}
