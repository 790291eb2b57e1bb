//! ApiVersions, DescribeCluster, DescribeQuorum, FindCoordinator, and configurations: described, changed, listed.

use std::time::Duration;

use integration::wait;
use integration::wire::text;
use protocol::messages::alter_configs_request::{AlterConfigsResource, AlterableConfig as WholeConfig};
use protocol::messages::describe_configs_request::DescribeConfigsResource;
use protocol::messages::describe_quorum_request::{PartitionData, TopicData};
use protocol::messages::incremental_alter_configs_request::{AlterConfigsResource as Changed, AlterableConfig};
use protocol::messages::{
    AlterConfigsRequest, ApiVersionsRequest, DescribeClusterRequest, DescribeConfigsRequest, DescribeQuorumRequest,
    FindCoordinatorRequest, IncrementalAlterConfigsRequest, ListConfigResourcesRequest,
};

use crate::topics::name;
use crate::world::{Differential, World};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const LOGGER: i8 = 8;
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

pub(crate) fn compare(both: &mut Differential) {
    api_versions(both);
    describe_cluster(both);
    describe_quorum(both);
    describe_configs(both);
    alter_configs(both);
    list_config_resources(both);
    find_coordinator(both);
}

/// Versions of Kafka that Ottla does not serve, with the reason.
const FEWER: &[(i16, i16, &str)] =
    &[(35, 5, "DescribeLogDirs v5 came after Kafka 4.1"), (18, 5, "ApiVersions v5 came after Kafka 4.1")];

fn api_versions(both: &mut Differential) {
    let valid = || {
        ApiVersionsRequest::default()
            .with_client_software_name(text("differential"))
            .with_client_software_version(text("1.0"))
    };
    both.every("asked", |_, version| if version < 3 { ApiVersionsRequest::default() } else { valid() });
    both.ask("bad software name", 3..=99, |_, _| valid().with_client_software_name(text("a b")));
    both.ask("no software version", 3..=99, |_, _| valid().with_client_software_version(text("")));
    let theirs = both.kafka.connection().send(&ApiVersionsRequest::default(), 0).api_keys;
    for (key, ours) in both.served.clone() {
        let Some(api) = theirs.iter().find(|api| api.api_key == key) else {
            both.note(format!("API {key} is served and Kafka's clients do not know it"));
            continue;
        };
        let allowed = FEWER.iter().any(|(api, version, _)| *api == key && *version == *ours.end() + 1);
        if api.min_version != *ours.start() || (api.max_version != *ours.end() && !allowed) {
            let range = (api.min_version, api.max_version);
            both.note(format!("API {key}: Kafka serves {range:?}, Ottla {ours:?}"));
        }
    }
}

fn describe_cluster(both: &mut Differential) {
    both.every("asked", |_, _| DescribeClusterRequest::default());
    both.every("operations", |_, _| DescribeClusterRequest::default().with_include_cluster_authorized_operations(true));
    both.ask("controllers", 1..=99, |_, _| DescribeClusterRequest::default().with_endpoint_type(2));
    both.ask("unknown endpoints", 1..=99, |_, _| DescribeClusterRequest::default().with_endpoint_type(9));
    both.ask("fenced brokers", 2..=99, |_, _| DescribeClusterRequest::default().with_include_fenced_brokers(true));
}

fn describe_quorum(both: &mut Differential) {
    let request = |topic: &str, index| {
        let partition = PartitionData::default().with_partition_index(index);
        let topic = TopicData::default().with_topic_name(name(topic)).with_partitions(vec![partition]);
        DescribeQuorumRequest::default().with_topics(vec![topic])
    };
    both.every("asked", |_, _| request("__cluster_metadata", 0));
    both.every("another topic", |_, _| request("plain", 0));
    both.every("another partition", |_, _| request("__cluster_metadata", 1));
}

/// Both create the offsets' topic for the first who asks, and serve it a moment later.
fn await_coordinator(world: &mut World) {
    let request = FindCoordinatorRequest::default().with_key(text("group"));
    wait::until_true("a coordinator", Duration::from_secs(60), || world.connection().send(&request, 0).error_code == 0);
}

fn find_coordinator(both: &mut Differential) {
    let request = |kind: i8, key: &str, version: i16| {
        let request = FindCoordinatorRequest::default();
        let request = if version >= 1 { request.with_key_type(kind) } else { request };
        if version < 4 { request.with_key(text(key)) } else { request.with_coordinator_keys(vec![text(key)]) }
    };
    both.ask("unknown kind", 1..=99, |_, version| request(9, "key", version));
    both.both(await_coordinator);
    both.every("of a group", |_, version| request(0, "group", version));
}

