//! One remote segment, being read: where its batches are, and the bytes of it.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::try_join_all;
use object_store::path::Path;
use protocol::record_batch::{BatchHeader, HEADER_SIZE, Records, expansion_limit};

use super::cache::Download;
use super::segment_object::{Index, range};
use super::{DiskCache, PartitionKeys, RemoteError, RemoteReader, RemoteSegment, RemoteStore};
use crate::file_system::File;
use crate::index::{OffsetEntry, OffsetIndex, TimeIndex, last_where};
use crate::log::{Region, TimestampOffset};

/// A batch and where it is.
pub(super) struct Found {
    pub(super) position: u64,
    pub(super) header: BatchHeader,
}

impl Found {
    pub(super) fn end(&self) -> u64 {
        self.position + self.header.size() as u64
    }
}

/// One segment, being read.
pub(super) struct Source<'a> {
    reader: &'a RemoteReader,
    pub(super) log: Path,
    /// One behind the other they are what is joined.
    indexes: Vec<Path>,
    segment: &'a RemoteSegment,
    /// The segment itself, if it is a file that the reader may use.
    file: Option<Arc<dyn File>>,
    /// The pieces that were used last, neighbours, by number.
    at_hand: Vec<(u64, Bytes)>,
}

impl<'a> Source<'a> {
    pub(super) fn new(reader: &'a RemoteReader, keys: &PartitionKeys, segment: &'a RemoteSegment) -> Self {
        let (log, indexes) = (keys.log(segment), keys.indexes(segment));
        Self { reader, log, indexes, segment, file: None, at_hand: Vec::new() }
    }

    pub(super) fn with_file(self, file: Option<Arc<dyn File>>) -> Self {
        Self { file, ..self }
    }
}

