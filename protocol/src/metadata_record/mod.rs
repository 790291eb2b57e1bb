//! KRaft's metadata records: what the controller writes into `__cluster_metadata-0`.

mod records;
mod serde;

pub use records::*;
pub use serde::{MetadataRecord, ParseError};

#[cfg(test)]
mod tests;
