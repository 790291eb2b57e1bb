//! What can go wrong with the remote part of a log.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use object_store::path::Path;

use super::ManifestError;
use crate::error::Error;

/// What a deletion is called.
pub(super) const DELETING: &str = "deleting";

/// Why something was not read, written or deleted. Cheap to clone: everybody who waited for one download gets it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RemoteError {
    /// The store refused or was not reached.
    #[error("{action} {key}: {source}")]
    Store { action: &'static str, key: Path, source: Arc<object_store::Error> },
    /// The store did not answer in time.
    #[error("{action} {key}: no answer within {} ms", .deadline.as_millis())]
    Deadline { action: &'static str, key: Path, deadline: Duration },
    /// An object is shorter or longer than what was written or promised.
    #[error("{key} has {found} bytes, not {expected}")]
    Length { key: Path, expected: u64, found: u64 },
    /// An object is not what it should be.
    #[error("{key} is damaged: {reason}")]
    Corrupt { key: Path, reason: String },
    /// A manifest is not one.
    #[error("{key}: {source}")]
    Manifest { key: Path, source: ManifestError },
    /// Somebody else wrote under a key of ours: another leader, or another cluster with our id.
    #[error("{key} was written by somebody else")]
    Fenced { key: Path },
    /// Of what was there nothing is left, not even a manifest: somebody emptied the store, or it is another one.
    #[error(
        "the store has nothing of {folder} any more, where {segments} segments were; to do without what is not local, let the \
         topic leave the tier and come back"
    )]
    Emptied { folder: Path, segments: usize },
    /// The local log has other records than the remote part of it.
    #[error("the local log and its remote part have different records at offset {offset}")]
    Diverged { offset: i64 },
    /// The local log could not be read.
    #[error("{0}")]
    Local(Arc<Error>),
    /// A file of the local log could not be read.
    #[error("reading the local segment: {0}")]
    LocalFile(Arc<io::Error>),
}

impl RemoteError {
    /// Whether the object is simply not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Store { source, .. } if matches!(**source, object_store::Error::NotFound { .. }))
    }

    /// Whether an object was to be deleted.
    pub fn is_of_deletion(&self) -> bool {
        matches!(self, Self::Store { action: DELETING, .. } | Self::Deadline { action: DELETING, .. })
    }

    /// Whether an object that was to be created is there already.
    pub(super) fn is_already_there(&self) -> bool {
        use object_store::Error::{AlreadyExists, Precondition};
        matches!(self, Self::Store { source, .. } if matches!(**source, AlreadyExists { .. } | Precondition { .. }))
    }
}

impl From<Error> for RemoteError {
    fn from(error: Error) -> Self {
        Self::Local(Arc::new(error))
    }
}
