//! Settings as a whole: what a file of Kafka's means, and what is refused.

use proptest::prelude::*;

use super::definitions::{Bounds, Definition, Effect, Kind};
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
    assert_eq!(config.groups.topic.replication_factor, 1);
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
            &[("log.segment.bytes", "13")],
            "Invalid value 13 for configuration log.segment.bytes: Value must be at least 14",
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
fn metrics_are_on_the_loopback_unless_said_otherwise() {
    let listener = |properties: &[(&str, &str)]| config(properties).unwrap().0.metrics_listener;
    let default = MetricsListener { address: Some("127.0.0.1:9644".to_owned()), is_default: true };
    assert_eq!(listener(&[]), default);
    let asked = listener(&[("ottla.metrics.listener", "[::]:0")]);
    assert_eq!(asked, MetricsListener { address: Some("[::]:0".to_owned()), is_default: false });
    assert_eq!(listener(&[("ottla.metrics.listener", "")]).address, None);
    let refused = config(&[("ottla.metrics.listener", "localhost")]).unwrap_err();
    assert_eq!(refused, "Invalid value localhost for configuration ottla.metrics.listener: Expected host:port");
}

#[test]
fn the_older_name_of_the_node_id_counts() {
    let (config, _) = config(&[("broker.id", "7")]).unwrap();
    assert_eq!(config.node_id, 7);
    assert!(config.text_of_values().contains("\n\tnode.id = 7\n"), "Kafka tells it by both names");
}

/// A text that the key cannot have, by its type or its bounds; nothing if it can have any.
fn unfit(definition: &Definition, number: i64) -> Option<String> {
    let out_of_bounds = match definition.bounds {
        Bounds::AtLeast(min) | Bounds::Between(min, _) if number % 2 == 0 => Some(min.checked_sub(1 + number % 1000)?),
        Bounds::Between(_, max) => Some(max.checked_add(1 + number % 1000)?),
        Bounds::BetweenOr(_, max, _) => Some(max.checked_add(1 + number % 1000)?),
        _ => None,
    };
    match (definition.kind, out_of_bounds, definition.bounds) {
        (Kind::Short | Kind::Int | Kind::Long | Kind::Double, Some(text), _) => Some(text.to_string()),
        (_, _, Bounds::OneOf(_) | Bounds::EachOneOf(_) | Bounds::OneOfAnyCase(_)) => {
            Some(format!("no choice {number}"))
        }
        (Kind::Boolean | Kind::Short | Kind::Int | Kind::Long | Kind::Double, ..) => Some(format!("nonsense{number}")),
        _ => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Whatever else is set, and in whatever way: a value that does not fit keeps the node from starting, and the message names its key.
    #[test]
    fn one_bad_value_among_good_ones_is_named(
        place in any::<proptest::sample::Index>(),
        others in proptest::collection::vec(any::<proptest::sample::Index>(), 0..20),
        number in 0..1_000_000i64,
        by in 0..3,
    ) {
        let rows = definitions::all_broker_keys();
        let bad = rows[place.index(rows.len())];
        let Some(text) = unfit(bad, number) else { return Ok(()) };
        let others = others.iter().map(|place| rows[place.index(rows.len())]).filter(|row| row.name != bad.name);
        let mut file: Vec<_> =
            others.filter_map(|row| Some((row.name.to_owned(), row.default?.to_owned()))).collect();
        let mut sources = Sources::default();
        let variable = bad.name.replace('_', "__").replace('-', "___").replace('.', "_").to_uppercase();
        match by {
            0 => file.push((bad.name.to_owned(), text)),
            1 => sources.command_line.push((bad.name.to_owned(), text)),
            _ => {
                let variables = [(format!("KAFKA_{variable}"), text)];
                sources.environment = environment::parse(variables, |_| Err(std::io::ErrorKind::NotFound.into())).unwrap();
                prop_assume!(sources.environment.without_meaning.is_empty());
            }
        }
        sources.file = Some(file);
        let refused = BrokerConfig::new(sources.properties()).unwrap_err().to_string();
        prop_assert!(refused.contains(bad.name), "{}", refused);
    }

    /// The name of every key survives the way through the environment.
    #[test]
    fn every_key_can_be_given_in_the_environment(place in any::<proptest::sample::Index>()) {
        let rows = definitions::all_broker_keys();
        let row = rows[place.index(rows.len())];
        let variable = row.name.replace('_', "__").replace('-', "___").replace('.', "_").to_uppercase();
        let variables = [(format!("KAFKA_{variable}"), "x".to_owned())];
        let found = environment::parse(variables, |_| Err(std::io::ErrorKind::NotFound.into())).unwrap();
        let is_known_otherwise = !found.without_meaning.is_empty();
        prop_assert!(is_known_otherwise || found.properties.contains_key(row.name), "{:?}", found);
    }
}

#[test]
fn what_is_refused_is_refused_with_its_reason() {
    for row in definitions::all_broker_keys().iter().filter(|row| row.effect == Effect::Refused) {
        let value = if row.kind == Kind::Boolean { "true" } else { "org.example.Thing" };
        let refused = config(&[(row.name, value)]).unwrap_err();
        assert!(refused.contains(row.name) && refused.contains(row.refusal().unwrap()), "{refused}");
        let default = row.default.unwrap_or("");
        config(&[(row.name, default)]).unwrap();
    }
}
