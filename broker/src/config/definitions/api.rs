//! How topics are created, what requests may ask, who must agree. Source: `ServerConfigs`, `ServerLogConfigs`, `ServerTopicConfigSynonyms`.

use super::Bounds::{Any, AtLeast};
use super::Definition;

/// The keys of topics' creation, of single requests, and of policies, by name.
pub(super) const ROWS: &[Definition] = definitions! {
    Refused "alter.config.policy.class.name" Class = None, Any, ReadOnly, "A class that must agree to every change of a configuration. Refused: Java classes are not loaded, and without the policy its rules would not be kept.";
    Acts "auto.create.topics.enable" Boolean = Some("true"), Any, ReadOnly, "Whether asking for the metadata of a topic that does not exist creates it.";
    Refused "config.providers" List = Some(""), Any, ClusterWide, "Names of classes that resolve variables in values. Refused: Java classes are not loaded, and a variable would be taken for the value itself.";
    Refused "create.topic.policy.class.name" Class = None, Any, ReadOnly, "A class that must agree to every new topic. Refused: Java classes are not loaded, and without the policy its rules would not be kept.";
    Acts "default.replication.factor" Int = Some("1"), AtLeast(1), ReadOnly, "The replication factor of topics that ask for the default, and of those created automatically.";
    None "delete.records.purgatory.purge.interval.requests" Int = Some("1"), Any, ReadOnly, "When Kafka removes finished requests from its memory. No effect: a finished request is gone at once.";
    Acts "delete.topic.enable" Boolean = Some("true"), Any, ReadOnly, "Whether topics can be deleted.";
    Acts "fetch.max.bytes" Int = Some("57671680"), AtLeast(1024), ReadOnly, "The most bytes that one fetch is answered with, but for a first batch that is larger.";
    None "fetch.purgatory.purge.interval.requests" Int = Some("1000"), Any, ReadOnly, "When Kafka removes finished requests from its memory. No effect: a finished request is gone at once.";
    Acts "max.incremental.fetch.session.cache.slots" Int = Some("1000"), AtLeast(0), ReadOnly, "Fetch sessions that are kept.";
    Acts "max.request.partition.size.limit" Int = Some("2000"), AtLeast(1), ReadOnly, "The most partitions that one DescribeTopicPartitions is answered with.";
    Acts "num.partitions" Int = Some("1"), AtLeast(1), ReadOnly, "Partitions of topics that ask for the default, and of those created automatically.";
    None "producer.purgatory.purge.interval.requests" Int = Some("1000"), Any, ReadOnly, "When Kafka removes finished requests from its memory. No effect: a finished request is gone at once.";
};
