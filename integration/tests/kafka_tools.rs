//! Kafka's own 4.x tools, and with them its Java clients, against our broker; and its log reader on our files.

use std::fs;
use std::path::{Path, PathBuf};

use integration::broker::{Broker, Setup};
use integration::kafka::{tool, tool_with_input};
use integration::wire::Connection;
use integration::{audit, records, wait};
use protocol::record_batch::{BatchBuilder, Codec};

fn topics(broker: &Broker, arguments: &[&str]) -> String {
    let bootstrap = broker.bootstrap();
    tool("topics", &[&["--bootstrap-server", &bootstrap], arguments].concat()).ok()
}

#[test]
fn topics_are_created_listed_described_altered_and_deleted() {
    let broker = Broker::start();
    let create = ["--create", "--topic", "made", "--partitions", "2", "--config", "retention.ms=3600000"];
    assert!(topics(&broker, &create).contains("Created topic made."));
    assert!(topics(&broker, &["--list"]).lines().any(|line| line == "made"));

    let described = topics(&broker, &["--describe", "--topic", "made"]);
    assert!(described.contains("PartitionCount: 2\tReplicationFactor: 1"), "{described}");
    assert!(described.contains("retention.ms=3600000"), "{described}");
    assert!(described.contains("Topic: made\tPartition: 1\tLeader: 1\tReplicas: 1\tIsr: 1"), "{described}");
    assert!(!described.contains("AAAAAAAAAAAAAAAAAAAAAA"), "a topic has an id: {described}");

    topics(&broker, &["--alter", "--topic", "made", "--partitions", "5"]);
    assert!(topics(&broker, &["--describe", "--topic", "made"]).contains("PartitionCount: 5"));
    assert_eq!(broker.connect().describe_topic("made").partitions.len(), 5);

    topics(&broker, &["--delete", "--topic", "made"]);
    wait::until_true("the deletion", std::time::Duration::from_secs(60), || {
        broker.connect().describe_topic("made").error_code == 3
    });
    assert!(!topics(&broker, &["--list"]).contains("made"));
}

#[test]
fn refusals_are_worded_as_kafka_words_them() {
    let broker = Broker::start();
    let bootstrap = broker.bootstrap();
    let fail = |arguments: &[&str]| {
        let finished = tool("topics", &[&["--bootstrap-server", &bootstrap], arguments].concat());
        assert!(!finished.status.success(), "{}", finished.everything());
        finished.everything()
    };
    topics(&broker, &["--create", "--topic", "once"]);
    assert!(fail(&["--create", "--topic", "once"]).contains("Topic 'once' already exists"));
    assert!(fail(&["--create", "--topic", "no spaces"]).contains("InvalidTopicException"));
    assert!(fail(&["--create", "--topic", "two", "--replication-factor", "2"]).contains("InvalidReplicationFactor"));
    assert!(fail(&["--create", "--topic", "bad", "--config", "retention.ms=soon"]).contains("Invalid value soon"));
    assert!(fail(&["--alter", "--topic", "once", "--partitions", "1"]).contains("InvalidPartitions"));
}

#[test]
fn the_console_tools_produce_and_consume_one_partition() {
    let broker = Broker::start();
    let bootstrap = broker.bootstrap();
    let mut connection = broker.connect();
    connection.create_topic("console", 1, &[]);
    let producer = ["--bootstrap-server", &bootstrap, "--topic", "console", "--reader-property", "parse.key=true"];
    tool_with_input("console-producer", &producer, b"k0\tv0\nk1\tv1\nk2\tv2\n").ok();
    for codec in ["gzip", "snappy", "lz4", "zstd"] {
        let line = format!("codec\t{codec}\n");
        let arguments = [&producer[..], &["--compression-codec", codec]].concat();
        tool_with_input("console-producer", &arguments, line.as_bytes()).ok();
    }
    let consumer = [
        "--bootstrap-server",
        &bootstrap,
        "--topic",
        "console",
        "--partition",
        "0",
        "--offset",
        "1",
        "--max-messages",
        "6",
        "--timeout-ms",
        "60000",
        "--formatter-property",
        "print.offset=true",
        "--formatter-property",
        "print.key=true",
    ];
    let read = tool("console-consumer", &consumer).ok();
    let expected = "Offset:1\tk1\tv1\nOffset:2\tk2\tv2\nOffset:3\tcodec\tgzip\nOffset:4\tcodec\tsnappy\n\
                    Offset:5\tcodec\tlz4\nOffset:6\tcodec\tzstd\n";
    assert_eq!(read, expected);
    let contents = audit::read_all(&mut connection, "console", 0);
    assert_eq!(contents.records.len(), 7);
    assert!(contents.headers[0].producer_id >= 0, "Java's producer is idempotent by default");
}

