//! A topic's own keys. Source: `LogConfig`, `TopicConfig`.

use super::Bounds::{Any, AtLeast, BetweenOr};
use super::{
    Bounds, CLEANUP, CODECS, DURABILITIES, Definition, GZIP_LEVELS, LZ4_LEVELS, RATIO, TIMESTAMP_TYPES, ZSTD_LEVELS,
};

/// A topic's keys, by name.
pub(super) const ROWS: &[Definition] = definitions! {
    Acts "cleanup.policy" List = Some("delete"), CLEANUP, ClusterWide, "What happens to old segments: delete removes them by time and size, compact keeps of each key the last record, and records need keys; both may be named.";
    None "compression.gzip.level" Int = Some("-1"), GZIP_LEVELS, ClusterWide, "The level of gzip when the broker compresses. No effect yet: the codec's own default is used.";
    None "compression.lz4.level" Int = Some("9"), LZ4_LEVELS, ClusterWide, "The level of lz4 when the broker compresses. No effect yet: the codec's own default is used.";
    Acts "compression.type" String = Some("producer"), CODECS, ClusterWide, "The codec that batches are stored in; producer keeps what was sent.";
    None "compression.zstd.level" Int = Some("3"), ZSTD_LEVELS, ClusterWide, "The level of zstd when the broker compresses. No effect yet: the codec's own default is used.";
    Acts "delete.retention.ms" Long = Some("86400000"), AtLeast(0), ClusterWide, "How long tombstones and markers of transactions stay in a compacted log, at least.";
    Acts "file.delete.delay.ms" Long = Some("60000"), AtLeast(0), ClusterWide, "How long a deleted segment's files stay under another name.";
    Acts "flush.messages" Long = Some("9223372036854775807"), AtLeast(1), ClusterWide, "The log is synced when it holds so many unsynced records; 1 makes every acks=all durable.";
    Acts "flush.ms" Long = Some("9223372036854775807"), AtLeast(0), ClusterWide, "The log is synced at the latest so long after a record came. Where it is left at its default, what is not synced for acks=all is synced each second.";
    None "follower.replication.throttled.replicas" List = Some(""), Bounds::ThrottledReplicas, ClusterWide, "Followers whose replication is throttled. No effect yet: this node is the only one.";
    Acts "index.interval.bytes" Int = Some("4096"), AtLeast(0), ClusterWide, "Bytes of batches between two index entries.";
    Acts "internal.segment.bytes" Int = None, Any, ClusterWide, "Takes the place of segment.bytes, without a bound; for tests. Nobody is told of it, as in Kafka.";
    None "leader.replication.throttled.replicas" List = Some(""), Bounds::ThrottledReplicas, ClusterWide, "Leaders whose replication is throttled. No effect yet: this node is the only one.";
    Acts "local.retention.bytes" Long = Some("-2"), AtLeast(-2), ClusterWide, "The largest local log of a tiered topic; -2 for retention.bytes.";
    Acts "local.retention.ms" Long = Some("-2"), AtLeast(-2), ClusterWide, "How long a tiered topic's segments stay local; -2 for retention.ms.";
    Acts "max.compaction.lag.ms" Long = Some("9223372036854775807"), AtLeast(1), ClusterWide, "The longest that a record stays uncompacted.";
    Acts "max.message.bytes" Int = Some("1048588"), AtLeast(0), ClusterWide, "The largest batch.";
    Acts "message.timestamp.after.max.ms" Long = Some("3600000"), AtLeast(0), ClusterWide, "How far in the future a record's timestamp may be.";
    Acts "message.timestamp.before.max.ms" Long = Some("9223372036854775807"), AtLeast(0), ClusterWide, "How far in the past a record's timestamp may be.";
    Acts "message.timestamp.type" String = Some("CreateTime"), TIMESTAMP_TYPES, ClusterWide, "Whose time a record has: the producer's or the broker's.";
    Acts "min.cleanable.dirty.ratio" Double = Some("0.5"), RATIO, ClusterWide, "The share of the log that must be uncompacted before it is compacted.";
    Acts "min.compaction.lag.ms" Long = Some("0"), AtLeast(0), ClusterWide, "The shortest that a record stays uncompacted.";
    Acts "min.insync.replicas" Int = Some("1"), AtLeast(1), ClusterWide, "Replicas that must be in sync for acks=all.";
    Acts "ottla.durability" String = Some("auto"), DURABILITIES, ClusterWide, "When acks=all is answered: durable, after the batch is synced on every in-sync replica; replicated, when each has it in memory; auto, durable where a partition has a single replica.";
    Acts "ottla.remote.max.unsaved.ms" Long = Some("-1"), BetweenOr(1000, i64::MAX, -1), ClusterWide, "How long records of a tiered topic may be on their machine only: a segment that is not full is closed by then and copied, one small object and its indexes each time. -1: until it is full. Refused of compacted topics, which have max.compaction.lag.ms.";
    None "preallocate" Boolean = Some("false"), Any, ClusterWide, "Whether segments take their whole size when created. No effect: they grow as they are written.";
    Acts "remote.copy.lag.bytes" Long = Some("-1"), AtLeast(-1), ClusterWide, "A closed segment of a tiered topic is copied once so many bytes of the log lie behind it, if not by remote.copy.lag.ms before; -1 for local.retention.bytes, 0 at once. As in Kafka 4.4 (KIP-1241).";
    Acts "remote.copy.lag.ms" Long = Some("0"), AtLeast(-1), ClusterWide, "A closed segment of a tiered topic is copied once its youngest record is so old, so that the store need not have what is local: a lost disk takes that with it. -1 for local.retention.ms, 0 at once. Refused of compacted topics, and beside ottla.remote.max.unsaved.ms. As in Kafka 4.4 (KIP-1241).";
    Acts "remote.log.copy.disable" Boolean = Some("false"), Any, ClusterWide, "Whether a tiered topic is no longer copied: what is remote stays readable until it is too old.";
    Acts "remote.log.delete.on.disable" Boolean = Some("false"), Any, ClusterWide, "Whether remote segments go when tiering is switched off.";
    Acts "remote.storage.enable" Boolean = Some("false"), Any, ClusterWide, "Whether the topic is tiered: closed segments are copied to remote storage. Needs remote.log.storage.system.enable.";
    Acts "retention.bytes" Long = Some("-1"), Any, ClusterWide, "The oldest segments go while the log is larger; -1 keeps them.";
    Acts "retention.ms" Long = Some("604800000"), AtLeast(-1), ClusterWide, "Segments whose newest record is older go; -1 keeps them.";
    Acts "segment.bytes" Int = Some("1073741824"), AtLeast(14), ClusterWide, "The largest segment. As small as before Kafka 4.0, which wants 1048576.";
    Acts "segment.index.bytes" Int = Some("10485760"), AtLeast(4), ClusterWide, "The largest index file.";
    Acts "segment.jitter.ms" Long = Some("0"), AtLeast(0), ClusterWide, "The most that is taken off segment.ms at random, so that logs do not roll together.";
    Acts "segment.ms" Long = Some("604800000"), AtLeast(1), ClusterWide, "A segment is rolled when its first record is so old.";
    None "unclean.leader.election.enable" Boolean = Some("false"), Any, ClusterWide, "Whether a replica out of sync may lead. No effect yet: this node is the only one.";
};
