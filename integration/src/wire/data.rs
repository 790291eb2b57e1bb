//! Records over the raw client: Produce, Fetch, ListOffsets, DeleteRecords, InitProducerId.

use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use protocol::messages::{
    BrokerId, DeleteRecordsRequest, FetchRequest, InitProducerIdRequest, ListOffsetsRequest, ProduceRequest,
    ProduceResponse, TopicName,
};

use super::{Connection, text};
use crate::wait;

pub const PRODUCE_VERSION: i16 = 9;
const FETCH_VERSION: i16 = 12;
const LIST_OFFSETS_VERSION: i16 = 7;
const READ_UNCOMMITTED: i8 = 0;
const COORDINATOR_LOAD_IN_PROGRESS: i16 = 14;
const PRODUCER_ID_LIMIT: Duration = Duration::from_secs(60);

/// Timestamps with a meaning in ListOffsets.
pub const LATEST: i64 = -1;
pub const EARLIEST: i64 = -2;
pub const MAX_TIMESTAMP: i64 = -3;

/// The answer to one Produce.
#[derive(Clone, Debug)]
pub struct Produced {
    pub error_code: i16,
    pub base_offset: i64,
    pub message: Option<String>,
}

/// What to fetch of one partition.
#[derive(Clone, Copy, Debug)]
pub struct FetchQuery {
    pub offset: i64,
    pub max_bytes: i32,
    pub min_bytes: i32,
    pub max_wait_ms: i32,
}

impl FetchQuery {
    /// At most 1 MiB from `offset`, without waiting.
    pub fn at(offset: i64) -> Self {
        Self { offset, max_bytes: 1 << 20, min_bytes: 0, max_wait_ms: 0 }
    }

    #[must_use]
    pub fn max_bytes(self, max_bytes: i32) -> Self {
        Self { max_bytes, ..self }
    }

    /// Waits up to `max_wait_ms` for a first byte.
    #[must_use]
    pub fn wait_ms(self, max_wait_ms: i32) -> Self {
        Self { max_wait_ms, min_bytes: 1, ..self }
    }
}

/// The answer to one Fetch.
#[derive(Clone, Debug)]
pub struct Fetched {
    pub error_code: i16,
    pub high_watermark: i64,
    pub log_start_offset: i64,
    /// As they came: `None` is a null on the wire, which clients may not survive.
    pub records: Option<Bytes>,
}

/// The answer to one ListOffsets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListedOffset {
    pub error_code: i16,
    pub offset: i64,
    pub timestamp: i64,
}

/// A Produce of one batch for one partition.
pub fn produce_request(topic: &str, partition: i32, records: Bytes, acks: i16) -> ProduceRequest {
    let data = PartitionProduceData::default().with_index(partition).with_records(Some(records));
    let topic = TopicProduceData::default().with_name(TopicName(text(topic))).with_partition_data(vec![data]);
    ProduceRequest::default().with_acks(acks).with_timeout_ms(30_000).with_topic_data(vec![topic])
}

/// The answer for the only partition of a request.
///
/// # Errors
/// There is none.
pub fn produced(response: &ProduceResponse) -> Result<Produced> {
    let partition = response.responses.first().and_then(|topic| topic.partition_responses.first());
    let partition = partition.context("no answer for the partition")?;
    Ok(Produced {
        error_code: partition.error_code,
        base_offset: partition.base_offset,
        message: partition.error_message.as_ref().map(ToString::to_string),
    })
}

impl Connection {
    /// Produces with acks=all.
    #[track_caller]
    pub fn produce(&mut self, topic: &str, partition: i32, records: Bytes) -> Produced {
        self.try_produce(topic, partition, records).unwrap_or_else(|error| panic!("produce to {topic}: {error:#}"))
    }

    /// # Errors
    /// The connection breaks.
    pub fn try_produce(&mut self, topic: &str, partition: i32, records: Bytes) -> Result<Produced> {
        let response = self.try_send(&produce_request(topic, partition, records, -1), PRODUCE_VERSION)?;
        produced(&response)
    }

    /// Fetches one partition, without a session.
    #[track_caller]
    pub fn fetch(&mut self, topic: &str, partition: i32, query: FetchQuery) -> Fetched {
        self.try_fetch(topic, partition, query).unwrap_or_else(|error| panic!("fetch of {topic}: {error:#}"))
    }

