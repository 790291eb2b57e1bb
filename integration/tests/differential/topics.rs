//! CreateTopics, CreatePartitions, DeleteTopics, Metadata, DescribeTopicPartitions.

use integration::wire::text;
use protocol::ids::Uuid;
use protocol::messages::create_partitions_request::{CreatePartitionsAssignment, CreatePartitionsTopic};
use protocol::messages::create_topics_request::{CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig};
use protocol::messages::delete_topics_request::DeleteTopicState;
use protocol::messages::describe_topic_partitions_request::{Cursor, TopicRequest};
use protocol::messages::metadata_request::MetadataRequestTopic;
use protocol::messages::{
    BrokerId, CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest, DescribeTopicPartitionsRequest,
    MetadataRequest, TopicName,
};

use crate::world::{Differential, World};

pub(crate) fn name(name: &str) -> TopicName {
    TopicName(text(name))
}

pub(crate) fn compare(both: &mut Differential) {
    both.both(|world| {
        world.create_topic("plain", 3, &[]);
        world.create_topic("tuned", 1, &[("retention.ms", "3600000"), ("cleanup.policy", "compact,delete")]);
        world.create_topic("cut", 1, &[]);
    });
    create(both);
    grow(both);
    delete(both);
    metadata(both);
    describe(both);
}

fn creatable(topic: &str, partitions: i32, replicas: i16) -> CreatableTopic {
    CreatableTopic::default().with_name(name(topic)).with_num_partitions(partitions).with_replication_factor(replicas)
}

fn with_config(topic: CreatableTopic, key: &str, value: Option<&str>) -> CreatableTopic {
    let config = CreatableTopicConfig::default().with_name(text(key)).with_value(value.map(text));
    topic.with_configs(vec![config])
}

fn assigned(topic: &str, assignments: &[(i32, &[i32])]) -> CreatableTopic {
    let assignments = assignments.iter().map(|(index, brokers)| {
        let brokers = brokers.iter().map(|id| BrokerId(*id)).collect();
        CreatableReplicaAssignment::default().with_partition_index(*index).with_broker_ids(brokers)
    });
    creatable(topic, -1, -1).with_assignments(assignments.collect())
}

fn create(both: &mut Differential) {
    let request =
        |topics: Vec<CreatableTopic>| CreateTopicsRequest::default().with_topics(topics).with_timeout_ms(30_000);
    both.every("created", |_, version| request(vec![creatable(&format!("created-v{version}"), 2, 1)]));
    both.every("defaults", |_, version| request(vec![creatable(&format!("defaults-v{version}"), -1, -1)]));
    both.every("configured", |_, version| {
        request(vec![with_config(creatable(&format!("configured-v{version}"), 1, 1), "retention.ms", Some("5000"))])
    });
    both.every("by hand", |_, version| request(vec![assigned(&format!("hand-v{version}"), &[(0, &[1]), (1, &[1])])]));
    both.every("validated", |_, _| request(vec![creatable("never", 1, 1)]).with_validate_only(true));
    for (case, topic) in [
        ("exists", creatable("plain", 1, 1)),
        ("no name", creatable("", 1, 1)),
        ("dots", creatable("..", 1, 1)),
        ("bad name", creatable("a b", 1, 1)),
        ("long name", creatable(&"n".repeat(250), 1, 1)),
        ("no partitions", creatable("refused", 0, 1)),
        ("negative partitions", creatable("refused", -2, 1)),
        ("no replicas", creatable("refused", 1, 0)),
        ("two replicas", creatable("refused", 1, 2)),
        ("internal key", with_config(creatable("refused", 1, 1), "internal.segment.bytes", Some("small"))),
        ("unknown key", with_config(creatable("refused", 1, 1), "no.such.key", Some("1"))),
        ("bad value", with_config(creatable("refused", 1, 1), "retention.ms", Some("soon"))),
        ("out of bounds", with_config(creatable("refused", 1, 1), "retention.ms", Some("-2"))),
        ("null value", with_config(creatable("refused", 1, 1), "retention.ms", None)),
        ("metadata topic", creatable("__cluster_metadata", 1, 1)),
        ("unknown broker", assigned("refused", &[(0, &[9])])),
        ("same broker", assigned("refused", &[(0, &[1, 1])])),
        ("no broker", assigned("refused", &[(0, &[])])),
        ("not from 0", assigned("refused", &[(1, &[1])])),
        ("by hand and counted", assigned("refused", &[(0, &[1])]).with_num_partitions(1)),
        ("by hand and replicated", assigned("refused", &[(0, &[1])]).with_replication_factor(1)),
    ] {
        both.every(case, |_, _| request(vec![topic.clone()]));
    }
    both.every("twice", |_, _| request(vec![creatable("refused", 1, 1), creatable("refused", 2, 1)]));
    both.every("nothing", |_, _| request(vec![]));
}

