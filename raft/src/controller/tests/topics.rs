//! Topics come, grow and go.

use super::*;
use crate::controller::create_partitions::create_partitions;
use crate::controller::create_topics::create_topics;
use crate::controller::delete_topics::delete_topics;
use crate::error::TopicError;
use protocol::metadata_record::{ConfigRecord, PartitionRecord, TopicRecord};
use std::sync::Arc;

fn message<T: std::fmt::Debug>(result: Result<T, TopicError>) -> String {
    result.expect_err("it is refused").to_string()
}

fn manual(name: &str, assignments: &[(i32, &[i32])]) -> NewTopic {
    let assignments = assignments.iter().map(|(index, replicas)| (*index, replicas.to_vec())).collect();
    NewTopic { assignments, ..NewTopic::new(name) }
}

/// The same records as Apache Kafka 4.3.1 writes for `kafka-topics --create --topic a --partitions 3 --config
/// retention.ms=1000` on one broker.
#[test]
fn a_topic_is_written_as_kafka_writes_it() {
    let mut cluster = Cluster::of(1);
    let configs = vec![(Arc::from("retention.ms"), Some(Arc::from("1000")))];
    let new = NewTopic { configs, ..topic("a", 3, 1) };
    let (records, results) =
        cluster.run(|situation| create_topics(situation, &[new], false, &Unlimited)).expect("small");
    let created = results[0].1.clone().expect("it is created");
    assert_eq!((created.partitions, created.replication_factor), (3, 1));

    let partition = |partition_id| PartitionRecord {
        partition_id,
        topic_id: created.id,
        replicas: vec![1],
        isr: vec![1],
        leader: 1,
        leader_epoch: 0,
        partition_epoch: 0,
        directories: vec![directory(1)],
        ..PartitionRecord::default()
    };
    let config = ConfigRecord {
        resource_type: 2,
        resource_name: "a".into(),
        name: "retention.ms".into(),
        value: Some("1000".into()),
    };
    let expected: Vec<MetadataRecord> = vec![
        TopicRecord { name: "a".into(), topic_id: created.id }.into(),
        config.into(),
        partition(0).into(),
        partition(1).into(),
        partition(2).into(),
    ];
    assert_eq!(records, expected);
}

#[test]
fn defaults_fill_what_the_creator_leaves_open() {
    let mut cluster = Cluster::of(3);
    cluster.config.default_partitions = 5;
    cluster.config.default_replication_factor = 2;
    let created = cluster.create(NewTopic::new("orders")).expect("it is created");
    assert_eq!((created.partitions, created.replication_factor), (5, 2));
    assert_eq!(cluster.partition("orders", 4).isr().len(), 2);
}

#[test]
fn names_are_checked_as_kafka_checks_them() {
    let mut cluster = Cluster::of(1);
    let long = "x".repeat(250);
    let cases = [
        ("", "Topic name is invalid: the empty string is not allowed".to_owned()),
        (".", "Topic name is invalid: '.' is not allowed".to_owned()),
        ("..", "Topic name is invalid: '..' is not allowed".to_owned()),
        (
            &long,
            format!("Topic name is invalid: the length of '{long}' is longer than the max allowed length 249"),
        ),
        (
            "a b",
            "Topic name is invalid: 'a b' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
                .to_owned(),
        ),
        ("__cluster_metadata", "Creation of internal topic __cluster_metadata is prohibited.".to_owned()),
    ];
    for (name, expected) in cases {
        assert_eq!(message(cluster.create(topic(name, 1, 1))), expected);
    }
    assert!(cluster.create(topic(&"x".repeat(249), 1, 1)).is_ok());
    assert!(cluster.create(topic("...", 1, 1)).is_ok(), "three dots are a name");
}

