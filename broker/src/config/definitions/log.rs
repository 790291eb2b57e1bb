//! Logs: directories, segments, retention, syncs, what batches may be. Source: `ServerLogConfigs`.

use super::Bounds::{Any, AtLeast};
use super::{CLEANUP, CODECS, DURABILITIES, Definition, GZIP_LEVELS, LZ4_LEVELS, TIMESTAMP_TYPES, ZSTD_LEVELS};

/// The keys of logs, most of them the defaults of topics' keys, by name.
pub(super) const ROWS: &[Definition] = definitions! {
    Acts "background.threads" Int = Some("10"), AtLeast(1), ClusterWide, "Threads that sync logs to disk.";
    None "compression.gzip.level" Int = Some("-1"), GZIP_LEVELS, ClusterWide, "The level of gzip when the broker compresses. No effect yet: the codec's own default is used.";
    None "compression.lz4.level" Int = Some("9"), LZ4_LEVELS, ClusterWide, "The level of lz4 when the broker compresses. No effect yet: the codec's own default is used.";
    Acts "compression.type" String = Some("producer"), CODECS, ClusterWide, "The codec that batches are stored in; producer keeps what was sent.";
    None "compression.zstd.level" Int = Some("3"), ZSTD_LEVELS, ClusterWide, "The level of zstd when the broker compresses. No effect yet: the codec's own default is used.";
    Refused "cordoned.log.dirs" List = Some(""), Any, PerBroker, "Log directories that get no new partitions. Refused: directories cannot be cordoned yet, and new partitions would be placed there all the same.";
    Acts "log.cleanup.policy" List = Some("delete"), CLEANUP, ClusterWide, "What happens to old segments: delete removes them by time and size, compact keeps of each key the last record, and records need keys; both may be named.";
    Acts "log.dir" List = Some("/tmp/kafka-logs"), Any, ReadOnly, "Log directories, where log.dirs is absent.";
    None "log.dir.failure.timeout.ms" Long = Some("30000"), AtLeast(1), ReadOnly, "A broker that cannot tell the controller of a failed directory for so long stops. No effect yet: the controller is in the same process.";
    Acts "log.dirs" List = None, Any, ReadOnly, "The directories that hold the logs.";
    Acts "log.flush.interval.messages" Long = Some("9223372036854775807"), AtLeast(1), ClusterWide, "A log is synced when it holds so many unsynced records.";
    Acts "log.flush.interval.ms" Long = None, Any, ClusterWide, "A log is synced at the latest so long after a record came; absent: log.flush.scheduler.interval.ms.";
    Acts "log.flush.offset.checkpoint.interval.ms" Int = Some("60000"), AtLeast(0), ReadOnly, "How often recovery points and log start offsets are written.";
    Acts "log.flush.scheduler.interval.ms" Long = Some("9223372036854775807"), Any, ReadOnly, "The default of log.flush.interval.ms. Where it is left at its default, what is not synced for acks=all is synced each second.";
    None "log.flush.start.offset.checkpoint.interval.ms" Int = Some("60000"), AtLeast(0), ReadOnly, "How often log start offsets are written. No effect: they are written with the recovery points.";
    Acts "log.index.interval.bytes" Int = Some("4096"), AtLeast(0), ClusterWide, "Bytes of batches between two index entries.";
    Acts "log.index.size.max.bytes" Int = Some("10485760"), AtLeast(4), ClusterWide, "The largest index file.";
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
    Acts "log.segment.bytes" Int = Some("1073741824"), AtLeast(14), ClusterWide, "The largest segment. As small as before Kafka 4.0, which wants 1048576.";
    Acts "log.segment.delete.delay.ms" Long = Some("60000"), AtLeast(0), ClusterWide, "How long a deleted segment's files stay under another name.";
    Acts "message.max.bytes" Int = Some("1048588"), AtLeast(0), ClusterWide, "The largest batch.";
    Acts "min.insync.replicas" Int = Some("1"), AtLeast(1), ClusterWide, "Replicas that must be in sync for acks=all.";
    Acts "num.recovery.threads.per.data.dir" Int = Some("2"), AtLeast(1), ClusterWide, "Threads of each log directory that recover logs after a crash.";
    Acts "ottla.durability" String = Some("auto"), DURABILITIES, ClusterWide, "When acks=all is answered: durable, after the batch is synced on every in-sync replica; replicated, when each has it in memory; auto, durable where a partition has a single replica.";
};
