//! Names for what offsets and logs belong to.

use std::fmt;
use std::sync::Arc;

pub use uuid::Uuid;

/// One partition of a topic by name; prints as Kafka prints it and names its folder: `topic-0`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    pub topic: Arc<str>,
    pub partition: i32,
}

impl TopicPartition {
    pub fn new(topic: impl Into<Arc<str>>, partition: i32) -> Self {
        Self { topic: topic.into(), partition }
    }

    /// Parses a folder name (`LocalLog.parseTopicPartitionName`): the partition stands after the last dash.
    /// `None` if the name is not of that form.
    pub fn parse(name: &str) -> Option<Self> {
        let (topic, partition) = name.rsplit_once('-')?;
        let digits = !partition.is_empty() && partition.bytes().all(|b| b.is_ascii_digit());
        if topic.is_empty() || !digits {
            return None;
        }
        Some(Self::new(topic, partition.parse().ok()?))
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

/// Prints a UUID as Kafka does (`Uuid.toString`): base64 with the URL alphabet, 22 characters, no padding.
pub fn format_uuid(uuid: Uuid) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut bits = uuid.as_u128();
    // 128 bits are 21 groups of six and two bits more, which stand left in the last character.
    let mut text = [0; 22];
    text[21] = ALPHABET[usize::try_from((bits & 0b11) << 4).unwrap_or(0)];
    bits >>= 2;
    for place in text[..21].iter_mut().rev() {
        *place = ALPHABET[usize::try_from(bits & 0b11_1111).unwrap_or(0)];
        bits >>= 6;
    }
    text.iter().map(|byte| char::from(*byte)).collect()
}

/// Parses what [`format_uuid`] prints; `None` for anything else.
pub fn parse_uuid(text: &str) -> Option<Uuid> {
    let value = |byte: u8| -> Option<u128> {
        Some(u128::from(match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => return None,
        }))
    };
    let (last, groups) = text.as_bytes().split_last()?;
    if groups.len() != 21 {
        return None;
    }
    let mut bits = 0u128;
    for byte in groups {
        bits = bits << 6 | value(*byte)?;
    }
    let last = value(*last)?;
    (last & 0b1111 == 0).then(|| Uuid::from_u128(bits << 2 | last >> 4))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuid_prints_as_kafka_prints_it() {
        // org.apache.kafka.common.Uuid.toString of the same 16 bytes.
        let uuid = Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
        assert_eq!(format_uuid(uuid), "ASNFZ4mrze8BI0VniavN7w");
        assert_eq!(parse_uuid("ASNFZ4mrze8BI0VniavN7w"), Some(uuid));
        assert_eq!(format_uuid(Uuid::nil()), "AAAAAAAAAAAAAAAAAAAAAA");
    }

    #[test]
    fn uuid_text_of_another_form_is_refused() {
        for text in ["", "A", "ASNFZ4mrze8BI0VniavN7x", "ASNFZ4mrze8BI0VniavN7w=", "ASNFZ4mrze8BI0Vni+vN7w"] {
            assert_eq!(parse_uuid(text), None, "{text}");
        }
    }

    #[test]
    fn folder_name_is_topic_dash_partition() {
        assert_eq!(TopicPartition::parse("a-b-12"), Some(TopicPartition::new("a-b", 12)));
        for name in ["a", "-1", "a-", "a-b", "a--1x", "a-99999999999"] {
            assert_eq!(TopicPartition::parse(name), None, "{name}");
        }
        assert_eq!(TopicPartition::new("a-b", 12).to_string(), "a-b-12");
    }
}
