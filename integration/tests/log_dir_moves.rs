//! Replicas move between log directories while they are used, and survive crashes in the middle of that.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use integration::broker::{Broker, Setup};
use integration::wire::{Connection, text};
use integration::{audit, kafka, records, tiering, wait};
use protocol::messages::alter_replica_log_dirs_request::{AlterReplicaLogDir, AlterReplicaLogDirTopic};
use protocol::messages::{AlterReplicaLogDirsRequest, DescribeLogDirsRequest, TopicName};
use protocol::record_batch::{BatchBuilder, Codec};

const MOVE_LIMIT: Duration = Duration::from_secs(60);
const BATCH: i64 = 50;

struct Fixture {
    folder: tempfile::TempDir,
    broker: Broker,
}

impl Fixture {
    fn new() -> Self {
        Self::with(|_, setup| setup)
    }

    fn with(settings: impl FnOnce(&Path, Setup) -> Setup) -> Self {
        let folder = tempfile::Builder::new().prefix("moves.").tempdir().expect("a temporary folder");
        let dirs = format!("{0}/a,{0}/b", folder.path().display());
        let setup = Setup::new().folder(folder.path()).set("log.dirs", dirs);
        let broker = settings(folder.path(), setup).start();
        Self { folder, broker }
    }

    /// With a cold tier.
    fn tiered() -> Self {
        Self::with(|folder, setup| {
            setup
                .set("remote.log.storage.system.enable", "true")
                .set("ottla.remote.storage.url", format!("file://{}/remote", folder.display()))
                .set("remote.log.manager.task.interval.ms", 200)
                .set("log.retention.check.interval.ms", 200)
        })
    }

    /// Waits until only the active segment is local, and returns its first offset.
    fn await_tiering(&self, connection: &mut Connection, topic: &str) -> i64 {
        wait::until("closed segments are remote only", tiering::LIMIT, || {
            let mut local = Vec::new();
            tiering::files(&self.dir(self.holding(topic).first()?).join(format!("{topic}-0")), &mut local);
            local.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
            let start = tiering::list(connection, topic, tiering::EARLIEST_LOCAL).offset;
            let tiered = tiering::list(connection, topic, tiering::LATEST_TIERED).offset;
            (local.len() == 1 && start > 0 && tiered == start - 1).then_some(start)
        })
    }

    fn dir(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The directories that hold the topic's only partition under its own name.
    fn holding(&self, topic: &str) -> Vec<&'static str> {
        ["a", "b"].into_iter().filter(|name| self.dir(name).join(format!("{topic}-0")).is_dir()).collect()
    }

    /// Where the partition is not.
    fn other(&self, topic: &str) -> &'static str {
        if self.holding(topic) == ["a"] { "b" } else { "a" }
    }

    fn await_move(&self, topic: &str, name: &'static str) {
        wait::until_true("the end of the move", MOVE_LIMIT, || {
            self.holding(topic) == [name] && folders(&self.dir(name), "-future").is_empty()
        });
    }
}

fn folders(dir: &Path, suffix: &str) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("the directory can be read");
    let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    names.filter(|name| name.ends_with(suffix)).collect()
}

fn move_to(connection: &mut Connection, dir: &Path, topic: &str) -> i16 {
    let topic = AlterReplicaLogDirTopic::default().with_name(TopicName(text(topic))).with_partitions(vec![0]);
    let dir = AlterReplicaLogDir::default().with_path(text(&dir.display().to_string())).with_topics(vec![topic]);
    let answer = connection.send(&AlterReplicaLogDirsRequest::default().with_dirs(vec![dir]), 2);
    answer.results[0].partitions[0].error_code
}

/// Appends a batch whose records say their own offsets.
fn append(connection: &mut Connection, topic: &str, from: i64) {
    let mut batch = BatchBuilder::new(0, Codec::None);
    for offset in from..from + BATCH {
        batch.append(wait::now_ms(), None, Some(format!("{offset:0>400}").as_bytes()), &[]);
    }
    let produced = connection.produce(topic, 0, batch.build());
    assert_eq!((produced.error_code, produced.base_offset), (0, from));
}

fn assert_whole(connection: &mut Connection, topic: &str, end: i64) {
    let contents = audit::read_all(connection, topic, 0);
    let first = contents.records.first().expect("there are records").offset;
    assert_eq!(contents.records.len() as i64, end - first);
    for record in &contents.records {
        let said: i64 = String::from_utf8_lossy(record.value.as_deref().unwrap_or_default()).parse().expect("a number");
        assert_eq!(said, record.offset);
    }
}

