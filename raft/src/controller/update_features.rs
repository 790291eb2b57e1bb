//! Feature levels change (`FeatureControlManager.updateFeatures`, `ConfigurationControlManager.updateFeatures`).

use super::features::{ELIGIBLE_LEADER_REPLICAS_FEATURE, supported_features};
use super::plan::{MIN_IN_SYNC_REPLICAS_CONFIG, Plan, Situation};
use crate::error::{ControllerError, FeatureError, FeatureRefusal};
use crate::image::{ConfigResource, KRAFT_VERSION_FEATURE};
use protocol::metadata_record::{ConfigRecord, FeatureLevelRecord, MetadataRecord};
use std::ops::RangeInclusive;
use std::sync::Arc;

/// What a level may do (`FeatureUpdate.UpgradeType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpgradeType {
    /// Only rise.
    Upgrade,
    /// Fall, where nothing is lost by it.
    SafeDowngrade,
    /// Fall at any price.
    UnsafeDowngrade,
    /// A code that nobody has defined.
    Unknown,
}

/// A feature that is to have another level.
#[derive(Clone, Debug)]
pub struct FeatureUpdate {
    /// The feature's name.
    pub name: Arc<str>,
    /// The level to come; 0 takes the feature away.
    pub level: i16,
    /// What the level may do.
    pub upgrade_type: UpgradeType,
}

/// Changes the levels of features, all or none; `node_id` is this controller's.
pub(super) fn update_features(
    situation: &Situation<'_>,
    node_id: i32,
    updates: &[FeatureUpdate],
    validate_only: bool,
) -> Result<Plan<Result<(), FeatureError>>, ControllerError> {
    let mut records: Vec<MetadataRecord> = Vec::new();
    for update in updates {
        if let Err(refusal) = check(situation, node_id, update) {
            let error = FeatureError { feature: update.name.clone(), level: update.level, refusal };
            return Plan::atomic(Vec::new(), Err(error));
        }
        if &*update.name != KRAFT_VERSION_FEATURE {
            let record = FeatureLevelRecord { name: update.name.clone(), feature_level: update.level };
            records.push(record.into());
        }
    }
    let enables_elr = |update: &FeatureUpdate| &*update.name == ELIGIBLE_LEADER_REPLICAS_FEATURE && update.level > 0;
    if updates.iter().any(enables_elr) {
        records.splice(0..0, elr_safety_records(situation));
    }
    Ok(Plan::atomic(records, Ok(()))?.validated(validate_only))
}

fn check(situation: &Situation<'_>, node_id: i32, update: &FeatureUpdate) -> Result<(), FeatureRefusal> {
    if update.upgrade_type == UpgradeType::Unknown {
        return Err(FeatureRefusal::UnknownUpgradeType);
    }
    let (name, level) = (&update.name, update.level);
    // The quorum is one that is configured, which is level 0 of kraft.version.
    let current = situation.image.features().get(name).copied().unwrap_or(0);
    if level < 0 {
        return Err(FeatureRefusal::Negative);
    }
    check_supported(situation, node_id, name, level)?;
    if level < current && update.upgrade_type == UpgradeType::Upgrade {
        return Err(FeatureRefusal::Downgrade);
    }
    if level > current && update.upgrade_type != UpgradeType::Upgrade {
        return Err(FeatureRefusal::DowngradeToNewer);
    }
    if &**name == KRAFT_VERSION_FEATURE && level > current {
        return Err(FeatureRefusal::StaticQuorum);
    }
    Ok(())
}

/// Whether this controller, every broker and every other controller support the level.
fn check_supported(situation: &Situation<'_>, node_id: i32, name: &str, level: i16) -> Result<(), FeatureRefusal> {
    let check = |what: String, levels: Option<&RangeInclusive<i16>>| {
        let levels = levels.cloned().unwrap_or(0..=0);
        if levels.contains(&level) {
            return Ok(());
        }
        Err(FeatureRefusal::NotSupported { what, levels })
    };
    check(format!("Local controller {node_id}"), supported_features().get(name))?;
    for broker in situation.image.brokers().values() {
        check(format!("Broker {}", broker.id), broker.features.get(name))?;
    }
    for controller in situation.image.controllers().values().filter(|controller| controller.id != node_id) {
        check(format!("Controller {}", controller.id), controller.features.get(name))?;
    }
    Ok(())
}

/// Eligible leader replicas need one minimum of in-sync replicas for the whole cluster.
fn elr_safety_records(situation: &Situation<'_>) -> Vec<MetadataRecord> {
    let configs = situation.image.configs();
    let set = |resource: &ConfigResource, value: Option<Arc<str>>| -> MetadataRecord {
        let record = ConfigRecord {
            resource_type: resource.resource_type.id(),
            resource_name: resource.name.clone(),
            name: MIN_IN_SYNC_REPLICAS_CONFIG.into(),
            value,
        };
        record.into()
    };
    let cluster = ConfigResource::default_broker();
    let mut records = Vec::new();
    if configs.get(&cluster, MIN_IN_SYNC_REPLICAS_CONFIG).is_none() {
        records.push(set(&cluster, Some(situation.config.default_min_in_sync_replicas.to_string().into())));
    }
    for broker in situation.image.brokers().keys() {
        let resource = ConfigResource::broker(*broker);
        if configs.get(&resource, MIN_IN_SYNC_REPLICAS_CONFIG).is_some() {
            records.push(set(&resource, None));
        }
    }
    records
}
