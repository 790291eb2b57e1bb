//! Configurations that change while the broker runs: by Kafka's own tool, by clients, and what they do.

use integration::broker::{Broker, Setup};
use integration::wire::{Connection, text};
use integration::{clients, kafka, records, wait};
use protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use protocol::messages::{
    ApiVersionsRequest, IncrementalAlterConfigsRequest, ListConfigResourcesRequest, ListConfigResourcesResponse,
};
use std::time::Duration;

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const SET: i8 = 0;
const DELETE: i8 = 1;
const MESSAGE_TOO_LARGE: i16 = 10;
const INVALID_REQUEST: i16 = 42;
const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn python_clients_change_configurations() {
    let broker = Broker::start();
    let finished = clients::python("configs.py", &[&broker.bootstrap(), "1"]);
    assert_eq!(clients::verdict("configs", finished).checks, 36);
}

/// Runs `kafka-configs.sh` and gives what it says, whether it liked it or not.
fn configs(broker: &Broker, arguments: &str) -> String {
    let bootstrap = broker.bootstrap();
    let arguments: Vec<&str> = ["--bootstrap-server", &bootstrap].into_iter().chain(arguments.split(' ')).collect();
    kafka::tool("configs", &arguments).everything()
}

#[test]
fn kafkas_tool_describes_alters_and_deletes() {
    let broker = Broker::start();
    broker.connect().create_topic("t", 1, &[]);
    let altered = configs(&broker, "--alter --topic t --add-config retention.ms=5000,cleanup.policy=[compact,delete]");
    assert!(altered.contains("Completed updating config for topic t."), "{altered}");
    let described = configs(&broker, "--describe --topic t");
    assert!(described.contains("retention.ms=5000 sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:retention.ms=5000"));
    assert!(described.contains("cleanup.policy=compact,delete"), "{described}");
    let refused = configs(&broker, "--alter --topic t --add-config retention.ms=x");
    assert!(refused.contains("Invalid value x for configuration retention.ms: Not a number of type LONG"), "{refused}");

    let altered = configs(&broker, "--alter --broker-defaults --add-config log.retention.ms=7000");
    assert!(altered.contains("Completed updating default config for brokers in the cluster."), "{altered}");
    let altered = configs(&broker, "--alter --broker 1 --add-config log.retention.ms=8000");
    assert!(altered.contains("Completed updating config for broker 1."), "{altered}");
    let described = configs(&broker, "--describe --broker 1");
    let expected = "log.retention.ms=8000 sensitive=false synonyms={DYNAMIC_BROKER_CONFIG:log.retention.ms=8000, \
                    DYNAMIC_DEFAULT_BROKER_CONFIG:log.retention.ms=7000, DEFAULT_CONFIG:log.retention.hours=168}";
    assert!(described.contains(expected), "{described}");
    let refused = configs(&broker, "--alter --broker 1 --add-config num.partitions=3");
    assert!(refused.contains("Cannot update these configs dynamically: [num.partitions]"), "{refused}");
    let deleted = configs(&broker, "--alter --topic t --delete-config retention.ms,cleanup.policy");
    assert!(deleted.contains("Completed updating config for topic t."), "{deleted}");
    let all = configs(&broker, "--describe --all --topic t");
    assert!(all.contains("retention.ms=8000 sensitive=false"), "{all}");
    let altered = configs(&broker, "--alter --group g --add-config consumer.session.timeout.ms=50000");
    assert!(altered.contains("Completed updating config for group g."), "{altered}");
    let altered = configs(&broker, "--alter --client-metrics m --add-config interval.ms=1000,metrics=[]");
    assert!(altered.contains("Completed updating config for client-metric m."), "{altered}");
    let described = configs(&broker, "--describe --client-metrics m");
    assert!(described.contains("interval.ms=1000 sensitive=false"), "{described}");
    let described = configs(&broker, "--describe --group g");
    assert!(described.contains("consumer.session.timeout.ms=50000"), "{described}");
}

fn change(connection: &mut Connection, resource: (i8, &str), key: &str, operation: i8, value: Option<&str>) -> i16 {
    let config = AlterableConfig::default().with_name(text(key)).with_config_operation(operation);
    let resource = AlterConfigsResource::default()
        .with_resource_type(resource.0)
        .with_resource_name(text(resource.1))
        .with_configs(vec![config.with_value(value.map(text))]);
    let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
    connection.send(&request, 1).responses.first().expect("an answer for the resource").error_code
}

