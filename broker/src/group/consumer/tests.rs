//! Scenarios of one group: epochs, what members are told, and what is refused.

use bytes::Bytes;
use protocol::StrBytes;
use protocol::consumer_protocol::{self, ConsumerPartitions, ConsumerProtocolAssignment, ConsumerProtocolSubscription};
use raft::image::{Image, ImageBuilder, Provenance};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::assignor::Partitions;
use super::*;
use crate::config::{GroupConfig, MigrationPolicy};
use crate::group::classic::{Caller, Context, Identity, Join, Leaving, Protocol, Sync};
use crate::group::effects::{Effects, JoinAnswer, Then, Timer, TimerChange};
use crate::group::members::Members;
use crate::group::offset_shard::{Commit, OffsetCommit};
use crate::group::shard::Shard;

pub(super) const NOW: i64 = 1_700_000_000_000;
pub(super) const GROUP: &str = "g";

/// A partition's groups with topics; carries out what the state machine asks for, but time, which tests let pass by hand.
pub(super) struct World {
    pub(super) shard: Shard,
    pub(super) config: GroupConfig,
    pub(super) topics: Topics,
    pub(super) now_ms: i64,
    pub(super) timers: HashMap<Timer, i64>,
    pub(super) is_resolve_wanted: Option<Vec<Arc<str>>>,
}

pub(super) fn topic_id(name: &str) -> protocol::ids::Uuid {
    let number = name.bytes().fold(0_u128, |sum, byte| sum * 256 + u128::from(byte));
    protocol::ids::Uuid::from_u128(number)
}

/// An image of topics with that many partitions.
fn image(topics: &[(&str, i32)], offset: i64) -> Arc<Image> {
    use protocol::metadata_record::{MetadataRecord, PartitionRecord, TopicRecord};
    let mut builder = ImageBuilder::new(&Image::default());
    for (name, count) in topics {
        let (name, topic_id) = (Arc::from(*name), topic_id(name));
        builder.apply(MetadataRecord::Topic(TopicRecord { name, topic_id })).unwrap();
        for partition_id in 0..*count {
            let partition = PartitionRecord {
                partition_id,
                topic_id,
                replicas: vec![1],
                isr: vec![1],
                leader: 1,
                ..PartitionRecord::default()
            };
            builder.apply(MetadataRecord::Partition(partition)).unwrap();
        }
    }
    Arc::new(builder.finish(Provenance { offset, epoch: 1, timestamp_ms: 0 }).unwrap())
}

impl World {
    pub(super) fn new(topics: &[(&str, i32)]) -> Self {
        let mut config = GroupConfig::for_tests();
        config.initial_rebalance_delay_ms = 0;
        let topics = Topics { image: image(topics, 1), changed_at: 1, created_at: 1 };
        Self { shard: Shard::default(), config, topics, now_ms: NOW, timers: HashMap::new(), is_resolve_wanted: None }
    }

    /// Topics are created, grow or go.
    pub(super) fn set_topics(&mut self, topics: &[(&str, i32)]) {
        let offset = self.topics.image.offset() + 1;
        self.topics = Topics { image: image(topics, offset), changed_at: offset, created_at: offset };
    }

