//! What an operation is decided from, and what comes of it.

use super::features::ELIGIBLE_LEADER_REPLICAS_FEATURE;
use super::random::Randomness;
use super::sessions::Sessions;
use crate::error::{ConfigError, ControllerError};
use crate::image::{BrokerRegistration, ConfigResource, Image, PartitionImage};
use protocol::metadata_record::MetadataRecord;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// The most records that one batch of the metadata log may hold, and so the most that an atomic operation may write
/// (`QuorumController.MAX_RECORDS_PER_USER_OP`).
pub const MAX_RECORDS_PER_BATCH: usize = 10_000;

/// The topic setting that the controller itself must understand, because leaders are elected by it.
pub const MIN_IN_SYNC_REPLICAS_CONFIG: &str = "min.insync.replicas";

/// The other one.
pub const UNCLEAN_LEADER_ELECTION_CONFIG: &str = "unclean.leader.election.enable";

/// What the controller must be told once.
#[derive(Clone, Debug)]
pub struct ControllerConfig {
    /// The cluster's id; registrations of other clusters are refused.
    pub cluster_id: Arc<str>,
    /// Partitions of a topic whose creator did not say (`num.partitions`).
    pub default_partitions: i32,
    /// Replicas of a topic whose creator did not say (`default.replication.factor`).
    pub default_replication_factor: i16,
    /// The static `min.insync.replicas`.
    pub default_min_in_sync_replicas: i32,
    /// The static `unclean.leader.election.enable`.
    pub default_unclean_leader_election: bool,
    /// A broker whose last heartbeat is older is fenced (`broker.session.timeout.ms`).
    pub broker_session_timeout_ms: i64,
    /// The rules for keys and values.
    pub config_rules: ConfigRulesHandle,
}

impl ControllerConfig {
    /// Kafka's defaults for a cluster.
    pub fn new(cluster_id: impl Into<Arc<str>>) -> Self {
        Self {
            cluster_id: cluster_id.into(),
            default_partitions: 1,
            default_replication_factor: 1,
            default_min_in_sync_replicas: 1,
            default_unclean_leader_election: false,
            broker_session_timeout_ms: 9_000,
            config_rules: ConfigRulesHandle(Arc::new(AnyConfig)),
        }
    }
}

/// Which keys and values a resource may have. The broker knows; the controller asks before it writes.
pub trait ConfigRules: Send + Sync {
    /// Judges the whole configuration that a resource would have in place of the one `before`.
    ///
    /// # Errors
    /// What is wrong, in Kafka's words.
    fn check(
        &self,
        resource: &ConfigResource,
        before: &BTreeMap<Arc<str>, Arc<str>>,
        values: &BTreeMap<Arc<str>, Arc<str>>,
    ) -> Result<(), ConfigError>;
}

/// Shared [`ConfigRules`].
#[derive(Clone)]
pub struct ConfigRulesHandle(pub Arc<dyn ConfigRules>);

impl fmt::Debug for ConfigRulesHandle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ConfigRules")
    }
}

/// Rules that allow everything.
struct AnyConfig;

impl ConfigRules for AnyConfig {
    fn check(
        &self,
        _: &ConfigResource,
        _: &BTreeMap<Arc<str>, Arc<str>>,
        _: &BTreeMap<Arc<str>, Arc<str>>,
    ) -> Result<(), ConfigError> {
        Ok(())
    }
}

/// What an operation is decided from.
pub(super) struct Situation<'a> {
    /// Cluster truth, with every operation before this one.
    pub(super) image: &'a Image,
    /// The offset that the operation's first record will have.
    pub(super) next_offset: i64,
    pub(super) config: &'a ControllerConfig,
    pub(super) sessions: &'a mut Sessions,
    pub(super) random: &'a mut dyn Randomness,
}

impl Situation<'_> {
    /// Whether eligible leader replicas are kept (KIP-966).
    pub(super) fn elr_enabled(&self) -> bool {
        self.image.features().get(ELIGIBLE_LEADER_REPLICAS_FEATURE).is_some_and(|level| *level > 0)
    }

    /// In-sync replicas that a topic's writes need, at most its replication factor (`getTopicEffectiveMinIsr`).
    pub(super) fn min_in_sync_replicas(&self, topic: &str, replication_factor: usize) -> usize {
        let value = self.topic_setting(topic, MIN_IN_SYNC_REPLICAS_CONFIG).and_then(|value| value.trim().parse().ok());
        let minimum = value.unwrap_or(self.config.default_min_in_sync_replicas);
        usize::try_from(minimum).unwrap_or(0).min(replication_factor)
    }

    /// Whether a replica that lacks data may lead when no other can.
    pub(super) fn unclean_leader_election(&self, topic: &str) -> bool {
        match self.topic_setting(topic, UNCLEAN_LEADER_ELECTION_CONFIG) {
            Some(value) => value.eq_ignore_ascii_case("true"),
            None => self.config.default_unclean_leader_election,
        }
    }

    /// Whether a replica of the partition may lead: its broker is active, and the directory of the replica online (`LeaderAcceptor`).
    pub(super) fn may_lead(&self, partition: &PartitionImage, replica: i32) -> bool {
        let is_ready = |broker: &BrokerRegistration| {
            broker.is_active()
                && partition.directory(replica).is_none_or(|directory| broker.has_online_directory(directory))
        };
        self.image.broker(replica).is_some_and(|broker| is_ready(broker))
    }

    /// A topic's setting, else the cluster's dynamic default of it.
    fn topic_setting(&self, topic: &str, key: &str) -> Option<&Arc<str>> {
        let configs = self.image.configs();
        configs.get(&ConfigResource::topic(topic), key).or_else(|| configs.get(&ConfigResource::default_broker(), key))
    }
}

/// What comes of an operation: records to write, and what to answer when they are committed.
#[derive(Debug, PartialEq)]
pub(super) struct Plan<T> {
    pub(super) records: Vec<MetadataRecord>,
    pub(super) answer: T,
    /// Whether the records may be written in several batches, in order. Such an operation can end half done and must be
    /// repeatable.
    pub(super) splittable: bool,
}

impl<T> Plan<T> {
    /// Records that are written together or not at all.
    ///
    /// # Errors
    /// [`ControllerError::ExcessiveBatch`] if they do not fit one batch.
    pub(super) fn atomic(records: Vec<MetadataRecord>, answer: T) -> Result<Self, ControllerError> {
        if records.len() > MAX_RECORDS_PER_BATCH {
            return Err(ControllerError::ExcessiveBatch);
        }
        Ok(Self { records, answer, splittable: false })
    }

    /// Records that may be written in several batches.
    pub(super) fn splittable(records: Vec<MetadataRecord>, answer: T) -> Self {
        Self { records, answer, splittable: true }
    }

    /// The same answer without the records: what a request that only wants validation gets.
    pub(super) fn validated(self, validate_only: bool) -> Self {
        if validate_only { Self { records: Vec::new(), ..self } } else { self }
    }
}
