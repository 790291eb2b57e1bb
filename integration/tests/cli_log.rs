//! `ottla log dump`, `verify` and `repair` on files that Apache Kafka wrote and on our own, whole and damaged.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use integration::broker::{Broker, Setup};
use integration::kafka;
use integration::process::{self, Finished};
use integration::{audit, records, wait, workspace};
use protocol::record_batch::{BatchBuilder, Codec};
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(60);
const BATCHES: i32 = 60;
const RECORDS: i32 = 20;
const RECORD_BYTES: usize = 3_000;

fn log(arguments: &[&str]) -> Finished {
    process::run(Command::new(workspace::ottla()).arg("log").args(arguments), b"", LIMIT)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("paths of tests are text")
}

/// A copy of the directory that Kafka 4.3.1 wrote, with transactions, producers, two segments.
fn golden() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    copy(&workspace::root().join("storage/tests/golden/kafka-4.3.1"), folder.path());
    folder
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder can be made");
    for entry in fs::read_dir(from).expect("the folder is there") {
        let path = entry.expect("the folder can be read").path();
        let target = to.join(path.file_name().expect("an entry has a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).expect("a file can be copied");
        }
    }
}

fn files(folder: &Path, suffix: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder is there");
    let paths = entries.map(|entry| entry.expect("the folder can be read").path());
    let mut found: Vec<_> = paths.filter(|path| text(path).ends_with(suffix)).collect();
    found.sort();
    found
}

#[test]
fn a_dump_says_what_kafkas_own_dump_says() {
    let folder = golden();
    let mut all = Vec::new();
    for partition in ["orders-0", "orders-1"] {
        for suffix in [".log", "index", ".snapshot"] {
            all.extend(files(&folder.path().join(partition), suffix));
        }
    }
    assert!(all.len() > 10, "{all:?}");
    let names: Vec<&str> = all.iter().map(|path| text(path)).collect();
    let theirs = kafka::tool("dump-log", &["--files", &names.join(","), "--print-data-log"]).ok();
    let ours = log(&[&["dump", "--records"], &names[..]].concat()).ok();
    assert_eq!(ours, theirs);

    let own = log(&["dump", text(folder.path())]).ok();
    assert!(own.contains("epoch: 2 startOffset: 17") || own.contains("startOffset: "), "{own}");
    assert!(own.contains("nodeId: ") && own.contains("topicId: "), "{own}");
    let json = log(&["dump", "--json", "--records", text(&folder.path().join("orders-0"))]).ok();
    assert!(json.contains(r#""key":"key0""#) && json.contains(r#""control":"endTxnMarker: ABORT"#), "{json}");
    assert!(log(&["verify", "--deep", text(folder.path())]).ok().contains("no problem"), "Kafka's files are whole");
}

/// A stopped broker's directory with a log of several segments; the broker can be started again.
fn written(folder: &Path) -> Broker {
    let mut broker = Setup::new().folder(folder).set("log.segment.bytes", 1 << 20).start();
    let mut connection = broker.connect();
    connection.create_topic("t", 1, &[]);
    let (producer, producer_epoch) = connection.init_producer();
    for number in 0..BATCHES {
        let sequence = number * RECORDS;
        let mut batch = BatchBuilder::new(0, Codec::None).producer(producer, producer_epoch, sequence);
        for record in 0..RECORDS {
            let value = records::noise(u64::from((sequence + record).unsigned_abs()), RECORD_BYTES);
            batch.append(wait::now_ms(), None, Some(&value), &[]);
        }
        assert_eq!(connection.produce("t", 0, batch.build()).error_code, 0);
    }
    broker.stop();
    broker
}

/// Overwrites one byte.
fn flip(path: &Path, position: u64) {
    let file = fs::OpenOptions::new().read(true).write(true).open(path).expect("the file is there");
    let mut byte = [0];
    file.read_exact_at(&mut byte, position).expect("the byte is there");
    file.write_all_at(&[byte[0] ^ 0x40], position).expect("the byte can be written");
}

fn damaged(directory: &Path, words: &[&str]) -> String {
    let finished = log(&["verify", text(directory)]);
    assert_eq!(finished.status.code(), Some(1), "{}", finished.everything());
    for word in words {
        assert!(finished.stdout.contains(word), "{word}: {}", finished.stdout);
    }
    finished.stdout
}

#[test]
fn a_damaged_log_is_found_cut_and_served_again() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut broker = written(folder.path());
    let (data, partition) = (broker.data(), broker.data().join("t-0"));
    assert!(log(&["verify", "--deep", text(&data)]).ok().contains("no problem"));
    let logs = files(&partition, ".log");
    assert!(logs.len() >= 3, "{logs:?}");

    flip(&logs[1], 500_000);
    let before = fs::read(&logs[1]).expect("the file is there");
    damaged(&data, &[text(&logs[1]), "Record is corrupt", "position "]);
    let planned = log(&["repair", text(&data)]).ok();
    assert!(planned.contains("cut ") && planned.contains("remove ") && planned.contains("--apply"), "{planned}");
    assert_eq!(fs::read(&logs[1]).expect("still there"), before, "without --apply nothing changes");

    let done = log(&["repair", "--apply", text(&data)]).ok();
    assert!(done.contains("steps done"), "{done}");
    assert!(log(&["verify", text(&data)]).ok().contains("no problem"));
    assert!(!logs[2].exists(), "what lies behind the damage is gone");
    broker.restart();
    let mut connection = broker.connect();
    let contents = audit::read_all(&mut connection, "t", 0);
    let kept = contents.records.len();
    assert!(kept > 0 && kept < usize::try_from(BATCHES * RECORDS).expect("a small number"), "{kept}");
    assert_eq!(connection.latest("t", 0), i64::try_from(kept).expect("a small number"), "offsets go on without a gap");

    let refused = log(&["repair", text(&data)]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(refused.stderr.contains("stop it first"), "{}", refused.stderr);
    assert!(log(&["verify", text(&data)]).status.success(), "a running broker's directory is whole too");
}

#[test]
fn what_a_broker_makes_again_is_taken_away_when_it_is_wrong() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut broker = written(folder.path());
    let (data, partition) = (broker.data(), broker.data().join("t-0"));
    flip(&files(&partition, ".index")[0], 3);
    flip(&files(&partition, ".timeindex")[0], 2);
    flip(&files(&partition, ".snapshot")[0], 4);
    fs::write(partition.join("leader-epoch-checkpoint"), "0\n1\nnonsense\n").expect("the file can be written");
    damaged(&data, &[".index: ", ".timeindex: ", ".snapshot: CRC", "leader-epoch-checkpoint: malformed line"]);
    log(&["repair", "--apply", text(&data)]).ok();
    assert!(log(&["verify", text(&data)]).ok().contains("no problem"));
    broker.restart();
    let contents = audit::read_all(&mut broker.connect(), "t", 0);
    assert_eq!(
        contents.records.len(),
        usize::try_from(BATCHES * RECORDS).expect("a small number"),
        "no record is lost"
    );
    broker.stop();
    assert!(log(&["verify", "--deep", text(&data)]).ok().contains("no problem"));
}

#[test]
fn the_metadata_log_is_shown_record_by_record() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let broker = written(folder.path());
    let shown = log(&["dump", "--records", text(&broker.data().join("__cluster_metadata-0"))]).ok();
    for word in
        ["LeaderChange: {\"version\":0,\"leaderId\":1", "\"type\":\"TOPIC_RECORD\"", "\"type\":\"PARTITION_RECORD\""]
    {
        assert!(shown.contains(word), "{word}: {}", &shown[..shown.len().min(3000)]);
    }
    let json = log(&["dump", "--records", "--json", text(&broker.data().join("__cluster_metadata-0"))]).ok();
    assert!(json.contains("\"record\":{\"data\":{\"name\":\"t\",\"topicId\":"), "{}", &json[..json.len().min(3000)]);
}

