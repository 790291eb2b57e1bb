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
fn written() -> Vec<CoordinatorRecord> {
    let plain = OffsetCommitValue { topic_id: Uuid::nil(), ..offset(4) };
    let with_expiry = OffsetCommitValue {
        offset: 5,
        commit_timestamp: TIME,
        expire_timestamp: TIME + 999,
        ..OffsetCommitValue::default()
    };
    let mut written = vec![
        CoordinatorRecord::OffsetCommit(offset_key(), Some(plain)),
        CoordinatorRecord::OffsetCommit(offset_key(), Some(with_expiry)),
        CoordinatorRecord::OffsetCommit(offset_key(), None),
        CoordinatorRecord::GroupMetadata(group_key(), None),
    ];
    written.extend(consumer());
    written
}

/// The records of the consumer protocol.
fn consumer() -> Vec<CoordinatorRecord> {
    use CoordinatorRecord as Record;
    let (group_id, member_id) = (text("group"), text("member"));
    let group = ConsumerGroupMetadataKey { group_id: group_id.clone() };
    let topics = ConsumerGroupPartitionMetadataKey { group_id: group_id.clone() };
    let member = ConsumerGroupMemberMetadataKey { group_id: group_id.clone(), member_id: member_id.clone() };
    let target_epoch = ConsumerGroupTargetAssignmentMetadataKey { group_id: group_id.clone() };
    let target = ConsumerGroupTargetAssignmentMemberKey { group_id: group_id.clone(), member_id: member_id.clone() };
    let current = ConsumerGroupCurrentMemberAssignmentKey { group_id: group_id.clone(), member_id };
    let regex = ConsumerGroupRegularExpressionKey { group_id, regular_expression: text("a.*") };
    let epoch = |metadata_hash| ConsumerGroupMetadataValue { epoch: 7, metadata_hash };
    vec![
        Record::ConsumerGroupMetadata(group.clone(), Some(epoch(-2))),
        Record::ConsumerGroupMetadata(group.clone(), Some(epoch(0))),
        Record::ConsumerGroupMemberMetadata(member.clone(), Some(full_member())),
        Record::ConsumerGroupMemberMetadata(member.clone(), Some(new_member())),
        Record::ConsumerGroupTargetAssignmentMetadata(
            target_epoch.clone(),
            Some(ConsumerGroupTargetAssignmentMetadataValue { assignment_epoch: 7, assignment_timestamp: TIME }),
        ),
        Record::ConsumerGroupTargetAssignmentMember(
            target.clone(),
            Some(ConsumerGroupTargetAssignmentMemberValue {
                topic_partitions: vec![TargetTopicPartitions { topic_id: topic_id(), partitions: vec![0, 1] }],
            }),
        ),
        Record::ConsumerGroupCurrentMemberAssignment(
            current.clone(),
            Some(ConsumerGroupCurrentMemberAssignmentValue {
                member_epoch: 7,
                previous_member_epoch: 6,
                state: 1,
                assigned_partitions: vec![owned(&[0, 1], Some(&[5, 7]))],
                partitions_pending_revocation: vec![owned(&[2], Some(&[6]))],
            }),
        ),
        Record::ConsumerGroupRegularExpression(
            regex.clone(),
            Some(ConsumerGroupRegularExpressionValue {
                topics: vec![text("aa"), text("ab")],
                version: 1234,
                timestamp: TIME,
            }),
        ),
        Record::ConsumerGroupMetadata(group, None),
        Record::ConsumerGroupPartitionMetadata(topics.clone(), None),
        Record::ConsumerGroupMemberMetadata(member, None),
        Record::ConsumerGroupTargetAssignmentMetadata(target_epoch, None),
        Record::ConsumerGroupTargetAssignmentMember(target, None),
        Record::ConsumerGroupCurrentMemberAssignment(current.clone(), None),
        Record::ConsumerGroupRegularExpression(regex, None),
        Record::ConsumerGroupPartitionMetadata(topics, Some(topics_of_old())),
        Record::ConsumerGroupCurrentMemberAssignment(
            current,
            Some(ConsumerGroupCurrentMemberAssignmentValue {
                member_epoch: 3,
                assigned_partitions: vec![owned(&[4], None)],
                ..Default::default()
            }),
        ),
    ]
}

fn topic_id() -> Uuid {
    Uuid::from_u128(0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10)
}

fn owned(partitions: &[i32], epochs: Option<&[i32]>) -> CurrentTopicPartitions {
    CurrentTopicPartitions {
        topic_id: topic_id(),
        partitions: partitions.to_vec(),
        assignment_epochs: epochs.map(<[i32]>::to_vec),
    }
}

/// What Kafka 4.0 wrote.
fn topics_of_old() -> ConsumerGroupPartitionMetadataValue {
    let partition = SubscribedPartitionMetadata { partition: 1, racks: vec![text("rack")] };
    let topic = SubscribedTopicMetadata {
        topic_id: topic_id(),
        topic_name: text("topic"),
        num_partitions: 2,
        partition_metadata: vec![partition],
    };
    ConsumerGroupPartitionMetadataValue { topics: vec![topic] }
}

fn full_member() -> ConsumerGroupMemberMetadataValue {
    let protocol = ClassicProtocol { name: text("range"), metadata: Bytes::from_static(&[0, 1, 2]) };
    ConsumerGroupMemberMetadataValue {
        instance_id: Some(text("instance")),
        rack_id: Some(text("rack")),
        client_id: text("client"),
        client_host: text("/127.0.0.1"),
        subscribed_topic_names: vec![text("a"), text("b")],
        subscribed_topic_regex: Some(text("a.*")),
        rebalance_timeout_ms: 300_000,
        server_assignor: Some(text("range")),
        classic_member_metadata: Some(ClassicMemberMetadata {
            session_timeout_ms: 45_000,
            supported_protocols: vec![protocol],
        }),
    }
}

fn new_member() -> ConsumerGroupMemberMetadataValue {
    ConsumerGroupMemberMetadataValue {
        client_id: text("client"),
        client_host: text("/127.0.0.1"),
        subscribed_topic_regex: Some(text("")),
        classic_member_metadata: None,
        ..Default::default()
    }
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
    assert_eq!((seen, written.next()), (36, None), "each case of the file");
}
