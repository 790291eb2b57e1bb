//! Called as one of Kafka's scripts, the binary prints what the script prints: both run against the same broker.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use integration::broker::{Broker, Setup};
use integration::process::{self, Finished};
use integration::wire::Member;
use integration::{kafka, records, wait, workspace};
use protocol::record_batch::Codec;
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(60);

/// A copy of the binary, so that stopping its brokers stops nobody else's, and links to it.
struct Scripts {
    folder: TempDir,
}

impl Scripts {
    fn install() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let program = folder.path().join("ottla");
        // By another process: a file that this one has open for writing, if only in a child that another thread just forked, is busy.
        process::run(Command::new("cp").arg(workspace::ottla()).arg(&program), b"", LIMIT).ok();
        let mut command = Command::new(&program);
        command.arg("install-links").arg(folder.path().join("bin"));
        let made = process::run(&mut command, b"", LIMIT).ok();
        assert_eq!(made.lines().count(), 16, "{made}");
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("bin").join(name)
    }

    fn run(&self, name: &str, arguments: &[&str]) -> Finished {
        process::run(Command::new(self.path(name)).args(arguments), b"", LIMIT)
    }
}

/// Runs Kafka's tool and ours, and compares standard output and exit code.
fn compare(scripts: &Scripts, tool: &str, arguments: &[&str], normalise: impl Fn(&str) -> String) {
    let theirs = kafka::tool(tool, arguments);
    let ours = scripts.run(&format!("kafka-{tool}.sh"), arguments);
    let shown = |finished: &Finished| (finished.status.code(), normalise(&finished.stdout));
    assert_eq!(shown(&ours), shown(&theirs), "{tool} {arguments:?}\n{}\n{}", ours.stderr, theirs.stderr);
}

fn as_it_is(text: &str) -> String {
    text.to_owned()
}

#[test]
fn kafka_topics_prints_what_kafkas_own_prints() {
    let (broker, scripts) = (Broker::start(), Scripts::install());
    let bootstrap = broker.bootstrap();
    let ours =
        |arguments: &[&str]| scripts.run("kafka-topics.sh", &[&["--bootstrap-server", &bootstrap], arguments].concat());
    let same = |arguments: &[&str]| {
        compare(&scripts, "topics", &[&["--bootstrap-server", &bootstrap], arguments].concat(), as_it_is);
    };
    same(&["--list"]);
    let created = ours(&["--create", "--topic", "a_b", "--partitions", "2", "--config", "retention.ms=3600000"]).ok();
    assert!(created.starts_with("WARNING: ") && created.ends_with("Created topic a_b.\n"), "{created}");
    ours(&["--create", "--topic", "plain", "--config", "segment.bytes=1048576", "--config", "flush.ms=5"]).ok();
    same(&["--create", "--topic", "a_b"]);
    same(&["--create", "--topic", "a_b", "--if-not-exists"]);
    same(&["--list"]);
    same(&["--describe"]);
    same(&["--describe", "--topic", "a.*,pl.*n", "--topics-with-overrides"]);
    same(&["--describe", "--topic", "nosuch"]);
    same(&["--create", "--topic", "bad", "--config", "retention.ms=soon"]);
    same(&["--create", "--topic", "bad", "--config", "nosuch=1"]);
    same(&["--create", "--topic", "bad name"]);
    same(&["--alter", "--topic", "a_b", "--partitions", "1"]);
    assert_eq!(ours(&["--alter", "--topic", "a_b", "--partitions", "3"]).ok(), "");
    same(&["--describe", "--topic", "a_b"]);
    assert_eq!(ours(&["--delete", "--topic", "a_b"]).ok(), "");
    same(&["--list"]);

    let scripted = ours(&["--create", "--topic", "plain"]).everything();
    assert!(scripted.contains("TopicExistsException"), "scripts look for the name: {scripted}");
}

/// Kafka prints what lies in hash maps in their order, and names the time of none.
fn sorted(text: &str) -> String {
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    lines.join("\n")
}

