//! Groups of the consumer protocol (KIP-848) of real clients: Kafka's own consumer and librdkafka, Kafka's tools, groups that are rolled
//! from one protocol to the other, and a crash of the broker in between.

use std::fs;
use std::path::PathBuf;

use integration::broker::Setup;
use integration::clients;
use integration::groups::{PARTITIONS, RECORDS, TOTAL, assert_committed, produce};
use integration::kafka::{java, tool, tool_with_log};
use integration::process::Finished;

fn setup() -> Setup {
    Setup::new()
        .set("group.initial.rebalance.delay.ms", 100)
        .set("group.consumer.heartbeat.interval.ms", 300)
        .set("group.consumer.min.heartbeat.interval.ms", 100)
        .set("group.consumer.assignment.interval.ms", 100)
}

fn reads_once(client: &str, groups: &[&str], run: impl Fn(&str) -> Finished) {
    integration::groups::reads_once(client, groups, setup().set("offsets.topic.num.partitions", 3), run);
}

#[test]
fn librdkafkas_members_come_leave_are_static_and_subscribe_by_expression() {
    let groups = ["confluent-consumer", "confluent-consumer-static", "confluent-consumer-regex"];
    reads_once("confluent-kafka", &groups, |bootstrap| {
        clients::python("groups_confluent_consumer.py", &[bootstrap, "t", TOTAL])
    });
}

#[test]
fn kafkas_members_come_leave_and_are_static() {
    reads_once("java", &["java-members"], |bootstrap| {
        java("ConsumerGroups.java", &[bootstrap, "t", "6", TOTAL, "members"])
    });
}

#[test]
fn a_group_is_rolled_to_the_consumer_protocol_and_back() {
    reads_once("java", &["java-roll"], |bootstrap| java("ConsumerGroups.java", &[bootstrap, "t", "6", TOTAL, "roll"]));
}

#[test]
fn kafkas_consumer_subscribes_by_expression_and_its_tools_see_the_group() {
    let mut broker = setup().set("offsets.topic.num.partitions", 1).start();
    let mut connection = broker.connect();
    connection.create_topic("t", PARTITIONS, &[]);
    produce(&mut connection);
    let bootstrap = broker.bootstrap();
    let finished = java("ConsumerGroups.java", &[&bootstrap, "t", "6", TOTAL, "regex"]);
    clients::verdict("java", finished);
    assert_committed(&mut connection, &["java-regex"], RECORDS);

    let arguments = ["--bootstrap-server", &bootstrap, "--topic", "t", "--group", "console", "--from-beginning"];
    let protocol = ["--consumer-property", "group.protocol=consumer", "--max-messages", TOTAL];
    let read = tool_with_log("console-consumer", &[&arguments[..], &protocol].concat()).everything();
    assert!(read.contains("Processed a total of 60 messages"), "{read}");
    for by_id in ["apiKey=OFFSET_COMMIT, apiVersion=10,", "apiKey=OFFSET_FETCH, apiVersion=10,"] {
        assert!(read.contains(by_id), "it knows topics by their ids: {by_id}");
    }
    assert_committed(&mut connection, &["console"], RECORDS);
    let arguments =
        ["--bootstrap-server", &bootstrap, "--topic", "t", "--group-id", "verifiable", "--max-messages", TOTAL];
    let protocol = ["--reset-policy", "earliest", "--group-protocol", "consumer"];
    let read = tool("verifiable-consumer", &[&arguments[..], &protocol].concat()).ok();
    assert!(read.contains(r#""success":true"#) && read.contains(r#""name":"shutdown_complete""#), "{read}");
    assert_committed(&mut connection, &["verifiable"], RECORDS);

    let groups =
        |arguments: &[&str]| tool("consumer-groups", &[&["--bootstrap-server", &bootstrap], arguments].concat()).ok();
    let listed = groups(&["--list", "--type", "consumer"]);
    assert!(listed.contains("console") && listed.contains("java-regex"), "{listed}");
    let listed = groups(&["--list", "--type", "classic"]);
    assert!(!listed.contains("console") && !listed.contains("java-regex"), "{listed}");
    let state = groups(&["--describe", "--group", "console", "--state"]);
    assert!(state.contains("Empty") && state.contains("uniform"), "{state}");
    let deleted = groups(&["--delete", "--group", "console"]);
    assert!(deleted.contains("was successful"), "{deleted}");

    broker.stop();
    let folder = broker.data().join("__consumer_offsets-0");
    let files = fs::read_dir(&folder).expect("the folder can be read").map(|file| file.expect("and its files").path());
    let logs = files.filter(|file| file.extension().is_some_and(|extension| extension == "log"));
    let decode = |file: PathBuf| tool("dump-log", &["--offsets-decoder", "--files", &file.to_string_lossy()]).ok();
    let dump: String = logs.map(decode).collect();
    for kind in [3, 4, 5, 6, 7, 8, 16] {
        assert!(dump.contains(&format!(r#"key: {{"type":"{kind}","data":{{"groupId""#)), "type {kind}: {dump}");
    }
    for value in [r#""assignmentEpochs":["#, r#""classicMemberMetadata":null"#, r#""regularExpression":"t(-.*)?""#] {
        assert!(dump.contains(value), "{value}: {dump}");
    }
}
