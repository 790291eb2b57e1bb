//! Called as one of Kafka's scripts, the binary prints what the script prints: both run against the same broker.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use integration::broker::{Broker, Setup};
use integration::process::{self, Finished};
use integration::wire::{Member, join_request, text};
use integration::{kafka, records, wait, workspace};
use protocol::ids::Uuid;
use protocol::record_batch::{BatchBuilder, Codec};
use protocol::remote_log_record::{
    RemoteLogRecord, RemoteLogSegmentIdEntry, RemoteLogSegmentMetadataRecord, RemoteLogSegmentMetadataUpdateRecord,
    RemoteLogSegmentState, RemotePartitionDeleteMetadataRecord, SegmentLeaderEpochEntry, TopicIdPartitionEntry,
};
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
        assert_eq!(made.lines().count(), 18, "{made}");
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
fn kafka_consumer_groups_prints_of_living_members_what_kafkas_own_prints() {
    let broker = Setup::new()
        .set("group.initial.rebalance.delay.ms", 0)
        .set("offsets.topic.num.partitions", 2)
        // No session ends during the test, however slow the machine.
        .set("group.consumer.max.session.timeout.ms", 600_000)
        .set("group.consumer.session.timeout.ms", 600_000)
        .start();
    let scripts = Scripts::install();
    let bootstrap = broker.bootstrap();
    let mut connection = broker.connect();
    connection.create_topic("orders", 3, &[]);
    let epoch = connection.join_consumer("modern", "a-member", "orders");
    let member = Member { id: "a-member".to_owned(), generation: epoch };
    assert_eq!(connection.commit("modern", &member, ("orders", 0), &(0, 0, String::new())), 0);
    connection.await_coordinator("classic");
    let static_member = join_request("classic", "").with_group_instance_id(Some(text("an-instance")));
    let joined = connection.join(&static_member);
    let member = Member { id: joined.member_id.to_string(), generation: joined.generation_id };
    let assignment = "\0\0\0\0\0\u{1}\0\u{6}orders\0\0\0\u{2}\0\0\0\0\0\0\0\u{2}\0\0\0\0";
    assert_eq!(connection.sync("classic", &member, &[(&member.id, assignment)]).error_code, 0);
    assert_eq!(connection.commit("idle", &Member::none(), ("orders", 1), &(0, 0, String::new())), 0);
    let same = |arguments: &[&str]| {
        compare(&scripts, "consumer-groups", &[&["--bootstrap-server", &bootstrap], arguments].concat(), sorted);
    };
    for group in ["modern", "classic"] {
        for report in [&["--members"][..], &["--members", "--verbose"], &["--state", "--verbose"], &["--verbose"]] {
            same(&[&["--describe", "--group", group], report].concat());
        }
    }
    same(&["--describe", "--all-groups", "--offsets"]);
    same(&["--list", "--type", "consumer"]);
    same(&["--list", "--type", "Classic,consumer", "--state", "stable"]);
    same(&["--reset-offsets", "--group", "modern", "--all-topics", "--to-earliest", "--execute"]);
    same(&["--reset-offsets", "--all-groups", "--all-topics", "--to-latest", "--dry-run", "--export"]);
    same(&["--delete-offsets", "--group", "modern", "--topic", "orders"]);
    same(&["--delete", "--group", "modern", "--group", "classic"]);
}

