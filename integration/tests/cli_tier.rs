//! `ottla tier describe`, `map`, `verify` and `gc`: the real binary against a directory as store, with a broker and without.

use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use integration::broker::{Broker, Setup};
use integration::process::{self, Finished};
use integration::tiering::{LIMIT, TIERED, append, await_tiering, files};
use integration::wire::Connection;
use integration::{monitoring, wait, workspace};

const RUN_LIMIT: Duration = Duration::from_secs(120);

struct Fixture {
    folder: tempfile::TempDir,
    broker: Broker,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("tier.").tempdir().expect("a temporary folder");
        let broker = Setup::new()
            .ottla()
            .folder(&folder.path().join("node"))
            .set("ottla.metrics.listener", "127.0.0.1:0")
            .set("remote.log.storage.system.enable", "true")
            .set("ottla.remote.storage.url", format!("file://{}", folder.path().join("remote").display()))
            .set("remote.log.manager.task.interval.ms", 200)
            .set("remote.log.manager.task.retry.backoff.max.ms", 1000)
            .set("log.retention.check.interval.ms", 200)
            .start();
        Self { folder, broker }
    }

    /// A tiered topic of which several segments are remote only; returns the local start and the end.
    fn fill(&self, connection: &mut Connection, topic: &str) -> (i64, i64) {
        connection.create_topic(topic, 1, &TIERED);
        let end = append(connection, topic, 0, 35);
        (await_tiering(&self.broker, connection, topic), end)
    }

    fn remote(&self) -> PathBuf {
        self.folder.path().join("remote")
    }

    fn tier(&self, arguments: &[&str]) -> Finished {
        process::run(Command::new(workspace::ottla()).arg("tier").args(arguments), b"", RUN_LIMIT)
    }

    /// A command that looks into the store.
    fn of_store(&self, arguments: &[&str]) -> Finished {
        let url = format!("file://{}", self.remote().display());
        self.tier(&[arguments, &["--store", &url]].concat())
    }

    /// A command that asks the broker.
    fn of_broker(&self, arguments: &[&str]) -> Finished {
        let address = monitoring::address(&self.broker).to_string();
        self.tier(&[arguments, &["--monitoring", &address]].concat())
    }

    fn objects(&self, suffix: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        files(&self.remote(), &mut found);
        found.retain(|path| path.to_string_lossy().ends_with(suffix));
        found.sort();
        found
    }
}

#[track_caller]
fn assert_has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part} is missing in:\n{text}");
    }
}

