//! The small text files that hold an offset for each partition of a log directory, and the frame they share with
//! `leader-epoch-checkpoint`. Source: `CheckpointFile`, `OffsetCheckpointFile`.
//!
//! ```text
//! 0                     version
//! 2                     count of the lines that follow
//! orders 0 1500         topic, partition, offset
//! orders 1 1498
//! ```

use std::collections::HashMap;
use std::fmt::{Display, Write};
use std::io;
use std::path::Path;
use std::str;

use protocol::ids::TopicPartition;

use crate::file_system::FileSystem;

/// Everything below is flushed (exclusive); what lies above is examined after an unclean stop.
pub const RECOVERY_POINT_CHECKPOINT: &str = "recovery-point-offset-checkpoint";
/// First readable offset (inclusive) where it is not the base offset of the first segment.
pub const LOG_START_OFFSET_CHECKPOINT: &str = "log-start-offset-checkpoint";
/// High watermark (exclusive) of each replica.
pub const HIGH_WATERMARK_CHECKPOINT: &str = "replication-offset-checkpoint";

/// How far each compacted log was cleaned (exclusive).
pub const CLEANER_OFFSET_CHECKPOINT: &str = "cleaner-offset-checkpoint";

/// An offset for each partition.
pub type PartitionOffsets = HashMap<TopicPartition, i64>;

const VERSION: i32 = 0;

/// What is wrong with the text of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Not UTF-8.
    #[error("not text")]
    NotText,
    /// A version other than 0.
    #[error("unrecognised version {0}, expected 0")]
    Version(i32),
    /// A line that is not what belongs there.
    #[error("malformed line: {0}")]
    MalformedLine(String),
    /// More or fewer lines than announced.
    #[error("expected {expected} entries but found {found}")]
    Count {
        /// As announced.
        expected: i64,
        /// As counted.
        found: usize,
    },
}

/// Reads a checkpoint of offsets. `None`: the file is absent, or it is damaged, which is logged; what it would have
/// said can be found out by reading the logs.
///
/// # Errors
/// Whatever the file system says.
pub fn read_offsets(file_system: &dyn FileSystem, path: &Path) -> io::Result<Option<PartitionOffsets>> {
    read_rebuildable(file_system, path, decode_offsets)
}

/// Replaces a checkpoint of offsets, atomically and durably.
///
/// # Errors
/// Whatever the file system says.
pub fn write_offsets(file_system: &dyn FileSystem, path: &Path, offsets: &PartitionOffsets) -> io::Result<()> {
    file_system.write_atomic(path, encode_offsets(offsets).as_bytes())
}

