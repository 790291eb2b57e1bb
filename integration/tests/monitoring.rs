//! Metrics and health over HTTP: the names that dashboards ask for, probes through a crash, strangers on the port.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use integration::broker::{Broker, Setup};
use integration::monitoring::{Scrape, address, exchange, get};
use integration::wire::{Connection, FetchQuery, Member, commit_request};
use integration::{records, wait, workspace};
use protocol::messages::OffsetCommitRequest;
use protocol::messages::offset_commit_request::OffsetCommitRequestPartition;
use protocol::record_batch::Codec;

const LIMIT: Duration = Duration::from_secs(60);
/// The promise is 200 ms; the rest is other tests.
const SCRAPE_LIMIT: Duration = Duration::from_secs(10);
const SCRAPE_BYTES: usize = 2_000_000;

/// The families that Strimzi's dashboards, of the JMX exporter and of its own reporter, and kafka_exporter's ask for, as far as a
/// single broker without groups has them. Not there: what a JVM has (`jvm_…`), what goes between controllers
/// (`raftchannelmetrics`, `fetch_records_rate`), and `commit_latency_avg`.
const DASHBOARDS: &[&str] = &[
    "kafka_server_brokertopicmetrics_messagesin_total",
    "kafka_server_brokertopicmetrics_bytesin_total",
    "kafka_server_brokertopicmetrics_bytesout_total",
    "kafka_server_brokertopicmetrics_totalproducerequests_total",
    "kafka_server_brokertopicmetrics_totalfetchrequests_total",
    "kafka_server_brokertopicmetrics_failedproducerequests_total",
    "kafka_server_brokertopicmetrics_failedfetchrequests_total",
    "kafka_server_brokertopicmetrics_messagesinpersec_total",
    "kafka_server_brokertopicmetrics_bytesinpersec_total",
    "kafka_server_brokertopicmetrics_bytesoutpersec_total",
    "kafka_server_brokertopicmetrics_totalproducerequestspersec_total",
    "kafka_server_brokertopicmetrics_totalfetchrequestspersec_total",
    "kafka_server_brokertopicmetrics_failedproducerequestspersec_total",
    "kafka_server_brokertopicmetrics_failedfetchrequestspersec_total",
    "kafka_server_replicamanager_underreplicatedpartitions",
    "kafka_server_replicamanager_partitioncount",
    "kafka_server_replicamanager_leadercount",
    "kafka_cluster_partition_underminisr",
    "kafka_cluster_partition_atminisr",
    "kafka_cluster_partition_replicascount",
    "kafka_log_log_size",
    "kafka_controller_kafkacontroller_offlinepartitionscount",
    "kafka_controller_kafkacontroller_activecontrollercount",
    "kafka_controller_controllerstats_uncleanleaderelections_total",
    "kafka_controller_controllerstats_uncleanleaderelectionspersec_total",
    "kafka_network_socketserver_networkprocessoravgidle_percent",
    "kafka_network_socketserver_networkprocessoravgidlepercent",
    "kafka_server_kafkarequesthandlerpool_requesthandleravgidle_percent",
    "kafka_server_kafkarequesthandlerpool_requesthandleravgidlepercent_total",
    "kafka_server_socket_server_metrics_connection_count",
    "kafka_server_kafkaserver_linux_disk_read_bytes",
    "kafka_server_kafkaserver_linux_disk_write_bytes",
    "process_open_fds",
    "kafka_server_raftmetrics_current_state",
    "kafka_server_raftmetrics_current_leader",
    "kafka_server_raftmetrics_current_epoch",
    "kafka_server_raftmetrics_high_watermark",
    "kafka_server_raftmetrics_current_vote",
    "kafka_server_raftmetrics_log_end_offset",
    "kafka_server_raftmetrics_append_records_rate",
    "kafka_server_raft_metrics_current_state_info",
    "kafka_server_raft_metrics_current_leader",
    "kafka_server_raft_metrics_current_epoch",
    "kafka_server_raft_metrics_current_vote",
    "kafka_server_raft_metrics_high_watermark",
    "kafka_server_raft_metrics_log_end_offset",
    "kafka_server_raft_metrics_append_records_rate",
    "kafka_log_logcleaner_max_buffer_utilization_percent",
    "kafka_log_logcleaner_cleaner_recopy_percent",
    "kafka_log_logcleaner_max_clean_time_secs",
    "kafka_log_logcleaner_max_compaction_delay_secs",
    "kafka_log_logcleanermanager_max_dirty_percent",
    "kafka_log_logcleanermanager_uncleanable_partitions_count",
    "kafka_brokers",
    "kafka_broker_info",
    "kafka_topic_partitions",
    "kafka_topic_partition_current_offset",
    "kafka_topic_partition_oldest_offset",
    "kafka_topic_partition_in_sync_replica",
    "kafka_topic_partition_leader",
    "kafka_topic_partition_leader_is_preferred",
    "kafka_topic_partition_replicas",
    "kafka_topic_partition_under_replicated_partition",
];