#[test]
fn offsets_of_every_special_time() {
    let broker = Broker::start();
    let bootstrap = broker.bootstrap();
    let mut connection = broker.connect();
    connection.create_topic("times", 1, &[]);
    let base = wait::now_ms() - 60_000;
    for (number, age) in [(0, 0), (1, 2000), (2, 1000)] {
        let batch = records::batch(1, number..number + 1, Codec::None, base + age);
        assert_eq!(connection.produce("times", 0, batch).error_code, 0);
    }
    let get = |time: &str| {
        let arguments = ["--bootstrap-server", &bootstrap, "--topic", "times", "--time", time];
        tool("get-offsets", &arguments).ok()
    };
    assert_eq!(get("earliest"), "times:0:0\n");
    assert_eq!(get("latest"), "times:0:3\n");
    assert_eq!(get("max-timestamp"), "times:0:1\n");
    assert_eq!(get("earliest-local"), "times:0:0\n");
    assert_eq!(get("latest-tiered"), "", "nothing is tiered");
    assert_eq!(get(&(base + 1).to_string()), "times:0:1\n");
    assert_eq!(get(&(base + 5000).to_string()), "", "nothing is that young");
}

#[test]
fn records_are_deleted_up_to_an_offset() {
    let broker = Broker::start();
    let mut connection = broker.connect();
    connection.create_topic("prune", 1, &[]);
    for number in 0..10 {
        connection.produce("prune", 0, records::batch(1, number..number + 1, Codec::None, wait::now_ms()));
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("offsets.json");
    let json = r#"{"partitions":[{"topic":"prune","partition":0,"offset":7}],"version":1}"#;
    fs::write(&file, json).expect("the file can be written");
    let file = file.to_str().expect("the path is text");
    let output = tool("delete-records", &["--bootstrap-server", &broker.bootstrap(), "--offset-json-file", file]).ok();
    assert!(output.contains("partition: prune-0\tlow_watermark: 7"), "{output}");
    assert_eq!((connection.earliest("prune", 0), connection.latest("prune", 0)), (7, 10));
}

#[test]
fn versions_and_quorum_are_described() {
    let broker = Broker::start();
    let bootstrap = broker.bootstrap();
    let versions = tool("broker-api-versions", &["--bootstrap-server", &bootstrap]).ok();
    assert!(versions.contains(&format!("{bootstrap} (id: 1 rack: null")), "{versions}");
    for api in ["Produce(0): 0 to 13", "Fetch(1): 4 to 18", "Metadata(3): 0 to 13", "ApiVersions(18): 0 to "] {
        assert!(versions.contains(api), "{api}: {versions}");
    }
    let status = tool("metadata-quorum", &["--bootstrap-server", &bootstrap, "describe", "--status"]).ok();
    assert!(status.contains("LeaderId:               1\n"), "{status}");
    assert!(status.contains("MaxFollowerLag:         0\n"), "{status}");
    let replication = tool("metadata-quorum", &["--bootstrap-server", &bootstrap, "describe", "--replication"]).ok();
    let leader = replication.lines().nth(1).unwrap_or_default();
    assert!(leader.starts_with('1') && leader.trim_end().ends_with("Leader"), "{replication}");
}

#[test]
fn the_perf_tool_fills_a_topic() {
    let broker = Broker::start();
    let mut connection = broker.connect();
    connection.create_topic("perf", 1, &[]);
    let arguments = [
        "--bootstrap-server",
        &broker.bootstrap(),
        "--topic",
        "perf",
        "--num-records",
        "50000",
        "--record-size",
        "200",
        "--throughput",
        "-1",
    ];
    let output = tool("producer-perf-test", &arguments).ok();
    assert!(output.contains("50000 records sent"), "{output}");
    assert_eq!(connection.latest("perf", 0), 50_000);
}

/// Fills segments of 1 MiB with an idempotent producer's batches in every codec, newest time last.
fn fill_segments(connection: &mut Connection, topic: &str) {
    connection.create_topic(topic, 1, &[("segment.bytes", "1048576"), ("index.interval.bytes", "4096")]);
    let (producer_id, epoch) = connection.init_producer();
    let codecs = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];
    let base = wait::now_ms() - 1_000_000;
    for sequence in 0..200 {
        let codec = codecs[usize::try_from(sequence).unwrap_or(0) % codecs.len()];
        let mut batch = BatchBuilder::new(0, codec).producer(producer_id, epoch, sequence * 2);
        for part in 0..2u64 {
            let noise = records::noise(u64::try_from(sequence).unwrap_or(0) * 2 + part, 8000);
            batch.append(base + i64::from(sequence) * 1000, Some(b"key"), Some(&noise), &[(b"h", None)]);
        }
        assert_eq!(connection.produce(topic, 0, batch.build()).error_code, 0);
    }
}

