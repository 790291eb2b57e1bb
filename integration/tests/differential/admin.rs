//! DescribeLogDirs, AlterReplicaLogDirs, ElectLeaders, reassignments, UpdateFeatures, DescribeProducers, UnregisterBroker.

use integration::wire::text;
use protocol::messages::alter_partition_reassignments_request::{ReassignablePartition, ReassignableTopic};
use protocol::messages::alter_replica_log_dirs_request::{AlterReplicaLogDir, AlterReplicaLogDirTopic};
use protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;
use protocol::messages::describe_producers_request::TopicRequest;
use protocol::messages::elect_leaders_request::TopicPartitions;
use protocol::messages::list_partition_reassignments_request::ListPartitionReassignmentsTopics;
use protocol::messages::update_features_request::FeatureUpdateKey;
use protocol::messages::{
    AlterPartitionReassignmentsRequest, AlterReplicaLogDirsRequest, BrokerId, DescribeLogDirsRequest,
    DescribeProducersRequest, ElectLeadersRequest, ListPartitionReassignmentsRequest, UnregisterBrokerRequest,
    UpdateFeaturesRequest,
};

use crate::topics::name;
use crate::world::Differential;

pub(crate) fn compare(both: &mut Differential) {
    elect_leaders(both);
    reassign(both);
    update_features(both);
    describe_producers(both);
    log_dirs(both);
    both.every("not registered", |_, _| UnregisterBrokerRequest::default().with_broker_id(BrokerId(77)));
}

fn elect_leaders(both: &mut Differential) {
    let request = |topic: &str, partition| {
        let topic = TopicPartitions::default().with_topic(name(topic)).with_partitions(vec![partition]);
        ElectLeadersRequest::default().with_topic_partitions(Some(vec![topic])).with_timeout_ms(30_000)
    };
    both.every("preferred", |_, _| request("plain", 0));
    both.every("unknown topic", |_, _| request("no-such", 0));
    both.every("unknown partition", |_, _| request("plain", 99));
    both.every("none", |_, _| ElectLeadersRequest::default().with_topic_partitions(Some(vec![])));
    both.ask("unclean", 1..=99, |_, _| request("plain", 0).with_election_type(1));
    both.ask("unknown kind", 1..=99, |_, _| request("plain", 0).with_election_type(7));
    both.every("of all", |_, _| ElectLeadersRequest::default().with_topic_partitions(None).with_timeout_ms(30_000));
}

fn reassign(both: &mut Differential) {
    let request = |topic: &str, index, replicas: Option<&[i32]>| {
        let replicas = replicas.map(|ids| ids.iter().map(|id| BrokerId(*id)).collect());
        let partition = ReassignablePartition::default().with_partition_index(index).with_replicas(replicas);
        let topic = ReassignableTopic::default().with_name(name(topic)).with_partitions(vec![partition]);
        AlterPartitionReassignmentsRequest::default().with_topics(vec![topic]).with_timeout_ms(30_000)
    };
    both.every("as it is", |_, _| request("plain", 0, Some(&[1])));
    both.every("taken back", |_, _| request("plain", 0, None));
    both.every("unknown broker", |_, _| request("plain", 0, Some(&[2])));
    both.every("twice the same", |_, _| request("plain", 0, Some(&[1, 1])));
    both.every("nowhere", |_, _| request("plain", 0, Some(&[])));
    both.every("unknown topic", |_, _| request("no-such", 0, Some(&[1])));
    both.every("unknown partition", |_, _| request("plain", 44, Some(&[1])));
    both.ask("same factor", 1..=99, |_, _| request("plain", 0, Some(&[1])).with_allow_replication_factor_change(false));
    both.every("all", |_, _| ListPartitionReassignmentsRequest::default().with_topics(None));
    both.every("some", |_, _| {
        let topics = ["plain", "no-such"].map(|topic| {
            ListPartitionReassignmentsTopics::default().with_name(name(topic)).with_partition_indexes(vec![0, 44])
        });
        ListPartitionReassignmentsRequest::default().with_topics(Some(topics.to_vec()))
    });
}