/// Those that they ask for of groups.
const GROUP_DASHBOARDS: &[&str] = &[
    "kafka_consumergroup_members",
    "kafka_consumergroup_current_offset",
    "kafka_consumergroup_current_offset_sum",
    "kafka_consumergroup_lag",
    "kafka_consumergroup_lag_sum",
    "kafka_coordinator_group_groupmetadatamanager_numgroups",
    "kafka_coordinator_group_groupmetadatamanager_numoffsets",
    "kafka_coordinator_group_groupmetadatamanager_numgroupsstable",
    "kafka_coordinator_group_groupmetadatamanager_numgroupsempty",
    "kafka_coordinator_group_groupmetadatamanager_numgroupspreparingrebalance",
    "kafka_coordinator_group_groupmetadatamanager_numgroupscompletingrebalance",
    "kafka_coordinator_group_groupmetadatamanager_numgroupsdead",
    "kafka_server_group_coordinator_metrics_group_count",
    "kafka_server_group_coordinator_metrics_num_partitions",
];

fn start() -> Broker {
    Setup::new().set("ottla.metrics.listener", "127.0.0.1:0").start()
}

#[test]
fn dashboards_find_their_names_and_the_numbers_are_right() {
    let broker = start();
    let mut connection = broker.connect();
    connection.create_topic("orders", 2, &[("min.insync.replicas", "1")]);
    let batch = records::batch(1, 0..3, Codec::None, wait::now_ms());
    let bytes = batch.len() as f64;
    for partition in [0, 0, 1] {
        connection.produce("orders", partition, batch.clone());
    }
    connection.fetch("orders", 0, FetchQuery::at(0));
    let scrape = Scrape::of(address(&broker));
    for family in DASHBOARDS {
        assert!(scrape.has(family), "{family}");
    }
    let traffic = |name: &str| scrape.value(&format!("kafka_server_brokertopicmetrics_{name}"));
    assert_eq!(traffic("messagesin_total{topic=\"orders\"}"), 9.0);
    assert_eq!(traffic("bytesin_total{topic=\"orders\"}"), 3.0 * bytes);
    assert_eq!(traffic("bytesout_total{topic=\"orders\"}"), 2.0 * bytes);
    assert_eq!(traffic("messagesin_total"), 9.0);
    assert_eq!(traffic("messagesinpersec_total{topic=\"orders\"}"), 9.0);
    assert_eq!(traffic("totalproducerequests_total"), 3.0);
    assert_eq!(traffic("failedproducerequests_total"), 0.0);
    let partition = |name: &str, index: i32| scrape.value(&format!("{name}{{topic=\"orders\",partition=\"{index}\"}}"));
    assert_eq!(partition("kafka_topic_partition_current_offset", 0), 6.0);
    assert_eq!(partition("kafka_topic_partition_current_offset", 1), 3.0);
    assert_eq!(partition("kafka_log_log_size", 0), 2.0 * bytes);
    assert_eq!(partition("kafka_topic_partition_leader", 1), 1.0);
    assert_eq!(partition("kafka_cluster_partition_atminisr", 0), 1.0);
    assert_eq!(scrape.value("kafka_topic_partitions{topic=\"orders\"}"), 2.0);
    assert_eq!(scrape.value("kafka_server_replicamanager_leadercount"), 2.0);
    assert_eq!(scrape.value("kafka_brokers"), 1.0);
    assert_eq!(scrape.value("kafka_server_raftmetrics_current_state{current_state=\"leader\"}"), 1.0);
    assert_eq!(scrape.value("kafka_network_requestmetrics_requests_total{request=\"Produce\"}"), 3.0);
    let open = "kafka_server_socket_server_metrics_connection_count{listener=\"PLAINTEXT\",networkProcessor=\"0\"}";
    assert!(scrape.value(open) >= 1.0);

    tells_of_requests(&broker, &scrape);

    assert_eq!(connection.delete_topic("orders"), 0);
    wait::until_true("the deletion", LIMIT, || {
        let scrape = Scrape::of(address(&broker));
        let all = scrape.value("kafka_server_brokertopicmetrics_messagesin_total");
        assert_eq!(all, 9.0, "a sum does not go back");
        scrape.find("kafka_server_brokertopicmetrics_messagesin_total{topic=\"orders\"}").is_none()
    });
}

