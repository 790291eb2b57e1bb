//! This broker's behaviour: connections, APIs, partitions, settings.
//!
//! ```text
//! server ─► handlers ─► group ─► replica ─► storage
//!              │  └────► metadata_cache, config (readable by all)
//!              └───────► raft::controller (every change of cluster truth)
//! ```
//!
//! - `server`: listeners, connections, the memory that requests may hold.
//! - `handlers`: one file for each API, and the table that ApiVersions is answered from.
//! - [`group`]: the coordinator of consumer groups and their offsets.
//! - `replica`: the partitions that this broker holds; who waits for them; group commit.
//! - [`quota`]: what clients may use, and for how long they have to wait.
//! - [`config`]: every key, one row each; files; what topics inherit from the broker.
//! - [`loggers`]: how detailed the log is, as requests tell and change it.
//! - [`metrics`]: what is counted, and what a scrape shows; [`monitoring`]: metrics and health over HTTP.
//! - `remote_log_manager`, [`remote_storage`], `remote_log_metadata`: what moves to the cold tier, where that is, and who is told of it;
//!   `remote_description`, [`restore`]: what the cold tier is told of topics and groups, and how a cluster comes back from it.
//! - `start`, `tasks`, `replica_moves`: the order in which a broker comes up, and what runs beside connections.
//!
//! # Invariants
//! - What is acknowledged keeps the promise of its acks and durability class. If it cannot be kept, the client gets an error.
//! - Nothing a stranger sends may abort, panic, or hold more memory than the pool.
//! - An image of the metadata is shown when the replicas that it places here are there.
//! - Error codes are chosen in [`error_code`] only, the wall clock is read in [`clock`] only.
//!
//! # Deliberately absent
//! Transactions, replication between brokers, TLS, SASL.

pub mod clock;
pub mod config;
pub mod error_code;
pub mod group;
pub mod handlers;
mod internal_topic;
pub mod loggers;
pub mod metadata_cache;
pub mod metrics;
pub mod monitoring;
pub mod producer_ids;
pub mod quota;
mod remote_description;
mod remote_log_manager;
mod remote_log_metadata;
pub mod remote_storage;
pub mod replica;
mod replica_moves;
pub mod restore;
pub mod server;
pub mod services;
pub mod start;
pub mod system;
pub mod tasks;

use std::path::Path;
use std::sync::Arc;

use protocol::frame::FrameLimits;
use raft::image::{Delta, Endpoint};
use raft::quorum::Quorum;
use storage::LogDir;
use tokio::sync::watch;
use tokio::task::JoinSet;

use clock::Clock;
use config::BrokerConfig;
use loggers::Loggers;
use server::{Listener, RequestMemory, ServerSettings};
use services::{Parts, Services};
use tasks::Tasks;

pub use start::StartError;

/// The largest request but Produce, in bytes.
const MAX_OTHER_REQUEST: usize = 2 << 20;

/// A broker that serves.
pub struct Broker {
    services: Arc<Services>,
    endpoints: Vec<Endpoint>,
    metadata_dir: Arc<LogDir>,
    servers: JoinSet<()>,
    stop_servers: watch::Sender<bool>,
    tasks: Tasks,
    controller: tokio::task::JoinHandle<()>,
    failure: watch::Sender<Option<String>>,
}

