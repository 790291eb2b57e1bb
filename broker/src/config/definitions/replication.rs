//! Replication and who leads. Source: `ReplicationConfigs`.

use super::Bounds::{Any, AtLeast};
use super::Definition;

/// The keys of replication, by name.
pub(super) const ROWS: &[Definition] = definitions! {
    None "auto.leader.rebalance.enable" Boolean = Some("true"), Any, ReadOnly, "Whether leadership goes back to preferred replicas by itself. No effect yet: this node is the only one.";
    None "leader.imbalance.check.interval.seconds" Long = Some("300"), AtLeast(1), ReadOnly, "How often it is checked whether preferred replicas lead. No effect yet: this node is the only one.";
    None "num.replica.alter.log.dirs.threads" Int = None, Any, ReadOnly, "Threads that move partitions between log directories. No effect: one partition moves at a time.";
    None "num.replica.fetchers" Int = Some("1"), AtLeast(1), ClusterWide, "Threads that replicate from each broker. No effect yet: this node is the only one.";
    None "replica.fetch.backoff.ms" Int = Some("1000"), AtLeast(0), ReadOnly, "A follower's pause after a failed fetch. No effect yet: this node is the only one.";
    None "replica.fetch.max.bytes" Int = Some("1048576"), AtLeast(0), ReadOnly, "Bytes of each partition that a follower asks for at once. No effect yet: this node is the only one.";
    None "replica.fetch.min.bytes" Int = Some("1"), Any, ReadOnly, "Bytes that a follower's fetch waits for. No effect yet: this node is the only one.";
    None "replica.fetch.response.max.bytes" Int = Some("10485760"), AtLeast(0), ReadOnly, "Bytes that a follower asks for at once. No effect yet: this node is the only one.";
    None "replica.fetch.wait.max.ms" Int = Some("500"), Any, ReadOnly, "How long a follower's fetch waits. No effect yet: this node is the only one.";
    Acts "replica.high.watermark.checkpoint.interval.ms" Long = Some("5000"), Any, ReadOnly, "How often high watermarks are written.";
    None "replica.lag.time.max.ms" Long = Some("30000"), Any, ReadOnly, "A follower that has not caught up for so long is no longer in sync. No effect yet: this node is the only one.";
    None "replica.selector.class" String = None, Any, ReadOnly, "A class that names the replica that a consumer should read. No effect yet: each partition has one replica.";
    None "replica.socket.receive.buffer.bytes" Int = Some("65536"), Any, ReadOnly, "The receive buffer of followers' sockets. No effect yet: this node is the only one.";
    None "replica.socket.timeout.ms" Int = Some("30000"), Any, ReadOnly, "How long a follower waits for an answer. No effect yet: this node is the only one.";
    None "unclean.leader.election.enable" Boolean = Some("false"), Any, ClusterWide, "Whether a replica out of sync may lead. No effect yet: this node is the only one.";
};
