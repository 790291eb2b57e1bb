//! DescribeProducers (key 61), version 0.
//!
//! Behaviour: the producers that a partition remembers, idempotent and transactional; each partition is answered alone, by any of
//! its replicas.
//! Source: DescribeProducersRequest.json, `KafkaApis.handleDescribeProducersRequest`, `Partition.activeProducerState`, KIP-664.

use protocol::StrBytes;
use protocol::error_code::ErrorCode;
use protocol::messages::describe_producers_request::TopicRequest;
use protocol::messages::describe_producers_response::{PartitionResponse, ProducerState, TopicResponse};
use protocol::messages::{DescribeProducersRequest, DescribeProducersResponse};
use raft::controller::check_topic_name;
use raft::error::TopicError;

use super::{Reply, RequestContext};
use crate::error_code;
use crate::replica::{Partition, PartitionError, blocking};

const NO_TRANSACTION: i64 = -1;

pub(super) fn handle(context: RequestContext, request: DescribeProducersRequest) -> Reply<DescribeProducersResponse> {
    // The state of a log that nobody has used yet is read from the disk.
    Reply::Now(blocking(|| {
        let topics = request.topics.iter().map(|asked| topic(&context, asked)).collect();
        DescribeProducersResponse::default().with_topics(topics)
    }))
}

fn topic(context: &RequestContext, asked: &TopicRequest) -> TopicResponse {
    let refused = check_topic_name(&asked.name).map_err(TopicError::from).and_then(|()| {
        let image = context.services.metadata.image();
        image.topics().by_name(&asked.name).map(|_| ()).ok_or(TopicError::UnknownTopic)
    });
    let partitions = asked.partition_indexes.iter().map(|index| {
        let response = PartitionResponse::default().with_partition_index(*index).with_error_message(None);
        match &refused {
            Ok(()) => partition(context, &asked.name, *index, response),
            Err(error) => response
                .with_error_code(error_code::topic(error).code())
                .with_error_message(Some(StrBytes::from_string(error.to_string()))),
        }
    });
    TopicResponse::default().with_name(asked.name.clone()).with_partitions(partitions.collect())
}

fn partition(context: &RequestContext, topic: &str, index: i32, response: PartitionResponse) -> PartitionResponse {
    let table = context.services.replicas.table();
    let Some(partition) = table.by_name(topic).and_then(|topic| topic.partition(index)) else {
        return response.with_error_code(ErrorCode::UnknownTopicOrPartition.code());
    };
    match producers(partition) {
        Ok(producers) => response.with_active_producers(producers),
        Err(error) => response.with_error_code(error_code::partition(&error).code()),
    }
}

fn producers(partition: &Partition) -> Result<Vec<ProducerState>, PartitionError> {
    let states = partition.producers()?.into_iter().map(|(producer_id, state)| {
        ProducerState::default()
            .with_producer_id(producer_id.into())
            .with_producer_epoch(state.producer_epoch.into())
            .with_last_sequence(state.last_sequence())
            .with_last_timestamp(state.last_timestamp)
            .with_coordinator_epoch(state.coordinator_epoch)
            .with_current_txn_start_offset(state.current_txn_first_offset.unwrap_or(NO_TRANSACTION))
    });
    Ok(states.collect())
}
