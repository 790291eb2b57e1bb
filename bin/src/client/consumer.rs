//! Reads the partitions of one topic from given positions on, without a group.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use protocol::error_code::ErrorCode;
use protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use protocol::messages::fetch_response::PartitionData;
use protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use protocol::messages::{BrokerId, FetchRequest, ListOffsetsRequest};
use protocol::record_batch::{Batches, Record, Records, check_crc, expansion_limit};

use super::{Client, ClientError, Refusal, Result, pause, text, topic_name};

/// By topic name: from version 13 on it is the id.
const FETCH_VERSIONS: std::ops::RangeInclusive<i16> = 4..=12;
const LIST_OFFSETS_VERSIONS: std::ops::RangeInclusive<i16> = 1..=7;
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
/// How long a broker may wait for news; less where several brokers are asked in turn.
const MAX_WAIT_MS: i32 = 500;
const MAX_WAIT_OF_SEVERAL_MS: i32 = 100;
const MAX_BYTES: i32 = 8 << 20;
const MAX_PARTITION_BYTES: i32 = 1 << 20;
/// How long failures that may pass are borne.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where to begin, in every partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Position {
    Beginning,
    End,
    Offset(i64),
    /// The first record of that time or later, in milliseconds since the epoch; the end if there is none.
    Timestamp(i64),
    /// So many records before the end.
    Last(i64),
}

/// Reads one topic.
pub(crate) struct Consumer<'a> {
    client: &'a mut Client,
    topic: String,
    cursors: BTreeMap<i32, Cursor>,
    failing_since: Option<Instant>,
}

struct Cursor {
    leader: i32,
    /// Of the next record.
    offset: i64,
    /// The end of the partition when the consumer was opened (exclusive).
    end_offset: i64,
}

impl<'a> Consumer<'a> {
    /// Looks up where to begin. No partitions means all.
    ///
    /// # Errors
    /// There is no such topic or partition, or [`ClientError`].
    pub(crate) fn open(client: &'a mut Client, topic: &str, partitions: &[i32], position: Position) -> Result<Self> {
        let found = client.topic_with_leaders(topic, false)?;
        let leaders: BTreeMap<i32, i32> =
            found.partitions.iter().map(|partition| (partition.partition_index, partition.leader_id.0)).collect();
        let mut consumer = Self { client, topic: topic.to_owned(), cursors: BTreeMap::new(), failing_since: None };
        let wanted: Vec<i32> =
            if partitions.is_empty() { leaders.keys().copied().collect() } else { partitions.into() };
        for partition in wanted {
            let leader = leaders.get(&partition).copied().ok_or_else(|| {
                let message = format!("topic {topic} has no partition {partition}, only 0 to {}", leaders.len() - 1);
                Refusal { code: ErrorCode::UnknownTopicOrPartition, message: Some(message) }
            })?;
            let cursor = consumer.position(partition, leader, position)?;
            consumer.cursors.insert(partition, cursor);
        }
        Ok(consumer)
    }

    /// Whether everything that was there when the consumer was opened has been read.
    pub(crate) fn has_caught_up(&self) -> bool {
        self.cursors.values().all(|cursor| cursor.offset >= cursor.end_offset)
    }

    /// The next records with their partitions, in order within each; none if there were none in half a second.
    ///
    /// # Errors
    /// [`ClientError`], if it did not pass within 30 s.
    pub(crate) fn poll(&mut self) -> Result<Vec<(i32, Record)>> {
        let mut by_leader: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
        for (partition, cursor) in &self.cursors {
            by_leader.entry(cursor.leader).or_default().push(*partition);
        }
        let max_wait_ms = if by_leader.len() > 1 { MAX_WAIT_OF_SEVERAL_MS } else { MAX_WAIT_MS };
        let mut records = Vec::new();
        for (leader, partitions) in by_leader {
            match self.fetch(leader, &partitions, max_wait_ms, &mut records) {
                Ok(()) => self.failing_since = None,
                Err(error) => self.bear(leader, error)?,
            }
        }
        Ok(records)
    }

    /// Lets a failure pass for a while: leaders move, brokers restart.
    fn bear(&mut self, leader: i32, error: ClientError) -> Result<()> {
        let since = *self.failing_since.get_or_insert_with(Instant::now);
        if !error.is_passing() || since.elapsed() > PATIENCE {
            return Err(error);
        }
        self.client.forget(leader);
        pause();
        if let Ok(found) = self.client.topic_with_leaders(&self.topic, false) {
            for partition in &found.partitions {
                if let Some(cursor) = self.cursors.get_mut(&partition.partition_index) {
                    cursor.leader = partition.leader_id.0;
                }
            }
        }
        Ok(())
    }

