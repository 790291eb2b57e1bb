//! A topic's keys over the broker's: validation, values in force, and what they mean for its partitions.
//! Source: `LogConfig`, `LogConfig.validate`, `ServerTopicConfigSynonyms`.

use std::sync::Arc;

use protocol::record_batch::{Codec, ProduceRules, TimestampType};
use raft::image::{ConfigResource, Image};
use storage::LogConfig;
use storage::remote_log::{CopyDelay, TierConfig};

use super::definitions::{Definition, broker_synonyms, topic_key, topic_synonym};
use super::{BrokerConfig, ConfigError, Layers, Setting, Source, Value};
use crate::metadata_cache::is_internal;
use crate::remote_log_metadata::REMOTE_LOG_METADATA_TOPIC;
use crate::replica::{Durability, TopicSettings, TopicTier};

/// A local limit that is the same as the total one.
const LIKE_TOTAL: i64 = -2;

/// How long records of a tiered topic may be in the active segment only.
pub(super) const MAX_UNSAVED: &str = "ottla.remote.max.unsaved.ms";
pub(super) const LAG_MS: &str = "remote.copy.lag.ms";
pub(super) const LAG_BYTES: &str = "remote.copy.lag.bytes";

/// The fewest in-sync replicas that a topic's acks=all waits for.
pub const MIN_IN_SYNC_REPLICAS: &str = "min.insync.replicas";

/// Checks the keys that a topic is to have.
///
/// # Errors
/// The first that is unknown or out of bounds, or a contradiction, in Kafka's words.
pub fn validate<'a>(overrides: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<(), ConfigError> {
    let mut lags = (None, None);
    for (name, text) in overrides {
        let definition = topic_key(name).ok_or_else(|| ConfigError::UnknownTopicKey(name.to_owned()))?;
        let value = Value::parse(definition, text)?;
        match name {
            "min.compaction.lag.ms" => lags.0 = Some(value.number()),
            "max.compaction.lag.ms" => lags.1 = Some(value.number()),
            _ => {}
        }
    }
    if let (Some(min), Some(max)) = lags
        && min > max
    {
        let reason =
            format!("conflict topic config setting min.compaction.lag.ms ({min}) > max.compaction.lag.ms ({max})");
        return Err(ConfigError::Conflict(reason));
    }
    Ok(())
}

/// The values in force for one topic.
#[derive(Clone, Debug)]
pub struct TopicValues<'a> {
    layers: Layers<'a>,
    image: &'a Image,
    resource: ConfigResource,
    has_remote_storage: bool,
}

impl<'a> TopicValues<'a> {
    /// Those of the topic `name`, whether or not it has keys of its own.
    pub fn new(config: &'a BrokerConfig, image: &'a Image, name: impl Into<Arc<str>>) -> Self {
        let has_remote_storage = config.remote.is_some();
        Self { layers: config.layers_of(image), image, resource: ConfigResource::topic(name), has_remote_storage }
    }

