//! Sends records: in batches, idempotent with acks=all, again when a broker or a connection passes away.

use std::time::{Duration, Instant};

use bytes::Bytes;
use protocol::error_code::ErrorCode;
use protocol::messages::metadata_response::MetadataResponseTopic;
use protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use protocol::messages::{ApiKey, InitProducerIdRequest, ProduceRequest};
use protocol::record_batch::{BatchBuilder, Codec};

use super::partitioner::partition_for_key;
use super::{Client, ClientError, Refusal, Result, pause, topic_name};

/// By topic name: from version 13 on it is the id.
const PRODUCE_VERSIONS: std::ops::RangeInclusive<i16> = 3..=12;
const INIT_PRODUCER_ID_VERSIONS: std::ops::RangeInclusive<i16> = 0..=4;
/// A batch is sent when its records are this large before compression.
const BATCH_BYTES: usize = 256 << 10;
/// How long a batch is sent again before it is given up.
const DELIVERY_LIMIT: Duration = Duration::from_secs(30);
const TIMEOUT_MS: i32 = 30_000;

/// When a batch counts as sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acks {
    /// At once; a failure stays unknown.
    None,
    /// The leader has appended it.
    Leader,
    /// As durably as the topic promises.
    All,
}

/// A record to send.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct OutgoingRecord {
    pub(crate) key: Option<Vec<u8>>,
    /// `None` is a tombstone.
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, Option<Vec<u8>>)>,
    /// `None`: chosen by the key, or in turn.
    pub(crate) partition: Option<i32>,
    /// Milliseconds since the epoch.
    pub(crate) timestamp_ms: i64,
}

/// A batch that the cluster has taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Acknowledged {
    pub(crate) partition: i32,
    /// Of the first record; `None` where the broker was not to answer, or knew the batch already.
    pub(crate) base_offset: Option<i64>,
    pub(crate) records: i32,
}

/// Sends to one topic.
pub(crate) struct Producer<'a> {
    client: &'a mut Client,
    topic: String,
    acks: Acks,
    codec: Codec,
    /// Producer id and epoch.
    identity: Option<(i64, i16)>,
    partitions: Vec<Partition>,
    /// Where the next record without a key goes; it changes with every batch.
    in_turn: usize,
}

struct Partition {
    leader: i32,
    batch: Option<BatchBuilder>,
    next_sequence: i32,
}

impl<'a> Producer<'a> {
    /// Looks the topic up; a broker that creates topics on demand may create it.
    ///
    /// # Errors
    /// There is no such topic, or [`ClientError`].
    pub(crate) fn open(client: &'a mut Client, topic: &str, acks: Acks, codec: Codec) -> Result<Self> {
        let found = client.topic_with_leaders(topic, true)?;
        let mut producer =
            Self { client, topic: topic.to_owned(), acks, codec, identity: None, partitions: Vec::new(), in_turn: 0 };
        producer.note_leaders(&found);
        if producer.partitions.is_empty() {
            return Err(Refusal::of(ErrorCode::LeaderNotAvailable).into());
        }
        if acks == Acks::All && producer.client.any().serves(ApiKey::InitProducerId, &INIT_PRODUCER_ID_VERSIONS) {
            producer.identity = Some(producer.init_producer_id()?);
        }
        Ok(producer)
    }

    /// How many partitions the topic has.
    pub(crate) fn partition_count(&self) -> i32 {
        i32::try_from(self.partitions.len()).unwrap_or(i32::MAX)
    }

    /// Adds a record to a batch, and sends the batch when it is large enough.
    ///
    /// # Errors
    /// The topic has no such partition, or the batch was not taken.
    pub(crate) fn append(&mut self, record: &OutgoingRecord) -> Result<Option<Acknowledged>> {
        let at = self.partition_of(record)?;
        let identity = self.identity;
        let partition = self.partitions.get_mut(at).ok_or(ClientError::Malformed("a partition beyond the last"))?;
        let batch = partition.batch.get_or_insert_with(|| {
            let builder = BatchBuilder::new(0, self.codec);
            match identity {
                Some((id, epoch)) => builder.producer(id, epoch, partition.next_sequence),
                None => builder,
            }
        });
        let headers: Vec<(&[u8], Option<&[u8]>)> =
            record.headers.iter().map(|(key, value)| (key.as_bytes(), value.as_deref())).collect();
        batch.append(record.timestamp_ms, record.key.as_deref(), record.value.as_deref(), &headers);
        if batch.size() >= BATCH_BYTES { self.send(at) } else { Ok(None) }
    }

    /// Sends whatever was not sent yet.
    ///
    /// # Errors
    /// A batch was not taken.
    pub(crate) fn flush(&mut self) -> Result<Vec<Acknowledged>> {
        let mut taken = Vec::new();
        for at in 0..self.partitions.len() {
            taken.extend(self.send(at)?);
        }
        Ok(taken)
    }

