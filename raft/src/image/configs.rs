//! What is configured away from the defaults: of topics, brokers and groups, and quotas of clients.

use crate::error::ReplayError;
use imbl::OrdMap;
use protocol::metadata_record::{ClientQuotaRecord, ConfigRecord};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a configuration belongs to (`ConfigResource.Type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConfigResourceType {
    /// A topic, by name.
    Topic,
    /// A broker, by id; the empty name is the default of every broker.
    Broker,
    /// A subscription of clients' metrics (KIP-714).
    ClientMetrics,
    /// A group, by id.
    Group,
}

impl ConfigResourceType {
    /// Kafka's id of the type.
    #[must_use]
    pub const fn id(self) -> i8 {
        match self {
            Self::Topic => 2,
            Self::Broker => 4,
            Self::ClientMetrics => 16,
            Self::Group => 32,
        }
    }

    /// The type of Kafka's id, if it is one that configurations are stored for.
    #[must_use]
    pub fn from_id(id: i8) -> Option<Self> {
        [Self::Topic, Self::Broker, Self::ClientMetrics, Self::Group].into_iter().find(|kind| kind.id() == id)
    }
}

/// A topic, broker, … that has a configuration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConfigResource {
    /// What it is.
    pub resource_type: ConfigResourceType,
    /// Its name.
    pub name: Arc<str>,
}

impl ConfigResource {
    /// The configuration of a topic.
    pub fn topic(name: impl Into<Arc<str>>) -> Self {
        Self { resource_type: ConfigResourceType::Topic, name: name.into() }
    }

    /// The configuration of a broker.
    #[must_use]
    pub fn broker(id: i32) -> Self {
        Self { resource_type: ConfigResourceType::Broker, name: id.to_string().into() }
    }

    /// The default of every broker.
    #[must_use]
    pub fn default_broker() -> Self {
        Self { resource_type: ConfigResourceType::Broker, name: "".into() }
    }
}

/// One resource's keys and values.
type Values = Arc<BTreeMap<Arc<str>, Arc<str>>>;

/// The keys and values of every resource that has any.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Configs(OrdMap<ConfigResource, Values>);

impl Configs {
    /// The value of a key, if it is set.
    #[must_use]
    pub fn get(&self, resource: &ConfigResource, key: &str) -> Option<&Arc<str>> {
        self.0.get(resource)?.get(key)
    }

    /// The keys and values that are set for a resource.
    pub fn of(&self, resource: &ConfigResource) -> impl Iterator<Item = (&Arc<str>, &Arc<str>)> {
        self.0.get(resource).into_iter().flat_map(|values| values.iter())
    }

    /// Resources that have any key set, with their keys and values.
    pub fn iter(&self) -> impl Iterator<Item = (&ConfigResource, &BTreeMap<Arc<str>, Arc<str>>)> {
        self.0.iter().map(|(resource, values)| (resource, &**values))
    }

    /// The same, but with these keys and values of a resource in place of all that it has.
    #[must_use]
    pub fn with(&self, resource: &ConfigResource, values: &BTreeMap<Arc<str>, Arc<str>>) -> Self {
        Self(self.0.update(resource.clone(), Arc::new(values.clone())))
    }

    pub(crate) fn map(&self) -> &OrdMap<ConfigResource, Values> {
        &self.0
    }

    pub(crate) fn apply(&mut self, record: ConfigRecord) -> Result<(), ReplayError> {
        let resource_type = ConfigResourceType::from_id(record.resource_type)
            .ok_or(ReplayError::InvalidValue { field: "resource_type", value: record.resource_type.into() })?;
        let resource = ConfigResource { resource_type, name: record.resource_name };
        let mut values = self.0.get(&resource).cloned().unwrap_or_default();
        let changed = Arc::make_mut(&mut values);
        match record.value {
            Some(value) => changed.insert(record.name, value),
            None => changed.remove(&record.name),
        };
        if changed.is_empty() {
            self.0.remove(&resource);
        } else {
            self.0.insert(resource, values);
        }
        Ok(())
    }

    pub(crate) fn remove(&mut self, resource: &ConfigResource) {
        self.0.remove(resource);
    }
}

/// Whom a quota limits: each part's type (`user`, `client-id`, `ip`) and name, where `None` is that type's default.
pub type QuotaEntity = BTreeMap<Arc<str>, Option<Arc<str>>>;

/// Quotas by entity, then by key.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClientQuotas(OrdMap<QuotaEntity, Arc<BTreeMap<Arc<str>, f64>>>);

impl ClientQuotas {
    /// Entities that have any quota, with their quotas.
    pub fn iter(&self) -> impl Iterator<Item = (&QuotaEntity, &BTreeMap<Arc<str>, f64>)> {
        self.0.iter().map(|(entity, quotas)| (entity, &**quotas))
    }

    /// The quotas of an entity, if it has any.
    #[must_use]
    pub fn of(&self, entity: &QuotaEntity) -> Option<&BTreeMap<Arc<str>, f64>> {
        self.0.get(entity).map(|quotas| &**quotas)
    }

    pub(crate) fn map(&self) -> &OrdMap<QuotaEntity, Arc<BTreeMap<Arc<str>, f64>>> {
        &self.0
    }

    pub(crate) fn apply(&mut self, record: ClientQuotaRecord) {
        let entity: QuotaEntity = record.entity.into_iter().map(|part| (part.entity_type, part.entity_name)).collect();
        let mut quotas = self.0.get(&entity).cloned().unwrap_or_default();
        let changed = Arc::make_mut(&mut quotas);
        if record.remove {
            changed.remove(&record.key);
        } else {
            changed.insert(record.key, record.value);
        }
        if changed.is_empty() {
            self.0.remove(&entity);
        } else {
            self.0.insert(entity, quotas);
        }
    }
}
