//! What killed brokers leave that no listing of a partition brings: objects of a probe, and, where the store is a directory, files of
//! uploads. `LocalFileSystem` writes `<key>#<n>`, which it lists to nobody, before it gives the file its name.

use std::fs;
use std::io;
use std::path::Path as Folder;
use std::time::{Duration, SystemTime};

use object_store::path::Path;

use super::probe::PROBES;
use super::{PartitionKeys, RemoteError, RemoteStore};

impl RemoteStore {
    /// Removes what killed brokers have left in the folder of a cluster and that was written before `young_ms` (ms since the epoch).
    /// Returns how many objects and files that were.
    ///
    /// # Errors
    /// The store's; what is removed stays removed.
    pub async fn sweep_leavings(&self, cluster: &Path, young_ms: i64) -> Result<usize, RemoteError> {
        let mut count = 0;
        for object in self.list(&cluster.clone().join(PROBES)).await? {
            if object.last_modified.timestamp_millis() < young_ms {
                self.delete(&object.location).await?;
                count += 1;
            }
        }
        let Some(root) = self.directory().cloned() else { return Ok(count) };
        let folders = [cluster.clone(), PartitionKeys::all_separate()];
        let sweep = move || folders.iter().map(|folder| remove_unfinished(&root.join(folder.as_ref()), young_ms)).sum();
        let swept: io::Result<usize> =
            tokio::task::spawn_blocking(sweep).await.unwrap_or_else(|error| Err(io::Error::other(error)));
        let failed = |source| object_store::Error::Generic { store: "directory", source: Box::new(source) };
        let swept = swept.map_err(|error| RemoteError::Store {
            action: "sweeping",
            key: cluster.clone(),
            source: failed(error).into(),
        })?;
        Ok(count + swept)
    }
}

/// Below `folder`, with folders that have nothing else. Whoever is about to write there makes them again.
fn remove_unfinished(folder: &Folder, young_ms: i64) -> io::Result<usize> {
    let Some(entries) = found(fs::read_dir(folder))? else { return Ok(0) };
    let mut count = 0;
    for entry in entries {
        let Some(entry) = found(entry)? else { break };
        let Some(kind) = found(entry.file_type())? else { continue };
        if kind.is_dir() {
            count += remove_unfinished(&entry.path(), young_ms)?;
            continue;
        }
        // There may be very many others: they are not looked at.
        if !is_unfinished(&entry.file_name().to_string_lossy()) {
            continue;
        }
        let Some(metadata) = found(entry.metadata())? else { continue };
        if written_ms(&metadata)? < young_ms {
            count += usize::from(found(fs::remove_file(entry.path()))?.is_some());
        }
    }
    if count > 0 {
        // It has other files, or somebody else was first.
        let _ = fs::remove_dir(folder);
    }
    Ok(count)
}

/// What goes meanwhile is none of ours.
fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}

fn is_unfinished(name: &str) -> bool {
    let number = name.rsplit_once('#').map_or("", |(_, number)| number);
    !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
}

fn written_ms(metadata: &fs::Metadata) -> io::Result<i64> {
    let age = metadata.modified()?.duration_since(SystemTime::UNIX_EPOCH);
    Ok(i64::try_from(age.map_or(0, |age: Duration| age.as_millis())).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use object_store::local::LocalFileSystem;
    use object_store::{ObjectStore, ObjectStoreExt, PutPayload};
    use protocol::ids::{TopicPartition, Uuid};

    use super::*;
    use crate::remote_log::{RemoteSegment, SegmentLayout, StoreLimits};

    fn files(folder: &Folder) -> usize {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.map(|path| if path.is_dir() { files(&path) } else { 1 }).sum()
    }

    /// Uploads that a kill interrupted, in both layouts and of a topic that is gone since.
    #[tokio::test]
    async fn files_that_a_killed_upload_left_go_once_they_are_old() {
        let folder = tempfile::tempdir().unwrap();
        let inner = LocalFileSystem::new_with_prefix(folder.path()).unwrap().with_automatic_cleanup(true);
        let inner: Arc<dyn ObjectStore> = Arc::new(inner);
        let store = RemoteStore::new("test".to_owned(), Arc::clone(&inner), StoreLimits::default());
        let store = store.in_directory(folder.path().to_owned());
        let (topic_id, cluster) = (Uuid::from_u128(7), Path::from("c"));
        let keys = PartitionKeys::new("c", topic_id, &TopicPartition::new("t", 0));
        for layout in [SegmentLayout::Joined, SegmentLayout::Separate] {
            let segment = RemoteSegment { layout: layout.number(), id: layout.new_id(), ..RemoteSegment::default() };
            let mut upload = inner.put_multipart(&keys.log(&segment)).await.unwrap();
            upload.put_part(PutPayload::from_static(b"half of it")).await.unwrap();
            std::mem::forget(upload);
        }
        let whole = keys.manifests().join("0000000003-00000000000000000017");
        store.create(&whole, Bytes::from_static(b"whole")).await.unwrap();
        store.create(&cluster.clone().join(PROBES).join("x"), Bytes::from_static(b"a probe")).await.unwrap();
        fs::write(folder.path().join("notes#1"), b"not in our folders").unwrap();
        assert_eq!(files(folder.path()), 5);
        assert_eq!(store.sweep_leavings(&cluster, 0).await.unwrap(), 0, "they are young");
        assert_eq!(store.sweep_leavings(&cluster, i64::MAX).await.unwrap(), 3);
        assert_eq!(files(folder.path()), 2);
        assert!(!folder.path().join("kafka-tiered-storage").exists(), "nothing else was there");
        assert_eq!(store.get(&whole).await.unwrap(), Bytes::from_static(b"whole"));
        store.delete_topic(topic_id, &PartitionKeys::topic("c", topic_id, "t")).await.unwrap();
        assert!(!folder.path().join("c").exists(), "no folder is left of a deleted topic");
    }

    #[test]
    fn only_what_has_no_name_yet_is_unfinished() {
        for (name, expected) in [("x.log#1", true), ("x#y#23", true), ("x.log", false), ("x#", false), ("x#1a", false)]
        {
            assert_eq!(is_unfinished(name), expected, "{name}");
        }
    }
}
