//! A data directory changes hands in place: from Apache Kafka to Ottla and back, after a clean stop and after `kill -9`, with the
//! same `server.properties`. Nothing is converted, and nothing may be missing.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use integration::audit;
use integration::broker::{Broker, Setup};
use integration::wire::{Connection, FetchQuery, LATEST, Member, text};
use integration::{records, wait};
use protocol::messages::alter_client_quotas_request::{EntityData, EntryData, OpData};
use protocol::messages::describe_configs_request::DescribeConfigsResource;
use protocol::messages::{AlterClientQuotasRequest, DescribeClientQuotasRequest, DescribeConfigsRequest};
use protocol::record_batch::{BatchBuilder, Codec};

const TOPIC_RESOURCE: i8 = 2;
const DYNAMIC_TOPIC_CONFIG: i8 = 1;
const LEADER_LIMIT: Duration = Duration::from_secs(60);
const GROUP: &str = "readers";
const CODECS: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

/// All that a client can see of what was stored.
#[derive(Debug, PartialEq)]
struct Stored {
    /// Id, and the settings of the topic's own, by name.
    topics: BTreeMap<String, (String, BTreeMap<String, String>)>,
    /// The bytes of every partition.
    partitions: BTreeMap<(String, i32), Vec<Bytes>>,
    committed: Vec<(String, i32, (i64, i32, String))>,
    quotas: Vec<Quotas>,
}

/// Parts of an entity by type, then quotas by key.
type Quotas = (Vec<(String, Option<String>)>, Vec<(String, f64)>);

/// What the test itself knows of the writing.
struct Writer {
    producer: (i64, i16),
    sequence: i32,
    topics: Vec<(&'static str, i32)>,
}

impl Writer {
    fn begin(connection: &mut Connection) -> Self {
        connection.create_topic("plain", 3, &[("retention.ms", "86400000000"), ("max.message.bytes", "2000000")]);
        connection.create_topic("compacted", 1, &[("cleanup.policy", "compact")]);
        connection.create_topic("idempotent", 1, &[]);
        connection.await_coordinator(GROUP);
        let topics = vec![("plain", 3), ("compacted", 1), ("idempotent", 1)];
        topics.iter().for_each(|(topic, partitions)| await_served(connection, topic, *partitions));
        set_quotas(connection);
        let mut writer = Self { producer: connection.init_producer(), sequence: 0, topics };
        writer.write(connection);
        writer
    }

    /// A batch of every codec, keyed records, a batch of the idempotent producer, a commit.
    fn write(&mut self, connection: &mut Connection) {
        for (codec, partition) in CODECS.into_iter().zip([0, 1, 2, 0, 1]) {
            let next = connection.latest("plain", partition);
            produce(connection, "plain", partition, records::batch(7, next..next + 20, codec, wait::now_ms()));
        }
        let mut keyed = BatchBuilder::new(0, Codec::Zstd);
        for number in 0..30i32 {
            let value = number.to_string();
            keyed.append(wait::now_ms(), Some(format!("key {}", number % 7).as_bytes()), Some(value.as_bytes()), &[]);
        }
        produce(connection, "compacted", 0, keyed.build());
        produce(connection, "idempotent", 0, self.batch());
        self.sequence += 10;
        let committed = (connection.latest("plain", 0), 0, format!("after {}", self.sequence));
        assert_eq!(connection.commit(GROUP, &Member::none(), ("plain", 0), &committed), 0);
    }

    fn batch(&self) -> Bytes {
        let (id, epoch) = self.producer;
        let mut batch = BatchBuilder::new(0, Codec::Lz4).producer(id, epoch, self.sequence);
        (0..10).for_each(|number: i32| batch.append(wait::now_ms(), None, Some(number.to_string().as_bytes()), &[]));
        batch.build()
    }

    /// The last batch once more: it is known, and not written.
    fn repeat(&self, connection: &mut Connection) {
        let last = Self { sequence: self.sequence - 10, topics: Vec::new(), ..*self };
        let before = connection.latest("idempotent", 0);
        let produced = connection.produce("idempotent", 0, last.batch());
        assert_eq!((produced.error_code, produced.base_offset), (0, before - 10));
        assert_eq!(connection.latest("idempotent", 0), before);
    }

