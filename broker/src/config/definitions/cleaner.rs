//! The log cleaner. Source: `CleanerConfig`.

use super::Bounds::{Any, AtLeast};
use super::{Definition, RATIO};

/// The keys of the log cleaner, by name.
pub(super) const ROWS: &[Definition] = definitions! {
    Acts "log.cleaner.backoff.ms" Long = Some("15000"), AtLeast(0), ClusterWide, "Pause of the cleaner when there is nothing to clean.";
    Acts "log.cleaner.dedupe.buffer.size" Long = Some("134217728"), Any, ClusterWide, "How many keys the cleaner's threads together keep in memory: one for every 24 bytes, as in Kafka. They take half of that here, and less while there are fewer keys.";
    Acts "log.cleaner.delete.retention.ms" Long = Some("86400000"), AtLeast(0), ClusterWide, "How long tombstones and markers of transactions stay in compacted logs, at least.";
    Acts "log.cleaner.enable" Boolean = Some("true"), Any, ReadOnly, "Whether logs are compacted.";
    Acts "log.cleaner.io.buffer.load.factor" Double = Some("0.9"), Any, ClusterWide, "How full the cleaner's memory for keys may get.";
    Acts "log.cleaner.io.buffer.size" Int = Some("524288"), AtLeast(0), ClusterWide, "Bytes of the buffers with which the cleaner's threads together read and write.";
    Acts "log.cleaner.io.max.bytes.per.second" Double = Some("1.7976931348623157E308"), Any, ClusterWide, "Bytes per second that the cleaner may read and write.";
    Acts "log.cleaner.max.compaction.lag.ms" Long = Some("9223372036854775807"), AtLeast(1), ClusterWide, "The longest that a record stays uncompacted.";
    Acts "log.cleaner.min.cleanable.ratio" Double = Some("0.5"), RATIO, ClusterWide, "The share of a log that must be uncompacted before it is compacted.";
    Acts "log.cleaner.min.compaction.lag.ms" Long = Some("0"), AtLeast(0), ClusterWide, "The shortest that a record stays uncompacted.";
    Acts "log.cleaner.threads" Int = Some("1"), AtLeast(0), ClusterWide, "Threads that compact.";
};