#[test]
fn names_that_metrics_cannot_tell_apart_collide() {
    let mut cluster = Cluster::of(1);
    for name in ["a.b_c", "a_x", "a.y", "plain"] {
        cluster.create(topic(name, 1, 1)).expect("it collides with none before it");
    }
    for colliding in ["a_b.c", "a.b.c", "a_b_c"] {
        let expected = format!("Topic '{colliding}' collides with existing topic: a.b_c");
        assert_eq!(message(cluster.create(topic(colliding, 1, 1))), expected);
    }
    assert_eq!(message(cluster.create(topic("a.b_c", 1, 1))), "Topic 'a.b_c' already exists.");
    for fine in ["a.b_cd", "a.b", "a.z", "plai_n", "_", "-"] {
        cluster.create(topic(fine, 1, 1)).expect("it collides with none");
    }
    assert_eq!(message(cluster.create(topic(".", 1, 1))), "Topic name is invalid: '.' is not allowed");
}

#[test]
fn counts_are_checked() {
    let mut cluster = Cluster::of(1);
    let factor = "Replication factor must be larger than 0, or -1 to use the default value.";
    assert_eq!(message(cluster.create(topic("t", 1, 0))), factor);
    assert_eq!(message(cluster.create(topic("t", 1, -2))), factor);
    let partitions = "Number of partitions was set to an invalid non-positive value.";
    assert_eq!(message(cluster.create(topic("t", 0, 1))), partitions);
    assert_eq!(message(cluster.create(topic("t", -2, 1))), partitions);
    assert_eq!(
        message(cluster.create(topic("t", 1, 3))),
        "Unable to replicate the partition 3 time(s): The target replication factor of 3 cannot be reached because only \
         1 broker(s) are registered or some brokers have all their log directories cordoned."
    );
    let mut nobody = Cluster::new();
    assert_eq!(
        message(nobody.create(topic("t", 1, 1))),
        "Unable to replicate the partition 1 time(s): All brokers are currently fenced."
    );
}

