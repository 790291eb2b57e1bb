//! Any order of events against what must hold of a group: clients of both protocols that are quick, slow, silent or miss an answer,
//! topics that grow and come and go, timers, and clocks that jump.

use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::assignor::Partitions;
use super::tests::{
    GROUP, World, classic, classic_heartbeat, classic_join, classic_sync, goes_on, join, known, topic_id,
};
use super::*;
use crate::group::effects::Timer;

const CLIENTS: usize = 4;
const TOPICS: [&str; 2] = ["t", "u"];

#[derive(Clone, Debug)]
enum Event {
    /// A client joins, or goes on and does what it was told last.
    Heartbeat(usize),
    /// It goes on, but has not given up yet what it was told to.
    SlowHeartbeat(usize),
    /// It goes on, and the answer is lost.
    LostAnswer(usize),
    Leave(usize),
    SessionOver(usize),
    RebalanceOver(usize),
    /// A topic has that many partitions more or, with none, is gone.
    Topic(usize, i32),
    Clock(i64),
}

fn event() -> impl Strategy<Value = Event> {
    let client = || 0..CLIENTS;
    prop_oneof![
        12 => client().prop_map(Event::Heartbeat),
        4 => client().prop_map(Event::SlowHeartbeat),
        2 => client().prop_map(Event::LostAnswer),
        1 => client().prop_map(Event::Leave),
        1 => client().prop_map(Event::SessionOver),
        1 => client().prop_map(Event::RebalanceOver),
        1 => (0..TOPICS.len(), 0..3_i32).prop_map(|(topic, more)| Event::Topic(topic, more)),
        3 => prop_oneof![Just(500), Just(3_000), Just(-10_000), Just(86_400_000)].prop_map(Event::Clock),
    ]
}

/// What a client knows.
#[derive(Clone, Debug, Default)]
struct Client {
    id: String,
    epoch: i32,
    is_member: bool,
    /// An answer was lost: the next request says everything, so that the answer does too. A classic one has yet to ask for its
    /// assignment.
    is_unsure: bool,
    /// What it was told to have, and what it has.
    told: Partitions,
    owned: Partitions,
}

struct Model {
    world: World,
    clients: Vec<Client>,
    counts: BTreeMap<&'static str, i32>,
    joined: usize,
    /// The highest epochs seen.
    epoch: i32,
    target_epoch: i32,
    member_epochs: HashMap<Arc<str>, i32>,
}

impl Model {
    fn new() -> Self {
        let counts = BTreeMap::from([("t", 3), ("u", 2)]);
        let world = World::new(&counts.iter().map(|(name, count)| (*name, *count)).collect::<Vec<_>>());
        let clients = vec![Client::default(); CLIENTS];
        Self { world, clients, counts, joined: 0, epoch: 0, target_epoch: 0, member_epochs: HashMap::new() }
    }

    /// Clients with odd numbers speak the classic protocol, the others subscribe to both topics or to one.
    fn heartbeat(&mut self, place: usize, is_prompt: bool, is_lost: bool) {
        if place % 2 == 1 {
            return self.classic_round(place, is_prompt);
        }
        let client = &mut self.clients[place];
        if is_prompt {
            client.owned = client.told.clone();
        }
        let topics = if place == 0 { &TOPICS[..] } else { &TOPICS[..1] };
        let heartbeat = if client.is_unsure && client.is_member {
            Heartbeat { epoch: client.epoch, owned: Some(client.owned.clone()), ..join(&client.id, topics) }
        } else if client.is_member {
            goes_on(&client.id, client.epoch, Some(client.owned.clone()))
        } else {
            if client.id.is_empty() {
                self.joined += 1;
                client.id = format!("member-{place}-{}", self.joined);
            }
            join(&client.id, topics)
        };
        let answer = self.world.send(&heartbeat);
        let client = &mut self.clients[place];
        client.is_unsure = is_lost;
        match answer {
            Ok(_) if is_lost => client.is_member |= heartbeat.epoch != 0,
            Ok(answer) => {
                client.is_member = true;
                client.epoch = answer.epoch;
                client.told = answer.assignment.unwrap_or_else(|| client.told.clone());
            }
            // Fenced: it abandons everything and joins anew.
            Err(_) => *client = Client { id: std::mem::take(&mut client.id), ..Client::default() },
        }
        self.world.resolve();
    }