#[test]
fn kafka_consumer_groups_prints_what_kafkas_own_prints() {
    let broker = Setup::new().set("group.initial.rebalance.delay.ms", 0).set("offsets.topic.num.partitions", 2).start();
    let scripts = Scripts::install();
    let bootstrap = broker.bootstrap();
    let mut connection = broker.connect();
    connection.create_topic("orders", 3, &[]);
    for partition in 0..3 {
        let batch = records::batch(1, 0..10, Codec::None, wait::now_ms());
        assert_eq!(connection.produce("orders", partition, batch).error_code, 0);
    }
    for group in ["busy", "idle"] {
        connection.await_coordinator(group);
    }
    // Version 0, orders of partitions 0 and 2, no user data.
    let member = connection.join_alone("busy", "\0\0\0\0\0\u{1}\0\u{6}orders\0\0\0\u{2}\0\0\0\0\0\0\0\u{2}\0\0\0\0");
    for (group, member, partition) in [("busy", &member, 0), ("busy", &member, 1), ("idle", &Member::none(), 2)] {
        assert_eq!(connection.commit(group, member, ("orders", partition), &(4, 0, String::new())), 0);
    }
    let same = |arguments: &[&str]| {
        compare(&scripts, "consumer-groups", &[&["--bootstrap-server", &bootstrap], arguments].concat(), sorted);
    };
    same(&["--list"]);
    same(&["--list", "--state", "--type"]);
    same(&["--list", "--state", "empty,dead"]);
    same(&["--describe", "--all-groups"]);
    same(&["--describe", "--group", "busy", "--verbose"]);
    same(&["--describe", "--all-groups", "--members", "--verbose"]);
    same(&["--describe", "--all-groups", "--state"]);
    same(&["--describe", "--group", "idle", "--state", "--verbose"]);
    let reset = ["--reset-offsets", "--group", "idle", "--topic", "orders", "--dry-run"];
    for how in [
        &["--to-earliest"][..],
        &["--to-current"],
        &["--to-offset", "99"],
        &["--to-datetime", "2001-01-01T00:00:00.000"],
        &["--by-duration", "P1D"],
        &["--to-offset", "3", "--export"],
    ] {
        same(&[&reset[..], how].concat());
    }
    same(&["--reset-offsets", "--group", "idle", "--all-topics", "--shift-by", "-1", "--dry-run"]);
    same(&["--reset-offsets", "--group", "busy", "--all-topics", "--to-latest", "--execute"]);
    same(&["--delete", "--group", "busy"]);
    same(&["--delete-offsets", "--group", "idle", "--topic", "orders:1"]);
    same(&["--delete-offsets", "--group", "busy", "--topic", "nosuch"]);

    let ours = |arguments: &[&str]| {
        scripts.run("kafka-consumer-groups.sh", &[&["--bootstrap-server", &bootstrap], arguments].concat()).ok()
    };
    ours(&["--reset-offsets", "--group", "idle", "--topic", "orders:2", "--to-offset", "7", "--execute"]);
    assert_eq!(connection.fetch_offsets("idle", None), [("orders".to_owned(), 2, (7, -1, String::new()))]);
    assert_eq!(
        ours(&["--delete", "--group", "idle"]),
        "Deletion of requested consumer groups ('idle') was successful.\n"
    );
    assert_eq!(ours(&["--list"]), "busy\n");
}

#[test]
fn command_lines_that_are_none_end_as_kafkas_do() {
    let scripts = Scripts::install();
    for arguments in [
        &["--list"][..],
        &["--bootstrap-server", "127.0.0.1:1"],
        &["--bootstrap-server", "127.0.0.1:1", "--list", "--create"],
        &["--bootstrap-server", "127.0.0.1:1", "--create"],
        &["--bootstrap-server", "127.0.0.1:1", "--list", "--partitions", "1"],
    ] {
        compare(&scripts, "topics", arguments, as_it_is);
    }
    let unknown = scripts.run("kafka-topics", &["--lis"]);
    assert_eq!((unknown.status.code(), unknown.stderr.as_str()), (Some(1), "lis is not a recognized option\n"));
}

