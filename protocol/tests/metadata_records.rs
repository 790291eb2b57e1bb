//! Every metadata record at every version against the bytes of Apache Kafka's own classes, both ways.
//! The bytes are made by `integration/golden/MetadataRecords.java`, which holds the same values.

use bytes::Bytes;
use protocol::ids::Uuid;
use protocol::metadata_record::*;
use protocol::schema::Schema;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

const A: Uuid = Uuid::from_u128(0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10);
const B: Uuid = Uuid::from_u128(0xf1f2_f3f4_f5f6_f7f8_f9fa_fbfc_fdfe_ff00);

fn default<T: Default>() -> T {
    T::default()
}

/// Compares a record type's golden file with what `full` and `empty` make of each version.
fn check<R: Schema + Into<MetadataRecord> + Default>(full: impl Fn(i16) -> R, empty: impl Fn() -> R) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/metadata/{}.txt", R::NAME));
    let text = std::fs::read_to_string(path).expect("the golden file");
    let mut seen = BTreeSet::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let [version, case, hex] = line.split(' ').collect::<Vec<_>>().try_into().expect("version, case, value");
        let version: i16 = version.parse().expect("a number");
        let record: MetadataRecord = if case == "full" { full(version) } else { empty() }.into();
        let golden = from_hex(hex);
        assert_eq!(record.name(), R::NAME);
        assert_eq!(
            to_hex(&record.encode_value_at(version).expect("it fits")),
            hex,
            "{} version {version} {case}",
            R::NAME
        );
        assert_eq!(
            MetadataRecord::decode_value(golden).expect("a record"),
            record,
            "{} version {version} {case}",
            R::NAME
        );
        seen.insert((version, case.to_owned()));
    }
    let versions = (R::VERSIONS.first..=R::VERSIONS.last).count();
    assert_eq!(seen.len(), versions * 2, "{}: each version, full and empty", R::NAME);
}

