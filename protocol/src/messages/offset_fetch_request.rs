//! OffsetFetchRequest, versions 1–10; the crate ends at 9. Source: `OffsetFetchRequest.json`.

use super::OffsetFetchResponse;
use crate::{StrBytes, message, request};
use uuid::Uuid;

message! {
    /// Asks what groups have committed: one group up to version 7, several since (KIP-709). Version 10 names topics by their ids
    /// (KIP-848).
    pub struct OffsetFetchRequest, key 9, versions "1-10", flexible "6+" {
        /// The group.
        group_id: StrBytes, "1-7";
        /// The topics asked for, or `None` for all.
        topics: Option<Vec<OffsetFetchRequestTopic>>, "1-7", nullable "2-7", default Some(Vec::new());
        /// The groups.
        groups: Vec<OffsetFetchRequestGroup>, "8+";
        /// Whether offsets in a transaction that is not over are an error instead of the ones before (KIP-447).
        require_stable: bool, "7+";
    }

    /// A topic of the only group.
    pub struct OffsetFetchRequestTopic {
        /// Its name.
        name: StrBytes, "1-7";
        /// Its partitions.
        partition_indexes: Vec<i32>, "1-7";
    }

    /// A group.
    pub struct OffsetFetchRequestGroup {
        /// Its id.
        group_id: StrBytes, "8+";
        /// The member that asks; `None` for who is none.
        member_id: Option<StrBytes>, "9+", nullable "9+", ignorable true;
        /// Its epoch in the consumer protocol; -1 for none.
        member_epoch: i32, "9+", default -1, ignorable true;
        /// The topics asked for, or `None` for all.
        topics: Option<Vec<OffsetFetchRequestTopics>>, "8+", nullable "8+", default Some(Vec::new());
    }

    /// A topic of one of several groups.
    pub struct OffsetFetchRequestTopics {
        /// Its name.
        name: StrBytes, "8-9", ignorable true;
        /// Its id.
        topic_id: Uuid, "10+", ignorable true;
        /// Its partitions.
        partition_indexes: Vec<i32>, "8+";
    }
}

request!(OffsetFetchRequest, answered by OffsetFetchResponse);
