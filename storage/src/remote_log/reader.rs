//! Reading remote segments: the index tells where to begin, pieces of the segment come through the cache, or lie in its file.

use std::net::SocketAddr;
use std::sync::Arc;

use protocol::record_batch::BatchHeader;

use super::cache::PieceCache;
use super::open_files::OpenFiles;
use super::source::Source;
use super::{CacheLimits, DiskCache, PartitionKeys, RemoteError, RemoteSegment, RemoteStore};
use crate::log::{Piece, ReadLimits, TimestampOffset};

/// Reads remote segments of all partitions.
pub struct RemoteReader {
    pub(super) store: Arc<RemoteStore>,
    /// Pieces of segments, by number.
    pub(super) chunks: Arc<PieceCache>,
    /// Joined indexes, whole.
    pub(super) indexes: Arc<PieceCache>,
    /// What memory has no room for.
    pub(super) disk: Disk,
    pub(super) chunk_bytes: u64,
    /// See [`RemoteReader::reading_ahead`].
    ahead_bytes: u64,
    /// See [`RemoteReader::lending_files`].
    files: Option<Arc<OpenFiles>>,
}

/// Where pieces are kept besides memory.
#[derive(Default)]
pub(super) struct Disk {
    pub(super) chunks: Option<Arc<DiskCache>>,
    pub(super) indexes: Option<Arc<DiskCache>>,
}

impl RemoteReader {
    /// Reads in pieces of `chunk_bytes` and keeps what the limits allow of them, and of the indexes.
    pub fn new(store: Arc<RemoteStore>, chunk_bytes: u64, chunks: CacheLimits, indexes: CacheLimits) -> Self {
        Self {
            store,
            chunks: Arc::new(PieceCache::new(chunks)),
            indexes: Arc::new(PieceCache::new(indexes)),
            disk: Disk::default(),
            chunk_bytes: chunk_bytes.max(1),
            ahead_bytes: 0,
            files: None,
        }
    }

    /// Keeps pieces of segments, and indexes, on disk too; `None` keeps none of them there.
    #[must_use]
    pub fn keeping(self, chunks: Option<Arc<DiskCache>>, indexes: Option<Arc<DiskCache>>) -> Self {
        Self { disk: Disk { chunks, indexes }, ..self }
    }

    /// Where indexes are kept on disk.
    pub fn indexes_on_disk(&self) -> Option<&DiskCache> {
        self.disk.indexes.as_deref()
    }

    /// Where pieces of segments are kept on disk.
    pub fn chunks_on_disk(&self) -> Option<&DiskCache> {
        self.disk.chunks.as_deref()
    }

    /// Fetches so many bytes behind what a reader has read, in the segment and in the one that follows it, before they are
    /// asked for; as far as the cache has room for it.
    #[must_use]
    pub fn reading_ahead(self, ahead_bytes: u64) -> Self {
        Self { ahead_bytes, ..self }
    }

    /// Gives away what the page cache has of an object where it lies, without a copy: the store is a directory. Not done where pieces
    /// of segments are to be kept on disk.
    #[must_use]
    pub fn lending_files(self) -> Self {
        let files = self.disk.chunks.is_none().then(OpenFiles::new);
        Self { files, ..self }
    }

    /// Whole batches from the one that holds `offset` (inclusive) on, at most `limits.max_bytes`, inside `segment`: a reader
    /// asks again from where these end. `limits.end_offset` is not looked at: what is remote is stable. `following` is the next
    /// segment, if there is one: who reads to the end of this one will want it. `consumer` is where the one who asks is: what was
    /// fetched for one stays for those who are not far behind it.
    ///
    /// # Errors
    /// The store's; [`RemoteError::Corrupt`].
    ///
    /// # Cancel safety
    /// What has come so far stays in the cache for the next one who asks.
    pub async fn read(
        &self,
        consumer: SocketAddr,
        keys: &PartitionKeys,
        (segment, following): (&RemoteSegment, Option<&RemoteSegment>),
        offset: i64,
        limits: ReadLimits,
    ) -> Result<Vec<Piece>, RemoteError> {
        let mut source = self.open(keys, segment).await;
        let floor = source.floor_position(offset).await?;
        let wanted = |header: &BatchHeader| header.last_offset() >= offset;
        let Some(first) = source.find(floor, wanted).await? else { return Ok(Vec::new()) };
        let first_size = first.header.size() as u64;
        let max_bytes = limits.max_bytes as u64;
        if first_size > max_bytes && !limits.at_least_one {
            return Ok(Vec::new());
        }
        let most = first.position.saturating_add(max_bytes.max(first_size)).min(segment.size());
        if let Some(region) = source.lent(first.position..most) {
            let size = source.last_end(&first, most).await? - first.position;
            self.store.downloads().acquire(size).await;
            return Ok(vec![Piece::Region(region.slice(0..size))]);
        }
        let following = following.map(|following| self.source(keys, following));
        source.note(consumer, first.position, following.as_ref());
        let left = source.read_ahead(most, self.ahead_bytes);
        if let Some(following) = following.filter(|_| left > 0) {
            following.index_ahead();
            following.read_ahead(0, left);
        }
        source.slices(first.position..most).await?;
        let end = source.last_end(&first, most).await?;
        Ok(source.slices(first.position..end).await?.into_iter().map(Piece::Bytes).collect())
    }

