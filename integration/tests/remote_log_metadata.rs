//! `__remote_log_metadata` tells, in Kafka's records, what the cold tier does: every segment passes its states in order, each once.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use integration::audit;
use integration::broker::{Broker, Setup};
use integration::kafka;
use integration::tiering::remote_log_events;
use integration::wait;
use integration::wire::Connection;
use integration::{process, records, workspace};
use protocol::ids::Uuid;
use protocol::remote_log_record::RemoteLogSegmentState::{
    CopySegmentFinished, CopySegmentStarted, DeleteSegmentFinished, DeleteSegmentStarted,
};
use protocol::remote_log_record::{RemoteLogRecord, RemoteLogSegmentState};

const TOPIC: &str = "__remote_log_metadata";
const LIMIT: Duration = Duration::from_secs(120);
const TIERED: [(&str, &str); 4] = [
    ("remote.storage.enable", "true"),
    ("segment.bytes", "1048576"),
    ("local.retention.bytes", "1"),
    ("retention.ms", "-1"),
];
const COPIED: [RemoteLogSegmentState; 2] = [CopySegmentStarted, CopySegmentFinished];
const DELETED: [RemoteLogSegmentState; 4] =
    [CopySegmentStarted, CopySegmentFinished, DeleteSegmentStarted, DeleteSegmentFinished];

/// The states of every segment, in the order in which they are told, by first offset.
type Told = Vec<(i64, Vec<RemoteLogSegmentState>)>;

fn start(folder: &std::path::Path) -> Broker {
    Setup::new()
        .folder(&folder.join("data"))
        .set("remote.log.storage.system.enable", "true")
        .set("ottla.remote.storage.url", format!("file://{}", folder.join("remote").display()))
        .set("remote.log.manager.task.interval.ms", 200)
        .set("rlmm.config.remote.log.metadata.topic.num.partitions", 1)
        .set("rlmm.config.remote.log.metadata.topic.replication.factor", 1)
        .start()
}

fn told(connection: &mut Connection) -> Told {
    let mut segments: BTreeMap<Uuid, (i64, Vec<RemoteLogSegmentState>)> = BTreeMap::new();
    for record in audit::read_all(connection, TOPIC, 0).records {
        assert_eq!(record.key, None, "as Kafka writes them");
        let (id, base_offset, state) = match RemoteLogRecord::decode(record.value.expect("a value")) {
            Ok(RemoteLogRecord::Segment(record)) => {
                (record.remote_log_segment_id.id, Some(record.start_offset), record.remote_log_segment_state)
            }
            Ok(RemoteLogRecord::SegmentUpdate(record)) => {
                (record.remote_log_segment_id.id, None, record.remote_log_segment_state)
            }
            other => panic!("{other:?}"),
        };
        let told = segments.entry(id).or_insert_with(|| (base_offset.expect("the first record says it"), Vec::new()));
        told.1.push(RemoteLogSegmentState::of(state).expect("a state"));
    }
    let mut told: Told = segments.into_values().collect();
    told.sort_by_key(|(base_offset, _)| *base_offset);
    told
}

fn await_told(connection: &mut Connection, what: &str, is_it: impl Fn(&Told) -> bool) -> Told {
    wait::until(what, LIMIT, || Some(told(connection)).filter(&is_it))
}

/// Records of 100 KB, of which ten make a segment.
fn append(connection: &mut Connection, count: u64) {
    for seed in 0..count {
        let record = records::one(wait::now_ms(), None, Some(&records::noise(seed, 100_000)));
        assert_eq!(connection.produce("cold", 0, record).error_code, 0);
    }
}

fn states_are(states: &[RemoteLogSegmentState]) -> impl Fn(&(i64, Vec<RemoteLogSegmentState>)) -> bool + '_ {
    move |(_, told)| told == states
}

