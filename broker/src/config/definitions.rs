//! Every configuration key, one row each: name, type, default, bounds, how it may change, what it does. The only place that
//! spells a key; validation and DescribeConfigs come from it. Source: `AbstractKafkaConfig`, `LogConfig`.

/// The type of a value (`ConfigDef.Type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Boolean,
    String,
    Int,
    Long,
    Double,
    List,
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
    OneOf(&'static [&'static str]),
    /// For lists: each element.
    EachOneOf(&'static [&'static str]),
    /// `*`, or pairs `partition:broker`.
    ThrottledReplicas,
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

/// The broker's key with this name.
pub fn broker_key(name: &str) -> Option<&'static Definition> {
    BROKER.iter().find(|definition| definition.name == name)
}

/// The topic's key with this name.
pub fn topic_key(name: &str) -> Option<&'static Definition> {
    TOPIC.iter().find(|definition| definition.name == name)
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
    ("preallocate", "log.preallocate"),
    ("retention.bytes", "log.retention.bytes"),
    ("retention.ms", "log.retention.ms"),
    ("segment.bytes", "log.segment.bytes"),
    ("segment.index.bytes", "log.index.size.max.bytes"),
    ("segment.jitter.ms", "log.roll.jitter.ms"),
    ("segment.ms", "log.roll.ms"),
    ("unclean.leader.election.enable", "unclean.leader.election.enable"),
];

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
        &[$( Definition {
            name: $name,
            kind: Kind::$kind,
            default: $default,
            bounds: $bounds,
            update: Update::$update,
            effect: Effect::$effect,
            documentation: $documentation,
        } ),*]
    };
}

use Bounds::{Any, AtLeast};

