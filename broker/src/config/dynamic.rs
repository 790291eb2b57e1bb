//! What may change while the broker runs and is not a topic's: worked out anew when the cluster's metadata change.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use raft::image::{Configs, Image};

use super::listener_limits::listener_limits;
use super::value::address_counts;
use super::{BrokerConfig, Keys, ListenerLimits};

/// Settings as of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DynamicSettings {
    pub flush_threads: usize,
    /// For each log directory.
    pub recovery_threads: usize,
    pub max_connections: usize,
    /// A second.
    pub max_connection_creation_rate: i32,
    pub max_connections_per_ip: usize,
    /// In place of that, from certain addresses.
    pub max_connections_by_ip: Vec<(IpAddr, usize)>,
    /// What moves between log directories may copy a second, together.
    pub move_bytes_per_second: i64,
    /// Limits of single listeners.
    pub listeners: BTreeMap<Arc<str>, ListenerLimits>,
}

impl BrokerConfig {
    /// The settings that the cluster may have changed.
    pub fn dynamic(&self, image: &Image) -> DynamicSettings {
        let keys = Keys { layers: self.layers_of(image) };
        DynamicSettings {
            flush_threads: keys.int("background.threads"),
            recovery_threads: keys.int("num.recovery.threads.per.data.dir"),
            max_connections: keys.int("max.connections"),
            max_connection_creation_rate: keys.int("max.connection.creation.rate"),
            max_connections_per_ip: keys.int("max.connections.per.ip"),
            // Its row keeps it well formed.
            max_connections_by_ip: address_counts(keys.value("max.connections.per.ip.overrides").text())
                .unwrap_or_default(),
            move_bytes_per_second: keys.number("replica.alter.log.dirs.io.max.bytes.per.second"),
            listeners: listener_limits(self.listeners.names(), &self.listener_keys, image.configs(), self.node_id),
        }
    }

    /// A number as it is without what the cluster has stored.
    pub(super) fn static_number(&self, name: &'static str) -> i64 {
        let nothing_stored = Configs::default();
        Keys { layers: self.layers(&nothing_stored) }.number(name)
    }
}
