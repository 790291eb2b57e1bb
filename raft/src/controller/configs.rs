//! Configurations change (`ConfigurationControlManager`). Which keys and values there are is the broker's to say; here they become
//! records.

use super::plan::{MIN_IN_SYNC_REPLICAS_CONFIG, Plan, Situation};
use super::topic_name;
use crate::error::{ConfigError, ControllerError};
use crate::image::{ConfigResource, ConfigResourceType, Image};
use protocol::metadata_record::{ClearElrRecord, ConfigRecord, MetadataRecord};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is to become of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigOp {
    /// It gets this value.
    Set(Arc<str>),
    /// It is unset.
    Delete,
    /// These elements, separated by commas, are added to its list unless they are there.
    Append {
        /// The elements.
        elements: Arc<str>,
        /// The list of a key that is not set.
        default: Option<Arc<str>>,
    },
    /// These elements, separated by commas, are taken out of its list.
    Subtract {
        /// The elements.
        elements: Arc<str>,
        /// The list of a key that is not set.
        default: Option<Arc<str>>,
    },
}

/// What is to become of a resource's configuration.
#[derive(Clone, Debug)]
pub enum ConfigChange {
    /// The named keys change, the others stay.
    Incremental(BTreeMap<Arc<str>, ConfigOp>),
    /// The keys are these, all others are unset.
    Replace(BTreeMap<Arc<str>, Arc<str>>),
}

/// What became of each resource of a request.
pub type ConfigResults = Vec<(ConfigResource, Result<(), ConfigError>)>;

/// Changes configurations. Each resource fails or succeeds alone; all that succeed are written together.
pub(super) fn alter_configs(
    situation: &Situation<'_>,
    changes: &[(ConfigResource, ConfigChange)],
    validate_only: bool,
) -> Result<Plan<ConfigResults>, ControllerError> {
    let mut records = Vec::new();
    let mut results = ConfigResults::new();
    for (resource, change) in changes {
        let altered = check_name(resource).and_then(|()| match change {
            ConfigChange::Incremental(ops) => change_config(situation, resource, ops),
            ConfigChange::Replace(values) => {
                change_config(situation, resource, &replacing(situation, resource, values))
            }
        });
        // Kafka looks at the values first.
        let altered = altered.and_then(|altered| check_exists(situation.image, resource).map(|()| altered));
        results.push((resource.clone(), altered.map(|altered| records.extend(altered))));
    }
    // Records that forget eligible leader replicas come after all others, as Kafka writes them.
    records.sort_by_key(|record| matches!(record, MetadataRecord::ClearElr(_)));
    Ok(Plan::atomic(records, results)?.validated(validate_only))
}

/// The records that carry out `ops` on a resource, which need not exist yet.
pub(super) fn change_config(
    situation: &Situation<'_>,
    resource: &ConfigResource,
    ops: &BTreeMap<Arc<str>, ConfigOp>,
) -> Result<Vec<MetadataRecord>, ConfigError> {
    let current: BTreeMap<Arc<str>, Arc<str>> =
        situation.image.configs().of(resource).map(|(key, value)| (key.clone(), value.clone())).collect();
    let mut values = current.clone();
    let mut records = Vec::new();
    for (key, op) in ops {
        let old = current.get(key);
        let new = op.applied(old);
        // A broker reloads what it is told again, so its records are written even if nothing changes (KAFKA-14136).
        if old == new.as_ref() && resource.resource_type != ConfigResourceType::Broker {
            continue;
        }
        check_value(situation, resource, key, new.as_ref())?;
        match &new {
            Some(value) => values.insert(key.clone(), value.clone()),
            None => values.remove(key),
        };
        let record = ConfigRecord {
            resource_type: resource.resource_type.id(),
            resource_name: resource.name.clone(),
            name: key.clone(),
            value: new,
        };
        records.push(record.into());
    }
    situation.config.config_rules.0.check(resource, &current, &values)?;
    records.extend(clear_elr(situation, resource, &records));
    Ok(records)
}

