//! Each record of the classic protocol and of offsets in Apache Kafka 4.3, as in
//! `group-coordinator/src/main/resources/common/message/*.json`.
//!
//! Keys have a single version, which is not flexible: there is no version 1 for "1+" to mean.

use crate::{StrBytes, message};
use bytes::Bytes;
use uuid::Uuid;

message! {
    /// Whose offset it is, as Kafka wrote it before 0.9.
    pub struct LegacyOffsetCommitKey, key 0, versions "0", flexible "1+" {
        /// The group.
        group: StrBytes, "0+";
        /// The topic.
        topic: StrBytes, "0+";
        /// The partition.
        partition: i32, "0+";
    }

    /// An offset as Kafka wrote it before 0.9.
    pub struct LegacyOffsetCommitValue, key 0, versions "0", flexible "1+" {
        /// The offset of the next record to read.
        offset: i64, "0+";
        /// What the client wants to keep beside it.
        metadata: StrBytes, "0+";
        /// When it was committed, in ms since the epoch.
        commit_timestamp: i64, "0+";
    }

    /// Whose offset it is.
    pub struct OffsetCommitKey, key 1, versions "0", flexible "1+" {
        /// The group.
        group: StrBytes, "0+";
        /// The topic.
        topic: StrBytes, "0+";
        /// The partition.
        partition: i32, "0+";
    }

    /// A committed offset. Version 1 alone has an expiry of its own; version 3 adds the leader epoch, version 4 the topic's id.
    pub struct OffsetCommitValue, key 1, versions "0-4", flexible "4+" {
        /// The offset of the next record to read.
        offset: i64, "0+";
        /// The leader epoch of the last record read; -1 if the client did not say.
        leader_epoch: i32, "3+", default -1, ignorable true;
        /// What the client wants to keep beside it.
        metadata: StrBytes, "0+";
        /// When it was committed, in ms since the epoch.
        commit_timestamp: i64, "0+";
        /// When it expires, in ms since the epoch; -1: by the retention of offsets.
        expire_timestamp: i64, "1", default -1, ignorable true;
        /// The topic's id; nil if the client did not say.
        topic_id: Uuid, "4+", tag 0 "4+", ignorable true;
    }

    /// Which group it is.
    pub struct GroupMetadataKey, key 2, versions "0", flexible "1+" {
        /// The group.
        group: StrBytes, "0+";
    }

    /// A generation of a group of the classic protocol. Version 1 adds the rebalance timeout, 2 the time of the state, 3 static
    /// members.
    pub struct GroupMetadataValue, key 2, versions "0-4", flexible "4+" {
        /// What kind of group: "consumer", "connect"; empty for one that was never joined.
        protocol_type: StrBytes, "0+";
        /// The generation's number.
        generation: i32, "0+";
        /// The protocol that members agreed on; `None` without members.
        protocol: Option<StrBytes>, "0+", nullable "0+";
        /// The member that assigns; `None` without members.
        leader: Option<StrBytes>, "0+", nullable "0+";
        /// When the group came into its state, in ms since the epoch; -1 if not known.
        current_state_timestamp: i64, "2+", default -1, ignorable true;
        /// The members.
        members: Vec<MemberMetadata>, "0+";
    }

    /// A member of a group of the classic protocol.
    pub struct MemberMetadata {
        /// The id that the coordinator gave it.
        member_id: StrBytes, "0+";
        /// The id that a static member gave itself.
        group_instance_id: Option<StrBytes>, "3+", nullable "3+", ignorable true;
        /// The client's id.
        client_id: StrBytes, "0+";
        /// Where it came from.
        client_host: StrBytes, "0+";
        /// How long a rebalance waits for it, in ms; -1: as long as its session.
        rebalance_timeout: i32, "1+", default -1, ignorable true;
        /// How long it may be silent, in ms.
        session_timeout: i32, "0+";
        /// What it said about itself, in the protocol agreed on.
        subscription: Bytes, "0+";
        /// What it was assigned.
        assignment: Bytes, "0+";
    }
}