#[test]
fn kafka_broker_api_versions_prints_what_kafkas_own_prints() {
    let (broker, scripts) = (Broker::start(), Scripts::install());
    compare(&scripts, "broker-api-versions", &["--bootstrap-server", &broker.bootstrap()], as_it_is);
    let nobody = scripts.run("kafka-broker-api-versions.sh", &["--bootstrap-server", "127.0.0.1:1"]);
    assert_eq!(nobody.status.code(), Some(1), "a health check must see that nobody answers");
}

fn properties(folder: &Path) -> String {
    let path = folder.join("server.properties");
    let text = format!(
        "process.roles=broker,controller\nnode.id=3\ncontroller.quorum.voters=3@127.0.0.1:29093\n\
         listeners=PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0\ncontroller.listener.names=CONTROLLER\nlog.dirs={0}/a,{0}/b\n",
        folder.display()
    );
    fs::write(&path, text).expect("the file can be written");
    path.display().to_string()
}

/// Without the ids, which are random, the list of first records, which is Java's own, and the order of directories, which is that of
/// a hash map.
fn without_ids(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.starts_with("Bootstrap metadata: "));
    let mut lines: Vec<_> = lines.map(|line| line.split("directory.id=").next().unwrap_or_default()).collect();
    lines.sort_unstable();
    lines.join("\n")
}

#[test]
fn kafka_storage_formats_as_kafkas_own_does() {
    let scripts = Scripts::install();
    let (theirs, ours) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let (their_file, our_file) = (properties(theirs.path()), properties(ours.path()));
    let same = |arguments: &[&str]| {
        let with =
            |file: &str| -> Vec<String> { arguments.iter().map(|word| word.replace("FILE", file)).collect::<Vec<_>>() };
        let (their_words, our_words) = (with(&their_file), with(&our_file));
        let finished = kafka::tool("storage", &their_words.iter().map(String::as_str).collect::<Vec<_>>());
        let own = scripts.run("kafka-storage.sh", &our_words.iter().map(String::as_str).collect::<Vec<_>>());
        let theirs = without_ids(&finished.stdout).replace(&theirs.path().display().to_string(), "");
        let ours = without_ids(&own.stdout).replace(&ours.path().display().to_string(), "");
        assert_eq!((own.status.code(), ours), (finished.status.code(), theirs), "{arguments:?}\n{}", own.stderr);
    };
    same(&["info", "-c", "FILE"]);
    same(&["format", "-c", "FILE", "-t", "5L6g3nShT-eMCtK--X86sw"]);
    same(&["info", "--config", "FILE"]);
    same(&["format", "-c", "FILE", "-t", "5L6g3nShT-eMCtK--X86sw"]);
    same(&["format", "-c", "FILE", "-t", "5L6g3nShT-eMCtK--X86sw", "--ignore-formatted"]);
    same(&["format", "-c", "FILE", "-t", "another", "-g"]);
    same(&["format", "-c", "FILE"]);

    let random = scripts.run("kafka-storage.sh", &["random-uuid"]).ok();
    assert!(random.trim_end().len() == 22 && !random.starts_with('-'), "{random}");
}

#[test]
fn a_daemon_is_started_and_stopped_by_scripts() {
    let scripts = Scripts::install();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = properties(folder.path());
    let nothing = scripts.run("kafka-server-stop.sh", &[]);
    assert_eq!((nothing.status.code(), nothing.stdout.as_str()), (Some(1), "No kafka server to stop\n"));
    let started = scripts.run("kafka-server-start.sh", &["-daemon", &file, "--override", "num.partitions=2"]);
    assert_eq!(started.ok(), "");
    let log = scripts.folder.path().join("logs/kafkaServer.out");
    let text = || fs::read_to_string(&log).unwrap_or_default();
    wait::until_true("the broker", LIMIT, || text().contains("Kafka Server started"));
    assert_eq!(scripts.run("kafka-server-stop.sh", &[]).ok(), "");
    wait::until_true("its end", LIMIT, || text().contains("shut down completed"));

    assert_eq!(scripts.run("kafka-server-start.sh", &[]).status.code(), Some(1));
    assert!(scripts.run("kafka-server-start.sh", &["--version"]).ok().starts_with("4.3.1"));
    assert!(
        scripts.run("zookeeper-server-start.sh", &["-daemon", "zookeeper.properties"]).ok().contains("No ZooKeeper")
    );
}
