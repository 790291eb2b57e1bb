//! The small files of a log directory, each by its own decoder. What is understood is written back and means the same.

use bytes::Bytes;
use protocol::ids::{format_uuid, parse_uuid};
use protocol::remote_log_record::RemoteLogRecord;
use storage::checkpoint::{decode_offsets, encode_offsets};
use storage::index::txn_index::{AbortedTxn, ENTRY_SIZE};
use storage::index::{ActiveIndex, Index, OffsetIndex, TimeIndex, count, encode_all, entry, last_where, rising};
use storage::leader_epoch::LeaderEpochs;
use storage::meta_properties::MetaProperties;
use storage::remote_log::{
    DeletedTopic, Description, GroupOffsets, Manifest, Part, PartSegments, RemoteSegment, StoredConfig, StoredOffset,
    TopicManifest,
};
use storage::{partition_metadata, producer_state};

use crate::Target;
use crate::corpus::{golden, golden_lines};

pub(crate) fn targets() -> Vec<Target> {
    let kafka = |file: &str| golden("storage", &format!("kafka-4.3.1/{file}"));
    let segment = |suffix: &str| kafka(&format!("orders-0/00000000000000000011.{suffix}"));
    let offsets = encode_all::<OffsetIndex>(&rising::<OffsetIndex>(&[0, 0, 0, 3, 0, 0, 0, 9, 0, 0, 0, 8, 0, 0, 1, 9]));
    vec![
        Target::new("offset-index", vec![offsets], index::<OffsetIndex>),
        Target::new("time-index", vec![segment("timeindex").repeat(2)], index::<TimeIndex>),
        Target::new("txn-index", vec![segment("txnindex")], txn_index),
        Target::new(
            "producer-snapshot",
            vec![segment("snapshot"), kafka("orders-1/00000000000000000003.snapshot")],
            snapshot,
        ),
        Target::new("offset-checkpoint", vec![kafka("recovery-point-offset-checkpoint")], checkpoint),
        Target::new("leader-epochs", vec![kafka("orders-0/leader-epoch-checkpoint")], leader_epochs),
        Target::new("partition-metadata", vec![kafka("orders-0/partition.metadata")], partition),
        Target::new("remote-manifest", vec![sealed_manifest()], remote_manifest),
        Target::new("remote-topic", vec![sealed(&topic_manifest())], description::<TopicManifest>),
        Target::new("remote-offsets", vec![sealed(&group_offsets())], description::<GroupOffsets>),
        Target::new("remote-log-deletions", vec![b"0\n1\nAAAAAAAAAAAAAAAAAAAAAQ orders\n".into()], deletions),
        Target::new("remote-log-record", golden_lines("protocol", "remote_log.txt"), remote_log_record),
        Target::new("meta-properties", vec![kafka("meta.properties")], meta_properties),
    ]
}

/// Entries rise, come back, and are found.
fn index<I: Index>(input: &[u8])
where
    I::Entry: PartialEq + std::fmt::Debug,
{
    let entries = rising::<I>(input);
    assert!(entries.len() <= count::<I>(input));
    assert!(entries.windows(2).all(|pair| I::rises(pair[0], pair[1])));
    let bytes = encode_all::<I>(&entries);
    assert_eq!(rising::<I>(&bytes), entries);
    for (at, wanted) in entries.iter().enumerate() {
        assert_eq!(entry::<I>(&bytes, at).as_ref(), Some(wanted));
        let found = last_where::<I>(&bytes, |entry| !I::rises(*wanted, entry));
        assert_eq!(found.as_ref(), Some(wanted));
    }
    assert_eq!(entry::<I>(&bytes, entries.len()), None);
    // Garbage is searched too, and gives whatever it gives.
    let _ = last_where::<I>(input, |entry| entries.first().is_some_and(|first| I::rises(*first, entry)));
    let _ = ActiveIndex::default();
}

fn txn_index(input: &[u8]) {
    for bytes in input.as_chunks::<ENTRY_SIZE>().0 {
        if let Some(transaction) = AbortedTxn::decode(bytes) {
            assert_eq!(transaction.encode(), *bytes);
        }
    }
}

/// With the checksum that the bytes would need.
fn snapshot(input: &[u8]) {
    let mut bytes = input.to_vec();
    if let Some((head, rest)) = bytes.split_at_mut_checked(6) {
        head[2..].copy_from_slice(&crc32c::crc32c(rest).to_be_bytes());
    }
    let Ok(producers) = producer_state::decode(&bytes) else { return };
    let again = producer_state::decode(&producer_state::encode(&producers)).expect("our own bytes");
    assert_eq!(producer_state::encode(&again), producer_state::encode(&producers));
    assert_eq!(again.len(), producers.len());
}