#[test]
fn a_replica_moves_while_it_is_written_and_read() {
    let fixture = Fixture::new();
    let mut connection = fixture.broker.connect();
    connection.create_topic("t", 1, &[("segment.bytes", "1048576"), ("file.delete.delay.ms", "0")]);
    let mut end = 0;
    let mut write = |connection: &mut Connection, batches: i64| {
        for _ in 0..batches {
            append(connection, "t", end);
            end += BATCH;
        }
        end
    };
    write(&mut connection, 200);
    for _ in 0..3 {
        let to = fixture.other("t");
        assert_eq!(move_to(&mut connection, &fixture.dir(to), "t"), 0);
        let end = write(&mut connection, 40);
        assert_whole(&mut connection, "t", end);
        fixture.await_move("t", to);
        let end = write(&mut connection, 5);
        assert_whole(&mut connection, "t", end);
    }
    // The directories are described as they are: one replica, no copy.
    let described = connection.send(&DescribeLogDirsRequest::default().with_topics(None), 4);
    let logs = described.results.iter().flat_map(|dir| &dir.topics).flat_map(|topic| &topic.partitions);
    assert_eq!(logs.filter(|log| !log.is_future_key && log.partition_size > 1 << 20).count(), 1);
    assert_eq!(move_to(&mut connection, Path::new("/no/such"), "t"), 57, "LOG_DIR_NOT_FOUND");
}

/// Kills the broker at moments all over the move; nothing is lost, and the move ends in the next run.
#[test]
fn a_crash_in_the_middle_of_a_move_loses_nothing() {
    let mut fixture = Fixture::new();
    let mut connection = fixture.broker.connect();
    connection.create_topic("t", 1, &[("segment.bytes", "1048576"), ("file.delete.delay.ms", "0")]);
    let mut end = 0;
    for round in 0..6u64 {
        for _ in 0..100 {
            append(&mut connection, "t", end);
            end += BATCH;
        }
        let to = fixture.other("t");
        assert_eq!(move_to(&mut connection, &fixture.dir(to), "t"), 0);
        wait::pause(Duration::from_millis(round * 7));
        fixture.broker.kill9();
        assert!(!fixture.holding("t").is_empty(), "round {round}: the log has its folder");
        fixture.broker.restart();
        connection = fixture.broker.connect();
        fixture.await_move("t", to);
        assert_whole(&mut connection, "t", end);
    }
}

