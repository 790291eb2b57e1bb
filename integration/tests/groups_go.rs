//! Groups of Go's clients: chains of franz-go's consumers whose members leave and die while the broker is killed, and sarama's and
//! segmentio's groups.

use std::time::Duration;

use integration::broker::{Broker, Setup};
use integration::wire::{Connection, text};
use integration::{clients, records, wait};
use protocol::messages::ListGroupsRequest;
use protocol::record_batch::Codec;

const PARTITIONS: i32 = 6;
const LIMIT: Duration = Duration::from_secs(180);

fn setup() -> Setup {
    Setup::new().set("group.initial.rebalance.delay.ms", 300).set("offsets.topic.num.partitions", 5)
}

/// Ten records for each partition, all with values of their own if no other call has these `numbers`.
fn produce(connection: &mut Connection, topic: &str, first: i64) {
    for partition in 0..PARTITIONS {
        let first = first + i64::from(partition) * 10;
        let batch = records::batch(1, first..first + 10, Codec::None, wait::now_ms());
        assert_eq!(connection.produce(topic, partition, batch).error_code, 0);
    }
}

fn committed(connection: &mut Connection, group: &str) -> i64 {
    connection.await_coordinator(group);
    connection.fetch_offsets(group, None).iter().map(|(_, _, committed)| committed.0).sum()
}

/// Runs a chain of three groups in a mode of franz-go. The broker is killed while they are at work; the chain goes on as soon as
/// it is back, and no member reads what its group had committed.
fn chain(mode: &str, mut broker: Broker) {
    let mut connection = broker.connect();
    for stage in 0..3 {
        connection.create_topic(&format!("{mode}-{stage}"), PARTITIONS, &[]);
    }
    produce(&mut connection, &format!("{mode}-0"), 0);
    let (bootstrap, last) = (broker.bootstrap(), format!("franz-{mode}-2"));
    let finished = std::thread::scope(|scope| {
        let running = scope.spawn(|| clients::go(&["franz-chain", &bootstrap, mode, "120"]));
        let is_under_way = |connection: &mut Connection| {
            running.is_finished() || committed(connection, &last) >= i64::from(PARTITIONS)
        };
        wait::until_true("the first values at the end of the chain", LIMIT, || is_under_way(&mut connection));
        broker.kill9();
        broker.restart();
        produce(&mut broker.connect(), &format!("{mode}-0"), 60);
        running.join().expect("the program can be run")
    });
    let verdict = clients::verdict("franz-chain", finished);
    assert!(verdict.checks >= 3 * 120, "only {} checks", verdict.checks);
    let mut connection = broker.connect();
    let kind = if mode == "consumer" { "consumer" } else { "classic" };
    let of_kind = ListGroupsRequest::default().with_types_filter(vec![text(kind)]);
    let listed = connection.send(&of_kind, 5).groups;
    assert_eq!(listed.iter().filter(|group| group.group_id.starts_with("franz-")).count(), 3, "{listed:?}");
    for stage in 0..3 {
        let ends: i64 = (0..PARTITIONS).map(|partition| connection.latest(&format!("{mode}-{stage}"), partition)).sum();
        assert_eq!(committed(&mut connection, &format!("franz-{mode}-{stage}")), ends, "{mode}, stage {stage}");
    }
}

#[test]
fn a_chain_of_eager_groups() {
    chain("eager", setup().start());
}

#[test]
fn a_chain_of_cooperative_groups() {
    chain("cooperative", setup().start());
}

#[test]
fn a_chain_of_static_members() {
    chain("static", setup().start());
}

/// In the consumer protocol the broker says how often members are heard of, and when they are dead: long enough for members that
/// live on a busy machine, who would read on what others have taken over.
#[test]
fn a_chain_of_groups_of_the_consumer_protocol() {
    let broker = setup()
        .set("group.consumer.min.heartbeat.interval.ms", 100)
        .set("group.consumer.heartbeat.interval.ms", 200)
        .set("group.consumer.min.session.timeout.ms", 1_000)
        .set("group.consumer.session.timeout.ms", 20_000)
        .set("group.consumer.assignment.interval.ms", 0);
    chain("consumer", broker.start());
}

/// Runs a program twice, the broker being killed in between: each record is read once.
fn reads_once(program: &str, group: &str) {
    let mut broker = setup().start();
    broker.connect().create_topic("t", PARTITIONS, &[]);
    for round in 1..=2 {
        let mut connection = broker.connect();
        produce(&mut connection, "t", 0);
        let finished = clients::go(&[program, &broker.bootstrap(), "t", "60"]);
        assert!(clients::verdict(program, finished).checks >= 60);
        assert_eq!(committed(&mut connection, group), 60 * round);
        broker.kill9();
        broker.restart();
        assert_eq!(committed(&mut broker.connect(), group), 60 * round);
    }
}

#[test]
fn sarama_reads_once() {
    reads_once("sarama-group", "sarama");
}

#[test]
fn segmentio_reads_once() {
    reads_once("segmentio-group", "segmentio");
}
