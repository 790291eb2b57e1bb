//! Record batches, magic 2: a checked view over the bytes, never a structure of records.
//!
//! ```text
//! 0           8          12         16    17   21         23 …            57       61
//! base offset | length   | leader   |magic|CRC | attributes, deltas,      | record | records, or one
//! (8)         | after it | epoch    |     |    | timestamps, producer     | count  | compressed blob
//! └──── not covered by the CRC ─────┘     └─── covered by the CRC ──────────────────────────────────
//! ```
//! Source: `DefaultRecordBatch.java`, `DefaultRecord.java`.

mod batches;
mod builder;
mod compression;
mod header;
mod lz4_frame;
mod rebuild;
mod record;
mod retain;
mod validate;
mod view;

pub use batches::Batches;
pub use builder::BatchBuilder;
pub use compression::{Codec, compress, decompressor};
pub use header::{
    Attributes, BatchError, BatchHeader, CRC_START, HEADER_SIZE, LOG_OVERHEAD, MAGIC, NO_PRODUCER_ID, NO_TIMESTAMP,
    TimestampType, check_crc, compute_crc,
};
pub use record::{Header, Record, RecordError, Records};
pub use retain::{retain_nothing, retain_records};
pub use validate::{InvalidBatch, InvalidReason, ProduceRules, ValidatedBatch, expansion_limit, validate};
pub use view::{RecordView, RecordViews, plain_records};
