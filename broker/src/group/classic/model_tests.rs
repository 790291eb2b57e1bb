//! Any order of events against what must hold of a group.

use proptest::prelude::*;
use std::collections::HashSet;
use std::sync::Arc;

use super::tests::{World, again, dynamic};
use super::*;
use crate::group::GroupError;
use crate::group::effects::{Effects, Then, Timer};

const MEMBERS: usize = 5;

#[derive(Clone, Debug)]
enum Event {
    Join(usize),
    JoinFixed(usize),
    Again(usize),
    Sync(usize),
    Heartbeat(usize),
    Leave(usize),
    SessionOver(usize),
    JoinOver,
    SyncOver,
    Committed,
    NotCommitted,
    MaxSize(usize),
}

fn event() -> impl Strategy<Value = Event> {
    let member = || 0..MEMBERS;
    prop_oneof![
        3 => member().prop_map(Event::Join),
        2 => member().prop_map(Event::JoinFixed),
        6 => member().prop_map(Event::Again),
        8 => member().prop_map(Event::Sync),
        2 => member().prop_map(Event::Heartbeat),
        1 => member().prop_map(Event::Leave),
        1 => member().prop_map(Event::SessionOver),
        4 => Just(Event::JoinOver),
        1 => Just(Event::SyncOver),
        4 => Just(Event::Committed),
        1 => Just(Event::NotCommitted),
        1 => (1..MEMBERS).prop_map(Event::MaxSize),
    ]
}

/// The id of some member, if there is one.
fn member_id(world: &World, place: usize) -> Option<Arc<str>> {
    let ids: Vec<_> = world.group.members.keys().cloned().collect();
    ids.get(place % ids.len().max(1)).cloned()
}

fn apply(world: &mut World, event: Event, step: usize) {
    match event {
        Event::Join(place) => _ = world.join(dynamic(&format!("member-{step}-{place}"))),
        Event::JoinFixed(place) => {
            let mut join = dynamic(&format!("fixed-{step}-{place}"));
            join.identity.instance_id = Some(format!("instance-{place}").into());
            join.can_skip_assignment = step.is_multiple_of(2);
            world.join(join);
        }
        Event::Again(place) => {
            let Some(id) = member_id(world, place) else { return };
            let mut join = again(&id);
            join.identity.instance_id = world.group.members[&id].identity.instance_id.clone();
            world.join(join);
        }
        Event::Sync(place) => {
            let Some(id) = member_id(world, place) else { return };
            let ids: Vec<_> = world.group.members.keys().cloned().collect();
            let assignments: Vec<(&str, &str)> = ids.iter().map(|id| (&**id, &**id)).collect();
            world.sync(&id, world.group.generation, &assignments);
        }
        Event::Heartbeat(place) => {
            let Some(id) = member_id(world, place) else { return };
            let caller = Caller { member_id: &id, instance_id: None, generation: world.group.generation };
            let (_, effects) = world.group.heartbeat(caller);
            world.take(effects);
        }
        Event::Leave(place) => {
            let Some(member_id) = member_id(world, place) else { return };
            let leaving = Leaving { member_id, instance_id: None, reason: None };
            world.event(|group, context| group.leave(&[leaving], context).1);
        }
        Event::SessionOver(place) => {
            let Some(id) = member_id(world, place) else { return };
            world.timers.remove(&Timer::Session(Arc::clone(&id)));
            world.event(|group, context| group.session_timed_out(&id, context));
        }
        Event::JoinOver => {
            // A timer that is not set does not run out.
            if world.timers.remove(&Timer::Join).is_some() {
                world.event(|group, context| group.join_timed_out(context));
            }
        }
        Event::SyncOver => {
            if world.timers.remove(&Timer::Sync).is_some() {
                world.event(|group, context| group.sync_timed_out(context));
            }
        }
        Event::Committed => world.commit(),
        Event::NotCommitted => not_committed(world),
        Event::MaxSize(size) => world.config.max_size = size,
    }
}

