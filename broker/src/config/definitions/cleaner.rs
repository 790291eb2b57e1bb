//! The log cleaner. Source: `CleanerConfig`.

use super::Bounds::{Any, AtLeast};
use super::{Definition, RATIO};

/// The keys of the log cleaner, by name.
pub(super) const ROWS: &[Definition] = definitions! {
    None "log.cleaner.backoff.ms" Long = Some("15000"), AtLeast(0), ClusterWide, "Pause of the cleaner when there is nothing to clean. No effect yet: logs are not compacted.";
    None "log.cleaner.dedupe.buffer.size" Long = Some("134217728"), Any, ClusterWide, "Memory of the cleaner. No effect yet: logs are not compacted.";
    None "log.cleaner.delete.retention.ms" Long = Some("86400000"), AtLeast(0), ClusterWide, "How long tombstones stay in compacted logs. No effect yet: logs are not compacted.";
    None "log.cleaner.enable" Boolean = Some("true"), Any, ReadOnly, "Whether logs are compacted. No effect yet: logs are not compacted.";
    None "log.cleaner.io.buffer.load.factor" Double = Some("0.9"), Any, ClusterWide, "How full the cleaner's memory may be. No effect yet: logs are not compacted.";
    None "log.cleaner.io.buffer.size" Int = Some("524288"), AtLeast(0), ClusterWide, "Memory of the cleaner's reads and writes. No effect yet: logs are not compacted.";
    None "log.cleaner.io.max.bytes.per.second" Double = Some("1.7976931348623157E308"), Any, ClusterWide, "Bytes per second that the cleaner may read and write. No effect yet: logs are not compacted.";
    None "log.cleaner.max.compaction.lag.ms" Long = Some("9223372036854775807"), AtLeast(1), ClusterWide, "The longest that a record stays uncompacted. No effect yet: logs are not compacted.";
    None "log.cleaner.min.cleanable.ratio" Double = Some("0.5"), RATIO, ClusterWide, "The share of a log that must be uncompacted before it is compacted. No effect yet: logs are not compacted.";
    None "log.cleaner.min.compaction.lag.ms" Long = Some("0"), AtLeast(0), ClusterWide, "The shortest that a record stays uncompacted. No effect yet: logs are not compacted.";
    None "log.cleaner.threads" Int = Some("1"), AtLeast(0), ClusterWide, "Threads that compact. No effect yet: logs are not compacted.";
};
