//! Topics: create, list, describe, grow, delete.

use protocol::ids::Uuid;
use protocol::messages::create_partitions_request::{CreatePartitionsAssignment, CreatePartitionsTopic};
use protocol::messages::create_topics_request::{CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig};
use protocol::messages::describe_topic_partitions_request::{Cursor, TopicRequest};
use protocol::messages::{
    ApiKey, BrokerId, CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest, DescribeTopicPartitionsRequest,
};

use super::{Client, ClientError, Refusal, Result, text, topic_name};

const CREATE_TOPICS_VERSIONS: std::ops::RangeInclusive<i16> = 4..=7;
/// Names only: from version 6 on a topic may be given by id.
const DELETE_TOPICS_VERSIONS: std::ops::RangeInclusive<i16> = 1..=5;
const CREATE_PARTITIONS_VERSIONS: std::ops::RangeInclusive<i16> = 0..=3;
const DESCRIBE_VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;
/// How long the broker may work on a change.
const TIMEOUT_MS: i32 = 30_000;
/// Partitions of one answer.
const PAGE: i32 = 2_000;

/// A topic to create.
#[derive(Clone, Debug, Default)]
pub(crate) struct NewTopic {
    pub(crate) name: String,
    /// `None`: the broker's default.
    pub(crate) partitions: Option<i32>,
    pub(crate) replication_factor: Option<i16>,
    /// Replicas of each partition, in their order; empty lets the cluster choose.
    pub(crate) assignments: Vec<Vec<i32>>,
    pub(crate) configs: Vec<(String, String)>,
    /// Checks only.
    pub(crate) validate_only: bool,
}

/// A topic as the cluster knows it.
#[derive(Clone, Debug)]
pub(crate) struct TopicDescription {
    pub(crate) name: String,
    pub(crate) id: Uuid,
    pub(crate) is_internal: bool,
    /// By index.
    pub(crate) partitions: Vec<PartitionDescription>,
}

/// A partition as the cluster knows it.
#[derive(Clone, Debug)]
pub(crate) struct PartitionDescription {
    pub(crate) index: i32,
    /// `None`: nobody leads it.
    pub(crate) leader: Option<i32>,
    pub(crate) leader_epoch: i32,
    pub(crate) replicas: Vec<i32>,
    pub(crate) isr: Vec<i32>,
    /// Eligible leader replicas (KIP-966); `None`: the broker does not say.
    pub(crate) elr: Option<Vec<i32>>,
    pub(crate) last_known_elr: Option<Vec<i32>>,
}

impl Client {
    /// Creates one topic.
    ///
    /// # Errors
    /// [`ClientError::Refused`] in the broker's words, or the connection's failure.
    pub(crate) fn create_topic(&mut self, topic: &NewTopic) -> Result<()> {
        let assignment = |(index, replicas): (usize, &Vec<i32>)| {
            CreatableReplicaAssignment::default()
                .with_partition_index(i32::try_from(index).unwrap_or(i32::MAX))
                .with_broker_ids(replicas.iter().map(|id| BrokerId(*id)).collect())
        };
        let config = |(name, value): &(String, String)| {
            CreatableTopicConfig::default().with_name(text(name)).with_value(Some(text(value)))
        };
        let creatable = CreatableTopic::default()
            .with_name(topic_name(&topic.name))
            .with_num_partitions(topic.partitions.unwrap_or(-1))
            .with_replication_factor(topic.replication_factor.unwrap_or(-1))
            .with_assignments(topic.assignments.iter().enumerate().map(assignment).collect())
            .with_configs(topic.configs.iter().map(config).collect());
        let request = CreateTopicsRequest::default()
            .with_topics(vec![creatable])
            .with_timeout_ms(TIMEOUT_MS)
            .with_validate_only(topic.validate_only);
        let response = self.any().ask(&request, CREATE_TOPICS_VERSIONS)?;
        let created = response.topics.first().ok_or(ClientError::Malformed("no answer for the topic"))?;
        Ok(Refusal::check(created.error_code, created.error_message.as_deref())?)
    }

    /// Deletes one topic.
    ///
    /// # Errors
    /// As [`Self::create_topic`].
    pub(crate) fn delete_topic(&mut self, name: &str) -> Result<()> {
        let request =
            DeleteTopicsRequest::default().with_topic_names(vec![topic_name(name)]).with_timeout_ms(TIMEOUT_MS);
        let response = self.any().ask(&request, DELETE_TOPICS_VERSIONS)?;
        let deleted = response.responses.first().ok_or(ClientError::Malformed("no answer for the topic"))?;
        Ok(Refusal::check(deleted.error_code, deleted.error_message.as_deref())?)
    }

