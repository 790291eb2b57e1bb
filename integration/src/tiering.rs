//! A topic in the cold tier: its records say their own offsets, and its local log is as short as it can be.

use std::path::{Path, PathBuf};
use std::time::Duration;

use protocol::messages::ListOffsetsRequest;
use protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use protocol::messages::list_offsets_response::ListOffsetsPartitionResponse;
use protocol::record_batch::{BatchBuilder, Codec};

use crate::audit;
use crate::broker::Broker;
use crate::kafka;
use crate::wait;
use crate::wire::{Connection, EARLIEST, text};

pub const LIMIT: Duration = Duration::from_secs(120);
const LIST_OFFSETS_VERSION: i16 = 11;
pub const EARLIEST_LOCAL: i64 = -4;
pub const LATEST_TIERED: i64 = -5;
pub const EARLIEST_PENDING_UPLOAD: i64 = -6;
/// The timestamp of the first record; later ones are a second apart.
pub const FIRST: i64 = 1_700_000_000_000;
const RECORDS_IN_BATCH: i64 = 10;

/// Segments of a mebibyte, of which the local log keeps none but the one that is written.
pub const TIERED: [(&str, &str); 5] = [
    ("remote.storage.enable", "true"),
    ("segment.bytes", "1048576"),
    ("local.retention.bytes", "1"),
    ("retention.ms", "-1"),
    ("file.delete.delay.ms", "0"),
];

/// Appends batches of records of 10 KB that say their own offsets; returns the next offset.
///
/// # Panics
/// One is not taken, or at another offset.
#[track_caller]
pub fn append(connection: &mut Connection, topic: &str, from: i64, batches: i64) -> i64 {
    for first in (0..batches).map(|batch| from + batch * RECORDS_IN_BATCH) {
        let mut batch = BatchBuilder::new(0, Codec::None);
        for offset in first..first + RECORDS_IN_BATCH {
            batch.append(FIRST + offset * 1000, None, Some(format!("{offset:0>10000}").as_bytes()), &[]);
        }
        let produced = connection.produce(topic, 0, batch.build());
        assert_eq!((produced.error_code, produced.base_offset), (0, first));
    }
    from + batches * RECORDS_IN_BATCH
}

/// What ListOffsets says of partition 0.
#[track_caller]
pub fn list(connection: &mut Connection, topic: &str, timestamp: i64) -> ListOffsetsPartitionResponse {
    let partition = ListOffsetsPartition { timestamp, ..ListOffsetsPartition::default() };
    let topics = vec![ListOffsetsTopic { name: text(topic), partitions: vec![partition] }];
    let request = ListOffsetsRequest { replica_id: -1, topics, ..ListOffsetsRequest::default() };
    connection.send(&request, LIST_OFFSETS_VERSION).topics[0].partitions[0].clone()
}

/// Checks that every record from `start` on is there, once, in order, and says its own offset.
///
/// # Panics
/// It is not so.
#[track_caller]
pub fn assert_whole(connection: &mut Connection, topic: &str, start: i64, end: i64) {
    assert_eq!(list(connection, topic, EARLIEST).offset, start);
    let records = audit::read_all(connection, topic, 0).records;
    let offsets: Vec<i64> = records.iter().map(|record| record.offset).collect();
    assert_eq!(offsets, (start..end).collect::<Vec<_>>());
    for record in &records {
        let value = String::from_utf8_lossy(record.value.as_deref().unwrap_or_default()).into_owned();
        assert_eq!(value.parse::<i64>().ok(), Some(record.offset));
    }
}

/// Waits until only the active segment is local, and returns its first offset.
///
/// # Panics
/// It does not come to that.
#[track_caller]
pub fn await_tiering(broker: &Broker, connection: &mut Connection, topic: &str) -> i64 {
    let folder = broker.data().join(format!("{topic}-0"));
    wait::until("closed segments are remote only", LIMIT, || {
        let mut local = Vec::new();
        files(&folder, &mut local);
        local.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
        let start = list(connection, topic, EARLIEST_LOCAL).offset;
        let is_settled = local.len() == 1 && list(connection, topic, LATEST_TIERED).offset == start - 1;
        (is_settled && start > 0).then_some(start)
    })
}

/// All files below a folder.
pub fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    // A folder that goes while it is listed has nothing in it.
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.path() {
            path if path.is_dir() => files(&path, found),
            path => found.push(path),
        }
    }
}

/// `RemoteLogMetadataFormatter` of Kafka 4.3.
const FORMATTER: &str = "org.apache.kafka.server.log.remote.metadata.storage.serialization.RemoteLogMetadataSerde$RemoteLogMetadataFormatter";

/// One record of `__remote_log_metadata`, as Kafka's formatter prints it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteLogEvent {
    pub segment_id: String,
    /// Of the segment, in words: offsets, the largest timestamp, size, whether it has aborted transactions; empty in updates.
    pub segment: String,
    pub state: String,
}

/// What Kafka's console consumer and formatter print of everything in partition 0 of `__remote_log_metadata`.
///
/// # Panics
/// They fail, or print something else.
#[track_caller]
pub fn remote_log_events(broker: &Broker) -> Vec<RemoteLogEvent> {
    let count = broker.connect().latest("__remote_log_metadata", 0).to_string();
    let bootstrap = broker.bootstrap();
    let wanted = ["--bootstrap-server", &bootstrap, "--topic", "__remote_log_metadata", "--from-beginning"];
    let all = ["--max-messages", &count, "--formatter", FORMATTER];
    let printed = kafka::tool("console-consumer", &[&wanted[..], &all[..]].concat()).ok();
    let events: Vec<_> = printed.lines().filter(|line| line.starts_with("partition: 0, ")).map(event).collect();
    assert_eq!(events.len().to_string(), count, "{printed}");
    events
}

fn event(line: &str) -> RemoteLogEvent {
    let names = ["startOffset", "endOffset", "maxTimestampMs", "segmentSizeInBytes", "txnIdxEmpty"];
    let told = names.iter().filter_map(|name| Some(format!("{name}={}", field(line, name)?)));
    RemoteLogEvent {
        segment_id: field(line, "id").expect("an id").to_owned(),
        segment: told.collect::<Vec<_>>().join(" "),
        state: field(line, "state").expect("a state").to_owned(),
    }
}

fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(&format!(" {name}="))?;
    rest.split([',', '}']).next()
}
