//! Where the replicas of new partitions go: round robin over racks, round robin over the brokers of a rack, fenced brokers only when no
//! other is left, and never as the first replica (`StripedReplicaPlacer`).

use super::random::{Randomness, shuffle};
use crate::error::PlacementError;
use crate::image::{BrokerRegistration, Image, directory_id};
use protocol::ids::Uuid;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Brokers that are taken in turn, from a place that moves on with each partition.
#[derive(Debug, Default)]
struct Ring {
    brokers: Vec<i32>,
    /// How many were taken for this partition.
    taken: usize,
    start: usize,
    round: usize,
}

impl Ring {
    fn next(&mut self, round: usize) -> Option<i32> {
        let count = self.brokers.len();
        if count == 0 {
            return None;
        }
        if self.round != round {
            self.round = round;
            self.taken = 0;
            self.start = (self.start + 1) % count;
        }
        if self.taken == count {
            return None;
        }
        let place = (self.taken + self.start) % count;
        self.taken += 1;
        self.brokers.get(place).copied()
    }
}

#[derive(Debug, Default)]
struct Rack {
    unfenced: Ring,
    fenced: Ring,
}

impl Rack {
    fn next(&mut self, round: usize) -> Option<i32> {
        self.unfenced.next(round).or_else(|| self.fenced.next(round))
    }

    fn rings(&mut self) -> [&mut Ring; 2] {
        [&mut self.unfenced, &mut self.fenced]
    }
}

/// Places partitions one after the other.
pub(super) struct Placer<'a> {
    random: &'a mut dyn Randomness,
    racks: Vec<Rack>,
    brokers: usize,
    unfenced: usize,
    round: usize,
    /// The rack that the next partition starts from.
    start: usize,
}

impl<'a> Placer<'a> {
    /// A placer over the brokers of `image` that can take replicas: those not stopping, and with a directory not cordoned.
    pub(super) fn new(image: &Image, random: &'a mut dyn Randomness) -> Self {
        let mut racks = BTreeMap::<Option<Arc<str>>, Rack>::new();
        let usable = |broker: &&Arc<BrokerRegistration>| !broker.in_controlled_shutdown && takes_replicas(broker);
        let (mut brokers, mut unfenced) = (0, 0);
        for broker in image.brokers().values().filter(usable) {
            let rack = racks.entry(broker.rack.clone()).or_default();
            let ring = if broker.fenced { &mut rack.fenced } else { &mut rack.unfenced };
            ring.brokers.push(broker.id);
            brokers += 1;
            unfenced += usize::from(!broker.fenced);
        }
        let mut racks: Vec<Rack> = racks.into_values().collect();
        for ring in racks.iter_mut().flat_map(Rack::rings).filter(|ring| !ring.brokers.is_empty()) {
            ring.start = random.below(ring.brokers.len());
        }
        let start = if racks.is_empty() { 0 } else { random.below(racks.len()) };
        Self { random, racks, brokers, unfenced, round: 0, start }
    }

    /// The replicas of the next partition, leader first.
    pub(super) fn place(&mut self, replicas: usize) -> Result<Vec<i32>, PlacementError> {
        if self.unfenced == 0 {
            return Err(PlacementError::AllFenced);
        }
        if replicas > self.brokers {
            return Err(PlacementError::TooFewBrokers { wanted: replicas, brokers: self.brokers });
        }
        // After as many partitions as there are brokers that may lead, the same assignments would come again.
        if self.round == self.unfenced && self.unfenced > 1 {
            self.shuffle();
            self.round = 0;
        }
        let racks = self.racks.len();
        let mut placed = Vec::with_capacity(replicas);
        let mut leader_rack = Some(self.start);
        for rack in (0..racks).map(|step| (self.start + step) % racks) {
            if let Some(leader) = self.racks[rack].unfenced.next(self.round) {
                placed.push(leader);
                leader_rack = Some(rack);
                break;
            }
        }
        let mut rack = self.start;
        while placed.len() < replicas {
            // The leader's rack has had its first turn.
            if leader_rack == Some(rack) {
                leader_rack = None;
            } else {
                placed.extend(self.racks[rack].next(self.round));
            }
            rack = (rack + 1) % racks;
        }
        self.round += 1;
        self.start = (self.start + 1) % racks;
        Ok(placed)
    }

    fn shuffle(&mut self) {
        shuffle(self.random, &mut self.racks);
        for ring in self.racks.iter_mut().flat_map(Rack::rings) {
            shuffle(self.random, &mut ring.brokers);
        }
    }
}

/// Whether any directory of the broker takes new replicas (KIP-1066).
fn takes_replicas(broker: &BrokerRegistration) -> bool {
    broker.directories.is_empty() || open_directories(broker).next().is_some()
}

fn open_directories(broker: &BrokerRegistration) -> impl Iterator<Item = Uuid> {
    let cordoned = broker.cordoned_directories.as_deref().unwrap_or_default();
    broker.directories.iter().copied().filter(|directory| !cordoned.contains(directory))
}

/// The log directory that a new replica on that broker is given now: the only one, or none yet, because the broker chooses.
pub(super) fn default_directory(image: &Image, broker: i32) -> Uuid {
    let Some(broker) = image.broker(broker) else { return directory_id::UNASSIGNED };
    if broker.directories.is_empty() {
        return directory_id::MIGRATING;
    }
    let mut open = open_directories(broker);
    match (open.next(), open.next()) {
        (Some(directory), None) => directory,
        _ => directory_id::UNASSIGNED,
    }
}
