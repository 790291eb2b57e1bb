//! Our bodies beside those of the crate, which are the oracle as far as they go, and the bytes of what they lack.

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages as theirs;
use kafka_protocol::messages::list_offsets_request as their_list;
use kafka_protocol::messages::list_offsets_response as their_listed;
use kafka_protocol::messages::offset_commit_request as their_commit;
use kafka_protocol::messages::offset_fetch_request as their_fetch;
use kafka_protocol::messages::{GroupId, TopicName};
use uuid::Uuid;

use super::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use super::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use super::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use super::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics};
use super::{ListOffsetsRequest, ListOffsetsResponse, OffsetCommitRequest, OffsetFetchRequest};
use crate::{Decodable, Encodable, HeaderVersion, StrBytes};

const ID: Uuid = Uuid::from_bytes([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);

fn text(text: &'static str) -> StrBytes {
    StrBytes::from_static_str(text)
}

fn encode(request: &impl Encodable, version: i16) -> Bytes {
    let mut bytes = BytesMut::new();
    request.encode(&mut bytes, version).unwrap_or_else(|error| panic!("version {version}: {error}"));
    assert_eq!(bytes.len(), request.compute_size(version).expect("it has a size"), "version {version}");
    bytes.freeze()
}

/// Every cut of the bytes is an error, and what follows them is left.
fn assert_comes_back<R: Encodable + Decodable + PartialEq + std::fmt::Debug>(request: &R, version: i16) -> Bytes {
    let bytes = encode(request, version);
    let mut input = Bytes::from([&bytes[..], b"rest"].concat());
    assert_eq!(&R::decode(&mut input, version).expect("it is one"), request, "version {version}");
    assert_eq!(input, &b"rest"[..]);
    for end in 0..bytes.len() {
        assert!(R::decode(&mut bytes.slice(..end), version).is_err(), "version {version}, cut at {end}");
    }
    bytes
}

fn commit(version: i16) -> OffsetCommitRequest {
    let partition = OffsetCommitRequestPartition {
        partition_index: 3,
        committed_offset: 77,
        committed_leader_epoch: if version >= 6 { 5 } else { -1 },
        committed_metadata: Some(text("note")),
    };
    let without = OffsetCommitRequestPartition { committed_metadata: None, ..partition.clone() };
    OffsetCommitRequest {
        group_id: text("group"),
        generation_id_or_member_epoch: 9,
        member_id: text("member"),
        group_instance_id: (version >= 7).then(|| text("instance")),
        retention_time_ms: if version <= 4 { 1_000 } else { -1 },
        topics: vec![OffsetCommitRequestTopic {
            name: if version <= 9 { text("topic") } else { StrBytes::new() },
            topic_id: if version <= 9 { Uuid::nil() } else { ID },
            partitions: vec![partition, without],
        }],
    }
}

fn their_commit(version: i16) -> theirs::OffsetCommitRequest {
    let partition = their_commit::OffsetCommitRequestPartition::default()
        .with_partition_index(3)
        .with_committed_offset(77)
        .with_committed_leader_epoch(if version >= 6 { 5 } else { -1 })
        .with_committed_metadata(Some(text("note")));
    let without = partition.clone().with_committed_metadata(None);
    let topic = their_commit::OffsetCommitRequestTopic::default()
        .with_name(TopicName(text("topic")))
        .with_partitions(vec![partition, without]);
    theirs::OffsetCommitRequest::default()
        .with_group_id(GroupId(text("group")))
        .with_generation_id_or_member_epoch(9)
        .with_member_id(text("member"))
        .with_group_instance_id((version >= 7).then(|| text("instance")))
        .with_retention_time_ms(if version <= 4 { 1_000 } else { -1 })
        .with_topics(vec![topic])
}

#[test]
fn a_commit_is_that_of_the_crate_in_its_versions() {
    for version in 2..=9 {
        assert_eq!(assert_comes_back(&commit(version), version), encode(&their_commit(version), version));
        assert_eq!(
            encode(&OffsetCommitRequest::default(), version),
            encode(&theirs::OffsetCommitRequest::default(), version)
        );
        assert_eq!(
            OffsetCommitRequest::header_version(version),
            theirs::OffsetCommitRequest::header_version(version),
            "version {version}"
        );
    }
}

#[test]
fn a_commit_of_version_10_names_topics_by_id() {
    let bytes = assert_comes_back(&commit(10), 10);
    let expected = [
        b"\x06group\0\0\0\x09\x07member\x09instance\x02",
        ID.as_bytes().as_slice(),
        b"\x03\0\0\0\x03\0\0\0\0\0\0\0\x4d\0\0\0\x05\x05note\0",
        b"\0\0\0\x03\0\0\0\0\0\0\0\x4d\0\0\0\x05\0\0\0\0",
    ]
    .concat();
    assert_eq!(bytes, expected);
    assert_eq!(OffsetCommitRequest::header_version(10), 2);
}

fn fetch(version: i16) -> OffsetFetchRequest {
    if version <= 7 {
        let topic = OffsetFetchRequestTopic { name: text("topic"), partition_indexes: vec![0, 7] };
        return OffsetFetchRequest {
            group_id: text("group"),
            topics: Some(vec![topic]),
            require_stable: version == 7,
            ..OffsetFetchRequest::default()
        };
    }
    let topic = OffsetFetchRequestTopics {
        name: if version <= 9 { text("topic") } else { StrBytes::new() },
        topic_id: if version <= 9 { Uuid::nil() } else { ID },
        partition_indexes: vec![0, 7],
    };
    let named = OffsetFetchRequestGroup {
        group_id: text("group"),
        member_id: (version >= 9).then(|| text("member")),
        member_epoch: if version >= 9 { 9 } else { -1 },
        topics: Some(vec![topic]),
    };
    let all = OffsetFetchRequestGroup { group_id: text("all"), topics: None, ..OffsetFetchRequestGroup::default() };
    OffsetFetchRequest { groups: vec![named, all], require_stable: true, ..OffsetFetchRequest::default() }
}

fn their_fetch(version: i16) -> theirs::OffsetFetchRequest {
    let request = theirs::OffsetFetchRequest::default();
    if version <= 7 {
        let topic = their_fetch::OffsetFetchRequestTopic::default()
            .with_name(TopicName(text("topic")))
            .with_partition_indexes(vec![0, 7]);
        return request
            .with_group_id(GroupId(text("group")))
            .with_topics(Some(vec![topic]))
            .with_require_stable(version == 7);
    }
    let topic = their_fetch::OffsetFetchRequestTopics::default()
        .with_name(TopicName(text("topic")))
        .with_partition_indexes(vec![0, 7]);
    let named = their_fetch::OffsetFetchRequestGroup::default()
        .with_group_id(GroupId(text("group")))
        .with_member_id((version >= 9).then(|| text("member")))
        .with_member_epoch(if version >= 9 { 9 } else { -1 })
        .with_topics(Some(vec![topic]));
    let all = their_fetch::OffsetFetchRequestGroup::default().with_group_id(GroupId(text("all"))).with_topics(None);
    request.with_groups(vec![named, all]).with_require_stable(true)
}

#[test]
fn a_fetch_is_that_of_the_crate_in_its_versions() {
    for version in 1..=9 {
        assert_eq!(assert_comes_back(&fetch(version), version), encode(&their_fetch(version), version));
        assert_eq!(
            encode(&OffsetFetchRequest::default(), version),
            encode(&theirs::OffsetFetchRequest::default(), version)
        );
        assert_eq!(
            OffsetFetchRequest::header_version(version),
            theirs::OffsetFetchRequest::header_version(version),
            "version {version}"
        );
    }
    for version in 2..=7 {
        let all = OffsetFetchRequest { topics: None, ..fetch(version) };
        assert_comes_back(&all, version);
    }
}

#[test]
fn a_fetch_of_version_10_names_topics_by_id() {
    let bytes = assert_comes_back(&fetch(10), 10);
    let expected = [
        b"\x03\x06group\x07member\0\0\0\x09\x02",
        ID.as_bytes().as_slice(),
        b"\x03\0\0\0\0\0\0\0\x07\0\0\x04all\0\xff\xff\xff\xff\0\0\x01\0",
    ]
    .concat();
    assert_eq!(bytes, expected);
    assert_eq!(OffsetFetchRequest::header_version(10), 2);
}

fn list(version: i16) -> ListOffsetsRequest {
    let partition = ListOffsetsPartition {
        partition_index: 3,
        current_leader_epoch: if version >= 4 { 5 } else { -1 },
        timestamp: -4,
    };
    let topic = ListOffsetsTopic { name: text("topic"), partitions: vec![partition] };
    ListOffsetsRequest {
        replica_id: -1,
        isolation_level: i8::from(version >= 2),
        topics: vec![topic],
        timeout_ms: if version >= 10 { 500 } else { 0 },
    }
}

fn their_list(version: i16) -> theirs::ListOffsetsRequest {
    let partition = their_list::ListOffsetsPartition::default()
        .with_partition_index(3)
        .with_current_leader_epoch(if version >= 4 { 5 } else { -1 })
        .with_timestamp(-4);
    let topic =
        their_list::ListOffsetsTopic::default().with_name(TopicName(text("topic"))).with_partitions(vec![partition]);
    theirs::ListOffsetsRequest::default()
        .with_replica_id((-1).into())
        .with_isolation_level(i8::from(version >= 2))
        .with_topics(vec![topic])
        .with_timeout_ms(if version >= 10 { 500 } else { 0 })
}

fn listed(version: i16) -> ListOffsetsResponse {
    let partition = ListOffsetsPartitionResponse {
        partition_index: 3,
        error_code: 1,
        timestamp: 1_700_000_000_000,
        offset: 77,
        leader_epoch: if version >= 4 { 5 } else { -1 },
    };
    let topic = ListOffsetsTopicResponse { name: text("topic"), partitions: vec![partition] };
    ListOffsetsResponse { throttle_time_ms: if version >= 2 { 9 } else { 0 }, topics: vec![topic] }
}

fn their_listed(version: i16) -> theirs::ListOffsetsResponse {
    let partition = their_listed::ListOffsetsPartitionResponse::default()
        .with_partition_index(3)
        .with_error_code(1)
        .with_timestamp(1_700_000_000_000)
        .with_offset(77)
        .with_leader_epoch(if version >= 4 { 5 } else { -1 });
    let topic = their_listed::ListOffsetsTopicResponse::default()
        .with_name(TopicName(text("topic")))
        .with_partitions(vec![partition]);
    theirs::ListOffsetsResponse::default()
        .with_throttle_time_ms(if version >= 2 { 9 } else { 0 })
        .with_topics(vec![topic])
}

#[test]
fn offsets_are_listed_as_by_the_crate_in_its_versions() {
    for version in 1..=10 {
        assert_eq!(assert_comes_back(&list(version), version), encode(&their_list(version), version));
        assert_eq!(assert_comes_back(&listed(version), version), encode(&their_listed(version), version));
        assert_eq!(
            encode(&ListOffsetsRequest::default(), version),
            encode(&theirs::ListOffsetsRequest::default(), version)
        );
        assert_eq!(
            (ListOffsetsRequest::header_version(version), ListOffsetsResponse::header_version(version)),
            (theirs::ListOffsetsRequest::header_version(version), theirs::ListOffsetsResponse::header_version(version)),
            "version {version}"
        );
    }
}

#[test]
fn version_11_of_listed_offsets_is_as_version_10() {
    assert_eq!(assert_comes_back(&list(11), 11), encode(&their_list(10), 10));
    assert_eq!(assert_comes_back(&listed(11), 11), encode(&their_listed(10), 10));
    assert_eq!((ListOffsetsRequest::header_version(11), ListOffsetsResponse::header_version(11)), (2, 1));
}
