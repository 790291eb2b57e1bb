//! What a cluster says of itself: brokers, and the quorum of its metadata.

use protocol::messages::describe_quorum_request::{PartitionData, TopicData};
use protocol::messages::{ApiKey, DescribeClusterRequest, DescribeQuorumRequest};

use super::{Client, ClientError, Refusal, Result, topic_name};

const DESCRIBE_CLUSTER_VERSIONS: std::ops::RangeInclusive<i16> = 0..=2;
const DESCRIBE_QUORUM_VERSIONS: std::ops::RangeInclusive<i16> = 0..=2;
const BROKERS: i8 = 1;
const METADATA_TOPIC: &str = "__cluster_metadata";

/// A broker of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) id: i32,
    pub(crate) host: String,
    pub(crate) port: i32,
    pub(crate) rack: Option<String>,
    /// `None`: the broker answers an older version, which does not say.
    pub(crate) is_fenced: Option<bool>,
}

/// The cluster as one of its brokers sees it.
#[derive(Clone, Debug)]
pub(crate) struct Cluster {
    pub(crate) id: String,
    /// A broker that takes requests for the controller; −1 if none is known.
    pub(crate) controller: i32,
    pub(crate) nodes: Vec<Node>,
}

/// Who keeps the metadata log.
#[derive(Clone, Debug)]
pub(crate) struct Quorum {
    pub(crate) leader: i32,
    pub(crate) leader_epoch: i32,
    pub(crate) high_watermark: i64,
    pub(crate) voters: Vec<QuorumReplica>,
    pub(crate) observers: Vec<QuorumReplica>,
}

/// One copy of the metadata log.
#[derive(Clone, Debug)]
pub(crate) struct QuorumReplica {
    pub(crate) id: i32,
    pub(crate) log_end_offset: i64,
    /// Milliseconds since the epoch; −1 if the broker does not say.
    pub(crate) last_caught_up_ms: i64,
}

impl Client {
    /// The cluster's id and its brokers, by id.
    ///
    /// # Errors
    /// [`ClientError`].
    pub(crate) fn cluster(&mut self) -> Result<Cluster> {
        let request = DescribeClusterRequest::default().with_endpoint_type(BROKERS);
        let response = self.any().ask(&request, DESCRIBE_CLUSTER_VERSIONS)?;
        Refusal::check(response.error_code, response.error_message.as_deref())?;
        let says_fenced = self.any().serves(ApiKey::DescribeCluster, &(2..=2));
        let mut nodes: Vec<Node> = response
            .brokers
            .iter()
            .map(|broker| Node {
                id: broker.broker_id.0,
                host: broker.host.to_string(),
                port: broker.port,
                rack: broker.rack.as_ref().map(ToString::to_string),
                is_fenced: says_fenced.then_some(broker.is_fenced),
            })
            .collect();
        nodes.sort_unstable_by_key(|node| node.id);
        Ok(Cluster { id: response.cluster_id.to_string(), controller: response.controller_id.0, nodes })
    }

    /// The quorum of the metadata log.
    ///
    /// # Errors
    /// [`ClientError`].
    pub(crate) fn quorum(&mut self) -> Result<Quorum> {
        let topic = TopicData::default()
            .with_topic_name(topic_name(METADATA_TOPIC))
            .with_partitions(vec![PartitionData::default().with_partition_index(0)]);
        let request = DescribeQuorumRequest::default().with_topics(vec![topic]);
        let response = self.any().ask(&request, DESCRIBE_QUORUM_VERSIONS)?;
        Refusal::check(response.error_code, response.error_message.as_deref())?;
        let found = response.topics.first().and_then(|topic| topic.partitions.first());
        let found = found.ok_or(ClientError::Malformed("a quorum without its partition"))?;
        Refusal::check(found.error_code, found.error_message.as_deref())?;
        let replicas = |states: &[protocol::messages::describe_quorum_response::ReplicaState]| {
            let replica = states.iter().map(|state| QuorumReplica {
                id: state.replica_id.0,
                log_end_offset: state.log_end_offset,
                last_caught_up_ms: state.last_caught_up_timestamp,
            });
            replica.collect()
        };
        Ok(Quorum {
            leader: found.leader_id.0,
            leader_epoch: found.leader_epoch,
            high_watermark: found.high_watermark,
            voters: replicas(&found.current_voters),
            observers: replicas(&found.observers),
        })
    }
}
