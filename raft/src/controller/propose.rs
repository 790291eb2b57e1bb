//! What the controller needs of the quorum.

use crate::image::Image;
use protocol::metadata_record::MetadataRecord;
use std::future::Future;
use std::sync::Arc;

/// This node's leadership of the metadata quorum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leadership {
    /// The leader epoch.
    pub epoch: i32,
    /// The offset that the next batch will get.
    pub log_end_offset: i64,
}

/// A batch that is committed and applied on this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proposed {
    /// The offset of its first record.
    pub base_offset: i64,
    /// The offset of its last record, inclusive.
    pub last_offset: i64,
    /// The leader epoch it was written in.
    pub epoch: i32,
}

/// Why a batch was not committed, or may not have been.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProposeError {
    /// This node does not lead, or no longer in that epoch. The batch will never be committed.
    #[error("not the leader of the metadata quorum")]
    NotLeader {
        /// Who does, if known.
        leader_id: Option<i32>,
    },
    /// Leadership was lost while the batch was under way. It may be committed later, or never.
    #[error("lost the leadership of the metadata quorum before the batch was committed")]
    Unknown,
    /// This node stops, or its metadata log has failed.
    #[error("the metadata quorum has stopped on this node")]
    Stopped,
}

/// The quorum, as the controller sees it.
pub trait Propose: Send + Sync + 'static {
    /// Waits until this node either knows that it does not lead, or leads and has applied every batch before its leadership.
    ///
    /// # Errors
    /// [`ProposeError::NotLeader`] or [`ProposeError::Stopped`].
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    fn leadership(&self) -> impl Future<Output = Result<Leadership, ProposeError>> + Send;

    /// The image of everything applied on this node.
    fn image(&self) -> Arc<Image>;

    /// Writes `records` as one batch and waits until it is committed and applied here, so that [`Propose::image`] contains it.
    /// The batch must not be written in any other leader epoch than `epoch`: the image that it was computed from is only
    /// known to be current in that one. The caller proposes one batch at a time.
    ///
    /// # Errors
    /// [`ProposeError`].
    ///
    /// # Cancel safety
    /// Dropping the future does not undo the batch.
    fn propose(
        &self,
        epoch: i32,
        records: Vec<MetadataRecord>,
    ) -> impl Future<Output = Result<Proposed, ProposeError>> + Send;
}
