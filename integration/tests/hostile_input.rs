//! Bytes from strangers: whatever they send, the broker stays up, its memory stays bounded, and other clients are served.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};
use integration::broker::Broker;
use integration::wire::{Connection, FetchQuery, encode, produce_request};
use integration::{process, records, wait};
use protocol::messages::{ApiVersionsRequest, FetchRequest, MetadataRequest};
use protocol::record_batch::{BatchBuilder, BatchHeader, Codec, HEADER_SIZE, compute_crc};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

const MIB: u64 = 1 << 20;
/// What a stranger may make resident, on top of what an idle broker has: the pool of request memory and some air.
const ROOM: u64 = 128 * MIB;
const CLOSE_LIMIT: Duration = Duration::from_secs(30);
const SERVE_LIMIT: Duration = Duration::from_secs(30);

/// A broker under attack, with a well-behaved client to compare.
struct Target {
    broker: Broker,
    honest: Connection,
    resident_before: u64,
    produced: i64,
}

impl Target {
    fn new() -> Self {
        let broker = Broker::start();
        let mut honest = broker.connect();
        honest.create_topic("honest", 1, &[]);
        honest.create_topic("victim", 1, &[]);
        let resident_before = broker.resident_bytes();
        Self { broker, honest, resident_before, produced: 0 }
    }

    /// The honest client is served, and nothing much has become resident, not even for a moment.
    #[track_caller]
    fn assert_unharmed(&mut self, after: &str) {
        let started = Instant::now();
        let batch = records::batch(1, self.produced..self.produced + 1, Codec::None, wait::now_ms());
        assert_eq!(self.honest.produce("honest", 0, batch).error_code, 0, "after {after}");
        let fetched = self.honest.fetch("honest", 0, FetchQuery::at(self.produced));
        assert!(fetched.records.is_some_and(|bytes| !bytes.is_empty()), "after {after}");
        self.produced += 1;
        assert!(started.elapsed() < SERVE_LIMIT, "after {after}: served in {:?}", started.elapsed());
        let peak = process::peak_resident_bytes(self.broker.pid());
        let grown = peak.saturating_sub(self.resident_before);
        assert!(self.broker.is_apache_kafka() || grown < ROOM, "after {after}: {} MiB more", grown / MIB);
    }

