//! What a decision of a group's state machine asks for: records to store, answers to give, timers to set.

use bytes::Bytes;
use protocol::coordinator_record::CoordinatorRecord;
use std::sync::Arc;

use super::GroupError;
use super::classic::{ClassicGroup, StaticReplacement};

/// Names a request that waits for its answer.
pub(super) type Ticket = u64;

/// The outcome of an event. Carried out by the coordinator in this order: records, then timers, then answers.
#[derive(Debug, Default)]
pub struct Effects {
    /// Stored in one batch.
    pub records: Vec<CoordinatorRecord>,
    /// What follows when the records are committed, or could not be. With one, the records are not replayed: the group holds
    /// their state already, or takes it over then.
    pub then: Option<Then>,
    pub answers: Vec<(Ticket, Answer)>,
    pub timers: Vec<TimerChange>,
    /// Regular expressions of the group to be resolved, which takes too long to wait for it.
    pub resolve: Option<Vec<Arc<str>>>,
}

impl Effects {
    pub fn answer(&mut self, ticket: Option<Ticket>, answer: Answer) {
        self.answers.extend(ticket.map(|ticket| (ticket, answer)));
    }

    pub fn schedule(&mut self, timer: Timer, delay_ms: i64) {
        self.timers.push(TimerChange::Schedule(timer, delay_ms));
    }

    pub fn schedule_if_absent(&mut self, timer: Timer, delay_ms: i64) {
        self.timers.push(TimerChange::ScheduleIfAbsent(timer, delay_ms));
    }

    pub fn cancel(&mut self, timer: Timer) {
        self.timers.push(TimerChange::Cancel(timer));
    }
}

/// What follows an append.
#[derive(Debug)]
pub enum Then {
    /// Nothing: the record only notes what holds anyway.
    Noted,
    /// The leader's assignment of a generation is stored: members get theirs.
    Assigned { generation: i32, assignments: Vec<(Arc<str>, Bytes)> },
    /// A static member has taken the place of its former self.
    Replaced(Box<StaticReplacement>),
    /// The group has gone back to the classic protocol: `group` is it from now on, and `rebalance` says whether its members have to
    /// join anew. Unlike the others it is seen to at once, when the records are appended.
    Downgraded { group: Box<ClassicGroup>, rebalance: bool },
}

/// A timer of one group.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Timer {
    /// The member's session.
    Session(Arc<str>),
    /// Members have to join the rebalance.
    Join,
    /// Members have to ask for their assignment.
    Sync,
    /// The member of a consumer group has to give partitions up.
    Rebalance(Arc<str>),
    /// The member of a consumer group that speaks the classic protocol has to join again.
    MemberJoin(Arc<str>),
    /// The member of a consumer group that speaks the classic protocol has to ask for its assignment.
    MemberSync(Arc<str>),
}

/// A change of a timer. A timer that is scheduled again forgets its earlier time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TimerChange {
    /// In so many ms.
    Schedule(Timer, i64),
    /// In so many ms, unless it is scheduled already.
    ScheduleIfAbsent(Timer, i64),
    Cancel(Timer),
}

/// An answer to a request that may have waited.
#[derive(Debug)]
pub enum Answer {
    Join(JoinAnswer),
    Sync(SyncAnswer),
}

/// The answer to JoinGroup.
#[derive(Debug, Default)]
pub struct JoinAnswer {
    pub error: Option<GroupError>,
    pub member_id: Arc<str>,
    /// −1 with an error.
    pub generation: i32,
    pub protocol_type: Option<Arc<str>>,
    pub protocol: Option<Arc<str>>,
    /// Empty with an error.
    pub leader: Arc<str>,
    /// The leader shall keep the assignment (KIP-814).
    pub skip_assignment: bool,
    /// For the leader.
    pub members: Vec<JoinedMember>,
}

/// A member, as its leader sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinedMember {
    pub id: Arc<str>,
    pub instance_id: Option<Arc<str>>,
    pub metadata: Bytes,
}

impl JoinAnswer {
    pub fn refused(member_id: Arc<str>, error: GroupError) -> Self {
        Self { error: Some(error), member_id, generation: -1, ..Self::default() }
    }
}

/// The answer to SyncGroup.
#[derive(Debug, Default)]
pub struct SyncAnswer {
    pub error: Option<GroupError>,
    pub protocol_type: Option<Arc<str>>,
    pub protocol: Option<Arc<str>>,
    pub assignment: Bytes,
}

impl SyncAnswer {
    pub fn refused(error: GroupError) -> Self {
        Self { error: Some(error), ..Self::default() }
    }
}
