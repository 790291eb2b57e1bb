//! Scenarios of one group: who is told what, and when.

use bytes::Bytes;
use protocol::coordinator_record::CoordinatorRecord;
use std::collections::HashMap;
use std::sync::Arc;

use super::*;
use crate::group::GroupError;
use crate::group::effects::{Answer, Effects, JoinAnswer, SyncAnswer, Then, Timer, TimerChange};

const NOW: i64 = 1_700_000_000_000;
const SESSION: i32 = 10_000;
const REBALANCE: i32 = 60_000;

/// A group with its tickets; carries out what the state machine asks for, but time, which tests let pass by hand.
pub(super) struct World {
    pub(super) group: ClassicGroup,
    pub(super) config: GroupConfig,
    next_ticket: Ticket,
    pub(super) joined: HashMap<Ticket, JoinAnswer>,
    pub(super) synced: HashMap<Ticket, SyncAnswer>,
    pub(super) stored: Vec<CoordinatorRecord>,
    pub(super) waiting: Vec<Then>,
    pub(super) timers: HashMap<Timer, i64>,
}

impl World {
    pub(super) fn new() -> Self {
        Self {
            group: ClassicGroup::new("g".into(), NOW),
            config: GroupConfig { initial_rebalance_delay_ms: 0, ..GroupConfig::for_tests() },
            next_ticket: 0,
            joined: HashMap::new(),
            synced: HashMap::new(),
            stored: Vec::new(),
            waiting: Vec::new(),
            timers: HashMap::new(),
        }
    }

    pub(super) fn ticket(&mut self) -> Ticket {
        self.next_ticket += 1;
        self.next_ticket
    }

    pub(super) fn take(&mut self, effects: Effects) {
        self.stored.extend(effects.records);
        self.waiting.extend(effects.then);
        for change in effects.timers {
            match change {
                TimerChange::Schedule(timer, delay_ms) => _ = self.timers.insert(timer, delay_ms),
                TimerChange::ScheduleIfAbsent(timer, delay_ms) => _ = self.timers.entry(timer).or_insert(delay_ms),
                TimerChange::Cancel(timer) => _ = self.timers.remove(&timer),
            }
        }
        for (ticket, answer) in effects.answers {
            let is_first = match answer {
                Answer::Join(answer) => self.joined.insert(ticket, answer).is_none(),
                Answer::Sync(answer) => self.synced.insert(ticket, answer).is_none(),
            };
            assert!(is_first, "ticket {ticket} is answered twice");
        }
    }

