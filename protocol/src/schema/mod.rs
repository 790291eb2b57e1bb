//! One declarative macro for every message whose bytes Kafka defines and the `kafka-protocol` crate lacks.
//!
//! A message is a list of fields, written as in Kafka's JSON schemas: name, type, versions, and where they apply
//! nullable versions, tag, default. [`message!`](crate::message) makes from it the struct, its encoder, its decoder,
//! its exact size and its JSON, so nobody writes a codec by hand.
//!
//! ```
//! use bytes::{Bytes, BytesMut};
//! use protocol::message;
//! use protocol::schema::Schema;
//! use std::sync::Arc;
//!
//! message! {
//!     /// What a broker says of itself.
//!     pub struct HelloRecord, key 7, versions "0-2", flexible "1+" {
//!         /// The broker's id.
//!         broker_id: i32, "0+";
//!         /// Where it listens.
//!         listeners: Vec<HelloListener>, "0+";
//!         /// Its rack; since version 1 it may be absent.
//!         rack: Option<Arc<str>>, "0+", nullable "1+";
//!         /// The leader, or -1.
//!         leader: i32, "2+", default -1;
//!         /// Written only when not zero, as a tagged field.
//!         port: u16, "2+", tag 0 "2+";
//!     }
//!
//!     /// One listener. A struct inside another has the versions of the message around it.
//!     pub struct HelloListener {
//!         /// Its name.
//!         name: Arc<str>, "0+";
//!     }
//! }
//!
//! let hello = HelloRecord {
//!     broker_id: 1,
//!     listeners: vec![HelloListener { name: "PLAINTEXT".into() }],
//!     ..HelloRecord::default()
//! };
//! let mut out = BytesMut::new();
//! hello.encode(2, &mut out)?;
//! assert_eq!(out.len(), hello.encoded_size(2)?);
//! let mut input: Bytes = out.freeze();
//! assert_eq!(HelloRecord::decode(2, &mut input)?, hello);
//!
//! // Version 0 has no way to say that there is no rack.
//! assert!(hello.encode(0, &mut BytesMut::new()).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Rules
//! - Types: `bool`, `i8`…`i64`, `u16`, `u32`, `f64`, `Uuid`, `Arc<str>` or [`StrBytes`](crate::StrBytes) for a
//!   string, [`bytes::Bytes`], `Vec` of any of them, another struct of the same macro, `Option` where null is allowed.
//! - A field that a version lacks has its default after decoding; encoding it with another value is an error
//!   unless it is declared `ignorable true`, so nothing is lost in silence. The default of an `Option` is `None`.
//! - A tagged field is written only when it differs from its default. Tags must ascend in the order of
//!   declaration, which is checked when the crate is compiled.
//! - Decoding is safe on any bytes: a declared length or count larger than the bytes left is an error before
//!   anything is allocated for it. Unknown tagged fields are skipped, as the format intends.

mod error;
mod field;
mod json;
mod macros;
mod request;
mod size;
mod versions;
mod wire;

pub use error::{Cause, DecodeError, EncodeError};
pub use field::{
    FieldSpec, read_field, read_nullable_struct, read_tagged_fields, tags_ascend, write_field, write_nullable_struct,
    write_tagged_field,
};
pub use json::{Json, JsonObject};
pub use size::{Sink, SizeCounter};
pub use versions::Versions;
pub use wire::{Form, Schema, Wire, WireNullable, read_unsigned_varint, write_unsigned_varint};

#[cfg(test)]
mod tests;
