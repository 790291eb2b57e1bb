//! The cold tier over a directory: segments leave the local log, and everything reads as if they had not.

use std::path::{Path, PathBuf};
use std::time::Duration;

use integration::audit;
use integration::broker::{Broker, Setup};
use integration::kafka;
use integration::wait;
use integration::wire::{Connection, EARLIEST, FetchQuery, LATEST, text};
use protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use protocol::messages::list_offsets_response::ListOffsetsPartitionResponse;
use protocol::messages::{ListOffsetsRequest, TopicName};
use protocol::record_batch::{BatchBuilder, Codec};

const LIMIT: Duration = Duration::from_secs(120);
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;
const OFFSET_OUT_OF_RANGE: i16 = 1;
/// The timestamp of the first record; later ones are a second apart.
const FIRST: i64 = 1_700_000_000_000;
const RECORDS_IN_BATCH: i64 = 10;

/// Segments of a mebibyte, of which the local log keeps none but the one that is written.
const TIERED: [(&str, &str); 5] = [
    ("remote.storage.enable", "true"),
    ("segment.bytes", "1048576"),
    ("local.retention.bytes", "1"),
    ("retention.ms", "-1"),
    ("file.delete.delay.ms", "0"),
];

struct Fixture {
    folder: tempfile::TempDir,
    broker: Broker,
}

impl Fixture {
    fn new(storage: &[(&str, &str)]) -> Self {
        let folder = tempfile::Builder::new().prefix("tiered.").tempdir().expect("a temporary folder");
        let root = folder.path().join("remote");
        let mut setup = Setup::new()
            .folder(&folder.path().join("data"))
            .set("remote.log.storage.system.enable", "true")
            .set("remote.log.manager.task.interval.ms", 200)
            .set("log.retention.check.interval.ms", 200);
        for (key, value) in storage {
            setup = setup.set(key, value.replace("ROOT", &root.display().to_string()));
        }
        Self { broker: setup.start(), folder }
    }

    fn connect(&self) -> Connection {
        self.broker.connect()
    }

    /// Waits until only the active segment is local, and returns its first offset.
    fn await_tiering(&self, connection: &mut Connection, topic: &str) -> i64 {
        let folder = self.broker.data().join(format!("{topic}-0"));
        wait::until("closed segments are remote only", LIMIT, || {
            let mut local = Vec::new();
            files(&folder, &mut local);
            local.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
            let start = list(connection, topic, EARLIEST_LOCAL).offset;
            let is_settled = local.len() == 1 && list(connection, topic, LATEST_TIERED).offset == start - 1;
            (is_settled && start > 0).then_some(start)
        })
    }

    /// Objects of the topic, as files.
    fn objects(&self, topic: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        files(&self.folder.path().join("remote"), &mut found);
        found.retain(|path| path.display().to_string().contains(&format!("/{topic}-")));
        found
    }
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    // A folder that goes while it is listed has nothing in it.
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.path() {
            path if path.is_dir() => files(&path, found),
            path => found.push(path),
        }
    }
}

/// Appends batches of records of 10 KB that say their own offsets.
fn append(connection: &mut Connection, topic: &str, from: i64, batches: i64) -> i64 {
    for first in (0..batches).map(|batch| from + batch * RECORDS_IN_BATCH) {
        let mut batch = BatchBuilder::new(0, Codec::None);
        for offset in first..first + RECORDS_IN_BATCH {
            batch.append(FIRST + offset * 1000, None, Some(format!("{offset:0>10000}").as_bytes()), &[]);
        }
        let produced = connection.produce(topic, 0, batch.build());
        assert_eq!((produced.error_code, produced.base_offset), (0, first));
    }
    from + batches * RECORDS_IN_BATCH
}

fn list(connection: &mut Connection, topic: &str, timestamp: i64) -> ListOffsetsPartitionResponse {
    let partition = ListOffsetsPartition::default().with_timestamp(timestamp);
    let topic = ListOffsetsTopic::default().with_name(TopicName(text(topic))).with_partitions(vec![partition]);
    let answer =
        connection.send(&ListOffsetsRequest::default().with_replica_id((-1).into()).with_topics(vec![topic]), 9);
    answer.topics[0].partitions[0].clone()
}

