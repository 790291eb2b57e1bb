//! Every configuration key, one row each: name, type, default, bounds, how it may change, what it does. The only place that
//! spells a key; validation, DescribeConfigs and the reference page come from it. Source: `AbstractKafkaConfig`, `LogConfig`.

use std::sync::LazyLock;

/// The type of a value (`ConfigDef.Type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Boolean,
    String,
    Short,
    Int,
    Long,
    Double,
    List,
    /// The name of a Java class.
    Class,
    /// A secret: never shown, never logged.
    Password,
}

/// What a value may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bounds {
    Any,
    /// Inclusive.
    AtLeast(i64),
    /// Both inclusive.
    Between(i64, i64),
    /// Both inclusive, or that value.
    BetweenOr(i64, i64, i64),
    /// From zero to that, both inclusive.
    UpTo(f64),
    NonEmpty,
    OneOf(&'static [&'static str]),
    OneOfAnyCase(&'static [&'static str]),
    /// For lists: each element.
    EachOneOf(&'static [&'static str]),
    /// `*`, or pairs `partition:broker`.
    ThrottledReplicas,
    /// Pairs `address:count`.
    AddressCounts,
    /// `earliest`, `latest`, or `by_duration:` and a duration of ISO 8601.
    OffsetReset,
}

/// How a broker's key may change (`DynamicBrokerConfig`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    /// By a restart only.
    ReadOnly,
    /// For one broker.
    PerBroker,
    /// For one broker or for all.
    ClusterWide,
}

/// Whether a key does something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    Acts,
    /// Accepted because clients and files of Kafka have it; its documentation says why it changes nothing here.
    None,
    /// Only its default is accepted: whoever sets it relies on something that would not be kept. The documentation says on what.
    Refused,
}

/// One key.
#[derive(Clone, Copy, Debug)]
pub struct Definition {
    pub name: &'static str,
    pub kind: Kind,
    /// As text; `None` is Kafka's null.
    pub default: Option<&'static str>,
    pub bounds: Bounds,
    pub update: Update,
    pub effect: Effect,
    pub documentation: &'static str,
}

impl Definition {
    /// Whether its value is a secret.
    pub fn is_secret(&self) -> bool {
        self.kind == Kind::Password
    }

    /// Why a value that differs from the default is refused, if it is.
    pub fn refusal(&self) -> Option<&'static str> {
        let (_, reason) = self.documentation.split_once("Refused: ")?;
        (self.effect == Effect::Refused).then_some(reason.trim_end_matches('.'))
    }
}

const CODECS: Bounds = Bounds::OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]);
const CLEANUP: Bounds = Bounds::EachOneOf(&["compact", "delete"]);
const TIMESTAMP_TYPES: Bounds = Bounds::OneOf(&["CreateTime", "LogAppendTime"]);
const DURABILITIES: Bounds = Bounds::OneOf(&["auto", "durable", "replicated"]);
const GZIP_LEVELS: Bounds = Bounds::BetweenOr(1, 9, -1);
const LZ4_LEVELS: Bounds = Bounds::Between(1, 17);
const ZSTD_LEVELS: Bounds = Bounds::Between(-131_072, 22);
const RATIO: Bounds = Bounds::Between(0, 1);

macro_rules! definitions {
    ($( $effect:ident $name:literal $kind:ident = $default:expr, $bounds:expr, $update:ident, $documentation:literal; )*) => {
        &[$( $crate::config::definitions::Definition {
            name: $name,
            kind: $crate::config::definitions::Kind::$kind,
            default: $default,
            bounds: $bounds,
            update: $crate::config::definitions::Update::$update,
            effect: $crate::config::definitions::Effect::$effect,
            documentation: $documentation,
        } ),*]
    };
}

// After the macro, which they use.
mod api;
mod cleaner;
mod client_metrics;
mod group;
mod group_config;
mod historic;
mod internal;
mod log;
mod metrics;
mod network;
mod node;
mod quota;
mod remote;
mod replication;
mod security;
mod share;
mod throttle;
mod topic;
mod transaction;

/// The keys of one subject, for people who read about them.
pub struct Area {
    pub title: &'static str,
    /// By name.
    pub rows: &'static [Definition],
    /// Whether DescribeConfigs tells its keys where nobody has set them.
    pub is_described: bool,
}

const fn area(title: &'static str, rows: &'static [Definition]) -> Area {
    Area { title, rows, is_described: true }
}

const fn hidden(title: &'static str, rows: &'static [Definition]) -> Area {
    Area { title, rows, is_described: false }
}

