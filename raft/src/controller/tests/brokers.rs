//! Brokers register, serve, stop, crash and come back.

use super::*;
use crate::controller::heartbeat::fence_expired;
use crate::error::RegistrationError;
use crate::image::{LeaderRecoveryState, NO_LEADER};
use protocol::metadata_record::{BrokerRegistrationChangeRecord, PartitionChangeRecord};

fn partition_changes(records: &[MetadataRecord]) -> Vec<PartitionChangeRecord> {
    let change = |record: &MetadataRecord| match record {
        MetadataRecord::PartitionChange(change) => Some(change.clone()),
        _ => None,
    };
    records.iter().filter_map(change).collect()
}

/// What a partition change says, without saying of which partition.
fn bare(change: &PartitionChangeRecord) -> PartitionChangeRecord {
    PartitionChangeRecord { partition_id: -1, topic_id: Uuid::nil(), ..change.clone() }
}

fn leaderless() -> PartitionChangeRecord {
    PartitionChangeRecord {
        isr: Some(vec![]),
        leader: NO_LEADER,
        eligible_leader_replicas: Some(vec![1]),
        last_known_elr: Some(vec![1]),
        ..PartitionChangeRecord::default()
    }
}

fn fencing(id: i32, broker_epoch: i64, fenced: i8) -> MetadataRecord {
    BrokerRegistrationChangeRecord { broker_id: id, broker_epoch, fenced, ..Default::default() }.into()
}

#[test]
fn the_broker_epoch_is_the_offset_of_the_registration() {
    let mut cluster = Cluster::new();
    let request = cluster.registration(1);
    let (records, epoch) = cluster.register(&request).expect("it may register");
    assert_eq!(records.len(), 1);
    assert_eq!(epoch, cluster.image.offset());
    let broker = cluster.image.broker(1).expect("it is registered");
    assert!(broker.fenced && broker.epoch == epoch);
    // The same process again, say after its controller changed, keeps its epoch and whether it serves.
    cluster.heartbeat(&cluster.lives(1)).expect("it is registered");
    let (_, again) = cluster.register(&request).expect("it is the same process");
    assert_eq!(again, epoch);
    assert!(!cluster.image.broker(1).expect("it is registered").fenced);
}

#[test]
fn a_broker_serves_when_it_has_seen_its_own_registration() {
    let mut cluster = Cluster::new();
    let request = cluster.registration(1);
    let (_, epoch) = cluster.register(&request).expect("it may register");
    let behind = BrokerHeartbeat { current_metadata_offset: epoch - 1, ..cluster.lives(1) };
    let (records, reply) = cluster.heartbeat(&behind).expect("it is registered");
    assert_eq!((records.len(), reply), (0, reply_of(false, true, false)));
    let unwilling = BrokerHeartbeat { want_fence: true, ..cluster.lives(1) };
    assert_eq!(cluster.heartbeat(&unwilling).expect("it is registered").1, reply_of(true, true, false));
    let (records, reply) = cluster.heartbeat(&cluster.lives(1)).expect("it is registered");
    assert_eq!((records, reply), (vec![fencing(1, epoch, -1)], reply_of(true, false, false)));
    let (records, _) = cluster.heartbeat(&cluster.lives(1)).expect("it is registered");
    assert!(records.is_empty(), "a heartbeat that changes nothing writes nothing");
}

fn reply_of(is_caught_up: bool, is_fenced: bool, should_shut_down: bool) -> HeartbeatReply {
    HeartbeatReply { is_caught_up, is_fenced, should_shut_down }
}