#[test]
fn kafkas_own_tool_moves_a_replica() {
    let fixture = Fixture::new();
    let mut connection = fixture.broker.connect();
    connection.create_topic("t", 1, &[]);
    append(&mut connection, "t", 0);
    let to = fixture.other("t");
    let plan = fixture.folder.path().join("plan.json");
    let dir = fixture.dir(to).display().to_string();
    let text =
        format!(r#"{{"version":1,"partitions":[{{"topic":"t","partition":0,"replicas":[1],"log_dirs":["{dir}"]}}]}}"#);
    fs::write(&plan, text).expect("the plan can be written");
    let bootstrap = fixture.broker.bootstrap();
    let plan = plan.display().to_string();
    let reassign = |action: &str| {
        let arguments = ["--bootstrap-server", &bootstrap, "--reassignment-json-file", &plan, action];
        kafka::tool("reassign-partitions", &arguments).ok()
    };
    let started = reassign("--execute");
    assert!(started.contains("Successfully started moving log directory to"), "{started}");
    fixture.await_move("t", to);
    let verified = reassign("--verify");
    assert!(verified.contains("Reassignment of partition t-0 is completed."), "{verified}");
    assert!(verified.contains("Reassignment of replica t-0-1 completed successfully."), "{verified}");
    let described =
        kafka::tool("log-dirs", &["--bootstrap-server", &bootstrap, "--describe", "--topic-list", "t"]).ok();
    assert!(described.contains(&dir) && described.contains(r#""partition":"t-0""#), "{described}");
}

/// What is remote stays so, whichever directory has the rest: while the log moves, after that, and after a crash.
#[test]
fn a_tiered_replica_moves_with_what_is_known_of_its_remote_part() {
    let mut fixture = Fixture::tiered();
    let mut connection = fixture.broker.connect();
    connection.create_topic("cold", 1, &tiering::TIERED);
    let mut end = tiering::append(&mut connection, "cold", 0, 25);
    let mut remote_end = fixture.await_tiering(&mut connection, "cold");
    for round in 0..3 {
        let to = fixture.other("cold");
        assert_eq!(move_to(&mut connection, &fixture.dir(to), "cold"), 0);
        // Segments are closed and copied meanwhile.
        end = tiering::append(&mut connection, "cold", end, 25);
        tiering::assert_whole(&mut connection, "cold", 0, end);
        if round == 1 {
            fixture.broker.kill9();
            fixture.broker.restart();
            connection = fixture.broker.connect();
            connection.await_leaders("cold", 1);
            tiering::assert_whole(&mut connection, "cold", 0, end);
        }
        fixture.await_move("cold", to);
        tiering::assert_whole(&mut connection, "cold", 0, end);
        let now = fixture.await_tiering(&mut connection, "cold");
        assert!(now > remote_end, "{now} in round {round}");
        remote_end = now;
    }
    fixture.broker.kill9();
    fixture.broker.restart();
    connection = fixture.broker.connect();
    connection.await_leaders("cold", 1);
    tiering::assert_whole(&mut connection, "cold", 0, end);
}

/// The logs of the other directory are copied and read as ever, those of the lost one once it is back.
#[test]
fn a_directory_that_fails_takes_no_other_out_of_the_cold_tier() {
    let mut fixture = Fixture::tiered();
    let mut connection = fixture.broker.connect();
    let mut ends = Vec::new();
    for (topic, name) in [("kept", "a"), ("gone", "b")] {
        connection.create_topic(topic, 1, &tiering::TIERED);
        if fixture.holding(topic) != [name] {
            assert_eq!(move_to(&mut connection, &fixture.dir(name), topic), 0);
        }
        ends.push(tiering::append(&mut connection, topic, 0, 25));
        fixture.await_move(topic, name);
        fixture.await_tiering(&mut connection, topic);
    }
    let away = fixture.dir("away");
    fs::rename(fixture.dir("b"), &away).expect("the directory can be moved");
    wait::until_true("the directory is offline", MOVE_LIMIT, || {
        let mut batch = BatchBuilder::new(0, Codec::None);
        batch.append(wait::now_ms(), None, Some(&[7; 500_000]), &[]);
        connection.produce("gone", 0, batch.build()).error_code != 0
    });
    let end = tiering::append(&mut connection, "kept", ends[0], 25);
    assert!(fixture.await_tiering(&mut connection, "kept") > ends[0]);
    tiering::assert_whole(&mut connection, "kept", 0, end);
    fixture.broker.kill9();
    fs::rename(&away, fixture.dir("b")).expect("the directory can come back");
    fixture.broker.restart();
    connection = fixture.broker.connect();
    connection.await_leaders("kept", 1);
    connection.await_leaders("gone", 1);
    tiering::assert_whole(&mut connection, "kept", 0, end);
    let records = audit::read_all(&mut connection, "gone", 0).records;
    let offsets: Vec<i64> = records.iter().map(|record| record.offset).collect();
    assert_eq!(offsets, (0..offsets.len() as i64).collect::<Vec<_>>());
    assert!(offsets.len() as i64 >= ends[1], "{} of {}", offsets.len(), ends[1]);
}

/// At a kilobyte a second the copy of three megabytes takes an hour; without the limit it ends at once.
#[test]
fn a_move_is_as_fast_as_it_may_be() {
    let fixture = Fixture::new();
    let mut connection = fixture.broker.connect();
    connection.create_topic("t", 1, &[]);
    for number in 0..3 {
        let mut batch = BatchBuilder::new(0, Codec::None);
        batch.append(wait::now_ms(), None, Some(&records::noise(number, 900_000)), &[]);
        assert_eq!(connection.produce("t", 0, batch.build()).error_code, 0);
    }
    let bootstrap = fixture.broker.bootstrap();
    let limit = |arguments: [&str; 2]| {
        let of_broker = ["--bootstrap-server", &bootstrap, "--alter", "--broker", "1"];
        kafka::tool("configs", &[&of_broker[..], &arguments[..]].concat()).ok()
    };
    limit(["--add-config", "replica.alter.log.dirs.io.max.bytes.per.second=1000"]);
    let (from, to) = (fixture.holding("t")[0], fixture.other("t"));
    assert_eq!(move_to(&mut connection, &fixture.dir(to), "t"), 0);
    wait::until_true("the copy's first batch", MOVE_LIMIT, || copied_bytes(&fixture.dir(to)) > 0);
    // The tool alone takes longer than the whole copy would.
    let described = kafka::tool("configs", &["--bootstrap-server", &bootstrap, "--describe", "--broker", "1"]).ok();
    assert!(described.contains("replica.alter.log.dirs.io.max.bytes.per.second=1000"), "{described}");
    assert_eq!(fixture.holding("t"), [from]);
    limit(["--delete-config", "replica.alter.log.dirs.io.max.bytes.per.second"]);
    fixture.await_move("t", to);
    assert_eq!(connection.latest("t", 0), 3);
}

/// Of the only copy in a directory.
fn copied_bytes(dir: &Path) -> u64 {
    let logs = folders(dir, "-future").into_iter().map(|copy| dir.join(copy).join("00000000000000000000.log"));
    logs.filter_map(|log| Some(fs::metadata(log).ok()?.len())).sum()
}
