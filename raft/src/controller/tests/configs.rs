//! Configurations, features, producer ids.

use super::*;
use crate::controller::configs::alter_configs;
use crate::controller::producer_ids::allocate_producer_ids;
use crate::error::ConfigError;
use crate::image::ConfigResourceType;
use protocol::metadata_record::{ClearElrRecord, ConfigRecord, FeatureLevelRecord};
use std::collections::BTreeMap;

fn incremental(ops: &[(&str, ConfigOp)]) -> ConfigChange {
    ConfigChange::Incremental(ops.iter().map(|(key, op)| ((*key).into(), op.clone())).collect())
}

fn set(value: &str) -> ConfigOp {
    ConfigOp::Set(value.into())
}

/// Alters one resource; answers the records and what was refused.
fn alter(cluster: &mut Cluster, resource: &ConfigResource, change: ConfigChange) -> (Vec<MetadataRecord>, String) {
    let request = [(resource.clone(), change)];
    let (records, results) = cluster.run(|situation| alter_configs(situation, &request, false)).expect("small");
    (records, results[0].1.as_ref().err().map(ToString::to_string).unwrap_or_default())
}

fn value(cluster: &Cluster, resource: &ConfigResource, key: &str) -> Option<String> {
    cluster.image.configs().get(resource, key).map(ToString::to_string)
}

#[test]
fn keys_are_set_deleted_appended_and_subtracted() {
    let mut cluster = Cluster::of(1);
    cluster.create(topic("t", 1, 1)).expect("created");
    let resource = ConfigResource::topic("t");
    let append = |elements: &str, default: Option<&str>| ConfigOp::Append {
        elements: elements.into(),
        default: default.map(Into::into),
    };
    let subtract = |elements: &str| ConfigOp::Subtract { elements: elements.into(), default: Some("delete".into()) };

    alter(&mut cluster, &resource, incremental(&[("retention.ms", set("5")), ("segment.bytes", set("9"))]));
    assert_eq!(value(&cluster, &resource, "retention.ms").as_deref(), Some("5"));
    let (unchanged, _) = alter(&mut cluster, &resource, incremental(&[("retention.ms", set("5"))]));
    assert!(unchanged.is_empty(), "a value that stays is not written again");
    alter(&mut cluster, &resource, incremental(&[("retention.ms", ConfigOp::Delete)]));
    assert_eq!(value(&cluster, &resource, "retention.ms"), None);

    let compact = append("compact,delete", Some("delete"));
    alter(&mut cluster, &resource, incremental(&[("cleanup.policy", compact)]));
    assert_eq!(value(&cluster, &resource, "cleanup.policy").as_deref(), Some("delete,compact"));
    alter(&mut cluster, &resource, incremental(&[("cleanup.policy", subtract("delete,absent"))]));
    assert_eq!(value(&cluster, &resource, "cleanup.policy").as_deref(), Some("compact"));

    let all: BTreeMap<_, _> = [("flush.ms".into(), "1".into())].into();
    alter(&mut cluster, &resource, ConfigChange::Replace(all));
    let keys: Vec<String> = cluster.image.configs().of(&resource).map(|(key, _)| key.to_string()).collect();
    assert_eq!(keys, ["flush.ms"]);
}

#[test]
fn a_broker_is_told_again_what_it_knows() {
    let mut cluster = Cluster::of(1);
    let resource = ConfigResource::broker(1);
    for _ in 0..2 {
        let (records, _) = alter(&mut cluster, &resource, incremental(&[("background.threads", set("5"))]));
        assert_eq!(records.len(), 1, "a broker reloads on every record (KAFKA-14136)");
    }
}

#[test]
fn resources_must_exist() {
    let mut cluster = Cluster::of(1);
    let mut refusal = |resource| alter(&mut cluster, &resource, incremental(&[("k", set("v"))])).1;
    assert_eq!(refusal(ConfigResource::topic("absent")), "The topic 'absent' does not exist.");
    assert_eq!(refusal(ConfigResource::broker(9)), "No node with id 9 found.");
    let named = ConfigResource { name: "one".into(), ..ConfigResource::broker(1) };
    assert_eq!(refusal(named), "Invalid broker name one");
    assert_eq!(refusal(ConfigResource::topic("")), "Default topic resources are not allowed.");
    assert!(refusal(ConfigResource::topic("a b")).starts_with("Topic name is invalid: 'a b' contains"));
    let unnamed = |resource_type| ConfigResource { resource_type, name: "".into() };
    assert_eq!(refusal(unnamed(ConfigResourceType::Group)), "Default group resources are not allowed.");
    assert_eq!(refusal(unnamed(ConfigResourceType::ClientMetrics)), "Subscription name can't be empty");
    assert_eq!(refusal(ConfigResource::broker(1)), "");
    assert_eq!(refusal(ConfigResource::default_broker()), "");
}