/// Every key of a broker, by area. No key is in two.
pub const AREAS: &[Area] = &[
    area("The node and its metadata", node::ROWS),
    area("Listeners and connections", network::ROWS),
    area("Topics, requests and policies", api::ROWS),
    area("Logs", log::ROWS),
    area("The log cleaner", cleaner::ROWS),
    area("Replication", replication::ROWS),
    area("Groups and their offsets", group::ROWS),
    area("Share groups", share::ROWS),
    area("Producers and transactions", transaction::ROWS),
    area("Quotas", quota::ROWS),
    area("Remote storage", remote::ROWS),
    area("Security", security::ROWS),
    area("Metrics", metrics::ROWS),
    hidden("Throttles of replication", throttle::ROWS),
    hidden("Keys that Kafka takes and does not show", internal::ROWS),
    hidden("Keys of earlier versions", historic::ROWS),
];

/// A topic's keys, by name.
pub const TOPIC: &[Definition] = topic::ROWS;

/// A group's keys, by name.
pub const GROUP: &[Definition] = group_config::ROWS;

/// The keys of a subscription to clients' metrics, by name.
pub const CLIENT_METRICS: &[Definition] = client_metrics::ROWS;

/// The broker's keys that DescribeConfigs tells, by name.
pub static BROKER: LazyLock<Vec<&'static Definition>> = LazyLock::new(|| by_name(|area| area.is_described));

static ALL: LazyLock<Vec<&'static Definition>> = LazyLock::new(|| by_name(|_| true));

fn by_name(is_wanted: impl Fn(&Area) -> bool) -> Vec<&'static Definition> {
    let mut rows: Vec<_> = AREAS.iter().filter(|area| is_wanted(area)).flat_map(|area| area.rows).collect();
    rows.sort_by_key(|definition| definition.name);
    rows
}

/// Every key of a broker, by name.
pub fn all_broker_keys() -> &'static [&'static Definition] {
    &ALL
}

/// Whether DescribeConfigs tells the broker's key with this name where nobody has set it.
pub fn is_described(name: &str) -> bool {
    BROKER.binary_search_by_key(&name, |definition| definition.name).is_ok()
}

/// The broker's key with this name, described or not.
pub fn broker_key(name: &str) -> Option<&'static Definition> {
    let place = ALL.binary_search_by_key(&name, |definition| definition.name).ok()?;
    Some(ALL[place])
}

/// The topic's key with this name.
pub fn topic_key(name: &str) -> Option<&'static Definition> {
    find(TOPIC, name)
}

/// The topic's keys that requests tell of (`LogConfig.nonInternalConfigNames`).
pub fn described_topic_keys() -> impl Iterator<Item = &'static Definition> {
    TOPIC.iter().filter(|definition| !definition.name.starts_with("internal."))
}

/// The group's key with this name.
pub fn group_key(name: &str) -> Option<&'static Definition> {
    find(GROUP, name)
}

/// The key of a subscription to clients' metrics with this name.
pub fn client_metrics_key(name: &str) -> Option<&'static Definition> {
    find(CLIENT_METRICS, name)
}

