//! Reading remote segments: the index tells where to begin, pieces of the segment come through the cache.

use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, try_join_all};
use object_store::path::Path;
use protocol::record_batch::{BatchHeader, HEADER_SIZE, Records, expansion_limit};

use super::cache::PieceCache;
use super::segment_object::{Index, range};
use super::{CacheLimits, DiskCache, PartitionKeys, RemoteError, RemoteSegment, RemoteStore};
use crate::index::{OffsetIndex, TimeIndex, last_where};
use crate::log::{ReadLimits, TimestampOffset};

/// Reads remote segments of all partitions.
pub struct RemoteReader {
    store: Arc<RemoteStore>,
    /// Pieces of segments, by number.
    chunks: Arc<PieceCache>,
    /// Joined indexes, whole.
    indexes: Arc<PieceCache>,
    /// What memory has no room for.
    disk: Disk,
    chunk_bytes: u64,
    /// See [`RemoteReader::reading_ahead`].
    ahead_bytes: u64,
}

/// Where pieces are kept besides memory.
#[derive(Default)]
struct Disk {
    chunks: Option<Arc<DiskCache>>,
    indexes: Option<Arc<DiskCache>>,
}

/// A batch and where it is.
struct Found {
    position: u64,
    header: BatchHeader,
}

impl Found {
    fn end(&self) -> u64 {
        self.position + self.header.size() as u64
    }
}

/// One segment, being read.
struct Source<'a> {
    reader: &'a RemoteReader,
    log: Path,
    /// One behind the other they are what is joined.
    indexes: Vec<Path>,
    segment: &'a RemoteSegment,
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

    /// Whole batches from the one that holds `offset` (inclusive) on, at most `limits.max_bytes`, inside `segment`: a reader
    /// asks again from where these end. `limits.end_offset` is not looked at: what is remote is stable. `following` is the next
    /// segment, if there is one: who reads to the end of this one will want it.
    ///
    /// # Errors
    /// The store's; [`RemoteError::Corrupt`].
    ///
    /// # Cancel safety
    /// What has come so far stays in the cache for the next one who asks.
    pub async fn read(
        &self,
        keys: &PartitionKeys,
        (segment, following): (&RemoteSegment, Option<&RemoteSegment>),
        offset: i64,
        limits: ReadLimits,
    ) -> Result<Bytes, RemoteError> {
        let source = self.source(keys, segment);
        let floor = source.floor_position(offset).await?;
        let wanted = |header: &BatchHeader| header.last_offset() >= offset;
        let Some(first) = source.find(floor, wanted).await? else { return Ok(Bytes::new()) };
        let first_size = first.header.size() as u64;
        let max_bytes = limits.max_bytes as u64;
        if first_size > max_bytes && !limits.at_least_one {
            return Ok(Bytes::new());
        }
        let end = first.position.saturating_add(max_bytes.max(first_size)).min(segment.size());
        let left = source.read_ahead(end, self.ahead_bytes);
        if let Some(following) = following.filter(|_| left > 0) {
            let next = self.source(keys, following);
            next.index_ahead();
            next.read_ahead(0, left);
        }
        let mut bytes = source.bytes(first.position..end).await?;
        let whole = source.whole_batches(&bytes)?;
        bytes.truncate(whole);
        Ok(bytes)
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
        let source = self.source(keys, segment);
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

    fn source<'a>(&'a self, keys: &PartitionKeys, segment: &'a RemoteSegment) -> Source<'a> {
        Source { reader: self, log: keys.log(segment), indexes: keys.indexes(segment), segment }
    }
}