fn not_committed(world: &mut World) {
    for then in std::mem::take(&mut world.waiting) {
        let error = || GroupError::NotAvailable;
        world.event(|group, context| match then {
            Then::Noted | Then::Downgraded { .. } => Effects::default(),
            Then::Assigned { generation, .. } => group.assignment_failed(generation, error, context),
            Then::Replaced(replacement) => group.replacement_failed(*replacement, error()),
        });
    }
}

/// What must hold after every event.
fn check(world: &World, generation_before: i32) -> Result<(), TestCaseError> {
    let group = &world.group;
    let members: Vec<&Member> = group.members().collect();
    prop_assert!(group.generation >= generation_before, "generations only rise");
    prop_assert_eq!(group.awaiting_join, members.iter().filter(|member| member.awaiting_join.is_some()).count());
    prop_assert!(
        group.leader.as_ref().is_none_or(|leader| group.members.contains_key(leader)),
        "the leader is a member"
    );
    prop_assert!(group.pending_syncs.iter().all(|id| group.members.contains_key(id)));
    for (name, count) in &group.supported_protocols {
        let speaks = |member: &&&Member| member.protocols.iter().any(|protocol| protocol.name == *name);
        prop_assert_eq!(*count, members.iter().filter(speaks).count());
    }
    let fixed: HashSet<_> = members.iter().filter_map(|member| member.identity.instance_id.clone()).collect();
    prop_assert_eq!(&fixed, &group.static_members.keys().cloned().collect::<HashSet<_>>());
    for (instance, id) in &group.static_members {
        prop_assert_eq!(group.members[id].identity.instance_id.as_ref(), Some(instance));
    }
    // Nobody who waits was answered.
    for member in &members {
        prop_assert!(member.awaiting_join.is_none_or(|ticket| !world.joined.contains_key(&ticket)));
        prop_assert!(member.awaiting_sync.is_none_or(|ticket| !world.synced.contains_key(&ticket)));
    }
    match group.state {
        GroupState::Empty => prop_assert!(members.is_empty()),
        GroupState::PreparingRebalance => {
            prop_assert!(members.iter().all(|member| member.awaiting_sync.is_none()));
            prop_assert!(world.timers.contains_key(&Timer::Join), "somebody sees to it that it ends");
        }
        GroupState::CompletingRebalance => {
            prop_assert!(group.leader.is_some() && group.protocol.is_some());
            let waits = members.iter().any(|member| member.awaiting_sync.is_none());
            prop_assert!(!waits || world.timers.contains_key(&Timer::Sync) || !world.waiting.is_empty());
        }
        GroupState::Stable => {
            prop_assert!(members.iter().all(|member| member.awaiting_sync.is_none()), "all have their assignment");
        }
    }
    Ok(())
}

/// Every request that is made is answered in the end, once.
fn settle(world: &mut World) -> Result<(), TestCaseError> {
    for _ in 0..20 {
        world.commit();
        if world.timers.remove(&Timer::Join).is_some() {
            world.event(|group, context| group.join_timed_out(context));
        }
        if world.timers.remove(&Timer::Sync).is_some() {
            world.event(|group, context| group.sync_timed_out(context));
        }
        let ids: Vec<_> = world.group.members.keys().cloned().collect();
        for id in ids {
            // Rebalances of earlier ones may have removed it, and its timer with it.
            if world.timers.remove(&Timer::Session(Arc::clone(&id))).is_some() {
                world.event(|group, context| group.session_timed_out(&id, context));
            }
        }
    }
    world.commit();
    let unanswered = world.group.members().any(|m| m.awaiting_join.is_some() || m.awaiting_sync.is_some());
    prop_assert!(!unanswered, "{:?}", world.group);
    prop_assert_eq!(world.group.members().len(), 0, "whoever is silent is removed in the end");
    prop_assert_eq!(world.group.state, GroupState::Empty);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_must_hold_holds_in_any_order_of_events(events in proptest::collection::vec(event(), 1..80)) {
        let mut world = World::new();
        for (step, event) in events.into_iter().enumerate() {
            let before = world.group.generation;
            apply(&mut world, event, step);
            check(&world, before)?;
        }
        settle(&mut world)?;
    }
}