impl ConfigOp {
    /// The value after the operation on `old`; `None` is unset.
    #[must_use]
    pub fn applied(&self, old: Option<&Arc<str>>) -> Option<Arc<str>> {
        let list = |default: &Option<Arc<str>>| -> Vec<String> {
            let value = old.or(default.as_ref());
            let elements = value.into_iter().flat_map(|value| value.split(','));
            elements.filter(|element| !element.is_empty()).map(str::to_owned).collect()
        };
        match self {
            Self::Set(value) => Some(value.clone()),
            Self::Delete => None,
            Self::Append { elements, default } => {
                let mut list = list(default);
                for element in elements.split(',') {
                    if !list.iter().any(|present| present == element) {
                        list.push(element.to_owned());
                    }
                }
                Some(list.join(",").into())
            }
            Self::Subtract { elements, default } => {
                let mut list = list(default);
                for element in elements.split(',') {
                    if let Some(place) = list.iter().position(|present| present == element) {
                        list.remove(place);
                    }
                }
                Some(list.join(",").into())
            }
        }
    }
}

/// The old form of a change, in which keys that are not named are unset, as operations.
fn replacing(
    situation: &Situation<'_>,
    resource: &ConfigResource,
    values: &BTreeMap<Arc<str>, Arc<str>>,
) -> BTreeMap<Arc<str>, ConfigOp> {
    let deleted = situation.image.configs().of(resource).map(|(key, _)| (key.clone(), ConfigOp::Delete));
    let set = values.iter().map(|(key, value)| (key.clone(), ConfigOp::Set(value.clone())));
    deleted.chain(set).collect()
}

fn check_value(
    situation: &Situation<'_>,
    resource: &ConfigResource,
    key: &str,
    value: Option<&Arc<str>>,
) -> Result<(), ConfigError> {
    if value.is_some_and(|value| value.len() > i16::MAX as usize) {
        return Err(ConfigError::ValueTooLong);
    }
    let is_minimum = key == MIN_IN_SYNC_REPLICAS_CONFIG && resource.resource_type == ConfigResourceType::Broker;
    if !is_minimum || !situation.elr_enabled() {
        return Ok(());
    }
    match value {
        _ if !resource.name.is_empty() => Err(ConfigError::BrokerMinIsr),
        None => Err(ConfigError::ClusterMinIsr),
        Some(_) => Ok(()),
    }
}

/// Eligible leader replicas rest on the minimum of in-sync replicas: when it changes, they are forgotten (KIP-966).
fn clear_elr(
    situation: &Situation<'_>,
    resource: &ConfigResource,
    records: &[MetadataRecord],
) -> Option<MetadataRecord> {
    let sets_minimum = |record: &MetadataRecord| matches!(record, MetadataRecord::Config(record) if &*record.name == MIN_IN_SYNC_REPLICAS_CONFIG);
    if !situation.elr_enabled() || !records.iter().any(sets_minimum) {
        return None;
    }
    let topic_name = match resource.resource_type {
        ConfigResourceType::Topic => resource.name.clone(),
        ConfigResourceType::Broker | ConfigResourceType::ClientMetrics | ConfigResourceType::Group => "".into(),
    };
    Some(ClearElrRecord { topic_name }.into())
}

/// Whether the resource can have such a name (`ControllerConfigurationValidator`).
fn check_name(resource: &ConfigResource) -> Result<(), ConfigError> {
    match (resource.resource_type, resource.name.is_empty()) {
        (ConfigResourceType::Topic, true) => Err(ConfigError::Unnamed("Default topic resources are not allowed.")),
        (ConfigResourceType::Topic, false) => Ok(topic_name::check(&resource.name)?),
        (ConfigResourceType::Group, true) => Err(ConfigError::Unnamed("Default group resources are not allowed.")),
        (ConfigResourceType::ClientMetrics, true) => Err(ConfigError::Unnamed("Subscription name can't be empty")),
        (ConfigResourceType::Group | ConfigResourceType::ClientMetrics | ConfigResourceType::Broker, _) => Ok(()),
    }
}

/// Whether there is such a topic or node (`ConfigResourceExistenceChecker`).
fn check_exists(image: &Image, resource: &ConfigResource) -> Result<(), ConfigError> {
    let name = &resource.name;
    match resource.resource_type {
        ConfigResourceType::Topic if image.topics().by_name(name).is_none() => {
            Err(ConfigError::UnknownTopic(name.clone()))
        }
        ConfigResourceType::Broker if !name.is_empty() => {
            let id = name.parse().map_err(|_| ConfigError::InvalidBrokerName(name.clone()))?;
            let exists = image.broker(id).is_some() || image.controllers().contains_key(&id);
            if exists { Ok(()) } else { Err(ConfigError::UnknownNode(id)) }
        }
        _ => Ok(()),
    }
}
