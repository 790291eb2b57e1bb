//! The files and folders that hold record batches, byte for byte as Apache Kafka lays them out.
//!
//! ```text
//! log.dirs entry                    LogDir: lock, meta.properties, checkpoints, clean-shutdown marker
//! ├── orders-0/                     Log: one replica of one partition
//! │   ├── 00000000000000000000.log          Segment: batches one after the other
//! │   ├── 00000000000000000000.index        sparse: offset → position
//! │   ├── 00000000000000000000.timeindex    sparse: timestamp → offset
//! │   ├── 00000000000000031337.snapshot     producers as they were before that offset
//! │   ├── leader-epoch-checkpoint           which leader epoch began where
//! │   └── partition.metadata                the topic's id
//! └── …
//! ```
//!
//! A compacted log is rewritten by the [`cleaner`], which leaves gaps in the offsets. The oldest segments of a tiered log are
//! objects in a store: [`remote_log`].
//!
//! Offsets of a log, the first inclusive, the others exclusive:
//!
//! ```text
//!   log start offset        recovery point          log end offset
//!          │                      │                       │
//! ─────────[ readable, flushed    [ readable, unflushed   [ next batch
//! ```
//!
//! # Invariants
//! - `log start offset ≤ recovery point ≤ log end offset`; none of them ever goes back but by a truncation.
//! - What is below the recovery point survives a power cut. The first failed sync takes the whole directory offline.
//! - Offsets are without gaps as appended; a reader gets whole batches, never a part of one.
//! - An index is a cache: it can be lost, and where it disagrees with the log it is made again.
//! - After a clean stop nothing is read until it is asked for; after a crash only what lies behind the recovery point.
//!
//! # Deliberately absent
//! Everything async outside [`remote_log`], the wall clock (time is an argument, in ms since the epoch), API requests and error codes, leaders,
//! replicas and configuration keys.

pub mod checkpoint;
pub mod cleaner;
mod config;
mod error;
pub mod file_handles;
pub mod file_system;
pub mod index;
pub mod leader_epoch;
mod log;
pub mod log_dir;
pub mod meta_properties;
pub mod partition_metadata;
pub mod producer_state;
pub mod properties;
pub mod remote_log;
mod segment;
mod segment_file;
mod slot_cache;

pub use config::LogConfig;
pub use error::{AppendError, Error};
pub use log::{Appended, Log, Offsets, Piece, ReadLimits, Region, RolledSegment, SegmentExport, TimestampOffset};
pub use log_dir::{LogDir, LogDirOptions, LogDirs};
pub use segment_file::{SegmentFile, StoredBatch};
