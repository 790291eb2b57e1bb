//! Appends to the topic what it does not tell yet.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use protocol::StrBytes;
use protocol::ids::Uuid;
use protocol::record_batch::{BatchBuilder, BatchError, Batches, Codec, RecordError, Records, expansion_limit};
use protocol::remote_log_record::{
    RemoteLogRecord, RemoteLogSegmentIdEntry, RemoteLogSegmentMetadataRecord, RemoteLogSegmentMetadataUpdateRecord,
    RemoteLogSegmentState, SegmentLeaderEpochEntry, TopicIdPartitionEntry,
};
use protocol::schema::EncodeError;
use storage::remote_log::{RemoteSegment, RemoteView};

use super::states::{Event, States};
use super::topic::{REMOTE_LOG_METADATA_TOPIC, partition_for};
use super::{Inbox, Key};
use crate::replica::{Partition, PartitionError, replay};
use crate::services::Services;

/// Events are split into batches of about this many bytes, well below the largest that a topic takes.
const BATCH_BYTES: usize = 512 << 10;
/// The topic is read in pieces of this size.
const READ_BYTES: usize = 1 << 20;
/// The version of Produce that knows every codec.
const PRODUCE_VERSION: i16 = 13;

/// Why something is not told.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteError {
    #[error("the topic is not there")]
    NoTopic,
    #[error(transparent)]
    Partition(#[from] PartitionError),
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Batch(#[from] BatchError),
    #[error("a record cannot be read")]
    Record(#[from] RecordError),
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

/// What one partition of the topic tells.
type Told = HashMap<Key, ToldPartition>;

#[derive(Debug)]
struct ToldPartition {
    topic: StrBytes,
    states: States,
}

/// The one who writes the topic. What it has read or written of a partition of the topic it keeps.
pub(super) struct Writer {
    services: Arc<Services>,
    told: HashMap<i32, Told>,
}

impl Writer {
    pub(super) fn new(services: Arc<Services>) -> Self {
        Self { services, told: HashMap::new() }
    }

    /// Writes what the topic does not tell of what is in `inbox`. Blocks.
    ///
    /// # Errors
    /// [`WriteError`]. What was written before is known, and not written again.
    pub(super) fn write(&mut self, inbox: &Inbox) -> Result<(), WriteError> {
        for (key, news) in &inbox.partitions {
            let index = self.index(*key)?;
            let topic = StrBytes::from_string(news.topic.to_string());
            self.tell(index, *key, &topic, &news.view, news.copied.as_ref())?;
        }
        for topic_id in &inbox.deleted {
            self.tell_deleted(*topic_id)?;
        }
        Ok(())
    }

    fn tell_deleted(&mut self, topic_id: Uuid) -> Result<(), WriteError> {
        for index in 0..self.partitions()? {
            let told = self.load(index)?;
            let of_topic = told.iter().filter(|((id, _), _)| *id == topic_id);
            let of_topic: Vec<_> = of_topic.map(|(key, told)| (*key, told.topic.clone())).collect();
            for (key, topic) in of_topic {
                self.tell(index, key, &topic, &RemoteView::default(), None)?;
            }
        }
        Ok(())
    }

    fn tell(
        &mut self,
        index: i32,
        key: Key,
        topic: &StrBytes,
        view: &RemoteView,
        copied: Option<&Arc<RemoteSegment>>,
    ) -> Result<(), WriteError> {
        let (broker_id, now_ms) = (self.services.settings.node_id, self.services.clock.now_ms());
        let partition = self.partition(index)?;
        let told = self.load(index)?;
        let known = told.get(&key).map(|told| &told.states);
        let events = known.unwrap_or(&States::default()).missing(view, copied);
        let id = TopicIdPartitionEntry { name: topic.clone(), id: key.0, partition: key.1 };
        let mut events = events.into_iter().peekable();
        while events.peek().is_some() {
            let mut batch = BatchBuilder::new(0, Codec::None);
            let mut written = Vec::new();
            while batch.size() < BATCH_BYTES
                && let Some(event) = events.next()
            {
                let record = record(&event, &id, broker_id, now_ms).encode()?;
                batch.append(now_ms, None, Some(&record), &[]);
                written.push(event);
            }
            partition.append(batch.build(), PRODUCE_VERSION, now_ms)?;
            let told =
                told.entry(key).or_insert_with(|| ToldPartition { topic: topic.clone(), states: States::default() });
            written.into_iter().for_each(|event| told.states.replay(event.id, event.state));
        }
        told.retain(|_, told| !told.states.is_empty());
        Ok(())
    }

    /// How many partitions the topic has.
    fn partitions(&self) -> Result<i32, WriteError> {
        let image = self.services.metadata.image();
        let topic = image.topics().by_name(REMOTE_LOG_METADATA_TOPIC).ok_or(WriteError::NoTopic)?;
        Ok(i32::try_from(topic.partitions().count()).unwrap_or(i32::MAX))
    }

    fn index(&self, key: Key) -> Result<i32, WriteError> {
        Ok(partition_for(key.0, key.1, self.partitions()?))
    }

    fn partition(&self, index: i32) -> Result<Arc<Partition>, WriteError> {
        let table = self.services.replicas.table();
        let topic = table.by_name(REMOTE_LOG_METADATA_TOPIC).ok_or(WriteError::NoTopic)?;
        let partition = topic.partition(index).ok_or(WriteError::NoTopic)?;
        partition.check_leader()?;
        Ok(Arc::clone(partition))
    }

    /// What a partition of the topic tells, which is read once.
    fn load(&mut self, index: i32) -> Result<&mut Told, WriteError> {
        if !self.told.contains_key(&index) {
            let partition = self.partition(index)?;
            let mut told = Told::new();
            replay(&partition, READ_BYTES, &|| false, |batches, offset| take(&mut told, batches, offset))?;
            told.retain(|_, told| !told.states.is_empty());
            self.told.insert(index, told);
        }
        Ok(self.told.entry(index).or_default())
    }
}

/// Replays whole batches; returns the offset after them.
fn take(told: &mut Told, batches: &Bytes, mut offset: i64) -> Result<i64, WriteError> {
    for batch in Batches::new(batches) {
        let (header, bytes) = batch?;
        let batch = batches.slice_ref(bytes);
        for record in Records::open(&batch, expansion_limit(batch.len()))? {
            let record = record?;
            // Who wrote something else there is not asked why.
            let Some(Ok(record)) = record.value.map(RemoteLogRecord::decode) else { continue };
            take_record(told, record);
        }
        offset = header.next_offset();
    }
    Ok(offset)
}

fn take_record(told: &mut Told, record: RemoteLogRecord) {
    let (segment, state) = match record {
        RemoteLogRecord::Segment(record) => (record.remote_log_segment_id, record.remote_log_segment_state),
        RemoteLogRecord::SegmentUpdate(record) => (record.remote_log_segment_id, record.remote_log_segment_state),
        RemoteLogRecord::PartitionDelete(_) => return,
    };
    let Some(state) = RemoteLogSegmentState::of(state) else { return };
    let TopicIdPartitionEntry { name: topic, id, partition } = segment.topic_id_partition;
    let told = told.entry((id, partition)).or_insert_with(|| ToldPartition { topic, states: States::default() });
    told.states.replay(segment.id, state);
}

fn record(event: &Event, partition: &TopicIdPartitionEntry, broker_id: i32, now_ms: i64) -> RemoteLogRecord {
    let segment_id = RemoteLogSegmentIdEntry { topic_id_partition: partition.clone(), id: event.id };
    match &event.segment {
        Some(segment) => RemoteLogRecord::Segment(described(segment, segment_id, event.state)),
        None => RemoteLogRecord::SegmentUpdate(RemoteLogSegmentMetadataUpdateRecord {
            remote_log_segment_id: segment_id,
            broker_id,
            event_timestamp_ms: now_ms,
            custom_metadata: None,
            remote_log_segment_state: event.state.id(),
        }),
    }
}

fn described(
    segment: &RemoteSegment,
    id: RemoteLogSegmentIdEntry,
    state: RemoteLogSegmentState,
) -> RemoteLogSegmentMetadataRecord {
    let epochs = segment.epochs();
    RemoteLogSegmentMetadataRecord {
        remote_log_segment_id: id,
        start_offset: segment.base_offset,
        end_offset: segment.end_offset - 1,
        broker_id: segment.broker_id,
        max_timestamp_ms: segment.max_timestamp,
        event_timestamp_ms: segment.copied_ms,
        segment_leader_epochs: epochs
            .map(|entry| SegmentLeaderEpochEntry { leader_epoch: entry.epoch, offset: entry.start_offset })
            .collect(),
        segment_size_in_bytes: i32::try_from(segment.size()).unwrap_or(i32::MAX),
        custom_metadata: None,
        remote_log_segment_state: state.id(),
        txn_index_empty: segment.txn_index_bytes == 0,
    }
}