fn update_features(both: &mut Differential) {
    let request = |feature: &str, level, upgrade_type, version: i16| {
        let key = FeatureUpdateKey::default().with_feature(text(feature)).with_max_version_level(level);
        let key = if version == 0 { key } else { key.with_upgrade_type(upgrade_type) };
        UpdateFeaturesRequest::default().with_feature_updates(vec![key])
    };
    for (case, feature, level, upgrade_type) in [
        ("as it is", "group.version", 1, 1),
        ("unknown", "no.such.feature", 1, 1),
        ("negative", "group.version", -1, 1),
        ("too high", "group.version", 99, 1),
        ("downgrade without leave", "group.version", 0, 1),
        ("metadata as it is", "metadata.version", 30, 1),
        ("metadata too high", "metadata.version", 999, 1),
    ] {
        both.every(case, |_, version| request(feature, level, upgrade_type, version));
    }
    both.ask("unknown kind", 1..=99, |_, version| request("group.version", 1, 9, version));
    both.ask("downgrade upwards", 1..=99, |_, version| request("group.version", 1, 2, version));
    both.ask("validated downgrade", 1..=99, |_, version| {
        request("share.version", 0, 2, version).with_validate_only(true)
    });
    both.ask("downgrade", 1..=1, |_, version| request("streams.version", 0, 3, version));
    both.ask("upgrade", 1..=1, |_, version| request("streams.version", 1, 1, version));
    both.every("nothing", |_, _| UpdateFeaturesRequest::default());
}

fn describe_producers(both: &mut Differential) {
    let request = |topic: &str, partitions: &[i32]| {
        let topic = TopicRequest::default().with_name(name(topic)).with_partition_indexes(partitions.to_vec());
        DescribeProducersRequest::default().with_topics(vec![topic])
    };
    both.every("of a partition", |_, _| request("data", &[1, 0]));
    both.every("of an unknown partition", |_, _| request("data", &[7]));
    both.every("of an unknown topic", |_, _| request("no-such", &[0]));
    both.every("of a bad topic", |_, _| request("a b", &[0]));
}

fn log_dirs(both: &mut Differential) {
    let describe = |topics: Option<&[(&str, i32)]>| {
        let topic = |(topic, index): &(&str, i32)| {
            DescribableLogDirTopic::default().with_topic(name(topic)).with_partitions(vec![*index])
        };
        DescribeLogDirsRequest::default().with_topics(topics.map(|topics| topics.iter().map(topic).collect()))
    };
    let alter = |path: String, topic: &str, index| {
        let topic = AlterReplicaLogDirTopic::default().with_name(name(topic)).with_partitions(vec![index]);
        let dir = AlterReplicaLogDir::default().with_path(text(&path)).with_topics(vec![topic]);
        AlterReplicaLogDirsRequest::default().with_dirs(vec![dir])
    };
    both.every("unknown directory", |_, _| alter("/no/such".to_owned(), "data", 0));
    both.every("unknown partition", |world, _| alter(world.log_dir("a"), "data", 77));
    both.every("unknown topic", |world, _| alter(world.log_dir("a"), "no-such", 0));
    both.every("long name", |world, _| alter(world.log_dir("a"), &"n".repeat(230), 0));
    both.every("of nothing", |_, _| describe(Some(&[])));
    both.every("of the unknown", |_, _| describe(Some(&[("no-such", 0), ("data", 99)])));
    // Where each replica is at first is nobody's promise: both put it into the same place.
    both.every("moved", |world, _| alter(world.log_dir("b"), "data", 0));
    both.both(|world| await_move(world, "data", 0, "b"));
    both.every("of one", |_, _| describe(Some(&[("data", 0)])));
}

fn await_move(world: &mut crate::world::World, topic: &str, index: i32, directory: &str) {
    let there = world.log_dir(directory);
    let request = DescribeLogDirsRequest::default().with_topics(Some(vec![
        DescribableLogDirTopic::default().with_topic(name(topic)).with_partitions(vec![index]),
    ]));
    integration::wait::until_true("the end of the move", std::time::Duration::from_secs(60), || {
        let described = world.connection().send(&request, 4);
        let holding = described.results.iter().filter(|result| !result.topics.is_empty());
        let places: Vec<_> = holding.map(|result| result.log_dir.to_string()).collect();
        places == [there.clone()]
    });
}