    /// Gives a topic `count` partitions in all; the new ones on `assignments`, unless that is empty.
    ///
    /// # Errors
    /// As [`Self::create_topic`].
    pub(crate) fn create_partitions(&mut self, name: &str, count: i32, assignments: &[Vec<i32>]) -> Result<()> {
        let assignment = |replicas: &Vec<i32>| {
            CreatePartitionsAssignment::default().with_broker_ids(replicas.iter().map(|id| BrokerId(*id)).collect())
        };
        let assignments = (!assignments.is_empty()).then(|| assignments.iter().map(assignment).collect());
        let topic = CreatePartitionsTopic::default()
            .with_name(topic_name(name))
            .with_count(count)
            .with_assignments(assignments);
        let request = CreatePartitionsRequest::default().with_topics(vec![topic]).with_timeout_ms(TIMEOUT_MS);
        let response = self.any().ask(&request, CREATE_PARTITIONS_VERSIONS)?;
        let grown = response.results.first().ok_or(ClientError::Malformed("no answer for the topic"))?;
        Ok(Refusal::check(grown.error_code, grown.error_message.as_deref())?)
    }

    /// All topics by name, internal ones too.
    ///
    /// # Errors
    /// [`ClientError`].
    pub(crate) fn list_topics(&mut self) -> Result<Vec<TopicDescription>> {
        let response = self.metadata(None, false)?;
        let mut topics = Vec::with_capacity(response.topics.len());
        for topic in response.topics {
            let name = topic.name.ok_or(ClientError::Malformed("a topic without a name"))?;
            let ids = |ids: &[BrokerId]| ids.iter().map(|id| id.0).collect();
            let mut partitions: Vec<_> = topic
                .partitions
                .iter()
                .map(|partition| PartitionDescription {
                    index: partition.partition_index,
                    leader: Some(partition.leader_id.0).filter(|id| *id >= 0),
                    leader_epoch: partition.leader_epoch,
                    replicas: ids(&partition.replica_nodes),
                    isr: ids(&partition.isr_nodes),
                    elr: None,
                    last_known_elr: None,
                })
                .collect();
            partitions.sort_unstable_by_key(|partition| partition.index);
            let (id, is_internal) = (topic.topic_id, topic.is_internal);
            topics.push(TopicDescription { name: name.to_string(), id, is_internal, partitions });
        }
        topics.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(topics)
    }

    /// Some topics, in the order asked for.
    ///
    /// # Errors
    /// One of them does not exist, or [`ClientError`].
    pub(crate) fn describe_topics(&mut self, names: &[String]) -> Result<Vec<TopicDescription>> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let mut found = if self.any().serves(ApiKey::DescribeTopicPartitions, &DESCRIBE_VERSIONS) {
            self.describe_pages(names)?
        } else {
            self.list_topics()?
        };
        let mut described = Vec::with_capacity(names.len());
        for name in names {
            let at = found.iter().position(|topic| topic.name == *name);
            let at = at.ok_or_else(|| Refusal::of(protocol::error_code::ErrorCode::UnknownTopicOrPartition))?;
            described.push(found.swap_remove(at));
        }
        Ok(described)
    }

    /// Page after page (KIP-966): a topic of many partitions may go on in the next answer.
    fn describe_pages(&mut self, names: &[String]) -> Result<Vec<TopicDescription>> {
        let mut wanted: Vec<&String> = names.iter().collect();
        wanted.sort_unstable();
        let topics: Vec<_> = wanted.iter().map(|name| TopicRequest::default().with_name(topic_name(name))).collect();
        let mut described: Vec<TopicDescription> = Vec::new();
        let mut cursor = None;
        loop {
            let request = DescribeTopicPartitionsRequest::default()
                .with_topics(topics.clone())
                .with_response_partition_limit(PAGE)
                .with_cursor(cursor);
            let response = self.any().ask(&request, DESCRIBE_VERSIONS)?;
            for topic in response.topics {
                Refusal::check(topic.error_code, None)?;
                let name = topic.name.ok_or(ClientError::Malformed("a topic without a name"))?.to_string();
                let partitions = topic.partitions.iter().map(partition_description);
                match described.last_mut().filter(|last| last.name == name) {
                    Some(last) => last.partitions.extend(partitions),
                    None => {
                        let partitions = partitions.collect();
                        let (id, is_internal) = (topic.topic_id, topic.is_internal);
                        described.push(TopicDescription { name, id, is_internal, partitions });
                    }
                }
            }
            let Some(next) = response.next_cursor else { break };
            cursor =
                Some(Cursor::default().with_topic_name(next.topic_name).with_partition_index(next.partition_index));
        }
        for topic in &mut described {
            topic.partitions.sort_unstable_by_key(|partition| partition.index);
        }
        Ok(described)
    }
}

fn partition_description(
    partition: &protocol::messages::describe_topic_partitions_response::DescribeTopicPartitionsResponsePartition,
) -> PartitionDescription {
    let ids = |ids: &[BrokerId]| -> Vec<i32> { ids.iter().map(|id| id.0).collect() };
    PartitionDescription {
        index: partition.partition_index,
        leader: Some(partition.leader_id.0).filter(|id| *id >= 0),
        leader_epoch: partition.leader_epoch,
        replicas: ids(&partition.replica_nodes),
        isr: ids(&partition.isr_nodes),
        elr: partition.eligible_leader_replicas.as_deref().map(ids),
        last_known_elr: partition.last_known_elr.as_deref().map(ids),
    }
}
