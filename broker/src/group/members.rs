//! A group with its offsets, whichever protocol its members speak. Source: `Group`.

use protocol::coordinator_record::CoordinatorRecord;
use std::sync::Arc;

use super::GroupError;
use super::classic::{self, ClassicGroup, Context, GroupState};
use super::consumer::ConsumerGroup;
use super::effects::Effects;
use super::offsets::Offsets;

/// A group and its offsets.
#[derive(Debug)]
pub(super) struct Group {
    pub members: Members,
    pub offsets: Offsets,
}

/// The members of a group, by the protocol that it uses.
#[derive(Debug)]
pub(super) enum Members {
    Classic(ClassicGroup),
    Consumer(ConsumerGroup),
}

impl Group {
    /// A group that nobody has joined.
    pub(super) fn new(id: Arc<str>, now_ms: i64) -> Self {
        Self { members: Members::Classic(ClassicGroup::new(id, now_ms)), offsets: Offsets::default() }
    }
}

impl Members {
    /// The type of the group, as clients are told (`Group.GroupType`).
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Classic(_) => "classic",
            Self::Consumer(_) => "consumer",
        }
    }

    /// Kafka's name of the group's state.
    pub(super) fn state_name(&self) -> &'static str {
        match self {
            Self::Classic(group) => group.state().name(),
            Self::Consumer(group) => group.state().name(),
        }
    }

    /// What the members are: "consumer", "connect"; empty if nobody ever joined.
    pub(super) fn protocol_type(&self) -> Arc<str> {
        match self {
            Self::Classic(group) => group.protocol_type().cloned().unwrap_or_default(),
            Self::Consumer(group) => Arc::from(group.protocol_type()),
        }
    }

    /// The group's id; `known` is the same as text.
    pub(super) fn id(&self, known: &str) -> Arc<str> {
        match self {
            Self::Classic(group) => Arc::clone(group.id()),
            Self::Consumer(_) => Arc::from(known),
        }
    }

    /// How many members there are.
    pub(super) fn count(&self) -> usize {
        match self {
            Self::Classic(group) => group.members().len(),
            Self::Consumer(group) => group.members().len(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Classic(group) => group.state() == GroupState::Empty,
            Self::Consumer(group) => group.is_empty(),
        }
    }

    /// Whether a member reads that topic. A classic group of consumers whose subscriptions are not known may read any.
    pub(super) fn is_subscribed_to(&self, topic: &str) -> bool {
        match self {
            Self::Classic(group) => group.is_subscribed_to(topic),
            Self::Consumer(group) => group.is_subscribed_to(topic),
        }
    }

    /// Goes on only if offsets may be deleted.
    ///
    /// # Errors
    /// [`GroupError::NonEmptyGroup`] where nobody knows what members read.
    pub(super) fn check_offset_delete(&self) -> Result<(), GroupError> {
        match self {
            Self::Classic(group) => group.check_offset_delete(),
            Self::Consumer(_) => Ok(()),
        }
    }

    /// Goes on only if the group may be deleted.
    ///
    /// # Errors
    /// [`GroupError::NonEmptyGroup`].
    pub(super) fn check_empty(&self) -> Result<(), GroupError> {
        match self {
            Self::Classic(group) => group.check_empty(),
            Self::Consumer(group) => group.check_empty(),
        }
    }

    /// The records that the group is gone.
    pub(super) fn tombstones(&self, id: &str) -> Vec<CoordinatorRecord> {
        match self {
            Self::Classic(_) => vec![classic::tombstone(id)],
            Self::Consumer(group) => group.tombstones(),
        }
    }

    /// The group was read from its records.
    pub(super) fn loaded(&mut self, context: Context<'_>) -> Effects {
        match self {
            Self::Classic(group) => group.loaded(context),
            Self::Consumer(group) => group.loaded(context),
        }
    }

    /// The group goes to another coordinator.
    pub(super) fn unloaded(&mut self, error: impl Fn() -> GroupError) -> Effects {
        match self {
            Self::Classic(group) => group.unloaded(error),
            // Nobody waits for an answer there.
            Self::Consumer(_) => Effects::default(),
        }
    }

    /// When offsets begin to expire, if they do (`OffsetExpirationCondition`): `Some(None)` with their own commit, `Some(Some(time))`
    /// at that time, in ms since the epoch.
    pub(super) fn offsets_expire_since(&self) -> Option<Option<i64>> {
        let group = match self {
            Self::Consumer(_) => return Some(None),
            Self::Classic(group) => group,
        };
        let is_empty = group.state() == GroupState::Empty;
        let is_watched = group.uses_consumer_protocol() && group.knows_subscriptions();
        match group.protocol_type() {
            None => Some(None),
            Some(_) if is_empty => Some(group.state_timestamp_ms()),
            Some(_) => (is_watched && group.state() == GroupState::Stable).then_some(None),
        }
    }
}