/// The same records as Apache Kafka 4.3.1 writes when its only broker is stopped and started again.
#[test]
fn an_orderly_stop_and_start_are_written_as_kafka_writes_them() {
    let mut cluster = Cluster::of(1);
    cluster.create(topic("a", 3, 1)).expect("created");
    let epoch = cluster.image.broker(1).expect("registered").epoch;
    let stopping = BrokerHeartbeat { want_shut_down: true, ..cluster.lives(1) };
    let (records, reply) = cluster.heartbeat(&stopping).expect("registered");
    let in_shutdown = BrokerRegistrationChangeRecord {
        broker_id: 1,
        broker_epoch: epoch,
        in_controlled_shutdown: 1,
        ..Default::default()
    };
    assert_eq!(records[0], in_shutdown.into());
    assert!(partition_changes(&records).iter().all(|change| bare(change) == leaderless()));
    assert_eq!((records.len(), reply.should_shut_down), (4, false));
    let stopping = BrokerHeartbeat { want_shut_down: true, ..cluster.lives(1) };
    let (records, reply) = cluster.heartbeat(&stopping).expect("registered");
    assert_eq!((records, reply), (vec![fencing(1, epoch, 1)], reply_of(true, true, true)));

    let request = RegisterBroker { previous_broker_epoch: epoch, ..cluster.registration(1) };
    let (records, epoch) = cluster.register(&request).expect("it is fenced");
    assert_eq!(records.len(), 1, "nothing is left to clean up");
    let (records, _) = cluster.heartbeat(&cluster.lives(1)).expect("registered");
    assert_eq!(records[0], fencing(1, epoch, -1));
    let leads = PartitionChangeRecord {
        isr: Some(vec![1]),
        leader: 1,
        eligible_leader_replicas: Some(vec![]),
        last_known_elr: Some(vec![]),
        ..PartitionChangeRecord::default()
    };
    let changes = partition_changes(&records);
    assert_eq!(changes.len(), 3);
    assert!(changes.iter().all(|change| bare(change) == leads));
    let partition = cluster.partition("a", 2);
    assert_eq!((partition.leader_epoch(), partition.partition_epoch()), (2, 2));
    assert_eq!(partition.leader_recovery_state(), LeaderRecoveryState::Recovered);
}

/// The same records as Apache Kafka 4.3.1 writes when its only broker is killed and started again, which waits for its own session to
/// end.
#[test]
fn a_crash_is_written_as_kafka_writes_it() {
    let mut cluster = Cluster::of(1);
    cluster.create(topic("a", 3, 1)).expect("created");
    let epoch = cluster.image.broker(1).expect("registered").epoch;
    let request = cluster.registration(1);
    let refused = cluster.register(&request).expect_err("its session lives");
    assert_eq!(refused, RegistrationError::DuplicateBroker.into());

    cluster.now_ms += 9_001;
    let now_ms = cluster.now_ms;
    let (records, fenced) = cluster.run(|situation| fence_expired(situation, now_ms)).expect("always");
    assert_eq!(fenced, Some(1));
    assert_eq!(records.last(), Some(&fencing(1, epoch, 1)));
    assert!(partition_changes(&records).iter().all(|change| bare(change) == leaderless()));
    let (_, none) = cluster.run(|situation| fence_expired(situation, now_ms)).expect("always");
    assert_eq!(none, None);

    let (records, epoch) = cluster.register(&request).expect("its session has ended");
    let not_eligible =
        PartitionChangeRecord { eligible_leader_replicas: Some(vec![]), ..PartitionChangeRecord::default() };
    assert!(partition_changes(&records).iter().all(|change| bare(change) == not_eligible));
    assert_eq!((records.len(), epoch), (4, cluster.image.offset()));

    let (records, _) = cluster.heartbeat(&cluster.lives(1)).expect("registered");
    let leads_again = PartitionChangeRecord {
        isr: Some(vec![1]),
        leader: 1,
        leader_recovery_state: 1,
        last_known_elr: Some(vec![]),
        ..PartitionChangeRecord::default()
    };
    let changes = partition_changes(&records);
    assert_eq!(changes.len(), 3);
    assert!(changes.iter().all(|change| bare(change) == leads_again));
}

#[test]
fn a_node_that_holds_its_own_locks_does_not_wait_for_its_own_ghost() {
    let mut cluster = Cluster::of(1);
    cluster.create(topic("a", 2, 1)).expect("created");
    let epochs = |cluster: &Cluster| {
        let partition = cluster.partition("a", 1);
        (partition.leader(), partition.leader_epoch())
    };
    assert_eq!(epochs(&cluster), (1, 0));
    let elsewhere =
        RegisterBroker { holds_directory_locks: true, log_dirs: vec![directory(7)], ..cluster.registration(1) };
    let refused = cluster.register(&elsewhere).expect_err("another folder proves nothing");
    assert_eq!(refused, RegistrationError::DuplicateBroker.into());
    let request = RegisterBroker { holds_directory_locks: true, ..cluster.registration(1) };
    let (records, epoch) = cluster.register(&request).expect("the process before is dead");
    assert_eq!(epoch, cluster.image.offset());
    assert_eq!(records.len(), 3);
    assert_eq!(epochs(&cluster), (NO_LEADER, 1));
    cluster.heartbeat(&cluster.lives(1)).expect("registered");
    assert_eq!(epochs(&cluster), (1, 2), "readers can tell that records may be missing");
}

