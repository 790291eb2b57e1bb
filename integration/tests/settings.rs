//! What a newcomer brings along: files of ZooKeeper's age, environments of the images, and mistakes in both.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use integration::wire::Connection;
use integration::{process, wait, workspace};
use protocol::messages::{DescribeClusterRequest, DescribeClusterResponse};

const LIMIT: Duration = Duration::from_secs(60);

/// A node that a test starts by hand, killed with the test.
struct Node(Child);

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The binary in `folder`, with nothing in its environment that is not given.
fn ottla(folder: &Path) -> Command {
    let mut command = Command::new(workspace::ottla());
    command.current_dir(folder).env_clear();
    command
}

/// A port that is free, below those that the kernel gives to outgoing connections.
fn free_port() -> u16 {
    let mut ports = std::iter::repeat_with(|| rand::random_range(20_000..32_000));
    ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).expect("a free port")
}

/// Starts it, waits until it answers on `port`, and asks who it is; also what it logged until then.
fn start(command: &mut Command, folder: &Path, port: u16) -> (Node, DescribeClusterResponse, String) {
    let path = folder.join("log");
    let log = std::fs::File::create(&path).expect("the log file can be made");
    command.stdin(Stdio::null()).stdout(log.try_clone().expect("a file handle can be doubled")).stderr(log);
    let mut node = Node(command.spawn().expect("the binary starts"));
    let read = || std::fs::read_to_string(&path).unwrap_or_default();
    let mut connection = wait::until("a connection", LIMIT, || {
        let ended = node.0.try_wait().expect("a child can be waited for");
        assert!(ended.is_none(), "it ended instead of serving: {}", read());
        Connection::try_open(([127, 0, 0, 1], port).into()).ok()
    });
    let described = connection.send(&DescribeClusterRequest::default(), 0);
    (node, described, read())
}

#[test]
fn the_environment_of_greptimedbs_guide_starts_a_node() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (port, controller) = (free_port(), free_port());
    let mut command = ottla(folder.path());
    command
        .env("KAFKA_KRAFT_CLUSTER_ID", "Kmp-xkTnSf-WWXhWmiorDg")
        .env("KAFKA_ENABLE_KRAFT", "yes")
        .env("KAFKA_CFG_NODE_ID", "1")
        .env("KAFKA_BROKER_ID", "1")
        .env("KAFKA_CFG_PROCESS_ROLES", "broker,controller")
        .env("KAFKA_CFG_CONTROLLER_QUORUM_VOTERS", format!("1@127.0.0.1:{controller}"))
        .env("KAFKA_CFG_LISTENERS", format!("PLAINTEXT://:{port},CONTROLLER://:{controller}"))
        .env("KAFKA_CFG_ADVERTISED_LISTENERS", format!("PLAINTEXT://127.0.0.1:{port}"))
        .env("KAFKA_CFG_CONTROLLER_LISTENER_NAMES", "CONTROLLER")
        .env("KAFKA_CFG_LISTENER_SECURITY_PROTOCOL_MAP", "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT")
        .env("ALLOW_PLAINTEXT_LISTENER", "yes")
        .env("KAFKA_CLIENT_USERS", "greptime")
        .env("KAFKA_HEAP_OPTS", "-Xmx1g");
    let (_node, described, log) = start(&mut command, folder.path(), port);
    assert_eq!(described.cluster_id.as_str(), "Kmp-xkTnSf-WWXhWmiorDg");
    let broker = described.brokers.first().expect("a broker");
    assert_eq!((broker.broker_id.0, broker.host.as_str(), broker.port), (1, "127.0.0.1", i32::from(port)));
    assert!(log.contains("KafkaConfig values:"), "{log}");
    assert!(log.contains(&format!("advertised.listeners = [PLAINTEXT://127.0.0.1:{port}]")), "{log}");
    assert!(log.contains("Kafka Server started") && !log.contains("unknown configuration key"), "{log}");
}

