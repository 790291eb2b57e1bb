//! What the keys of remote storage mean: which store, and how it is used. Source: `RemoteLogManagerConfig`; the keys behind the
//! prefix are those of the two classes whose names are understood.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use raft::image::Configs;
use storage::remote_log::SegmentLayout;

use super::store_location::{StoreLocation, URL};
use super::{BrokerConfig, ConfigError, Keys, aiven};

const CLASS: &str = "remote.log.storage.manager.class.name";
const PREFIX: &str = "remote.log.storage.manager.impl.prefix";
/// Of Kafka's own tests.
const LOCAL: &str = "org.apache.kafka.server.log.remote.storage.LocalTieredStorage";

const DEFAULT_CHUNK: u64 = 4 << 20;
const DEFAULT_CHUNK_CACHE: u64 = 64 << 20;
const DEFAULT_PART: u64 = 8 << 20;
const DEFAULT_READ_AHEAD: u64 = 16 << 20;

/// The keys behind the class's prefix.
pub(super) type OwnKeys = BTreeMap<String, String>;

/// Where remote segments are, as the file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteConfig {
    pub location: StoreLocation,
    /// Put before every key; may be empty.
    pub key_prefix: String,
    /// How segments lie there.
    pub layout: SegmentLayout,
    /// Larger objects go up in parts of this size.
    pub part_bytes: u64,
    /// Bytes per second that may go up, besides what `remote.log.manager.copy.max.bytes.per.second` says.
    pub upload_bytes_per_second: u64,
    /// Segments are read in pieces of this size.
    pub chunk_bytes: u64,
    /// So many bytes of pieces stay in memory.
    pub chunk_cache_bytes: u64,
    /// So many bytes are fetched ahead of a reader.
    pub read_ahead_bytes: u64,
    /// Where pieces are kept on disk too; `None` keeps none there.
    pub disk_cache: Option<PathBuf>,
    /// So many bytes of pieces stay on disk, if the class says so; `None` leaves it to `ottla.remote.cache.bytes`.
    pub disk_cache_bytes: Option<u64>,
}

impl RemoteConfig {
    /// The store that a URL names, with the defaults of everything else.
    ///
    /// # Errors
    /// No URL of a store that is built in.
    pub fn of_url(url: &str) -> Result<Self, ConfigError> {
        let (location, key_prefix) = StoreLocation::of_url(url)?;
        Ok(Self {
            location,
            key_prefix,
            layout: SegmentLayout::Joined,
            part_bytes: DEFAULT_PART,
            upload_bytes_per_second: u64::MAX,
            chunk_bytes: DEFAULT_CHUNK,
            chunk_cache_bytes: DEFAULT_CHUNK_CACHE,
            read_ahead_bytes: DEFAULT_READ_AHEAD,
            disk_cache: None,
            disk_cache_bytes: None,
        })
    }
}

impl fmt::Display for RemoteConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.key_prefix.trim_end_matches('/') {
            "" => self.location.fmt(formatter),
            prefix => write!(formatter, "{}/{prefix}", self.location),
        }
    }
}

/// What may change while the broker runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RemoteSettings {
    pub task_interval: Duration,
    /// Partitions whose segments are moved at the same time.
    pub copiers: usize,
    pub copy_bytes_per_second: u64,
    pub fetch_bytes_per_second: u64,
    /// How old an object is that no manifest names when it is removed.
    pub orphan_grace: Duration,
    /// So many bytes of pieces of segments stay on disk.
    pub disk_cache_bytes: u64,
    /// So many bytes of indexes stay on disk.
    pub index_cache_bytes: u64,
    /// How often the store is told what topics are and where groups are in them.
    pub describe_interval: Duration,
    /// For one Fetch.
    pub fetch_max_wait: Duration,
    /// For one ListOffsets.
    pub list_offsets_timeout: Duration,
    first_backoff: Duration,
    max_backoff: Duration,
    /// The share of a pause that is random.
    jitter: f64,
}

impl RemoteSettings {
    /// The pause after so many failures before this one; `random` is from 0 to 1.
    pub fn backoff(&self, failures: u32, random: f64) -> Duration {
        let pause = self.first_backoff.saturating_mul(1 << failures.min(16)).min(self.max_backoff);
        pause.mul_f64(1.0 + self.jitter * (2.0 * random - 1.0))
    }
}

