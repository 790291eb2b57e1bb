//! Why the group coordinator does not do what it is asked.

use crate::replica::PartitionError;

/// A refusal, by its cause. `crate::error_code::group` says what the client is told.
#[derive(Debug, thiserror::Error)]
pub enum GroupError {
    /// The broker is stopping, or the group's records cannot be stored in time.
    #[error("the coordinator is not available")]
    NotAvailable,
    /// The group's partition is being read.
    #[error("the coordinator is loading the group")]
    Loading,
    /// Another broker coordinates the group, or nobody.
    #[error("this broker does not coordinate the group")]
    NotCoordinator,
    #[error("the group id is empty")]
    InvalidGroupId,
    #[error("the session timeout is outside the range that the broker allows")]
    InvalidSessionTimeout,
    #[error("Group {0} not found.")]
    GroupNotFound(String),
    #[error("the group has no such member")]
    UnknownMember,
    #[error("the generation is not the group's")]
    IllegalGeneration,
    /// Another member uses the same `group.instance.id`.
    #[error("another member has taken the place of this static member")]
    FencedInstance,
    #[error("the member shares no protocol with the group")]
    InconsistentProtocol,
    #[error("the group is rebalancing")]
    RebalanceInProgress,
    /// The member shall join again with the id that it is given with this answer (KIP-394).
    #[error("the member has to join with its id")]
    MemberIdRequired,
    #[error("the group has as many members as it may have")]
    MaxSizeReached,
    #[error("the group has members")]
    NonEmptyGroup,
    /// The records of the group were not appended.
    #[error(transparent)]
    Append(#[from] PartitionError),
    /// A name or a member's data is longer than a record can say.
    #[error(transparent)]
    Encode(#[from] protocol::schema::EncodeError),
}
