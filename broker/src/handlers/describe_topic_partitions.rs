//! DescribeTopicPartitions (key 75), version 0 (KIP-966).
//!
//! Behaviour: topics in the order of their names, as many partitions as the client and `max.request.partition.size.limit` allow;
//! the cursor says where the next request goes on.
//! Source: DescribeTopicPartitionsRequest.json, `DescribeTopicPartitionsRequestHandler`, `KRaftMetadataCache.describeTopicResponse`.

use std::collections::BTreeSet;

use protocol::error_code::{ErrorCode, NONE};
use protocol::messages::describe_topic_partitions_response::{
    Cursor, DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use protocol::messages::{DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse};
use raft::controller::check_topic_name;
use raft::image::{Image, PartitionImage, TopicImage};

use super::text::{broker_ids, topic_name};
use super::{Reply, RequestContext};
use crate::metadata_cache::{self, Leader};

/// What anybody may do with a topic while nothing is forbidden, a bit for each operation: read, write, create, delete, alter,
/// describe, describe and alter configs.
pub(super) const TOPIC_OPERATIONS: i32 = 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 10 | 1 << 11;

pub(super) fn handle(
    context: RequestContext,
    request: DescribeTopicPartitionsRequest,
) -> Reply<DescribeTopicPartitionsResponse> {
    let image = context.services.metadata.image();
    let from = request.cursor.as_ref().map_or("", |cursor| &cursor.topic_name.0);
    let is_all = request.topics.is_empty();
    let names: BTreeSet<&str> = if is_all {
        image.topics().starting_at(from).map(|topic| &**topic.name()).collect()
    } else {
        request.topics.iter().map(|topic| topic.name.as_str()).filter(|name| *name >= from).collect()
    };
    let is_lost = request
        .cursor
        .as_ref()
        .is_some_and(|cursor| cursor.partition_index < 0 || !is_all && !names.contains(cursor.topic_name.as_str()));
    if is_lost {
        return Reply::Now(invalid_request(&request));
    }
    let limit = usize::try_from(request.response_partition_limit).unwrap_or(0);
    let mut page = Page {
        image: &image,
        listener: &context.listener,
        remaining: limit.clamp(1, context.services.settings.request_partition_limit.max(1)),
        response: DescribeTopicPartitionsResponse::default(),
    };
    for name in names {
        let start = request.cursor.as_ref().filter(|_| name == from).map_or(0, |cursor| cursor.partition_index);
        if page.is_full_at(name, start, is_all) {
            break;
        }
    }
    Reply::Now(page.response)
}

fn invalid_request(request: &DescribeTopicPartitionsRequest) -> DescribeTopicPartitionsResponse {
    let topics = request.topics.iter().map(|topic| {
        DescribeTopicPartitionsResponseTopic::default()
            .with_error_code(ErrorCode::InvalidRequest.code())
            .with_name(Some(topic.name.clone()))
    });
    DescribeTopicPartitionsResponse::default().with_topics(topics.collect())
}

/// An answer that grows until it is full.
struct Page<'a> {
    image: &'a Image,
    listener: &'a str,
    remaining: usize,
    response: DescribeTopicPartitionsResponse,
}

impl Page<'_> {
    /// Adds the topic from partition `start` on. True if the page ends here, with the cursor set.
    fn is_full_at(&mut self, name: &str, start: i32, is_all: bool) -> bool {
        if self.remaining == 0 {
            self.set_cursor(name, 0);
            return true;
        }
        let Some(topic) = self.image.topics().by_name(name) else {
            // Asked for everything, a topic that is gone by now is no error.
            if !is_all {
                self.response.topics.push(unknown(name));
            }
            return false;
        };
        let partitions = self.partitions(topic, start);
        let next = start + i32::try_from(partitions.len()).unwrap_or(i32::MAX);
        self.remaining -= partitions.len();
        self.response.topics.push(
            DescribeTopicPartitionsResponseTopic::default()
                .with_name(Some(topic_name(name)))
                .with_topic_id(topic.id())
                .with_is_internal(metadata_cache::is_internal(name))
                .with_partitions(partitions)
                .with_topic_authorized_operations(TOPIC_OPERATIONS),
        );
        let is_cut = topic.partition(next).is_some();
        if is_cut {
            self.set_cursor(name, next);
        }
        is_cut
    }

    fn set_cursor(&mut self, name: &str, partition_index: i32) {
        let cursor = Cursor::default().with_topic_name(topic_name(name)).with_partition_index(partition_index);
        self.response.next_cursor = Some(cursor);
    }

    fn partitions(&self, topic: &TopicImage, start: i32) -> Vec<DescribeTopicPartitionsResponsePartition> {
        let indexes = (start..).map_while(|index| Some((index, topic.partition(index)?)));
        indexes.take(self.remaining).map(|(index, partition)| self.partition(index, partition)).collect()
    }

    fn partition(&self, index: i32, partition: &PartitionImage) -> DescribeTopicPartitionsResponsePartition {
        let (code, leader) = match metadata_cache::leader(self.image, partition, self.listener) {
            Leader::Reachable(leader) => (NONE, leader),
            Leader::WithoutListener | Leader::None => (ErrorCode::LeaderNotAvailable.code(), -1),
        };
        DescribeTopicPartitionsResponsePartition::default()
            .with_error_code(code)
            .with_partition_index(index)
            .with_leader_id(leader.into())
            .with_leader_epoch(partition.leader_epoch())
            .with_replica_nodes(broker_ids(partition.replicas()))
            .with_isr_nodes(broker_ids(partition.isr()))
            .with_eligible_leader_replicas(Some(broker_ids(partition.elr())))
            .with_last_known_elr(Some(broker_ids(partition.last_known_elr())))
            .with_offline_replicas(broker_ids(&metadata_cache::offline_replicas(self.image, partition, self.listener)))
    }
}

fn unknown(name: &str) -> DescribeTopicPartitionsResponseTopic {
    let code = match check_topic_name(name) {
        Ok(()) => ErrorCode::UnknownTopicOrPartition,
        Err(_) => ErrorCode::InvalidTopicException,
    };
    DescribeTopicPartitionsResponseTopic::default()
        .with_error_code(code.code())
        .with_name(Some(topic_name(name)))
        .with_is_internal(metadata_cache::is_internal(name))
        .with_topic_authorized_operations(TOPIC_OPERATIONS)
}