/// Three batches were produced, one was read, nothing failed yet.
fn tells_of_requests(broker: &Broker, scrape: &Scrape) {
    let request = |name: &str, labels: &str| format!("kafka_network_requestmetrics_{name}{{{labels}}}");
    for times in ["totaltimems", "localtimems", "remotetimems"] {
        assert_eq!(scrape.value(&request(&format!("{times}_count"), "request=\"Produce\"")), 3.0, "{times}");
        let quantile =
            |number: &str| scrape.value(&request(times, &format!("request=\"Produce\",quantile=\"{number}\"")));
        let quantiles = ["0.50", "0.75", "0.95", "0.98", "0.99", "0.999"].map(quantile);
        assert!(quantiles.is_sorted() && quantiles[5] < 1000.0 * LIMIT.as_secs_f64(), "{times}: {quantiles:?}");
    }
    let waited = request("remotetimems", "request=\"Produce\",quantile=\"0.50\"");
    assert!(scrape.value(&waited) > 0.0, "the only replica is flushed before the answer");
    let mut connection = broker.connect();
    for _ in 0..2 {
        assert_eq!(connection.fetch("orders", 0, FetchQuery::at(1_000)).error_code, 1);
    }
    let scrape = Scrape::of(address(broker));
    let errors = request("errors_total", "request=\"Fetch\",error=\"OFFSET_OUT_OF_RANGE\"");
    assert_eq!(scrape.value(&errors), 2.0);
    assert_eq!(scrape.value(&request("requests_total", "request=\"Fetch\"")), 3.0);
}

