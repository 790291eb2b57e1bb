//! Compacted topics: the last value of every key over crashes, and record for record what Apache Kafka's cleaner keeps.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use integration::broker::{Broker, Setup};
use integration::clients::kcat;
use integration::kafka::tool;
use integration::monitoring::Scrape;
use integration::wire::{Connection, FetchQuery};
use integration::{audit, monitoring, records, wait};
use protocol::record_batch::{BatchBuilder, Codec, Record};

const LIMIT: Duration = Duration::from_secs(60);

fn setup() -> Setup {
    Setup::new().set("log.cleaner.backoff.ms", 100)
}

/// How far the partition was cleaned, as the broker's checkpoint has it.
fn cleaned_to(broker: &Broker, topic: &str) -> i64 {
    let checkpoint = fs::read_to_string(broker.data().join("cleaner-offset-checkpoint")).unwrap_or_default();
    let line = checkpoint.lines().find_map(|line| line.strip_prefix(topic)?.strip_prefix(" 0 ")).unwrap_or("-1");
    line.parse().expect("an offset")
}

fn segments(broker: &Broker, topic: &str) -> Vec<PathBuf> {
    let folder = broker.data().join(format!("{topic}-0"));
    let listed = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = listed.filter_map(|entry| Some(entry.ok()?.path()));
    let mut logs: Vec<PathBuf> = paths.filter(|path| path.extension().is_some_and(|suffix| suffix == "log")).collect();
    logs.sort();
    logs
}

/// Waits until everything before the active segment was cleaned.
fn await_cleaned(broker: &Broker, topic: &str) -> i64 {
    let base_of = |path: &PathBuf| path.file_stem()?.to_str()?.parse::<i64>().ok();
    wait::until("the cleaner", LIMIT, || {
        let active = segments(broker, topic).last().and_then(base_of)?;
        (active > 0 && cleaned_to(broker, topic) == active).then_some(active)
    })
}

/// Every record that is left, by fetches; offsets may have gaps.
fn read_all(connection: &mut Connection, topic: &str) -> Vec<Record> {
    let end = connection.latest(topic, 0);
    let mut next = connection.earliest(topic, 0);
    let mut found: Vec<Record> = Vec::new();
    while next < end {
        let fetched = connection.fetch(topic, 0, FetchQuery::at(next));
        assert_eq!(fetched.error_code, 0);
        for (header, batch) in audit::batches(&fetched.records.expect("records are never null")) {
            found.extend(audit::decode(&batch));
            assert!(header.next_offset() > next, "no progress at {next}");
            next = header.next_offset();
        }
    }
    assert!(found.is_sorted_by_key(|record| record.offset));
    found
}

fn text(bytes: Option<&[u8]>) -> Option<String> {
    bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned())
}

fn dump(files: &[PathBuf]) -> String {
    let names: Vec<_> = files.iter().map(|path| path.to_string_lossy().into_owned()).collect();
    let finished = tool("dump-log", &["--deep-iteration", "--files", &names.join(",")]);
    let shown = finished.everything();
    for complaint in ["Exception", "Mismatches in", "NonConsecutive", "isvalid: false"] {
        assert!(!shown.contains(complaint), "{complaint}: {}", &shown[..shown.len().min(4000)]);
    }
    finished.ok()
}

#[test]
fn kcat_reads_the_last_value_of_every_key_after_any_crash() {
    let mut broker = setup().set("log.cleaner.min.cleanable.ratio", 0.01).start();
    let configs = [("cleanup.policy", "compact"), ("segment.bytes", "1048576"), ("file.delete.delay.ms", "0")];
    broker.connect().create_topic("table", 1, &configs);
    let mut expected = BTreeMap::new();
    let mut sent = 0;
    for round in 0..5 {
        let mut input = String::new();
        for number in 0..2_000 {
            let key = format!("key-{}", (number * 7 + round * 13) % 300);
            let value = format!("{round}-{number}-{}", "v".repeat(800));
            input.push_str(&format!("{key}:{value}\n"));
            expected.insert(key, value);
        }
        sent += 2_000;
        let bootstrap = broker.bootstrap();
        kcat(&["-b", &bootstrap, "-P", "-t", "table", "-p", "0", "-K", ":"], input.as_bytes()).ok();
        kcat(&["-b", &bootstrap, "-P", "-t", "table", "-p", "0", "-K", ":", "-z", "lz4"], input.as_bytes()).ok();
        sent += 2_000;
        // In the middle of what the cleaner does, or just after it.
        if round % 2 == 0 {
            await_cleaned(&broker, "table");
        }
        broker.kill9();
        broker.restart();
    }
    await_cleaned(&broker, "table");
    let bootstrap = broker.bootstrap();
    let consumed = kcat(&["-b", &bootstrap, "-C", "-q", "-e", "-t", "table", "-p", "0", "-K", ":"], b"").ok();
    let lines: Vec<_> = consumed.lines().filter_map(|line| line.split_once(':')).collect();
    let last: BTreeMap<String, String> =
        lines.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    assert_eq!(last, expected);
    assert!(lines.len() < sent / 3, "{} of {sent} records are left", lines.len());
    assert_eq!(broker.connect().latest("table", 0), i64::try_from(sent).expect("a small number"));
    broker.stop();
    broker.restart();
    assert_eq!(read_all(&mut broker.connect(), "table").len(), lines.len());
    broker.stop();
    let left: Vec<_> = fs::read_dir(broker.data().join("table-0")).expect("the folder is there").collect();
    let names: Vec<String> = left.into_iter().filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    assert!(!names.iter().any(|name| name.ends_with(".cleaned") || name.ends_with(".swap")), "{names:?}");
    assert!(dump(&segments(&broker, "table")).contains("compresscodec: lz4"));
}

