//! OffsetDelete (key 47), version 0.
//!
//! Behaviour: forgets committed offsets (KIP-496). Those of topics that members subscribe to stay, with
//! GROUP_SUBSCRIBED_TO_TOPIC; a group with members of which the coordinator does not know what they read is refused whole.
//! Source: OffsetDeleteRequest.json, `KafkaApis.handleOffsetDeleteRequest`, `OffsetMetadataManager.deleteOffsets`.

use protocol::StrBytes;
use protocol::error_code::{ErrorCode, NONE};
use protocol::messages::offset_delete_response::{OffsetDeleteResponsePartition, OffsetDeleteResponseTopic};
use protocol::messages::{OffsetDeleteRequest, OffsetDeleteResponse};

use super::{Reply, RequestContext};
use crate::error_code;

pub(super) fn handle(context: RequestContext, request: OffsetDeleteRequest) -> Reply<OffsetDeleteResponse> {
    Reply::Later(Box::pin(async move {
        let (mut topics, partitions) = check(&context, &request);
        match context.services.groups.delete_offsets(&request.group_id, &partitions).await {
            Ok(subscribed) => {
                for topic in topics.iter_mut().filter(|topic| subscribed.contains(&topic.name.0)) {
                    let known = topic.partitions.iter_mut().filter(|partition| partition.error_code == NONE);
                    known.for_each(|partition| partition.error_code = ErrorCode::GroupSubscribedToTopic.code());
                }
                OffsetDeleteResponse::default().with_topics(topics)
            }
            Err(error) => OffsetDeleteResponse::default().with_error_code(error_code::group(&error).code()),
        }
    }))
}

/// The answer if all goes well, and which partitions it is about: those that exist.
fn check(
    context: &RequestContext,
    request: &OffsetDeleteRequest,
) -> (Vec<OffsetDeleteResponseTopic>, Vec<(StrBytes, i32)>) {
    let image = context.services.metadata.image();
    let mut partitions = Vec::new();
    let topics = request.topics.iter().map(|topic| {
        let known = image.topics().by_name(&topic.name);
        let answers = topic.partitions.iter().map(|asked| {
            let index = asked.partition_index;
            let code = match known.and_then(|known| known.partition(index)) {
                Some(_) => {
                    partitions.push((topic.name.0.clone(), index));
                    NONE
                }
                None => ErrorCode::UnknownTopicOrPartition.code(),
            };
            OffsetDeleteResponsePartition::default().with_partition_index(index).with_error_code(code)
        });
        let answers = answers.collect();
        OffsetDeleteResponseTopic::default().with_name(topic.name.clone()).with_partitions(answers)
    });
    let topics = topics.collect();
    (topics, partitions)
}
