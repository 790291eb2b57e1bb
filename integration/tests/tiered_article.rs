//! The walk-through of the article on tiered storage that the mission names, step by step and with Kafka's own tools. The numbers of
//! steps are those of its text: its first half has segments of 200 bytes and Aiven's storage, its second half `LocalTieredStorage`,
//! with which Apache Kafka does the same, so that the answers are compared.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use integration::broker::{Broker, Setup};
use integration::tiering::{
    EARLIEST_LOCAL, FIRST, LIMIT, RemoteLogEvent, TIERED, append, await_tiering, files, list, remote_log_events,
};
use integration::{kafka, process, wait, workspace};

const TOPIC: &str = "tieredTopic";

/// Kafka's tools against one broker.
struct Tools {
    bootstrap: String,
}

impl Tools {
    fn of(broker: &Broker) -> Self {
        Self { bootstrap: broker.bootstrap() }
    }

    #[track_caller]
    fn run(&self, name: &str, arguments: &[&str]) -> String {
        kafka::tool(name, &[&["--bootstrap-server", self.bootstrap.as_str()], arguments].concat()).ok()
    }

    /// The lines that the console consumer prints of `count` records.
    #[track_caller]
    fn consume(&self, count: i64, more: &[&str]) -> Vec<String> {
        let count = count.to_string();
        let from_start = ["--topic", TOPIC, "--from-beginning", "--max-messages", &count];
        self.run("console-consumer", &[&from_start[..], more].concat()).lines().map(str::to_owned).collect()
    }

    #[track_caller]
    fn offset(&self, time: &str) -> String {
        self.run("get-offsets", &["--topic", TOPIC, "--time", time]).trim().to_owned()
    }
}

