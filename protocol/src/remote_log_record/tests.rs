//! Hostile and malformed values; the bytes of real ones are in `tests/remote_log_records.rs`.

use super::*;
use bytes::Bytes;
use proptest::prelude::*;

fn decode(bytes: &[u8]) -> Result<RemoteLogRecord, ParseError> {
    RemoteLogRecord::decode(Bytes::copy_from_slice(bytes))
}

#[test]
fn what_is_no_record_is_refused() {
    assert!(matches!(decode(&[1, 0]), Err(ParseError::Frame(_))));
    assert_eq!(decode(&[0, 1, 0]), Err(ParseError::Unknown { frame: 0, key: 1, version: 0 }));
    assert_eq!(decode(&[1, 3, 0]), Err(ParseError::Unknown { frame: 1, key: 3, version: 0 }));
    assert_eq!(decode(&[1, 1, 1]), Err(ParseError::Unknown { frame: 1, key: 1, version: 1 }));
    assert!(matches!(decode(&[1, 1, 0, 5]), Err(ParseError::Record(_))));
}

#[test]
fn states_have_kafkas_numbers() {
    let names = (-1..5).map(|id| RemoteLogSegmentState::of(id).map(RemoteLogSegmentState::name));
    let expected = [
        None,
        Some("COPY_SEGMENT_STARTED"),
        Some("COPY_SEGMENT_FINISHED"),
        Some("DELETE_SEGMENT_STARTED"),
        Some("DELETE_SEGMENT_FINISHED"),
        None,
    ];
    assert!(names.eq(expected));
}

proptest! {
    #[test]
    fn any_bytes_decode_or_fail(
        kind in 0..4_u8,
        bytes in proptest::collection::vec(prop_oneof![any::<u8>(), 0..4_u8], 0..120),
    ) {
        let _ = decode(&bytes);
        if let Ok(record) = decode(&[&[1, kind, 0], &bytes[..]].concat()) {
            prop_assert_eq!(RemoteLogRecord::decode(record.encode().expect("it was short")), Ok(record));
        }
    }
}
