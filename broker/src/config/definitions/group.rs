//! The group coordinator: classic, consumer and streams groups, and their offsets. Source: `GroupCoordinatorConfig`, `OffsetConfig`.

use super::Bounds::{Any, AtLeast};
use super::{Bounds, Definition};

/// The keys of the group coordinator, by name.
pub(super) const ROWS: &[Definition] = definitions! {
    None "group.consumer.assignment.interval.ms" Int = Some("1000"), AtLeast(0), ClusterWide, "The shortest time between two assignments of a consumer group. No effect yet: there are no groups.";
    None "group.consumer.assignors" List = Some("uniform,range"), Any, ReadOnly, "The assignors of consumer groups, the first being the default. No effect yet: there are no groups.";
    None "group.consumer.heartbeat.interval.ms" Int = Some("5000"), AtLeast(1), ReadOnly, "How often members of a consumer group send a heartbeat. No effect yet: there are no groups.";
    None "group.consumer.max.assignment.interval.ms" Int = Some("15000"), AtLeast(0), ReadOnly, "The most that a group may have as consumer.assignment.interval.ms. No effect yet: there are no groups.";
    None "group.consumer.max.heartbeat.interval.ms" Int = Some("15000"), AtLeast(1), ReadOnly, "The most that a group may have as consumer.heartbeat.interval.ms. No effect yet: there are no groups.";
    None "group.consumer.max.session.timeout.ms" Int = Some("60000"), AtLeast(1), ReadOnly, "The most that a group may have as consumer.session.timeout.ms. No effect yet: there are no groups.";
    None "group.consumer.max.size" Int = Some("2147483647"), AtLeast(1), ReadOnly, "Members that a consumer group may have. No effect yet: there are no groups.";
    None "group.consumer.migration.policy" String = Some("bidirectional"), Bounds::OneOfAnyCase(&["DISABLED", "DOWNGRADE", "UPGRADE", "BIDIRECTIONAL"]), ReadOnly, "Which groups change between the classic and the consumer protocol when their members do. No effect yet: there are no groups.";
    None "group.consumer.min.assignment.interval.ms" Int = Some("0"), AtLeast(0), ReadOnly, "The least that a group may have as consumer.assignment.interval.ms. No effect yet: there are no groups.";
    None "group.consumer.min.heartbeat.interval.ms" Int = Some("5000"), AtLeast(1), ReadOnly, "The least that a group may have as consumer.heartbeat.interval.ms. No effect yet: there are no groups.";
    None "group.consumer.min.session.timeout.ms" Int = Some("45000"), AtLeast(1), ReadOnly, "The least that a group may have as consumer.session.timeout.ms. No effect yet: there are no groups.";
    None "group.consumer.session.timeout.ms" Int = Some("45000"), AtLeast(1), ReadOnly, "A member of a consumer group that was silent for so long is removed. No effect yet: there are no groups.";
    None "group.coordinator.append.linger.ms" Int = Some("-1"), AtLeast(-1), ReadOnly, "How long the group coordinator collects records before it writes them. No effect yet: there are no groups.";
    None "group.coordinator.background.threads" Int = Some("2"), AtLeast(1), ReadOnly, "Threads for the group coordinator's long work. No effect: there is one for each core.";
    None "group.coordinator.cached.buffer.max.bytes" Int = Some("1048588"), AtLeast(524_288), ClusterWide, "Memory that the group coordinator keeps for its writes. No effect yet: there are no groups.";
    None "group.coordinator.rebalance.protocols" List = Some("classic,consumer,streams"), Bounds::EachOneOf(&["consumer", "classic", "share", "streams"]), ReadOnly, "Protocols of groups that are served. No effect yet: there are no groups.";
    None "group.coordinator.threads" Int = Some("4"), AtLeast(1), ReadOnly, "Threads of the group coordinator. No effect: there is one for each core.";
    None "group.initial.rebalance.delay.ms" Int = Some("3000"), Any, ReadOnly, "How long a new classic group waits for more members. No effect yet: there are no groups.";
    None "group.max.session.timeout.ms" Int = Some("1800000"), Any, ReadOnly, "The longest session timeout of classic groups. No effect yet: there are no groups.";
    None "group.max.size" Int = Some("2147483647"), AtLeast(1), ReadOnly, "Members that a classic group may have. No effect yet: there are no groups.";
    None "group.min.session.timeout.ms" Int = Some("6000"), Any, ReadOnly, "The shortest session timeout of classic groups. No effect yet: there are no groups.";
    None "group.streams.assignment.interval.ms" Int = Some("1000"), AtLeast(0), ClusterWide, "The shortest time between two assignments of a streams group. No effect yet: there are no streams groups.";
    None "group.streams.heartbeat.interval.ms" Int = Some("5000"), AtLeast(1), ReadOnly, "How often members of a streams group send a heartbeat. No effect yet: there are no streams groups.";
    None "group.streams.initial.rebalance.delay.ms" Int = Some("3000"), AtLeast(0), ReadOnly, "How long a new streams group waits for more members. No effect yet: there are no streams groups.";
    None "group.streams.max.assignment.interval.ms" Int = Some("15000"), AtLeast(0), ReadOnly, "The most that a group may have as streams.assignment.interval.ms. No effect yet: there are no streams groups.";
    None "group.streams.max.heartbeat.interval.ms" Int = Some("15000"), AtLeast(1), ReadOnly, "The most that a group may have as streams.heartbeat.interval.ms. No effect yet: there are no streams groups.";
    None "group.streams.max.session.timeout.ms" Int = Some("60000"), AtLeast(1), ReadOnly, "The most that a group may have as streams.session.timeout.ms. No effect yet: there are no streams groups.";
    None "group.streams.max.size" Int = Some("2147483647"), AtLeast(1), ReadOnly, "Members that a streams group may have. No effect yet: there are no streams groups.";
    None "group.streams.max.standby.replicas" Int = Some("2"), AtLeast(0), ReadOnly, "The most that a group may have as streams.num.standby.replicas. No effect yet: there are no streams groups.";
    None "group.streams.min.assignment.interval.ms" Int = Some("0"), AtLeast(0), ReadOnly, "The least that a group may have as streams.assignment.interval.ms. No effect yet: there are no streams groups.";
    None "group.streams.min.heartbeat.interval.ms" Int = Some("5000"), AtLeast(1), ReadOnly, "The least that a group may have as streams.heartbeat.interval.ms. No effect yet: there are no streams groups.";
    None "group.streams.min.session.timeout.ms" Int = Some("45000"), AtLeast(1), ReadOnly, "The least that a group may have as streams.session.timeout.ms. No effect yet: there are no streams groups.";
    None "group.streams.num.standby.replicas" Int = Some("0"), AtLeast(0), ReadOnly, "Standby replicas of each task of a streams group. No effect yet: there are no streams groups.";
    None "group.streams.session.timeout.ms" Int = Some("45000"), AtLeast(1), ReadOnly, "A member of a streams group that was silent for so long is removed. No effect yet: there are no streams groups.";
    None "offset.metadata.max.bytes" Int = Some("4096"), Any, ReadOnly, "The longest text that a consumer may commit with an offset. No effect yet: there are no groups.";
    None "offsets.commit.timeout.ms" Int = Some("5000"), AtLeast(1), ReadOnly, "How long a commit of offsets waits for its replicas. No effect yet: there are no groups.";
    None "offsets.load.buffer.size" Int = Some("5242880"), AtLeast(1), ReadOnly, "Bytes that are read at once while offsets are loaded. No effect yet: there are no groups.";
    None "offsets.retention.check.interval.ms" Long = Some("600000"), AtLeast(1), ReadOnly, "How often expired offsets are removed. No effect yet: there are no groups.";
    None "offsets.retention.minutes" Int = Some("10080"), AtLeast(1), ReadOnly, "How long offsets of an empty group are kept. No effect yet: there are no groups.";
    None "offsets.topic.compression.codec" Int = Some("0"), Any, ReadOnly, "The codec of the offsets topic, by number. No effect yet: there are no groups.";
    None "offsets.topic.num.partitions" Int = Some("50"), AtLeast(1), ReadOnly, "Partitions of the offsets topic when it is created. No effect yet: there are no groups.";
    None "offsets.topic.replication.factor" Short = Some("3"), AtLeast(1), ReadOnly, "Replication factor of the offsets topic when it is created. No effect yet: there are no groups.";
    None "offsets.topic.segment.bytes" Int = Some("104857600"), AtLeast(1), ReadOnly, "The largest segment of the offsets topic. No effect yet: there are no groups.";
};