fn files(folder: &Path, suffix: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = entries.map(|entry| entry.expect("the folder can be read").path());
    let mut found: Vec<_> = paths.filter(|path| path.to_string_lossy().ends_with(suffix)).collect();
    found.sort();
    found
}

fn dump(files: &[PathBuf], more: &[&str]) -> String {
    let names: Vec<_> = files.iter().map(|path| path.to_string_lossy().into_owned()).collect();
    let finished = tool("dump-log", &[&["--files", &names.join(",")], more].concat());
    let shown = finished.everything();
    for complaint in ["Exception", "Found timestamp mismatch", "Mismatches in", "NonConsecutive", "isvalid: false"] {
        assert!(!shown.contains(complaint), "{complaint}: {}", &shown[..shown.len().min(4000)]);
    }
    finished.ok()
}

#[test]
fn dump_log_reads_segments_indexes_and_producer_snapshots() {
    let mut broker = Broker::start();
    fill_segments(&mut broker.connect(), "dump");
    broker.stop();
    let folder = broker.data().join("dump-0");

    let logs = files(&folder, ".log");
    assert!(logs.len() >= 3, "{logs:?}");
    let deep = dump(&logs, &["--deep-iteration"]);
    assert_eq!(deep.matches("baseOffset: ").count(), 200);
    assert_eq!(deep.matches("| offset: ").count(), 400, "every record, decompressed");
    assert_eq!(deep.matches("isvalid: true").count(), 200);
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        assert!(deep.contains(&format!("compresscodec: {codec} ")), "{codec}");
    }

    let indexes = files(&folder, ".index");
    assert_eq!(indexes.len(), logs.len());
    let indexed = dump(&indexes, &[]);
    assert!(indexed.matches("offset: ").count() > 100, "sparse, but not empty: {indexed}");
    let sane = dump(&indexes, &["--index-sanity-check"]);
    assert!(sane.matches("passed sanity check").count() >= indexes.len() - 1, "{sane}");
    dump(&indexes, &["--verify-index-only"]);

    let time_indexes = files(&folder, ".timeindex");
    assert_eq!(time_indexes.len(), logs.len());
    assert!(dump(&time_indexes, &[]).matches("timestamp: ").count() > 50);
    dump(&time_indexes, &["--verify-index-only"]);

    let snapshots = files(&folder, ".snapshot");
    assert!(snapshots.len() >= 2, "one for a roll and one for the clean stop: {snapshots:?}");
    let states = dump(&snapshots, &[]);
    assert!(states.contains("producerId: ") && states.contains("lastSequence: 399"), "{states}");
}

#[test]
fn dump_log_reads_the_metadata_log_and_its_snapshots() {
    let mut broker = Setup::new().set("metadata.log.max.record.bytes.between.snapshots", 1000).start();
    let mut connection = broker.connect();
    for number in 0..50 {
        connection.create_topic(&format!("topic-{number}"), 2, &[("retention.ms", "3600000")]);
    }
    let folder = broker.data().join("__cluster_metadata-0");
    wait::until_true("a snapshot", std::time::Duration::from_secs(60), || {
        files(&folder, ".checkpoint").iter().any(|path| !path.ends_with("00000000000000000000-0000000000.checkpoint"))
    });
    broker.stop();

    let log = dump(&files(&folder, ".log"), &["--cluster-metadata-decoder"]);
    for kind in ["FEATURE_LEVEL_RECORD", "REGISTER_BROKER_RECORD", "TOPIC_RECORD", "PARTITION_RECORD", "CONFIG_RECORD"]
    {
        assert!(log.contains(kind), "{kind}: {}", &log[..log.len().min(4000)]);
    }
    assert!(log.contains(r#""name":"topic-49""#));
    assert!(log.contains("LeaderChange"), "a leader begins its epoch with a control record");

    let snapshots = files(&folder, ".checkpoint");
    let snapshot = dump(&snapshots, &["--cluster-metadata-decoder"]);
    assert!(snapshot.contains("SnapshotHeader") && snapshot.contains("SnapshotFooter"), "{snapshot}");
    assert!(snapshot.contains(r#""name":"topic-0""#), "{}", &snapshot[..snapshot.len().min(4000)]);
}
