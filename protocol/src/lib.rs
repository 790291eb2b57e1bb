//! The bytes that Kafka defines: frames, headers, message bodies, record batches, metadata and coordinator records.
//!
//! Pure: no I/O, no async, no clock. Message bodies come from the `kafka-protocol` crate, decoded from a
//! frozen [`bytes::Bytes`] frame so that strings and records stay slices of it. Record batches are our own
//! (61-byte header view, CRC, record walk, patches in place), because the crate's record codec loses what a
//! broker must keep; what the crate lacks is declared through one macro in [`schema`].
//!
//! # Invariants
//! - Bytes from a stranger never panic and never make this crate allocate by a declared number.
//!   One exception is not ours: `kafka-protocol` reserves memory from array counts it has not checked, so every
//!   binary that decodes requests must run on an allocator that maps without reserving (mimalloc), see
//!   [`request::decode_body`].
//! - A batch is stored as it was sent. Only base offset, leader epoch (both outside the CRC) and, where Kafka
//!   does it too, the timestamp fields are changed.
//!
//! # Deliberately absent
//! Message formats v0 and v1 (gone since Kafka 4.0) and every decision that needs cluster state.

pub mod consumer_protocol;
pub mod control_record;
pub mod coordinator_record;
pub mod error_code;
pub mod frame;
pub mod ids;
pub mod messages;
pub mod metadata_record;
pub mod record_batch;
pub mod remote_log_record;
pub mod request;
pub mod response;
pub mod schema;

pub use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Message, Request, StrBytes, VersionRange};