impl Source<'_> {
    /// The first batch from `position` on that is `wanted`.
    async fn find(
        &self,
        mut position: u64,
        wanted: impl Fn(&BatchHeader) -> bool,
    ) -> Result<Option<Found>, RemoteError> {
        let size = self.segment.size();
        while position.saturating_add(HEADER_SIZE as u64) <= size {
            let head = self.bytes(position..position + HEADER_SIZE as u64).await?;
            let header = BatchHeader::read(&head).map_err(|error| self.corrupt(format!("at {position}: {error}")))?;
            let found = Found { position, header };
            if found.end() > size {
                return Err(self.corrupt(format!("the batch at {position} ends behind the segment")));
            }
            if wanted(&header) {
                return Ok(Some(found));
            }
            position = found.end();
        }
        Ok(None)
    }

    /// Where to begin to look for `offset`. An entry that does not name a batch is worth nothing; the walk begins at 0 then.
    async fn floor_position(&self, offset: i64) -> Result<u64, RemoteError> {
        let relative = offset.saturating_sub(self.segment.base_offset);
        let indexes = self.indexes().await?;
        let Some(bytes) = indexes.get(range(self.segment, Index::Offset)) else { return Ok(0) };
        let entry = last_where::<OffsetIndex>(bytes, |entry| i64::from(entry.relative_offset) <= relative);
        let Some(entry) = entry else { return Ok(0) };
        let position = u64::from(entry.position);
        if position.saturating_add(HEADER_SIZE as u64) > self.segment.size() {
            return Ok(0);
        }
        let head = self.bytes(position..position + HEADER_SIZE as u64).await?;
        let named = self.segment.base_offset.saturating_add(i64::from(entry.relative_offset));
        let is_true = BatchHeader::read(&head).is_ok_and(|header| header.last_offset() == named);
        Ok(if is_true { position } else { 0 })
    }

    /// The offset from which to look for `timestamp`.
    async fn floor_time(&self, timestamp: i64) -> Result<i64, RemoteError> {
        let indexes = self.indexes().await?;
        let Some(bytes) = indexes.get(range(self.segment, Index::Time)) else { return Ok(0) };
        // The entry names the batch with the largest timestamp up to there: of an equal one the first may be wanted.
        let entry = last_where::<TimeIndex>(bytes, |entry| entry.timestamp < timestamp);
        let relative = entry.map_or(0, |entry| i64::from(entry.relative_offset));
        Ok(self.segment.base_offset.saturating_add(relative))
    }

    fn first_record(
        &self,
        batch: &Bytes,
        header: &BatchHeader,
        timestamp: i64,
        start_offset: i64,
    ) -> Result<Option<TimestampOffset>, RemoteError> {
        let records = Records::open(batch, expansion_limit(batch.len()));
        for record in records.map_err(|error| self.corrupt(error.to_string()))? {
            let record = record.map_err(|error| self.corrupt(error.to_string()))?;
            if record.timestamp >= timestamp && record.offset >= start_offset {
                let epoch = header.partition_leader_epoch;
                return Ok(Some(TimestampOffset {
                    timestamp: record.timestamp,
                    offset: record.offset,
                    leader_epoch: (epoch >= 0).then_some(epoch),
                }));
            }
        }
        Ok(None)
    }

    /// How many of `bytes` are whole batches.
    fn whole_batches(&self, bytes: &Bytes) -> Result<usize, RemoteError> {
        let mut end = 0;
        while let Some(rest) = bytes.get(end..).filter(|rest| rest.len() >= HEADER_SIZE) {
            let header = BatchHeader::read(rest).map_err(|error| self.corrupt(error.to_string()))?;
            if header.size() > rest.len() {
                break;
            }
            end += header.size();
        }
        Ok(end)
    }

    /// Bytes of the segment, from the pieces that hold them.
    async fn bytes(&self, wanted: Range<u64>) -> Result<Bytes, RemoteError> {
        if wanted.is_empty() {
            return Ok(Bytes::new());
        }
        let chunk_bytes = self.reader.chunk_bytes;
        let (first, last) = (wanted.start / chunk_bytes, (wanted.end - 1) / chunk_bytes);
        let chunks = try_join_all((first..=last).map(|number| self.chunk(number))).await?;
        let within = |chunk: &Bytes, number: u64| {
            let start = number * chunk_bytes;
            let from = usize::try_from(wanted.start.saturating_sub(start)).unwrap_or(usize::MAX).min(chunk.len());
            let to = usize::try_from(wanted.end.saturating_sub(start)).unwrap_or(usize::MAX).min(chunk.len());
            chunk.slice(from..to)
        };
        if let [only] = chunks.as_slice() {
            return Ok(within(only, first));
        }
        let mut joined = BytesMut::with_capacity(usize::try_from(wanted.end - wanted.start).unwrap_or(0));
        for (number, chunk) in (first..=last).zip(&chunks) {
            joined.extend_from_slice(&within(chunk, number));
        }
        Ok(joined.freeze())
    }

    async fn chunk(&self, number: u64) -> Result<Bytes, RemoteError> {
        let range = self.range_of(number);
        let size = range.end - range.start;
        self.reader.chunks.get((self.log.clone(), number), size, || self.download(range)).await
    }

    fn range_of(&self, number: u64) -> Range<u64> {
        let start = number.saturating_mul(self.reader.chunk_bytes);
        start..start.saturating_add(self.reader.chunk_bytes).min(self.segment.size())
    }

    fn download(&self, range: Range<u64>) -> BoxFuture<'static, Result<Bytes, RemoteError>> {
        let (store, log) = (Arc::clone(&self.reader.store), self.log.clone());
        let (position, size) = (range.start, range.end - range.start);
        let download = async move { store.get_range(&log, range).await }.boxed();
        kept(self.reader.disk.chunks.as_ref(), &self.log, position, size, download)
    }

    /// Begins to fetch the pieces of the `bytes` from `position` on. Returns how many of them lie behind the segment.
    fn read_ahead(&self, position: u64, bytes: u64) -> u64 {
        let wanted = position.saturating_add(bytes);
        let end = wanted.min(self.segment.size());
        if bytes > 0 && position < end {
            for number in position / self.reader.chunk_bytes..=(end - 1) / self.reader.chunk_bytes {
                let range = self.range_of(number);
                let size = range.end - range.start;
                self.reader.chunks.begin_ahead((self.log.clone(), number), size, || self.download(range));
            }
        }
        wanted.saturating_sub(self.segment.size().max(position))
    }

    async fn indexes(&self) -> Result<Bytes, RemoteError> {
        self.reader.indexes.get(self.indexes_key(), self.segment.indexes_size(), || self.download_indexes()).await
    }

    /// What stays in memory is called after the first of them.
    fn indexes_key(&self) -> (Path, u64) {
        (self.indexes.first().cloned().unwrap_or_default(), 0)
    }

    fn index_ahead(&self) {
        self.reader.indexes.begin_ahead(self.indexes_key(), self.segment.indexes_size(), || self.download_indexes());
    }

    fn download_indexes(&self) -> BoxFuture<'static, Result<Bytes, RemoteError>> {
        let store = Arc::clone(&self.reader.store);
        let (indexes, size, crc) = (self.indexes.clone(), self.segment.indexes_size(), self.segment.indexes_crc);
        let download = async move { load_indexes(&store, &indexes, size, crc).await }.boxed();
        kept(self.reader.disk.indexes.as_ref(), &self.indexes_key().0, 0, size, download)
    }

    async fn load_indexes(&self, store: &RemoteStore) -> Result<Bytes, RemoteError> {
        load_indexes(store, &self.indexes, self.segment.indexes_size(), self.segment.indexes_crc).await
    }

    fn corrupt(&self, reason: String) -> RemoteError {
        RemoteError::Corrupt { key: self.log.clone(), reason }
    }
}

