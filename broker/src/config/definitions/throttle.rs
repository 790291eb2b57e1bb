//! Keys that are set in the cluster only, by `kafka-reassign-partitions` for one. Source: `QuotaConfig.brokerQuotaConfigs`.

use super::Bounds::AtLeast;
use super::Definition;

/// The keys that only the cluster sets, by name.
pub(super) const ROWS: &[Definition] = definitions! {
    None "follower.replication.throttled.rate" Long = Some("9223372036854775807"), AtLeast(0), ClusterWide, "Bytes per second that followers of throttled replicas may fetch. No effect yet: this node is the only one.";
    None "leader.replication.throttled.rate" Long = Some("9223372036854775807"), AtLeast(0), ClusterWide, "Bytes per second that leaders of throttled replicas may send. No effect yet: this node is the only one.";
    Acts "replica.alter.log.dirs.io.max.bytes.per.second" Long = Some("9223372036854775807"), AtLeast(0), ClusterWide, "Bytes per second that moves between log directories may copy, all together.";
};
