//! What the macro promises, on messages made to have every feature; real messages are compared with Kafka's own bytes elsewhere.

use super::*;
use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;
use proptest::prelude::*;
use std::sync::Arc;

crate::message! {
    /// Every type, in the old form at version 0 and in the compact form from 1 on.
    struct Everything, key 42, versions "0-2", flexible "1+" {
        flag: bool, "0+";
        tiny: i8, "0+";
        small: i16, "0+";
        large: i64, "0+", default 7;
        port: u16, "0+";
        count: u32, "0+";
        ratio: f64, "0+";
        name: Arc<str>, "0+";
        slice: StrBytes, "0+";
        note: Option<Arc<str>>, "0+", nullable "1+";
        data: Option<Bytes>, "0+", nullable "0+";
        numbers: Option<Vec<i32>>, "0+", nullable "0+";
        part: Option<Part>, "0+", nullable "2";
        parts: Vec<Part>, "1-2";
        hint: i32, "2+", default -1, ignorable true;
        tagged: Option<Arc<str>>, "1+", nullable "1+", tag 3 "1+";
        moved: i32, "1+", tag 5 "2+";
    }

    /// A struct inside.
    struct Part {
        id: i32, "0+";
        since_two: i8, "2+";
    }
}

fn sample(version: i16) -> Everything {
    Everything {
        flag: true,
        tiny: -8,
        small: -300,
        large: i64::MAX,
        port: 65_535,
        count: u32::MAX,
        ratio: -0.5,
        name: "näme".into(),
        slice: StrBytes::from_static_str("slice"),
        note: Some("note".into()),
        data: None,
        numbers: Some(vec![1, -1, 300]),
        part: Some(Part { id: 9, since_two: 0 }),
        parts: if version >= 1 { vec![Part { id: 1, since_two: i8::from(version >= 2) }] } else { vec![] },
        hint: -1,
        tagged: (version >= 1).then(|| "tag".into()),
        moved: i32::from(version >= 1) * 77,
    }
}

fn encode(message: &Everything, version: i16) -> Bytes {
    let mut out = BytesMut::new();
    message.encode(version, &mut out).expect("it fits");
    assert_eq!(out.len(), message.encoded_size(version).expect("it fits"));
    out.freeze()
}

fn encode_error(message: &Everything, version: i16) -> EncodeError {
    message.encode(version, &mut BytesMut::new()).expect_err("the version cannot carry it")
}

#[test]
fn every_version_comes_back() {
    for version in 0..=2 {
        let message = sample(version);
        let mut bytes = encode(&message, version);
        assert_eq!(Everything::decode(version, &mut bytes), Ok(message));
        assert!(bytes.is_empty());
    }
}

#[test]
fn the_old_form_is_as_documented() {
    let bytes = encode(&Everything { part: Some(Part::default()), note: Some("n".into()), ..Default::default() }, 0);
    let expected = [
        &[0, 0, 0, 0][..],         // flag, tiny, small
        &[0, 0, 0, 0, 0, 0, 0, 7], // large
        &[0; 2 + 4 + 8],           // port, count, ratio
        &[0, 0, 0, 0],             // name, slice: empty
        &[0, 1, b'n'],             // note
        &[0xff, 0xff, 0xff, 0xff], // data: null
        &[0xff, 0xff, 0xff, 0xff], // numbers: null
        &[0, 0, 0, 0],             // part, without a marker, since version 0 does not allow null
    ]
    .concat();
    assert_eq!(bytes, expected);
}

#[test]
fn the_compact_form_is_as_documented() {
    let message = Everything { tagged: Some("t".into()), moved: 1, ..Default::default() };
    let bytes = encode(&message, 2);
    let expected = [
        &[0, 0, 0, 0][..],
        &[0, 0, 0, 0, 0, 0, 0, 7],
        &[0; 2 + 4 + 8],
        &[1, 1],                   // name, slice: empty
        &[0, 0, 0],                // note, data, numbers: null
        &[0xff],                   // part: null
        &[1],                      // parts: none
        &[0xff, 0xff, 0xff, 0xff], // hint
        &[2, 3, 2, 2, b't'],       // two tagged fields; tag 3 of two bytes
        &[5, 4, 0, 0, 0, 1],       // tag 5 of four bytes
    ]
    .concat();
    assert_eq!(bytes, expected);
}

#[test]
fn a_field_may_become_tagged_later() {
    let message = Everything { note: None, part: Some(Part::default()), moved: 5, ..Default::default() };
    let untagged = encode(&message, 1);
    assert!(untagged.ends_with(&[0, 0, 0, 5, 0]), "plain in version 1, then no tagged field");
    let tagged = encode(&message, 2);
    assert!(tagged.ends_with(&[1, 5, 4, 0, 0, 0, 5]), "tag 5 in version 2");
}

