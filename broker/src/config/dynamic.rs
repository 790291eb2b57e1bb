//! What may change while the broker runs and is not a topic's: worked out anew when the cluster's metadata change.

use raft::image::{Configs, Image};

use super::{BrokerConfig, Keys};

/// Settings as of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DynamicSettings {
    pub flush_threads: usize,
    /// For each log directory.
    pub recovery_threads: usize,
    pub max_connections: usize,
    pub max_connections_per_ip: usize,
}

impl BrokerConfig {
    /// The settings that the cluster may have changed.
    pub fn dynamic(&self, image: &Image) -> DynamicSettings {
        let keys = Keys { layers: self.layers_of(image) };
        DynamicSettings {
            flush_threads: keys.int("background.threads"),
            recovery_threads: keys.int("num.recovery.threads.per.data.dir"),
            max_connections: keys.int("max.connections"),
            max_connections_per_ip: keys.int("max.connections.per.ip"),
        }
    }

    /// A number as it is without what the cluster has stored.
    pub(super) fn static_number(&self, name: &'static str) -> i64 {
        let nothing_stored = Configs::default();
        Keys { layers: self.layers(&nothing_stored) }.number(name)
    }
}