    /// Sends bytes over a connection of their own and reads to its end or to the first answer.
    fn send(&self, bytes: &[u8]) -> Ending {
        let mut stream = TcpStream::connect(self.broker.address()).expect("the broker accepts");
        stream.set_read_timeout(Some(CLOSE_LIMIT)).expect("a time limit can be set");
        if stream.write_all(bytes).is_err() {
            return Ending::Closed;
        }
        let mut first = [0; 4];
        match stream.read(&mut first) {
            Ok(0) => Ending::Closed,
            Ok(_) => Ending::Answered,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Ending::Closed,
            Err(_) => Ending::Silent,
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Ending {
    Closed,
    Answered,
    Silent,
}

/// A frame with a header of version 1 and a body of one's choice.
fn frame(api_key: i16, version: i16, flexible: bool, body: &[u8]) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_i32(0);
    frame.put_i16(api_key);
    frame.put_i16(version);
    frame.put_i32(7);
    frame.put_i16(-1);
    if flexible {
        frame.put_u8(0);
    }
    frame.put_slice(body);
    let size = i32::try_from(frame.len() - 4).expect("frames are small");
    frame[..4].copy_from_slice(&size.to_be_bytes());
    frame.freeze()
}

#[test]
fn what_is_no_request_is_closed_at_once() {
    let mut target = Target::new();
    let tls_hello = [0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03];
    let cases: [(&str, Bytes); 9] = [
        ("a size of -1", Bytes::from_static(&[0xff; 4])),
        ("a size of 0", Bytes::from_static(&[0; 4])),
        ("a size of 2^31-1", Bytes::from_static(&[0x7f, 0xff, 0xff, 0xff])),
        ("a size of i32::MIN", Bytes::from_static(&[0x80, 0, 0, 0])),
        ("HTTP", Bytes::from_static(b"GET / HTTP/1.1\r\nHost: kafka\r\n\r\n")),
        ("a TLS hello", Bytes::copy_from_slice(&tls_hello)),
        ("an unknown API", frame(999, 0, false, &[])),
        ("a negative API", frame(-5, 0, false, &[])),
        ("an unknown version of Metadata", frame(3, 99, false, &[])),
    ];
    for (name, bytes) in cases {
        assert_eq!(target.send(&bytes), Ending::Closed, "{name}");
        target.assert_unharmed(name);
    }
    assert_eq!(target.send(&frame(18, 99, true, &[])), Ending::Answered, "ApiVersions of a future version is answered");
}

#[test]
fn counts_that_are_not_there_cost_nothing() {
    let mut target = Target::new();
    let max = [0x7f, 0xff, 0xff, 0xff];
    let compact_max = [0xff, 0xff, 0xff, 0xff, 0x0f];
    let hundred_million = [0x81, 0xc2, 0xd7, 0x2f];
    let produce = |count: &[u8]| [&[0xff, 0xff, 0, 1, 0, 0, 0x75, 0x30][..], count].concat();
    let cases: Vec<(&str, Bytes)> = vec![
        ("Metadata 1", frame(3, 1, false, &max)),
        ("Metadata 12", frame(3, 12, true, &compact_max)),
        ("Metadata 12, plausible", frame(3, 12, true, &hundred_million)),
        ("Produce 3", frame(0, 3, false, &produce(&max))),
        ("Produce 9", frame(0, 9, true, &[&[0, 0, 1, 0, 0, 0x75, 0x30], &compact_max[..]].concat())),
        ("Fetch 4", frame(1, 4, false, &[&[0xff; 4][..], &[0; 8], &max, &[0], &max].concat())),
        ("Fetch 12", frame(1, 12, true, &[&[0xff; 4][..], &[0; 8], &max, &[0; 9], &compact_max].concat())),
        ("CreateTopics 2", frame(19, 2, false, &max)),
        ("CreateTopics 5", frame(19, 5, true, &compact_max)),
        ("DeleteTopics 1", frame(20, 1, false, &max)),
        ("ListOffsets 1", frame(2, 1, false, &[&[0xff; 4][..], &max].concat())),
        ("DescribeConfigs 1", frame(32, 1, false, &max)),
        ("a header with tags without end", frame(3, 12, false, &compact_max)),
        ("a client id longer than the frame", Bytes::from_static(&[0, 0, 0, 10, 0, 3, 0, 1, 0, 0, 0, 1, 0x7f, 0xff])),
    ];
    for (name, bytes) in cases {
        for _ in 0..20 {
            assert_eq!(target.send(&bytes), Ending::Closed, "{name}");
        }
        target.assert_unharmed(name);
    }
}

#[test]
fn a_promised_frame_that_never_comes_holds_no_memory() {
    let mut target = Target::new();
    let mut waiting = Vec::new();
    for _ in 0..200 {
        let mut stream = TcpStream::connect(target.broker.address()).expect("the broker accepts");
        // A Produce of 90 MiB, of which only the first bytes come.
        stream.write_all(&(90u32 << 20).to_be_bytes()).expect("the broker reads");
        stream.write_all(&[0, 0, 0, 9, 0, 0, 0, 1]).expect("the broker reads");
        waiting.push(stream);
    }
    target.assert_unharmed("200 promises");
}

/// A batch whose header is changed after it was built, with a CRC that fits.
fn forged(change: impl FnOnce(&mut BatchHeader)) -> Bytes {
    let batch = records::batch(1, 0..3, Codec::None, wait::now_ms());
    let mut header = BatchHeader::read(&batch).expect("a batch was built");
    change(&mut header);
    header.crc = compute_crc(&header.write(), &batch[HEADER_SIZE..]);
    [&header.write()[..], &batch[HEADER_SIZE..]].concat().into()
}

#[test]
fn batches_that_lie_are_refused() {
    let mut target = Target::new();
    let good = records::batch(1, 0..3, Codec::None, wait::now_ms());
    let mut broken_crc = good.to_vec();
    broken_crc[HEADER_SIZE + 5] ^= 1;
    let mut magic = Vec::new();
    for version in [0, 1, 3, -1] {
        magic.push(forged(|header| header.magic = version));
    }
    let cases: Vec<(&str, Bytes)> = vec![
        ("a wrong CRC", broken_crc.into()),
        ("magic 0", magic[0].clone()),
        ("magic 1", magic[1].clone()),
        ("magic 3", magic[2].clone()),
        ("magic -1", magic[3].clone()),
        ("more records than there are", forged(|header| header.record_count = 4)),
        ("2^31-1 records", forged(|header| header.record_count = i32::MAX)),
        ("fewer records than there are", forged(|header| header.record_count = 1)),
        ("-1 records", forged(|header| header.record_count = -1)),
        ("a last offset that does not fit", forged(|header| header.last_offset_delta = 100)),
        ("the largest last offset", forged(|header| header.last_offset_delta = i32::MAX)),
        ("a control batch", forged(|header| header.attributes = header.attributes.control())),
        ("a batch longer than the field", forged(|header| header.batch_length += 10)),
        ("a batch shorter than its header", forged(|header| header.batch_length = 10)),
        ("a negative length", forged(|header| header.batch_length = -1)),
        ("half a batch", good.slice(..good.len() / 2)),
        ("half a header", good.slice(..20)),
        ("two batches", [&good[..], &good[..]].concat().into()),
        ("an unknown codec", forged(|header| header.attributes.0 |= 7)),
        ("gzip that is none", forged(|header| header.attributes = header.attributes.with_codec(Codec::Gzip))),
        ("zstd that is none", forged(|header| header.attributes = header.attributes.with_codec(Codec::Zstd))),
    ];
    let mut connection = target.broker.connect();
    for (name, batch) in cases {
        // An error, or the end of the connection; never a place in the log.
        match connection.try_produce("victim", 0, batch) {
            Ok(answer) => assert_ne!(answer.error_code, 0, "{name}"),
            Err(_) => connection = target.broker.connect(),
        }
        assert_eq!(connection.latest("victim", 0), 0, "{name}");
        target.assert_unharmed(name);
    }
    assert_eq!(connection.produce("victim", 0, good).error_code, 0);
}

#[test]
fn decompression_bombs_stay_small() {
    let mut target = Target::new();
    let zeros = vec![0; 64 << 20];
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let mut builder = BatchBuilder::new(0, codec);
        builder.append(wait::now_ms(), None, Some(&zeros), &[]);
        let bomb = builder.build();
        let mut connection = target.broker.connect();
        for _ in 0..3 {
            // Taken or refused, as its size demands; what counts is what it costs.
            if connection.try_produce("victim", 0, bomb.clone()).is_err() {
                connection = target.broker.connect();
            }
        }
        target.assert_unharmed(codec.name());
    }
}

#[test]
fn clients_that_never_read_hold_no_memory() {
    let mut target = Target::new();
    let batch = {
        let mut builder = BatchBuilder::new(0, Codec::None);
        builder.append(wait::now_ms(), None, Some(&records::noise(1, 1_000_000)), &[]);
        builder.build()
    };
    for _ in 0..50 {
        assert_eq!(target.honest.produce("victim", 0, batch.clone()).error_code, 0);
    }
    let fetch = fetch_of_everything("victim");
    let mut greedy = Vec::new();
    for _ in 0..50 {
        let mut stream = TcpStream::connect(target.broker.address()).expect("the broker accepts");
        stream.set_write_timeout(Some(Duration::from_millis(100))).expect("a time limit can be set");
        for _ in 0..20 {
            // 50 MB are asked for each time, and never taken.
            if stream.write_all(&fetch).is_err() {
                break;
            }
        }
        greedy.push(stream);
    }
    target.assert_unharmed("50 clients that never read");
    for stream in &greedy {
        let _ = stream.shutdown(Shutdown::Write);
    }
    target.assert_unharmed("half-closed connections");
}

fn fetch_of_everything(topic: &str) -> Bytes {
    use protocol::messages::fetch_request::{FetchPartition, FetchTopic};
    use protocol::messages::{BrokerId, TopicName};
    let partition = FetchPartition::default().with_partition_max_bytes(i32::MAX);
    let topic =
        FetchTopic::default().with_topic(TopicName(integration::wire::text(topic))).with_partitions(vec![partition]);
    let request = FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_bytes(i32::MAX)
        .with_session_epoch(-1)
        .with_topics(vec![topic]);
    encode(&request, 12, 1).expect("the request can be said")
}

#[test]
fn slow_senders_do_not_hold_up_others() {
    let mut target = Target::new();
    let request = encode(&MetadataRequest::default(), 9, 1).expect("the request can be said");
    let mut slow: Vec<_> = (0..50).map(|_| TcpStream::connect(target.broker.address()).expect("accepted")).collect();
    for byte in &request {
        for stream in &mut slow {
            stream.write_all(&[*byte]).expect("the broker reads");
        }
        wait::pause(Duration::from_millis(20));
    }
    for stream in &mut slow {
        let mut size = [0; 4];
        stream.set_read_timeout(Some(CLOSE_LIMIT)).expect("a time limit can be set");
        stream.read_exact(&mut size).expect("even a slow request is answered");
    }
    target.assert_unharmed("slow senders");
}

#[test]
fn names_that_are_paths_make_no_files() {
    let mut target = Target::new();
    let before = std::fs::read_dir(target.broker.data()).expect("the data folder").count();
    for name in ["../../evil", "/etc/evil", "a/b", ".", "..", "nul\0", "ü", "", &"x".repeat(250), "a b"] {
        use protocol::messages::create_topics_request::CreatableTopic;
        use protocol::messages::{CreateTopicsRequest, TopicName};
        let topic = CreatableTopic::default()
            .with_name(TopicName(integration::wire::text(name)))
            .with_num_partitions(1)
            .with_replication_factor(1);
        let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(5000);
        let mut connection = target.broker.connect();
        let answer = connection.send(&request, 5);
        assert_eq!(answer.topics[0].error_code, 17, "{name:?} is no name of a topic");
        let fetched = connection.try_produce(name, 0, records::batch(1, 0..1, Codec::None, 0));
        assert!(fetched.is_err() || fetched.is_ok_and(|answer| answer.error_code != 0), "{name:?}");
    }
    assert_eq!(std::fs::read_dir(target.broker.data()).expect("the data folder").count(), before);
    target.assert_unharmed("names that are paths");
}

/// Real requests with a few bytes changed, over thousands of connections. The seed is fixed, so a failure repeats.
#[test]
fn mutated_requests_harm_nobody() {
    let mut target = Target::new();
    let mut random = StdRng::seed_from_u64(0x0771a);
    let batch = records::batch(1, 0..3, Codec::Lz4, wait::now_ms());
    let seeds = [
        encode(&produce_request("victim", 0, batch.clone(), -1), 9, 1).expect("the request can be said"),
        encode(&produce_request("victim", 0, batch, 0), 3, 1).expect("the request can be said"),
        encode(&MetadataRequest::default(), 12, 1).expect("the request can be said"),
        encode(&ApiVersionsRequest::default(), 3, 1).expect("the request can be said"),
        fetch_of_everything("victim"),
    ];
    for round in 0..4_000 {
        let mut bytes = seeds[round % seeds.len()].to_vec();
        for _ in 0..random.random_range(1..4) {
            let place = random.random_range(4..bytes.len());
            bytes[place] = random.random();
        }
        let mut stream = TcpStream::connect(target.broker.address()).expect("the broker accepts");
        let _ = stream.write_all(&bytes);
        let _ = stream.shutdown(Shutdown::Write);
        stream.set_read_timeout(Some(Duration::from_millis(200))).expect("a time limit can be set");
        let _ = stream.read(&mut [0; 512]);
        if round % 500 == 0 {
            target.assert_unharmed(&format!("mutation {round}"));
        }
    }
    target.assert_unharmed("all mutations");
}
