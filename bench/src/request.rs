//! The requests a run repeats: encoded once, answers checked at fixed places without a decoder.

use anyhow::{Result, bail, ensure};
use bytes::Bytes;
use protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use protocol::messages::{FetchRequest, ProduceRequest, TopicName};
use protocol::record_batch::{BatchBuilder, BatchHeader, Codec, HEADER_SIZE};

use crate::client::{encode, text};

/// Newest version with a fixed layout (no varints), so an answer is checked by position.
const PRODUCE_VERSION: i16 = 8;
const FETCH_VERSION: i16 = 11;
pub(crate) const HEARTBEAT_VERSION: i16 = 2;
const ACKS_ALL: i16 = -1;
const TIMEOUT_MS: i32 = 30_000;

/// A request that a run sends over and over, and how to judge its answer.
pub(crate) enum Template {
    Produce(Produce),
    Fetch(Fetch),
    Heartbeat(Heartbeats),
}

impl Template {
    /// The bytes of the next request of this connection.
    pub(crate) fn next(&mut self, out: &mut Vec<u8>) {
        match self {
            Self::Produce(produce) => out.extend_from_slice(&produce.frame),
            Self::Heartbeat(heartbeats) => out.extend_from_slice(heartbeats.next()),
            Self::Fetch(fetch) => {
                let start = out.len();
                out.extend_from_slice(&fetch.frame);
                let place = start + fetch.offset_position;
                out[place..place + 8].copy_from_slice(&fetch.offset.to_be_bytes());
            }
        }
    }

    /// Judges one answer (without its size field) and returns the batch bytes that it acknowledged or carried.
    pub(crate) fn check(&mut self, answer: &[u8]) -> Result<u64> {
        match self {
            Self::Produce(produce) => produce.check(answer),
            Self::Fetch(fetch) => fetch.check(answer),
            Self::Heartbeat(heartbeats) => heartbeats.check(answer),
        }
    }
}

/// Heartbeats of many members in turn.
pub(crate) struct Heartbeats {
    frames: Vec<Bytes>,
    next: usize,
    error_position: usize,
}

impl Heartbeats {
    /// `frames` are encoded in [`HEARTBEAT_VERSION`], and there is at least one.
    pub(crate) fn classic(frames: Vec<Bytes>) -> Self {
        // Correlation id, throttle time: then the error code.
        Self { frames, next: 0, error_position: 4 + 4 }
    }

    /// `frames` are heartbeats of the consumer protocol, and there is at least one.
    pub(crate) fn consumer(frames: Vec<Bytes>) -> Self {
        // Correlation id, the header's tagged fields, throttle time: then the error code.
        Self { frames, next: 0, error_position: 4 + 1 + 4 }
    }

    fn next(&mut self) -> &[u8] {
        let place = self.next % self.frames.len();
        self.next = place + 1;
        &self.frames[place]
    }

    fn check(&self, answer: &[u8]) -> Result<u64> {
        let code = answer.get(self.error_position..self.error_position + 2);
        let Some(code) = code else { bail!("a heartbeat answer of {} bytes", answer.len()) };
        ensure!(code == [0, 0], "heartbeat: error {code:?}");
        Ok(0)
    }
}

/// One batch to one partition, acks=all, no producer id.
pub(crate) struct Produce {
    frame: Bytes,
    batch_size: u64,
    error_position: usize,
}

impl Produce {
    pub(crate) fn new(topic: &str, partition: i32, batch: Bytes) -> Result<Self> {
        let batch_size = batch.len() as u64;
        let data = PartitionProduceData::default().with_index(partition).with_records(Some(batch));
        let request = ProduceRequest::default().with_acks(ACKS_ALL).with_timeout_ms(TIMEOUT_MS).with_topic_data(vec![
            TopicProduceData::default().with_name(TopicName(text(topic))).with_partition_data(vec![data]),
        ]);
        // correlation id, topic count, name, partition count, index: then the error code.
        let error_position = 4 + 4 + 2 + topic.len() + 4 + 4;
        Ok(Self { frame: encode(&request, PRODUCE_VERSION)?, batch_size, error_position })
    }

