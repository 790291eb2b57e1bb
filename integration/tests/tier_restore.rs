//! A node whose disks are gone comes back from its store: topics, records, and groups that go on where they were.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use integration::broker::{Broker, Setup};
use integration::object_store::ObjectStore;
use integration::process::{self, Finished};
use integration::tiering::{LIMIT, TIERED, append, assert_whole, await_tiering};
use integration::wire::{Connection, EARLIEST, LATEST, Member};
use integration::{clients, kafka, monitoring, wait, workspace};

const RUN_LIMIT: Duration = Duration::from_secs(120);
/// What the group reads before the node is lost.
const READ: i64 = 120;

struct Fixture {
    folder: tempfile::TempDir,
    broker: Broker,
    settings: Vec<(&'static str, String)>,
    environment: Vec<(&'static str, String)>,
}

/// Where segments go.
enum Place<'a> {
    Directory,
    /// In the files of Kafka's own `LocalTieredStorage`.
    KafkasFiles,
    Bucket(&'a ObjectStore),
}

impl Place<'_> {
    fn settings(&self, directory: &Path) -> Vec<(&'static str, String)> {
        let directory = directory.display().to_string();
        match self {
            Self::Directory => vec![("ottla.remote.storage.url", format!("file://{directory}"))],
            Self::Bucket(store) => vec![("ottla.remote.storage.url", store.url())],
            Self::KafkasFiles => {
                let class = "org.apache.kafka.server.log.remote.storage.LocalTieredStorage".to_owned();
                vec![("remote.log.storage.manager.class.name", class), ("rsm.config.dir", directory)]
            }
        }
    }
}

impl Fixture {
    fn new(place: &Place<'_>) -> Self {
        Self::describing(place, "200")
    }

    /// The store is told what there is every so many milliseconds.
    fn describing(place: &Place<'_>, interval_ms: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("restore.").tempdir().expect("a temporary folder");
        let mut settings = place.settings(&folder.path().join("remote"));
        settings.extend([
            ("remote.log.storage.system.enable", "true".to_owned()),
            ("ottla.remote.description.interval.ms", interval_ms.to_owned()),
            ("remote.log.manager.task.interval.ms", "200".to_owned()),
            ("log.retention.check.interval.ms", "200".to_owned()),
            ("remote.fetch.max.wait.ms", "10000".to_owned()),
            ("ottla.metrics.listener", "127.0.0.1:0".to_owned()),
        ]);
        let environment = match place {
            Place::Bucket(store) => store.environment(),
            _ => Vec::new(),
        };
        let setup = Setup::new().ottla().folder(&folder.path().join("node"));
        let setup = settings.iter().fold(setup, |setup, (key, value)| setup.set(key, value));
        let setup = environment.iter().fold(setup, |setup, (name, value)| setup.variable(name, value));
        Self { broker: setup.start(), folder, settings, environment }
    }

    /// `ottla tier` with what the node is configured by.
    fn tier(&self, command: &str, arguments: &[&str]) -> Finished {
        let mut ottla = Command::new(workspace::ottla());
        ottla.args(["tier", command]).args(arguments);
        let own = [
            ("listeners", format!("PLAINTEXT://{}", self.broker.address())),
            ("log.dirs", self.broker.data().display().to_string()),
        ];
        for (key, value) in self.settings.iter().chain(&own) {
            ottla.args(["--override", &format!("{key}={value}")]);
        }
        ottla.envs(self.environment.iter().map(|(name, value)| (name, value)));
        process::run(&mut ottla, b"", RUN_LIMIT)
    }

    /// The next records of the group, as it reads them with Kafka's own consumer.
    fn read(&self, count: i64) -> Vec<i64> {
        let (bootstrap, count) = (self.broker.bootstrap(), count.to_string());
        let arguments = ["--bootstrap-server", bootstrap.as_str(), "--topic", "orders", "--group", "readers"];
        let read = kafka::tool(
            "console-consumer",
            &[&arguments[..], &["--from-beginning", "--max-messages", &count, "--timeout-ms", "60000"]].concat(),
        );
        read.ok().lines().map(|line| line.parse().expect("a record says its own offset")).collect()
    }

