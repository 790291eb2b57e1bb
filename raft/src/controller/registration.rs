//! Brokers and controllers make themselves known (`ClusterControlManager`).

use super::leadership::{BrokerEvent, partition_changes};
use super::plan::{Plan, Situation};
use crate::error::{BrokerEpochError, ControllerError, RegistrationError};
use crate::image::{BrokerRegistration, ControllerRegistration, Endpoint, Image, METADATA_VERSION_FEATURE};
use protocol::ids::Uuid;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;

/// A broker that wants to register.
#[derive(Clone, Debug)]
pub struct RegisterBroker {
    /// The broker's id.
    pub broker_id: i32,
    /// The cluster that it belongs to.
    pub cluster_id: Arc<str>,
    /// This process: a new random id at each start.
    pub incarnation_id: Uuid,
    /// Its listeners.
    pub endpoints: Vec<Endpoint>,
    /// The levels of each feature that it supports.
    pub features: BTreeMap<Arc<str>, RangeInclusive<i16>>,
    /// Its rack.
    pub rack: Option<Arc<str>>,
    /// The ids of its log directories.
    pub log_dirs: Vec<Uuid>,
    /// Those of them that get no new replicas.
    pub cordoned_log_dirs: Vec<Uuid>,
    /// The broker epoch in its marker of a clean shutdown, or -1.
    pub previous_broker_epoch: i64,
    /// The broker runs in this process and holds the locks of its log directories, so that whoever registered with one of them
    /// before is dead: its session need not be waited for.
    pub holds_directory_locks: bool,
}

/// A controller that wants to register (KIP-919).
#[derive(Clone, Debug)]
pub struct RegisterController {
    /// The controller's id.
    pub controller_id: i32,
    /// This process: a new random id at each start.
    pub incarnation_id: Uuid,
    /// Its listeners.
    pub endpoints: Vec<Endpoint>,
    /// The levels of each feature that it supports.
    pub features: BTreeMap<Arc<str>, RangeInclusive<i16>>,
}

/// Registers a broker, and cleans up after its previous process: it leaves every ISR, and if it did not stop cleanly every ELR. Answers the
/// broker epoch.
pub(super) fn register_broker(
    situation: &mut Situation<'_>,
    request: &RegisterBroker,
    now_ms: i64,
) -> Result<Plan<i64>, ControllerError> {
    check_broker(situation, request, now_ms)?;
    let id = request.broker_id;
    let existing = situation.image.broker(id).cloned();
    if let Some(existing) = existing.as_deref()
        && existing.incarnation_id == request.incarnation_id
    {
        situation.sessions.touch(id, existing.epoch, -1, now_ms);
        let amended = BrokerRegistration {
            fenced: existing.fenced,
            in_controlled_shutdown: existing.in_controlled_shutdown,
            ..registration(request, existing.epoch)
        };
        return Plan::atomic(vec![amended.to_record().into()], existing.epoch);
    }
    let is_clean = existing.is_some_and(|existing| existing.epoch == request.previous_broker_epoch);
    let event = if situation.elr_enabled() && !is_clean { BrokerEvent::LostData(id) } else { BrokerEvent::Leaves(id) };
    let mut records = partition_changes(situation, event);
    // The registration comes last: should the batches before it be all that is written, the broker registers again.
    let epoch = situation.next_offset + records.len() as i64;
    records.push(registration(request, epoch).to_record().into());
    situation.sessions.remove(id);
    situation.sessions.touch(id, epoch, -1, now_ms);
    Ok(Plan::splittable(records, epoch))
}

/// Registers a controller.
pub(super) fn register_controller(request: &RegisterController) -> Result<Plan<()>, ControllerError> {
    let registration = ControllerRegistration {
        id: request.controller_id,
        incarnation_id: request.incarnation_id,
        endpoints: request.endpoints.clone(),
        features: request.features.clone(),
    };
    Plan::atomic(vec![registration.to_record().into()], ())
}

