//! Two million records over many small segments, read from many starts by every kind of client while segments roll,
//! retention runs and the broker restarts: every offset once, in order, byte-identical.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Result, ensure};
use integration::broker::{Broker, Setup};
use integration::wire::{Connection, FetchQuery, PRODUCE_VERSION, produce_request, produced};
use integration::{audit, clients, kafka, records, wait};
use protocol::messages::ProduceRequest;
use protocol::record_batch::Codec;
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};

const RECORDS: i64 = 500_000;
const IN_FLIGHT: usize = 16;
const OFFSET_OUT_OF_RANGE: i16 = 1;
/// Fetches from starts of which nobody chose a single one.
const RANDOM_STARTS: usize = 3_000;

/// A topic and what makes its segments small. A full index closes a segment, too: with an entry for each 4 KiB or more,
/// 60 bytes of index are some 16 KiB of log, and 240 are some 64 KiB.
struct Stream {
    name: &'static str,
    seed: u64,
    codec: Codec,
    configs: &'static [(&'static str, &'static str)],
}

const STREAMS: [Stream; 4] = [
    Stream { name: "kib-16", seed: 1, codec: Codec::None, configs: &[("segment.index.bytes", "60")] },
    Stream { name: "kib-64", seed: 2, codec: Codec::None, configs: &[("segment.index.bytes", "240")] },
    Stream { name: "mib-1", seed: 3, codec: Codec::None, configs: &[("segment.bytes", "1048576")] },
    Stream {
        name: "lz4",
        seed: 4,
        codec: Codec::Lz4,
        configs: &[("segment.bytes", "1048576"), ("segment.index.bytes", "60")],
    },
];

/// Produces `numbers` in batches of 1 to 200 records, pipelined; record number and offset are equal.
fn produce(address: SocketAddr, stream: &Stream, numbers: Range<i64>) {
    let mut random = StdRng::seed_from_u64(stream.seed + numbers.start.cast_unsigned());
    let mut connection = Connection::open(address);
    let mut next = numbers.start + 1;
    produce_first(&mut connection, stream, numbers.start);
    let mut expected = std::collections::VecDeque::new();
    while next < numbers.end || !expected.is_empty() {
        while expected.len() < IN_FLIGHT && next < numbers.end {
            let count = random.random_range(1..=200).min(numbers.end - next);
            let batch = records::batch(stream.seed, next..next + count, stream.codec, wait::now_ms());
            connection.write(&produce_request(stream.name, 0, batch, -1), PRODUCE_VERSION).expect("the broker reads");
            expected.push_back(next);
            next += count;
        }
        let (_, response) = connection.read::<ProduceRequest>(PRODUCE_VERSION).expect("an answer");
        let answer = produced(&response).expect("an answer for the partition");
        assert_eq!((answer.error_code, Some(answer.base_offset)), (0, expected.pop_front()), "{:?}", answer.message);
    }
}

/// One record alone, again and again while the broker still looks for its log: what follows is pipelined, and would
/// pass by one that is refused.
fn produce_first(connection: &mut Connection, stream: &Stream, number: i64) {
    wait::until("the leader", Duration::from_secs(60), || {
        let batch = records::batch(stream.seed, number..number + 1, stream.codec, wait::now_ms());
        let answer = connection.produce(stream.name, 0, batch);
        assert!([0, 3, 5, 6].contains(&answer.error_code), "{}: error {}", stream.name, answer.error_code);
        assert!(answer.error_code != 0 || answer.base_offset == number, "{}: {number}", stream.name);
        (answer.error_code == 0).then_some(())
    });
}

/// Follows a stream from offset 0 to its last record while it is written, in fetches of all sizes, and over restarts.
fn follow(address: SocketAddr, stream: &'static Stream) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut next = 0;
        let mut random = StdRng::seed_from_u64(stream.seed);
        while next < RECORDS {
            if let Ok(mut connection) = Connection::try_open(address) {
                let _ = follow_connection(&mut connection, stream, &mut next, &mut random);
            }
            wait::pause(Duration::from_millis(20));
        }
    })
}

fn follow_connection(
    connection: &mut Connection,
    stream: &Stream,
    next: &mut i64,
    random: &mut impl Rng,
) -> Result<()> {
    while *next < RECORDS {
        let max_bytes = [1, 1_000, 5_000, 16_384, 100_000, 1 << 20][random.random_range(0..6)];
        let query = FetchQuery::at(*next).max_bytes(max_bytes).wait_ms(100);
        let fetched = connection.try_fetch(stream.name, 0, query)?;
        // While it starts, a broker may not lead yet; never may it lose the place.
        ensure!([0, 3, 5, 6].contains(&fetched.error_code), "error {} at {next}", fetched.error_code);
        assert_ne!(fetched.error_code, OFFSET_OUT_OF_RANGE, "{} at {next}", stream.name);
        ensure!(fetched.error_code == 0, "not yet");
        let bytes = fetched.records.expect("records at the end are empty, not null");
        take(stream, &bytes, next);
    }
    Ok(())
}

