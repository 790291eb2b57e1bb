//! Groups of real clients: every record is read once, whatever the rebalances and a crash of the broker in between.

use std::time::Duration;

use integration::broker::{Broker, Setup};
use integration::process::Finished;
use integration::wire::Connection;
use integration::{clients, records, wait};
use protocol::record_batch::Codec;

const PARTITIONS: i32 = 6;
const RECORDS: i64 = 10;
const TOTAL: &str = "60";

fn produce(connection: &mut Connection) {
    for partition in 0..PARTITIONS {
        let batch = records::batch(1, 0..RECORDS, Codec::None, wait::now_ms());
        assert_eq!(connection.produce("t", partition, batch).error_code, 0);
    }
}

/// What every group has committed of every partition.
fn assert_committed(connection: &mut Connection, groups: &[&str], expected: i64) {
    for group in groups {
        connection.await_coordinator(group);
        let committed = connection.fetch_offsets(group, None);
        let offsets: Vec<_> = committed.iter().map(|(_, partition, committed)| (*partition, committed.0)).collect();
        let expected: Vec<_> = (0..PARTITIONS).map(|partition| (partition, expected)).collect();
        assert_eq!(offsets, expected, "{group}");
    }
}

/// Runs a program twice, the broker being killed in between: the second run reads what came since, and nothing again.
fn reads_once(client: &str, groups: &[&str], run: impl Fn(&[&str]) -> Finished) {
    let mut broker: Broker =
        Setup::new().set("group.initial.rebalance.delay.ms", 300).set("offsets.topic.num.partitions", 5).start();
    broker.connect().create_topic("t", PARTITIONS, &[]);
    for round in 1..=2 {
        let mut connection = broker.connect();
        produce(&mut connection);
        let finished = run(&[&broker.bootstrap(), "t", TOTAL]);
        let log = broker.log();
        let verdict = std::panic::catch_unwind(|| clients::verdict(client, finished));
        let verdict = verdict.unwrap_or_else(|_| panic!("{client}, round {round}\n{log}"));
        assert!(verdict.checks >= 60, "only {} checks", verdict.checks);
        let expected = RECORDS * round;
        assert_committed(&mut connection, groups, expected);
        broker.kill9();
        assert!(broker.restart() < Duration::from_secs(60));
        assert_committed(&mut broker.connect(), groups, expected);
    }
}

#[test]
fn confluent_kafka_eager_cooperative_and_static() {
    let groups = ["confluent-range", "confluent-cooperative-sticky", "confluent-static"];
    reads_once("confluent-kafka", &groups, |arguments| clients::python("groups_confluent.py", arguments));
}

#[test]
fn kafka_python() {
    reads_once("kafka-python", &["kafka-python"], |arguments| clients::python("groups_kafka_python.py", arguments));
}

#[test]
fn aiokafka() {
    reads_once("aiokafka", &["aiokafka"], |arguments| clients::python("groups_aiokafka.py", arguments));
}

#[test]
fn kafkajs() {
    reads_once("kafkajs", &["kafkajs"], |arguments| clients::node("groups_kafkajs.js", arguments));
}

#[test]
fn platformatic() {
    reads_once("platformatic", &["platformatic"], |arguments| clients::node("groups_platformatic.js", arguments));
}
