//! Keys of earlier versions, most of ZooKeeper's age, and of classes that are not loaded: they stand in files that people still have.

use super::Bounds::Any;
use super::Definition;

/// The keys that Kafka 4 no longer knows, by name.
pub(super) const ROWS: &[Definition] = definitions! {
    None "advertised.host.name" String = None, Any, ReadOnly, "The address that clients are told. No effect, as since Kafka 3: advertised.listeners counts.";
    None "advertised.port" Int = None, Any, ReadOnly, "The port that clients are told. No effect, as since Kafka 3: advertised.listeners counts.";
    None "allow.everyone.if.no.acl.found" Boolean = None, Any, ReadOnly, "What an authorizer says where no rule is. No effect yet: nothing is authorized.";
    None "auto.include.jmx.reporter" Boolean = None, Any, ReadOnly, "Whether metrics are shown by JMX. No effect: there is no JMX.";
    None "broker.id.generation.enable" Boolean = None, Any, ReadOnly, "Whether ZooKeeper gives ids. No effect: node.id or broker.id counts.";
    None "control.plane.listener.name" String = None, Any, ReadOnly, "The listener of requests of the controller. No effect: controllers have their own listener.";
    None "controlled.shutdown.max.retries" Int = None, Any, ReadOnly, "How often handing partitions over is tried. No effect yet: there is nobody to take the partitions.";
    None "controlled.shutdown.retry.backoff.ms" Long = None, Any, ReadOnly, "Pause between those tries. No effect yet: there is nobody to take the partitions.";
    None "delegation.token.master.key" Password = None, Any, ReadOnly, "The older name of delegation.token.secret.key. No effect yet: there are no delegation tokens.";
    None "eligible.leader.replicas.enable" Boolean = None, Any, ReadOnly, "Whether eligible leader replicas are kept. No effect: the feature level decides.";
    None "group.coordinator.new.enable" Boolean = None, Any, ReadOnly, "Whether the new coordinator is used. No effect: there is one coordinator.";
    None "group.share.enable" Boolean = None, Any, ReadOnly, "Whether share groups are served. No effect: the feature level decides.";
    None "host.name" String = None, Any, ReadOnly, "The address to listen on. No effect, as since Kafka 3: listeners counts.";
    None "inter.broker.protocol.version" String = None, Any, ReadOnly, "The version of the protocol between brokers. No effect: the metadata version decides.";
    None "leader.imbalance.per.broker.percentage" Int = None, Any, ReadOnly, "The imbalance at which leadership goes back. No effect, as in Kafka 4.";
    None "log.message.downconversion.enable" Boolean = None, Any, ReadOnly, "Whether old clients get an older format. No effect: nobody is served an older format.";
    None "log.message.format.version" String = None, Any, ReadOnly, "The version of the format of batches. No effect: it is the newest.";
    None "log.message.timestamp.difference.max.ms" Long = None, Any, ReadOnly, "How far a timestamp may be from now. No effect, as in Kafka 4: log.message.timestamp.before.max.ms and log.message.timestamp.after.max.ms took its place.";
    None "num.consumer.fetchers" Int = None, Any, ReadOnly, "Threads that fetch. No effect, as since Kafka 0.8.";
    None "offsets.commit.required.acks" Short = None, Any, ReadOnly, "The acks of commits. No effect, as in Kafka 4: every replica in sync has an offset before it is committed.";
    None "password.encoder.cipher.algorithm" String = None, Any, ReadOnly, "The cipher of passwords. No effect: there is no ZooKeeper.";
    None "password.encoder.iterations" Int = None, Any, ReadOnly, "Rounds of making that key. No effect: there is no ZooKeeper.";
    None "password.encoder.key.length" Int = None, Any, ReadOnly, "The length of that key. No effect: there is no ZooKeeper.";
    None "password.encoder.keyfactory.algorithm" String = None, Any, ReadOnly, "How a key is made of the secret. No effect: there is no ZooKeeper.";
    None "password.encoder.old.secret" Password = None, Any, ReadOnly, "The secret before that. No effect: there is no ZooKeeper.";
    None "password.encoder.secret" Password = None, Any, ReadOnly, "The secret that passwords are encrypted with. No effect: there is no ZooKeeper.";
    None "port" Int = None, Any, ReadOnly, "The port to listen on. No effect, as since Kafka 3: listeners counts.";
    None "quota.consumer.default" Long = None, Any, ReadOnly, "Bytes per second of each consumer. No effect, as since Kafka 3.";
    None "quota.producer.default" Long = None, Any, ReadOnly, "Bytes per second of each producer. No effect, as since Kafka 3.";
    None "replica.lag.max.messages" Long = None, Any, ReadOnly, "Records that a replica in sync may be behind. No effect, as since Kafka 0.9.";
    None "reserved.broker.max.id" Int = None, Any, ReadOnly, "The largest id that is not generated. No effect: ids are not generated.";
    None "super.users" String = None, Any, ReadOnly, "Principals that may do everything, for an authorizer. No effect yet: nothing is authorized.";
    None "zookeeper.clientCnxnSocket" String = None, Any, ReadOnly, "A class of ZooKeeper's client. No effect: there is no ZooKeeper.";
    None "zookeeper.connect" String = None, Any, ReadOnly, "Where ZooKeeper is. No effect: there is no ZooKeeper.";
    None "zookeeper.connection.timeout.ms" Int = None, Any, ReadOnly, "How long a connection to ZooKeeper may take. No effect: there is no ZooKeeper.";
    None "zookeeper.max.in.flight.requests" Int = None, Any, ReadOnly, "Requests to ZooKeeper at once. No effect: there is no ZooKeeper.";
    Refused "zookeeper.metadata.migration.enable" Boolean = Some("false"), Any, ReadOnly, "Whether the cluster moves from ZooKeeper. Refused: there is no ZooKeeper to move from, and an empty cluster would take its place.";
    None "zookeeper.metadata.migration.min.batch.size" Int = None, Any, ReadOnly, "Records of a batch of the migration. No effect: there is no ZooKeeper.";
    None "zookeeper.session.timeout.ms" Int = None, Any, ReadOnly, "How long ZooKeeper keeps a session. No effect: there is no ZooKeeper.";
    None "zookeeper.set.acl" Boolean = None, Any, ReadOnly, "Whether ZooKeeper's nodes are protected. No effect: there is no ZooKeeper.";
    None "zookeeper.sync.time.ms" Int = None, Any, ReadOnly, "How far a ZooKeeper follower may be behind. No effect: there is no ZooKeeper.";
};
