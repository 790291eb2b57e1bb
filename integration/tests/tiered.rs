//! The cold tier over a directory: segments leave the local log, and everything reads as if they had not.

use std::path::PathBuf;

use integration::audit;
use integration::broker::{Broker, Setup};
use integration::kafka;
use integration::tiering::{
    EARLIEST_LOCAL, EARLIEST_PENDING_UPLOAD, FIRST, LATEST_TIERED, LIMIT, TIERED, append, assert_whole, await_tiering,
    files, list,
};
use integration::wait;
use integration::wire::{Connection, EARLIEST, FetchQuery, LATEST};
use protocol::ids::format_uuid;
use protocol::record_batch::{BatchBuilder, Codec};

const OFFSET_OUT_OF_RANGE: i16 = 1;

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
        await_tiering(&self.broker, connection, topic)
    }

    /// Objects of the topic, as files.
    fn objects(&self, topic: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        files(&self.folder.path().join("remote"), &mut found);
        found.retain(|path| path.display().to_string().contains(&format!("/{topic}-")));
        found
    }
}

/// By Kafka's tool, which passes keys on that its own broker does not know before 4.4 (KIP-1241).
#[test]
fn closed_segments_wait_until_enough_lies_behind_them() {
    let fixture = Fixture::new(&[("ottla.remote.storage.url", "file://ROOT")]);
    let mut connection = fixture.connect();
    let configs = [
        ("remote.storage.enable", "true"),
        ("segment.bytes", "1048576"),
        ("retention.ms", "-1"),
        // The records say that they are of 2023.
        ("remote.copy.lag.ms", "900000000000"),
        ("remote.copy.lag.bytes", "3145728"),
    ];
    connection.create_topic("late", 1, &configs);
    // Ten batches of 100 KB are a segment: behind the first are more than three, behind the second fewer.
    let end = append(&mut connection, "late", 0, 45);
    let mut await_remote = |last_offset| {
        wait::until_true("copies", LIMIT, || list(&mut connection, "late", LATEST_TIERED).offset == last_offset);
    };
    await_remote(99);
    assert_eq!(fixture.objects("late").iter().filter(|path| path.extension().is_some_and(|it| it == "log")).count(), 1);
    let bootstrap = fixture.broker.bootstrap();
    let alter =
        ["--bootstrap-server", &bootstrap, "--alter", "--topic", "late", "--add-config", "remote.copy.lag.ms=0"];
    kafka::tool("configs", &alter).ok();
    await_remote(399);
    assert_whole(&mut connection, "late", 0, end);
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
    let pending = list(&mut connection, "cold", EARLIEST_PENDING_UPLOAD);
    assert_eq!((pending.error_code, pending.offset, pending.timestamp, pending.leader_epoch), (0, local, -1, 0));
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
    let expected = [
        ("earliest", 0),
        ("latest", 5000),
        ("earliest-local", local),
        ("latest-tiered", local - 1),
        ("earliest-pending-upload", local),
        ("-6", local),
    ];
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

/// The article's first steps: segments of 200 bytes, which Kafka 4 refuses and its Kafka 3.6 does not, in chunks of 100 bytes. Its
/// two rakes were empty indexes and chunks.
#[test]
fn segments_and_chunks_may_be_tiny() {
    let storage = [
        ("remote.log.storage.manager.class.name", "io.aiven.kafka.tieredstorage.RemoteStorageManager"),
        ("rsm.config.chunk.size", "100"),
        ("rsm.config.chunk.cache.size", "20000"),
        ("rsm.config.storage.backend.class", "io.aiven.kafka.tieredstorage.storage.filesystem.FileSystemStorage"),
        ("rsm.config.storage.root", "ROOT"),
    ];
    let mut fixture = Fixture::new(&storage);
    let mut connection = fixture.connect();
    let configs = [
        ("remote.storage.enable", "true"),
        ("local.retention.ms", "1000"),
        ("retention.ms", "300000"),
        ("segment.bytes", "200"),
        ("file.delete.delay.ms", "0"),
    ];
    connection.create_topic("tieredTopic", 1, &configs);
    for number in 1..=6 {
        let mut batch = BatchBuilder::new(0, Codec::None);
        batch.append(wait::now_ms(), None, Some(format!("m{number}").as_bytes()), &[]);
        assert_eq!(connection.produce("tieredTopic", 0, batch.build()).error_code, 0);
    }
    let written = |connection: &mut Connection| {
        let records = audit::read_all(connection, "tieredTopic", 0).records;
        let texts = records.iter().map(|record| record.value.clone().unwrap_or_default());
        texts.map(|value| String::from_utf8_lossy(&value).into_owned()).collect::<Vec<_>>()
    };
    let expected = ["m1", "m2", "m3", "m4", "m5", "m6"];
    // The active one too is closed when it is too old.
    wait::until_true("everything is remote only", LIMIT, || {
        list(&mut connection, "tieredTopic", EARLIEST_LOCAL).offset == 6
    });
    assert_eq!(written(&mut connection), expected);
    fixture.broker.kill9();
    fixture.broker.restart();
    connection = fixture.connect();
    connection.await_leaders("tieredTopic", 1);
    assert_eq!(written(&mut connection), expected);
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

/// Half-written files, a trial that nobody ended, the description of a topic that is not tiered any more.
#[test]
fn what_killed_brokers_leave_in_a_directory_goes() {
    let storage = [("ottla.remote.storage.url", "file://ROOT"), ("ottla.remote.orphan.grace.ms", "1000")];
    let mut fixture = Fixture::new(&[&storage[..], &[("ottla.remote.description.interval.ms", "200")]].concat());
    let mut connection = fixture.connect();
    connection.create_topic("cold", 1, &TIERED);
    connection.create_topic("local", 1, &[]);
    let end = append(&mut connection, "cold", 0, 25);
    fixture.await_tiering(&mut connection, "cold");
    let log = fixture.objects("cold").into_iter().find(|path| path.extension().is_some_and(|name| name == "log"));
    let partition = log.as_ref().and_then(|log| log.parent()).expect("a segment in a folder");
    let topic = partition.parent().expect("a topic's folder");
    let cluster = topic.parent().expect("a cluster's folder");
    let local = cluster.join(format!("local-{}", format_uuid(connection.describe_topic("local").topic_id)));
    fixture.broker.kill9();
    let left = [
        partition.join("00000000000000000099-AAAAAAAAAAAAAAAAAAAAAg.log#1"),
        topic.join("topic/0000000000-00000000000000000099#1"),
        cluster.join("probe/AAAAAAAAAAAAAAAAAAAAAg/serial"),
        local.join("topic/0000000000-00000000000000000001"),
    ];
    for path in &left {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("the folder can be made");
        std::fs::write(path, b"half of it").expect("the file can be written");
    }
    fixture.broker.restart();
    let folders = [local, cluster.join("probe/AAAAAAAAAAAAAAAAAAAAAg")];
    wait::until_true("what was left is gone, folders that have nothing else too", LIMIT, || {
        left.iter().chain(&folders).all(|path| !path.exists())
    });
    connection = fixture.connect();
    connection.await_leaders("cold", 1);
    assert_whole(&mut connection, "cold", 0, end);
    assert_eq!(connection.delete_topic("cold"), 0);
    wait::until_true("no folder is left", LIMIT, || !topic.exists());
}

/// Kafka refuses to tier them. What is remote is what the cleaner left, and follows it; the local log stays whole.
#[test]
fn a_compacted_topic_is_copied_once_it_is_clean() {
    // A kill may come between a manifest and the end of what it replaces, which the sweep then finds.
    let grace = ("ottla.remote.orphan.grace.ms", "1000");
    let storage = [("ottla.remote.storage.url", "file://ROOT"), ("log.cleaner.backoff.ms", "100"), grace];
    let mut fixture = Fixture::new(&storage);
    let mut connection = fixture.connect();
    let configs = [
        ("remote.storage.enable", "true"),
        ("cleanup.policy", "compact"),
        ("segment.bytes", "4000"),
        ("min.cleanable.dirty.ratio", "0.01"),
        ("local.retention.ms", "1"),
    ];
    connection.create_topic("tables", 1, &configs);
    let value = [7; 100];
    let write = |connection: &mut Connection, round: i32| {
        for at in 0..100 {
            let key = format!("{}", (at * 7 + round) % 20);
            let mut batch = BatchBuilder::new(0, Codec::None);
            batch.append(FIRST, Some(key.as_bytes()), Some(&value), &[]);
            assert_eq!(connection.produce("tables", 0, batch.build()).error_code, 0);
        }
    };
    let logs = |fixture: &Fixture| -> Vec<PathBuf> {
        let objects = fixture.objects("tables").into_iter();
        objects.filter(|path| path.extension().is_some_and(|extension| extension == "log")).collect()
    };
    let mut before = Vec::new();
    for round in 0..3 {
        write(&mut connection, round);
        wait::until_true("what was cleaned is remote, and nothing older", LIMIT, || {
            let now = logs(&fixture);
            !now.is_empty() && now.iter().all(|path| !before.contains(path))
        });
        // A hundred records have 17 KB and there are twenty keys.
        wait::until_true("only what the cleaner left is there", LIMIT, || {
            before = logs(&fixture);
            before.iter().filter_map(|path| path.metadata().ok()).map(|metadata| metadata.len()).sum::<u64>() < 14_000
        });
        if round == 1 {
            fixture.broker.kill9();
            fixture.broker.restart();
            connection = fixture.connect();
            connection.await_leaders("tables", 1);
        }
    }
    assert_eq!(list(&mut connection, "tables", EARLIEST_LOCAL).offset, 0, "local.retention.ms does not count");
}