impl BrokerConfig {
    /// The settings of remote storage over those that the cluster has stored.
    pub fn remote_settings(&self, configs: &Configs) -> RemoteSettings {
        let keys = Keys { layers: self.layers(configs) };
        let time = |name| keys.duration(name).unwrap_or_default();
        RemoteSettings {
            task_interval: time("remote.log.manager.task.interval.ms"),
            copiers: keys.int("remote.log.manager.copier.thread.pool.size"),
            copy_bytes_per_second: keys.number("remote.log.manager.copy.max.bytes.per.second").cast_unsigned(),
            fetch_bytes_per_second: keys.number("remote.log.manager.fetch.max.bytes.per.second").cast_unsigned(),
            disk_cache_bytes: self
                .remote
                .as_ref()
                .and_then(|remote| remote.disk_cache_bytes)
                .unwrap_or(keys.number("ottla.remote.cache.bytes").cast_unsigned()),
            index_cache_bytes: keys.number("remote.log.index.file.cache.total.size.bytes").cast_unsigned(),
            describe_interval: time("ottla.remote.description.interval.ms"),
            orphan_grace: time("ottla.remote.orphan.grace.ms"),
            fetch_max_wait: time("remote.fetch.max.wait.ms"),
            list_offsets_timeout: time("remote.list.offsets.request.timeout.ms"),
            first_backoff: time("remote.log.manager.task.retry.backoff.ms"),
            max_backoff: time("remote.log.manager.task.retry.backoff.max.ms"),
            jitter: keys.value("remote.log.manager.task.retry.jitter").double(),
        }
    }
}

impl Keys<'_> {
    /// The store, if remote storage is switched on. The keys that its class understands are taken out of `others`.
    pub(super) fn take_remote(
        &self,
        others: &mut BTreeMap<String, String>,
    ) -> Result<Option<RemoteConfig>, ConfigError> {
        let prefix = self.remote_prefix();
        let own = others.iter().filter_map(|(name, text)| Some((name.strip_prefix(&prefix)?.to_owned(), text.clone())));
        let mut own = own.collect();
        let remote = self.remote(&mut own)?;
        others.retain(|name, _| name.strip_prefix(&prefix).is_none_or(|rest| own.contains_key(rest)));
        Ok(remote)
    }

    /// The prefix of the storage class's own keys.
    pub(super) fn remote_prefix(&self) -> String {
        self.value(PREFIX).text().to_owned()
    }

    /// The store, if remote storage is switched on. The keys that are understood are taken out of `own`.
    fn remote(&self, own: &mut OwnKeys) -> Result<Option<RemoteConfig>, ConfigError> {
        if !self.value("remote.log.storage.system.enable").is_true() {
            return Ok(None);
        }
        let mut layout = SegmentLayout::Joined;
        let (location, key_prefix, part_bytes) = match (self.text(URL), self.text(CLASS)) {
            (Some(url), _) => {
                let (location, key_prefix) = StoreLocation::of_url(&url)?;
                (location, key_prefix, None)
            }
            (None, Some(class)) if class == LOCAL => {
                layout = SegmentLayout::Separate;
                (StoreLocation::Directory(PathBuf::from(required(own, "dir")?)), String::new(), None)
            }
            (None, Some(class)) if class == aiven::CLASS => aiven::location(own)?,
            (None, Some(class)) => {
                let built_in = aiven::CLASS;
                let reason =
                    format!("Java classes are not loaded; built in under their names are {built_in} and {LOCAL}");
                return Err(ConfigError::invalid(CLASS, class, reason));
            }
            (None, None) => {
                let reason = "Remote storage needs a storage: a class that is built in, or ottla.remote.storage.url";
                return Err(ConfigError::invalid(CLASS, "null", reason));
            }
        };
        let cache = ChunkCache::take(own)?;
        let upload_rate = bytes(own, &["upload.rate.limit.bytes.per.second"], 1)?;
        Ok(Some(RemoteConfig {
            location,
            key_prefix,
            layout,
            part_bytes: part_bytes.unwrap_or(DEFAULT_PART),
            upload_bytes_per_second: upload_rate.unwrap_or(u64::MAX),
            chunk_bytes: bytes(own, &["chunk.size"], 1)?.unwrap_or(DEFAULT_CHUNK),
            chunk_cache_bytes: cache.memory_bytes.unwrap_or(DEFAULT_CHUNK_CACHE),
            read_ahead_bytes: bytes(own, &["fetch.chunk.cache.prefetch.max.size"], 0)?.unwrap_or(DEFAULT_READ_AHEAD),
            disk_cache: self.text("ottla.remote.cache.dir").map(PathBuf::from).or(cache.folder),
            disk_cache_bytes: cache.disk_bytes,
        }))
    }
}