    pub(super) fn event<T>(
        &mut self,
        event: impl FnOnce(&mut Shard, Context<'_>) -> Result<(T, Effects), GroupError>,
    ) -> Result<T, GroupError> {
        let (config, topics) = (self.config.clone(), self.topics.clone());
        let context = Context { config: &config, topics: &topics, now_ms: self.now_ms };
        let (value, effects) = event(&mut self.shard, context)?;
        self.take(effects, context);
        Ok(value)
    }

    fn take(&mut self, effects: Effects, context: Context<'_>) {
        let followed = match effects.then {
            Some(Then::Downgraded { group, rebalance }) => self.shard.downgraded(GROUP, *group, rebalance, context),
            Some(_) => Effects::default(),
            None => {
                effects.records.iter().for_each(|record| self.shard.replay(record, None, self.now_ms));
                Effects::default()
            }
        };
        for change in effects.timers.into_iter().chain(followed.timers) {
            match change {
                TimerChange::Schedule(timer, delay_ms) => _ = self.timers.insert(timer, self.now_ms + delay_ms),
                TimerChange::ScheduleIfAbsent(timer, delay_ms) => {
                    self.timers.entry(timer).or_insert(self.now_ms + delay_ms);
                }
                TimerChange::Cancel(timer) => _ = self.timers.remove(&timer),
            }
        }
        if let Some(regexes) = effects.resolve
            && self.shard.begin_resolving(GROUP)
        {
            self.is_resolve_wanted = Some(regexes);
        }
    }

    pub(super) fn send(&mut self, heartbeat: &Heartbeat) -> Result<HeartbeatAnswer, GroupError> {
        self.event(|shard, context| shard.consumer_heartbeat(GROUP, heartbeat, context))
    }

    pub(super) fn leave(
        &mut self,
        id: &str,
        instance: Option<&str>,
        epoch: i32,
    ) -> Result<HeartbeatAnswer, GroupError> {
        let id = Arc::from(id);
        self.event(|shard, context| {
            let mut effects = Effects::default();
            let answer = shard.consumer(GROUP)?.leave(&id, instance, epoch, context, &mut effects)?;
            Ok((answer, effects))
        })
    }

    pub(super) fn time_out(&mut self, timer: &Timer) {
        self.timers.remove(timer);
        let done = self.event(|shard, context| Ok(((), shard.timed_out(GROUP, timer, context))));
        done.expect("a timer is no request");
    }

    /// The expressions that were to be resolved are.
    pub(super) fn resolve(&mut self) {
        let Some(regexes) = self.is_resolve_wanted.take() else { return };
        let resolved = resolve(&regexes, &self.topics, self.now_ms);
        let done = self.event(|shard, context| Ok(((), shard.regexes_resolved(GROUP, resolved, context))));
        done.expect("resolving is no request");
    }

    pub(super) fn group(&self) -> &ConsumerGroup {
        self.shard.consumer(GROUP).expect("it is a consumer group")
    }

    fn assigned(&self, id: &str) -> Partitions {
        member::without_epochs(&self.group().members[id].assigned)
    }

    /// Reads the group back from its own records.
    pub(super) fn reloaded(&self) -> ConsumerGroup {
        let mut shard = Shard::default();
        self.group().records().iter().for_each(|record| shard.replay(record, None, self.now_ms));
        let resolved = self.group().resolved.iter();
        resolved.for_each(|(regex, to)| shard.replay(&record::regex(GROUP, regex, to), None, self.now_ms));
        shard.consumer(GROUP).expect("it is a consumer group").clone()
    }
}

/// A member that joins and subscribes to those topics.
pub(super) fn join(id: &str, topics: &[&str]) -> Heartbeat {
    Heartbeat {
        member_id: id.into(),
        epoch: 0,
        instance_id: None,
        rack_id: None,
        client_id: "client".into(),
        client_host: "/127.0.0.1".into(),
        rebalance_timeout_ms: Some(60_000),
        topics: Some(topics.iter().map(|topic| Arc::from(*topic)).collect()),
        regex: None,
        assignor: None,
        owned: Some(Partitions::new()),
    }
}

/// A member that goes on, and has those partitions.
pub(super) fn goes_on(id: &str, epoch: i32, owned: Option<Partitions>) -> Heartbeat {
    Heartbeat { epoch, owned, rebalance_timeout_ms: None, topics: None, ..join(id, &[]) }
}

pub(super) fn partitions(list: &[(&str, &[i32])]) -> Partitions {
    list.iter().map(|(topic, partitions)| (topic_id(topic), partitions.iter().copied().collect())).collect()
}

/// Ages the last assignment, so that the next may be made.
fn later(world: &mut World) {
    world.now_ms += 2_000;
}

#[test]
fn a_member_alone_gets_everything_and_a_second_one_what_it_gives_up() {
    let mut world = World::new(&[("t", 4)]);
    let first = world.send(&join("a", &["t"])).unwrap();
    assert_eq!((first.epoch, first.interval_ms), (2, 5_000));
    assert_eq!(first.assignment, Some(partitions(&[("t", &[0, 1, 2, 3])])));
    assert_eq!(world.timers[&Timer::Session("a".into())], NOW + 45_000);
    assert_eq!(world.group().state(), ConsumerGroupState::Stable);

    later(&mut world);
    let second = world.send(&join("b", &["t"])).unwrap();
    assert_eq!((second.epoch, second.assignment), (3, Some(Partitions::new())), "the first still has it");
    assert_eq!(world.group().state(), ConsumerGroupState::Reconciling);

    let told = world.send(&goes_on("a", 2, None)).unwrap();
    assert_eq!((told.epoch, told.assignment), (2, Some(partitions(&[("t", &[0, 1])]))), "it has to give up first");
    assert!(world.timers.contains_key(&Timer::Rebalance("a".into())));
    let waiting = world.send(&goes_on("b", 3, None)).unwrap();
    assert_eq!(waiting.assignment, None, "nothing new");
    let all = Some(partitions(&[("t", &[0, 1, 2, 3])]));
    assert_eq!(world.send(&goes_on("a", 2, all)).unwrap().epoch, 2, "it has not given up");
    let half = Some(partitions(&[("t", &[0, 1])]));
    let done = world.send(&goes_on("a", 2, half)).unwrap();
    assert_eq!((done.epoch, done.assignment), (3, None));
    assert!(!world.timers.contains_key(&Timer::Rebalance("a".into())));
    let got = world.send(&goes_on("b", 3, None)).unwrap();
    assert_eq!(got.assignment, Some(partitions(&[("t", &[2, 3])])));
    assert_eq!(world.group().state(), ConsumerGroupState::Stable);
    assert_eq!(world.reloaded().state(), ConsumerGroupState::Stable);
}

#[test]
fn assignments_are_made_no_more_often_than_the_group_wants() {
    let mut world = World::new(&[("t", 2)]);
    world.send(&join("a", &["t"])).unwrap();
    let early = world.send(&join("b", &["t"])).unwrap();
    assert_eq!((early.epoch, world.group().epoch, world.group().target_epoch), (2, 3, 2));
    assert_eq!(world.group().state(), ConsumerGroupState::Assigning);
    later(&mut world);
    assert_eq!(world.send(&goes_on("b", 2, None)).unwrap().epoch, 3);
    // A clock that was set back: the interval is over when the clock says so, or at once without one.
    world.now_ms = 0;
    assert_eq!(world.send(&join("c", &["t"])).unwrap().epoch, 3);
    assert_eq!(world.group().target_epoch, 3);
}

#[test]
fn a_member_that_is_silent_or_slow_is_removed() {
    let mut world = World::new(&[("t", 2)]);
    world.send(&join("a", &["t"])).unwrap();
    later(&mut world);
    world.send(&join("b", &["t"])).unwrap();
    world.send(&goes_on("a", 2, None)).unwrap();
    world.time_out(&Timer::Rebalance("a".into()));
    assert!(!world.group().members.contains_key("a"), "it did not give up in time");
    assert!(!world.timers.contains_key(&Timer::Session("a".into())));
    later(&mut world);
    assert_eq!(world.send(&goes_on("b", 3, None)).unwrap().assignment, Some(partitions(&[("t", &[0, 1])])));
    world.time_out(&Timer::Rebalance("b".into()));
    assert_eq!(world.group().members.len(), 1, "it has nothing to give up");
    world.time_out(&Timer::Session("b".into()));
    assert_eq!(world.group().state(), ConsumerGroupState::Empty);
    assert!(world.timers.is_empty());
    world.time_out(&Timer::Session("b".into()));
}

#[test]
fn epochs_that_are_not_the_members_are_fenced() {
    let mut world = World::new(&[("t", 2)]);
    let refused = |world: &mut World, heartbeat: &Heartbeat| world.send(heartbeat).unwrap_err().to_string();
    assert_eq!(refused(&mut world, &goes_on("a", 1, None)), "Consumer group g not found.");
    world.send(&join("a", &["t"])).unwrap();
    assert_eq!(refused(&mut world, &goes_on("z", 1, None)), "Member z is not a member of group g.");
    let greater = refused(&mut world, &goes_on("a", 3, None));
    assert!(
        greater.starts_with("The consumer group member has a greater member epoch (3) than the one known"),
        "{greater}"
    );
    // The answer with epoch 2 was lost: the member has nothing that it must not have.
    let again = world.send(&goes_on("a", 0, Some(Partitions::new()))).unwrap();
    assert_eq!((again.epoch, again.assignment), (2, Some(partitions(&[("t", &[0, 1])]))));
    world.set_topics(&[("t", 3)]);
    later(&mut world);
    assert_eq!(world.send(&goes_on("a", 2, None)).unwrap().epoch, 3);
    let lost = Some(partitions(&[("t", &[0, 1])]));
    assert_eq!(world.send(&goes_on("a", 2, lost)).unwrap().epoch, 3, "the epoch before, with a part of what it has");
    for owned in [None, Some(partitions(&[("t", &[7])])), Some(partitions(&[("u", &[0])]))] {
        let smaller = refused(&mut world, &goes_on("a", 2, owned));
        assert!(smaller.contains("has a smaller member epoch (2)"), "{smaller}");
    }
}

#[test]
fn partitions_that_are_added_and_topics_that_go_are_seen_at_the_next_heartbeat() {
    let mut world = World::new(&[("t", 1)]);
    world.send(&join("a", &["t", "u"])).unwrap();
    let hash = world.group().metadata_hash;
    assert_ne!(hash, 0);
    world.set_topics(&[("t", 1), ("other", 3)]);
    later(&mut world);
    assert_eq!(world.send(&goes_on("a", 2, None)).unwrap().epoch, 2, "that concerns nobody");
    world.set_topics(&[("t", 2), ("u", 1)]);
    let grown = world.send(&goes_on("a", 2, None)).unwrap();
    assert_eq!((grown.epoch, grown.assignment), (3, Some(partitions(&[("t", &[0, 1]), ("u", &[0])]))));
    later(&mut world);
    world.set_topics(&[("u", 1)]);
    let told = world.send(&goes_on("a", 3, None)).unwrap();
    assert_eq!(told.assignment, Some(partitions(&[("u", &[0])])), "it has to give up what is gone");
    let done = world.send(&goes_on("a", 3, Some(partitions(&[("u", &[0])])))).unwrap();
    assert_eq!((done.epoch, world.group().state()), (4, ConsumerGroupState::Stable));
}

#[test]
fn a_static_member_keeps_its_place_while_it_is_away() {
    let fixed = |id: &str| Heartbeat { instance_id: Some("i".into()), ..join(id, &["t"]) };
    let mut world = World::new(&[("t", 2)]);
    world.send(&fixed("a")).unwrap();
    let refused = world.send(&fixed("b")).unwrap_err();
    let message =
        "Static member b with instance id i cannot join the group because the instance id is owned by a member.";
    assert!(matches!(refused, GroupError::UnreleasedInstance { .. }) && refused.to_string() == message, "{refused}");
    let fenced = Heartbeat { instance_id: Some("i".into()), ..goes_on("b", 2, None) };
    assert!(matches!(world.send(&fenced), Err(GroupError::FencedInstanceBy { .. })));
    let unknown = Heartbeat { instance_id: Some("j".into()), ..goes_on("b", 2, None) };
    assert!(matches!(world.send(&unknown), Err(GroupError::UnknownInstance(_))));
    assert!(matches!(world.leave("b", Some("i"), LEAVE_STATIC_EPOCH), Err(GroupError::FencedInstanceBy { .. })));
    assert!(matches!(world.leave("b", Some("j"), LEAVE_STATIC_EPOCH), Err(GroupError::UnknownInstance(_))));
    assert_eq!(world.leave("a", Some("i"), LEAVE_STATIC_EPOCH).unwrap().epoch, LEAVE_STATIC_EPOCH);
    assert_eq!(world.group().members["a"].epoch, LEAVE_STATIC_EPOCH);
    assert_eq!(world.group().epoch, 2, "nobody gets its partitions");

    let back = world.send(&fixed("b")).unwrap();
    assert_eq!((back.epoch, back.assignment), (2, Some(partitions(&[("t", &[0, 1])]))));
    assert!(!world.group().members.contains_key("a"));
    assert_eq!(*world.group().static_members["i"], *"b");
    world.leave("b", Some("i"), LEAVE_EPOCH).unwrap();
    assert!(world.group().is_empty() && world.group().static_members.is_empty());
}

#[test]
fn a_group_that_is_full_takes_nobody_more() {
    let mut world = World::new(&[("t", 2)]);
    world.config.consumer.max_size = 1;
    world.send(&join("a", &["t"])).unwrap();
    let refused = world.send(&join("b", &["t"])).unwrap_err();
    assert_eq!(refused.to_string(), "The consumer group has reached its maximum capacity of 1 members.");
    assert!(world.send(&goes_on("a", 2, None)).is_ok());
}

#[test]
fn the_assignor_that_most_prefer_is_used() {
    let mut world = World::new(&[("t", 4), ("u", 4)]);
    let prefers = |id: &str, assignor: &str| Heartbeat { assignor: Some(assignor.into()), ..join(id, &["t", "u"]) };
    world.send(&prefers("a", "range")).unwrap();
    assert_eq!(world.group().describe(context(&world)).assignor, "range");
    later(&mut world);
    world.send(&prefers("b", "range")).unwrap();
    assert_eq!(world.group().target_of("b"), partitions(&[("t", &[2, 3]), ("u", &[2, 3])]));
    world.leave("a", None, LEAVE_EPOCH).unwrap();
    world.send(&Heartbeat { assignor: Some("uniform".into()), ..goes_on("b", 3, None) }).unwrap();
    assert_eq!(world.group().describe(context(&world)).assignor, "uniform");
}

fn context(world: &World) -> Context<'_> {
    Context { config: &world.config, topics: &world.topics, now_ms: world.now_ms }
}

