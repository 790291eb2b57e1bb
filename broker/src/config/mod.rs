//! The broker's settings: keys and their rows, where they are set and which of those counts, and the typed result.
//! Precedence: command line > environment > file > default, and above all what the cluster has stored for keys that may change.

mod aiven;
pub mod alter;
mod cleaner;
mod consumer_group;
pub mod definitions;
mod dynamic;
pub mod environment;
mod group;
mod layers;
mod listener_limits;
mod listeners;
pub mod reference;
mod remote;
mod remote_log_metadata;
pub mod rules;
mod sources;
mod store_location;
mod suggest;
mod tier;
pub mod topic;
mod value;
mod values;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use raft::image::{Configs, Image};

pub use cleaner::CleanerSettings;
pub use consumer_group::{ConsumerGroupConfig, ConsumerTimes, MigrationPolicy};
pub use dynamic::DynamicSettings;
pub use environment::Environment;
pub use group::{GroupConfig, OffsetsTopicConfig};
pub use layers::{Layers, Setting, Source};
pub use listener_limits::{ListenerLimits, check_listener_limit, is_listener_limit};
pub use listeners::{ListenerConfig, Listeners};
pub use remote::{RemoteConfig, RemoteSettings};
pub use remote_log_metadata::RemoteLogMetadataConfig;
pub use sources::Sources;
pub use store_location::{Cloud, StoreLocation, StoreOptions};
pub use tier::tiered_topic;
pub use value::{ConfigError, HIDDEN, Value};
pub use values::EffectiveValue;

use crate::quota::Windows;
use definitions::{Effect, broker_key, has_known_prefix};
use listeners::ListenerKeys;

/// Memory for requests being read where `queued.max.request.bytes` leaves it open.
const DEFAULT_REQUEST_MEMORY: usize = 256 << 20;

/// What the broker is told at its start. Validated; everything that may change while it runs is read through
/// [`BrokerConfig::layers`].
#[derive(Clone, Debug)]
pub struct BrokerConfig {
    pub node_id: i32,
    /// For the first start only.
    pub cluster_id: Option<String>,
    pub rack: Option<String>,
    pub listeners: Listeners,
    pub log_dirs: Vec<PathBuf>,
    /// One of `log_dirs`, or a directory of its own.
    pub metadata_log_dir: PathBuf,
    pub snapshot_bytes: u64,
    /// `None`: never by time.
    pub snapshot_interval: Option<Duration>,
    pub num_partitions: i32,
    pub default_replication_factor: i16,
    pub auto_create_topics: bool,
    pub delete_topics: bool,
    pub fetch_max_bytes: usize,
    pub fetch_session_slots: usize,
    pub request_partition_limit: usize,
    pub socket_request_max_bytes: usize,
    pub request_memory_bytes: usize,
    pub listen_backlog: u32,
    /// `None`: connections may be silent for ever.
    pub connections_max_idle: Option<Duration>,
    /// Not zero.
    pub heartbeat_interval: Duration,
    pub broker_session_timeout_ms: i64,
    pub retention_check_interval: Duration,
    pub recovery_point_interval: Duration,
    pub high_watermark_interval: Duration,
    /// Of clients' quotas and connections' rates.
    pub quota_windows: Windows,
    pub controller_quota_windows: Windows,
    /// Of moves between log directories.
    pub move_quota_windows: Windows,
    pub groups: GroupConfig,
    /// `None`: there is no remote storage.
    pub remote: Option<RemoteConfig>,
    /// Of no meaning without remote storage.
    pub remote_log_metadata: RemoteLogMetadataConfig,
    pub metrics_listener: MetricsListener,
    /// Series of topics and partitions in one scrape.
    pub metrics_max_series: usize,
    /// What the keys of the class for remote storage begin with.
    remote_prefix: String,
    /// Keys of single listeners, of the file and the command line.
    listener_keys: BTreeMap<String, String>,
    /// Keys of the file and the command line that are known.
    file: BTreeMap<&'static str, String>,
}

/// Where metrics and health are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricsListener {
    /// `host:port`; `None`: nowhere.
    pub address: Option<String>,
    /// Nobody asked for just this address.
    pub is_default: bool,
}

/// Something odd in the settings that does not keep the broker from starting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigWarning {
    /// No row has that name.
    Unknown { name: String, nearest: Option<&'static str> },
    /// Keys that change nothing here.
    NoEffect(Vec<String>),
}

