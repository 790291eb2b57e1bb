//! A group's own keys. Source: `GroupConfig`.

use super::Bounds::{Any, AtLeast};
use super::{Bounds, Definition};

/// A group's keys, by name.
pub(super) const ROWS: &[Definition] = definitions! {
    Acts "consumer.assignment.interval.ms" Int = Some("1000"), AtLeast(0), ClusterWide, "The shortest time between two assignments.";
    Acts "consumer.heartbeat.interval.ms" Int = Some("5000"), AtLeast(1), ClusterWide, "How often members send a heartbeat.";
    Acts "consumer.session.timeout.ms" Int = Some("45000"), AtLeast(1), ClusterWide, "A member that was silent for so long is removed.";
    None "share.assignment.interval.ms" Int = Some("1000"), AtLeast(0), ClusterWide, "The shortest time between two assignments. No effect yet: there are no share groups.";
    None "share.auto.offset.reset" String = Some("latest"), Bounds::OffsetReset, ClusterWide, "Where a share group begins that has no offset: latest, earliest, or by_duration: and how far back. No effect yet: there are no share groups.";
    None "share.delivery.count.limit" Int = Some("5"), AtLeast(2), ClusterWide, "How often a record is delivered before it is given up. No effect yet: there are no share groups.";
    None "share.heartbeat.interval.ms" Int = Some("5000"), AtLeast(1), ClusterWide, "How often members send a heartbeat. No effect yet: there are no share groups.";
    None "share.isolation.level" String = Some("read_uncommitted"), Bounds::OneOf(&["read_committed", "read_uncommitted"]), ClusterWide, "Whether records of open and aborted transactions are delivered. No effect yet: there are no share groups.";
    None "share.partition.max.record.locks" Int = Some("2000"), AtLeast(100), ClusterWide, "Records of a partition that may be out with consumers. No effect yet: there are no share groups.";
    None "share.record.lock.duration.ms" Int = Some("30000"), AtLeast(1000), ClusterWide, "How long a consumer may keep a record. No effect yet: there are no share groups.";
    None "share.renew.acknowledge.enable" Boolean = Some("true"), Any, ClusterWide, "Whether a consumer may ask to keep a record longer. No effect yet: there are no share groups.";
    None "share.session.timeout.ms" Int = Some("45000"), AtLeast(1), ClusterWide, "A member that was silent for so long is removed. No effect yet: there are no share groups.";
    None "streams.assignment.interval.ms" Int = Some("1000"), AtLeast(0), ClusterWide, "The shortest time between two assignments. No effect yet: there are no streams groups.";
    None "streams.heartbeat.interval.ms" Int = Some("5000"), AtLeast(1), ClusterWide, "How often members send a heartbeat. No effect yet: there are no streams groups.";
    None "streams.initial.rebalance.delay.ms" Int = Some("3000"), AtLeast(0), ClusterWide, "How long a new group waits for more members. No effect yet: there are no streams groups.";
    None "streams.num.standby.replicas" Int = Some("0"), AtLeast(0), ClusterWide, "Standby replicas of each task. No effect yet: there are no streams groups.";
    None "streams.session.timeout.ms" Int = Some("45000"), AtLeast(1), ClusterWide, "A member that was silent for so long is removed. No effect yet: there are no streams groups.";
};