/// The text for the offsets, sorted by partition.
pub fn encode_offsets(offsets: &PartitionOffsets) -> String {
    let mut sorted: Vec<_> = offsets.iter().collect();
    sorted.sort_unstable_by(|(a, _), (b, _)| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
    encode_lines(sorted.iter().map(|(partition, offset)| {
        let TopicPartition { topic, partition } = partition;
        format!("{topic} {partition} {offset}")
    }))
}

/// The offsets in a text.
///
/// # Errors
/// [`CheckpointError`] for anything that Kafka would not have written.
pub fn decode_offsets(bytes: &[u8]) -> Result<PartitionOffsets, CheckpointError> {
    let entries = decode_lines(bytes, |line| {
        let mut parts = line.split_ascii_whitespace();
        let topic = parts.next()?;
        let partition = parts.next()?.parse().ok().filter(|partition| *partition >= 0)?;
        let offset = parts.next()?.parse().ok()?;
        let end = parts.next();
        end.is_none().then(|| (TopicPartition { topic: topic.into(), partition }, offset))
    })?;
    Ok(entries.into_iter().collect())
}

/// Version, count and lines as one text.
pub(crate) fn encode_lines<L: Display>(lines: impl ExactSizeIterator<Item = L>) -> String {
    let mut text = format!("{VERSION}\n{}\n", lines.len());
    for line in lines {
        let written = writeln!(text, "{line}");
        debug_assert!(written.is_ok(), "writing to a string does not fail");
    }
    text
}

/// The entries of a text; an empty one has none, since Kafka creates the file before it writes to it.
pub(crate) fn decode_lines<T>(bytes: &[u8], parse: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, CheckpointError> {
    let text = str::from_utf8(bytes).map_err(|_| CheckpointError::NotText)?;
    let malformed = |line: &str| CheckpointError::MalformedLine(line.chars().take(200).collect());
    let mut lines = text.lines();
    let Some(version) = lines.next() else { return Ok(Vec::new()) };
    match version.parse() {
        Ok(VERSION) => {}
        Ok(other) => return Err(CheckpointError::Version(other)),
        Err(_) => return Err(malformed(version)),
    }
    let Some(count) = lines.next() else { return Ok(Vec::new()) };
    let expected: i64 = count.parse().map_err(|_| malformed(count))?;
    let entries = lines.map(|line| parse(line).ok_or_else(|| malformed(line))).collect::<Result<Vec<T>, _>>()?;
    if i64::try_from(entries.len()) != Ok(expected) {
        return Err(CheckpointError::Count { expected, found: entries.len() });
    }
    Ok(entries)
}

/// Reads a file whose content can be found out in another way: damage is a warning and counts as absence.
pub(crate) fn read_rebuildable<T>(
    file_system: &dyn FileSystem,
    path: &Path,
    decode: impl Fn(&[u8]) -> Result<T, CheckpointError>,
) -> io::Result<Option<T>> {
    let bytes = match file_system.read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match decode(&bytes) {
        Ok(content) => Ok(Some(content)),
        Err(reason) => {
            tracing::warn!(path = %path.display(), %reason, "damaged checkpoint ignored");
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::file_system::LosingFileSystem;

    fn partition(topic: &str, partition: i32) -> TopicPartition {
        TopicPartition { topic: topic.into(), partition }
    }

    #[test]
    fn text_is_what_kafka_writes() {
        let offsets =
            PartitionOffsets::from([(partition("b", 10), 7), (partition("b", 2), -1), (partition("a", 0), 0)]);
        let text = "0\n3\na 0 0\nb 2 -1\nb 10 7\n";
        assert_eq!(encode_offsets(&offsets), text);
        assert_eq!(decode_offsets(text.as_bytes()), Ok(offsets));
    }

    #[test]
    fn a_file_created_but_not_written_is_empty() {
        assert_eq!(decode_offsets(b""), Ok(PartitionOffsets::new()));
        assert_eq!(decode_offsets(b"0\n"), Ok(PartitionOffsets::new()));
        assert_eq!(decode_offsets(b"0\n0\n"), Ok(PartitionOffsets::new()));
    }

    #[test]
    fn damage_is_named() {
        let malformed = |line: &str| Err(CheckpointError::MalformedLine(line.to_owned()));
        assert_eq!(decode_offsets(b"1\n0\n"), Err(CheckpointError::Version(1)));
        assert_eq!(decode_offsets(b"x\n0\n"), malformed("x"));
        assert_eq!(decode_offsets(b"0\n1\na 0\n"), malformed("a 0"));
        assert_eq!(decode_offsets(b"0\n1\na 0 1 2\n"), malformed("a 0 1 2"));
        assert_eq!(decode_offsets(b"0\n1\na -1 1\n"), malformed("a -1 1"));
        assert_eq!(decode_offsets(b"0\n2\na 0 1\n"), Err(CheckpointError::Count { expected: 2, found: 1 }));
        assert_eq!(decode_offsets(b"0\n2\na 0 1\na 1 "), malformed("a 1 "));
        assert_eq!(decode_offsets(&[0xff, 0xfe]), Err(CheckpointError::NotText));
    }

    #[test]
    fn a_damaged_or_missing_file_is_absent() {
        let file_system = LosingFileSystem::new();
        let path = Path::new("/checkpoint");
        assert_eq!(read_offsets(&file_system, path).unwrap(), None);
        file_system.write_atomic(path, b"0\n7\na 0").unwrap();
        assert_eq!(read_offsets(&file_system, path).unwrap(), None);
        let offsets = PartitionOffsets::from([(partition("a", 0), 5)]);
        write_offsets(&file_system, path, &offsets).unwrap();
        assert_eq!(read_offsets(&file_system, path).unwrap(), Some(offsets));
    }

    proptest! {
        #[test]
        fn any_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode_offsets(&bytes);
        }

        #[test]
        fn nearly_right_texts_never_panic(text in "[0-9 a-z\n-]{0,60}") {
            let _ = decode_offsets(text.as_bytes());
        }

        #[test]
        fn round_trip(entries in proptest::collection::hash_map(("[a-zA-Z0-9._-]{1,20}", 0i32..), any::<i64>(), 0..20)) {
            let offsets: PartitionOffsets =
                entries.into_iter().map(|((topic, number), offset)| (partition(&topic, number), offset)).collect();
            prop_assert_eq!(decode_offsets(encode_offsets(&offsets).as_bytes()), Ok(offsets));
        }
    }
}