#[test]
fn regular_expressions_are_resolved_and_follow_the_topics() {
    let mut world = World::new(&[("t1", 1), ("t2", 1), ("other", 1)]);
    let by_regex = |id: &str, regex: &str| Heartbeat { topics: None, regex: Some(regex.into()), ..join(id, &[]) };
    let refused = world.send(&by_regex("a", "t(")).unwrap_err().to_string();
    assert_eq!(refused, "SubscribedTopicRegex `t(` is not a valid regular expression: missing closing ).");
    let joined = world.send(&by_regex("a", "t.*")).unwrap();
    assert_eq!((joined.epoch, joined.assignment), (1, Some(Partitions::new())), "not resolved yet");
    world.resolve();
    assert_eq!(world.group().epoch, 2);
    let told = world.send(&goes_on("a", 1, None)).unwrap();
    assert_eq!((told.epoch, told.assignment), (2, Some(partitions(&[("t1", &[0]), ("t2", &[0])]))));

    // New topics are looked for when some time has passed since.
    world.set_topics(&[("t1", 1), ("t2", 1), ("t3", 1), ("other", 1)]);
    world.send(&goes_on("a", 2, None)).unwrap();
    assert_eq!(world.is_resolve_wanted, None);
    world.now_ms += 10_001;
    world.send(&goes_on("a", 2, None)).unwrap();
    world.resolve();
    let told = world.send(&goes_on("a", 2, None)).unwrap();
    assert_eq!(told.assignment, Some(partitions(&[("t1", &[0]), ("t2", &[0]), ("t3", &[0])])));
    assert!(world.group().is_subscribed_to("t3") && !world.group().is_subscribed_to("other"));

    // A second one with the same expression needs no resolving, and the last one takes it along.
    later(&mut world);
    assert_eq!(world.send(&by_regex("b", "t.*")).unwrap().epoch, 4);
    assert!(world.group().is_homogeneous());
    assert_eq!(world.reloaded().resolved, world.group().resolved);
    world.leave("a", None, LEAVE_EPOCH).unwrap();
    assert_eq!(world.group().resolved.len(), 1);
    let changed = Heartbeat { regex: Some("".into()), topics: Some(BTreeSet::new()), ..goes_on("b", 4, None) };
    world.send(&changed).unwrap();
    assert!(world.group().resolved.is_empty() && world.group().subscribed_topics.is_empty());
}

