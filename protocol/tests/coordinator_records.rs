//! The group coordinator's records at every version against the bytes of Apache Kafka's own classes, both ways.
//! The bytes are made by `integration/golden/CoordinatorRecords.java`, which holds the same values.

mod golden;

use bytes::{BufMut, Bytes, BytesMut};
use golden::{from_hex, lines, to_hex};
use protocol::StrBytes;
use protocol::coordinator_record::*;
use protocol::ids::Uuid;
use protocol::schema::Schema;

const TIME: i64 = 1_700_000_000_000;

fn text(text: &'static str) -> StrBytes {
    StrBytes::from_static_str(text)
}

fn offset_key() -> OffsetCommitKey {
    OffsetCommitKey { group: text("group"), topic: text("topic"), partition: 258 }
}

fn group_key() -> GroupMetadataKey {
    GroupMetadataKey { group: text("group") }
}

fn offset(version: i16) -> OffsetCommitValue {
    let topic_id = Uuid::from_u128(0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10);
    OffsetCommitValue {
        offset: 1 << 40,
        leader_epoch: if version >= 3 { 77 } else { -1 },
        metadata: text("méta"),
        commit_timestamp: TIME,
        expire_timestamp: if version == 1 { TIME + 999 } else { -1 },
        topic_id: if version >= 4 { topic_id } else { Uuid::nil() },
    }
}

fn group(version: i16) -> GroupMetadataValue {
    let member = MemberMetadata {
        member_id: text("member-1"),
        group_instance_id: (version >= 3).then(|| text("instance")),
        client_id: text("client"),
        client_host: text("/127.0.0.1"),
        rebalance_timeout: if version >= 1 { 300_000 } else { -1 },
        session_timeout: 45_000,
        subscription: Bytes::from_static(&[0, 1, 2]),
        assignment: Bytes::from_static(&[0; 200]),
    };
    GroupMetadataValue {
        protocol_type: text("consumer"),
        generation: 3,
        protocol: Some(text("range")),
        leader: Some(text("member-1")),
        current_state_timestamp: if version >= 2 { TIME } else { -1 },
        members: vec![member],
    }
}

/// What each line that begins with `written` is, in their order.
fn written() -> [CoordinatorRecord; 4] {
    let plain = OffsetCommitValue { topic_id: Uuid::nil(), ..offset(4) };
    let with_expiry = OffsetCommitValue {
        offset: 5,
        commit_timestamp: TIME,
        expire_timestamp: TIME + 999,
        ..OffsetCommitValue::default()
    };
    [
        CoordinatorRecord::OffsetCommit(offset_key(), Some(plain)),
        CoordinatorRecord::OffsetCommit(offset_key(), Some(with_expiry)),
        CoordinatorRecord::OffsetCommit(offset_key(), None),
        CoordinatorRecord::GroupMetadata(group_key(), None),
    ]
}

fn at_version<V: Schema>(value: &V, version: i16) -> Bytes {
    let mut out = BytesMut::new();
    out.put_i16(version);
    value.encode(version, &mut out).expect("it fits");
    out.freeze()
}

#[test]
fn every_record_is_kafkas_both_ways() {
    let mut written = written().into_iter();
    let mut seen = 0;
    for line in lines("coordinator.txt") {
        let [name, version, key, value] = line.split(' ').collect::<Vec<_>>().try_into().expect("four words");
        let version: i16 = version.parse().expect("a number");
        let (record, encoded) = match name {
            "offset" => {
                let bytes = at_version(&offset(version), version);
                (CoordinatorRecord::OffsetCommit(offset_key(), Some(offset(version))), Some(bytes))
            }
            "group" | "empty" => {
                let made = if name == "group" { group(version) } else { GroupMetadataValue::default() };
                let bytes = at_version(&made, version);
                (CoordinatorRecord::GroupMetadata(group_key(), Some(made)), Some(bytes))
            }
            _ => {
                let record = written.next().expect("as many as the file has");
                let (key_bytes, bytes) = record.encode().expect("it fits");
                assert_eq!(to_hex(&key_bytes), key, "{line}");
                (record, bytes)
            }
        };
        let golden = (value != "-").then(|| from_hex(value));
        assert_eq!(encoded, golden, "{line}");
        assert_eq!(CoordinatorRecord::decode(from_hex(key), golden), Ok(record), "{line}");
        seen += 1;
    }
    assert_eq!((seen, written.next()), (19, None), "each case of the file");
}