#[test]
fn kafka_consumer_groups_checks_expressions_and_reads_files_as_kafkas_own_does() {
    let broker = Setup::new().set("offsets.topic.num.partitions", 1).start();
    let scripts = Scripts::install();
    let bootstrap = broker.bootstrap();
    let mut connection = broker.connect();
    connection.create_topic("orders", 2, &[]);
    connection.await_coordinator("idle");
    for (group, partition) in [("idle", 0), ("idle", 1), ("other", 0)] {
        assert_eq!(connection.commit(group, &Member::none(), ("orders", partition), &(0, 0, String::new())), 0);
    }
    for regex in ["orders-.*", "(", "[z-a]", "x{2,1}"] {
        compare(&scripts, "consumer-groups", &["--validate-regex", regex], as_it_is);
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("it can be written");
        path.display().to_string()
    };
    let (one, two) = (file("one", "orders,0,0\norders,1,5\n"), file("two", "idle,orders,0,0\nother,orders,1,0\n"));
    let same = |arguments: &[&str]| {
        let server = ["--bootstrap-server", &bootstrap, "--reset-offsets"];
        compare(&scripts, "consumer-groups", &[&server, arguments].concat(), sorted);
    };
    same(&["--group", "idle", "--from-file", &one, "--dry-run"]);
    same(&["--group", "idle", "--group", "other", "--from-file", &two, "--dry-run"]);
    same(&["--group", "idle", "--group", "other", "--all-topics", "--to-latest", "--dry-run", "--export"]);
    same(&["--group", "idle", "--topic", "orders:0,1", "--shift-by", "3", "--dry-run"]);
    same(&["--group", "new", "--topic", "orders", "--to-earliest"]);
    same(&["--group", "new", "--topic", "orders", "--to-current", "--dry-run"]);
    same(&["--group", "new", "--all-topics", "--to-latest", "--dry-run"]);
    same(&["--group", "idle", "--topic", "orders:7", "--to-latest", "--dry-run"]);
    same(&["--group", "idle", "--topic", "orders", "--to-latest", "--to-earliest", "--dry-run"]);
    same(&["--group", "idle", "--to-latest", "--dry-run"]);
}

