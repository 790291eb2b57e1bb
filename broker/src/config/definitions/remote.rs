//! Remote storage. Source: `RemoteLogManagerConfig`.

use super::Bounds::{Any, AtLeast, NonEmpty};
use super::Definition;

/// The keys of remote storage, by name.
pub(super) const ROWS: &[Definition] = definitions! {
    None "follower.fetch.last.tiered.offset.enable" Boolean = Some("false"), Any, ClusterWide, "Whether a new follower of a tiered topic begins where the local log begins. No effect yet: there is no remote storage.";
    None "log.local.retention.bytes" Long = Some("-2"), AtLeast(-2), ClusterWide, "The largest local log of a tiered topic. No effect yet: there is no remote storage.";
    None "log.local.retention.ms" Long = Some("-2"), AtLeast(-2), ClusterWide, "How long a tiered topic's segments stay local. No effect yet: there is no remote storage.";
    None "remote.fetch.max.wait.ms" Int = Some("500"), AtLeast(1), ClusterWide, "How long a fetch waits for remote storage. No effect yet: there is no remote storage.";
    None "remote.list.offsets.request.timeout.ms" Long = Some("30000"), AtLeast(1), ClusterWide, "How long ListOffsets waits for remote storage. No effect yet: there is no remote storage.";
    None "remote.log.index.file.cache.total.size.bytes" Long = Some("1073741824"), AtLeast(1), ClusterWide, "Space for indexes of remote segments. No effect yet: there is no remote storage.";
    None "remote.log.manager.copier.thread.pool.size" Int = Some("10"), AtLeast(1), ClusterWide, "Threads that copy segments to remote storage. No effect yet: there is no remote storage.";
    None "remote.log.manager.copy.max.bytes.per.second" Long = Some("9223372036854775807"), AtLeast(1), ClusterWide, "Bytes per second that may be copied to remote storage. No effect yet: there is no remote storage.";
    None "remote.log.manager.copy.quota.window.num" Int = Some("11"), AtLeast(1), ReadOnly, "Samples kept for the rate of copies. No effect yet: there is no remote storage.";
    None "remote.log.manager.copy.quota.window.size.seconds" Int = Some("1"), AtLeast(1), ReadOnly, "Span of each sample for the rate of copies. No effect yet: there is no remote storage.";
    None "remote.log.manager.expiration.thread.pool.size" Int = Some("10"), AtLeast(1), ClusterWide, "Threads that remove expired remote segments. No effect yet: there is no remote storage.";
    None "remote.log.manager.fetch.max.bytes.per.second" Long = Some("9223372036854775807"), AtLeast(1), ClusterWide, "Bytes per second that may be read from remote storage. No effect yet: there is no remote storage.";
    None "remote.log.manager.fetch.quota.window.num" Int = Some("11"), AtLeast(1), ReadOnly, "Samples kept for the rate of remote reads. No effect yet: there is no remote storage.";
    None "remote.log.manager.fetch.quota.window.size.seconds" Int = Some("1"), AtLeast(1), ReadOnly, "Span of each sample for the rate of remote reads. No effect yet: there is no remote storage.";
    None "remote.log.manager.follower.thread.pool.size" Int = Some("2"), AtLeast(1), ClusterWide, "Threads that follow remote segments of other leaders. No effect yet: there is no remote storage.";
    None "remote.log.manager.task.interval.ms" Long = Some("30000"), AtLeast(1), ReadOnly, "How often it is looked at what to copy and what to remove. No effect yet: there is no remote storage.";
    None "remote.log.manager.thread.pool.size" Int = Some("2"), AtLeast(1), ReadOnly, "Threads for work on remote storage. No effect yet: there is no remote storage.";
    None "remote.log.metadata.custom.metadata.max.bytes" Int = Some("128"), AtLeast(0), ReadOnly, "The most bytes that a storage class may keep with a segment. No effect yet: there is no remote storage.";
    None "remote.log.metadata.manager.class.name" String = Some("org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager"), NonEmpty, ReadOnly, "The class that keeps the metadata of remote segments. No effect yet: there is no remote storage.";
    None "remote.log.metadata.manager.class.path" String = None, Any, ReadOnly, "Where that class is. No effect: Java classes are not loaded.";
    None "remote.log.metadata.manager.impl.prefix" String = Some("rlmm.config."), NonEmpty, ReadOnly, "The prefix of that class's own keys. No effect yet: there is no remote storage.";
    None "remote.log.metadata.manager.listener.name" String = None, NonEmpty, ReadOnly, "The listener by which that class connects. No effect yet: there is no remote storage.";
    None "remote.log.reader.max.pending.tasks" Int = Some("100"), AtLeast(1), ReadOnly, "Remote reads that may wait. No effect yet: there is no remote storage.";
    None "remote.log.reader.threads" Int = Some("10"), AtLeast(1), ClusterWide, "Threads that read from remote storage. No effect yet: there is no remote storage.";
    None "remote.log.storage.manager.class.name" String = None, NonEmpty, ReadOnly, "The class that keeps remote segments. No effect yet: there is no remote storage.";
    None "remote.log.storage.manager.class.path" String = None, Any, ReadOnly, "Where that class is. No effect: Java classes are not loaded.";
    None "remote.log.storage.manager.impl.prefix" String = Some("rsm.config."), NonEmpty, ReadOnly, "The prefix of that class's own keys. No effect yet: there is no remote storage.";
    Refused "remote.log.storage.system.enable" Boolean = Some("false"), Any, ReadOnly, "Whether topics may be tiered. Refused: there is no remote storage yet, and what a tiered topic has there could not be read.";
};
