//! Topics over the raw client.

use std::time::Duration;

use protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use protocol::messages::delete_topics_request::DeleteTopicState;
use protocol::messages::metadata_request::MetadataRequestTopic;
use protocol::messages::metadata_response::MetadataResponseTopic;
use protocol::messages::{CreateTopicsRequest, DeleteTopicsRequest, MetadataRequest, TopicName};

use super::{Connection, LATEST, text};
use crate::wait;

const LEADER_LIMIT: Duration = Duration::from_secs(60);

impl Connection {
    /// Creates a topic of one replica and waits until every partition has a leader.
    ///
    /// # Panics
    /// The broker refuses.
    #[track_caller]
    pub fn create_topic(&mut self, topic: &str, partitions: i32, configs: &[(&str, &str)]) {
        let configs = configs
            .iter()
            .map(|(key, value)| CreatableTopicConfig::default().with_name(text(key)).with_value(Some(text(value))));
        let creatable = CreatableTopic::default()
            .with_name(TopicName(text(topic)))
            .with_num_partitions(partitions)
            .with_replication_factor(1)
            .with_configs(configs.collect());
        let request = CreateTopicsRequest::default().with_topics(vec![creatable]).with_timeout_ms(30_000);
        let response = self.send(&request, 5);
        let created = response.topics.first().expect("an answer for the topic");
        assert_eq!(created.error_code, 0, "create {topic}: {:?}", created.error_message);
        self.await_leaders(topic, partitions);
    }

    /// Waits until the topic has `partitions` partitions, each with a leader.
    #[track_caller]
    pub fn await_leaders(&mut self, topic: &str, partitions: i32) {
        wait::until_true("a leader for every partition", LEADER_LIMIT, || {
            let found = self.describe_topic(topic);
            found.error_code == 0
                && found.partitions.len() == usize::try_from(partitions).unwrap_or(usize::MAX)
                && found.partitions.iter().all(|partition| partition.error_code == 0 && partition.leader_id.0 >= 0)
        });
    }

    /// Waits until a partition answers: a broker may tell of a leader before that one knows (Kafka's metadata cache comes before its
    /// replicas). A log that nobody had used is opened by that.
    #[track_caller]
    pub fn await_service(&mut self, topic: &str, partition: i32) {
        let is_served = || self.list_offset(topic, partition, LATEST).error_code == 0;
        wait::until_true("the partition is served", LEADER_LIMIT, is_served);
    }

    /// What Metadata says of one topic; never creates it.
    #[track_caller]
    pub fn describe_topic(&mut self, topic: &str) -> MetadataResponseTopic {
        let topic = MetadataRequestTopic::default().with_name(Some(TopicName(text(topic))));
        let request = MetadataRequest::default().with_topics(Some(vec![topic])).with_allow_auto_topic_creation(false);
        let mut response = self.send(&request, 12);
        response.topics.pop().expect("an answer for the topic")
    }

    /// Deletes a topic; returns the error code.
    #[track_caller]
    pub fn delete_topic(&mut self, topic: &str) -> i16 {
        let state = DeleteTopicState::default().with_name(Some(TopicName(text(topic))));
        let request = DeleteTopicsRequest::default().with_topics(vec![state]).with_timeout_ms(30_000);
        self.send(&request, 6).responses.first().expect("an answer for the topic").error_code
    }
}
