//! The bodies of all messages: those of the `kafka-protocol` crate, and under the same names ours where the crate lacks versions of
//! Apache Kafka 4.3.

pub mod list_offsets_request;
pub mod list_offsets_response;
pub mod offset_commit_request;
pub mod offset_fetch_request;

pub use kafka_protocol::messages::*;
pub use list_offsets_request::ListOffsetsRequest;
pub use list_offsets_response::ListOffsetsResponse;
pub use offset_commit_request::OffsetCommitRequest;
pub use offset_fetch_request::OffsetFetchRequest;

#[cfg(test)]
mod tests;
