//! The cold tier over real object stores, each through the real client of its cloud; and over stores that misbehave.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use integration::broker::{Broker, Setup};
use integration::clients;
use integration::http_proxy::{Fate, Message};
use integration::monitoring::{self, Scrape};
use integration::object_store::{ObjectStore, sign_again};
use integration::tiering::{EARLIEST_LOCAL, LIMIT, TIERED, append, assert_whole, await_tiering, list};
use integration::wait;
use integration::wire::{EARLIEST, FetchQuery};

/// A broker whose cold tier is the store.
fn broker(store: &ObjectStore) -> Broker {
    broker_that_waits(store, 10_000)
}

/// The same, in which a fetch waits so many milliseconds for the store.
fn broker_that_waits(store: &ObjectStore, fetch_wait_ms: u32) -> Broker {
    let setup = Setup::new()
        .set("remote.log.storage.system.enable", "true")
        .set("ottla.remote.storage.url", store.url())
        .set("ottla.metrics.listener", "127.0.0.1:0")
        .set("remote.log.manager.task.interval.ms", 200)
        .set("remote.log.manager.task.retry.backoff.max.ms", 500)
        .set("remote.fetch.max.wait.ms", fetch_wait_ms)
        .set("log.retention.check.interval.ms", 200);
    store.environment().into_iter().fold(setup, |setup, (name, value)| setup.variable(name, value)).start()
}

/// Objects of a topic.
fn objects(store: &ObjectStore, topic: &str) -> Vec<String> {
    let mut keys = store.keys();
    keys.retain(|key| key.starts_with("kafka/") && key.contains(&format!("/{topic}-")));
    keys
}

/// Everything by a client of its own, which knows of no tiers.
#[track_caller]
fn assert_whole_for_kcat(broker: &Broker, topic: &str, end: i64) {
    let bootstrap = broker.bootstrap();
    let read = ["-b", &bootstrap, "-C", "-t", topic, "-p", "0", "-o", "beginning", "-e", "-q", "-f", "%o %S\n"];
    let lines = clients::kcat(&read, b"").ok();
    let expected: String = (0..end).map(|offset| format!("{offset} 10000\n")).collect();
    assert!(lines == expected, "{lines}");
}

/// Segments go there, everything reads back as if they had not, through a restart and a crash, and with the topic they are gone.
#[track_caller]
fn everything_goes_there_and_comes_back(store: &ObjectStore) {
    let mut broker = broker(store);
    let mut connection = broker.connect();
    connection.create_topic("orders", 1, &TIERED);
    let mut end = append(&mut connection, "orders", 0, 35);
    let local = await_tiering(&broker, &mut connection, "orders");
    assert!(local >= 200, "three segments at least: {local}");
    assert!(objects(store, "orders").len() >= 7, "two objects a segment and a manifest");
    assert_whole_for_kcat(&broker, "orders", end);
    broker.stop();
    broker.restart();
    connection = broker.connect();
    connection.await_leaders("orders", 1);
    assert_whole(&mut connection, "orders", 0, end);
    end = append(&mut connection, "orders", end, 25);
    // In the middle of whatever it copies.
    broker.kill9();
    broker.restart();
    connection = broker.connect();
    connection.await_leaders("orders", 1);
    await_tiering(&broker, &mut connection, "orders");
    assert_whole(&mut connection, "orders", 0, end);
    assert_eq!(connection.delete_records("orders", 0, 150), (0, 150));
    assert_whole(&mut connection, "orders", 150, end);
    assert_eq!(connection.delete_topic("orders"), 0);
    wait::until_true("every object is gone", LIMIT, || objects(store, "orders").is_empty());
}

#[test]
fn minio() {
    everything_goes_there_and_comes_back(&ObjectStore::minio());
}

#[test]
fn versitygw() {
    everything_goes_there_and_comes_back(&ObjectStore::versitygw());
}

#[test]
fn azurite() {
    everything_goes_there_and_comes_back(&ObjectStore::azurite());
}

#[test]
fn google() {
    everything_goes_there_and_comes_back(&ObjectStore::google());
}

/// Garage 2.5 takes `If-None-Match` and overwrites: what drops the header does the same.
#[test]
fn a_store_that_overwrites_is_refused_by_name() {
    let store = ObjectStore::minio();
    let upstream = store.address();
    let store = store.behind(move |request: &mut Message| {
        request.remove("If-None-Match");
        sign_again(upstream, request);
        Fate::Pass
    });
    let broker = broker(&store);
    let mut connection = broker.connect();
    wait::until_true("the refusal", LIMIT, || broker.log().contains("the remote storage is refused"));
    let log = broker.log();
    let line = log.lines().find(|line| line.contains("the remote storage is refused")).unwrap_or_default();
    assert!(line.contains("s3://cold/kafka") && line.contains("overwrites an object"), "{line}");
    connection.create_topic("orders", 1, &TIERED);
    let end = append(&mut connection, "orders", 0, 35);
    assert_whole(&mut connection, "orders", 0, end);
    assert_eq!(objects(&store, "orders"), Vec::<String>::new());
}

