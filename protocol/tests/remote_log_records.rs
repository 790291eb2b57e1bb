//! The records of `__remote_log_metadata` against the bytes of Apache Kafka's own classes, both ways.
//! The bytes are made by `integration/golden/RemoteLogRecords.java`, which holds the same values.

mod golden;

use bytes::Bytes;
use golden::{from_hex, lines, to_hex};
use protocol::StrBytes;
use protocol::ids::Uuid;
use protocol::remote_log_record::RemoteLogSegmentState::{
    CopySegmentFinished, CopySegmentStarted, DeleteSegmentFinished, DeleteSegmentStarted,
};
use protocol::remote_log_record::*;

const TIME: i64 = 1_700_000_000_000;

fn partition() -> TopicIdPartitionEntry {
    TopicIdPartitionEntry {
        name: StrBytes::from_static_str("orders"),
        id: Uuid::from_u128(0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10),
        partition: 258,
    }
}

fn segment_id() -> RemoteLogSegmentIdEntry {
    let id = Uuid::from_u128(0x1112_1314_1516_1718_191a_1b1c_1d1e_1f20);
    RemoteLogSegmentIdEntry { topic_id_partition: partition(), id }
}

fn started(base_offset: i64) -> RemoteLogSegmentMetadataRecord {
    RemoteLogSegmentMetadataRecord {
        remote_log_segment_id: segment_id(),
        start_offset: base_offset,
        end_offset: base_offset + 9,
        broker_id: 7,
        max_timestamp_ms: TIME,
        event_timestamp_ms: TIME + 1,
        segment_leader_epochs: vec![SegmentLeaderEpochEntry { leader_epoch: 0, offset: base_offset }],
        segment_size_in_bytes: 1 << 20,
        custom_metadata: None,
        remote_log_segment_state: CopySegmentStarted.id(),
        txn_index_empty: false,
    }
}

fn update(state: RemoteLogSegmentState) -> RemoteLogRecord {
    RemoteLogRecord::SegmentUpdate(RemoteLogSegmentMetadataUpdateRecord {
        remote_log_segment_id: segment_id(),
        broker_id: 7,
        event_timestamp_ms: TIME,
        custom_metadata: None,
        remote_log_segment_state: state.id(),
    })
}

fn records() -> Vec<RemoteLogRecord> {
    let mut of_two_epochs = started(1 << 40);
    of_two_epochs.segment_leader_epochs.push(SegmentLeaderEpochEntry { leader_epoch: 3, offset: (1 << 40) + 5 });
    let with_metadata = RemoteLogSegmentMetadataRecord {
        custom_metadata: Some(Bytes::from_static(&[1, 2])),
        txn_index_empty: true,
        ..started(0)
    };
    let deleted = RemotePartitionDeleteMetadataRecord {
        topic_id_partition: partition(),
        broker_id: 7,
        event_timestamp_ms: TIME,
        remote_partition_delete_state: 0,
    };
    vec![
        RemoteLogRecord::Segment(of_two_epochs),
        RemoteLogRecord::Segment(with_metadata),
        update(CopySegmentFinished),
        update(DeleteSegmentStarted),
        update(DeleteSegmentFinished),
        RemoteLogRecord::PartitionDelete(deleted),
    ]
}

#[test]
fn the_bytes_are_kafkas() {
    let lines = lines("remote_log.txt");
    let golden = lines.iter().filter_map(|line| line.split_once(' ')).filter(|(name, _)| *name != "partition");
    let golden: Vec<&str> = golden.map(|(_, hex)| hex).collect();
    assert_eq!(golden.len(), records().len());
    for (record, hex) in records().into_iter().zip(golden) {
        assert_eq!(to_hex(&record.encode().unwrap()), hex);
        assert_eq!(RemoteLogRecord::decode(from_hex(hex)), Ok(record));
    }
}
