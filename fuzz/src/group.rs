//! What groups leave in `__consumer_offsets`, and what consumers say of themselves.

use bytes::Bytes;
use protocol::consumer_protocol::{
    ConsumerProtocolAssignment, ConsumerProtocolSubscription, read, subscribed_topics, version, write,
};
use protocol::coordinator_record::{
    ConsumerGroupCurrentMemberAssignmentValue, ConsumerGroupMemberMetadataValue, ConsumerGroupMetadataValue,
    ConsumerGroupRegularExpressionValue, ConsumerGroupTargetAssignmentMemberValue, CoordinatorRecord, GroupMetadataKey,
    GroupMetadataValue, OffsetCommitKey, OffsetCommitValue,
};
use protocol::schema::Schema;

use crate::Target;

pub(crate) fn targets() -> Vec<Target> {
    vec![
        Target::new("coordinator-record", record_seeds(), record),
        Target::new("consumer-subscription", vec![b"\0\x03\0\0\0\x01\0\x01t\0\0\0\0".to_vec()], subscription),
        Target::new(
            "consumer-assignment",
            vec![b"\0\x01\0\0\0\x01\0\x01t\0\0\0\0\xff\xff\xff\xff".to_vec()],
            assignment,
        ),
    ]
}

fn record_seeds() -> Vec<Vec<u8>> {
    let offset = |value| CoordinatorRecord::OffsetCommit(OffsetCommitKey::default(), value);
    let group = |value| CoordinatorRecord::GroupMetadata(GroupMetadataKey::default(), value);
    let records = [
        offset(None),
        offset(Some(OffsetCommitValue::default())),
        offset(Some(OffsetCommitValue { expire_timestamp: 7, ..OffsetCommitValue::default() })),
        group(None),
        group(Some(GroupMetadataValue::default())),
        CoordinatorRecord::ConsumerGroupMetadata(
            Default::default(),
            Some(ConsumerGroupMetadataValue { epoch: 1, metadata_hash: 2 }),
        ),
        CoordinatorRecord::ConsumerGroupPartitionMetadata(Default::default(), None),
        CoordinatorRecord::ConsumerGroupMemberMetadata(
            Default::default(),
            Some(ConsumerGroupMemberMetadataValue { classic_member_metadata: None, ..Default::default() }),
        ),
        CoordinatorRecord::ConsumerGroupTargetAssignmentMetadata(Default::default(), Some(Default::default())),
        CoordinatorRecord::ConsumerGroupTargetAssignmentMember(
            Default::default(),
            Some(ConsumerGroupTargetAssignmentMemberValue::default()),
        ),
        CoordinatorRecord::ConsumerGroupCurrentMemberAssignment(
            Default::default(),
            Some(ConsumerGroupCurrentMemberAssignmentValue::default()),
        ),
        CoordinatorRecord::ConsumerGroupRegularExpression(
            Default::default(),
            Some(ConsumerGroupRegularExpressionValue::default()),
        ),
    ];
    let seed = |record: &CoordinatorRecord| {
        let (key, value) = record.encode().expect("defaults are short");
        let length = u8::try_from(key.len()).expect("so are their keys");
        [&[length], &key[..], &value.unwrap_or_default()[..]].concat()
    };
    records.iter().map(seed).collect()
}

/// The first byte tells the length of the key; without anything behind it the record is a tombstone. What was understood is
/// written, and what was written is understood alike.
fn record(input: &[u8]) {
    let Some((&length, rest)) = input.split_first() else { return };
    let (key, value) = rest.split_at(rest.len().min(usize::from(length)));
    let value = (!value.is_empty()).then(|| Bytes::copy_from_slice(value));
    let Ok(record) = CoordinatorRecord::decode(Bytes::copy_from_slice(key), value) else { return };
    let (key, value) = record.encode().expect("its strings came with their lengths");
    let again = CoordinatorRecord::decode(key.clone(), value.clone()).expect("our own bytes");
    assert_eq!(again.encode().expect("as before"), (key, value));
}

/// What was understood is written in the same version, and what was written is understood alike.
fn round<M: Schema + PartialEq + std::fmt::Debug>(input: &[u8]) {
    let input = Bytes::copy_from_slice(input);
    let Ok(message) = read::<M>(input.clone()) else { return };
    let again = write(&message, version(input).unwrap_or(0)).expect("its strings came with their lengths");
    assert_eq!(read::<M>(again).expect("our own bytes"), message);
}

fn assignment(input: &[u8]) {
    round::<ConsumerProtocolAssignment>(input);
}

fn subscription(input: &[u8]) {
    round::<ConsumerProtocolSubscription>(input);
    let topics = subscribed_topics(Bytes::copy_from_slice(input)).unwrap_or_default();
    assert!(topics.iter().map(|topic| topic.len()).sum::<usize>() <= input.len(), "topics are slices of the input");
}