/// Checks every record of a fetched region against its number, and moves `next` past it.
fn take(stream: &Stream, bytes: &bytes::Bytes, next: &mut i64) {
    for (_, batch) in audit::batches(bytes) {
        for record in audit::decode(&batch) {
            if record.offset < *next {
                continue;
            }
            assert_eq!(record.offset, *next, "{}: an offset is missing", stream.name);
            assert_value(stream, record.offset, record.value.as_deref().unwrap_or_default());
            *next += 1;
        }
    }
}

fn assert_value(stream: &Stream, offset: i64, value: &[u8]) {
    assert!(value == records::value(stream.seed, offset), "{}: other bytes at {offset}", stream.name);
}

/// Checks what a client printed: lines of offset, separator and value.
fn assert_lines(stream: &Stream, offsets: Range<i64>, output: &str, separator: char, prefix: &str) {
    let mut expected = offsets.clone();
    for line in output.lines() {
        let line = line.strip_prefix(prefix).unwrap_or(line);
        let (offset, value) = line.split_once(separator).unwrap_or_else(|| panic!("no record: {line}"));
        let number = expected.next().unwrap_or_else(|| panic!("{}: too many: {line}", stream.name));
        assert_eq!(offset.parse(), Ok(number), "{}: {line}", stream.name);
        assert_value(stream, number, value.as_bytes());
    }
    assert_eq!(expected.next(), None, "{}: the reader of {offsets:?} stopped early", stream.name);
}

fn read_by_raw_client(broker: &Broker, stream: &Stream) {
    let mut connection = broker.connect();
    let mut random = StdRng::seed_from_u64(99 + stream.seed);
    for _ in 0..RANDOM_STARTS {
        let start = random.random_range(0..RECORDS);
        let max_bytes = random.random_range(1..40_000);
        let fetched = connection.fetch(stream.name, 0, FetchQuery::at(start).max_bytes(max_bytes));
        assert_eq!(fetched.error_code, 0);
        let mut next = start;
        take(stream, &fetched.records.expect("records are never null"), &mut next);
        assert!(next > start, "{}: nothing at {start}", stream.name);
    }
    audit::assert_end_is_empty(&mut connection, stream.name, 0);
}

fn read_by_old_librdkafka(broker: &Broker, stream: &Stream, start: i64) {
    let (bootstrap, start_text) = (broker.bootstrap(), start.to_string());
    let arguments = [
        "-b",
        &bootstrap,
        "-C",
        "-q",
        "-t",
        stream.name,
        "-p",
        "0",
        "-o",
        &start_text,
        "-e",
        "-f",
        "%o %s\n",
        "-X",
        "fetch.message.max.bytes=20000",
    ];
    assert_lines(stream, start..RECORDS, &clients::kcat(&arguments, b"").ok(), ' ', "");
}

fn read_by_new_librdkafka(broker: &Broker, stream: &Stream, start: i64) {
    let arguments = [&broker.bootstrap(), stream.name, &start.to_string(), &RECORDS.to_string(), "20000"];
    assert_lines(stream, start..RECORDS, &clients::python("audit.py", &arguments).ok(), ' ', "");
}

fn read_by_java(broker: &Broker, stream: &Stream, start: i64) {
    let (bootstrap, start_text, count) = (broker.bootstrap(), start.to_string(), (RECORDS - start).to_string());
    let arguments = [
        "--bootstrap-server",
        &bootstrap,
        "--topic",
        stream.name,
        "--partition",
        "0",
        "--offset",
        &start_text,
        "--max-messages",
        &count,
        "--timeout-ms",
        "60000",
        "--formatter-property",
        "print.offset=true",
        "--command-property",
        "max.partition.fetch.bytes=20000",
    ];
    assert_lines(stream, start..RECORDS, &kafka::tool("console-consumer", &arguments).ok(), '\t', "Offset:");
}

fn read_by_rskafka(broker: &Broker, stream: &Stream, start: i64) {
    use rskafka::client::{ClientBuilder, partition::UnknownTopicHandling};
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let client = ClientBuilder::new(vec![broker.bootstrap()]).build().await.expect("the broker answers");
        let partition = client.partition_client(stream.name, 0, UnknownTopicHandling::Retry).await.expect("a leader");
        let mut next = start;
        while next < RECORDS {
            let (records, end) = partition.fetch_records(next, 1..20_000, 1000).await.expect("records");
            assert_eq!(end, RECORDS);
            assert!(!records.is_empty(), "{}: nothing at {next}", stream.name);
            for record in records {
                assert_eq!(record.offset, next, "{}: an offset is missing", stream.name);
                assert_value(stream, next, record.record.value.as_deref().unwrap_or_default());
                next += 1;
            }
        }
    });
}