/// Every record from `start` on is there, once, in order, and says its own offset.
fn assert_whole(connection: &mut Connection, topic: &str, start: i64, end: i64) {
    assert_eq!(list(connection, topic, EARLIEST).offset, start);
    let records = audit::read_all(connection, topic, 0).records;
    let offsets: Vec<i64> = records.iter().map(|record| record.offset).collect();
    assert_eq!(offsets, (start..end).collect::<Vec<_>>());
    for record in &records {
        let value = String::from_utf8_lossy(record.value.as_deref().unwrap_or_default()).into_owned();
        assert_eq!(value.parse::<i64>().ok(), Some(record.offset));
    }
}

#[test]
fn everything_reads_across_the_seam_and_after_any_end() {
    let mut fixture = Fixture::new(&[("ottla.remote.storage.url", "file://ROOT")]);
    let mut connection = fixture.connect();
    connection.create_topic("cold", 1, &TIERED);
    let mut end = append(&mut connection, "cold", 0, 35);
    let local = fixture.await_tiering(&mut connection, "cold");
    assert!(local >= 200, "three segments at least: {local}");
    assert_whole(&mut connection, "cold", 0, end);
    for offset in [0, 1, 99, local - 1, local, end - 1] {
        let found = list(&mut connection, "cold", FIRST + offset * 1000 - 999);
        assert_eq!((found.error_code, found.offset, found.timestamp), (0, offset, FIRST + offset * 1000));
    }
    assert_eq!(list(&mut connection, "cold", LATEST).offset, end);
    // Once stopped cleanly, once killed: nothing has to be moved again to be read.
    for is_clean in [true, false] {
        if is_clean {
            fixture.broker.stop();
        } else {
            fixture.broker.kill9();
        }
        fixture.broker.restart();
        connection = fixture.connect();
        connection.await_leaders("cold", 1);
        assert_whole(&mut connection, "cold", 0, end);
        end = append(&mut connection, "cold", end, 15);
        fixture.await_tiering(&mut connection, "cold");
        assert_whole(&mut connection, "cold", 0, end);
    }
}

#[test]
fn what_is_deleted_goes_from_the_store_too() {
    let fixture = Fixture::new(&[("ottla.remote.storage.url", "file://ROOT")]);
    let mut connection = fixture.connect();
    connection.create_topic("pruned", 1, &TIERED);
    let end = append(&mut connection, "pruned", 0, 35);
    fixture.await_tiering(&mut connection, "pruned");
    let before = fixture.objects("pruned").len();
    assert!(before >= 7, "two objects a segment and a manifest: {before}");
    assert_eq!(connection.delete_records("pruned", 0, 150), (0, 150));
    assert_whole(&mut connection, "pruned", 150, end);
    assert_eq!(connection.fetch("pruned", 0, FetchQuery::at(149)).error_code, OFFSET_OUT_OF_RANGE);
    wait::until_true("the first segment's objects are gone", LIMIT, || fixture.objects("pruned").len() < before);
    assert_whole(&mut connection, "pruned", 150, end);
    assert_eq!(connection.delete_topic("pruned"), 0);
    wait::until_true("every object is gone", LIMIT, || fixture.objects("pruned").is_empty());
}

/// `remote.log.delete.on.disable`: what is local stays, and tiering begins anew when it is wanted again.
#[test]
fn tiering_ends_for_a_topic_and_begins_again() {
    let fixture = Fixture::new(&[("ottla.remote.storage.url", "file://ROOT")]);
    let mut connection = fixture.connect();
    connection.create_topic("undecided", 1, &TIERED);
    let mut end = append(&mut connection, "undecided", 0, 35);
    let local = fixture.await_tiering(&mut connection, "undecided");
    let bootstrap = fixture.broker.bootstrap();
    let alter = |configs: &str| {
        let arguments = ["--bootstrap-server", &bootstrap, "--alter", "--topic", "undecided", "--add-config", configs];
        kafka::tool("configs", &arguments)
    };
    let refused = alter("remote.storage.enable=false");
    assert!(refused.everything().contains("It is invalid to disable remote storage without deleting remote data"));
    assert_whole(&mut connection, "undecided", 0, end);
    alter("remote.storage.enable=false,remote.log.delete.on.disable=true,retention.bytes=-1").ok();
    wait::until_true("nothing is remote", LIMIT, || fixture.objects("undecided").is_empty());
    wait::until_true("the start follows", LIMIT, || list(&mut connection, "undecided", EARLIEST).offset == local);
    end = append(&mut connection, "undecided", end, 25);
    assert_whole(&mut connection, "undecided", local, end);
    alter("remote.storage.enable=true").ok();
    fixture.await_tiering(&mut connection, "undecided");
    assert_whole(&mut connection, "undecided", local, end);
}

