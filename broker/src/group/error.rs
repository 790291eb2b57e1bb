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
    #[error("Member {member} is not a member of group {group}.")]
    NoSuchMember { member: String, group: String },
    #[error("Instance id {0} is unknown.")]
    UnknownInstance(String),
    #[error(
        "Static member {member} with instance id {instance} cannot join the group because the instance id is owned by {owner} member."
    )]
    UnreleasedInstance { member: String, instance: String, owner: String },
    #[error("Static member {member} with instance id {instance} was fenced by member {owner}.")]
    FencedInstanceBy { member: String, instance: String, owner: String },
    #[error(
        "The consumer group member has a {relation} member epoch ({received}) than the one known by the group coordinator ({known}). \
         The member must abandon all its partitions and rejoin."
    )]
    FencedMemberEpoch { relation: &'static str, received: i32, known: i32 },
    /// A state that a later Kafka has written.
    #[error("The consumer group member is in a unknown state. The member must abandon all its partitions and rejoin.")]
    UnknownMemberState,
    #[error("the member's epoch is not the present one")]
    StaleMemberEpoch,
    #[error("The consumer group has reached its maximum capacity of {0} members.")]
    ConsumerGroupFull(usize),
    #[error("ServerAssignor {name} is not supported. Supported assignors: {supported}.")]
    UnsupportedAssignor { name: String, supported: String },
    #[error("SubscribedTopicRegex `{regex}` is not a valid regular expression: {reason}.")]
    InvalidRegex { regex: String, reason: String },
    #[error("Consumer group {0} not found.")]
    ConsumerGroupNotFound(String),
    #[error("Group {0} is not a consumer group.")]
    NotConsumerGroup(String),
    #[error("Group {0} is not a classic group.")]
    NotClassicGroup(String),
    #[error("Cannot upgrade classic group {group} to consumer group because {reason}.")]
    UpgradeRefused { group: String, reason: &'static str },
    /// A request that no client may send.
    #[error("{0}")]
    InvalidRequest(&'static str),
    /// The request is older than the member's protocol, or the protocol is not served.
    #[error("The version of API is not supported.")]
    UnsupportedVersion,
    /// What a consumer says of itself by the classic protocol cannot be read.
    #[error("the embedded consumer protocol is malformed")]
    MalformedSubscription,
    /// The records of the group were not appended.
    #[error(transparent)]
    Append(#[from] PartitionError),
    /// A name or a member's data is longer than a record can say.
    #[error(transparent)]
    Encode(#[from] protocol::schema::EncodeError),
}
