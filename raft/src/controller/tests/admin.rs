//! Elections, reassignments, feature levels, directories and unregistered brokers, as an administrator asks for them.

use super::*;
use crate::controller::assign_directories::assign_directories;
use crate::controller::elect_leaders::elect_leaders;
use crate::controller::reassignment::alter_reassignments;
use crate::controller::unregister_broker::unregister_broker;
use crate::controller::update_features::update_features;
use crate::error::{DirectoryError, ElectionError, FeatureError, ReassignmentError};
use crate::image::NO_LEADER;
use protocol::metadata_record::{FeatureLevelRecord, PartitionChangeRecord};

fn silence(cluster: &mut Cluster, id: i32) {
    let request = BrokerHeartbeat { want_fence: true, ..cluster.lives(id) };
    cluster.heartbeat(&request).expect("it is registered");
}

fn wake(cluster: &mut Cluster, id: i32) {
    let request = cluster.lives(id);
    cluster.heartbeat(&request).expect("it is registered");
}

fn elect(cluster: &mut Cluster, election: ElectionType, partitions: &[(&str, i32)]) -> Vec<Result<(), ElectionError>> {
    let partitions: Vec<_> = partitions.iter().map(|(topic, index)| ((*topic).into(), vec![*index])).collect();
    let (_, results) = cluster.run(|situation| elect_leaders(situation, election, Some(&partitions))).expect("small");
    results.into_iter().flat_map(|(_, results)| results).map(|(_, result)| result).collect()
}

fn reassign(cluster: &mut Cluster, topic: &str, replicas: Option<&[i32]>) -> Result<(), ReassignmentError> {
    let reassignment = Reassignment { topic: topic.into(), partition: 0, replicas: replicas.map(<[i32]>::to_vec) };
    let (_, mut results) =
        cluster.run(|situation| alter_reassignments(situation, &[reassignment], true)).expect("small");
    results.pop().expect("one partition has one result")
}

fn assigned(name: &str, replicas: &[i32]) -> NewTopic {
    NewTopic { assignments: vec![(0, replicas.to_vec())], ..NewTopic::new(name) }
}

#[test]
fn the_preferred_leader_leads_again_when_it_is_back_in_sync() {
    let mut cluster = Cluster::of(2);
    cluster.create(assigned("t", &[1, 2])).expect("it is created");
    assert_eq!(elect(&mut cluster, ElectionType::Preferred, &[("t", 0)]), [Err(ElectionError::NotNeeded)]);
    silence(&mut cluster, 1);
    assert_eq!(cluster.partition("t", 0).leader(), 2);
    let refused = elect(&mut cluster, ElectionType::Preferred, &[("t", 0)]);
    assert_eq!(refused, [Err(ElectionError::PreferredNotAvailable)]);

    wake(&mut cluster, 1);
    let topic_id = cluster.image.topics().by_name("t").expect("the topic exists").id();
    let in_sync = PartitionChangeRecord { topic_id, partition_id: 0, isr: Some(vec![2, 1]), ..Default::default() };
    cluster.apply(&[in_sync.into()]);
    assert_eq!(elect(&mut cluster, ElectionType::Preferred, &[("t", 0)]), [Ok(())]);
    assert_eq!(cluster.partition("t", 0).leader(), 1);
}

#[test]
fn unknown_partitions_are_refused_in_kafkas_words() {
    let mut cluster = Cluster::of(1);
    cluster.create(topic("t", 1, 1)).expect("it is created");
    let refused = elect(&mut cluster, ElectionType::Unclean, &[("u", 3), ("t", 7), ("t", 0)]);
    let said: Vec<String> = refused.into_iter().map(|result| result.expect_err("refused").to_string()).collect();
    let expected =
        ["No such topic as u", "No such partition as t-7", "Leader election not needed for topic partition."];
    assert_eq!(said, expected);
    let all = cluster.run(|situation| elect_leaders(situation, ElectionType::Preferred, None)).expect("small").1;
    assert_eq!(all, [("t".into(), vec![])], "partitions that need no election are not named");
}

