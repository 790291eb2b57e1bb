//! Hostile and malformed values; the bytes of real ones are in `tests/metadata_records.rs`.

use super::*;
use crate::schema::Cause;
use bytes::Bytes;
use proptest::prelude::*;
use uuid::Uuid;

fn decode(bytes: &[u8]) -> Result<MetadataRecord, ParseError> {
    MetadataRecord::decode_value(Bytes::copy_from_slice(bytes))
}

#[test]
fn other_frames_and_types_are_refused() {
    assert_eq!(decode(&[0, 20, 0, 0]), Err(ParseError::UnknownFrameVersion(0)));
    assert_eq!(decode(&[2, 20, 0, 0]), Err(ParseError::UnknownFrameVersion(2)));
    assert_eq!(decode(&[1, 29, 0, 0]), Err(ParseError::UnknownType { key: 29, version: 0 }));
    assert!(matches!(decode(&[]), Err(ParseError::Frame(_))));
    assert!(matches!(decode(&[1, 20]), Err(ParseError::Frame(_))));
    // A version beyond 16 bits must not wrap around into a known one.
    assert_eq!(decode(&[1, 20, 0x80, 0x80, 4, 0]), Err(ParseError::UnknownType { key: 20, version: 0x1_0000 }));
}

#[test]
fn unknown_versions_and_leftover_bytes_are_refused() {
    let Err(ParseError::Record(error)) = decode(&[1, 20, 1, 0]) else { panic!("version 1 of NoOpRecord") };
    assert_eq!(error.field, "NoOpRecord");
    assert!(matches!(error.cause, Cause::UnsupportedVersion { version: 1, .. }));
    assert_eq!(decode(&[1, 20, 0, 0, 0]), Err(ParseError::TrailingBytes(1)));
}

#[test]
fn a_hostile_count_is_refused_before_anything_is_allocated() {
    // A PartitionRecord that declares four billion replicas.
    let mut value = vec![1, 3, 0];
    value.extend([0; 20]);
    value.extend([0xff, 0xff, 0xff, 0xff, 0x0f]);
    let Err(ParseError::Record(error)) = decode(&value) else { panic!("four billion replicas") };
    assert_eq!(error.field, "PartitionRecord.replicas");
    assert_eq!(error.cause, Cause::CountBeyondInput { count: u32::MAX as usize - 1, remaining: 0 });
}

#[test]
fn errors_name_the_innermost_field() {
    let record = RegisterBrokerRecord {
        end_points: vec![BrokerEndpoint { name: "PLAINTEXT".into(), ..Default::default() }],
        ..Default::default()
    };
    let mut value = MetadataRecord::from(record).encode_value().expect("it fits").to_vec();
    let name = value.windows(5).position(|window| window == b"PLAIN").expect("the name is there");
    value[name] = 0xff;
    let Err(ParseError::Record(error)) = decode(&value) else { panic!("a name that is not UTF-8") };
    assert_eq!((error.field, error.cause), ("BrokerEndpoint.name", Cause::NotUtf8));
}

#[test]
fn a_version_that_cannot_carry_a_field_is_refused() {
    let record = PartitionRecord { directories: vec![Uuid::nil()], ..Default::default() };
    let error = MetadataRecord::from(record).encode_value_at(0).expect_err("version 0 has no directories");
    assert_eq!(error.to_string(), "version 0 cannot carry PartitionRecord.directories");
}

proptest! {
    #[test]
    fn any_bytes_decode_or_fail(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(&bytes);
    }

    /// Bytes behind a valid frame get further into the decoders.
    #[test]
    fn any_bytes_of_any_type_decode_or_fail(
        key in 0..30_u8,
        version in 0..5_u8,
        bytes in proptest::collection::vec(prop_oneof![any::<u8>(), 0..4_u8], 0..120),
    ) {
        let value = [&[1, key, version], bytes.as_slice()].concat();
        if let Ok(record) = decode(&value) {
            // What was understood can be written again and means the same.
            let again = record.encode_value_at(version.into()).expect("it came from this version");
            let same = MetadataRecord::decode_value(again).expect("we wrote it");
            prop_assert_eq!(format!("{same:?}"), format!("{record:?}"));
        }
    }

    /// A record with a byte changed or cut off never panics.
    #[test]
    fn damaged_records_decode_or_fail(at in 0..80_usize, byte: u8, cut in 0..80_usize) {
        let record = PartitionChangeRecord {
            isr: Some(vec![1, 2, 3]),
            directories: Some(vec![Uuid::nil(); 3]),
            last_known_elr: Some(vec![4]),
            ..Default::default()
        };
        let mut value = MetadataRecord::from(record).encode_value().expect("it fits").to_vec();
        if let Some(place) = value.get_mut(at) {
            *place = byte;
        }
        let _ = decode(&value);
        value.truncate(cut);
        let _ = decode(&value);
    }
}