fn describe_configs(both: &mut Differential) {
    let request = |kind: i8, resource: &str, keys: Option<&[&str]>| {
        let keys = keys.map(|keys| keys.iter().map(|key| text(key)).collect());
        let resource = DescribeConfigsResource::default()
            .with_resource_type(kind)
            .with_resource_name(text(resource))
            .with_configuration_keys(keys);
        DescribeConfigsRequest::default().with_resources(vec![resource])
    };
    let keys: &[&str] = &["retention.ms", "cleanup.policy", "segment.bytes", "internal.segment.bytes", "no.such.key"];
    both.every("of a topic", |_, _| request(TOPIC, "tuned", Some(keys)));
    both.every("with synonyms", |_, _| request(TOPIC, "tuned", Some(keys)).with_include_synonyms(true));
    both.every("no key", |_, _| request(TOPIC, "tuned", Some(&[])));
    both.every("of an unknown topic", |_, _| request(TOPIC, "no-such", None));
    both.every("of a bad topic", |_, _| request(TOPIC, "a b", None));
    both.every("of a broker", |_, _| request(BROKER, "1", Some(&["num.partitions", "log.retention.ms"])));
    both.every("of all brokers", |_, _| request(BROKER, "", Some(&["min.insync.replicas"])));
    both.every("of an unknown broker", |_, _| request(BROKER, "9", None));
    both.every("of no broker", |_, _| request(BROKER, "one", None));
    both.every("of an unknown kind", |_, _| request(77, "x", None));
    both.every("root logger", |_, _| request(LOGGER, "1", Some(&["root", "no.such.logger"])));
    both.every("loggers of no broker", |_, _| request(LOGGER, "", None));
    both.every("loggers of an unknown broker", |_, _| request(LOGGER, "9", None));
    both.every("loggers of a name", |_, _| request(LOGGER, "one", None));
}

fn alter_configs(both: &mut Differential) {
    let whole = |kind: i8, resource: &str, key: &str, value: Option<&str>| {
        let config = WholeConfig::default().with_name(text(key)).with_value(value.map(text));
        let resource = AlterConfigsResource::default()
            .with_resource_type(kind)
            .with_resource_name(text(resource))
            .with_configs(vec![config]);
        AlterConfigsRequest::default().with_resources(vec![resource])
    };
    let change = |kind: i8, resource: &str, key: &str, operation: i8, value: Option<&str>| {
        let config = AlterableConfig::default()
            .with_name(text(key))
            .with_config_operation(operation)
            .with_value(value.map(text));
        let resource =
            Changed::default().with_resource_type(kind).with_resource_name(text(resource)).with_configs(vec![config]);
        IncrementalAlterConfigsRequest::default().with_resources(vec![resource])
    };
    for (case, kind, resource, key, value) in [
        ("set", TOPIC, "tuned", "retention.ms", Some("7000")),
        ("internal", TOPIC, "tuned", "internal.segment.bytes", Some("100000")),
        ("bad value", TOPIC, "tuned", "retention.ms", Some("soon")),
        ("no value", TOPIC, "tuned", "retention.ms", None),
        ("unknown key", TOPIC, "tuned", "no.such.key", Some("1")),
        ("unknown topic", TOPIC, "no-such", "retention.ms", Some("1")),
        ("unknown broker", BROKER, "9", "log.retention.ms", Some("1")),
        ("no broker", BROKER, "one", "log.retention.ms", Some("1")),
        ("unknown kind", 77, "x", "retention.ms", Some("1")),
        ("unknown logger", LOGGER, "1", "no.such.logger", Some("DEBUG")),
        ("unknown level", LOGGER, "1", "root", Some("debug")),
        ("logger of an unknown broker", LOGGER, "9", "root", Some("INFO")),
        ("logger of a name", LOGGER, "one", "root", Some("INFO")),
        ("logger without a level", LOGGER, "1", "root", None),
    ] {
        both.every(case, |_, _| whole(kind, resource, key, value));
        both.every(case, |_, _| change(kind, resource, key, SET, value));
    }
    both.every("validated", |_, _| whole(TOPIC, "tuned", "retention.ms", Some("1")).with_validate_only(true));
    both.every("validated", |_, _| change(TOPIC, "tuned", "retention.ms", SET, Some("1")).with_validate_only(true));
    both.every("appended", |_, _| change(TOPIC, "tuned", "cleanup.policy", APPEND, Some("compact")));
    both.every("taken away", |_, _| change(TOPIC, "tuned", "cleanup.policy", SUBTRACT, Some("compact")));
    both.every("appended to a number", |_, _| change(TOPIC, "tuned", "retention.ms", APPEND, Some("1")));
    both.every("internal key is set", |_, _| change(TOPIC, "tuned", "internal.segment.bytes", SET, Some("100000")));
    both.every("internal key deleted", |_, _| change(TOPIC, "tuned", "internal.segment.bytes", DELETE, None));
    both.every("deleted", |_, _| change(TOPIC, "tuned", "retention.ms", DELETE, None));
    both.every("level appended", |_, _| change(LOGGER, "1", "root", APPEND, Some("INFO")));
    both.every("level taken away", |_, _| change(LOGGER, "1", "root", SUBTRACT, Some("INFO")));
    both.every("level of the root deleted", |_, _| change(LOGGER, "1", "root", DELETE, None));
    both.every("level validated", |_, _| change(LOGGER, "1", "root", SET, Some("WARN")).with_validate_only(true));
    both.every("unknown operation", |_, _| change(TOPIC, "tuned", "retention.ms", 9, Some("1")));
}

fn list_config_resources(both: &mut Differential) {
    both.every("all", |_, _| ListConfigResourcesRequest::default());
    both.ask("of topics", 1..=99, |_, _| ListConfigResourcesRequest::default().with_resource_types(vec![TOPIC]));
    both.ask("of brokers", 1..=99, |_, _| ListConfigResourcesRequest::default().with_resource_types(vec![BROKER]));
    both.ask("of loggers", 1..=99, |_, _| ListConfigResourcesRequest::default().with_resource_types(vec![LOGGER]));
    both.ask("of an unknown kind", 1..=99, |_, _| ListConfigResourcesRequest::default().with_resource_types(vec![77]));
}