/// What the class's own keys say of kept pieces. Sources there: `ChunkCacheConfig`, `DiskChunkCacheConfig`.
#[derive(Default)]
struct ChunkCache {
    memory_bytes: Option<u64>,
    folder: Option<PathBuf>,
    disk_bytes: Option<u64>,
}

impl ChunkCache {
    fn take(own: &mut OwnKeys) -> Result<Self, ConfigError> {
        let size = bytes(own, &["fetch.chunk.cache.size", "chunk.cache.size"], -1)?;
        let mut found = None;
        for (class, path) in
            [("fetch.chunk.cache.class", "fetch.chunk.cache.path"), ("chunk.cache.class", "chunk.cache.path")]
        {
            let Some(value) = own.remove(class) else { continue };
            let cache = match value.rsplit('.').next() {
                Some("DiskChunkCache" | "DiskBasedChunkCache") => {
                    Self { folder: Some(PathBuf::from(required(own, path)?)), disk_bytes: size, memory_bytes: None }
                }
                Some("MemoryChunkCache" | "InMemoryChunkCache") => Self { memory_bytes: size, ..Self::default() },
                _ => {
                    let reason = "Java classes are not loaded; built in under their names are Aiven's DiskChunkCache and MemoryChunkCache";
                    return Err(ConfigError::invalid(class, value, reason));
                }
            };
            found = found.or(Some(cache));
        }
        Ok(found.unwrap_or(Self { memory_bytes: size, ..Self::default() }))
    }
}

pub(super) fn required(own: &mut OwnKeys, name: &str) -> Result<String, ConfigError> {
    let missing =
        || ConfigError::Conflict(format!("Missing required configuration \"{name}\" which has no default value."));
    own.remove(name).filter(|value| !value.is_empty()).ok_or_else(missing)
}

