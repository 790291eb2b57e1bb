//! Kafka Connect with the file connectors: a standalone worker, and two distributed ones that keep their state in compacted topics
//! and share tasks by the group protocol `connect`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use integration::broker::{Broker, Setup};
use integration::connect::{Worker, request};
use integration::kafka::tool;
use integration::wait;

const LIMIT: Duration = Duration::from_secs(180);

fn broker() -> Broker {
    Setup::new().set("group.initial.rebalance.delay.ms", 0).set("offsets.topic.num.partitions", 3).start()
}

/// A file that lines are read from, and one that they are copied to through a topic.
struct Copy {
    folder: tempfile::TempDir,
    lines: usize,
}

impl Copy {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder"), lines: 0 }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    fn source(&self) -> String {
        self.text("source.txt")
    }

    fn sink(&self) -> String {
        self.text("sink.txt")
    }

    /// Appends so many lines to the source.
    fn write(&mut self, count: usize) {
        let mut file = File::options().create(true).append(true).open(self.path("source.txt")).expect("a file");
        for _ in 0..count {
            writeln!(file, "line {}", self.lines).expect("it can be written");
            self.lines += 1;
        }
    }

    /// How often each line has arrived.
    fn arrived(&self) -> BTreeMap<String, usize> {
        let mut arrived = BTreeMap::new();
        for line in fs::read_to_string(self.path("sink.txt")).unwrap_or_default().lines() {
            *arrived.entry(line.to_owned()).or_default() += 1;
        }
        arrived
    }

    fn await_all(&self, mut look: impl FnMut()) {
        wait::until_true("every line in the sink", LIMIT, || {
            look();
            let arrived = self.arrived();
            (0..self.lines).all(|line| arrived.contains_key(&format!("line {line}")))
        });
    }
}

#[test]
fn a_standalone_worker_copies_a_file_and_goes_on_after_a_stop() {
    let mut broker = broker();
    let mut copy = Copy::new();
    copy.write(1_000);
    let (source, sink) = (copy.source(), copy.sink());
    for _ in 0..2 {
        let bootstrap = broker.bootstrap();
        let offsets = copy.text("offsets");
        let settings = [("bootstrap.servers", &*bootstrap), ("offset.storage.file.filename", &offsets)];
        let connectors = [
            &[("name", "in"), ("connector.class", "FileStreamSource"), ("file", &*source), ("topic", "lines")][..],
            &[("name", "out"), ("connector.class", "FileStreamSink"), ("file", &*sink), ("topics", "lines")][..],
        ];
        let mut worker = Worker::start(&copy.path("worker"), "standalone", &settings, &connectors);
        copy.await_all(|| worker.assert_alive());
        worker.stop();
        let twice: Vec<_> = copy.arrived().into_iter().filter(|(_, count)| *count > 1).collect();
        assert_eq!(twice, [], "a worker that stops in order commits what it has copied");
        broker.kill9();
        broker.restart();
        copy.write(1_000);
    }
    assert_eq!(copy.arrived().len(), 2_000);
}

fn distributed(folder: &Path, bootstrap: &str) -> Worker {
    let settings = [
        ("bootstrap.servers", bootstrap),
        ("group.id", "workers"),
        ("config.storage.topic", "connect-configs"),
        ("offset.storage.topic", "connect-offsets"),
        ("status.storage.topic", "connect-status"),
        ("config.storage.replication.factor", "1"),
        ("offset.storage.replication.factor", "1"),
        ("status.storage.replication.factor", "1"),
        ("offset.storage.partitions", "2"),
        ("status.storage.partitions", "2"),
        ("session.timeout.ms", "6000"),
        ("heartbeat.interval.ms", "500"),
        ("scheduled.rebalance.max.delay.ms", "500"),
    ];
    Worker::start(folder, "distributed", &settings, &[])
}

/// Makes the connectors at any worker; the group may still be rebalancing.
fn create(worker: &mut Worker, copy: &Copy) {
    let address = worker.rest();
    for (name, class, file, topic) in
        [("in", "FileStreamSource", copy.source(), "topic"), ("out", "FileStreamSink", copy.sink(), "topics")]
    {
        let body = format!(
            r#"{{"name":"{name}","config":{{"connector.class":"{class}","file":"{file}","{topic}":"lines","tasks.max":"1"}}}}"#
        );
        wait::until_true("the connector", LIMIT, || {
            worker.assert_alive();
            let answer = request(address, "POST", "/connectors", &body);
            assert!([201, 409, 500].contains(&answer.status), "{answer:?}");
            request(address, "GET", &format!("/connectors/{name}"), "").status == 200
        });
    }
}

/// Waits until both connectors and their tasks run.
fn await_running(worker: &mut Worker) {
    let address = worker.rest();
    wait::until_true("running connectors and tasks", LIMIT, || {
        worker.assert_alive();
        ["in", "out"].iter().all(|name| {
            let status = request(address, "GET", &format!("/connectors/{name}/status"), "");
            status.body.matches(r#""state":"RUNNING""#).count() == 2
        })
    });
}

#[test]
fn distributed_workers_share_tasks_and_take_over_from_one_that_dies() {
    let mut broker = broker();
    let mut copy = Copy::new();
    copy.write(1_000);
    let bootstrap = broker.bootstrap();
    let mut first = distributed(&copy.path("first"), &bootstrap);
    let mut second = distributed(&copy.path("second"), &bootstrap);
    create(&mut first, &copy);
    await_running(&mut second);
    copy.await_all(|| second.assert_alive());
    let groups = |arguments: &[&str]| {
        tool("consumer-groups", &[&["--bootstrap-server", &bootstrap], arguments].concat()).everything()
    };
    // A group of another type than consumers' is listed, and named in full only to those who know its protocol.
    let listed = tool("groups", &["--bootstrap-server", &bootstrap, "--list"]).ok();
    let row = listed.lines().find(|line| line.starts_with("workers ")).unwrap_or_else(|| panic!("{listed}"));
    assert_eq!(row.split_whitespace().collect::<Vec<_>>(), ["workers", "Classic", "connect"]);
    assert!(groups(&["--describe", "--group", "connect-out"]).contains("lines"));

    first.kill9();
    copy.write(1_000);
    copy.await_all(|| second.assert_alive());
    broker.kill9();
    broker.restart();
    copy.write(1_000);
    copy.await_all(|| second.assert_alive());
    assert_eq!(copy.arrived().len(), 3_000);
    await_running(&mut second);
    second.stop();
    for topic in ["connect-configs", "connect-offsets", "connect-status"] {
        let described = tool("topics", &["--bootstrap-server", &bootstrap, "--describe", "--topic", topic]).ok();
        assert!(described.contains("cleanup.policy=compact"), "{described}");
    }
}
