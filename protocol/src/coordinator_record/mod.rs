//! The group coordinator's records: what it writes into `__consumer_offsets`. The key begins with the record's type, the value
//! with the version of its fields, both in two bytes; a null value is a tombstone (`CoordinatorRecordSerde`).

mod consumer_records;
mod records;
mod serde;

pub use consumer_records::*;
pub use records::*;
pub use serde::{CoordinatorRecord, ParseError};

#[cfg(test)]
mod tests;
