//! Registered brokers and controllers.

use crate::error::ReplayError;
use protocol::ids::Uuid;
use protocol::metadata_record::{
    BrokerEndpoint, BrokerFeature, BrokerRegistrationChangeRecord, ControllerEndpoint, ControllerFeature,
    RegisterBrokerRecord, RegisterControllerRecord,
};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// Where a listener is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The listener's name.
    pub name: Arc<str>,
    /// The advertised host.
    pub host: Arc<str>,
    /// The advertised port.
    pub port: u16,
    /// The id of its security protocol: 0 is PLAINTEXT.
    pub security_protocol: i16,
}

/// A broker as it registered, and whether it may serve (`BrokerRegistration`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerRegistration {
    /// The broker's id.
    pub id: i32,
    /// The broker epoch: the offset at which the registration was written.
    pub epoch: i64,
    /// The process that registered.
    pub incarnation_id: Uuid,
    /// Its listeners.
    pub endpoints: Vec<Endpoint>,
    /// The levels of each feature that it supports.
    pub features: BTreeMap<Arc<str>, RangeInclusive<i16>>,
    /// Its rack.
    pub rack: Option<Arc<str>>,
    /// Whether it may not lead.
    pub fenced: bool,
    /// Whether it is stopping in an orderly way.
    pub in_controlled_shutdown: bool,
    /// The ids of its log directories, sorted; empty when it did not say.
    pub directories: Vec<Uuid>,
    /// Those of them that get no new replicas (KIP-1066); `None` when it did not say.
    pub cordoned_directories: Option<Vec<Uuid>>,
}

impl BrokerRegistration {
    /// Whether it may lead and follow: neither fenced nor stopping.
    #[must_use]
    pub fn is_active(&self) -> bool {
        !self.fenced && !self.in_controlled_shutdown
    }

    /// The listener of that name.
    #[must_use]
    pub fn endpoint(&self, listener: &str) -> Option<&Endpoint> {
        self.endpoints.iter().find(|endpoint| &*endpoint.name == listener)
    }

    /// Whether a directory of that id is online at this broker, or has a meaning of its own (`DirectoryId.isOnline`).
    #[must_use]
    pub fn has_online_directory(&self, directory: Uuid) -> bool {
        use super::directory_id::{LOST, MIGRATING, UNASSIGNED};
        if directory == UNASSIGNED || directory == MIGRATING {
            return true;
        }
        directory != LOST && (self.directories.is_empty() || self.directories.contains(&directory))
    }

    pub(crate) fn from_record(record: RegisterBrokerRecord) -> Self {
        let mut directories = record.log_dirs;
        directories.sort_unstable();
        let endpoint = |endpoint: BrokerEndpoint| Endpoint {
            name: endpoint.name,
            host: endpoint.host,
            port: endpoint.port,
            security_protocol: endpoint.security_protocol,
        };
        let feature =
            |feature: BrokerFeature| (feature.name, feature.min_supported_version..=feature.max_supported_version);
        Self {
            id: record.broker_id,
            epoch: record.broker_epoch,
            incarnation_id: record.incarnation_id,
            endpoints: record.end_points.into_iter().map(endpoint).collect(),
            features: record.features.into_iter().map(feature).collect(),
            rack: record.rack,
            fenced: record.fenced,
            in_controlled_shutdown: record.in_controlled_shutdown,
            directories,
            cordoned_directories: record.cordoned_log_dirs,
        }
    }

    pub(crate) fn to_record(&self) -> RegisterBrokerRecord {
        let endpoint = |endpoint: &Endpoint| BrokerEndpoint {
            name: endpoint.name.clone(),
            host: endpoint.host.clone(),
            port: endpoint.port,
            security_protocol: endpoint.security_protocol,
        };
        let feature = |(name, levels): (&Arc<str>, &RangeInclusive<i16>)| BrokerFeature {
            name: name.clone(),
            min_supported_version: *levels.start(),
            max_supported_version: *levels.end(),
        };
        RegisterBrokerRecord {
            broker_id: self.id,
            is_migrating_zk_broker: false,
            incarnation_id: self.incarnation_id,
            broker_epoch: self.epoch,
            end_points: self.endpoints.iter().map(endpoint).collect(),
            features: self.features.iter().map(feature).collect(),
            rack: self.rack.clone(),
            fenced: self.fenced,
            in_controlled_shutdown: self.in_controlled_shutdown,
            log_dirs: self.directories.clone(),
            cordoned_log_dirs: self.cordoned_directories.clone(),
        }
    }

    /// Applies a change to this registration (`ClusterDelta.replay`).
    pub(crate) fn change(&mut self, record: &BrokerRegistrationChangeRecord) -> Result<(), ReplayError> {
        match record.fenced {
            0 => {}
            1 => self.fenced = true,
            -1 => self.fenced = false,
            value => return Err(ReplayError::InvalidValue { field: "fenced", value: value.into() }),
        }
        match record.in_controlled_shutdown {
            0 => {}
            1 => self.in_controlled_shutdown = true,
            value => return Err(ReplayError::InvalidValue { field: "in_controlled_shutdown", value: value.into() }),
        }
        if !record.log_dirs.is_empty() {
            self.directories.clone_from(&record.log_dirs);
            self.directories.sort_unstable();
        }
        if record.cordoned_log_dirs.is_some() {
            self.cordoned_directories.clone_from(&record.cordoned_log_dirs);
        }
        Ok(())
    }
}

/// A controller as it registered (KIP-919).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControllerRegistration {
    /// The controller's id.
    pub id: i32,
    /// The process that registered.
    pub incarnation_id: Uuid,
    /// Its listeners.
    pub endpoints: Vec<Endpoint>,
    /// The levels of each feature that it supports.
    pub features: BTreeMap<Arc<str>, RangeInclusive<i16>>,
}

impl ControllerRegistration {
    pub(crate) fn from_record(record: RegisterControllerRecord) -> Self {
        let endpoint = |endpoint: ControllerEndpoint| Endpoint {
            name: endpoint.name,
            host: endpoint.host,
            port: endpoint.port,
            security_protocol: endpoint.security_protocol,
        };
        let feature =
            |feature: ControllerFeature| (feature.name, feature.min_supported_version..=feature.max_supported_version);
        Self {
            id: record.controller_id,
            incarnation_id: record.incarnation_id,
            endpoints: record.end_points.into_iter().map(endpoint).collect(),
            features: record.features.into_iter().map(feature).collect(),
        }
    }

    pub(crate) fn to_record(&self) -> RegisterControllerRecord {
        let endpoint = |endpoint: &Endpoint| ControllerEndpoint {
            name: endpoint.name.clone(),
            host: endpoint.host.clone(),
            port: endpoint.port,
            security_protocol: endpoint.security_protocol,
        };
        let feature = |(name, levels): (&Arc<str>, &RangeInclusive<i16>)| ControllerFeature {
            name: name.clone(),
            min_supported_version: *levels.start(),
            max_supported_version: *levels.end(),
        };
        RegisterControllerRecord {
            controller_id: self.id,
            incarnation_id: self.incarnation_id,
            zk_migration_ready: false,
            end_points: self.endpoints.iter().map(endpoint).collect(),
            features: self.features.iter().map(feature).collect(),
        }
    }
}
