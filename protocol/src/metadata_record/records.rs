//! Each metadata record of Apache Kafka 4.3, as in `metadata/src/main/resources/common/metadata/*.json`.
//!
//! The tagged fields of a record stand in the order of their tags, which is not always Kafka's order of declaration.

use crate::message;
use bytes::Bytes;
use std::sync::Arc;
use uuid::Uuid;

message! {
    /// A broker has registered with the controller. Version 1 adds `in_controlled_shutdown`, 3 `log_dirs` (KIP-858), 4
    /// `cordoned_log_dirs` (KIP-1066).
    pub struct RegisterBrokerRecord, key 0, versions "0-4", flexible "0+" {
        /// The broker's id.
        broker_id: i32, "0+";
        /// Left from the migration from ZooKeeper; always false.
        is_migrating_zk_broker: bool, "2+";
        /// The process that registered: a new one at each start.
        incarnation_id: Uuid, "0+";
        /// The broker epoch, which is the offset of this record.
        broker_epoch: i64, "0+";
        /// Where clients and other brokers reach it.
        end_points: Vec<BrokerEndpoint>, "0+";
        /// The features it supports.
        features: Vec<BrokerFeature>, "0+";
        /// Its rack, if it has one.
        rack: Option<Arc<str>>, "0+", nullable "0+";
        /// Whether it may lead partitions: not while fenced.
        fenced: bool, "0+", default true;
        /// Whether it is stopping in an orderly way.
        in_controlled_shutdown: bool, "1+";
        /// The directory ids of its log directories.
        log_dirs: Vec<Uuid>, "3+", tag 0 "3+";
        /// Those of them that get no new replicas; `None` when the broker does not say.
        cordoned_log_dirs: Option<Vec<Uuid>>, "4+", nullable "4+", tag 1 "4+";
    }

    /// A listener of a broker.
    pub struct BrokerEndpoint {
        /// The listener's name.
        name: Arc<str>, "0+";
        /// The advertised host.
        host: Arc<str>, "0+";
        /// The advertised port.
        port: u16, "0+";
        /// The id of its security protocol: 0 is PLAINTEXT.
        security_protocol: i16, "0+";
    }

    /// A range of levels of one feature that a broker supports.
    pub struct BrokerFeature {
        /// The feature's name.
        name: Arc<str>, "0+";
        /// Its lowest level, inclusive.
        min_supported_version: i16, "0+";
        /// Its highest level, inclusive.
        max_supported_version: i16, "0+";
    }

    /// A broker was removed from the cluster.
    pub struct UnregisterBrokerRecord, key 1, versions "0", flexible "0+" {
        /// The broker's id.
        broker_id: i32, "0+";
        /// The epoch of the registration that ends.
        broker_epoch: i64, "0+";
    }

    /// A topic exists.
    pub struct TopicRecord, key 2, versions "0", flexible "0+" {
        /// Its name.
        name: Arc<str>, "0+";
        /// Its id.
        topic_id: Uuid, "0+";
    }

    /// The whole state of a partition. Version 1 adds `directories` (KIP-858), 2 the eligible leader replicas (KIP-966).
    pub struct PartitionRecord, key 3, versions "0-2", flexible "0+" {
        /// Its index in the topic.
        partition_id: i32, "0+", default -1;
        /// The topic's id.
        topic_id: Uuid, "0+";
        /// The brokers that hold it, preferred leader first.
        replicas: Vec<i32>, "0+";
        /// Those in sync.
        isr: Vec<i32>, "0+";
        /// Replicas that a reassignment takes away.
        removing_replicas: Vec<i32>, "0+";
        /// Replicas that a reassignment brings.
        adding_replicas: Vec<i32>, "0+";
        /// The leader's broker id, or -1.
        leader: i32, "0+", default -1;
        /// 1 while the leader recovers from an unclean election.
        leader_recovery_state: i8, "0+", tag 0 "0+";
        /// The leader epoch.
        leader_epoch: i32, "0+", default -1;
        /// The partition epoch.
        partition_epoch: i32, "0+", default -1;
        /// For each replica, in the order of `replicas`, its log directory.
        directories: Vec<Uuid>, "1+";
        /// Replicas that may lead although they left the ISR; `None` is none.
        eligible_leader_replicas: Option<Vec<i32>>, "2+", nullable "2+", tag 1 "2+";
        /// The last known leader, when nobody may lead; `None` is none.
        last_known_elr: Option<Vec<i32>>, "2+", nullable "2+", tag 2 "2+";
    }

    /// One key of a resource's configuration is set or deleted.
    pub struct ConfigRecord, key 4, versions "0", flexible "0+" {
        /// `ConfigResource.Type`: 2 is a topic, 4 a broker.
        resource_type: i8, "0+";
        /// The topic's name or the broker's id; empty is every broker's default.
        resource_name: Arc<str>, "0+";
        /// The key.
        name: Arc<str>, "0+";
        /// Its value; `None` deletes the key.
        value: Option<Arc<str>>, "0+", nullable "0+";
    }

    /// What changes of a partition's state; a field with its default stays as it is.
    pub struct PartitionChangeRecord, key 5, versions "0-2", flexible "0+" {
        /// Its index in the topic.
        partition_id: i32, "0+", default -1;
        /// The topic's id.
        topic_id: Uuid, "0+";
        /// The new ISR.
        isr: Option<Vec<i32>>, "0+", nullable "0+", tag 0 "0+";
        /// The new leader, -1 for nobody; -2 is no change. Any change, even to the same leader, raises the leader epoch.
        leader: i32, "0+", tag 1 "0+", default -2;
        /// The new replicas.
        replicas: Option<Vec<i32>>, "0+", nullable "0+", tag 2 "0+";
        /// The new removing replicas.
        removing_replicas: Option<Vec<i32>>, "0+", nullable "0+", tag 3 "0+";
        /// The new adding replicas.
        adding_replicas: Option<Vec<i32>>, "0+", nullable "0+", tag 4 "0+";
        /// The new leader recovery state; -1 is no change.
        leader_recovery_state: i8, "0+", tag 5 "0+", default -1;
        /// The new eligible leader replicas.
        eligible_leader_replicas: Option<Vec<i32>>, "2+", nullable "2+", tag 6 "2+";
        /// The new last known leader.
        last_known_elr: Option<Vec<i32>>, "2+", nullable "2+", tag 7 "2+";
        /// The new log directories, in the order of the replicas.
        directories: Option<Vec<Uuid>>, "1+", nullable "1+", tag 8 "1+";
    }

    /// The old form of a [`BrokerRegistrationChangeRecord`] that fences.
    pub struct FenceBrokerRecord, key 7, versions "0", flexible "0+" {
        /// The broker's id.
        id: i32, "0+";
        /// The broker epoch.
        epoch: i64, "0+";
    }

    /// The old form of a [`BrokerRegistrationChangeRecord`] that unfences.
    pub struct UnfenceBrokerRecord, key 8, versions "0", flexible "0+" {
        /// The broker's id.
        id: i32, "0+";
        /// The broker epoch.
        epoch: i64, "0+";
    }

    /// A topic is gone, with its partitions and configuration.
    pub struct RemoveTopicRecord, key 9, versions "0", flexible "0+" {
        /// The topic's id.
        topic_id: Uuid, "0+";
    }

    /// A delegation token.
    pub struct DelegationTokenRecord, key 10, versions "0", flexible "0+" {
        /// The principal it stands for.
        owner: Arc<str>, "0+";
        /// The principal that asked for it.
        requester: Arc<str>, "0+";
        /// The principals that may renew it.
        renewers: Vec<Arc<str>>, "0+";
        /// When it was issued, in ms since the epoch.
        issue_timestamp: i64, "0+";
        /// After this it cannot be renewed, in ms since the epoch.
        max_timestamp: i64, "0+";
        /// After this it is invalid, in ms since the epoch.
        expiration_timestamp: i64, "0+";
        /// Its id.
        token_id: Arc<str>, "0+";
    }

    /// A user's SCRAM credential (KIP-554).
    pub struct UserScramCredentialRecord, key 11, versions "0", flexible "0+" {
        /// The user's name.
        name: Arc<str>, "0+";
        /// 1 is SCRAM-SHA-256, 2 SCRAM-SHA-512.
        mechanism: i8, "0+";
        /// The salt.
        salt: Bytes, "0+";
        /// The stored key.
        stored_key: Bytes, "0+";
        /// The server key.
        server_key: Bytes, "0+";
        /// The number of iterations.
        iterations: i32, "0+";
    }

    /// The finalized level of a feature. The log and every snapshot begin with one for `metadata.version`.
    pub struct FeatureLevelRecord, key 12, versions "0", flexible "0+" {
        /// The feature's name.
        name: Arc<str>, "0+";
        /// Its level; 0 removes the feature.
        feature_level: i16, "0+";
    }

    /// A quota of a client entity is set or removed.
    pub struct ClientQuotaRecord, key 14, versions "0", flexible "0+" {
        /// The entity: parts such as user and client id.
        entity: Vec<EntityData>, "0+";
        /// The quota's key.
        key: Arc<str>, "0+";
        /// Its value.
        value: f64, "0+";
        /// Whether it is removed instead.
        remove: bool, "0+";
    }

    /// One part of a client entity.
    pub struct EntityData {
        /// `user`, `client-id` or `ip`.
        entity_type: Arc<str>, "0+";
        /// The name; `None` is the default entity of that type.
        entity_name: Option<Arc<str>>, "0+", nullable "0+";
    }

    /// A block of producer ids was given out.
    pub struct ProducerIdsRecord, key 15, versions "0", flexible "0+" {
        /// The broker that got it.
        broker_id: i32, "0+";
        /// Its broker epoch.
        broker_epoch: i64, "0+", default -1;
        /// The first producer id of the next block: the end of this one, exclusive.
        next_producer_id: i64, "0+";
    }

    /// A registered broker changed: fenced, unfenced, or its log directories.
    pub struct BrokerRegistrationChangeRecord, key 17, versions "0-3", flexible "0+" {
        /// The broker's id.
        broker_id: i32, "0+";
        /// The broker epoch.
        broker_epoch: i64, "0+";
        /// 1 fences, -1 unfences, 0 is no change.
        fenced: i8, "0+", tag 0 "0+";
        /// 1 begins a controlled shutdown, 0 is no change.
        in_controlled_shutdown: i8, "1+", tag 1 "1+";
        /// The new log directories; empty is no change.
        log_dirs: Vec<Uuid>, "2+", tag 2 "2+";
        /// The new cordoned log directories; `None` is no change.
        cordoned_log_dirs: Option<Vec<Uuid>>, "3+", nullable "3+", tag 3 "3+";
    }

    /// An access control entry.
    pub struct AccessControlEntryRecord, key 18, versions "0", flexible "0+" {
        /// The entry's id.
        id: Uuid, "0+";
        /// `ResourceType`.
        resource_type: i8, "0+";
        /// The resource's name.
        resource_name: Arc<str>, "0+";
        /// `PatternType`.
        pattern_type: i8, "0+";
        /// The principal, as `Type:name`.
        principal: Arc<str>, "0+";
        /// The client's host, or `*`.
        host: Arc<str>, "0+";
        /// `AclOperation`.
        operation: i8, "0+";
        /// `AclPermissionType`.
        permission_type: i8, "0+";
    }

    /// An access control entry is gone.
    pub struct RemoveAccessControlEntryRecord, key 19, versions "0", flexible "0+" {
        /// The entry's id.
        id: Uuid, "0+";
    }

    /// Nothing: it moves the end of an idle log.
    pub struct NoOpRecord, key 20, versions "0", flexible "0+" {}

    /// Left from the migration from ZooKeeper.
    pub struct ZkMigrationStateRecord, key 21, versions "0", flexible "0+" {
        /// 0 is none.
        zk_migration_state: i8, "0+";
    }

    /// A user's SCRAM credential is gone.
    pub struct RemoveUserScramCredentialRecord, key 22, versions "0", flexible "0+" {
        /// The user's name.
        name: Arc<str>, "0+";
        /// The mechanism.
        mechanism: i8, "0+";
    }

    /// A group of records begins that takes effect at its end (KIP-868).
    pub struct BeginTransactionRecord, key 23, versions "0", flexible "0+" {
        /// A name for people.
        name: Option<Arc<str>>, "0+", nullable "0+", tag 0 "0+";
    }

    /// A group of records takes effect.
    pub struct EndTransactionRecord, key 24, versions "0", flexible "0+" {}

    /// A group of records is void.
    pub struct AbortTransactionRecord, key 25, versions "0", flexible "0+" {
        /// A reason for people.
        reason: Option<Arc<str>>, "0+", nullable "0+", tag 0 "0+";
    }

    /// A delegation token is gone.
    pub struct RemoveDelegationTokenRecord, key 26, versions "0", flexible "0+" {
        /// The token's id.
        token_id: Arc<str>, "0+";
    }

    /// A controller has registered (KIP-919).
    pub struct RegisterControllerRecord, key 27, versions "0", flexible "0+" {
        /// The controller's id.
        controller_id: i32, "0+";
        /// The process that registered.
        incarnation_id: Uuid, "0+";
        /// Left from the migration from ZooKeeper; always false.
        zk_migration_ready: bool, "0+";
        /// Where it is reached.
        end_points: Vec<ControllerEndpoint>, "0+";
        /// The features it supports.
        features: Vec<ControllerFeature>, "0+";
    }

    /// A listener of a controller.
    pub struct ControllerEndpoint {
        /// The listener's name.
        name: Arc<str>, "0+";
        /// The advertised host.
        host: Arc<str>, "0+";
        /// The advertised port.
        port: u16, "0+";
        /// The id of its security protocol.
        security_protocol: i16, "0+";
    }

    /// A range of levels of one feature that a controller supports.
    pub struct ControllerFeature {
        /// The feature's name.
        name: Arc<str>, "0+";
        /// Its lowest level, inclusive.
        min_supported_version: i16, "0+";
        /// Its highest level, inclusive.
        max_supported_version: i16, "0+";
    }

    /// The eligible leader replicas of a topic, or of all, are forgotten.
    pub struct ClearElrRecord, key 28, versions "0", flexible "0+" {
        /// The topic's name; empty is every topic.
        topic_name: Arc<str>, "0+";
    }
}