#[test]
fn offsets_are_committed_by_members_of_the_present_epoch_or_who_had_the_partition_before() {
    let mut world = World::new(&[("t", 2)]);
    let commit = |world: &mut World, member_id: &str, generation: i32, partition: i32, version_9: bool| {
        let offset = OffsetCommit {
            topic: StrBytes::from_static_str("t"),
            topic_id: topic_id("t"),
            partition,
            offset: 1,
            leader_epoch: -1,
            metadata: StrBytes::default(),
        };
        world.event(|shard, context| {
            let commit = Commit {
                group: GROUP,
                caller: Caller { member_id, instance_id: None, generation },
                retention_ms: None,
                knows_consumer_protocol: version_9,
                offsets: &[offset],
            };
            Ok(((), shard.commit(&commit, context)?))
        })
    };
    world.send(&join("a", &["t"])).unwrap();
    assert!(commit(&mut world, "a", 2, 0, true).is_ok());
    assert!(matches!(commit(&mut world, "a", 2, 0, false), Err(GroupError::UnsupportedVersion)));
    assert!(matches!(commit(&mut world, "a", 3, 0, true), Err(GroupError::StaleMemberEpoch)));
    assert!(matches!(commit(&mut world, "a", 1, 0, true), Err(GroupError::StaleMemberEpoch)), "before it had it");
    assert!(matches!(commit(&mut world, "", -1, 0, true), Err(GroupError::NoSuchMember { .. })));
    world.set_topics(&[("t", 3)]);
    later(&mut world);
    world.send(&goes_on("a", 2, None)).unwrap();
    assert!(commit(&mut world, "a", 2, 1, true).is_ok(), "it had that one at epoch 2");
    assert!(matches!(commit(&mut world, "a", 2, 2, true), Err(GroupError::StaleMemberEpoch)));
    let fetch = |world: &World, member, epoch| world.group().check_fetch(member, epoch);
    assert!(fetch(&world, None, -1).is_ok() && fetch(&world, Some("a"), 3).is_ok());
    assert!(matches!(fetch(&world, Some("a"), 2), Err(GroupError::StaleMemberEpoch)));
    assert!(matches!(fetch(&world, Some("z"), 2), Err(GroupError::NoSuchMember { .. })));
    world.leave("a", None, LEAVE_EPOCH).unwrap();
    assert!(commit(&mut world, "", -1, 0, true).is_ok(), "nobody is there to mind");
    assert_eq!(world.shard.committed_offset(GROUP, "t", 1).map(|committed| committed.offset), Some(1));
}

