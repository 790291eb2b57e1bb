//! Groups of real clients: every record is read once, whatever the rebalances and a crash of the broker in between.

use integration::broker::Setup;
use integration::process::Finished;
use integration::{clients, groups};

fn reads_once(client: &str, groups: &[&str], program: &str, run: fn(&str, &[&str]) -> Finished) {
    let setup = Setup::new().set("group.initial.rebalance.delay.ms", 300).set("offsets.topic.num.partitions", 5);
    groups::reads_once(client, groups, setup, |bootstrap| run(program, &[bootstrap, "t", groups::TOTAL]));
}

#[test]
fn confluent_kafka_eager_cooperative_and_static() {
    let groups = ["confluent-range", "confluent-cooperative-sticky", "confluent-static"];
    reads_once("confluent-kafka", &groups, "groups_confluent.py", clients::python);
}

#[test]
fn kafka_python() {
    reads_once("kafka-python", &["kafka-python"], "groups_kafka_python.py", clients::python);
}

#[test]
fn aiokafka() {
    reads_once("aiokafka", &["aiokafka"], "groups_aiokafka.py", clients::python);
}

#[test]
fn kafkajs() {
    reads_once("kafkajs", &["kafkajs"], "groups_kafkajs.js", clients::node);
}

#[test]
fn platformatic() {
    reads_once("platformatic", &["platformatic"], "groups_platformatic.js", clients::node);
}