/// The broker's keys, by name.
pub const BROKER: &[Definition] = definitions! {
    Acts "advertised.listeners" List = None, Any, PerBroker, "Where clients find each listener, if it is elsewhere than it listens.";
    Acts "auto.create.topics.enable" Boolean = Some("true"), Any, ReadOnly, "Whether asking for the metadata of a topic that does not exist creates it.";
    Acts "background.threads" Int = Some("10"), AtLeast(1), ClusterWide, "Threads that sync logs to disk.";
    Acts "broker.id" Int = Some("-1"), Any, ReadOnly, "The older name of node.id.";
    Acts "broker.rack" String = None, Any, ReadOnly, "The rack that clients are told and replicas are spread over.";
    Acts "cluster.id" String = None, Any, ReadOnly, "The cluster's id when the log directories are formatted at the first start; a random one if absent. Later it must be the one in meta.properties.";
    None "compression.gzip.level" Int = Some("-1"), GZIP_LEVELS, ClusterWide, "The level of gzip when the broker compresses. No effect yet: the codec's own default is used.";
    None "compression.lz4.level" Int = Some("9"), LZ4_LEVELS, ClusterWide, "The level of lz4 when the broker compresses. No effect yet: the codec's own default is used.";
    Acts "compression.type" String = Some("producer"), CODECS, ClusterWide, "The codec that batches are stored in; producer keeps what was sent.";
    None "compression.zstd.level" Int = Some("3"), ZSTD_LEVELS, ClusterWide, "The level of zstd when the broker compresses. No effect yet: the codec's own default is used.";
    Acts "connections.max.idle.ms" Long = Some("600000"), Any, ReadOnly, "A connection that is silent for so long is closed; a negative value keeps it.";
    None "controlled.shutdown.enable" Boolean = Some("true"), Any, ReadOnly, "Whether a stopping broker hands its partitions over. No effect yet: there is nobody to take them.";
    Acts "controller.listener.names" List = Some("CONTROLLER"), Any, ReadOnly, "The listeners that serve controllers; they are not advertised to clients.";
    None "controller.quorum.bootstrap.servers" List = Some(""), Any, ReadOnly, "Where the controllers are. No effect yet: this node is the only one.";
    Acts "controller.quorum.voters" List = Some(""), Any, ReadOnly, "The controllers, as id@host:port. This node must be the only one.";
    Acts "default.replication.factor" Int = Some("1"), AtLeast(1), ReadOnly, "The replication factor of topics that ask for the default, and of those created automatically.";
    Acts "delete.topic.enable" Boolean = Some("true"), Any, ReadOnly, "Whether topics can be deleted.";
    Acts "fetch.max.bytes" Int = Some("57671680"), AtLeast(1024), ReadOnly, "The most bytes that one fetch is answered with, but for a first batch that is larger.";
    Acts "inter.broker.listener.name" String = None, Any, ReadOnly, "The listener that brokers use among themselves.";
    Acts "listener.security.protocol.map" String = Some("SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT"), Any, PerBroker, "The security protocol of each listener. Only PLAINTEXT is served yet.";
    Acts "listeners" List = Some("PLAINTEXT://:9092"), Any, PerBroker, "Where to listen: name://host:port, an empty host meaning every address, port 0 a free one.";
    None "log.cleaner.backoff.ms" Long = Some("15000"), AtLeast(0), ClusterWide, "Pause of the cleaner when there is nothing to clean. No effect yet: logs are not compacted.";
    None "log.cleaner.dedupe.buffer.size" Long = Some("134217728"), Any, ClusterWide, "Memory of the cleaner. No effect yet: logs are not compacted.";
    None "log.cleaner.delete.retention.ms" Long = Some("86400000"), AtLeast(0), ClusterWide, "How long tombstones stay in compacted logs. No effect yet: logs are not compacted.";
    None "log.cleaner.enable" Boolean = Some("true"), Any, ReadOnly, "Whether logs are compacted. No effect yet: logs are not compacted.";
    None "log.cleaner.max.compaction.lag.ms" Long = Some("9223372036854775807"), AtLeast(1), ClusterWide, "The longest that a record stays uncompacted. No effect yet: logs are not compacted.";
    None "log.cleaner.min.cleanable.ratio" Double = Some("0.5"), RATIO, ClusterWide, "The share of a log that must be uncompacted before it is compacted. No effect yet: logs are not compacted.";
    None "log.cleaner.min.compaction.lag.ms" Long = Some("0"), AtLeast(0), ClusterWide, "The shortest that a record stays uncompacted. No effect yet: logs are not compacted.";
    None "log.cleaner.threads" Int = Some("1"), AtLeast(0), ClusterWide, "Threads that compact. No effect yet: logs are not compacted.";
    Acts "log.cleanup.policy" List = Some("delete"), CLEANUP, ClusterWide, "What happens to old segments: delete removes them by time and size. With compact, records need keys; compaction itself does not happen yet.";
    Acts "log.dir" List = Some("/tmp/kafka-logs"), Any, ReadOnly, "Log directories, where log.dirs is absent.";
    Acts "log.dirs" List = None, Any, ReadOnly, "The directories that hold the logs.";
    Acts "log.flush.interval.messages" Long = Some("9223372036854775807"), AtLeast(1), ClusterWide, "A log is synced when it holds so many unsynced records.";
    Acts "log.flush.interval.ms" Long = None, Any, ClusterWide, "A log is synced at the latest so long after a record came; absent: log.flush.scheduler.interval.ms.";
    Acts "log.flush.offset.checkpoint.interval.ms" Int = Some("60000"), AtLeast(0), ReadOnly, "How often recovery points and log start offsets are written.";
    Acts "log.flush.scheduler.interval.ms" Long = Some("9223372036854775807"), Any, ReadOnly, "The default of log.flush.interval.ms. Where it is left at its default, what is not synced for acks=all is synced each second.";
    None "log.flush.start.offset.checkpoint.interval.ms" Int = Some("60000"), AtLeast(0), ReadOnly, "How often log start offsets are written. No effect: they are written with the recovery points.";
    Acts "log.index.interval.bytes" Int = Some("4096"), AtLeast(0), ClusterWide, "Bytes of batches between two index entries.";
    Acts "log.index.size.max.bytes" Int = Some("10485760"), AtLeast(4), ClusterWide, "The largest index file.";
    None "log.local.retention.bytes" Long = Some("-2"), AtLeast(-2), ClusterWide, "The largest local log of a tiered topic. No effect yet: there is no remote storage.";
    None "log.local.retention.ms" Long = Some("-2"), AtLeast(-2), ClusterWide, "How long a tiered topic's segments stay local. No effect yet: there is no remote storage.";
    Acts "log.message.timestamp.after.max.ms" Long = Some("3600000"), AtLeast(0), ClusterWide, "How far in the future a record's timestamp may be.";
    Acts "log.message.timestamp.before.max.ms" Long = Some("9223372036854775807"), AtLeast(0), ClusterWide, "How far in the past a record's timestamp may be.";
    Acts "log.message.timestamp.type" String = Some("CreateTime"), TIMESTAMP_TYPES, ClusterWide, "Whose time a record has: the producer's or the broker's.";
    None "log.preallocate" Boolean = Some("false"), Any, ClusterWide, "Whether segments take their whole size when created. No effect: they grow as they are written.";
    Acts "log.retention.bytes" Long = Some("-1"), Any, ClusterWide, "The oldest segments of a log go while it is larger; -1 keeps them.";
    Acts "log.retention.check.interval.ms" Long = Some("300000"), AtLeast(1), ReadOnly, "How often retention is applied.";
    Acts "log.retention.hours" Int = Some("168"), Any, ReadOnly, "As log.retention.ms, in hours, where neither that nor log.retention.minutes is set.";
    Acts "log.retention.minutes" Int = None, Any, ReadOnly, "As log.retention.ms, in minutes, where that is not set.";
    Acts "log.retention.ms" Long = None, Any, ClusterWide, "Segments whose newest record is older go; -1 keeps them.";
    Acts "log.roll.hours" Int = Some("168"), AtLeast(1), ReadOnly, "As log.roll.ms, in hours, where that is not set.";
    Acts "log.roll.jitter.hours" Int = Some("0"), AtLeast(0), ReadOnly, "As log.roll.jitter.ms, in hours, where that is not set.";
    Acts "log.roll.jitter.ms" Long = None, Any, ClusterWide, "The most that is taken off log.roll.ms at random, so that logs do not roll together.";
    Acts "log.roll.ms" Long = None, Any, ClusterWide, "A segment is rolled when its first record is so old.";
    Acts "log.segment.bytes" Int = Some("1073741824"), AtLeast(1_048_576), ClusterWide, "The largest segment.";
    Acts "log.segment.delete.delay.ms" Long = Some("60000"), AtLeast(0), ClusterWide, "How long a deleted segment's files stay under another name.";
    Acts "max.connections" Int = Some("2147483647"), AtLeast(0), ClusterWide, "Connections that may be open.";
    Acts "max.connections.per.ip" Int = Some("2147483647"), AtLeast(0), ClusterWide, "Connections that may be open from one address.";
    Acts "max.incremental.fetch.session.cache.slots" Int = Some("1000"), AtLeast(0), ReadOnly, "Fetch sessions that are kept.";
    Acts "max.request.partition.size.limit" Int = Some("2000"), AtLeast(1), ReadOnly, "The most partitions that one DescribeTopicPartitions is answered with.";
    Acts "message.max.bytes" Int = Some("1048588"), AtLeast(0), ClusterWide, "The largest batch.";
    Acts "metadata.log.dir" String = None, Any, ReadOnly, "The directory of the metadata log; absent: the first log directory.";
    Acts "metadata.log.max.record.bytes.between.snapshots" Long = Some("20971520"), AtLeast(1), ReadOnly, "A snapshot of the metadata is made after so many bytes of it.";
    Acts "metadata.log.max.snapshot.interval.ms" Long = Some("3600000"), AtLeast(0), ReadOnly, "A snapshot of the metadata is made at the latest so long after a change; 0: never by time.";
    Acts "min.insync.replicas" Int = Some("1"), AtLeast(1), ClusterWide, "Replicas that must be in sync for acks=all.";
    Acts "node.id" Int = Some("1"), AtLeast(0), ReadOnly, "This node's id.";
    None "num.io.threads" Int = Some("8"), AtLeast(1), ClusterWide, "Threads that work on requests. No effect: there is one for each core.";
    None "num.network.threads" Int = Some("3"), AtLeast(1), ClusterWide, "Threads that read and write sockets. No effect: there is one for each core.";
    Acts "num.partitions" Int = Some("1"), AtLeast(1), ReadOnly, "Partitions of topics that ask for the default, and of those created automatically.";
    Acts "num.recovery.threads.per.data.dir" Int = Some("2"), AtLeast(1), ClusterWide, "Threads of each log directory that recover logs after a crash.";
    None "num.replica.fetchers" Int = Some("1"), AtLeast(1), ClusterWide, "Threads that replicate from each broker. No effect yet: this node is the only one.";
    Acts "ottla.durability" String = Some("auto"), DURABILITIES, ClusterWide, "When acks=all is answered: durable, after the batch is synced on every in-sync replica; replicated, when each has it in memory; auto, durable where a partition has a single replica.";
    Acts "process.roles" List = Some("broker,controller"), Bounds::EachOneOf(&["broker", "controller"]), ReadOnly, "What this node is. Both, yet.";
    Acts "producer.id.expiration.ms" Int = Some("86400000"), AtLeast(1), ClusterWide, "An idempotent producer that was silent for so long is forgotten.";
    Acts "queued.max.request.bytes" Long = Some("-1"), Any, ReadOnly, "Memory for requests being read; -1 for the default of 256 MiB. Connections wait for it.";
    None "queued.max.requests" Int = Some("500"), AtLeast(1), ReadOnly, "Requests that wait for a thread. No effect: none waits; queued.max.request.bytes limits their memory.";
    Acts "replica.high.watermark.checkpoint.interval.ms" Long = Some("5000"), Any, ReadOnly, "How often high watermarks are written.";
    Acts "security.inter.broker.protocol" String = Some("PLAINTEXT"), Bounds::OneOf(&["PLAINTEXT"]), ReadOnly, "The security protocol between brokers. Only PLAINTEXT is served yet.";
    Acts "socket.listen.backlog.size" Int = Some("50"), AtLeast(1), ReadOnly, "Connections that wait to be accepted.";
    None "socket.receive.buffer.bytes" Int = Some("102400"), Any, ReadOnly, "The receive buffer of sockets. No effect: the system sizes it, which is faster.";
    Acts "socket.request.max.bytes" Int = Some("104857600"), AtLeast(1), ReadOnly, "The largest Produce request; other requests may have 2 MiB.";
    None "socket.send.buffer.bytes" Int = Some("102400"), Any, ReadOnly, "The send buffer of sockets. No effect: the system sizes it, which is faster.";
    None "unclean.leader.election.enable" Boolean = Some("false"), Any, ClusterWide, "Whether a replica out of sync may lead. No effect yet: this node is the only one.";
};

