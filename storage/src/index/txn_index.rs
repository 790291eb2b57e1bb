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
use crate::file_system::{File, FileSystem, OpenMode, read_full};

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
        if !handles.exists(&path)? {
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::file_system::LosingFileSystem;

    fn path() -> PathBuf {
        PathBuf::from("/00000000000000000000.txnindex")
    }

    fn aborted(producer_id: i64, first_offset: i64, last_offset: i64, last_stable_offset: i64) -> AbortedTxn {
        AbortedTxn { producer_id, first_offset, last_offset, last_stable_offset }
    }

    fn transactions() -> [AbortedTxn; 4] {
        [aborted(0, 0, 10, 11), aborted(1, 5, 15, 13), aborted(2, 18, 35, 25), aborted(3, 32, 50, 40)]
    }

    fn filled() -> (LosingFileSystem, Arc<FileHandles>, TxnIndex) {
        let file_system = LosingFileSystem::new();
        let handles = FileHandles::new(Arc::new(file_system.clone()), 10);
        let mut index = TxnIndex::create(&handles, path(), 0).unwrap();
        transactions().iter().for_each(|transaction| index.append(transaction).unwrap());
        (file_system, handles, index)
    }

    #[test]
    fn a_range_finds_what_touches_it() {
        let (_, _, index) = filled();
        let [zero, one, two, three] = transactions();
        let cases: [(i64, i64, &[AbortedTxn], bool); 6] = [
            (0, 100, &[zero, one, two, three], false),
            (0, 32, &[zero, one, two], true),
            (0, 35, &[zero, one, two, three], true),
            (10, 35, &[zero, one, two, three], true),
            (11, 35, &[one, two, three], true),
            (20, 41, &[two, three], false),
        ];
        for (fetch_offset, upper_bound, expected, is_complete) in cases {
            let found = index.collect(fetch_offset, upper_bound).unwrap();
            let expected = AbortedTxns { transactions: expected.to_vec(), is_complete };
            assert_eq!(found, expected, "{fetch_offset} {upper_bound}");
        }
    }

    #[test]
    fn truncation_drops_markers_at_or_behind_the_offset() {
        let (_, handles, mut index) = filled();
        for (offset, left) in [(51, 4), (50, 3), (36, 3), (35, 2), (16, 2), (15, 1), (0, 0)] {
            index.truncate_to(offset).unwrap();
            assert_eq!(index.transactions().unwrap(), transactions()[..left], "{offset}");
        }
        assert!(index.is_empty());
        index.append(&aborted(9, 0, 3, 4)).unwrap();
        let reopened = TxnIndex::open(&handles, path(), 0).unwrap().unwrap();
        assert_eq!(reopened.transactions().unwrap(), [aborted(9, 0, 3, 4)]);
    }

    #[test]
    fn opening_drops_a_part_of_an_entry_and_appends_behind_the_last() {
        let (file_system, handles, index) = filled();
        drop(index);
        let file = file_system.open(&path(), OpenMode::ReadWrite).unwrap();
        file.write_all_at(&[1; 20], file.size().unwrap()).unwrap();
        let mut index = TxnIndex::open(&handles, path(), 0).unwrap().unwrap();
        index.append(&aborted(4, 51, 60, 61)).unwrap();
        assert_eq!(index.transactions().unwrap().len(), 5);
        assert_eq!(file.size().unwrap(), 5 * ENTRY_SIZE as u64);
    }

    #[test]
    fn what_cannot_be_is_corrupt() {
        let (file_system, handles, index) = filled();
        drop(index);
        assert!(matches!(TxnIndex::open(&handles, path(), 11), Err(TxnIndexError::Corrupt { .. })));
        let file = file_system.open(&path(), OpenMode::ReadWrite).unwrap();
        file.write_all_at(&[0, 1], 34).unwrap();
        assert!(matches!(TxnIndex::open(&handles, path(), 0), Err(TxnIndexError::Corrupt { .. })));
        assert!(TxnIndex::open(&handles, Path::new("/none.txnindex").into(), 0).unwrap().is_none());
    }

    proptest! {
        #[test]
        fn any_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..150)) {
            let file_system = LosingFileSystem::new();
            file_system.write_atomic(&path(), &bytes).unwrap();
            let handles = FileHandles::new(Arc::new(file_system), 10);
            if let Ok(Some(mut index)) = TxnIndex::open(&handles, path(), 0) {
                let _ = index.collect(0, 1000);
                let _ = index.truncate_to(7);
            }
        }

        #[test]
        fn round_trip(fields in any::<[i64; 4]>()) {
            let transaction = aborted(fields[0], fields[1], fields[2], fields[3]);
            prop_assert_eq!(AbortedTxn::decode(&transaction.encode()), Some(transaction));
        }
    }
}
