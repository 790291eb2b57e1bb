//! Sparse indexes of a segment, in Kafka's formats: a cache of the log, rebuildable and never trusted over it.
//!
//! The active segment's entries are in memory, and behind on disk; those of a closed one are in a file, mapped when
//! first looked up.

mod active;
pub mod mmap;
mod offset_index;
mod time_index;
pub mod txn_index;

pub use active::{ActiveIndex, Floor, IndexedBatch, Unstored};
pub use offset_index::{OffsetEntry, OffsetIndex};
pub use time_index::{TimeEntry, TimeIndex};

/// One kind of index: entries of a fixed size that rise in both of their fields.
pub trait Index {
    type Entry: Copy;
    /// Bytes of one entry.
    const ENTRY_SIZE: usize;
    /// Reads an entry from exactly [`Index::ENTRY_SIZE`] bytes.
    fn decode(bytes: &[u8]) -> Self::Entry;
    /// Appends an entry's bytes.
    fn encode(entry: Self::Entry, out: &mut Vec<u8>);
    /// Whether `next` may follow `entry`.
    fn rises(entry: Self::Entry, next: Self::Entry) -> bool;
}

/// How many whole entries `bytes` holds.
pub fn count<I: Index>(bytes: &[u8]) -> usize {
    bytes.len() / I::ENTRY_SIZE
}

/// Entry `at` of `bytes`; `None` behind the last.
pub fn entry<I: Index>(bytes: &[u8], at: usize) -> Option<I::Entry> {
    let start = at.checked_mul(I::ENTRY_SIZE)?;
    bytes.get(start..start.checked_add(I::ENTRY_SIZE)?).map(I::decode)
}

/// The last entry for which `holds` is true. It must be true of a prefix of the entries.
pub fn last_where<I: Index>(bytes: &[u8], holds: impl Fn(I::Entry) -> bool) -> Option<I::Entry> {
    let (mut low, mut high) = (0, count::<I>(bytes));
    while low < high {
        let middle = low + (high - low) / 2;
        match entry::<I>(bytes, middle) {
            Some(candidate) if holds(candidate) => low = middle + 1,
            _ => high = middle,
        }
    }
    entry::<I>(bytes, low.checked_sub(1)?)
}

/// The entries up to the first one that does not rise: an index that was cut off, or that Kafka filled with zeros.
pub fn rising<I: Index>(bytes: &[u8]) -> Vec<I::Entry> {
    let mut entries: Vec<I::Entry> = Vec::new();
    for next in bytes.chunks_exact(I::ENTRY_SIZE).map(I::decode) {
        if entries.last().is_some_and(|last| !I::rises(*last, next)) {
            break;
        }
        entries.push(next);
    }
    entries
}

/// The bytes of some entries.
pub fn encode_all<I: Index>(entries: &[I::Entry]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(entries.len() * I::ENTRY_SIZE);
    for entry in entries {
        I::encode(*entry, &mut bytes);
    }
    bytes
}