#[test]
fn an_empty_group_is_deleted_with_its_offsets_and_makes_room_for_a_classic_one() {
    let mut world = World::new(&[("t", 1)]);
    world.send(&join("a", &["t"])).unwrap();
    assert!(matches!(world.shard.delete_group(GROUP), Err(GroupError::NonEmptyGroup)));
    world.leave("a", None, LEAVE_EPOCH).unwrap();
    let joined = classic_join(&mut world, classic("c", &[], &["t"])).unwrap();
    assert!(joined.is_none(), "it waits for others, as in any classic group");
    assert!(world.shard.classic(GROUP).is_ok());

    let mut world = World::new(&[("t", 1)]);
    world.send(&join("a", &["t"])).unwrap();
    world.leave("a", None, LEAVE_EPOCH).unwrap();
    world.event(|shard, _| Ok(((), shard.delete_group(GROUP)?))).unwrap();
    assert!(world.shard.group(GROUP).is_none());
}

// The classic protocol in such a group, and from one protocol to the other.

/// A consumer of the classic protocol with those partitions.
pub(super) fn classic(id: &str, owned: &[i32], topics: &[&str]) -> Join {
    let text = |text: &str| StrBytes::from_string(text.to_owned());
    let subscription = ConsumerProtocolSubscription {
        topics: topics.iter().map(|topic| text(topic)).collect(),
        user_data: None,
        owned_partitions: vec![ConsumerPartitions { topic: text("t"), partitions: owned.to_vec() }],
        generation_id: -1,
        rack_id: None,
    };
    let metadata = consumer_protocol::write(&subscription, 3).unwrap();
    Join {
        identity: Identity {
            id: Arc::default(),
            instance_id: None,
            client_id: "client".into(),
            client_host: "/127.0.0.1".into(),
        },
        new_member_id: id.into(),
        protocol_type: "consumer".into(),
        protocols: vec![Protocol { name: "range".into(), metadata }],
        rebalance_timeout_ms: 60_000,
        session_timeout_ms: 10_000,
        requires_known_member_id: false,
        can_skip_assignment: true,
        reason: String::new(),
    }
}