/// A topic's keys, by name.
pub const TOPIC: &[Definition] = definitions! {
    Acts "cleanup.policy" List = Some("delete"), CLEANUP, ClusterWide, "What happens to old segments: delete removes them by time and size. With compact, records need keys; compaction itself does not happen yet.";
    None "compression.gzip.level" Int = Some("-1"), GZIP_LEVELS, ClusterWide, "The level of gzip when the broker compresses. No effect yet: the codec's own default is used.";
    None "compression.lz4.level" Int = Some("9"), LZ4_LEVELS, ClusterWide, "The level of lz4 when the broker compresses. No effect yet: the codec's own default is used.";
    Acts "compression.type" String = Some("producer"), CODECS, ClusterWide, "The codec that batches are stored in; producer keeps what was sent.";
    None "compression.zstd.level" Int = Some("3"), ZSTD_LEVELS, ClusterWide, "The level of zstd when the broker compresses. No effect yet: the codec's own default is used.";
    None "delete.retention.ms" Long = Some("86400000"), AtLeast(0), ClusterWide, "How long tombstones stay in a compacted log. No effect yet: logs are not compacted.";
    Acts "file.delete.delay.ms" Long = Some("60000"), AtLeast(0), ClusterWide, "How long a deleted segment's files stay under another name.";
    Acts "flush.messages" Long = Some("9223372036854775807"), AtLeast(1), ClusterWide, "The log is synced when it holds so many unsynced records; 1 makes every acks=all durable.";
    Acts "flush.ms" Long = Some("9223372036854775807"), AtLeast(0), ClusterWide, "The log is synced at the latest so long after a record came. Where it is left at its default, what is not synced for acks=all is synced each second.";
    None "follower.replication.throttled.replicas" List = Some(""), Bounds::ThrottledReplicas, ClusterWide, "Followers whose replication is throttled. No effect yet: this node is the only one.";
    Acts "index.interval.bytes" Int = Some("4096"), AtLeast(0), ClusterWide, "Bytes of batches between two index entries.";
    None "leader.replication.throttled.replicas" List = Some(""), Bounds::ThrottledReplicas, ClusterWide, "Leaders whose replication is throttled. No effect yet: this node is the only one.";
    None "local.retention.bytes" Long = Some("-2"), AtLeast(-2), ClusterWide, "The largest local log of a tiered topic. No effect yet: there is no remote storage.";
    None "local.retention.ms" Long = Some("-2"), AtLeast(-2), ClusterWide, "How long a tiered topic's segments stay local. No effect yet: there is no remote storage.";
    None "max.compaction.lag.ms" Long = Some("9223372036854775807"), AtLeast(1), ClusterWide, "The longest that a record stays uncompacted. No effect yet: logs are not compacted.";
    Acts "max.message.bytes" Int = Some("1048588"), AtLeast(0), ClusterWide, "The largest batch.";
    Acts "message.timestamp.after.max.ms" Long = Some("3600000"), AtLeast(0), ClusterWide, "How far in the future a record's timestamp may be.";
    Acts "message.timestamp.before.max.ms" Long = Some("9223372036854775807"), AtLeast(0), ClusterWide, "How far in the past a record's timestamp may be.";
    Acts "message.timestamp.type" String = Some("CreateTime"), TIMESTAMP_TYPES, ClusterWide, "Whose time a record has: the producer's or the broker's.";
    None "min.cleanable.dirty.ratio" Double = Some("0.5"), RATIO, ClusterWide, "The share of the log that must be uncompacted before it is compacted. No effect yet: logs are not compacted.";
    None "min.compaction.lag.ms" Long = Some("0"), AtLeast(0), ClusterWide, "The shortest that a record stays uncompacted. No effect yet: logs are not compacted.";
    Acts "min.insync.replicas" Int = Some("1"), AtLeast(1), ClusterWide, "Replicas that must be in sync for acks=all.";
    Acts "ottla.durability" String = Some("auto"), DURABILITIES, ClusterWide, "When acks=all is answered: durable, after the batch is synced on every in-sync replica; replicated, when each has it in memory; auto, durable where a partition has a single replica.";
    None "preallocate" Boolean = Some("false"), Any, ClusterWide, "Whether segments take their whole size when created. No effect: they grow as they are written.";
    None "remote.log.copy.disable" Boolean = Some("false"), Any, ClusterWide, "Whether a tiered topic is no longer copied. No effect yet: there is no remote storage.";
    None "remote.log.delete.on.disable" Boolean = Some("false"), Any, ClusterWide, "Whether remote segments go when tiering is switched off. No effect yet: there is no remote storage.";
    Acts "remote.storage.enable" Boolean = Some("false"), Any, ClusterWide, "Whether the topic is tiered. Refused yet: there is no remote storage.";
    Acts "retention.bytes" Long = Some("-1"), Any, ClusterWide, "The oldest segments go while the log is larger; -1 keeps them.";
    Acts "retention.ms" Long = Some("604800000"), AtLeast(-1), ClusterWide, "Segments whose newest record is older go; -1 keeps them.";
    Acts "segment.bytes" Int = Some("1073741824"), AtLeast(1_048_576), ClusterWide, "The largest segment.";
    Acts "segment.index.bytes" Int = Some("10485760"), AtLeast(4), ClusterWide, "The largest index file.";
    Acts "segment.jitter.ms" Long = Some("0"), AtLeast(0), ClusterWide, "The most that is taken off segment.ms at random, so that logs do not roll together.";
    Acts "segment.ms" Long = Some("604800000"), AtLeast(1), ClusterWide, "A segment is rolled when its first record is so old.";
    None "unclean.leader.election.enable" Boolean = Some("false"), Any, ClusterWide, "Whether a replica out of sync may lead. No effect yet: this node is the only one.";
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Value;

    #[test]
    fn rows_are_sorted_and_their_defaults_are_within_bounds() {
        for table in [BROKER, TOPIC] {
            assert!(table.is_sorted_by(|a, b| a.name < b.name));
            for definition in table {
                if let Some(default) = definition.default {
                    Value::parse(definition, default).unwrap();
                }
                assert!(definition.documentation.ends_with('.'), "{}", definition.name);
                let says_so = definition.documentation.contains("No effect");
                assert_eq!(says_so, definition.effect == Effect::None, "{}", definition.name);
            }
        }
    }

    #[test]
    fn a_topic_key_and_its_synonym_have_one_type() {
        for (topic, broker) in TOPIC_SYNONYMS {
            let (topic, broker) = (topic_key(topic).unwrap(), broker_key(broker).unwrap());
            assert_eq!(topic.kind, broker.kind, "{}", topic.name);
        }
    }
}