    pub(super) fn event(&mut self, event: impl FnOnce(&mut ClassicGroup, Context<'_>) -> Effects) {
        let config = self.config.clone();
        let effects = event(&mut self.group, Context { config: &config, topics: &Topics::default(), now_ms: NOW });
        self.take(effects);
    }

    pub(super) fn join(&mut self, join: Join) -> Ticket {
        let ticket = self.ticket();
        self.event(|group, context| group.join(join, ticket, context));
        ticket
    }

    pub(super) fn sync(&mut self, member: &str, generation: i32, assignments: &[(&str, &str)]) -> Ticket {
        let assignments = assignments.iter().map(|(id, bytes)| (Arc::from(*id), Bytes::from((*bytes).to_owned())));
        let sync = Sync {
            member_id: member.into(),
            instance_id: None,
            generation,
            protocol_type: None,
            protocol: None,
            assignments: assignments.collect(),
        };
        let ticket = self.ticket();
        self.event(|group, _| group.sync(sync, ticket));
        ticket
    }

    /// Everything that was stored is committed.
    pub(super) fn commit(&mut self) {
        for then in std::mem::take(&mut self.waiting) {
            self.event(|group, context| match then {
                Then::Noted | Then::Downgraded { .. } => Effects::default(),
                Then::Assigned { generation, assignments } => group.assigned(generation, assignments, context),
                Then::Replaced(replacement) => group.replaced(&replacement),
            });
        }
    }

    fn join_code(&self, ticket: Ticket) -> Option<&GroupError> {
        self.joined[&ticket].error.as_ref()
    }

    /// Members `ids` in a stable group of generation 1, each with its id as its assignment.
    fn stable(ids: &[&str]) -> Self {
        let mut world = Self::new();
        world.config.initial_rebalance_delay_ms = 3_000;
        ids.iter().for_each(|id| _ = world.join(dynamic(id)));
        world.event(|group, context| group.join_timed_out(context));
        // The time for more members was extended once, since more came.
        world.event(|group, context| group.join_timed_out(context));
        let assignments: Vec<_> = ids.iter().map(|id| (*id, *id)).collect();
        let leader = world.group.leader.clone().expect("somebody leads");
        for id in ids {
            world.sync(id, 1, if **id == *leader { &assignments } else { &[] });
        }
        world.commit();
        assert_eq!((world.group.state(), world.group.generation()), (GroupState::Stable, 1));
        world
    }

    fn heartbeat(&mut self, member_id: &str, generation: i32) -> Result<(), GroupError> {
        let (answer, effects) = self.group.heartbeat(Caller { member_id, instance_id: None, generation });
        self.take(effects);
        answer
    }
}

/// A member whose id is given out to it as `id`.
pub(super) fn dynamic(id: &str) -> Join {
    Join {
        identity: Identity {
            id: Arc::default(),
            instance_id: None,
            client_id: "client".into(),
            client_host: "/127.0.0.1".into(),
        },
        new_member_id: id.into(),
        protocol_type: CONSUMER.into(),
        protocols: vec![Protocol { name: "range".into(), metadata: Bytes::from(format!("about {id}")) }],
        rebalance_timeout_ms: REBALANCE,
        session_timeout_ms: SESSION,
        requires_known_member_id: false,
        can_skip_assignment: true,
        reason: String::new(),
    }
}

/// The member `id` joins again.
pub(super) fn again(id: &str) -> Join {
    let first = dynamic(id);
    Join { identity: Identity { id: id.into(), ..first.identity.clone() }, ..first }
}

fn fixed(instance: &str, id: &str) -> Join {
    let first = dynamic(id);
    let identity = Identity { instance_id: Some(instance.into()), ..first.identity.clone() };
    let metadata = Bytes::from(format!("about {instance}"));
    Join { identity, protocols: vec![Protocol { name: "range".into(), metadata }], ..first }
}

#[test]
fn nobody_gets_an_assignment_before_it_is_committed() {
    let mut world = World::new();
    world.config.initial_rebalance_delay_ms = 3_000;
    let (a, b) = (world.join(dynamic("a")), world.join(dynamic("b")));
    assert!(world.joined.is_empty(), "the first rebalance waits for more members");
    assert_eq!(world.timers[&Timer::Join], 3_000);
    world.event(|group, context| group.join_timed_out(context));
    assert!(world.joined.is_empty(), "one more came, so it waits once more");
    world.event(|group, context| group.join_timed_out(context));
    assert_eq!((&*world.joined[&a].leader, world.joined[&a].members.len()), ("a", 2));
    assert_eq!((&*world.joined[&b].leader, world.joined[&b].members.len()), ("a", 0));
    let (b, a) = (world.sync("b", 1, &[]), world.sync("a", 1, &[("a", "left"), ("b", "right"), ("c", "nobody")]));
    assert!(world.synced.is_empty());
    assert_eq!(world.stored.len(), 1);
    world.commit();
    assert_eq!((&world.synced[&a].assignment[..], &world.synced[&b].assignment[..]), (&b"left"[..], &b"right"[..]));
    assert_eq!(world.group.state(), GroupState::Stable);
    assert!(!world.timers.contains_key(&Timer::Sync) && !world.timers.contains_key(&Timer::Join));
}

#[test]
fn a_generation_that_is_not_stored_is_joined_again() {
    let mut world = World::new();
    let (a, _) = (world.join(dynamic("a")), world.event(|group, context| group.join_timed_out(context)));
    assert!(world.join_code(a).is_none());
    let synced = world.sync("a", 1, &[("a", "x")]);
    world.waiting.clear();
    world.event(|group, context| group.assignment_failed(1, || GroupError::NotAvailable, context));
    assert!(matches!(world.synced[&synced].error, Some(GroupError::NotAvailable)));
    assert_eq!(world.group.state(), GroupState::PreparingRebalance);
}

#[test]
fn an_assignment_of_a_generation_that_is_over_means_nothing() {
    let mut world = World::new();
    world.join(dynamic("a"));
    world.event(|group, context| group.join_timed_out(context));
    let synced = world.sync("a", 1, &[("a", "x")]);
    world.join(dynamic("b"));
    assert!(matches!(world.synced[&synced].error, Some(GroupError::RebalanceInProgress)));
    world.commit();
    assert_eq!(world.group.state(), GroupState::PreparingRebalance);
}

#[test]
fn a_dynamic_member_comes_again_with_the_id_it_is_given() {
    let mut world = World::new();
    let first = world.join(Join { requires_known_member_id: true, ..dynamic("a") });
    assert!(matches!(world.join_code(first), Some(GroupError::MemberIdRequired)));
    assert_eq!(&*world.joined[&first].member_id, "a");
    assert_eq!(world.timers[&Timer::Session("a".into())], i64::from(SESSION));
    let second = world.join(again("a"));
    world.event(|group, context| group.join_timed_out(context));
    assert_eq!(world.joined[&second].generation, 1);
}

#[test]
fn an_id_that_nobody_joins_with_is_forgotten() {
    let mut world = World::new();
    world.join(Join { requires_known_member_id: true, ..dynamic("a") });
    world.event(|group, context| group.session_timed_out("a", context));
    let late = world.join(again("a"));
    assert!(matches!(world.join_code(late), Some(GroupError::UnknownMember)));
}

#[test]
fn what_a_member_may_not_do_is_refused() {
    let mut world = World::stable(&["a", "b"]);
    assert!(matches!(world.heartbeat("x", 1), Err(GroupError::UnknownMember)));
    assert!(matches!(world.heartbeat("a", 0), Err(GroupError::IllegalGeneration)));
    assert!(world.heartbeat("a", 1).is_ok());
    let stranger = Join { protocol_type: "connect".into(), ..dynamic("c") };
    let stranger = world.join(stranger);
    assert!(matches!(world.join_code(stranger), Some(GroupError::InconsistentProtocol)));
    let synced = world.sync("a", 2, &[]);
    assert!(matches!(world.synced[&synced].error, Some(GroupError::IllegalGeneration)));
    let contradicting = Sync {
        member_id: "a".into(),
        instance_id: None,
        generation: 1,
        protocol_type: Some("connect".into()),
        protocol: Some("range".into()),
        assignments: vec![],
    };
    let ticket = world.ticket();
    world.event(|group, _| group.sync(contradicting, ticket));
    assert!(matches!(world.synced[&ticket].error, Some(GroupError::InconsistentProtocol)));
    world.config.max_size = 2;
    let third = world.join(dynamic("c"));
    assert!(matches!(world.join_code(third), Some(GroupError::MaxSizeReached)));
    assert_eq!(world.group.state(), GroupState::Stable, "nobody was disturbed");
}

#[test]
fn a_leader_that_joins_again_makes_all_join() {
    let mut world = World::stable(&["a", "b"]);
    let follower = world.join(again("b"));
    assert_eq!(world.joined[&follower].generation, 1, "a follower with nothing new gets the present generation");
    let a = world.join(again("a"));
    assert!(matches!(world.heartbeat("b", 1), Err(GroupError::RebalanceInProgress)));
    let b = world.join(again("b"));
    assert_eq!((world.joined[&a].generation, world.joined[&b].generation), (2, 2));
    assert_eq!(world.joined[&a].members.len(), 2);
}

#[test]
fn commits_are_taken_while_members_are_asked_to_join_and_not_while_the_leader_assigns() {
    let mut world = World::stable(&["a", "b"]);
    let caller = |member_id, generation| Caller { member_id, instance_id: None, generation };
    world.join(again("a"));
    assert!(world.group.check_commit(caller("b", 1)).is_ok(), "clients commit what they are about to give up");
    assert!(matches!(world.group.check_commit(caller("b", 0)), Err(GroupError::IllegalGeneration)));
    assert!(matches!(world.group.check_commit(caller("", -1)), Err(GroupError::UnknownMember)));
    world.join(again("b"));
    assert!(matches!(world.group.check_commit(caller("b", 2)), Err(GroupError::RebalanceInProgress)));
}

#[test]
fn members_that_are_silent_or_leave_are_removed() {
    let mut world = World::stable(&["a", "b", "c"]);
    world.event(|group, context| group.session_timed_out("a", context));
    assert_eq!((world.group.state(), world.group.members().len()), (GroupState::PreparingRebalance, 2));
    let leaving = Leaving { member_id: "b".into(), instance_id: None, reason: None };
    let unknown = Leaving { member_id: "x".into(), instance_id: None, reason: None };
    let config = world.config.clone();
    let (left, effects) =
        world.group.leave(&[leaving, unknown], Context { config: &config, topics: &Topics::default(), now_ms: NOW });
    world.take(effects);
    assert!(left[0].is_ok() && matches!(left[1], Err(GroupError::UnknownMember)));
    let c = world.join(again("c"));
    assert_eq!((world.joined[&c].generation, world.joined[&c].members.len()), (2, 1));
}

#[test]
fn the_last_member_leaves_an_empty_group_in_the_log() {
    let mut world = World::stable(&["a"]);
    let leaving = Leaving { member_id: "a".into(), instance_id: None, reason: None };
    world.event(|group, context| group.leave(&[leaving], context).1);
    assert_eq!((world.group.state(), world.group.generation()), (GroupState::Empty, 2));
    let Some(CoordinatorRecord::GroupMetadata(_, Some(value))) = world.stored.last() else { panic!("it is noted") };
    assert_eq!((value.generation, value.members.len(), &*value.protocol_type), (2, 0, CONSUMER));
}

#[test]
fn members_that_do_not_join_or_sync_in_time_are_removed() {
    let mut world = World::stable(&["a", "b"]);
    let a = world.join(again("a"));
    assert_eq!(world.timers[&Timer::Join], i64::from(REBALANCE));
    world.event(|group, context| group.join_timed_out(context));
    assert_eq!((world.joined[&a].generation, world.joined[&a].members.len()), (2, 1));
    assert_eq!(world.timers[&Timer::Sync], i64::from(REBALANCE));
    world.event(|group, context| group.sync_timed_out(context));
    assert_eq!(world.group.members().len(), 0);
}

#[test]
fn a_member_that_waits_needs_no_heartbeat_but_a_new_one_times_out() {
    let mut world = World::stable(&["a", "b"]);
    world.join(again("a"));
    let new = world.join(dynamic("c"));
    world.event(|group, context| group.session_timed_out("a", context));
    assert_eq!(world.group.members().len(), 3);
    world.event(|group, context| group.session_timed_out("c", context));
    assert!(matches!(world.join_code(new), Some(GroupError::UnknownMember)));
    assert_eq!(world.group.members().len(), 2);
}

#[test]
fn a_join_that_is_sent_again_leaves_the_first_without_a_place() {
    let mut world = World::stable(&["a", "b"]);
    let first = world.join(again("a"));
    let second = world.join(again("a"));
    assert!(matches!(world.join_code(first), Some(GroupError::RebalanceInProgress)));
    world.join(again("b"));
    assert_eq!(world.joined[&second].generation, 2);
}

#[test]
fn a_static_member_comes_back_without_a_rebalance() {
    let mut world = World::new();
    world.join(fixed("one", "one-1"));
    world.event(|group, context| group.join_timed_out(context));
    world.sync("one-1", 1, &[("one-1", "mine")]);
    world.commit();
    let back = world.join(fixed("one", "one-2"));
    assert!(!world.joined.contains_key(&back), "its new id has to be stored first");
    world.commit();
    let answer = &world.joined[&back];
    assert_eq!((answer.generation, &*answer.member_id, &*answer.leader), (1, "one-2", "one-2"));
    assert!(answer.skip_assignment && answer.members.len() == 1);
    let synced = world.sync("one-2", 1, &[]);
    assert_eq!(world.synced[&synced].assignment, "mine");
    let former = Caller { member_id: "one-1", instance_id: Some("one"), generation: 1 };
    assert!(matches!(world.group.heartbeat(former).0, Err(GroupError::FencedInstance)));
    assert!(!world.timers.contains_key(&Timer::Session("one-1".into())));
}

#[test]
fn a_static_member_whose_new_id_is_not_stored_is_its_former_self() {
    let mut world = World::new();
    world.join(fixed("one", "one-1"));
    world.event(|group, context| group.join_timed_out(context));
    world.sync("one-1", 1, &[("one-1", "mine")]);
    world.commit();
    let back = world.join(fixed("one", "one-2"));
    let Some(Then::Replaced(replacement)) = world.waiting.pop() else { panic!("it waits for the log") };
    world.event(|group, _| group.replacement_failed(*replacement, GroupError::NotAvailable));
    assert!(matches!(world.join_code(back), Some(GroupError::NotAvailable)));
    assert!(world.heartbeat("one-1", 1).is_ok());
    assert_eq!(world.group.awaiting_join, 0);
}

#[test]
fn a_static_member_outlives_a_rebalance_and_is_removed_by_its_instance_id() {
    let mut world = World::new();
    world.config.initial_rebalance_delay_ms = 3_000;
    world.join(fixed("one", "one-1"));
    world.join(dynamic("b"));
    world.event(|group, context| group.join_timed_out(context));
    world.event(|group, context| group.join_timed_out(context));
    world.join(again("b"));
    world.join(Join { protocols: vec![Protocol { name: "range".into(), metadata: "new".into() }], ..again("b") });
    world.event(|group, context| group.join_timed_out(context));
    assert_eq!(world.group.members().len(), 2, "static members may be missing");
    let leaving = Leaving { member_id: Arc::default(), instance_id: Some("one".into()), reason: None };
    world.event(|group, context| group.leave(&[leaving], context).1);
    assert_eq!(world.group.members().len(), 1);
}

#[test]
fn the_protocol_is_one_that_all_speak_and_most_prefer() {
    let speaks = |id: &str, names: &[&str]| Join {
        protocols: names.iter().map(|name| Protocol { name: (*name).into(), metadata: Bytes::new() }).collect(),
        ..dynamic(id)
    };
    let mut world = World::new();
    world.config.initial_rebalance_delay_ms = 3_000;
    let a = world.join(speaks("a", &["new", "range", "sticky"]));
    world.join(speaks("b", &["sticky", "range"]));
    world.join(speaks("c", &["sticky", "range"]));
    let alone = world.join(speaks("d", &["new"]));
    assert!(matches!(world.join_code(alone), Some(GroupError::InconsistentProtocol)));
    world.event(|group, context| group.join_timed_out(context));
    world.event(|group, context| group.join_timed_out(context));
    assert_eq!(world.joined[&a].protocol.as_deref(), Some("sticky"));
}

#[test]
fn a_group_comes_back_from_its_record() {
    let world = World::stable(&["a", "b"]);
    let Some(CoordinatorRecord::GroupMetadata(key, Some(value))) = world.stored.last() else { panic!("it is stored") };
    let mut loaded = ClassicGroup::from_record(Arc::from(&*key.group), value);
    assert_eq!((loaded.state(), loaded.generation(), loaded.members().len()), (GroupState::Stable, 1, 2));
    let assignments: Vec<_> = loaded.members().map(|member| member.assignment.clone()).collect();
    assert_eq!(assignments, ["a", "b"]);
    let mut again_loaded = World { group: loaded.clone(), ..World::new() };
    assert!(again_loaded.heartbeat("a", 1).is_ok());
    again_loaded.config.max_size = 1;
    let config = again_loaded.config.clone();
    let effects = loaded.loaded(Context { config: &config, topics: &Topics::default(), now_ms: NOW });
    assert_eq!(loaded.state(), GroupState::PreparingRebalance, "it is larger than it may be now");
    assert!(effects.timers.iter().any(|change| matches!(change, TimerChange::Schedule(Timer::Session(_), 10_000))));
}

#[test]
fn subscriptions_are_read_where_they_can_be() {
    // Version 1, topics ["t"], no user data, owned partitions that version 0 does not know.
    let subscription = Bytes::from_static(&[0, 1, 0, 0, 0, 1, 0, 1, b't', 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
    let join = |metadata: Bytes| Join { protocols: vec![Protocol { name: "range".into(), metadata }], ..dynamic("a") };
    let mut world = World::new();
    world.join(join(subscription));
    world.event(|group, context| group.join_timed_out(context));
    assert!(world.group.is_subscribed_to("t") && !world.group.is_subscribed_to("u"));
    let mut opaque = World::new();
    opaque.join(join(Bytes::from_static(b"?")));
    opaque.event(|group, context| group.join_timed_out(context));
    assert!(opaque.group.is_subscribed_to("anything"), "nobody knows, so nothing is thrown away");
}

#[test]
fn whoever_waits_is_told_when_the_group_goes_elsewhere() {
    let mut world = World::stable(&["a", "b"]);
    let a = world.join(again("a"));
    world.event(|group, _| group.unloaded(|| GroupError::NotCoordinator));
    assert!(matches!(world.join_code(a), Some(GroupError::NotCoordinator)));
}
