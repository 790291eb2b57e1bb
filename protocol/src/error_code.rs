//! Kafka's error codes (`Errors.java`), as the crate declares them, and the code of success.

pub use kafka_protocol::error::ResponseError as ErrorCode;

/// No error.
pub const NONE: i16 = 0;
