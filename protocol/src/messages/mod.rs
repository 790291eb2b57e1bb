//! The bodies of all messages: those of the `kafka-protocol` crate, and under the same names ours where the crate lacks versions of
//! Apache Kafka 4.3.

pub mod offset_commit_request;
pub mod offset_fetch_request;

pub use kafka_protocol::messages::*;
pub use offset_commit_request::OffsetCommitRequest;
pub use offset_fetch_request::OffsetFetchRequest;

#[cfg(test)]
mod tests;
