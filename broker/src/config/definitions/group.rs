//! The group coordinator: classic, consumer and streams groups, and their offsets. Source: `GroupCoordinatorConfig`, `OffsetConfig`.

use super::Bounds::{Any, AtLeast};
use super::{Bounds, Definition};

/// The keys of the group coordinator, by name.
pub(super) const ROWS: &[Definition] = definitions! {
    Acts "group.consumer.assignment.interval.ms" Int = Some("1000"), AtLeast(0), ClusterWide, "The shortest time between two assignments of a consumer group.";
    Acts "group.consumer.assignors" List = Some("uniform,range"), Bounds::EachOneOf(&["uniform", "range"]), ReadOnly, "The assignors that members of consumer groups may ask for, the first being the default. Assignors of one's own, by their class, cannot be run.";
    Acts "group.consumer.heartbeat.interval.ms" Int = Some("5000"), AtLeast(1), ReadOnly, "How often members of a consumer group send a heartbeat.";
    Acts "group.consumer.max.assignment.interval.ms" Int = Some("15000"), AtLeast(0), ReadOnly, "The most that a group may have as consumer.assignment.interval.ms.";
    Acts "group.consumer.max.heartbeat.interval.ms" Int = Some("15000"), AtLeast(1), ReadOnly, "The most that a group may have as consumer.heartbeat.interval.ms.";
    Acts "group.consumer.max.session.timeout.ms" Int = Some("60000"), AtLeast(1), ReadOnly, "The most that a group may have as consumer.session.timeout.ms.";
    Acts "group.consumer.max.size" Int = Some("2147483647"), AtLeast(1), ReadOnly, "Members that a consumer group may have.";
    Acts "group.consumer.migration.policy" String = Some("bidirectional"), Bounds::OneOfAnyCase(&["DISABLED", "DOWNGRADE", "UPGRADE", "BIDIRECTIONAL"]), ReadOnly, "Which groups change between the classic and the consumer protocol when their members do.";
    Acts "group.consumer.min.assignment.interval.ms" Int = Some("0"), AtLeast(0), ReadOnly, "The least that a group may have as consumer.assignment.interval.ms.";
    Acts "group.consumer.min.heartbeat.interval.ms" Int = Some("5000"), AtLeast(1), ReadOnly, "The least that a group may have as consumer.heartbeat.interval.ms.";
    Acts "group.consumer.min.session.timeout.ms" Int = Some("45000"), AtLeast(1), ReadOnly, "The least that a group may have as consumer.session.timeout.ms.";
    Acts "group.consumer.session.timeout.ms" Int = Some("45000"), AtLeast(1), ReadOnly, "A member of a consumer group that was silent for so long is removed.";
    None "group.coordinator.append.linger.ms" Int = Some("-1"), AtLeast(-1), ReadOnly, "How long the group coordinator collects records before it writes them. No effect: records that come during one sync share the next.";
    None "group.coordinator.background.threads" Int = Some("2"), AtLeast(1), ReadOnly, "Threads for the group coordinator's long work. No effect: there is one for each core.";
    None "group.coordinator.cached.buffer.max.bytes" Int = Some("1048588"), AtLeast(524_288), ClusterWide, "Memory that the group coordinator keeps for its writes. No effect: it keeps none.";
    Acts "group.coordinator.rebalance.protocols" List = Some("classic,consumer,streams"), Bounds::EachOneOf(&["consumer", "classic", "share", "streams"]), ReadOnly, "Protocols of groups that are served. Streams and share groups are not, whether they are named or not.";
    None "group.coordinator.threads" Int = Some("4"), AtLeast(1), ReadOnly, "Threads of the group coordinator. No effect: there is one for each core.";
    Acts "group.initial.rebalance.delay.ms" Int = Some("3000"), Any, ReadOnly, "How long a new classic group waits for more members.";
    Acts "group.max.session.timeout.ms" Int = Some("1800000"), Any, ReadOnly, "The longest session timeout of classic groups.";
    Acts "group.max.size" Int = Some("2147483647"), AtLeast(1), ReadOnly, "Members that a classic group may have.";
    Acts "group.min.session.timeout.ms" Int = Some("6000"), Any, ReadOnly, "The shortest session timeout of classic groups.";
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
    Acts "offset.metadata.max.bytes" Int = Some("4096"), Any, ReadOnly, "The longest text that a consumer may commit with an offset.";
    Acts "offsets.commit.timeout.ms" Int = Some("5000"), AtLeast(1), ReadOnly, "How long a commit of offsets waits for its replicas.";
    Acts "offsets.load.buffer.size" Int = Some("5242880"), AtLeast(1), ReadOnly, "Bytes that are read at once while offsets are loaded.";
    Acts "offsets.retention.check.interval.ms" Long = Some("600000"), AtLeast(1), ReadOnly, "How often expired offsets are removed.";
    Acts "offsets.retention.minutes" Int = Some("10080"), AtLeast(1), ReadOnly, "How long offsets are kept after their group has lost its last member, or after the commit where nobody joins or subscribes.";
    Acts "offsets.topic.compression.codec" Int = Some("0"), Any, ReadOnly, "The codec of the batches that the group coordinator writes, by number: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd.";
    Acts "offsets.topic.num.partitions" Int = Some("50"), AtLeast(1), ReadOnly, "Partitions of the offsets topic when it is created.";
    Acts "offsets.topic.replication.factor" Short = Some("3"), AtLeast(1), ReadOnly, "Replication factor of the offsets topic when it is created; as many as there are brokers if those are fewer.";
    Acts "offsets.topic.segment.bytes" Int = Some("104857600"), AtLeast(1), ReadOnly, "The largest segment of the offsets topic, set when it is created.";
};