fn find(table: &'static [Definition], name: &str) -> Option<&'static Definition> {
    let place = table.binary_search_by_key(&name, |definition| definition.name).ok()?;
    Some(&table[place])
}

/// What classes and other products put into a file under a prefix of their own. None of it changes anything here.
const PREFIXES: &[&str] = &["config.providers.", "confluent.", "rlmm.config.", "rsm.config.", "zookeeper.ssl."];

/// Keys of one listener: this, its name, and the key.
pub(super) const LISTENER_PREFIX: &str = "listener.name.";

/// Whether it is a key of one listener only.
pub fn is_of_listener(name: &str) -> bool {
    name.strip_prefix(LISTENER_PREFIX).is_some_and(|rest| {
        // The listener's name, and for SASL the mechanism, stand before the key.
        rest.match_indices('.').take(2).any(|(dot, _)| broker_key(&rest[dot + 1..]).is_some())
    })
}

/// Whether a key that has no row is one that is known by its beginning.
pub fn has_known_prefix(name: &str) -> bool {
    is_of_listener(name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Broker keys that mean the same, the strongest first; for any other key, itself (`DynamicBrokerConfig.brokerConfigSynonyms`).
pub fn broker_synonyms(name: &'static str) -> &'static [&'static str] {
    const GROUPS: &[&[&str]] = &[
        &["log.roll.ms", "log.roll.hours"],
        &["log.roll.jitter.ms", "log.roll.jitter.hours"],
        &["log.retention.ms", "log.retention.minutes", "log.retention.hours"],
        &["log.flush.interval.ms", "log.flush.scheduler.interval.ms"],
    ];
    let own = || broker_key(name).map_or(&[][..], |definition| std::slice::from_ref(&definition.name));
    GROUPS.iter().find(|group| group.contains(&name)).copied().unwrap_or_else(own)
}

/// The broker's key that is the default of a topic's key (`ServerTopicConfigSynonyms`).
pub fn topic_synonym(name: &str) -> Option<&'static str> {
    TOPIC_SYNONYMS.iter().find(|(topic, _)| *topic == name).map(|(_, broker)| *broker)
}

const TOPIC_SYNONYMS: &[(&str, &str)] = &[
    ("cleanup.policy", "log.cleanup.policy"),
    ("compression.gzip.level", "compression.gzip.level"),
    ("compression.lz4.level", "compression.lz4.level"),
    ("compression.type", "compression.type"),
    ("compression.zstd.level", "compression.zstd.level"),
    ("delete.retention.ms", "log.cleaner.delete.retention.ms"),
    ("file.delete.delay.ms", "log.segment.delete.delay.ms"),
    ("flush.messages", "log.flush.interval.messages"),
    ("flush.ms", "log.flush.interval.ms"),
    ("index.interval.bytes", "log.index.interval.bytes"),
    ("local.retention.bytes", "log.local.retention.bytes"),
    ("local.retention.ms", "log.local.retention.ms"),
    ("max.compaction.lag.ms", "log.cleaner.max.compaction.lag.ms"),
    ("max.message.bytes", "message.max.bytes"),
    ("message.timestamp.after.max.ms", "log.message.timestamp.after.max.ms"),
    ("message.timestamp.before.max.ms", "log.message.timestamp.before.max.ms"),
    ("message.timestamp.type", "log.message.timestamp.type"),
    ("min.cleanable.dirty.ratio", "log.cleaner.min.cleanable.ratio"),
    ("min.compaction.lag.ms", "log.cleaner.min.compaction.lag.ms"),
    ("min.insync.replicas", "min.insync.replicas"),
    ("ottla.durability", "ottla.durability"),
    ("ottla.remote.max.unsaved.ms", "ottla.remote.max.unsaved.ms"),
    ("preallocate", "log.preallocate"),
    ("remote.copy.lag.bytes", "log.remote.copy.lag.bytes"),
    ("remote.copy.lag.ms", "log.remote.copy.lag.ms"),
    ("retention.bytes", "log.retention.bytes"),
    ("retention.ms", "log.retention.ms"),
    ("segment.bytes", "log.segment.bytes"),
    ("segment.index.bytes", "log.index.size.max.bytes"),
    ("segment.jitter.ms", "log.roll.jitter.ms"),
    ("segment.ms", "log.roll.ms"),
    ("unclean.leader.election.enable", "unclean.leader.election.enable"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Value;

    fn tables() -> Vec<&'static [Definition]> {
        AREAS.iter().map(|area| area.rows).chain([TOPIC, GROUP, CLIENT_METRICS]).collect()
    }

    #[test]
    fn rows_are_sorted_and_their_defaults_are_within_bounds() {
        for table in tables() {
            assert!(table.is_sorted_by(|a, b| a.name < b.name));
            for definition in table {
                if let Some(default) = definition.default {
                    Value::parse(definition, default).unwrap();
                }
                let documentation = definition.documentation;
                assert!(documentation.ends_with('.'), "{}", definition.name);
                assert_eq!(
                    documentation.contains("No effect"),
                    definition.effect == Effect::None,
                    "{}",
                    definition.name
                );
                let is_refused = definition.effect == Effect::Refused;
                assert_eq!(documentation.contains("Refused: "), is_refused, "{}", definition.name);
            }
        }
    }

    #[test]
    fn no_key_is_in_two_areas() {
        assert!(ALL.is_sorted_by(|a, b| a.name < b.name));
        assert!(BROKER.len() > 330, "Kafka 4.3 has 340: {}", BROKER.len());
    }

    #[test]
    fn a_topic_key_and_its_synonym_have_one_type() {
        for (topic, broker) in TOPIC_SYNONYMS {
            let (topic, broker) = (topic_key(topic).unwrap(), broker_key(broker).unwrap());
            assert_eq!(topic.kind, broker.kind, "{}", topic.name);
        }
    }

    #[test]
    fn keys_of_a_listener_are_known_by_the_key_behind_its_name() {
        assert!(has_known_prefix("listener.name.external.ssl.keystore.location"));
        assert!(has_known_prefix("listener.name.external.scram-sha-256.sasl.jaas.config"));
        assert!(has_known_prefix("zookeeper.ssl.client.enable"));
        assert!(!has_known_prefix("listener.name.external.ssl.keystore.lokation"));
        assert!(!has_known_prefix("listener.name."));
    }
}