#[test]
fn every_state_of_a_segment_is_told_once() {
    let folder = tempfile::Builder::new().prefix("told.").tempdir().expect("a temporary folder");
    let mut broker = start(folder.path());
    let mut connection = broker.connect();
    connection.await_leaders(TOPIC, 1);
    connection.create_topic("cold", 1, &TIERED);
    append(&mut connection, 35);
    let first = await_told(&mut connection, "copies", |told| told.len() >= 3 && told.iter().all(states_are(&COPIED)));
    assert_eq!(first[0].0, 0, "{first:?}");

    // What a broker knew when it was killed is told no second time.
    broker.kill9();
    broker.restart();
    connection = broker.connect();
    connection.await_leaders("cold", 1);
    connection.await_leaders(TOPIC, 1);
    append(&mut connection, 20);
    let second = await_told(&mut connection, "more copies", |told| {
        told.len() > first.len() && told.iter().all(states_are(&COPIED))
    });
    assert_eq!(second[..first.len()], first);

    let third_segment = second[2].0;
    assert_eq!(connection.delete_records("cold", 0, third_segment), (0, third_segment));
    await_told(&mut connection, "deletions", |told| {
        told[..2].iter().all(states_are(&DELETED)) && told[2..].iter().all(states_are(&COPIED))
    });
    kafkas_tools_read_it(&broker, &mut connection);
    ottla_tier_shows_it(&broker, &second[2..]);
    assert_eq!(connection.delete_topic("cold"), 0);
    await_told(&mut connection, "all gone", |told| told.iter().all(states_are(&DELETED)));
}

/// Steps 17 and 23 to 25 of the article's walk-through.
fn kafkas_tools_read_it(broker: &Broker, connection: &mut Connection) {
    let bootstrap = broker.bootstrap();
    let described = kafka::tool("topics", &["--bootstrap-server", &bootstrap, "--describe", "--topic", TOPIC]).ok();
    for part in ["PartitionCount: 1", "ReplicationFactor: 1", "cleanup.policy=delete", "retention.ms=-1", "Leader: "] {
        assert!(described.contains(part), "{part} in {described}");
    }
    let count: usize = told(connection).iter().map(|(_, states)| states.len()).sum();
    let events = remote_log_events(broker);
    let of_state = |state: &str| events.iter().filter(|event| event.state == state).count();
    assert_eq!(events.len(), count, "{events:?}");
    assert!(events[0].segment.starts_with("startOffset=0 "), "{events:?}");
    assert_eq!(of_state("COPY_SEGMENT_STARTED"), of_state("COPY_SEGMENT_FINISHED"), "{events:?}");
    assert_eq!(of_state("DELETE_SEGMENT_FINISHED"), 2, "{events:?}");
}

/// `ottla tier`, where `live` is not deleted.
fn ottla_tier_shows_it(broker: &Broker, live: &[(i64, Vec<RemoteLogSegmentState>)]) {
    let tier = |arguments: &[&str]| {
        let mut command = Command::new(workspace::ottla());
        command.arg("tier").args(arguments).args(["-b", &broker.bootstrap()]);
        process::run(&mut command, b"", LIMIT).ok()
    };
    let listed = tier(&["ls", "cold"]);
    let firsts: Vec<i64> = listed.lines().skip(1).map(|line| word(line, 2).parse().expect("an offset")).collect();
    assert_eq!(firsts, live.iter().map(|(base_offset, _)| *base_offset).collect::<Vec<_>>(), "{listed}");
    assert!(listed.lines().skip(1).all(|line| word(line, 6) == "COPY_SEGMENT_FINISHED"), "{listed}");
    assert_eq!(tier(&["ls", "another", "--json"]), "");
    let events = tier(&["events"]);
    let first: Vec<&str> = events.lines().filter(|line| line.contains(" 0..=")).map(|line| word(line, 1)).collect();
    assert_eq!(first, DELETED.map(RemoteLogSegmentState::name), "{events}");
    let documents = tier(&["events", "cold", "--json"]);
    let documents: Vec<&str> = documents.lines().collect();
    assert_eq!(documents.len(), events.lines().count());
    assert!(documents[0].contains(r#""state":"COPY_SEGMENT_STARTED""#), "{}", documents[0]);
}

fn word(line: &str, at: usize) -> &str {
    line.split_whitespace().nth(at).expect("a word")
}
