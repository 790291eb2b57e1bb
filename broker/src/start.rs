//! What a start consists of: directories, listeners, the quorum, registration. Each step gives what the next one needs.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use protocol::ids::{Uuid, format_uuid};
use raft::controller::{
    ConfigRulesHandle, Controller, ControllerConfig, ControllerTask, RegisterBroker, RegisterController, Seeded,
    bootstrap_records, supported_features,
};
use raft::error::ControllerError;
use raft::image::{Delta, Endpoint, Image, Update};
use raft::quorum::{Quorum, QuorumConfig, QuorumError, SnapshotPolicy};
use storage::file_system::OsFileSystem;
use storage::log_dir::{LogDirError, REMOTE_INDEX_CACHE};
use storage::meta_properties::Expected;
use storage::remote_log::{CacheLimits, Deletions, DiskCache, RemoteReader, RemoteStore, StoreLimits, object_store};
use storage::{LogDir, LogDirOptions, LogDirs};
use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::config::rules::Rules;
use crate::config::topic::TopicValues;
use crate::config::{BrokerConfig, ListenerConfig, RemoteConfig, StoreLocation};
use crate::remote_storage;
use crate::replica::{Flusher, ReplicaManager, Tier};
use crate::server::Listener;
use crate::services::Services;
use crate::system;
use crate::tasks::heartbeat;

/// Pieces of remote segments in memory, and files of them, at most: small pieces cost more than their bytes.
const MOST_PIECES: usize = 100_000;
/// Bytes of indexes of remote segments in memory.
const INDEXES_IN_MEMORY: u64 = 32 << 20;