/// The most that a segment of [`TIERED`] has.
const SEGMENT_BYTES: f64 = 1_048_576.0;

/// Three of ten requests, in an order that no client's own rhythm follows.
fn fate_of(number: u64) -> Fate {
    match number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32 {
        hash if hash % 10 == 0 => Fate::Refuse(503),
        hash if hash % 10 == 1 => Fate::LoseAnswer,
        hash if hash % 10 == 2 => Fate::Truncate,
        _ => Fate::Pass,
    }
}

/// What the store loses or spoils is asked for again; nobody who needs only the local log notices.
#[test]
fn faults_of_the_store_lose_nothing() {
    let store = ObjectStore::minio();
    let (is_down, is_faulty) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(false)));
    let (down, faulty, requests) = (Arc::clone(&is_down), Arc::clone(&is_faulty), AtomicU64::new(0));
    let store = store.behind(move |_: &mut Message| match down.load(Ordering::SeqCst) {
        true => Fate::Refuse(503),
        false if faulty.load(Ordering::SeqCst) => fate_of(requests.fetch_add(1, Ordering::SeqCst)),
        false => Fate::Pass,
    });
    let mut broker = broker(&store);
    let mut connection = broker.connect();
    connection.create_topic("orders", 1, &TIERED);
    let mut end = append(&mut connection, "orders", 0, 35);
    let says = |broker: &Broker, what: &str| {
        wait::until_true(what, LIMIT, || broker.log().lines().any(|line| line.contains(what) && line.contains("503")));
    };
    says(&broker, "the remote storage is not reached");
    assert_whole(&mut connection, "orders", 0, end);
    is_down.store(false, Ordering::SeqCst);
    await_tiering(&broker, &mut connection, "orders");
    let value = |broker: &Broker, name: &str| {
        let metric = format!("kafka_server_brokertopicmetrics_{name}{{topic=\"orders\"}}");
        Scrape::of(monitoring::address(broker)).value(&metric)
    };
    // A copy that is done and whose last answer was lost counts as a failure. Either is counted a moment after the segment can be read.
    let all_is_counted = |broker: &Broker| {
        wait::until_true("each segment that is remote counts as a copy or a failure", LIMIT, || {
            let failed = value(broker, "remotecopyerrors_total") * SEGMENT_BYTES;
            value(broker, "remotecopybytes_total") + failed >= value(broker, "remotelogsizebytes")
        });
    };
    all_is_counted(&broker);
    assert!(value(&broker, "remotelogsizebytes") > 2e6);
    is_down.store(true, Ordering::SeqCst);
    end = append(&mut connection, "orders", end, 25);
    says(&broker, "segments are not moved");
    assert_eq!(list(&mut connection, "orders", EARLIEST).offset, 0);
    is_faulty.store(true, Ordering::SeqCst);
    is_down.store(false, Ordering::SeqCst);
    end = append(&mut connection, "orders", end, 25);
    await_tiering(&broker, &mut connection, "orders");
    is_faulty.store(false, Ordering::SeqCst);
    assert_whole(&mut connection, "orders", 0, end);
    all_is_counted(&broker);
    // A failure is counted before it is told, and everything was read.
    assert!(value(&broker, "remotecopyerrors_total") > 0.0 && value(&broker, "remotelogsizebytes") > 4e6);
    assert!(value(&broker, "remotefetchbytes_total") >= value(&broker, "remotelogsizebytes"));
    assert_eq!((value(&broker, "remotecopylagsegments"), value(&broker, "remotedeletelagbytes")), (0.0, 0.0));
    broker.kill9();
    broker.restart();
    connection = broker.connect();
    connection.await_leaders("orders", 1);
    assert_whole(&mut connection, "orders", 0, end);
}

/// What the broker says of one partition's segments, where `ottla tier describe` has it from.
fn status(broker: &Broker, topic: &str) -> String {
    let report = monitoring::get(monitoring::address(broker), "/tier").body;
    let of_topic =
        report.split("{\"").find(|part| part.contains(&format!("\"topic\":\"{topic}\""))).unwrap_or_default();
    of_topic.split("\"status\":\"").nth(1).unwrap_or_default().split('"').next().unwrap_or_default().to_owned()
}

