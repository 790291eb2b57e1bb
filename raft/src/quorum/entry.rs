//! Entries of the raft log as record batches of the metadata log, and back.
//!
//! One entry is one batch. An operation is a data batch of metadata records; the blank entry of a new leader is KRaft's
//! LeaderChange control batch; other control batches of KRaft are kept as they are; a change of members is a control batch with a
//! record of our own.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use bytes::{BufMut, Bytes, BytesMut};
use openraft::entry::RaftEntry;
use openraft::impls::BasicNode;
use protocol::messages::LeaderChangeMessage;
use protocol::messages::leader_change_message::Voter;
use protocol::metadata_record::MetadataRecord;
use protocol::record_batch::{BatchBuilder, BatchHeader, Codec, HEADER_SIZE, Record, Records};
use protocol::schema::Schema;
use protocol::{Decodable, Encodable};

use super::kraft_voters::{KRAFT_VERSION_TYPE, KRAFT_VOTERS_TYPE};
use super::record::{MEMBERSHIP_TYPE, MemberNode, MembershipRecord, VoterSet};
use super::type_config::{Entry, Membership, Operation, Payload, log_id, member, node_id, term};

/// Type of KRaft's LeaderChange control record.
const LEADER_CHANGE_TYPE: i16 = 2;
/// Types of KRaft's control records that the log may hold: LeaderChange, KRaftVersion, KRaftVoters (`ControlRecordType`).
const KRAFT_TYPES: [i16; 3] = [LEADER_CHANGE_TYPE, KRAFT_VERSION_TYPE, KRAFT_VOTERS_TYPE];
/// A batch of the metadata log is never compressed, so this is only a bound on damage.
const MAX_BATCH_BYTES: usize = 1 << 30;

/// How many offsets an entry takes.
///
/// # Errors
/// A damaged control batch.
pub(super) fn offsets_of(entry: &Entry) -> io::Result<i64> {
    Ok(match &entry.payload {
        Payload::Normal(Operation::Records { records, .. }) => records.len() as i64,
        Payload::Normal(Operation::Control(batch)) => {
            let header = BatchHeader::read(batch).map_err(damaged)?;
            header.next_offset() - header.base_offset
        }
        Payload::Blank | Payload::Membership(_) => 1,
    })
}

/// The batch of an entry whose first record gets `base_offset`, written at `now_ms`. `leader` is who leads the entry's term, −1
/// if unknown.
pub(super) fn encode(entry: &Entry, base_offset: i64, leader: i32, now_ms: i64) -> io::Result<Bytes> {
    let epoch = i32::try_from(term(&entry.log_id)).map_err(io::Error::other)?;
    let builder = BatchBuilder::new(base_offset, Codec::None).leader_epoch(epoch);
    Ok(match &entry.payload {
        Payload::Normal(Operation::Records { records, timestamp_ms }) => {
            let mut builder = builder;
            for record in records.iter() {
                let value = record.encode_value().map_err(io::Error::other)?;
                builder.append(*timestamp_ms, None, Some(&value), &[]);
            }
            builder.build()
        }
        Payload::Normal(Operation::Control(batch)) => moved(batch, base_offset, epoch)?,
        Payload::Blank => control_batch(builder, LEADER_CHANGE_TYPE, &leader_change(leader)?, now_ms),
        Payload::Membership(membership) => {
            control_batch(builder, MEMBERSHIP_TYPE, &encode_message(&membership_record(membership), 0)?, now_ms)
        }
    })
}

/// The entry of a batch at `index`.
pub(super) fn decode(batch: &Bytes, index: u64) -> io::Result<Entry> {
    let header = BatchHeader::read(batch).map_err(damaged)?;
    let epoch = u64::try_from(header.partition_leader_epoch).map_err(damaged)?;
    let records = Records::open(batch, MAX_BATCH_BYTES).map_err(damaged)?;
    let payload = if header.attributes.is_control() {
        decode_control(batch, records)?
    } else {
        let mut decoded = Vec::with_capacity(usize::try_from(header.record_count).unwrap_or(0).min(batch.len()));
        for record in records {
            let value = record.map_err(damaged)?.value.unwrap_or_default();
            decoded.push(MetadataRecord::decode_value(value).map_err(damaged)?);
        }
        Payload::Normal(Operation::Records { records: decoded.into(), timestamp_ms: header.base_timestamp })
    };
    Ok(Entry::new(log_id(epoch, index), payload))
}

