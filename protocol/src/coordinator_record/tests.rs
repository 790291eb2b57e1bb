//! Hostile and malformed records; the bytes of real ones are in `tests/coordinator_records.rs`.

use super::*;
use bytes::Bytes;
use proptest::prelude::*;

fn decode(key: &[u8], value: Option<&[u8]>) -> Result<CoordinatorRecord, ParseError> {
    CoordinatorRecord::decode(Bytes::copy_from_slice(key), value.map(Bytes::copy_from_slice))
}

#[test]
fn what_is_no_record_is_refused() {
    assert_eq!(decode(&[0], None), Err(ParseError::NoType));
    assert_eq!(decode(&[0, 9, 0, 0], None), Err(ParseError::UnknownType(9)));
    assert!(matches!(decode(&[0, 2, 0, 9, b'g'], None), Err(ParseError::Key(_))));
    assert_eq!(decode(&[0, 2, 0, 1, b'g'], Some(&[0])), Err(ParseError::NoVersion));
    assert!(matches!(decode(&[0, 2, 0, 1, b'g'], Some(&[0, 5, 0])), Err(ParseError::Value(_))));
}

#[test]
fn an_offset_of_old_is_an_offset() {
    let key = [&[0, 0, 0, 1, b'g', 0, 1, b't'][..], &7i32.to_be_bytes()].concat();
    let value = [&[0, 0][..], &42i64.to_be_bytes(), &[0, 1, b'm'], &5i64.to_be_bytes()].concat();
    let Ok(CoordinatorRecord::OffsetCommit(key, Some(value))) = decode(&key, Some(&value)) else { panic!("it is one") };
    assert_eq!((&*key.group, &*key.topic, key.partition), ("g", "t", 7));
    assert_eq!((value.offset, &*value.metadata, value.commit_timestamp, value.leader_epoch), (42, "m", 5, -1));
}

proptest! {
    /// Bytes behind a known type get further into the decoders.
    #[test]
    fn any_bytes_decode_or_fail(
        kind in 0..18_u8,
        version in 0..6_u8,
        key in proptest::collection::vec(prop_oneof![any::<u8>(), 0..4_u8], 0..40),
        value in proptest::collection::vec(prop_oneof![any::<u8>(), 0..4_u8], 0..120),
    ) {
        let _ = decode(&[&[0, kind], &key[..]].concat(), Some(&[&[0, version], &value[..]].concat()));
        let _ = decode(&key, Some(&value));
    }
}
