//! The voters as KRaft's log has them (KIP-853): records that openraft does not need, and without which Kafka could not go on
//! with the log. They are kept as they were written and repeated in every snapshot.

use std::io;

use bytes::Bytes;
use protocol::ids::Uuid;
use protocol::record_batch::{BatchBuilder, Codec};

use super::entry::{append_control, encode_message};
use protocol::control_record::{KRaftVersionFeature, KRaftVersionRecord, VoterEndpoint, VoterRecord, VotersRecord};

/// Type of the control record with the level of `kraft.version`.
pub(super) const KRAFT_VERSION_TYPE: i16 = 5;
/// Type of the control record with the voters.
pub(super) const KRAFT_VOTERS_TYPE: i16 = 6;
/// The level at which the voters are in the log.
const KRAFT_VERSION: i16 = 1;

/// What the log says last; nothing where the voters are in Kafka's configuration only (`controller.quorum.voters`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct KRaftVoters {
    version: Option<Bytes>,
    voters: Option<Bytes>,
}

impl KRaftVoters {
    /// A quorum of one.
    ///
    /// # Errors
    /// A name that is too long for a record.
    pub(super) fn of_one(voter_id: i32, directory_id: Uuid, listener: &str, address: &str) -> io::Result<Self> {
        let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
        let endpoint =
            VoterEndpoint { name: listener.into(), host: host.into(), port: port.parse().unwrap_or_default() };
        let voter = VoterRecord {
            voter_id,
            voter_directory_id: directory_id,
            endpoints: vec![endpoint],
            k_raft_version_feature: KRaftVersionFeature {
                min_supported_version: 0,
                max_supported_version: KRAFT_VERSION,
            },
        };
        let version = encode_message(&KRaftVersionRecord { version: 0, k_raft_version: KRAFT_VERSION }, 0)?;
        let voters = encode_message(&VotersRecord { version: 0, voters: vec![voter] }, 0)?;
        Ok(Self { version: Some(version), voters: Some(voters) })
    }

    /// Whether the log says nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.version.is_none() && self.voters.is_none()
    }

    /// Takes note of a control record.
    pub(super) fn note(&mut self, control_type: Option<i16>, value: &Bytes) {
        match control_type {
            Some(KRAFT_VERSION_TYPE) => self.version = Some(value.clone()),
            Some(KRAFT_VOTERS_TYPE) => self.voters = Some(value.clone()),
            _ => {}
        }
    }

    /// Appends the records to a batch of control records.
    pub(super) fn append_to(&self, builder: &mut BatchBuilder, timestamp_ms: i64) {
        for (control_type, value) in [(KRAFT_VERSION_TYPE, &self.version), (KRAFT_VOTERS_TYPE, &self.voters)] {
            if let Some(value) = value {
                append_control(builder, control_type, value, timestamp_ms);
            }
        }
    }

    /// A batch of the records, for the log.
    pub(super) fn batch(&self, timestamp_ms: i64) -> Bytes {
        let mut builder = BatchBuilder::new(0, Codec::None).control();
        self.append_to(&mut builder, timestamp_ms);
        builder.build()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `kafka-storage format --initial-controllers` of Kafka 4.3.1 writes them.
    #[test]
    fn the_records_are_kafkas() {
        let directory_id = protocol::ids::parse_uuid("kafka-kit-directory-1g").unwrap();
        let voters = KRaftVoters::of_one(1, directory_id, "CONTROLLER", "127.0.0.1:20993").unwrap();
        assert_eq!(voters.version.unwrap()[..], b"\0\0\0\x01\0"[..]);
        let expected = b"\0\0\x02\0\0\0\x01\x91\xa7\xe4\x6b\xe9\x22\xb7\xe7\x62\xad\xe7\x2d\xa2\xbc\xbe\xd6\x02\x0bCONTROLLER\x0a127.0.0.1\x52\x01\0\0\0\0\x01\0\0\0";
        assert_eq!(voters.voters.unwrap()[..], expected[..]);
    }
}