    /// # Errors
    /// The connection breaks.
    pub fn try_fetch(&mut self, topic: &str, partition: i32, query: FetchQuery) -> Result<Fetched> {
        let wanted = FetchPartition::default()
            .with_partition(partition)
            .with_fetch_offset(query.offset)
            .with_partition_max_bytes(query.max_bytes);
        let topic = FetchTopic::default().with_topic(TopicName(text(topic))).with_partitions(vec![wanted]);
        let request = FetchRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_max_wait_ms(query.max_wait_ms)
            .with_min_bytes(query.min_bytes)
            .with_max_bytes(query.max_bytes)
            .with_isolation_level(READ_UNCOMMITTED)
            .with_session_epoch(-1)
            .with_topics(vec![topic]);
        let response = self.try_send(&request, FETCH_VERSION)?;
        let found = response.responses.first().and_then(|topic| topic.partitions.first());
        let found = found.with_context(|| format!("no partition, error {}", response.error_code))?;
        Ok(Fetched {
            error_code: found.error_code,
            high_watermark: found.high_watermark,
            log_start_offset: found.log_start_offset,
            records: found.records.clone(),
        })
    }

    /// Looks an offset up by timestamp, or by one of the timestamps with a meaning.
    #[track_caller]
    pub fn list_offset(&mut self, topic: &str, partition: i32, timestamp: i64) -> ListedOffset {
        let wanted = ListOffsetsPartition { partition_index: partition, timestamp, ..ListOffsetsPartition::default() };
        let topics = vec![ListOffsetsTopic { name: text(topic), partitions: vec![wanted] }];
        let request = ListOffsetsRequest { replica_id: -1, topics, ..ListOffsetsRequest::default() };
        let response = self.send(&request, LIST_OFFSETS_VERSION);
        let found = response.topics.first().and_then(|topic| topic.partitions.first()).expect("an answer");
        ListedOffset { error_code: found.error_code, offset: found.offset, timestamp: found.timestamp }
    }

    /// The log end offset (of what consumers may read).
    #[track_caller]
    pub fn latest(&mut self, topic: &str, partition: i32) -> i64 {
        self.known_offset(topic, partition, LATEST)
    }

    /// The log start offset.
    #[track_caller]
    pub fn earliest(&mut self, topic: &str, partition: i32) -> i64 {
        self.known_offset(topic, partition, EARLIEST)
    }

    #[track_caller]
    fn known_offset(&mut self, topic: &str, partition: i32, timestamp: i64) -> i64 {
        let found = self.list_offset(topic, partition, timestamp);
        assert_eq!(found.error_code, 0, "list offsets of {topic}");
        found.offset
    }

    /// Deletes the records before `offset` (exclusive); error code and low watermark.
    #[track_caller]
    pub fn delete_records(&mut self, topic: &str, partition: i32, offset: i64) -> (i16, i64) {
        let wanted = DeleteRecordsPartition::default().with_partition_index(partition).with_offset(offset);
        let topic = DeleteRecordsTopic::default().with_name(TopicName(text(topic))).with_partitions(vec![wanted]);
        let request = DeleteRecordsRequest::default().with_topics(vec![topic]).with_timeout_ms(5_000);
        let response = self.send(&request, 2);
        let found = response.topics.first().and_then(|topic| topic.partitions.first()).expect("an answer");
        (found.error_code, found.low_watermark)
    }

    /// A new idempotent producer: id and epoch. Asks again while the broker has no ids yet.
    #[track_caller]
    pub fn init_producer(&mut self) -> (i64, i16) {
        wait::until("a producer id", PRODUCER_ID_LIMIT, || self.try_init_producer().expect("an answer"))
    }

    /// As [`Self::init_producer`], once; `None` if the broker has no ids yet.
    ///
    /// # Errors
    /// The connection breaks or the broker refuses.
    pub fn try_init_producer(&mut self) -> Result<Option<(i64, i16)>> {
        let request = InitProducerIdRequest::default().with_transactional_id(None).with_transaction_timeout_ms(60_000);
        let response = self.try_send(&request, 4)?;
        match response.error_code {
            0 => Ok(Some((response.producer_id.0, response.producer_epoch))),
            COORDINATOR_LOAD_IN_PROGRESS => Ok(None),
            other => anyhow::bail!("InitProducerId: error {other}"),
        }
    }
}
