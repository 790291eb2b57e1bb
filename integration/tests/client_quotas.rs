//! Quotas of clients: set and shown by Kafka's own tool through a restart, and what they do to those who use too much.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read};
use std::time::{Duration, Instant};

use bytes::Bytes;
use integration::broker::{Broker, Setup};
use integration::monitoring::{Scrape, address};
use integration::wire::{Connection, FetchQuery, PRODUCE_VERSION, produce_request, produced, text};
use integration::{kafka, records, wait};
use protocol::messages::alter_client_quotas_request::{EntityData, EntryData, OpData};
use protocol::messages::create_topics_request::CreatableTopic;
use protocol::messages::{
    AlterClientQuotasRequest, ApiVersionsRequest, CreateTopicsRequest, ListGroupsRequest, ProduceResponse, TopicName,
};
use protocol::record_batch::{BatchBuilder, Codec};
use rskafka::client::ClientBuilder;
use rskafka::client::partition::{Compression, UnknownTopicHandling};
use rskafka::record::Record;

const LIMIT: Duration = Duration::from_secs(60);
const THROTTLING_QUOTA_EXCEEDED: i16 = 89;

fn configs(broker: &Broker, arguments: &str) -> String {
    let bootstrap = broker.bootstrap();
    let arguments: Vec<&str> = ["--bootstrap-server", &bootstrap].into_iter().chain(arguments.split(' ')).collect();
    kafka::tool("configs", &arguments).ok()
}

/// In the words of Apache Kafka 4.3.1's tool against Apache Kafka.
#[test]
fn kafkas_tool_sets_and_shows_quotas_through_a_restart() {
    let mut broker = Broker::start();
    for (entity, done) in [
        ("--user alice --add-config producer_byte_rate=1024000", "user alice"),
        ("--user-defaults --add-config request_percentage=200", "default user-principals in the cluster"),
        ("--user alice --client bob --add-config consumer_byte_rate=2048000", "user alice"),
        ("--client-defaults --add-config controller_mutation_rate=1000.5", "default clients in the cluster"),
        ("--ip 10.1.2.3 --add-config connection_creation_rate=100", "ip 10.1.2.3"),
        ("--ip-defaults --add-config connection_creation_rate=2000", "default ips"),
    ] {
        let said = configs(&broker, &format!("--alter {entity}"));
        assert!(said.starts_with("Completed updating"), "{done}: {said}");
    }
    broker.stop();
    broker.restart();
    let shown = configs(&broker, "--describe --entity-type users --entity-type clients");
    let both = "Quota configs for user-principal 'alice', client-id 'bob' are consumer_byte_rate=2048000.0";
    assert!(shown.contains(both), "{shown}");
    let shown = configs(&broker, "--describe --user alice");
    assert!(shown.contains("Quota configs for user-principal 'alice' are producer_byte_rate=1024000.0"), "{shown}");
    let shown = configs(&broker, "--describe --entity-type users");
    assert!(shown.contains("Quota configs for the default user-principal are request_percentage=200.0"), "{shown}");
    let shown = configs(&broker, "--describe --entity-type clients");
    assert!(shown.contains("Quota configs for the default client-id are controller_mutation_rate=1000.5"), "{shown}");
    let shown = configs(&broker, "--describe --entity-type ips");
    assert!(shown.contains("Quota configs for ip '10.1.2.3' are connection_creation_rate=100.0"), "{shown}");
    assert!(shown.contains("Quota configs for the default ip are connection_creation_rate=2000.0"), "{shown}");
    configs(&broker, "--alter --user alice --delete-config producer_byte_rate");
    assert!(!configs(&broker, "--describe --user alice").contains("producer_byte_rate"));
}

/// Gives an entity a quota, or with `None` takes it.
fn set(connection: &mut Connection, part: (&str, Option<&str>), key: &str, value: Option<f64>) {
    let entity = EntityData::default().with_entity_type(text(part.0)).with_entity_name(part.1.map(text));
    let op = OpData::default().with_key(text(key)).with_value(value.unwrap_or(0.0)).with_remove(value.is_none());
    let entry = EntryData::default().with_entity(vec![entity]).with_ops(vec![op]);
    let altered = connection.send(&AlterClientQuotasRequest::default().with_entries(vec![entry]), 1);
    assert_eq!(altered.entries[0].error_code, 0, "{altered:?}");
}

/// The default of client ids, which the raw client has.
const CLIENTS: (&str, Option<&str>) = ("client-id", None);

