//! The store, with a deadline on every request and nothing believed that it says about lengths.

use std::fmt;
use std::future::Future;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    GetOptions, GetResultPayload, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutPayload,
};
use protocol::ids::Uuid;

use super::buffers::Buffers;
use super::error::DELETING;
use super::{PartitionKeys, RateLimit, RemoteError, SegmentLayout};
use crate::file_system::{File, OsFileSystem};
use crate::log::Region;

/// How long and in which pieces the store is talked to.
#[derive(Clone, Copy, Debug)]
pub struct StoreLimits {
    /// For one request.
    pub attempt: Duration,
    /// A larger object goes up in parts of this size; S3 wants 5 MiB at least.
    pub part_bytes: u64,
    /// A whole upload may take this long and what its bytes take at `min_bytes_per_second`, not counting what the rate limit
    /// holds back.
    pub upload: Duration,
    /// See `upload`.
    pub min_bytes_per_second: u64,
}

impl Default for StoreLimits {
    fn default() -> Self {
        Self {
            attempt: Duration::from_secs(60),
            part_bytes: 8 << 20,
            upload: Duration::from_secs(120),
            min_bytes_per_second: 256 << 10,
        }
    }
}

/// Objects of a topic that are deleted at the same time.
const DELETED_AT_ONCE: usize = 8;

/// A store.
pub struct RemoteStore {
    /// For people.
    name: String,
    store: Arc<dyn ObjectStore>,
    layout: SegmentLayout,
    directory: Option<PathBuf>,
    limits: StoreLimits,
    uploads: RateLimit,
    downloads: RateLimit,
    /// For what is read in parts.
    buffers: Arc<Buffers>,
}

impl fmt::Debug for RemoteStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "RemoteStore({})", self.name)
    }
}

impl RemoteStore {
    /// `store`, which people know by `name`, without a limit of bytes per second.
    pub fn new(name: String, store: Arc<dyn ObjectStore>, limits: StoreLimits) -> Self {
        let (uploads, downloads) = (RateLimit::new(u64::MAX), RateLimit::new(u64::MAX));
        let layout = SegmentLayout::default();
        Self { name, store, layout, directory: None, limits, uploads, downloads, buffers: Arc::default() }
    }

    /// Segments that are copied from now on lie there in that way.
    #[must_use]
    pub fn with_layout(self, layout: SegmentLayout) -> Self {
        Self { layout, ..self }
    }

    /// Its objects are files below `root`.
    #[must_use]
    pub fn in_directory(self, root: PathBuf) -> Self {
        Self { directory: Some(root), ..self }
    }

    pub(super) fn directory(&self) -> Option<&PathBuf> {
        self.directory.as_ref()
    }

    /// How new segments lie there.
    pub fn layout(&self) -> SegmentLayout {
        self.layout
    }

    /// What people know it by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Bytes per second that go up, all uploads together.
    pub fn uploads(&self) -> &RateLimit {
        &self.uploads
    }

    /// Bytes per second that come down, all reads of segments together.
    pub fn downloads(&self) -> &RateLimit {
        &self.downloads
    }

    async fn attempt<T>(
        &self,
        action: &'static str,
        key: &Path,
        request: impl Future<Output = object_store::Result<T>>,
    ) -> Result<T, RemoteError> {
        let deadline = self.limits.attempt;
        match tokio::time::timeout(deadline, request).await {
            Ok(result) => result.map_err(|source| store_error(action, key, source)),
            Err(_) => Err(RemoteError::Deadline { action, key: key.clone(), deadline }),
        }
    }

    /// Creates an object that does not exist, and makes sure that it is whole. Where one does, it is ours if it has these
    /// very bytes: the answer to an earlier try was lost.
    ///
    /// # Errors
    /// [`RemoteError::Fenced`] if somebody else's is there; the store's.
    pub async fn create(&self, key: &Path, bytes: Bytes) -> Result<(), RemoteError> {
        let payload = PutPayload::from_bytes(bytes.clone());
        let put = self.store.put_opts(key, payload, PutMode::Create.into());
        let Err(error) = self.attempt("creating", key, put).await else {
            return self.check_size(key, bytes.len() as u64).await;
        };
        // Whatever the error: it may be there all the same.
        match self.get(key).await {
            Ok(found) if found == bytes => Ok(()),
            Ok(_) => Err(RemoteError::Fenced { key: key.clone() }),
            Err(_) => Err(error),
        }
    }

