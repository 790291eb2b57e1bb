//! What every request may ask: settings, metadata, replicas, the controller.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use raft::controller::Controller;
use raft::image::{Endpoint, Image};
use raft::quorum::Quorum;

use crate::clock::Clock;
use crate::config::BrokerConfig;
use crate::group::GroupCoordinator;
use crate::handlers::SessionCache;
use crate::loggers::Loggers;
use crate::metadata_cache::MetadataCache;
use crate::metrics::Metrics;
use crate::producer_ids::ProducerIds;
use crate::quota::Quotas;
use crate::replica::ReplicaManager;
use crate::server::{ConnectionLimits, ConnectionQuotas};

/// The broker, as its handlers see it.
pub struct Services {
    pub settings: Arc<BrokerConfig>,
    pub clock: Clock,
    pub cluster_id: Arc<str>,
    pub metadata: MetadataCache,
    pub metrics: Metrics,
    pub replicas: Arc<ReplicaManager>,
    pub groups: Arc<GroupCoordinator>,
    pub fetch_sessions: SessionCache,
    pub producer_ids: ProducerIds,
    pub connection_quotas: Arc<ConnectionQuotas>,
    pub quotas: Arc<Quotas>,
    pub loggers: Arc<Loggers>,
    pub quorum: Quorum,
    pub controller: Controller,
    /// Listeners of the controller, as they are bound.
    pub controller_endpoints: Vec<Endpoint>,
    broker_epoch: AtomicI64,
}

/// What [`Services`] are made of.
pub struct Parts {
    pub settings: Arc<BrokerConfig>,
    pub clock: Clock,
    pub loggers: Arc<Loggers>,
    pub cluster_id: Arc<str>,
    pub replicas: Arc<ReplicaManager>,
    pub quorum: Quorum,
    pub controller: Controller,
    pub controller_endpoints: Vec<Endpoint>,
}

impl Services {
    /// Services that show the quorum's present image.
    pub fn new(parts: Parts) -> Self {
        Self {
            metadata: MetadataCache::new(parts.quorum.image()),
            metrics: Metrics::new(),
            fetch_sessions: SessionCache::new(parts.settings.fetch_session_slots),
            producer_ids: ProducerIds::default(),
            connection_quotas: ConnectionQuotas::new(
                ConnectionLimits::new(
                    &parts.settings.dynamic(&parts.quorum.image()),
                    parts.settings.listeners.spared(),
                ),
                parts.settings.quota_windows,
                parts.clock,
            ),
            quotas: Arc::new(Quotas::new(parts.settings.quota_windows, parts.settings.controller_quota_windows)),
            groups: Arc::new(GroupCoordinator::new(parts.settings.groups.clone(), parts.clock, parts.settings.node_id)),
            settings: parts.settings,
            clock: parts.clock,
            loggers: parts.loggers,
            cluster_id: parts.cluster_id,
            replicas: parts.replicas,
            quorum: parts.quorum,
            controller: parts.controller,
            controller_endpoints: parts.controller_endpoints,
            broker_epoch: AtomicI64::new(-1),
        }
    }

    /// Takes over what the cluster says of this broker's keys that may change, and the quotas of its clients.
    pub async fn reconfigure(&self, image: &Image) {
        let settings = self.settings.dynamic(image);
        let limits = ConnectionLimits::new(&settings, self.settings.listeners.spared());
        self.connection_quotas.change(limits.with_quotas(image.client_quotas()).await);
        self.quotas.update(image.client_quotas());
        self.replicas.flusher().resize(settings.flush_threads);
    }

    /// The broker epoch; -1 before the broker is registered.
    pub fn broker_epoch(&self) -> i64 {
        self.broker_epoch.load(Ordering::Acquire)
    }

    pub(crate) fn set_broker_epoch(&self, broker_epoch: i64) {
        self.broker_epoch.store(broker_epoch, Ordering::Release);
    }

    /// Waits until this broker has taken over everything that the controller has committed so far: who is answered after this
    /// finds what it asked for. Cancel safe.
    pub async fn caught_up(&self) {
        self.metadata.reached(self.quorum.image().offset()).await;
    }

    /// Whether that listener is the controller's.
    pub fn is_controller_listener(&self, listener: &str) -> bool {
        self.controller_endpoints.iter().any(|endpoint| &*endpoint.name == listener)
    }
}