impl BrokerConfig {
    /// Settings from keys and values; of a key that comes twice, the last counts.
    ///
    /// # Errors
    /// The first value that is out of bounds or contradicts another, in Kafka's words.
    pub fn new(
        properties: impl IntoIterator<Item = (String, String)>,
    ) -> Result<(Self, Vec<ConfigWarning>), ConfigError> {
        let mut warnings = Vec::new();
        let mut file = BTreeMap::new();
        let mut others = BTreeMap::new();
        for (name, text) in properties {
            match broker_key(&name) {
                Some(definition) => {
                    Value::parse_supported(definition, &text)?;
                    file.insert(definition.name, text);
                }
                None => {
                    others.insert(name, text);
                }
            }
        }
        let is_idle = |name: &&'static str| broker_key(name).is_some_and(|row| row.effect == Effect::None);
        let mut without: Vec<String> = file.keys().copied().filter(is_idle).map(str::to_owned).collect();
        let settings = Self::typed(file, &mut others)?;
        tier::check_defaults(&settings)?;
        for name in others.into_keys() {
            match has_known_prefix(&name) || name.starts_with(&settings.remote_prefix) {
                true => without.push(name),
                false => warnings.push(ConfigWarning::Unknown { nearest: suggest::nearest(&name), name }),
            }
        }
        without.sort();
        without.dedup();
        if !without.is_empty() {
            warnings.push(ConfigWarning::NoEffect(without));
        }
        Ok((settings, warnings))
    }

    /// The settings of known keys; of the others, those that a class of ours understands are taken out.
    fn typed(file: BTreeMap<&'static str, String>, others: &mut BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let keys = Keys { layers: Layers { file: &file, cluster: None, node_id: 0 } };
        keys.check_roles()?;
        let log_dirs = keys.log_dirs()?;
        let metadata_log_dir = match keys.text("metadata.log.dir") {
            Some(directory) => PathBuf::from(directory),
            None => log_dirs[0].clone(),
        };
        let node_id = keys.node_id()?;
        keys.check_voters(node_id)?;
        keys.check_cleaner()?;
        let settings = Self {
            node_id,
            cluster_id: keys.text("cluster.id"),
            rack: keys.text("broker.rack"),
            listeners: keys.listeners()?,
            log_dirs,
            metadata_log_dir,
            snapshot_bytes: keys.number("metadata.log.max.record.bytes.between.snapshots").cast_unsigned(),
            snapshot_interval: keys.duration("metadata.log.max.snapshot.interval.ms").filter(|time| !time.is_zero()),
            num_partitions: keys.int("num.partitions"),
            default_replication_factor: keys.int("default.replication.factor"),
            auto_create_topics: keys.value("auto.create.topics.enable").is_true(),
            delete_topics: keys.value("delete.topic.enable").is_true(),
            fetch_max_bytes: keys.int("fetch.max.bytes"),
            fetch_session_slots: keys.int("max.incremental.fetch.session.cache.slots"),
            request_partition_limit: keys.int("max.request.partition.size.limit"),
            socket_request_max_bytes: keys.int("socket.request.max.bytes"),
            request_memory_bytes: usize::try_from(keys.number("queued.max.request.bytes"))
                .unwrap_or(DEFAULT_REQUEST_MEMORY),
            listen_backlog: keys.int("socket.listen.backlog.size"),
            connections_max_idle: keys.duration("connections.max.idle.ms"),
            heartbeat_interval: Duration::from_millis(
                keys.number("broker.heartbeat.interval.ms").max(1).cast_unsigned(),
            ),
            broker_session_timeout_ms: keys.number("broker.session.timeout.ms"),
            retention_check_interval: keys.duration("log.retention.check.interval.ms").unwrap_or_default(),
            recovery_point_interval: keys.duration("log.flush.offset.checkpoint.interval.ms").unwrap_or_default(),
            high_watermark_interval: keys.duration("replica.high.watermark.checkpoint.interval.ms").unwrap_or_default(),
            quota_windows: keys.windows("quota.window.num", "quota.window.size.seconds"),
            controller_quota_windows: keys
                .windows("controller.quota.window.num", "controller.quota.window.size.seconds"),
            move_quota_windows: keys.windows(
                "alter.log.dirs.replication.quota.window.num",
                "alter.log.dirs.replication.quota.window.size.seconds",
            ),
            groups: GroupConfig::read(&keys)?,
            remote: keys.take_remote(others)?,
            remote_log_metadata: keys.take_remote_log_metadata(others)?,
            remote_prefix: keys.remote_prefix(),
            metrics_listener: keys.metrics_listener()?,
            metrics_max_series: keys.int("ottla.metrics.max.series"),
            listener_keys: take_listener_keys(others)?,
            file: BTreeMap::new(),
        };
        settings.check_pool()?;
        Ok(Self { file: with_both_ids(file), ..settings })
    }

    /// A request that never fits into the pool would wait for ever.
    fn check_pool(&self) -> Result<(), ConfigError> {
        if self.request_memory_bytes >= self.socket_request_max_bytes {
            return Ok(());
        }
        let reason = format!("Value must be at least socket.request.max.bytes ({})", self.socket_request_max_bytes);
        Err(ConfigError::invalid("queued.max.request.bytes", self.request_memory_bytes, reason))
    }

    /// The in-sync replicas that a write needs, as the file and the command line have it.
    pub fn static_min_in_sync_replicas(&self) -> i32 {
        let layers = Layers { file: &self.file, cluster: None, node_id: self.node_id };
        Keys { layers }.int("min.insync.replicas")
    }

    /// The layers over these settings that the cluster has stored.
    pub fn layers<'a>(&'a self, configs: &'a Configs) -> Layers<'a> {
        Layers { file: &self.file, cluster: Some(configs), node_id: self.node_id }
    }