fn grow(both: &mut Differential) {
    let grow = |topic: &str, count| {
        CreatePartitionsTopic::default().with_name(name(topic)).with_count(count).with_assignments(None)
    };
    let request = |topics: Vec<CreatePartitionsTopic>| {
        CreatePartitionsRequest::default().with_topics(topics).with_timeout_ms(30_000)
    };
    let by_hand = |brokers: &[i32]| {
        let ids = brokers.iter().map(|id| BrokerId(*id)).collect();
        Some(vec![CreatePartitionsAssignment::default().with_broker_ids(ids)])
    };
    both.every("grown", |_, version| request(vec![grow("cut", 2 + i32::from(version))]));
    both.every("validated", |_, _| request(vec![grow("plain", 9)]).with_validate_only(true));
    for (case, topic) in [
        ("unknown", grow("no-such", 3)),
        ("same", grow("plain", 3)),
        ("fewer", grow("plain", 1)),
        ("none", grow("plain", 0)),
        ("unknown broker", grow("plain", 4).with_assignments(by_hand(&[7]))),
        ("too many brokers", grow("plain", 4).with_assignments(by_hand(&[1, 1]))),
        ("too few by hand", grow("plain", 5).with_assignments(by_hand(&[1]))),
    ] {
        both.every(case, |_, _| request(vec![topic.clone()]));
    }
    both.every("twice", |_, _| request(vec![grow("plain", 8), grow("plain", 9)]));
}

fn delete(both: &mut Differential) {
    let by_name = |topic: &str, version: i16| {
        let request = DeleteTopicsRequest::default().with_timeout_ms(30_000);
        if version < 6 {
            request.with_topic_names(vec![name(topic)])
        } else {
            request.with_topics(vec![DeleteTopicState::default().with_name(Some(name(topic)))])
        }
    };
    for version in both.served[&20].clone() {
        both.both(|world| world.create_topic(&format!("gone-v{version}"), 1, &[]));
    }
    both.every("deleted", |_, version| by_name(&format!("gone-v{version}"), version));
    both.every("unknown", |_, version| by_name("no-such", version));
    both.every("bad name", |_, version| by_name("a b", version));
    both.both(|world| world.create_topic("gone-by-id", 1, &[]));
    let by_id = |id: Uuid, topic: Option<&str>| {
        let state = DeleteTopicState::default().with_topic_id(id).with_name(topic.map(name));
        DeleteTopicsRequest::default().with_timeout_ms(30_000).with_topics(vec![state])
    };
    both.ask("unknown id", 6..=9, |_, _| by_id(Uuid::from_u128(77), None));
    both.ask("neither", 6..=9, |_, _| by_id(Uuid::nil(), None));
    both.ask("id and name", 6..=9, |world: &World, _| by_id(world.topic_id("plain"), Some("plain")));
    both.ask("by id", 6..=9, |world: &World, _| by_id(world.topic_id("gone-by-id"), None));
}

fn metadata(both: &mut Differential) {
    let named = |topic: &str| MetadataRequestTopic::default().with_name(Some(name(topic)));
    let request = |topics: Vec<MetadataRequestTopic>| MetadataRequest::default().with_topics(Some(topics));
    both.every("named", |_, _| request(vec![named("plain"), named("tuned")]));
    both.every("unknown", |_, _| request(vec![named("no-such")]));
    both.every("bad name", |_, _| request(vec![named("a b")]));
    both.every("none", |_, _| request(vec![]));
    both.ask("all", 1..=99, |_, _| MetadataRequest::default().with_topics(None));
    both.ask("operations", 8..=10, |_, _| {
        request(vec![named("plain")])
            .with_include_topic_authorized_operations(true)
            .with_include_cluster_authorized_operations(true)
    });
    both.ask("no creation", 4..=99, |_, _| request(vec![named("nor-this")]).with_allow_auto_topic_creation(false));
    let by_id = |id: Uuid| MetadataRequestTopic::default().with_name(None).with_topic_id(id);
    both.ask("by id", 10..=99, |world: &World, _| request(vec![by_id(world.topic_id("plain"))]));
    both.ask("unknown id", 12..=99, |_, _| request(vec![by_id(Uuid::from_u128(99))]));
}

fn describe(both: &mut Differential) {
    let request = |topics: &[&str]| {
        let topics = topics.iter().map(|topic| TopicRequest::default().with_name(name(topic)));
        DescribeTopicPartitionsRequest::default().with_topics(topics.collect()).with_response_partition_limit(2000)
    };
    both.every("named", |_, _| request(&["plain", "tuned", "no-such"]));
    both.every("all", |_, _| request(&[]).with_response_partition_limit(4));
    both.every("limited", |_, _| request(&["plain", "tuned"]).with_response_partition_limit(2));
    let from = |topic: &str, index| {
        let cursor = Cursor::default().with_topic_name(name(topic)).with_partition_index(index);
        request(&["plain", "tuned"]).with_cursor(Some(cursor))
    };
    both.every("from a cursor", |_, _| from("plain", 1));
    both.every("from a cursor behind", |_, _| from("q", 0));
    both.every("from a negative cursor", |_, _| from("plain", -1));
    both.every("no limit", |_, _| request(&["plain"]).with_response_partition_limit(0));
    both.every("bad name", |_, _| request(&["a b"]));
}