#[test]
fn what_a_version_cannot_say_is_an_error() {
    let fits = Everything { note: Some("".into()), part: Some(Part::default()), ..Default::default() };
    let null_note = Everything { note: None, ..fits.clone() };
    assert_eq!(encode_error(&null_note, 0), EncodeError::Null { field: "Everything.note", version: 0 });
    let null_part = Everything { part: None, ..fits.clone() };
    assert_eq!(encode_error(&null_part, 1), EncodeError::Null { field: "Everything.part", version: 1 });
    let parts = Everything { parts: vec![Part::default()], ..fits.clone() };
    assert_eq!(encode_error(&parts, 0), EncodeError::NotInVersion { field: "Everything.parts", version: 0 });
    let inner = Everything { part: Some(Part { id: 0, since_two: 1 }), ..fits.clone() };
    assert_eq!(encode_error(&inner, 1), EncodeError::NotInVersion { field: "Part.since_two", version: 1 });
    let unsupported = EncodeError::UnsupportedVersion { message: "Everything", version: 3 };
    assert_eq!(encode_error(&fits, 3), unsupported);
    let long = Everything { name: "x".repeat(32_768).into(), ..fits.clone() };
    assert!(matches!(encode_error(&long, 1), EncodeError::TooLong { field: "Everything.name", length: 32_768, .. }));
    // An ignorable field is dropped instead.
    let hint = Everything { hint: 4, ..fits };
    assert_eq!(Everything::decode(0, &mut encode(&hint, 0)).map(|message| message.hint), Ok(-1));
}

#[test]
fn unknown_tagged_fields_are_skipped_and_known_ones_checked() {
    let bare = encode(&Everything::default(), 2);
    let (none, fields) = bare.split_last().map(|(last, fields)| (*last, fields.to_vec())).expect("not empty");
    assert_eq!(none, 0);
    let with_tags = |tags: &[u8]| Everything::decode(2, &mut [fields.as_slice(), tags].concat().into());

    assert_eq!(with_tags(&[1, 9, 2, 0xff, 0xff]), Ok(Everything::default()));
    let leftover = with_tags(&[1, 5, 5, 0, 0, 0, 1, 0]).expect_err("a byte too many");
    assert_eq!(leftover.cause, Cause::TaggedFieldLeftover(1));
    let short = with_tags(&[1, 5, 2, 0, 0, 0, 0]).expect_err("the content is too short for its type");
    assert_eq!((short.field, short.cause), ("Everything.moved", Cause::Truncated { needed: 4, remaining: 2 }));
    let beyond = with_tags(&[1, 9, 0xff, 0xff, 0xff, 0xff, 0x0f]).expect_err("larger than the input");
    assert_eq!(beyond.cause, Cause::Truncated { needed: u32::MAX as usize, remaining: 0 });
    assert!(with_tags(&[0xff, 0xff, 0xff, 0xff, 0x0f]).is_err(), "four billion tagged fields");
}

#[test]
fn lengths_are_checked_before_use() {
    let read_string = |bytes: &'static [u8], flexible| {
        let form = Form { version: 0, flexible, nullable: false, tagged: false };
        Arc::<str>::read(form, &mut Bytes::from_static(bytes)).map_err(|error| error.cause)
    };
    assert_eq!(read_string(&[0xff, 0xfe], false), Err(Cause::NegativeLength(-2)));
    assert_eq!(read_string(&[0xff, 0xff], false), Err(Cause::Null { version: 0 }));
    assert_eq!(read_string(&[0], true), Err(Cause::Null { version: 0 }));
    assert_eq!(read_string(&[0x7f, 0xff, 1], false), Err(Cause::Truncated { needed: 32_767, remaining: 1 }));
    assert_eq!(read_string(&[3, b'a'], true), Err(Cause::Truncated { needed: 2, remaining: 1 }));
    assert_eq!(read_string(&[0xff; 6], true), Err(Cause::VarintTooLong));
    assert_eq!(read_string(&[2, 0xff], true), Err(Cause::NotUtf8));
}

#[test]
fn versions_are_read_in_kafkas_notation() {
    assert_eq!(Versions::parse("0+"), Versions { first: 0, last: i16::MAX });
    assert_eq!(Versions::parse("3-12"), Versions { first: 3, last: 12 });
    assert_eq!(Versions::parse("4"), Versions { first: 4, last: 4 });
    assert!(!Versions::NONE.contains(0));
}

proptest! {
    #[test]
    fn varints_come_back(value: u32) {
        let mut out = BytesMut::new();
        write_unsigned_varint(value, &mut out);
        prop_assert!(out.len() <= 5);
        prop_assert_eq!(read_unsigned_varint(&mut out.freeze()), Ok(value));
    }

    #[test]
    fn any_bytes_decode_or_fail(version in 0..3_i16, bytes: Vec<u8>) {
        let _ = Everything::decode(version, &mut bytes.into());
    }

    #[test]
    fn damaged_messages_decode_or_fail(version in 0..3_i16, at in 0..100_usize, byte: u8) {
        let mut bytes = encode(&sample(version), version).to_vec();
        if let Some(place) = bytes.get_mut(at) {
            *place = byte;
        }
        let _ = Everything::decode(version, &mut bytes.into());
    }
}
