//! Rows of the guide that no other test holds.

use std::collections::HashSet;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use integration::broker::{Broker, Setup};
use integration::{process, records, workspace};
use protocol::messages::DescribeClusterRequest;
use rskafka::client::Client;
use rskafka::client::error::{Error, ProtocolError};
use rskafka::client::partition::{Compression, OffsetAt, UnknownTopicHandling};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::database::{
    CREATE_TIMEOUT_MS, DEADLINE, TOPICS, client, create_topics, partition, prepare_topics, record, replay, topic_name,
};

const LIMIT: Duration = Duration::from_secs(60);

fn start() -> (Broker, Runtime) {
    let broker = Setup::new().set("auto.create.topics.enable", false).start();
    (broker, Runtime::new().expect("a runtime"))
}

/// `ottla check` in the environment of a container.
fn check(folder: &Path, environment: &[(&str, &str)]) -> process::Finished {
    let mut command = Command::new(workspace::ottla());
    let listeners = "PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0";
    command.arg("check").current_dir(folder).env_clear();
    command.env("KAFKA_CFG_LISTENERS", listeners).env("KAFKA_CFG_CONTROLLER_LISTENER_NAMES", "CONTROLLER");
    process::run(command.envs(environment.iter().copied()), b"", LIMIT)
}

#[test]
fn a_cluster_id_is_kept() {
    const ID: &str = "Kmp-xkTnSf-WWXhWmiorDg";
    let mut broker = Setup::new().ottla().set("cluster.id", ID).start();
    let answer = broker.connect().send(&DescribeClusterRequest::default(), 0);
    assert_eq!(answer.cluster_id.as_str(), ID);
    broker.stop();
    let log_dirs = broker.data().display().to_string();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let environment = |id| [("KAFKA_KRAFT_CLUSTER_ID", id), ("KAFKA_CFG_LOG_DIRS", &*log_dirs)];
    let kept = check(folder.path(), &environment(ID));
    assert!(kept.status.success(), "{}", kept.everything());
    let refused = check(folder.path(), &environment("5L6g3nShT-eMCtK--X86sw"));
    let text = refused.everything();
    assert_eq!(refused.status.code(), Some(1), "{text}");
    assert!(text.contains(ID) && text.contains("5L6g3nShT-eMCtK--X86sw"), "{text}");
}

#[test]
fn newer_environments_say_where_data_lies_and_who_creates_topics() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for prefix in ["KAFKA_CFG_", "KAFKA_"] {
        let log_dirs = format!("{prefix}LOG_DIRS");
        let nowhere = check(folder.path(), &[(&log_dirs, "/dev/null/data")]);
        assert!(nowhere.everything().contains("/dev/null/data"), "{}", nowhere.everything());
        let auto_create = format!("{prefix}AUTO_CREATE_TOPICS_ENABLE");
        let data = folder.path().join("data").display().to_string();
        let right = check(folder.path(), &[(&log_dirs, &data), (&auto_create, "false")]);
        assert!(right.status.success(), "{}", right.everything());
        let wrong = check(folder.path(), &[(&log_dirs, &data), (&auto_create, "perhaps")]);
        assert_eq!(wrong.status.code(), Some(1));
        assert!(wrong.everything().contains("auto.create.topics.enable"), "{}", wrong.everything());
    }
}

#[test]
fn a_listener_with_passwords_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let environment = [
        ("KAFKA_CFG_LISTENERS", "PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0,SECURE://127.0.0.1:0"),
        ("KAFKA_CFG_LISTENER_SECURITY_PROTOCOL_MAP", "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SECURE:SASL_PLAINTEXT"),
        ("KAFKA_CLIENT_USERS", "user_kafka"),
        ("KAFKA_CLIENT_PASSWORDS", "secret"),
    ];
    let refused = check(folder.path(), &environment);
    let text = refused.everything();
    assert_eq!(refused.status.code(), Some(1), "{text}");
    assert!(text.contains("SASL_PLAINTEXT") && !text.contains("secret"), "{text}");
}

#[test]
fn two_replicas_are_refused_on_one_broker() {
    let (broker, runtime) = start();
    runtime.block_on(async {
        let controller = client(&broker.bootstrap()).await.controller_client().expect("a controller");
        let refused = controller.create_topic("two", 1, 2, CREATE_TIMEOUT_MS).await.expect_err("one broker");
        let Error::ServerError { protocol_error, .. } = refused else { panic!("{refused}") };
        assert_eq!(protocol_error, ProtocolError::InvalidReplicationFactor);
    });
}

