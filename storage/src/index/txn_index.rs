//! `.txnindex`: the aborted transactions of a segment, for readers of committed records. Made at the first of them.
//! Source: `TransactionIndex`, `AbortedTxn`.
//!
//! ```text
//! entry: version i16 = 0, producer id i64, first offset i64, last offset i64, last stable offset i64
//! ```

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::file_handles::{FileHandles, FileSlot};
use crate::file_system::{File, OpenMode, read_full};

const VERSION: i16 = 0;
/// Bytes of an entry.
pub const ENTRY_SIZE: usize = 34;

/// A transaction that was aborted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbortedTxn {
    /// Whose transaction.
    pub producer_id: i64,
    /// Its first record.
    pub first_offset: i64,
    /// Its marker.
    pub last_offset: i64,
    /// Last stable offset (exclusive) after the marker.
    pub last_stable_offset: i64,
}

/// The transactions that a reader must leave out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AbortedTxns {
    /// Those that touch the range asked for.
    pub transactions: Vec<AbortedTxn>,
    /// Whether the segments that follow need no look.
    pub is_complete: bool,
}

/// Why an index is not usable; it can be rebuilt from the log.
#[derive(Debug, thiserror::Error)]
pub enum TxnIndexError {
    /// The disk.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Not an index.
    #[error("corrupt transaction index {path}: {reason}")]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: &'static str,
    },
}

/// The index of one segment. The file exists.
#[derive(Debug)]
pub struct TxnIndex {
    handles: Arc<FileHandles>,
    slot: FileSlot,
    path: PathBuf,
    base_offset: i64,
    /// Entries in the file.
    count: u64,
    /// Offset of the last marker; that before the base offset when there is none.
    last_offset: i64,
}

impl AbortedTxn {
    /// The entry's bytes.
    pub fn encode(&self) -> [u8; ENTRY_SIZE] {
        let mut bytes = [0; ENTRY_SIZE];
        bytes[0..2].copy_from_slice(&VERSION.to_be_bytes());
        let fields = [self.producer_id, self.first_offset, self.last_offset, self.last_stable_offset];
        for (place, field) in bytes[2..].chunks_exact_mut(8).zip(fields) {
            place.copy_from_slice(&field.to_be_bytes());
        }
        bytes
    }

    /// The transaction in an entry; `None` for a version that is not known.
    pub fn decode(bytes: &[u8; ENTRY_SIZE]) -> Option<Self> {
        let (version, fields) = bytes.split_first_chunk()?;
        if !(0..=VERSION).contains(&i16::from_be_bytes(*version)) {
            return None;
        }
        let mut fields = fields.as_chunks().0.iter().map(|field| i64::from_be_bytes(*field));
        Some(Self {
            producer_id: fields.next()?,
            first_offset: fields.next()?,
            last_offset: fields.next()?,
            last_stable_offset: fields.next()?,
        })
    }
}

impl TxnIndex {
    /// Opens the index of the segment that begins at `base_offset`; `None` when it has none. The rest of an entry that
    /// was cut short is dropped.
    ///
    /// # Errors
    /// [`TxnIndexError`]: then [`TxnIndex::create`] makes an empty one, to be filled from the log.
    pub fn open(handles: &Arc<FileHandles>, path: PathBuf, base_offset: i64) -> Result<Option<Self>, TxnIndexError> {
        if !handles.file_system().exists(&path)? {
            return Ok(None);
        }
        let mut index = Self::new(handles, path, base_offset);
        let file = index.file(OpenMode::ReadWrite)?;
        let size = file.size()?;
        index.count = size / ENTRY_SIZE as u64;
        if size % ENTRY_SIZE as u64 != 0 {
            file.truncate(index.size())?;
        }
        for transaction in index.transactions()? {
            if transaction.last_offset <= index.last_offset {
                return Err(index.corrupt("last offsets do not rise from the base offset"));
            }
            index.last_offset = transaction.last_offset;
        }
        Ok(Some(index))
    }

