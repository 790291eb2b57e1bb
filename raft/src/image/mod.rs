//! Cluster truth at one offset of the metadata log: an immutable [`Image`], the [`ImageBuilder`] that replays records into the next
//! one, and the [`Delta`] between two.

mod builder;
mod cluster;
mod configs;
mod delta;
mod partition;
mod records;
mod security;
mod topics;

pub use builder::ImageBuilder;
pub use cluster::{BrokerRegistration, ControllerRegistration, Endpoint};
pub use configs::{ClientQuotas, ConfigResource, ConfigResourceType, Configs, QuotaEntity};
pub use delta::{ConfigDelta, Delta, TopicDelta};
pub(crate) use partition::NO_LEADER_CHANGE;
pub use partition::{BrokerIds, Directories, LeaderRecoveryState, NO_LEADER, PartitionImage, directory_id};
pub use security::Security;
pub use topics::{TopicImage, Topics};

use imbl::OrdMap;
use std::sync::Arc;

/// The feature that names the format of the metadata log itself.
pub const METADATA_VERSION_FEATURE: &str = "metadata.version";

/// The raft layer's own feature: its level lives in control records, never in metadata records (KAFKA-18979).
pub const KRAFT_VERSION_FEATURE: &str = "kraft.version";

/// The state of the cluster after one offset of the metadata log.
///
/// Immutable and cheap to clone: an image shares with the one before it whatever did not change.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Image {
    pub(crate) provenance: Provenance,
    pub(crate) features: OrdMap<Arc<str>, i16>,
    pub(crate) brokers: OrdMap<i32, Arc<BrokerRegistration>>,
    pub(crate) controllers: OrdMap<i32, Arc<ControllerRegistration>>,
    pub(crate) topics: Topics,
    pub(crate) configs: Configs,
    pub(crate) client_quotas: ClientQuotas,
    pub(crate) next_producer_id: Option<i64>,
    pub(crate) security: Security,
}

/// Up to where the metadata log is in an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// The last offset contained, inclusive; -1 when nothing is.
    pub offset: i64,
    /// The leader epoch of the batch at that offset; -1 when nothing is.
    pub epoch: i32,
    /// When the leader appended that batch, in ms since the epoch.
    pub timestamp_ms: i64,
}

impl Default for Provenance {
    fn default() -> Self {
        Self { offset: -1, epoch: -1, timestamp_ms: -1 }
    }
}

/// A new image and how it differs from the one published before.
#[derive(Clone, Debug)]
pub struct Update {
    /// The new image.
    pub image: Arc<Image>,
    /// What changed.
    pub delta: Arc<Delta>,
}

impl Image {
    /// Up to where the metadata log is in this image.
    #[must_use]
    pub fn provenance(&self) -> Provenance {
        self.provenance
    }

    /// The last offset of the metadata log in this image, inclusive; -1 when nothing is.
    #[must_use]
    pub fn offset(&self) -> i64 {
        self.provenance.offset
    }

    /// The leader epoch of the batch at [`Image::offset`]; -1 when nothing is.
    #[must_use]
    pub fn epoch(&self) -> i32 {
        self.provenance.epoch
    }

    /// Topics and their partitions.
    #[must_use]
    pub fn topics(&self) -> &Topics {
        &self.topics
    }

    /// Registered brokers by id, fenced ones too.
    #[must_use]
    pub fn brokers(&self) -> &OrdMap<i32, Arc<BrokerRegistration>> {
        &self.brokers
    }

    /// The registered broker of that id.
    #[must_use]
    pub fn broker(&self, id: i32) -> Option<&Arc<BrokerRegistration>> {
        self.brokers.get(&id)
    }

    /// Registered controllers by id.
    #[must_use]
    pub fn controllers(&self) -> &OrdMap<i32, Arc<ControllerRegistration>> {
        &self.controllers
    }

    /// What is configured away from the defaults.
    #[must_use]
    pub fn configs(&self) -> &Configs {
        &self.configs
    }

    /// Finalized feature levels by name, `metadata.version` among them.
    #[must_use]
    pub fn features(&self) -> &OrdMap<Arc<str>, i16> {
        &self.features
    }

    /// The finalized `metadata.version`; `None` before the first record.
    #[must_use]
    pub fn metadata_version(&self) -> Option<i16> {
        self.features.get(METADATA_VERSION_FEATURE).copied()
    }

    /// Client quotas.
    #[must_use]
    pub fn client_quotas(&self) -> &ClientQuotas {
        &self.client_quotas
    }

    /// The first producer id that no block contains; `None` before the first block.
    #[must_use]
    pub fn next_producer_id(&self) -> Option<i64> {
        self.next_producer_id
    }

    /// Access control entries, SCRAM credentials and delegation tokens.
    #[must_use]
    pub fn security(&self) -> &Security {
        &self.security
    }
}

#[cfg(test)]
mod tests;