/// The article's `server.properties`, of Kafka 3.6 with ZooKeeper; the line that it broke is in it as it was printed.
const ARTICLES_FILE: &str = "\
broker.id=0
listeners=PLAINTEXT://127.0.0.1:0
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL
num.network.threads=3
num.io.threads=8
socket.send.buffer.bytes=102400
socket.receive.buffer.bytes=102400
socket.request.max.bytes=104857600
log.dirs=./data/kafka
num.partitions=1
num.recovery.threads.per.data.dir=1
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
offsets.topic.num.partitions=1
auto.create.topics.enable=true
log.flush.interval.messages=10000
log.flush.interval.ms=1000
log.retention.hours=168
log.retention.bytes=1073741824
log.segment.bytes=1073741824
log.segment.delete.delay.ms=1000
log.index.size.max.bytes=200
log.roll.hours=1
log.retention.check.interval.ms=1000
zookeeper.connect=localhost:2181
zookeeper.connection.timeout.ms=18000
group.initial.rebalance.delay.ms=0
remote.log.storage.system.enable=true
remote.log.manager.task.interval.ms=500
remote.log.metadata.manager.class.name=org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager
remote.log.metadata.manager.impl.prefix=rlmm.config.
remote.log.metadata.manager.listener.name=PLAINTEXT
rlmm.config.remote.log.metadata.topic.replication.factor=1
rlmm.config.remote.log.metadata.topic.num.partitions=1
remote.log.storage.manager.class.name=io.aiven.kafka.tieredstorage.RemoteStorageManager
remote.log.storage.manager.class.path=./libs/*
remote.log.storage.manager.impl.prefix=rsm.config.
rsm.config. rsm.config.chunk.size=100
rsm.config.chunk.size=100
rsm.config.chunk.cache.class=io.aiven.kafka.tieredstorage.chunkmanager.cache.InMemoryChunkCache
rsm.config.chunk.cache.size=20000
rsm.config.chunk.cache.retention.ms=1000
rsm.config.custom.metadata.fields.include=REMOTE_SIZE
rsm.config.key.prefix=tiered-storage-demo/
rsm.config.storage.backend.class=io.aiven.kafka.tieredstorage.storage.filesystem.FileSystemStorage
rsm.config.storage.root=./data/fs_storage
";

fn found(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    files(folder, &mut found);
    found
}

/// The names of files, without what comes before the first dash and behind the first dot.
fn suffixes(files: &[PathBuf]) -> BTreeSet<String> {
    let suffix = |path: &PathBuf| Some(path.file_name()?.to_str()?.split_once('.')?.1.to_owned());
    files.iter().filter_map(suffix).collect()
}

/// Steps 3 to 25.
#[test]
fn the_first_half_with_segments_of_200_bytes() {
    let folder = tempfile::Builder::new().prefix("article.").tempdir().expect("a temporary folder");
    fs::write(folder.path().join("server.properties"), ARTICLES_FILE).expect("the file can be written");
    let mut broker = Setup::new().ottla().folder(folder.path()).start();
    starts_without_an_error(&broker);
    let tools = Tools::of(&broker);
    wait::until_true("__remote_log_metadata", LIMIT, || {
        tools.run("topics", &["--list"]).trim() == "__remote_log_metadata"
    });
    // Kafka's tool of today refuses segments this small before it asks anybody; that of the article's Kafka did not.
    let mut create = Command::new(workspace::ottla());
    create.args(["topic", "create", TOPIC, "-b", &tools.bootstrap, "--config", "remote.storage.enable=true"]);
    create.args(["--config", "local.retention.ms=1000", "--config", "retention.ms=300000"]);
    create.args(["--config", "segment.bytes=200", "--config", "file.delete.delay.ms=0"]);
    process::run(&mut create, b"", LIMIT).ok();
    let to = ["--bootstrap-server", tools.bootstrap.as_str(), "--topic", TOPIC, "--sync"];
    kafka::tool_with_input("console-producer", &to, b"m1\nm2\nm3\nm4\nm5\nm6\n").ok();
    let mut connection = broker.connect();
    // The active segment too is closed when it is too old.
    wait::until_true("everything is remote only", LIMIT, || list(&mut connection, TOPIC, EARLIEST_LOCAL).offset == 6);
    // As of Apache Kafka, which names no offset that has no record yet.
    assert_eq!(tools.offset("earliest-pending-upload"), "");
    let expected = ["m1", "m2", "m3", "m4", "m5", "m6"];
    assert_eq!(tools.consume(6, &[]), expected);
    assert!(!found(&folder.path().join("data/fs_storage/tiered-storage-demo")).is_empty());
    let local = found(&folder.path().join("data/kafka").join(format!("{TOPIC}-0")));
    assert!(suffixes(&local).is_superset(&["log", "index", "timeindex"].map(str::to_owned).into()), "{local:?}");
    assert!(local.iter().any(|path| path.ends_with("00000000000000000006.log")), "{local:?}");
    let segments = events(&broker, local_segments(&folder.path().join("data/fs_storage")));
    assert!(segments.len() >= 3 && segments[0].starts_with("startOffset=0 "), "{segments:?}");
    for is_clean in [true, false] {
        if is_clean {
            broker.stop()
        } else {
            broker.kill9()
        }
        broker.restart();
        starts_without_an_error(&broker);
        broker.connect().await_leaders(TOPIC, 1);
        assert_eq!(Tools::of(&broker).consume(6, &[]), expected);
    }
}

/// How many segments there are below a folder.
fn local_segments(folder: &Path) -> usize {
    found(folder).iter().filter(|path| path.extension().is_some_and(|extension| extension == "log")).count()
}

/// Steps 14 to 16: the broken line is named, and nothing is wrong.
#[track_caller]
fn starts_without_an_error(broker: &Broker) {
    let log = broker.log();
    assert!(log.contains("Kafka Server started") && !log.contains("ERROR"), "{log}");
    assert!(!log.contains("not the name of a partition's folder"), "{log}");
    let is_named = |line: &str| line.contains("change nothing here") && line.contains(" rsm.config.,");
    assert!(log.lines().any(is_named), "{log}");
}

/// Steps 23 to 25, by Kafka's formatter; the article's author had to write one. Returns what is told of each segment, by its first
/// offset, once everything that was copied is told.
fn events(broker: &Broker, segments: usize) -> Vec<String> {
    wait::until("the end of every copy", LIMIT, || {
        let mut told: BTreeMap<String, Vec<RemoteLogEvent>> = BTreeMap::new();
        for event in remote_log_events(broker) {
            told.entry(event.segment_id.clone()).or_default().push(event);
        }
        let words = |events: &Vec<RemoteLogEvent>| {
            let states: Vec<&str> = events.iter().map(|event| event.state.as_str()).collect();
            format!("{} {}", events[0].segment, states.join(" "))
        };
        let mut words: Vec<String> = told.values().map(words).collect();
        words.sort();
        let copied = words.iter().filter(|line| line.ends_with("COPY_SEGMENT_STARTED COPY_SEGMENT_FINISHED")).count();
        (copied == words.len() && copied == segments).then_some(words)
    })
}

/// A broker with `LocalTieredStorage`, by the same file whoever it is.
fn local_storage(setup: Setup, folder: &Path) -> Setup {
    let class = "org.apache.kafka.server.log.remote.storage.LocalTieredStorage";
    setup
        .folder(folder)
        .set("offsets.topic.num.partitions", 1)
        .set("group.initial.rebalance.delay.ms", 0)
        .set("remote.log.storage.system.enable", "true")
        .set("remote.log.storage.manager.class.name", class)
        .set("remote.log.storage.manager.class.path", kafka::tiered_class_path())
        .set("rsm.config.dir", folder.join("fs_storage").display())
        .set("remote.log.metadata.manager.listener.name", "PLAINTEXT")
        .set("rlmm.config.remote.log.metadata.topic.replication.factor", 1)
        .set("rlmm.config.remote.log.metadata.topic.num.partitions", 1)
        .set("remote.log.manager.task.interval.ms", 500)
        .set("log.retention.check.interval.ms", 500)
}

/// What one broker answered, with its ids blanked: step by step, so that a difference is found where it begins.
type Answers = Vec<(&'static str, Vec<String>)>;

/// Steps 26 to 30, and what of the traps of the first half needs a second reader.
fn second_half(setup: Setup, folder: &Path) -> Answers {
    let mut broker = local_storage(setup, folder).start();
    let mut answers = Answers::new();
    let configs: Vec<String> = TIERED.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let mut create = vec!["--create", "--topic", TOPIC];
    configs.iter().for_each(|config| create.extend(["--config", config.as_str()]));
    let created = Tools::of(&broker).run("topics", &create);
    answers.push(("created", lines(&created)));
    let mut connection = broker.connect();
    connection.await_leaders(TOPIC, 1);
    let mut end = append(&mut connection, TOPIC, 0, 35);
    answers.extend(everything(&broker, end));
    answers.push(("offsets", offsets(&broker)));
    answers.push(("kept by Kafka's class", dump(folder)));
    answers.push(("files", names(folder)));
    for is_clean in [true, false] {
        if is_clean {
            broker.stop()
        } else {
            broker.kill9()
        }
        broker.restart();
        connection = broker.connect();
        connection.await_leaders(TOPIC, 1);
        end = append(&mut connection, TOPIC, end, 12);
        answers.extend(everything(&broker, end));
    }
    answers.push(("events", events(&broker, local_segments(&folder.join("fs_storage")))));
    connection = broker.connect();
    assert_eq!(connection.delete_records(TOPIC, 0, 150), (0, 150));
    let tools = Tools::of(&broker);
    answers.push(("pruned", vec![tools.offset("earliest")]));
    answers
        .push(("read behind what is pruned", tools.consume(end - 150, &["--formatter-property", "print.offset=true"])));
    answers
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

/// What the tool says of every special timestamp, and of one in the remote part.
fn offsets(broker: &Broker) -> Vec<String> {
    let names = ["earliest", "latest", "max-timestamp", "earliest-local", "latest-tiered", "earliest-pending-upload"];
    let tools = Tools::of(broker);
    names.iter().chain(&["1700000042000"]).map(|time| format!("{time} {}", tools.offset(time))).collect()
}

/// What ListOffsets says of the same, and every record by the console consumer.
fn everything(broker: &Broker, end: i64) -> Answers {
    let mut connection = broker.connect();
    await_tiering(broker, &mut connection, TOPIC);
    let times = (-6..0).chain([FIRST + 42_000, FIRST + end * 1000]);
    // Leader epochs are not compared: how often a broker that comes back is elected is a matter of its own.
    let listed = times.map(|time| {
        let found = list(&mut connection, TOPIC, time);
        format!("{time}: error {}, offset {}, timestamp {}", found.error_code, found.offset, found.timestamp)
    });
    let listed = listed.collect();
    let printed = ["--formatter-property", "print.offset=true", "--formatter-property", "print.timestamp=true"];
    vec![("listed", listed), ("records", Tools::of(broker).consume(end, &printed))]
}

/// What Kafka's own class finds in the directory.
fn dump(folder: &Path) -> Vec<String> {
    let root = folder.join("fs_storage").display().to_string();
    lines(&kafka::java("TieredStorage.java", &[&root]).ok())
}

/// The names of the files without their ids, each with a checksum where what is in it is a matter of the records alone.
fn names(folder: &Path) -> Vec<String> {
    let root = folder.join("fs_storage/kafka-tiered-storage");
    let name = |path: &PathBuf| {
        let relative = path.strip_prefix(&root).ok()?.to_str()?;
        let (directory, file) = relative.split_once('/')?;
        let partition = directory.get(..directory.len().checked_sub(ID)?)?;
        let (base_offset, rest) = (file.get(..20)?, file.get(20 + ID..)?);
        let is_of_records = rest == ".log" || rest == ".leader_epoch_checkpoint";
        let mut sum = DefaultHasher::new();
        let bytes = if is_of_records { fs::read(path).ok()? } else { Vec::new() };
        bytes.hash(&mut sum);
        Some(format!("{partition}/{base_offset}{rest} {:016x}", sum.finish()))
    };
    let mut names: Vec<String> = found(&root).iter().map(|path| name(path).unwrap_or(format!("{path:?}"))).collect();
    names.sort();
    names
}

/// A dash and an id.
const ID: usize = 1 + 22;

#[test]
fn the_second_half_beside_apache_kafka() {
    let folder = tempfile::Builder::new().prefix("article.").tempdir().expect("a temporary folder");
    let (of_kafka, of_ottla) = (folder.path().join("kafka"), folder.path().join("ottla"));
    let theirs = std::thread::spawn(move || second_half(Setup::new().apache_kafka(), &of_kafka));
    let ours = second_half(Setup::new().ottla(), &of_ottla);
    let theirs = theirs.join().expect("Apache Kafka's half");
    for (theirs, ours) in theirs.iter().zip(&ours) {
        assert_eq!(theirs.0, ours.0);
        let first = theirs.1.iter().zip(&ours.1).position(|(theirs, ours)| theirs != ours);
        let (count, shown) = (theirs.1.len(), first.map(|at| (short(&theirs.1[at]), short(&ours.1[at]))));
        assert!(theirs.1 == ours.1, "{}: {count} lines and {}, first {shown:?}", theirs.0, ours.1.len());
    }
    assert_eq!(theirs.len(), ours.len());
}

fn short(line: &str) -> &str {
    line.get(..200).unwrap_or(line)
}

/// Steps 27 and 29 with the load that the article makes.
#[test]
fn a_load_of_the_perf_test_comes_back() {
    let folder = tempfile::Builder::new().prefix("article.").tempdir().expect("a temporary folder");
    let mut broker = local_storage(Setup::new().ottla(), folder.path()).start();
    let mut connection = broker.connect();
    connection.create_topic(TOPIC, 1, &TIERED);
    let tools = Tools::of(&broker);
    let load = ["--topic", TOPIC, "--num-records", "10000", "--record-size", "1024", "--throughput", "-1"];
    tools.run("producer-perf-test", &load);
    await_tiering(&broker, &mut connection, TOPIC);
    let consumed = |tools: &Tools, group: &str| {
        let read = ["--topic", TOPIC, "--messages", "10000", "--timeout", "60000", "--group", group];
        let printed = tools.run("consumer-perf-test", &read);
        printed.lines().last().unwrap_or_default().split(", ").nth(4).map(str::to_owned)
    };
    assert_eq!(consumed(&tools, "before").as_deref(), Some("10000"));
    broker.stop();
    broker.restart();
    broker.connect().await_leaders(TOPIC, 1);
    assert_eq!(consumed(&Tools::of(&broker), "after").as_deref(), Some("10000"));
    let store = format!("file://{}", folder.path().join("fs_storage").display());
    let verified =
        process::run(Command::new(workspace::ottla()).args(["tier", "verify", "--store", &store]), b"", LIMIT);
    assert!(verified.ok().contains("no problem"));
}