#[test]
fn a_new_controller_gives_every_broker_a_fresh_session() {
    let mut cluster = Cluster::of(2);
    cluster.now_ms += 1_000_000;
    let image = cluster.image.clone();
    cluster.sessions.start_epoch(9, &image);
    let mut fence = |now_ms| cluster.run(|situation| fence_expired(situation, now_ms)).expect("always").1;
    assert_eq!(fence(5_000_000), None, "silence is counted from the first look");
    assert_eq!(fence(5_009_000), None);
    assert_eq!(fence(5_009_001), Some(1));
    assert_eq!(fence(5_009_001), Some(2), "one at a time");
    assert_eq!(fence(5_009_001), None);
}

#[test]
fn a_fenced_leader_is_replaced_from_the_isr() {
    let mut cluster = Cluster::of(3);
    let assignments = vec![(0, vec![1, 2, 3])];
    cluster.create(NewTopic { assignments, ..NewTopic::new("t") }).expect("created");
    let fence = |cluster: &mut Cluster, id| {
        let request = BrokerHeartbeat { want_fence: true, ..cluster.lives(id) };
        cluster.heartbeat(&request).expect("registered");
    };
    fence(&mut cluster, 1);
    let partition = cluster.partition("t", 0);
    assert_eq!((partition.leader(), partition.isr(), partition.elr()), (2, &[2, 3][..], &[][..]));
    fence(&mut cluster, 3);
    fence(&mut cluster, 2);
    let partition = cluster.partition("t", 0);
    assert_eq!((partition.leader(), partition.isr(), partition.elr()), (NO_LEADER, &[][..], &[2][..]));
    assert_eq!(partition.last_known_elr(), [2]);
    // Broker 1 left in sync long ago; only broker 2 has every record.
    cluster.heartbeat(&cluster.lives(1)).expect("registered");
    assert_eq!(cluster.partition("t", 0).leader(), NO_LEADER);
    cluster.heartbeat(&cluster.lives(2)).expect("registered");
    let partition = cluster.partition("t", 0);
    assert_eq!((partition.leader(), partition.isr(), partition.elr()), (2, &[2][..], &[][..]));
    assert_eq!(partition.leader_recovery_state(), LeaderRecoveryState::Recovered);
}

#[test]
fn replicas_that_leave_at_the_minimum_stay_eligible() {
    let mut cluster = Cluster::of(3);
    let configs = vec![(MIN_IN_SYNC_REPLICAS_CONFIG.into(), Some("2".into()))];
    let new = NewTopic { assignments: vec![(0, vec![1, 2, 3])], configs, ..NewTopic::new("t") };
    cluster.create(new).expect("created");
    for id in [3, 2] {
        let request = BrokerHeartbeat { want_fence: true, ..cluster.lives(id) };
        cluster.heartbeat(&request).expect("registered");
    }
    let partition = cluster.partition("t", 0);
    assert_eq!((partition.isr(), partition.elr()), (&[1][..], &[2][..]), "3 left above the minimum, 2 at it");
    // Broker 2 comes back without its marker of a clean stop: its log may lack records.
    cluster.now_ms += 9_001;
    let request = cluster.registration(2);
    cluster.register(&request).expect("it is fenced");
    assert!(cluster.partition("t", 0).elr().is_empty());
}

#[test]
fn an_unclean_leader_is_elected_only_where_allowed() {
    for allowed in ["false", "true"] {
        let mut cluster = Cluster::of(2);
        let configs = vec![(UNCLEAN_LEADER_ELECTION_CONFIG.into(), Some(allowed.into()))];
        let new = NewTopic { assignments: vec![(0, vec![1, 2])], configs, ..NewTopic::new("t") };
        cluster.create(new).expect("created");
        for id in [2, 1] {
            let request = BrokerHeartbeat { want_fence: true, ..cluster.lives(id) };
            cluster.heartbeat(&request).expect("registered");
        }
        cluster.heartbeat(&cluster.lives(2)).expect("registered");
        let partition = cluster.partition("t", 0);
        if allowed == "true" {
            assert_eq!((partition.leader(), partition.isr(), partition.elr()), (2, &[2][..], &[][..]));
            assert_eq!(partition.leader_recovery_state(), LeaderRecoveryState::Recovering);
        } else {
            assert_eq!(partition.leader(), NO_LEADER);
        }
    }
}