#[test]
fn a_partition_is_described_and_drawn_from_the_store_and_from_the_broker() {
    let fixture = Fixture::new();
    let (local, end) = fixture.fill(&mut fixture.broker.connect(), "cold");
    let offsets = [format!(r#""remoteEndOffset":{local}"#), r#""logStartOffset":0"#.to_owned()];
    let offsets = offsets.each_ref().map(String::as_str);
    let described = fixture.of_store(&["describe", "cold", "--json"]).ok();
    assert_has(&described, &offsets);
    assert_has(&described, &[r#""logEndOffset":null"#, r#""manifest":"00000"#]);
    let asked = fixture.of_broker(&["describe", "--json"]).ok();
    assert_has(&asked, &offsets);
    let (local_part, lag) = (format!(r#""localStartOffset":{local}"#), r#""copyLagSegments":0"#);
    assert_has(&asked, &[&local_part, &format!(r#""logEndOffset":{end}"#), lag, r#""manifest":null"#]);
    assert_has(&asked, &["every closed segment is remote"]);
    let table = fixture.of_broker(&["describe"]).ok();
    assert_has(&table, &["TOPIC", "STATUS", &format!("0..={}", local - 1), &format!("{local}..={}", end - 1)]);

    let drawn = fixture.of_broker(&["map", "cold"]).ok();
    assert_has(&drawn, &[&format!("cold-0  0..={}", end - 1), "remote [####", "local  ["]);
    let ranges = fixture.of_broker(&["map", "--json"]).ok();
    assert_has(&ranges, &[&format!(r#"{{"endOffset":{end},"firstOffset":{local},"where":"local"}}"#)]);
    assert_has(&fixture.of_store(&["map"]).ok(), &["local  not known"]);

    let nowhere = fixture.of_broker(&["describe", "absent"]);
    assert_eq!(nowhere.status.code(), Some(1));
    assert_has(&nowhere.stderr, &["nothing is known of a tiered topic absent"]);
    let mistyped = fixture.remote().with_extension("d");
    let mistyped_url = format!("file://{}", mistyped.display());
    for (arguments, reason) in [
        (
            ["--store", &format!("file://{}", fixture.remote().display()), "--cluster-id", "absent"],
            "of a cluster absent",
        ),
        (["--store", &mistyped_url, "--cluster-id", "absent"], "there is no directory"),
    ] {
        let nowhere = fixture.tier(&[&["verify"], &arguments[..]].concat());
        assert_eq!(nowhere.status.code(), Some(1));
        assert_has(&nowhere.stderr, &[reason]);
    }
    assert!(!mistyped.exists(), "whoever looks makes nothing");
}

/// Whoever wonders why a segment is still local is told.
#[test]
fn a_segment_that_is_stuck_has_a_reason() {
    let fixture = Fixture::new();
    let mut connection = fixture.broker.connect();
    let (_, end) = fixture.fill(&mut connection, "cold");
    let away = fixture.folder.path().join("away");
    fs::rename(fixture.remote(), &away).expect("the store can go");
    fs::write(fixture.remote(), b"no directory").expect("something else can take its place");
    append(&mut connection, "cold", end, 35);
    wait::until_true("the reason is told", LIMIT, || {
        let described = fixture.of_broker(&["describe", "cold", "--json"]).ok();
        // Whatever failed, the object that it failed at is named.
        !described.contains(r#""copyLagSegments":0"#) && described.contains("/cold-")
    });
    fs::remove_file(fixture.remote()).expect("it goes again");
    fs::rename(&away, fixture.remote()).expect("the store comes back");
    wait::until_true("nothing waits", LIMIT, || {
        fixture.of_broker(&["describe", "--json"]).ok().contains(r#""copyLagSegments":0"#)
    });
}

fn overwrite(path: &Path, at: u64) {
    let mut file = OpenOptions::new().write(true).open(path).expect("the object can be written to");
    file.seek(SeekFrom::Start(at)).expect("it is that long");
    file.write_all(b"\xde\xad\xbe\xef").expect("it can be damaged");
}

#[test]
fn damage_of_every_kind_is_found() {
    let mut fixture = Fixture::new();
    fixture.fill(&mut fixture.broker.connect(), "cold");
    fixture.broker.stop();
    assert_has(&fixture.of_store(&["verify"]).ok(), &["1 partitions, ", ": no problem"]);

    let [logs, indexes] = [".log", ".indexes"].map(|suffix| fixture.objects(suffix));
    assert!(logs.len() >= 3 && indexes.len() >= 3, "{logs:?}");
    overwrite(&logs[0], 500_000);
    OpenOptions::new().write(true).open(&logs[1]).and_then(|file| file.set_len(1000)).expect("it can be cut");
    fs::remove_file(&indexes[2]).expect("it can go");
    let unnamed = logs[0].with_file_name("00000000000000000042-AAAAAAAAAAAAAAAAAAAAAg.log");
    fs::write(&unnamed, b"left behind").expect("an object can be left behind");
    let found = fixture.of_store(&["verify", "cold"]);
    assert_eq!(found.status.code(), Some(1));
    let name = |path: &PathBuf| path.file_name().expect("it has a name").to_string_lossy().into_owned();
    for (kind, object) in [("damaged", &logs[0]), ("length", &logs[1]), ("missing", &indexes[2]), ("unnamed", &unnamed)]
    {
        let object = name(object);
        let is_found = found.stdout.lines().any(|line| line.starts_with(kind) && line.contains(&object));
        assert!(is_found, "{kind} {object} in:\n{}", found.everything());
    }
    assert_has(&found.stderr, &["3 problems found"]);
    let sizes = fixture.of_store(&["verify", "--sizes-only", "--json"]);
    assert_eq!(sizes.status.code(), Some(1));
    assert_has(&sizes.stdout, &[r#""problems":2"#, r#""unnamed":1"#, r#""kind":"length""#]);
}

#[test]
fn what_nobody_needs_goes_when_it_is_told_to_and_nothing_else() {
    let fixture = Fixture::new();
    let mut connection = fixture.broker.connect();
    fixture.fill(&mut connection, "cold");
    let log = fixture.objects(".log")[0].clone();
    let before = fixture.objects("").len();
    let left = log.with_file_name("00000000000000000042-AAAAAAAAAAAAAAAAAAAAAg.log");
    fs::write(&left, b"left behind").expect("an object can be left behind");
    let topic = log.ancestors().nth(2).expect("the topic's folder");
    let gone = topic.with_file_name("gone-AAAAAAAAAAAAAAAAAAAAAQ").join("0");
    fs::create_dir_all(&gone).expect("a folder can be made");
    fs::write(gone.join("00000000000000000000-AAAAAAAAAAAAAAAAAAAAAg.log"), b"of a topic").expect("an object");

    assert_has(&fixture.of_store(&["gc"]).ok(), &["0 objects, 0 bytes would be deleted"]);
    let dry = fixture.of_store(&["gc", "--grace-hours", "0"]).ok();
    assert_has(&dry, &["unnamed", "00000000000000000042", "would be deleted: --delete does it"]);
    assert!(left.exists());
    let bootstrap = fixture.broker.bootstrap();
    let all = ["gc", "--grace-hours", "0", "--deleted-topics", "-b", &bootstrap];
    assert_has(&fixture.of_store(&all).ok(), &["deleted topic", "/gone-AAAAAAAAAAAAAAAAAAAAAQ/0/"]);
    assert_has(&fixture.of_store(&[&all[..], &["--delete", "--json"]].concat()).ok(), &[r#""deleted":true"#]);
    assert_eq!(fixture.objects("").len(), before, "both are gone, and nothing else");
    assert_has(&fixture.of_store(&["verify"]).ok(), &["no problem"]);

    // A cluster that knows nothing of what is there may be about to be restored.
    assert_eq!(connection.delete_topic("cold"), 0);
    wait::until_true("the broker deletes its own", LIMIT, || fixture.objects("").is_empty());
    fs::create_dir_all(&gone).expect("a folder can be made");
    fs::write(gone.join("00000000000000000000-AAAAAAAAAAAAAAAAAAAAAg.log"), b"of a topic").expect("an object");
    let refused = fixture.of_store(&all);
    assert_eq!(refused.status.code(), Some(1));
    assert_has(&refused.stderr, &["it looks as if nothing was restored yet"]);
}
