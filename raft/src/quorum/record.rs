//! Control records of our own, beside KRaft's: what openraft must keep and KRaft has no record for.

use std::sync::Arc;

use protocol::message;

/// Type of a control record with [`MembershipRecord`]: far above Kafka's, whose tools print it by number.
pub(super) const MEMBERSHIP_TYPE: i16 = 20_000;
/// Type of a control record with [`SnapshotStateRecord`].
pub(super) const SNAPSHOT_STATE_TYPE: i16 = 20_001;

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

    /// What a snapshot stands for in raft's own counting.
    pub(super) struct SnapshotStateRecord, key 20001, versions "0", flexible "0+" {
        /// Term of the last entry contained.
        term: i64, "0+";
        /// Index of the last entry contained.
        index: i64, "0+";
        /// Term of the entry that set the membership; -1 if none did.
        membership_term: i64, "0+";
        /// Index of that entry.
        membership_index: i64, "0+";
        /// The offset after the last record contained.
        end_offset: i64, "0+";
        /// When the last record contained was proposed, in ms since the epoch.
        timestamp_ms: i64, "0+";
    }

    /// The vote, and up to where the log was dropped: what may never be lost, in a file of its own.
    pub(super) struct HardStateRecord, key 20002, versions "0", flexible "0+" {
        /// Term that was voted in.
        vote_term: i64, "0+", default -1;
        /// Node that was voted for.
        vote_node: i32, "0+", default -1;
        /// Whether a quorum granted it.
        vote_committed: bool, "0+";
        /// Index of the last entry dropped; -1 if none was.
        purged_index: i64, "0+", default -1;
        /// Its term.
        purged_term: i64, "0+", default -1;
        /// The offset after it.
        purged_end_offset: i64, "0+";
    }
}