/// The piece from `disk`, or by `download`. No two objects have the same last name: a random id is in it.
fn kept(
    disk: Option<&Arc<DiskCache>>,
    object: &Path,
    position: u64,
    size: u64,
    download: BoxFuture<'static, Result<Bytes, RemoteError>>,
) -> BoxFuture<'static, Result<Bytes, RemoteError>> {
    match (disk, object.filename()) {
        (Some(disk), Some(name)) => Arc::clone(disk).get(name.to_owned(), position, size, download).boxed(),
        _ => download,
    }
}

/// What is joined, from the objects that hold it.
async fn load_indexes(store: &RemoteStore, keys: &[Path], size: u64, crc: u32) -> Result<Bytes, RemoteError> {
    let key = keys.first().cloned().unwrap_or_default();
    let found = try_join_all(keys.iter().map(|key| store.get(key))).await?;
    let bytes = match found.as_slice() {
        [only] => only.clone(),
        several => Bytes::from(several.concat()),
    };
    if bytes.len() as u64 != size {
        return Err(RemoteError::Length { key, expected: size, found: bytes.len() as u64 });
    }
    match crc32c::crc32c(&bytes) {
        computed if computed == crc => Ok(bytes),
        computed => {
            let reason = format!("checksum {computed:08x} instead of {crc:08x}");
            Err(RemoteError::Corrupt { key, reason })
        }
    }
}
