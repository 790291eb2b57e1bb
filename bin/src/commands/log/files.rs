//! What is what in a log directory, by name.

use std::io;
use std::path::{Path, PathBuf};

use protocol::ids::TopicPartition;
use storage::checkpoint::{HIGH_WATERMARK_CHECKPOINT, LOG_START_OFFSET_CHECKPOINT, RECOVERY_POINT_CHECKPOINT};
use storage::file_system::{FileSystem, OsFileSystem};
use storage::leader_epoch::LEADER_EPOCH_CHECKPOINT;
use storage::log_dir::Folder;
use storage::meta_properties::META_PROPERTIES;
use storage::partition_metadata::PARTITION_METADATA;

/// The folder of the metadata log.
pub(super) const METADATA_FOLDER: &str = "__cluster_metadata-0";

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileKind {
    Log {
        base_offset: i64,
    },
    /// A snapshot of the metadata log; the bootstrap file of `kafka-storage` too.
    MetadataSnapshot,
    OffsetIndex {
        base_offset: i64,
    },
    TimeIndex {
        base_offset: i64,
    },
    TxnIndex {
        base_offset: i64,
    },
    ProducerSnapshot,
    LeaderEpochs,
    PartitionMetadata,
    /// Of a log directory.
    Offsets,
    MetaProperties,
}

impl FileKind {
    /// By name; `None` for files that are none of ours.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        match name {
            LEADER_EPOCH_CHECKPOINT => return Some(Self::LeaderEpochs),
            PARTITION_METADATA => return Some(Self::PartitionMetadata),
            META_PROPERTIES => return Some(Self::MetaProperties),
            RECOVERY_POINT_CHECKPOINT | LOG_START_OFFSET_CHECKPOINT | HIGH_WATERMARK_CHECKPOINT => {
                return Some(Self::Offsets);
            }
            _ => {}
        }
        let (stem, suffix) = name.rsplit_once('.')?;
        let base_offset = || stem.parse::<i64>().ok().filter(|offset| *offset >= 0);
        match suffix {
            "log" => base_offset().map(|base_offset| Self::Log { base_offset }),
            "index" => base_offset().map(|base_offset| Self::OffsetIndex { base_offset }),
            "timeindex" => base_offset().map(|base_offset| Self::TimeIndex { base_offset }),
            "txnindex" => base_offset().map(|base_offset| Self::TxnIndex { base_offset }),
            "snapshot" => base_offset().map(|_| Self::ProducerSnapshot),
            "checkpoint" => Some(Self::MetadataSnapshot),
            _ => None,
        }
    }
}

/// True if the file belongs to the metadata log, whose records have a form of their own.
pub(super) fn is_metadata(path: &Path) -> bool {
    let folder = path.parent().and_then(Path::file_name);
    folder.is_some_and(|folder| folder == METADATA_FOLDER) || FileKind::of(path) == Some(FileKind::MetadataSnapshot)
}

/// The partition whose folder the file lies in.
pub(super) fn partition_of(path: &Path) -> Option<TopicPartition> {
    match Folder::parse(path.parent()?.file_name()?.to_str()?)? {
        Folder::Partition(partition) => Some(partition),
        _ => None,
    }
}

/// The files that we know in a folder, sorted by name.
pub(super) fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = OsFileSystem.read_dir(folder)?;
    let mut files: Vec<PathBuf> =
        entries.iter().filter(|entry| !entry.is_dir).map(|entry| folder.join(&entry.name)).collect();
    files.retain(|path| FileKind::of(path).is_some());
    files.sort();
    Ok(files)
}

/// The folders of partitions in a log directory, sorted by name; of itself if it is one.
pub(super) fn partition_folders(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = OsFileSystem.read_dir(folder)?;
    let is_partition = |name: &str| matches!(Folder::parse(name), Some(Folder::Partition(_) | Folder::Future(_)));
    let mut folders: Vec<PathBuf> = entries
        .iter()
        .filter(|entry| entry.is_dir && is_partition(&entry.name))
        .map(|entry| folder.join(&entry.name))
        .collect();
    if folders.is_empty() && entries.iter().any(|entry| entry.name.ends_with(".log")) {
        folders.push(folder.to_owned());
    }
    folders.sort();
    Ok(folders)
}

/// Whether a running broker has locked the directory, or the one that a partition's folder lies in.
pub(super) fn is_in_use(directory: &Path) -> bool {
    let locks = [Some(directory), directory.parent()].into_iter().flatten().map(|folder| folder.join(".lock"));
    // A missing file is not made.
    locks.filter(|lock| lock.is_file()).any(|lock| match OsFileSystem.lock(&lock) {
        Ok(_) => false,
        Err(error) => error.kind() == io::ErrorKind::WouldBlock,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_known_by_name() {
        let kind = |name: &str| FileKind::of(Path::new(name));
        assert_eq!(kind("a-0/00000000000000000011.log"), Some(FileKind::Log { base_offset: 11 }));
        assert_eq!(kind("00000000000000000011.snapshot"), Some(FileKind::ProducerSnapshot));
        assert_eq!(kind("00000000000000000011-0000000001.checkpoint"), Some(FileKind::MetadataSnapshot));
        assert_eq!(kind("recovery-point-offset-checkpoint"), Some(FileKind::Offsets));
        for name in ["x.log", ".lock", "00000000000000000011.log.deleted", "quorum-state", "-1.index"] {
            assert_eq!(kind(name), None, "{name}");
        }
        assert!(is_metadata(Path::new("/d/__cluster_metadata-0/00000000000000000000.log")));
        assert!(!is_metadata(Path::new("/d/orders-0/00000000000000000000.log")));
    }
}