#[test]
fn controlled_shutdown_waits_until_others_have_seen_it() {
    let mut cluster = Cluster::of(2);
    cluster.create(NewTopic { assignments: vec![(0, vec![1, 2])], ..NewTopic::new("t") }).expect("created");
    let stop = |cluster: &mut Cluster| {
        let request = BrokerHeartbeat { want_shut_down: true, ..cluster.lives(1) };
        cluster.heartbeat(&request).expect("registered").1.should_shut_down
    };
    assert!(!stop(&mut cluster));
    assert_eq!(cluster.partition("t", 0).leader(), 2);
    assert!(!stop(&mut cluster), "broker 2 has not seen that it leads");
    cluster.heartbeat(&cluster.lives(2)).expect("registered");
    assert!(stop(&mut cluster));
    assert!(cluster.image.broker(1).expect("registered").fenced);
}

#[test]
fn a_lost_directory_moves_the_leaders_in_it() {
    let mut cluster = Cluster::new();
    for id in [1, 2] {
        let log_dirs = vec![directory(id), directory(id + 10)];
        let request = RegisterBroker { log_dirs, ..cluster.registration(id) };
        cluster.register(&request).expect("it may register");
        cluster.heartbeat(&cluster.lives(id)).expect("registered");
    }
    cluster.create(NewTopic { assignments: vec![(0, vec![1, 2]), (1, vec![1, 2])], ..NewTopic::new("t") }).expect("ok");
    let id = cluster.image.topics().by_name("t").expect("it exists").id();
    let placed = |partition_id, place| PartitionChangeRecord {
        partition_id,
        topic_id: id,
        directories: Some(vec![directory(place), directory(2)]),
        ..Default::default()
    };
    cluster.apply(&[placed(0, 1).into(), placed(1, 11).into()]);
    let request = BrokerHeartbeat { offline_log_dirs: vec![directory(1)], ..cluster.lives(1) };
    cluster.heartbeat(&request).expect("registered");
    assert_eq!((cluster.partition("t", 0).leader(), cluster.partition("t", 0).isr()), (2, &[2][..]));
    assert_eq!(cluster.partition("t", 1).leader(), 1);
    assert_eq!(cluster.image.broker(1).expect("registered").directories, [directory(11)]);
    let (records, _) = cluster.heartbeat(&request).expect("registered");
    assert!(records.is_empty(), "it is known");
}

#[test]
fn registrations_are_checked_as_kafka_checks_them() {
    let mut cluster = Cluster::of(1);
    let valid = cluster.registration(2);
    let mut refusal = |request: RegisterBroker| cluster.register(&request).expect_err("refused").to_string();
    assert_eq!(
        refusal(RegisterBroker { cluster_id: "other".into(), ..valid.clone() }),
        "Expected cluster ID cluster, but got cluster ID other"
    );
    assert_eq!(refusal(RegisterBroker { log_dirs: vec![], ..valid.clone() }), "No directories specified in request");
    assert_eq!(
        refusal(RegisterBroker { log_dirs: vec![Uuid::from_u128(99)], ..valid.clone() }),
        "Reserved directory ID in request"
    );
    assert_eq!(
        refusal(RegisterBroker { log_dirs: vec![directory(2); 2], ..valid.clone() }),
        "Duplicate directory ID in request"
    );
    assert_eq!(
        refusal(RegisterBroker { log_dirs: vec![directory(1)], ..valid.clone() }),
        "Broker 1 is already registered with directory AAAAAAAAAAAAAAAAAADRAQ"
    );
    assert_eq!(
        refusal(RegisterBroker { features: Default::default(), ..valid.clone() }),
        "Request features do not contain 'metadata.version'"
    );
    let old = [("metadata.version".into(), 7..=29)].into();
    assert_eq!(
        refusal(RegisterBroker { features: old, ..valid.clone() }),
        "Unable to register because the broker does not support finalized version 1 of eligible.leader.replicas.version. \
         The broker wants a version between 0 and 0, inclusive."
    );
    let mut features = supported_features();
    features.insert("new.feature".into(), 1..=2);
    assert_eq!(
        refusal(RegisterBroker { features, ..valid }),
        "Unable to register because the broker does not support finalized version 0 of new.feature. The broker wants a \
         version between 1 and 2, inclusive."
    );
}

#[test]
fn a_controller_registers() {
    let mut cluster = Cluster::new();
    let request = RegisterController {
        controller_id: 1,
        incarnation_id: Uuid::from_u128(5),
        endpoints: vec![],
        features: supported_features(),
    };
    cluster.run(|_| crate::controller::registration::register_controller(&request)).expect("always");
    let controller = cluster.image.controllers().get(&1).expect("registered");
    assert_eq!(controller.features.get("metadata.version"), Some(&(METADATA_VERSION..=METADATA_VERSION)));
}
