//! The metadata log: records, batches, snapshots, the vote, the purge point.

use bytes::Bytes;
use protocol::metadata_record::MetadataRecord;
use protocol::record_batch::{BatchBuilder, Batches, Codec};
use raft::image::{Image, ImageBuilder};
use raft::quorum::inspect::{SnapshotId, read_batch, read_purge_point, read_quorum_state, read_snapshot};

use crate::Target;
use crate::corpus::{golden_folder, golden_lines};
use crate::cut::repair_crcs;

const CRC_POSITION: usize = 6;
/// A purge point of this program: "OTTP", version, CRC, record.
const PURGE_POINT: &[u8] = b"OTTP\0\0\xb3\xfb\x32\xd6\0\0\0\0\0\0\0\x29\0\0\0\0\0\0\0\x06\0\0\0\0\0\0\x04\xd2\0";
/// A vote as Kafka writes it, in both versions.
const QUORUM_STATES: [&[u8]; 2] = [
    br#"{"leaderId":1,"leaderEpoch":7,"votedId":-1,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA","data_version":1}"#,
    br#"{"clusterId":"","leaderId":1,"leaderEpoch":7,"votedId":-1,"appliedOffset":0,"currentVoters":[{"voterId":1}],"data_version":0}"#,
];

pub(crate) fn targets() -> Vec<Target> {
    let values = golden_values();
    vec![
        Target::new("metadata-record", values.clone(), record),
        Target::new("metadata-batch", batch_seeds(&values), batch),
        Target::new("metadata-snapshot", snapshot_seeds(&values), snapshot),
        Target::new("metadata-image", vec![all_records(&values)], image),
        Target::new("purge-point", vec![PURGE_POINT.to_vec()], purge_point),
        Target::new("quorum-state", QUORUM_STATES.map(<[u8]>::to_vec).to_vec(), quorum_state),
    ]
}

