//! OffsetCommitRequest, versions 2–10; the crate ends at 9. Source: `OffsetCommitRequest.json`.

use super::OffsetCommitResponse;
use crate::{StrBytes, message, request};
use uuid::Uuid;

message! {
    /// Commits offsets of a group. Version 10 names topics by their ids (KIP-848).
    pub struct OffsetCommitRequest, key 8, versions "2-10", flexible "8+" {
        /// The group.
        group_id: StrBytes, "2+";
        /// The generation, or a consumer's member epoch; -1 for who is no member.
        generation_id_or_member_epoch: i32, "2+", default -1;
        /// The member; empty for who is none.
        member_id: StrBytes, "2+";
        /// Of a static member (KIP-345).
        group_instance_id: Option<StrBytes>, "7+", nullable "7+";
        /// How long the offsets shall be kept, in ms; -1 for the broker's retention.
        retention_time_ms: i64, "2-4", default -1, ignorable true;
        /// What is committed.
        topics: Vec<OffsetCommitRequestTopic>, "2+";
    }

    /// A topic.
    pub struct OffsetCommitRequestTopic {
        /// Its name.
        name: StrBytes, "2-9", ignorable true;
        /// Its id.
        topic_id: Uuid, "10+", ignorable true;
        /// Its partitions.
        partitions: Vec<OffsetCommitRequestPartition>, "2+";
    }

    /// A partition.
    pub struct OffsetCommitRequestPartition {
        /// Which one.
        partition_index: i32, "2+";
        /// The offset of the next record to read.
        committed_offset: i64, "2+";
        /// The leader epoch of the last record read (KIP-320); -1 if the client does not say.
        committed_leader_epoch: i32, "6+", default -1, ignorable true;
        /// What the client keeps beside it.
        committed_metadata: Option<StrBytes>, "2+", nullable "2+", default Some(StrBytes::new());
    }
}

request!(OffsetCommitRequest, answered by OffsetCommitResponse);