/// Some of Kafka's lines end in a space.
fn without_ends(text: &str) -> String {
    text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// The files of a folder with one of these suffixes, with commas between them.
fn files(folder: &Path, suffixes: &[&str]) -> String {
    let entries = fs::read_dir(folder).expect("the folder is there");
    let names = entries.map(|entry| entry.expect("an entry").path().display().to_string());
    let mut names: Vec<_> = names.filter(|name| suffixes.iter().any(|suffix| name.ends_with(suffix))).collect();
    names.sort();
    assert!(!names.is_empty(), "{} has no {suffixes:?}", folder.display());
    names.join(",")
}

#[test]
fn kafka_dump_log_prints_of_kafkas_files_what_kafkas_own_prints() {
    let scripts = Scripts::install();
    let golden = workspace::root().join("storage/tests/golden/kafka-4.3.1/orders-0");
    let logs = files(&golden, &[".log"]);
    let all = files(&golden, &[".log", "index", ".snapshot"]);
    for options in [
        &["--print-data-log"][..],
        &["--deep-iteration", "--index-sanity-check"],
        &["--value-decoder-class=org.apache.kafka.tools.api.StringDecoder", "--skip-record-metadata"],
        &["--deep-iteration", "--skip-record-metadata", "--verify-index-only"],
    ] {
        compare(&scripts, "dump-log", &[&["--files", &all], options].concat(), without_ends);
    }
    for options in [&["--max-bytes", "200", "--print-data-log"][..], &["--offsets-decoder"], &["--max-bytes=0"]] {
        compare(&scripts, "dump-log", &[&["--files", &logs], options].concat(), without_ends);
    }
    compare(&scripts, "dump-log", &["--files", "/no/such/file.txt,/etc/ld.so.conf"], as_it_is);
    compare(&scripts, "dump-log", &["--print-data-log"], as_it_is);
    compare(&scripts, "dump-log", &[], as_it_is);
    for option in ["--transaction-log-decoder", "--share-group-state-decoder", "--value-decoder-class=my.Decoder"] {
        let refused = scripts.run("kafka-dump-log", &["--files", &logs, option]);
        assert_eq!((refused.status.code(), refused.stdout.as_str()), (Some(1), ""), "{option}");
        let word = option.trim_start_matches("--value-decoder-class=");
        assert!(refused.stderr.contains(word), "{}", refused.stderr);
    }
}

/// One of every kind, with and without what may be absent.
fn remote_log_records() -> [(&'static str, RemoteLogRecord); 3] {
    let of = TopicIdPartitionEntry { name: text("orders"), id: Uuid::from_u128(7), partition: 3 };
    let id = RemoteLogSegmentIdEntry { topic_id_partition: of.clone(), id: Uuid::from_u128(9) };
    let epoch = |leader_epoch, offset| SegmentLeaderEpochEntry { leader_epoch, offset };
    let copied = RemoteLogSegmentMetadataRecord {
        remote_log_segment_id: id.clone(),
        start_offset: 10,
        end_offset: 20,
        broker_id: 1,
        max_timestamp_ms: 1_700_000_000_000,
        event_timestamp_ms: 1_700_000_000_001,
        segment_leader_epochs: vec![epoch(0, 10), epoch(4, 15)],
        segment_size_in_bytes: 1000,
        custom_metadata: Some(b"abc".as_slice().into()),
        remote_log_segment_state: RemoteLogSegmentState::CopySegmentStarted.id(),
        txn_index_empty: true,
    };
    let deleted = RemoteLogSegmentMetadataUpdateRecord {
        remote_log_segment_id: id,
        broker_id: 2,
        event_timestamp_ms: 5,
        custom_metadata: None,
        remote_log_segment_state: RemoteLogSegmentState::DeleteSegmentFinished.id(),
    };
    let gone = RemotePartitionDeleteMetadataRecord {
        topic_id_partition: of,
        broker_id: 1,
        event_timestamp_ms: 6,
        remote_partition_delete_state: 1,
    };
    [
        ("copied", RemoteLogRecord::Segment(copied)),
        ("deleted", RemoteLogRecord::SegmentUpdate(deleted)),
        ("gone", RemoteLogRecord::PartitionDelete(gone)),
    ]
}

#[test]
fn kafka_dump_log_prints_of_our_files_what_kafkas_own_prints() {
    let scripts = Scripts::install();
    let broker =
        Setup::new().ottla().set("group.initial.rebalance.delay.ms", 0).set("offsets.topic.num.partitions", 1).start();
    let bootstrap = broker.bootstrap();
    let mut connection = broker.connect();
    connection.create_topic("t", 1, &[("index.interval.bytes", "100"), ("internal.segment.bytes", "4000")]);
    connection.create_topic("remote", 1, &[]);
    for number in 0..20 {
        let mut batch = BatchBuilder::new(0, Codec::None);
        // Neither key nor headers, then both.
        batch.append(wait::now_ms() + number, None, Some(&[b'v'; 300]), &[]);
        batch.append(wait::now_ms() + number, Some(b"key"), None, &[(&b"header"[..], Some(&b"1"[..]))]);
        assert_eq!(connection.produce("t", 0, batch.build()).error_code, 0);
    }
    for protocol in ["classic", "consumer"] {
        let (group, protocol) = (format!("of-{protocol}"), format!("group.protocol={protocol}"));
        let of_group = ["--group", &group, "--command-property", &protocol];
        let read = ["--bootstrap-server", &bootstrap, "--topic", "t", "--from-beginning", "--max-messages", "2"];
        kafka::tool("console-consumer", &[&read[..], &of_group].concat()).ok();
    }
    let partition = broker.data().join("t-0");
    let all = files(&partition, &[".log", "index"]);
    assert!(all.matches(".log").count() > 1, "internal.segment.bytes makes several segments: {all}");
    for options in [&["--print-data-log"][..], &["--print-data-log", "--skip-record-metadata", "--verify-index-only"]] {
        compare(&scripts, "dump-log", &[&["--files", &all], options].concat(), without_ends);
    }
    let checked = scripts.run("kafka-dump-log", &["--files", &all, "--verify-index-only"]);
    assert_eq!(checked.stderr, "", "the indexes are true");
    let offsets = files(&broker.data().join("__consumer_offsets-0"), &[".log"]);
    compare(&scripts, "dump-log", &["--files", &offsets, "--offsets-decoder"], without_ends);
    for (name, record) in remote_log_records() {
        let mut batch = BatchBuilder::new(0, Codec::None);
        batch.append(wait::now_ms(), None, Some(&record.encode().expect("it has a form")), &[]);
        assert_eq!(connection.produce("remote", 0, batch.build()).error_code, 0, "{name}");
    }
    let remote = files(&broker.data().join("remote-0"), &[".log"]);
    compare(&scripts, "dump-log", &["--files", &remote, "--remote-log-metadata-decoder"], without_ends);
    let metadata = files(&broker.data().join("__cluster_metadata-0"), &[".log"]);
    compare(&scripts, "dump-log", &["--files", &metadata, "--cluster-metadata-decoder"], without_ends);
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
