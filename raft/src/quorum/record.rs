//! Records of the quorum: KRaft's, and what openraft must keep and KRaft has no record for.

use std::sync::Arc;

use protocol::message;

/// Type of a control record with [`MembershipRecord`]: far above Kafka's, which does not read on behind it. A quorum that keeps
/// its members never writes one.
pub(super) const MEMBERSHIP_TYPE: i16 = 20_000;

message! {
    /// The members of the quorum from here on. KRaft's voters record cannot hold a joint configuration.
    pub(super) struct MembershipRecord, key 20000, versions "0", flexible "0+" {
        /// One set of voters, or two while they change.
        configs: Vec<VoterSet>, "0+";
        /// All members, voters or not.
        nodes: Vec<MemberNode>, "0+";
    }

    /// Voters that decide by majority.
    pub(super) struct VoterSet {
        /// Their node ids.
        voters: Vec<i32>, "0+";
    }

    /// Where a member is reached.
    pub(super) struct MemberNode {
        /// Its node id.
        node_id: i32, "0+";
        /// Host and port of its controller listener.
        address: Arc<str>, "0+";
    }

    /// Up to where the log was dropped, in raft's own counting.
    pub(super) struct PurgePointRecord, key 20002, versions "0", flexible "0+" {
        /// Index of the last entry dropped.
        index: i64, "0+";
        /// Its term.
        term: i64, "0+";
        /// The offset after it.
        end_offset: i64, "0+";
    }
}
