//! Share groups and their coordinator. Source: `ShareGroupConfig`, `ShareCoordinatorConfig`, `GroupCoordinatorConfig`.

use super::Bounds::{Any, AtLeast, Between};
use super::Definition;

/// The keys of share groups, by name.
pub(super) const ROWS: &[Definition] = definitions! {
    None "group.share.assignment.interval.ms" Int = Some("1000"), AtLeast(0), ClusterWide, "The shortest time between two assignments of a share group. No effect yet: there are no share groups.";
    None "group.share.assignors" List = Some("simple"), Any, ReadOnly, "The assignors of share groups. No effect yet: there are no share groups.";
    None "group.share.delivery.count.limit" Int = Some("5"), Between(2, 10), ReadOnly, "How often a record is delivered before it is given up. No effect yet: there are no share groups.";
    None "group.share.heartbeat.interval.ms" Int = Some("5000"), AtLeast(1), ReadOnly, "How often members of a share group send a heartbeat. No effect yet: there are no share groups.";
    None "group.share.max.assignment.interval.ms" Int = Some("15000"), AtLeast(0), ReadOnly, "The most that a group may have as share.assignment.interval.ms. No effect yet: there are no share groups.";
    None "group.share.max.delivery.count.limit" Int = Some("10"), Between(5, 25), ReadOnly, "The most that a group may have as share.delivery.count.limit. No effect yet: there are no share groups.";
    None "group.share.max.heartbeat.interval.ms" Int = Some("15000"), AtLeast(1), ReadOnly, "The most that a group may have as share.heartbeat.interval.ms. No effect yet: there are no share groups.";
    None "group.share.max.partition.max.record.locks" Int = Some("4000"), Between(2000, 10_000), ReadOnly, "The most that a group may have as share.partition.max.record.locks. No effect yet: there are no share groups.";
    None "group.share.max.record.lock.duration.ms" Int = Some("60000"), Between(30_000, 3_600_000), ReadOnly, "The most that a group may have as share.record.lock.duration.ms. No effect yet: there are no share groups.";
    None "group.share.max.session.timeout.ms" Int = Some("60000"), AtLeast(1), ReadOnly, "The most that a group may have as share.session.timeout.ms. No effect yet: there are no share groups.";
    None "group.share.max.share.sessions" Int = Some("2000"), AtLeast(1), ReadOnly, "Share sessions that are kept. No effect yet: there are no share groups.";
    None "group.share.max.size" Int = Some("200"), Between(1, 1000), ReadOnly, "Members that a share group may have. No effect yet: there are no share groups.";
    None "group.share.min.assignment.interval.ms" Int = Some("0"), AtLeast(0), ReadOnly, "The least that a group may have as share.assignment.interval.ms. No effect yet: there are no share groups.";
    None "group.share.min.delivery.count.limit" Int = Some("2"), Between(2, 5), ReadOnly, "The least that a group may have as share.delivery.count.limit. No effect yet: there are no share groups.";
    None "group.share.min.heartbeat.interval.ms" Int = Some("5000"), AtLeast(1), ReadOnly, "The least that a group may have as share.heartbeat.interval.ms. No effect yet: there are no share groups.";
    None "group.share.min.partition.max.record.locks" Int = Some("100"), Between(100, 2000), ReadOnly, "The least that a group may have as share.partition.max.record.locks. No effect yet: there are no share groups.";
    None "group.share.min.record.lock.duration.ms" Int = Some("15000"), Between(1000, 30_000), ReadOnly, "The least that a group may have as share.record.lock.duration.ms. No effect yet: there are no share groups.";
    None "group.share.min.session.timeout.ms" Int = Some("45000"), AtLeast(1), ReadOnly, "The least that a group may have as share.session.timeout.ms. No effect yet: there are no share groups.";
    None "group.share.partition.max.record.locks" Int = Some("2000"), Between(100, 10_000), ReadOnly, "Records of a share partition that may be out with consumers. No effect yet: there are no share groups.";
    None "group.share.record.lock.duration.ms" Int = Some("30000"), Between(1000, 3_600_000), ReadOnly, "How long a consumer of a share group may keep a record. No effect yet: there are no share groups.";
    None "group.share.session.timeout.ms" Int = Some("45000"), AtLeast(1), ReadOnly, "A member of a share group that was silent for so long is removed. No effect yet: there are no share groups.";
    None "share.coordinator.append.linger.ms" Int = Some("-1"), AtLeast(-1), ReadOnly, "How long the share coordinator collects records before it writes them. No effect yet: there are no share groups.";
    None "share.coordinator.cached.buffer.max.bytes" Int = Some("1048588"), AtLeast(524_288), ClusterWide, "Memory that the share coordinator keeps for its writes. No effect yet: there are no share groups.";
    None "share.coordinator.load.buffer.size" Int = Some("5242880"), AtLeast(1), ReadOnly, "Bytes that are read at once while share states are loaded. No effect yet: there are no share groups.";
    None "share.coordinator.snapshot.update.records.per.snapshot" Int = Some("500"), Between(0, 500), ReadOnly, "Changes of a share partition between two whole states. No effect yet: there are no share groups.";
    None "share.coordinator.state.topic.compression.codec" Int = Some("0"), Any, ReadOnly, "The codec of the share state topic, by number. No effect yet: there are no share groups.";
    None "share.coordinator.state.topic.min.isr" Short = Some("2"), AtLeast(1), ReadOnly, "Replicas of the share state topic that must be in sync. No effect yet: there are no share groups.";
    None "share.coordinator.state.topic.num.partitions" Int = Some("50"), AtLeast(1), ReadOnly, "Partitions of the share state topic when it is created. No effect yet: there are no share groups.";
    None "share.coordinator.state.topic.replication.factor" Short = Some("3"), AtLeast(1), ReadOnly, "Replication factor of the share state topic when it is created. No effect yet: there are no share groups.";
    None "share.coordinator.state.topic.segment.bytes" Int = Some("104857600"), AtLeast(1), ReadOnly, "The largest segment of the share state topic. No effect yet: there are no share groups.";
    None "share.coordinator.threads" Int = Some("1"), AtLeast(1), ReadOnly, "Threads of the share coordinator. No effect: there is one for each core.";
    None "share.coordinator.write.timeout.ms" Int = Some("5000"), AtLeast(1), ReadOnly, "How long the share coordinator waits for its replicas. No effect yet: there are no share groups.";
    None "share.fetch.purgatory.purge.interval.requests" Int = Some("1000"), Any, ReadOnly, "When Kafka removes finished requests from its memory. No effect: a finished request is gone at once.";
};