/// Credentials that end: nothing moves, and the reason is told; whoever reads what is local does not notice; with new ones all goes on.
#[test]
fn credentials_that_expire_stop_nothing_but_the_moves() {
    let store = ObjectStore::minio();
    let has_expired = Arc::new(AtomicBool::new(false));
    let expired = Arc::clone(&has_expired);
    let store = store.behind(move |_: &mut Message| match expired.load(Ordering::SeqCst) {
        true => Fate::Refuse(403),
        false => Fate::Pass,
    });
    let broker = broker(&store);
    let mut connection = broker.connect();
    connection.create_topic("orders", 1, &TIERED);
    let mut end = append(&mut connection, "orders", 0, 35);
    let local = await_tiering(&broker, &mut connection, "orders");
    has_expired.store(true, Ordering::SeqCst);
    end = append(&mut connection, "orders", end, 25);
    wait::until_true("the reason", LIMIT, || status(&broker, "orders").contains("403"));
    let log = broker.log();
    assert!(log.lines().any(|line| line.contains("segments are not moved") && line.contains("403")), "{log}");
    let fetched = connection.fetch("orders", 0, FetchQuery::at(local));
    assert_eq!(
        (fetched.error_code, fetched.records.is_some_and(|records| !records.is_empty())),
        (0, true),
        "what is local is read as ever"
    );
    assert_eq!(list(&mut connection, "orders", EARLIEST).offset, 0, "what is remote is not given up");
    has_expired.store(false, Ordering::SeqCst);
    await_tiering(&broker, &mut connection, "orders");
    assert_whole(&mut connection, "orders", 0, end);
}

/// The store is away when a topic is deleted, and the broker killed before it is back.
#[test]
fn a_deletion_goes_on_after_a_crash() {
    let store = ObjectStore::minio();
    let is_down = Arc::new(AtomicBool::new(false));
    let down = Arc::clone(&is_down);
    let store = store.behind(move |_: &mut Message| match down.load(Ordering::SeqCst) {
        true => Fate::Refuse(503),
        false => Fate::Pass,
    });
    // Less than it takes to ask such a store again.
    let mut broker = broker_that_waits(&store, 1);
    let mut connection = broker.connect();
    connection.create_topic("orders", 1, &TIERED);
    append(&mut connection, "orders", 0, 25);
    await_tiering(&broker, &mut connection, "orders");
    is_down.store(true, Ordering::SeqCst);
    assert_eq!(connection.fetch("orders", 0, FetchQuery::at(0)).error_code, 0, "it comes later");
    let expired = "kafka_server_delayedremotefetchmetrics_expires_total";
    assert_eq!(Scrape::of(monitoring::address(&broker)).value(expired), 1.0);
    assert_eq!(connection.delete_topic("orders"), 0);
    wait::until_true("a deletion that fails", LIMIT, || {
        broker.log().contains("objects of a deleted topic are still there")
    });
    broker.kill9();
    is_down.store(false, Ordering::SeqCst);
    assert!(!objects(&store, "orders").is_empty());
    broker.restart();
    wait::until_true("every object is gone", LIMIT, || objects(&store, "orders").is_empty());
}

/// Everything in the bucket is gone. What is local stays and is served; nothing is moved before somebody says that the rest may go.
#[test]
fn a_bucket_that_was_emptied_is_told_of() {
    let store = ObjectStore::minio();
    let mut broker = broker(&store);
    let mut connection = broker.connect();
    connection.create_topic("orders", 1, &TIERED);
    let mut end = append(&mut connection, "orders", 0, 35);
    let local = await_tiering(&broker, &mut connection, "orders");
    store.empty();
    end = append(&mut connection, "orders", end, 25);
    for is_restart in [false, true] {
        if is_restart {
            broker.stop();
            broker.restart();
            connection = broker.connect();
            connection.await_leaders("orders", 1);
        }
        wait::until_true("the reason", LIMIT, || status(&broker, "orders").contains("the store has nothing of"));
        assert_eq!(list(&mut connection, "orders", EARLIEST_LOCAL).offset, local, "nothing more leaves the local log");
        let fetched = connection.fetch("orders", 0, FetchQuery::at(local));
        assert_eq!((fetched.error_code, fetched.records.is_some_and(|records| !records.is_empty())), (0, true));
    }
    assert_eq!(connection.delete_records("orders", 0, local), (0, local));
    assert!(await_tiering(&broker, &mut connection, "orders") > local);
    assert_whole(&mut connection, "orders", local, end);
}