    /// Kills the broker and takes its disks away.
    fn lose_the_node(&mut self) {
        self.broker.kill9();
        fs::remove_dir_all(self.broker.data()).expect("the data can go");
    }
}

fn topic_id(connection: &mut Connection, topic: &str) -> String {
    connection.describe_topic(topic).topic_id.to_string()
}

#[track_caller]
fn assert_has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part} is missing in:\n{text}");
    }
}

/// Loses a node and restores it; returns where `orders` ends then.
#[track_caller]
fn a_node_comes_back(fixture: &mut Fixture) -> i64 {
    let mut connection = fixture.broker.connect();
    connection.create_topic("orders", 3, &TIERED);
    connection.create_topic("empty", 2, &[("remote.storage.enable", "true"), ("retention.ms", "7654321")]);
    connection.create_topic("local", 1, &[]);
    append(&mut connection, "orders", 0, 35);
    let remote_end = await_tiering(&fixture.broker, &mut connection, "orders");
    assert!(remote_end > READ, "{remote_end}");
    assert_eq!(fixture.read(READ), (0..READ).collect::<Vec<_>>());
    let ids = ["orders", "empty"].map(|topic| topic_id(&mut connection, topic));
    let end = format!(r#""logEndOffset":{remote_end}"#);
    let committed = format!(r#""offset":{READ},"partition":0"#);
    wait::until_true("the store knows everything", LIMIT, || {
        let plan = fixture.tier("restore", &["--dry-run", "--json"]).ok();
        plan.contains(&end) && plan.contains("7654321") && plan.contains(&committed)
    });

    fixture.lose_the_node();
    let restored = fixture.tier("restore", &["--json"]).ok();
    assert_has(&restored, &[r#""topics":2"#, r#""groups":1"#, r#""setBack":0"#, r#""restored":true"#]);
    fixture.broker.restart();
    connection = fixture.broker.connect();
    connection.await_leaders("orders", 3);
    connection.await_leaders("empty", 2);
    assert_eq!(["orders", "empty"].map(|topic| topic_id(&mut connection, topic)), ids);
    let bounds = [EARLIEST, LATEST].map(|moment| connection.list_offset("orders", 0, moment).offset);
    assert_eq!(bounds, [0, remote_end]);
    remote_end
}

/// Everything by a client of its own, which knows of no tiers.
#[track_caller]
fn assert_whole_for_kcat(broker: &Broker, end: i64) {
    let bootstrap = broker.bootstrap();
    let read = ["-b", &bootstrap, "-C", "-t", "orders", "-p", "0", "-o", "beginning", "-e", "-q", "-f", "%o %S\n"];
    let lines = clients::kcat(&read, b"").ok();
    let expected: String = (0..end).map(|offset| format!("{offset} 10000\n")).collect();
    assert!(lines == expected, "{lines}");
}

#[test]
fn a_lost_node_comes_back_from_a_directory() {
    let mut fixture = Fixture::new(&Place::Directory);
    let remote_end = a_node_comes_back(&mut fixture);
    let mut connection = fixture.broker.connect();
    assert_whole(&mut connection, "orders", 0, remote_end);
    assert_eq!(fixture.read(10), (READ..READ + 10).collect::<Vec<_>>(), "the group goes on");
    let described =
        kafka::tool("configs", &["--bootstrap-server", &fixture.broker.bootstrap(), "--describe", "--topic", "empty"]);
    assert_has(&described.ok(), &["retention.ms=7654321"]);

    // It goes on as if nothing had happened: new records behind the old ones, copied in their turn, through another crash.
    let end = append(&mut connection, "orders", remote_end, 35);
    let local = await_tiering(&fixture.broker, &mut connection, "orders");
    assert!(local > remote_end);
    fixture.broker.kill9();
    fixture.broker.restart();
    connection = fixture.broker.connect();
    connection.await_leaders("orders", 3);
    assert_whole(&mut connection, "orders", 0, end);
    assert_eq!(fixture.read(10), (READ + 10..READ + 20).collect::<Vec<_>>());
    assert_has(&fixture.tier("verify", &[]).ok(), &["no problem"]);

    // What is there is not touched.
    fixture.broker.stop();
    let refused = fixture.tier("restore", &["--topic", "orders"]);
    assert_eq!(refused.status.code(), Some(1));
    assert_has(&refused.stderr, &["the target has a topic orders"]);
    fixture.broker.restart();
    connection = fixture.broker.connect();
    connection.await_leaders("orders", 3);
    assert_whole(&mut connection, "orders", 0, end);
}

/// The round in which the store is told comes much later than the first segment.
#[test]
fn a_young_topic_comes_back_as_what_it_was() {
    let mut fixture = Fixture::describing(&Place::Directory, "3600000");
    let mut connection = fixture.broker.connect();
    let configs = [&TIERED[..], &[("max.message.bytes", "7654321")]].concat();
    connection.create_topic("orders", 3, &configs);
    append(&mut connection, "orders", 0, 25);
    let end = await_tiering(&fixture.broker, &mut connection, "orders");
    fixture.lose_the_node();
    fixture.tier("restore", &[]).ok();
    fixture.broker.restart();
    connection = fixture.broker.connect();
    connection.await_leaders("orders", 3);
    assert_whole(&mut connection, "orders", 0, end);
    let described =
        kafka::tool("configs", &["--bootstrap-server", &fixture.broker.bootstrap(), "--describe", "--topic", "orders"]);
    assert_has(&described.ok(), &["max.message.bytes=7654321"]);
}

/// Records whose segment never gets full are in the store all the same, as soon as their topic says.
#[test]
fn a_lost_node_comes_back_with_what_its_segments_had_begun() {
    let mut fixture = Fixture::new(&Place::Directory);
    let mut connection = fixture.broker.connect();
    let configs = [("remote.storage.enable", "true"), ("retention.ms", "-1"), ("ottla.remote.max.unsaved.ms", "1000")];
    connection.create_topic("orders", 1, &configs);
    let mut end = 0;
    for _ in 0..2 {
        end = append(&mut connection, "orders", end, 3);
        let saved = format!(r#""logEndOffset":{end}"#);
        wait::until_true("the store has every record", LIMIT, || {
            fixture.tier("restore", &["--dry-run", "--json"]).stdout.contains(&saved)
        });
    }
    let says = "every closed segment is remote; the records of the active one follow within 1000 ms";
    wait::until_true("the broker says so", LIMIT, || {
        monitoring::get(monitoring::address(&fixture.broker), "/tier").body.contains(says)
    });
    fixture.lose_the_node();
    fixture.tier("restore", &[]).ok();
    fixture.broker.restart();
    connection = fixture.broker.connect();
    connection.await_leaders("orders", 1);
    assert_whole(&mut connection, "orders", 0, end);
}

/// What was not copied is lost, and says so: groups that had read it go on behind what is there. One topic comes first, the other
/// later, on a node that has run meanwhile.
#[test]
fn a_group_that_had_read_lost_records_goes_on_at_the_end() {
    let mut fixture = Fixture::new(&Place::Directory);
    let mut connection = fixture.broker.connect();
    for topic in ["orders", "users"] {
        connection.create_topic(topic, 1, &TIERED);
        append(&mut connection, topic, 0, 25);
        await_tiering(&fixture.broker, &mut connection, topic);
    }
    let end = connection.latest("orders", 0);
    // Many, so that some share a partition of `__consumer_offsets` with the first.
    let others: Vec<String> = (0..200).map(|number| format!("other-{number}")).collect();
    for group in &others {
        connection.await_coordinator(group);
        assert_eq!(connection.commit(group, &Member::none(), ("users", 0), &(7, -1, "kept".to_owned())), 0);
    }
    let remote_end = await_tiering(&fixture.broker, &mut connection, "orders");
    assert!(remote_end < end);
    assert_eq!(fixture.read(end).len() as i64, end);
    let set_back = format!(r#""beyond":{},"group":"readers""#, end - remote_end);
    wait::until_true("the store knows the group", LIMIT, || {
        let plan = fixture.tier("restore", &["--dry-run", "--json"]).ok();
        plan.contains(&set_back) && others.iter().all(|group| plan.contains(&format!(r#""group":"{group}""#)))
    });
    fixture.lose_the_node();
    let restored = fixture.tier("restore", &["--topic", "orders"]).ok();
    let lost = format!(
        "group readers had read {} records of orders-0 that are lost: it goes on at {remote_end}",
        end - remote_end
    );
    assert_has(&restored, &[&lost, "1 topics, 1 offsets of 1 groups restored"]);
    fixture.broker.restart();
    connection = fixture.broker.connect();
    connection.await_leaders("orders", 1);
    append(&mut connection, "orders", remote_end, 1);
    assert_eq!(fixture.read(10), (remote_end..remote_end + 10).collect::<Vec<_>>());
    fixture.broker.stop();
    assert_has(&fixture.tier("restore", &["--topic", "users"]).ok(), &["1 topics, 200 offsets of 200 groups restored"]);
    fixture.broker.restart();
    connection = fixture.broker.connect();
    connection.await_leaders("users", 1);
    for group in &others {
        connection.await_coordinator(group);
        let found = connection.fetch_offsets(group, Some(("users", &[0])));
        assert_eq!(found, [("users".to_owned(), 0, (7, -1, "kept".to_owned()))], "{group}");
    }
    let users_end = connection.latest("users", 0);
    assert_whole(&mut connection, "users", 0, users_end);
    assert_whole(&mut connection, "orders", 0, remote_end + 10);
}

#[test]
fn a_lost_node_comes_back_from_s3() {
    let store = ObjectStore::minio();
    let mut fixture = Fixture::new(&Place::Bucket(&store));
    let remote_end = a_node_comes_back(&mut fixture);
    assert_whole_for_kcat(&fixture.broker, remote_end);
    assert_eq!(fixture.read(10), (READ..READ + 10).collect::<Vec<_>>(), "the group goes on");
}

/// Only the manifests are not where Kafka's class has its files.
#[test]
fn a_lost_node_comes_back_from_kafkas_own_files() {
    let mut fixture = Fixture::new(&Place::KafkasFiles);
    let remote_end = a_node_comes_back(&mut fixture);
    let mut connection = fixture.broker.connect();
    assert_whole(&mut connection, "orders", 0, remote_end);
    let end = append(&mut connection, "orders", remote_end, 25);
    assert!(await_tiering(&fixture.broker, &mut connection, "orders") > remote_end);
    assert_whole(&mut connection, "orders", 0, end);
    assert_has(&fixture.tier("verify", &[]).ok(), &["no problem"]);
    let folders = fs::read_dir(fixture.folder.path().join("remote/kafka-tiered-storage")).expect("Kafka's folder");
    let names = folders.map(|folder| folder.expect("it can be listed").file_name().to_string_lossy().into_owned());
    assert!(names.into_iter().any(|name| name.starts_with("orders-0-")));
}

#[test]
fn a_node_of_another_cluster_is_left_alone() {
    let mut fixture = Fixture::new(&Place::Directory);
    let mut connection = fixture.broker.connect();
    connection.create_topic("orders", 1, &TIERED);
    append(&mut connection, "orders", 0, 25);
    await_tiering(&fixture.broker, &mut connection, "orders");
    fixture.lose_the_node();
    let format = |data: &Path| {
        let log_dirs = format!("log.dirs={}", data.display());
        let mut ottla = Command::new(workspace::ottla());
        ottla.args(["format", "--cluster-id", "AAAAAAAAAAAAAAAAAAAAAg", "--override", &log_dirs]);
        process::run(&mut ottla, b"", RUN_LIMIT).ok()
    };
    format(&fixture.broker.data());
    for arguments in [&["--dry-run"][..], &[]] {
        let refused = fixture.tier("restore", arguments);
        assert_eq!(refused.status.code(), Some(1), "{}", refused.everything());
        assert_has(&refused.stderr, &["AAAAAAAAAAAAAAAAAAAAAg"]);
    }
    let entries = fs::read_dir(fixture.broker.data()).expect("the folder is there");
    let names: Vec<_> = entries.map(|entry| entry.expect("it can be listed").file_name()).collect();
    assert!(!names.iter().any(|name| name.to_string_lossy().starts_with("orders")), "{names:?}");
    assert!(fixture.folder.path().join("remote").is_dir());
}