#[test]
fn a_file_of_zookeepers_age_starts_a_node_with_id_0() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let port = free_port();
    let file = format!(
        "broker.id=0\nlisteners=PLAINTEXT://127.0.0.1:{port}\nadvertised.listeners=PLAINTEXT://127.0.0.1:{port}\n\
         listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SSL:SSL\nnum.network.threads=3\nnum.io.threads=8\n\
         socket.send.buffer.bytes=102400\nsocket.receive.buffer.bytes=102400\nsocket.request.max.bytes=104857600\n\
         log.dirs=./data/kafka\nnum.partitions=1\nnum.recovery.threads.per.data.dir=1\n\
         offsets.topic.replication.factor=1\ntransaction.state.log.replication.factor=1\n\
         transaction.state.log.min.isr=1\noffsets.topic.num.partitions=1\nauto.create.topics.enable=true\n\
         log.flush.interval.messages=10000\nlog.flush.interval.ms=1000\nlog.retention.hours=168\n\
         log.retention.bytes=1073741824\nlog.segment.bytes=1073741824\nlog.segment.delete.delay.ms=1000\n\
         log.index.size.max.bytes=200\nlog.roll.hours=1\nlog.roll.ms=10000\nlog.retention.check.interval.ms=10000\n\
         zookeeper.connect=localhost:2181\nzookeeper.connection.timeout.ms=18000\n\
         group.initial.rebalance.delay.ms=0\n"
    );
    std::fs::write(folder.path().join("server.properties"), file).expect("the file can be written");
    let mut command = ottla(folder.path());
    let (_node, described, log) = start(command.args(["server", "server.properties"]), folder.path(), port);
    assert_eq!(described.brokers.first().expect("a broker").broker_id.0, 0);
    assert!(folder.path().join("data/kafka/meta.properties").is_file());
    assert!(log.contains("change nothing here") && log.contains("zookeeper.connect"), "{log}");
    assert!(!log.contains("unknown configuration key"), "{log}");
}

/// Arguments, environment, and what the message says.
type Mistake<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], &'a str);

#[test]
fn a_mistake_ends_with_one_line_and_touches_nothing() {
    let cases: &[Mistake] = &[
        (&["--override", "num.partitions=0"], &[], "num.partitions: Value must be at least 1"),
        (&["--override", "num.io.threads=many"], &[], "num.io.threads: Not a number of type INT"),
        (&["--override", "listeners=SSL://:9092"], &[], "listener.security.protocol.map"),
        (&["--override", "authorizer.class.name=a.B"], &[], "authorizer.class.name"),
        (&["--override", "remote.log.storage.system.enable=true"], &[], "remote.log.storage.manager.class.name"),
        (&[], &[("KAFKA_LOG_SEGMENT_BYTES", "1")], "log.segment.bytes: Value must be at least 14"),
        (&[], &[("KAFKA_CFG_PROCESS_ROLES", "zookeeper")], "process.roles"),
        (&[], &[("KAFKA_NODE_ID", "1"), ("KAFKA_BROKER_ID", "2")], "node.id"),
        (&[], &[("KAFKA_ENABLE_KRAFT", "no")], "KAFKA_ENABLE_KRAFT=no"),
        (&[], &[("KAFKA_SSL_KEY_PASSWORD_FILE", "/nowhere")], "KAFKA_SSL_KEY_PASSWORD_FILE: cannot read /nowhere"),
        (&["server", "absent.properties"], &[], "cannot read absent.properties"),
        (&["server", "bad.properties"], &[], "Malformed \\uxxxx encoding"),
    ];
    for (arguments, environment, expected) in cases {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("bad.properties"), "log.dirs=\\u12").expect("the file can be written");
        let mut command = ottla(folder.path());
        command.args(*arguments).envs(environment.iter().copied());
        let finished = process::run(&mut command, b"", LIMIT);
        let last = finished.stderr.lines().last().unwrap_or_default();
        assert!(last.starts_with("ottla: ") && last.contains(expected), "{arguments:?} {environment:?}: {last}");
        assert_eq!(finished.status.code(), Some(1), "{arguments:?} {environment:?}");
        let left: Vec<_> = std::fs::read_dir(folder.path()).expect("the folder is there").collect();
        assert_eq!(left.len(), 1, "nothing but the file of this test: {left:?}");
    }
}
