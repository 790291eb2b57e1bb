//! Settings as a whole: what a file of Kafka's means, and what is refused.

use super::*;

fn config(properties: &[(&str, &str)]) -> Result<(BrokerConfig, Vec<ConfigWarning>), String> {
    let properties = properties.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    BrokerConfig::new(properties).map_err(|error| error.to_string())
}

#[test]
fn nothing_set_is_kafkas_defaults() {
    let (config, warnings) = config(&[]).unwrap();
    assert_eq!(warnings, []);
    assert_eq!((config.node_id, config.num_partitions, config.default_replication_factor), (1, 1, 1));
    assert_eq!(config.log_dirs, [PathBuf::from("/tmp/kafka-logs")]);
    assert_eq!(config.metadata_log_dir, config.log_dirs[0]);
    assert_eq!(config.connections_max_idle, Some(Duration::from_secs(600)));
    assert_eq!(config.socket_request_max_bytes, 100 << 20);
}

#[test]
fn the_file_that_comes_with_kafka_is_understood() {
    // The keys of `config/server.properties` of Apache Kafka 4.
    let (config, warnings) = config(&[
        ("process.roles", "broker,controller"),
        ("node.id", "1"),
        ("controller.quorum.bootstrap.servers", "localhost:9093"),
        ("listeners", "PLAINTEXT://:9092,CONTROLLER://:9093"),
        ("inter.broker.listener.name", "PLAINTEXT"),
        ("advertised.listeners", "PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093"),
        ("controller.listener.names", "CONTROLLER"),
        ("listener.security.protocol.map", "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL"),
        ("num.network.threads", "3"),
        ("log.dirs", "/tmp/kraft-combined-logs"),
        ("offsets.topic.replication.factor", "1"),
        ("log.retention.hours", "168"),
    ])
    .unwrap();
    assert_eq!(config.listeners.controller[0].port, 9093);
    assert_eq!(config.listeners.advertised.len(), 1);
    let without = ["controller.quorum.bootstrap.servers", "num.network.threads"];
    let ConfigWarning::NoEffect(names) = &warnings[0] else { panic!("{warnings:?}") };
    assert!(without.iter().all(|name| names.iter().any(|idle| idle == name)), "{names:?}");
    assert_eq!(warnings.len(), 1);
}

#[test]
fn a_typo_gets_a_suggestion() {
    let (_, warnings) = config(&[("num.partition", "3")]).unwrap();
    let expected = ConfigWarning::Unknown { name: "num.partition".to_owned(), nearest: Some("num.partitions") };
    assert_eq!(warnings, [expected]);
}

#[test]
fn refusals_name_key_value_and_bound() {
    let cases: &[(&[(&str, &str)], &str)] = &[
        (&[("num.partitions", "0")], "Invalid value 0 for configuration num.partitions: Value must be at least 1"),
        (&[("num.partitions", "x")], "Invalid value x for configuration num.partitions: Not a number of type INT"),
        (
            &[("log.segment.bytes", "100")],
            "Invalid value 100 for configuration log.segment.bytes: Value must be at least 1048576",
        ),
        (
            &[("node.id", "1"), ("broker.id", "2")],
            "Invalid value 1 for configuration node.id: You must set `node.id` to the same value as `broker.id` (2).",
        ),
        (
            &[("process.roles", "broker")],
            "Invalid value broker for configuration process.roles: A node must be both, broker,controller",
        ),
        (
            &[("process.roles", "brokr")],
            "Invalid value brokr for configuration process.roles: String must be one of: broker, controller",
        ),
        (&[("log.dirs", "")], "Invalid value  for configuration log.dirs: At least one log directory must be defined"),
        (
            &[("controller.quorum.voters", "2@localhost:9093")],
            "Invalid value 2@localhost:9093 for configuration controller.quorum.voters: The only voter must be this node, 1",
        ),
        (
            &[("queued.max.request.bytes", "5")],
            "Invalid value 5 for configuration queued.max.request.bytes: Value must be at least socket.request.max.bytes \
             (104857600)",
        ),
    ];
    for (properties, expected) in cases {
        assert_eq!(config(properties).unwrap_err(), *expected);
    }
}

#[test]
fn the_older_name_of_the_node_id_counts() {
    let (config, _) = config(&[("broker.id", "7")]).unwrap();
    assert_eq!(config.node_id, 7);
}
