//! Cluster truth: the metadata log, the image that replaying it gives, and the controller that writes it.
//!
//! ```text
//! request ─► controller ─► records ─► quorum (openraft over storage) ─► commit ─► image + delta ─► answer
//!              pure functions          one batch an operation            replay      published
//! ```
//!
//! - [`image`]: the immutable [`image::Image`], what replays records into it, and deltas between images.
//! - [`controller`]: pure functions from (image, request, now) to (records, answer), and the loop that owns them on the leader.
//!
//! # Invariants
//! - Replay is the only thing that changes an image, and every node replays the same records in the same order.
//! - A record that is unknown or does not fit stops the node. Nothing is skipped.
//! - An answer is given after its records are committed and applied here, so who asked can read what was written.
//! - Time is an argument; nothing here reads a clock but openraft's own timers.
//!
//! # Deliberately absent
//! Client connections, Kafka error codes, configuration keys: they belong to the broker. Java controllers cannot join: openraft pushes
//! where KRaft pulls.

pub mod controller;
pub mod error;
pub mod image;
pub mod quorum;