/// Why a broker does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A log directory is locked, somebody else's or unusable.
    #[error(transparent)]
    LogDir(#[from] LogDirError),
    /// An address cannot be resolved or bound.
    #[error("{0}")]
    Listener(#[source] io::Error),
    /// The metadata log is damaged or the quorum has no leader.
    #[error(transparent)]
    Quorum(#[from] QuorumError),
    /// The directory of remote segments cannot be made, or the client of their store.
    #[error("cannot use the remote storage at {name}: {source}")]
    Remote { name: String, source: object_store::Error },
    /// Records of these topics would be missing.
    #[error(
        "You have to delete all topics with the property remote.storage.enable=true before disabling tiered storage \
         cluster-wide: {0}"
    )]
    TieredTopics(String),
    /// The controller refused this broker.
    #[error(transparent)]
    Controller(#[from] ControllerError),
    /// A step panicked.
    #[error("a step of the start failed: {0}")]
    Step(#[from] tokio::task::JoinError),
}

/// The directories of this node, locked and formatted.
pub struct Directories {
    pub log_dirs: LogDirs,
    /// The one with the metadata log; also in `log_dirs` unless `metadata.log.dir` names another.
    pub metadata: Arc<LogDir>,
    pub cluster_id: Arc<str>,
    /// Every log is whole: nothing has to be recovered.
    pub was_clean: bool,
}

/// Locks the directories, and formats those that are new: with the cluster id that the others have, or that was configured, or
/// a random one.
///
/// # Errors
/// [`LogDirError`].
pub fn open_directories(settings: &BrokerConfig) -> Result<Directories, LogDirError> {
    let options = LogDirOptions::new(Arc::new(OsFileSystem));
    let expected = Expected { cluster_id: settings.cluster_id.as_deref(), node_id: Some(settings.node_id) };
    let own_metadata_dir = Some(&settings.metadata_log_dir).filter(|path| !settings.log_dirs.contains(path));
    let open = |paths: &[PathBuf]| LogDirs::open(paths, expected, &options);
    let log_dirs = open(&settings.log_dirs)?;
    let apart = own_metadata_dir.map(|path| open(std::slice::from_ref(path))).transpose()?;
    let found = log_dirs.cluster_id().or_else(|| apart.as_ref().and_then(LogDirs::cluster_id));
    let cluster_id = found.or_else(|| settings.cluster_id.clone()).unwrap_or_else(|| format_uuid(random_uuid()));
    for group in [Some(&log_dirs), apart.as_ref()].into_iter().flatten() {
        group.format(&cluster_id, settings.node_id, random_uuid)?;
    }
    let metadata = match &apart {
        Some(apart) => apart.all().first(),
        None => log_dirs.all().iter().find(|log_dir| log_dir.path() == settings.metadata_log_dir),
    };
    let metadata = Arc::clone(metadata.ok_or(LogDirError::NoneLeft)?);
    let was_clean = log_dirs.all().iter().all(|log_dir| log_dir.was_clean());
    Ok(Directories { log_dirs, metadata, cluster_id: cluster_id.into(), was_clean })
}

/// An id that does not begin with a dash, which tools would take for an option (`Uuid.randomUuid`).
pub(crate) fn random_uuid() -> Uuid {
    loop {
        let id = Uuid::new_v4();
        if !format_uuid(id).starts_with('-') {
            return id;
        }
    }
}

/// The bound listeners and where they are reached.
pub struct Bound {
    pub listeners: Vec<Listener>,
    /// Clients' listeners, as advertised.
    pub client_endpoints: Vec<Endpoint>,
    pub controller_endpoints: Vec<Endpoint>,
}

/// Binds every listener, without accepting yet.
///
/// # Errors
/// A name that does not resolve, an address that is taken.
pub async fn bind(settings: &BrokerConfig) -> io::Result<Bound> {
    let mut listeners = Vec::new();
    let mut client_endpoints = Vec::new();
    let mut controller_endpoints = Vec::new();
    for config in &settings.listeners.client {
        let listener = bind_one(config, settings.listen_backlog).await?;
        let advertised = settings.listeners.advertised.iter().find(|advertised| advertised.name == config.name);
        client_endpoints.push(endpoint(config, advertised.unwrap_or(config), &listener).await);
        listeners.push(listener);
    }
    for config in &settings.listeners.controller {
        let listener = bind_one(config, settings.listen_backlog).await?;
        controller_endpoints.push(endpoint(config, config, &listener).await);
        listeners.push(listener);
    }
    Ok(Bound { listeners, client_endpoints, controller_endpoints })
}

async fn bind_one(config: &ListenerConfig, backlog: u32) -> io::Result<Listener> {
    let (name, port) = (&config.name, config.port);
    if config.host.is_empty() {
        let every = |address: [u16; 8]| SocketAddr::from((address, port));
        // One socket for IPv6 and IPv4, unless the machine has no IPv6.
        return Listener::bind(name, every([0; 8]), backlog)
            .or_else(|_| Listener::bind(name, SocketAddr::from(([0; 4], port)), backlog));
    }
    let unresolved = |error: io::Error| {
        io::Error::new(error.kind(), format!("Unable to resolve {} of listener {name}: {error}", config.host))
    };
    let mut addresses = tokio::net::lookup_host((config.host.as_str(), port)).await.map_err(unresolved)?;
    let address = addresses.next().ok_or_else(|| unresolved(io::ErrorKind::NotFound.into()))?;
    Listener::bind(name, address, backlog)
}

async fn endpoint(config: &ListenerConfig, advertised: &ListenerConfig, listener: &Listener) -> Endpoint {
    let is_everywhere = matches!(advertised.host.as_str(), "" | "0.0.0.0" | "::");
    let host = if is_everywhere { own_name().await } else { advertised.host.clone() };
    let port = if advertised.port == 0 { listener.address().port() } else { advertised.port };
    Endpoint { name: config.name.as_str().into(), host: host.into(), port, security_protocol: 0 }
}

/// The machine's name if it resolves here, so that clients on this machine reach it at least.
async fn own_name() -> String {
    let name = system::host_name().unwrap_or_else(|| "localhost".to_owned());
    let resolved = tokio::net::lookup_host((name.as_str(), 0)).await.map(|_| ());
    match resolved {
        Ok(()) => name,
        Err(error) => {
            tracing::warn!(%name, %error, "this machine's name does not resolve; advertising localhost instead");
            "localhost".to_owned()
        }
    }
}

/// The quorum and the controller over it.
pub struct ClusterTruth {
    pub quorum: Quorum,
    pub updates: mpsc::Receiver<Update>,
    pub controller: Controller,
    pub controller_task: ControllerTask<Quorum>,
}

/// Starts the quorum; in a new cluster its first records are written.
///
/// # Errors
/// [`QuorumError`].
pub async fn start_quorum(
    settings: &Arc<BrokerConfig>,
    directories: &Directories,
    bound: &Bound,
    clock: Clock,
) -> Result<ClusterTruth, QuorumError> {
    let address = bound.controller_endpoints.first().or(bound.client_endpoints.first());
    let (listener, address) = address
        .map(|endpoint| (endpoint.name.clone(), format!("{}:{}", endpoint.host, endpoint.port)))
        .unwrap_or_default();
    let config = QuorumConfig {
        node_id: settings.node_id,
        voters: BTreeMap::from([(settings.node_id, address)]),
        listener,
        log_dir: Arc::clone(&directories.metadata),
        snapshots: SnapshotPolicy { max_bytes: settings.snapshot_bytes, max_age: settings.snapshot_interval },
        now_ms: Arc::new(move || clock.now_ms()),
    };
    let min_in_sync_replicas = settings.static_min_in_sync_replicas();
    let (quorum, updates) = Quorum::start(config, bootstrap_records(min_in_sync_replicas)).await?;
    let config = ControllerConfig {
        default_partitions: settings.num_partitions,
        default_replication_factor: settings.default_replication_factor,
        default_min_in_sync_replicas: min_in_sync_replicas,
        broker_session_timeout_ms: settings.broker_session_timeout_ms,
        config_rules: ConfigRulesHandle(Arc::new(Rules { settings: Arc::clone(settings) })),
        ..ControllerConfig::new(Arc::clone(&directories.cluster_id))
    };
    let random = Box::new(Seeded::new(rand::random()));
    let (controller, controller_task) = Controller::new(Arc::new(quorum.clone()), config, random);
    Ok(ClusterTruth { quorum, updates, controller, controller_task })
}

/// The cold tier, if the settings have one. Nothing is read or written yet.
///
/// # Errors
/// The directory or the client of the store cannot be made; there is no tier, and topics have records in one.
pub fn open_tier(
    settings: &BrokerConfig,
    cluster_id: &Arc<str>,
    image: &Image,
    log_dirs: &LogDirs,
) -> Result<Option<Arc<Tier>>, StartError> {
    let Some(remote) = &settings.remote else {
        let names: Vec<&str> = image.topics().iter().map(|topic| &**topic.name()).collect();
        let is_tiered = |name: &&str| TopicValues::new(settings, image, *name).wants_tier();
        let tiered: Vec<&str> = names.into_iter().filter(is_tiered).collect();
        return if tiered.is_empty() { Ok(None) } else { Err(StartError::TieredTopics(tiered.join(", "))) };
    };
    let name = remote.to_string();
    let opened = match remote_storage::open(remote) {
        Ok(opened) => opened,
        Err(source) => return Err(StartError::Remote { name, source }),
    };
    tracing::info!(store = name, "remote storage");
    let limits = StoreLimits { part_bytes: remote.part_bytes, ..StoreLimits::default() };
    let store = RemoteStore::new(name, opened, limits).with_layout(remote.layout);
    let store = Arc::new(match remote_storage::directory(remote) {
        Some(root) => store.in_directory(root),
        None => store,
    });
    let reader = remote_reader(settings, remote, image, Arc::clone(&store), log_dirs);
    let deletions = deletions(image, log_dirs);
    Ok(Some(Arc::new(Tier::new(Arc::clone(cluster_id), settings.node_id, store, reader, deletions))))
}

/// What the last run had still to delete. A topic that is known again was restored.
fn deletions(image: &Image, log_dirs: &LogDirs) -> Option<Deletions> {
    let log_dir = log_dirs.online().next()?;
    let opened = Deletions::open(Arc::clone(log_dir)).and_then(|deletions| {
        deletions.retain(|topic| image.topics().by_id(topic.id).is_none())?;
        Ok(deletions)
    });
    opened.inspect_err(|error| tracing::warn!(%error, "it is not known which topics' remote objects are to go")).ok()
}

/// Indexes are kept in the first log directory, where Kafka keeps them; pieces of segments where the settings say.
fn remote_reader(
    settings: &BrokerConfig,
    remote: &RemoteConfig,
    image: &Image,
    store: Arc<RemoteStore>,
    log_dirs: &LogDirs,
) -> RemoteReader {
    let limits = |bytes| CacheLimits { bytes, count: MOST_PIECES };
    let dynamic = settings.remote_settings(image.configs());
    let on_disk = |folder: PathBuf, bytes| disk_cache(folder, limits(bytes));
    let first = log_dirs.online().next().map(|log_dir| log_dir.path().join(REMOTE_INDEX_CACHE));
    let indexes = first.map(|folder| on_disk(folder, dynamic.index_cache_bytes));
    let chunks = remote.disk_cache.clone().map(|folder| on_disk(folder, dynamic.disk_cache_bytes));
    let in_memory = INDEXES_IN_MEMORY.min(dynamic.index_cache_bytes);
    let reader = RemoteReader::new(store, remote.chunk_bytes, limits(remote.chunk_cache_bytes), limits(in_memory))
        .reading_ahead(remote.read_ahead_bytes)
        .keeping(chunks, indexes);
    if matches!(remote.location, StoreLocation::Directory(_)) { reader.lending_files() } else { reader }
}

/// A cache that learns meanwhile what is there: a folder of very many files must not delay the start.
fn disk_cache(folder: PathBuf, limits: CacheLimits) -> Arc<DiskCache> {
    let cache = Arc::new(DiskCache::new(Arc::new(OsFileSystem), folder, limits));
    let listed = Arc::clone(&cache);
    std::thread::spawn(move || {
        if let Err(error) = listed.list() {
            tracing::warn!(cache = ?listed, %error, "pieces of remote segments are not kept on disk");
        }
    });
    cache
}

/// The replicas that `image` places here, none of them read.
pub fn open_replicas(
    settings: &Arc<BrokerConfig>,
    log_dirs: LogDirs,
    tier: Option<Arc<Tier>>,
    image: &Arc<Image>,
    now_ms: i64,
) -> Arc<ReplicaManager> {
    let of_topics = Arc::clone(settings);
    let settings_of = move |image: &Image, topic: &raft::image::TopicImage| {
        TopicValues::new(&of_topics, image, Arc::clone(topic.name())).settings()
    };
    let flusher = Flusher::start(settings.dynamic(image).flush_threads);
    let replicas = ReplicaManager::new(settings.node_id, log_dirs, Box::new(settings_of), flusher).with_tier(tier);
    let delta = Arc::new(Delta::between(&Image::default(), image));
    replicas.apply(&Update { image: Arc::clone(image), delta }, now_ms);
    Arc::new(replicas)
}

/// Makes this node known to the cluster, and waits until it may serve.
///
/// # Errors
/// The controller refuses.
pub async fn join(services: &Services, client_endpoints: &[Endpoint]) -> Result<(), ControllerError> {
    let (settings, clock) = (&services.settings, services.clock);
    let log_dirs = services.replicas.log_dirs();
    let incarnation_id = Uuid::new_v4();
    let controller = RegisterController {
        controller_id: settings.node_id,
        incarnation_id,
        endpoints: services.controller_endpoints.clone(),
        features: supported_features(),
    };
    services.controller.register_controller(controller).await?;
    let broker = RegisterBroker {
        broker_id: settings.node_id,
        cluster_id: Arc::clone(&services.cluster_id),
        incarnation_id,
        endpoints: client_endpoints.to_vec(),
        features: supported_features(),
        rack: settings.rack.as_deref().map(Into::into),
        log_dirs: log_dirs.online().filter_map(|log_dir| log_dir.directory_id()).collect(),
        cordoned_log_dirs: Vec::new(),
        previous_broker_epoch: log_dirs.previous_broker_epoch().unwrap_or(-1),
        holds_directory_locks: true,
    };
    let broker_epoch = services.controller.register_broker(broker, clock.now_ms()).await?;
    services.set_broker_epoch(broker_epoch);
    loop {
        services.caught_up().await;
        let reply = services.controller.heartbeat(heartbeat(services), clock.now_ms()).await?;
        if !reply.is_fenced {
            services.caught_up().await;
            return Ok(());
        }
    }
}