    /// The text that the topic itself has for `definition`.
    pub fn own(&self, definition: &Definition) -> Option<&'a str> {
        self.image.configs().get(&self.resource, definition.name).map(|value| &**value)
    }

    /// The value in force.
    pub fn value(&self, definition: &Definition) -> Value {
        let own = self.own(definition).and_then(|text| Value::parse(definition, text).ok());
        own.or_else(|| self.of_broker(definition)).or_else(|| fallback(definition)).unwrap_or(Value::Number(0))
    }

    /// Every place where the value is set, the strongest first: the topic, then its synonyms of the broker.
    pub fn settings_of(&self, definition: &Definition) -> Vec<Setting> {
        let own = self.own(definition).map(|value| Setting {
            name: definition.name.to_owned(),
            value: value.to_owned(),
            source: Source::DynamicTopic,
        });
        let of_broker = topic_synonym(definition.name).map(|name| self.layers.settings(name)).unwrap_or_default();
        own.into_iter().chain(of_broker).collect()
    }

    /// Where the value comes from if not from the topic itself.
    pub fn default_source(&self, definition: &Definition) -> Source {
        let synonyms = topic_synonym(definition.name).map_or(&[][..], |name| broker_synonyms(name));
        let set = synonyms.iter().find_map(|name| self.layers.own(name).into_iter().next());
        set.map_or(Source::Default, |setting| setting.source)
    }

    fn of_broker(&self, definition: &Definition) -> Option<Value> {
        match self.layers.in_milliseconds(topic_synonym(definition.name)?)? {
            Value::Number(number) if number < 0 && definition.name == "retention.ms" => Some(Value::Number(-1)),
            value => Some(value),
        }
    }

    fn named(&self, name: &str) -> Value {
        topic_key(name).map_or(Value::Number(0), |definition| self.value(definition))
    }

    fn number(&self, name: &str) -> i64 {
        self.named(name).number()
    }

    fn size<T: TryFrom<i64> + Default>(&self, name: &str) -> T {
        T::try_from(self.number(name)).unwrap_or_default()
    }

    /// `LogConfig.segmentSize`.
    fn segment_bytes<T: TryFrom<i64> + Default>(&self) -> T {
        const FOR_TESTS: &str = "internal.segment.bytes";
        let is_set = topic_key(FOR_TESTS).is_some_and(|definition| self.own(definition).is_some());
        self.size(if is_set { FOR_TESTS } else { "segment.bytes" })
    }

    fn has_policy(&self, policy: &str) -> bool {
        self.named("cleanup.policy").elements().iter().any(|element| element == policy)
    }

    fn log(&self) -> LogConfig {
        let deletes = self.makes_room();
        LogConfig {
            segment_bytes: self.segment_bytes(),
            segment_ms: self.number("segment.ms"),
            segment_jitter_ms: self.number("segment.jitter.ms"),
            max_index_bytes: self.size("segment.index.bytes"),
            index_interval_bytes: self.size("index.interval.bytes"),
            retention_ms: self.retention_of("local.retention.ms", "retention.ms").filter(|_| deletes),
            retention_bytes: self
                .retention_of("local.retention.bytes", "retention.bytes")
                .and_then(|bytes| u64::try_from(bytes).ok())
                .filter(|_| deletes),
            file_delete_delay_ms: self.number("file.delete.delay.ms"),
            producer_id_expiration_ms: self
                .layers
                .value("producer.id.expiration.ms")
                .map_or(LogConfig::default().producer_id_expiration_ms, |(_, value)| value.number()),
            compact: self.has_policy("compact"),
            min_cleanable_dirty_ratio: self.named("min.cleanable.dirty.ratio").double(),
            min_compaction_lag_ms: self.number("min.compaction.lag.ms"),
            max_compaction_lag_ms: self.number("max.compaction.lag.ms"),
            delete_retention_ms: self.number("delete.retention.ms"),
        }
    }

    /// What the local log keeps: of a tiered topic the local limit, where -2 stands for the other. A compacted log stays local as a
    /// whole: what is remote only is out of the cleaner's reach.
    fn retention_of(&self, local: &str, total: &str) -> Option<i64> {
        let may_go = self.is_tiered() && !self.has_policy("compact");
        Some(if may_go { self.local_limit(local, total) } else { self.number(total) }).filter(|limit| *limit >= 0)
    }

    /// Whether the topic is to be tiered, whatever the broker can do.
    pub fn wants_tier(&self) -> bool {
        self.named("remote.storage.enable").is_true()
    }

    /// Internal topics never are, nor is that which tells of the others (`UnifiedLog.isRemoteLogEnabled`).
    fn is_tiered(&self) -> bool {
        let name = &*self.resource.name;
        let may_be = !is_internal(name) && name != REMOTE_LOG_METADATA_TOPIC;
        self.wants_tier() && self.has_remote_storage && may_be
    }

    /// Whether what is copied leaves the local log: with an empty `cleanup.policy` too, which keeps all of it in the store
    /// (`UnifiedLog.deleteOldSegments`).
    fn makes_room(&self) -> bool {
        let keeps_all = self.named("cleanup.policy").elements().is_empty();
        self.has_policy("delete") || keeps_all && self.is_tiered() && self.copies()
    }

    fn copies(&self) -> bool {
        !self.named("remote.log.copy.disable").is_true()
    }

    /// The limit of the local part of a tiered topic; below 0 there is none.
    fn local_limit(&self, local: &str, total: &str) -> i64 {
        match self.number(local) {
            LIKE_TOTAL => self.number(total),
            limit => limit,
        }
    }

    /// `LogConfig.remoteCopyLagMs`, `remoteCopyLagBytes`: -1 stands for what is kept locally, and where one is 0 nothing waits.
    fn copy_delay(&self) -> Option<CopyDelay> {
        let lag = |lag, local, total| match self.number(lag) {
            -1 => self.local_limit(local, total),
            lag => lag,
        };
        let age_ms = lag(LAG_MS, "local.retention.ms", "retention.ms");
        let bytes = lag(LAG_BYTES, "local.retention.bytes", "retention.bytes");
        let waits = age_ms != 0 && bytes != 0;
        waits.then(|| CopyDelay { age_ms: Some(age_ms).filter(|age| *age > 0), bytes: u64::try_from(bytes).ok() })
    }

    fn tier(&self) -> TopicTier {
        let deletes = self.has_policy("delete");
        let max_unsaved_ms = Some(self.number(MAX_UNSAVED)).filter(|time| *time >= 0);
        TopicTier {
            is_tiered: self.is_tiered(),
            deletes_on_disable: self.named("remote.log.delete.on.disable").is_true(),
            config: TierConfig {
                copies: self.copies(),
                retention_ms: Some(self.number("retention.ms")).filter(|time| deletes && *time >= 0),
                retention_bytes: u64::try_from(self.number("retention.bytes")).ok().filter(|_| deletes),
                max_unsaved_ms,
                delay: self.copy_delay().filter(|_| max_unsaved_ms.is_none()),
            },
        }
    }

    fn rules(&self) -> ProduceRules {
        ProduceRules {
            api_version: 0,
            max_message_bytes: self.size("max.message.bytes"),
            segment_bytes: self.segment_bytes(),
            timestamp_type: match self.named("message.timestamp.type").text() {
                "LogAppendTime" => TimestampType::LogAppendTime,
                _ => TimestampType::CreateTime,
            },
            before_max_ms: self.number("message.timestamp.before.max.ms"),
            after_max_ms: self.number("message.timestamp.after.max.ms"),
            compacted: self.has_policy("compact"),
            codec: match self.named("compression.type").text() {
                "uncompressed" => Some(Codec::None),
                "gzip" => Some(Codec::Gzip),
                "snappy" => Some(Codec::Snappy),
                "lz4" => Some(Codec::Lz4),
                "zstd" => Some(Codec::Zstd),
                _ => None,
            },
        }
    }

    /// Replicas that must be in sync for acks=all.
    pub fn min_in_sync_replicas(&self) -> usize {
        self.size("min.insync.replicas")
    }

    /// What the values mean for the topic's partitions.
    pub fn settings(&self) -> TopicSettings {
        TopicSettings {
            log: self.log(),
            deletes: self.has_policy("delete"),
            rules: self.rules(),
            durability: match self.named("ottla.durability").text() {
                "durable" => Durability::Durable,
                "replicated" => Durability::Replicated,
                _ => Durability::Auto,
            },
            flush_messages: self.number("flush.messages"),
            flush_ms: self.number("flush.ms"),
            tier: self.tier(),
        }
    }
}