impl Broker {
    /// Starts a broker: locks (and at the first start formats) its directories, binds its listeners, joins the quorum, opens
    /// its replicas, registers, and then accepts connections. Logs that a crash left behind are recovered in the
    /// background; each serves as soon as it is whole. Requests change the levels of `loggers`.
    ///
    /// # Errors
    /// [`StartError`]; nothing runs afterwards.
    pub async fn start(settings: BrokerConfig, clock: Clock, loggers: Arc<Loggers>) -> Result<Self, StartError> {
        system::raise_file_limit();
        system::warn_of_strict_overcommit();
        let settings = Arc::new(settings);
        let opened = Arc::clone(&settings);
        let directories = tokio::task::spawn_blocking(move || start::open_directories(&opened)).await??;
        let bound = start::bind(&settings).await.map_err(StartError::Listener)?;
        let monitoring = monitoring::bind(&settings).await.map_err(StartError::Listener)?;
        let truth = start::start_quorum(&settings, &directories, &bound, clock).await?;
        let controller = tokio::spawn(truth.controller_task.run());
        let start::Directories { log_dirs, metadata: metadata_dir, cluster_id, was_clean } = directories;
        let (image, opened) = (truth.quorum.image(), Arc::clone(&settings));
        let tier = start::open_tier(&settings, &cluster_id, &image, &log_dirs)?;
        let replicas =
            tokio::task::spawn_blocking(move || start::open_replicas(&opened, log_dirs, tier, &image, clock.now_ms()))
                .await?;
        let services = Arc::new(Services::new(Parts {
            settings,
            clock,
            loggers,
            cluster_id,
            replicas,
            quorum: truth.quorum,
            controller: truth.controller,
            controller_endpoints: bound.controller_endpoints,
        }));
        let failure = watch::Sender::new(None);
        let mut tasks = Tasks::default();
        services.groups.metadata_changed(&services.metadata.image(), &services.replicas.table(), &Delta::default());
        tasks::metadata_publisher(&mut tasks, &services, truth.updates, failure.clone());
        if let Some(monitoring) = monitoring {
            monitoring::spawn(&mut tasks, monitoring, &services);
        }
        start::join(&services, &bound.client_endpoints).await?;
        if !was_clean {
            recover(&mut tasks, &services);
        }
        tasks::heartbeats(&mut tasks, &services);
        tasks::session_check(&mut tasks, &services);
        tasks::metadata_snapshots(&mut tasks, &services);
        tasks::log_upkeep(&mut tasks, &services);
        tasks::log_cleaner(&mut tasks, &services);
        tasks::group_work(&mut tasks, &services);
        tasks::replica_moves(&mut tasks, &services);
        tasks::remote_log(&mut tasks, &services);
        report_failures(&services, &metadata_dir, &failure);
        let stop_servers = watch::Sender::new(false);
        let servers = serve(&services, bound.listeners, &stop_servers);
        let endpoints = bound.client_endpoints;
        say_ready(services.settings.node_id);
        Ok(Self { services, endpoints, metadata_dir, servers, stop_servers, tasks, controller, failure })
    }

    /// Where clients reach this broker.
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// The cluster's id.
    pub fn cluster_id(&self) -> &str {
        &self.services.cluster_id
    }

    /// The log directories that work.
    pub fn log_dirs(&self) -> impl Iterator<Item = &Path> {
        self.services.replicas.log_dirs().online().map(|log_dir| log_dir.path())
    }

    /// Waits until the broker cannot go on, and says why: its metadata log or all of its log directories have failed.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn failed(&self) -> String {
        let mut failure = self.failure.subscribe();
        let reason = failure.wait_for(Option::is_some).await.ok().and_then(|reason| reason.clone());
        reason.unwrap_or_default()
    }

    /// Stops: accepts nothing more, answers what is under way, flushes everything, and leaves the marker of a clean stop.
    pub async fn shutdown(mut self) {
        let node_id = self.services.settings.node_id;
        tracing::info!("[KafkaRaftServer nodeId={node_id}] shutting down");
        // Requests that wait for other members are answered, so that their connections can end.
        self.services.groups.shutdown();
        self.stop_servers.send_replace(true);
        while self.servers.join_next().await.is_some() {}
        let (broker_epoch, quorum) = (self.services.broker_epoch(), self.services.quorum.clone());
        let replicas = Arc::clone(&self.services.replicas);
        self.tasks.stop().await;
        // The controller's task ends with the last handle to it, which the services hold.
        drop(self.services);
        if let Err(error) = self.controller.await {
            tracing::error!(%error, "the controller failed");
        }
        close_quorum(&quorum).await;
        let metadata_dir = self.metadata_dir;
        let closed = tokio::task::spawn_blocking(move || {
            replicas.flusher().stop();
            close_metadata_dir(&metadata_dir, &replicas, broker_epoch);
            replicas.close(broker_epoch);
        });
        if let Err(error) = closed.await {
            tracing::error!(%error, "the logs were not closed in order");
        }
        tracing::info!("[KafkaRaftServer nodeId={node_id}] shut down completed");
    }
}