/// A batch of so many bytes, or some more, of a producer with that id.
fn batch(size: usize, producer_id: i64) -> Bytes {
    let builder = BatchBuilder::new(0, Codec::None);
    let mut builder = if producer_id < 0 { builder } else { builder.producer(producer_id, 0, 0) };
    builder.append(wait::now_ms(), None, Some(&records::noise(7, size)), &[]);
    builder.build()
}

fn produce(connection: &mut Connection, records: Bytes) -> ProduceResponse {
    let response = connection.send(&produce_request("t", 0, records, -1), PRODUCE_VERSION);
    assert_eq!(produced(&response).expect("an answer").error_code, 0);
    response
}

/// A connection that is not read answers nothing, however long one waits; half a second will do.
fn assert_mute(mut connection: Connection) {
    connection.write(&ApiVersionsRequest::default(), 0).expect("the socket takes it");
    connection.stream().set_read_timeout(Some(Duration::from_millis(500))).expect("a socket");
    let error = connection.stream().read(&mut [0]).expect_err("an answer of a connection that should be mute");
    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
}

fn throttled(broker: &Broker, quota: &str) -> f64 {
    Scrape::of(address(broker)).value(&format!("ottla_quota_throttled_total{{quota=\"{quota}\"}}"))
}

fn setup() -> Setup {
    Setup::new().set("ottla.metrics.listener", "127.0.0.1:0")
}

fn start() -> (Broker, Connection) {
    let broker = setup().start();
    let mut connection = broker.connect();
    connection.create_topic("t", 1, &[]);
    (broker, connection)
}

#[test]
fn who_produces_too_much_is_not_read() {
    let (broker, mut admin) = start();
    produce(&mut admin, batch(100_000, -1));
    set(&mut admin, CLIENTS, "producer_byte_rate", Some(100.0));
    let (producer_id, _) = admin.init_producer();
    // 100 kB at 100 B/s, ten seconds of which have passed when the windows begin: a quarter of an hour.
    let mut idempotent = broker.connect();
    let told = produce(&mut idempotent, batch(100_000, producer_id)).throttle_time_ms;
    assert!((900_000..1_100_000).contains(&told), "{told}");
    assert_mute(idempotent);
    // rskafka sends again what it is told to wait for, and its batches cannot be told apart.
    let mut unknown = broker.connect();
    assert_eq!(produce(&mut unknown, batch(1000, -1)).throttle_time_ms, 0);
    assert_mute(unknown);
    let mut silent = broker.connect();
    silent.write(&produce_request("t", 0, batch(1000, -1), 0), PRODUCE_VERSION).expect("the socket takes it");
    assert_mute(silent);
    wait::until_true("three were slowed", LIMIT, || throttled(&broker, "produce") == 3.0);
    assert_eq!(admin.latest("t", 0), 4, "every batch was written once");
    set(&mut admin, CLIENTS, "producer_byte_rate", None);
    assert_eq!(produce(&mut admin, batch(100_000, -1)).throttle_time_ms, 0);
}

#[test]
fn who_consumes_too_much_gets_it_later() {
    let (broker, mut admin) = start();
    for _ in 0..2 {
        produce(&mut admin, batch(100_000, -1));
    }
    set(&mut admin, ("user", Some("ANONYMOUS")), "consumer_byte_rate", Some(10.0));
    // Neither fits into the windows: the answers are empty, and nothing is counted for what was not sent.
    let fetch = |offset| broker.connect().try_fetch("t", 0, FetchQuery::at(offset).max_bytes(50_000).wait_ms(0));
    for offset in [0, 1] {
        let empty = fetch(offset).expect_err("nothing at 10 bytes a second").to_string();
        assert_eq!(empty, "no partition, error 0");
    }
    assert!(throttled(&broker, "fetch") >= 1.0);
    set(&mut admin, ("user", Some("ANONYMOUS")), "consumer_byte_rate", None);
    let records = fetch(1).expect("an answer").records.expect("records");
    assert!(records.len() > 100_000, "{}", records.len());
}

fn create(connection: &mut Connection, topic: &str, version: i16) -> (i16, i32) {
    let topic =
        CreatableTopic::default().with_name(TopicName(text(topic))).with_num_partitions(20).with_replication_factor(1);
    let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(60_000);
    let response = connection.send(&request, version);
    (response.topics[0].error_code, response.throttle_time_ms)
}

