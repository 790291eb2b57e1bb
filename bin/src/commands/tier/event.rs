//! One record of `__remote_log_metadata`, and how all of them are read.

use anyhow::Context;
use protocol::ids::Uuid;
use protocol::record_batch::Record;
use protocol::remote_log_record::{RemoteLogRecord, RemoteLogSegmentIdEntry, RemoteLogSegmentState};

use crate::client::{Client, Consumer, Position};

const TOPIC: &str = "__remote_log_metadata";

/// What became of a segment.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) topic: String,
    pub(super) topic_id: Uuid,
    pub(super) partition: i32,
    pub(super) segment: Uuid,
    pub(super) state: RemoteLogSegmentState,
    pub(super) broker: i32,
    /// Milliseconds since the epoch.
    pub(super) timestamp: i64,
    /// What is told of a segment when it is first told of.
    pub(super) range: Option<Range>,
}

/// What a segment is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    /// Inclusive.
    pub(super) first_offset: i64,
    /// Inclusive.
    pub(super) last_offset: i64,
    pub(super) size_bytes: i32,
    /// Of its youngest record; milliseconds since the epoch.
    pub(super) max_timestamp: i64,
}

impl Event {
    /// What a record tells of a segment; `None` for anything else.
    pub(super) fn read(record: Record) -> Option<Self> {
        let (id, state, broker, timestamp, range) = match RemoteLogRecord::decode(record.value?).ok()? {
            RemoteLogRecord::Segment(record) => {
                let range = Range {
                    first_offset: record.start_offset,
                    last_offset: record.end_offset,
                    size_bytes: record.segment_size_in_bytes,
                    max_timestamp: record.max_timestamp_ms,
                };
                let id = record.remote_log_segment_id;
                (id, record.remote_log_segment_state, record.broker_id, record.event_timestamp_ms, Some(range))
            }
            RemoteLogRecord::SegmentUpdate(record) => {
                let id = record.remote_log_segment_id;
                (id, record.remote_log_segment_state, record.broker_id, record.event_timestamp_ms, None)
            }
            RemoteLogRecord::PartitionDelete(_) => return None,
        };
        let RemoteLogSegmentIdEntry { topic_id_partition: of, id: segment } = id;
        Some(Self {
            topic: of.name.to_string(),
            topic_id: of.id,
            partition: of.partition,
            segment,
            state: RemoteLogSegmentState::of(state)?,
            broker,
            timestamp,
            range,
        })
    }
}

/// Opens the topic at its beginning.
///
/// # Errors
/// The cluster has no such topic, or is not reached.
pub(super) fn open(client: &mut Client) -> anyhow::Result<Consumer<'_>> {
    Consumer::open(client, TOPIC, &[], Position::Beginning)
        .with_context(|| format!("cannot read {TOPIC} (brokers have it where remote.log.storage.system.enable=true)"))
}

/// Everything that is told now, of one topic or of all, those of one partition in order.
///
/// # Errors
/// The connection's.
pub(super) fn read_all(consumer: &mut Consumer<'_>, topic: Option<&str>) -> anyhow::Result<Vec<Event>> {
    let mut events = Vec::new();
    while !consumer.has_caught_up() {
        events.extend(poll(consumer, topic)?);
    }
    Ok(events)
}

/// What is told next, of one topic or of all; nothing if there is nothing within half a second.
///
/// # Errors
/// The connection's.
pub(super) fn poll(consumer: &mut Consumer<'_>, topic: Option<&str>) -> anyhow::Result<Vec<Event>> {
    let events = consumer.poll()?.into_iter().filter_map(|(_, record)| Event::read(record));
    Ok(events.filter(|event| topic.is_none_or(|topic| event.topic == topic)).collect())
}