#[test]
fn an_unclean_election_takes_whoever_lives() {
    let mut cluster = Cluster::of(2);
    cluster.apply(&[FeatureLevelRecord { name: "eligible.leader.replicas.version".into(), feature_level: 0 }.into()]);
    cluster.create(assigned("t", &[1, 2])).expect("it is created");
    silence(&mut cluster, 2);
    silence(&mut cluster, 1);
    assert_eq!(cluster.partition("t", 0).leader(), NO_LEADER);
    let refused = elect(&mut cluster, ElectionType::Unclean, &[("t", 0)]);
    assert_eq!(refused, [Err(ElectionError::EligibleNotAvailable)]);
    wake(&mut cluster, 2);
    assert_eq!(cluster.partition("t", 0).leader(), NO_LEADER, "it may lack records");
    assert_eq!(elect(&mut cluster, ElectionType::Unclean, &[("t", 0)]), [Ok(())]);
    assert_eq!((cluster.partition("t", 0).leader(), cluster.partition("t", 0).isr()), (2, &[2][..]));
}

#[test]
fn a_reassignment_goes_through_both_steps_and_back() {
    let mut cluster = Cluster::of(3);
    cluster.create(assigned("t", &[1])).expect("it is created");
    reassign(&mut cluster, "t", Some(&[2])).expect("broker 2 is there");
    let partition = cluster.partition("t", 0);
    assert_eq!((partition.replicas(), partition.adding_replicas()), (&[2, 1][..], &[2][..]));
    assert_eq!((partition.removing_replicas(), partition.leader()), (&[1][..], 1));
    let ongoing = ongoing_reassignments(&cluster.image, "t", None);
    assert_eq!((ongoing.len(), &ongoing[0].adding[..]), (1, &[2][..]));
    assert_eq!(ongoing_reassignments(&cluster.image, "t", Some(&[1])), []);

    reassign(&mut cluster, "t", None).expect("it is taken back");
    let partition = cluster.partition("t", 0);
    assert_eq!((partition.replicas(), partition.adding_replicas()), (&[1][..], &[][..]));
    assert_eq!(reassign(&mut cluster, "t", None), Err(ReassignmentError::NotInProgress));
}

#[test]
fn what_is_in_sync_already_is_reassigned_at_once() {
    let mut cluster = Cluster::of(2);
    cluster.create(assigned("t", &[1, 2])).expect("it is created");
    let epoch = cluster.partition("t", 0).leader_epoch();
    reassign(&mut cluster, "t", Some(&[2])).expect("broker 2 is in sync");
    let partition = cluster.partition("t", 0);
    assert_eq!((partition.replicas(), partition.isr(), partition.leader()), (&[2][..], &[2][..], 2));
    assert!(partition.removing_replicas().is_empty());
    assert!(partition.leader_epoch() > epoch);
    assert_eq!(partition.directories(), [directory(2)]);
}

#[test]
fn reassignments_that_cannot_be_are_refused_in_kafkas_words() {
    let mut cluster = Cluster::of(1);
    cluster.create(assigned("t", &[1])).expect("it is created");
    let mut said = |topic, replicas| reassign(&mut cluster, topic, replicas).expect_err("refused").to_string();
    assert_eq!(said("u", Some(&[1])), "Unable to find a topic named u.");
    assert_eq!(said("t", None), "No partition reassignment is in progress.");
    assert_eq!(said("t", Some(&[])), "The manual partition assignment includes an empty replica list.");
    let unknown = "The manual partition assignment includes broker 9, but no such broker is registered.";
    assert_eq!(said("t", Some(&[9])), unknown);
    let other = Reassignment { topic: "t".into(), partition: 4, replicas: None };
    let same = Reassignment { topic: "t".into(), partition: 0, replicas: Some(vec![1]) };
    let decide = |situation: &mut Situation<'_>| alter_reassignments(situation, &[other, same], false);
    let (records, results) = cluster.run(decide).expect("small");
    assert_eq!(records, []);
    assert_eq!(results[0].clone().expect_err("refused").to_string(), "Unable to find partition t:4.");
    assert_eq!(results[1], Ok(()));
}