/// Whether the request is of the broker's current registration.
pub(super) fn check_broker_epoch(
    image: &Image,
    broker_id: i32,
    broker_epoch: i64,
) -> Result<&Arc<BrokerRegistration>, BrokerEpochError> {
    let broker = image.broker(broker_id).ok_or(BrokerEpochError::Unregistered(broker_id))?;
    if broker.epoch != broker_epoch {
        return Err(BrokerEpochError::Stale { expected: broker.epoch, found: broker_epoch });
    }
    Ok(broker)
}

fn check_broker(situation: &Situation<'_>, request: &RegisterBroker, now_ms: i64) -> Result<(), RegistrationError> {
    let config = situation.config;
    if request.cluster_id != config.cluster_id {
        let (expected, found) = (config.cluster_id.clone(), request.cluster_id.clone());
        return Err(RegistrationError::InconsistentClusterId { expected, found });
    }
    if let Some(existing) = situation.image.broker(request.broker_id) {
        let timeout_ms = config.broker_session_timeout_ms;
        let is_alive = situation.sessions.is_alive(existing.id, existing.epoch, now_ms, timeout_ms);
        let is_other = existing.incarnation_id != request.incarnation_id;
        if is_alive && is_other && !is_known_dead(existing, request) {
            return Err(RegistrationError::DuplicateBroker);
        }
    }
    check_directories(situation.image, request)?;
    check_features(situation.image, request)
}

/// Whether the broker's previous process cannot be alive: it would hold the lock of a directory that the new one has locked.
fn is_known_dead(existing: &BrokerRegistration, request: &RegisterBroker) -> bool {
    request.holds_directory_locks && request.log_dirs.iter().any(|directory| existing.directories.contains(directory))
}

fn check_directories(image: &Image, request: &RegisterBroker) -> Result<(), RegistrationError> {
    if request.log_dirs.is_empty() {
        return Err(RegistrationError::NoDirectories);
    }
    // The first hundred ids are kept for meanings of their own (`DirectoryId.reserved`).
    if request.log_dirs.iter().any(|directory| directory.as_u128() < 100) {
        return Err(RegistrationError::ReservedDirectory);
    }
    if request.log_dirs.iter().collect::<BTreeSet<_>>().len() != request.log_dirs.len() {
        return Err(RegistrationError::DuplicateDirectory);
    }
    for other in image.brokers().values().filter(|broker| broker.id != request.broker_id) {
        if let Some(directory) = request.log_dirs.iter().find(|directory| other.directories.contains(directory)) {
            return Err(RegistrationError::DirectoryOfOther { broker_id: other.id, directory: *directory });
        }
    }
    Ok(())
}

/// Whether the broker supports every finalized level, and 0 of every feature that it names and that is not finalized.
fn check_features(image: &Image, request: &RegisterBroker) -> Result<(), RegistrationError> {
    if !request.features.contains_key(METADATA_VERSION_FEATURE) {
        return Err(RegistrationError::NoMetadataVersion);
    }
    let check = |feature: &Arc<str>, finalized: i16| {
        let levels = request.features.get(feature).cloned().unwrap_or(0..=0);
        if levels.contains(&finalized) {
            return Ok(());
        }
        let (min, max) = levels.into_inner();
        Err(RegistrationError::UnsupportedFeature { feature: feature.clone(), finalized, min, max })
    };
    image.features().iter().try_for_each(|(feature, level)| check(feature, *level))?;
    let not_finalized = request.features.keys().filter(|feature| !image.features().contains_key(*feature));
    not_finalized.filter(|feature| &***feature != METADATA_VERSION_FEATURE).try_for_each(|feature| check(feature, 0))
}

fn registration(request: &RegisterBroker, epoch: i64) -> BrokerRegistration {
    BrokerRegistration {
        id: request.broker_id,
        epoch,
        incarnation_id: request.incarnation_id,
        endpoints: request.endpoints.clone(),
        features: request.features.clone(),
        rack: request.rack.clone(),
        fenced: true,
        in_controlled_shutdown: false,
        directories: request.log_dirs.clone(),
        cordoned_directories: Some(request.cordoned_log_dirs.clone()),
    }
}