impl Source<'_> {
    /// The first batch from `position` on that is `wanted`.
    pub(super) async fn find(
        &mut self,
        mut position: u64,
        wanted: impl Fn(&BatchHeader) -> bool,
    ) -> Result<Option<Found>, RemoteError> {
        while position.saturating_add(HEADER_SIZE as u64) <= self.segment.size() {
            let found = self.batch(position).await?;
            if wanted(&found.header) {
                return Ok(Some(found));
            }
            position = found.end();
        }
        Ok(None)
    }

    /// The batch at `position`.
    async fn batch(&mut self, position: u64) -> Result<Found, RemoteError> {
        let head = self.bytes(position..position + HEADER_SIZE as u64).await?;
        let header = BatchHeader::read(&head).map_err(|error| self.corrupt(format!("at {position}: {error}")))?;
        let found = Found { position, header };
        if found.end() > self.segment.size() {
            return Err(self.corrupt(format!("the batch at {position} ends behind the segment")));
        }
        Ok(found)
    }

    /// Where to begin to look for `offset`.
    pub(super) async fn floor_position(&mut self, offset: i64) -> Result<u64, RemoteError> {
        let relative = offset.saturating_sub(self.segment.base_offset);
        let entry = self.entry(|entry| i64::from(entry.relative_offset) <= relative).await?;
        self.checked(entry).await
    }

    /// The last entry of the offset index for which `holds` is true.
    async fn entry(&self, holds: impl Fn(OffsetEntry) -> bool) -> Result<Option<OffsetEntry>, RemoteError> {
        let indexes = self.indexes().await?;
        let bytes = indexes.get(range(self.segment, Index::Offset));
        Ok(bytes.and_then(|bytes| last_where::<OffsetIndex>(bytes, holds)))
    }

    /// Where the batch begins that an entry names. One that does not name a batch is worth nothing; a walk begins at 0 then.
    async fn checked(&mut self, entry: Option<OffsetEntry>) -> Result<u64, RemoteError> {
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
    pub(super) async fn floor_time(&self, timestamp: i64) -> Result<i64, RemoteError> {
        let indexes = self.indexes().await?;
        let Some(bytes) = indexes.get(range(self.segment, Index::Time)) else { return Ok(0) };
        // The entry names the batch with the largest timestamp up to there: of an equal one the first may be wanted.
        let entry = last_where::<TimeIndex>(bytes, |entry| entry.timestamp < timestamp);
        let relative = entry.map_or(0, |entry| i64::from(entry.relative_offset));
        Ok(self.segment.base_offset.saturating_add(relative))
    }

    pub(super) fn first_record(
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

    /// Where the last batch ends that ends at or before byte `limit`; the end of `first` if there is none behind it.
    pub(super) async fn last_end(&mut self, first: &Found, limit: u64) -> Result<u64, RemoteError> {
        if limit >= self.segment.size() {
            return Ok(self.segment.size());
        }
        let entry = self.entry(|entry| u64::from(entry.position) <= limit).await?;
        let mut end = self.checked(entry).await?.max(first.end());
        while end.saturating_add(HEADER_SIZE as u64) <= limit {
            match self.batch(end).await? {
                found if found.end() <= limit => end = found.end(),
                _ => break,
            }
        }
        Ok(end)
    }

    /// A part of the file, if there is one and the page cache has these bytes; not while they come by the other way, so that reading
    /// ahead goes on there.
    pub(super) fn lent(&self, wanted: Range<u64>) -> Option<Region> {
        let file = self.file.as_ref()?;
        let number = wanted.start / self.reader.chunk_bytes;
        if !self.at_hand.is_empty() || self.reader.chunks.has(&(self.log.clone(), number)) {
            return None;
        }
        let region = Region::of_file(Arc::clone(file), wanted.start, wanted.end - wanted.start);
        region.is_resident().is_ok_and(|is_resident| is_resident).then_some(region)
    }

    /// Bytes of the segment, copied together where they lie apart.
    pub(super) async fn bytes(&mut self, wanted: Range<u64>) -> Result<Bytes, RemoteError> {
        if let Some(bytes) = self.lent(wanted.clone()).and_then(|region| region.read().ok()) {
            return Ok(bytes);
        }
        let slices = self.slices(wanted).await?;
        Ok(if let [only] = slices.as_slice() { only.clone() } else { slices.concat().into() })
    }

    /// Bytes of the segment, as they lie in the pieces that hold them. Those pieces stay at hand.
    pub(super) async fn slices(&mut self, wanted: Range<u64>) -> Result<Vec<Bytes>, RemoteError> {
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let chunk_bytes = self.reader.chunk_bytes;
        let (first, last) = (wanted.start / chunk_bytes, (wanted.end - 1) / chunk_bytes);
        let is_at_hand = |held: &[(u64, Bytes)]| {
            held.first().is_some_and(|held| held.0 <= first) && held.last().is_some_and(|held| held.0 >= last)
        };
        if !is_at_hand(&self.at_hand) {
            let chunks = try_join_all((first..=last).map(|number| self.chunk(number))).await?;
            self.at_hand = (first..=last).zip(chunks).collect();
        }
        let within = |(number, chunk): &(u64, Bytes)| {
            let start = number * chunk_bytes;
            let from = usize::try_from(wanted.start.saturating_sub(start)).unwrap_or(usize::MAX).min(chunk.len());
            let to = usize::try_from(wanted.end.saturating_sub(start)).unwrap_or(usize::MAX).min(chunk.len());
            chunk.slice(from..to)
        };
        Ok(self.at_hand.iter().filter(|(number, _)| (first..=last).contains(number)).map(within).collect())
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

    fn download(&self, range: Range<u64>) -> Download<Bytes> {
        let (store, log) = (Arc::clone(&self.reader.store), self.log.clone());
        let (position, size) = (range.start, range.end - range.start);
        let download = async move { store.get_range(&log, range).await }.boxed();
        kept(self.reader.disk.chunks.as_ref(), &self.log, position, size, download)
    }

    /// A consumer is at `position`, and will read `following` then.
    pub(super) fn note(&self, consumer: SocketAddr, position: u64, following: Option<&Self>) {
        let chunk_bytes = self.reader.chunk_bytes;
        let number = position / chunk_bytes;
        let left = self.segment.size().div_ceil(chunk_bytes).saturating_sub(number);
        let following = following.map(|following| (&following.log, left));
        self.reader.chunks.note(consumer, &(self.log.clone(), number), following, Instant::now());
    }

    /// Begins to fetch the pieces of the `bytes` from `position` on. Returns how many of them lie behind the segment.
    pub(super) fn read_ahead(&self, position: u64, bytes: u64) -> u64 {
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

    pub(super) fn index_ahead(&self) {
        self.reader.indexes.begin_ahead(self.indexes_key(), self.segment.indexes_size(), || self.download_indexes());
    }

    fn download_indexes(&self) -> Download<Bytes> {
        let store = Arc::clone(&self.reader.store);
        let (indexes, size, crc) = (self.indexes.clone(), self.segment.indexes_size(), self.segment.indexes_crc);
        let download = async move { load_indexes(&store, &indexes, size, crc).await }.boxed();
        kept(self.reader.disk.indexes.as_ref(), &self.indexes_key().0, 0, size, download)
    }

    pub(super) async fn load_indexes(&self, store: &RemoteStore) -> Result<Bytes, RemoteError> {
        load_indexes(store, &self.indexes, self.segment.indexes_size(), self.segment.indexes_crc).await
    }

    pub(super) fn corrupt(&self, reason: String) -> RemoteError {
        RemoteError::Corrupt { key: self.log.clone(), reason }
    }
}

/// The piece from `disk`, or by `download`. No two objects have the same last name: a random id is in it.
fn kept(
    disk: Option<&Arc<DiskCache>>,
    object: &Path,
    position: u64,
    size: u64,
    download: Download<Bytes>,
) -> Download<Bytes> {
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
