//! A million committed offsets: all of them are there after a kill, in little memory, and while they are read a client is told to wait.

use std::time::{Duration, Instant};

use integration::broker::{Broker, Setup};
use integration::wait;
use integration::wire::{Connection, Member, commit_request, join_request};
use protocol::messages::OffsetCommitRequest;
use protocol::messages::offset_commit_request::OffsetCommitRequestPartition;

const PARTITIONS: i32 = 1_000;
const GROUPS: i32 = 1_000;
const MEMORY_LIMIT: u64 = 200 << 20;
const LIMIT: Duration = Duration::from_secs(300);
const COORDINATOR_LOAD_IN_PROGRESS: i16 = 14;
const UNKNOWN_MEMBER_ID: i16 = 25;

fn group(number: i32) -> String {
    format!("a-group-with-a-name-{number}")
}

fn offset(group: i32, partition: i32) -> i64 {
    i64::from(group) * 10_000 + i64::from(partition)
}

/// One request with an offset for every partition.
fn commit(number: i32) -> OffsetCommitRequest {
    let mut request = commit_request(&group(number), &Member::none(), ("topic", 0), &(0, 0, String::new()));
    let first = request.topics[0].partitions[0].clone();
    let partition = |partition_index| OffsetCommitRequestPartition {
        partition_index,
        committed_offset: offset(number, partition_index),
        ..first.clone()
    };
    request.topics[0].partitions = (0..PARTITIONS).map(partition).collect();
    request
}

fn start() -> Broker {
    let broker = Setup::new().set("offsets.topic.num.partitions", 8).start();
    let mut connection = broker.connect();
    connection.create_topic("topic", PARTITIONS, &[]);
    for number in 0..GROUPS {
        connection.await_coordinator(&group(number));
        let answer = connection.send(&commit(number), 9);
        let partitions = &answer.topics[0].partitions;
        assert!(partitions.len() == 1_000 && partitions.iter().all(|partition| partition.error_code == 0));
    }
    broker
}

/// Asks everything of a group until it is loaded. Until then each request is told to come again, but for the heartbeat: nobody can say
/// that the member does not live.
fn await_load(connection: &mut Connection, group: &str) {
    let stranger = Member { id: "stranger".to_owned(), generation: 1 };
    wait::until_true("the group", LIMIT, || {
        let heartbeat = connection.heartbeat(group, &stranger);
        let join = connection.send(&join_request(group, "stranger"), 9).error_code;
        let sync = connection.sync(group, &stranger, &[]).error_code;
        let commit = connection.commit(group, &stranger, ("topic", 0), &(0, 0, String::new()));
        let fetch = connection.try_fetch_offsets(group, None).error_code;
        let known = |code: i16, loaded: i16| [COORDINATOR_LOAD_IN_PROGRESS, loaded].contains(&code);
        assert!(known(join, UNKNOWN_MEMBER_ID) && known(sync, UNKNOWN_MEMBER_ID), "{join} {sync}");
        assert!(known(commit, UNKNOWN_MEMBER_ID) && known(fetch, 0), "{commit} {fetch}");
        assert!([0, UNKNOWN_MEMBER_ID].contains(&heartbeat), "{heartbeat}");
        // Whatever came first saw the group as it was then.
        [heartbeat, join, sync, commit] == [UNKNOWN_MEMBER_ID; 4] && fetch == 0
    });
}

#[test]
fn a_million_offsets_are_read_after_a_kill_in_little_memory() {
    let mut broker = start();
    broker.kill9();
    let began = Instant::now();
    broker.restart();
    let mut connection = broker.connect();
    for number in 0..GROUPS {
        await_load(&mut connection, &group(number));
    }
    eprintln!("served {:?} after the start, {} MiB", began.elapsed(), broker.resident_bytes() >> 20);
    if !broker.is_apache_kafka() {
        let resident = broker.resident_bytes();
        assert!(resident < MEMORY_LIMIT, "{} MiB", resident >> 20);
    }
    for number in 0..GROUPS {
        let committed = connection.fetch_offsets(&group(number), None);
        assert_eq!(committed.len(), 1_000, "{}", group(number));
        for (_, partition, (committed, ..)) in committed {
            assert_eq!(committed, offset(number, partition), "{} {partition}", group(number));
        }
    }
}