/// The first of the names that is set. -1, where it is allowed, is no limit.
pub(super) fn bytes(own: &mut OwnKeys, names: &[&str], min: i64) -> Result<Option<u64>, ConfigError> {
    let mut found = None;
    for name in names {
        let Some(text) = own.remove(*name) else { continue };
        let number: i64 =
            text.trim().parse().map_err(|_| ConfigError::invalid(name, &text, "Not a number of type LONG"))?;
        if number < min {
            return Err(ConfigError::invalid(name, number, format!("Value must be at least {min}")));
        }
        found = found.or(Some(u64::try_from(number).unwrap_or(u64::MAX)));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ConfigWarning;

    const FILES: &str = "io.aiven.kafka.tieredstorage.storage.filesystem.FileSystemStorage";

    fn config(properties: &[(&str, &str)]) -> Result<(BrokerConfig, Vec<ConfigWarning>), ConfigError> {
        BrokerConfig::new(properties.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    const ON: (&str, &str) = ("remote.log.storage.system.enable", "true");

    #[test]
    fn the_articles_keys_name_a_directory() {
        let (config, warnings) = config(&[
            ON,
            (CLASS, aiven::CLASS),
            ("remote.log.storage.manager.class.path", "./libs/*"),
            (PREFIX, "rsm.config."),
            ("rsm.config.chunk.size", "100"),
            ("rsm.config.chunk.cache.size", "20000"),
            ("rsm.config.chunk.cache.retention.ms", "1000"),
            ("rsm.config.key.prefix", "tiered-storage-demo/"),
            ("rsm.config.storage.backend.class", FILES),
            ("rsm.config.storage.root", "./data/fs_storage"),
        ])
        .unwrap();
        let expected = RemoteConfig {
            location: StoreLocation::Directory(PathBuf::from("./data/fs_storage")),
            key_prefix: "tiered-storage-demo/".to_owned(),
            layout: SegmentLayout::Joined,
            part_bytes: DEFAULT_PART,
            upload_bytes_per_second: u64::MAX,
            chunk_bytes: 100,
            chunk_cache_bytes: 20_000,
            read_ahead_bytes: DEFAULT_READ_AHEAD,
            disk_cache: None,
            disk_cache_bytes: None,
        };
        assert_eq!(config.remote, Some(expected));
        let without = ["remote.log.storage.manager.class.path", "rsm.config.chunk.cache.retention.ms"];
        assert_eq!(warnings, [ConfigWarning::NoEffect(without.map(str::to_owned).into())]);
    }

    #[test]
    fn other_ways_to_name_a_directory() {
        let (of_url, _) = config(&[ON, ("ottla.remote.storage.url", "file:///cold")]).unwrap();
        let (of_class, _) = config(&[ON, (CLASS, LOCAL), (PREFIX, "x."), ("x.dir", "/cold")]).unwrap();
        let location = StoreLocation::Directory(PathBuf::from("/cold"));
        assert_eq!(of_url.remote.as_ref().map(|remote| &remote.location), Some(&location));
        let (of_url, of_class) = (of_url.remote.unwrap(), of_class.remote.unwrap());
        assert_eq!(of_class.layout, SegmentLayout::Separate);
        assert_eq!(of_url, RemoteConfig { layout: SegmentLayout::Joined, ..of_class });
        assert_eq!(config(&[(CLASS, LOCAL)]).unwrap().0.remote, None, "not switched on");
    }

    #[test]
    fn a_url_names_a_bucket() {
        let (config, _) = config(&[ON, ("ottla.remote.storage.url", "s3://cold/kafka/")]).unwrap();
        assert_eq!(config.remote.map(|remote| remote.to_string()).as_deref(), Some("s3://cold/kafka"));
    }

    /// Keys, and what they mean: the folder, bytes in memory, bytes on disk.
    type CacheCase<'a> = (&'a [(&'a str, &'a str)], Option<&'a str>, u64, u64);

    #[test]
    fn pieces_are_kept_where_the_keys_say() {
        let local = [ON, (CLASS, LOCAL), ("rsm.config.dir", "/cold")];
        let of = |keys: &[(&str, &str)]| config(&[&local, keys].concat()).unwrap().0;
        let (class, path, size) = (
            "rsm.config.fetch.chunk.cache.class",
            "rsm.config.fetch.chunk.cache.path",
            "rsm.config.fetch.chunk.cache.size",
        );
        let disk = "io.aiven.kafka.tieredstorage.fetch.cache.DiskChunkCache";
        let memory = "io.aiven.kafka.tieredstorage.fetch.cache.MemoryChunkCache";
        let cases: [CacheCase<'_>; 4] = [
            (&[(size, "7")], None, 7, 1 << 30),
            (&[(class, memory), (size, "7")], None, 7, 1 << 30),
            (&[(class, disk), (path, "/pieces"), (size, "7")], Some("/pieces"), DEFAULT_CHUNK_CACHE, 7),
            (
                &[("ottla.remote.cache.dir", "/o"), ("ottla.remote.cache.bytes", "9")],
                Some("/o"),
                DEFAULT_CHUNK_CACHE,
                9,
            ),
        ];
        for (keys, folder, in_memory, on_disk) in cases {
            let config = of(keys);
            let remote = config.remote.as_ref().unwrap();
            assert_eq!(remote.disk_cache.as_deref(), folder.map(std::path::Path::new), "{keys:?}");
            assert_eq!(remote.chunk_cache_bytes, in_memory, "{keys:?}");
            assert_eq!(config.remote_settings(&Configs::default()).disk_cache_bytes, on_disk, "{keys:?}");
        }
        assert!(config(&[&local[..], &[(class, disk)]].concat()).is_err(), "without a path");
        assert!(config(&[&local[..], &[(class, "com.example.Cache")]].concat()).is_err());
    }

    #[test]
    fn what_is_not_built_in_is_refused() {
        let cases: [&[(&str, &str)]; 6] = [
            &[],
            &[(CLASS, "com.example.Storage")],
            &[(CLASS, LOCAL)],
            &[(CLASS, aiven::CLASS), ("rsm.config.storage.backend.class", "com.example.Storage")],
            &[("ottla.remote.storage.url", "ftp://bucket")],
            &[(CLASS, LOCAL), ("rsm.config.dir", "/x"), ("rsm.config.chunk.size", "0")],
        ];
        for keys in cases {
            assert!(config(&[&[ON], keys].concat()).is_err(), "{keys:?}");
        }
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        let settings = config(&[]).unwrap().0.remote_settings(&Configs::default());
        let pauses: Vec<_> = [0, 1, 2, 9, 99].map(|failures| settings.backoff(failures, 0.5).as_millis()).into();
        assert_eq!(pauses, [500, 1000, 2000, 30_000, 30_000]);
        assert_eq!(settings.backoff(0, 1.0).as_millis(), 600);
    }
}