/// The same batch at another place: offset and epoch are outside of its CRC.
fn moved(batch: &Bytes, base_offset: i64, leader_epoch: i32) -> io::Result<Bytes> {
    let header = BatchHeader::read(batch).map_err(damaged)?;
    let header = BatchHeader { base_offset, partition_leader_epoch: leader_epoch, ..header };
    let mut out = BytesMut::from(&**batch);
    out[..HEADER_SIZE].copy_from_slice(&header.write());
    Ok(out.freeze())
}

fn decode_control(batch: &Bytes, records: Records) -> io::Result<Payload> {
    let records: Vec<Record> = records.collect::<Result<_, _>>().map_err(damaged)?;
    match &*records {
        [] => return Err(damaged("an empty control batch")),
        [record] if control_type(record) == Some(LEADER_CHANGE_TYPE) => return Ok(Payload::Blank),
        [record] if control_type(record) == Some(MEMBERSHIP_TYPE) => {
            return Ok(Payload::Membership(decode_membership(record.value.clone().unwrap_or_default())?));
        }
        _ => {}
    }
    let unknown = records.iter().map(control_type).find(|kind| !kind.is_some_and(|kind| KRAFT_TYPES.contains(&kind)));
    match unknown {
        Some(unknown) => Err(damaged(format!("control record of unknown type {unknown:?}"))),
        None => Ok(Payload::Normal(Operation::Control(batch.clone()))),
    }
}

/// The type in a control record's key: a version and the type, two bytes each.
pub(super) fn control_type(record: &Record) -> Option<i16> {
    let key = record.key.as_deref()?.get(2..4)?;
    Some(i16::from_be_bytes([key[0], key[1]]))
}

/// A batch with one control record.
fn control_batch(builder: BatchBuilder, control_type: i16, value: &[u8], now_ms: i64) -> Bytes {
    let mut builder = builder.control();
    append_control(&mut builder, control_type, value, now_ms);
    builder.build()
}

/// Appends a control record to a batch of such.
pub(super) fn append_control(builder: &mut BatchBuilder, control_type: i16, value: &[u8], timestamp_ms: i64) {
    let mut key = BytesMut::with_capacity(4);
    key.put_i16(0);
    key.put_i16(control_type);
    builder.append(timestamp_ms, Some(&key), Some(value), &[]);
}

fn leader_change(leader: i32) -> io::Result<Bytes> {
    let voter = Voter::default().with_voter_id(leader);
    let message = LeaderChangeMessage::default()
        .with_leader_id(leader.into())
        .with_voters(vec![voter.clone()])
        .with_granting_voters(vec![voter]);
    let mut value = BytesMut::new();
    message.encode(&mut value, 0).map_err(io::Error::other)?;
    debug_assert!(LeaderChangeMessage::decode(&mut value.clone().freeze(), 0).is_ok());
    Ok(value.freeze())
}

/// The members as a record.
pub(super) fn membership_record(membership: &Membership) -> MembershipRecord {
    let configs = membership.get_joint_config().iter();
    let nodes = membership.nodes();
    MembershipRecord {
        configs: configs.map(|voters| VoterSet { voters: voters.iter().map(|id| node_id(*id)).collect() }).collect(),
        nodes: nodes
            .map(|(id, node)| MemberNode { node_id: node_id(*id), address: node.addr.as_str().into() })
            .collect(),
    }
}

/// The members in a record.
pub(super) fn decode_membership(mut value: Bytes) -> io::Result<Membership> {
    let record = MembershipRecord::decode(0, &mut value).map_err(damaged)?;
    let configs =
        record.configs.into_iter().map(|set| set.voters.into_iter().map(member).collect::<BTreeSet<_>>()).collect();
    let nodes: BTreeMap<u64, BasicNode> =
        record.nodes.into_iter().map(|node| (member(node.node_id), BasicNode::new(&*node.address))).collect();
    Membership::new(configs, nodes).map_err(damaged)
}

/// A message of the schema macro as bytes.
pub(super) fn encode_message<M: Schema>(message: &M, version: i16) -> io::Result<Bytes> {
    let mut out = BytesMut::new();
    message.encode(version, &mut out).map_err(io::Error::other)?;
    Ok(out.freeze())
}

/// Bytes that this program did not write.
pub(super) fn damaged(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, cause)
}