    /// The header of the batch that holds `offset`; `None` if no batch of `segment` reaches it.
    ///
    /// # Errors
    /// As [`RemoteReader::read`].
    pub(super) async fn header(
        &self,
        keys: &PartitionKeys,
        segment: &RemoteSegment,
        offset: i64,
    ) -> Result<Option<BatchHeader>, RemoteError> {
        let mut source = self.open(keys, segment).await;
        let floor = source.floor_position(offset).await?;
        let found = source.find(floor, |header| header.last_offset() >= offset).await?;
        Ok(found.map(|found| found.header))
    }

    /// The first record of `segment` that is as young as `timestamp` and not before `start_offset`.
    ///
    /// # Errors
    /// The store's; [`RemoteError::Corrupt`].
    ///
    /// # Cancel safety
    /// As [`RemoteReader::read`].
    pub async fn offset_for_timestamp(
        &self,
        keys: &PartitionKeys,
        segment: &RemoteSegment,
        timestamp: i64,
        start_offset: i64,
    ) -> Result<Option<TimestampOffset>, RemoteError> {
        let mut source = self.open(keys, segment).await;
        let mut from = start_offset.max(source.floor_time(timestamp).await?);
        loop {
            let floor = source.floor_position(from).await?;
            let wanted = |header: &BatchHeader| header.max_timestamp >= timestamp && header.last_offset() >= from;
            let Some(found) = source.find(floor, wanted).await? else { return Ok(None) };
            let batch = source.bytes(found.position..found.end()).await?;
            if let Some(record) = source.first_record(&batch, &found.header, timestamp, start_offset)? {
                return Ok(Some(record));
            }
            from = found.header.next_offset();
        }
    }

    /// Every byte of a segment's two objects, not through the cache, against the checksums of the manifest.
    ///
    /// # Errors
    /// The store's; [`RemoteError::Length`] or [`RemoteError::Corrupt`] if they are not what was written.
    pub async fn verify(&self, keys: &PartitionKeys, segment: &RemoteSegment) -> Result<(), RemoteError> {
        let source = self.source(keys, segment);
        let (mut crc, mut position) = (0, 0);
        while position < segment.size() {
            let end = position.saturating_add(self.chunk_bytes.max(1 << 20)).min(segment.size());
            crc = crc32c::crc32c_append(crc, &self.store.get_range(&source.log, position..end).await?);
            position = end;
        }
        if crc != segment.crc {
            return Err(source.corrupt(format!("checksum {crc:08x} instead of {:08x}", segment.crc)));
        }
        source.load_indexes(&self.store).await.map(|_| ())
    }

    #[cfg(test)]
    pub(super) fn held_chunks(&self) -> (u64, usize) {
        self.chunks.held()
    }

    async fn open<'a>(&'a self, keys: &PartitionKeys, segment: &'a RemoteSegment) -> Source<'a> {
        let source = self.source(keys, segment);
        match &self.files {
            Some(files) => {
                let file = files.get(&self.store, &source.log, segment.size()).await;
                source.with_file(file)
            }
            None => source,
        }
    }

    fn source<'a>(&'a self, keys: &PartitionKeys, segment: &'a RemoteSegment) -> Source<'a> {
        Source::new(self, keys, segment)
    }
}
