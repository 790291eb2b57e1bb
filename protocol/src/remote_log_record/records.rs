//! Each record of Apache Kafka 4.3, as in `storage/src/main/resources/message/*Record.json`.

use crate::{StrBytes, message};
use bytes::Bytes;
use uuid::Uuid;

message! {
    /// A segment that is about to be copied.
    pub struct RemoteLogSegmentMetadataRecord, key 0, versions "0", flexible "0+" {
        /// Which segment.
        remote_log_segment_id: RemoteLogSegmentIdEntry, "0+";
        /// First offset (inclusive).
        start_offset: i64, "0+";
        /// Last offset (inclusive).
        end_offset: i64, "0+";
        /// The broker that copies it.
        broker_id: i32, "0+";
        /// Of its youngest record; ms since the epoch.
        max_timestamp_ms: i64, "0+";
        /// Of this event; ms since the epoch.
        event_timestamp_ms: i64, "0+";
        /// Where in the segment which leader epoch begins.
        segment_leader_epochs: Vec<SegmentLeaderEpochEntry>, "0+";
        /// Bytes of the log.
        segment_size_in_bytes: i32, "0+";
        /// Of the storage's own.
        custom_metadata: Option<Bytes>, "0+", nullable "0+";
        /// `RemoteLogSegmentState.id`.
        remote_log_segment_state: i8, "0+";
        /// Whether no transaction was aborted in it (KIP-1058).
        txn_index_empty: bool, "0+", tag 0 "0+";
    }

    /// What became of a segment.
    pub struct RemoteLogSegmentMetadataUpdateRecord, key 1, versions "0", flexible "0+" {
        /// Which segment.
        remote_log_segment_id: RemoteLogSegmentIdEntry, "0+";
        /// The broker that did it.
        broker_id: i32, "0+";
        /// Of this event; ms since the epoch.
        event_timestamp_ms: i64, "0+";
        /// Of the storage's own.
        custom_metadata: Option<Bytes>, "0+", nullable "0+";
        /// `RemoteLogSegmentState.id`.
        remote_log_segment_state: i8, "0+";
    }

    /// What becomes of a whole partition.
    pub struct RemotePartitionDeleteMetadataRecord, key 2, versions "0", flexible "0+" {
        /// Which partition.
        topic_id_partition: TopicIdPartitionEntry, "0+";
        /// The broker that says so.
        broker_id: i32, "0+";
        /// Of this event; ms since the epoch.
        event_timestamp_ms: i64, "0+";
        /// `RemotePartitionDeleteState.id`.
        remote_partition_delete_state: i8, "0+";
    }

    /// Which segment it is.
    pub struct RemoteLogSegmentIdEntry {
        /// Of which partition.
        topic_id_partition: TopicIdPartitionEntry, "0+";
        /// Random.
        id: Uuid, "0+";
    }

    /// Which partition it is.
    pub struct TopicIdPartitionEntry {
        /// The topic's name.
        name: StrBytes, "0+";
        /// The topic's id.
        id: Uuid, "0+";
        /// The partition.
        partition: i32, "0+";
    }

    /// A leader epoch of a segment.
    pub struct SegmentLeaderEpochEntry {
        /// The epoch.
        leader_epoch: i32, "0+";
        /// Its first offset in the segment (inclusive).
        offset: i64, "0+";
    }
}

/// What state a segment is in (`RemoteLogSegmentState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i8)]
pub enum RemoteLogSegmentState {
    /// It is being copied.
    CopySegmentStarted = 0,
    /// It can be read.
    CopySegmentFinished = 1,
    /// It is being deleted, and not read any more.
    DeleteSegmentStarted = 2,
    /// It is gone.
    DeleteSegmentFinished = 3,
}

impl RemoteLogSegmentState {
    /// Its number in a record.
    pub const fn id(self) -> i8 {
        self as i8
    }

    /// The state of a number.
    pub const fn of(id: i8) -> Option<Self> {
        match id {
            0 => Some(Self::CopySegmentStarted),
            1 => Some(Self::CopySegmentFinished),
            2 => Some(Self::DeleteSegmentStarted),
            3 => Some(Self::DeleteSegmentFinished),
            _ => None,
        }
    }

    /// Its name in Kafka.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CopySegmentStarted => "COPY_SEGMENT_STARTED",
            Self::CopySegmentFinished => "COPY_SEGMENT_FINISHED",
            Self::DeleteSegmentStarted => "DELETE_SEGMENT_STARTED",
            Self::DeleteSegmentFinished => "DELETE_SEGMENT_FINISHED",
        }
    }
}