#[test]
fn both_policies_let_old_segments_go_too() {
    let broker = setup().set("log.cleaner.min.cleanable.ratio", 0.01).start();
    let mut connection = broker.connect();
    // Young segments are not cleaned, lest they become one with old ones and keep those.
    let configs = [
        ("cleanup.policy", "compact,delete"),
        ("segment.ms", "1000"),
        ("retention.ms", "3600000"),
        ("min.compaction.lag.ms", "3600000"),
    ];
    connection.create_topic("both", 1, &configs);
    let now = wait::now_ms();
    for (number, age_ms) in [7_200_000, 7_190_000, 5_000, 2_000, 0].into_iter().enumerate() {
        let key = format!("key-{number}");
        connection.produce("both", 0, records::one(now - age_ms, Some(key.as_bytes()), Some(b"v")));
    }
    wait::until_true("retention", LIMIT, || connection.earliest("both", 0) == 2);
    let offsets: Vec<i64> = read_all(&mut connection, "both").iter().map(|record| record.offset).collect();
    assert_eq!(offsets, [2, 3, 4]);
}

#[test]
fn a_damaged_log_is_left_alone_and_others_are_cleaned() {
    let setup = setup().set("log.cleaner.enable", false).set("ottla.metrics.listener", "127.0.0.1:0");
    let mut broker = setup.start();
    let mut connection = broker.connect();
    for topic in ["damaged", "whole"] {
        connection.create_topic(topic, 1, &[("cleanup.policy", "compact"), ("segment.ms", "1000")]);
        for number in 0..20 {
            let timestamp = wait::now_ms() - 100_000 + number * 400;
            connection.produce(topic, 0, records::one(timestamp, Some(b"key"), Some(b"value")));
        }
    }
    broker.stop();
    let first = &segments(&broker, "damaged")[0];
    let mut bytes = fs::read(first).expect("the segment is there");
    *bytes.last_mut().expect("it is not empty") ^= 1;
    fs::write(first, bytes).expect("the segment can be written");
    broker.restart_with("log.cleaner.enable", true);
    await_cleaned(&broker, "whole");
    wait::until_true("the verdict", LIMIT, || broker.log().contains("marking it as uncleanable"));
    let mut connection = broker.connect();
    let left: Vec<i64> = read_all(&mut connection, "whole").iter().map(|record| record.offset).collect();
    assert_eq!(left, [17, 18, 19], "the last one before the active segment, and that one");
    assert_eq!(cleaned_to(&broker, "damaged"), -1);
    assert_eq!(connection.latest("damaged", 0), 20, "it is served all the same");
    if !broker.is_apache_kafka() {
        wait::until_true("metrics of the cleaner", LIMIT, || is_told(&broker));
    }
}

/// Whether the metrics know of a log that was cleaned, and of one that cannot be.
fn is_told(broker: &Broker) -> bool {
    let scrape = Scrape::of(monitoring::address(broker));
    let manager = "kafka_log_logcleanermanager";
    let dir = format!("{manager}_uncleanable_partitions_count{{logDirectory=\"{}\"}}", broker.data().display());
    scrape.value("kafka_log_logcleaner_cleaner_recopy_percent") > 0.0
        && scrape.has(&format!("{manager}_time_since_last_run_ms"))
        && scrape.find(&dir) == Some(1.0)
}