    fn partition_of(&self, record: &OutgoingRecord) -> Result<usize> {
        let count = self.partition_count();
        let partition = match (record.partition, &record.key) {
            (Some(partition), _) => partition,
            (None, Some(key)) => partition_for_key(key, count),
            (None, None) => return Ok(self.in_turn % self.partitions.len().max(1)),
        };
        let at = usize::try_from(partition).ok().filter(|at| *at < self.partitions.len());
        at.ok_or_else(|| {
            let message = format!("topic {} has no partition {partition}, only 0 to {}", self.topic, count - 1);
            Refusal { code: ErrorCode::UnknownTopicOrPartition, message: Some(message) }.into()
        })
    }

    fn send(&mut self, at: usize) -> Result<Option<Acknowledged>> {
        let Some(batch) = self.partitions.get_mut(at).and_then(|partition| partition.batch.take()) else {
            return Ok(None);
        };
        let records = batch.record_count();
        self.in_turn = self.in_turn.wrapping_add(1);
        let index = i32::try_from(at).unwrap_or(i32::MAX);
        let base_offset = self.deliver(index, &batch.build())?;
        if let Some(partition) = self.partitions.get_mut(at) {
            partition.next_sequence = partition.next_sequence.checked_add(records).unwrap_or(0);
        }
        Ok(Some(Acknowledged { partition: index, base_offset, records }))
    }

    /// Sends one batch until it is taken. With a producer id the broker recognises one that it has already.
    fn deliver(&mut self, index: i32, batch: &Bytes) -> Result<Option<i64>> {
        let deadline = Instant::now() + DELIVERY_LIMIT;
        loop {
            let error = match self.send_once(index, batch) {
                Ok(base_offset) => return Ok(base_offset),
                Err(error) if error.code() == Some(ErrorCode::DuplicateSequenceNumber) => return Ok(None),
                Err(error) => error,
            };
            let is_known_as_refused = matches!(error, ClientError::Refused(_));
            let may_repeat = error.is_passing() && (self.identity.is_some() || is_known_as_refused);
            if !may_repeat || Instant::now() >= deadline {
                return Err(error);
            }
            if let Some(leader) = self.leader_of(index) {
                self.client.forget(leader);
            }
            pause();
            // While no broker answers, the old leaders are the best guess.
            if let Ok(found) = self.client.topic_with_leaders(&self.topic, false) {
                self.note_leaders(&found);
            }
        }
    }

    fn send_once(&mut self, index: i32, batch: &Bytes) -> Result<Option<i64>> {
        let data = PartitionProduceData::default().with_index(index).with_records(Some(batch.clone()));
        let topic = TopicProduceData::default().with_name(topic_name(&self.topic)).with_partition_data(vec![data]);
        let acks = match self.acks {
            Acks::None => 0,
            Acks::Leader => 1,
            Acks::All => -1,
        };
        let request =
            ProduceRequest::default().with_acks(acks).with_timeout_ms(TIMEOUT_MS).with_topic_data(vec![topic]);
        let leader = self.leader_of(index).ok_or_else(|| Refusal::of(ErrorCode::LeaderNotAvailable))?;
        let broker = self.client.broker(leader)?;
        if self.acks == Acks::None {
            broker.tell(&request, PRODUCE_VERSIONS)?;
            return Ok(None);
        }
        let response = broker.ask(&request, PRODUCE_VERSIONS)?;
        let answer = response.responses.first().and_then(|topic| topic.partition_responses.first());
        let answer = answer.ok_or(ClientError::Malformed("no answer for the partition"))?;
        Refusal::check(answer.error_code, answer.error_message.as_deref())?;
        Ok(Some(answer.base_offset))
    }

    fn leader_of(&self, index: i32) -> Option<i32> {
        let partition = usize::try_from(index).ok().and_then(|at| self.partitions.get(at));
        partition.map(|partition| partition.leader)
    }

    fn note_leaders(&mut self, topic: &MetadataResponseTopic) {
        let mut found: Vec<_> =
            topic.partitions.iter().map(|partition| (partition.partition_index, partition.leader_id.0)).collect();
        found.sort_unstable();
        for (at, (_, leader)) in found.into_iter().enumerate() {
            match self.partitions.get_mut(at) {
                Some(partition) => partition.leader = leader,
                None => self.partitions.push(Partition { leader, batch: None, next_sequence: 0 }),
            }
        }
    }

    fn init_producer_id(&mut self) -> Result<(i64, i16)> {
        let request = InitProducerIdRequest::default().with_transactional_id(None).with_transaction_timeout_ms(60_000);
        let deadline = Instant::now() + DELIVERY_LIMIT;
        loop {
            let response = self.client.any().ask(&request, INIT_PRODUCER_ID_VERSIONS)?;
            match Refusal::check(response.error_code, None) {
                Ok(()) => return Ok((response.producer_id.0, response.producer_epoch)),
                Err(refusal) if refusal.code.is_retriable() && Instant::now() < deadline => pause(),
                Err(refusal) => return Err(refusal.into()),
            }
        }
    }
}