fn from_hex(text: &str) -> Bytes {
    let byte = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal digits");
    (0..text.len()).step_by(2).map(byte).collect()
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn broker_records_are_kafkas() {
    check(register_broker, || RegisterBrokerRecord { fenced: true, ..default() });
    check(|_| UnregisterBrokerRecord { broker_id: -1, broker_epoch: i64::MIN }, default);
    check(
        |version| BrokerRegistrationChangeRecord {
            broker_id: 3,
            broker_epoch: 77,
            fenced: -1,
            in_controlled_shutdown: i8::from(version >= 1),
            log_dirs: if version >= 2 { vec![B] } else { vec![] },
            cordoned_log_dirs: (version >= 3).then(Vec::new),
        },
        default,
    );
    check(|_| FenceBrokerRecord { id: 7, epoch: 8 }, default);
    check(|_| UnfenceBrokerRecord { id: 7, epoch: 8 }, default);
    check(|_| register_controller(), default);
}

fn register_broker(version: i16) -> RegisterBrokerRecord {
    let endpoint = |name: &str, host: &str, port, security_protocol| BrokerEndpoint {
        name: name.into(),
        host: host.into(),
        port,
        security_protocol,
    };
    RegisterBrokerRecord {
        broker_id: 3,
        is_migrating_zk_broker: version >= 2,
        incarnation_id: A,
        broker_epoch: 1_234_567_890_123,
        end_points: vec![endpoint("PLAINTEXT", "broker.example", 65535, 0), endpoint("SSL", "::1", 9093, 1)],
        features: vec![BrokerFeature {
            name: "metadata.version".into(),
            min_supported_version: 7,
            max_supported_version: 30,
        }],
        rack: Some("rack-é".into()),
        fenced: false,
        in_controlled_shutdown: version >= 1,
        log_dirs: if version >= 3 { vec![A, B] } else { vec![] },
        cordoned_log_dirs: (version >= 4).then(|| vec![B]),
    }
}

fn register_controller() -> RegisterControllerRecord {
    RegisterControllerRecord {
        controller_id: 1,
        incarnation_id: B,
        zk_migration_ready: true,
        end_points: vec![ControllerEndpoint {
            name: "CONTROLLER".into(),
            host: "localhost".into(),
            port: 9093,
            security_protocol: 2,
        }],
        features: vec![ControllerFeature {
            name: "kraft.version".into(),
            min_supported_version: 0,
            max_supported_version: 1,
        }],
    }
}

#[test]
fn topic_records_are_kafkas() {
    check(|_| TopicRecord { name: "orders.v1".into(), topic_id: A }, default);
    check(|_| RemoveTopicRecord { topic_id: B }, default);
    check(partition, default);
    check(partition_change, default);
    check(|_| ClearElrRecord { topic_name: "orders".into() }, default);
    check(
        |_| ConfigRecord {
            resource_type: 2,
            resource_name: "orders".into(),
            name: "retention.ms".into(),
            value: Some("x".repeat(200).into()),
        },
        default,
    );
}

fn partition(version: i16) -> PartitionRecord {
    PartitionRecord {
        partition_id: 300,
        topic_id: A,
        replicas: vec![1, 2, 3],
        isr: vec![1, 2],
        removing_replicas: vec![3],
        adding_replicas: vec![2, 1],
        leader: 1,
        leader_recovery_state: 1,
        leader_epoch: 128,
        partition_epoch: 1 << 30,
        directories: if version >= 1 { vec![A, B, A] } else { vec![] },
        eligible_leader_replicas: (version >= 2).then(|| vec![3]),
        last_known_elr: (version >= 2).then(Vec::new),
    }
}

fn partition_change(version: i16) -> PartitionChangeRecord {
    PartitionChangeRecord {
        partition_id: 0,
        topic_id: B,
        isr: Some(vec![2, 1]),
        leader: -1,
        replicas: Some(vec![2, 1, 3]),
        removing_replicas: Some(vec![]),
        adding_replicas: Some(vec![3]),
        leader_recovery_state: 0,
        eligible_leader_replicas: (version >= 2).then(|| vec![1, 3]),
        last_known_elr: (version >= 2).then(|| vec![2]),
        directories: (version >= 1).then(|| vec![B, B, A]),
    }
}

#[test]
fn other_records_are_kafkas() {
    check(|_| FeatureLevelRecord { name: "metadata.version".into(), feature_level: 29 }, default);
    check(|_| ProducerIdsRecord { broker_id: 1, broker_epoch: 9, next_producer_id: 2000 }, default);
    let part = |entity_type: &str, entity_name: Option<&str>| EntityData {
        entity_type: entity_type.into(),
        entity_name: entity_name.map(Arc::from),
    };
    check(
        |_| ClientQuotaRecord {
            entity: vec![part("user", Some("alice")), part("client-id", None)],
            key: "producer_byte_rate".into(),
            value: 1_048_576.5,
            remove: true,
        },
        default,
    );
    check(|_| NoOpRecord {}, default);
    check(|_| ZkMigrationStateRecord { zk_migration_state: 3 }, default);
    check(|_| BeginTransactionRecord { name: Some("Bootstrap records".into()) }, default);
    check(|_| EndTransactionRecord {}, default);
    check(|_| AbortTransactionRecord { reason: Some("".into()) }, default);
}

#[test]
fn security_records_are_kafkas() {
    check(
        |_| AccessControlEntryRecord {
            id: A,
            resource_type: 2,
            resource_name: "orders".into(),
            pattern_type: 4,
            principal: "User:alice".into(),
            host: "*".into(),
            operation: 3,
            permission_type: 2,
        },
        default,
    );
    check(|_| RemoveAccessControlEntryRecord { id: B }, default);
    check(
        |_| UserScramCredentialRecord {
            name: "alice".into(),
            mechanism: 1,
            salt: Bytes::from_static(&[1, 2, 3]),
            stored_key: Bytes::from_static(&[255]),
            server_key: vec![0; 130].into(),
            iterations: 4096,
        },
        default,
    );
    check(|_| RemoveUserScramCredentialRecord { name: "alice".into(), mechanism: 2 }, default);
    check(
        |_| DelegationTokenRecord {
            owner: "User:alice".into(),
            requester: "User:bob".into(),
            renewers: vec!["User:carol".into(), "User:dave".into()],
            issue_timestamp: 1,
            max_timestamp: 2,
            expiration_timestamp: 3,
            token_id: "token".into(),
        },
        default,
    );
    check(|_| RemoveDelegationTokenRecord { token_id: "token".into() }, default);
}

#[test]
fn no_golden_file_is_left_out() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/metadata");
    let known = |key: i16| {
        let value = Bytes::from(vec![1, key as u8, 0]);
        !matches!(MetadataRecord::decode_value(value), Err(ParseError::UnknownType { .. }))
    };
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), (0..127).filter(|key| known(*key)).count());
}