#[test]
fn members_offsets_and_lag_of_groups_are_told_also_after_a_restart() {
    let mut broker = Setup::new()
        .set("ottla.metrics.listener", "127.0.0.1:0")
        .set("offsets.topic.num.partitions", 2)
        .set("group.initial.rebalance.delay.ms", 0)
        // No session ends during the test, however slow the machine.
        .set("group.consumer.max.session.timeout.ms", 600_000)
        .set("group.consumer.session.timeout.ms", 600_000)
        .start();
    let mut connection = broker.connect();
    connection.create_topic("orders", 2, &[]);
    for partition in [0, 0, 1] {
        connection.produce("orders", partition, records::batch(1, 0..10, Codec::None, wait::now_ms()));
    }
    connection.await_coordinator("billing");
    let member = connection.join_alone("billing", "");
    for (partition, offset) in [(0, 13), (1, 10)] {
        assert_eq!(connection.commit("billing", &member, ("orders", partition), &(offset, 0, String::new())), 0);
    }
    assert_eq!(connection.commit("idle", &Member::none(), ("orders", 1), &(4, 0, String::new())), 0);
    connection.join_consumer("modern", "member", "orders");
    let told =
        |scrape: &Scrape, name: &str, labels: &str| scrape.value(&format!("kafka_consumergroup_{name}{{{labels}}}"));
    let look = |scrape: &Scrape| {
        let of = |partition: i32| format!("consumergroup=\"billing\",topic=\"orders\",partition=\"{partition}\"");
        assert_eq!(told(scrape, "members", "consumergroup=\"billing\""), 1.0);
        assert_eq!(told(scrape, "members", "consumergroup=\"idle\""), 0.0);
        let two = |name| [told(scrape, name, &of(0)), told(scrape, name, &of(1))];
        assert_eq!((two("current_offset"), two("lag")), ([13.0, 10.0], [7.0, 0.0]));
        let topic = "consumergroup=\"billing\",topic=\"orders\"";
        assert_eq!((told(scrape, "current_offset_sum", topic), told(scrape, "lag_sum", topic)), (23.0, 7.0));
        let idle = "consumergroup=\"idle\",topic=\"orders\"";
        assert_eq!((told(scrape, "current_offset_sum", idle), told(scrape, "lag_sum", idle)), (4.0, 6.0));
        // Where a group has committed other partitions of the topic only, kafka_exporter says -1.
        let none = format!("{idle},partition=\"0\"");
        assert_eq!((told(scrape, "current_offset", &none), told(scrape, "lag", &none)), (-1.0, -1.0));
        assert_eq!(told(scrape, "members", "consumergroup=\"modern\""), 1.0);
        let metrics = |name: &str| scrape.value(&format!("kafka_server_group_coordinator_metrics_{name}"));
        let kinds = ["group_count{protocol=\"classic\"}", "group_count{protocol=\"consumer\"}"];
        assert_eq!(kinds.map(metrics), [2.0, 1.0]);
        let states = ["Empty", "Assigning", "Reconciling", "Stable", "Dead"];
        let states = states.map(|state| metrics(&format!("consumer_group_count{{state=\"{state}\"}}")));
        assert_eq!(states, [0.0, 0.0, 0.0, 1.0, 0.0]);
        let manager = |name: &str| scrape.value(&format!("kafka_coordinator_group_groupmetadatamanager_{name}"));
        assert_eq!(["numgroups", "numoffsets", "numgroupsstable", "numgroupsempty"].map(manager), [2.0, 3.0, 1.0, 1.0]);
        let partitions = "kafka_server_group_coordinator_metrics_num_partitions{state=\"active\"}";
        assert_eq!(scrape.value(partitions), 2.0);
    };
    let scrape = Scrape::of(address(&broker));
    look(&scrape);
    for family in GROUP_DASHBOARDS {
        assert!(scrape.has(family), "{family}");
    }
    let metrics = |name: &str| scrape.value(&format!("kafka_server_group_coordinator_metrics_{name}"));
    assert_eq!(["offset_commit_count", "group_completed_rebalance_count"].map(metrics), [3.0, 1.0]);
    assert!(metrics("consumer_group_rebalance_count") >= 1.0);
    broker.kill9();
    broker.restart();
    // Nobody has used the topic since, so that the scrape has to look for its end.
    broker.connect().await_coordinator("billing");
    broker.connect().await_coordinator("idle");
    broker.connect().await_coordinator("modern");
    wait::until_true("recovery", LIMIT, || get(address(&broker), "/startupz").status == 200);
    look(&Scrape::of(address(&broker)));
}

#[test]
fn groups_beyond_the_limit_are_counted_and_not_told_one_by_one() {
    let broker = Setup::new()
        .set("ottla.metrics.listener", "127.0.0.1:0")
        .set("offsets.topic.num.partitions", 2)
        .set("ottla.metrics.max.series", 85)
        .start();
    let mut connection = broker.connect();
    connection.create_topic("t", 20, &[]);
    let offsets = |connection: &mut Connection, group: &str| {
        connection.await_coordinator(group);
        let request = commit_of(group, "t", 20);
        let answer = connection.send(&request, 9);
        assert!(answer.topics[0].partitions.iter().all(|partition| partition.error_code == 0), "{answer:?}");
    };
    offsets(&mut connection, "g");
    let manager = "kafka_coordinator_group_groupmetadatamanager_numoffsets";
    let few = Scrape::of(address(&broker));
    assert!(few.has("kafka_consumergroup_lag") && few.value(manager) == 20.0);
    offsets(&mut connection, "h");
    let many = Scrape::of(address(&broker));
    assert!(!many.has("kafka_consumergroup_lag") && many.has("kafka_consumergroup_members"));
    assert_eq!(many.value(manager), 40.0);
    assert!(many.value("ottla_metrics_omitted_series") >= 80.0);
}

/// A commit of the first `partitions` partitions of a topic.
fn commit_of(group: &str, topic: &str, partitions: i32) -> OffsetCommitRequest {
    let mut request = commit_request(group, &Member::none(), (topic, 0), &(0, 0, String::new()));
    let first = request.topics[0].partitions[0].clone();
    let partition = |partition_index| OffsetCommitRequestPartition { partition_index, ..first.clone() };
    request.topics[0].partitions = (0..partitions).map(partition).collect();
    request
}