/// The code that a batch of 10 kB is answered with.
fn produce_large(connection: &mut Connection) -> i16 {
    let batch = records::one(wait::now_ms(), None, Some(&records::noise(1, 10_000)));
    connection.produce("t", 0, batch).error_code
}

#[test]
fn a_brokers_default_acts_at_once_and_survives_a_restart() {
    let mut broker = Broker::start();
    let mut connection = broker.connect();
    connection.create_topic("t", 1, &[]);
    assert_eq!(produce_large(&mut connection), 0);
    assert_eq!(change(&mut connection, (BROKER, ""), "message.max.bytes", SET, Some("5000")), 0);
    wait::until_true("the limit", LIMIT, || produce_large(&mut connection) == MESSAGE_TOO_LARGE);
    broker.stop();
    broker.restart();
    let mut connection = broker.connect();
    assert_eq!(produce_large(&mut connection), MESSAGE_TOO_LARGE);
    assert_eq!(change(&mut connection, (TOPIC, "t"), "max.message.bytes", SET, Some("50000")), 0);
    wait::until_true("the topic's own limit", LIMIT, || produce_large(&mut connection) == 0);
    assert_eq!(change(&mut connection, (TOPIC, "t"), "max.message.bytes", DELETE, None), 0);
    assert_eq!(change(&mut connection, (BROKER, ""), "message.max.bytes", DELETE, None), 0);
    wait::until_true("no limit", LIMIT, || produce_large(&mut connection) == 0);
}

#[test]
fn connections_are_limited_while_the_broker_runs_and_after_a_restart() {
    let mut broker = Setup::new().start();
    let is_admitted = |broker: &Broker| {
        let connection = Connection::try_open(broker.address());
        connection.and_then(|mut open| open.try_send(&ApiVersionsRequest::default(), 0)).is_ok()
    };
    let mut connection = broker.connect();
    assert_eq!(change(&mut connection, (BROKER, "1"), "max.connections.per.ip", SET, Some("1")), 0);
    wait::until_true("the limit", LIMIT, || !is_admitted(&broker));
    assert_eq!(change(&mut connection, (BROKER, "1"), "max.connections.per.ip", SET, Some("2")), 0);
    wait::until_true("one more", LIMIT, || is_admitted(&broker));
    assert_eq!(change(&mut connection, (BROKER, "1"), "background.threads", SET, Some("5")), 0);
    assert_eq!(change(&mut connection, (BROKER, "1"), "background.threads", SET, Some("50")), INVALID_REQUEST);
    drop(connection);
    broker.stop();
    broker.restart();
    let _first = wait::until("the first", LIMIT, || Connection::try_open(broker.address()).ok());
    let _second = wait::until("the second", LIMIT, || Connection::try_open(broker.address()).ok());
    wait::until_true("the limit is still there", LIMIT, || !is_admitted(&broker));
}

#[test]
fn what_can_be_configured_is_listed() {
    let broker = Broker::start();
    let mut connection = broker.connect();
    connection.create_topic("t", 1, &[]);
    assert_eq!(change(&mut connection, (16, "metrics"), "interval.ms", SET, Some("1000")), 0);
    assert_eq!(change(&mut connection, (32, "group"), "consumer.session.timeout.ms", SET, Some("50000")), 0);
    let mut list = |types: &[i8], version| {
        let request = ListConfigResourcesRequest::default().with_resource_types(types.to_vec());
        connection.send(&request, version)
    };
    let names = |response: ListConfigResourcesResponse| -> Vec<(i8, String)> {
        let mut names: Vec<_> = response
            .config_resources
            .iter()
            .map(|resource| (resource.resource_type, resource.resource_name.to_string()))
            .filter(|(kind, _)| *kind != 8)
            .collect();
        names.sort();
        names
    };
    let named = |kind: i8, name: &str| (kind, name.to_owned());
    wait::until_true("all of them", LIMIT, || names(list(&[], 1)).len() == 4);
    let all = [named(2, "t"), named(4, "1"), named(16, "metrics"), named(32, "group")];
    assert_eq!(names(list(&[], 1)), all);
    assert_eq!(names(list(&[2, 32], 1)), [named(2, "t"), named(32, "group")]);
    assert_eq!(list(&[99], 1).error_code, 35);
    let oldest = list(&[], 0);
    let oldest: Vec<_> = oldest.config_resources.iter().map(|resource| resource.resource_name.to_string()).collect();
    assert_eq!(oldest, ["metrics"]);
}
