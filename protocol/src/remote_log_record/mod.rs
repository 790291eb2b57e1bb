//! The records of `__remote_log_metadata`: what was copied to remote storage and what was deleted there. A record has no key; its
//! value is framed as those of the metadata log are (`RemoteLogMetadataSerde`).

mod records;
mod serde;

pub use records::*;
pub use serde::{ParseError, RemoteLogRecord};

#[cfg(test)]
mod tests;