fn update(cluster: &mut Cluster, name: &str, level: i16, kind: UpgradeType) -> Result<(), FeatureError> {
    let update = FeatureUpdate { name: name.into(), level, upgrade_type: kind };
    cluster.run(|situation| update_features(situation, 1, &[update], false)).expect("small").1
}

#[test]
fn feature_levels_fall_and_rise() {
    let mut cluster = Cluster::of(1);
    assert_eq!(update(&mut cluster, "group.version", 0, UpgradeType::SafeDowngrade), Ok(()));
    assert_eq!(cluster.image.features().get("group.version"), None);
    assert_eq!(update(&mut cluster, "group.version", 1, UpgradeType::Upgrade), Ok(()));
    assert_eq!(cluster.image.features().get("group.version"), Some(&1));
    assert_eq!(update(&mut cluster, "metadata.version", METADATA_VERSION, UpgradeType::Upgrade), Ok(()));
    assert_eq!(update(&mut cluster, "kraft.version", 0, UpgradeType::Upgrade), Ok(()));
}

#[test]
fn feature_levels_that_cannot_be_are_refused_in_kafkas_words() {
    let mut cluster = Cluster::of(1);
    let mut said = |name, level, kind| update(&mut cluster, name, level, kind).expect_err("refused").to_string();
    let cases = [
        (
            "group.version",
            0,
            UpgradeType::Upgrade,
            "Can't downgrade the version of this feature without setting the upgrade type to either safe or unsafe downgrade.",
        ),
        ("group.version", 7, UpgradeType::Upgrade, "Local controller 1 only supports versions 0-1"),
        ("group.version", -1, UpgradeType::Upgrade, "A feature version cannot be less than 0."),
        ("group.version", 1, UpgradeType::Unknown, "The controller does not support the given upgrade type."),
        ("no.such", 1, UpgradeType::Upgrade, "Local controller 1 does not support this feature."),
        ("kraft.version", 1, UpgradeType::SafeDowngrade, "Can't downgrade to a newer version."),
    ];
    for (name, level, kind, reason) in cases {
        assert_eq!(said(name, level, kind), format!("Invalid update version {level} for feature {name}. {reason}"));
    }
}

#[test]
fn a_replica_that_moves_is_noted_with_its_directory() {
    let mut cluster = Cluster::of(1);
    let created = cluster.create(topic("t", 1, 1)).expect("it is created");
    let epoch = cluster.image.broker(1).expect("it is registered").epoch;
    let there = Uuid::from_u128(0xd999);
    let mut assign = |topic_id, partition| {
        let replica = ReplicaDirectory { topic_id, partition, directory: there };
        cluster.run(|situation| assign_directories(situation, 1, epoch, &[replica])).expect("the epoch is right").1
    };
    assert_eq!(assign(created.id, 0), [Ok(())]);
    assert_eq!(assign(created.id, 1), [Err(DirectoryError::UnknownPartition)]);
    assert_eq!(assign(Uuid::from_u128(5), 0), [Err(DirectoryError::UnknownTopicId)]);
    let partition = cluster.partition("t", 0);
    assert_eq!((partition.directory(1), partition.leader(), partition.leader_epoch()), (Some(there), 1, 0));
}

#[test]
fn an_unregistered_broker_is_gone_from_every_isr() {
    let mut cluster = Cluster::of(2);
    cluster.create(assigned("t", &[1, 2])).expect("it is created");
    cluster.run(|situation| unregister_broker(situation, 1)).expect("it is registered");
    assert!(cluster.image.broker(1).is_none());
    assert_eq!((cluster.partition("t", 0).leader(), cluster.partition("t", 0).isr()), (2, &[2][..]));
    let error = cluster.run(|situation| unregister_broker(situation, 1)).expect_err("it is not registered");
    assert!(matches!(error, ControllerError::BrokerEpoch(_)));
}
