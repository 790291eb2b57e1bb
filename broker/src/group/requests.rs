//! What handlers ask the coordinator. Every answer is given when the records that it rests on are committed.

use bytes::Bytes;
use protocol::StrBytes;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::classic::{Caller, ClassicGroup, GroupState, Join, Leaving, Left, Sync};
use super::effects::{Answer, Effects, JoinAnswer, SyncAnswer, Ticket};
use super::members::Group;
use super::shard::Shard;
use super::slot::Slot;
use super::{GroupCoordinator, GroupError};

/// A group of the list.
#[derive(Clone, Debug)]
pub struct ListedGroup {
    pub id: Arc<str>,
    pub protocol_type: Arc<str>,
    /// Kafka's name of it.
    pub state: &'static str,
    /// Which protocol it uses, by Kafka's name.
    pub kind: &'static str,
}

/// Which groups are listed; nothing in a filter lets all pass.
#[derive(Clone, Debug, Default)]
pub struct GroupFilter {
    pub states: Vec<StrBytes>,
    pub types: Vec<StrBytes>,
}

/// A group in full.
#[derive(Clone, Debug)]
pub struct DescribedGroup {
    pub state: GroupState,
    pub protocol_type: Arc<str>,
    /// Of a stable group.
    pub protocol: Arc<str>,
    pub members: Vec<DescribedMember>,
}

/// A member in full.
#[derive(Clone, Debug)]
pub struct DescribedMember {
    pub id: Arc<str>,
    pub instance_id: Option<Arc<str>>,
    pub client_id: Arc<str>,
    pub client_host: Arc<str>,
    /// Of a stable group.
    pub metadata: Bytes,
    pub assignment: Bytes,
}

/// What an event gave, and what has to be committed before anybody may know.
pub(super) struct Outcome<T> {
    value: T,
    slot: Arc<Slot>,
    end_offset: i64,
}

impl GroupCoordinator {
    /// A member joins; the answer comes when the rebalance is over.
    pub async fn join(&self, group: &str, join: Join) -> JoinAnswer {
        let refused = |error| JoinAnswer::refused(Arc::clone(&join.identity.id), error);
        let timeouts = self.config.min_session_timeout_ms..=self.config.max_session_timeout_ms;
        if let Err(error) = self.check_id(group) {
            return refused(error);
        }
        if !timeouts.contains(&join.session_timeout_ms) {
            return refused(GroupError::InvalidSessionTimeout);
        }
        let member_id = Arc::clone(&join.identity.id);
        let topics = self.topics();
        let (ticket, answer) = self.ticket();
        let done = self.event(group, |shard| shard.join(group, join, ticket, self.context(&topics)));
        drop(topics);
        match self.known(done, ticket).await {
            Ok(Some(answer)) => answer,
            Ok(None) => match answer.await {
                Ok(Answer::Join(answer)) => answer,
                Ok(Answer::Sync(_)) | Err(_) => JoinAnswer::refused(member_id, GroupError::NotCoordinator),
            },
            Err(error) => JoinAnswer::refused(member_id, error),
        }
    }

    /// A member asks for its assignment; the answer comes when the leader has brought it and it is stored.
    pub async fn sync(&self, group: &str, sync: Sync) -> SyncAnswer {
        if let Err(error) = self.check_id(group) {
            return SyncAnswer::refused(error);
        }
        let topics = self.topics();
        let (ticket, answer) = self.ticket();
        let done = self.event(group, |shard| shard.sync(group, sync, ticket, self.context(&topics)));
        drop(topics);
        match self.known(done, ticket).await {
            Ok(Some(answer)) => answer,
            Ok(None) => match answer.await {
                Ok(Answer::Sync(answer)) => answer,
                Ok(Answer::Join(_)) | Err(_) => SyncAnswer::refused(GroupError::NotCoordinator),
            },
            Err(error) => SyncAnswer::refused(error),
        }
    }

    /// An answer that is known already, once it is good; without one, the ticket is answered later.
    async fn known<T>(
        &self,
        done: Result<Outcome<Option<T>>, GroupError>,
        ticket: Ticket,
    ) -> Result<Option<T>, GroupError> {
        let known = match done {
            Ok(outcome) if outcome.value.is_none() => return Ok(None),
            Ok(outcome) => self.committed_value(outcome).await,
            Err(error) => Err(error),
        };
        self.lock_waiting().remove(&ticket);
        known
    }

