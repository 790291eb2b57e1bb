//! Keys that Kafka takes and does not show. Source: `ConfigDef.defineInternal`.

use super::Bounds::{Any, AtLeast};
use super::{Bounds, Definition};

/// The keys that Kafka does not show, by name.
pub(super) const ROWS: &[Definition] = definitions! {
    None "controller.performance.always.log.threshold.ms" Long = Some("2000"), AtLeast(0), ReadOnly, "Controller operations that take longer are logged. No effect: they are not timed one by one.";
    None "controller.performance.sample.period.ms" Long = Some("60000"), AtLeast(100), ReadOnly, "How often the controller logs how long its operations take. No effect: they are not timed one by one.";
    Acts "group.consumer.regex.refresh.interval.ms" Int = Some("600000"), AtLeast(10_000), ReadOnly, "How often regular expressions of subscriptions are resolved again.";
    None "group.share.initialize.retry.interval.ms" Int = Some("30000"), AtLeast(1), ReadOnly, "How often the initialisation of a share partition is tried. No effect yet: there are no share groups.";
    None "group.share.persister.class.name" String = Some("org.apache.kafka.server.share.persister.DefaultStatePersister"), Any, ReadOnly, "The class that keeps the states of share groups. No effect: Java classes are not loaded.";
    None "internal.metadata.delete.delay.millis" Long = Some("60000"), Any, ReadOnly, "How long deleted files of the metadata log stay. No effect yet: they go at once.";
    None "internal.metadata.log.segment.bytes" Int = None, Any, ReadOnly, "The largest segment of the metadata log, for tests of Kafka's. No effect: its segments have a fixed size.";
    None "internal.metadata.max.batch.size.in.bytes" Int = Some("8388608"), Any, ReadOnly, "The largest batch of the metadata log. No effect: the controller bounds the records of a batch.";
    None "log.initial.task.delay.ms" Long = Some("30000"), AtLeast(0), ReadOnly, "How long after the start retention, syncs and checkpoints begin. No effect: each begins after its own interval.";
    None "producer.id.expiration.check.interval.ms" Int = Some("600000"), AtLeast(1), ReadOnly, "How often producers that fell silent are forgotten. No effect: it is looked at when a producer's state is used.";
    None "remote.log.index.file.cache.ttl.ms" Long = Some("900000"), AtLeast(-1), ReadOnly, "How long an index of a remote segment stays cached. No effect: the cache is bounded by bytes.";
    Acts "remote.log.manager.task.retry.backoff.max.ms" Long = Some("30000"), AtLeast(1), ReadOnly, "The longest pause after a failed copy.";
    Acts "remote.log.manager.task.retry.backoff.ms" Long = Some("500"), AtLeast(1), ReadOnly, "The first pause after a failed copy.";
    Acts "remote.log.manager.task.retry.jitter" Double = Some("0.2"), Bounds::UpTo(0.5), ReadOnly, "The share of those pauses that is random.";
    None "server.max.startup.time.ms" Long = Some("9223372036854775807"), AtLeast(0), ReadOnly, "How long a start may take. No effect: a broker serves each partition as soon as it is whole.";
    None "share.coordinator.cold.partition.snapshot.interval.ms" Int = Some("300000"), AtLeast(1), ReadOnly, "How often idle share partitions are written as a whole. No effect yet: there are no share groups.";
    None "share.coordinator.state.topic.prune.interval.ms" Int = Some("300000"), AtLeast(1), ReadOnly, "How often old share states are removed. No effect yet: there are no share groups.";
    None "unclean.leader.election.interval.ms" Long = Some("300000"), AtLeast(1), ReadOnly, "How often the controller looks for partitions without a leader that could have an unclean one. No effect yet: this node is the only one.";
    None "unstable.api.versions.enable" Boolean = Some("false"), Any, ReadOnly, "Whether versions of APIs that are still being developed are served. No effect: none is.";
    None "unstable.feature.versions.enable" Boolean = Some("false"), Any, ReadOnly, "Whether feature levels that are still being developed are supported. No effect: none is.";
};