fn segments(broker: &Broker, topic: &str) -> usize {
    let folder = broker.data().join(format!("{topic}-0"));
    let names = std::fs::read_dir(&folder).expect("the partition has a folder").map(|entry| entry.expect("a name"));
    names.filter(|entry| entry.path().extension().is_some_and(|extension| extension == "log")).count()
}

#[test]
fn every_offset_comes_once_in_order_and_unchanged() {
    let mut broker = Setup::new().set("log.retention.check.interval.ms", 200).start();
    let mut connection = broker.connect();
    for stream in &STREAMS {
        connection.create_topic(stream.name, 1, stream.configs);
    }
    let followers: Vec<_> = STREAMS.iter().map(|stream| follow(broker.address(), stream)).collect();
    for half in [0..RECORDS / 2, RECORDS / 2..RECORDS] {
        std::thread::scope(|scope| {
            for stream in &STREAMS {
                let (address, numbers) = (broker.address(), half.clone());
                scope.spawn(move || produce(address, stream, numbers));
            }
        });
        // Once as a crash, once cleanly; the followers go on.
        if half.start == 0 {
            broker.kill9()
        } else {
            broker.stop()
        }
        broker.restart();
    }
    for follower in followers {
        follower.join().expect("the follower read everything");
    }
    let counts: HashMap<_, _> = STREAMS.iter().map(|stream| (stream.name, segments(&broker, stream.name))).collect();
    eprintln!("segments: {counts:?}");
    assert!(counts["kib-16"] > 400 && counts["kib-64"] > 100 && counts["mib-1"] > 20, "{counts:?}");

    for stream in &STREAMS {
        read_by_raw_client(&broker, stream);
    }
    for (stream, start) in STREAMS.iter().zip([0, 1, RECORDS / 3, RECORDS / 2 + 17]) {
        read_by_old_librdkafka(&broker, stream, start);
        read_by_new_librdkafka(&broker, stream, start);
        read_by_java(&broker, stream, start);
        read_by_rskafka(&broker, stream, start);
    }
    for stream in &STREAMS[..2] {
        for start in [123_456, RECORDS - 1000, RECORDS - 1] {
            read_by_old_librdkafka(&broker, stream, start);
            read_by_rskafka(&broker, stream, start);
        }
    }
}

/// A reader that retention overtakes is told so, starts again at the new beginning, and never reads a wrong record.
/// Reads up to `end`, with a `pause` behind each answer. Where retention was faster it goes on at the start of the log. Returns how often
/// that was.
fn read_before_retention(connection: &mut Connection, stream: &Stream, end: i64, pause: impl Fn(i64)) -> u32 {
    let mut next = 0;
    let mut overtaken = 0;
    while next < end {
        let fetched = connection.fetch(stream.name, 0, FetchQuery::at(next).max_bytes(3_000).wait_ms(100));
        if fetched.error_code == OFFSET_OUT_OF_RANGE {
            let earliest = connection.earliest(stream.name, 0);
            assert!(earliest > next, "out of range at {next}, but the log begins at {earliest}");
            next = earliest;
            overtaken += 1;
            continue;
        }
        assert_eq!(fetched.error_code, 0);
        take(stream, &fetched.records.expect("records are never null"), &mut next);
        pause(next);
    }
    overtaken
}

#[test]
fn retention_takes_whole_segments_and_never_the_readers_place() {
    const WRITTEN: i64 = 200_000;
    const STREAM: Stream = Stream { name: "short", seed: 9, codec: Codec::None, configs: &[] };
    let broker = Setup::new().set("log.retention.check.interval.ms", 100).start();
    let mut connection = broker.connect();
    let configs = [("segment.index.bytes", "60"), ("retention.bytes", "500000"), ("file.delete.delay.ms", "100")];
    connection.create_topic(STREAM.name, 1, &configs);
    let address = broker.address();
    let writer = std::thread::spawn(move || produce(address, &STREAM, 0..WRITTEN));
    // Slower than the writer, so that retention catches up.
    let overtaken = read_before_retention(&mut connection, &STREAM, WRITTEN, |next| {
        wait::pause(Duration::from_millis(if next % 7 == 0 { 1 } else { 0 }));
    });
    writer.join().expect("the writer ends well");
    eprintln!("overtaken {overtaken} times");
    wait::until_true("retention", Duration::from_secs(60), || connection.earliest(STREAM.name, 0) > WRITTEN / 2);
    // The last round of retention may still be to come.
    read_before_retention(&mut connection, &STREAM, WRITTEN, |_| ());
    wait::until_true("the deletion of files", Duration::from_secs(60), || segments(&broker, STREAM.name) < 100);
}
