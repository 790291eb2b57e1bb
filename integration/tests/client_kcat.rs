//! kcat over Debian's librdkafka 2.0.2, which gives up on an ApiVersions answer that does not parse to the last byte.

use integration::broker::Broker;
use integration::clients::kcat;
use integration::scenario::{ALL_CODECS, AUTO_CREATION_LIMIT};
use integration::wire::LATEST;
use integration::{audit, wait};
use protocol::record_batch::Codec;

const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;

fn consume(broker: &Broker, topic: &str, more: &[&str]) -> String {
    let bootstrap = broker.bootstrap();
    let mut arguments = vec!["-b", &bootstrap, "-C", "-q", "-t", topic, "-p", "0", "-e"];
    arguments.extend(more);
    kcat(&arguments, b"").ok()
}

fn produce(broker: &Broker, topic: &str, more: &[&str], input: &[u8]) {
    let bootstrap = broker.bootstrap();
    let mut arguments = vec!["-b", &bootstrap, "-P", "-t", topic, "-p", "0"];
    arguments.extend(more);
    kcat(&arguments, input).ok();
}

#[test]
fn a_producer_creates_the_topic_by_asking_for_it() {
    let broker = Broker::start();
    let mut connection = broker.connect();
    assert_eq!(connection.describe_topic("automatic").error_code, UNKNOWN_TOPIC_OR_PARTITION);
    kcat(&["-b", &broker.bootstrap(), "-P", "-t", "automatic"], b"one\ntwo\n").ok();
    wait::until_true("both records", AUTO_CREATION_LIMIT, || connection.latest("automatic", 0) == 2);
    assert_eq!(consume(&broker, "automatic", &[]), "one\ntwo\n");
    let listing = kcat(&["-b", &broker.bootstrap(), "-L"], b"").ok();
    assert!(listing.contains(&format!("broker 1 at {}", broker.bootstrap())), "{listing}");
    assert!(listing.contains("topic \"automatic\" with 1 partitions"), "{listing}");
}

#[test]
fn every_codec_comes_back() {
    let broker = Broker::start();
    let mut connection = broker.connect();
    let lines: String = (0..500).map(|number| format!("key-{number}:value-{number}-{}\n", "x".repeat(50))).collect();
    for codec in ALL_CODECS {
        let topic = format!("codec-{}", codec.name());
        connection.create_topic(&topic, 1, &[]);
        produce(&broker, &topic, &["-z", codec.name(), "-K", ":", "-X", "linger.ms=100"], lines.as_bytes());
        assert_eq!(consume(&broker, &topic, &["-K", ":"]), lines, "{}", codec.name());
        let contents = audit::read_all(&mut connection, &topic, 0);
        assert_eq!(contents.records.len(), 500);
        assert!(contents.headers.iter().any(|header| header.attributes.codec().ok() == Some(*codec)));
    }
}

#[test]
fn headers_and_nulls_come_back() {
    let broker = Broker::start();
    broker.connect().create_topic("special", 1, &[]);
    produce(&broker, "special", &["-H", "h=1", "-H", "h=2", "-H", "empty="], b"with headers\n");
    produce(&broker, "special", &["-Z", "-K", ":"], b"only-key:\n:only-value\n:\n");
    let format = ["-f", "%o|%K|%S|%h\n"];
    let expected = "0|-1|12|h=1,h=2,empty=\n1|8|-1|\n2|-1|10|\n3|-1|-1|\n";
    assert_eq!(consume(&broker, "special", &format), expected);
    let records = audit::read_all(&mut broker.connect(), "special", 0).records;
    assert_eq!(records[0].headers.len(), 3);
    assert_eq!((&records[3].key, &records[3].value), (&None, &None));
}

#[test]
fn messages_of_the_largest_size_pass_and_larger_ones_are_refused() {
    let broker = Broker::start();
    let mut connection = broker.connect();
    connection.create_topic("large", 1, &[]);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("value");
    let name = file.to_str().expect("the path is text");
    // With one record in the batch, this value makes exactly Kafka's default limit of 1,048,588 bytes.
    std::fs::write(&file, vec![b'x'; 1_048_516]).expect("the file can be written");
    produce(&broker, "large", &["-X", "message.max.bytes=4000000", name], b"");
    assert_eq!(consume(&broker, "large", &["-f", "%S"]), "1048516");

    std::fs::write(&file, vec![b'x'; 1_048_517]).expect("the file can be written");
    let bootstrap = broker.bootstrap();
    let refused =
        kcat(&["-b", &bootstrap, "-P", "-t", "large", "-p", "0", "-X", "message.max.bytes=4000000", name], b"");
    assert!(refused.stderr.contains("Message size too large"), "{}", refused.everything());
    assert_eq!(connection.latest("large", 0), 1);

    connection.create_topic("mebibyte", 1, &[("max.message.bytes", "2097152")]);
    std::fs::write(&file, vec![b'x'; 1 << 20]).expect("the file can be written");
    produce(&broker, "mebibyte", &["-X", "message.max.bytes=4000000", name], b"");
    assert_eq!(consume(&broker, "mebibyte", &["-f", "%S"]), "1048576");
}

#[test]
fn offsets_by_timestamp() {
    let broker = Broker::start();
    let mut connection = broker.connect();
    connection.create_topic("time", 1, &[]);
    let base = wait::now_ms() - 60_000;
    for number in 0..10 {
        let batch = integration::records::batch(1, number..number + 1, Codec::None, base + number * 1000);
        assert_eq!(connection.produce("time", 0, batch).error_code, 0);
    }
    for (timestamp, offset) in [(base, 0), (base + 4500, 5), (base + 9000, 9)] {
        let query = format!("time:0:{timestamp}");
        let answer = kcat(&["-b", &broker.bootstrap(), "-Q", "-t", &query], b"").ok();
        assert_eq!(answer.trim(), format!("time [0] offset {offset}"));
        let from = format!("s@{timestamp}");
        let first = consume(&broker, "time", &["-o", &from, "-c", "1", "-f", "%o"]);
        assert_eq!(first, offset.to_string());
    }
    assert_eq!(connection.list_offset("time", 0, LATEST).offset, 10);
}

#[test]
fn an_unknown_topic_is_named_as_such() {
    let broker = Broker::start();
    let answer = kcat(&["-b", &broker.bootstrap(), "-L", "-t", "absent"], b"").everything();
    assert!(answer.contains("topic \"absent\""), "{answer}");
    let query = kcat(&["-b", &broker.bootstrap(), "-Q", "-t", "never:0:-1"], b"");
    assert!(query.everything().contains("Unknown"), "{}", query.everything());
}

#[test]
fn an_idempotent_producer_numbers_its_batches() {
    let broker = Broker::start();
    let mut connection = broker.connect();
    connection.create_topic("idempotent", 1, &[]);
    let lines: String = (0..1000).map(|number| format!("{number}\n")).collect();
    let settings = ["-X", "enable.idempotence=true", "-X", "batch.num.messages=100"];
    produce(&broker, "idempotent", &settings, lines.as_bytes());
    assert_eq!(consume(&broker, "idempotent", &[]), lines);
    let contents = audit::read_all(&mut connection, "idempotent", 0);
    let mut next_sequence = 0;
    for header in &contents.headers {
        assert!(header.producer_id >= 0);
        assert_eq!(header.base_sequence, next_sequence);
        next_sequence += header.record_count;
    }
    assert_eq!(next_sequence, 1000);
}