/// What stands in the metadata log and its snapshots, line for line as Kafka's own tool prints it.
#[test]
fn the_metadata_log_is_shown_as_kafka_shows_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut broker =
        Setup::new().ottla().folder(folder.path()).set("metadata.log.max.record.bytes.between.snapshots", 1).start();
    let mut connection = broker.connect();
    connection.create_topic("orders", 3, &[("retention.ms", "3600000")]);
    connection.create_topic("deleted", 1, &[]);
    assert_eq!(connection.delete_topic("deleted"), 0);
    let metadata = broker.data().join("__cluster_metadata-0");
    let files = |extension: &str| {
        let listed = fs::read_dir(&metadata).expect("the metadata log is there");
        let paths = listed.filter_map(|entry| Some(entry.ok()?.path()));
        let mut found: Vec<PathBuf> = paths.filter(|path| path.extension().is_some_and(|it| it == extension)).collect();
        found.sort();
        found
    };
    wait::until_true("a snapshot", LIMIT, || !files("checkpoint").is_empty());
    broker.stop();
    let mut compared = 0;
    for path in [files("log"), files("checkpoint")].concat() {
        let kafkas = kafka::tool("dump-log", &["--cluster-metadata-decoder", "--files", text(&path)]).ok();
        let ours = log(&["dump", "--records", text(&path)]).ok();
        let lines = |shown: &str| shown.lines().map(str::trim_end).map(ToOwned::to_owned).collect::<Vec<_>>();
        for (kafka, ottla) in lines(&kafkas).into_iter().zip(lines(&ours)) {
            assert_eq!(ottla, kafka, "{}", path.display());
        }
        assert_eq!(lines(&ours).len(), lines(&kafkas).len(), "{}", path.display());
        compared += lines(&ours).len();
    }
    assert!(compared > 20, "{compared} lines");
}

#[test]
fn what_holds_no_logs_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for command in ["verify", "repair"] {
        let finished = log(&[command, text(folder.path())]);
        assert_eq!(finished.status.code(), Some(1), "{command}");
        assert!(finished.stderr.contains("holds no logs"), "{}", finished.stderr);
    }
    let finished = log(&["dump", "/etc/hostname"]);
    assert!(
        finished.status.code() == Some(1) && finished.stderr.contains("is no file of a log"),
        "{}",
        finished.stderr
    );
}
