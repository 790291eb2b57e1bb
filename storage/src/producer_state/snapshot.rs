//! `00000000000000000042.snapshot`: the producers as they were before offset 42. Source: `ProducerSnapshot`,
//! `ProducerStateManager.readSnapshot`, `writeSnapshot`.
//!
//! ```text
//! version i16 = 1 | crc u32 of all that follows | count i32 | count × entry
//! entry: producer id i64, epoch i16, last sequence i32, last offset i64, offset delta i32, timestamp i64,
//!        coordinator epoch i32, first offset of the open transaction i64 (−1: none)
//! ```

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};

use super::entry::{BatchMetadata, ProducerStateEntry};
use crate::file_system::{FileSystem, OpenMode};

const SUFFIX: &str = ".snapshot";
const VERSION: i16 = 1;
/// Version and checksum, which the checksum does not cover.
const HEADER_SIZE: usize = 6;
const ENTRY_SIZE: usize = 46;

/// What is wrong with a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// Shorter than it says.
    #[error("truncated")]
    Truncated,
    /// Another version than 1.
    #[error("unknown file version {0}")]
    Version(i16),
    /// Not the bytes that were written.
    #[error("CRC is no longer valid: stored {stored}, computed {computed}")]
    Checksum {
        /// As written.
        stored: u32,
        /// Of the bytes read.
        computed: u32,
    },
}

/// The producers of a partition by id.
pub type Producers = HashMap<i64, ProducerStateEntry>;

/// The file of the snapshot at `offset` in a partition's folder.
pub fn snapshot_path(folder: &Path, offset: i64) -> PathBuf {
    folder.join(format!("{offset:020}{SUFFIX}"))
}

/// The offset in a snapshot's file name; `None` for other files.
pub fn snapshot_offset(name: &str) -> Option<i64> {
    let digits = name.strip_suffix(SUFFIX)?;
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { digits.parse().ok() } else { None }
}

/// The offsets of all snapshots in a partition's folder.
pub(super) fn list(file_system: &dyn FileSystem, folder: &Path) -> io::Result<BTreeSet<i64>> {
    let entries = file_system.read_dir(folder)?;
    Ok(entries.iter().filter(|entry| !entry.is_dir).filter_map(|entry| snapshot_offset(&entry.name)).collect())
}

/// Writes a snapshot; with `sync`, durably. One that was cut short is recognised by its checksum.
pub(super) fn write(file_system: &dyn FileSystem, path: &Path, producers: &Producers, sync: bool) -> io::Result<()> {
    let file = file_system.open(path, OpenMode::Create)?;
    file.truncate(0)?;
    file.write_all_at(&encode(producers), 0)?;
    if sync {
        file.sync_data()?;
        if let Some(folder) = path.parent() {
            file_system.sync_dir(folder)?;
        }
    }
    Ok(())
}

/// The bytes of a snapshot, producers sorted by id. Of each producer's batches only the last is kept.
pub fn encode(producers: &Producers) -> Vec<u8> {
    let mut sorted: Vec<_> = producers.iter().collect();
    sorted.sort_unstable_by_key(|(producer_id, _)| **producer_id);
    let mut bytes = Vec::with_capacity(HEADER_SIZE + 4 + sorted.len() * ENTRY_SIZE);
    bytes.extend(VERSION.to_be_bytes());
    bytes.extend([0; 4]);
    bytes.extend((sorted.len() as i32).to_be_bytes());
    for (producer_id, entry) in sorted {
        bytes.extend(producer_id.to_be_bytes());
        bytes.extend(entry.producer_epoch.to_be_bytes());
        bytes.extend(entry.last_sequence().to_be_bytes());
        bytes.extend(entry.last_data_offset().to_be_bytes());
        bytes.extend(entry.last_offset_delta().to_be_bytes());
        bytes.extend(entry.last_timestamp.to_be_bytes());
        bytes.extend(entry.coordinator_epoch.to_be_bytes());
        bytes.extend(entry.current_txn_first_offset.unwrap_or(-1).to_be_bytes());
    }
    let checksum = crc32c::crc32c(&bytes[HEADER_SIZE..]);
    bytes[2..HEADER_SIZE].copy_from_slice(&checksum.to_be_bytes());
    bytes
}

/// The producers in a snapshot.
///
/// # Errors
/// [`SnapshotError`] when these are not the bytes that were written.
pub fn decode(bytes: &[u8]) -> Result<Producers, SnapshotError> {
    let mut reader = Reader { bytes };
    let version = reader.i16()?;
    if version != VERSION {
        return Err(SnapshotError::Version(version));
    }
    let stored = u32::from_be_bytes(reader.take()?);
    let computed = crc32c::crc32c(reader.bytes);
    if stored != computed {
        return Err(SnapshotError::Checksum { stored, computed });
    }
    let count = usize::try_from(reader.i32()?).map_err(|_| SnapshotError::Truncated)?;
    if reader.bytes.len() / ENTRY_SIZE < count {
        return Err(SnapshotError::Truncated);
    }
    (0..count).map(|_| reader.entry()).collect()
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl Reader<'_> {
    fn take<const SIZE: usize>(&mut self) -> Result<[u8; SIZE], SnapshotError> {
        let (taken, rest) = self.bytes.split_first_chunk().ok_or(SnapshotError::Truncated)?;
        self.bytes = rest;
        Ok(*taken)
    }

    fn i16(&mut self) -> Result<i16, SnapshotError> {
        self.take().map(i16::from_be_bytes)
    }

    fn i32(&mut self) -> Result<i32, SnapshotError> {
        self.take().map(i32::from_be_bytes)
    }

    fn i64(&mut self) -> Result<i64, SnapshotError> {
        self.take().map(i64::from_be_bytes)
    }

    fn entry(&mut self) -> Result<(i64, ProducerStateEntry), SnapshotError> {
        let producer_id = self.i64()?;
        let producer_epoch = self.i16()?;
        let last_sequence = self.i32()?;
        let last_offset = self.i64()?;
        let offset_delta = self.i32()?;
        let timestamp = self.i64()?;
        let coordinator_epoch = self.i32()?;
        let current_txn_first_offset = self.i64()?;
        let mut entry = ProducerStateEntry::default();
        entry.producer_epoch = producer_epoch;
        entry.coordinator_epoch = coordinator_epoch;
        if last_offset >= 0 {
            let batch = BatchMetadata { last_sequence, last_offset, offset_delta, timestamp };
            entry.add_batch(producer_epoch, batch);
        }
        entry.last_timestamp = timestamp;
        entry.current_txn_first_offset = Some(current_txn_first_offset).filter(|offset| *offset >= 0);
        Ok((producer_id, entry))
    }
}