/// The walk-through of the article that issue 6 names, with Kafka's own tools.
#[test]
fn kafkas_tools_walk_through() {
    let storage = [
        ("remote.log.storage.manager.class.name", "io.aiven.kafka.tieredstorage.RemoteStorageManager"),
        ("remote.log.storage.manager.class.path", "/libs/*"),
        ("rsm.config.chunk.size", "10000"),
        ("rsm.config.chunk.cache.size", "2000000"),
        ("rsm.config.key.prefix", "tiered-storage-demo/"),
        ("rsm.config.storage.backend.class", "io.aiven.kafka.tieredstorage.storage.filesystem.FileSystemStorage"),
        ("rsm.config.storage.root", "ROOT"),
        ("rlmm.config.remote.log.metadata.topic.replication.factor", "1"),
    ];
    let mut fixture = Fixture::new(&storage);
    let mut connection = fixture.connect();
    let bootstrap = fixture.broker.bootstrap();
    let mut create = vec!["--bootstrap-server", bootstrap.as_str(), "--create", "--topic", "tieredTopic"];
    let configs: Vec<String> = TIERED.iter().map(|(key, value)| format!("{key}={value}")).collect();
    configs.iter().for_each(|config| create.extend(["--config", config.as_str()]));
    kafka::tool("topics", &create).ok();
    connection.await_leaders("tieredTopic", 1);
    let to = ["--bootstrap-server", bootstrap.as_str(), "--topic", "tieredTopic"];
    let load = ["--num-records", "5000", "--record-size", "1024", "--throughput", "-1"];
    kafka::tool("producer-perf-test", &[&to[..], &load[..]].concat()).ok();
    let local = fixture.await_tiering(&mut connection, "tieredTopic");
    let offsets = |time: &str| {
        let asked = ["--bootstrap-server", bootstrap.as_str(), "--topic", "tieredTopic", "--time", time];
        kafka::tool("get-offsets", &asked).ok().trim().to_owned()
    };
    let expected = [("earliest", 0), ("latest", 5000), ("earliest-local", local), ("latest-tiered", local - 1)];
    for (time, offset) in expected {
        assert_eq!(offsets(time), format!("tieredTopic:0:{offset}"), "{time}");
    }
    let consume = |group: &str| {
        let wanted =
            ["--bootstrap-server", &bootstrap, "--topic", "tieredTopic", "--messages", "5000", "--timeout", "60000"];
        let read = kafka::tool("consumer-perf-test", &[&wanted[..], &["--group", group]].concat()).ok();
        read.lines().last().unwrap_or_default().split(", ").nth(4).map(str::to_owned)
    };
    assert_eq!(consume("before").as_deref(), Some("5000"));
    let named = fixture.objects("tieredTopic");
    assert!(named.iter().all(|path| path.display().to_string().contains("/tiered-storage-demo/")), "{named:?}");
    fixture.broker.stop();
    fixture.broker.restart();
    fixture.connect().await_leaders("tieredTopic", 1);
    let bootstrap_after = fixture.broker.bootstrap();
    assert_eq!(bootstrap_after, bootstrap, "the address stays");
    assert_eq!(consume("after").as_deref(), Some("5000"));
}

#[test]
fn what_would_be_lost_keeps_a_broker_from_starting() {
    let mut fixture = Fixture::new(&[("ottla.remote.storage.url", "file://ROOT")]);
    fixture.connect().create_topic("kept", 1, &TIERED);
    fixture.broker.stop();
    let refused = integration::process::run(
        std::process::Command::new(integration::workspace::ottla())
            .arg("server")
            .args(["--override", &format!("log.dirs={}", fixture.broker.data().display())])
            .args(["--override", "listeners=PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0"]),
        b"",
        LIMIT,
    );
    assert!(!refused.status.success());
    let said = refused.everything();
    assert!(said.contains("remote.storage.enable=true before disabling tiered storage cluster-wide: kept"), "{said}");
}
