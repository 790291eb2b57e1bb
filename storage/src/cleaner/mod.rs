//! Compaction: of each key only the last record stays, tombstones and transaction markers for a while. Source: `Cleaner`,
//! `LogCleanerManager`.
//!
//! ```text
//! look     policy        which part of the log may be cleaned, and whether it is worth it
//! read     offset_map    the last offset of each key in the dirty part, as many keys as there is room for
//! group    grouping      segments from the start to where the map reaches, several small ones to become one
//! rewrite  filter        batch by batch into a segment of its own, *.cleaned
//! swap     log/swap.rs   under other names first, so that a crash leaves the old segments or the new one
//! ```
//!
//! # Invariants
//! - A record keeps its offset, its time and its place in the order. A batch of which all records stay is copied as it is.
//! - The last record of a key stays; a tombstone until its batch's delete horizon is over (KIP-534).
//! - The last batch of a producer stays, if need be without records: it tells the last sequence.
//! - No lock of the log is held but for the swap, and appends do not wait for that either. A log that is truncated, deleted
//!   or loses segments meanwhile keeps what it has: the cleaning is given up.
//! - Whatever is given up leaves nothing behind that counts, and can be done again from the start.

mod filter;
mod grouping;
mod offset_map;
pub(crate) mod policy;
mod reader;
mod run;
mod segment;
mod transactions;

use std::io;

use thiserror::Error as ThisError;

pub(crate) use filter::LastRecord;
pub(crate) use grouping::GroupCandidate;
pub use policy::Cleanable;
pub(crate) use run::touching;
pub use run::{CleanStats, clean};
pub(crate) use segment::CleanedSegment;

use crate::error::Error;

/// What one run of the cleaner may use.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CleanerOptions {
    /// Bytes for the keys by Kafka's count, 24 a key; this cleaner takes half of it, and less for a short log.
    pub dedupe_buffer_bytes: u64,
    /// How full the map of keys may get, from 0 to 1.
    pub load_factor: f64,
    /// Bytes of the buffers for reading and writing together; a larger batch makes them grow for a while.
    pub io_buffer_bytes: usize,
    /// Where copies of the log's records begin (inclusive) that the cleaner does not reach, and that are read for offsets before the
    /// log; [`i64::MAX`] if there are none yet, `None` if there never are. No tombstone and no transaction marker goes before what it
    /// is about.
    pub remote_start_offset: Option<i64>,
}

impl Default for CleanerOptions {
    /// Kafka's defaults for one thread.
    fn default() -> Self {
        let (dedupe_buffer_bytes, io_buffer_bytes) = (128 << 20, 512 << 10);
        Self { dedupe_buffer_bytes, load_factor: 0.9, io_buffer_bytes, remote_start_offset: None }
    }
}

/// Who decides how fast a cleaning goes, and whether it goes on.
pub trait Pace {
    /// So many bytes were read or written. May sleep; false ends the cleaning.
    fn go_on(&self, bytes: usize) -> bool;
}

/// As fast as it can, to the end.
pub struct FullSpeed;

impl Pace for FullSpeed {
    fn go_on(&self, _bytes: usize) -> bool {
        true
    }
}

/// Why a log was not cleaned, or only in part. What is in the log is whole in any case.
#[derive(Debug, ThisError)]
pub enum CleanError {
    /// The pace said so, or the log was truncated, deleted, or lost segments to retention meanwhile.
    #[error("the cleaning was given up")]
    Aborted,
    /// The disk is full. What was written is removed.
    #[error("no space left for a cleaned segment")]
    NoSpace(#[source] io::Error),
    /// Records of a batch cannot be written anew.
    #[error("cannot write a batch of the segment with base offset {base_offset} anew")]
    Rewrite { base_offset: i64, source: io::Error },
    /// A segment near 2 GiB would grow beyond that.
    #[error("the segment with base offset {base_offset} would be too large once cleaned")]
    TooLarge { base_offset: i64 },
    /// Damaged bytes, a failing disk.
    #[error(transparent)]
    Log(#[from] Error),
}