    /// Makes an empty index, in the place of an old one if there is one.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn create(handles: &Arc<FileHandles>, path: PathBuf, base_offset: i64) -> io::Result<Self> {
        let index = Self::new(handles, path, base_offset);
        index.file(OpenMode::Create)?.truncate(0)?;
        Ok(index)
    }

    /// Adds a transaction, whose marker follows those of all before.
    ///
    /// # Errors
    /// Whatever the file system says.
    ///
    /// # Panics
    /// When the marker does not follow.
    pub fn append(&mut self, transaction: &AbortedTxn) -> io::Result<()> {
        let last_offset = transaction.last_offset;
        assert!(self.last_offset < last_offset, "{last_offset} is not behind {}", self.last_offset);
        self.file(OpenMode::ReadWrite)?.write_all_at(&transaction.encode(), self.size())?;
        self.count += 1;
        self.last_offset = last_offset;
        Ok(())
    }

    /// Makes the index durable.
    ///
    /// # Errors
    /// Whatever the file system says; never to be retried.
    pub fn flush(&self) -> io::Result<()> {
        self.file(OpenMode::ReadWrite)?.sync_data()
    }

    /// Drops the transactions whose marker is at or behind `offset`.
    ///
    /// # Errors
    /// [`TxnIndexError`].
    pub fn truncate_to(&mut self, offset: i64) -> Result<(), TxnIndexError> {
        let transactions = self.transactions()?;
        let kept = transactions.partition_point(|transaction| transaction.last_offset < offset);
        if kept < transactions.len() {
            self.count = kept as u64;
            self.file(OpenMode::ReadWrite)?.truncate(self.size())?;
            let last = transactions[..kept].last();
            self.last_offset = last.map_or(self.base_offset.saturating_sub(1), |transaction| transaction.last_offset);
        }
        Ok(())
    }

    /// The transactions that have records from `fetch_offset` (inclusive) to `upper_bound` (exclusive).
    ///
    /// # Errors
    /// [`TxnIndexError`].
    pub fn collect(&self, fetch_offset: i64, upper_bound: i64) -> Result<AbortedTxns, TxnIndexError> {
        let mut found = AbortedTxns::default();
        for transaction in self.transactions()? {
            if transaction.last_offset >= fetch_offset && transaction.first_offset < upper_bound {
                found.transactions.push(transaction);
            }
            if transaction.last_stable_offset >= upper_bound {
                found.is_complete = true;
                break;
            }
        }
        Ok(found)
    }

    /// All transactions, in the order of their markers.
    ///
    /// # Errors
    /// [`TxnIndexError`].
    pub fn transactions(&self) -> Result<Vec<AbortedTxn>, TxnIndexError> {
        let size = usize::try_from(self.size()).map_err(|_| self.corrupt("too large"))?;
        let mut bytes = vec![0; size];
        let read = read_full(&*self.file(OpenMode::ReadWrite)?, &mut bytes, 0)?;
        if read < size {
            return Err(self.corrupt("shorter than it was"));
        }
        let entries = bytes.as_chunks().0.iter().map(AbortedTxn::decode);
        entries.map(|entry| entry.ok_or_else(|| self.corrupt("unknown version of an entry"))).collect()
    }

    /// Whether no transaction is in it.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The file.
    pub fn path(&self) -> &PathBuf {
        &self.path
    }

    fn new(handles: &Arc<FileHandles>, path: PathBuf, base_offset: i64) -> Self {
        let handles = Arc::clone(handles);
        let last_offset = base_offset.saturating_sub(1);
        Self { handles, slot: FileSlot::default(), path, base_offset, count: 0, last_offset }
    }

    fn size(&self) -> u64 {
        self.count * ENTRY_SIZE as u64
    }

    fn file(&self, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        self.handles.get(&self.slot, || self.path.clone(), mode)
    }

    fn corrupt(&self, reason: &'static str) -> TxnIndexError {
        TxnIndexError::Corrupt { path: self.path.clone(), reason }
    }
}