    fn classic_round(&mut self, place: usize, is_prompt: bool) {
        let client = self.clients[place].clone();
        if client.is_member && client.is_unsure {
            // It has joined, and asks for its assignment now.
            let synced = classic_sync(&mut self.world, &client.id, client.epoch);
            let client = &mut self.clients[place];
            client.is_unsure = false;
            if let Ok(assigned) = synced {
                (client.told, client.owned) = (assigned.clone(), assigned);
            }
            return;
        }
        if client.is_member && is_prompt && classic_heartbeat(&mut self.world, &client.id, client.epoch).is_ok() {
            return;
        }
        let client = &mut self.clients[place];
        if !client.is_member {
            self.joined += 1;
            *client = Client { id: format!("classic-{place}-{}", self.joined), ..Client::default() };
        }
        let owned: Vec<i32> = client.owned.get(&topic_id("t")).into_iter().flatten().copied().collect();
        let id = client.id.clone();
        let request = classic(&id, &owned, &TOPICS[..1]);
        let request = if client.is_member { known(request) } else { request };
        // In a classic group it would wait for others, which is another model's.
        let is_consumer_group = self.world.shard.consumer(GROUP).is_ok_and(|group| !group.is_empty());
        let answer = is_consumer_group.then(|| classic_join(&mut self.world, request));
        let generation = match answer {
            Some(Ok(Some(answer))) if answer.error.is_none() => answer.generation,
            _ => return self.clients[place] = Client::default(),
        };
        let client = &mut self.clients[place];
        (client.is_member, client.epoch, client.is_unsure) = (true, generation, !is_prompt);
        // One that is not prompt joins, and asks for its assignment another time.
        if is_prompt && let Ok(assigned) = classic_sync(&mut self.world, &id, generation) {
            let client = &mut self.clients[place];
            (client.told, client.owned) = (assigned.clone(), assigned);
        }
    }

    fn gone(&mut self, id: &str) {
        let client = self.clients.iter_mut().find(|client| client.id == id);
        client.into_iter().for_each(|client| *client = Client::default());
        self.member_epochs.remove(id);
    }

    fn apply(&mut self, event: Event) {
        match event {
            Event::Heartbeat(place) => self.heartbeat(place, true, false),
            Event::SlowHeartbeat(place) => self.heartbeat(place, false, false),
            Event::LostAnswer(place) => self.heartbeat(place, true, true),
            Event::Leave(place) => {
                let id = self.clients[place].id.clone();
                if self.world.leave(&id, None, LEAVE_EPOCH).is_ok() {
                    self.gone(&id);
                }
            }
            Event::SessionOver(place) => self.time_out(place, Timer::Session),
            Event::RebalanceOver(place) => self.time_out(place, Timer::Rebalance),
            Event::Topic(place, more) => {
                let count = self.counts.entry(TOPICS[place]).or_default();
                *count = if more == 0 && *count > 0 { 0 } else { *count + more.max(1) };
                let there: Vec<_> = self.counts.iter().filter(|(_, count)| **count > 0).collect();
                let there: Vec<(&str, i32)> = there.into_iter().map(|(name, count)| (*name, *count)).collect();
                self.world.set_topics(&there);
            }
            Event::Clock(jump_ms) => self.world.now_ms += jump_ms,
        }
        self.downgraded();
    }

    /// A timer that is not set does not run out.
    fn time_out(&mut self, place: usize, timer: fn(Arc<str>) -> Timer) {
        let id = self.clients[place].id.clone();
        let timer = timer(Arc::from(&*id));
        if self.world.timers.contains_key(&timer) {
            self.world.time_out(&timer);
            self.gone(&id);
        }
    }

    /// A group that has gone back to the classic protocol is another model's: everybody begins anew.
    fn downgraded(&mut self) {
        if self.world.shard.classic(GROUP).is_ok() {
            let (now_ms, topics) = (self.world.now_ms, self.world.topics.clone());
            self.world = World { now_ms, topics, ..World::new(&[]) };
            self.clients = vec![Client::default(); CLIENTS];
            (self.epoch, self.target_epoch) = (0, 0);
            self.member_epochs.clear();
        }
    }