fn fallback(definition: &Definition) -> Option<Value> {
    Value::parse(definition, definition.default?).ok()
}

#[cfg(test)]
mod tests {
    use protocol::metadata_record::ConfigRecord;
    use raft::image::{ConfigResourceType, ImageBuilder, Provenance};

    use super::*;

    fn settings(properties: &[(&str, &str)]) -> TopicSettings {
        let properties = properties.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let (config, _) = BrokerConfig::new(properties).unwrap();
        TopicValues::new(&config, &Image::default(), "t").settings()
    }

    #[test]
    fn nothing_set_is_kafkas_defaults() {
        let settings = settings(&[]);
        assert_eq!(settings.log, LogConfig::default());
        assert_eq!(settings.rules.max_message_bytes, 1_048_588);
        assert_eq!((settings.flush_messages, settings.flush_ms), (i64::MAX, i64::MAX));
        assert_eq!(settings.durability, Durability::Auto);
        assert_eq!(settings.rules.codec, None);
    }

    #[test]
    fn broker_keys_are_a_topics_defaults() {
        let settings = settings(&[
            ("log.retention.minutes", "2"),
            ("log.roll.hours", "3"),
            ("log.cleanup.policy", "delete,compact"),
            ("compression.type", "uncompressed"),
            ("log.flush.scheduler.interval.ms", "50"),
        ]);
        assert_eq!(settings.log.retention_ms, Some(120_000));
        assert_eq!(settings.log.segment_ms, 3 * 3_600_000);
        assert!(settings.rules.compacted);
        assert_eq!(settings.rules.codec, Some(Codec::None));
        assert_eq!(settings.flush_ms, 50);
    }

