//! Why bytes are not a message, and why a message has no bytes in a version.

use super::Versions;

/// Bytes that are not the message they were taken for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {cause}")]
pub struct DecodeError {
    /// The message and the innermost field that was being read, such as `PartitionRecord.isr`.
    pub field: &'static str,
    /// What was wrong with it.
    pub cause: Cause,
}

impl DecodeError {
    /// Names the field, unless an inner one is named already.
    #[must_use]
    pub fn in_field(mut self, field: &'static str) -> Self {
        if self.field.is_empty() {
            self.field = field;
        }
        self
    }
}

impl From<Cause> for DecodeError {
    fn from(cause: Cause) -> Self {
        Self { field: "", cause }
    }
}

/// What was wrong with the bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// The input ends inside a value.
    #[error("needs {needed} bytes, {remaining} are left")]
    Truncated {
        /// Bytes that the value takes.
        needed: usize,
        /// Bytes that are there.
        remaining: usize,
    },
    /// An array declares more elements than there are bytes.
    #[error("declares {count} elements, {remaining} bytes are left")]
    CountBeyondInput {
        /// Declared elements.
        count: usize,
        /// Bytes that are there.
        remaining: usize,
    },
    /// A length or count is negative where only -1, for null, may be.
    #[error("length {0} is negative")]
    NegativeLength(i64),
    /// Null where the version does not allow it.
    #[error("is null in version {version}")]
    Null {
        /// The message version.
        version: i16,
    },
    /// A string is not UTF-8.
    #[error("is not UTF-8")]
    NotUtf8,
    /// A variable-length integer does not fit 32 bits.
    #[error("variable-length integer beyond 32 bits")]
    VarintTooLong,
    /// A tagged field's content is shorter than its declared size.
    #[error("{0} bytes are left over in the tagged field")]
    TaggedFieldLeftover(usize),
    /// The message has no such version.
    #[error("version {version} is outside {}-{}", .versions.first, .versions.last)]
    UnsupportedVersion {
        /// The version asked for.
        version: i16,
        /// The versions that exist.
        versions: Versions,
    },
}

/// A message that a version cannot express.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The message has no such version.
    #[error("{message} has no version {version}")]
    UnsupportedVersion {
        /// The message's name.
        message: &'static str,
        /// The version asked for.
        version: i16,
    },
    /// A field has a value, and the version does not carry the field.
    #[error("version {version} cannot carry {field}")]
    NotInVersion {
        /// The message and field.
        field: &'static str,
        /// The version asked for.
        version: i16,
    },
    /// A field is null, and the version does not allow that.
    #[error("{field} is null in version {version}")]
    Null {
        /// The message and field.
        field: &'static str,
        /// The version asked for.
        version: i16,
    },
    /// A string, byte string or array is longer than its length field can say.
    #[error("{field} has length {length}, the limit is {limit}")]
    TooLong {
        /// The message and field.
        field: &'static str,
        /// Bytes, or elements of an array.
        length: usize,
        /// The largest length that can be written.
        limit: usize,
    },
}

impl EncodeError {
    /// Names the field, unless an inner one is named already.
    #[must_use]
    pub fn in_field(mut self, name: &'static str) -> Self {
        if let Self::Null { field, .. } | Self::TooLong { field, .. } = &mut self
            && field.is_empty()
        {
            *field = name;
        }
        self
    }
}