/// In Kafka's own words, which scripts and Testcontainers wait for (`BrokerLifecycleManager`, `KafkaServer`, `KafkaRaftServer`).
fn say_ready(node_id: i32) {
    tracing::info!(
        "[BrokerLifecycleManager id={node_id}] The broker has been unfenced. Transitioning from RECOVERY to RUNNING."
    );
    tracing::info!("[KafkaServer id={node_id}] started");
    tracing::info!("[KafkaRaftServer nodeId={node_id}] Kafka Server started");
}

async fn close_quorum(quorum: &Quorum) {
    if let Err(error) = quorum.shutdown().await {
        tracing::error!(%error, "the metadata log was not closed in order");
    }
}

/// Marks the metadata's directory as whole, if it is not one of the replicas' own.
fn close_metadata_dir(metadata_dir: &Arc<LogDir>, replicas: &replica::ReplicaManager, broker_epoch: i64) {
    if replicas.log_dirs().all().iter().any(|log_dir| Arc::ptr_eq(log_dir, metadata_dir)) {
        return;
    }
    // A failure took the directory offline and said so.
    let _ = metadata_dir.write_checkpoints().and_then(|()| metadata_dir.mark_clean_shutdown(broker_epoch));
}

/// Recovers every log after a crash, so that all are whole soon and not only those that somebody asks for.
fn recover(tasks: &mut Tasks, services: &Arc<Services>) {
    let replicas = Arc::clone(&services.replicas);
    let threads =
        services.settings.dynamic(&services.metadata.image()).recovery_threads * replicas.log_dirs().all().len();
    tasks.spawn("log-recovery", async move {
        if let Err(error) = tokio::task::spawn_blocking(move || replicas.recover_all(threads)).await {
            tracing::error!(%error, "recovery failed");
        }
    });
}

/// Lets the broker end when its metadata log or its last log directory fails.
fn report_failures(services: &Arc<Services>, metadata_dir: &Arc<LogDir>, failure: &watch::Sender<Option<String>>) {
    let report = failure.clone();
    metadata_dir.on_offline(move |offline| {
        report.send_replace(Some(format!("the metadata log is lost: {offline}")));
    });
    for log_dir in services.replicas.log_dirs().all() {
        let (report, replicas) = (failure.clone(), Arc::downgrade(&services.replicas));
        log_dir.on_offline(move |_| {
            let is_last = replicas.upgrade().is_some_and(|replicas| replicas.log_dirs().online().next().is_none());
            if is_last {
                report.send_replace(Some("all log directories have failed".to_owned()));
            }
        });
    }
}

/// Accepts connections on every listener.
fn serve(services: &Arc<Services>, listeners: Vec<Listener>, stop: &watch::Sender<bool>) -> JoinSet<()> {
    let config = &services.settings;
    let settings = Arc::new(ServerSettings {
        frames: FrameLimits { produce: config.socket_request_max_bytes, other: MAX_OTHER_REQUEST },
        memory: RequestMemory::new(config.request_memory_bytes),
        connections: Arc::clone(&services.connection_quotas),
        idle: config.connections_max_idle,
        backlog: config.listen_backlog,
    });
    let mut servers = JoinSet::new();
    for listener in listeners {
        // Here and not in the tasks, so that the clients' address comes before the controllers': scripts take the first.
        tracing::info!("Awaiting socket connections on {}.", listener.address());
        servers.spawn(listener.serve(Arc::clone(&settings), Arc::clone(services), stop.subscribe()));
    }
    servers
}