struct NoKeyX;

impl ConfigRules for NoKeyX {
    fn check(
        &self,
        _: &ConfigResource,
        _: &BTreeMap<Arc<str>, Arc<str>>,
        values: &BTreeMap<Arc<str>, Arc<str>>,
    ) -> Result<(), ConfigError> {
        let refused = || ConfigError::Invalid("Unknown topic config name: x".into());
        if values.contains_key("x") { Err(refused()) } else { Ok(()) }
    }
}

#[test]
fn the_brokers_rules_are_asked_about_the_whole_configuration() {
    let mut cluster = Cluster::of(1);
    cluster.config.config_rules = ConfigRulesHandle(Arc::new(NoKeyX));
    let configs = vec![("x".into(), Some("1".into()))];
    let refused = cluster.create(NewTopic { configs, ..topic("t", 1, 1) }).expect_err("x is refused");
    assert_eq!(refused.to_string(), "Unknown topic config name: x");
    cluster.create(topic("t", 1, 1)).expect("created");
    let (records, refusal) = alter(&mut cluster, &ConfigResource::topic("t"), incremental(&[("x", set("1"))]));
    assert_eq!((records.len(), refusal.as_str()), (0, "Unknown topic config name: x"));
}

#[test]
fn the_minimum_of_in_sync_replicas_is_guarded_while_elr_is_on() {
    let mut cluster = Cluster::of(1);
    cluster.create(topic("t", 1, 1)).expect("created");
    let key = MIN_IN_SYNC_REPLICAS_CONFIG;
    let mut change = |resource, op| alter(&mut cluster, &resource, incremental(&[(key, op)]));
    let broker_level = "Broker-level min.insync.replicas cannot be altered while ELR is enabled.";
    assert_eq!(change(ConfigResource::broker(1), set("2")).1, broker_level);
    let cluster_level = "Cluster-level min.insync.replicas cannot be removed while ELR is enabled.";
    assert_eq!(change(ConfigResource::default_broker(), ConfigOp::Delete).1, cluster_level);
    let cleared = |topic: &str| MetadataRecord::from(ClearElrRecord { topic_name: topic.into() });
    assert_eq!(change(ConfigResource::default_broker(), set("2")).0.last(), Some(&cleared("")));
    assert_eq!(change(ConfigResource::topic("t"), set("2")).0.last(), Some(&cleared("t")));
}

#[test]
fn values_longer_than_a_record_holds_are_refused() {
    let mut cluster = Cluster::of(1);
    let long = "x".repeat(40_000);
    let (_, refusal) = alter(&mut cluster, &ConfigResource::broker(1), incremental(&[("k", set(&long))]));
    assert_eq!(
        refusal,
        "The configuration value cannot be added because it exceeds the maximum value size of 32767 bytes."
    );
}

/// The records between the transaction marks of a new Apache Kafka 4.3.1.
#[test]
fn a_new_cluster_begins_as_kafkas() {
    let feature =
        |name: &str, feature_level| MetadataRecord::from(FeatureLevelRecord { name: name.into(), feature_level });
    let minimum = ConfigRecord {
        resource_type: 4,
        resource_name: "".into(),
        name: "min.insync.replicas".into(),
        value: Some("1".into()),
    };
    let expected = [
        feature("metadata.version", 30),
        feature("eligible.leader.replicas.version", 1),
        feature("group.version", 1),
        feature("share.version", 1),
        feature("streams.version", 1),
        feature("transaction.version", 2),
        minimum.into(),
    ];
    assert_eq!(bootstrap_records(1), expected);
    assert_eq!(Cluster::new().image.metadata_version(), Some(METADATA_VERSION));
}

#[test]
fn producer_ids_are_given_out_once() {
    let mut cluster = Cluster::of(2);
    let epoch = |cluster: &Cluster, id| cluster.image.broker(id).expect("registered").epoch;
    let mut given = Vec::new();
    for id in [1, 2, 1] {
        let epoch = epoch(&cluster, id);
        given.push(cluster.run(|situation| allocate_producer_ids(situation, id, epoch)).expect("registered").1);
    }
    assert_eq!(given, [0..1_000, 1_000..2_000, 2_000..3_000]);
    let stale = cluster.run(|situation| allocate_producer_ids(situation, 1, 0)).expect_err("an old epoch");
    let expected = format!("Expected broker epoch {}, but got broker epoch 0", epoch(&cluster, 1));
    assert_eq!(stale.to_string(), expected);
    let absent = cluster.run(|situation| allocate_producer_ids(situation, 9, 0)).expect_err("not registered");
    assert_eq!(absent.to_string(), "No broker registration found for broker id 9");
}