fn checkpoint(input: &[u8]) {
    let Ok(offsets) = decode_offsets(input) else { return };
    assert_eq!(decode_offsets(encode_offsets(&offsets).as_bytes()), Ok(offsets));
}

fn leader_epochs(input: &[u8]) {
    let Ok(epochs) = LeaderEpochs::decode(input) else { return };
    let rises = |pair: &[storage::leader_epoch::EpochEntry]| {
        pair[0].epoch < pair[1].epoch && pair[0].start_offset < pair[1].start_offset
    };
    assert!(epochs.entries().windows(2).all(rises));
    for entry in epochs.entries() {
        assert_eq!(epochs.epoch_for_offset(entry.start_offset), Some(entry.epoch));
        assert!(epochs.end_offset_for(entry.epoch, i64::MAX).is_some());
    }
    assert_eq!(LeaderEpochs::decode(epochs.encode().as_bytes()), Ok(epochs));
}

fn partition(input: &[u8]) {
    let Ok(topic_id) = partition_metadata::decode(input) else { return };
    assert_eq!(partition_metadata::decode(partition_metadata::encode(topic_id).as_bytes()).ok(), Some(topic_id));
    assert_eq!(parse_uuid(&format_uuid(topic_id)), Some(topic_id));
}

fn sealed_manifest() -> Vec<u8> {
    let segment = RemoteSegment { base_offset: 3, end_offset: 9, size_bytes: 70, ..RemoteSegment::default() };
    let part = Part { base_offset: 0, end_offset: 3, count: 1, ..Part::default() };
    let manifest = Manifest { parts: vec![part], segments: vec![segment], ..Manifest::default() };
    manifest.encode().expect("our own manifest").to_vec()
}

/// With the checksum that the bytes would need.
fn with_checksum(input: &[u8]) -> Vec<u8> {
    let mut bytes = input.to_vec();
    if let Some((head, rest)) = bytes.split_at_mut_checked(10) {
        head[6..].copy_from_slice(&crc32c::crc32c(rest).to_be_bytes());
    }
    bytes
}

fn topic_manifest() -> TopicManifest {
    let configs = vec![StoredConfig { key: "k".into(), value: "v".into() }];
    TopicManifest { name: "t".into(), partitions: 3, configs, ..TopicManifest::default() }
}

fn group_offsets() -> GroupOffsets {
    let offset = StoredOffset { group: "g".into(), offset: 5, metadata: "m".into(), ..StoredOffset::default() };
    GroupOffsets { offsets: vec![offset], ..GroupOffsets::default() }
}

fn sealed(description: &impl Description) -> Vec<u8> {
    description.encode().expect("our own description").to_vec()
}

fn description<D: Description + std::fmt::Debug>(input: &[u8]) {
    let Ok(description) = D::decode(with_checksum(input).into()) else { return };
    let again = D::decode(description.encode().expect("it was read"));
    assert_eq!(again, Ok(description));
}

fn remote_manifest(input: &[u8]) {
    let bytes = with_checksum(input);
    let _ = PartSegments::decode(bytes.clone().into());
    let Ok(manifest) = Manifest::decode(bytes.into()) else { return };
    assert!(manifest.segments.is_sorted_by_key(|segment| segment.base_offset));
    let again = Manifest::decode(manifest.encode().expect("it was read"));
    assert_eq!(again, Ok(manifest));
}

fn deletions(input: &[u8]) {
    let Ok(topics) = DeletedTopic::decode_all(input) else { return };
    let again = DeletedTopic::decode_all(DeletedTopic::encode_all(&topics).as_bytes()).expect("our own text");
    assert_eq!(again, topics);
}

fn remote_log_record(input: &[u8]) {
    let Ok(record) = RemoteLogRecord::decode(Bytes::copy_from_slice(input)) else { return };
    let again = RemoteLogRecord::decode(record.encode().expect("its strings came with their lengths"));
    assert_eq!(again, Ok(record));
}

fn meta_properties(input: &[u8]) {
    let Ok(properties) = MetaProperties::decode(input) else { return };
    let again = MetaProperties::decode(properties.encode().as_bytes()).expect("our own text");
    assert_eq!(again, properties);
}