    /// A member lives.
    ///
    /// # Errors
    /// It is not a member of this generation, or has to join again.
    pub fn heartbeat(&self, group: &str, caller: Caller<'_>) -> Result<(), GroupError> {
        self.check_id(group)?;
        let answer = self.event(group, |shard| shard.heartbeat(group, caller));
        match answer {
            Ok(outcome) => outcome.value,
            // The member may live; who knows.
            Err(GroupError::Loading) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Members leave.
    ///
    /// # Errors
    /// [`GroupError::UnknownMember`] if there is no such group, and whatever keeps the coordinator from serving.
    pub async fn leave(&self, group: &str, leaving: &[Leaving]) -> Result<Left, GroupError> {
        self.check_id(group)?;
        let outcome = {
            let topics = self.topics();
            self.event(group, |shard| shard.leave(group, leaving, self.context(&topics)))?
        };
        self.committed_value(outcome).await
    }

    /// Deletes a group that is empty, with its offsets.
    ///
    /// # Errors
    /// There is no such group, it has members, or the deletion could not be stored.
    pub async fn delete_group(&self, group: &str) -> Result<(), GroupError> {
        self.check_active()?;
        let outcome = self.event(group, |shard| Ok(((), shard.delete_group(group)?)))?;
        self.committed_value(outcome).await
    }

    /// Lists the groups that this broker coordinates.
    ///
    /// # Errors
    /// [`GroupError::Loading`] while some are not known yet.
    pub async fn list(&self, filter: &GroupFilter) -> Result<Vec<ListedGroup>, GroupError> {
        self.check_active()?;
        let mut listed = Vec::new();
        for slot in self.all_slots() {
            let end_offset = {
                let mut state = slot.lock();
                match state.shard() {
                    Ok(shard) => listed.extend(shard.groups().filter_map(|(id, group)| filter.list(id, group))),
                    Err(GroupError::NotCoordinator) => continue,
                    Err(error) => return Err(error),
                }
                state.end_offset
            };
            slot.committed(end_offset, self.config.commit_timeout).await?;
        }
        Ok(listed)
    }

    /// Describes a group of the classic protocol.
    ///
    /// # Errors
    /// [`GroupError::GroupNotFound`], [`GroupError::NotClassicGroup`], and whatever keeps the coordinator from serving.
    pub async fn describe(&self, group: &str) -> Result<DescribedGroup, GroupError> {
        self.read(group, |shard| shard.classic(group).map(|group| describe(group))).await?
    }

    /// Runs one event of a group and carries out its effects.
    pub(super) fn event<T>(
        &self,
        group: &str,
        event: impl FnOnce(&mut Shard) -> Result<(T, Effects), GroupError>,
    ) -> Result<Outcome<T>, GroupError> {
        let slot = self.slot(self.partition_for(group)).ok_or(GroupError::NotCoordinator)?;
        let mut state = slot.lock();
        let (value, effects) = event(state.shard()?)?;
        self.carry_out(&slot, &mut state, &Arc::from(group), effects)?;
        let end_offset = state.end_offset;
        drop(state);
        Ok(Outcome { value, slot, end_offset })
    }

    pub(super) async fn read<T>(&self, group: &str, read: impl FnOnce(&mut Shard) -> T) -> Result<T, GroupError> {
        self.check_active()?;
        let outcome = self.event(group, |shard| Ok((read(shard), Effects::default())))?;
        self.committed_value(outcome).await
    }

    pub(super) async fn committed_value<T>(&self, outcome: Outcome<T>) -> Result<T, GroupError> {
        outcome.slot.committed(outcome.end_offset, self.config.commit_timeout).await?;
        Ok(outcome.value)
    }

    pub(super) fn check_active(&self) -> Result<(), GroupError> {
        if self.is_active.load(Ordering::Acquire) { Ok(()) } else { Err(GroupError::NotAvailable) }
    }

    pub(super) fn check_id(&self, group: &str) -> Result<(), GroupError> {
        self.check_active()?;
        if group.is_empty() { Err(GroupError::InvalidGroupId) } else { Ok(()) }
    }
}

impl GroupFilter {
    fn list(&self, id: &Arc<str>, group: &Group) -> Option<ListedGroup> {
        let (state, kind) = (group.members.state_name(), group.members.kind());
        let passes = |filter: &[StrBytes], name: &str| {
            filter.is_empty() || filter.iter().any(|wanted| wanted.trim().eq_ignore_ascii_case(name))
        };
        let is_listed = passes(&self.states, state) && passes(&self.types, kind);
        is_listed.then(|| ListedGroup { id: Arc::clone(id), protocol_type: group.members.protocol_type(), state, kind })
    }
}

fn describe(group: &ClassicGroup) -> DescribedGroup {
    let is_stable = group.state() == GroupState::Stable;
    let protocol = group.protocol().filter(|_| is_stable).cloned();
    let members = group.members().map(|member| DescribedMember {
        id: Arc::clone(member.id()),
        instance_id: member.identity.instance_id.clone(),
        client_id: Arc::clone(&member.identity.client_id),
        client_host: Arc::clone(&member.identity.client_host),
        metadata: member.metadata(protocol.as_deref()),
        assignment: member.assignment.clone(),
    });
    DescribedGroup {
        state: group.state(),
        protocol_type: group.protocol_type().cloned().unwrap_or_default(),
        members: members.collect(),
        protocol: protocol.unwrap_or_default(),
    }
}