/// Values of every record type in every version, as Kafka's own classes write them.
fn golden_values() -> Vec<Vec<u8>> {
    let folder = golden_folder("protocol").join("metadata");
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .expect("the golden records")
        .map(|entry| entry.expect("the folder can be read").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names.iter().flat_map(|name| golden_lines("protocol", &format!("metadata/{name}"))).collect()
}

/// What was understood is written in the same version and understood alike.
fn record(input: &[u8]) {
    let Ok(record) = MetadataRecord::decode_value(Bytes::copy_from_slice(input)) else { return };
    let newest = record.encode_value().expect("the newest version has a place for every field");
    let again = MetadataRecord::decode_value(newest.clone()).expect("our own bytes");
    assert_eq!(again.encode_value().expect("as before"), newest);
    // Frame version, type and version: one byte each, as long as they are small.
    let [1, key, version, ..] = *input else { return };
    if key < 0x80 && version < 0x80 {
        let same = record.encode_value_at(i16::from(version)).expect("it came in this version");
        let again = MetadataRecord::decode_value(same.clone()).expect("our own bytes");
        assert_eq!(again.encode_value_at(i16::from(version)).expect("as before"), same);
    }
}

fn batch_of(values: &[Vec<u8>], base_offset: i64) -> Vec<u8> {
    let mut builder = BatchBuilder::new(base_offset, Codec::None).leader_epoch(3);
    values.iter().for_each(|value| builder.append(1, None, Some(value), &[]));
    builder.build().to_vec()
}

fn control_batch(base_offset: i64, records: &[(i16, &[u8])]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(base_offset, Codec::None).leader_epoch(3).control();
    for (kind, value) in records {
        builder.append(1, Some(&[&[0, 0], &kind.to_be_bytes()[..]].concat()), Some(value), &[]);
    }
    builder.build().to_vec()
}

/// One voter: a list of sets of voters, and a list of nodes with their addresses.
const MEMBERS: &[u8] = b"\0\x02\x02\0\0\0\x01\0\x02\0\0\0\x01\x0f127.0.0.1:9093\0\0";

const KRAFT_VERSION: (i16, &[u8]) = (5, b"\0\0\0\x01\0");
/// One voter in KRaft's own record.
const KRAFT_VOTERS: (i16, &[u8]) =
    (6, b"\0\0\x02\0\0\0\x01ABCDEFGHIJKLMNOP\x02\x0bCONTROLLER\x0a127.0.0.1\x23\x85\0\0\0\0\x01\0\0\0");

fn batch_seeds(values: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let leader_change = (2, &b"\0\0\0\0\0\x01\x02\0\0\0\x01\0\x02\0\0\0\x01\0\0"[..]);
    let controls = [vec![leader_change], vec![(20_000, MEMBERS)], vec![leader_change, KRAFT_VERSION, KRAFT_VOTERS]];
    let controls = controls.iter().map(|records| control_batch(7, records));
    values.chunks(5).map(|values| batch_of(values, 7)).chain(controls).collect()
}

fn batch(input: &[u8]) {
    let bytes = Bytes::copy_from_slice(input);
    for batch in Batches::new(&bytes).map_while(Result::ok) {
        let _ = read_batch(&bytes.slice_ref(batch.1));
    }
}

fn snapshot_seeds(values: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let head = control_batch(0, &[(3, &[0; 11]), KRAFT_VERSION, KRAFT_VOTERS, (20_000, MEMBERS)]);
    let foot = control_batch(1000, &[(4, &[0; 3])]);
    let with = |values: &[Vec<u8>]| [&head[..], &batch_of(values, 3), &foot].concat();
    let topics = golden_lines("protocol", "metadata/TopicRecord.txt");
    vec![with(&topics[..1]), with(values), [head.clone(), foot.clone()].concat()]
}

/// A snapshot that is whole says what its image says.
fn snapshot(input: &[u8]) {
    let mut bytes = input.to_vec();
    repair_crcs(&mut bytes);
    if let Ok(image) = read_snapshot(SnapshotId { end_offset: 9, epoch: 3 }, &bytes.into()) {
        assert_comes_back(&image);
    }
}

/// Record values with their size before them in two bytes.
fn all_records(values: &[Vec<u8>]) -> Vec<u8> {
    let sized = |value: &Vec<u8>| [&(value.len() as u16).to_be_bytes()[..], value].concat();
    values.iter().flat_map(sized).collect()
}

/// Any row of records gives an image or an error, and an image can be written down.
fn image(input: &[u8]) {
    let mut builder = ImageBuilder::new(&Image::default());
    let mut rest = input;
    while let Some((size, after)) = rest.split_first_chunk() {
        let (value, after) = after.split_at(usize::from(u16::from_be_bytes(*size)).min(after.len()));
        rest = after;
        if let Ok(record) = MetadataRecord::decode_value(Bytes::copy_from_slice(value)) {
            let _ = builder.apply(record);
        }
    }
    if let Ok(image) = builder.finish(Default::default()) {
        assert_comes_back(&image);
    }
}

fn assert_comes_back(image: &Image) {
    let mut builder = ImageBuilder::new(&Image::default());
    let values: Vec<Bytes> = image.records().map(|record| record.encode_value().expect("it came as bytes")).collect();
    for value in &values {
        let record = MetadataRecord::decode_value(value.clone()).expect("our own bytes");
        builder.apply(record).expect("an image's records make an image");
    }
    let again = builder.finish(image.provenance()).expect("an image's records make an image");
    let again: Vec<Bytes> = again.records().map(|record| record.encode_value().expect("as before")).collect();
    assert_eq!(again, values);
}

/// With the checksum that the bytes would need.
fn purge_point(input: &[u8]) {
    let _ = read_purge_point(Bytes::copy_from_slice(input));
    let mut bytes = input.to_vec();
    if let Some((head, record)) = bytes.split_at_mut_checked(CRC_POSITION + 4) {
        head[CRC_POSITION..].copy_from_slice(&crc32c::crc32c(record).to_be_bytes());
        let _ = read_purge_point(bytes.into());
    }
}

fn quorum_state(input: &[u8]) {
    let _ = read_quorum_state(input);
}
