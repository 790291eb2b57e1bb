//! The controller: decides every change of cluster truth.

mod propose;

pub use propose::{Leadership, Propose, ProposeError, Proposed};