#[test]
fn assignments_by_hand_are_checked() {
    let mut cluster = Cluster::of(3);
    let fenced = cluster.registration(4);
    cluster.register(&fenced).expect("it may register");
    type Assignment<'a> = &'a [(i32, &'a [i32])];
    let cases: [(Assignment<'_>, &str); 8] = [
        (&[(0, &[])], "The manual partition assignment includes an empty replica list."),
        (&[(0, &[9])], "The manual partition assignment includes broker 9, but no such broker is registered."),
        (&[(0, &[1, 1])], "The manual partition assignment includes the broker 1 more than once."),
        (
            &[(0, &[1, 2]), (1, &[1])],
            "The manual partition assignment includes a partition with 1 replica(s), but this is not consistent with \
             previous partitions, which have 2 replica(s).",
        ),
        (&[(0, &[1]), (0, &[2])], "Found multiple manual partition assignments for partition 0"),
        (&[(0, &[1]), (2, &[2])], "partitions should be a consecutive 0-based integer sequence"),
        (&[(-1, &[1])], "partitions should be a consecutive 0-based integer sequence"),
        (
            &[(0, &[4])],
            "All brokers specified in the manual partition assignment for partition 0 are fenced or in controlled \
             shutdown.",
        ),
    ];
    for (assignments, expected) in cases {
        assert_eq!(message(cluster.create(manual("t", assignments))), expected);
    }
    assert_eq!(
        message(cluster.create(NewTopic { replication_factor: 1, ..manual("t", &[(0, &[1])]) })),
        "A manual partition assignment was specified, but replication factor was not set to -1."
    );
    assert_eq!(
        message(cluster.create(NewTopic { partitions: 1, ..manual("t", &[(0, &[1])]) })),
        "A manual partition assignment was specified, but numPartitions was not set to -1."
    );
    cluster.create(manual("t", &[(1, &[3, 1]), (0, &[4, 2])])).expect("brokers 2 and 3 can lead");
    assert_eq!(cluster.partition("t", 0).leader(), 2, "the first active one");
    assert_eq!(cluster.partition("t", 0).isr(), [2]);
    assert_eq!(cluster.partition("t", 1).replicas(), [3, 1]);
}

#[test]
fn each_topic_of_a_request_stands_alone() {
    let mut cluster = Cluster::of(1);
    let null = NewTopic { configs: vec![("a".into(), None), ("b".into(), None)], ..topic("null", 1, 1) };
    let request = [topic("good", 1, 1), topic("twice", 1, 1), null, topic("twice", 2, 1), topic("bad/name", 1, 1)];
    let (_, results) = cluster.run(|situation| create_topics(situation, &request, false, &Unlimited)).expect("small");
    let texts: Vec<(String, String)> = results
        .into_iter()
        .map(|(name, result)| (name.to_string(), result.err().map_or("created".into(), |error| error.to_string())))
        .collect();
    let expected = [
        ("good", "created"),
        ("null", "Null value not supported for topic configs: a,b"),
        (
            "bad/name",
            "Topic name is invalid: 'bad/name' contains one or more characters other than ASCII alphanumerics, '.', '_' \
             and '-'",
        ),
        ("twice", "Duplicate topic name."),
    ];
    assert_eq!(texts, expected.map(|(name, text)| (name.to_owned(), text.to_owned())));
    assert_eq!(cluster.image.topics().len(), 1);
}

#[test]
fn validation_alone_writes_nothing() {
    let mut cluster = Cluster::of(1);
    let (records, results) =
        cluster.run(|situation| create_topics(situation, &[topic("t", 4, 1)], true, &Unlimited)).expect("small");
    assert!(records.is_empty());
    assert_eq!(results[0].1.as_ref().map(|created| created.partitions), Ok(4));
    cluster.create(topic("t", 1, 1)).expect("it does not exist");
    let grow = [NewPartitions { name: "t".into(), count: 2, assignments: None }];
    let (records, results) =
        cluster.run(|situation| create_partitions(situation, &grow, true, &Unlimited)).expect("small");
    assert!(records.is_empty() && results[0].1.is_ok());
}

#[test]
fn ten_thousand_partitions_need_two_requests() {
    let mut cluster = Cluster::of(1);
    let all = cluster.run(|situation| create_topics(situation, &[topic("big", 10_001, 1)], false, &Unlimited));
    assert_eq!(all.expect_err("more than a batch").to_string(), "Excessively large number of partitions per request.");
    let batch = cluster.run(|situation| create_topics(situation, &[topic("big", 10_000, 1)], false, &Unlimited));
    let text = batch.expect_err("the topic itself is a record too").to_string();
    assert_eq!(text, "Unable to perform excessively large batch operation.");
    let huge = cluster.run(|situation| create_topics(situation, &[topic("big", i32::MAX, 1)], false, &Unlimited));
    assert_eq!(huge, Err(ControllerError::ExcessivePartitions));

    cluster.create(topic("big", 5_000, 1)).expect("it fits");
    let grow = |count| [NewPartitions { name: "big".into(), count, assignments: None }];
    let huge = cluster.run(|situation| create_partitions(situation, &grow(i32::MAX), false, &Unlimited));
    assert_eq!(huge, Err(ControllerError::ExcessiveBatch));
    cluster.run(|situation| create_partitions(situation, &grow(10_000), false, &Unlimited)).expect("it fits");
    assert_eq!(cluster.image.topics().by_name("big").map(|topic| topic.partition_count()), Some(10_000));
    assert_eq!(cluster.partition("big", 9_999).leader(), 1);
}

#[test]
fn topics_grow_and_never_shrink() {
    let mut cluster = Cluster::of(2);
    cluster.create(topic("t", 2, 2)).expect("it is created");
    let mut grow = |name: &str, count, assignments: Option<Vec<Vec<i32>>>| {
        let request = [NewPartitions { name: name.into(), count, assignments }];
        let (_, mut results) =
            cluster.run(|situation| create_partitions(situation, &request, false, &Unlimited)).expect("small");
        results.remove(0).1
    };
    assert_eq!(message(grow("t", 2, None)), "Topic already has 2 partition(s).");
    let shrink = "The topic t currently has 2 partition(s); 1 would not be an increase.";
    assert_eq!(message(grow("t", 1, None)), shrink);
    assert_eq!(message(grow("absent", 1, None)), "This server does not host this topic-partition.");
    assert_eq!(
        message(grow("t", 4, Some(vec![vec![1, 2]]))),
        "Attempted to add 2 additional partition(s), but only 1 assignment(s) were specified."
    );
    assert_eq!(
        message(grow("t", 3, Some(vec![vec![1]]))),
        "The manual partition assignment includes a partition with 1 replica(s), but this is not consistent with \
         previous partitions, which have 2 replica(s)."
    );
    grow("t", 3, Some(vec![vec![2, 1]])).expect("both brokers are there");
    grow("t", 5, None).expect("both brokers are there");
    assert_eq!(cluster.partition("t", 2).replicas(), [2, 1]);
    assert_eq!(cluster.partition("t", 4).replicas().len(), 2);
    let twice = NewPartitions { name: "t".into(), count: 9, assignments: None };
    let request = [twice.clone(), twice];
    let (_, results) =
        cluster.run(|situation| create_partitions(situation, &request, false, &Unlimited)).expect("small");
    assert_eq!(results.len(), 1);
    assert_eq!(message(results[0].1.clone()), "Duplicate topic name.");
}

#[test]
fn topics_are_deleted_by_name_or_id_and_never_by_both() {
    let mut cluster = Cluster::of(1);
    let ids: Vec<Uuid> =
        ["a", "b", "c", "d", "e"].map(|name| cluster.create(topic(name, 1, 1)).expect("created").id).to_vec();
    let name = |name: &str| TopicRef::Name(name.into());
    let absent = Uuid::from_u128(99);
    let request = [
        name("a"),
        TopicRef::Id(ids[1]),
        name("c"),
        TopicRef::Id(ids[2]),
        name("d"),
        name("d"),
        TopicRef::Id(ids[4]),
        TopicRef::Id(ids[4]),
        name("absent"),
        TopicRef::Id(absent),
    ];
    let (_, answers) = cluster.run(|situation| delete_topics(situation, &request, &Unlimited)).expect("small");
    let answer = |name: Option<&str>, id: Uuid| {
        let mut found = answers.iter().filter(|answer| answer.name.as_deref() == name && answer.id == id);
        let answer = found.next().expect("there is an answer");
        assert_eq!(found.next(), None, "only one");
        answer.result.as_ref().err().map(ToString::to_string)
    };
    assert_eq!(answer(Some("a"), ids[0]), None);
    assert_eq!(answer(Some("b"), ids[1]), None);
    let twice = "The provided topic name maps to an ID that was already supplied.";
    assert_eq!(answer(Some("c"), ids[2]).as_deref(), Some(twice));
    assert_eq!(answer(Some("d"), Uuid::nil()).as_deref(), Some("Duplicate topic name."));
    assert_eq!(answer(None, ids[4]).as_deref(), Some("Duplicate topic id."));
    let unknown = "This server does not host this topic-partition.";
    assert_eq!(answer(Some("absent"), Uuid::nil()).as_deref(), Some(unknown));
    assert_eq!(answer(None, absent).as_deref(), Some("This server does not host this topic ID."));
    assert_eq!(answers.len(), 7);
    let left: Vec<&str> = cluster.image.topics().iter().map(|topic| &**topic.name()).collect();
    assert_eq!(left, ["c", "d", "e"]);
}

#[test]
fn a_topic_created_again_is_another_topic_without_the_old_configuration() {
    let mut cluster = Cluster::of(1);
    let configs = vec![(Arc::from("retention.ms"), Some(Arc::from("1")))];
    let first = cluster.create(NewTopic { configs, ..topic("t", 1, 1) }).expect("created").id;
    cluster.run(|situation| delete_topics(situation, &[TopicRef::Name("t".into())], &Unlimited)).expect("small");
    let second = cluster.create(topic("t", 2, 1)).expect("created again").id;
    assert_ne!(first, second);
    assert_eq!(cluster.image.configs().get(&ConfigResource::topic("t"), "retention.ms"), None);
    assert!(cluster.image.topics().by_id(first).is_none());
}

#[test]
fn several_directories_leave_the_choice_to_the_broker() {
    let mut cluster = Cluster::new();
    let request = RegisterBroker { log_dirs: vec![directory(1), directory(2)], ..cluster.registration(1) };
    cluster.register(&request).expect("it may register");
    cluster.heartbeat(&cluster.lives(1)).expect("it is registered");
    cluster.create(topic("t", 1, 1)).expect("created");
    assert_eq!(cluster.partition("t", 0).directories(), [crate::image::directory_id::UNASSIGNED]);
}
