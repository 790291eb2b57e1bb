//! The node, the quorum, the metadata log. Source: `KRaftConfigs`, `QuorumConfig`, `ServerConfigs`, `MetadataLogConfig`.

use super::Bounds::{Any, AtLeast};
use super::{Bounds, Definition};

/// The keys of the node itself and of the metadata quorum, by name.
pub(super) const ROWS: &[Definition] = definitions! {
    Acts "broker.heartbeat.interval.ms" Int = Some("2000"), Any, ReadOnly, "How often a broker tells the controller that it lives.";
    Acts "broker.id" Int = Some("-1"), Any, ReadOnly, "The older name of node.id.";
    Acts "broker.rack" String = None, Any, ReadOnly, "The rack that clients are told and replicas are spread over.";
    Acts "broker.session.timeout.ms" Int = Some("9000"), Any, ReadOnly, "A broker that the controller has not heard of for so long is fenced.";
    Acts "cluster.id" String = None, Any, ReadOnly, "The cluster's id when the log directories are formatted at the first start; a random one if absent. Later it must be the one in meta.properties.";
    None "controlled.shutdown.enable" Boolean = Some("true"), Any, ReadOnly, "Whether a stopping broker hands its partitions over. No effect yet: there is nobody to take them.";
    None "controller.quorum.append.linger.ms" Int = Some("25"), AtLeast(0), ReadOnly, "How long the leader of the metadata quorum collects records before it writes them. No effect: what waits is written together, and nothing waits for more.";
    None "controller.quorum.auto.join.enable" Boolean = Some("false"), Any, ReadOnly, "Whether a new controller joins the voters by itself. No effect yet: this node is the only one.";
    None "controller.quorum.bootstrap.servers" List = Some(""), Any, ReadOnly, "Where the controllers are. No effect yet: this node is the only one.";
    None "controller.quorum.election.backoff.max.ms" Int = Some("1000"), AtLeast(0), ReadOnly, "The longest pause before a new election. No effect yet: this node is the only one.";
    None "controller.quorum.election.timeout.ms" Int = Some("1000"), AtLeast(0), ReadOnly, "How long a candidate waits for votes. No effect yet: this node is the only one.";
    None "controller.quorum.fetch.max.bytes" Int = Some("1048576"), AtLeast(1), ReadOnly, "The most bytes of the metadata log that one answer carries. No effect yet: this node is the only one.";
    None "controller.quorum.fetch.snapshot.max.bytes" Int = Some("1048576"), AtLeast(1), ReadOnly, "The most bytes of a metadata snapshot that one answer carries. No effect yet: this node is the only one.";
    None "controller.quorum.fetch.timeout.ms" Int = Some("2000"), AtLeast(0), ReadOnly, "How long a follower waits for its leader before it becomes a candidate. No effect yet: this node is the only one.";
    None "controller.quorum.request.timeout.ms" Int = Some("2000"), AtLeast(0), ReadOnly, "How long a controller waits for another one's answer. No effect yet: this node is the only one.";
    None "controller.quorum.retry.backoff.ms" Int = Some("20"), AtLeast(0), ReadOnly, "Pause before a failed request to another controller is tried again. No effect yet: this node is the only one.";
    Acts "controller.quorum.voters" List = Some(""), Any, ReadOnly, "The controllers, as id@host:port. This node must be the only one.";
    None "controller.socket.timeout.ms" Int = Some("30000"), Any, ReadOnly, "How long a broker waits for the controller's answer. No effect yet: both are one process.";
    None "initial.broker.registration.timeout.ms" Int = Some("60000"), Any, ReadOnly, "How long a starting broker tries to register before it gives up. No effect yet: the controller is in the same process.";
    Acts "metadata.log.dir" String = None, Any, ReadOnly, "The directory of the metadata log; absent: the first log directory.";
    Acts "metadata.log.max.record.bytes.between.snapshots" Long = Some("20971520"), AtLeast(1), ReadOnly, "A snapshot of the metadata is made after so many bytes of it.";
    Acts "metadata.log.max.snapshot.interval.ms" Long = Some("3600000"), AtLeast(0), ReadOnly, "A snapshot of the metadata is made at the latest so long after a change; 0: never by time.";
    None "metadata.log.segment.bytes" Int = Some("1073741824"), AtLeast(8_388_608), ReadOnly, "The largest segment of the metadata log. No effect yet: its segments have a fixed size.";
    None "metadata.log.segment.ms" Long = Some("604800000"), Any, ReadOnly, "A segment of the metadata log is rolled when it is so old. No effect: it is rolled by size only.";
    None "metadata.max.idle.interval.ms" Int = Some("500"), AtLeast(0), ReadOnly, "How often the controller writes a record that does nothing, while there is nothing to write. No effect: an idle metadata log is not written to.";
    None "metadata.max.retention.bytes" Long = Some("104857600"), Any, ReadOnly, "The oldest snapshots and segments of the metadata log go while it is larger. No effect: what a newer snapshot contains goes.";
    None "metadata.max.retention.ms" Long = Some("604800000"), Any, ReadOnly, "Snapshots and segments of the metadata log go when they are so old. No effect: what a newer snapshot contains goes.";
    Acts "node.id" Int = Some("1"), AtLeast(0), ReadOnly, "This node's id.";
    Acts "process.roles" List = Some("broker,controller"), Bounds::EachOneOf(&["broker", "controller"]), ReadOnly, "What this node is. Both, yet.";
};
