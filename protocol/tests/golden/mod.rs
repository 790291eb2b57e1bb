//! Reads the golden files that Kafka's own classes made.
#![allow(dead_code, reason = "each test uses its part")]

use std::path::Path;

use bytes::Bytes;
use protocol::record_batch::{ProduceRules, TimestampType};

/// The time at which the golden batches were made and judged.
pub(crate) const NOW: i64 = 1_700_000_000_000;

/// The cases of a golden file, one a line.
pub(crate) fn lines(name: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let text = std::fs::read_to_string(&path).expect("the golden file");
    text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

/// The rules of a topic with Kafka's defaults.
pub(crate) fn default_rules() -> ProduceRules {
    ProduceRules {
        api_version: 12,
        max_message_bytes: 1_048_588,
        segment_bytes: 1 << 30,
        timestamp_type: TimestampType::CreateTime,
        before_max_ms: i64::MAX,
        after_max_ms: 3_600_000,
        compacted: false,
        codec: None,
    }
}

pub(crate) fn from_hex(text: &str) -> Bytes {
    let byte = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal digits");
    (0..text.len()).step_by(2).map(byte).collect()
}

pub(crate) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