pub(super) fn known(join: Join) -> Join {
    let identity = Identity { id: Arc::clone(&join.new_member_id), ..join.identity.clone() };
    Join { identity, ..join }
}

pub(super) fn classic_join(world: &mut World, join: Join) -> Result<Option<JoinAnswer>, GroupError> {
    let answer = world.event(|shard, context| shard.join(GROUP, join, 1, context))?;
    match answer {
        Some(JoinAnswer { error: Some(error), member_id, .. }) if member_id.is_empty() => Err(error),
        answer => Ok(answer),
    }
}

pub(super) fn classic_sync(world: &mut World, id: &str, generation: i32) -> Result<Partitions, GroupError> {
    let sync = Sync {
        member_id: id.into(),
        instance_id: None,
        generation,
        protocol_type: Some("consumer".into()),
        protocol: Some("range".into()),
        assignments: Vec::new(),
    };
    let answer = world.event(|shard, context| shard.sync(GROUP, sync, 1, context))?.expect("it does not wait");
    match answer.error {
        Some(error) => Err(error),
        None => {
            let assignment: ConsumerProtocolAssignment = consumer_protocol::read(answer.assignment).unwrap();
            Ok(classic_member::by_id(&assignment.assigned_partitions, &world.topics))
        }
    }
}

pub(super) fn classic_heartbeat(world: &mut World, member_id: &str, generation: i32) -> Result<(), GroupError> {
    let caller = Caller { member_id, instance_id: None, generation };
    world.event(|shard, _| shard.heartbeat(GROUP, caller))?
}

/// A stable classic group of one member with all partitions of `t`.
fn stable_classic(world: &mut World, id: &str) {
    classic_join(world, classic(id, &[], &["t"])).unwrap();
    world.time_out(&Timer::Join);
    let all = vec![ConsumerPartitions { topic: StrBytes::from_static_str("t"), partitions: vec![0, 1] }];
    let assignment = ConsumerProtocolAssignment { assigned_partitions: all, user_data: None };
    let bytes = consumer_protocol::write(&assignment, 3).unwrap();
    let Ok(group) = world.shard.classic(GROUP) else { panic!("it is classic") };
    let generation = group.generation();
    let sync = Sync {
        member_id: id.into(),
        instance_id: None,
        generation,
        protocol_type: None,
        protocol: None,
        assignments: vec![(id.into(), bytes.clone())],
    };
    group.sync(sync, 2);
    let config = world.config.clone();
    let context = Context { config: &config, topics: &world.topics, now_ms: NOW };
    group.assigned(generation, vec![(id.into(), bytes)], context);
}

