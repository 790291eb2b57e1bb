//! `kill -9` in a loop under load: no acknowledged record is lost, none of an idempotent producer is there twice,
//! offsets have no gaps, and the broker serves again at once.

use std::time::Duration;

use integration::broker::Setup;
use integration::load::Load;

const ROUNDS: usize = 12;
/// A restart of Apache Kafka takes seconds.
const ROUNDS_OF_KAFKA: usize = 2;
const RECORDS_A_ROUND: usize = 2_000;
const PARTITIONS: i32 = 6;
/// The promise is 1 s on an idle machine; tests share theirs.
const RESTART_LIMIT: Duration = Duration::from_secs(20);

#[test]
fn nothing_acknowledged_is_lost_and_nothing_comes_twice() {
    let mut broker = Setup::new().set("log.index.interval.bytes", 512).start();
    let rounds = if broker.is_apache_kafka() { ROUNDS_OF_KAFKA } else { ROUNDS };
    // Small segments, so that crashes also meet rolls.
    broker.connect().create_topic("crash", PARTITIONS, &[("segment.bytes", "1048576")]);
    let load = Load::start(broker.address(), "crash", PARTITIONS);
    let mut slowest = Duration::ZERO;
    for round in 0..rounds {
        load.await_more(RECORDS_A_ROUND);
        broker.kill9();
        let took = broker.restart();
        eprintln!("round {round}: {} records acknowledged, serving again after {took:?}", load.acknowledged());
        slowest = slowest.max(took);
    }
    load.await_more(RECORDS_A_ROUND);
    load.assert_kept(&mut broker.connect());
    assert!(broker.is_apache_kafka() || slowest < RESTART_LIMIT, "{slowest:?}");
}

#[test]
fn a_clean_stop_under_load_loses_nothing_either() {
    let mut broker = Setup::new().start();
    broker.connect().create_topic("stop", PARTITIONS, &[]);
    let load = Load::start(broker.address(), "stop", PARTITIONS);
    for _ in 0..2 {
        load.await_more(RECORDS_A_ROUND);
        broker.stop();
        broker.restart();
    }
    load.await_more(RECORDS_A_ROUND);
    load.assert_kept(&mut broker.connect());
}