#[test]
fn names_that_its_own_rule_allows_and_kafka_refuses_are_refused() {
    let (broker, runtime) = start();
    runtime.block_on(async {
        let client = client(&broker.bootstrap()).await;
        let controller = client.controller_client().expect("a controller");
        for name in ["wal:0", "wal#0", "wal@0"] {
            let refused = controller.create_topic(name, 1, 1, CREATE_TIMEOUT_MS).await.expect_err("not a name");
            let Error::ServerError { protocol_error, .. } = refused else { panic!("{refused}") };
            assert_eq!(protocol_error, ProtocolError::InvalidTopicException, "{name}");
        }
        let unknown = client.partition_client("absent", 0, UnknownTopicHandling::Retry);
        let failed = tokio::time::timeout(2 * DEADLINE, unknown).await.expect("an error within the deadline");
        assert!(failed.is_err(), "a topic that does not exist is not made by asking for it");
    });
}

/// One batch to a topic; its offset.
async fn insert(client: &Client, topic: usize, value: &str) -> i64 {
    let records = vec![record(Some(value.as_bytes().to_vec()))];
    let offsets = partition(client, topic).await.produce(records, Compression::Lz4).await.expect("an acknowledgement");
    offsets[0]
}

#[test]
fn a_cluster_of_datanodes_keeps_its_connections_and_its_topics_apart() {
    let (broker, runtime) = start();
    runtime.block_on(async {
        let metasrv = client(&broker.bootstrap()).await;
        assert_eq!(create_topics(&metasrv).await, TOPICS);
        prepare_topics(&metasrv).await;
        // Each process has a connection to each topic, all its life.
        let mut kept = Vec::new();
        let mut datanodes = Vec::new();
        for _ in 0..3 {
            let datanode = client(&broker.bootstrap()).await;
            for topic in 0..TOPICS {
                kept.push(partition(&datanode, topic).await);
            }
            datanodes.push(datanode);
        }
        for round in 1..=3 {
            let mut writers = JoinSet::new();
            for (number, datanode) in datanodes.iter().enumerate() {
                let datanode = Arc::clone(datanode);
                writers.spawn(async move { insert(&datanode, number, &format!("{number}/{round}")).await });
            }
            let offsets: HashSet<i64> = writers.join_all().await.into_iter().collect();
            assert_eq!(offsets, HashSet::from([round]), "one writer each, behind the no-op record");
        }
        for partition in &kept {
            let end = partition.get_offset(OffsetAt::Latest).await.expect("every connection still works");
            let is_written = (0..3).any(|number| partition.topic() == topic_name(number));
            assert_eq!(end, if is_written { 4 } else { 1 }, "{}", partition.topic());
        }
    });
}

#[test]
fn a_datanode_that_was_killed_reads_its_records_again() {
    let (broker, runtime) = start();
    runtime.block_on(async {
        let datanode = client(&broker.bootstrap()).await;
        create_topics(&datanode).await;
        prepare_topics(&datanode).await;
        // Four rows for each of three regions, which share the topics.
        for row in 0..12 {
            let offset = insert(&datanode, row % 3, &format!("row {row}")).await;
            assert_eq!(offset, i64::try_from(row / 3 + 1).expect("a small number"));
        }
        drop(datanode);
        let datanode = client(&broker.bootstrap()).await;
        assert_eq!(create_topics(&datanode).await, 0, "they are there");
        for region in 0..3 {
            let partition = partition(&datanode, region).await;
            let end = partition.get_offset(OffsetAt::Latest).await.expect("an offset");
            assert_eq!(end, 5);
            let found = replay(&partition, 1..end).await;
            let values = found.into_iter().map(|found| String::from_utf8(found.record.value.expect("a value")));
            let expected: Vec<_> = (0..4).map(|row| Ok(format!("row {}", row * 3 + region))).collect();
            assert_eq!(values.collect::<Vec<_>>(), expected);
        }
    });
}

#[test]
fn a_higher_limit_holds_for_the_broker_and_for_a_topic() {
    const LARGE: usize = 3 << 20;
    let runtime = Runtime::new().expect("a runtime");
    let of_topic = ("max.message.bytes", "20000000");
    let too_large = Some(ProtocolError::MessageTooLarge);
    for (of_broker, of_topic, expected) in
        [(1_048_588, None, too_large), (20_000_000, None, None), (1_048_588, Some(of_topic), None)]
    {
        let broker = Setup::new().set("message.max.bytes", of_broker).start();
        broker.connect().create_topic(&topic_name(0), 1, of_topic.as_slice());
        let refusal = runtime.block_on(async {
            let partition = partition(&*client(&broker.bootstrap()).await, 0).await;
            let records = vec![record(Some(records::noise(7, LARGE)))];
            match partition.produce(records, Compression::Lz4).await {
                Ok(_) => None,
                Err(Error::ServerError { protocol_error, .. }) => Some(protocol_error),
                Err(error) => panic!("{error}"),
            }
        });
        assert_eq!(refusal, expected, "{of_broker} {of_topic:?}");
    }
}