#[test]
fn probes_stay_true_through_a_crash() {
    let mut broker = start();
    broker.connect().create_topic("t", 20, &[]);
    for partition in 0..20 {
        broker.connect().produce("t", partition, records::batch(1, 0..10, Codec::None, wait::now_ms()));
    }
    for path in ["/livez", "/readyz", "/startupz"] {
        assert_eq!(get(address(&broker), path).status, 200, "{path}");
    }
    broker.kill9();
    broker.restart();
    let address = address(&broker);
    assert_eq!(get(address, "/livez").status, 200);
    wait::until_true("every log is recovered", LIMIT, || {
        let startup = get(address, "/startupz");
        let told =
            startup.status == 200 || startup.body.starts_with("recovering: ") || startup.body.starts_with("joining");
        assert!(told, "{startup:?}");
        startup.status == 200
    });
    assert_eq!(get(address, "/readyz").body, "ok\n");
    let scrape = Scrape::of(address);
    assert_eq!(scrape.value("ottla_recovery_logs"), 20.0);
    assert_eq!(scrape.value("ottla_recovery_logs_done"), 20.0);
}

#[test]
fn strangers_get_nothing_but_a_refusal() {
    let broker = start();
    let address = address(&broker);
    let status = |request: &[u8]| exchange(address, request).map(|response| response.status);
    assert_eq!(status(b"POST /metrics HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"), Some(405));
    assert_eq!(status(b"GET /nothing HTTP/1.1\r\n\r\n"), Some(404));
    assert_eq!(status(b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\r\n\r\n"), Some(400));
    assert_eq!(exchange(address, b"HEAD /metrics HTTP/1.1\r\n\r\n").map(|response| response.body), Some(String::new()));
    let endless = [&b"GET / HTTP/1.1\r\nX: "[..], &vec![b'x'; 1 << 20]].concat();
    assert!(matches!(status(&endless), Some(431) | None), "closed, with the reason if it still got through");
    // Silent connections take all places for a while and are then thrown out.
    let silent: Vec<TcpStream> = (0..40).map(|_| TcpStream::connect(address).expect("the listener accepts")).collect();
    silent.iter().for_each(|mut stream| drop(stream.write_all(b"GET /li")));
    assert_eq!(get(address, "/livez").status, 200);
}

#[test]
fn a_port_that_is_taken_matters_only_where_it_was_asked_for() {
    let first = Broker::start();
    let second = Broker::start();
    assert!(second.log().contains("no metrics and health"), "one of two has the default port: {}", second.log());
    drop((first, second));
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut command = Command::new(workspace::ottla());
    let overrides = [
        "listeners=PLAINTEXT://127.0.0.1:0".to_owned(),
        format!("log.dirs={}", folder.path().join("data").display()),
        format!("ottla.metrics.listener={address}"),
    ];
    for setting in &overrides {
        command.args(["--override", setting]);
    }
    let output = command.stdin(Stdio::null()).output().expect("it runs");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && text.contains(&format!("failed to bind to {address}")), "{text}");
}

#[test]
fn ten_thousand_partitions_are_one_small_answer() {
    let broker = start();
    let mut connection = broker.connect();
    for topic in 0..10 {
        connection.create_topic(&format!("topic-with-a-name-{topic}"), 1_000, &[]);
    }
    connection.await_coordinator("group-with-a-name");
    let committed = connection.send(&commit_of("group-with-a-name", "topic-with-a-name-0", 1_000), 9);
    assert_eq!(committed.topics[0].partitions.len(), 1_000);
    let address = address(&broker);
    let began = Instant::now();
    let scrape = Scrape::of(address);
    let took = began.elapsed();
    eprintln!("{} bytes after {took:?}", scrape.bytes);
    assert!(scrape.bytes < SCRAPE_BYTES, "{} bytes", scrape.bytes);
    assert!(took < SCRAPE_LIMIT, "{took:?}");
    assert_eq!(scrape.value("kafka_server_replicamanager_partitioncount"), 10_050.0);
    assert!(scrape.has("kafka_consumergroup_lag") && scrape.has("kafka_consumergroup_members"));
    assert!(scrape.value("ottla_metrics_omitted_series") > 0.0, "what is left out is told");
    assert!(scrape.has("kafka_topic_partitions"));
}