    /// A whole object.
    ///
    /// # Errors
    /// The store's; [`RemoteError::Length`] if fewer or more bytes came than the store announced.
    pub async fn get(&self, key: &Path) -> Result<Bytes, RemoteError> {
        let get = async {
            let found = self.store.get(key).await?;
            let expected = found.meta.size;
            Ok((expected, found.bytes().await?))
        };
        let (expected, bytes) = self.attempt("reading", key, get).await?;
        of_length(key, expected, bytes)
    }

    /// Bytes of an object, exactly those.
    ///
    /// # Errors
    /// The store's; [`RemoteError::Length`] if others came.
    pub async fn get_range(&self, key: &Path, range: Range<u64>) -> Result<Bytes, RemoteError> {
        let expected = range.end.saturating_sub(range.start);
        if expected == 0 {
            return Ok(Bytes::new());
        }
        self.downloads.acquire(expected).await;
        let options = GetOptions { range: Some(range.into()), ..GetOptions::default() };
        let get = async {
            let found = self.store.get_opts(key, options).await?;
            match found.payload {
                GetResultPayload::Stream(stream) => self.collect(stream, expected).await,
                GetResultPayload::File(..) => found.bytes().await,
            }
        };
        let bytes = self.attempt("reading", key, get).await?;
        of_length(key, expected, bytes)
    }

    /// What comes, up to a little more than `expected` bytes.
    async fn collect(
        &self,
        mut stream: BoxStream<'static, object_store::Result<Bytes>>,
        expected: u64,
    ) -> object_store::Result<Bytes> {
        let mut buffer = self.buffers.take(usize::try_from(expected).unwrap_or(0));
        while let Some(bytes) = stream.try_next().await? {
            buffer.extend(&bytes);
            if buffer.len() as u64 > expected {
                break;
            }
        }
        Ok(buffer.freeze())
    }

    /// An object of `size` bytes as a file; `None` if the store is no directory, or the file has another size.
    ///
    /// # Errors
    /// The store's.
    pub(super) async fn open(&self, key: &Path, size: u64) -> Result<Option<Arc<dyn File>>, RemoteError> {
        let only_open = GetOptions { head: true, ..GetOptions::default() };
        let found = self.attempt("opening", key, self.store.get_opts(key, only_open)).await?;
        Ok(match found.payload {
            GetResultPayload::File(file, _) if found.meta.size == size => Some(OsFileSystem::adopt(file)),
            _ => None,
        })
    }

    /// Deletes an object; one that is not there is no error.
    ///
    /// # Errors
    /// The store's.
    pub async fn delete(&self, key: &Path) -> Result<(), RemoteError> {
        match self.attempt(DELETING, key, self.store.delete(key)).await {
            Err(error) if error.is_not_found() => Ok(()),
            result => result,
        }
    }

    /// Every object whose key begins with `prefix` and a slash, in no order.
    ///
    /// # Errors
    /// The store's; the deadline is for each object that the listing brings.
    pub async fn list(&self, prefix: &Path) -> Result<Vec<ObjectMeta>, RemoteError> {
        let mut listing = self.store.list(Some(prefix));
        let mut objects = Vec::new();
        while let Some(object) = self.attempt("listing", prefix, async { listing.next().await.transpose() }).await? {
            objects.push(object);
        }
        Ok(objects)
    }

    /// The names of the folders directly below `prefix`, in no order.
    ///
    /// # Errors
    /// The store's.
    pub async fn folders(&self, prefix: &Path) -> Result<Vec<String>, RemoteError> {
        let below = Some(prefix).filter(|prefix| !prefix.as_ref().is_empty());
        let listed = self.attempt("listing", prefix, self.store.list_with_delimiter(below)).await?;
        Ok(listed.common_prefixes.iter().filter_map(|folder| folder.filename().map(str::to_owned)).collect())
    }

    /// Uploads the bytes of `region` to a key that nobody else uses, and makes sure that they are there. Returns their
    /// CRC-32C. What a failure leaves behind is removed as well as possible.
    ///
    /// # Errors
    /// The store's or the disk's; [`RemoteError::Deadline`] if it takes too long as a whole.
    pub async fn upload(&self, key: &Path, region: &Region) -> Result<u32, RemoteError> {
        let result = self.try_upload(key, region).await;
        if result.is_err() {
            // The sweep finds what stays.
            let _ = self.delete(key).await;
        }
        result
    }

    async fn try_upload(&self, key: &Path, region: &Region) -> Result<u32, RemoteError> {
        let size = region.size as u64;
        let crc = if size <= self.limits.part_bytes {
            self.uploads.acquire(size).await;
            let bytes = read(region, 0..size).await?;
            let crc = crc32c::crc32c(&bytes);
            let put = self.store.put_opts(key, bytes.into(), PutMode::Create.into());
            match self.attempt("uploading", key, put).await {
                // Nobody else has this key: the answer to an earlier try was lost.
                Err(error) if error.is_already_there() => {}
                result => result.map(|_| ())?,
            }
            crc
        } else {
            self.upload_parts(key, region).await?
        };
        self.check_size(key, size).await?;
        Ok(crc)
    }