    #[test]
    fn a_compacted_topic_keeps_its_segments() {
        let settings = settings(&[("log.cleanup.policy", "compact"), ("log.retention.bytes", "5")]);
        assert_eq!((settings.log.retention_ms, settings.log.retention_bytes), (None, None));
    }

    /// Of a topic with keys of its own, where there is a cold tier.
    fn tiered(name: &str, keys: &[(&str, &str)]) -> TopicSettings {
        let of_broker = [("remote.log.storage.system.enable", "true"), ("ottla.remote.storage.url", "file:///cold")];
        let properties = of_broker.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let (config, _) = BrokerConfig::new(properties).unwrap();
        let mut builder = ImageBuilder::new(&Image::default());
        for (key, value) in [&[("remote.storage.enable", "true")], keys].concat() {
            let record = ConfigRecord {
                resource_type: ConfigResourceType::Topic.id(),
                resource_name: name.into(),
                name: key.into(),
                value: Some(value.into()),
            };
            builder.apply(record.into()).unwrap();
        }
        let image = builder.finish(Provenance { offset: 0, epoch: 1, timestamp_ms: 0 }).unwrap();
        TopicValues::new(&config, &image, name).settings()
    }

    #[test]
    fn internal_topics_are_never_tiered() {
        assert!(tiered("t", &[]).tier.is_tiered);
        for name in ["__consumer_offsets", "__transaction_state", "__remote_log_metadata"] {
            assert!(!tiered(name, &[]).tier.is_tiered, "{name}");
        }
    }

    #[test]
    fn without_a_cleanup_policy_what_is_copied_leaves_the_local_log_only() {
        let keys = [("cleanup.policy", ""), ("local.retention.ms", "5"), ("local.retention.bytes", "7")];
        let settings = tiered("t", &keys);
        assert_eq!((settings.log.retention_ms, settings.log.retention_bytes), (Some(5), Some(7)));
        assert_eq!((settings.tier.config.retention_ms, settings.tier.config.retention_bytes), (None, None));
        let settings = tiered("t", &[("cleanup.policy", ""), ("remote.log.copy.disable", "true")]);
        assert_eq!(settings.log.retention_ms, None, "nothing of it is anywhere else");
    }

    #[test]
    fn closed_segments_wait_as_the_topic_says() {
        let delay = |age_ms: Option<i64>, bytes: Option<u64>| Some(CopyDelay { age_ms, bytes });
        let (local_ms, local_bytes) = (("local.retention.ms", "7"), ("local.retention.bytes", "9"));
        let cases = [
            (&[][..], None),
            (&[(LAG_MS, "5")], delay(Some(5), None)),
            (&[(LAG_MS, "-1")], delay(Some(604_800_000), None)),
            (&[(LAG_MS, "-1"), local_ms, local_bytes], delay(Some(7), Some(9))),
            (&[(LAG_MS, "-1"), (LAG_BYTES, "0"), local_ms], None),
            (&[(LAG_BYTES, "5")], None),
            (&[(LAG_MS, "-1"), (LAG_BYTES, "5"), ("retention.ms", "-1")], delay(None, Some(5))),
            (&[(LAG_MS, "-1"), ("retention.ms", "-1")], delay(None, None)),
            (&[(LAG_MS, "5"), (MAX_UNSAVED, "60000")], None),
        ];
        for (keys, expected) in cases {
            assert_eq!(tiered("t", keys).tier.config.delay, expected, "{keys:?}");
        }
        let settings = settings(&[("log.remote.copy.lag.ms", "5"), ("log.remote.copy.lag.bytes", "6")]);
        assert_eq!(settings.tier.config.delay, delay(Some(5), Some(6)));
    }

    #[test]
    fn contradictions_are_refused_in_kafkas_words() {
        let cases: &[(&[(&str, &str)], &str)] = &[
            (&[("nonsense", "1")], "Unknown topic config name: nonsense"),
            (
                &[("max.compaction.lag.ms", "5"), ("min.compaction.lag.ms", "10")],
                "conflict topic config setting min.compaction.lag.ms (10) > max.compaction.lag.ms (5)",
            ),
        ];
        for (overrides, expected) in cases {
            assert_eq!(validate(overrides.iter().copied()).unwrap_err().to_string(), *expected);
        }
        validate([("cleanup.policy", "compact"), ("retention.ms", "-1")]).unwrap();
    }
}
