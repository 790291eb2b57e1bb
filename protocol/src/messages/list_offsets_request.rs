//! ListOffsetsRequest, versions 1–11; the crate ends at 10. Source: `ListOffsetsRequest.json`.

use super::ListOffsetsResponse;
use crate::{StrBytes, message, request};

message! {
    /// Asks for offsets by timestamp, and for those that timestamps below zero stand for: −4 since version 8 (KIP-405), −5 since
    /// 9 (KIP-1005), −6 since 11 (KIP-1023).
    pub struct ListOffsetsRequest, key 2, versions "1-11", flexible "6+" {
        /// The broker that asks; -1 for a consumer.
        replica_id: i32, "1+";
        /// 1: the end is that of what is committed.
        isolation_level: i8, "2+";
        /// What is asked for.
        topics: Vec<ListOffsetsTopic>, "1+";
        /// How long the answer may wait for remote storage, in ms (KIP-1075).
        timeout_ms: i32, "10+", ignorable true;
    }

    /// A topic.
    pub struct ListOffsetsTopic {
        /// Its name.
        name: StrBytes, "1+";
        /// Its partitions.
        partitions: Vec<ListOffsetsPartition>, "1+";
    }

    /// A partition.
    pub struct ListOffsetsPartition {
        /// Which one.
        partition_index: i32, "1+";
        /// The leader epoch that the client knows; -1 if it does not say.
        current_leader_epoch: i32, "4+", default -1, ignorable true;
        /// Milliseconds since the epoch, or below zero what the number stands for.
        timestamp: i64, "1+";
    }
}

request!(ListOffsetsRequest, answered by ListOffsetsResponse);