#[test]
fn a_classic_group_goes_over_to_the_consumer_protocol_and_back() {
    let mut world = World::new(&[("t", 2)]);
    stable_classic(&mut world, "old");
    let joined = world.send(&join("new", &["t"])).unwrap();
    assert_eq!((joined.epoch, joined.assignment), (2, Some(Partitions::new())));
    let old = &world.group().members["old"];
    assert!(old.uses_classic_protocol() && old.epoch == 1);
    assert_eq!(world.assigned("old"), partitions(&[("t", &[0, 1])]));

    // The classic member is told to join again, gives one up, joins again without it, and asks for its assignment.
    assert!(matches!(classic_heartbeat(&mut world, "old", 1), Err(GroupError::RebalanceInProgress)));
    let told = world.timers[&Timer::MemberJoin("old".into())];
    assert!(matches!(classic_heartbeat(&mut world, "old", 1), Err(GroupError::RebalanceInProgress)));
    assert_eq!(world.timers[&Timer::MemberJoin("old".into())], told, "its time began when it was told first");
    let answer = classic_join(&mut world, known(classic("old", &[0, 1], &["t"]))).unwrap().unwrap();
    assert_eq!((answer.generation, answer.protocol.as_deref()), (1, Some("range")));
    assert!(!world.timers.contains_key(&Timer::MemberJoin("old".into())));
    assert_eq!(classic_sync(&mut world, "old", 1).unwrap(), partitions(&[("t", &[0])]));
    assert!(
        matches!(classic_heartbeat(&mut world, "old", 1), Err(GroupError::RebalanceInProgress)),
        "to be free of it"
    );
    let answer = classic_join(&mut world, known(classic("old", &[0], &["t"]))).unwrap().unwrap();
    assert_eq!(answer.generation, 2);
    assert_eq!(classic_sync(&mut world, "old", 2).unwrap(), partitions(&[("t", &[0])]));
    assert!(classic_heartbeat(&mut world, "old", 2).is_ok());
    assert_eq!(world.send(&goes_on("new", 2, None)).unwrap().assignment, Some(partitions(&[("t", &[1])])));

    // The last member of the consumer protocol leaves: the group is a classic one, and rebalances.
    world.leave("new", None, LEAVE_EPOCH).unwrap();
    let group = world.shard.classic(GROUP).unwrap();
    assert_eq!((group.state().name(), group.generation()), ("PreparingRebalance", 2));
    assert_eq!(group.members().next().map(|member| &**member.id()), Some("old"));
    assert!(world.timers.contains_key(&Timer::Join) && world.timers.contains_key(&Timer::Session("old".into())));
}

#[test]
fn a_policy_forbids_to_go_over() {
    let mut world = World::new(&[("t", 2)]);
    stable_classic(&mut world, "old");
    world.config.consumer.migration_policy = MigrationPolicy::Downgrade;
    let refused = world.send(&join("new", &["t"])).unwrap_err().to_string();
    assert_eq!(refused, "Cannot upgrade classic group g to consumer group because online upgrade is disabled.");
    let refused = world.send(&goes_on("new", 3, None)).unwrap_err().to_string();
    assert_eq!(refused, "Group g is not a consumer group.");
    world.config.consumer.migration_policy = MigrationPolicy::Upgrade;
    world.send(&join("new", &["t"])).unwrap();
    world.leave("new", None, LEAVE_EPOCH).unwrap();
    assert!(world.group().members.contains_key("old"), "it stays what it is");
    world.config.consumer.migration_policy = MigrationPolicy::Disabled;
    let refused = classic_join(&mut world, known(classic("old", &[], &["t"])));
    assert!(matches!(refused, Err(GroupError::InconsistentProtocol)));
}