    async fn check_size(&self, key: &Path, expected: u64) -> Result<(), RemoteError> {
        let found = self.attempt("looking at", key, self.store.head(key)).await?.size;
        if found == expected { Ok(()) } else { Err(RemoteError::Length { key: key.clone(), expected, found }) }
    }

    async fn upload_parts(&self, key: &Path, region: &Region) -> Result<u32, RemoteError> {
        let mut upload = self.attempt("uploading", key, self.store.put_multipart(key)).await?;
        let result = self.put_parts(key, region, &mut *upload).await;
        if result.is_err() {
            let _ = self.attempt("aborting", key, upload.abort()).await;
        }
        result
    }

    async fn put_parts(
        &self,
        key: &Path,
        region: &Region,
        upload: &mut dyn MultipartUpload,
    ) -> Result<u32, RemoteError> {
        let size = region.size as u64;
        let slowest = Duration::from_secs(size / self.limits.min_bytes_per_second.max(1));
        let deadline = self.limits.upload.saturating_add(slowest);
        let (mut crc, mut position, mut spent) = (0, 0, Duration::ZERO);
        while position < size {
            let end = position.saturating_add(self.limits.part_bytes).min(size);
            self.uploads.acquire(end - position).await;
            let begun = tokio::time::Instant::now();
            let bytes = read(region, position..end).await?;
            crc = crc32c::crc32c_append(crc, &bytes);
            self.attempt("uploading", key, upload.put_part(bytes.into())).await?;
            spent += begun.elapsed();
            if spent > deadline {
                return Err(RemoteError::Deadline { action: "uploading", key: key.clone(), deadline });
            }
            position = end;
        }
        self.attempt("uploading", key, upload.complete()).await?;
        Ok(crc)
    }

    /// Deletes everything whose key begins with `prefix`. Returns how many objects that were.
    ///
    /// # Errors
    /// The store's; what is deleted stays deleted.
    pub async fn delete_all(&self, prefix: &Path) -> Result<usize, RemoteError> {
        let objects = self.list(prefix).await?;
        let count = objects.len();
        let deletions = objects.into_iter().map(|object| async move { self.delete(&object.location).await });
        futures_util::stream::iter(deletions).buffer_unordered(DELETED_AT_ONCE).try_collect::<Vec<_>>().await?;
        Ok(count)
    }

    /// Deletes every object of a partition, the manifests last. Returns how many that were.
    ///
    /// # Errors
    /// As [`RemoteStore::delete_all`].
    pub async fn delete_partition(&self, keys: &PartitionKeys) -> Result<usize, RemoteError> {
        let mut count = 0;
        for folder in keys.folders() {
            count += self.delete_all(&folder).await?;
        }
        Ok(count)
    }

    /// Deletes every object of the topic whose manifests are in `folder`, the manifests last. Returns how many that were.
    ///
    /// # Errors
    /// As [`RemoteStore::delete_all`].
    pub async fn delete_topic(&self, topic_id: Uuid, folder: &Path) -> Result<usize, RemoteError> {
        let all = PartitionKeys::all_separate();
        let mut count = 0;
        for separate in self.folders(&all).await? {
            if PartitionKeys::parse_separate(&separate).is_some_and(|(_, id)| id == topic_id) {
                count += self.delete_all(&all.clone().join(separate)).await?;
            }
        }
        Ok(count + self.delete_all(folder).await?)
    }

    pub(super) fn inner(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }
}

/// The disk is not read by a worker of the runtime.
async fn read(region: &Region, range: Range<u64>) -> Result<Bytes, RemoteError> {
    let piece = region.slice(range);
    let bytes = tokio::task::spawn_blocking(move || piece.read()).await;
    let bytes = bytes.unwrap_or_else(|error| Err(std::io::Error::other(error)));
    bytes.map_err(|error| RemoteError::LocalFile(Arc::new(error)))
}

fn of_length(key: &Path, expected: u64, bytes: Bytes) -> Result<Bytes, RemoteError> {
    let found = bytes.len() as u64;
    if found == expected { Ok(bytes) } else { Err(RemoteError::Length { key: key.clone(), expected, found }) }
}

fn store_error(action: &'static str, key: &Path, source: object_store::Error) -> RemoteError {
    RemoteError::Store { action, key: key.clone(), source: Arc::new(source) }
}