/// Sends a phase's records with a producer (id, epoch, next sequence), the same to every broker: five codecs, tombstones early in the first phase, an idempotent producer's
/// batches among the others, and times that roll a segment now and then.
fn send_phase(connection: &mut Connection, topic: &str, base_ms: i64, phase: u64, producer: &mut (i64, i16, i32)) {
    for number in 0..120u64 {
        let codec = Codec::ALL[usize::try_from(number).expect("a small number") % 5];
        let mut batch = BatchBuilder::new(0, codec);
        let count = 1 + number % 4;
        if number.is_multiple_of(3) {
            batch = batch.producer(producer.0, producer.1, producer.2);
            producer.2 += i32::try_from(count).expect("a small number");
        }
        for part in 0..count {
            let noise = records::noise(phase * 10_000 + number * 10 + part, 8);
            // Some keys come in the first phase only, so that their tombstones stay.
            let key = format!("key-{}", noise[0] % if phase == 0 { 60 } else { 40 });
            let value = format!("{phase}-{number}-{part}");
            // What is in the active segment at the end of the phase is cleaned once less than the rest.
            let is_tombstone = phase == 0 && number < 90 && noise[1].is_multiple_of(4);
            let value = (!is_tombstone).then_some(value.as_bytes());
            let timestamp = base_ms + i64::try_from(phase * 60_000 + number * 130 + part).expect("a small number");
            batch.append(timestamp, Some(key.as_bytes()), value, &[(b"h", Some(b"v"))]);
        }
        assert_eq!(connection.produce(topic, 0, batch.build()).error_code, 0);
    }
}

/// Offset, time, key and value of what is left of the topics when the cleaner is done, and how far it was.
type Left = Vec<(i64, Vec<(i64, i64, Option<String>, Option<String>)>)>;

/// Two topics: one keeps tombstones for a day, one for no time.
fn compact_everything(broker: &Broker, base_ms: i64) -> Left {
    let mut connection = broker.connect();
    let mut left = Vec::new();
    for (topic, retention) in [("kept", "86400000"), ("gone", "0")] {
        let configs = [
            ("cleanup.policy", "compact"),
            ("segment.ms", "1000"),
            ("min.cleanable.dirty.ratio", "0.0"),
            ("delete.retention.ms", retention),
            ("index.interval.bytes", "100"),
        ];
        connection.create_topic(topic, 1, &configs);
        connection.await_service(topic, 0);
        let (producer_id, epoch) = connection.init_producer();
        let mut producer = (producer_id, epoch, 0);
        for phase in 0..2 {
            send_phase(&mut connection, topic, base_ms, phase, &mut producer);
            await_cleaned(broker, topic);
        }
        let kept = read_all(&mut connection, topic).into_iter();
        let shown = kept.map(|r| (r.offset, r.timestamp, text(r.key.as_deref()), text(r.value.as_deref()))).collect();
        left.push((cleaned_to(broker, topic), shown));
    }
    left
}

fn copy_log(from: &Path, to: &Path) {
    let is_segment = |path: &Path| path.extension().is_some_and(|suffix| suffix != "metadata");
    let files = |folder: &Path| -> Vec<PathBuf> {
        let listed = fs::read_dir(folder).expect("the folder is there");
        listed.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| is_segment(path)).collect()
    };
    files(to).iter().for_each(|path| fs::remove_file(path).expect("the file can be removed"));
    for path in files(from) {
        fs::copy(&path, to.join(path.file_name().expect("a file has a name"))).expect("the file can be copied");
    }
}

#[test]
fn kafka_and_we_keep_the_same_records() {
    let base_ms = wait::now_ms() - 600_000;
    let mut ours = setup().start();
    let left = compact_everything(&ours, base_ms);
    ours.stop();
    let dumped = dump(&segments(&ours, "kept"));
    assert!(dumped.contains("deleteHorizonMs: OptionalLong["), "{}", &dumped[..dumped.len().min(2000)]);

    let mut kafka = setup().apache_kafka().start();
    let expected = compact_everything(&kafka, base_ms);
    for ((cleaned, records), (kafka_cleaned, kafka_records)) in left.iter().zip(&expected) {
        assert_eq!((cleaned, records.len()), (kafka_cleaned, kafka_records.len()));
        assert_eq!(records, kafka_records);
        assert!(records.len() < 200, "{} of 600 are left", records.len());
    }
    let is_tombstone = |record: &&(i64, i64, Option<String>, Option<String>)| record.3.is_none();
    assert!(left[0].1.iter().any(|record| is_tombstone(&record)), "tombstones that are kept");
    assert!(!left[1].1.iter().any(|record| is_tombstone(&record)), "and none that are gone");
    kafka.stop();

    // What Kafka's cleaner wrote is a log of ours.
    for topic in ["kept-0", "gone-0"] {
        copy_log(&kafka.data().join(topic), &ours.data().join(topic));
    }
    ours.restart();
    let mut connection = ours.connect();
    for (topic, (_, records)) in ["kept", "gone"].into_iter().zip(&expected) {
        let offsets: Vec<i64> = read_all(&mut connection, topic).iter().map(|record| record.offset).collect();
        assert_eq!(offsets, records.iter().map(|record| record.0).collect::<Vec<_>>());
    }
}