#[test]
fn who_changes_topics_too_fast_is_refused_or_slowed() {
    let (broker, mut admin) = start();
    set(&mut admin, CLIENTS, "controller_mutation_rate", Some(0.01));
    // From version 6 on: what finds no debt is done, what finds one is refused.
    let mut strict = broker.connect();
    assert_eq!(create(&mut strict, "strict", 7), (0, 0));
    let (code, told) = create(&mut strict, "refused", 7);
    assert_eq!(code, THROTTLING_QUOTA_EXCEEDED);
    assert!((1_500_000..2_000_000).contains(&told), "20 partitions at one in 100 s: {told}");
    assert_mute(strict);
    // Before: it is done, and paid for.
    let mut permissive = broker.connect();
    let (code, told) = create(&mut permissive, "permissive", 5);
    assert_eq!(code, 0);
    assert!((3_500_000..4_000_000).contains(&told), "{told}");
    assert_mute(permissive);
    assert!(throttled(&broker, "controller_mutation") >= 2.0);
    set(&mut admin, CLIENTS, "controller_mutation_rate", None);
    assert_eq!(create(&mut broker.connect(), "free", 7), (0, 0));
}

#[test]
fn who_takes_too_much_time_waits_a_window_at_most() {
    let (broker, mut admin) = start();
    set(&mut admin, CLIENTS, "request_percentage", Some(1e-9));
    let told = broker.connect().send(&ListGroupsRequest::default(), 4).throttle_time_ms;
    assert_eq!(told, 1000);
    assert!(throttled(&broker, "request") >= 1.0);
}

#[test]
fn an_address_that_connects_too_fast_is_refused() {
    let (broker, mut admin) = start();
    set(&mut admin, ("ip", Some("127.0.0.1")), "connection_creation_rate", Some(1.0));
    // Ten windows' worth may come at once, a burst of a hundred may not.
    let asks = |mut connection: Connection| connection.try_send(&ApiVersionsRequest::default(), 0).is_ok();
    let connections: Vec<_> = (0..100).map(|_| broker.connect()).collect();
    let served = connections.into_iter().filter_map(|connection| asks(connection).then_some(())).count();
    assert!((1..100).contains(&served), "{served} of 100");
    set(&mut admin, ("ip", Some("127.0.0.1")), "connection_creation_rate", None);
    assert!(throttled(&broker, "ip") >= 1.0);
    assert!(asks(broker.connect()));
}

#[test]
fn a_real_producer_is_as_fast_as_it_may_be() {
    let broker = setup().set("quota.window.num", 2).start();
    let mut admin = broker.connect();
    admin.create_topic("t", 1, &[]);
    set(&mut admin, ("client-id", Some("perf")), "producer_byte_rate", Some(100_000.0));
    let bootstrap = broker.bootstrap();
    let started = Instant::now();
    let arguments = format!(
        "--topic t --num-records 500 --record-size 1000 --throughput -1 --bootstrap-server {bootstrap} \
         --command-property client.id=perf batch.size=16384"
    );
    let arguments: Vec<&str> = arguments.split_whitespace().collect();
    let said = kafka::tool("producer-perf-test", &arguments).ok();
    assert!(said.contains("500 records sent"), "{said}");
    assert_eq!(admin.latest("t", 0), 500);
    // Half a megabyte, of which two windows' worth and a batch may come at once.
    assert!(started.elapsed() > Duration::from_secs(2), "{:?}", started.elapsed());
    assert!(throttled(&broker, "produce") >= 1.0);
}

/// It sends again what it is told to wait for; so it is told nothing, and waits all the same.
#[test]
fn the_real_rskafka_is_slowed_and_writes_once() {
    let broker = setup().set("quota.window.num", 2).start();
    let mut admin = broker.connect();
    admin.create_topic("t", 1, &[]);
    set(&mut admin, CLIENTS, "producer_byte_rate", Some(100_000.0));
    let record = |number| Record {
        key: None,
        value: Some(records::noise(number, 150_000)),
        headers: BTreeMap::new(),
        timestamp: chrono::DateTime::UNIX_EPOCH,
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let started = Instant::now();
    let offsets = runtime.block_on(async {
        let client = ClientBuilder::new(vec![broker.bootstrap()]).build().await.expect("it connects");
        let partition = client.partition_client("t", 0, UnknownTopicHandling::Retry).await.expect("the partition");
        let mut offsets = Vec::new();
        for number in 0..5 {
            let produced = partition.produce(vec![record(number)], Compression::NoCompression).await;
            offsets.extend(produced.expect("it is written"));
        }
        offsets
    });
    assert_eq!(offsets, [0, 1, 2, 3, 4]);
    assert_eq!(admin.latest("t", 0), 5, "every record was written once");
    // Half a megabyte, of which two windows' worth and a batch may come at once.
    assert!(started.elapsed() > Duration::from_secs(1), "{:?}", started.elapsed());
    assert!(throttled(&broker, "produce") >= 1.0);
}
