//! Where replicas go.

use super::*;
use crate::controller::placement::Placer;
use crate::error::PlacementError;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// An image of brokers with (rack, fenced).
fn image(brokers: &[(Option<u8>, bool)]) -> Image {
    let mut cluster = Cluster::new();
    for (id, (rack, fenced)) in (0..).zip(brokers) {
        let rack = rack.map(|rack| format!("rack-{rack}").into());
        let request = RegisterBroker { rack, ..cluster.registration(id) };
        cluster.register(&request).expect("it may register");
        if !fenced {
            cluster.heartbeat(&cluster.lives(id)).expect("it is registered");
        }
    }
    cluster.image
}

fn place(image: &Image, partitions: usize, replicas: usize) -> Result<Vec<Vec<i32>>, PlacementError> {
    let mut random = Seeded::new(7);
    let mut placer = Placer::new(image, &mut random);
    (0..partitions).map(|_| placer.place(replicas)).collect()
}

#[test]
fn one_broker_takes_everything() {
    let placed = place(&image(&[(None, false)]), 100, 1).expect("one replica on one broker");
    assert!(placed.iter().all(|replicas| *replicas == [0]));
}

#[test]
fn leaders_and_replicas_are_spread_evenly() {
    let placed = place(&image(&[(None, false); 4]), 400, 2).expect("two replicas on four brokers");
    let mut leaders = BTreeMap::<i32, usize>::new();
    let mut replicas = BTreeMap::<i32, usize>::new();
    for partition in &placed {
        *leaders.entry(partition[0]).or_default() += 1;
        partition.iter().for_each(|broker| *replicas.entry(*broker).or_default() += 1);
    }
    assert!(leaders.values().all(|count| *count == 100), "{leaders:?}");
    assert!(replicas.values().all(|count| (150..=250).contains(count)), "{replicas:?}");
}

#[test]
fn each_rack_has_a_replica_when_there_are_enough() {
    let racks = [(Some(1), false), (Some(1), false), (Some(2), false), (Some(2), false), (Some(3), false)];
    for partition in place(&image(&racks), 60, 3).expect("three replicas in three racks") {
        let used: BTreeSet<_> = partition.iter().map(|broker| racks[*broker as usize].0).collect();
        assert_eq!(used.len(), 3, "{partition:?}");
    }
}

#[test]
fn fenced_brokers_come_last_and_never_lead() {
    let brokers = image(&[(None, false), (None, true), (None, false)]);
    for partition in place(&brokers, 20, 2).expect("two unfenced brokers") {
        assert!(!partition.contains(&1), "{partition:?}");
    }
    for partition in place(&brokers, 20, 3).expect("three brokers") {
        assert_eq!(partition[2], 1, "{partition:?}");
    }
}

#[test]
fn what_cannot_be_placed_is_refused_in_kafkas_words() {
    let too_few = place(&image(&[(None, false)]), 1, 3).expect_err("three replicas on one broker");
    assert_eq!(
        too_few.to_string(),
        "The target replication factor of 3 cannot be reached because only 1 broker(s) are registered or some brokers have \
         all their log directories cordoned."
    );
    let fenced = place(&image(&[(None, true)]), 1, 1).expect_err("nobody can lead");
    assert_eq!(fenced.to_string(), "All brokers are currently fenced.");
}

#[test]
fn a_broker_with_every_directory_cordoned_takes_nothing() {
    let mut cluster = Cluster::of(1);
    let cordoned = RegisterBroker { cordoned_log_dirs: vec![directory(2)], ..cluster.registration(2) };
    cluster.register(&cordoned).expect("it may register");
    cluster.heartbeat(&cluster.lives(2)).expect("it is registered");
    let placed = place(&cluster.image, 20, 1).expect("broker 1 takes them");
    assert!(placed.iter().all(|replicas| *replicas == [1]));
}

proptest! {
    #[test]
    fn no_broker_has_two_replicas_and_the_leader_is_unfenced(
        brokers in proptest::collection::vec((proptest::option::of(0..3_u8), any::<bool>()), 1..8),
        partitions in 1..20_usize,
        replicas in 1..6_usize,
    ) {
        let unfenced = brokers.iter().filter(|(_, fenced)| !fenced).count();
        match place(&image(&brokers), partitions, replicas) {
            Ok(placed) => for partition in placed {
                let distinct: BTreeSet<i32> = partition.iter().copied().collect();
                prop_assert_eq!(distinct.len(), replicas);
                prop_assert!(!brokers[partition[0] as usize].1);
            },
            Err(PlacementError::AllFenced) => prop_assert_eq!(unfenced, 0),
            Err(PlacementError::TooFewBrokers { .. }) => prop_assert!(replicas > brokers.len()),
        }
    }
}