    /// The layers as of an image.
    pub fn layers_of<'a>(&'a self, image: &'a Image) -> Layers<'a> {
        self.layers(image.configs())
    }
}

/// Takes out the keys of single listeners that act.
fn take_listener_keys(others: &mut BTreeMap<String, String>) -> Result<BTreeMap<String, String>, ConfigError> {
    let keys: BTreeMap<_, _> = others.extract_if(.., |key, _| is_listener_limit(key)).collect();
    keys.iter().try_for_each(|(key, text)| check_listener_limit(key, text))?;
    Ok(keys)
}

/// A node's id has two names, and is told by both where one of them is set (`KafkaConfig.populateSynonyms`).
fn with_both_ids(mut file: BTreeMap<&'static str, String>) -> BTreeMap<&'static str, String> {
    for (name, other) in [("node.id", "broker.id"), ("broker.id", "node.id")] {
        if let (Some(id), false) = (file.get(name).cloned(), file.contains_key(other)) {
            file.insert(other, id);
        }
    }
    file
}

/// Reads typed values of keys that have passed their rows.
struct Keys<'a> {
    layers: Layers<'a>,
}

impl Keys<'_> {
    /// No elements if the key is absent.
    fn value(&self, name: &'static str) -> Value {
        self.layers.value(name).map_or(Value::List(Vec::new()), |(_, value)| value)
    }

    /// Nothing if the key is absent or empty.
    fn text(&self, name: &'static str) -> Option<String> {
        Some(self.value(name).text().to_owned()).filter(|text| !text.is_empty())
    }

    fn number(&self, name: &'static str) -> i64 {
        self.value(name).number()
    }

    /// A number whose row keeps it within `T`.
    fn int<T: TryFrom<i64> + Default>(&self, name: &'static str) -> T {
        T::try_from(self.number(name)).unwrap_or_default()
    }

    /// `None` if negative.
    fn duration(&self, name: &'static str) -> Option<Duration> {
        u64::try_from(self.number(name)).ok().map(Duration::from_millis)
    }

    fn windows(&self, samples: &'static str, seconds: &'static str) -> Windows {
        Windows { samples: self.number(samples), sample_ms: self.number(seconds).saturating_mul(1000) }
    }

    fn is_set(&self, name: &'static str) -> bool {
        self.layers.file.contains_key(name)
    }

    fn node_id(&self) -> Result<i32, ConfigError> {
        let (node_id, broker_id) = (self.int("node.id"), self.int("broker.id"));
        match (self.is_set("node.id"), self.is_set("broker.id")) {
            (true, true) if node_id != broker_id => {
                let reason = format!("You must set `node.id` to the same value as `broker.id` ({broker_id}).");
                Err(ConfigError::invalid("node.id", node_id, reason))
            }
            (false, true) if broker_id < 0 => {
                Err(ConfigError::invalid("broker.id", broker_id, "Value must be at least 0"))
            }
            (false, true) => Ok(broker_id),
            _ => Ok(node_id),
        }
    }

    fn check_roles(&self) -> Result<(), ConfigError> {
        let roles = self.value("process.roles");
        if ["broker", "controller"].iter().all(|role| roles.elements().iter().any(|given| given == role)) {
            return Ok(());
        }
        Err(ConfigError::invalid("process.roles", roles, "A node must be both, broker,controller"))
    }

    fn check_voters(&self, node_id: i32) -> Result<(), ConfigError> {
        let voters = self.value("controller.quorum.voters");
        let is_this_node = |voter: &String| voter.split_once('@').is_some_and(|(id, _)| id.parse() == Ok(node_id));
        if voters.elements().iter().all(is_this_node) {
            return Ok(());
        }
        let reason = format!("The only voter must be this node, {node_id}");
        Err(ConfigError::invalid("controller.quorum.voters", voters, reason))
    }

    fn log_dirs(&self) -> Result<Vec<PathBuf>, ConfigError> {
        let name = if self.is_set("log.dirs") { "log.dirs" } else { "log.dir" };
        let directories = self.value(name);
        let is_empty = directories.elements().iter().all(String::is_empty);
        if is_empty {
            return Err(ConfigError::invalid(name, directories, "At least one log directory must be defined"));
        }
        Ok(directories.elements().iter().filter(|path| !path.is_empty()).map(PathBuf::from).collect())
    }

    fn metrics_listener(&self) -> Result<MetricsListener, ConfigError> {
        let name = "ottla.metrics.listener";
        let address = self.text(name);
        let is_address = |text: &str| text.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        match address {
            Some(text) if !is_address(&text) => Err(ConfigError::invalid(name, text, "Expected host:port")),
            address => Ok(MetricsListener { address, is_default: !self.is_set(name) }),
        }
    }

    fn listeners(&self) -> Result<Listeners, ConfigError> {
        Listeners::parse(ListenerKeys {
            listeners: self.value("listeners").elements(),
            advertised: self.value("advertised.listeners").elements(),
            controller_names: self.value("controller.listener.names").elements(),
            protocols: self.value("listener.security.protocol.map").text(),
            inter_broker: self.text("inter.broker.listener.name").as_deref(),
        })
    }
}

#[cfg(test)]
mod tests;
