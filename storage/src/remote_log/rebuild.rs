//! Begins a local log where the remote part of it ends, on a disk that takes the place of a lost one.

use std::io;

use protocol::ids::{TopicPartition, Uuid};

use super::remote_partition::COPY;
use super::{Contents, Manifest, RemoteSegment, RemoteView};
use crate::log_dir::LogDir;
use crate::partition_metadata;

impl RemoteView {
    /// The first offset behind everything that is or was remote: where a local log goes on.
    pub fn next_offset(&self) -> i64 {
        self.segments.last().map_or(0, |last| last.end_offset).max(self.log_start_offset)
    }
}

/// Makes the folder of a log that has no record and goes on behind `contents`, knowing what is remote. Nothing is made for a
/// partition of which nothing ever was: its log begins at 0 by itself. Durable when this returns.
///
/// # Errors
/// A failing disk; what was made by then is of no harm, and is set aside by a start that does not know the partition.
pub fn begin_behind(
    log_dir: &LogDir,
    partition: &TopicPartition,
    topic_id: Uuid,
    contents: &Contents,
) -> io::Result<()> {
    let (view, file_system) = (&contents.view, log_dir.file_system());
    let begin = view.next_offset();
    if begin == 0 {
        return Ok(());
    }
    let folder = log_dir.folder(partition);
    file_system.create_dir_all(&folder)?;
    partition_metadata::store(file_system, &folder, topic_id)?;
    let segments = view.segments.iter().map(|segment| RemoteSegment::clone(segment)).collect();
    let manifest = Manifest { log_start_offset: view.log_start_offset, segments, ..Manifest::default() };
    file_system.write_atomic(&folder.join(COPY), &manifest.encode().map_err(io::Error::other)?)?;
    // The name of the active segment is all that tells where a log without records begins.
    file_system.write_atomic(&folder.join(format!("{begin:020}.log")), b"")?;
    file_system.sync_dir(log_dir.path())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use object_store::memory::InMemory;

    use super::*;
    use crate::config::LogConfig;
    use crate::file_system::OsFileSystem;
    use crate::log::Log;
    use crate::log_dir::LogDirOptions;
    use crate::remote_log::{Inventory, PartitionKeys, RemotePartition, RemoteStore, StoreLimits};

    const ID: Uuid = Uuid::from_u128(7);

    /// The contents that a manifest in a store has.
    async fn contents(manifest: &Manifest) -> Contents {
        let store = RemoteStore::new("memory".to_owned(), Arc::new(InMemory::new()), StoreLimits::default());
        let keys = PartitionKeys::new("c", ID, &TopicPartition::new("t", 0));
        store.create(&keys.manifest(manifest.version()), manifest.encode().unwrap()).await.unwrap();
        let inventory = Inventory::of_cluster(&store, "c").await.unwrap();
        inventory.topics[0].partitions[0].contents(&store).await.unwrap()
    }

    #[tokio::test]
    async fn a_log_goes_on_behind_what_is_remote() {
        let segment =
            |base_offset| RemoteSegment { base_offset, end_offset: base_offset + 10, ..RemoteSegment::default() };
        let manifest = Manifest {
            sequence: 1,
            log_start_offset: 3,
            segments: vec![segment(0), segment(10)],
            ..Manifest::default()
        };
        let contents = contents(&manifest).await;
        let folder = tempfile::tempdir().unwrap();
        let options = LogDirOptions::new(Arc::new(OsFileSystem));
        let partition = TopicPartition::new("t", 0);
        begin_behind(&LogDir::open(folder.path(), &options).unwrap(), &partition, ID, &contents).unwrap();

        let log_dir = LogDir::open(folder.path(), &options).unwrap();
        assert_eq!(log_dir.logs().unwrap(), std::slice::from_ref(&partition));
        let log = Log::open(&log_dir, partition.clone(), ID, LogConfig::default());
        let offsets = log.offsets().unwrap();
        assert_eq!((offsets.log_start_offset, offsets.log_end_offset), (20, 20));
        let remote = RemotePartition::load(PartitionKeys::new("c", ID, &partition), &log).unwrap();
        assert_eq!((remote.view().start_offset(), remote.view().end_offset()), (Some(3), Some(20)));
        let mut batch = protocol::record_batch::BatchBuilder::new(20, protocol::record_batch::Codec::None);
        batch.append(0, None, Some(b"next"), &[]);
        let batch: Bytes = batch.build();
        assert_eq!(log.append_as_is(&batch, 0).unwrap(), 21);
    }

    #[tokio::test]
    async fn a_log_whose_remote_part_has_expired_begins_at_its_start() {
        let contents = contents(&Manifest { sequence: 1, log_start_offset: 42, ..Manifest::default() }).await;
        assert_eq!(contents.view.next_offset(), 42);
    }
}