    fn fetch(
        &mut self,
        leader: i32,
        partitions: &[i32],
        max_wait_ms: i32,
        records: &mut Vec<(i32, Record)>,
    ) -> Result<()> {
        let wanted = partitions.iter().filter_map(|partition| {
            let offset = self.cursors.get(partition)?.offset;
            let wanted = FetchPartition::default()
                .with_partition(*partition)
                .with_fetch_offset(offset)
                .with_partition_max_bytes(MAX_PARTITION_BYTES);
            Some(wanted)
        });
        let topic = FetchTopic::default().with_topic(topic_name(&self.topic)).with_partitions(wanted.collect());
        let request = FetchRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_max_wait_ms(max_wait_ms)
            .with_min_bytes(1)
            .with_max_bytes(MAX_BYTES)
            .with_session_epoch(-1)
            .with_topics(vec![topic]);
        let response = self.client.broker(leader)?.ask(&request, FETCH_VERSIONS)?;
        Refusal::check(response.error_code, None)?;
        for data in response.responses.iter().flat_map(|topic| &topic.partitions) {
            self.take(data, records)?;
        }
        Ok(())
    }

    fn take(&mut self, data: &PartitionData, records: &mut Vec<(i32, Record)>) -> Result<()> {
        let partition = data.partition_index;
        let Some(cursor) = self.cursors.get_mut(&partition) else { return Ok(()) };
        if data.error_code == ErrorCode::OffsetOutOfRange.code() {
            let (topic, offset) = (&self.topic, cursor.offset);
            let message = format!(
                "{topic}-{partition} has no offset {offset}: see the first and the last with --from beginning and --from end"
            );
            return Err(Refusal { code: ErrorCode::OffsetOutOfRange, message: Some(message) }.into());
        }
        Refusal::check(data.error_code, None)?;
        let bytes = data.records.clone().unwrap_or_default();
        for batch in Batches::new(&bytes) {
            let corrupt = |_| ClientError::Malformed("a record batch");
            let (header, batch) = batch.map_err(corrupt)?;
            check_crc(batch).map_err(corrupt)?;
            if !header.attributes.is_control() {
                decode(&bytes.slice_ref(batch), cursor.offset, partition, records)?;
            }
            cursor.offset = cursor.offset.max(header.next_offset());
        }
        Ok(())
    }

    fn position(&mut self, partition: i32, leader: i32, position: Position) -> Result<Cursor> {
        let end_offset = self.list_offset(partition, leader, LATEST)?;
        let offset = match position {
            Position::Beginning => self.list_offset(partition, leader, EARLIEST)?,
            Position::End => end_offset,
            Position::Offset(offset) => offset,
            Position::Timestamp(timestamp) => match self.list_offset(partition, leader, timestamp)? {
                -1 => end_offset,
                offset => offset,
            },
            Position::Last(count) => {
                let first = self.list_offset(partition, leader, EARLIEST)?;
                end_offset.saturating_sub(count).max(first)
            }
        };
        Ok(Cursor { leader, offset, end_offset })
    }

    fn list_offset(&mut self, partition: i32, leader: i32, timestamp: i64) -> Result<i64> {
        let wanted = ListOffsetsPartition { partition_index: partition, timestamp, ..ListOffsetsPartition::default() };
        let topics = vec![ListOffsetsTopic { name: text(&self.topic), partitions: vec![wanted] }];
        let request = ListOffsetsRequest { replica_id: -1, topics, ..ListOffsetsRequest::default() };
        let response = self.client.broker(leader)?.ask(&request, LIST_OFFSETS_VERSIONS)?;
        let found = response.topics.first().and_then(|topic| topic.partitions.first());
        let found = found.ok_or(ClientError::Malformed("no answer for the partition"))?;
        Refusal::check(found.error_code, None)?;
        Ok(found.offset)
    }
}

/// A batch is sent whole: what lies before the offset that was asked for is left out.
fn decode(batch: &Bytes, offset: i64, partition: i32, records: &mut Vec<(i32, Record)>) -> Result<()> {
    let opened = Records::open(batch, expansion_limit(batch.len()));
    for record in opened.map_err(|_| ClientError::Malformed("compressed records"))? {
        let record = record.map_err(|_| ClientError::Malformed("a record"))?;
        if record.offset >= offset {
            records.push((partition, record));
        }
    }
    Ok(())
}
