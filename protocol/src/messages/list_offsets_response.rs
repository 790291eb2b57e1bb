//! ListOffsetsResponse, versions 1–11; the crate ends at 10. Source: `ListOffsetsResponse.json`.

use crate::{StrBytes, message, response};

message! {
    /// The offsets that were asked for.
    pub struct ListOffsetsResponse, key 2, versions "1-11", flexible "6+" {
        /// How long the client is not listened to, in ms.
        throttle_time_ms: i32, "2+", ignorable true;
        /// What was asked for.
        topics: Vec<ListOffsetsTopicResponse>, "1+";
    }

    /// A topic.
    pub struct ListOffsetsTopicResponse {
        /// Its name.
        name: StrBytes, "1+";
        /// Its partitions.
        partitions: Vec<ListOffsetsPartitionResponse>, "1+";
    }

    /// A partition.
    pub struct ListOffsetsPartitionResponse {
        /// Which one.
        partition_index: i32, "1+";
        /// 0, or why there is no offset.
        error_code: i16, "1+";
        /// Of the record at the offset; -1 if it is not known.
        timestamp: i64, "1+", default -1;
        /// The offset; -1 if there is none.
        offset: i64, "1+", default -1;
        /// The leader epoch of the record; -1 if it is not known.
        leader_epoch: i32, "4+", default -1;
    }
}

response!(ListOffsetsResponse);
