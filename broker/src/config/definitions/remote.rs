//! Remote storage. Source: `RemoteLogManagerConfig`.

use super::Bounds::{Any, AtLeast, BetweenOr, NonEmpty};
use super::Definition;

/// The keys of remote storage, by name.
pub(super) const ROWS: &[Definition] = definitions! {
    None "follower.fetch.last.tiered.offset.enable" Boolean = Some("false"), Any, ClusterWide, "Whether a new follower of a tiered topic begins where the local log begins. No effect: this node is the only one.";
    Acts "log.local.retention.bytes" Long = Some("-2"), AtLeast(-2), ClusterWide, "The largest local log of a tiered topic; -2 for log.retention.bytes.";
    Acts "log.local.retention.ms" Long = Some("-2"), AtLeast(-2), ClusterWide, "How long a tiered topic's segments stay local; -2 for log.retention.ms.";
    Acts "log.remote.copy.lag.bytes" Long = Some("-1"), AtLeast(-1), ClusterWide, "Closed segments of tiered topics are copied once so many bytes of the log lie behind them, if not by log.remote.copy.lag.ms before; -1 for log.local.retention.bytes, 0 at once. As in Kafka 4.4 (KIP-1241).";
    Acts "log.remote.copy.lag.ms" Long = Some("0"), AtLeast(-1), ClusterWide, "Closed segments of tiered topics are copied once their youngest record is so old; -1 for log.local.retention.ms, 0 at once. Means neither compacted topics nor those with ottla.remote.max.unsaved.ms. As in Kafka 4.4 (KIP-1241).";
    Acts "ottla.remote.cache.bytes" Long = Some("1073741824"), AtLeast(0), ClusterWide, "Space for pieces of remote segments in ottla.remote.cache.dir.";
    Acts "ottla.remote.cache.dir" String = None, NonEmpty, ReadOnly, "A folder in which pieces of remote segments that were read once are kept, for other readers and after a restart; without it they are kept in memory only. Better on another disk than the logs: what is read from remote storage is written there.";
    Acts "ottla.remote.description.interval.ms" Long = Some("60000"), AtLeast(1), ClusterWide, "How often remote storage is told, where it has changed, what tiered topics are and what groups have committed in them: so much is forgotten when a cluster has to be restored from there.";
    Acts "ottla.remote.max.unsaved.ms" Long = Some("-1"), BetweenOr(1000, i64::MAX, -1), ClusterWide, "How long records of a tiered topic may be on this machine only: a segment that is not full is closed by then and copied. -1: until it is full. Compacted topics have max.compaction.lag.ms for this.";
    Acts "ottla.remote.orphan.grace.ms" Long = Some("86400000"), AtLeast(1), ClusterWide, "How old an object is that no manifest names when it is removed: what a failed copy left behind. Longer than any upload takes.";
    Acts "ottla.remote.storage.url" String = None, Any, ReadOnly, "Where remote segments are: file:///and/a/path, s3://bucket/prefix, gs://bucket/prefix, az://container/prefix or abfss://container@account.dfs.core.windows.net/prefix; credentials and endpoints from the environment (AWS_*, GOOGLE_*, AZURE_*). Takes the place of a class.";
    Acts "remote.fetch.max.wait.ms" Int = Some("500"), AtLeast(1), ClusterWide, "How long a fetch waits for remote storage. What comes later is there for the next one.";
    Acts "remote.list.offsets.request.timeout.ms" Long = Some("30000"), AtLeast(1), ClusterWide, "How long ListOffsets waits for remote storage.";
    Acts "remote.log.index.file.cache.total.size.bytes" Long = Some("1073741824"), AtLeast(1), ClusterWide, "Space for indexes of remote segments, in the folder remote-log-index-cache of the first log directory.";
    Acts "remote.log.manager.copier.thread.pool.size" Int = Some("10"), AtLeast(1), ClusterWide, "Partitions whose segments are copied, or removed from remote storage, at the same time.";
    Acts "remote.log.manager.copy.max.bytes.per.second" Long = Some("9223372036854775807"), AtLeast(1), ClusterWide, "Bytes per second that may be copied to remote storage, inside a segment too.";
    None "remote.log.manager.copy.quota.window.num" Int = Some("11"), AtLeast(1), ReadOnly, "Samples kept for the rate of copies. No effect: the rate is kept byte by byte.";
    None "remote.log.manager.copy.quota.window.size.seconds" Int = Some("1"), AtLeast(1), ReadOnly, "Span of each sample for the rate of copies. No effect: the rate is kept byte by byte.";
    None "remote.log.manager.expiration.thread.pool.size" Int = Some("10"), AtLeast(1), ClusterWide, "Threads that remove expired remote segments. No effect: who copies removes too.";
    Acts "remote.log.manager.fetch.max.bytes.per.second" Long = Some("9223372036854775807"), AtLeast(1), ClusterWide, "Bytes per second that may be read from remote storage.";
    None "remote.log.manager.fetch.quota.window.num" Int = Some("11"), AtLeast(1), ReadOnly, "Samples kept for the rate of remote reads. No effect: the rate is kept byte by byte.";
    None "remote.log.manager.fetch.quota.window.size.seconds" Int = Some("1"), AtLeast(1), ReadOnly, "Span of each sample for the rate of remote reads. No effect: the rate is kept byte by byte.";
    None "remote.log.manager.follower.thread.pool.size" Int = Some("2"), AtLeast(1), ClusterWide, "Threads that follow remote segments of other leaders. No effect: this node is the only one.";
    Acts "remote.log.manager.task.interval.ms" Long = Some("30000"), AtLeast(1), ReadOnly, "How often it is looked at what to copy and what to remove.";
    None "remote.log.manager.thread.pool.size" Int = Some("2"), AtLeast(1), ReadOnly, "Threads for work on remote storage. No effect: it is no work of threads.";
    None "remote.log.metadata.custom.metadata.max.bytes" Int = Some("128"), AtLeast(0), ReadOnly, "The most bytes that a storage class may keep with a segment. No effect: nothing of that kind is kept.";
    Acts "remote.log.metadata.manager.class.name" String = Some("org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager"), NonEmpty, ReadOnly, "The class that keeps the metadata of remote segments. The list of remote segments lies beside them; the topic of the class that is named here is written as a view of it.";
    None "remote.log.metadata.manager.class.path" String = None, Any, ReadOnly, "Where that class is. No effect: Java classes are not loaded.";
    Acts "remote.log.metadata.manager.impl.prefix" String = Some("rlmm.config."), NonEmpty, ReadOnly, "The prefix of that class's own keys: remote.log.metadata.topic.num.partitions, replication.factor, retention.ms and min.isr shape the topic; those of its clients mean nothing.";
    None "remote.log.metadata.manager.listener.name" String = None, NonEmpty, ReadOnly, "The listener by which that class connects. No effect: the broker writes the topic itself.";
    None "remote.log.reader.max.pending.tasks" Int = Some("100"), AtLeast(1), ReadOnly, "Remote reads that may wait. No effect: reads wait in their requests.";
    None "remote.log.reader.threads" Int = Some("10"), AtLeast(1), ClusterWide, "Threads that read from remote storage. No effect: reading is no work of threads.";
    Acts "remote.log.storage.manager.class.name" String = None, NonEmpty, ReadOnly, "The class that keeps remote segments. Two are built in under their names: Aiven's io.aiven.kafka.tieredstorage.RemoteStorageManager with its FileSystemStorage, S3Storage, GcsStorage and AzureBlobStorage, and Kafka's LocalTieredStorage; all write a layout of our own.";
    None "remote.log.storage.manager.class.path" String = None, Any, ReadOnly, "Where that class is. No effect: Java classes are not loaded.";
    Acts "remote.log.storage.manager.impl.prefix" String = Some("rsm.config."), NonEmpty, ReadOnly, "The prefix of that class's own keys: of Aiven's chunk.size, fetch.chunk.cache.class, fetch.chunk.cache.path, fetch.chunk.cache.size, fetch.chunk.cache.prefetch.max.size, key.prefix, upload.rate.limit.bytes.per.second, storage.backend.class and its storage.* keys; of LocalTieredStorage dir.";
    Acts "remote.log.storage.system.enable" Boolean = Some("false"), Any, ReadOnly, "Whether topics may be tiered.";
};
