//! Values of the control records that stand in the metadata log and its snapshots, as in `clients/src/main/resources/common/message`.

use std::sync::Arc;

use uuid::Uuid;

use crate::message;

message! {
    /// A node has become the leader of the quorum. Version 1 adds the directories of the voters (KIP-853).
    pub struct LeaderChangeMessage, key 2, versions "0-1", flexible "0+" {
        /// The version of this record.
        version: i16, "0+";
        /// The leader's node id.
        leader_id: i32, "0+";
        /// Everybody who may vote.
        voters: Vec<Voter>, "0+";
        /// Those who voted for the leader.
        granting_voters: Vec<Voter>, "0+";
    }

    /// One voter of an election.
    pub struct Voter {
        /// Its node id.
        voter_id: i32, "0+";
        /// The id of the directory with its metadata log.
        voter_directory_id: Uuid, "1+";
    }

    /// A snapshot begins.
    pub struct SnapshotHeaderRecord, key 3, versions "0", flexible "0+" {
        /// The version of this record.
        version: i16, "0+";
        /// Append time of the last batch that the snapshot holds, in ms since the epoch.
        last_contained_log_timestamp: i64, "0+";
    }

    /// A snapshot ends, and is whole.
    pub struct SnapshotFooterRecord, key 4, versions "0", flexible "0+" {
        /// The version of this record.
        version: i16, "0+";
    }

    /// The level of the feature `kraft.version`.
    pub struct KRaftVersionRecord, key 5, versions "0", flexible "0+" {
        /// The version of this record.
        version: i16, "0+";
        /// The level: 1, as the voters are in the log (KIP-853).
        k_raft_version: i16, "0+";
    }

    /// Who votes, and where they are reached.
    pub struct VotersRecord, key 6, versions "0", flexible "0+" {
        /// The version of this record.
        version: i16, "0+";
        /// The voters.
        voters: Vec<VoterRecord>, "0+";
    }

    /// One voter.
    pub struct VoterRecord {
        /// Its node id.
        voter_id: i32, "0+";
        /// The id of the directory with its metadata log.
        voter_directory_id: Uuid, "0+";
        /// Its controller listeners.
        endpoints: Vec<VoterEndpoint>, "0+";
        /// The levels of `kraft.version` that it supports.
        k_raft_version_feature: KRaftVersionFeature, "0+";
    }

    /// Where a voter is reached.
    pub struct VoterEndpoint {
        /// Name of the listener.
        name: Arc<str>, "0+";
        /// Host.
        host: Arc<str>, "0+";
        /// Port.
        port: u16, "0+";
    }

    /// The levels of `kraft.version` that a voter supports.
    pub struct KRaftVersionFeature {
        /// The lowest.
        min_supported_version: i16, "0+";
        /// The highest.
        max_supported_version: i16, "0+";
    }
}
