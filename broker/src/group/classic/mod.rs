//! A group of the classic protocol: a pure state machine over joins, syncs, heartbeats, leaves and time.
//!
//! Members are changed at once; what a crash must not lose, the generation with its assignment, is a record, and nobody is told
//! of it before it is committed. Source: `ClassicGroup`, `GroupMetadataManager`.
//!
//! # Invariants
//! - Generations only rise.
//! - A member waits for at most one answer of each kind, and every answer is given once.
//! - In `Stable` every member has the assignment of the record last stored.

mod join;
mod leave;
mod member;
mod migration;
mod rebalance;
mod record;
mod session;
mod state;
mod static_member;
mod sync;
mod validate;

#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod tests;

pub use join::Join;
pub use leave::{Leaving, Left};
pub use member::{Identity, Member, Protocol};
pub(super) use migration::MigratedMember;
pub(super) use record::tombstone;
pub use state::GroupState;
pub use static_member::StaticReplacement;
pub use sync::Sync;
pub use validate::Caller;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::consumer::Topics;
use super::effects::Ticket;
use crate::config::GroupConfig;

/// The protocol type of consumers, whose subscriptions the coordinator may look into.
pub const CONSUMER: &str = "consumer";

/// What every decision may look at.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    pub config: &'a GroupConfig,
    pub topics: &'a Topics,
    /// ms since the epoch.
    pub now_ms: i64,
}

/// How a first rebalance is put off while more members come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct InitialDelay {
    delay_ms: i64,
    /// How much longer it may be put off.
    remaining_ms: i64,
}

/// One group.
#[derive(Clone, Debug)]
pub struct ClassicGroup {
    id: Arc<str>,
    state: GroupState,
    previous_state: GroupState,
    /// When it came into its state, in ms since the epoch; `None` if the record does not say.
    state_timestamp_ms: Option<i64>,
    /// `None` if nobody ever joined.
    protocol_type: Option<Arc<str>>,
    protocol: Option<Arc<str>>,
    generation: i32,
    leader: Option<Arc<str>>,
    members: BTreeMap<Arc<str>, Member>,
    /// Static members' ids by instance id.
    static_members: HashMap<Arc<str>, Arc<str>>,
    /// Ids given out that nobody has joined with yet.
    pending_joins: HashSet<Arc<str>>,
    /// How many members wait for the answer to their join.
    awaiting_join: usize,
    /// How many members speak each protocol.
    supported_protocols: HashMap<Arc<str>, usize>,
    /// Members of this generation that have not asked for their assignment.
    pending_syncs: BTreeSet<Arc<str>>,
    /// The topics that consumers subscribe to; `None` if the coordinator does not know.
    subscribed_topics: Option<HashSet<Arc<str>>>,
    initial_delay: Option<InitialDelay>,
    new_member_added: bool,
}

impl ClassicGroup {
    /// A group without members.
    pub fn new(id: Arc<str>, now_ms: i64) -> Self {
        Self {
            id,
            state: GroupState::Empty,
            previous_state: GroupState::Empty,
            state_timestamp_ms: Some(now_ms),
            protocol_type: None,
            protocol: None,
            generation: 0,
            leader: None,
            members: BTreeMap::new(),
            static_members: HashMap::new(),
            pending_joins: HashSet::new(),
            awaiting_join: 0,
            supported_protocols: HashMap::new(),
            pending_syncs: BTreeSet::new(),
            subscribed_topics: None,
            initial_delay: None,
            new_member_added: false,
        }
    }

    pub(super) fn id(&self) -> &Arc<str> {
        &self.id
    }

    pub fn state(&self) -> GroupState {
        self.state
    }

    pub fn state_timestamp_ms(&self) -> Option<i64> {
        self.state_timestamp_ms
    }

    pub fn generation(&self) -> i32 {
        self.generation
    }

    pub fn protocol_type(&self) -> Option<&Arc<str>> {
        self.protocol_type.as_ref()
    }

    /// The protocol that members agreed on.
    pub fn protocol(&self) -> Option<&Arc<str>> {
        self.protocol.as_ref()
    }

    pub fn members(&self) -> impl ExactSizeIterator<Item = &Member> {
        self.members.values()
    }

    pub fn uses_consumer_protocol(&self) -> bool {
        self.protocol_type.as_deref() == Some(CONSUMER)
    }

    /// Whether consumers' subscriptions are known.
    pub fn knows_subscriptions(&self) -> bool {
        self.subscribed_topics.is_some()
    }

    /// Whether a member reads that topic. A consumer group whose subscriptions are not known may read any.
    pub fn is_subscribed_to(&self, topic: &str) -> bool {
        match &self.subscribed_topics {
            Some(topics) => topics.contains(topic),
            None => self.uses_consumer_protocol(),
        }
    }

    fn is_leader(&self, member_id: &str) -> bool {
        self.leader.as_deref() == Some(member_id)
    }

    fn has_all_members_joined(&self) -> bool {
        self.members.len() == self.awaiting_join && self.pending_joins.is_empty()
    }

    /// The longest that any member may take to join again.
    fn rebalance_timeout_ms(&self) -> i64 {
        self.members.values().map(|member| i64::from(member.rebalance_timeout_ms)).max().unwrap_or(0)
    }

    fn transition_to(&mut self, state: GroupState, now_ms: i64) {
        self.previous_state = self.state;
        self.state = state;
        self.state_timestamp_ms = Some(now_ms);
    }

    /// Adds a member, which is nobody that the group knows.
    fn add(&mut self, member: Member) {
        if let Some(instance_id) = &member.identity.instance_id {
            self.static_members.insert(Arc::clone(instance_id), Arc::clone(member.id()));
        }
        self.leader.get_or_insert_with(|| Arc::clone(member.id()));
        self.count_protocols(&member.protocols, true);
        self.awaiting_join += usize::from(member.awaiting_join.is_some());
        self.pending_joins.remove(member.id());
        self.members.insert(Arc::clone(member.id()), member);
    }

    /// Removes a member or a pending one; the tickets that it held are the caller's to answer.
    fn remove(&mut self, member_id: &str) -> Option<Member> {
        self.pending_joins.remove(member_id);
        self.pending_syncs.remove(member_id);
        let removed = self.members.remove(member_id)?;
        self.count_protocols(&removed.protocols, false);
        self.awaiting_join -= usize::from(removed.awaiting_join.is_some());
        if let Some(instance_id) = &removed.identity.instance_id {
            self.static_members.remove(instance_id);
        }
        if self.is_leader(member_id) {
            self.leader = self.members.keys().next().cloned();
        }
        Some(removed)
    }

    fn count_protocols(&mut self, protocols: &[Protocol], added: bool) {
        for protocol in protocols {
            let count = self.supported_protocols.entry(Arc::clone(&protocol.name)).or_default();
            *count = if added { *count + 1 } else { count.saturating_sub(1) };
            if *count == 0 {
                self.supported_protocols.remove(&protocol.name);
            }
        }
    }

    /// Lets the member wait for the answer to a join; returns the ticket of an earlier one that is given up.
    fn set_awaiting_join(&mut self, member_id: &str, ticket: Option<Ticket>) -> Option<Ticket> {
        let member = self.members.get_mut(member_id)?;
        let earlier = std::mem::replace(&mut member.awaiting_join, ticket);
        self.awaiting_join += usize::from(ticket.is_some());
        self.awaiting_join -= usize::from(earlier.is_some());
        earlier
    }
}