    /// What must hold after every event.
    fn check(&mut self) -> Result<(), TestCaseError> {
        let Ok(group) = self.world.shard.consumer(GROUP) else { return Ok(()) };
        prop_assert!(group.epoch >= self.epoch && group.target_epoch >= self.target_epoch, "epochs only rise");
        prop_assert!(group.target_epoch <= group.epoch);
        (self.epoch, self.target_epoch) = (group.epoch, group.target_epoch);
        let mut owners = HashMap::new();
        for member in group.members() {
            let before = self.member_epochs.insert(Arc::clone(&member.id), member.epoch);
            prop_assert!(before.is_none_or(|before| member.epoch >= before), "members' epochs only rise");
            prop_assert!(member.epoch <= group.epoch);
            for owned in [&member.assigned, &member.pending_revocation] {
                for (topic, partition) in places(&member::without_epochs(owned)) {
                    prop_assert_eq!(owners.insert((topic, partition), &member.id), None, "two have a partition");
                }
            }
            let is_revoking = member.state == MemberState::UnrevokedPartitions;
            let is_timed = self.world.timers.contains_key(&Timer::Rebalance(Arc::clone(&member.id)));
            prop_assert!(member.uses_classic_protocol() || is_revoking == is_timed, "somebody sees to it that it ends");
        }
        let epochs: BTreeSet<_> = group.partition_epochs.keys().copied().collect();
        prop_assert_eq!(epochs, owners.keys().copied().collect());
        let mut held = HashMap::new();
        for client in &self.clients {
            for place in places(&client.owned) {
                prop_assert_eq!(held.insert(place, &client.id), None, "two clients read a partition");
            }
        }
        if group.state() == ConsumerGroupState::Stable {
            for topic in group.subscribed_topics.keys().filter_map(|topic| self.world.topics.id(topic)) {
                // Topics that have changed since are seen at the next heartbeat.
                let known = group.refreshed.is_some_and(|(offset, _)| offset >= self.world.topics.changed_at);
                for partition in 0..self.world.topics.partition_count(topic) {
                    prop_assert!(!known || owners.contains_key(&(topic, partition)), "nobody has {partition}");
                }
            }
        }
        let reloaded = ConsumerGroup { refreshed: group.refreshed, ..self.world.reloaded() };
        prop_assert_eq!(format!("{:?}", ordered(&reloaded)), format!("{:?}", ordered(group)), "records say it all");
        Ok(())
    }

    /// When everybody is prompt and nothing changes any more, the group becomes stable.
    fn settle(&mut self) -> Result<(), TestCaseError> {
        // A clock that was set back puts the next assignment off until it has caught up.
        let assigned_ms = self.world.shard.consumer(GROUP).map_or(0, |group| group.target_timestamp_ms);
        self.world.now_ms = self.world.now_ms.max(assigned_ms);
        for _ in 0..12 {
            self.world.now_ms += 3_000;
            for place in 0..CLIENTS {
                self.heartbeat(place, true, false);
                self.check()?;
            }
        }
        let group = self.world.group();
        prop_assert_eq!(group.state(), ConsumerGroupState::Stable, "{:?}", group);
        let members: Vec<_> = group.members().map(|member| member.id.to_string()).collect();
        for client in self.clients.clone() {
            prop_assert!(members.contains(&client.id));
            let assigned = member::without_epochs(&self.world.group().members[&*client.id].assigned);
            prop_assert_eq!(&client.told, &assigned, "every client knows what it has");
        }
        // Whoever is silent is removed in the end, and only once.
        for id in members {
            self.world.time_out(&Timer::Session(Arc::from(&*id)));
            if self.world.shard.consumer(GROUP).is_err() {
                return Ok(());
            }
        }
        prop_assert!(self.world.group().is_empty() && self.world.timers.is_empty());
        Ok(())
    }
}

fn places(partitions: &Partitions) -> impl Iterator<Item = (protocol::ids::Uuid, i32)> {
    partitions.iter().flat_map(|(topic, partitions)| partitions.iter().map(|partition| (*topic, *partition)))
}

/// What of a group a record must tell, in an order that does not depend on a hash.
fn ordered(group: &ConsumerGroup) -> impl std::fmt::Debug {
    let ordered = |map: &HashMap<Arc<str>, _>| map.iter().map(|(key, value)| (Arc::clone(key), *value)).collect();
    let subscribed: BTreeMap<Arc<str>, counts::SubscriptionCount> = ordered(&group.subscribed_topics);
    let epochs: BTreeMap<_, _> = group.partition_epochs.iter().collect();
    let numbers = (group.epoch, group.metadata_hash, group.target_epoch, group.classic_members);
    let members: Vec<String> = group.members.values().map(|member| format!("{member:?}")).collect();
    // A member that came after the last assignment is to have nothing, whether a record says so or none.
    let target: Vec<_> = group.target.iter().filter(|(_, partitions)| !partitions.is_empty()).collect();
    format!("{numbers:?} {members:?} {target:?} {subscribed:?} {epochs:?} {:?}", group.resolved)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn what_must_hold_holds_in_any_order_of_events(events in proptest::collection::vec(event(), 1..60)) {
        let mut model = Model::new();
        for event in events {
            model.apply(event);
            model.check()?;
        }
        model.settle()?;
    }
}
