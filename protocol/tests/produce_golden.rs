//! Every produced batch of `golden/produce.txt` is judged as Apache Kafka judged it: same error, same message, same
//! bytes stored. The file is made by `integration/golden/RecordBatches.java` with Kafka's own log.

mod golden;

use bytes::Bytes;
use golden::{NOW, from_hex, lines, to_hex};
use protocol::ids::TopicPartition;
use protocol::record_batch::{
    BatchHeader, Codec, HEADER_SIZE, InvalidBatch, InvalidReason, ProduceRules, Records, TimestampType, ValidatedBatch,
    check_crc, validate,
};

/// Where the answer is not Kafka's, and why. Nothing else may differ.
const DIFFERENCES: &[(&str, &str)] = &[
    // Kafka skips keys and values of a compressed batch that it keeps, and does not compare the record's size: it
    // stores what no consumer can read.
    ("a record size one too small (gzip)", "INVALID_RECORD"),
    ("a record size one too large (gzip)", "INVALID_RECORD"),
    // Java's reader passes over what follows the last member; no producer writes any.
    ("noise after the compressed stream (gzip)", "INVALID_RECORD"),
];

/// Cases where Kafka fails with UNKNOWN_SERVER_ERROR over a batch that it can keep.
const KEPT: &[&str] = &[
    // KAFKA's rebuild reads keys that its reader skipped.
    "offset deltas 1, 0 (gzip)",
    "offset deltas 0, 0 (gzip)",
    "offset deltas 5, -7 (gzip)",
    // Its builder refuses negative timestamps, its in-place path does not.
    "a timestamp delta of ten bytes (gzip, to zstd)",
];

#[test]
fn produced_batches_are_judged_as_kafka_judges_them() {
    let failures: Vec<String> = lines("produce.txt").iter().filter_map(|line| check(line).err()).collect();
    assert!(failures.is_empty(), "{} differences:\n{}", failures.len(), failures.join("\n"));
}

fn check(line: &str) -> Result<(), String> {
    let fields: Vec<&str> = line.split('\t').collect();
    let [name, rules, sent, outcome, expected, rest @ ..] = &fields[..] else {
        return Err(format!("not a case: {line}"));
    };
    let partition = TopicPartition::new("orders", 0);
    let ours = validate(from_hex(sent), &parse_rules(rules), &partition, NOW);
    let difference = DIFFERENCES.iter().find(|(case, _)| case == name);
    match (*outcome, ours) {
        (_, ours) if let Some((_, error)) = difference => match ours {
            Err(invalid) if error_name(&invalid) == *error => Ok(()),
            other => Err(format!("{name}: the difference is gone or another: {other:?}")),
        },
        ("ok", Ok(batch)) => compare_stored(name, &batch, &from_hex(expected)),
        ("error", Ok(_)) if KEPT.contains(name) => Ok(()),
        // An exception that Kafka does not expect: never an answer to copy.
        ("error", Err(invalid)) if *expected == "UNKNOWN_SERVER_ERROR" => match invalid.reason {
            InvalidReason::InvalidRecord | InvalidReason::Corrupt => Ok(()),
            _ => Err(format!("{name}: {invalid:?}")),
        },
        ("error", Err(invalid)) => compare_error(name, &invalid, expected, rest),
        (_, ours) => Err(format!("{name}: Kafka says {outcome} {expected}, not {ours:?}")),
    }
}

fn compare_error(name: &str, ours: &InvalidBatch, expected: &str, rest: &[&str]) -> Result<(), String> {
    let [message, record_errors] = rest else {
        return Err(format!("{name}: no message"));
    };
    let errors: Vec<String> = ours.record_errors.iter().map(|(index, text)| format!("{index}:{text}")).collect();
    let same_text = ours.message == *message || is_about_structure(message);
    if error_name(ours) == expected && same_text && errors.join("|") == *record_errors {
        return Ok(());
    }
    Err(format!("{name}: {expected} {message} {record_errors}\n  not {ours:?}"))
}

/// Kafka has three readers of records, each with its own words for the same fault; they never leave the broker.
fn is_about_structure(message: &str) -> bool {
    ["Found invalid", "Invalid record size", "Incorrect declared", "Reached end of input", "Invalid negative header"]
        .iter()
        .any(|start| message.starts_with(start))
}

/// Kafka's rebuild turns a header key that is no text into U+FFFD; here it stays.
const OTHER_BYTES: &str = "a header key that is no text (gzip, to zstd)";

/// Recompressed bytes depend on the library; everything else is the same to the byte.
fn compare_stored(name: &str, ours: &ValidatedBatch, stored: &Bytes) -> Result<(), String> {
    let header = BatchHeader { base_offset: 0, partition_leader_epoch: 0, ..ours.header };
    let bytes = Bytes::from([&header.write()[..], ours.records()].concat());
    check_crc(&bytes).map_err(|error| format!("{name}: {error}"))?;
    let is_rebuilt = !name.starts_with("none to none") && header.attributes.codec() != Ok(Codec::None);
    if bytes == *stored || name == OTHER_BYTES {
        return Ok(());
    }
    let theirs = BatchHeader::read(stored).expect("Kafka stores batches");
    let same = BatchHeader { crc: theirs.crc, batch_length: theirs.batch_length, ..header } == theirs;
    if is_rebuilt && same && contents(&bytes) == contents(stored) {
        return Ok(());
    }
    Err(format!("{name}:\n  {}\n  not {}", to_hex(stored), to_hex(&bytes)))
}

fn contents(batch: &Bytes) -> Vec<protocol::record_batch::Record> {
    assert!(batch.len() > HEADER_SIZE);
    Records::open(batch, 1 << 20).expect("it opens").map(|record| record.expect("a record")).collect()
}

fn error_name(invalid: &InvalidBatch) -> &'static str {
    match invalid.reason {
        InvalidReason::Corrupt => "CORRUPT_MESSAGE",
        InvalidReason::InvalidRecord => "INVALID_RECORD",
        InvalidReason::InvalidTimestamp => "INVALID_TIMESTAMP",
        InvalidReason::MessageTooLarge => "MESSAGE_TOO_LARGE",
        InvalidReason::RecordListTooLarge => "RECORD_LIST_TOO_LARGE",
        InvalidReason::UnsupportedCompression => "UNSUPPORTED_COMPRESSION_TYPE",
    }
}

fn parse_rules(text: &str) -> ProduceRules {
    let mut rules = golden::default_rules();
    for rule in text.split(' ').filter(|rule| !rule.is_empty()) {
        let (key, value) = rule.split_once('=').expect("key=value");
        match key {
            "version" => rules.api_version = value.parse().expect("a number"),
            "max" => rules.max_message_bytes = value.parse().expect("a number"),
            "segment" => rules.segment_bytes = value.parse().expect("a number"),
            "before" => rules.before_max_ms = value.parse().expect("a number"),
            "after" => rules.after_max_ms = value.parse().expect("a number"),
            "type" => rules.timestamp_type = TimestampType::LogAppendTime,
            "compact" => rules.compacted = true,
            "codec" => rules.codec = Codec::ALL.into_iter().find(|c| c.name() == value).or(Some(Codec::None)),
            other => panic!("what is {other}?"),
        }
    }
    rules
}
