//! `partition.metadata`: the topic id of a partition's folder, so that a topic of the same name made later is not
//! taken for it (KIP-516). Source: `PartitionMetadataFile`.

use std::io;
use std::path::Path;
use std::str;

use protocol::ids::{self, Uuid};

use crate::file_system::FileSystem;

/// Name of the file in a partition's folder.
pub const PARTITION_METADATA: &str = "partition.metadata";

/// Why a file's content is not a topic id.
#[derive(Debug, thiserror::Error)]
pub enum PartitionMetadataError {
    /// The file cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Not `version: N` and `topic_id: ID`.
    #[error("malformed partition metadata: {0}")]
    Malformed(String),
    /// A negative version, which has never been.
    #[error("unrecognised version {0} of partition metadata")]
    Version(i32),
    /// The id that stands for none.
    #[error("the topic id in the partition metadata is zero")]
    ZeroTopicId,
}

/// Reads the topic id in a partition's folder; `None` when there is no file, as before its first append in Kafka.
///
/// # Errors
/// [`PartitionMetadataError`]: unlike a checkpoint this cannot be rebuilt.
pub fn load(file_system: &dyn FileSystem, folder: &Path) -> Result<Option<Uuid>, PartitionMetadataError> {
    match file_system.read(&folder.join(PARTITION_METADATA)) {
        Ok(bytes) => decode(&bytes).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Writes the topic id into a partition's folder, atomically and durably.
///
/// # Errors
/// Whatever the file system says.
pub fn store(file_system: &dyn FileSystem, folder: &Path, topic_id: Uuid) -> io::Result<()> {
    file_system.write_atomic(&folder.join(PARTITION_METADATA), encode(topic_id).as_bytes())
}

/// The file's text, which ends without a line break.
pub fn encode(topic_id: Uuid) -> String {
    format!("version: 0\ntopic_id: {}", ids::format_uuid(topic_id))
}

/// The topic id in a text.
///
/// # Errors
/// [`PartitionMetadataError`], all but `Io`.
pub fn decode(bytes: &[u8]) -> Result<Uuid, PartitionMetadataError> {
    let malformed = |line: &str| PartitionMetadataError::Malformed(line.chars().take(200).collect());
    let text = str::from_utf8(bytes).map_err(|_| malformed("not text"))?;
    let mut lines = text.lines();
    let mut value = || {
        let line = lines.next().unwrap_or_default();
        let (_, value) = line.split_once(':').ok_or_else(|| malformed(line))?;
        Ok::<_, PartitionMetadataError>((line, value.trim()))
    };
    let (line, version) = value()?;
    match version.parse() {
        // A later version must keep these two lines, so that going back to an older broker works.
        Ok(0..) => {}
        Ok(version) => return Err(PartitionMetadataError::Version(version)),
        Err(_) => return Err(malformed(line)),
    }
    let (line, topic_id) = value()?;
    let topic_id = ids::parse_uuid(topic_id).ok_or_else(|| malformed(line))?;
    if topic_id.is_nil() { Err(PartitionMetadataError::ZeroTopicId) } else { Ok(topic_id) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::file_system::LosingFileSystem;

    #[test]
    fn stored_and_loaded() {
        let file_system = LosingFileSystem::new();
        let folder = Path::new("/");
        assert!(load(&file_system, folder).unwrap().is_none());
        store(&file_system, folder, Uuid::from_u128(7)).unwrap();
        assert_eq!(load(&file_system, folder).unwrap(), Some(Uuid::from_u128(7)));
    }

    #[test]
    fn text_is_what_kafka_writes() {
        let text = "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAABw";
        assert_eq!(encode(Uuid::from_u128(7)), text);
        assert_eq!(decode(format!("{text}\n").as_bytes()).unwrap(), Uuid::from_u128(7));
        assert_eq!(decode(text.replace('0', "1").as_bytes()).unwrap(), Uuid::from_u128(7));
    }

    #[test]
    fn damage_is_an_error() {
        for text in
            ["", "version: 0", "version: x\ntopic_id: AAAAAAAAAAAAAAAAAAAABw", "version: 0\ntopic_id: AA", "\n\n"]
        {
            assert!(matches!(decode(text.as_bytes()), Err(PartitionMetadataError::Malformed(_))), "{text}");
        }
        let negative = decode(b"version: -1\ntopic_id: AAAAAAAAAAAAAAAAAAAABw");
        assert!(matches!(negative, Err(PartitionMetadataError::Version(-1))));
        let zero = decode(b"version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAA");
        assert!(matches!(zero, Err(PartitionMetadataError::ZeroTopicId)));
    }

    proptest! {
        #[test]
        fn any_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = decode(&bytes);
        }

        #[test]
        fn round_trip(id in 1u128..) {
            prop_assert_eq!(decode(encode(Uuid::from_u128(id)).as_bytes()).unwrap(), Uuid::from_u128(id));
        }
    }
}