#[test]
fn classic_members_are_refused_what_is_not_theirs() {
    let mut world = World::new(&[("t", 2)]);
    world.send(&join("new", &["t"])).unwrap();
    later(&mut world);
    let first = Join { requires_known_member_id: true, ..classic("old", &[], &["t"]) };
    let answer = classic_join(&mut world, first).unwrap().unwrap();
    assert!(matches!(answer.error, Some(GroupError::MemberIdRequired)));
    let other = Join { protocol_type: "connect".into(), ..classic("old", &[], &["t"]) };
    assert!(matches!(classic_join(&mut world, other), Err(GroupError::InconsistentProtocol)));
    let opaque = vec![Protocol { name: "range".into(), metadata: Bytes::from_static(b"?") }];
    let malformed = Join { protocols: opaque, ..classic("old", &[], &["t"]) };
    assert!(matches!(classic_join(&mut world, malformed), Err(GroupError::MalformedSubscription)));

    let generation = classic_join(&mut world, known(classic("old", &[], &["t"]))).unwrap().unwrap().generation;
    assert!(world.timers.contains_key(&Timer::MemberSync("old".into())));
    assert!(matches!(classic_sync(&mut world, "old", generation + 1), Err(GroupError::IllegalGeneration)));
    assert!(matches!(classic_sync(&mut world, "nobody", 1), Err(GroupError::NoSuchMember { .. })));
    assert!(matches!(classic_sync(&mut world, "new", 2), Err(GroupError::UnknownMember)));
    assert!(matches!(classic_heartbeat(&mut world, "new", 2), Err(GroupError::UnknownMember)));
    let unlike = vec![Protocol { name: "roundrobin".into(), ..classic("x", &[], &["t"]).protocols[0].clone() }];
    let unlike = Join { protocols: unlike, ..classic("other", &[], &["t"]) };
    assert!(matches!(classic_join(&mut world, unlike), Err(GroupError::InconsistentProtocol)));
    world.time_out(&Timer::MemberSync("old".into()));
    assert!(!world.group().members.contains_key("old"));
    let leaving = |id: &str| Leaving { member_id: id.into(), instance_id: None, reason: None };
    let left = world.event(|shard, context| shard.leave(GROUP, &[leaving("nobody"), leaving("new")], context)).unwrap();
    assert!(left[0].is_err() && left[1].is_ok() && world.group().is_empty());
}

#[test]
fn a_static_member_goes_back_to_the_classic_protocol_in_its_own_place() {
    let mut world = World::new(&[("t", 2)]);
    world.send(&Heartbeat { instance_id: Some("i".into()), ..join("new", &["t"]) }).unwrap();
    let mut back = classic("old", &[], &["t"]);
    back.identity.instance_id = Some("i".into());
    let answer = classic_join(&mut world, back).unwrap().unwrap();
    let group = world.shard.classic(GROUP).unwrap();
    assert_eq!((group.state().name(), group.generation(), answer.generation), ("Stable", 2, 2));
    let member = group.members().next().unwrap();
    let assignment: ConsumerProtocolAssignment = consumer_protocol::read(member.assignment.clone()).unwrap();
    assert_eq!(classic_member::by_id(&assignment.assigned_partitions, &world.topics), partitions(&[("t", &[0, 1])]));
    assert!(matches!(world.shard.group(GROUP).map(|group| &group.members), Some(Members::Classic(_))));
}

#[test]
fn a_member_in_a_state_of_a_later_kafka_begins_anew() {
    let mut world = World::new(&[("t", 1)]);
    world.send(&join("a", &["t"])).unwrap();
    let mut later_kafkas = world.group().members["a"].clone();
    later_kafkas.state = MemberState::Unknown;
    world.shard.replay(&record::current(GROUP, &later_kafkas), None, NOW);
    assert!(matches!(world.send(&goes_on("a", 2, None)), Err(GroupError::UnknownMemberState)));
    let again = world.send(&goes_on("a", 0, Some(Partitions::new()))).unwrap();
    assert_eq!((again.epoch, world.group().state()), (2, ConsumerGroupState::Stable));
}

#[test]
fn a_record_of_old_topics_is_deleted_once() {
    use protocol::coordinator_record::{
        ConsumerGroupPartitionMetadataKey, ConsumerGroupPartitionMetadataValue, CoordinatorRecord,
    };
    let mut world = World::new(&[("t", 1)]);
    let key = ConsumerGroupPartitionMetadataKey { group_id: StrBytes::from_static_str(GROUP) };
    let value = Some(ConsumerGroupPartitionMetadataValue::default());
    world.shard.replay(&CoordinatorRecord::ConsumerGroupPartitionMetadata(key, value), None, NOW);
    assert!(world.group().has_subscription_metadata);
    world.send(&join("a", &["t"])).unwrap();
    assert!(!world.group().has_subscription_metadata);
}

#[test]
fn describing_leaves_out_topics_that_are_gone() {
    let mut world = World::new(&[("t", 1), ("u", 1)]);
    world.send(&join("a", &["t", "u"])).unwrap();
    world.set_topics(&[("t", 1)]);
    let described = world.group().describe(context(&world));
    let names: BTreeMap<&str, &[i32]> =
        described.members[0].assigned.iter().map(|topic| (&*topic.topic, &topic.partitions[..])).collect();
    assert_eq!(names, BTreeMap::from([("t", &[0][..])]));
    assert_eq!((described.epoch, described.target_epoch, described.state.name()), (2, 2, "Stable"));
}