    fn stored(&self, connection: &mut Connection) -> Stored {
        let (mut topics, mut partitions) = (BTreeMap::new(), BTreeMap::new());
        for (topic, count) in &self.topics {
            await_served(connection, topic, *count);
            let id = connection.describe_topic(topic).topic_id.to_string();
            topics.insert((*topic).to_owned(), (id, own_settings(connection, topic)));
            for partition in 0..*count {
                let end = connection.latest(topic, partition);
                let mut batches = Vec::new();
                let mut next = connection.earliest(topic, partition);
                while next < end {
                    let fetched = connection.fetch(topic, partition, FetchQuery::at(next).wait_ms(5_000));
                    assert_eq!(fetched.error_code, 0, "fetch of {topic}-{partition} at {next}");
                    for (header, batch) in audit::batches(&fetched.records.expect("records are never null")) {
                        next = header.next_offset();
                        batches.push(batch);
                    }
                }
                partitions.insert(((*topic).to_owned(), partition), batches);
            }
        }
        connection.await_coordinator(GROUP);
        Stored { topics, partitions, committed: connection.fetch_offsets(GROUP, None), quotas: quotas(connection) }
    }
}

/// A part of an entity; `None` is the default of its type.
type Part = (&'static str, Option<&'static str>);

/// Quotas that some entities have; none of them slows the test.
const QUOTAS: [(&[Part], &str, f64); 5] = [
    (&[("user", Some("alice")), ("client-id", None)], "producer_byte_rate", 1_048_576.0),
    (&[("user", Some("alice"))], "consumer_byte_rate", 2_000_000.0),
    (&[("client-id", Some("bob"))], "request_percentage", 12.25),
    (&[("client-id", None)], "controller_mutation_rate", 100_000.0),
    (&[("ip", Some("10.1.2.3"))], "connection_creation_rate", 7.0),
];

fn set_quotas(connection: &mut Connection) {
    let entries = QUOTAS.map(|(parts, key, value)| {
        let part =
            |(kind, name): &Part| EntityData::default().with_entity_type(text(kind)).with_entity_name(name.map(text));
        let op = OpData::default().with_key(text(key)).with_value(value);
        EntryData::default().with_entity(parts.iter().map(part).collect()).with_ops(vec![op])
    });
    let altered = connection.send(&AlterClientQuotasRequest::default().with_entries(entries.to_vec()), 1);
    assert!(altered.entries.iter().all(|entry| entry.error_code == 0), "{altered:?}");
}

/// All there are, in order.
fn quotas(connection: &mut Connection) -> Vec<Quotas> {
    let described = connection.send(&DescribeClientQuotasRequest::default(), 1);
    let entries = described.entries.expect("it has rights to see them").into_iter().map(|entry| {
        let mut parts: Vec<_> = entry
            .entity
            .into_iter()
            .map(|part| (part.entity_type.to_string(), part.entity_name.map(|name| name.to_string())))
            .collect();
        parts.sort();
        (parts, entry.values.into_iter().map(|value| (value.key.to_string(), value.value)).collect())
    });
    let mut entries: Vec<Quotas> = entries.collect();
    entries.sort_by(|(a, _), (b, _)| a.cmp(b));
    entries
}

/// Waits until every partition is served: Kafka names a leader before that knows of it.
fn await_served(connection: &mut Connection, topic: &str, partitions: i32) {
    connection.await_leaders(topic, partitions);
    for partition in 0..partitions {
        wait::until_true("a leader that knows it", LEADER_LIMIT, || {
            connection.list_offset(topic, partition, LATEST).error_code == 0
        });
    }
}

fn produce(connection: &mut Connection, topic: &str, partition: i32, batch: Bytes) {
    let produced = connection.produce(topic, partition, batch);
    assert_eq!(produced.error_code, 0, "{topic}-{partition}: {produced:?}");
}

fn own_settings(connection: &mut Connection, topic: &str) -> BTreeMap<String, String> {
    let resource =
        DescribeConfigsResource::default().with_resource_type(TOPIC_RESOURCE).with_resource_name(text(topic));
    let request = DescribeConfigsRequest::default().with_resources(vec![resource]);
    let result = connection.send(&request, 4).results.remove(0);
    assert_eq!(result.error_code, 0, "{:?}", result.error_message);
    let own = result.configs.into_iter().filter(|config| config.config_source == DYNAMIC_TOPIC_CONFIG);
    own.map(|config| (config.name.to_string(), config.value.unwrap_or_default().to_string())).collect()
}

/// Fills the directory, ends the broker by `end` and lets the other program go on, as often as `turns` says.
fn changes_hands(mut broker: Broker, end: fn(&mut Broker), turns: &[fn(&mut Broker)]) {
    let mut writer = Writer::begin(&mut broker.connect());
    for (turn, next) in turns.iter().enumerate() {
        let before = writer.stored(&mut broker.connect());
        assert_eq!(before.quotas.len(), QUOTAS.len());
        end(&mut broker);
        next(&mut broker);
        let mut connection = broker.connect();
        assert_eq!(writer.stored(&mut connection), before, "turn {turn}");
        writer.repeat(&mut connection);
        writer.write(&mut connection);
        let topic = ["first", "second", "third"][turn];
        connection.create_topic(topic, 2, &[("segment.bytes", "2097152")]);
        await_served(&mut connection, topic, 2);
        produce(&mut connection, topic, 1, records::batch(9, 0..5, Codec::Gzip, wait::now_ms()));
        writer.topics.push((topic, 2));
    }
}

fn settings(setup: Setup) -> Setup {
    setup.set("offsets.topic.num.partitions", 3).set("group.initial.rebalance.delay.ms", 0)
}

#[test]
fn from_kafka_and_back_after_clean_stops() {
    // Small, so that both make snapshots of the metadata and drop what is before them.
    let setup = settings(Setup::new()).set("metadata.log.max.record.bytes.between.snapshots", 1500);
    let broker = setup.apache_kafka().standalone().start();
    changes_hands(broker, Broker::stop, &[Broker::become_ottla, Broker::become_apache_kafka, Broker::become_ottla]);
}

#[test]
fn from_kafka_and_back_after_crashes() {
    let broker = settings(Setup::new()).apache_kafka().start();
    changes_hands(broker, Broker::kill9, &[Broker::become_ottla, Broker::become_apache_kafka, Broker::become_ottla]);
}

#[test]
fn from_ottla_to_kafka() {
    // Kafka's script formats what is not formatted, and asks that what is be of its own cluster.
    let broker = settings(Setup::new()).set("cluster.id", "ottla-oracle-cluster-0").ottla().start();
    changes_hands(broker, Broker::stop, &[Broker::become_apache_kafka]);
}