    fn check(&self, answer: &[u8]) -> Result<u64> {
        ensure!(answer.len() > self.error_position + 2, "a produce answer of {} bytes", answer.len());
        let code = i16::from_be_bytes([answer[self.error_position], answer[self.error_position + 1]]);
        ensure!(code == 0, "produce: error {code}");
        Ok(self.batch_size)
    }
}

/// Reads one partition from `offset` to its end and then again from the start.
pub(crate) struct Fetch {
    frame: Bytes,
    offset_position: usize,
    records_position: usize,
    offset: i64,
    end_offset: i64,
    is_patient: bool,
}

impl Fetch {
    /// `end_offset` is exclusive; `max_bytes` bounds one answer.
    pub(crate) fn new(topic: &str, partition: i32, end_offset: i64, max_bytes: i32) -> Result<Self> {
        // A value that can't stand anywhere else marks the place of the fetch offset.
        const MARK: i64 = 0x5ea1_c0de_0f5e_7000;
        let asked = FetchPartition::default()
            .with_partition(partition)
            .with_fetch_offset(MARK)
            .with_partition_max_bytes(max_bytes);
        let request = FetchRequest::default()
            .with_max_wait_ms(500)
            .with_min_bytes(1)
            .with_max_bytes(max_bytes)
            .with_session_epoch(-1)
            .with_topics(vec![FetchTopic::default().with_topic(TopicName(text(topic))).with_partitions(vec![asked])]);
        let frame = encode(&request, FETCH_VERSION)?;
        let Some(offset_position) = frame.windows(8).position(|w| w == MARK.to_be_bytes()) else {
            bail!("the encoded fetch holds no offset");
        };
        // Header 4; throttle 4, error 2, session 4; topics 4, name; partitions 4, index 4, error 2, high
        // watermark 8, last stable offset 8, log start offset 8, aborted transactions 4 (null),
        // preferred replica 4: then the size of the records.
        let records_position = 4 + 4 + 2 + 4 + 4 + 2 + topic.len() + 4 + 4 + 2 + 24 + 4 + 4;
        Ok(Self { frame, offset_position, records_position, offset: 0, end_offset, is_patient: false })
    }

    /// An answer without records is no error: what is remote may come with the next one.
    pub(crate) fn patient(self) -> Self {
        Self { is_patient: true, ..self }
    }

    fn check(&mut self, answer: &[u8]) -> Result<u64> {
        let start = self.records_position + 4;
        ensure!(answer.len() >= start, "a fetch answer of {} bytes", answer.len());
        let error = i16::from_be_bytes([answer[self.records_position - 34], answer[self.records_position - 33]]);
        ensure!(error == 0, "fetch at {}: error {error}", self.offset);
        let records = &answer[start..];
        if records.is_empty() && self.is_patient {
            return Ok(0);
        }
        ensure!(!records.is_empty(), "nothing at offset {}", self.offset);
        self.offset = next_offset(records)?;
        if self.offset >= self.end_offset {
            self.offset = 0;
        }
        Ok(records.len() as u64)
    }
}

/// The offset after the last whole batch in `records`.
fn next_offset(records: &[u8]) -> Result<i64> {
    let mut position = 0;
    let mut next = None;
    while records.len() - position >= HEADER_SIZE {
        let header = BatchHeader::read(&records[position..])?;
        if header.size() > records.len() - position {
            break;
        }
        next = Some(header.last_offset() + 1);
        position += header.size();
    }
    match next {
        Some(offset) => Ok(offset),
        None => bail!("no whole batch in an answer of {} bytes", records.len()),
    }
}

/// A batch of `records` values of `value_size` bytes each, dated `now_ms`.
pub(crate) fn batch(records: u32, value_size: usize, now_ms: i64) -> Bytes {
    let value = vec![b'x'; value_size];
    let mut builder = BatchBuilder::new(0, Codec::None);
    for _ in 0..records {
        builder.append(now_ms, None, Some(&value), &[]);
    }
    builder.build()
}
